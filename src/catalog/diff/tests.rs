//! Differences against what both states hold, read whole.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::catalog::reach::tests::{insert, lab};
use crate::catalog::{Change, Row, TableSelection};
use crate::tabular::Value;
use crate::version::{Bump, DatasetName};

type Rows = BTreeMap<(String, String), BTreeMap<String, Value>>;
/// By table and RID: the columns of a row that is in both, or none of one that is not.
type Differing = BTreeMap<(String, String), Option<Vec<String>>>;

/// Every row of some selections by table and RID, without what tells who changed it when.
fn rows(catalog: &Catalog, tables: &[TableSelection]) -> Rows {
    let mut all = BTreeMap::new();
    for part in tables {
        let names: Vec<&str> =
            part.table.column_definitions.iter().map(|column| column.name.as_str()).collect();
        let keep = |row: Row| -> Result<(), CatalogError> {
            let rid = row[0].to_text().unwrap().into_owned();
            let cells = names.iter().zip(row).skip(5).map(|(name, value)| ((*name).to_owned(), value));
            let mut cells: BTreeMap<String, Value> = cells.collect();
            if part.table.table_name == "Dataset" {
                cells.remove("Version");
            }
            all.insert((part.table.qualified_name(), rid), cells);
            Ok(())
        };
        catalog.for_each_selected(part, keep).unwrap();
    }
    all
}

fn held(catalog: &Catalog, reference: &DatasetRef) -> Rows {
    let options = SelectOptions::default();
    match &reference.version {
        None => rows(catalog, &catalog.select_now(&reference.name, &options).unwrap().1),
        Some(version) => {
            let reference =
                crate::version::VersionRef { name: reference.name.clone(), version: version.clone() };
            rows(catalog, &catalog.select_version(&reference, &options).unwrap().tables)
        }
    }
}

/// What differs of two states that were read whole: table and RID, and which columns of those in both.
fn naive(from: &Rows, to: &Rows) -> Differing {
    let mut all = BTreeMap::new();
    for key in from.keys().chain(to.keys()) {
        match (from.get(key), to.get(key)) {
            (Some(old), Some(new)) if old != new => {
                let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
                let differs = |name: &&String| {
                    old.get(*name).unwrap_or(&Value::Null) != new.get(*name).unwrap_or(&Value::Null)
                };
                let names: Vec<String> = names.into_iter().filter(differs).cloned().collect();
                if !names.is_empty() {
                    all.insert(key.clone(), Some(names));
                }
            }
            (Some(_), Some(_)) => {}
            _ => drop(all.insert(key.clone(), None)),
        }
    }
    all
}

fn told(catalog: &Catalog, from: &DatasetRef, to: &DatasetRef) -> (Diff, Differing) {
    let mut all = BTreeMap::new();
    let diff = catalog
        .diff(from, to, None, &mut |row| {
            let names = match row.change {
                RowChange::Added | RowChange::Removed => None,
                RowChange::Changed(cells) => Some(cells.into_iter().map(|cell| cell.column).collect()),
            };
            all.insert((row.table, row.rid), names);
            Ok(())
        })
        .unwrap();
    (diff, all)
}

#[derive(Debug, Clone)]
enum Step {
    Insert(usize, usize, usize),
    Refer(usize, usize, usize),
    Delete(usize, usize),
    Join(usize),
    Leave(usize),
    Nest,
    Unnest,
    Column,
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    let small = 0..6_usize;
    prop_oneof![
        4 => (0..3_usize, small.clone(), small.clone()).prop_map(|(t, a, b)| Step::Insert(t, a, b)),
        4 => (0..3_usize, small.clone(), small.clone()).prop_map(|(t, a, b)| Step::Refer(t, a, b)),
        2 => (0..3_usize, small.clone()).prop_map(|(t, a)| Step::Delete(t, a)),
        3 => small.clone().prop_map(Step::Join),
        2 => small.prop_map(Step::Leave),
        1 => Just(Step::Nest),
        1 => Just(Step::Unnest),
        1 => Just(Step::Column),
        3 => Just(Step::Release),
    ]
}

const TABLES: [&str; 3] = ["Subject", "Image", "Report"];

fn rids(change: &Change<'_>, table: &str) -> Vec<String> {
    change.rids_where(&change.table(table).unwrap(), None).unwrap()
}

/// Does a step; what can't be is not done.
fn act(catalog: &mut Catalog, step: &Step, names: &[DatasetName; 2], columns: &mut usize) {
    let nth = |rids: &[String], at: usize| rids.get(at % rids.len().max(1)).cloned();
    let _: Result<(), CatalogError> = match *step {
        Step::Insert(table, a, b) => catalog.change("test", |change| {
            let (subject, image) = (nth(&rids(change, "Subject"), a), nth(&rids(change, "Image"), b));
            let cells: Vec<(&str, Option<&str>)> = match table {
                0 => vec![("Parent", subject.as_deref())],
                1 => vec![("Subject", subject.as_deref())],
                _ => vec![("Subject", subject.as_deref()), ("Image", image.as_deref())],
            };
            insert(change, TABLES[table], &cells);
            Ok(())
        }),
        Step::Refer(table, a, b) => catalog.change("test", |change| {
            let (Some(rid), Some(to)) =
                (nth(&rids(change, TABLES[table]), a), nth(&rids(change, "Subject"), b))
            else {
                return Ok(());
            };
            let column = if table == 0 { "Parent" } else { "Subject" };
            let writer = change.writer(&change.table(TABLES[table])?)?;
            change.set(&writer, &rid, &[(column, Value::Text(to))])
        }),
        Step::Delete(table, a) => catalog.change("test", |change| {
            let Some(rid) = nth(&rids(change, TABLES[table]), a) else { return Ok(()) };
            change.delete(&change.table(TABLES[table])?, &rid)
        }),
        Step::Join(at) | Step::Leave(at) => {
            let joins = matches!(step, Step::Join(_));
            let rid =
                catalog.rehearse::<_, CatalogError>(|change| Ok(nth(&rids(change, "Image"), at))).unwrap();
            match rid.map(|rid| format!("\"RID\" = '{rid}'")) {
                Some(which) if joins => {
                    catalog.add_table_members(&names[at % 2], "Image", Some(&which)).map(drop)
                }
                Some(which) => {
                    let images = ["Image".to_owned()];
                    let rows = crate::catalog::Rows::Of(&images, Some(&which));
                    catalog.remove_rows(&names[at % 2], rows).map(drop)
                }
                None => Ok(()),
            }
        }
        Step::Nest => catalog.nest_datasets(&names[0], &[names[1].to_string()]).map(drop),
        Step::Unnest => catalog.unnest_datasets(&names[0], &[names[1].to_string()]).map(drop),
        Step::Column => {
            *columns += 1;
            let column =
                crate::model::Column::new(&format!("c{columns}"), crate::model::ColumnType::new("text"));
            catalog.change("test", |change| {
                let table = change.table("Subject")?;
                change.add_column(&table, &column, &Value::Null).map(drop)
            })
        }
        Step::Release => {
            let options = crate::catalog::ReleaseOptions { with_nested: true, ..Bump::Minor.into() };
            catalog.release_dataset(&names[0], options, "").map(drop)
        }
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_differs_is_what_both_states_say(steps in proptest::collection::vec(step(), 5..40)) {
        let folder = tempfile::tempdir().unwrap();
        let mut catalog = lab(folder.path());
        let names: [DatasetName; 2] = ["outer".parse().unwrap(), "inner".parse().unwrap()];
        for name in &names {
            catalog.create_dataset(name, "").unwrap();
        }
        let mut columns = 0;
        for step in &steps {
            act(&mut catalog, step, &names, &mut columns);
        }
        let details = catalog.dataset_details(&names[0]).unwrap();
        let versions = details.versions.iter().map(|version| Some(version.version.clone())).chain([None]);
        let states: Vec<DatasetRef> =
            versions.map(|version| DatasetRef { name: names[0].clone(), version }).collect();
        let held: Vec<Rows> = states.iter().map(|state| held(&catalog, state)).collect();
        for (from, old) in states.iter().zip(&held) {
            for (to, new) in states.iter().zip(&held) {
                let (diff, all) = told(&catalog, from, to);
                prop_assert_eq!(&all, &naive(old, new), "{} {}", from, to);
                prop_assert!(!diff.any() || !all.is_empty() || !diff.schema.is_empty() || !diff.nested.is_empty());
            }
        }
    }
}

#[test]
fn a_difference_says_what_it_means() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = lab(folder.path());
    let name: DatasetName = "scans".parse().unwrap();
    catalog.create_dataset(&name, "").unwrap();
    let put = |change: &mut Change<'_>| -> Result<Vec<String>, CatalogError> {
        let subject = insert(change, "Subject", &[("Parent", None)]);
        Ok((0..3)
            .map(|_| insert(change, "Image", &[("Subject", Some(&subject))]))
            .chain([subject.clone()])
            .collect())
    };
    let rids = catalog.change("test", put).unwrap();
    let which = format!("\"RID\" IN ('{}', '{}')", rids[0], rids[1]);
    catalog.add_table_members(&name, "Image", Some(&which)).unwrap();
    let first = catalog.release_dataset(&name, Bump::Major, "").unwrap();
    let since = |catalog: &Catalog| {
        let from = DatasetRef { name: name.clone(), version: Some(first.reference.version.clone()) };
        told(catalog, &from, &DatasetRef { name: name.clone(), version: None }).0
    };
    assert!(!since(&catalog).any());
    // A row that members lead to.
    catalog
        .change::<_, CatalogError>("test", |change| {
            let subjects = change.writer(&change.table("Subject")?)?;
            change.set(&subjects, &rids[3], &[("Parent", Value::Text(rids[3].clone()))])
        })
        .unwrap();
    let diff = since(&catalog);
    let counts: Vec<(&str, Role, Counts)> =
        diff.tables.iter().map(|table| (table.table.as_str(), table.role, table.rows)).collect();
    assert_eq!(counts, [("domain:Subject", Role::Linked, Counts { changed: 1, ..Counts::default() })]);
    assert_eq!(crate::version::propose(&diff.facts()).0, Bump::Patch);
    assert!(catalog.dataset_details(&name).unwrap().drift.unwrap().any());
    catalog.add_table_members(&name, "Image", None).unwrap();
    assert_eq!(
        crate::version::propose(&since(&catalog).facts()),
        (Bump::Minor, vec!["1 member added".into()])
    );
    let which = format!("\"RID\" = '{}'", rids[0]);
    let images = ["Image".to_owned()];
    catalog.remove_rows(&name, crate::catalog::Rows::Of(&images, Some(&which))).unwrap();
    assert_eq!(
        crate::version::propose(&since(&catalog).facts()),
        (Bump::Major, vec!["1 member removed".into()])
    );
}
