//! Names of datasets, and references to their versions.

use std::fmt;
use std::str::FromStr;

use super::{DatasetVersion, VersionError};

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
            "digits@^1.0.0",
        ] {
            assert!(bad.parse::<VersionRef>().is_err(), "{bad}");
        }
    }
}
