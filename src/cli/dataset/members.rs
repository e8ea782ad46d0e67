//! `dbag dataset add`, `remove`, `members`

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{Context, Outcome};
use crate::Error;
use crate::catalog::Rows;
use crate::cli::printer::{Printer, count};
use crate::tabular::CsvWriter;

/// Make rows members of a dataset
///
/// Rows that are members already stay so. A version that was released keeps the members that it had.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag dataset add digits --table Image\n  dbag dataset add digits --table Label --where \"digit < 5\"\n  dbag dataset add digits 2A4M-0007 2A4M-0009"
)]
pub(super) struct Add {
    /// The dataset, by name or RID
    dataset: String,
    #[command(flatten)]
    which: Which,
}

/// Make rows members of a dataset no more
///
/// The rows stay in their tables. A version that was released keeps the members that it had.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag dataset remove digits 2A4M-0007\n  dbag dataset remove digits --table Label --where \"digit IS NULL\""
)]
pub(super) struct Remove {
    /// The dataset, by name or RID
    dataset: String,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
struct Which {
    /// Rows by their RID
    #[arg(value_name = "RID")]
    rids: Vec<String>,
    /// All rows of a table (repeatable)
    #[arg(long = "table", value_name = "TABLE", conflicts_with = "rids")]
    tables: Vec<String>,
    /// Only the table's rows for which this SQL condition holds
    #[arg(long = "where", value_name = "SQL", requires = "tables")]
    condition: Option<String>,
}

impl Which {
    fn rows(&self) -> Result<Rows<'_>, Error> {
        match (self.rids.as_slice(), self.tables.as_slice()) {
            ([], []) => Err(Error::Usage("say which rows: their RIDs, or --table TABLE".into())),
            ([], tables) => Ok(Rows::Of(tables, self.condition.as_deref())),
            (rids, _) => Ok(Rows::Rids(rids)),
        }
    }
}

/// List a dataset's members, as it is or at a version
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag dataset members digits\n  dbag dataset members digits@1.0.0 --table Image --format csv\n  dbag dataset members digits-split --recurse --json"
)]
pub(super) struct Members {
    /// The dataset, by name or RID, or a version of it as NAME@VERSION
    #[arg(value_name = "DATASET")]
    dataset: String,
    /// Only the rows of this table
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// The members of datasets nested in it too
    #[arg(long)]
    recurse: bool,
    /// How to print them; --json is the same as --format json
    #[arg(long, value_enum, default_value_t = Shape::Text, value_name = "FORMAT")]
    format: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// Table and RID, and with --recurse the dataset
    Text,
    /// CSV with the header dataset,table,RID
    Csv,
    /// One document
    Json,
}

impl Add {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let rows = self.which.rows()?;
        let catalog = &mut context.workspace()?.catalog;
        let name = catalog.dataset_named(&self.dataset)?;
        let (added, present) = catalog.add_rows(&name, rows)?;
        let before = if present > 0 { format!(", {present} already in it") } else { String::new() };
        context.printer.line(format!("{name}: {} added{before}", count(added, "member")))?;
        context.printer.document(&json!({"name": name.as_str(), "added": added, "present": present}))?;
        Ok(0)
    }
}

impl Remove {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let rows = self.which.rows()?;
        let catalog = &mut context.workspace()?.catalog;
        let name = catalog.dataset_named(&self.dataset)?;
        let (removed, absent) = catalog.remove_rows(&name, rows)?;
        let before = if absent > 0 { format!(", {absent} not in it") } else { String::new() };
        context.printer.line(format!("{name}: {} removed{before}", count(removed, "member")))?;
        context.printer.document(&json!({"name": name.as_str(), "removed": removed, "absent": absent}))?;
        Ok(0)
    }
}

impl Members {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = context.workspace()?.catalog;
        let reference = catalog.dataset_ref(&self.dataset)?;
        let members = catalog.dataset_members(&reference, self.table.as_deref(), self.recurse)?;
        let printer = if self.format == Shape::Json { Printer::new(true) } else { context.printer };
        if printer.is_json() {
            let shown = members
                .iter()
                .map(|member| json!({"dataset": member.dataset, "table": member.table, "rid": member.rid}));
            let members: Vec<_> = shown.collect();
            printer.document(&json!({"reference": reference.to_string(), "members": members}))?;
            return Ok(0);
        }
        if self.format == Shape::Csv {
            let mut csv = CsvWriter::new(Printer::stdout(), ["dataset", "table", "RID"])?;
            for member in &members {
                csv.record([Some(&member.dataset), Some(&member.table), Some(&member.rid)])?;
            }
            std::io::Write::flush(&mut csv.finish()?)?;
            return Ok(0);
        }
        for member in &members {
            let dataset = if self.recurse { format!("  {}", member.dataset) } else { String::new() };
            printer.line(format!("{}  {}{dataset}", member.table, member.rid))?;
        }
        if members.is_empty() {
            printer.line(format!("{reference} has no such members"))?;
        }
        Ok(0)
    }
}
