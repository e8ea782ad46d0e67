//! `dbag dataset split`, `subsample`

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{Context, Outcome};
use crate::catalog::{Draw, Made, SampleOptions, SplitOptions, SplitReport};
use crate::cli::printer::{Printer, count};
use crate::partition::{Method, Missing, PartSpec, Report, Size};
use crate::version::DatasetName;

/// More strata than this are not shown one by one.
const SHOWN_STRATA: usize = 30;

/// Divide a dataset's members into parts, such as training and test sets
///
/// Makes a dataset of type Split, and nested in it one for each part, by the part's name (train, test, val) of type Training,
/// Testing or Validation. The same members, sizes and seed give the same parts on every
/// machine. The description of the new dataset ends with all that is needed to divide again.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag dataset split digits --part train=0.8 --part test=0.2 --table Image\n  dbag dataset split digits@1.0.0 --part train=rest --part val=100 --part test=100 --stratify digit --table Label\n  dbag dataset split scans --part train=0.7 --part val=0.1 --part test=0.2 --group Subject --stratify Subject.Sex --seed 7\n\nA grouping column keeps rows together: with --group Subject, no subject spans two parts."
)]
pub(super) struct Split {
    /// The dataset, by name or RID, or a version of it as NAME@VERSION
    dataset: String,
    /// A part and its size: a fraction (train=0.8), a number of members (test=200), or what is left (train=rest); repeatable
    #[arg(long = "part", value_name = "NAME=SIZE", required = true, value_parser = part)]
    parts: Vec<PartSpec>,
    #[command(flatten)]
    draw: DrawFlags,
    /// How to draw: ranked, or as deriva-ml shuffles (neither stratified nor grouped; members by RID)
    #[arg(long, value_enum, default_value_t = Draws::Ranked, value_name = "METHOD")]
    method: Draws,
    /// The name of the dataset around the parts, with which the parts' names begin too [default: NAME-split, and NAME-train …]
    #[arg(long = "as", value_name = "NAME")]
    parent: Option<DatasetName>,
    /// What the dataset around the parts is
    #[arg(short, long, value_name = "TEXT")]
    description: Option<String>,
    /// Only show what would come of it
    #[arg(long)]
    dry_run: bool,
}

/// Draw a sample of a dataset's members
///
/// Makes a dataset of type Subsample. With the same seed, a larger plain sample contains the smaller.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag dataset subsample digits 100 --table Image\n  dbag dataset subsample digits@1.0.0 0.1 --table Label --stratify digit --as digits-tenth"
)]
pub(super) struct Subsample {
    /// The dataset, by name or RID, or a version of it as NAME@VERSION
    dataset: String,
    /// A fraction (0.1) or a number of members (100)
    #[arg(value_parser = sample_size)]
    size: Size,
    #[command(flatten)]
    draw: DrawFlags,
    /// The sample's name [default: NAME-sample]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<DatasetName>,
    /// What the sample is
    #[arg(short, long, value_name = "TEXT")]
    description: Option<String>,
    /// Only show what would come of it
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct DrawFlags {
    /// The table whose rows are drawn [default: the only one with members]
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Give each part its share of each value of this: a column, a column of a row referred to (Subject.Sex), or a feature's
    /// newest value (feature:NAME, feature:NAME.COLUMN)
    #[arg(long, value_name = "COLUMN")]
    stratify: Option<String>,
    /// Keep members with the same value of this together
    #[arg(long, value_name = "COLUMN")]
    group: Option<String>,
    /// The same seed gives the same result
    #[arg(long, default_value_t = 42, value_name = "N")]
    seed: u64,
    /// What to do with members that have no such value
    #[arg(long, value_enum, default_value_t = Lacking::Error, value_name = "POLICY")]
    missing: Lacking,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Lacking {
    /// Refuse
    Error,
    /// Leave them out
    Drop,
    /// Take them as one more stratum, or each as a group of its own
    Include,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Draws {
    /// By a hash of seed and RID: a dataset that has grown keeps nearly all members where they were
    Ranked,
    /// As deriva-ml does
    DerivaMl,
}

impl DrawFlags {
    fn draw(&self, method: Method) -> Draw {
        let missing = match self.missing {
            Lacking::Error => Missing::Error,
            Lacking::Drop => Missing::Drop,
            Lacking::Include => Missing::Include,
        };
        let Self { table, stratify, group, seed, .. } = self;
        let (table, stratify, group) = (table.clone(), stratify.clone(), group.clone());
        Draw { table, stratify, group, missing, seed: *seed, method }
    }
}

fn part(text: &str) -> Result<PartSpec, String> {
    let (name, text) = text.rsplit_once('=').ok_or("write NAME=SIZE, such as train=0.8")?;
    Ok(PartSpec { name: name.to_owned(), size: size(text)? })
}

/// A whole number counts members; what has a point is a fraction.
fn size(text: &str) -> Result<Size, String> {
    if text == "rest" {
        return Ok(Size::Rest);
    }
    if let Ok(count) = text.parse() {
        return Ok(Size::Count(count));
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let fraction = text.parse().ok().filter(|_| digits);
    fraction.map(Size::Fraction).ok_or_else(|| {
        format!("{text:?} is no size: a fraction such as 0.8, a number of members such as 80, or rest")
    })
}

fn sample_size(text: &str) -> Result<Size, String> {
    match size(text)? {
        Size::Rest => Err("a sample is a fraction such as 0.1, or a number of members such as 100".into()),
        size => Ok(size),
    }
}

impl Split {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = &mut context.workspace()?.catalog;
        let source = catalog.dataset_ref(&self.dataset)?;
        let method = if self.method == Draws::DerivaMl { Method::DerivaMl } else { Method::Ranked };
        let options = SplitOptions {
            parts: self.parts.clone(),
            draw: self.draw.draw(method),
            parent: self.parent.clone(),
            description: self.description.clone(),
            dry_run: self.dry_run,
        };
        let report = catalog.split_dataset(&source, &options)?;
        print(context.printer, "Split", &report, self.draw.seed, self.dry_run)?;
        context.printer.document(&document(&report, self.dry_run))?;
        Ok(0)
    }
}

impl Subsample {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = &mut context.workspace()?.catalog;
        let source = catalog.dataset_ref(&self.dataset)?;
        let options = SampleOptions {
            size: self.size,
            draw: self.draw.draw(Method::Ranked),
            name: self.name.clone(),
            description: self.description.clone(),
            dry_run: self.dry_run,
        };
        let report = catalog.sample_dataset(&source, &options)?;
        print(context.printer, "Sampled", &report, self.draw.seed, self.dry_run)?;
        context.printer.document(&document(&report, self.dry_run))?;
        Ok(0)
    }
}

/// The dataset that each part's members are in.
fn homes(split: &SplitReport) -> impl Iterator<Item = &Made> {
    let sample = split.parts.is_empty().then_some(&split.made);
    split.parts.iter().chain(sample)
}

fn print(printer: Printer, verb: &str, split: &SplitReport, seed: u64, dry_run: bool) -> std::io::Result<()> {
    let report = &split.report;
    let into = format!("{} of {} into {}", split.table, split.source, split.made.name);
    let divided = count(report.members, "member");
    printer.line(format!("{verb} {divided} ({into}, seed {seed})"))?;
    for (part, made) in report.parts.iter().zip(homes(split)) {
        let asked =
            if part.asked == part.members { String::new() } else { format!(", {} asked for", part.asked) };
        let groups =
            if report.groups > 0 { format!(", {}", count(part.groups, "group")) } else { String::new() };
        let (name, types) = (made.name.as_str(), made.types.join(", "));
        printer
            .line(format!("  {name:<24} {:>10}{asked}{groups}  {types}", count(part.members, "member")))?;
    }
    // A sample leaves out what it doesn't take; that needs no saying.
    if report.left_out > 0 && !split.parts.is_empty() {
        printer.line(format!("  in no part: {}", report.left_out))?;
    }
    if report.dropped > 0 {
        printer.line(format!("  left out for want of a value: {}", report.dropped))?;
    }
    if report.groups > 0 {
        let (groups, largest, off) = (report.groups, report.largest_group, report.deviation);
        printer
            .line(format!("  groups: {groups}, the largest of {largest}; sizes are off by {off} at most"))?;
    }
    print_strata(printer, report)?;
    if dry_run {
        printer.line("Nothing was made (--dry-run)")?;
    }
    Ok(())
}

fn print_strata(printer: Printer, report: &Report) -> std::io::Result<()> {
    if report.strata.is_empty() {
        return Ok(());
    }
    let rare = report.strata.iter().filter(|stratum| stratum.rare).count();
    let rare =
        if rare > 0 { format!(", {rare} with fewer members than there are parts") } else { String::new() };
    printer.line(format!(
        "  strata: {}{rare}; the furthest from its share by {:.2} members",
        report.strata.len(),
        report.stratum_deviation
    ))?;
    if report.strata.len() <= SHOWN_STRATA {
        for stratum in &report.strata {
            let parts: Vec<String> = stratum.parts.iter().map(ToString::to_string).collect();
            let name = stratum.stratum.as_deref().unwrap_or("(no value)");
            printer.line(format!("    {name:<20} {:>8} = {}", stratum.members, parts.join(" + ")))?;
        }
    }
    Ok(())
}

fn document(split: &SplitReport, dry_run: bool) -> Value {
    let report = &split.report;
    let made =
        |made: &Made| json!({"name": made.name.as_str(), "rid": made.rid.as_str(), "types": made.types});
    let mut parts: Vec<Value> = Vec::new();
    for (part, home) in report.parts.iter().zip(homes(split)) {
        let mut document = made(home);
        document["part"] = json!(part.name);
        document["asked"] = json!(part.asked);
        document["members"] = json!(part.members);
        document["groups"] = json!(part.groups);
        parts.push(document);
    }
    let strata: Vec<Value> = report
        .strata
        .iter()
        .map(|stratum| {
            json!({
                "stratum": stratum.stratum,
                "members": stratum.members,
                "parts": stratum.parts,
                "rare": stratum.rare,
            })
        })
        .collect();
    json!({
        "source": split.source.to_string(),
        "table": split.table,
        "made": made(&split.made),
        "parts": parts,
        "members": report.members,
        "left_out": report.left_out,
        "dropped": report.dropped,
        "strata": strata,
        "stratum_deviation": report.stratum_deviation,
        "groups": report.groups,
        "largest_group": report.largest_group,
        "deviation": report.deviation,
        "record": split.record,
        "dry_run": dry_run,
    })
}
