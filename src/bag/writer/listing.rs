//! The payload files of a bag that is written: what its manifests and its `fetch.txt` say of them. There may be millions.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::bag::urls::Urls;
use crate::bag::{Algorithm, BagPath, Digest, path};

/// Payload files, in runs of which each is sorted by path.
pub(super) struct Listing {
    algorithms: Vec<Algorithm>,
    paths: Urls,
    /// End to end, one for each algorithm.
    digests: Vec<u8>,
    lengths: Vec<u64>,
    urls: Urls,
    /// The number of a file's URL; [`HERE`] where it is in the bag.
    places: Vec<u32>,
    /// Where each run begins.
    runs: Vec<usize>,
    last: String,
}

/// A file that is in the bag itself.
const HERE: u32 = u32::MAX;

/// What is said of one file.
pub(super) struct Listed<'l> {
    listing: &'l Listing,
    number: usize,
    /// Its path, as manifests write it.
    pub(super) path: String,
}

impl Listing {
    pub(super) fn new(algorithms: &[Algorithm]) -> Self {
        Self {
            algorithms: algorithms.to_vec(),
            paths: Urls::default(),
            digests: Vec::new(),
            lengths: Vec::new(),
            urls: Urls::default(),
            places: Vec::new(),
            runs: Vec::new(),
            last: String::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Adds a file, with a digest for each algorithm; false where there is no room for more names or URLs.
    pub(super) fn push(
        &mut self,
        path: &BagPath,
        url: Option<&str>,
        length: u64,
        digests: &[Digest],
    ) -> bool {
        let encoded = path::encode(path.as_str());
        if self.runs.is_empty() || encoded < self.last {
            self.runs.push(self.len());
        }
        let place = match url {
            None => HERE,
            Some(url) => {
                let number = u32::try_from(self.urls.len()).unwrap_or(HERE);
                if number == HERE || !self.urls.push(url) {
                    return false;
                }
                number
            }
        };
        if !self.paths.push(&encoded) {
            return false;
        }
        self.last = encoded;
        self.places.push(place);
        self.lengths.push(length);
        for algorithm in &self.algorithms {
            let digest = digests.iter().find(|digest| digest.algorithm() == *algorithm);
            match digest {
                Some(digest) => self.digests.extend(digest.as_bytes()),
                None => self.digests.resize(self.digests.len() + algorithm.length(), 0),
            }
        }
        true
    }

    /// Whether any file is elsewhere.
    pub(super) fn has_remote(&self) -> bool {
        self.urls.len() > 0
    }

    /// Octets of all files.
    pub(super) fn octets(&self) -> u64 {
        self.lengths.iter().sum()
    }

    /// The files sorted by path.
    pub(super) fn sorted(&self) -> impl Iterator<Item = Listed<'_>> {
        let ends = self.runs.iter().skip(1).copied().chain([self.len()]);
        let mut runs: Vec<std::ops::Range<usize>> =
            self.runs.iter().copied().zip(ends).map(|(start, end)| start..end).collect();
        let mut heads: BinaryHeap<Reverse<(String, usize, usize)>> = BinaryHeap::new();
        for (run, range) in runs.iter_mut().enumerate() {
            heads.extend(range.next().map(|number| Reverse((self.path(number), number, run))));
        }
        std::iter::from_fn(move || {
            let Reverse((path, number, run)) = heads.pop()?;
            heads.extend(runs[run].next().map(|next| Reverse((self.path(next), next, run))));
            Some(Listed { listing: self, number, path })
        })
    }

    fn path(&self, number: usize) -> String {
        self.paths.get(number).to_string()
    }
}

impl Listed<'_> {
    /// Its URL, where it is elsewhere.
    pub(super) fn url(&self) -> Option<String> {
        let place = self.listing.places[self.number];
        (place != HERE).then(|| self.listing.urls.get(place as usize).to_string())
    }

    pub(super) fn length(&self) -> u64 {
        self.listing.lengths[self.number]
    }

    /// Its digest by the algorithm of this place.
    pub(super) fn digest(&self, at: usize) -> Digest {
        let widths = self.listing.algorithms.iter().map(|algorithm| algorithm.length());
        let (before, all): (usize, usize) = (widths.clone().take(at).sum(), widths.sum());
        let algorithm = self.listing.algorithms[at];
        let start = self.number * all + before;
        Digest::from_bytes(algorithm, &self.listing.digests[start..start + algorithm.length()])
    }
}
