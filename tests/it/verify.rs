//! `dbag verify` and `dbag query` on bags good, odd and hostile.

use std::io::Write;

use crate::support::{HandBag, Sandbox, hex_sha256, tree};

/// The codes of a bag's findings.
fn codes(sandbox: &Sandbox, bag: &str, exit: i32) -> Vec<String> {
    let report = sandbox.dbag(&["verify", bag, "--json"]).expect(exit).json();
    let mut codes: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect();
    codes.dedup();
    codes
}

#[test]
fn every_bad_file_is_listed_in_one_run() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")])
        .without("data/b")
        .add("data/c", "more")
        .add("data/extra", "x")
        .add("bag-info.txt", "Payload-Oxum: 4.4\n")
        .write(&sandbox.path("bag"));
    for bag in ["bag", "bag.zip"] {
        if bag == "bag.zip" {
            let files = tree(&sandbox.path("bag")).into_iter().collect();
            HandBag { files }.zip(&sandbox.path("bag.zip"));
        }
        let report = sandbox.dbag(&["verify", bag, "--json"]).expect(1).json();
        let findings: Vec<(String, String)> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| (f["code"].as_str().unwrap().into(), f["place"].as_str().unwrap().into()))
            .collect();
        let expected =
            [("E205", "bag-info.txt"), ("E201", "data/b"), ("E203", "data/c"), ("E202", "data/extra")];
        assert_eq!(findings, expected.map(|(code, place)| (code.to_owned(), place.to_owned())));
    }
    let text = sandbox.dbag(&["verify", "bag"]).expect(1).stdout;
    assert!(text.contains("E203 data/c: sha256 is ") && text.contains("not valid, 4 errors"), "{text}");
}

#[test]
fn forms_of_bags_and_what_is_wrong_with_them() {
    let good = || HandBag::new("1.0", &[("a", "1")]);
    let old = || HandBag::new("0.97", &[("a", "1")]);
    let digest = hex_sha256(b"1");
    let line = format!("{digest}  data/a\n");
    let cases: Vec<(&str, HandBag, i32, &[&str])> = vec![
        ("good", good(), 0, &[]),
        ("old", old(), 0, &[]),
        ("duplicate", good().add("manifest-sha256.txt", &line), 1, &["E105"]),
        ("duplicate in 0.97", old().add("manifest-sha256.txt", &line), 0, &["W304"]),
        ("comment", good().add("manifest-sha256.txt", "# comment\n"), 1, &["E103"]),
        ("digest only", good().add("manifest-sha256.txt", &format!("{digest}\n")), 1, &["E103"]),
        (
            "md5sum form",
            good().without("manifest-sha256.txt").add("manifest-sha256.txt", &format!("{digest} *data/a\n")),
            0,
            &["W301"],
        ),
        ("out", good().add("manifest-sha256.txt", &format!("{digest}  ../x\n")), 1, &["E104"]),
        ("absolute", good().add("manifest-sha256.txt", &format!("{digest}  /etc/passwd\n")), 1, &["E104"]),
        ("home", good().add("manifest-sha256.txt", &format!("{digest}  ~/x\n")), 1, &["E104"]),
        ("no manifest", good().without("manifest-sha256.txt"), 1, &["E202", "E102"]),
        ("unknown algorithm", good().add("manifest-foo99.txt", "x"), 0, &["W302"]),
        ("second manifest incomplete", good().add("manifest-md5.txt", ""), 1, &["E106"]),
        ("second manifest incomplete in 0.97", old().add("manifest-md5.txt", ""), 0, &[]),
        ("fetch unlisted", good().add("fetch.txt", "http://h/x 1 data/x\n"), 1, &["E108"]),
        ("fetch blank line", good().add("fetch.txt", "\n"), 1, &["E107"]),
        ("fetch negative", good().add("fetch.txt", "http://h/x -1 data/a\n"), 1, &["E107"]),
        ("fetch length", good().add("fetch.txt", "http://h/x 2 data/a\n"), 1, &["E204"]),
        ("oxum", good().add("bag-info.txt", "payload-oxum: 1.2\n"), 1, &["E205"]),
        ("oxum malformed", good().add("bag-info.txt", "Payload-Oxum: 12\n"), 1, &["E109"]),
        ("oxum twice", good().add("bag-info.txt", "Payload-Oxum: 1.1\nPayload-Oxum: 9.9\n"), 1, &["E109"]),
        (
            "tag file missing",
            good().add("tagmanifest-sha256.txt", &format!("{digest}  absent.txt\n")),
            1,
            &["E201", "E111"],
        ),
        (
            "tag file listed twice",
            good().add("tagmanifest-sha256.txt", &format!("{digest}  data/a\n")),
            1,
            &["E111", "E103"],
        ),
        (
            "byte-order mark",
            good().without("manifest-sha256.txt").add("manifest-sha256.txt", &format!("\u{feff}{line}")),
            1,
            &["E202", "E101"],
        ),
        ("case", HandBag::new("1.0", &[("a", "1"), ("A", "1")]), 0, &["W306"]),
        ("normal forms", HandBag::new("1.0", &[("\u{e9}", "1"), ("e\u{301}", "1")]), 0, &["W306"]),
        ("left behind", HandBag::new("1.0", &[("Thumbs.db", "1")]), 0, &["W307"]),
        ("raw percent", HandBag::new("1.0", &[("100%25", "1")]), 0, &["W303"]),
        (
            "odd names",
            HandBag::new("1.0", &[("trail ", "1"), ("\u{85}\u{2028}", "1"), ("\u{b}", "1")]),
            0,
            &["W308"],
        ),
    ];
    for (name, bag, exit, expected) in cases {
        let sandbox = Sandbox::new();
        bag.write(&sandbox.path("bag"));
        assert_eq!(codes(&sandbox, "bag", exit), expected, "{name}");
        bag.zip(&sandbox.path("bag.zip"));
        assert_eq!(codes(&sandbox, "bag.zip", exit), expected, "{name} as a zip");
    }
}

#[test]
fn what_is_no_bag_is_refused_and_left_as_it_is() {
    let sandbox = Sandbox::new();
    sandbox.write("folder/x", "x");
    sandbox.write("bad/bagit.txt", "BagIt-Version: .97\nTag-File-Character-Encoding: UTF-8\n");
    sandbox.write("text.zip", "not a zip");
    let before = tree(&sandbox.path("."));
    sandbox.dbag(&["verify", "absent.zip"]).expect(2).says(&["absent.zip", "does not exist"]);
    sandbox.dbag(&["verify", "folder"]).expect(1).says(&["folder", "bagit.txt"]);
    sandbox.dbag(&["verify", "bad"]).expect(1).says(&["bad", ".97"]);
    sandbox.dbag(&["verify", "text.zip"]).expect(1).says(&["text.zip", "zip"]);
    sandbox.dbag(&["materialize", "folder"]).expect(1).says(&["folder", "bagit.txt"]);
    assert!(tree(&sandbox.path(".")) == before);
}

#[test]
fn a_truncated_zip_is_refused() {
    let sandbox = Sandbox::with_digits();
    sandbox.dbag_in("lab", &["export", "digits@1.0.0", "-o", "../bag.zip"]).expect(0);
    let whole = fs_err::read(sandbox.path("bag.zip")).unwrap();
    for length in [0, 10, whole.len() / 2, whole.len() - 30, whole.len() - 1] {
        sandbox.write("cut.zip", &whole[..length]);
        for command in [
            &["verify", "cut.zip"][..],
            &["materialize", "cut.zip", "--to", "out"],
            &["query", "cut.zip", "SELECT 1"],
        ] {
            sandbox.dbag(command).expect(1).says(&["cut.zip"]);
            assert!(!sandbox.path("out").exists());
        }
    }
    // One flipped byte anywhere is found, by its digest or by the archive's own checks.
    let mut archive = zip::ZipArchive::new(fs_err::File::open(sandbox.path("bag.zip")).unwrap()).unwrap();
    for index in [0, 3, 100, archive.len() - 1] {
        let entry = archive.by_index(index).unwrap();
        let at = usize::try_from(entry.data_start().unwrap() + entry.compressed_size() / 2).unwrap();
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        sandbox.write("flip.zip", flipped);
        sandbox.dbag(&["verify", "flip.zip"]).expect(1);
    }
}

fn zip_of(sandbox: &Sandbox, entries: &[(&str, &str)], link: Option<(&str, &str)>) {
    let mut zip = zip::ZipWriter::new(fs_err::File::create(sandbox.path("bag.zip")).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (name, body) in entries {
        zip.start_file(*name, options).unwrap();
        zip.write_all(body.as_bytes()).unwrap();
    }
    if let Some((name, target)) = link {
        zip.add_symlink(name, target, options).unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn hostile_zips_write_nothing() {
    let bagit = ("bag/bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n");
    let cases: Vec<(&str, Vec<(&str, &str)>, Option<(&str, &str)>)> = vec![
        ("out of the bag", vec![bagit, ("bag/../../pwned", "x")], None),
        ("absolute", vec![bagit, ("/tmp/pwned", "x")], None),
        ("top folder out", vec![("../bagit.txt", bagit.1), ("../data/x", "x")], None),
        ("two roots", vec![bagit, ("other/x", "x")], None),
        ("a file that is a folder", vec![bagit, ("bag/data/x", "x"), ("bag/data/x/y", "y")], None),
        ("the same place twice", vec![bagit, ("bag/data/x", "x"), ("bag/data/./x", "y")], None),
        ("a link out", vec![bagit], Some(("bag/data", "/tmp"))),
        ("a drive", vec![("C:\\bag/bagit.txt", bagit.1)], None),
    ];
    for (name, entries, link) in cases {
        let sandbox = Sandbox::new();
        zip_of(&sandbox, &entries, link);
        let before = tree(&sandbox.path("."));
        let output = sandbox.dbag(&["materialize", "bag.zip", "--to", "out"]);
        assert_eq!(output.code, 1, "{name}: {output:?}");
        assert!(tree(&sandbox.path(".")) == before, "{name}");
        assert!(!sandbox.path("../pwned").exists());
        assert_eq!(sandbox.dbag(&["verify", "bag.zip"]).code, 1, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn links_and_pipes_on_disk_are_findings_and_never_followed() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1"), ("b", "1")]).write(&sandbox.path("bag"));
    sandbox.write("secret", "1");
    fs_err::remove_file(sandbox.path("bag/data/b")).unwrap();
    fs_err::os::unix::fs::symlink(sandbox.path("secret"), sandbox.path("bag/data/b")).unwrap();
    fs_err::os::unix::fs::symlink("..", sandbox.path("bag/data/loop")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(sandbox.path("bag/data/pipe")).status().unwrap();
    assert!(made.success());
    let report = sandbox.dbag(&["verify", "bag", "--json"]).expect(1).json();
    let places: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|f| f["place"].as_str().unwrap()).collect();
    assert_eq!(places, ["data/b", "data/b", "data/loop", "data/pipe"]);
    let refused = sandbox.dbag(&["materialize", "bag", "--to", "out"]).expect(1);
    assert!(refused.stdout.contains("E207 data/b: it is a symbolic link"), "{refused:?}");
    assert!(!sandbox.path("out").exists());
}

#[test]
fn sql_can_only_read() {
    let sandbox = Sandbox::with_digits();
    sandbox.dbag_in("lab", &["export", "digits@1.0.0"]).expect(0);
    let before = tree(&sandbox.path("lab"));
    for target in ["digits-1.0.0.zip", "digits@1.0.0"] {
        for sql in [
            "DELETE FROM \"domain:Label\"",
            "DROP TABLE Label",
            "CREATE TABLE x (y)",
            "ATTACH 'x.db' AS x",
            "PRAGMA writable_schema = ON",
            "SELECT load_extension('x')",
            "SELECT nothing FROM Label",
            "SELEKT 1",
            "SELECT 1; DELETE FROM Label",
            "VACUUM INTO 'x.db'",
            "",
        ] {
            let output = sandbox.dbag_in("lab", &["query", target, sql]);
            assert_eq!(output.code, 2, "{target} {sql}: {output:?}");
            assert!(output.stderr.starts_with("error: "), "{sql}: {output:?}");
        }
    }
    let unknown = sandbox.dbag_in("lab", &["query", "digits-1.0.0.zip", "SELECT * FROM Imag"]).expect(2);
    assert!(
        unknown.stderr.contains("no such table: Imag") && unknown.stderr.contains("tables: "),
        "{unknown:?}"
    );
    assert!(tree(&sandbox.path("lab")) == before);
}

#[test]
fn a_table_that_was_tampered_with_is_not_answered_from() {
    let sandbox = Sandbox::with_digits();
    sandbox.dbag_in("lab", &["export", "digits@1.0.0"]).expect(0);
    sandbox.dbag_in("lab", &["materialize", "digits-1.0.0.zip", "--to", "../bag"]).expect(0);
    let path = sandbox.path("bag/data/domain/Label.csv");
    let text = fs_err::read_to_string(&path).unwrap().replace("digit-0003.png,2", "digit-0003.png,3");
    fs_err::write(&path, text).unwrap();
    sandbox.dbag(&["query", "bag", "SELECT 1"]).expect(1).says(&["bag", "data/domain/Label.csv", "digest"]);
}

#[test]
fn names_that_lead_nowhere_or_to_two_things() {
    let sandbox = Sandbox::with_digits();
    sandbox.dbag_in("lab", &["query", "numbers", "SELECT 1"]).expect(2).says(&["\"numbers\""]);
    sandbox.dbag_in("lab", &["query", "absent.zip", "SELECT 1"]).expect(2).says(&["absent.zip"]);
    sandbox.dbag_in("lab", &["query", "digits@9.0.0", "SELECT 1"]).expect(2).says(&["9.0.0", "1.0.0"]);
    HandBag::new("1.0", &[("a", "1")]).write(&sandbox.path("lab/digits@1.0.0"));
    sandbox
        .dbag_in("lab", &["query", "digits@1.0.0", "SELECT 1"])
        .expect(2)
        .says(&["ambiguous", "digits@1.0.0"]);
}

#[test]
fn a_plain_bag_without_a_model_is_asked_too() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("people.csv", "name,age\nAda,36\n\"\",\n")]).zip(&sandbox.path("bag.zip"));
    let output =
        sandbox.dbag(&["query", "bag.zip", "SELECT name, age FROM people", "--json"]).expect(0).json();
    assert_eq!(output, serde_json::json!({"columns": ["name", "age"], "rows": [["Ada", "36"], ["", null]]}));
}

#[test]
fn a_version_shows_nothing_but_the_version() {
    let sandbox = Sandbox::with_digits();
    sandbox.write("other.csv", "a\n1\n");
    sandbox.dbag_in("lab", &["import", "../other.csv", "--table", "Other"]).expect(0);
    for sql in [
        "SELECT * FROM Other",
        "SELECT * FROM \"domain:Other\"",
        "SELECT * FROM main.\"domain:Label\"",
        "SELECT * FROM \"domain:Label@history\"",
        "SELECT * FROM dbag_transaction",
        "SELECT * FROM sqlite_schema",
    ] {
        sandbox
            .dbag_in("lab", &["query", "digits@1.0.0", sql])
            .expect(2)
            .says(&["the SQL can't be run", "tables: "]);
    }
    for sql in [
        "SELECT count(*) FROM \"domain:Label\"",
        "WITH x AS (SELECT digit FROM Label) SELECT count(*) FROM x",
        "SELECT count(*) FROM Label JOIN Image ON Filename = Label.filename",
    ] {
        let ask = |sql: &str| sandbox.dbag_in("lab", &["query", "digits@1.0.0", sql, "--format", "csv"]);
        let answer = ask(&sql.replace("ON Filename", "ON Image.Filename")).expect(0);
        assert_eq!(answer.stdout, "count(*)\n200\n", "{sql}");
    }
    let misspelt = "SELECT * FROM Label WHERE \"nocol\" = 1";
    sandbox.dbag_in("lab", &["query", "digits@1.0.0", misspelt]).expect(2).says(&["no such column"]);
}

#[test]
fn a_table_that_is_not_there_is_not_an_empty_one() {
    let sandbox = Sandbox::with_digits();
    sandbox.dbag_in("lab", &["export", "digits@1.0.0", "-o", "../bag.zip"]).expect(0);
    sandbox.dbag(&["materialize", "bag.zip", "--to", "bag"]).expect(0);
    let ask = || sandbox.dbag(&["query", "bag", "SELECT count(*) FROM Label"]);
    let label = sandbox.path("bag/data/domain/Label.csv");
    let body = fs_err::read(&label).unwrap();
    sandbox.write("bag/data/domain/Extra.csv", "a\n1\n");
    ask().expect(1).says(&["data/domain/Extra.csv", "no manifest"]);
    fs_err::remove_file(sandbox.path("bag/data/domain/Extra.csv")).unwrap();
    ask().expect(0);
    fs_err::remove_file(&label).unwrap();
    ask().expect(1).says(&["data/domain/Label.csv", "can't be read"]);
    sandbox.write("bag/fetch.txt", format!("http://h/x\t{}\tdata/domain/Label.csv\n", body.len()));
    ask().expect(4).says(&["data/domain/Label.csv", "to be fetched"]);
    fs_err::write(&label, body).unwrap();
    let manifest = sandbox.path("bag/manifest-md5.txt");
    fs_err::write(&manifest, "nonsense\n").unwrap();
    ask().expect(1).says(&["not valid", "manifest-md5.txt"]);
}

#[test]
fn an_entry_that_lies_about_its_length_is_found() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "hello")])
        .add("bag-info.txt", "Payload-Oxum: 500.1\n")
        .zip(&sandbox.path("bag.zip"));
    let mut bytes = fs_err::read(sandbox.path("bag.zip")).unwrap();
    // The central directory's entry: its signature, 46 bytes of fields, its name.
    let name = b"bag/data/a";
    let at = bytes.windows(name.len()).rposition(|window| window == name).unwrap() - 46;
    assert_eq!(&bytes[at..at + 4], b"PK\x01\x02");
    bytes[at + 24..at + 28].copy_from_slice(&500_u32.to_le_bytes());
    sandbox.write("bag.zip", bytes);
    for level in ["complete", "full"] {
        sandbox
            .dbag(&["verify", "bag.zip", "--level", level])
            .expect(1)
            .says(&["bag.zip", "data/a", "refused"]);
    }
    sandbox.dbag(&["materialize", "bag.zip", "--to", "out"]).expect(1).says(&["bag.zip", "data/a"]);
    assert!(!sandbox.path("out").exists());
}

#[test]
fn a_huge_manifest_of_nonsense_ends_soon() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1")])
        .add("manifest-sha256.txt", &"\n".repeat(2_000_000))
        .zip(&sandbox.path("bag.zip"));
    let report = sandbox.dbag(&["verify", "bag.zip", "--json"]).expect(1).json();
    assert_eq!(report["errors"], 100_001);
}

#[test]
fn a_model_that_no_database_takes_is_named() {
    let table = |columns: &str| {
        format!(
            "{{\"schemas\":{{\"s\":{{\"schema_name\":\"s\",\"tables\":{{\"T\":{{\"schema_name\":\"s\",\"table_name\":\"T\",\"column_definitions\":[{columns}]}}}}}}}}}}"
        )
    };
    let column = |name: &str| format!("{{\"name\":\"{name}\",\"type\":{{\"typename\":\"text\"}}}}");
    let many: Vec<String> = (0..3000).map(|index| column(&format!("c{index}"))).collect();
    for columns in [format!("{},{}", column("a"), column("A")), column("a\\u0000b"), many.join(",")] {
        let sandbox = Sandbox::new();
        HandBag::new("1.0", &[("schema.json", &table(&columns))]).write(&sandbox.path("bag"));
        sandbox.dbag(&["query", "bag", "SELECT 1"]).expect(1).says(&["bag", "data/schema.json", "s:T"]);
    }
}
