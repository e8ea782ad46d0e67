//! Files and tables into the catalog.
//!
//! Owns how a file of rows becomes a table's rows and a folder becomes assets: what columns are called, which types and
//! keys they have, what they refer to, and which rows are refused. All or nothing, unless bad rows are to be kept
//! aside. Importing the same thing again changes nothing.

mod assets;
mod bad;
mod bag;
mod error;
mod features;
mod merge;
mod names;
mod pattern;
mod references;
mod report;
mod rows;
mod side;
mod table;
mod terms;
mod workspace;

pub use assets::{AssetImport, Metadata, import_folder};
pub use bad::{BadRow, RowPlace};
pub use error::IngestError;
pub use pattern::{PathPattern, PatternError};
pub use references::Reference;
pub use report::ImportReport;
pub use side::{SideError, SideTable, Unmatched};
pub use table::{TableImport, import_table};

pub use bag::{BagDataset, BagImport, BagImportReport, dataset_of, import_bag};
pub use features::{FeatureImport, FeatureReport, import_feature};
pub use merge::{MergeReport, MergedTable};
pub use terms::{TermImport, TermReport, import_terms};
pub use workspace::{WorkspaceImportReport, import_workspace};

use crate::model::is_kept_name;

/// Refuses to make tables whose names dbag and deriva-ml need for their own.
fn check_name(table: &str) -> Result<(), IngestError> {
    if is_kept_name(table) { Err(IngestError::Reserved { table: table.to_owned() }) } else { Ok(()) }
}
