//! Text form of integers, oids and floats.
//!
//! Owns their parsing with PostgreSQL's messages; `float.rs` prints floats. Read next: `scalar.rs`.

use std::fmt::Display;
use std::io::Write;

use crate::error::{Result, SqlError, SqlState};
use crate::types::TypeId;

/// Blanks as C's `isspace` has them.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

fn value_out_of_range(text: &str, type_name: &str) -> SqlError {
    let message = format!("value \"{text}\" is out of range for type {type_name}");
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

/// A sign and digits with blanks around, within the given bounds. Digits beyond the bounds are reported before what
/// follows them is looked at.
fn parse_integer(text: &str, low: i64, high: i64, type_name: &str) -> Result<i64> {
    let trimmed = text.trim_start_matches(is_space);
    let (negative, digits) = match trimmed.as_bytes().first() {
        Some(b'-') => (true, &trimmed[1..]),
        Some(b'+') => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 {
        return Err(SqlError::invalid_input(type_name, text));
    }
    let mut value = 0i64;
    for digit in digits.bytes().take(count) {
        let digit = i64::from(digit - b'0');
        let next = value
            .checked_mul(10)
            .and_then(|value| if negative { value.checked_sub(digit) } else { value.checked_add(digit) });
        value = next
            .filter(|value| (low..=high).contains(value))
            .ok_or_else(|| value_out_of_range(text, type_name))?;
    }
    if !digits[count..].chars().all(is_space) {
        return Err(SqlError::invalid_input(type_name, text));
    }
    Ok(value)
}

pub(super) fn parse_i16(text: &str) -> Result<i16> {
    let value = parse_integer(text, i64::from(i16::MIN), i64::from(i16::MAX), "smallint")?;
    Ok(i16::try_from(value).expect("parsed within bounds"))
}

pub(super) fn parse_i32(text: &str) -> Result<i32> {
    let value = parse_integer(text, i64::from(i32::MIN), i64::from(i32::MAX), "integer")?;
    Ok(i32::try_from(value).expect("parsed within bounds"))
}

pub(super) fn parse_i64(text: &str) -> Result<i64> {
    parse_integer(text, i64::MIN, i64::MAX, "bigint")
}

/// An oid; negative numbers down to -2^31 are taken modulo 2^32, as PostgreSQL does.
pub(super) fn parse_oid(text: &str, id: TypeId) -> Result<u32> {
    let name = id.display_name();
    // What stands behind the digits is met before a range that they are within as the machine reads them.
    let digits = text.trim_matches(is_space).trim_start_matches(['+', '-']);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    if end < digits.len() && digits[..end].parse::<u64>().is_ok() {
        return Err(SqlError::invalid_input(&name, text));
    }
    let value = parse_integer(text, i64::from(i32::MIN), i64::from(u32::MAX), &name)?;
    let wrapped = value.rem_euclid(1 << 32);
    Ok(u32::try_from(wrapped).expect("reduced modulo 2^32"))
}

/// The words for special floats that C's `strtod` knows.
fn special_float(text: &str) -> Option<f64> {
    let (negative, word) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let value = match word.to_ascii_lowercase().as_str() {
        "nan" => return Some(f64::NAN),
        "inf" | "infinity" => f64::INFINITY,
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

/// Whether the text is plain decimal digits with a point and an exponent: what both C and Rust read alike.
fn is_decimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'))
}

fn is_zero(text: &str) -> bool {
    text.split(['e', 'E'])
        .next()
        .is_some_and(|mantissa| !mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9')))
}

fn float_out_of_range(text: &str, type_name: &str) -> SqlError {
    let message = format!("\"{text}\" is out of range for type {type_name}");
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

pub(crate) fn parse_f64(text: &str) -> Result<f64> {
    let trimmed = text.trim_matches(is_space);
    if let Some(value) = special_float(trimmed) {
        return Ok(value);
    }
    let invalid = || SqlError::invalid_input("double precision", text);
    if !is_decimal(trimmed) {
        return Err(invalid());
    }
    let value: f64 = trimmed.parse().map_err(|_| invalid())?;
    if value.is_infinite() || (value == 0.0 && !is_zero(trimmed)) {
        return Err(float_out_of_range(trimmed, "double precision"));
    }
    Ok(value)
}

pub(super) fn parse_f32(text: &str) -> Result<f32> {
    let trimmed = text.trim_matches(is_space);
    if let Some(value) = special_float(trimmed) {
        #[expect(clippy::cast_possible_truncation, reason = "NaN and infinities keep their meaning")]
        return Ok(value as f32);
    }
    let invalid = || SqlError::invalid_input("real", text);
    if !is_decimal(trimmed) {
        return Err(invalid());
    }
    let value: f32 = trimmed.parse().map_err(|_| invalid())?;
    if value.is_infinite() || (value == 0.0 && !is_zero(trimmed)) {
        return Err(float_out_of_range(trimmed, "real"));
    }
    Ok(value)
}

/// Appends an integer.
pub(crate) fn write_i64(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).expect("one digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends anything that prints itself.
pub(super) fn write_display(value: &impl Display, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("writing into memory cannot fail");
}
