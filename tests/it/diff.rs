//! `dbag diff` and `dbag status`: versions, bags, and one beside the other.

use serde_json::json;

use crate::datasets::lab;
use crate::support::Sandbox;

/// A dataset with a version, changed since in every way: a row, members, a column, its description.
fn changed() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.dbag(&["init", "lab"]).expect(0);
    sandbox.write("subjects.csv", "name,age\nann,41\nben,52\n");
    lab(&sandbox, &["import", "../subjects.csv", "--table", "Subject", "--key", "name"]).expect(0);
    sandbox.write("scans.csv", "scan,Subject,grade\ns1,ann,good\ns2,ben,good\ns3,ben,poor\n");
    let references = ["--key", "scan", "--references", "Subject=Subject"];
    let import = |file: &str, more: &[&str]| {
        let words = ["import", file, "--table", "Scan"];
        lab(&sandbox, &[&words[..], &references, more].concat()).expect(0);
    };
    import("../scans.csv", &[]);
    lab(&sandbox, &["dataset", "create", "scans", "-d", "Scans"]).expect(0);
    lab(&sandbox, &["dataset", "add", "scans", "--table", "Scan", "--where", "scan <> 's3'"]).expect(0);
    lab(&sandbox, &["release", "scans", "--major", "-m", "first"]).expect(0);
    lab(&sandbox, &["export", "scans@1.0.0", "-o", "../old.zip"]).expect(0);
    assert_eq!(lab(&sandbox, &["status"]).expect(0).stdout, "scans@1.0.0: nothing has changed\n");
    sandbox.write("fixed.csv", "name,age\nann,42\n");
    let update = ["import", "../fixed.csv", "--table", "Subject", "--key", "name", "--update"];
    lab(&sandbox, &update).expect(0);
    lab(&sandbox, &["dataset", "add", "scans", "--table", "Scan"]).expect(0);
    lab(&sandbox, &["table", "add-column", "Scan", "device text"]).expect(0);
    lab(&sandbox, &["dataset", "describe", "scans", "Better scans"]).expect(0);
    sandbox
}

#[test]
fn what_has_changed_is_told_by_table_with_the_bump_and_its_reason() {
    let sandbox = changed();
    let text = lab(&sandbox, &["diff", "scans@1.0.0", "scans"]).expect(0).stdout;
    for line in [
        "domain:Dataset_Scan  +1\n",
        "domain:Scan          +1\n",
        "domain:Subject       ~1\n",
        "members  +1\n",
        "column domain:Scan.device added\n",
        "described otherwise\n",
        "minor: 1 column added, 1 member added\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let text =
        lab(&sandbox, &["diff", "scans@1.0.0", "scans", "--rows", "--table", "Subject"]).expect(0).stdout;
    assert!(text.contains("~ domain:Subject ") && text.contains("    age: \"41\" -> \"42\"\n"), "{text}");
    let text = lab(&sandbox, &["diff", "scans@1.0.0", "scans", "--stat"]).expect(0).stdout;
    assert_eq!(text.lines().count(), 3, "{text}");
    let document = lab(&sandbox, &["diff", "scans", "scans@1.0.0", "--rows", "--json"]).expect(0).json();
    assert_eq!(document["members"], json!({"added": 0, "removed": 1, "changed": 0}));
    assert_eq!((&document["bump"], &document["differing_rows"]), (&json!("major"), &json!(4)));
    assert_eq!(document["rows"].as_array().unwrap().len(), 4);
    lab(&sandbox, &["diff", "scans@1.0.0", "scans", "--exit-code"]).expect(1);
    lab(&sandbox, &["diff", "scans@1.0.0", "scans@1.0.0", "--exit-code"]).expect(0);
    assert_eq!(lab(&sandbox, &["diff", "scans", "scans"]).expect(0).stdout, "Nothing differs\n");
    lab(&sandbox, &["diff", "scans@9.0.0", "scans"]).expect(2).says(&["9.0.0"]);
    lab(&sandbox, &["diff", "scans@1.0.0", "scans", "--table", "Nope"]).expect(2).says(&["Nope"]);
}

#[test]
fn bags_differ_as_the_versions_that_they_are_of() {
    let sandbox = changed();
    lab(&sandbox, &["release", "scans", "--auto", "-m", "second"]).expect(0);
    lab(&sandbox, &["export", "scans@1.1.0", "-o", "../new.zip"]).expect(0);
    let rows = |document: &serde_json::Value| -> Vec<serde_json::Value> {
        let rows = document["rows"].as_array().unwrap().iter();
        // What was done is recorded in more rows than those of the dataset.
        let own = |row: &&serde_json::Value| row["table"].as_str().unwrap().starts_with("domain:");
        rows.filter(own).cloned().collect()
    };
    let diff =
        |from: &str, to: &str| lab(&sandbox, &["diff", from, to, "--rows", "99", "--json"]).expect(0).json();
    let versions = diff("scans@1.0.0", "scans@1.1.0");
    let expected = rows(&versions);
    assert_eq!(expected.len(), 3);
    for (from, to) in
        [("../old.zip", "../new.zip"), ("scans@1.0.0", "../new.zip"), ("../old.zip", "scans@^1")]
    {
        let document = diff(from, to);
        assert_eq!(rows(&document), expected, "{from} {to}");
        for same in ["members", "bump", "reasons", "description"] {
            assert_eq!(document[same], versions[same], "{from} {to} {same}");
        }
    }
    assert_eq!(diff("../old.zip", "scans@1.0.0")["differing_rows"], 0);
    lab(&sandbox, &["diff", "../old.zip", "../new.zip", "--table", "Nope"])
        .expect(2)
        .says(&["Nope", "domain:Scan"]);
    lab(&sandbox, &["diff", "../old.zip", "../gone.zip"]).expect(2).says(&["gone.zip"]);
    sandbox.write("bad.zip", "no zip");
    lab(&sandbox, &["diff", "../bad.zip", "../new.zip"]).expect(1).says(&["bad.zip"]);
}

#[test]
fn the_status_names_the_next_version() {
    let sandbox = changed();
    let text = lab(&sandbox, &["status"]).expect(0).stdout;
    assert!(text.starts_with("scans@1.0.0: has changed (1.0.0.post1.dev"), "{text}");
    assert!(text.contains("  members  +1\n") && text.contains("  next: 1.1.0 (minor: "), "{text}");
    let status = lab(&sandbox, &["status", "scans", "--json"]).expect(0).json()["datasets"][0].clone();
    assert_eq!((&status["changed"], &status["next"]), (&json!(true), &json!("1.1.0")));
    assert_eq!(status["drift"]["members"]["added"], 1);
    // Only a row that members lead to.
    lab(&sandbox, &["release", "scans", "--auto", "-m", "second"]).expect(0);
    sandbox.write("fixed.csv", "name,age\nben,53\n");
    let update = ["import", "../fixed.csv", "--table", "Subject", "--key", "name", "--update"];
    lab(&sandbox, &update).expect(0);
    let text = lab(&sandbox, &["status", "scans"]).expect(0).stdout;
    assert!(
        text.contains("domain:Subject  ~1\n") && text.contains("next: 1.1.1 (patch: 1 row changed)"),
        "{text}"
    );
    lab(&sandbox, &["release", "scans", "--patch", "-m", "third"]).expect(0);
    lab(&sandbox, &["status", "nothing"]).expect(2).says(&["nothing"]);
    lab(&sandbox, &["dataset", "create", "new"]).expect(0);
    assert!(lab(&sandbox, &["status"]).expect(0).stdout.contains("new: not released yet\n"));
}
