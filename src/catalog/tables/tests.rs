use super::*;
use crate::catalog::{CreateOptions, FeatureWriter, NewFeature, TermChange, TermOutcome, TermWriter};
use crate::model::{Column, RidPrefix};
use crate::tabular::Value;

struct Lab {
    _folder: tempfile::TempDir,
    catalog: Catalog,
}

impl Lab {
    /// A catalog with the vocabulary Side: Left with the synonym OS, and Right.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = CreateOptions { rid_prefix: RidPrefix::parse("1TST"), ..CreateOptions::default() };
        let catalog = Catalog::create(&folder.path().join("catalog.sqlite"), &options).unwrap();
        let mut lab = Self { _folder: folder, catalog };
        lab.change(|change| {
            let sides = change.put_vocabulary("domain", "Side", "")?;
            change.insert_term(&sides, "Left", "", &["OS".into()])?;
            change.insert_term(&sides, "Right", "", &[])
        })
        .unwrap();
        lab
    }

    fn change<T>(
        &mut self,
        f: impl FnOnce(&mut Change<'_>) -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        self.catalog.change("dbag test", f)
    }

    /// The table Subject with a key, a number and a reference to Side, and a row P1.
    fn with_subject() -> (Self, String) {
        let mut lab = Self::new();
        let columns: [Column; 2] = ["code text".parse().unwrap(), "age int2".parse().unwrap()];
        let references: [NewReference; 1] = ["Side=Side".parse().unwrap()];
        let new = NewTable {
            name: "Subject",
            columns: &columns,
            keys: &["code".into()],
            references: &references,
            ..NewTable::default()
        };
        let row = lab
            .change(|change| {
                change.create_table("domain", &new)?;
                change.insert_row("Subject", &texts(&["code=P1", "Side=OS"]))
            })
            .unwrap();
        assert_eq!(row.columns[1].is, Value::Text("Left".into()));
        (lab, row.rid)
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_table_has_the_columns_keys_and_references_that_were_asked_for() {
    let (lab, _) = Lab::with_subject();
    let details = lab.catalog.table_details("Subject").unwrap();
    let table = &details.summary.table;
    assert_eq!((details.summary.kind.as_str(), details.summary.rows), ("table", 1));
    assert!(!table.column("code").unwrap().nullok && table.column("age").unwrap().nullok);
    assert_eq!(table.column("Side").unwrap().column_type.typename, "text");
    assert_eq!(table.natural_key().unwrap(), ["code"]);
    let side = lab.catalog.table_details("Side").unwrap();
    assert_eq!(side.referred_by, [("Subject".to_owned(), "Side".to_owned())]);
}

#[test]
fn what_can_be_no_table_is_refused() {
    let (mut lab, _) = Lab::with_subject();
    let text: [Column; 1] = ["a text".parse().unwrap()];
    let refer = |text: &str| vec![text.parse::<NewReference>().unwrap()];
    for (name, keys, references, says) in [
        ("Workflow", vec![], vec![], "keeps for its own"),
        ("Dataset_Subject", vec![], vec![], "keeps for its own"),
        ("Subject", vec![], vec![], "a table Subject already"),
        ("a b", vec![], vec![], "can't name a table"),
        ("T", texts(&["b"]), vec![], "has no such column"),
        ("T", vec![], refer("b=Nothing"), "no table \"Nothing\""),
        ("T", vec![], refer("b=Subject.age"), "is no key there"),
        ("T", vec![], refer("a=Subject.nope"), "is no key there"),
        ("T", vec![], refer("RID=Subject.nope"), "is no key there"),
    ] {
        let new =
            NewTable { name, columns: &text, keys: &keys, references: &references, ..NewTable::default() };
        let error = lab.change(|change| change.create_table("domain", &new)).unwrap_err().to_string();
        assert!(error.contains(says), "{name}: {error}");
    }
    let number: [Column; 1] = ["a int4".parse().unwrap()];
    let references = refer("a=Subject.code");
    let new = NewTable { name: "T", columns: &number, references: &references, ..NewTable::default() };
    let error = lab.change(|change| change.create_table("domain", &new)).unwrap_err().to_string();
    assert!(error.contains("its type is int4, and that of code of Subject is text"), "{error}");
    assert!("=Subject".parse::<NewReference>().is_err() && "Subject".parse::<NewReference>().is_err());
}

#[test]
fn a_row_that_is_set_says_what_it_was_and_is() {
    let (mut lab, rid) = Lab::with_subject();
    let set = |change: &mut Change<'_>| change.set_row(None, &rid, &texts(&["age=7", "code=P1"]), &[]);
    let row = lab.change(set).unwrap();
    let cell = CellChange { column: "age".into(), was: Value::Null, is: Value::Integer(7) };
    assert_eq!(row.columns, [cell]);
    let last = lab.catalog.transactions(1).unwrap()[0].number;
    assert!(lab.change(set).unwrap().columns.is_empty());
    assert_eq!(lab.catalog.transactions(1).unwrap()[0].number, last);
    let nulled = lab.change(|change| change.set_row(Some("Subject"), &rid, &[], &texts(&["age"]))).unwrap();
    assert_eq!(nulled.columns[0].is, Value::Null);
    for (given, nulls, says) in [
        (&["Side=Middle"][..], &[][..], "no term \"Middle\"; terms: Left, Right"),
        (&["age=40000"], &[], "16 bits"),
        (&["age=old"], &[], "whole number"),
        (&["age"], &[], "write COLUMN=VALUE"),
        (&["size=3"], &[], "no column \"size\""),
        (&["RID=3"], &[], "no column \"RID\""),
        (&["age=1", "age=2"], &[], "age is given twice"),
        (&["age=1"], &["age"], "age is given twice"),
        (&[], &["code"], "no value for code"),
    ] {
        let error = lab.change(|change| change.set_row(None, &rid, &texts(given), &texts(nulls)));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let other = lab.change(|change| change.insert_row("Subject", &texts(&["code=P1"]))).unwrap_err();
    assert!(matches!(other, CatalogError::RepeatedKey { .. }), "{other}");
}

#[test]
fn a_column_whose_name_holds_an_equals_sign_is_meant_by_the_longest_name() {
    let (mut lab, rid) = Lab::with_subject();
    lab.change(|change| {
        change.widen_table("Subject", &"a text".parse().unwrap(), None, None)?;
        change.widen_table("Subject", &"a=b text".parse().unwrap(), None, None)
    })
    .unwrap();
    let row = lab.change(|change| change.set_row(None, &rid, &texts(&["a=b=c=d"]), &[])).unwrap();
    assert_eq!((row.columns[0].column.as_str(), &row.columns[0].is), ("a=b", &Value::Text("c=d".into())));
}

#[test]
fn what_dbag_keeps_itself_is_not_changed_by_hand() {
    let (mut lab, _) = Lab::with_subject();
    let execution = lab.catalog.transactions(1).unwrap()[0].execution.clone().unwrap();
    let left = lab.catalog.terms("Side").unwrap().1[0].rid.clone();
    lab.change(|change| {
        change.put_table(crate::model::membership_table("domain", &change.table("Subject")?))
    })
    .unwrap();
    let mut refused = |f: &dyn Fn(&mut Change<'_>) -> Result<(), CatalogError>| {
        lab.change(|change| f(change)).unwrap_err().to_string()
    };
    let kept = [
        refused(&|change| change.set_row(None, &execution, &texts(&["Description=x"]), &[]).map(drop)),
        refused(&|change| change.delete_rows("Execution", &texts(&["1"]), None).map(drop)),
        refused(&|change| change.drop_lab_table("Execution").map(drop)),
        refused(&|change| change.narrow_table("Dataset", "Version").map(drop)),
        refused(&|change| change.insert_row("Dataset_Subject", &[]).map(drop)),
        refused(&|change| change.insert_row("Side", &texts(&["Name=x"])).map(drop)),
        refused(&|change| change.delete_rows("Side", std::slice::from_ref(&left), None).map(drop)),
        refused(&|change| change.set_row(None, &left, &texts(&["Name=x"]), &[]).map(drop)),
    ];
    assert!(kept.iter().all(|error| error.contains("can't be changed so")), "{kept:#?}");
    let term = refused(&|change| change.narrow_table("Side", "Synonyms").map(drop));
    assert!(term.contains("is no vocabulary any more"), "{term}");
    let needed = refused(&|change| change.drop_lab_table("Side").map(drop));
    assert!(needed.contains("Subject refers to it"), "{needed}");
}

#[test]
fn values_of_features_go_with_a_row_and_other_references_hold_it() {
    let (mut lab, rid) = Lab::with_subject();
    let second = lab.change(|change| change.insert_row("Subject", &texts(&["code=P2"]))).unwrap().rid;
    let sides = texts(&["Side"]);
    lab.change(|change| {
        let references = ["Subject=Subject".parse::<NewReference>()?];
        let visit = NewTable { name: "Visit", references: &references, ..NewTable::default() };
        change.create_table("domain", &visit)?;
        change.insert_row("Visit", &[format!("Subject={second}")])?;
        let new = NewFeature { target: "Subject", name: "Eye", terms: &sides, ..NewFeature::default() };
        change.create_feature("domain", &new)?;
        let mut writer = FeatureWriter::new(change, "Subject", "Eye", None)?;
        writer.add_assigned(change, &rid, &texts(&["Side=OS"]))?;
        writer.add_assigned(change, &second, &texts(&["Side=Right"]))
    })
    .unwrap();
    let held = lab.change(|change| change.delete_rows("Subject", &[second], None)).unwrap_err();
    assert!(held.to_string().contains("Visit refers to it"), "{held}");
    let gone = lab.change(|change| change.delete_rows("Subject", &[], Some("code = 'P1'"))).unwrap();
    assert_eq!(gone.rids, std::slice::from_ref(&rid));
    assert_eq!(gone.with.into_iter().collect::<Vec<_>>(), [("Execution_Subject_Eye".to_owned(), 1)]);
    assert_eq!(lab.catalog.table_details("Subject").unwrap().summary.rows, 1);
    let again = lab.change(|change| change.delete_rows("Subject", &[rid], None)).unwrap_err();
    assert!(matches!(again, CatalogError::NoRowOf { .. }), "{again}");
}

#[test]
fn a_column_comes_with_a_value_and_a_reference_and_goes() {
    let (mut lab, rid) = Lab::with_subject();
    let column: Column = "Other text!".parse().unwrap();
    let bare = lab.change(|change| change.widen_table("Subject", &column, None, None)).unwrap_err();
    assert!(bare.to_string().contains("give one for the rows"), "{bare}");
    let odd =
        lab.change(|change| change.widen_table("Subject", &column, Some("x"), Some("Side"))).unwrap_err();
    assert!(matches!(odd, CatalogError::UnknownTerm { .. }), "{odd}");
    let table =
        lab.change(|change| change.widen_table("Subject", &column, Some("OS"), Some("Side"))).unwrap();
    assert_eq!(table.foreign_keys.last().unwrap().single(), Some(("Other", "Name")));
    let values = lab.catalog.look(|change| change.own_values(&table, &rid)).unwrap();
    assert_eq!(values.last(), Some(&Value::Text("Left".into())));
    let was = lab.change(|change| change.comment_on("Subject", Some("Other"), "the other one")).unwrap();
    assert_eq!(was, None);
    let was = lab.change(|change| change.comment_on("Subject", Some("Other"), "")).unwrap();
    assert_eq!(was.as_deref(), Some("the other one"));
    let narrower = lab.change(|change| change.narrow_table("Subject", "Other")).unwrap();
    assert!(narrower.column("Other").is_none());
    assert_eq!(lab.catalog.table("Subject").unwrap(), narrower);
}

#[test]
fn a_renamed_term_is_followed_by_rows_and_by_a_features_name() {
    let (mut lab, rid) = Lab::with_subject();
    let change_term = |lab: &mut Lab, vocabulary: &str, called: &str, new: &TermChange<'_>| {
        lab.change(|change| {
            let vocabulary = change.vocabulary(vocabulary)?;
            change.change_term(&vocabulary, called, new)
        })
    };
    let name = |name| TermChange { name: Some(name), ..TermChange::default() };
    let (was, is) = change_term(&mut lab, "Side", "OS", &name("Sinister")).unwrap();
    assert_eq!((was.name.as_str(), is.name.as_str(), is.synonyms), ("Left", "Sinister", texts(&["OS"])));
    let table = lab.catalog.table("Subject").unwrap();
    let values = lab.catalog.look(|change| change.own_values(&table, &rid)).unwrap();
    assert_eq!(values[2], Value::Text("Sinister".into()));
    let taken = change_term(&mut lab, "Side", "Right", &name("OS")).unwrap_err();
    assert!(matches!(taken, CatalogError::TermTaken { .. }), "{taken}");
    let kept = change_term(&mut lab, "Execution_Status", "Stopped", &name("Over")).unwrap_err();
    assert!(matches!(kept, CatalogError::TermKept { .. }), "{kept}");
    let gone = ["nothing".to_owned()];
    let none = TermChange { without: &gone, ..TermChange::default() };
    let none = change_term(&mut lab, "Side", "Right", &none).unwrap_err();
    assert!(matches!(none, CatalogError::NoSuchSynonym { .. }), "{none}");
    let sides = ["Side".to_owned()];
    let new = NewFeature { target: "Subject", name: "Grade", terms: &sides, ..NewFeature::default() };
    lab.change(|change| change.create_feature("domain", &new)).unwrap();
    change_term(&mut lab, "Feature_Name", "Grade", &name("Grading")).unwrap();
    assert_eq!(lab.catalog.features(Some("Subject")).unwrap()[0].feature.name, "Grading");
}

#[test]
fn terms_are_put_once_and_changed_only_if_asked() {
    let mut lab = Lab::new();
    let os = texts(&["OS", "left eye"]);
    lab.change(|change| {
        let sides = change.vocabulary("Side")?;
        let mut writer = TermWriter::new(change, &sides)?;
        assert_eq!(writer.put(change, "Left", None, None, false)?, TermOutcome::Unchanged);
        assert_eq!(
            writer.put(change, "Both", Some("two"), Some(&texts(&["OU"])), false)?,
            TermOutcome::Added
        );
        let differs = writer.put(change, "Left", Some(""), Some(&os), false).unwrap_err();
        assert!(matches!(differs, CatalogError::TermDiffers { .. }), "{differs}");
        assert_eq!(writer.put(change, "Left", None, Some(&os), true)?, TermOutcome::Updated);
        for (name, synonyms) in [("OU", &[][..]), ("New", &["left eye"]), ("left eye", &[])] {
            let taken = writer.put(change, name, None, Some(&texts(synonyms)), true).unwrap_err();
            assert!(matches!(taken, CatalogError::TermTaken { .. }), "{taken}");
        }
        for bad in ["", " x", "a\nb"] {
            let bad = writer.put(change, bad, None, None, true).unwrap_err();
            assert!(matches!(bad, CatalogError::BadTermName(_)), "{bad}");
        }
        let twice = writer.put(change, "New", None, Some(&texts(&["a", "a"])), true).unwrap_err();
        assert!(matches!(twice, CatalogError::GivenTwice(_)), "{twice}");
        Ok(())
    })
    .unwrap();
    let terms = lab.catalog.terms("Side").unwrap().1;
    let names: Vec<&str> = terms.iter().map(|term| term.name.as_str()).collect();
    assert_eq!(names, ["Both", "Left", "Right"]);
    assert_eq!(terms[1].synonyms, os);
}

#[test]
fn files_come_with_their_bytes_and_not_by_hand() {
    let mut lab = Lab::new();
    let rid = lab
        .change(|change| {
            for table in crate::model::asset_table("domain", "Scan", &[]) {
                change.put_table(table)?;
            }
            let writer = change.writer(&change.table("Scan")?)?;
            let text = |text: &str| Value::Text(text.into());
            let values =
                writer.row(&[("URL", text("/a")), ("Length", Value::Integer(1)), ("MD5", text("0"))]);
            change.insert(&writer, &values)
        })
        .unwrap();
    let set = |text: &'static str| {
        let rid = rid.to_string();
        move |change: &mut Change<'_>| change.set_row(None, &rid, &texts(&[text]), &[])
    };
    lab.change(set("Description=a scan")).unwrap();
    let kept = lab.change(set("MD5=1")).unwrap_err().to_string();
    assert!(kept.contains("MD5 says what the file is"), "{kept}");
    let kept = lab.change(|change| change.insert_row("Scan", &texts(&["URL=/b"]))).unwrap_err();
    assert!(matches!(kept, CatalogError::TableKept { .. }), "{kept}");
}

#[test]
fn a_rid_of_two_tables_needs_the_tables_name() {
    let (mut lab, rid) = Lab::with_subject();
    let age: Column = "age int4".parse().unwrap();
    lab.change(|change| {
        let new = NewTable { name: "Other", columns: std::slice::from_ref(&age), ..NewTable::default() };
        let table = change.create_table("domain", &new)?;
        let system =
            crate::catalog::SystemValues { rid: crate::model::Rid::parse(&rid), ..Default::default() };
        let writer = change.writer(&table)?;
        change.insert_as(&writer, &system, &[Value::Null])
    })
    .unwrap();
    let set = |table: Option<&'static str>| {
        let rid = rid.clone();
        move |change: &mut Change<'_>| change.set_row(table, &rid, &texts(&["age=1"]), &[])
    };
    let error = lab.change(set(None)).unwrap_err().to_string();
    assert!(error.contains("Other and Subject; say which table"), "{error}");
    assert_eq!(lab.change(set(Some("Other"))).unwrap().table, "Other");
}
