//! Receipts: which bags were verified in full on this machine, and in which state they were then.
//!
//! A state is what the file system says without reading: each file's path, length, time of change and inode, and the
//! digest of the tag manifests. Hashing a bag again that is still in its state finds nothing new, unless the disk
//! changed bytes behind the file system's back; that is why receipts are trusted only when asked for.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::folder::path_id;
use crate::bag::{Algorithm, Bag, BagFile, Coverage, MultiHasher, Verdict, VerifyReport, with_pool};
use crate::settings::default_cache;

/// Bumped when a receipt's form or the meaning of a state changes; older ones are then not found.
pub(super) const FOLDER: &str = "receipts-1";
/// A file changed so shortly before it was looked at may change once more without its time of change telling.
const TOO_FRESH: Duration = Duration::from_secs(2);

/// The receipts of one user.
#[derive(Debug, Clone)]
pub struct Receipts {
    folder: PathBuf,
}

/// A bag's state on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BagState {
    path: PathBuf,
    fingerprint: String,
    tag_manifests: String,
    /// When any of the bag's files was changed last.
    newest: SystemTime,
    taken: SystemTime,
}

#[derive(Debug, Serialize, Deserialize)]
struct Receipt {
    bag: PathBuf,
    fingerprint: String,
    tag_manifests: String,
    /// Nanoseconds since 1970.
    taken: u64,
    verdict: String,
    algorithms: Vec<String>,
    payload_files: u64,
    payload_bytes: u64,
    dbag: String,
}

/// What the receipts say of a bag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It was verified in full, and is as it was then.
    Unchanged,
    /// There is no receipt for it.
    NoReceipt,
    /// It is not as it was when it was verified.
    Changed,
    /// It was verified within two seconds of a change, so that a later one might not show.
    TooFresh,
}

impl Trust {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::NoReceipt => "none",
            Self::Changed => "changed",
            Self::TooFresh => "too fresh",
        }
    }
}

impl BagState {
    /// Looks at a bag that was opened with its files' lengths.
    pub fn of(bag: &Bag) -> io::Result<Self> {
        let taken = SystemTime::now();
        let location = bag.container().location();
        let mut hasher = MultiHasher::new(&[Algorithm::Sha256]);
        let mut newest = UNIX_EPOCH;
        let mut feed = |name: &str, file: &FileState| {
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            hasher.update(&file.bytes);
            newest = newest.max(file.changed);
        };
        if location.is_dir() {
            let mut files: Vec<BagFile<'_>> = bag.files().collect();
            let look = |file: &BagFile<'_>| FileState::of(&file.path().below(location));
            let states: io::Result<Vec<FileState>> = with_pool(0, |pool| {
                pool.install(|| {
                    files.par_sort_unstable_by_key(|file| file.path());
                    files.par_iter().map(look).collect()
                })
            })?;
            files.iter().zip(&states?).for_each(|(file, state)| feed(file.path().as_str(), state));
        } else {
            feed("", &FileState::of(location)?);
        }
        Ok(Self {
            path: fs_err::canonicalize(location)?,
            fingerprint: hasher.finish()[0].to_string(),
            tag_manifests: tag_manifests(bag)?,
            newest,
            taken,
        })
    }
}

/// What tells that a file is the same: length, time of change, inode.
struct FileState {
    bytes: [u8; 40],
    changed: SystemTime,
}

impl FileState {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs_err::symlink_metadata(path)?;
        let modified = metadata.modified()?;
        let mut changed = modified;
        let mut numbers = [metadata.len(), nanoseconds(modified), 0, 0, 0];
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let (seconds, nanos) = (metadata.ctime().unsigned_abs(), metadata.ctime_nsec());
            // The status change can't be set by a program, as the time of modification can.
            let status = UNIX_EPOCH + Duration::new(seconds, u32::try_from(nanos).unwrap_or(0));
            changed = changed.max(status);
            numbers[2] = nanoseconds(status);
            (numbers[3], numbers[4]) = (metadata.ino(), metadata.dev());
        }
        let mut bytes = [0; 40];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        Ok(Self { bytes, changed })
    }
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The digest of the tag manifests; of the payload manifests where there are none.
fn tag_manifests(bag: &Bag) -> io::Result<String> {
    let starting = |prefix: &str| -> Vec<BagFile<'_>> {
        let mut found: Vec<_> = bag.files().filter(|file| file.path().as_str().starts_with(prefix)).collect();
        found.sort_by_key(|file| file.path());
        found
    };
    let mut files = starting("tagmanifest-");
    if files.is_empty() {
        files = starting("manifest-");
    }
    let mut hasher = MultiHasher::new(&[Algorithm::Sha256]);
    let mut buffer = vec![0; 256 << 10];
    for file in files {
        hasher.update(file.path().as_str().as_bytes());
        let mut body = file.open()?;
        loop {
            let n = body.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            hasher.update(&buffer[..n]);
        }
    }
    Ok(hasher.finish()[0].to_string())
}

impl Receipts {
    /// The receipts in a cache folder, which is made when one is written.
    #[must_use]
    pub fn at(cache: &Path) -> Self {
        Self { folder: cache.join(FOLDER) }
    }

    fn place(&self, bag: &Path) -> PathBuf {
        self.folder.join(format!("{}.json", path_id(bag)))
    }

    /// What the receipts say of a bag in this state. What can't be read is no receipt.
    #[must_use]
    pub fn trust(&self, state: &BagState) -> Trust {
        let text = fs_err::read(self.place(&state.path)).unwrap_or_default();
        let Ok(receipt) = serde_json::from_slice::<Receipt>(&text) else { return Trust::NoReceipt };
        let taken = UNIX_EPOCH + Duration::from_nanos(receipt.taken);
        if receipt.bag != state.path
            || receipt.fingerprint != state.fingerprint
            || receipt.tag_manifests != state.tag_manifests
        {
            Trust::Changed
        } else if state.newest + TOO_FRESH > taken {
            Trust::TooFresh
        } else {
            Trust::Unchanged
        }
    }

    /// Keeps that a bag, in the state it was in before it was read, was verified in full. Anything less is not kept. What
    /// was kept of this state before goes where it is found wrong.
    pub fn keep(&self, state: &BagState, report: &VerifyReport) -> io::Result<()> {
        if report.verdict() == Verdict::Invalid {
            let is_believed = matches!(self.trust(state), Trust::Unchanged | Trust::TooFresh);
            return if is_believed { fs_err::remove_file(self.place(&state.path)) } else { Ok(()) };
        }
        if report.coverage != Coverage::All {
            return Ok(());
        }
        let receipt = Receipt {
            bag: state.path.clone(),
            fingerprint: state.fingerprint.clone(),
            tag_manifests: state.tag_manifests.clone(),
            taken: nanoseconds(state.taken),
            verdict: report.verdict().as_str().to_owned(),
            algorithms: report.algorithms.iter().map(ToString::to_string).collect(),
            payload_files: report.payload_files,
            payload_bytes: report.payload_bytes,
            dbag: env!("CARGO_PKG_VERSION").to_owned(),
        };
        fs_err::create_dir_all(&self.folder)?;
        let mut file =
            tempfile::Builder::new().prefix("receipt-").suffix(".partial").tempfile_in(&self.folder)?;
        serde_json::to_writer_pretty(&mut file, &receipt)?;
        file.persist(self.place(&state.path)).map_err(|error| error.error)?;
        Ok(())
    }
}

/// The folder of what can be had again, where no setting but `DBAG_CACHE` is asked; `None` for a user without a home.
#[must_use]
pub fn cache_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name);
    variable("DBAG_CACHE")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| default_cache(&variable))
}
