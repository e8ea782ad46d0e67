//! The assets of a version, read out of its asset tables.

use super::ExportError;
use crate::bag::{Algorithm, BagPath, Digest};
use crate::catalog::Row;
use crate::model::Table;
use crate::tabular::Value;

/// A file that a version refers to.
#[derive(Debug, Clone)]
pub(super) struct Asset {
    pub(super) table: String,
    pub(super) rid: String,
    pub(super) filename: String,
    pub(super) length: u64,
    pub(super) md5: Digest,
    pub(super) sha256: Digest,
}

impl Asset {
    /// The asset of a row with all of the table's columns.
    pub(super) fn from_row(table: &Table, row: &Row) -> Result<Self, ExportError> {
        let cell = |name: &str| {
            let at = table.column_definitions.iter().position(|column| column.name == name);
            at.and_then(|at| row.get(at)).unwrap_or(&Value::Null)
        };
        let text = |name: &str| cell(name).to_text().unwrap_or_default().into_owned();
        let rid = text("RID");
        let bad = |reason: String| ExportError::BadAsset {
            table: table.table_name.clone(),
            rid: rid.clone(),
            reason,
        };
        let Value::Integer(length) = cell("Length") else {
            return Err(bad("its length is not known".into()));
        };
        Ok(Self {
            table: table.table_name.clone(),
            filename: text("Filename"),
            length: length.unsigned_abs(),
            md5: Digest::parse(Algorithm::Md5, &text("MD5")).map_err(|error| bad(error.to_string()))?,
            sha256: Digest::parse(Algorithm::Sha256, &text("SHA256"))
                .map_err(|error| bad(error.to_string()))?,
            rid,
        })
    }

    /// Its place in a bag: `data/asset/<RID>/<Table>/<Filename>`.
    pub(super) fn bag_path(&self) -> Result<BagPath, ExportError> {
        let path = format!("data/asset/{}/{}/{}", self.rid, self.table, self.filename);
        BagPath::parse(&path).map_err(|error| ExportError::BadAsset {
            table: self.table.clone(),
            rid: self.rid.clone(),
            reason: error.to_string(),
        })
    }
}
