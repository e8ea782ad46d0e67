//! Dates and times in one form: the usual spellings by their bytes alone, all others through chrono.

use chrono::{NaiveDate, NaiveTime};

use crate::model::{format_timestamp, parse_local, parse_timestamp};

/// A date as `YYYY-MM-DD`.
pub(super) fn date(text: &str) -> Option<String> {
    if plain_date(text.as_bytes()) {
        return Some(text.to_owned());
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|date| date.to_string())
}

/// A date and time without an offset, as `YYYY-MM-DD HH:MM:SS[.ffffff]`.
pub(super) fn local(text: &str) -> Option<String> {
    if let Some((plain, "")) = plain_moment(text) {
        return Some(plain);
    }
    parse_local(text).map(|moment| {
        let mut text = format_timestamp(moment.and_utc().timestamp_micros());
        text.truncate(text.len() - "+00".len());
        text
    })
}

/// A date and time with an offset, in UTC as `YYYY-MM-DD HH:MM:SS[.ffffff]+00`.
pub(super) fn zoned(text: &str) -> Option<String> {
    if let Some((mut plain, "Z" | "z" | "+00" | "+00:00")) = plain_moment(text) {
        plain.push_str("+00");
        return Some(plain);
    }
    parse_timestamp(text).map(format_timestamp)
}

/// Two digits as a number; more than 99 where they are none.
fn two(bytes: &[u8]) -> u32 {
    match bytes {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => u32::from(tens - b'0') * 10 + u32::from(ones - b'0'),
        _ => 100,
    }
}

/// Whether it is `YYYY-MM-DD` with a day that there is.
fn plain_date(bytes: &[u8]) -> bool {
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let (century, year) = (two(&bytes[..2]), two(&bytes[2..4]));
    century < 100
        && year < 100
        && NaiveDate::from_ymd_opt((century * 100 + year).cast_signed(), two(&bytes[5..7]), two(&bytes[8..]))
            .is_some()
}

/// A moment of the form `YYYY-MM-DD HH:MM:SS[.f]`, with at most six digits of a second's fraction, and what
/// follows it. `T` becomes a space, and zeros at the fraction's end go.
fn plain_moment(text: &str) -> Option<(String, &str)> {
    let bytes = text.as_bytes();
    if bytes.len() < 19 || !matches!(bytes[10], b' ' | b'T' | b't') || bytes[13] != b':' || bytes[16] != b':'
    {
        return None;
    }
    let time = NaiveTime::from_hms_opt(two(&bytes[11..13]), two(&bytes[14..16]), two(&bytes[17..19]));
    if time.is_none() || !plain_date(&bytes[..10]) {
        return None;
    }
    let digits = match bytes.get(19) {
        Some(b'.') => bytes[20..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    let end = if digits == 0 { 19 } else { 20 + digits };
    if digits > 6 {
        return None;
    }
    let mut plain = String::with_capacity(end + 3);
    plain.push_str(&text[..10]);
    plain.push(' ');
    plain.push_str(&text[11..end]);
    if digits > 0 {
        plain.truncate(plain.trim_end_matches('0').trim_end_matches('.').len());
    }
    Some((plain, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_usual_spellings_and_the_others_come_to_one_form() {
        assert_eq!(date("2026-06-13").as_deref(), Some("2026-06-13"));
        assert_eq!(date("2026-6-3").as_deref(), Some("2026-06-03"));
        assert_eq!(date("2026-02-30"), None);
        assert_eq!(local("2026-06-13T10:21:33.50").as_deref(), Some("2026-06-13 10:21:33.5"));
        assert_eq!(local("2026-06-13T10:21:33.000").as_deref(), Some("2026-06-13 10:21:33"));
        assert_eq!(local("2026-06-13 10:21").as_deref(), Some("2026-06-13 10:21:00"));
        assert_eq!(zoned("2026-06-13T10:21:33Z").as_deref(), Some("2026-06-13 10:21:33+00"));
        assert_eq!(zoned("2026-06-13 10:21:33.120-07").as_deref(), Some("2026-06-13 17:21:33.12+00"));
        assert_eq!(zoned("2026-06-13 10:21:33"), None);
        assert_eq!(zoned("2026-06-13 25:21:33Z"), None);
    }

    proptest! {
        #[test]
        fn both_ways_give_the_same(
            text in "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9][ Tt.][0-2][0-9]:[0-6][0-9](:[0-6][0-9])?([.][0-9]{0,8})?(Z|[+-]0[0-7](:?[0-5]0)?)?x?"
        ) {
            prop_assert_eq!(zoned(&text), parse_timestamp(&text).map(format_timestamp));
            let slow = parse_local(&text)
                .map(|moment| format_timestamp(moment.and_utc().timestamp_micros()).replace("+00", ""));
            prop_assert_eq!(local(&text), slow);
            let day = text.get(..10).unwrap();
            let slow = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok().map(|date| date.to_string());
            prop_assert_eq!(date(day), slow);
        }

        #[test]
        fn never_panics(text in "\\PC{0,30}") {
            let _ = (date(&text), local(&text), zoned(&text));
        }
    }
}
