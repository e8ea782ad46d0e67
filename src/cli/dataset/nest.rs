//! `dbag dataset nest`, `unnest`

use clap::Args;
use serde_json::json;

use super::{Context, Outcome};
use crate::cli::printer::count;

/// Nest datasets in another
///
/// A dataset may be nested in several, but never in itself, at any depth.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag dataset nest study trial-a trial-b")]
pub(super) struct Nest {
    /// The outer dataset, by name or RID
    parent: String,
    /// The datasets to nest in it, by name or RID
    #[arg(required = true, value_name = "DATASET")]
    children: Vec<String>,
}

/// Take nested datasets out of another
///
/// They stay what they are.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag dataset unnest study trial-b")]
pub(super) struct Unnest {
    /// The outer dataset, by name or RID
    parent: String,
    /// The datasets to take out of it, by name or RID
    #[arg(required = true, value_name = "DATASET")]
    children: Vec<String>,
}

impl Nest {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = &mut context.workspace()?.catalog;
        let name = catalog.dataset_named(&self.parent)?;
        let (nested, present) = catalog.nest_datasets(&name, &self.children)?;
        let before = if present > 0 { format!(", {present} already in it") } else { String::new() };
        context.printer.line(format!("{name}: {} nested{before}", count(nested, "dataset")))?;
        context.printer.document(&json!({"name": name.as_str(), "nested": nested, "present": present}))?;
        Ok(0)
    }
}

impl Unnest {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = &mut context.workspace()?.catalog;
        let name = catalog.dataset_named(&self.parent)?;
        let (taken, absent) = catalog.unnest_datasets(&name, &self.children)?;
        let before = if absent > 0 { format!(", {absent} not in it") } else { String::new() };
        context.printer.line(format!("{name}: {} taken out{before}", count(taken, "dataset")))?;
        context.printer.document(&json!({"name": name.as_str(), "unnested": taken, "absent": absent}))?;
        Ok(0)
    }
}
