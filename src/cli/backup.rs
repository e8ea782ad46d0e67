//! `dbag backup`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::printer::{Printer, count};
use super::size::size;
use super::{Context, Outcome};
use crate::open::BackupOptions;

/// Write the whole workspace to one zip archive
///
/// The catalog as it is at one moment, and the files that it names, each checked while it is read. Others may work
/// meanwhile. dbag restore, or plain unzip, makes a workspace of it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag backup /backups/lab-2026-11-24.zip")]
pub(super) struct Backup {
    /// The archive
    file: PathBuf,
    /// Replace an archive that is there
    #[arg(long)]
    force: bool,
    /// Leave the files' bytes out
    #[arg(long)]
    catalog_only: bool,
    /// Leave out files that are missing or damaged, instead of refusing; ends with 1 then
    #[arg(long)]
    incomplete: bool,
}

impl Backup {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let workspace = context.workspace()?;
        let bar = context.bar();
        let Self { force, catalog_only, incomplete, .. } = *self;
        let options = BackupOptions { output: &self.file, force, catalog_only, incomplete };
        let report = workspace.backup(&options, &bar)?;
        drop(bar);
        for (place, reason) in &report.left_out {
            Printer::warning(&format!("left out: the file of {place}: {reason}"));
        }
        if report.placed > 0 {
            let files = count(report.placed, "file");
            Printer::warning(&format!(
                "{files} kept where they were imported from; they are not in the backup"
            ));
        }
        context.printer.line(format!(
            "Wrote {} ({}): the catalog as of change {}, {} of {}",
            self.file.display(),
            size(report.length),
            report.change,
            count(report.objects, "file"),
            size(report.object_bytes),
        ))?;
        let left_out: Vec<_> =
            report.left_out.iter().map(|(place, reason)| json!({"place": place, "reason": reason})).collect();
        context.printer.document(&json!({
            "backup": self.file.display().to_string(),
            "length": report.length,
            "change": report.change,
            "objects": report.objects,
            "object_bytes": report.object_bytes,
            "in_place": report.placed,
            "left_out": left_out,
        }))?;
        Ok(u8::from(!report.left_out.is_empty()))
    }
}
