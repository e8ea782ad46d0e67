//! `dbag feature show`

use std::io::Write;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{described, document};
use crate::Error;
use crate::catalog::{Catalog, FeatureInfo, FeatureRecord, Moment, Selector};
use crate::cli::printer::Printer;
use crate::cli::{Context, Outcome};
use crate::tabular::{CsvWriter, Value};

/// Show a feature's values, all of them or one of each row
///
/// Several executions may have said something of a row. --select takes one: the newest; the first; the newest of those
/// that say what most say (majority, of the one column with terms, or of majority:COLUMN); the newest by an execution
/// (execution:RID); the newest by a workflow (workflow: and its RID, type or name). Rows of which none is left are
/// passed over.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag feature show Image Diagnosis --select newest\n  dbag feature show Image Diagnosis --select majority --format csv > diagnoses.csv\n  dbag feature show Image Diagnosis --select workflow:Prediction --at retina@1.0.0 --json"
)]
pub(super) struct Show {
    /// The table whose rows the feature is about
    target: String,
    /// The feature
    name: String,
    /// Which value of each row to take
    #[arg(long, value_name = "HOW", default_value = "all")]
    select: Selector,
    /// Values as they were at a version (NAME@1.0.0), a snapshot, a date or a time
    #[arg(long, value_name = "MOMENT", default_value = "now")]
    at: Moment,
    /// Lines for people, or CSV
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Csv,
}

impl Show {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let catalog = context.workspace()?.catalog;
        let feature = catalog.feature(&self.target, &self.name, &self.at)?;
        if context.printer.is_json() {
            self.json(&catalog, &feature)?;
        } else if self.format == Format::Csv {
            self.csv(&catalog, &feature)?;
        } else {
            self.text(&catalog, &feature, context.printer)?;
        }
        Ok(0)
    }

    fn each(
        &self,
        catalog: &Catalog,
        f: impl FnMut(FeatureRecord) -> Result<(), Error>,
    ) -> Result<(), Error> {
        catalog.feature_values(&self.target, &self.name, &self.select, &self.at, f)
    }

    fn text(&self, catalog: &Catalog, feature: &FeatureInfo, printer: Printer) -> Result<(), Error> {
        let (name, target) = (&feature.name, &feature.target.table_name);
        printer.line(format!("{name} of {target}: {}", described(feature)))?;
        let mut none = true;
        self.each(catalog, |record| {
            none = false;
            let cells =
                feature.columns.iter().zip(&record.values).filter_map(|(column, value)| {
                    value.to_text().map(|text| format!("{}={text}", column.name))
                });
            let cells = cells.collect::<Vec<_>>().join(" ");
            let FeatureRecord { target, execution, rct, .. } = record;
            Ok(printer.line(format!("  {target:<12} {cells}  (by {execution}, {rct})"))?)
        })?;
        if none {
            printer.line("  no values")?;
        }
        Ok(())
    }

    fn csv(&self, catalog: &Catalog, feature: &FeatureInfo) -> Result<(), Error> {
        let fixed = [feature.target_column.as_str(), &feature.execution_column, "RID", "RCT"];
        let own = feature.columns.iter().map(|column| column.name.as_str());
        let mut out = CsvWriter::new(Printer::stdout(), fixed.into_iter().chain(own))?;
        self.each(catalog, |record| {
            let FeatureRecord { rid, target, execution, rct, values } = &record;
            let texts: Vec<_> = values.iter().map(Value::to_text).collect();
            let fixed = [target, execution, rid, rct].map(|text| Some(text.as_str()));
            Ok(out.record(fixed.into_iter().chain(texts.iter().map(Option::as_deref)))?)
        })?;
        out.finish()?;
        Ok(())
    }

    /// The document, written as the records come.
    fn json(&self, catalog: &Catalog, feature: &FeatureInfo) -> Result<(), Error> {
        let mut out = Printer::stdout();
        let (select, at) = (self.select.to_string(), self.at.to_string());
        let head = json!({"feature": document(feature), "select": select, "at": at}).to_string();
        write!(out, "{},\"records\":[", head.strip_suffix('}').unwrap_or(&head))?;
        let mut between = "\n";
        self.each(catalog, |record| {
            let values: serde_json::Map<_, _> = feature
                .columns
                .iter()
                .zip(&record.values)
                .map(|(column, value)| (column.name.clone(), json_value(value)))
                .collect();
            let FeatureRecord { rid, target, execution, rct, .. } = record;
            let record = json!({
                "rid": rid, "target": target, "execution": execution, "rct": rct, "values": values
            });
            write!(out, "{between}{record}")?;
            between = ",\n";
            Ok(())
        })?;
        writeln!(out, "]}}")?;
        Ok(out.flush()?)
    }
}

fn json_value(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Boolean(value) => json!(value),
        Value::Integer(value) => json!(value),
        Value::Float(value) if value.is_finite() => json!(value),
        Value::Float(_) | Value::Text(_) => json!(value.to_text()),
    }
}
