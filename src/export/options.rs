//! How a version is exported, and how that is written down.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::BAG_FORMAT;
use crate::bag::WrittenBag;
use crate::catalog::SelectOptions;

/// Where a bag's assets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AssetMode {
    /// At a URL where one is known, else in the bag.
    #[default]
    Auto,
    /// In the bag.
    Embed,
    /// At URLs; the bag refers to them in `fetch.txt`.
    Remote,
}

impl AssetMode {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Embed => "embed",
            Self::Remote => "remote",
        }
    }
}

/// How to export.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// The archive to write.
    pub output: PathBuf,
    /// Where assets are.
    pub assets: AssetMode,
    /// The URL below which they are, in the layout that `publish` makes.
    pub base_url: Option<String>,
    /// The place whose URLs are taken where assets were published to several: its location, or its base URL.
    pub from: Option<String>,
    /// Whether an existing file is replaced.
    pub force: bool,
    /// What of the version is taken.
    pub select: SelectOptions,
    /// Whether digests that rows don't have are made of the bytes, where these are here.
    pub hash_missing: bool,
    /// How many threads pack and hash; 0: one for each core.
    pub threads: usize,
}

impl ExportOptions {
    /// All of a version to a new file.
    #[must_use]
    pub fn new(output: &Path) -> Self {
        Self { output: output.to_owned(), ..Self::default() }
    }

    /// Which part of the version is taken, in one form; `None` where it is all of it.
    pub(super) fn part(&self) -> Option<String> {
        let SelectOptions { tables, exclude, max_depth, members_only } = &self.select;
        let list = |what: &str, names: &[String]| {
            let mut names = names.to_vec();
            names.sort();
            names.dedup();
            (!names.is_empty()).then(|| format!("{what}={}", names.join(",")))
        };
        let depth = max_depth.map(|depth| format!("max-depth={depth}"));
        let members = members_only.then(|| "members-only".to_owned());
        let parts = [list("tables", tables), list("exclude", exclude), depth, members];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// All that decided the bytes of a bag, beside the version. What is at which URL is told by the digest of fetch.txt.
    pub(super) fn canonical(&self, bag: &WrittenBag, withdrawn: usize) -> String {
        let algorithms: Vec<String> = bag.algorithms.iter().map(ToString::to_string).collect();
        json!({
            "format": BAG_FORMAT,
            "part": self.part(),
            "algorithms": algorithms,
            "fetch": bag.fetch.map(|digest| digest.to_string()),
            "withdrawn": withdrawn,
        })
        .to_string()
    }
}
