//! Progress on standard error: a bar on a terminal, JSON lines for programs; and Ctrl-C.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::bag::Progress;

/// How to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// A bar if standard error is a terminal
    Auto,
    /// Nothing
    None,
    /// One JSON document a line, at most ten a second
    Json,
}

/// Time between two JSON lines.
const INTERVAL: Duration = Duration::from_millis(100);
const TEMPLATE: &str = "{msg} {bar:30} {bytes}/{total_bytes} · {bytes_per_sec} · {eta}";

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static HANDLER: Once = Once::new();

/// Shows the progress of one command, and stops it at a safe point on Ctrl-C.
pub(super) struct Bar {
    mode: Mode,
    drawn: ProgressBar,
    total: Mutex<(String, u64, u64)>,
    files: AtomicU64,
    bytes: AtomicU64,
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
            last: Mutex::new(Instant::now()),
        }
    }

    fn emit(&self) {
        let (what, files, bytes) = &*self.total.lock().unwrap_or_else(PoisonError::into_inner);
        let event = json!({
            "progress": what,
            "files": self.files.load(Ordering::Relaxed),
            "total_files": files,
            "bytes": self.bytes.load(Ordering::Relaxed),
            "total_bytes": bytes,
        });
        // Progress that nobody reads is not worth failing for.
        let _ = writeln!(std::io::stderr().lock(), "{event}");
    }

    /// Emits if it is time; never waits for another thread that does.
    fn tick(&self) {
        if self.mode == Mode::Json
            && let Ok(mut last) = self.last.try_lock()
            && last.elapsed() >= INTERVAL
        {
            *last = Instant::now();
            self.emit();
        }
    }
}

impl Progress for Bar {
    fn begin(&self, what: &str, files: u64, bytes: u64) {
        *self.total.lock().unwrap_or_else(PoisonError::into_inner) = (what.to_owned(), files, bytes);
        self.files.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
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
