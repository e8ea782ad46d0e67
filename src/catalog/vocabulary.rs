//! Vocabularies and their terms: what a label may say, with synonyms.

use rusqlite::OptionalExtension;

use super::read::for_each_row;
use super::sql::quoted;
use super::tables::check_free_name;
use super::terms::{check_not_kept, check_term_names};
use super::{Catalog, CatalogError, Change};
use crate::model::{Rid, Storage, Table, vocabulary};
use crate::tabular::{Value, format_array, parse_array};

/// A term of a vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Its RID.
    pub rid: String,
    /// Its name: what rows refer to.
    pub name: String,
    /// What it means.
    pub description: String,
    /// Its other names.
    pub synonyms: Vec<String>,
}

impl Change<'_> {
    /// Makes a vocabulary in a schema.
    pub fn put_vocabulary(&mut self, schema: &str, name: &str, comment: &str) -> Result<Table, CatalogError> {
        check_free_name(name)?;
        let table = vocabulary(schema, name, comment);
        self.put_table(table.clone())?;
        Ok(table)
    }

    /// A vocabulary by its table's name.
    pub fn vocabulary(&self, name: &str) -> Result<Table, CatalogError> {
        let table = self.table(name)?;
        if table.is_vocabulary() { Ok(table) } else { Err(CatalogError::NotAVocabulary(table.table_name)) }
    }

    /// The name of the term that is called so: by its name, else by a synonym, exactly.
    pub fn term(&self, vocabulary: &Table, called: &str) -> Result<Option<String>, CatalogError> {
        let rows = self.now(vocabulary);
        let by_name = format!("SELECT \"Name\" FROM ({rows}) WHERE \"Name\" = ?");
        let found = self.transaction.prepare_cached(&by_name).and_then(|mut statement| {
            statement.query_row([called], |row| row.get::<_, String>(0)).optional()
        });
        if let Some(name) = found.map_err(|e| self.fail(e))? {
            return Ok(Some(name));
        }
        let named = |term: Term| term.synonyms.iter().any(|synonym| synonym == called).then_some(term.name);
        Ok(self.terms(vocabulary)?.into_iter().find_map(named))
    }

    /// The same; a term that is not there is an error that names those that are.
    pub fn known_term(&self, vocabulary: &Table, called: &str) -> Result<String, CatalogError> {
        match self.term(vocabulary, called)? {
            Some(name) => Ok(name),
            None => Err(CatalogError::UnknownTerm {
                vocabulary: vocabulary.table_name.clone(),
                term: called.to_owned(),
                terms: self.terms(vocabulary)?.into_iter().map(|term| term.name).take(50).collect(),
            }),
        }
    }

    /// Every term by name.
    pub fn terms(&self, vocabulary: &Table) -> Result<Vec<Term>, CatalogError> {
        let sql = format!(
            "SELECT \"RID\", \"Name\", \"Description\", \"Synonyms\" FROM ({}) ORDER BY {}",
            self.now(vocabulary),
            quoted("Name")
        );
        let mut terms = Vec::new();
        for_each_row(self.transaction(), self.path(), &sql, &[Storage::Text; 4], |row| {
            let text = |at: usize| row[at].to_text().unwrap_or_default().into_owned();
            let synonyms = parse_array(&text(3)).unwrap_or_default().into_iter().flatten().collect();
            terms.push(Term { rid: text(0), name: text(1), description: text(2), synonyms });
            Ok::<_, CatalogError>(())
        })?;
        Ok(terms)
    }

    /// Adds a term. Neither its name nor a synonym may be called so already.
    pub fn insert_term(
        &mut self,
        vocabulary: &Table,
        name: &str,
        description: &str,
        synonyms: &[String],
    ) -> Result<Rid, CatalogError> {
        for called in std::iter::once(name).chain(synonyms.iter().map(String::as_str)) {
            if let Some(taken) = self.term(vocabulary, called)? {
                return Err(CatalogError::TermTaken {
                    vocabulary: vocabulary.table_name.clone(),
                    called: called.to_owned(),
                    term: taken,
                });
            }
        }
        self.write_term(vocabulary, name, description, synonyms)
    }

    /// The same, where it is known that nothing is called so.
    pub(super) fn write_term(
        &mut self,
        vocabulary: &Table,
        name: &str,
        description: &str,
        synonyms: &[String],
    ) -> Result<Rid, CatalogError> {
        check_term_names(name, synonyms)?;
        let rid = self.new_rid();
        let text = |text: &str| Value::Text(text.to_owned());
        // The templates of the columns' defaults, which a server would fill.
        let filled = |column: &str| {
            let default = vocabulary.column(column).and_then(|column| column.default.as_ref());
            let template = default.and_then(serde_json::Value::as_str).unwrap_or("{RID}");
            text(&template.replace("{RID}", rid.as_str()))
        };
        let writer = self.writer(vocabulary)?;
        let values = writer.row(&[
            ("ID", filled("ID")),
            ("URI", filled("URI")),
            ("Name", text(name)),
            ("Description", text(description)),
            ("Synonyms", synonyms_value(synonyms)),
        ]);
        let system = super::SystemValues { rid: Some(rid), ..Default::default() };
        self.insert_as(&writer, &system, &values)
    }

    /// Deletes a term that no row refers to. Returns its name: it may be called by a synonym.
    pub fn delete_term(&mut self, vocabulary: &Table, name: &str) -> Result<String, CatalogError> {
        let name = self.known_term(vocabulary, name)?;
        check_not_kept(vocabulary, &name)?;
        let term = self.terms(vocabulary)?.into_iter().find(|term| term.name == name);
        // Rows that use it would go with it, where the reference says CASCADE: labels are not lost by the way.
        let Some(term) = term else { return Err(CatalogError::NoSuchRow(name)) };
        if let Some((table, rid)) = self.dependents(vocabulary, &term.rid)?.into_iter().next() {
            return Err(CatalogError::StillReferred {
                table: vocabulary.table_name.clone(),
                rid: name,
                other: table.table_name,
                by: rid,
            });
        }
        self.delete(vocabulary, &term.rid)?;
        Ok(name)
    }
}

impl Catalog {
    /// The vocabularies, with the number of their terms.
    pub fn vocabularies(&self) -> Result<Vec<(Table, u64)>, CatalogError> {
        let model = self.model()?;
        let tables = model.tables().filter(|table| table.is_vocabulary());
        tables.map(|table| Ok((table.clone(), self.count(table)?))).collect()
    }

    /// The terms of a vocabulary, by name.
    pub fn terms(&mut self, vocabulary: &str) -> Result<(Table, Vec<Term>), CatalogError> {
        self.look(|change| {
            let table = change.vocabulary(vocabulary)?;
            let terms = change.terms(&table)?;
            Ok((table, terms))
        })
    }
}

pub(super) fn synonyms_value(synonyms: &[String]) -> Value {
    let elements: Vec<Option<&str>> = synonyms.iter().map(|synonym| Some(synonym.as_str())).collect();
    if elements.is_empty() { Value::Null } else { Value::Text(format_array(&elements)) }
}
