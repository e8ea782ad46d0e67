//! Rows erased, and what is left.

use super::*;
use crate::bag::NoProgress;
use crate::catalog::reach::tests::{insert, lab};
use crate::catalog::{DatasetRef, SelectOptions};
use crate::version::{Bump, DatasetName};

/// A released dataset of one image of two, with a report of each.
fn filled(folder: &std::path::Path) -> (Catalog, DatasetName, Vec<String>) {
    let mut catalog = lab(folder);
    let name: DatasetName = "scans".parse().unwrap();
    catalog.create_dataset(&name, "").unwrap();
    let rids = catalog
        .change::<_, CatalogError>("dbag import secret-name.csv", |change| {
            let subject = insert(change, "Subject", &[("Parent", None)]);
            let first = insert(change, "Image", &[("Subject", Some(&subject))]);
            let second = insert(change, "Image", &[("Subject", Some(&subject))]);
            let report = insert(change, "Report", &[("Image", Some(&first)), ("Subject", None)]);
            Ok(vec![subject, first, second, report])
        })
        .unwrap();
    let which = format!("\"RID\" = '{}'", rids[1]);
    catalog.add_table_members(&name, "Image", Some(&which)).unwrap();
    catalog.release_dataset(&name, Bump::Major, "").unwrap();
    (catalog, name, rids)
}

fn of(rid: &str) -> PurgeOptions {
    PurgeOptions { rids: vec![rid.to_owned()], ..PurgeOptions::default() }
}

#[test]
fn a_row_goes_with_what_links_it_and_a_tombstone_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (mut catalog, name, rids) = filled(folder.path());
    let hindered = catalog.purge(&of(&rids[1]), "asked for").unwrap_err();
    assert!(hindered.to_string().contains(&format!("domain:Report {}", rids[3])), "{hindered}");
    let options = PurgeOptions { with_dependents: true, ..of(&rids[1]) };
    let before = catalog.transactions(9).unwrap().len();
    let planned = catalog.plan_purge(&options).unwrap();
    assert_eq!(catalog.transactions(9).unwrap().len(), before, "a plan leaves nothing");
    let purged = catalog.purge(&options, "asked for").unwrap();
    assert_eq!((&purged.tables, &purged.versions), (&planned.tables, &planned.versions));
    let tables: Vec<(&str, u64)> =
        purged.tables.iter().map(|(table, rows)| (table.as_str(), *rows)).collect();
    assert_eq!(tables, [("domain:Dataset_Image", 1), ("domain:Image", 1), ("domain:Report", 1)]);
    assert_eq!(purged.versions, ["scans@1.0.0"]);
    assert!(catalog.pending_purge().unwrap().is_some());
    assert!(catalog.check(&NoProgress).unwrap().faults.iter().any(|fault| fault.code == "W419"));
    catalog.finish_purge().unwrap();
    assert_eq!(catalog.check(&NoProgress).unwrap().faults, []);
    assert_eq!(catalog.tombstones().unwrap().len(), 3);
    // It is in no version any more, and the dataset is to be released anew.
    let version = DatasetRef { name: name.clone(), version: Some("1.0.0".parse().unwrap()) };
    let reference = crate::version::VersionRef { name: name.clone(), version: "1.0.0".parse().unwrap() };
    let selection = catalog.select_version(&reference, &SelectOptions::default()).unwrap();
    assert!(!selection.tables.iter().any(|part| part.table.table_name == "Image"));
    assert_eq!(catalog.withdrawn_from(&selection.rid, &reference.version).unwrap().len(), 3);
    assert!(catalog.explain(&version, None, Some(&rids[1]), &SelectOptions::default()).is_err());
    assert!(catalog.dataset_details(&name).unwrap().drift.unwrap().any());
    assert!(matches!(catalog.undo(false), Err(CatalogError::WithdrawnForGood(_))));
    let again = catalog.purge(&options, "again").unwrap_err().to_string();
    assert!(again.contains("was withdrawn on") && again.contains("asked for"), "{again}");
}

#[test]
fn what_is_no_data_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (mut catalog, name, _) = filled(folder.path());
    let dataset = catalog.dataset_details(&name).unwrap().summary.rid;
    assert!(matches!(catalog.purge(&of(dataset.as_str()), "x"), Err(CatalogError::NotToPurge { .. })));
    assert!(matches!(catalog.purge(&of("9-9999"), "x"), Err(CatalogError::NoSuchRid(_))));
    let options = PurgeOptions {
        table: Some("Image".into()),
        condition: Some("\"RID\" = 'none'".into()),
        ..PurgeOptions::default()
    };
    assert!(matches!(catalog.purge(&options, "x"), Err(CatalogError::NothingToPurge)));
    assert!(catalog.tombstones().unwrap().is_empty());
}
