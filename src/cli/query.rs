//! `dbag query`

use std::io::Write;

use clap::{Args, ValueEnum};

use super::printer::Printer;
use super::{Context, Outcome};
use crate::open::open_database;
use crate::query::{Database, Format, write_rows};

/// Ask a bag, a dataset, or a released version with SQL
///
/// Tables are named as in the bag, such as Image; where two schemas have a table of one name, write "schema:Image".
/// Only reading is allowed. A bag's tables are checked against its manifest while they are read.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag query digits-1.0.0.zip \"SELECT digit, count(*) AS n FROM Label GROUP BY digit\"\n  dbag query digits@1.0.0 \"SELECT * FROM Image LIMIT 5\" --format csv\n  dbag query digits \"SELECT count(*) FROM Image\"\n\nThe whole catalog, now or at any moment: dbag at --help"
)]
pub(super) struct Query {
    /// A bag (folder or zip archive), or a dataset in the workspace: as it is (NAME), or at a version (NAME@1.0.0,
    /// or the newest of NAME@^1)
    #[arg(value_name = "BAG_OR_REF")]
    target: String,
    /// One SELECT statement, in SQLite's dialect
    sql: String,
    /// How to print the answer; --json is the same as --format json
    #[arg(long, value_enum, default_value_t = Shape::Table, value_name = "FORMAT")]
    format: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shape {
    /// Aligned columns
    Table,
    /// CSV with a header; NULL is empty, the empty string is ""
    Csv,
    /// {"columns": [...], "rows": [[...], ...]}
    Json,
}

impl Query {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        answer(&open_database(&self.target, &context.here())?, &self.sql, self.format, context)
    }
}

/// Runs one statement and prints its answer.
pub(super) fn answer(database: &Database, sql: &str, shape: Shape, context: &Context) -> Outcome {
    let format = match shape {
        _ if context.printer.is_json() => Format::Json,
        Shape::Table => Format::Table,
        Shape::Csv => Format::Csv,
        Shape::Json => Format::Json,
    };
    let mut out = Printer::stdout();
    write_rows(database, sql, format, &mut out).map_err(flatten)?;
    out.flush()?;
    Ok(0)
}

/// A closed pipe is told apart from trouble with the data.
fn flatten(error: crate::query::QueryError) -> crate::Error {
    match error {
        crate::query::QueryError::Io(error) => error.into(),
        other => other.into(),
    }
}
