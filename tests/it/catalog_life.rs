//! A workspace's life: datasets typed, nested, split, deleted; the past read and undone; writers killed and side by side.

use std::collections::{BTreeMap, hash_map::DefaultHasher};
use std::hash::{Hash, Hasher};
use std::process::Stdio;
use std::time::{Duration, Instant};

use dbag::catalog::{Catalog, CatalogError, Clock, Moment};
use serde_json::{Value, json};

use crate::support::{Output, Sandbox};

/// 90 scans of 18 subjects of two sites, in the dataset `scans`.
fn scans() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.dbag(&["init", "lab"]).expect(0);
    let mut csv = String::from("scan,subject,site,\"Ålder (år).1\"\n");
    for scan in 0..90 {
        let subject = scan / 5;
        let age = if scan < 3 { String::new() } else { format!("{}", 40 + subject % 3) };
        csv.push_str(&format!("s{scan:02},p{subject},{},{age}\n", ["N", "S", "S"][subject % 3]));
    }
    sandbox.write("scans.csv", csv);
    lab(&sandbox, &["import", "../scans.csv", "--table", "Scan", "--key", "scan"]).expect(0);
    lab(&sandbox, &["dataset", "create", "scans", "-d", "All scans", "--type", "Complete"]).expect(0);
    lab(&sandbox, &["dataset", "add", "scans", "--table", "Scan"]).expect(0);
    sandbox
}

fn lab(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    sandbox.dbag_in("lab", arguments)
}

/// The answer's rows.
fn rows(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    lab(sandbox, &[arguments, &["--json"]].concat()).expect(0).json()["rows"].clone()
}

fn names(sandbox: &Sandbox, more: &[&str]) -> Vec<String> {
    let list = lab(sandbox, &[&["dataset", "list", "--json"], more].concat()).expect(0).json();
    let all = list["datasets"].as_array().unwrap();
    all.iter().map(|dataset| dataset["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn members_come_and_go_and_versions_keep_theirs() {
    let sandbox = scans();
    lab(&sandbox, &["release", "scans", "--minor", "-m", "all"]).expect(0);
    let members = |which: &str| {
        let csv = lab(&sandbox, &["dataset", "members", which, "--format", "csv"]).expect(0).stdout;
        assert!(csv.starts_with("dataset,table,RID\n"), "{csv}");
        csv.lines().count() - 1
    };
    let north = ["dataset", "remove", "scans", "--table", "Scan", "--where", "site = 'N'", "--json"];
    assert_eq!(lab(&sandbox, &north).expect(0).json(), json!({"name": "scans", "removed": 30, "absent": 0}));
    assert_eq!(lab(&sandbox, &north).expect(0).json(), json!({"name": "scans", "removed": 0, "absent": 30}));
    assert_eq!((members("scans"), members("scans@0.1.0")), (60, 90));
    let count = ["SELECT count(*) FROM Scan"];
    assert_eq!(rows(&sandbox, &[&["query", "scans"], &count[..]].concat()), json!([[60]]));
    assert_eq!(rows(&sandbox, &[&["query", "scans@0.1.0"], &count[..]].concat()), json!([[90]]));
    assert_eq!(rows(&sandbox, &[&["at", "now"], &count[..]].concat()), json!([[90]]));
    let show = lab(&sandbox, &["dataset", "show", "scans", "--json"]).expect(0).json();
    assert_eq!(show["drift"]["removed"], 30);
    lab(&sandbox, &["dataset", "remove", "scans"]).expect(2).says(&["say which rows"]);
    lab(&sandbox, &["dataset", "remove", "scans", "NOPE-0001"]).expect(2).says(&["NOPE-0001"]);
    lab(&sandbox, &["dataset", "members", "scans@9.0.0"]).expect(2).says(&["versions: 0.1.0"]);
    lab(&sandbox, &["dataset", "members", "scans", "--table", "T"]).expect(2).says(&["\"T\"", "Scan"]);
}

#[test]
fn datasets_are_typed_nested_deleted_and_restored() {
    let sandbox = scans();
    lab(&sandbox, &["dataset", "create", "x", "--type", "Complet"])
        .expect(2)
        .says(&["\"Complet\"", "Complete, Directory, File"]);
    assert_eq!(names(&sandbox, &[]), ["scans"]);
    let types = ["dataset", "types", "scans", "--add", "Labeled", "--remove", "Complete", "--json"];
    assert_eq!(lab(&sandbox, &types).expect(0).json()["types"], json!(["Labeled"]));
    for name in ["study", "étude-β"] {
        lab(&sandbox, &["dataset", "create", name]).expect(0);
    }
    lab(&sandbox, &["dataset", "nest", "study", "scans", "étude-β"]).expect(0);
    lab(&sandbox, &["dataset", "nest", "scans", "study"]).expect(2).says(&["scans > study > scans"]);
    let rid = lab(&sandbox, &["dataset", "show", "scans", "--json"]).expect(0).json()["rid"].clone();
    let rid = rid.as_str().unwrap();
    lab(&sandbox, &["dataset", "delete", rid]).expect(2).says(&["scans can't go", "nested in study"]);
    let members = lab(&sandbox, &["dataset", "members", "study", "--recurse", "--json"]).expect(0).json();
    assert_eq!(members["members"].as_array().unwrap().len(), 90);
    assert_eq!(members["members"][0]["dataset"], "scans");
    // A dataset of nothing but others is released, and sees what changes in them.
    lab(&sandbox, &["release", "scans", "--minor", "-m", "all"]).expect(0);
    let release = lab(&sandbox, &["release", "study", "--minor", "-m", "both", "--json"]).expect(0).json();
    assert_eq!(release["nested"][0]["version"], "0.1.0");
    lab(&sandbox, &["release", "study", "--minor", "-m", "again"])
        .expect(2)
        .says(&["nothing in dataset study"]);
    lab(&sandbox, &["dataset", "describe", "étude-β", "Deux"]).expect(0);
    lab(&sandbox, &["release", "study", "--patch", "-m", "described"]).expect(0);
    lab(&sandbox, &["dataset", "delete", "study", "--recurse"]).expect(0);
    assert_eq!(names(&sandbox, &[]), [""; 0]);
    assert_eq!(names(&sandbox, &["--all"]), ["scans", "study", "étude-β"]);
    lab(&sandbox, &["dataset", "create", "study"]).expect(2).says(&["study is deleted", "restore"]);
    lab(&sandbox, &["release", "scans", "--minor", "-m", "x"]).expect(2).says(&["scans is deleted"]);
    assert_eq!(rows(&sandbox, &["query", "scans@0.1.0", "SELECT count(*) FROM Scan"]), json!([[90]]));
    lab(&sandbox, &["dataset", "restore", "study", "--recurse"]).expect(0);
    lab(&sandbox, &["dataset", "unnest", "study", "scans"]).expect(0);
    assert_eq!(names(&sandbox, &[]), ["scans", "study", "étude-β"]);
    lab(&sandbox, &["dataset", "rename", "scans", "images"]).expect(2).says(&["scans@0.1.0", "--released"]);
    lab(&sandbox, &["dataset", "rename", "scans", "images", "--released"]).expect(0);
    lab(&sandbox, &["export", "images@0.1.0", "-o", "images.zip"]).expect(0);
    lab(&sandbox, &["dataset", "rename", "étude-β", "a b"]).expect(2);
}

#[test]
fn a_split_is_the_same_in_every_copy_and_no_subject_spans_two_parts() {
    let sandbox = scans();
    let mut copy = std::process::Command::new("cp");
    sandbox.run(copy.args(["-r", "lab", "elsewhere"]).current_dir(sandbox.path("."))).expect(0);
    let split =
        ["dataset", "split", "scans", "--part", "train=0.6", "--part", "val=0.2", "--part", "test=0.2"];
    let drawn = ["--group", "subject", "--stratify", "site", "--seed", "11", "--json"];
    let split = [&split[..], &drawn[..]].concat();
    let dry = lab(&sandbox, &[&split[..], &["--dry-run"]].concat()).expect(0).json();
    assert_eq!(names(&sandbox, &[]), ["scans"]);
    let here = lab(&sandbox, &split).expect(0).json();
    let there = sandbox.dbag_in("elsewhere", &split).expect(0).json();
    let shape = |report: &Value| [report["parts"].clone(), report["strata"].clone()];
    assert_eq!(shape(&here), shape(&there));
    assert_eq!(shape(&here), shape(&dry));
    let types: Vec<&Value> = here["parts"].as_array().unwrap().iter().map(|part| &part["types"][0]).collect();
    assert_eq!(types, ["Training", "Validation", "Testing"]);
    let members: Vec<i64> =
        here["parts"].as_array().unwrap().iter().map(|part| part["members"].as_i64().unwrap()).collect();
    // Subjects have five scans each, so that 54, 18 and 18 can't be had.
    assert_eq!(members.iter().sum::<i64>(), 90);
    assert!(here["deviation"].as_u64().unwrap() <= 3, "{members:?}");
    for folder in ["lab", "elsewhere"] {
        let sql = "SELECT count(*), count(DISTINCT subject || '/' || d.Dataset), count(DISTINCT subject) FROM Scan s \
                   JOIN Dataset_Scan d ON d.Scan = s.RID JOIN Dataset_Dataset n ON n.Nested_Dataset = d.Dataset";
        let counts = sandbox.dbag_in(folder, &["at", "now", sql, "--json"]).expect(0).json();
        assert_eq!(counts["rows"], json!([[90, 18, 18]]));
    }
    let both = |which: &str| {
        let members = ["dataset", "members", which, "--format", "csv"];
        (lab(&sandbox, &members).expect(0).stdout, sandbox.dbag_in("elsewhere", &members).expect(0).stdout)
    };
    for part in ["scans-train", "scans-val", "scans-test"] {
        let (here, there) = both(part);
        assert_eq!(here, there);
    }
    lab(&sandbox, &split).expect(2).says(&["scans-split exists already"]);
    let show = lab(&sandbox, &["dataset", "show", "scans-split", "--json"]).expect(0).json();
    assert!(show["description"].as_str().unwrap().contains("\"seed\":11"));
    let execution = "SELECT e.Description FROM Execution e JOIN Dataset_Execution x ON x.Execution = e.RID";
    let command = rows(&sandbox, &["at", "now", execution]);
    assert_eq!(
        command[0][0],
        "dbag dataset split scans --part train=0.6 --part val=0.2 --part test=0.2 --stratify site --group subject \
         --missing error --seed 11 --method ranked"
    );
}

#[test]
fn splits_and_samples_refuse_what_cannot_be() {
    let sandbox = scans();
    let refused = |arguments: &[&str], code: i32, parts: &[&str]| {
        let before = names(&sandbox, &["--all"]);
        lab(&sandbox, &[&["dataset"], arguments].concat()).expect(code).says(parts);
        assert_eq!(names(&sandbox, &["--all"]), before);
    };
    let age = "Ålder (år).1";
    let halves = ["split", "scans", "--part", "train=0.5", "--part", "test=0.5"];
    let with = |more: &[&'static str]| [&halves[..], more].concat();
    refused(&with(&["--stratify", age]), 1, &["3 members have no value"]);
    refused(&with(&["--stratify", "sex"]), 2, &["\"sex\"", "site"]);
    refused(&with(&["--group", "feature:Quality"]), 2, &["\"Quality\"", "no features"]);
    refused(&with(&["--part", "more=0.1"]), 2, &["1.1"]);
    refused(&with(&["--group", "subject", "--method", "deriva-ml"]), 2, &["deriva-ml"]);
    refused(&["split", "scans", "--part", "a=200"], 1, &["200", "90"]);
    refused(&["split", "nothing", "--part", "a=1"], 2, &["\"nothing\"", "datasets: scans"]);
    refused(&["subsample", "scans", "0"], 2, &["size is 0"]);
    for bad in ["a", "a=", "a=-1", "a=1e-3", "a=nan", "a=inf"] {
        lab(&sandbox, &["dataset", "split", "scans", "--part", bad]).expect(2);
    }
    lab(&sandbox, &with_dataset(&halves, &["--stratify", age, "--missing", "drop"])).expect(0);
    let sample = ["dataset", "subsample", "scans", "0.1", "--group", "subject", "--json"];
    let sample = lab(&sandbox, &sample).expect(0).json();
    assert_eq!(sample["made"]["types"], json!(["Subsample"]));
    assert_eq!(sample["parts"][0]["name"], "scans-sample");
    lab(
        &sandbox,
        &[
            "dataset",
            "split",
            "scans",
            "--part",
            "train=72",
            "--part",
            "test=18",
            "--as",
            "ml",
            "--method",
            "deriva-ml",
        ],
    )
    .expect(0);
    assert_eq!(lab(&sandbox, &["dataset", "members", "ml-test"]).expect(0).stdout.lines().count(), 18);
}

fn with_dataset<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&["dataset"], arguments, more].concat()
}

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
