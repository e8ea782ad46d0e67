//! Bags verified with the help of receipts, and the fixity report of many: one form for programs, one for people.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::bag::{
    Bag, BagError, Finding, Level, Limits, Progress, Severity, Verdict, VerifyOptions, VerifyReport, verify,
};
use crate::cache::{BagState, Cache, KnownBag, KnownState, Receipts, Trust, unstamp_wrong};

/// How to verify a bag at a path.
#[derive(Debug, Clone, Default)]
pub struct FixityOptions {
    /// How closely to look.
    pub level: Level,
    /// How to hash.
    pub verify: VerifyOptions,
    /// What an archive may hold.
    pub limits: Limits,
    /// Where receipts are kept; `None` keeps none.
    pub receipts: Option<Receipts>,
    /// Where bags that are seen are noted; `None` notes none.
    pub cache: Option<Arc<Cache>>,
    /// Do not hash the payload of a bag that was verified in full and is unchanged since.
    pub trust_receipts: bool,
}

/// A bag that was verified.
#[derive(Debug, Clone)]
pub struct Fixity {
    /// The result.
    pub report: VerifyReport,
    /// What the receipts said, if they were asked.
    pub trust: Option<Trust>,
}

/// Verifies the bag at a path, and keeps a receipt if it is right. Files of a folder that are not lose their stamps.
pub fn verify_path(
    path: &Path,
    options: &FixityOptions,
    progress: &dyn Progress,
) -> Result<Fixity, BagError> {
    let bag = Bag::open_for(path, options.level, &options.limits, progress)?;
    // Looked at before the payload is read, so that what is changed meanwhile is another state.
    let state = match &options.receipts {
        Some(receipts) if options.level == Level::Full => Some((receipts, BagState::of(&bag)?)),
        _ => None,
    };
    let trust =
        state.as_ref().filter(|_| options.trust_receipts).map(|(receipts, state)| receipts.trust(state));
    let how = VerifyOptions { trust_payload: trust == Some(Trust::Unchanged), ..options.verify };
    let report = verify(&bag, how, progress)?;
    // What was found wrong is not to be taken for right by its stamp.
    unstamp_wrong(&bag, &report.findings);
    if let Some((receipts, state)) = state {
        // A receipt saves work; a cache that can't be written is no reason to fail.
        let _ = receipts.keep(&state, &report);
    }
    if let Some(cache) = &options.cache {
        // The same of the list of known bags.
        let _ = remember(cache, &bag, &report);
    }
    Ok(Fixity { report, trust })
}

/// Notes that a bag was seen, if everything was looked for and nothing is wrong.
fn remember(cache: &Cache, bag: &Bag, report: &VerifyReport) -> std::io::Result<()> {
    let state = match report.verdict() {
        _ if !matches!(report.level, Level::Complete | Level::Full) => return Ok(()),
        Verdict::Invalid => return Ok(()),
        Verdict::Holey => KnownState::Holey,
        Verdict::Valid => KnownState::Whole,
    };
    let files = report.payload_files + report.to_fetch_files;
    let bytes = report.payload_bytes.saturating_add(report.to_fetch_bytes);
    cache.remember_bag(&KnownBag::of(bag, state, files, bytes)?)
}

/// What became of many bags.
#[derive(Debug)]
pub struct FixityReport {
    /// When the work began.
    pub started: DateTime<Utc>,
    /// How closely they were looked at.
    pub level: Level,
    /// Each bag as it was named, and its result.
    pub bags: Vec<(PathBuf, Result<Fixity, BagError>)>,
}

impl FixityReport {
    /// A report of nothing yet.
    #[must_use]
    pub fn begin(level: Level) -> Self {
        Self { started: Utc::now(), level, bags: Vec::new() }
    }

    /// How many bags have a verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> u64 {
        let has = |result: &Result<Fixity, BagError>| {
            result.as_ref().is_ok_and(|fixity| fixity.report.verdict() == verdict)
        };
        self.bags.iter().filter(|(_, result)| has(result)).count() as u64
    }

    /// How many bags have none, since they could not be opened or read.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.bags.iter().filter(|(_, result)| result.is_err()).count() as u64
    }

    /// The report as one JSON document: see `docs/json.md`.
    #[must_use]
    pub fn document(&self) -> Value {
        let bags: Vec<Value> = self
            .bags
            .iter()
            .map(|(path, result)| match result {
                Ok(fixity) => fixity.document(),
                Err(error) => json!({
                    "bag": path.display().to_string(),
                    "verdict": "unread",
                    "error": error.to_string(),
                }),
            })
            .collect();
        json!({
            "dbag": env!("CARGO_PKG_VERSION"),
            "started": self.started.to_rfc3339_opts(SecondsFormat::Secs, true),
            "ended": Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            "level": self.level.as_str(),
            "valid": self.count(Verdict::Valid),
            "holey": self.count(Verdict::Holey),
            "invalid": self.count(Verdict::Invalid),
            "unread": self.unread(),
            "bags": bags,
        })
    }

    /// The report as text, for people and for the folder of a preservation plan.
    #[must_use]
    pub fn text(&self) -> String {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut text = format!(
            "Fixity report\nMade by dbag {} from {} to {}, at level {}.\n{}\n",
            env!("CARGO_PKG_VERSION"),
            time(self.started),
            time(Utc::now()),
            self.level.as_str(),
            self.sums()
        );
        for (path, result) in &self.bags {
            match result {
                Ok(fixity) => {
                    let report = &fixity.report;
                    text.push_str(&format!(
                        "\n{:8} {}\n         BagIt {}, {} payload files ({} bytes), {} to fetch; hashed: {} ({} files, {} bytes)\n",
                        report.verdict().as_str(),
                        path.display(),
                        report.version,
                        report.payload_files,
                        report.payload_bytes,
                        report.to_fetch_files,
                        report.coverage.as_str(),
                        report.hashed_files,
                        report.hashed_bytes,
                    ));
                    for finding in &report.findings {
                        text.push_str(&format!("         {finding}\n"));
                    }
                }
                Err(error) => {
                    text.push_str(&format!("\n{:8} {}\n         {error}\n", "unread", path.display()));
                }
            }
        }
        text
    }

    /// How many bags there are of each kind, as a sentence without its end.
    #[must_use]
    pub fn sums(&self) -> String {
        format!(
            "{} bags: {} valid, {} holey, {} invalid, {} unread",
            self.bags.len(),
            self.count(Verdict::Valid),
            self.count(Verdict::Holey),
            self.count(Verdict::Invalid),
            self.unread()
        )
    }
}

impl Fixity {
    /// The result as a JSON document: see `docs/json.md`.
    #[must_use]
    pub fn document(&self) -> Value {
        let report = &self.report;
        json!({
            "bag": report.bag.display().to_string(),
            "bagit_version": report.version,
            "level": report.level.as_str(),
            "verdict": report.verdict().as_str(),
            "payload_files": report.payload_files,
            "payload_bytes": report.payload_bytes,
            "to_fetch_files": report.to_fetch_files,
            "to_fetch_bytes": report.to_fetch_bytes,
            "algorithms": report.algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>(),
            "hashed": report.coverage.as_str(),
            "hashed_files": report.hashed_files,
            "hashed_bytes": report.hashed_bytes,
            "receipt": self.trust.map(Trust::as_str),
            "errors": report.count(Severity::Error),
            "warnings": report.count(Severity::Warning),
            "findings": report.findings.iter().map(finding_document).collect::<Vec<_>>(),
        })
    }
}

/// A finding as a JSON document.
#[must_use]
pub fn finding_document(finding: &Finding) -> Value {
    let severity = if finding.code.severity() == Severity::Error { "error" } else { "warning" };
    json!({
        "code": finding.code.as_str(),
        "severity": severity,
        "place": finding.place,
        "message": finding.message,
    })
}
