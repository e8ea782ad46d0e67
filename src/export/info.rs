//! bag-info.txt: what the bag is and where it is from, nothing of the run that wrote it.

use super::{BAG_FORMAT, ExportOptions};
use crate::catalog::{Catalog, VersionSelection};

pub(super) fn bag_info(
    catalog: &Catalog,
    selection: &VersionSelection,
    options: &ExportOptions,
    withdrawn: u64,
) -> Vec<(String, String)> {
    let reference = &selection.reference;
    let mut elements = vec![
        ("Bagging-Date", selection.snapshot.date()),
        ("External-Identifier", reference.to_string()),
        ("External-Description", selection.note.clone()),
        ("Dbag-Format", BAG_FORMAT.to_string()),
        ("Dbag-Dataset-Name", reference.name.to_string()),
        ("Dbag-Dataset-Version", reference.version.to_string()),
        ("Dbag-Dataset-RID", selection.rid.to_string()),
        ("Dbag-Dataset-Snapshot", selection.snapshot.to_string()),
        ("Dbag-Catalog", catalog.id().to_owned()),
    ];
    for nested in &selection.nested {
        elements.push(("Dbag-Nested", format!("{nested} ({})", nested.rid)));
    }
    elements.extend(options.part().map(|part| ("Dbag-Part", part)));
    elements.extend((withdrawn > 0).then(|| ("Dbag-Withdrawn", withdrawn.to_string())));
    let filled = elements.into_iter().filter(|(_, value)| !value.trim().is_empty());
    filled.map(|(label, value)| (label.to_owned(), value)).collect()
}
