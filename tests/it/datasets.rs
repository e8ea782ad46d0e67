//! `dbag dataset`: members, types, nesting, deletion, splits and samples.

use serde_json::{Value, json};

use crate::support::{Output, Sandbox};

/// 90 scans of 18 subjects of two sites, in the dataset `scans`.
pub fn scans() -> Sandbox {
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

pub fn lab(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    sandbox.dbag_in("lab", arguments)
}

/// The answer's rows.
pub fn rows(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    lab(sandbox, &[arguments, &["--json"]].concat()).expect(0).json()["rows"].clone()
}

pub fn names(sandbox: &Sandbox, more: &[&str]) -> Vec<String> {
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
    // A dataset of nothing but others is released after them, and sees what changes in them.
    let one = ["dataset", "add", "étude-β", "--table", "Scan", "--where", "scan = 's00'"];
    lab(&sandbox, &one).expect(0);
    lab(&sandbox, &["release", "étude-β", "--minor", "-m", "one"]).expect(0);
    lab(&sandbox, &["release", "scans", "--minor", "-m", "all"]).expect(0);
    let release = lab(&sandbox, &["release", "study", "--minor", "-m", "both", "--json"]).expect(0).json();
    assert_eq!(release["nested"][0]["version"], "0.1.0");
    lab(&sandbox, &["release", "study", "--minor", "-m", "again"])
        .expect(2)
        .says(&["nothing in dataset study"]);
    lab(&sandbox, &["dataset", "describe", "étude-β", "Deux"]).expect(0);
    lab(&sandbox, &["release", "study", "--patch", "-m", "described", "--with-nested"]).expect(0);
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
