//! The spool: rows that the tasks of a job array want in a catalog, a file each, which the next writer folds in.
//!
//! A task neither opens the catalog nor waits for anyone. The files' names are noted in the same transaction as their
//! rows, so that a file which could not be deleted is not folded in twice.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::sql::sqlite;
use super::{Agent, Catalog, CatalogError, Change, Program, SystemValues};
use crate::claim::make_folder;
use crate::model::{Column, Storage, format_timestamp, parse_timestamp};
use crate::tabular::{Value, format_array};

/// The spool's folder, beside the catalog.
pub(super) const FOLDER: &str = "spool";
/// What can't be folded in, in the spool's folder.
pub(super) const BAD: &str = "bad";
const FORM: &str = "spool 1";
/// A larger file is broken.
const MOST: u64 = 64 << 20;

/// Rows to be added to a catalog, and who made them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spooled {
    /// The command as typed.
    pub command: String,
    /// Who ran it.
    pub user: String,
    /// At which machine.
    pub host: String,
    /// With what.
    pub program: Program,
    /// When, as PostgreSQL writes it.
    pub time: String,
    /// The rows, of any tables.
    pub rows: Vec<SpooledRow>,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpooledRow {
    /// The table, bare or as `schema:Table`.
    pub table: String,
    /// Its own columns: null, a truth value, a number, or text in PostgreSQL's form. Others are NULL.
    pub values: serde_json::Map<String, Json>,
}

#[derive(Serialize, Deserialize)]
struct Form<S> {
    dbag: String,
    #[serde(flatten)]
    spooled: S,
}

/// What was folded in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoldReport {
    /// Files whose rows are in the catalog now.
    pub files: u64,
    /// Rows that came of them.
    pub rows: u64,
    /// Files that could not be folded in and were put aside: name, and why.
    pub bad: Vec<(String, String)>,
}

/// Why a file was not folded in.
enum Refusal {
    /// The catalog can't be written, or refuses the rows.
    Catalog(CatalogError),
    /// The file makes no sense.
    Bad(String),
}

impl From<CatalogError> for Refusal {
    fn from(error: CatalogError) -> Self {
        Self::Catalog(error)
    }
}

impl Spooled {
    /// Rows that this process makes now.
    #[must_use]
    pub fn now(command: &str, rows: Vec<SpooledRow>) -> Self {
        let Agent { user, host, program } = Agent::default();
        let time = format_timestamp(chrono::Utc::now().timestamp_micros());
        Self { command: command.to_owned(), user, host, program, time, rows }
    }

    /// Spools the rows for the catalog in this folder, without opening it. The file appears whole, and survives a power
    /// failure.
    pub fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        let spool = folder.join(FOLDER);
        make_folder(&spool)?;
        let name = ulid(chrono::Utc::now().timestamp_millis())?;
        let (new, path) = (spool.join(format!(".new-{name}")), spool.join(format!("{name}.json")));
        let form = Form { dbag: FORM.to_owned(), spooled: self };
        let write = || {
            let mut file = fs_err::OpenOptions::new().write(true).create_new(true).open(&new)?;
            serde_json::to_writer(&mut file, &form)?;
            file.sync_all()?;
            fs_err::rename(&new, &path)
        };
        write().inspect_err(|_| drop(fs_err::remove_file(&new)))?;
        Ok(path)
    }

    fn read(path: &Path) -> Result<Option<Self>, Refusal> {
        let text = match fs_err::metadata(path).and_then(|metadata| Ok((metadata.len(), fs_err::read(path)?)))
        {
            Ok((length, _)) if length > MOST => return Err(Refusal::Bad("it is too large".into())),
            Ok((_, text)) => text,
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Refusal::Catalog(error.into())),
        };
        let form: Form<Json> = serde_json::from_slice(&text)
            .map_err(|error| Refusal::Bad(format!("it is no spooled file: {error}")))?;
        if form.dbag != FORM {
            return Err(Refusal::Bad(format!("its form is {:?}, and this dbag reads {FORM:?}", form.dbag)));
        }
        let spooled: Self = serde_json::from_value(form.spooled)
            .map_err(|error| Refusal::Bad(format!("it is no spooled file: {error}")))?;
        if spooled.rows.is_empty() {
            return Err(Refusal::Bad("it has no rows".into()));
        }
        Ok(Some(spooled))
    }
}

impl Catalog {
    /// Folds in what was spooled, in the order of the files' names, each as a change of its own, made by whom it says.
    /// What can't be folded in is put aside. Every change does this first.
    pub fn fold(&mut self) -> Result<FoldReport, CatalogError> {
        let spool = self.path.with_file_name(FOLDER);
        let mut report = FoldReport::default();
        for name in spooled_names(&spool)? {
            match self.fold_one(&spool, &name) {
                Ok(rows) => {
                    report.files += u64::from(rows.is_some());
                    report.rows += rows.unwrap_or(0);
                }
                Err(Refusal::Catalog(error)) if !is_of_the_rows(&error) => return Err(error),
                Err(refusal) => {
                    let reason = match refusal {
                        Refusal::Catalog(error) => error.to_string(),
                        Refusal::Bad(reason) => reason,
                    };
                    self.note(&format!("{name} was spooled and can't be folded in: {reason}"));
                    put_aside(&spool, &name, &reason)?;
                    report.bad.push((name, reason));
                }
            }
        }
        Ok(report)
    }

    /// How many rows came of a file; `None` where another process folded it in.
    fn fold_one(&mut self, spool: &Path, name: &str) -> Result<Option<u64>, Refusal> {
        let path = spool.join(name);
        let Some(spooled) = Spooled::read(&path)? else { return Ok(None) };
        let agent = Agent {
            user: spooled.user.clone(),
            host: spooled.host.clone(),
            program: spooled.program.clone(),
        };
        let own = std::mem::replace(&mut self.agent, agent);
        let folded = self.begin(|change| change.fold(name, &spooled)).and_then(|(is_new, change)| {
            if is_new {
                change.commit(&spooled.command).map_err(Refusal::from)?;
            }
            Ok(is_new)
        });
        self.agent = own;
        let is_new = folded?;
        match fs_err::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Refusal::Catalog(error.into())),
            _ => Ok(is_new.then_some(spooled.rows.len() as u64)),
        }
    }
}

impl Change<'_> {
    /// Inserts a file's rows and notes its name; false where that was done before.
    fn fold(&mut self, name: &str, spooled: &Spooled) -> Result<bool, Refusal> {
        let noted = self
            .transaction
            .execute("INSERT OR IGNORE INTO dbag_spool VALUES (?, ?)", (name, self.number))
            .map_err(|e| sqlite(&self.path, e))?;
        if noted == 0 {
            return Ok(false);
        }
        let time = parse_timestamp(&spooled.time)
            .ok_or_else(|| Refusal::Bad(format!("its time is {:?}", spooled.time)))?;
        self.made = Some(format_timestamp(time.min(self.snapshot().micros())));
        for row in &spooled.rows {
            let table = self.table(&row.table)?;
            let mut named = Vec::with_capacity(row.values.len());
            for (name, json) in &row.values {
                let own = table.own_columns().find(|column| column.name == *name);
                let column = own.ok_or_else(|| CatalogError::NoSuchColumn {
                    table: table.table_name.clone(),
                    column: name.clone(),
                    columns: table.own_columns().map(|column| column.name.clone()).collect(),
                })?;
                named.push((name.as_str(), value(column, json).map_err(Refusal::Bad)?));
            }
            let writer = self.writer(&table)?;
            let values = writer.row(&named);
            self.insert_as(&writer, &SystemValues::default(), &values)?;
        }
        Ok(true)
    }
}

/// A column's value from JSON.
fn value(column: &Column, json: &Json) -> Result<Value, String> {
    let storage = column.column_type.storage();
    let text = match json {
        Json::Null => return Ok(Value::Null),
        Json::String(text) => text.clone(),
        Json::Array(items) if storage == Storage::Array => {
            let items: Vec<Option<String>> = items
                .iter()
                .map(|item| match item {
                    Json::Null => None,
                    Json::String(text) => Some(text.clone()),
                    other => Some(other.to_string()),
                })
                .collect();
            format_array(&items.iter().map(Option::as_deref).collect::<Vec<_>>())
        }
        other => other.to_string(),
    };
    let parsed = Value::parse(Some(&text), storage).and_then(|value| value.fits(&column.column_type));
    parsed.map_err(|error| format!("{}: {error}", column.name))
}

/// Whether an error is about what is in the file, and will be the same next time.
fn is_of_the_rows(error: &CatalogError) -> bool {
    !matches!(
        error,
        CatalogError::Busy(_)
            | CatalogError::Leased { .. }
            | CatalogError::DiskFull(_)
            | CatalogError::Unwritable { .. }
            | CatalogError::Unreadable { .. }
            | CatalogError::Corrupt { .. }
            | CatalogError::Sqlite { .. }
            | CatalogError::Io(_)
    )
}

/// The names of finished files, in their order.
pub(super) fn spooled_names(spool: &Path) -> io::Result<Vec<String>> {
    let entries = match fs_err::read_dir(spool) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_finished = Path::new(&name).extension().is_some_and(|extension| extension == "json");
        if is_finished && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn put_aside(spool: &Path, name: &str, reason: &str) -> io::Result<()> {
    let bad = spool.join(BAD);
    make_folder(&bad)?;
    match fs_err::rename(spool.join(name), bad.join(name)) {
        // Another process did.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => fs_err::write(bad.join(format!("{name}.why")), format!("{reason}\n")),
    }
}

/// A ULID: 48 bits of milliseconds since 1970, then 80 random ones, in Crockford's base 32.
fn ulid(milliseconds: i64) -> io::Result<String> {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut random = [0; 16];
    getrandom::fill(&mut random[6..]).map_err(io::Error::other)?;
    random[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
    let number = u128::from_be_bytes(random);
    Ok((0..26).rev().map(|at| char::from(ALPHABET[(number >> (5 * at)) as usize % 32])).collect())
}

#[cfg(test)]
mod tests;
