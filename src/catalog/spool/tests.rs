use super::*;
use crate::catalog::CreateOptions;
use crate::model::{ColumnType, Table};

fn catalog(folder: &Path) -> Catalog {
    let mut catalog = Catalog::create(&folder.join("catalog.sqlite"), &CreateOptions::default()).unwrap();
    catalog
        .change("dbag table create", |change| {
            let mut table = Table::new("domain", "Score", "");
            table.column_definitions.push(Column::new("subject", ColumnType::new("text")).required());
            table.column_definitions.push(Column::new("score", ColumnType::new("float8")));
            table.column_definitions.push(Column::new("good", ColumnType::new("boolean")));
            table.column_definitions.push(Column::new("tags", ColumnType::new("text[]")));
            change.put_table(table)
        })
        .unwrap();
    catalog
}

fn row(table: &str, values: Json) -> SpooledRow {
    let Json::Object(values) = values else { panic!("{values}") };
    SpooledRow { table: table.into(), values }
}

fn spooled(user: &str, values: Json) -> Spooled {
    Spooled { user: user.into(), ..Spooled::now("train.py --fold 3", vec![row("Score", values)]) }
}

#[test]
fn rows_are_folded_in_by_the_next_change_and_say_who_made_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = catalog(folder.path());
    let program =
        Program { name: "train.py".into(), version: "2".into(), url: None, checksum: Some("ab".into()) };
    let first = Spooled {
        program,
        host: "node7".into(),
        time: "2026-01-02 03:04:05+00".into(),
        ..spooled(
            "ana",
            serde_json::json!({"subject": "s1", "score": 0.25, "good": true, "tags": ["a b", null]}),
        )
    };
    first.write(folder.path()).unwrap();
    spooled("ben", serde_json::json!({"subject": "s2", "score": "1e3", "good": null}))
        .write(folder.path())
        .unwrap();
    assert_eq!(catalog.transactions(9).unwrap().len(), 2);
    // A change of nothing folds all the same.
    catalog.change("dbag x", |_| Ok::<_, CatalogError>(())).unwrap();
    let changes = catalog.transactions(9).unwrap();
    assert_eq!(changes.len(), 4);
    let mut actors: Vec<&str> = changes[..2].iter().map(|change| change.actor.as_str()).collect();
    actors.sort_unstable();
    assert_eq!(actors, ["ana", "ben"]);
    assert!(changes[..2].iter().all(|change| change.command == "train.py --fold 3"));
    let read = |sql: &str| -> String { catalog.connection.query_row(sql, (), |row| row.get(0)).unwrap() };
    let sql = "SELECT concat_ws('|', RCB, RCT, subject, score, good, tags) FROM \"domain:Score\" WHERE subject = 's1'";
    assert_eq!(read(sql), "ana|2026-01-02 03:04:05+00|s1|0.25|1|{\"a b\",NULL}");
    let sql = "SELECT e.Status_Detail || ' ' || w.Name || ' ' || w.Checksum FROM \"deriva-ml:Execution\" e \
               JOIN \"deriva-ml:Workflow\" w ON w.RID = e.Workflow WHERE e.RCB = 'ana'";
    assert_eq!(read(sql), "ana@node7 train.py ab");
    assert!(spooled_names(&folder.path().join(FOLDER)).unwrap().is_empty());
    assert_eq!(catalog.agent(), &Agent::default());
}

#[test]
fn a_file_that_a_crash_left_behind_is_not_folded_in_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = catalog(folder.path());
    let path = spooled("ana", serde_json::json!({"subject": "s1"})).write(folder.path()).unwrap();
    let text = fs_err::read(&path).unwrap();
    assert_eq!(catalog.fold().unwrap(), FoldReport { files: 1, rows: 1, bad: Vec::new() });
    fs_err::write(&path, text).unwrap();
    assert_eq!(catalog.fold().unwrap(), FoldReport::default());
    assert!(!path.exists());
    assert_eq!(catalog.count(&catalog.table("Score").unwrap()).unwrap(), 1);
}

#[test]
fn what_can_t_be_folded_in_is_put_aside_with_the_reason_and_the_rest_goes_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = catalog(folder.path());
    let spool = folder.path().join(FOLDER);
    fs_err::create_dir(&spool).unwrap();
    let whole = serde_json::json!({"subject": "s"});
    let text = |change: &dyn Fn(&mut Json)| {
        let form = Form { dbag: FORM.into(), spooled: spooled("ana", whole.clone()) };
        let mut json = serde_json::to_value(form).unwrap();
        change(&mut json);
        json.to_string()
    };
    let cases = [
        ("{ half", "it is no spooled file".to_owned()),
        ("[]", "it is no spooled file".into()),
        (&text(&|json| json["dbag"] = "spool 9".into()), "its form is \"spool 9\"".into()),
        (&text(&|json| json["rows"] = Json::Array(Vec::new())), "it has no rows".into()),
        (&text(&|json| json["time"] = "noon".into()), "its time is \"noon\"".into()),
        (&text(&|json| json["rows"][0]["table"] = "Scores".into()), "there is no table \"Scores\"".into()),
        (
            &text(&|json| json["rows"][0]["values"] = serde_json::json!({"score": 1})),
            "no value for subject".into(),
        ),
        (&text(&|json| json["rows"][0]["values"]["RID"] = "1".into()), "has no column \"RID\"".into()),
        (
            &text(&|json| json["rows"][0]["values"]["score"] = "high".into()),
            "score: \"high\" is not a number".into(),
        ),
    ];
    for (number, (text, _)) in cases.iter().enumerate() {
        fs_err::write(spool.join(format!("{number}.json")), text).unwrap();
    }
    fs_err::write(spool.join(".new-x"), "half").unwrap();
    spooled("ana", whole.clone()).write(folder.path()).unwrap();
    let report = catalog.fold().unwrap();
    assert_eq!((report.files, report.rows, report.bad.len()), (1, 1, cases.len()));
    for (number, (text, reason)) in cases.iter().enumerate() {
        let name = format!("{number}.json");
        let (_, found) = report.bad.iter().find(|(bad, _)| *bad == name).unwrap();
        assert!(found.contains(reason.as_str()), "{found:?} {reason:?}");
        assert_eq!(fs_err::read_to_string(spool.join(BAD).join(&name)).unwrap(), *text);
        assert!(spool.join(BAD).join(format!("{name}.why")).is_file());
    }
    assert_eq!(catalog.fold().unwrap(), FoldReport::default());
}

#[test]
fn names_sort_by_time() {
    let (one, other) = (ulid(1_795_547_916_454).unwrap(), ulid(1_795_547_916_455).unwrap());
    assert!(one < other && one.len() == 26 && one.starts_with("01"), "{one} {other}");
}
