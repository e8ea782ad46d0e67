//! The command line: arguments in, one library call, a printed answer and an exit code out.
//!
//! One file for each command. Nothing here decides anything about data.

mod at;
mod backup;
mod cache;
mod dataset;
mod demo;
mod diff;
mod explain;
mod export;
mod feature;
mod fetching;
mod fold;
mod fsck;
mod import;
mod import_bag;
mod init;
mod limits;
mod lock;
mod log;
mod ls;
mod materialize;
mod plan;
mod printer;
mod progress;
mod publish;
mod purge;
mod query;
mod release;
mod restore;
mod selecting;
mod size;
mod spool;
mod status;
mod table;
mod undo;
mod upgrade;
mod verify;
mod vocab;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};
use serde_json::json;

use printer::Printer;
use progress::{Bar, Mode};

use crate::Error;
use crate::open::Workspace;
use crate::settings::{Overrides, Settings};

/// Versioned, checksummed datasets: cut, carry, query. Offline first.
#[derive(Debug, Parser)]
#[command(name = "dbag", version, max_term_width = 100, after_help = "See it all at work with: dbag demo")]
struct Arguments {
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Work in the workspace of this folder [default: the one around the current folder]
    #[arg(long, global = true, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// How to show progress on standard error: a bar on a terminal, nothing, or JSON lines
    #[arg(long, global = true, value_enum, default_value_t = Mode::Auto, value_name = "MODE")]
    progress: Mode,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Import(import::Import),
    Table(Box<table::Table>),
    Vocab(Box<vocab::Vocab>),
    Feature(Box<feature::Feature>),
    Dataset(Box<dataset::Dataset>),
    Release(release::Release),
    Status(status::Status),
    Diff(diff::DiffCommand),
    Explain(explain::Explain),
    Export(export::Export),
    Publish(publish::Publish),
    Materialize(Box<materialize::Materialize>),
    Plan(Box<plan::Plan>),
    Verify(verify::Verify),
    Query(query::Query),
    At(at::At),
    Lock(lock::Lock),
    Log(log::Log),
    Undo(undo::Undo),
    Purge(purge::Purge),
    Ls(ls::Ls),
    Cache(cache::Cache),
    Fsck(fsck::Fsck),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Spool(spool::Spool),
    Fold(fold::Fold),
    Upgrade(upgrade::Upgrade),
    Demo(demo::Demo),
}

/// What commands work with.
struct Context {
    printer: Printer,
    progress: Mode,
    workspace: Option<PathBuf>,
    /// The command as it was typed, for the record of what it changes.
    command: String,
}

/// What a command ends with where nothing failed: 0, or a code that says how its subject is.
type Outcome = Result<u8, Error>;

impl Context {
    fn workspace(&self) -> Result<Workspace, Error> {
        let journal = self.settings(Overrides::default())?.catalog_journal.value.unwrap_or_default();
        let mut workspace = Workspace::open(&self.root()?, crate::catalog::Clock::System)?;
        workspace.catalog.set_journal(journal);
        workspace.catalog.on_note(Printer::warning);
        Ok(workspace)
    }

    /// The workspace's folder, whatever its catalog is like.
    fn root(&self) -> Result<PathBuf, Error> {
        match &self.workspace {
            Some(root) if root.join(".dbag").join("format").is_file() => Ok(root.clone()),
            Some(root) => Err(crate::open::OpenError::NoWorkspace(root.clone()).into()),
            None => Ok(Workspace::locate(&self.here())?),
        }
    }

    /// The folder around which a workspace is looked for.
    fn here(&self) -> PathBuf {
        self.workspace.clone().unwrap_or_else(|| PathBuf::from("."))
    }

    /// The settings that hold here, with these flags.
    #[allow(clippy::unused_self)] // What is asked of the command's surroundings is asked of it.
    fn settings(&self, flags: Overrides) -> Result<Settings, Error> {
        Ok(Settings::of_process(flags)?)
    }

    fn bar(&self) -> Bar {
        Bar::new(self.progress)
    }
}

/// Runs the command line `arguments` (the program's name first) and returns the exit code:
/// 0 done, 1 the data is not right, 2 wrong use, 3 the environment failed, 4 unfinished but right so far, 70 a bug.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let words: Vec<OsString> = arguments.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(error) => {
            if error.use_stderr() && words.iter().any(|word| word == "--json") {
                let text = error.to_string();
                let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
                let document = json!({"error": {"kind": "usage", "message": message, "hint": null}});
                let _ = Printer::new(true).document(&document);
            }
            // Help and version are answers; all else is wrong use. A closed pipe is no one's fault.
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    let printer = Printer::new(arguments.json);
    let (progress, workspace) = (arguments.progress, arguments.workspace);
    let context = Context { printer, progress, workspace, command: typed(&words) };
    match std::panic::catch_unwind(|| dispatch(&arguments.command, &context)) {
        Ok(Ok(code)) => code,
        Ok(Err(Error::Io(error))) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Ok(Err(error)) => report(context.printer, &error),
        Err(_) => {
            Printer::error("this is a bug in dbag; please report it with the lines above", None);
            crate::ErrorKind::Internal.exit_code()
        }
    }
}

/// The command line without the flags that say how it prints and where it works.
fn typed(words: &[OsString]) -> String {
    let mut text = String::from("dbag");
    let mut rest = words.iter().skip(1).map(|word| word.to_string_lossy());
    while let Some(word) = rest.next() {
        match word.as_ref() {
            "--json" => {}
            "--workspace" | "--progress" => drop(rest.next()),
            flag if flag.starts_with("--workspace=") || flag.starts_with("--progress=") => {}
            word => {
                let plain = |c: char| c.is_alphanumeric() || "-_./:=@+,%".contains(c);
                let quote = word.is_empty() || !word.chars().all(plain);
                let word = if quote { format!("'{}'", word.replace('\'', "'\\''")) } else { word.to_owned() };
                text.push(' ');
                text.push_str(&word);
            }
        }
    }
    text
}

fn dispatch(command: &Command, context: &Context) -> Outcome {
    match command {
        Command::Init(command) => command.run(context),
        Command::Import(command) => command.run(context),
        Command::Table(command) => command.run(context),
        Command::Vocab(command) => command.run(context),
        Command::Feature(command) => command.run(context),
        Command::Dataset(command) => command.run(context),
        Command::Release(command) => command.run(context),
        Command::Status(command) => command.run(context),
        Command::Diff(command) => command.run(context),
        Command::Explain(command) => command.run(context),
        Command::Export(command) => command.run(context),
        Command::Publish(command) => command.run(context),
        Command::Materialize(command) => command.run(context),
        Command::Plan(command) => command.run(context),
        Command::Verify(command) => command.run(context),
        Command::Query(command) => command.run(context),
        Command::At(command) => command.run(context),
        Command::Lock(command) => command.run(context),
        Command::Log(command) => command.run(context),
        Command::Undo(command) => command.run(context),
        Command::Purge(command) => command.run(context),
        Command::Ls(command) => command.run(context),
        Command::Cache(command) => command.run(context),
        Command::Fsck(command) => command.run(context),
        Command::Backup(command) => command.run(context),
        Command::Restore(command) => command.run(context),
        Command::Spool(command) => command.run(context),
        Command::Fold(command) => command.run(context),
        Command::Upgrade(command) => command.run(context),
        Command::Demo(command) => command.run(context),
    }
}

fn report(printer: Printer, error: &Error) -> u8 {
    let kind = error.kind();
    let message = error.to_string();
    Printer::error(&message, error.hint());
    let mut document = json!({"error": {"kind": kind.as_str(), "message": message, "hint": error.hint()}});
    import::add_bad_rows(error, &mut document);
    // The exit code tells the rest if even this can't be written.
    let _ = printer.document(&document);
    kind.exit_code()
}

/// The reference of every command, as Markdown, for `docs/cli.md`.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(
        "# Command line\n\nMade from the commands' own help; `cargo xtask docs` makes it anew.\n",
    );
    let command = Arguments::command().term_width(100);
    describe(&command, "dbag", &mut text);
    text
}

fn describe(command: &clap::Command, name: &str, text: &mut String) {
    let mut shown = command.clone().bin_name(name).disable_help_flag(true).disable_version_flag(true);
    let help = shown.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!("\n## `{name}`\n\n```text\n{}\n```\n", help.join("\n").trim()));
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        describe(subcommand, &format!("{name} {}", subcommand.get_name()), text);
    }
}
