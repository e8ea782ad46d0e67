//! The members of datasets: added, removed, listed.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{OptionalExtension, params_from_iter};

use super::super::selection::{member_rids, memberships};
use super::super::sql::{find_table, quoted, sql_names};
use super::super::{Catalog, CatalogError, Change};
use super::{DatasetRef, View};
use crate::model::{DERIVA_ML, Model, Rid, Table, membership_table};
use crate::tabular::Value;
use crate::version::DatasetName;

/// Which rows are meant.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    /// Those with these RIDs; a dataset's RID means that dataset, nested.
    Rids(&'a [String]),
    /// Those of these tables, all or where an SQL condition holds.
    Of(&'a [String], Option<&'a str>),
}

/// A member of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The dataset that it is a member of: its name, else its RID.
    pub dataset: String,
    /// Its table.
    pub table: String,
    /// Its RID.
    pub rid: String,
}

impl Rows<'_> {
    fn command(&self, verb: &str, name: &DatasetName) -> String {
        let mut words = format!("dbag dataset {verb} {name}");
        match self {
            Self::Rids(rids) => {
                // A long list would be all there is to see of a long history.
                words.extend(rids.iter().take(10).map(|rid| format!(" {rid}")));
                if rids.len() > 10 {
                    words.push_str(&format!(" … ({} rows)", rids.len()));
                }
            }
            Self::Of(tables, condition) => {
                words.extend(tables.iter().map(|table| format!(" --table {table}")));
                words.extend(condition.map(|condition| format!(" --where {condition:?}")));
            }
        }
        words
    }
}

impl Catalog {
    /// Makes rows members. Returns how many are new and how many were members before.
    pub fn add_rows(&mut self, name: &DatasetName, rows: Rows<'_>) -> Result<(u64, u64), CatalogError> {
        let schema = self.domain_schema().to_owned();
        self.change(&rows.command("add", name), |change| {
            let dataset = change.view().living(name)?;
            let (mut added, mut asked) = (0, 0);
            for (table, rids) in change.rows(rows)? {
                asked += rids.len() as u64;
                added += change.add_members(&schema, &dataset, &table, &rids)?;
            }
            Ok((added, asked - added))
        })
    }

    /// Makes rows members no more; they stay in their tables, and in the versions that they are in. Returns how many were
    /// removed and how many were no members.
    pub fn remove_rows(&mut self, name: &DatasetName, rows: Rows<'_>) -> Result<(u64, u64), CatalogError> {
        self.change(&rows.command("remove", name), |change| {
            let dataset = change.view().living(name)?;
            let (mut removed, mut asked) = (0, 0);
            for (table, rids) in change.rows(rows)? {
                asked += rids.len() as u64;
                removed += change.remove_members(&dataset, &table, &rids)?;
            }
            Ok((removed, asked - removed))
        })
    }

    /// Makes rows of a table members: those for which `condition` holds, or all. Returns how many are new and how many were
    /// members before.
    pub fn add_table_members(
        &mut self,
        name: &DatasetName,
        table: &str,
        condition: Option<&str>,
    ) -> Result<(u64, u64), CatalogError> {
        self.add_rows(name, Rows::Of(&[table.to_owned()], condition))
    }

    /// The members of a dataset, now or in a version, by table and RID; `recurse`: then those of each nested dataset.
    pub fn dataset_members(
        &self,
        reference: &DatasetRef,
        table: Option<&str>,
        recurse: bool,
    ) -> Result<Vec<Member>, CatalogError> {
        let view = self.view()?;
        let (rid, number) = view.moment_of(reference)?;
        let model = view.model_at(number)?;
        let wanted = table.map(|name| find_table(&model, name)).transpose()?.map(Table::qualified_name);
        let datasets = if recurse { view.family(&rid, number)? } else { vec![rid] };
        let mut members = Vec::new();
        for dataset in datasets {
            let called = view.called(dataset.as_str())?;
            for membership in memberships(&model) {
                let element = membership.element;
                if wanted.as_ref().is_some_and(|wanted| *wanted != element.qualified_name()) {
                    continue;
                }
                let sql = member_rids(&membership, dataset.as_str(), number, &view.aliases);
                let member = |rid| Member { dataset: called.clone(), table: element.table_name.clone(), rid };
                members.extend(view.texts(&format!("{sql} ORDER BY 1"), ())?.into_iter().map(member));
            }
        }
        Ok(members)
    }
}

/// Whether a table's rows can be members: those of `deriva-ml` can't, but for files.
fn is_element(model: &Model, table: &Table) -> bool {
    let own = table.schema_name != DERIVA_ML || table.table_name == "File";
    own && model.membership(table).is_none()
}

/// A table whose rows can be members, by its name.
pub(super) fn element_table(model: &Model, name: &str) -> Result<Table, CatalogError> {
    let table = find_table(model, name)?;
    if is_element(model, table) {
        return Ok(table.clone());
    }
    let tables = model.tables().filter(|table| table.schema_name != DERIVA_ML && is_element(model, table));
    Err(CatalogError::NoSuchTable {
        name: name.to_owned(),
        tables: tables.map(|table| table.table_name.clone()).collect(),
    })
}

impl View<'_> {
    /// The table that has a row of this id, which can be a member or is a dataset.
    fn table_with(&self, rid: &str) -> Result<Table, CatalogError> {
        let can_hold =
            |table: &&Table| is_element(&self.model, table) || table.qualified_name() == "deriva-ml:Dataset";
        for table in self.model.tables().filter(can_hold) {
            let (live, _) = sql_names(table);
            let sql = format!("SELECT 1 FROM main.{live} WHERE \"RID\" = ?");
            let mut statement = self.connection.prepare_cached(&sql).map_err(|e| self.fail(e))?;
            let found = statement.query_row([rid], |_| Ok(())).optional();
            if found.map_err(|e| self.fail(e))?.is_some() {
                return Ok(table.clone());
            }
        }
        Err(CatalogError::NoSuchRow(rid.to_owned()))
    }
}

impl Change<'_> {
    /// The rows that are meant, by table.
    fn rows(&self, rows: Rows<'_>) -> Result<Vec<(Table, Vec<String>)>, CatalogError> {
        match rows {
            Rows::Rids(rids) => {
                let mut found: BTreeMap<String, (Table, Vec<String>)> = BTreeMap::new();
                for rid in rids {
                    let table = self.view().table_with(rid)?;
                    let of_table = found.entry(table.qualified_name()).or_insert_with(|| (table, Vec::new()));
                    of_table.1.push(rid.clone());
                }
                Ok(found.into_values().collect())
            }
            Rows::Of(tables, condition) => {
                let of = |name: &String| {
                    let table = element_table(self.model(), name)?;
                    let rids = self.rids_where(&table, condition)?;
                    Ok((table, rids))
                };
                tables.iter().map(of).collect()
            }
        }
    }

    /// Adds those of the rows that are no members yet; makes the association where it is new. Rows of `deriva-ml:Dataset`
    /// are nested. Returns how many are new.
    pub fn add_members(
        &mut self,
        schema: &str,
        dataset: &Rid,
        element: &Table,
        rids: &[String],
    ) -> Result<u64, CatalogError> {
        if element.qualified_name() == "deriva-ml:Dataset" {
            let children: Vec<Rid> = rids.iter().filter_map(|rid| Rid::parse(rid)).collect();
            let nested = children.iter().map(|child| self.nest(dataset, child).map(u64::from));
            return nested.sum();
        }
        let (association, outer) = match self.association_of(element) {
            Some(found) => found,
            None => {
                let table = membership_table(schema, element);
                self.put_table(table.clone())?;
                // Each member is looked up before it is added.
                self.index_now()?;
                (table, "Dataset".to_owned())
            }
        };
        // An association has no columns of its own but these two, in either order.
        let columns: Vec<&str> = association.own_columns().map(|column| column.name.as_str()).collect();
        let values = |rid: &str| -> Vec<Value> {
            let value = |column: &&str| if **column == outer { dataset.as_str() } else { rid };
            columns.iter().map(|column| Value::Text(value(column).to_owned())).collect()
        };
        let mut known = self.known_members(&association, &outer, dataset)?;
        let writer = self.writer(&association)?;
        let mut added = 0;
        for rid in rids {
            if known.insert(rid.clone()) {
                self.insert(&writer, &values(rid))?;
                added += 1;
            }
        }
        Ok(added)
    }

    /// The members that a dataset has in an association. Read all at once: the indexes of a new association are made only at
    /// the end of the change, so that to look for each would take the square of their number.
    fn known_members(
        &self,
        association: &Table,
        outer: &str,
        dataset: &Rid,
    ) -> Result<HashSet<String>, CatalogError> {
        let inner = association.own_columns().find(|column| column.name != outer);
        let Some(inner) = inner else { return Ok(HashSet::new()) };
        let sql = format!(
            "SELECT {} FROM ({}) WHERE {} = ?",
            quoted(&inner.name),
            self.now(association),
            quoted(outer)
        );
        Ok(self.view().texts(&sql, [dataset.as_str()])?.into_iter().collect())
    }

    /// Removes those of the rows that are members. Returns how many.
    pub fn remove_members(
        &mut self,
        dataset: &Rid,
        element: &Table,
        rids: &[String],
    ) -> Result<u64, CatalogError> {
        if element.qualified_name() == "deriva-ml:Dataset" {
            let children: Vec<Rid> = rids.iter().filter_map(|rid| Rid::parse(rid)).collect();
            return children.iter().map(|child| self.unnest(dataset, child).map(u64::from)).sum();
        }
        let Some((association, outer)) = self.association_of(element) else { return Ok(0) };
        let columns: Vec<&str> = association.own_columns().map(|column| column.name.as_str()).collect();
        let sql = self.link_sql(&association);
        let mut links: Vec<String> = Vec::new();
        for rid in rids {
            let values = columns.iter().map(|column| if *column == outer { dataset.as_str() } else { rid });
            let mut statement = self.transaction.prepare_cached(&sql).map_err(|e| self.fail(e))?;
            let link = statement.query_row(params_from_iter(values), |row| row.get(0)).optional();
            links.extend(link.map_err(|e| self.fail(e))?);
        }
        // A row that is named twice is removed once.
        links.sort_unstable();
        links.dedup();
        self.delete_all(&association, &links)?;
        Ok(links.len() as u64)
    }

    /// The association that holds the members of an element type, and its column with the dataset.
    fn association_of(&self, element: &Table) -> Option<(Table, String)> {
        memberships(self.model()).into_iter().find_map(|membership| {
            (membership.element.qualified_name() == element.qualified_name())
                .then(|| (membership.table.clone(), membership.dataset_column.to_owned()))
        })
    }

    /// The SQL of an association's row with the values of all of its own columns.
    fn link_sql(&self, association: &Table) -> String {
        let is: Vec<String> =
            association.own_columns().map(|column| format!("{} = ?", quoted(&column.name))).collect();
        format!("SELECT \"RID\" FROM ({}) WHERE {}", self.now(association), is.join(" AND "))
    }
}
