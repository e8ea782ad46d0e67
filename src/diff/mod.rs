//! What differs between two states of a dataset, as data: between two versions, two bags, or one of each.
//!
//! Owns the form of a difference and what it means for the next version's number. Where rows come from is its callers' business.

use crate::tabular::Value;
use crate::version::BumpFacts;

/// What differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// What is compared.
    pub from: String,
    /// With what.
    pub to: String,
    /// The tables of which rows differ, by name.
    pub tables: Vec<TableDiff>,
    /// Tables and columns that only one of them has, and those of another type.
    pub schema: Vec<SchemaDiff>,
    /// Nested datasets.
    pub nested: Vec<NestedDiff>,
    /// Types that were given, and taken away.
    pub types: (Vec<String>, Vec<String>),
    /// Whether the dataset is described otherwise.
    pub description: bool,
    /// Members. One that was taken out and put in again is none.
    pub members: Counts,
    /// Files of assets: those of rows that are new, gone, or have other bytes.
    pub files: Counts,
}

/// How many are new, gone and changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    pub added: u64,
    pub removed: u64,
    pub changed: u64,
}

impl Counts {
    /// Whether there are any.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

/// What a table's rows are to the dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// They can be members.
    Element,
    /// They say which rows are members.
    Membership,
    /// They record what was done: versions, executions and workflows.
    Record,
    /// Terms.
    Vocabulary,
    /// Anything else that members lead to.
    Linked,
}

impl Role {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Element => "members",
            Self::Membership => "membership",
            Self::Record => "record",
            Self::Vocabulary => "vocabulary",
            Self::Linked => "linked",
        }
    }
}

/// How a table's rows differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDiff {
    /// The table, as `schema:Table`.
    pub table: String,
    /// What its rows are to the dataset.
    pub role: Role,
    /// How many rows.
    pub rows: Counts,
}

/// How the schema differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum SchemaDiff {
    TableAdded { table: String },
    TableRemoved { table: String },
    ColumnAdded { table: String, column: String },
    ColumnRemoved { table: String, column: String },
    ColumnRetyped { table: String, column: String, from: String, to: String },
}

/// How a nested dataset differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NestedDiff {
    /// Its name, else its RID.
    pub dataset: String,
    /// Its version in the first; `None` where it is not nested there, or has none.
    pub from: Option<String>,
    /// Its version in the second.
    pub to: Option<String>,
    /// Whether it is nested only in the second, or only in the first.
    pub change: NestedChange,
}

/// What became of a nested dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NestedChange {
    Added,
    Removed,
    Raised,
}

/// One row that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct RowDiff {
    /// The table, as `schema:Table`.
    pub table: String,
    /// Its id.
    pub rid: String,
    /// What became of it.
    pub change: RowChange,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum RowChange {
    Added,
    Removed,
    Changed(Vec<CellDiff>),
}

/// A cell with another value.
#[derive(Debug, Clone, PartialEq)]
pub struct CellDiff {
    /// The column.
    pub column: String,
    /// What it was; NULL too where there was no such column.
    pub was: Value,
    /// What it is.
    pub is: Value,
}

impl Diff {
    /// Whether anything differs that a reader of the dataset could see. That it was released is nothing.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.facts().is_empty()
    }

    /// Rows that differ of tables other than those of members.
    #[must_use]
    pub fn linked_rows(&self) -> u64 {
        let linked = self.tables.iter().filter(|table| table.role == Role::Linked);
        linked.map(|TableDiff { rows, .. }| rows.added + rows.removed + rows.changed).sum()
    }

    /// What it means for the number of the next version.
    #[must_use]
    pub fn facts(&self) -> BumpFacts {
        let mut facts = BumpFacts {
            members_added: self.members.added,
            members_removed: self.members.removed,
            ..BumpFacts::default()
        };
        for TableDiff { role, rows, .. } in &self.tables {
            match role {
                // Members are counted by what they are, and not by the rows that make them so.
                Role::Record | Role::Membership => {}
                // Rows of elements come and go as members do, but for those that only other rows lead to.
                Role::Element => facts.rows_changed += rows.changed,
                // A term that nothing refers to yet says nothing new of the dataset.
                Role::Vocabulary => facts.rows_changed += rows.removed + rows.changed,
                Role::Linked => {
                    facts.rows_added += rows.added;
                    facts.rows_removed += rows.removed;
                    facts.rows_changed += rows.changed;
                }
            }
        }
        for change in &self.schema {
            *match change {
                SchemaDiff::TableAdded { .. } => &mut facts.tables_added,
                SchemaDiff::TableRemoved { .. } => &mut facts.tables_removed,
                SchemaDiff::ColumnAdded { .. } => &mut facts.columns_added,
                SchemaDiff::ColumnRemoved { .. } => &mut facts.columns_removed,
                SchemaDiff::ColumnRetyped { .. } => &mut facts.columns_retyped,
            } += 1;
        }
        for nested in &self.nested {
            let versions =
                [&nested.from, &nested.to].map(|text| text.as_ref().and_then(|text| text.parse().ok()));
            let raised = match &versions {
                [Some(from), Some(to)] => crate::version::DatasetVersion::raised_to(from, to),
                _ => None,
            };
            *match (nested.change, raised) {
                (NestedChange::Added, _) => &mut facts.nested_added,
                (NestedChange::Removed, _) => &mut facts.nested_removed,
                (NestedChange::Raised, Some(crate::version::Bump::Major)) => &mut facts.nested_major,
                (NestedChange::Raised, Some(crate::version::Bump::Minor)) => &mut facts.nested_minor,
                (NestedChange::Raised, _) => &mut facts.nested_patch,
            } += 1;
        }
        facts.types_changed = (self.types.0.len() + self.types.1.len()) as u64;
        facts.descriptions_changed = u64::from(self.description);
        facts
    }
}
