//! The bag's folder: copied out of its archive, and mended from it later.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::folder::{rename, share};
use crate::bag::{
    Algorithm, Bag, BagError, BagFile, Digest, Finding, Folder, Level, NoProgress, Progress, copy_container,
    hash_reader,
};
use crate::materialize::{MaterializeError, MaterializeOptions, spoilt};

/// The bag's folder, copied out of its archive where it is not there yet.
pub(in crate::materialize) fn unpack(
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
        if options.finish {
            return Err(MaterializeError::NothingThere(target));
        }
        match copy_container(bag, &target, progress) {
            // Another process was faster.
            Err(BagError::Exists(_) | BagError::Io(_)) if difference(bag, &target).is_none() => {}
            other => other?,
        }
    } else if let Some(why) = difference(bag, &target) {
        return Err(MaterializeError::OtherBag { path: target, why });
    }
    Ok(target)
}

/// Takes what the folder lacks, or has wrong, from the bag that it was made of, if that has it right.
/// Settles the findings of what was taken; false where nothing was.
pub(in crate::materialize) fn restore(
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
    io::copy(&mut source.open()?, &mut temporary)?;
    temporary.seek(SeekFrom::Start(0))?;
    let expected = listed.digests();
    let algorithms: Vec<Algorithm> = expected.iter().map(Digest::algorithm).collect();
    let (_, digests) = hash_reader(&mut temporary, &algorithms, &mut vec![0; 1 << 16], &NoProgress)?;
    if digests != expected {
        return Ok(false);
    }
    share(temporary.as_file())?;
    rename(temporary, &listed.path().below(root))?;
    Ok(true)
}

/// What tells a bag from others: its manifests, fetch.txt and bagit.txt by name, each with its digest.
fn identity(bag: &Bag) -> io::Result<BTreeMap<String, Vec<Digest>>> {
    let names = bag.files().filter(|file| {
        let name = file.path().as_str();
        !name.contains('/') && (name.contains("manifest-") || name == "fetch.txt" || name == "bagit.txt")
    });
    let mut buffer = vec![0; 1 << 16];
    names
        .map(|file| {
            let (_, digests) =
                hash_reader(&mut file.open()?, &[Algorithm::Sha256], &mut buffer, &NoProgress)?;
            Ok((file.path().to_string(), digests))
        })
        .collect()
}

/// Why a folder does not hold this very bag; `None` where it does.
fn difference(bag: &Bag, folder: &Path) -> Option<String> {
    let there =
        Folder::open(folder).and_then(|folder| Bag::from_container(Box::new(folder), Level::Structure));
    let Ok(there) = there else { return Some("there is no bag in it".into()) };
    let (there, wanted) = match (identity(&there), identity(bag)) {
        (Ok(there), Ok(wanted)) => (there, wanted),
        (Err(error), _) | (_, Err(error)) => return Some(error.to_string()),
    };
    let lacking =
        wanted.keys().find(|name| !there.contains_key(*name)).map(|name| format!("it has no {name}"));
    let other = || {
        let name = wanted.iter().find(|(name, digests)| there.get(*name) != Some(*digests))?.0;
        Some(format!("its {name} is another"))
    };
    let more = || Some(format!("it has a {}", there.keys().find(|name| !wanted.contains_key(*name))?));
    lacking.or_else(other).or_else(more)
}
