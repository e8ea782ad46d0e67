//! Faults of the system below dbag: full disks, locks that lie, networks that are not there.
//!
//! Owns `shim.c`, which says what it can do, and how it is compiled. It is preloaded into the runs that a test says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What goes wrong below a run.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Locks are granted to everyone.
    LocksLie,
    /// Writes to files fail with ENOSPC after so many bytes in all.
    FullAfter(u64),
    /// Writes to files fail with EIO after so many bytes in all.
    BrokenAfter(u64),
    /// The process is killed in the middle of the write that reaches so many bytes.
    KilledAfter(u64),
    /// The three above are only about paths that hold this.
    Only(String),
    /// No socket of IPv4 or IPv6, no name lookup: each try is a line in this file.
    NoNetwork(PathBuf),
    /// Neither hard links nor clones.
    NoLinks,
    /// Nothing can be written, made, renamed or removed where the path holds this.
    ReadOnly(String),
    /// Nothing fails; each sync, syncfs, fsync and fdatasync is a line in this file.
    SyncLog(PathBuf),
}

/// The library that [`with_faults`] preloads; `None`, after saying so, where it can't be compiled or does not work.
pub fn shim() -> Option<PathBuf> {
    static SHIM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match SHIM.get_or_init(compile) {
        Ok(path) => Some(path.clone()),
        Err(reason) => {
            eprintln!("skipped: no faults can be made here: {reason}");
            None
        }
    }
}

fn compile() -> Result<PathBuf, String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("it takes Linux on x86-64".into());
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/shim/shim.c");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let library = folder.join("shim.so");
    // Another test binary may do the same at once: each makes its own, the last one's stays.
    let own = folder.join(format!("shim.{}.so", std::process::id()));
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o"]).arg(&own).arg(source).arg("-ldl");
    let output = cc.output().map_err(|error| format!("cc: {error}"))?;
    if !output.status.success() {
        return Err(format!("cc: {}", String::from_utf8_lossy(&output.stderr)));
    }
    fs_err::rename(&own, &library).map_err(|error| error.to_string())?;
    let mut probe = Command::new("true");
    with_faults(&mut probe, &library, &[Fault::LocksLie]);
    let output = probe.output().map_err(|error| format!("true: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(library)
}

/// Has a run meet these faults, and whatever it starts.
pub fn with_faults<'a>(command: &'a mut Command, shim: &Path, faults: &[Fault]) -> &'a mut Command {
    command.env("LD_PRELOAD", shim);
    for fault in faults {
        match fault {
            Fault::LocksLie => command.env("SHIM_FLOCK", "lie"),
            Fault::FullAfter(bytes) => command.env("SHIM_ENOSPC_AFTER", bytes.to_string()),
            Fault::BrokenAfter(bytes) => command.env("SHIM_EIO_AFTER", bytes.to_string()),
            Fault::KilledAfter(bytes) => command.env("SHIM_KILL_AFTER", bytes.to_string()),
            Fault::Only(text) => command.env("SHIM_ONLY", text),
            Fault::NoNetwork(log) => command.env("SHIM_SOCKET", "deny").env("SHIM_LOG", log),
            Fault::NoLinks => command.env("SHIM_LINK", "deny"),
            Fault::ReadOnly(text) => command.env("SHIM_READ_ONLY", text),
            Fault::SyncLog(log) => command.env("SHIM_SYNC_LOG", log),
        };
    }
    command
}
