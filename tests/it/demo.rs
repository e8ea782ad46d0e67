//! `dbag demo`.

use crate::support::Sandbox;

#[test]
fn the_demo_tells_its_story_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let temporary = sandbox.path("tmp");
    fs_err::create_dir(&temporary).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dbag"));
    let output = sandbox
        .run(command.arg("demo").env("TMPDIR", &temporary).current_dir(sandbox.path("home")))
        .expect(0);
    for part in [
        "$ dbag release digits --major",
        "right so far, 200 files",
        "complete and valid",
        "E203 data/asset/",
        "Try next",
    ] {
        assert!(output.stdout.contains(part), "{part:?} is not in {}", output.stdout);
    }
    assert_eq!(output.stderr, "");
    assert_eq!(fs_err::read_dir(&temporary).unwrap().count(), 0);
    assert_eq!(fs_err::read_dir(sandbox.path("home")).unwrap().count(), 0);
}

#[test]
fn the_demo_can_be_kept_and_its_last_words_work() {
    let sandbox = Sandbox::new();
    let document = sandbox.dbag(&["demo", "--keep", "play", "--json"]).expect(0).json();
    assert_eq!(document["steps"].as_array().unwrap().len(), 15);
    sandbox.dbag_in("play", &["dataset", "show", "digits", "--workspace", "lab"]).expect(0);
    sandbox.dbag(&["demo", "--keep", "play"]).expect(2).says(&["play", "exists"]);
}
