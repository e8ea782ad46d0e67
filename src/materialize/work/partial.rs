//! Large files under way: written at any offset, with a record beside each of the ranges that are there.
//!
//! A partial file has one owner. One that a dead process of this machine left is taken over by rename; one from
//! elsewhere whose lease ran out is copied to a new file, for its owner may still hold it open. Nothing that a record
//! says is believed in the end: the whole file's digest decides.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::ranges::RangeSet;
use crate::claim::{LEASE, Life, Owner, make_in, now_in};

/// The record is written after so much time, or so many octets.
const INTERVAL: Duration = Duration::from_millis(100);
const AMOUNT: u64 = 4 << 20;

/// Tells partial files of one run apart: two of a bag's files may have the same bytes.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// What the bytes are a part of: ranges of one source's one state may be joined, others not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The SHA-256 of the URL, which may hold secrets itself.
    pub(crate) url: String,
    /// The `ETag` or versioned URL.
    pub(crate) validator: Option<String>,
    /// The whole file's length in octets.
    pub(crate) length: Option<u64>,
}

/// The record beside a partial file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    owner: Owner,
    origin: Origin,
    /// Start and end of each range that is there.
    ranges: Vec<(u64, u64)>,
}

/// A partial file of this process.
pub(crate) struct Partial {
    path: PathBuf,
    owner: Owner,
    pub(crate) file: std::fs::File,
    state: Mutex<State>,
}

struct State {
    origin: Origin,
    good: RangeSet,
    written: Instant,
    /// Octets that the record does not know of yet.
    fresh: u64,
}

impl Partial {
    /// The partial file of a key (a digest) in a folder: one that was left there, or a new one.
    pub(crate) fn open(folder: &Path, key: &str, owner: &Owner) -> io::Result<Self> {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{key}.{}.{number}.part", owner.tag()));
        let mut left = Left::list(folder, key);
        left.sort_by_key(|left| std::cmp::Reverse(left.good.total()));
        for left in left {
            if let Some(partial) = left.adopt(&path, owner)? {
                return Ok(partial);
            }
        }
        let file = create(&path)?;
        Ok(Self::new(path, owner, file, Origin::default(), RangeSet::default()))
    }

    fn new(path: PathBuf, owner: &Owner, file: std::fs::File, origin: Origin, good: RangeSet) -> Self {
        let state = Mutex::new(State { origin, good, written: Instant::now(), fresh: 0 });
        Self { path, owner: owner.clone(), file, state }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The ranges that are there.
    pub(crate) fn good(&self) -> RangeSet {
        self.lock().good.clone()
    }

    /// Says what the bytes are to be a part of. What is there of anything else is forgotten; the ranges that stay.
    pub(crate) fn begin(&self, origin: Origin) -> io::Result<RangeSet> {
        let mut state = self.lock();
        let same = state.origin == origin && origin.validator.is_some();
        if !same {
            state.good = RangeSet::default();
            self.file.set_len(0)?;
        }
        state.origin = origin;
        self.write(&mut state)?;
        Ok(state.good.clone())
    }

    /// What the ranges that are there are a part of, as far as there are any.
    pub(crate) fn origin(&self) -> Option<Origin> {
        let state = self.lock();
        (state.good.total() > 0).then(|| state.origin.clone())
    }

    /// Notes that a range was written.
    pub(crate) fn wrote(&self, range: std::ops::Range<u64>) -> io::Result<()> {
        let mut state = self.lock();
        state.fresh += range.end - range.start;
        state.good.add(range);
        let due = state.fresh >= AMOUNT || state.written.elapsed() >= INTERVAL;
        if due { self.write(&mut state) } else { Ok(()) }
    }

    /// Writes the record now.
    pub(crate) fn flush(&self) -> io::Result<()> {
        // A record of a file that was deleted would stay for ever.
        if self.path.exists() { self.write(&mut self.lock()) } else { Ok(()) }
    }

    /// Forgets all that is there.
    pub(crate) fn clear(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.good = RangeSet::default();
        self.file.set_len(0)?;
        self.write(&mut state)
    }

    fn write(&self, state: &mut State) -> io::Result<()> {
        (state.written, state.fresh) = (Instant::now(), 0);
        let ranges = state.good.iter().map(|range| (range.start, range.end)).collect();
        let record = Record { owner: self.owner.clone(), origin: state.origin.clone(), ranges };
        let temporary = self.path.with_extension("new");
        fs_err::write(&temporary, serde_json::to_vec(&record)?)?;
        fs_err::rename(&temporary, self.path.with_extension("ranges"))
    }

    /// The whole and checked file, to be renamed to its place; the record goes.
    pub(crate) fn finish(&self) -> io::Result<tempfile::NamedTempFile> {
        let path = tempfile::TempPath::try_from_path(&self.path)?;
        let file = tempfile::NamedTempFile::from_parts(self.file.try_clone()?, path);
        let _ = fs_err::remove_file(self.path.with_extension("ranges"));
        Ok(file)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn create(path: &Path) -> io::Result<std::fs::File> {
    let create = || fs_err::OpenOptions::new().read(true).write(true).create_new(true).open(path);
    Ok(make_in(path.parent().unwrap_or(Path::new(".")), create)?.into_parts().0)
}

/// A partial file that another run left.
struct Left {
    record_path: PathBuf,
    record: Record,
    good: RangeSet,
}

impl Left {
    /// Those of a key. What can't be read is none.
    fn list(folder: &Path, key: &str) -> Vec<Self> {
        let Ok(entries) = fs_err::read_dir(folder) else { return Vec::new() };
        let ours = |name: &str| name.starts_with(key) && name[key.len()..].starts_with('.');
        entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_str().is_some_and(ours))
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "ranges"))
            .filter_map(|record_path| {
                let record: Record = serde_json::from_slice(&fs_err::read(&record_path).ok()?).ok()?;
                let good = RangeSet::parse(&record.ranges)?;
                Some(Self { record_path, record, good })
            })
            .collect()
    }

    /// Makes it this run's, if its owner is gone; `None` where it is not, or another run was faster.
    fn adopt(self, path: &Path, owner: &Owner) -> io::Result<Option<Partial>> {
        let data = self.record_path.with_extension("part");
        let file = match self.record.owner.life() {
            Life::Alive => return Ok(None),
            Life::Dead => match fs_err::rename(&data, path) {
                Ok(()) => fs_err::OpenOptions::new().read(true).write(true).open(path)?.into_parts().0,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Another run took it over, or its owner put it in place and was killed before it said so.
                    let _ = fs_err::remove_file(&self.record_path);
                    return Ok(None);
                }
                Err(error) => return Err(error),
            },
            Life::Elsewhere => {
                if !self.is_expired(owner) {
                    return Ok(None);
                }
                let Ok(source) = fs_err::File::open(&data) else { return Ok(None) };
                let file = create(path)?;
                copy_ranges(source.file(), &file, &self.good)?;
                file
            }
        };
        // A record may say more than was written, if a file was cut since.
        let length = file.metadata()?.len();
        let good =
            if self.good.iter().all(|range| range.end <= length) { self.good } else { RangeSet::default() };
        let partial = Partial::new(path.to_owned(), owner, file, self.record.origin, good);
        partial.flush()?;
        let _ = fs_err::remove_file(&self.record_path);
        Ok(Some(partial))
    }

    fn is_expired(&self, owner: &Owner) -> bool {
        let Some(folder) = self.record_path.parent() else { return false };
        let age = || -> io::Result<Duration> {
            let modified = fs_err::metadata(&self.record_path)?.modified()?;
            Ok(now_in(folder, owner)?.duration_since(modified).unwrap_or_default())
        };
        age().is_ok_and(|age| age > LEASE)
    }
}

fn copy_ranges(from: &std::fs::File, to: &std::fs::File, ranges: &RangeSet) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    for range in ranges.iter() {
        let mut at = range.start;
        while at < range.end {
            let n = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(buffer.len());
            read_exact_at(from, &mut buffer[..n], at)?;
            write_all_at(to, &buffer[..n], at)?;
            at += n as u64;
        }
    }
    Ok(())
}

/// Reads exactly there.
pub(crate) fn read_exact_at(file: &std::fs::File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, buffer, at);
    #[cfg(not(unix))]
    {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = file;
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(buffer)
    }
}

/// Writes exactly there.
pub(crate) fn write_all_at(file: &std::fs::File, bytes: &[u8], at: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::write_all_at(file, bytes, at);
    #[cfg(not(unix))]
    {
        use std::io::{Seek, SeekFrom, Write};
        let mut file = file;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)
    }
}
