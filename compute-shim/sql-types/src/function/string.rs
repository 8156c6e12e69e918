//! Functions of strings: measuring, cutting, padding, searching, replacing.
//!
//! Owns their code; positions and lengths count characters from 1, as in SQL. Case follows the one-to-one mappings of Unicode, as
//! PostgreSQL does with `C.UTF-8`. Read next: `quote.rs`, `bytes.rs`.

use super::{i32_at, str_at};
use crate::datum::{Array, Datum};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::types::TypeId;

/// Most bytes of a string that a function may build.
pub(super) const TEXT_BYTES_MAX: usize = 0x3fff_ffff;

/// A length as `integer`.
pub(super) fn length_datum(length: usize) -> Datum {
    Datum::Int4(i32::try_from(length).expect("strings are below 2 GiB"))
}

fn too_large() -> SqlError {
    SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large")
}

/// The upper-case form of a character where that is one character. Greek letters with an iota beneath have one that Rust passes
/// over for two letters.
pub(crate) fn upper_char(c: char) -> char {
    let behind = match c {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => 9,
        _ => {
            let mut upper = c.to_uppercase();
            return match (upper.next(), upper.next()) {
                (Some(one), None) => one,
                _ => c,
            };
        }
    };
    char::from_u32(u32::from(c) + behind).expect("a letter of the same block")
}

/// Likewise; the I with a dot loses it.
pub(crate) fn lower_char(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ if c == '\u{130}' => 'i',
        _ => c,
    }
}

/// Lower case of a whole string, character by character.
pub(crate) fn to_lower(text: &str) -> String {
    text.chars().map(lower_char).collect()
}

pub(super) fn char_length(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(length_datum(str_at(args, 0).chars().count()))
}

/// Trailing blanks of a `bpchar` do not count.
pub(super) fn bpchar_length(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(length_datum(crate::datum::trim_bpchar(str_at(args, 0)).chars().count()))
}

pub(super) fn octet_length(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(length_datum(str_at(args, 0).len()))
}

pub(super) fn bit_length(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let bits = i32::try_from(str_at(args, 0).len() * 8).map_err(|_| SqlError::out_of_range("integer"))?;
    Ok(Datum::Int4(bits))
}

pub(super) fn lower(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(to_lower(str_at(args, 0)).into())
}

pub(super) fn upper(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(str_at(args, 0).chars().map(upper_char).collect::<String>().into())
}

pub(super) fn initcap(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let mut inside = false;
    let text: String = str_at(args, 0)
        .chars()
        .map(|c| {
            let changed = if inside { lower_char(c) } else { upper_char(c) };
            inside = c.is_alphanumeric();
            changed
        })
        .collect();
    Ok(text.into())
}

/// Byte offset of the character with this index, the end if there are fewer.
fn offset_of(text: &str, index: usize) -> usize {
    text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
}

/// `substr`, `substring`: from a position, with or without a length. 22011 for a negative length.
pub(super) fn substr(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 0);
    let (start, end) = substr_bounds(args)?;
    let from = offset_of(text, start);
    let to = from + end.map_or(text.len() - from, |end| offset_of(&text[from..], end.saturating_sub(start)));
    Ok(text[from..to].into())
}

/// First index from 0 and the index behind the last, `None` for open.
pub(super) fn substr_bounds(args: &[Datum]) -> Result<(usize, Option<usize>)> {
    let start = i64::from(i32_at(args, 1));
    let index = |position: i64| usize::try_from((position - 1).max(0)).expect("not negative");
    if args.len() < 3 {
        return Ok((index(start), None));
    }
    let length = i64::from(i32_at(args, 2));
    if length < 0 {
        return Err(SqlError::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    Ok((index(start), Some(index(start + length))))
}

/// `left(text, n)`; a negative n keeps all but the last -n characters.
pub(super) fn left(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (text, count) = (str_at(args, 0), i32_at(args, 1));
    let keep = kept(text, count);
    Ok(text[..offset_of(text, keep)].into())
}

/// `right(text, n)`; a negative n drops the first -n characters. The least n has no -n: nothing is dropped, as in PostgreSQL.
pub(super) fn right(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (text, count) = (str_at(args, 0), i32_at(args, 1));
    if count == i32::MIN {
        return Ok(text.into());
    }
    let drop = text.chars().count() - kept(text, count);
    Ok(text[offset_of(text, drop)..].into())
}

/// How many characters `left` and `right` keep.
fn kept(text: &str, count: i32) -> usize {
    let length = text.chars().count();
    let distance = usize::try_from(count.unsigned_abs()).expect("fits on 64 bits");
    if count < 0 { length.saturating_sub(distance) } else { length.min(distance) }
}

fn trim_set(args: &[Datum]) -> impl Fn(char) -> bool + '_ {
    let set = if args.len() > 1 { str_at(args, 1) } else { " " };
    move |c| set.contains(c)
}

pub(super) fn btrim(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(str_at(args, 0).trim_matches(trim_set(args)).into())
}

pub(super) fn ltrim(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(str_at(args, 0).trim_start_matches(trim_set(args)).into())
}

pub(super) fn rtrim(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(str_at(args, 0).trim_end_matches(trim_set(args)).into())
}

/// The text cut to a length, and the padding that it lacks.
fn padding(args: &[Datum]) -> Result<(&str, String)> {
    let text = str_at(args, 0);
    let fill = if args.len() > 2 { str_at(args, 2) } else { " " };
    let length = usize::try_from(i32_at(args, 1)).unwrap_or(0);
    let count = text.chars().count();
    if count >= length || fill.is_empty() {
        return Ok((&text[..offset_of(text, length)], String::new()));
    }
    if length.saturating_mul(4) > TEXT_BYTES_MAX {
        return Err(too_large());
    }
    Ok((text, fill.chars().cycle().take(length - count).collect()))
}

pub(super) fn lpad(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (text, padding) = padding(args)?;
    Ok((padding + text).into())
}

pub(super) fn rpad(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (text, padding) = padding(args)?;
    Ok((text.to_owned() + &padding).into())
}

pub(super) fn replace(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (text, from, to) = (str_at(args, 0), str_at(args, 1), str_at(args, 2));
    if from.is_empty() {
        return Ok(args[0].clone());
    }
    Ok(text.replace(from, to).into())
}

/// Position of a substring in characters, 0 if there is none.
pub(super) fn strpos(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 0);
    let found = text.find(str_at(args, 1)).map_or(0, |at| text[..at].chars().count() + 1);
    Ok(length_datum(found))
}

pub(super) fn repeat(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 0);
    let count = usize::try_from(i32_at(args, 1)).unwrap_or(0);
    if text.len().saturating_mul(count) > TEXT_BYTES_MAX {
        return Err(too_large());
    }
    Ok(text.repeat(count).into())
}

pub(super) fn reverse(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(str_at(args, 0).chars().rev().collect::<String>().into())
}

/// NULL arguments count as empty.
pub(super) fn concat(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(args.iter().filter_map(Datum::as_str).collect::<String>().into())
}

/// NULL arguments are left out; a NULL separator gives NULL.
pub(super) fn concat_ws(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some(separator) = args[0].as_str() else {
        return Ok(Datum::Null);
    };
    let parts: Vec<&str> = args[1..].iter().filter_map(Datum::as_str).collect();
    Ok(parts.join(separator).into())
}

/// Code point of the first character, 0 for none.
pub(super) fn ascii(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let code = str_at(args, 0).chars().next().map_or(0, u32::from);
    Ok(Datum::Int4(i32::try_from(code).expect("code points are below 2^21")))
}

pub(super) fn chr(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let code = i32_at(args, 0);
    let refuse = |message: &str| Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    if code < 0 {
        return Err(SqlError::invalid_parameter("character number must be positive"));
    }
    if code == 0 {
        return refuse("null character not permitted");
    }
    match char::from_u32(code.cast_unsigned()) {
        Some(c) => Ok(c.to_string().into()),
        None if code > 0x10_ffff => refuse(&format!("requested character too large for encoding: {code}")),
        None => refuse(&format!("requested character not valid for encoding: {code}")),
    }
}

/// The n-th field between delimiters; a negative n counts from the end.
pub(super) fn split_part(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (text, delimiter, number) = (str_at(args, 0), str_at(args, 1), i32_at(args, 2));
    if number == 0 {
        return Err(SqlError::invalid_parameter("field position must not be zero"));
    }
    let index = usize::try_from(number.unsigned_abs()).expect("fits on 64 bits") - 1;
    let fields: Vec<&str> = if delimiter.is_empty() {
        if text.is_empty() { Vec::new() } else { vec![text] }
    } else {
        text.split(delimiter).collect()
    };
    let field = if number > 0 { fields.get(index) } else { fields.iter().rev().nth(index) };
    Ok(field.copied().unwrap_or("").into())
}

/// Exchanges characters one for one; those without a counterpart are dropped.
pub(super) fn translate(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let to: Vec<char> = str_at(args, 2).chars().collect();
    let from: Vec<char> = str_at(args, 1).chars().collect();
    let exchange = |c: char| match from.iter().position(|&candidate| candidate == c) {
        Some(at) => to.get(at).copied(),
        None => Some(c),
    };
    Ok(str_at(args, 0).chars().filter_map(exchange).collect::<String>().into())
}

pub(super) fn starts_with(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(str_at(args, 0).starts_with(str_at(args, 1))))
}

/// `overlay(text PLACING text FROM n [FOR length])`.
pub(super) fn overlay(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (text, placed, start) = (str_at(args, 0), str_at(args, 1), i32_at(args, 2));
    if start <= 0 {
        return Err(SqlError::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let length = if args.len() > 3 {
        i64::from(i32_at(args, 3))
    } else {
        i64::try_from(placed.chars().count()).expect("strings fit memory")
    };
    let sum = i64::from(start) + length;
    if i32::try_from(sum).is_err() {
        return Err(SqlError::out_of_range("integer"));
    }
    let before = usize::try_from(start - 1).expect("positive");
    let behind = usize::try_from((i64::from(start) - 1 + length).max(0)).expect("not negative");
    let (before, behind) = (offset_of(text, before), offset_of(text, behind));
    Ok([&text[..before], placed, &text[behind..]].concat().into())
}

/// `string_to_array(text, delimiter [, null string])`: a NULL delimiter splits into characters.
pub(super) fn string_to_array(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some(text) = args[0].as_str() else {
        return Ok(Datum::Null);
    };
    let null = args.get(2).and_then(Datum::as_str);
    let parts: Vec<String> = match args[1].as_str() {
        _ if text.is_empty() => Vec::new(),
        None => text.chars().map(String::from).collect(),
        Some("") => vec![text.to_owned()],
        Some(delimiter) => text.split(delimiter).map(str::to_owned).collect(),
    };
    let value = |part: String| if Some(part.as_str()) == null { Datum::Null } else { part.into() };
    Ok(Array::from_values(TypeId::TEXT, parts.into_iter().map(value).collect()).into())
}
