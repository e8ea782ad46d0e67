//! The published deriva-ml opens a bag that dbag cut, and finds in it what dbag does.

use serde_json::Value;

use crate::support::{Sandbox, python};

/// Two subjects with three images, one in a nested dataset; a feature of two of them; all released, the bytes elsewhere.
fn lab() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.dbag(&["init", "lab"]).expect(0);
    let dbag = |words: &[&str]| sandbox.dbag_in("lab", words).expect(0);
    sandbox.write("subjects.csv", "name,age,\"C/D ratio (μm)\"\nann,41,0.5\n\"ben, jr\",,\n");
    dbag(&["import", "../subjects.csv", "--table", "Subject", "--key", "name"]);
    for (name, subject) in [("i1", "ann"), ("i2", "\"ben, jr\""), ("i3", "\"ben, jr\"")] {
        sandbox.write(&format!("images/{name}.png"), name);
        sandbox.write(&format!("{name}.line"), format!("{name}.png,{subject}\n"));
    }
    let lines =
        ["i1", "i2", "i3"].map(|name| fs_err::read_to_string(sandbox.path(&format!("{name}.line"))).unwrap());
    sandbox.write("meta.csv", format!("Path,Subject\n{}", lines.concat()));
    let metadata = ["--metadata", "../meta.csv", "--references", "Subject=Subject"];
    dbag(&[&["import", "../images", "--table", "Image"], &metadata[..]].concat());
    dbag(&["vocab", "create", "Quality"]);
    dbag(&["vocab", "add", "Quality", "good"]);
    dbag(&["feature", "create", "Image", "Grade", "--term", "Quality", "--value", "Score float8"]);
    sandbox.write("grades.csv", "Filename,Quality,Score\ni1.png,good,0.25\ni2.png,good,\n");
    dbag(&["feature", "add", "Image", "Grade", "../grades.csv", "--by", "Filename"]);
    dbag(&["dataset", "create", "inner", "-d", "Within", "--type", "Training"]);
    dbag(&["dataset", "add", "inner", "--table", "Image", "--where", "Filename = 'i3.png'"]);
    dbag(&["dataset", "create", "outer", "-d", "All of it"]);
    dbag(&["dataset", "add", "outer", "--table", "Image", "--where", "Filename <> 'i3.png'"]);
    dbag(&["dataset", "add", "outer", "--table", "Subject"]);
    dbag(&["dataset", "nest", "outer", "inner"]);
    dbag(&["release", "outer", "--major", "-m", "the first", "--with-nested"]);
    dbag(&["export", "outer@1.0.0", "--base-url", "https://data.example.org/x", "-o", "../outer.zip"]);
    sandbox
}

/// The rows of a query over a bag, as objects of texts; NULL and the empty text are the same to deriva-ml.
fn ask(sandbox: &Sandbox, sql: &str) -> Vec<Value> {
    let answer = sandbox.dbag(&["query", "outer.zip", sql, "--json"]).expect(0).json();
    let columns: Vec<String> = answer["columns"].as_array().unwrap().iter().map(text).collect();
    let row = |row: &Value| {
        let cells = columns.iter().cloned().zip(row.as_array().unwrap().iter().map(|cell| text(cell).into()));
        Value::Object(cells.collect())
    };
    let mut rows: Vec<Value> = answer["rows"].as_array().unwrap().iter().map(row).collect();
    rows.sort_by_key(ToString::to_string);
    rows
}

fn text(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// deriva-ml's rows in the same form.
fn rows(found: &Value) -> Vec<Value> {
    let row = |row: &Value| {
        let cells = row.as_object().unwrap().iter();
        Value::Object(cells.map(|(name, cell)| (name.clone(), text(cell).into())).collect())
    };
    let mut rows: Vec<Value> = found.as_array().unwrap().iter().map(row).collect();
    rows.sort_by_key(ToString::to_string);
    rows
}

fn same(sandbox: &Sandbox, found: &Value, columns: &str, rest: &str) {
    let names: Vec<&str> = columns.split(',').collect();
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let expected = ask(sandbox, &format!("SELECT {} FROM {rest}", quoted.join(", ")));
    let mut only: Vec<Value> = rows(found)
        .into_iter()
        .map(|row| {
            let cells = row.as_object().unwrap().clone().into_iter();
            let mut kept: Vec<(String, Value)> =
                cells.filter(|(name, _)| names.contains(&name.as_str())).collect();
            kept.sort_by_key(|(name, _)| names.iter().position(|other| other == name));
            Value::Object(kept.into_iter().collect())
        })
        .collect();
    only.sort_by_key(ToString::to_string);
    assert!(!expected.is_empty());
    assert_eq!(only, expected, "{rest}");
}

#[test]
fn the_published_deriva_ml_finds_the_same_members_tables_and_features() {
    let has_it =
        python().args(["-c", "import deriva_ml"]).output().is_ok_and(|output| output.status.success());
    if !has_it {
        return eprintln!("skipped: this Python has no deriva-ml");
    }
    let sandbox = lab();
    let bag = zip::ZipArchive::new(fs_err::File::open(sandbox.path("outer.zip")).unwrap());
    bag.unwrap().extract(sandbox.path("open")).unwrap();
    let folder = fs_err::read_dir(sandbox.path("open")).unwrap().next().unwrap().unwrap().path();
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/open_with_deriva_ml.py");
    let snapshot = ask(&sandbox, "SELECT Snapshot FROM Dataset_Version LIMIT 1")[0]["Snapshot"].clone();
    let mut command = python();
    command.arg(script).arg(&folder).arg(sandbox.path("work")).args([
        "1.0.0",
        &text(&snapshot),
        "Image:Grade",
    ]);
    let output = command.env("HOME", sandbox.path("home")).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["version"], "1.0.0");
    let subjects = "RID,name,age,C/D ratio (μm)";
    let images = "RID,URL,Length,MD5,SHA256,Subject";
    let of = |table: &str, dataset: &str| {
        format!(
            "{table} WHERE RID IN (SELECT {table} FROM Dataset_{table} WHERE Dataset = '{}')",
            dataset.trim_matches('"')
        )
    };
    let outer = found["rid"].to_string();
    same(&sandbox, &found["members"]["Subject"], subjects, &of("Subject", &outer));
    same(&sandbox, &found["members"]["Image"], images, &of("Image", &outer));
    let inner = found["children"][0].to_string();
    assert_eq!(found["children"].as_array().unwrap().len(), 1);
    // Among the members it lists the dataset itself for those nested in it: it joins by the first of the two references.
    assert_eq!(found["within"][0]["version"], "1.0.0");
    same(&sandbox, &found["within"][0]["members"]["Image"], images, &of("Image", &inner));
    same(&sandbox, &found["tables"]["Subject"], subjects, "Subject");
    same(&sandbox, &found["tables"]["Image"], images, "Image");
    same(&sandbox, &found["features"]["Image:Grade"], "RID,Image,Quality,Score", "Execution_Image_Grade");
    // A file is found by the path of its URL, where it will be once it is fetched.
    let first = &found["tables"]["Image"][0];
    let place = format!("data/asset/{}/Image/", text(&first["RID"]));
    assert!(text(&first["Filename"]).contains(&place), "{first}");
}
