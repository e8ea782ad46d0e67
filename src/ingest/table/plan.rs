//! What an import makes of a file's columns: a new table, or those of one that is there.

use std::collections::HashSet;

use super::TableImport;
use crate::catalog::{Catalog, Change};
use crate::ingest::references::{Lookup, Target, single_keys};
use crate::ingest::rows::Rows;
use crate::ingest::{ImportReport, IngestError, check_name};
use crate::model::{Column, ColumnType, Model, SYSTEM_COLUMNS, Storage, Table};
use crate::tabular::{
    InferOptions, Inferred, OtherKey, ProposedReference, SourceError, Watch, infer, may_refer,
};

/// What was found by looking through a file.
pub(super) struct Findings {
    inferred: Option<Inferred>,
    keys: Vec<String>,
    references: Vec<ProposedReference>,
}

impl Findings {
    /// Nothing, since the table is there already.
    pub fn none() -> Self {
        Self { inferred: None, keys: Vec::new(), references: Vec::new() }
    }

    /// Says in a report what could be asked for.
    pub fn tell(&self, report: &mut ImportReport, import: &TableImport<'_>) {
        if import.key.is_empty() {
            report.keys.clone_from(&self.keys);
        }
        report.inferred = self.inferred.as_ref().map(|inferred| inferred.columns.clone()).unwrap_or_default();
        let asked = |proposed: &ProposedReference| {
            import.references.iter().any(|reference| reference.column == proposed.column)
        };
        report.references = self.references.iter().filter(|proposed| !asked(proposed)).cloned().collect();
    }
}

/// A column of the table as rows are made for it.
pub(super) struct PlanColumn {
    pub name: String,
    pub column_type: ColumnType,
    pub storage: Storage,
    /// Where it is in the file.
    pub at: Option<usize>,
    /// Whether it needs a value.
    pub required: bool,
    /// Whether it is one of the key's.
    pub in_key: bool,
    pub lookup: Option<Lookup>,
}

/// What is to be done with each row.
pub(super) struct Plan {
    pub table: Table,
    pub created: bool,
    pub update: bool,
    /// The table's own columns.
    pub columns: Vec<PlanColumn>,
    /// Where the file names rows by their RID.
    pub rid_at: Option<usize>,
    /// Whether it is known that no two rows of the file have the same key.
    pub unique: bool,
    pub notes: Vec<String>,
}

/// Reads a file to its end, for a table that is to be made.
pub(super) fn look_through(
    catalog: &mut Catalog,
    schema: &str,
    import: &TableImport<'_>,
    source: &mut Rows<'_>,
    watch: Watch<'_>,
) -> Result<Findings, IngestError> {
    check_name(import.table)?;
    let names = source.names();
    let asked = import.types.iter().map(|(column, _)| column).chain(import.key);
    for column in asked.chain(import.references.iter().map(|reference| &reference.column)) {
        if !names.contains(column) {
            let columns = names.join(", ");
            return Err(IngestError::NoSuchColumn {
                path: import.path.to_owned(),
                column: column.clone(),
                columns,
            });
        }
    }
    let system = |name: &&String| SYSTEM_COLUMNS.iter().any(|system| system.eq_ignore_ascii_case(name));
    if let Some(column) = names.iter().find(system) {
        return Err(IngestError::SystemColumn { path: import.path.to_owned(), column: column.clone() });
    }
    // A table that can't be made is refused before a large file is read.
    let mut table = Table::new(schema, import.table, "");
    table.column_definitions.extend(names.iter().map(|name| Column::new(name, ColumnType::new("text"))));
    let (keys, types) = catalog.look(|change| {
        // Another process may have made it since it was looked for; the rows then go into that one.
        if change.model().table(schema, import.table).is_none() {
            change.check_table(&table)?;
        }
        let mut types = import.types.to_vec();
        for reference in import.references.iter().filter(|reference| reference.table != import.table) {
            let target = reference.resolve(change, import.table)?;
            types.retain(|(column, _)| *column != target.column);
            types.push((target.column.clone(), target.column_type()));
        }
        Ok::<_, IngestError>((other_keys(change, &names)?, types))
    })?;
    let holds: Vec<_> = keys.iter().map(|(_, _, values)| move |text: &str| values.contains(text)).collect();
    let keys: Vec<OtherKey<'_>> = keys
        .iter()
        .zip(&holds)
        .map(|((table, column, _), holds)| OtherKey { table, column, holds })
        .collect();
    let read = infer(source, InferOptions { types: &types, keys: &keys }, watch);
    let mut inferred = read.map_err(|source| match source {
        SourceError::Interrupted => IngestError::Interrupted,
        SourceError::Io(error) => IngestError::Io(error),
        source => IngestError::Source { path: import.path.to_owned(), source },
    })?;
    let candidates = inferred.candidate_keys().into_iter().map(|column| column.name.clone()).collect();
    let references = std::mem::take(&mut inferred.references);
    Ok(Findings { inferred: Some(inferred), keys: candidates, references })
}

/// A table, a column of it that is a key, and that column's values.
type KeyValues = (String, String, HashSet<String>);

/// The keys of other tables that columns of these names may refer to.
fn other_keys(change: &Change<'_>, names: &[String]) -> Result<Vec<KeyValues>, IngestError> {
    let mut keys = Vec::new();
    for table in change.model().domain_schemas().flat_map(|schema| schema.tables.values()) {
        for key in single_keys(table) {
            let fits = names.iter().any(|name| may_refer(name, &table.table_name, key));
            let Some(column) = table.column(key).filter(|_| fits) else { continue };
            let mut values = change.values_of(table, column)?;
            if table.is_vocabulary() && key == "Name" {
                values.extend(change.terms(table)?.into_iter().flat_map(|term| term.synonyms));
            }
            keys.push((table.table_name.clone(), key.to_owned(), values));
        }
    }
    Ok(keys)
}

impl Plan {
    /// Plans for the table that is there, or for a new one in the file's shape.
    pub fn make(
        change: &Change<'_>,
        schema: &str,
        import: &TableImport<'_>,
        source: &Rows<'_>,
        findings: &Findings,
    ) -> Result<Self, IngestError> {
        let names = source.names();
        let known = change.model().table(schema, import.table).cloned();
        let created = known.is_none();
        let mut notes = Vec::new();
        let (table, targets, rid_at) = match known {
            Some(table) => {
                let rid_at = check_existing(change.model(), &table, import, &names, &mut notes)?;
                let targets = Target::of_table(change.model(), &table);
                (table, targets, rid_at)
            }
            None => {
                let (table, targets) = new_table(change, schema, import, findings)?;
                (table, targets, None)
            }
        };
        let key = table.natural_key().unwrap_or_default().to_vec();
        let mut columns = Vec::new();
        for column in table.own_columns() {
            let target = targets.iter().find(|target| target.column == column.name);
            columns.push(PlanColumn {
                name: column.name.clone(),
                storage: column.column_type.storage(),
                at: names.iter().position(|name| *name == column.name),
                required: !column.nullok,
                in_key: rid_at.is_none() && key.contains(&column.name),
                lookup: target.map(|target| target.lookup(change, &table)).transpose()?,
                column_type: column.column_type.clone(),
            });
        }
        let unique = created && findings.is_unique(&key, &columns, import);
        Ok(Self { table, created, update: import.update, columns, rid_at, unique, notes })
    }
}

impl Findings {
    /// Whether every row was found to have another key than all others. Texts that differ are taken for values that
    /// do, so that holds only for types that have one text for a value.
    fn is_unique(&self, key: &[String], columns: &[PlanColumn], import: &TableImport<'_>) -> bool {
        let [key] = key else { return false };
        let Some(inferred) = &self.inferred else { return false };
        let asked = import.types.iter().any(|(column, _)| column == key);
        let plan = columns.iter().find(|column| column.name == *key);
        let one_text = plan.is_some_and(|plan| match plan.storage {
            Storage::Text => plan.lookup.as_ref().is_none_or(|lookup| !lookup.renames()),
            Storage::Integer => !asked && plan.lookup.is_none(),
            _ => false,
        });
        let found = inferred.columns.iter().find(|column| column.name == *key);
        one_text && found.is_some_and(|found| found.unique == Some(true) && !found.nullable)
    }
}

/// A table in the file's shape, and what its columns refer to.
fn new_table(
    change: &Change<'_>,
    schema: &str,
    import: &TableImport<'_>,
    findings: &Findings,
) -> Result<(Table, Vec<Target>), IngestError> {
    let mut table = Table::new(schema, import.table, "");
    for found in findings.inferred.iter().flat_map(|inferred| &inferred.columns) {
        let column = Column::new(&found.name, found.column_type.clone());
        let in_key = import.key.contains(&found.name);
        table.column_definitions.push(if in_key { column.required() } else { column });
    }
    if !import.key.is_empty() {
        table.add_key(&import.key.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let mut targets = Vec::new();
    for reference in import.references {
        // A table may refer to itself, by its key or by RID.
        let target = if reference.table == import.table {
            reference.find(table.clone(), import.table)?
        } else {
            reference.resolve(change, import.table)?
        };
        let asked = import.types.iter().find(|(column, _)| *column == target.column).map(|(_, asked)| asked);
        let has = asked.or_else(|| table.column(&target.column).map(|column| &column.column_type));
        let needed = target.column_type();
        if let Some(has) = has.filter(|has| has.storage() != needed.storage()) {
            return Err(IngestError::OtherType {
                table: target.table.table_name,
                column: target.referenced,
                has: needed.typename,
                asked: has.typename.clone(),
            });
        }
        table.add_foreign_key(
            &target.column,
            &target.table.schema_name,
            &target.table.table_name,
            &target.referenced,
        );
        targets.push(target);
    }
    Ok((table, targets))
}

/// Checks what was asked against the table that is there. Where the file names rows by their RID: its column of it.
fn check_existing(
    model: &Model,
    table: &Table,
    import: &TableImport<'_>,
    names: &[String],
    notes: &mut Vec<String>,
) -> Result<Option<usize>, IngestError> {
    let name = table.table_name.clone();
    if model.membership(table).is_some() {
        return Err(IngestError::Reserved { table: name });
    }
    if table.is_asset() {
        return Err(IngestError::AssetTable { table: name });
    }
    check_types(table, import.types)?;
    let has = table.natural_key().unwrap_or_default();
    if !import.key.is_empty() && has != import.key {
        let shown = |key: &[String]| if key.is_empty() { "of whole rows".into() } else { key.join(", ") };
        return Err(IngestError::OtherKey { table: name, has: shown(has), asked: shown(import.key) });
    }
    for reference in import.references {
        let there = Target::of_table(model, table).into_iter().any(|target| {
            target.column == reference.column
                && target.table.table_name == reference.table.rsplit(':').next().unwrap_or_default()
                && reference.referenced.as_ref().is_none_or(|referenced| *referenced == target.referenced)
        });
        if !there {
            return Err(IngestError::BadReference {
                table: name,
                column: reference.column.clone(),
                other: reference.table.clone(),
                reason: "the table is there already, without this reference; an import makes references of new tables"
                    .into(),
            });
        }
    }
    let rid_at = names.iter().position(|name| name == "RID").filter(|_| import.update);
    let mut passed = Vec::new();
    for column in names {
        if SYSTEM_COLUMNS.contains(&column.as_str()) {
            if rid_at.is_none() {
                return Err(IngestError::SystemColumn {
                    path: import.path.to_owned(),
                    column: column.clone(),
                });
            }
            passed.extend((column != "RID").then_some(column.as_str()));
        } else {
            check_column(import.path, table, column)?;
        }
    }
    if let Some(column) = has.iter().find(|column| rid_at.is_none() && !names.contains(column)) {
        let columns = names.join(", ");
        return Err(IngestError::NoSuchColumn {
            path: import.path.to_owned(),
            column: column.clone(),
            columns,
        });
    }
    if !passed.is_empty() {
        notes.push(format!("dbag's own columns {} were passed over", passed.join(", ")));
    }
    Ok(rid_at)
}

/// Refuses other types than a table's columns have.
pub(in crate::ingest) fn check_types(
    table: &Table,
    types: &[(String, ColumnType)],
) -> Result<(), IngestError> {
    for (column, asked) in types {
        let has = table.column(column).map(|column| &column.column_type);
        if let Some(has) = has.filter(|has| has.typename != asked.typename) {
            return Err(IngestError::OtherType {
                table: table.table_name.clone(),
                column: column.clone(),
                has: has.typename.clone(),
                asked: asked.typename.clone(),
            });
        }
    }
    Ok(())
}

/// Refuses a column of a file that a table does not have.
pub(in crate::ingest) fn check_column(
    path: &std::path::Path,
    table: &Table,
    column: &str,
) -> Result<(), IngestError> {
    if table.own_columns().any(|own| own.name == *column) {
        return Ok(());
    }
    let columns = table.own_columns().map(|own| own.name.as_str()).collect::<Vec<_>>().join(", ");
    Err(IngestError::UnknownColumn {
        path: path.to_owned(),
        column: column.to_owned(),
        table: table.table_name.clone(),
        columns,
    })
}
