//! Zip and tar archives, read. Every archive is taken for hostile.
//!
//! Owns the two formats and the compressions around tar, nothing of BagIt. Libraries for them are made to read as much as
//! they can; a verifier has to refuse what two programs could read in two ways, to trust no length, and to index a million
//! entries in little memory.

mod compression;
mod source;
mod tar;
mod tar_header;
mod tar_source;
mod zip_directory;
mod zip_entry;

#[cfg(test)]
mod tests;

pub(super) use compression::{Compression, Counted, MAGIC, decoder, sniff};
pub(super) use source::{ArchiveError, Kind};
pub use source::{FileAt, Limits, ReadAt};
pub(super) use tar::{TarEntry, read_tar, read_tar_at};
pub(super) use tar_header::looks_like_tar;
pub(super) use zip_directory::{ZipEntry, check_overlaps, read_directory};
pub(super) use zip_entry::{check_local, open_entry};
