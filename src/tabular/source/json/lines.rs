//! The lines of a file, each taken apart into the members of its object.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::tabular::source::SourceError;
use crate::tabular::source::input::TextInput;

/// Reads line after line into one reused buffer.
pub(super) struct Lines {
    input: TextInput,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    pub fn new(input: TextInput) -> Self {
        Self { input, line: Vec::new(), number: 0 }
    }

    /// Goes to the next line that is not blank; false at the end. A byte-order mark is skipped.
    pub fn next(&mut self) -> Result<bool, SourceError> {
        loop {
            self.line.clear();
            if self.input.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(false);
            }
            self.number += 1;
            if self.number == 1 && self.line.starts_with(b"\xEF\xBB\xBF") {
                self.line.drain(..3);
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// The line's number, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Calls `each` with every member of the line's object: its name, and its value as it stands there.
    pub fn members<'l>(
        &'l self,
        mut each: impl FnMut(&str, &'l str) -> Result<(), String>,
    ) -> Result<(), SourceError> {
        let fail = |message: String| SourceError::Json { line: self.number, message };
        let text =
            std::str::from_utf8(self.line.trim_ascii()).map_err(|_| fail("the text is not UTF-8".into()))?;
        let mut json = serde_json::Deserializer::from_str(text);
        let read = Members(&mut each).deserialize(&mut json).and_then(|()| json.end());
        read.map_err(|error| fail(message(&error)))
    }
}

/// What is wrong, and at which of the line's bytes.
fn message(error: &serde_json::Error) -> String {
    let whole = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match whole.strip_suffix(&place) {
        Some(text) if error.column() > 0 => format!("{text}, at byte {}", error.column()),
        Some(text) => text.to_owned(),
        _ => whole,
    }
}

/// A member's name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct Members<'f, F>(&'f mut F);

impl<'de, F: FnMut(&str, &'de str) -> Result<(), String>> serde::de::DeserializeSeed<'de> for Members<'_, F> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&str, &'de str) -> Result<(), String>> Visitor<'de> for Members<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            (self.0)(&name.0, value.get()).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}
