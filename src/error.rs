//! Every error of the library as one type, sorted by what its reader can do about it.

use std::io;

use crate::bag::BagError;
use crate::cache::CacheError;
use crate::catalog::CatalogError;
use crate::export::ExportError;
use crate::ingest::IngestError;
use crate::materialize::MaterializeError;
use crate::open::OpenError;
use crate::query::QueryError;
use crate::settings::SettingsError;
use crate::tabular::CsvError;
use crate::transport::SetupError;
use crate::version::VersionError;

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
    Materialize(#[from] MaterializeError),
    Open(#[from] OpenError),
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
            Self::Materialize(error) => materialize(error),
            Self::Open(error) => open(error),
            Self::Query(error) => query(error),
            Self::Settings(SettingsError::Io(error)) | Self::Io(error) => io(error),
            Self::Settings(_) | Self::Version(_) | Self::Usage(_) => ErrorKind::Usage,
        }
    }

    /// What to try next, where dbag knows.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Query(QueryError::NotFetched { .. })
            | Self::Open(OpenError::Query(QueryError::NotFetched { .. })) => {
                Some("fetch it with: dbag materialize")
            }
            _ if self.kind() == ErrorKind::Unfinished => Some("run the same command again to go on"),
            Self::Open(OpenError::NoWorkspace(_)) => Some("make one with: dbag init"),
            Self::Catalog(CatalogError::NoSuchDataset { datasets, .. }) if datasets.is_empty() => {
                Some("make one with: dbag dataset create NAME")
            }
            Self::Catalog(CatalogError::NoSuchVersion { versions, .. }) if versions.is_empty() => {
                Some("make one with: dbag release NAME --minor -m NOTE")
            }
            Self::Catalog(CatalogError::NoMembers(_)) => {
                Some("add some with: dbag dataset add NAME --table TABLE")
            }
            Self::Materialize(MaterializeError::OtherBag(_)) => {
                Some("give an empty or new folder with --to DIR")
            }
            _ => None,
        }
    }
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
        BagError::NotABag { .. } | BagError::Archive { .. } | BagError::Refused { .. } => ErrorKind::Data,
        BagError::Interrupted => ErrorKind::Unfinished,
        BagError::Io(error) => io(error),
    }
}

fn cache(error: &CacheError) -> ErrorKind {
    match error {
        CacheError::NewerFormat { .. } => ErrorKind::Environment,
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
        | CatalogError::DiskFull(_)
        | CatalogError::Unwritable { .. }
        | CatalogError::NewerFormat { .. }
        | CatalogError::OlderFormat { .. } => ErrorKind::Environment,
        CatalogError::Sqlite { .. } => ErrorKind::Internal,
        CatalogError::Io(error) => io(error),
        _ => ErrorKind::Usage,
    }
}

fn export(error: &ExportError) -> ErrorKind {
    match error {
        ExportError::BytesGone { .. } | ExportError::BadAsset { .. } => ErrorKind::Data,
        ExportError::Exists(_)
        | ExportError::BadBaseUrl(_)
        | ExportError::NotAFolder(_)
        | ExportError::IsAFolder(_) => ErrorKind::Usage,
        ExportError::Interrupted => ErrorKind::Unfinished,
        ExportError::Catalog(error) => catalog(error),
        ExportError::Bag(error) => bag(error),
        ExportError::Io(error) => io(error),
    }
}

fn csv(error: &CsvError) -> ErrorKind {
    if let CsvError::Io(error) = error { io(error) } else { ErrorKind::Data }
}

fn ingest(error: &IngestError) -> ErrorKind {
    match error {
        IngestError::Csv { source, .. } => csv(source),
        // What is wrong use on a command line is wrong data in a file.
        IngestError::AtLine { source, .. } => match catalog(source) {
            ErrorKind::Usage => ErrorKind::Data,
            kind => kind,
        },
        IngestError::NoSuchColumn { .. }
        | IngestError::OtherType { .. }
        | IngestError::OtherKey { .. }
        | IngestError::AssetTable { .. }
        | IngestError::Reserved { .. }
        | IngestError::NotAnAssetTable { .. } => ErrorKind::Usage,
        IngestError::Interrupted => ErrorKind::Unfinished,
        IngestError::Catalog(error) => catalog(error),
        IngestError::Io(error) => io(error),
        _ => ErrorKind::Data,
    }
}

fn materialize(error: &MaterializeError) -> ErrorKind {
    match error {
        MaterializeError::Transport(_)
        | MaterializeError::Busy(_)
        | MaterializeError::Setup(SetupError::Client(_)) => ErrorKind::Environment,
        MaterializeError::Setup(SetupError::Io(error)) | MaterializeError::Io(error) => io(error),
        MaterializeError::Cache(error) => cache(error),
        MaterializeError::Bag(error) => bag(error),
        _ => ErrorKind::Usage,
    }
}

fn query(error: &QueryError) -> ErrorKind {
    match error {
        QueryError::Sql { .. } | QueryError::NoTable { .. } | QueryError::NotReadOnly => ErrorKind::Usage,
        QueryError::Csv { source, .. } => csv(source),
        QueryError::NotFetched { .. } => ErrorKind::Unfinished,
        QueryError::BadValue { .. }
        | QueryError::Missing { .. }
        | QueryError::Unlisted { .. }
        | QueryError::BadBag { .. }
        | QueryError::Damaged { .. }
        | QueryError::BadSchema { .. }
        | QueryError::ColumnClash { .. } => ErrorKind::Data,
        QueryError::Sqlite(_) => ErrorKind::Internal,
        QueryError::Bag(error) => bag(error),
        QueryError::Catalog(error) => catalog(error),
        QueryError::Io(error) => io(error),
    }
}

fn open(error: &OpenError) -> ErrorKind {
    match error {
        OpenError::NewerFormat { .. } => ErrorKind::Environment,
        OpenError::Cache(error) => cache(error),
        OpenError::Catalog(error) => catalog(error),
        OpenError::Bag(error) => bag(error),
        OpenError::Query(error) => query(error),
        OpenError::Io(error) => io(error),
        _ => ErrorKind::Usage,
    }
}
