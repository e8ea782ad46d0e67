//! `cargo xtask bench catalog`: what the local catalog's past costs.

use std::path::Path;

use super::library;
use super::plot::{Line, svg};

/// Runs `benches/catalog.rs` and draws how a full read grows with what was superseded.
pub fn bench(root: &Path) -> Result<(), String> {
    let points = library("catalog", &root.join("target/bench/catalog"))?;
    let points = points.into_iter().map(|(_, rows, seconds)| (rows, seconds)).collect();
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
