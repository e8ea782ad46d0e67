//! A file of settings: the table `[settings]` of a `dbag.toml` or of the user's configuration.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::value::{Given, Parse};
use super::{Settings, SettingsError, Sources};

/// A configuration is a page of text. What is longer is something else.
const LONGEST: u64 = 1 << 20;

/// The settings in a file, every key known, no value looked at yet.
#[derive(Debug)]
pub(super) struct SettingsFile {
    path: PathBuf,
    /// Key, value, line.
    values: Vec<(&'static str, Given, usize)>,
}

impl SettingsFile {
    /// Reads a file. One of a project may not have every setting.
    pub(super) fn read(path: &Path, is_project: bool) -> Result<Self, SettingsError> {
        let syntax = |place: String, reason: &str| SettingsError::Syntax { place, reason: reason.to_owned() };
        if fs_err::metadata(path)?.len() > LONGEST {
            return Err(syntax(path.display().to_string(), "it is too long to be a configuration"));
        }
        let text = fs_err::read(path)?;
        let text =
            String::from_utf8(text).map_err(|_| syntax(path.display().to_string(), "it is not UTF-8"))?;
        let root = DeTable::parse(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(&text, span.start));
            syntax(place(path, line), &error.message().replace('\n', " "))
        })?;
        let mut file = Self { path: path.to_owned(), values: Vec::new() };
        for (key, value) in root.get_ref() {
            let line = line_of(&text, key.span().start);
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("settings", DeValue::Table(table)) => file.take(table, &text, is_project)?,
                // Datasets are no settings: `dbag lock` looks at them.
                ("datasets", _) if is_project => {}
                ("settings", _) => {
                    return Err(syntax(place(path, line), "settings must be a table: [settings]"));
                }
                // What is outside the table would be passed over in silence, and so would a misspelt table.
                (name, value)
                    if !value.is_table() && Settings::DESCRIBED.iter().any(|known| known.key == name) =>
                {
                    let reason = format!("{name} must stand below the line [settings]");
                    return Err(syntax(place(path, line), &reason));
                }
                (name, _) => {
                    let name: String = name.chars().take(60).collect();
                    let reason =
                        format!("{name} is nothing that dbag knows; settings stand below [settings]");
                    return Err(syntax(place(path, line), &reason));
                }
            }
        }
        Ok(file)
    }

    fn take(&mut self, table: &DeTable<'_>, text: &str, is_project: bool) -> Result<(), SettingsError> {
        for (key, value) in table {
            let line = line_of(text, key.span().start);
            let place = place(&self.path, line);
            let name = key.get_ref().as_ref();
            let Some(known) = Settings::DESCRIBED.iter().find(|known| known.key == name) else {
                let keys: Vec<&str> = Settings::DESCRIBED.iter().map(|known| known.key).collect();
                let key = name.chars().take(60).collect();
                return Err(SettingsError::Unknown { place, key, known: keys.join(", ") });
            };
            if is_project && known.sources == Sources::NotProject {
                let (key, variable) = (known.key, known.variable);
                return Err(SettingsError::NotInProject { place, key, variable });
            }
            self.values.push((known.key, given(value), line));
        }
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A setting's value, if the file has it. Relative paths are those of the file's folder, and `~` is `home`.
    pub(super) fn get<T: Parse>(&self, key: &str, home: Option<&Path>) -> Result<Option<T>, SettingsError> {
        let Some((_, given, line)) = self.values.iter().find(|(name, ..)| *name == key) else {
            return Ok(None);
        };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let value = T::parse(given).and_then(|value| value.at_home(home));
        value.map(|value| Some(value.below(folder))).map_err(|reason| SettingsError::BadValue {
            place: place(&self.path, *line),
            key: key.to_owned(),
            reason,
        })
    }
}

fn given(value: &Spanned<DeValue<'_>>) -> Given {
    match value.get_ref() {
        DeValue::String(text) => Given::Text(OsString::from(text.as_ref())),
        DeValue::Boolean(truth) => Given::Truth(*truth),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Given::Other("a number that is too large"), Given::Number),
        other => Given::Other(other.type_str()),
    }
}

fn place(path: &Path, line: usize) -> String {
    format!("{}, line {line}", path.display())
}

/// The line that an offset is on, counted from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|octet| *octet == b'\n').count() + 1
}
