//! `cargo xtask bench catalog`: what the local catalog's past costs.

use std::path::Path;

use super::plot::{Line, svg};
use crate::cargo;

/// Runs `benches/catalog.rs` and draws how a full read grows with what was superseded.
pub fn bench(root: &Path) -> Result<(), String> {
    let folder = root.join("target/bench/catalog");
    fs_err::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let mut command = cargo(&["bench", "--quiet", "--bench", "catalog"]);
    let output = command.env("DBAG_BENCH_DIR", &folder).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let mut points = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        match line.strip_prefix("plot ").and_then(|pair| pair.split_once(' ')) {
            Some((rows, seconds)) => points.extend(rows.parse().ok().zip(seconds.parse().ok())),
            None => println!("{line}"),
        }
    }
    let lines = [Line { name: "all rows at an old snapshot".into(), points }];
    let plot = svg(
        "Seconds to read an old snapshot",
        "rows, live and superseded since",
        (1e6, 1e-1),
        (1e7, 1e1),
        &lines,
    );
    fs_err::write(root.join("docs/catalog-history.svg"), plot).map_err(|error| error.to_string())
}
