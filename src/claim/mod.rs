//! Who works on what, where several processes and machines share a folder: small files that name their owner.
//!
//! Owns how a process is told from every other, how a claim is made, kept alive, and taken over from the dead. No lock is
//! involved, for locks lie on network file systems; so nothing may ever be wrong because a claim was not respected.

mod claims;
mod folder;
mod owner;

pub(crate) use claims::{Claim, Claims, now_in};
pub(crate) use folder::{make_folder, make_in};
pub(crate) use owner::{HEARTBEAT, LEASE, Life, Owner};
