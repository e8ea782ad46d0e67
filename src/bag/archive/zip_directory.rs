//! The central directory of a zip archive (APPNOTE.TXT 4.3.12 to 4.3.16), read as a stream.
//!
//! Zip readers differ in where they look for the directory and in how they mend offsets that don't fit, so that one
//! file can show different entries to different programs. Here everything has to fit exactly: one end record whose
//! comment reaches the end of the file, a directory that starts where the end record says and ends where the end
//! records begin, as many entries as were announced, and no two entries that share octets.

use super::source::{ArchiveError, Kind, Limits, ReadAt, read_full_at, shown, u16_at, u32_at, u64_at};
use ArchiveError::{Broken, Refused};
use rayon::slice::ParallelSliceMut;

/// The length of a local file header without its name and extra field (4.3.7).
pub(super) const LOCAL_HEADER: usize = 30;
const CENTRAL_HEADER: usize = 46;
const END_RECORD: usize = 22;
const ZIP64_LOCATOR: usize = 20;
const ZIP64_END_RECORD: usize = 56;
/// How much of the directory is in memory at once: more than its longest entry (46 + 3 * 65535).
const CHUNK: usize = 1 << 20;
/// What a 32-bit field says when the value is in the zip64 extra field (4.4.1.4).
pub(super) const IN_ZIP64: u32 = u32::MAX;

/// What the central directory says of an entry, but for its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZipEntry {
    /// Where its local header starts.
    pub offset: u64,
    /// How many octets it takes in the archive.
    pub compressed: u64,
    /// How many octets it unpacks to.
    pub length: u64,
    /// The CRC-32 of its content.
    pub crc32: u32,
    /// The compression method: 0 stored, 8 deflated.
    pub method: u16,
    /// The general purpose bit flag (4.4.4).
    pub flags: u16,
    /// How many octets its name has.
    pub name_length: u16,
    /// What it is.
    pub kind: Kind,
}

impl ZipEntry {
    /// The bits for plain, strong and masked encryption (4.4.4: 0, 6 and 13).
    const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;

    /// Whether its content is encrypted, and so can't be read here.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.flags & Self::ENCRYPTED != 0
    }

    /// Where it ends at the earliest: a local header may have an extra field too, whose length only itself tells.
    fn least_end(&self) -> u64 {
        let header = LOCAL_HEADER as u64 + u64::from(self.name_length);
        self.offset.saturating_add(header).saturating_add(self.compressed)
    }
}

/// What is done with each entry: given its name, whether that is flagged as UTF-8, and the rest.
pub type Visit<'v> = dyn FnMut(&[u8], bool, ZipEntry) -> Result<(), ArchiveError> + 'v;

/// Reads the whole central directory, handing each entry to `visit`, and returns where the directory starts.
pub fn read_directory(
    source: &dyn ReadAt,
    limits: &Limits,
    visit: &mut Visit<'_>,
) -> Result<u64, ArchiveError> {
    let directory = find_directory(source)?;
    let mut chunks = Chunks::new(source, &directory);
    let mut unpacked = 0u64;
    for number in 1..=directory.entries {
        let header = chunks.peek(CENTRAL_HEADER)?;
        let length = CENTRAL_HEADER
            + usize::from(u16_at(header, 28))
            + usize::from(u16_at(header, 30))
            + usize::from(u16_at(header, 32));
        let record = chunks.peek(length)?;
        let (name, entry) = parse_entry(record, number)?;
        unpacked = unpacked.saturating_add(entry.length);
        limits.check_sums(number, unpacked, name)?;
        limits.check_ratio(unpacked, source.length(), name)?;
        visit(name, entry.flags & 1 << 11 != 0, entry)?;
        chunks.consume(length);
    }
    match chunks.left() {
        0 => Ok(directory.start),
        left => Err(Broken(format!(
            "the central directory has {left} octets more than the {} entries it announces",
            directory.entries
        ))),
    }
}

/// Refuses entries that share octets with each other or with the directory: a classic way to make a small archive
/// unpack to a huge one, and to show one content under two names.
pub fn check_overlaps(entries: &[ZipEntry], directory_start: u64) -> Result<(), ArchiveError> {
    if entries.is_sorted_by_key(|entry| entry.offset) {
        return check_neighbours(entries.iter(), directory_start);
    }
    let count = u32::try_from(entries.len())
        .map_err(|_| Refused(format!("the archive has {} entries", entries.len())))?;
    let at = |index: &u32| entries.get(*index as usize);
    let mut order: Vec<u32> = (0..count).collect();
    order.par_sort_unstable_by_key(|index| at(index).map_or(0, |entry| entry.offset));
    check_neighbours(order.iter().filter_map(at), directory_start)
}

fn check_neighbours<'e>(
    entries: impl Iterator<Item = &'e ZipEntry>,
    directory_start: u64,
) -> Result<(), ArchiveError> {
    let mut previous = None::<&ZipEntry>;
    for entry in entries {
        if let Some(previous) = previous
            && (previous.least_end() > entry.offset || previous.offset == entry.offset)
        {
            let (first, second) = (previous.offset, entry.offset);
            return Err(Refused(format!("the entries at the offsets {first} and {second} overlap")));
        }
        previous = Some(entry);
    }
    match previous {
        Some(last) if last.least_end() > directory_start => Err(Refused(format!(
            "the entry at the offset {} reaches into the central directory at {directory_start}",
            last.offset
        ))),
        _ => Ok(()),
    }
}

/// Where the central directory is, as the end records say.
struct Directory {
    entries: u64,
    start: u64,
    size: u64,
}

fn find_directory(source: &dyn ReadAt) -> Result<Directory, ArchiveError> {
    let (end_offset, end) = find_end_record(source)?;
    let narrow = EndRecord {
        disks: [u16_at(&end, 4).into(), u16_at(&end, 6).into()],
        entries: [u16_at(&end, 8).into(), u16_at(&end, 10).into()],
        size: u32_at(&end, 12).into(),
        start: u32_at(&end, 16).into(),
    };
    let (record, directory_end) = match find_zip64(source, end_offset)? {
        Some((wide, offset)) => {
            narrow.check_agrees(&wide)?;
            (wide, offset)
        }
        None => (narrow, end_offset),
    };
    record.check(directory_end)
}

/// The end record (4.3.16) and the zip64 end record (4.3.14) say the same things in different widths.
struct EndRecord {
    disks: [u64; 2],
    entries: [u64; 2],
    size: u64,
    start: u64,
}

impl EndRecord {
    /// Each number must be the same in both, unless the narrow record leaves it to the wide one.
    fn check_agrees(&self, wide: &Self) -> Result<(), ArchiveError> {
        let fits = |narrow: u64, wide: u64, left_out: u64| narrow == wide || narrow == left_out;
        let short = |narrow: [u64; 2], wide: [u64; 2]| {
            narrow.iter().zip(wide).all(|(&narrow, wide)| fits(narrow, wide, u16::MAX.into()))
        };
        if short(self.disks, wide.disks)
            && short(self.entries, wide.entries)
            && fits(self.size, wide.size, IN_ZIP64.into())
            && fits(self.start, wide.start, IN_ZIP64.into())
        {
            return Ok(());
        }
        Err(Refused("the end record and the zip64 end record disagree".into()))
    }

    fn check(&self, directory_end: u64) -> Result<Directory, ArchiveError> {
        if self.disks != [0, 0] || self.entries.first() != self.entries.last() {
            return Err(Broken("the archive is one part of several, which are not read".into()));
        }
        if self.start.checked_add(self.size) != Some(directory_end) {
            return Err(Refused(format!(
                "the central directory should be {} octets at {}, yet the end records begin at {directory_end}: \
                 something was put before, into or after the archive",
                self.size, self.start
            )));
        }
        let [entries, _] = self.entries;
        if entries.checked_mul(CENTRAL_HEADER as u64).is_none_or(|least| least > self.size) {
            return Err(Broken(format!("the central directory is too small for {entries} entries")));
        }
        Ok(Directory { entries, start: self.start, size: self.size })
    }
}

/// Looks for the one end record whose comment reaches exactly the end of the file.
fn find_end_record(source: &dyn ReadAt) -> Result<(u64, [u8; END_RECORD]), ArchiveError> {
    let longest = (END_RECORD + usize::from(u16::MAX)) as u64;
    let offset = source.length().saturating_sub(longest);
    let mut tail = vec![0; usize::try_from(source.length() - offset).unwrap_or_default()];
    let filled = read_full_at(source, &mut tail, offset)?;
    let tail = tail.get(..filled).unwrap_or_default();
    let mut found = None;
    for (at, record) in tail.array_windows::<END_RECORD>().enumerate() {
        let reaches_end = || at + END_RECORD + usize::from(u16_at(record, 20)) == tail.len();
        if record.starts_with(b"PK\x05\x06") && reaches_end() {
            if found.is_some() {
                return Err(Refused(
                    "the archive has two end records, either of which could be meant".into(),
                ));
            }
            found = Some((offset + at as u64, *record));
        }
    }
    found
        .ok_or_else(|| Broken("no zip archive ends here: it is cut short, added to, or no zip at all".into()))
}

/// The zip64 end record with its offset, if there is a locator for it (4.3.15) right before the end record.
fn find_zip64(source: &dyn ReadAt, end_offset: u64) -> Result<Option<(EndRecord, u64)>, ArchiveError> {
    let Some(locator_offset) = end_offset.checked_sub(ZIP64_LOCATOR as u64) else { return Ok(None) };
    let mut locator = [0; ZIP64_LOCATOR];
    read_full_at(source, &mut locator, locator_offset)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    let offset = u64_at(&locator, 8);
    if u32_at(&locator, 4) != 0 || u32_at(&locator, 16) > 1 {
        return Err(Broken("the archive is one part of several, which are not read".into()));
    }
    // A longer record would have an "extensible data sector", which only PKWARE's own encryption uses.
    if offset.checked_add(ZIP64_END_RECORD as u64) != Some(locator_offset) {
        return Err(Refused("the zip64 end record is not right before its locator".into()));
    }
    let mut record = [0; ZIP64_END_RECORD];
    read_full_at(source, &mut record, offset)?;
    if !record.starts_with(b"PK\x06\x06") || u64_at(&record, 4) != ZIP64_END_RECORD as u64 - 12 {
        return Err(Broken("the zip64 end record is damaged".into()));
    }
    let wide = EndRecord {
        disks: [u32_at(&record, 16).into(), u32_at(&record, 20).into()],
        entries: [u64_at(&record, 24), u64_at(&record, 32)],
        size: u64_at(&record, 40),
        start: u64_at(&record, 48),
    };
    Ok(Some((wide, offset)))
}

/// The directory's octets, of which only a chunk is in memory.
struct Chunks<'s> {
    source: &'s dyn ReadAt,
    buffer: Vec<u8>,
    at: usize,
    next: u64,
    end: u64,
}

impl<'s> Chunks<'s> {
    fn new(source: &'s dyn ReadAt, directory: &Directory) -> Self {
        let end = directory.start.saturating_add(directory.size);
        Self { source, buffer: Vec::new(), at: 0, next: directory.start, end }
    }

    fn left(&self) -> u64 {
        self.end - self.next + (self.buffer.len() - self.at) as u64
    }

    /// The next `count` octets (at most a chunk), which stay the next ones.
    fn peek(&mut self, count: usize) -> Result<&[u8], ArchiveError> {
        if self.buffer.len() - self.at < count {
            self.refill()?;
        }
        self.buffer
            .get(self.at..self.at + count)
            .ok_or_else(|| Broken("the central directory ends within an entry".into()))
    }

    fn refill(&mut self) -> Result<(), ArchiveError> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let kept = self.buffer.len();
        let more = usize::try_from(self.end - self.next).unwrap_or(CHUNK).min(CHUNK - kept);
        self.buffer.resize(kept + more, 0);
        let filled = read_full_at(self.source, self.buffer.get_mut(kept..).unwrap_or_default(), self.next)?;
        if filled < more {
            return Err(Broken("the file became shorter while it was read".into()));
        }
        self.next += more as u64;
        Ok(())
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

/// Parses one central directory header (4.3.12), all of which is in `record`.
fn parse_entry(record: &[u8], number: u64) -> Result<(&[u8], ZipEntry), ArchiveError> {
    if !record.starts_with(b"PK\x01\x02") {
        return Err(Broken(format!("entry {number} of the central directory is damaged")));
    }
    let name_length = u16_at(record, 28);
    let extra_start = CENTRAL_HEADER + usize::from(name_length);
    let extra_end = extra_start + usize::from(u16_at(record, 30));
    let name = record.get(CENTRAL_HEADER..extra_start).unwrap_or_default();
    let extra = record.get(extra_start..extra_end).unwrap_or_default();
    if name.is_empty() {
        return Err(Broken(format!("entry {number} of the central directory has no name")));
    }
    if name.contains(&0) {
        return Err(Refused(format!(
            "{} has a NUL in its name, where some readers would end it",
            shown(name)
        )));
    }
    let mut entry = ZipEntry {
        offset: u32_at(record, 42).into(),
        compressed: u32_at(record, 20).into(),
        length: u32_at(record, 24).into(),
        crc32: u32_at(record, 16),
        method: u16_at(record, 10),
        flags: u16_at(record, 8),
        name_length,
        kind: kind(u32_at(record, 38), name),
    };
    let mut disk = u16_at(record, 34).into();
    read_extra(extra, name, &mut entry, &mut disk)?;
    if disk != 0 {
        return Err(Broken(format!("{} is in another part of the archive", shown(name))));
    }
    if entry.kind == Kind::Folder && entry.length > 0 {
        return Err(Refused(format!("{} is a folder, yet it has content", shown(name))));
    }
    Ok((name, entry))
}

/// What an entry is, by its Unix mode if it has one, and else as MS-DOS and its name have it.
fn kind(attributes: u32, name: &[u8]) -> Kind {
    const MSDOS_FOLDER: u32 = 0x10;
    match attributes >> 16 & 0o170_000 {
        0o120_000 => Kind::Link,
        0o040_000 => Kind::Folder,
        0 if attributes & MSDOS_FOLDER != 0 => Kind::Folder,
        0 | 0o100_000 if name.ends_with(b"/") => Kind::Folder,
        0 | 0o100_000 => Kind::File,
        _ => Kind::Other,
    }
}

/// Takes from the extra field (4.5) the numbers that are too large for the header, and refuses a second name.
fn read_extra(extra: &[u8], name: &[u8], entry: &mut ZipEntry, disk: &mut u32) -> Result<(), ArchiveError> {
    let damaged = || Broken(format!("the extra field of {} is damaged", shown(name)));
    let mut zip64 = None;
    for field in extra_fields(extra) {
        match field.ok_or_else(damaged)? {
            (0x0001, value) if zip64.is_none() => zip64 = Some(value),
            (0x0001, _) => return Err(Refused(format!("{} has two zip64 fields", shown(name)))),
            // Info-ZIP's Unicode path (4.6.9): a version, a CRC-32 of the other name, and the name.
            (0x7075, value) if value.get(5..) != Some(name) => {
                return Err(Refused(format!("{} has another name in its extra field", shown(name))));
            }
            _ => {}
        }
    }
    // 4.5.3: the values stand in this order, and only those whose header field leaves them out.
    let mut rest = zip64.unwrap_or_default();
    for number in [&mut entry.length, &mut entry.compressed, &mut entry.offset] {
        if *number == u64::from(IN_ZIP64) {
            let (value, after) = rest.split_first_chunk().ok_or_else(damaged)?;
            (*number, rest) = (u64::from_le_bytes(*value), after);
        }
    }
    if *disk == u32::from(u16::MAX) {
        let (value, after) = rest.split_first_chunk().ok_or_else(damaged)?;
        (*disk, rest) = (u32::from_le_bytes(*value), after);
    }
    if rest.is_empty() { Ok(()) } else { Err(damaged()) }
}

/// The fields of an extra field with their numbers; `None` where they don't fill it exactly.
pub(super) fn extra_fields(mut extra: &[u8]) -> impl Iterator<Item = Option<(u16, &[u8])>> {
    std::iter::from_fn(move || {
        if extra.is_empty() {
            return None;
        }
        let end = 4 + usize::from(u16_at(extra, 2));
        let field = extra.get(4..end).map(|value| (u16_at(extra, 0), value));
        extra = extra.get(end..).unwrap_or_default();
        Some(field)
    })
}
