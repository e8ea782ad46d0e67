//! `dbag explain`

use clap::Args;
use serde_json::json;

use super::printer::count;
use super::selecting::Selecting;
use super::{Context, Outcome};
use crate::catalog::{Explanation, RowPart, TablePart};

/// Tell why a table or a row is in a dataset or its version, or isn't
///
/// A dataset holds its members and what foreign keys lead to from them, in both directions, but to no table twice on one path. Without
/// --table or --rid every table is listed: its rows in the dataset, and the paths by which they came.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag explain digits@1.0.0\n  dbag explain digits@1.0.0 --table Label\n  dbag explain digits --rid 7WXY-0001\n  dbag explain digits@1.0.0 --exclude Subject"
)]
pub(super) struct Explain {
    /// A dataset, or one of its versions
    #[arg(value_name = "REF")]
    reference: String,
    /// Only this table
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// The row with this id: the rows that lead to it, or where each path breaks off
    #[arg(long, value_name = "RID")]
    rid: Option<String>,
    #[command(flatten)]
    selecting: Selecting,
}

impl Explain {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = context.workspace()?.catalog;
        let reference = catalog.dataset_ref(&self.reference)?;
        let options = self.selecting.options();
        let explained = catalog.explain(&reference, self.table.as_deref(), self.rid.as_deref(), &options)?;
        match &explained.row {
            Some(row) => print_row(&explained.reference, row, context)?,
            None => print_tables(&explained, context)?,
        }
        context.printer.document(&document(&explained))?;
        Ok(0)
    }
}

fn print_tables(explained: &Explanation, context: &Context) -> std::io::Result<()> {
    let width = explained.tables.iter().map(|part| part.table.chars().count()).max().unwrap_or(0);
    for part in &explained.tables {
        let rows = match (part.rows, &part.why_not) {
            (_, Some(why)) => format!("not in: {why}"),
            (Some(rows), None) => count(rows, "row"),
            (None, None) => "all of it".to_owned(),
        };
        context.printer.line(format!("{:<width$}  {rows}", part.table))?;
        if part.why_not.is_none() {
            for (path, rows) in &part.paths {
                let rows = rows.map_or_else(String::new, |rows| format!("  ({rows})"));
                context.printer.line(format!("  {path}{rows}"))?;
            }
        }
    }
    Ok(())
}

fn print_row(reference: &str, row: &RowPart, context: &Context) -> std::io::Result<()> {
    let name = format!("{} {}", row.table, row.rid);
    match &row.chain {
        Some(chain) => {
            context.printer.line(format!("{name} is in {reference}:"))?;
            for (at, (table, rid)) in chain.iter().enumerate() {
                context.printer.line(format!("{}{table} {rid}", "  ".repeat(at + 1)))?;
            }
        }
        None if row.whole => {
            context.printer.line(format!("{name} is in {reference}: vocabularies come whole"))?;
        }
        None => {
            context.printer.line(format!("{name} is not in {reference}:"))?;
            for why in &row.why_not {
                context.printer.line(format!("  {why}"))?;
            }
        }
    }
    Ok(())
}

fn document(explained: &Explanation) -> serde_json::Value {
    let table = |part: &TablePart| {
        let paths = part.paths.iter().map(|(path, rows)| json!({"path": path, "rows": rows}));
        json!({
            "table": part.table,
            "in": part.why_not.is_none(),
            "rows": part.rows,
            "paths": paths.collect::<Vec<_>>(),
            "why_not": part.why_not.as_ref().map(ToString::to_string),
        })
    };
    let row = |row: &RowPart| {
        let step = |(table, rid): &(String, String)| json!({"table": table, "rid": rid});
        json!({
            "rid": row.rid,
            "table": row.table,
            "in": row.is_in(),
            "whole": row.whole,
            "chain": row.chain.as_ref().map(|chain| chain.iter().map(step).collect::<Vec<_>>()),
            "why_not": row.why_not.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    };
    json!({
        "reference": explained.reference,
        "tables": explained.tables.iter().map(table).collect::<Vec<_>>(),
        "row": explained.row.as_ref().map(row),
    })
}
