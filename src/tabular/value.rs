//! Typed values, read from and written to PostgreSQL's text forms.

use std::borrow::Cow;

use super::array::{array_from_json, format_array};
use super::moment::{date, local, zoned};
use crate::model::{ColumnType, Storage};

/// A cell.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

/// Text that is no value of its column's type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ValueError {
    /// The text, cut to 60 characters.
    pub text: String,
    /// What was expected, with its article.
    pub expected: &'static str,
}

impl Value {
    /// Reads a cell's text (`None` is NULL) as a value of the column's type.
    ///
    /// Takes PostgreSQL's forms (`t`, `2026-06-13 10:21:33.5-07`) and Python's (`True`, ISO 8601).
    /// An empty text is NULL for every type but text; dates and times are brought to one form, and a JSON array
    /// of scalars is taken for a PostgreSQL array.
    pub fn parse(text: Option<&str>, storage: Storage) -> Result<Self, ValueError> {
        let Some(text) = text else { return Ok(Self::Null) };
        if matches!(storage, Storage::Text) {
            return Ok(Self::Text(text.to_owned()));
        }
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(Self::Null);
        }
        let fail = |expected| ValueError { text: text.chars().take(60).collect(), expected };
        match storage {
            Storage::Boolean => boolean(trimmed).map(Self::Boolean).ok_or_else(|| fail("a boolean (t or f)")),
            Storage::Integer => {
                trimmed.parse().map(Self::Integer).map_err(|_| fail("a whole number of 64 bits"))
            }
            Storage::Float => match trimmed.parse::<f64>() {
                Ok(value) if value.is_infinite() && trimmed.contains(|c: char| c.is_ascii_digit()) => {
                    Err(fail("a number that a float8 holds"))
                }
                Ok(value) => Ok(Self::Float(value)),
                Err(_) => Err(fail("a number")),
            },
            Storage::Date => date(trimmed).map(Self::Text).ok_or_else(|| fail("a date (YYYY-MM-DD)")),
            Storage::Timestamp => {
                local(trimmed).map(Self::Text).ok_or_else(|| fail("a date and time (YYYY-MM-DD HH:MM:SS)"))
            }
            Storage::TimestampTz => zoned(trimmed)
                .map(Self::Text)
                .ok_or_else(|| fail("a date and time with an offset (YYYY-MM-DD HH:MM:SS+00)")),
            Storage::Json => serde_json::from_str::<serde::de::IgnoredAny>(trimmed)
                .map(|_| Self::Text(text.to_owned()))
                .map_err(|_| fail("JSON")),
            Storage::Array => array(trimmed).map(Self::Text).ok_or_else(|| fail("an array ({a,b})")),
            Storage::Text => Ok(Self::Text(text.to_owned())),
        }
    }

    /// The value, if it is within the range of the column's type: int2, int4 and float4 are narrower than
    /// what they are kept in.
    pub fn fits(self, column_type: &ColumnType) -> Result<Self, ValueError> {
        let expected = match (&self, column_type.typename.as_str()) {
            (Self::Integer(value), "int2") if i16::try_from(*value).is_err() => "a whole number of 16 bits",
            (Self::Integer(value), "int4") if i32::try_from(*value).is_err() => "a whole number of 32 bits",
            (Self::Float(value), "float4") if value.is_finite() && value.abs() > f64::from(f32::MAX) => {
                "a number that a float4 holds"
            }
            _ => return Ok(self),
        };
        Err(ValueError { text: self.to_text().unwrap_or_default().into_owned(), expected })
    }

    /// The text in PostgreSQL's form; `None` is NULL.
    #[must_use]
    pub fn to_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::Boolean(true) => Some("t".into()),
            Self::Boolean(false) => Some("f".into()),
            Self::Integer(value) => Some(value.to_string().into()),
            Self::Float(value) => Some(float_text(*value).into()),
            Self::Text(text) => Some(text.into()),
        }
    }
}

fn boolean(text: &str) -> Option<bool> {
    let is_one_of = |words: [&str; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(["t", "true", "yes", "y", "1"]) {
        return Some(true);
    }
    is_one_of(["f", "false", "no", "n", "0"]).then_some(false)
}

/// An array literal as it is, or the one of a JSON array of scalars (`["a", "b"]`, as Python writes them).
fn array(text: &str) -> Option<String> {
    if text.starts_with('{') && text.ends_with('}') {
        return Some(text.to_owned());
    }
    // `[1:2]={a,b}` says its bounds, and is no JSON.
    array_from_json(text).map(|elements| format_array(&elements))
}

/// PostgreSQL's shortest form of a float8: plain up to 15 digits, then `1e+15`.
fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..15).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(input: &str, storage: Storage) -> Option<String> {
        Value::parse(Some(input), storage).ok()?.to_text().map(Cow::into_owned)
    }

    #[test]
    fn forms_of_postgresql_and_python() {
        for (input, storage, output) in [
            ("True", Storage::Boolean, "t"),
            ("f", Storage::Boolean, "f"),
            (" 42 ", Storage::Integer, "42"),
            ("1e3", Storage::Float, "1000"),
            ("1e20", Storage::Float, "1e+20"),
            ("0.00001", Storage::Float, "1e-05"),
            ("0.0001", Storage::Float, "0.0001"),
            ("inf", Storage::Float, "Infinity"),
            ("2026-06-13", Storage::Date, "2026-06-13"),
            ("2026-06-13T10:21:33", Storage::Timestamp, "2026-06-13 10:21:33"),
            ("2026-06-13 10:21:33.120-07", Storage::TimestampTz, "2026-06-13 17:21:33.12+00"),
            ("{a,\"b c\"}", Storage::Array, "{a,\"b c\"}"),
            ("[\"a\", \"b c\", null]", Storage::Array, "{a,\"b c\",NULL}"),
            ("YES", Storage::Boolean, "t"),
            ("{\"a\": 1}", Storage::Json, "{\"a\": 1}"),
            ("", Storage::Text, ""),
        ] {
            assert_eq!(text(input, storage).as_deref(), Some(output), "{input}");
        }
        for (input, storage) in [
            ("maybe", Storage::Boolean),
            ("1.5", Storage::Integer),
            ("9223372036854775808", Storage::Integer),
            ("2026-02-30", Storage::Date),
            ("2026-06-13 10:21:33", Storage::TimestampTz),
            ("{", Storage::Json),
            ("[{\"a\": 1}]", Storage::Array),
            ("a,b", Storage::Array),
        ] {
            assert!(Value::parse(Some(input), storage).is_err(), "{input}");
        }
        assert_eq!(Value::parse(Some(""), Storage::Integer), Ok(Value::Null));
        assert_eq!(Value::parse(None, Storage::Text), Ok(Value::Null));
    }

    proptest! {
        #[test]
        fn floats_are_read_back(value: f64) {
            prop_assume!(!value.is_nan());
            prop_assert_eq!(float_text(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
