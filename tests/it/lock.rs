//! `dbag.toml`, `dbag.lock`, and `dbag materialize --locked`.

use serde_json::json;

use crate::support::{Output, Sandbox, sha256};

/// A workspace `lab` with `digits@1.0.0`, and a project `train` beside it.
fn project() -> Sandbox {
    let sandbox = Sandbox::with_digits();
    fs_err::create_dir(sandbox.path("train")).unwrap();
    sandbox
}

fn train(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    sandbox.dbag_in("train", arguments)
}

fn read(sandbox: &Sandbox, name: &str) -> String {
    fs_err::read_to_string(sandbox.path(name)).unwrap()
}

/// Changes the dataset, and releases it with a greater minor number.
fn release(sandbox: &Sandbox, description: &str) {
    sandbox.dbag_in("lab", &["dataset", "describe", "digits", description]).expect(0);
    sandbox.dbag_in("lab", &["release", "digits", "--minor", "-m", description]).expect(0);
}

#[test]
fn a_version_of_a_workspace_is_locked_updated_and_brought() {
    let sandbox = project();
    sandbox.write("train/dbag.toml", "# for the paper\n[settings]\noffline = true # no network\n");
    let added =
        train(&sandbox, &["lock", "add", "digits@^1", "--workspace", "../lab", "--json"]).expect(0).json();
    assert_eq!(added["version"], "1.0.0");
    assert_eq!(
        read(&sandbox, "train/dbag.toml"),
        "# for the paper\n[settings]\noffline = true # no network\n\n[datasets]\n\
         digits = { version = \"^1\", workspace = \"../lab\" }\n"
    );
    train(&sandbox, &["lock", "check"]).expect(0);
    let lock = read(&sandbox, "train/dbag.lock");
    train(&sandbox, &["lock", "update"]).expect(0);
    assert_eq!(read(&sandbox, "train/dbag.lock"), lock);
    // The same as of the bag when it is cut.
    sandbox.dbag_in("lab", &["export", "digits@1.0.0", "-o", "../digits.zip"]).expect(0);
    assert_eq!(added["archive"], sha256(&sandbox.path("digits.zip")));

    let brought = train(&sandbox, &["materialize", "--locked", "--to", "data", "--json"]).expect(0).json();
    assert_eq!(brought["bags"][0]["whole"], true);
    assert_eq!(brought["bags"][0]["locked"]["version"], "1.0.0");
    sandbox.dbag(&["verify", "train/data"]).expect(0);

    release(&sandbox, "Better digits");
    train(&sandbox, &["lock", "check"]).expect(0);
    assert_eq!(read(&sandbox, "train/dbag.lock"), lock, "a new version changes no lock");
    let updated = train(&sandbox, &["lock", "update", "digits", "--json"]).expect(0).json();
    assert_eq!(updated["datasets"][0]["was"]["version"], "1.0.0");
    assert_eq!(updated["datasets"][0]["is"]["version"], "1.1.0");
    train(&sandbox, &["materialize", "--locked", "digits", "--to", "data"]).expect(2);
    train(&sandbox, &["materialize", "--locked", "digits", "--to", "data-1.1"]).expect(0);
    train(&sandbox, &["materialize", "--locked", "letters"]).expect(2).says(&["no dataset letters"]);
    // On a machine without the workspace, what was brought before is as good.
    fs_err::rename(sandbox.path("lab"), sandbox.path("elsewhere")).unwrap();
    train(&sandbox, &["lock", "check"]).expect(0);
    train(&sandbox, &["lock", "update"]).expect(2).says(&["no dbag workspace in", "lab"]);
    train(&sandbox, &["materialize", "--locked", "--no-cache", "--to", "copy"])
        .expect(2)
        .says(&["is nowhere"]);
    train(&sandbox, &["materialize", "--locked", "--to", "copy"]).expect(0);
    let list = train(&sandbox, &["lock", "list", "--json"]).expect(0).json();
    assert_eq!(list["datasets"][0]["requirement"], "^1");
    assert_eq!(list["datasets"][0]["locked"]["version"], "1.1.0");
}

#[test]
fn a_bag_is_locked_without_its_workspace_and_must_stay_what_it_was() {
    let sandbox = project();
    sandbox.dbag_in("lab", &["export", "digits@1.0.0", "-o", "../train/bags/one.zip"]).expect(0);
    release(&sandbox, "Better digits");
    sandbox.dbag_in("lab", &["export", "digits@1.1.0", "-o", "../train/bags/two.zip"]).expect(0);
    fs_err::rename(sandbox.path("lab"), sandbox.path("elsewhere")).unwrap();

    let refused = ["lock", "add", "digits@^1.1", "--bag", "bags/one.zip"];
    train(&sandbox, &refused).expect(2).says(&["bags/one.zip is a bag of digits@1.0.0", "digits@^1.1"]);
    train(&sandbox, &["lock", "add", "letters@^1", "--bag", "bags/one.zip"]).expect(2).says(&["letters@^1"]);
    assert!(!sandbox.path("train/dbag.toml").exists(), "nothing half-written");
    let url = ["lock", "add", "digits@^1", "--bag", "https://example.org/digits.zip"];
    train(&sandbox, &url).expect(2).says(&["https://example.org/digits.zip is not here"]);
    train(&sandbox, &["lock", "add", "digits@^1"]).expect(2);

    let added =
        train(&sandbox, &["lock", "add", "digits@1.0.0", "--bag", "bags/one.zip", "--json"]).expect(0);
    assert_eq!(added.json()["archive"], sha256(&sandbox.path("train/bags/one.zip")));
    assert_eq!(added.json()["bag"], "bags/one.zip");
    train(&sandbox, &["lock", "check"]).expect(0);
    train(&sandbox, &["materialize", "--locked", "--to", "data"]).expect(0);

    // Another bag by that name, though it is a right one.
    fs_err::copy(sandbox.path("train/bags/two.zip"), sandbox.path("train/bags/one.zip")).unwrap();
    let check = train(&sandbox, &["lock", "check", "--json"]).expect(1).json();
    assert_eq!(check["differences"].as_array().unwrap().len(), 1, "{check}");
    let differs = train(&sandbox, &["materialize", "--locked", "--to", "data-2"]).expect(1);
    differs.says(&["is not the digits@1.0.0 of dbag.lock", "content"]);
    assert!(!sandbox.path("train/data-2").exists());
    // The bag is gone, and the one that was made of it is known on this machine.
    fs_err::remove_file(sandbox.path("train/bags/one.zip")).unwrap();
    train(&sandbox, &["materialize", "--locked", "--to", "data-2"]).expect(0);
    fs_err::remove_dir_all(sandbox.path("train/data")).unwrap();
    fs_err::remove_dir_all(sandbox.path("train/data-2")).unwrap();
    train(&sandbox, &["materialize", "--locked", "--to", "data-3"])
        .expect(2)
        .says(&["digits@1.0.0 is nowhere"]);
}

#[test]
fn what_is_wrong_in_either_file_is_told_by_line() {
    let sandbox = project();
    train(&sandbox, &["lock", "check"]).expect(2).says(&["no dbag.toml"]);
    sandbox.write("train/dbag.toml", "[datasets]\ndigits = \"1\"\n");
    train(&sandbox, &["lock", "check"]).expect(2).says(&["dbag.toml, line 2", "says no versions"]);
    sandbox.write("train/dbag.toml", "[datasets]\ndigits = { version = \"^1\", workspace = \"../lab\" }\n");
    let unlocked = train(&sandbox, &["lock", "check", "--json"]).expect(1).json();
    assert_eq!(unlocked["differences"], json!([{"name": "digits", "what": "is asked for, and not locked"}]));
    train(&sandbox, &["materialize", "--locked"]).expect(2).says(&["dbag.lock has no dataset digits"]);
    train(&sandbox, &["lock", "update"]).expect(0);
    let lock = read(&sandbox, "train/dbag.lock");

    sandbox.write("train/dbag.toml", "[datasets]\ndigits = { version = \"^2\", workspace = \"../lab\" }\n");
    train(&sandbox, &["lock", "check"]).expect(1).stdout.contains("^2 is asked for").then_some(()).unwrap();
    train(&sandbox, &["materialize", "--locked"]).expect(1).says(&["requirement", "^2"]);
    train(&sandbox, &["lock", "update"]).expect(2).says(&["^2", "versions: 1.0.0"]);
    train(&sandbox, &["lock", "update", "letters"]).expect(2).says(&["asks for no dataset letters"]);
    assert_eq!(read(&sandbox, "train/dbag.lock"), lock);
    sandbox.write("train/dbag.toml", "");
    train(&sandbox, &["lock", "check"]).expect(1);
    train(&sandbox, &["lock", "update"]).expect(0);
    assert!(!read(&sandbox, "train/dbag.lock").contains("digits"));

    sandbox.write("train/dbag.lock", lock.replace("format = 1", "format = 2"));
    train(&sandbox, &["lock", "check"]).expect(3).says(&["made by a newer dbag (form 2"]);
    sandbox.write("train/dbag.lock", lock.replace("content = \"", "content = \"x"));
    train(&sandbox, &["lock", "list"]).expect(2).says(&["dbag.lock, line 10", "SHA-256"]);
    sandbox.write("train/dbag.lock", [0xff, 0xfe]);
    train(&sandbox, &["lock", "list"]).expect(2).says(&["is not UTF-8"]);
}
