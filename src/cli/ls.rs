//! `dbag ls`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::cache::{date, open_cache, timestamp};
use super::printer::count;
use super::size::size;
use super::{Context, Outcome};
use crate::cache::KnownBag;

/// List the bags known on this machine
///
/// A bag is known once it was materialized or verified here. One whose path is gone stays listed, as gone, until the next
/// `dbag cache gc`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag ls\n  dbag ls --json")]
pub(super) struct Ls {
    /// The cache's folder [default: the setting `cache`]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

impl Ls {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let bags = open_cache(self.cache.as_ref(), context)?.bags()?;
        let named = |bag: &KnownBag| bag.reference().unwrap_or_else(|| "-".to_owned());
        let width = bags.iter().map(|bag| named(bag).chars().count()).max().unwrap_or(0);
        for bag in &bags {
            context.printer.line(format!(
                "{:<width$}  {:<5}  {:>12}  {:>9}  {}  {}",
                named(bag),
                state(bag),
                count(bag.files, "file"),
                size(bag.bytes),
                date(bag.seen),
                bag.path.display()
            ))?;
        }
        if bags.is_empty() {
            context.printer.line("No bags are known here yet; dbag verify and dbag materialize note them")?;
        }
        let documents: Vec<_> = bags.iter().map(document).collect();
        context.printer.document(&json!({"bags": documents}))?;
        Ok(0)
    }
}

fn state(bag: &KnownBag) -> &'static str {
    if bag.is_gone() { "gone" } else { bag.state.as_str() }
}

fn document(bag: &KnownBag) -> serde_json::Value {
    json!({
        "name": bag.name,
        "version": bag.version,
        "path": bag.path.display().to_string(),
        "state": state(bag),
        "files": bag.files,
        "bytes": bag.bytes,
        "content": bag.bag_digest,
        "seen": timestamp(bag.seen),
    })
}
