//! How fast a version is exported whose assets are elsewhere, and with how much memory. `cargo bench --bench export`

#![allow(clippy::print_stdout)]

use std::path::Path;
use std::time::Instant;

use dbag::bag::NoProgress;
use dbag::catalog::{Catalog, CatalogError};
use dbag::export::{ExportOptions, export};
use dbag::model::{Column, ColumnType, asset_table};
use dbag::open::Workspace;
use dbag::tabular::Value;
use dbag::version::{Bump, VersionRef};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    // `cargo test` runs benches too, to see that they work.
    let largest: u64 = if std::env::args().any(|word| word == "--bench") { 1_000_000 } else { 10_000 };
    let folder = tempfile::tempdir_in(std::env::var_os("DBAG_BENCH_DIR").unwrap_or_else(|| ".".into()))?;
    println!("| assets | rows | seconds | rows/s | MB | peak MB |\n|---|---|---|---|---|---|");
    for assets in [largest / 100, largest / 10, largest] {
        let root = folder.path().join(assets.to_string());
        let (reference, lab) = filled(&root, assets)?;
        let base_url = Some("https://data.example.org/scans".to_owned());
        let options = ExportOptions { base_url, ..ExportOptions::new(&root.join("scans.zip")) };
        reset_peak();
        let began = Instant::now();
        let report = export(&lab.catalog, &lab.objects, &reference, &options, &NoProgress)?;
        let seconds = began.elapsed().as_secs_f64();
        let rows: u64 = report.contents.tables.iter().map(|table| table.rows).sum();
        println!(
            "| {assets} | {rows} | {seconds:.2} | {:.0} | {:.0} | {} |",
            rows as f64 / seconds,
            report.bag.length as f64 / 1e6,
            peak().map_or_else(|| "?".into(), |octets| format!("{:.0}", octets as f64 / 1e6)),
        );
    }
    Ok(())
}

/// A workspace with a released dataset of so many assets, whose bytes are nowhere.
fn filled(root: &Path, assets: u64) -> Result<(VersionRef, Workspace), Failure> {
    let mut lab = Workspace::init(root, &dbag::catalog::CreateOptions::default())?;
    fill(&mut lab.catalog, assets)?;
    let name = "scans".parse()?;
    lab.catalog.create_dataset(&name, "")?;
    lab.catalog.add_table_members(&name, "Scan", None)?;
    let release = lab.catalog.release_dataset(&name, Bump::Major, "all")?;
    // The peak of the making is none of the export's.
    drop(lab);
    Ok((release.reference, Workspace::open(root, dbag::catalog::Clock::System)?))
}

fn fill(catalog: &mut Catalog, assets: u64) -> Result<(), Failure> {
    let sha256 = Column::new("SHA256", ColumnType::new("text"));
    let tables = asset_table("domain", "Scan", &[sha256]);
    catalog.change("dbag bench", |change| {
        for table in &tables {
            change.put_table(table.clone())?;
        }
        let writer = change.writer(&tables[0])?;
        let names: Vec<String> = tables[0].own_columns().map(|column| column.name.clone()).collect();
        for number in 0..assets {
            // Digits that don't repeat, as digests have them.
            let part = |round: u64| {
                (number * 8 + round + 1)
                    .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                    .rotate_left(29)
                    .wrapping_mul(0xBF58_476D_1CE4_E5B9)
            };
            let md5 = format!("{:016x}{:016x}", part(0), part(1));
            let sha256 = format!("{:016x}{:016x}{:016x}{:016x}", part(2), part(3), part(4), part(5));
            let value = |name: &String| match name.as_str() {
                "URL" => Value::Text(format!("/{}/{sha256}", &sha256[..2])),
                "Filename" => Value::Text(format!("scan-{number:07}.png")),
                "Length" => Value::Integer(100_000 + (number % 50_000).cast_signed()),
                "MD5" => Value::Text(md5.clone()),
                "SHA256" => Value::Text(sha256.clone()),
                _ => Value::Null,
            };
            let values: Vec<Value> = names.iter().map(value).collect();
            change.insert(&writer, &values)?;
        }
        Ok::<_, CatalogError>(())
    })?;
    Ok(())
}

/// Starts anew to watch for the most memory that the process has.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that it had since, in octets.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes << 10)
}
