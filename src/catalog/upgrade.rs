//! The way from an older format to this one, and back.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::chain::chain_from;
use super::journal::{beside, connect, resolve};
use super::layout::{FORMAT, SINCE_2, SINCE_3, format_of};
use super::lease::WriterLease;
use super::sql::sqlite;
use super::store::BUSY;
use super::{Agent, Catalog, CatalogError, Change, Clock, JournalMode};
use crate::model::RidPrefix;

const COMMAND: &str = "dbag upgrade";

/// What an upgrade did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// The format before.
    pub from: i64,
    /// The format now.
    pub to: i64,
    /// The file as it was, which undoes it.
    pub kept: PathBuf,
}

impl Catalog {
    /// Brings a catalog file of an older format to this one: wholly, or not at all. The file as it was is kept beside it.
    /// `None` where there is nothing to do.
    pub fn upgrade(path: &Path) -> Result<Option<Upgrade>, CatalogError> {
        let fail = |e| sqlite(path, e);
        let mut connection = connect(path)?;
        let from = format_of(&connection, path)?;
        if from == FORMAT {
            return Ok(None);
        }
        let lease = || WriterLease::take(path, BUSY, &|_| {});
        let is_shared = resolve(JournalMode::Auto, path) == JournalMode::Rollback;
        let _lease = if is_shared { Some(lease()?) } else { None };
        // From here on nobody else writes, so that what is kept is what is upgraded.
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        let kept = kept_path(path, from);
        keep(path, &transaction, &kept)?;
        if from < 2 {
            upgrade_from_1(&transaction).map_err(fail)?;
        }
        upgrade_from_2(&transaction).map_err(fail)?;
        let meta = |key: &str| -> Result<String, CatalogError> {
            let sql = "SELECT value FROM dbag_meta WHERE key = ?";
            transaction.query_row(sql, [key], |row| row.get(0)).map_err(fail)
        };
        let (project, prefix) = (meta("schema")?, meta("rid_prefix")?);
        let prefix = RidPrefix::parse(&prefix).ok_or_else(|| CatalogError::Corrupt {
            path: path.to_owned(),
            reason: format!("the RID prefix is {prefix:?}"),
        })?;
        let now = chrono::Utc::now().timestamp_micros();
        let mut change = Change::begin(transaction, path.to_owned(), now, prefix, Agent::default())?;
        change.complete_model(&project)?;
        change.commit(COMMAND)?;
        Ok(Some(Upgrade { from, to: FORMAT, kept }))
    }

    /// Puts the file back that an upgrade kept. What was changed since is lost with it, so that is refused unless
    /// `lose_changes`.
    pub fn undo_upgrade(path: &Path, lose_changes: bool) -> Result<Upgrade, CatalogError> {
        let fail = |e| sqlite(path, e);
        let kept =
            (1..FORMAT).rev().map(|format| (format, kept_path(path, format))).find(|(_, kept)| kept.exists());
        let Some((format, kept)) = kept else { return Err(CatalogError::NoUpgrade(path.to_owned())) };
        if format_of(&connect(path)?, path)? != FORMAT {
            return Err(CatalogError::NoUpgrade(path.to_owned()));
        }
        let catalog = Self::open(path, Clock::System)?;
        // Without a log nothing of the file lies outside it. That takes that nobody else has it open.
        let sql = "PRAGMA main.journal_mode = DELETE";
        let mode: String = catalog.connection.query_row(sql, (), |row| row.get(0)).map_err(fail)?;
        if mode != "delete" {
            return Err(CatalogError::Busy(path.to_owned()));
        }
        catalog.connection.execute_batch("BEGIN EXCLUSIVE").map_err(fail)?;
        let changed = catalog.transactions(1)?.first().is_some_and(|last| last.command != COMMAND);
        if changed && !lose_changes {
            return Err(CatalogError::ChangedSince(path.to_owned()));
        }
        fs_err::rename(&kept, path)?;
        Ok(Upgrade { from: FORMAT, to: format, kept })
    }
}

/// Where the file is kept as it was before an upgrade.
fn kept_path(path: &Path, format: i64) -> PathBuf {
    beside(path, &format!(".format-{format}"))
}

/// Copies the file whole to `kept`. One that an interrupted upgrade left there is replaced.
fn keep(path: &Path, current: &Transaction<'_>, kept: &Path) -> Result<(), CatalogError> {
    if kept.exists() && !is_ancestor(kept, path, current)? {
        return Err(CatalogError::Exists(kept.to_owned()));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let work = tempfile::Builder::new().prefix(".dbag-upgrade-").suffix(".partial").tempdir_in(folder)?;
    let copy = work.path().join("catalog.sqlite");
    copy_to(&connect(path)?, path, &copy)?;
    fs_err::set_permissions(&copy, fs_err::metadata(path)?.permissions())?;
    fs_err::rename(&copy, kept)?;
    Ok(())
}

/// Whether the last transaction of a file is one of the catalog's.
fn is_ancestor(kept: &Path, path: &Path, current: &Connection) -> Result<bool, CatalogError> {
    let last = "SELECT number, snapshot FROM dbag_transaction ORDER BY number DESC LIMIT 1";
    // What is no catalog at all is no ancestor either.
    let Ok(kept) = connect(kept) else { return Ok(false) };
    let last: rusqlite::Result<(i64, i64)> = kept.query_row(last, (), |row| Ok((row.get(0)?, row.get(1)?)));
    let Ok(last) = last else { return Ok(false) };
    let sql = "SELECT 1 FROM dbag_transaction WHERE number = ? AND snapshot = ?";
    let found = current.query_row(sql, last, |_| Ok(())).optional();
    Ok(found.map_err(|e| sqlite(path, e))?.is_some())
}

/// Writes all that is in a catalog now to a new file, safe on disk. Others may write meanwhile.
pub(super) fn copy_to(connection: &Connection, path: &Path, target: &Path) -> Result<(), CatalogError> {
    let name = target.to_str().ok_or_else(|| CatalogError::Unwritable {
        path: target.to_owned(),
        reason: "its path is not UTF-8".into(),
    })?;
    connection.execute("VACUUM INTO ?", [name]).map_err(|e| sqlite(path, e))?;
    fs_err::File::open(target)?.sync_all()?;
    Ok(())
}

/// Brings a layout of format 1 to format 2, in a transaction of the caller's.
fn upgrade_from_1(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(SINCE_2)?;
    // In format 1 a version stood for the transaction that made its row.
    connection.execute_batch(
        "INSERT INTO dbag_version (rid, number, adopted) SELECT \"RID\", \"dbag:from\", 0 FROM main.\"deriva-ml:Dataset_Version\"",
    )?;
    Ok(())
}

/// Brings a layout of format 2 to format 3, in a transaction of the caller's.
fn upgrade_from_2(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(SINCE_3)?;
    chain_from(connection, 1)?;
    connection.pragma_update(None, "user_version", FORMAT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::NoProgress;
    use crate::catalog::{Moment, Row};
    use crate::tabular::Value;

    /// A catalog that dbag 0.1 wrote, with a past and two versions.
    fn old(folder: &Path) -> PathBuf {
        let path = folder.join("catalog.sqlite");
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/format-1/catalog.sqlite");
        fs_err::copy(fixture, &path).unwrap();
        path
    }

    /// The rows of tables that both formats have, at every change of the old one.
    fn past(path: &Path, tables: &[&str]) -> Vec<Vec<Row>> {
        let connection = Connection::open(path).unwrap();
        let mut past = Vec::new();
        for number in 1..=10 {
            for table in tables {
                let columns: Vec<String> = {
                    // Those of format 1.
                    let fixture = Connection::open(kept_or(path)).unwrap();
                    let mut statement = fixture.prepare("SELECT name FROM pragma_table_info(?)").unwrap();
                    statement
                        .query_map([table], |row| row.get::<_, String>(0))
                        .unwrap()
                        .map(Result::unwrap)
                        .collect()
                };
                let names: Vec<String> = columns
                    .iter()
                    .map(|name| format!("{name:?}"))
                    .filter(|name| name != "\"dbag:from\"")
                    .collect();
                let names = names.join(", ");
                let sql = format!(
                    "SELECT {names} FROM \"{table}\" WHERE \"dbag:from\" <= {number} UNION ALL SELECT {names} FROM \"{table}@history\" \
                     WHERE \"dbag:from\" <= {number} AND \"dbag:to\" > {number} ORDER BY \"RID\""
                );
                let mut statement = connection.prepare(&sql).unwrap();
                let count = statement.column_count();
                let rows = statement.query_map((), |row| {
                    (0..count)
                        .map(|at| {
                            Ok(row
                                .get::<_, Option<rusqlite::types::Value>>(at)?
                                .map_or(Value::Null, |v| Value::Text(format!("{v:?}"))))
                        })
                        .collect::<rusqlite::Result<Row>>()
                });
                past.push(rows.unwrap().map(Result::unwrap).collect());
            }
        }
        past
    }

    fn kept_or(path: &Path) -> PathBuf {
        let kept = kept_path(path, 1);
        if kept.exists() { kept } else { path.to_owned() }
    }

    const TABLES: [&str; 6] = [
        "domain:Label",
        "domain:Image",
        "domain:Dataset_Image",
        "domain:Dataset_Label",
        "deriva-ml:Dataset",
        "deriva-ml:Dataset_Version",
    ];

    #[test]
    fn an_upgrade_changes_no_row_at_any_time_and_can_be_undone() {
        let folder = tempfile::tempdir().unwrap();
        let path = old(folder.path());
        let (before, bytes) = (past(&path, &TABLES), fs_err::read(&path).unwrap());
        assert!(matches!(
            Catalog::open(&path, Clock::System),
            Err(CatalogError::OlderFormat { found: 1, .. })
        ));
        for _ in 0..2 {
            let upgrade = Catalog::upgrade(&path).unwrap().unwrap();
            assert_eq!((upgrade.from, upgrade.to), (1, FORMAT));
            assert_eq!(Catalog::upgrade(&path).unwrap(), None);
            assert_eq!(past(&path, &TABLES), before);
            let mut catalog = Catalog::open(&path, Clock::System).unwrap();
            assert_eq!(catalog.check(&NoProgress).unwrap().faults, []);
            let version: Moment = "digits@1.0.0".parse().unwrap();
            assert_eq!(catalog.number_at(&version).unwrap(), 7);
            assert_eq!(catalog.transactions(1).unwrap()[0].command, COMMAND);
            drop(catalog);
            assert_eq!(Catalog::undo_upgrade(&path, false).unwrap().to, 1);
            assert_eq!(past(&path, &TABLES), before);
            assert!(!upgrade.kept.exists());
            assert!(matches!(Catalog::undo_upgrade(&path, false), Err(CatalogError::NoUpgrade(_))));
        }
        assert_eq!(bytes.len(), fs_err::read(&path).unwrap().len());
    }

    #[test]
    fn each_older_format_is_upgraded_and_its_log_chained() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.sqlite");
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/format-2/catalog.sqlite");
        fs_err::copy(fixture, &path).unwrap();
        for _ in 0..2 {
            let upgrade = Catalog::upgrade(&path).unwrap().unwrap();
            assert_eq!((upgrade.from, upgrade.to), (2, FORMAT));
            let mut catalog = Catalog::open(&path, Clock::System).unwrap();
            assert_eq!(catalog.check(&NoProgress).unwrap().faults, []);
            let number = |version: &str| catalog.number_at(&version.parse().unwrap()).unwrap();
            assert_eq!((number("people@1.0.0"), number("people@1.1.0")), (6, 10));
            drop(catalog);
            assert_eq!(Catalog::undo_upgrade(&path, false).unwrap().to, 2);
        }
    }

    #[test]
    fn changes_since_the_upgrade_are_lost_only_on_request() {
        let folder = tempfile::tempdir().unwrap();
        let path = old(folder.path());
        Catalog::upgrade(&path).unwrap();
        let mut catalog = Catalog::open(&path, Clock::System).unwrap();
        catalog.create_dataset(&"more".parse().unwrap(), "").unwrap();
        drop(catalog);
        assert!(matches!(Catalog::undo_upgrade(&path, false), Err(CatalogError::ChangedSince(_))));
        assert_eq!(Catalog::open(&path, Clock::System).unwrap().datasets().unwrap().len(), 2);
        Catalog::undo_upgrade(&path, true).unwrap();
        assert_eq!(Catalog::upgrade(&path).unwrap().unwrap().from, 1);
        assert_eq!(Catalog::open(&path, Clock::System).unwrap().datasets().unwrap().len(), 1);
    }

    #[test]
    fn what_an_interrupted_upgrade_kept_is_no_hindrance_and_what_is_another_s_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = old(folder.path());
        let kept = kept_path(&path, 1);
        fs_err::copy(&path, &kept).unwrap();
        assert!(Catalog::upgrade(&path).unwrap().is_some());
        Catalog::undo_upgrade(&path, false).unwrap();
        fs_err::write(&kept, "something else").unwrap();
        assert!(matches!(Catalog::upgrade(&path), Err(CatalogError::Exists(_))));
        assert_eq!(fs_err::read_to_string(&kept).unwrap(), "something else");
        assert!(matches!(Catalog::open(&path, Clock::System), Err(CatalogError::OlderFormat { .. })));
    }
}
