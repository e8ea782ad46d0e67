//! What a table is: told by its columns, keys and foreign keys, never by its name.
//!
//! Only the few tables that everything hangs on are known by name: `Dataset`, `Execution` and `Feature_Name`
//! of the `deriva-ml` schema.

use super::{ASSET_TAG, Column, DERIVA_ML, ForeignKey, Key, Model, SYSTEM_COLUMNS, Table};

/// The schemas that hold no one's data: the server's own, the catalog's web pages, and `deriva-ml`'s.
const OTHER_SCHEMAS: [&str; 5] = ["public", "www", "WWW", DERIVA_ML, "_acl_admin"];

/// The columns that a vocabulary is known by, with their types.
const TERM_COLUMNS: [(&str, &str); 5] = [
    ("ID", "ermrest_curie"),
    ("URI", "ermrest_uri"),
    ("Name", "text"),
    ("Description", "markdown"),
    ("Synonyms", "text[]"),
];

/// What a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableKind {
    /// Terms: see [`Table::is_vocabulary`].
    Vocabulary,
    /// Files: see [`Table::asset_form`].
    Asset,
    /// Which rows, or nested datasets, belong to which datasets: see [`Model::memberships`].
    Membership,
    /// What executions found out about rows: see [`Model::features`].
    Feature,
    /// Another table that joins rows of two or more tables: see [`Table::association`].
    Association,
    /// Anything else.
    Plain,
}

impl TableKind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vocabulary => "vocabulary",
            Self::Asset => "asset",
            Self::Membership => "membership",
            Self::Feature => "feature",
            Self::Association => "association",
            Self::Plain => "table",
        }
    }
}

/// By which sign an asset table is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssetForm {
    /// URL, Filename, Length and MD5, the asset annotation on URL, and URL, Length and MD5 NOT NULL.
    Current,
    /// The same with nullable columns, or the names alone with Description and no annotation, as older
    /// catalogs have it.
    Legacy,
}

/// How a table joins others: a key over two or more foreign keys.
#[derive(Debug, Clone)]
pub struct Association<'m> {
    /// The key.
    pub key: &'m Key,
    /// The foreign keys in it, in the table's order. No two have a column in common.
    pub foreign_keys: Vec<&'m ForeignKey>,
    /// The key's columns that are in none of these foreign keys.
    pub qualifiers: Vec<&'m str>,
    /// The table's own columns outside the key.
    pub extra: Vec<&'m Column>,
}

impl Association<'_> {
    /// How many tables' rows it joins.
    #[must_use]
    pub fn arity(&self) -> usize {
        self.foreign_keys.len()
    }

    /// Whether it says nothing beyond its key.
    #[must_use]
    pub fn is_pure(&self) -> bool {
        self.extra.is_empty()
    }

    /// Whether its key is nothing but foreign keys.
    #[must_use]
    pub fn is_unqualified(&self) -> bool {
        self.qualifiers.is_empty()
    }
}

/// An association between datasets and the rows of an element table.
#[derive(Debug, Clone)]
pub struct Membership<'m> {
    /// The association.
    pub table: &'m Table,
    /// Its column with the dataset's RID.
    pub dataset_column: &'m str,
    /// Its column with the member's RID.
    pub element_column: &'m str,
    /// The members' table; `deriva-ml:Dataset` itself for nested datasets.
    pub element: &'m Table,
}

impl Membership<'_> {
    /// Whether the members are datasets within the dataset.
    #[must_use]
    pub fn is_nesting(&self) -> bool {
        is_ml(self.element, "Dataset")
    }
}

/// The table that gives an asset table's files their types.
#[derive(Debug, Clone)]
pub struct AssetTypes<'m> {
    /// The association.
    pub table: &'m Table,
    /// Its column with the asset.
    pub asset_column: &'m str,
    /// Its column with the type.
    pub type_column: &'m str,
    /// The vocabulary of types.
    pub vocabulary: &'m Table,
}

/// The table that says which executions used or made an asset table's files.
#[derive(Debug, Clone)]
pub struct AssetExecutions<'m> {
    /// The association.
    pub table: &'m Table,
    /// Its column with the asset.
    pub asset_column: &'m str,
    /// Its column with the execution.
    pub execution_column: &'m str,
    /// Its column that says whether the file was input or output; the oldest catalogs have none.
    pub role_column: Option<&'m str>,
}

impl ForeignKey {
    /// The one column that refers and the one referred to; `None` for a composite key.
    #[must_use]
    pub fn single(&self) -> Option<(&str, &str)> {
        match (self.foreign_key_columns.as_slice(), self.referenced_columns.as_slice()) {
            ([from], [to]) => Some((&from.column_name, &to.column_name)),
            _ => None,
        }
    }

    /// Whether it refers to a table.
    #[must_use]
    pub fn refers_to(&self, schema: &str, table: &str) -> bool {
        let same = |(s, t): (&str, &str)| s == schema && t == table;
        self.referenced_table().is_some_and(same)
    }

    /// Schema and name of the table that it refers to; `None` where it has no columns.
    #[must_use]
    pub fn referenced_table(&self) -> Option<(&str, &str)> {
        let first = self.referenced_columns.first()?;
        Some((&first.schema_name, &first.table_name))
    }
}

impl Table {
    /// Whether it holds terms: ID, URI, Name, Description and Synonyms of the types that deriva-ml gives
    /// them. Other columns, nullability and keys don't matter.
    #[must_use]
    pub fn is_vocabulary(&self) -> bool {
        TERM_COLUMNS.iter().all(|(name, typename)| {
            self.column(name).is_some_and(|column| column.column_type.typename == *typename)
        })
    }

    /// Whether it holds files, and by which sign it is known.
    #[must_use]
    pub fn asset_form(&self) -> Option<AssetForm> {
        let has = |name: &str| self.column(name).is_some();
        let required = |name: &&str| self.column(name).is_some_and(|column| !column.nullok);
        if self.is_asset() {
            let current = ["URL", "Length", "MD5"].iter().all(required);
            return Some(if current { AssetForm::Current } else { AssetForm::Legacy });
        }
        let named = ["URL", "Filename", "Length", "MD5", "Description"].into_iter().all(has);
        named.then_some(AssetForm::Legacy)
    }

    /// Whether it is marked as holding files: URL, Filename, Length and MD5, with the asset annotation on
    /// URL.
    #[must_use]
    pub fn is_asset(&self) -> bool {
        let url = self.column("URL").is_some_and(|url| url.annotations.contains_key(ASSET_TAG));
        url && ["Filename", "Length", "MD5"].iter().all(|name| self.column(name).is_some())
    }

    /// How it joins other tables: by the longest of its keys that covers two or more foreign keys.
    /// System columns make no association.
    #[must_use]
    pub fn association(&self) -> Option<Association<'_>> {
        let mut keys: Vec<&Key> = self.keys.iter().filter(|key| key.unique_columns.len() > 1).collect();
        keys.retain(|key| !key.unique_columns.iter().any(|column| SYSTEM_COLUMNS.contains(&column.as_str())));
        keys.sort_by_key(|key| std::cmp::Reverse(key.unique_columns.len()));
        keys.into_iter().find_map(|key| self.association_by(key))
    }

    fn association_by<'m>(&'m self, key: &'m Key) -> Option<Association<'m>> {
        let in_key = |column: &str| key.unique_columns.iter().any(|other| other == column);
        let mut covered: Vec<&str> = Vec::new();
        let mut foreign_keys = Vec::new();
        for foreign_key in &self.foreign_keys {
            let mut columns =
                foreign_key.foreign_key_columns.iter().map(|column| column.column_name.as_str());
            if foreign_key.foreign_key_columns.is_empty() || !columns.clone().all(in_key) {
                continue;
            }
            if columns.clone().any(|column| covered.contains(&column)) {
                return None;
            }
            covered.extend(&mut columns);
            foreign_keys.push(foreign_key);
        }
        let names = key.unique_columns.iter().map(String::as_str);
        (foreign_keys.len() > 1).then(|| Association {
            key,
            foreign_keys,
            qualifiers: names.filter(|column| !covered.contains(column)).collect(),
            extra: self.own_columns().filter(|column| !in_key(&column.name)).collect(),
        })
    }

    /// What joins exactly two tables, each by one column.
    fn binary(&self) -> Option<(Association<'_>, [Side<'_>; 2])> {
        let association = self.association().filter(Association::is_unqualified)?;
        let [first, second] = association.foreign_keys.as_slice() else { return None };
        let sides = [Side::of(first)?, Side::of(second)?];
        Some((association, sides))
    }
}

/// One foreign key of an association.
#[derive(Clone, Copy)]
struct Side<'m> {
    foreign_key: &'m ForeignKey,
    column: &'m str,
    referenced: &'m str,
}

impl<'m> Side<'m> {
    fn of(foreign_key: &'m ForeignKey) -> Option<Self> {
        let (column, referenced) = foreign_key.single()?;
        Some(Self { foreign_key, column, referenced })
    }

    fn is_to_ml(self, table: &str) -> bool {
        self.foreign_key.refers_to(DERIVA_ML, table)
    }
}

/// Both orders of two sides.
fn either_way([first, second]: [Side<'_>; 2]) -> [(Side<'_>, Side<'_>); 2] {
    [(first, second), (second, first)]
}

pub(super) fn is_ml(table: &Table, name: &str) -> bool {
    table.schema_name == DERIVA_ML && table.table_name == name
}

impl Model {
    /// What a table of this model is.
    #[must_use]
    pub fn kind(&self, table: &Table) -> TableKind {
        if table.is_vocabulary() {
            TableKind::Vocabulary
        } else if table.asset_form().is_some() {
            TableKind::Asset
        } else if self.membership(table).is_some() {
            TableKind::Membership
        } else if self.feature(table).is_some() {
            TableKind::Feature
        } else if table.association().is_some() {
            TableKind::Association
        } else {
            TableKind::Plain
        }
    }

    /// The schemas of the lab's own tables: all but the server's, the web pages' and `deriva-ml`.
    pub fn domain_schemas(&self) -> impl Iterator<Item = &super::Schema> {
        self.schemas.values().filter(|schema| !OTHER_SCHEMAS.contains(&schema.schema_name.as_str()))
    }

    /// The table that a foreign key refers to.
    #[must_use]
    pub fn referenced(&self, foreign_key: &ForeignKey) -> Option<&Table> {
        let (schema, table) = foreign_key.referenced_table()?;
        self.table(schema, table)
    }

    /// The associations between datasets and element tables, nested datasets among them, in the model's
    /// order.
    #[must_use]
    pub fn memberships(&self) -> Vec<Membership<'_>> {
        self.tables().filter_map(|table| self.membership(table)).collect()
    }

    /// A table as membership: nothing but a key over two foreign keys, one to a dataset's RID, the other to
    /// the RID of a row that can be a member: one of any schema but `deriva-ml`, or a dataset or file there.
    #[must_use]
    pub fn membership<'m>(&'m self, table: &'m Table) -> Option<Membership<'m>> {
        let (association, sides) = table.binary()?;
        if !association.is_pure() || sides.iter().any(|side| side.referenced != "RID") {
            return None;
        }
        let mut ways = either_way(sides);
        // Of two columns that refer to datasets, the one called so is the outer's.
        ways.sort_by_key(|(dataset, _)| dataset.column != "Dataset");
        ways.into_iter().filter(|(dataset, _)| dataset.is_to_ml("Dataset")).find_map(|(dataset, member)| {
            let element = self.referenced(member.foreign_key)?;
            let can_be_member = element.schema_name != DERIVA_ML
                || is_ml(element, "Dataset")
                || element.asset_form().is_some();
            can_be_member.then_some(Membership {
                table,
                dataset_column: dataset.column,
                element_column: member.column,
                element,
            })
        })
    }

    /// The tables that give an asset table's files their types: associations with a vocabulary of
    /// `deriva-ml`. A table has one, called `{T}_Asset_Type` today; older catalogs have other names and refer
    /// to other vocabularies.
    #[must_use]
    pub fn asset_types<'m>(&'m self, asset: &Table) -> Vec<AssetTypes<'m>> {
        let of = |table: &'m Table| {
            let (_, sides) = table.binary()?;
            either_way(sides).into_iter().find_map(|(to_asset, to_type)| {
                let vocabulary = self.referenced(to_type.foreign_key)?;
                let types = vocabulary.schema_name == DERIVA_ML && vocabulary.is_vocabulary();
                (types && to_asset.foreign_key.refers_to(&asset.schema_name, &asset.table_name)).then_some(
                    AssetTypes {
                        table,
                        asset_column: to_asset.column,
                        type_column: to_type.column,
                        vocabulary,
                    },
                )
            })
        };
        self.tables().filter_map(of).collect()
    }

    /// The tables that say which executions used or made an asset table's files: associations with
    /// `deriva-ml:Execution`. A table has one, called `{T}_Execution` today.
    #[must_use]
    pub fn asset_executions<'m>(&'m self, asset: &Table) -> Vec<AssetExecutions<'m>> {
        let of = |table: &'m Table| {
            if self.feature(table).is_some() {
                return None;
            }
            let (_, sides) = table.binary()?;
            either_way(sides).into_iter().find_map(|(to_asset, to_execution)| {
                let both = to_execution.is_to_ml("Execution")
                    && to_asset.foreign_key.refers_to(&asset.schema_name, &asset.table_name);
                both.then(|| AssetExecutions {
                    table,
                    asset_column: to_asset.column,
                    execution_column: to_execution.column,
                    role_column: self.role_column(table),
                })
            })
        };
        self.tables().filter_map(of).collect()
    }

    /// The column with a term of `deriva-ml`.
    fn role_column<'m>(&self, table: &'m Table) -> Option<&'m str> {
        table.foreign_keys.iter().find_map(|foreign_key| {
            let (column, _) = foreign_key.single()?;
            let vocabulary = self.referenced(foreign_key)?;
            (vocabulary.schema_name == DERIVA_ML && vocabulary.is_vocabulary()).then_some(column)
        })
    }
}
