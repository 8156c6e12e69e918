//! The bytes of one stored value. Part of the on-disk format of rows; see `mod.rs` for the fixed widths.
//!
//! Variable-width values, all integers little-endian:
//!
//! | type | bytes |
//! |---|---|
//! | text, varchar, bpchar (padded as the column says), name and the like | UTF-8 |
//! | bytea | as they are |
//! | tid | block 4, offset 2, big-endian |
//! | numeric | kind 1 (0 positive, 1 negative, 2 NaN, 3 infinity, 4 -infinity); for kinds 0 and 1 also: scale 2, weight of the first group 2 (signed, in powers of 10,000), then groups of four decimal digits, 2 bytes each, without leading or trailing zero groups |
//! | arrays and vectors | element type oid 4, number of dimensions 1, per dimension length 4 and lower bound 4, then per element its length 4 (0xffffffff for NULL) and its bytes as its own type has them |
//! | record | number of columns 2, per column type oid 4, then per column length 4 (0xffffffff for NULL) and bytes |
//!
//! Values are written canonically: equal bytes for values that print alike. Read next: `crate::key` for ordered bytes.

use std::sync::Arc;

use super::json;
use crate::datetime::{Date, Interval, Time, Timestamp, Timestamptz, Timetz, is_time_of_day};
use crate::datum::{ARRAY_DIMENSIONS_MAX, Array, Datum, Dimension, EnumValue, Record};
use crate::json::path::JsonPath;
use crate::numeric::{Groups, Numeric, NumericSign, SCALE_MAX};
use crate::types::TypeId;

/// Bytes of a tid: block 4, offset 2.
const TID_BYTES: usize = 6;

/// Length word of a NULL element.
const NULL: u32 = u32::MAX;

/// Bytes of a value of a fixed-width type.
pub(super) fn fixed_width(id: TypeId) -> Option<u32> {
    Some(match id {
        TypeId::BOOL | TypeId::CHAR => 1,
        TypeId::INT2 => 2,
        TypeId::INT4 | TypeId::DATE | TypeId::FLOAT4 => 4,
        TypeId::INT8 | TypeId::FLOAT8 | TypeId::TIME | TypeId::TIMESTAMP | TypeId::TIMESTAMPTZ => 8,
        TypeId::TIMETZ => 12,
        TypeId::INTERVAL | TypeId::UUID => 16,
        _ if id.is_oid_like() => 4,
        _ if id.is_enum() => 8,
        _ => return None,
    })
}

/// Writes a fixed-width value, zeros for NULL. Panics for a value of another type: the binder has coerced it.
pub(super) fn write_fixed(id: TypeId, value: &Datum, out: &mut [u8]) {
    match value {
        Datum::Null => out.fill(0),
        Datum::Bool(value) if id == TypeId::BOOL => out[0] = u8::from(*value),
        Datum::Char(value) if id == TypeId::CHAR => out[0] = *value,
        Datum::Int2(value) if id == TypeId::INT2 => out.copy_from_slice(&value.to_le_bytes()),
        Datum::Int4(value) if id == TypeId::INT4 => out.copy_from_slice(&value.to_le_bytes()),
        Datum::Int8(value) if id == TypeId::INT8 => out.copy_from_slice(&value.to_le_bytes()),
        Datum::Oid(value) if id.is_oid_like() => out.copy_from_slice(&value.to_le_bytes()),
        Datum::Float4(value) if id == TypeId::FLOAT4 => out.copy_from_slice(&value.to_le_bytes()),
        Datum::Float8(value) if id == TypeId::FLOAT8 => out.copy_from_slice(&value.to_le_bytes()),
        Datum::Date(value) if id == TypeId::DATE => out.copy_from_slice(&value.0.to_le_bytes()),
        Datum::Time(value) if id == TypeId::TIME => out.copy_from_slice(&value.0.to_le_bytes()),
        Datum::Timetz(value) if id == TypeId::TIMETZ => {
            out[..8].copy_from_slice(&value.us.to_le_bytes());
            out[8..].copy_from_slice(&value.west.to_le_bytes());
        }
        Datum::Timestamp(value) if id == TypeId::TIMESTAMP => out.copy_from_slice(&value.0.to_le_bytes()),
        Datum::Timestamptz(value) if id == TypeId::TIMESTAMPTZ => out.copy_from_slice(&value.0.to_le_bytes()),
        Datum::Interval(value) if id == TypeId::INTERVAL => {
            out[..8].copy_from_slice(&value.us.to_le_bytes());
            out[8..12].copy_from_slice(&value.days.to_le_bytes());
            out[12..].copy_from_slice(&value.months.to_le_bytes());
        }
        Datum::Uuid(value) if id == TypeId::UUID => out.copy_from_slice(value),
        Datum::Enum(value) if id == value.id => out.copy_from_slice(&value.key.to_le_bytes()),
        other => panic!("a column of type {} was given {other:?}", id.display_name()),
    }
}

/// Appends a variable-width value.
pub(super) fn write_variable(value: &Datum, out: &mut Vec<u8>) {
    match value {
        Datum::Text(text) => out.extend_from_slice(text.as_bytes()),
        Datum::Bytea(bytes) => out.extend_from_slice(bytes),
        Datum::Jsonb(value) => json::write(value, out),
        Datum::JsonPath(path) => out.extend_from_slice(path.to_string().as_bytes()),
        Datum::Numeric(number) => write_numeric(number, out),
        // A tid, the one type of variable width that is held so.
        Datum::Int8(value) => out.extend_from_slice(&value.to_be_bytes()[8 - TID_BYTES..]),
        Datum::Array(array) => write_array(array, out),
        Datum::Record(record) => write_record(record, out),
        other => panic!("a variable-width column was given {other:?}"),
    }
}

pub(super) fn write_numeric(number: &Numeric, out: &mut Vec<u8>) {
    let groups = Groups::of(number);
    out.push(match groups.sign {
        NumericSign::Positive => 0,
        NumericSign::Negative => 1,
        NumericSign::NaN => 2,
        NumericSign::Infinity => 3,
        NumericSign::NegativeInfinity => 4,
    });
    if !number.is_finite() {
        return;
    }
    out.extend_from_slice(&number.scale().to_le_bytes());
    let weight = i16::try_from(groups.weight).expect("131,072 integer digits are 32,768 groups");
    out.extend_from_slice(&weight.to_le_bytes());
    groups.digits.iter().for_each(|group| out.extend_from_slice(&group.to_le_bytes()));
}

/// An element of an array or record with its length in front.
fn write_element(id: TypeId, value: &Datum, out: &mut Vec<u8>) {
    if value.is_null() {
        return out.extend_from_slice(&NULL.to_le_bytes());
    }
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    match fixed_width(id) {
        Some(width) => {
            out.resize(start + 4 + width as usize, 0);
            write_fixed(id, value, &mut out[start + 4..]);
        }
        None => write_variable(value, out),
    }
    let length = u32::try_from(out.len() - start - 4).expect("values are far below 4 GiB");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

fn write_array(array: &Array, out: &mut Vec<u8>) {
    out.extend_from_slice(&array.element.0.to_le_bytes());
    out.push(u8::try_from(array.dimensions.len()).expect("at most 6 dimensions"));
    for dimension in &array.dimensions {
        out.extend_from_slice(&dimension.length.to_le_bytes());
        out.extend_from_slice(&dimension.lower.to_le_bytes());
    }
    array.values.iter().for_each(|value| write_element(array.element, value, out));
}

fn write_record(record: &Record, out: &mut Vec<u8>) {
    let count = u16::try_from(record.values.len()).expect("at most 1,600 columns");
    out.extend_from_slice(&count.to_le_bytes());
    record.types.iter().for_each(|id| out.extend_from_slice(&id.0.to_le_bytes()));
    record.values.iter().zip(&record.types).for_each(|(value, &id)| write_element(id, value, out));
}

/// Reads a value of a type; `None` for bytes that are none.
pub(super) fn read(id: TypeId, bytes: &[u8]) -> Option<Datum> {
    if let Some(width) = fixed_width(id) {
        return if bytes.len() == width as usize { read_fixed(id, bytes) } else { None };
    }
    match id {
        TypeId::BYTEA => Some(Datum::Bytea(bytes.into())),
        TypeId::JSONB => json::read(bytes).map(|value| Datum::Jsonb(Arc::new(value))),
        TypeId::JSONPATH => {
            let path = JsonPath::parse(std::str::from_utf8(bytes).ok()?).ok()?;
            Some(Datum::JsonPath(Arc::new(path)))
        }
        TypeId::NUMERIC => read_numeric(bytes).map(Datum::Numeric),
        TypeId::TID => read_tid(bytes),
        TypeId::RECORD => read_record(bytes).map(|record| Datum::Record(Arc::new(record))),
        _ if id.is_text_like() => Some(Datum::text(std::str::from_utf8(bytes).ok()?)),
        _ if id.array_element().is_some() => read_array(id, bytes).map(|array| Datum::Array(Arc::new(array))),
        _ => None,
    }
}

fn read_tid(bytes: &[u8]) -> Option<Datum> {
    let bytes: [u8; TID_BYTES] = bytes.try_into().ok()?;
    let mut wide = [0; 8];
    wide[8 - TID_BYTES..].copy_from_slice(&bytes);
    Some(Datum::Int8(i64::from_be_bytes(wide)))
}

/// Bytes that are no time of day are damage.
fn time_of_day(bytes: [u8; 8]) -> Option<i64> {
    let us = i64::from_le_bytes(bytes);
    is_time_of_day(us).then_some(us)
}

fn read_fixed(id: TypeId, bytes: &[u8]) -> Option<Datum> {
    let four = || bytes.first_chunk::<4>().copied();
    let eight = || bytes.first_chunk::<8>().copied();
    Some(match id {
        TypeId::BOOL => Datum::Bool(match bytes[0] {
            0 => false,
            1 => true,
            _ => return None,
        }),
        TypeId::CHAR => Datum::Char(bytes[0]),
        TypeId::INT2 => Datum::Int2(i16::from_le_bytes(*bytes.first_chunk::<2>()?)),
        TypeId::INT4 => Datum::Int4(i32::from_le_bytes(four()?)),
        TypeId::DATE => Datum::Date(Date(i32::from_le_bytes(four()?))),
        TypeId::FLOAT4 => Datum::Float4(f32::from_le_bytes(four()?)),
        TypeId::INT8 => Datum::Int8(i64::from_le_bytes(eight()?)),
        TypeId::FLOAT8 => Datum::Float8(f64::from_le_bytes(eight()?)),
        TypeId::TIME => Datum::Time(Time(time_of_day(eight()?)?)),
        TypeId::TIMETZ => Datum::Timetz(Timetz {
            us: time_of_day(eight()?)?,
            west: i32::from_le_bytes(*bytes[8..].first_chunk::<4>()?),
        }),
        TypeId::TIMESTAMP => Datum::Timestamp(Timestamp(i64::from_le_bytes(eight()?))),
        TypeId::TIMESTAMPTZ => Datum::Timestamptz(Timestamptz(i64::from_le_bytes(eight()?))),
        TypeId::INTERVAL => Datum::Interval(Interval {
            us: i64::from_le_bytes(eight()?),
            days: i32::from_le_bytes(*bytes[8..].first_chunk::<4>()?),
            months: i32::from_le_bytes(*bytes[12..].first_chunk::<4>()?),
        }),
        TypeId::UUID => Datum::Uuid(*bytes.first_chunk::<16>()?),
        _ if id.is_enum() => Datum::Enum(EnumValue { id, key: i64::from_le_bytes(eight()?) }),
        _ => Datum::Oid(u32::from_le_bytes(four()?)),
    })
}

#[inline]
pub(super) fn read_numeric(bytes: &[u8]) -> Option<Numeric> {
    let (&kind, rest) = bytes.split_first()?;
    let sign = match kind {
        0 => NumericSign::Positive,
        1 => NumericSign::Negative,
        2 => return Some(Numeric::NAN),
        3 => return Some(Numeric::INFINITY),
        4 => return Some(Numeric::NEGATIVE_INFINITY),
        _ => return None,
    };
    let (scale, rest) = rest.split_first_chunk::<2>()?;
    let (weight, rest) = rest.split_first_chunk::<2>()?;
    let scale = u16::from_le_bytes(*scale);
    let weight = i32::from(i16::from_le_bytes(*weight));
    if scale > SCALE_MAX || !rest.len().is_multiple_of(2) {
        return None;
    }
    let digits = rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    if digits.clone().any(|group| group >= 10_000) {
        return None;
    }
    // Nearly all numbers are short: those are read without a list of their groups.
    let short = Groups::small(sign == NumericSign::Negative, weight, digits.clone(), scale);
    Some(short.unwrap_or_else(|| Groups { sign, weight, digits: digits.collect() }.to_numeric(scale)))
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*head))
}

fn take_element(id: TypeId, bytes: &mut &[u8]) -> Option<Datum> {
    let length = take_u32(bytes)?;
    if length == NULL {
        return Some(Datum::Null);
    }
    let (value, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    read(id, value)
}

/// Whether an array of `expected` may name `found` as its elements' type: types that share a form are cast into each
/// other without a change of the value.
fn holds(expected: TypeId, found: TypeId) -> bool {
    expected == found
        || (expected.is_text_like() && found.is_text_like())
        || (expected.is_oid_like() && found.is_oid_like())
}

fn read_array(id: TypeId, mut bytes: &[u8]) -> Option<Array> {
    let (wanted, written) = (id.array_element()?, TypeId(take_u32(&mut bytes)?));
    // What puts NULL into an array that is not there yet takes it for text: with no value in it, that says nothing.
    let is_other = !holds(wanted, written);
    let element = if is_other { wanted } else { written };
    let (&count, mut bytes) = bytes.split_first()?;
    if usize::from(count) > ARRAY_DIMENSIONS_MAX {
        return None;
    }
    let mut dimensions = Vec::with_capacity(usize::from(count));
    let mut total = usize::from(count > 0);
    for _ in 0..count {
        let length = take_u32(&mut bytes)?.cast_signed();
        let lower = take_u32(&mut bytes)?.cast_signed();
        total = total.checked_mul(usize::try_from(length).ok()?)?;
        dimensions.push(Dimension { length, lower });
    }
    // Every element has a length word: a count beyond that is damage, and must not reserve memory.
    if total > bytes.len() / 4 {
        return None;
    }
    let values = (0..total).map(|_| take_element(element, &mut bytes)).collect::<Option<Vec<_>>>()?;
    if is_other && values.iter().any(|value| !value.is_null()) {
        return None;
    }
    // Nothing that takes a vector expects NULL in it.
    let is_sound = bytes.is_empty() && !(id.is_vector() && values.iter().any(Datum::is_null));
    is_sound.then_some(Array { element, dimensions, values })
}

fn read_record(bytes: &[u8]) -> Option<Record> {
    let (count, mut bytes) = bytes.split_first_chunk::<2>()?;
    let count = u16::from_le_bytes(*count);
    let types = (0..count).map(|_| take_u32(&mut bytes).map(TypeId)).collect::<Option<Vec<_>>>()?;
    let values = types.iter().map(|&id| take_element(id, &mut bytes)).collect::<Option<Vec<_>>>()?;
    bytes.is_empty().then_some(Record { types, values, names: None })
}
