//! An archive's entries as a bag's files: below one base folder, each name once, and nothing that leads elsewhere.

use std::path::Path;

use super::Listing;
use crate::bag::archive::Kind;
use crate::bag::names::FileId;
use crate::bag::{BagError, Code, Finding, PathRef, path::printable};

/// Finds the base folder of a bag in an archive: the single top folder (BagIt 0.97 §4), or none.
#[derive(Default)]
pub(super) struct BaseFolder {
    found: Option<String>,
}

impl BaseFolder {
    /// Looks at one entry's name.
    pub(super) fn look(&mut self, name: &str) {
        let top = match name.strip_suffix("bagit.txt") {
            Some(top) if top.is_empty() || top.find('/') == Some(top.len() - 1) => top,
            _ => return,
        };
        // The shortest wins, so that a bag at the archive's root may hold others.
        if self.found.as_ref().is_none_or(|found| top.len() < found.len()) {
            self.found = Some(top.to_owned());
        }
    }

    /// The folder with its `/`, or nothing where the bag lies at the archive's root.
    pub(super) fn name(self, archive: &Path) -> Result<String, BagError> {
        let base = self.found.ok_or_else(|| BagError::NotABag {
            path: archive.to_owned(),
            reason: "it has no bagit.txt".into(),
        })?;
        if !base.is_empty()
            && let Err(error) = PathRef::parse(base.trim_end_matches('/'), &mut String::new())
        {
            return Err(BagError::Refused { path: archive.to_owned(), reason: error.to_string() });
        }
        Ok(base)
    }
}

/// Sorts an archive's entries into a listing.
pub(super) struct Sorter<'a> {
    archive: &'a Path,
    base: &'a str,
    scratch: String,
    pub(super) listing: Listing,
}

impl<'a> Sorter<'a> {
    pub(super) fn new(archive: &'a Path, base: &'a str) -> Self {
        Self { archive, base, scratch: String::new(), listing: Listing::default() }
    }

    fn refuse<T>(&self, reason: String) -> Result<T, BagError> {
        Err(BagError::Refused { path: self.archive.to_owned(), reason })
    }

    /// The number of a regular file; `None` for what is none, which is remembered where it is odd.
    pub(super) fn add(
        &mut self,
        name: &str,
        kind: Kind,
        length: u64,
        unreadable: Option<&str>,
    ) -> Result<Option<FileId>, BagError> {
        let Some(inner) = name.strip_prefix(self.base) else {
            return if kind == Kind::Folder && Some(name) == self.base.strip_suffix('/') {
                Ok(None)
            } else if let Err(error) = PathRef::parse(name.trim_end_matches('/'), &mut String::new()) {
                self.refuse(error.to_string())
            } else {
                Err(BagError::NotABag {
                    path: self.archive.to_owned(),
                    reason: format!("it has more than one folder at its top, as {:?} shows", printable(name)),
                })
            };
        };
        if kind == Kind::Folder {
            return self.folder(inner, length);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let parsed = match PathRef::parse(inner, &mut scratch) {
            Ok(path) => path,
            Err(error) => return self.refuse(error.to_string()),
        };
        self.listing.has_data |= parsed.is_payload();
        let why = match (kind, unreadable) {
            (Kind::Link, _) => Some("it is a symbolic or hard link, which is not followed"),
            (Kind::Other, _) => Some("it is a device, pipe or something else that is no file"),
            (_, why) => why,
        };
        let id = if let Some(why) = why {
            self.listing.odd.push(Finding::new(Code::NotAFile, parsed, why));
            None
        } else {
            match self.listing.add(parsed, length) {
                Ok(Some(id)) => Some(id),
                Ok(None) => return self.refuse(format!("{parsed} is in it twice")),
                Err(error) => return self.refuse(error.to_string()),
            }
        };
        self.scratch = scratch;
        Ok(id)
    }

    /// Remembers an entry whose name is not UTF-8.
    pub(super) fn not_text(&mut self, name: &[u8]) -> Result<(), BagError> {
        let text = String::from_utf8_lossy(name);
        PathRef::parse(&text, &mut String::new()).or_else(|error| self.refuse(error.to_string()))?;
        let place = printable(text.strip_prefix(self.base).unwrap_or(&text)).into_owned();
        self.listing.odd.push(Finding::new(Code::NotAFile, place, "the name is not UTF-8"));
        Ok(())
    }

    fn folder(&mut self, inner: &str, length: u64) -> Result<Option<FileId>, BagError> {
        let plain = inner.trim_end_matches('/');
        if !plain.is_empty()
            && let Err(error) = PathRef::parse(plain, &mut String::new())
        {
            return self.refuse(error.to_string());
        }
        if length > 0 {
            return self.refuse(format!("the folder {:?} has bytes of its own", printable(inner)));
        }
        self.listing.has_data |= plain == "data";
        Ok(None)
    }
}
