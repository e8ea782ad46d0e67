use std::collections::BTreeSet;

use serde_json::Value;

use super::super::{
    AssetForm, Column, ColumnType, DERIVA_ML, FeatureColumns, Model, Table, TableKind, asset_table,
    deriva_ml_tables, feature_table, membership_table, seed_terms, vocabulary,
};

fn column(name: &str, typename: &str) -> Column {
    Column::new(name, ColumnType::new(typename))
}

fn lab() -> Model {
    let mut model = Model::default();
    deriva_ml_tables("lab").into_iter().for_each(|table| model.put_table(table));
    let subject = Table::new("lab", "Subject", "");
    model.put_table(membership_table("lab", &subject));
    model.put_table(subject);
    model.put_table(vocabulary("lab", "Grade", "Grades"));
    for table in asset_table("lab", "Mask", &[column("Depth", "int4")]) {
        model.put_table(table);
    }
    model
}

#[test]
fn what_is_built_is_taken_for_what_it_is() {
    let mut model = lab();
    let [subject, grade, mask] =
        ["Subject", "Grade", "Mask"].map(|name| model.table("lab", name).unwrap().clone());
    let values = [column("Score", "float4").required(), column("Note", "text")];
    let columns = FeatureColumns {
        assets: &[&mask],
        terms: &[&grade],
        references: &[&subject],
        values: &values,
        optional: &["Grade", "Score"],
        comment: "How bad it is",
    };
    // A feature that refers to its own target has two columns of one name, which the check finds.
    assert!(!model_with(&model, feature_table("lab", &subject, "Twice", &columns)).check().is_empty());
    let columns = FeatureColumns { references: &[], ..columns };
    model.put_table(feature_table("lab", &subject, "Severity", &columns));
    assert_eq!(model.check(), []);
    let kind = |name: &str| model.kind(model.table("lab", name).unwrap());
    assert_eq!(kind("Dataset_Subject"), TableKind::Membership);
    assert_eq!(kind("Grade"), TableKind::Vocabulary);
    assert_eq!(kind("Mask"), TableKind::Asset);
    assert_eq!(model.table("lab", "Mask").unwrap().asset_form(), Some(AssetForm::Current));
    assert_eq!(model.asset_types(&mask)[0].table.table_name, "Mask_Asset_Type");
    assert_eq!(model.asset_executions(&mask)[0].role_column, Some("Asset_Role"));
    let features = model.features_of(&subject);
    let [feature] = features.as_slice() else { panic!() };
    assert_eq!(feature.table.table_name, "Execution_Subject_Severity");
    assert_eq!((feature.name, feature.target_column), (Some("Severity"), "Subject"));
    assert_eq!((feature.execution_column, feature.feature_name_column), ("Execution", "Feature_Name"));
    assert_eq!(feature.term_columns[0].referenced, "Name");
    assert_eq!(feature.asset_columns[0].column.name, "Mask");
    let values: Vec<&str> = feature.value_columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(values, ["Score", "Note"]);
    assert!(feature.qualifier_columns.is_empty());
    let nullable = |name: &str| feature.table.column(name).unwrap().nullok;
    assert_eq!(["Grade", "Mask", "Score", "Note", "Subject"].map(nullable), [true, false, true, true, false]);
}

fn model_with(model: &Model, table: Table) -> Model {
    let mut model = model.clone();
    model.put_table(table);
    model
}

#[test]
fn long_constraint_names_are_cut_to_what_postgresql_takes_and_stay_apart() {
    let mut table = Table::new("s", &"ä".repeat(40), "");
    for (at, column) in ["a", "b"].into_iter().enumerate() {
        table.add_foreign_key(column, "s", "T", "RID");
        let name = &table.foreign_keys[at].names[0].1;
        assert!(name.len() <= 63 && name.ends_with("_fkey") && name.contains(".."), "{name}");
    }
    assert_ne!(table.foreign_keys[0].names, table.foreign_keys[1].names);
}

#[test]
fn every_seeded_term_is_of_a_vocabulary_and_is_there_once() {
    let model = lab();
    let mut seen = BTreeSet::new();
    for (vocabulary, name, description) in seed_terms() {
        assert!(model.table(DERIVA_ML, vocabulary).unwrap().is_vocabulary());
        assert!(seen.insert((vocabulary, name)) && !description.is_empty());
    }
    let count = |vocabulary: &str| seen.iter().filter(|(own, _)| **own == vocabulary).count();
    let counts =
        ["Asset_Type", "Asset_Role", "Dataset_Type", "Execution_Status", "Workflow_Type", "Feature_Name"];
    assert_eq!(counts.map(count), [12, 2, 9, 7, 9, 0]);
}

/// What matters of a table to whoever reads or writes its rows.
fn essence(table: &Table) -> BTreeSet<String> {
    let server = |column: &str| column == "RCB" || column == "RMB";
    let mut found = BTreeSet::new();
    for column in table.own_columns() {
        let mut default = column.default.clone().unwrap_or_default();
        if default.as_str().is_some_and(|text| text.ends_with(":{RID}")) {
            default = Value::from("curie");
        }
        found.insert(format!("{} {} {} {default}", column.name, column.column_type.typename, column.nullok));
    }
    for key in &table.keys {
        // The demo catalog has a `File` in two schemas, and so a number after the names of the second's keys.
        found.insert(format!("{} {:?}", key.names[0].1.trim_end_matches('1'), key.unique_columns));
    }
    for key in table.foreign_keys.iter().filter(|key| !server(&key.foreign_key_columns[0].column_name)) {
        let (from, to) = (key.single().unwrap(), key.referenced_table().unwrap());
        found.insert(format!("{} {from:?} {to:?} {} {}", key.names[0].1, key.on_delete, key.on_update));
    }
    found
}

#[test]
fn the_schema_is_the_demo_catalogs_but_for_what_has_changed_since() {
    let Some(demo) = super::catalog("demo") else { return };
    let ours = lab();
    let mut differences = Vec::new();
    for table in demo.schemas[DERIVA_ML].tables.values() {
        let (theirs, own) = (essence(table), essence(ours.table(DERIVA_ML, &table.table_name).unwrap()));
        let name = &table.table_name;
        differences.extend(theirs.difference(&own).map(|line| format!("- {name}: {line}")));
        differences.extend(own.difference(&theirs).map(|line| format!("+ {name}: {line}")));
    }
    for table in ours.schemas[DERIVA_ML].tables.keys() {
        if demo.table(DERIVA_ML, table).is_none() {
            differences.push(format!("+ {table}"));
        }
    }
    let expected = [
        "- Workflow: Workflow_Type text false null",
        r#"- Workflow: Workflow_Workflow_Type_fkey ("Workflow_Type", "Name") ("deriva-ml", "Workflow_Type") CASCADE CASCADE"#,
        "- Execution: Duration text true null",
        "+ Execution: Download_Duration text true null",
        "+ Execution: Execution_Duration text true null",
        r#"+ Execution: Execution_Status_fkey ("Status", "Name") ("deriva-ml", "Execution_Status") NO ACTION NO ACTION"#,
        "+ Execution: Upload_Duration text true null",
        "+ Dataset_Version: Minid_Spec_Hash text true null",
        r#"+ Dataset_Execution: Dataset_Execution_Dataset_Version_fkey ("Dataset_Version", "RID") ("deriva-ml", "Dataset_Version") NO ACTION NO ACTION"#,
        "+ Dataset_Execution: Dataset_Version text true null",
        "+ Directory_Dataset",
        "+ Execution_Execution",
        "+ Execution_Status",
        "+ Workflow_Workflow_Type",
    ];
    assert_eq!(differences, expected);
}
