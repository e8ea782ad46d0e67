//! Progress on standard error: a bar on a terminal, JSON lines for programs; and Ctrl-C.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::printer::Printer;
use super::size::size;
use crate::bag::Progress;

/// How to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// A bar if standard error is a terminal, else plain lines
    Auto,
    /// Nothing
    None,
    /// A line now and then, for logs
    Plain,
    /// One JSON document a line, at most ten a second
    Json,
}

/// Time between two JSON lines, and between two looks of a bar.
const INTERVAL: Duration = Duration::from_millis(100);
/// Time between two plain lines. Short work says nothing.
const LINES: Duration = Duration::from_secs(15);
const TEMPLATE: &str = "{msg} {bar:20} {bytes}/{total_bytes} · {bytes_per_sec} · {eta}";

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static HANDLER: Once = Once::new();

/// Shows the progress of one command, and stops it at a safe point on Ctrl-C.
pub(super) struct Bar {
    mode: Mode,
    drawn: ProgressBar,
    total: Mutex<(String, u64, u64)>,
    files: AtomicU64,
    bytes: AtomicU64,
    retries: AtomicU64,
    begun: Mutex<Instant>,
    last: Mutex<Instant>,
}

impl Bar {
    pub(super) fn new(mode: Mode) -> Self {
        HANDLER.call_once(|| {
            // The second Ctrl-C does not wait for a safe point. Without a handler the first one does not either.
            let _ = ctrlc::set_handler(|| {
                if INTERRUPTED.swap(true, Ordering::SeqCst) {
                    std::process::exit(130);
                }
            });
        });
        let shown = mode == Mode::Auto && std::io::stderr().is_terminal();
        let mode = if mode == Mode::Auto && !shown { Mode::Plain } else { mode };
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Self {
            mode,
            drawn: bar,
            total: Mutex::default(),
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            begun: Mutex::new(Instant::now()),
            last: Mutex::new(Instant::now()),
        }
    }

    /// One JSON document, or one line for a log.
    fn emit(&self) {
        let (what, files, bytes) = &*self.total.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (done, came, retries) = (count(&self.files), count(&self.bytes), count(&self.retries));
        let elapsed = self.begun.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let line = if self.mode == Mode::Json {
            let event = json!({
                "progress": what,
                "files": done,
                "total_files": files,
                "bytes": came,
                "total_bytes": bytes,
                "retries": retries,
                "seconds": milliseconds / 1000,
            });
            event.to_string()
        } else {
            let rate = came * 1000 / milliseconds.max(1);
            let left = Duration::from_secs(bytes.saturating_sub(came) / rate.max(1));
            format!(
                "{what}: {done}/{files} files, {} of {}, {}/s, {} left, {retries} retries",
                size(came),
                size(*bytes),
                size(rate),
                HumanDuration(left)
            )
        };
        // Progress that nobody reads is not worth failing for.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    /// Tells if it is time; never waits for another thread that does.
    fn tick(&self) {
        let interval = if self.mode == Mode::Plain { LINES } else { INTERVAL };
        if self.mode != Mode::None
            && let Ok(mut last) = self.last.try_lock()
            && last.elapsed() >= interval
        {
            *last = Instant::now();
            if self.mode == Mode::Auto { self.label() } else { self.emit() }
        }
    }

    /// The bar's text: what is done, how many files, how often something was asked for again.
    fn label(&self) {
        let (what, files, _) = &*self.total.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (done, retries) = (count(&self.files), count(&self.retries));
        let again = if retries == 0 { String::new() } else { format!(", {retries} retries") };
        self.drawn.set_message(format!("{what} {done}/{files} files{again}"));
    }
}

impl Progress for Bar {
    fn begin(&self, what: &str, files: u64, bytes: u64) {
        *self.total.lock().unwrap_or_else(PoisonError::into_inner) = (what.to_owned(), files, bytes);
        self.files.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        self.retries.store(0, Ordering::Relaxed);
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.drawn.reset();
        self.drawn.set_length(bytes);
        self.drawn.set_message(what.to_owned());
    }

    fn bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.drawn.inc(bytes);
        self.tick();
    }

    fn file(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.tick();
    }

    fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
        self.tick();
    }

    fn lost(&self, bytes: u64) {
        let less = |known: u64| Some(known.saturating_sub(bytes));
        let _ = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        self.drawn.set_position(self.bytes.load(Ordering::Relaxed));
        self.tick();
    }

    fn note(&self, text: &str) {
        self.drawn.suspend(|| Printer::warning(text));
    }

    fn end(&self) {
        self.drawn.finish_and_clear();
        if self.mode == Mode::Json {
            self.emit();
        }
    }

    fn cancelled(&self) -> bool {
        INTERRUPTED.load(Ordering::Relaxed)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.drawn.finish_and_clear();
    }
}
