//! `dbag publish`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::printer::count;
use super::size::size;
use super::{Context, Outcome};
use crate::export::publish;
use crate::version::Requirement;

/// Put a version's asset bytes into a folder that a web server shows
///
/// Each file is checked while it is copied and named by its SHA-256, so that any version may be published to the same
/// folder and nothing is copied twice. Then export with --base-url, the folder's URL.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag publish digits@1.0.0 --to /var/www/digits")]
pub(super) struct Publish {
    /// Dataset and version: exactly (NAME@1.0.0), or the newest that will do (NAME@^1.2, NAME@latest)
    reference: Requirement,
    /// The folder, made if it is not there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

impl Publish {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let workspace = context.workspace()?;
        let reference = workspace.catalog.resolve(&self.reference)?;
        let bar = context.bar();
        let report = publish(&workspace.catalog, &workspace.objects, &reference, &self.to, &bar)?;
        drop(bar);
        let before =
            if report.present > 0 { format!(", {} already there", report.present) } else { String::new() };
        context.printer.line(format!(
            "{}: {} ({}) copied to {}{before}",
            report.reference,
            count(report.copied, "file"),
            size(report.copied_bytes),
            self.to.display()
        ))?;
        context.printer.document(&json!({
            "reference": report.reference.to_string(),
            "to": self.to.display().to_string(),
            "copied": report.copied,
            "copied_bytes": report.copied_bytes,
            "present": report.present,
        }))?;
        Ok(0)
    }
}
