//! Where the bag comes from, where its folder is to be, and what of it is still to fetch.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use url::Url;

use super::fetch::{Wanted, fetch_all, place};
use super::{MaterializeError, MaterializeReport};
use crate::bag::{
    Algorithm, Bag, BagError, BagPath, Code, Digest, Finding, Folder, ListedFile, NoProgress, Progress,
    VerifyOptions, check_oxum, copy_container, hash_reader, verify,
};
use crate::transport::{Source, redacted};

/// How to materialize.
#[derive(Debug, Clone)]
pub struct MaterializeOptions {
    /// The bag's folder; `None` is in place for a folder, and `./<name of the bag>` for an archive.
    pub to: Option<PathBuf>,
    /// Connections at once.
    pub connections: usize,
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
    let downloaded;
    let path = if from.starts_with("http://") || from.starts_with("https://") {
        let url = Url::parse(from).map_err(|_| MaterializeError::BadUrl(from.to_owned()))?;
        downloaded = download(&url, options, source()?.as_ref(), progress)?;
        downloaded.path().join(file_name(&url))
    } else {
        PathBuf::from(from)
    };
    let original = Bag::open(&path)?;
    let root = unpack(&original, &path, options, progress)?;
    let bag = Bag::from_container(Box::new(Folder::open(&root)?))?;
    let checked = verify(&bag, VerifyOptions::default(), progress)?;
    let mut findings = checked.findings;
    if root != original.container().location() {
        restore(&original, &bag, &root, &mut findings)?;
    }
    let mut report = MaterializeReport {
        bag: root.clone(),
        payload_files: bag.payload().len() as u64,
        present_files: 0,
        fetched_files: 0,
        fetched_bytes: 0,
        failures: Vec::new(),
        findings: Vec::new(),
    };
    // A bag whose own description is wrong is not worth a byte of network.
    let blocking =
        findings.iter().any(|finding| finding.code.as_str().starts_with("E1") || is_tag(&bag, finding));
    if !blocking {
        let wanted = wanted(&bag, &findings);
        report.present_files = report.payload_files - wanted.len() as u64;
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
        findings.retain(|finding| !settled.contains(&finding.place));
    }
    if findings.iter().any(|finding| finding.code == Code::OxumMismatch) {
        // It was counted before anything was mended.
        findings.retain(|finding| finding.code != Code::OxumMismatch);
        findings.extend(check_oxum(&Bag::from_container(Box::new(Folder::open(&root)?))?));
    }
    report.findings = findings;
    Ok(report)
}

/// Whether a finding is about a tag file's bytes.
fn is_tag(bag: &Bag, finding: &Finding) -> bool {
    let fatal = matches!(finding.code, Code::DigestMismatch | Code::FileMissing | Code::FileUnreadable);
    fatal && bag.listed_tag(&finding.place)
}

/// The files of `fetch.txt` that are not there, or are not what the manifests list.
fn wanted(bag: &Bag, findings: &[Finding]) -> Vec<Wanted> {
    let spoilt = |code| matches!(code, Code::DigestMismatch | Code::LengthMismatch | Code::FileUnreadable);
    let wrong: HashSet<&str> = findings
        .iter()
        .filter(|finding| spoilt(finding.code))
        .map(|finding| finding.place.as_str())
        .collect();
    let mut at: HashMap<&BagPath, usize> = HashMap::new();
    let mut wanted: Vec<Wanted> = Vec::new();
    for entry in bag.fetch() {
        if bag.file(&entry.path).is_some() && !wrong.contains(entry.path.to_string().as_str()) {
            continue;
        }
        if let Some(&index) = at.get(&entry.path) {
            wanted[index].urls.push(entry.url.clone());
            continue;
        }
        let Some(listed) = bag.listed(&entry.path) else { continue };
        at.insert(&entry.path, wanted.len());
        wanted.push(Wanted {
            path: entry.path.clone(),
            urls: vec![entry.url.clone()],
            length: entry.length,
            digests: listed.digests.clone(),
        });
    }
    wanted
}

/// The bag's folder, copied out of its archive where it is not there yet.
fn unpack(
    bag: &Bag,
    from: &Path,
    options: &MaterializeOptions,
    progress: &dyn Progress,
) -> Result<PathBuf, MaterializeError> {
    let target = match &options.to {
        Some(to) => to.clone(),
        None if from.is_dir() => return Ok(bag.container().location().to_owned()),
        None => PathBuf::from(bag.container().name()),
    };
    let empty =
        || target.is_dir() && fs_err::read_dir(&target).is_ok_and(|mut entries| entries.next().is_none());
    if !target.exists() || empty() {
        copy_container(bag, &target, progress)?;
    } else if !same_bag(bag, &target) {
        return Err(MaterializeError::OtherBag(target));
    }
    Ok(target)
}

/// Takes what the folder lacks, or has wrong, from the bag that it was made of, if that has it right.
fn restore(
    original: &Bag,
    bag: &Bag,
    root: &Path,
    findings: &mut Vec<Finding>,
) -> Result<(), MaterializeError> {
    let spoilt = |code| matches!(code, Code::FileMissing | Code::DigestMismatch | Code::FileUnreadable);
    let wrong: HashSet<String> =
        findings.iter().filter(|finding| spoilt(finding.code)).map(|finding| finding.place.clone()).collect();
    let mut restored = HashSet::new();
    for listed in bag.payload().iter().filter(|listed| wrong.contains(&listed.path.to_string())) {
        if original.file(&listed.path).is_some() && copy_file(original, listed, root)? {
            restored.insert(listed.path.to_string());
        }
    }
    findings.retain(|finding| !restored.contains(&finding.place));
    Ok(())
}

/// Copies one file and checks its digests on the way; false, with nothing changed, where they are not right.
fn copy_file(original: &Bag, listed: &ListedFile, root: &Path) -> Result<bool, MaterializeError> {
    let mut temporary = tempfile::Builder::new().prefix(".dbag-").suffix(".partial").tempfile_in(root)?;
    original.container().read(&listed.path, &mut |reader| std::io::copy(reader, &mut temporary).map(drop))?;
    temporary.seek(SeekFrom::Start(0))?;
    let algorithms: Vec<Algorithm> = listed.digests.iter().map(Digest::algorithm).collect();
    let (_, digests) = hash_reader(&mut temporary, &algorithms, &mut vec![0; 1 << 16], &NoProgress)?;
    if digests != listed.digests {
        return Ok(false);
    }
    place(temporary, &listed.path, root)?;
    Ok(true)
}

/// Whether a folder holds this very bag: the same manifests and fetch.txt, byte for byte.
fn same_bag(bag: &Bag, folder: &Path) -> bool {
    let identity = |bag: &Bag| -> Option<Vec<(String, Vec<u8>)>> {
        let names = bag.files().iter().map(|file| &file.path).filter(|path| {
            let name = path.as_str();
            !name.contains('/') && (name.contains("manifest-") || name == "fetch.txt" || name == "bagit.txt")
        });
        names
            .map(|path| Some((path.to_string(), bag.container().read_small(path, u64::MAX - 1).ok()?)))
            .collect()
    };
    let there = Folder::open(folder).and_then(|folder| Bag::from_container(Box::new(folder)));
    there.is_ok_and(|there| identity(&there).is_some_and(|there| Some(there) == identity(bag)))
}

/// Fetches the archive itself into a temporary folder beside the target, and goes with it.
fn download(
    url: &Url,
    options: &MaterializeOptions,
    source: &dyn Source,
    progress: &dyn Progress,
) -> Result<tempfile::TempDir, MaterializeError> {
    let beside = options.to.clone().unwrap_or_else(|| PathBuf::from(file_name(url)));
    let folder = crate::bag::temporary_beside(&beside)?;
    let mut body = source.open(url)?;
    let mut file = fs_err::File::create_new(folder.path().join(file_name(url)))?;
    progress.begin("downloading", 1, body.length.unwrap_or(0));
    let mut buffer = vec![0; 256 << 10];
    let mut length = 0;
    loop {
        let cut = |reason: String| MaterializeError::Cut { url: redacted(url), reason };
        let n = body
            .reader
            .read(&mut buffer)
            .map_err(|error| cut(format!("the connection broke after {length} bytes: {error}")))?;
        if n == 0 {
            if let Some(expected) = body.length.filter(|expected| length < *expected) {
                return Err(cut(format!("the server sent {length} of {expected} bytes")));
            }
            break;
        }
        length += n as u64;
        file.write_all(&buffer[..n])?;
        progress.bytes(n as u64);
        if progress.cancelled() {
            return Err(BagError::Interrupted.into());
        }
    }
    progress.end();
    Ok(folder)
}

/// The last part of a URL's path, made harmless.
fn file_name(url: &Url) -> String {
    let last = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    let plain: String =
        last.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')).collect();
    let plain = plain.trim_start_matches('.');
    if plain.is_empty() { "bag.zip".into() } else { plain.to_owned() }
}
