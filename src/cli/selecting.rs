//! Flags that narrow what of a dataset is taken.

use clap::Args;

use crate::catalog::SelectOptions;

#[derive(Debug, Args)]
#[command(next_help_heading = "What is taken")]
pub(super) struct Selecting {
    /// Only these tables, with what tells of datasets and the vocabularies that they refer to
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    tables: Vec<String>,
    /// Not these tables, nor what is reached only through them
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    exclude: Vec<String>,
    /// So many foreign keys from the dataset, at most
    #[arg(long, value_name = "N")]
    max_depth: Option<usize>,
    /// The members alone, with the vocabularies that they refer to
    #[arg(long)]
    members_only: bool,
}

impl Selecting {
    pub(super) fn options(&self) -> SelectOptions {
        SelectOptions {
            tables: self.tables.clone(),
            exclude: self.exclude.clone(),
            max_depth: self.max_depth,
            members_only: self.members_only,
        }
    }
}
