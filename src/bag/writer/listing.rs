//! The payload's list: what manifests, fetch.txt and the content's digest are written from. A file takes its path and some
//! eighty octets, for there may be millions.

use std::io;

use crate::bag::content::Content;
use crate::bag::digest::push_hex;
use crate::bag::path::push_encoded;
use crate::bag::{Algorithm, Digest};

/// Where a file that is not in the bag is.
#[derive(Debug, Clone, Copy)]
pub enum Home<'u> {
    /// Below a URL that ends in `/`, in the layout of an object store: `ab/<sha256>`.
    Below(&'u str),
    /// At a URL of its own.
    At(&'u str),
}

/// The files, in the order in which they were added.
pub(in crate::bag) struct Listing {
    algorithms: Vec<Algorithm>,
    paths: String,
    /// The digests of each file, one after the other in the order of the algorithms; zeros for one that is not known.
    digests: Vec<u8>,
    files: Vec<File>,
    /// URLs below which files are.
    bases: Vec<String>,
    /// URLs of single files, one after the other.
    urls: String,
}

struct File {
    /// Where its path ends; it starts where the one before ends.
    path_end: usize,
    length: u64,
    /// Which algorithms' digests are known, a bit for each.
    known: u8,
    home: Place,
}

#[derive(Clone, Copy)]
enum Place {
    Here,
    Below(u16),
    /// Where its URL starts, and how long it is.
    At {
        start: usize,
        length: u16,
    },
}

impl Listing {
    pub(in crate::bag) fn new(algorithms: &[Algorithm]) -> Self {
        Self {
            algorithms: algorithms.to_vec(),
            paths: String::new(),
            digests: Vec::new(),
            files: Vec::new(),
            bases: Vec::new(),
            urls: String::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn octets(&self) -> u64 {
        self.files.iter().map(|file| file.length).sum()
    }

    pub(in crate::bag) fn add(
        &mut self,
        path: &str,
        length: u64,
        digests: &[Digest],
        home: Option<Home<'_>>,
    ) -> io::Result<()> {
        let home = match home {
            None => Place::Here,
            Some(Home::Below(base)) => Place::Below(self.base(base)?),
            Some(Home::At(url)) => {
                let start = self.urls.len();
                // What would end the field is written as a URL has it.
                self.urls.push_str(&url.replace(' ', "%20").replace('\t', "%09"));
                if self.urls[start..].contains(char::is_control) {
                    return Err(io::Error::other(format!("the URL of {path} has a control character in it")));
                }
                let too_long = |_| io::Error::other(format!("the URL of {path} is too long"));
                Place::At { start, length: u16::try_from(self.urls.len() - start).map_err(too_long)? }
            }
        };
        let mut known = 0;
        for (at, algorithm) in self.algorithms.iter().enumerate() {
            match digests.iter().find(|digest| digest.algorithm() == *algorithm) {
                Some(digest) => {
                    known |= 1 << at;
                    self.digests.extend(digest.as_bytes());
                }
                None => self.digests.resize(self.digests.len() + algorithm.length(), 0),
            }
        }
        self.paths.push_str(path);
        self.files.push(File { path_end: self.paths.len(), length, known, home });
        Ok(())
    }

    fn base(&mut self, base: &str) -> io::Result<u16> {
        let at = self.bases.iter().position(|known| known == base).unwrap_or_else(|| {
            self.bases.push(base.to_owned());
            self.bases.len() - 1
        });
        u16::try_from(at).map_err(|_| io::Error::other("too many places"))
    }

    /// The files by their paths.
    pub(super) fn sorted(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..u32::try_from(self.files.len()).unwrap_or(u32::MAX)).collect();
        // Stable, for it takes next to no time where they are sorted already.
        order.sort_by(|one, other| self.path(*one).cmp(self.path(*other)));
        order
    }

    fn file(&self, at: u32) -> (usize, &File) {
        let at = at as usize;
        (at, &self.files[at])
    }

    fn path(&self, at: u32) -> &str {
        let (at, file) = self.file(at);
        let start = at.checked_sub(1).map_or(0, |before| self.files[before].path_end);
        &self.paths[start..file.path_end]
    }

    fn digest(&self, at: u32, which: usize) -> Option<&[u8]> {
        let (at, file) = self.file(at);
        let stride: usize = self.algorithms.iter().map(|algorithm| algorithm.length()).sum();
        let before: usize = self.algorithms[..which].iter().map(|algorithm| algorithm.length()).sum();
        let start = at * stride + before;
        let digest = &self.digests[start..start + self.algorithms[which].length()];
        (file.known >> which & 1 == 1).then_some(digest)
    }

    /// The algorithms that have a digest of every file.
    pub(super) fn complete(&self) -> Vec<Algorithm> {
        let all = self.files.iter().fold(u8::MAX, |all, file| all & file.known);
        let known = self.algorithms.iter().enumerate();
        known.filter(|(at, _)| all >> at & 1 == 1).map(|(_, algorithm)| *algorithm).collect()
    }

    pub(super) fn has_remote(&self) -> bool {
        self.files.iter().any(|file| !matches!(file.home, Place::Here))
    }

    /// A file's line in the manifest of an algorithm; false where there is no digest of it.
    pub(super) fn manifest_line(&self, at: u32, algorithm: Algorithm, line: &mut Vec<u8>) -> bool {
        let which = self.algorithms.iter().position(|known| *known == algorithm);
        let Some(digest) = which.and_then(|which| self.digest(at, which)) else { return false };
        push_hex(digest, line);
        line.extend(b"  ");
        push_encoded(self.path(at), line);
        line.push(b'\n');
        true
    }

    /// A file's line in fetch.txt; false where the file is in the bag.
    pub(in crate::bag) fn fetch_line(&self, at: u32, line: &mut Vec<u8>) -> bool {
        let (_, file) = self.file(at);
        match file.home {
            Place::Here => return false,
            Place::Below(base) => {
                line.extend(self.bases[usize::from(base)].as_bytes());
                let which = self.algorithms.iter().position(|algorithm| *algorithm == Algorithm::Sha256);
                let digest = which.and_then(|which| self.digest(at, which)).unwrap_or_default();
                push_hex(digest.get(..1).unwrap_or_default(), line);
                line.push(b'/');
                push_hex(digest, line);
            }
            Place::At { start, length } => {
                line.extend(&self.urls.as_bytes()[start..start + usize::from(length)]);
            }
        }
        line.push(b'\t');
        line.extend(file.length.to_string().as_bytes());
        line.push(b'\t');
        push_encoded(self.path(at), line);
        line.push(b'\n');
        true
    }

    /// The identity of the content; `None` where a file has no digest at all.
    pub(super) fn content(&self, order: &[u32]) -> Option<Digest> {
        let mut content = Content::default();
        for at in order {
            let mut strongest = (0..self.algorithms.len()).rev();
            let digest = strongest.find_map(|which| Some((self.algorithms[which], self.digest(*at, which)?)));
            content.add(self.path(*at), self.files[*at as usize].length, digest?);
        }
        Some(content.finish())
    }
}
