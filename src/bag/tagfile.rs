//! Tag files: their encoding, their lines, `bagit.txt` and `bag-info.txt` (RFC 8493 §2.1.1, §2.2.2).

/// The lines of a tag file: LF, CR and CRLF end a line, and nothing else does.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.filter(|text| !text.is_empty())?;
        let Some(end) = text.find(['\n', '\r']) else {
            rest = None;
            return Some(text);
        };
        let next = if text[end..].starts_with("\r\n") { end + 2 } else { end + 1 };
        rest = Some(&text[next..]);
        Some(&text[..end])
    })
}

/// How tag files are encoded, as `bagit.txt` declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Latin1,
    Utf16 { big_endian: Option<bool> },
}

impl Encoding {
    /// Finds an encoding by its IANA name.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" | "US-ASCII" | "ASCII" => Some(Self::Utf8),
            "ISO-8859-1" | "ISO8859-1" | "LATIN1" => Some(Self::Latin1),
            "UTF-16" => Some(Self::Utf16 { big_endian: None }),
            "UTF-16BE" => Some(Self::Utf16 { big_endian: Some(true) }),
            "UTF-16LE" => Some(Self::Utf16 { big_endian: Some(false) }),
            _ => None,
        }
    }

    /// Decodes a whole tag file; the error says where the bytes stop making sense.
    pub(super) fn decode(self, bytes: Vec<u8>) -> Result<String, String> {
        match self {
            Self::Utf8 => {
                if bytes.starts_with(b"\xEF\xBB\xBF") {
                    return Err(
                        "it starts with a byte-order mark, which UTF-8 tag files must not have".into()
                    );
                }
                String::from_utf8(bytes)
                    .map_err(|e| format!("it is not UTF-8 at byte {}", e.utf8_error().valid_up_to()))
            }
            Self::Latin1 => Ok(bytes.into_iter().map(char::from).collect()),
            Self::Utf16 { big_endian } => decode_utf16(&bytes, big_endian),
        }
    }
}

fn decode_utf16(bytes: &[u8], declared: Option<bool>) -> Result<String, String> {
    let (big, body) = match (declared, bytes) {
        (_, [0xFE, 0xFF, rest @ ..]) => (true, rest),
        (_, [0xFF, 0xFE, rest @ ..]) => (false, rest),
        // RFC 2781 §4.3: without a mark, big-endian is to be assumed.
        (declared, rest) => (declared.unwrap_or(true), rest),
    };
    let (pairs, []) = body.as_chunks::<2>() else {
        return Err("it has an odd number of bytes, so it is not UTF-16".into());
    };
    let units =
        pairs.iter().map(|pair| if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) });
    char::decode_utf16(units).collect::<Result<_, _>>().map_err(|_| "it is not UTF-16".into())
}

/// What `bagit.txt` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Declaration {
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) encoding: Encoding,
}

impl Declaration {
    /// Whether the stricter rules of BagIt 1.0 hold.
    pub(super) fn is_1_0(self) -> bool {
        self.major >= 1
    }

    /// Parses `bagit.txt`: exactly two lines (RFC 8493 §2.1.1); before 1.0 space around the colon is allowed.
    pub(super) fn parse(bytes: Vec<u8>) -> Result<Self, String> {
        if bytes.starts_with(b"\xEF\xBB\xBF") {
            return Err("bagit.txt starts with a byte-order mark".into());
        }
        let text = String::from_utf8(bytes).map_err(|_| "bagit.txt is not UTF-8".to_owned())?;
        let mut lines = lines(&text);
        let version = lines.next().and_then(|line| element(line, "BagIt-Version"));
        let Some((version, spaced)) = version else {
            return Err("the first line of bagit.txt is not \"BagIt-Version: M.N\"".into());
        };
        let numbers =
            version.split_once('.').and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
        let Some((major, minor)) = numbers else {
            return Err(format!("bagit.txt declares version {version:?}, which is not of the form M.N"));
        };
        let known = (major, minor) == (1, 0) || major == 0 && (93..=97).contains(&minor);
        if !known {
            return Err(format!("bagit.txt declares BagIt {version}; versions 0.93 to 1.0 are known"));
        }
        let encoding = lines.next().and_then(|line| element(line, "Tag-File-Character-Encoding"));
        let Some((name, also_spaced)) = encoding else {
            return Err("the second line of bagit.txt is not \"Tag-File-Character-Encoding: NAME\"".into());
        };
        if major >= 1 && (spaced || also_spaced) {
            return Err("bagit.txt has space where BagIt 1.0 allows none".into());
        }
        if lines.any(|line| major >= 1 || !line.trim().is_empty()) {
            return Err("bagit.txt has more than two lines".into());
        }
        let encoding = Encoding::by_name(name)
            .ok_or_else(|| format!("bagit.txt declares the unknown encoding {name:?}"))?;
        Ok(Self { major, minor, encoding })
    }
}

fn number(digits: &str) -> Option<u32> {
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// The value of `Label: value`, and whether there was more space than the one character that 1.0 allows.
fn element<'a>(line: &'a str, label: &str) -> Option<(&'a str, bool)> {
    let (name, value) = line.split_once(':')?;
    if !name.trim().eq_ignore_ascii_case(label) {
        return None;
    }
    let trimmed = value.trim();
    let strict = name.len() == label.len() && value.len() == trimmed.len() + 1 && value.ends_with(trimmed);
    Some((trimmed, !strict))
}

/// The elements of `bag-info.txt`, in order, repeats kept (RFC 8493 §2.2.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BagInfo(Vec<(String, String)>);

impl BagInfo {
    /// Elements in the order in which they are to be written.
    #[must_use]
    pub fn new(elements: Vec<(String, String)>) -> Self {
        Self(elements)
    }

    /// Parses the file. Lines that start with space or tab go on with the value before them.
    /// The second part of the result are lines that are neither, by number from 1.
    pub(super) fn parse(text: &str) -> (Self, Vec<usize>) {
        let mut elements: Vec<(String, String)> = Vec::new();
        let mut bad = Vec::new();
        for (index, line) in lines(text).enumerate() {
            if line.starts_with([' ', '\t'])
                && let Some((_, value)) = elements.last_mut()
            {
                value.push('\n');
                value.push_str(line.trim_start_matches([' ', '\t']));
            } else if let Some((label, value)) = line.split_once(':') {
                elements.push((label.trim().to_owned(), value.trim_matches([' ', '\t']).to_owned()));
            } else if !line.trim().is_empty() {
                bad.push(index + 1);
            }
        }
        (Self(elements), bad)
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
            let folded: Vec<&str> = lines(value).map(str::trim).filter(|line| !line.is_empty()).collect();
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
    fn only_lf_cr_and_crlf_end_a_line() {
        let text = "a\r\nb\rc\nd\u{b}\u{c}\u{85}\u{2028}e\n\nf";
        assert_eq!(lines(text).collect::<Vec<_>>(), ["a", "b", "c", "d\u{b}\u{c}\u{85}\u{2028}e", "", "f"]);
        assert_eq!(lines("").count(), 0);
    }

    #[test]
    fn declarations() {
        let good = |text: &str| Declaration::parse(text.into()).unwrap();
        let bad = |text: &str| Declaration::parse(text.into()).unwrap_err();
        assert!(good("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8").is_1_0());
        assert!(!good("BagIt-Version : 0.97\r\nTag-File-Character-Encoding:UTF-8\r\n\r\n").is_1_0());
        assert!(bad("BagIt-Version : 1.0\nTag-File-Character-Encoding: UTF-8\n").contains("space"));
        assert!(bad("BagIt-Version: .97\nTag-File-Character-Encoding: UTF-8\n").contains("M.N"));
        assert!(bad("BagIt-Version: 2.0\nTag-File-Character-Encoding: UTF-8\n").contains("2.0"));
        assert!(bad("BagIt-Version: 1.0\n").contains("second line"));
        assert!(bad("BagIt-Version: 1.0\nTag-File-Character-Encoding: rot13\n").contains("rot13"));
        assert!(bad("\u{feff}BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n").contains("mark"));
        assert!(bad("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\nX: y\n").contains("two lines"));
        assert!(bad("").contains("first line"));
    }

    #[test]
    fn bag_info_keeps_order_repeats_and_folds() {
        let (info, bad) = BagInfo::parse("B: 2\nA: 1\n  more\nB: 3\npayload-oxum: 12.3\nnonsense\n");
        assert_eq!(
            info.iter().collect::<Vec<_>>(),
            [("B", "2"), ("A", "1\nmore"), ("B", "3"), ("payload-oxum", "12.3")]
        );
        assert_eq!(bad, [6]);
        assert_eq!(info.oxum(), Some(Ok((12, 3))));
        assert_eq!(BagInfo::parse(&info.to_text()).0, info);
    }

    #[test]
    fn encodings() {
        assert_eq!(Encoding::Latin1.decode(vec![0xE9]).unwrap(), "é");
        let utf16 = Encoding::by_name("utf-16").unwrap();
        assert_eq!(utf16.decode(vec![0xFF, 0xFE, 0xE9, 0]).unwrap(), "é");
        assert_eq!(utf16.decode(vec![0xFE, 0xFF, 0, 0xE9]).unwrap(), "é");
        assert!(utf16.decode(vec![1]).is_err());
        assert!(Encoding::Utf8.decode(vec![0x61, 0xFF]).unwrap_err().contains("byte 1"));
    }

    proptest! {
        #[test]
        fn parsers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Declaration::parse(bytes.clone());
            let _ = BagInfo::parse(&String::from_utf8_lossy(&bytes));
            let _ = decode_utf16(&bytes, None);
        }
    }
}
