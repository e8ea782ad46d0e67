//! `fetch.txt`: files that are elsewhere, one URL, length and path a line (RFC 8493 §2.2.3).

use super::manifest::{ENOUGH, Reading};
use super::tagfile::lines;
use super::{BagPath, Code, Finding, path};

/// A payload file that is to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchEntry {
    /// Where it is, as written.
    pub url: String,
    /// Its length in octets, if the line says one.
    pub length: Option<u64>,
    /// Where it goes.
    pub path: BagPath,
}

impl FetchEntry {
    /// The line, tab-separated as bdbag writes it, without its end.
    pub(super) fn to_line(&self) -> String {
        let url = self.url.replace(' ', "%20").replace('\t', "%09");
        let length = self.length.map_or("-".to_owned(), |length| length.to_string());
        format!("{url}\t{length}\t{}", path::encode(self.path.as_str()))
    }
}

/// Parses the decoded text; whatever is wrong is added to `findings`. Several lines for one path are kept.
pub(super) fn parse(text: &str, reading: &Reading<'_>, findings: &mut Vec<Finding>) -> Vec<FetchEntry> {
    let mut entries = Vec::new();
    let before = findings.len();
    for (index, line) in lines(text).enumerate() {
        if findings.len() - before >= ENOUGH {
            let message =
                format!("there are more than {ENOUGH} findings in this file; the rest was not read");
            findings.push(Finding::new(Code::BadFetchLine, format!("fetch.txt:{}", index + 1), message));
            break;
        }
        match parse_line(line, reading) {
            Ok(entry) => entries.push(entry),
            Err((code, message)) => {
                findings.push(Finding::new(code, format!("fetch.txt:{}", index + 1), message));
            }
        }
    }
    entries
}

fn parse_line(line: &str, reading: &Reading<'_>) -> Result<FetchEntry, (Code, String)> {
    let bad = |message: &str| (Code::BadFetchLine, message.to_owned());
    let blank = [' ', '\t'];
    let (url, rest) =
        line.split_once(blank).ok_or_else(|| bad("the line is not a URL, a length and a path"))?;
    let (length, rest) = rest
        .trim_start_matches(blank)
        .split_once(blank)
        .ok_or_else(|| bad("the line is not a URL, a length and a path"))?;
    let length = match length {
        "-" => None,
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(digits.parse().map_err(|_| bad("the length is too large"))?)
        }
        _ => return Err((Code::BadFetchLine, format!("the length {length:?} is neither a number nor -"))),
    };
    if !url.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty()) {
        return Err((Code::BadFetchLine, format!("{url:?} is not an absolute URL")));
    }
    let (decoded, _) = reading.decode(rest.trim_start_matches(blank));
    let path = BagPath::parse(&decoded).map_err(|e| (Code::UnsafePath, e.to_string()))?;
    if !path.is_payload() {
        return Err((Code::UnsafePath, format!("{path} is not below data/, where fetched files go")));
    }
    Ok(FetchEntry { url: url.to_owned(), length, path })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> (Vec<FetchEntry>, Vec<&'static str>) {
        let mut findings = Vec::new();
        let entries = parse(text, &Reading { v1: true, exists: &|_| false }, &mut findings);
        (entries, findings.iter().map(|f| f.code.as_str()).collect())
    }

    #[test]
    fn lines_good_and_bad() {
        let (entries, findings) = read("http://h/a%20b 4 data/a b%0Ac%25.bin\nhttps://h/x\t-\tdata/x");
        assert!(findings.is_empty());
        assert_eq!(entries[0].url, "http://h/a%20b");
        assert_eq!((entries[0].length, entries[0].path.as_str()), (Some(4), "data/a b\nc%.bin"));
        assert_eq!(entries[1].length, None);
        for (line, code) in [
            ("", "E107"),
            ("http://h/x", "E107"),
            ("http://h/x 4", "E107"),
            ("http://h/x -4 data/x", "E107"),
            ("http://h/x 99999999999999999999999 data/x", "E107"),
            ("/a 4 data/a.txt", "E107"),
            ("http://h/x 4 ../x", "E104"),
            ("http://h/x 4 /tmp/x", "E104"),
            ("http://h/x 4 manifest-md5.txt", "E104"),
        ] {
            assert_eq!(read(&format!("{line}\n")).1, [code], "{line:?}");
        }
        // Percent codes other than the three stay literal, so that no later step can decode them into `..`.
        assert_eq!(read("http://h/x 4 data/%2e%2e/x").0[0].path.as_str(), "data/%2e%2e/x");
    }

    proptest! {
        #[test]
        fn written_lines_are_read_back(name in "[^/\0]{1,20}", length: Option<u64>) {
            prop_assume!(name != "." && name != ".." && BagPath::parse(&format!("data/{name}")).is_ok());
            let path = BagPath::parse(&format!("data/x/{name}")).unwrap();
            let entry = FetchEntry { url: "https://h/a".into(), length, path };
            prop_assert_eq!(read(&entry.to_line()).0, vec![entry]);
        }
    }
}
