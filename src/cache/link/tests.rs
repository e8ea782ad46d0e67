use super::*;
use crate::bag::Algorithm;
use crate::cache::Stamp;

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

struct Case {
    folder: tempfile::TempDir,
    digest: Digest,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest::parse(Algorithm::Sha256, ABC).unwrap();
        fs_err::write(folder.path().join("from"), "abc").unwrap();
        let case = Self { folder, digest };
        crate::cache::stamp(&case.path("from"), &digest).unwrap();
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn link(&self, mode: LinkMode) -> io::Result<LinkKind> {
        let linker = Linker::new(mode);
        let kind = linker.link(&self.path("from"), &self.path("to"), &self.digest)?;
        linker.finish()?;
        assert_eq!(fs_err::read(self.path("to")).unwrap(), b"abc");
        assert!(Stamp::holds(&fs_err::symlink_metadata(self.path("to")).unwrap(), &self.digest));
        let names = fs_err::read_dir(self.folder.path()).unwrap().count();
        assert_eq!(names, 2, "nothing is left over");
        Ok(kind)
    }
}

#[test]
fn every_way_ends_with_the_bytes_and_a_stamp() {
    let case = Case::new();
    assert_eq!(case.link(LinkMode::Hard).unwrap(), LinkKind::Hard);
    assert_eq!(case.link(LinkMode::Hard).unwrap(), LinkKind::Hard, "it is there already");
    assert_eq!(case.link(LinkMode::Copy).unwrap(), LinkKind::Copy, "a file of its own instead of the link");
    assert_ne!(case.link(LinkMode::Auto).unwrap(), LinkKind::Copy);
}

#[test]
fn a_wrong_file_is_replaced_in_every_way() {
    for mode in [LinkMode::Auto, LinkMode::Hard, LinkMode::Copy] {
        let case = Case::new();
        fs_err::write(case.path("to"), "wrong").unwrap();
        case.link(mode).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_at_the_destination_is_replaced_not_followed() {
    for mode in [LinkMode::Auto, LinkMode::Hard, LinkMode::Copy] {
        let case = Case::new();
        let other = tempfile::NamedTempFile::new().unwrap();
        fs_err::os::unix::fs::symlink(other.path(), case.path("to")).unwrap();
        case.link(mode).unwrap();
        assert_eq!(fs_err::read(other.path()).unwrap(), b"");
    }
}

#[test]
fn the_way_is_remembered_and_counted() {
    let case = Case::new();
    let linker = Linker::new(LinkMode::Auto);
    let first = linker.link(&case.path("from"), &case.path("1"), &case.digest).unwrap();
    let second = linker.link(&case.path("from"), &case.path("2"), &case.digest).unwrap();
    assert_eq!(first, second);
    let LinkCounts { reflink, hard, copy } = linker.counts();
    assert_eq!((reflink + hard, copy), (2, 0));
}

#[test]
fn another_file_system_gets_copies_and_a_forced_link_fails() {
    // A file system in memory, where there is one.
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return };
    let case = Case::new();
    let to = elsewhere.path().join("to");
    let linker = Linker::new(LinkMode::Auto);
    let kind = linker.link(&case.path("from"), &to, &case.digest).unwrap();
    if kind != LinkKind::Copy {
        return; // They are one file system here.
    }
    assert_eq!(linker.rung.load(Ordering::Relaxed), 2);
    let error = Linker::new(LinkMode::Hard).link(&case.path("from"), &to, &case.digest).unwrap_err();
    assert!(error.to_string().contains("can't be put in place by hard"), "{error}");
    Linker::new(LinkMode::Reflink).link(&case.path("from"), &to, &case.digest).unwrap_err();
}

#[test]
fn a_source_that_is_gone_is_said_to_be() {
    let case = Case::new();
    for mode in [LinkMode::Auto, LinkMode::Hard, LinkMode::Copy] {
        let error = Linker::new(mode).link(&case.path("gone"), &case.path("to"), &case.digest).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}

#[test]
fn a_file_changed_before_the_sync_gets_no_stamp() {
    let case = Case::new();
    let linker = Linker::new(LinkMode::Copy);
    linker.link(&case.path("from"), &case.path("to"), &case.digest).unwrap();
    fs_err::write(case.path("to"), "changed").unwrap();
    linker.finish().unwrap();
    assert!(!Stamp::holds(&fs_err::symlink_metadata(case.path("to")).unwrap(), &case.digest));
}

#[test]
fn a_link_that_fails_names_source_and_target_as_they_are() {
    let case = Case::new();
    fs_err::write(case.path("file"), "").unwrap();
    let (from, to) = (case.path("from"), case.path("file/to"));
    let linker = Linker::new(LinkMode::Hard);
    let message = linker.link(&from, &to, &case.digest).unwrap_err().to_string();
    let expected =
        format!("failed to put {} in place by a hard link to {}: Not a dir", to.display(), from.display());
    assert!(message.starts_with(&expected), "{message}");
}
