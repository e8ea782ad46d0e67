//! `dbag verify`

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::limits::ArchiveLimits;
use super::printer::{Printer, count};
use super::size::size;
use super::{Context, Outcome};
use crate::bag::{
    BagError, Coverage, Finding, Level, Sample, SampleSize, Severity, Verdict, VerifyOptions, VerifyReport,
};
use crate::cache::{Cache, Receipts, Trust};
use crate::open::{Fixity, FixityOptions, FixityReport, verify_path};
use crate::settings::Overrides;
use crate::{Error, ErrorKind};

/// Check bags: their form, that everything is there, and every digest
///
/// Reads folders, and archives (zip, tar, tar.gz, tar.bz2, tar.xz) in place with nothing extracted. Everything that is wrong
/// is listed, with what was expected and found. A bag that is right but has files to fetch ends with exit code 4.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  dbag verify digits-1.0.0.zip\n  dbag verify Dataset_2A4M-0001/ --json\n  dbag verify archive/*.zip --report fixity-2026.json\n  dbag verify huge.tar --level complete\n  dbag verify huge.tar --sample 5%\n  dbag verify Dataset_2A4M-0001/ --trust-receipts"
)]
// A flag is a bool.
#[allow(clippy::struct_excessive_bools)]
pub(super) struct Verify {
    /// Bags: folders or archives
    #[arg(required = true, value_name = "BAG")]
    bags: Vec<PathBuf>,
    /// How closely to look
    #[arg(long, value_enum, default_value_t = Depth::Full, value_name = "LEVEL")]
    level: Depth,
    /// Hash only so many payload files, or so many percent of them, chosen at random
    #[arg(long, value_name = "N|P%", value_parser = parse_sample)]
    sample: Option<SampleSize>,
    /// Choose the sample by this number, to choose the same files again
    #[arg(long, value_name = "N", requires = "sample")]
    seed: Option<u64>,
    /// End with 1 for warnings too
    #[arg(long)]
    strict: bool,
    /// End with 0 if a bag is right and only has files to fetch
    #[arg(long)]
    allow_holey: bool,
    /// Do not hash the payload of a bag that was verified here in full and whose files have not been touched since
    ///
    /// Touched means: another size, time of change or inode, or another tag manifest. What a disk loses by itself is not
    /// found so.
    #[arg(long, conflicts_with = "sample")]
    trust_receipts: bool,
    /// Write a fixity report too: JSON if the file's name ends with .json, else text
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Replace a report that exists
    #[arg(long, requires = "report")]
    force: bool,
    /// Threads that hash [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    #[command(flatten)]
    limits: ArchiveLimits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Depth {
    /// Only the payload's size and number of files, by Payload-Oxum
    Oxum,
    /// The form of the tag files, and the names
    Structure,
    /// And that every file is there, or to be fetched, and none too many
    Complete,
    /// And every digest
    Full,
}

fn parse_sample(text: &str) -> Result<SampleSize, String> {
    let bad = || format!("{text:?} is neither a number of files, such as 100, nor a share, such as 5%");
    match text.strip_suffix('%') {
        Some(percent) => {
            let percent: f64 = percent.trim().parse().map_err(|_| bad())?;
            if percent > 0.0 && percent <= 100.0 { Ok(SampleSize::Percent(percent)) } else { Err(bad()) }
        }
        None => text.parse().ok().filter(|files| *files > 0).map(SampleSize::Files).ok_or_else(bad),
    }
}

impl Verify {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        if let Some(report) = &self.report {
            self.refuse_existing(report)?;
        }
        let options = self.options(context)?;
        let mut all = FixityReport::begin(options.level);
        let mut worst = 0;
        for path in &self.bags {
            let bar = context.bar();
            let result = verify_path(path, &options, &bar);
            drop(bar);
            match &result {
                Err(BagError::Interrupted) => return Err(BagError::Interrupted.into()),
                Err(error) if self.bags.len() > 1 => Printer::error(&error.to_string(), None),
                Ok(fixity) => self.print(fixity, context.printer)?,
                Err(_) => {}
            }
            worst = graver(worst, self.exit_code(&result));
            all.bags.push((path.clone(), result));
        }
        if let Some(report) = &self.report {
            self.write_report(report, &all)?;
        }
        if self.bags.len() > 1 {
            context.printer.line(all.sums())?;
            context.printer.document(&all.document())?;
        } else if let Some((_, result)) = all.bags.pop() {
            context.printer.document(&result?.document())?;
        }
        Ok(worst)
    }

    fn options(&self, context: &Context) -> Result<FixityOptions, Error> {
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?,
        };
        let level = match self.level {
            Depth::Oxum => Level::Oxum,
            Depth::Structure => Level::Structure,
            Depth::Complete => Level::Complete,
            Depth::Full => Level::Full,
        };
        if level != Level::Full && (self.sample.is_some() || self.trust_receipts) {
            let message = "--sample and --trust-receipts say which files to hash; that is level full only";
            return Err(Error::Usage(message.into()));
        }
        // A cache that can't be used is no reason not to verify.
        let folder = context.settings(Overrides::default())?.cache.value;
        let cache = folder.as_ref().and_then(|folder| Cache::open(folder).ok());
        Ok(FixityOptions {
            level,
            verify: VerifyOptions {
                jobs: self.jobs.unwrap_or(0).into(),
                sample: self.sample.map(|size| Sample { size, seed }),
                trust_payload: false,
            },
            limits: self.limits.limits(),
            receipts: folder.map(|folder| Receipts::at(&folder)),
            cache: cache.map(Arc::new),
            trust_receipts: self.trust_receipts,
        })
    }

    fn exit_code(&self, result: &Result<Fixity, BagError>) -> u8 {
        let report = match result {
            Ok(fixity) => &fixity.report,
            Err(error) => return error.kind().exit_code(),
        };
        match report.verdict() {
            Verdict::Invalid => ErrorKind::Data.exit_code(),
            _ if self.strict && report.count(Severity::Warning) > 0 => ErrorKind::Data.exit_code(),
            Verdict::Holey if !self.allow_holey => ErrorKind::Unfinished.exit_code(),
            Verdict::Holey | Verdict::Valid => 0,
        }
    }

    fn refuse_existing(&self, report: &Path) -> Result<(), Error> {
        if report.exists() && !self.force {
            return Err(BagError::Exists(report.to_owned()).into());
        }
        Ok(())
    }

    /// The report appears whole or not at all.
    fn write_report(&self, report: &Path, all: &FixityReport) -> Result<(), Error> {
        let is_json = report.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let text = if is_json { format!("{:#}\n", all.document()) } else { all.text() };
        let folder =
            report.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".dbag-").suffix(".partial").tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        self.refuse_existing(report)?;
        file.persist(report).map_err(|error| error.error)?;
        Ok(())
    }

    fn print(&self, fixity: &Fixity, printer: Printer) -> io::Result<()> {
        let report = &fixity.report;
        if self.bags.len() == 1 {
            print_findings(&report.findings, printer)?;
        } else {
            let bag = report.bag.display();
            report.findings.iter().try_for_each(|finding| printer.line(format!("{bag}: {finding}")))?;
        }
        printer.line(summary(report, fixity.trust))
    }
}

/// Of two exit codes the one that says more: wrong data, then what may be tried again, wrong use, and unfinished.
fn graver(one: u8, other: u8) -> u8 {
    let weight = |code: u8| [0, 4, 2, 3, 1, 70].iter().position(|known| *known == code).unwrap_or(6);
    if weight(one) >= weight(other) { one } else { other }
}

/// One line a finding.
pub(super) fn print_findings(findings: &[Finding], printer: Printer) -> io::Result<()> {
    findings.iter().try_for_each(|finding| printer.line(finding.to_string()))
}

fn summary(report: &VerifyReport, trust: Option<Trust>) -> String {
    let warnings = report.count(Severity::Warning);
    let state = match report.verdict() {
        Verdict::Valid => "valid".to_owned(),
        Verdict::Holey => format!(
            "right so far, {} ({}) to fetch",
            count(report.to_fetch_files, "file"),
            size(report.to_fetch_bytes)
        ),
        Verdict::Invalid => format!("not valid, {}", count(report.count(Severity::Error), "error")),
    };
    let warned = if warnings > 0 { format!(", {}", count(warnings, "warning")) } else { String::new() };
    let algorithms: Vec<&str> = report.algorithms.iter().map(|algorithm| algorithm.name()).collect();
    let payload = match report.level {
        Level::Structure => count(report.payload_files, "file"),
        _ => format!("{} ({})", count(report.payload_files, "file"), size(report.payload_bytes)),
    };
    let checked = match report.coverage {
        Coverage::Nothing => format!("{payload} looked at, level {}", report.level.as_str()),
        Coverage::All if algorithms.is_empty() => format!("{payload} checked by nothing"),
        Coverage::All => format!("{payload} checked by {}", algorithms.join(" and ")),
        Coverage::Sample => format!(
            "{} of {payload} checked by {}",
            count(report.hashed_files, "file"),
            algorithms.join(" and ")
        ),
        Coverage::TagFiles => format!("{payload} unchanged since they were verified, not hashed again"),
    };
    let why = match trust {
        Some(Trust::NoReceipt) => "; there was no receipt",
        Some(Trust::Changed) => "; the bag was changed since its receipt",
        Some(Trust::TooFresh) => "; its receipt is too fresh to trust",
        Some(Trust::Unchanged) | None => "",
    };
    format!("{}: {state}{warned}; {checked}{why}", report.bag.display())
}
