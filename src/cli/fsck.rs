//! `dbag fsck`

use clap::Args;
use serde_json::json;

use super::printer::count;
use super::size::size;
use super::{Context, Outcome};
use crate::open::{FsckOptions, FsckReport};

/// Check that catalog, files and history agree
///
/// Looks at the catalog's file, every table and its past, and the files that rows name. Others may work meanwhile. Ends
/// with 0 if nothing is wrong (warnings may be there), else with 1.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag fsck\n  dbag fsck --deep --repair")]
pub(super) struct Fsck {
    /// Hash every file again, instead of looking at its length
    #[arg(long)]
    deep: bool,
    /// Mend what can be mended with no loss: indexes that are gone, what killed runs left a day ago and before
    #[arg(long)]
    repair: bool,
}

impl Fsck {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let mut workspace = context.workspace()?;
        let bar = context.bar();
        let options = FsckOptions { deep: self.deep, repair: self.repair };
        let report = workspace.fsck(options, &bar)?;
        drop(bar);
        print(&report, context)?;
        Ok(u8::from(!report.catalog.is_right()))
    }
}

fn print(report: &FsckReport, context: &Context) -> std::io::Result<()> {
    let printer = context.printer;
    for mended in &report.mended {
        printer.line(format!("Mended: {mended}"))?;
    }
    for fault in &report.catalog.faults {
        let end = if fault.mendable { " (--repair)" } else { "" };
        printer.line(format!(
            "{} {}: {} {}{end}",
            fault.severity(),
            fault.code,
            fault.place,
            fault.message
        ))?;
    }
    let catalog = &report.catalog;
    printer.line(format!(
        "{}, {} ({} superseded), {}",
        count(catalog.tables, "table"),
        count(catalog.rows, "row"),
        catalog.past_rows,
        count(catalog.transactions, "change"),
    ))?;
    let how = if report.deep { "hashed" } else { "not hashed; --deep does" };
    printer.line(format!("{} of {} ({how})", count(report.objects, "file"), size(report.object_bytes)))?;
    if report.placed > 0 {
        printer.line(format!("{} kept in place", count(report.placed, "file")))?;
    }
    if report.elsewhere > 0 {
        printer.line(format!("{} named whose bytes are elsewhere", count(report.elsewhere, "file")))?;
    }
    if report.unnamed > 0 {
        let (files, bytes) = (count(report.unnamed, "file"), size(report.unnamed_bytes));
        printer.line(format!("{files} of {bytes} that no row names, now or in the past"))?;
    }
    if report.spooled > 0 {
        printer.line(format!("{} spooled for the next change", count(report.spooled, "file")))?;
    }
    let is_error = |code: &str| code.starts_with('E');
    let errors = catalog.faults.iter().filter(|fault| is_error(fault.code)).count();
    let warnings = catalog.faults.len() - errors;
    printer.line(match (errors, warnings) {
        (0, 0) => "All is right".to_owned(),
        _ => format!("{}, {}", count(errors as u64, "error"), count(warnings as u64, "warning")),
    })?;
    let faults: Vec<_> = catalog
        .faults
        .iter()
        .map(|fault| {
            json!({
                "code": fault.code,
                "severity": fault.severity().to_string(),
                "place": fault.place,
                "message": fault.message,
                "mendable": fault.mendable,
            })
        })
        .collect();
    printer.document(&json!({
        "errors": errors,
        "warnings": warnings,
        "findings": faults,
        "mended": report.mended,
        "tables": catalog.tables,
        "rows": catalog.rows,
        "past_rows": catalog.past_rows,
        "changes": catalog.transactions,
        "objects": report.objects,
        "object_bytes": report.object_bytes,
        "hashed": report.deep,
        "unnamed": report.unnamed,
        "unnamed_bytes": report.unnamed_bytes,
        "elsewhere": report.elsewhere,
        "in_place": report.placed,
        "spooled": report.spooled,
    }))
}
