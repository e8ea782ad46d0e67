//! A whole workspace checked: the catalog, the bytes that it names, and what killed runs left behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{OpenError, Workspace};
use crate::bag::{Algorithm, Digest, Progress};
use crate::cache::{ObjectStore, Stored};
use crate::catalog::{CatalogError, CheckReport, Fault, FileReference};

/// What is left over is nobody's after so long.
const OLD: Duration = Duration::from_hours(24);

/// How to check a workspace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FsckOptions {
    /// Hash every file again, instead of looking at its length.
    pub deep: bool,
    /// Mend what can be mended with no loss.
    pub repair: bool,
}

/// What a check of a workspace found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FsckReport {
    /// The catalog, and everything that is not as it should be, errors first.
    pub catalog: CheckReport,
    /// Files in the workspace's store.
    pub objects: u64,
    /// Octets in them.
    pub object_bytes: u64,
    /// Whether they were hashed.
    pub deep: bool,
    /// Files in the store that no row names, now or in the past. One may belong to an import under way.
    pub unnamed: u64,
    /// Octets in them.
    pub unnamed_bytes: u64,
    /// Files that rows name whose bytes never were here: those of bags' references.
    pub elsewhere: u64,
    /// Files whose bytes are kept where they were imported from.
    pub placed: u64,
    /// Spooled files that wait for the next change.
    pub spooled: u64,
    /// What was mended.
    pub mended: Vec<String>,
}

/// A file that the catalog names.
struct Named {
    length: Option<u64>,
    place: String,
    /// Whether its bytes must be here.
    is_own: bool,
}

/// The files that the catalog names, by SHA-256.
pub(super) struct NamedFiles {
    named: BTreeMap<Digest, Named>,
    faults: Vec<Fault>,
    pub(super) placed: Vec<FileReference>,
}

impl NamedFiles {
    /// Asks a catalog, of which the past counts too.
    pub(super) fn of(catalog: &mut crate::catalog::Catalog) -> Result<Self, CatalogError> {
        let (mut named, mut faults) = (BTreeMap::<Digest, Named>::new(), Vec::new());
        catalog.for_each_asset(|asset| {
            if asset.sha256.is_empty() {
                return;
            }
            let Ok(digest) = Digest::parse(Algorithm::Sha256, &asset.sha256) else {
                faults.push(Fault::new("E424", asset.place, format!("has the SHA-256 {:?}", asset.sha256)));
                return;
            };
            // A row that came from elsewhere may name what was never here.
            let is_here = asset.url.is_empty() || asset.url == format!("/{}", ObjectStore::relative(&digest));
            let is_own = asset.is_own && is_here;
            let known = named.entry(digest).or_insert_with(|| Named {
                length: asset.length,
                place: asset.place.clone(),
                is_own,
            });
            if is_own && !known.is_own {
                *known = Named { length: asset.length, place: asset.place, is_own };
            }
        })?;
        Ok(Self { named, faults, placed: catalog.remembered_files()? })
    }

    fn is_placed(&self, digest: &Digest) -> bool {
        let hex = digest.to_string();
        self.placed.iter().any(|file| file.sha256 == hex)
    }

    /// Those that should be in a store, with what is known of their length; those that came from elsewhere if they are.
    pub(super) fn in_store(&self, store: &ObjectStore) -> Vec<(Digest, Option<u64>, &str)> {
        let is_wanted = |(digest, named): &(&Digest, &Named)| {
            store.path(digest).exists() || named.is_own && !self.is_placed(digest)
        };
        let wanted = self.named.iter().filter(is_wanted);
        wanted.map(|(digest, named)| (*digest, named.length, named.place.as_str())).collect()
    }
}

impl Workspace {
    /// Checks that catalog, files and history agree. Others may work meanwhile. Where the catalog's file can't be read
    /// as such the files are not looked at.
    pub fn fsck(&mut self, options: FsckOptions, progress: &dyn Progress) -> Result<FsckReport, OpenError> {
        let mut report = FsckReport { deep: options.deep, ..FsckReport::default() };
        if options.repair {
            let made = self.catalog.make_missing_indexes()?;
            report.mended.extend(made.iter().map(|name| format!("made the index {name:?}")));
            for path in leftovers(&self.folder())? {
                remove(&path)?;
                report.mended.push(format!("removed {}", path.display()));
            }
        }
        report.catalog = self.catalog.check(progress)?;
        if report.catalog.faults.iter().all(|fault| !["E401", "E402"].contains(&fault.code)) {
            // First the names, then the files: an import stores its files before it names them.
            let named = NamedFiles::of(&mut self.catalog)?;
            self.check_objects(&named, options.deep, &mut report, progress)?;
            self.check_placed(&named, options.deep, &mut report, progress)?;
        }
        self.check_folder(&mut report)?;
        report.catalog.faults.sort_by_key(Fault::severity);
        if progress.cancelled() {
            return Err(crate::bag::BagError::Interrupted.into());
        }
        Ok(report)
    }

    fn check_objects(
        &self,
        named: &NamedFiles,
        deep: bool,
        report: &mut FsckReport,
        progress: &dyn Progress,
    ) -> Result<(), OpenError> {
        let faults = &mut report.catalog.faults;
        faults.extend(named.faults.iter().cloned());
        let objects = self.objects.list(progress)?;
        let there: BTreeMap<Digest, u64> = objects.iter().copied().collect();
        report.objects = objects.len() as u64;
        report.object_bytes = objects.iter().map(|(_, length)| length).sum();
        for (digest, file) in &named.named {
            match (there.get(digest), file.length) {
                (Some(found), Some(length)) if *found != length => {
                    let message = format!("has {length} bytes, and its object {digest} has {found}");
                    faults.push(Fault::new("E422", &file.place, message));
                }
                (Some(_), _) => {}
                (None, _) if named.is_placed(digest) => {}
                (None, _) if file.is_own => {
                    let message = format!("names the object {digest}, which is not there");
                    faults.push(Fault::new("E421", &file.place, message));
                }
                (None, _) => report.elsewhere += 1,
            }
        }
        for (_, length) in objects.iter().filter(|(digest, _)| !named.named.contains_key(digest)) {
            report.unnamed += 1;
            report.unnamed_bytes += length;
        }
        if deep {
            for (digest, reason) in self.objects.verify(&objects, progress)? {
                let place = named.named.get(&digest).map_or("no row", |file| &file.place);
                let place = format!("object {digest} ({place})");
                faults.push(Fault::new("E423", place, format!("is damaged: {reason}")));
            }
        }
        Ok(())
    }

    /// Files that are kept where they were imported from.
    fn check_placed(
        &self,
        named: &NamedFiles,
        deep: bool,
        report: &mut FsckReport,
        progress: &dyn Progress,
    ) -> Result<(), OpenError> {
        let files = &named.placed;
        report.placed = files.len() as u64;
        progress.begin("files in place", report.placed, files.iter().map(|file| file.length).sum());
        for file in files {
            if progress.cancelled() {
                return Err(crate::bag::BagError::Interrupted.into());
            }
            // The workspace may have a copy by now.
            let digest = Digest::parse(Algorithm::Sha256, &file.sha256).ok();
            if digest.is_some_and(|digest| self.objects.has(&digest, file.length)) {
                continue;
            }
            report.catalog.faults.extend(placed_fault(file, deep, progress));
            progress.file();
        }
        progress.end();
        Ok(())
    }

    /// What lies in the workspace's folder beside the catalog.
    fn check_folder(&self, report: &mut FsckReport) -> Result<(), OpenError> {
        let faults = &mut report.catalog.faults;
        for path in leftovers(&self.folder())? {
            let message = "was left by a run that was killed";
            faults.push(Fault::new("W430", path.display().to_string(), message).mendable());
        }
        let spool = self.folder().join("spool");
        report.spooled = json_files(&spool)?.len() as u64;
        for path in json_files(&spool.join("bad"))? {
            let mut why = path.clone().into_os_string();
            why.push(".why");
            let why = fs_err::read_to_string(why).unwrap_or_default();
            let message = format!("was spooled and could not be folded in: {}", why.trim());
            faults.push(Fault::new("W431", path.display().to_string(), message));
        }
        Ok(())
    }
}

fn placed_fault(file: &FileReference, deep: bool, progress: &dyn Progress) -> Option<Fault> {
    let place = file.path.display().to_string();
    if let Some(reason) = file.fault() {
        return Some(Fault::new("E425", place, format!("is kept in place: {reason}")));
    }
    if !deep {
        let message = "is kept in place, and was written to since; --deep hashes it again";
        return (!file.is_untouched()).then(|| Fault::new("W426", place, message));
    }
    match Stored::of(&file.path, progress) {
        Ok(found) if found.sha256.to_string() == file.sha256 => None,
        Ok(found) => {
            Some(Fault::new("E425", place, format!("is kept in place, and its SHA-256 is {}", found.sha256)))
        }
        Err(error) => Some(Fault::new("E425", place, format!("is kept in place: {error}"))),
    }
}

fn json_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    Ok(entries(folder)?.into_iter().filter(is_json).collect())
}

/// What is in a folder, by name; nothing where it is not there.
fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match fs_err::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort_unstable();
    Ok(paths)
}

/// What killed runs left in the workspace's own folder more than a day ago.
fn leftovers(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let ends = |name: &str, ending: &str| name.len() > ending.len() && name.ends_with(ending);
    let mut found = entries(folder)?;
    found.retain(|path| {
        let name = name(path);
        name.starts_with(".catalog-")
            || name.starts_with(".dbag-") && ends(&name, ".partial")
            || [".new", ".dead", ".clock"].iter().any(|ending| ends(&name, ending))
    });
    found.extend(entries(&folder.join("objects").join("tmp"))?);
    found.extend(entries(&folder.join("spool"))?.into_iter().filter(|path| name(path).starts_with(".new-")));
    found.retain(|path| is_old(path));
    Ok(found)
}

/// Whether nothing in a file or folder was written to for a day.
fn is_old(path: &Path) -> bool {
    let now = SystemTime::now();
    walkdir::WalkDir::new(path).into_iter().all(|entry| {
        let modified = entry.ok().and_then(|entry| entry.metadata().ok()?.modified().ok());
        modified.and_then(|modified| now.duration_since(modified).ok()).is_some_and(|age| age > OLD)
    })
}

fn remove(path: &Path) -> std::io::Result<()> {
    if fs_err::symlink_metadata(path)?.is_dir() {
        fs_err::remove_dir_all(path)
    } else {
        fs_err::remove_file(path)
    }
}
