//! The forms of settings: what a text, a number or a truth value means for each.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use url::Url;

use super::quantity::parse_size;

/// A value as a source gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    Text(OsString),
    /// A text that stands for any type: environment variables know no other.
    Word(OsString),
    Number(i64),
    Truth(bool),
    /// Something that no setting is: its name in TOML.
    Other(&'static str),
}

/// How files come from the cache to a bag's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkMode {
    /// The cheapest way that works: reflink, else hard link, else copy.
    #[default]
    Auto,
    /// Reflink, or fail.
    Reflink,
    /// Hard link, or fail.
    Hard,
    /// Copy.
    Copy,
}

impl LinkMode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Reflink, Self::Hard, Self::Copy];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Reflink => "reflink",
            Self::Hard => "hard",
            Self::Copy => "copy",
        }
    }
}

impl std::str::FromStr for LinkMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|mode| mode.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is none of auto, reflink, hard and copy"))
    }
}

/// How the catalog keeps what is under way, and who may write to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JournalMode {
    /// As the file system is: a write-ahead log on this machine's own, a rollback journal on a network's.
    #[default]
    Auto,
    /// A write-ahead log: readers never wait for a writer. All processes must be on one machine.
    Wal,
    /// A rollback journal, and one writer at a time by a lease: for file systems that machines share.
    Rollback,
}

/// The region of an object store: letters, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region(String);

impl Region {
    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A type that settings may have. Errors are the end of a sentence that begins with the setting's name.
pub(super) trait Parse: Sized {
    fn parse(given: &Given) -> Result<Self, String>;

    /// The value, where a path that begins with `~` is below this folder.
    fn at_home(self, _home: Option<&Path>) -> Result<Self, String> {
        Ok(self)
    }

    /// The value, where relative paths are those of this folder.
    fn below(self, _folder: &Path) -> Self {
        self
    }
}

impl Given {
    fn text(&self, wanted: &str) -> Result<&str, String> {
        match self {
            Self::Text(text) | Self::Word(text) => text.to_str().ok_or_else(|| "is not UTF-8".to_owned()),
            _ => Err(self.unwanted(wanted)),
        }
    }

    fn unwanted(&self, wanted: &str) -> String {
        let found = match self {
            Self::Text(text) | Self::Word(text) => format!("{:?}", text.to_string_lossy()),
            Self::Number(number) => number.to_string(),
            Self::Truth(truth) => truth.to_string(),
            Self::Other(name) => format!("of type {name}"),
        };
        format!("must be {wanted}, and is {found}")
    }
}

impl Parse for PathBuf {
    fn parse(given: &Given) -> Result<Self, String> {
        match given {
            Given::Text(text) | Given::Word(text) if !text.is_empty() => Ok(Self::from(text)),
            _ => Err(given.unwanted("a path")),
        }
    }

    fn at_home(self, home: Option<&Path>) -> Result<Self, String> {
        let Some(first) = self.iter().next().and_then(|first| first.to_str()) else { return Ok(self) };
        match first {
            "~" => {
                let home = home.ok_or("begins with ~, and HOME is not set")?;
                Ok(home.join(self.strip_prefix("~").unwrap_or(&self)))
            }
            _ if first.starts_with('~') || first.starts_with('$') => Err(format!(
                "begins with {first}, which dbag does not look up: write it out, or begin with ~/"
            )),
            _ => Ok(self),
        }
    }

    fn below(self, folder: &Path) -> Self {
        // A path that can't be made absolute is told as it is when it is used.
        std::path::absolute(folder.join(&self)).unwrap_or(self)
    }
}

impl Parse for bool {
    fn parse(given: &Given) -> Result<Self, String> {
        let word = match given {
            Given::Truth(truth) => return Ok(*truth),
            Given::Word(text) => text.to_string_lossy().to_ascii_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "1" | "true" | "yes" | "on" => Ok(true),
            "0" | "false" | "no" | "off" => Ok(false),
            _ => Err(given.unwanted("true or false")),
        }
    }
}

impl Parse for u16 {
    fn parse(given: &Given) -> Result<Self, String> {
        let number = match given {
            Given::Number(number) => Self::try_from(*number).ok(),
            Given::Word(text) => text.to_str().and_then(|text| text.parse().ok()),
            _ => None,
        };
        let in_range = number.filter(|number| (1..=256).contains(number));
        in_range.ok_or_else(|| given.unwanted("a number from 1 to 256"))
    }
}

impl Parse for u64 {
    fn parse(given: &Given) -> Result<Self, String> {
        let bytes = match given {
            Given::Number(number) => Self::try_from(*number).ok(),
            _ => parse_size(given.text("a size such as \"10MB\"")?).ok(),
        };
        bytes.filter(|bytes| *bytes > 0).ok_or_else(|| given.unwanted("a size such as \"10MB\""))
    }
}

impl Parse for LinkMode {
    fn parse(given: &Given) -> Result<Self, String> {
        let wanted = "auto, reflink, hard or copy";
        given.text(wanted)?.parse().map_err(|_| given.unwanted(wanted))
    }
}

impl Parse for JournalMode {
    fn parse(given: &Given) -> Result<Self, String> {
        let wanted = "auto, wal or rollback";
        match given.text(wanted)? {
            "auto" => Ok(Self::Auto),
            "wal" => Ok(Self::Wal),
            "rollback" => Ok(Self::Rollback),
            _ => Err(given.unwanted(wanted)),
        }
    }
}

impl Parse for Url {
    fn parse(given: &Given) -> Result<Self, String> {
        let wanted = "an http or https URL without a user's name";
        let url = Self::parse(given.text(wanted)?).map_err(|_| given.unwanted(wanted))?;
        let is_plain =
            matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
        // One with a password in it is not shown.
        if is_plain { Ok(url) } else { Err(format!("must be {wanted}")) }
    }
}

impl Parse for Region {
    fn parse(given: &Given) -> Result<Self, String> {
        let wanted = "a region's name such as us-west-2";
        let text = given.text(wanted)?;
        // It becomes part of a host's name, which a dbag.toml may not choose.
        let is_name =
            (1..=40).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if is_name { Ok(Self(text.to_owned())) } else { Err(given.unwanted(wanted)) }
    }
}
