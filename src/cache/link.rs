//! Files put into a bag's folder from the cache, in the cheapest way that the two folders allow.
//!
//! A reflink shares the blocks and is a file of its own; a hard link is the object itself, which nobody may write; a
//! copy costs its bytes. What the folder can't do is found out at the first file and remembered; what one file can't
//! (its owner forbids links to it, it has too many) is found out for that file alone. Nothing here follows a
//! symbolic link at the destination, and a file appears there whole or not at all.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::stamp::{is_same, stamp_unchanged};
use super::times::sync_file_system;
use crate::bag::Digest;
use crate::settings::LinkMode;

/// How a file came to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkKind {
    /// It shares blocks with the object, and is a file of its own.
    Reflink,
    /// It is the object under another name.
    Hard,
    /// Its bytes were copied.
    Copy,
}

/// How many files came in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounts {
    /// By reflink.
    pub reflink: u64,
    /// By hard link.
    pub hard: u64,
    /// By copy.
    pub copy: u64,
}

/// Files that were put in place and wait for their stamps: one sync for so many.
const BATCH: usize = 4096;
const LADDER: [LinkKind; 3] = [LinkKind::Reflink, LinkKind::Hard, LinkKind::Copy];

/// Puts files into one destination folder (and the folders below it). Many threads may use it at once.
#[derive(Debug)]
pub struct Linker {
    mode: LinkMode,
    /// The first rung of the ladder that has not been found wanting.
    rung: AtomicU8,
    counts: [AtomicU64; 3],
    /// Files with inodes of their own, to be stamped after a sync.
    waiting: Mutex<Vec<Placed>>,
}

#[derive(Debug)]
struct Placed {
    path: PathBuf,
    digest: Digest,
    metadata: Metadata,
}

/// Why a rung did not bear.
enum Slip {
    /// It bears no file here.
    Folder(io::Error),
    /// It does not bear this file.
    File(io::Error),
    /// Another rung would not bear it either.
    Fatal(io::Error),
}

impl LinkKind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reflink => "reflink",
            Self::Hard => "hard",
            Self::Copy => "copy",
        }
    }
}

impl Linker {
    /// A linker for one destination folder.
    #[must_use]
    pub fn new(mode: LinkMode) -> Self {
        Self { mode, rung: AtomicU8::new(0), counts: Default::default(), waiting: Mutex::default() }
    }

    /// Puts the file `from`, whose bytes have this digest, at `to`, whose folder is there. What is at `to` is replaced.
    ///
    /// A file with an inode of its own is stamped with the digest later: once [`Linker::finish`] was called, or when
    /// enough files wait. An error of kind `NotFound` says that `from` is gone: another process may have removed it.
    pub fn link(&self, from: &Path, to: &Path, digest: &Digest) -> io::Result<LinkKind> {
        let kind = match self.mode {
            LinkMode::Auto => self.climb(from, to)?,
            LinkMode::Reflink => force(LinkKind::Reflink, from, to)?,
            LinkMode::Hard => force(LinkKind::Hard, from, to)?,
            LinkMode::Copy => force(LinkKind::Copy, from, to)?,
        };
        self.counts[kind as usize].fetch_add(1, Ordering::Relaxed);
        if kind != LinkKind::Hard {
            let metadata = fs_err::symlink_metadata(to)?;
            self.wait(Placed { path: to.to_owned(), digest: *digest, metadata })?;
        }
        Ok(kind)
    }

    fn climb(&self, from: &Path, to: &Path) -> io::Result<LinkKind> {
        for (index, kind) in (0_u8..).zip(LADDER) {
            if index < self.rung.load(Ordering::Relaxed) {
                continue;
            }
            match place(kind, from, to) {
                Ok(()) => return Ok(kind),
                Err(Slip::Folder(_)) if kind != LinkKind::Copy => {
                    self.rung.fetch_max(index + 1, Ordering::Relaxed);
                }
                Err(Slip::File(_)) if kind != LinkKind::Copy => {}
                Err(Slip::Folder(error) | Slip::File(error) | Slip::Fatal(error)) => return Err(error),
            }
        }
        // A copy has either been made or failed.
        Err(io::Error::other(format!("there is no way to put {} in place", to.display())))
    }

    fn wait(&self, placed: Placed) -> io::Result<()> {
        let full = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push(placed);
            if waiting.len() < BATCH { Vec::new() } else { std::mem::take(&mut *waiting) }
        };
        stamp_all(&full)
    }

    /// Syncs the destination's file system, and stamps what was put there and is still as it was then.
    pub fn finish(&self) -> io::Result<()> {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        stamp_all(&waiting)
    }

    /// How many files came in which way so far.
    #[must_use]
    pub fn counts(&self) -> LinkCounts {
        let [reflink, hard, copy] = &self.counts;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LinkCounts { reflink: count(reflink), hard: count(hard), copy: count(copy) }
    }
}

fn stamp_all(placed: &[Placed]) -> io::Result<()> {
    let Some(folder) = placed.first().and_then(|first| first.path.parent()) else { return Ok(()) };
    sync_file_system(folder)?;
    for file in placed {
        // A file that has been changed or taken away since is not ours to mark; one without a stamp is hashed again.
        let _ = stamp_unchanged(&file.path, &file.digest, &file.metadata);
    }
    Ok(())
}

fn force(kind: LinkKind, from: &Path, to: &Path) -> io::Result<LinkKind> {
    match place(kind, from, to) {
        Ok(()) => Ok(kind),
        Err(Slip::Fatal(error)) => Err(error),
        Err(Slip::Folder(error) | Slip::File(error)) => {
            let way = if kind == LinkKind::Copy { "a copy" } else { kind.as_str() };
            let message = format!("{} can't be put in place by {way}: {error}", to.display());
            Err(io::Error::new(error.kind(), message))
        }
    }
}

fn place(kind: LinkKind, from: &Path, to: &Path) -> Result<(), Slip> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match kind {
        LinkKind::Reflink => reflink(from, folder, to),
        LinkKind::Hard => hard_link(from, folder, to),
        LinkKind::Copy => copy(from, folder, to),
    }
}

fn temporary() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".dbag-").suffix(".partial");
    builder
}

/// A new file that becomes `to`, with the permissions that a program's files have.
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = temporary();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

fn persist<F>(file: tempfile::NamedTempFile<F>, to: &Path) -> io::Result<()> {
    file.persist(to).map(drop).map_err(|error| {
        let message = format!("failed to put {} in place: {}", to.display(), error.error);
        io::Error::new(error.error.kind(), message)
    })
}

/// Makes the file `to`, which appears when it is filled. Where that can be it has no name before: among a bag's files one
/// that a killed run left would be one too many.
fn put(folder: &Path, to: &Path, fill: impl Fn(&std::fs::File) -> Result<(), Slip>) -> Result<(), Slip> {
    if let Some(file) = nameless::open(folder, to) {
        fill(&file)?;
        if nameless::name(&file, to) {
            return Ok(());
        }
    }
    let target = new_file(folder).map_err(Slip::Fatal)?;
    fill(target.as_file())?;
    persist(target, to).map_err(Slip::Fatal)
}

fn copy(from: &Path, folder: &Path, to: &Path) -> Result<(), Slip> {
    let source = fs_err::File::open(from).map_err(Slip::Fatal)?;
    put(folder, to, |mut target| {
        // It may be the second time. Between plain files the kernel copies by itself.
        let copied =
            io::Seek::rewind(&mut source.file()).and_then(|()| io::copy(&mut source.file(), &mut target));
        copied.map(drop).map_err(|error| {
            let message = format!("failed to copy {} to {}: {error}", from.display(), to.display());
            Slip::Fatal(io::Error::new(error.kind(), message))
        })
    })
}

/// Files that get their names when they are whole (open(2), `O_TMPFILE`).
#[cfg(target_os = "linux")]
mod nameless {
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::{AtFlags, CWD, Mode, OFlags};

    /// There are such files here, but no way to name them.
    static USELESS: AtomicBool = AtomicBool::new(false);

    /// A file in a folder; `None` where there is no such thing, or something is to be replaced.
    pub(super) fn open(folder: &Path, to: &Path) -> Option<File> {
        if USELESS.load(Ordering::Relaxed) || to.symlink_metadata().is_ok() {
            return None;
        }
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::open(folder, flags, Mode::from_raw_mode(0o666)).ok().map(File::from)
    }

    /// Names a file; false where it has to be made in another way.
    pub(super) fn name(file: &File, to: &Path) -> bool {
        let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
        let named = rustix::fs::linkat(CWD, itself, CWD, to, AtFlags::SYMLINK_FOLLOW);
        if named.is_err_and(|error| error != rustix::io::Errno::EXIST) {
            USELESS.store(true, Ordering::Relaxed);
        }
        named.is_ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod nameless {
    use std::fs::File;
    use std::path::Path;

    pub(super) fn open(_folder: &Path, _to: &Path) -> Option<File> {
        None
    }

    pub(super) fn name(_file: &File, _to: &Path) -> bool {
        false
    }
}

fn hard_link(from: &Path, folder: &Path, to: &Path) -> Result<(), Slip> {
    let error = match fs_err::hard_link(from, to) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let known = |path: &Path| fs_err::symlink_metadata(path).map_err(Slip::Fatal);
            if is_one_file(&known(from)?, &known(to)?) {
                return Ok(());
            }
            let linked = temporary()
                .make_in(folder, |path| fs_err::hard_link(from, path).map_err(|error| plain(&error)));
            match linked {
                Ok(link) => return persist(link, to).map_err(Slip::Fatal),
                Err(error) => error,
            }
        }
        // fs_err names the two the other way round.
        Err(error) => plain(&error),
    };
    let message =
        format!("failed to put {} in place by a hard link to {}: {error}", to.display(), from.display());
    let error = io::Error::new(error.kind(), message);
    Err(match error.kind() {
        io::ErrorKind::CrossesDevices | io::ErrorKind::Unsupported => Slip::Folder(error),
        // Links to the files of others may be forbidden, and FAT says so of every file.
        io::ErrorKind::PermissionDenied | io::ErrorKind::TooManyLinks => Slip::File(error),
        _ => Slip::Fatal(error),
    })
}

/// The system's own words for an error, without those that `fs_err` puts before them.
pub(crate) fn system_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.rsplit_once("`: ").map_or(text.clone(), |(_, words)| words.to_owned())
}

/// The same error in the system's own words.
fn plain(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), system_words(error))
}

/// Whether both are names of one file. A rename onto another name of the same file would do nothing.
fn is_one_file(one: &Metadata, other: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        is_same(one, other) && one.dev() == other.dev()
    }
    #[cfg(not(unix))]
    {
        let _ = (is_same(one, other), one, other);
        false
    }
}

#[cfg(target_os = "linux")]
fn reflink(from: &Path, folder: &Path, to: &Path) -> Result<(), Slip> {
    use rustix::io::Errno;

    let source = fs_err::File::open(from).map_err(Slip::Fatal)?;
    put(folder, to, |target| match rustix::fs::ioctl_ficlone(target, &source) {
        Ok(()) => Ok(()),
        Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::IO)) => {
            let error = io::Error::from(error);
            let message = format!("failed to put {} in place: {error}", to.display());
            Err(Slip::Fatal(io::Error::new(error.kind(), message)))
        }
        Err(error) => Err(Slip::Folder(error.into())),
    })
}

#[cfg(not(target_os = "linux"))]
fn reflink(_from: &Path, _folder: &Path, _to: &Path) -> Result<(), Slip> {
    Err(Slip::Folder(io::Error::new(io::ErrorKind::Unsupported, "this system has no reflinks for dbag")))
}

#[cfg(test)]
mod tests;
