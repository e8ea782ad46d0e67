//! Who works on something: this very process, told from every other on this machine and on others.
//!
//! No lock is involved, for locks lie on network file systems. A process of the same boot and process namespace can be
//! looked up; of any other only the age of its last sign of life is known.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A process that gave no sign of life for this long is not waited for: it is dead, or sleeps.
pub(crate) const LEASE: Duration = Duration::from_mins(2);
/// A sign of life is given this often.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(20);

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    host: String,
    /// The boot and the process namespace: where the process id means something.
    realm: String,
    pid: u32,
    /// When the process began, in the kernel's ticks: ids are used again.
    started: u64,
    /// Tells the runs of one process apart.
    run: String,
}

/// What is known of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// It is this run, or a process that is there.
    Alive,
    /// It is of this machine, and is no more.
    Dead,
    /// It is elsewhere.
    Elsewhere,
}

impl Owner {
    /// This process, at a run of its own.
    pub(crate) fn new() -> Self {
        let mut random = [0; 6];
        // Without randomness the process id and its start still tell runs of two processes apart.
        let _ = getrandom::fill(&mut random);
        Self { run: random.map(|octet| format!("{octet:02x}")).concat(), ..look() }
    }

    /// A part of a file name that no other run has.
    pub(crate) fn tag(&self) -> String {
        let host: String =
            self.host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
        format!("{host}.{}.{}", self.pid, self.run)
    }

    /// Its name for people.
    pub(crate) fn shown(&self) -> String {
        format!("process {} on {}", self.pid, self.host)
    }

    /// Whether the process still runs, as far as can be known from here.
    pub(crate) fn life(&self) -> Life {
        let here = look();
        if self.host != here.host || self.realm != here.realm || here.realm.is_empty() {
            return Life::Elsewhere;
        }
        if started(self.pid) == Some(self.started) { Life::Alive } else { Life::Dead }
    }
}

/// This process. Looked up anew each time, for a forked child is another one.
fn look() -> Owner {
    let pid = std::process::id();
    let read = |path: &str| fs_err::read_to_string(path).unwrap_or_default().trim().to_owned();
    let namespace = fs_err::read_link("/proc/self/ns/pid").unwrap_or_default();
    let boot = read("/proc/sys/kernel/random/boot_id");
    let realm = if boot.is_empty() { String::new() } else { format!("{boot} {}", namespace.display()) };
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Owner { host, realm, pid, started: started(pid).unwrap_or(0), run: String::new() }
}

/// When a process of this machine began; `None` where there is none of that id.
fn started(pid: u32) -> Option<u64> {
    let text = fs_err::read(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The second field is the program's name in parentheses, and may hold anything; the start is the 22nd.
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_ended_is_dead_and_one_elsewhere_is_not() {
        let here = Owner::new();
        assert_eq!(here.life(), Life::Alive);
        assert_ne!(here, Owner::new());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert_eq!(Owner { pid: child.id(), ..here.clone() }.life(), Life::Dead);
        // The id was given to another process since.
        assert_eq!(Owner { started: 1, ..here.clone() }.life(), Life::Dead);
        assert_eq!(Owner { host: "elsewhere".into(), ..here.clone() }.life(), Life::Elsewhere);
        assert_eq!(Owner { realm: "another boot".into(), ..here }.life(), Life::Elsewhere);
    }
}
