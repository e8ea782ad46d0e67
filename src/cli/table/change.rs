//! `dbag table create`, `add-column`, `drop-column`, `drop` and `comment`

use clap::Args;
use serde_json::json;

use crate::Error;
use crate::catalog::{CatalogError, Change, NewReference, NewTable};
use crate::cli::printer::count;
use crate::cli::{Context, Outcome};
use crate::model::{Column, Table};

/// Make a table
///
/// To make one of what is in a CSV file, or of the files in a folder, use dbag import.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag table create Subject --column \"code text!\" --column \"age int4\" --key code\n  dbag table create Visit --column \"day date!\" --references Subject=Subject --references Side=Side"
)]
pub(super) struct Create {
    /// Its name
    name: String,
    /// A column: its name and type, and ! where every row needs a value (repeatable)
    #[arg(long = "column", value_name = "\"NAME TYPE[!]\"")]
    columns: Vec<Column>,
    /// Columns, separated by commas, that together tell its rows apart (repeatable)
    #[arg(long = "key", value_name = "COLUMNS")]
    keys: Vec<String>,
    /// A column that refers to another table: to a term's name, another row's RID, or to KEY (repeatable); the column
    /// is made if it is not among the others
    #[arg(long = "references", value_name = "COLUMN=TABLE[.KEY]")]
    references: Vec<NewReference>,
    /// What it is for
    #[arg(short, long, default_value = "", value_name = "TEXT")]
    description: String,
}

/// Add a column to a table
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag table add-column Subject \"weight float8\"\n  dbag table add-column Image \"Side text!\" --references Side --value Left"
)]
pub(super) struct AddColumn {
    /// The table
    table: String,
    /// The column: its name and type, and ! where every row needs a value
    #[arg(value_name = "\"NAME TYPE[!]\"")]
    column: Column,
    /// Its value in the rows that are there
    #[arg(long, allow_hyphen_values = true)]
    value: Option<String>,
    /// The table that it refers to: to a term's name, another row's RID, or to KEY
    #[arg(long, value_name = "TABLE[.KEY]")]
    references: Option<String>,
}

/// Drop a column; released versions keep it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag table drop-column Subject weight")]
pub(super) struct DropColumn {
    /// The table
    table: String,
    /// The column
    column: String,
}

/// Drop a table and its rows; released versions keep them
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag table drop Visit --dry-run\n  dbag table drop Visit")]
pub(super) struct Drop {
    /// The table
    table: String,
    /// Only say what would be dropped
    #[arg(long)]
    dry_run: bool,
}

/// Say what a table is for, or one of its columns; an empty text takes that away
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag table comment Subject \"People who gave consent\"\n  dbag table comment Subject --column age \"In years, at the first visit\""
)]
pub(super) struct Comment {
    /// The table
    table: String,
    /// What to say
    text: String,
    /// Say it of this column
    #[arg(long)]
    column: Option<String>,
}

fn columns(table: &Table) -> Vec<serde_json::Value> {
    let column = |column: &Column| json!({"name": column.name, "type": column.column_type.typename, "required": !column.nullok});
    table.own_columns().map(column).collect()
}

fn described(table: &Table) -> String {
    let columns: Vec<String> = table
        .own_columns()
        .map(|column| format!("{} {}", column.name, column.column_type.typename))
        .collect();
    if columns.is_empty() { "no columns".into() } else { columns.join(", ") }
}

impl Create {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let mut catalog = context.workspace()?.catalog;
        let schema = catalog.domain_schema().to_owned();
        let new = NewTable {
            name: &self.name,
            comment: &self.description,
            columns: &self.columns,
            keys: &self.keys,
            references: &self.references,
        };
        let table: Table =
            catalog.change(&context.command, |change: &mut Change<'_>| change.create_table(&schema, &new))?;
        context.printer.line(format!("Made {}: {}", table.table_name, described(&table)))?;
        let document = json!({"table": table.qualified_name(), "columns": columns(&table)});
        context.printer.document(&document)?;
        Ok(0)
    }
}

impl AddColumn {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let mut catalog = context.workspace()?.catalog;
        let (value, to) = (self.value.as_deref(), self.references.as_deref());
        let table = catalog
            .change(&context.command, |change| change.widen_table(&self.table, &self.column, value, to))?;
        let rows = catalog.count(&table)?;
        context.printer.line(format!(
            "{}: added {} {} to {}",
            table.table_name,
            self.column.name,
            self.column.column_type.typename,
            count(rows, "row")
        ))?;
        let document = json!({"table": table.qualified_name(), "columns": columns(&table), "rows": rows});
        context.printer.document(&document)?;
        Ok(0)
    }
}

impl DropColumn {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let mut catalog = context.workspace()?.catalog;
        let table =
            catalog.change(&context.command, |change| change.narrow_table(&self.table, &self.column))?;
        context.printer.line(format!("{}: dropped {}", table.table_name, self.column))?;
        let document = json!({"table": table.qualified_name(), "columns": columns(&table)});
        context.printer.document(&document)?;
        Ok(0)
    }
}

impl Drop {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let mut catalog = context.workspace()?.catalog;
        let rows = catalog.count(&catalog.table(&self.table)?)?;
        let drop = |change: &mut Change<'_>| change.drop_lab_table(&self.table);
        let table: Result<Table, CatalogError> =
            if self.dry_run { catalog.rehearse(drop) } else { catalog.change(&context.command, drop) };
        let table = table?;
        let verb = if self.dry_run { "Would drop" } else { "Dropped" };
        context.printer.line(format!("{verb} {} and {}", table.table_name, count(rows, "row")))?;
        let document = json!({"table": table.qualified_name(), "rows": rows, "dry_run": self.dry_run});
        context.printer.document(&document)?;
        Ok(0)
    }
}

impl Comment {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let mut catalog = context.workspace()?.catalog;
        let column = self.column.as_deref();
        let was = catalog.change::<_, Error>(&context.command, |change| {
            Ok(change.comment_on(&self.table, column, &self.text)?)
        })?;
        let of = column.map_or_else(|| self.table.clone(), |column| format!("{column} of {}", self.table));
        let shown =
            |text: Option<&str>| text.map_or_else(|| "nothing".to_owned(), |text| format!("{text:?}"));
        let is = Some(self.text.as_str()).filter(|text| !text.is_empty());
        context.printer.line(format!("{of}: was {}, is {}", shown(was.as_deref()), shown(is)))?;
        let document = json!({"table": self.table, "column": column, "was": was, "is": is});
        context.printer.document(&document)?;
        Ok(0)
    }
}
