//! `to_char` of numbers and `to_number`: digits for a template, and a number of what it reads.
//!
//! Owns rounding, overflow to `#`, exponents and Roman numerals (`…_to_char` of PostgreSQL 15's `formatting.c`). Read next:
//! `number_format.rs`.

use super::number_format::{Digits, Template, print, scan};
use super::str_at;
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::numeric::{Groups, Numeric};
use crate::types::Typmod;

/// Digits that a `real` and a `double precision` surely have.
const REAL_DIGITS: usize = 6;
const DOUBLE_DIGITS: usize = 15;

/// `to_char(number, template)`.
pub(super) fn to_char(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 1);
    if text.is_empty() {
        return Ok(Datum::text(""));
    }
    let mut template = Template::parse(text)?;
    let digits = match &args[0] {
        value if template.roman => Digits { text: roman(integer(value)?), sign: 0, spaces: 0 },
        Datum::Int4(value) => int4(*value, &mut template),
        Datum::Int8(value) => int8(*value, &mut template)?,
        Datum::Float4(value) => {
            #[expect(clippy::cast_possible_truncation, reason = "a `real` is multiplied as one")]
            let shifted = value * shift_factor(&template) as f32;
            float(f64::from(shifted), REAL_DIGITS, &mut template)
        }
        Datum::Float8(value) => {
            let shifted = value * shift_factor(&template);
            float(shifted, DOUBLE_DIGITS, &mut template)
        }
        Datum::Numeric(value) => numeric(value, &mut template)?,
        other => panic!("to_char was given {other:?}"),
    };
    if template.wants_ordinal(&digits) && !digits.text.ends_with(|c: char| c.is_ascii_digit()) {
        let message = format!("\"{}\" is not a number", digits.text);
        return Err(SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message));
    }
    Ok(print(&template, &digits).into())
}

/// The whole number that Roman numerals are made of.
fn integer(value: &Datum) -> Result<i32> {
    use crate::cast::number_to_int4;
    match value {
        Datum::Numeric(number) => number_to_int4(&Datum::Numeric(number.round(0)?)),
        // Floats beyond the integers are no Roman numerals either.
        Datum::Float4(_) | Datum::Float8(_) => Ok(number_to_int4(value).unwrap_or(i32::MIN)),
        other => number_to_int4(other),
    }
}

fn roman(number: i32) -> String {
    const ONES: [&str; 10] = ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"];
    const TENS: [&str; 10] = ["", "X", "XX", "XXX", "XL", "L", "LX", "LXX", "LXXX", "XC"];
    const HUNDREDS: [&str; 10] = ["", "C", "CC", "CCC", "CD", "D", "DC", "DCC", "DCCC", "CM"];
    let Some(number) = usize::try_from(number).ok().filter(|number| (1..=3999).contains(number)) else {
        return "#".repeat(15);
    };
    let digit = |unit: usize| number / unit % 10;
    format!("{}{}{}{}", "M".repeat(number / 1000), HUNDREDS[digit(100)], TENS[digit(10)], ONES[digit(1)])
}

/// A sign apart, and blanks or `#` as the digits in front of the point fit the template.
fn fitted(text: &str, template: &Template) -> Digits {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (b'-', digits),
        None => (b'+', text),
    };
    let before = digits.find('.').unwrap_or(digits.len());
    let (text, spaces) = match before.cmp(&template.before) {
        std::cmp::Ordering::Greater => {
            let overflow = format!("{}.{}", "#".repeat(template.before), "#".repeat(template.after));
            (overflow, 0)
        }
        _ => (digits.to_owned(), template.before - before),
    };
    Digits { text, sign, spaces }
}

/// What stands for a value that has no exponent.
fn overflowed_exponent(template: &Template) -> Digits {
    let mut text = vec![b'#'; template.before + template.after + 6];
    text[0] = b' ';
    text[template.before + 1] = b'.';
    Digits { text: String::from_utf8(text).expect("ASCII"), sign: 0, spaces: 0 }
}

/// `1.5` as `1.50e+00`, with a blank for a positive sign.
fn exponent_of_float(value: f64, template: &Template) -> Digits {
    if !value.is_finite() {
        return overflowed_exponent(template);
    }
    let places = template.after;
    let text = format!("{value:.places$e}");
    let (mantissa, exponent) = text.split_once('e').expect("the format has an exponent");
    let exponent: i32 = exponent.parse().expect("an integer");
    let sign = if exponent < 0 { '-' } else { '+' };
    let blank = if mantissa.starts_with('-') { "" } else { " " };
    let text = format!("{blank}{mantissa}e{sign}{:02}", exponent.abs());
    Digits { text, sign: 0, spaces: 0 }
}

fn int4(value: i32, template: &mut Template) -> Digits {
    if template.exponent {
        return exponent_of_float(f64::from(value), template);
    }
    let mut value = value;
    if template.shift {
        // What C makes of a power that is no integer on x86-64, and of a product that is none.
        let factor = u32::try_from(template.shifted).ok().and_then(|shifted| 10i32.checked_pow(shifted));
        value = value.wrapping_mul(factor.unwrap_or(i32::MIN));
        template.before += template.shifted;
    }
    fitted(&with_places(value.to_string(), template.after), template)
}

fn with_places(text: String, places: usize) -> String {
    if places == 0 { text } else { format!("{text}.{}", "0".repeat(places)) }
}

fn int8(value: i64, template: &mut Template) -> Result<Digits> {
    if template.exponent {
        return exponent_of_numeric(&Numeric::from(value), template);
    }
    let mut value = value;
    if template.shift {
        let factor = u32::try_from(template.shifted).ok().and_then(|shifted| 10i64.checked_pow(shifted));
        let shifted = factor.and_then(|factor| value.checked_mul(factor));
        value = shifted.ok_or_else(|| SqlError::out_of_range("bigint"))?;
        template.before += template.shifted;
    }
    Ok(fitted(&with_places(value.to_string(), template.after), template))
}

/// What `V` multiplies by; nothing does with an exponent.
fn shift_factor(template: &Template) -> f64 {
    let shifted = if template.shift && !template.exponent { template.shifted } else { 0 };
    10f64.powi(i32::try_from(shifted).unwrap_or(i32::MAX))
}

/// A value that is shifted; digits beyond what its type surely holds are not shown.
fn float(value: f64, digits_max: usize, template: &mut Template) -> Digits {
    if template.exponent {
        return exponent_of_float(value, template);
    }
    if template.shift {
        template.before += template.shifted;
    }
    let word = match value {
        value if value.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
    };
    let before = match word {
        Some(word) => word.trim_start_matches('-').len(),
        None => format!("{:.0}", value.abs()).len(),
    };
    if before >= digits_max {
        template.after = 0;
    } else if before + template.after > digits_max {
        template.after = digits_max - before;
    }
    let places = template.after;
    match word {
        Some(word) => fitted(word, template),
        None => fitted(&format!("{value:.places$}"), template),
    }
}

fn numeric(value: &Numeric, template: &mut Template) -> Result<Digits> {
    if template.exponent {
        return exponent_of_numeric(value, template);
    }
    let mut value = value.clone();
    if template.shift {
        let shifted = i64::try_from(template.shifted).unwrap_or(i64::MAX);
        value = value.multiply(&Numeric::from(10i64).power(&Numeric::from(shifted))?)?;
        template.before += template.shifted;
    }
    let places = i32::try_from(template.after).unwrap_or(i32::MAX);
    Ok(fitted(&value.round(places)?.to_string(), template))
}

/// One digit, the point, as many digits as the template has, and the exponent.
fn exponent_of_numeric(value: &Numeric, template: &Template) -> Result<Digits> {
    if !value.is_finite() {
        return Ok(overflowed_exponent(template));
    }
    let places = i32::try_from(template.after).unwrap_or(i32::MAX);
    let mut exponent = leading_exponent(value);
    let mut text = scaled(value, exponent, places)?;
    // 9.99 may round up to 10.0: PostgreSQL then leaves it at two digits.
    if value.is_zero() {
        exponent = 0;
        text = with_places("0".to_owned(), template.after);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let blank = if text.starts_with('-') { "" } else { " " };
    Ok(Digits { text: format!("{blank}{text}e{sign}{:02}", exponent.abs()), sign: 0, spaces: 0 })
}

/// The power of ten of the first digit that is not 0.
fn leading_exponent(value: &Numeric) -> i32 {
    let groups = Groups::of(value);
    match groups.digits.first() {
        None => 0,
        Some(first) => groups.weight * 4 + i32::try_from(first.ilog10()).expect("at most 3"),
    }
}

fn scaled(value: &Numeric, exponent: i32, places: i32) -> Result<String> {
    // Moving the point is exact: by a power of ten of the sign that needs no division.
    let power = |count: i32| -> Result<Numeric> {
        let digits = format!("1e{count}");
        Numeric::parse(&digits)
    };
    Ok(value.multiply(&power(-exponent)?)?.round(places)?.to_string())
}

/// `to_number(text, template)`; NULL for an empty template.
pub(super) fn to_number(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 1);
    if text.is_empty() {
        return Ok(Datum::Null);
    }
    let template = Template::parse(text)?;
    let (number, scale) = scan(&template, str_at(args, 0))?;
    let value = Numeric::parse(&number)?;
    let (scale, shifted) = (scale, template.shifted);
    let precision = template.before + shifted + scale;
    let packed = i32::try_from((precision << 16) | scale).unwrap_or(i32::MAX - 4);
    let value = value.apply_typmod(Typmod(packed + 4))?;
    if !template.shift {
        return Ok(Datum::Numeric(value));
    }
    let exponent = i64::try_from(shifted).unwrap_or(i64::MAX);
    let factor = Numeric::from(10i64).power(&Numeric::from(-exponent))?;
    Ok(Datum::Numeric(value.multiply(&factor)?))
}
