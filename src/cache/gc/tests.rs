use super::*;
use crate::bag::NoProgress;
use crate::cache::tests::{Case, add, digests};
use crate::cache::{KnownBag, KnownState, Object, ObjectStore};

const DAY: Duration = Duration::from_hours(24);

impl Case {
    /// An object that is used after those before it.
    fn add_later(&self, contents: &[u8]) -> Object {
        std::thread::sleep(Duration::from_millis(10));
        self.add(contents)
    }

    /// Collects as if it were later.
    fn gc_after(&self, later: Duration, options: GcOptions) -> GcReport {
        let options = GcOptions { now: SystemTime::now() + later, ..options };
        self.cache.gc(&options, &NoProgress).unwrap()
    }
}

fn max(size: u64) -> GcOptions {
    GcOptions { max_size: Some(size), ..GcOptions::default() }
}

fn older(age: Duration) -> GcOptions {
    GcOptions { older_than: Some(age), ..GcOptions::default() }
}

#[test]
fn the_least_recently_used_go_first_until_the_rest_fits() {
    let case = Case::new();
    let [a, b, c] = [b"aaa", b"bbb", b"ccc"].map(|contents| case.add_later(contents));
    // Reading does not say so by itself everywhere; finding does.
    super::super::times::set_accessed_now(&a.path).unwrap();
    let report = case.gc_after(DAY, max(6));
    assert_eq!((report.objects, report.bytes, report.removed, report.left_bytes()), (3, 9, 1, 6));
    assert_eq!([&a, &b, &c].map(|object| object.path.exists()), [true, false, true]);
    assert_eq!(case.gc_after(DAY, max(6)).removed, 0);
    assert_eq!(case.gc_after(DAY, max(0)).removed, 2);
}

#[test]
fn an_object_s_name_by_md5_goes_with_it() {
    let case = Case::new();
    case.add_later(b"aaa");
    let keep = case.add_later(b"bbb");
    case.gc_after(DAY, max(3));
    let mut names = 0;
    walk(&case.cache.root().join(MD5), &mut |_, _| {
        names += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(names, 1);
    let [md5, _] = digests(b"bbb");
    assert_eq!(case.cache.find(&[md5], None).unwrap(), Some(keep));
}

#[test]
fn what_was_used_within_two_hours_stays_whatever_is_asked() {
    let case = Case::new();
    let object = case.add_later(b"aaa");
    let options = GcOptions { max_size: Some(0), older_than: Some(Duration::ZERO), ..GcOptions::default() };
    assert_eq!(case.gc_after(Duration::from_mins(119), options).removed, 0);
    // A clock that is behind makes nothing old.
    assert_eq!(
        case.cache.gc(&GcOptions { now: SystemTime::UNIX_EPOCH, ..options }, &NoProgress).unwrap().removed,
        0
    );
    assert!(object.path.exists());
    assert_eq!(case.gc_after(Duration::from_mins(121), options).removed, 1);
}

#[test]
fn age_alone_removes_only_what_is_older() {
    let case = Case::new();
    case.add_later(b"aaa");
    assert_eq!(case.gc_after(29 * DAY, older(30 * DAY)).removed, 0);
    assert_eq!(case.gc_after(31 * DAY, older(30 * DAY)).removed, 1);
}

#[test]
fn a_dry_run_says_the_same_and_removes_nothing() {
    let case = Case::new();
    let object = case.add_later(b"aaa");
    let dry = case.gc_after(DAY, GcOptions { dry_run: true, ..max(0) });
    assert!(object.path.exists());
    assert_eq!(case.gc_after(DAY, max(0)), dry);
    assert!(!object.path.exists());
}

#[test]
fn pinned_and_leased_objects_stay() {
    let case = Case::new();
    let [a, b, c] = [b"aaa", b"bbb", b"ccc"].map(|contents| case.add_later(contents));
    let pin = |contents: &[u8], which: usize| std::iter::once(digests(contents)[which]);
    case.cache.pin(None, Path::new("/data/bag"), pin(b"aaa", 1)).unwrap();
    let lease = case.cache.lease(pin(b"bbb", 0)).unwrap();
    // A lease lives 15 minutes: it is made to beat in that future.
    let later = SystemTime::now() + DAY;
    let file = finished_files(&case.cache.root().join(LEASES)).unwrap().remove(0);
    fs_err::File::options().write(true).open(file).unwrap().file().set_modified(later).unwrap();
    let report = case.gc_after(DAY, max(0));
    assert_eq!((report.removed, report.kept, report.kept_bytes), (1, 2, 6));
    assert_eq!([&a, &b, &c].map(|object| object.path.exists()), [true, true, false]);

    lease.beat().unwrap();
    assert_eq!(case.gc_after(DAY, max(0)).removed, 1, "a lease that does not beat is not live");
    case.cache.unpin("/data/bag").unwrap();
    assert_eq!(case.gc_after(DAY, max(0)).removed, 1);
}

#[test]
fn a_pin_that_can_t_be_read_stops_everything() {
    let case = Case::new();
    let object = case.add_later(b"aaa");
    fs_err::create_dir(case.cache.root().join(PINS)).unwrap();
    fs_err::write(case.cache.root().join("pins-1/x.txt"), "nonsense\n").unwrap();
    let options = GcOptions { now: SystemTime::now() + DAY, ..max(0) };
    let error = case.cache.gc(&options, &NoProgress).unwrap_err().to_string();
    assert!(error.contains("x.txt") && error.contains("nonsense"), "{error}");
    assert!(object.path.exists());
}

#[test]
fn a_find_saves_an_object_from_a_collection_that_has_begun() {
    let case = Case::new();
    let object = case.add_later(b"aaa");
    let mut entry = case.cache.entries(&NoProgress).unwrap().remove(0);
    entry.used -= Duration::from_hours(3);
    assert!(!case.cache.remove(&entry).unwrap());
    assert!(object.path.exists());
}

#[test]
fn nothing_outside_the_cache_s_own_folders_is_touched() {
    let case = Case::new();
    let root = case.cache.root();
    // A workspace whose objects are hard links to the cache's, a folder beside, and strangers inside.
    let workspace = ObjectStore::at(&case.folder.path().join("lab/.dbag/objects"));
    let object = case.add_later(b"aaa");
    let own = workspace.path(&object.sha256);
    fs_err::create_dir_all(own.parent().unwrap()).unwrap();
    fs_err::hard_link(&object.path, &own).unwrap();
    fs_err::write(root.join("objects-1/README"), "mine").unwrap();
    fs_err::write(object.path.with_file_name("notes"), "mine").unwrap();
    fs_err::create_dir(root.join("other")).unwrap();
    fs_err::write(root.join("other/file"), "mine").unwrap();
    #[cfg(unix)]
    {
        fs_err::create_dir(root.join(WORK).join("claim")).unwrap();
        let elsewhere = case.folder.path().join("lab");
        fs_err::os::unix::fs::symlink(&elsewhere, root.join(WORK).join("link")).unwrap();
        fs_err::os::unix::fs::symlink(&elsewhere, root.join("objects-1/00")).unwrap();
    }
    let report = case.gc_after(365 * DAY, GcOptions { older_than: Some(DAY), ..max(0) });
    assert_eq!(report.removed, 1);
    assert_eq!(fs_err::read(own).unwrap(), b"aaa");
    for stranger in ["objects-1/README", "other/file", "format"] {
        assert!(root.join(stranger).exists(), "{stranger}");
    }
    assert!(object.path.with_file_name("notes").exists());
}

#[test]
fn what_is_left_over_goes_when_it_is_old() {
    let case = Case::new();
    let root = case.cache.root();
    let work = case.cache.work_folder().unwrap();
    fs_err::create_dir(work.join("claims")).unwrap();
    fs_err::write(work.join("claims/a"), "12345").unwrap();
    fs_err::create_dir(root.join(ASIDE)).unwrap();
    fs_err::write(root.join(ASIDE).join("x.1"), "1").unwrap();
    fs_err::create_dir(root.join(".new-folder")).unwrap();
    std::mem::forget(case.cache.lease(std::iter::empty()).unwrap());
    let bag = KnownBag {
        path: case.folder.path().join("gone"),
        name: None,
        version: None,
        bag_digest: None,
        files: 0,
        bytes: 0,
        state: KnownState::Whole,
        seen: 0,
    };
    case.cache.remember_bag(&bag).unwrap();
    let report = case.gc_after(DAY / 2, GcOptions::default());
    assert_eq!((report.leftovers, report.bags), (0, 1));
    let report = case.gc_after(2 * DAY, GcOptions::default());
    assert_eq!((report.leftovers, report.leftover_bytes), (2, 5));
    assert_eq!(case.gc_after(8 * DAY, GcOptions::default()).leftovers, 1);
    assert_eq!(fs_err::read_dir(work).unwrap().count(), 0);
    assert!(!root.join(".new-folder").exists());
}

#[test]
fn collections_and_finds_at_once_never_hand_out_wrong_bytes() {
    let case = Case::new();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    // Late enough for the objects, too early for what is under way.
                    case.gc_after(Duration::from_hours(3), max(0));
                }
            });
        }
        let finders: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for round in 0..200_u32 {
                        let contents = (round % 7).to_le_bytes();
                        let [md5, sha256] = digests(&contents);
                        add(&case.cache, &contents);
                        for listed in [md5, sha256] {
                            let Some(found) = case.cache.find(&[listed], Some(4)).unwrap() else { continue };
                            match fs_err::read(found.path) {
                                Ok(bytes) => assert_eq!(bytes, contents),
                                Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
                            }
                        }
                    }
                })
            })
            .collect();
        let ended: Vec<_> = finders.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok), "a finder failed");
    });
    assert!(!case.cache.root().join(ASIDE).exists(), "nothing was held for damaged");
}

#[test]
fn a_pin_whose_list_is_gone_stops_everything_and_can_be_ended() {
    let case = Case::new();
    let object = case.add_later(b"aaa");
    case.cache.pin(None, Path::new("/data/bag"), digests(b"aaa").into_iter().take(1)).unwrap();
    let list = digest_lists(&case.cache.root().join(PINS)).unwrap().remove(0);
    fs_err::remove_file(&list).unwrap();
    let options = GcOptions { now: SystemTime::now() + DAY, ..max(0) };
    let error = case.cache.gc(&options, &NoProgress).unwrap_err();
    assert!(matches!(&error, CacheError::BadPin { .. }) && error.to_string().contains(".txt"), "{error}");
    assert!(object.path.exists());
    case.cache.unpin("/data/bag").unwrap();
    assert_eq!(case.cache.gc(&options, &NoProgress).unwrap().removed, 1);
}
