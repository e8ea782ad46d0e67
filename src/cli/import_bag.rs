//! `dbag import` of a bag or of another workspace.

use std::path::Path;

use serde_json::{Value, json};

use super::printer::count;
use super::size::size;
use super::{Context, Outcome};
use crate::Error;
use crate::catalog::Clock;
use crate::ingest::{BagImport, MergeReport, import_bag, import_workspace};
use crate::open::Workspace;
use crate::version::DatasetName;

/// What a path is to an import.
pub(super) enum Kind {
    Bag,
    Workspace,
    Other,
}

impl Kind {
    /// Told by what is in a folder, or by an archive's name.
    pub(super) fn of(path: &Path) -> Self {
        if path.join(".dbag").join("format").is_file() {
            return Self::Workspace;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let archives = [".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz"];
        let is_archive = path.is_file() && archives.iter().any(|end| name.ends_with(end));
        if is_archive || path.join("bagit.txt").is_file() { Self::Bag } else { Self::Other }
    }
}

/// Imports a bag and prints what came.
pub(super) fn bag(path: &Path, name: Option<&DatasetName>, dry_run: bool, context: &Context) -> Outcome {
    let mut workspace = context.workspace()?;
    let import = BagImport { path, name, dry_run };
    let report = import_bag(&mut workspace.catalog, &workspace.objects, &import, &context.bar())?;
    print_merge(&report.merge, context)?;
    for (name, rid, version) in &report.datasets {
        let version = version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
        context.printer.line(format!("dataset {name}{version} (RID {rid})"))?;
    }
    if report.files + report.remote_files > 0 {
        let here = format!("{} ({}) in the workspace", count(report.files, "file"), size(report.bytes));
        let there = if report.remote_files > 0 {
            format!(", {} where their rows say", report.remote_files)
        } else {
            String::new()
        };
        context.printer.line(format!("{here}{there}"))?;
    }
    let mut document = merge_document(&report.merge);
    document["datasets"] = report
        .datasets
        .iter()
        .map(|(name, rid, version)| json!({"name": name, "rid": rid, "version": version}))
        .collect();
    document["files"] = report.files.into();
    document["bytes"] = report.bytes.into();
    document["remote_files"] = report.remote_files.into();
    context.printer.document(&document)?;
    Ok(0)
}

/// Merges another workspace and prints what came.
pub(super) fn workspace(path: &Path, dry_run: bool, context: &Context) -> Outcome {
    let other = Workspace::open(path, Clock::System)?;
    let mut ours = context.workspace()?;
    let command = format!("dbag import {}", path.display());
    let report = import_workspace(
        (&mut ours.catalog, &ours.objects),
        (&other.catalog, &other.objects),
        &command,
        dry_run,
        &context.bar(),
    )?;
    print_merge(&report.merge, context)?;
    for (there, here, rid) in &report.datasets {
        let renamed = if there == here { String::new() } else { format!(", called {there} there") };
        context.printer.line(format!("dataset {here} (RID {rid}){renamed}"))?;
    }
    if report.files > 0 {
        context.printer.line(format!("{} ({})", count(report.files, "file"), size(report.bytes)))?;
    }
    let mut document = merge_document(&report.merge);
    document["datasets"] = report
        .datasets
        .iter()
        .map(|(there, here, rid)| json!({"name": here, "name_there": there, "rid": rid}))
        .collect();
    document["files"] = report.files.into();
    document["bytes"] = report.bytes.into();
    context.printer.document(&document)?;
    Ok(0)
}

fn print_merge(merge: &MergeReport, context: &Context) -> Result<(), Error> {
    let printer = context.printer;
    for table in &merge.tables {
        let mut parts = Vec::new();
        let counts = [
            (table.added, "new"),
            (table.updated, "updated"),
            (table.unchanged, "already there"),
            (table.kept, "kept: changed later here"),
            (table.withdrawn, "left out: withdrawn here"),
        ];
        parts
            .extend(counts.iter().filter(|(rows, _)| *rows > 0).map(|(rows, what)| format!("{rows} {what}")));
        // Tables that a model only speaks of would fill the screen.
        if !parts.is_empty() {
            printer.line(format!("{}: {}", table.table, parts.join(", ")))?;
        }
    }
    let made = merge.tables.iter().filter(|table| table.created).count() as u64;
    if made > 0 {
        printer.line(format!("{} made", count(made, "table")))?;
    }
    for (table, theirs, ours) in merge.remapped.iter().take(20) {
        printer.line(format!("{table}: {theirs} is another row's RID here; it is {ours} now"))?;
    }
    if merge.remapped.len() > 20 {
        printer.line(format!("… and {} more RIDs given anew", merge.remapped.len() - 20))?;
    }
    for (column, rows) in &merge.dangling {
        printer.line(format!("{column}: {} to rows that are not here", count(*rows, "reference")))?;
    }
    if merge.dry_run {
        printer.line("nothing was imported (--dry-run)")?;
    }
    Ok(())
}

fn merge_document(merge: &MergeReport) -> Value {
    let tables: Vec<Value> = merge
        .tables
        .iter()
        .map(|table| {
            json!({
                "table": table.table,
                "created": table.created,
                "added": table.added,
                "updated": table.updated,
                "unchanged": table.unchanged,
                "kept": table.kept,
                "withdrawn": table.withdrawn,
            })
        })
        .collect();
    let remapped: Vec<Value> = merge
        .remapped
        .iter()
        .map(|(table, theirs, ours)| json!({"table": table, "theirs": theirs, "ours": ours}))
        .collect();
    let dangling: Vec<Value> =
        merge.dangling.iter().map(|(column, rows)| json!({"column": column, "rows": rows})).collect();
    json!({"tables": tables, "remapped": remapped, "dangling": dangling, "dry_run": merge.dry_run})
}
