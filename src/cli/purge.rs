//! `dbag purge`

use clap::Args;
use serde_json::json;

use super::printer::count;
use super::{Context, Outcome};
use crate::Error;
use crate::catalog::{PurgeOptions, Tombstone};
use crate::open::PurgeReport;

/// Withdraw rows: erase them with all that they ever were, and with the bytes of their files
///
/// What exists only because of a row goes with it: memberships, values of features, links. A tombstone stays: which row it was, when and why
/// it was withdrawn, and which versions held it; a bag of such a version says what is missing. This can't be undone. Backups, bags and
/// published files that were made before still hold the rows; those that dbag knows of are named.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // Each is a flag.
#[command(
    after_help = "Examples:\n  dbag purge 7WXY-0001 --reason \"consent withdrawn\" --dry-run\n  dbag purge 7WXY-0001 7WXY-0003 --reason \"consent withdrawn\" --yes\n  dbag purge --table Subject --where \"code = 'P-17'\" --with-dependents --reason \"request 41\" --yes\n  dbag purge --list\n  dbag purge --finish"
)]
pub(super) struct Purge {
    /// Rows by their RIDs
    #[arg(value_name = "RID")]
    rids: Vec<String>,
    /// Rows of this table
    #[arg(long, value_name = "TABLE", requires = "condition")]
    table: Option<String>,
    /// Those for which this SQL condition holds
    #[arg(long = "where", value_name = "SQL", requires = "table")]
    condition: Option<String>,
    /// Rows of other tables that refer to them go too
    #[arg(long)]
    with_dependents: bool,
    /// Why; it stays in the catalog and goes into bags, so it must not say what is withdrawn
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: Option<String>,
    /// Tell what would go, and erase nothing
    #[arg(long)]
    dry_run: bool,
    /// Erase: without it nothing is
    #[arg(long)]
    yes: bool,
    /// List what was withdrawn
    #[arg(long, conflicts_with_all = ["rids", "table", "finish"])]
    list: bool,
    /// End a purge that was stopped
    #[arg(long, conflicts_with_all = ["rids", "table"])]
    finish: bool,
}

impl Purge {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        if self.list {
            return list(context);
        }
        let mut workspace = context.workspace()?;
        let bar = context.bar();
        let finished = workspace.finish_purge(&bar)?;
        drop(bar);
        if self.finish {
            let text = if finished { "The purge is done" } else { "There is no purge to finish" };
            context.printer.line(text)?;
            context.printer.document(&json!({"finished": finished}))?;
            return Ok(0);
        }
        if self.rids.is_empty() && self.table.is_none() {
            return Err(Error::Usage("say which rows: their RIDs, or --table and --where".into()));
        }
        let options = PurgeOptions {
            rids: self.rids.clone(),
            table: self.table.clone(),
            condition: self.condition.clone(),
            with_dependents: self.with_dependents,
        };
        if self.dry_run {
            return print(&workspace.plan_purge(&options)?, true, context);
        }
        let Some(reason) = self.reason.as_deref().filter(|_| self.yes) else {
            return Err(Error::Usage(
                "a purge can't be undone: give a --reason and --yes, or see with --dry-run what would go"
                    .into(),
            ));
        };
        let bar = context.bar();
        let report = workspace.purge(&options, reason, &bar)?;
        drop(bar);
        print(&report, false, context)
    }
}

fn print(report: &PurgeReport, dry_run: bool, context: &Context) -> Outcome {
    let purged = &report.purged;
    let line = |text: String| context.printer.line(text);
    let verb = if dry_run { "Would withdraw" } else { "Withdrew" };
    line(format!(
        "{verb} {} with {}",
        count(purged.rows(), "row"),
        count(purged.superseded, "superseded version")
    ))?;
    for (table, rows) in &purged.tables {
        line(format!("  {table}  {rows}"))?;
    }
    let told: [(&str, Vec<String>); 7] = [
        ("held by the versions", purged.versions.clone()),
        ("commands blanked in the log", purged.commands.iter().map(ToString::to_string).collect()),
        ("files deleted", purged.objects.iter().map(ToString::to_string).collect()),
        ("files that are yours to delete", purged.in_place.clone()),
        ("published files to withdraw", purged.published.clone()),
        (
            "bags that hold them",
            purged
                .bags
                .iter()
                .map(|(sha256, places)| format!("{} {}", &sha256[..12.min(sha256.len())], places.join(" ")))
                .collect(),
        ),
        (
            "copies of the catalog that hold them",
            report.kept.iter().map(|path| path.display().to_string()).collect(),
        ),
    ];
    for (what, all) in told.iter().filter(|(_, all)| !all.is_empty()) {
        line(format!("{what}:"))?;
        all.iter().try_for_each(|one| line(format!("  {one}")))?;
    }
    if dry_run {
        line("Nothing was erased (--dry-run)".into())?;
    }
    let bags = purged.bags.iter().map(|(sha256, places)| json!({"sha256": sha256, "places": places}));
    context.printer.document(&json!({
        "rows": purged.rows(),
        "superseded": purged.superseded,
        "tables": purged.tables,
        "rids": purged.rids,
        "versions": purged.versions,
        "commands": purged.commands,
        "objects": purged.objects.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "in_place": purged.in_place,
        "published": purged.published,
        "bags": bags.collect::<Vec<_>>(),
        "kept": report.kept.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "dry_run": dry_run,
    }))?;
    Ok(0)
}

fn list(context: &Context) -> Outcome {
    let catalog = context.workspace()?.catalog;
    let tombstones = catalog.tombstones()?;
    let held = |tombstone: &Tombstone| -> Vec<String> {
        let name = |dataset: &str| {
            catalog.dataset_named(dataset).map_or_else(|_| dataset.to_owned(), |name| name.to_string())
        };
        tombstone.held.iter().map(|held| format!("{}@{}", name(&held.dataset), held.version)).collect()
    };
    for tombstone in &tombstones {
        let Tombstone { rid, table, snapshot, reason, actor, .. } = tombstone;
        let held = held(tombstone);
        let held = if held.is_empty() { String::new() } else { format!("  in {}", held.join(", ")) };
        context.printer.line(format!("{}  {table} {rid}  {reason}  ({actor}){held}", snapshot.date()))?;
    }
    if tombstones.is_empty() {
        context.printer.line("Nothing was withdrawn")?;
    }
    let documents = tombstones.iter().map(|tombstone| {
        json!({
            "rid": tombstone.rid,
            "table": tombstone.table,
            "change": tombstone.number,
            "time": tombstone.snapshot.timestamp(),
            "reason": tombstone.reason,
            "actor": tombstone.actor,
            "versions": held(tombstone),
        })
    });
    context.printer.document(&json!({"withdrawn": documents.collect::<Vec<_>>()}))?;
    Ok(0)
}
