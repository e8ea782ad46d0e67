//! Servers that are down, or lack what they should have: few questions tell, however many files are wanted.

use std::time::{Duration, Instant};

use crate::support::{HandBag, Output, Remote, Reply, Sandbox, Server, hex_sha256};

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

#[test]
fn a_silence_that_the_own_limit_makes_is_no_stall() {
    let body = |path: &str| if path == "/a" { vec![7; 500_000] } else { b"hello".to_vec() };
    // It gives small things only when the large one, which it may send slowly only, is nearly over.
    let server = Server::start(move |path, _| match path {
        "/a" => Reply::file(body(path), None),
        _ => Reply::file(body(path), None).after(Duration::from_millis(2500)),
    });
    let mut bag = HandBag::new("1.0", &[]);
    for name in ["a", "b", "c"] {
        let body = body(&format!("/{name}"));
        bag = bag
            .add("manifest-sha256.txt", &format!("{}  data/{name}\n", hex_sha256(&body)))
            .add("fetch.txt", &format!("{}/{name}\t{}\tdata/{name}\n", server.url(), body.len()));
    }
    let sandbox = Sandbox::new();
    bag.write(&sandbox.path("bag"));
    let options = ["--limit-rate", "100kB", "--stall-timeout", "1"];
    let report = materialize(&sandbox, &options).expect(0).json();
    assert_eq!(report["retries"], 0);

    // A server that is silent for no such reason is given up all the same.
    let sandbox = Sandbox::new();
    let server = Server::start(|_, _| Reply::file(*b"hello", None).after(Duration::from_secs(30)));
    HandBag::new("1.0", &[])
        .add("manifest-sha256.txt", &format!("{}  data/a\n", hex_sha256(b"hello")))
        .add("fetch.txt", &format!("{}/a\t5\tdata/a\n", server.url()))
        .write(&sandbox.path("bag"));
    let report = materialize(&sandbox, &options).expect(3).json();
    assert!(report["failures"][0]["reason"].as_str().unwrap().contains("for too long"), "{report}");
}
