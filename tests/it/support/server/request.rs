//! What was asked.

use std::ops::Range;

/// A request, without a body: nothing that is tested sends one.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// With the query.
    pub path: String,
    /// How often the path was asked for before.
    pub count: usize,
    /// First and last octet of a single byte range.
    pub range: Option<(u64, Option<u64>)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The first line and the headers as they came.
    pub raw: String,
}

/// What part of a file was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Whole,
    Part(Range<u64>),
    /// A range outside of the file.
    Outside,
    /// More ranges than one.
    Many,
}

impl Request {
    pub(super) fn parse(raw: &str) -> Self {
        let mut lines = raw.lines();
        let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let method = words.next().unwrap_or_default();
        let path = words.next().unwrap_or_default();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut request = Self { method, path, count: 0, range: None, headers, raw: raw.to_owned() };
        request.range = request.single_range();
        request
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The path without its query.
    pub fn plain_path(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// Whether a secret came along, in whatever header credentials travel.
    pub fn has_credentials(&self) -> bool {
        self.header("cookie").or_else(|| self.header("authorization")).is_some()
    }

    /// The same, asking for all of the file.
    pub(super) fn without_range(&self) -> Self {
        let mut whole = self.clone();
        whole.headers.retain(|(name, _)| name != "range");
        whole.range = None;
        whole
    }

    fn single_range(&self) -> Option<(u64, Option<u64>)> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
        Some((first.parse().ok()?, last))
    }

    /// What was asked for of a file of this length (RFC 9110 §14.1.2). What is no range is no wish.
    pub fn wanted(&self, length: u64) -> Wanted {
        let Some(ranges) = self.header("range").and_then(|value| value.strip_prefix("bytes=")) else {
            return Wanted::Whole;
        };
        if ranges.contains(',') {
            return Wanted::Many;
        }
        if let Some(last) = ranges.strip_prefix('-') {
            return match last.parse::<u64>() {
                Ok(n) if n == 0 || length == 0 => Wanted::Outside,
                Ok(n) => Wanted::Part(length.saturating_sub(n)..length),
                Err(_) => Wanted::Whole,
            };
        }
        match self.range {
            Some((first, Some(last))) if last < first => Wanted::Whole,
            Some((first, _)) if first >= length => Wanted::Outside,
            Some((first, last)) => Wanted::Part(first..last.map_or(length, |last| length.min(last + 1))),
            None => Wanted::Whole,
        }
    }
}
