//! Places that are named on the command line and are not what they should be: each is told in one sentence, with the
//! exit code that says whose matter it is.

use crate::support::{HandBag, Remote, Sandbox, Server};

#[test]
fn where_nothing_can_be_made_is_a_matter_of_the_environment() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1")]).zip(&sandbox.path("bag.zip"));
    sandbox.write("file", "no folder");
    for to in ["/proc/x", "/dev/null/x", "file/x"] {
        let output = sandbox.dbag(&["materialize", "bag.zip", "--to", to]);
        output.expect(3).says(&["nothing can be made in", to.strip_suffix("/x").unwrap()]);
    }
    sandbox.dbag(&["materialize", "bag.zip/x"]).expect(2).says(&["bag.zip/x does not exist"]);

    let remote = Remote::of(1, 10, 10);
    let server = Server::with(move |request| remote.reply(&request.path));
    Remote::of(1, 10, 10).bag(&server.url()).write(&sandbox.path("bag"));
    let run = |cache: &str| sandbox.dbag(&["materialize", "bag", "--cache", cache]).expect(3);
    run("/proc/cc").says(&["/proc/cc"]);
    run("file").says(&["/file is not a folder"]);
    sandbox.dbag(&["cache", "du", "--cache", "file"]).expect(3).says(&["/file is not a folder"]);
}

#[test]
fn a_bag_may_be_named_by_a_file_url_and_not_by_one_that_can_t_be_fetched() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1")]).zip(&sandbox.path("my bag.zip"));
    let url = url::Url::from_file_path(sandbox.path("my bag.zip")).unwrap();
    sandbox.dbag(&["plan", url.as_str()]).expect(0);
    sandbox.dbag(&["materialize", url.as_str(), "--to", "out"]).expect(0);
    assert!(sandbox.path("out/data/a").is_file());
    for command in ["plan", "materialize"] {
        let run = |url: &str| sandbox.dbag(&[command, url]).expect(2);
        run("ftp://example.org/bag.zip").says(&["dbag can't fetch ftp: URLs"]);
        run("file://elsewhere/bag.zip")
            .says(&["\"file://elsewhere/bag.zip\" is not a URL that dbag can fetch"]);
        run("file:///nowhere/bag.zip").says(&["/nowhere/bag.zip does not exist"]);
    }
}

#[test]
fn a_keychain_that_was_named_must_be_there() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1")]).write(&sandbox.path("bag"));
    let output = sandbox.dbag(&["materialize", "bag", "--keychain", "nope.json"]);
    output.expect(2).says(&["--keychain: the keychain", "nope.json does not exist"]);
    let mut command = sandbox.command(&["materialize", "bag"]);
    let output = sandbox.run(command.env("DBAG_KEYCHAIN", "nope"));
    output.expect(2).says(&["DBAG_KEYCHAIN: the keychain", "nope does not exist"]);
    sandbox.write("home/.config/dbag/config.toml", "[settings]\nkeychain = \"keys.json\"\n");
    sandbox.dbag(&["plan", "bag"]).expect(2).says(&["config.toml: the keychain", "keys.json does not exist"]);
    sandbox.write("home/.config/dbag/keys.json", "[]");
    sandbox.dbag(&["plan", "bag"]).expect(0);
}
