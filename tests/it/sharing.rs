//! Runs that share a cache or a folder, and meet what others have left there, stopped, or forbidden.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::support::{Fault, Remote, Sandbox, Server, shim, tree, with_faults};

/// No run of these small bags takes longer, unless it waits for someone in vain.
const PATIENCE: Duration = Duration::from_secs(40);

/// A bag in `bag` whose files are at a server.
fn bag_of(remote: &Remote, sandbox: &Sandbox) -> Server {
    let files = remote.clone();
    let server = Server::with(move |request| files.reply(&request.path));
    remote.bag(&server.url()).write(&sandbox.path("bag"));
    server
}

fn in_cache(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = sandbox.command(arguments);
    command.env("DBAG_CACHE", sandbox.path("cache"));
    command
}

fn claims(folder: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "claim")).collect()
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_claim_that_a_full_disk_cut_short_holds_nobody_up() {
    let Some(shim) = shim() else { return };
    let (remote, sandbox) = (Remote::of(5, 100, 100), Sandbox::new());
    let _server = bag_of(&remote, &sandbox);
    let mut command = in_cache(&sandbox, &["materialize", "bag"]);
    // A claim is written under another name and appears whole; the cache is there.
    sandbox.write("cache/format", "dbag cache 1\n");
    let faults = [Fault::FullAfter(0), Fault::Only(".new".into())];
    sandbox.run(with_faults(&mut command, &shim, &faults)).expect(3);
    let work = sandbox.path("cache/work-1");
    assert_eq!(claims(&work), Vec::<PathBuf>::new());
    let mut command = in_cache(&sandbox, &["materialize", "bag"]);
    sandbox.run_within(PATIENCE, &mut command).expect(0);
    remote.assert_complete(&sandbox.path("bag"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_was_stopped_is_named_and_not_waited_for_without_end() {
    let remote = Remote::of(5, 100, 100);
    let files = remote.clone();
    let server = Server::with(move |request| match request.count {
        0 => files.reply(&request.path).after(Duration::from_secs(20)),
        _ => files.reply(&request.path),
    });
    let sandbox = Sandbox::new();
    remote.bag(&server.url()).write(&sandbox.path("bag"));
    let began = Instant::now();
    let mut stopped = in_cache(&sandbox, &["materialize", "bag"]);
    let mut stopped = stopped.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while server.requests().is_empty() && began.elapsed() < Duration::from_secs(15) {
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&stopped, "-STOP");
    let second = std::thread::scope(|scope| {
        let second =
            scope.spawn(|| sandbox.run_within(PATIENCE, &mut in_cache(&sandbox, &["materialize", "bag"])));
        // When it has waited for a while, the claims are made as old as they would be after two minutes.
        std::thread::sleep(Duration::from_secs(8));
        for claim in claims(&sandbox.path("cache/work-1")) {
            let file = fs_err::OpenOptions::new().append(true).open(claim).unwrap();
            file.file().set_modified(SystemTime::now() - Duration::from_secs(130)).unwrap();
        }
        second.join().unwrap()
    });
    signal(&stopped, "-CONT");
    let first = stopped.wait().unwrap();
    let second = second.expect(0);
    assert!(second.stderr.contains(&format!("waiting for process {}", stopped.id())), "{second:?}");
    remote.assert_complete(&sandbox.path("bag"));
    assert!(first.success(), "{first:?}");
    assert_eq!(claims(&sandbox.path("cache/work-1")), Vec::<PathBuf>::new());
}

#[test]
fn a_cache_that_can_t_be_written_to_is_used_for_what_it_has() {
    let Some(shim) = shim() else { return };
    let (remote, sandbox) = (Remote::of(5, 100, 5 << 20), Sandbox::new());
    let _server = bag_of(&remote, &sandbox);
    remote.bag("http://127.0.0.1:9").write(&sandbox.path("warm"));
    let cache = sandbox.path("cache").to_str().unwrap().to_owned();
    let frozen = |arguments: &[&str]| {
        let mut command = in_cache(&sandbox, arguments);
        sandbox.run(with_faults(&mut command, &shim, &[Fault::ReadOnly(cache.clone())]))
    };
    let note = "nothing is kept in the cache";
    // One that is not there yet and can't be made.
    let output = frozen(&["materialize", "bag", "--to", "cold", "--json"]).expect(0);
    assert_eq!(output.stderr.matches(note).count(), 1, "{output:?}");
    assert!(output.json()["notes"][0].as_str().unwrap().contains(note), "{output:?}");
    assert_eq!(tree(&sandbox.path("cold")).len(), 6 + 3, "something was left behind");
    assert!(!sandbox.path("cache").exists());

    sandbox.run(&mut in_cache(&sandbox, &["materialize", "bag"])).expect(0);
    let before = tree(&sandbox.path("cache"));
    let output = frozen(&["materialize", "warm", "--offline", "--json"]).expect(0);
    assert!(output.stderr.contains(note), "{output:?}");
    assert_eq!(output.json()["cached_files"], 6);
    remote.assert_complete(&sandbox.path("warm"));
    assert_eq!(tree(&sandbox.path("cache")), before);
}

#[test]
fn a_cache_that_is_deleted_meanwhile_costs_what_was_in_it() {
    let remote = Remote::of(60, 2000, 24 << 20);
    let files = remote.clone();
    let server =
        Server::with(move |request| files.reply(&request.path).drip(256 << 10, Duration::from_millis(20)));
    let sandbox = Sandbox::new();
    remote.bag(&server.url()).write(&sandbox.path("bag"));
    let arguments = ["materialize", "bag", "--connections", "4"];
    let output = std::thread::scope(|scope| {
        let run = scope.spawn(|| sandbox.run_within(PATIENCE, &mut in_cache(&sandbox, &arguments)));
        let began = Instant::now();
        while server.sent_of("/large.bin") < 4 << 20 && began.elapsed() < Duration::from_secs(15) {
            std::thread::sleep(Duration::from_millis(10));
        }
        fs_err::rename(sandbox.path("cache"), sandbox.path("aside")).unwrap();
        // What was just being made may come to lie there yet.
        while fs_err::remove_dir_all(sandbox.path("aside")).is_err() {}
        run.join().unwrap()
    });
    output.expect(0);
    remote.assert_complete(&sandbox.path("bag"));
    assert!(sandbox.path("cache/format").is_file());
}

#[test]
fn of_two_that_make_one_archive_the_second_may_come_again() {
    let remote = Remote::of(2, 100, 100);
    let files = remote.clone();
    let server = Server::with(move |request| files.reply(&request.path).after(Duration::from_secs(3)));
    let sandbox = Sandbox::new();
    remote.bag(&server.url()).write(&sandbox.path("bag"));
    let run =
        || sandbox.run_within(PATIENCE, &mut in_cache(&sandbox, &["materialize", "bag", "--pack", "a.zip"]));
    let began = Instant::now();
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(run);
        while server.requests().is_empty() && began.elapsed() < Duration::from_secs(15) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let second = run();
        (first.join().unwrap(), second)
    });
    first.expect(0);
    let second = second.expect(4).says(&["another process is making a.zip"]);
    assert!(second.stderr.contains("hint: run the same command again"), "{second:?}");
}
