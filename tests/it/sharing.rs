//! Runs that share a cache or a folder, and meet what others have left there, stopped, or forbidden.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::{Fault, Remote, Sandbox, Server, shim, with_faults};

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

#[test]
fn a_claim_that_a_full_disk_cut_short_holds_nobody_up() {
    let Some(shim) = shim() else { return };
    let (remote, sandbox) = (Remote::of(5, 100, 100), Sandbox::new());
    let _server = bag_of(&remote, &sandbox);
    let mut command = in_cache(&sandbox, &["materialize", "bag"]);
    let faults = [Fault::FullAfter(0), Fault::Only(".claim".into())];
    sandbox.run(with_faults(&mut command, &shim, &faults)).expect(3);
    let work = sandbox.path("cache/work-1");
    assert_eq!(claims(&work), Vec::<PathBuf>::new());
    let mut command = in_cache(&sandbox, &["materialize", "bag"]);
    sandbox.run_within(PATIENCE, &mut command).expect(0);
    remote.assert_complete(&sandbox.path("bag"));
}
