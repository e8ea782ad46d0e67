//! `dbag diff`

use clap::Args;
use serde_json::{Value as Json, json};

use super::{Context, Outcome};
use crate::diff::{Counts, Diff, NestedChange, NestedDiff, RowChange, RowDiff, SchemaDiff};
use crate::open::{DiffOptions, diff};
use crate::tabular::Value;
use crate::version::propose;

/// Tell what differs between two versions of a dataset, or between two bags
///
/// Each side is a dataset as it is (NAME), a version (NAME@1.0.0, NAME@^1.2), or a bag's path. What differs is told by table: rows added
/// (+), removed (-) and changed (~); then members, files, columns and nested datasets, and which number a release would raise, and why.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag diff digits@1.0.0 digits\n  dbag diff digits@1.0.0 digits@1.1.0 --rows --table Label\n  dbag diff digits-1.0.0.zip digits-1.1.0.zip --stat\n  dbag diff digits@1.0.0 received.zip --exit-code"
)]
pub(super) struct DiffCommand {
    /// What is compared
    from: String,
    /// With what
    to: String,
    /// Only this table
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Show the rows that differ, with the values that they had and have; at most N
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "50", conflicts_with = "stat")]
    rows: Option<u64>,
    /// Only the numbers of each table
    #[arg(long)]
    stat: bool,
    /// End with 1 where anything differs
    #[arg(long)]
    exit_code: bool,
}

impl DiffCommand {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let limit = self.rows.or_else(|| context.printer.is_json().then_some(0)).unwrap_or(0);
        let (mut shown, mut rows) = (Vec::new(), 0_u64);
        let options = DiffOptions { table: self.table.clone(), here: context.here() };
        let bar = context.bar();
        let found = diff(&self.from, &self.to, &options, &bar, &mut |row| {
            rows += 1;
            if rows <= limit {
                shown.push(row);
            }
            Ok(())
        })?;
        drop(bar);
        let (bump, reasons) = propose(&found.facts());
        let differs = rows > 0 || found.any();
        for line in lines(&found, self.stat) {
            context.printer.line(line)?;
        }
        for row in &shown {
            print_row(row, context)?;
        }
        if limit > 0 && rows > limit {
            context.printer.line(format!("… and {} more rows; --rows N shows N of them", rows - limit))?;
        }
        match (differs, found.any()) {
            (false, _) => context.printer.line("Nothing differs")?,
            (true, false) => context.printer.line("Nothing differs that calls for a new version")?,
            _ if self.stat => {}
            _ => context.printer.line(format!("{}: {}", bump.as_str(), reasons.join(", ")))?,
        }
        let mut document = document(&found);
        document["bump"] = if found.any() { json!(bump.as_str()) } else { Json::Null };
        document["reasons"] = json!(reasons);
        document["differing_rows"] = json!(rows);
        document["rows"] = shown.iter().map(row_document).collect();
        context.printer.document(&document)?;
        Ok(u8::from(self.exit_code && differs))
    }
}

/// What differs, a line for each table and each thing beside tables.
pub(super) fn lines(found: &Diff, stat: bool) -> Vec<String> {
    let width = found.tables.iter().map(|table| table.table.chars().count()).max().unwrap_or(0);
    let mut lines: Vec<String> = found
        .tables
        .iter()
        .map(|table| format!("{:<width$}  {}", table.table, counts(table.rows)).trim_end().to_owned())
        .collect();
    if stat {
        return lines;
    }
    if found.members.any() {
        lines.push(format!("members  {}", counts(found.members)));
    }
    if found.files.any() {
        lines.push(format!("files  {}", counts(found.files)));
    }
    lines.extend(found.schema.iter().map(schema_line));
    lines.extend(found.nested.iter().map(nested_line));
    lines.extend(found.types.0.iter().map(|name| format!("type {name} given")));
    lines.extend(found.types.1.iter().map(|name| format!("type {name} taken away")));
    lines.extend(found.description.then(|| "described otherwise".to_owned()));
    lines
}

fn counts(counts: Counts) -> String {
    let parts = [("+", counts.added), ("-", counts.removed), ("~", counts.changed)];
    let parts =
        parts.iter().filter(|(_, number)| *number > 0).map(|(sign, number)| format!("{sign}{number}"));
    parts.collect::<Vec<_>>().join(" ")
}

fn schema_line(change: &SchemaDiff) -> String {
    match change {
        SchemaDiff::TableAdded { table } => format!("table {table} added"),
        SchemaDiff::TableRemoved { table } => format!("table {table} removed"),
        SchemaDiff::ColumnAdded { table, column } => format!("column {table}.{column} added"),
        SchemaDiff::ColumnRemoved { table, column } => format!("column {table}.{column} removed"),
        SchemaDiff::ColumnRetyped { table, column, from, to } => {
            format!("column {table}.{column} was {from}, is {to}")
        }
    }
}

fn nested_line(nested: &NestedDiff) -> String {
    let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "unreleased".into());
    let dataset = &nested.dataset;
    match nested.change {
        NestedChange::Added => format!("dataset {dataset} nested ({})", version(&nested.to)),
        NestedChange::Removed => format!("dataset {dataset} taken out ({})", version(&nested.from)),
        NestedChange::Raised => {
            format!("nested dataset {dataset} was {}, is {}", version(&nested.from), version(&nested.to))
        }
    }
}

fn print_row(row: &RowDiff, context: &Context) -> std::io::Result<()> {
    let name = format!("{} {}", row.table, row.rid);
    match &row.change {
        RowChange::Added => context.printer.line(format!("+ {name}")),
        RowChange::Removed => context.printer.line(format!("- {name}")),
        RowChange::Changed(cells) => {
            context.printer.line(format!("~ {name}"))?;
            cells.iter().try_for_each(|cell| {
                let text = |value: &Value| {
                    value.to_text().map_or_else(|| "nothing".to_owned(), |text| format!("{text:?}"))
                };
                context.printer.line(format!(
                    "    {}: {} -> {}",
                    cell.column,
                    text(&cell.was),
                    text(&cell.is)
                ))
            })
        }
    }
}

fn row_document(row: &RowDiff) -> Json {
    let (change, cells) = match &row.change {
        RowChange::Added => ("added", None),
        RowChange::Removed => ("removed", None),
        RowChange::Changed(cells) => ("changed", Some(cells)),
    };
    let cells: Vec<Json> = cells
        .into_iter()
        .flatten()
        .map(|cell| json!({"column": cell.column, "was": cell.was.to_text(), "is": cell.is.to_text()}))
        .collect();
    json!({"table": row.table, "rid": row.rid, "change": change, "cells": cells})
}

/// The parts of a document that tell of a difference.
pub(super) fn document(found: &Diff) -> Json {
    let numbers =
        |counts: Counts| json!({"added": counts.added, "removed": counts.removed, "changed": counts.changed});
    let tables = found.tables.iter().map(|table| {
        let Counts { added, removed, changed } = table.rows;
        json!({
            "table": table.table,
            "role": table.role.as_str(),
            "added": added,
            "removed": removed,
            "changed": changed,
        })
    });
    let schema = found.schema.iter().map(|change| match change {
        SchemaDiff::TableAdded { table } => json!({"change": "table added", "table": table}),
        SchemaDiff::TableRemoved { table } => json!({"change": "table removed", "table": table}),
        SchemaDiff::ColumnAdded { table, column } => {
            json!({"change": "column added", "table": table, "column": column})
        }
        SchemaDiff::ColumnRemoved { table, column } => {
            json!({"change": "column removed", "table": table, "column": column})
        }
        SchemaDiff::ColumnRetyped { table, column, from, to } => {
            json!({"change": "column retyped", "table": table, "column": column, "from": from, "to": to})
        }
    });
    let nested = found.nested.iter().map(|nested| {
        let change = match nested.change {
            NestedChange::Added => "added",
            NestedChange::Removed => "removed",
            NestedChange::Raised => "raised",
        };
        json!({"dataset": nested.dataset, "change": change, "from": nested.from, "to": nested.to})
    });
    json!({
        "from": found.from,
        "to": found.to,
        "tables": tables.collect::<Vec<_>>(),
        "members": numbers(found.members),
        "files": numbers(found.files),
        "schema": schema.collect::<Vec<_>>(),
        "nested": nested.collect::<Vec<_>>(),
        "types": {"given": found.types.0, "taken": found.types.1},
        "description": found.description,
    })
}
