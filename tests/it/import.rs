//! `dbag init` and `dbag import`: idempotent, typed, all or nothing.

use crate::support::{Sandbox, tree};

fn lab() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.dbag(&["init", "lab"]).expect(0);
    sandbox
}

fn import(sandbox: &Sandbox, path: &str, table: &str, more: &[&str]) -> crate::support::Output {
    let path = sandbox.path(path);
    let arguments = [&["import", path.to_str().unwrap(), "--table", table][..], more].concat();
    sandbox.dbag_in("lab", &arguments)
}

#[test]
fn init_refuses_a_second_time_and_leaves_the_workspace_as_it_was() {
    let sandbox = lab();
    let before = tree(&sandbox.path("lab"));
    sandbox.dbag(&["init", "lab"]).expect(2).says(&["lab", "workspace already"]);
    assert!(tree(&sandbox.path("lab")) == before);
}

#[test]
fn commands_outside_a_workspace_say_so() {
    let sandbox = Sandbox::new();
    let output = sandbox.dbag(&["dataset", "list"]).expect(2).says(&["no dbag workspace"]);
    assert!(output.stderr.contains("hint: make one with: dbag init"));
}

#[test]
fn types_are_guessed_shown_and_overridable() {
    let sandbox = lab();
    sandbox.write("t.csv", "id,n,x,day,when,ok,name\n007,1,1.5,2026-01-02,2026-01-02 03:04:05Z,true,\"a, b\"\n008,2,2,2026-01-03,2026-01-03 00:00:00Z,false,\n");
    let types = |output: crate::support::Output| -> Vec<String> {
        let document = output.expect(0).json();
        document["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["type"].as_str().unwrap().to_owned())
            .collect()
    };
    let dry = types(import(&sandbox, "t.csv", "T", &["--dry-run", "--json", "--type", "n=text"]));
    assert_eq!(dry, ["text", "text", "float8", "date", "timestamptz", "boolean", "text"]);
    let real = types(import(&sandbox, "t.csv", "T", &["--json"]));
    assert_eq!(real, ["text", "int8", "float8", "date", "timestamptz", "boolean", "text"]);
    import(&sandbox, "t.csv", "T", &["--type", "n=text"]).expect(2).says(&["\"n\"", "int8", "text"]);
}

#[test]
fn importing_again_changes_nothing() {
    let sandbox = lab();
    // Two equal rows are two rows, and stay two.
    sandbox.write("t.csv", "a,b\n1,x\n1,x\n2,\n");
    sandbox.write("files/one.txt", "one");
    sandbox.write("files/deep/two.txt", "two");
    sandbox.write("files/.hidden", "no");
    assert_eq!(import(&sandbox, "t.csv", "T", &["--json"]).expect(0).json()["added"], 3);
    let files = import(&sandbox, "files", "F", &["--json"]).expect(0).json();
    assert_eq!((files["added"].as_u64(), files["skipped"].as_u64()), (Some(2), Some(1)));
    let before = tree(&sandbox.path("lab"));
    let again = import(&sandbox, "t.csv", "T", &["--json"]).expect(0).json();
    assert_eq!((again["added"].as_u64(), again["unchanged"].as_u64()), (Some(0), Some(3)));
    let again = import(&sandbox, "files", "F", &["--json"]).expect(0).json();
    assert_eq!((again["added"].as_u64(), again["unchanged"].as_u64()), (Some(0), Some(2)));
    assert!(tree(&sandbox.path("lab")) == before);
    sandbox.write("more.csv", "a,b\n1,x\n1,x\n1,x\n3,y\n");
    let more = import(&sandbox, "more.csv", "T", &["--json"]).expect(0).json();
    assert_eq!((more["added"].as_u64(), more["unchanged"].as_u64()), (Some(2), Some(2)));
}

#[test]
fn rows_with_a_known_key_are_updated_only_when_asked() {
    let sandbox = lab();
    sandbox.write("a.csv", "k,v\n1,x\n2,y\n");
    sandbox.write("b.csv", "k,v\n1,x\n2,z\n3,w\n");
    import(&sandbox, "a.csv", "T", &["--key", "k"]).expect(0);
    let before = tree(&sandbox.path("lab"));
    import(&sandbox, "b.csv", "T", &[]).expect(1).says(&["b.csv", "line 3", "--update"]);
    assert!(tree(&sandbox.path("lab")) == before);
    let update = import(&sandbox, "b.csv", "T", &["--update", "--json"]).expect(0).json();
    let counts: Vec<_> =
        ["added", "updated", "unchanged"].iter().map(|name| update[name].as_u64().unwrap()).collect();
    assert_eq!(counts, [1, 1, 1]);
}

#[test]
fn a_file_with_other_bytes_is_taken_only_when_asked() {
    let sandbox = lab();
    sandbox.write("files/a.txt", "one");
    import(&sandbox, "files", "F", &[]).expect(0);
    sandbox.write("files/a.txt", "two");
    import(&sandbox, "files", "F", &[]).expect(1).says(&["a.txt", "--update"]);
    assert_eq!(import(&sandbox, "files", "F", &["--update", "--json"]).expect(0).json()["updated"], 1);
}

#[test]
fn bad_input_is_one_sentence_and_the_workspace_is_as_it_was() {
    let sandbox = lab();
    sandbox.write("good.csv", "a,b\n1,2\n");
    import(&sandbox, "good.csv", "Good", &[]).expect(0);
    sandbox.write("files/x", "x");
    let before = tree(&sandbox.path("lab"));
    let cases: [(&str, &str, &str, &[&str], i32, &[&str]); 14] = [
        ("ragged.csv", "a,b\n1,2\n3\n", "T", &[], 1, &["ragged.csv", "line 3", "1 fields", "2"]),
        ("quote.csv", "a\n\"x\n", "T", &[], 1, &["quote.csv", "line 2", "never closed"]),
        (
            "bytes.csv",
            "a\n\u{fffd}",
            "T",
            &["--type", "a=int8"],
            1,
            &["bytes.csv", "line 2", "\"a\"", "whole number"],
        ),
        ("empty.csv", "", "T", &[], 1, &["empty.csv", "no header"]),
        ("twice.csv", "a,a\n1,2\n", "T", &[], 1, &["twice.csv", "\"a\"", "twice"]),
        ("case.csv", "a,A\n1,2\n", "T", &[], 1, &["\"A\"", "case"]),
        ("system.csv", "RID,x\n1,2\n", "T", &[], 1, &["\"RID\""]),
        ("name.csv", "a\n1\n", "bad name", &[], 2, &["bad name", "name a table"]),
        (
            "type.csv",
            "a\nx\n",
            "T",
            &["--type", "a=int8"],
            1,
            &["type.csv", "line 2", "\"a\"", "\"x\"", "whole number"],
        ),
        ("column.csv", "a\n1\n", "T", &["--type", "b=int8"], 2, &["column.csv", "\"b\""]),
        ("key.csv", "a\n1\n1\n", "T", &["--key", "a"], 1, &["key.csv", "line 3", "line 2"]),
        ("null.csv", "a,b\n,1\n", "T", &["--key", "a"], 1, &["null.csv", "line 2", "\"a\"", "empty"]),
        ("more.csv", "a,c\n1,2\n", "Good", &[], 1, &["more.csv", "\"c\"", "a, b"]),
        ("image.png", "x", "T", &[], 2, &["image.png", "format", "csv (.csv[.gz])"]),
    ];
    for (name, contents, table, more, code, parts) in cases {
        sandbox.write(name, contents);
        import(&sandbox, name, table, more).expect(code).says(parts);
        assert!(tree(&sandbox.path("lab")) == before, "{name}");
    }
    import(&sandbox, "absent.csv", "T", &[]).expect(2).says(&["absent.csv"]);
    import(&sandbox, "files", "Good", &[]).expect(2).says(&["Good", "holds no files"]);
    sandbox.write("latin.csv", b"a\n\xE9\n");
    import(&sandbox, "latin.csv", "T", &[]).expect(1).says(&["latin.csv", "line 2", "UTF-8"]);
    fs_err::create_dir(sandbox.path("nothing")).unwrap();
    import(&sandbox, "nothing", "T", &[]).expect(1).says(&["nothing", "no files"]);
    assert!(tree(&sandbox.path("lab")) == before);
}

#[test]
fn datasets_and_releases_refuse_what_makes_no_sense() {
    let sandbox = lab();
    sandbox.write("t.csv", "a\n1\n2\n");
    import(&sandbox, "t.csv", "T", &[]).expect(0);
    let lab = |arguments: &[&str]| sandbox.dbag_in("lab", arguments);
    lab(&["dataset", "create", "../x"]).expect(2);
    lab(&["dataset", "create", "d"]).expect(0);
    lab(&["dataset", "create", "d"]).expect(2).says(&["d exists"]);
    lab(&["dataset", "show", "e"]).expect(2).says(&["\"e\"", "datasets: d"]);
    lab(&["release", "d", "--minor", "-m", "x"]).expect(2).says(&["no members"]);
    lab(&["release", "d", "-m", "x"]).expect(2);
    lab(&["dataset", "add", "d", "--table", "U"]).expect(2).says(&["\"U\"", "tables: T"]);
    lab(&["dataset", "add", "d", "--table", "Dataset"]).expect(2).says(&["\"Dataset\""]);
    lab(&["dataset", "add", "d", "NOPE-0001"]).expect(2).says(&["NOPE-0001"]);
    lab(&["dataset", "add", "d", "--table", "T", "--where", "b = 1"])
        .expect(2)
        .says(&["b = 1", "no such column"]);
    lab(&["dataset", "add", "d", "--table", "T", "--where", "1) ; DELETE FROM x; --"]).expect(2);
    assert_eq!(
        lab(&["dataset", "add", "d", "--table", "T", "--where", "a = 1", "--json"]).expect(0).json()["added"],
        1
    );
    assert_eq!(lab(&["dataset", "add", "d", "--table", "T", "--json"]).expect(0).json()["added"], 1);
    lab(&["release", "d", "--minor", "-m", "two"]).expect(0);
    lab(&["release", "d", "--minor", "-m", "again"])
        .expect(2)
        .says(&["nothing in dataset d has changed", "0.1.0"]);
    lab(&["export", "d@0.2.0"]).expect(2).says(&["no version 0.2.0", "versions: 0.1.0"]);
    lab(&["export", "d@1"]).expect(2);
    lab(&["export", "d@0.1.0", "--base-url", "ftp://h/"]).expect(2).says(&["ftp://h/"]);
    let both = ["export", "d@0.1.0", "--assets", "embed", "--base-url", "https://h/"];
    lab(&both).expect(2).says(&["--base-url"]);
    // Nothing is to be fetched, so that no URL is needed.
    lab(&["export", "d@0.1.0", "--assets", "remote"]).expect(0);
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let sandbox = lab();
    sandbox.write("lab/.dbag/format", "dbag workspace 2\n");
    sandbox.dbag_in("lab", &["dataset", "list"]).expect(3).says(&[".dbag", "dbag workspace 2", "upgrade"]);
    sandbox.write("lab/.dbag/format", "dbag workspace 1\n");
    sandbox.write(
        "lab/.dbag/catalog.sqlite",
        "not a database, but long enough to be looked at as one ............................",
    );
    sandbox.dbag_in("lab", &["dataset", "list"]).expect(1).says(&["catalog.sqlite", "not a dbag catalog"]);
}

#[test]
fn an_update_leaves_the_columns_that_the_file_does_not_have() {
    let sandbox = lab();
    sandbox.write("a.csv", "name,score,site\nann,5,A\nbob,6,B\n");
    sandbox.write("b.csv", "name,score\nann,7\nbob,6\n");
    import(&sandbox, "a.csv", "P", &["--key", "name"]).expect(0);
    let update = import(&sandbox, "b.csv", "P", &["--update", "--json"]).expect(0).json();
    assert_eq!((update["updated"].as_u64(), update["unchanged"].as_u64()), (Some(1), Some(1)));
    sandbox.dbag_in("lab", &["dataset", "create", "d"]).expect(0);
    sandbox.dbag_in("lab", &["dataset", "add", "d", "--table", "P"]).expect(0);
    sandbox.dbag_in("lab", &["release", "d", "--minor", "-m", "x"]).expect(0);
    let rows =
        sandbox.dbag_in("lab", &["query", "d@0.1.0", "SELECT name, score, site FROM P ORDER BY 1", "--json"]);
    assert_eq!(rows.expect(0).json()["rows"], serde_json::json!([["ann", 7, "A"], ["bob", 6, "B"]]));
}

#[test]
fn numbers_keep_their_meaning() {
    let sandbox = lab();
    sandbox.write("nan.csv", "id,v\n1,1.5\n2,NaN\n3,-inf\n");
    import(&sandbox, "nan.csv", "N", &["--type", "v=float8", "--key", "id"]).expect(0);
    assert_eq!(import(&sandbox, "nan.csv", "N", &["--json"]).expect(0).json()["unchanged"], 3);
    for (kind, value) in
        [("int2", "40000"), ("int4", "99999999999"), ("float4", "1e+300"), ("float8", "1e400")]
    {
        sandbox.write("n.csv", format!("v\n{value}\n"));
        import(&sandbox, "n.csv", "M", &["--type", &format!("v={kind}")])
            .expect(1)
            .says(&["line 2", "\"v\"", value]);
    }
}

#[test]
fn dbags_own_names_and_folders_are_left_alone() {
    let sandbox = lab();
    sandbox.write("t.csv", "a\n1\n");
    for name in ["Dataset", "dataset_type", "Dataset_T", "Workflow"] {
        import(&sandbox, "t.csv", name, &[]).expect(2).says(&[name, "keeps"]);
    }
    import(&sandbox, "t.csv", "T", &[]).expect(0);
    sandbox.dbag_in("lab", &["dataset", "create", "d"]).expect(0);
    sandbox.dbag_in("lab", &["dataset", "add", "d", "--table", "T"]).expect(0);
    sandbox.write("m.csv", "Dataset,T\nx,y\n");
    import(&sandbox, "m.csv", "Dataset_T", &[]).expect(2).says(&["Dataset_T", "keeps"]);
    sandbox.dbag_in("lab", &["dataset", "add", "d", "--table", "Dataset_T"]).expect(2);
    sandbox.write("lab/file.txt", "x");
    let files = import(&sandbox, "lab", "F", &["--hidden", "--json"]).expect(0).json();
    assert_eq!((files["added"].as_u64(), files["skipped"].as_u64()), (Some(1), Some(1)));
}

#[test]
fn a_dry_run_finds_what_the_import_would() {
    let sandbox = lab();
    sandbox.write("a.csv", "k,v\n1,x\n2,y\n");
    sandbox.write("b.csv", "k,v\n1,x\n2,z\n3,w\n");
    sandbox.write("files/f", "f");
    import(&sandbox, "a.csv", "T", &["--key", "k"]).expect(0);
    let before = tree(&sandbox.path("lab"));
    import(&sandbox, "b.csv", "T", &["--dry-run"]).expect(1).says(&["line 3"]);
    let would = import(&sandbox, "b.csv", "T", &["--dry-run", "--update", "--json"]).expect(0).json();
    let counts: Vec<_> =
        ["added", "updated", "unchanged"].iter().map(|name| would[name].as_u64().unwrap()).collect();
    assert_eq!(counts, [1, 1, 1]);
    import(&sandbox, "a.csv", "U", &["--dry-run", "--type", "v=int8"]).expect(1).says(&["line 2", "\"v\""]);
    assert_eq!(import(&sandbox, "files", "F", &["--dry-run", "--json"]).expect(0).json()["added"], 1);
    assert!(tree(&sandbox.path("lab")) == before);
}
