//! What a dataset is called between releases: `1.2.0.post1.dev3`, as deriva-ml writes it.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::{DatasetVersion, VersionError};

/// The label of a dataset: that of a release, or of what it has become since.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Label {
    /// A release.
    Release(DatasetVersion),
    /// Changed since a release. It is after that one, and before every later one.
    Dev {
        /// The last release.
        base: DatasetVersion,
        /// 1, as PEP 440 asks for one.
        post: u64,
        /// How many changes came since.
        n: u64,
    },
}

impl Label {
    /// The label of a dataset that was changed `changes` times since a release; the release's own where it was not.
    #[must_use]
    pub fn since(base: DatasetVersion, changes: u64) -> Self {
        match changes {
            0 => Self::Release(base),
            n => Self::Dev { base, post: 1, n },
        }
    }

    fn rank(&self) -> (&DatasetVersion, Option<(u64, u64)>) {
        match self {
            Self::Release(version) => (version, None),
            Self::Dev { base, post, n } => (base, Some((*post, *n))),
        }
    }
}

impl Ord for Label {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Label {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Label {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let bad = |_| VersionError::BadLabel(text.to_owned());
        let Some((base, post, n)) = dev_parts(text) else {
            return text.parse().map(Self::Release).map_err(bad);
        };
        Ok(Self::Dev { base: base.parse().map_err(bad)?, post, n })
    }
}

/// The parts of `BASE.postP.devN`.
fn dev_parts(text: &str) -> Option<(&str, u64, u64)> {
    let (rest, n) = text.rsplit_once(".dev")?;
    let (base, post) = rest.rsplit_once(".post")?;
    // One way to write each: neither `+1` nor `01`.
    let number = |digits: &str| {
        let number: u64 = digits.parse().ok()?;
        (number.to_string() == digits).then_some(number)
    };
    Some((base, number(post)?, number(n)?))
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(version) => version.fmt(f),
            Self::Dev { base, post, n } => write!(f, "{base}.post{post}.dev{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn label(text: &str) -> Label {
        text.parse().unwrap()
    }

    #[test]
    fn a_dev_label_is_between_its_release_and_the_next() {
        let sorted = [
            "0.4.0-rc.1",
            "0.4.0-rc.1.post1.dev2",
            "0.4.0-rc.2",
            "0.4.0",
            "0.4.0.post1.dev1",
            "0.4.0.post1.dev10",
            "0.4.0.post2.dev1",
            "0.4.1-rc.1",
            "0.4.1",
            "0.10.0",
        ];
        let labels: Vec<Label> = sorted.iter().map(|text| label(text)).collect();
        assert!(labels.is_sorted_by(|a, b| a < b));
        for (label, text) in labels.iter().zip(sorted) {
            assert_eq!(label.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_label() {
        for bad in [
            "1.0.0.dev3",
            "1.0.0.post1",
            "1.0.0.post1.dev",
            "1.0.0.post1.dev+3",
            "1.0.0.post01.dev3",
            "1.0.post1.dev3",
            "1.0.0.post1.dev3.post1.dev3",
            "1.0.0.post1.dev99999999999999999999",
            "",
        ] {
            assert!(bad.parse::<Label>().is_err(), "{bad}");
        }
        assert_eq!(label("1.0.0rc1.post1.dev3").to_string(), "1.0.0-rc.1.post1.dev3");
    }

    fn any_label() -> impl Strategy<Value = Label> {
        let version = (0..3_u64, 0..3_u64, 0..3_u64, prop::option::of((0..3_usize, 0..12_u64)));
        let version = version.prop_map(|(major, minor, patch, pre)| {
            let pre = pre.map(|(kind, n)| format!("-{}.{n}", ["alpha", "beta", "rc"][kind]));
            format!("{major}.{minor}.{patch}{}", pre.unwrap_or_default()).parse::<DatasetVersion>().unwrap()
        });
        (version, 0..4_u64).prop_map(|(version, changes)| Label::since(version, changes))
    }

    proptest! {
        #[test]
        fn labels_are_read_as_they_were_written(label in any_label()) {
            prop_assert_eq!(label.to_string().parse::<Label>().unwrap(), label);
        }

        #[test]
        fn labels_are_in_one_order(mut labels in prop::collection::vec(any_label(), 3)) {
            labels.sort();
            prop_assert!(labels[0] <= labels[1] && labels[1] <= labels[2] && labels[0] <= labels[2]);
            prop_assert_eq!(labels[0].cmp(&labels[2]), labels[2].cmp(&labels[0]).reverse());
            prop_assert_eq!(labels[0].cmp(&labels[1]) == Ordering::Equal, labels[0] == labels[1]);
        }

        #[test]
        fn nothing_that_is_read_is_a_panic(text in ".{0,40}") {
            let _ = text.parse::<Label>();
            let _ = text.parse::<super::super::Requirement>();
        }
    }
}
