//! Withdrawal from a workspace: the catalog's rows, then the bytes that are no row's any more, then the catalog's free pages.

use std::path::PathBuf;

use super::workspace::CATALOG;
use super::{OpenError, Workspace};
use crate::bag::{Digest, Progress};
use crate::catalog::{PurgeOptions, Purged};

/// What was withdrawn from a workspace, or would be.
#[derive(Debug, Clone, Default)]
pub struct PurgeReport {
    /// What the catalog had.
    pub purged: Purged,
    /// Files that still hold it: the catalog as it was before an upgrade.
    pub kept: Vec<PathBuf>,
}

impl Workspace {
    /// Withdraws rows with all that is known of them here. A run that is stopped has done nothing, or leaves what
    /// [`Workspace::finish_purge`] ends.
    pub fn purge(
        &mut self,
        options: &PurgeOptions,
        reason: &str,
        progress: &dyn Progress,
    ) -> Result<PurgeReport, OpenError> {
        let purged = self.catalog.purge(options, reason)?;
        self.delete_objects(&purged.objects, progress)?;
        self.catalog.finish_purge()?;
        Ok(PurgeReport { purged, kept: self.kept_copies() })
    }

    /// What [`Workspace::purge`] would do.
    pub fn plan_purge(&mut self, options: &PurgeOptions) -> Result<PurgeReport, OpenError> {
        let purged = self.catalog.plan_purge(options)?;
        Ok(PurgeReport { purged, kept: self.kept_copies() })
    }

    /// Ends a purge that was stopped; false where there is none.
    pub fn finish_purge(&mut self, progress: &dyn Progress) -> Result<bool, OpenError> {
        let Some(objects) = self.catalog.pending_purge()? else { return Ok(false) };
        self.delete_objects(&objects, progress)?;
        self.catalog.finish_purge()?;
        Ok(true)
    }

    fn delete_objects(&self, objects: &[Digest], progress: &dyn Progress) -> Result<(), OpenError> {
        progress.begin("deleting files", objects.len() as u64, 0);
        for digest in objects {
            match fs_err::remove_file(self.objects.path(digest)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => progress.file(),
            }
        }
        progress.end();
        Ok(())
    }

    /// Copies of the catalog that upgrades kept.
    fn kept_copies(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs_err::read_dir(self.folder()) else { return Vec::new() };
        let prefix = format!("{CATALOG}.format-");
        let names =
            entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
        let mut paths: Vec<PathBuf> = names.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    }
}
