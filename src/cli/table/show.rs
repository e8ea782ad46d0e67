//! `dbag table list` and `dbag table show`

use clap::Args;
use serde_json::{Value, json};

use crate::catalog::{TableDetails, TableSummary};
use crate::cli::printer::count;
use crate::cli::{Context, Outcome};
use crate::model::{Column, DERIVA_ML, ForeignKey, Table};

/// List the tables, what each is, and how many rows it has
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag table list\n  dbag table list --all --json")]
pub(super) struct List {
    /// The tables of the deriva-ml schema too, which dbag keeps itself
    #[arg(long)]
    all: bool,
}

/// Show a table: what it is, its columns, keys, references and number of rows
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag table show Image\n  dbag table show deriva-ml:Workflow --json")]
pub(super) struct Show {
    /// The table, as Table or schema:Table
    name: String,
}

impl List {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let mut tables = context.workspace()?.catalog.tables()?;
        tables.retain(|summary| self.all || summary.table.schema_name != DERIVA_ML);
        for TableSummary { table, kind, rows } in &tables {
            let name = if self.all { table.qualified_name() } else { table.table_name.clone() };
            let comment = table.comment.as_deref().unwrap_or_default();
            let line = format!("{name:<28} {:<12} {:>12}  {comment}", kind.as_str(), count(*rows, "row"));
            context.printer.line(line.trim_end())?;
        }
        if tables.is_empty() {
            context.printer.line("There are no tables yet")?;
        }
        let documents: Vec<Value> = tables.iter().map(summary).collect();
        context.printer.document(&json!({"tables": documents}))?;
        Ok(0)
    }
}

fn summary(TableSummary { table, kind, rows }: &TableSummary) -> Value {
    json!({
        "table": table.qualified_name(),
        "kind": kind.as_str(),
        "rows": rows,
        "columns": table.own_columns().count(),
        "comment": table.comment,
    })
}

/// `Subject.RID`, and `a, b -> Table (c, d)` for several columns.
fn reference(key: &ForeignKey) -> Option<(String, String)> {
    let (_, table) = key.referenced_table()?;
    let names = |columns: &[crate::model::ColumnRef]| {
        columns.iter().map(|column| column.column_name.as_str()).collect::<Vec<_>>().join(", ")
    };
    Some((names(&key.foreign_key_columns), format!("{table}.{}", names(&key.referenced_columns))))
}

fn references(table: &Table) -> Vec<(String, String)> {
    let system = |columns: &str| ["RCB", "RMB"].contains(&columns);
    table.foreign_keys.iter().filter_map(reference).filter(|(columns, _)| !system(columns)).collect()
}

fn column(column: &Column, table: &Table) -> Value {
    let to = references(table).into_iter().find(|(columns, _)| *columns == column.name);
    json!({
        "name": column.name,
        "type": column.column_type.typename,
        "required": !column.nullok,
        "default": column.default,
        "comment": column.comment,
        "references": to.map(|(_, to)| to),
    })
}

impl Show {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let details = context.workspace()?.catalog.table_details(&self.name)?;
        let TableDetails { summary: TableSummary { table, kind, rows }, feature, referred_by } = &details;
        let printer = context.printer;
        let what = match feature {
            Some((target, name)) => format!("the values of the feature {name} of {target}"),
            None => kind.as_str().to_owned(),
        };
        let comment = table.comment.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        printer.line(format!("{} ({what}, {}){comment}", table.qualified_name(), count(*rows, "row")))?;
        let to = references(table);
        for column in table.own_columns() {
            let needed = if column.nullok { "" } else { ", required" };
            let to = to.iter().find(|(columns, _)| *columns == column.name);
            let to = to.map(|(_, to)| format!(" -> {to}")).unwrap_or_default();
            let comment = column.comment.as_ref().map(|text| format!("  {text}")).unwrap_or_default();
            printer.line(format!(
                "  {:<24} {}{needed}{to}{comment}",
                column.name, column.column_type.typename
            ))?;
        }
        for key in table.keys.iter().filter(|key| key.unique_columns != ["RID"]) {
            printer.line(format!("  key: {}", key.unique_columns.join(", ")))?;
        }
        for (columns, to) in to.iter().filter(|(columns, _)| columns.contains(", ")) {
            printer.line(format!("  reference: {columns} -> {to}"))?;
        }
        for (other, column) in referred_by {
            printer.line(format!("  referred to by {other}.{column}"))?;
        }
        let mut document = summary(&details.summary);
        document["columns"] = table.own_columns().map(|own| column(own, table)).collect();
        document["keys"] = table.keys.iter().map(|key| json!(key.unique_columns)).collect();
        document["references"] =
            to.iter().map(|(columns, to)| json!({"columns": columns, "to": to})).collect();
        document["referred_by"] =
            referred_by.iter().map(|(table, column)| json!({"table": table, "column": column})).collect();
        document["feature"] =
            json!(feature.as_ref().map(|(target, name)| json!({"target": target, "name": name})));
        printer.document(&document)?;
        Ok(0)
    }
}
