//! `dbag demo`: the whole story on a real data set, told by the very commands that a user would type.

mod server;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use include_dir::{Dir, include_dir};
use serde_json::json;

use super::printer::Printer;
use super::{Context, Outcome};
use crate::Error;
use crate::bag::Progress;
use server::FileServer;

/// The UCI handwritten digits; see the README beside them.
static DIGITS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/fixtures/digits");

/// See dbag at work on 200 images of handwritten digits, in a temporary folder
///
/// Makes a workspace, imports, releases, publishes, exports a bag whose images stay on a web server (on this machine),
/// carries it to another folder, materializes, verifies and queries it, then breaks one file and verifies again. Each
/// command is printed as you would type it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag demo --keep play")]
pub(super) struct Demo {
    /// Leave everything in this new folder, to play with
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// A step: its exit code is part of the story.
struct Step {
    command: String,
    exit: i32,
}

/// Runs commands in one folder and prints them with their output.
struct Stage<'c> {
    folder: PathBuf,
    /// In place of the user's: the demo leaves nothing.
    cache: PathBuf,
    context: &'c Context,
    steps: Vec<Step>,
}

impl Demo {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let temporary;
        let folder = match &self.keep {
            Some(folder) => {
                if folder.exists() {
                    return Err(Error::Usage(format!("{} exists already", folder.display())));
                }
                fs_err::create_dir_all(folder)?;
                fs_err::canonicalize(folder)?
            }
            None => {
                temporary = tempfile::Builder::new().prefix("dbag-demo-").tempdir()?;
                temporary.path().to_owned()
            }
        };
        // Ctrl-C reaches the command that is running too; the folder goes either way.
        let bar = context.bar();
        let cache = tempfile::Builder::new().prefix("dbag-demo-").tempdir()?;
        let mut stage = Stage { folder, cache: cache.path().to_owned(), context, steps: Vec::new() };
        let told = tell(&mut stage);
        if bar.cancelled() {
            return Err(crate::bag::BagError::Interrupted.into());
        }
        told?;
        let next = match &self.keep {
            Some(folder) => format!("cd {} && dbag dataset show digits --workspace lab", folder.display()),
            None => "dbag demo --keep play".into(),
        };
        stage.say("")?;
        stage.say("That was all of it: released, exported, carried, fetched, verified, queried.")?;
        if self.keep.is_some() {
            stage.say(&format!("Everything is in {}. Try next:", stage.folder.display()))?;
        } else {
            stage.say("Try next: the same, left in a folder to play with")?;
        }
        stage.say(&format!("  {next}"))?;
        stage.say("  dbag --help")?;
        let steps: Vec<_> =
            stage.steps.iter().map(|step| json!({"command": step.command, "exit": step.exit})).collect();
        context.printer.document(
            &json!({"steps": steps, "kept": self.keep.as_ref().map(|dir| dir.display().to_string())}),
        )?;
        Ok(0)
    }
}

const COUNTS: &str = "SELECT digit, count(*) AS images, sum(Length) AS bytes \
    FROM Image JOIN Label ON Image.Filename = Label.filename GROUP BY digit";

fn tell(stage: &mut Stage<'_>) -> Result<(), Error> {
    let digits = stage.folder.join("digits");
    fs_err::create_dir(&digits)?;
    DIGITS.extract(&digits)?;
    stage.say("A folder of 200 PNG images and a CSV of their labels: the UCI handwritten digits.")?;
    stage.chapter("Import them into a workspace")?;
    stage.run(&["init", "lab"], 0)?;
    stage.enter("lab")?;
    stage.run(&["import", "../digits/images", "--table", "Image"], 0)?;
    stage.run(&["import", "../digits/labels.csv", "--table", "Label", "--key", "filename"], 0)?;
    stage.chapter("Make a dataset of them and release it")?;
    stage.run(&["dataset", "create", "digits", "-d", "Handwritten digits of the UCI repository"], 0)?;
    stage.run(&["dataset", "add", "digits", "--table", "Image", "--table", "Label"], 0)?;
    stage.run(&["release", "digits", "--major", "-m", "the first 200 digits"], 0)?;
    stage.chapter("Put the images on a web server, and export a bag that refers to them")?;
    stage.run(&["publish", "digits@1.0.0", "--to", "../site"], 0)?;
    let server = FileServer::start(stage.folder.parent().unwrap_or(Path::new(".")).join("site"))?;
    stage.say(&format!("(a web server shows ../site at {} while this runs)", server.url()))?;
    stage.run(&["export", "digits@1.0.0", "--base-url", &server.url(), "-o", "../digits-1.0.0.zip"], 0)?;
    stage.enter("..")?;
    stage.chapter("Carry the bag elsewhere: it is right, but holey")?;
    stage.run(&["verify", "digits-1.0.0.zip"], 4)?;
    stage.chapter("Fetch what it refers to, check everything, ask it")?;
    stage.run(&["materialize", "digits-1.0.0.zip", "--to", "node"], 0)?;
    stage.run(&["materialize", "digits-1.0.0.zip", "--to", "node"], 0)?;
    stage.run(&["verify", "node"], 0)?;
    stage.run(&["query", "node", COUNTS], 0)?;
    stage.chapter("Break one byte of one image")?;
    break_one(&stage.folder.join("node/data/asset"))?;
    stage.run(&["verify", "node"], 1)?;
    stage.say("and mend it: only the broken file is fetched again")?;
    stage.run(&["materialize", "node"], 0)?;
    Ok(())
}

/// Flips one bit of the first asset.
fn break_one(assets: &Path) -> Result<(), Error> {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(assets)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect();
    files.sort();
    let first = files.first().ok_or_else(|| Error::Usage("the demo's bag has no assets".into()))?;
    let mut bytes = fs_err::read(first)?;
    if let Some(byte) = bytes.last_mut() {
        *byte ^= 1;
    }
    fs_err::write(first, bytes)?;
    Ok(())
}

impl Stage<'_> {
    fn say(&self, text: &str) -> std::io::Result<()> {
        self.context.printer.line(text)
    }

    fn chapter(&self, title: &str) -> std::io::Result<()> {
        self.say("")?;
        self.say(&format!("# {title}"))
    }

    fn enter(&mut self, folder: &str) -> Result<(), Error> {
        self.folder = fs_err::canonicalize(self.folder.join(folder))?;
        Ok(self.say(&format!("$ cd {folder}"))?)
    }

    /// Runs this very program in the stage's folder; the exit code must be the one that the story tells.
    fn run(&mut self, arguments: &[&str], expected: i32) -> Result<(), Error> {
        let shown: Vec<String> = arguments.iter().map(|argument| quote(argument)).collect();
        let command = format!("dbag {}", shown.join(" "));
        self.say(&format!("$ {command}"))?;
        let output = Command::new(std::env::current_exe()?)
            .args(arguments)
            .env("DBAG_CACHE", &self.cache)
            .current_dir(&self.folder)
            .output()?;
        let exit = output.status.code().unwrap_or(-1);
        if !self.context.printer.is_json() {
            let mut stdout = Printer::stdout();
            stdout.write_all(&output.stdout)?;
            stdout.flush()?;
        }
        if exit != expected {
            let message = String::from_utf8_lossy(&output.stderr);
            return Err(Error::Io(std::io::Error::other(format!(
                "{command} ended with {exit}, not {expected}: {message}"
            ))));
        }
        if expected != 0 {
            self.say(&format!("(exit code {exit})"))?;
        }
        self.steps.push(Step { command, exit });
        Ok(())
    }
}

/// An argument as a shell takes it.
fn quote(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_' | '@' | ':' | '=');
    if argument.chars().all(plain) && !argument.is_empty() {
        argument.into()
    } else {
        format!("\"{argument}\"")
    }
}
