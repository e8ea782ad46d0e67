//! `dbag status`

use clap::Args;
use serde_json::json;

use super::diff::{document, lines};
use super::{Context, Outcome};
use crate::catalog::DatasetStatus;

/// Tell what has changed in datasets since they were released last
///
/// For each dataset: its newest version, and by table the rows that were added (+), removed (-) and changed (~) since; then which number
/// a release would raise, and why.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag status\n  dbag status digits --json")]
pub(super) struct Status {
    /// Only these datasets, by name or RID
    #[arg(value_name = "DATASET")]
    datasets: Vec<String>,
}

impl Status {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = context.workspace()?.catalog;
        let names = if self.datasets.is_empty() {
            catalog.datasets()?.into_iter().map(|dataset| dataset.name).collect()
        } else {
            self.datasets.iter().map(|called| catalog.dataset_named(called)).collect::<Result<Vec<_>, _>>()?
        };
        let mut documents = Vec::new();
        for name in &names {
            let status = catalog.dataset_status(name)?;
            print(&status, context)?;
            documents.push(status_document(&status));
        }
        if names.is_empty() {
            context.printer.line("There are no datasets yet; make one with: dbag dataset create NAME")?;
        }
        context.printer.document(&json!({"datasets": documents}))?;
        Ok(0)
    }
}

fn print(status: &DatasetStatus, context: &Context) -> std::io::Result<()> {
    let Some(last) = &status.last else {
        return context.printer.line(format!("{}: not released yet", status.name));
    };
    let Some(drift) = status.drift.as_ref().filter(|_| status.has_changed()) else {
        return context.printer.line(format!("{}@{last}: nothing has changed", status.name));
    };
    let label = status.label.as_ref().map(|label| format!(" ({label})")).unwrap_or_default();
    context.printer.line(format!("{}@{last}: has changed{label}", status.name))?;
    for line in lines(drift, false) {
        context.printer.line(format!("  {line}"))?;
    }
    if status.withdrawn > 0 {
        context.printer.line(format!("  withdrawn  {}", status.withdrawn))?;
    }
    let (bump, reasons) = &status.proposed;
    context.printer.line(format!(
        "  next: {} ({})",
        status.next,
        [bump.as_str().to_owned()].into_iter().chain(reasons.iter().cloned()).collect::<Vec<_>>().join(": ")
    ))
}

fn status_document(status: &DatasetStatus) -> serde_json::Value {
    json!({
        "name": status.name.as_str(),
        "rid": status.rid.as_str(),
        "version": status.last.as_ref().map(ToString::to_string),
        "label": status.label.as_ref().map(ToString::to_string),
        "changed": status.last.is_some() && status.has_changed(),
        "drift": status.drift.as_ref().map(document),
        "withdrawn": status.withdrawn,
        "next": status.next.to_string(),
        "bump": status.proposed.0.as_str(),
        "reasons": status.proposed.1,
    })
}
