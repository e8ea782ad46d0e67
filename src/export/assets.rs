//! The assets of a version, read out of the rows of its asset tables.

use rusqlite::types::ValueRef;

use super::ExportError;
use crate::bag::{Algorithm, BagPath, Digest};
use crate::catalog::{Catalog, Row};
use crate::model::Table;
use crate::tabular::Value;

/// A file that a version refers to and whose SHA-256 is known.
#[derive(Debug, Clone)]
pub(super) struct Asset {
    pub(super) table: String,
    pub(super) rid: String,
    pub(super) filename: String,
    pub(super) length: u64,
    pub(super) md5: Option<Digest>,
    pub(super) sha256: Digest,
}

impl Asset {
    /// The asset of a row with all of the table's columns, where its bytes are here or were: the SHA-256 is the row's, or that of the
    /// bytes that came with a row that knows their MD5 only. `None` for a row without a file, and for one whose bytes never came.
    pub(super) fn known(catalog: &Catalog, table: &Table, row: &Row) -> Result<Option<Self>, ExportError> {
        let cell = |at: usize| match row.get(at) {
            Some(Value::Text(text)) => ValueRef::Text(text.as_bytes()),
            Some(Value::Integer(number)) => ValueRef::Integer(*number),
            _ => ValueRef::Null,
        };
        let Some(found) = AssetColumns::of(table).read(table, cell)? else { return Ok(None) };
        let sha256 = match (found.sha256, found.md5) {
            (Some(sha256), _) => Some(sha256),
            (None, Some(md5)) => {
                let digests = catalog.object_digests(Some(&md5.to_string()), None)?;
                digests.and_then(|(_, sha256)| Digest::parse(Algorithm::Sha256, &sha256).ok())
            }
            (None, None) => None,
        };
        Ok(sha256.map(|sha256| found.held(table, sha256)))
    }

    /// Its place in a bag.
    pub(super) fn bag_path(&self) -> Result<BagPath, ExportError> {
        let mut path = String::new();
        push_bag_path(&self.table, &self.rid, &self.filename, &mut path);
        BagPath::parse(&path).map_err(|error| ExportError::BadAsset {
            table: self.table.clone(),
            rid: self.rid.clone(),
            reason: error.to_string(),
        })
    }
}

/// `data/asset/<RID>/<Table>/<Filename>`
pub(super) fn push_bag_path(table: &str, rid: &str, filename: &str, path: &mut String) {
    for part in ["data/asset/", rid, "/", table, "/", filename] {
        path.push_str(part);
    }
}

/// Which columns of a table say what an asset is.
#[derive(Debug, Clone, Copy)]
pub(super) struct AssetColumns {
    rid: Option<usize>,
    filename: Option<usize>,
    length: Option<usize>,
    md5: Option<usize>,
    sha256: Option<usize>,
    pub(super) url: Option<usize>,
}

/// What a row says of its asset.
#[derive(Debug, Clone)]
pub(super) struct AssetRow<'r> {
    pub(super) rid: &'r str,
    pub(super) filename: &'r str,
    pub(super) length: u64,
    pub(super) md5: Option<Digest>,
    pub(super) sha256: Option<Digest>,
    pub(super) url: Option<&'r str>,
}

impl AssetColumns {
    pub(super) fn of(table: &Table) -> Self {
        let at = |name: &str| table.column_definitions.iter().position(|column| column.name == name);
        Self {
            rid: at("RID"),
            filename: at("Filename"),
            length: at("Length"),
            md5: at("MD5"),
            sha256: at("SHA256"),
            url: at("URL"),
        }
    }

    /// What a row says; `None` where it speaks of no file.
    pub(super) fn read<'r>(
        &self,
        table: &Table,
        cell: impl Fn(usize) -> ValueRef<'r>,
    ) -> Result<Option<AssetRow<'r>>, ExportError> {
        let words = |at: Option<usize>| at.map(&cell).and_then(text).filter(|text| !text.is_empty());
        let rid = words(self.rid).unwrap_or_default();
        let url = words(self.url);
        let digest = |algorithm, at| {
            let parse = |text: &str| Digest::parse(algorithm, text);
            words(at).map(parse).transpose().map_err(|error| bad(table, rid, &error.to_string()))
        };
        let (md5, sha256) = (digest(Algorithm::Md5, self.md5)?, digest(Algorithm::Sha256, self.sha256)?);
        if url.is_none() && md5.is_none() && sha256.is_none() {
            return Ok(None);
        }
        let Some(ValueRef::Integer(length)) = self.length.map(&cell) else {
            return Err(bad(table, rid, "its length is not known"));
        };
        let filename = words(self.filename).unwrap_or_default();
        Ok(Some(AssetRow { rid, filename, length: length.unsigned_abs(), md5, sha256, url }))
    }
}

impl AssetRow<'_> {
    /// The asset, with the SHA-256 that its bytes here have.
    pub(super) fn held(&self, table: &Table, sha256: Digest) -> Asset {
        Asset {
            table: table.table_name.clone(),
            rid: self.rid.to_owned(),
            filename: self.filename.to_owned(),
            length: self.length,
            md5: self.md5,
            sha256,
        }
    }
}

fn text(cell: ValueRef<'_>) -> Option<&str> {
    cell.as_str().ok()
}

pub(super) fn bad(table: &Table, rid: &str, reason: &str) -> ExportError {
    ExportError::BadAsset { table: table.table_name.clone(), rid: rid.to_owned(), reason: reason.to_owned() }
}
