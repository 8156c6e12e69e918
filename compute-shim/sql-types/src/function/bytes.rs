//! Functions of byte strings, digests and encodings.
//!
//! Owns `md5`, the SHA-2 family, `encode`, `decode` and the byte-wise forms of the string functions. Read next: `string.rs`.

use md5::{Digest, Md5};
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::string::{length_datum, substr_bounds};
use super::{bytes_at, str_at};
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError};
use crate::text::write_bytea;

pub(super) fn length(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(length_datum(bytes_at(args, 0).len()))
}

pub(super) fn substr(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let bytes = bytes_at(args, 0);
    let (start, end) = substr_bounds(args)?;
    let end = end.unwrap_or(bytes.len()).min(bytes.len());
    Ok(Datum::Bytea(bytes.get(start..end).unwrap_or_default().into()))
}

fn digest(bytes: &[u8]) -> Datum {
    hexadecimal(&Md5::digest(bytes)).into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    write_bytea(bytes, &mut out);
    String::from_utf8(out.split_off(2)).expect("digits are ASCII")
}

pub(super) fn md5_text(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(digest(str_at(args, 0).as_bytes()))
}

pub(super) fn md5_bytes(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(digest(bytes_at(args, 0)))
}

fn sha<D: Digest>(args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bytea(D::digest(bytes_at(args, 0)).as_slice().into()))
}

pub(super) fn sha224(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    sha::<Sha224>(args)
}

pub(super) fn sha256(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    sha::<Sha256>(args)
}

pub(super) fn sha384(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    sha::<Sha384>(args)
}

pub(super) fn sha512(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    sha::<Sha512>(args)
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Characters of a line of base64, as in RFC 2045.
const BASE64_LINE: usize = 76;

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for (at, chunk) in bytes.chunks(3).enumerate() {
        if at > 0 && (at * 4).is_multiple_of(BASE64_LINE) {
            text.push('\n');
        }
        let word =
            chunk.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = usize::try_from(word >> (18 - 6 * place) & 63).expect("six bits");
            text.push(if place <= chunk.len() { char::from(BASE64[digit]) } else { '=' });
        }
    }
    text
}

fn decode_base64(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut word, mut count, mut padding) = (0u32, 0u32, 0usize);
    for c in text.chars().filter(|c| !matches!(c, ' ' | '\t' | '\n' | '\r')) {
        let digit = match u8::try_from(c).ok().and_then(|byte| BASE64.iter().position(|&known| known == byte))
        {
            Some(digit) if padding == 0 => u32::try_from(digit).expect("below 64"),
            None if c == '=' && (count == 2 || count == 3) => {
                padding += 1;
                0
            }
            _ if c == '=' => {
                return Err(SqlError::invalid_parameter("unexpected \"=\" while decoding base64 sequence"));
            }
            _ => {
                let message = format!("invalid symbol \"{c}\" found while decoding base64 sequence");
                return Err(SqlError::invalid_parameter(message));
            }
        };
        word = word << 6 | digit;
        count += 1;
        if count == 4 {
            bytes.extend_from_slice(&word.to_be_bytes()[1..4 - padding]);
            (word, count) = (0, 0);
        }
    }
    if count != 0 {
        let error = SqlError::invalid_parameter("invalid base64 end sequence");
        return Err(
            error.with_hint("Input data is missing padding, is truncated, or is otherwise corrupted.")
        );
    }
    Ok(bytes)
}

/// Bytes above 127, zero and backslashes as escapes.
fn escape(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            0 | 0x80.. => write!(text, "\\{byte:03o}").expect("writing into memory cannot fail"),
            b'\\' => text.push_str("\\\\"),
            _ => text.push(char::from(byte)),
        }
    }
    text
}

fn unrecognized(format: &str) -> SqlError {
    SqlError::invalid_parameter(format!("unrecognized encoding: \"{format}\""))
}

pub(super) fn encode(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (bytes, format) = (bytes_at(args, 0), str_at(args, 1));
    Ok(match format.to_ascii_lowercase().as_str() {
        "hex" => hexadecimal(bytes),
        "base64" => base64(bytes),
        "escape" => escape(bytes),
        _ => return Err(unrecognized(format)),
    }
    .into())
}

pub(super) fn decode(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    use crate::types::{TypeId, Typmod};
    let (text, format) = (str_at(args, 0), str_at(args, 1));
    match format.to_ascii_lowercase().as_str() {
        "hex" => crate::text::input(env, TypeId::BYTEA, Typmod::NONE, &format!("\\x{text}")),
        "base64" => Ok(Datum::Bytea(decode_base64(text)?.into())),
        // Escaped input that would read as hexadecimal begins with a backslash that escapes nothing, an error either way.
        "escape" => crate::text::input(env, TypeId::BYTEA, Typmod::NONE, text),
        _ => Err(unrecognized(format)),
    }
}

/// Random bits with the version and variant of RFC 4122, section 4.4.
pub(super) fn gen_random_uuid(env: &EvalEnv<'_>, _: &[Datum]) -> Result<Datum> {
    let mut uuid = [0u8; 16];
    uuid[..8].copy_from_slice(&env.host.random_u64().to_be_bytes());
    uuid[8..].copy_from_slice(&env.host.random_u64().to_be_bytes());
    uuid[6] = uuid[6] & 0x0f | 0x40;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    Ok(Datum::Uuid(uuid))
}
