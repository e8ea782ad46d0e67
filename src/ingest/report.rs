//! What an import did, or would do.

use std::path::PathBuf;

use super::BadRow;
use crate::model::Table;
use crate::tabular::{InferredColumn, ProposedReference};

/// What an import did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportReport {
    /// The table, as `schema:Table`.
    pub table: String,
    /// Whether it is new.
    pub created: bool,
    /// Its own columns and their types.
    pub columns: Vec<(String, String)>,
    /// What the values of a new table's columns are like, where they were looked through.
    pub inferred: Vec<InferredColumn>,
    /// Columns that could be a new table's key, the best first, where none was named.
    pub keys: Vec<String>,
    /// References that a new table's columns could be, and that were not asked for.
    pub references: Vec<ProposedReference>,
    /// Rows that are new.
    pub added: u64,
    /// Rows that got new values.
    pub updated: u64,
    /// Rows that were there already.
    pub unchanged: u64,
    /// Entries of a folder that were passed over: hidden files, links, devices.
    pub skipped: u64,
    /// Rows that were not taken.
    pub bad: u64,
    /// The first of them.
    pub bad_rows: Vec<BadRow>,
    /// The file that keeps them, if there were any.
    pub aside: Option<PathBuf>,
    /// What was brought to another form or left out, a sentence each.
    pub notes: Vec<String>,
    /// Whether this only says what would be done.
    pub dry_run: bool,
}

impl ImportReport {
    pub(super) fn new(table: &Table, created: bool, dry_run: bool) -> Self {
        let columns =
            table.own_columns().map(|column| (column.name.clone(), column.column_type.typename.clone()));
        Self {
            table: table.qualified_name(),
            columns: columns.collect(),
            created,
            dry_run,
            inferred: Vec::new(),
            keys: Vec::new(),
            references: Vec::new(),
            added: 0,
            updated: 0,
            unchanged: 0,
            skipped: 0,
            bad: 0,
            bad_rows: Vec::new(),
            aside: None,
            notes: Vec::new(),
        }
    }
}
