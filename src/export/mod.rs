//! A dataset's version out of the catalog: as a bag, and its asset bytes to where the bag's references point.
//!
//! A bag is a pure function of the version and the options: the same bytes at every run, on any machine.
//! Owns the bag's layout, which is specified in `docs/format.md`. Of the catalog's numbered rows it changes nothing.

mod assets;
mod bag;
mod bytes;
mod homes;
mod info;
mod options;
mod place;
mod publish;
mod rows;

use std::path::PathBuf;

pub use bag::{Estimate, ExportReport, estimate, export};
pub use options::{AssetMode, ExportOptions};
pub use publish::{PublishOptions, PublishReport, publish};
pub use rows::{Contents, TableRows};

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
    #[error("the bytes of {table} {rid} ({filename}) are not here, and no URL of them is known")]
    Elsewhere { table: String, rid: String, filename: String },
    #[error("no URL of {table} {rid} ({filename}) is known")]
    NoUrl { table: String, rid: String, filename: String },
    #[error("{table} {rid} can't be exported: {reason}")]
    BadAsset { table: String, rid: String, reason: String },
    #[error(
        "no manifest could list every file: {without_md5} have no MD5 ({md5_of}), {without_sha256} have no SHA-256 ({sha256_of})"
    )]
    MixedDigests { without_md5: u64, md5_of: String, without_sha256: u64, sha256_of: String },
    #[error(
        "{0:?} can't be where assets are: --base-url takes an http or https URL without user, password and query"
    )]
    BadBaseUrl(String),
    #[error("nothing was published to {place:?}{}", known_places(known))]
    NoSuchPlace { place: String, known: Vec<String> },
    #[error("it is not known under which URL others see {0}, so no bag can refer to it")]
    NoBaseUrl(PathBuf),
    #[error("{0} is a folder; name the file to write")]
    IsAFolder(PathBuf),
    #[error("{0} is in the workspace's own folder, where a bag would be taken for a part of it")]
    InWorkspace(PathBuf),
    #[error("{0} is a file that the catalog's rows refer to; a bag can't be written over it")]
    OntoItself(PathBuf),
    #[error("{0} is there already and is not a folder")]
    NotAFolder(PathBuf),
    #[error(
        "the bag of {reference} came out with the SHA-256 {found}, but was {known} when it was cut in the same way before ({path}): \
         the catalog is damaged, or this is a bug of dbag"
    )]
    NotReproduced { reference: String, known: String, found: String, path: String },
    #[error("interrupted")]
    Interrupted,
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

fn known_places(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("; there are {}", known.join(", ")) }
}
