//! The rows of a version as CSV, written from SQLite's cells, and the assets that they tell of.

use std::io::Write;

use rusqlite::Row as SqlRow;
use rusqlite::types::ValueRef;

use super::ExportError;
use super::assets::{Asset, AssetColumns, AssetRow, bad, bag_path};
use super::bytes::Bytes;
use super::homes::{Homes, url_cell};
use crate::bag::{
    Algorithm, BagError, BagPath, BagWriter, Compression, Digest, Home, NoProgress, hash_reader,
};
use crate::cache::ObjectStore;
use crate::catalog::{Catalog, TableSelection};
use crate::model::{Storage, Table};
use crate::tabular::{Value, push_field};

/// How many files are named where something is wrong with many.
const NAMED: usize = 10;

/// A table's rows in a bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRows {
    /// The table, as `schema:Table`.
    pub table: String,
    /// How many rows.
    pub rows: u64,
    /// Octets of its CSV.
    pub octets: u64,
}

/// What a bag holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// The tables that have rows.
    pub tables: Vec<TableRows>,
    /// How many assets it has, those to fetch too.
    pub assets: u64,
    /// Octets in them.
    pub asset_bytes: u64,
    /// How many of them are in the bag itself.
    pub embedded: u64,
    /// Octets in these.
    pub embedded_bytes: u64,
}

/// What rows are written to: a bag, or nothing but a count.
pub(super) trait Target {
    fn begin(&mut self, path: &BagPath);
    fn write(&mut self, bytes: &[u8]) -> Result<(), BagError>;
    fn end(&mut self) -> Result<(), BagError>;
    fn remote(
        &mut self,
        path: &BagPath,
        length: u64,
        digests: &[Digest],
        home: Home<'_>,
    ) -> Result<(), BagError>;
}

impl<W: Write> Target for BagWriter<'_, W> {
    fn begin(&mut self, path: &BagPath) {
        self.begin(path, Compression::Deflate);
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BagError> {
        self.write(bytes)
    }

    fn end(&mut self) -> Result<(), BagError> {
        self.end()
    }

    fn remote(
        &mut self,
        path: &BagPath,
        length: u64,
        digests: &[Digest],
        home: Home<'_>,
    ) -> Result<(), BagError> {
        self.add_remote(path, length, digests, home)
    }
}

/// Reads the rows of a version, table by table.
pub(super) struct Rows<'r, T> {
    pub(super) catalog: &'r Catalog,
    pub(super) objects: &'r ObjectStore,
    pub(super) homes: &'r Homes<'r>,
    pub(super) hash_missing: bool,
    pub(super) target: &'r mut T,
    pub(super) contents: Contents,
    /// The assets that are to be in the bag.
    pub(super) embedded: Vec<Asset>,
    /// Of the assets elsewhere, how many have no MD5 and no SHA-256, and which.
    without: [(u64, Vec<String>); 2],
}

impl<'r, T: Target> Rows<'r, T> {
    pub(super) fn new(
        catalog: &'r Catalog,
        objects: &'r ObjectStore,
        homes: &'r Homes<'r>,
        hash_missing: bool,
        target: &'r mut T,
    ) -> Self {
        let (contents, embedded, without) = (Contents::default(), Vec::new(), Default::default());
        Self { catalog, objects, homes, hash_missing, target, contents, embedded, without }
    }

    /// Writes a table's rows; there is no file where it has none.
    pub(super) fn table(&mut self, part: &TableSelection) -> Result<(), ExportError> {
        let table = &part.table;
        let path = format!("data/{}/{}.csv", table.schema_name, table.table_name);
        let path = BagPath::parse(&path).map_err(std::io::Error::other)?;
        let columns = table.is_asset().then(|| AssetColumns::of(table));
        let storage: Vec<Storage> =
            table.column_definitions.iter().map(|column| column.column_type.storage()).collect();
        let mut found = TableRows { table: table.qualified_name(), rows: 0, octets: 0 };
        let (mut line, mut url) = (Vec::new(), String::new());
        let catalog = self.catalog;
        catalog.for_each_cells(part, |row| {
            if found.rows == 0 {
                self.target.begin(&path);
                header(table, &mut line);
                self.target.write(&line)?;
                found.octets += line.len() as u64;
            }
            let cell = |at: usize| row.get_ref(at).unwrap_or(ValueRef::Null);
            let asset = columns.map(|columns| columns.read(table, cell)).transpose()?.flatten();
            let url_at = match &asset {
                Some(asset) if self.asset(table, asset, &mut url)? => columns.and_then(|columns| columns.url),
                _ => None,
            };
            line.clear();
            cells(row, &storage, url_at.map(|at| (at, url.as_str())), &mut line);
            found.rows += 1;
            found.octets += line.len() as u64;
            Ok::<_, ExportError>(self.target.write(&line)?)
        })?;
        if found.rows > 0 {
            self.target.end()?;
            self.contents.tables.push(found);
        }
        Ok(())
    }

    /// Notes the asset of a row. Whether the row's URL is another one in the bag, which `url` then says.
    fn asset(&mut self, table: &Table, asset: &AssetRow<'_>, url: &mut String) -> Result<bool, ExportError> {
        let homes = self.homes;
        let home = homes.find(&table.table_name, asset)?;
        self.contents.assets += 1;
        self.contents.asset_bytes += asset.length;
        match home.home() {
            None => {
                self.contents.embedded += 1;
                self.contents.embedded_bytes += asset.length;
                let sha256 = self.digest_here(asset)?.ok_or_else(|| ExportError::Elsewhere {
                    table: table.table_name.clone(),
                    rid: asset.rid.to_owned(),
                    filename: asset.filename.to_owned(),
                })?;
                self.embedded.push(asset.held(table, sha256));
            }
            Some(place) => {
                let path = bag_path(&table.table_name, asset.rid, asset.filename)?;
                let mut digests = [asset.md5, asset.sha256];
                if self.hash_missing && digests.contains(&None) {
                    digests = self.hash(table, asset)?.unwrap_or(digests);
                }
                for (digest, (count, names)) in digests.iter().zip(&mut self.without) {
                    if digest.is_none() {
                        *count += 1;
                        if names.len() < NAMED {
                            names.push(format!("{} {}", table.table_name, asset.rid));
                        }
                    }
                }
                let known: Vec<Digest> = digests.into_iter().flatten().collect();
                if known.is_empty() {
                    return Err(bad(table, asset.rid, "neither its MD5 nor its SHA-256 is known"));
                }
                self.target.remote(&path, asset.length, &known, place)?;
            }
        }
        Ok(url_cell(&home, asset.sha256.as_ref(), url))
    }

    /// The SHA-256 of an asset whose bytes may be here; of one that is known by its MD5 alone, if they are.
    fn digest_here(&self, asset: &AssetRow<'_>) -> Result<Option<Digest>, ExportError> {
        if asset.sha256.is_some() {
            return Ok(asset.sha256);
        }
        let Some(md5) = asset.md5 else { return Ok(None) };
        let known = self.catalog.object_digests(Some(&md5.to_string()), None)?;
        Ok(known.and_then(|(_, sha256)| Digest::parse(Algorithm::Sha256, &sha256).ok()))
    }

    /// Both digests of an asset whose bytes are here.
    fn hash(&self, table: &Table, asset: &AssetRow<'_>) -> Result<Option<[Option<Digest>; 2]>, ExportError> {
        let Some(sha256) = self.digest_here(asset)? else { return Ok(None) };
        let held = asset.held(table, sha256);
        let bytes = match Bytes::find(self.catalog, self.objects, &held) {
            Err(ExportError::BytesGone { .. }) => return Ok(None),
            other => other?,
        };
        let mut file = fs_err::File::open(&bytes.path)?;
        let both = [Algorithm::Md5, Algorithm::Sha256];
        let (length, digests) = hash_reader(&mut file, &both, &mut vec![0; 1 << 20], &NoProgress)?;
        let is_right = length == held.length
            && digests.contains(&sha256)
            && held.md5.is_none_or(|md5| digests.contains(&md5));
        if is_right { Ok(Some([Some(digests[0]), Some(digests[1])])) } else { Err(bytes.wrong(&held)) }
    }

    /// Refuses assets of which no manifest could list all.
    pub(super) fn check_digests(&self) -> Result<(), ExportError> {
        let [md5, sha256] = &self.without;
        if md5.0 == 0 || sha256.0 == 0 {
            return Ok(());
        }
        let names = |(count, names): &(u64, Vec<String>)| {
            let more = if *count > names.len() as u64 { ", …" } else { "" };
            format!("{}{more}", names.join(", "))
        };
        Err(ExportError::MixedDigests {
            without_md5: md5.0,
            md5_of: names(md5),
            without_sha256: sha256.0,
            sha256_of: names(sha256),
        })
    }
}

fn header(table: &Table, line: &mut Vec<u8>) {
    line.clear();
    for (at, column) in table.column_definitions.iter().enumerate() {
        if at > 0 {
            line.push(b',');
        }
        push_field(column.name.as_bytes(), line);
    }
    line.push(b'\n');
}

/// A row as a line of CSV. One cell may say something else than the catalog does.
fn cells(row: &SqlRow<'_>, storage: &[Storage], other: Option<(usize, &str)>, line: &mut Vec<u8>) {
    for (at, storage) in storage.iter().enumerate() {
        if at > 0 {
            line.push(b',');
        }
        match row.get_ref(at).unwrap_or(ValueRef::Null) {
            _ if other.is_some_and(|(other, _)| other == at) => {
                push_field(other.map_or("", |(_, text)| text).as_bytes(), line);
            }
            ValueRef::Null => {}
            ValueRef::Text(text) | ValueRef::Blob(text) => match std::str::from_utf8(text) {
                Ok(_) => push_field(text, line),
                Err(_) => push_field(String::from_utf8_lossy(text).as_bytes(), line),
            },
            ValueRef::Integer(value) if *storage == Storage::Boolean => {
                line.push(if value == 0 { b'f' } else { b't' });
            }
            ValueRef::Integer(value) => push_integer(value, line),
            ValueRef::Real(value) => {
                if let Some(text) = Value::Float(value).to_text() {
                    push_field(text.as_bytes(), line);
                }
            }
        }
    }
    line.push(b'\n');
}

fn push_integer(value: i64, line: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let (mut at, mut left) = (digits.len(), value.unsigned_abs());
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(left % 10).unwrap_or_default();
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if value < 0 {
        line.push(b'-');
    }
    line.extend(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_are_written_as_they_are(value: i64) {
            let mut line = Vec::new();
            push_integer(value, &mut line);
            prop_assert_eq!(String::from_utf8(line).unwrap(), value.to_string());
        }
    }
}
