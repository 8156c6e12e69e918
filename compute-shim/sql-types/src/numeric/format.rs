//! The text form of numbers: digits with a point, exponents on input only, `NaN` and `Infinity`.
//!
//! Owns parsing and printing of [`Numeric`]. Read next: `crate::text`, which dispatches here.

use std::fmt::{Display, Formatter};

use num_bigint::{BigInt, Sign};

use super::arithmetic::{checked, overflow};
use super::{Numeric, Repr, power_of_ten};
use crate::error::{Result, SqlError};

impl Numeric {
    /// Reads a number as the input function of `numeric` does: blanks around, sign, digits, point, exponent.
    /// 22P02 for anything else, 22003 where the value or its scale has no room.
    pub fn parse(input: &str) -> Result<Numeric> {
        let invalid = || SqlError::invalid_input("numeric", input);
        let text = input.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if text.eq_ignore_ascii_case("nan") {
            return Ok(Numeric::NAN);
        }
        if unsigned.eq_ignore_ascii_case("infinity") || unsigned.eq_ignore_ascii_case("inf") {
            return Ok(if negative { Numeric::NEGATIVE_INFINITY } else { Numeric::INFINITY });
        }
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
            None => (unsigned, None),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return Err(invalid());
        }
        let exponent = exponent.map_or(Ok(0), |text| parse_exponent(text).ok_or_else(invalid))?;
        if exponent.abs() >= i64::from(i32::MAX / 2) {
            return Err(overflow());
        }
        assemble(negative, whole, fraction, exponent)
    }
}

/// An optional sign and digits; values beyond `i64` are held at its ends.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some(if text.starts_with('-') { -value } else { value })
}

fn assemble(negative: bool, whole: &str, fraction: &str, exponent: i64) -> Result<Numeric> {
    let length = i64::try_from(fraction.len()).expect("text fits memory");
    let scale = length - exponent;
    if exponent == 0 && whole.len() + fraction.len() <= 18 {
        // Fits an i64 for certain: spare the big integer.
        let digits =
            whole.bytes().chain(fraction.bytes()).fold(0i64, |sum, byte| sum * 10 + i64::from(byte - b'0'));
        let scale = u16::try_from(scale).expect("at most 18 digits");
        return Ok(Numeric(Repr::Small { scale, digits: if negative { -digits } else { digits } }));
    }
    let text = [whole, fraction].concat();
    let significant = text.trim_start_matches('0');
    if significant.is_empty() {
        return checked(0, i32::try_from(scale.max(0)).map_err(|_| overflow())?);
    }
    // Digits before the point; refuse before a power of ten of that size would be computed.
    let integer_digits = i64::try_from(significant.len()).expect("text fits memory") - scale;
    if integer_digits > i64::from(super::INTEGER_DIGITS_MAX) || scale > i64::from(super::SCALE_MAX) {
        return Err(overflow());
    }
    let digits = BigInt::parse_bytes(significant.as_bytes(), 10).expect("checked to be digits");
    let digits = if negative { -digits } else { digits };
    let shift = u32::try_from((-scale).max(0)).map_err(|_| overflow())?;
    checked(digits * power_of_ten(shift), i32::try_from(scale.max(0)).map_err(|_| overflow())?)
}

impl Display for Numeric {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Repr::NaN => f.write_str("NaN"),
            Repr::Infinity => f.write_str("Infinity"),
            Repr::NegativeInfinity => f.write_str("-Infinity"),
            Repr::Small { scale, digits } => {
                write_digits(f, *digits < 0, &digits.unsigned_abs().to_string(), usize::from(*scale))
            }
            Repr::Big(big) => {
                let negative = big.digits.sign() == Sign::Minus;
                write_digits(f, negative, &big.digits.magnitude().to_string(), usize::from(big.scale))
            }
        }
    }
}

fn write_digits(f: &mut Formatter<'_>, negative: bool, digits: &str, scale: usize) -> std::fmt::Result {
    if negative {
        f.write_str("-")?;
    }
    if scale == 0 {
        return f.write_str(digits);
    }
    match digits.len().checked_sub(scale) {
        Some(at) if at > 0 => write!(f, "{}.{}", &digits[..at], &digits[at..]),
        _ => write!(f, "0.{digits:0>scale$}"),
    }
}
