//! Runs that are killed, disks that are full or broken, locks that lie, networks that are not there: nothing is ever
//! torn, and what was had once is not fetched again.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::{
    Fault, HandBag, Output, Remote, Run, Sandbox, Server, octets_sent_twice, sha256, shim, tree, with_faults,
};

const MIB: usize = 1 << 20;
/// What was sent so long before a kill has arrived, was written, and is noted.
const GRACE: Duration = Duration::from_millis(500);

/// Asserts that whatever a cache has under a digest has that digest; how many objects there are.
#[track_caller]
fn assert_cache_right(cache: &Path) -> usize {
    let files = walkdir::WalkDir::new(cache).into_iter().map(Result::unwrap);
    let is_object = |name: &str| name.len() == 64 && name.chars().all(|c| c.is_ascii_hexdigit());
    let objects = files
        .filter(|entry| entry.file_type().is_file() && entry.file_name().to_str().is_some_and(is_object));
    objects
        .inspect(|entry| {
            assert_eq!(
                sha256(entry.path()),
                entry.file_name().to_str().unwrap(),
                "{}",
                entry.path().display()
            );
        })
        .count()
}

fn spawn(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A number below `below` that differs from run to run.
fn random(below: u64) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish() % below
}

/// A server of files that takes its time, until it is told to hurry: with four connections 70 MiB take some six seconds.
pub fn slow_server(remote: &Remote) -> (Server, Arc<AtomicBool>) {
    let fast = Arc::new(AtomicBool::new(false));
    let (files, is_fast) = (remote.clone(), Arc::clone(&fast));
    let server = Server::with(move |request| match files.reply(&request.path) {
        reply if is_fast.load(Ordering::SeqCst) => reply,
        reply => reply.drip(64 << 10, Duration::from_millis(20)),
    });
    (server, fast)
}

/// Kills runs of a command at random moments, ten times or until one was faster. `look` sees what each left.
pub fn kill_ten_times(sandbox: &Sandbox, arguments: &[&str], look: impl Fn()) -> Vec<Run> {
    let mut runs = Vec::new();
    for _ in 0..10 {
        let began = Instant::now();
        let mut child = spawn(&mut sandbox.command(arguments));
        std::thread::sleep(Duration::from_millis(50 + random(1100)));
        let died = Instant::now();
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            break;
        }
        look();
        runs.push(Run { began, good: died.checked_sub(GRACE).unwrap(), died });
    }
    runs
}

/// Asserts that nothing of what a killed run had was sent again later.
#[track_caller]
pub fn assert_nothing_twice(server: &Server, remote: &Remote, runs: &[Run]) {
    let answers = server.answers();
    for (number, run) in runs.iter().enumerate() {
        for name in remote.names() {
            let again = octets_sent_twice(&answers, &format!("/{name}"), *run);
            assert_eq!(again, 0, "{name} after kill {number}: {again} octets were sent again");
        }
    }
}

/// Kills a run ten times, then lets it end.
fn killed_again_and_again(remote: &Remote, undisturbed: &std::collections::BTreeMap<String, Vec<u8>>) {
    let (server, fast) = slow_server(remote);
    let sandbox = Sandbox::new();
    let bag = sandbox.path("bag");
    remote.bag(&server.url()).write(&bag);
    let arguments = ["materialize", "bag", "--connections", "4"];
    let runs = kill_ten_times(&sandbox, &arguments, || {
        remote.assert_right(&bag);
    });
    fast.store(true, Ordering::SeqCst);
    sandbox.dbag(&arguments).expect(0);
    let found = tree(&bag);
    assert_eq!(found.keys().collect::<Vec<_>>(), undisturbed.keys().collect::<Vec<_>>());
    for (name, body) in undisturbed {
        assert!(name == "fetch.txt" || found[name] == *body, "{name}");
    }
    assert_nothing_twice(&server, remote, &runs);
}

#[test]
fn killed_at_any_moment_it_goes_on_and_ends_as_if_undisturbed() {
    let remote = Remote::of(30, 20_000, 70 * MIB);
    let sandbox = Sandbox::new();
    let files = remote.clone();
    let server = Server::with(move |request| files.reply(&request.path));
    remote.bag(&server.url()).write(&sandbox.path("bag"));
    sandbox.dbag(&["materialize", "bag"]).expect(0);
    remote.assert_complete(&sandbox.path("bag"));
    let undisturbed = tree(&sandbox.path("bag"));
    std::thread::scope(|scope| {
        (0..5).for_each(|_| drop(scope.spawn(|| killed_again_and_again(&remote, &undisturbed))));
    });
}

#[test]
fn killed_in_the_middle_of_any_write_it_goes_on() {
    let Some(shim) = shim() else { return };
    let remote = Remote::of(10, 20_000, 40 * MIB);
    let files = remote.clone();
    let server = Server::with(move |request| files.reply(&request.path));
    let sandbox = Sandbox::new();
    let (bag, cache) = (sandbox.path("bag"), sandbox.path("cache"));
    remote.bag(&server.url()).write(&bag);
    let command = || {
        let mut command = sandbox.command(&["materialize", "bag", "--connections", "4"]);
        command.env("DBAG_CACHE", &cache);
        command
    };
    for bytes in [0, 1, 100, 30_000, 150_000, MIB - 1, 9 * MIB, 9 * MIB, 9 * MIB + 1] {
        let killed = sandbox.run(with_faults(&mut command(), &shim, &[Fault::KilledAfter(bytes as u64)]));
        assert_eq!(killed.code, -1, "{bytes}: {killed:?}");
        remote.assert_right(&bag);
        assert_cache_right(&cache);
    }
    sandbox.run(&mut command()).expect(0);
    remote.assert_complete(&bag);
    assert_eq!(tree(&bag).len(), 11 + 3, "something was left behind");
    assert!(assert_cache_right(&cache) == 0 || assert_cache_right(&cache) == 11);
}

/// Sixteen runs at once that share a cache, and locks that lock nothing.
fn sixteen(remote: &Remote, destination: impl Fn(usize) -> String) {
    let files = remote.clone();
    let server = Server::set_up()
        .latency(Duration::from_millis(10))
        .start(move |request| files.reply(&request.path).drip(256 << 10, Duration::from_millis(5)));
    let sandbox = Sandbox::new();
    remote.bag(&server.url()).zip(&sandbox.path("bag.zip"));
    let shim = shim();
    let children: Vec<Child> = (0..16)
        .map(|index| {
            let to = destination(index);
            let mut command = sandbox.command(&["materialize", "bag.zip", "--to", &to, "--connections", "4"]);
            command.env("DBAG_CACHE", sandbox.path("cache"));
            if let Some(shim) = &shim {
                with_faults(&mut command, shim, &[Fault::LocksLie]);
            }
            spawn(&mut command)
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for index in 0..16 {
        remote.assert_complete(&sandbox.path(&destination(index)));
        sandbox.dbag(&["verify", &destination(index)]).expect(0);
        if destination(0) == destination(1) {
            break;
        }
    }
    assert_eq!(
        tree(&sandbox.path(&destination(0))).len(),
        tree(&sandbox.path(&destination(0)).join("data")).len() + 3
    );
    assert_cache_right(&sandbox.path("cache"));
    let names = remote.names().count();
    let small = server.answers().iter().filter(|sent| sent.path != "/large.bin").count();
    assert!(small * 10 <= (names - 1) * 13, "{small} answers for {} small files", names - 1);
    let large = server.sent_of("/large.bin");
    let length = remote.body("large.bin").len() as u64;
    assert!(large * 10 <= length * 13, "{large} octets for {length}");
}

#[test]
fn sixteen_runs_share_a_cache_and_a_destination() {
    sixteen(&Remote::of(40, 5000, 40 * MIB), |_| "out".into());
}

#[test]
fn sixteen_runs_share_a_cache() {
    sixteen(&Remote::of(40, 5000, 20 * MIB), |index| format!("out{index}"));
}

/// The first to end takes the folder of work under way away, and the others make it again.
#[test]
fn runs_without_a_cache_share_a_destination() {
    let remote = Remote::of(150, 50, 10);
    let files = remote.clone();
    let server = Server::with(move |request| files.reply(&request.path));
    let sandbox = Sandbox::new();
    for round in 0..6 {
        let bag = sandbox.path(&format!("bag{round}"));
        remote.bag(&server.url()).write(&bag);
        let run = || spawn(&mut sandbox.command(&["materialize", bag.to_str().unwrap(), "--no-cache"]));
        let children: Vec<Child> = (0..4).map(|_| run()).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        remote.assert_complete(&bag);
        assert_eq!(tree(&bag).len(), 151 + 3, "something was left behind");
    }
}

#[test]
fn what_a_killed_run_had_begun_is_taken_over_by_the_others() {
    let remote = Remote::of(20, 5000, 20 * MIB);
    let files = remote.clone();
    let server =
        Server::with(move |request| files.reply(&request.path).drip(128 << 10, Duration::from_millis(20)));
    let sandbox = Sandbox::new();
    remote.bag(&server.url()).write(&sandbox.path("bag"));
    let run = || {
        let mut command = sandbox.command(&["materialize", "bag", "--connections", "2"]);
        spawn(command.env("DBAG_CACHE", sandbox.path("cache")))
    };
    let began = Instant::now();
    let mut first = run();
    while server.sent_of("/large.bin") == 0 && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let others = [run(), run()];
    std::thread::sleep(Duration::from_millis(200));
    first.kill().unwrap();
    first.wait().unwrap();
    for other in others {
        let output = other.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    remote.assert_complete(&sandbox.path("bag"));
}

#[test]
fn a_disk_that_is_full_or_broken_is_named_and_the_next_run_goes_on() {
    let Some(shim) = shim() else { return };
    let remote = Remote::of(20, 20_000, 40 * MIB);
    let cases = [
        (Fault::FullAfter(0), "No space left on device"),
        (Fault::FullAfter(5000), "No space left on device"),
        (Fault::FullAfter(250_000), "No space left on device"),
        (Fault::FullAfter(25 << 20), "No space left on device"),
        (Fault::BrokenAfter(250_000), "Input/output error"),
        (Fault::BrokenAfter(25 << 20), "Input/output error"),
    ];
    for (fault, text) in cases {
        let files = remote.clone();
        let server = Server::with(move |request| files.reply(&request.path));
        let sandbox = Sandbox::new();
        let (bag, cache) = (sandbox.path("bag"), sandbox.path("cache"));
        remote.bag(&server.url()).write(&bag);
        let command = || {
            let mut command = sandbox.command(&["materialize", "bag", "--connections", "4"]);
            command.env("DBAG_CACHE", &cache);
            command
        };
        let output = sandbox.run(with_faults(&mut command(), &shim, std::slice::from_ref(&fault)));
        assert_eq!(output.code, 3, "{fault:?}: {output:#?}");
        let line = output.stderr.lines().find(|line| line.starts_with("error: ") && line.contains(text));
        let line = line.unwrap_or_else(|| panic!("{fault:?}: {output:#?}"));
        assert_eq!(output.stderr.contains("hint: make room"), text.starts_with("No space"), "{output:#?}");
        // Relative to where dbag ran, or not.
        assert!(line.contains("bag/") || line.contains("cache/"), "{fault:?}: {line}");
        remote.assert_right(&bag);
        assert_cache_right(&cache);
        let sent = server.sent_of("/large.bin");
        sandbox.run(&mut command()).expect(0);
        remote.assert_complete(&bag);
        assert_eq!(tree(&bag).len(), 21 + 3, "{fault:?}: something was left behind");
        assert_cache_right(&cache);
        let length = remote.body("large.bin").len() as u64;
        if matches!(fault, Fault::FullAfter(bytes) | Fault::BrokenAfter(bytes) if bytes > 20 << 20) {
            // What was written before is used; connections and buffers hold the rest.
            let again = server.sent_of("/large.bin") - sent;
            assert!(again < length * 9 / 10, "{fault:?}: {again} of {length} octets were fetched again");
        }
    }
}

/// A bag, and a cache that has its files, of a server that is no more.
fn warm() -> (Sandbox, Remote) {
    let remote = Remote::of(5, 5000, 6 * MIB);
    let sandbox = Sandbox::new();
    let files = remote.clone();
    let server = Server::with(move |request| files.reply(&request.path));
    let bag = remote.bag(&server.url());
    bag.write(&sandbox.path("first"));
    bag.write(&sandbox.path("bag"));
    bag.zip(&sandbox.path("bag.zip"));
    in_cache(&sandbox, &["materialize", "first"], |_| {}).expect(0);
    (sandbox, remote)
}

fn in_cache(sandbox: &Sandbox, arguments: &[&str], change: impl Fn(&mut Command)) -> Output {
    let mut command = sandbox.command(arguments);
    command.env("DBAG_CACHE", sandbox.path("cache"));
    change(&mut command);
    sandbox.run(&mut command)
}

#[test]
fn offline_no_socket_is_opened() {
    let Some(shim) = shim() else { return };
    let (sandbox, remote) = warm();
    let log = sandbox.path("sockets");
    let watched = |arguments: &[&str]| {
        in_cache(&sandbox, arguments, |command| {
            with_faults(command, &shim, &[Fault::NoNetwork(log.clone())]);
        })
    };
    let said = || fs_err::read_to_string(&log).unwrap();
    watched(&["materialize", "bag", "--offline"]).expect(0);
    remote.assert_complete(&sandbox.path("bag"));
    watched(&["materialize", "bag.zip", "--to", "out", "--offline"]).expect(0);
    remote.assert_complete(&sandbox.path("out"));
    watched(&["verify", "bag"]).expect(0);
    assert_eq!(said(), "");

    // What the cache lacks is told, and no socket is opened for it either.
    HandBag::new("1.0", &[])
        .add("manifest-sha256.txt", &format!("{}  data/new\n", "0".repeat(64)))
        .add("fetch.txt", "http://127.0.0.1:1/new\t5\tdata/new\n")
        .write(&sandbox.path("cold"));
    let output = watched(&["materialize", "cold", "--offline"]);
    assert!(matches!(output.code, 3 | 4), "{output:?}");
    assert!(output.stdout.contains("data/new") && output.stdout.contains("offline"), "{output:?}");
    assert_eq!(said(), "");

    // And the watch would have seen one.
    watched(&["materialize", "cold"]).expect(3);
    assert_ne!(said(), "");
}

#[cfg(target_os = "linux")]
#[test]
fn offline_works_where_there_is_no_network() {
    let allowed = Command::new("unshare").args(["-rn", "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: unshare -rn is not allowed here");
        return;
    }
    let (sandbox, remote) = warm();
    let dbag = sandbox.command(&[]).get_program().to_owned();
    let mut unshare = Command::new("unshare");
    unshare.arg("-rn").arg(dbag).args(["materialize", "bag", "--offline"]).current_dir(sandbox.path("."));
    sandbox.run(unshare.env("DBAG_CACHE", sandbox.path("cache"))).expect(0);
    remote.assert_complete(&sandbox.path("bag"));
}

#[test]
fn where_nothing_can_be_linked_files_are_copied_from_the_cache() {
    let Some(shim) = shim() else { return };
    let (sandbox, remote) = warm();
    let without_links = |command: &mut Command| {
        with_faults(command, &shim, &[Fault::NoLinks]);
    };
    in_cache(&sandbox, &["materialize", "bag", "--offline"], without_links).expect(0);
    remote.assert_complete(&sandbox.path("bag"));
}

#[test]
fn killed_while_it_copies_from_the_cache_it_leaves_nothing_among_the_files() {
    let Some(shim) = shim() else { return };
    let (sandbox, remote) = warm();
    let copy = ["materialize", "bag", "--offline", "--link", "copy"];
    for bytes in [3000, 12_000, 3 * MIB] {
        let killed = in_cache(&sandbox, &copy, |command| {
            with_faults(
                command,
                &shim,
                &[Fault::KilledAfter(bytes as u64), Fault::Only("/bag/data/".into())],
            );
        });
        assert_eq!(killed.code, -1, "{bytes}: {killed:?}");
        let there = remote.assert_right(&sandbox.path("bag"));
        assert_eq!(tree(&sandbox.path("bag/data")).len(), there, "{bytes}: something was left behind");
    }
    in_cache(&sandbox, &copy, |_| {}).expect(0);
    remote.assert_complete(&sandbox.path("bag"));
}

#[test]
fn many_files_cost_few_syncs() {
    let Some(shim) = shim() else { return };
    let remote = Remote::of(200, 1000, MIB);
    let files = remote.clone();
    let server = Server::with(move |request| files.reply(&request.path));
    let sandbox = Sandbox::new();
    remote.bag(&server.url()).write(&sandbox.path("bag"));
    let log = sandbox.path("syncs");
    let output = in_cache(&sandbox, &["materialize", "bag"], |command| {
        with_faults(command, &shim, &[Fault::SyncLog(log.clone())]);
    });
    output.expect(0);
    let syncs = fs_err::read_to_string(&log).unwrap();
    assert!(syncs.lines().count() <= 20, "{} syncs for 201 files", syncs.lines().count());
}
