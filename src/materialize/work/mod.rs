//! Work under way, on disk: who does what, and how far it has come.
//!
//! Owns partial files, in a cache's work folder or in the bag's own. Any number of processes, on any number of machines
//! that share a file system, may work there, and claims tell them apart; no lock is used, and none of what lies there
//! is needed for a result to be right.

mod partial;
mod ranges;

pub(super) use crate::claim::{Claim, Claims, HEARTBEAT, Owner, make_in};
pub(super) use partial::{Origin, Partial, read_exact_at, write_all_at};
pub(super) use ranges::RangeSet;
