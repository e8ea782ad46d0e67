//! Small files: read in batches, and a batch's files hashed side by side in the lanes of one core.

use rayon::prelude::*;

use super::{BATCH, BATCH_FILES, Batch, Checker, Job};

impl Checker<'_> {
    pub(super) fn check_small(&self, jobs: &[Job]) {
        let mut batches: Vec<&[Job]> = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        for (index, job) in jobs.iter().enumerate() {
            bytes += self.bag.by_id(job.file).length();
            if bytes >= BATCH || index + 1 - start >= BATCH_FILES || index + 1 == jobs.len() {
                batches.push(&jobs[start..=index]);
                (start, bytes) = (index + 1, 0);
            }
        }
        batches.par_iter().with_max_len(1).for_each_init(Batch::default, |batch, jobs| {
            if self.progress.cancelled() {
                return;
            }
            batch.clear();
            for job in *jobs {
                self.read_small(*job, batch);
            }
            self.hash_batch(batch);
        });
    }

    fn read_small(&self, job: Job, batch: &mut Batch) {
        let before = batch.bytes.len();
        let file = self.bag.by_id(job.file);
        // Anything longer than the container's directory says is wrong whatever it is.
        match self.bag.container().read(file.place(), file.length().max(1), &mut batch.bytes) {
            Ok(()) => {
                batch.jobs.push(job);
                batch.ends.push(batch.bytes.len());
            }
            Err(error) => {
                batch.bytes.truncate(before);
                self.unreadable(job, &error);
            }
        }
    }
}
