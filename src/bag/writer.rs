//! Writes a BagIt 1.0 bag as a zip archive, in one pass, with the same bytes at every run.
//!
//! Entries come in the order in which they are added, all dated 1980-01-01 with mode 0644, so that
//! nothing of the machine, the user or the clock gets in. Deflate is fed in blocks of one size at a level
//! whose output does not depend on how the input was cut.

use std::io::{self, Read, Seek, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::fetch::Remote;
use super::{Algorithm, BagError, BagInfo, BagPath, Digest, MultiHasher, path};

/// Size of a write to the compressor, in octets. Part of the bag format: changing it may change the bytes.
const BLOCK: usize = 64 << 10;
/// Deflate level. Part of the bag format.
const LEVEL: i64 = 4;

/// Whether an entry is worth compressing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Stored as it is: media that are compressed already.
    Store,
    /// Deflated.
    Deflate,
}

impl Compression {
    /// Chosen by a file's name: what is compressed already is stored.
    #[must_use]
    pub fn for_name(name: &str) -> Self {
        const PACKED: [&str; 23] = [
            "7z", "avif", "bz2", "docx", "gif", "gz", "h5", "heic", "jp2", "jpeg", "jpg", "mp3", "mp4",
            "npz", "parquet", "pdf", "png", "webp", "xlsx", "xz", "zip", "zst", "tgz",
        ];
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        if extension.is_some_and(|extension| PACKED.contains(&extension.as_str())) {
            Self::Store
        } else {
            Self::Deflate
        }
    }
}

/// Builds one bag. Payload first, [`BagWriter::finish`] last.
pub struct BagWriter<W: Write + Seek> {
    /// Gone once the bag is finished.
    zip: Option<ZipWriter<W>>,
    root: String,
    algorithms: Vec<Algorithm>,
    manifest: Vec<(BagPath, Vec<Digest>)>,
    fetch: Vec<Remote>,
    octets: u64,
    buffer: Vec<u8>,
}

impl<W: Write + Seek> BagWriter<W> {
    /// Starts a bag whose base folder is `root`, with one manifest for each algorithm.
    pub fn new(out: W, root: &str, algorithms: &[Algorithm]) -> Result<Self, BagError> {
        let mut writer = Self {
            zip: Some(ZipWriter::new(out)),
            root: root.to_owned(),
            algorithms: algorithms.to_vec(),
            manifest: Vec::new(),
            fetch: Vec::new(),
            octets: 0,
            buffer: vec![0; BLOCK],
        };
        let text = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
        let digests = writer.entry("bagit.txt", &mut text.as_bytes(), Compression::Deflate)?.1;
        writer.add_tag("bagit.txt", digests);
        Ok(writer)
    }

    /// Adds a payload file, read to its end, and returns its length in octets and its digests.
    pub fn add_payload(
        &mut self,
        path: BagPath,
        reader: &mut dyn Read,
        compression: Compression,
    ) -> Result<(u64, Vec<Digest>), BagError> {
        let (length, digests) = self.entry(path.as_str(), reader, compression)?;
        self.octets += length;
        self.manifest.push((path, digests.clone()));
        Ok((length, digests))
    }

    /// Adds a payload file that stays where its URL says. `digests` must hold one for each algorithm.
    pub fn add_remote(&mut self, path: BagPath, url: String, length: u64, digests: Vec<Digest>) {
        self.octets += length;
        self.manifest.push((path.clone(), digests));
        self.fetch.push(Remote { url, length, path });
    }

    /// Writes bag-info.txt (with the `Payload-Oxum` added to `info`), fetch.txt, manifests and tag manifests.
    pub fn finish(mut self, mut info: Vec<(String, String)>) -> Result<W, BagError> {
        let payload: Vec<_> = self.manifest.extract_if(.., |(path, _)| path.is_payload()).collect();
        info.push(("Payload-Oxum".into(), format!("{}.{}", self.octets, payload.len())));
        self.tag("bag-info.txt", &BagInfo::new(info).to_text())?;
        if !self.fetch.is_empty() {
            let mut fetch = std::mem::take(&mut self.fetch);
            fetch.sort_by(|a, b| a.path.cmp(&b.path));
            let text: String = fetch.iter().map(|entry| entry.to_line() + "\n").collect();
            self.tag("fetch.txt", &text)?;
        }
        for index in 0..self.algorithms.len() {
            let text = manifest_text(&payload, self.algorithms[index]);
            self.tag(&format!("manifest-{}.txt", self.algorithms[index]), &text)?;
        }
        let tags = std::mem::take(&mut self.manifest);
        for index in 0..self.algorithms.len() {
            let text = manifest_text(&tags, self.algorithms[index]);
            self.entry(
                &format!("tagmanifest-{}.txt", self.algorithms[index]),
                &mut text.as_bytes(),
                Compression::Deflate,
            )?;
        }
        let zip = self.zip.take().ok_or_else(ended)?;
        zip.finish().map_err(|error| BagError::Io(error.into()))
    }

    fn tag(&mut self, name: &str, text: &str) -> Result<(), BagError> {
        let (_, digests) = self.entry(name, &mut text.as_bytes(), Compression::Deflate)?;
        self.add_tag(name, digests);
        Ok(())
    }

    fn add_tag(&mut self, name: &str, digests: Vec<Digest>) {
        if let Ok(path) = BagPath::parse(name) {
            self.manifest.push((path, digests));
        }
    }

    /// One archive entry: read once, hashed and written in blocks of one size.
    fn entry(
        &mut self,
        name: &str,
        reader: &mut dyn Read,
        compression: Compression,
    ) -> Result<(u64, Vec<Digest>), BagError> {
        let options = SimpleFileOptions::default()
            .last_modified_time(zip::DateTime::default())
            .unix_permissions(0o644)
            // The length is not known beforehand, so that every entry has room for a large one.
            .large_file(true);
        let options = match compression {
            Compression::Store => options.compression_method(CompressionMethod::Stored),
            Compression::Deflate => {
                options.compression_method(CompressionMethod::Deflated).compression_level(Some(LEVEL))
            }
        };
        let zip = self.zip.as_mut().ok_or_else(ended)?;
        zip.start_file(format!("{}/{name}", self.root), options).map_err(io::Error::from)?;
        let mut hasher = MultiHasher::new(&self.algorithms);
        let mut length = 0;
        loop {
            let n = fill(reader, &mut self.buffer)?;
            if n == 0 {
                return Ok((length, hasher.finish()));
            }
            hasher.update(&self.buffer[..n]);
            zip.write_all(&self.buffer[..n])?;
            length += n as u64;
        }
    }
}

fn ended() -> io::Error {
    io::Error::other("the bag was finished already")
}

impl<W: Write + Seek> Drop for BagWriter<W> {
    /// An archive that failed half-way is thrown away by its owner; ending it would only fail again, aloud.
    fn drop(&mut self) {
        if let Some(zip) = self.zip.take() {
            std::mem::forget(zip);
        }
    }
}

/// Reads until the buffer is full or the input ends.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn manifest_text(files: &[(BagPath, Vec<Digest>)], algorithm: Algorithm) -> String {
    let mut lines: Vec<(&BagPath, &Digest)> = files
        .iter()
        .filter_map(|(path, digests)| {
            Some((path, digests.iter().find(|digest| digest.algorithm() == algorithm)?))
        })
        .collect();
    lines.sort_unstable();
    lines.iter().map(|(path, digest)| format!("{digest}  {}\n", path::encode(path.as_str()))).collect()
}
