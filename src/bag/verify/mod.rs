//! The verifier: everything that is wrong with a bag, found in one run, with nothing written anywhere.

mod hashing;
mod names;
mod sample;

use std::collections::HashSet;
use std::path::PathBuf;

use super::fetch::RemoteLength;
use super::names::FileId;
use super::{Algorithm, Bag, BagError, BagFile, Code, Finding, Progress, Severity};
use hashing::Job;
pub(crate) use names::check_folders;
pub(super) use names::files_that_are_folders;
pub use sample::{Sample, SampleSize};

/// How closely a bag is looked at. Each level does all that those before it do, but for `Oxum`, which is a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Only that the payload is as large and as many files as `Payload-Oxum` says.
    Oxum,
    /// The form of every tag file, and the names in the bag.
    Structure,
    /// And that every file is there, or in `fetch.txt`, and none too many.
    Complete,
    /// And every digest.
    #[default]
    Full,
}

impl Level {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oxum => "oxum",
            Self::Structure => "structure",
            Self::Complete => "complete",
            Self::Full => "full",
        }
    }
}

/// How to verify.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyOptions {
    /// Threads that hash; 0 means one for each core.
    pub jobs: usize,
    /// Hash only some of the payload.
    pub sample: Option<Sample>,
    /// Hash tag files only: the payload was hashed before and has not changed since.
    pub trust_payload: bool,
}

/// What a bag turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is wrong, as far as the level looks.
    Valid,
    /// Right so far, with files still to fetch.
    Holey,
    /// At least one error.
    Invalid,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Holey => "holey",
            Self::Invalid => "invalid",
        }
    }
}

/// Whose digests were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// No file's: the level does not ask for it.
    Nothing,
    /// Every file's.
    All,
    /// The tag files', and those of a sample of the payload.
    Sample,
    /// The tag files'; the payload was trusted.
    TagFiles,
}

impl Coverage {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::All => "all",
            Self::Sample => "sample",
            Self::TagFiles => "tag files",
        }
    }
}

/// The whole result.
#[derive(Debug, Clone)]
pub struct VerifyReport {
    /// The bag's location.
    pub bag: PathBuf,
    /// The declared BagIt version.
    pub version: String,
    /// How closely it was looked at.
    pub level: Level,
    /// Every finding, sorted by place.
    pub findings: Vec<Finding>,
    /// Payload files that are there.
    pub payload_files: u64,
    /// Octets in them; 0 at level `structure`, which does not ask for lengths.
    pub payload_bytes: u64,
    /// Payload files that are listed, not there, and in `fetch.txt`.
    pub to_fetch_files: u64,
    /// Octets in those, as far as `fetch.txt` says.
    pub to_fetch_bytes: u64,
    /// The algorithms of the payload manifests.
    pub algorithms: Vec<Algorithm>,
    /// Whose digests were checked.
    pub coverage: Coverage,
    /// Files whose digests were checked, tag files too.
    pub hashed_files: u64,
    /// Octets in them.
    pub hashed_bytes: u64,
}

impl VerifyReport {
    /// The verdict that the findings add up to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.count(Severity::Error) > 0 {
            Verdict::Invalid
        } else if self.to_fetch_files > 0 {
            Verdict::Holey
        } else {
            Verdict::Valid
        }
    }

    /// How many findings are that bad.
    #[must_use]
    pub fn count(&self, severity: Severity) -> u64 {
        self.findings.iter().filter(|finding| finding.code.severity() == severity).count() as u64
    }
}

/// Checks a bag as closely as it was opened for (RFC 8493 §3). Reads in place; extracts nothing.
pub fn verify(bag: &Bag, options: VerifyOptions, progress: &dyn Progress) -> Result<VerifyReport, BagError> {
    verify_unknown(bag, options, &|_| false, progress)
}

/// The same, but payload files of which `is_known` says that they are known to be right are not hashed. It is asked once
/// for each file that is there, from several threads.
pub(crate) fn verify_unknown(
    bag: &Bag,
    options: VerifyOptions,
    is_known: &(dyn Fn(BagFile<'_>) -> bool + Sync),
    progress: &dyn Progress,
) -> Result<VerifyReport, BagError> {
    let mut findings = bag.findings.clone();
    let present = payload_present(bag);
    let mut jobs = Vec::new();
    let to_fetch = match bag.level {
        Level::Oxum => {
            if bag.info().oxum().is_none() {
                let message = "there is no Payload-Oxum to check by; take another level";
                findings.push(Finding::new(Code::NoOxum, "bag-info.txt", message));
            }
            remote_and_absent(bag).0
        }
        Level::Structure => {
            names::check(bag, &mut findings);
            remote_and_absent(bag).0
        }
        Level::Complete | Level::Full => {
            bag.container().check(&bag.names)?;
            let payload = Payload::locate(bag, &mut findings);
            payload.check_unlisted(bag, &mut findings);
            jobs = payload.jobs;
            jobs.extend(tag_files(bag, &mut findings));
            names::check(bag, &mut findings);
            payload.to_fetch
        }
    };
    if bag.level != Level::Structure {
        findings.extend(check_oxum(bag));
    }
    let mut hashed = Tally::default();
    if bag.level == Level::Full {
        hashed = hashing::check(bag, jobs, options, is_known, progress, &mut findings)?;
    }
    findings.sort_unstable();
    findings.dedup();
    Ok(VerifyReport {
        bag: bag.container().location().to_owned(),
        version: bag.version(),
        level: bag.level,
        findings,
        payload_files: present.files,
        payload_bytes: present.bytes,
        to_fetch_files: to_fetch.files,
        to_fetch_bytes: to_fetch.bytes,
        algorithms: bag.columns.iter().map(|column| column.algorithm).collect(),
        coverage: match (bag.level, options) {
            (Level::Full, VerifyOptions { trust_payload: true, .. }) => Coverage::TagFiles,
            (Level::Full, VerifyOptions { sample: Some(_), .. }) => Coverage::Sample,
            (Level::Full, _) => Coverage::All,
            _ => Coverage::Nothing,
        },
        hashed_files: hashed.files,
        hashed_bytes: hashed.bytes,
    })
}

/// A number of files, and the octets in them.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    files: u64,
    bytes: u64,
}

impl Tally {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

fn payload_present(bag: &Bag) -> Tally {
    let mut present = Tally::default();
    bag.files().filter(|file| file.path().is_payload()).for_each(|file| present.add(file.length()));
    present
}

/// Payload files that are in `fetch.txt` and not there, and whether the length of one of them is unknown.
fn remote_and_absent(bag: &Bag) -> (Tally, bool) {
    let (mut absent, mut open) = (Tally::default(), false);
    let mut seen = HashSet::new();
    for entry in bag.fetch().filter(|entry| !entry.file.is_present()) {
        let counts = bag.level == Level::Oxum || entry.file.is_listed();
        if counts && seen.insert(entry.file.id) && bag.stored(entry.file).is_none() {
            absent.add(entry.length.unwrap_or(0));
            open |= entry.length.is_none();
        }
    }
    (absent, open)
}

/// The listed payload files, found or not.
struct Payload {
    jobs: Vec<Job>,
    to_fetch: Tally,
    /// Files that stand in for a listed one of another Unicode form.
    stand_ins: HashSet<FileId>,
}

impl Payload {
    fn locate(bag: &Bag, findings: &mut Vec<Finding>) -> Self {
        let mut payload = Self { jobs: Vec::new(), to_fetch: Tally::default(), stand_ins: HashSet::new() };
        for listed in bag.payload() {
            let remote = bag.remote_length(listed);
            if let Some(file) = bag.stored(listed) {
                payload.found(listed, file, remote.and_then(RemoteLength::octets), findings);
            } else if let Some(length) = remote {
                payload.to_fetch.add(length.octets().unwrap_or(0));
            } else {
                findings.push(missing(listed));
            }
        }
        payload
    }

    fn found(
        &mut self,
        listed: BagFile<'_>,
        file: BagFile<'_>,
        remote: Option<u64>,
        findings: &mut Vec<Finding>,
    ) {
        if let Some(length) = remote.filter(|length| *length != file.length()) {
            let message = format!("fetch.txt says {length} bytes, it has {}", file.length());
            findings.push(Finding::new(Code::LengthMismatch, listed.path(), message));
        }
        if file.id != listed.id {
            let message = format!("it is there under the name {file:?}, which differs in Unicode form");
            findings.push(Finding::new(Code::CollidingNames, listed.path(), message));
            self.stand_ins.insert(file.id);
        }
        self.jobs.push(Job { listed: listed.id, file: file.id });
    }

    /// Every file below `data/` must be listed.
    fn check_unlisted(&self, bag: &Bag, findings: &mut Vec<Finding>) {
        // A bag whose files are all elsewhere may have no folder for them yet.
        if !bag.has_data && !bag.has_fetch() {
            findings.push(Finding::new(Code::NoPayloadFolder, "data/", "the payload folder is missing"));
        }
        for file in bag.files().filter(|file| file.path().is_payload() && !file.is_listed()) {
            if !self.stand_ins.contains(&file.id) {
                findings.push(Finding::new(Code::FileUnlisted, file.path(), "no manifest lists it"));
            }
        }
    }
}

fn missing(listed: BagFile<'_>) -> Finding {
    Finding::new(Code::FileMissing, listed.path(), "it is listed but not there")
}

/// The tag files that tag manifests list, those that are there.
fn tag_files(bag: &Bag, findings: &mut Vec<Finding>) -> Vec<Job> {
    let (there, absent): (Vec<BagFile<'_>>, Vec<BagFile<'_>>) =
        bag.tags.keys().map(|id| bag.by_id(*id)).partition(|file| file.is_present());
    findings.extend(absent.into_iter().map(missing));
    there.into_iter().map(|file| Job { listed: file.id, file: file.id }).collect()
}

/// What is wrong with the Payload-Oxum. It counts what is there and what is to be fetched; files of unknown
/// length leave the octets open, and writers that know no lengths leave remote files out.
pub(crate) fn check_oxum(bag: &Bag) -> Option<Finding> {
    let wrong = |code, message| Some(Finding::new(code, "bag-info.txt", message));
    let said = match bag.info().oxum()? {
        Ok(said) => said,
        Err(text) => return wrong(Code::BadBagInfo, format!("Payload-Oxum {text:?} is not octets.files")),
    };
    if bag.info().iter().filter(|(label, _)| label.eq_ignore_ascii_case("Payload-Oxum")).count() > 1 {
        return wrong(Code::BadBagInfo, "Payload-Oxum is there more than once".to_owned());
    }
    let present = payload_present(bag);
    let (absent, unsaid) = remote_and_absent(bag);
    let all = (present.bytes.saturating_add(absent.bytes), present.files + absent.files);
    let open = said.1 == all.1 && unsaid;
    if open || [all, (present.bytes, present.files)].contains(&said) {
        return None;
    }
    let message =
        format!("Payload-Oxum says {} bytes in {} files, there are {} in {}", said.0, said.1, all.0, all.1);
    wrong(Code::OxumMismatch, message)
}
