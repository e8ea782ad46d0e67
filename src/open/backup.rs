//! A workspace in one zip archive, and back. The archive's files lie where they lie in a workspace, so that plain `unzip`
//! makes one too.

use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::fsck::NamedFiles;
use super::workspace::{CATALOG, FOLDER, FORMAT, OBJECTS, check_format};
use super::{OpenError, Workspace};
use crate::bag::{Algorithm, BagError, Digest, MultiHasher, Progress};
use crate::cache::{ObjectStore, sync_file_system};
use crate::catalog::{Catalog, Clock};

const BUFFER: usize = 1 << 20;
/// From here on an entry needs zip64.
const LARGE: u64 = u32::MAX as u64;

/// How to back a workspace up.
#[derive(Debug, Clone, Copy)]
pub struct BackupOptions<'a> {
    /// The archive.
    pub output: &'a Path,
    /// Whether an archive that is there is replaced.
    pub force: bool,
    /// Leave the files' bytes out.
    pub catalog_only: bool,
    /// Leave out files that are missing or damaged, instead of refusing.
    pub incomplete: bool,
}

/// What a backup holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupReport {
    /// The last change that is in it.
    pub change: i64,
    /// The archive's length in octets.
    pub length: u64,
    /// Files in it.
    pub objects: u64,
    /// Octets in them.
    pub object_bytes: u64,
    /// Files that are not in it since they are kept where they were imported from.
    pub placed: u64,
    /// Files that are missing or damaged, with the reason.
    pub left_out: Vec<(String, String)>,
}

/// What came out of a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Files.
    pub objects: u64,
    /// Octets in them.
    pub object_bytes: u64,
    /// Files that the catalog names and the backup lacks.
    pub missing: u64,
}

fn interrupted() -> OpenError {
    BagError::Interrupted.into()
}

impl Workspace {
    /// Writes the workspace as it is now to one archive, each file checked while it is read. Others may work meanwhile.
    /// The archive appears whole or not at all.
    pub fn backup(
        &self,
        options: &BackupOptions<'_>,
        progress: &dyn Progress,
    ) -> Result<BackupReport, OpenError> {
        let output = options.output;
        if output.exists() && !options.force || output.is_dir() {
            return Err(BagError::Exists(output.to_owned()).into());
        }
        let folder =
            output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let work = tempfile::Builder::new().prefix(".dbag-").suffix(".partial").tempdir_in(folder)?;
        let copy = work.path().join(CATALOG);
        progress.begin("copying the catalog", 1, fs_err::metadata(self.catalog.path())?.len());
        self.catalog.copy_to(&copy)?;
        let (named, change) = {
            let mut catalog = Catalog::open(&copy, Clock::System)?;
            let last = catalog.transactions(1)?.first().map_or(0, |change| change.number);
            (NamedFiles::of(&mut catalog)?, last)
        };
        let mut report = BackupReport { change, ..BackupReport::default() };
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let archive = builder.prefix(".dbag-").suffix(".partial").tempfile_in(folder)?;
        let mut zip = ZipWriter::new(io::BufWriter::with_capacity(BUFFER, archive.as_file()));
        let format = format!("{FORMAT}\n");
        add(
            &mut zip,
            &format!("{FOLDER}/format"),
            0o644,
            format.len() as u64,
            &mut format.as_bytes(),
            progress,
        )?;
        let mut file = fs_err::File::open(&copy)?;
        let length = file.metadata()?.len();
        add(&mut zip, &format!("{FOLDER}/{CATALOG}"), 0o644, length, &mut file, progress)?;
        progress.end();
        if options.catalog_only {
            report.placed = 0;
        } else {
            report.placed = named.placed.len() as u64;
            self.add_objects(&mut zip, &named, options, &mut report, progress)?;
        }
        let file = zip.finish().map_err(|error| zip_error(output, error))?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        report.length = archive.as_file().metadata()?.len();
        if options.force {
            archive.persist(output).map_err(|error| OpenError::Io(error.error))?;
        } else {
            archive.persist_noclobber(output).map_err(|error| match error.error.kind() {
                io::ErrorKind::AlreadyExists => BagError::Exists(output.to_owned()).into(),
                _ => OpenError::Io(error.error),
            })?;
        }
        Ok(report)
    }

    fn add_objects<W: Write + Seek>(
        &self,
        zip: &mut ZipWriter<W>,
        named: &NamedFiles,
        options: &BackupOptions<'_>,
        report: &mut BackupReport,
        progress: &dyn Progress,
    ) -> Result<(), OpenError> {
        let files = named.in_store(&self.objects);
        let bytes = files.iter().filter_map(|(_, length, _)| *length).sum();
        progress.begin("backing up", files.len() as u64, bytes);
        for (digest, _, place) in files {
            let added = self.add_object(zip, &digest, progress);
            match added {
                Ok(length) => {
                    report.objects += 1;
                    report.object_bytes += length;
                }
                Err(OpenError::Damaged { reason, .. }) if options.incomplete => {
                    report.left_out.push((place.to_owned(), reason));
                }
                Err(error) => return Err(error),
            }
            progress.file();
        }
        progress.end();
        Ok(())
    }

    /// Adds an object; its length. What is not what its name says is not left in the archive.
    fn add_object<W: Write + Seek>(
        &self,
        zip: &mut ZipWriter<W>,
        digest: &Digest,
        progress: &dyn Progress,
    ) -> Result<u64, OpenError> {
        let path = self.objects.path(digest);
        let bad = |reason: String| OpenError::Damaged { path: path.clone(), reason };
        let mut file = match fs_err::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(bad("it is not there".into()));
            }
            Err(error) => return Err(error.into()),
        };
        let length = file.metadata()?.len();
        let name = format!("{FOLDER}/{OBJECTS}/{}", ObjectStore::relative(digest));
        let found = add(zip, &name, 0o444, length, &mut file, progress)?;
        if found == *digest {
            return Ok(length);
        }
        zip.abort_file().map_err(|error| zip_error(&path, error))?;
        Err(bad(format!("its SHA-256 is {found}")))
    }

    /// Makes a folder a workspace out of a backup, each file checked while it is written. All of it or nothing.
    pub fn restore(archive: &Path, root: &Path, progress: &dyn Progress) -> Result<RestoreReport, OpenError> {
        let folder = root.join(FOLDER);
        if folder.exists() {
            return Err(OpenError::WorkspaceExists(root.to_owned()));
        }
        let file = fs_err::File::open(archive)?;
        let mut zip = ZipArchive::new(io::BufReader::new(file)).map_err(|error| zip_error(archive, error))?;
        let entries = listed(&mut zip, archive)?;
        fs_err::create_dir_all(root)?;
        let work = tempfile::Builder::new().prefix(".dbag-").suffix(".partial").tempdir_in(root)?;
        let built = work.path().join("workspace");
        fs_err::create_dir(&built)?;
        let mut report = RestoreReport::default();
        progress.begin("restoring", entries.len() as u64, entries.iter().map(|entry| entry.length).sum());
        for entry in &entries {
            let mut body = zip.by_index(entry.index).map_err(|error| zip_error(archive, error))?;
            let length = take(&mut body, entry, &built, archive, progress)?;
            if entry.digest.is_some() {
                report.objects += 1;
                report.object_bytes += length;
            }
            progress.file();
        }
        progress.end();
        check_format(&built)?;
        {
            let mut catalog = Catalog::open(&built.join(CATALOG), Clock::System)?;
            let store = ObjectStore::at(&built.join(OBJECTS));
            let named = NamedFiles::of(&mut catalog)?;
            let absent = named.in_store(&store);
            report.missing = absent.iter().filter(|(digest, ..)| !store.path(digest).exists()).count() as u64;
        }
        sync_file_system(&built)?;
        fs_err::rename(&built, &folder).map_err(|error| {
            if folder.exists() { OpenError::WorkspaceExists(root.to_owned()) } else { OpenError::Io(error) }
        })?;
        Ok(report)
    }
}

/// An entry of a backup.
struct Entry {
    index: usize,
    length: u64,
    /// Below `.dbag/`.
    path: PathBuf,
    /// An object's.
    digest: Option<Digest>,
}

/// The entries, if they are those of a backup and nothing else.
fn listed<R: Read + Seek>(zip: &mut ZipArchive<R>, archive: &Path) -> Result<Vec<Entry>, OpenError> {
    let mut entries = Vec::with_capacity(zip.len());
    for index in 0..zip.len() {
        let entry = zip.by_index_raw(index).map_err(|error| zip_error(archive, error))?;
        if entry.is_dir() {
            continue;
        }
        let shown =
            entry.name().map(std::borrow::Cow::into_owned).map_err(|error| zip_error(archive, error))?;
        let path = shown.strip_prefix(".dbag/").map(str::to_owned);
        let name = path
            .as_deref()
            .and_then(|path| path.strip_prefix("objects/"))
            .and_then(|path| path.split_once('/'));
        let digest = name.and_then(|(_, name)| Digest::parse(Algorithm::Sha256, name).ok());
        let is_object = digest.is_some_and(|digest| {
            path.as_deref() == Some(format!("{OBJECTS}/{}", ObjectStore::relative(&digest)).as_str())
        });
        match path {
            Some(path) if (is_object || path == "format" || path == CATALOG) && entry.is_file() => {
                entries.push(Entry { index, length: entry.size(), path: path.into(), digest });
            }
            _ => {
                let reason = format!("{shown:?} in it is no part of a workspace");
                return Err(BagError::Refused { path: archive.to_owned(), reason }.into());
            }
        }
    }
    let has = |name: &str| entries.iter().any(|entry| entry.path == Path::new(name));
    if has("format") && has(CATALOG) {
        return Ok(entries);
    }
    let reason =
        "it is no backup of a workspace: .dbag/format and .dbag/catalog.sqlite are not in it".to_owned();
    Err(BagError::Refused { path: archive.to_owned(), reason }.into())
}

/// Writes an entry below a folder, and compares an object with its name. Its length.
fn take(
    body: &mut dyn Read,
    entry: &Entry,
    built: &Path,
    archive: &Path,
    progress: &dyn Progress,
) -> Result<u64, OpenError> {
    let path = built.join(&entry.path);
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    let mut file = fs_err::OpenOptions::new().write(true).create_new(true).open(&path)?;
    let bad = |reason: String| OpenError::BadBackup {
        path: archive.to_owned(),
        reason: format!("{FOLDER}/{}: {reason}", entry.path.display()),
    };
    // One that says it is short and is not is found out before it fills the disk.
    let (length, found) =
        copy(&mut body.take(entry.length + 1), &mut file, progress).map_err(|error| match error {
            OpenError::Io(error) if error.kind() == io::ErrorKind::InvalidData => bad(error.to_string()),
            other => other,
        })?;
    if length != entry.length {
        return Err(bad("it is not as long as the archive says".into()));
    }
    if let Some(digest) = entry.digest {
        if found != digest {
            return Err(bad(format!("its SHA-256 is {found}")));
        }
        let mut permissions = file.metadata()?.permissions();
        permissions.set_readonly(true);
        fs_err::set_permissions(&path, permissions)?;
    }
    Ok(length)
}

/// Adds an entry, stored as it is; its SHA-256.
fn add<W: Write + Seek>(
    zip: &mut ZipWriter<W>,
    name: &str,
    mode: u32,
    length: u64,
    body: &mut dyn Read,
    progress: &dyn Progress,
) -> Result<Digest, OpenError> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .large_file(length >= LARGE)
        .unix_permissions(mode);
    zip.start_file(name, options).map_err(|error| zip_error(Path::new(name), error))?;
    // A file that grows meanwhile is cut, and its digest is another.
    Ok(copy(&mut body.take(length), zip, progress)?.1)
}

/// Copies, hashing while it passes: length and SHA-256.
fn copy(
    from: &mut dyn Read,
    to: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<(u64, Digest), OpenError> {
    let mut hasher = MultiHasher::new(&[Algorithm::Sha256]);
    let mut buffer = vec![0; BUFFER];
    let mut length = 0;
    loop {
        if progress.cancelled() {
            return Err(interrupted());
        }
        let n = from.read(&mut buffer)?;
        if n == 0 {
            return Ok((length, hasher.finish()[0]));
        }
        hasher.update(&buffer[..n]);
        to.write_all(&buffer[..n])?;
        length += n as u64;
        progress.bytes(n as u64);
    }
}

fn zip_error(path: &Path, error: zip::result::ZipError) -> OpenError {
    match error {
        zip::result::ZipError::Io(error) => OpenError::Io(error),
        other => BagError::Archive { path: path.to_owned(), reason: other.to_string() }.into(),
    }
}
