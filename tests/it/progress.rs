//! What is told of the progress is what is there: not what came for nothing, nor the same thing twice.

use std::sync::Arc;

use crate::support::{HandBag, Reply, Request, Sandbox, Server, hex_sha256, noise};

/// The octets that the last line of progress tells, of a run that fetches one file and ends with this code.
fn told(body: &[u8], code: i32, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> u64 {
    let (server, sandbox) = (Server::with(handler), Sandbox::new());
    HandBag::new("1.0", &[])
        .add("manifest-sha256.txt", &format!("{}  data/a\n", hex_sha256(body)))
        .add("fetch.txt", &format!("{}/a\t{}\tdata/a\n", server.url(), body.len()))
        .write(&sandbox.path("bag"));
    let arguments = ["materialize", "bag", "--no-cache", "--progress", "json"];
    let output = sandbox.dbag(&arguments).expect(code);
    let mut lines = output.stderr.lines().filter_map(|line| serde_json::from_str(line).ok());
    let fetching: Option<serde_json::Value> =
        lines.rfind(|line: &serde_json::Value| line["progress"] == "fetching");
    fetching.unwrap()["bytes"].as_u64().unwrap()
}

#[test]
fn octets_that_came_for_nothing_are_not_counted() {
    let small: Arc<[u8]> = noise(50_000, 1).into();
    let body = Arc::clone(&small);
    assert_eq!(told(&small, 3, move |_| Reply::file(&*body, None).cut(40_000)), 0);
    let body = Arc::clone(&small);
    let cut_twice = move |request: &Request| match request.count {
        0 | 1 => Reply::file(&*body, Some("v1")).cut(20_000),
        _ => Reply::file(&*body, Some("v1")),
    };
    assert_eq!(told(&small, 0, cut_twice), 50_000);
    assert_eq!(told(&small, 1, |_| Reply::file(noise(50_000, 2), None)), 0);

    let large: Arc<[u8]> = noise(20 << 20, 1).into();
    let body = Arc::clone(&large);
    let changes = move |request: &Request| match request.count {
        0 => Reply::file(noise(20 << 20, 2), Some("old")),
        _ => Reply::file(&*body, Some("new")),
    };
    assert_eq!(told(&large, 0, changes), 20 << 20);
    let body = Arc::clone(&large);
    let cut = move |_: &Request| Reply::file(&*body, Some("v1")).ignoring_ranges().cut(3 << 20);
    assert_eq!(told(&large, 3, cut), 0);
}
