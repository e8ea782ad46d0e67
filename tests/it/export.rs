//! `dbag export` and `dbag publish`: the same bytes at every run, and old versions for ever.

use std::path::Path;

use dbag::bag::NoProgress;
use dbag::catalog::{Agent, Clock, CreateOptions, Program};
use dbag::export::{AssetMode, ExportOptions, export};
use dbag::ingest::{AssetImport, TableImport, import_folder, import_table};
use dbag::model::RidPrefix;
use dbag::open::Workspace;
use dbag::version::Bump;

use crate::support::{Sandbox, sha256, tree};

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

/// What is exported for bag format 1 never changes: if this fails, the format needs a new number.
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
    for assets in [AssetMode::Embed, AssetMode::Remote("https://data.example.org/x".into())] {
        let options = ExportOptions { output: sandbox.path("golden.zip"), assets, force: true };
        digests.push(
            export(&lab.catalog, &lab.objects, &release.reference, &options, &NoProgress)
                .unwrap()
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
