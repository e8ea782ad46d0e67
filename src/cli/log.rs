//! `dbag log`

use clap::Args;
use serde_json::{Value, json};

use super::release::{members_document, shown_members};
use super::{Context, Outcome};
use crate::catalog::{LoggedVersion, NestedVersion};

/// List the changes to the workspace's catalog, or the versions of a dataset, newest first
///
/// Each change is a command that was run: all of it, or none. `dbag at SNAPSHOT` reads the catalog as it was after one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag log\n  dbag log --limit 3 --json\n  dbag log digits")]
pub(super) struct Log {
    /// The dataset whose versions to list, by name or RID
    dataset: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u32,
}

impl Log {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        match &self.dataset {
            Some(dataset) => self.versions(dataset, context),
            None => self.changes(context),
        }
    }

    fn versions(&self, dataset: &str, context: &Context) -> Outcome {
        let catalog = context.workspace()?.catalog;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let log = catalog.dataset_log(&catalog.dataset_named(dataset)?, limit)?;
        let label = log.label.as_ref().map(ToString::to_string);
        let drifts = log.versions.first().is_some_and(|newest| {
            label.as_deref().is_some_and(|label| label != newest.details.version.to_string())
        });
        match &label {
            Some(label) if drifts => {
                context.printer.line(format!("{label}  not released: it has changed since"))?;
            }
            Some(_) => {}
            None => context.printer.line(format!("{} was never released", log.name))?,
        }
        for version in &log.versions {
            print(version, context)?;
        }
        context.printer.document(&json!({
            "name": log.name.as_str(),
            "rid": log.rid.as_str(),
            "label": label,
            "versions": log.versions.iter().map(document).collect::<Value>(),
        }))?;
        Ok(0)
    }

    fn changes(&self, context: &Context) -> Outcome {
        let changes = context.workspace()?.catalog.transactions(self.limit)?;
        for change in &changes {
            let number = match (change.undone_by, change.undoes) {
                (Some(by), _) => format!("  [undone by {by}]"),
                (None, Some(undone)) => format!("  [undid {undone}]"),
                (None, None) => String::new(),
            };
            let time: String = change.snapshot.timestamp().chars().take(19).collect();
            context.printer.line(format!(
                "{:>5}  {time}  {}  {}  {}{number}",
                change.number, change.snapshot, change.actor, change.command
            ))?;
        }
        let changes: Vec<_> = changes
            .iter()
            .map(|change| {
                json!({
                    "number": change.number,
                    "snapshot": change.snapshot.to_string(),
                    "time": change.snapshot.timestamp(),
                    "actor": change.actor,
                    "command": change.command,
                    "execution": change.execution,
                    "undoes": change.undoes,
                    "undone_by": change.undone_by,
                })
            })
            .collect();
        context.printer.document(&json!({"changes": changes}))?;
        Ok(0)
    }
}

fn print(version: &LoggedVersion, context: &Context) -> std::io::Result<()> {
    let details = &version.details;
    let time: String = details.snapshot.timestamp().chars().take(19).collect();
    let came = if details.adopted { "  [came in a bag]" } else { "" };
    context.printer.line(format!(
        "{:<12}  {time}  {}  {}  {}{came}",
        details.version.to_string(),
        details.snapshot,
        details.actor,
        details.note.lines().next().unwrap_or_default()
    ))?;
    let mut holds = shown_members(&version.members);
    holds.extend(details.nested.iter().map(|nested| format!("nested {nested}")));
    context.printer.line(format!("              {}", holds.join(", ")))
}

/// The datasets nested in a version.
pub(super) fn nested_document(nested: &[NestedVersion]) -> Value {
    nested.iter().map(|one| json!({"name": one.name, "rid": one.rid, "version": one.version})).collect()
}

fn document(version: &LoggedVersion) -> Value {
    let details = &version.details;
    json!({
        "version": details.version.to_string(),
        "snapshot": details.snapshot.to_string(),
        "released": details.snapshot.timestamp(),
        "actor": details.actor,
        "adopted": details.adopted,
        "note": details.note,
        "members": members_document(&version.members),
        "nested": nested_document(&details.nested),
        "log": details.log,
    })
}
