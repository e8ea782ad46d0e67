//! The bag to materialize, found by its path or URL.

use std::path::{Path, PathBuf};

use url::Url;

use super::MaterializeError;
use super::download::{Downloaded, download, file_name};
use crate::bag::{Bag, BagError, Code, Finding, Level, Limits, Progress, Severity};
use crate::transport::{Transport, TransportOptions, redacted_text};

/// A bag as it was named. An archive that was downloaded goes when this does.
pub(super) struct Opened {
    pub(super) bag: Bag,
    /// Where the bag lies.
    pub(super) path: PathBuf,
    /// Kept for as long as the bag is needed.
    pub(super) downloaded: Option<Downloaded>,
}

/// Opens the bag at a path, or downloads the archive at a URL to a place beside `to` and opens that.
pub(super) fn open(
    from: &str,
    to: Option<&Path>,
    limits: &Limits,
    transport: &TransportOptions,
    progress: &dyn Progress,
) -> Result<Opened, MaterializeError> {
    let url = match named(from)? {
        Named::Remote(url) => url,
        Named::Here(path) => {
            let bag = Bag::open_for(&path, Level::Full, limits, progress)?;
            return Ok(Opened { bag, path, downloaded: None });
        }
    };
    let beside = to.map_or_else(|| PathBuf::from(file_name(&url)), Path::to_owned);
    let downloaded = download(&url, &beside, &Transport::new(transport)?, progress)?;
    // What was downloaded is known by its URL, not by where it lies for a moment.
    let bag = Bag::open_for(&downloaded.path, Level::Full, limits, progress)
        .map_err(|error| error.at(Path::new(&redacted_text(from))))?;
    Ok(Opened { bag, path: downloaded.path.clone(), downloaded: Some(downloaded) })
}

/// What a bag's name is.
enum Named {
    /// A path, which a `file:` URL is too.
    Here(PathBuf),
    /// The URL of an archive to download.
    Remote(Url),
}

fn named(from: &str) -> Result<Named, MaterializeError> {
    let path = PathBuf::from(from);
    let bad = || MaterializeError::BadUrl(redacted_text(from));
    match from.split_once("://").map(|(scheme, _)| scheme) {
        Some("http" | "https" | "s3") => Url::parse(from).map(Named::Remote).map_err(|_| bad()),
        None => Ok(Named::Here(path)),
        Some(_) if path.exists() => Ok(Named::Here(path)),
        Some("file") => {
            let path = Url::parse(from).ok().and_then(|url| url.to_file_path().ok());
            path.map(Named::Here).ok_or_else(bad)
        }
        Some(scheme) => Err(MaterializeError::Scheme(scheme.to_owned())),
    }
}

/// A bag's name for people: a URL without its secrets, a path as it is.
pub(super) fn shown(from: &str) -> String {
    if from.contains("://") { redacted_text(from) } else { from.to_owned() }
}

impl Opened {
    /// Whether its own description is too broken to act on.
    pub(super) fn is_malformed(&self) -> bool {
        self.bag.findings().iter().any(is_malformed)
    }
}

/// Whether a finding leaves open what the bag is to hold. Others make it invalid, but what it lists can be had.
pub(super) fn is_malformed(finding: &Finding) -> bool {
    matches!(
        finding.code,
        Code::TagFileUnreadable
            | Code::NoManifest
            | Code::BadManifestLine
            | Code::UnsafePath
            | Code::DuplicateEntry
            | Code::BadFetchLine
            | Code::FetchLengthsDiffer
            | Code::FetchNotInManifest
            // A link may lead what is written out of the bag.
            | Code::NotAFile
    )
}

/// Whether a finding is about a tag file's bytes.
pub(super) fn is_tag(bag: &Bag, finding: &Finding) -> bool {
    let fatal = matches!(finding.code, Code::DigestMismatch | Code::FileMissing | Code::FileUnreadable);
    fatal && bag.find(&finding.place).is_some_and(|file| !file.path().is_payload())
}

/// The bag that a folder was made of, closed.
pub(super) struct Original {
    path: PathBuf,
    /// Payload files that are in it.
    payload: usize,
}

impl Original {
    pub(super) fn of(opened: &Opened) -> Self {
        Self { path: opened.path.clone(), payload: present(&opened.bag) }
    }

    /// Whether it may have what a folder lacks or has wrong.
    pub(super) fn may_mend(&self, bag: &Bag, findings: &[Finding]) -> bool {
        let is_wrong = || findings.iter().any(|finding| finding.code.severity() == Severity::Error);
        self.payload > 0 && (present(bag) < self.payload || is_wrong())
    }

    pub(super) fn open(&self, limits: &Limits, progress: &dyn Progress) -> Result<Bag, BagError> {
        Bag::open_for(&self.path, Level::Full, limits, progress)
    }
}

/// How many payload files are there.
fn present(bag: &Bag) -> usize {
    bag.payload().filter(|file| file.is_present()).count()
}
