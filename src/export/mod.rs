//! A dataset's version out of the catalog: as a bag, and its asset bytes to where the bag's references point.
//!
//! A bag is a pure function of the version and the options: the same bytes at every run, on any machine.
//! Owns the bag's layout, which is specified in `docs/format.md`. It changes nothing in the catalog.

mod assets;
mod bag;
mod bytes;
mod digests;
mod homes;
mod info;
mod options;
mod publish;
mod tables;

use std::path::PathBuf;

pub use bag::{ExportReport, TableRows, export, rehearse_export};
pub use options::{AssetMode, ExportOptions};
pub use publish::{PublishReport, publish};

use crate::bag::BagError;
use crate::catalog::{CatalogError, Tombstone};

/// The number of the layout of the bags that this code writes.
pub const BAG_FORMAT: u32 = 2;

/// Why a version could not be exported or published.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ExportError {
    #[error("{0} exists already; --force would replace it")]
    Exists(PathBuf),
    #[error("the bytes of {table} {rid} ({filename}) are gone: {path} is missing")]
    BytesGone { table: String, rid: String, filename: String, path: PathBuf },
    #[error("the bytes of {table} {rid} ({filename}) are not what they were: {fault}")]
    BytesChanged { table: String, rid: String, filename: String, fault: String },
    #[error(
        "the bytes of {table} {rid} ({filename}) were never in this workspace, and no URL of them is known"
    )]
    NeverHere { table: String, rid: String, filename: String },
    #[error("no URL is known of {table} {rid} ({filename})")]
    NoUrl { table: String, rid: String, filename: String },
    #[error("nothing was published to {called:?}; places: {}", if .places.is_empty() { "none".to_owned() } else { .places.join(", ") })]
    NoSuchPlace { called: String, places: Vec<String> },
    #[error(
        "no algorithm has a digest of every asset: {md5} lack MD5 and {sha256} lack SHA-256 ({})",
        .assets.join(", ")
    )]
    MixedDigests { assets: Vec<String>, md5: u64, sha256: u64 },
    #[error("{0} lies in the workspace's own folder, where only dbag keeps its files")]
    IntoItself(PathBuf),
    #[error("{table} {rid} can't be exported: {reason}")]
    BadAsset { table: String, rid: String, reason: String },
    #[error(
        "{0:?} can't be where assets are: --base-url takes an http or https URL without user, password and query"
    )]
    BadBaseUrl(String),
    #[error("{0} is a folder; name the file to write")]
    IsAFolder(PathBuf),
    #[error("{0} is there already and is not a folder")]
    NotAFolder(PathBuf),
    #[error("interrupted")]
    Interrupted,
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// What a bag tells of a row that was withdrawn from it.
fn tombstone_document(tombstone: &Tombstone) -> serde_json::Value {
    serde_json::json!({
        "table": tombstone.table,
        "rid": tombstone.rid,
        "reason": tombstone.reason,
        "withdrawn": tombstone.snapshot.timestamp(),
    })
}
