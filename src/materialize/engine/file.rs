//! One file: place after place, and each place again and again while that may help.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use url::Url;

use super::limit::Pace;
use super::small::Partly;
use super::{Engine, SMALL, is_of_one_file};
use crate::bag::{BagFile, Code, Digest};
use crate::materialize::Failure;
use crate::materialize::list::Wanted;
use crate::materialize::report::{FAILURES, NOT_A_URL};
use crate::transport::{Body, Chunks, Remote, TransportError, TransportErrorKind, redacted, redacted_text};

/// Times that one file is asked for at one place, without anything new coming, before it counts as failed there.
const ATTEMPTS: u32 = 5;
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
    /// The work is to stop.
    Stop,
}

/// How a file ended.
enum End {
    Failed(Failure),
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
            Err(End::Failed(failure)) => self.failed(index, failure),
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

    async fn fetch(&self, wanted: &Wanted<'e>) -> Result<u64, End> {
        let mut last = failure(wanted.file, String::new(), "fetch.txt gives no URL".into(), None);
        let mirrors = self.options.mirrors.urls(self.list, wanted.index).into_iter().map(Ok);
        let mut partly = Partly::default();
        let listed = self.list.urls(wanted.index).map(|text| Url::parse(&text).map_err(|_| text));
        for url in mirrors.chain(listed) {
            last = match url {
                Err(text) => failure(wanted.file, redacted_text(&text), NOT_A_URL.into(), None),
                Ok(url) => match self.fetch_at(wanted, &url, &mut partly).await {
                    Err(End::Failed(failure)) => failure,
                    other => return other,
                },
            };
        }
        Err(End::Failed(last))
    }

    async fn fetch_at(&self, wanted: &Wanted<'e>, url: &Url, partly: &mut Partly<'e>) -> Result<u64, End> {
        let fail = |reason, code| Err(End::Failed(failure(wanted.file, redacted(url), reason, code)));
        let Some(transport) = self.transport() else { return Err(End::Stopped) };
        let remote = match transport.remote(url) {
            Ok(remote) => remote,
            Err(error) => return fail(error.reason, None),
        };
        let errand = Errand { wanted, url, remote };
        // Octets of another place are not added to, but for those of a large file of the same state.
        partly.clear();
        let (mut attempt, mut came) = (0, partly.progress());
        loop {
            if let Some(reason) = self.hosts.given_up(url) {
                return fail(reason, None);
            }
            let miss = match self.attempt(&errand, partly).await {
                Ok(length) => {
                    self.hosts.succeeded(url);
                    self.options.mirrors.found(self.list, wanted.index, url);
                    return Ok(length);
                }
                Err(miss) => miss,
            };
            // A try that brought something new is no failed one: a large file may take many.
            if partly.progress() >= came + NEWS {
                (came, attempt) = (partly.progress(), 0);
            }
            attempt += 1;
            let (reason, code, asked) = match miss {
                Miss::Stop => return Err(End::Stopped),
                Miss::Disk(error) if is_of_one_file(&error) => return fail(error.to_string(), None),
                Miss::Disk(error) => {
                    self.give_up(error);
                    return Err(End::Stopped);
                }
                Miss::Wrong(code, reason) => return fail(reason, Some(code)),
                Miss::Transport(error) if !error.kind.is_transient() => {
                    if error.kind == TransportErrorKind::Denied {
                        self.hosts.failed(url, &error.reason);
                    }
                    return fail(error.reason, None);
                }
                Miss::Transport(error) => {
                    if error.kind == TransportErrorKind::Busy {
                        self.governor.halve();
                    }
                    (error.reason, None, error.retry_after)
                }
                Miss::Cut(reason) => (reason, None, None),
                Miss::Changed => {
                    ("the file changed at the server while it was fetched".into(), None, None::<Duration>)
                }
            };
            if attempt >= ATTEMPTS {
                self.hosts.failed(url, &reason);
                return fail(reason, code);
            }
            self.retries.fetch_add(1, Ordering::Relaxed);
            self.progress.retried(partly.lost());
            self.pause(url, attempt, asked).await;
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
        tokio::time::sleep(self.hosts.wait(errand.url)).await;
        if errand.wanted.length.is_some_and(|length| length > SMALL) || partly.assembly.is_some() {
            self.large(errand, partly).await
        } else {
            self.small(errand, partly).await
        }
    }

    /// Asks for a body, and notes that an answer came.
    pub(super) async fn ask(
        &self,
        remote: &Arc<dyn Remote>,
        range: Option<std::ops::Range<u64>>,
    ) -> Result<Body, Miss> {
        let answer = remote.get(range).await;
        self.governor.request();
        answer.map_err(Miss::Transport)
    }

    /// The next piece of a body; `None` at its end.
    pub(super) async fn next(
        &self,
        chunks: &mut Chunks,
        pace: &mut Pace,
        url: &Url,
    ) -> Result<Option<bytes::Bytes>, TransportError> {
        let since = Instant::now();
        let Some(chunk) = chunks.next().await.transpose()? else { return Ok(None) };
        if !pace.note(since.elapsed(), chunk.len()) {
            let reason = "hardly anything arrives any more";
            return Err(TransportError::new(url, TransportErrorKind::Transient, reason));
        }
        self.governor.bytes(chunk.len() as u64);
        self.progress.bytes(chunk.len() as u64);
        self.limiter.take(chunk.len()).await;
        Ok(Some(chunk))
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
