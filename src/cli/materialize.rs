//! `dbag materialize`

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::fetching::{Chosen, Places};
use super::limits::ArchiveLimits;
use super::lock::{document as locked_document, project};
use super::printer::{Printer, count};
use super::size::size;
use super::verify::print_findings;
use super::{Context, Outcome};
use crate::Error;
use crate::bag::Code;
use crate::materialize::{Failure, MaterializeOptions, MaterializeReport, Shard, ShardError, materialize};
use crate::open::finding_document;
use crate::settings::{LinkMode, parse_size};
use crate::version::DatasetName;

/// Fetch what a bag refers to, and check all of it
///
/// Files are fetched in parallel, hashed while they arrive, and put in place only when their digest is right. Run it
/// again after an interruption: it fetches only what is missing or wrong. Several runs may work on one bag at once.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag materialize digits-1.0.0.zip --to digits\n  dbag materialize https://data.example.org/digits-1.0.0.zip\n  dbag materialize Dataset_2A4M-0001/ --table Image --max-bytes 10GB\n  dbag materialize digits-1.0.0.zip --to $SCRATCH/digits --shard auto   # in a job array\n  dbag materialize digits-1.0.0.zip --to $SCRATCH/digits --finish      # after it\n  dbag materialize digits-1.0.0.zip --pack digits-whole.zip            # one file instead of many\n  dbag materialize --locked --to data                                  # what dbag.lock says\n\nHow to use it on a cluster: docs/hpc.md. Credentials and servers: docs/materialize.md."
)]
pub(super) struct Materialize {
    /// A bag: folder, archive, or URL of an archive; with --locked, the names of datasets
    #[arg(required_unless_present = "locked", value_name = "BAG")]
    bags: Vec<String>,
    /// Bring what dbag.lock says, all of it or the named datasets, and fail where anything differs; several go to DIR/NAME
    #[arg(long)]
    locked: bool,
    /// The bag's folder [default: in place for a folder; for an archive, its bag's name]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Make one archive of the whole bag, its payload stored as it is, to be read in place
    #[arg(long, value_name = "ZIP", conflicts_with_all = ["to", "shard", "finish"])]
    pack: Option<PathBuf>,
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    effort: Effort,
    #[command(flatten)]
    sharing: Sharing,
    #[command(flatten)]
    limits: ArchiveLimits,
}

/// How hard.
#[derive(Debug, Args)]
#[command(next_help_heading = "How")]
struct Effort {
    /// Connections at once, at most; how many there are depends on what the servers give [default: 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: Option<u16>,
    /// Bytes a second, at most, such as 10MB
    #[arg(long, value_name = "RATE", value_parser = parse_size)]
    limit_rate: Option<u64>,
    /// Hash everything again, whatever stamps and receipts say, and fetch anew what is wrong
    #[arg(long)]
    rehash: bool,
    /// How files come from the cache: auto, reflink, hard or copy [default: auto]
    #[arg(long, value_name = "WAY")]
    link: Option<LinkMode>,
}

/// With whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "In a job array")]
struct Sharing {
    /// Fetch one share of the files, such as 3/64; auto takes it from SLURM, PMI, Open MPI or torchrun
    #[arg(long, value_name = "I/N|auto")]
    shard: Option<String>,
    /// Fetch nothing: check that all shares are there and right
    #[arg(long, conflicts_with = "shard")]
    finish: bool,
}

impl Sharing {
    fn shard(&self) -> Result<Option<Shard>, ShardError> {
        match self.shard.as_deref() {
            None => Ok(None),
            Some("auto") => Shard::from_environment(&|name| std::env::var(name).ok()).map(Some),
            Some(text) => text.parse().map(Some),
        }
    }
}

impl Materialize {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let effort = &self.effort;
        let fetching = self.places.fetching(context, effort.connections, effort.limit_rate, effort.link)?;
        let default = MaterializeOptions::default();
        let options = MaterializeOptions {
            to: self.to.clone(),
            pack: self.pack.clone(),
            limits: self.limits.limits(),
            selection: self.chosen.selection(),
            shard: self.sharing.shard().map_err(crate::materialize::MaterializeError::from)?,
            finish: self.sharing.finish,
            mirrors: fetching.mirrors,
            connections: fetching.settings.connections.value.map_or(default.connections, usize::from),
            limit_rate: fetching.settings.limit_rate.value,
            transport: fetching.transport,
            cache: fetching.cache,
            link: fetching.settings.link.value.unwrap_or_default(),
            rehash: effort.rehash,
        };
        if self.locked {
            return self.run_locked(&options, context);
        }
        let [bag] = self.bags.as_slice() else {
            return Err(Error::Usage("one bag at a time; with --locked, several datasets".into()));
        };
        let bar = context.bar();
        let report = materialize(bag, &options, &bar)?;
        drop(bar);
        print(&report, context.printer)?;
        context.printer.document(&document(&report))?;
        Ok(exit_code(&report))
    }

    fn run_locked(&self, options: &MaterializeOptions, context: &Context) -> Outcome {
        let names: Vec<DatasetName> = self.bags.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
        if options.pack.is_some() && names.len() != 1 {
            return Err(Error::Usage("--pack makes one archive: name one dataset with --locked".into()));
        }
        let bar = context.bar();
        let bags = project(context)?.materialize(&names, options, &bar)?;
        drop(bar);
        for (_, report) in &bags {
            print(report, context.printer)?;
        }
        let documents = bags.iter().map(|(locked, report)| {
            let mut document = document(report);
            document["locked"] = locked_document(locked);
            document
        });
        context.printer.document(&json!({"bags": documents.collect::<Value>()}))?;
        Ok(bags.iter().map(|(_, report)| exit_code(report)).max().unwrap_or(0))
    }
}

fn exit_code(report: &MaterializeReport) -> u8 {
    report.problem().map_or(0, crate::ErrorKind::exit_code)
}

/// Many files that fail in one way are told together: the reason once, as an example the first of them, and how many more.
pub(super) fn alike(failures: &[Failure]) -> Vec<(&Failure, String)> {
    let mut alike: Vec<(&Failure, u64)> = Vec::new();
    let mut known: HashMap<(&str, Option<Code>), usize> = HashMap::new();
    for failure in failures {
        let at = *known.entry((&failure.reason, failure.code)).or_insert(alike.len());
        match alike.get_mut(at) {
            Some((_, more)) => *more += 1,
            None => alike.push((failure, 0)),
        }
    }
    let told =
        |more| if more == 0 { String::new() } else { format!(", and {} like it", count(more, "file")) };
    alike.into_iter().map(|(failure, more)| (failure, told(more))).collect()
}

fn print(report: &MaterializeReport, printer: Printer) -> std::io::Result<()> {
    print_findings(&report.findings, printer)?;
    for (failure, more) in alike(&report.failures) {
        let code = failure.code.map(|code| format!("{code} ")).unwrap_or_default();
        let url = if failure.url.is_empty() { String::new() } else { format!(" ({})", failure.url) };
        printer.line(format!("{code}{}: {}{url}{more}", failure.path, failure.reason))?;
    }
    let untold = report.failed_files - (report.failures.len() as u64).min(report.failed_files);
    if untold > 0 {
        printer.line(format!("… and {untold} more files"))?;
    }
    printer.line(summary(report))
}

/// One line: what came from where, and what the bag is now.
fn summary(report: &MaterializeReport) -> String {
    let mut parts =
        vec![format!("{} fetched ({})", count(report.fetched_files, "file"), size(report.fetched_bytes))];
    if report.cached_files > 0 {
        parts.push(format!("{} from the cache ({})", report.cached_files, size(report.cached_bytes)));
    }
    parts.push(format!("{} already there", report.present_files));
    if report.retries > 0 {
        parts.push(format!("{} tried again", report.retries));
    }
    format!("{}: {}; {}", report.bag.display(), parts.join(", "), state(report))
}

/// What the bag is now.
fn state(report: &MaterializeReport) -> String {
    if report.is_whole() {
        return "complete and valid".to_owned();
    }
    if let Some(shard) = report.done_shard() {
        let verb = if report.shard_files == 1 { "is" } else { "are" };
        return format!("shard {shard}: its {} {verb} there and right", count(report.shard_files, "file"));
    }
    let mut state = Vec::new();
    if report.is_invalid() {
        state.push("not valid".to_owned());
    }
    if report.failed_files > 0 {
        let what = if report.finish { "not there" } else { "not fetched" };
        state.push(format!("{} {what}", count(report.failed_files, "file")));
    }
    if state.is_empty() {
        state.push(format!("right so far, {} not asked for", count(report.left_files, "file")));
    }
    state.join(", ")
}

fn document(report: &MaterializeReport) -> Value {
    json!({
        "bag": report.bag.display().to_string(),
        "whole": report.is_whole(),
        "listed_files": report.payload_files,
        "present_files": report.present_files,
        "fetched_files": report.fetched_files,
        "fetched_bytes": report.fetched_bytes,
        "cached_files": report.cached_files,
        "cached_bytes": report.cached_bytes,
        "links": {"reflink": report.links.reflink, "hard": report.links.hard, "copy": report.links.copy},
        "left_files": report.left_files,
        "shard": report.shard.map(|shard| json!({
            "index": shard.index() + 1, "count": shard.count(), "files": report.shard_files,
        })),
        "failed_files": report.failed_files,
        "retries": report.retries,
        "failures": report.failures.iter().map(failure_document).collect::<Vec<_>>(),
        "findings": report.findings.iter().map(finding_document).collect::<Vec<_>>(),
        "notes": report.notes,
    })
}

/// A file that can't be had, for programs.
pub(super) fn failure_document(failure: &Failure) -> Value {
    json!({
        "path": failure.path.as_str(),
        "url": failure.url,
        "reason": failure.reason,
        "code": failure.code.map(Code::as_str),
    })
}
