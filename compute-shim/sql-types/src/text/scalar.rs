//! Text form of the small types: `bool`, `"char"`, `name`, `bytea`, `uuid`, `reg…`.
//!
//! Owns their parsing with PostgreSQL's messages. Read next: `composite.rs`.

use std::io::Write;

use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::types::TypeId;

/// Longest `name`, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// 22021 for text that holds a NUL, which no PostgreSQL string can.
pub(super) fn check_text(text: &str) -> Result<()> {
    if text.contains('\0') {
        let message = "invalid byte sequence for encoding \"UTF8\": 0x00";
        return Err(SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message));
    }
    Ok(())
}

/// Text that came as bytes. 22021 for bytes that are not UTF-8, or hold a NUL; the message names them.
pub fn decode_utf8(bytes: &[u8]) -> Result<&str> {
    let invalid = |at: usize, length: usize| {
        let end = bytes.len().min(at + length);
        let shown: Vec<String> = bytes[at..end].iter().map(|byte| format!("0x{byte:02x}")).collect();
        let message = format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" "));
        SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        // As many bytes as the first one announces.
        let length = match bytes[at] {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            _ => 1,
        };
        invalid(at, length)
    })?;
    match text.find('\0') {
        Some(at) => Err(invalid(at, 1)),
        None => Ok(text),
    }
}

/// The longest beginning of whole characters that fits a `name`.
pub(crate) fn truncate_name(text: &str) -> &str {
    if text.len() <= NAME_BYTES_MAX {
        return text;
    }
    let end = (0..=NAME_BYTES_MAX).rev().find(|&at| text.is_char_boundary(at)).expect("0 is a boundary");
    &text[..end]
}

/// Any beginning of a word that no other word has.
pub(super) fn parse_bool(text: &str) -> Result<bool> {
    let word = text.trim_matches(|c: char| matches!(c, ' ' | '\t'..='\r')).to_ascii_lowercase();
    let begins = |whole: &str, least: usize| word.len() >= least && whole.starts_with(&word);
    if begins("true", 1) || begins("yes", 1) || begins("on", 2) || word == "1" {
        return Ok(true);
    }
    if begins("false", 1) || begins("no", 1) || begins("off", 2) || word == "0" {
        return Ok(false);
    }
    Err(SqlError::invalid_input("boolean", text))
}

/// Appends a `"char"`: nothing for zero, an octal escape for bytes that are no characters by themselves.
pub(crate) fn write_char(value: u8, out: &mut Vec<u8>) {
    match value {
        0 => {}
        1..=0x7f => out.push(value),
        _ => write!(out, "\\{value:03o}").expect("writing into memory cannot fail"),
    }
}

fn hex_digit(text: &str, byte: u8) -> Result<u8> {
    let digit = char::from(byte).to_digit(16).ok_or_else(|| {
        // Name the whole character, not a byte of it.
        let bad = text.chars().find(|c| !c.is_ascii_hexdigit() && !c.is_ascii_whitespace()).unwrap_or('?');
        SqlError::invalid_parameter(format!("invalid hexadecimal digit: \"{bad}\""))
    })?;
    Ok(u8::try_from(digit).expect("below 16"))
}

/// `\x…` in hexadecimal, or bytes with `\\` and `\ooo` escapes.
pub(super) fn parse_bytea(text: &str) -> Result<Vec<u8>> {
    let Some(hex) = text.strip_prefix("\\x") else {
        return parse_bytea_escape(text);
    };
    let mut bytes = Vec::with_capacity(hex.len() / 2);
    let mut rest = hex.bytes();
    while let Some(byte) = rest.next() {
        if matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
            continue;
        }
        let high = hex_digit(hex, byte)?;
        let low = rest
            .next()
            .ok_or_else(|| SqlError::invalid_parameter("invalid hexadecimal data: odd number of digits"))?;
        bytes.push(high << 4 | hex_digit(hex, low)?);
    }
    Ok(bytes)
}

fn parse_bytea_escape(text: &str) -> Result<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut result = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'\\', b'\\', ..] => {
                result.push(b'\\');
                at += 2;
            }
            &[b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                result.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                at += 4;
            }
            [b'\\', ..] => {
                let message = "invalid input syntax for type bytea";
                return Err(SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message));
            }
            [byte, ..] => {
                result.push(*byte);
                at += 1;
            }
            [] => unreachable!("the loop ends before"),
        }
    }
    Ok(result)
}

/// Appends bytes as `\x…`.
pub(crate) fn write_bytea(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\x");
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// `(block,offset)` in one number, as loosely as PostgreSQL's `tidin` reads it: what stands before the parenthesis and
/// behind the other one does not matter.
pub(super) fn parse_tid(text: &str) -> Result<i64> {
    let invalid = || SqlError::invalid_input("tid", text);
    let mut begins = [0; 2];
    let mut count = 0;
    for (at, byte) in text.bytes().enumerate() {
        if count == begins.len() || byte == b')' {
            break;
        }
        if byte == b',' || (byte == b'(' && count == 0) {
            begins[count] = at + 1;
            count += 1;
        }
    }
    if count < begins.len() {
        return Err(invalid());
    }
    let (block, rest) = c_unsigned(&text[begins[0]..]).ok_or_else(invalid)?;
    // A negative number of 32 bits is one without its sign.
    let narrow = block as u32;
    let is_block = block == u64::from(narrow) || block == i64::from(narrow.cast_signed()).cast_unsigned();
    if !is_block || !rest.starts_with(',') {
        return Err(invalid());
    }
    let (offset, rest) = c_unsigned(&text[begins[1]..]).ok_or_else(invalid)?;
    let offset = u16::try_from(offset).map_err(|_| invalid())?;
    if !rest.starts_with(')') {
        return Err(invalid());
    }
    Ok(i64::from(narrow) << 16 | i64::from(offset))
}

/// C's `strtoul`: the number and what stands behind it; 0 and all of the text if there is none, `None` beyond 64 bits.
fn c_unsigned(text: &str) -> Option<(u64, &str)> {
    let blank = |character: char| character.is_ascii_whitespace() || character == '\x0b';
    let number = text.trim_start_matches(blank);
    let (negative, digits) = match number.as_bytes().first() {
        Some(b'-') => (true, &number[1..]),
        Some(b'+') => (false, &number[1..]),
        _ => (false, number),
    };
    let end = digits.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    if end == 0 {
        return Some((0, text));
    }
    let value: u64 = digits[..end].parse().ok()?;
    Some((if negative { value.wrapping_neg() } else { value }, &digits[end..]))
}

/// Appends a tid as `(block,offset)`.
pub(super) fn write_tid(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("({},{})", value >> 16, value & i64::from(u16::MAX)).as_bytes());
}

/// 32 hexadecimal digits, a hyphen allowed behind each four, braces allowed around.
pub(super) fn parse_uuid(text: &str) -> Result<[u8; 16]> {
    let invalid = || SqlError::invalid_input("uuid", text);
    let inner = match text.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}').ok_or_else(invalid)?,
        None => text,
    };
    let mut uuid = [0u8; 16];
    let mut digits = 0;
    let mut hyphen_allowed = false;
    for byte in inner.bytes() {
        if byte == b'-' && hyphen_allowed {
            hyphen_allowed = false;
            continue;
        }
        let digit = char::from(byte).to_digit(16).ok_or_else(invalid)?;
        if digits == 32 {
            return Err(invalid());
        }
        uuid[digits / 2] = uuid[digits / 2] << 4 | u8::try_from(digit).expect("below 16");
        digits += 1;
        hyphen_allowed = digits % 4 == 0 && digits < 32;
    }
    if digits == 32 { Ok(uuid) } else { Err(invalid()) }
}

/// Appends a uuid in its canonical form.
pub(crate) fn write_uuid(uuid: &[u8; 16], out: &mut Vec<u8>) {
    for (at, byte) in uuid.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        write!(out, "{byte:02x}").expect("writing into memory cannot fail");
    }
}

/// A `reg…` value: `-` for none, digits for an oid, otherwise a name for the host to find.
pub(super) fn parse_registry(env: &EvalEnv<'_>, id: TypeId, text: &str) -> Result<u32> {
    if text == "-" {
        return Ok(0);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return super::number::parse_oid(text, TypeId::OID);
    }
    env.host.registry_oid(id, text)
}

/// Appends a `reg…` value: the object's name, `-` for none, digits for an oid without an object.
pub(super) fn write_registry(env: &EvalEnv<'_>, id: TypeId, oid: u32, out: &mut Vec<u8>) {
    if oid == 0 {
        return out.push(b'-');
    }
    match env.host.registry_name(id, oid) {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => super::write_i64(i64::from(oid), out),
    }
}
