//! `dbag verify`'s levels, samples, reports of many bags, and receipts.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{HandBag, Sandbox, python};

/// A bag with one thing wrong for each level to see.
fn wrong_at_every_level(sandbox: &Sandbox) {
    HandBag::new("1.0", &[("a", "1"), ("b", "2"), ("c", "3")])
        .without("data/b")
        .add("data/c", "more")
        .add("manifest-sha256.txt", "nonsense\n")
        .add("bag-info.txt", "Payload-Oxum: 3.3\n")
        .write(&sandbox.path("bag"));
}

#[test]
fn each_level_sees_what_it_looks_at() {
    let sandbox = Sandbox::new();
    wrong_at_every_level(&sandbox);
    for (level, expected) in [
        ("oxum", &["E205"][..]),
        ("structure", &["E103"]),
        ("complete", &["E205", "E201", "E103"]),
        ("full", &["E205", "E201", "E203", "E103"]),
    ] {
        let report = sandbox.dbag(&["verify", "bag", "--level", level, "--json"]).expect(1).json();
        let codes: Vec<&str> =
            report["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
        assert_eq!(codes, expected, "{level}");
        assert_eq!(report["hashed"], if level == "full" { "all" } else { "nothing" });
    }
}

#[test]
fn a_bag_without_an_oxum_is_not_right_by_it() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1")]).write(&sandbox.path("bag"));
    let output = sandbox.dbag(&["verify", "bag", "--level", "oxum"]).expect(1);
    assert!(output.stdout.contains("E209"), "{output:?}");
}

#[test]
fn a_holey_bag_is_so_at_every_level() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1"), ("b", "22")])
        .without("data/b")
        .add("fetch.txt", "http://h/b 2 data/b\n")
        .add("bag-info.txt", "Payload-Oxum: 3.2\n")
        .write(&sandbox.path("bag"));
    for level in ["oxum", "structure", "complete", "full"] {
        let report = sandbox.dbag(&["verify", "bag", "--level", level, "--json"]).expect(4).json();
        assert_eq!(
            (report["to_fetch_files"].as_u64(), report["to_fetch_bytes"].as_u64()),
            (Some(1), Some(2))
        );
        sandbox.dbag(&["verify", "bag", "--level", level, "--allow-holey"]).expect(0);
    }
}

#[test]
fn warnings_count_when_strict() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("Thumbs.db", "1")]).write(&sandbox.path("bag"));
    sandbox.dbag(&["verify", "bag"]).expect(0);
    sandbox.dbag(&["verify", "bag", "--strict"]).expect(1);
}

#[test]
fn a_sample_is_hashed_and_can_be_drawn_again() {
    let sandbox = Sandbox::new();
    let names: Vec<String> = (0..200).map(|index| format!("{index:03}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let mut bag = HandBag::new("1.0", &files);
    for name in names.iter().take(100) {
        bag = bag.add(&format!("data/{name}"), "x");
    }
    bag.write(&sandbox.path("bag"));
    let sample = |size: &str, seed: &str| {
        let output = sandbox.dbag(&["verify", "bag", "--sample", size, "--seed", seed, "--json"]);
        let report = output.json();
        let places: Vec<String> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| finding["place"].as_str().unwrap().to_owned())
            .collect();
        (report["hashed_files"].as_u64().unwrap(), places)
    };
    let (hashed, first) = sample("10%", "7");
    assert_eq!(hashed, 20);
    // Twenty of two hundred, half of them wrong: none or all would be no sample.
    assert!(!first.is_empty() && first.len() < 20, "{first:?}");
    assert_eq!(sample("10%", "7").1, first);
    assert_ne!(sample("10%", "8").1, first);
    assert_eq!(sample("20", "7"), (20, first));
    assert_eq!(sample("100%", "7").0, 200);
    assert_eq!(sample("9999", "7").0, 200);
    for bad in ["0", "0%", "101%", "-1", "some", "%", "NaN%"] {
        sandbox.dbag(&["verify", "bag", &format!("--sample={bad}")]).expect(2);
    }
    sandbox.dbag(&["verify", "bag", "--sample", "5", "--level", "complete"]).expect(2).says(&["--sample"]);
    sandbox.dbag(&["verify", "bag", "--sample", "5", "--trust-receipts"]).expect(2);
}

#[test]
fn many_bags_and_a_report_of_them() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1")]).zip(&sandbox.path("good.zip"));
    HandBag::new("1.0", &[("a", "1")]).add("data/a", "2").zip(&sandbox.path("bad.zip"));
    HandBag::new("1.0", &[("a", "1")])
        .without("data/a")
        .add("fetch.txt", "http://h/a 1 data/a\n")
        .zip(&sandbox.path("holey.zip"));
    let all = ["verify", "good.zip", "bad.zip", "holey.zip", "absent.zip"];
    let output = sandbox.dbag(&[&all[..], &["--report", "fixity.json"]].concat()).expect(1);
    assert!(output.stdout.contains("bad.zip: E203 data/a: "), "{output:?}");
    assert!(output.stdout.contains("4 bags: 1 valid, 1 holey, 1 invalid, 1 unread"), "{output:?}");
    assert!(output.stderr.contains("absent.zip does not exist"), "{output:?}");
    let text = fs_err::read_to_string(sandbox.path("fixity.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["invalid"], 1);
    let verdicts: Vec<&str> =
        report["bags"].as_array().unwrap().iter().map(|bag| bag["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["valid", "invalid", "holey", "unread"]);
    let printed = sandbox.dbag(&[&all[..], &["--json"]].concat()).expect(1).json();
    assert_eq!(printed["bags"][1]["findings"], report["bags"][1]["findings"]);

    sandbox.dbag(&[&all[..3], &["--report", "fixity.txt"]].concat()).expect(1);
    let text = fs_err::read_to_string(sandbox.path("fixity.txt")).unwrap();
    assert!(text.starts_with("Fixity report\n") && text.contains("invalid  bad.zip\n"), "{text}");
    // Never over an existing one, unless told to; and nothing half-written.
    let before = text.clone();
    sandbox.dbag(&["verify", "good.zip", "--report", "fixity.txt"]).expect(2).says(&["fixity.txt", "exists"]);
    assert_eq!(fs_err::read_to_string(sandbox.path("fixity.txt")).unwrap(), before);
    sandbox.dbag(&["verify", "good.zip", "--report", "fixity.txt", "--force"]).expect(0);
    sandbox.dbag(&["verify", "good.zip", "--report", "no/such/folder.txt"]).expect(2);
    let left = fs_err::read_dir(sandbox.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.map(|name| name.into_string().unwrap()).all(|name| !name.contains(".partial")));
    // The gravest of the exit codes.
    sandbox.dbag(&["verify", "good.zip", "holey.zip"]).expect(4);
    sandbox.dbag(&["verify", "holey.zip", "absent.zip"]).expect(2);
}

/// Makes a bag's files look older than the two seconds within which a receipt trusts nothing.
fn age() {
    std::thread::sleep(Duration::from_millis(2100));
}

#[test]
fn a_receipt_saves_hashing_only_when_asked_for_and_only_while_nothing_changed() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1"), ("b", "2")])
        .add("tagmanifest-sha256.txt", "")
        .write(&sandbox.path("bag"));
    fs_err::remove_file(sandbox.path("bag/tagmanifest-sha256.txt")).unwrap();
    HandBag::new("1.0", &[("a", "1"), ("b", "2")]).zip(&sandbox.path("bag.zip"));
    age();
    let verify = |bag: &str, more: &[&str]| {
        let report = sandbox.dbag(&[&["verify", bag, "--json"], more].concat()).json();
        (report["hashed"].as_str().unwrap().to_owned(), report["receipt"].clone())
    };
    let trust = &["--trust-receipts"][..];
    for bag in ["bag", "bag.zip"] {
        assert_eq!(verify(bag, trust), ("all".into(), "none".into()));
        assert_eq!(verify(bag, trust), ("tag files".into(), "unchanged".into()));
        assert_eq!(verify(bag, &[]), ("all".into(), serde_json::Value::Null));
    }
    let text = sandbox.dbag(&["verify", "bag", "--trust-receipts"]).expect(0).stdout;
    assert!(text.contains("not hashed again"), "{text}");
    // A changed byte with the old length and the old time of modification still changes the file's status.
    let file = sandbox.path("bag/data/a");
    let modified = fs_err::metadata(&file).unwrap().modified().unwrap();
    fs_err::write(&file, "x").unwrap();
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    let changed = sandbox.dbag(&["verify", "bag", "--trust-receipts", "--json"]).expect(1).json();
    assert_eq!(changed["receipt"], "changed");
    assert_eq!(changed["findings"][0]["code"], "E203");
    // An invalid bag leaves no receipt, and the old one does not fit.
    assert_eq!(verify("bag", trust).1, "changed");
    // Verified again at once: a later change within the clock's grain might not show.
    fs_err::write(&file, "1").unwrap();
    assert_eq!(verify("bag", trust).1, "changed");
    assert_eq!(verify("bag", trust), ("all".into(), "too fresh".into()));
    // Another zip in the place of the first.
    HandBag::new("1.0", &[("a", "1"), ("b", "2")]).zip(&sandbox.path("bag.zip"));
    assert_eq!(verify("bag.zip", trust).1, "changed");
}

#[test]
fn receipts_lie_where_the_user_says_and_a_broken_one_is_none() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1")]).write(&sandbox.path("bag"));
    age();
    let run = |cache: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dbag"));
        command.args(["verify", "bag", "--trust-receipts", "--json"]).env("DBAG_CACHE", sandbox.path(cache));
        sandbox.run(command.current_dir(sandbox.path("."))).expect(0).json()["receipt"].clone()
    };
    assert_eq!(run("here"), "none");
    assert_eq!(run("there"), "none");
    assert_eq!(run("here"), "unchanged");
    let folder = fs_err::read_dir(sandbox.path("here/receipts-1")).unwrap();
    for receipt in folder.map(|entry| entry.unwrap().path()) {
        fs_err::write(receipt, "{\"bag\": ").unwrap();
    }
    assert_eq!(run("here"), "none");
    // A cache that can't be written is no reason to fail.
    sandbox.write("file", "");
    assert_eq!(run("file"), "none");
}

#[test]
fn nothing_is_written_to_the_bag_and_an_interrupt_ends_cleanly() {
    let sandbox = Sandbox::new();
    let megabyte = "0123456789abcdef".repeat(65_536);
    let files: Vec<(String, &str)> = (0..300).map(|index| (format!("{index}"), megabyte.as_str())).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, body)| (name.as_str(), *body)).collect();
    HandBag::new("1.0", &files).write(&sandbox.path("bag"));
    let child = Command::new(env!("CARGO_BIN_EXE_dbag"))
        .args(["verify", "bag", "--jobs", "1", "--report", "fixity.txt", "--progress", "json"])
        .current_dir(sandbox.path("."))
        .env("HOME", sandbox.path("home"))
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(60));
    let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    // On a fast machine it may have ended before.
    if output.status.code() != Some(0) {
        assert_eq!(output.status.code(), Some(4), "{stderr}");
        assert!(stderr.contains("error: interrupted"), "{stderr}");
        assert!(!sandbox.path("fixity.txt").exists());
    }
}

/// A compressed archive is decompressed to list it, which takes long; that too shows progress and can be stopped.
#[cfg(unix)]
#[test]
fn listing_a_compressed_archive_can_be_interrupted() {
    use std::io::{BufRead, BufReader};
    let sandbox = Sandbox::new();
    let script = "
import gzip, io, tarfile
with gzip.open('bag.tar.gz', 'wb', 1) as out, tarfile.open(fileobj=out, mode='w|') as archive:
    info = tarfile.TarInfo('bag/data/zeros')
    info.size = 800_000_000
    archive.addfile(info, io.BufferedReader(open('/dev/zero', 'rb')))
";
    sandbox.run(python().args(["-c", script]).current_dir(sandbox.path("."))).expect(0);
    let mut child = Command::new(env!("CARGO_BIN_EXE_dbag"))
        .args(["verify", "bag.tar.gz", "--max-ratio", "100000", "--progress", "json"])
        .current_dir(sandbox.path("."))
        .env("HOME", sandbox.path("home"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains("\"reading the archive\""));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(4), "{rest:?}");
    assert!(rest.iter().any(|line| line == "error: interrupted"), "{rest:?}");
}

#[cfg(unix)]
#[test]
fn rot_that_is_found_ends_the_receipt() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1")]).write(&sandbox.path("bag"));
    let path = sandbox.path("bag/data/a");
    fs_err::write(&path, "2").unwrap();
    // A receipt for the state that it is in now, as if the disk had changed it after that.
    let cache = sandbox.path("home/.cache/dbag");
    let bag = dbag::bag::Bag::open(&sandbox.path("bag")).unwrap();
    let receipts = dbag::cache::Receipts::at(&cache);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let state = dbag::cache::BagState::of(&bag).unwrap();
    let progress = dbag::bag::NoProgress;
    let mut report = dbag::bag::verify(&bag, dbag::bag::VerifyOptions::default(), &progress).unwrap();
    report.findings.clear();
    receipts.keep(&state, &report).unwrap();
    assert_eq!(receipts.trust(&state), dbag::cache::Trust::Unchanged);
    sandbox.dbag(&["materialize", "bag", "--offline"]).expect(0);
    sandbox.dbag(&["materialize", "bag", "--offline", "--rehash"]).expect(1);
    sandbox.dbag(&["verify", "bag"]).expect(1);
    sandbox.dbag(&["materialize", "bag", "--offline"]).expect(1);
}
