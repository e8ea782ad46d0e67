//! One file: place after place, and each place again and again while that may help.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use url::Url;

use super::hosts::{Admission, Probe};
use super::small::Partly;
use super::{Engine, SMALL, is_of_one_file};
use crate::bag::{BagFile, Code, Digest};
use crate::materialize::Failure;
use crate::materialize::list::Wanted;
use crate::materialize::report::FAILURES;
use crate::transport::{Remote, TransportError, TransportErrorKind, redacted};

/// Times that one file is asked for at one place, without anything new coming, before it counts as failed there.
pub(super) const ATTEMPTS: u32 = 5;
/// So many new octets make a try a good one, though it broke off: a server that drips is not asked for ever.
pub(super) const NEWS: u64 = 64 << 10;
/// The first wait between tries; each later one is twice as long, give or take a half.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// No server makes dbag wait longer than this between two tries.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// One file at one place.
pub(super) struct Errand<'t, 'e> {
    pub(super) wanted: &'t Wanted<'e>,
    pub(super) url: &'t Url,
    pub(super) remote: Arc<dyn Remote>,
    /// This try is the one at a doubtful server.
    pub(super) is_probe: Cell<bool>,
    /// Octets of the file that were told to be there.
    pub(super) told: Cell<u64>,
}

/// Why one try failed.
pub(super) enum Miss {
    Transport(TransportError),
    /// The body broke off, or was shorter than announced. What came is kept where that is of use.
    Cut(String),
    /// The file changed at the server while it was fetched.
    Changed,
    /// What came is not what the bag lists.
    Wrong(Code, String),
    Disk(io::Error),
    /// The server is not to be asked now: nothing was tried.
    Later,
    /// What was under way was taken away, or the cache was.
    Gone(String),
    /// The work is to stop.
    Stop,
}

/// How a file ended.
pub(super) enum End {
    /// It could not be had.
    Failed(Failure),
    /// It is not at this place.
    Missing(Failure),
    Stopped,
}

impl<'e> Engine<'e> {
    /// Fetches a file, or notes why it can't be had.
    pub(super) async fn file(&self, index: usize) {
        let wanted = self.list.get(index);
        match self.fetch(&wanted).await {
            Ok(length) => {
                let mut outcome = self.lock();
                outcome.fetched.0 += 1;
                outcome.fetched.1 += length;
                drop(outcome);
                self.progress.file();
            }
            Err(End::Stopped) => {}
            Err(End::Failed(failure) | End::Missing(failure)) => self.failed(index, failure),
        }
    }

    /// Notes that a file can't be had.
    pub(super) fn failed(&self, index: usize, failure: Failure) {
        let mut outcome = self.lock();
        outcome.failed.push(index);
        if outcome.failures.len() < FAILURES {
            outcome.failures.insert(index, failure);
        }
    }

    /// Fetches a file from one place, asking there `tries` times without anything new coming.
    pub(super) async fn fetch_at(
        &self,
        wanted: &Wanted<'e>,
        url: &Url,
        tries: u32,
        partly: &mut Partly<'e>,
    ) -> Result<u64, End> {
        let Some(transport) = self.transport() else { return Err(End::Stopped) };
        let remote = match transport.remote(url) {
            Ok(remote) => remote,
            Err(error) => return Err(failed(wanted, url, error.reason, None)),
        };
        let errand = Errand { wanted, url, remote, is_probe: Cell::new(false), told: Cell::new(0) };
        let done = self.try_at(&errand, tries, partly).await;
        if done.is_err() {
            self.retell(&errand, 0);
        }
        done
    }

    async fn try_at(&self, errand: &Errand<'_, 'e>, tries: u32, partly: &mut Partly<'e>) -> Result<u64, End> {
        let Errand { wanted, url, .. } = errand;
        // Octets of another place are not added to, but for those of a large file of the same state.
        partly.clear();
        let (mut attempt, mut came) = (0, partly.progress());
        loop {
            let probe = match self.admission(url).await {
                Ok(probe) => probe,
                Err(reason) => return Err(failed(wanted, url, reason, None)),
            };
            errand.is_probe.set(probe.is_some());
            let miss = match self.attempt(errand, partly).await {
                Ok(length) => {
                    self.hosts.succeeded(url);
                    self.retell(errand, length);
                    return Ok(length);
                }
                Err(Miss::Later) => continue,
                Err(miss) => miss,
            };
            // A try that brought something new is no failed one: a large file may take many.
            if partly.progress() >= came + NEWS {
                (came, attempt) = (partly.progress(), 0);
            }
            attempt += 1;
            let (reason, asked) = self.missed(errand, miss, partly)?;
            drop(probe);
            self.retell(errand, partly.there());
            if attempt >= tries {
                return Err(failed(wanted, url, reason, None));
            }
            self.retries.fetch_add(1, Ordering::Relaxed);
            self.progress.retried();
            self.pause(url, attempt, asked).await;
        }
    }

    /// Notes why a try failed; the reason, and how long the server asked to wait, if another try may help.
    fn missed(
        &self,
        errand: &Errand<'_, 'e>,
        miss: Miss,
        partly: &mut Partly<'e>,
    ) -> Result<(String, Option<Duration>), End> {
        let Errand { wanted, url, .. } = errand;
        match miss {
            Miss::Stop => Err(End::Stopped),
            Miss::Disk(error) if is_of_one_file(&error) => Err(failed(wanted, url, error.to_string(), None)),
            Miss::Disk(error) => {
                self.give_up(error);
                Err(End::Stopped)
            }
            Miss::Gone(reason) => {
                partly.forget();
                Ok((reason, None))
            }
            Miss::Wrong(code, reason) => Err(failed(wanted, url, reason, Some(code))),
            Miss::Transport(error) if !error.kind.is_transient() => {
                if error.kind == TransportErrorKind::Denied {
                    self.hosts.denied(url, &error.reason);
                }
                let failure = failure(wanted.file, redacted(url), error.reason, None);
                let is_missing = error.kind == TransportErrorKind::NotFound;
                Err(if is_missing { End::Missing(failure) } else { End::Failed(failure) })
            }
            Miss::Transport(error) => {
                if error.kind == TransportErrorKind::Busy {
                    self.governor.halve();
                }
                self.hosts.failed(url, &error.reason, errand.is_probe.get());
                Ok((error.reason, error.retry_after))
            }
            Miss::Cut(reason) => {
                self.hosts.failed(url, &reason, errand.is_probe.get());
                Ok((reason, None))
            }
            Miss::Changed => Ok(("the file changed at the server while it was fetched".into(), None)),
            Miss::Later => Ok(("it was not asked".into(), None)),
        }
    }

    /// Waits until the server may be asked; why it is not asked any more.
    async fn admission(&self, url: &Url) -> Result<Option<Probe<'_>>, String> {
        loop {
            match self.hosts.admit(url) {
                Admission::Now(probe) => return Ok(probe),
                Admission::In(wait) => tokio::time::sleep(wait).await,
                Admission::Never(reason) => return Err(reason),
            }
        }
    }

    /// Waits before the next try, as long as the server asked for; others leave it alone for as long.
    async fn pause(&self, url: &Url, attempt: u32, asked: Option<Duration>) {
        if let Some(asked) = asked {
            self.hosts.leave(url, asked.min(LONGEST_WAIT));
        } else {
            tokio::time::sleep(jittered(FIRST_WAIT * 2_u32.pow(attempt.min(8) - 1)).min(LONGEST_WAIT)).await;
        }
    }

    async fn attempt(&self, errand: &Errand<'_, 'e>, partly: &mut Partly<'e>) -> Result<u64, Miss> {
        if errand.wanted.length.is_some_and(|length| length > SMALL) || partly.assembly.is_some() {
            self.large(errand, partly).await
        } else {
            self.small(errand, partly).await
        }
    }
}

impl Miss {
    /// An error of the disk. A cache and files under way may be deleted at any time: that is no reason to end the work.
    pub(super) fn disk(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ResourceBusy => Self::Gone(error.to_string()),
            _ => Self::Disk(error),
        }
    }
}

/// What was found instead of what is listed.
pub(super) fn wrong_digest(actual: &Digest, expected: &Digest) -> Miss {
    let reason = format!("{} is {actual}, the manifest says {expected}", actual.algorithm());
    Miss::Wrong(Code::DigestMismatch, reason)
}

/// The server has another file than the one that is listed.
pub(super) fn wrong_length(announced: u64, expected: u64) -> Miss {
    let reason = format!("the server offers {announced} bytes, fetch.txt says {expected}");
    Miss::Wrong(Code::LengthMismatch, reason)
}

/// More came than is listed.
pub(super) fn too_long(expected: u64) -> Miss {
    let reason = format!("the server sent more than the {expected} bytes of fetch.txt");
    Miss::Wrong(Code::LengthMismatch, reason)
}

fn failed(wanted: &Wanted<'_>, url: &Url, reason: String, code: Option<Code>) -> End {
    End::Failed(failure(wanted.file, redacted(url), reason, code))
}

pub(super) fn failure(file: BagFile<'_>, url: String, reason: String, code: Option<Code>) -> Failure {
    Failure { path: file.path().to_owned(), url, reason, code }
}

/// Between half of the wait and one and a half of it, so that many do not come back at once.
fn jittered(wait: Duration) -> Duration {
    let mut random = [0; 4];
    // Without randomness the wait is what it is.
    let part = getrandom::fill(&mut random)
        .map_or(0.5, |()| f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX));
    wait.mul_f64(0.5 + part)
}
