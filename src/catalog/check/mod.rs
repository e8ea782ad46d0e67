//! Whether a catalog is what its own rules say: the file, the models, every table's rows and their past.
//!
//! Reads only, in one snapshot, so that others may write meanwhile. What can be mended with no loss is mended by
//! [`Catalog::make_missing_indexes`].

mod assets;
mod past;
mod tables;

#[cfg(test)]
mod tests;

use std::fmt;

use rusqlite::OptionalExtension;

use super::change::{Index, indexes};
use super::sql::sqlite;
use super::{Catalog, CatalogError, Change};
use crate::bag::Progress;
use crate::model::{Model, Table};

pub use assets::NamedAsset;

/// Places that are named for one thing that is wrong; of more the number is told.
const SHOWN: usize = 10;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is lost, or will be read wrong.
    Error,
    /// Something is odd, or left over.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// `E4…` for an error, `W4…` for a warning; `docs/fsck.md` lists them.
    pub code: &'static str,
    /// Where: a table, a row, a file.
    pub place: String,
    /// What is wrong, as the rest of a sentence about the place.
    pub message: String,
    /// Whether dbag can mend it with no loss.
    pub mendable: bool,
}

impl Fault {
    /// Every code, with what it stands for.
    pub const CODES: &'static [(&'static str, &'static str)] = &[
        ("E401", "SQLite finds the catalog's file damaged."),
        ("E402", "A model can't be read."),
        ("E403", "A model contradicts itself."),
        ("E404", "A table or column of the model is not in the file."),
        ("W405", "An index is not in the file. `--repair` makes it."),
        ("E406", "Rows have the same key."),
        ("W407", "Rows have no value in a column that needs one, as rows of bags may."),
        ("E408", "A RID is that of two rows."),
        ("E409", "RIDs that were given would be given again."),
        ("E410", "A dataset's name leads to no dataset."),
        ("W411", "References lead to no row, as those of rows of bags may."),
        ("E412", "Changes are missing between others."),
        ("E413", "A later change has an earlier snapshot."),
        ("E414", "A model, a version or an undo belongs to a change that was not made."),
        ("E415", "A change was made by an execution that is not there."),
        ("E416", "A row was so from or until a change that was not made, or for no time."),
        ("E417", "A row has two versions at one time."),
        ("E418", "A change has another hash than what is noted of it: the log was altered."),
        ("W419", "A purge was stopped before its end; `dbag purge --finish` ends it."),
        ("E421", "A row names a file that is not in the workspace's store."),
        ("E422", "A file has another length than the row that names it says."),
        ("E423", "A file's bytes are not what its name says (`--deep`)."),
        ("E424", "A row's SHA-256 is none."),
        ("E425", "A file that is kept where it was imported from is gone, or another."),
        (
            "W426",
            "A file that is kept where it was imported from was written to since; `--deep` tells whether it is the same.",
        ),
        ("W430", "A run that was killed more than a day ago left a file. `--repair` removes it."),
        ("W431", "A spooled file could not be folded in and was put aside."),
    ];

    /// Something wrong.
    #[must_use]
    pub fn new(code: &'static str, place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, place: place.into(), message: message.into(), mendable: false }
    }

    /// The same, which dbag can mend.
    #[must_use]
    pub fn mendable(self) -> Self {
        Self { mendable: true, ..self }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        if self.code.starts_with('E') { Severity::Error } else { Severity::Warning }
    }
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// What is not as it should be.
    pub faults: Vec<Fault>,
    /// Tables of the newest model.
    pub tables: u64,
    /// Rows as they are.
    pub rows: u64,
    /// Superseded rows.
    pub past_rows: u64,
    /// Changes.
    pub transactions: u64,
}

impl CheckReport {
    /// Whether nothing is wrong; warnings may be there.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.faults.iter().all(|fault| fault.severity() != Severity::Error)
    }

    fn add(&mut self, code: &'static str, place: impl Into<String>, message: impl Into<String>) {
        self.faults.push(Fault::new(code, place, message));
    }
}

/// The newest model's tables that can be read, with what the checks need.
struct Checked<'c> {
    change: &'c Change<'c>,
    /// Tables whose SQL tables and columns are all there.
    whole: Vec<&'c Table>,
    /// The last transaction.
    last: i64,
}

impl Checked<'_> {
    /// The rows of a query as text.
    fn texts(&self, sql: &str) -> Result<Vec<Vec<String>>, CatalogError> {
        let fail = |e| sqlite(&self.change.path, e);
        let mut statement = self.change.transaction.prepare(sql).map_err(fail)?;
        let columns = statement.column_count();
        let text = |row: &rusqlite::Row<'_>, at| {
            Ok(match row.get_ref(at)? {
                rusqlite::types::ValueRef::Null => String::new(),
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                rusqlite::types::ValueRef::Real(number) => number.to_string(),
                rusqlite::types::ValueRef::Text(text) | rusqlite::types::ValueRef::Blob(text) => {
                    String::from_utf8_lossy(text).into_owned()
                }
            })
        };
        let rows = statement.query_map((), |row| (0..columns).map(|at| text(row, at)).collect());
        rows.and_then(Iterator::collect).map_err(fail)
    }

    fn number(&self, sql: &str) -> Result<i64, CatalogError> {
        let found = self.change.transaction.query_row(sql, (), |row| row.get(0));
        found.map_err(|e| sqlite(&self.change.path, e))
    }

    /// Tells what a query finds: each row is a place and a message. Of many the first and the number are told.
    fn tell(&self, report: &mut CheckReport, code: &'static str, sql: &str) -> Result<(), CatalogError> {
        let rows = self.texts(&format!("SELECT * FROM ({sql}) LIMIT {}", SHOWN + 1))?;
        let more = rows.len() > SHOWN;
        let shown = if more { SHOWN - 1 } else { rows.len() };
        for row in &rows[..shown] {
            report.add(code, &row[0], &row[1]);
        }
        if more {
            let all = self.number(&format!("SELECT count(*) FROM ({sql})"))?;
            let rest = all - i64::try_from(shown).unwrap_or(0);
            let place = rows[0][0].split(' ').next().unwrap_or_default();
            report.add(code, place, format!("and {rest} more like these"));
        }
        Ok(())
    }
}

impl Catalog {
    /// Checks everything in the catalog's file. Of its files' bytes it says nothing.
    ///
    /// Takes a `&mut` for a transaction that reads; nothing is written.
    pub fn check(&mut self, progress: &dyn Progress) -> Result<CheckReport, CatalogError> {
        let mut report = CheckReport::default();
        progress.begin("checking the catalog", 0, 0);
        self.check_file(&mut report, progress)?;
        self.check_models(&mut report)?;
        if !report.is_right() {
            // What is not readable can't be judged further.
            progress.end();
            return Ok(report);
        }
        let prefix = self.prefix.clone();
        let next_rid = self.next_rid()?;
        self.look(|change| {
            let last = change.number - 1;
            let mut checked = Checked { change, whole: Vec::new(), last };
            checked.tables(&mut report)?;
            checked.transactions(&mut report)?;
            for table in checked.whole.clone() {
                if progress.cancelled() {
                    return Err(interrupted());
                }
                checked.rows(table, &mut report)?;
                checked.past(table, &mut report)?;
            }
            checked.rids(&mut report, &prefix, next_rid)?;
            checked.datasets(&mut report)?;
            checked.references(&mut report)
        })?;
        progress.end();
        Ok(report)
    }

    /// What SQLite itself finds.
    fn check_file(&self, report: &mut CheckReport, progress: &dyn Progress) -> Result<(), CatalogError> {
        let mut statement =
            self.connection.prepare("PRAGMA main.integrity_check(20)").map_err(|e| self.fail(e))?;
        let lines = statement.query_map((), |row| row.get::<_, String>(0)).map_err(|e| self.fail(e))?;
        for line in lines {
            let line = match line {
                Ok(line) => line,
                Err(error) if error.sqlite_error_code().is_some() => error.to_string(),
                Err(error) => return Err(self.fail(error)),
            };
            if line != "ok" {
                // An index that does not agree with its table is made again; a damaged page is not.
                report.add("E401", file_name(self), line);
            }
        }
        if progress.cancelled() { Err(interrupted()) } else { Ok(()) }
    }

    /// Every model parses, and makes sense; every one belongs to a transaction.
    fn check_models(&self, report: &mut CheckReport) -> Result<(), CatalogError> {
        let sql = "SELECT number, json FROM dbag_model ORDER BY number";
        let mut statement = self.connection.prepare(sql).map_err(|e| self.fail(e))?;
        let models = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)));
        let models: rusqlite::Result<Vec<(i64, String)>> = models.and_then(Iterator::collect);
        for (number, json) in models.map_err(|e| self.fail(e))? {
            let place = format!("the model since change {number}");
            match serde_json::from_str::<Model>(&json) {
                Err(error) => report.add("E402", place, format!("can't be read: {error}")),
                Ok(model) => {
                    for fault in model.check() {
                        report.add("E403", &place, fault.to_string());
                    }
                }
            }
        }
        Ok(())
    }

    fn next_rid(&self) -> Result<i64, CatalogError> {
        let sql = "SELECT value FROM dbag_meta WHERE key = 'next_rid'";
        let found = self.connection.query_row(sql, (), |row| row.get(0)).optional();
        found.map_err(|e| self.fail(e))?.ok_or_else(|| CatalogError::Corrupt {
            path: self.path.clone(),
            reason: "dbag_meta has no next_rid".into(),
        })
    }

    /// Makes the indexes that tables lack, and tells their names. Rows stay as they are, so this is no change.
    pub fn make_missing_indexes(&mut self) -> Result<Vec<String>, CatalogError> {
        let (made, change) = self.begin(|change| {
            let mut made = Vec::new();
            for table in change.model.tables() {
                let Some(there) = index_names(change, table)? else { continue };
                for Index { name, sql, .. } in indexes(table, &change.aliases) {
                    let is_missing = !there.contains(&name.to_lowercase());
                    // A key that does not hold stays told.
                    if is_missing && change.transaction.execute_batch(&sql).is_ok() {
                        made.push(name);
                    }
                }
            }
            Ok::<_, CatalogError>(made)
        })?;
        let path = change.path.clone();
        change.transaction.commit().map_err(|e| sqlite(&path, e))?;
        Ok(made)
    }
}

/// The names of a table's indexes in small letters; `None` where the table is not there.
fn index_names(change: &Change<'_>, table: &Table) -> Result<Option<Vec<String>>, CatalogError> {
    let name = table.qualified_name();
    let sql = "SELECT lower(name) FROM main.sqlite_schema WHERE tbl_name IN (?1, ?1 || '@history') COLLATE NOCASE \
               AND type = ?2";
    let list = |kind: &str| -> rusqlite::Result<Vec<String>> {
        change.transaction.prepare_cached(sql)?.query_map((&name, kind), |row| row.get(0))?.collect()
    };
    let fail = |e| sqlite(&change.path, e);
    if list("table").map_err(fail)?.len() < 2 { Ok(None) } else { list("index").map(Some).map_err(fail) }
}

fn file_name(catalog: &Catalog) -> String {
    catalog.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn interrupted() -> CatalogError {
    CatalogError::Io(std::io::Error::other("interrupted"))
}
