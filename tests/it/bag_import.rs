//! Bags and other workspaces into a workspace: every row and cell, RIDs that are taken, again.

use std::collections::BTreeMap;

use dbag::bag::{Bag, NoProgress};
use dbag::catalog::{Catalog, CatalogError, Moment};
use dbag::ingest::{BagImport, BagImportReport, import_bag};
use dbag::open::Workspace;
use dbag::tables::{BagTables, TablesError};

use crate::real_bags::bags;
use crate::support::Sandbox;

/// Rows by RID, cells by column.
type Rows = BTreeMap<String, BTreeMap<String, Option<String>>>;

fn rows_of_bag(path: &std::path::Path) -> BTreeMap<String, Rows> {
    let bag = Bag::open(path).unwrap();
    let tables = BagTables::open(&bag).unwrap();
    let mut all = BTreeMap::new();
    for table in tables.tables().iter().filter(|table| !table.files.is_empty()) {
        let mut rows = Rows::new();
        tables
            .for_each(table, |row| {
                let names = table.table.column_definitions.iter().map(|column| column.name.clone());
                let cells: BTreeMap<_, _> = names
                    .zip(row.iter().map(|value| value.to_text().map(|text| text.into_owned())))
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
                    .zip(row.iter().map(|value| value.to_text().map(|text| text.into_owned())))
                    .collect();
                rows.insert(cells["RID"].clone().unwrap(), cells);
                Ok::<_, CatalogError>(())
            })
            .unwrap();
        all.insert(selection.table.qualified_name(), rows);
    }
    all
}

fn import(lab: &mut Workspace, path: &std::path::Path) -> BagImportReport {
    let options = BagImport { path, name: None, dry_run: false };
    import_bag(&mut lab.catalog, &lab.objects, &options, &NoProgress).unwrap()
}

#[test]
fn each_real_bag_comes_in_with_every_row_and_cell() {
    for bag in bags() {
        let sandbox = Sandbox::new();
        let mut lab = Workspace::init(&sandbox.path("lab"), &Default::default()).unwrap();
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
