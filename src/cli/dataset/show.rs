//! `dbag dataset list`, `show`

use clap::Args;
use serde_json::{Value, json};

use super::{Context, Outcome};
use crate::catalog::{DatasetDetails, DatasetSummary, Drift, NestedDataset};
use crate::cli::log::nested_document;
use crate::cli::printer::{Printer, count};
use crate::version::Label;

/// List the datasets
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag dataset list\n  dbag dataset list --all --json")]
pub(super) struct List {
    /// The deleted ones too
    #[arg(long)]
    all: bool,
}

/// Show a dataset's types, members, nested datasets, versions, and what has changed since the last one
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag dataset show digits")]
pub(super) struct Show {
    /// The dataset, by name or RID
    dataset: String,
}

fn summary(dataset: &DatasetSummary) -> Value {
    json!({
        "name": dataset.name.as_str(),
        "rid": dataset.rid.as_str(),
        "description": dataset.description,
        "types": dataset.types,
        "deleted": dataset.deleted,
        "version": dataset.version.as_ref().map(ToString::to_string),
        "members": dataset.members,
    })
}

impl List {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = context.workspace()?.catalog;
        let datasets = if self.all { catalog.all_datasets()? } else { catalog.datasets()? };
        for dataset in &datasets {
            let version =
                dataset.version.as_ref().map_or("not released".to_owned(), |version| format!("@{version}"));
            context.printer.line(format!(
                "{:<20} {version:<14} {:>14}  {}{}",
                dataset.name.as_str(),
                count(dataset.members, "member"),
                if dataset.deleted { "[deleted] " } else { "" },
                dataset.description.lines().next().unwrap_or_default()
            ))?;
        }
        if datasets.is_empty() {
            context.printer.line("There are no datasets yet")?;
        }
        context.printer.document(&json!({"datasets": datasets.iter().map(summary).collect::<Vec<_>>()}))?;
        Ok(0)
    }
}

impl Show {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = context.workspace()?.catalog;
        let details = catalog.dataset_details(&catalog.dataset_named(&self.dataset)?)?;
        print(context.printer, &details)?;
        context.printer.document(&document(&details))?;
        Ok(0)
    }
}

fn print(printer: Printer, details: &DatasetDetails) -> std::io::Result<()> {
    let dataset = &details.summary;
    let about =
        if dataset.description.is_empty() { String::new() } else { format!(": {}", dataset.description) };
    let deleted = if dataset.deleted { ", deleted" } else { "" };
    printer.line(format!("{} (RID {}{deleted}){about}", dataset.name, dataset.rid))?;
    if !dataset.types.is_empty() {
        printer.line(format!("  types     {}", dataset.types.join(", ")))?;
    }
    let shown: Vec<String> =
        details.members.iter().map(|count| format!("{} {}", count.rows, count.table)).collect();
    printer
        .line(format!("  members   {}", if shown.is_empty() { "none".into() } else { shown.join(", ") }))?;
    for (what, nested) in [("nested", &details.children), ("nested in", &details.parents)] {
        if !nested.is_empty() {
            let shown: Vec<String> = nested.iter().map(shown_nested).collect();
            printer.line(format!("  {what:<9} {}", shown.join(", ")))?;
        }
    }
    for version in &details.versions {
        printer.line(format!(
            "  @{:<8} {}  {}  {}",
            version.version,
            version.snapshot.date(),
            version.snapshot,
            version.note
        ))?;
        if !version.nested.is_empty() {
            let nested: Vec<String> = version.nested.iter().map(ToString::to_string).collect();
            printer.line(format!("            with {}", nested.join(", ")))?;
        }
    }
    match details.drift {
        Some(drift) => printer.line(format!("  drift     {}", shown_drift(&drift)))?,
        None => return Ok(()),
    }
    match &details.label {
        Some(label @ Label::Dev { .. }) => printer.line(format!("  now       {label}")),
        _ => Ok(()),
    }
}

fn shown_nested(nested: &NestedDataset) -> String {
    let version = nested.version.as_ref().map_or_else(String::new, |version| format!("@{version}"));
    let deleted = if nested.deleted { " (deleted)" } else { "" };
    format!("{}{version}{deleted}", nested.called())
}

fn shown_drift(drift: &Drift) -> String {
    if !drift.any() {
        return "none: nothing has changed since".into();
    }
    let mut parts =
        vec![format!("{} added, {} removed, {} changed since", drift.added, drift.removed, drift.changed)];
    let others = [
        (drift.tables, "table has other columns", "tables have other columns"),
        (drift.types, "type given or taken", "types given or taken"),
        (drift.nested, "dataset nested or taken out", "datasets nested or taken out"),
        (drift.nested_changed, "nested dataset has changed", "nested datasets have changed"),
        (drift.linked, "row that members lead to", "rows that members lead to"),
        (drift.withdrawn, "row was withdrawn", "rows were withdrawn"),
    ];
    let others = others.into_iter().filter(|(number, ..)| *number > 0);
    parts.extend(
        others.map(|(number, one, more)| format!("{number} {}", if number == 1 { one } else { more })),
    );
    if drift.description {
        parts.push("described otherwise".into());
    }
    parts.join("; ")
}

fn document(details: &DatasetDetails) -> Value {
    let mut document = summary(&details.summary);
    document["members_by_table"] =
        details.members.iter().map(|count| json!({"table": count.table, "rows": count.rows})).collect();
    let nested = |nested: &[NestedDataset]| -> Value {
        let one = |nested: &NestedDataset| {
            json!({
                "name": nested.name.as_ref().map(ToString::to_string),
                "rid": nested.rid.as_str(),
                "version": nested.version.as_ref().map(ToString::to_string),
                "deleted": nested.deleted,
            })
        };
        nested.iter().map(one).collect()
    };
    document["nested"] = nested(&details.children);
    document["nested_in"] = nested(&details.parents);
    let versions = details.versions.iter().map(|version| {
        json!({
            "version": version.version.to_string(),
            "snapshot": version.snapshot.to_string(),
            "released": version.snapshot.timestamp(),
            "note": version.note,
            "nested": nested_document(&version.nested),
        })
    });
    document["versions"] = versions.collect();
    document["label"] = json!(details.label.as_ref().map(ToString::to_string));
    document["drift"] = json!(details.drift.map(|drift| json!({
        "added": drift.added,
        "removed": drift.removed,
        "changed": drift.changed,
        "tables": drift.tables,
        "types": drift.types,
        "nested": drift.nested,
        "nested_changed": drift.nested_changed,
        "linked": drift.linked,
        "withdrawn": drift.withdrawn,
        "description": drift.description,
    })));
    document
}
