//! `dbag export` and `dbag publish`: the same bytes at every run, and old versions for ever.

use std::path::Path;

use dbag::bag::NoProgress;
use dbag::catalog::{Agent, Clock, CreateOptions, Program};
use dbag::export::{ExportOptions, export};
use dbag::ingest::{AssetImport, TableImport, import_folder, import_table};
use dbag::model::RidPrefix;
use dbag::open::Workspace;
use dbag::version::Bump;

use crate::support::{Reply, Sandbox, Server, sha256, tree};

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for (name, body) in tree(from) {
        let path = to.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, body).unwrap();
    }
}

#[test]
fn two_exports_on_two_copies_of_the_workspace_have_the_same_bytes() {
    let sandbox = Sandbox::with_digits();
    copy(&sandbox.path("lab"), &sandbox.path("copy"));
    for more in [&[][..], &["--base-url", "https://data.example.org/digits"]] {
        let run = |folder: &str, file: &str| {
            sandbox.dbag_in(folder, &[&["export", "digits@1.0.0", "-o", file], more].concat()).expect(0);
            sha256(&sandbox.path(folder).join(file))
        };
        let name = format!("{}.zip", more.len());
        let first = run("lab", &name);
        assert_eq!(run("copy", &name), first);
        // Whatever is released later changes nothing in what was released before.
        sandbox.write("more.csv", format!("filename,digit\nmore-{}.png,1\n", more.len()));
        sandbox.dbag_in("copy", &["import", "../more.csv", "--table", "Label"]).expect(0);
        sandbox.dbag_in("copy", &["dataset", "add", "digits", "--table", "Label"]).expect(0);
        sandbox.dbag_in("copy", &["release", "digits", "--minor", "-m", "one more"]).expect(0);
        assert_eq!(run("copy", &format!("again-{name}")), first);
    }
}

#[test]
fn a_version_keeps_rows_that_were_changed_since() {
    let sandbox = Sandbox::with_digits();
    sandbox.write("fix.csv", "filename,digit\ndigit-0001.png,9\n");
    sandbox.dbag_in("lab", &["import", "../fix.csv", "--table", "Label", "--update"]).expect(0);
    let drift =
        sandbox.dbag_in("lab", &["dataset", "show", "digits", "--json"]).expect(0).json()["drift"].clone();
    assert_eq!([&drift["added"], &drift["removed"], &drift["changed"]], [0, 0, 1]);
    sandbox.dbag_in("lab", &["release", "digits", "--patch", "-m", "a wrong label"]).expect(0);
    for (version, digit) in [("1.0.0", "0"), ("1.0.1", "9")] {
        let reference = format!("digits@{version}");
        let sql = "SELECT digit FROM Label WHERE filename = 'digit-0001.png'";
        let from_catalog = sandbox.dbag_in("lab", &["query", &reference, sql, "--format", "csv"]).expect(0);
        assert_eq!(from_catalog.stdout, format!("digit\n{digit}\n"));
        sandbox.dbag_in("lab", &["export", &reference]).expect(0);
        let bag = format!("digits-{version}.zip");
        let from_bag = sandbox.dbag_in("lab", &["query", &bag, sql, "--format", "csv"]).expect(0);
        assert_eq!(from_bag.stdout, from_catalog.stdout);
    }
}

#[test]
fn a_bag_and_its_version_answer_alike() {
    let sandbox = Sandbox::with_digits();
    sandbox.dbag_in("lab", &["export", "digits@1.0.0"]).expect(0);
    for sql in [
        "SELECT * FROM Label ORDER BY RID",
        "SELECT RID, Filename, Length, MD5, SHA256, URL FROM Image ORDER BY RID",
        "SELECT Version, Snapshot, Description FROM Dataset_Version",
        "SELECT count(*) FROM \"domain:Dataset_Image\"",
    ] {
        let ask = |target: &str| sandbox.dbag_in("lab", &["query", target, sql, "--json"]).expect(0).stdout;
        assert_eq!(ask("digits@1.0.0"), ask("digits-1.0.0.zip"), "{sql}");
    }
}

/// What is exported for a bag format never changes: if this fails, the format needs a new number.
#[test]
fn the_bytes_of_bag_format_2() {
    let sandbox = Sandbox::new();
    let options = CreateOptions {
        rid_prefix: Some(RidPrefix::parse("7WXY").unwrap()),
        id: Some("7wxy".into()),
        agent: Agent { user: "golden".into(), host: "golden".into(), program: Program::default() },
        clock: Clock::Fixed(1_795_424_151_577_689),
        ..CreateOptions::default()
    };
    let mut lab = Workspace::init(&sandbox.path("lab"), &options).unwrap();
    lab.catalog.set_actor("golden");
    sandbox.write(
        "odd.csv",
        "name,x,b,t\n\"μ, \"\"q\"\"\",1e+20,true,2026-01-02 03:04:05.5-07\n,,,\n\"\",0.1,f,\n",
    );
    let path = sandbox.path("odd.csv");
    import_table(&mut lab.catalog, &TableImport::new(&path, "Odd"), &NoProgress).unwrap();
    // Named as it is from the repository's root: the bag tells by which command the images came.
    let images = Path::new("fixtures/digits/images");
    import_folder(&mut lab.catalog, &lab.objects, &AssetImport::new(images, "Image"), &NoProgress).unwrap();
    let name = "golden".parse().unwrap();
    lab.catalog.create_dataset(&name, "Bytes that never change").unwrap();
    lab.catalog.add_table_members(&name, "Odd", None).unwrap();
    lab.catalog.add_table_members(&name, "Image", None).unwrap();
    let release = lab.catalog.release_dataset(&name, Bump::Major, "a note\nof two lines").unwrap();
    let mut digests = Vec::new();
    for base_url in [None, Some("https://data.example.org/x".into())] {
        let new = ExportOptions::new(&sandbox.path("golden.zip"));
        let options = ExportOptions { base_url, force: true, ..new };
        digests.push(
            export(&lab.catalog, &lab.objects, &release.reference, &options, &NoProgress)
                .unwrap()
                .bag
                .sha256
                .to_string(),
        );
    }
    insta::assert_debug_snapshot!(digests);
}

#[test]
fn an_existing_file_is_replaced_only_when_asked() {
    let sandbox = Sandbox::with_digits();
    let file = sandbox.write("lab/digits-1.0.0.zip", "mine");
    sandbox.dbag_in("lab", &["export", "digits@1.0.0"]).expect(2).says(&[
        "digits-1.0.0.zip",
        "exists",
        "--force",
    ]);
    assert_eq!(fs_err::read(&file).unwrap(), b"mine");
    sandbox.dbag_in("lab", &["export", "digits@1.0.0", "--force"]).expect(0);
    sandbox.dbag_in("lab", &["verify", "digits-1.0.0.zip"]).expect(0);
}

#[test]
fn lost_or_damaged_bytes_are_named_and_nothing_is_written() {
    let sandbox = Sandbox::with_digits();
    let objects: Vec<_> = tree(&sandbox.path("lab/.dbag/objects")).into_keys().collect();
    let object = sandbox.path("lab/.dbag/objects").join(&objects[7]);
    let good = fs_err::read(&object).unwrap();
    fs_err::remove_file(&object).unwrap();
    sandbox.dbag_in("lab", &["export", "digits@1.0.0"]).expect(1).says(&["Image", "are gone", &objects[7]]);
    sandbox
        .dbag_in("lab", &["publish", "digits@1.0.0", "--to", "site"])
        .expect(1)
        .says(&["Image", "are gone"]);
    let mut bad = good.clone();
    bad[3] ^= 1;
    fs_err::write(&object, bad).unwrap();
    sandbox.dbag_in("lab", &["export", "digits@1.0.0"]).expect(1).says(&["Image", "damaged", &objects[7]]);
    sandbox
        .dbag_in("lab", &["publish", "digits@1.0.0", "--to", "site"])
        .expect(1)
        .says(&["damaged", &objects[7]]);
    assert!(!sandbox.path("lab/digits-1.0.0.zip").exists());
    let leftovers = fs_err::read_dir(sandbox.path("lab"))
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with(".dbag-"));
    assert_eq!(leftovers.count(), 0);
}

#[test]
fn publishing_again_copies_nothing() {
    let sandbox = Sandbox::with_digits();
    let publish =
        || sandbox.dbag_in("lab", &["publish", "digits@1.0.0", "--to", "../site", "--json"]).expect(0).json();
    assert_eq!(publish()["copied"], 200);
    let before = tree(&sandbox.path("site"));
    let again = publish();
    assert_eq!((again["copied"].as_u64(), again["present"].as_u64()), (Some(0), Some(200)));
    assert!(tree(&sandbox.path("site")) == before);
    // The folder holds objects and nothing else, each named by its SHA-256.
    for (name, body) in &before {
        assert_eq!(name.rsplit('/').next().unwrap(), crate::support::hex_sha256(body));
    }
}

#[test]
fn publishing_mends_what_was_damaged() {
    let sandbox = Sandbox::with_digits();
    let publish =
        || sandbox.dbag_in("lab", &["publish", "digits@1.0.0", "--to", "../site", "--json"]).expect(0).json();
    publish();
    let before = tree(&sandbox.path("site"));
    let (name, body) = before.iter().nth(5).unwrap();
    let mut damaged = body.clone();
    damaged[0] ^= 1;
    let path = sandbox.path("site").join(name);
    fs_err::remove_file(&path).unwrap();
    fs_err::write(&path, damaged).unwrap();
    assert_eq!(publish()["copied"], 1);
    assert!(tree(&sandbox.path("site")) == before);
}

fn catalog(sandbox: &Sandbox) -> rusqlite::Connection {
    rusqlite::Connection::open(sandbox.path("lab/.dbag/catalog.sqlite")).unwrap()
}

#[test]
fn any_number_of_threads_writes_the_same_bytes_and_the_catalog_knows_the_bag() {
    let sandbox = Sandbox::with_digits();
    let run = |threads: &str| {
        let arguments = ["export", "digits@1.0.0", "--threads", threads, "--force", "--json"];
        sandbox.dbag_in("lab", &arguments).expect(0).json()
    };
    let first = run("1");
    let log = || sandbox.dbag_in("lab", &["log", "--json"]).expect(0).stdout;
    let before = log();
    for threads in ["2", "3"] {
        assert_eq!(run(threads)["sha256"], first["sha256"]);
    }
    assert_eq!(log(), before);
    assert_eq!(sha256(&sandbox.path("lab/digits-1.0.0.zip")), first["sha256"]);
    let file = catalog(&sandbox);
    let known: Vec<(String, String)> = file
        .prepare("SELECT sha256, content FROM dbag_bag")
        .unwrap()
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let text = |name: &str| first[name].as_str().unwrap().to_owned();
    assert_eq!(known, [(text("sha256"), text("content"))]);
    sandbox.dbag_in("lab", &["fsck"]).expect(0);
    // Bytes that differ from those of before are no other bag, but a fault.
    file.execute("UPDATE dbag_bag SET sha256 = 'ab'", ()).unwrap();
    let failed = sandbox.dbag_in("lab", &["export", "digits@1.0.0", "-o", "again.zip"]).expect(70);
    assert!(failed.stderr.contains("dbag fsck"));
    failed.says(&["digits@1.0.0", "before"]);
    assert!(!sandbox.path("lab/again.zip").exists());
}

#[test]
fn a_dry_run_says_what_would_be_in_the_bag_and_writes_nothing() {
    let sandbox = Sandbox::with_digits();
    let export = |more: &[&str]| {
        sandbox.dbag_in("lab", &[&["export", "digits@1.0.0", "--json"], more].concat()).expect(0).json()
    };
    let before = tree(&sandbox.path("lab"));
    let guess = export(&["--dry-run"]);
    let after = tree(&sandbox.path("lab"));
    assert!(
        before
            .keys()
            .filter(|name| !name.contains("-shm") && !name.contains("-wal"))
            .all(|name| after.contains_key(name))
    );
    assert!(!sandbox.path("lab/digits-1.0.0.zip").exists());
    let real = export(&[]);
    for same in ["tables", "assets", "asset_bytes", "embedded", "embedded_bytes", "remote", "part"] {
        assert_eq!(guess[same], real[same], "{same}");
    }
    let [guess, real] = [guess["archive_bytes"].as_f64().unwrap(), real["length"].as_f64().unwrap()];
    assert!((0.5..2.0).contains(&(guess / real)), "{guess} for {real}");
    sandbox.dbag_in("lab", &["export", "digits@1.0.0", "--dry-run"]).expect(0);
}

#[test]
fn a_part_of_a_version_is_told_from_the_whole() {
    let sandbox = Sandbox::with_digits();
    let whole = sandbox.dbag_in("lab", &["export", "digits@1.0.0", "--json"]).expect(0).json();
    assert!(whole["part"].is_null());
    let arguments = ["export", "digits@1.0.0", "--exclude", "Label,Label", "-o", "part.zip", "--json"];
    let part = sandbox.dbag_in("lab", &arguments).expect(0).json();
    assert_eq!(part["part"], "exclude=Label");
    assert_ne!(part["sha256"], whole["sha256"]);
    let tables = |document: &serde_json::Value| -> Vec<String> {
        let tables = document["tables"].as_array().unwrap().iter();
        tables.map(|table| table["table"].as_str().unwrap().to_owned()).collect()
    };
    assert!(tables(&whole).contains(&"domain:Label".into()));
    assert!(!tables(&part).contains(&"domain:Label".into()));
    sandbox.dbag_in("lab", &["verify", "part.zip"]).expect(0);
    let bag = dbag::bag::Bag::open(&sandbox.path("lab/part.zip")).unwrap();
    assert_eq!(bag.info().get("Dbag-Part"), Some("exclude=Label"));
    let unknown = ["export", "digits@1.0.0", "--tables", "Lable", "--force"];
    sandbox.dbag_in("lab", &unknown).expect(2).says(&["Lable"]);
}

#[test]
fn assets_are_fetched_from_where_they_were_published() {
    let sandbox = Sandbox::with_digits();
    let export = |more: &[&str]| {
        sandbox.dbag_in("lab", &[&["export", "digits@1.0.0", "--force", "--json"], more].concat())
    };
    export(&["--assets", "remote"]).expect(1).says(&["no URL of Image"]);
    assert_eq!(export(&[]).expect(0).json()["embedded"], 200);
    let file = catalog(&sandbox);
    file.execute_batch(
        "INSERT INTO dbag_place VALUES (1, '/srv/site', 'https://one.example.org/'), (2, 's3://two', NULL);
         INSERT INTO dbag_published SELECT SHA256, 1, 'https://one.example.org/x/' || SHA256 FROM \"domain:Image\";
         INSERT INTO dbag_published SELECT SHA256, 2, 's3://two/' || SHA256 FROM \"domain:Image\" LIMIT 150;",
    )
    .unwrap();
    let hosts = || {
        let bag = dbag::bag::Bag::open(&sandbox.path("lab/digits-1.0.0.zip")).unwrap();
        let hosts = bag.fetch().map(|entry| entry.url.to_string().split('/').nth(2).unwrap().to_owned());
        let mut hosts: Vec<String> = hosts.collect();
        hosts.dedup();
        hosts
    };
    for mode in ["auto", "remote"] {
        let report = export(&["--assets", mode]).expect(0).json();
        assert_eq!((report["embedded"].as_u64(), report["remote"].as_bool()), (Some(0), Some(true)));
        assert_eq!(hosts(), ["one.example.org"]);
    }
    let report = export(&["--from", "s3://two"]).expect(0).json();
    assert_eq!(report["embedded"], 50);
    assert_eq!(hosts(), ["two"]);
    sandbox.dbag_in("lab", &["verify", "digits-1.0.0.zip"]).expect(4);
    let sql = "SELECT count(*) FROM Image WHERE URL LIKE '/' || SHA256";
    let rows = sandbox.dbag_in("lab", &["query", "digits-1.0.0.zip", sql, "--json"]).expect(0).json();
    assert_eq!(rows["rows"], serde_json::json!([[150]]));
    export(&["--from", "s3://two", "--assets", "remote"]).expect(1).says(&["no URL of Image"]);
    export(&["--from", "s3://three"]).expect(2).says(&["s3://three", "/srv/site", "s3://two"]);
    let report = export(&["--assets", "embed"]).expect(0).json();
    assert_eq!((report["embedded"].as_u64(), report["remote"].as_bool()), (Some(200), Some(false)));
}

#[test]
fn digests_of_files_elsewhere_that_no_manifest_covers() {
    let sandbox = Sandbox::with_digits();
    let file = catalog(&sandbox);
    // As a row from elsewhere has it: a URL, and one digest of the two.
    file.execute_batch(
        "UPDATE \"domain:Image\" SET URL = 'https://h.example.org/' || Filename;
         INSERT INTO dbag_object SELECT MD5, SHA256, Length FROM \"domain:Image\";
         UPDATE \"domain:Image\" SET SHA256 = NULL WHERE Filename < 'digit-0100';",
    )
    .unwrap();
    let export =
        |more: &[&str]| sandbox.dbag_in("lab", &[&["export", "digits@1.0.0", "--force"], more].concat());
    export(&[]).expect(0);
    let algorithms = |name: &str| {
        let bag = dbag::bag::Bag::open(&sandbox.path("lab/digits-1.0.0.zip")).unwrap();
        bag.payload().all(|file| file.digests().iter().any(|digest| digest.algorithm().name() == name))
    };
    assert_eq!((algorithms("md5"), algorithms("sha256")), (true, false));
    file.execute_batch("UPDATE \"domain:Image\" SET MD5 = NULL WHERE Filename >= 'digit-0100'").unwrap();
    export(&[]).expect(1).says(&["no MD5", "no SHA-256", "Image ", "…"]);
    export(&["--hash-missing"]).expect(0);
    assert_eq!((algorithms("md5"), algorithms("sha256")), (true, true));
    export(&["--assets", "embed"]).expect(0);
    sandbox.dbag_in("lab", &["verify", "digits-1.0.0.zip"]).expect(0);
}

#[test]
fn a_bag_is_never_written_over_what_it_is_made_of() {
    let sandbox = Sandbox::new();
    sandbox.dbag(&["init", "lab"]).expect(0);
    let own = sandbox.write("images/a.bin", "the bytes");
    sandbox.dbag_in("lab", &["import", "../images", "--table", "Image", "--in-place"]).expect(0);
    sandbox.dbag_in("lab", &["dataset", "create", "images"]).expect(0);
    sandbox.dbag_in("lab", &["dataset", "add", "images", "--table", "Image"]).expect(0);
    sandbox.dbag_in("lab", &["release", "images", "--major", "-m", "one"]).expect(0);
    let export =
        |output: &str| sandbox.dbag_in("lab", &["export", "images@1.0.0", "--force", "-o", output]).expect(2);
    export("../images/a.bin").says(&["a.bin", "refer"]);
    assert_eq!(fs_err::read(own).unwrap(), b"the bytes");
    export(".dbag/catalog.sqlite").says(&["workspace's own folder"]);
    export(".dbag/new/bag.zip").says(&["workspace's own folder"]);
    export("../images").says(&["is a folder"]);
    sandbox.dbag_in("lab", &["fsck"]).expect(0);
}

#[test]
fn a_bag_tells_what_was_withdrawn_and_what_is_nested() {
    let sandbox = Sandbox::with_digits();
    let shown = sandbox.dbag_in("lab", &["dataset", "show", "digits", "--json"]).expect(0).json();
    let rid = shown["rid"].as_str().unwrap();
    let file = catalog(&sandbox);
    let held = format!("[{{\"dataset\":\"{rid}\",\"version\":\"1.0.0\"}}]");
    let tombstone = "INSERT INTO dbag_tombstone VALUES ('1-GONE', 'domain:Image', 2, 'asked for', 'me', ?)";
    file.execute(tombstone, [held]).unwrap();
    let nested = r#"{"nested":[{"rid":"1-PART","name":"part","version":"2.0.0"}]}"#;
    file.execute("UPDATE dbag_version SET details = ?", [nested]).unwrap();
    let exported = sandbox.dbag_in("lab", &["export", "digits@1.0.0"]).expect(0);
    assert!(exported.stdout.contains("1 row\n  domain:Image 1-GONE"), "{}", exported.stdout);
    let bag = dbag::bag::Bag::open(&sandbox.path("lab/digits-1.0.0.zip")).unwrap();
    assert_eq!(bag.info().get("Dbag-Withdrawn"), Some("1"));
    assert_eq!(bag.info().get("Dbag-Nested"), Some("part@2.0.0 (1-PART)"));
    sandbox.dbag_in("lab", &["verify", "digits-1.0.0.zip"]).expect(0);
}

#[test]
fn what_was_published_is_what_bags_refer_to_from_then_on() {
    let sandbox = Sandbox::with_digits();
    let lab = |words: &[&str]| sandbox.dbag_in("lab", words);
    let site = sandbox.path("site");
    let server = {
        let site = site.clone();
        Server::start(move |path, _| match fs_err::read(site.join(path.trim_start_matches("/d/"))) {
            Ok(body) => Reply::Body(body),
            Err(_) => Reply::Status(404, String::new()),
        })
    };
    let base = format!("{}/d", server.url());
    lab(&["publish", "digits@1.0.0", "--to", "../site", "--bag"])
        .expect(2)
        .says(&["under which URL", "../site"]);
    lab(&["publish", "digits@1.0.0", "--to", "../site", "--base-url", "ftp://h/"])
        .expect(2)
        .says(&["ftp://h/"]);
    let publish = |more: &[&str]| {
        let words = ["publish", "digits@1.0.0", "--to", "../site", "--json"];
        lab(&[&words[..], more].concat()).expect(0).json()
    };
    let planned = publish(&["--base-url", &base, "--dry-run"]);
    assert_eq!((planned["copied"].as_u64(), site.exists()), (Some(200), false));
    assert_eq!(lab(&["export", "digits@1.0.0", "--dry-run", "--json"]).expect(0).json()["embedded"], 200);
    let published = publish(&["--base-url", &base]);
    assert_eq!(published["copied"], 200);
    // The URL is remembered, the bag refers to it, and nothing is copied again.
    let again = publish(&["--bag"]);
    assert_eq!((again["copied"].as_u64(), again["present"].as_u64()), (Some(0), Some(200)));
    assert_eq!(again["bag"]["sha256"], sha256(&site.join("digits-1.0.0.zip")));
    let exported = lab(&["export", "digits@1.0.0", "--json"]).expect(0).json();
    assert_eq!(
        (&exported["embedded"], &exported["sha256"]),
        (&serde_json::json!(0), &again["bag"]["sha256"])
    );
    let url = format!("{base}/digits-1.0.0.zip");
    sandbox.dbag(&["materialize", &url, "--to", "whole", "--no-cache"]).expect(0);
    sandbox.dbag(&["verify", "whole"]).expect(0);
    lab(&["fsck"]).expect(0);
}
