//! A bag opened: its declaration, its manifests side by side, its `fetch.txt`, and all that is wrong with their form.
//!
//! Names are kept once, in one table; what is known of a file lies in columns by its number there: its length, and
//! a digest for each manifest. At a million files that is what decides how much memory a bag takes.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use super::container::{Body, Detail, Place};
use super::fetch::{FetchList, RemoteLength};
use super::manifest::{Column, Lists, ManifestFile, Reading, listed_in_any, manifest_name, unreadable};
use super::names::{Alike, FileId, Names};
use super::tagfile::{BadLine, Declaration};
use super::{
    Algorithm, BagError, BagFile, BagInfo, Code, Container, Digest, FetchEntry, Finding, Level, Limits,
    NoProgress, PathRef, Progress, open_container,
};

/// A bag as its tag files describe it. Opening reads every tag file that the level asks for, and no payload.
pub struct Bag {
    container: Box<dyn Container>,
    pub(super) level: Level,
    declaration: Declaration,
    pub(super) names: Names,
    /// The names up to this number are those of files that are there.
    present: usize,
    lengths: Vec<u64>,
    /// The files that are there and whose names are not ASCII, to be found in whatever normal form. Made when needed.
    normal_forms: OnceLock<Alike>,
    pub(super) has_data: bool,
    /// One for each payload manifest, weakest algorithm first.
    pub(super) columns: Vec<Column>,
    pub(super) tags: HashMap<FileId, Vec<Digest>>,
    fetch: FetchList,
    info: BagInfo,
    pub(super) findings: Vec<Finding>,
}

/// Which manifests there were.
#[derive(Default)]
struct ManifestsRead {
    algorithms: Vec<(Lists, Algorithm)>,
    /// File names of payload manifests, those of unknown algorithms too.
    payload: Vec<String>,
}

impl Bag {
    /// Opens a folder or archive. Fails only if there is no bag to speak of; all else becomes a finding.
    pub fn open(path: &Path) -> Result<Self, BagError> {
        Self::open_for(path, Level::Full, &Limits::default(), &NoProgress)
    }

    /// Opens a folder or archive as far as a level of verification needs, within limits on archives.
    pub fn open_for(
        path: &Path,
        level: Level,
        limits: &Limits,
        progress: &dyn Progress,
    ) -> Result<Self, BagError> {
        Self::read(open_container(path, limits)?, level, progress)
    }

    /// Opens the bag in a container.
    pub fn from_container(container: Box<dyn Container>, level: Level) -> Result<Self, BagError> {
        Self::read(container, level, &NoProgress)
    }

    fn read(container: Box<dyn Container>, level: Level, progress: &dyn Progress) -> Result<Self, BagError> {
        let detail = if level == Level::Structure { Detail::Names } else { Detail::Lengths };
        let listing = container.list(detail, progress)?;
        let present = listing.names.len();
        let declaration = declaration(container.as_ref(), &listing.names)?;
        let mut bag = Self {
            container,
            level,
            declaration,
            names: listing.names,
            present,
            lengths: listing.lengths,
            normal_forms: OnceLock::new(),
            has_data: listing.has_data,
            columns: Vec::new(),
            tags: HashMap::new(),
            fetch: FetchList::default(),
            info: BagInfo::default(),
            findings: listing.odd,
        };
        let notes = std::mem::take(&mut bag.declaration.notes);
        bag.findings
            .extend(notes.into_iter().map(|(code, message)| Finding::new(code, "bagit.txt", message)));
        bag.read_info();
        let read = (level != Level::Oxum).then(|| bag.read_manifests());
        bag.read_fetch();
        if let Some(read) = read {
            bag.check_manifests(&read);
        }
        Ok(bag)
    }

    fn reader_of(&self, id: FileId) -> io::Result<Body<'_>> {
        self.container.open(Place { id, path: self.names.get(id) })
    }

    fn present_id(&self, name: &str) -> Option<FileId> {
        self.names.find(name).filter(|id| self.is_present(*id))
    }

    fn read_info(&mut self) {
        let name = ["bag-info.txt", "package-info.txt"]
            .into_iter()
            .find_map(|name| Some((name, self.present_id(name)?)));
        let Some((name, id)) = name else { return };
        let v1 = self.declaration.is_1_0();
        let mut findings = Vec::new();
        let mut wrong = |line: u64, what: BadLine| {
            let (code, message) = match what {
                BadLine::NoLabel => (Code::BadBagInfo, "the line has no label"),
                BadLine::NotText => (Code::TagFileUnreadable, "the line is not UTF-8, or endless"),
                BadLine::Spacing if v1 => (
                    Code::BagInfoSpacing,
                    "the label is not followed by a colon, one space or tab, and the value",
                ),
                BadLine::Spacing => return,
            };
            findings.push(Finding::new(code, format_args!("{name}:{line}"), message));
        };
        let read =
            self.reader_of(id).and_then(|body| BagInfo::parse(body, self.declaration.encoding, &mut wrong));
        match read {
            Ok(info) => self.info = info,
            Err(error) => findings.push(unreadable(name, &error)),
        }
        self.findings.append(&mut findings);
    }

    fn read_manifests(&mut self) -> ManifestsRead {
        let here = self.names.ids().take(self.present).map(|id| (self.names.get(id).as_str(), id));
        let mut manifests: Vec<(String, FileId)> = here
            .filter(|(name, _)| manifest_name(name).is_some())
            .map(|(name, id)| (name.to_owned(), id))
            .collect();
        manifests.sort_unstable();
        let mut read = ManifestsRead::default();
        for (name, id) in manifests {
            let Some((lists, algorithm)) = manifest_name(&name) else { continue };
            if lists == Lists::Payload {
                read.payload.push(name.clone());
            }
            let Some(algorithm) = Algorithm::by_name(algorithm) else {
                let message = "its algorithm is unknown, so that it was not checked";
                self.findings.push(Finding::new(Code::UnknownAlgorithm, &name, message));
                continue;
            };
            if read.algorithms.contains(&(lists, algorithm)) {
                let message = format!("there is another manifest of {algorithm}; this one was not read");
                self.findings.push(Finding::new(Code::RepeatedManifest, &name, message));
                continue;
            }
            read.algorithms.push((lists, algorithm));
            self.read_manifest(id, &ManifestFile { name: &name, algorithm, lists });
        }
        self.columns.sort_by_key(|column| column.algorithm);
        self.tags.values_mut().for_each(|digests| digests.sort_unstable());
        read
    }

    fn read_manifest(&mut self, id: FileId, file: &ManifestFile<'_>) {
        let Self { container, names, tags, columns, findings, .. } = self;
        let opened = PathRef::parse(file.name, &mut String::new())
            .map_err(io::Error::other)
            .and_then(|path| container.open(Place { id, path }));
        let body = match opened {
            Ok(body) => body,
            Err(error) => return findings.push(unreadable(file.name, &error)),
        };
        let (v1, encoding) = (self.declaration.is_1_0(), self.declaration.encoding);
        let mut reading = Reading { v1, encoding, names, present: self.present };
        if file.lists == Lists::Payload {
            let mut column = Column::new(file.algorithm);
            file.parse(body, &mut reading, &mut |id, digest| column.set(id, digest), findings);
            columns.push(column);
        } else {
            let mut record = |id, digest: &Digest| {
                let digests: &mut Vec<Digest> = tags.entry(id).or_default();
                let first = digests.iter().find(|first| first.algorithm() == digest.algorithm()).copied();
                if first.is_none() {
                    digests.push(*digest);
                }
                first
            };
            file.parse(body, &mut reading, &mut record, findings);
        }
    }

    fn read_fetch(&mut self) {
        let Some(id) = self.present_id("fetch.txt") else { return };
        let Self { container, names, findings, .. } = self;
        let path = PathRef::stored("fetch.txt");
        match container.open(Place { id, path }) {
            Ok(body) => {
                let (v1, encoding) = (self.declaration.is_1_0(), self.declaration.encoding);
                let mut reading = Reading { v1, encoding, names, present: self.present };
                self.fetch = FetchList::parse(body, &mut reading, findings);
            }
            Err(error) => findings.push(unreadable("fetch.txt", &error)),
        }
    }

    /// What the manifests and `fetch.txt` say of each other.
    fn check_manifests(&mut self, read: &ManifestsRead) {
        let mut findings = Vec::new();
        if self.columns.is_empty() {
            let message = "there is no payload manifest of a known algorithm";
            findings.push(Finding::new(Code::NoManifest, "manifest-sha256.txt", message));
        }
        if self.declaration.is_1_0() {
            self.check_every_manifest(&mut findings);
        }
        self.check_tag_manifests(read, &mut findings);
        for file in self.fetch.files() {
            if !self.columns.iter().any(|column| column.lists(file)) {
                let message = "fetch.txt names it, but no manifest lists it";
                findings.push(Finding::new(Code::FetchNotInManifest, self.names.get(file), message));
            }
        }
        self.findings.append(&mut findings);
    }

    /// RFC 8493 §2.1.3: every payload file in every payload manifest.
    fn check_every_manifest(&self, findings: &mut Vec<Finding>) {
        for column in &self.columns {
            for other in self.columns.iter().filter(|other| other.algorithm != column.algorithm) {
                for id in column.lacking(other) {
                    let message = format!("it is in {} but not in {}", other.manifest(), column.manifest());
                    findings.push(Finding::new(Code::NotInEveryManifest, self.names.get(id), message));
                }
            }
        }
    }

    /// RFC 8493 §2.2.1: a tag manifest lists every payload manifest.
    fn check_tag_manifests(&self, read: &ManifestsRead, findings: &mut Vec<Finding>) {
        let code = if self.declaration.is_1_0() { Code::TagManifestGap } else { Code::OldTagManifestGap };
        for (_, algorithm) in read.algorithms.iter().filter(|(lists, _)| *lists == Lists::Tags) {
            for name in &read.payload {
                let digests = self.names.find(name).and_then(|id| self.tags.get(&id));
                if !digests
                    .is_some_and(|digests| digests.iter().any(|digest| digest.algorithm() == *algorithm))
                {
                    let place = format!("tagmanifest-{algorithm}.txt");
                    findings.push(Finding::new(code, place, format!("it does not list {name}")));
                }
            }
        }
    }
}

/// What is asked of an open bag.
impl Bag {
    /// Where it lies and how it is read.
    #[must_use]
    pub fn container(&self) -> &dyn Container {
        self.container.as_ref()
    }

    /// The BagIt version that it declares, such as `1.0`.
    #[must_use]
    pub fn version(&self) -> String {
        format!("{}.{}", self.declaration.major, self.declaration.minor)
    }

    /// The payload files that a manifest lists, in the order in which their names were met.
    pub fn payload(&self) -> impl Iterator<Item = BagFile<'_>> {
        listed_in_any(&self.columns).map(|id| self.by_id(id))
    }

    /// How many those are.
    #[must_use]
    pub fn payload_count(&self) -> u64 {
        listed_in_any(&self.columns).count() as u64
    }

    /// The files that are there, tag files too, in the container's order.
    pub fn files(&self) -> impl Iterator<Item = BagFile<'_>> {
        self.names.ids().take(self.present).map(|id| self.by_id(id))
    }

    /// How many those are.
    #[must_use]
    pub fn file_count(&self) -> usize {
        self.present
    }

    /// The lines of `fetch.txt`, in order.
    pub fn fetch(&self) -> impl Iterator<Item = FetchEntry<'_>> {
        self.fetch.iter().map(|(id, url, length)| FetchEntry { file: self.by_id(id), url, length })
    }

    /// One line of `fetch.txt`, counted from 0.
    #[must_use]
    pub fn fetch_line(&self, index: usize) -> Option<FetchEntry<'_>> {
        self.fetch.get(index).map(|(id, url, length)| FetchEntry { file: self.by_id(id), url, length })
    }

    /// The listed files that `fetch.txt` names, each once.
    pub(crate) fn fetch_files(&self) -> impl Iterator<Item = BagFile<'_>> {
        self.payload().filter(|file| self.is_remote(*file))
    }

    /// Whether `fetch.txt` names a file.
    pub(crate) fn is_remote(&self, file: BagFile<'_>) -> bool {
        self.remote_length(file).is_some()
    }

    /// Whether there is a `fetch.txt` that names a file.
    #[must_use]
    pub fn has_fetch(&self) -> bool {
        self.fetch.len() > 0
    }

    /// What is said of the length of a file that `fetch.txt` names.
    pub(super) fn remote_length(&self, file: BagFile<'_>) -> Option<RemoteLength> {
        self.fetch.length_of(file.id)
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

    /// The file of exactly that name, be it there or only listed.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<BagFile<'_>> {
        self.names.find(path).map(|id| self.by_id(id))
    }

    /// The file itself if it is there, or else one whose name differs only in Unicode normal form: file systems and
    /// archivers change it (RFC 8493 §5.2).
    #[must_use]
    pub fn stored<'b>(&'b self, file: BagFile<'b>) -> Option<BagFile<'b>> {
        let name = file.path().as_str();
        if file.is_present() || name.is_ascii() {
            return Some(file).filter(|file| file.is_present());
        }
        let forms = self.normal_forms.get_or_init(|| {
            let mut forms = Alike::by_normal_form();
            for file in self.files().filter(|file| !file.path().as_str().is_ascii()) {
                forms.add(&self.names, file.id);
            }
            forms
        });
        forms.find(&self.names, name).map(|id| self.by_id(id))
    }

    pub(super) fn is_present(&self, id: FileId) -> bool {
        id.index() < self.present
    }

    /// The length in octets of a file that is there, as the container's directory says.
    pub(super) fn length_of(&self, id: FileId) -> Option<u64> {
        self.lengths.get(id.index()).copied()
    }

    pub(super) fn by_id(&self, id: FileId) -> BagFile<'_> {
        BagFile::new(self, id)
    }
}

fn declaration(container: &dyn Container, names: &Names) -> Result<Declaration, BagError> {
    let not_a_bag = |reason: String| BagError::NotABag { path: container.location().to_owned(), reason };
    let id = names.find("bagit.txt").ok_or_else(|| not_a_bag("it has no bagit.txt".into()))?;
    let mut bytes = Vec::new();
    let read = container.read(Place { id, path: names.get(id) }, 64 << 10, &mut bytes);
    read.map_err(|error| not_a_bag(error.to_string()))?;
    Declaration::parse(&bytes).map_err(not_a_bag)
}
