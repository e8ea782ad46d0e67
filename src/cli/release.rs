//! `dbag release`

use clap::Args;
use serde_json::{Value, json};

use super::printer::{Printer, count};
use super::{Context, Outcome};
use crate::catalog::{MemberCount, Release as Released, ReleaseAs, ReleaseOptions};
use crate::version::{Bump, DatasetName, DatasetVersion, PreRelease};

/// Release a dataset: what it holds now becomes a version, the same for ever
///
/// The first release is 1.0.0, 0.1.0 or 0.0.1. A dataset that has not changed since its last version is refused, unless that
/// was a candidate (1.1.0-rc.1), which the release then replaces as 1.1.0.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag release digits --minor -m \"50 more images\"\n  dbag release digits --auto -m \"50 more images\" --dry-run\n  dbag release digits --minor --pre rc -m \"for review\"\n  dbag release study --minor --with-nested -m \"second visit\"\n\nWith --auto, rows, members, columns or tables gone, columns retyped, or a nested dataset taken out or raised by a major\nnumber make it major; more of any of these makes it minor; other values, descriptions or types make it a patch."
)]
pub(super) struct Release {
    /// The dataset
    name: DatasetName,
    #[command(flatten)]
    bump: BumpFlags,
    /// Make it a pre-release: alpha, beta or rc, counted from 1
    #[arg(long, value_name = "KIND", conflicts_with = "exact")]
    pre: Option<PreRelease>,
    /// Release nested datasets first, where they have changed or never were released
    #[arg(long)]
    with_nested: bool,
    /// Say what would be released, and release nothing
    #[arg(long)]
    dry_run: bool,
    /// What has changed, and why
    #[arg(short, long, value_name = "NOTE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    message: String,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
#[allow(clippy::struct_excessive_bools)] // One of them is given.
struct BumpFlags {
    /// A change that breaks those who use it: rows or columns gone, meanings changed
    #[arg(long)]
    major: bool,
    /// An addition
    #[arg(long)]
    minor: bool,
    /// A correction
    #[arg(long)]
    patch: bool,
    /// What the changes since the last release call for
    #[arg(long)]
    auto: bool,
    /// Exactly this version, greater than every other
    #[arg(long = "as", value_name = "VERSION")]
    exact: Option<DatasetVersion>,
}

impl BumpFlags {
    fn version(&self) -> ReleaseAs {
        match self {
            Self { exact: Some(version), .. } => ReleaseAs::Exact(version.clone()),
            Self { auto: true, .. } => ReleaseAs::Proposed,
            Self { major: true, .. } => ReleaseAs::Bump(Bump::Major),
            Self { minor: true, .. } => ReleaseAs::Bump(Bump::Minor),
            Self { .. } => ReleaseAs::Bump(Bump::Patch),
        }
    }
}

impl Release {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let options = ReleaseOptions {
            version: self.bump.version(),
            pre: self.pre,
            with_nested: self.with_nested,
            dry_run: self.dry_run,
        };
        let release = context.workspace()?.catalog.release_dataset(&self.name, options, &self.message)?;
        for nested in &release.with {
            print(context.printer, nested, self.dry_run)?;
        }
        print(context.printer, &release, self.dry_run)?;
        let mut answer = document(&release);
        answer["with"] = release.with.iter().map(document).collect();
        answer["dry_run"] = json!(self.dry_run);
        context.printer.document(&answer)?;
        Ok(0)
    }
}

fn print(printer: Printer, release: &Released, dry_run: bool) -> std::io::Result<()> {
    let mut members = shown_members(&release.members);
    if !release.children.is_empty() {
        members.push(count(release.children.len() as u64, "nested dataset"));
    }
    let (verb, snapshot) = if dry_run {
        ("Would release", String::new())
    } else {
        ("Released", format!(" (snapshot {})", release.snapshot))
    };
    printer.line(format!("{verb} {} with {}{snapshot}", release.reference, members.join(", ")))?;
    if let (Some(bump), false) = (release.bump, release.reasons.is_empty()) {
        printer.line(format!("  {}: {}", bump.as_str(), release.reasons.join(", ")))?;
    }
    for child in &release.children {
        let version = child.version.as_ref().map_or_else(String::new, |version| format!("@{version}"));
        printer.line(format!("  nested {}{version}", child.called()))?;
    }
    Ok(())
}

/// `200 Image`, for each table.
pub(super) fn shown_members(members: &[MemberCount]) -> Vec<String> {
    members.iter().map(|count| format!("{} {}", count.rows, count.table)).collect()
}

pub(super) fn members_document(members: &[MemberCount]) -> Value {
    members.iter().map(|count| json!({"table": count.table, "rows": count.rows})).collect()
}

fn document(release: &Released) -> Value {
    let nested = release.children.iter().map(|child| {
        json!({
            "name": child.name.as_ref().map(ToString::to_string),
            "rid": child.rid.as_str(),
            "version": child.version.as_ref().map(ToString::to_string),
        })
    });
    json!({
        "reference": release.reference.to_string(),
        "name": release.reference.name.as_str(),
        "version": release.reference.version.to_string(),
        "rid": release.rid.as_str(),
        "snapshot": release.snapshot.to_string(),
        "bump": release.bump.map(Bump::as_str),
        "reasons": release.reasons,
        "members": members_document(&release.members),
        "nested": nested.collect::<Value>(),
        "log": release.log,
    })
}
