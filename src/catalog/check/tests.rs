//! A catalog with a past, damaged by hand in each way; and what the check says.

use super::*;
use crate::bag::NoProgress;
use crate::catalog::{Clock, CreateOptions};
use crate::model::{Column, ColumnType, RidPrefix, Table};
use crate::tabular::Value;

/// Rows of `Subject` with a past, of `Scan` that refer to them, and a dataset.
fn catalog(folder: &std::path::Path) -> Catalog {
    let options = CreateOptions { rid_prefix: RidPrefix::parse("7WXY"), ..CreateOptions::default() };
    let mut catalog = Catalog::create(&folder.join("catalog.sqlite"), &options).unwrap();
    let put = |change: &mut Change<'_>| -> Result<Vec<String>, CatalogError> {
        let mut subject = Table::new("domain", "Subject", "");
        subject.column_definitions.push(Column::new("name", ColumnType::new("text")).required());
        subject.add_key(&["name"]);
        change.put_table(subject.clone())?;
        let mut scan = Table::new("domain", "Scan", "");
        scan.column_definitions.push(Column::new("Subject", ColumnType::new("text")));
        scan.add_foreign_key("Subject", "domain", "Subject", "RID");
        change.put_table(scan.clone())?;
        let (subjects, scans) = (change.writer(&subject)?, change.writer(&scan)?);
        let mut rids = Vec::new();
        for name in ["ann", "ben", "cem"] {
            let rid = change.insert(&subjects, &[Value::Text(name.into())])?;
            change.insert(&scans, &[Value::Text(rid.to_string())])?;
            rids.push(rid.to_string());
        }
        Ok(rids)
    };
    let rids = catalog.change("dbag test", put).unwrap();
    for name in ["Ann", "Anne"] {
        let rename = |change: &mut Change<'_>| {
            let writer = change.writer(&change.table("Subject")?)?;
            change.update(&writer, &rids[0], &[Value::Text(name.into())])
        };
        catalog.change("dbag test", rename).unwrap();
    }
    catalog.create_dataset(&"people".parse().unwrap(), "").unwrap();
    catalog
}

/// What the check says of a catalog after this SQL: code, place, message.
fn damaged(sql: &str) -> Vec<(&'static str, String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = catalog(folder.path());
    catalog.connection.execute_batch(sql).unwrap();
    let report = catalog.check(&NoProgress).unwrap();
    report.faults.into_iter().map(|fault| (fault.code, fault.place, fault.message)).collect()
}

#[test]
fn a_catalog_with_a_past_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = catalog(folder.path());
    let report = catalog.check(&NoProgress).unwrap();
    assert_eq!(report.faults, []);
    assert_eq!((report.past_rows, report.transactions), (2, 5));
    assert!(report.tables > 10 && report.rows > 6, "{report:?}");
}

#[test]
fn each_damage_is_found_and_told_where_it_is() {
    let subject = "\"domain:Subject\"";
    let cases: &[(&str, String, &str, &str)] = &[
        ("E402", "UPDATE dbag_model SET json = '{' WHERE number = 1".into(), "the model since change 1", "can't be read"),
        ("E403", "UPDATE dbag_model SET json = replace(json, '\"column_name\":\"name\"', '\"column_name\":\"nam\"'), number = number; \
                  UPDATE dbag_model SET json = replace(json, '\"unique_columns\":[\"name\"]', '\"unique_columns\":[\"nam\"]')".into(),
         "the model since change 2", "which the table has not"),
        ("E404", "DROP TABLE \"domain:Scan@history\"".into(), "domain:Scan", "no SQL table \"domain:Scan@history\""),
        ("E404", "DROP INDEX \"domain:Scan by Subject\"; ALTER TABLE \"domain:Scan\" DROP COLUMN \"Subject\"".into(), "domain:Scan", "no column \"Subject\""),
        ("W405", "DROP INDEX \"domain:Scan by Subject\"".into(), "domain:Scan", "no index \"domain:Scan by Subject\""),
        ("E406", format!("DROP INDEX \"domain:Subject key name\"; UPDATE {subject} SET name = 'x'"), "domain:Subject 7WXY-", "2 more have the same name"),
        ("W407", format!("UPDATE {subject} SET name = NULL WHERE name = 'ben'"), "domain:Subject.name", "no value in 1 rows"),
        ("E408", format!("UPDATE \"domain:Scan\" SET RID = (SELECT RID FROM {subject} WHERE name = 'ben') WHERE RID = (SELECT max(RID) FROM \"domain:Scan\")"),
         "7WXY-", "several rows, in domain:S"),
        ("E409", "UPDATE dbag_meta SET value = 3 WHERE key = 'next_rid'".into(), "7WXY-", "given already"),
        ("E410", "UPDATE dbag_dataset SET rid = '9-9999'".into(), "dataset people", "has the RID 9-9999"),
        ("W411", "UPDATE \"domain:Scan\" SET Subject = '9-9999'".into(), "domain:Scan.Subject", "from 3"),
        ("E412", "DELETE FROM dbag_transaction WHERE number = 3".into(), "change 4", "comes after 2"),
        ("E413", "UPDATE dbag_transaction SET snapshot = 1 WHERE number = 4".into(), "change 4", "earlier snapshot"),
        ("E414", "INSERT INTO dbag_version (rid, number, adopted) VALUES ('1-ABCD', 77, 0)".into(), "version 1-ABCD", "change 77"),
        ("E414", "UPDATE dbag_transaction SET undoes = 4 WHERE number = 3".into(), "change 3", "takes back change 4"),
        ("E418", "UPDATE dbag_transaction SET command = 'dbag init --nicely' WHERE number = 3".into(), "change 3", "hash"),
        ("E418", "UPDATE dbag_transaction SET hash = NULL WHERE number = 3".into(), "change 3", "hash"),
        ("E415", "UPDATE dbag_transaction SET execution = '9-9999' WHERE number = 3".into(), "change 3", "no execution"),
        ("E416", "UPDATE \"domain:Subject@history\" SET \"dbag:to\" = 99 WHERE name = 'Ann'".into(), "domain:Subject 7WXY-", "to change 99, of 5"),
        ("E416", "UPDATE \"domain:Subject@history\" SET \"dbag:to\" = \"dbag:from\" WHERE name = 'Ann'".into(), "domain:Subject 7WXY-", "from change 3 to change 3"),
        ("E416", format!("UPDATE {subject} SET \"dbag:from\" = 6 WHERE name = 'ben'"), "domain:Subject 7WXY-", "since change 6, of 5"),
        ("E417", "UPDATE \"domain:Subject@history\" SET \"dbag:to\" = 4 WHERE name = 'ann'".into(), "domain:Subject 7WXY-", "two versions at change 3"),
        ("E417", format!("UPDATE {subject} SET \"dbag:from\" = 3 WHERE name = 'Anne'"), "domain:Subject 7WXY-", "two versions at change 3"),
    ];
    for (code, sql, place, message) in cases {
        let found = damaged(sql);
        let is_it = |fault: &&(&str, String, String)| {
            fault.0 == *code && fault.1.starts_with(place) && fault.2.contains(message)
        };
        assert!(found.iter().any(|fault| is_it(&fault)), "{code} {sql}: {found:#?}");
    }
}

#[test]
fn damage_of_the_file_itself_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = catalog(folder.path()).path.clone();
    let mut bytes = fs_err::read(&path).unwrap();
    // An index's page with another page's octets.
    let connection = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'domain:Subject key name'";
    let page: u32 = connection.query_row(sql, (), |row| row.get(0)).unwrap();
    let page = page as usize;
    drop(connection);
    bytes[(page - 1) * 4096..page * 4096].fill(0);
    fs_err::write(&path, bytes).unwrap();
    let report = Catalog::open(&path, Clock::System).unwrap().check(&NoProgress).unwrap();
    assert!(report.faults.iter().any(|fault| fault.code == "E401"), "{report:?}");
    assert!(!report.is_right());
}

#[test]
fn of_many_faults_some_are_told_and_the_rest_counted() {
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) \
               INSERT INTO dbag_dataset SELECT 'd' || i, '9-' || (1000 + i) FROM n";
    let found = damaged(sql);
    assert_eq!(found.len(), SHOWN);
    assert_eq!(found[SHOWN - 1].2, "and 91 more like these");
}

#[test]
fn indexes_that_are_gone_are_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = catalog(folder.path());
    let sql = "DROP INDEX \"domain:Scan by Subject\"; DROP INDEX \"domain:Subject key name\"; \
               UPDATE \"domain:Subject\" SET name = 'x'";
    catalog.connection.execute_batch(sql).unwrap();
    let report = catalog.check(&NoProgress).unwrap();
    assert!(!report.is_right() && report.faults.iter().filter(|fault| fault.mendable).count() == 2);
    assert_eq!(catalog.make_missing_indexes().unwrap(), ["domain:Scan by Subject"]);
    catalog.connection.execute_batch("UPDATE \"domain:Subject\" SET name = RID").unwrap();
    assert_eq!(catalog.make_missing_indexes().unwrap(), ["domain:Subject key name"]);
    assert_eq!(catalog.check(&NoProgress).unwrap().faults, []);
}
