//! A version as a bag: tables as CSV, the model, assets embedded or as references.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::assets::Asset;
use super::bytes::Bytes;
use super::digests::{algorithms, complete, sha256_of_file};
use super::homes::{Home, Homes};
use super::info::bag_info;
use super::tables::TableText;
use super::{BAG_FORMAT, ExportError, ExportOptions};
use crate::bag::{
    Algorithm, BagError, BagPath, BagWriter, Compression, Digest, Entry, Expected, NotAsExpected, Progress,
    Written,
};
use crate::cache::ObjectStore;
use crate::catalog::{Catalog, CutBag, TableSelection, VersionSelection};
use crate::version::VersionRef;

/// Rows after which an interrupt is looked for.
const LOOK: u64 = 4096;

/// A table's rows in a bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRows {
    /// The table, as `schema:Table`.
    pub table: String,
    /// How many rows.
    pub rows: u64,
    /// Octets of its CSV file.
    pub bytes: u64,
    /// Its assets.
    pub assets: u64,
    /// Octets in them.
    pub asset_bytes: u64,
}

/// What was exported, or would be.
#[derive(Debug, Clone)]
pub struct ExportReport {
    /// Name and version.
    pub reference: VersionRef,
    /// The archive.
    pub output: PathBuf,
    /// What narrows it to a part of the version.
    pub part: Option<String>,
    /// SHA-256 of the archive; `None` where nothing was written.
    pub sha256: Option<Digest>,
    /// The identity of its payload; `None` where nothing was written.
    pub content: Option<Digest>,
    /// The archive's length in octets; of what was not written, about that.
    pub length: u64,
    /// The tables in it.
    pub tables: Vec<TableRows>,
    /// Its assets.
    pub assets: u64,
    /// Octets in them.
    pub asset_bytes: u64,
    /// Assets that are in the bag, and not at their URLs.
    pub embedded: u64,
    /// Octets in them.
    pub embedded_bytes: u64,
    /// Rows that were withdrawn, so that they are missing.
    pub withdrawn: u64,
}

impl ExportReport {
    /// Octets that are to be fetched.
    #[must_use]
    pub fn remote_bytes(&self) -> u64 {
        self.asset_bytes - self.embedded_bytes
    }
}

/// Exports a released version as a zip archive. The file appears whole or not at all.
pub fn export(
    catalog: &Catalog,
    objects: &ObjectStore,
    reference: &VersionRef,
    options: &ExportOptions,
    progress: &dyn Progress,
) -> Result<ExportReport, ExportError> {
    check_output(catalog, options)?;
    let homes = Homes::new(catalog, objects, options)?;
    let selection = catalog.select_version(reference, &options.select)?;
    let algorithms = algorithms(catalog, &selection, options)?;
    let parent = folder_of(&options.output);
    fs_err::create_dir_all(parent)?;
    let mut temporary = tempfile::Builder::new().prefix(".dbag-").suffix(".partial").tempfile_in(parent)?;
    let writer = BagWriter::new(
        temporary.as_file_mut(),
        &format!("Dataset_{}", selection.rid),
        &algorithms,
        options.threads,
    )?;
    let mut cut =
        Cut { catalog, objects, homes: &homes, algorithms, progress, report: report(&selection, options) };
    let written = cut.write(writer, &selection, options)?;
    let (content, length) = (written.content, written.length);
    let mut report = cut.report;
    temporary.seek(SeekFrom::Start(0))?;
    let sha256 = sha256_of_file(temporary.as_file_mut())?;
    (report.sha256, report.content, report.length) = (Some(sha256), Some(content), length);
    place(temporary, options)?;
    record(catalog, &selection, options, &report)?;
    Ok(report)
}

/// What an export would write, and how much: all is read, nothing written.
pub fn rehearse_export(
    catalog: &Catalog,
    objects: &ObjectStore,
    reference: &VersionRef,
    options: &ExportOptions,
    progress: &dyn Progress,
) -> Result<ExportReport, ExportError> {
    let homes = Homes::new(catalog, objects, options)?;
    let selection = catalog.select_version(reference, &options.select)?;
    algorithms(catalog, &selection, options)?;
    let mut report = report(&selection, options);
    let mut entries = 8_u64;
    progress.begin("reading", selection.tables.len() as u64, 0);
    for part in &selection.tables {
        let mut text = TableText::new(&part.table);
        let mut table = TableRows::of(part, text.header().len());
        text.for_each(catalog, part, &homes, |line, asset| {
            table.add(line.len(), &mut report, asset.as_ref());
            entries += u64::from(matches!(asset, Some((_, Home::Here(_)))));
            interrupted(progress, table.rows)
        })?;
        progress.file();
        report.tables.extend((table.rows > 0).then_some(table));
    }
    progress.end();
    // CSV packs to about a third; a line of a manifest and one of fetch.txt to about 150 octets together; what is embedded mostly not.
    let text: u64 = report.tables.iter().map(|table| table.bytes).sum();
    report.length = text / 3 + report.assets * 150 + report.embedded_bytes + entries * 250;
    Ok(report)
}

fn report(selection: &VersionSelection, options: &ExportOptions) -> ExportReport {
    ExportReport {
        reference: selection.reference.clone(),
        output: options.output.clone(),
        part: options.part(),
        sha256: None,
        content: None,
        length: 0,
        tables: Vec::new(),
        assets: 0,
        asset_bytes: 0,
        embedded: 0,
        embedded_bytes: 0,
        withdrawn: 0,
    }
}

impl TableRows {
    fn of(part: &TableSelection, header: usize) -> Self {
        Self { table: part.table.qualified_name(), rows: 0, bytes: header as u64, assets: 0, asset_bytes: 0 }
    }

    fn add(&mut self, line: usize, report: &mut ExportReport, asset: Option<&(Asset, Home)>) {
        self.rows += 1;
        self.bytes += line as u64;
        let Some((asset, home)) = asset else { return };
        self.assets += 1;
        self.asset_bytes += asset.length;
        report.assets += 1;
        report.asset_bytes += asset.length;
        if matches!(home, Home::Here(_)) {
            report.embedded += 1;
            report.embedded_bytes += asset.length;
        }
    }
}

fn interrupted(progress: &dyn Progress, rows: u64) -> Result<(), ExportError> {
    if rows % LOOK == 0 && progress.cancelled() { Err(ExportError::Interrupted) } else { Ok(()) }
}

fn folder_of(output: &Path) -> &Path {
    output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Refuses to write over what is there, or among what the workspace keeps.
fn check_output(catalog: &Catalog, options: &ExportOptions) -> Result<(), ExportError> {
    let output = &options.output;
    if output.is_dir() {
        return Err(ExportError::IsAFolder(output.clone()));
    }
    let absolute = std::path::absolute(output)?;
    let kept = catalog.path().parent().map(std::path::absolute).transpose()?;
    let folder = |path: &Path| folder_of(path).canonicalize().unwrap_or_else(|_| folder_of(path).to_owned());
    if kept.is_some_and(|kept| {
        let kept = kept.canonicalize().unwrap_or(kept);
        kept.file_name().is_some_and(|name| name == ".dbag") && folder(&absolute).starts_with(&kept)
    }) {
        return Err(ExportError::IntoItself(output.clone()));
    }
    if output.exists() && !options.force {
        return Err(ExportError::Exists(output.clone()));
    }
    Ok(())
}

fn place(temporary: tempfile::NamedTempFile, options: &ExportOptions) -> Result<(), ExportError> {
    temporary.as_file().sync_all()?;
    #[cfg(unix)]
    temporary.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    let placed = if options.force {
        temporary.persist(&options.output)
    } else {
        temporary.persist_noclobber(&options.output)
    };
    placed.map(drop).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => ExportError::Exists(options.output.clone()),
        _ => ExportError::Io(error.error),
    })
}

/// Notes the bag beside the versioned rows. A workspace that may only be read notes nothing.
fn record(
    catalog: &Catalog,
    selection: &VersionSelection,
    options: &ExportOptions,
    report: &ExportReport,
) -> Result<(), ExportError> {
    let (Some(sha256), Some(content)) = (report.sha256, report.content) else { return Ok(()) };
    if catalog.is_readonly() || options.passing {
        return Ok(());
    }
    let folder = folder_of(&options.output).canonicalize()?;
    let path = options.output.file_name().map_or_else(|| folder.clone(), |name| folder.join(name));
    let how = json!({
        "format": BAG_FORMAT,
        "assets": options.assets.as_str(),
        "base_url": options.base_url,
        "from": options.from,
        "part": report.part,
        "hash_missing": options.hash_missing,
    });
    catalog.record_bag(&CutBag {
        sha256: sha256.to_string(),
        content: content.to_string(),
        length: report.length,
        dataset: selection.rid.to_string(),
        version: selection.reference.version.to_string(),
        options: how.to_string(),
        path: path.to_str().map(str::to_owned),
        url: None,
        minid: None,
        made: chrono::Utc::now().timestamp_micros(),
    })?;
    Ok(())
}

/// A bag that is being cut.
struct Cut<'c> {
    catalog: &'c Catalog,
    objects: &'c ObjectStore,
    homes: &'c Homes<'c>,
    algorithms: Vec<Algorithm>,
    progress: &'c dyn Progress,
    report: ExportReport,
}

impl Cut<'_> {
    fn write<W: Write + Seek>(
        &mut self,
        mut writer: BagWriter<W>,
        selection: &VersionSelection,
        options: &ExportOptions,
    ) -> Result<Written<W>, ExportError> {
        let mut model = selection.model.clone();
        model.snaptime = Some(selection.snapshot.to_string());
        let schema = serde_json::to_vec(&model).map_err(std::io::Error::other)?;
        writer.add_payload(
            plain_path("data/schema.json")?,
            &mut schema.as_slice(),
            Compression::Deflate,
            None,
        )?;
        self.progress.begin("exporting", selection.tables.len() as u64, 0);
        let mut embedded = Vec::new();
        for part in &selection.tables {
            self.table(&mut writer, part, &mut embedded)?;
            self.progress.file();
        }
        self.progress.end();
        self.embed(&mut writer, embedded)?;
        let tombstones = self.catalog.tombstones_of(&selection.rid, &selection.reference.version)?;
        self.report.withdrawn = tombstones.len() as u64;
        if !tombstones.is_empty() {
            let rows: Vec<_> = tombstones.iter().map(super::tombstone_document).collect();
            let text =
                serde_json::to_string_pretty(&json!({"withdrawn": rows})).map_err(std::io::Error::other)?;
            writer.tag("dbag-tombstones.json", &(text + "\n"))?;
        }
        let info = bag_info(self.catalog, selection, options, self.report.withdrawn);
        Ok(writer.finish(info)?)
    }

    /// Writes a table's CSV, unless it has no rows. Its assets are listed, or kept for later where they are to be embedded.
    fn table<W: Write + Seek>(
        &mut self,
        writer: &mut BagWriter<W>,
        part: &TableSelection,
        embedded: &mut Vec<(Asset, Bytes)>,
    ) -> Result<(), ExportError> {
        let path = plain_path(&format!("data/{}/{}.csv", part.table.schema_name, part.table.table_name))?;
        let mut text = TableText::new(&part.table);
        let header = text.header();
        let mut rows = TableRows::of(part, header.len());
        let mut entry: Option<Entry<'_, W>> = None;
        let mut writer = Some(writer);
        text.for_each(self.catalog, part, self.homes, |line, asset| {
            if let Some(writer) = writer.take() {
                let mut started = writer.entry(path.clone(), Compression::Deflate);
                started.write_all(&header)?;
                entry = Some(started);
            }
            let Some(entry) = entry.as_mut() else { return Ok(()) };
            entry.write_all(line)?;
            rows.add(line.len(), &mut self.report, asset.as_ref());
            match asset {
                None => {}
                Some((asset, Home::Here(bytes))) => embedded.push((asset, bytes)),
                Some((asset, Home::There(url))) => {
                    let digests = complete(self.catalog, self.objects, &asset, &self.algorithms)?;
                    entry.add_remote(&asset.bag_path()?, &url, asset.length, &digests)?;
                }
            }
            interrupted(self.progress, rows.rows)
        })?;
        if let Some(entry) = entry {
            entry.finish()?;
            self.report.tables.push(rows);
        }
        Ok(())
    }

    /// Writes the bytes of assets, by their RIDs.
    fn embed<W: Write + Seek>(
        &self,
        writer: &mut BagWriter<W>,
        mut embedded: Vec<(Asset, Bytes)>,
    ) -> Result<(), ExportError> {
        embedded.sort_by(|(a, _), (b, _)| (&a.rid, &a.table).cmp(&(&b.rid, &b.table)));
        let total = embedded.iter().map(|(asset, _)| asset.length).sum();
        self.progress.begin("embedding", embedded.len() as u64, total);
        let wrong = |error: BagError| match unexpected(&error) {
            // A file is found to be wrong when its turn to be written has come.
            Some(path) => embedded
                .iter()
                .find(|(asset, _)| asset.bag_path().is_ok_and(|other| other == *path))
                .map_or_else(|| ExportError::Bag(error), |(asset, bytes)| bytes.wrong(asset)),
            None => ExportError::Bag(error),
        };
        for (asset, bytes) in &embedded {
            let mut file = fs_err::File::open(&bytes.path)?;
            let mut digests = asset.digests();
            digests.push(bytes.sha256);
            let expected = Expected { length: asset.length, digests };
            let compression = Compression::for_name(&asset.filename);
            writer.add_payload(asset.bag_path()?, &mut file, compression, Some(expected)).map_err(wrong)?;
            self.progress.bytes(asset.length);
            self.progress.file();
            if self.progress.cancelled() {
                return Err(ExportError::Interrupted);
            }
        }
        writer.settle().map_err(wrong)?;
        self.progress.end();
        Ok(())
    }
}

/// The file that is not what was expected.
fn unexpected(error: &BagError) -> Option<&BagPath> {
    let BagError::Io(error) = error else { return None };
    error.get_ref()?.downcast_ref::<NotAsExpected>().map(|NotAsExpected(path)| path)
}

fn plain_path(text: &str) -> Result<BagPath, ExportError> {
    BagPath::parse(text).map_err(|error| ExportError::Io(std::io::Error::other(error)))
}
