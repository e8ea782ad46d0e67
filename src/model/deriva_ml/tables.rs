//! All tables of the `deriva-ml` schema as deriva-ml 1.54 makes them.
//!
//! The foreign keys of RCB and RMB to the server's own `public` schema are left out: a server adds them to
//! every table.

use serde_json::json;

use super::super::build::{End, add_reference, asset_tables, association, vocabulary_of};
use super::super::{Column, ColumnType, Table};
use super::{DERIVA_ML, table};

const HATRAC: &str = "/hatrac/metadata/{{MD5}}.{{Filename}}";

/// The schema's tables, each after those that it refers to but for `Dataset` and `Dataset_Version`, which
/// refer to each other. `project` begins the IDs of new terms.
#[must_use]
pub fn deriva_ml_tables(project: &str) -> Vec<Table> {
    let mut tables = vocabularies(project);
    tables.extend(workflows());
    tables.extend(executions());
    tables.extend(datasets());
    for (name, hatrac) in
        [("Execution_Metadata", Some(HATRAC)), ("Execution_Asset", Some(HATRAC)), ("File", None)]
    {
        tables.extend(asset_tables(DERIVA_ML, name, hatrac));
    }
    let ends = [End::ml("Dataset"), End::ml("File")];
    tables.push(association(DERIVA_ML, "Dataset_File", "The files that are members of datasets", &ends));
    tables
}

fn vocabularies(project: &str) -> Vec<Table> {
    let all = [
        ("Feature_Name", "The names of features", project),
        ("Asset_Type", "Kinds of files", project),
        ("Asset_Role", "What a file is to an execution", project),
        ("Execution_Status", "How far an execution has come", project),
        ("Workflow_Type", "Kinds of workflows", DERIVA_ML),
        ("Dataset_Type", "Kinds of datasets", project),
    ];
    all.into_iter().map(|(name, comment, project)| vocabulary_of(DERIVA_ML, name, comment, project)).collect()
}

fn workflows() -> [Table; 2] {
    let columns = [
        ("Name", "text"),
        ("Description", "markdown"),
        ("URL", "ermrest_uri"),
        ("Checksum", "text"),
        ("Version", "text"),
    ];
    let ends = [End::ml("Workflow"), End::ml_term("Workflow_Type")];
    [
        table("Workflow", "Code that makes data", &columns),
        association(DERIVA_ML, "Workflow_Workflow_Type", "The types of workflows", &ends),
    ]
}

fn executions() -> [Table; 2] {
    let mut execution = table(
        "Execution",
        "Runs of workflows",
        &[
            ("Workflow", "text"),
            ("Description", "markdown"),
            ("Execution_Duration", "text"),
            ("Download_Duration", "text"),
            ("Upload_Duration", "text"),
            ("Status", "text"),
            ("Status_Detail", "text"),
        ],
    );
    execution.add_foreign_key("Workflow", DERIVA_ML, "Workflow", "RID");
    execution.add_foreign_key("Status", DERIVA_ML, "Execution_Status", "Name");
    let ends = [End::ml("Execution"), End { column: "Nested_Execution", ..End::ml("Execution") }];
    let mut nested = association(DERIVA_ML, "Execution_Execution", "Executions within executions", &ends);
    let sequence = Column::new("Sequence", ColumnType::new("int4"));
    nested
        .column_definitions
        .push(sequence.comment("The place among them; NULL where they ran side by side"));
    [execution, nested]
}

fn datasets() -> Vec<Table> {
    let columns = [("Description", "markdown"), ("Deleted", "boolean")];
    let mut dataset = table("Dataset", "A versioned collection of rows", &columns);
    let version = End { column: "Version", ..End::ml("Dataset_Version") };
    add_reference(&mut dataset, &version, true);
    let nested = End { column: "Nested_Dataset", ..End::ml("Dataset") };
    let joined = |name: &str, comment: &str, other: End<'_>| {
        association(DERIVA_ML, name, comment, &[End::ml("Dataset"), other])
    };
    let types = joined("Dataset_Dataset_Type", "The types of datasets", End::ml_term("Dataset_Type"));
    let nested = joined("Dataset_Dataset", "Datasets within datasets", nested);
    let mut executions =
        joined("Dataset_Execution", "The datasets that executions read", End::ml("Execution"));
    let version =
        Column::new("Dataset_Version", ColumnType::new("text")).comment("RID of the version that was read");
    executions.column_definitions.push(version);
    executions.add_foreign_key("Dataset_Version", DERIVA_ML, "Dataset_Version", "RID");
    let mut directories = table(
        "Directory_Dataset",
        "The directories that datasets of files were made from",
        &[("Dataset", "text!"), ("Path", "text")],
    );
    directories.add_key(&["Dataset"]);
    directories.add_foreign_key("Dataset", DERIVA_ML, "Dataset", "RID");
    vec![dataset, versions(), types, nested, executions, directories]
}

fn versions() -> Table {
    let mut table = Table::new(DERIVA_ML, "Dataset_Version", "The versions of datasets");
    let text = |name: &str, comment: &str| Column::new(name, ColumnType::new("text")).comment(comment);
    table.column_definitions.extend([
        Column {
            default: Some(json!("0.1.0")),
            ..text("Version", "The label: MAJOR.MINOR.PATCH of a release, or what it has drifted to since")
        },
        Column::new("Description", ColumnType::domain("markdown", "text")),
        text("Dataset", "RID of the dataset"),
        text("Execution", "RID of the execution that made the version"),
        text("Minid", "Landing page of the version's MINID"),
        text("Minid_Spec_Hash", "SHA-256 of the export specification that the MINID's bag was made by"),
        text(
            "Snapshot",
            "The catalog's snapshot that the version pins; NULL where it follows the live catalog",
        ),
    ]);
    table.add_key(&["Dataset", "Version"]);
    table.add_foreign_key("Dataset", DERIVA_ML, "Dataset", "RID");
    table.add_foreign_key("Execution", DERIVA_ML, "Execution", "RID");
    table
}
