//! `dbag.lock`: for each dataset the version, what it is of, and the digests by which it is known again.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{File, LockError, quoted};
use crate::version::{DatasetName, DatasetVersion};

/// The number of the form of `dbag.lock`.
pub const LOCK_FORMAT: i64 = 1;

const HEADER: &str = "# Made by dbag lock. Keep it with the project; change dbag.toml instead.\n";

/// A dataset at the version that a project works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// Its name.
    pub name: DatasetName,
    /// Its version.
    pub version: DatasetVersion,
    /// The dataset's RID, if the source says it.
    pub rid: Option<String>,
    /// What tells its catalog from others, if the source says it.
    pub catalog: Option<String>,
    /// The snapshot that the version stands for, if the source says it.
    pub snapshot: Option<String>,
    /// The content digest of its bag, in hex.
    pub content: Option<String>,
    /// SHA-256 of its bag's archive, in hex; a bag that is a folder has none.
    pub archive: Option<String>,
    /// Its MINID.
    pub minid: Option<String>,
    /// Where its bag is: a path, from the lock file's folder, or a URL.
    pub bag: Option<String>,
}

/// The text of a lock file: the same for the same datasets, in whatever order they come.
#[must_use]
pub fn lock_text(locked: &[Locked]) -> String {
    let mut sorted: Vec<&Locked> = locked.iter().collect();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    let mut text = format!("{HEADER}format = {LOCK_FORMAT}\n");
    for one in sorted {
        let (name, version) = (one.name.to_string(), one.version.to_string());
        text.push_str("\n[[dataset]]\n");
        for (key, value) in [
            ("name", Some(&name)),
            ("version", Some(&version)),
            ("rid", one.rid.as_ref()),
            ("catalog", one.catalog.as_ref()),
            ("snapshot", one.snapshot.as_ref()),
            ("content", one.content.as_ref()),
            ("archive", one.archive.as_ref()),
            ("minid", one.minid.as_ref()),
            ("bag", one.bag.as_ref()),
        ] {
            if let Some(value) = value {
                text.push_str(&format!("{key} = {}\n", quoted(value)));
            }
        }
    }
    text
}

/// The datasets of a lock file, by name.
pub fn parse_lock(text: &str, path: &Path) -> Result<Vec<Locked>, LockError> {
    let file = File { path, text };
    let root = file.root()?;
    check_format(file, root.get_ref())?;
    let mut all: Vec<Locked> = Vec::new();
    for (key, value) in root.get_ref() {
        let at = key.span().start;
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("format", _) => {}
            ("dataset", DeValue::Array(datasets)) => {
                for dataset in datasets {
                    let DeValue::Table(table) = dataset.get_ref() else {
                        return Err(
                            file.wrong(dataset.span().start, "a dataset must be a table: [[dataset]]")
                        );
                    };
                    let one = one(file, table, dataset.span().start)?;
                    if all.iter().any(|other| other.name == one.name) {
                        return Err(file.wrong(dataset.span().start, format!("{} comes twice", one.name)));
                    }
                    all.push(one);
                }
            }
            (other, _) => return Err(file.unknown(at, other, "format and [[dataset]]")),
        }
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

fn check_format(file: File<'_>, root: &DeTable<'_>) -> Result<(), LockError> {
    let Some(format) = root.get("format") else {
        return Err(file.wrong(0, "it does not say its format"));
    };
    let found = match format.get_ref() {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    };
    match found {
        Some(LOCK_FORMAT) => Ok(()),
        Some(found) if found > LOCK_FORMAT => {
            Err(LockError::NewerFormat { path: file.path.to_owned(), found, known: LOCK_FORMAT })
        }
        _ => Err(file.wrong(format.span().start, "format must be a number from 1 on")),
    }
}

fn one<'f>(file: File<'f>, table: &DeTable<'f>, at: usize) -> Result<Locked, LockError> {
    const KEYS: [&str; 9] =
        ["name", "version", "rid", "catalog", "snapshot", "content", "archive", "minid", "bag"];
    let mut said: [Option<(String, usize)>; 9] = Default::default();
    for (key, value) in table {
        let Some(which) = KEYS.iter().position(|known| known == key.get_ref()) else {
            return Err(file.unknown(key.span().start, key.get_ref(), &KEYS.join(", ")));
        };
        said[which] = Some((file.string(KEYS[which], value)?, value.span().start));
    }
    let [name, version, rid, catalog, snapshot, content, archive, minid, bag] = said;
    let digest = |said: Option<(String, usize)>, key: &str| match said {
        Some((text, at)) if !is_sha256(&text) => {
            Err(file.wrong(at, format!("{key} must be a SHA-256: 64 lower-case hexadecimal digits")))
        }
        said => Ok(said.map(|(text, _)| text)),
    };
    let needed = |said: Option<(String, usize)>, key: &str| {
        said.ok_or_else(|| file.wrong(at, format!("a dataset says no {key}")))
    };
    let ((name, name_at), (version, version_at)) = (needed(name, "name")?, needed(version, "version")?);
    let text = |said: Option<(String, usize)>| said.map(|(text, _)| text);
    Ok(Locked {
        name: name.parse().map_err(|error| wrong_value(file, name_at, &error))?,
        version: version.parse().map_err(|error| wrong_value(file, version_at, &error))?,
        rid: text(rid),
        catalog: text(catalog),
        snapshot: text(snapshot),
        content: digest(content, "content")?,
        archive: digest(archive, "archive")?,
        minid: text(minid),
        bag: text(bag),
    })
}

fn wrong_value(file: File<'_>, at: usize, error: &crate::version::VersionError) -> LockError {
    file.wrong(at, error.to_string())
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATH: &str = "dbag.lock";

    fn locked(name: &str, bag: Option<String>) -> Locked {
        Locked {
            name: name.parse().unwrap(),
            version: "1.2.0".parse().unwrap(),
            rid: Some("1TST-0001".into()),
            catalog: None,
            snapshot: Some("361-VCY3-TYV8".into()),
            content: Some("ab".repeat(32)),
            archive: Some("0".repeat(64)),
            minid: None,
            bag,
        }
    }

    #[test]
    fn the_text_is_the_same_in_whatever_order() {
        let (one, other) = (locked("lungs", None), locked("retina", Some("https://h/b.zip".into())));
        let text = lock_text(&[other.clone(), one.clone()]);
        assert_eq!(text, lock_text(&[one.clone(), other.clone()]));
        assert!(text.starts_with("# Made by dbag lock"), "{text}");
        assert_eq!(parse_lock(&text, Path::new(PATH)).unwrap(), [one, other]);
    }

    #[test]
    fn what_is_no_lock_file() {
        let all = lock_text(&[locked("retina", None)]);
        for (text, said) in [
            (String::new(), "dbag.lock, line 1: it does not say its format"),
            ("format = 2\nx = 1\n".into(), "was made by a newer dbag (form 2; this one knows 1)"),
            ("format = 0\n".into(), "line 1: format must be"),
            ("format = 99999999999999999999999\n".into(), "line 1: format must be"),
            ("format = 1\ndataset = 3\n".into(), "line 2: dataset is nothing"),
            ("format = 1\ndataset = [3]\n".into(), "line 2: a dataset must be a table"),
            (all.replace("rid", "rod"), "line 7: rod is nothing that dbag knows here"),
            (all.replace("\"1.2.0\"", "\"^1\""), "line 6: \"^1\" is not a version"),
            (all.replace("\"1.2.0\"", "1"), "line 6: version must be a text"),
            (all.replace("abab", "ABAB"), "line 9: content must be a SHA-256"),
            (all.replace("name =", "bag ="), "a dataset says no name"),
            (format!("{all}{}", &all[all.find("\n[[").unwrap()..]), "retina comes twice"),
        ] {
            let error = parse_lock(&text, Path::new(PATH)).unwrap_err().to_string();
            assert!(error.contains(said), "{error} does not say {said}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(bag in any::<String>(), catalog in any::<String>()) {
            let one = Locked { catalog: Some(catalog), ..locked("retina", Some(bag)) };
            let text = lock_text(std::slice::from_ref(&one));
            prop_assert_eq!(parse_lock(&text, Path::new(PATH)).unwrap(), [one]);
        }

        #[test]
        fn hostile_text_is_an_error(text in "(format = [01]\n)?(\\[*[a-z.]{0,8}\\]*[ =\"{},0-9\n]*){0,6}") {
            let _ = parse_lock(&text, Path::new(PATH));
            let _ = super::super::parse_wanted(&text, Path::new(PATH));
        }
    }
}
