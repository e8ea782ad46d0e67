//! `dbag export`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::printer::count;
use super::selecting::Selecting;
use super::size::size;
use super::{Context, Outcome};
use crate::Error;
use crate::export::{AssetMode, ExportOptions, ExportReport, TableRows, export, rehearse_export};
use crate::version::Requirement;

/// Export a version as a bag: one zip file, byte-identical at every run
///
/// The bag holds what foreign keys lead to from the dataset's members: `dbag explain` tells. An asset whose URL is known (because it was
/// published with `dbag publish`, or came in a bag that has it) stays there and is named in fetch.txt; the others are embedded.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag export digits@1.0.0\n  dbag export digits@1.0.0 --dry-run\n  dbag export digits@1.0.0 --base-url https://data.example.org/digits -o digits.zip\n  dbag export digits@latest --assets embed --tables Image,Label"
)]
pub(super) struct Export {
    /// Dataset and version
    reference: Requirement,
    /// The file to write [default: NAME-VERSION.zip]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where the bytes of assets are
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = Where::Auto)]
    assets: Where,
    /// The URL below which `dbag publish` has put the bytes, for those who fetch them
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Of several places where assets were published, the one to refer to
    #[arg(long, value_name = "PLACE", conflicts_with = "base_url")]
    from: Option<String>,
    /// Take digests that rows lack from the bytes, where the workspace has them
    #[arg(long)]
    hash_missing: bool,
    /// Tell what the bag would hold and how large it would be, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Threads that pack; the bytes do not depend on it [default: one for each core]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    selecting: Selecting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Where {
    /// At their URLs where these are known, else in the bag
    Auto,
    /// In the bag
    Embed,
    /// At their URLs, to be fetched by `dbag materialize`
    Remote,
}

impl Export {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        if self.assets == Where::Embed && (self.base_url.is_some() || self.from.is_some()) {
            return Err(Error::Usage(
                "--base-url and --from are for assets at URLs; --assets embed puts them into the bag".into(),
            ));
        }
        let workspace = context.workspace()?;
        let reference = workspace.catalog.resolve(&self.reference)?;
        let default = || PathBuf::from(format!("{}-{}.zip", reference.name, reference.version));
        let options = ExportOptions {
            output: self.output.clone().unwrap_or_else(default),
            assets: match self.assets {
                Where::Auto => AssetMode::Auto,
                Where::Embed => AssetMode::Embed,
                Where::Remote => AssetMode::Remote,
            },
            base_url: self.base_url.clone(),
            from: self.from.clone(),
            select: self.selecting.options(),
            hash_missing: self.hash_missing,
            passing: false,
            force: self.force,
            threads: self.threads,
        };
        let bar = context.bar();
        let work = if self.dry_run { rehearse_export } else { export };
        let report = work(&workspace.catalog, &workspace.objects, &reference, &options, &bar)?;
        drop(bar);
        self.print(&report, context)?;
        context.printer.document(&document(&report, self.dry_run))?;
        Ok(0)
    }

    fn print(&self, report: &ExportReport, context: &Context) -> std::io::Result<()> {
        let rows: u64 = report.tables.iter().map(|table| table.rows).sum();
        if self.dry_run {
            let width = report.tables.iter().map(|table| table.table.chars().count()).max().unwrap_or(0);
            for table in &report.tables {
                let assets = match table.assets {
                    0 => String::new(),
                    assets => format!("  {} of {}", count(assets, "asset"), size(table.asset_bytes)),
                };
                let TableRows { table, rows, bytes, .. } = table;
                context
                    .printer
                    .line(format!("{table:<width$}  {rows:>9} rows  {:>9}{assets}", size(*bytes)))?;
            }
        }
        let what = format!("{}, {}", count(rows, "row"), count(report.assets, "asset"));
        let mut where_to = Vec::new();
        if report.embedded > 0 {
            where_to.push(format!("{} embedded", size(report.embedded_bytes)));
        }
        if report.assets > report.embedded {
            where_to.push(format!("{} to fetch", size(report.remote_bytes())));
        }
        let where_to =
            if where_to.is_empty() { String::new() } else { format!(" ({})", where_to.join(", ")) };
        context.printer.line(format!("{}: {what}{where_to}", report.output.display()))?;
        if let Some(part) = &report.part {
            context.printer.line(format!("It is a part of {}: {part}", report.reference))?;
        }
        if report.withdrawn > 0 {
            let rows = count(report.withdrawn, "row");
            context.printer.line(format!("{rows} of {} were withdrawn and are missing", report.reference))?;
        }
        match report.sha256 {
            Some(sha256) => context.printer.line(format!("SHA-256 {sha256}")),
            None => context
                .printer
                .line(format!("about {}; nothing was written (--dry-run)", size(report.length))),
        }
    }
}

fn document(report: &ExportReport, dry_run: bool) -> serde_json::Value {
    let table = |table: &TableRows| {
        json!({
            "table": table.table,
            "rows": table.rows,
            "bytes": table.bytes,
            "assets": table.assets,
            "asset_bytes": table.asset_bytes,
        })
    };
    json!({
        "reference": report.reference.to_string(),
        "output": report.output.display().to_string(),
        "part": report.part,
        "sha256": report.sha256.map(|digest| digest.to_string()),
        "content": report.content.map(|digest| digest.to_string()),
        "length": report.length,
        "tables": report.tables.iter().map(table).collect::<Vec<_>>(),
        "assets": report.assets,
        "asset_bytes": report.asset_bytes,
        "embedded": report.embedded,
        "embedded_bytes": report.embedded_bytes,
        "remote": report.assets > report.embedded,
        "withdrawn": report.withdrawn,
        "dry_run": dry_run,
    })
}
