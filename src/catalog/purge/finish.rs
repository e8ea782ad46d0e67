//! The end of a purge: what the catalog's file still holds in pages that are free, overwritten.

use rusqlite::OptionalExtension;

use super::super::{Catalog, CatalogError};
use crate::bag::{Algorithm, Digest};

impl Catalog {
    /// Files that a purge has still to delete; `None` where no purge is under way.
    pub fn pending_purge(&self) -> Result<Option<Vec<Digest>>, CatalogError> {
        let sql = "SELECT value FROM dbag_meta WHERE key = 'purge'";
        let found: Option<String> =
            self.connection.query_row(sql, (), |row| row.get(0)).optional().map_err(|e| self.fail(e))?;
        let Some(json) = found else { return Ok(None) };
        let objects: Vec<String> = serde_json::from_str(&json).unwrap_or_default();
        // A file that a row names again since is that row's.
        let mut pending = Vec::new();
        for digest in objects.iter().filter_map(|hex| Digest::parse(Algorithm::Sha256, hex).ok()) {
            if !self.is_named(&digest)? {
                pending.push(digest);
            }
        }
        Ok(Some(pending))
    }

    fn is_named(&self, digest: &Digest) -> Result<bool, CatalogError> {
        for table in self.model()?.tables().filter(|table| table.column("SHA256").is_some()) {
            let (live, history) = super::super::sql::sql_names(table);
            for rows in [live, history] {
                let sql = format!("SELECT EXISTS (SELECT 1 FROM main.{rows} WHERE \"SHA256\" = ?)");
                let found: bool = self
                    .connection
                    .query_row(&sql, [digest.to_string()], |row| row.get(0))
                    .map_err(|e| self.fail(e))?;
                if found {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Ends a purge whose files are deleted: rewrites the catalog's file, so that no page of it holds what was erased.
    pub fn finish_purge(&mut self) -> Result<(), CatalogError> {
        let checkpoint = |catalog: &Self| {
            catalog
                .connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
                .map_err(|e| catalog.fail(e))
        };
        checkpoint(self)?;
        self.connection.execute_batch("VACUUM").map_err(|e| self.fail(e))?;
        let sql = "DELETE FROM dbag_meta WHERE key = 'purge'";
        self.connection.execute(sql, ()).map_err(|e| self.fail(e))?;
        checkpoint(self)
    }
}
