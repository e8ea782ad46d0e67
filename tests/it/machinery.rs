//! The tests' own servers and faults: each does what it says, so that a test that leans on them means something.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::support::{
    Expiry, Fault, Hatrac, Output, Remote, Reply, Request, Run, Sandbox, Server, http_date, noise,
    octets_sent_twice, rehost, shared, shim, tls_ca, with_faults, zip_files,
};

/// Sends one request on a connection of its own, and reads all that comes; what ended it, if not the server.
fn get(server: &Server, path: &str, headers: &str) -> (String, Vec<u8>, Option<std::io::ErrorKind>) {
    let mut stream = TcpStream::connect(server.host()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\n{headers}\r\n").unwrap();
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    let ended = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break None,
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(error) => break Some(error.kind()),
        }
    };
    let at = all.windows(4).position(|window| window == b"\r\n\r\n").map_or(all.len(), |at| at + 4);
    let body = all.split_off(at);
    (String::from_utf8(all).unwrap(), body, ended)
}

fn curl(arguments: &[&str]) -> Output {
    Sandbox::new().run(Command::new("curl").args(["-sS"]).args(arguments))
}

#[test]
fn ranges_are_given_as_a_good_server_gives_them() {
    let body = noise(1000, 1);
    let file = body.clone();
    let server = Server::set_up().closing().start(move |_| Reply::file(file.clone(), Some("v1")));
    let of = |headers: &str| {
        let (head, body, _) = get(&server, "/a", headers);
        (head.split(' ').nth(1).unwrap().parse::<u16>().unwrap(), head, body)
    };
    let (status, head, whole) = of("");
    assert!(status == 200 && whole == body && head.contains("ETag: \"v1\"\r\n"), "{head}");
    for (range, at) in
        [("0-0", 0..1), ("10-19", 10..20), ("990-", 990..1000), ("-10", 990..1000), ("900-5000", 900..1000)]
    {
        let (status, head, part) = of(&format!("Range: bytes={range}\r\n"));
        assert!(status == 206 && part == body[at.clone()], "{range}: {head}");
        let place = format!("Content-Range: bytes {}-{}/1000\r\n", at.start, at.end - 1);
        assert!(head.contains(&place), "{range}: {head}");
    }
    let (status, head, _) = of("Range: bytes=1000-\r\n");
    assert!(status == 416 && head.contains("Content-Range: bytes */1000"), "{head}");
    assert_eq!(of("Range: bytes=0-1\r\nIf-Range: \"v1\"\r\n").0, 206);
    assert_eq!(of("Range: bytes=0-1\r\nIf-Range: \"v0\"\r\n").0, 200);
    assert_eq!(of("Range: bytes=0-1,4-5\r\n").0, 200);
    assert_eq!(of("Range: bytes=5-4\r\n").0, 200);
    assert!(server.sent().contains(&("/a".into(), 10, 10)));
    assert!(server.answers().iter().all(|sent| sent.status == if sent.len() == 1000 { 200 } else { 206 }));
    assert_eq!(server.sent_of("/a"), server.sent().iter().map(|sent| sent.2).sum::<u64>());
    let empty = Server::set_up().closing().start(|_| Reply::file(Vec::new(), None));
    assert!(get(&empty, "/", "").0.contains("Content-Length: 0\r\n"));
    assert!(get(&empty, "/", "Range: bytes=-1\r\n").0.contains(" 416 "));
}

#[test]
fn bodies_end_as_they_are_told_to() {
    let body = noise(3000, 1);
    let file = body.clone();
    let server = Server::start(move |path, _| {
        let whole = Reply::file(file.clone(), None);
        match path {
            "/cut" => whole.cut(1000),
            "/stall" => whole.stall(1000),
            "/reset" => whole.reset(1000),
            "/open" => whole.without_length().closing(),
            "/drip" => whole.drip(1000, Duration::from_millis(100)).closing(),
            "/late" => whole.after(Duration::from_millis(300)).closing(),
            "/gzip" => whole.gzip().closing(),
            _ => Reply::Hangup,
        }
    });
    let (head, cut, ended) = get(&server, "/cut", "");
    assert!(head.contains("Content-Length: 3000") && cut == body[..1000] && ended.is_none(), "{head}");
    let (_, stalled, ended) = get(&server, "/stall", "");
    assert!(stalled == body[..1000]);
    assert!(
        matches!(ended, Some(std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)),
        "{ended:?}"
    );
    let (_, reset, ended) = get(&server, "/reset", "");
    assert!(reset == body[..1000] && ended == Some(std::io::ErrorKind::ConnectionReset), "{ended:?}");
    let (head, hung, ended) = get(&server, "/hangup", "");
    assert!(head.is_empty() && hung.is_empty() && ended.is_none());
    let (head, _, _) = get(&server, "/open", "");
    assert!(head.contains("Transfer-Encoding: chunked") && !head.contains("Content-Length"), "{head}");
    let sent: Vec<u64> = server.answers().iter().map(crate::support::Sent::len).collect();
    assert_eq!(sent, [1000, 1000, 1000, 3000]);
    let whole: Vec<bool> = server.answers().iter().map(|sent| sent.whole).collect();
    assert_eq!(whole, [false, false, false, true]);

    for (path, least) in [("/drip", 200), ("/late", 300)] {
        let began = Instant::now();
        assert!(get(&server, path, "").1 == body, "{path}");
        assert!(began.elapsed() >= Duration::from_millis(least), "{path}");
    }
    let (head, packed, _) = get(&server, "/gzip", "Range: bytes=0-9\r\n");
    assert!(head.contains(" 200 ") && head.contains("Content-Encoding: gzip"), "{head}");
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut plain).unwrap();
    assert!(plain == body);
}

#[test]
fn curl_understands_the_server() {
    let body = noise(200_000, 1);
    let file = body.clone();
    let handler = move |request: &Request| match request.path.as_str() {
        "/busy" => Reply::busy(503, &http_date(SystemTime::now())),
        "/moved" => Reply::redirect("/a"),
        _ => Reply::file(file.clone(), None).gzip(),
    };
    let server = Server::set_up().host("localhost").tls().start(handler);
    let ca = tls_ca();
    let with_ca = |more: &[&str]| curl(&[&["--cacert", ca.to_str().unwrap()], more].concat());
    let folder = Sandbox::new();
    let to = folder.path("out");
    let url = |path: &str| format!("{}{path}", server.url());
    with_ca(&["-L", "--compressed", "-o", to.to_str().unwrap(), &url("/moved")]).expect(0);
    assert!(fs_err::read(&to).unwrap() == body);
    assert!(with_ca(&["-i", &url("/busy")]).expect(0).stdout.contains("Retry-After: "));
    assert_eq!(server.requests().len(), 3);
    // Without the authority the certificate is refused.
    assert_eq!(curl(&[&url("/a")]).code, 60);
}

#[test]
fn connections_are_counted_and_closed_where_asked() {
    let server = Server::set_up()
        .closing()
        .latency(Duration::from_millis(150))
        .start(|_| Reply::Body(b"hello".to_vec()));
    std::thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(|| get(&server, "/", ""))));
    });
    assert_eq!((server.peak_connections(), server.peak_requests()), (4, 4));
    let (head, _, _) = get(&server, "/", "");
    assert!(head.contains("Connection: close"), "{head}");
}

#[test]
fn octets_are_counted_as_sent_twice_only_after_the_grace() {
    let file: Arc<[u8]> = noise(1000, 1).into();
    let server = Server::set_up().closing().start(move |_| Reply::file(Arc::clone(&file), None));
    get(&server, "/a", "Range: bytes=900-\r\n");
    let began = Instant::now();
    get(&server, "/a", "Range: bytes=0-499\r\n");
    let good = Instant::now();
    get(&server, "/a", "Range: bytes=500-599\r\n");
    let died = Instant::now();
    get(&server, "/a", "Range: bytes=450-\r\n");
    let run = Run { began, good, died };
    assert_eq!(octets_sent_twice(&server.answers(), "/a", run), 50);
    assert_eq!(octets_sent_twice(&server.answers(), "/b", run), 0);
}

#[test]
fn hatrac_answers_as_the_real_one() {
    let name = "/hatrac/ns/a.txt:ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let hatrac = Hatrac::start([(name.to_owned(), b"hello".to_vec())]);
    let cookie = format!("Cookie: other=1; {}\r\n", Hatrac::COOKIE);
    let of = |path: &str, headers: &str| {
        let (head, body, _) = get(hatrac.server(), path, &format!("Connection: close\r\n{headers}"));
        (head.split(' ').nth(1).unwrap().to_owned(), head, String::from_utf8(body).unwrap())
    };
    assert_eq!(of(name, "").0, "401");
    assert_eq!(of(name, "Cookie: webauthn=unknown\r\n").0, "401");
    assert_eq!(of(name, &format!("Cookie: {}\r\n", Hatrac::STRANGER)).0, "403");
    assert_eq!(of(name, &format!("Authorization: Bearer {}\r\n", Hatrac::TOKEN)).0, "200");
    assert_eq!(of("/hatrac/ns/b.txt", &cookie).0, "404");
    for path in [name, "/hatrac/ns/a.txt"] {
        let (status, head, body) = of(path, &cookie);
        assert_eq!((status.as_str(), body.as_str()), ("200", "hello"));
        for line in [
            "ETag: \"ABCDEFGHIJKLMNOPQRSTUVWXYZ\"",
            &format!("Content-Location: {name}"),
            "Content-MD5: XUFAKrxLKna5cZ2REBfFkg==",
            "Content-SHA256: LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
        ] {
            assert!(head.contains(line), "{line}: {head}");
        }
    }
    let (status, head, body) = of(name, &format!("{cookie}Range: bytes=1-2\r\nIf-Range: \"other\"\r\n"));
    assert_eq!((status.as_str(), body.as_str()), ("206", "el"));
    assert!(head.contains("Content-Range: bytes 1-2/5") && !head.contains("Content-MD5"), "{head}");
    let (status, head, _) = of(name, &format!("{cookie}Range: bytes=0-4\r\n"));
    assert!(status == "200" && head.contains("Content-MD5"), "{head}");
    let (status, head, _) = of(name, &format!("{cookie}Range: bytes=9-\r\n"));
    assert!(status == "416" && head.contains("bytes */5"), "{head}");
    assert_eq!(of(name, &format!("{cookie}Range: bytes=0-1,3-4\r\n")).0, "501");
    assert_eq!(of(name, &format!("{cookie}If-None-Match: \"ABCDEFGHIJKLMNOPQRSTUVWXYZ\"\r\n")).0, "304");
    assert_eq!(of(name, &format!("{cookie}If-Match: \"other\"\r\n")).0, "412");
}

#[test]
fn hatrac_sends_large_plain_gets_elsewhere_for_a_while() {
    let object = || ("/hatrac/ns/a:V".to_owned(), noise(5000, 1));
    let hatrac = Hatrac::of([object()]).presign(1000, Expiry::Requests(2)).session_lasts(3).start();
    let cookie = format!("Connection: close\r\nCookie: {}\r\n", Hatrac::COOKIE);
    let (head, _, _) = get(hatrac.server(), "/hatrac/ns/a:V", &cookie);
    assert!(head.contains(" 303 "), "{head}");
    let place = head.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap().to_owned();
    assert!(!place.contains("localhost"), "{place}");
    let (head, body, _) = get(hatrac.server(), "/hatrac/ns/a:V", &format!("{cookie}Range: bytes=0-99\r\n"));
    assert!(head.contains(" 206 ") && body.len() == 100, "{head}");
    assert!(
        get(hatrac.server(), "/hatrac/ns/a:V", &format!("{cookie}Range: bytes=0-\r\n")).0.contains(" 303 ")
    );
    assert!(get(hatrac.server(), "/hatrac/ns/a:V", &cookie).0.contains(" 401 "));
    hatrac.renew_session();
    assert_eq!(hatrac.presigned(), 2);

    assert_eq!(curl(&["-r", "0-9", "-w", "%{http_code}", "-o", "/dev/null", &place]).stdout, "206");
    assert!(hatrac.leaks().is_empty());
    let leak = ["-H", "Cookie: webauthn=x", "-w", "%{http_code}", "-o", "/dev/null", &place];
    assert_eq!(curl(&leak).stdout, "200");
    assert_eq!(hatrac.leaks().len(), 1);
    assert_eq!(curl(&["-w", "%{http_code}", "-o", "/dev/null", &place]).stdout, "403");
}

#[test]
fn a_real_bag_is_moved_to_the_servers_origin() {
    let Some(bags) = shared("bags") else { return };
    let (without, with) =
        (bags.join("a-4BG-1.0.0.unmaterialized.zip"), bags.join("a-4BG-1.0.0.materialized.zip"));
    let hatrac = Hatrac::from_bags(&without, &with).start();
    let sandbox = Sandbox::new();
    rehost(&without, &sandbox.path("bag"), &hatrac.url());
    let fetch = fs_err::read_to_string(sandbox.path("bag/fetch.txt")).unwrap();
    assert_eq!(fetch.lines().count(), 9);
    let files = zip_files(&with);
    for line in fetch.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let output = curl(&["-H", &format!("Cookie: {}", Hatrac::COOKIE), columns[0]]);
        assert_eq!(output.stdout.as_bytes(), files[columns[2]], "{line}");
    }
    // The tag manifest is right about it: dbag only misses what is to be fetched.
    sandbox.dbag(&["verify", "bag", "--allow-holey"]).expect(0);
}

#[test]
fn remote_files_are_told_right_from_torn() {
    let sandbox = Sandbox::new();
    let remote = Remote::of(2, 100, 5000);
    let bag = sandbox.path("bag");
    remote.bag("http://127.0.0.1:1").write(&bag);
    assert_eq!(remote.assert_right(&bag), 0);
    for name in remote.names() {
        sandbox.write(&format!("bag/data/{name}"), &*remote.body(name));
    }
    remote.assert_complete(&bag);
    sandbox.dbag(&["verify", "bag"]).expect(0);
    sandbox.write("bag/data/large.bin", "torn");
    assert!(std::panic::catch_unwind(|| remote.assert_right(&bag)).is_err());
}

#[test]
fn the_shim_makes_calls_fail_and_lie() {
    let Some(shim) = shim() else { return };
    let sandbox = Sandbox::new();
    let python = |faults: &[Fault], script: &str| {
        let mut python = Command::new("python3");
        python.args(["-c", script]).current_dir(sandbox.path("."));
        sandbox.run(with_faults(&mut python, &shim, faults))
    };
    // A raw system call, past libc: number 73 is flock, 41 is socket.
    let raw = "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n";
    let lock = "import fcntl; f = open('lock', 'w'); fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\n";
    let holder = format!(
        "{raw}{lock}import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', sys.argv[1]]).returncode)"
    );
    let second = format!("{raw}{lock}");
    let held = |faults: &[Fault], script: &str| {
        // The holder must not run below the shim itself.
        let preload = shim.to_str().unwrap();
        let setting =
            if faults.is_empty() { String::new() } else { format!("SHIM_FLOCK=lie LD_PRELOAD={preload}") };
        let inner = format!(
            "import os, sys; os.execvp('env', ['env'] + {setting:?}.split() + [sys.executable, '-c', {script:?}])"
        );
        sandbox.run(Command::new("python3").args(["-c", &holder, &inner]).current_dir(sandbox.path("."))).code
    };
    assert_ne!(held(&[], &second), 0);
    assert_eq!(held(&[Fault::LocksLie], &second), 0);
    let past_libc = format!("{raw}f = open('lock', 'w'); assert libc.syscall(73, f.fileno(), 6) == 0");
    assert_ne!(held(&[], &past_libc), 0);
    assert_eq!(held(&[Fault::LocksLie], &past_libc), 0);

    let write = "import os; f = os.open('file', os.O_CREAT | os.O_WRONLY | os.O_TRUNC)\nwhile True: os.write(f, b'x' * 300)";
    let length = || fs_err::metadata(sandbox.path("file")).unwrap().len();
    for (fault, text) in [
        (Fault::FullAfter(1000), "No space left on device"),
        (Fault::BrokenAfter(1000), "Input/output error"),
    ] {
        let output = python(&[fault, Fault::Only("file".into())], write).expect(1);
        assert!(output.stderr.contains(text), "{output:?}");
        assert_eq!(length(), 1000);
    }
    assert_eq!(python(&[Fault::KilledAfter(1000), Fault::Only("file".into())], write).code, -1);
    assert_eq!(length(), 1000);
    let mut elsewhere = write.replace("while True", "for i in range(9)");
    elsewhere.push_str("\nos.writev(f, [b'a', b'b'])");
    python(&[Fault::FullAfter(1000), Fault::Only("elsewhere".into())], &elsewhere).expect(0);

    let log = sandbox.path("log");
    let socket = format!(
        "{raw}import socket\ntry: socket.socket(); assert False\nexcept PermissionError: pass\n\
         assert libc.syscall(41, 2, 1, 0) == -1 and ctypes.get_errno() == 13; socket.socket(socket.AF_UNIX)"
    );
    python(&[Fault::NoNetwork(log.clone())], &socket).expect(0);
    assert_eq!(fs_err::read_to_string(&log).unwrap(), "socket\nsocket\n");

    let link = "import os\ntry: os.link('file', 'other'); assert False\nexcept PermissionError: pass";
    python(&[Fault::NoLinks], link).expect(0);
    let syncs = sandbox.path("syncs");
    python(&[Fault::SyncLog(syncs.clone())], "import os; os.fsync(os.open('file', os.O_RDWR)); os.sync()")
        .expect(0);
    assert_eq!(fs_err::read_to_string(&syncs).unwrap(), "fsync\nsync\n");
}
