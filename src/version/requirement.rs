//! Which versions will do: `digits@^1.2`, with Cargo's meaning of the operators.

use std::fmt;
use std::str::FromStr;

use semver::VersionReq;

use super::{DatasetName, DatasetVersion, Label, VersionError, VersionRef};

/// A dataset, and which of its versions will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The dataset.
    pub name: DatasetName,
    /// The versions.
    pub range: VersionRange,
}

/// Which versions will do. A full version is meant exactly; pre-releases are in a range only where it names one of the same
/// number; a dev label is in none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionRange {
    /// This one.
    Exact(DatasetVersion),
    /// The newest that is no pre-release.
    Latest,
    /// Those of a range, such as `^1.2` or `>=1, <2`.
    Of(VersionReq),
}

impl VersionRange {
    /// Whether a version will do.
    #[must_use]
    pub fn matches(&self, version: &DatasetVersion) -> bool {
        match self {
            Self::Exact(exact) => version == exact,
            Self::Latest => !version.is_pre_release(),
            Self::Of(range) => range.matches(version.semver()),
        }
    }

    /// The newest of the versions that will do.
    pub fn newest<'v>(
        &self,
        versions: impl IntoIterator<Item = &'v DatasetVersion>,
    ) -> Option<&'v DatasetVersion> {
        versions.into_iter().filter(|version| self.matches(version)).max()
    }
}

impl FromStr for VersionRange {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        match text.parse() {
            Ok(Label::Release(version)) => return Ok(Self::Exact(version)),
            Ok(label) => return Err(VersionError::DevLabel(label)),
            Err(_) => {}
        }
        let bad = || VersionError::BadRange(text.to_owned());
        // Cargo takes a bare `1.2` for `^1.2`. Here `1.2.0` is exact, so that a part of it would be misread.
        let says_how = |part: &str| part.trim().starts_with(['^', '~', '>', '<', '=']) || part.contains('*');
        if text.contains('+') || !text.split(',').all(says_how) {
            return Err(bad());
        }
        VersionReq::parse(text).map(Self::Of).map_err(|_| bad())
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(version) => version.fmt(f),
            Self::Latest => f.write_str("latest"),
            Self::Of(range) => range.fmt(f),
        }
    }
}

impl FromStr for Requirement {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let (name, range) =
            text.split_once('@').ok_or_else(|| VersionError::BadRequirement(text.to_owned()))?;
        Ok(Self { name: name.parse()?, range: range.parse()? })
    }
}

impl From<VersionRef> for Requirement {
    fn from(VersionRef { name, version }: VersionRef) -> Self {
        Self { name, range: VersionRange::Exact(version) }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_in_the_range() {
        let there = ["0.9.0", "1.0.0", "1.2.0", "1.2.7", "1.10.0", "1.11.0-rc.1", "2.0.0-rc.1", "2.0.0-rc.2"];
        let there: Vec<DatasetVersion> = there.iter().map(|text| text.parse().unwrap()).collect();
        for (range, newest) in [
            ("latest", "1.10.0"),
            ("1.0.0", "1.0.0"),
            ("2.0.0-rc.1", "2.0.0-rc.1"),
            ("2.0.0rc1", "2.0.0-rc.1"),
            ("^1.2", "1.10.0"),
            ("^0.9", "0.9.0"),
            ("~1.2.3", "1.2.7"),
            ("~1.2", "1.2.7"),
            ("1.2.*", "1.2.7"),
            ("*", "1.10.0"),
            (">=1, <2", "1.10.0"),
            (">1.2.7", "1.10.0"),
            ("=1.2", "1.2.7"),
            ("<1", "0.9.0"),
            ("^2.0.0-rc.1", "2.0.0-rc.2"),
            ("^1.11.0-rc.1", "1.11.0-rc.1"),
            ("1.0.1", "none"),
            ("^3", "none"),
            ("^2", "none"),
        ] {
            let range: VersionRange = range.parse().unwrap();
            let found = range.newest(&there).map_or("none".to_owned(), ToString::to_string);
            assert_eq!(found, newest, "{range}");
        }
        assert_eq!(VersionRange::Latest.newest(&there[5..]), None);
    }

    #[test]
    fn requirements() {
        for text in ["digits@^1.2", "digits@~1.2.3", "digits@>=1, <2", "digits@1.0.0", "digits@latest"] {
            assert_eq!(text.parse::<Requirement>().unwrap().to_string(), text);
        }
        for bad in [
            "digits",
            "digits@",
            "@^1",
            "di/gits@^1",
            "digits@1",
            "digits@1.2",
            "digits@>=1, 2",
            "digits@^1+x",
        ] {
            assert!(bad.parse::<Requirement>().is_err(), "{bad}");
        }
        assert!(matches!("digits@1.0.0.post1.dev3".parse::<Requirement>(), Err(VersionError::DevLabel(_))));
    }
}
