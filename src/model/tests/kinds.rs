//! What each table of two real catalogs is taken for.

use std::fmt::Write as _;
use std::path::Path;

use super::super::{AssetForm, Feature, Link, Model, Table, TableKind};

fn links(links: &[Link<'_>]) -> String {
    let shown =
        |link: &Link<'_>| format!("{}>{}.{}", link.column.name, link.table.table_name, link.referenced);
    links.iter().map(shown).collect::<Vec<_>>().join(" ")
}

fn feature(feature: &Feature<'_>) -> String {
    let mut line = format!("{} of {}", feature.name.unwrap_or("?"), feature.target.qualified_name());
    for (title, list) in [
        ("terms", links(&feature.term_columns)),
        ("assets", links(&feature.asset_columns)),
        ("values", feature.value_columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(" ")),
        ("qualifiers", feature.qualifier_columns.join(" ")),
    ] {
        if !list.is_empty() {
            write!(line, "; {title} {list}").unwrap();
        }
    }
    line
}

fn association(model: &Model, table: &Table) -> String {
    let association = table.association().unwrap();
    let sides: Vec<String> = association
        .foreign_keys
        .iter()
        .map(|key| {
            let (column, referenced) = key.single().unwrap();
            format!("{column}>{}.{referenced}", model.referenced(key).unwrap().table_name)
        })
        .collect();
    let mut line = sides.join(" ");
    if !association.is_pure() {
        let extra: Vec<&str> = association.extra.iter().map(|column| column.name.as_str()).collect();
        write!(line, "; extra {}", extra.join(" ")).unwrap();
    }
    line
}

fn asset(model: &Model, table: &Table) -> String {
    let form = if table.asset_form() == Some(AssetForm::Current) { "current" } else { "legacy" };
    let mut line = form.to_owned();
    for types in model.asset_types(table) {
        write!(
            line,
            "; types in {} ({}>{})",
            types.table.table_name, types.type_column, types.vocabulary.table_name
        )
        .unwrap();
    }
    for executions in model.asset_executions(table) {
        let role = executions.role_column.unwrap_or("-");
        write!(line, "; executions in {} (role {role})", executions.table.table_name).unwrap();
    }
    line
}

fn details(model: &Model, table: &Table) -> String {
    match model.kind(table) {
        TableKind::Vocabulary => {
            let own: Vec<&str> = table.own_columns().map(|column| column.name.as_str()).collect();
            let extra = ["ID", "URI", "Name", "Description", "Synonyms"];
            let extra: Vec<&str> = own.into_iter().filter(|name| !extra.contains(name)).collect();
            if extra.is_empty() { String::new() } else { format!("extra {}", extra.join(" ")) }
        }
        TableKind::Asset => asset(model, table),
        TableKind::Membership => {
            let membership = model.membership(table).unwrap();
            let what = if membership.is_nesting() { "nested datasets" } else { "members" };
            format!(
                "{what}: {} of {}; dataset {}",
                membership.element_column,
                membership.element.qualified_name(),
                membership.dataset_column
            )
        }
        TableKind::Feature => feature(&model.feature(table).unwrap()),
        TableKind::Association => association(model, table),
        TableKind::Plain => String::new(),
    }
}

fn listing(model: &Model) -> String {
    let mut lines: Vec<String> = model
        .tables()
        .map(|table| {
            let line =
                format!("{}\t{:?}\t{}", table.qualified_name(), model.kind(table), details(model, table));
            line.trim_end().to_owned() + "\n"
        })
        .collect();
    lines.sort();
    lines.concat()
}

fn check(name: &str) {
    let Some(model) = super::catalog(name) else { return };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/model/tests/kinds-{name}.txt"));
    let found = listing(&model);
    if std::env::var_os("DBAG_BLESS").is_some() {
        fs_err::write(&path, &found).unwrap();
    }
    assert_eq!(found, fs_err::read_to_string(&path).unwrap());
}

#[test]
fn the_tables_of_eye_ai_are_taken_for_what_they_are() {
    check("eye-ai");
}

#[test]
fn the_tables_of_the_demo_catalog_are_taken_for_what_they_are() {
    check("demo");
}
