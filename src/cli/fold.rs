//! `dbag fold`

use clap::Args;
use serde_json::json;

use super::printer::count;
use super::{Context, Outcome};

/// Take what was spooled into the catalog
///
/// Every command that writes does so first. What can't be folded in is put aside in .dbag/spool/bad/, and the command
/// ends with 1.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag fold")]
pub(super) struct Fold {}

impl Fold {
    #[allow(clippy::unused_self)] // As every command's.
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let report = context.workspace()?.catalog.fold()?;
        context.printer.line(format!(
            "Folded in {} from {}",
            count(report.rows, "row"),
            count(report.files, "file")
        ))?;
        let bad: Vec<_> =
            report.bad.iter().map(|(name, reason)| json!({"file": name, "reason": reason})).collect();
        context.printer.document(&json!({"files": report.files, "rows": report.rows, "bad": bad}))?;
        Ok(u8::from(!report.bad.is_empty()))
    }
}
