//! What a bag says of itself: bag-info.txt, and the list of what was withdrawn from it. Nothing of the run that wrote it.

use serde_json::json;

use super::{BAG_FORMAT, ExportError, ExportOptions};
use crate::catalog::{Catalog, NestedVersion, VersionSelection, Withdrawn};

/// The tag file that lists the rows which were withdrawn from the version.
pub(super) const TOMBSTONES: &str = "dbag-tombstones.json";

/// What is known of a version beside its rows.
pub(super) struct Beside {
    pub(super) nested: Vec<NestedVersion>,
    pub(super) withdrawn: Vec<Withdrawn>,
}

impl Beside {
    pub(super) fn of(catalog: &Catalog, selection: &VersionSelection) -> Result<Self, ExportError> {
        Ok(Self {
            nested: catalog.nested_versions(&selection.rid, selection.number)?,
            withdrawn: catalog.withdrawn_from(&selection.rid, &selection.reference.version)?,
        })
    }

    /// The content of `dbag-tombstones.json`.
    pub(super) fn tombstones(&self) -> String {
        let row = |row: &Withdrawn| {
            json!({
                "rid": row.rid,
                "table": row.table,
                "number": row.number,
                "date": row.date,
                "reason": row.reason,
            })
        };
        let rows: Vec<_> = self.withdrawn.iter().map(row).collect();
        format!("{:#}\n", json!(rows))
    }
}

/// The elements of bag-info.txt.
pub(super) fn bag_info(
    catalog: &Catalog,
    selection: &VersionSelection,
    beside: &Beside,
    options: &ExportOptions,
) -> Vec<(String, String)> {
    let reference = &selection.reference;
    let withdrawn = match beside.withdrawn.len() {
        0 => String::new(),
        count => count.to_string(),
    };
    let elements = [
        ("Bagging-Date", selection.snapshot.date()),
        ("External-Identifier", reference.to_string()),
        ("External-Description", selection.note.clone()),
        ("Dbag-Format", BAG_FORMAT.to_string()),
        ("Dbag-Dataset-Name", reference.name.to_string()),
        ("Dbag-Dataset-Version", reference.version.to_string()),
        ("Dbag-Dataset-RID", selection.rid.to_string()),
        ("Dbag-Dataset-Snapshot", selection.snapshot.to_string()),
        ("Dbag-Catalog", catalog.id().to_owned()),
        ("Dbag-Part", options.part().unwrap_or_default()),
        ("Dbag-Withdrawn", withdrawn),
    ];
    let nested = beside.nested.iter().map(|nested| ("Dbag-Nested", format!("{nested} ({})", nested.rid)));
    let filled = elements.into_iter().chain(nested).filter(|(_, value)| !value.trim().is_empty());
    filled.map(|(label, value)| (label.to_owned(), value)).collect()
}
