//! `dbag cache`, `dbag ls`, and where the settings come from.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use dbag::bag::{Algorithm, NoProgress, hash_reader};
use dbag::cache::{Cache, Object};

use crate::support::{HandBag, Sandbox, tree};

/// Puts a file into the sandbox's cache, as materialize does.
fn add(sandbox: &Sandbox, contents: &str) -> Object {
    add_at(&sandbox.path("home/.cache/dbag"), contents)
}

fn add_at(root: &Path, contents: &str) -> Object {
    let cache = Cache::open(root).unwrap();
    let algorithms = [Algorithm::Md5, Algorithm::Sha256];
    let digests = hash_reader(&mut contents.as_bytes(), &algorithms, &mut [0; 4096], &NoProgress).unwrap().1;
    let mut file = cache.temporary().unwrap();
    file.write_all(contents.as_bytes()).unwrap();
    let object = cache.add(file, &digests[1], Some(&digests[0])).unwrap();
    cache.stamp_batch(std::slice::from_ref(&object)).unwrap();
    object
}

fn damage(object: &Object, contents: &str) {
    fs_err::remove_file(&object.path).unwrap();
    fs_err::write(&object.path, contents).unwrap();
}

#[test]
fn dir_says_where_the_cache_is_and_who_says_so() {
    let sandbox = Sandbox::new();
    let dir = |more: &[&str], variable: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dbag"));
        command.args(["cache", "dir", "--json"]).args(more).current_dir(sandbox.path("."));
        if let Some(value) = variable {
            command.env("DBAG_CACHE", value);
        }
        let document = sandbox.run(&mut command).expect(0).json();
        let text = |member: &str| document[member].as_str().unwrap().to_owned();
        (text("cache"), text("set_by"))
    };
    let (cache, set_by) = dir(&[], None);
    assert!(cache.ends_with("home/.cache/dbag") && set_by == "default", "{cache} {set_by}");
    sandbox.write("home/.config/dbag/config.toml", "[settings]\ncache = \"/users\"\n");
    let (cache, set_by) = dir(&[], None);
    assert!(cache == "/users" && set_by.ends_with("home/.config/dbag/config.toml"), "{cache} {set_by}");
    sandbox.write("dbag.toml", "[settings]\ncache = \"below\"\n");
    let (cache, set_by) = dir(&[], None);
    assert!(cache.ends_with("/below") && set_by.ends_with("/dbag.toml"), "{cache} {set_by}");
    assert_eq!(dir(&[], Some("/variable")), ("/variable".into(), "DBAG_CACHE".into()));
    assert_eq!(dir(&["--cache", "/flag"], Some("/variable")), ("/flag".into(), "--cache".into()));
    assert!(!sandbox.path("home/.cache").exists() && !sandbox.path("below").exists(), "asking makes nothing");
}

#[test]
fn a_folder_s_settings_that_could_leak_credentials_are_refused_in_one_sentence() {
    let sandbox = Sandbox::new();
    sandbox.write("dbag.toml", "[settings]\nkeychain = \"theirs.json\"\n");
    sandbox.dbag(&["cache", "dir"]).expect(2).says(&["dbag.toml, line 2", "keychain may not be set"]);
    sandbox.write("dbag.toml", "[settings]\ncahce = \"x\"\n");
    sandbox.dbag(&["ls"]).expect(2).says(&["dbag.toml, line 2", "cahce is no setting"]);
}

#[test]
fn an_empty_cache_is_an_answer() {
    let sandbox = Sandbox::new();
    for words in [&["ls"][..], &["cache", "ls"], &["cache", "du"], &["cache", "verify"], &["cache", "gc"]] {
        sandbox.dbag(words).expect(0);
        sandbox.dbag(&[words, &["--json"]].concat()).expect(0).json();
    }
    sandbox.dbag(&["cache", "pin", "--list"]).expect(0);
    assert!(!sandbox.path("home/.cache").exists(), "looking makes nothing");
}

#[test]
fn what_is_in_it_is_listed_counted_and_verified() {
    let sandbox = Sandbox::new();
    let object = add(&sandbox, "abc");
    add(&sandbox, "abcd");
    let listed = sandbox.dbag(&["cache", "ls", "--json"]).expect(0).json();
    assert_eq!(listed["objects"].as_array().unwrap().len(), 2);
    assert!(sandbox.dbag(&["cache", "ls"]).expect(0).stdout.contains(&object.sha256.to_string()));
    let usage = sandbox.dbag(&["cache", "du", "--json"]).expect(0).json();
    assert_eq!(usage["kinds"][0], serde_json::json!({"kind": "objects", "files": 2, "bytes": 7}));
    assert_eq!(usage["bytes"], 7);
    sandbox.dbag(&["cache", "verify"]).expect(0);

    damage(&object, "abx");
    let output = sandbox.dbag(&["cache", "verify"]).expect(1);
    assert!(
        output.stdout.contains("put aside as") && output.stdout.contains("1 object damaged"),
        "{output:?}"
    );
    let report = sandbox.dbag(&["cache", "verify", "--json"]).expect(0).json();
    assert_eq!((report["objects"].as_u64(), report["damaged"].as_array().map(Vec::len)), (Some(1), Some(0)));
}

#[test]
fn pinned_bags_are_found_by_path_and_by_name() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "abc"), ("b", "2")])
        .add("bag-info.txt", "External-Identifier: digits@1.0.0\n")
        .write(&sandbox.path("bag"));
    add(&sandbox, "abc");
    sandbox.dbag(&["cache", "pin", "digits@1.0.0"]).expect(2).says(&["digits@1.0.0 does not exist"]);
    let pin = sandbox.dbag(&["cache", "pin", "bag", "--json"]).expect(0).json();
    assert_eq!((pin["name"].as_str(), pin["files"].as_u64()), (Some("digits@1.0.0"), Some(2)));
    let listed = sandbox.dbag(&["cache", "pin", "--list", "--json"]).expect(0).json();
    assert_eq!(listed["pins"], serde_json::json!([pin]));
    assert_eq!(sandbox.dbag(&["cache", "ls", "--json"]).expect(0).json()["objects"][0]["kept"], true);

    sandbox.dbag(&["cache", "unpin", "other"]).expect(2).says(&["\"other\" is not pinned"]);
    sandbox.dbag(&["cache", "unpin", "digits@1.0.0"]).expect(0);
    // A bag that is known by name can be pinned by it.
    sandbox.dbag(&["verify", "bag"]).expect(0);
    sandbox.dbag(&["cache", "pin", "digits@1.0.0"]).expect(0);
    sandbox.dbag(&["cache", "unpin", "bag"]).expect(0);
    HandBag::new("1.0", &[("a", "abc")])
        .add("bag-info.txt", "External-Identifier: digits@1.0.0\n")
        .write(&sandbox.path("copy"));
    sandbox.dbag(&["verify", "copy"]).expect(0);
    sandbox.dbag(&["cache", "pin", "digits@1.0.0"]).expect(2).says(&["ambiguous", "/bag", "/copy"]);
    sandbox.dbag(&["cache", "pin"]).expect(2);
}

#[cfg(unix)]
#[test]
fn a_path_can_t_forge_a_line() {
    let sandbox = Sandbox::new();
    let name = "bag\nforged@1.0.0  whole\u{1b}[2J";
    let shown = "bag\\nforged@1.0.0  whole\\u{1b}[2J";
    HandBag::new("1.0", &[("a", "1")]).write(&sandbox.path(name));
    let commands: [&[&str]; 7] = [
        &["verify", name],
        &["materialize", name],
        &["plan", name],
        &["ls"],
        &["cache", "pin", name],
        &["cache", "pin", "--list"],
        &["cache", "unpin", name],
    ];
    for command in commands {
        let output = sandbox.dbag(command).expect(0).stdout;
        assert!(output.contains(shown), "{command:?}: {output:?}");
        assert!(
            !output.lines().any(|line| line.starts_with("forged")) && !output.contains('\u{1b}'),
            "{output:?}"
        );
    }
}

#[test]
fn gc_keeps_what_is_fresh_and_touches_no_workspace() {
    let sandbox = Sandbox::with_digits();
    let before = tree(&sandbox.path("lab"));
    let object = add(&sandbox, "abc");
    for more in [&["--dry-run"][..], &[]] {
        let arguments = [&["cache", "gc", "--max-size", "0", "--older-than", "0s", "--json"], more].concat();
        let report = sandbox.dbag(&arguments).expect(0).json();
        assert_eq!(
            (report["removed"].as_u64(), report["left_bytes"].as_u64()),
            (Some(0), Some(3)),
            "{report}"
        );
    }
    assert!(object.path.exists());
    let output = sandbox.dbag(&["cache", "gc", "--max-size", "0"]).expect(0);
    assert!(output.stdout.contains("more than --max-size"), "{output:?}");
    for bad in [["--max-size", "many"], ["--older-than", "30"]] {
        sandbox.dbag(&["cache", "gc", bad[0], bad[1]]).expect(2);
    }
    // A workspace is no cache, and nothing in it is taken for one.
    sandbox
        .dbag(&["cache", "gc", "--max-size", "0", "--cache", "lab/.dbag"])
        .expect(2)
        .says(&["not a dbag cache"]);
    sandbox.dbag(&["cache", "gc", "--max-size", "0", "--cache", "lab/.dbag/objects"]).expect(0);
    assert_eq!(tree(&sandbox.path("lab")), before);
}

#[test]
fn a_cache_of_a_newer_dbag_is_refused_by_name() {
    let sandbox = Sandbox::new();
    sandbox.write("home/.cache/dbag/format", "dbag cache 2\n");
    sandbox.dbag(&["cache", "du"]).expect(3).says(&["newer dbag", "dbag cache 2"]);
    // What does not need it works without.
    HandBag::new("1.0", &[("a", "1")]).write(&sandbox.path("bag"));
    sandbox.dbag(&["verify", "bag"]).expect(0);
}

#[test]
fn bags_that_were_verified_are_known_until_they_are_gone() {
    let sandbox = Sandbox::with_digits();
    sandbox.dbag_in("lab", &["export", "digits@1.0.0", "-o", "../digits.zip"]).expect(0);
    HandBag::new("1.0", &[("a", "1")]).write(&sandbox.path("bag"));
    HandBag::new("1.0", &[("a", "1")]).add("data/a", "damaged").write(&sandbox.path("wrong"));
    assert!(sandbox.dbag(&["ls"]).expect(0).stdout.contains("No bags are known"));
    sandbox.dbag(&["verify", "digits.zip"]).expect(0);
    sandbox.dbag(&["verify", "bag", "--level", "structure"]).expect(0);
    sandbox.dbag(&["verify", "wrong"]).expect(1);
    assert_eq!(sandbox.dbag(&["ls", "--json"]).json()["bags"].as_array().unwrap().len(), 1);
    sandbox.dbag(&["verify", "bag"]).expect(0);
    let bags = sandbox.dbag(&["ls", "--json"]).expect(0).json()["bags"].clone();
    assert_eq!((bags[0]["name"].as_str(), bags[0]["state"].as_str()), (None, Some("whole")));
    assert_eq!((bags[1]["name"].as_str(), bags[1]["version"].as_str()), (Some("digits"), Some("1.0.0")));
    assert_eq!(bags[0]["files"], 1);
    assert!(
        bags[1]["bytes"].as_u64() > Some(1000) && bags[1]["path"].as_str().unwrap().ends_with("/digits.zip")
    );

    fs_err::remove_file(sandbox.path("digits.zip")).unwrap();
    let text = sandbox.dbag(&["ls"]).expect(0).stdout;
    assert!(text.contains("digits@1.0.0") && text.contains("gone"), "{text}");
    assert_eq!(sandbox.dbag(&["cache", "gc", "--json"]).expect(0).json()["forgotten_bags"], 1);
    assert_eq!(sandbox.dbag(&["ls", "--json"]).json()["bags"].as_array().unwrap().len(), 1);
}

#[test]
fn processes_that_add_verify_and_collect_at_once_do_no_harm() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("cache");
    std::thread::scope(|scope| {
        for command in ["verify", "gc", "du", "ls"] {
            let (sandbox, root) = (&sandbox, &root);
            scope.spawn(move || {
                for _ in 0..5 {
                    sandbox.dbag(&["cache", command, "--cache", root.to_str().unwrap()]).expect(0);
                }
            });
        }
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..50 {
                    let contents = format!("file {number}");
                    assert_eq!(fs_err::read_to_string(add_at(&root, &contents).path).unwrap(), contents);
                }
            });
        }
    });
    let report = sandbox.dbag(&["cache", "verify", "--cache", "cache", "--json"]).expect(0).json();
    assert_eq!((report["objects"].as_u64(), report["stamped"].as_u64()), (Some(50), Some(0)));
    assert!(!root.join("aside-1").exists());
}
