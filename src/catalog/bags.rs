//! What is known beside the numbered rows of the bags of a version: those that were cut, what a release noted, what was withdrawn
//! from it since, and where assets were published. Learning any of it makes no transaction and changes no snapshot.

use rusqlite::OptionalExtension;
use serde::Deserialize;

use super::journal::resolve;
use super::lease::WriterLease;
use super::{Catalog, CatalogError};
use crate::model::{Rid, Snapshot};
use crate::settings::JournalMode;
use crate::version::DatasetVersion;

/// A bag that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BagRecord {
    /// SHA-256 of the archive, in lower-case hex.
    pub sha256: String,
    /// The identity of its content, in lower-case hex.
    pub content: String,
    /// Length in octets.
    pub length: u64,
    /// The dataset.
    pub dataset: Rid,
    /// Its version.
    pub version: DatasetVersion,
    /// How it was cut, as JSON: with the same of the same version the bytes are the same.
    pub options: String,
    /// Where it was written, absolute.
    pub path: String,
    /// When, in microseconds since 1970-01-01T00:00Z.
    pub made: i64,
}

/// What is known of a bag that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutBag {
    /// SHA-256 of its archive, in hex.
    pub sha256: String,
    /// Its content digest, in hex.
    pub content: String,
    /// How it was cut, as JSON.
    pub options: String,
    /// Where it went, absolute.
    pub path: Option<String>,
    /// Where it is published.
    pub url: Option<String>,
    /// Its MINID.
    pub minid: Option<String>,
}

impl CutBag {
    /// Whether it holds all of the version, rather than a part that was asked for.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let options: Option<serde_json::Value> = serde_json::from_str(&self.options).ok();
        options.is_some_and(|options| options["part"].is_null())
    }
}

/// A row that was withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    /// The row.
    pub rid: String,
    /// Its table, as `schema:Table`.
    pub table: String,
    /// The number of the transaction that withdrew it.
    pub number: i64,
    /// The date of that, `YYYY-MM-DD`.
    pub date: String,
    /// Why.
    pub reason: String,
}

#[derive(Deserialize)]
struct Held {
    dataset: String,
    version: String,
}

impl Catalog {
    /// SHA-256 and path of a bag of this version that was cut in the same way, if one is known.
    pub fn known_bag(
        &self,
        dataset: &Rid,
        version: &DatasetVersion,
        options: &str,
    ) -> Result<Option<(String, String)>, CatalogError> {
        let sql = "SELECT sha256, ifnull(path, '') FROM dbag_bag WHERE dataset = ? AND version = ? AND options = ? \
                   ORDER BY made, sha256 LIMIT 1";
        let key = (dataset.as_str(), version.to_string(), options);
        let found = self.connection.query_row(sql, key, |row| Ok((row.get(0)?, row.get(1)?))).optional();
        found.map_err(|e| self.fail(e))
    }

    /// Notes a bag that was cut. What else is known of the same bag stays.
    pub fn record_bag(&self, bag: &BagRecord) -> Result<(), CatalogError> {
        let sql = "INSERT INTO dbag_bag (sha256, content, length, dataset, version, options, path, made) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO UPDATE SET path = excluded.path, \
                   made = excluded.made";
        let BagRecord { sha256, content, length, dataset, version, options, path, made } = bag;
        let is_shared = self.journal.is_some_and(|mode| resolve(mode, &self.path) == JournalMode::Rollback);
        let lease = is_shared
            .then(|| WriterLease::take(&self.path, self.patience, &|text| self.note(text)))
            .transpose()?;
        let row = (
            sha256,
            content,
            length.cast_signed(),
            dataset.as_str(),
            version.to_string(),
            options,
            path,
            made,
        );
        let noted = self.connection.execute(sql, row).map(drop).map_err(|e| self.fail(e));
        drop(lease);
        noted
    }

    /// The bags that were cut of a version, newest first.
    pub fn cut_bags(&self, dataset: &Rid, version: &DatasetVersion) -> Result<Vec<CutBag>, CatalogError> {
        let sql = "SELECT sha256, content, options, path, url, minid FROM dbag_bag \
                   WHERE dataset = ? AND version = ? ORDER BY made DESC, sha256";
        let mut statement = self.connection.prepare(sql).map_err(|e| self.fail(e))?;
        let bags = statement.query_map((dataset.as_str(), version.to_string()), |row| {
            Ok(CutBag {
                sha256: row.get(0)?,
                content: row.get(1)?,
                options: row.get(2)?,
                path: row.get(3)?,
                url: row.get(4)?,
                minid: row.get(5)?,
            })
        });
        bags.and_then(Iterator::collect).map_err(|e| self.fail(e))
    }

    /// The rows that a version held and that were withdrawn since, by their RIDs.
    pub fn withdrawn_from(
        &self,
        dataset: &Rid,
        version: &DatasetVersion,
    ) -> Result<Vec<Withdrawn>, CatalogError> {
        let sql = "SELECT w.rid, w.table_name, w.number, w.reason, t.snapshot, w.held FROM dbag_tombstone w \
                   LEFT JOIN dbag_transaction t ON t.number = w.number ORDER BY w.rid";
        let fail = |e| self.fail(e);
        let mut statement = self.connection.prepare(sql).map_err(fail)?;
        let mut rows = statement.query(()).map_err(fail)?;
        let mut withdrawn = Vec::new();
        while let Some(row) = rows.next().map_err(fail)? {
            let text: String = row.get(5).map_err(fail)?;
            let held: Vec<Held> = serde_json::from_str(&text).map_err(|error| CatalogError::Corrupt {
                path: self.path.clone(),
                reason: format!("which versions held a withdrawn row can't be read: {error}"),
            })?;
            let is_of = |held: &Held| {
                held.dataset == dataset.as_str()
                    && held.version.parse::<DatasetVersion>().is_ok_and(|held| held == *version)
            };
            if !held.iter().any(is_of) {
                continue;
            }
            let cells = (|| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))();
            let (rid, table, number, reason, snapshot): (_, _, _, _, Option<i64>) = cells.map_err(fail)?;
            let date = snapshot.map(|micros| Snapshot::from_micros(micros).date()).unwrap_or_default();
            withdrawn.push(Withdrawn { rid, table, number, date, reason });
        }
        Ok(withdrawn)
    }

    /// Where the bytes with this SHA-256 were published: at the place that is named, by its location or its base URL,
    /// else at the one that was made first.
    pub fn published_at(&self, sha256: &str, place: Option<&str>) -> Result<Option<String>, CatalogError> {
        let sql = "SELECT p.url FROM dbag_published p JOIN dbag_place l ON l.id = p.place \
                   WHERE p.sha256 = ?1 AND p.url LIKE '%://%' AND l.location NOT LIKE 'bag:%' AND (?2 IS NULL OR ?2 IN (l.location, l.base_url)) \
                   ORDER BY l.id LIMIT 1";
        let found = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row((sha256, place), |row| row.get(0)).optional());
        found.map_err(|e| self.fail(e))
    }

    /// The URL by which a bag that was imported refers to a file, by its SHA-256 or MD5 in hex.
    pub fn referred_to(&self, digest: &str) -> Result<Option<String>, CatalogError> {
        let sql = "SELECT p.url FROM dbag_published p JOIN dbag_place l ON l.id = p.place \
                   WHERE p.sha256 = ? AND l.location LIKE 'bag:%' ORDER BY l.id DESC LIMIT 1";
        let statement = self.connection.prepare_cached(sql);
        let found =
            statement.and_then(|mut statement| statement.query_row([digest], |row| row.get(0)).optional());
        found.map_err(|e| self.fail(e))
    }

    /// The places that bytes were published to: location and base URL, oldest first.
    pub fn publishing_places(&self) -> Result<Vec<(String, Option<String>)>, CatalogError> {
        let sql = "SELECT location, base_url FROM dbag_place ORDER BY id";
        let mut statement = self.connection.prepare(sql).map_err(|e| self.fail(e))?;
        let places =
            statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).and_then(Iterator::collect);
        places.map_err(|e| self.fail(e))
    }

    /// The SHA-256 of bytes of the workspace that rows from elsewhere know by their MD5, and the other way round.
    pub fn object_digests(
        &self,
        md5: Option<&str>,
        sha256: Option<&str>,
    ) -> Result<Option<(String, String)>, CatalogError> {
        let column = if md5.is_some() { "md5" } else { "sha256" };
        let sql = format!("SELECT md5, sha256 FROM dbag_object WHERE {column} = ? ORDER BY sha256 LIMIT 1");
        let found = self.connection.prepare_cached(&sql).and_then(|mut statement| {
            statement.query_row([md5.or(sha256)], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        });
        found.map_err(|e| self.fail(e))
    }

    /// Whether a path is that of a file that was imported in place.
    pub fn is_in_place(&self, path: &str) -> Result<bool, CatalogError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM dbag_file WHERE path = ?)";
        self.connection.query_row(sql, [path], |row| row.get(0)).map_err(|e| self.fail(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::CreateOptions;

    #[test]
    fn a_bag_is_known_by_how_it_was_cut_and_no_transaction_tells_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::create(&folder.path().join("c.sqlite"), &CreateOptions::default()).unwrap();
        let count = || -> i64 {
            catalog
                .connection
                .query_row("SELECT count(*) FROM dbag_transaction", (), |row| row.get(0))
                .unwrap()
        };
        let before = count();
        let (dataset, version) = (Rid::parse("1-AB12").unwrap(), "1.0.0".parse().unwrap());
        let mut bag = BagRecord {
            sha256: "ab".into(),
            content: "cd".into(),
            length: 9,
            dataset: dataset.clone(),
            version,
            options: "{}".into(),
            path: "/a.zip".into(),
            made: 1,
        };
        catalog.record_bag(&bag).unwrap();
        bag.path = "/b.zip".into();
        catalog.record_bag(&bag).unwrap();
        let known = |options| catalog.known_bag(&dataset, &bag.version, options).unwrap();
        assert_eq!(known("{}"), Some(("ab".into(), "/b.zip".into())));
        assert_eq!(known("{\"a\":1}"), None);
        assert_eq!(count(), before);
    }

    #[test]
    fn what_is_beside_a_version() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::create(&folder.path().join("c.sqlite"), &CreateOptions::default()).unwrap();
        catalog
            .connection
            .execute_batch(
                "INSERT INTO dbag_tombstone VALUES ('1-X', 'domain:Scan', 1, 'asked for', 'me', \
                 '[{\"dataset\":\"1-AB12\",\"version\":\"1.0.0\"}]'); \
                 INSERT INTO dbag_place VALUES (1, '/srv', 'https://h/a/'), (2, 's3://b', NULL); \
                 INSERT INTO dbag_published VALUES ('ff', 2, 's3://b/ff/ff'), ('ff', 1, 'https://h/a/ff/ff')",
            )
            .unwrap();
        let dataset = Rid::parse("1-AB12").unwrap();
        let withdrawn = |version: &str| catalog.withdrawn_from(&dataset, &version.parse().unwrap()).unwrap();
        assert_eq!(withdrawn("1.0.0")[0].table, "domain:Scan");
        assert!(withdrawn("1.0.1").is_empty());
        let url = |place| catalog.published_at("ff", place).unwrap();
        assert_eq!(url(None).as_deref(), Some("https://h/a/ff/ff"));
        assert_eq!(url(Some("https://h/a/")).as_deref(), Some("https://h/a/ff/ff"));
        assert_eq!(url(Some("s3://b")).as_deref(), Some("s3://b/ff/ff"));
        assert_eq!(url(Some("/other")), None);
    }
}
