//! The bags that were cut of versions, beside the versioned rows.

use rusqlite::OptionalExtension;

use super::{Catalog, CatalogError};
use crate::model::Rid;
use crate::version::DatasetVersion;

/// A bag that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutBag {
    /// SHA-256 of the archive, in hex.
    pub sha256: String,
    /// The identity of its payload, in hex.
    pub content: String,
    /// Octets of the archive.
    pub length: u64,
    /// The dataset's RID.
    pub dataset: String,
    /// The version's label.
    pub version: String,
    /// How it was cut, as a JSON document.
    pub options: String,
    /// Where it was written to.
    pub path: Option<String>,
    /// Where it was published.
    pub url: Option<String>,
    /// Its identifier.
    pub minid: Option<String>,
    /// When, in microseconds since 1970-01-01T00:00Z.
    pub made: i64,
}

impl CutBag {
    /// Whether it holds all of the version, rather than a part that was asked for.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let options: Option<serde_json::Value> = serde_json::from_str(&self.options).ok();
        options.is_some_and(|options| options["part"].is_null())
    }
}

const COLUMNS: &str = "sha256, content, length, dataset, version, options, path, url, minid, made";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<CutBag> {
    Ok(CutBag {
        sha256: row.get(0)?,
        content: row.get(1)?,
        length: row.get::<_, i64>(2)?.unsigned_abs(),
        dataset: row.get(3)?,
        version: row.get(4)?,
        options: row.get(5)?,
        path: row.get(6)?,
        url: row.get(7)?,
        minid: row.get(8)?,
        made: row.get(9)?,
    })
}

impl Catalog {
    /// Notes a bag. What was known of the same bytes stays where nothing new is said.
    pub fn record_bag(&self, bag: &CutBag) -> Result<(), CatalogError> {
        let sql = format!(
            "INSERT INTO dbag_bag ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (sha256) DO UPDATE \
             SET path = ifnull(?7, path), url = ifnull(?8, url), minid = ifnull(?9, minid), made = ?10"
        );
        let CutBag { sha256, content, length, dataset, version, options, path, url, minid, made } = bag;
        let values =
            (sha256, content, length.cast_signed(), dataset, version, options, path, url, minid, made);
        self.connection.execute(&sql, values).map(drop).map_err(|e| self.fail(e))
    }

    /// The bags that were cut of a version, newest first.
    pub fn cut_bags(&self, dataset: &Rid, version: &DatasetVersion) -> Result<Vec<CutBag>, CatalogError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM dbag_bag WHERE dataset = ? AND version = ? ORDER BY made DESC, sha256"
        );
        let mut statement = self.connection.prepare(&sql).map_err(|e| self.fail(e))?;
        let rows = statement.query_map((dataset.as_str(), version.to_string()), read);
        rows.and_then(Iterator::collect).map_err(|e| self.fail(e))
    }

    /// The bag with this archive digest.
    pub fn bag(&self, sha256: &str) -> Result<Option<CutBag>, CatalogError> {
        let sql = format!("SELECT {COLUMNS} FROM dbag_bag WHERE sha256 = ?");
        self.connection.query_row(&sql, [sha256], read).optional().map_err(|e| self.fail(e))
    }
}
