//! `bagit.txt` and `bag-info.txt` (RFC 8493 §2.1.1, §2.2.2).

use std::io::{self, Read};

use super::Code;
use super::manifest::Note;
use super::text::{Encoding, Line, Lines};

/// What `bagit.txt` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declaration {
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) encoding: Encoding,
    /// What is wrong with its form, though it can be told what it says.
    pub(super) notes: Vec<Note>,
}

impl Declaration {
    /// Whether the stricter rules of BagIt 1.0 hold.
    pub(super) fn is_1_0(&self) -> bool {
        self.major >= 1
    }

    /// Parses `bagit.txt`: exactly two lines (RFC 8493 §2.1.1); before 1.0 space around the colon is allowed.
    /// The error is why it can't be told by which version's rules to read on.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut notes = Vec::new();
        let mut wrong = |message: &str| notes.push((Code::BadDeclaration, message.to_owned()));
        let plain = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        if plain.len() != bytes.len() {
            wrong("it starts with a byte-order mark");
        }
        let lines = text_lines(plain).map_err(|error| format!("bagit.txt: {error}"))?;
        let version = lines.first().and_then(|line| element(line, "BagIt-Version"));
        let version = version.ok_or("the first line of bagit.txt is not \"BagIt-Version: M.N\"")?;
        let numbers =
            version.value.split_once('.').and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
        let (major, minor) = numbers.ok_or_else(|| {
            format!("bagit.txt declares version {:?}, which is not of the form M.N", version.value)
        })?;
        let known = (major, minor) == (1, 0) || major == 0 && (93..=97).contains(&minor);
        if !known {
            return Err(format!(
                "bagit.txt declares BagIt {}; versions 0.93 to 1.0 are known",
                version.value
            ));
        }
        let named = lines.get(1).and_then(|line| element(line, "Tag-File-Character-Encoding"));
        if named.is_none() {
            wrong("its second line is not \"Tag-File-Character-Encoding: NAME\"; UTF-8 was taken");
        }
        let elements = [Some(&version), named.as_ref()];
        if major >= 1 && elements.iter().flatten().any(|element| element.spaced) {
            wrong("it has space where BagIt 1.0 allows none, or none where it wants some");
        }
        if lines.iter().skip(2).any(|line| major >= 1 || !line.trim().is_empty()) {
            wrong("it has more than two lines");
        }
        let odd_case = elements.iter().flatten().any(|element| element.odd_case);
        if odd_case && major >= 1 {
            wrong("a label is not written as BagIt writes it");
        } else if odd_case {
            notes.push((Code::DeclarationCase, "a label is not written as BagIt writes it".into()));
        }
        let encoding = named.map_or(Some(Encoding::Utf8), |named| Encoding::by_name(named.value));
        if encoding.is_none() {
            let name = lines.get(1).map_or("", |line| line.as_str());
            notes.push((Code::TagFileUnreadable, format!("it declares an unknown encoding: {name:?}")));
        }
        Ok(Self { major, minor, encoding: encoding.unwrap_or(Encoding::Utf8), notes })
    }
}

fn text_lines(bytes: &[u8]) -> Result<Vec<String>, String> {
    let mut lines = Lines::new(bytes, Encoding::Utf8);
    let mut texts = Vec::new();
    while let Some((number, line)) = lines.next_line().map_err(|error| error.to_string())? {
        let Line::Text(text) = line else { return Err(format!("line {number} is not UTF-8")) };
        texts.push(text.to_owned());
    }
    Ok(texts)
}

fn number(digits: &str) -> Option<u32> {
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// One line `Label: value` of `bagit.txt`.
struct Element<'l> {
    value: &'l str,
    /// There is more space than the one character that 1.0 allows, or less.
    spaced: bool,
    odd_case: bool,
}

fn element<'l>(line: &'l str, label: &str) -> Option<Element<'l>> {
    let (name, value) = line.split_once(':')?;
    let (plain, trimmed) = (name.trim(), value.trim());
    if !plain.eq_ignore_ascii_case(label) {
        return None;
    }
    let strict = name.len() == label.len() && value.strip_prefix(' ') == Some(trimmed);
    Some(Element { value: trimmed, spaced: !strict, odd_case: plain != label })
}

/// The elements of `bag-info.txt`, in order, repeats kept (RFC 8493 §2.2.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BagInfo(Vec<(String, String)>);

/// A line of `bag-info.txt` that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadLine {
    /// It has no label.
    NoLabel,
    /// Its bytes are not in the declared encoding, or it has no end.
    NotText,
    /// The space around the colon is not what BagIt 1.0 asks for.
    Spacing,
}

impl BagInfo {
    /// Elements in the order in which they are to be written.
    #[must_use]
    pub fn new(elements: Vec<(String, String)>) -> Self {
        Self(elements)
    }

    /// Parses the file. Lines that start with space or tab go on with the value before them.
    /// What is wrong with a line is told with its number.
    pub(super) fn parse(
        reader: impl Read,
        encoding: Encoding,
        mut wrong: impl FnMut(u64, BadLine),
    ) -> io::Result<Self> {
        let mut elements: Vec<(String, String)> = Vec::new();
        let mut lines = Lines::new(reader, encoding);
        while let Some((number, line)) = lines.next_line()? {
            let Line::Text(line) = line else {
                wrong(number, BadLine::NotText);
                continue;
            };
            if line.starts_with([' ', '\t'])
                && let Some((_, value)) = elements.last_mut()
            {
                value.push('\n');
                value.push_str(line.trim_start_matches([' ', '\t']));
            } else if let Some((label, value)) = line.split_once(':') {
                let plain = value.trim_matches([' ', '\t']);
                let one = value.strip_prefix([' ', '\t']).map(|rest| rest.trim_end_matches([' ', '\t']));
                if label.trim() != label || !plain.is_empty() && one != Some(plain) {
                    wrong(number, BadLine::Spacing);
                }
                elements.push((label.trim().to_owned(), plain.to_owned()));
            } else if !line.trim().is_empty() {
                wrong(number, BadLine::NoLabel);
            }
        }
        Ok(Self(elements))
    }

    /// The first value with this label; reserved labels are compared without case (RFC 8493 §2.2.2).
    #[must_use]
    pub fn get(&self, label: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(label)).map(|(_, value)| value.as_str())
    }

    /// All elements in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(label, value)| (label.as_str(), value.as_str()))
    }

    /// `Payload-Oxum` as octets and files, if it is there; the error is its text.
    pub(super) fn oxum(&self) -> Option<Result<(u64, u64), &str>> {
        let text = self.get("Payload-Oxum")?;
        let parsed = text.trim().split_once('.').and_then(|(o, f)| Some((o.parse().ok()?, f.parse().ok()?)));
        Some(parsed.ok_or(text))
    }

    /// The file's text: one line an element, breaks inside a value folded with a leading tab.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (label, value) in &self.0 {
            let folded: Vec<&str> =
                value.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect();
            text.push_str(&format!("{label}: {}\n", folded.join("\n\t")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn declarations() {
        let parse = |text: &str| Declaration::parse(text.as_bytes());
        let codes = |text: &str| -> Vec<&'static str> {
            parse(text).unwrap().notes.iter().map(|(code, _)| code.as_str()).collect()
        };
        let utf8 = "Tag-File-Character-Encoding: UTF-8";
        assert!(parse(&format!("BagIt-Version: 1.0\n{utf8}")).unwrap().is_1_0());
        assert!(!parse(&format!("BagIt-Version: 0.97\n{utf8}")).unwrap().is_1_0());
        for (text, expected) in [
            (format!("BagIt-Version: 1.0\n{utf8}\n"), &[][..]),
            (format!("BagIt-Version: 1.0\r\n{utf8}\r"), &[]),
            ("BagIt-Version : 0.97\r\nTag-File-Character-Encoding:UTF-8\r\n\r\n".into(), &[]),
            (format!("BagIt-version: 0.97\n{utf8}\n"), &["W310"]),
            (format!("BagIt-version: 1.0\n{utf8}\n"), &["E113"]),
            (format!("BagIt-Version : 1.0\n{utf8}\n"), &["E113"]),
            (format!("BagIt-Version:1.0\n{utf8}\n"), &["E113"]),
            (format!("BagIt-Version:  1.0\n{utf8}\n"), &["E113"]),
            (format!("BagIt-Version: 1.0 \n{utf8}\n"), &["E113"]),
            (format!("BagIt-Version: 1.0\n{utf8}\nX: y\n"), &["E113"]),
            (format!("BagIt-Version: 1.0\n{utf8}\n\n"), &["E113"]),
            (format!("BagIt-Version: 0.97\n{utf8}\nX: y\n"), &["E113"]),
            (format!("\u{feff}BagIt-Version: 1.0\n{utf8}\n"), &["E113"]),
            ("BagIt-Version: 1.0\n".into(), &["E113"]),
            ("BagIt-Version: 1.0\nTag-File-Character-Encoding: rot13\n".into(), &["E101"]),
        ] {
            assert_eq!(codes(&text), expected, "{text:?}");
        }
        let bad = |text: &str| parse(text).unwrap_err();
        assert!(bad(&format!("BagIt-Version: .97\n{utf8}\n")).contains("M.N"));
        assert!(bad(&format!("BagIt-Version: 2.0\n{utf8}\n")).contains("2.0"));
        assert!(bad(&format!("{utf8}\nBagIt-Version: 1.0\n")).contains("first line"));
        assert!(bad("").contains("first line"));
        assert!(Declaration::parse(b"\xff\xfe").unwrap_err().contains("UTF-8"));
    }

    fn parse(text: &str) -> (BagInfo, Vec<(u64, BadLine)>) {
        let mut bad = Vec::new();
        let info = BagInfo::parse(text.as_bytes(), Encoding::Utf8, |line, what| bad.push((line, what)));
        (info.unwrap(), bad)
    }

    #[test]
    fn bag_info_keeps_order_repeats_and_folds() {
        let (info, bad) = parse("B: 2\nA: 1\n  more\nB: 3\npayload-oxum: 12.3\nnonsense\nEmpty:\nTab:\tx\n");
        assert_eq!(
            info.iter().collect::<Vec<_>>(),
            [("B", "2"), ("A", "1\nmore"), ("B", "3"), ("payload-oxum", "12.3"), ("Empty", ""), ("Tab", "x")]
        );
        assert_eq!(bad, [(6, BadLine::NoLabel)]);
        assert_eq!(info.oxum(), Some(Ok((12, 3))));
        assert_eq!(parse(&info.to_text()).0, info);
    }

    #[test]
    fn space_around_the_colon_of_bag_info() {
        for (line, odd) in [("A: b", false), ("A:\tb", false), ("A :b", true), ("A:b", true), ("A:  b", true)]
        {
            assert_eq!(parse(line).1 == [(1, BadLine::Spacing)], odd, "{line:?}");
            assert_eq!(parse(line).0.get("a"), Some("b"));
        }
    }

    proptest! {
        #[test]
        fn parsers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Declaration::parse(&bytes);
            let _ = BagInfo::parse(&bytes[..], Encoding::Utf8, |_, _| ());
        }
    }
}
