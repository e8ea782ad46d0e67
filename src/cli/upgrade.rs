//! `dbag upgrade`

use clap::Args;
use serde_json::json;

use super::{Context, Outcome};
use crate::catalog::Catalog;
use crate::open::Workspace;

/// Bring the catalog of an older dbag to this one's format
///
/// Rows and history stay what they are. The file as it was is kept beside the new one, and --undo puts it back.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag upgrade\n  dbag upgrade --undo")]
pub(super) struct Upgrade {
    /// Go back to the file as it was before the upgrade
    #[arg(long)]
    undo: bool,
    /// Go back even if the catalog has changed since; the changes are lost
    #[arg(long, requires = "undo")]
    lose_changes: bool,
}

impl Upgrade {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let path = Workspace::catalog_file(&context.root()?)?;
        let done = if self.undo {
            Some(Catalog::undo_upgrade(&path, self.lose_changes)?)
        } else {
            Catalog::upgrade(&path)?
        };
        let printer = context.printer;
        match &done {
            None => printer.line("The catalog is up to date")?,
            Some(done) if self.undo => printer.line(format!("The catalog has format {} again", done.to))?,
            Some(done) => printer.line(format!(
                "The catalog has format {} now; as it was it is kept in {} (dbag upgrade --undo)",
                done.to,
                done.kept.display()
            ))?,
        }
        printer.document(&json!({
            "from": done.as_ref().map(|done| done.from),
            "to": done.as_ref().map(|done| done.to),
            "kept": done.as_ref().filter(|_| !self.undo).map(|done| done.kept.display().to_string()),
        }))?;
        Ok(0)
    }
}
