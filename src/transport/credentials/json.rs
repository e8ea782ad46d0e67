//! Fields of JSON objects, read by hand: serde's messages would quote what they find, and it may be a secret.

use std::path::Path;

use serde_json::{Map, Value};

use super::error::CredentialError;
use super::headers::{self, Headers};

/// Why an entry gives no credential. The texts are the rest of a sentence about it.
pub(super) enum Trouble {
    /// It is malformed: an error.
    Broken(String),
    /// It lacks something, or would not be safe: a warning.
    Unused(String),
    /// It is a template that nobody filled in.
    Placeholder,
}

impl From<String> for Trouble {
    fn from(problem: String) -> Self {
        Self::Broken(problem)
    }
}

impl Trouble {
    pub(super) fn unused(problem: &str) -> Self {
        Self::Unused(problem.into())
    }

    /// Turns the trouble with an entry into an error, or into a warning.
    pub(super) fn report(
        self,
        path: &Path,
        entry: usize,
        warnings: &mut Vec<String>,
    ) -> Result<(), CredentialError> {
        match self {
            Self::Broken(problem) => {
                return Err(CredentialError::Entry { path: path.to_owned(), entry, problem });
            }
            Self::Unused(problem) => {
                let path = super::error::shown(path);
                warnings.push(format!("entry {entry} of {path} is not used: {problem}"));
            }
            Self::Placeholder => {}
        }
        Ok(())
    }
}

/// A file's JSON; None if the file is blank.
pub(super) fn parse(text: &str, path: &Path) -> Result<Option<Value>, CredentialError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|error| CredentialError::Line {
        path: path.to_owned(),
        line: error.line(),
        problem: format!("is not JSON (column {})", error.column()),
    })
}

/// An object's fields by name.
#[derive(Clone, Copy)]
pub(super) struct Fields<'j>(pub(super) &'j Map<String, Value>);

impl<'j> Fields<'j> {
    fn get(self, name: &str) -> Option<&'j Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text. Empty is the same as missing: templates have empty fields.
    pub(super) fn text(self, name: &str) -> Result<Option<&'j str>, Trouble> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(Trouble::Broken(format!("has a field {name} that is not a string"))),
        }
    }

    /// A text without which the entry is not used.
    pub(super) fn needed(self, name: &str) -> Result<&'j str, Trouble> {
        self.text(name)?.ok_or_else(|| Trouble::Unused(format!("it has no {name}")))
    }

    pub(super) fn object(self, name: &str) -> Result<Option<Self>, Trouble> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Self(fields))),
            Some(_) => Err(Trouble::Broken(format!("has a field {name} that is not an object"))),
        }
    }

    pub(super) fn texts(self, name: &str) -> Result<Vec<&'j str>, Trouble> {
        let wrong = || Trouble::Broken(format!("has a field {name} that is not a list of strings"));
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => list.iter().map(|item| item.as_str().ok_or_else(wrong)).collect(),
            Some(_) => Err(wrong()),
        }
    }

    /// A number, as such or in a string; None for anything else.
    pub(super) fn number(self, name: &str) -> Option<f64> {
        let value = self.get(name)?;
        value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
    }

    /// Adds the `additional_request_headers`.
    pub(super) fn add_headers_to(self, headers: &mut Headers) -> Result<(), Trouble> {
        let Some(more) = self.object("additional_request_headers")? else { return Ok(()) };
        let wrong = || Trouble::Broken("has an additional request header that is not a string".into());
        let pairs = more.0.iter().map(|(name, value)| Ok((name.as_str(), value.as_str().ok_or_else(wrong)?)));
        let pairs: Vec<_> = pairs.collect::<Result<_, Trouble>>()?;
        Ok(headers::add(headers, pairs)?)
    }
}
