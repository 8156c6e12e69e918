//! The bytes of a `jsonb` value in a row: a tree without pointers, read in one pass.
//!
//! | byte | what follows |
//! |---|---|
//! | 0, 1, 2: null, false, true | nothing |
//! | 3: number | its length, and its bytes as `numeric` has them |
//! | 4: string | its length, and UTF-8 |
//! | 5: array | the count of its elements, and these |
//! | 6: object | the count of its members, and of each the key's length, UTF-8, and the value; keys in order of length, then of bytes |
//!
//! Lengths and counts are LEB128, seven bits a byte, lowest first. Read next: `value.rs`.

use super::value::{read_numeric, write_numeric};
use crate::json::{Json, NESTING_MAX, compare_keys};

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NUMBER: u8 = 3;
const STRING: u8 = 4;
const ARRAY: u8 = 5;
const OBJECT: u8 = 6;

pub(super) fn write(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Null => out.push(NULL),
        Json::Bool(false) => out.push(FALSE),
        Json::Bool(true) => out.push(TRUE),
        Json::Number(number) => {
            out.push(NUMBER);
            let mut bytes = Vec::new();
            write_numeric(number, &mut bytes);
            write_length(bytes.len(), out);
            out.extend_from_slice(&bytes);
        }
        Json::String(text) => {
            out.push(STRING);
            write_text(text, out);
        }
        Json::Array(elements) => {
            out.push(ARRAY);
            write_length(elements.len(), out);
            elements.iter().for_each(|element| write(element, out));
        }
        Json::Object(members) => {
            out.push(OBJECT);
            write_length(members.len(), out);
            for (key, value) in members {
                write_text(key, out);
                write(value, out);
            }
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_length(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn write_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).expect("seven bits"));
}

/// Reads a value; `None` for bytes that are none.
pub(super) fn read(mut bytes: &[u8]) -> Option<Json> {
    let value = take(&mut bytes, 0)?;
    bytes.is_empty().then_some(value)
}

fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    let mut length = 0usize;
    for at in 0..5 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        length |= usize::from(byte & 0x7f) << (at * 7);
        if byte < 0x80 {
            return Some(length);
        }
    }
    None
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(bytes)?;
    let (head, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(head)
}

fn take_text(bytes: &mut &[u8]) -> Option<Box<str>> {
    let text = std::str::from_utf8(take_bytes(bytes)?).ok()?;
    (!text.contains('\0')).then(|| text.into())
}

/// A count of parts that have at least a byte each: more of them than bytes are damage, and must not reserve memory.
fn take_count(bytes: &mut &[u8]) -> Option<usize> {
    take_length(bytes).filter(|&count| count <= bytes.len())
}

// Values within values are taken by plain loops: `collect` would lay a dozen frames upon each level's one, where nothing is inlined.
fn take(bytes: &mut &[u8], depth: usize) -> Option<Json> {
    let (&kind, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(match kind {
        NULL => Json::Null,
        FALSE => Json::Bool(false),
        TRUE => Json::Bool(true),
        NUMBER => Json::Number(read_numeric(take_bytes(bytes)?).filter(crate::Numeric::is_finite)?),
        STRING => Json::String(take_text(bytes)?),
        ARRAY if depth < NESTING_MAX => {
            let count = take_count(bytes)?;
            let mut elements = Vec::new();
            for _ in 0..count {
                elements.push(take(bytes, depth + 1)?);
            }
            Json::Array(elements)
        }
        OBJECT if depth < NESTING_MAX => {
            let count = take_count(bytes)?;
            let mut members: Vec<(Box<str>, Json)> = Vec::new();
            for _ in 0..count {
                members.push((take_text(bytes)?, take(bytes, depth + 1)?));
            }
            let is_sorted = members.windows(2).all(|pair| compare_keys(&pair[0].0, &pair[1].0).is_lt());
            Json::Object(Some(members).filter(|_| is_sorted)?)
        }
        _ => return None,
    })
}
