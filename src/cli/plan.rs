//! `dbag plan`

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::fetching::{Chosen, Places};
use super::limits::ArchiveLimits;
use super::materialize::{alike, failure_document};
use super::printer::{Printer, count};
use super::size::size;
use super::verify::print_findings;
use super::{Context, Outcome};
use crate::ErrorKind;
use crate::bag::Severity;
use crate::materialize::{Amount, Plan as Planned, PlanOptions, PlannedFile, plan};
use crate::open::finding_document;

/// Say what materializing a bag would fetch, from where, and how much room it would take
///
/// Nothing is fetched or hashed. Ends with exit code 1 if the bag can't become whole: it lists a file that is nowhere, or
/// with --offline one that is neither there nor in the cache nor in a folder.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag plan digits-1.0.0.zip\n  dbag plan digits-1.0.0.zip --to $SCRATCH/digits --table Image\n  dbag plan digits-1.0.0.zip --shards 64 --json\n  dbag plan digits-1.0.0.zip --files"
)]
pub(super) struct Plan {
    /// A bag: folder, archive, or URL of an archive
    bag: String,
    /// The folder that it would be materialized to; what is there already counts
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Share the files out among so many tasks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    shards: Option<u32>,
    /// List each file
    #[arg(long)]
    files: bool,
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    limits: ArchiveLimits,
}

impl Plan {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let fetching = self.places.fetching(context, None, None, None)?;
        let options = PlanOptions {
            to: self.to.clone(),
            limits: self.limits.limits(),
            selection: self.chosen.selection(),
            shards: self.shards,
            list_files: self.files,
            mirrors: fetching.mirrors,
            transport: fetching.transport,
            cache: fetching.cache.map(|used| used.cache),
        };
        let bar = context.bar();
        let planned = plan(&self.bag, &options, &bar)?;
        drop(bar);
        print(&planned, context.printer)?;
        context.printer.document(&document(&planned, self.files))?;
        let is_wrong = planned.findings.iter().any(|finding| finding.code.severity() == Severity::Error);
        let code = if is_wrong || !planned.impossible.is_empty() { ErrorKind::Data.exit_code() } else { 0 };
        Ok(code)
    }
}

fn print(plan: &Planned, printer: Printer) -> std::io::Result<()> {
    print_findings(&plan.findings, printer)?;
    for file in &plan.files {
        let shard = file.shard.map(|shard| format!("  shard {}", shard + 1)).unwrap_or_default();
        let length = file.length.map_or_else(|| "?".to_owned(), size);
        printer.line(format!(
            "{:8} {length:>10}  {}{shard}  {}",
            file.whereabouts.as_str(),
            file.path,
            file.url
        ))?;
    }
    for (failure, more) in alike(&plan.impossible) {
        printer.line(format!("can't be had: {}: {} {}{more}", failure.path, failure.reason, failure.url))?;
    }
    let untold = plan.impossible_files.saturating_sub(plan.impossible.len() as u64);
    if untold > 0 {
        printer.line(format!("… and {untold} more files"))?;
    }
    printer.line(format!("{}: {} listed", plan.bag, count(plan.payload_files, "payload file")))?;
    printer.line(format!("  chosen     {}", amount(plan.chosen)))?;
    printer.line(format!("  there      {}", amount(plan.present)))?;
    printer.line(format!("  in cache   {}", amount(plan.cached)))?;
    let unknown = match plan.unknown_lengths {
        0 => String::new(),
        some => format!(", and {} of unknown length", count(some, "file")),
    };
    printer.line(format!("  to fetch   {}{unknown}", amount(plan.fetch)))?;
    for host in &plan.hosts {
        printer.line(format!("    {}  from {}", amount(host.amount), host.host))?;
    }
    if plan.impossible_files > 0 {
        printer.line(format!("  nowhere    {:>10}", count(plan.impossible_files, "file")))?;
    }
    printer.line(format!("  whole bag  {}; packed, 1 inode", count(plan.inodes, "inode")))?;
    for (number, shard) in plan.shards.iter().enumerate() {
        let total = plan.shards.len();
        printer.line(format!("  shard {}/{total}  {}", number + 1, amount(shard.fetch)))?;
    }
    Ok(())
}

fn amount(amount: Amount) -> String {
    format!("{:>10}  {:>10}", count(amount.files, "file"), size(amount.bytes))
}

fn document(plan: &Planned, with_files: bool) -> Value {
    let amount = |amount: Amount| json!({"files": amount.files, "bytes": amount.bytes});
    let mut document = json!({
        "bag": plan.bag,
        "payload_files": plan.payload_files,
        "chosen": amount(plan.chosen),
        "present": amount(plan.present),
        "cached": amount(plan.cached),
        "fetch": amount(plan.fetch),
        "unknown_lengths": plan.unknown_lengths,
        "hosts": plan.hosts.iter().map(|host| json!({
            "host": host.host, "files": host.amount.files, "bytes": host.amount.bytes,
        })).collect::<Vec<_>>(),
        "inodes": plan.inodes,
        "impossible_files": plan.impossible_files,
        "impossible": plan.impossible.iter().map(failure_document).collect::<Vec<_>>(),
        "shards": plan.shards.iter().map(|shard| json!({
            "chosen": amount(shard.chosen), "fetch": amount(shard.fetch),
        })).collect::<Vec<_>>(),
        "findings": plan.findings.iter().map(finding_document).collect::<Vec<_>>(),
    });
    if with_files {
        document["files"] = plan.files.iter().map(file_document).collect();
    }
    document
}

fn file_document(file: &PlannedFile) -> Value {
    json!({
        "path": file.path.as_str(),
        "url": file.url,
        "length": file.length,
        "digests": file.digests.iter().map(|digest| {
            (digest.algorithm().name().to_owned(), Value::from(digest.to_string()))
        }).collect::<serde_json::Map<_, _>>(),
        "where": file.whereabouts.as_str(),
        "shard": file.shard.map(|shard| shard + 1),
    })
}
