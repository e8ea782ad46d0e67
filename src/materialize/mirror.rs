//! Other places that have a bag's files: a mirror, or a folder that someone copied by hand.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use super::MaterializeError;
use super::list::{Wanted, WantedList};
use crate::bag::Algorithm;
use crate::cache::ObjectStore;
use crate::transport::{redacted, redacted_text};

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
        let bad = || MaterializeError::BadUrl(redacted_text(text));
        let mut url = Url::parse(text).map_err(|_| bad())?;
        match url.scheme() {
            "file" => return url.to_file_path().map(Self::Folder).map_err(|()| bad()),
            "http" | "https" | "s3" => {}
            scheme => return Err(MaterializeError::Scheme(scheme.to_owned())),
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self::Url(url))
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Url(url) => f.write_str(&redacted(url)),
        }
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

/// A mirror that lacks so many files in a row, under whatever name, is not asked any more.
const ENOUGH: u32 = 24;

/// A mirror that lacks so many names in a row is asked for a few files at a time until it has one: hundreds of files
/// may be wanted at once.
const DOUBT: u32 = 24;
/// So many.
const FEW: usize = 4;

/// The mirrors of a run.
pub(super) struct Mirrors<'m> {
    mirrors: &'m [Mirror],
    /// What is known of each.
    known: Vec<Known>,
}

struct Known {
    /// The way that was right last: the next file is probably named in the same way.
    way: AtomicUsize,
    /// Files in a row that it did not have.
    misses: AtomicU32,
    /// Names in a row that it did not have; as good as many before the first that it has.
    lacks: AtomicU32,
    /// Whose turn it is, while it is in doubt.
    turns: Semaphore,
    /// It was told that something is wrong there.
    told: AtomicBool,
}

impl Known {
    fn new() -> Self {
        Self {
            way: AtomicUsize::new(0),
            misses: AtomicU32::new(0),
            lacks: AtomicU32::new(DOUBT),
            turns: Semaphore::new(FEW),
            told: AtomicBool::new(false),
        }
    }
}

/// A place where a mirror may have a file.
pub(super) struct MirrorPlace {
    pub(super) mirror: usize,
    way: usize,
    pub(super) url: Url,
}

/// Where the mirrors may have a file.
#[derive(Default)]
pub(super) struct Looked {
    /// In the order of trying. Of a folder only what is there.
    pub(super) places: Vec<MirrorPlace>,
    /// What a folder has in its place, by mirror: why it can't be the file.
    pub(super) wrong: Vec<(usize, String)>,
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
        Ok(Self { mirrors, known: mirrors.iter().map(|_| Known::new()).collect() })
    }

    /// Looks where the mirrors may have a file; nothing is asked of a server.
    pub(super) fn look(&self, list: &WantedList<'_>, index: usize) -> Looked {
        let mut looked = Looked::default();
        if self.mirrors.is_empty() {
            return looked;
        }
        let wanted = list.get(index);
        let names = Names::of(list, &wanted);
        for (mirror, at) in self.mirrors.iter().zip(0..) {
            let first = self.known[at].way.load(Ordering::Relaxed);
            for way in (first..WAYS.len()).chain(0..first) {
                let Some(name) = WAYS[way](&names) else { continue };
                let found = match mirror {
                    Mirror::Folder(folder) => file_url(folder, &name, &wanted),
                    Mirror::Url(base) => Ok(below(base, &name)),
                };
                match found {
                    Ok(Some(url)) if looked.places.iter().all(|place| place.url != url) => {
                        looked.places.push(MirrorPlace { mirror: at, way, url });
                    }
                    Ok(_) => {}
                    Err(reason) => looked.wrong.push((at, reason)),
                }
            }
        }
        looked
    }

    /// A mirror's name for people.
    pub(super) fn name(&self, mirror: usize) -> String {
        self.mirrors[mirror].to_string()
    }

    /// Notes that a mirror had a file, and in which way it names files.
    pub(super) fn found(&self, place: &MirrorPlace) {
        let known = &self.known[place.mirror];
        known.way.store(place.way, Ordering::Relaxed);
        known.misses.store(0, Ordering::Relaxed);
        known.lacks.store(0, Ordering::Relaxed);
    }

    /// Notes that a mirror did not have a file under one name.
    pub(super) fn lacked(&self, mirror: usize) {
        let lacks = &self.known[mirror].lacks;
        let _ = lacks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |lacks| lacks.checked_add(1));
    }

    /// Whether any number of files may be asked for at once.
    pub(super) fn is_trusted(&self, mirror: usize) -> bool {
        self.is_folder(mirror) || self.known[mirror].lacks.load(Ordering::Relaxed) < DOUBT
    }

    /// Waits for a turn at a mirror that is in doubt.
    pub(super) async fn turn(&self, mirror: usize) -> Option<SemaphorePermit<'_>> {
        self.known[mirror].turns.acquire().await.ok()
    }

    /// Whether a mirror is a folder of this machine.
    pub(super) fn is_folder(&self, mirror: usize) -> bool {
        matches!(self.mirrors[mirror], Mirror::Folder(_))
    }

    /// Notes that a mirror did not have a file, or what is as bad as so many; whether it is given up with that.
    pub(super) fn missed(&self, mirror: usize, files: u32) -> bool {
        let before = self.known[mirror].misses.fetch_add(files, Ordering::Relaxed);
        before < ENOUGH && before + files >= ENOUGH && !self.is_folder(mirror)
    }

    /// Whether a mirror is asked no more. A folder always is, for that costs little.
    pub(super) fn is_given_up(&self, mirror: usize) -> bool {
        !self.is_folder(mirror) && self.known[mirror].misses.load(Ordering::Relaxed) >= ENOUGH
    }

    /// Whether it is the first time that something is wrong with a mirror.
    pub(super) fn is_news(&self, mirror: usize) -> bool {
        !self.known[mirror].told.swap(true, Ordering::Relaxed)
    }
}

/// The file of that name in a folder, links followed: whoever named the folder trusts it. An error says why what is
/// there can't be the file.
fn file_url(folder: &Path, name: &str, wanted: &Wanted<'_>) -> Result<Option<Url>, String> {
    let path = folder.join(name);
    let Ok(metadata) = fs_err::metadata(&path) else {
        let is_link = fs_err::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink());
        return if is_link { Err("it is a link that leads nowhere".into()) } else { Ok(None) };
    };
    if metadata.is_dir() {
        return Ok(None);
    }
    if !metadata.is_file() {
        return Err("it is no regular file".into());
    }
    match wanted.length {
        Some(length) if length != metadata.len() => {
            Err(format!("it has {} bytes, fetch.txt says {length}", metadata.len()))
        }
        _ => Ok(fs_err::canonicalize(path).ok().and_then(|path| Url::from_file_path(path).ok())),
    }
}

/// A URL with a path put after it; each part is encoded by itself.
fn below(base: &Url, name: &str) -> Option<Url> {
    let mut url = base.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(name.split('/'));
    Some(url)
}
