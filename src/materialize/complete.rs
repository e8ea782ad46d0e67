//! The order of the work: open, place, verify, mend from the archive, fetch, count.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use url::Url;

use super::fetch::{Wanted, fetch_all};
use super::place::{download, restore, unpack};
use super::{MaterializeError, MaterializeReport, spoilt};
use crate::bag::{
    Bag, BagError, Code, Finding, Folder, Level, Limits, Progress, Severity, VerifyOptions, check_oxum,
    verify,
};
use crate::transport::{Source, redacted_text};

/// How to materialize.
#[derive(Debug, Clone)]
pub struct MaterializeOptions {
    /// The bag's folder; `None` is in place for a folder, and `./<name of the bag>` for an archive.
    pub to: Option<PathBuf>,
    /// Connections at once.
    pub connections: usize,
    /// What an archive may hold.
    pub limits: Limits,
}

/// Materializes the bag at a path or an http(s) URL.
///
/// What is there is hashed, what is missing or wrong is fetched; run again, it goes on where it was.
/// `source` makes the connection pool, and is called only if something is to be fetched.
pub fn materialize(
    from: &str,
    options: &MaterializeOptions,
    source: &dyn Fn() -> std::io::Result<Box<dyn Source>>,
    progress: &dyn Progress,
) -> Result<MaterializeReport, MaterializeError> {
    let archive;
    let path = if from.starts_with("http://") || from.starts_with("https://") {
        let url = Url::parse(from).map_err(|_| MaterializeError::BadUrl(redacted_text(from)))?;
        archive = download(&url, options, source()?.as_ref(), progress)?;
        archive.path.as_path()
    } else {
        Path::new(from)
    };
    // What was downloaded is known by its URL, not by where it lies for a moment.
    let original = Bag::open_for(path, Level::Full, &options.limits, progress)
        .map_err(|error| if path == Path::new(from) { error } else { error.at(Path::new(from)) })?;
    if original.findings().iter().any(is_malformed) {
        return Ok(report(PathBuf::from(from), &original, original.findings().to_vec()));
    }
    let root = unpack(&original, path, options, progress)?;
    let open = || Bag::from_container(Box::new(Folder::open(&root)?), Level::Full);
    let mut bag = open()?;
    let mut findings = verify(&bag, VerifyOptions::default(), progress)?.findings;
    if root != original.container().location() && restore(&original, &bag, &root, &mut findings)? {
        bag = open()?;
    }
    let mut report = report(root.clone(), &bag, Vec::new());
    // A bag whose own description is wrong is not worth a byte of network.
    if !findings.iter().any(|finding| is_malformed(finding) || is_tag(&bag, finding)) {
        let wanted = wanted(&bag, &findings);
        report.present_files -= wanted.len() as u64;
        if !wanted.is_empty() {
            let fetched = fetch_all(&root, &wanted, source()?.as_ref(), options.connections, progress)?;
            if progress.cancelled() {
                return Err(BagError::Interrupted.into());
            }
            (report.fetched_files, report.fetched_bytes) = (fetched.files, fetched.bytes);
            report.failures = fetched.failures;
        }
        // What was wrong with a file that has now been fetched, or has failed with a reason, is settled.
        let settled: HashSet<String> = wanted.iter().map(|file| file.path.to_string()).collect();
        findings.retain(|finding| {
            finding.code.severity() == Severity::Warning || !settled.contains(&finding.place)
        });
    }
    if findings.iter().any(|finding| finding.code == Code::OxumMismatch) {
        // It was counted before anything was mended.
        findings.retain(|finding| finding.code != Code::OxumMismatch);
        findings.extend(check_oxum(&open()?));
    }
    report.findings = findings;
    Ok(report)
}

/// A report of a bag with all of its payload there and nothing fetched.
fn report(folder: PathBuf, bag: &Bag, findings: Vec<Finding>) -> MaterializeReport {
    let files = bag.payload_count();
    MaterializeReport {
        bag: folder,
        payload_files: files,
        present_files: files,
        fetched_files: 0,
        fetched_bytes: 0,
        failures: Vec::new(),
        findings,
    }
}

/// Whether a finding leaves open what the bag is to hold. Others make it invalid, but what it lists can be had.
fn is_malformed(finding: &Finding) -> bool {
    matches!(
        finding.code,
        Code::TagFileUnreadable
            | Code::NoManifest
            | Code::BadManifestLine
            | Code::UnsafePath
            | Code::DuplicateEntry
            | Code::BadFetchLine
            | Code::FetchLengthsDiffer
            | Code::FetchNotInManifest
            // A link may lead what is written out of the bag.
            | Code::NotAFile
    )
}

/// Whether a finding is about a tag file's bytes.
fn is_tag(bag: &Bag, finding: &Finding) -> bool {
    let fatal = matches!(finding.code, Code::DigestMismatch | Code::FileMissing | Code::FileUnreadable);
    fatal && bag.find(&finding.place).is_some_and(|file| !file.path().is_payload())
}

/// The files of `fetch.txt` that are not there, or are not what the manifests list.
fn wanted(bag: &Bag, findings: &[Finding]) -> Vec<Wanted> {
    let wrong = spoilt(findings);
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut wanted: Vec<Wanted> = Vec::new();
    for entry in bag.fetch().filter(|entry| entry.file.is_listed()) {
        let place = entry.file.path().to_string();
        if bag.stored(entry.file).is_some() && !wrong.contains(place.as_str()) {
            continue;
        }
        if let Some(&index) = at.get(&place) {
            wanted[index].urls.push(entry.url.to_owned());
            continue;
        }
        at.insert(place, wanted.len());
        wanted.push(Wanted {
            path: entry.file.path().to_owned(),
            urls: vec![entry.url.to_owned()],
            length: entry.length,
            digests: entry.file.digests(),
        });
    }
    wanted
}
