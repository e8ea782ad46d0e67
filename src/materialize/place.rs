//! The bag's folder: copied out of an archive that may have to be downloaded first, and mended from it later.

use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use url::Url;

use super::fetch::place;
use super::{MaterializeError, MaterializeOptions, spoilt};
use crate::bag::{
    Algorithm, Bag, BagError, BagFile, Digest, Finding, Folder, Level, NoProgress, Progress, copy_container,
    hash_reader,
};
use crate::transport::{Source, redacted};

/// The bag's folder, copied out of its archive where it is not there yet.
pub(super) fn unpack(
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
/// Settles the findings of what was taken; false where nothing was.
pub(super) fn restore(
    original: &Bag,
    bag: &Bag,
    root: &Path,
    findings: &mut Vec<Finding>,
) -> Result<bool, MaterializeError> {
    let wrong = spoilt(findings);
    let mut restored = HashSet::new();
    for listed in bag.payload() {
        let place = listed.path().to_string();
        let lacking = bag.stored(listed).is_none() || wrong.contains(place.as_str());
        let source = original.find(listed.path().as_str()).and_then(|file| original.stored(file));
        if let Some(source) = source.filter(|_| lacking)
            && copy_file(source, listed, root)?
        {
            restored.insert(place);
        }
    }
    findings.retain(|finding| !restored.contains(&finding.place));
    Ok(!restored.is_empty())
}

/// Copies one file and checks its digests on the way; false, with nothing changed, where they are not right.
fn copy_file(source: BagFile<'_>, listed: BagFile<'_>, root: &Path) -> Result<bool, MaterializeError> {
    let mut temporary = tempfile::Builder::new().prefix(".dbag-").suffix(".partial").tempfile_in(root)?;
    std::io::copy(&mut source.open()?, &mut temporary)?;
    temporary.seek(SeekFrom::Start(0))?;
    let expected = listed.digests();
    let algorithms: Vec<Algorithm> = expected.iter().map(Digest::algorithm).collect();
    let (_, digests) = hash_reader(&mut temporary, &algorithms, &mut vec![0; 1 << 16], &NoProgress)?;
    if digests != expected {
        return Ok(false);
    }
    place(temporary, &listed.path().to_owned(), root)?;
    Ok(true)
}

/// Whether a folder holds this very bag: the same manifests and fetch.txt, byte for byte.
fn same_bag(bag: &Bag, folder: &Path) -> bool {
    let identity = |bag: &Bag| -> Option<Vec<(String, Vec<u8>)>> {
        let names = bag.files().filter(|file| {
            let name = file.path().as_str();
            !name.contains('/') && (name.contains("manifest-") || name == "fetch.txt" || name == "bagit.txt")
        });
        let read: Option<Vec<_>> =
            names.map(|file| Some((file.path().to_string(), file.read(u64::MAX - 1).ok()?))).collect();
        read.map(|mut read| {
            read.sort_unstable();
            read
        })
    };
    let there =
        Folder::open(folder).and_then(|folder| Bag::from_container(Box::new(folder), Level::Structure));
    there.is_ok_and(|there| identity(&there).is_some_and(|there| Some(there) == identity(bag)))
}

/// An archive that was fetched into a temporary folder, which goes when this does.
pub(super) struct Downloaded {
    pub(super) path: PathBuf,
    _folder: tempfile::TempDir,
}

/// Fetches the archive itself into a temporary folder beside the target.
pub(super) fn download(
    url: &Url,
    options: &MaterializeOptions,
    source: &dyn Source,
    progress: &dyn Progress,
) -> Result<Downloaded, MaterializeError> {
    let beside = options.to.clone().unwrap_or_else(|| PathBuf::from(file_name(url)));
    let folder = crate::bag::temporary_beside(&beside)?;
    let mut body = source.open(url)?;
    let path = folder.path().join(file_name(url));
    let mut file = fs_err::File::create_new(&path)?;
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
    Ok(Downloaded { path, _folder: folder })
}

/// The last part of a URL's path, made harmless.
fn file_name(url: &Url) -> String {
    let last = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    let plain: String =
        last.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')).collect();
    let plain = plain.trim_start_matches('.');
    if plain.is_empty() { "bag.zip".into() } else { plain.to_owned() }
}
