//! Tables, vocabularies and features kept from the command line.

use serde_json::Value;

use crate::support::{Output, Sandbox};

/// A workspace with images, the vocabulary Diagnosis and the feature Diagnosis of Image.
fn lab() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.dbag(&["init", "lab"]).expect(0);
    sandbox.write("images.csv", "Filename,width\na.png,10\nb.png,20\nc.png,30\n");
    run(&sandbox, &["import", "../images.csv", "--table", "Image", "--key", "Filename"]).expect(0);
    run(&sandbox, &["vocab", "create", "Grade", "-d", "What a grader sees"]).expect(0);
    run(&sandbox, &["vocab", "add", "Grade", "Glaucoma", "-d", "Damaged", "--synonym", "POAG"]).expect(0);
    run(&sandbox, &["vocab", "add", "Grade", "Healthy"]).expect(0);
    let feature = ["feature", "create", "Image", "Diagnosis", "--term", "Grade", "--value", "sure float8"];
    run(&sandbox, &feature).expect(0);
    sandbox
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    sandbox.dbag_in("lab", arguments)
}

fn json(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    run(sandbox, &[&["--json"], arguments].concat()).expect(0).json()
}

/// The first column of a query of the catalog's file.
fn sql(sandbox: &Sandbox, query: &str) -> Vec<String> {
    let file = rusqlite::Connection::open(sandbox.path("lab/.dbag/catalog.sqlite")).unwrap();
    let mut statement = file.prepare(query).unwrap();
    statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Filename and grade of each value that a selector takes.
fn grades(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let rids = sql(sandbox, "SELECT RID FROM \"domain:Image\" ORDER BY Filename");
    let name = |rid: &str| ["a.png", "b.png", "c.png"][rids.iter().position(|other| other == rid).unwrap()];
    let shown = json(sandbox, &[&["feature", "show", "Image", "Diagnosis"], arguments].concat());
    let records = shown["records"].as_array().unwrap();
    let grade = |record: &Value| {
        let name = name(record["target"].as_str().unwrap());
        format!("{name} {}", record["values"]["Grade"].as_str().unwrap())
    };
    records.iter().map(grade).collect()
}

#[test]
fn a_table_is_made_filled_changed_and_dropped() {
    let sandbox = lab();
    let create = [
        "table",
        "create",
        "Subject",
        "--column",
        "code text!",
        "--column",
        "age int4",
        "--key",
        "code",
        "--references",
        "Eye=Grade",
        "-d",
        "People",
    ];
    assert!(run(&sandbox, &create).expect(0).stdout.contains("code text, age int4, Eye text"));
    run(&sandbox, &create).expect(2).says(&["a table Subject already"]);
    let row = json(&sandbox, &["table", "insert", "Subject", "code=P1", "Eye=POAG"]);
    assert_eq!(row["columns"][1]["is"], "Glaucoma");
    let rid = row["rid"].as_str().unwrap();
    let set = run(&sandbox, &["table", "set", rid, "age=61"]).expect(0).stdout;
    assert!(set.contains("age: was nothing, is \"61\""), "{set}");
    run(&sandbox, &["table", "set", rid, "age=old"]).expect(1).says(&["age of Subject", "whole number"]);
    run(&sandbox, &["table", "set", rid]).expect(2);
    run(&sandbox, &["table", "set", "9-ZZZZ", "age=1"]).expect(2).says(&["no row has the RID"]);
    run(&sandbox, &["table", "insert", "Subject", "code=P1"]).expect(1).says(&["the same code"]);
    run(&sandbox, &["table", "add-column", "Subject", "weight float8", "--value", "-1"]).expect(0);
    run(&sandbox, &["table", "add-column", "Subject", "weight int4"]).expect(2).says(&["already"]);
    run(&sandbox, &["table", "add-column", "Subject", "x varchar"]).expect(2);
    run(&sandbox, &["table", "comment", "Subject", "--column", "age", "In years"]).expect(0);
    let shown = run(&sandbox, &["table", "show", "Subject"]).expect(0).stdout;
    for part in ["domain:Subject (table, 1 row): People", "int4  In years", "-> Grade.Name", "key: code"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    run(&sandbox, &["table", "drop-column", "Subject", "weight"]).expect(0);
    let dry = run(&sandbox, &["table", "delete-rows", "Subject", "--where", "age > 60", "--dry-run"]);
    assert!(dry.expect(0).stdout.contains("would delete 1 row; nothing was deleted"));
    run(&sandbox, &["table", "delete-rows", "Subject", "--where", "nope"]).expect(2);
    run(&sandbox, &["table", "delete-rows", "Subject", rid]).expect(0);
    run(&sandbox, &["table", "delete-rows", "Subject", rid]).expect(2).says(&[rid]);
    run(&sandbox, &["table", "drop", "Subject", "--dry-run"]).expect(0);
    run(&sandbox, &["table", "drop", "Subject"]).expect(0);
    run(&sandbox, &["table", "show", "Subject"]).expect(2).says(&["no table \"Subject\"", "Image"]);
    run(&sandbox, &["table", "drop", "Execution"]).expect(2).says(&["deriva-ml schema"]);
}

#[test]
fn tables_are_listed_by_what_they_are() {
    let sandbox = lab();
    let tables = json(&sandbox, &["table", "list"])["tables"].clone();
    let kinds: Vec<(&str, &str)> = tables
        .as_array()
        .unwrap()
        .iter()
        .map(|table| (table["table"].as_str().unwrap(), table["kind"].as_str().unwrap()))
        .collect();
    let expected = [
        ("domain:Execution_Image_Diagnosis", "feature"),
        ("domain:Grade", "vocabulary"),
        ("domain:Image", "table"),
    ];
    assert_eq!(kinds, expected);
    assert!(json(&sandbox, &["table", "list", "--all"])["tables"].as_array().unwrap().len() > 20);
    let shown = json(&sandbox, &["table", "show", "Execution_Image_Diagnosis"]);
    assert_eq!(shown["feature"]["name"], "Diagnosis");
}

#[test]
fn a_vocabulary_is_kept_term_by_term_and_from_a_file() {
    let sandbox = lab();
    run(&sandbox, &["vocab", "add", "Grade", "POAG"]).expect(2).says(&["called \"POAG\" already: Glaucoma"]);
    run(&sandbox, &["vocab", "add", "Grade", " x"]).expect(2).says(&["can't name a term"]);
    run(&sandbox, &["vocab", "create", "Asset_Type"]).expect(2).says(&["keeps for its own"]);
    run(&sandbox, &["vocab", "show", "Image"]).expect(2).says(&["Image is no vocabulary"]);
    let set = run(&sandbox, &["vocab", "set", "Grade", "POAG", "--name", "glaucome", "--synonym", "Glaukom"]);
    assert!(set.expect(0).stdout.contains("is   glaucome (also POAG, Glaukom): Damaged"));
    sandbox
        .write("terms.csv", "Name,Description,Synonyms\nsain,\"\u{e9}tat, normal\",ok|bon\nau\u{df}en,,\n");
    let dry = run(&sandbox, &["vocab", "from-csv", "\u{c9}tat", "../terms.csv", "--dry-run"]).expect(0);
    assert!(dry.stdout.contains("a new vocabulary, 2 new terms; nothing was added"), "{dry:?}");
    run(&sandbox, &["vocab", "from-csv", "\u{c9}tat", "../terms.csv"]).expect(0);
    let again = json(&sandbox, &["vocab", "from-csv", "\u{c9}tat", "../terms.csv"]);
    assert_eq!((&again["added"], &again["unchanged"]), (&Value::from(0), &Value::from(2)));
    sandbox.write("other.csv", "name,synonyms\nnew,\nsain,\"{bon}\"\n");
    let other = ["vocab", "from-csv", "\u{c9}tat", "../other.csv"];
    run(&sandbox, &other).expect(1).says(&["other.csv, line 3", "--update"]);
    let terms = json(&sandbox, &["vocab", "show", "\u{c9}tat"])["terms"].clone();
    assert_eq!(terms.as_array().unwrap().len(), 2, "a file goes in whole or not at all");
    run(&sandbox, &[&other[..], &["--update"]].concat()).expect(0);
    for (name, file, says) in [
        ("no-name.csv", "Term\na\n", "no column \"Name\""),
        ("twice.csv", "Name\na\na\n", "line 3: the same key is on line 2"),
        ("empty.csv", "Name,Description\n,x\n", "line 2"),
    ] {
        sandbox.write(name, file);
        let refused = run(&sandbox, &["vocab", "from-csv", "\u{c9}tat", &format!("../{name}")]);
        assert!(refused.code > 0 && refused.stderr.contains(says), "{refused:?}");
    }
    run(&sandbox, &["vocab", "remove", "Grade", "Healthy"]).expect(0);
    run(&sandbox, &["vocab", "remove", "Grade", "Healthy"]).expect(2).says(&["no term \"Healthy\""]);
    run(&sandbox, &["vocab", "remove", "Execution_Status", "Failed"]).expect(2).says(&["stays"]);
}

#[test]
fn values_of_a_feature_come_from_files_and_a_selector_takes_one() {
    let sandbox = lab();
    sandbox.write("one.csv", "Filename,Grade,sure\na.png,POAG,0.5\nb.png,Healthy,\n");
    let first = json(&sandbox, &["feature", "add", "Image", "Diagnosis", "../one.csv", "--by", "Filename"]);
    assert_eq!(first["added"], 2);
    let first = first["execution"].as_str().unwrap();
    let rid = &sql(&sandbox, "SELECT RID FROM \"domain:Image\" WHERE Filename = 'a.png'")[0];
    run(&sandbox, &["feature", "add", "Image", "Diagnosis", "--rid", rid, "Grade=Healthy"]).expect(0);
    let at = &sql(&sandbox, "SELECT max(RCT) FROM \"deriva-ml:Execution\"")[0];
    sandbox.write("two.csv", format!("Image,Grade\n{rid},Glaucoma\n"));
    run(&sandbox, &["feature", "add", "Image", "Diagnosis", "../two.csv"]).expect(0);
    assert_eq!(grades(&sandbox, &[]).len(), 4);
    assert_eq!(grades(&sandbox, &["--select", "newest"]), ["a.png Glaucoma", "b.png Healthy"]);
    assert_eq!(grades(&sandbox, &["--select", "newest", "--at", at]), ["a.png Healthy", "b.png Healthy"]);
    assert_eq!(grades(&sandbox, &["--select", "majority"]), ["a.png Glaucoma", "b.png Healthy"]);
    assert_eq!(
        grades(&sandbox, &["--select", &format!("execution:{first}")]),
        ["a.png Glaucoma", "b.png Healthy"]
    );
    assert_eq!(grades(&sandbox, &["--select", "workflow:dbag feature add"]).len(), 2);
    let show = ["feature", "show", "Image", "Diagnosis", "--select"];
    run(&sandbox, &[&show[..], &["best"]].concat()).expect(2);
    run(&sandbox, &[&show[..], &["majority:nope"]].concat())
        .expect(2)
        .says(&["no value \"nope\"", "Grade, sure"]);
    run(&sandbox, &[&show[..], &["workflow:nope"]].concat()).expect(2).says(&["no workflow"]);
    let csv =
        run(&sandbox, &["feature", "show", "Image", "Diagnosis", "--select", "first", "--format", "csv"]);
    let csv = csv.expect(0).stdout;
    assert!(csv.starts_with(&format!("Image,Execution,RID,RCT,Grade,sure\n{rid},{first},")), "{csv}");
    assert!(csv.contains(",Glaucoma,0.5\n"), "{csv}");
    let listed = json(&sandbox, &["feature", "list", "Image"])["features"][0].clone();
    assert_eq!(
        (&listed["values"], &listed["targets"], &listed["executions"]),
        (&4.into(), &2.into(), &3.into())
    );
    let remove = ["feature", "remove-values", "Image", "Diagnosis"];
    run(&sandbox, &remove).expect(2).says(&["say which values"]);
    let gone = json(&sandbox, &[&remove[..], &["--execution", first]].concat());
    assert_eq!(gone["deleted"].as_array().unwrap().len(), 2);
    run(&sandbox, &["vocab", "remove", "Grade", "Glaucoma"]).expect(1).says(&["can't go"]);
}

#[test]
fn a_file_of_values_that_is_not_right_changes_nothing_and_says_where() {
    let sandbox = lab();
    sandbox.write("twins.csv", "Filename,width\nd.png,10\n");
    run(&sandbox, &["import", "../twins.csv", "--table", "Image", "--key", "Filename"]).expect(0);
    for (file, by, code, says) in [
        (
            "Filename,Grade\na.png,Fine\n",
            "Filename",
            1,
            &["line 2", "no term \"Fine\"", "Glaucoma, Healthy"][..],
        ),
        (
            "Filename,Grade\na.png,POAG\nz.png,POAG\n",
            "Filename",
            1,
            &["line 3", "no row whose Filename is \"z.png\""],
        ),
        ("width,Grade\n10,POAG\n", "width", 1, &["line 2", "several rows whose width is \"10\""]),
        (
            "Filename,Grade\na.png,POAG\nb.png,POAG\na.png,Healthy\n",
            "Filename",
            1,
            &["line 4", "on line 2 already"],
        ),
        ("Filename,sure\na.png,1\n", "Filename", 1, &["line 2", "no value for Grade"]),
        ("Filename,Grade,sure\na.png,POAG,very\n", "Filename", 1, &["line 2", "is not a number"]),
        ("Filename,Grade\n,POAG\n", "Filename", 1, &["line 2", "\"Filename\" is empty"]),
        ("Filename,Grade,colour\na.png,POAG,red\n", "Filename", 1, &["\"colour\"", "Grade, sure"]),
        ("Filename,Grade\na.png\n", "Filename", 1, &["line 2: 1 fields"]),
        ("Filename,Grade\na.png,POAG\n", "size", 2, &["no column \"size\""]),
        ("size,Grade\na.png,POAG\n", "size", 1, &["line 2", "Image has no column \"size\""]),
        ("Filename,Grade\na.png,POAG\n", "RID", 2, &["no column \"RID\""]),
        ("", "RID", 1, &["no header"]),
    ] {
        sandbox.write("bad.csv", file);
        let add = ["feature", "add", "Image", "Diagnosis", "../bad.csv", "--by", by];
        run(&sandbox, &add).expect(code).says(says);
    }
    assert_eq!(json(&sandbox, &["feature", "list"])["features"][0]["values"], 0);
    run(&sandbox, &["feature", "add", "Image", "Diagnosis", "gone.csv"]).expect(2).says(&["gone.csv"]);
    run(&sandbox, &["feature", "add", "Image", "Nope", "../bad.csv"])
        .expect(2)
        .says(&["no feature \"Nope\"", "Diagnosis"]);
    run(&sandbox, &["feature", "add", "Image", "Diagnosis", "a", "b"]).expect(2).says(&["one CSV file"]);
    sandbox.write("good.csv", "Filename,Grade\na.png,POAG\n");
    let add = ["feature", "add", "Image", "Diagnosis", "../good.csv", "--by", "Filename"];
    run(&sandbox, &[&add[..], &["--execution", "9-ZZZZ"]].concat())
        .expect(1)
        .says(&["Execution has no such row"]);
    let dry = json(&sandbox, &[&add[..], &["--dry-run"]].concat());
    assert_eq!((&dry["added"], &dry["execution"]), (&1.into(), &Value::Null));
    let execution = json(&sandbox, &add)["execution"].clone();
    // The same execution says nothing twice of a row, not even in two commands.
    let twice = run(&sandbox, &[&add[..], &["--execution", execution.as_str().unwrap()]].concat());
    twice.expect(1).says(&["line 2", "the same Execution, Image, Feature_Name"]);
}

#[test]
fn what_was_typed_is_the_change_s_description() {
    let sandbox = lab();
    run(&sandbox, &["--json", "vocab", "add", "Grade", "It's new", "--progress", "none"]).expect(0);
    let typed = &sql(&sandbox, "SELECT command FROM dbag_transaction ORDER BY number DESC LIMIT 1")[0];
    assert_eq!(typed, "dbag vocab add Grade 'It'\\''s new'");
}
