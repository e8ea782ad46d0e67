//! What can be had again, kept by its digest: a file's name is the SHA-256 of its bytes, so that plain `sha256sum`
//! checks a store without dbag.
//!
//! Owns the layout of an object store, which the workspace's objects and a published folder share, and the cache: its
//! objects, their stamps, the ways to put them into a bag's folder, leases, and the receipts of what was verified on
//! this machine. Files are written once, by rename, and never modified. It never asks a network.

mod error;
mod folder;
mod lease;
mod link;
mod objects;
mod receipts;
mod stamp;
mod store;
mod times;

pub use error::CacheError;
pub use lease::Lease;
pub use link::{LinkCounts, LinkKind, LinkMode, Linker};
pub use objects::{ObjectStore, Stored};
pub use receipts::{BagState, Receipts, Trust, cache_folder};
pub use stamp::{Stamp, stamp};
pub use store::{Cache, Object};
