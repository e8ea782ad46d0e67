//! `dbag import`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::printer::count;
use super::{Context, Outcome};
use crate::Error;
use crate::ingest::{AssetImport, ImportReport, TableImport, import_csv, import_folder};
use crate::model::ColumnType;

/// Bring a CSV file or a folder of files into the workspace
///
/// A CSV file becomes a table, or adds its rows to one; types are guessed from every value and shown. A folder becomes
/// an asset table with a row for each file (Filename, Length, MD5, SHA256, Path), and its bytes are kept in the
/// workspace. Importing the same thing again changes nothing. All of it is imported or nothing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag import labels.csv --table Label --key filename --type digit=int4\n  dbag import images/ --table Image"
)]
pub(super) struct Import {
    /// A .csv file, or a folder
    path: PathBuf,
    /// The table, made if it is new
    #[arg(long, value_name = "NAME")]
    table: String,
    /// The type of a column, instead of the guessed one (repeatable)
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_parser = column_type)]
    types: Vec<(String, ColumnType)>,
    /// Columns that together tell a new table's rows apart (repeatable, or comma-separated) [default: whole rows do]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    key: Vec<String>,
    /// Give rows whose key is known (files: whose path is known) the new values; columns that the file does not
    /// have keep theirs
    #[arg(long)]
    update: bool,
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

impl Import {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let mut workspace = context.workspace()?;
        let bar = context.bar();
        let metadata = fs_err::metadata(&self.path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::Usage(format!("{} does not exist", self.path.display())),
            _ => Error::Io(error),
        })?;
        let report = if metadata.is_dir() {
            if !self.types.is_empty() || !self.key.is_empty() {
                return Err(Error::Usage(
                    "--type and --key are for CSV files; the columns of files are fixed".into(),
                ));
            }
            let Self { update, hidden, dry_run, .. } = *self;
            let import = AssetImport { path: &self.path, table: &self.table, update, hidden, dry_run };
            import_folder(&mut workspace.catalog, &workspace.objects, &import, &bar)?
        } else {
            if !self.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
                return Err(Error::Usage(format!(
                    "{} is neither a folder nor a .csv file",
                    self.path.display()
                )));
            }
            let import = TableImport {
                path: &self.path,
                table: &self.table,
                types: &self.types,
                key: &self.key,
                update: self.update,
                dry_run: self.dry_run,
            };
            import_csv(&mut workspace.catalog, &import, &bar)?
        };
        drop(bar);
        print(&report, context)
    }
}

fn print(report: &ImportReport, context: &Context) -> Outcome {
    let printer = context.printer;
    let table = report.table.rsplit(':').next().unwrap_or(&report.table);
    if report.created || report.dry_run {
        let columns: Vec<String> =
            report.columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
        let verb = match (report.created, report.dry_run) {
            (true, true) => "Would make ",
            (true, false) => "Made ",
            (false, _) => "",
        };
        printer.line(format!("{verb}{table}: {}", columns.join(", ")))?;
    }
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
    let end = if report.dry_run { "; nothing was imported (--dry-run)" } else { "" };
    printer.line(format!("{table}: {}{end}", parts.join(", ")))?;
    let columns: Vec<_> =
        report.columns.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
    printer.document(&json!({
        "table": report.table,
        "created": report.created,
        "columns": columns,
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "skipped": report.skipped,
        "dry_run": report.dry_run,
    }))?;
    Ok(0)
}
