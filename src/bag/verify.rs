//! The verifier: everything that is wrong with a bag, found in one run, with nothing written anywhere.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Mutex;

use rayon::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::{
    Algorithm, Bag, BagError, BagPath, Code, FileEntry, Finding, ListedFile, Progress, Severity, hash_reader,
};

/// Size of a read, in octets: large enough that the system call is no cost, small enough for the cache.
const BUFFER: usize = 1 << 20;

/// How to verify.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyOptions {
    /// Threads that hash; 0 means one for each core.
    pub jobs: usize,
}

/// What a bag turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Complete, and every digest is right.
    Valid,
    /// Right so far, with files still to fetch.
    Holey,
    /// At least one error.
    Invalid,
}

/// The whole result.
#[derive(Debug, Clone)]
pub struct VerifyReport {
    /// The bag's location.
    pub bag: PathBuf,
    /// The declared BagIt version.
    pub version: String,
    /// Every finding, sorted by place.
    pub findings: Vec<Finding>,
    /// Payload files that are there.
    pub payload_files: u64,
    /// Octets in them.
    pub payload_bytes: u64,
    /// Payload files that are listed, not there, and in `fetch.txt`.
    pub to_fetch_files: u64,
    /// Octets in those, as far as `fetch.txt` says.
    pub to_fetch_bytes: u64,
    /// The algorithms whose digests were checked.
    pub algorithms: Vec<Algorithm>,
}

impl VerifyReport {
    /// The verdict that the findings add up to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.findings.iter().any(|finding| finding.code.severity() == Severity::Error) {
            Verdict::Invalid
        } else if self.to_fetch_files > 0 {
            Verdict::Holey
        } else {
            Verdict::Valid
        }
    }
}

/// Checks structure, completeness and every digest (RFC 8493 §3). Reads in place; extracts nothing.
pub fn verify(bag: &Bag, options: VerifyOptions, progress: &dyn Progress) -> Result<VerifyReport, BagError> {
    let mut findings = bag.findings.clone();
    let fetchable: HashMap<&BagPath, Option<u64>> =
        bag.fetch().iter().map(|entry| (&entry.path, entry.length)).collect();
    let mut to_fetch = Tally::default();
    let mut work: Vec<(&ListedFile, &FileEntry)> = Vec::new();
    for listed in bag.payload() {
        if let Some(file) = bag.file(&listed.path) {
            if let Some(Some(length)) = fetchable.get(&listed.path)
                && *length != file.length
            {
                let message = format!("fetch.txt says {length} bytes, it has {}", file.length);
                findings.push(Finding::new(Code::LengthMismatch, &listed.path, message));
            }
            if file.path != listed.path {
                let message =
                    format!("it is there under the name {:?}, which differs in Unicode form", file.path);
                findings.push(Finding::new(Code::CollidingNames, &listed.path, message));
            }
            work.push((listed, file));
        } else if let Some(length) = fetchable.get(&listed.path) {
            to_fetch.add(length.unwrap_or(0));
        } else {
            findings.push(Finding::new(Code::FileMissing, &listed.path, "it is listed but not there"));
        }
    }
    for listed in &bag.tags {
        match bag.file(&listed.path) {
            Some(file) => work.push((listed, file)),
            None => {
                findings.push(Finding::new(Code::FileMissing, &listed.path, "it is listed but not there"));
            }
        }
    }
    let listed: HashSet<&BagPath> = work.iter().map(|(_, file)| &file.path).collect();
    let present = check_payload_files(bag, &listed, &mut findings);
    findings.extend(check_oxum(bag));
    check_names(bag, &mut findings);
    findings.extend(check_digests(bag, work, options, progress)?);
    findings.sort_unstable();
    findings.dedup();
    let algorithms: HashSet<Algorithm> =
        bag.payload().iter().flat_map(|f| f.digests.iter().map(super::Digest::algorithm)).collect();
    let mut algorithms: Vec<_> = algorithms.into_iter().collect();
    algorithms.sort_unstable();
    Ok(VerifyReport {
        bag: bag.container().location().to_owned(),
        version: bag.version(),
        findings,
        payload_files: present.files,
        payload_bytes: present.bytes,
        to_fetch_files: to_fetch.files,
        to_fetch_bytes: to_fetch.bytes,
        algorithms,
    })
}

#[derive(Default)]
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

/// Every file below `data/` must be listed; counts them.
fn check_payload_files(bag: &Bag, listed: &HashSet<&BagPath>, findings: &mut Vec<Finding>) -> Tally {
    let mut present = Tally::default();
    // A bag whose files are all elsewhere may have no folder for them yet.
    if !bag.has_data && bag.fetch().is_empty() {
        findings.push(Finding::new(Code::NoPayloadFolder, "data/", "the payload folder is missing"));
    }
    for file in bag.files.iter().filter(|file| file.path.is_payload()) {
        present.add(file.length);
        if !listed.contains(&file.path) {
            findings.push(Finding::new(Code::FileUnlisted, &file.path, "no manifest lists it"));
        }
    }
    present
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
    let mut present = Tally::default();
    bag.files.iter().filter(|file| file.path.is_payload()).for_each(|file| present.add(file.length));
    let missing: HashMap<&BagPath, Option<u64>> = bag
        .fetch()
        .iter()
        .filter(|entry| bag.file(&entry.path).is_none() && bag.listed(&entry.path).is_some())
        .map(|entry| (&entry.path, entry.length))
        .collect();
    let mut all = Tally { files: present.files, bytes: present.bytes };
    missing.values().for_each(|length| all.add(length.unwrap_or(0)));
    let open = said.1 == all.files && missing.values().any(Option::is_none);
    if open || [(all.bytes, all.files), (present.bytes, present.files)].contains(&said) {
        return None;
    }
    let message = format!(
        "Payload-Oxum says {} bytes in {} files, there are {} in {}",
        said.0, said.1, all.bytes, all.files
    );
    wrong(Code::OxumMismatch, message)
}

/// RFC 8493 §5.1.1, §5.2: names that some file systems take for one, and files that systems leave behind.
fn check_names(bag: &Bag, findings: &mut Vec<Finding>) {
    let mut seen: HashMap<String, &BagPath> = HashMap::with_capacity(bag.payload().len());
    for file in bag.payload() {
        let text = file.path.as_str();
        let folded: String = if text.is_ascii() {
            text.to_ascii_lowercase()
        } else {
            text.nfc().flat_map(char::to_lowercase).collect()
        };
        if let Some(other) = seen.insert(folded, &file.path) {
            let message = format!("its name differs from {other} only in case or in Unicode form");
            findings.push(Finding::new(Code::CollidingNames, &file.path, message));
        }
        if matches!(text.rsplit('/').next(), Some(".DS_Store" | "Thumbs.db" | "desktop.ini")) {
            findings.push(Finding::new(
                Code::SystemFile,
                &file.path,
                "an operating system left this file behind",
            ));
        }
    }
}

fn check_digests(
    bag: &Bag,
    mut work: Vec<(&ListedFile, &FileEntry)>,
    options: VerifyOptions,
    progress: &dyn Progress,
) -> Result<Vec<Finding>, BagError> {
    // Largest first, so that the last thread to finish has little left.
    work.sort_by_key(|(_, file)| std::cmp::Reverse(file.length));
    progress.begin("verifying", work.len() as u64, work.iter().map(|(_, file)| file.length).sum());
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(options.jobs).build().map_err(std::io::Error::other)?;
    let findings = Mutex::new(Vec::new());
    pool.install(|| {
        work.par_iter().with_max_len(64).for_each_init(
            || vec![0; BUFFER],
            |buffer, (listed, file)| {
                if !progress.cancelled() {
                    let found = check_file(bag, listed, file, buffer, progress);
                    if !found.is_empty() {
                        findings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(found);
                    }
                    progress.file();
                }
            },
        );
    });
    progress.end();
    if progress.cancelled() {
        return Err(BagError::Interrupted);
    }
    Ok(findings.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

fn check_file(
    bag: &Bag,
    listed: &ListedFile,
    file: &FileEntry,
    buffer: &mut [u8],
    progress: &dyn Progress,
) -> Vec<Finding> {
    let algorithms: Vec<Algorithm> = listed.digests.iter().map(super::Digest::algorithm).collect();
    let mut found = Vec::new();
    let read = bag.container().read(&file.path, &mut |reader| {
        let (_, digests) = hash_reader(reader, &algorithms, buffer, progress)?;
        let wrong: Vec<String> = listed
            .digests
            .iter()
            .zip(digests)
            .filter(|(expected, actual)| *expected != actual)
            .map(|(expected, actual)| {
                format!("{} is {actual}, the manifest says {expected}", actual.algorithm())
            })
            .collect();
        if !wrong.is_empty() {
            found.push(Finding::new(Code::DigestMismatch, &listed.path, wrong.join("; ")));
        }
        Ok(())
    });
    if let Err(error) = read {
        found.clear();
        found.push(Finding::new(Code::FileUnreadable, &listed.path, error.to_string()));
    }
    found
}
