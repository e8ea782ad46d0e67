//! A CSV file into a vocabulary: a line for each term.

use std::io::BufReader;
use std::path::Path;

use super::IngestError;
use crate::catalog::{Catalog, CatalogError, Change, TermOutcome, TermWriter};
use crate::tabular::{CsvReader, SourceError, array_from_json, parse_array};

/// How to read terms.
#[derive(Debug, Clone, Copy)]
pub struct TermImport<'a> {
    /// The file, with a column Name and perhaps Description and Synonyms. Synonyms are an array of PostgreSQL's or JSON's
    /// form, or are separated by `|`.
    pub path: &'a Path,
    /// The vocabulary, made where it is new.
    pub vocabulary: &'a str,
    /// Whether terms that are there get the file's description and synonyms.
    pub update: bool,
    /// Whether only to say what would be done.
    pub dry_run: bool,
}

/// What became of a file's terms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TermReport {
    /// The vocabulary, as `schema:Table`.
    pub vocabulary: String,
    /// Whether it is new.
    pub created: bool,
    /// Terms that are new.
    pub added: u64,
    /// Terms that have another description or other synonyms now.
    pub updated: u64,
    /// Terms that were there already.
    pub unchanged: u64,
}

/// Adds the terms in a CSV file to a vocabulary: all of them or none.
pub fn import_terms(
    catalog: &mut Catalog,
    command: &str,
    import: &TermImport<'_>,
) -> Result<TermReport, IngestError> {
    let schema = catalog.domain_schema().to_owned();
    let read = |change: &mut Change<'_>| read(change, &schema, import);
    if import.dry_run { catalog.rehearse(read) } else { catalog.change(command, read) }
}

fn read(change: &mut Change<'_>, schema: &str, import: &TermImport<'_>) -> Result<TermReport, IngestError> {
    let path = import.path.to_owned();
    let csv = |source| IngestError::Source { path: path.clone(), source: SourceError::Csv(source) };
    let mut reader = CsvReader::new(BufReader::new(fs_err::File::open(import.path)?)).map_err(csv)?;
    let [name, description, synonyms] = layout(reader.header(), import)?;
    let found = match change.vocabulary(import.vocabulary) {
        Err(CatalogError::NoSuchTable { .. }) => None,
        found => Some(found?),
    };
    let created = found.is_none();
    let vocabulary = match found {
        Some(found) => found,
        None => change.put_vocabulary(schema, import.vocabulary, "")?,
    };
    let mut writer = TermWriter::new(change, &vocabulary)?;
    let mut report = TermReport { vocabulary: vocabulary.qualified_name(), created, ..TermReport::default() };
    let mut seen = std::collections::HashMap::new();
    while reader.next_record().map_err(csv)? {
        let line = reader.line();
        let field = |at: Option<usize>| at.and_then(|at| reader.field(at));
        let Some(term) = field(name) else {
            return Err(IngestError::EmptyKey { path, line, column: "Name".into() });
        };
        if let Some(first) = seen.insert(term.to_owned(), line) {
            return Err(IngestError::RepeatedKey { path, line, first });
        }
        let description = description.map(|_| field(description).unwrap_or_default());
        let synonyms = synonyms.map(|_| list(field(synonyms).unwrap_or_default()));
        let outcome = writer.put(change, term, description, synonyms.as_deref(), import.update);
        let outcome =
            outcome.map_err(|e| IngestError::AtLine { path: path.clone(), line, source: Box::new(e) });
        match outcome? {
            TermOutcome::Added => report.added += 1,
            TermOutcome::Updated => report.updated += 1,
            TermOutcome::Unchanged => report.unchanged += 1,
        }
    }
    Ok(report)
}

/// The fields with name, description and synonyms.
fn layout(header: &[String], import: &TermImport<'_>) -> Result<[Option<usize>; 3], IngestError> {
    let columns = ["Name", "Description", "Synonyms"];
    let found = columns.map(|known| header.iter().position(|field| field.eq_ignore_ascii_case(known)));
    if found[0].is_none() {
        let (column, columns) = ("Name".into(), header.join(", "));
        return Err(IngestError::NoSuchColumn { path: import.path.to_owned(), column, columns });
    }
    for field in header {
        if !columns.iter().any(|known| known.eq_ignore_ascii_case(field)) {
            return Err(IngestError::UnknownColumn {
                path: import.path.to_owned(),
                column: field.clone(),
                table: "a file of terms".into(),
                columns: columns.join(", "),
            });
        }
    }
    Ok(found)
}

fn list(text: &str) -> Vec<String> {
    let array = parse_array(text).or_else(|| array_from_json(text));
    match array {
        Some(elements) => elements.into_iter().flatten().collect(),
        None => text.split('|').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn synonyms_come_in_three_forms() {
        for text in ["OD|right, the| ", "{OD,\"right, the\"}", r#"["OD", "right, the"]"#] {
            assert_eq!(list(text), ["OD", "right, the"], "{text}");
        }
        assert!(list("").is_empty() && list("{}").is_empty());
    }
}
