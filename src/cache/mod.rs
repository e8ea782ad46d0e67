//! What can be had again, kept by its digest: a file's name is the SHA-256 of its bytes, so that plain `sha256sum`
//! checks a store without dbag.
//!
//! Owns the layout of an object store, which the workspace's objects and a published folder share, and the cache: its
//! objects, their stamps, the ways to put them into a bag's folder, leases, and the receipts of what was verified on
//! this machine. Files are written once, by rename, and never modified. It never asks a network.

mod bags;
mod check;
mod error;
mod folder;
mod gc;
mod hashing;
mod lease;
mod link;
mod md5;
mod objects;
mod pins;
mod receipts;
mod scrub;
mod stamp;
mod store;
mod survey;
#[cfg(test)]
mod tests;
mod times;

pub use crate::settings::LinkMode;
pub use bags::{KnownBag, KnownState};
pub use check::{CacheReport, Damaged};
pub use error::CacheError;
pub use gc::{GcOptions, GcReport, MIN_AGE};
pub use lease::Lease;
pub(crate) use link::system_words;
pub use link::{LinkCounts, LinkKind, Linker};
pub use objects::{ObjectStore, Stored};
pub use pins::Pin;
pub use receipts::{BagState, Receipts, Trust, cache_folder};
pub use stamp::{Stamp, stamp, unstamp_wrong};
pub(crate) use store::is_forbidden;
pub use store::{Cache, Object};
pub use survey::{Listed, Usage};
pub use times::sync_file_system;
