//! The numbers of released versions: semver, in the part of it that Deriva's tools read too.

use std::fmt;
use std::str::FromStr;

use semver::{BuildMetadata, Prerelease, Version};

use super::{Bump, VersionError};

/// A released version's label: semver without build metadata, such as `1.0.0` or `1.1.0-rc.1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatasetVersion(Version);

/// A series of pre-releases: those that semver and PEP 440 both know, and order alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PreRelease {
    /// `1.0.0-alpha.1`
    Alpha,
    /// `1.0.0-beta.1`
    Beta,
    /// `1.0.0-rc.1`, a candidate.
    Rc,
}

impl PreRelease {
    /// Each, with what PEP 440 calls it.
    const ALL: [(Self, &str, &str); 3] =
        [(Self::Alpha, "alpha", "a"), (Self::Beta, "beta", "b"), (Self::Rc, "rc", "rc")];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alpha => "alpha",
            Self::Beta => "beta",
            Self::Rc => "rc",
        }
    }
}

impl FromStr for PreRelease {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let found = Self::ALL.into_iter().find(|(_, word, short)| text == *word || text == *short);
        found.map(|(kind, ..)| kind).ok_or_else(|| VersionError::BadPreRelease(text.to_owned()))
    }
}

impl DatasetVersion {
    /// The release after `last` (or the first one). A pre-release is followed by the release that it stood for, where
    /// that raises its number by as much as `bump`.
    #[must_use]
    pub fn next(last: Option<&Self>, bump: Bump) -> Self {
        let zero = Version::new(0, 0, 0);
        let last = last.map_or(&zero, |version| &version.0);
        let stands_for = match (last.pre.is_empty(), last.minor, last.patch) {
            (true, ..) => None,
            (false, 0, 0) => Some(Bump::Major),
            (false, _, 0) => Some(Bump::Minor),
            (false, ..) => Some(Bump::Patch),
        };
        Self(match bump {
            bump if stands_for.is_some_and(|stood| stood >= bump) => {
                Version::new(last.major, last.minor, last.patch)
            }
            Bump::Major => Version::new(last.major.saturating_add(1), 0, 0),
            Bump::Minor => Version::new(last.major, last.minor.saturating_add(1), 0),
            Bump::Patch => Version::new(last.major, last.minor, last.patch.saturating_add(1)),
        })
    }

    /// The pre-release after `last` of the release that `bump` leads to: the first one of its series, or the next.
    #[must_use]
    pub fn next_pre(last: Option<&Self>, bump: Bump, kind: PreRelease) -> Self {
        let release = Self::next(last, bump);
        let number = match last.map(|last| (last.release(), last.pre_release())) {
            Some((stood_for, Some((its, number)))) if stood_for == release && its == kind => {
                number.saturating_add(1)
            }
            _ => 1,
        };
        release.with_pre(kind, number)
    }

    fn with_pre(self, kind: PreRelease, number: u64) -> Self {
        let pre = Prerelease::new(&format!("{}.{number}", kind.as_str())).unwrap_or_default();
        Self(Version { pre, ..self.0 })
    }

    /// Which number a later version raises, if it is another one.
    #[must_use]
    pub fn raised_to(&self, later: &Self) -> Option<Bump> {
        let (old, new) = (&self.0, &later.0);
        if old.major != new.major {
            Some(Bump::Major)
        } else if old.minor != new.minor {
            Some(Bump::Minor)
        } else {
            (old != new).then_some(Bump::Patch)
        }
    }

    /// Whether it comes before the release of its number.
    #[must_use]
    pub fn is_pre_release(&self) -> bool {
        !self.0.pre.is_empty()
    }

    /// Which pre-release it is, where it is one that Deriva's tools know too.
    #[must_use]
    pub fn pre_release(&self) -> Option<(PreRelease, u64)> {
        let (word, number) = self.0.pre.as_str().split_once('.')?;
        let kind = PreRelease::ALL.into_iter().find(|(_, known, _)| *known == word)?.0;
        Some((kind, number.parse().ok()?))
    }

    /// The release that it is a pre-release of, or itself.
    #[must_use]
    pub fn release(&self) -> Self {
        Self(Version { pre: Prerelease::EMPTY, ..self.0.clone() })
    }

    pub(super) fn semver(&self) -> &Version {
        &self.0
    }
}

impl FromStr for DatasetVersion {
    type Err = VersionError;

    /// Semver, or `1.0.0rc1` as PEP 440 writes it.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let bad = || VersionError::BadVersion(text.to_owned());
        let version = match Version::parse(text) {
            Ok(version) => version,
            Err(_) => pep440(text).ok_or_else(bad)?,
        };
        // `1.0.0-rc.1.post1.dev3` is semver, and a dataset under way.
        let of_dev = |part: &str| {
            let number = part.strip_prefix("post").or_else(|| part.strip_prefix("dev"));
            number.is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
        };
        if version.build != BuildMetadata::EMPTY || version.pre.as_str().split('.').any(of_dev) {
            return Err(bad());
        }
        Ok(Self(version))
    }
}

/// `1.0.0a1`, `1.0.0b1`, `1.0.0rc1`.
fn pep440(text: &str) -> Option<Version> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, pre) = text.split_at(at);
    let digits = pre.find(|c: char| c.is_ascii_digit())?;
    let (kind, count) = pre.split_at(digits);
    let release = DatasetVersion(Version::parse(number).ok()?);
    if release.is_pre_release() {
        return None;
    }
    Some(release.with_pre(kind.parse().ok()?, count.parse().ok()?).0)
}

impl fmt::Display for DatasetVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> DatasetVersion {
        text.parse().unwrap()
    }

    #[test]
    fn bumps() {
        let next = |last: &str, bump| DatasetVersion::next(Some(&version(last)), bump).to_string();
        assert_eq!(next("1.2.3", Bump::Major), "2.0.0");
        assert_eq!(next("1.2.3", Bump::Minor), "1.3.0");
        assert_eq!(next("1.2.3", Bump::Patch), "1.2.4");
        assert_eq!(DatasetVersion::next(None, Bump::Minor).to_string(), "0.1.0");
        let most = u64::MAX;
        assert_eq!(next(&format!("{most}.0.0"), Bump::Major), format!("{most}.0.0"));
    }

    #[test]
    fn a_release_drops_the_suffix_of_the_candidate_before_it() {
        let next = |last: &str, bump| DatasetVersion::next(Some(&version(last)), bump).to_string();
        assert_eq!(next("1.1.0-rc.2", Bump::Minor), "1.1.0");
        assert_eq!(next("1.1.0-rc.2", Bump::Patch), "1.1.0");
        assert_eq!(next("1.1.0-rc.2", Bump::Major), "2.0.0");
        assert_eq!(next("2.0.0-rc.1", Bump::Minor), "2.0.0");
        assert_eq!(next("1.0.1-rc.1", Bump::Minor), "1.1.0");
    }

    #[test]
    fn pre_releases_are_counted() {
        let next = |last: Option<&str>, bump, kind| {
            DatasetVersion::next_pre(last.map(version).as_ref(), bump, kind).to_string()
        };
        assert_eq!(next(None, Bump::Major, PreRelease::Rc), "1.0.0-rc.1");
        assert_eq!(next(Some("1.0.0"), Bump::Minor, PreRelease::Rc), "1.1.0-rc.1");
        assert_eq!(next(Some("1.1.0-rc.9"), Bump::Minor, PreRelease::Rc), "1.1.0-rc.10");
        assert_eq!(next(Some("1.1.0-beta.2"), Bump::Minor, PreRelease::Rc), "1.1.0-rc.1");
        assert_eq!(next(Some("1.1.0-rc.2"), Bump::Major, PreRelease::Rc), "2.0.0-rc.1");
    }

    #[test]
    fn the_forms_of_pep_440_are_read() {
        for (written, read) in
            [("1.0.0rc1", "1.0.0-rc.1"), ("2.10.3a12", "2.10.3-alpha.12"), ("0.1.0b2", "0.1.0-beta.2")]
        {
            assert_eq!(version(written).to_string(), read);
        }
        for bad in [
            "",
            "1",
            "1.0",
            "1.0.0+x",
            "1.0.0-rc.1+x",
            "1.0.0rc",
            "1.0.0c1",
            "1.0.0.rc1",
            "1.0.0.post1.dev3",
            "1.0.0-rc.1.post1.dev3",
            "01.0.0",
            "1.0.0rc99999999999999999999",
            "v1.0.0",
            " 1.0.0",
        ] {
            assert!(bad.parse::<DatasetVersion>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn versions_are_ordered_by_number() {
        assert!(version("1.10.0") > version("1.9.0"));
        assert!(version("1.0.0-rc.1") < version("1.0.0"));
        assert!(version("1.0.0-rc.10") > version("1.0.0-rc.9"));
        assert!(version("1.0.0-beta.3") < version("1.0.0-rc.1"));
    }
}
