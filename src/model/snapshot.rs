//! Snapshot ids and timestamps: one moment in microseconds, in Deriva's encoding and in PostgreSQL's text.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::rid::{ALPHABET, base32};

/// A catalog's snapshot: microseconds since 1970-01-01T00:00Z. Its text is ERMrest's snaptime, the doubled
/// number in base 32, grouped in fours from the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Snapshot(i64);

impl Snapshot {
    /// The snapshot of a moment.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.max(0))
    }

    /// Microseconds since 1970-01-01T00:00Z.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0
    }

    /// The moment in the text form of PostgreSQL's timestamptz, in UTC.
    #[must_use]
    pub fn timestamp(self) -> String {
        format_timestamp(self.0)
    }

    /// The day, `YYYY-MM-DD`, in UTC.
    #[must_use]
    pub fn date(self) -> String {
        DateTime::<Utc>::from_timestamp_micros(self.0).unwrap_or_default().format("%Y-%m-%d").to_string()
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symbols = base32(self.0.unsigned_abs() << 1);
        let first = (symbols.len() - 1) % 4 + 1;
        f.write_str(&symbols[..first])?;
        symbols.as_bytes()[first..]
            .chunks(4)
            .try_for_each(|group| write!(f, "-{}", String::from_utf8_lossy(group)))
    }
}

impl FromStr for Snapshot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a snapshot id");
        let mut value: u64 = 0;
        let symbols: Vec<u8> = text.bytes().filter(|&b| b != b'-').map(|b| b.to_ascii_uppercase()).collect();
        if symbols.is_empty() || symbols.len() > 13 {
            return Err(bad());
        }
        for symbol in symbols {
            let symbol = match symbol {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            let digit = ALPHABET.iter().position(|&s| s == symbol).ok_or_else(bad)?;
            value = value.checked_mul(32).and_then(|v| v.checked_add(digit as u64)).ok_or_else(bad)?;
        }
        i64::try_from(value >> 1).map(Self).map_err(|_| bad())
    }
}

/// PostgreSQL's text of a timestamptz in UTC: the fraction without trailing zeros, `+00` at the end.
#[must_use]
pub fn format_timestamp(micros: i64) -> String {
    let moment = DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or_default();
    let text = moment.format("%Y-%m-%d %H:%M:%S%.6f").to_string();
    format!("{}+00", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Reads a date and time with an offset (`Z`, `+00`, `-07:00`, `+0530`), `T` or space between them, as
/// microseconds since 1970-01-01T00:00Z.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let sign = text.get(10..)?.rfind(['+', '-', 'Z', 'z'])? + 10;
    let (local, offset) = text.split_at(sign);
    let digits: String = offset[1..].chars().filter(|&c| c != ':').collect();
    let minutes = match (&offset[..1], digits.len()) {
        ("Z" | "z", 0) => 0,
        ("+" | "-", 2 | 4) => {
            let hours: i64 = digits.get(..2)?.parse().ok()?;
            let minutes: i64 =
                digits.get(2..).filter(|m| !m.is_empty()).map_or(Some(0), |m| m.parse().ok())?;
            let total = hours * 60 + minutes;
            if offset.starts_with('-') { -total } else { total }
        }
        _ => return None,
    };
    Some(parse_local(local)?.and_utc().timestamp_micros() - minutes * 60_000_000)
}

/// Reads a date and time without an offset, `T` or space between them.
pub(crate) fn parse_local(text: &str) -> Option<NaiveDateTime> {
    let plain = text.trim_end().replacen(['T', 't'], " ", 1);
    if !plain.is_ascii() || plain.len() < 16 {
        return None;
    }
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(&plain, form).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_encoding_is_ermrests() {
        let snapshot: Snapshot = "361-VE2R-TJ5J".parse().unwrap();
        assert_eq!(snapshot.micros(), 1_795_424_151_577_689);
        assert_eq!(snapshot.to_string(), "361-VE2R-TJ5J");
        assert_eq!(snapshot.timestamp(), "2026-11-23 08:55:51.577689+00");
        assert_eq!("36l-ve2r-tj5j".parse(), Ok(snapshot));
        assert!("".parse::<Snapshot>().is_err());
        assert!("ZZZZ-ZZZZ-ZZZZ-ZZZZ".parse::<Snapshot>().is_err());
        assert!("U".parse::<Snapshot>().is_err());
    }

    #[test]
    fn timestamps() {
        assert_eq!(format_timestamp(0), "1970-01-01 00:00:00+00");
        assert_eq!(format_timestamp(1_500_000), "1970-01-01 00:00:01.5+00");
        for (text, micros) in [
            ("1970-01-01T01:00:00Z", 3_600_000_000),
            ("1970-01-01 01:00:00-07", 8 * 3_600_000_000_i64),
            ("1970-01-01 05:30:00.25+05:30", 250_000),
            ("1970-01-01 05:30:00+0530", 0),
        ] {
            assert_eq!(parse_timestamp(text), Some(micros), "{text}");
        }
        for bad in [
            "1970-01-01",
            "1970-01-01 01:00:00",
            "",
            "x",
            "1970-01-01 01:00:00+",
            "1970-13-01T00:00:00Z",
            "1970-01-0é 01:00:00Z",
        ] {
            assert_eq!(parse_timestamp(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn ids_and_timestamps_are_read_back(micros in 0i64..4_000_000_000_000_000) {
            let snapshot = Snapshot::from_micros(micros);
            prop_assert_eq!(snapshot.to_string().parse(), Ok(snapshot));
            prop_assert_eq!(parse_timestamp(&snapshot.timestamp()), Some(micros));
        }

        #[test]
        fn parsers_never_panic(text in "\\PC{0,30}") {
            let _ = text.parse::<Snapshot>();
            let _ = parse_timestamp(&text);
        }
    }
}
