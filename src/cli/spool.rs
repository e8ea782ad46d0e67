//! `dbag spool`

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Context, Outcome};
use crate::catalog::{Spooled, SpooledRow};
use crate::open::Workspace;

/// Hand in a row without opening the catalog: for the many tasks of a job array
///
/// The row becomes a file in .dbag/spool/. The next command that writes folds it into the catalog, as a change of its own
/// that tells who made it, where and when; so does dbag fold. What does not fit its table is put aside then.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag spool Score subject=7WXY-0001 score=0.93")]
pub(super) struct Spool {
    /// The table
    table: String,
    /// The row's columns; an empty value is NULL, as are columns that are not named
    #[arg(required = true, value_name = "COLUMN=VALUE", value_parser = cell)]
    values: Vec<(String, Value)>,
}

fn cell(text: &str) -> Result<(String, Value), String> {
    let (column, value) = text.split_once('=').ok_or("write COLUMN=VALUE")?;
    let value = if value.is_empty() { Value::Null } else { Value::String(value.to_owned()) };
    Ok((column.to_owned(), value))
}

impl Spool {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let root = context.root()?;
        let mut values = Map::new();
        for (column, value) in &self.values {
            if values.insert(column.clone(), value.clone()).is_some() {
                return Err(crate::Error::Usage(format!("{column} is given twice")));
            }
        }
        let row = SpooledRow { table: self.table.clone(), values };
        let command = format!("dbag spool {}", self.table);
        let path = Workspace::spool(&root, &Spooled::now(&command, vec![row]))?;
        let path = path.display().to_string();
        context.printer.line(format!("Spooled a row of {} ({path})", self.table))?;
        context.printer.document(&json!({"table": self.table, "file": path}))?;
        Ok(0)
    }
}
