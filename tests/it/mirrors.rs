//! Mirrors that are not what they should be: they fail nothing, and what is wrong with them is told once.

use std::os::unix::fs::symlink;

use crate::support::{Output, Remote, Reply, Sandbox, Server};

/// A bag of 41 files at a server, and a mirror's folder that has all of them.
fn case() -> (Sandbox, Remote, Server) {
    let (sandbox, remote) = (Sandbox::new(), Remote::of(40, 100, 100));
    let files = remote.clone();
    let server = Server::start(move |path, _| files.reply(path));
    remote.bag(&server.url()).write(&sandbox.path("bag"));
    for name in remote.names() {
        sandbox.write(&format!("mirror/data/{name}"), &*remote.body(name));
    }
    (sandbox, remote, server)
}

fn materialize(sandbox: &Sandbox, to: &str, more: &[&str]) -> Output {
    sandbox.dbag(&[&["materialize", "bag", "--to", to, "--no-cache", "--json"], more].concat())
}

#[test]
fn a_wrong_copy_in_a_folder_is_told() {
    let (sandbox, remote, server) = case();
    sandbox.write("mirror/data/small/0001.bin", "short");
    sandbox.write("mirror/data/small/0002.bin", [1; 100]);
    for (name, target) in [("0003", "real"), ("0004", "nowhere")] {
        let path = sandbox.path(&format!("mirror/data/small/{name}.bin"));
        fs_err::remove_file(&path).unwrap();
        symlink(sandbox.path(target), path).unwrap();
    }
    sandbox.write("real", &*remote.body("small/0003.bin"));
    let report = materialize(&sandbox, "offline", &["--from", "mirror", "--offline"]).expect(4).json();
    let failures = report["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 3, "{report}");
    let wrong = ["it has 5 bytes, fetch.txt says 100", "sha256 is ", "it is a link that leads nowhere"];
    for (failure, wrong) in failures.iter().zip(wrong) {
        let reason = failure["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("the copy in mirror is wrong: {wrong}")), "{reason}");
    }
    let output = materialize(&sandbox, "online", &["--from", "mirror"]).expect(0);
    assert_eq!(output.stderr.matches("the copy in mirror is wrong").count(), 1, "{output:?}");
    assert_eq!(output.json()["notes"].as_array().unwrap().len(), 1);
    assert_eq!(server.requests().len(), 3);
    remote.assert_complete(&sandbox.path("online"));
}

#[test]
fn a_mirror_that_is_not_there_or_refuses_is_told_once() {
    let (sandbox, remote, server) = case();
    let refuses = Server::start(|_, _| Reply::status(401));
    let refusing = format!("{}/m", refuses.url());
    for (from, part, to) in
        [("http://127.0.0.1:9/m", "refused", "dead"), (refusing.as_str(), "401", "refusing")]
    {
        let output = materialize(&sandbox, to, &["--from", from]).expect(0);
        let note = format!("{from}/ gives nothing: ");
        let line = output.stderr.lines().find(|line| line.contains(&note));
        assert!(line.is_some_and(|line| line.contains(part)), "{output:?}");
        assert_eq!(output.stderr.matches(&note).count(), 1, "{output:?}");
        assert!(output.json()["notes"][0].as_str().unwrap().contains(&note), "{output:?}");
        remote.assert_complete(&sandbox.path(to));
    }
    assert_eq!(server.requests().len(), 2 * 41);
    let output = materialize(&sandbox, "ftp", &["--from", "ftp://example.org/m"]).expect(2);
    assert!(output.stderr.contains("dbag can't fetch ftp: URLs"), "{output:?}");
}

#[test]
fn a_mirror_that_lacks_everything_is_soon_not_asked_any_more() {
    let sandbox = Sandbox::new();
    let remote = Remote::of(600, 10, 10);
    let files = remote.clone();
    let server = Server::start(move |path, _| files.reply(path));
    remote.bag(&server.url()).write(&sandbox.path("bag"));
    let empty = Server::start(|_, _| Reply::status(404));
    let output = materialize(&sandbox, "out", &["--from", &empty.url(), "--connections", "8"]).expect(0);
    remote.assert_complete(&sandbox.path("out"));
    assert!(output.stderr.contains("had none of 24 files in a row"), "{output:?}");
    let asked = empty.requests().len();
    assert!(asked < 250, "{asked} requests");
}
