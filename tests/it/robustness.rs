//! Full disks, killed processes, two at once, closed pipes, interrupts.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{HandBag, Reply, Sandbox, Server, hex_sha256, tree};

fn dbag() -> Command {
    Command::new(env!("CARGO_BIN_EXE_dbag"))
}

/// A limit on the size of files stands in for a full disk: writes fail in the same places.
#[cfg(unix)]
#[test]
fn a_full_disk_loses_nothing() {
    let sandbox = Sandbox::with_digits();
    let mut csv = String::from("a,b\n");
    for row in 0..20_000 {
        csv.push_str(&format!("{row},some text that takes room {row}\n"));
    }
    sandbox.write("big.csv", csv);
    // Bytes that do not compress.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let noise = (0..3_000_000).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    sandbox.write("files/big.bin", noise.collect::<Vec<u8>>());
    let before = tree(&sandbox.path("lab"));
    let limited = |arguments: &str| {
        let script = format!("ulimit -f 600; trap '' XFSZ; exec \"$DBAG\" {arguments}");
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).env("DBAG", env!("CARGO_BIN_EXE_dbag")).current_dir(sandbox.path("lab"));
        sandbox.run(&mut bash)
    };
    for arguments in ["import ../big.csv --table Big", "import ../files --table Blob"] {
        let output = limited(arguments);
        assert_eq!(output.code, 3, "{arguments}: {output:?}");
        // The next one to open the catalog takes back what was half-written.
        sandbox.dbag_in("lab", &["dataset", "list"]).expect(0);
        assert!(tree(&sandbox.path("lab")) == before, "{arguments}");
    }
    sandbox.dbag_in("lab", &["import", "../files", "--table", "Blob"]).expect(0);
    sandbox.dbag_in("lab", &["import", "../big.csv", "--table", "Big"]).expect(0);
    sandbox.dbag_in("lab", &["dataset", "add", "digits", "--table", "Blob"]).expect(0);
    sandbox.dbag_in("lab", &["release", "digits", "--minor", "-m", "more"]).expect(0);
    assert_eq!(limited("export digits@1.1.0").code, 3);
    assert!(
        tree(&sandbox.path("lab")).keys().all(|name| !name.ends_with(".zip") && !name.contains("partial"))
    );
}

#[test]
fn an_import_killed_at_any_moment_leaves_all_or_nothing() {
    let sandbox = Sandbox::with_digits();
    let mut csv = String::from("a,b\n");
    for row in 0..30_000 {
        csv.push_str(&format!("{row},text {row}\n"));
    }
    sandbox.write("big.csv", csv);
    for round in 0..12 {
        let mut child = dbag()
            .args(["import", "../big.csv", "--table", "Big"])
            .current_dir(sandbox.path("lab"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(7 * round));
        let _ = child.kill();
        child.wait().unwrap();
        let count = sandbox
            .dbag_in("lab", &["import", "../big.csv", "--table", "Big", "--dry-run", "--json"])
            .expect(0)
            .json();
        let created = count["created"].as_bool().unwrap();
        sandbox.dbag_in("lab", &["query", "digits@1.0.0", "SELECT count(*) FROM Image"]).expect(0);
        if !created {
            // It had ended: all rows are there.
            let again = sandbox
                .dbag_in("lab", &["import", "../big.csv", "--table", "Big", "--json"])
                .expect(0)
                .json();
            assert_eq!(again["unchanged"], 30_000);
            return;
        }
    }
    let again =
        sandbox.dbag_in("lab", &["import", "../big.csv", "--table", "Big", "--json"]).expect(0).json();
    assert_eq!(again["added"], 30_000);
}

#[test]
fn writers_take_turns() {
    let sandbox = Sandbox::with_digits();
    let children: Vec<_> = (0..6)
        .map(|index| {
            sandbox.write(&format!("{index}.csv"), format!("a\n{index}\n"));
            let file = format!("../{index}.csv");
            let table = format!("T{}", index % 3);
            dbag()
                .args(["import", &file, "--table", &table])
                .current_dir(sandbox.path("lab"))
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let codes: Vec<i32> =
        children.into_iter().map(|mut child| child.wait().unwrap().code().unwrap()).collect();
    assert_eq!(codes, [0; 6]);
    sandbox.dbag_in("lab", &["dataset", "create", "all"]).expect(0);
    let added = sandbox.dbag_in(
        "lab",
        &["dataset", "add", "all", "--table", "T0", "--table", "T1", "--table", "T2", "--json"],
    );
    assert_eq!(added.expect(0).json()["added"], 6);
}

#[cfg(unix)]
#[test]
fn a_read_only_workspace_can_be_read_and_says_why_it_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::with_digits();
    sandbox.write("t.csv", "a\n1\n");
    let folder = sandbox.path("lab/.dbag");
    let catalog = folder.join("catalog.sqlite");
    fs_err::set_permissions(&catalog, PermissionsExt::from_mode(0o444)).unwrap();
    fs_err::set_permissions(&folder, PermissionsExt::from_mode(0o555)).unwrap();
    // The superuser may write anywhere.
    let root = fs_err::write(folder.join("probe"), "").is_ok();
    if !root {
        sandbox.dbag_in("lab", &["import", "../t.csv", "--table", "T"]).expect(3).says(&["catalog.sqlite"]);
    }
    sandbox.dbag_in("lab", &["query", "digits@1.0.0", "SELECT count(*) FROM Image"]).expect(0);
    fs_err::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_success() {
    let sandbox = Sandbox::with_digits();
    let sql =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT i FROM n";
    let script =
        format!("\"$DBAG\" query digits@1.0.0 \"{sql}\" --format csv | head -n 1; echo ${{PIPESTATUS[0]}}");
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).env("DBAG", env!("CARGO_BIN_EXE_dbag")).current_dir(sandbox.path("lab"));
    let output = sandbox.run(&mut bash);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("i\n0\n", ""));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_cleanly_and_the_next_run_goes_on() {
    let sandbox = Sandbox::new();
    let server = Server::start(|path, _| {
        if path != "/0" {
            std::thread::sleep(Duration::from_millis(300));
        }
        Reply::Body(path.as_bytes().into())
    });
    let mut bag = HandBag::new("1.0", &[]);
    for index in 0..60 {
        let body = format!("/{index}");
        bag = bag
            .add("manifest-sha256.txt", &format!("{}  data/{index}\n", hex_sha256(body.as_bytes())))
            .add("fetch.txt", &format!("{}/{index}\t{}\tdata/{index}\n", server.url(), body.len()));
    }
    bag.write(&sandbox.path("bag"));
    let child = dbag()
        .args(["materialize", "bag", "--connections", "2"])
        .current_dir(sandbox.path("."))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !sandbox.path("bag/data/0").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: interrupted\nhint: run the same command again to go on\n"
    );
    assert!(tree(&sandbox.path("bag")).keys().all(|name| !name.contains(".partial")));
    let fetched = tree(&sandbox.path("bag/data")).len();
    assert!((1..60).contains(&fetched), "{fetched}");
    let report = sandbox.dbag(&["materialize", "bag", "--json"]).expect(0).json();
    assert_eq!(report["fetched_files"].as_u64().unwrap() as usize, 60 - fetched);
}

#[test]
fn json_of_a_failure_is_a_document_too() {
    let sandbox = Sandbox::new();
    let output = sandbox.dbag(&["verify", "absent", "--json"]).expect(2);
    assert_eq!(output.json()["error"]["kind"], "usage");
    assert!(output.stderr.starts_with("error: absent does not exist"));
}
