//! Bags and other workspaces into a workspace: every row and cell, RIDs that are taken, again.

use std::collections::BTreeMap;

use dbag::bag::{Bag, NoProgress};
use dbag::catalog::{Catalog, CatalogError, CreateOptions, Moment, SelectOptions};
use dbag::ingest::{BagImport, BagImportReport, import_bag, import_workspace};
use dbag::model::{Column, ColumnType, RidPrefix, Table};
use dbag::open::Workspace;
use dbag::tables::{BagTables, TablesError};
use dbag::tabular::Value;

use crate::real_bags::bags;
use crate::support::Sandbox;

/// Rows by RID, cells by column.
pub type Rows = BTreeMap<String, BTreeMap<String, Option<String>>>;

pub fn rows_of_bag(path: &std::path::Path) -> BTreeMap<String, Rows> {
    let bag = Bag::open(path).unwrap();
    let tables = BagTables::open(&bag).unwrap();
    let mut all = BTreeMap::new();
    for table in tables.tables().iter().filter(|table| !table.files.is_empty()) {
        let mut rows = Rows::new();
        tables
            .for_each(table, |row| {
                let names = table.table.column_definitions.iter().map(|column| column.name.clone());
                let cells: BTreeMap<_, _> = names
                    .zip(row.iter().map(|value| value.to_text().map(std::borrow::Cow::into_owned)))
                    .collect();
                rows.entry(cells["RID"].clone().unwrap()).or_insert(cells);
                Ok::<_, TablesError>(())
            })
            .unwrap();
        all.insert(table.table.qualified_name(), rows);
    }
    all
}

fn rows_of_catalog(catalog: &Catalog) -> BTreeMap<String, Rows> {
    let (_, tables) = catalog.whole_at(&Moment::Now).unwrap();
    let mut all = BTreeMap::new();
    for selection in &tables {
        let mut rows = Rows::new();
        catalog
            .for_each_selected(selection, |row| {
                let names = selection.table.column_definitions.iter().map(|column| column.name.clone());
                let cells: BTreeMap<_, _> = names
                    .zip(row.iter().map(|value| value.to_text().map(std::borrow::Cow::into_owned)))
                    .collect();
                rows.insert(cells["RID"].clone().unwrap(), cells);
                Ok::<_, CatalogError>(())
            })
            .unwrap();
        all.insert(selection.table.qualified_name(), rows);
    }
    all
}

pub fn import(lab: &mut Workspace, path: &std::path::Path) -> BagImportReport {
    let options = BagImport { path, name: None, dry_run: false };
    import_bag(&mut lab.catalog, &lab.objects, &options, &NoProgress).unwrap()
}

#[test]
fn each_real_bag_comes_in_with_every_row_and_cell() {
    for bag in bags() {
        let sandbox = Sandbox::new();
        let mut lab = Workspace::init(&sandbox.path("lab"), &CreateOptions::default()).unwrap();
        let report = import(&mut lab, &bag);
        let (there, here) = (rows_of_bag(&bag), rows_of_catalog(&lab.catalog));
        assert!(there.len() > 5, "{}", bag.display());
        for (table, rows) in &there {
            for (rid, cells) in rows {
                let found =
                    here[table].get(rid).unwrap_or_else(|| panic!("{}: {table} {rid}", bag.display()));
                let same = cells.iter().all(|(name, cell)| found[name] == *cell);
                assert!(same, "{}: {table} {rid}\n{cells:?}\n{found:?}", bag.display());
            }
        }
        let added: u64 = report.merge.tables.iter().map(|table| table.added).sum();
        assert_eq!(added, there.values().map(|rows| rows.len() as u64).sum::<u64>());
        assert_eq!(report.merge.remapped, []);
        let files = if bag.to_string_lossy().contains("unmaterialized") { 0 } else { report.files };
        assert_eq!(report.files, files, "{}", bag.display());
        assert!(report.files + report.remote_files > 0);
        let anchor = bag.file_name().unwrap().to_string_lossy()[2..5].to_owned();
        assert_eq!(report.datasets[0].1, anchor);
        // The version's row had no snapshot yet when its bag was cut.
        let version = bag.file_name().unwrap().to_string_lossy()[6..11].to_owned();
        assert_eq!(report.datasets[0].2, Some(version.clone()), "{}", bag.display());
        let reference = format!("Dataset_{anchor}@{version}").parse().unwrap();
        let selection = lab.catalog.select_version(&reference, &SelectOptions::default()).unwrap();
        assert_eq!(selection.rid.as_str(), anchor);
        assert!(
            lab.catalog
                .select_version(
                    &format!("Dataset_{anchor}@0.1.0").parse().unwrap(),
                    &SelectOptions::default()
                )
                .is_err()
        );

        // Again: nothing new.
        let before = lab.catalog.number_at(&Moment::Now).unwrap();
        let again = import(&mut lab, &bag);
        assert!(
            again.merge.tables.iter().all(|table| table.added + table.updated + table.kept == 0),
            "{again:?}"
        );
        assert_eq!(lab.catalog.number_at(&Moment::Now).unwrap(), before);
        assert_eq!(rows_of_catalog(&lab.catalog), here);
    }
}

/// A workspace with a prefix of RIDs, a table of subjects, one of images that refers to them, and a dataset.
fn lab(sandbox: &Sandbox, name: &str, subjects: &[&str]) -> Workspace {
    let options = CreateOptions { rid_prefix: RidPrefix::parse("1TST"), ..CreateOptions::default() };
    let mut lab = Workspace::init(&sandbox.path(name), &options).unwrap();
    let made = lab.catalog.change("dbag test", |change| {
        let mut subject = Table::new("domain", "Subject", "");
        subject.column_definitions.push(Column::new("Name", ColumnType::new("text")));
        let mut image = Table::new("domain", "Image", "");
        image.column_definitions.push(Column::new("Subject", ColumnType::new("text")).required());
        image.add_foreign_key("Subject", "domain", "Subject", "RID");
        change.put_table(subject.clone())?;
        change.put_table(image.clone())?;
        for name in subjects {
            let rid = change.insert(&change.writer(&subject)?, &[Value::Text((*name).into())])?;
            change.insert(&change.writer(&image)?, &[Value::Text(rid.to_string())])?;
        }
        Ok::<_, CatalogError>(())
    });
    made.unwrap();
    let dataset = "all".parse().unwrap();
    lab.catalog.create_dataset(&dataset, "All images").unwrap();
    lab.catalog.add_table_members(&dataset, "Image", None).unwrap();
    lab
}

/// The names of the subjects that images refer to.
fn subjects_by_image(catalog: &Catalog) -> Vec<Option<String>> {
    let rows = rows_of_catalog(catalog);
    let names = rows["domain:Image"].values().map(|image| {
        let subject = image["Subject"].as_ref().unwrap();
        rows["domain:Subject"].get(subject).and_then(|subject| subject["Name"].clone())
    });
    let mut names: Vec<Option<String>> = names.collect();
    names.sort();
    names
}

#[test]
fn two_workspaces_become_one_and_rids_that_are_taken_are_given_anew() {
    let sandbox = Sandbox::new();
    let mut ours = lab(&sandbox, "ours", &["Ada", "Bo"]);
    let theirs = lab(&sandbox, "theirs", &["Cy", "Di", "Ed"]);
    let import = |ours: &mut Workspace, theirs: &Workspace| {
        let (ours, theirs) = ((&mut ours.catalog, &ours.objects), (&theirs.catalog, &theirs.objects));
        import_workspace(ours, theirs, "dbag import theirs", false, &NoProgress).unwrap()
    };
    let report = import(&mut ours, &theirs);
    let taken: Vec<&str> = report.merge.remapped.iter().map(|(table, _, _)| table.as_str()).collect();
    assert!(taken.contains(&"domain:Subject") && taken.contains(&"domain:Image"), "{taken:?}");
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(subjects_by_image(&ours.catalog), ["Ada", "Bo", "Cy", "Di", "Ed"].map(name));
    assert_eq!(report.merge.dangling, []);
    let datasets = ours.catalog.datasets().unwrap();
    let found: Vec<(&str, u64)> =
        datasets.iter().map(|dataset| (dataset.name.as_str(), dataset.members)).collect();
    assert_eq!(found, [("all", 2), ("all-2", 3)]);
    assert_eq!(report.datasets[0].1, "all-2");
    // Terms are the same terms.
    let rows = rows_of_catalog(&ours.catalog);
    let mut names: Vec<_> = rows["deriva-ml:Dataset_Type"].values().map(|term| &term["Name"]).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);

    let before = ours.catalog.number_at(&Moment::Now).unwrap();
    import(&mut ours, &theirs);
    assert_eq!(ours.catalog.number_at(&Moment::Now).unwrap(), before);
    assert_eq!(rows_of_catalog(&ours.catalog), rows);
    // RIDs that come next are no one's.
    let dataset = "more".parse().unwrap();
    ours.catalog.create_dataset(&dataset, "").unwrap();
}

#[test]
fn what_changed_later_wins() {
    let sandbox = Sandbox::new();
    let mut ours = Workspace::init(&sandbox.path("ours"), &CreateOptions::default()).unwrap();
    let mut theirs = lab(&sandbox, "theirs", &["Ada", "Bo"]);
    let import = |theirs: &Workspace, catalog: &mut Workspace| {
        let (to, from) = ((&mut catalog.catalog, &catalog.objects), (&theirs.catalog, &theirs.objects));
        import_workspace(to, from, "dbag import theirs", false, &NoProgress).unwrap()
    };
    import(&theirs, &mut ours);
    let rename = |lab: &mut Workspace, from: &str, to: &str| {
        lab.catalog
            .change("dbag test", |change| {
                let subject = change.table("Subject")?;
                let rids = change.rids_where(&subject, Some(&format!("\"Name\" = '{from}'")))?;
                change.set(&change.writer(&subject)?, &rids[0], &[("Name", Value::Text(to.into()))])
            })
            .unwrap();
    };
    rename(&mut theirs, "Ada", "Ada there");
    rename(&mut ours, "Ada", "Ada here");
    rename(&mut theirs, "Bo", "Bo there");
    let report = import(&theirs, &mut ours);
    let subject = report.merge.tables.iter().find(|table| table.table == "domain:Subject").unwrap();
    assert_eq!((subject.updated, subject.kept), (1, 1));
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(subjects_by_image(&ours.catalog), ["Ada here", "Bo there"].map(name));
}

#[test]
fn bags_that_are_damaged_holey_or_differ_in_type_are_refused_and_nothing_stays() {
    let Some(bag) = bags().into_iter().next() else { return };
    let sandbox = Sandbox::new();
    let mut lab = Workspace::init(&sandbox.path("lab"), &CreateOptions::default()).unwrap();
    let before = rows_of_catalog(&lab.catalog);
    let mut archive = zip::ZipArchive::new(fs_err::File::open(&bag).unwrap()).unwrap();
    archive.extract(sandbox.path("bag")).unwrap();
    let root = fs_err::read_dir(sandbox.path("bag")).unwrap().next().unwrap().unwrap().path();
    let csv = walkdir::WalkDir::new(root.join("data"))
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .find(|path| path.file_name().is_some_and(|name| name == "Dataset.csv"))
        .unwrap();
    let mut text = fs_err::read_to_string(&csv).unwrap();
    text.push_str("9-9999,,,,,forged,f,\n");
    fs_err::write(&csv, text).unwrap();
    let options = BagImport { path: &root, name: None, dry_run: false };
    let error = import_bag(&mut lab.catalog, &lab.objects, &options, &NoProgress).unwrap_err();
    assert!(error.to_string().contains("Dataset.csv does not have the digest"), "{error}");
    assert_eq!(rows_of_catalog(&lab.catalog), before);
}

#[test]
fn rows_with_the_same_key_are_the_same_row() {
    let sandbox = Sandbox::new();
    let keyed = |name: &str, rows: &[(&str, i64)]| {
        let mut lab = Workspace::init(&sandbox.path(name), &CreateOptions::default()).unwrap();
        let made = lab.catalog.change("dbag test", |change| {
            let mut subject = Table::new("domain", "Subject", "");
            subject.column_definitions.push(Column::new("Code", ColumnType::new("text")).required());
            subject.column_definitions.push(Column::new("Age", ColumnType::new("int8")));
            subject.add_key(&["Code"]);
            let mut visit = Table::new("domain", "Visit", "");
            visit.column_definitions.push(Column::new("Subject", ColumnType::new("text")).required());
            visit.add_foreign_key("Subject", "domain", "Subject", "RID");
            change.put_table(subject.clone())?;
            change.put_table(visit.clone())?;
            for (code, age) in rows {
                let values = [Value::Text((*code).into()), Value::Integer(*age)];
                let rid = change.insert(&change.writer(&subject)?, &values)?;
                change.insert(&change.writer(&visit)?, &[Value::Text(rid.to_string())])?;
            }
            Ok::<_, CatalogError>(())
        });
        made.unwrap();
        lab
    };
    let mut ours = keyed("ours", &[("P1", 60), ("P2", 40)]);
    let theirs = keyed("theirs", &[("P2", 41), ("P3", 50)]);
    let import = |ours: &mut Workspace| {
        let (to, from) = ((&mut ours.catalog, &ours.objects), (&theirs.catalog, &theirs.objects));
        import_workspace(to, from, "dbag import theirs", false, &NoProgress).unwrap()
    };
    let report = import(&mut ours);
    assert_eq!(report.merge.dangling, []);
    let rows = rows_of_catalog(&ours.catalog);
    let ages: BTreeMap<_, _> =
        rows["domain:Subject"].values().map(|row| (row["Code"].clone(), row["Age"].clone())).collect();
    let text = |text: &str| Some(text.to_owned());
    // Theirs was made later.
    let expected = [("P1", "60"), ("P2", "41"), ("P3", "50")];
    assert_eq!(ages, expected.map(|(code, age)| (text(code), text(age))).into());
    assert_eq!(rows["domain:Visit"].len(), 4);
    let before = ours.catalog.number_at(&Moment::Now).unwrap();
    import(&mut ours);
    assert_eq!(ours.catalog.number_at(&Moment::Now).unwrap(), before);
}
