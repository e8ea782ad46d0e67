//! Rows that can't be taken: all counted, the first told, and all kept aside where that was asked for.

use std::fmt;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::names::OWN_PREFIX;
use super::{ImportReport, IngestError};
use crate::tabular::{CsvWriter, Position};

/// Bad rows that are told; the others are only counted.
const TOLD: usize = 20;

/// Where a row that can't be taken is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowPlace {
    /// In the file of rows.
    At(Position),
    /// A file of the imported folder, by its path there.
    File(String),
}

impl fmt::Display for RowPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(position) => position.fmt(f),
            Self::File(path) => write!(f, "the file {path:?}"),
        }
    }
}

/// A row that can't be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Where it is.
    pub place: RowPlace,
    /// The column that is wrong, where one is.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "{}, column {column:?}: {}", self.place, self.reason),
            None => write!(f, "{}: {}", self.place, self.reason),
        }
    }
}

/// The file that keeps bad rows, while it is written.
struct Aside {
    path: PathBuf,
    writer: CsvWriter<BufWriter<NamedTempFile>>,
}

/// The bad rows of an import.
pub(super) struct BadRows<'a> {
    source: &'a Path,
    columns: Vec<String>,
    aside_path: Option<&'a Path>,
    aside: Option<Aside>,
    count: u64,
    first: Vec<BadRow>,
}

impl<'a> BadRows<'a> {
    /// None so far. `columns` are those whose cells are kept with a row.
    pub fn new(source: &'a Path, aside: Option<&'a Path>, columns: Vec<String>) -> Result<Self, IngestError> {
        if let Some(path) = aside.filter(|path| fs_err::symlink_metadata(path).is_ok()) {
            return Err(IngestError::AsideExists(path.to_owned()));
        }
        Ok(Self { source, columns, aside_path: aside, aside: None, count: 0, first: Vec::new() })
    }

    /// The file or folder that is imported.
    pub fn source(&self) -> &'a Path {
        self.source
    }

    /// Whether rows that are good are to be taken, as far as is known.
    pub fn takes_others(&self) -> bool {
        self.count == 0 || self.aside_path.is_some()
    }

    /// Notes a row, with its cells as they were read where they could be.
    pub fn note(&mut self, row: BadRow, cells: &[Option<String>]) -> Result<(), IngestError> {
        if let Some(path) = self.aside_path {
            if self.aside.is_none() {
                self.aside = Some(Aside::begin(path, &self.columns)?);
            }
            if let Some(aside) = &mut self.aside {
                aside.keep(&row, cells, self.columns.len())?;
            }
        }
        self.count += 1;
        if self.first.len() < TOLD {
            self.first.push(row);
        }
        Ok(())
    }

    /// Ends: without a file to keep them in, bad rows are an error. The file is there before the catalog is changed.
    pub fn settle(&mut self, report: &mut ImportReport) -> Result<(), IngestError> {
        report.bad = self.count;
        report.bad_rows.clone_from(&self.first);
        if self.count == 0 {
            return Ok(());
        }
        match self.aside.take() {
            None => Err(self.refusal()),
            Some(_) if report.dry_run => Ok(()),
            Some(aside) => {
                report.aside = Some(aside.end()?);
                Ok(())
            }
        }
    }

    /// The error that tells of them.
    pub fn refusal(&mut self) -> IngestError {
        let rows = std::mem::take(&mut self.first);
        IngestError::BadRows { path: self.source.to_owned(), count: self.count, rows }
    }
}

impl Aside {
    fn begin(path: &Path, columns: &[String]) -> Result<Self, IngestError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().prefix(".dbag-").suffix(".partial").tempfile_in(folder)?;
        let own = ["line", "reason"].map(|name| format!("{OWN_PREFIX}{name}"));
        let header = own.iter().chain(columns).map(String::as_str);
        Ok(Self { path: path.to_owned(), writer: CsvWriter::new(BufWriter::new(file), header)? })
    }

    fn keep(&mut self, row: &BadRow, cells: &[Option<String>], width: usize) -> Result<(), IngestError> {
        let place = match &row.place {
            RowPlace::At(Position::Line(number) | Position::Row(number)) => number.to_string(),
            RowPlace::File(path) => path.clone(),
        };
        let reason = match &row.column {
            Some(column) => format!("column {column:?}: {}", row.reason),
            None => row.reason.clone(),
        };
        let own = [Some(place.as_str()), Some(reason.as_str())];
        let cells = (0..width).map(|at| cells.get(at).and_then(Option::as_deref));
        Ok(self.writer.record(own.into_iter().chain(cells))?)
    }

    /// Puts the file in its place.
    fn end(self) -> Result<PathBuf, IngestError> {
        let file = self.writer.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        #[cfg(unix)]
        file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.persist_noclobber(&self.path).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => IngestError::AsideExists(self.path.clone()),
            _ => IngestError::Io(error.error),
        })?;
        Ok(self.path)
    }
}
