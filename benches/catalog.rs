//! What the local catalog's past costs: a change, a point read and a full read, by what is in it. `cargo xtask bench
//! catalog` runs this and draws the plot.

#![allow(clippy::print_stdout)]

use std::path::Path;
use std::time::{Duration, Instant};

use dbag::catalog::{Catalog, CatalogError, CreateOptions, Moment};
use dbag::model::{Column, ColumnType, RidPrefix, Snapshot, Table};
use dbag::tabular::Value;

type Failure = Box<dyn std::error::Error>;

/// Rows of one change.
const CHANGED: u64 = 1_000;
/// Rows of each change that the full reads look back over.
const SUPERSEDED: u64 = 100_000;

fn main() -> Result<(), Failure> {
    // `cargo test` runs benches too, to see that they work.
    let largest: u64 = if std::env::args().any(|word| word == "--bench") { 1_000_000 } else { 10_000 };
    let folder = tempfile::tempdir_in(std::env::var_os("DBAG_BENCH_DIR").unwrap_or_else(|| ".".into()))?;
    println!("| rows | what | median ms |\n|---|---|---|");
    for rows in [largest / 100, largest / 10, largest] {
        let mut catalog = filled(&folder.path().join(format!("{rows}.sqlite")), rows)?;
        let change = median(5, |round| update(&mut catalog, rows, CHANGED.min(rows), round).map(drop))?;
        println!("| {rows} | a change of {} rows | {:.1} |", CHANGED.min(rows), ms(change));
        let then = catalog.transactions(100)?.iter().rev().nth(1).map(|change| change.snapshot);
        let Some(then) = then else { continue };
        let table = catalog.table("Row")?;
        let point = median(1000, |round| {
            let rid = rid(u64::from(round) * 7919 % rows);
            let found = catalog.row_at(&table, &rid, &Moment::Snapshot(then))?;
            found.map(drop).ok_or_else(|| format!("{rid} is not there").into())
        })?;
        println!("| {rows} | a row at an old snapshot | {:.3} |", ms(point));
    }
    full_reads(folder.path(), largest)
}

/// Full reads of one snapshot, while more and more rows are superseded since.
fn full_reads(folder: &Path, rows: u64) -> Result<(), Failure> {
    let mut catalog = filled(&folder.join("history.sqlite"), rows)?;
    let then = catalog.transactions(1)?[0].snapshot;
    for round in 0..=10 {
        let superseded = u64::from(round) * SUPERSEDED.min(rows / 10);
        let read = median(3, |_| count(&catalog, then, rows))?;
        println!("| {rows} | all rows at a snapshot, {superseded} superseded since | {:.0} |", ms(read));
        println!("plot read {} {}", rows + superseded, read.as_secs_f64());
        update(&mut catalog, rows, SUPERSEDED.min(rows / 10), round)?;
    }
    Ok(())
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn median(rounds: u32, mut f: impl FnMut(u32) -> Result<(), Failure>) -> Result<Duration, Failure> {
    let mut times = Vec::new();
    for round in 0..rounds {
        let began = Instant::now();
        f(round)?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

/// The id of the row of a number: the first ids are those of the catalog's own terms.
fn rid(number: u64) -> String {
    prefix().rid((1 << 20) + number).to_string()
}

fn prefix() -> RidPrefix {
    RidPrefix::from_bits(0x12345)
}

fn row(number: u64) -> Vec<Value> {
    vec![
        Value::Integer(number.cast_signed()),
        Value::Text(format!("S{:06}", number / 10)),
        Value::Float(number as f64 / 3.0),
        Value::Text("a label of some length".into()),
    ]
}

fn filled(path: &Path, rows: u64) -> Result<Catalog, Failure> {
    let options = CreateOptions { rid_prefix: Some(prefix()), ..CreateOptions::default() };
    let mut catalog = Catalog::create(path, &options)?;
    let mut table = Table::new("domain", "Row", "");
    for (name, kind) in [("number", "int8"), ("subject", "text"), ("score", "float8"), ("label", "text")] {
        table.column_definitions.push(Column::new(name, ColumnType::new(kind)));
    }
    catalog.change("dbag bench", |change| {
        change.put_table(table.clone())?;
        let writer = change.writer(&table)?;
        for number in 0..rows {
            let rid = dbag::model::Rid::parse(&rid(number));
            let system = dbag::catalog::SystemValues { rid, ..Default::default() };
            change.insert_as(&writer, &system, &row(number))?;
        }
        Ok::<_, CatalogError>(())
    })?;
    Ok(catalog)
}

/// Gives rows all over the table new values.
fn update(catalog: &mut Catalog, rows: u64, count: u64, round: u32) -> Result<(), Failure> {
    catalog.change("dbag bench", |change| {
        let table = change.table("Row")?;
        let writer = change.writer(&table)?;
        for number in (0..count).map(|number| (number * 7919 + u64::from(round)) % rows) {
            change.update(&writer, &rid(number), &row(number + 1 + u64::from(round)))?;
        }
        Ok::<_, CatalogError>(())
    })?;
    Ok(())
}

fn count(catalog: &Catalog, then: Snapshot, rows: u64) -> Result<(), Failure> {
    let (_, tables) = catalog.whole_at(&Moment::Snapshot(then))?;
    let table = tables.iter().find(|table| table.table.table_name == "Row").ok_or("no table")?;
    let mut found = 0;
    catalog.for_each_unsorted(table, |_| {
        found += 1;
        Ok::<_, CatalogError>(())
    })?;
    if found == rows { Ok(()) } else { Err(format!("{found} rows, not {rows}").into()) }
}
