//! Foreign keys: checked for what a change has touched, at its end, so that rows may come in any order.

use super::Change;
use crate::catalog::CatalogError;
use crate::catalog::sql::{quoted, sql_names};
use crate::model::{ForeignKey, Table};

/// A foreign key with both of its tables, as SQL sees them.
struct Reference<'m> {
    from: &'m Table,
    to: &'m Table,
    key: &'m ForeignKey,
    /// Pairs of physical columns: the referring one, and the one referred to.
    columns: Vec<(String, String)>,
}

impl Reference<'_> {
    /// The SQL by which a row of one alias refers to one of the other.
    fn equal(&self, from: &str, to: &str) -> String {
        let pairs = self.columns.iter().map(|(ours, theirs)| format!("{from}.{ours} = {to}.{theirs}"));
        pairs.collect::<Vec<_>>().join(" AND ")
    }

    /// The SQL by which a row `f` refers to nothing.
    fn dangles(&self) -> String {
        let (to, _) = sql_names(self.to);
        let set: Vec<String> = self.columns.iter().map(|(ours, _)| format!("f.{ours} IS NOT NULL")).collect();
        let set = set.join(" AND ");
        format!("{set} AND NOT EXISTS (SELECT 1 FROM main.{to} t WHERE {})", self.equal("f", "t"))
    }
}

impl Change<'_> {
    /// Refuses references that this change has left without a row, at either end.
    pub(super) fn check_references(&self) -> Result<(), CatalogError> {
        for reference in self.references() {
            if self.touched.contains(&reference.from.qualified_name()) {
                self.check_new(&reference)?;
            }
            if self.touched.contains(&reference.to.qualified_name()) {
                self.check_gone(&reference)?;
            }
        }
        Ok(())
    }

    /// The foreign keys whose tables and columns are all there.
    fn references(&self) -> Vec<Reference<'_>> {
        let all =
            self.model.tables().flat_map(|table| table.foreign_keys.iter().map(move |key| (table, key)));
        all.filter_map(|(from, key)| self.reference(from, key)).collect()
    }

    fn reference<'m>(&'m self, from: &'m Table, key: &'m ForeignKey) -> Option<Reference<'m>> {
        let first = key.referenced_columns.first()?;
        let to = self.model.table(&first.schema_name, &first.table_name)?;
        let pairs = key.foreign_key_columns.iter().zip(&key.referenced_columns);
        let columns: Option<Vec<(String, String)>> = pairs
            .map(|(ours, theirs)| {
                let ours = self.aliases.physical(from, from.column(&ours.column_name)?);
                let theirs = self.aliases.physical(to, to.column(&theirs.column_name)?);
                Some((quoted(&ours), quoted(&theirs)))
            })
            .collect();
        columns.filter(|columns| !columns.is_empty()).map(|columns| Reference { from, to, key, columns })
    }

    /// Rows of this change that refer to nothing.
    fn check_new(&self, reference: &Reference<'_>) -> Result<(), CatalogError> {
        let (from, _) = sql_names(reference.from);
        let sql = format!(
            "SELECT f.\"RID\", CAST(f.{} AS TEXT) FROM main.{from} f WHERE f.\"dbag:from\" = {} AND {} LIMIT 1",
            reference.columns[0].0,
            self.number,
            reference.dangles()
        );
        match self.pair(&sql)? {
            None => Ok(()),
            Some((rid, value)) => Err(CatalogError::Dangling {
                table: reference.from.table_name.clone(),
                rid,
                what: format!("{value:?} by {}", columns_of(reference.key)),
                other: reference.to.table_name.clone(),
            }),
        }
    }

    /// Rows that refer to what this change has taken away.
    fn check_gone(&self, reference: &Reference<'_>) -> Result<(), CatalogError> {
        let ((from, _), (to, past)) = (sql_names(reference.from), sql_names(reference.to));
        let there: Vec<String> =
            reference.columns.iter().map(|(_, theirs)| format!("t.{theirs} = h.{theirs}")).collect();
        let sql = format!(
            "SELECT h.\"RID\", f.\"RID\" FROM main.{past} h JOIN main.{from} f ON {} WHERE h.\"dbag:to\" = {} \
             AND NOT EXISTS (SELECT 1 FROM main.{to} t WHERE {}) LIMIT 1",
            reference.equal("f", "h"),
            self.number,
            there.join(" AND ")
        );
        match self.pair(&sql)? {
            None => Ok(()),
            Some((rid, by)) => Err(CatalogError::StillReferred {
                table: reference.to.table_name.clone(),
                rid,
                other: reference.from.table_name.clone(),
                by,
            }),
        }
    }

    /// For each foreign key, `schema:Table.column` and the SQL that counts the rows that refer to nothing.
    pub(in crate::catalog) fn dangling_counts(&self) -> Vec<(String, String)> {
        let count = |reference: &Reference<'_>| {
            let (from, _) = sql_names(reference.from);
            let sql = format!("SELECT count(*) FROM main.{from} f WHERE {}", reference.dangles());
            (format!("{}.{}", reference.from.qualified_name(), columns_of(reference.key)), sql)
        };
        self.references().iter().map(count).collect()
    }

    fn pair(&self, sql: &str) -> Result<Option<(String, String)>, CatalogError> {
        use rusqlite::OptionalExtension;
        let found = self.transaction.query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?))).optional();
        found.map_err(|e| self.fail(e))
    }

    /// Whether rows of other tables go with a table's.
    pub(in crate::catalog) fn has_dependents(&self, table: &Table) -> bool {
        let name = table.qualified_name();
        let cascades = |reference: &Reference<'_>| reference.key.on_delete == "CASCADE";
        self.references().iter().any(|reference| reference.to.qualified_name() == name && cascades(reference))
    }

    /// The rows that go with a row: table and id.
    pub(in crate::catalog) fn dependents(
        &self,
        table: &Table,
        rid: &str,
    ) -> Result<Vec<(Table, String)>, CatalogError> {
        let mut dependents = Vec::new();
        let cascades = |key: &&ForeignKey| {
            key.on_delete == "CASCADE" && key.refers_to(&table.schema_name, &table.table_name)
        };
        let keys = self.model.tables().flat_map(|from| {
            from.foreign_keys.iter().filter(cascades).filter_map(|key| self.reference(from, key))
        });
        for reference in keys {
            let ((from, _), (to, _)) = (sql_names(reference.from), sql_names(reference.to));
            let sql = format!(
                "SELECT f.\"RID\" FROM main.{to} t JOIN main.{from} f ON {} WHERE t.\"RID\" = ?",
                reference.equal("f", "t")
            );
            let mut statement = self.transaction.prepare_cached(&sql).map_err(|e| self.fail(e))?;
            let rids = statement.query_map([rid], |row| row.get::<_, String>(0)).and_then(Iterator::collect);
            let rids: Vec<String> = rids.map_err(|e| self.fail(e))?;
            dependents.extend(rids.into_iter().map(|rid| (reference.from.clone(), rid)));
        }
        Ok(dependents)
    }
}

fn columns_of(key: &ForeignKey) -> String {
    key.foreign_key_columns.iter().map(|column| column.column_name.as_str()).collect::<Vec<_>>().join(", ")
}
