//! Other places that have a bag's files: a mirror, or a folder that someone copied by hand.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};

use url::Url;

use super::MaterializeError;
use super::list::{Wanted, WantedList};
use crate::bag::Algorithm;
use crate::cache::ObjectStore;
use crate::transport::redacted_text;

/// A place to look at before those that `fetch.txt` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mirror {
    /// A folder.
    Folder(PathBuf),
    /// What the paths are put after.
    Url(Url),
}

impl FromStr for Mirror {
    type Err = MaterializeError;

    fn from_str(text: &str) -> Result<Self, MaterializeError> {
        if !text.contains("://") {
            return Ok(Self::Folder(PathBuf::from(text)));
        }
        let mut url = Url::parse(text).map_err(|_| MaterializeError::BadUrl(redacted_text(text)))?;
        if let ("file", Ok(folder)) = (url.scheme(), url.to_file_path()) {
            return Ok(Self::Folder(folder));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self::Url(url))
    }
}

/// The ways in which a mirror may name a file.
const WAYS: [fn(&Names) -> Option<String>; 6] = [
    // A copy of the bag.
    |names| Some(names.path.to_owned()),
    // A copy of its payload.
    |names| names.path.strip_prefix("data/").map(str::to_owned),
    // An object store, such as `dbag publish` makes.
    |names| names.object.clone(),
    // What a recursive download of the server makes, with the server's name and without it.
    |names| names.url.as_ref().map(|url| format!("{}{}", url.host_str().unwrap_or_default(), url.path())),
    |names| names.url.as_ref().map(|url| url.path().trim_start_matches('/').to_owned()),
    // Files side by side.
    |names| names.path.rsplit('/').next().map(str::to_owned),
];

struct Names<'n> {
    path: &'n str,
    object: Option<String>,
    url: Option<Url>,
}

impl<'n> Names<'n> {
    fn of(list: &WantedList<'n>, wanted: &Wanted<'n>) -> Self {
        Self {
            path: wanted.file.path().as_str(),
            object: wanted.digest(Algorithm::Sha256).map(ObjectStore::relative),
            url: list.urls(wanted.index).find_map(|url| Url::parse(&url).ok()),
        }
    }
}

/// The mirrors of a run.
pub(super) struct Mirrors<'m> {
    mirrors: &'m [Mirror],
    /// For each, the way that was right last: the next file is probably named in the same way.
    ways: Vec<AtomicUsize>,
}

impl<'m> Mirrors<'m> {
    pub(super) fn new(mirrors: &'m [Mirror]) -> Result<Self, MaterializeError> {
        for mirror in mirrors {
            if let Mirror::Folder(folder) = mirror
                && !folder.is_dir()
            {
                return Err(MaterializeError::NoMirror(folder.clone()));
            }
        }
        Ok(Self { mirrors, ways: mirrors.iter().map(|_| AtomicUsize::new(0)).collect() })
    }

    /// Where the mirrors may have a file, in the order of trying. Of a folder only what is there.
    pub(super) fn urls(&self, list: &WantedList<'_>, index: usize) -> Vec<Url> {
        self.places(list, index).into_iter().map(|(_, url)| url).collect()
    }

    /// The same, each with its mirror.
    pub(super) fn places(&self, list: &WantedList<'_>, index: usize) -> Vec<(&'m Mirror, Url)> {
        if self.mirrors.is_empty() {
            return Vec::new();
        }
        let wanted = list.get(index);
        let names = Names::of(list, &wanted);
        let mut urls = Vec::new();
        for (mirror, way) in self.mirrors.iter().zip(&self.ways) {
            let first = way.load(Ordering::Relaxed);
            let ways = (first..WAYS.len()).chain(0..first);
            let places = ways.filter_map(|at| Some((at, WAYS[at](&names)?)));
            match mirror {
                Mirror::Folder(folder) => {
                    let found = places.filter_map(|(at, name)| Some((at, file_url(folder, &name, &wanted)?)));
                    for (at, url) in found {
                        if urls.is_empty() {
                            way.store(at, Ordering::Relaxed);
                        }
                        urls.push((mirror, url));
                    }
                }
                Mirror::Url(base) => {
                    let all = places.filter_map(|(_, name)| below(base, &name));
                    urls.extend(all.map(|url| (mirror, url)));
                }
            }
        }
        urls.dedup_by(|(_, one), (_, other)| one == other);
        urls
    }

    /// Notes which of a mirror's ways was right.
    pub(super) fn found(&self, list: &WantedList<'_>, index: usize, url: &Url) {
        if self.mirrors.is_empty() {
            return;
        }
        let wanted = list.get(index);
        let names = Names::of(list, &wanted);
        for (mirror, way) in self.mirrors.iter().zip(&self.ways) {
            let Mirror::Url(base) = mirror else { continue };
            let is_it =
                |at: &usize| WAYS[*at](&names).and_then(|name| below(base, &name)).as_ref() == Some(url);
            if let Some(at) = (0..WAYS.len()).find(is_it) {
                way.store(at, Ordering::Relaxed);
            }
        }
    }
}

/// The file of that name in a folder, if it is there and may be the one.
fn file_url(folder: &Path, name: &str, wanted: &Wanted<'_>) -> Option<Url> {
    let path = folder.join(name);
    let metadata = fs_err::metadata(&path).ok()?;
    let may_be = metadata.is_file() && wanted.length.is_none_or(|length| length == metadata.len());
    may_be.then_some(())?;
    Url::from_file_path(fs_err::canonicalize(path).ok()?).ok()
}

/// A URL with a path put after it; each part is encoded by itself.
fn below(base: &Url, name: &str) -> Option<Url> {
    let mut url = base.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(name.split('/'));
    Some(url)
}
