//! Packed bags whose runs are killed: what had come is not fetched again, and the archive is the same in the end.

use std::path::Path;
use std::sync::atomic::Ordering;

use crate::kills::{assert_nothing_twice, kill_ten_times, slow_server};
use crate::support::{Fault, Remote, Sandbox, Server, shim, with_faults};

const MIB: usize = 1 << 20;
const PACK: [&str; 6] = ["materialize", "bag", "--connections", "4", "--pack", "packed/out.zip"];

/// A sandbox with the bag of these files at that server, and the archive that an undisturbed run makes of it.
fn undisturbed(remote: &Remote, server: &Server) -> (Sandbox, Vec<u8>) {
    let sandbox = Sandbox::new();
    remote.bag(&server.url()).write(&sandbox.path("bag"));
    fs_err::create_dir(sandbox.path("packed")).unwrap();
    sandbox.dbag(&["materialize", "bag", "--pack", "whole.zip"]).expect(0);
    let whole = fs_err::read(sandbox.path("whole.zip")).unwrap();
    (sandbox, whole)
}

/// Asserts that the archive is that one, and that it is all there is.
#[track_caller]
fn assert_packed(sandbox: &Sandbox, whole: &[u8]) {
    assert!(fs_err::read(sandbox.path("packed/out.zip")).unwrap() == whole, "the archive is another");
    assert_eq!(names(&sandbox.path("packed")), ["out.zip"]);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).unwrap().map(Result::unwrap);
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Kills a run ten times, then lets it end.
fn killed_again_and_again(remote: &Remote) {
    let (server, fast) = slow_server(remote);
    fast.store(true, Ordering::SeqCst);
    let (sandbox, whole) = undisturbed(remote, &server);
    fast.store(false, Ordering::SeqCst);
    let out = sandbox.path("packed/out.zip");
    let runs = kill_ten_times(&sandbox, &PACK, || {
        assert!(!out.exists() || fs_err::read(&out).unwrap() == whole, "a torn archive has its name");
    });
    fast.store(true, Ordering::SeqCst);
    // The last one may have been killed when all was done.
    let code = if out.exists() { 2 } else { 0 };
    sandbox.dbag(&PACK).expect(code);
    assert_packed(&sandbox, &whole);
    assert_nothing_twice(&server, remote, &runs);
    sandbox.dbag(&["verify", "packed/out.zip"]).expect(0);
}

#[test]
fn killed_at_any_moment_packing_goes_on_and_ends_as_if_undisturbed() {
    let remote = Remote::of(60, 20_000, 70 * MIB);
    std::thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(|| killed_again_and_again(&remote))));
    });
}

#[test]
fn killed_in_the_middle_of_any_write_packing_goes_on() {
    let Some(shim) = shim() else { return };
    let large = 40 * MIB;
    let remote = Remote::of(40, 20_000, large);
    let files = remote.clone();
    let server = Server::with(move |request| files.reply(&request.path));
    let (sandbox, whole) = undisturbed(&remote, &server);
    let small: usize = 40 * 20_000;
    // The bag's own files, small ones, the large one as it comes, and again on its way into the archive; each run goes on
    // where the last one died.
    let until_copied = small + large + 20 * MIB;
    for bytes in [0, 1, 100, 30_000, 150_000, 9 * MIB, until_copied, 3 * MIB, 20 * MIB] {
        let killed =
            sandbox.run(with_faults(&mut sandbox.command(&PACK), &shim, &[Fault::KilledAfter(bytes as u64)]));
        assert_eq!(killed.code, -1, "{bytes}: {killed:?}");
        assert_eq!(names(&sandbox.path("packed")), [".dbag-out.zip.partial"], "{bytes}");
    }
    let requests = server.requests().len();
    sandbox.dbag(&PACK).expect(0);
    assert_packed(&sandbox, &whole);
    assert_eq!(server.requests().len(), requests, "all of it had come before the last kills");
}

#[test]
fn what_a_run_left_that_was_killed_at_its_very_end_is_removed_by_the_next() {
    let remote = Remote::of(3, 1000, 2000);
    let files = remote.clone();
    let server = Server::with(move |request| files.reply(&request.path));
    let (sandbox, whole) = undisturbed(&remote, &server);
    sandbox.write("packed/out.zip", &whole);
    sandbox.write("packed/.dbag-out.zip.partial/abc.part", "left");
    sandbox.dbag(&PACK).expect(2).says(&["out.zip"]);
    assert_packed(&sandbox, &whole);
    // One that may still be of use stays.
    sandbox.write("packed/.dbag-out.zip.partial/archive", "left");
    sandbox.dbag(&PACK).expect(2);
    assert_eq!(names(&sandbox.path("packed")), [".dbag-out.zip.partial", "out.zip"]);
}
