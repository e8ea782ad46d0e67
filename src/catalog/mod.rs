//! The local catalog: a laboratory's tables, datasets and their history in one SQLite file.
//!
//! Owns the file's layout, record ids, snapshots and every write. Rows are never rewritten: what is superseded
//! moves to history, so that the catalog can be read as it was at any transaction. Never speaks to a network and
//! never touches the bytes of assets. The layout is specified in `docs/format.md`.

mod bags;
mod cells;
mod chain;
mod change;
mod check;
mod dataset;
mod diff;
mod error;
mod execution;
mod feature;
mod files;
mod journal;
mod layout;
mod lease;
mod merge;
mod past;
mod places;
mod purge;
mod reach;
mod read;
mod selection;
mod spool;
mod sql;
mod store;
mod tables;
mod terms;
mod undo;
mod upgrade;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use crate::settings::JournalMode;
pub use bags::{BagRecord, CutBag, Withdrawn};
pub use cells::Cells;
pub use change::{Change, RowWriter, SystemValues};
pub use check::{CheckReport, Fault, NamedAsset, Severity};
pub use dataset::{
    DatasetDetails, DatasetLog, DatasetRef, DatasetStatus, DatasetSummary, Draw, Drift, LoggedVersion, Made,
    Member, MemberCount, NestedDataset, NestedVersion, Release, ReleaseAs, ReleaseOptions, Rows,
    SampleOptions, SplitOptions, SplitReport, VersionDetails,
};
pub use error::CatalogError;
pub use execution::{Agent, Program};
pub use feature::{
    FeatureColumn, FeatureInfo, FeatureRecord, FeatureSummary, FeatureValueKind, FeatureWriter, NewFeature,
    Selector, ValuesOf,
};
pub use files::{FileReference, modified};
pub use merge::RowThere;
pub use past::{Moment, TransactionSummary};
pub use places::Place;
pub use purge::{Held, PurgeOptions, Purged, Tombstone};
pub use reach::{Chain, Explanation, RowPart, SelectOptions, TablePart, WhyNot};
pub use read::Row;
pub use selection::{TableSelection, VersionSelection};
pub use spool::{FoldReport, Spooled, SpooledRow};
pub(crate) use sql::{quoted, sentence};
pub use store::{Catalog, Clock, CreateOptions};
pub use tables::{CellChange, DeletedRows, NewReference, NewTable, RowChange, TableDetails, TableSummary};
pub use terms::{TermChange, TermOutcome, TermWriter};
pub use undo::Undone;
pub use upgrade::Upgrade;
pub use vocabulary::Term;
