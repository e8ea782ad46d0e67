//! The only place that writes to standard output and standard error.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

/// Text for people, or one JSON document for programs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printer {
    json: bool,
}

impl Printer {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a line of the answer, unless the answer is JSON. It is one line whatever is in it: a path may hold line ends.
    pub(super) fn line(self, text: impl AsRef<str>) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        writeln!(io::stdout().lock(), "{}", crate::bag::printable(text.as_ref()))
    }

    /// Prints the answer's document, if the answer is JSON.
    pub(super) fn document(self, document: &Value) -> io::Result<()> {
        if !self.json {
            return Ok(());
        }
        writeln!(io::stdout().lock(), "{document:#}")
    }

    /// Standard output, for answers that are written as they come.
    pub(super) fn stdout() -> io::BufWriter<io::StdoutLock<'static>> {
        io::BufWriter::with_capacity(64 << 10, io::stdout().lock())
    }

    /// Says what is odd, and stops nothing.
    pub(super) fn warning(message: &str) {
        let _ = writeln!(io::stderr().lock(), "warning: {}", printable(message));
    }

    /// Says what went wrong, and what to try.
    pub(super) fn error(message: &str, hint: Option<&str>) {
        let mut stderr = io::stderr().lock();
        let red = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let (start, end) = if red { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let printable = printable(message);
        // There is no one left to tell if standard error is gone.
        let _ = writeln!(stderr, "{start}error{end}: {printable}");
        if let Some(hint) = hint {
            let _ = writeln!(stderr, "hint: {hint}");
        }
    }
}

/// A text, perhaps of several lines, whose control characters can't play with a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// A number and its noun: `1 file`, `2 files`.
pub(super) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Rows that were deleted, or would be, and what goes with them.
pub(super) fn deleted(
    printer: Printer,
    gone: &crate::catalog::DeletedRows,
    what: &str,
    dry_run: bool,
) -> super::Outcome {
    let with: Vec<String> =
        gone.with.iter().map(|(table, rows)| format!("{} of {table}", count(*rows, "row"))).collect();
    let with = if with.is_empty() { String::new() } else { format!(", and with them {}", with.join(", ")) };
    let end = if dry_run { "; nothing was deleted (--dry-run)" } else { "" };
    let verb = if dry_run { "would delete" } else { "deleted" };
    printer.line(format!("{}: {verb} {what}{with}{end}", gone.table))?;
    printer.document(&serde_json::json!({
        "table": gone.table,
        "deleted": gone.rids,
        "with": gone.with,
        "dry_run": dry_run,
    }))?;
    Ok(0)
}
