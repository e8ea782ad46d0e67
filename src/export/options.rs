//! What to export, and how.

use std::path::PathBuf;

use crate::catalog::SelectOptions;

/// Where a bag's assets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AssetMode {
    /// Where a URL is known of an asset, there; the others in the bag.
    #[default]
    Auto,
    /// In the bag.
    Embed,
    /// At their URLs, which `fetch.txt` has. One of which no URL is known is an error.
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
    /// The URL below which `publish` has put the bytes, in its layout. It goes before what is known of places.
    pub base_url: Option<String>,
    /// Of several places where assets were published, the one to refer to: its location or its URL.
    pub from: Option<String>,
    /// What of the version is taken.
    pub select: SelectOptions,
    /// Digests that rows lack are taken from the bytes, where the workspace has them.
    pub hash_missing: bool,
    /// Whether the bag is soon gone, so that the catalog does not note it.
    pub passing: bool,
    /// Whether an existing file is replaced.
    pub force: bool,
    /// Threads that pack; 0 is one for each core. The bytes do not depend on it.
    pub threads: usize,
}

impl ExportOptions {
    /// To a file, everything, and the rest as it is by default.
    #[must_use]
    pub fn to(output: impl Into<PathBuf>) -> Self {
        Self { output: output.into(), ..Self::default() }
    }

    /// What narrows the bag to a part of the version, as `bag-info.txt` says it; `None` where it is whole.
    #[must_use]
    pub fn part(&self) -> Option<String> {
        let SelectOptions { tables, exclude, max_depth, members_only } = &self.select;
        let listed = |word: &str, names: &[String]| {
            let mut names = names.to_vec();
            names.sort();
            names.dedup();
            (!names.is_empty()).then(|| format!("{word}={}", names.join(",")))
        };
        let parts = [
            listed("tables", tables),
            listed("exclude", exclude),
            max_depth.map(|depth| format!("max-depth={depth}")),
            members_only.then(|| "members-only".to_owned()),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}
