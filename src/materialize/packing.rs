//! The order of the work for one packed archive: check what the bag has, lay the archive out, fill it, name it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::complete::{Fetch, MaterializeOptions, report};
use super::list::WantedList;
use super::open::Opened;
use super::place::{PackPlace, Place};
use super::report::MaterializeReport;
use super::work::{Claims, Owner};
use super::{MaterializeError, spoilt};
use crate::bag::{BagFile, Finding, Progress, Severity, VerifyOptions, verify};

/// The archive under way, in a folder of its own.
const ARCHIVE: &str = "archive";
/// Who works on it.
const CLAIM: &str = "pack.claim";

/// Makes the archive `out` of a bag.
pub(super) fn pack(
    opened: &Opened,
    out: &Path,
    options: &MaterializeOptions,
    fetch: &Fetch<'_>,
    progress: &dyn Progress,
) -> Result<MaterializeReport, MaterializeError> {
    let folder = beside(out);
    if out.exists() {
        sweep(&folder);
        return Err(MaterializeError::Exists(out.to_owned()));
    }
    let bag = &opened.bag;
    let findings = verify(bag, VerifyOptions::default(), progress)?.findings;
    let wrong: HashSet<String> = spoilt(&findings).into_iter().map(str::to_owned).collect();
    let is_right = |file: &BagFile<'_>| wrong.is_empty() || !wrong.contains(&file.path().to_string());
    let list = WantedList::new(bag, options.selection.chooser());
    let list = list.keep(|index| {
        let file = list.file(index).0;
        bag.stored(file).is_none() || !is_right(&file)
    });
    let is_error = |finding: &&Finding| finding.code.severity() == Severity::Error;
    // What is wrong and can be fetched is no obstacle.
    let wanted: HashSet<String> = if findings.iter().any(|finding| is_error(&finding)) {
        list.indices().map(|index| list.file(index).0.path().to_string()).collect()
    } else {
        HashSet::new()
    };
    let mut report = MaterializeReport { offline: options.transport.offline, ..report(out, bag, &findings) };
    let absent = bag.fetch_files().filter(|file| bag.stored(*file).is_none()).count() as u64;
    report.left_files = absent.saturating_sub(list.len() as u64);
    let is_mended = |finding: &Finding| finding.code.is_of_bytes() && wanted.contains(&finding.place);
    if findings.iter().filter(is_error).any(|finding| !is_mended(finding)) {
        report.findings = findings;
        return Ok(report);
    }
    report.findings = findings.into_iter().filter(|finding| !is_error(&finding)).collect();
    let owner = Owner::new();
    let claims = Claims::at(&folder, &owner)?;
    let Some(claim) = claims.take_alone(CLAIM)? else {
        return Err(MaterializeError::Busy(out.to_owned()));
    };
    let own = bag.files().filter(is_right).collect();
    let name = bag.container().name();
    let place = PackPlace::open(&folder.join(ARCHIVE), name, own, &list, fetch.cache(), &folder, &owner)?
        .rehash(options.rehash);
    place.take_own()?;
    let done = vec![false; list.len()];
    fetch.run(&list, &done, &place, &claims, &mut report)?;
    place.settle()?;
    if report.failed_files == 0 {
        place.publish(&list, out)?;
        drop(claim);
        let _ = fs_err::remove_dir_all(&folder);
    }
    Ok(report)
}

/// The folder of the archive under way: a name of its own beside the archive, the same at every run.
fn beside(out: &Path) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy().into_owned();
    out.with_file_name(format!(".dbag-{name}.partial"))
}

/// Removes what is left of a run that was killed when its archive already had its name.
fn sweep(folder: &Path) {
    if !folder.exists() || folder.join(ARCHIVE).exists() {
        return;
    }
    let taken = Claims::at(folder, &Owner::new()).and_then(|claims| claims.take(CLAIM));
    if let Ok(Some(_claim)) = taken {
        let _ = fs_err::remove_dir_all(folder);
    }
}
