//! Terms in numbers, and terms changed: looked up in memory, since a vocabulary may have a hundred thousand.

use std::collections::{HashMap, HashSet};

use super::sql::quoted;
use super::vocabulary::{Term, synonyms_value};
use super::{CatalogError, Change};
use crate::model::{DERIVA_ML, Table, seed_terms};
use crate::tabular::Value;

/// What came of a term that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TermOutcome {
    /// It is new.
    Added,
    /// It has another description or other synonyms.
    Updated,
    /// It was there as it is.
    Unchanged,
}

/// A new description of a term, new synonyms, a new name.
#[derive(Debug, Clone, Copy, Default)]
pub struct TermChange<'a> {
    /// The new name. Rows that refer to the term follow.
    pub name: Option<&'a str>,
    /// The new description.
    pub description: Option<&'a str>,
    /// Whether the synonyms that it has go first.
    pub clear: bool,
    /// Synonyms that go.
    pub without: &'a [String],
    /// Synonyms that come.
    pub with: &'a [String],
}

/// Writes terms of a vocabulary.
pub struct TermWriter {
    vocabulary: Table,
    /// The terms by name.
    terms: HashMap<String, Term>,
    /// The name of the term that has a synonym.
    synonyms: HashMap<String, String>,
}

impl TermWriter {
    /// Reads the terms that are there.
    pub fn new(change: &Change<'_>, vocabulary: &Table) -> Result<Self, CatalogError> {
        let mut writer =
            Self { vocabulary: vocabulary.clone(), terms: HashMap::new(), synonyms: HashMap::new() };
        change.terms(vocabulary)?.into_iter().for_each(|term| writer.note(term));
        Ok(writer)
    }

    /// Makes a term, unless there is one of the name. That one gets this description and these synonyms if `update`, and
    /// else must have them already; what is `None` is left as it is.
    pub fn put(
        &mut self,
        change: &mut Change<'_>,
        name: &str,
        description: Option<&str>,
        synonyms: Option<&[String]>,
        update: bool,
    ) -> Result<TermOutcome, CatalogError> {
        let mut called = std::iter::once(name).chain(synonyms.unwrap_or_default().iter().map(String::as_str));
        if let Some((called, other)) =
            called.find_map(|called| Some((called, self.other_called(called, name)?)))
        {
            return Err(taken(&self.vocabulary, called, other));
        }
        let Some(old) = self.terms.get(name) else {
            let (description, synonyms) = (description.unwrap_or_default(), synonyms.unwrap_or_default());
            let rid = change.write_term(&self.vocabulary, name, description, synonyms)?;
            self.note(Term {
                rid: rid.to_string(),
                name: name.to_owned(),
                description: description.to_owned(),
                synonyms: synonyms.to_vec(),
            });
            return Ok(TermOutcome::Added);
        };
        let new = Term {
            description: description.map_or_else(|| old.description.clone(), str::to_owned),
            synonyms: synonyms.map_or_else(|| old.synonyms.clone(), <[String]>::to_vec),
            ..old.clone()
        };
        if new == *old {
            return Ok(TermOutcome::Unchanged);
        }
        if !update {
            let (vocabulary, term) = (self.vocabulary.table_name.clone(), name.to_owned());
            return Err(CatalogError::TermDiffers { vocabulary, term });
        }
        change.write_changed_term(&self.vocabulary, old, &new)?;
        self.synonyms.retain(|_, of| of != name);
        self.note(new);
        Ok(TermOutcome::Updated)
    }

    /// The term that has a name or synonym and is not the one of this name.
    fn other_called(&self, called: &str, name: &str) -> Option<&str> {
        let by_name = self.terms.get(called).map(|term| term.name.as_str());
        by_name.or_else(|| self.synonyms.get(called).map(String::as_str)).filter(|other| *other != name)
    }

    fn note(&mut self, term: Term) {
        for synonym in &term.synonyms {
            self.synonyms.entry(synonym.clone()).or_insert_with(|| term.name.clone());
        }
        self.terms.insert(term.name.clone(), term);
    }
}

fn taken(vocabulary: &Table, called: &str, term: &str) -> CatalogError {
    CatalogError::TermTaken {
        vocabulary: vocabulary.table_name.clone(),
        called: called.to_owned(),
        term: term.to_owned(),
    }
}

/// Refuses names that would be mistaken for others, or for none, and those that are given twice.
pub(super) fn check_term_names(name: &str, synonyms: &[String]) -> Result<(), CatalogError> {
    let mut seen = HashSet::new();
    for called in std::iter::once(name).chain(synonyms.iter().map(String::as_str)) {
        if called.is_empty() || called.trim() != called || called.contains(char::is_control) {
            return Err(CatalogError::BadTermName(called.to_owned()));
        }
        if !seen.insert(called) {
            return Err(CatalogError::GivenTwice(called.to_owned()));
        }
    }
    Ok(())
}

/// Refuses to take away a term that dbag or deriva-ml write by its name.
pub(super) fn check_not_kept(vocabulary: &Table, name: &str) -> Result<(), CatalogError> {
    let own = vocabulary.schema_name == DERIVA_ML;
    if own && seed_terms().iter().any(|(of, term, _)| *of == vocabulary.table_name && *term == name) {
        let (vocabulary, term) = (vocabulary.table_name.clone(), name.to_owned());
        return Err(CatalogError::TermKept { vocabulary, term });
    }
    Ok(())
}

impl Change<'_> {
    /// Changes a term, which may be called by a synonym. Returns what it was and is.
    pub fn change_term(
        &mut self,
        vocabulary: &Table,
        called: &str,
        new: &TermChange<'_>,
    ) -> Result<(Term, Term), CatalogError> {
        let name = self.known_term(vocabulary, called)?;
        let terms = self.terms(vocabulary)?;
        let Some(old) = terms.iter().find(|term| term.name == name) else {
            return Err(CatalogError::NoSuchRow(name));
        };
        let mut changed = old.clone();
        if new.clear {
            changed.synonyms.clear();
        }
        if let Some(missing) = new.without.iter().find(|synonym| !old.synonyms.contains(synonym)) {
            let (vocabulary, term) = (vocabulary.table_name.clone(), name);
            return Err(CatalogError::NoSuchSynonym { vocabulary, term, synonym: missing.clone() });
        }
        changed.synonyms.retain(|synonym| !new.without.contains(synonym));
        for synonym in new.with {
            if !changed.synonyms.contains(synonym) {
                changed.synonyms.push(synonym.clone());
            }
        }
        if let Some(description) = new.description {
            description.clone_into(&mut changed.description);
        }
        if let Some(name) = new.name {
            name.clone_into(&mut changed.name);
            changed.synonyms.retain(|synonym| synonym != name);
        }
        for called in std::iter::once(&changed.name).chain(&changed.synonyms) {
            let other = terms.iter().filter(|term| term.rid != old.rid);
            let mut other = other.filter(|term| term.name == *called || term.synonyms.contains(called));
            if let Some(other) = other.next() {
                return Err(taken(vocabulary, called, &other.name));
            }
        }
        let old = old.clone();
        if changed != old {
            self.write_changed_term(vocabulary, &old, &changed)?;
        }
        Ok((old, changed))
    }

    /// Writes what is new about a term, and to the rows that refer to its name.
    fn write_changed_term(&mut self, vocabulary: &Table, old: &Term, new: &Term) -> Result<(), CatalogError> {
        check_term_names(&new.name, &new.synonyms)?;
        if new.name != old.name {
            check_not_kept(vocabulary, &old.name)?;
        }
        let writer = self.writer(vocabulary)?;
        let text = |text: &str| Value::Text(text.to_owned());
        let mut columns = vec![("Name", text(&new.name)), ("Description", text(&new.description))];
        columns.push(("Synonyms", synonyms_value(&new.synonyms)));
        self.set(&writer, &old.rid, &columns)?;
        if new.name != old.name {
            self.follow_name(vocabulary, &old.name, &new.name)?;
        }
        Ok(())
    }

    fn follow_name(&mut self, vocabulary: &Table, old: &str, new: &str) -> Result<(), CatalogError> {
        let refers = |table: &Table| -> Vec<(Table, String)> {
            let keys = table.foreign_keys.iter();
            let to_it = keys.filter(|key| key.refers_to(&vocabulary.schema_name, &vocabulary.table_name));
            let columns =
                to_it.filter_map(|key| key.single().filter(|(_, referenced)| *referenced == "Name"));
            columns.map(|(column, _)| (table.clone(), column.to_owned())).collect()
        };
        let all: Vec<(Table, String)> = self.model().tables().flat_map(refers).collect();
        for (table, column) in all {
            let condition = format!("{} = {}", quoted(&column), super::sql::literal(old));
            let rids = self.rids_where(&table, Some(&condition))?;
            let table = self.follow_default(table, &column, old, new);
            let writer = self.writer(&table)?;
            for rid in rids {
                self.set(&writer, &rid, &[(&column, Value::Text(new.to_owned()))])?;
            }
        }
        Ok(())
    }

    /// A feature's name is the default of a column, which follows too.
    fn follow_default(&mut self, mut table: Table, column: &str, old: &str, new: &str) -> Table {
        let mut columns = table.column_definitions.iter_mut().filter(|known| known.name == column);
        let default = columns.find_map(|known| known.default.as_mut().filter(|text| *text == old));
        if let Some(default) = default {
            *default = new.into();
            self.replace(table.clone());
        }
        table
    }
}
