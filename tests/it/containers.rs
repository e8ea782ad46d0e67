//! Bags in every container that is read: the same verdict and findings in each, from every writer.

use std::path::Path;
use std::process::Command;

use crate::support::{HandBag, Sandbox, peer, python, tree};

/// The endings by which the tests name containers; `""` is a folder.
const CONTAINERS: [&str; 6] = ["", ".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz"];

/// Packs the folder `bag` of the sandbox into every container beside it, by Python.
fn pack_all(sandbox: &Sandbox, bag: &str) {
    let script = "
import shutil, sys, tarfile
bag = sys.argv[1]
shutil.make_archive(bag, 'zip', '.', bag)
for mode, name in (('w', '.tar'), ('w:gz', '.tar.gz'), ('w:bz2', '.tar.bz2'), ('w:xz', '.tar.xz')):
    with tarfile.open(bag + name, mode) as archive:
        archive.add(bag)
";
    sandbox.run(python().args(["-c", script, bag]).current_dir(sandbox.path("."))).expect(0);
}

#[test]
fn the_same_findings_in_every_container() {
    let sandbox = Sandbox::new();
    let large = "0123456789abcdef".repeat(100_000);
    HandBag::new(
        "1.0",
        &[("a", "1"), ("b", "2"), ("c", "3"), ("deep/er/\u{e9}", "4"), ("large", &large), ("empty", "")],
    )
    .without("data/b")
    .add("data/c", "more")
    .add("data/extra", "x")
    .add("bag-info.txt", "Payload-Oxum: 4.4\n")
    .write(&sandbox.path("bag"));
    pack_all(&sandbox, "bag");
    for container in CONTAINERS {
        let report = sandbox.dbag(&["verify", &format!("bag{container}"), "--json"]).expect(1).json();
        let findings: Vec<(&str, &str)> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| (f["code"].as_str().unwrap(), f["place"].as_str().unwrap()))
            .collect();
        let expected =
            [("E205", "bag-info.txt"), ("E201", "data/b"), ("E203", "data/c"), ("E202", "data/extra")];
        assert_eq!(findings, expected, "{container}");
        assert_eq!(report["payload_files"], 6, "{container}");
        assert_eq!(report["hashed_files"], 5, "{container}");
    }
}

#[test]
fn every_level_works_in_every_container() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1"), ("b", "22")])
        .add("bag-info.txt", "Payload-Oxum: 3.2\n")
        .write(&sandbox.path("bag"));
    pack_all(&sandbox, "bag");
    for container in CONTAINERS {
        for level in ["oxum", "structure", "complete", "full"] {
            let bag = format!("bag{container}");
            let report = sandbox.dbag(&["verify", &bag, "--level", level, "--json"]).expect(0).json();
            assert_eq!(report["level"], level, "{container}");
            assert_eq!(report["payload_files"], 2, "{container}");
        }
    }
}

#[test]
fn materialize_and_query_read_every_container() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("people.csv", "name,age\nAda,36\n"), ("x/y", "2")]).write(&sandbox.path("bag"));
    pack_all(&sandbox, "bag");
    for container in CONTAINERS {
        let bag = format!("bag{container}");
        let answer = sandbox.dbag(&["query", &bag, "SELECT age FROM people", "--format", "csv"]).expect(0);
        assert_eq!(answer.stdout, "age\n36\n", "{container}");
        let out = format!("out{container}");
        sandbox.dbag(&["materialize", &bag, "--to", &out]).expect(0);
        assert!(tree(&sandbox.path(&out)) == tree(&sandbox.path("bag")), "{container}");
    }
}

#[test]
fn a_bag_at_the_root_of_its_archive_is_read() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1")]).write(&sandbox.path("bag"));
    let script =
        "cd bag && tar cf ../dot.tar . && tar czf ../plain.tar.gz * && python3 -m zipfile -c ../root.zip *";
    sandbox.run(Command::new("sh").args(["-ec", script]).current_dir(sandbox.path("."))).expect(0);
    for bag in ["dot.tar", "plain.tar.gz", "root.zip"] {
        sandbox.dbag(&["verify", bag]).expect(0);
    }
    sandbox.dbag(&["materialize", "plain.tar.gz"]).expect(0);
    sandbox.dbag(&["verify", "plain"]).expect(0);
}

#[test]
fn the_name_of_an_archive_does_not_matter() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1")]).write(&sandbox.path("bag"));
    pack_all(&sandbox, "bag");
    for container in &CONTAINERS[1..] {
        fs_err::rename(sandbox.path(&format!("bag{container}")), sandbox.path("archive.dat")).unwrap();
        sandbox.dbag(&["verify", "archive.dat"]).expect(0);
    }
}

/// bdbag's own archives, every algorithm and format that it writes.
#[test]
fn bdbags_archives_verify() {
    let Some(bdbag) = peer("bdbag") else { return };
    let sandbox = Sandbox::new();
    for algorithm in ["md5", "sha1", "sha256", "sha512", "all"] {
        for archiver in ["zip", "tar", "tgz", "bz2", "xz"] {
            let name = format!("{algorithm}-{archiver}");
            sandbox.write(&format!("{name}/a b.txt"), "1");
            sandbox.write(&format!("{name}/deep/μ.txt"), "2");
            let mut command = Command::new(&bdbag);
            command.args(["--checksum", algorithm, "--archiver", archiver]).arg(sandbox.path(&name));
            sandbox.run(&mut command).expect(0);
            sandbox.dbag(&["verify", &name]).expect(0);
            sandbox.dbag(&["verify", &archive_of(&sandbox, &name)]).expect(0);
        }
    }
}

/// The archive that bdbag made beside a folder.
fn archive_of(sandbox: &Sandbox, name: &str) -> String {
    let found = fs_err::read_dir(sandbox.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    let prefix = format!("{name}.");
    found.map(|file| file.to_str().unwrap().to_owned()).find(|file| file.starts_with(&prefix)).unwrap()
}

/// Every algorithm of Python's hashlib that makes digests of one length, as bagit-python names them.
#[test]
fn bagit_pythons_bags_verify_in_every_algorithm() {
    let Some(bagit) = peer("bagit.py") else { return };
    let sandbox = Sandbox::new();
    let algorithms = [
        "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_224", "sha3_256", "sha3_384",
        "sha3_512", "blake2b", "blake2s",
    ];
    for algorithm in algorithms {
        sandbox.write(&format!("{algorithm}/a"), "1");
        sandbox.write(&format!("{algorithm}/b/c"), "2");
        let bag = sandbox.path(algorithm);
        sandbox.run(Command::new(&bagit).arg(format!("--{algorithm}")).arg(&bag)).expect(0);
        let report = sandbox.dbag(&["verify", algorithm, "--json"]).expect(0).json();
        assert_eq!(report["algorithms"].as_array().unwrap().len(), 1, "{algorithm}");
        assert_eq!(report["warnings"], 0, "{algorithm}");
        fs_err::write(bag.join("data/a"), "2").unwrap();
        let report = sandbox.dbag(&["verify", algorithm, "--json"]).expect(1).json();
        assert_eq!(report["findings"][0]["code"], "E203", "{algorithm}");
    }
}

/// The forms of tar that Python and GNU tar write, with names that make them differ.
#[test]
fn forms_of_tar() {
    let sandbox = Sandbox::new();
    let long = format!("{}/{}", "long".repeat(40), "name".repeat(30));
    HandBag::new("1.0", &[("a", "1"), (&long, "2"), ("\u{e9}/\u{1F600}", "3")]).write(&sandbox.path("bag"));
    let script = "
import sys, tarfile
for name, form in (('pax', tarfile.PAX_FORMAT), ('gnu', tarfile.GNU_FORMAT)):
    for mode in ('', ':gz'):
        with tarfile.open('py-' + name + mode.replace(':', '-') + '.tar', 'w' + mode, format=form) as archive:
            archive.add('bag')
";
    sandbox.run(python().args(["-c", script]).current_dir(sandbox.path("."))).expect(0);
    for form in ["gnu", "pax"] {
        let file = format!("tar-{form}.tar");
        let mut tar = Command::new("tar");
        tar.args([&format!("--format={form}"), "-cf", &file, "bag"]).current_dir(sandbox.path("."));
        sandbox.run(&mut tar).expect(0);
    }
    for bag in ["py-pax.tar", "py-pax-gz.tar", "py-gnu.tar", "py-gnu-gz.tar", "tar-gnu.tar", "tar-pax.tar"] {
        let report = sandbox.dbag(&["verify", bag, "--json"]).expect(0).json();
        assert_eq!(report["payload_files"], 3, "{bag}");
    }
}

/// Zip archives as other programs write them.
#[test]
fn forms_of_zip() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1"), ("\u{e9}", "22"), ("c", &"3".repeat(5000))])
        .write(&sandbox.path("bag"));
    let script = "
import zipfile, os
files = [os.path.join(d, f) for d, _, fs in os.walk('bag') for f in fs]
class Pipe:
    # No seeking: sizes come after the bytes.
    def __init__(self, path): self.file = open(path, 'wb')
    def write(self, data): return self.file.write(data)
    def flush(self): self.file.flush()
    def close(self): self.file.close()
for name, method in (('stored', zipfile.ZIP_STORED), ('deflated', zipfile.ZIP_DEFLATED)):
    with zipfile.ZipFile(name + '.zip', 'w', method) as archive:
        archive.comment = b'a comment'
        for file in files: archive.write(file)
    with zipfile.ZipFile(Pipe('streamed-' + name + '.zip'), 'w', method) as archive:
        for file in files: archive.write(file)
    with zipfile.ZipFile('zip64-' + name + '.zip', 'w', method) as archive:
        for file in files:
            with archive.open(file, 'w', force_zip64=True) as out: out.write(open(file, 'rb').read())
";
    sandbox.run(python().args(["-c", script]).current_dir(sandbox.path("."))).expect(0);
    for form in ["", "streamed-", "zip64-"] {
        for method in ["stored", "deflated"] {
            let bag = format!("{form}{method}.zip");
            let report = sandbox.dbag(&["verify", &bag, "--json"]).expect(0).json();
            assert_eq!(report["payload_files"], 3, "{bag}");
        }
    }
}

#[test]
fn deriva_bags_are_read_from_a_folder_with_any_name() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1")]).write(&sandbox.path("a tagmanifest-name/manifest-x/bag"));
    sandbox.dbag(&["verify", "a tagmanifest-name/manifest-x/bag"]).expect(0);
    assert!(Path::new(&sandbox.path("a tagmanifest-name")).exists());
}
