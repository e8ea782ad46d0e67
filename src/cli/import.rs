//! `dbag import`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::import_bag::Kind;
use super::printer::count;
use super::{Context, Outcome, import_bag};
use crate::Error;
use crate::ingest::{
    AssetImport, BadRow, ImportReport, IngestError, Metadata, PathPattern, Reference, RowPlace, TableImport,
    import_folder, import_table,
};
use crate::model::ColumnType;
use crate::tabular::{Format, Position, SourceOptions};
use crate::version::DatasetName;

/// Bring a file of rows, a folder of files, a bag or another workspace into the workspace
///
/// A file of rows (CSV, TSV, JSON lines, Parquet; text formats may be gzipped) becomes a table, or adds its rows to one.
/// Types are guessed from every value and shown; --dry-run shows them, and what could be keys and references, before
/// anything is taken. Columns that refer to a vocabulary may hold a term's name or a synonym, which becomes the name.
///
/// A folder becomes an asset table with a row for each file (Filename, Length, MD5, SHA256, Path) and columns for
/// what --pattern and --metadata say of it. The bytes are kept in the workspace, or with --in-place where they are.
///
/// A bag of dbag's or deriva-ml's brings its tables with every row, its datasets, and the files that are in it; another
/// workspace brings what it holds now. Rows keep their RIDs: a row that is here already stays the same row, and takes
/// the values that changed later. An RID that is another row's here is given anew, and told.
///
/// Importing the same thing again changes nothing. All of it is imported or nothing, unless --skip-bad keeps bad rows
/// aside.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // Each is a flag of its own.
#[command(
    after_help = "Examples:\n  dbag import labels.csv --table Label --key filename --type digit=int4\n  dbag import visits.parquet --table Visit --key id --references subject=Subject --dry-run\n  dbag import fix.csv --table Label --update\n  dbag import rows.txt --table Row --format csv --delimiter ';' --null NA --skip-bad bad.csv\n  dbag import images/ --table Image\n  dbag import scans/ --table Scan --pattern '{subject}/{visit}/{name}.png' --metadata scans.csv --in-place\n  dbag import retina-1.0.0.zip\n  dbag import ../other-lab"
)]
pub(super) struct Import {
    /// A file of rows, a folder of files, a bag (folder or archive), or the folder of another workspace
    path: PathBuf,
    /// The table of rows or files, made if it is new
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// What to call the dataset of a bag [default: as the bag says, else `Dataset_RID`]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<DatasetName>,
    /// The type of a column, instead of the guessed one (repeatable)
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_parser = column_type)]
    types: Vec<(String, ColumnType)>,
    /// Columns that together tell a new table's rows apart (repeatable, or comma-separated) [default: whole rows do]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    key: Vec<String>,
    /// A new table's column whose values are those of another table: of its key, or of the column named (repeatable)
    #[arg(long, value_name = "COLUMN=TABLE[.COLUMN]")]
    references: Vec<Reference>,
    /// Give rows whose key is known (files: whose path is known) the new values; columns that the file does not
    /// have keep theirs. A column RID is a key too
    #[arg(long)]
    update: bool,
    /// Keep rows that can't be taken in a new CSV file, each with its line and what is wrong, and take all others
    #[arg(long, value_name = "FILE")]
    skip_bad: Option<PathBuf>,
    /// A text that stands for no value, such as NA (repeatable)
    #[arg(long = "null", value_name = "TEXT")]
    nulls: Vec<String>,
    /// The format: csv, tsv, jsonl or parquet [default: what the file's name says]
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    format: Option<Format>,
    /// What stands between the fields of a csv or tsv file: one character, or tab
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<char>,
    /// How the paths of a folder's files are made; each {name} becomes a column
    #[arg(long, value_name = "PATTERN", value_parser = PathPattern::parse)]
    pattern: Option<PathPattern>,
    /// A file of rows about a folder's files; its columns become the table's
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,
    /// The column of that file that names the files, by path or by name [default: one called path, filename, file…]
    #[arg(long, value_name = "COLUMN", requires = "metadata")]
    metadata_key: Option<String>,
    /// Leave a folder's files where they are, and remember their place; they are checked whenever they are used
    #[arg(long)]
    in_place: bool,
    /// Take hidden files of a folder too
    #[arg(long)]
    hidden: bool,
    /// Only check the input and show what would be done
    #[arg(long)]
    dry_run: bool,
}

fn column_type(text: &str) -> Result<(String, ColumnType), String> {
    let (column, name) = text.rsplit_once('=').ok_or("write COLUMN=TYPE")?;
    let found =
        ColumnType::by_name(name).ok_or_else(|| format!("types are {}", ColumnType::NAMES.join(", ")))?;
    Ok((column.to_owned(), found))
}

fn format(text: &str) -> Result<Format, String> {
    text.parse().map_err(|error: crate::tabular::SourceError| error.to_string())
}

fn delimiter(text: &str) -> Result<char, String> {
    let mut characters = text.chars();
    match (text, characters.next(), characters.next()) {
        ("tab" | "\\t", ..) => Ok('\t'),
        (_, Some(character), None) => Ok(character),
        _ => Err("give one character, or tab".into()),
    }
}

impl Import {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let metadata = fs_err::metadata(&self.path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::Usage(format!("{} does not exist", self.path.display())),
            _ => Error::Io(error),
        })?;
        match Kind::of(&self.path) {
            Kind::Bag if self.table.is_none() => {
                self.refuse_all_but_name("a bag")?;
                return import_bag::bag(&self.path, self.name.as_ref(), self.dry_run, context);
            }
            Kind::Workspace if self.table.is_none() => {
                self.refuse_all_but_name("a workspace")?;
                return import_bag::workspace(&self.path, self.dry_run, context);
            }
            _ => {}
        }
        let report = if metadata.is_dir() { self.folder(context) } else { self.rows(context) };
        if let Err(Error::Ingest(IngestError::BadRows { count, rows, .. })) = &report
            && *count > 1
        {
            print_bad(rows, *count, context)?;
        }
        print(&report?, context)
    }

    /// Bags and workspaces bring their own tables.
    fn refuse_all_but_name(&self, is: &str) -> Result<(), Error> {
        let flags = [
            ("--table", self.table.is_some()),
            ("--type", !self.types.is_empty()),
            ("--key", !self.key.is_empty()),
            ("--references", !self.references.is_empty()),
            ("--update", self.update),
            ("--skip-bad", self.skip_bad.is_some()),
            ("--null", !self.nulls.is_empty()),
            ("--format", self.format.is_some()),
            ("--delimiter", self.delimiter.is_some()),
            ("--pattern", self.pattern.is_some()),
            ("--metadata", self.metadata.is_some()),
            ("--in-place", self.in_place),
            ("--hidden", self.hidden),
        ];
        refuse(&self.path, is, "rows and files", &flags)
    }

    fn table(&self) -> Result<&str, Error> {
        if let Some(name) = &self.name {
            return Err(Error::Usage(format!(
                "--as {name} is for bags, and {} is none",
                self.path.display()
            )));
        }
        let ask = || Error::Usage(format!("say which table {} is for: --table NAME", self.path.display()));
        self.table.as_deref().ok_or_else(ask)
    }

    fn options(&self) -> SourceOptions {
        SourceOptions { format: self.format, delimiter: self.delimiter }
    }

    fn rows(&self, context: &Context) -> Result<ImportReport, Error> {
        let of_folders = [
            ("--pattern", self.pattern.is_some()),
            ("--metadata", self.metadata.is_some()),
            ("--in-place", self.in_place),
            ("--hidden", self.hidden),
        ];
        refuse(&self.path, "a file of rows", "folders", &of_folders)?;
        let import = TableImport {
            options: self.options(),
            nulls: &self.nulls,
            types: &self.types,
            key: &self.key,
            references: &self.references,
            update: self.update,
            skip_bad: self.skip_bad.as_deref(),
            dry_run: self.dry_run,
            ..TableImport::new(&self.path, self.table()?)
        };
        let mut workspace = context.workspace()?;
        Ok(import_table(&mut workspace.catalog, &import, &context.bar())?)
    }

    fn folder(&self, context: &Context) -> Result<ImportReport, Error> {
        let without = self.metadata.is_none();
        let of_rows = [
            ("--key", !self.key.is_empty()),
            ("--format", without && self.format.is_some()),
            ("--delimiter", without && self.delimiter.is_some()),
            ("--null", without && !self.nulls.is_empty()),
        ];
        refuse(&self.path, "a folder", "files of rows", &of_rows)?;
        let metadata = self.metadata.as_deref().map(|path| Metadata {
            path,
            options: self.options(),
            nulls: &self.nulls,
            key: self.metadata_key.as_deref(),
        });
        let import = AssetImport {
            pattern: self.pattern.as_ref(),
            metadata,
            types: &self.types,
            references: &self.references,
            update: self.update,
            hidden: self.hidden,
            in_place: self.in_place,
            skip_bad: self.skip_bad.as_deref(),
            dry_run: self.dry_run,
            ..AssetImport::new(&self.path, self.table()?)
        };
        let mut workspace = context.workspace()?;
        Ok(import_folder(&mut workspace.catalog, &workspace.objects, &import, &context.bar())?)
    }
}

/// Refuses flags that are for something else.
fn refuse(path: &Path, is: &str, for_what: &str, flags: &[(&str, bool)]) -> Result<(), Error> {
    match flags.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((flag, _)) => {
            Err(Error::Usage(format!("{flag} is for {for_what}, and {} is {is}", path.display())))
        }
    }
}

fn print(report: &ImportReport, context: &Context) -> Outcome {
    let printer = context.printer;
    let table = report.table.rsplit(':').next().unwrap_or(&report.table);
    for note in &report.notes {
        printer.line(format!("note: {note}"))?;
    }
    print_columns(report, table, context)?;
    let mut parts = vec![count(report.added, "new row")];
    if report.updated > 0 {
        parts.push(format!("{} updated", report.updated));
    }
    if report.unchanged > 0 {
        parts.push(format!("{} already there", report.unchanged));
    }
    if report.skipped > 0 {
        parts.push(format!("{} passed over (hidden, links, devices)", report.skipped));
    }
    if report.bad > 0 {
        parts.push(format!("{} not taken", report.bad));
    }
    let end = if report.dry_run { "; nothing was imported (--dry-run)" } else { "" };
    printer.line(format!("{table}: {}{end}", parts.join(", ")))?;
    print_bad(&report.bad_rows, report.bad, context)?;
    if let Some(aside) = &report.aside {
        printer.line(format!("Rows that were not taken are in {}", aside.display()))?;
    }
    if let Some(key) = report.keys.first() {
        let others = if report.keys.len() > 1 {
            format!(" (or {})", report.keys[1..].join(", "))
        } else {
            String::new()
        };
        printer
            .line(format!("hint: {key} tells the rows apart{others}; a new table takes it as --key {key}"))?;
    }
    for reference in &report.references {
        let (column, other) = (&reference.column, &reference.table);
        printer.line(format!(
            "hint: every {column} is a {} of {other}; a new table takes it as --references {column}={other}.{}",
            reference.referenced, reference.referenced
        ))?;
    }
    printer.document(&document(report))?;
    Ok(0)
}

/// Rows that were not taken.
fn print_bad(rows: &[BadRow], count: u64, context: &Context) -> Result<(), Error> {
    for row in rows {
        context.printer.line(format!("  {row}"))?;
    }
    let more = count.saturating_sub(rows.len() as u64);
    if more > 0 {
        context.printer.line(format!("  and {more} more"))?;
    }
    Ok(())
}

/// The columns of a table that is new, or that would be.
fn print_columns(report: &ImportReport, table: &str, context: &Context) -> Result<(), Error> {
    let printer = context.printer;
    if !report.created && !report.dry_run {
        return Ok(());
    }
    if report.dry_run && !report.inferred.is_empty() {
        printer.line(format!("Would make {table}:"))?;
        let width = report.columns.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(40);
        for ((name, kind), column) in report.columns.iter().zip(&report.inferred) {
            let nulls = if column.nullable { "some empty" } else { "" };
            let examples = column.examples.join(", ");
            let line = format!("  {name:<width$}  {kind:<12} {nulls:<10}  {examples}");
            printer.line(line.trim_end())?;
        }
        return Ok(());
    }
    let columns: Vec<String> = report.columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
    let verb = match (report.created, report.dry_run) {
        (true, true) => "Would make ",
        (true, false) => "Made ",
        (false, _) => "",
    };
    Ok(printer.line(format!("{verb}{table}: {}", columns.join(", ")))?)
}

fn document(report: &ImportReport) -> serde_json::Value {
    let columns: Vec<_> = report
        .columns
        .iter()
        .map(|(name, kind)| {
            let found = report.inferred.iter().find(|column| column.name == *name);
            json!({
                "name": name,
                "type": kind,
                "nullable": found.map(|column| column.nullable),
                "unique": found.and_then(|column| column.unique),
                "examples": found.map(|column| &column.examples),
            })
        })
        .collect();
    let references: Vec<_> = report
        .references
        .iter()
        .map(|reference| {
            json!({"column": reference.column, "table": reference.table, "referenced": reference.referenced})
        })
        .collect();
    json!({
        "table": report.table,
        "created": report.created,
        "columns": columns,
        "proposed_keys": report.keys,
        "proposed_references": references,
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "skipped": report.skipped,
        "bad": report.bad,
        "bad_rows": report.bad_rows.iter().map(bad_row).collect::<Vec<_>>(),
        "aside": report.aside.as_ref().map(|path| path.display().to_string()),
        "notes": report.notes,
        "dry_run": report.dry_run,
    })
}

/// Adds the rows that an import was refused for to the document of its error.
pub(super) fn add_bad_rows(error: &Error, document: &mut serde_json::Value) {
    if let Error::Ingest(IngestError::BadRows { count, rows, .. }) = error {
        document["error"]["bad"] = json!(count);
        document["error"]["bad_rows"] = rows.iter().map(bad_row).collect();
    }
}

fn bad_row(row: &BadRow) -> serde_json::Value {
    let (line, file) = match &row.place {
        RowPlace::At(Position::Line(number) | Position::Row(number)) => (Some(*number), None),
        RowPlace::File(path) => (None, Some(path)),
    };
    json!({"line": line, "file": file, "column": row.column, "reason": row.reason})
}
