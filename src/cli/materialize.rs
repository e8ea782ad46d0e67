//! `dbag materialize`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::limits::ArchiveLimits;
use super::printer::count;
use super::size::size;
use super::verify::print_findings;
use super::{Context, Outcome};
use crate::ErrorKind;
use crate::materialize::{MaterializeOptions, MaterializeReport, materialize};
use crate::open::finding_document;
use crate::transport::{HttpSource, Source};

/// Fetch what a bag refers to, and check all of it
///
/// Files are fetched in parallel, hashed while they arrive, and put in place only when their digest is right. Run it
/// again after an interruption: it fetches only what is missing or wrong.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag materialize digits-1.0.0.zip --to digits\n  dbag materialize https://data.example.org/digits-1.0.0.zip\n  dbag materialize Dataset_2A4M-0001/"
)]
pub(super) struct Materialize {
    /// A bag: folder, zip archive, or http(s) URL of an archive
    bag: String,
    /// The bag's folder [default: in place for a folder; for an archive, its bag's name]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Connections at once
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    #[command(flatten)]
    limits: ArchiveLimits,
}

impl Materialize {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let options = MaterializeOptions {
            to: self.to.clone(),
            connections: self.connections.into(),
            limits: self.limits.limits(),
        };
        let bar = context.bar();
        let source = || Ok(Box::new(HttpSource::new()?) as Box<dyn Source>);
        let report = materialize(&self.bag, &options, &source, &bar)?;
        drop(bar);
        print(&report, context)?;
        Ok(if report.is_whole() {
            0
        } else if report.is_invalid() {
            ErrorKind::Data.exit_code()
        } else {
            ErrorKind::Environment.exit_code()
        })
    }
}

fn print(report: &MaterializeReport, context: &Context) -> std::io::Result<()> {
    let printer = context.printer;
    print_findings(&report.findings, printer)?;
    for failure in &report.failures {
        let code = failure.code.map(|code| format!("{code} ")).unwrap_or_default();
        printer.line(format!("{code}{}: {} ({})", failure.path, failure.reason, failure.url))?;
    }
    let fetched = format!("{} fetched ({})", count(report.fetched_files, "file"), size(report.fetched_bytes));
    let state = if report.is_whole() {
        "complete and valid".to_owned()
    } else if report.failures.is_empty() {
        "not valid".to_owned()
    } else {
        format!("{} not fetched", count(report.failures.len() as u64, "file"))
    };
    printer.line(format!(
        "{}: {fetched}, {} already there; {state}",
        report.bag.display(),
        report.present_files
    ))?;
    let failures: Vec<_> = report
        .failures
        .iter()
        .map(|failure| {
            json!({
                "path": failure.path.as_str(),
                "url": failure.url,
                "reason": failure.reason,
                "code": failure.code.map(crate::bag::Code::as_str),
            })
        })
        .collect();
    printer.document(&json!({
        "bag": report.bag.display().to_string(),
        "whole": report.is_whole(),
        "listed_files": report.payload_files,
        "present_files": report.present_files,
        "fetched_files": report.fetched_files,
        "fetched_bytes": report.fetched_bytes,
        "failures": failures,
        "findings": report.findings.iter().map(finding_document).collect::<Vec<_>>(),
    }))
}
