//! The forms of `dbag.toml`, which says which versions of datasets a project works with, and of `dbag.lock`, which says
//! exactly which those are.
//!
//! Only texts are read and made here; nothing is looked for.

mod locked;
mod wanted;

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use locked::{LOCK_FORMAT, Locked, lock_text, parse_lock};
pub use wanted::{Wanted, parse_wanted, with_wanted};

use crate::settings::line_of;

/// What is wrong with a `dbag.toml` or a `dbag.lock`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum LockError {
    #[error("{place}: {reason}")]
    Syntax { place: String, reason: String },
    #[error("{path} was made by a newer dbag (form {found}; this one knows {known}); upgrade dbag to use it")]
    NewerFormat { path: PathBuf, found: i64, known: i64 },
    #[error("{path} is written so that dbag can't change it; change {name} by hand")]
    NotEditable { path: PathBuf, name: String },
}

/// A file's text, and where it lies, for what is said of it.
#[derive(Clone, Copy)]
struct File<'f> {
    path: &'f Path,
    text: &'f str,
}

type Entry<'t> = Spanned<DeValue<'t>>;

impl<'f> File<'f> {
    fn root(self) -> Result<Spanned<DeTable<'f>>, LockError> {
        DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.wrong(at, error.message().replace('\n', " "))
        })
    }

    /// What is wrong at an offset.
    fn wrong(self, at: usize, reason: impl Into<String>) -> LockError {
        let place = format!("{}, line {}", self.path.display(), line_of(self.text, at));
        LockError::Syntax { place, reason: reason.into() }
    }

    fn string(self, key: &str, value: &Entry<'f>) -> Result<String, LockError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.clone().into_owned()),
            _ => Err(self.wrong(value.span().start, format!("{key} must be a text"))),
        }
    }

    fn unknown(self, at: usize, key: &str, known: &str) -> LockError {
        let key: String = key.chars().take(60).collect();
        self.wrong(at, format!("{key} is nothing that dbag knows here; known are {known}"))
    }
}

/// A text as a TOML string.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
