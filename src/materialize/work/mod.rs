//! Work under way, on disk: who does what, and how far it has come.
//!
//! Owns claims and partial files, in a cache's work folder or in the bag's own. Any number of processes, on any number
//! of machines that share a file system, may work there; no lock is used, and none of what lies there is needed for
//! a result to be right.

mod claim;
mod folder;
mod owner;
mod partial;
mod ranges;

pub(super) use claim::{Claim, Claims};
pub(super) use folder::make_in;
pub(super) use owner::{HEARTBEAT, Owner};
pub(super) use partial::{Origin, Partial, read_exact_at, write_all_at};
pub(super) use ranges::RangeSet;
