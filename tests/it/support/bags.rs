//! Bags whose files are elsewhere: made up by a test, or real ones moved to a test's server.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::{HandBag, Reply, hex_sha256};

/// Bytes that do not compress and that no other seed gives.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Files that a server has and a bag only refers to, by name below `data/`.
#[derive(Clone)]
pub struct Remote {
    files: Arc<BTreeMap<String, (Arc<[u8]>, String)>>,
}

impl Remote {
    pub fn new(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let files = files.into_iter().map(|(name, body)| {
            let digest = hex_sha256(&body);
            (name, (body.into(), digest))
        });
        Self { files: Arc::new(files.collect()) }
    }

    /// So many files of this length each, and one of another.
    pub fn of(count: usize, length: usize, large: usize) -> Self {
        let name = |index: usize| format!("small/{index:04}.bin");
        let small = (0..count).map(|index| (name(index), noise(length, index as u64 + 1)));
        Self::new(small.chain([("large.bin".to_owned(), noise(large, 0))]))
    }

    /// The bag that refers to them at a server: `{origin}/{name}`.
    pub fn bag(&self, origin: &str) -> HandBag {
        let (mut manifest, mut fetch) = (String::new(), String::new());
        for (name, (body, digest)) in self.files.iter() {
            manifest.push_str(&format!("{digest}  data/{name}\n"));
            fetch.push_str(&format!("{origin}/{name}\t{}\tdata/{name}\n", body.len()));
        }
        HandBag::new("1.0", &[]).add("manifest-sha256.txt", &manifest).add("fetch.txt", &fetch)
    }

    /// What a good server answers at a path.
    pub fn reply(&self, path: &str) -> Reply {
        match self.files.get(path.trim_start_matches('/')) {
            Some((body, digest)) => Reply::file(Arc::clone(body), Some(&digest[..16])),
            None => Reply::status(404),
        }
    }

    pub fn body(&self, name: &str) -> Arc<[u8]> {
        Arc::clone(&self.files[name].0)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Asserts that a bag's `data/` holds what is right, or nothing, under each of the names; how many are there.
    #[track_caller]
    pub fn assert_right(&self, bag: &Path) -> usize {
        let there =
            self.files.iter().filter(|(name, (body, _))| match fs_err::read(bag.join("data").join(name)) {
                Ok(found) => {
                    assert!(found == **body, "{name} is torn: {} of {} octets", found.len(), body.len());
                    true
                }
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
                    false
                }
            });
        there.count()
    }

    /// Asserts that a bag's `data/` holds these files and no other.
    #[track_caller]
    pub fn assert_complete(&self, bag: &Path) {
        assert_eq!(self.assert_right(bag), self.files.len(), "{}", bag.display());
        assert_eq!(super::tree(&bag.join("data")).len(), self.files.len(), "{}", bag.display());
    }
}

/// The files of a zip by name, without the folder that all of them are in.
pub fn zip_files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut zip = zip::ZipArchive::new(fs_err::File::open(path).unwrap()).unwrap();
    let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    let mut files = BTreeMap::new();
    for name in names.iter().filter(|name| !name.ends_with('/')) {
        let mut body = Vec::new();
        zip.by_name(name).unwrap().read_to_end(&mut body).unwrap();
        files.insert(name.split_once('/').unwrap().1.to_owned(), body);
    }
    files
}

/// Copies a zipped bag to a folder, with every URL of its `fetch.txt` moved to another origin (`http://host:port`), and
/// with tag manifests that say so.
pub fn rehost(zip: &Path, folder: &Path, origin: &str) {
    let mut files = zip_files(zip);
    let moved: String = String::from_utf8(files["fetch.txt"].clone())
        .unwrap()
        .lines()
        .map(|line| {
            let (url, rest) = line.split_once('\t').unwrap();
            let path = url::Url::parse(url).unwrap().path().to_owned();
            format!("{origin}{path}\t{rest}\n")
        })
        .collect();
    for algorithm in [dbag::bag::Algorithm::Md5, dbag::bag::Algorithm::Sha256] {
        let name = format!("tagmanifest-{}.txt", algorithm.name());
        let digest = hex(algorithm, moved.as_bytes());
        if let Some(manifest) = files.get_mut(&name) {
            let lines = String::from_utf8(manifest.clone()).unwrap();
            let fixed = lines.lines().map(|line| match line.split_once(' ') {
                Some((_, name)) if name.trim() == "fetch.txt" => format!("{digest} {name}\n"),
                _ => format!("{line}\n"),
            });
            *manifest = fixed.collect::<String>().into_bytes();
        }
    }
    files.insert("fetch.txt".into(), moved.into_bytes());
    HandBag { files: files.into_iter().collect() }.write(folder);
}

fn hex(algorithm: dbag::bag::Algorithm, bytes: &[u8]) -> String {
    digest(algorithm, bytes).to_string()
}

pub(super) fn digest(algorithm: dbag::bag::Algorithm, bytes: &[u8]) -> dbag::bag::Digest {
    let mut hasher = dbag::bag::MultiHasher::new(&[algorithm]);
    hasher.update(bytes);
    hasher.finish()[0]
}
