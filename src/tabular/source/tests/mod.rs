//! Files of every format, whole and broken, as rows.

mod broken;
mod parquet;
mod text;

use std::path::Path;

use super::{Cell, SourceError, SourceOptions, open_source};

/// All rows of a file, the columns and their types first: cells joined by `|`, NULL as `∅`.
fn read_path(path: &Path, options: SourceOptions) -> Result<Vec<String>, SourceError> {
    let mut source = open_source(path, options, &mut |_| true)?;
    let typename = |column: &super::SourceColumn| {
        let known = column.column_type.as_ref().map(|known| format!(":{}", known.typename));
        format!("{}{}", column.name, known.unwrap_or_default())
    };
    let mut rows = vec![source.columns().iter().map(typename).collect::<Vec<_>>().join("|")];
    while source.next()? {
        let cell = |index| match source.cell(index) {
            Cell::Null => "∅".to_owned(),
            cell => cell.text().unwrap_or_default().into_owned(),
        };
        rows.push((0..source.columns().len()).map(cell).collect::<Vec<_>>().join("|"));
    }
    Ok(rows)
}

/// The same of bytes under a file name.
fn read(name: &str, bytes: &[u8]) -> Result<Vec<String>, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, bytes).unwrap();
    read_path(&path, SourceOptions::default())
}

fn error(name: &str, bytes: &[u8]) -> String {
    read(name, bytes).unwrap_err().to_string()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}
