//! One archive of a whole bag: every file stored as it is, at a place that is known before its bytes are.
//!
//! Small files are written straight to their places, whichever comes first; the headers and the directory come last. A
//! run that was killed leaves the archive under its temporary name, and the next one hashes what is there and goes on.
//! Files whose length is not known beforehand are put after the others as they come.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::slot::{Finish, PartialSlot, naming};
use super::stored_zip::{Entry, local_header, write_directory};
use super::{Local, Place, Slot, find};
use crate::bag::{Algorithm, BagFile, Digest, MultiHasher};
use crate::cache::Cache;
use crate::materialize::list::{Wanted, WantedList};
use crate::materialize::work::{Owner, Partial, read_exact_at, write_all_at};

const BLOCK: usize = 1 << 20;

/// An archive under way.
pub(in crate::materialize) struct PackPlace<'p> {
    path: PathBuf,
    file: std::fs::File,
    /// The bag's name, which every entry's name begins with.
    bag: String,
    /// Files that the bag itself has, in the order in which they are best read.
    own: Vec<BagFile<'p>>,
    cache: Option<&'p Cache>,
    /// Stamps count for nothing.
    rehash: bool,
    work: PathBuf,
    owner: Owner,
    state: Mutex<State>,
}

struct State {
    /// The files of the bag itself, then those of the list.
    entries: Vec<Option<Filled>>,
    /// Where the next file of unknown length goes.
    end: u64,
}

#[derive(Clone, Copy)]
struct Filled {
    entry: Entry,
    /// The bytes' CRC-32, once they are there.
    crc: Option<u32>,
}

impl<'p> PackPlace<'p> {
    /// Lays the archive out, under a temporary name. Octets that are there already are looked at later.
    pub(in crate::materialize) fn open(
        path: &Path,
        bag: &str,
        own: Vec<BagFile<'p>>,
        list: &WantedList<'p>,
        cache: Option<&'p Cache>,
        work: &Path,
        owner: &Owner,
    ) -> io::Result<Self> {
        let options =
            fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut place = Self {
            path: path.to_owned(),
            file: options?.into_parts().0,
            bag: bag.to_owned(),
            own,
            cache,
            rehash: false,
            work: work.to_owned(),
            owner: owner.clone(),
            state: Mutex::new(State { entries: Vec::new(), end: 0 }),
        };
        let mut entries = vec![None; place.own.len() + list.len()];
        let mut end = 0;
        for number in place.order(list) {
            let (file, length) = place.file(list, number as usize);
            let entry = length.map(|length| Entry::at(end, &place.name(file), length));
            end = entry.map_or(end, |entry| entry.end());
            entries[number as usize] = entry.map(|entry| Filled { entry, crc: None });
        }
        place.state = Mutex::new(State { entries, end });
        Ok(place)
    }

    /// The same place, where stamps count for nothing if `rehash` is set.
    pub(in crate::materialize) fn rehash(self, rehash: bool) -> Self {
        Self { rehash, ..self }
    }

    /// A file of the bag itself or of the list, by its number among all of them, and its length if that is known.
    fn file<'s>(&self, list: &WantedList<'s>, number: usize) -> (BagFile<'s>, Option<u64>)
    where
        'p: 's,
    {
        match self.own.get(number) {
            Some(file) => (*file, Some(file.length())),
            None => list.file(number - self.own.len()),
        }
    }

    /// The numbers of all files in the order in which they lie in the archive: bagit.txt, the other tag files, the payload,
    /// by path. So one bag makes one archive, whatever order its files were met in and wherever they were.
    fn order(&self, list: &WantedList<'_>) -> Vec<u32> {
        let count = self.own.len() + list.len();
        let mut order: Vec<u32> = (0..u32::try_from(count).unwrap_or(u32::MAX)).collect();
        order.sort_unstable_by_key(|number| {
            let path = self.file(list, *number as usize).0.path();
            (path.as_str() != "bagit.txt", path.is_payload(), path)
        });
        order
    }

    fn name(&self, file: BagFile<'_>) -> String {
        format!("{}/{}", self.bag, file.path().as_str())
    }

    /// Copies the bag's own files to their places. What they should be was checked before.
    pub(in crate::materialize) fn take_own(&self) -> io::Result<()> {
        for (number, file) in self.own.iter().enumerate() {
            let mut body = file.open()?;
            self.copy(number, *file, &mut body)?;
        }
        Ok(())
    }

    /// The place of a file of so many octets, found now if it was not known before.
    fn entry(&self, number: usize, file: BagFile<'_>, length: u64) -> Entry {
        let mut state = self.lock();
        if let Some(filled) = state.entries[number].filter(|filled| filled.entry.length == length) {
            return filled.entry;
        }
        let entry = Entry::at(state.end, &self.name(file), length);
        state.end = entry.end();
        state.entries[number] = Some(Filled { entry, crc: None });
        entry
    }

    fn fill(&self, number: usize, crc: u32) {
        if let Some(filled) = &mut self.lock().entries[number] {
            filled.crc = Some(crc);
        }
    }

    /// Copies a body of known length to a file's place.
    fn copy(&self, number: usize, file: BagFile<'_>, body: &mut dyn Read) -> io::Result<()> {
        let length = self.lock().entries[number].map_or(0, |filled| filled.entry.length);
        let entry = self.entry(number, file, length);
        let mut buffer = vec![0; BLOCK.min(usize::try_from(length).unwrap_or(BLOCK).max(1))];
        let (mut hasher, mut at) = (crc32fast::Hasher::new(), entry.data);
        loop {
            let n = body.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            if at + n as u64 > entry.end() {
                return Err(changed(file));
            }
            hasher.update(&buffer[..n]);
            self.write(at, &buffer[..n])?;
            at += n as u64;
        }
        if at != entry.end() {
            return Err(changed(file));
        }
        self.fill(number, hasher.finalize());
        Ok(())
    }

    fn write(&self, at: u64, octets: &[u8]) -> io::Result<()> {
        write_all_at(&self.file, octets, at).map_err(|error| naming(&self.path, &error))
    }

    /// Whether an earlier run put the file at its place: only its digests tell.
    fn is_there(&self, wanted: &Wanted<'_>) -> io::Result<Option<u64>> {
        let number = self.own.len() + wanted.index;
        let known = self.lock().entries[number];
        let Some(entry) = known.map(|filled| filled.entry) else { return Ok(None) };
        if entry.length == 0 || self.file.metadata()?.len() < entry.end() {
            return Ok(None);
        }
        let algorithms: Vec<Algorithm> = wanted.digests.iter().map(Digest::algorithm).collect();
        let (mut hasher, mut crc) = (MultiHasher::new(&algorithms), crc32fast::Hasher::new());
        let mut buffer = vec![0; BLOCK.min(usize::try_from(entry.length).unwrap_or(BLOCK))];
        let mut at = entry.data;
        while at < entry.end() {
            let n = usize::try_from(entry.end() - at).unwrap_or(BLOCK).min(buffer.len());
            read_exact_at(&self.file, &mut buffer[..n], at)?;
            // A hole that nothing was written to is not worth reading to its end.
            if at == entry.data && buffer[..n].iter().all(|octet| *octet == 0) && n < BLOCK {
                return Ok(None);
            }
            hasher.update(&buffer[..n]);
            crc.update(&buffer[..n]);
            at += n as u64;
        }
        if hasher.finish() != wanted.digests {
            return Ok(None);
        }
        self.fill(number, crc.finalize());
        Ok(Some(entry.length))
    }

    /// Writes headers and directory, and gives the archive its name. Files that are not there are left out.
    pub(in crate::materialize) fn publish(&self, list: &WantedList<'_>, path: &Path) -> io::Result<()> {
        let state = self.lock();
        let files = self.own.iter().copied().chain(list.indices().map(|index| list.file(index).0));
        let mut entries = Vec::new();
        for (file, filled) in files.zip(&state.entries) {
            let Some(Filled { entry, crc: Some(crc) }) = *filled else { continue };
            let name = self.name(file);
            self.write(entry.header, &local_header(&entry, &name, crc))?;
            entries.push((entry, name, crc));
        }
        entries.sort_unstable_by_key(|(entry, ..)| entry.header);
        let start = entries.last().map_or(0, |(entry, ..)| entry.end());
        self.file.set_len(start)?;
        let mut out = io::BufWriter::new(At { file: &self.file, at: start });
        write_directory(
            &mut out,
            start,
            entries.iter().map(|(entry, name, crc)| (*entry, name.as_str(), *crc)),
        )?;
        io::Write::flush(&mut out).map_err(|error| naming(&self.path, &error))?;
        drop(out);
        self.file.sync_all()?;
        fs_err::rename(&self.path, path)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes on from an offset.
struct At<'f> {
    file: &'f std::fs::File,
    at: u64,
}

impl io::Write for At<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        write_all_at(self.file, octets, self.at)?;
        self.at += octets.len() as u64;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn changed(file: BagFile<'_>) -> io::Error {
    let message = format!("{} changed its length while it was read", file.path());
    io::Error::new(io::ErrorKind::InvalidData, message)
}

impl Place for PackPlace<'_> {
    fn look(&self, wanted: &Wanted<'_>) -> io::Result<Local> {
        if let Some(length) = self.is_there(wanted)? {
            return Ok(Local::There(length));
        }
        let found = match self.cache {
            Some(cache) => find(cache, wanted, self.rehash)?,
            None => None,
        };
        let Some(object) = found else { return Ok(Local::Absent) };
        let Ok(mut body) = fs_err::File::open(&object.path) else { return Ok(Local::Absent) };
        let number = self.own.len() + wanted.index;
        self.entry(number, wanted.file, object.length);
        self.copy(number, wanted.file, &mut body)?;
        Ok(Local::Linked(object.length))
    }

    fn addressed_by(&self) -> Option<Algorithm> {
        None
    }

    fn store(&self, wanted: &Wanted<'_>, octets: &[u8], _digests: &[Digest]) -> io::Result<()> {
        let number = self.own.len() + wanted.index;
        let entry = self.entry(number, wanted.file, octets.len() as u64);
        self.write(entry.data, octets)?;
        self.fill(number, crc32fast::hash(octets));
        Ok(())
    }

    fn begin<'s>(&'s self, wanted: &Wanted<'s>) -> io::Result<Box<dyn Slot + 's>> {
        Ok(Box::new(PartialSlot::open(&self.work, &self.owner, self, wanted)?))
    }

    fn settle(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Finish for PackPlace<'_> {
    fn finish(&self, partial: &Partial, wanted: &Wanted<'_>, _digests: &[Digest]) -> io::Result<()> {
        let number = self.own.len() + wanted.index;
        let mut body = fs_err::File::open(partial.path())?;
        self.entry(number, wanted.file, body.metadata()?.len());
        self.copy(number, wanted.file, &mut body)?;
        partial.finish().map(drop)
    }
}
