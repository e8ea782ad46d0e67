//! Sizes and durations, as people write them.

use std::time::Duration;

/// Parses `1500`, `1.5kB`, `2 GB` or `64TiB`; a letter alone (`2G`) means thousands.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.trim().to_ascii_lowercase();
    let bad = || format!("{text:?} is not a size such as 500MB or 2GiB");
    let (prefix, base) = match unit.strip_suffix("ib") {
        Some(prefix) => (prefix, 1024_u64),
        None => (unit.strip_suffix('b').unwrap_or(&unit), 1000),
    };
    let power = ["", "k", "m", "g", "t", "p"].iter().position(|known| *known == prefix).ok_or_else(bad)?;
    let factor = base.pow(u32::try_from(power).unwrap_or(0));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().map_err(|_| bad())?;
    let mut bytes = whole.checked_mul(factor).ok_or_else(bad)?;
    if !fraction.is_empty() {
        let part: f64 = format!("0.{fraction}").parse().map_err(|_| bad())?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let part = (part * factor as f64) as u64;
        bytes = bytes.checked_add(part).ok_or_else(bad)?;
    }
    Ok(bytes)
}

/// Parses `90s`, `30m`, `12h`, `30d` or `8w`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let bad = || format!("{text:?} is not a duration such as 30d or 12h");
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
    let (number, unit) = text.split_at(split);
    let seconds = match unit.trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        "w" => 7 * 24 * 3600,
        _ => return Err(bad()),
    };
    let number: u64 = number.parse().map_err(|_| bad())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("0", 0),
            ("1500", 1500),
            ("1.5kB", 1500),
            ("2 GB", 2_000_000_000),
            ("2G", 2_000_000_000),
            ("64TiB", 64 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "x", "-1", "1 X", "1.x", "99999999999999999999", "99999999PB", "1e3"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_read() {
        for (text, seconds) in
            [("90s", 90), ("30m", 1800), ("12h", 43200), ("30 d", 2_592_000), ("0d", 0), ("1w", 604_800)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in
            ["", "30", "d", "-1d", "1.5h", "1y", "99999999999999999999s", "9999999999999999999w", "1é"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
