//! Which files a catalog names, now and in its past.

use std::collections::BTreeMap;

use super::{Checked, index_names};
use crate::catalog::sql::{quoted, sql_names, sqlite};
use crate::catalog::{Catalog, CatalogError};
use crate::model::{Model, Rid, Table};

/// A file that a row names, or named once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedAsset {
    /// SHA-256 in hex, as the row has it.
    pub sha256: String,
    /// Length in octets, if the row has it.
    pub length: Option<u64>,
    /// The row's URL.
    pub url: String,
    /// `schema:Table RID` of the row, or what else names it.
    pub place: String,
    /// Whether the row was made by this catalog, so that it has the bytes.
    pub is_own: bool,
}

impl Catalog {
    /// Tells every file that a row names, now or in the past, as often as rows do.
    pub fn for_each_asset(&mut self, mut each: impl FnMut(NamedAsset)) -> Result<(), CatalogError> {
        let tables = self.asset_tables()?;
        let prefix = self.prefix.clone();
        self.look(|change| {
            let checked = Checked { change, whole: Vec::new(), last: 0 };
            for table in tables.values() {
                if index_names(change, table)?.is_none() {
                    continue;
                }
                let column = |name: &str| match table.column(name) {
                    Some(column) => quoted(&change.aliases.physical(table, column)),
                    None => "NULL".to_owned(),
                };
                let names = [quoted("RID"), column("SHA256"), column("Length"), column("URL")].join(", ");
                let (live, history) = sql_names(table);
                let sql =
                    format!("SELECT {names} FROM main.{live} UNION ALL SELECT {names} FROM main.{history}");
                let fail = |e| sqlite(&change.path, e);
                let mut statement = change.transaction.prepare(&sql).map_err(fail)?;
                let mut rows = statement.query(()).map_err(fail)?;
                while let Some(row) = rows.next().map_err(fail)? {
                    let text = |at| row.get::<_, Option<String>>(at).ok().flatten().unwrap_or_default();
                    let rid = text(0);
                    each(NamedAsset {
                        sha256: text(1),
                        length: row.get::<_, i64>(2).ok().map(i64::unsigned_abs),
                        url: text(3),
                        place: format!("{} {rid}", table.qualified_name()),
                        is_own: Rid::parse(&rid).is_some_and(|rid| prefix.counter(&rid).is_some()),
                    });
                }
            }
            let noted = checked.texts("SELECT md5, sha256, length FROM dbag_object")?;
            for row in noted {
                let [md5, sha256, length] = row.as_slice() else { continue };
                each(NamedAsset {
                    sha256: sha256.clone(),
                    length: length.parse().ok(),
                    url: String::new(),
                    place: format!("the file with MD5 {md5}"),
                    is_own: true,
                });
            }
            Ok(())
        })
    }

    /// Every asset table that any model had, in its last form.
    fn asset_tables(&self) -> Result<BTreeMap<String, Table>, CatalogError> {
        let sql = "SELECT json FROM dbag_model ORDER BY number";
        let mut statement = self.connection.prepare(sql).map_err(|e| self.fail(e))?;
        let mut rows = statement.query(()).map_err(|e| self.fail(e))?;
        let mut tables = BTreeMap::new();
        while let Some(row) = rows.next().map_err(|e| self.fail(e))? {
            let json: String = row.get(0).map_err(|e| self.fail(e))?;
            let model: Model = serde_json::from_str(&json).map_err(|e| CatalogError::Corrupt {
                path: self.path.clone(),
                reason: format!("a model: {e}"),
            })?;
            for table in model.tables().filter(|table| table.is_asset()) {
                tables.insert(table.qualified_name(), table.clone());
            }
        }
        Ok(tables)
    }
}
