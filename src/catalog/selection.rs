//! What a dataset's version holds: which rows of which tables, as SQL over the catalog's past.

use rusqlite::Connection;

use super::dataset::NOW;
use super::read::{Row, for_each_row, rows_at};
use super::sql::{Aliases, literal, quoted};
use super::{Catalog, CatalogError, VersionDetails};
use crate::model::{DERIVA_ML, Membership, Model, Rid, Snapshot, Storage, Table};
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
    /// The tables that may have rows in the version, sorted by schema and name.
    pub tables: Vec<TableSelection>,
    /// The transaction that released it.
    pub(super) number: i64,
}

/// A table's part in a version.
#[derive(Debug, Clone)]
pub struct TableSelection {
    /// The table.
    pub table: Table,
    /// The SQL of its rows, all columns in the model's order.
    pub(crate) sql: String,
}

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

/// Every table's part in a dataset after transaction `number`.
pub(super) fn select(model: &Model, dataset: &str, number: i64, aliases: &Aliases) -> Vec<TableSelection> {
    let whose = |column: &str| Some(format!("{} = {}", quoted(column), literal(dataset)));
    let memberships = memberships(model);
    let filter = |table: &Table| -> Option<String> {
        let name = table.qualified_name();
        if table.schema_name == DERIVA_ML {
            return match table.table_name.as_str() {
                "Dataset" => whose("RID"),
                "Dataset_Version" | "Dataset_Dataset_Type" => whose("Dataset"),
                "Dataset_Type" => Some("1".into()),
                _ => None,
            };
        }
        if let Some(own) = memberships.iter().find(|membership| membership.table.qualified_name() == name) {
            return whose(own.dataset_column);
        }
        let of: Vec<String> = memberships
            .iter()
            .filter(|membership| membership.element.qualified_name() == name)
            .map(|membership| format!("\"RID\" IN ({})", member_rids(membership, dataset, number, aliases)))
            .collect();
        (!of.is_empty()).then(|| of.join(" OR "))
    };
    let selected = model.tables().filter_map(|table| {
        let names: Vec<String> = table.column_definitions.iter().map(|column| quoted(&column.name)).collect();
        let filter = filter(table)?;
        let sql =
            format!("SELECT {} FROM ({}) WHERE {filter}", names.join(", "), all_at(table, number, aliases));
        Some(TableSelection { table: table.clone(), sql })
    });
    let mut selected: Vec<TableSelection> = selected.collect();
    let name = |part: &TableSelection| (part.table.schema_name.clone(), part.table.table_name.clone());
    selected.sort_by_cached_key(name);
    selected
}

/// Every table whole, as it was after transaction `number`.
pub(super) fn whole(model: &Model, number: i64, aliases: &Aliases) -> Vec<TableSelection> {
    let selected =
        |table: &Table| TableSelection { table: table.clone(), sql: all_at(table, number, aliases) };
    model.tables().map(selected).collect()
}

fn all_at(table: &Table, number: i64, aliases: &Aliases) -> String {
    let columns: Vec<&str> = table.column_definitions.iter().map(|column| column.name.as_str()).collect();
    rows_at(table, &columns, number, aliases)
}

impl Catalog {
    /// What a released version holds.
    pub fn select_version(&self, reference: &VersionRef) -> Result<VersionSelection, CatalogError> {
        let view = self.view()?;
        let rid = view.dataset_rid(&reference.name)?;
        let release = view.release(&reference.name, &rid, &reference.version)?;
        let model = self.model_at(release.number)?;
        let tables = select(&model, rid.as_str(), release.number, &self.aliases()?);
        let VersionDetails { snapshot, note, number, .. } = release;
        Ok(VersionSelection { reference: reference.clone(), rid, snapshot, note, model, tables, number })
    }

    /// What a dataset holds now, with the model.
    pub fn select_now(&self, name: &DatasetName) -> Result<(Model, Vec<TableSelection>), CatalogError> {
        let rid = self.view()?.dataset_rid(name)?;
        let model = self.model()?;
        let tables = select(&model, rid.as_str(), NOW, &self.aliases()?);
        Ok((model, tables))
    }

    /// Reads a selected table's rows in the order of their RIDs, all columns in the model's order.
    pub fn for_each_selected<E: From<CatalogError>>(
        &self,
        selection: &TableSelection,
        f: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        self.for_each_of(selection, &format!("{} ORDER BY \"RID\"", selection.sql), f)
    }

    /// The same in no order, which is faster.
    pub fn for_each_unsorted<E: From<CatalogError>>(
        &self,
        selection: &TableSelection,
        f: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        self.for_each_of(selection, &selection.sql, f)
    }

    fn for_each_of<E: From<CatalogError>>(
        &self,
        selection: &TableSelection,
        sql: &str,
        f: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns = selection.table.column_definitions.iter();
        let storage: Vec<Storage> = columns.map(|column| column.column_type.storage()).collect();
        for_each_row(&self.connection, &self.path, sql, &storage, f)
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
    use crate::model::{Column, ColumnType};
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
        let selection = catalog.select_version(&release.reference).unwrap();
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
