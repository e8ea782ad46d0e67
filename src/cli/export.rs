//! `dbag export`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::printer::count;
use super::selecting::Selecting;
use super::size::size;
use super::{Context, Outcome};
use crate::Error;
use crate::catalog::Withdrawn;
use crate::export::{AssetMode, Contents, Estimate, ExportOptions, ExportReport, estimate, export};
use crate::version::{Requirement, VersionRef};

/// Export a version as a bag: one zip file, byte-identical at every run
///
/// Assets that were published are named in fetch.txt, with the URL at which they are, for `dbag materialize` to fetch; others
/// are put into the bag. --base-url is for bytes that are shown by other means than those of `dbag publish`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag export digits@1.0.0\n  dbag export digits@1.0.0 --dry-run\n  dbag export digits@1.0.0 --base-url https://data.example.org/digits -o digits.zip\n  dbag export digits@^1 --assets embed --exclude Subject --threads 8"
)]
// A flag is a bool.
#[allow(clippy::struct_excessive_bools)]
pub(super) struct Export {
    /// Dataset and version: exactly (NAME@1.0.0), or the newest that will do (NAME@^1.2, NAME@latest)
    reference: Requirement,
    /// The file to write [default: NAME-VERSION.zip]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where the bytes of assets are
    #[arg(long, value_enum, value_name = "WHERE", default_value = "auto")]
    assets: Where,
    /// The URL below which the bytes are, in the layout that `dbag publish` makes
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The place whose URLs are taken, of several that `dbag publish` has put bytes to [default: the first]
    #[arg(long, value_name = "PLACE", conflicts_with = "base_url")]
    from: Option<String>,
    /// Make the digests that assets from other catalogs lack, where their bytes are here
    #[arg(long)]
    hash_missing: bool,
    /// Only say what would be in the bag
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// Threads that pack and hash [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    #[command(flatten)]
    selecting: Selecting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Where {
    /// At a URL where one is known, else in the bag
    Auto,
    /// In the bag
    Embed,
    /// At URLs, to be fetched by `dbag materialize`
    Remote,
}

impl Export {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        if self.assets == Where::Embed && (self.base_url.is_some() || self.from.is_some()) {
            return Err(Error::Usage(
                "embedded assets have no URL: --base-url and --from are for others".into(),
            ));
        }
        let workspace = context.workspace()?;
        let reference = workspace.catalog.resolve(&self.reference)?;
        let options = self.options(&reference);
        if self.dry_run {
            let bar = context.bar();
            let found = estimate(&workspace.catalog, &workspace.objects, &reference, &options, &bar)?;
            drop(bar);
            return print_estimate(context, &found);
        }
        let bar = context.bar();
        let report = export(&workspace.catalog, &workspace.objects, &reference, &options, &bar)?;
        drop(bar);
        print_report(context, &report)
    }

    fn options(&self, reference: &VersionRef) -> ExportOptions {
        let default = || PathBuf::from(format!("{}-{}.zip", reference.name, reference.version));
        ExportOptions {
            output: self.output.clone().unwrap_or_else(default),
            assets: match self.assets {
                Where::Auto => AssetMode::Auto,
                Where::Embed => AssetMode::Embed,
                Where::Remote => AssetMode::Remote,
            },
            base_url: self.base_url.clone(),
            from: self.from.clone(),
            force: self.force,
            select: self.selecting.options(),
            hash_missing: self.hash_missing,
            threads: self.threads.unwrap_or(0).into(),
        }
    }
}

/// `3 rows, 2 assets (1 MB embedded, 2 GB to fetch)`
fn sentence(contents: &Contents) -> String {
    let rows: u64 = contents.tables.iter().map(|table| table.rows).sum();
    let remote_bytes = contents.asset_bytes - contents.embedded_bytes;
    let embedded = (contents.embedded > 0).then(|| format!("{} embedded", size(contents.embedded_bytes)));
    let remote = (contents.assets > contents.embedded).then(|| format!("{} to fetch", size(remote_bytes)));
    let places: Vec<String> = [embedded, remote].into_iter().flatten().collect();
    let places = if places.is_empty() { String::new() } else { format!(" ({})", places.join(", ")) };
    format!("{}, {}{places}", count(rows, "row"), count(contents.assets, "asset"))
}

/// What the bag is not.
fn caveats(context: &Context, part: Option<&str>, withdrawn: &[Withdrawn]) -> Result<(), Error> {
    if let Some(part) = part {
        context.printer.line(format!("A part of the version: {part}"))?;
    }
    if !withdrawn.is_empty() {
        let rows = count(withdrawn.len() as u64, "row");
        context.printer.line(format!("Missing, for they were withdrawn since the release: {rows}"))?;
        for row in withdrawn.iter().take(10) {
            context.printer.line(format!("  {} {} ({}): {}", row.table, row.rid, row.date, row.reason))?;
        }
    }
    Ok(())
}

fn print_report(context: &Context, report: &ExportReport) -> Outcome {
    let ExportReport { reference, output, bag, contents, part, withdrawn } = report;
    context.printer.line(format!("{}: {}", output.display(), sentence(contents)))?;
    caveats(context, part.as_deref(), withdrawn)?;
    context.printer.line(format!("SHA-256 {}", bag.sha256))?;
    let mut document = document(reference, contents, part.as_deref(), withdrawn);
    document["output"] = json!(output.display().to_string());
    document["sha256"] = json!(bag.sha256.to_string());
    document["content"] = json!(bag.content.to_string());
    document["length"] = json!(bag.length);
    context.printer.document(&document)?;
    Ok(0)
}

fn print_estimate(context: &Context, estimate: &Estimate) -> Outcome {
    let Estimate { reference, contents, archive_bytes, part, withdrawn } = estimate;
    context.printer.line(format!("{reference}: {}", sentence(contents)))?;
    for table in &contents.tables {
        let rows = count(table.rows, "row");
        context.printer.line(format!("  {}: {rows}, {} of CSV", table.table, size(table.octets)))?;
    }
    caveats(context, part.as_deref(), withdrawn)?;
    context.printer.line(format!("The archive would take about {}", size(*archive_bytes)))?;
    let mut document = document(reference, contents, part.as_deref(), withdrawn);
    document["dry_run"] = json!(true);
    document["archive_bytes"] = json!(archive_bytes);
    context.printer.document(&document)?;
    Ok(0)
}

fn document(
    reference: &VersionRef,
    contents: &Contents,
    part: Option<&str>,
    withdrawn: &[Withdrawn],
) -> Value {
    let table = |table: &crate::export::TableRows| json!({"table": table.table, "rows": table.rows, "csv_bytes": table.octets});
    let tables: Vec<Value> = contents.tables.iter().map(table).collect();
    let row =
        |row: &Withdrawn| json!({"table": row.table, "rid": row.rid, "date": row.date, "reason": row.reason});
    let withdrawn: Vec<Value> = withdrawn.iter().map(row).collect();
    json!({
        "reference": reference.to_string(),
        "tables": tables,
        "assets": contents.assets,
        "asset_bytes": contents.asset_bytes,
        "embedded": contents.embedded,
        "embedded_bytes": contents.embedded_bytes,
        "remote": contents.assets > contents.embedded,
        "part": part,
        "withdrawn": withdrawn,
    })
}
