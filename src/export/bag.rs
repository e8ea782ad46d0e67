//! A version as a bag: tables as CSV, the model, assets embedded or as references.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::bytes::Bytes;
use super::homes::Homes;
use super::info::{Beside, TOMBSTONES, bag_info};
use super::rows::{Contents, Rows, Target};
use super::{ExportError, ExportOptions, place};
use crate::bag::{
    BagError, BagPath, BagWriter, Compression, Digest, Home, PathRef, PayloadFile, Progress, WrittenBag,
    with_pool,
};
use crate::cache::ObjectStore;
use crate::catalog::{BagRecord, Catalog, VersionSelection, Withdrawn};
use crate::model::Schema;
use crate::version::VersionRef;

/// What was exported.
#[derive(Debug, Clone)]
pub struct ExportReport {
    /// Name and version.
    pub reference: VersionRef,
    /// The archive.
    pub output: PathBuf,
    /// The archive's digest and length, and the identity of its content.
    pub bag: WrittenBag,
    /// What is in it.
    pub contents: Contents,
    /// Which part of the version it is; `None` where it is all of it.
    pub part: Option<String>,
    /// Rows that the version had and that were withdrawn since.
    pub withdrawn: Vec<Withdrawn>,
}

/// What would be exported.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// Name and version.
    pub reference: VersionRef,
    /// What would be in the bag.
    pub contents: Contents,
    /// About how long the archive would be, in octets.
    pub archive_bytes: u64,
    /// Which part of the version it is; `None` where it is all of it.
    pub part: Option<String>,
    /// Rows that the version had and that were withdrawn since.
    pub withdrawn: Vec<Withdrawn>,
}

/// Exports a released version as a zip archive. The file appears whole or not at all. The catalog notes the bag, and where a
/// bag was cut in the same way before, this one has to be the same.
pub fn export(
    catalog: &Catalog,
    objects: &ObjectStore,
    reference: &VersionRef,
    options: &ExportOptions,
    progress: &dyn Progress,
) -> Result<ExportReport, ExportError> {
    place::check(catalog, options)?;
    let homes = Homes::new(catalog, options)?;
    let selection = catalog.select_version(reference, &options.select)?;
    let beside = Beside::of(catalog, &selection)?;
    let mut temporary = place::beside(&options.output)?;
    let cut = Cut { catalog, objects, selection: &selection, beside: &beside, options, homes: &homes };
    let (bag, contents) = cut.write(temporary.as_file_mut(), progress)?;
    let known = options.canonical(&bag, beside.withdrawn.len());
    if let Some((sha256, path)) = catalog.known_bag(&selection.rid, &reference.version, &known)?
        && sha256 != bag.sha256.to_string()
    {
        let (reference, found) = (reference.to_string(), bag.sha256.to_string());
        return Err(ExportError::NotReproduced { reference, known: sha256, found, path });
    }
    place::put(temporary, options)?;
    let record = record(&selection, &options.output, &bag, known)?;
    if !options.passing
        && let Err(error) = catalog.record_bag(&record)
    {
        progress.note(&format!("the catalog does not know of this bag: {error}"));
    }
    Ok(ExportReport {
        reference: reference.clone(),
        output: options.output.clone(),
        bag,
        contents,
        part: options.part(),
        withdrawn: beside.withdrawn,
    })
}

fn record(
    selection: &VersionSelection,
    output: &Path,
    bag: &WrittenBag,
    options: String,
) -> Result<BagRecord, ExportError> {
    Ok(BagRecord {
        sha256: bag.sha256.to_string(),
        content: bag.content.to_string(),
        length: bag.length,
        dataset: selection.rid.clone(),
        version: selection.reference.version.clone(),
        options,
        path: fs_err::canonicalize(output)?.to_string_lossy().into_owned(),
        made: chrono::Utc::now().timestamp_micros(),
    })
}

/// All that a bag is made of.
struct Cut<'c> {
    catalog: &'c Catalog,
    objects: &'c ObjectStore,
    selection: &'c VersionSelection,
    beside: &'c Beside,
    options: &'c ExportOptions,
    homes: &'c Homes<'c>,
}

impl Cut<'_> {
    fn write(&self, out: impl Write, progress: &dyn Progress) -> Result<(WrittenBag, Contents), ExportError> {
        with_pool(self.options.threads, |pool| {
            let root = format!("Dataset_{}", self.selection.rid);
            let mut writer = BagWriter::new(BufWriter::new(out), &root, pool, progress)?;
            let contents = self.payload(&mut writer, progress)?;
            if !self.beside.withdrawn.is_empty() {
                writer.add_tag(TOMBSTONES, self.beside.tombstones().as_bytes())?;
            }
            let info = bag_info(self.catalog, self.selection, self.beside, self.options);
            let (_, bag) = writer.finish(info)?;
            progress.end();
            Ok((bag, contents))
        })?
    }

    fn payload<W: Write>(
        &self,
        writer: &mut BagWriter<'_, W>,
        progress: &dyn Progress,
    ) -> Result<Contents, ExportError> {
        writer.add_payload(&schema_path()?, &schema(self.selection)?)?;
        progress.begin("exporting tables", self.selection.tables.len() as u64, 0);
        let Self { catalog, objects, selection, homes, options, .. } = *self;
        let mut rows = Rows::new(catalog, objects, homes, options.hash_missing, writer);
        for part in &selection.tables {
            rows.table(part)?;
            progress.file();
        }
        rows.check_digests()?;
        let (contents, mut assets) = (rows.contents, rows.embedded);
        progress.end();
        assets.sort_by(|a, b| (&a.rid, &a.table).cmp(&(&b.rid, &b.table)));
        progress.begin("embedding assets", contents.embedded, contents.embedded_bytes);
        for asset in &assets {
            let file = PayloadFile {
                path: asset.bag_path()?,
                source: Bytes::find(catalog, objects, asset)?.path,
                length: asset.length,
                digests: std::iter::once(asset.sha256).chain(asset.md5).collect(),
            };
            let compression = Compression::for_name(&asset.filename);
            writer.add_file(file, compression).map_err(|error| self.named(error, &assets))?;
        }
        writer.settle_all().map_err(|error| self.named(error, &assets))?;
        Ok(contents)
    }

    /// Names the asset whose bytes were others.
    fn named(&self, error: BagError, assets: &[super::assets::Asset]) -> ExportError {
        let BagError::OtherBytes(path) = &error else { return error.into() };
        let is_it = |asset: &&super::assets::Asset| asset.bag_path().is_ok_and(|known| known == *path);
        match assets.iter().find(is_it) {
            Some(asset) => match Bytes::find(self.catalog, self.objects, asset) {
                Ok(bytes) => bytes.wrong(asset),
                Err(error) => error,
            },
            None => error.into(),
        }
    }
}

fn schema_path() -> Result<BagPath, ExportError> {
    Ok(BagPath::parse("data/schema.json").map_err(std::io::Error::other)?)
}

/// The schema of a Deriva catalog's web pages.
const PAGES: &str = "WWW";

/// The model as ERMrest prints it. Every Deriva catalog has a schema of web pages, and deriva-ml opens no bag without one.
fn schema(selection: &VersionSelection) -> Result<Vec<u8>, ExportError> {
    let mut model = selection.model.clone();
    model.snaptime = Some(selection.snapshot.to_string());
    model.schemas.entry(PAGES.to_owned()).or_insert_with(|| Schema::new(PAGES));
    Ok(serde_json::to_vec(&model).map_err(std::io::Error::other)?)
}

/// Says what [`export`] would write, and writes nothing.
pub fn estimate(
    catalog: &Catalog,
    objects: &ObjectStore,
    reference: &VersionRef,
    options: &ExportOptions,
    progress: &dyn Progress,
) -> Result<Estimate, ExportError> {
    let homes = Homes::new(catalog, options)?;
    let selection = catalog.select_version(reference, &options.select)?;
    let beside = Beside::of(catalog, &selection)?;
    let mut tally = Tally { text: schema(&selection)?.len() as u64, remote: 0, progress };
    let mut rows = Rows::new(catalog, objects, &homes, options.hash_missing, &mut tally);
    progress.begin("counting tables", selection.tables.len() as u64, 0);
    for part in &selection.tables {
        rows.table(part)?;
        progress.file();
    }
    progress.end();
    rows.check_digests()?;
    let contents = rows.contents;
    let archive_bytes = tally.archive_bytes(&contents);
    Ok(Estimate {
        reference: reference.clone(),
        contents,
        archive_bytes,
        part: options.part(),
        withdrawn: beside.withdrawn,
    })
}

/// Counts what would be written.
struct Tally<'p> {
    text: u64,
    remote: u64,
    progress: &'p dyn Progress,
}

/// What a line of fetch.txt and two of manifests come to, packed: most of it is digits of digests, which take four bits each.
const REMOTE_LINES: u64 = 130;
/// What an entry takes beside its content.
const ENTRY: u64 = 200;

impl Tally<'_> {
    /// Rows pack to about two fifths; assets are mostly packed already.
    fn archive_bytes(&self, contents: &Contents) -> u64 {
        let entries = contents.tables.len() as u64 + contents.embedded + 8;
        self.text * 2 / 5 + contents.embedded_bytes + self.remote * REMOTE_LINES + entries * ENTRY
    }
}

impl Target for Tally<'_> {
    fn begin(&mut self, _path: &BagPath) {}

    fn write(&mut self, bytes: &[u8]) -> Result<(), BagError> {
        self.text += bytes.len() as u64;
        if self.progress.cancelled() { Err(BagError::Interrupted) } else { Ok(()) }
    }

    fn end(&mut self) -> Result<(), BagError> {
        Ok(())
    }

    fn remote(
        &mut self,
        _path: PathRef<'_>,
        _length: u64,
        _digests: &[Digest],
        _home: Home<'_>,
    ) -> Result<(), BagError> {
        self.remote += 1;
        Ok(())
    }
}
