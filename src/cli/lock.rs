//! `dbag lock`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Context, Outcome};
use crate::Error;
use crate::open::{Project, Relocked};
use crate::version::lock::{Locked, Wanted};
use crate::version::{DatasetName, Requirement};

/// Pin the datasets that a project is trained with: dbag.toml says which versions will do, dbag.lock which one it is
///
/// Keep both files with the project. `dbag materialize --locked` brings exactly what is locked, and fails where anything
/// differs. No network is used.
#[derive(Debug, Args)]
pub(super) struct Lock {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(Add),
    Update(Update),
    Check(Check),
    List(List),
}

/// Ask for a dataset, and lock the newest version that will do
///
/// It is looked for in the bag at --bag, else in the workspace of --workspace or around here. If no bag was cut of the version
/// yet, one is cut aside to learn its digests.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag lock add retina@^1.2\n  dbag lock add retina@^1.2 --workspace ../lab\n  dbag lock add retina@1.0.0 --bag bags/retina-1.0.0.zip"
)]
struct Add {
    /// The dataset and which versions will do: NAME@^1.2, NAME@1.0.0, NAME@latest
    requirement: Requirement,
    /// A bag of it: a path, or the URL under which others find the version of the workspace
    #[arg(long, value_name = "PATH|URL")]
    bag: Option<String>,
}

/// Lock the newest versions that will do
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag lock update\n  dbag lock update retina")]
struct Update {
    /// Only these datasets; without any, all, and what is not asked for any more is dropped
    names: Vec<DatasetName>,
}

/// Check that dbag.lock fits dbag.toml, and the bags and workspaces at hand fit it
///
/// The exit code is 1 where something differs.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag lock check")]
struct Check {}

/// List what is asked for and what is locked
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag lock list --json")]
struct List {}

impl Lock {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        match &self.command {
            Command::Add(command) => command.run(context),
            Command::Update(command) => command.run(context),
            Command::Check(_) => check(context),
            Command::List(_) => list(context),
        }
    }
}

/// The project around the current folder.
pub(super) fn project(context: &Context) -> Result<Project, Error> {
    Ok(Project::find(Path::new("."), context.workspace.clone())?)
}

impl Add {
    fn run(&self, context: &Context) -> Outcome {
        let project = Project::find_or_make(Path::new("."), context.workspace.clone())?;
        let wanted = Wanted {
            name: self.requirement.name.clone(),
            range: self.requirement.range.clone(),
            workspace: context.workspace.as_ref().map(|path| from_folder(&project, path)).transpose()?,
            bag: match &self.bag {
                Some(bag) if !bag.contains("://") => {
                    Some(from_folder(&project, Path::new(bag))?.to_string_lossy().into_owned())
                }
                bag => bag.clone(),
            },
        };
        let bar = context.bar();
        let locked = project.add(&wanted, &bar)?;
        drop(bar);
        context.printer.line(format!("{}@{} locked", locked.name, locked.version))?;
        context.printer.document(&document(&locked))?;
        Ok(0)
    }
}

/// A path as it is from the project's folder.
fn from_folder(project: &Project, path: &Path) -> std::io::Result<PathBuf> {
    let here = std::path::absolute(".")?;
    if here == project.folder() { Ok(path.to_owned()) } else { std::path::absolute(path) }
}

impl Update {
    fn run(&self, context: &Context) -> Outcome {
        let project = project(context)?;
        let bar = context.bar();
        let changes = project.update(&self.names, &bar)?;
        drop(bar);
        for change in &changes {
            context.printer.line(told(change))?;
        }
        let changes = changes.iter().map(|change| {
            json!({"was": change.was.as_ref().map(document), "is": change.is.as_ref().map(document)})
        });
        context.printer.document(&json!({"datasets": changes.collect::<Value>()}))?;
        Ok(0)
    }
}

fn told(change: &Relocked) -> String {
    match (&change.was, &change.is) {
        (Some(was), Some(is)) if was == is => format!("{}@{} as before", is.name, is.version),
        (Some(was), Some(is)) if was.version == is.version => {
            format!("{}@{} locked with other digests or from elsewhere", is.name, is.version)
        }
        (Some(was), Some(is)) => format!("{}@{} locked, was {}", is.name, is.version, was.version),
        (None, Some(is)) => format!("{}@{} locked", is.name, is.version),
        (Some(was), None) => format!("{}@{} dropped: it is not asked for", was.name, was.version),
        (None, None) => String::new(),
    }
}

fn check(context: &Context) -> Outcome {
    let project = project(context)?;
    let bar = context.bar();
    let differences = project.check(&bar)?;
    drop(bar);
    for difference in &differences {
        context.printer.line(format!("{} {}", difference.name, difference.what))?;
    }
    if differences.is_empty() {
        context.printer.line("dbag.lock fits")?;
    }
    let documents = differences.iter().map(|one| json!({"name": one.name.as_str(), "what": one.what}));
    context.printer.document(&json!({"differences": documents.collect::<Value>()}))?;
    Ok(u8::from(!differences.is_empty()))
}

fn list(context: &Context) -> Outcome {
    let project = project(context)?;
    let (wanted, locked) = (project.wanted()?, project.locked()?);
    let mut documents = Vec::new();
    for one in &wanted {
        let found = locked.iter().find(|other| other.name == one.name);
        let version = found.map_or("not locked".to_owned(), |found| found.version.to_string());
        context.printer.line(format!("{:<20} {:<14} {version}", one.name.as_str(), one.range.to_string()))?;
        documents.push(json!({
            "name": one.name.as_str(),
            "requirement": one.range.to_string(),
            "workspace": one.workspace,
            "bag": one.bag,
            "locked": found.map(document),
        }));
    }
    if wanted.is_empty() {
        context.printer.line("dbag.toml asks for no dataset")?;
    }
    context.printer.document(&json!({"datasets": documents}))?;
    Ok(0)
}

pub(super) fn document(locked: &Locked) -> Value {
    json!({
        "name": locked.name.as_str(),
        "version": locked.version.to_string(),
        "rid": locked.rid,
        "catalog": locked.catalog,
        "snapshot": locked.snapshot,
        "content": locked.content,
        "archive": locked.archive,
        "minid": locked.minid,
        "bag": locked.bag,
    })
}
