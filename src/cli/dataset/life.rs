//! `dbag dataset create`, `describe`, `rename`, `delete`, `restore`

use clap::Args;
use serde_json::json;

use super::{Context, Outcome};
use crate::version::DatasetName;

/// Make an empty dataset
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag dataset create digits -d \"Handwritten digits\"\n  dbag dataset create fives --type Training --type Labeled"
)]
pub(super) struct Create {
    /// Its name: at most 100 letters, digits, '_', '-' and '.', the first a letter
    name: DatasetName,
    /// What it is
    #[arg(short, long, default_value = "", value_name = "TEXT")]
    description: String,
    /// A type that it has, such as Training: a term of the vocabulary of dataset types (repeatable)
    #[arg(long = "type", value_name = "TERM")]
    types: Vec<String>,
}

/// Say anew what a dataset is
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag dataset describe digits \"Handwritten digits, 28 by 28\"")]
pub(super) struct Describe {
    /// The dataset, by name or RID
    dataset: String,
    /// What it is
    description: String,
}

/// Give a dataset another name
///
/// Names are not versioned: releases from before are then known by the new name too, and no longer by the old one.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag dataset rename digits handwritten-digits")]
pub(super) struct Rename {
    /// The dataset, by name or RID; by RID also one that has no name yet
    dataset: String,
    /// The new name
    name: DatasetName,
    /// Rename it even though it has releases, which others may know by the old name
    #[arg(long)]
    released: bool,
}

/// Mark a dataset as deleted
///
/// It is no longer listed and can't be changed. Its name stays its own, and its versions stay for ever. One that is nested
/// in another is refused.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag dataset delete trial\n  dbag dataset delete digits-split --recurse"
)]
pub(super) struct Delete {
    /// The dataset, by name or RID
    dataset: String,
    /// Delete the datasets nested in it too
    #[arg(long)]
    recurse: bool,
}

/// Take a dataset's deletion back
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag dataset restore trial")]
pub(super) struct Restore {
    /// The dataset, by name or RID
    dataset: String,
    /// Restore the datasets nested in it too
    #[arg(long)]
    recurse: bool,
}

impl Create {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = &mut context.workspace()?.catalog;
        let rid = catalog.create_typed_dataset(&self.name, &self.description, &self.types)?;
        context.printer.line(format!("Made the dataset {} (RID {rid})", self.name))?;
        context.printer.document(&json!({"name": self.name.as_str(), "rid": rid.as_str()}))?;
        Ok(0)
    }
}

impl Describe {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = &mut context.workspace()?.catalog;
        let name = catalog.dataset_named(&self.dataset)?;
        let changed = catalog.describe_dataset(&name, &self.description)?;
        let text = if changed { "described anew" } else { "is described so already" };
        context.printer.line(format!("{name}: {text}"))?;
        context.printer.document(&json!({"name": name.as_str(), "changed": changed}))?;
        Ok(0)
    }
}

impl Rename {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = &mut context.workspace()?.catalog;
        let rid = catalog.rename_dataset(&self.dataset, &self.name, self.released)?;
        context.printer.line(format!("{} is now called {}", self.dataset, self.name))?;
        context.printer.document(&json!({"name": self.name.as_str(), "rid": rid.as_str()}))?;
        Ok(0)
    }
}

impl Delete {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = &mut context.workspace()?.catalog;
        let name = catalog.dataset_named(&self.dataset)?;
        let deleted = catalog.delete_dataset(&name, self.recurse)?;
        print_marked(context, &name, "Deleted", "is deleted already", &deleted)?;
        context.printer.document(&json!({"name": name.as_str(), "deleted": deleted}))?;
        Ok(0)
    }
}

impl Restore {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = &mut context.workspace()?.catalog;
        let name = catalog.dataset_named(&self.dataset)?;
        let restored = catalog.restore_dataset(&name, self.recurse)?;
        print_marked(context, &name, "Restored", "is not deleted", &restored)?;
        context.printer.document(&json!({"name": name.as_str(), "restored": restored}))?;
        Ok(0)
    }
}

fn print_marked(
    context: &Context,
    name: &DatasetName,
    verb: &str,
    otherwise: &str,
    marked: &[String],
) -> std::io::Result<()> {
    if marked.is_empty() {
        return context.printer.line(format!("{name} {otherwise}"));
    }
    context.printer.line(format!("{verb} {}", marked.join(", ")))
}
