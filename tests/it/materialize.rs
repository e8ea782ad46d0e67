//! `dbag materialize`: fetched once, verified, resumable; servers that misbehave.

use std::path::Path;

use crate::support::{HandBag, Reply, Sandbox, Server, hex_sha256, tree};

/// A bag whose one file `data/a` (the bytes "hello") is at `url`.
fn holey(url: &str, length: &str) -> HandBag {
    HandBag::new("1.0", &[])
        .add("manifest-sha256.txt", &format!("{}  data/a\n", hex_sha256(b"hello")))
        .add("fetch.txt", &format!("{url}\t{length}\tdata/a\n"))
}

fn nothing_fetched(folder: &Path) {
    assert!(!folder.join("data/a").exists());
    assert!(tree(folder).keys().all(|name| !name.contains(".partial")), "{:?}", tree(folder).keys());
}

#[test]
fn a_folder_a_zip_and_a_url_end_in_the_same_bag() {
    let sandbox = Sandbox::with_digits();
    sandbox.dbag_in("lab", &["publish", "digits@1.0.0", "--to", "../site"]).expect(0);
    let server = Server::files(sandbox.path("site"));
    sandbox
        .dbag_in("lab", &["export", "digits@1.0.0", "--base-url", &server.url(), "-o", "../site/bag.zip"])
        .expect(0);
    sandbox.dbag(&["verify", "site/bag.zip"]).expect(4);
    sandbox.dbag(&["verify", "site/bag.zip", "--allow-holey"]).expect(0);

    let report = sandbox.dbag(&["materialize", "site/bag.zip", "--to", "a", "--json"]).expect(0).json();
    assert_eq!((report["fetched_files"].as_u64(), report["whole"].as_bool()), (Some(200), Some(true)));
    let url = format!("{}/bag.zip", server.url());
    sandbox.dbag(&["materialize", &url, "--to", "b"]).expect(0);
    sandbox.dbag(&["materialize", "a", "--to", "c"]).expect(0);
    let a = tree(&sandbox.path("a"));
    assert!(tree(&sandbox.path("b")) == a);
    assert!(tree(&sandbox.path("c")) == a);
    sandbox.dbag(&["verify", "a"]).expect(0);

    // Run again, nothing is asked for; with one file gone and one broken, those two are.
    let before = server.requests().len();
    sandbox.dbag(&["materialize", "site/bag.zip", "--to", "a"]).expect(0);
    assert_eq!(server.requests().len(), before);
    let assets: Vec<&String> = a.keys().filter(|name| name.starts_with("data/asset/")).collect();
    let spoil = || {
        fs_err::remove_file(sandbox.path("a").join(assets[0])).unwrap();
        fs_err::remove_file(sandbox.path("a").join(assets[1])).unwrap();
        fs_err::write(sandbox.path("a").join(assets[1]), "broken").unwrap();
    };
    spoil();
    let again = sandbox.dbag(&["materialize", "a", "--no-cache", "--json"]).expect(0).json();
    assert_eq!((again["fetched_files"].as_u64(), again["present_files"].as_u64()), (Some(2), Some(210)));
    assert_eq!(server.requests().len(), before + 2);
    spoil();
    let again = sandbox.dbag(&["materialize", "a", "--json"]).expect(0).json();
    assert_eq!((again["fetched_files"].as_u64(), again["cached_files"].as_u64()), (Some(0), Some(2)));
    assert_eq!(server.requests().len(), before + 2);
    assert!(tree(&sandbox.path("a")) == a);
}

#[test]
fn what_the_archive_holds_is_taken_from_it_again() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1"), ("b", "2"), ("c", "3")])
        .add("bag-info.txt", "Payload-Oxum: 3.3\n")
        .add("fetch.txt", "http://127.0.0.1:1/a\t1\tdata/a\n")
        .zip(&sandbox.path("bag.zip"));
    sandbox.dbag(&["materialize", "bag.zip", "--to", "out"]).expect(0);
    let before = tree(&sandbox.path("out"));
    fs_err::remove_file(sandbox.path("out/data/a")).unwrap();
    fs_err::write(sandbox.path("out/data/b"), "22").unwrap();
    // The folder alone can't be mended; the archive has what it lacks, also what could be fetched.
    sandbox.dbag(&["materialize", "bag.zip", "--to", "out"]).expect(0);
    assert!(tree(&sandbox.path("out")) == before);
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("x", "1")]).zip(&sandbox.path("bag.zip"));
    sandbox.write("mine/notes.txt", "mine");
    sandbox.dbag(&["materialize", "bag.zip", "--to", "mine"]).expect(2).says(&["mine", "not hold this bag"]);
    HandBag::new("1.0", &[("x", "2")]).write(&sandbox.path("other"));
    sandbox.dbag(&["materialize", "bag.zip", "--to", "other"]).expect(2).says(&[
        "other",
        "not hold this bag",
        "its manifest-sha256.txt is another",
    ]);
    HandBag::new("1.0", &[("x", "1")])
        .add("fetch.txt", "http://h/x\t1\tdata/x\n")
        .write(&sandbox.path("more"));
    sandbox.dbag(&["materialize", "bag.zip", "--to", "more"]).expect(2).says(&["it has a fetch.txt"]);
    sandbox.dbag(&["materialize", "more", "--to", "mine"]).expect(2).says(&["there is no bag in it"]);
    HandBag::new("1.0", &[("x", "1")])
        .add("fetch.txt", "http://g/x\t1\tdata/x\n")
        .write(&sandbox.path("urls"));
    sandbox
        .dbag(&["materialize", "more", "--to", "urls"])
        .expect(2)
        .says(&["urls", "its fetch.txt is another"]);
    assert_eq!(tree(&sandbox.path("mine")).len(), 1);
    fs_err::create_dir(sandbox.path("empty")).unwrap();
    sandbox.dbag(&["materialize", "bag.zip", "--to", "empty"]).expect(0);
    sandbox.dbag(&["materialize", "bag.zip"]).expect(0);
    assert_eq!(fs_err::read(sandbox.path("bag/data/x")).unwrap(), b"1");
}

#[test]
fn servers_that_recover_are_waited_for() {
    type Handler = fn(&str, usize) -> Reply;
    let cases: [(&str, Handler); 6] = [
        (
            "500 once",
            |_, n| if n == 0 { Reply::Status(500, String::new()) } else { Reply::Body(b"hello".into()) },
        ),
        ("429", |_, n| {
            if n == 0 {
                Reply::Status(429, "Retry-After: 0\r\n".into())
            } else {
                Reply::Body(b"hello".into())
            }
        }),
        ("hang up", |_, n| if n == 0 { Reply::Hangup } else { Reply::Body(b"hello".into()) }),
        ("cut", |_, n| if n < 2 { Reply::Cut(b"hello".into(), 3) } else { Reply::Body(b"hello".into()) }),
        ("no length", |_, _| Reply::NoLength(b"hello".into())),
        ("redirect", |path, _| {
            if path == "/a" {
                Reply::Status(302, "Location: /b\r\n".into())
            } else {
                Reply::Body(b"hello".into())
            }
        }),
    ];
    for (name, handler) in cases {
        let sandbox = Sandbox::new();
        let server = Server::start(handler);
        for length in ["5", "-"] {
            let folder = format!("bag{length}");
            holey(&format!("{}/a", server.url()), length).write(&sandbox.path(&folder));
            let output = sandbox.dbag(&["materialize", &folder]);
            assert_eq!(output.code, 0, "{name}: {output:?}");
            assert_eq!(fs_err::read(sandbox.path(&folder).join("data/a")).unwrap(), b"hello", "{name}");
        }
    }
}

#[test]
fn servers_that_do_not_recover_are_told_with_url_and_reason() {
    type Handler = fn(&str, usize) -> Reply;
    let cases: [(&str, Handler, i32, &str); 9] = [
        ("wrong bytes", |_, _| Reply::Body(b"jello".into()), 1, "E203"),
        ("too long", |_, _| Reply::Body(b"hello world".into()), 1, "E204"),
        ("too long, no length", |_, _| Reply::NoLength(b"hello world".into()), 1, "E204"),
        ("too short", |_, _| Reply::Body(b"hell".into()), 1, "E204"),
        ("a page instead", |_, _| Reply::NoLength(b"<html>Log in</html>".into()), 1, "E204"),
        ("not found", |_, _| Reply::Status(404, String::new()), 3, "404"),
        ("forbidden", |_, _| Reply::Status(403, String::new()), 3, "403"),
        ("a loop", |_, _| Reply::Status(302, "Location: /a\r\n".into()), 3, "redirect"),
        ("out of HTTP", |_, _| Reply::Status(302, "Location: file:///etc/passwd\r\n".into()), 3, ""),
    ];
    for (name, handler, code, part) in cases {
        let sandbox = Sandbox::new();
        let server = Server::start(handler);
        let url = format!("{}/a", server.url());
        holey(&url, "5").write(&sandbox.path("bag"));
        let output = sandbox.dbag(&["materialize", "bag"]);
        assert_eq!(output.code, code, "{name}: {output:?}");
        let line = output
            .stdout
            .lines()
            .find(|line| line.contains(&url))
            .unwrap_or_else(|| panic!("{name}: {output:?}"));
        assert!(line.contains("data/a") && line.contains(part), "{name}: {line}");
        nothing_fetched(&sandbox.path("bag"));
    }
}

#[test]
fn an_unreachable_server_is_named_and_what_is_right_is_kept() {
    let sandbox = Sandbox::new();
    let server = Server::start(|_, _| Reply::Body(b"there".into()));
    // Nothing listens on this port any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    holey(&format!("http://{gone}/a"), "5")
        .add("manifest-sha256.txt", &format!("{}  data/b\n", hex_sha256(b"there")))
        .add("fetch.txt", &format!("{}/b\t5\tdata/b\n", server.url()))
        .write(&sandbox.path("bag"));
    let output = sandbox.dbag(&["materialize", "bag"]).expect(3);
    assert!(output.stdout.contains(&format!("http://{gone}/a")), "{output:?}");
    assert_eq!(fs_err::read(sandbox.path("bag/data/b")).unwrap(), b"there");
    sandbox.dbag(&["materialize", &format!("http://{gone}/bag.zip")]).expect(3).says(&["bag.zip", "refused"]);
}

#[test]
fn several_lines_for_one_file_are_mirrors() {
    let sandbox = Sandbox::new();
    let server = Server::start(|path, _| match path {
        "/gone" => Reply::Status(404, String::new()),
        "/wrong" => Reply::Body(b"jello".into()),
        _ => Reply::Body(b"hello".into()),
    });
    let url = |name: &str| format!("{}/{name}", server.url());
    holey(&url("gone"), "5")
        .add("fetch.txt", &format!("{}\t5\tdata/a\n{}\t5\tdata/a\n", url("wrong"), url("right")))
        .write(&sandbox.path("bag"));
    sandbox.dbag(&["materialize", "bag"]).expect(0);
    assert_eq!(fs_err::read(sandbox.path("bag/data/a")).unwrap(), b"hello");
}

#[test]
fn an_invalid_description_is_not_worth_a_request() {
    let sandbox = Sandbox::new();
    let server = Server::start(|_, _| Reply::Body(b"hello".into()));
    let url = format!("{}/a", server.url());
    let tag =
        |bag: HandBag| bag.add("tagmanifest-sha256.txt", &format!("{}  fetch.txt\n", hex_sha256(b"other")));
    let cases = [
        ("path", holey(&url, "5").add("fetch.txt", &format!("{url}\t5\tdata/../../pwned\n"))),
        ("unlisted", holey(&url, "5").add("fetch.txt", &format!("{url}\t5\tdata/b\n"))),
        ("tag file", holey(&url, "5").add("fetch.txt", &format!("{url}\t5\tmanifest-sha256.txt\n"))),
        ("tag digest", tag(holey(&url, "5"))),
    ];
    for (name, bag) in cases {
        bag.write(&sandbox.path(name));
        sandbox.dbag(&["materialize", name]).expect(1);
        nothing_fetched(&sandbox.path(name));
        bag.zip(&sandbox.path("bag.zip"));
        sandbox.dbag(&["materialize", "bag.zip", "--to", "out"]).expect(1);
        assert!(name == "tag digest" || !sandbox.path("out").exists(), "{name}");
    }
    assert_eq!(server.requests(), Vec::<String>::new());
    assert!(!sandbox.path("pwned").exists());
}

#[test]
fn names_in_every_odd_form_arrive() {
    let sandbox = Sandbox::new();
    let server = Server::start(|path, _| Reply::Body(path.as_bytes().into()));
    let names = [
        "a b",
        " lead",
        "trail ",
        "100%",
        "a%20b",
        "a%25b",
        "new\nline",
        "ret\rurn",
        "tab\there",
        "μ",
        "e\u{301}",
        "~x",
        "a\\b",
        "*star",
        "q\"'",
        "x%0Ay",
        ".hid",
        "a:b",
    ];
    let mut bag = HandBag::new("1.0", &[]);
    for (index, name) in names.iter().enumerate() {
        let encoded = name.replace('%', "%25").replace('\n', "%0A").replace('\r', "%0D");
        let body = format!("/{index}");
        bag = bag
            .add("manifest-sha256.txt", &format!("{}  data/{encoded}\n", hex_sha256(body.as_bytes())))
            .add("fetch.txt", &format!("{}/{index}\t{}\tdata/{encoded}\n", server.url(), body.len()));
    }
    bag.write(&sandbox.path("bag"));
    sandbox.dbag(&["materialize", "bag"]).expect(0);
    for (index, name) in names.iter().enumerate() {
        assert_eq!(
            fs_err::read_to_string(sandbox.path("bag/data").join(name)).unwrap(),
            format!("/{index}"),
            "{name:?}"
        );
    }
    sandbox.dbag(&["verify", "bag"]).expect(0);
    sandbox.dbag(&["materialize", "bag"]).expect(0);
    assert_eq!(server.requests().len(), names.len());
}

#[test]
fn secrets_in_a_url_are_not_printed() {
    let sandbox = Sandbox::new();
    let server = Server::start(|_, _| Reply::Status(403, String::new()));
    let url = format!("{}/a?token=SECRET", server.url().replace("http://", "http://me:SECRET@"));
    holey(&url, "5").write(&sandbox.path("bag"));
    for more in [&[][..], &["--json"]] {
        let output = sandbox.dbag(&[&["materialize", "bag"], more].concat()).expect(3);
        assert!(!output.stdout.contains("SECRET") && !output.stderr.contains("SECRET"), "{output:?}");
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    let sandbox = Sandbox::new();
    let server = Server::start(|_, _| Reply::Body(b"hello".into()));
    for link in ["data", "data/sub"] {
        HandBag::new("1.0", &[])
            .add("manifest-sha256.txt", &format!("{}  data/sub/a\n", hex_sha256(b"hello")))
            .add("fetch.txt", &format!("{}/a\t5\tdata/sub/a\n", server.url()))
            .write(&sandbox.path("bag"));
        sandbox.write("victim/sub/a", "mine");
        sandbox.write("victim/a", "mine");
        let at = sandbox.path("bag").join(link);
        let _ = fs_err::remove_dir_all(&at);
        fs_err::os::unix::fs::symlink(sandbox.path("victim"), &at).unwrap();
        let before = tree(&sandbox.path("victim"));
        let output = sandbox.dbag(&["materialize", "bag"]).expect(1);
        assert!(output.stdout.contains("E207"), "{output:?}");
        assert!(tree(&sandbox.path("victim")) == before, "{link}");
        fs_err::remove_dir_all(sandbox.path("bag")).unwrap();
    }
    assert!(server.requests().is_empty());
}

#[test]
fn a_bag_without_a_payload_folder_gets_one() {
    let sandbox = Sandbox::new();
    let server = Server::start(|_, _| Reply::Body(b"hello".into()));
    holey(&format!("{}/a", server.url()), "5").write(&sandbox.path("bag"));
    fs_err::remove_dir(sandbox.path("bag/data")).unwrap();
    sandbox.dbag(&["verify", "bag"]).expect(4);
    sandbox.dbag(&["materialize", "bag"]).expect(0);
    sandbox.dbag(&["verify", "bag"]).expect(0);
}

/// A bag of files at a server that has all of them, each with its path as its bytes.
fn of_names(server: &Server, names: &[&str]) -> HandBag {
    names.iter().fold(HandBag::new("1.0", &[]), |bag, name| {
        let body = format!("/{name}");
        bag.add("manifest-sha256.txt", &format!("{}  data/{name}\n", hex_sha256(body.as_bytes())))
            .add("fetch.txt", &format!("{}/{name}\t{}\tdata/{name}\n", server.url(), body.len()))
    })
}

#[test]
fn a_file_for_which_there_is_no_place_is_told_and_the_others_come() {
    let long = "n".repeat(256);
    for more in [&["--no-cache"][..], &[], &["--link", "hard"]] {
        let sandbox = Sandbox::new();
        let server = Server::start(|path, _| Reply::Body(path.as_bytes().into()));
        let names = ["a", long.as_str(), "folder", "file/below", "z/z"];
        of_names(&server, &names).write(&sandbox.path("bag"));
        fs_err::create_dir(sandbox.path("bag/data/folder")).unwrap();
        sandbox.write("bag/data/file", "in the way");
        // The second time the other files are there, and those without a place in no cache.
        for fetched in [2, 0] {
            let output = sandbox.dbag(&[&["materialize", "bag", "--json"], more].concat());
            let report = output.expect(1).json();
            assert_eq!(
                (report["fetched_files"].as_u64(), report["failed_files"].as_u64()),
                (Some(fetched), Some(3))
            );
            let failures = report["failures"].as_array().unwrap();
            let reason = |name: &str| -> String {
                let found = failures.iter().find(|failure| failure["path"] == format!("data/{name}"));
                found.unwrap_or_else(|| panic!("{name}: {report}"))["reason"].to_string()
            };
            assert!(reason(&long).contains("too long"), "{report}");
            assert!(reason("folder").contains("is a folder, and a file belongs there"), "{report}");
            assert!(reason("file/below").contains("below can't be put in place: Not a dir"), "{report}");
            // A file in the way of a folder is what is wrong with the bag.
            let codes: Vec<_> = report["findings"].as_array().unwrap().iter().map(|f| &f["code"]).collect();
            assert_eq!(codes, ["E202", "E210"], "{report}");
        }
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn a_file_that_is_listed_as_a_folder_too_is_a_finding_and_the_others_come() {
    let sandbox = Sandbox::new();
    let server = Server::start(|path, _| Reply::Body(path.as_bytes().into()));
    of_names(&server, &["a", "f4", "f4/x", "f4/y/z", "z/z"]).write(&sandbox.path("bag"));
    let has_e210 = |output: crate::support::Output| {
        let report = output.expect(1).json();
        let findings = report["findings"].as_array().unwrap().clone();
        let found: Vec<_> = findings.iter().map(|f| (f["code"].clone(), f["place"].clone())).collect();
        assert_eq!(found, [("E210".into(), "data/f4".into())], "{report}");
        report
    };
    has_e210(sandbox.dbag(&["verify", "bag", "--json"]));
    has_e210(sandbox.dbag(&["plan", "bag", "--json"]));
    sandbox.dbag(&["materialize", "bag", "--pack", "whole.zip"]).expect(1);
    assert!(server.requests().is_empty() && !sandbox.path("whole.zip").exists());
    for _ in 0..2 {
        let report = has_e210(sandbox.dbag(&["materialize", "bag", "--json"]));
        assert!(report["failed_files"].as_u64() >= Some(1), "{report}");
        for name in ["a", "z/z"] {
            assert_eq!(
                fs_err::read_to_string(sandbox.path("bag/data").join(name)).unwrap(),
                format!("/{name}")
            );
        }
    }
}

#[test]
fn a_page_instead_of_an_archive_is_named_by_its_url() {
    let sandbox = Sandbox::new();
    let server = Server::start(|_, _| Reply::Body(b"<html>Log in</html>".into()));
    let url = format!("{}/bag.zip", server.url());
    sandbox.dbag(&["materialize", &url, "--to", "out"]).expect(1).says(&[&url, "zip"]);
    sandbox.dbag(&["verify", "http://me:SECRET@h/bag.zip"]).expect(2).says(&["dbag materialize"]);
    assert!(!sandbox.path("out").exists());
}

#[test]
fn a_bag_that_is_refused_is_counted_as_it_is() {
    let sandbox = Sandbox::new();
    let there = HandBag::new("1.0", &[("here", "1")]);
    let listed = format!("{0}  data/a\n{0}  data/b\n", hex_sha256(b"hello"));
    let line = |name: &str| format!("http://127.0.0.1:1/{name}\t5\tdata/{name}\n");
    let cases = [
        ("E107", there.clone().add("fetch.txt", &format!("no URL\n{}{}", line("a"), line("b")))),
        ("E108", there.clone().add("fetch.txt", &format!("{}{}{}", line("a"), line("b"), line("c")))),
        ("E207", there.clone().add("fetch.txt", &format!("{}{}", line("a"), line("b")))),
        ("E201", there.add("fetch.txt", &line("a"))),
    ];
    for (code, bag) in cases {
        bag.add("manifest-sha256.txt", &listed).write(&sandbox.path(code));
        #[cfg(unix)]
        if code == "E207" {
            fs_err::os::unix::fs::symlink("here", sandbox.path("E207/data/link")).unwrap();
        }
        for pack in [&[][..], &["--pack", "whole.zip"]] {
            let arguments = [&["materialize", code, "--json", "--offline"], pack].concat();
            let report = sandbox.dbag(&arguments).expect(1).json();
            assert_eq!(report["present_files"], 1, "{code}: {report}");
            let found = report["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == code);
            assert!(found && report["whole"] == false, "{code}: {report}");
        }
    }
}
