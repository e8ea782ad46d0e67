//! The assets of a version, read out of the rows of its asset tables.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::ExportError;
use crate::bag::{Algorithm, BagPath, Digest};
use crate::model::Table;

/// A file that a version refers to.
#[derive(Debug, Clone)]
pub(super) struct Asset {
    pub(super) table: String,
    pub(super) rid: String,
    pub(super) filename: String,
    /// As the row has it.
    pub(super) url: String,
    pub(super) length: u64,
    pub(super) md5: Option<Digest>,
    pub(super) sha256: Option<Digest>,
}

/// Where an asset table has what tells of its files.
pub(super) struct AssetColumns {
    table: String,
    rid: usize,
    pub(super) url: usize,
    filename: Option<usize>,
    length: Option<usize>,
    md5: Option<usize>,
    sha256: Option<usize>,
}

impl AssetColumns {
    /// The columns of an asset table; `None` for any other.
    pub(super) fn of(table: &Table) -> Option<Self> {
        let at = |name: &str| table.column_definitions.iter().position(|column| column.name == name);
        let (rid, url) = (at("RID")?, at("URL")?);
        table.asset_form()?;
        Some(Self {
            table: table.table_name.clone(),
            rid,
            url,
            filename: at("Filename"),
            length: at("Length"),
            md5: at("MD5"),
            sha256: at("SHA256"),
        })
    }

    /// The asset of a row; `None` for a row that has no URL, and so no file.
    pub(super) fn asset(&self, row: &Row<'_>) -> Result<Option<Asset>, ExportError> {
        let text = |at: Option<usize>| -> Option<String> {
            match row.get_ref(at?).ok()? {
                ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Integer(number) => Some(number.to_string()),
                _ => None,
            }
        };
        let Some(url) = text(Some(self.url)) else { return Ok(None) };
        let rid = text(Some(self.rid)).unwrap_or_default();
        let bad =
            |reason: String| ExportError::BadAsset { table: self.table.clone(), rid: rid.clone(), reason };
        let length = text(self.length).and_then(|length| length.parse().ok());
        let digest = |algorithm: Algorithm, at: Option<usize>| {
            let parsed = text(at).map(|hex| Digest::parse(algorithm, &hex));
            parsed.transpose().map_err(|error| bad(error.to_string()))
        };
        Ok(Some(Asset {
            table: self.table.clone(),
            filename: text(self.filename).filter(|name| !name.is_empty()).unwrap_or_else(|| rid.clone()),
            url,
            length: length.ok_or_else(|| bad("its length is not known".into()))?,
            md5: digest(Algorithm::Md5, self.md5)?,
            sha256: digest(Algorithm::Sha256, self.sha256)?,
            rid,
        }))
    }
}

impl Asset {
    /// Its place in a bag: `data/asset/<RID>/<Table>/<Filename>`.
    pub(super) fn bag_path(&self) -> Result<BagPath, ExportError> {
        let path = format!("data/asset/{}/{}/{}", self.rid, self.table, self.filename);
        BagPath::parse(&path).map_err(|error| self.bad(error.to_string()))
    }

    /// What is known of its bytes.
    pub(super) fn digests(&self) -> Vec<Digest> {
        self.md5.iter().chain(&self.sha256).copied().collect()
    }

    pub(super) fn bad(&self, reason: String) -> ExportError {
        ExportError::BadAsset { table: self.table.clone(), rid: self.rid.clone(), reason }
    }
}
