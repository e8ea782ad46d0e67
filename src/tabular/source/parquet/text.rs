//! The texts of Parquet's dates, times, decimals and other values that are numbers or bytes in the file.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike as _, Utc};

/// Writes days since 1970-01-01 as `YYYY-MM-DD`.
pub(super) fn date(out: &mut String, days: i64) -> Result<(), String> {
    let moment = days.checked_mul(86_400).and_then(|seconds| DateTime::<Utc>::from_timestamp(seconds, 0));
    let moment =
        in_years(moment).ok_or_else(|| format!("day {days} since 1970 is outside of the years 1 to 9999"))?;
    write!(out, "{}", moment.date_naive()).map_err(|error| error.to_string())
}

/// Microseconds, rounded down, from units of which a second has `second`: 1000 or 10 to the 6 or 9.
pub(super) fn micros(value: i64, second: i64) -> Result<i64, String> {
    if second > 1_000_000 {
        return Ok(value.div_euclid(second / 1_000_000));
    }
    let micros = value.checked_mul(1_000_000 / second);
    micros.ok_or_else(|| format!("the timestamp {value} is outside of the years 1 to 9999"))
}

/// Writes microseconds since 1970 in PostgreSQL's form, with `+00` where it is in UTC.
pub(super) fn timestamp(out: &mut String, micros: i64, utc: bool) -> Result<(), String> {
    let moment = in_years(DateTime::<Utc>::from_timestamp_micros(micros))
        .ok_or_else(|| format!("the timestamp {micros} is outside of the years 1 to 9999"))?;
    let (day, time) = (moment.date_naive(), moment.time());
    write!(out, "{day} ").map_err(|error| error.to_string())?;
    clock(out, i64::from(chrono::Timelike::num_seconds_from_midnight(&time)), micros.rem_euclid(1_000_000));
    if utc {
        out.push_str("+00");
    }
    Ok(())
}

/// Writes a time of day, `HH:MM:SS[.ffffff]`.
pub(super) fn time(out: &mut String, value: i64, second: i64) -> Result<(), String> {
    let seconds = value.div_euclid(second);
    if !(0..=86_400).contains(&seconds) {
        return Err(format!("{value} is no time of day"));
    }
    let fraction = micros(value.rem_euclid(second), second)?;
    clock(out, seconds, fraction);
    Ok(())
}

fn in_years(moment: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    moment.filter(|moment| (1..=9999).contains(&moment.year()))
}

/// Writes a clock's time; the fraction is in microseconds.
fn clock(out: &mut String, seconds: i64, fraction: i64) {
    let [hours, minutes, seconds] = [seconds / 3600, seconds / 60 % 60, seconds % 60];
    *out += &format!("{hours:02}:{minutes:02}:{seconds:02}");
    if fraction > 0 {
        *out += format!(".{fraction:06}").trim_end_matches('0');
    }
}

/// Writes a decimal from the big-endian two's complement of its digits.
pub(super) fn decimal(out: &mut String, bytes: &[u8], scale: i32) -> Result<(), String> {
    if bytes.is_empty() || bytes.len() > 32 {
        return Err(format!("a decimal has {} bytes", bytes.len()));
    }
    let negative = bytes[0] & 0x80 != 0;
    let mut digits = magnitude(bytes, negative);
    let scale = usize::try_from(scale).unwrap_or(0);
    while digits.len() <= scale {
        digits.push(b'0');
    }
    if negative {
        out.push('-');
    }
    for (index, &digit) in digits.iter().enumerate().rev() {
        out.push(char::from(digit));
        if index == scale && scale > 0 {
            out.push('.');
        }
    }
    Ok(())
}

/// The digits of a number without its sign, the last one first.
fn magnitude(bytes: &[u8], negative: bool) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if negative {
        let mut carry = true;
        for byte in bytes.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
        }
    }
    let mut digits = Vec::new();
    while bytes.iter().any(|&byte| byte != 0) {
        let mut rest = 0_u16;
        for byte in &mut bytes {
            let value = rest << 8 | u16::from(*byte);
            // The rest is below 10, so what is kept of a byte is one too.
            *byte = (value / 10).to_le_bytes()[0];
            rest = value % 10;
        }
        digits.push(b'0' + rest.to_le_bytes()[0]);
    }
    digits
}

/// Writes 16 bytes as a UUID (RFC 9562, section 4).
pub(super) fn uuid(out: &mut String, bytes: &[u8]) -> Result<(), String> {
    if bytes.len() != 16 {
        return Err(format!("a UUID has {} bytes", bytes.len()));
    }
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        *out += &format!("{byte:02x}");
    }
    Ok(())
}

/// The float8 that is written like the float4, so that 0.1 stays 0.1.
pub(super) fn widened(value: f32) -> f64 {
    if value.is_finite() { value.to_string().parse().unwrap_or(f64::from(value)) } else { f64::from(value) }
}

/// A float of 16 bits (IEEE 754 binary16).
pub(super) fn float16(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1F);
    let fraction = f64::from(bits & 0x3FF) / 1024.0;
    match exponent {
        0 => sign * fraction * 2_f64.powi(-14),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        exponent => sign * (1.0 + fraction) * 2_f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(write: impl FnOnce(&mut String) -> Result<(), String>) -> Result<String, String> {
        let mut out = String::new();
        write(&mut out).map(|()| out)
    }

    #[test]
    fn dates_and_times() {
        assert_eq!(shown(|out| date(out, 20_617)), Ok("2026-06-13".into()));
        assert_eq!(shown(|out| date(out, -719_162)), Ok("0001-01-01".into()));
        assert!(shown(|out| date(out, i64::MAX)).is_err());
        assert!(shown(|out| date(out, -719_163)).is_err());
        assert_eq!(shown(|out| timestamp(out, -1, true)), Ok("1969-12-31 23:59:59.999999+00".into()));
        assert_eq!(shown(|out| timestamp(out, 1_500_000, false)), Ok("1970-01-01 00:00:01.5".into()));
        assert_eq!(micros(-1, 1_000_000_000), Ok(-1));
        assert!(micros(i64::MAX, 1000).is_err());
        assert_eq!(shown(|out| time(out, 3_723_004, 1000)), Ok("01:02:03.004".into()));
        assert!(shown(|out| time(out, -1, 1000)).is_err());
    }

    #[test]
    fn decimals_keep_all_their_digits() {
        for (bytes, scale, text) in [
            (&[0x00][..], 0, "0"),
            (&[0x00], 2, "0.00"),
            (&[0xFF], 2, "-0.01"),
            (&[0x80], 0, "-128"),
            (&[0x04, 0xD2], 2, "12.34"),
            (&[0x7F; 16], 0, "169473963133173273960190490760135540607"),
        ] {
            assert_eq!(shown(|out| decimal(out, bytes, scale)).as_deref(), Ok(text));
        }
        assert!(shown(|out| decimal(out, &[], 0)).is_err());
    }

    #[test]
    fn floats_keep_how_they_are_written() {
        assert_eq!(widened(0.1).to_bits(), 0.1_f64.to_bits());
        assert_eq!(widened(f32::MAX).to_string().parse::<f32>(), Ok(f32::MAX));
        assert_eq!(float16(0x3C00).to_bits(), 1_f64.to_bits());
        assert_eq!(float16(0xC000).to_bits(), (-2_f64).to_bits());
        assert!(float16(0x7C00).is_infinite() && float16(0x7E00).is_nan());
    }
}
