//! Tables in the forms that deriva-ml makes: vocabularies, assets, features, associations.

use serde_json::json;

use super::rid::ALPHABET;
use super::{ASSET_TAG, Annotations, Column, ColumnType, DERIVA_ML, Table};

/// PostgreSQL cuts longer names off.
const MAX_NAME: usize = 63;

/// What a feature's values are.
#[derive(Debug, Clone, Copy, Default)]
pub struct FeatureColumns<'a> {
    /// The asset tables whose files are values; a column is called after the table.
    pub assets: &'a [&'a Table],
    /// The vocabularies whose terms are values.
    pub terms: &'a [&'a Table],
    /// Other tables whose rows are values.
    pub references: &'a [&'a Table],
    /// Columns of plain values.
    pub values: &'a [Column],
    /// The columns that may be NULL, whatever they are above.
    pub optional: &'a [&'a str],
    /// What the feature is.
    pub comment: &'a str,
}

/// What a column of an association refers to.
pub(super) struct End<'a> {
    pub column: &'a str,
    pub schema: &'a str,
    pub table: &'a str,
    pub referenced: &'a str,
}

impl<'a> End<'a> {
    /// The column is called after the table; a term goes by its name, another row by its RID.
    pub(super) fn of(table: &'a Table) -> Self {
        let referenced = if table.is_vocabulary() { "Name" } else { "RID" };
        Self { column: &table.table_name, schema: &table.schema_name, table: &table.table_name, referenced }
    }

    /// A row of a table of `deriva-ml`.
    pub(super) fn ml(table: &'a str) -> Self {
        Self { column: table, schema: DERIVA_ML, table, referenced: "RID" }
    }

    /// A term of a vocabulary of `deriva-ml`.
    pub(super) fn ml_term(vocabulary: &'a str) -> Self {
        Self { referenced: "Name", ..Self::ml(vocabulary) }
    }
}

/// A vocabulary: the five typed columns that deriva-ml knows one by. New terms get their ID and URI from the
/// server by the columns' defaults.
#[must_use]
pub fn vocabulary(schema: &str, name: &str, comment: &str) -> Table {
    vocabulary_of(schema, name, comment, schema)
}

/// A vocabulary whose terms' IDs begin with `project`.
pub(super) fn vocabulary_of(schema: &str, name: &str, comment: &str, project: &str) -> Table {
    let mut table = Table::new(schema, name, comment);
    let domain = |name: &str, typename: &str, comment: &str| {
        Column::new(name, ColumnType::domain(typename, "text")).required().comment(comment)
    };
    let default = |template: String| Some(json!(template));
    table.column_definitions.extend([
        Column {
            default: default(format!("{project}:{{RID}}")),
            ..domain("ID", "ermrest_curie", "The term's compact URI")
        },
        Column { default: default("/id/{RID}".into()), ..domain("URI", "ermrest_uri", "The term's URI") },
        Column::new("Name", ColumnType::new("text")).required().comment("What people call the term"),
        domain("Description", "markdown", "What the term means"),
        Column::new("Synonyms", ColumnType::array("text")).comment("Other names of the term"),
    ]);
    for column in ["ID", "URI", "Name"] {
        table.add_key(&[column]);
    }
    table
}

/// An asset table with columns of its own, then the two tables that go with it: `{name}_Asset_Type` and
/// `{name}_Execution`. The template of new files' paths in Hatrac is deriva-py's.
#[must_use]
pub fn asset_table(schema: &str, name: &str, columns: &[Column]) -> [Table; 3] {
    let file = "{{{MD5}}}.{{#encode}}{{{Filename}}}{{/encode}}";
    let hatrac = format!("/hatrac/{{{{$catalog.id}}}}/{schema}/{name}/{file}");
    let mut tables = asset_tables(schema, name, Some(&hatrac));
    tables[0].column_definitions.extend_from_slice(columns);
    tables
}

/// An asset table and its companions; `hatrac` is the template of new files' paths.
pub(super) fn asset_tables(schema: &str, name: &str, hatrac: Option<&str>) -> [Table; 3] {
    let mut table = Table::new(schema, name, "Files, one a row");
    let mut asset = json!({"filename_column": "Filename", "byte_count_column": "Length", "md5": "MD5"});
    if let Some(template) = hatrac {
        asset["url_pattern"] = json!(template);
    }
    let annotations = Annotations::from_iter([(ASSET_TAG.to_owned(), asset)]);
    let text = |name: &str, comment: &str| Column::new(name, ColumnType::new("text")).comment(comment);
    table.column_definitions.extend([
        Column { annotations, ..text("URL", "Where the bytes are").required() },
        text("Filename", "The file's name"),
        Column::new("Description", ColumnType::domain("markdown", "text")).comment("What the file is"),
        Column::new("Length", ColumnType::new("int8")).required().comment("Length in bytes"),
        text("MD5", "MD5 of the bytes").required(),
    ]);
    table.add_key(&["URL"]);
    let types = association(
        schema,
        &format!("{name}_Asset_Type"),
        "The types of files",
        &[End::of(&table), End::ml_term("Asset_Type")],
    );
    let mut executions = association(
        schema,
        &format!("{name}_Execution"),
        "The executions that used or made files",
        &[End::of(&table), End::ml("Execution")],
    );
    add_reference(&mut executions, &End::ml_term("Asset_Role"), false);
    [table, types, executions]
}

/// The table of a feature of `target`'s rows, `Execution_{target}_{name}`. The name must be a term of
/// `deriva-ml:Feature_Name`.
#[must_use]
pub fn feature_table(schema: &str, target: &Table, name: &str, columns: &FeatureColumns<'_>) -> Table {
    let own_name = format!("Execution_{}_{name}", target.table_name);
    let ends = [End::ml("Execution"), End::of(target), End::ml_term("Feature_Name")];
    let mut table = association(schema, &own_name, columns.comment, &ends);
    for other in columns.assets.iter().chain(columns.terms).chain(columns.references) {
        add_reference(&mut table, &End::of(other), false);
    }
    table.column_definitions.extend_from_slice(columns.values);
    for column in &mut table.column_definitions {
        column.nullok |= columns.optional.contains(&column.name.as_str());
        if column.name == "Feature_Name" {
            column.default = Some(json!(name));
        }
    }
    table
}

/// A table that joins rows of others: a NOT NULL column for each, all of them the key, and rows that go with
/// the rows that they join.
pub(super) fn association(schema: &str, name: &str, comment: &str, ends: &[End<'_>]) -> Table {
    let mut table = Table::new(schema, name, comment);
    for end in ends {
        add_reference(&mut table, end, false);
    }
    let columns: Vec<&str> = ends.iter().map(|end| end.column).collect();
    table.add_key(&columns);
    if let Some((_, key)) = table.keys.last_mut().and_then(|key| key.names.first_mut()) {
        *key = constraint_name(&[name], "assoc_key");
    }
    table
}

/// A column that refers to a row which it goes with: deleting or renaming the one does the same to the other.
pub(super) fn add_reference(table: &mut Table, end: &End<'_>, nullok: bool) {
    let column = Column { nullok, ..Column::new(end.column, ColumnType::new("text")) };
    table.column_definitions.push(column);
    table.add_foreign_key(end.column, end.schema, end.table, end.referenced);
    if let Some(foreign_key) = table.foreign_keys.last_mut() {
        foreign_key.on_delete = "CASCADE".into();
        foreign_key.on_update = "CASCADE".into();
    }
}

/// A constraint's name in Deriva's form, `{parts}_{suffix}`; a longer one than PostgreSQL takes is cut and
/// told apart by a checksum of the whole.
pub(super) fn constraint_name(parts: &[&str], suffix: &str) -> String {
    let whole = format!("{}_{suffix}", parts.join("_"));
    if whole.len() <= MAX_NAME {
        return whole;
    }
    let sum = crc32fast::hash(whole.as_bytes());
    let symbols = (0..7).map(|at| char::from(ALPHABET[(sum >> (5 * at) & 31) as usize]));
    let end = format!("..{}_{suffix}", symbols.collect::<String>());
    let room = MAX_NAME.saturating_sub(end.len());
    let cut = (0..=room).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
    format!("{}{end}", &whole[..cut])
}
