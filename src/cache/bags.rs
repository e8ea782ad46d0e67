//! The bags known on this machine: where each was seen last, and what it was then.
//!
//! One small file for each, so that many may write at once. The list is a help, not a truth: a bag that is not in it
//! is a bag all the same.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Cache;
use super::folder::path_id;
use super::lease::finished_files;
use crate::bag::Bag;
use crate::version::VersionRef;

pub(super) const BAGS: &str = "bags-1";

/// A bag that was seen on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownBag {
    /// Its folder or archive, absolute.
    pub path: PathBuf,
    /// The dataset's name, if it says one.
    pub name: Option<String>,
    /// The dataset's version, if it says one.
    pub version: Option<String>,
    /// The identity of its content, if that is known.
    pub bag_digest: Option<String>,
    /// Payload files, those to fetch too.
    pub files: u64,
    /// Octets in them, as far as they are known.
    pub bytes: u64,
    /// Whether everything was there.
    pub state: KnownState,
    /// When it was seen last, in seconds since 1970.
    pub seen: u64,
}

/// What a bag was when it was seen last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KnownState {
    /// Everything was there, and nothing wrong was seen.
    Whole,
    /// Something was still to be fetched.
    Holey,
}

impl KnownState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Holey => "holey",
        }
    }
}

impl KnownBag {
    /// What is to be noted of a bag that has so many payload files and octets, those to fetch too.
    pub fn of(bag: &Bag, state: KnownState, files: u64, bytes: u64) -> io::Result<Self> {
        let info = bag.info();
        let named: Option<VersionRef> = info.get("External-Identifier").and_then(|text| text.parse().ok());
        let said = |label: &str| info.get(label).map(str::to_owned);
        let seen = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(Self {
            path: fs_err::canonicalize(bag.container().location())?,
            name: said("Dbag-Dataset-Name").or_else(|| Some(named.as_ref()?.name.to_string())),
            version: said("Dbag-Dataset-Version").or_else(|| Some(named.as_ref()?.version.to_string())),
            bag_digest: None,
            files,
            bytes,
            state,
            seen,
        })
    }

    /// `NAME@VERSION`, if it says both.
    #[must_use]
    pub fn reference(&self) -> Option<String> {
        Some(format!("{}@{}", self.name.as_deref()?, self.version.as_deref()?))
    }

    /// Whether there is nothing at its path any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        !self.path.exists()
    }
}

impl Cache {
    fn bag_place(&self, path: &Path) -> PathBuf {
        self.folder.path(BAGS).join(format!("{}.json", path_id(path)))
    }

    /// Notes that a bag was seen. What was noted of its path before is replaced.
    pub fn remember_bag(&self, bag: &KnownBag) -> io::Result<()> {
        self.folder.write(&self.bag_place(&bag.path), &serde_json::to_vec_pretty(bag)?)
    }

    /// Every bag that was noted, by name, version and path. A note that can't be read is left out.
    pub fn bags(&self) -> io::Result<Vec<KnownBag>> {
        let read = |path: PathBuf| serde_json::from_slice(&fs_err::read(path).ok()?).ok();
        let mut bags: Vec<KnownBag> =
            finished_files(&self.folder.path(BAGS))?.into_iter().filter_map(read).collect();
        bags.sort_by(|one, other| {
            let key = |bag: &KnownBag| (bag.name.clone(), bag.version.clone(), bag.path.clone());
            key(one).cmp(&key(other))
        });
        Ok(bags)
    }

    /// Forgets a bag.
    pub(super) fn forget_bag(&self, bag: &KnownBag) -> io::Result<()> {
        fs_err::remove_file(self.bag_place(&bag.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bag_is_known_by_its_path_and_shown_as_gone() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("cache")).unwrap();
        assert_eq!(cache.bags().unwrap(), []);
        let mut bag = KnownBag {
            path: folder.path().join("bag"),
            name: Some("digits".into()),
            version: Some("1.0.0".into()),
            bag_digest: None,
            files: 1,
            bytes: 3,
            state: KnownState::Holey,
            seen: 7,
        };
        cache.remember_bag(&bag).unwrap();
        bag.state = KnownState::Whole;
        cache.remember_bag(&bag).unwrap();
        fs_err::write(folder.path().join("cache/bags-1/junk.json"), "junk").unwrap();
        let bags = cache.bags().unwrap();
        assert_eq!(bags, [bag]);
        assert_eq!(bags[0].reference().as_deref(), Some("digits@1.0.0"));
        assert!(bags[0].is_gone());
        fs_err::create_dir(&bags[0].path).unwrap();
        assert!(!bags[0].is_gone());
        cache.forget_bag(&bags[0]).unwrap();
        assert_eq!(cache.bags().unwrap(), []);
    }
}
