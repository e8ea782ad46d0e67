//! `dbag verify`

use std::io;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::printer::{Printer, count, size};
use super::{Context, Outcome};
use crate::ErrorKind;
use crate::bag::{Bag, Finding, Severity, Verdict, VerifyOptions, VerifyReport, verify};

/// Check a bag: its form, that everything is there, and every digest
///
/// Reads a folder, or a zip archive in place with nothing extracted. Every wrong file is listed, with what was expected
/// and found. A bag that is right but has files to fetch ends with exit code 4.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag verify digits-1.0.0.zip\n  dbag verify Dataset_2A4M-0001/ --json")]
pub(super) struct Verify {
    /// A bag: folder or zip archive
    bag: PathBuf,
    /// End with 0 if the bag is right and only has files to fetch
    #[arg(long)]
    allow_holey: bool,
    /// Threads that hash [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

impl Verify {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let bar = context.bar();
        let report =
            verify(&Bag::open(&self.bag)?, VerifyOptions { jobs: self.jobs.unwrap_or(0).into() }, &bar)?;
        drop(bar);
        print(&report, context.printer)?;
        Ok(match report.verdict() {
            Verdict::Valid => 0,
            Verdict::Holey if self.allow_holey => 0,
            Verdict::Holey => ErrorKind::Unfinished.exit_code(),
            Verdict::Invalid => ErrorKind::Data.exit_code(),
        })
    }
}

/// A finding in JSON.
pub(super) fn finding(finding: &Finding) -> Value {
    let severity = if finding.code.severity() == Severity::Error { "error" } else { "warning" };
    json!({"code": finding.code.as_str(), "severity": severity, "place": finding.place, "message": finding.message})
}

/// One line a finding.
pub(super) fn print_findings(findings: &[Finding], printer: Printer) -> io::Result<()> {
    findings.iter().try_for_each(|finding| printer.line(finding.to_string()))
}

fn print(report: &VerifyReport, printer: Printer) -> io::Result<()> {
    print_findings(&report.findings, printer)?;
    let errors =
        report.findings.iter().filter(|finding| finding.code.severity() == Severity::Error).count() as u64;
    let warnings = report.findings.len() as u64 - errors;
    let algorithms: Vec<&str> = report.algorithms.iter().map(|algorithm| algorithm.name()).collect();
    let (verdict, state) = match report.verdict() {
        Verdict::Valid => ("valid", "valid".to_owned()),
        Verdict::Holey => {
            let to_fetch = format!(
                "{} ({}) to fetch",
                count(report.to_fetch_files, "file"),
                size(report.to_fetch_bytes)
            );
            ("holey", format!("right so far, {to_fetch}"))
        }
        Verdict::Invalid => ("invalid", format!("not valid, {}", count(errors, "error"))),
    };
    let warned = if warnings > 0 { format!(", {}", count(warnings, "warning")) } else { String::new() };
    printer.line(format!(
        "{}: {state}{warned}; {} ({}) checked by {}",
        report.bag.display(),
        count(report.payload_files, "file"),
        size(report.payload_bytes),
        if algorithms.is_empty() { "nothing".into() } else { algorithms.join(" and ") }
    ))?;
    printer.document(&json!({
        "bag": report.bag.display().to_string(),
        "bagit_version": report.version,
        "verdict": verdict,
        "payload_files": report.payload_files,
        "payload_bytes": report.payload_bytes,
        "to_fetch_files": report.to_fetch_files,
        "to_fetch_bytes": report.to_fetch_bytes,
        "algorithms": algorithms,
        "errors": errors,
        "warnings": warnings,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    }))
}
