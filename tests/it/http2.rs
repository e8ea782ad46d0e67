//! HTTP/2 where a server offers it: what it is asked for, how much of it at once, and over which connection.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::support::{Output, Remote, Sandbox, Server, Speaks, tls_ca};

const MIB: usize = 1 << 20;
const BOTH: Speaks = Speaks { protocols: &["h2", "http/1.1"], streams: None };

fn materialize(sandbox: &Sandbox, more: &[&str]) -> Output {
    let ca = tls_ca();
    sandbox.dbag(&[&["materialize", "bag", "--json", "--ca-cert", ca.to_str().unwrap()][..], more].concat())
}

#[test]
fn files_come_over_http_2_where_it_is_offered_and_else_over_http_1() {
    let remote = Remote::of(40, 20_000, 70 * MIB);
    let cases: [(&'static [&'static str], &str); 4] = [
        (&["h2", "http/1.1"], "HTTP/2.0"),
        (&["h2"], "HTTP/2.0"),
        (&["http/1.1"], "HTTP/1.1"),
        (&[], "HTTP/1.1"),
    ];
    for (protocols, version) in cases {
        let files = remote.clone();
        let server = Server::set_up()
            .speaking(Speaks { protocols, streams: None })
            .start(move |request| files.reply(&request.path).after(Duration::from_millis(5)));
        let sandbox = Sandbox::new();
        remote.bag(&server.url()).write(&sandbox.path("bag"));
        let report = materialize(&sandbox, &["--connections", "6"]).expect(0).json();
        remote.assert_complete(&sandbox.path("bag"));
        assert_eq!(report["retries"].as_u64(), Some(0), "{protocols:?}");
        let requests = server.requests();
        assert_eq!(requests.len(), 40 + 5, "{protocols:?}: one for each file, or 16 MiB");
        for request in requests {
            assert_eq!(request.lines().next().unwrap().rsplit(' ').next(), Some(version), "{request}");
        }
        let (requests, connections) = (server.peak_requests(), server.peak_connections());
        assert!((2..=6).contains(&requests), "{protocols:?}: {requests} requests at once");
        // One whose answer has just been read may not be free again when the next request is made.
        assert!(connections <= 9, "{protocols:?}: {connections} connections at once");
    }
}

#[test]
fn answers_that_wait_for_memory_hold_up_no_others() {
    // More than there is memory for is under way, some of it in ranges: what is not taken yet must leave room for the rest.
    let small = (0..60).map(|index| (format!("{index:02}.bin"), crate::support::noise(3 * MIB, index)));
    let large = (60..66).map(|index| (format!("{index:02}.bin"), crate::support::noise(40 * MIB, index)));
    let remote = Remote::new(small.chain(large));
    let files = remote.clone();
    let server = Server::set_up()
        .speaking(BOTH)
        .start(move |request| files.reply(&request.path).drip(32 << 10, Duration::from_millis(20)));
    let sandbox = Sandbox::new();
    remote.bag(&server.url()).write(&sandbox.path("bag"));
    let report = materialize(&sandbox, &["--connections", "128", "--stall-timeout", "10"]).expect(0).json();
    remote.assert_complete(&sandbox.path("bag"));
    assert_eq!(report["retries"].as_u64(), Some(0), "{report}");
}

#[test]
fn a_server_that_answers_few_requests_at_once_is_waited_for() {
    let remote = Remote::of(30, 1000, 48 * MIB);
    let files = remote.clone();
    let server = Server::set_up()
        .speaking(Speaks { streams: Some(2), ..BOTH })
        .start(move |request| files.reply(&request.path).drip(64 << 10, Duration::from_millis(15)));
    let sandbox = Sandbox::new();
    remote.bag(&server.url()).write(&sandbox.path("bag"));
    let report = materialize(&sandbox, &["--stall-timeout", "2"]).expect(0).json();
    remote.assert_complete(&sandbox.path("bag"));
    let sent = server.sent_of("/large.bin");
    assert!(sent <= 48 * MIB as u64 * 13 / 10, "{sent}: {report}");
}

/// A line to a server, whose first connections carry so many octets and then nothing more, without an end.
fn line(to: &Server, dead: usize, octets: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = to.host();
    std::thread::spawn(move || {
        for (number, near) in listener.incoming().map_while(Result::ok).enumerate() {
            let far = TcpStream::connect(&target).unwrap();
            let limit = if number < dead { octets } else { usize::MAX };
            let (from, back) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || carry(from, back, usize::MAX));
            std::thread::spawn(move || carry(far, near, limit));
        }
    });
    port
}

fn carry(mut from: TcpStream, mut to: TcpStream, mut limit: usize) {
    let mut buffer = [0; 16 << 10];
    while let Ok(n) = from.read(&mut buffer) {
        if n == 0 || to.write_all(&buffer[..n]).is_err() {
            return;
        }
        limit = limit.saturating_sub(n);
        if limit == 0 {
            // Both ends stay open.
            std::thread::sleep(Duration::from_mins(1));
        }
    }
}

#[test]
fn a_connection_that_died_is_made_again() {
    let remote = Remote::of(30, 20_000, 40 * MIB);
    let files = remote.clone();
    let server =
        Server::set_up().host("127.0.0.1").speaking(BOTH).start(move |request| files.reply(&request.path));
    let port = line(&server, 8, 5 * MIB);
    let sandbox = Sandbox::new();
    remote.bag(&format!("https://127.0.0.1:{port}")).write(&sandbox.path("bag"));
    let began = Instant::now();
    materialize(&sandbox, &["--stall-timeout", "2"]).expect(0);
    remote.assert_complete(&sandbox.path("bag"));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
