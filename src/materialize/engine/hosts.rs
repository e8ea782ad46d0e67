//! What is known of each server during a run: until when it asked to be left alone, and whether it is worth asking.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use url::Url;

/// A server that failed so often, with no success between, is not asked any more.
const ENOUGH: u32 = 24;

/// The servers of a run.
#[derive(Default)]
pub(super) struct Hosts(Mutex<HashMap<String, Host>>);

#[derive(Default)]
struct Host {
    not_before: Option<Instant>,
    /// Files in a row that could not be had.
    failures: u32,
    /// Why it is not asked any more.
    given_up: Option<String>,
}

impl Hosts {
    /// How long to leave the server of a URL alone.
    pub(super) fn wait(&self, url: &Url) -> Duration {
        let hosts = self.lock();
        let until = hosts.get(&key(url)).and_then(|host| host.not_before);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// The server asked to be left alone.
    pub(super) fn leave(&self, url: &Url, wait: Duration) {
        let until = Instant::now() + wait;
        let mut hosts = self.lock();
        let host = hosts.entry(key(url)).or_default();
        host.not_before = Some(host.not_before.map_or(until, |known| known.max(until)));
    }

    /// A file came from it.
    pub(super) fn succeeded(&self, url: &Url) {
        self.lock().entry(key(url)).or_default().failures = 0;
    }

    /// A file could not be had from it, though tried again and again.
    pub(super) fn failed(&self, url: &Url, reason: &str) {
        let mut hosts = self.lock();
        let host = hosts.entry(key(url)).or_default();
        host.failures += 1;
        if host.failures >= ENOUGH && host.given_up.is_none() {
            host.given_up = Some(reason.to_owned());
        }
    }

    /// Why the server is not asked any more.
    pub(super) fn given_up(&self, url: &Url) -> Option<String> {
        self.lock().get(&key(url))?.given_up.clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
