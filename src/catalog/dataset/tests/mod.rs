//! Datasets in a small lab of subjects and their scans.

mod drift;
mod release;
mod split;

use std::collections::BTreeMap;

use super::*;
use crate::catalog::{Change, Clock, CreateOptions};
use crate::model::{Column, ColumnType, DERIVA_ML, FeatureColumns, RidPrefix, Table, feature_table};
use crate::partition::{Method, Missing, PartSpec, PartitionError, Size};
use crate::tabular::Value;
use crate::version::Bump;

/// A catalog with 12 subjects of two sexes and 60 scans of them, all members of `scans`.
struct Lab {
    catalog: Catalog,
    _folder: tempfile::TempDir,
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn name(text: &str) -> DatasetName {
    text.parse().unwrap()
}

fn lab() -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let options = CreateOptions { rid_prefix: RidPrefix::parse("1TST"), ..CreateOptions::default() };
    let mut catalog = Catalog::create(&folder.path().join("catalog.sqlite"), &options).unwrap();
    let plain = |name: &str| Column::new(name, ColumnType::new("text"));
    let mut subject = Table::new("domain", "Subject", "");
    subject.column_definitions.push(plain("Sex"));
    let mut scan = Table::new("domain", "Scan", "");
    scan.column_definitions.extend([plain("Subject"), plain("Grade"), plain("PSD.1")]);
    scan.add_foreign_key("Subject", "domain", "Subject", "RID");
    let fill = |change: &mut Change<'_>| -> Result<(), CatalogError> {
        change.put_table(subject.clone())?;
        change.put_table(scan.clone())?;
        let (subjects, scans) = (change.writer(&subject)?, change.writer(&scan)?);
        for person in 0..12 {
            let sex = if person % 3 == 0 { "F" } else { "M" };
            let rid = change.insert(&subjects, &[text(sex)])?;
            for scan in 0..5 {
                let grade = if scan == 4 && person == 0 { Value::Null } else { text(["a", "b"][scan % 2]) };
                change.insert(&scans, &[text(rid.as_str()), grade, text("x")])?;
            }
        }
        Ok(())
    };
    catalog.change("dbag test", fill).unwrap();
    catalog.create_dataset(&name("scans"), "Scans").unwrap();
    catalog.add_table_members(&name("scans"), "Scan", None).unwrap();
    Lab { catalog, _folder: folder }
}

impl Lab {
    fn drift(&self, dataset: &str) -> Drift {
        self.catalog.dataset_details(&name(dataset)).unwrap().drift.unwrap()
    }

    fn release(&mut self, dataset: &str) {
        self.catalog.release_dataset(&name(dataset), Bump::Minor, "as it is").unwrap();
    }

    fn members(&self, dataset: &str) -> Vec<String> {
        let reference = self.catalog.dataset_ref(dataset).unwrap();
        let members = self.catalog.dataset_members(&reference, None, false).unwrap();
        members.into_iter().map(|member| member.rid).collect()
    }

    fn set(&mut self, rid: &str, column: &str, value: Value) {
        let set = |change: &mut Change<'_>| {
            let writer = change.writer(&change.table("Scan")?)?;
            change.set(&writer, rid, &[(column, value)])
        };
        self.catalog.change("dbag test", set).unwrap();
    }

    fn split(&mut self, source: &str, options: &SplitOptions) -> Result<SplitReport, CatalogError> {
        let source = self.catalog.dataset_ref(source)?;
        self.catalog.split_dataset(&source, options)
    }
}

fn options(parts: &[(&str, Size)], stratify: Option<&str>, group: Option<&str>) -> SplitOptions {
    let parts = parts.iter().map(|(name, size)| PartSpec { name: (*name).into(), size: *size });
    SplitOptions {
        parts: parts.collect(),
        draw: Draw {
            table: None,
            stratify: stratify.map(str::to_owned),
            group: group.map(str::to_owned),
            missing: Missing::Include,
            seed: 7,
            method: Method::Ranked,
        },
        parent: None,
        description: None,
        dry_run: false,
    }
}

const HALVES: [(&str, Size); 2] = [("train", Size::Rest), ("test", Size::Fraction(0.25))];

#[test]
fn a_dataset_is_never_nested_in_itself() {
    let mut lab = lab();
    for dataset in ["a", "b", "c"] {
        lab.catalog.create_dataset(&name(dataset), "").unwrap();
    }
    let nest = |lab: &mut Lab, outer: &str, inner: &[&str]| {
        let inner: Vec<String> = inner.iter().map(|&inner| inner.to_owned()).collect();
        lab.catalog.nest_datasets(&name(outer), &inner).map_err(|error| error.to_string())
    };
    assert_eq!(nest(&mut lab, "a", &["b", "b"]), Ok((1, 1)));
    assert_eq!(nest(&mut lab, "b", &["c"]), Ok((1, 0)));
    assert_eq!(
        nest(&mut lab, "c", &["a"]).unwrap_err(),
        "a dataset can't be nested in itself: c > a > b > c"
    );
    assert_eq!(nest(&mut lab, "a", &["a"]).unwrap_err(), "a dataset can't be nested in itself: a > a");
    let a = lab.catalog.dataset_details(&name("a")).unwrap();
    assert_eq!(a.children.iter().map(NestedDataset::called).collect::<Vec<_>>(), ["b"]);
    assert!(a.parents.is_empty());
}

#[test]
fn deleted_datasets_keep_their_names_and_are_refused_while_nested() {
    let mut lab = lab();
    lab.catalog.create_dataset(&name("outer"), "").unwrap();
    lab.catalog.nest_datasets(&name("outer"), &["scans".into()]).unwrap();
    assert!(matches!(
        lab.catalog.delete_dataset(&name("scans"), false),
        Err(CatalogError::StillNested { parents, .. }) if parents == ["outer"]
    ));
    assert_eq!(lab.catalog.delete_dataset(&name("outer"), true).unwrap(), ["outer", "scans"]);
    assert!(lab.catalog.datasets().unwrap().is_empty());
    assert_eq!(lab.catalog.all_datasets().unwrap().len(), 2);
    let deleted = |result: Result<Rid, CatalogError>| matches!(result, Err(CatalogError::DatasetDeleted(_)));
    assert!(deleted(lab.catalog.create_dataset(&name("scans"), "")));
    assert!(matches!(
        lab.catalog.add_table_members(&name("scans"), "Scan", None),
        Err(CatalogError::DatasetDeleted(_))
    ));
    assert_eq!(lab.catalog.restore_dataset(&name("scans"), false).unwrap(), ["scans"]);
    assert_eq!(lab.catalog.datasets().unwrap().len(), 1);
}

#[test]
fn a_name_that_is_another_datasets_rid_is_refused() {
    let mut lab = lab();
    let first = lab.catalog.dataset_details(&name("scans")).unwrap().summary.rid;
    assert_eq!(lab.catalog.dataset_named(first.as_str()).unwrap(), name("scans"));
    let put = |change: &mut Change<'_>| {
        let writer = change.writer(&change.table("deriva-ml:Dataset")?)?;
        let system = crate::catalog::SystemValues { rid: Rid::parse("AB-1234"), ..Default::default() };
        change.insert_as(&writer, &system, &writer.row(&[]))
    };
    lab.catalog.change("dbag test", put).unwrap();
    assert!(matches!(lab.catalog.dataset_named("AB-1234"), Err(CatalogError::UnnamedDataset(_))));
    lab.catalog.create_dataset(&name("AB-1234"), "").unwrap();
    let error = lab.catalog.dataset_named("AB-1234").unwrap_err().to_string();
    assert!(error.contains("is ambiguous"), "{error}");
}

#[test]
fn renaming_a_released_dataset_must_be_meant() {
    let mut lab = lab();
    lab.catalog.rename_dataset("scans", &name("images"), false).unwrap();
    lab.release("images");
    assert!(matches!(
        lab.catalog.rename_dataset("images", &name("scans"), false),
        Err(CatalogError::KnownByName { .. })
    ));
    lab.catalog.create_dataset(&name("taken"), "").unwrap();
    assert!(matches!(
        lab.catalog.rename_dataset("images", &name("taken"), true),
        Err(CatalogError::DatasetExists(_))
    ));
    lab.catalog.rename_dataset("images", &name("scans"), true).unwrap();
    assert!(
        lab.catalog
            .select_version(&"scans@0.1.0".parse().unwrap(), &crate::catalog::SelectOptions::default())
            .is_ok()
    );
}

type Step<'s> = &'s dyn Fn(&mut Catalog) -> Result<(), CatalogError>;

#[test]
fn each_change_is_undone_and_releases_are_not() {
    let mut lab = lab();
    let whole = |lab: &Lab| {
        let all = lab.catalog.all_datasets().unwrap();
        let shown = all.iter().map(|dataset| format!("{dataset:?} {:?}", lab.members(dataset.name.as_str())));
        shown.collect::<Vec<_>>()
    };
    let mut states = vec![whole(&lab)];
    let steps: [Step; 5] = [
        &|catalog| catalog.create_dataset(&name("more"), "").map(drop),
        &|catalog| catalog.add_table_members(&name("more"), "Scan", Some("\"Grade\" = 'a'")).map(drop),
        &|catalog| catalog.nest_datasets(&name("scans"), &["more".into()]).map(drop),
        &|catalog| {
            let source = catalog.dataset_ref("more")?;
            catalog.split_dataset(&source, &options(&HALVES, None, None)).map(drop)
        },
        &|catalog| catalog.delete_dataset(&name("more-split"), true).map(drop),
    ];
    for step in steps {
        step(&mut lab.catalog).unwrap();
        states.push(whole(&lab));
    }
    let last = lab.catalog.number_at(&crate::catalog::Moment::Now).unwrap();
    for (back, state) in states.iter().rev().skip(1).enumerate() {
        let undone = lab.catalog.undo(false).unwrap();
        assert_eq!(undone.number, last - i64::try_from(back).unwrap());
        assert_eq!(&whole(&lab), state);
    }
    lab.release("scans");
    assert!(matches!(lab.catalog.undo(false), Err(CatalogError::Released(label)) if label == "scans@0.1.0"));
}

#[test]
fn a_change_without_effect_is_undone_once() {
    let mut lab = lab();
    let nothing = |change: &mut Change<'_>| {
        change.put_table(Table::new("domain", "Passing", ""))?;
        change.drop_table(&change.table("Passing")?)
    };
    lab.catalog.change("dbag test", nothing).unwrap();
    let number = lab.catalog.undo(false).unwrap().number;
    assert_eq!(lab.catalog.undo(false).unwrap().number, number - 1);
    assert!(lab.catalog.model().unwrap().table(DERIVA_ML, "Dataset").is_some());
}

#[test]
fn a_catalog_reopened_has_its_datasets() {
    let mut lab = lab();
    lab.split("scans", &options(&HALVES, None, None)).unwrap();
    let path = lab.catalog.path().to_owned();
    lab.catalog = Catalog::open(&path, Clock::System).unwrap();
    assert_eq!(lab.catalog.datasets().unwrap().len(), 4);
    assert_eq!(lab.members("scans-train").len() + lab.members("scans-test").len(), 60);
}
