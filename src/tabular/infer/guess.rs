//! Guesses a column's type from its values.

use crate::model::{ColumnType, Storage};

use crate::tabular::Value;

/// The candidates, narrowest first. A column is of the first type that takes every value it has.
const CANDIDATES: [(&str, Storage); 6] = [
    ("boolean", Storage::Boolean),
    ("int8", Storage::Integer),
    ("float8", Storage::Float),
    ("date", Storage::Date),
    ("timestamptz", Storage::TimestampTz),
    ("timestamp", Storage::Timestamp),
];

/// What a column's values can still be, as they pass by.
#[derive(Debug, Clone)]
pub struct TypeGuess {
    possible: [bool; CANDIDATES.len()],
    /// Whether any of them is.
    open: bool,
    values: u64,
}

impl Default for TypeGuess {
    fn default() -> Self {
        Self { possible: [true; CANDIDATES.len()], open: true, values: 0 }
    }
}

impl TypeGuess {
    /// Takes the next value; NULL and blank ones tell nothing.
    pub fn see(&mut self, text: Option<&str>) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        self.values += 1;
        if !self.open {
            return;
        }
        if is_short_integer(text.as_bytes()) {
            // Of such a value the answers are known, and most values of tables are such.
            self.possible = [false, self.possible[1], self.possible[2], false, false, false];
        } else {
            for (possible, (_, storage)) in self.possible.iter_mut().zip(CANDIDATES) {
                *possible = *possible && plainly(text, storage);
            }
        }
        self.open = self.possible.contains(&true);
    }

    /// Whether the next value can still change the type.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The type: text where nothing narrower takes every value, or where there was none.
    #[must_use]
    pub fn column_type(&self) -> ColumnType {
        let found = CANDIDATES.iter().zip(self.possible).find(|(_, possible)| *possible && self.values > 0);
        ColumnType::new(found.map_or("text", |((name, _), _)| name))
    }
}

/// Whether it is a whole number of at most 15 digits, without zeros before them: an int8, and a float8 too.
fn is_short_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    matches!(digits.len(), 1..=15)
        && digits.iter().all(u8::is_ascii_digit)
        && (digits.len() == 1 || digits[0] != b'0')
}

/// Whether a text would lose nothing as a value of the type: `007` and `+1` stay text, `1` and `0` are no booleans.
fn plainly(text: &str, storage: Storage) -> bool {
    match storage {
        Storage::Boolean => {
            matches!(text, "t" | "f" | "true" | "false" | "True" | "False" | "TRUE" | "FALSE")
        }
        Storage::Integer | Storage::Float => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let padded = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
            digits.starts_with(|c: char| c.is_ascii_digit())
                && !padded
                && Value::parse(Some(text), storage)
                    .is_ok_and(|value| !matches!(value, Value::Float(f) if f.is_infinite()))
                && (storage != Storage::Float || exact(digits) && measured(digits))
        }
        _ => text.starts_with(|c: char| c.is_ascii_digit()) && Value::parse(Some(text), storage).is_ok(),
    }
}

/// Whether a number is written as people and programs write measurements: `2e7` may be a well or a gene.
fn measured(digits: &str) -> bool {
    let Some((mantissa, exponent)) = digits.split_once(['e', 'E']) else { return true };
    mantissa.contains('.') || exponent.starts_with(['+', '-'])
}

/// Whether a number has no more significant digits than a float8 keeps, so that long ids stay text.
fn exact(digits: &str) -> bool {
    let mantissa = digits.split(['e', 'E']).next().unwrap_or(digits);
    let significant = mantissa.trim_start_matches(['0', '.']);
    significant.bytes().filter(u8::is_ascii_digit).count() <= 17
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(values: &[&str]) -> String {
        let mut guess = TypeGuess::default();
        values.iter().for_each(|value| guess.see(Some(value)));
        guess.column_type().typename
    }

    #[test]
    fn guesses() {
        for (values, name) in [
            (&["1", "-2", ""][..], "int8"),
            (&["0", "1"], "int8"),
            (&["1", "2.5", "1e-3", "1.5E3"], "float8"),
            (&["1E5", "2.5"], "text"),
            (&["true", "False"], "boolean"),
            (&["007", "1"], "text"),
            (&["12345678901234567890"], "text"),
            (&["0.30000000000000004", "0.010000000000000002"], "float8"),
            (&["-5", "123456789012345678", "0"], "int8"),
            (&["0.5", "123456789012345678"], "text"),
            (&["2026-01-02"], "date"),
            (&["2026-01-02 10:00:00Z"], "timestamptz"),
            (&["2026-01-02T10:00:00"], "timestamp"),
            (&["2026-01-02", "2026-01-02T10:00:00"], "text"),
            (&["a", "1"], "text"),
            (&["NaN"], "text"),
            (&["", ""], "text"),
            (&[], "text"),
        ] {
            assert_eq!(guess(values), name, "{values:?}");
        }
    }
}
