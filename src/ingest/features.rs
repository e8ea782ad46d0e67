//! A CSV file into the values of a feature: a line for each target row.

use std::io::BufReader;
use std::path::Path;

use super::IngestError;
use crate::bag::Progress;
use crate::catalog::{Catalog, CatalogError, Change, FeatureInfo, FeatureWriter};
use crate::tabular::{CsvReader, SourceError};

/// How to read values of a feature.
#[derive(Debug, Clone, Copy)]
pub struct FeatureImport<'a> {
    /// The file. Its header names the column that finds the target, and columns of the feature.
    pub path: &'a Path,
    /// The target table.
    pub target: &'a str,
    /// The feature.
    pub name: &'a str,
    /// The target's column that finds its rows; without it the file has their RIDs, in a column `RID` or one called as in
    /// the feature's table.
    pub by: Option<&'a str>,
    /// The execution that made the values; without it, the one that makes this change.
    pub execution: Option<&'a str>,
    /// Whether only to say what would be done.
    pub dry_run: bool,
}

/// What became of a feature's values.
#[derive(Debug, Clone)]
pub struct FeatureReport {
    /// The feature.
    pub feature: FeatureInfo,
    /// The execution that they are by; none where nothing was kept.
    pub execution: Option<String>,
    /// How many there are.
    pub added: u64,
}

/// Adds the values in a CSV file to a feature: all of them or none.
pub fn import_feature(
    catalog: &mut Catalog,
    command: &str,
    import: &FeatureImport<'_>,
    progress: &dyn Progress,
) -> Result<FeatureReport, IngestError> {
    progress.begin("reading", 1, fs_err::metadata(import.path)?.len());
    let read = |change: &mut Change<'_>| read(change, import, progress);
    let report = if import.dry_run { catalog.rehearse(read)? } else { catalog.change(command, read)? };
    progress.end();
    let execution = report.execution.filter(|_| !import.dry_run && report.added > 0);
    Ok(FeatureReport { execution, ..report })
}

/// Where the file has what.
struct Layout<'a> {
    /// The field that finds the target, and the target's column that it is compared with.
    target: (usize, &'a str),
    /// Columns of the feature, and their fields.
    values: Vec<(usize, usize)>,
}

fn read(
    change: &mut Change<'_>,
    import: &FeatureImport<'_>,
    progress: &dyn Progress,
) -> Result<FeatureReport, IngestError> {
    let mut writer = FeatureWriter::new(change, import.target, import.name, import.execution)?;
    let path = import.path.to_owned();
    let csv = |source| IngestError::Source { path: path.clone(), source: SourceError::Csv(source) };
    let file = BufReader::with_capacity(1 << 20, fs_err::File::open(import.path)?);
    let mut reader = CsvReader::new(file).map_err(csv)?;
    let feature = writer.feature().clone();
    let layout = layout(&feature, reader.header(), import)?;
    let mut added = 0;
    while reader.next_record().map_err(csv)? {
        let line = reader.line();
        let at_line =
            |source: CatalogError| IngestError::AtLine { path: path.clone(), line, source: Box::new(source) };
        let (at, column) = layout.target;
        let Some(key) = reader.field(at) else {
            let column = reader.header()[at].clone();
            return Err(IngestError::EmptyKey { path: path.clone(), line, column });
        };
        let target = writer.target(change, column, key).map_err(at_line)?;
        let texts: Vec<(usize, Option<&str>)> =
            layout.values.iter().map(|&(column, at)| (column, reader.field(at))).collect();
        writer.add(change, &target, &texts, line).map_err(at_line)?;
        added += 1;
        progress.bytes(
            reader.header().len() as u64
                + texts.iter().filter_map(|t| t.1).map(str::len).sum::<usize>() as u64,
        );
        if progress.cancelled() {
            return Err(IngestError::Interrupted);
        }
    }
    Ok(FeatureReport { execution: Some(writer.execution()), feature, added })
}

fn layout<'a>(
    feature: &'a FeatureInfo,
    header: &[String],
    import: &FeatureImport<'a>,
) -> Result<Layout<'a>, IngestError> {
    let find = |name: &str| header.iter().position(|field| field == name);
    let target = match import.by {
        Some(by) => find(by).map(|at| (at, by)),
        None => find("RID").or_else(|| find(&feature.target_column)).map(|at| (at, &*feature.target_key)),
    };
    let target = target.ok_or_else(|| IngestError::NoSuchColumn {
        path: import.path.to_owned(),
        column: import.by.unwrap_or("RID").to_owned(),
        columns: header.join(", "),
    })?;
    let mut values = Vec::new();
    for (at, name) in header.iter().enumerate().filter(|(at, _)| *at != target.0) {
        let column = feature.position(name).map_err(|_| IngestError::UnknownColumn {
            path: import.path.to_owned(),
            column: name.clone(),
            table: format!("the feature {}", feature.name),
            columns: feature.column_names().join(", "),
        })?;
        values.push((column, at));
    }
    Ok(Layout { target, values })
}
