//! Processes that write to one catalog: at once, killed, on a full disk, in a folder that may only be read; and the spool.

use dbag::bag::NoProgress;
use dbag::catalog::{Catalog, Clock, TransactionSummary};

use crate::support::{Fault, Sandbox, shim, with_faults};

fn catalog(sandbox: &Sandbox) -> Catalog {
    Catalog::open(&sandbox.path("lab/.dbag/catalog.sqlite"), Clock::System).unwrap()
}

fn changes(sandbox: &Sandbox) -> Vec<TransactionSummary> {
    catalog(sandbox).transactions(1000).unwrap()
}

fn assert_right(sandbox: &Sandbox) {
    assert_eq!(catalog(sandbox).check(&NoProgress).unwrap().faults, []);
}

/// A workspace with the table `Score` of one row.
fn lab() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.dbag(&["init", "lab"]).expect(0);
    sandbox.write("score.csv", "subject,score\ns0,0.5\n");
    sandbox
        .dbag_in("lab", &["import", "../score.csv", "--table", "Score", "--type", "score=float8"])
        .expect(0);
    sandbox
}

#[test]
fn killed_in_the_middle_of_any_write_the_catalog_has_all_that_was_committed() {
    let Some(shim) = shim() else { return };
    for journal in ["wal", "rollback"] {
        let sandbox = lab();
        let rows: String = (0..3000).map(|row| format!("s{row},{row}\n")).collect();
        sandbox.write("more.csv", format!("subject,score\n{rows}"));
        let mut killed = 0;
        for bytes in [1, 40, 5_000, 33_000, 100_000, 250_000, 400_000, 700_000, 1_000_000] {
            let before = changes(&sandbox);
            let table = format!("T{bytes}");
            let mut command =
                sandbox.command(&["import", "more.csv", "--table", &table, "--workspace", "lab"]);
            command.env("DBAG_CATALOG_JOURNAL", journal);
            with_faults(
                &mut command,
                &shim,
                &[Fault::KilledAfter(bytes), Fault::Only("catalog.sqlite".into())],
            );
            let code = sandbox.run(&mut command).code;
            killed += i32::from(code == -1);
            let after = changes(&sandbox);
            assert!(code == -1 || code == 0 && after.len() == before.len() + 1, "{code}");
            // Either wholly there or not at all.
            let there = after.len() - before.len();
            assert!(there <= 1 && after[there..] == before[..], "{after:?}");
            assert_eq!(catalog(&sandbox).table(&table).is_ok(), there == 1);
            assert_right(&sandbox);
            sandbox.dbag_in("lab", &["import", "../more.csv", "--table", &table]).expect(0);
        }
        assert!(killed > 4, "{killed}");
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_is_half_written() {
    let Some(shim) = shim() else { return };
    for (journal, bytes) in [("wal", 10_000), ("rollback", 1), ("rollback", 10_000), ("wal", 0)] {
        let sandbox = lab();
        let before = changes(&sandbox);
        let mut command = sandbox.command(&["dataset", "create", "x", "--workspace", "lab"]);
        command.env("DBAG_CATALOG_JOURNAL", journal);
        with_faults(&mut command, &shim, &[Fault::FullAfter(bytes), Fault::Only("catalog.sqlite".into())]);
        let output = sandbox.run(&mut command).expect(3);
        assert!(output.stderr.contains("disk is full"), "{journal} {bytes} {output:?}");
        assert_eq!(changes(&sandbox), before);
        assert_right(&sandbox);
        sandbox.dbag_in("lab", &["dataset", "create", "x"]).expect(0);
    }
}

#[test]
fn a_folder_that_may_only_be_read_is_read_and_not_written() {
    let Some(shim) = shim() else { return };
    for journal in ["wal", "rollback"] {
        let sandbox = lab();
        let mut command = sandbox.command(&["dataset", "create", "first", "--workspace", "lab"]);
        sandbox.run(command.env("DBAG_CATALOG_JOURNAL", journal)).expect(0);
        let run = |arguments: &[&str]| {
            let mut command = sandbox.command(arguments);
            command.current_dir(sandbox.path("lab")).env("DBAG_CATALOG_JOURNAL", journal);
            sandbox.run(with_faults(&mut command, &shim, &[Fault::ReadOnly("/.dbag/".into())]))
        };
        let list = run(&["dataset", "list"]).expect(0);
        assert!(list.stdout.contains("first"), "{list:?}");
        run(&["fsck"]).expect(0);
        let refused = run(&["dataset", "create", "x"]).expect(3);
        refused.says(&["catalog.sqlite can't be written", "read"]);
        run(&["backup", "b.zip"]).expect(0);
        run(&["spool", "Score", "subject=x"]).expect(3);
        run(&["fold"]).expect(0);
        assert_eq!(changes(&sandbox).len(), 3);
    }
}

#[test]
fn a_catalog_of_a_newer_dbag_is_refused_by_name() {
    let sandbox = lab();
    drop(catalog(&sandbox));
    let path = sandbox.path("lab/.dbag/catalog.sqlite");
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs_err::write(&path, &bytes).unwrap();
    for command in
        [&["dataset", "list"][..], &["fsck"], &["upgrade"], &["upgrade", "--undo"], &["backup", "x.zip"]]
    {
        let output = sandbox.dbag_in("lab", command);
        if command != ["upgrade", "--undo"] {
            output.expect(3).says(&["newer dbag", "format 99"]);
        }
    }
    assert_eq!(fs_err::read(&path).unwrap(), bytes);
}

#[test]
fn several_that_write_at_once_take_turns_and_none_loses() {
    for journal in ["wal", "rollback"] {
        let sandbox = lab();
        std::thread::scope(|scope| {
            for number in 0..6 {
                let sandbox = &sandbox;
                scope.spawn(move || {
                    for round in 0..3 {
                        let name = format!("d{number}-{round}");
                        let mut command =
                            sandbox.command(&["dataset", "create", &name, "--workspace", "lab"]);
                        sandbox.run(command.env("DBAG_CATALOG_JOURNAL", journal)).expect(0);
                    }
                });
            }
        });
        assert_eq!(changes(&sandbox).len(), 20);
        assert_right(&sandbox);
        assert!(!sandbox.path("lab/.dbag/writer").exists());
    }
}

#[test]
fn a_log_that_a_killed_process_left_is_taken_in() {
    let sandbox = lab();
    // What is committed lies in the log as long as someone has the catalog open.
    let open = catalog(&sandbox);
    sandbox.dbag_in("lab", &["dataset", "create", "x"]).expect(0);
    let folder = sandbox.path("copy/.dbag");
    fs_err::create_dir_all(&folder).unwrap();
    for entry in fs_err::read_dir(sandbox.path("lab/.dbag")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() && !entry.file_name().to_string_lossy().ends_with("-shm") {
            fs_err::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
    }
    assert!(folder.join("catalog.sqlite-wal").metadata().unwrap().len() > 0);
    if let Some(shim) = shim() {
        let mut command = sandbox.command(&["dataset", "list", "--workspace", "copy"]);
        let output = sandbox.run(with_faults(&mut command, &shim, &[Fault::ReadOnly("/.dbag/".into())]));
        output.expect(3).says(&["catalog.sqlite-wal beside it has changes", "read-only"]);
    }
    let list = sandbox.dbag_in("copy", &["dataset", "list"]).expect(0).stdout;
    assert!(list.contains('x'), "{list}");
    assert!(!folder.join("catalog.sqlite-wal").exists());
    drop(open);
}

#[test]
fn sixty_four_tasks_spool_at_once_and_each_row_is_there_once() {
    let sandbox = lab();
    let before = changes(&sandbox).len();
    std::thread::scope(|scope| {
        for task in 0..64 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let (subject, score) = (format!("subject=t{task}"), format!("score={task}.5"));
                let mut command =
                    sandbox.command(&["spool", "Score", &subject, &score, "--workspace", "lab"]);
                sandbox.run(command.env("USER", format!("user{task}"))).expect(0);
                if task % 16 == 0 {
                    // Several fold at once, while others still spool.
                    sandbox.dbag_in("lab", &["fold"]).expect(0);
                }
            });
        }
    });
    sandbox.dbag_in("lab", &["dataset", "create", "x"]).expect(0);
    let changes = changes(&sandbox);
    assert_eq!(changes.len(), before + 65);
    let executions: std::collections::HashSet<_> =
        changes[1..65].iter().map(|change| change.execution.clone().unwrap()).collect();
    assert_eq!(executions.len(), 64);
    let catalog = catalog(&sandbox);
    assert_eq!(catalog.count(&catalog.table("Score").unwrap()).unwrap(), 65);
    assert_eq!(fs_err::read_dir(sandbox.path("lab/.dbag/spool")).unwrap().count(), 0);
    drop(catalog);
    assert_right(&sandbox);
}

#[test]
fn what_was_spooled_wrong_is_put_aside_and_told() {
    let sandbox = lab();
    sandbox.dbag_in("lab", &["spool", "Score", "subject=a", "score=high"]).expect(0);
    sandbox.dbag_in("lab", &["spool", "Nothing", "a=b"]).expect(0);
    sandbox.dbag_in("lab", &["spool", "Score", "subject=b", "score="]).expect(0);
    sandbox.dbag_in("lab", &["spool", "Score", "subject=b", "subject=c"]).expect(2).says(&["given twice"]);
    sandbox.dbag_in("lab", &["spool", "Score", "subject"]).expect(2);
    sandbox.dbag(&["spool", "Score", "subject=b"]).expect(2).says(&["no dbag workspace"]);
    let fsck = |code| sandbox.dbag_in("lab", &["fsck", "--json"]).expect(code).json();
    assert_eq!(fsck(0)["spooled"], 3);
    let output = sandbox.dbag_in("lab", &["fold", "--json"]).expect(1);
    let report = output.json();
    assert_eq!((&report["files"], &report["rows"]), (&1.into(), &1.into()));
    assert!(output.stderr.contains("\"high\" is not a number"), "{output:?}");
    let report = fsck(0);
    assert_eq!((&report["spooled"], &report["warnings"]), (&0.into(), &2.into()));
    assert_eq!(report["findings"][0]["code"], "W431");
    sandbox.dbag_in("lab", &["fold"]).expect(0);
}
