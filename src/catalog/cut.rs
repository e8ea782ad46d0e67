//! The bags that were cut of versions: what is known of each beside the rows.

use super::{Catalog, CatalogError};
use crate::model::Rid;
use crate::version::DatasetVersion;

/// A bag that was cut of a version.
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
        serde_json::from_str(&self.options).is_ok_and(|options| !narrows(&options))
    }
}

/// Whether options of an export leave something out.
fn narrows(options: &serde_json::Value) -> bool {
    let nothing = |value: &serde_json::Value| match value {
        serde_json::Value::Null | serde_json::Value::Bool(false) => true,
        serde_json::Value::Array(values) => values.is_empty(),
        serde_json::Value::String(text) => text.is_empty(),
        _ => false,
    };
    let serde_json::Value::Object(options) = options else { return false };
    options.iter().any(|(key, value)| match key.as_str() {
        "tables" | "exclude" | "max_depth" | "members_only" | "part" => !nothing(value),
        _ => narrows(value),
    })
}

impl Catalog {
    /// The bags that were cut of a version, the newest first.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_no_whole_bag() {
        let whole = |options: &str| {
            let text = String::new;
            let options = options.to_owned();
            CutBag { sha256: text(), content: text(), options, path: None, url: None, minid: None }.is_whole()
        };
        assert!(whole(r#"{"assets":"embed","select":{"tables":[],"max_depth":null}}"#));
        assert!(whole("{}"));
        for part in
            [r#"{"tables":["Image"]}"#, r#"{"select":{"members_only":true}}"#, r#"{"max_depth":3}"#, "?"]
        {
            assert!(!whole(part), "{part}");
        }
    }
}
