//! What a dataset's version holds: which rows of which tables, and these rows as they were.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row as SqlRow};

use super::dataset::{NOW, View};
use super::reach::{IdSet, Ids, Part, SelectOptions, Subject, is_chosen};
use super::read::{Row, rows_at, value};
use super::sql::{Aliases, literal, quoted, sql_names};
use super::{Catalog, CatalogError, NestedVersion, VersionDetails};
use crate::model::{Membership, Model, Rid, Snapshot, Storage, Table};
use crate::version::{DatasetName, VersionRef};

/// A dataset at a released version.
#[derive(Debug, Clone)]
pub struct VersionSelection {
    /// Name and version.
    pub reference: VersionRef,
    /// The dataset's id.
    pub rid: Rid,
    /// The snapshot of the release.
    pub snapshot: Snapshot,
    /// The release's note.
    pub note: String,
    /// The model at that snapshot.
    pub model: Model,
    /// The tables that have rows in the version, sorted by schema and name.
    pub tables: Vec<TableSelection>,
    /// The dataset and all that are nested in it, at any depth.
    pub family: Vec<Rid>,
    /// The datasets nested right in it, with the versions that they had.
    pub nested: Vec<NestedVersion>,
    /// The number of the transaction that released it.
    pub number: i64,
}

/// A table's part in a version.
#[derive(Debug, Clone)]
pub struct TableSelection {
    /// The table.
    pub table: Table,
    number: i64,
    which: Which,
}

/// Which rows of a table.
#[derive(Debug, Clone)]
enum Which {
    All,
    These { rids: Arc<IdSet>, ids: Arc<Ids> },
}

/// Where few of a table's rows are wanted, each is looked up; where more than one in so many, all are read.
const FEW: u64 = 8;

/// The associations between datasets and element tables. A dataset within a dataset is no member here.
pub(super) fn memberships(model: &Model) -> Vec<Membership<'_>> {
    model.memberships().into_iter().filter(|membership| !membership.is_nesting()).collect()
}

/// The SQL of the ids of a dataset's members of one element type after transaction `number`.
pub(super) fn member_rids(
    membership: &Membership<'_>,
    dataset: &str,
    number: i64,
    aliases: &Aliases,
) -> String {
    let (outer, member) = (membership.dataset_column, membership.element_column);
    let rows = rows_at(membership.table, &[outer, member], number, aliases);
    format!("SELECT {} FROM ({rows}) WHERE {} = {}", quoted(member), quoted(outer), literal(dataset))
}

/// What a family of datasets holds, sorted by schema and name.
fn select(
    view: &View<'_>,
    model: &Model,
    subject: &Subject<'_>,
) -> Result<Vec<TableSelection>, CatalogError> {
    let reached = view.reach(model, subject, Ids::default())?;
    let ids = Arc::new(reached.ids);
    let mut selected = Vec::new();
    for table in model.tables() {
        let Some(part) = reached.parts.get(&table.qualified_name()) else { continue };
        if !is_chosen(model, subject.options, table)? {
            continue;
        }
        let which = match part {
            Part::All => Which::All,
            Part::Some(rids) => Which::These { rids: Arc::clone(rids), ids: Arc::clone(&ids) },
        };
        selected.push(TableSelection { table: table.clone(), number: subject.number, which });
    }
    let name = |part: &TableSelection| (part.table.schema_name.clone(), part.table.table_name.clone());
    selected.sort_by_cached_key(name);
    Ok(selected)
}

/// Every table whole, as it was after transaction `number`.
pub(super) fn whole(model: &Model, number: i64) -> Vec<TableSelection> {
    let selected = |table: &Table| TableSelection { table: table.clone(), number, which: Which::All };
    model.tables().map(selected).collect()
}

impl TableSelection {
    /// The ids of the rows, in the order of their text; `None` where it is all that there are. A reference may have led to an id
    /// that no row has.
    fn rids(&self) -> Option<Vec<String>> {
        let Which::These { rids, ids } = &self.which else { return None };
        let mut texts: Vec<String> = rids.iter().map(|id| ids.text(*id)).collect();
        texts.sort_unstable();
        Some(texts)
    }

    /// At most how many rows it has; `None` where it is all that there are.
    #[must_use]
    pub fn most(&self) -> Option<u64> {
        match &self.which {
            Which::All => None,
            Which::These { rids, .. } => Some(rids.len() as u64),
        }
    }

    fn takes(&self, rid: ValueRef<'_>) -> bool {
        let Which::These { rids, ids } = &self.which else { return true };
        let text = rid.as_str().ok();
        text.and_then(|rid| ids.find(rid)).is_some_and(|id| rids.contains(&id))
    }

    /// The SQL of the rows, for a connection that keeps the ids of the `place`th selection in a table of its own.
    pub(crate) fn bind(&self, connection: &Connection, place: i64) -> rusqlite::Result<String> {
        let all = self.columns();
        let aliases = Aliases::load(connection)?;
        let rows = rows_at(&self.table, &all, self.number, &aliases);
        let Some(rids) = self.rids() else { return Ok(rows) };
        connection.execute_batch(
            "CREATE TEMP TABLE IF NOT EXISTS \"dbag:selected\" (place INTEGER, rid TEXT, PRIMARY KEY (place, rid)) \
             WITHOUT ROWID; BEGIN",
        )?;
        let mut insert = connection.prepare("INSERT INTO temp.\"dbag:selected\" VALUES (?, ?)")?;
        for rid in &rids {
            insert.execute((place, rid))?;
        }
        drop(insert);
        connection.execute_batch("COMMIT")?;
        let names: Vec<String> = all.iter().map(|name| quoted(name)).collect();
        Ok(format!(
            "SELECT {} FROM ({rows}) WHERE \"RID\" IN (SELECT rid FROM temp.\"dbag:selected\" WHERE place = {place})",
            names.join(", ")
        ))
    }

    fn columns(&self) -> Vec<&str> {
        self.table.column_definitions.iter().map(|column| column.name.as_str()).collect()
    }

    /// The SQL of all of the table's rows at that moment, sorted by their RIDs; `superseded` where rows were superseded since.
    fn sorted(&self, aliases: &Aliases, superseded: bool) -> String {
        let (live, history) = sql_names(&self.table);
        let physical = |column: &crate::model::Column| quoted(&aliases.physical(&self.table, column));
        let names: Vec<String> = self.table.column_definitions.iter().map(physical).collect();
        let (names, number) = (names.join(", "), self.number);
        // The `+` keeps SQLite from reading by the transactions' index and sorting what it read.
        let now = format!("SELECT {names} FROM main.{live} WHERE +\"dbag:from\" <= {number}");
        if !superseded {
            return format!("{now} ORDER BY \"RID\"");
        }
        format!(
            "{now} UNION ALL SELECT {names} FROM main.{history} WHERE +\"dbag:from\" <= {number} \
             AND +\"dbag:to\" > {number} ORDER BY \"RID\""
        )
    }
}

impl Catalog {
    /// What a released version holds, or the part of it that is asked for.
    pub fn select_version(
        &self,
        reference: &VersionRef,
        options: &SelectOptions,
    ) -> Result<VersionSelection, CatalogError> {
        let view = self.view()?;
        let rid = view.dataset_rid(&reference.name)?;
        let release = view.release(&reference.name, &rid, &reference.version)?;
        let model = self.model_at(release.number)?;
        let family = view.family(&rid, release.number)?;
        let tables = select(&view, &model, &Subject { family: &family, number: release.number, options })?;
        let VersionDetails { snapshot, note, number, nested, .. } = release;
        Ok(VersionSelection {
            reference: reference.clone(),
            rid,
            snapshot,
            note,
            model,
            tables,
            family,
            nested,
            number,
        })
    }

    /// What a dataset holds now, with the model.
    pub fn select_now(
        &self,
        name: &DatasetName,
        options: &SelectOptions,
    ) -> Result<(Model, Vec<TableSelection>), CatalogError> {
        let view = self.view()?;
        let rid = view.dataset_rid(name)?;
        let model = self.model()?;
        let family = view.family(&rid, NOW)?;
        let tables = select(&view, &model, &Subject { family: &family, number: NOW, options })?;
        Ok((model, tables))
    }

    /// Reads a selected table's rows in the order of their RIDs, all columns in the model's order.
    pub fn for_each_selected<E: From<CatalogError>>(
        &self,
        selection: &TableSelection,
        mut f: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns = selection.table.column_definitions.iter();
        let storage: Vec<Storage> = columns.map(|column| column.column_type.storage()).collect();
        self.for_each_cells(selection, |row| {
            let cells = storage.iter().enumerate();
            let cell = |(at, storage): (usize, &Storage)| {
                row.get_ref(at).map(|cell| value(cell, *storage)).map_err(|e| self.fail(e))
            };
            f(cells.map(cell).collect::<Result<Row, CatalogError>>()?)
        })
    }

    /// The same, with the cells as SQLite keeps them.
    pub(crate) fn for_each_cells<E: From<CatalogError>>(
        &self,
        selection: &TableSelection,
        mut f: impl FnMut(&SqlRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let fail = |e| E::from(self.fail(e));
        let aliases = self.aliases()?;
        let (live, history) = sql_names(&selection.table);
        let count = |sql: &str| -> Result<u64, CatalogError> {
            let count: i64 =
                self.connection.query_row(sql, (), |row| row.get(0)).map_err(|e| self.fail(e))?;
            Ok(count.unsigned_abs())
        };
        let all = count(&format!("SELECT ifnull(max(rowid), 0) FROM main.{live}"))?;
        let are_few = selection.most().is_some_and(|most| most.saturating_mul(FEW) < all);
        if let Some(rids) = are_few.then(|| selection.rids()).flatten() {
            let rows = rows_at(&selection.table, &selection.columns(), selection.number, &aliases);
            let sql = format!("SELECT * FROM ({rows}) WHERE \"RID\" = ?");
            let mut statement = self.connection.prepare(&sql).map_err(fail)?;
            for rid in &rids {
                let mut rows = statement.query([rid]).map_err(fail)?;
                while let Some(row) = rows.next().map_err(fail)? {
                    f(row)?;
                }
            }
            return Ok(());
        }
        let number = selection.number;
        let superseded =
            count(&format!("SELECT EXISTS (SELECT 1 FROM main.{history} WHERE \"dbag:to\" > {number})"))? > 0;
        let at = selection.columns().iter().position(|name| *name == "RID").unwrap_or(0);
        let sql = selection.sorted(&aliases, superseded);
        let mut statement = self.connection.prepare(&sql).map_err(fail)?;
        let mut rows = statement.query(()).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            if selection.takes(row.get_ref(at).map_err(fail)?) {
                f(row)?;
            }
        }
        Ok(())
    }

    /// Reads all of a table's rows at a moment in no order, which is faster.
    pub fn for_each_unsorted<E: From<CatalogError>>(
        &self,
        selection: &TableSelection,
        mut f: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns = selection.table.column_definitions.iter();
        let storage: Vec<Storage> = columns.map(|column| column.column_type.storage()).collect();
        let sql = rows_at(&selection.table, &selection.columns(), selection.number, &self.aliases()?);
        let at = selection.columns().iter().position(|name| *name == "RID").unwrap_or(0);
        super::read::for_each_row(&self.connection, &self.path, &sql, &storage, |row| {
            let is_taken = match &row[at] {
                crate::tabular::Value::Text(rid) => selection.takes(ValueRef::Text(rid.as_bytes())),
                _ => false,
            };
            if is_taken { f(row) } else { Ok(()) }
        })
    }

    /// Gives up the connection, for reading with SQL.
    #[must_use]
    pub fn into_connection(self) -> Connection {
        self.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Clock, CreateOptions};
    use crate::model::{Column, ColumnType, DERIVA_ML};
    use crate::tabular::Value;
    use crate::version::Bump;

    #[test]
    fn members_are_kept_in_an_association_of_any_name_and_order() {
        let folder = tempfile::tempdir().unwrap();
        let options =
            CreateOptions { clock: Clock::Fixed(1_795_424_151_577_689), ..CreateOptions::default() };
        let mut catalog = Catalog::create(&folder.path().join("catalog.sqlite"), &options).unwrap();
        let name = "scans".parse().unwrap();
        let dataset = catalog.create_dataset(&name, "").unwrap();
        let text = |name: &str| Column::new(name, ColumnType::new("text"));
        let mut scan = Table::new("domain", "Scan", "");
        scan.column_definitions.push(text("File"));
        let mut holds = Table::new("domain", "Part_Whole", "");
        holds.column_definitions.extend([text("Part").required(), text("Whole").required()]);
        holds.add_key(&["Part", "Whole"]);
        holds.add_foreign_key("Part", "domain", "Scan", "RID");
        holds.add_foreign_key("Whole", DERIVA_ML, "Dataset", "RID");
        let put = |change: &mut super::super::Change<'_>| -> Result<(), CatalogError> {
            change.put_table(scan.clone())?;
            change.put_table(holds.clone())?;
            for file in ["a", "b"] {
                let writer = change.writer(&scan)?;
                change.insert(&writer, &[Value::Text(file.into())])?;
            }
            Ok(())
        };
        catalog.change("test", put).unwrap();
        assert_eq!(catalog.add_table_members(&name, "Scan", Some("\"File\" = 'a'")).unwrap(), (1, 0));
        assert_eq!(catalog.add_table_members(&name, "Scan", None).unwrap(), (1, 1));
        assert_eq!(catalog.dataset_details(&name).unwrap().summary.members, 2);
        let release = catalog.release_dataset(&name, Bump::Major, "").unwrap();
        let selection = catalog.select_version(&release.reference, &SelectOptions::default()).unwrap();
        let mut rows = std::collections::BTreeMap::new();
        for part in &selection.tables {
            let keep = |row: Row| -> Result<(), CatalogError> {
                rows.entry(part.table.table_name.clone()).or_insert_with(Vec::new).push(row);
                Ok(())
            };
            catalog.for_each_selected(part, keep).unwrap();
        }
        assert_eq!(rows["Scan"].len(), 2);
        assert!(rows["Part_Whole"].iter().all(|row| row[6] == Value::Text(dataset.to_string())));
        assert!(!selection.model.tables().any(|table| table.table_name == "Dataset_Scan"));
        let names: Vec<String> = selection.tables.iter().map(|part| part.table.qualified_name()).collect();
        assert!(names.is_sorted(), "{names:?}");
    }
}
