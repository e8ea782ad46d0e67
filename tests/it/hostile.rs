//! Archives and bags that mean harm: refused, with a sentence that names the entry, and nothing written anywhere.

use std::process::Command;

use crate::support::{HandBag, Sandbox, hex_sha256, python, tree};

/// Runs a Python script that makes `bag.tar` or `bag.zip`, then every command that opens one: all must refuse.
fn refused(name: &str, script: &str, says: &[&str]) {
    let sandbox = Sandbox::new();
    let prelude = "
import io, sys, tarfile, zipfile
BAGIT = b'BagIt-Version: 1.0\\nTag-File-Character-Encoding: UTF-8\\n'
def tar(entries, path='bag.tar', mode='w'):
    with tarfile.open(path, mode) as archive:
        for name, body, more in entries:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            for key, value in more.items(): setattr(info, key, value)
            archive.addfile(info, io.BytesIO(body))
";
    sandbox
        .run(python().args(["-c", &format!("{prelude}{script}")]).current_dir(sandbox.path(".")))
        .expect(0);
    let archive = if sandbox.path("bag.tar").exists() { "bag.tar" } else { "bag.zip" };
    let before = tree(&sandbox.path("."));
    for command in [&["materialize", archive, "--to", "out"][..], &["verify", archive]] {
        let output = sandbox.dbag(command);
        assert_eq!(output.code, 1, "{name}: {output:#?}");
        let all = format!("{}{}", output.stdout, output.stderr);
        for part in says {
            assert!(all.contains(part), "{name}: {part:?} is not in {output:#?}");
        }
        assert!(tree(&sandbox.path(".")) == before, "{name}");
    }
    assert!(!sandbox.path("out").exists() && !sandbox.path("../pwned").exists(), "{name}");
}

#[test]
fn hostile_tars_write_nothing() {
    let bagit = "('bag/bagit.txt', BAGIT, {})";
    for (name, entries, says) in [
        ("out of the bag", "('bag/../../pwned', b'x', {})", &["pwned"][..]),
        ("absolute", "('/tmp/pwned', b'x', {})", &["/tmp/pwned", "absolute"]),
        ("a drive", "('C:\\\\pwned', b'x', {})", &["C:", "drive"]),
        ("a home", "('~/pwned', b'x', {})", &["~"]),
        ("two roots", "('other/x', b'x', {})", &["more than one folder"]),
        ("a link out", "('bag/data', b'', {'type': tarfile.SYMTYPE, 'linkname': '/tmp'})", &["data", "link"]),
        (
            "a hard link out",
            "('bag/data/x', b'', {'type': tarfile.LNKTYPE, 'linkname': '/etc/passwd'})",
            &["data/x", "link"],
        ),
        ("a device", "('bag/data/x', b'', {'type': tarfile.CHRTYPE})", &["data/x", "device"]),
        ("a pipe", "('bag/data/x', b'', {'type': tarfile.FIFOTYPE})", &["data/x", "pipe"]),
        (
            "the same place twice",
            "('bag/data/x', b'x', {}), ('bag/data/./x', b'y', {})",
            &["data/x", "twice"],
        ),
        (
            "a file that is a folder",
            "('bag/data/x', b'x', {}), ('bag/data/x/y', b'y', {}), ('bag/manifest-md5.txt', b'', {})",
            &["data/x", "a file and a folder at once"],
        ),
    ] {
        for mode in ["w", "w:gz"] {
            let script = format!("tar([{bagit}, {entries}], mode='{mode}')");
            refused(&format!("{name}, {mode}"), &script, says);
        }
    }
}

#[test]
fn cut_and_damaged_tars_are_refused() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", &"x".repeat(50_000)), ("b", "2")]).write(&sandbox.path("bag"));
    for (ending, mode) in [("tar", "w"), ("tar.gz", "w:gz"), ("tar.bz2", "w:bz2"), ("tar.xz", "w:xz")] {
        let whole = format!("bag.{ending}");
        let script = format!("import tarfile; tarfile.open('{whole}', '{mode}').add('bag')");
        sandbox.run(python().args(["-c", &script]).current_dir(sandbox.path("."))).expect(0);
        let bytes = fs_err::read(sandbox.path(&whole)).unwrap();
        for length in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
            // The last block of a plain tar is padding.
            let length = if ending == "tar" { length.min(bytes.len() - 20_000) } else { length };
            sandbox.write(&whole, &bytes[..length]);
            sandbox.dbag(&["verify", &whole]).expect(1).says(&[&whole]);
            sandbox.dbag(&["materialize", &whole, "--to", "out"]).expect(1).says(&[&whole]);
            assert!(!sandbox.path("out").exists());
        }
    }
}

/// A bag whose payload is a hundred megabytes of zeros, in an archive of a few kilobytes.
fn bomb(sandbox: &Sandbox) {
    let script = "
import zipfile, tarfile, io, hashlib
size = 100_000_000
BAGIT = b'BagIt-Version: 1.0\\nTag-File-Character-Encoding: UTF-8\\n'
zeros = bytes(size)
manifest = (hashlib.sha256(zeros).hexdigest() + '  data/zeros\\n').encode()
files = [('bag/bagit.txt', BAGIT), ('bag/manifest-sha256.txt', manifest), ('bag/data/zeros', zeros)]
with zipfile.ZipFile('bomb.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
    for name, body in files: archive.writestr(name, body)
with tarfile.open('bomb.tar.xz', 'w:xz') as archive:
    for name, body in files:
        info = tarfile.TarInfo(name)
        info.size = len(body)
        archive.addfile(info, io.BytesIO(body))
";
    sandbox.run(python().args(["-c", script]).current_dir(sandbox.path("."))).expect(0);
}

#[test]
fn bombs_are_refused_unless_the_limit_is_raised() {
    let sandbox = Sandbox::new();
    bomb(&sandbox);
    for archive in ["bomb.zip", "bomb.tar.xz"] {
        sandbox.dbag(&["verify", archive]).expect(1).says(&[archive, "500 times its size"]);
        sandbox.dbag(&["materialize", archive, "--to", "out"]).expect(1).says(&[archive, "500 times"]);
        assert!(!sandbox.path("out").exists());
        sandbox.dbag(&["verify", archive, "--max-ratio", "100000"]).expect(0);
        let small = ["verify", archive, "--max-ratio", "100000", "--max-unpacked", "50MB"];
        sandbox.dbag(&small).expect(1).says(&[archive, "50000000"]);
        sandbox.dbag(&["verify", archive, "--max-entries", "2"]).expect(1).says(&[archive, "2 entries"]);
    }
    let materialize = ["materialize", "bomb.tar.xz", "--to", "out", "--max-ratio", "100000"];
    sandbox.dbag(&materialize).expect(0);
    assert_eq!(fs_err::metadata(sandbox.path("out/data/zeros")).unwrap().len(), 100_000_000);
}

#[test]
fn zips_that_two_programs_would_read_differently_are_refused() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "hello")]).zip(&sandbox.path("good.zip"));
    let good = fs_err::read(sandbox.path("good.zip")).unwrap();
    let find = |what: &[u8]| good.windows(what.len()).position(|window| window == what).unwrap();
    let local = find(b"bag/data/a");
    let mut cases: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut renamed = good.clone();
    renamed[local + 9] = b'b';
    cases.push(("a local header of another name", renamed));
    let mut crc = good.clone();
    crc[local - 16] ^= 1;
    cases.push(("a local header with another CRC", crc));
    let mut method = good.clone();
    method[local - 22] ^= 8;
    cases.push(("a local header with another method", method));
    cases.push(("bytes before", [b"junk".as_slice(), &good].concat()));
    cases.push(("bytes after", [good.as_slice(), b"junk"].concat()));
    let mut count = good.clone();
    let end = good.len() - 22;
    count[end + 8] -= 1;
    count[end + 10] -= 1;
    cases.push(("a wrong number of entries", count));
    let mut directory = good.clone();
    directory[end + 16] ^= 1;
    cases.push(("a directory elsewhere", directory));
    for (name, bytes) in cases {
        sandbox.write("bad.zip", bytes);
        for command in [&["verify", "bad.zip"][..], &["materialize", "bad.zip", "--to", "out"]] {
            let output = sandbox.dbag(command);
            assert_eq!(output.code, 1, "{name}: {output:#?}");
            assert!(output.stderr.contains("bad.zip"), "{name}: {output:#?}");
        }
        assert!(!sandbox.path("out").exists(), "{name}");
    }
    sandbox.dbag(&["verify", "good.zip"]).expect(0);
}

#[test]
fn fetch_lines_that_decode_to_the_outside_stay_names() {
    let sandbox = Sandbox::new();
    let digest = hex_sha256(b"x");
    for path in ["data/%2e%2e/%2e%2e/pwned", "data/%2Fabs%2Fpath"] {
        HandBag::new("1.0", &[])
            .add("manifest-sha256.txt", &format!("{digest}  {path}\n"))
            .add("fetch.txt", &format!("http://127.0.0.1:9/x 1 {path}\n"))
            .write(&sandbox.path("bag"));
        sandbox.dbag(&["verify", "bag"]).expect(4);
        fs_err::remove_dir_all(sandbox.path("bag")).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn no_link_in_a_bag_is_followed_to_read() {
    use fs_err::os::unix::fs::symlink;
    let secret = hex_sha256(b"secret");
    let link = |sandbox: &Sandbox, at: &str, to: &str| {
        let _ = fs_err::remove_file(sandbox.path(at));
        let _ = fs_err::remove_dir_all(sandbox.path(at));
        symlink(to, sandbox.path(at)).unwrap();
    };
    let cases: [(&str, &str, &str, &str); 7] = [
        ("a payload file", "bag/data/a", "../../secret", "data/a"),
        ("the payload folder", "bag/data", "../outside", "data"),
        ("a manifest", "bag/manifest-sha256.txt", "../manifest", "manifest-sha256.txt"),
        ("an unlisted folder", "bag/data/more", "../../outside", "data/more"),
        ("a loop", "bag/data/loop", ".", "data/loop"),
        ("a dangling one", "bag/data/nothing", "absent", "data/nothing"),
        ("one that stays in the bag", "bag/data/inner", "a", "data/inner"),
    ];
    for (name, at, to, place) in cases {
        let sandbox = Sandbox::new();
        sandbox.write("secret", "secret");
        sandbox.write("manifest", format!("{secret}  data/a\n"));
        sandbox.write("outside/a", "secret");
        HandBag::new("1.0", &[("a", "secret")]).write(&sandbox.path("bag"));
        link(&sandbox, at, to);
        let report = sandbox.dbag(&["verify", "bag", "--json"]).expect(1).json();
        let odd: Vec<&str> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["code"] == "E207")
            .map(|finding| finding["place"].as_str().unwrap())
            .collect();
        assert_eq!(odd, [place], "{name}: {report}");
    }
}

/// A pipe that no one writes to makes a reader wait for ever.
#[cfg(unix)]
#[test]
fn a_pipe_in_a_manifest_does_not_hang() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1")]).write(&sandbox.path("bag"));
    fs_err::remove_file(sandbox.path("bag/data/a")).unwrap();
    sandbox.run(Command::new("mkfifo").arg(sandbox.path("bag/data/a"))).expect(0);
    let output = sandbox.dbag(&["verify", "bag"]).expect(1);
    assert!(output.stdout.contains("E207 data/a: it is a device, pipe or socket"), "{output:?}");
    fs_err::remove_file(sandbox.path("bag/manifest-sha256.txt")).unwrap();
    sandbox.run(Command::new("mkfifo").arg(sandbox.path("bag/manifest-sha256.txt"))).expect(0);
    sandbox.dbag(&["verify", "bag"]).expect(1);
}
