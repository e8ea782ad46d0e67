//! `dbag log`

use clap::Args;
use serde_json::json;

use super::{Context, Outcome};

/// List the changes to the workspace's catalog, newest first
///
/// Each change is a command that was run: all of it, or none. `dbag at SNAPSHOT` reads the catalog as it was after one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag log\n  dbag log --limit 3 --json")]
pub(super) struct Log {
    /// At most so many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u32,
}

impl Log {
    pub(super) fn run(&self, context: &Context) -> Outcome {
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
