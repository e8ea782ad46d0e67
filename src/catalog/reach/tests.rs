//! What datasets hold, beside a walk over all rows in the simplest way.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::catalog::{Catalog, Change, Clock, CreateOptions, DatasetRef};
use crate::model::{Column, ColumnType};
use crate::tabular::Value;
use crate::version::{Bump, DatasetName};

fn table(name: &str, references: &[(&str, &str)]) -> Table {
    let mut table = Table::new("domain", name, "");
    for (column, to) in references {
        table.column_definitions.push(Column::new(column, ColumnType::new("text")));
        table.add_foreign_key(column, "domain", to, "RID");
    }
    table
}

/// Images are of subjects; scans and reports are of images and subjects; a subject may have a parent.
pub(in crate::catalog) fn lab(folder: &std::path::Path) -> Catalog {
    let options = CreateOptions { clock: Clock::Fixed(1_795_424_151_577_689), ..CreateOptions::default() };
    let mut catalog = Catalog::create(&folder.join("catalog.sqlite"), &options).unwrap();
    let tables = [
        table("Subject", &[("Parent", "Subject")]),
        table("Image", &[("Subject", "Subject")]),
        table("Report", &[("Subject", "Subject"), ("Image", "Image")]),
        table("Other", &[]),
    ];
    catalog
        .change::<_, CatalogError>("test", |change| {
            tables.into_iter().try_for_each(|table| change.put_table(table).map(drop))
        })
        .unwrap();
    catalog
}

pub(in crate::catalog) fn insert(
    change: &mut Change<'_>,
    table: &str,
    values: &[(&str, Option<&str>)],
) -> String {
    let writer = change.writer(&change.table(table).unwrap()).unwrap();
    let text = |value: Option<&str>| value.map_or(Value::Null, |text| Value::Text(text.to_owned()));
    let row: Vec<(&str, Value)> = values.iter().map(|(name, value)| (*name, text(*value))).collect();
    change.insert(&writer, &writer.row(&row)).unwrap().to_string()
}

/// What is selected of each table: its RIDs as they are read.
fn selected(catalog: &Catalog, tables: &[crate::catalog::TableSelection]) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for part in tables {
        let mut rids = Vec::new();
        catalog
            .for_each_selected::<CatalogError>(part, |row| {
                rids.push(row[0].to_text().unwrap().into_owned());
                Ok(())
            })
            .unwrap();
        assert!(rids.is_sorted());
        all.insert(part.table.table_name.clone(), rids);
    }
    all
}

fn now(catalog: &Catalog, name: &DatasetName, options: &SelectOptions) -> BTreeMap<String, Vec<String>> {
    let (_, tables) = catalog.select_now(name, options).unwrap();
    selected(catalog, &tables)
}

/// Two images of one subject, of which the first is a member, and reports of both.
fn small(folder: &std::path::Path) -> (Catalog, DatasetName, Vec<String>) {
    let mut catalog = lab(folder);
    let name: DatasetName = "scans".parse().unwrap();
    catalog.create_dataset(&name, "").unwrap();
    let rids = catalog
        .change::<_, CatalogError>("test", |change| {
            let parent = insert(change, "Subject", &[("Parent", None)]);
            let subject = insert(change, "Subject", &[("Parent", Some(&parent))]);
            let first = insert(change, "Image", &[("Subject", Some(&subject))]);
            let second = insert(change, "Image", &[("Subject", Some(&subject))]);
            let of_first = insert(change, "Report", &[("Image", Some(&first)), ("Subject", None)]);
            let of_subject = insert(change, "Report", &[("Image", None), ("Subject", Some(&subject))]);
            let other = insert(change, "Other", &[]);
            Ok(vec![parent, subject, first, second, of_first, of_subject, other])
        })
        .unwrap();
    let condition = format!("\"RID\" = '{}'", rids[2]);
    catalog.add_table_members(&name, "Image", Some(&condition)).unwrap();
    (catalog, name, rids)
}

#[test]
fn siblings_of_other_tables_come_and_those_of_the_same_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let (mut catalog, name, rids) = small(folder.path());
    let all = now(&catalog, &name, &SelectOptions::default());
    assert_eq!(all["Image"], [rids[2].clone()]);
    assert_eq!(all["Subject"], [rids[1].clone()], "a path comes to no table twice");
    assert_eq!(all["Report"], [rids[4].clone(), rids[5].clone()]);
    assert!(!all.contains_key("Other"));
    let only = |options: SelectOptions| now(&catalog, &name, &options).into_keys().collect::<Vec<_>>();
    let members = SelectOptions { members_only: true, ..SelectOptions::default() };
    assert!(!only(members.clone()).contains(&"Subject".to_owned()), "{:?}", only(members));
    let exclude = SelectOptions { exclude: vec!["Subject".into()], ..SelectOptions::default() };
    assert_eq!(now(&catalog, &name, &exclude)["Report"], [rids[4].clone()]);
    let images = SelectOptions { tables: vec!["Image".into()], ..SelectOptions::default() };
    let tables = only(images);
    assert!(
        tables.contains(&"Dataset_Image".to_owned()) && !tables.contains(&"Report".to_owned()),
        "{tables:?}"
    );
    let near = SelectOptions { max_depth: Some(2), ..SelectOptions::default() };
    assert!(!only(near).contains(&"Subject".to_owned()));
    let unknown = SelectOptions { tables: vec!["Imag".into()], ..SelectOptions::default() };
    assert!(catalog.select_now(&name, &unknown).unwrap_err().to_string().contains("Imag"));

    // What is changed later changes no version; labels of drift are in none.
    let release = catalog.release_dataset(&name, Bump::Major, "").unwrap();
    let then = |catalog: &Catalog| {
        let version = catalog.select_version(&release.reference, &SelectOptions::default()).unwrap();
        selected(catalog, &version.tables)
    };
    let before = then(&catalog);
    assert_eq!(before["Dataset_Version"].len(), 1);
    assert!(before["Execution_Status"].len() > 1, "vocabularies come whole");
    let subject = catalog.table("Subject").unwrap();
    catalog
        .change::<_, CatalogError>("test", |change| {
            let images = change.writer(&change.table("Image")?)?;
            change.set(&images, &rids[2], &[("Subject", Value::Text(rids[0].clone()))])?;
            change.delete(&change.table("Report")?, &rids[5])?;
            insert(change, "Report", &[("Image", Some(&rids[2])), ("Subject", None)]);
            change.rids_where(&subject, None).map(drop)
        })
        .unwrap();
    assert_eq!(then(&catalog), before);
    assert_eq!(now(&catalog, &name, &SelectOptions::default())["Subject"], [rids[0].clone()]);
}

#[test]
fn nested_datasets_bring_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let (mut catalog, name, rids) = small(folder.path());
    let outer: DatasetName = "all".parse().unwrap();
    let around: DatasetName = "around".parse().unwrap();
    let outer_rid = catalog.create_dataset(&outer, "").unwrap();
    catalog.create_dataset(&around, "").unwrap();
    catalog.nest_datasets(&outer, &["scans".into()]).unwrap();
    catalog.nest_datasets(&around, &["all".into()]).unwrap();
    let all = now(&catalog, &outer, &SelectOptions::default());
    assert_eq!(all["Image"], [rids[2].clone()]);
    assert_eq!(all["Dataset"].len(), 2);
    assert!(all["Dataset"].contains(&outer_rid.to_string()));
    // The link to the dataset around it is there, as in deriva-ml's bags, and that dataset isn't.
    assert_eq!(all["Dataset_Dataset"].len(), 2);
    assert_eq!(now(&catalog, &name, &SelectOptions::default())["Dataset"].len(), 1);
}

#[test]
fn why_something_is_in_or_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (mut catalog, name, rids) = small(folder.path());
    let other: DatasetName = "other".parse().unwrap();
    catalog.create_dataset(&other, "").unwrap();
    let condition = format!("\"RID\" = '{}'", rids[3]);
    catalog.add_table_members(&other, "Image", Some(&condition)).unwrap();
    let release = catalog.release_dataset(&name, Bump::Major, "").unwrap();
    let reference = DatasetRef { name, version: Some(release.reference.version) };
    let all = SelectOptions::default();
    let of = |catalog: &Catalog, rid: &str| {
        catalog.explain(&reference, None, Some(rid), &all).unwrap().row.unwrap()
    };
    let chain: Vec<String> =
        of(&catalog, &rids[5]).chain.unwrap().into_iter().map(|(table, _)| table).collect();
    assert_eq!(chain, ["Dataset", "Dataset_Image", "Image", "Subject", "Report"]);
    let why = |catalog: &Catalog, rid: &str| {
        let row = of(catalog, rid);
        assert_eq!(row.chain, None);
        row.why_not.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert!(why(&catalog, &rids[3]).contains("belongs to other"), "{}", why(&catalog, &rids[3]));
    assert!(why(&catalog, &rids[0]).contains("no row of Image leads to it"), "{}", why(&catalog, &rids[0]));
    assert!(why(&catalog, &rids[6]).contains("no foreign keys lead to it"), "{}", why(&catalog, &rids[6]));
    let late = catalog.change::<_, CatalogError>("test", |change| Ok(insert(change, "Other", &[]))).unwrap();
    assert!(why(&catalog, &late).contains("made later"));
    assert!(catalog.explain(&reference, None, Some("9-9999"), &all).is_err());
    let tables = catalog.explain(&reference, None, None, &all).unwrap().tables;
    let part = |name: &str| tables.iter().find(|part| part.table.ends_with(name)).unwrap();
    assert_eq!(part(":Image").rows, Some(1));
    assert_eq!(part(":Image").paths[0], ("Dataset > Dataset_Image > Image".into(), Some(1)));
    assert_eq!(part(":Other").why_not, Some(WhyNot::NoPath));
    let excluded = SelectOptions { exclude: vec!["Image".into()], ..SelectOptions::default() };
    let why_not = |table: &str| {
        let explained = catalog.explain(&reference, Some(table), None, &excluded).unwrap();
        explained.tables[0].why_not.clone()
    };
    assert_eq!(why_not("Image"), Some(WhyNot::Excluded));
    assert_eq!(why_not("Report"), Some(WhyNot::Narrowed));
}

#[test]
fn a_table_that_is_chosen_has_the_rows_that_it_has_among_all() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, name, rids) = small(folder.path());
    let of = |tables: &[&str]| {
        let tables = tables.iter().map(ToString::to_string).collect();
        now(&catalog, &name, &SelectOptions { tables, ..SelectOptions::default() })
    };
    let subjects = of(&["Subject"]);
    assert_eq!(subjects["Subject"], [rids[1].clone()]);
    assert_eq!(subjects.keys().filter(|table| table.contains("Image")).count(), 0, "{subjects:?}");
    assert_eq!(of(&["Subject", "Image"])["Dataset_Image"].len(), 1);
}

#[test]
fn the_way_is_found_among_many_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = lab(folder.path());
    let name: DatasetName = "scans".parse().unwrap();
    catalog.create_dataset(&name, "").unwrap();
    let (subject, image) = catalog
        .change::<_, CatalogError>("test", |change| {
            let subject = insert(change, "Subject", &[("Parent", None)]);
            let images = (0..2000).map(|_| insert(change, "Image", &[("Subject", Some(&subject))]));
            let last = images.last().unwrap();
            Ok((subject, last))
        })
        .unwrap();
    catalog.add_table_members(&name, "Image", Some(&format!("\"RID\" = '{image}'"))).unwrap();
    let all = SelectOptions::default();
    let now = DatasetRef { name, version: None };
    let chain = catalog.explain(&now, None, Some(&subject), &all).unwrap().row.unwrap().chain.unwrap();
    assert_eq!(chain[2..], [("Image".to_owned(), image), ("Subject".to_owned(), subject)]);
}

#[test]
fn which_rule_keeps_something_out() {
    let folder = tempfile::tempdir().unwrap();
    let (mut catalog, name, rids) = small(folder.path());
    let mut log = table("Log", &[]);
    log.column_definitions.push(Column::new("Execution", ColumnType::new("text")));
    log.add_foreign_key("Execution", crate::model::DERIVA_ML, "Execution", "RID");
    catalog.change::<_, CatalogError>("test", |change| change.put_table(log).map(drop)).unwrap();
    let other = catalog.create_dataset(&"other".parse().unwrap(), "").unwrap();
    let scans = catalog.dataset_details(&name).unwrap().summary.rid.to_string();
    let label = [("Dataset", Some(scans.as_str())), ("Version", Some("0.1.0.post1.dev1"))];
    let label = catalog
        .change::<_, CatalogError>("test", |change| Ok(insert(change, "Dataset_Version", &label)))
        .unwrap();
    let now = DatasetRef { name, version: None };
    let table = |options: &SelectOptions, table: &str| {
        catalog.explain(&now, Some(table), None, options).unwrap().tables[0].why_not.clone()
    };
    let all = SelectOptions::default();
    assert_eq!(table(&all, "Log"), Some(WhyNot::PastTerminal));
    assert_eq!(table(&all, "Other"), Some(WhyNot::NoPath));
    let near = SelectOptions { max_depth: Some(2), ..SelectOptions::default() };
    assert_eq!(table(&near, "Subject"), Some(WhyNot::TooDeep(2)));
    let members = SelectOptions { members_only: true, ..SelectOptions::default() };
    assert_eq!(table(&members, "Subject"), Some(WhyNot::Narrowed));
    let row = |rid: &str| catalog.explain(&now, None, Some(rid), &all).unwrap().row.unwrap();
    assert_eq!(row(other.as_str()).why_not, [WhyNot::OtherDataset]);
    let a_term = "SELECT \"RID\" FROM main.\"deriva-ml:Dataset_Type\"";
    let a_term: String = catalog.connection.query_row(a_term, (), |row| row.get(0)).unwrap();
    assert!(row(&rids[2]).is_in() && !row(&rids[2]).whole);
    let term = row(&a_term);
    assert!(term.is_in() && term.whole && term.why_not.is_empty(), "{term:?}");
    let drift = row(&label);
    assert_eq!((drift.is_in(), &drift.why_not[..]), (false, &[WhyNot::NotReleased][..]));
}

/// Sites have a key of a text and a number, and lie in regions by their names; notes are of regions.
fn sites(catalog: &mut Catalog) {
    let column = |table: &mut Table, name: &str, typename: &str| {
        table.column_definitions.push(Column::new(name, ColumnType::new(typename)));
    };
    let mut tables = ["Region", "Site", "Note", "Scan"].map(|name| Table::new("domain", name, ""));
    let [region, site, note, scan] = &mut tables;
    column(region, "Title", "text");
    region.add_key(&["Title"]);
    for table in [&mut *site, &mut *scan] {
        column(table, "Country", "text");
        column(table, "Number", "int4");
    }
    site.add_key(&["Country", "Number"]);
    for table in [&mut *site, &mut *note] {
        column(table, "Region", "text");
        table.add_foreign_key("Region", "domain", "Region", "Title");
    }
    scan.add_foreign_key("Country", "domain", "Site", "Country");
    let key = scan.foreign_keys.last_mut().unwrap();
    let number = |columns: &mut Vec<crate::model::ColumnRef>| {
        let mut second = columns[0].clone();
        second.column_name = "Number".into();
        columns.push(second);
    };
    number(&mut key.foreign_key_columns);
    number(&mut key.referenced_columns);
    catalog
        .change::<_, CatalogError>("test", |change| {
            tables.into_iter().try_for_each(|table| change.put_table(table).map(drop))
        })
        .unwrap();
}

#[test]
fn keys_of_texts_and_of_several_columns_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = lab(folder.path());
    sites(&mut catalog);
    let [few, many]: [DatasetName; 2] = ["few", "many"].map(|name| name.parse().unwrap());
    catalog.create_dataset(&few, "").unwrap();
    catalog.create_dataset(&many, "").unwrap();
    let rows = catalog
        .change::<_, CatalogError>("test", |change| {
            let mut rows = Vec::new();
            // Texts of which one and the number after it could be taken for another pair.
            for at in 0..40_i64 {
                let (region, country) = (format!("R{}", at / 2), format!("1:{}", at / 20));
                if at % 2 == 0 {
                    insert(change, "Region", &[("Title", Some(&region))]);
                    insert(change, "Note", &[("Region", Some(&region))]);
                }
                let number = |change: &mut Change<'_>, table: &str, region: Option<&str>| {
                    let writer = change.writer(&change.table(table).unwrap()).unwrap();
                    let text = |text: &str| Value::Text(text.to_owned());
                    let mut row = vec![("Country", text(&country)), ("Number", Value::Integer(at % 20))];
                    row.extend(region.map(|region| ("Region", text(region))));
                    change.insert(&writer, &writer.row(&row)).unwrap().to_string()
                };
                let site = number(change, "Site", Some(&region));
                rows.push((number(change, "Scan", None), site));
            }
            Ok(rows)
        })
        .unwrap();
    catalog.add_table_members(&few, "Scan", Some(&format!("\"RID\" = '{}'", rows[25].0))).unwrap();
    catalog.add_table_members(&many, "Scan", Some("\"Country\" = '1:0'")).unwrap();
    let all = now(&catalog, &few, &SelectOptions::default());
    assert_eq!((&all["Scan"], &all["Site"]), (&vec![rows[25].0.clone()], &vec![rows[25].1.clone()]));
    assert_eq!((all["Region"].len(), all["Note"].len()), (1, 1));
    let all = now(&catalog, &many, &SelectOptions::default());
    let half: Vec<String> = rows[..20].iter().map(|(_, site)| site.clone()).collect();
    assert_eq!(all["Site"], half);
    assert_eq!((all["Region"].len(), all["Note"].len()), (10, 10));
    let part = DatasetRef { name: few, version: None };
    let options = SelectOptions::default();
    assert!(catalog.explain(&part, None, Some(&rows[25].1), &options).unwrap().row.unwrap().is_in());
    assert!(!catalog.explain(&part, None, Some(&rows[5].1), &options).unwrap().row.unwrap().is_in());
}

/// Rows of a table: its RID, then what its references hold.
type Rows = BTreeMap<String, Vec<(String, BTreeMap<String, Option<String>>)>>;

/// What the paths of a walk lead to, row by row.
fn naive(
    model: &Model,
    rows: &Rows,
    family: &str,
    links: &[(String, String, String)],
) -> BTreeMap<String, BTreeSet<String>> {
    let rules = WalkRules::default();
    let walk = model.walk(&rules).unwrap();
    let mut sets: Vec<BTreeSet<String>> = vec![BTreeSet::from([family.to_owned()])];
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for step in &walk.steps[1..] {
        let (from, hop) = step.from.unwrap();
        let name = step.table.table_name.as_str();
        let column = hop.key.single().unwrap().0;
        let found: BTreeSet<String> = match (walk.steps[from].table.table_name.as_str(), name) {
            ("Dataset", "Dataset_Image") => links.iter().map(|link| link.0.clone()).collect(),
            ("Dataset_Image", "Image") => {
                links.iter().filter(|link| sets[from].contains(&link.0)).map(|link| link.2.clone()).collect()
            }
            (before, after) if hop.outbound => {
                let Some(before) = rows.get(before).filter(|_| rows.contains_key(after)) else {
                    sets.push(BTreeSet::new());
                    continue;
                };
                let leaving = before.iter().filter(|(rid, _)| sets[from].contains(rid));
                leaving.filter_map(|(_, cells)| cells[column].clone()).collect()
            }
            (_, after) => {
                let of = rows.get(after).into_iter().flatten();
                let refers = |cells: &BTreeMap<String, Option<String>>| {
                    cells.get(column).cloned().flatten().is_some_and(|rid| sets[from].contains(&rid))
                };
                of.filter(|(_, cells)| refers(cells)).map(|(rid, _)| rid.clone()).collect()
            }
        };
        if rows.contains_key(name) {
            all.entry(name.to_owned()).or_default().extend(found.iter().cloned());
        }
        sets.push(found);
    }
    all.retain(|_, set| !set.is_empty());
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_is_joined_is_what_the_rows_say(
        subjects in proptest::collection::vec(proptest::option::of(0..8_usize), 1..8),
        images in proptest::collection::vec((proptest::option::of(0..8_usize), any::<bool>()), 1..20),
        reports in proptest::collection::vec((proptest::option::of(0..8_usize), proptest::option::of(0..20_usize)), 0..20),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut catalog = lab(folder.path());
        let name: DatasetName = "scans".parse().unwrap();
        let dataset = catalog.create_dataset(&name, "").unwrap();
        let mut rows: Rows = BTreeMap::new();
        catalog.change::<_, CatalogError>("test", |change| {
            let mut put = |rows: &mut Rows, table: &str, cells: Vec<(&str, Option<String>)>| {
                let values: Vec<(&str, Option<&str>)> = cells.iter().map(|(name, rid)| (*name, rid.as_deref())).collect();
                let rid = insert(change, table, &values);
                let cells = cells.into_iter().map(|(name, rid)| (name.to_owned(), rid)).collect();
                rows.entry(table.to_owned()).or_default().push((rid, cells));
            };
            let nth = |rows: &Rows, table: &str, at: Option<usize>| {
                at.and_then(|at| rows.get(table)?.get(at).map(|(rid, _)| rid.clone()))
            };
            for parent in &subjects {
                let parent = nth(&rows, "Subject", *parent);
                put(&mut rows, "Subject", vec![("Parent", parent)]);
            }
            for (subject, _) in &images {
                let subject = nth(&rows, "Subject", *subject);
                put(&mut rows, "Image", vec![("Subject", subject)]);
            }
            for (subject, image) in &reports {
                let cells = vec![("Subject", nth(&rows, "Subject", *subject)), ("Image", nth(&rows, "Image", *image))];
                put(&mut rows, "Report", cells);
            }
            Ok(())
        }).unwrap();
        let chosen: Vec<String> = images.iter().zip(&rows["Image"]).filter(|((_, is_member), _)| *is_member)
            .map(|(_, (rid, _))| format!("'{rid}'")).collect();
        catalog.add_table_members(&name, "Image", Some(&format!("\"RID\" IN ({})", chosen.join(", ")))).unwrap();
        let (model, tables) = catalog.select_now(&name, &SelectOptions::default()).unwrap();
        let links: Vec<(String, String, String)> = catalog.rehearse::<_, CatalogError>(|change| {
            let mut links = Vec::new();
            if let Ok(table) = change.table("Dataset_Image") {
                let at = |name: &str| 1 + table.own_columns().position(|column| column.name == name).unwrap();
                let (outer, inner) = (at("Dataset"), at("Image"));
                change.for_each(&table, |row| {
                    let text = |at: usize| row[at].to_text().unwrap().into_owned();
                    links.push((text(0), text(outer), text(inner)));
                    Ok::<_, CatalogError>(())
                })?;
            }
            Ok(links)
        }).unwrap();
        let expected = if links.is_empty() { BTreeMap::new() } else { naive(&model, &rows, dataset.as_str(), &links) };
        let mut found = selected(&catalog, &tables);
        found.retain(|table, _| rows.contains_key(table));
        let found: BTreeMap<String, BTreeSet<String>> =
            found.into_iter().map(|(table, rids)| (table, rids.into_iter().collect())).collect();
        prop_assert_eq!(found, expected);
    }
}
