//! Files of this machine, for `file:` URLs.
//!
//! Reads regular files alone, and waits for no other kind: a device or a named pipe is never opened. Symbolic links
//! are followed, as whoever may read the file through one may read it anyway. All reading is done off the runtime's
//! own threads.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use fs_err::{File, OpenOptions};
use futures_util::stream;
use url::Url;

use super::{Answer, Body, Remote, Source, TransportError, TransportErrorKind};

/// Octets that are read at once.
const CHUNK: usize = 1 << 20;

/// The file system.
pub(super) struct FileSource;

impl FileSource {
    pub(super) fn new() -> Self {
        Self
    }
}

impl Source for FileSource {
    fn remote(&self, url: &Url) -> Result<Arc<dyn Remote>, TransportError> {
        let unsupported = |reason: &str| TransportError::new(url, TransportErrorKind::Unsupported, reason);
        if url.scheme() != "file" {
            return Err(unsupported("it is no file: URL"));
        }
        if url.query().is_some() {
            return Err(unsupported("a file: URL has no query (a ? in a file's name is written %3F)"));
        }
        // RFC 8089 §2: the host is absent, or is "localhost".
        if url.host_str().is_some_and(|host| host != "localhost") {
            return Err(unsupported("it names a file of another machine"));
        }
        let path = url.to_file_path().map_err(|()| unsupported("it names no path of this machine"))?;
        Ok(Arc::new(FileRemote { url: url.clone(), path: path.into() }))
    }
}

/// One file, opened anew for each answer.
struct FileRemote {
    url: Url,
    path: Arc<Path>,
}

impl FileRemote {
    async fn open(&self, range: Option<Range<u64>>) -> Result<Body, TransportError> {
        let (url, path) = (self.url.clone(), Arc::clone(&self.path));
        let ranged = range.is_some();
        let (reading, start, total, validator) = off_thread(&self.url, move || {
            let (mut file, total, validator) = open_regular(&url, &path)?;
            let whole = Range { start: 0, end: total };
            let wanted = range.map_or(Ok(whole), |range| within(&url, range, total))?;
            file.seek(SeekFrom::Start(wanted.start)).map_err(|error| failed(&url, &error))?;
            let reading = Reading { file, left: wanted.end - wanted.start, url };
            Ok((reading, wanted.start, total, validator))
        })
        .await?;
        let chunks = Box::pin(stream::try_unfold(reading, |reading| async move {
            let url = reading.url.clone();
            off_thread(&url, move || reading.next()).await
        }));
        Ok(Body { start, ranged, total: Some(total), validator: Some(validator), gzipped: false, chunks })
    }
}

impl Remote for FileRemote {
    fn get(&self, range: Option<Range<u64>>) -> Answer<'_, Body> {
        Box::pin(self.open(range))
    }
}

/// A file of which so many octets are still to be read.
struct Reading {
    file: File,
    left: u64,
    url: Url,
}

impl Reading {
    /// The next octets; `None` at the end.
    fn next(mut self) -> Result<Option<(Bytes, Self)>, TransportError> {
        let length = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        if length == 0 {
            return Ok(None);
        }
        let mut chunk = vec![0; length];
        self.file.read_exact(&mut chunk).map_err(|error| failed(&self.url, &error))?;
        self.left -= length as u64;
        Ok(Some((chunk.into(), self)))
    }
}

/// Does what may block on a thread that is there for it.
async fn off_thread<T: Send + 'static>(
    url: &Url,
    work: impl FnOnce() -> Result<T, TransportError> + Send + 'static,
) -> Result<T, TransportError> {
    // The only ways to lose the thread are a panic and the end of the runtime.
    let lost = |_| TransportError::new(url, TransportErrorKind::Refused, "reading it was broken off");
    tokio::task::spawn_blocking(work).await.map_err(lost)?
}

/// A regular file, its length, and what tells its state from others.
fn open_regular(url: &Url, path: &Path) -> Result<(File, u64, String), TransportError> {
    // Asked before it is opened, as opening alone can make a device act; and after, as it may have been replaced.
    let is_regular = |metadata: &std::fs::Metadata| {
        let reason = if metadata.is_dir() { "it is a folder" } else { "it is no regular file" };
        let error = TransportError::new(url, TransportErrorKind::Refused, reason);
        if metadata.is_file() { Ok(()) } else { Err(error) }
    };
    is_regular(&fs_err::metadata(path).map_err(|error| failed(url, &error))?)?;
    let file = open_at_once(path).map_err(|error| failed(url, &error))?;
    let metadata = file.metadata().map_err(|error| failed(url, &error))?;
    is_regular(&metadata)?;
    Ok((file, metadata.len(), validator(&metadata)))
}

/// Opens without waiting for another process, as a named pipe would.
fn open_at_once(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt;
        use rustix::fs::OFlags;
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    }
    options.open(PathBuf::from(path))
}

/// Length, time of modification in nanoseconds, and the number of the file where the system has one.
fn validator(metadata: &std::fs::Metadata) -> String {
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let modified = modified.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos();
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let number = 0;
    format!("{}-{modified}-{number}", metadata.len())
}

/// The part of a range that lies inside a file.
fn within(url: &Url, range: Range<u64>, total: u64) -> Result<Range<u64>, TransportError> {
    let cut = range.start..range.end.min(total);
    if cut.is_empty() {
        let reason = format!("octets {} to {} are not in its {total} octets", range.start, range.end);
        return Err(TransportError::new(url, TransportErrorKind::OutOfRange, reason));
    }
    Ok(cut)
}

/// What an error of the file system means.
fn failed(url: &Url, error: &io::Error) -> TransportError {
    use TransportErrorKind::{Denied, NotFound, Refused, Transient};
    let (kind, reason) = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => (NotFound, "there is no such file".to_owned()),
        ErrorKind::PermissionDenied => (Denied, "this user may not read it".to_owned()),
        ErrorKind::UnexpectedEof => (Transient, "it became shorter while it was read".to_owned()),
        // What file systems on other machines say when those are away.
        ErrorKind::TimedOut | ErrorKind::StaleNetworkFileHandle => (Transient, error.to_string()),
        _ => (Refused, error.to_string()),
    };
    TransportError::new(url, kind, reason)
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;
    use crate::transport::tests::conformance::{conformance, objects, refused, wait};

    fn url_of(path: &Path) -> Url {
        Url::from_file_path(path).unwrap()
    }

    fn kind_of(url: &Url) -> TransportErrorKind {
        match FileSource::new().remote(url) {
            Ok(remote) => refused(wait(remote.get(None))).kind,
            Err(error) => error.kind,
        }
    }

    #[test]
    fn files_are_a_source() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in objects() {
            let path = folder.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, bytes).unwrap();
        }
        let url = |name: &str| url_of(&folder.path().join(name));
        let replace = |name: &str, bytes: &[u8]| fs_err::write(folder.path().join(name), bytes).unwrap();
        wait(conformance(&FileSource::new(), url, replace));
    }

    #[test]
    fn only_files_of_this_machine_are_read() {
        for text in ["file://elsewhere/a", "http://localhost/a", "file:///a?b"] {
            assert_eq!(kind_of(&text.parse().unwrap()), TransportErrorKind::Unsupported, "{text}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, "a").unwrap();
        let local = url_of(&path).as_str().replace("file://", "file://localhost").parse().unwrap();
        let body = wait(FileSource::new().remote(&local).unwrap().get(None)).ok().unwrap();
        assert_eq!(wait(body.chunks.try_collect::<Vec<_>>()).unwrap(), ["a"]);
    }

    #[test]
    fn what_is_no_regular_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(kind_of(&url_of(folder.path())), TransportErrorKind::Refused);
        let below_a_file = folder.path().join("a/b");
        fs_err::write(folder.path().join("a"), "").unwrap();
        assert_eq!(kind_of(&url_of(&below_a_file)), TransportErrorKind::NotFound);
        assert_eq!(kind_of(&"file:///a%00b".parse().unwrap()), TransportErrorKind::Refused);
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{CWD, FileType, Mode, mknodat};
            let pipe = folder.path().join("pipe");
            mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            assert_eq!(kind_of(&url_of(&pipe)), TransportErrorKind::Refused);
            assert_eq!(kind_of(&"file:///dev/null".parse().unwrap()), TransportErrorKind::Refused);
            // The check after opening is the one that counts where the file is replaced between the two.
            assert!(open_at_once(&pipe).is_ok(), "opening a named pipe waits for nobody");
        }
    }

    #[test]
    fn a_file_that_shrinks_while_it_is_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, vec![7; 3 * CHUNK]).unwrap();
        let url = url_of(&path);
        let mut body = wait(FileSource::new().remote(&url).unwrap().get(None)).ok().unwrap();
        assert!(wait(body.chunks.try_next()).unwrap().is_some());
        fs_err::write(&path, vec![7; CHUNK]).unwrap();
        let error = wait(body.chunks.try_collect::<Vec<_>>()).unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::Transient);
        assert!(error.reason.contains("shorter"), "{error}");
    }

    #[test]
    fn errors_of_the_file_system_are_told_apart() {
        let url = "file:///a".parse().unwrap();
        let kind = |kind: ErrorKind| failed(&url, &kind.into()).kind;
        assert_eq!(kind(ErrorKind::PermissionDenied), TransportErrorKind::Denied);
        assert_eq!(kind(ErrorKind::StaleNetworkFileHandle), TransportErrorKind::Transient);
        assert_eq!(kind(ErrorKind::InvalidInput), TransportErrorKind::Refused);
    }
}
