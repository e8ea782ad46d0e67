//! Names that are legal and ask for trouble (RFC 8493 §5.1.1, §5.2).

use crate::bag::names::Alike;
use crate::bag::{Bag, BagFile, Code, Finding};

/// Files that are there, and below whose names there are others: possible only in archives.
pub(in crate::bag) fn files_that_are_folders(bag: &Bag) -> Vec<BagFile<'_>> {
    below_files(bag, bag.files(), |file| file.is_present())
}

/// What is wrong with names that are a file's and a folder's at once, of files that are there or listed.
pub(crate) fn check_folders(bag: &Bag) -> Vec<Finding> {
    let mut found =
        below_files(bag, bag.files().chain(bag.payload()), |file| file.is_present() || file.is_listed());
    found.sort_unstable_by_key(|file| file.path());
    found.dedup_by_key(|file| file.path());
    let message = "it is a file and a folder at once";
    found.into_iter().map(|file| Finding::new(Code::FileAndFolder, file.path(), message)).collect()
}

/// The files that `counts` takes, and below whose names there is one of `files`.
fn below_files<'b>(
    bag: &'b Bag,
    files: impl Iterator<Item = BagFile<'b>>,
    counts: impl Fn(&BagFile<'b>) -> bool,
) -> Vec<BagFile<'b>> {
    let mut found = Vec::new();
    let mut last = "";
    for file in files {
        let path = file.path().as_str();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        // Files of one folder mostly follow each other.
        if folder == last {
            continue;
        }
        last = folder;
        let above = folder.match_indices('/').map(|(at, _)| &folder[..at]).chain([folder]);
        found.extend(above.filter_map(|name| bag.find(name)).filter(&counts));
    }
    found
}

/// Names that some file systems take for one, names that play with terminals, and files that systems leave behind.
pub(super) fn check(bag: &Bag, findings: &mut Vec<Finding>) {
    findings.extend(check_folders(bag));
    let payload = usize::try_from(bag.payload_count()).unwrap_or(0);
    let mut seen = Alike::by_case().with_room_for(payload);
    for file in bag.payload() {
        if let Some(other) = seen.add(&bag.names, file.id) {
            let other = bag.by_id(other).path();
            let message = format!("its name differs from {other} only in case or in Unicode form");
            findings.push(Finding::new(Code::CollidingNames, file.path(), message));
        }
        let name = file.path().as_str();
        if name.chars().any(char::is_control) {
            let message = "its name holds control characters";
            findings.push(Finding::new(Code::ControlCharacter, file.path(), message));
        }
        if matches!(name.rsplit('/').next(), Some(".DS_Store" | "Thumbs.db" | "desktop.ini")) {
            let message = "an operating system left this file behind";
            findings.push(Finding::new(Code::SystemFile, file.path(), message));
        }
    }
}
