//! A version as a bag: tables as CSV, the model, assets embedded or as references.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use url::Url;

use super::assets::Asset;
use super::bytes::Bytes;
use super::{BAG_FORMAT, ExportError};
use crate::bag::{Algorithm, BagPath, BagWriter, Compression, Digest, NoProgress, Progress, hash_reader};
use crate::cache::ObjectStore;
use crate::catalog::{Catalog, SelectOptions, TableSelection, VersionSelection};
use crate::tabular::{CsvWriter, Value};
use crate::transport::redacted_text;
use crate::version::VersionRef;

/// MD5 for Deriva's tools, SHA-256 for everyone.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::Md5, Algorithm::Sha256];
/// A table's CSV up to this many octets stays in memory on its way into the archive.
const SPOOL: usize = 8 << 20;

/// Where a bag's assets are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssetMode {
    /// In the bag.
    Embed,
    /// Below a URL, in the layout that `publish` makes; the bag refers to them in `fetch.txt`.
    Remote(String),
}

/// How to export.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// The archive to write.
    pub output: PathBuf,
    /// Where assets are.
    pub assets: AssetMode,
    /// Whether an existing file is replaced.
    pub force: bool,
}

/// A table's rows in a bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRows {
    /// The table, as `schema:Table`.
    pub table: String,
    /// How many rows.
    pub rows: u64,
}

/// What was exported.
#[derive(Debug, Clone)]
pub struct ExportReport {
    /// Name and version.
    pub reference: VersionRef,
    /// The archive.
    pub output: PathBuf,
    /// SHA-256 of the archive.
    pub sha256: Digest,
    /// Its length in octets.
    pub length: u64,
    /// The tables in it.
    pub tables: Vec<TableRows>,
    /// Its assets.
    pub assets: u64,
    /// Octets in them.
    pub asset_bytes: u64,
}

/// Exports a released version as a zip archive. The file appears whole or not at all.
pub fn export(
    catalog: &Catalog,
    objects: &ObjectStore,
    reference: &VersionRef,
    options: &ExportOptions,
    progress: &dyn Progress,
) -> Result<ExportReport, ExportError> {
    let selection = catalog.select_version(reference, &SelectOptions::default())?;
    let base = match &options.assets {
        AssetMode::Embed => None,
        AssetMode::Remote(url) => Some(base_url(url)?),
    };
    if options.output.is_dir() {
        return Err(ExportError::IsAFolder(options.output.clone()));
    }
    if options.output.exists() && !options.force {
        return Err(ExportError::Exists(options.output.clone()));
    }
    let parent =
        options.output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs_err::create_dir_all(parent)?;
    let mut temporary = tempfile::Builder::new().prefix(".dbag-").suffix(".partial").tempfile_in(parent)?;
    let contents = write_bag(catalog, objects, &selection, base.as_ref(), &mut temporary, progress)?;
    temporary.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; 1 << 20];
    let (length, digests) = hash_reader(&mut temporary, &[Algorithm::Sha256], &mut buffer, &NoProgress)?;
    temporary.as_file().sync_all()?;
    #[cfg(unix)]
    temporary.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    let placed = if options.force {
        temporary.persist(&options.output)
    } else {
        temporary.persist_noclobber(&options.output)
    };
    placed.map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => ExportError::Exists(options.output.clone()),
        _ => ExportError::Io(error.error),
    })?;
    let (asset_count, asset_bytes) =
        (contents.assets.len() as u64, contents.assets.iter().map(|asset| asset.length).sum());
    Ok(ExportReport {
        reference: reference.clone(),
        output: options.output.clone(),
        sha256: digests[0],
        tables: contents.tables,
        assets: asset_count,
        length,
        asset_bytes,
    })
}

/// The URL below which assets are, ending in `/`.
fn base_url(text: &str) -> Result<Url, ExportError> {
    let bad = || ExportError::BadBaseUrl(redacted_text(text));
    let mut url = Url::parse(text).map_err(|_| bad())?;
    let plain = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
    if !plain || !url.username().is_empty() || url.password().is_some() {
        return Err(bad());
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

struct Contents {
    tables: Vec<TableRows>,
    assets: Vec<Asset>,
}

fn write_bag(
    catalog: &Catalog,
    objects: &ObjectStore,
    selection: &VersionSelection,
    base: Option<&Url>,
    out: &mut tempfile::NamedTempFile,
    progress: &dyn Progress,
) -> Result<Contents, ExportError> {
    let root = format!("Dataset_{}", selection.rid);
    let mut writer = BagWriter::new(out, &root, &ALGORITHMS)?;
    let mut contents = Contents { tables: Vec::new(), assets: Vec::new() };
    let mut model = selection.model.clone();
    model.snaptime = Some(selection.snapshot.to_string());
    let schema = serde_json::to_vec(&model).map_err(std::io::Error::other)?;
    writer.add_payload(plain_path("data/schema.json")?, &mut schema.as_slice(), Compression::Deflate)?;
    for part in &selection.tables {
        if let Some(mut csv) = table_csv(catalog, part, base, &mut contents)? {
            let path = format!("data/{}/{}.csv", part.table.schema_name, part.table.table_name);
            writer.add_payload(plain_path(&path)?, &mut csv, Compression::Deflate)?;
        }
    }
    contents.assets.sort_by(|a, b| (&a.rid, &a.table).cmp(&(&b.rid, &b.table)));
    progress.begin(
        "exporting",
        contents.assets.len() as u64,
        contents.assets.iter().map(|asset| asset.length).sum(),
    );
    for asset in &contents.assets {
        match base {
            Some(base) => {
                let url = format!("{base}{}", ObjectStore::relative(&asset.sha256));
                writer.add_remote(asset.bag_path()?, url, asset.length, vec![asset.md5, asset.sha256]);
            }
            None => embed(&mut writer, catalog, objects, asset)?,
        }
        progress.bytes(asset.length);
        progress.file();
        if progress.cancelled() {
            return Err(ExportError::Interrupted);
        }
    }
    writer.finish(bag_info(catalog, selection))?;
    progress.end();
    Ok(contents)
}

fn plain_path(text: &str) -> Result<BagPath, ExportError> {
    BagPath::parse(text).map_err(|error| ExportError::Io(std::io::Error::other(error)))
}

/// A table's rows as CSV; `None` where it has none. Assets are noted as their rows pass.
fn table_csv(
    catalog: &Catalog,
    part: &TableSelection,
    base: Option<&Url>,
    contents: &mut Contents,
) -> Result<Option<impl Read>, ExportError> {
    let table = &part.table;
    let names = table.column_definitions.iter().map(|column| &column.name);
    let mut csv = CsvWriter::new(tempfile::spooled_tempfile(SPOOL), names)?;
    // Where the bytes are is known only now, so the column says the path of the URL in fetch.txt.
    let url_at =
        table.column_definitions.iter().position(|column| column.name == "URL").filter(|_| table.is_asset());
    let mut rows = 0;
    catalog.for_each_selected(part, |mut row| {
        if let Some(at) = url_at {
            let asset = Asset::from_row(table, &row)?;
            let folder = base.map_or("/", Url::path);
            row[at] = Value::Text(format!("{folder}{}", ObjectStore::relative(&asset.sha256)));
            contents.assets.push(asset);
        }
        csv.record(row.iter().map(Value::to_text))?;
        rows += 1;
        Ok::<_, ExportError>(())
    })?;
    if rows == 0 {
        return Ok(None);
    }
    contents.tables.push(TableRows { table: table.qualified_name(), rows });
    let mut spool = csv.finish()?;
    spool.seek(SeekFrom::Start(0))?;
    Ok(Some(spool))
}

fn embed<W: Write + Seek>(
    writer: &mut BagWriter<W>,
    catalog: &Catalog,
    objects: &ObjectStore,
    asset: &Asset,
) -> Result<(), ExportError> {
    let bytes = Bytes::find(catalog, objects, asset)?;
    let mut file = fs_err::File::open(&bytes.path)?;
    let compression = Compression::for_name(&asset.filename);
    let (length, digests) = writer.add_payload(asset.bag_path()?, &mut file, compression)?;
    if length != asset.length || digests != [asset.md5, asset.sha256] {
        return Err(bytes.wrong(asset));
    }
    Ok(())
}

/// bag-info.txt: what the bag is and where it is from, nothing of the run that wrote it.
fn bag_info(catalog: &Catalog, selection: &VersionSelection) -> Vec<(String, String)> {
    let reference = &selection.reference;
    let elements = [
        ("Bagging-Date", selection.snapshot.date()),
        ("External-Identifier", reference.to_string()),
        ("External-Description", selection.note.clone()),
        ("Dbag-Format", BAG_FORMAT.to_string()),
        ("Dbag-Dataset-Name", reference.name.to_string()),
        ("Dbag-Dataset-Version", reference.version.to_string()),
        ("Dbag-Dataset-RID", selection.rid.to_string()),
        ("Dbag-Dataset-Snapshot", selection.snapshot.to_string()),
        ("Dbag-Catalog", catalog.id().to_owned()),
    ];
    let filled = elements.into_iter().filter(|(_, value)| !value.trim().is_empty());
    filled.map(|(label, value)| (label.to_owned(), value)).collect()
}
