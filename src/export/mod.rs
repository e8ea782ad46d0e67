//! A dataset's version out of the catalog: as a bag, and its asset bytes to where the bag's references point.
//!
//! A bag is a pure function of the version and the options: the same bytes at every run, on any machine.
//! Owns the bag's layout, which is specified in `docs/format.md`. It changes nothing in the catalog.

mod assets;
mod bag;
mod bytes;
mod publish;

use std::path::PathBuf;

pub use bag::{AssetMode, ExportOptions, ExportReport, TableRows, export};
pub use publish::{PublishReport, publish};

use crate::bag::BagError;
use crate::catalog::CatalogError;

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
