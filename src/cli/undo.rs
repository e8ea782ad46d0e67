//! `dbag undo`

use clap::Args;
use serde_json::json;

use super::printer::count;
use super::{Context, Outcome};

/// Take back the last change; again, the one before
///
/// Rows, tables and datasets are then as they were before it. What was undone stays in the past: `dbag at` still reads
/// it, and `dbag log` shows it. A release is never undone, nor what came before it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag undo --dry-run\n  dbag undo")]
pub(super) struct Undo {
    /// Only say what would be taken back
    #[arg(long)]
    dry_run: bool,
}

impl Undo {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let undone = context.workspace()?.catalog.undo(self.dry_run)?;
        let verb = if self.dry_run { "Would undo" } else { "Undid" };
        let rows = count(undone.rows, "row");
        context.printer.line(format!("{verb} {}: {} ({rows})", undone.number, undone.command))?;
        context.printer.document(&json!({
            "number": undone.number,
            "command": undone.command,
            "rows": undone.rows,
            "dry_run": self.dry_run,
        }))?;
        Ok(0)
    }
}
