use std::io::Write;
use std::time::UNIX_EPOCH;

use super::*;
use crate::cache::tests::{Case, add, digests};

fn damage(object: &Object, contents: &[u8]) {
    fs_err::remove_file(&object.path).unwrap();
    fs_err::write(&object.path, contents).unwrap();
}

fn holds(object: &Object) -> bool {
    Stamp::holds(&fs_err::symlink_metadata(&object.path).unwrap(), &object.sha256)
}

#[test]
fn nothing_is_made_before_it_is_needed() {
    let case = Case::new();
    assert_eq!(case.cache.find(&digests(b"abc"), None).unwrap(), None);
    assert!(!case.cache.root().exists());
}

#[test]
fn an_object_is_found_by_either_digest() {
    let case = Case::new();
    let object = case.add(b"abc");
    assert!(holds(&object));
    let [md5, sha256] = digests(b"abc");
    for listed in [&[md5][..], &[sha256], &[md5, sha256]] {
        assert_eq!(case.cache.find(listed, Some(3)).unwrap().as_ref(), Some(&object));
        assert_eq!(case.cache.find(listed, None).unwrap().as_ref(), Some(&object));
        assert_eq!(case.cache.find(listed, Some(4)).unwrap(), None);
    }
    assert_eq!(case.cache.find(&[], None).unwrap(), None);
    assert!(object.path.exists(), "a wrong length asked for is not the object's fault");
}

#[cfg(unix)]
#[test]
fn objects_are_read_only_and_nothing_is_left_over() {
    use std::os::unix::fs::PermissionsExt;
    let case = Case::new();
    let object = case.add(b"abc");
    case.add(b"abc");
    assert_eq!(fs_err::metadata(&object.path).unwrap().permissions().mode() & 0o777, 0o444);
    assert_eq!(fs_err::read_dir(case.cache.work_folder().unwrap()).unwrap().count(), 0);
}

#[test]
fn an_object_that_is_right_but_not_stamped_is_hashed_and_stamped() {
    let case = Case::new();
    let object = add(&case.cache, b"abc");
    assert!(!holds(&object));
    assert!(case.cache.find(&digests(b"abc"), Some(3)).unwrap().is_some());
    assert!(holds(&object));
}

#[test]
fn a_damaged_object_is_put_aside_and_not_found() {
    for contents in [&b"abd"[..], b"ab", b""] {
        let case = Case::new();
        let object = case.add(b"abc");
        damage(&object, contents);
        assert_eq!(case.cache.find(&digests(b"abc"), Some(3)).unwrap(), None);
        assert!(!object.path.exists());
        let aside = case.cache.root().join(format!("aside-1/{}.1", object.sha256));
        assert_eq!(fs_err::read(aside).unwrap(), contents);

        case.add(b"abc");
        assert!(case.cache.find(&digests(b"abc"), Some(3)).unwrap().is_some());
    }
}

#[test]
fn an_object_edited_in_place_through_a_hard_link_is_found_out() {
    let case = Case::new();
    let object = case.add(b"abc");
    let link = case.folder.path().join("link");
    fs_err::hard_link(&object.path, &link).unwrap();
    let mut permissions = fs_err::metadata(&link).unwrap().permissions();
    #[allow(clippy::permissions_set_readonly_false)]
    permissions.set_readonly(false);
    fs_err::set_permissions(&link, permissions).unwrap();
    let mut file = fs_err::File::options().write(true).open(&link).unwrap();
    file.write_all(b"abd").unwrap();
    assert_eq!(case.cache.find(&digests(b"abc"), Some(3)).unwrap(), None);
}

#[test]
fn a_listed_digest_that_contradicts_the_sha256_finds_nothing_and_harms_nothing() {
    let case = Case::new();
    let object = add(&case.cache, b"abc");
    let listed = [digests(b"other")[0], digests(b"abc")[1]];
    assert_eq!(case.cache.find(&listed, None).unwrap(), None);
    assert!(object.path.exists());
}

#[cfg(unix)]
#[test]
fn an_object_that_is_a_symbolic_link_is_put_aside() {
    let case = Case::new();
    let object = case.add(b"abc");
    fs_err::remove_file(&object.path).unwrap();
    let elsewhere = case.folder.path().join("elsewhere");
    fs_err::write(&elsewhere, "abc").unwrap();
    fs_err::os::unix::fs::symlink(&elsewhere, &object.path).unwrap();
    assert_eq!(case.cache.find(&digests(b"abc"), None).unwrap(), None);
    assert!(fs_err::symlink_metadata(&object.path).is_err());
}

#[test]
fn two_that_add_the_same_object_both_succeed() {
    let case = Case::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let cache = Cache::open(case.cache.root()).unwrap();
                for round in 0..20_u32 {
                    let contents = round.to_le_bytes();
                    let object = add(&cache, &contents);
                    assert_eq!(fs_err::read(&object.path).unwrap(), contents);
                    let found = cache.find(&digests(&contents), Some(4)).unwrap().unwrap();
                    assert_eq!(fs_err::read(found.path).unwrap(), contents);
                    cache.stamp_batch(&[object]).unwrap();
                    assert!(cache.find(&[digests(&contents)[0]], None).unwrap().is_some());
                }
            });
        }
    });
    assert_eq!(fs_err::read_dir(case.cache.work_folder().unwrap()).unwrap().count(), 0);
    let aside = fs_err::read_dir(case.cache.root().join("aside-1"));
    assert_eq!(aside.map_or(0, Iterator::count), 0, "nothing was held for damaged");
}

#[test]
fn a_use_is_noted_once_an_hour() {
    let case = Case::new();
    let object = case.add(b"abc");
    let accessed = || fs_err::metadata(&object.path).unwrap().accessed().unwrap();
    freshen(&object.path, UNIX_EPOCH);
    let noted = accessed();
    assert!(noted.elapsed().unwrap() < Duration::from_mins(1));
    freshen(&object.path, SystemTime::now() - Duration::from_mins(50));
    assert_eq!(accessed(), noted);
    assert!(holds(&object), "noting a use leaves the stamp");
}

#[test]
fn a_newer_format_and_another_kind_of_folder_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let format = folder.path().join("format");
    for (text, part) in [
        ("dbag cache 2\n", "newer dbag (dbag cache 2; this one knows dbag cache 1)"),
        ("dbag workspace 1\n", "is not a dbag cache"),
        ("", "is not a dbag cache"),
    ] {
        fs_err::write(&format, text).unwrap();
        let error = Cache::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains(folder.path().to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_lease_is_there_until_it_is_dropped() {
    let case = Case::new();
    let lease = case.cache.lease(digests(b"abc").into_iter()).unwrap();
    lease.beat().unwrap();
    let folder = case.cache.root().join("leases-1");
    let file = fs_err::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let text = fs_err::read_to_string(file).unwrap();
    assert!(text.starts_with("md5:900150983cd24fb0d6963f7d28e17f72\nsha256:ba7816bf"), "{text}");
    drop(lease);
    assert_eq!(fs_err::read_dir(&folder).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn folders_of_a_shared_cache_are_the_groups() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o7777;
    for (root, expected) in [(0o2775, 0o2775), (0o755, 0o755)] {
        let path = folder.path().join(format!("{root:o}"));
        fs_err::create_dir(&path).unwrap();
        fs_err::set_permissions(&path, PermissionsExt::from_mode(root)).unwrap();
        let cache = Cache::open(&path).unwrap();
        let object = add(&cache, b"abc");
        let below = object.path.parent().unwrap();
        assert_eq!(mode(below) & 0o2070, expected & 0o2070, "{:o}", mode(below));
        assert_eq!(mode(&path), root, "what is not ours stays");
        assert!(
            fs_err::read_dir(&path).unwrap().all(|entry| !entry
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with(".new-"))
        );
    }
}
