use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{Column, ColumnType, Model, Storage, Table, deriva_ml_tables};

fn round(document: &Value) -> Value {
    serde_json::to_value(Model::from_value(document.clone()).unwrap()).unwrap()
}

fn error(document: &Value) -> String {
    Model::from_value(document.clone()).unwrap_err().to_string()
}

/// A document of one table, given the members of the table.
fn one_table(table: &Value) -> Value {
    json!({"schemas": {"lab": {"tables": {"Image": table}}}})
}

#[test]
fn the_model_is_read_as_it_is_written() {
    let mut model = Model::default();
    deriva_ml_tables("lab").into_iter().for_each(|table| model.put_table(table));
    let json = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<Model>(&json).unwrap(), model);
}

#[test]
fn every_real_document_comes_out_as_it_went_in() {
    for (name, bytes) in super::documents() {
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        let model = Model::from_json(&bytes).unwrap();
        let written = serde_json::to_vec(&model).unwrap();
        assert!(serde_json::from_slice::<Value>(&written).unwrap() == document, "{name}");
        let listed = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let schemas = &document["schemas"];
        assert_eq!(model.schemas.keys().cloned().collect::<Vec<_>>(), listed(schemas), "{name}");
        for (schema, parsed) in &model.schemas {
            let tables = listed(&schemas[schema]["tables"]);
            assert_eq!(parsed.tables.keys().cloned().collect::<Vec<_>>(), tables, "{name}");
        }
        assert_eq!(Model::from_json(&written).unwrap(), model, "{name}");
    }
}

#[test]
fn members_that_the_model_does_not_know_are_kept() {
    let document = json!({
        "snaptime": "361-VCY3-TYV8", "rights": {"owner": false}, "acls": {"owner": ["x"]}, "features": {"trs": true},
        "annotations": {"a": 1}, "alias_target": null,
        "schemas": {"s": {"schema_name": "s", "RID": "1", "acls": {}, "comment": "c", "annotations": {}, "tables": {
            "T": {"schema_name": "s", "table_name": "T", "kind": "view", "RID": "2", "acl_bindings": {"own": false},
                "column_definitions": [{"name": "a.b", "nullok": false, "rights": {"select": true},
                    "type": {"typename": "text[]", "is_array": true, "length": 3,
                        "base_type": {"typename": "text", "is_domain": false}}}],
                "keys": [{"unique_columns": ["a.b"], "names": [["s", "T_key"]], "RID": "3"}],
                "foreign_keys": [{
                    "foreign_key_columns": [{"schema_name": "s", "table_name": "T", "column_name": "a.b", "x": 0}],
                    "referenced_columns": [{"schema_name": "s", "table_name": "T", "column_name": "a.b"}],
                    "on_delete": "CASCADE", "acls": {"insert": ["*"]}}]}}}}
    });
    assert_eq!(round(&document), document);
    let model = Model::from_value(document).unwrap();
    let table = model.table("s", "T").unwrap();
    assert_eq!(table.column("a.b").unwrap().column_type.storage(), Storage::Array);
    assert_eq!(table.rest.get("RID"), Some(&json!("2")));
}

#[test]
fn what_is_null_stays_null_and_what_is_absent_stays_absent() {
    let bare = one_table(&json!({"column_definitions": [{"name": "a", "type": {"typename": "text"}}]}));
    assert_eq!(round(&bare), bare);
    let nulls = json!({"snaptime": null, "annotations": null, "schemas": {"lab": {"comment": null, "tables": {
        "Image": {"kind": null, "comment": null, "keys": null, "foreign_keys": null, "annotations": null,
            "column_definitions": [{"name": "a", "default": null, "comment": null, "nullok": null,
                "type": {"typename": "text", "is_array": null, "is_domain": false, "base_type": null}}]}}}}});
    assert_eq!(round(&nulls), nulls);
}

#[test]
fn what_is_set_later_is_written_over_what_the_document_said() {
    let column = json!({"name": "a", "annotations": null, "type": {"typename": "text", "is_domain": false}});
    let mut model = Model::from_value(one_table(&json!({"column_definitions": [column]}))).unwrap();
    let table = &mut model.schemas["lab"].tables["Image"];
    let column = &mut table.column_definitions[0];
    column.annotations.insert("tag".into(), json!(1));
    column.comment = Some("c".into());
    column.nullok = false;
    column.column_type.is_domain = true;
    let written = serde_json::to_value(&model).unwrap();
    let expected = json!({"name": "a", "nullok": false, "comment": "c", "annotations": {"tag": 1},
        "type": {"typename": "text", "is_domain": true}});
    assert_eq!(written["schemas"]["lab"]["tables"]["Image"]["column_definitions"][0], expected);
}

#[test]
fn a_new_table_stands_before_the_first_of_a_later_name() {
    let mut model = Model::default();
    for name in ["B", "A", "C"] {
        model.put_table(Table::new("s", name, ""));
    }
    model.put_table(Table::new("a", "B", ""));
    model.put_table(Table::new("s", "B", "again"));
    let names: Vec<String> = model.tables().map(Table::qualified_name).collect();
    assert_eq!(names, ["a:B", "s:A", "s:B", "s:C"]);
}

#[test]
fn an_error_says_where_it_is() {
    let column = |column: Value| one_table(&json!({"column_definitions": [column]}));
    let ok = json!({"typename": "text"});
    let cases = [
        (json!([]), "in the model, the model is a list, where an object is wanted"),
        (json!({}), "in the model, the model has no \"schemas\""),
        (
            json!({"schemas": 1}),
            "in the model, the model has a number for \"schemas\", where an object is wanted",
        ),
        (json!({"schemas": {"lab": null}}), "in the model, schema lab is null, where an object is wanted"),
        (
            json!({"schemas": {"lab": {"tables": {}, "schema_name": "other"}}}),
            "in the model, schema lab says that its \"schema_name\" is \"other\"",
        ),
        (one_table(&json!({})), "in the model, schema lab, table Image has no \"column_definitions\""),
        (
            one_table(&json!({"column_definitions": [], "table_name": "Scan"})),
            "in the model, schema lab, table Image says that its \"table_name\" is \"Scan\"",
        ),
        (column(json!({"type": ok})), "in the model, schema lab, table Image, column 1 has no \"name\""),
        (
            column(json!({"name": "URL", "type": ok, "nullok": "no"})),
            "in the model, schema lab, table Image, column URL has a text for \"nullok\", where true or false is wanted",
        ),
        (
            column(json!({"name": "URL", "type": {"typename": 1}})),
            "in the model, schema lab, table Image, column URL, its type has a number for \"typename\", where a text is wanted",
        ),
        (
            one_table(&json!({"column_definitions": [], "keys": [{"unique_columns": [1]}]})),
            "in the model, schema lab, table Image, key 1 has a number for \"unique_columns\", where a text is wanted",
        ),
        (
            one_table(&json!({"column_definitions": [], "keys": [{"unique_columns": [], "names": [["s"]]}]})),
            "in the model, schema lab, table Image, key 1 has something else for \"names\", where a list of pairs of texts is wanted",
        ),
        (
            one_table(&json!({"column_definitions": [], "foreign_keys": [{"foreign_key_columns": [{}]}]})),
            "in the model, schema lab, table Image, foreign key 1 has no \"schema_name\"",
        ),
    ];
    for (document, message) in cases {
        assert_eq!(error(&document), message);
    }
    let deep = "[".repeat(100_000);
    assert!(Model::from_json(deep.as_bytes()).unwrap_err().to_string().starts_with("the model is not JSON"));
}

/// Any JSON, made of the names that the model knows.
fn any_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "schemas",
        "tables",
        "lab",
        "Image",
        "schema_name",
        "table_name",
        "column_definitions",
        "keys",
        "names",
        "foreign_keys",
        "unique_columns",
        "type",
        "typename",
        "base_type",
        "is_array",
        "annotations",
        "comment",
        "default",
        "nullok",
        "rights",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(Value::from),
        names.clone().prop_map(|name| Value::from(name.to_owned())),
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((names.clone(), inner), 0..5).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_read_is_written_back(table in any_json(), column in any_json(), column_type in any_json()) {
        let mut column = if let Value::Object(members) = column { members } else { Map::new() };
        column.insert("name".into(), json!("a"));
        let mut inner = if let Value::Object(members) = column_type { members } else { Map::new() };
        inner.insert("typename".into(), json!("text"));
        column.insert("type".into(), Value::Object(inner));
        let mut members = if let Value::Object(members) = table { members } else { Map::new() };
        members.insert("column_definitions".into(), json!([column]));
        let document = one_table(&Value::Object(members));
        if let Ok(model) = Model::from_value(document.clone()) {
            prop_assert_eq!(serde_json::to_value(&model).unwrap(), document);
        }
    }

    #[test]
    fn any_json_is_a_model_or_an_error(document in any_json()) {
        if let Ok(model) = Model::from_value(document.clone()) {
            prop_assert_eq!(serde_json::to_value(&model).unwrap(), document);
        }
    }
}

#[test]
fn a_fresh_column_is_written_in_full() {
    let written = serde_json::to_string(&Column::new("a", ColumnType::new("text"))).unwrap();
    assert_eq!(
        written,
        r#"{"name":"a","type":{"typename":"text"},"nullok":true,"default":null,"comment":null,"annotations":{}}"#
    );
}
