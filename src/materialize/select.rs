//! Which of the files that are elsewhere are wanted: by table, by record, by bdbag's filters, by size.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use regex::Regex;

use super::MaterializeError;
use crate::bag::{Bag, FetchEntry};

/// Files of `fetch.txt` to fetch. One that is made of nothing takes them all; each part narrows it.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Assets of any of these tables.
    pub tables: Vec<String>,
    /// Assets of any of these records.
    pub rids: Vec<String>,
    /// Lines that pass every one of these.
    pub filters: Vec<FetchFilter>,
    /// In the order of `fetch.txt`, files as long as they fit into so many octets together.
    pub max_bytes: Option<u64>,
}

impl Selection {
    /// Whether everything is taken.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.tables.is_empty() && self.rids.is_empty() && self.filters.is_empty() && self.max_bytes.is_none()
    }

    /// What takes the lines of a bag's `fetch.txt`, each asked for once in its order.
    pub(super) fn chooser(&self) -> impl FnMut(&FetchEntry<'_>) -> bool + '_ {
        let mut left = self.max_bytes;
        move |entry| {
            if !self.takes(entry) {
                return false;
            }
            let Some(left) = &mut left else { return true };
            // A file of unknown length might be larger than all that is left.
            match entry.length.and_then(|length| left.checked_sub(length)) {
                Some(rest) => {
                    *left = rest;
                    true
                }
                None => false,
            }
        }
    }

    /// A selection that chooses nothing of a bag is a mistake.
    pub(super) fn check(&self, bag: &Bag) -> Result<(), MaterializeError> {
        let unbounded = Self { max_bytes: None, ..self.clone() };
        if unbounded.is_all() || bag.fetch().any(|entry| unbounded.takes(&entry)) {
            return Ok(());
        }
        let tables: Vec<String> = Self::tables_of(bag).into_iter().take(20).collect();
        let known = if self.tables.is_empty() || tables.is_empty() {
            String::new()
        } else {
            format!("; the bag has assets of {}", tables.join(", "))
        };
        Err(MaterializeError::NothingChosen { asked: unbounded.to_string(), known })
    }

    fn takes(&self, entry: &FetchEntry<'_>) -> bool {
        let path = entry.file.path();
        let asset = || Asset::of(path.as_str());
        let table = |asset: &Asset<'_>| self.tables.iter().any(|table| asset.is_of_table(table));
        let rid = |asset: &Asset<'_>| self.rids.iter().any(|rid| asset.is_of_record(rid));
        (self.tables.is_empty() || asset().is_some_and(|asset| table(&asset)))
            && (self.rids.is_empty() || asset().is_some_and(|asset| rid(&asset)))
            && self.filters.iter().all(|filter| filter.takes(entry))
    }

    /// The tables of a bag's assets, for whoever named one that is not there.
    fn tables_of(bag: &Bag) -> BTreeSet<String> {
        // Where the two orders can't be told apart, the common one is meant.
        bag.fetch()
            .filter_map(|entry| Asset::of(entry.file.path().as_str()).map(|asset| asset.second.to_owned()))
            .take(100_000)
            .collect()
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.tables.iter().map(|table| format!("--table {table}"));
        let rids = self.rids.iter().map(|rid| format!("--rid {rid}"));
        let filters =
            self.filters.iter().map(|filter| format!("--fetch-filter {filter:?}", filter = filter.text));
        f.write_str(&tables.chain(rids).chain(filters).collect::<Vec<_>>().join(" "))
    }
}

/// An asset's place in a bag: `data/asset/<RID>/<Table>/<Filename>`, or with record and table the other way round, as
/// one of deriva-ml's bag makers has it.
struct Asset<'p> {
    first: &'p str,
    second: &'p str,
}

impl<'p> Asset<'p> {
    fn of(path: &'p str) -> Option<Self> {
        let mut parts = path.strip_prefix("data/asset/")?.splitn(3, '/');
        let asset = Self { first: parts.next()?, second: parts.next()? };
        parts.next().map(|_| asset)
    }

    fn is_of_table(&self, table: &str) -> bool {
        // `schema:Table` names the same table; bags do not say the schema.
        let table = table.rsplit(':').next().unwrap_or(table);
        self.second == table || self.first == table
    }

    fn is_of_record(&self, rid: &str) -> bool {
        self.first.eq_ignore_ascii_case(rid) || self.second.eq_ignore_ascii_case(rid)
    }
}

/// One of bdbag's `--fetch-filter` expressions: a column of `fetch.txt`, an operator, and a value.
#[derive(Debug, Clone)]
pub struct FetchFilter {
    column: Column,
    test: Test,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Url,
    Length,
    Filename,
}

#[derive(Debug, Clone)]
enum Test {
    Equal(String),
    Unequal(String),
    Contains(String),
    Lacks(String),
    Begins(String),
    Ends(String),
    Matches(Regex),
    Compare(Relation, u64),
}

#[derive(Debug, Clone, Copy)]
enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The operators, each before those that it begins with.
const OPERATORS: [&str; 11] = ["==", "!=", "=*", "!*", "=~", "^*", "$*", ">=", "<=", ">", "<"];

/// An expression that is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{expression:?} is no fetch filter: {reason}")]
pub struct FilterError {
    expression: String,
    reason: String,
}

impl FromStr for FetchFilter {
    type Err = FilterError;

    /// Parses `url=*example.org`, `length<=1000`, `filename=~\.png$`. The first operator in the text is the one meant.
    fn from_str(text: &str) -> Result<Self, FilterError> {
        let fail = |reason: String| FilterError { expression: text.to_owned(), reason };
        let found = OPERATORS.iter().filter_map(|operator| Some((text.find(operator)?, *operator)));
        let first = found.min_by_key(|(at, operator)| (*at, std::cmp::Reverse(operator.len())));
        let (at, operator) =
            first.ok_or_else(|| fail(format!("it has none of the operators {}", OPERATORS.join(" "))))?;
        let column = match text[..at].trim() {
            "url" => Column::Url,
            "length" => Column::Length,
            "filename" => Column::Filename,
            other => return Err(fail(format!("there is no column {other:?}, but url, length and filename"))),
        };
        let value = text[at + operator.len()..].trim().to_owned();
        let relation = |relation| {
            if column != Column::Length {
                return Err(fail(format!("{operator} compares lengths only")));
            }
            let number = value.parse().map_err(|_| fail(format!("{value:?} is no number of bytes")))?;
            Ok(Test::Compare(relation, number))
        };
        let condition = match operator {
            "==" => Test::Equal(value),
            "!=" => Test::Unequal(value),
            "=*" => Test::Contains(value),
            "!*" => Test::Lacks(value),
            "^*" => Test::Begins(value),
            "$*" => Test::Ends(value),
            "=~" => Test::Matches(Regex::new(&value).map_err(|error| fail(error.to_string()))?),
            ">=" => relation(Relation::GreaterOrEqual)?,
            "<=" => relation(Relation::LessOrEqual)?,
            ">" => relation(Relation::Greater)?,
            _ => relation(Relation::Less)?,
        };
        Ok(Self { column, test: condition, text: text.to_owned() })
    }
}

impl fmt::Display for FetchFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FetchFilter {
    fn takes(&self, entry: &FetchEntry<'_>) -> bool {
        if let Test::Compare(relation, number) = &self.test {
            // An unknown length is neither more nor less than any.
            return entry.length.is_some_and(|length| match relation {
                Relation::Less => length < *number,
                Relation::LessOrEqual => length <= *number,
                Relation::Greater => length > *number,
                Relation::GreaterOrEqual => length >= *number,
            });
        }
        let said = |length: Option<u64>| length.map_or_else(|| "-".to_owned(), |length| length.to_string());
        let text: Cow<'_, str> = match self.column {
            Column::Url => entry.url.to_string().into(),
            Column::Filename => entry.file.path().as_str().into(),
            Column::Length => said(entry.length).into(),
        };
        match &self.test {
            Test::Equal(value) => text == *value,
            Test::Unequal(value) => text != *value,
            Test::Contains(value) => text.contains(value.as_str()),
            Test::Lacks(value) => !text.contains(value.as_str()),
            Test::Begins(value) => text.starts_with(value.as_str()),
            Test::Ends(value) => text.ends_with(value.as_str()),
            Test::Matches(regex) => regex.is_match(&text),
            Test::Compare(..) => false,
        }
    }
}
