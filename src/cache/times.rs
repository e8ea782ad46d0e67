//! The times that a file system keeps of a file: read exactly, and set without opening the file for writing, which
//! an object of mode 0444 does not allow.

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time as file systems have it: seconds since 1970, and nanoseconds below 10^9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileTime {
    pub(super) seconds: i64,
    pub(super) nanoseconds: u32,
}

/// The time of modification.
#[cfg(unix)]
pub(super) fn modified(metadata: &Metadata) -> FileTime {
    use std::os::unix::fs::MetadataExt;
    FileTime { seconds: metadata.mtime(), nanoseconds: u32::try_from(metadata.mtime_nsec()).unwrap_or(0) }
}

/// The time of modification.
#[cfg(not(unix))]
pub(super) fn modified(metadata: &Metadata) -> FileTime {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let since = since.unwrap_or_default();
    FileTime { seconds: i64::try_from(since.as_secs()).unwrap_or(0), nanoseconds: since.subsec_nanos() }
}

/// What tells a file from its copy: the inode's number; 0 where there is none.
#[cfg(unix)]
pub(super) fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

/// What tells a file from its copy: the inode's number; 0 where there is none.
#[cfg(not(unix))]
pub(super) fn inode(_metadata: &Metadata) -> u64 {
    0
}

/// When the file was used last: the later of its times of access and of status change. The latter shows that it was
/// made, that a hard link was made of it, and that a time was set; the time of modification, which may carry a stamp,
/// tells nothing more, and is taken only where there is no other.
pub(super) fn used(metadata: &Metadata) -> SystemTime {
    let changed = status_changed(metadata).or_else(|| metadata.modified().ok());
    metadata.accessed().ok().max(changed).unwrap_or(UNIX_EPOCH)
}

/// When anything about the file was changed last.
pub(super) fn changed(metadata: &Metadata) -> SystemTime {
    let known = [metadata.modified().ok(), status_changed(metadata)];
    known.into_iter().flatten().max().unwrap_or(UNIX_EPOCH)
}

#[cfg(unix)]
fn status_changed(metadata: &Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    let nanoseconds = u32::try_from(metadata.ctime_nsec()).ok()?;
    let since = Duration::new(u64::try_from(metadata.ctime()).ok()?, nanoseconds);
    UNIX_EPOCH.checked_add(since)
}

#[cfg(not(unix))]
fn status_changed(_metadata: &Metadata) -> Option<SystemTime> {
    None
}

/// Sets a file's time of modification and leaves its time of access. A symbolic link is not followed.
#[cfg(unix)]
pub(super) fn set_modified(path: &Path, time: FileTime) -> io::Result<()> {
    let modified = rustix::fs::Timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds.into() };
    set(path, special(rustix::fs::UTIME_OMIT), modified)
}

/// Says that a file was used now. The file's owner may; else the error's kind is `PermissionDenied`.
#[cfg(unix)]
pub(super) fn set_accessed_now(path: &Path) -> io::Result<()> {
    set(path, special(rustix::fs::UTIME_NOW), special(rustix::fs::UTIME_OMIT))
}

/// Says that a file was modified now, by the clock of the machine that has the file.
#[cfg(unix)]
pub(super) fn set_modified_now(path: &Path) -> io::Result<()> {
    set(path, special(rustix::fs::UTIME_NOW), special(rustix::fs::UTIME_NOW))
}

#[cfg(unix)]
fn special(tv_nsec: rustix::fs::Nsecs) -> rustix::fs::Timespec {
    rustix::fs::Timespec { tv_sec: 0, tv_nsec }
}

#[cfg(unix)]
fn set(path: &Path, accessed: rustix::fs::Timespec, modified: rustix::fs::Timespec) -> io::Result<()> {
    let times = rustix::fs::Timestamps { last_access: accessed, last_modification: modified };
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).map_err(
        |error| {
            let error = io::Error::from(error);
            io::Error::new(error.kind(), format!("failed to set the times of {}: {error}", path.display()))
        },
    )
}

#[cfg(not(unix))]
pub(super) fn set_modified(path: &Path, time: FileTime) -> io::Result<()> {
    let since = Duration::new(u64::try_from(time.seconds).unwrap_or(0), time.nanoseconds);
    set(path, std::fs::FileTimes::new().set_modified(UNIX_EPOCH + since))
}

#[cfg(not(unix))]
pub(super) fn set_accessed_now(path: &Path) -> io::Result<()> {
    set(path, std::fs::FileTimes::new().set_accessed(SystemTime::now()))
}

#[cfg(not(unix))]
pub(super) fn set_modified_now(path: &Path) -> io::Result<()> {
    set(path, std::fs::FileTimes::new().set_modified(SystemTime::now()))
}

#[cfg(not(unix))]
fn set(path: &Path, times: std::fs::FileTimes) -> io::Result<()> {
    fs_err::OpenOptions::new().write(true).open(path)?.into_parts().0.set_times(times)
}

/// Makes everything written to the file system of a folder survive a power failure.
pub fn sync_file_system(folder: &Path) -> io::Result<()> {
    let folder = fs_err::File::open(folder)?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&folder)?;
    #[cfg(not(target_os = "linux"))]
    folder.sync_all()?;
    Ok(())
}
