//! `dbag publish`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::printer::count;
use super::size::size;
use super::{Context, Outcome};
use crate::export::{PublishOptions, publish};
use crate::version::Requirement;

/// Put a version's asset bytes into a folder that a web server shows
///
/// Each file is checked while it is copied and named by its SHA-256, so that any version may be published to the same folder and nothing is
/// copied twice. With --base-url, the URL under which others see the folder, `dbag export` refers to the files there.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag publish digits@1.0.0 --to /var/www/digits --base-url https://data.example.org/digits\n  dbag publish digits@latest --to /var/www/digits --bag\n  dbag publish digits@1.0.0 --to /var/www/digits --dry-run"
)]
pub(super) struct Publish {
    /// Dataset and version
    reference: Requirement,
    /// The folder, made if it is not there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The URL under which others see the folder; it is remembered
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Put the bag there too, as NAME-VERSION.zip, after the files that it refers to
    #[arg(long)]
    bag: bool,
    /// Tell what would be copied, and copy nothing
    #[arg(long)]
    dry_run: bool,
}

impl Publish {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let mut workspace = context.workspace()?;
        let reference = workspace.catalog.resolve(&self.reference)?;
        let options = PublishOptions {
            folder: self.to.clone(),
            base_url: self.base_url.clone(),
            bag: self.bag,
            dry_run: self.dry_run,
        };
        let bar = context.bar();
        let report = publish(&mut workspace.catalog, &workspace.objects, &reference, &options, &bar)?;
        drop(bar);
        let before =
            if report.present > 0 { format!(", {} already there", report.present) } else { String::new() };
        let verb = if self.dry_run { "to be copied" } else { "copied" };
        context.printer.line(format!(
            "{}: {} ({}) {verb} to {}{before}",
            report.reference,
            count(report.copied, "file"),
            size(report.copied_bytes),
            self.to.display()
        ))?;
        if report.elsewhere > 0 {
            let assets = count(report.elsewhere, "asset");
            context.printer.line(format!("{assets} never came here, and stay where their URLs say"))?;
        }
        if let Some(base) = &report.base_url {
            context.printer.line(format!("dbag export refers to them below {base}"))?;
        }
        if let Some(bag) = &report.bag {
            context.printer.line(format!("{}: SHA-256 {}", bag.output.display(), bag.bag.sha256))?;
        }
        context.printer.document(&json!({
            "reference": report.reference.to_string(),
            "to": self.to.display().to_string(),
            "copied": report.copied,
            "copied_bytes": report.copied_bytes,
            "present": report.present,
            "elsewhere": report.elsewhere,
            "base_url": report.base_url,
            "bag": report.bag.as_ref().map(|bag| json!({
                "output": bag.output.display().to_string(),
                "sha256": bag.bag.sha256.to_string(),
            })),
            "dry_run": self.dry_run,
        }))?;
        Ok(0)
    }
}
