//! The one writer of a catalog that several machines see: a claim beside the file, kept alive while it is held.
//!
//! SQLite's own locks are used all the same, so that nothing is lost where a lease lies; the lease is for file systems
//! whose locks do.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::CatalogError;
use crate::claim::{Claim, Claims, HEARTBEAT, Owner};

/// The lease's file, beside the catalog.
pub(super) const NAME: &str = "writer";
/// Milliseconds between two tries, as SQLite waits for its locks; the last goes on. Who writes again and again must not
/// keep the others out.
const PAUSES: [u64; 12] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];
/// Waiting is told of after so long.
const SILENT: Duration = Duration::from_secs(1);

/// A lease that is held until it is dropped.
pub(super) struct WriterLease {
    stop: Option<Sender<()>>,
    beats: Option<JoinHandle<()>>,
    /// Given up after the beats have ended.
    _claim: Claim,
}

impl WriterLease {
    /// Takes the lease, or waits for as long as `patience` while another process has it.
    pub(super) fn take(path: &Path, patience: Duration, note: &dyn Fn(&str)) -> Result<Self, CatalogError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let claims = Claims::at(folder, &Owner::new())?;
        let (began, mut told) = (Instant::now(), false);
        let mut pauses = PAUSES.iter().chain(std::iter::repeat(&100));
        let claim = loop {
            if let Some(claim) = claims.take_alone(NAME)? {
                break claim;
            }
            let owner = claims.holder(NAME).unwrap_or_else(|| "another process".into());
            if began.elapsed() >= patience {
                return Err(CatalogError::Leased { path: path.to_owned(), owner });
            }
            if !told && began.elapsed() >= SILENT {
                note(&format!("waiting for {owner}, which is writing to {}", path.display()));
                told = true;
            }
            std::thread::sleep(Duration::from_millis(*pauses.next().unwrap_or(&100)));
        };
        let (stop, stopped) = channel();
        let beats = std::thread::Builder::new().name("lease".into()).spawn(move || {
            while stopped.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                claims.beat();
            }
        })?;
        Ok(Self { stop: Some(stop), beats: Some(beats), _claim: claim })
    }
}

impl Drop for WriterLease {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.beats.take().map(JoinHandle::join);
    }
}
