//! `dbag feature`

mod add;
mod show;

use clap::{Args, Subcommand};
use serde_json::json;

use super::printer::{count, deleted};
use super::{Context, Outcome};
use crate::Error;
use crate::catalog::{Change, DeletedRows, FeatureInfo, FeatureValueKind, NewFeature, ValuesOf};
use crate::model::Column;

/// Keep features: what people and models have found out about rows, value by value, and by which execution
#[derive(Debug, Args)]
pub(super) struct Feature {
    #[command(subcommand)]
    command: FeatureCommand,
}

#[derive(Debug, Subcommand)]
enum FeatureCommand {
    Create(Create),
    Add(add::Add),
    List(List),
    Show(show::Show),
    RemoveValues(RemoveValues),
}

/// Make a feature of a table's rows
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag feature create Image Diagnosis --term Diagnosis --value \"confidence float8\"\n  dbag feature create Image Lesions --asset Mask --value \"number int4!\" --optional Mask"
)]
struct Create {
    /// The table whose rows it is about
    target: String,
    /// Its name
    name: String,
    /// A vocabulary of which each value has a term (repeatable); the column is called after it
    #[arg(long = "term", value_name = "VOCABULARY")]
    terms: Vec<String>,
    /// An asset table of which each value has a file (repeatable); the column is called after it
    #[arg(long = "asset", value_name = "TABLE")]
    assets: Vec<String>,
    /// A column of other values: its name and type, and ! where each needs it (repeatable)
    #[arg(long = "value", value_name = "\"NAME TYPE[!]\"")]
    values: Vec<Column>,
    /// A column of a term or file that a value may lack (repeatable)
    #[arg(long = "optional", value_name = "COLUMN")]
    optional: Vec<String>,
    /// What it is
    #[arg(short, long, default_value = "", value_name = "TEXT")]
    description: String,
}

/// List the features, and how many values each has
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  dbag feature list\n  dbag feature list Image --json")]
struct List {
    /// Only those of this table
    table: Option<String>,
}

/// Remove values of a feature; released versions keep them
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag feature remove-values Image Diagnosis --execution 2A4M-0007\n  dbag feature remove-values Image Diagnosis --where \"confidence < 0.5\" --dry-run"
)]
struct RemoveValues {
    /// The table whose rows the feature is about
    target: String,
    /// The feature
    name: String,
    /// Those by this execution
    #[arg(long, value_name = "RID")]
    execution: Option<String>,
    /// Those of this row (repeatable)
    #[arg(long = "rid", value_name = "RID")]
    rids: Vec<String>,
    /// Those for which this SQL condition on the feature's columns holds
    #[arg(long = "where", value_name = "SQL")]
    condition: Option<String>,
    /// All of them
    #[arg(long, conflicts_with_all = ["execution", "rids", "condition"])]
    all: bool,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

impl Feature {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        match &self.command {
            FeatureCommand::Create(command) => command.run(context),
            FeatureCommand::Add(command) => command.run(context),
            FeatureCommand::List(command) => command.run(context),
            FeatureCommand::Show(command) => command.run(context),
            FeatureCommand::RemoveValues(command) => command.run(context),
        }
    }
}

/// What a value of the feature consists of, for people.
fn described(feature: &FeatureInfo) -> String {
    let column = |column: &crate::catalog::FeatureColumn| {
        let kind = match &column.kind {
            FeatureValueKind::Term(vocabulary) => format!("term of {vocabulary}"),
            FeatureValueKind::Asset(table) => format!("file of {table}"),
            FeatureValueKind::Value(kind) => kind.clone(),
        };
        let of = if column.qualifier { ", part of the key" } else { "" };
        let needed = if column.required { "" } else { ", optional" };
        format!("{} ({kind}{of}{needed})", column.name)
    };
    feature.columns.iter().map(column).collect::<Vec<_>>().join(", ")
}

fn document(feature: &FeatureInfo) -> serde_json::Value {
    let column = |column: &crate::catalog::FeatureColumn| {
        let (kind, of) = match &column.kind {
            FeatureValueKind::Term(vocabulary) => ("term", vocabulary),
            FeatureValueKind::Asset(table) => ("asset", table),
            FeatureValueKind::Value(typename) => ("value", typename),
        };
        json!({
            "name": column.name,
            "kind": kind,
            "of": of,
            "required": column.required,
            "qualifier": column.qualifier,
        })
    };
    json!({
        "target": feature.target.qualified_name(),
        "name": feature.name,
        "table": feature.table.qualified_name(),
        "description": feature.table.comment,
        "columns": feature.columns.iter().map(column).collect::<Vec<_>>(),
    })
}

impl Create {
    fn run(&self, context: &Context) -> Outcome {
        let mut catalog = context.workspace()?.catalog;
        let schema = catalog.domain_schema().to_owned();
        let new = NewFeature {
            target: &self.target,
            name: &self.name,
            comment: &self.description,
            terms: &self.terms,
            assets: &self.assets,
            values: &self.values,
            optional: &self.optional,
        };
        let feature = catalog
            .change::<_, Error>(&context.command, |change| Ok(change.create_feature(&schema, &new)?))?;
        let (name, target) = (&feature.name, &feature.target.table_name);
        context.printer.line(format!("Made the feature {name} of {target}: {}", described(&feature)))?;
        context.printer.line(format!("  its values are in {}", feature.table.table_name))?;
        context.printer.document(&document(&feature))?;
        Ok(0)
    }
}

impl List {
    fn run(&self, context: &Context) -> Outcome {
        let features = context.workspace()?.catalog.features(self.table.as_deref())?;
        for summary in &features {
            let feature = &summary.feature;
            context.printer.line(format!(
                "{:<32} {} of {} by {}: {}",
                format!("{} {}", feature.target.table_name, feature.name),
                count(summary.values, "value"),
                count(summary.targets, "row"),
                count(summary.executions, "execution"),
                described(feature)
            ))?;
        }
        if features.is_empty() {
            context.printer.line("There are no features yet")?;
        }
        let documents: Vec<_> = features
            .iter()
            .map(|summary| {
                let mut document = document(&summary.feature);
                document["values"] = json!(summary.values);
                document["targets"] = json!(summary.targets);
                document["executions"] = json!(summary.executions);
                document
            })
            .collect();
        context.printer.document(&json!({"features": documents}))?;
        Ok(0)
    }
}

impl RemoveValues {
    fn run(&self, context: &Context) -> Outcome {
        let said = self.all || self.execution.is_some() || !self.rids.is_empty() || self.condition.is_some();
        if !said {
            return Err(Error::Usage(
                "say which values: --execution RID, --rid RID, --where SQL, or --all".into(),
            ));
        }
        let of = ValuesOf {
            execution: self.execution.as_deref(),
            targets: &self.rids,
            condition: self.condition.as_deref(),
        };
        let mut catalog = context.workspace()?.catalog;
        let remove = |change: &mut Change<'_>| -> Result<DeletedRows, Error> {
            Ok(change.remove_feature_values(&self.target, &self.name, &of)?)
        };
        let gone = if self.dry_run {
            catalog.rehearse(remove)?
        } else {
            catalog.change(&context.command, remove)?
        };
        let values = count(gone.rids.len() as u64, "value");
        deleted(context.printer, &gone, &values, self.dry_run)
    }
}
