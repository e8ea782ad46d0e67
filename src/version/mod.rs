//! Version numbers, the bump that makes the next one, and references such as `digits@1.0.0`.
//!
//! Owns the forms of labels and names; it knows nothing of what a version holds.

use std::fmt;
use std::str::FromStr;

/// A released version's label: semver, such as `1.0.0` or `1.1.0-rc.1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatasetVersion(semver::Version);

/// Which number a release raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bump {
    /// A change that breaks consumers: columns or rows removed, meanings changed.
    Major,
    /// An addition: members, columns, tables.
    Minor,
    /// A correction.
    Patch,
}

/// A dataset's name: letters, digits, `_`, `-` and `.`, starting with a letter; at most 100 of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatasetName(String);

/// A dataset at a version: `NAME@VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRef {
    /// The dataset.
    pub name: DatasetName,
    /// The version.
    pub version: DatasetVersion,
}

/// A label, name or reference that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not semver.
    #[error("{0:?} is not a version; versions look like 1.0.0")]
    BadVersion(String),
    /// Not a dataset's name.
    #[error(
        "{0:?} can't name a dataset: names are at most 100 letters, digits, '_', '-' and '.', and start with a letter"
    )]
    BadName(String),
    /// Not `NAME@VERSION`.
    #[error("{0:?} is not a reference to a version; references look like digits@1.0.0")]
    BadReference(String),
}

impl DatasetVersion {
    /// The release after `last` (or the first one); lower numbers and any `-rc.N` are dropped.
    #[must_use]
    pub fn next(last: Option<&Self>, bump: Bump) -> Self {
        let zero = semver::Version::new(0, 0, 0);
        let last = last.map_or(&zero, |version| &version.0);
        Self(match bump {
            Bump::Major => semver::Version::new(last.major + 1, 0, 0),
            Bump::Minor => semver::Version::new(last.major, last.minor + 1, 0),
            Bump::Patch => semver::Version::new(last.major, last.minor, last.patch + 1),
        })
    }
}

impl FromStr for DatasetVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        semver::Version::parse(text).map(Self).map_err(|_| VersionError::BadVersion(text.to_owned()))
    }
}

impl fmt::Display for DatasetVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl DatasetName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DatasetName {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let legal = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        if text.starts_with(char::is_alphabetic) && text.chars().all(legal) && text.chars().count() <= 100 {
            Ok(Self(text.to_owned()))
        } else {
            Err(VersionError::BadName(text.to_owned()))
        }
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for VersionRef {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let (name, version) =
            text.rsplit_once('@').ok_or_else(|| VersionError::BadReference(text.to_owned()))?;
        Ok(Self { name: name.parse()?, version: version.parse()? })
    }
}

impl fmt::Display for VersionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bumps() {
        let next = |last: &str, bump| DatasetVersion::next(Some(&last.parse().unwrap()), bump).to_string();
        assert_eq!(next("1.2.3", Bump::Major), "2.0.0");
        assert_eq!(next("1.2.3", Bump::Minor), "1.3.0");
        assert_eq!(next("1.2.3", Bump::Patch), "1.2.4");
        assert_eq!(DatasetVersion::next(None, Bump::Minor).to_string(), "0.1.0");
    }

    #[test]
    fn versions_are_ordered_by_number() {
        let version = |text: &str| text.parse::<DatasetVersion>().unwrap();
        assert!(version("1.10.0") > version("1.9.0"));
        assert!(version("1.0.0-rc.1") < version("1.0.0"));
    }

    #[test]
    fn references() {
        let reference: VersionRef = "digits@1.0.0".parse().unwrap();
        assert_eq!(reference.to_string(), "digits@1.0.0");
        for bad in [
            "digits",
            "@1.0.0",
            "digits@",
            "digits@1",
            "di/gits@1.0.0",
            "../x@1.0.0",
            "a b@1.0.0",
            "1x@1.0.0",
        ] {
            assert!(bad.parse::<VersionRef>().is_err(), "{bad}");
        }
    }
}
