//! A random life, step by step.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use proptest::prelude::*;

use crate::catalog::{Catalog, CatalogError, Clock, CreateOptions, Moment};
use crate::model::{Column, ColumnType, RidPrefix, Table};
use crate::tabular::Value;

/// A step that a life may take; numbers choose among what is there.
#[derive(Debug, Clone)]
enum Step {
    MakeTable(u8),
    DropTable(u8),
    AddColumn(u8, u8, u8),
    DropColumn(u8, u8),
    Insert(u8, Vec<i8>),
    Update(u8, u8, Vec<i8>),
    Delete(u8, u8),
    Undo,
    /// Several in one transaction.
    Several(Vec<Step>),
}

/// Rows by RID: own columns by name.
type Rows = BTreeMap<String, BTreeMap<String, String>>;
/// Tables by name.
type State = BTreeMap<String, (Vec<(String, ColumnType)>, Rows)>;

fn step() -> impl Strategy<Value = Step> {
    let values = || proptest::collection::vec(any::<i8>(), 4);
    let simple = prop_oneof![
        1 => any::<u8>().prop_map(Step::MakeTable),
        1 => any::<u8>().prop_map(Step::DropTable),
        2 => any::<(u8, u8, u8)>().prop_map(|(table, name, kind)| Step::AddColumn(table, name, kind)),
        1 => any::<(u8, u8)>().prop_map(|(table, column)| Step::DropColumn(table, column)),
        6 => (any::<u8>(), values()).prop_map(|(table, values)| Step::Insert(table, values)),
        4 => (any::<(u8, u8)>(), values()).prop_map(|((table, row), values)| Step::Update(table, row, values)),
        2 => any::<(u8, u8)>().prop_map(|(table, row)| Step::Delete(table, row)),
    ];
    prop_oneof![
        8 => simple.clone(),
        1 => Just(Step::Undo),
        2 => proptest::collection::vec(simple, 1..6).prop_map(Step::Several),
    ]
}

fn kind(number: u8) -> ColumnType {
    ColumnType::new(["text", "int8", "float8", "boolean"][usize::from(number % 4)])
}

fn value(kind: &ColumnType, number: i8) -> Value {
    match kind.typename.as_str() {
        _ if number % 7 == 0 => Value::Null,
        "text" => Value::Text(format!("0{number}")),
        "int8" => Value::Integer(i64::from(number) << 40),
        "float8" => Value::Float(f64::from(number) / 3.0),
        _ => Value::Boolean(number > 0),
    }
}

fn text(value: &Value) -> String {
    value.to_text().map_or("NULL".into(), |text| format!("={text}"))
}

fn nth<T>(items: impl ExactSizeIterator<Item = T>, number: u8) -> Option<T> {
    let mut items = items;
    let count = items.len();
    (count > 0).then(|| items.nth(usize::from(number) % count)).flatten()
}

/// Takes a step in the catalog and in the state alike.
fn take(catalog: &mut Catalog, state: &mut State, steps: &[Step]) -> Result<(), CatalogError> {
    catalog.change("dbag test", |change| {
        for step in steps {
            take_one(change, state, step)?;
        }
        Ok(())
    })
}

fn take_one(
    change: &mut crate::catalog::Change<'_>,
    state: &mut State,
    step: &Step,
) -> Result<(), CatalogError> {
    match step {
        Step::MakeTable(number) => {
            let name = format!("T{}", number % 3);
            if let Entry::Vacant(place) = state.entry(name.clone()) {
                let mut table = Table::new("domain", &name, "");
                table.column_definitions.push(Column::new("a", ColumnType::new("text")));
                change.put_table(table)?;
                place.insert((vec![("a".into(), ColumnType::new("text"))], Rows::new()));
            }
        }
        Step::DropTable(number) => {
            if let Some(name) = nth(state.keys().cloned(), *number) {
                change.drop_table(&change.table(&name)?)?;
                state.remove(&name);
            }
        }
        Step::AddColumn(table, name, number) => {
            let Some((table, (columns, rows))) = nth(state.iter_mut(), *table) else { return Ok(()) };
            let name = ["a", "b", "C", "d e\"f"][usize::from(name % 4)].to_owned();
            if columns.iter().all(|(column, _)| *column != name) {
                let kind = kind(*number);
                let fill = value(&kind, number.cast_signed());
                let column = Column::new(&name, kind.clone());
                change.add_column(&change.table(table)?, &column, &fill)?;
                columns.push((name.clone(), kind));
                rows.values_mut().for_each(|row| drop(row.insert(name.clone(), text(&fill))));
            }
        }
        Step::DropColumn(table, column) => {
            let Some((table, (columns, rows))) = nth(state.iter_mut(), *table) else { return Ok(()) };
            let Some(name) = nth(columns.iter().map(|(name, _)| name.clone()), *column) else {
                return Ok(());
            };
            change.drop_column(&change.table(table)?, &name)?;
            columns.retain(|(column, _)| *column != name);
            rows.values_mut().for_each(|row| drop(row.remove(&name)));
        }
        Step::Insert(table, numbers) => {
            let Some((table, (columns, rows))) = nth(state.iter_mut(), *table) else { return Ok(()) };
            let values: Vec<Value> =
                columns.iter().zip(numbers).map(|((_, kind), number)| value(kind, *number)).collect();
            let writer = change.writer(&change.table(table)?)?;
            let rid = change.insert(&writer, &values)?;
            rows.insert(rid.to_string(), row(columns, &values));
        }
        Step::Update(table, at, numbers) => {
            let Some((table, (columns, rows))) = nth(state.iter_mut(), *table) else { return Ok(()) };
            let Some((rid, old)) = nth(rows.iter_mut(), *at) else { return Ok(()) };
            let values: Vec<Value> =
                columns.iter().zip(numbers).map(|((_, kind), number)| value(kind, *number)).collect();
            change.update(&change.writer(&change.table(table)?)?, rid, &values)?;
            *old = row(columns, &values);
        }
        Step::Delete(table, at) => {
            let Some((table, (_, rows))) = nth(state.iter_mut(), *table) else { return Ok(()) };
            let Some(rid) = nth(rows.keys().cloned().collect::<Vec<_>>().into_iter(), *at) else {
                return Ok(());
            };
            change.delete(&change.table(table)?, &rid)?;
            rows.remove(&rid);
        }
        Step::Undo | Step::Several(_) => {}
    }
    Ok(())
}

fn row(columns: &[(String, ColumnType)], values: &[Value]) -> BTreeMap<String, String> {
    columns.iter().zip(values).map(|((name, _), value)| (name.clone(), text(value))).collect()
}

/// What the catalog says that its domain tables were.
fn read(catalog: &Catalog, moment: &Moment) -> State {
    let (_, tables) = catalog.whole_at(moment).unwrap();
    let mut state = State::new();
    for selection in tables.iter().filter(|selection| selection.table.schema_name == "domain") {
        let table = &selection.table;
        let own: Vec<usize> = (0..table.column_definitions.len()).skip(5).collect();
        let mut rows = Rows::new();
        catalog
            .for_each_selected(selection, |cells| {
                let cell = |at: &usize| (table.column_definitions[*at].name.clone(), text(&cells[*at]));
                rows.insert(cells[0].to_text().unwrap().into_owned(), own.iter().map(cell).collect());
                Ok::<_, CatalogError>(())
            })
            .unwrap();
        let columns = table.own_columns().map(|column| (column.name.clone(), column.column_type.clone()));
        state.insert(table.table_name.clone(), (columns.collect(), rows));
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn every_snapshot_stays_what_it_was(steps in proptest::collection::vec(step(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let options = CreateOptions { rid_prefix: RidPrefix::parse("1TST"), ..CreateOptions::default() };
        let mut catalog = Catalog::create(&folder.path().join("catalog.sqlite"), &options).unwrap();
        let mut state = State::new();
        // What was true after each transaction, and the stack of those that can be undone.
        let mut then: BTreeMap<i64, State> = BTreeMap::from([(1, State::new())]);
        let mut done: Vec<i64> = Vec::new();
        for step in &steps {
            match step {
                Step::Undo => match catalog.undo(false) {
                    Ok(undone) => {
                        prop_assert_eq!(Some(undone.number), done.pop());
                        state = then[&(undone.number - 1)].clone();
                    }
                    Err(CatalogError::NothingToUndo) => prop_assert!(done.is_empty()),
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                },
                step => {
                    let steps = if let Step::Several(steps) = step { steps.as_slice() } else { std::slice::from_ref(step) };
                    take(&mut catalog, &mut state, steps).unwrap();
                }
            }
            let last = catalog.number_at(&Moment::Now).unwrap();
            if let Entry::Vacant(place) = then.entry(last) {
                place.insert(state.clone());
                if !matches!(step, Step::Undo) {
                    done.push(last);
                }
            }
            prop_assert_eq!(&read(&catalog, &Moment::Now), &state);
        }
        for transaction in catalog.transactions(1000).unwrap() {
            let moment = Moment::Snapshot(transaction.snapshot);
            prop_assert_eq!(&read(&catalog, &moment), &then[&transaction.number], "{}", transaction.number);
        }
        let again = Catalog::open(catalog.path(), Clock::System).unwrap();
        prop_assert_eq!(&read(&again, &Moment::Now), &state);
    }
}
