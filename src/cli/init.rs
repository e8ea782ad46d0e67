//! `dbag init`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Context, Outcome};
use crate::catalog::CreateOptions;
use crate::open::Workspace;

/// Make a folder a workspace: the place of your tables, files and datasets
///
/// Everything that dbag keeps goes into .dbag/ in it. Other commands find it from any folder inside.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag init lab")]
pub(super) struct Init {
    /// The folder, made if it is not there
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Name of the schema that your tables go to
    #[arg(long, default_value = "domain", value_name = "NAME")]
    schema: String,
}

impl Init {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let options = CreateOptions { schema: self.schema.clone(), ..CreateOptions::default() };
        let workspace = Workspace::init(&self.dir, &options)?;
        let root = workspace.root().display().to_string();
        context.printer.line(format!("Made the workspace {root} (catalog {})", workspace.catalog.id()))?;
        context.printer.document(
            &json!({"workspace": root, "catalog": workspace.catalog.id(), "schema": self.schema}),
        )?;
        Ok(0)
    }
}
