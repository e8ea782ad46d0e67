//! `dbag dataset types`

use clap::Args;
use serde_json::json;

use super::{Context, Outcome};

/// Show a dataset's types, give it some, or take some away
///
/// Types are terms of a vocabulary, such as Training or Labeled; an unknown one is refused with the list of those there are.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag dataset types digits\n  dbag dataset types digits --add Labeled --remove Unlabeled"
)]
pub(super) struct Types {
    /// The dataset, by name or RID
    dataset: String,
    /// Give it this type (repeatable)
    #[arg(long, value_name = "TERM")]
    add: Vec<String>,
    /// Take this type away (repeatable)
    #[arg(long, value_name = "TERM")]
    remove: Vec<String>,
}

impl Types {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = &mut context.workspace()?.catalog;
        let name = catalog.dataset_named(&self.dataset)?;
        let (added, removed, types) = if self.add.is_empty() && self.remove.is_empty() {
            (0, 0, catalog.dataset_details(&name)?.summary.types)
        } else {
            catalog.change_types(&name, &self.add, &self.remove)?
        };
        let shown = if types.is_empty() { "none".into() } else { types.join(", ") };
        context.printer.line(format!("{name}: {shown}"))?;
        let document = json!({"name": name.as_str(), "added": added, "removed": removed, "types": types});
        context.printer.document(&document)?;
        Ok(0)
    }
}
