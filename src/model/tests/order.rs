use proptest::prelude::*;

use super::super::{Column, ColumnType, Model, Table, deriva_ml_tables};

fn place(order: &[String], name: &str) -> usize {
    order.iter().position(|other| other == name).unwrap()
}

fn order(model: &Model) -> Vec<String> {
    model.load_order().into_iter().map(Table::qualified_name).collect()
}

/// Tables of the given names; a reference is `from`, `to` and whether it must be there.
fn model(names: &[&str], references: &[(&str, &str, bool)]) -> Model {
    let mut model = Model::default();
    for name in names {
        let mut table = Table::new("s", name, "");
        for (_, to, required) in references.iter().filter(|(from, ..)| from == name) {
            let column = Column { nullok: !required, ..Column::new(to, ColumnType::new("text")) };
            table.column_definitions.push(column);
            table.add_foreign_key(to, "s", to, "RID");
        }
        model.put_table(table);
    }
    model
}

#[test]
fn a_table_comes_after_those_that_it_refers_to() {
    let model = model(
        &["A", "B", "C", "D"],
        &[("A", "C", false), ("C", "D", true), ("A", "A", true), ("B", "X", true)],
    );
    assert_eq!(order(&model), ["s:B", "s:D", "s:C", "s:A"]);
}

#[test]
fn a_circle_is_opened_where_null_is_allowed_and_nowhere_else() {
    let circle = [("A", "B", true), ("B", "C", true), ("C", "A", false), ("AA", "C", true)];
    assert_eq!(order(&model(&["A", "AA", "B", "C"], &circle)), ["s:C", "s:AA", "s:B", "s:A"]);
    let hard = [("A", "B", true), ("B", "A", true), ("AA", "B", true)];
    assert_eq!(order(&model(&["A", "AA", "B"], &hard)), ["s:A", "s:B", "s:AA"]);
}

#[test]
fn of_real_models_only_dataset_and_its_version_are_out_of_order() {
    for name in ["eye-ai", "demo"] {
        let Some(model) = super::catalog(name) else { continue };
        check(&model);
    }
    {
        let tables = deriva_ml_tables("lab");
        let mut model = Model::default();
        tables.into_iter().for_each(|table| model.put_table(table));
        check(&model);
    }
}

fn check(model: &Model) {
    let order = order(model);
    assert_eq!(order.len(), model.tables().count());
    for table in model.tables() {
        for key in &table.foreign_keys {
            let Some((schema, to)) = key.referenced_table() else { continue };
            let (from, to) = (table.qualified_name(), format!("{schema}:{to}"));
            if (from.as_str(), to.as_str()) != ("deriva-ml:Dataset", "deriva-ml:Dataset_Version") {
                assert!(from == to || place(&order, &to) < place(&order, &from), "{from} {to}");
            }
        }
    }
}

#[test]
fn foreign_keys_between_two_tables_go_either_way() {
    let model =
        model(&["A", "B", "C"], &[("A", "B", true), ("B", "A", false), ("A", "A", true), ("A", "C", true)]);
    let (a, b) = (model.table("s", "A").unwrap(), model.table("s", "B").unwrap());
    let names = |first, second| -> Vec<&str> {
        let keys = model.foreign_keys_between(first, second);
        keys.into_iter().map(|key| key.names[0].1.as_str()).collect()
    };
    assert_eq!(names(a, b), ["A_B_fkey", "B_A_fkey"]);
    assert_eq!(names(b, a), ["B_A_fkey", "A_B_fkey"]);
    assert_eq!(names(a, a), ["A_A_fkey"]);
    assert!(names(b, model.table("s", "C").unwrap()).is_empty());
}

proptest! {
    #[test]
    fn every_table_has_its_place_whatever_refers_to_what(
        references in prop::collection::vec((0usize..8, 0usize..8, any::<bool>()), 0..30),
    ) {
        let names = ["A", "B", "C", "D", "E", "F", "G", "H"];
        let named: Vec<(&str, &str, bool)> = references.iter().map(|(f, t, r)| (names[*f], names[*t], *r)).collect();
        let mut found = order(&model(&names, &named));
        found.sort();
        let expected: Vec<String> = names.iter().map(|name| format!("s:{name}")).collect();
        prop_assert_eq!(found, expected);
    }
}
