//! `dbag feature add`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::Error;
use crate::catalog::{Change, FeatureWriter};
use crate::cli::printer::count;
use crate::cli::{Context, Outcome};
use crate::ingest::{FeatureImport, FeatureReport, import_feature};

/// Add values to a feature, from a CSV file or one by hand
///
/// A file has a line for each row of the target, found by its RID (in a column RID, or one called as the target) or by
/// another column of the target (--by), and columns called as the feature's. Terms may be given by a synonym; one that
/// is not known is an error that names those that are. All values of one command are by one execution, which the
/// command makes, unless --execution names another: a row can have values by many. All are added or none.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag feature add Image Diagnosis graded.csv --by Filename\n  dbag feature add Image Diagnosis --rid 2A4M-0007 Diagnosis=Glaucoma confidence=0.9"
)]
pub(super) struct Add {
    /// The table whose rows the feature is about
    target: String,
    /// The feature
    name: String,
    /// A CSV file; with --rid, the value's columns
    #[arg(value_name = "FILE | COLUMN=VALUE", required = true)]
    given: Vec<String>,
    /// The target's column that the file finds its rows by [default: RID]
    #[arg(long, value_name = "COLUMN", conflicts_with = "rid")]
    by: Option<String>,
    /// The one row that the value is of
    #[arg(long)]
    rid: Option<String>,
    /// The execution that made the values [default: a new one, of this command]
    #[arg(long, value_name = "RID")]
    execution: Option<String>,
    /// Only check the values and say what would be added
    #[arg(long)]
    dry_run: bool,
}

impl Add {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let report = match (&self.rid, self.given.as_slice()) {
            (Some(rid), assignments) => self.one(context, rid, assignments)?,
            (None, [file]) => self.file(context, &PathBuf::from(file))?,
            (None, _) => {
                return Err(Error::Usage("give one CSV file, or --rid RID and COLUMN=VALUE".into()));
            }
        };
        let (feature, target) = (&report.feature.name, &report.feature.target.table_name);
        let added = count(report.added, "value");
        let by = report.execution.as_ref().map(|rid| format!(" by the execution {rid}")).unwrap_or_default();
        let end = if self.dry_run { "; nothing was added (--dry-run)" } else { "" };
        context.printer.line(format!("{feature} of {target}: {added} added{by}{end}"))?;
        context.printer.document(&json!({
            "target": report.feature.target.qualified_name(),
            "name": feature,
            "execution": report.execution,
            "added": report.added,
            "dry_run": self.dry_run,
        }))?;
        Ok(0)
    }

    fn one(&self, context: &Context, rid: &str, assignments: &[String]) -> Result<FeatureReport, Error> {
        let mut catalog = context.workspace()?.catalog;
        let add = |change: &mut Change<'_>| -> Result<FeatureReport, Error> {
            let execution = self.execution.as_deref();
            let mut writer = FeatureWriter::new(change, &self.target, &self.name, execution)?;
            writer.add_assigned(change, rid, assignments)?;
            let execution = (!self.dry_run).then(|| writer.execution());
            Ok(FeatureReport { feature: writer.feature().clone(), execution, added: 1 })
        };
        if self.dry_run { catalog.rehearse(add) } else { catalog.change(&context.command, add) }
    }

    fn file(&self, context: &Context, path: &Path) -> Result<FeatureReport, Error> {
        let mut catalog = context.workspace()?.catalog;
        let import = FeatureImport {
            path,
            target: &self.target,
            name: &self.name,
            by: self.by.as_deref(),
            execution: self.execution.as_deref(),
            dry_run: self.dry_run,
        };
        let bar = context.bar();
        Ok(import_feature(&mut catalog, &context.command, &import, &bar)?)
    }
}
