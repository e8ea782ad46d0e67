//! What is known of each server during a run: until when it asked to be left alone, and whether it is worth asking.
//!
//! Hundreds of files may be wanted from one server at once. When it fails, not each of them has to find that out: after
//! some failures in a row one try at a time, a few in a second, tells whether it is there again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use url::Url;

/// So many failed tries in a row, with no success between, make a server doubtful.
const DOUBT: u32 = 24;
/// A doubtful server that fails as many single tries is not asked any more,
const PROBES: u32 = 24;
/// nor one that fails these few, if they took this long: each may be a time-out.
const SLOW_PROBES: u32 = 5;
const LONG: Duration = Duration::from_mins(1);
/// The time between single tries.
const PAUSE: Duration = Duration::from_millis(250);
/// A server that refuses this user so many files in a row is not asked any more.
const DENIALS: u32 = 24;

/// The servers of a run.
#[derive(Default)]
pub(super) struct Hosts(Mutex<HashMap<String, Host>>);

#[derive(Default)]
struct Host {
    not_before: Option<Instant>,
    /// Tries in a row that failed.
    failures: u32,
    /// Since when it is doubtful, and how many single tries failed since.
    doubt: Option<(Instant, u32)>,
    /// A single try is under way.
    probed: bool,
    /// Files in a row that it would not give to this user.
    denials: u32,
    /// Why it is not asked any more.
    given_up: Option<String>,
}

/// Whether a server may be asked.
pub(super) enum Admission<'h> {
    /// Now; by a doubtful server's one try at a time.
    Now(Option<Probe<'h>>),
    /// It is to be looked at again then.
    In(Duration),
    /// Never again: why.
    Never(String),
}

/// The one try at a doubtful server, until this is dropped.
pub(super) struct Probe<'h> {
    hosts: &'h Hosts,
    key: String,
}

impl Hosts {
    /// Whether the server of a URL may be asked.
    pub(super) fn admit(&self, url: &Url) -> Admission<'_> {
        let key = key(url);
        let mut hosts = self.lock();
        let Some(host) = hosts.get_mut(&key) else { return Admission::Now(None) };
        if let Some(reason) = &host.given_up {
            return Admission::Never(reason.clone());
        }
        match host.wait() {
            Some(wait) => Admission::In(wait),
            None if host.doubt.is_none() => Admission::Now(None),
            None if host.probed => Admission::In(PAUSE),
            None => {
                host.probed = true;
                Admission::Now(Some(Probe { hosts: self, key }))
            }
        }
    }

    /// Whether something became known of a server since this try was admitted, so that it should be admitted anew.
    pub(super) fn turns_away(&self, url: &Url, is_probe: bool) -> bool {
        let hosts = self.lock();
        let is_barred =
            |host: &Host| host.given_up.is_some() || host.doubt.is_some() || host.wait().is_some();
        !is_probe && hosts.get(&key(url)).is_some_and(is_barred)
    }

    /// The server asked to be left alone.
    pub(super) fn leave(&self, url: &Url, wait: Duration) {
        let until = Instant::now() + wait;
        let mut hosts = self.lock();
        let host = hosts.entry(key(url)).or_default();
        host.not_before = Some(host.not_before.map_or(until, |known| known.max(until)));
    }

    /// A file, or a range of one, came from it.
    pub(super) fn succeeded(&self, url: &Url) {
        let mut hosts = self.lock();
        let host = hosts.entry(key(url)).or_default();
        (host.failures, host.doubt, host.denials) = (0, None, 0);
    }

    /// A try brought nothing.
    pub(super) fn failed(&self, url: &Url, reason: &str, is_probe: bool) {
        let mut hosts = self.lock();
        let host = hosts.entry(key(url)).or_default();
        host.failures += 1;
        if host.failures < DOUBT {
            return;
        }
        let (since, probes) = host.doubt.get_or_insert((Instant::now(), 0));
        if is_probe {
            *probes += 1;
            let is_enough = *probes >= PROBES || *probes >= SLOW_PROBES && since.elapsed() >= LONG;
            host.given_up = is_enough.then(|| reason.to_owned());
            let until = Instant::now() + PAUSE;
            host.not_before = Some(host.not_before.map_or(until, |known| known.max(until)));
        }
    }

    /// It would not give a file to this user.
    pub(super) fn denied(&self, url: &Url, reason: &str) {
        let mut hosts = self.lock();
        let host = hosts.entry(key(url)).or_default();
        host.denials += 1;
        if host.denials >= DENIALS {
            host.given_up.get_or_insert_with(|| reason.to_owned());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    /// How long it is to be left alone.
    fn wait(&self) -> Option<Duration> {
        let wait = self.not_before?.saturating_duration_since(Instant::now());
        (!wait.is_zero()).then_some(wait)
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        if let Some(host) = self.hosts.lock().get_mut(&self.key) {
            host.probed = false;
        }
    }
}

fn key(url: &Url) -> String {
    format!(
        "{}://{}:{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or(0)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_fails_is_asked_by_one_at_a_time_and_then_not_at_all() {
        let (hosts, url): (_, Url) = (Hosts::default(), "http://h:81/a".parse().unwrap());
        let other: Url = "http://h:82/a".parse().unwrap();
        (0..DOUBT - 1).for_each(|_| hosts.failed(&url, "refused", false));
        assert!(!hosts.turns_away(&url, false));
        assert!(matches!(hosts.admit(&url), Admission::Now(None)));
        hosts.failed(&url, "refused", false);
        assert!(hosts.turns_away(&url, false) && !hosts.turns_away(&url, true));
        let Admission::Now(Some(probe)) = hosts.admit(&url) else { panic!("no probe") };
        assert!(matches!(hosts.admit(&url), Admission::In(_)));
        drop(probe);
        assert!(matches!(hosts.admit(&url), Admission::Now(Some(_))));
        // Those that were under way do not count, and one success is enough.
        (0..200).for_each(|_| hosts.failed(&url, "refused", false));
        hosts.succeeded(&url);
        assert!(matches!(hosts.admit(&url), Admission::Now(None)));
        (0..DOUBT).for_each(|_| hosts.failed(&url, "refused", false));
        (0..PROBES).for_each(|_| hosts.failed(&url, "gone", true));
        assert!(matches!(hosts.admit(&url), Admission::Never(reason) if reason == "gone"));
        assert!(matches!(hosts.admit(&other), Admission::Now(None)));
    }

    #[test]
    fn a_server_that_refuses_many_files_is_not_asked_for_more() {
        let (hosts, url): (_, Url) = (Hosts::default(), "http://h/a".parse().unwrap());
        (0..DENIALS).for_each(|_| hosts.denied(&url, "401"));
        assert!(matches!(hosts.admit(&url), Admission::Never(reason) if reason == "401"));
    }
}
