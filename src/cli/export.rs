//! `dbag export`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::printer::count;
use super::size::size;
use super::{Context, Outcome};
use crate::Error;
use crate::export::{AssetMode, ExportOptions, export};
use crate::version::Requirement;

/// Export a version as a bag: one zip file, byte-identical at every run
///
/// Assets are embedded, or stay where they are and are named in fetch.txt: with --base-url, the URL that shows the
/// folder of `dbag publish`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag export digits@1.0.0\n  dbag export digits@1.0.0 --base-url https://data.example.org/digits -o digits.zip"
)]
pub(super) struct Export {
    /// Dataset and version: exactly (NAME@1.0.0), or the newest that will do (NAME@^1.2, NAME@latest)
    reference: Requirement,
    /// The file to write [default: NAME-VERSION.zip]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where the bytes of assets are [default: remote with --base-url, else embed]
    #[arg(long, value_enum, value_name = "WHERE")]
    assets: Option<Where>,
    /// The URL below which `dbag publish` has put the bytes
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Where {
    /// In the bag
    Embed,
    /// At their URLs, to be fetched by `dbag materialize`
    Remote,
}

impl Export {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let assets = match (self.assets, &self.base_url) {
            (Some(Where::Remote), None) => {
                return Err(Error::Usage(
                    "--assets remote needs --base-url, where `dbag publish` has put the bytes".into(),
                ));
            }
            (Some(Where::Embed), Some(_)) => {
                return Err(Error::Usage(
                    "--base-url is for --assets remote; embedded assets have no URL".into(),
                ));
            }
            (_, Some(url)) => AssetMode::Remote(url.clone()),
            (_, None) => AssetMode::Embed,
        };
        let remote = assets != AssetMode::Embed;
        let workspace = context.workspace()?;
        let reference = workspace.catalog.resolve(&self.reference)?;
        let default = || PathBuf::from(format!("{}-{}.zip", reference.name, reference.version));
        let options =
            ExportOptions { output: self.output.clone().unwrap_or_else(default), assets, force: self.force };
        let bar = context.bar();
        let report = export(&workspace.catalog, &workspace.objects, &reference, &options, &bar)?;
        drop(bar);
        let rows: u64 = report.tables.iter().map(|table| table.rows).sum();
        let what = format!("{}, {}", count(rows, "row"), count(report.assets, "asset"));
        let assets = match (report.assets, remote) {
            (0, _) => String::new(),
            (_, true) => format!(" ({} to fetch)", size(report.asset_bytes)),
            (_, false) => format!(" ({} embedded)", size(report.asset_bytes)),
        };
        context.printer.line(format!("{}: {what}{assets}", report.output.display()))?;
        context.printer.line(format!("SHA-256 {}", report.sha256))?;
        let tables: Vec<_> =
            report.tables.iter().map(|table| json!({"table": table.table, "rows": table.rows})).collect();
        context.printer.document(&json!({
            "reference": report.reference.to_string(),
            "output": report.output.display().to_string(),
            "sha256": report.sha256.to_string(),
            "length": report.length,
            "tables": tables,
            "assets": report.assets,
            "asset_bytes": report.asset_bytes,
            "remote": remote,
        }))?;
        Ok(0)
    }
}
