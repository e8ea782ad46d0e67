//! Servers that are down, or lack what they should have: few questions tell, however many files are wanted.

use std::time::{Duration, Instant};

use crate::support::{Output, Remote, Reply, Sandbox, Server};

fn materialize(sandbox: &Sandbox, more: &[&str]) -> Output {
    let arguments = [&["materialize", "bag", "--no-cache", "--json"], more].concat();
    sandbox.dbag(&arguments)
}

#[test]
fn a_server_that_is_down_is_soon_not_asked_any_more() {
    let remote = Remote::of(1500, 10, 10);
    let sandbox = Sandbox::new();
    remote.bag("http://127.0.0.1:9").write(&sandbox.path("bag"));
    let report = materialize(&sandbox, &[]).expect(3).json();
    assert!(report["retries"].as_u64().unwrap() < 250, "{}", report["retries"]);
    assert_eq!(report["failed_files"], 1501);

    let server = Server::start(|_, _| Reply::status(500));
    remote.bag(&server.url()).write(&sandbox.path("bag"));
    let report = materialize(&sandbox, &[]).expect(3).json();
    let asked = server.requests().len();
    assert!(asked < 250, "{asked} requests");
    assert!(report["failures"][0]["reason"].as_str().unwrap().contains("500"), "{}", report["failures"][0]);
}

#[test]
fn a_server_that_is_away_for_a_moment_is_waited_for() {
    let remote = Remote::of(300, 10, 20 << 20);
    let files = remote.clone();
    let began = Instant::now();
    let server = Server::start(move |path, _| match began.elapsed() {
        // A while after the run has begun.
        time if time > Duration::from_secs(3) => files.reply(path),
        time if time < Duration::from_millis(200) => files.reply(path),
        _ => Reply::Hangup,
    });
    let sandbox = Sandbox::new();
    remote.bag(&server.url()).write(&sandbox.path("bag"));
    materialize(&sandbox, &[]).expect(0);
    remote.assert_complete(&sandbox.path("bag"));
}
