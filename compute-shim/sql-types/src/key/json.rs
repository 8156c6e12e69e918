//! The ordered bytes of a `jsonb` value; `mod.rs` describes them.
//!
//! Owns ranks and counts in front, so that memcmp orders as `crate::json` does. Read next: `value.rs`.

use super::value::{Reader, read_numeric, write_numeric};
use crate::json::{Json, NESTING_MAX};

/// An empty array at the top is below everything.
const TOP_EMPTY_ARRAY: u8 = 1;
const NULL: u8 = 2;
const STRING: u8 = 3;
const NUMBER: u8 = 4;
const FALSE: u8 = 5;
const TRUE: u8 = 6;
const ARRAY: u8 = 7;
const OBJECT: u8 = 8;

pub(super) fn write(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Array(elements) if elements.is_empty() => out.push(TOP_EMPTY_ARRAY),
        value => write_inner(value, out),
    }
}

fn write_count(count: usize, out: &mut Vec<u8>) {
    let count = u32::try_from(count).expect("values are far below 4 GiB");
    out.extend_from_slice(&count.to_be_bytes());
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    assert!(!text.as_bytes().contains(&0), "jsonb refuses NUL");
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

fn write_inner(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Null => out.push(NULL),
        Json::Bool(false) => out.push(FALSE),
        Json::Bool(true) => out.push(TRUE),
        Json::Number(number) => {
            out.push(NUMBER);
            write_numeric(number, out);
        }
        Json::String(text) => {
            out.push(STRING);
            write_text(text, out);
        }
        Json::Array(elements) => {
            out.push(ARRAY);
            write_count(elements.len(), out);
            elements.iter().for_each(|element| write_inner(element, out));
        }
        Json::Object(members) => {
            out.push(OBJECT);
            write_count(members.len(), out);
            for (key, value) in members {
                write_text(key, out);
                write_inner(value, out);
            }
        }
    }
}

/// Reads a value, its numbers without trailing zeros; `None` for bytes that are none.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Json> {
    match reader.byte()? {
        TOP_EMPTY_ARRAY => Some(Json::Array(Vec::new())),
        rank => read_inner(rank, reader, 0),
    }
}

fn read_text(reader: &mut Reader<'_>) -> Option<Box<str>> {
    let mut bytes = Vec::new();
    loop {
        match reader.byte()? {
            0 => return String::from_utf8(bytes).ok().map(String::into_boxed_str),
            byte => bytes.push(byte),
        }
    }
}

fn read_inner(rank: u8, reader: &mut Reader<'_>, depth: usize) -> Option<Json> {
    Some(match rank {
        NULL => Json::Null,
        FALSE => Json::Bool(false),
        TRUE => Json::Bool(true),
        NUMBER => Json::Number(read_numeric(reader).filter(crate::Numeric::is_finite)?),
        STRING => Json::String(read_text(reader)?),
        ARRAY if depth < NESTING_MAX => {
            let count = u32::from_be_bytes(reader.array()?);
            // Pushed one by one: a damaged count must not reserve memory.
            let mut elements = Vec::new();
            for _ in 0..count {
                let rank = reader.byte()?;
                elements.push(read_inner(rank, reader, depth + 1)?);
            }
            Json::Array(elements)
        }
        OBJECT if depth < NESTING_MAX => {
            let count = u32::from_be_bytes(reader.array()?);
            let mut members = Vec::new();
            for _ in 0..count {
                let key = read_text(reader)?;
                let rank = reader.byte()?;
                members.push((key, read_inner(rank, reader, depth + 1)?));
            }
            Json::Object(members)
        }
        _ => return None,
    })
}
