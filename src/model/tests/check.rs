use super::super::{Column, ColumnType, Model, Table, deriva_ml_tables};

fn table(name: &str, columns: &[&str]) -> Table {
    let mut table = Table::new("s", name, "");
    let text = |name: &&str| Column::new(name, ColumnType::new("text"));
    table.column_definitions.extend(columns.iter().map(text));
    table
}

fn faults(tables: Vec<Table>) -> Vec<String> {
    let mut model = Model::default();
    tables.into_iter().for_each(|table| model.put_table(table));
    model.check().iter().map(ToString::to_string).collect()
}

#[test]
fn real_models_and_our_own_have_no_faults() {
    for name in ["eye-ai", "demo"] {
        let Some(model) = super::catalog(name) else { continue };
        assert_eq!(model.check(), []);
    }
    assert!(faults(deriva_ml_tables("lab")).is_empty());
}

#[test]
fn each_fault_is_a_sentence() {
    let mut names = table("T", &["a", "a", "b", "B", "n\0"]);
    names.add_key(&["a", "c"]);
    names.add_key(&[]);
    assert_eq!(
        faults(vec![names, table("t", &[])]),
        [
            "s:T: there are two columns \"a\"",
            "s:T: the columns \"b\" and \"B\" differ only in case",
            "s:T: the name \"n\\0\" holds a NUL",
            "s:T: the key T_a_c_key is over the column \"c\", which the table has not",
            "s:T: the key T__key is over no columns",
            "the tables s:T and s:t differ only in case",
        ]
    );
}

#[test]
fn foreign_keys_must_fit_on_both_sides() {
    let mut keys = table("T", &["a"]);
    keys.add_foreign_key("a", "s", "U", "RID");
    keys.add_foreign_key("b", "s", "T", "c");
    keys.add_foreign_key("a", "s", "T", "RID");
    keys.foreign_keys[2].names.clear();
    let more = keys.foreign_keys[2].referenced_columns[0].clone();
    keys.foreign_keys[2].referenced_columns.push(more);
    keys.add_foreign_key("a", "s", "T", "RID");
    keys.foreign_keys[3].foreign_key_columns[0].table_name = "V".into();
    keys.add_foreign_key("a", "s", "T", "RID");
    keys.foreign_keys[4].foreign_key_columns.clear();
    assert_eq!(
        faults(vec![keys]),
        [
            "s:T: the foreign key T_a_fkey refers to the table s:U, which is not there",
            "s:T: the foreign key T_b_fkey is over the column \"b\", which the table has not",
            "s:T: the foreign key T_b_fkey refers to the column \"c\" of s:T, which is not there",
            "s:T: the foreign key on a has 1 columns that refer to 2",
            "s:T: the columns of the foreign key T_a_fkey are not all of one table",
            "s:T: the foreign key T_a_fkey is over no columns",
        ]
    );
}
