//! `dbag purge`: nothing of a row is left, but that it was withdrawn.

use serde_json::json;

use crate::datasets::lab;
use crate::support::{Sandbox, tree};

const NAME: &str = "Wilhelmina Quackenbush";

/// Subjects with their scans, of which one is to be withdrawn, in a released dataset of which a bag was cut.
fn filled() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    sandbox.dbag(&["init", "lab"]).expect(0);
    sandbox.write("subjects.csv", format!("code,name\nP1,{NAME}\nP2,Ben\n"));
    lab(&sandbox, &["import", "../subjects.csv", "--table", "Subject", "--key", "code"]).expect(0);
    sandbox.write("scans/one.bin", format!("scan of {NAME}"));
    sandbox.write("scans/two.bin", "scan of Ben");
    lab(&sandbox, &["import", "../scans", "--table", "Scan"]).expect(0);
    lab(&sandbox, &["dataset", "create", "people"]).expect(0);
    for table in ["Subject", "Scan"] {
        lab(&sandbox, &["dataset", "add", "people", "--table", table]).expect(0);
    }
    let rid = rid(&sandbox, "Subject", "code = 'P1'");
    // It is in history too, and in what was typed.
    lab(&sandbox, &["table", "set", &rid, &format!("name={NAME} Smith")]).expect(0);
    lab(&sandbox, &["release", "people", "--major", "-m", "first"]).expect(0);
    lab(&sandbox, &["export", "people@1.0.0", "-o", "../old.zip"]).expect(0);
    (sandbox, rid)
}

fn rid(sandbox: &Sandbox, table: &str, condition: &str) -> String {
    let sql = format!("SELECT RID FROM {table} WHERE {condition}");
    let rows = lab(sandbox, &["at", "now", &sql, "--json"]).expect(0).json()["rows"].clone();
    rows[0][0].as_str().unwrap().to_owned()
}

/// The files below `.dbag` that hold a text.
fn holding(sandbox: &Sandbox, text: &str) -> Vec<String> {
    let files = tree(&sandbox.path("lab/.dbag"));
    let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    files.into_iter().filter(|(_, bytes)| holds(bytes)).map(|(name, _)| name).collect()
}

#[test]
fn no_octet_of_it_is_left_and_its_versions_and_bags_are_named() {
    let (sandbox, subject) = filled();
    let scan = rid(&sandbox, "Scan", "Filename = 'one.bin'");
    assert!(holding(&sandbox, NAME).len() > 1);
    let planned = lab(&sandbox, &["purge", &subject, &scan, "--dry-run", "--json"]).expect(0).json();
    lab(&sandbox, &["purge", &subject, &scan, "--reason", "asked for"])
        .expect(2)
        .says(&["can't be undone", "--yes"]);
    assert!(holding(&sandbox, NAME).len() > 1);
    let purge = ["purge", &subject, &scan, "--reason", "consent withdrawn", "--yes", "--json"];
    let report = lab(&sandbox, &purge).expect(0).json();
    for same in ["rows", "tables", "versions", "commands", "objects", "bags"] {
        assert_eq!(report[same], planned[same], "{same}");
    }
    assert_eq!(report["versions"], json!(["people@1.0.0"]));
    assert!(report["bags"][0]["places"][0].as_str().unwrap().ends_with("old.zip"));
    assert_eq!(report["objects"].as_array().unwrap().len(), 1);
    assert_eq!(holding(&sandbox, NAME), Vec::<String>::new());
    lab(&sandbox, &["fsck", "--deep"]).expect(0);
    let list = lab(&sandbox, &["purge", "--list", "--json"]).expect(0).json()["withdrawn"].clone();
    assert!(list.as_array().unwrap().iter().all(|one| one["reason"] == "consent withdrawn"));
    let log = lab(&sandbox, &["log"]).expect(0).stdout;
    assert!(
        log.contains("(withdrawn)") && log.contains("dbag purge") && !log.contains("Quackenbush"),
        "{log}"
    );
    // The version is exported without it, and says so.
    lab(&sandbox, &["export", "people@1.0.0", "-o", "../new.zip"]).expect(0);
    sandbox.dbag(&["verify", "new.zip"]).expect(0);
    let bag = dbag::bag::Bag::open(&sandbox.path("new.zip")).unwrap();
    assert!(bag.info().get("Dbag-Withdrawn").is_some());
    let status = lab(&sandbox, &["status", "people"]).expect(0).stdout;
    assert!(status.contains("withdrawn"), "{status}");
    lab(&sandbox, &["release", "people", "--patch", "-m", "without"]).expect(0);
    // An old bag does not bring it back.
    let imported = lab(&sandbox, &["import", "../old.zip", "--json"]).expect(0).json();
    let withdrawn: u64 =
        imported["tables"].as_array().unwrap().iter().map(|table| table["withdrawn"].as_u64().unwrap()).sum();
    assert!(withdrawn > 1, "{imported}");
    let names = lab(&sandbox, &["at", "now", "SELECT name FROM Subject", "--json"]).expect(0).json();
    assert_eq!(names["rows"], json!([["Ben"]]));
}

#[test]
fn a_stopped_purge_is_ended_by_the_next() {
    let (sandbox, subject) = filled();
    let file = rusqlite::Connection::open(sandbox.path("lab/.dbag/catalog.sqlite")).unwrap();
    file.execute("INSERT INTO dbag_meta VALUES ('purge', '[]')", ()).unwrap();
    drop(file);
    lab(&sandbox, &["fsck"]).expect(0).stdout.contains("W419").then_some(()).unwrap();
    assert_eq!(lab(&sandbox, &["purge", "--finish"]).expect(0).stdout, "The purge is done\n");
    assert_eq!(lab(&sandbox, &["purge", "--finish"]).expect(0).stdout, "There is no purge to finish\n");
    lab(&sandbox, &["purge", &subject, "--reason", "x", "--yes"]).expect(0);
    lab(&sandbox, &["purge", &subject, "--reason", "x", "--yes"]).expect(2).says(&["already"]);
    lab(&sandbox, &["purge", "9-9999", "--reason", "x", "--yes"]).expect(2).says(&["9-9999"]);
    lab(&sandbox, &["purge", "--reason", "x"]).expect(2).says(&["say which rows"]);
    lab(&sandbox, &["undo"]).expect(2).says(&["for good"]);
}
