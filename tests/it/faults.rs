//! Servers that misbehave, one way at a time: what is wrong is never taken for right, what can be had is had, and what
//! can't be had is told with its URL and reason. Whatever a server did before, once it is good the bag becomes whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::support::{
    HandBag, Output, Reply, Request, Sandbox, Server, hex_sha256, http_date, noise, tls_ca, tree,
};

/// No server keeps dbag busy for longer than this with one file that it does not give.
const PATIENCE: Duration = Duration::from_secs(40);

type Handler = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

/// One way to misbehave, and how it must end.
struct Case {
    name: &'static str,
    handler: Handler,
    ends: Ends,
}

#[derive(Debug, Clone, Copy)]
enum Ends {
    /// With the right bytes.
    Right,
    /// Exit code 1, with this finding.
    Wrong(&'static str),
    /// Exit code 3, with this in the file's line.
    Failed(&'static str),
    /// With the right bytes, or with a failure that is told.
    RightOrTold,
}

fn case(name: &'static str, ends: Ends, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Case {
    Case { name, ends, handler: Box::new(handler) }
}

/// One reply for the first requests, then another.
fn first(times: usize, bad: Reply, good: Reply) -> impl Fn(&Request) -> Reply {
    move |request| if request.count < times { bad.clone() } else { good.clone() }
}

fn always(reply: Reply) -> impl Fn(&Request) -> Reply {
    move |_| reply.clone()
}

/// A bag whose one file `data/a` is at `/a` of a server.
fn bag(server: &Server, body: &[u8], length: &str) -> HandBag {
    HandBag::new("1.0", &[])
        .add("manifest-sha256.txt", &format!("{}  data/a\n", hex_sha256(body)))
        .add("fetch.txt", &format!("{}/a\t{length}\tdata/a\n", server.url()))
}

/// Runs the cases, all at once, each with a good server at the end.
fn run(body: &[u8], cases: Vec<Case>) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || run_case(body, case));
        }
    });
}

fn run_case(body: &[u8], case: Case) {
    let sandbox = Sandbox::new();
    let good = Arc::new(AtomicBool::new(false));
    let (is_good, whole): (_, Arc<[u8]>) = (Arc::clone(&good), body.into());
    let handler = case.handler;
    let server = Server::with(move |request| {
        if is_good.load(Ordering::SeqCst) {
            Reply::file(Arc::clone(&whole), Some("good"))
        } else {
            handler(request)
        }
    });
    bag(&server, body, &body.len().to_string()).write(&sandbox.path("bag"));
    let arguments = ["materialize", "bag", "--connections", "4", "--stall-timeout", "1"];
    let output = sandbox.run_within(PATIENCE, &mut sandbox.command(&arguments));
    assert_ne!(output.code, -1, "{} took too long", case.name);
    check(case.name, case.ends, &output, &format!("{}/a", server.url()));
    only_right(case.name, &sandbox, body);
    if output.code == 0 {
        let sent = server.sent_of("/a");
        assert!(sent <= body.len() as u64 * 3 + 1000, "{}: {sent} octets were sent", case.name);
    }
    good.store(true, Ordering::SeqCst);
    let again = sandbox.dbag(&arguments);
    assert_eq!(again.code, 0, "{} and then a good server: {again:#?}", case.name);
    only_right(case.name, &sandbox, body);
    assert_eq!(tree(&sandbox.path("bag")).len(), 4, "{}: something was left behind", case.name);
}

fn check(name: &str, ends: Ends, output: &Output, url: &str) {
    let (codes, part): (&[i32], _) = match ends {
        Ends::Right => (&[0], ""),
        Ends::Wrong(code) => (&[1], code),
        Ends::Failed(part) => (&[3], part),
        Ends::RightOrTold => (&[0, 1, 3], ""),
    };
    assert!(codes.contains(&output.code), "{name}: {output:#?}");
    if output.code != 0 {
        let line = output.stdout.lines().find(|line| line.contains(url) && line.contains("data/a"));
        let line = line.unwrap_or_else(|| panic!("{name}: {output:#?}"));
        assert!(line.contains(part), "{name}: {line}");
    }
}

/// Below the final name are the right bytes, or nothing.
fn only_right(name: &str, sandbox: &Sandbox, body: &[u8]) {
    if let Ok(found) = fs_err::read(sandbox.path("bag/data/a")) {
        assert!(found == body, "{name}: {} of {} octets, or others", found.len(), body.len());
    }
}

#[test]
fn a_small_file_is_right_or_its_absence_is_told() {
    use Ends::{Failed, Right, RightOrTold, Wrong};
    let good = || Reply::file(*b"hello", Some("v1"));
    let seconds = |seconds| http_date(SystemTime::now() + Duration::from_secs(seconds));
    let zip_bomb = Reply::Body(vec![0; 48 << 20]).gzip();
    run(
        b"hello",
        vec![
            case("wrong bytes", Wrong("E203"), always(Reply::file(*b"jello", None))),
            case("too long", Wrong("E204"), always(Reply::file(*b"hello!", None))),
            case("too short", Wrong("E204"), always(Reply::file(*b"hell", None))),
            case("too long, no length", Wrong("E204"), always(Reply::NoLength(b"hello!".into()))),
            case("no length", Right, always(good().without_length())),
            case("empty instead", Wrong("E204"), always(Reply::file(*b"", None))),
            case("drip", Right, always(good().drip(1, Duration::from_millis(100)))),
            case("stalls once", Right, first(1, good().stall(3), good())),
            case("stalls before a byte, once", Right, first(1, good().stall(0), good())),
            case("stalls", Failed(""), always(good().ignoring_ranges().stall(3))),
            case("never answers, once", Right, first(1, good().after(Duration::from_secs(3)), good())),
            case("reset once", Right, first(1, good().reset(3), good())),
            case("resets", Failed(""), always(good().ignoring_ranges().reset(3))),
            case("hangs up twice", Right, first(2, Reply::Hangup, good())),
            case("hangs up", Failed(""), always(Reply::Hangup)),
            case("cut at 0, then good", Right, first(1, good().cut(0), good())),
            case("cut at 1, then good", Right, first(1, good().cut(1), good())),
            case("cut at 4, then good", Right, first(1, good().cut(4), good())),
            case("cut again and again", Failed(""), always(good().ignoring_ranges().cut(4))),
            case("429 once", Right, first(1, Reply::busy(429, "0"), good())),
            case("503 until a date", Right, first(1, Reply::busy(503, &seconds(1)), good())),
            case(
                "503 until a date long past",
                Right,
                first(1, Reply::busy(503, "Wed, 21 Oct 2015 07:28:00 GMT"), good()),
            ),
            case("503 until nonsense", Right, first(1, Reply::busy(503, "soon"), good())),
            case("429", Failed("429"), always(Reply::busy(429, "0"))),
            case("500 twice", Right, first(2, Reply::status(500), good())),
            case("500", Failed("500"), always(Reply::status(500))),
            case("401", Failed("401"), always(Reply::status(401))),
            case("403", Failed("403"), always(Reply::status(403))),
            case("404", Failed("404"), always(Reply::status(404))),
            case("416", Failed("416"), always(Reply::Status(416, "Content-Range: bytes */5\r\n".into()))),
            case(
                "a page that says 200",
                Wrong("E204"),
                always(Reply::Page(
                    200,
                    "Content-Type: text/html\r\n".into(),
                    Arc::from(*b"<html>Log in</html>"),
                )),
            ),
            case("a loop", Failed("redirect"), always(Reply::redirect("/a"))),
            case("a loop of two", Failed("redirect"), |request: &Request| match request.path.as_str() {
                "/a" => Reply::redirect("/b"),
                _ => Reply::redirect("/a"),
            }),
            case("to a file", Failed("file"), always(Reply::redirect("file:///etc/hostname"))),
            case("to another scheme", Failed("ftp"), always(Reply::redirect("ftp://127.0.0.1/a"))),
            case("to nowhere", Failed("302"), always(Reply::status(302))),
            case("to no URL", Failed(""), always(Reply::redirect("http://[::1/a"))),
            case("five redirects", Right, move |request: &Request| match request.path.as_str() {
                "/a" => Reply::redirect("/1"),
                "/1" => Reply::redirect("2?x=1"),
                "/2?x=1" => Reply::Status(307, "Location: /3\r\n".into()),
                "/3" => Reply::Status(308, "Location: /4\r\n".into()),
                "/4" => Reply::Status(303, "Location: ./5#f\r\n".into()),
                "/5" => Reply::file(*b"hello", None),
                _ => Reply::status(404),
            }),
            case("gzipped", Right, always(good().gzip())),
            case("gzipped, no length", Right, always(good().gzip().without_length())),
            case("gzipped and cut, once", Right, first(1, good().gzip().cut(9), good().gzip())),
            case("gzipped without end", Wrong("E204"), always(zip_bomb)),
            case("gzip in name only", RightOrTold, always(good().header("Content-Encoding: gzip"))),
            case("another tag each time", Right, |request: &Request| {
                Reply::file(*b"hello", Some(&request.count.to_string())).cut(if request.count < 2 {
                    3
                } else {
                    5
                })
            }),
            case("closes each connection", Right, always(good().closing())),
        ],
    );
}

/// What is asked for in ranges where the server can.
#[test]
fn a_large_file_is_put_together_of_what_belongs_together() {
    use Ends::{Failed, Right, RightOrTold, Wrong};
    const MIB: usize = 1 << 20;
    let body: Arc<[u8]> = noise(40 * MIB, 1).into();
    let other: Arc<[u8]> = noise(40 * MIB, 2).into();
    let mut damaged = body.to_vec();
    damaged[20 * MIB] ^= 1;
    let file = |tag: Option<&str>| Reply::file(Arc::clone(&body), tag);
    let good = || file(Some("v1"));
    let (older, newer) = (Reply::file(Arc::clone(&other), Some("v1")), file(Some("v2")));
    let (older_too, newer_too) = (Reply::file(Arc::clone(&other), None), file(None));
    let shifted = Arc::clone(&body);
    let tags = Arc::clone(&body);
    run(
        &body,
        vec![
            case("wrong in the middle", Wrong("E203"), always(Reply::file(damaged, Some("v1")))),
            case("shorter than listed", Wrong("E204"), always(Reply::file(&body[..39 * MIB], Some("v1")))),
            case(
                "longer than listed",
                Wrong("E204"),
                always(Reply::file([&*body, b"!"].concat(), Some("v1"))),
            ),
            case("changes after the first range", Right, first(1, older.clone(), newer.clone())),
            case("changes after two ranges", Right, first(2, older, newer)),
            case("changes and has no tag", RightOrTold, first(2, older_too, newer_too)),
            case("another tag each time", RightOrTold, move |request: &Request| {
                Reply::file(Arc::clone(&tags), Some(&request.count.to_string()))
            }),
            case("no tag", Right, always(file(None))),
            case("ranges ignored", Right, always(good().ignoring_ranges())),
            case("ranges ignored, no length", Right, always(good().ignoring_ranges().without_length())),
            case("ranges ignored after one", Right, first(1, good(), good().ignoring_ranges())),
            case("416 to ranges", Right, {
                let good = good();
                move |request: &Request| match request.range {
                    Some(_) => Reply::Status(416, format!("Content-Range: bytes */{}\r\n", 40 * MIB)),
                    None => good.clone(),
                }
            }),
            case("another range than asked for", RightOrTold, move |request: &Request| match request.range {
                Some(_) => {
                    let part: Arc<[u8]> = shifted[1..=MIB].into();
                    Reply::Page(206, format!("Content-Range: bytes 1-{MIB}/{}\r\n", 40 * MIB), part)
                }
                None => Reply::file(Arc::clone(&shifted), None),
            }),
            case("cut, and cut, and cut", Right, always(good().cut(3 * MIB))),
            case("cut without ranges", Failed(""), always(good().ignoring_ranges().cut(3 * MIB))),
            case("reset, and reset, and reset", Right, always(good().reset(6 * MIB))),
            case("stalls three times", Right, first(3, good().stall(MIB), good())),
            case("500 and 429 between", Right, {
                let good = good();
                move |request: &Request| match request.count {
                    1 => Reply::status(500),
                    2 => Reply::busy(429, "0"),
                    _ => good.clone(),
                }
            }),
            case("gzipped", Right, always(good().gzip())),
        ],
    );
}

#[test]
fn what_broke_off_goes_on_where_it_broke_off() {
    const MIB: usize = 1 << 20;
    let body: Arc<[u8]> = noise(40 << 20, 1).into();
    let whole = Arc::clone(&body);
    let server = Server::with(move |_| Reply::file(Arc::clone(&whole), Some("v1")).cut(3 * MIB));
    let sandbox = Sandbox::new();
    bag(&server, &body, &body.len().to_string()).write(&sandbox.path("bag"));
    sandbox.dbag(&["materialize", "bag", "--connections", "4"]).expect(0);
    assert!(fs_err::read(sandbox.path("bag/data/a")).unwrap() == *body);
    let sent = server.sent_of("/a");
    assert!(sent <= body.len() as u64 * 11 / 10, "{sent} octets were sent");
}

#[test]
fn a_trickle_is_given_up_and_a_slow_line_is_not() {
    let body = noise(2 << 20, 1);
    let whole = body.clone();
    let server = Server::with(move |request| {
        let file = Reply::file(whole.clone(), Some("v1"));
        match request.path.as_str() {
            // A day and a half for all of it.
            "/trickle" => file.drip(3, Duration::from_millis(200)),
            _ => file.drip(64 << 10, Duration::from_millis(80)),
        }
    });
    let sandbox = Sandbox::new();
    let run = |name: &str| {
        HandBag::new("1.0", &[])
            .add("manifest-sha256.txt", &format!("{}  data/a\n", hex_sha256(&body)))
            .add("fetch.txt", &format!("{}/{name}\t{}\tdata/a\n", server.url(), body.len()))
            .write(&sandbox.path(name));
        let arguments = ["materialize", name, "--no-cache", "--stall-timeout", "1"];
        sandbox.run_within(PATIENCE, &mut sandbox.command(&arguments))
    };
    run("slow").expect(0);
    let output = run("trickle").expect(3);
    assert!(output.stdout.contains("/trickle"), "{output:?}");
}

#[test]
fn an_asked_for_wait_is_kept() {
    let server =
        Server::with(|request| first(1, Reply::busy(503, "2"), Reply::file(*b"hello", None))(request));
    let sandbox = Sandbox::new();
    bag(&server, b"hello", "5").write(&sandbox.path("bag"));
    let began = Instant::now();
    sandbox.dbag(&["materialize", "bag"]).expect(0);
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn empty_files_arrive_however_they_are_sent() {
    let sandbox = Sandbox::new();
    let server = Server::with(|request| {
        let empty = Reply::file(*b"", Some("v1"));
        match request.path.as_str() {
            "/chunked" => empty.without_length(),
            "/gzip" => empty.gzip(),
            "/204" => Reply::status(204),
            _ => empty,
        }
    });
    for length in ["0", "-"] {
        let mut bag = HandBag::new("1.0", &[]);
        for name in ["plain", "chunked", "gzip"] {
            bag = bag
                .add("manifest-sha256.txt", &format!("{}  data/{name}\n", hex_sha256(b"")))
                .add("fetch.txt", &format!("{}/{name}\t{length}\tdata/{name}\n", server.url()));
        }
        bag.write(&sandbox.path(length));
        sandbox.dbag(&["materialize", length, "--no-cache"]).expect(0);
        let found = tree(&sandbox.path(length).join("data"));
        assert!(found.len() == 3 && found.values().all(Vec::is_empty), "{found:?}");
    }
}

#[test]
fn a_gzip_file_that_is_said_to_be_gzipped_is_kept_as_listed() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"hello").unwrap();
    let packed = encoder.finish().unwrap();
    let file = packed.clone();
    let server = Server::with(move |_| Reply::file(file.clone(), None).header("Content-Encoding: gzip"));
    let sandbox = Sandbox::new();
    bag(&server, &packed, &packed.len().to_string()).write(&sandbox.path("bag"));
    sandbox.dbag(&["materialize", "bag"]).expect(0);
    assert!(fs_err::read(sandbox.path("bag/data/a")).unwrap() == packed);
    assert!(server.requests().iter().all(|head| !head.to_lowercase().contains("accept-encoding: gzip")));
}

#[test]
fn access_that_expires_costs_only_what_was_not_there_yet() {
    let left = Arc::new(AtomicUsize::new(3));
    let budget = Arc::clone(&left);
    let server = Server::with(move |request| {
        let one_less = |left: usize| left.checked_sub(1);
        match budget.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less) {
            Ok(_) => Reply::file(request.path.as_bytes(), Some("v1")),
            Err(_) => Reply::status(403),
        }
    });
    let mut bag = HandBag::new("1.0", &[]);
    for name in ["a", "b", "c", "d", "e", "f"] {
        bag = bag
            .add(
                "manifest-sha256.txt",
                &format!("{}  data/{name}\n", hex_sha256(format!("/{name}").as_bytes())),
            )
            .add("fetch.txt", &format!("{}/{name}\t2\tdata/{name}\n", server.url()));
    }
    let sandbox = Sandbox::new();
    bag.write(&sandbox.path("bag"));
    let report = sandbox.dbag(&["materialize", "bag", "--json"]).expect(3).json();
    assert_eq!((report["fetched_files"].as_u64(), report["whole"].as_bool()), (Some(3), Some(false)));
    assert_eq!(report["failures"].as_array().unwrap().len(), 3);
    assert_eq!(tree(&sandbox.path("bag/data")).len(), 3);
    let before = server.sent().len();
    left.store(usize::MAX / 2, Ordering::SeqCst);
    let report = sandbox.dbag(&["materialize", "bag", "--json"]).expect(0).json();
    assert_eq!((report["fetched_files"].as_u64(), report["present_files"].as_u64()), (Some(3), Some(3)));
    assert_eq!(server.sent().len(), before + 3);
}

#[test]
fn no_more_connections_than_allowed() {
    let server = Server::set_up()
        .latency(Duration::from_millis(20))
        .start(|request| Reply::file(request.path.as_bytes(), None));
    let mut bag = HandBag::new("1.0", &[]);
    for index in 0..60 {
        let body = format!("/{index}");
        bag = bag
            .add("manifest-sha256.txt", &format!("{}  data/{index}\n", hex_sha256(body.as_bytes())))
            .add("fetch.txt", &format!("{}/{index}\t{}\tdata/{index}\n", server.url(), body.len()));
    }
    let sandbox = Sandbox::new();
    bag.write(&sandbox.path("bag"));
    sandbox.dbag(&["materialize", "bag", "--connections", "3"]).expect(0);
    // The server counts an answer as under way for a moment after its last octet has left.
    assert!(server.peak_requests() <= 4, "{}", server.peak_requests());
    assert_eq!(server.requests().len(), 60);
}

/// A credential is for one host: not for where that host sends, not for a host that is named like it, not for one
/// whose URL merely holds the other's.
#[test]
fn credentials_do_not_follow_a_redirect_to_another_host() {
    const SECRETS: [(&str, &str); 2] = [
        ("cookie", r#""auth_params":{"cookies":["webauthn=SECRET"]}"#),
        ("bearer-token", r#""auth_params":{"token":"SECRET","allow_redirects_with_token":"False"}"#),
    ];
    for (kind, parameters) in SECRETS {
        let elsewhere =
            Arc::new(Server::set_up().tls().host("127.0.0.1").start(|_| Reply::file(*b"hello", None)));
        let there = elsewhere.url();
        let home = Server::set_up().tls().host("localhost").start(move |request| {
            match (request.has_credentials(), request.path.as_str()) {
                (false, _) => Reply::status(401),
                (true, "/a") => Reply::redirect(&format!("{there}/b")),
                (true, "/here") => Reply::redirect("/there"),
                _ => Reply::file(*b"hello", None),
            }
        });
        let sandbox = Sandbox::new();
        let entry = format!(r#"[{{"uri":"{}/","auth_type":"{kind}",{parameters}}}]"#, home.url());
        let keychain = sandbox.write("keychain.json", entry);
        let ca = tls_ca();
        let run = |name: &str, url: &str| {
            HandBag::new("1.0", &[])
                .add("manifest-sha256.txt", &format!("{}  data/a\n", hex_sha256(b"hello")))
                .add("fetch.txt", &format!("{url}\t5\tdata/a\n"))
                .write(&sandbox.path(name));
            let options = ["--keychain", keychain.to_str().unwrap(), "--ca-cert", ca.to_str().unwrap()];
            sandbox.dbag(&[&["materialize", name, "--no-cache"][..], &options].concat())
        };
        run("moved", &format!("{}/a", home.url())).expect(0);
        run("at home", &format!("{}/here", home.url())).expect(0);
        run("named like it", &format!("{}/c?u={}/", elsewhere.url(), home.url())).expect(0);
        assert!(elsewhere.requests().len() >= 2);
        for head in elsewhere.requests() {
            let lower = head.to_lowercase();
            assert!(!head.contains("SECRET"), "{kind}: {head}");
            assert!(!lower.contains("cookie:") && !lower.contains("authorization:"), "{kind}: {head}");
        }
        // And it is never printed.
        let denied = Server::set_up().tls().host("localhost").start(|_| Reply::status(403));
        let entry = format!(r#"[{{"uri":"{}/","auth_type":"{kind}",{parameters}}}]"#, denied.url());
        sandbox.write("keychain.json", entry);
        let output = run("denied", &format!("{}/a", denied.url())).expect(3);
        assert!(denied.requests().iter().any(|head| head.contains("SECRET")), "{kind}");
        assert!(!output.stdout.contains("SECRET") && !output.stderr.contains("SECRET"), "{output:?}");
    }
}

#[test]
fn an_encrypted_way_is_not_left_for_one_in_the_clear() {
    let clear = Server::with(|_| Reply::file(*b"hello", None));
    let there = clear.url();
    let home = Server::set_up().tls().start(move |_| Reply::redirect(&format!("{there}/a")));
    let sandbox = Sandbox::new();
    bag(&home, b"hello", "5").write(&sandbox.path("bag"));
    let ca = tls_ca();
    let output = sandbox.dbag(&["materialize", "bag", "--ca-cert", ca.to_str().unwrap()]).expect(3);
    assert!(output.stdout.contains("data/a"), "{output:?}");
    assert!(clear.requests().is_empty());
    // Without the authority, the reason is the certificate, and there is no trying again.
    let before = home.requests().len();
    let output = sandbox.dbag(&["materialize", "bag"]).expect(3);
    assert!(output.stdout.contains("certificate"), "{output:?}");
    assert_eq!(home.requests().len(), before);
}
