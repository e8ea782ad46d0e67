//! Files that are there and wrong: told as what they are, by whoever looks at them, and mended.

use crate::plan::{Case, body};
use crate::support::hex_sha256;

/// Writes as many other bytes to a file, which is then no other file's.
fn damage(case: &Case, path: &str) {
    let path = case.sandbox.path(path);
    let length = fs_err::metadata(&path).unwrap().len();
    fs_err::remove_file(&path).unwrap();
    fs_err::write(&path, vec![b'x'; length as usize]).unwrap();
}

#[test]
fn what_is_there_and_wrong_is_not_called_missing() {
    let case = Case::new();
    case.sandbox.dbag(&["materialize", "bag.zip", "--to", "out"]).expect(0);
    damage(&case, "out/data/asset/1-AAA3/Image/b.png");
    let run = |more: &[&str]| {
        case.sandbox
            .dbag(&[&["materialize", "bag.zip", "--to", "out", "--json"], more].concat())
            .expect(1)
            .json()
    };
    let report = run(&["--finish"]);
    assert_eq!((report["failed_files"].as_u64(), report["present_files"].as_u64()), (Some(0), Some(6)));
    assert_eq!(report["findings"][0]["code"], "E203");
    // Out of the cache it can be mended offline; without one it is told, and what is lacking besides.
    fs_err::remove_file(case.sandbox.path("out/data/asset/1-AAA1/Image/a.png")).unwrap();
    let report = run(&["--offline", "--no-cache"]);
    assert_eq!(report["findings"][0]["code"], "E203");
    let reasons: Vec<&str> = report["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["reason"].as_str().unwrap())
        .collect();
    assert!(reasons[0].starts_with("it is not in the cache"), "{report}");
    assert!(reasons[1].starts_with("what is there is wrong, and it is not in the cache"), "{report}");
    let finish = case.sandbox.dbag(&["materialize", "bag.zip", "--to", "out", "--finish"]).expect(1).stdout;
    assert!(finish.contains("E203") && finish.contains("not valid, 1 file not there"), "{finish}");
    case.sandbox.dbag(&["materialize", "bag.zip", "--to", "out", "--offline"]).expect(0);
    case.sandbox.dbag(&["verify", "out"]).expect(0);
}

#[test]
fn a_shard_says_nothing_of_the_others() {
    let case = Case::new();
    let run = |more: &[&str]| case.sandbox.dbag(&[&["materialize", "bag.zip", "--to", "out"], more].concat());
    let shards = ["1/3", "2/3", "3/3"];
    let mut of_shard = vec![run(&["--shard", "1/3"]).expect(0), run(&["--shard", "2/3"]).expect(0)];
    of_shard.push(run(&["--shard", "3/3"]).expect(0));
    for (shard, output) in shards.iter().zip(&of_shard) {
        assert!(output.stdout.contains(&format!("shard {shard}: its ")), "{output:?}");
        assert!(output.stdout.contains("there and right"), "{output:?}");
    }
    // All of it is there, and one file of one shard is wrong.
    damage(&case, "out/data/asset/1-AAA3/Image/b.png");
    for shard in shards {
        let report = run(&["--shard", shard, "--no-cache", "--json"]).expect(0).json();
        assert_eq!(report["whole"], false, "{report}");
        assert_eq!(report["shard"]["count"], 3);
        damage(&case, "out/data/asset/1-AAA3/Image/b.png");
    }
    let known = case.sandbox.dbag(&["ls", "--json"]).expect(0).json();
    assert_eq!(known["bags"].as_array().unwrap().len(), 0, "{known}");
    run(&["--finish"]).expect(1);
    run(&[]).expect(0);
    assert_eq!(case.sandbox.dbag(&["ls", "--json"]).expect(0).json()["bags"][0]["state"], "whole");
}

/// Changes a file's first octet as a disk does by itself: the same inode, with nothing to be seen in its times.
fn rot(case: &Case, path: &str) {
    let path = case.sandbox.path(path);
    let before = fs_err::metadata(&path).unwrap();
    let mut writable = before.permissions();
    #[allow(clippy::permissions_set_readonly_false)]
    writable.set_readonly(false);
    fs_err::set_permissions(&path, writable).unwrap();
    let mut file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, b"!").unwrap();
    file.file().set_modified(before.modified().unwrap()).unwrap();
    fs_err::set_permissions(&path, before.permissions()).unwrap();
}

#[test]
fn what_verify_finds_rotten_is_fetched_anew() {
    let path = "out/data/asset/1-AAA3/Image/b.png";
    for link in ["auto", "copy"] {
        let case = Case::new();
        let run = |more: &[&str]| {
            case.sandbox.dbag(&[&["materialize", "bag.zip", "--to", "out", "--link", link], more].concat())
        };
        run(&[]).expect(0);
        for check in [&["verify", "out"][..], &["cache", "verify"]] {
            rot(&case, path);
            // A copy is not seen by checking the cache.
            let code = i32::from(link == "auto" || check[0] == "verify");
            case.sandbox.dbag(check).expect(code);
            if code == 1 {
                run(&["--finish"]).expect(1);
                assert!(run(&["--finish"]).stdout.contains("E203 data/asset/1-AAA3/Image/b.png"));
            }
            run(if code == 1 { &[] } else { &["--rehash"] }).expect(0);
            case.sandbox.dbag(&["verify", "out"]).expect(0);
            case.sandbox.dbag(&["cache", "verify"]).expect(0);
        }
    }
}

#[test]
fn everything_is_hashed_again_where_that_is_asked_for() {
    let case = Case::new();
    let run = |more: &[&str]| {
        case.sandbox.dbag(&[&["materialize", "bag.zip", "--to", "out", "--json"], more].concat())
    };
    run(&["--link", "copy"]).expect(0);
    rot(&case, "out/data/asset/1-AAA3/Image/b.png");
    let digest = hex_sha256(&body(1));
    rot(&case, &format!("home/.cache/dbag/objects-1/{}/{digest}", &digest[..2]));
    run(&["--finish"]).expect(0);
    let before = case.server.requests().len();
    assert_eq!(run(&["--rehash", "--finish"]).expect(1).json()["findings"][0]["code"], "E203");
    let report = run(&["--rehash", "--link", "copy"]).expect(0).json();
    assert_eq!((report["fetched_files"].as_u64(), report["present_files"].as_u64()), (Some(1), Some(6)));
    assert_eq!(case.server.requests().len(), before + 1);
    case.sandbox.dbag(&["verify", "out"]).expect(0);
    case.sandbox.dbag(&["cache", "verify"]).expect(0);
    // A packed bag is not made of rot either.
    rot(&case, &format!("home/.cache/dbag/objects-1/{}/{digest}", &digest[..2]));
    case.sandbox.dbag(&["materialize", "bag.zip", "--pack", "whole.zip", "--rehash"]).expect(0);
    case.sandbox.dbag(&["verify", "whole.zip"]).expect(0);
}
