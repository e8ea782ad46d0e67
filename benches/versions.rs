//! What versions cost by size: a release, a diff, and an export of assets that are elsewhere. `cargo xtask bench versions`
//! runs this and draws the plot.

#![allow(clippy::print_stdout)]

use std::path::Path;
use std::time::Instant;

use dbag::bag::NoProgress;
use dbag::catalog::{Catalog, CatalogError, Clock, CreateOptions, DatasetRef, SystemValues};
use dbag::export::{ExportOptions, export};
use dbag::model::{Column, ColumnType, Rid, RidPrefix, asset_table};
use dbag::open::Workspace;
use dbag::tabular::Value;
use dbag::version::{Bump, DatasetName, VersionRef};

type Failure = Box<dyn std::error::Error>;

/// Rows that are changed before a release.
const CHANGED: u64 = 1_000;
/// Runs of each, of which the median counts.
const RUNS: usize = 3;

fn main() -> Result<(), Failure> {
    // `cargo test` runs benches too, to see that they work.
    let largest: u64 = if std::env::args().any(|word| word == "--bench") { 1_000_000 } else { 10_000 };
    let folder = tempfile::tempdir_in(std::env::var_os("DBAG_BENCH_DIR").unwrap_or_else(|| ".".into()))?;
    let name: DatasetName = "scans".parse()?;
    println!("| assets | what | rows | median s | rows/s | peak MB |\n|---|---|---|---|---|---|");
    for assets in
        std::iter::successors(Some(1_000), |size| Some(size * 10)).take_while(|size| *size <= largest)
    {
        let root = folder.path().join(assets.to_string());
        let first = filled(&root, &name, assets)?;
        // Opened anew, so that the peak of the making is none of what is measured.
        let mut lab = Workspace::open(&root, Clock::System)?;
        exports(&lab, &root, &first, assets)?;
        releases(&mut lab.catalog, &name, assets)?;
        diffs(&mut lab.catalog, &name, assets)?;
    }
    Ok(())
}

fn exports(lab: &Workspace, root: &Path, reference: &VersionRef, assets: u64) -> Result<(), Failure> {
    let base_url = Some("https://data.example.org/scans".to_owned());
    let output = root.with_extension("zip");
    let options = ExportOptions { base_url, force: true, ..ExportOptions::new(&output) };
    let mut rows = 0;
    let seconds = median(|| {
        let began = Instant::now();
        let report = export(&lab.catalog, &lab.objects, reference, &options, &NoProgress)?;
        rows = report.contents.tables.iter().map(|table| table.rows).sum();
        Ok(began.elapsed().as_secs_f64())
    })?;
    tell(assets, "export, assets elsewhere", rows, seconds);
    Ok(())
}

fn releases(catalog: &mut Catalog, name: &DatasetName, assets: u64) -> Result<(), Failure> {
    let changed = CHANGED.min(assets);
    let mut round = 0;
    let seconds = median(|| {
        round += 1;
        change_rows(catalog, assets, changed, round)?;
        reset_peak();
        let began = Instant::now();
        catalog.release_dataset(name, Bump::Patch, "some rows put right")?;
        Ok(began.elapsed().as_secs_f64())
    })?;
    tell(assets, &format!("release after {changed} changed rows"), changed, seconds);
    Ok(())
}

fn diffs(catalog: &mut Catalog, name: &DatasetName, assets: u64) -> Result<(), Failure> {
    let changed = assets / 100;
    let version = |release: VersionRef| DatasetRef { name: release.name, version: Some(release.version) };
    // Something is changed before, too, so that the first of the two is a version of its own.
    change_rows(catalog, assets, changed, 100)?;
    let from = version(catalog.release_dataset(name, Bump::Minor, "before")?.reference);
    change_rows(catalog, assets, changed, 101)?;
    let to = version(catalog.release_dataset(name, Bump::Minor, "after")?.reference);
    let seconds = median(|| {
        reset_peak();
        let began = Instant::now();
        let found = catalog.diff(&from, &to, None, &mut |_| Ok(()))?;
        let seconds = began.elapsed().as_secs_f64();
        let counted =
            found.tables.iter().find(|table| table.table.ends_with("Scan")).map(|table| table.rows.changed);
        if counted == Some(changed) {
            Ok(seconds)
        } else {
            Err(format!("{counted:?} rows, not {changed}").into())
        }
    })?;
    tell(assets, "diff of two versions, 1 % changed", changed, seconds);
    Ok(())
}

/// A row of the table, and a point of the plot.
fn tell(assets: u64, what: &str, rows: u64, seconds: f64) {
    let peak = peak().map_or_else(|| "?".into(), |octets| format!("{:.0}", octets as f64 / 1e6));
    println!("| {assets} | {what} | {rows} | {seconds:.3} | {:.0} | {peak} |", rows as f64 / seconds);
    let kind = what.split([' ', ',']).next().unwrap_or(what);
    println!("plot {kind} {assets} {seconds}");
}

fn median(mut run: impl FnMut() -> Result<f64, Failure>) -> Result<f64, Failure> {
    reset_peak();
    let mut times = (0..RUNS).map(|_| run()).collect::<Result<Vec<f64>, Failure>>()?;
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// A workspace with a released dataset of so many assets, whose bytes are nowhere.
fn filled(root: &Path, name: &DatasetName, assets: u64) -> Result<VersionRef, Failure> {
    let options = CreateOptions { rid_prefix: Some(prefix()), ..CreateOptions::default() };
    let mut lab = Workspace::init(root, &options)?;
    let sha256 = Column::new("SHA256", ColumnType::new("text"));
    let tables = asset_table("domain", "Scan", &[sha256]);
    let names: Vec<String> = tables[0].own_columns().map(|column| column.name.clone()).collect();
    lab.catalog.change("dbag bench", |change| {
        for table in &tables {
            change.put_table(table.clone())?;
        }
        let writer = change.writer(&tables[0])?;
        for number in 0..assets {
            let system = SystemValues { rid: Rid::parse(&rid(number)), ..SystemValues::default() };
            change.insert_as(&writer, &system, &row(&names, number, 0))?;
        }
        Ok::<_, CatalogError>(())
    })?;
    lab.catalog.create_dataset(name, "")?;
    lab.catalog.add_table_members(name, "Scan", None)?;
    Ok(lab.catalog.release_dataset(name, Bump::Major, "all")?.reference)
}

/// Gives rows all over the table another length.
fn change_rows(catalog: &mut Catalog, assets: u64, count: u64, round: u64) -> Result<(), Failure> {
    catalog.change("dbag bench", |change| {
        let table = change.table("Scan")?;
        let names: Vec<String> = table.own_columns().map(|column| column.name.clone()).collect();
        let writer = change.writer(&table)?;
        for number in (0..count).map(|number| (number * 7919 + round) % assets) {
            change.update(&writer, &rid(number), &row(&names, number, round))?;
        }
        Ok::<_, CatalogError>(())
    })?;
    Ok(())
}

fn row(names: &[String], number: u64, round: u64) -> Vec<Value> {
    // Digits that don't repeat, as digests have them.
    let part = |part: u64| {
        (number * 8 + part + 1)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(29)
            .wrapping_mul(0xBF58_476D_1CE4_E5B9)
    };
    let sha256 = format!("{:016x}{:016x}{:016x}{:016x}", part(2), part(3), part(4), part(5));
    let value = |name: &String| match name.as_str() {
        "URL" => Value::Text(format!("/{}/{sha256}", &sha256[..2])),
        "Filename" => Value::Text(format!("scan-{number:07}.png")),
        "Length" => Value::Integer((100_000 + number % 50_000 + round).cast_signed()),
        "MD5" => Value::Text(format!("{:016x}{:016x}", part(0), part(1))),
        "SHA256" => Value::Text(sha256.clone()),
        _ => Value::Null,
    };
    names.iter().map(value).collect()
}

/// The id of the row of a number: the first ids are those of the catalog's own terms.
fn rid(number: u64) -> String {
    prefix().rid((1 << 20) + number).to_string()
}

fn prefix() -> RidPrefix {
    RidPrefix::from_bits(0x12345)
}

/// Starts anew to watch for the most memory that the process has.
fn reset_peak() {
    let _ = fs_err::write("/proc/self/clear_refs", "5");
}

/// The most memory that it had since, in octets.
fn peak() -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes << 10)
}
