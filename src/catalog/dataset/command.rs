//! The command that would do a division again, with all that was left to defaults.

use super::{DatasetRef, Draw, SampleOptions, SplitOptions};
use crate::partition::{Method, Missing, PartSpec, Size};

impl SplitOptions {
    /// The command that does this again.
    pub(super) fn command(&self, source: &DatasetRef) -> String {
        let mut words = format!("dbag dataset split {source}");
        for PartSpec { name, size } in &self.parts {
            words.push_str(&format!(" --part {}", word(&format!("{name}={}", shown(*size)))));
        }
        words.push_str(&self.draw.flags());
        words.extend(self.parent.iter().map(|name| format!(" --as {name}")));
        words
    }
}

impl SampleOptions {
    pub(super) fn command(&self, source: &DatasetRef) -> String {
        let mut words = format!("dbag dataset subsample {source} {}{}", shown(self.size), self.draw.flags());
        words.extend(self.name.iter().map(|name| format!(" --as {name}")));
        words
    }
}

impl Draw {
    fn flags(&self) -> String {
        let mut words = String::new();
        for (flag, value) in [("table", &self.table), ("stratify", &self.stratify), ("group", &self.group)] {
            words.extend(value.iter().map(|value| format!(" --{flag} {}", word(value))));
        }
        let method = if self.method == Method::DerivaMl { "deriva-ml" } else { "ranked" };
        words + &format!(" --missing {} --seed {} --method {method}", missing_name(self.missing), self.seed)
    }
}

/// What a policy is called where it is typed and recorded.
pub(super) fn missing_name(missing: Missing) -> &'static str {
    match missing {
        Missing::Error => "error",
        Missing::Drop => "drop",
        Missing::Include => "include",
    }
}

/// A size as it is typed: `0.8` is a fraction, `80` a number.
fn shown(size: Size) -> String {
    match size {
        Size::Count(count) => count.to_string(),
        Size::Fraction(fraction) => format!("{fraction:?}"),
        Size::Rest => "rest".into(),
    }
}

/// A word as a shell takes it.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-.:=@/".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
