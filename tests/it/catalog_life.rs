//! A catalog's life: its past read and taken back, writers killed and side by side.

use std::collections::{BTreeMap, hash_map::DefaultHasher};
use std::hash::{Hash, Hasher};
use std::process::Stdio;
use std::time::{Duration, Instant};

use dbag::catalog::{Catalog, CatalogError, Clock, Moment};
use serde_json::json;

use crate::datasets::{lab, names, rows, scans};

#[test]
fn the_past_is_read_at_any_moment_and_the_last_change_is_taken_back() {
    let sandbox = scans();
    let log =
        |limit: &str| lab(&sandbox, &["log", "--json", "--limit", limit]).expect(0).json()["changes"].clone();
    let snapshot = log("1")[0]["snapshot"].as_str().unwrap().to_owned();
    sandbox.write("scans.csv", "scan,site\ns00,E\n");
    lab(&sandbox, &["import", "../scans.csv", "--table", "Scan", "--update"]).expect(0);
    sandbox.write("more.csv", "a\n1\n2\n");
    lab(&sandbox, &["import", "../more.csv", "--table", "More"]).expect(0);
    let site = "SELECT site FROM Scan WHERE scan = 's00'";
    assert_eq!(rows(&sandbox, &["at", "now", site]), json!([["E"]]));
    assert_eq!(rows(&sandbox, &["at", &snapshot, site]), json!([["N"]]));
    let time = log("2")[1]["time"].as_str().unwrap().to_owned();
    assert_eq!(rows(&sandbox, &["at", &time, site]), json!([["E"]]));
    lab(&sandbox, &["at", &time, "SELECT * FROM More"]).expect(2).says(&["no such table: More"]);
    lab(&sandbox, &["at", "1999-12-31", site]).expect(2).says(&["nothing from before 1999-12-31 23:59:59"]);
    lab(&sandbox, &["at", "yesterday!", site]).expect(2);
    lab(&sandbox, &["at", "scans@1.0.0", site]).expect(2).says(&["no version 1.0.0"]);
    for hidden in ["main.\"domain:Scan\"", "main.\"domain:Scan@history\"", "dbag_meta"] {
        lab(&sandbox, &["at", "now", &format!("SELECT count(*) FROM {hidden}")]).expect(2);
        lab(&sandbox, &["at", "now", &format!("SELECT * FROM {hidden}")]).expect(2);
    }
    lab(&sandbox, &["at", "now", "DELETE FROM Scan"]).expect(2).says(&["only reading"]);
    lab(&sandbox, &["query", "nothing", site]).expect(2).says(&["\"nothing\"", "nor a dataset"]);

    let undone = lab(&sandbox, &["undo", "--dry-run", "--json"]).expect(0).json();
    assert!(undone["command"].as_str().unwrap().starts_with("dbag import ../more.csv"), "{undone}");
    assert_eq!(rows(&sandbox, &["at", "now", "SELECT count(*) FROM More"]), json!([[2]]));
    lab(&sandbox, &["undo"]).expect(0);
    lab(&sandbox, &["at", "now", "SELECT * FROM More"]).expect(2);
    lab(&sandbox, &["undo"]).expect(0);
    assert_eq!(rows(&sandbox, &["at", "now", site]), json!([["N"]]));
    let changes = log("10");
    assert_eq!(
        (&changes[0]["undoes"], &changes[3]["undone_by"]),
        (&changes[3]["number"], &changes[0]["number"])
    );
    assert_eq!(rows(&sandbox, &["at", &time, site]), json!([["E"]]));
    lab(&sandbox, &["release", "scans", "--minor", "-m", "x"]).expect(0);
    lab(&sandbox, &["undo"]).expect(2).says(&["scans@0.1.0", "for ever"]);
    assert_eq!(rows(&sandbox, &["at", "scans@0.1.0", site]), json!([["N"]]));
}

#[test]
fn a_catalog_of_a_newer_dbag_is_refused_by_every_command() {
    let sandbox = scans();
    let connection = rusqlite::Connection::open(sandbox.path("lab/.dbag/catalog.sqlite")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    for arguments in [&["log"][..], &["undo"], &["at", "now", "SELECT 1"], &["dataset", "types", "scans"]] {
        lab(&sandbox, arguments).expect(3).says(&["newer dbag", "99"]);
    }
}

/// Everything that a catalog holds at a moment, in one number; and rows by table.
fn held(catalog: &Catalog, moment: &Moment) -> (u64, BTreeMap<String, u64>) {
    let mut hasher = DefaultHasher::new();
    let mut counts = BTreeMap::new();
    let (_, tables) = catalog.whole_at(moment).unwrap();
    for selection in &tables {
        let mut count = 0;
        catalog
            .for_each_selected(selection, |row| {
                count += 1;
                format!("{row:?}").hash(&mut hasher);
                Ok::<_, CatalogError>(())
            })
            .unwrap();
        counts.insert(selection.table.table_name.clone(), count);
        (&selection.table.table_name, count).hash(&mut hasher);
    }
    (hasher.finish(), counts)
}

/// A generator of numbers that looks random enough to kill by.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

#[test]
fn what_was_committed_outlives_a_kill_at_any_moment() {
    const ROWS: u64 = 400;
    let sandbox = scans();
    let path = sandbox.path("lab/.dbag/catalog.sqlite");
    let open = || Catalog::open(&path, Clock::System).unwrap();
    let mut before = held(&open(), &Moment::Now);
    let mut past: BTreeMap<String, u64> = BTreeMap::new();
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let (mut killed, mut ended) = (0, 0);
    let mut longest = Duration::from_millis(30);
    for round in 0..48_u64 {
        let table = format!("T{round}");
        let file = format!("{round}.csv");
        let rows: String = (0..ROWS).map(|row| format!("{row},text of {row} in {round}\n")).collect();
        sandbox.write(&file, format!("n,text\n{rows}"));
        let file = format!("../{file}");
        let name = format!("d{round}");
        let command: Vec<&str> = match round % 4 {
            0 => vec!["import", &file, "--table", &table],
            1 => vec!["dataset", "create", &name, "--type", "Labeled"],
            2 => vec!["dataset", "split", "scans", "--part", "a=0.5", "--part", "b=rest", "--as", &name],
            _ => vec!["dataset", "subsample", "scans", "50", "--as", &name],
        };
        let mut child = sandbox.command(&command);
        child.current_dir(sandbox.path("lab")).stdout(Stdio::null()).stderr(Stdio::null());
        let began = Instant::now();
        let mut child = child.spawn().unwrap();
        // Every eighth is left to end, so that what it takes is known.
        if round % 8 < 4 && round % 4 == round / 8 % 4 {
            assert!(child.wait().unwrap().success(), "{command:?}");
            longest = began.elapsed();
        } else {
            std::thread::sleep(longest.mul_f64(dice.below(1000) as f64 / 800.0));
            // An error says that it had ended.
            let _ = child.kill();
        }
        let done = child.wait().unwrap().success();
        let catalog = open();
        let now = held(&catalog, &Moment::Now);
        if now.0 == before.0 {
            assert!(!done, "{command:?} had ended well and left nothing");
            killed += 1;
        } else {
            ended += 1;
            let more = |table: &str| {
                now.1.get(table).copied().unwrap_or(0) - before.1.get(table).copied().unwrap_or(0)
            };
            let grown = [
                more(&table),
                more("Dataset"),
                more("Dataset_Dataset"),
                more("Dataset_Scan"),
                more("Execution"),
            ];
            let expected = [[ROWS, 0, 0, 0, 1], [0, 1, 0, 0, 1], [0, 3, 2, 90, 1], [0, 1, 0, 50, 1]];
            assert_eq!(grown, expected[usize::try_from(round % 4).unwrap()], "{command:?}");
            let snapshot = catalog.transactions(1).unwrap().remove(0).snapshot;
            past.insert(snapshot.to_string(), now.0);
            before = now;
        }
    }
    assert!(killed > 5 && ended > 5, "{killed} killed, {ended} ended");
    let catalog = open();
    for (snapshot, hash) in &past {
        assert_eq!(held(&catalog, &snapshot.parse().unwrap()).0, *hash, "{snapshot}");
    }
    lab(&sandbox, &["dataset", "list"]).expect(0);
}

#[test]
fn of_two_writers_one_waits_and_neither_loses() {
    let sandbox = scans();
    lab(&sandbox, &["dataset", "create", "both"]).expect(0);
    let began_at =
        lab(&sandbox, &["log", "--limit", "1", "--json"]).expect(0).json()["changes"][0]["number"].clone();
    let writer = |who: usize| {
        let sandbox = &sandbox;
        move || {
            for round in 0..8 {
                let file =
                    sandbox.write(&format!("{who}-{round}.csv"), format!("who,round\n{who},{round}\n"));
                lab(sandbox, &["import", file.to_str().unwrap(), "--table", "Shared"]).expect(0);
                let rows = format!("who = {who} AND round = {round}");
                let add = ["dataset", "add", "both", "--table", "Shared", "--where", &rows, "--json"];
                assert_eq!(lab(sandbox, &add).expect(0).json()["added"], 1);
            }
        }
    };
    std::thread::scope(|scope| {
        for who in 0..2 {
            scope.spawn(writer(who));
        }
    });
    let members = "SELECT count(*), count(DISTINCT who || ' ' || round) FROM Shared";
    assert_eq!(rows(&sandbox, &["query", "both", members]), json!([[16, 16]]));
    let log = lab(&sandbox, &["log", "--limit", "100", "--json"]).expect(0).json();
    let since = log["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["number"].as_i64() > began_at.as_i64());
    assert_eq!(since.count(), 32);
}

#[test]
fn a_writer_waits_for_the_one_that_is_at_work() {
    let sandbox = scans();
    let mut catalog = Catalog::open(&sandbox.path("lab/.dbag/catalog.sqlite"), Clock::System).unwrap();
    let mut child = None;
    let work = |change: &mut dbag::catalog::Change<'_>| -> Result<(), CatalogError> {
        change.create_dataset(&"first".parse().unwrap(), "")?;
        let mut command = sandbox.command(&["dataset", "create", "second"]);
        command.current_dir(sandbox.path("lab")).stdout(Stdio::null());
        let mut waiting = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(700));
        assert!(waiting.try_wait().unwrap().is_none(), "it did not wait");
        // What is not committed is seen by no one.
        assert_eq!(names(&sandbox, &[]), ["scans"]);
        child = Some(waiting);
        Ok(())
    };
    catalog.change("dbag test", work).unwrap();
    assert!(child.unwrap().wait().unwrap().success());
    assert_eq!(names(&sandbox, &[]), ["first", "scans", "second"]);
}
