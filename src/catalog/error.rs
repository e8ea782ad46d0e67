//! Why the catalog refused or failed.

use std::path::PathBuf;

use crate::partition::PartitionError;
use crate::tabular::ValueError;
use crate::version::{DatasetName, DatasetVersion, Requirement, VersionError};

/// Why the catalog refused or failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CatalogError {
    #[error("{0} exists already")]
    Exists(PathBuf),
    #[error(
        "{path} was written by a newer dbag (catalog format {found}; this one knows {known}); upgrade dbag to open it"
    )]
    NewerFormat { path: PathBuf, found: i64, known: i64 },
    #[error("{path} is not a dbag catalog: {reason}")]
    NotACatalog { path: PathBuf, reason: String },
    #[error(
        "{path} has catalog format {found}, and this dbag writes {known}; `dbag upgrade` brings it up to date, and can be undone"
    )]
    OlderFormat { path: PathBuf, found: i64, known: i64 },
    #[error("{0} was not upgraded, or what it was before is not kept beside it")]
    NoUpgrade(PathBuf),
    #[error("{0} has changed since it was upgraded; --lose-changes goes back all the same")]
    ChangedSince(PathBuf),
    #[error("there is no table {name:?}; {}", known(.tables, "tables"))]
    NoSuchTable { name: String, tables: Vec<String> },
    #[error("{0:?} can't name a table: names are letters, digits and '_', and start with a letter")]
    BadTableName(String),
    #[error(
        "{0:?} can't name your schema: names are letters, digits and '_', start with a letter, and are not deriva-ml or public"
    )]
    BadSchemaName(String),
    #[error("there is a table {0} already")]
    TableExists(String),
    #[error("{column:?} can't be a column of {table}: {reason}")]
    BadColumn { table: String, column: String, reason: String },
    #[error("{table} has no column {column:?}; its columns are {}", columns.join(", "))]
    NoSuchColumn { table: String, column: String, columns: Vec<String> },
    #[error("{table} has the column {column} already")]
    ColumnExists { table: String, column: String },
    #[error("{column} of {table} can't go: {reason}")]
    ColumnNeeded { table: String, column: String, reason: String },
    #[error("{table} can't go: {reason}")]
    TableNeeded { table: String, reason: String },
    #[error("the row {rid} of {table} has no value for {column}, which needs one")]
    MissingValue { table: String, column: String, rid: String },
    #[error("{table} would have two rows with the same {columns}")]
    RepeatedKey { table: String, columns: String },
    #[error("the row {rid} of {table} refers to {what}, and {other} has no such row")]
    Dangling { table: String, rid: String, what: String, other: String },
    #[error("the row {rid} of {table} can't go: {other} refers to it (row {by})")]
    StillReferred { table: String, rid: String, other: String, by: String },
    #[error("a row with the RID {0} is there already")]
    RidTaken(String),
    #[error(
        "{0} is no vocabulary: it lacks the columns ID, URI, Name, Description and Synonyms of their types"
    )]
    NotAVocabulary(String),
    #[error("{vocabulary} has no term {term:?}; {}", known(.terms, "terms"))]
    UnknownTerm { vocabulary: String, term: String, terms: Vec<String> },
    #[error("{vocabulary} has a term called {called:?} already: {term}")]
    TermTaken { vocabulary: String, called: String, term: String },
    #[error("{0:?} can't name a term: it is empty, has white space at an end, or a control character within")]
    BadTermName(String),
    #[error(
        "{vocabulary} has the term {term} with another description or other synonyms; --update replaces them"
    )]
    TermDiffers { vocabulary: String, term: String },
    #[error("{term} of {vocabulary} stays: dbag and deriva-ml write it by this name")]
    TermKept { vocabulary: String, term: String },
    #[error("{term} of {vocabulary} has no synonym {synonym:?}")]
    NoSuchSynonym { vocabulary: String, term: String, synonym: String },
    #[error("{0} is a name that dbag keeps for its own tables; choose another")]
    NameKept(String),
    #[error("{table} can't be changed so: {reason}")]
    TableKept { table: String, reason: String },
    #[error("{column} of {table}: {source}")]
    BadValue { table: String, column: String, source: ValueError },
    #[error("{value:?} can't be the {column} of {table}: {other} has no such row")]
    NoRowFor { table: String, column: String, value: String, other: String },
    #[error("{0:?} says no value: write COLUMN=VALUE")]
    NotAnAssignment(String),
    #[error("{0:?} is no reference: write COLUMN=TABLE, or COLUMN=TABLE.KEY")]
    NotAReference(String),
    #[error("{0} is given twice")]
    GivenTwice(String),
    #[error("no row has the RID {0:?}")]
    NoSuchRid(String),
    #[error("{table} has no row with the RID {rid:?}")]
    NoRowOf { table: String, rid: String },
    #[error("{rid} is the RID of rows of {}; say which table with --table", tables.join(" and "))]
    AmbiguousRid { rid: String, tables: Vec<String> },
    #[error("{0} can't have features: they are of tables of the lab's own that hold no terms")]
    NoTarget(String),
    #[error("{0} holds no files: it lacks the columns URL, Filename, Length and MD5")]
    NotAnAssetTable(String),
    #[error("{target} has a feature {name} already")]
    FeatureExists { target: String, name: String },
    #[error("the feature {name} of {target} would say nothing: give it a term, an asset or a value")]
    EmptyFeature { target: String, name: String },
    #[error("{table} has no feature {feature:?}; {}", known(.features, "features"))]
    NoSuchFeature { table: String, feature: String, features: Vec<String> },
    #[error("the feature {feature} has no value {column:?}; its values are {}", columns.join(", "))]
    NoSuchFeatureColumn { feature: String, column: String, columns: Vec<String> },
    #[error("{target} has no row whose {column} is {value:?}")]
    NoTargetRow { target: String, column: String, value: String },
    #[error("{target} has several rows whose {column} is {value:?}")]
    SeveralTargetRows { target: String, column: String, value: String },
    #[error(
        "the value of {feature} for {target} is given on line {first} already, and one execution says one thing"
    )]
    RepeatedFeatureValue { feature: String, target: String, first: u64 },
    #[error(
        "{0:?} selects nothing: write newest, first, majority[:COLUMN], execution:RID, workflow:RID, or workflow: and its type or name"
    )]
    NotASelector(String),
    #[error("a majority of {feature} needs a column to count, as in majority:COLUMN; its values are {}", columns.join(", "))]
    MajorityOfWhat { feature: String, columns: Vec<String> },
    #[error("{0:?} is no workflow: neither its RID, nor a type, nor a name")]
    NoSuchWorkflow(String),
    #[error("{0:?} is neither a snapshot id, nor a date or time, nor a version such as digits@1.0.0")]
    NotAMoment(String),
    #[error("the catalog has nothing from before {0}")]
    BeforeTime(String),
    #[error("there is no change that could be undone")]
    NothingToUndo,
    #[error(
        "the last change made the version {0}, which stands for ever; delete the dataset, or release another version"
    )]
    Released(String),
    #[error("{table} would have {count} columns; SQLite holds {limit}")]
    TooManyColumns { table: String, count: usize, limit: usize },
    #[error("there is no dataset {name:?}; {}", known(.datasets, "datasets"))]
    NoSuchDataset { name: String, datasets: Vec<String> },
    #[error("a dataset {0} exists already")]
    DatasetExists(DatasetName),
    #[error(
        "{called:?} is ambiguous: it is the name of the dataset {named}, and the RID of the dataset {other}"
    )]
    AmbiguousDataset { called: String, named: String, other: String },
    #[error("the dataset {0} has no name yet; `dbag dataset rename {0} NAME` gives it one")]
    UnnamedDataset(String),
    #[error("dataset {0} is deleted; `dbag dataset restore {0}` brings it back")]
    DatasetDeleted(String),
    #[error("dataset {name} can't go: it is nested in {}", parents.join(", "))]
    StillNested { name: String, parents: Vec<String> },
    #[error("a dataset can't be nested in itself: {0}")]
    NestedInItself(String),
    #[error(
        "dataset {name} has releases, which are known by its name, such as {name}@{version}; --released renames it all the same"
    )]
    KnownByName { name: DatasetName, version: DatasetVersion },
    #[error("dataset {name} has members of several tables ({}); say which with --table", tables.join(", "))]
    SeveralTables { name: String, tables: Vec<String> },
    #[error("dataset {name} has no members of {table}")]
    NoMembersOf { name: String, table: String },
    #[error("{table} has no column {column:?}, nor does that lead to one; {}", known(.columns, "columns"))]
    NoSuchPath { table: String, column: String, columns: Vec<String> },
    #[error("{column:?} is ambiguous: it leads from {table} by {}", ways.join(" and by "))]
    AmbiguousPath { table: String, column: String, ways: Vec<String> },
    #[error("dataset {name} has no version {version}; {}", known(.versions, "versions"))]
    NoSuchVersion { name: DatasetName, version: DatasetVersion, versions: Vec<String> },
    #[error("no version of dataset {} is one of {}; {}", .requirement.name, .requirement.range, known(.versions, "versions"))]
    NoVersionMatches { requirement: Requirement, versions: Vec<String> },
    #[error("nothing in dataset {name} has changed since {version}")]
    NothingToRelease { name: DatasetName, version: DatasetVersion },
    #[error("dataset {name} can't be released before those nested in it: {}", nested.join(", "))]
    NestedUnreleased { name: DatasetName, nested: Vec<String> },
    #[error("{name}@{version} goes backwards: the newest version of {name} is {newest}")]
    GoesBackwards { name: DatasetName, version: DatasetVersion, newest: DatasetVersion },
    #[error("{0} can't be a release: of pre-releases, Deriva's tools know only alpha.N, beta.N and rc.N")]
    UnknownPreRelease(DatasetVersion),
    #[error("dataset {0} has no members yet")]
    NoMembers(DatasetName),
    #[error("no row of a domain table has the RID {0:?}")]
    NoSuchRow(String),
    #[error("the condition {condition:?} can't be used on {table}: {reason}")]
    BadCondition { table: String, condition: String, reason: String },
    #[error("another dbag has been writing to {0} for too long; try again")]
    Busy(PathBuf),
    #[error("{owner} has been writing to {path} for too long; try again when it is done")]
    Leased { path: PathBuf, owner: String },
    #[error("{path} can't be read: {reason}")]
    Unreadable { path: PathBuf, reason: String },
    #[error("the disk is full, so that {0} can't be written")]
    DiskFull(PathBuf),
    #[error("{path} can't be written: {reason}")]
    Unwritable { path: PathBuf, reason: String },
    #[error("{path}: {source}")]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("{path} holds what no dbag wrote: {reason}")]
    Corrupt { path: PathBuf, reason: String },
    #[error("{rid} was withdrawn on {when} already: {reason}")]
    PurgedBefore { rid: String, when: String, reason: String },
    #[error("{count} rows of other tables refer to what is to be withdrawn: {}; --with-dependents withdraws them too", .rows.join(", "))]
    PurgeHindered { rows: Vec<String>, count: u64 },
    #[error("no row is to be withdrawn: none is as was asked")]
    NothingToPurge,
    #[error(
        "{table} {rid} is not withdrawn: datasets, versions, executions, workflows and terms tell of what was done; only rows of data go"
    )]
    NotToPurge { table: String, rid: String },
    #[error("change {0} withdrew rows, which is for good")]
    WithdrawnForGood(i64),
    #[error(transparent)]
    Version(#[from] VersionError),
    #[error(transparent)]
    Partition(#[from] PartitionError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

fn known(names: &[String], what: &str) -> String {
    if names.is_empty() {
        format!("there are no {what} yet")
    } else {
        format!("{what}: {}", names.join(", "))
    }
}
