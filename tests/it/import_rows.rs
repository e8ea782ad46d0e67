//! `dbag import` of files of rows: formats, keys, references, bad rows, dirty names.

use serde_json::{Value, json};

use crate::support::{Output, Sandbox, tree};

fn lab() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.dbag(&["init", "lab"]).expect(0);
    sandbox
}

fn import(sandbox: &Sandbox, path: &str, table: &str, more: &[&str]) -> Output {
    let path = sandbox.path(path);
    let arguments = [&["import", path.to_str().unwrap(), "--table", table][..], more].concat();
    sandbox.dbag_in("lab", &arguments)
}

/// What is in a table, by way of a version of a dataset of all its rows.
fn rows(sandbox: &Sandbox, table: &str, sql: &str) -> Value {
    let name = format!("of_{table}").to_lowercase();
    sandbox.dbag_in("lab", &["dataset", "create", &name]);
    sandbox.dbag_in("lab", &["dataset", "add", &name, "--table", table]).expect(0);
    let release =
        sandbox.dbag_in("lab", &["release", &name, "--minor", "-m", "x", "--json"]).expect(0).json();
    let reference = release["reference"].as_str().unwrap().to_owned();
    sandbox.dbag_in("lab", &["query", &reference, sql, "--json"]).expect(0).json()["rows"].clone()
}

fn subjects(sandbox: &Sandbox) {
    sandbox.write("subjects.csv", "subject_id,sex\nS1,f\nS2,m\n");
    import(sandbox, "subjects.csv", "Subject", &["--key", "subject_id"]).expect(0);
}

#[test]
fn tsv_json_lines_and_any_delimiter_make_the_same_table() {
    let sandbox = lab();
    sandbox.write("a.tsv", "id\tn\tok\n1\t2.5\ttrue\n2\t\tfalse\n");
    sandbox
        .write("a.jsonl", "{\"id\": 1, \"n\": 2.5, \"ok\": true}\n{\"id\": 2, \"n\": null, \"ok\": false}\n");
    sandbox.write("a.txt", "id;n;ok\n1;2.5;true\n2;NA;false\n");
    let more: [(&str, &[&str]); 3] = [
        ("a.tsv", &[]),
        ("a.jsonl", &[]),
        ("a.txt", &["--format", "csv", "--delimiter", ";", "--null", "NA"]),
    ];
    for (at, (file, more)) in more.into_iter().enumerate() {
        let table = format!("T{at}");
        import(&sandbox, file, &table, more).expect(0);
        let found = rows(&sandbox, &table, &format!("SELECT id, n, ok FROM {table} ORDER BY id"));
        assert_eq!(found, json!([[1, 2.5, 1], [2, null, 0]]), "{file}");
        // Again, whatever the format: nothing is new.
        let again = import(&sandbox, "a.tsv", &table, &["--json"]).expect(0).json();
        assert_eq!((again["added"].as_u64(), again["unchanged"].as_u64()), (Some(0), Some(2)), "{file}");
    }
    import(&sandbox, "a.txt", "U", &[]).expect(2).says(&["a.txt", "format"]);
    import(&sandbox, "a.txt", "U", &["--format", "xlsx"]).expect(2);
    import(&sandbox, "a.jsonl", "U", &["--delimiter", ";"]).expect(2).says(&["delimiter", "jsonl"]);
    import(&sandbox, "a.txt", "U", &["--format", "csv", "--delimiter", ";;"]).expect(2);
    sandbox.write("a.parquet", "no parquet");
    import(&sandbox, "a.parquet", "U", &[]).expect(1).says(&["a.parquet", "Parquet"]);
}

#[test]
fn every_bad_row_is_counted_and_the_first_are_told() {
    let sandbox = lab();
    let before = tree(&sandbox.path("lab"));
    let mut text = "id,n\n".to_owned();
    (0..60)
        .for_each(|n| text.push_str(&if n % 2 == 0 { format!("{n},x{n}\n") } else { format!("{n},{n}\n") }));
    sandbox.write("t.csv", text);
    let output = import(&sandbox, "t.csv", "T", &["--type", "n=int8"]).expect(1);
    let output = output.says(&["30 rows", "line 2, column \"n\": \"x0\""]);
    for (part, there) in [("line 2,", true), ("line 40,", true), ("line 42,", false), ("and 10 more", true)] {
        assert_eq!(output.stdout.contains(part), there, "{part}");
    }
    let error =
        import(&sandbox, "t.csv", "T", &["--type", "n=int8", "--json"]).expect(1).json()["error"].clone();
    assert_eq!((error["bad"].as_u64(), error["bad_rows"][19]["line"].as_u64()), (Some(30), Some(40)));
    assert!(tree(&sandbox.path("lab")) == before);
}

#[test]
fn bad_rows_are_kept_aside_and_come_in_once_they_are_right() {
    let sandbox = lab();
    sandbox.write("t.csv", "id,n\n1,1\n2,two\n3\n1,4\n,5\n6,6\n");
    let aside = sandbox.path("bad.csv");
    let more = ["--key", "id", "--type", "n=int8", "--skip-bad", aside.to_str().unwrap(), "--json"];
    let dry = import(&sandbox, "t.csv", "T", &[&more[..], &["--dry-run"]].concat()).expect(0).json();
    assert_eq!((dry["added"].as_u64(), dry["bad"].as_u64()), (Some(2), Some(4)));
    assert!(!aside.exists());
    let report = import(&sandbox, "t.csv", "T", &more).expect(0).json();
    assert_eq!((report["added"].as_u64(), report["bad"].as_u64()), (Some(2), Some(4)));
    let lines: Vec<u64> =
        report["bad_rows"].as_array().unwrap().iter().map(|row| row["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [3, 4, 5, 6]);
    let kept = fs_err::read_to_string(&aside).unwrap();
    assert!(kept.starts_with("dbag:line,dbag:reason,id,n\n3,"), "{kept}");
    assert!(kept.contains(",2,two\n"), "{kept}");
    assert!(kept.contains("\n5,the same key is on line 2,1,4\n"), "{kept}");
    // The file is never written over, and what was put right in it can be imported as it is.
    import(&sandbox, "t.csv", "T", &more).expect(2).says(&["bad.csv", "exists"]);
    sandbox.write("bad.csv", "dbag:line,dbag:reason,id,n\n3,x,2,2\n");
    assert_eq!(import(&sandbox, "bad.csv", "T", &["--json"]).expect(0).json()["added"], 1);
    assert_eq!(rows(&sandbox, "T", "SELECT id, n FROM T ORDER BY 1"), json!([[1, 1], [2, 2], [6, 6]]));
}

#[test]
fn a_bad_json_line_is_one_of_the_bad_rows() {
    let sandbox = lab();
    sandbox.write("t.jsonl", "{\"a\": 1}\n{\"b\": 2, \"a\": }\n{\"a\": 3}\n");
    import(&sandbox, "t.jsonl", "T", &[]).expect(1).says(&["t.jsonl, line 2:"]);
    let aside = sandbox.path("bad.csv");
    let report =
        import(&sandbox, "t.jsonl", "T", &["--skip-bad", aside.to_str().unwrap(), "--json"]).expect(0).json();
    assert_eq!((report["added"].as_u64(), report["bad"].as_u64()), (Some(2), Some(1)));
    assert_eq!(report["columns"].as_array().unwrap().len(), 1);
}

#[test]
fn references_are_checked_line_by_line() {
    let sandbox = lab();
    subjects(&sandbox);
    sandbox.write("visits.csv", "visit,subject\n1,S1\n2,S3\n3,\n");
    let before = tree(&sandbox.path("lab"));
    let declared = ["--references", "subject=Subject"];
    import(&sandbox, "visits.csv", "Visit", &declared).expect(1).says(&[
        "visits.csv, line 3, column \"subject\"",
        "Subject",
        "\"S3\"",
    ]);
    assert!(tree(&sandbox.path("lab")) == before);
    let aside = sandbox.path("bad.csv");
    let more = [&declared[..], &["--skip-bad", aside.to_str().unwrap(), "--json"]].concat();
    let report = import(&sandbox, "visits.csv", "Visit", &more).expect(0).json();
    assert_eq!((report["added"].as_u64(), report["bad"].as_u64()), (Some(2), Some(1)));
    // The reference holds for what is imported later, too.
    sandbox.write("more.csv", "visit,subject\n4,S9\n");
    import(&sandbox, "more.csv", "Visit", &[]).expect(1).says(&["line 2", "\"S9\""]);
    for (reference, parts) in [
        ("subject=Nobody", &["\"Nobody\""][..]),
        ("subject=Subject.sex", &["\"sex\"", "RID, subject_id"]),
        ("subject=Subject.weight", &["\"weight\""]),
        ("nothing=Subject", &["\"nothing\""]),
    ] {
        import(&sandbox, "visits.csv", "W", &["--references", reference]).expect(2).says(parts);
    }
    import(&sandbox, "visits.csv", "W", &["--references", "subject"]).expect(2);
    import(&sandbox, "visits.csv", "W", &["--references", "visit=Subject", "--type", "visit=int8"])
        .expect(2)
        .says(&["subject_id", "text", "int8"]);
    import(&sandbox, "visits.csv", "Visit", &["--references", "visit=Subject"])
        .expect(2)
        .says(&["Visit", "visit"]);
}

#[test]
fn a_table_may_refer_to_itself_in_any_order() {
    let sandbox = lab();
    sandbox.write("t.csv", "id,parent\n1,3\n2,1\n3,\n");
    let more = ["--key", "id", "--references", "parent=Node"];
    import(&sandbox, "t.csv", "Node", &more).expect(0);
    sandbox.write("u.csv", "id,parent\n4,9\n5,1\n");
    import(&sandbox, "u.csv", "Node", &[]).expect(1).says(&["line 2, column \"parent\"", "\"9\""]);
}

#[test]
fn proposals_are_shown_and_never_taken() {
    let sandbox = lab();
    subjects(&sandbox);
    sandbox.write("visits.csv", "visit_id,subject\n1,S1\n2,S2\n3,S1\n");
    import(&sandbox, "visits.csv", "Visit", &["--dry-run"]).expect(0);
    let dry = import(&sandbox, "visits.csv", "Visit", &["--dry-run"]).expect(0);
    for part in ["--key visit_id", "--references subject=Subject.subject_id", "S1, S2", "int8"] {
        assert!(dry.stdout.contains(part), "{part}: {}", dry.stdout);
    }
    let report = import(&sandbox, "visits.csv", "Visit", &["--json"]).expect(0).json();
    assert_eq!(report["proposed_keys"], json!(["visit_id"]));
    assert_eq!(report["proposed_references"][0]["table"], "Subject");
    // Nothing of that holds, so that a subject that is not there is taken.
    sandbox.write("more.csv", "visit_id,subject\n1,S7\n");
    import(&sandbox, "more.csv", "Visit", &[]).expect(0);
}

#[test]
fn rows_may_be_named_by_rid_to_be_updated() {
    let sandbox = lab();
    subjects(&sandbox);
    let found = rows(&sandbox, "Subject", "SELECT RID, RCT, sex FROM Subject ORDER BY subject_id");
    let rid = found[0][0].as_str().unwrap();
    sandbox.write("fix.csv", format!("RID,RCT,sex\n{rid},2026-01-01,x\n"));
    import(&sandbox, "fix.csv", "Subject", &[]).expect(1).says(&["\"RID\"", "--update"]);
    let report = import(&sandbox, "fix.csv", "Subject", &["--update", "--json"]).expect(0).json();
    assert_eq!(
        (report["updated"].as_u64(), report["notes"][0].as_str().unwrap().contains("RCT")),
        (Some(1), true)
    );
    sandbox.write("fix.csv", "RID,sex\n9999-0001,x\n");
    import(&sandbox, "fix.csv", "Subject", &["--update"]).expect(1).says(&["line 2", "9999-0001"]);
    sandbox.write("fix.csv", "RID,sex\n1,x\n");
    import(&sandbox, "fix.csv", "Other", &["--update"]).expect(1).says(&["\"RID\"", "system"]);
    assert_eq!(
        rows(&sandbox, "Subject", "SELECT subject_id, sex FROM Subject ORDER BY 1"),
        json!([["S1", "x"], ["S2", "m"]])
    );
}

#[test]
fn names_that_look_alike_or_cannot_be_seen_are_one_or_refused() {
    let sandbox = lab();
    sandbox.write("t.csv", " Gro\u{308}\u{df}e\u{a0},b\n1,2\n");
    let report = import(&sandbox, "t.csv", "T", &["--json"]).expect(0).json();
    assert_eq!(report["columns"][0]["name"], "Gr\u{f6}\u{df}e");
    assert_eq!(report["notes"].as_array().unwrap().len(), 1);
    sandbox.write("t.csv", "Gr\u{f6}\u{df}e,b\n1,2\n");
    assert_eq!(import(&sandbox, "t.csv", "T", &["--json"]).expect(0).json()["unchanged"], 1);
    for (header, part) in
        [("a\u{202e}b", "U+202E"), ("a\u{7}", "U+0007"), ("\u{200b}", "U+200B"), ("\u{e9},e\u{301}", "same")]
    {
        sandbox.write("bad.csv", format!("{header}\n1,1\n"));
        import(&sandbox, "bad.csv", "U", &[]).expect(1).says(&["bad.csv", part]);
    }
    sandbox.write("nul.csv", "a\nx\u{0}y\n");
    import(&sandbox, "nul.csv", "U", &[]).expect(1).says(&["line 2", "NUL"]);
    for table in ["T\u{202e}", "T T", "1T", ""] {
        import(&sandbox, "t.csv", table, &[]).expect(2);
    }
}

#[test]
fn more_columns_than_a_table_holds_are_refused_at_once() {
    let sandbox = lab();
    let header: Vec<String> = (0..2100).map(|n| format!("c{n}")).collect();
    sandbox.write("wide.csv", format!("{}\n", header.join(",")));
    import(&sandbox, "wide.csv", "T", &[]).expect(1).says(&["2105 columns"]);
}

#[test]
fn a_term_may_be_called_by_a_synonym() {
    let sandbox = lab();
    let clock = dbag::catalog::Clock::System;
    let mut workspace = dbag::open::Workspace::open(&sandbox.path("lab"), clock).unwrap();
    workspace
        .catalog
        .change::<_, dbag::catalog::CatalogError>("dbag vocab create Side", |change| {
            let vocabulary = change.put_vocabulary("domain", "Side", "")?;
            change.insert_term(&vocabulary, "left", "", &["L".into()])?;
            change.insert_term(&vocabulary, "right", "", &[])
        })
        .unwrap();
    drop(workspace);
    sandbox.write("t.csv", "id,side\n1,L\n2,right\n3,\n");
    import(&sandbox, "t.csv", "Eye", &["--key", "id", "--references", "side=Side"]).expect(0);
    assert_eq!(import(&sandbox, "t.csv", "Eye", &["--json"]).expect(0).json()["unchanged"], 3);
    assert_eq!(
        rows(&sandbox, "Eye", "SELECT id, side FROM Eye ORDER BY id"),
        json!([[1, "left"], [2, "right"], [3, null]])
    );
    sandbox.write("u.csv", "id,side\n4,up\n");
    import(&sandbox, "u.csv", "Eye", &[]).expect(1).says(&["line 2", "\"up\"", "terms: left, right"]);
}
