//! `dbag import` of folders: patterns, metadata, files in place.

use serde_json::{Value, json};

use crate::support::{Output, Sandbox, tree};

fn lab() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.dbag(&["init", "lab"]).expect(0);
    for (subject, visit) in [("S1", 1), ("S1", 2), ("S2", 1)] {
        sandbox.write(&format!("scans/{subject}/{visit}/eye.png"), format!("{subject} {visit}"));
    }
    sandbox
}

fn import(sandbox: &Sandbox, more: &[&str]) -> Output {
    let path = sandbox.path("scans");
    let arguments = [&["import", path.to_str().unwrap(), "--table", "Scan"][..], more].concat();
    sandbox.dbag_in("lab", &arguments)
}

fn release(sandbox: &Sandbox) -> String {
    sandbox.dbag_in("lab", &["dataset", "create", "d"]);
    sandbox.dbag_in("lab", &["dataset", "add", "d", "--table", "Scan"]).expect(0);
    let release = sandbox.dbag_in("lab", &["release", "d", "--minor", "-m", "x", "--json"]).expect(0).json();
    release["reference"].as_str().unwrap().to_owned()
}

fn rows(sandbox: &Sandbox, sql: &str) -> Value {
    let reference = release(sandbox);
    sandbox.dbag_in("lab", &["query", &reference, sql, "--json"]).expect(0).json()["rows"].clone()
}

const PATTERN: [&str; 2] = ["--pattern", "{subject}/{visit}/{name}.png"];

#[test]
fn a_pattern_makes_columns_of_paths() {
    let sandbox = lab();
    let report = import(&sandbox, &[&PATTERN[..], &["--json"]].concat()).expect(0).json();
    let kinds: Vec<&str> =
        report["columns"].as_array().unwrap().iter().map(|column| column["type"].as_str().unwrap()).collect();
    assert_eq!(kinds[kinds.len() - 3..], ["text", "int8", "text"]);
    assert_eq!(
        rows(&sandbox, "SELECT subject, visit, name, Filename FROM Scan ORDER BY Path"),
        json!([["S1", 1, "eye", "eye.png"], ["S1", 2, "eye", "eye.png"], ["S2", 1, "eye", "eye.png"]])
    );
    let before = tree(&sandbox.path("lab"));
    assert_eq!(import(&sandbox, &[&PATTERN[..], &["--json"]].concat()).expect(0).json()["unchanged"], 3);
    assert!(tree(&sandbox.path("lab")) == before);
}

#[test]
fn files_that_do_not_fit_the_pattern_are_told_or_kept_aside() {
    let sandbox = lab();
    sandbox.write("scans/notes.txt", "x");
    let before = tree(&sandbox.path("lab"));
    import(&sandbox, &PATTERN).expect(1).says(&["notes.txt", "pattern"]);
    assert!(tree(&sandbox.path("lab")) == before);
    let aside = sandbox.path("bad.csv");
    let more = [&PATTERN[..], &["--skip-bad", aside.to_str().unwrap(), "--json"]].concat();
    let report = import(&sandbox, &more).expect(0).json();
    assert_eq!((report["added"].as_u64(), report["bad"].as_u64()), (Some(3), Some(1)));
    assert!(fs_err::read_to_string(&aside).unwrap().contains("\nnotes.txt,"));
    for (pattern, part) in [("{subject}{visit}", "side by side"), ("/x", "'/'"), ("{a", "closed")] {
        let output = import(&sandbox, &["--pattern", pattern]).expect(2);
        assert!(output.stderr.contains(part), "{output:?}");
    }
    let clash = ["--pattern", "{Path}/{b}/{c}.png"];
    let sandbox = lab();
    import(&sandbox, &clash).expect(1).says(&["\"Path\""]);
}

#[test]
fn a_file_of_metadata_makes_columns_that_may_refer_elsewhere() {
    let sandbox = lab();
    sandbox.write("subjects.csv", "id\nS1\nS2\n");
    let subjects = sandbox.path("subjects.csv");
    sandbox
        .dbag_in("lab", &["import", subjects.to_str().unwrap(), "--table", "Subject", "--key", "id"])
        .expect(0);
    sandbox.write("meta.csv", "path,grade,Description\nS1/1/eye.png,3,left\nS2/1/eye.png,NA,\n");
    let meta = sandbox.path("meta.csv");
    let more = [
        &PATTERN[..],
        &["--metadata", meta.to_str().unwrap(), "--null", "NA", "--references", "subject=Subject", "--json"],
    ]
    .concat();
    let report = import(&sandbox, &more).expect(0).json();
    assert!(report["notes"][0].as_str().unwrap().contains("1 files have no row"), "{report}");
    assert_eq!(
        rows(&sandbox, "SELECT subject, grade, Description FROM Scan ORDER BY Path"),
        json!([["S1", 3, "left"], ["S1", null, null], ["S2", null, null]])
    );
    // Other metadata are other values, which take --update.
    sandbox.write("meta.csv", "path,grade\nS1/2/eye.png,5\n");
    let more = ["--metadata", meta.to_str().unwrap()];
    import(&sandbox, &more).expect(1).says(&["S1/2/eye.png", "--update"]);
    assert_eq!(
        import(&sandbox, &[&more[..], &["--update", "--json"]].concat()).expect(0).json()["updated"],
        1
    );
    assert_eq!(
        rows(&sandbox, "SELECT grade, Description FROM Scan ORDER BY Path"),
        json!([[3, "left"], [5, null], [null, null]])
    );
    sandbox.write("scans/S9/1/eye.png", "x");
    import(&sandbox, &PATTERN).expect(1).says(&["S9/1/eye.png", "\"subject\"", "Subject"]);
}

#[test]
fn metadata_that_fit_no_file_or_several_are_refused() {
    let sandbox = lab();
    let meta = sandbox.path("meta.csv");
    let more = ["--metadata", meta.to_str().unwrap()];
    for (text, code, parts) in [
        ("file,n\nno.png,1\n", 1, &["line 2", "no.png"][..]),
        ("file,n\neye.png,1\n", 1, &["line 2", "3 files", "path"]),
        ("which,n\nS1/1/eye.png,1\n", 2, &["which, n"]),
        ("file,MD5\nS1/1/eye.png,1\n", 1, &["\"MD5\""]),
        ("file,n\nS1/1/eye.png,1\nS1/1/eye.png,2\n", 1, &["line 3", "line 2"]),
    ] {
        sandbox.write("meta.csv", text);
        import(&sandbox, &more).expect(code).says(parts);
    }
    import(&sandbox, &["--key", "a"]).expect(2).says(&["--key"]);
    sandbox.write("t.csv", "a\n1\n");
    let path = sandbox.path("t.csv");
    sandbox
        .dbag_in("lab", &["import", path.to_str().unwrap(), "--table", "T", "--in-place"])
        .expect(2)
        .says(&["--in-place"]);
}

#[test]
fn files_in_place_are_not_copied_and_are_checked_when_they_are_used() {
    let sandbox = lab();
    assert_eq!(import(&sandbox, &["--in-place", "--json"]).expect(0).json()["added"], 3);
    assert!(!sandbox.path("lab/.dbag/objects").exists());
    let reference = release(&sandbox);
    let site = sandbox.path("site");
    let publish = || sandbox.dbag_in("lab", &["publish", &reference, "--to", site.to_str().unwrap()]);
    let export = |name: &str| sandbox.dbag_in("lab", &["export", &reference, "-o", name]);
    export("whole.zip").expect(0);
    publish().expect(0);
    sandbox.dbag_in("lab", &["verify", "whole.zip"]).expect(0);
    // The same length, other bytes: only hashing tells.
    sandbox.write("scans/S1/1/eye.png", "S9 9");
    export("changed.zip").expect(1).says(&["S1/1/eye.png", "has changed"]);
    assert!(!sandbox.path("lab/changed.zip").exists());
    fs_err::remove_dir_all(&site).unwrap();
    publish().expect(1).says(&["S1/1/eye.png", "has changed"]);
    sandbox.write("scans/S1/1/eye.png", "longer than before");
    export("changed.zip").expect(1).says(&["S1/1/eye.png", "18 bytes, then 4"]);
    fs_err::remove_file(sandbox.path("scans/S1/1/eye.png")).unwrap();
    export("gone.zip").expect(1).says(&["S1/1/eye.png", "gone"]);
    // Brought into the workspace, they need their place no more.
    sandbox.write("scans/S1/1/eye.png", "S1 1");
    assert_eq!(import(&sandbox, &["--json"]).expect(0).json()["unchanged"], 3);
    fs_err::remove_dir_all(sandbox.path("scans")).unwrap();
    export("again.zip").expect(0);
}

#[test]
fn files_are_inputs_of_the_import() {
    let sandbox = lab();
    import(&sandbox, &[]).expect(0);
    let tables = sandbox.dbag_in("lab", &["import", "nothing", "--table", "Scan_Execution"]);
    tables.expect(2);
    let path = sandbox.path("lab/.dbag/catalog.sqlite");
    let catalog = rusqlite::Connection::open(path).unwrap();
    let sql = "SELECT count(*), min(u.Asset_Role), max(e.Description) FROM \"domain:Scan_Execution\" u \
               JOIN \"deriva-ml:Execution\" e ON e.RID = u.Execution JOIN \"domain:Scan\" s ON s.RID = u.Scan";
    let found: (i64, String, String) =
        catalog.query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert_eq!((found.0, found.1.as_str()), (3, "Input"));
    assert!(found.2.starts_with("dbag import"), "{}", found.2);
}
