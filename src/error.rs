//! Every error of the library as one type, sorted by what its reader can do about it.

use std::io;

use crate::bag::BagError;
use crate::cache::CacheError;
use crate::catalog::CatalogError;
use crate::export::ExportError;
use crate::ingest::{IngestError, SideError};
use crate::materialize::MaterializeError;
use crate::open::{LockingError, OpenError};
use crate::partition::PartitionError;
use crate::query::QueryError;
use crate::settings::SettingsError;
use crate::tables::TablesError;
use crate::tabular::{CsvError, SourceError};
use crate::transport::SetupError;
use crate::version::VersionError;
use crate::version::lock::LockError;

/// What went wrong, whichever part of dbag says it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
#[allow(missing_docs)]
pub enum Error {
    Bag(#[from] BagError),
    Cache(#[from] CacheError),
    Catalog(#[from] CatalogError),
    Export(#[from] ExportError),
    Ingest(#[from] IngestError),
    Lock(#[from] LockingError),
    Materialize(#[from] MaterializeError),
    Open(#[from] OpenError),
    Partition(#[from] PartitionError),
    Query(#[from] QueryError),
    Settings(#[from] SettingsError),
    Version(#[from] VersionError),
    Io(#[from] io::Error),
    #[error("{0}")]
    Usage(String),
}

/// What the reader of an error can do about it. Each kind has its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The data is not right: an invalid bag, a failed digest, rejected input. Exit code 1.
    Data,
    /// The request is not right. Exit code 2.
    Usage,
    /// Network, disk, permissions: worth trying again. Exit code 3.
    Environment,
    /// Stopped before the end, with nothing lost; the same command goes on. Exit code 4.
    Unfinished,
    /// A bug in dbag. Exit code 70.
    Internal,
}

impl ErrorKind {
    /// The exit code of the command line.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Data => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::Unfinished => 4,
            Self::Internal => 70,
        }
    }

    /// The word for it in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Usage => "usage",
            Self::Environment => "environment",
            Self::Unfinished => "unfinished",
            Self::Internal => "internal",
        }
    }
}

impl Error {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Bag(error) => bag(error),
            Self::Cache(error) => cache(error),
            Self::Catalog(error) => catalog(error),
            Self::Export(error) => export(error),
            Self::Ingest(error) => ingest(error),
            Self::Lock(error) => lock(error),
            Self::Materialize(error) => materialize(error),
            Self::Open(error) => open(error),
            Self::Partition(error) => partition(error),
            Self::Query(error) => query(error),
            Self::Settings(SettingsError::Io(error)) | Self::Io(error) => io(error),
            Self::Settings(_) | Self::Version(_) | Self::Usage(_) => ErrorKind::Usage,
        }
    }

    /// What to try next, where dbag knows.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Query(QueryError::Tables(TablesError::NotFetched { .. }))
            | Self::Ingest(IngestError::Tables(TablesError::NotFetched { .. }))
            | Self::Open(OpenError::Query(QueryError::Tables(TablesError::NotFetched { .. }))) => {
                Some("fetch it with: dbag materialize")
            }
            _ if self.system().is_some_and(is_full) => Some(
                "make room (dbag cache gc --max-size SIZE removes what was not used for long), and run the same command again",
            ),
            Self::Materialize(MaterializeError::NothingThere(_)) => {
                Some("fetch the bag first: the same command without --finish, or with --shard")
            }
            _ if self.kind() == ErrorKind::Unfinished => Some("run the same command again to go on"),
            Self::Export(ExportError::NoUrl { .. }) => Some(
                "publish the bytes with: dbag publish; or say with --base-url where they are, or embed them",
            ),
            Self::Export(ExportError::NoBaseUrl(_)) => Some("say it with --base-url URL; it is remembered"),
            Self::Export(ExportError::MixedDigests { .. }) => Some(
                "--hash-missing makes the digests of files whose bytes are here; or put files into the bag with --assets embed",
            ),
            Self::Export(ExportError::NotReproduced { .. }) => {
                Some("check the workspace with: dbag fsck --deep")
            }
            Self::Open(OpenError::NoWorkspace(_)) => Some("make one with: dbag init"),
            Self::Lock(LockingError::NoProject(_)) => Some("make one with: dbag lock add NAME@REQUIREMENT"),
            Self::Lock(LockingError::NotLocked { .. }) => Some("lock it with: dbag lock update"),
            Self::Lock(LockingError::NoSource(_)) => {
                Some("name one of them: --workspace DIR, or dbag lock add NAME@REQUIREMENT --bag PATH")
            }
            Self::Catalog(CatalogError::NoSuchDataset { datasets, .. }) if datasets.is_empty() => {
                Some("make one with: dbag dataset create NAME")
            }
            Self::Catalog(
                CatalogError::NoSuchVersion { versions, .. }
                | CatalogError::NoVersionMatches { versions, .. },
            ) if versions.is_empty() => Some("make one with: dbag release NAME --minor -m NOTE"),
            Self::Open(OpenError::Damaged { .. }) => {
                Some("dbag fsck --deep lists all that is wrong; dbag backup --incomplete leaves it out")
            }
            Self::Catalog(CatalogError::NestedUnreleased { .. }) => {
                Some("--with-nested releases them first, in the same change")
            }
            Self::Catalog(CatalogError::NoMembers(_)) => {
                Some("add some with: dbag dataset add NAME --table TABLE")
            }
            Self::Ingest(IngestError::BadRows { .. }) => {
                Some("with --skip-bad FILE, FILE keeps what can't be taken and the rest is imported")
            }
            Self::Ingest(IngestError::Source { source: SourceError::UnknownFormat, .. }) => {
                Some("say it with --format")
            }
            Self::Materialize(MaterializeError::OtherBag { .. }) => {
                Some("give an empty or new folder with --to DIR")
            }
            _ => None,
        }
    }
}

impl Error {
    /// The error of the system below, if that is what it is.
    fn system(&self) -> Option<&io::Error> {
        match self {
            Self::Io(error)
            | Self::Settings(SettingsError::Io(error))
            | Self::Bag(BagError::Io(error))
            | Self::Cache(CacheError::Io(error))
            | Self::Catalog(CatalogError::Io(error))
            | Self::Export(ExportError::Io(error) | ExportError::Bag(BagError::Io(error)))
            | Self::Ingest(IngestError::Io(error))
            | Self::Materialize(
                MaterializeError::Io(error)
                | MaterializeError::Bag(BagError::Io(error))
                | MaterializeError::Cache(CacheError::Io(error)),
            )
            | Self::Open(OpenError::Io(error) | OpenError::Bag(BagError::Io(error)))
            | Self::Query(QueryError::Io(error)) => Some(error),
            _ => None,
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn io(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::AlreadyExists => ErrorKind::Usage,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ErrorKind::Data,
        io::ErrorKind::Other if error.to_string() == "interrupted" => ErrorKind::Unfinished,
        _ => ErrorKind::Environment,
    }
}

impl BagError {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        bag(self)
    }
}

fn bag(error: &BagError) -> ErrorKind {
    match error {
        BagError::NotFound(_) | BagError::Exists(_) | BagError::Remote => ErrorKind::Usage,
        BagError::NotABag { .. }
        | BagError::Archive { .. }
        | BagError::Refused { .. }
        | BagError::OtherBytes(_) => ErrorKind::Data,
        BagError::Interrupted => ErrorKind::Unfinished,
        BagError::Io(error) => io(error),
    }
}

fn cache(error: &CacheError) -> ErrorKind {
    match error {
        CacheError::NewerFormat { .. } | CacheError::NotAFolder(_) => ErrorKind::Environment,
        CacheError::NotACache { .. } | CacheError::NoSuchPin(_) | CacheError::TwoPins { .. } => {
            ErrorKind::Usage
        }
        CacheError::BadPin { .. } => ErrorKind::Data,
        CacheError::Interrupted => ErrorKind::Unfinished,
        CacheError::Io(error) => io(error),
    }
}

fn catalog(error: &CatalogError) -> ErrorKind {
    match error {
        CatalogError::Corrupt { .. }
        | CatalogError::NotACatalog { .. }
        | CatalogError::BadColumn { .. }
        | CatalogError::MissingValue { .. }
        | CatalogError::RepeatedKey { .. }
        | CatalogError::Dangling { .. }
        | CatalogError::StillReferred { .. }
        | CatalogError::RidTaken(_)
        | CatalogError::BadValue { .. }
        | CatalogError::NoRowFor { .. }
        | CatalogError::TermDiffers { .. }
        | CatalogError::NoTargetRow { .. }
        | CatalogError::SeveralTargetRows { .. }
        | CatalogError::RepeatedFeatureValue { .. }
        | CatalogError::TooManyColumns { .. } => ErrorKind::Data,
        CatalogError::Busy(_)
        | CatalogError::Leased { .. }
        | CatalogError::Unreadable { .. }
        | CatalogError::DiskFull(_)
        | CatalogError::Unwritable { .. }
        | CatalogError::NewerFormat { .. }
        | CatalogError::OlderFormat { .. } => ErrorKind::Environment,
        CatalogError::Sqlite { .. } => ErrorKind::Internal,
        CatalogError::Partition(error) => partition(error),
        CatalogError::Io(error) => io(error),
        _ => ErrorKind::Usage,
    }
}

fn export(error: &ExportError) -> ErrorKind {
    match error {
        ExportError::BytesGone { .. }
        | ExportError::BytesChanged { .. }
        | ExportError::Elsewhere { .. }
        | ExportError::NoUrl { .. }
        | ExportError::MixedDigests { .. }
        | ExportError::BadAsset { .. } => ErrorKind::Data,
        ExportError::NotReproduced { .. } => ErrorKind::Internal,
        ExportError::NoSuchPlace { .. }
        | ExportError::NoBaseUrl(_)
        | ExportError::InWorkspace(_)
        | ExportError::OntoItself(_)
        | ExportError::Exists(_)
        | ExportError::BadBaseUrl(_)
        | ExportError::NotAFolder(_)
        | ExportError::IsAFolder(_) => ErrorKind::Usage,
        ExportError::Interrupted => ErrorKind::Unfinished,
        ExportError::Catalog(error) => catalog(error),
        ExportError::Bag(error) => bag(error),
        ExportError::Io(error) => io(error),
    }
}

fn lock(error: &LockingError) -> ErrorKind {
    match error {
        LockingError::Form(LockError::NewerFormat { .. }) => ErrorKind::Environment,
        LockingError::Differs(_) => ErrorKind::Data,
        LockingError::Open(error) => open(error),
        LockingError::Catalog(error) => catalog(error),
        LockingError::Export(error) => export(error),
        LockingError::Ingest(error) => ingest(error),
        LockingError::Materialize(error) => materialize(error),
        LockingError::Bag(error) => bag(error),
        LockingError::Io(error) => io(error),
        _ => ErrorKind::Usage,
    }
}

fn csv(error: &CsvError) -> ErrorKind {
    if let CsvError::Io(error) = error { io(error) } else { ErrorKind::Data }
}

fn source(error: &SourceError) -> ErrorKind {
    match error {
        SourceError::UnknownFormat
        | SourceError::NoSuchFormat(_)
        | SourceError::BadDelimiter(_)
        | SourceError::NoDelimiter(_)
        | SourceError::GzippedParquet => ErrorKind::Usage,
        SourceError::Csv(error) => csv(error),
        SourceError::Interrupted => ErrorKind::Unfinished,
        SourceError::Io(error) => io(error),
        _ => ErrorKind::Data,
    }
}

fn ingest(error: &IngestError) -> ErrorKind {
    match error {
        IngestError::Source { source: error, .. } => source(error),
        // What is wrong use on a command line is wrong data in a file.
        IngestError::AtLine { source, .. } => match catalog(source) {
            ErrorKind::Usage => ErrorKind::Data,
            kind => kind,
        },
        IngestError::Side { source: side, .. } => match side {
            SideError::NoSuchColumn { .. } | SideError::NoKeyColumn { .. } => ErrorKind::Usage,
            SideError::Source(error) => source(error),
            _ => ErrorKind::Data,
        },
        IngestError::NoSuchColumn { .. }
        | IngestError::OtherType { .. }
        | IngestError::OtherKey { .. }
        | IngestError::BadReference { .. }
        | IngestError::AssetTable { .. }
        | IngestError::AsideExists(_)
        | IngestError::Pattern(_)
        | IngestError::TwoOrigins(_)
        | IngestError::Reserved { .. }
        | IngestError::SameCatalog(_)
        | IngestError::NotAnAssetTable { .. } => ErrorKind::Usage,
        IngestError::Interrupted => ErrorKind::Unfinished,
        IngestError::Bag(error) => bag(error),
        IngestError::Tables(error) => tables(error),
        IngestError::Catalog(error) => catalog(error),
        IngestError::Io(error) => io(error),
        _ => ErrorKind::Data,
    }
}

fn materialize(error: &MaterializeError) -> ErrorKind {
    match error {
        MaterializeError::Transport(_) | MaterializeError::Setup(SetupError::Client(_)) => {
            ErrorKind::Environment
        }
        // The other one may die; then this one goes on.
        MaterializeError::Busy(_) | MaterializeError::NothingThere(_) => ErrorKind::Unfinished,
        MaterializeError::Setup(SetupError::Io(error)) => io(error),
        // What the request names was found by now: this is about what is made of it.
        MaterializeError::Io(error)
        | MaterializeError::Bag(BagError::Io(error))
        | MaterializeError::Cache(CacheError::Io(error)) => match io(error) {
            ErrorKind::Usage => ErrorKind::Environment,
            kind => kind,
        },
        MaterializeError::Cache(error) => cache(error),
        MaterializeError::Bag(error) => bag(error),
        _ => ErrorKind::Usage,
    }
}

fn partition(error: &PartitionError) -> ErrorKind {
    match error {
        PartitionError::NoMembers
        | PartitionError::TooManyMembers(_)
        | PartitionError::TooFewMembers { .. }
        | PartitionError::EmptyPart { .. }
        | PartitionError::TooFewGroups { .. }
        | PartitionError::MissingStratum { .. }
        | PartitionError::MissingGroup { .. }
        | PartitionError::RepeatedMember(_) => ErrorKind::Data,
        _ => ErrorKind::Usage,
    }
}

fn query(error: &QueryError) -> ErrorKind {
    match error {
        QueryError::Sql { .. } | QueryError::NoTable { .. } | QueryError::NotReadOnly => ErrorKind::Usage,
        QueryError::Sqlite(_) => ErrorKind::Internal,
        QueryError::Tables(error) => tables(error),
        QueryError::Catalog(error) => catalog(error),
        QueryError::Io(error) => io(error),
    }
}

fn tables(error: &TablesError) -> ErrorKind {
    match error {
        TablesError::Csv { source, .. } => csv(source),
        TablesError::NotFetched { .. } => ErrorKind::Unfinished,
        TablesError::Stopped => ErrorKind::Internal,
        TablesError::Bag(error) => bag(error),
        TablesError::Io(error) => io(error),
        _ => ErrorKind::Data,
    }
}

fn open(error: &OpenError) -> ErrorKind {
    match error {
        OpenError::NewerFormat { .. } => ErrorKind::Environment,
        OpenError::BadBackup { .. } | OpenError::Damaged { .. } => ErrorKind::Data,
        OpenError::Cache(error) => cache(error),
        OpenError::Catalog(error) => catalog(error),
        OpenError::Bag(error) => bag(error),
        OpenError::Query(error) => query(error),
        OpenError::Io(error) => io(error),
        _ => ErrorKind::Usage,
    }
}
