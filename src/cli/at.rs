//! `dbag at`

use clap::Args;

use super::query::{Shape, answer};
use super::{Context, Outcome};
use crate::catalog::Moment;
use crate::open::open_moment;

/// Ask the whole catalog, as it was at any moment, with SQL
///
/// Every table is there as it was, with the columns that it had: those of all datasets and of none. `dbag query NAME@1.0.0`
/// asks the same, but sees only what the version holds. `dbag log` lists the moments at which something changed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag at digits@1.0.0 \"SELECT count(*) FROM Label\"\n  dbag at now \"SELECT * FROM Label LIMIT 5\" --format csv\n  dbag at 2026-03-31 \"SELECT digit, count(*) FROM Label GROUP BY digit\"\n  dbag at 361-VE2R-TJ5J \"SELECT * FROM Dataset\""
)]
pub(super) struct At {
    /// A version (NAME@1.0.0, or the newest of NAME@^1), a snapshot id, a day (its end, in UTC), a time with an offset, or now
    #[arg(value_parser = moment)]
    moment: Moment,
    /// One SELECT statement, in SQLite's dialect
    sql: String,
    /// How to print the answer; --json is the same as --format json
    #[arg(long, value_enum, default_value_t = Shape::Table, value_name = "FORMAT")]
    format: Shape,
}

fn moment(text: &str) -> Result<Moment, String> {
    text.parse().map_err(|error: crate::catalog::CatalogError| error.to_string())
}

impl At {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        answer(&open_moment(&self.moment, &context.here())?, &self.sql, self.format, context)
    }
}
