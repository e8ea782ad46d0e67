//! The ERMrest model: schemas, tables, columns, keys and foreign keys, as `/schema` prints them.
//!
//! Owns the model's form and its JSON, what a table is by its shape, what is wrong with a model, the order to
//! load tables in, record ids and snapshot ids, and the tables of the `deriva-ml` schema. It holds no rows.

mod build;
mod check;
mod deriva_ml;
mod feature;
mod graph;
mod json;
mod kind;
mod rid;
mod snapshot;
mod spec;
mod types;
mod walk;

use indexmap::IndexMap;

pub use build::{FeatureColumns, asset_table, feature_table, vocabulary};
pub use check::ModelFault;
pub use deriva_ml::{DERIVA_ML, deriva_ml_tables, is_kept_name, membership_table, seed_terms};
pub use feature::{Feature, Link};
pub use json::{ModelError, Place, Rest};
pub use kind::{AssetExecutions, AssetForm, AssetTypes, Association, Membership, TableKind};
pub use rid::{Rid, RidPrefix};
pub(crate) use snapshot::parse_local;
pub use snapshot::{Snapshot, format_timestamp, parse_timestamp};
pub use spec::SpecError;
pub use types::{ColumnType, Storage};
pub use walk::{Hop, Step, Walk, WalkRules, is_outside, is_terminal};

/// Annotations, kept as they came.
pub type Annotations = serde_json::Map<String, serde_json::Value>;

/// The tag that marks an asset table's URL column.
pub const ASSET_TAG: &str = "tag:isrd.isi.edu,2017:asset";

/// The system columns, in the order in which every ERMrest table has them.
pub const SYSTEM_COLUMNS: [&str; 5] = ["RID", "RCT", "RMT", "RCB", "RMB"];

/// A catalog's model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model {
    /// The snapshot that it was read at.
    pub snaptime: Option<String>,
    /// The catalog's annotations.
    pub annotations: Annotations,
    /// The schemas by name, in the document's order.
    pub schemas: IndexMap<String, Schema>,
    /// What else the document says of it.
    pub rest: Rest,
}

/// A schema: a named group of tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// Its name.
    pub schema_name: String,
    /// What it is for.
    pub comment: Option<String>,
    /// Its annotations.
    pub annotations: Annotations,
    /// Its tables by name, in the document's order.
    pub tables: IndexMap<String, Table>,
    /// What else the document says of it.
    pub rest: Rest,
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The schema that it is in.
    pub schema_name: String,
    /// Its name.
    pub table_name: String,
    /// `table` or `view`.
    pub kind: String,
    /// What it is for.
    pub comment: Option<String>,
    /// Its columns in order, the system columns first.
    pub column_definitions: Vec<Column>,
    /// Its keys.
    pub keys: Vec<Key>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Its annotations.
    pub annotations: Annotations,
    /// What else the document says of it.
    pub rest: Rest,
}

fn table_kind() -> String {
    "table".into()
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name: any text.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether it may be NULL.
    pub nullok: bool,
    /// Its default value.
    pub default: Option<serde_json::Value>,
    /// What it is for.
    pub comment: Option<String>,
    /// Its annotations.
    pub annotations: Annotations,
    /// What else the document says of it.
    pub rest: Rest,
}

/// A key: columns whose values together are unique.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Schema and constraint name.
    pub names: Vec<(String, String)>,
    /// The columns.
    pub unique_columns: Vec<String>,
    /// What it is for.
    pub comment: Option<String>,
    /// Its annotations.
    pub annotations: Annotations,
    /// What else the document says of it.
    pub rest: Rest,
}

/// A column of a table of a schema.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnRef {
    /// The schema.
    pub schema_name: String,
    /// The table.
    pub table_name: String,
    /// The column.
    pub column_name: String,
    /// What else the document says of it.
    pub rest: Rest,
}

/// A foreign key; composite ones pair the columns of both lists in order.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignKey {
    /// Schema and constraint name.
    pub names: Vec<(String, String)>,
    /// The referring columns.
    pub foreign_key_columns: Vec<ColumnRef>,
    /// The columns referred to.
    pub referenced_columns: Vec<ColumnRef>,
    /// What happens when the other row goes.
    pub on_delete: String,
    /// What happens when the other row's key changes.
    pub on_update: String,
    /// What it is for.
    pub comment: Option<String>,
    /// Its annotations.
    pub annotations: Annotations,
    /// What else the document says of it.
    pub rest: Rest,
}

fn no_action() -> String {
    "NO ACTION".into()
}

impl Model {
    /// A table by schema and name.
    #[must_use]
    pub fn table(&self, schema: &str, table: &str) -> Option<&Table> {
        self.schemas.get(schema)?.tables.get(table)
    }

    /// Every table.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.schemas.values().flat_map(|schema| schema.tables.values())
    }

    /// The tables of that name, whatever their schema.
    #[must_use]
    pub fn tables_named(&self, name: &str) -> Vec<&Table> {
        self.tables().filter(|table| table.table_name == name).collect()
    }

    /// Adds or replaces a table, making its schema where it is new. What is new goes before the first of a
    /// later name.
    pub fn put_table(&mut self, table: Table) {
        if !self.schemas.contains_key(&table.schema_name) {
            put(&mut self.schemas, &table.schema_name, Schema::new(&table.schema_name));
        }
        if let Some(schema) = self.schemas.get_mut(&table.schema_name) {
            let name = table.table_name.clone();
            put(&mut schema.tables, &name, table);
        }
    }
}

/// Replaces what has the name, or puts it before the first of a later name.
fn put<V>(map: &mut IndexMap<String, V>, name: &str, value: V) {
    if let Some(known) = map.get_mut(name) {
        *known = value;
        return;
    }
    let at = map.keys().position(|other| other.as_str() > name).unwrap_or(map.len());
    map.shift_insert(at, name.to_owned(), value);
}

impl Schema {
    /// A schema without tables.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            schema_name: name.into(),
            comment: None,
            annotations: Annotations::new(),
            tables: IndexMap::new(),
            rest: Rest::default(),
        }
    }
}

impl Table {
    /// A table with the system columns and the key on RID.
    #[must_use]
    pub fn new(schema: &str, name: &str, comment: &str) -> Self {
        let system = |(name, typename, base, nullok): (&str, &str, &str, bool)| Column {
            nullok,
            ..Column::new(name, ColumnType::domain(typename, base))
        };
        let columns = [
            ("RID", "ermrest_rid", "text", false),
            ("RCT", "ermrest_rct", "timestamptz", false),
            ("RMT", "ermrest_rmt", "timestamptz", false),
            ("RCB", "ermrest_rcb", "text", true),
            ("RMB", "ermrest_rmb", "text", true),
        ];
        let mut table = Self {
            schema_name: schema.into(),
            table_name: name.into(),
            kind: table_kind(),
            comment: (!comment.is_empty()).then(|| comment.into()),
            column_definitions: columns.into_iter().map(system).collect(),
            keys: Vec::new(),
            foreign_keys: Vec::new(),
            annotations: Annotations::new(),
            rest: Rest::default(),
        };
        table.add_key(&["RID"]);
        table
    }

    /// The columns after the system columns.
    pub fn own_columns(&self) -> impl Iterator<Item = &Column> {
        self.column_definitions.iter().filter(|column| !SYSTEM_COLUMNS.contains(&column.name.as_str()))
    }

    /// A column by name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.column_definitions.iter().find(|column| column.name == name)
    }

    /// Adds a key with Deriva's constraint name.
    pub fn add_key(&mut self, columns: &[&str]) {
        let name = build::constraint_name(&[&self.table_name, &columns.join("_")], "key");
        self.keys.push(Key {
            names: vec![(self.schema_name.clone(), name)],
            unique_columns: columns.iter().map(|&column| column.to_owned()).collect(),
            comment: None,
            annotations: Annotations::new(),
            rest: Rest::default(),
        });
    }

    /// Adds a foreign key of one column with Deriva's constraint name.
    pub fn add_foreign_key(&mut self, column: &str, schema: &str, table: &str, referenced: &str) {
        let reference = |schema: &str, table: &str, column: &str| {
            vec![ColumnRef {
                schema_name: schema.into(),
                table_name: table.into(),
                column_name: column.into(),
                rest: Rest::default(),
            }]
        };
        self.foreign_keys.push(ForeignKey {
            names: vec![(
                self.schema_name.clone(),
                build::constraint_name(&[&self.table_name, column], "fkey"),
            )],
            foreign_key_columns: reference(&self.schema_name, &self.table_name, column),
            referenced_columns: reference(schema, table, referenced),
            on_delete: no_action(),
            on_update: no_action(),
            comment: None,
            annotations: Annotations::new(),
            rest: Rest::default(),
        });
    }

    /// The first key that is not the one on RID.
    #[must_use]
    pub fn natural_key(&self) -> Option<&[String]> {
        self.keys.iter().map(|key| key.unique_columns.as_slice()).find(|columns| *columns != ["RID"])
    }

    /// The name of its SQL table and of messages: `schema:Table`.
    #[must_use]
    pub fn qualified_name(&self) -> String {
        format!("{}:{}", self.schema_name, self.table_name)
    }
}

impl Column {
    /// A nullable column.
    #[must_use]
    pub fn new(name: &str, column_type: ColumnType) -> Self {
        Self {
            name: name.into(),
            column_type,
            nullok: true,
            default: None,
            comment: None,
            annotations: Annotations::new(),
            rest: Rest::default(),
        }
    }

    /// The same column, NOT NULL.
    #[must_use]
    pub fn required(self) -> Self {
        Self { nullok: false, ..self }
    }

    /// The same column with a comment.
    #[must_use]
    pub fn comment(self, comment: &str) -> Self {
        Self { comment: Some(comment.into()), ..self }
    }
}

#[cfg(test)]
mod tests;
