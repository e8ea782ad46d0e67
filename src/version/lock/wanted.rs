//! The table `[datasets]` of `dbag.toml`: requirements, written by people and changed with care for what else is there.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::{Entry, File, LockError, quoted};
use crate::version::{DatasetName, VersionRange};

/// A dataset that a project works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: DatasetName,
    /// The versions that will do.
    pub range: VersionRange,
    /// The workspace that has it, if that is not the one around the project.
    pub workspace: Option<PathBuf>,
    /// A bag of it: a path or a URL.
    pub bag: Option<String>,
}

impl Wanted {
    fn value(&self) -> String {
        let version = quoted(&self.range.to_string());
        if self.workspace.is_none() && self.bag.is_none() {
            return version;
        }
        let workspace =
            self.workspace.as_ref().map(|path| ("workspace", path.to_string_lossy().into_owned()));
        let more = workspace.into_iter().chain(self.bag.iter().map(|bag| ("bag", bag.clone())));
        let more: String = more.map(|(key, value)| format!(", {key} = {}", quoted(&value))).collect();
        format!("{{ version = {version}{more} }}")
    }

    fn line(&self) -> String {
        let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name = self.name.as_str();
        let key = if name.chars().all(bare) { name.to_owned() } else { quoted(name) };
        format!("{key} = {}\n", self.value())
    }
}

/// The datasets of a `dbag.toml`, by name.
pub fn parse_wanted(text: &str, path: &Path) -> Result<Vec<Wanted>, LockError> {
    let file = File { path, text };
    let root = file.root()?;
    let Some(datasets) = root.get_ref().get("datasets") else { return Ok(Vec::new()) };
    let DeValue::Table(datasets) = datasets.get_ref() else {
        return Err(file.wrong(datasets.span().start, "datasets must be a table: [datasets]"));
    };
    let mut wanted = Vec::new();
    for (key, value) in datasets {
        let name = key.get_ref().parse::<DatasetName>();
        let name = name.map_err(|error| file.wrong(key.span().start, error.to_string()))?;
        wanted.push(one(file, name, value)?);
    }
    wanted.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(wanted)
}

fn one<'f>(file: File<'f>, name: DatasetName, value: &Entry<'f>) -> Result<Wanted, LockError> {
    let range = |value: &Entry<'f>| {
        let text = file.string("version", value)?;
        text.parse::<VersionRange>().map_err(|error| file.wrong(value.span().start, error.to_string()))
    };
    let DeValue::Table(table) = value.get_ref() else {
        return Ok(Wanted { name, range: range(value)?, workspace: None, bag: None });
    };
    let (mut version, mut workspace, mut bag) = (None, None, None);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "version" => version = Some(range(value)?),
            "workspace" => workspace = Some(PathBuf::from(file.string("workspace", value)?)),
            "bag" => bag = Some(file.string("bag", value)?),
            other => return Err(file.unknown(key.span().start, other, "version, workspace and bag")),
        }
    }
    let missing = || file.wrong(value.span().start, format!("{name} says no version"));
    Ok(Wanted { range: version.ok_or_else(missing)?, name, workspace, bag })
}

/// The text of a `dbag.toml` with a dataset put in, or put in place of what it said of it. All else stays as it is.
pub fn with_wanted(text: &str, path: &Path, wanted: &Wanted) -> Result<String, LockError> {
    let mut all = parse_wanted(text, path)?;
    all.retain(|other| other.name != wanted.name);
    all.push(wanted.clone());
    let (range, new) = match place_of(File { path, text }, &wanted.name)? {
        Place::Value(range) => (range, wanted.value()),
        Place::After(at) => {
            let end = if at > 0 && !text[..at].ends_with('\n') { "\n" } else { "" };
            (at..at, format!("{end}{}", wanted.line()))
        }
        Place::NoTable => {
            let gap = if text.is_empty() {
                ""
            } else if text.ends_with('\n') {
                "\n"
            } else {
                "\n\n"
            };
            (text.len()..text.len(), format!("{gap}[datasets]\n{}", wanted.line()))
        }
    };
    replaced(text, path, &wanted.name, (range, &new), all)
}

/// Replaces a part of the text, and makes sure that this says what was meant.
fn replaced(
    text: &str,
    path: &Path,
    name: &DatasetName,
    (range, new): (Range<usize>, &str),
    mut meant: Vec<Wanted>,
) -> Result<String, LockError> {
    let mut edited = text.to_owned();
    edited.replace_range(range, new);
    meant.sort_by(|one, other| one.name.cmp(&other.name));
    match parse_wanted(&edited, path) {
        Ok(said) if said == meant => Ok(edited),
        _ => Err(LockError::NotEditable { path: path.to_owned(), name: name.to_string() }),
    }
}

/// Where a dataset stands in the text, or would.
enum Place {
    Value(Range<usize>),
    After(usize),
    NoTable,
}

fn place_of(file: File<'_>, name: &DatasetName) -> Result<Place, LockError> {
    let root = file.root()?;
    let found = root.get_ref().iter().find(|(key, _)| key.get_ref() == "datasets");
    let Some((header, datasets)) = found else { return Ok(Place::NoTable) };
    let DeValue::Table(table) = datasets.get_ref() else { return Ok(Place::NoTable) };
    if let Some(value) = table.get(name.as_str()) {
        return Ok(Place::Value(value.span()));
    }
    let last = last_end(table).unwrap_or(header.span().end);
    Ok(Place::After(line_end(file.text, last)))
}

fn last_end(table: &DeTable<'_>) -> Option<usize> {
    table.iter().map(|(_, value)| value.span().end).max()
}

/// The end of the line that an offset is on, its line feed included.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |feed| at + feed + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "dbag.toml";

    fn wanted(name: &str, range: &str) -> Wanted {
        Wanted { name: name.parse().unwrap(), range: range.parse().unwrap(), workspace: None, bag: None }
    }

    fn put(text: &str, what: &Wanted) -> String {
        with_wanted(text, Path::new(PATH), what).unwrap()
    }

    #[test]
    fn what_people_wrote_stays() {
        let text = "# ours\n[datasets] # of the eye\nretina = '^1'  # until the paper\n\n[settings]\noffline = true\n";
        let more = put(text, &wanted("lungs", "~2.1"));
        assert_eq!(
            more,
            "# ours\n[datasets] # of the eye\nretina = '^1'  # until the paper\nlungs = \"~2.1\"\n\n[settings]\noffline = true\n"
        );
        let other = put(&more, &wanted("retina", "^2"));
        assert!(other.contains("retina = \"^2\"  # until the paper\nlungs"), "{other}");
    }

    #[test]
    fn a_table_is_made_or_filled() {
        for (text, made) in [
            ("", "[datasets]\na = \"latest\"\n"),
            ("[settings]\n", "[settings]\n\n[datasets]\na = \"latest\"\n"),
            ("[settings]", "[settings]\n\n[datasets]\na = \"latest\"\n"),
            ("[datasets]", "[datasets]\na = \"latest\"\n"),
            ("[datasets]\n\n[settings]\n", "[datasets]\na = \"latest\"\n\n[settings]\n"),
            ("[datasets]\nb = \"1.0.0\"", "[datasets]\nb = \"1.0.0\"\na = \"latest\"\n"),
        ] {
            assert_eq!(put(text, &wanted("a", "latest")), made);
        }
        let odd = put("", &wanted("éye.1", "^1"));
        assert_eq!(odd, "[datasets]\n\"éye.1\" = \"^1\"\n");
    }

    #[test]
    fn where_it_is_from() {
        let text =
            "[datasets.retina]\nversion = \">=1, <2\"\nworkspace = \"../lab\"\nbag = \"a \\\"b\\\".zip\"\n";
        let read = parse_wanted(text, Path::new(PATH)).unwrap();
        assert_eq!(read[0].workspace, Some("../lab".into()));
        let again = put("", &read[0]);
        assert_eq!(parse_wanted(&again, Path::new(PATH)).unwrap(), read);
    }

    #[test]
    fn what_can_not_be_changed_safely_is_left() {
        for text in ["datasets = { retina = \"^1\" }\n", "datasets.retina = \"^1\"\n[settings]\n"] {
            match with_wanted(text, Path::new(PATH), &wanted("lungs", "^1")) {
                Err(LockError::NotEditable { .. }) => {}
                Ok(edited) => assert_eq!(parse_wanted(&edited, Path::new(PATH)).unwrap().len(), 2),
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, said) in [
            ("[datasets]\nretina = 1\n", "dbag.toml, line 2: version must be a text"),
            ("[datasets]\n\nretina = \"1\"\n", "dbag.toml, line 3: \"1\" says no versions"),
            ("[datasets]\n\"a b\" = \"^1\"\n", "dbag.toml, line 2: \"a b\" can't name a dataset"),
            ("[datasets]\nx = { bag = \"b\" }\n", "dbag.toml, line 2: x says no version"),
            (
                "[datasets]\nx = { version = \"^1\", from = \"b\" }\n",
                "line 2: from is nothing that dbag knows",
            ),
            ("datasets = 3\n", "line 1: datasets must be a table"),
            ("[datasets\n", "line 1"),
        ] {
            let error = parse_wanted(text, Path::new(PATH)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
