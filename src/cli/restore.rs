//! `dbag restore`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::printer::{Printer, count};
use super::size::size;
use super::{Context, Outcome};
use crate::open::Workspace;

/// Make a workspace of a backup
///
/// Each file is checked while it is written. A folder that is a workspace already is refused.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag restore /backups/lab-2026-11-24.zip lab")]
pub(super) struct Restore {
    /// The archive that dbag backup wrote
    file: PathBuf,
    /// The folder, made if it is not there
    dir: PathBuf,
}

impl Restore {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let bar = context.bar();
        let report = Workspace::restore(&self.file, &self.dir, &bar)?;
        drop(bar);
        if report.missing > 0 {
            let files = count(report.missing, "file");
            Printer::warning(&format!("the backup lacks {files} that its catalog names"));
        }
        let files = count(report.objects, "file");
        let bytes = size(report.object_bytes);
        context.printer.line(format!("Made the workspace {} with {files} of {bytes}", self.dir.display()))?;
        context.printer.document(&json!({
            "workspace": self.dir.display().to_string(),
            "objects": report.objects,
            "object_bytes": report.object_bytes,
            "missing": report.missing,
        }))?;
        Ok(0)
    }
}
