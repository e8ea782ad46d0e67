//! `dbag dataset`

use clap::{Args, Subcommand};
use serde_json::json;

use super::printer::count;
use super::{Context, Outcome};
use crate::Error;
use crate::catalog::{DatasetDetails, DatasetSummary};
use crate::version::DatasetName;

/// Make, fill and look at datasets
#[derive(Debug, Args)]
pub(super) struct Dataset {
    #[command(subcommand)]
    command: DatasetCommand,
}

#[derive(Debug, Subcommand)]
enum DatasetCommand {
    Create(Create),
    Add(Add),
    List(List),
    Show(Show),
}

/// Make an empty dataset
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag dataset create digits -d \"Handwritten digits\"")]
struct Create {
    /// Its name: at most 100 letters, digits, '_', '-' and '.', the first a letter
    name: DatasetName,
    /// What it is
    #[arg(short, long, default_value = "", value_name = "TEXT")]
    description: String,
}

/// Make rows members of a dataset
///
/// Rows that are members already stay so. A version that was released keeps the members that it had.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag dataset add digits --table Image\n  dbag dataset add digits --table Label --where \"digit < 5\"\n  dbag dataset add digits 2A4M-0007 2A4M-0009"
)]
struct Add {
    /// The dataset
    name: DatasetName,
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

/// List the datasets
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag dataset list --json")]
struct List {}

/// Show a dataset's members, versions, and what has changed since the last one
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag dataset show digits")]
struct Show {
    /// The dataset
    name: DatasetName,
}

impl Dataset {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        match &self.command {
            DatasetCommand::Create(command) => command.run(context),
            DatasetCommand::Add(command) => command.run(context),
            DatasetCommand::List(command) => command.run(context),
            DatasetCommand::Show(command) => command.run(context),
        }
    }
}

impl Create {
    fn run(&self, context: &Context) -> Outcome {
        let rid = context.workspace()?.catalog.create_dataset(&self.name, &self.description)?;
        context.printer.line(format!("Made the dataset {} (RID {rid})", self.name))?;
        context.printer.document(&json!({"name": self.name.as_str(), "rid": rid.as_str()}))?;
        Ok(0)
    }
}

impl Add {
    fn run(&self, context: &Context) -> Outcome {
        if self.rids.is_empty() && self.tables.is_empty() {
            return Err(Error::Usage("say which rows: their RIDs, or --table TABLE".into()));
        }
        let mut workspace = context.workspace()?;
        let catalog = &mut workspace.catalog;
        let (added, present) = if self.rids.is_empty() {
            // One transaction for each table: what is added stays added, and again adds nothing twice.
            let mut sum = (0, 0);
            for table in &self.tables {
                let (added, present) =
                    catalog.add_table_members(&self.name, table, self.condition.as_deref())?;
                sum = (sum.0 + added, sum.1 + present);
            }
            sum
        } else {
            catalog.add_members(&self.name, &self.rids)?
        };
        let before = if present > 0 { format!(", {present} already in it") } else { String::new() };
        context.printer.line(format!("{}: {} added{before}", self.name, count(added, "member")))?;
        context.printer.document(&json!({"name": self.name.as_str(), "added": added, "present": present}))?;
        Ok(0)
    }
}

fn summary(dataset: &DatasetSummary) -> serde_json::Value {
    json!({
        "name": dataset.name.as_str(),
        "rid": dataset.rid.as_str(),
        "description": dataset.description,
        "version": dataset.version.as_ref().map(ToString::to_string),
        "members": dataset.members,
    })
}

impl List {
    #[allow(clippy::unused_self)] // Every command runs alike.
    fn run(&self, context: &Context) -> Outcome {
        let datasets = context.workspace()?.catalog.datasets()?;
        for dataset in &datasets {
            let version =
                dataset.version.as_ref().map_or("not released".to_owned(), |version| format!("@{version}"));
            context.printer.line(format!(
                "{:<20} {version:<14} {:>14}  {}",
                dataset.name.as_str(),
                count(dataset.members, "member"),
                dataset.description
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
    fn run(&self, context: &Context) -> Outcome {
        let DatasetDetails { summary: dataset, members, versions, drift } =
            context.workspace()?.catalog.dataset_details(&self.name)?;
        let printer = context.printer;
        let about =
            if dataset.description.is_empty() { String::new() } else { format!(": {}", dataset.description) };
        printer.line(format!("{} (RID {}){about}", dataset.name, dataset.rid))?;
        let shown: Vec<String> =
            members.iter().map(|count| format!("{} {}", count.rows, count.table)).collect();
        printer.line(format!(
            "  members   {}",
            if shown.is_empty() { "none".into() } else { shown.join(", ") }
        ))?;
        for version in &versions {
            printer.line(format!(
                "  @{:<8} {}  {}  {}",
                version.version,
                version.snapshot.date(),
                version.snapshot,
                version.note
            ))?;
        }
        if let Some(drift) = drift {
            let text = if drift.any() {
                format!("{} added, {} removed, {} changed since", drift.added, drift.removed, drift.changed)
            } else {
                "none: nothing has changed since".to_owned()
            };
            printer.line(format!("  drift     {text}"))?;
        }
        let mut document = summary(&dataset);
        document["members_by_table"] =
            members.iter().map(|count| json!({"table": count.table, "rows": count.rows})).collect();
        document["versions"] = versions
            .iter()
            .map(|version| {
                json!({
                    "version": version.version.to_string(),
                    "snapshot": version.snapshot.to_string(),
                    "released": version.snapshot.timestamp(),
                    "note": version.note,
                })
            })
            .collect();
        document["drift"] =
            json!(drift.map(
                |drift| json!({"added": drift.added, "removed": drift.removed, "changed": drift.changed})
            ));
        printer.document(&document)?;
        Ok(0)
    }
}
