//! `dbag cache`

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::limits::ArchiveLimits;
use super::printer::count;
use super::size::size;
use super::{Context, Outcome};
use crate::cache::{Cache as Store, GcOptions, GcReport, Pin as Pinned};
use crate::model::format_timestamp;
use crate::open::pin_bag;
use crate::settings::{Overrides, Setting, parse_duration, parse_size};
use crate::{Error, ErrorKind};

/// Look after the cache: what was fetched once, kept by its digest
///
/// Everything in it can be had again, so deleting the whole folder loses nothing but time. It may be shared: an admin makes
/// it for a group with `chmod g+ws`, and dbag makes all in it the group's.
#[derive(Debug, Args)]
pub(super) struct Cache {
    /// The cache's folder [default: the setting `cache`]
    #[arg(long, global = true, value_name = "DIR")]
    cache: Option<PathBuf>,
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Debug, Subcommand)]
enum CacheCommand {
    Dir(Dir),
    Ls(Ls),
    Du(Du),
    Verify(Verify),
    Pin(Pin),
    Unpin(Unpin),
    Gc(Gc),
}

/// Say where the cache is, and who says so
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag cache dir\n  DBAG_CACHE=/scratch/dbag dbag cache dir")]
struct Dir {}

/// List the objects, least recently used first
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag cache ls | head")]
struct Ls {}

/// Say how much room each kind of thing takes
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag cache du")]
struct Du {}

/// Hash every object again; put aside what is damaged
///
/// What is put aside is fetched again when it is needed. Ends with exit code 1 if anything was damaged.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag cache verify --json")]
struct Verify {}

/// Keep a bag's files in the cache
///
/// They stay until the bag is unpinned, and so do those that come into the cache later.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag cache pin Dataset_2A4M-0001/\n  dbag cache pin digits@1.0.0\n  dbag cache pin --list"
)]
struct Pin {
    /// A bag: its path, or the name of one that is known here
    #[arg(required_unless_present = "list")]
    bag: Option<String>,
    /// List the pinned bags
    #[arg(long, conflicts_with = "bag")]
    list: bool,
    #[command(flatten)]
    limits: ArchiveLimits,
}

/// Keep a bag's files no longer
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag cache unpin digits@1.0.0\n  dbag cache unpin Dataset_2A4M-0001/")]
struct Unpin {
    /// A pinned bag: its path or its name
    bag: String,
}

/// Remove what was not used for long, and what is left over
///
/// Objects go least recently used first. Those of pinned bags, those that a running command needs, and those used within the
/// last two hours stay. A file that bags share with the cache by hard link gives its room back only when the bags go too.
/// Without --max-size and --older-than only leftovers of killed commands are removed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag cache gc --max-size 500GB\n  dbag cache gc --max-size 500G --older-than 30d --dry-run"
)]
struct Gc {
    /// Remove objects until no more than this is left, such as 500GB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_size: Option<u64>,
    /// Remove objects that were not used for as long, such as 30d or 12h
    #[arg(long, value_name = "AGE", value_parser = parse_duration)]
    older_than: Option<Duration>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

impl Cache {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        if let CacheCommand::Dir(_) = &self.command {
            return dir(self.cache.as_ref(), context);
        }
        let cache = open_cache(self.cache.as_ref(), context)?;
        match &self.command {
            CacheCommand::Dir(_) => dir(self.cache.as_ref(), context),
            CacheCommand::Ls(_) => list(&cache, context),
            CacheCommand::Du(_) => du(&cache, context),
            CacheCommand::Verify(_) => verify(&cache, context),
            CacheCommand::Pin(command) => command.run(&cache, context),
            CacheCommand::Unpin(command) => command.run(&cache, context),
            CacheCommand::Gc(command) => command.run(&cache, context),
        }
    }
}

fn cache_setting(flag: Option<&PathBuf>, context: &Context) -> Result<Setting<PathBuf>, Error> {
    Ok(context.settings(Overrides { cache: flag.cloned(), ..Overrides::default() })?.cache)
}

/// The cache that the settings name.
pub(super) fn open_cache(flag: Option<&PathBuf>, context: &Context) -> Result<Store, Error> {
    match cache_setting(flag, context)?.value {
        Some(folder) => Ok(Store::open(&folder)?),
        None => Err(no_folder()),
    }
}

fn no_folder() -> Error {
    Error::Usage(
        "there is no home folder to have the cache in; name one with --cache DIR or DBAG_CACHE".into(),
    )
}

fn dir(flag: Option<&PathBuf>, context: &Context) -> Outcome {
    let setting = cache_setting(flag, context)?;
    let folder = setting.value.ok_or_else(no_folder)?;
    context.printer.line(folder.display().to_string())?;
    context.printer.document(&json!({
        "cache": folder.display().to_string(),
        "set_by": setting.origin.to_string(),
    }))?;
    Ok(0)
}

fn list(cache: &Store, context: &Context) -> Outcome {
    let bar = context.bar();
    let objects = cache.list(&bar)?;
    drop(bar);
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if context.printer.is_json() {
        let objects: Vec<Value> = objects
            .iter()
            .map(|object| {
                json!({
                    "sha256": object.sha256.to_string(),
                    "length": object.length,
                    "used": timestamp(seconds(object.used)),
                    "kept": object.kept,
                })
            })
            .collect();
        context.printer.document(&json!({"objects": objects}))?;
        return Ok(0);
    }
    for object in &objects {
        let kept = if object.kept { "  kept" } else { "" };
        context.printer.line(format!(
            "{}  {:>9}  {}{kept}",
            object.sha256,
            size(object.length),
            date(seconds(object.used))
        ))?;
    }
    Ok(0)
}

fn du(cache: &Store, context: &Context) -> Outcome {
    let bar = context.bar();
    let usage = cache.du(&bar)?;
    drop(bar);
    let total: u64 = usage.iter().map(|kind| kind.bytes).sum();
    for kind in &usage {
        context.printer.line(format!(
            "{:<20} {:>14}  {:>9}",
            kind.kind,
            count(kind.files, "file"),
            size(kind.bytes)
        ))?;
    }
    context.printer.line(format!("{:<35}  {:>9}", "together", size(total)))?;
    let kinds: Vec<Value> = usage
        .iter()
        .map(|kind| json!({"kind": kind.kind, "files": kind.files, "bytes": kind.bytes}))
        .collect();
    context.printer.document(&json!({
        "cache": cache.root().display().to_string(),
        "bytes": total,
        "kinds": kinds,
    }))?;
    Ok(0)
}

fn verify(cache: &Store, context: &Context) -> Outcome {
    let bar = context.bar();
    let report = cache.verify(&bar)?;
    drop(bar);
    for damaged in &report.damaged {
        let fate = match &damaged.aside {
            Some(aside) => format!("put aside as {}", aside.display()),
            None => "it could not be put aside".to_owned(),
        };
        context.printer.line(format!("{}: {}; {fate}", damaged.path.display(), damaged.reason))?;
    }
    let state = if report.damaged.is_empty() {
        "all right".to_owned()
    } else {
        format!("{} damaged", count(report.damaged.len() as u64, "object"))
    };
    context.printer.line(format!(
        "{}: {} ({}) hashed, {state}",
        cache.root().display(),
        count(report.objects, "object"),
        size(report.bytes)
    ))?;
    let damaged: Vec<Value> = report
        .damaged
        .iter()
        .map(|damaged| {
            json!({
                "path": damaged.path.display().to_string(),
                "reason": damaged.reason,
                "aside": damaged.aside.as_ref().map(|aside| aside.display().to_string()),
            })
        })
        .collect();
    context.printer.document(&json!({
        "objects": report.objects,
        "bytes": report.bytes,
        "stamped": report.stamped,
        "damaged": damaged,
    }))?;
    Ok(if report.damaged.is_empty() { 0 } else { ErrorKind::Data.exit_code() })
}

impl Pin {
    fn run(&self, cache: &Store, context: &Context) -> Outcome {
        let Some(bag) = &self.bag else { return list_pins(cache, context) };
        let bar = context.bar();
        let pin = pin_bag(cache, bag, &self.limits.limits(), &bar)?;
        drop(bar);
        context.printer.line(format!("Pinned {}: {} kept", title(&pin), count(pin.files, "file")))?;
        context.printer.document(&pin_document(&pin))?;
        Ok(0)
    }
}

fn list_pins(cache: &Store, context: &Context) -> Outcome {
    let pins = cache.pins()?;
    for pin in &pins {
        context.printer.line(format!(
            "{:>12}  {}  {}",
            count(pin.files, "file"),
            date(pin.since),
            title(pin)
        ))?;
    }
    if pins.is_empty() {
        context.printer.line("No bags are pinned")?;
    }
    context.printer.document(&json!({"pins": pins.iter().map(pin_document).collect::<Vec<_>>()}))?;
    Ok(0)
}

impl Unpin {
    fn run(&self, cache: &Store, context: &Context) -> Outcome {
        let pin = cache.unpin(&self.bag)?;
        context.printer.line(format!("Unpinned {}", title(&pin)))?;
        context.printer.document(&pin_document(&pin))?;
        Ok(0)
    }
}

fn title(pin: &Pinned) -> String {
    match &pin.name {
        Some(name) => format!("{name} ({})", pin.path.display()),
        None => pin.path.display().to_string(),
    }
}

fn pin_document(pin: &Pinned) -> Value {
    json!({
        "name": pin.name,
        "path": pin.path.display().to_string(),
        "files": pin.files,
        "since": timestamp(pin.since),
    })
}

impl Gc {
    fn run(&self, cache: &Store, context: &Context) -> Outcome {
        let options = GcOptions {
            max_size: self.max_size,
            older_than: self.older_than,
            dry_run: self.dry_run,
            ..GcOptions::default()
        };
        let bar = context.bar();
        let report = cache.gc(&options, &bar)?;
        drop(bar);
        self.print(&report, context)?;
        context.printer.document(&json!({
            "dry_run": self.dry_run,
            "objects": report.objects,
            "bytes": report.bytes,
            "removed": report.removed,
            "removed_bytes": report.removed_bytes,
            "kept": report.kept,
            "kept_bytes": report.kept_bytes,
            "left_bytes": report.left_bytes(),
            "leftovers": report.leftovers,
            "leftover_bytes": report.leftover_bytes,
            "forgotten_bags": report.bags,
        }))?;
        Ok(0)
    }

    fn print(&self, report: &GcReport, context: &Context) -> Result<(), Error> {
        let printer = context.printer;
        let removed = if self.dry_run { "would be removed" } else { "removed" };
        printer.line(format!(
            "{} ({}) {removed}, {} left",
            count(report.removed, "object"),
            size(report.removed_bytes),
            size(report.left_bytes())
        ))?;
        if report.leftovers > 0 {
            let (files, bytes) = (count(report.leftovers, "leftover file"), size(report.leftover_bytes));
            printer.line(format!("{files} ({bytes}) {removed}"))?;
        }
        if report.kept > 0 {
            let (objects, bytes) = (count(report.kept, "object"), size(report.kept_bytes));
            printer.line(format!("{objects} ({bytes}) kept for pinned bags and running commands"))?;
        }
        if self.max_size.is_some_and(|limit| report.left_bytes() > limit) {
            printer.line("That is more than --max-size: the rest is kept, or was used within two hours")?;
        }
        Ok(())
    }
}

/// Seconds since 1970 in PostgreSQL's form, in UTC.
pub(super) fn timestamp(seconds: u64) -> String {
    format_timestamp(i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX))
}

/// The day of it.
pub(super) fn date(seconds: u64) -> String {
    timestamp(seconds).split(' ').next().unwrap_or_default().to_owned()
}
