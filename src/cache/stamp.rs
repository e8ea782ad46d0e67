//! Stamps: a file whose digest dbag has seen carries the mark of it in its own time of modification.
//!
//! The seconds are true. The part below a second is a function of the digest, the file's length, its inode and those
//! seconds, so that one look at a file's metadata tells whether it is still what was verified: bytes that are written
//! change the time, a copy has another inode, an edit another length. That costs no database, no lock and no second
//! file, and every process that sees the file sees its stamp.
//!
//! A stamp is no proof against someone who sets times on purpose, nor against a disk that changes bytes by itself, and
//! one file in ten million is held for stamped by chance. A file system that keeps times less finely than 100 ns keeps
//! no stamps: there files are hashed again.

use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::path::Path;

use super::times::{FileTime, inode, modified, set_modified};
use crate::bag::{Algorithm, Bag, Digest, Finding, MultiHasher};

/// Set before what is hashed, so that another way to make stamps can have another one.
const DOMAIN: &[u8] = b"dbag stamp 1\n";
/// Steps of 100 ns in a second: the finest time that NTFS keeps.
const STEPS: u64 = 10_000_000;

/// The mark of one file with one digest: what its time of modification is below a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(u32);

impl Stamp {
    /// The stamp of a file with this metadata, whose bytes have this digest.
    ///
    /// It is SHA-256 over `dbag stamp 1` and a line feed, the digest's octets, the length and the inode as 8 octets
    /// each, and the seconds of the time of modification since 1970 as 8 octets in two's complement, all lowest octet
    /// first; of which the first 8 octets, lowest first, modulo 10^7, times 100 ns.
    fn of(metadata: &Metadata, digest: &Digest) -> Self {
        let mut hasher = MultiHasher::new(&[Algorithm::Sha256]);
        hasher.update(DOMAIN);
        hasher.update(digest.as_bytes());
        hasher.update(&metadata.len().to_le_bytes());
        hasher.update(&inode(metadata).to_le_bytes());
        hasher.update(&modified(metadata).seconds.to_le_bytes());
        let hash = hasher.finish()[0];
        let first = hash.as_bytes().iter().take(8).rev().fold(0, |sum, octet| sum << 8 | u64::from(*octet));
        Self(u32::try_from(first % STEPS).unwrap_or(0) * 100)
    }

    /// Whether a file with this metadata is marked as one whose bytes have this digest. `metadata` must be of the
    /// file itself (`symlink_metadata`); what is no regular file is never marked.
    #[must_use]
    pub fn holds(metadata: &Metadata, digest: &Digest) -> bool {
        metadata.is_file() && modified(metadata).nanoseconds == Self::of(metadata, digest).0
    }
}

/// Marks a file whose bytes have this digest. The caller has seen the digest, and has synced the file system since the
/// bytes were written: after a power failure a stamp must not outlive its bytes.
///
/// Only the file's owner can. A symbolic link is refused, not followed.
pub fn stamp(path: &Path, digest: &Digest) -> io::Result<()> {
    stamp_unchanged(path, digest, &fs_err::symlink_metadata(path)?)
}

/// Takes the mark from a file whose bytes were found wrong, which is then hashed wherever it is met. Its bytes are not
/// touched. What can't be a mark stays: the time of a file that another program wrote, as good as always.
///
/// Only the file's owner can. A symbolic link is not followed.
pub fn unstamp(path: &Path) -> io::Result<()> {
    let metadata = fs_err::symlink_metadata(path)?;
    let FileTime { seconds, nanoseconds } = modified(&metadata);
    if !metadata.is_file() || nanoseconds == 0 || !nanoseconds.is_multiple_of(100) {
        return Ok(());
    }
    // Another time also where only every hundredth nanosecond is kept.
    set_modified(path, FileTime { seconds, nanoseconds: (nanoseconds + 101) % 1_000_000_000 })
}

/// Takes the marks from the payload files of a bag's folder that were found wrong, as far as they are ours. Of an archive
/// nothing is touched.
pub fn unstamp_wrong(bag: &Bag, findings: &[Finding]) {
    let wrong: HashSet<&str> = findings
        .iter()
        .filter(|finding| finding.code.is_of_bytes())
        .map(|finding| finding.place.as_str())
        .collect();
    let root = bag.container().location();
    if wrong.is_empty() || !root.is_dir() {
        return;
    }
    let files = bag.payload().filter(|file| wrong.contains(file.path().to_string().as_str()));
    for file in files.filter_map(|file| bag.stored(file)) {
        let _ = unstamp(&file.path().below(root));
    }
}

/// The same for a file that was looked at before, if it is still as it was then.
pub(super) fn stamp_unchanged(path: &Path, digest: &Digest, before: &Metadata) -> io::Result<()> {
    let now = fs_err::symlink_metadata(path)?;
    if !now.is_file() || !is_same(&now, before) {
        let message = format!("{} was changed while it was looked at", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    if Stamp::holds(&now, digest) {
        return Ok(());
    }
    set_modified(path, FileTime { seconds: modified(&now).seconds, nanoseconds: Stamp::of(&now, digest).0 })
}

/// Whether two looks at a path saw the same file, with nothing written to it in between.
pub(super) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (inode(one), one.len(), modified(one)) == (inode(other), other.len(), modified(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn digest(hex: &str) -> Digest {
        Digest::parse(Algorithm::Sha256, &hex.repeat(32)).unwrap()
    }

    fn holds(path: &Path, digest: &Digest) -> bool {
        Stamp::holds(&fs_err::symlink_metadata(path).unwrap(), digest)
    }

    #[test]
    fn a_stamp_is_of_one_file_with_one_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, "abc").unwrap();
        let before = fs_err::metadata(&path).unwrap();
        assert!(!holds(&path, &digest("aa")));
        stamp(&path, &digest("aa")).unwrap();
        assert!(holds(&path, &digest("aa")));
        assert!(!holds(&path, &digest("ab")));

        let after = fs_err::metadata(&path).unwrap();
        assert_eq!(modified(&after).seconds, modified(&before).seconds);
        assert_eq!(after.accessed().unwrap(), before.accessed().unwrap());
        assert_eq!(modified(&after).nanoseconds % 100, 0);
    }

    #[test]
    fn a_file_that_can_t_be_written_is_stamped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, "abc").unwrap();
        let mut permissions = fs_err::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs_err::set_permissions(&path, permissions).unwrap();
        stamp(&path, &digest("aa")).unwrap();
        assert!(holds(&path, &digest("aa")));
    }

    #[test]
    fn a_stamp_is_taken_from_a_file_and_no_other_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, "abc").unwrap();
        stamp(&path, &digest("aa")).unwrap();
        let before = modified(&fs_err::metadata(&path).unwrap());
        unstamp(&path).unwrap();
        assert!(!holds(&path, &digest("aa")));
        let after = modified(&fs_err::metadata(&path).unwrap());
        assert_eq!((after.seconds, fs_err::read(&path).unwrap().as_slice()), (before.seconds, &b"abc"[..]));
        for nanoseconds in [0, 123, after.nanoseconds] {
            set_modified(&path, FileTime { seconds: 7, nanoseconds }).unwrap();
            unstamp(&path).unwrap();
            let kept = modified(&fs_err::metadata(&path).unwrap());
            assert_eq!(kept, FileTime { seconds: 7, nanoseconds });
        }
    }

    #[test]
    fn an_edit_a_copy_and_a_swap_have_no_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, hex) in [("a", "aa"), ("b", "bb")] {
            fs_err::write(path(name), "abc").unwrap();
            stamp(&path(name), &digest(hex)).unwrap();
        }
        let copy = fs_err::File::create(path("copy")).unwrap();
        fs_err::write(path("copy"), "abc").unwrap();
        copy.file().set_modified(fs_err::metadata(path("a")).unwrap().modified().unwrap()).unwrap();
        assert!(!holds(&path("copy"), &digest("aa")));

        fs_err::rename(path("a"), path("c")).unwrap();
        fs_err::rename(path("b"), path("a")).unwrap();
        assert!(!holds(&path("a"), &digest("aa")));
        assert!(holds(&path("c"), &digest("aa")), "a file may be moved");

        fs_err::write(path("c"), "abd").unwrap();
        assert!(!holds(&path("c"), &digest("aa")));
    }

    #[test]
    fn a_file_that_was_changed_meanwhile_is_not_stamped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, "abc").unwrap();
        let before = fs_err::metadata(&path).unwrap();
        let file = fs_err::File::options().write(true).open(&path).unwrap();
        file.file().set_modified(UNIX_EPOCH + Duration::from_secs(7)).unwrap();
        stamp_unchanged(&path, &digest("aa"), &before).unwrap_err();
        assert!(!holds(&path, &digest("aa")));
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_neither_stamped_nor_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a"), folder.path().join("link"));
        fs_err::write(&file, "abc").unwrap();
        fs_err::os::unix::fs::symlink(&file, &link).unwrap();
        stamp(&link, &digest("aa")).unwrap_err();
        assert!(!holds(&file, &digest("aa")));
    }

    /// The octets are those that the format says; made with Python's hashlib and struct.
    #[cfg(unix)]
    #[test]
    fn a_stamp_can_be_made_by_another_program() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, "abc").unwrap();
        let metadata = fs_err::metadata(&path).unwrap();
        let mut octets = b"dbag stamp 1\n".to_vec();
        octets.extend([0xaa; 32]);
        octets.extend(3_u64.to_le_bytes());
        octets.extend(std::os::unix::fs::MetadataExt::ino(&metadata).to_le_bytes());
        octets.extend(std::os::unix::fs::MetadataExt::mtime(&metadata).to_le_bytes());
        let hash = <sha2::Sha256 as sha2::Digest>::digest(&octets);
        let first = u64::from_le_bytes(hash[..8].try_into().unwrap());
        assert_eq!(u64::from(Stamp::of(&metadata, &digest("aa")).0), first % 10_000_000 * 100);
    }
}
