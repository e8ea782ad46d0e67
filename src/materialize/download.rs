//! The archive itself, where a bag is named by its URL: fetched to a file beside the target.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use url::Url;

use super::MaterializeError;
use crate::bag::{BagError, Progress};
use crate::transport::{Source, TransportError, TransportErrorKind, redacted};

/// Times that it is asked for without anything new coming.
const ATTEMPTS: u32 = 5;

/// An archive that was fetched into a temporary folder, which goes when this does.
pub(super) struct Downloaded {
    pub(super) path: PathBuf,
    _folder: tempfile::TempDir,
}

/// Fetches an archive into a temporary folder beside `beside`.
pub(super) fn download(
    url: &Url,
    beside: &Path,
    transport: &dyn Source,
    progress: &dyn Progress,
) -> Result<Downloaded, MaterializeError> {
    let folder = crate::bag::temporary_beside(beside)?;
    let path = folder.path().join(file_name(url));
    let mut file = fs_err::File::create_new(&path)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(fetch(url, &mut file, transport, progress))?;
    progress.end();
    Ok(Downloaded { path, _folder: folder })
}

/// How far it has come.
#[derive(Default)]
struct Come {
    octets: u64,
    validator: Option<String>,
}

async fn fetch(
    url: &Url,
    file: &mut fs_err::File,
    transport: &dyn Source,
    progress: &dyn Progress,
) -> Result<(), MaterializeError> {
    let remote = transport.remote(url)?;
    let (mut come, mut attempt) = (Come::default(), 0);
    loop {
        let before = come.octets;
        let error = match attempt_once(remote.as_ref(), url, file, &mut come, progress).await {
            Ok(()) => return Ok(()),
            Err(MaterializeError::Transport(error)) if error.kind.is_transient() => error,
            Err(error) => return Err(error),
        };
        attempt = if come.octets > before { 1 } else { attempt + 1 };
        if attempt >= ATTEMPTS {
            return Err(error.into());
        }
        progress.retried();
        let wait = error.retry_after.unwrap_or(Duration::from_millis(200 << attempt));
        tokio::time::sleep(wait.min(Duration::from_mins(1))).await;
    }
}

async fn attempt_once(
    remote: &dyn crate::transport::Remote,
    url: &Url,
    file: &mut fs_err::File,
    come: &mut Come,
    progress: &dyn Progress,
) -> Result<(), MaterializeError> {
    let goes_on = come.octets > 0 && come.validator.is_some();
    let range = goes_on.then_some(come.octets..u64::MAX);
    let mut body = remote.get(range).await?.expecting(None, url);
    if !goes_on || body.start != come.octets || body.validator != come.validator {
        if body.start > 0 {
            *come = Come::default();
            return Err(transient(url, "the file changed at the server while it was fetched".into()).into());
        }
        progress.begin("downloading", 1, body.total.unwrap_or(0));
        file.file().set_len(0)?;
        io::Seek::seek(file, io::SeekFrom::Start(0))?;
        *come = Come { octets: 0, validator: body.validator.clone() };
    }
    while let Some(chunk) = body.chunks.next().await {
        let chunk = chunk?;
        file.write_all(&chunk)?;
        come.octets += chunk.len() as u64;
        progress.bytes(chunk.len() as u64);
        if progress.cancelled() {
            return Err(BagError::Interrupted.into());
        }
    }
    match body.total.filter(|total| come.octets < *total) {
        Some(total) => {
            Err(transient(url, format!("the server sent {} of {total} bytes", come.octets)).into())
        }
        None => Ok(()),
    }
}

fn transient(url: &Url, reason: String) -> TransportError {
    TransportError { url: redacted(url), reason, kind: TransportErrorKind::Transient, retry_after: None }
}

/// The last part of a URL's path, made harmless.
pub(super) fn file_name(url: &Url) -> String {
    let last = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    let plain: String =
        last.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')).collect();
    let plain = plain.trim_start_matches('.');
    if plain.is_empty() { "bag.zip".into() } else { plain.to_owned() }
}
