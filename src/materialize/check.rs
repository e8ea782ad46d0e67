//! What of a bag's folder is there and right: known by stamps and receipts, or hashed.

use std::collections::HashSet;

use rayon::prelude::*;

use super::complete::Work;
use super::place::{is_stamped, stamp_digest};
use super::{MaterializeError, spoilt};
use crate::bag::{Bag, BagFile, Code, Finding, VerifyOptions, verify_unknown, with_pool};
use crate::cache::{BagState, Receipts, Trust, stamp, sync_file_system, unstamp_wrong};

impl Work<'_> {
    /// What is wrong with what is there, and whether files without a stamp were hashed to know. Of other shards nothing is
    /// looked at.
    pub(super) fn check(&self, bag: &Bag) -> Result<(Vec<Finding>, bool), MaterializeError> {
        let ours = self.options.shard.map(|_| {
            let list = self.list(bag);
            list.indices().map(|index| list.file(index).0.number()).collect::<HashSet<usize>>()
        });
        let files: Vec<BagFile<'_>> = bag
            .payload()
            .filter(|file| file.is_present())
            .filter(|file| ours.as_ref().is_none_or(|ours| ours.contains(&file.number())))
            .collect();
        let rehash = self.options.rehash;
        let is_open = |file: &&BagFile<'_>| {
            if rehash {
                return true;
            }
            let metadata = fs_err::symlink_metadata(file.path().below(self.root));
            !metadata.is_ok_and(|metadata| is_stamped(&metadata, &file.digests(), self.cache()))
        };
        let open: Vec<BagFile<'_>> =
            with_pool(0, |pool| pool.install(|| files.par_iter().filter(is_open).copied().collect()))?;
        // The receipt of the whole bag is asked only for files that have no stamp: those that other tools wrote.
        let is_unchanged =
            !rehash && !open.is_empty() && self.options.shard.is_none() && self.is_unchanged(bag);
        let mut unknown = vec![false; bag.file_count()];
        open.iter().for_each(|file| unknown[file.number()] = !is_unchanged);
        let is_known = |file: BagFile<'_>| file.is_present() && !unknown[file.number()];
        let mut report = verify_unknown(bag, VerifyOptions::default(), &is_known, self.progress)?;
        if let Some(ours) = &ours {
            report.findings.retain(|finding| !is_of_others(bag, ours, finding));
        }
        unstamp_wrong(bag, &report.findings);
        if !self.in_place {
            self.stamp(&open, &report.findings)?;
        }
        Ok((report.findings, !is_unchanged && !open.is_empty()))
    }

    /// Whether the bag is as it was when it was last verified in full.
    fn is_unchanged(&self, bag: &Bag) -> bool {
        let Some(cache) = self.cache() else { return false };
        BagState::of(bag).is_ok_and(|state| Receipts::at(cache.root()).trust(&state) == Trust::Unchanged)
    }

    /// Stamps what was unpacked and found right, so that it need not be hashed again.
    fn stamp(&self, files: &[BagFile<'_>], findings: &[Finding]) -> Result<(), MaterializeError> {
        if files.is_empty() {
            return Ok(());
        }
        sync_file_system(self.root)?;
        let wrong = spoilt(findings);
        for file in files.iter().filter(|file| !wrong.contains(file.path().to_string().as_str())) {
            if let Some(digest) = stamp_digest(&file.digests()) {
                // One that can't be stamped is hashed again, no more.
                let _ = stamp(&file.path().below(self.root), digest);
            }
        }
        Ok(())
    }
}

/// Whether a finding is about a file of another shard, which may be at work on it, or about all files together.
fn is_of_others(bag: &Bag, ours: &HashSet<usize>, finding: &Finding) -> bool {
    let is_other = |file: BagFile<'_>| bag.is_remote(file) && !ours.contains(&file.number());
    finding.code == Code::OxumMismatch
        || finding.code.is_of_bytes() && bag.find(&finding.place).is_some_and(is_other)
}
