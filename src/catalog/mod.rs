//! The local catalog: a laboratory's tables, datasets and their history in one SQLite file.
//!
//! Owns the file's layout, record ids, snapshots and every write. Rows are never rewritten: what is superseded
//! moves to history, so that the catalog can be read as it was at any transaction. Never speaks to a network and
//! never touches the bytes of assets. The layout is specified in `docs/format.md`.

mod cells;
mod change;
mod dataset;
mod error;
mod execution;
mod feature;
mod layout;
mod past;
mod read;
mod selection;
mod sql;
mod store;
mod tables;
mod terms;
mod undo;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use cells::Cells;
pub use change::{Change, RowWriter, SystemValues};
pub use dataset::{DatasetDetails, DatasetSummary, Drift, MemberCount, Release, VersionDetails};
pub use error::CatalogError;
pub use execution::{Agent, Program};
pub use feature::{
    FeatureColumn, FeatureInfo, FeatureRecord, FeatureSummary, FeatureValueKind, FeatureWriter, NewFeature,
    Selector, ValuesOf,
};
pub use layout::Upgrade;
pub use past::{Moment, TransactionSummary};
pub use read::Row;
pub use selection::{TableSelection, VersionSelection};
pub(crate) use sql::{quoted, sentence};
pub use store::{Catalog, Clock, CreateOptions};
pub use tables::{CellChange, DeletedRows, NewReference, NewTable, RowChange, TableDetails, TableSummary};
pub use terms::{TermChange, TermOutcome, TermWriter};
pub use undo::Undone;
pub use vocabulary::Term;
