//! A content-addressed store of files: a file's name is the SHA-256 of its bytes, so that plain `sha256sum`
//! checks the store without dbag.
//!
//! Owns the layout `<first two digits>/<all 64 digits>`, which the workspace's objects and a published
//! folder share. Files are written once, by rename, and never modified. It never asks a network.
//! Owns too the receipts of what was verified on this machine, and where the user's cache is.

mod objects;
mod receipts;

pub use objects::{ObjectStore, Stored};
pub use receipts::{BagState, Receipts, Trust, cache_folder};
