//! Leases: digests that a running command needs, so that no eviction takes them away meanwhile.
//!
//! A lease saves work, no more: a command whose object is gone all the same fetches it again.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Cache;
use super::folder::NEW;
use super::times::{changed, set_modified_now};
use crate::bag::{Algorithm, Digest};

pub(super) const LEASES: &str = "leases-1";
/// A lease whose last beat is as long ago is no longer live: its owner has died, or lost the file system.
pub(super) const LIVE: Duration = Duration::from_mins(15);

/// A lease that is held. Dropping it ends it; so does not beating for 15 minutes.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
}

impl Lease {
    /// Says that its owner is alive; to be called every few minutes.
    pub fn beat(&self) -> io::Result<()> {
        set_modified_now(&self.path)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // One that stays is not live after 15 minutes.
        let _ = fs_err::remove_file(&self.path);
    }
}

impl Cache {
    /// Holds on to the files with these digests (any of a file's), whether or not they are in the cache yet.
    pub fn lease(&self, digests: impl Iterator<Item = Digest>) -> io::Result<Lease> {
        let folder = self.folder.path(LEASES);
        let name = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let path = folder.join(format!("{}-{name:016x}.txt", std::process::id()));
        self.folder.write_with(&path, |file| write_digests(file, digests))?;
        Ok(Lease { path })
    }
}

/// Writes a digest a line: `sha256:abcd…`.
pub(super) fn write_digests(
    file: &mut dyn Write,
    mut digests: impl Iterator<Item = Digest>,
) -> io::Result<()> {
    digests.try_for_each(|digest| writeln!(file, "{}:{digest}", digest.algorithm()))
}

/// Reads what [`write_digests`] wrote; an unknown algorithm names no object, and anything else is an error.
pub(super) fn read_digests(path: &Path, each: &mut dyn FnMut(Digest)) -> io::Result<()> {
    let file = io::BufReader::new(fs_err::File::open(path)?);
    for line in file.lines() {
        let line = line?;
        let bad = || {
            let shown: String = line.chars().take(80).collect();
            let message = format!("{} has the line {shown:?}, which is no digest", path.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        };
        let (algorithm, hex) = line.split_once(':').ok_or_else(bad)?;
        let Some(algorithm) = Algorithm::by_name(algorithm) else { continue };
        each(Digest::parse(algorithm, hex).map_err(|_| bad())?);
    }
    Ok(())
}

/// Whether a lease with this metadata is live. A beat in the future is another machine's clock.
pub(super) fn is_live(metadata: &std::fs::Metadata, now: SystemTime) -> bool {
    now.duration_since(changed(metadata)).map_or(true, |ago| ago < LIVE)
}

/// Files in a folder of the cache that are not under way, by path; none where the folder is not there.
pub(super) fn finished_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs_err::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(NEW.as_bytes()) {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    Ok(files)
}
