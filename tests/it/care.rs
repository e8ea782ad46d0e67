//! A workspace looked after: checked, backed up while it is in use, restored, upgraded and taken back.

use std::path::{Path, PathBuf};

use dbag::bag::{NoProgress, Progress};
use dbag::catalog::{Catalog, Clock};
use dbag::open::{BackupOptions, Workspace};

use crate::support::{Fault, Sandbox, fixtures, hex_sha256, shim, tree, with_faults};

fn objects(sandbox: &Sandbox, lab: &str) -> Vec<PathBuf> {
    let root = sandbox.path(lab).join(".dbag/objects");
    tree(&root).into_keys().map(|name| root.join(name)).collect()
}

fn overwrite(path: &Path, bytes: &[u8]) {
    fs_err::remove_file(path).unwrap();
    fs_err::write(path, bytes).unwrap();
}

/// The codes that `fsck` tells, and its exit code.
fn fsck(sandbox: &Sandbox, lab: &str, more: &[&str]) -> (i32, Vec<String>) {
    let arguments: Vec<&str> = ["fsck", "--json"].iter().chain(more).copied().collect();
    let output = sandbox.dbag_in(lab, &arguments);
    let findings = output.json()["findings"].as_array().unwrap().clone();
    (output.code, findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect())
}

#[test]
fn what_is_wrong_with_the_files_is_told() {
    let sandbox = Sandbox::with_digits();
    let report = sandbox.dbag_in("lab", &["fsck", "--deep", "--json"]).expect(0).json();
    assert_eq!((&report["errors"], &report["warnings"]), (&0.into(), &0.into()), "{report}");
    assert_eq!((&report["unnamed"], &report["elsewhere"]), (&0.into(), &0.into()));
    assert!(report["objects"].as_u64().unwrap() > 5 && report["hashed"] == true);
    let text = sandbox.dbag_in("lab", &["fsck"]).expect(0).stdout;
    assert!(text.ends_with("All is right\n"), "{text}");

    let files = objects(&sandbox, "lab");
    let mut damaged = fs_err::read(&files[0]).unwrap();
    damaged[0] ^= 1;
    overwrite(&files[0], &damaged);
    assert_eq!(fsck(&sandbox, "lab", &[]), (0, vec![]));
    assert_eq!(fsck(&sandbox, "lab", &["--deep"]), (1, vec!["E423".into()]));
    overwrite(&files[1], b"short");
    fs_err::remove_file(&files[2]).unwrap();
    let (code, mut codes) = fsck(&sandbox, "lab", &[]);
    codes.sort();
    assert_eq!((code, codes), (1, vec!["E421".to_owned(), "E422".into()]));
    let text = sandbox.dbag_in("lab", &["fsck"]).expect(1).stdout;
    assert!(text.contains("error E421: domain:Image ") && text.contains("2 errors, 0 warnings"), "{text}");
}

#[test]
fn what_is_left_over_is_told_and_removed_once_it_is_old() {
    let sandbox = Sandbox::with_digits();
    let name = hex_sha256(b"nobody's");
    sandbox.write(&format!("lab/.dbag/objects/{}/{name}", &name[..2]), "nobody's");
    let leftovers = [
        sandbox.write("lab/.dbag/objects/tmp/object-x", "half"),
        sandbox.write("lab/.dbag/.dbag-upgrade-x.partial/catalog.sqlite", "half"),
        sandbox.write("lab/.dbag/spool/.new-01X", "half"),
    ];
    let report = sandbox.dbag_in("lab", &["fsck", "--json"]).expect(0).json();
    assert_eq!(
        (&report["unnamed"], &report["unnamed_bytes"], &report["warnings"]),
        (&1.into(), &8.into(), &0.into())
    );
    let touch = |path: &Path| {
        let old = std::time::SystemTime::now() - std::time::Duration::from_hours(25);
        fs_err::File::open(path).unwrap().file().set_modified(old).unwrap();
    };
    leftovers.iter().for_each(|path| touch(path));
    touch(leftovers[1].parent().unwrap());
    assert_eq!(fsck(&sandbox, "lab", &[]), (0, vec!["W430".into(); 3]));
    let report = sandbox.dbag_in("lab", &["fsck", "--repair", "--json"]).expect(0).json();
    assert_eq!((report["mended"].as_array().unwrap().len(), &report["warnings"]), (3, &0.into()));
    assert!(leftovers.iter().all(|path| !path.exists()));
}

#[test]
fn a_backup_made_while_another_writes_is_a_workspace_that_is_right() {
    let sandbox = Sandbox::with_digits();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                number += 1;
                let table = format!("T{number}");
                let csv = sandbox.write(&format!("{table}.csv"), format!("a\n{number}\n"));
                sandbox.dbag_in("lab", &["import", csv.to_str().unwrap(), "--table", &table]).expect(0);
                let folder = sandbox.write(&format!("files{number}/f"), format!("file {number}"));
                let folder = folder.parent().unwrap();
                sandbox
                    .dbag_in("lab", &["import", folder.to_str().unwrap(), "--table", &format!("F{number}")])
                    .expect(0);
            }
        });
        for number in 0..4 {
            let (zip, dir) = (format!("../b{number}.zip"), format!("../lab{number}"));
            let report = sandbox.dbag_in("lab", &["backup", &zip, "--json"]).expect(0).json();
            let restored = sandbox.dbag_in("lab", &["restore", &zip, &dir, "--json"]).expect(0).json();
            assert_eq!(report["objects"], restored["objects"]);
            assert_eq!(restored["missing"], 0);
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    for number in 0..4 {
        assert_eq!(fsck(&sandbox, &format!("lab{number}"), &["--deep"]), (0, vec![]));
    }
    let list = |lab: &str| sandbox.dbag_in(lab, &["dataset", "list", "--json"]).expect(0).stdout;
    assert_eq!(list("lab0"), list("lab"));
    let unzipped = sandbox.path("unzipped");
    let unzip = std::process::Command::new("unzip")
        .arg("-q")
        .arg(sandbox.path("b3.zip"))
        .arg("-d")
        .arg(&unzipped)
        .status();
    if unzip.is_ok_and(|status| status.success()) {
        assert_eq!(tree(&unzipped), tree(&sandbox.path("lab3")));
        sandbox.dbag_in("unzipped", &["export", "digits@1.0.0", "-o", "x.zip"]).expect(0);
    }
}

#[test]
fn a_backup_is_whole_or_not_there() {
    struct Stopped;
    impl Progress for Stopped {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let sandbox = Sandbox::with_digits();
    let before = tree(&sandbox.path("."));
    let workspace = Workspace::open(&sandbox.path("lab"), Clock::System).unwrap();
    let output = sandbox.path("b.zip");
    let options = BackupOptions { output: &output, force: false, catalog_only: false, incomplete: false };
    let error = workspace.backup(&options, &Stopped).unwrap_err();
    assert_eq!(error.to_string(), "interrupted");
    drop(workspace);
    assert_eq!(tree(&sandbox.path(".")).len(), before.len());

    let files = objects(&sandbox, "lab");
    overwrite(&files[0], b"damaged");
    let refused = sandbox.dbag_in("lab", &["backup", "../b.zip"]).expect(1);
    refused.says(&["is damaged: its SHA-256 is", files[0].file_name().unwrap().to_str().unwrap()]);
    assert!(!output.exists() && tree(&sandbox.path(".")).len() == before.len());
    fs_err::remove_file(&files[1]).unwrap();
    let report = sandbox.dbag_in("lab", &["backup", "../b.zip", "--incomplete", "--json"]).expect(1).json();
    assert_eq!(report["left_out"].as_array().unwrap().len(), 2);
    sandbox.dbag_in("lab", &["backup", "../b.zip"]).expect(2).says(&["b.zip exists already"]);
    sandbox.dbag_in("lab", &["backup", "../b.zip", "--force", "--catalog-only"]).expect(0);
    let restored = sandbox.dbag_in("lab", &["restore", "../b.zip", "../new", "--json"]).expect(0).json();
    assert_eq!(
        (&restored["objects"], restored["missing"].as_u64().unwrap()),
        (&0.into(), files.len() as u64)
    );
    assert_eq!(fsck(&sandbox, "new", &[]).0, 1);
    sandbox
        .dbag_in("lab", &["restore", "../b.zip", "../new"])
        .expect(2)
        .says(&["is a dbag workspace already"]);
}

#[test]
fn a_backup_that_is_none_or_damaged_is_refused_and_leaves_nothing() {
    let sandbox = Sandbox::with_digits();
    sandbox.dbag_in("lab", &["backup", "../b.zip"]).expect(0);
    let entries: Vec<(String, Vec<u8>)> = {
        let mut zip = zip::ZipArchive::new(fs_err::File::open(sandbox.path("b.zip")).unwrap()).unwrap();
        (0..zip.len())
            .map(|index| {
                let mut entry = zip.by_index(index).unwrap();
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
                (entry.name().unwrap().into_owned(), bytes)
            })
            .collect()
    };
    let with = |change: &dyn Fn(&mut Vec<(String, Vec<u8>)>)| {
        let mut entries = entries.clone();
        change(&mut entries);
        let mut zip = zip::ZipWriter::new(fs_err::File::create(sandbox.path("bad.zip")).unwrap());
        for (name, bytes) in entries {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut zip, &bytes).unwrap();
        }
        zip.finish().unwrap();
        sandbox.dbag(&["restore", "bad.zip", "new"])
    };
    with(&|_| {}).expect(0);
    fs_err::remove_dir_all(sandbox.path("new")).unwrap();
    let last = entries.len() - 1;
    with(&|entries| entries[last].1.push(b'x'))
        .expect(1)
        .says(&["bad.zip is a damaged backup: .dbag/objects/", "SHA-256"]);
    with(&|entries| entries[last].0.push('x')).expect(1).says(&["in it is no part of a workspace"]);
    for name in ["../evil", ".dbag/../../evil", "/evil", ".dbag/objects/ab/../../x", ".dbag/spool/x.json"] {
        with(&|entries| entries.push((name.into(), b"x".to_vec())))
            .expect(1)
            .says(&["no part of a workspace"]);
    }
    with(&|entries| drop(entries.remove(1))).expect(1).says(&["it is no backup of a workspace"]);
    with(&|entries| entries[0].1 = b"dbag workspace 9\n".to_vec()).expect(3).says(&["newer dbag"]);
    with(&|entries| entries[1].1 = b"no database".to_vec()).expect(1).says(&["is not a dbag catalog"]);
    sandbox.write("bad.zip", "no zip");
    sandbox.dbag(&["restore", "bad.zip", "new"]).expect(1).says(&["bad.zip can't be read as an archive"]);
    sandbox.dbag(&["restore", "nowhere.zip", "new"]).expect(2).says(&["nowhere.zip"]);
    assert!(!sandbox.path("evil").exists() && tree(&sandbox.path("new")).is_empty());
}

/// A workspace as dbag 0.1 left it.
fn old_lab(sandbox: &Sandbox) -> PathBuf {
    let path = sandbox.path("lab/.dbag/catalog.sqlite");
    sandbox.write("lab/.dbag/format", "dbag workspace 1\n");
    fs_err::copy(fixtures().join("format-1/catalog.sqlite"), &path).unwrap();
    for bytes in ["x", "y", "z"] {
        let name = hex_sha256(bytes.as_bytes());
        sandbox.write(&format!("lab/.dbag/objects/{}/{name}", &name[..2]), bytes);
    }
    path
}

#[test]
fn an_older_catalog_is_upgraded_when_asked_and_taken_back_when_asked() {
    let sandbox = Sandbox::new();
    old_lab(&sandbox);
    let before = tree(&sandbox.path("lab"));
    sandbox.dbag_in("lab", &["dataset", "list"]).expect(3).says(&[
        "catalog format 1",
        "`dbag upgrade`",
        "can be undone",
    ]);
    sandbox.dbag_in("lab", &["upgrade", "--undo"]).expect(2).says(&["was not upgraded"]);
    assert_eq!(tree(&sandbox.path("lab")), before);
    for _ in 0..2 {
        let report = sandbox.dbag_in("lab", &["upgrade", "--json"]).expect(0).json();
        assert_eq!((&report["from"], &report["to"]), (&1.into(), &3.into()));
        assert!(report["kept"].as_str().unwrap().ends_with("catalog.sqlite.format-1"));
        let text = sandbox.dbag_in("lab", &["upgrade"]).expect(0).stdout;
        assert_eq!(text, "The catalog is up to date\n");
        assert_eq!(fsck(&sandbox, "lab", &["--deep"]), (0, vec![]));
        let shown = sandbox.dbag_in("lab", &["dataset", "show", "digits", "--json"]).expect(0).json();
        assert_eq!((shown["members"].as_u64(), shown["versions"].as_array().unwrap().len()), (Some(7), 2));
        sandbox.dbag_in("lab", &["export", "digits@1.0.0", "-o", "x.zip", "--force"]).expect(0);
        sandbox.dbag_in("lab", &["upgrade", "--undo"]).expect(0);
        sandbox.dbag_in("lab", &["dataset", "list"]).expect(3);
        fs_err::remove_file(sandbox.path("lab/x.zip")).unwrap();
        assert_eq!(tree(&sandbox.path("lab")).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    }
    sandbox.dbag_in("lab", &["upgrade"]).expect(0);
    sandbox.dbag_in("lab", &["dataset", "create", "more"]).expect(0);
    sandbox.dbag_in("lab", &["upgrade", "--undo"]).expect(2).says(&["has changed since", "--lose-changes"]);
    sandbox.dbag_in("lab", &["upgrade", "--lose-changes"]).expect(2);
    sandbox.dbag_in("lab", &["upgrade", "--undo", "--lose-changes"]).expect(0);
    assert_eq!(fs_err::read_to_string(sandbox.path("lab/.dbag/format")).unwrap(), "dbag workspace 1\n");
}

#[test]
fn an_upgrade_that_is_killed_leaves_the_catalog_whole() {
    let Some(shim) = shim() else { return };
    let sandbox = Sandbox::new();
    let mut formats = Vec::new();
    for bytes in [1, 5_000, 100_000, 190_000, 200_000, 300_000, 500_000, 650_000, 800_000] {
        let path = old_lab(&sandbox);
        let mut command = sandbox.command(&["upgrade", "--workspace", "lab"]);
        with_faults(&mut command, &shim, &[Fault::KilledAfter(bytes), Fault::Only("lab/.dbag".into())]);
        let code = sandbox.run(&mut command).code;
        assert!(code == -1 || code == 0, "{code}");
        let upgraded = Catalog::upgrade(&path).unwrap();
        formats.push(upgraded.is_some());
        let report = Catalog::open(&path, Clock::System).unwrap().check(&NoProgress).unwrap();
        assert_eq!(report.faults, [], "{bytes}");
        Catalog::undo_upgrade(&path, false).unwrap();
        assert_eq!(Catalog::upgrade(&path).unwrap().unwrap().from, 1);
        fs_err::remove_dir_all(sandbox.path("lab/.dbag")).unwrap();
    }
    assert!(formats[0] && formats.iter().filter(|killed| **killed).count() > 3, "{formats:?}");
}
