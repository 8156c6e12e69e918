//! Parts of byte strings: bits, bytes, trimming, overlaying, searching; and text in other encodings.
//!
//! Owns the byte-wise forms that text has of its own. Read next: `bytes.rs`.

use super::string::length_datum;
use super::{bytes_at, i32_at, str_at};
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::text::decode_utf8;

fn bytea(bytes: impl Into<std::sync::Arc<[u8]>>) -> Result<Datum> {
    Ok(Datum::Bytea(bytes.into()))
}

/// A place within `length`; 2202E otherwise.
fn place(index: i64, length: usize) -> Result<usize> {
    let end = i64::try_from(length).expect("values are bounded by memory");
    if (0..end).contains(&index) {
        return Ok(usize::try_from(index).expect("not negative"));
    }
    let message = format!("index {index} out of valid range, 0..{}", end - 1);
    Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message))
}

fn bit_place(args: &[Datum], bytes: &[u8]) -> Result<usize> {
    let index = args[1].as_i64().unwrap_or_else(|| panic!("an integer was expected: {args:?}"));
    place(index, bytes.len() * 8)
}

pub(super) fn get_byte(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let bytes = bytes_at(args, 0);
    let at = place(i64::from(i32_at(args, 1)), bytes.len())?;
    Ok(Datum::Int4(i32::from(bytes[at])))
}

pub(super) fn set_byte(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let mut bytes = bytes_at(args, 0).to_vec();
    let at = place(i64::from(i32_at(args, 1)), bytes.len())?;
    bytes[at] = i32_at(args, 2).to_le_bytes()[0];
    bytea(bytes)
}

pub(super) fn get_bit(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let bytes = bytes_at(args, 0);
    let at = bit_place(args, bytes)?;
    Ok(Datum::Int4(i32::from(bytes[at / 8] >> (at % 8) & 1)))
}

pub(super) fn set_bit(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let mut bytes = bytes_at(args, 0).to_vec();
    let at = bit_place(args, &bytes)?;
    let mask = 1 << (at % 8);
    match i32_at(args, 2) {
        0 => bytes[at / 8] &= !mask,
        1 => bytes[at / 8] |= mask,
        _ => return Err(SqlError::invalid_parameter("new bit must be 0 or 1")),
    }
    bytea(bytes)
}

pub(super) fn bit_count(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Int8(bytes_at(args, 0).iter().map(|byte| i64::from(byte.count_ones())).sum()))
}

pub(super) fn bit_length(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(length_datum(bytes_at(args, 0).len() * 8))
}

fn trimmed(args: &[Datum], front: bool, back: bool) -> Result<Datum> {
    let (mut bytes, set) = (bytes_at(args, 0), bytes_at(args, 1));
    while let (true, [first, rest @ ..]) = (front, bytes)
        && set.contains(first)
    {
        bytes = rest;
    }
    while let (true, [rest @ .., last]) = (back, bytes)
        && set.contains(last)
    {
        bytes = rest;
    }
    bytea(bytes)
}

pub(super) fn btrim(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    trimmed(args, true, true)
}

pub(super) fn ltrim(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    trimmed(args, true, false)
}

pub(super) fn rtrim(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    trimmed(args, false, true)
}

/// `overlay(bytes, new, from [, count])`.
pub(super) fn overlay(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (bytes, new, from) = (bytes_at(args, 0), bytes_at(args, 1), i32_at(args, 2));
    let count = match args.get(3) {
        Some(_) => i32_at(args, 3),
        None => i32::try_from(new.len()).expect("values are below 2 GiB"),
    };
    if from <= 0 {
        return Err(SqlError::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let behind = from.checked_add(count).ok_or_else(|| SqlError::out_of_range("integer"))?;
    let cut = |place: i32| usize::try_from(place - 1).unwrap_or(0).min(bytes.len());
    bytea([&bytes[..cut(from)], new, &bytes[cut(behind)..]].concat())
}

pub(super) fn position(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (bytes, wanted) = (bytes_at(args, 0), bytes_at(args, 1));
    if wanted.is_empty() {
        return Ok(Datum::Int4(1));
    }
    let found = bytes.windows(wanted.len()).position(|window| window == wanted);
    Ok(length_datum(found.map_or(0, |at| at + 1)))
}

/// The encodings that text can be converted from and to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Latin1,
}

/// An encoding by its name, letters and digits of which count alone. 22023 for one that is none.
fn encoding(name: &str, what: &str) -> Result<Encoding> {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match plain.as_str() {
        "utf8" | "unicode" => Ok(Encoding::Utf8),
        "latin1" | "iso88591" => Ok(Encoding::Latin1),
        _ if OTHERS.contains(&plain.as_str()) => {
            Err(SqlError::unsupported(format!("the encoding {}", name.to_uppercase())))
        }
        _ => Err(SqlError::invalid_parameter(format!("invalid {what} encoding name \"{name}\""))),
    }
}

/// Encodings that PostgreSQL has beside those, in their plain spelling.
const OTHERS: &[&str] = &[
    "sqlascii",
    "eucjp",
    "euccn",
    "euckr",
    "euctw",
    "eucjis2004",
    "muleinternal",
    "latin2",
    "latin3",
    "latin4",
    "latin5",
    "latin6",
    "latin7",
    "latin8",
    "latin9",
    "latin10",
    "win1256",
    "win1258",
    "win866",
    "win874",
    "koi8r",
    "koi8",
    "win1251",
    "win1252",
    "win",
    "win1250",
    "win1253",
    "win1254",
    "win1255",
    "win1257",
    "koi8u",
    "iso88592",
    "iso88593",
    "iso88594",
    "iso88595",
    "iso88596",
    "iso88597",
    "iso88598",
    "iso88599",
    "iso885910",
    "iso885913",
    "iso885914",
    "iso885915",
    "iso885916",
    "sjis",
    "big5",
    "gbk",
    "uhc",
    "gb18030",
    "johab",
    "shiftjis2004",
    "windows1250",
    "windows1251",
    "windows1252",
    "windows1253",
    "windows1254",
    "windows1255",
    "windows1256",
    "windows1257",
    "windows1258",
    "windows866",
    "windows874",
    "shiftjis",
];

fn decoded(bytes: &[u8], encoding: Encoding) -> Result<String> {
    match encoding {
        Encoding::Utf8 => decode_utf8(bytes).map(str::to_owned),
        Encoding::Latin1 if bytes.contains(&0) => {
            let message = "invalid byte sequence for encoding \"LATIN1\": 0x00";
            Err(SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message))
        }
        Encoding::Latin1 => Ok(bytes.iter().map(|&byte| char::from(byte)).collect()),
    }
}

fn encoded(text: &str, encoding: Encoding) -> Result<Vec<u8>> {
    if encoding == Encoding::Utf8 {
        return Ok(text.as_bytes().to_vec());
    }
    let byte = |c: char| {
        u8::try_from(u32::from(c)).map_err(|_| {
            let bytes: Vec<String> =
                c.to_string().bytes().map(|byte| format!("0x{byte:02x}")).collect();
            let message = format!(
                "character with byte sequence {} in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
                bytes.join(" ")
            );
            SqlError::new(SqlState::UNTRANSLATABLE_CHARACTER, message)
        })
    };
    text.chars().map(byte).collect()
}

pub(super) fn convert_from(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(decoded(bytes_at(args, 0), encoding(str_at(args, 1), "source")?)?.into())
}

pub(super) fn convert_to(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    bytea(encoded(str_at(args, 0), encoding(str_at(args, 1), "destination")?)?)
}

pub(super) fn convert(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (from, to) = (encoding(str_at(args, 1), "source")?, encoding(str_at(args, 2), "destination")?);
    bytea(encoded(&decoded(bytes_at(args, 0), from)?, to)?)
}

/// `length(bytes, encoding)`, in characters.
pub(super) fn length_in(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let name = str_at(args, 1);
    let encoding = encoding(name, "").map_err(|error| match error.sqlstate() {
        SqlState::INVALID_PARAMETER_VALUE => {
            SqlError::invalid_parameter(format!("invalid encoding name \"{name}\""))
        }
        _ => error,
    })?;
    Ok(length_datum(decoded(bytes_at(args, 0), encoding)?.chars().count()))
}
