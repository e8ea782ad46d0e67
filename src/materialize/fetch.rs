//! Fetches files in parallel, each hashed while it arrives and renamed into place once it is right.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use url::Url;

use super::Failure;
use crate::bag::{BagPath, Code, Digest, MultiHasher, Progress};
use crate::transport::{Source, TransportError, redacted, redacted_text};

/// Times that one file is tried before it counts as failed.
const ATTEMPTS: u32 = 5;
/// The first wait between tries; each later one is twice as long, give or take a half.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// No server makes dbag wait longer than this between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const BUFFER: usize = 256 << 10;

/// A file to fetch.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) path: BagPath,
    /// Where it may be had, in the order of trying.
    pub(super) urls: Vec<String>,
    pub(super) length: Option<u64>,
    pub(super) digests: Vec<Digest>,
}

/// What was fetched.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) failures: Vec<Failure>,
}

/// Fetches every file into the bag's folder `root`, on `connections` threads.
pub(super) fn fetch_all(
    root: &Path,
    wanted: &[Wanted],
    source: &dyn Source,
    connections: usize,
    progress: &dyn Progress,
) -> io::Result<Fetched> {
    // Inside the bag, so that a rename never crosses file systems; outside data/, so that a run that is
    // killed leaves no payload file that no manifest lists.
    let temporary = tempfile::Builder::new().prefix(".dbag-").suffix(".partial").tempdir_in(root)?;
    let next = AtomicUsize::new(0);
    let (files, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let failures = Mutex::new(Vec::new());
    let fatal = Mutex::new(None);
    progress.begin("fetching", wanted.len() as u64, wanted.iter().filter_map(|file| file.length).sum());
    std::thread::scope(|scope| {
        for _ in 0..connections.clamp(1, wanted.len().max(1)) {
            scope.spawn(|| {
                let mut buffer = vec![0; BUFFER];
                while let Some(file) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if progress.cancelled() || lock(&fatal).is_some() {
                        return;
                    }
                    match fetch(root, temporary.path(), file, source, &mut buffer, progress) {
                        Ok(length) => {
                            files.fetch_add(1, Ordering::Relaxed);
                            bytes.fetch_add(length, Ordering::Relaxed);
                            progress.file();
                        }
                        Err(Trouble::Cancelled) => return,
                        Err(Trouble::Disk(error)) => *lock(&fatal) = Some(error),
                        Err(Trouble::Failed(failure)) => lock(&failures).push(*failure),
                    }
                }
            });
        }
    });
    progress.end();
    if let Some(error) = lock(&fatal).take() {
        return Err(error);
    }
    let mut failures = std::mem::take(&mut *lock(&failures));
    failures.sort_by(|a: &Failure, b: &Failure| a.path.cmp(&b.path));
    Ok(Fetched { files: files.into_inner(), bytes: bytes.into_inner(), failures })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Why a file is not there.
enum Trouble {
    Failed(Box<Failure>),
    /// The disk, not the network: no other file would fare better.
    Disk(io::Error),
    Cancelled,
}

/// Why one try failed.
enum Miss {
    Transport(TransportError),
    /// The body broke off, or was shorter than announced.
    Cut(String),
    /// What came is not what the bag lists.
    Wrong(Code, String),
    Disk(io::Error),
    Cancelled,
}

fn fetch(
    root: &Path,
    temporary: &Path,
    file: &Wanted,
    source: &dyn Source,
    buffer: &mut [u8],
    progress: &dyn Progress,
) -> Result<u64, Trouble> {
    let failure = |url: String, reason: String, code| {
        Trouble::Failed(Box::new(Failure { path: file.path.clone(), url, reason, code }))
    };
    let mut last = failure(String::new(), "fetch.txt gives no URL".into(), None);
    for text in &file.urls {
        let Ok(url) = Url::parse(text) else {
            last = failure(redacted_text(text), "it is not a URL".into(), None);
            continue;
        };
        for attempt in 0..ATTEMPTS {
            if progress.cancelled() {
                return Err(Trouble::Cancelled);
            }
            let (reason, code, wait) = match try_once(root, temporary, file, &url, source, buffer, progress) {
                Ok(length) => return Ok(length),
                Err(Miss::Disk(error)) => return Err(Trouble::Disk(error)),
                Err(Miss::Cancelled) => return Err(Trouble::Cancelled),
                Err(Miss::Transport(error)) if error.transient => {
                    (error.reason, None, Some(error.retry_after))
                }
                Err(Miss::Transport(error)) => (error.reason, None, None),
                Err(Miss::Cut(reason)) => (reason, None, Some(None)),
                Err(Miss::Wrong(code, reason)) => (reason, Some(code), None),
            };
            last = failure(redacted(&url), reason, code);
            let Some(asked) = wait.filter(|_| attempt + 1 < ATTEMPTS) else { break };
            pause(
                asked.unwrap_or_else(|| jittered(FIRST_WAIT * 2_u32.pow(attempt))).min(LONGEST_WAIT),
                progress,
            );
        }
    }
    Err(last)
}

fn try_once(
    root: &Path,
    temporary: &Path,
    file: &Wanted,
    url: &Url,
    source: &dyn Source,
    buffer: &mut [u8],
    progress: &dyn Progress,
) -> Result<u64, Miss> {
    let mut body = source.open(url).map_err(Miss::Transport)?;
    if let (Some(expected), Some(announced)) = (file.length, body.length)
        && expected != announced
    {
        return Err(Miss::Wrong(
            Code::LengthMismatch,
            format!("the server offers {announced} bytes, fetch.txt says {expected}"),
        ));
    }
    let mut out = tempfile::Builder::new().tempfile_in(temporary).map_err(Miss::Disk)?;
    let algorithms: Vec<_> = file.digests.iter().map(Digest::algorithm).collect();
    let mut hasher = MultiHasher::new(&algorithms);
    let mut length = 0;
    loop {
        let n = match body.reader.read(buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) => {
                return Err(Miss::Cut(format!("the connection broke after {length} bytes: {error}")));
            }
        };
        length += n as u64;
        if let Some(expected) = file.length.filter(|expected| length > *expected) {
            return Err(Miss::Wrong(
                Code::LengthMismatch,
                format!("the server sent more than the {expected} bytes of fetch.txt"),
            ));
        }
        hasher.update(&buffer[..n]);
        out.write_all(&buffer[..n]).map_err(Miss::Disk)?;
        progress.bytes(n as u64);
        if progress.cancelled() {
            return Err(Miss::Cancelled);
        }
    }
    if let Some(expected) = file.length.or(body.length).filter(|expected| length < *expected) {
        return Err(Miss::Cut(format!("the server sent {length} of {expected} bytes")));
    }
    for (expected, actual) in file.digests.iter().zip(hasher.finish()) {
        if *expected != actual {
            let reason = format!("{} is {actual}, the manifest says {expected}", actual.algorithm());
            return Err(Miss::Wrong(Code::DigestMismatch, reason));
        }
    }
    place(out, &file.path, root).map_err(Miss::Disk)?;
    Ok(length)
}

/// Renames a whole and checked file to its place in the bag.
pub(super) fn place(file: tempfile::NamedTempFile, path: &BagPath, root: &Path) -> io::Result<()> {
    let target = path.below(root);
    if let Some(folder) = target.parent() {
        fs_err::create_dir_all(folder)?;
    }
    // A temporary file is its owner's alone; what is fetched is as readable as what was unpacked.
    share(file.as_file())?;
    file.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

/// Gives a file the permissions that a newly created one would have.
fn share(file: &std::fs::File) -> io::Result<()> {
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// Sleeps, but not past a wish to stop.
fn pause(wait: Duration, progress: &dyn Progress) {
    let step = Duration::from_millis(50);
    let mut left = wait;
    while !left.is_zero() && !progress.cancelled() {
        std::thread::sleep(left.min(step));
        left = left.saturating_sub(step);
    }
}

/// Between a half and one and a half of a wait, so that many clients do not come back at once.
fn jittered(wait: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    wait / 2 + wait.mul_f64((random % 1024) as f64 / 1024.0)
}
