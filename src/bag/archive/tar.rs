//! Tar archives: v7, ustar, pax (POSIX.1-2001, `pax` "Extended Description") and GNU, read as a stream or by offset.
//!
//! A tar archive is a chain: where an entry ends is known only from its header, so a number read in another way
//! shows other entries. What programs read differently (two names for one entry, a link with content, anything after
//! the end, sparse files and parts of volumes) is refused here, and no name or record is read beyond a bound.

use super::source::{ArchiveError, Kind, Limits, ReadAt, shown};
use super::tar_header::{BLOCK, Header, Meaning, Records};
use super::tar_source::{Source, Stream, Window, cut_short};
use ArchiveError::{Broken, Refused};
use std::io::{BufReader, Read};

/// How long a name may be: more than any file system takes.
const LONGEST_NAME: u64 = 64 << 10;
/// How long the records of one pax header may be.
const LONGEST_RECORDS: u64 = 1 << 20;

/// An entry, as its headers describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TarEntry<'a> {
    /// Its name, as the archive has it.
    pub name: &'a [u8],
    /// What it is.
    pub kind: Kind,
    /// How many octets its content has.
    pub length: u64,
    /// Where its content starts in the uncompressed archive.
    pub offset: u64,
}

/// What is done with each entry of a stream and its content, of which any part may be left unread.
pub type VisitBody<'v> = dyn FnMut(TarEntry<'_>, &mut dyn Read) -> Result<(), ArchiveError> + 'v;

/// What is done with each entry of an archive that is read by offset.
pub type Visit<'v> = dyn FnMut(TarEntry<'_>) -> Result<(), ArchiveError> + 'v;

/// Reads an archive from start to end; `packed` says how many compressed octets were used so far.
pub fn read_tar(
    reader: &mut dyn Read,
    visit: &mut VisitBody<'_>,
    limits: &Limits,
    packed: &dyn Fn() -> u64,
) -> Result<(), ArchiveError> {
    let mut reader = BufReader::with_capacity(64 << 10, reader);
    let mut stream = Stream::new(&mut reader, limits, packed);
    walk(&mut stream, limits, &mut |entry, stream| {
        let result = visit(entry, &mut stream.body(entry.length, entry.name));
        // The visitor passes on what its reader told it, but not always in the same words.
        match stream.take_fault() {
            Some(fault) => Err(fault),
            None => result,
        }
    })
}

/// Reads the headers of an uncompressed archive without reading the content between them.
pub fn read_tar_at(source: &dyn ReadAt, visit: &mut Visit<'_>, limits: &Limits) -> Result<(), ArchiveError> {
    let mut window = Window::new(source);
    walk(&mut window, limits, &mut |entry, _| visit(entry))
}

/// What the headers before an entry's own say of it.
#[derive(Default)]
struct Pending {
    long_name: Option<Vec<u8>>,
    long_link: bool,
    records: Option<Records>,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.long_name.is_none() && !self.long_link && self.records.is_none()
    }
}

fn walk<S: Source>(
    source: &mut S,
    limits: &Limits,
    visit: &mut dyn FnMut(TarEntry<'_>, &mut S) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut pending = Pending::default();
    let (mut headers, mut entries, mut bytes) = (0u64, 0u64, 0u64);
    let mut name = Vec::new();
    while let Some(block) = next_header(source, headers, &name)? {
        headers += 1;
        let header = Header::parse(&block, source.position() - BLOCK as u64)?;
        if header.meaning != Meaning::Entry {
            read_extension(source, &header, &mut pending)?;
            continue;
        }
        let length = take_name_and_length(&header, std::mem::take(&mut pending), &mut name)?;
        let kind = header.kind(&name);
        if length > 0 && (kind == Kind::Folder || header.has_no_content()) {
            return Err(Refused(format!("{} claims content that its kind can't have", shown(&name))));
        }
        entries += 1;
        bytes = bytes.saturating_add(length);
        limits.check_sums(entries, bytes, &name)?;
        source.check_ratio(&name)?;
        let offset = source.position();
        visit(TarEntry { name: &name, kind, length, offset }, source)?;
        skip_to(source, offset, length, &name)?;
    }
    if pending.is_empty() {
        Ok(())
    } else {
        Err(Broken("the archive ends before the entry of a header".into()))
    }
}

/// Passes over what the visitor left of an entry, and the padding of its last block.
fn skip_to<S: Source>(source: &mut S, offset: u64, length: u64, name: &[u8]) -> Result<(), ArchiveError> {
    let end = length
        .checked_next_multiple_of(BLOCK as u64)
        .and_then(|padded| padded.checked_add(offset))
        .ok_or_else(|| Broken(format!("{} has an impossible length", shown(name))))?;
    if source.skip(end.saturating_sub(source.position()), name)? { Ok(()) } else { Err(cut_short(name)) }
}

/// The next block that is a header; `None` at the end, which must be the end of everything.
fn next_header<S: Source>(
    source: &mut S,
    headers: u64,
    last_name: &[u8],
) -> Result<Option<[u8; BLOCK]>, ArchiveError> {
    let mut block = [0; BLOCK];
    match source.read_full(&mut block)? {
        0 if headers > 0 => return Ok(None),
        0 => return Err(Broken("the archive is empty".into())),
        count if count < block.len() => return Err(Broken("the archive ends within a header".into())),
        _ => {}
    }
    if block.iter().any(|&octet| octet != 0) {
        return Ok(Some(block));
    }
    // One block of zeros ends the archive as well as two; what follows would be seen by some programs only.
    let mut rest = vec![0; 64 << 10];
    loop {
        let end = source.position();
        let count = source.read_full(&mut rest)?;
        if rest.iter().take(count).any(|&octet| octet != 0) {
            return Err(Refused(format!("the archive has bytes after the end, from {end} on")));
        }
        if count == 0 {
            return Ok(None);
        }
        source.check_ratio(last_name)?;
    }
}

/// Reads a header that describes the next entry.
fn read_extension<S: Source>(
    source: &mut S,
    header: &Header<'_>,
    pending: &mut Pending,
) -> Result<(), ArchiveError> {
    let position = source.position() - BLOCK as u64;
    let twice = || Refused(format!("an entry has two headers of one kind, the second at {position}"));
    match header.meaning {
        Meaning::LongName => {
            let text = read_bounded(source, header.size, LONGEST_NAME)?;
            let name = text.split(|&octet| octet == 0).next().unwrap_or_default().to_vec();
            if pending.long_name.replace(name).is_some() {
                return Err(twice());
            }
        }
        Meaning::LongLink => {
            read_bounded(source, header.size, LONGEST_NAME)?;
            if std::mem::replace(&mut pending.long_link, true) {
                return Err(twice());
            }
        }
        Meaning::Records => {
            let records = Records::parse(&read_bounded(source, header.size, LONGEST_RECORDS)?, position)?;
            if pending.records.replace(records).is_some() {
                return Err(twice());
            }
        }
        Meaning::GlobalRecords => {
            let records = Records::parse(&read_bounded(source, header.size, LONGEST_RECORDS)?, position)?;
            if !records.is_empty() || !pending.is_empty() {
                return Err(Refused(format!("the global header at {position} would change entries")));
            }
        }
        Meaning::Entry => {}
    }
    Ok(())
}

/// Reads a header's content, which is refused before anything is read if it is too long.
fn read_bounded<S: Source>(source: &mut S, size: u64, longest: u64) -> Result<Vec<u8>, ArchiveError> {
    let position = source.position() - BLOCK as u64;
    let length = usize::try_from(size).ok().filter(|_| size <= longest);
    let length = length.ok_or_else(|| {
        Refused(format!(
            "the header at {position} claims {size} octets, more than the {longest} that are read"
        ))
    })?;
    let mut content = vec![0; length.next_multiple_of(BLOCK)];
    if source.read_full(&mut content)? < content.len() {
        return Err(Broken(format!("the archive ends within the header at {position}")));
    }
    content.truncate(length);
    Ok(content)
}

/// The name and length of an entry, from its own header and those before it.
fn take_name_and_length(
    header: &Header<'_>,
    pending: Pending,
    name: &mut Vec<u8>,
) -> Result<u64, ArchiveError> {
    let Records { path, size, .. } = pending.records.unwrap_or_default();
    if let (Some(path), Some(long_name)) = (&path, &pending.long_name)
        && path != long_name
    {
        let (path, long_name) = (shown(path), shown(long_name));
        return Err(Refused(format!("an entry is called both {path} and {long_name}")));
    }
    name.clear();
    match path.or(pending.long_name) {
        Some(long) => *name = long,
        None => header.put_name(name),
    }
    if name.is_empty() {
        return Err(Broken("an entry has no name".into()));
    }
    if name.contains(&0) {
        return Err(Refused(format!(
            "{} has a NUL in its name, where some readers would end it",
            shown(name)
        )));
    }
    Ok(size.unwrap_or(header.size))
}
