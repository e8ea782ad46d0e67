//! Several writers, read-only places, journals and leases.

use std::time::{Duration, SystemTime};

use crate::catalog::{Catalog, CatalogError, Clock, CreateOptions, JournalMode};
use crate::model::{Column, ColumnType, Table};
use crate::tabular::Value;

fn new_in(folder: &std::path::Path) -> Catalog {
    let mut catalog = Catalog::create(&folder.join("catalog.sqlite"), &CreateOptions::default()).unwrap();
    catalog
        .change("dbag test", |change| {
            let mut table = Table::new("domain", "T", "");
            table.column_definitions.push(Column::new("a", ColumnType::new("text")));
            change.put_table(table)
        })
        .unwrap();
    catalog
}

fn insert(catalog: &mut Catalog) -> Result<(), CatalogError> {
    catalog.change("dbag test", |change| {
        let writer = change.writer(&change.table("T")?)?;
        change.insert(&writer, &[Value::Text("x".into())]).map(drop)
    })
}

fn mode(catalog: &Catalog) -> String {
    catalog.connection.query_row("PRAGMA journal_mode", (), |row| row.get(0)).unwrap()
}

fn rows(catalog: &Catalog) -> u64 {
    catalog.count(&catalog.table("T").unwrap()).unwrap()
}

#[test]
fn the_journal_is_as_it_was_asked_for_from_the_next_change_on() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = Catalog::create(&folder.path().join("fresh.sqlite"), &CreateOptions::default()).unwrap();
    assert_eq!(mode(&fresh), "wal");
    let path = fresh.path().to_owned();
    drop(fresh);
    fs_err::remove_file(path).unwrap();
    let mut catalog = new_in(folder.path());
    assert_eq!(mode(&catalog), "wal");
    catalog.set_journal(JournalMode::Rollback);
    insert(&mut catalog).unwrap();
    assert_eq!(mode(&catalog), "delete");
    catalog.set_journal(JournalMode::Auto);
    insert(&mut catalog).unwrap();
    assert_eq!(mode(&catalog), "wal");
    // A large change goes past the log, and leaves the file in the mode with one.
    catalog.foresee(64 << 20);
    let within = catalog.change("dbag test", |change| {
        let mode = change.transaction.query_row("PRAGMA journal_mode", (), |row| row.get::<_, String>(0));
        Ok::<_, CatalogError>(mode.unwrap())
    });
    assert_eq!(within.unwrap(), "delete");
    insert(&mut catalog).unwrap();
    assert_eq!((mode(&catalog).as_str(), rows(&catalog)), ("wal", 3));
    // Not where another one has it open.
    let other = Catalog::open(catalog.path(), Clock::System).unwrap();
    assert_eq!(rows(&other), 3);
    catalog.foresee(64 << 20);
    insert(&mut catalog).unwrap();
    assert_eq!((mode(&catalog).as_str(), rows(&other)), ("wal", 4));
    drop((catalog, other));
    let left: Vec<_> = fs_err::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["catalog.sqlite"]);
}

#[test]
fn one_writes_at_a_time_by_lease_and_the_other_is_told_who() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = new_in(folder.path());
    catalog.set_journal(JournalMode::Rollback);
    insert(&mut catalog).unwrap();
    let mut other = Catalog::open(catalog.path(), Clock::System).unwrap();
    for catalog in [&mut catalog, &mut other] {
        catalog.set_journal(JournalMode::Rollback);
        catalog.patience = Duration::from_millis(1500);
    }
    let notes = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = std::sync::Arc::clone(&notes);
    other.on_note(move |note| kept.lock().unwrap().push(note.to_owned()));
    let lease = folder.path().join("writer");
    assert!(!lease.exists());
    let refused = catalog.change("dbag test", |_| {
        assert!(lease.is_file());
        Ok::<_, CatalogError>(insert(&mut other).unwrap_err())
    });
    let error = refused.unwrap().to_string();
    assert!(error.contains(&format!("process {} on ", std::process::id())), "{error}");
    assert!(notes.lock().unwrap()[0].starts_with("waiting for process "), "{notes:?}");
    assert!(!lease.exists());
    insert(&mut other).unwrap();

    // One of another machine is respected for two minutes.
    let mut elsewhere = serde_json::to_value(crate::claim::Owner::new()).unwrap();
    elsewhere["host"] = "node7".into();
    fs_err::write(&lease, elsewhere.to_string()).unwrap();
    let error = insert(&mut catalog).unwrap_err().to_string();
    assert!(error.contains(" on node7 has been writing"), "{error}");
    let file = fs_err::OpenOptions::new().append(true).open(&lease).unwrap();
    file.file().set_modified(SystemTime::now() - Duration::from_secs(130)).unwrap();
    insert(&mut catalog).unwrap();
    assert_eq!(rows(&catalog), 3);
}

#[test]
fn a_log_that_another_still_uses_is_not_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = new_in(folder.path());
    let reader = Catalog::open(catalog.path(), Clock::System).unwrap();
    catalog.set_journal(JournalMode::Rollback);
    catalog.patience = Duration::from_millis(300);
    assert!(matches!(insert(&mut catalog), Err(CatalogError::Busy(_))));
    drop(reader);
    insert(&mut catalog).unwrap();
}

#[test]
fn two_that_write_at_once_wait_for_each_other_and_lose_nothing() {
    for journal in [JournalMode::Wal, JournalMode::Rollback] {
        let folder = tempfile::tempdir().unwrap();
        let mut catalog = new_in(folder.path());
        catalog.set_journal(journal);
        insert(&mut catalog).unwrap();
        let path = catalog.path().to_owned();
        drop(catalog);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut catalog = Catalog::open(&path, Clock::System).unwrap();
                    catalog.set_journal(journal);
                    (0..20).for_each(|_| insert(&mut catalog).unwrap());
                });
            }
        });
        let mut catalog = Catalog::open(&path, Clock::System).unwrap();
        assert_eq!(rows(&catalog), 81);
        assert_eq!(catalog.check(&crate::bag::NoProgress).unwrap().faults, []);
    }
}

#[test]
fn a_reader_sees_what_was_and_never_waits_for_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = new_in(folder.path());
    let reader = Catalog::open(catalog.path(), Clock::System).unwrap();
    reader.connection.busy_timeout(Duration::ZERO).unwrap();
    catalog
        .change("dbag test", |change| {
            let writer = change.writer(&change.table("T")?)?;
            for _ in 0..20_000 {
                change.insert(&writer, &[Value::Text("x".repeat(500))])?;
            }
            assert_eq!(rows(&reader), 0);
            Ok::<_, CatalogError>(())
        })
        .unwrap();
    assert_eq!(rows(&reader), 20_000);
}
