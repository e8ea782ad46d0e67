//! `dbag release`

use clap::Args;
use serde_json::json;

use super::printer::count;
use super::{Context, Outcome};
use crate::version::{Bump, DatasetName};

/// Release a dataset: what it holds now becomes a version, the same for ever
///
/// The first release is 1.0.0, 0.1.0 or 0.0.1. A dataset that has not changed since its last version is refused.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag release digits --minor -m \"50 more images\"")]
pub(super) struct Release {
    /// The dataset
    name: DatasetName,
    #[command(flatten)]
    bump: BumpFlags,
    /// What has changed, and why
    #[arg(short, long, value_name = "NOTE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    message: String,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct BumpFlags {
    /// A change that breaks those who use it: rows or columns gone, meanings changed
    #[arg(long)]
    major: bool,
    /// An addition
    #[arg(long)]
    minor: bool,
    /// A correction
    #[arg(long)]
    patch: bool,
}

impl Release {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let bump = match self.bump {
            BumpFlags { major: true, .. } => Bump::Major,
            BumpFlags { minor: true, .. } => Bump::Minor,
            BumpFlags { .. } => Bump::Patch,
        };
        let release = context.workspace()?.catalog.release_dataset(&self.name, bump, &self.message)?;
        let mut members: Vec<String> =
            release.members.iter().map(|count| format!("{} {}", count.rows, count.table)).collect();
        if !release.children.is_empty() {
            members.push(count(release.children.len() as u64, "nested dataset"));
        }
        context.printer.line(format!(
            "Released {} with {} (snapshot {})",
            release.reference,
            members.join(", "),
            release.snapshot
        ))?;
        let members: Vec<_> =
            release.members.iter().map(|count| json!({"table": count.table, "rows": count.rows})).collect();
        let nested = release.children.iter().map(|child| {
            json!({
                "name": child.name.as_ref().map(ToString::to_string),
                "rid": child.rid.as_str(),
                "version": child.version.as_ref().map(ToString::to_string),
            })
        });
        let nested: Vec<_> = nested.collect();
        context.printer.document(&json!({
            "reference": release.reference.to_string(),
            "name": release.reference.name.as_str(),
            "version": release.reference.version.to_string(),
            "rid": release.rid.as_str(),
            "snapshot": release.snapshot.to_string(),
            "members": members,
            "nested": nested,
        }))?;
        Ok(0)
    }
}
