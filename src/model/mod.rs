//! The ERMrest model: schemas, tables, columns, keys and foreign keys, as `/schema` prints them.
//!
//! Owns the model's form, record ids and snapshot ids, and the tables of the `deriva-ml` schema. It holds no rows.

mod deriva_ml;
mod rid;
mod snapshot;
mod types;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use deriva_ml::{DERIVA_ML, deriva_ml_schema, membership_table};
pub use rid::{Rid, RidPrefix};
pub(crate) use snapshot::parse_local;
pub use snapshot::{Snapshot, format_timestamp, parse_timestamp};
pub use types::{ColumnType, Storage};

/// Annotations, kept as they came.
pub type Annotations = serde_json::Map<String, serde_json::Value>;

/// The tag that marks an asset table's URL column.
pub const ASSET_TAG: &str = "tag:isrd.isi.edu,2017:asset";

/// The system columns, in the order in which every ERMrest table has them.
pub const SYSTEM_COLUMNS: [&str; 5] = ["RID", "RCT", "RMT", "RCB", "RMB"];

/// A catalog's model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The snapshot that it was read at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snaptime: Option<String>,
    /// The catalog's annotations.
    #[serde(default)]
    pub annotations: Annotations,
    /// The schemas by name.
    pub schemas: BTreeMap<String, Schema>,
}

/// A schema: a named group of tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// Its name.
    pub schema_name: String,
    /// What it is for.
    #[serde(default)]
    pub comment: Option<String>,
    /// Its annotations.
    #[serde(default)]
    pub annotations: Annotations,
    /// Its tables by name.
    pub tables: BTreeMap<String, Table>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The schema that it is in.
    pub schema_name: String,
    /// Its name.
    pub table_name: String,
    /// `table` or `view`.
    #[serde(default = "table_kind")]
    pub kind: String,
    /// What it is for.
    #[serde(default)]
    pub comment: Option<String>,
    /// Its columns in order, the system columns first.
    pub column_definitions: Vec<Column>,
    /// Its keys.
    #[serde(default)]
    pub keys: Vec<Key>,
    /// Its foreign keys.
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
    /// Its annotations.
    #[serde(default)]
    pub annotations: Annotations,
}

fn table_kind() -> String {
    "table".into()
}

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name: any text.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Whether it may be NULL.
    #[serde(default = "yes")]
    pub nullok: bool,
    /// Its default value.
    #[serde(default)]
    pub default: Option<serde_json::Value>,
    /// What it is for.
    #[serde(default)]
    pub comment: Option<String>,
    /// Its annotations.
    #[serde(default)]
    pub annotations: Annotations,
}

fn yes() -> bool {
    true
}

/// A key: columns whose values together are unique.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// Schema and constraint name.
    #[serde(default)]
    pub names: Vec<(String, String)>,
    /// The columns.
    pub unique_columns: Vec<String>,
    /// What it is for.
    #[serde(default)]
    pub comment: Option<String>,
    /// Its annotations.
    #[serde(default)]
    pub annotations: Annotations,
}

/// A column of a table of a schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnRef {
    /// The schema.
    pub schema_name: String,
    /// The table.
    pub table_name: String,
    /// The column.
    pub column_name: String,
}

/// A foreign key; composite ones pair the columns of both lists in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Schema and constraint name.
    #[serde(default)]
    pub names: Vec<(String, String)>,
    /// The referring columns.
    pub foreign_key_columns: Vec<ColumnRef>,
    /// The columns referred to.
    pub referenced_columns: Vec<ColumnRef>,
    /// What happens when the other row goes.
    #[serde(default = "no_action")]
    pub on_delete: String,
    /// What happens when the other row's key changes.
    #[serde(default = "no_action")]
    pub on_update: String,
    /// What it is for.
    #[serde(default)]
    pub comment: Option<String>,
    /// Its annotations.
    #[serde(default)]
    pub annotations: Annotations,
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

    /// Adds or replaces a table, making its schema where it is new.
    pub fn put_table(&mut self, table: Table) {
        let schema = self.schemas.entry(table.schema_name.clone()).or_insert_with(|| Schema {
            schema_name: table.schema_name.clone(),
            comment: None,
            annotations: Annotations::new(),
            tables: BTreeMap::new(),
        });
        schema.tables.insert(table.table_name.clone(), table);
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
        let name = format!("{}_{}_key", self.table_name, columns.join("_"));
        self.keys.push(Key {
            names: vec![(self.schema_name.clone(), name)],
            unique_columns: columns.iter().map(|&column| column.to_owned()).collect(),
            comment: None,
            annotations: Annotations::new(),
        });
    }

    /// Adds a foreign key of one column with Deriva's constraint name.
    pub fn add_foreign_key(&mut self, column: &str, schema: &str, table: &str, referenced: &str) {
        let reference = |schema: &str, table: &str, column: &str| {
            vec![ColumnRef {
                schema_name: schema.into(),
                table_name: table.into(),
                column_name: column.into(),
            }]
        };
        self.foreign_keys.push(ForeignKey {
            names: vec![(self.schema_name.clone(), format!("{}_{column}_fkey", self.table_name))],
            foreign_key_columns: reference(&self.schema_name, &self.table_name, column),
            referenced_columns: reference(schema, table, referenced),
            on_delete: no_action(),
            on_update: no_action(),
            comment: None,
            annotations: Annotations::new(),
        });
    }

    /// The first key that is not the one on RID.
    #[must_use]
    pub fn natural_key(&self) -> Option<&[String]> {
        self.keys.iter().map(|key| key.unique_columns.as_slice()).find(|columns| *columns != ["RID"])
    }

    /// Whether it holds files: URL, Filename, Length and MD5, with the asset annotation on URL.
    #[must_use]
    pub fn is_asset(&self) -> bool {
        let url = self.column("URL").is_some_and(|url| url.annotations.contains_key(ASSET_TAG));
        url && ["Filename", "Length", "MD5"].iter().all(|name| self.column(name).is_some())
    }

    /// Whether it holds datasets' members: a key over two foreign keys, the first of them to a dataset.
    #[must_use]
    pub fn is_membership(&self) -> bool {
        let to_dataset = self.foreign_keys.first().is_some_and(|foreign_key| {
            foreign_key
                .referenced_columns
                .iter()
                .all(|column| column.schema_name == DERIVA_ML && column.table_name == "Dataset")
        });
        to_dataset && self.foreign_keys.len() == 2 && self.natural_key().is_some_and(|key| key.len() == 2)
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
mod tests {
    use super::*;

    #[test]
    fn the_model_is_read_as_it_is_written() {
        let mut model = Model::default();
        deriva_ml_schema().into_iter().for_each(|table| model.put_table(table));
        let json = serde_json::to_string(&model).unwrap();
        assert_eq!(serde_json::from_str::<Model>(&json).unwrap(), model);
    }

    #[test]
    fn members_of_the_document_that_dbag_does_not_use_are_no_error() {
        let json = r#"{"snaptime":"361-VCY3-TYV8","rights":{},"acls":{},"annotations":{},"schemas":{"s":{"schema_name":"s",
            "RID":"1","acls":{},"tables":{"T":{"schema_name":"s","table_name":"T","kind":"table","RID":"2",
            "column_definitions":[{"name":"a.b","type":{"typename":"text[]","is_array":true,"base_type":{"typename":"text"}}}]}}}}}"#;
        let model: Model = serde_json::from_str(json).unwrap();
        assert_eq!(
            model.table("s", "T").unwrap().column("a.b").unwrap().column_type.storage(),
            Storage::Array
        );
    }
}
