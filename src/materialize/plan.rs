//! What a materialization would do, as data: how much from where, what is there or in the cache, what can't be had, and
//! who of several would do which part. Nothing is hashed and nothing is asked of a server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use super::MaterializeError;
use super::list::WantedList;
use super::mirror::{Mirror, Mirrors};
use super::open::{open, shown};
use super::report::{FAILURES, Failure, NOT_A_URL};
use super::select::Selection;
use super::shard::assign;
use crate::bag::{Bag, BagFile, BagPath, Digest, Finding, Folder, Level, Limits, Progress, check_folders};
use crate::cache::Cache;
use crate::transport::{TransportOptions, redacted_text, refusal};

/// What to plan for.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// The bag's folder; what is there already counts. `None` is in place for a folder, and nowhere for an archive.
    pub to: Option<PathBuf>,
    /// What an archive may hold.
    pub limits: Limits,
    /// Which files to fetch.
    pub selection: Selection,
    /// Share the files out among so many.
    pub shards: Option<u32>,
    /// List each file.
    pub list_files: bool,
    /// Places to look at before those of `fetch.txt`.
    pub mirrors: Vec<Mirror>,
    /// How to reach other machines, for a bag that is named by its URL.
    pub transport: TransportOptions,
    /// Where files may be already.
    pub cache: Option<Arc<Cache>>,
}

/// What would be done.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The bag as it was named.
    pub bag: String,
    /// Payload files that the bag lists.
    pub payload_files: u64,
    /// Files that `fetch.txt` names and that are chosen.
    pub chosen: Amount,
    /// Of those, the ones that are in the bag's folder, by name and length.
    pub present: Amount,
    /// Of those, the ones that are in the cache.
    pub cached: Amount,
    /// Of those, the ones that would be fetched.
    pub fetch: Amount,
    /// Files to fetch of which `fetch.txt` does not say the length.
    pub unknown_lengths: u64,
    /// Where they would be fetched from.
    pub hosts: Vec<HostPlan>,
    /// New files and folders that the whole bag would take in its folder.
    pub inodes: u64,
    /// Files that can't be had.
    pub impossible_files: u64,
    /// Why; of very many the first ones.
    pub impossible: Vec<Failure>,
    /// Who would do which part, if it is shared out.
    pub shards: Vec<ShardPlan>,
    /// Each chosen file, if asked for.
    pub files: Vec<PlannedFile>,
    /// What is wrong with the bag's description.
    pub findings: Vec<Finding>,
}

/// Files, and octets in them as far as their lengths are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// How many.
    pub files: u64,
    /// Octets in them.
    pub bytes: u64,
}

/// What would come from one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPlan {
    /// Scheme, host and port (none in `file://`), or the mirror's folder.
    pub host: String,
    /// What would come.
    pub amount: Amount,
}

/// One share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardPlan {
    /// All of its files.
    pub chosen: Amount,
    /// Those that it would fetch.
    pub fetch: Amount,
}

/// Where a planned file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// In the bag's folder.
    Present,
    /// In the cache.
    Cached,
    /// To be fetched.
    Remote,
    /// Not to be had: from no URL that dbag reads, or from none without a network.
    Nowhere,
}

/// A file of the plan.
#[derive(Debug, Clone)]
pub struct PlannedFile {
    /// Where it goes.
    pub path: BagPath,
    /// Where it would be fetched from first, without credentials.
    pub url: String,
    /// Its length in octets, if that is known.
    pub length: Option<u64>,
    /// What the manifests list.
    pub digests: Vec<Digest>,
    /// Where it is now.
    pub whereabouts: Whereabouts,
    /// Whose it is, from 0, if the files are shared out.
    pub shard: Option<u32>,
}

impl Amount {
    fn add(&mut self, length: Option<u64>) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(length.unwrap_or(0));
    }
}

impl Whereabouts {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Cached => "cached",
            Self::Remote => "remote",
            Self::Nowhere => "nowhere",
        }
    }
}

/// Plans the materialization of the bag at a path or URL.
pub fn plan(from: &str, options: &PlanOptions, progress: &dyn Progress) -> Result<Plan, MaterializeError> {
    let mirrors = Mirrors::new(&options.mirrors)?;
    let opened = open(from, options.to.as_deref(), &options.limits, &options.transport, progress)?;
    let there = there(options)?;
    let bag = there.as_ref().unwrap_or(&opened.bag);
    options.selection.check(&opened.bag)?;
    let mut plan = Plan {
        bag: shown(from),
        payload_files: bag.payload_count(),
        findings: opened.bag.findings().to_vec(),
        inodes: inodes(bag),
        impossible_files: unlisted(bag).count() as u64,
        impossible: lost(bag, opened.path.is_dir() || there.is_some()),
        ..Plan::default()
    };
    if opened.is_malformed() {
        return Ok(plan);
    }
    plan.findings.extend(check_folders(bag));
    let list = WantedList::new(bag, options.selection.chooser());
    let mut filler = Filler::new(&mut plan, &list, options, &mirrors, bag);
    for index in list.indices() {
        filler.add(index)?;
    }
    filler.end();
    Ok(plan)
}

/// The bag's folder, if it is there.
fn there(options: &PlanOptions) -> Result<Option<Bag>, MaterializeError> {
    match &options.to {
        Some(to) if to.join("bagit.txt").is_file() => {
            Ok(Some(Bag::from_container(Box::new(Folder::open(to)?), Level::Full)?))
        }
        _ => Ok(None),
    }
}

/// Files and folders of the whole bag.
fn inodes(bag: &Bag) -> u64 {
    let listed = bag.payload().filter(|file| !file.is_present());
    let mut paths: Vec<&str> = bag.files().chain(listed).map(|file| file.path().as_str()).collect();
    // What lies in one folder then lies side by side, so that a folder is new where the path before is not in it. A set of a
    // million folders would take far more room.
    paths.sort_unstable();
    let mut before = "";
    let mut folders = 0;
    for path in &paths {
        let alike = path.bytes().zip(before.bytes()).take_while(|(a, b)| a == b).count();
        folders += path.bytes().skip(alike).filter(|octet| *octet == b'/').count() as u64;
        before = path;
    }
    // The bag's own folder too.
    paths.len() as u64 + folders + 1
}

/// Listed files that are neither there nor in `fetch.txt`.
fn unlisted(bag: &Bag) -> impl Iterator<Item = BagFile<'_>> {
    bag.payload().filter(|file| bag.stored(*file).is_none() && !bag.is_remote(*file))
}

/// Why those can't be had.
fn lost(bag: &Bag, is_folder: bool) -> Vec<Failure> {
    let place = if is_folder { "the bag's folder" } else { "the archive" };
    unlisted(bag)
        .take(FAILURES)
        .map(|file| Failure {
            path: file.path().to_owned(),
            url: String::new(),
            reason: format!("it is neither in {place} nor in fetch.txt"),
            code: None,
        })
        .collect()
}

/// Fills a plan file by file.
struct Filler<'f, 'b> {
    plan: &'f mut Plan,
    list: &'f WantedList<'b>,
    options: &'f PlanOptions,
    mirrors: &'f Mirrors<'f>,
    bag: &'b Bag,
    shares: Option<Vec<u32>>,
    hosts: BTreeMap<String, Amount>,
}

impl<'f, 'b> Filler<'f, 'b> {
    fn new(
        plan: &'f mut Plan,
        list: &'f WantedList<'b>,
        options: &'f PlanOptions,
        mirrors: &'f Mirrors<'f>,
        bag: &'b Bag,
    ) -> Self {
        let empty = ShardPlan { chosen: Amount::default(), fetch: Amount::default() };
        plan.shards = vec![empty; options.shards.unwrap_or(0) as usize];
        let shares = options.shards.map(|count| assign(list, count));
        Self { plan, list, options, mirrors, bag, shares, hosts: BTreeMap::new() }
    }

    fn add(&mut self, index: usize) -> Result<(), MaterializeError> {
        let wanted = self.list.get(index);
        let stored = self.bag.stored(wanted.file).map(BagFile::length);
        let is_present = stored.is_some_and(|stored| wanted.length.is_none_or(|length| length == stored));
        let in_cache = || -> Result<bool, MaterializeError> {
            let Some(cache) = &self.options.cache else { return Ok(false) };
            Ok(cache.holds(&wanted.digests, wanted.length)?)
        };
        self.plan.chosen.add(wanted.length);
        let whereabouts = if is_present {
            self.plan.present.add(wanted.length);
            Whereabouts::Present
        } else if in_cache()? {
            self.plan.cached.add(wanted.length);
            Whereabouts::Cached
        } else {
            self.elsewhere(index, wanted.length)
        };
        let shard = self.shares.as_ref().map(|shares| shares[index]);
        if let Some(share) = shard.and_then(|shard| self.plan.shards.get_mut(shard as usize)) {
            share.chosen.add(wanted.length);
            if whereabouts == Whereabouts::Remote {
                share.fetch.add(wanted.length);
            }
        }
        if self.options.list_files {
            let url = self.list.urls(index).next().map(|url| redacted_text(&url)).unwrap_or_default();
            let (path, length, digests) = (wanted.file.path().to_owned(), wanted.length, wanted.digests);
            self.plan.files.push(PlannedFile { path, url, length, digests, whereabouts, shard });
        }
        Ok(())
    }

    /// The first place that may have a file, as it is told; or why there is none.
    fn source(&self, index: usize) -> Result<String, Failure> {
        let refused = |url: &Url| refusal(url, self.options.transport.offline);
        let places = self.mirrors.look(self.list, index).places;
        if let Some(place) = places.iter().find(|place| refused(&place.url).is_none()) {
            let is_folder = self.mirrors.is_folder(place.mirror);
            return Ok(if is_folder { self.mirrors.name(place.mirror) } else { host(&place.url) });
        }
        let mut last = (String::new(), String::new());
        for text in self.list.urls(index) {
            let reason = match Url::parse(&text) {
                Err(_) => NOT_A_URL.to_owned(),
                Ok(url) => match refused(&url) {
                    None => return Ok(host(&url)),
                    Some(reason) => reason,
                },
            };
            last = (redacted_text(&text), reason);
        }
        let (url, reason) = last;
        Err(Failure { path: self.list.file(index).0.path().to_owned(), url, reason, code: None })
    }

    /// Counts a file that must be fetched, or that can't be had.
    fn elsewhere(&mut self, index: usize, length: Option<u64>) -> Whereabouts {
        match self.source(index) {
            Ok(host) => {
                self.plan.fetch.add(length);
                self.plan.unknown_lengths += u64::from(length.is_none());
                self.hosts.entry(host).or_default().add(length);
                Whereabouts::Remote
            }
            Err(failure) => {
                self.plan.impossible_files += 1;
                if self.plan.impossible.len() < FAILURES {
                    self.plan.impossible.push(failure);
                }
                Whereabouts::Nowhere
            }
        }
    }

    fn end(self) {
        let mut hosts: Vec<HostPlan> =
            self.hosts.into_iter().map(|(host, amount)| HostPlan { host, amount }).collect();
        hosts.sort_by_key(|host| std::cmp::Reverse((host.amount.bytes, host.amount.files)));
        self.plan.hosts = hosts;
    }
}

/// Scheme, host and port.
fn host(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}
