//! `dbag vocab`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::printer::count;
use super::{Context, Outcome};
use crate::Error;
use crate::catalog::{Term, TermChange};
use crate::ingest::{TermImport, import_terms};

/// Keep vocabularies: the terms that labels may have, with descriptions and synonyms
#[derive(Debug, Args)]
pub(super) struct Vocab {
    #[command(subcommand)]
    command: VocabCommand,
}

#[derive(Debug, Subcommand)]
enum VocabCommand {
    List(List),
    Show(Show),
    Create(Create),
    Add(Add),
    Set(Set),
    Remove(Remove),
    FromCsv(FromCsv),
}

/// List the vocabularies
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag vocab list")]
struct List {}

/// Show a vocabulary's terms
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag vocab show Diagnosis --json")]
struct Show {
    /// The vocabulary
    name: String,
}

/// Make an empty vocabulary
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag vocab create Diagnosis -d \"What a grader sees\"")]
struct Create {
    /// Its name
    name: String,
    /// What it is for
    #[arg(short, long, default_value = "", value_name = "TEXT")]
    description: String,
}

/// Add a term to a vocabulary
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  dbag vocab add Diagnosis Glaucoma -d \"Damaged optic nerve\" --synonym POAG"
)]
struct Add {
    /// The vocabulary
    name: String,
    /// The term
    term: String,
    /// What it means
    #[arg(short, long, default_value = "", value_name = "TEXT")]
    description: String,
    /// Another name of it (repeatable)
    #[arg(long = "synonym", value_name = "NAME")]
    synonyms: Vec<String>,
}

/// Change a term: its description, its synonyms, its name
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag vocab set Diagnosis Glaucoma --synonym OAG --remove-synonym POAG\n  dbag vocab set Diagnosis Glaucom --name Glaucoma"
)]
struct Set {
    /// The vocabulary
    vocabulary: String,
    /// The term, by its name or a synonym
    term: String,
    /// What it means
    #[arg(short, long, value_name = "TEXT")]
    description: Option<String>,
    /// One more name of it (repeatable)
    #[arg(long = "synonym", value_name = "NAME")]
    with: Vec<String>,
    /// A synonym that it shall not have any more (repeatable)
    #[arg(long = "remove-synonym", value_name = "NAME")]
    without: Vec<String>,
    /// Take away the synonyms that it has
    #[arg(long, conflicts_with = "without")]
    clear_synonyms: bool,
    /// A new name; rows that have the term follow
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// Remove a term that no row has
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag vocab remove Diagnosis Glaucom")]
struct Remove {
    /// The vocabulary
    name: String,
    /// The term, by its name or a synonym
    term: String,
}

/// Add the terms in a CSV file, making the vocabulary if it is new
///
/// The file has a column Name, and perhaps Description and Synonyms: an array in PostgreSQL's form, such as {a,b}, or in
/// JSON's, or names separated by |. All of it is added or nothing; adding the same again changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  dbag vocab from-csv Diagnosis diagnoses.csv")]
struct FromCsv {
    /// The vocabulary
    name: String,
    /// The CSV file
    file: PathBuf,
    /// Give terms that are there the file's descriptions and synonyms
    #[arg(long)]
    update: bool,
    /// Only check the file and show what would be done
    #[arg(long)]
    dry_run: bool,
}

impl Vocab {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        match &self.command {
            VocabCommand::List(command) => command.run(context),
            VocabCommand::Show(command) => command.run(context),
            VocabCommand::Create(command) => command.run(context),
            VocabCommand::Add(command) => command.run(context),
            VocabCommand::Set(command) => command.run(context),
            VocabCommand::Remove(command) => command.run(context),
            VocabCommand::FromCsv(command) => command.run(context),
        }
    }
}

impl List {
    #[allow(clippy::unused_self)] // Every command runs alike.
    fn run(&self, context: &Context) -> Outcome {
        let vocabularies = context.workspace()?.catalog.vocabularies()?;
        for (table, terms) in &vocabularies {
            let comment = table.comment.as_deref().unwrap_or_default();
            let line = format!("{:<32} {:>10}  {comment}", table.qualified_name(), count(*terms, "term"));
            context.printer.line(line.trim_end())?;
        }
        let documents: Vec<_> = vocabularies
            .iter()
            .map(|(table, terms)| {
                json!({"vocabulary": table.qualified_name(), "terms": terms, "description": table.comment})
            })
            .collect();
        context.printer.document(&json!({"vocabularies": documents}))?;
        Ok(0)
    }
}

fn document(term: &Term) -> serde_json::Value {
    json!({
        "name": term.name,
        "rid": term.rid,
        "description": term.description,
        "synonyms": term.synonyms,
    })
}

fn shown(term: &Term) -> String {
    let synonyms = if term.synonyms.is_empty() {
        String::new()
    } else {
        format!(" (also {})", term.synonyms.join(", "))
    };
    let about = if term.description.is_empty() { String::new() } else { format!(": {}", term.description) };
    format!("{}{synonyms}{about}", term.name)
}

impl Show {
    fn run(&self, context: &Context) -> Outcome {
        let (table, terms) = context.workspace()?.catalog.terms(&self.name)?;
        let comment = table.comment.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        let number = count(terms.len() as u64, "term");
        context.printer.line(format!("{} ({number}){comment}", table.qualified_name()))?;
        for term in &terms {
            context.printer.line(format!("  {}", shown(term)))?;
        }
        context.printer.document(&json!({
            "vocabulary": table.qualified_name(),
            "description": table.comment,
            "terms": terms.iter().map(document).collect::<Vec<_>>(),
        }))?;
        Ok(0)
    }
}

impl Create {
    fn run(&self, context: &Context) -> Outcome {
        let mut catalog = context.workspace()?.catalog;
        let schema = catalog.domain_schema().to_owned();
        let table = catalog.change::<_, Error>(&context.command, |change| {
            Ok(change.put_vocabulary(&schema, &self.name, &self.description)?)
        })?;
        context.printer.line(format!("Made the vocabulary {}", table.table_name))?;
        context.printer.document(&json!({"vocabulary": table.qualified_name()}))?;
        Ok(0)
    }
}

impl Add {
    fn run(&self, context: &Context) -> Outcome {
        let mut catalog = context.workspace()?.catalog;
        let rid = catalog.change::<_, Error>(&context.command, |change| {
            let vocabulary = change.vocabulary(&self.name)?;
            Ok(change.insert_term(&vocabulary, &self.term, &self.description, &self.synonyms)?)
        })?;
        let term = Term {
            rid: rid.to_string(),
            name: self.term.clone(),
            description: self.description.clone(),
            synonyms: self.synonyms.clone(),
        };
        context.printer.line(format!("{}: added {}", self.name, shown(&term)))?;
        context.printer.document(&document(&term))?;
        Ok(0)
    }
}

impl Set {
    fn run(&self, context: &Context) -> Outcome {
        let new = TermChange {
            name: self.name.as_deref(),
            description: self.description.as_deref(),
            clear: self.clear_synonyms,
            without: &self.without,
            with: &self.with,
        };
        let mut catalog = context.workspace()?.catalog;
        let (was, is) = catalog.change::<_, Error>(&context.command, |change| {
            let vocabulary = change.vocabulary(&self.vocabulary)?;
            Ok(change.change_term(&vocabulary, &self.term, &new)?)
        })?;
        if was == is {
            context.printer.line(format!("{}: nothing is new", is.name))?;
        } else {
            context.printer.line(format!("was  {}\nis   {}", shown(&was), shown(&is)))?;
        }
        context.printer.document(&json!({"was": document(&was), "is": document(&is)}))?;
        Ok(0)
    }
}

impl Remove {
    fn run(&self, context: &Context) -> Outcome {
        let mut catalog = context.workspace()?.catalog;
        let name = catalog.change::<_, Error>(&context.command, |change| {
            let vocabulary = change.vocabulary(&self.name)?;
            Ok(change.delete_term(&vocabulary, &self.term)?)
        })?;
        context.printer.line(format!("{}: removed {name}", self.name))?;
        context.printer.document(&json!({"vocabulary": self.name, "removed": name}))?;
        Ok(0)
    }
}

impl FromCsv {
    fn run(&self, context: &Context) -> Outcome {
        let mut catalog = context.workspace()?.catalog;
        let Self { update, dry_run, .. } = *self;
        let import = TermImport { path: &self.file, vocabulary: &self.name, update, dry_run };
        let report = import_terms(&mut catalog, &context.command, &import)?;
        let made = if report.created { "a new vocabulary, " } else { "" };
        let updated =
            if report.updated > 0 { format!(", {} updated", report.updated) } else { String::new() };
        let there = if report.unchanged > 0 {
            format!(", {} already there", report.unchanged)
        } else {
            String::new()
        };
        let end = if dry_run { "; nothing was added (--dry-run)" } else { "" };
        let added = count(report.added, "new term");
        context.printer.line(format!("{}: {made}{added}{updated}{there}{end}", self.name))?;
        context.printer.document(&json!({
            "vocabulary": report.vocabulary,
            "created": report.created,
            "added": report.added,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "dry_run": dry_run,
        }))?;
        Ok(0)
    }
}
