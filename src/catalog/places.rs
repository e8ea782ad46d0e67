//! Where asset bytes are published: beside the versioned rows, so that learning it changes no version.

use super::{Catalog, CatalogError, Change};

/// A place where assets are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its number.
    pub id: i64,
    /// A folder's path, `s3://bucket/prefix`, or the URL of a Hatrac namespace; of what came with bags, `bag:` and the host.
    pub location: String,
    /// The URL under which others see it, ending in `/`.
    pub base_url: Option<String>,
}

impl Place {
    /// Whether it is called so: by its location or its URL, with or without a slash at the end.
    #[must_use]
    pub fn is_called(&self, text: &str) -> bool {
        let same = |name: &str| name.trim_end_matches('/') == text.trim_end_matches('/');
        same(&self.location) || self.base_url.as_deref().is_some_and(same)
    }
}

impl Catalog {
    /// The places where assets were published, oldest first.
    pub fn places(&self) -> Result<Vec<Place>, CatalogError> {
        let sql = "SELECT id, location, base_url FROM dbag_place ORDER BY id";
        let mut statement = self.connection.prepare(sql).map_err(|e| self.fail(e))?;
        let rows = statement
            .query_map((), |row| Ok(Place { id: row.get(0)?, location: row.get(1)?, base_url: row.get(2)? }));
        rows.and_then(Iterator::collect).map_err(|e| self.fail(e))
    }

    /// The place of a location, made where it is new. A URL that is said now replaces the one from before.
    pub fn place(&mut self, location: &str, base_url: Option<&str>) -> Result<Place, CatalogError> {
        let sql = "INSERT INTO dbag_place (location, base_url) VALUES (?1, ?2) ON CONFLICT (location) \
                   DO UPDATE SET base_url = ifnull(?2, base_url) RETURNING id, location, base_url";
        let made = self.connection.query_row(sql, (location, base_url), |row| {
            Ok(Place { id: row.get(0)?, location: row.get(1)?, base_url: row.get(2)? })
        });
        made.map_err(|e| self.fail(e))
    }

    /// Notes files that are at a place: their digests in hex, and their URLs. All of them or none.
    pub fn record_published(
        &mut self,
        place: i64,
        files: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), CatalogError> {
        let path = self.path.clone();
        let fail = |e| super::sql::sqlite(&path, e);
        let transaction = self.connection.transaction().map_err(fail)?;
        {
            let sql = "INSERT OR REPLACE INTO dbag_published (sha256, place, url) VALUES (?, ?, ?)";
            let mut insert = transaction.prepare_cached(sql).map_err(fail)?;
            for (digest, url) in files {
                insert.execute((digest, place, url)).map_err(fail)?;
            }
        }
        transaction.commit().map_err(fail)
    }

    /// Forgets a file that a place has lost.
    pub fn forget_published(&mut self, place: i64, digest: &str) -> Result<(), CatalogError> {
        let sql = "DELETE FROM dbag_published WHERE sha256 = ? AND place = ?";
        self.connection.execute(sql, (digest, place)).map(drop).map_err(|e| self.fail(e))
    }
}

impl Change<'_> {
    /// Notes by which URLs a bag that is merged refers to files: their digests in hex (the SHA-256, else the MD5), and the URLs.
    pub fn note_references(
        &mut self,
        location: &str,
        files: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), CatalogError> {
        let path = self.path.clone();
        let fail = |e| super::sql::sqlite(&path, e);
        let sql = "INSERT INTO dbag_place (location) VALUES (?1) ON CONFLICT (location) DO UPDATE SET location = ?1 \
                   RETURNING id";
        let mut place: Option<i64> = None;
        let transaction = self.transaction();
        let mut insert = transaction
            .prepare_cached("INSERT OR REPLACE INTO dbag_published (sha256, place, url) VALUES (?, ?, ?)")
            .map_err(fail)?;
        for (digest, url) in files {
            let id = match place {
                Some(id) => id,
                None => transaction.query_row(sql, [location], |row| row.get(0)).map_err(fail)?,
            };
            place = Some(id);
            insert.execute((digest, id, url)).map_err(fail)?;
        }
        Ok(())
    }
}
