//! What columns are called: one form of each name, and none with characters that nobody sees.

use std::collections::HashMap;
use std::path::Path;

use unicode_normalization::UnicodeNormalization as _;

use super::IngestError;

/// What the names of columns start with that dbag adds to files of its own.
pub(super) const OWN_PREFIX: &str = "dbag:";

/// A name in its one form: NFC, without space around it. `Err` says why it can be none.
pub(super) fn column_name(name: &str) -> Result<String, String> {
    let clean: String = name.nfc().collect();
    let clean = clean.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if clean.is_empty() {
        return Err("it is blank".into());
    }
    match clean.chars().find(|c| is_unseen(*c)) {
        Some(c) => Err(format!("it has a character that can't be seen (U+{:04X})", u32::from(c))),
        None => Ok(clean.to_owned()),
    }
}

/// Controls, line separators, and marks that turn the direction of writing or stand for nothing. Joiners, which some
/// scripts need, are none of them.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

/// The names of a file's columns in their one form, with a sentence for each that was brought to it.
pub(super) fn column_names<'n>(
    path: &Path,
    names: impl Iterator<Item = &'n str>,
) -> Result<(Vec<String>, Vec<String>), IngestError> {
    let (mut clean, mut notes) = (Vec::new(), Vec::new());
    let mut seen: HashMap<String, &str> = HashMap::new();
    for name in names {
        let refused = |reason: String| IngestError::ColumnName {
            path: path.to_owned(),
            column: name.to_owned(),
            reason,
        };
        let one = column_name(name).map_err(refused)?;
        if let Some(other) = seen.insert(one.clone(), name) {
            return Err(refused(format!("without what can't be seen it is the same as {other:?}")));
        }
        if one != name {
            notes.push(format!("the column {name:?} is called {one:?}"));
        }
        clean.push(one);
    }
    Ok((clean, notes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        assert_eq!(column_name(" age\u{a0}").unwrap(), "age");
        assert_eq!(column_name("Gro\u{308}\u{df}e").unwrap(), "Gr\u{f6}\u{df}e");
        assert_eq!(column_name("Average_C/D_Ratio (mm^2)").unwrap(), "Average_C/D_Ratio (mm^2)");
        assert_eq!(column_name("\u{feff}id").unwrap(), "id");
        assert_eq!(column_name("a\u{200c}b").unwrap(), "a\u{200c}b");
        for (name, reason) in [
            ("a\u{202e}b", "U+202E"),
            ("a\u{7}", "U+0007"),
            ("a\nb", "U+000A"),
            ("\u{200b}", "U+200B"),
            (" ", "blank"),
        ] {
            assert!(column_name(name).unwrap_err().contains(reason), "{name:?}");
        }
    }

    #[test]
    fn two_names_must_not_become_one() {
        let names = ["a", "\u{e9}", "e\u{301}"];
        let error = column_names(Path::new("t.csv"), names.into_iter()).unwrap_err().to_string();
        assert!(error.starts_with("t.csv: the column"), "{error}");
        assert!(error.contains("the same as"), "{error}");
    }
}
