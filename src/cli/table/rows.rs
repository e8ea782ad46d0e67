//! `dbag table insert`, `set` and `delete-rows`

use clap::Args;
use serde_json::json;

use crate::Error;
use crate::catalog::{Change, DeletedRows, RowChange};
use crate::cli::printer::{count, deleted};
use crate::cli::{Context, Outcome};
use crate::tabular::Value;

/// Add a row to a table
///
/// Columns that are not named get their default, or nothing. Terms may be given by a synonym.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag table insert Subject code=P07 age=61")]
pub(super) struct Insert {
    /// The table
    table: String,
    /// The row's values
    #[arg(value_name = "COLUMN=VALUE")]
    values: Vec<String>,
}

/// Change a row's values, and show what they were and are
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag table set 2A4M-0007 age=62\n  dbag table set 2A4M-0007 --table Subject --null age"
)]
pub(super) struct Set {
    /// The row
    rid: String,
    /// The new values
    #[arg(value_name = "COLUMN=VALUE", required_unless_present = "nulls")]
    values: Vec<String>,
    /// A column that shall have no value (repeatable)
    #[arg(long = "null", value_name = "COLUMN")]
    nulls: Vec<String>,
    /// The row's table, where rows of several have this RID
    #[arg(long)]
    table: Option<String>,
}

/// Delete rows of a table; released versions keep them
///
/// The values of their features go with them. A row that is in a dataset, or that another row refers to, can't go.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag table delete-rows Subject 2A4M-0007\n  dbag table delete-rows Subject --where \"age < 18\" --dry-run"
)]
pub(super) struct DeleteRows {
    /// The table
    table: String,
    /// The rows
    #[arg(value_name = "RID", required_unless_present = "condition", conflicts_with = "condition")]
    rids: Vec<String>,
    /// The rows for which this SQL condition holds
    #[arg(long = "where", value_name = "SQL")]
    condition: Option<String>,
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
}

fn shown(value: &Value) -> String {
    value.to_text().map_or_else(|| "nothing".into(), |text| format!("{text:?}"))
}

fn print(change: &RowChange, context: &Context) -> Outcome {
    for cell in &change.columns {
        let (was, is) = (shown(&cell.was), shown(&cell.is));
        context.printer.line(format!("  {}: was {was}, is {is}", cell.column))?;
    }
    let columns: Vec<_> = change
        .columns
        .iter()
        .map(|cell| json!({"column": cell.column, "was": cell.was.to_text(), "is": cell.is.to_text()}))
        .collect();
    context.printer.document(&json!({"table": change.table, "rid": change.rid, "columns": columns}))?;
    Ok(0)
}

impl Insert {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let mut catalog = context.workspace()?.catalog;
        let row = catalog.change::<_, Error>(&context.command, |change| {
            Ok(change.insert_row(&self.table, &self.values)?)
        })?;
        context.printer.line(format!("{}: added the row {}", row.table, row.rid))?;
        print(&row, context)
    }
}

impl Set {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let mut catalog = context.workspace()?.catalog;
        let row = catalog.change::<_, Error>(&context.command, |change| {
            Ok(change.set_row(self.table.as_deref(), &self.rid, &self.values, &self.nulls)?)
        })?;
        let what = if row.columns.is_empty() { "nothing is new" } else { "changed" };
        context.printer.line(format!("{} {}: {what}", row.table, row.rid))?;
        print(&row, context)
    }
}

impl DeleteRows {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let mut catalog = context.workspace()?.catalog;
        let delete = |change: &mut Change<'_>| -> Result<DeletedRows, Error> {
            Ok(change.delete_rows(&self.table, &self.rids, self.condition.as_deref())?)
        };
        let gone = if self.dry_run {
            catalog.rehearse(delete)?
        } else {
            catalog.change(&context.command, delete)?
        };
        let rows = count(gone.rids.len() as u64, "row");
        deleted(context.printer, &gone, &rows, self.dry_run)
    }
}
