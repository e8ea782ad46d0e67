//! Releases and their numbers, requirements, and the log of a dataset, as typed.

use serde_json::json;

use crate::datasets::{lab, rows, scans};

#[test]
fn a_candidate_is_released_promoted_and_found_by_requirement() {
    let sandbox = scans();
    let release = |more: &[&str]| lab(&sandbox, &[&["release", "scans", "-m", "a note"], more].concat());
    release(&["--major", "--pre", "rc"]).expect(0);
    assert_eq!(release(&["--major", "--json"]).expect(0).json()["version"], "1.0.0");
    release(&["--major"]).expect(2).says(&["nothing in dataset scans has changed since 1.0.0"]);
    lab(&sandbox, &["dataset", "remove", "scans", "--table", "Scan", "--where", "site = 'N'"]).expect(0);
    let dry = release(&["--auto", "--dry-run", "--json"]).expect(0).json();
    assert_eq!((&dry["version"], &dry["bump"]), (&json!("2.0.0"), &json!("major")));
    assert_eq!(dry["reasons"], json!(["30 members removed"]));
    assert_eq!(dry["dry_run"], true);
    release(&["--as", "0.9.0"]).expect(2).says(&["goes backwards", "1.0.0"]);
    release(&["--as", "1.1.0+build"]).expect(2);
    release(&["--minor", "--pre", "final"]).expect(2);
    release(&["--as", "1.1.0"]).expect(0);

    let count = "SELECT count(*) FROM Scan";
    for (which, members) in [("scans@^1", 60), ("scans@1.0.0", 90), ("scans@<1.1", 90), ("scans@latest", 60)]
    {
        assert_eq!(rows(&sandbox, &["query", which, count]), json!([[members]]), "{which}");
    }
    assert_eq!(rows(&sandbox, &["at", "scans@~1.0", count]), json!([[90]]));
    lab(&sandbox, &["query", "scans@^2", count])
        .expect(2)
        .says(&["^2", "versions: 1.0.0-rc.1, 1.0.0, 1.1.0"]);
    lab(&sandbox, &["query", "scans@1", count]).expect(2);
    let export = lab(&sandbox, &["export", "scans@^1", "--json"]).expect(0).json();
    assert_eq!((&export["reference"], &export["output"]), (&json!("scans@1.1.0"), &json!("scans-1.1.0.zip")));
}

#[test]
fn the_log_of_a_dataset_tells_its_versions_and_what_it_is_now() {
    let sandbox = scans();
    lab(&sandbox, &["log", "scans"]).expect(0).stdout.contains("never released").then_some(()).unwrap();
    lab(&sandbox, &["dataset", "create", "study"]).expect(0);
    lab(&sandbox, &["dataset", "nest", "study", "scans"]).expect(0);
    let refused = lab(&sandbox, &["release", "study", "--minor", "-m", "one"]).expect(2);
    assert!(refused.stderr.contains("--with-nested"), "{refused:?}");
    refused.says(&["scans was never released"]);
    let release = ["release", "study", "--minor", "--with-nested", "-m", "one", "--json"];
    let release = lab(&sandbox, &release).expect(0).json();
    assert_eq!(release["with"][0]["reference"], "scans@0.1.0");
    assert_eq!(release["nested"][0]["version"], "0.1.0");
    lab(&sandbox, &["dataset", "describe", "scans", "Others"]).expect(0);
    lab(&sandbox, &["dataset", "types", "scans", "--add", "Labeled"]).expect(0);
    for dataset in ["scans", "study"] {
        let log = lab(&sandbox, &["log", dataset, "--json"]).expect(0).json();
        assert_eq!(log["label"], "0.1.0.post1.dev2");
        let show = lab(&sandbox, &["dataset", "show", dataset, "--json"]).expect(0).json();
        assert_eq!(show["label"], log["label"]);
    }
    let log = lab(&sandbox, &["log", "study", "--json"]).expect(0).json();
    assert_eq!(log["versions"][0]["nested"][0]["name"], "scans");
    assert_eq!(log["versions"][0]["note"], "one");
    assert_eq!(log["versions"][0]["actor"], "tester");
    assert_eq!(log["versions"][0]["log"], release["log"]);
    let text = lab(&sandbox, &["log", "study"]).expect(0).stdout;
    assert!(text.starts_with("0.1.0.post1.dev2  not released"), "{text}");
    assert!(text.contains("nested scans@0.1.0"), "{text}");
    let scans = lab(&sandbox, &["log", "scans", "--json"]).expect(0).json();
    assert_eq!(scans["versions"][0]["members"], json!([{"table": "Scan", "rows": 90}]));
    lab(&sandbox, &["log", "scan"]).expect(2).says(&["no dataset \"scan\""]);
}
