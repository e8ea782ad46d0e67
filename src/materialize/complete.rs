//! The order of the work: open, place, see what is there, mend from the archive, fetch, count.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::engine::{EngineOptions, Outcome, run};
use super::list::WantedList;
use super::mirror::{Mirror, Mirrors};
use super::open::{Opened, Original, is_malformed, is_tag, open, shown};
use super::packing::pack;
use super::place::{FolderPlace, Place, restore, unpack};
use super::report::{FAILURES, Failure, MaterializeReport};
use super::select::Selection;
use super::shard::{Shard, assign};
use super::work::{Claims, Owner};
use super::{MaterializeError, spoilt};
use crate::bag::{
    Bag, BagError, BagFile, Code, Finding, Folder, Level, Limits, Progress, VerifyOptions, check_oxum,
    verify_unknown,
};
use crate::cache::{BagState, Cache, KnownBag, KnownState, Lease, LinkMode, Receipts, is_forbidden};
use crate::transport::{Transport, TransportOptions, redacted_text};

/// How to materialize.
#[derive(Debug, Clone)]
pub struct MaterializeOptions {
    /// The bag's folder; `None` is in place for a folder, and `./<name of the bag>` for an archive.
    pub to: Option<PathBuf>,
    /// Make this archive of the whole bag, instead of a folder.
    pub pack: Option<PathBuf>,
    /// What an archive may hold.
    pub limits: Limits,
    /// Which files to fetch.
    pub selection: Selection,
    /// Only this share of them.
    pub shard: Option<Shard>,
    /// Fetch nothing: only check that everything is there.
    pub finish: bool,
    /// Places to look at before those of `fetch.txt`.
    pub mirrors: Vec<Mirror>,
    /// Connections at once, at most.
    pub connections: usize,
    /// Octets a second, at most.
    pub limit_rate: Option<u64>,
    /// How to reach other machines.
    pub transport: TransportOptions,
    /// Where what was fetched is kept for others.
    pub cache: Option<CacheUse>,
    /// How files come from the cache.
    pub link: LinkMode,
    /// Hash everything, whatever stamps and receipts say.
    pub rehash: bool,
}

/// A cache, and what it is used for.
#[derive(Debug, Clone)]
pub struct CacheUse {
    /// The cache.
    pub cache: Arc<Cache>,
    /// Keep what is fetched there even where that takes twice the space: on another file system than the bag's.
    pub always: bool,
}

impl Default for MaterializeOptions {
    fn default() -> Self {
        Self {
            to: None,
            pack: None,
            limits: Limits::default(),
            selection: Selection::default(),
            shard: None,
            finish: false,
            mirrors: Vec::new(),
            connections: 64,
            limit_rate: None,
            transport: TransportOptions::default(),
            cache: None,
            link: LinkMode::Auto,
            rehash: false,
        }
    }
}

/// Materializes the bag at a path or URL.
///
/// What is there is known by its stamp or hashed; what is missing or wrong is taken from the cache or fetched. Run
/// again, by this process or another, it goes on where it was.
pub fn materialize(
    from: &str,
    options: &MaterializeOptions,
    progress: &dyn Progress,
) -> Result<MaterializeReport, MaterializeError> {
    let mirrors = Mirrors::new(&options.mirrors)?;
    let opened = open(from, options.to.as_deref(), &options.limits, &options.transport, progress)?;
    if opened.is_malformed() {
        let findings = opened.bag.findings().to_vec();
        let report = report(Path::new(&shown(from)), &opened.bag, &findings);
        return Ok(MaterializeReport { findings, ..report });
    }
    options.selection.check(&opened.bag)?;
    let fetch = Fetch { options, mirrors: &mirrors, progress };
    if let Some(out) = &options.pack {
        return pack(&opened, out, options, &fetch, progress);
    }
    let root = unpack(&opened.bag, &opened.path, options, progress)?;
    let in_place = root == opened.bag.container().location();
    let original = Original::of(&opened);
    let work = Work { root: &root, in_place, options, fetch: &fetch, progress };
    if in_place {
        return work.materialize(opened.bag, None);
    }
    // Two descriptions of a bag of millions would take twice the memory.
    let Opened { bag, path: _path, downloaded: _downloaded } = opened;
    drop(bag);
    work.materialize(work.open()?, Some(&original))
}

/// A report of a bag of which nothing was fetched: what is there counts, but for what is known to be wrong.
pub(super) fn report(bag_path: &Path, bag: &Bag, findings: &[Finding]) -> MaterializeReport {
    let wrong = spoilt(findings);
    let is_right = |file: &BagFile<'_>| wrong.is_empty() || !wrong.contains(file.path().to_string().as_str());
    let present = bag.payload().filter(|file| bag.stored(*file).is_some()).filter(is_right);
    MaterializeReport {
        bag: bag_path.to_owned(),
        payload_files: bag.payload_count(),
        present_files: present.count() as u64,
        ..MaterializeReport::default()
    }
}

/// How files are fetched, wherever they go.
pub(super) struct Fetch<'f> {
    options: &'f MaterializeOptions,
    mirrors: &'f Mirrors<'f>,
    progress: &'f dyn Progress,
}

impl Fetch<'_> {
    pub(super) fn cache(&self) -> Option<&Cache> {
        self.options.cache.as_ref().map(|used| used.cache.as_ref())
    }

    /// Puts every file of the list that is not done into its place, and counts; those that could not be had, in order.
    pub(super) fn run(
        &self,
        list: &WantedList<'_>,
        done: &[bool],
        place: &dyn Place,
        claims: &Claims,
        report: &mut MaterializeReport,
    ) -> Result<Vec<usize>, MaterializeError> {
        let missing = || list.indices().filter(|index| !done[*index]);
        // What is needed is not to be evicted meanwhile. Without a lease it is fetched again, no more.
        let lease = self.cache().and_then(|cache| {
            cache.lease(missing().filter_map(|index| list.get(index).name().copied())).ok()
        });
        // The engine tells the server's silence from that of its own limit.
        let patient = self.options.limit_rate.is_some_and(|rate| rate > 0);
        let transport = TransportOptions { patient, ..self.options.transport.clone() };
        let options = EngineOptions {
            connections: self.options.connections,
            limit_rate: self.options.limit_rate,
            stall: self.options.transport.stall,
            mirrors: self.mirrors,
            transport: &|| Transport::new(&transport),
            beat: &|| {
                lease.as_ref().map(Lease::beat);
            },
        };
        let bytes = missing().filter_map(|index| list.file(index).1).sum();
        self.progress.begin("fetching", missing().count() as u64, bytes);
        let ran = run(list, &|index| done[index], place, claims, &options, self.progress);
        self.progress.end();
        let mut outcome = ran?;
        count(&outcome, report);
        if outcome.stopped {
            return Err(BagError::Interrupted.into());
        }
        outcome.failed.sort_unstable();
        Ok(outcome.failed)
    }
}

/// The work on one folder.
pub(super) struct Work<'w> {
    pub(super) root: &'w Path,
    /// It is the bag as it was named.
    pub(super) in_place: bool,
    pub(super) options: &'w MaterializeOptions,
    fetch: &'w Fetch<'w>,
    pub(super) progress: &'w dyn Progress,
}

impl Work<'_> {
    fn open(&self) -> Result<Bag, BagError> {
        Bag::from_container(Box::new(Folder::open(self.root)?), Level::Full)
    }

    pub(super) fn cache(&self) -> Option<&Cache> {
        self.fetch.cache()
    }

    fn materialize(
        &self,
        mut bag: Bag,
        original: Option<&Original>,
    ) -> Result<MaterializeReport, MaterializeError> {
        let (mut findings, mut hashed) = self.check(&bag)?;
        if let Some(original) = original
            && original.may_mend(&bag, &findings)
            && restore(&original.open(&self.options.limits, self.progress)?, &bag, self.root, &mut findings)?
        {
            bag = self.open()?;
        }
        let mut report = MaterializeReport {
            offline: self.options.transport.offline,
            finish: self.options.finish,
            ..report(self.root, &bag, &findings)
        };
        // A bag whose own description is wrong is not worth a byte of network.
        if findings.iter().any(|finding| is_malformed(finding) || is_tag(&bag, finding)) {
            report.findings = findings;
            return Ok(report);
        }
        let list = self.list(&bag);
        report.shard = self.options.shard;
        report.shard_files = report.shard.map_or(0, |_| list.len() as u64);
        let done = done(&bag, &list, &findings);
        let missing = done.iter().filter(|done| !**done).count() as u64;
        let absent = bag.fetch_files().filter(|file| bag.stored(*file).is_none()).count() as u64;
        let unchosen = absent.saturating_sub(
            list.indices().filter(|index| bag.stored(list.file(*index).0).is_none()).count() as u64,
        );
        report.left_files = unchosen;
        if self.options.finish {
            // What is there and wrong is told by its finding.
            let is_absent = |index: &usize| bag.stored(list.file(*index).0).is_none();
            report.failed_files = list.indices().filter(is_absent).count() as u64;
            report.failures = still_missing(&list, list.indices().filter(is_absent));
        } else if missing > 0 {
            let failed = self.fill(&list, &done, &mut report)?;
            hashed = false;
            settle(&list, |index| !done[index] && failed.binary_search(&index).is_err(), &mut findings);
            tell_wrong(&findings, &mut report.failures);
        }
        if findings.iter().any(|finding| finding.code == Code::OxumMismatch) {
            // It was counted before anything was mended.
            findings.retain(|finding| finding.code != Code::OxumMismatch);
            findings.extend(check_oxum(&self.open()?));
        }
        report.findings = findings;
        self.remember(&bag, &list, &report, hashed);
        Ok(report)
    }

    /// The files to see to.
    pub(super) fn list<'b>(&self, bag: &'b Bag) -> WantedList<'b> {
        let list = WantedList::new(bag, self.options.selection.chooser());
        match self.options.shard {
            None => list,
            Some(shard) => {
                let shares = assign(&list, shard.count());
                list.keep(|index| shares[index] == shard.index())
            }
        }
    }

    /// Fills the bag's folder; the files that could not be had, in order.
    fn fill(
        &self,
        list: &WantedList<'_>,
        done: &[bool],
        report: &mut MaterializeReport,
    ) -> Result<Vec<usize>, MaterializeError> {
        let owner = Owner::new();
        let keep = self.cache().filter(|cache| self.keeps(cache));
        let keep = keep.map(|cache| self.writable(cache, report)).transpose()?.flatten();
        let own = self.root.join(".dbag-work.partial");
        let folder = match keep {
            Some(cache) => cache.work_folder()?,
            None => own.clone(),
        };
        let claims = Claims::at(&folder, &owner)?;
        let place =
            FolderPlace::new(self.root, self.cache(), keep.is_some(), self.options.link, &folder, &owner)
                .rehash(self.options.rehash);
        let ran = self.fetch.run(list, done, &place, &claims, report);
        // What is there stays there, whatever became of the rest.
        place.settle()?;
        report.links = place.links();
        if keep.is_none() {
            let _ = fs_err::remove_dir(&own);
        }
        ran
    }

    /// Whether what is fetched is kept in the cache: always if someone chose it, or where a link costs no space.
    fn keeps(&self, cache: &Cache) -> bool {
        let always = self.options.cache.as_ref().is_some_and(|used| used.always);
        always || on_one_file_system(cache.root(), self.root)
    }

    /// The cache, if this user may write to it. If not, what it has is used, and nothing is kept in it.
    fn writable<'c>(
        &self,
        cache: &'c Cache,
        report: &mut MaterializeReport,
    ) -> Result<Option<&'c Cache>, MaterializeError> {
        match cache.check_writable() {
            Ok(()) => Ok(Some(cache)),
            Err(error) if is_forbidden(&error) => {
                let note = format!("nothing is kept in the cache, which can't be written to: {error}");
                self.progress.note(&note);
                report.notes.push(note);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Notes for later runs and for `dbag ls` what the bag is. None of it is needed.
    fn remember(&self, bag: &Bag, list: &WantedList<'_>, report: &MaterializeReport, hashed: bool) {
        let Some(cache) = self.cache() else { return };
        // A shard knows nothing of the others; the run that finishes the bag notes it.
        if report.is_invalid() || report.shard.is_some() {
            return;
        }
        let state = if report.is_whole() { KnownState::Whole } else { KnownState::Holey };
        let present = bag.payload().filter(|file| file.is_present()).map(BagFile::length).sum::<u64>();
        let fetched = list.indices().filter(|index| !list.file(*index).0.is_present());
        let bytes = present + fetched.filter_map(|index| list.file(index).1).sum::<u64>();
        let known = KnownBag::of(bag, state, report.payload_files, bytes);
        let _ = known.and_then(|known| cache.remember_bag(&known));
        // Files of other tools have no stamps: the receipt of the whole bag saves hashing them again.
        if hashed && report.is_whole() {
            let keep = || -> Result<(), BagError> {
                let state = BagState::of(bag)?;
                let known = |_: BagFile<'_>| true;
                let mut verified = verify_unknown(bag, VerifyOptions::default(), &known, self.progress)?;
                verified.coverage = crate::bag::Coverage::All;
                Ok(Receipts::at(cache.root()).keep(&state, &verified)?)
            };
            let _ = keep();
        }
    }
}

/// By index, whether a file is there and nothing is wrong with it.
fn done(bag: &Bag, list: &WantedList<'_>, findings: &[Finding]) -> Vec<bool> {
    let wrong = spoilt(findings);
    list.indices()
        .map(|index| {
            let file = list.file(index).0;
            bag.stored(file).is_some()
                && (wrong.is_empty() || !wrong.contains(file.path().to_string().as_str()))
        })
        .collect()
}

/// What was wrong with the bytes of a file that has been fetched since is settled.
fn settle(list: &WantedList<'_>, is_fetched: impl Fn(usize) -> bool, findings: &mut Vec<Finding>) {
    let wrong = spoilt(findings);
    if wrong.is_empty() {
        return;
    }
    let fetched = list.indices().filter(|index| is_fetched(*index));
    let settled: HashSet<String> = fetched
        .map(|index| list.file(index).0.path().to_string())
        .filter(|place| wrong.contains(place.as_str()))
        .collect();
    findings.retain(|finding| !finding.code.is_of_bytes() || !settled.contains(&finding.place));
}

/// Of a file that is there all the same, a failure says so.
fn tell_wrong(findings: &[Finding], failures: &mut [Failure]) {
    let wrong = spoilt(findings);
    for failure in failures.iter_mut().filter(|failure| wrong.contains(failure.path.to_string().as_str())) {
        failure.reason = format!("what is there is wrong, and {}", failure.reason);
    }
}

fn count(outcome: &Outcome, report: &mut MaterializeReport) {
    (report.fetched_files, report.fetched_bytes) = outcome.fetched;
    (report.cached_files, report.cached_bytes) = outcome.linked;
    report.present_files += outcome.present;
    report.retries = outcome.retries;
    report.failed_files = outcome.failed.len() as u64;
    report.notes.extend(outcome.notes.iter().cloned());
    report.failures = outcome.failures.values().cloned().collect();
}

/// Why a bag is not finished: the files that are not there.
fn still_missing(list: &WantedList<'_>, absent: impl Iterator<Item = usize>) -> Vec<Failure> {
    let url = |index| list.urls(index).next().map(|url| redacted_text(&url)).unwrap_or_default();
    absent
        .take(FAILURES)
        .map(|index| Failure {
            path: list.file(index).0.path().to_owned(),
            url: url(index),
            reason: "it is not there yet".into(),
            code: None,
        })
        .collect()
}

/// Whether a file can be linked from one folder to the other. Either may not be there yet.
fn on_one_file_system(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let device = |path: &Path| {
            let path = std::path::absolute(path).ok()?;
            path.ancestors().find_map(|folder| fs_err::metadata(folder).ok()).map(|metadata| metadata.dev())
        };
        device(one).is_some_and(|first| device(other) == Some(first))
    }
    #[cfg(not(unix))]
    {
        one.components().next() == other.components().next()
    }
}
