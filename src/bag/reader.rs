//! A bag opened: its declaration, its manifests merged, its `fetch.txt`, and all that is wrong with their form.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use unicode_normalization::UnicodeNormalization;

use super::manifest::{Lists, Manifest, Reading, manifest_name};
use super::tagfile::Declaration;
use super::{
    Algorithm, BagError, BagInfo, BagPath, Code, Container, Digest, FetchEntry, FileEntry, Finding, fetch,
    open_container,
};

/// No tag file is larger than this, in octets; at ten million lines of 100 a manifest is not.
const TAG_FILE_LIMIT: u64 = 4 << 30;

/// A file that a manifest lists, with every digest that is known of it.
#[derive(Debug, Clone)]
pub struct ListedFile {
    /// Where it is in the bag.
    pub path: BagPath,
    /// One digest for each manifest that lists it, weakest algorithm first.
    pub digests: Vec<Digest>,
}

/// A bag as its tag files describe it. Opening reads every tag file and no payload.
pub struct Bag {
    container: Box<dyn Container>,
    pub(super) declaration: Declaration,
    pub(super) files: Vec<FileEntry>,
    pub(super) has_data: bool,
    payload: Vec<ListedFile>,
    pub(super) tags: Vec<ListedFile>,
    fetch: Vec<FetchEntry>,
    /// Files whose names are not ASCII, by the normal form of their names.
    normalised: HashMap<String, usize>,
    info: BagInfo,
    pub(super) findings: Vec<Finding>,
}

impl Bag {
    /// Opens a folder or zip archive. Fails only if there is no bag to speak of; all else becomes a finding.
    pub fn open(path: &Path) -> Result<Self, BagError> {
        Self::from_container(open_container(path)?)
    }

    /// Opens the bag in a container.
    pub fn from_container(container: Box<dyn Container>) -> Result<Self, BagError> {
        let listing = container.list()?;
        let declaration = declaration(container.as_ref(), &listing.files)?;
        let mut findings = listing.odd;
        let names: HashSet<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
        let reading = Reading { v1: declaration.is_1_0(), exists: &|name| names.contains(name) };
        let text = |name: &BagPath, findings: &mut Vec<Finding>| {
            let bytes = container.read_small(name, TAG_FILE_LIMIT).map_err(|e| e.to_string());
            let text = bytes.and_then(|bytes| declaration.encoding.decode(bytes));
            text.map_err(|e| findings.push(Finding::new(Code::TagFileUnreadable, name, e)))
                .unwrap_or_default()
        };
        let mut payload_manifests = Vec::new();
        let mut tag_manifests = Vec::new();
        let mut info = BagInfo::default();
        let mut fetch = Vec::new();
        for file in &listing.files {
            let name = file.path.as_str();
            if let Some((lists, algorithm)) = manifest_name(name) {
                let Some(algorithm) = Algorithm::by_name(algorithm) else {
                    findings.push(Finding::new(
                        Code::UnknownAlgorithm,
                        name,
                        "its algorithm is unknown, so that it was not checked",
                    ));
                    continue;
                };
                let body = text(&file.path, &mut findings);
                let manifest = Manifest::parse(name, algorithm, &body, lists, &reading, &mut findings);
                if lists == Lists::Payload { &mut payload_manifests } else { &mut tag_manifests }
                    .push(manifest);
            } else if name == "fetch.txt" {
                fetch = fetch::parse(&text(&file.path, &mut findings), &reading, &mut findings);
            } else if name == "bag-info.txt" || name == "package-info.txt" && info == BagInfo::default() {
                let (parsed, bad) = BagInfo::parse(&text(&file.path, &mut findings));
                info = parsed;
                findings.extend(bad.into_iter().map(|line| {
                    Finding::new(Code::BadBagInfo, format!("{name}:{line}"), "the line has no label")
                }));
            }
        }
        if payload_manifests.is_empty() {
            findings.push(Finding::new(
                Code::NoManifest,
                "manifest-sha256.txt",
                "there is no payload manifest of a known algorithm",
            ));
        }
        if declaration.is_1_0() {
            check_every_manifest(&payload_manifests, &mut findings);
        }
        check_tag_manifests(&tag_manifests, &payload_manifests, &mut findings);
        let payload = merge(payload_manifests);
        check_fetch(&fetch, &payload, &mut findings);
        let names = listing.files.iter().enumerate().filter(|(_, file)| !file.path.as_str().is_ascii());
        let normalised = names.map(|(index, file)| (file.path.as_str().nfc().collect(), index)).collect();
        Ok(Self {
            normalised,
            declaration,
            payload,
            tags: merge(tag_manifests),
            has_data: listing.has_data,
            files: listing.files,
            container,
            fetch,
            info,
            findings,
        })
    }

    /// Where it lies and how to read it.
    #[must_use]
    pub fn container(&self) -> &dyn Container {
        self.container.as_ref()
    }

    /// The BagIt version that it declares, such as `1.0`.
    #[must_use]
    pub fn version(&self) -> String {
        format!("{}.{}", self.declaration.major, self.declaration.minor)
    }

    /// The payload files that the manifests list, sorted by path.
    #[must_use]
    pub fn payload(&self) -> &[ListedFile] {
        &self.payload
    }

    /// The lines of `fetch.txt`, in order.
    #[must_use]
    pub fn fetch(&self) -> &[FetchEntry] {
        &self.fetch
    }

    /// `bag-info.txt`.
    #[must_use]
    pub fn info(&self) -> &BagInfo {
        &self.info
    }

    /// What is wrong with the tag files' form, and what in the container is no plain file.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The files that are there, tag files too, sorted by path.
    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// The file of that name, or else one whose name differs only in Unicode normal form: file systems and
    /// archivers change it (RFC 8493 §5.2).
    #[must_use]
    pub fn file(&self, path: &BagPath) -> Option<&FileEntry> {
        let exact = self.files.binary_search_by(|file| file.path.cmp(path)).ok();
        let index = exact.or_else(|| {
            let normal: Option<String> = (!path.as_str().is_ascii()).then(|| path.as_str().nfc().collect());
            self.normalised.get(&normal?).copied()
        });
        index.map(|index| &self.files[index])
    }

    /// Whether a tag manifest lists a path.
    #[must_use]
    pub fn listed_tag(&self, path: &str) -> bool {
        self.tags.iter().any(|file| file.path.as_str() == path)
    }

    /// What the manifests list of a path.
    #[must_use]
    pub fn listed(&self, path: &BagPath) -> Option<&ListedFile> {
        self.payload.binary_search_by(|file| file.path.cmp(path)).ok().map(|index| &self.payload[index])
    }
}

fn declaration(container: &dyn Container, files: &[FileEntry]) -> Result<Declaration, BagError> {
    let not_a_bag = |reason: String| BagError::NotABag { path: container.location().to_owned(), reason };
    let file = files.iter().find(|file| file.path.as_str() == "bagit.txt");
    let file = file.ok_or_else(|| not_a_bag("it has no bagit.txt".into()))?;
    let bytes = container.read_small(&file.path, 64 << 10).map_err(|error| not_a_bag(error.to_string()))?;
    Declaration::parse(bytes).map_err(not_a_bag)
}

fn merge(mut manifests: Vec<Manifest>) -> Vec<ListedFile> {
    manifests.sort_by_key(|manifest| manifest.algorithm);
    let mut merged: BTreeMap<BagPath, Vec<Digest>> = BTreeMap::new();
    for manifest in manifests {
        for (path, digest) in manifest.entries {
            merged.entry(path).or_default().push(digest);
        }
    }
    merged.into_iter().map(|(path, digests)| ListedFile { path, digests }).collect()
}

/// RFC 8493 §2.1.3: every payload file in every payload manifest.
fn check_every_manifest(manifests: &[Manifest], findings: &mut Vec<Finding>) {
    for manifest in manifests {
        for other in manifests.iter().filter(|other| other.algorithm != manifest.algorithm) {
            for path in manifest.entries.keys().filter(|path| !other.entries.contains_key(*path)) {
                let message = format!(
                    "it is in manifest-{}.txt but not in manifest-{}.txt",
                    manifest.algorithm, other.algorithm
                );
                findings.push(Finding::new(Code::NotInEveryManifest, path, message));
            }
        }
    }
}

/// RFC 8493 §2.2.1: a tag manifest lists every payload manifest.
fn check_tag_manifests(tags: &[Manifest], payload: &[Manifest], findings: &mut Vec<Finding>) {
    for tag in tags {
        for manifest in payload {
            let name = format!("manifest-{}.txt", manifest.algorithm);
            if !tag.entries.keys().any(|path| path.as_str() == name) {
                let place = format!("tagmanifest-{}.txt", tag.algorithm);
                findings.push(Finding::new(Code::TagManifestGap, place, format!("it does not list {name}")));
            }
        }
    }
}

fn check_fetch(fetch: &[FetchEntry], payload: &[ListedFile], findings: &mut Vec<Finding>) {
    for entry in fetch {
        if payload.binary_search_by(|file| file.path.cmp(&entry.path)).is_err() {
            findings.push(Finding::new(
                Code::FetchNotInManifest,
                &entry.path,
                "fetch.txt names it, but no manifest lists it",
            ));
        }
    }
}
