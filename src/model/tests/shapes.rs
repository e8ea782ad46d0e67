//! Shapes that the real catalogs don't have.

use serde_json::json;

use super::super::{
    ASSET_TAG, AssetForm, Column, ColumnType, DERIVA_ML, Model, Table, TableKind, deriva_ml_tables,
    vocabulary,
};

/// A table of `columns`, each of which refers to a table as `schema:Table.Column` unless that is empty.
fn table(name: &str, columns: &[(&str, &str)], key: &[&str]) -> Table {
    let mut table = Table::new("lab", name, "");
    for (column, to) in columns {
        table.column_definitions.push(Column::new(column, ColumnType::new("text")));
        if let Some((schema, rest)) = to.split_once(':') {
            let (other, referenced) = rest.split_once('.').unwrap();
            table.add_foreign_key(column, schema, other, referenced);
        }
    }
    table.add_key(key);
    table
}

fn kind(tables: Vec<Table>) -> TableKind {
    let model = lab(tables);
    model.kind(model.table("lab", "T").unwrap())
}

fn lab(tables: Vec<Table>) -> Model {
    let mut model = Model::default();
    deriva_ml_tables("lab").into_iter().for_each(|table| model.put_table(table));
    model.put_table(Table::new("lab", "Image", ""));
    model.put_table(vocabulary("lab", "Tag", ""));
    tables.into_iter().for_each(|table| model.put_table(table));
    model
}

const DATASET: (&str, &str) = ("Whole", "deriva-ml:Dataset.RID");
const IMAGE: (&str, &str) = ("Part", "lab:Image.RID");

#[test]
fn a_membership_is_told_by_its_shape() {
    let model = lab(vec![table("T", &[IMAGE, DATASET], &["Part", "Whole"])]);
    let membership = model.membership(model.table("lab", "T").unwrap()).unwrap();
    assert_eq!((membership.dataset_column, membership.element_column), ("Whole", "Part"));
    assert_eq!(membership.element.table_name, "Image");
    assert!(!membership.is_nesting());
    let of = |columns: &[(&str, &str)], key: &[&str]| kind(vec![table("T", columns, key)]);
    // More than the key: the rows say something about the pair.
    assert_eq!(of(&[DATASET, IMAGE, ("Note", "")], &["Whole", "Part"]), TableKind::Association);
    // A key that is not over both, or over more.
    assert_eq!(of(&[DATASET, IMAGE], &["Whole"]), TableKind::Plain);
    assert_eq!(of(&[DATASET, IMAGE, ("N", "")], &["Whole", "Part", "N"]), TableKind::Association);
    // A term's name is no row's RID; a term's RID is.
    assert_eq!(of(&[DATASET, ("Tag", "lab:Tag.Name")], &["Whole", "Tag"]), TableKind::Association);
    assert_eq!(of(&[DATASET, ("Tag", "lab:Tag.RID")], &["Whole", "Tag"]), TableKind::Membership);
    // Of deriva-ml's own tables only datasets and files can be members.
    assert_eq!(of(&[DATASET, ("W", "deriva-ml:Workflow.RID")], &["Whole", "W"]), TableKind::Association);
    assert_eq!(of(&[DATASET, ("F", "deriva-ml:File.RID")], &["Whole", "F"]), TableKind::Membership);
    // The element table is not there.
    assert_eq!(of(&[DATASET, ("X", "lab:X.RID")], &["Whole", "X"]), TableKind::Association);
}

#[test]
fn of_two_datasets_the_one_in_the_column_dataset_is_the_outer() {
    let inner = ("Inner", "deriva-ml:Dataset.RID");
    for (columns, outer) in [([inner, ("Dataset", inner.1)], "Dataset"), ([DATASET, inner], "Whole")] {
        let model = lab(vec![table("T", &columns, &["Inner", outer])]);
        let membership = model.membership(model.table("lab", "T").unwrap()).unwrap();
        assert!(membership.is_nesting());
        assert_eq!((membership.dataset_column, membership.element_column), (outer, "Inner"));
    }
}

const EXECUTION: (&str, &str) = ("By", "deriva-ml:Execution.RID");
const NAME: (&str, &str) = ("What", "deriva-ml:Feature_Name.Name");

#[test]
fn a_feature_is_told_by_what_it_refers_to() {
    let mut feature = table(
        "T",
        &[NAME, ("Tag", "lab:Tag.RID"), IMAGE, EXECUTION, ("Eye", ""), ("Mask", "deriva-ml:File.RID")],
        &["By", "Part", "What", "Eye"],
    );
    let model = lab(vec![feature.clone()]);
    let found = model.feature(model.table("lab", "T").unwrap()).unwrap();
    assert_eq!((found.name, found.target.table_name.as_str()), (None, "Image"));
    assert_eq!(
        (found.execution_column, found.feature_name_column, found.target_column),
        ("By", "What", "Part")
    );
    assert_eq!(
        (found.term_columns[0].column.name.as_str(), found.term_columns[0].referenced),
        ("Tag", "RID")
    );
    assert_eq!(found.asset_columns[0].column.name, "Mask");
    assert_eq!(found.value_columns[0].name, "Eye");
    assert_eq!(found.qualifier_columns, ["Eye"]);
    let name = feature.column_definitions.iter_mut().find(|column| column.name == "What").unwrap();
    name.default = Some(json!("Grade"));
    let model = lab(vec![feature]);
    assert_eq!(model.features()[0].name, Some("Grade"));
    let of = |columns: &[(&str, &str)], key: &[&str]| kind(vec![table("T", columns, key)]);
    // The name or the execution may be outside the key.
    assert_eq!(of(&[EXECUTION, IMAGE, NAME], &["By", "Part"]), TableKind::Feature);
    assert_eq!(of(&[EXECUTION, IMAGE, NAME], &["Part", "What"]), TableKind::Feature);
    // Executions and terms are no targets.
    assert_eq!(
        of(&[EXECUTION, NAME, ("Tag", "lab:Tag.Name")], &["By", "What", "Tag"]),
        TableKind::Association
    );
    assert_eq!(of(&[EXECUTION, IMAGE], &["By", "Part"]), TableKind::Association);
}

#[test]
fn overlapping_foreign_keys_and_system_columns_make_no_association() {
    let mut twice = table("T", &[DATASET, IMAGE], &["Whole", "Part"]);
    twice.add_foreign_key("Part", "lab", "Image", "RID");
    assert_eq!(kind(vec![twice]), TableKind::Plain);
    let mut system = table("T", &[IMAGE], &["RCB", "Part"]);
    system.add_foreign_key("RCB", "public", "ERMrest_Client", "ID");
    assert_eq!(kind(vec![system]), TableKind::Plain);
}

#[test]
fn the_longest_key_that_covers_foreign_keys_counts() {
    let mut table = table("T", &[DATASET, IMAGE, ("a", ""), ("b", ""), ("c", "")], &["Whole", "Part"]);
    table.add_key(&["a", "b", "c"]);
    let association = table.association().unwrap();
    assert_eq!(association.key.unique_columns, ["Whole", "Part"]);
    assert_eq!((association.arity(), association.is_pure(), association.is_unqualified()), (2, false, true));
    table.add_key(&["Whole", "Part", "a"]);
    assert_eq!(table.association().unwrap().qualifiers, ["a"]);
}

#[test]
fn asset_tables_are_known_by_the_annotation_or_by_old_names() {
    let columns = [("URL", ""), ("Filename", ""), ("Length", ""), ("MD5", "")];
    let mut asset = table("T", &columns, &["URL"]);
    assert_eq!(asset.asset_form(), None);
    let described = table("T", &[&columns[..], &[("Description", "")]].concat(), &["URL"]);
    assert_eq!((described.asset_form(), described.is_asset()), (Some(AssetForm::Legacy), false));
    for column in &mut asset.column_definitions {
        if column.name == "URL" {
            column.annotations.insert(ASSET_TAG.into(), json!({}));
        }
    }
    assert_eq!((asset.asset_form(), asset.is_asset()), (Some(AssetForm::Legacy), true));
    asset.column_definitions.iter_mut().for_each(|column| column.nullok = false);
    assert_eq!(asset.asset_form(), Some(AssetForm::Current));
}

#[test]
fn a_vocabulary_is_known_by_names_and_types() {
    let mut terms = vocabulary("lab", "T", "");
    assert!(terms.is_vocabulary());
    terms.column_definitions.push(Column::new("Maker", ColumnType::new("text")));
    terms.keys.clear();
    assert!(terms.is_vocabulary());
    terms.column_definitions.iter_mut().filter(|column| column.name == "ID").for_each(|column| {
        column.column_type = ColumnType::new("text");
    });
    assert!(!terms.is_vocabulary());
}

#[test]
fn domain_schemas_are_the_labs_own() {
    let mut model = lab(vec![Table::new("www", "Page", ""), Table::new("WWW", "Page", "")]);
    for schema in ["public", "_acl_admin", "other"] {
        model.put_table(Table::new(schema, "X", ""));
    }
    let names: Vec<&str> = model.domain_schemas().map(|schema| schema.schema_name.as_str()).collect();
    assert_eq!(names, ["lab", "other"]);
    assert!(model.schemas.contains_key(DERIVA_ML));
}
