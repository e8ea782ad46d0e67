//! What bdbag and bagit-python say of dbag's bags, and dbag of theirs.

use std::process::Command;

use crate::support::{HandBag, Sandbox, Server, peer, tree};

/// The demo's dataset published and exported, holey and embedded, and unpacked by Python.
fn exported() -> (Sandbox, Server) {
    let sandbox = Sandbox::with_digits();
    sandbox.dbag_in("lab", &["publish", "digits@1.0.0", "--to", "../site"]).expect(0);
    let server = Server::files(sandbox.path("site"));
    sandbox
        .dbag_in("lab", &["export", "digits@1.0.0", "--base-url", &server.url(), "-o", "../holey.zip"])
        .expect(0);
    sandbox.dbag_in("lab", &["export", "digits@1.0.0", "-o", "../embedded.zip"]).expect(0);
    (sandbox, server)
}

fn unpack(sandbox: &Sandbox, archive: &str, to: &str) -> String {
    zip::ZipArchive::new(fs_err::File::open(sandbox.path(archive)).unwrap())
        .unwrap()
        .extract(sandbox.path(to))
        .unwrap();
    let root = fs_err::read_dir(sandbox.path(to)).unwrap().next().unwrap().unwrap().path();
    root.to_str().unwrap().to_owned()
}

#[test]
fn bdbag_validates_and_fetches_dbags_bags() {
    let Some(bdbag) = peer("bdbag") else { return };
    let (sandbox, _server) = exported();
    let bdbag = |arguments: &[&str]| {
        sandbox.run(Command::new(&bdbag).args(arguments).current_dir(sandbox.path("home")))
    };
    let embedded = unpack(&sandbox, "embedded.zip", "embedded");
    bdbag(&["--validate", "full", &embedded]).expect(0);
    let holey = unpack(&sandbox, "holey.zip", "holey");
    bdbag(&["--validate", "structure", &holey]).expect(0);
    assert_ne!(bdbag(&["--validate", "full", &holey]).code, 0);
    bdbag(&["--resolve-fetch", "all", &holey]).expect(0);
    bdbag(&["--validate", "full", &holey]).expect(0);
    sandbox.dbag(&["verify", &holey]).expect(0);
    sandbox.dbag(&["materialize", "holey.zip", "--to", "ours"]).expect(0);
    assert!(tree(&sandbox.path("ours")) == tree(std::path::Path::new(&holey)));
    // bdbag unpacks the archive itself, too.
    bdbag(&["--materialize", sandbox.path("holey.zip").to_str().unwrap()]).expect(0);
}

#[test]
fn bagit_python_validates_dbags_bags() {
    let Some(bagit) = peer("bagit.py") else { return };
    let (sandbox, _server) = exported();
    let validate = |bag: &str| sandbox.run(Command::new(&bagit).args(["--validate", bag]));
    validate(&unpack(&sandbox, "embedded.zip", "embedded")).expect(0);
    sandbox.dbag(&["materialize", "holey.zip", "--to", "whole"]).expect(0);
    validate(sandbox.path("whole").to_str().unwrap()).expect(0);
}

#[test]
fn dbag_verifies_the_peers_bags() {
    let (Some(bdbag), Some(bagit)) = (peer("bdbag"), peer("bagit.py")) else { return };
    let sandbox = Sandbox::new();
    for algorithms in [&["md5"][..], &["sha1"], &["md5", "sha256"], &["sha512"]] {
        for archiver in ["zip", "none"] {
            let name = format!("bdbag-{}-{archiver}", algorithms.join("-"));
            sandbox.write(&format!("{name}/a b.txt"), "1");
            sandbox.write(&format!("{name}/deep/μ.txt"), "2");
            let mut arguments: Vec<&str> =
                algorithms.iter().flat_map(|algorithm| ["--checksum", algorithm]).collect();
            if archiver != "none" {
                arguments.extend(["--archiver", archiver]);
            }
            sandbox.run(Command::new(&bdbag).args(arguments).arg(sandbox.path(&name))).expect(0);
            sandbox.dbag(&["verify", &name]).expect(0);
            if archiver == "zip" {
                sandbox.dbag(&["verify", &format!("{name}.zip")]).expect(0);
            }
        }
    }
    sandbox.write("bagit/x/100%.txt", "1");
    sandbox.write("bagit/new\nline", "2");
    let flags = ["--sha256", "--sha384", "--sha224", "--sha1", "--md5", "--sha512"];
    sandbox.run(Command::new(&bagit).args(flags).arg(sandbox.path("bagit"))).expect(0);
    sandbox.dbag(&["verify", "bagit"]).expect(0);
}

#[test]
fn a_bag_that_bdbag_takes_by_mistake_is_refused() {
    let Some(bdbag) = peer("bdbag") else { return };
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1")]).add("bag-info.txt", "Payload-Oxum: 9.9\n").write(&sandbox.path("bag"));
    sandbox.run(Command::new(bdbag).args(["--validate", "full"]).arg(sandbox.path("bag"))).expect(0);
    sandbox.dbag(&["verify", "bag"]).expect(1);
}
