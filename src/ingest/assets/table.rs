//! The asset table that a folder goes to.

use super::AssetImport;
use super::metadata::Described;
use crate::catalog::Change;
use crate::ingest::names::column_name;
use crate::ingest::references::{Lookup, Target};
use crate::ingest::table::{check_column, check_types};
use crate::ingest::{IngestError, check_name};
use crate::model::{ASSET_TAG, Column, ColumnType, Model, Table, asset_table};
use crate::tabular::{Cell, Value};

/// The table, and how its columns of metadata take values.
pub(super) struct Shape {
    pub table: Table,
    pub created: bool,
    /// The tables that go with a new one.
    companions: Vec<Table>,
    /// The columns of metadata in their own order.
    pub described: Vec<DescribedColumn>,
}

/// A column of metadata.
pub(super) struct DescribedColumn {
    pub name: String,
    /// Where it is among the table's own columns.
    pub at: usize,
    column_type: ColumnType,
    required: bool,
    lookup: Option<Lookup>,
}

impl DescribedColumn {
    /// A text as a value; `Err` says why it is none.
    pub fn value(&self, raw: Cell<'_>) -> Result<Value, String> {
        let value = raw.value(self.column_type.storage()).and_then(|value| value.fits(&self.column_type));
        let value = value.map_err(|error| error.to_string())?;
        match (&self.lookup, value) {
            (_, Value::Null) if self.required => Err("it is empty, and needs a value".into()),
            (Some(lookup), value) if value != Value::Null => {
                let text = value.to_text().unwrap_or_default();
                let found = lookup.find(&text)?.into_owned();
                Ok(if lookup.renames() { Value::Text(found) } else { value.clone() })
            }
            (_, value) => Ok(value),
        }
    }
}

impl Shape {
    /// The table that is there, if it holds files, or a new one.
    pub fn make(
        change: &Change<'_>,
        schema: &str,
        import: &AssetImport<'_>,
        described: &Described,
    ) -> Result<Self, IngestError> {
        let known = change.model().table(schema, import.table).cloned();
        let created = known.is_none();
        let (table, companions, targets) = match known {
            Some(table) => {
                check_existing(&table, import, described)?;
                let targets = Target::of_table(change.model(), &table);
                (table, Vec::new(), targets)
            }
            None => new_table(change, schema, import, described)?,
        };
        let mut columns = Vec::new();
        for (name, _) in &described.columns {
            let Some((at, column)) = table.own_columns().enumerate().find(|(_, own)| own.name == *name)
            else {
                continue;
            };
            let target = targets.iter().find(|target| target.column == *name);
            columns.push(DescribedColumn {
                name: name.clone(),
                at,
                column_type: column.column_type.clone(),
                required: !column.nullok,
                lookup: target.map(|target| target.lookup(change, &table)).transpose()?,
            });
        }
        Ok(Self { table, created, companions, described: columns })
    }

    /// Makes the new table and those that go with it.
    pub fn put(&self, change: &mut Change<'_>) -> Result<(), IngestError> {
        change.put_table(self.table.clone())?;
        for companion in &self.companions {
            change.put_table(companion.clone())?;
        }
        Ok(())
    }
}

/// What the bytes of a file say goes to these columns of a table of ours.
const OF_BYTES: [&str; 6] = ["URL", "Filename", "Length", "MD5", "SHA256", "Path"];

fn check_existing(table: &Table, import: &AssetImport<'_>, described: &Described) -> Result<(), IngestError> {
    if !table.is_asset() {
        return Err(IngestError::NotAnAssetTable { table: import.table.to_owned() });
    }
    check_types(table, import.types)?;
    let path = import.metadata.map_or(import.path, |metadata| metadata.path);
    for (column, _) in &described.columns {
        if OF_BYTES.contains(&column.as_str()) {
            return Err(taken(path, column));
        }
        check_column(path, table, column)?;
    }
    if let Some(reference) = import.references.first() {
        return Err(IngestError::BadReference {
            table: table.table_name.clone(),
            column: reference.column.clone(),
            other: reference.table.clone(),
            reason: "the table is there already; an import makes references of new tables".into(),
        });
    }
    Ok(())
}

fn taken(path: &std::path::Path, column: &str) -> IngestError {
    IngestError::ColumnName {
        path: path.to_owned(),
        column: column.to_owned(),
        reason: "every table of files has a column of this name".into(),
    }
}

/// An asset table in deriva-ml's form, with SHA-256, the path in the imported folder, and the metadata beside it. Files
/// are told apart by their path: two may have the same bytes.
fn new_table(
    change: &Change<'_>,
    schema: &str,
    import: &AssetImport<'_>,
    described: &Described,
) -> Result<(Table, Vec<Table>, Vec<Target>), IngestError> {
    check_name(import.table)?;
    let text = || ColumnType::new("text");
    let mut own = vec![
        Column::new("SHA256", text()).comment("SHA-256 of the bytes"),
        Column::new("Path", text()).required().comment("Path in the folder that it was imported from"),
    ];
    let targets: Vec<Target> = import
        .references
        .iter()
        .map(|reference| reference.resolve(change, import.table))
        .collect::<Result<_, _>>()?;
    let path = import.metadata.map_or(import.path, |metadata| metadata.path);
    for (name, guessed) in &described.columns {
        // A description is one of every asset table's columns already.
        if name == "Description" {
            continue;
        }
        if OF_BYTES.iter().any(|of_bytes| of_bytes.eq_ignore_ascii_case(name)) {
            return Err(taken(path, name));
        }
        let clean = column_name(name);
        if clean.as_ref() != Ok(name) {
            let reason = clean.err().unwrap_or_else(|| "it is not in its normal form".into());
            return Err(IngestError::ColumnName { path: path.to_owned(), column: name.clone(), reason });
        }
        let target = targets.iter().find(|target| target.column == *name);
        own.push(Column::new(name, target.map_or_else(|| guessed.clone(), Target::column_type)));
    }
    let [mut table, types, executions] = asset_table(schema, import.table, &own);
    table.keys.retain(|key| key.unique_columns != ["URL"]);
    table.add_key(&["Path"]);
    if let Some(url) = table.column_definitions.iter_mut().find(|column| column.name == "URL")
        && let Some(asset) = url.annotations.get_mut(ASSET_TAG)
    {
        asset["sha256"] = "SHA256".into();
    }
    for target in &targets {
        if table.column(&target.column).is_none() {
            let columns =
                described.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(IngestError::NoSuchColumn {
                path: path.to_owned(),
                column: target.column.clone(),
                columns,
            });
        }
        table.add_foreign_key(
            &target.column,
            &target.table.schema_name,
            &target.table.table_name,
            &target.referenced,
        );
    }
    for new in [&table, &types, &executions] {
        change.check_table(new)?;
    }
    Ok((table, vec![types, executions], targets))
}

/// The table that says which executions used the files, its column of the file, of the execution and of the role.
pub(super) fn executions(model: &Model, table: &Table) -> Option<(Table, [String; 2], Option<String>)> {
    let found = model.asset_executions(table).into_iter().next()?;
    let columns = [found.asset_column.to_owned(), found.execution_column.to_owned()];
    Some((found.table.clone(), columns, found.role_column.map(str::to_owned)))
}
