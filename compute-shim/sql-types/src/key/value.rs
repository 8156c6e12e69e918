//! The ordered bytes of one value; `mod.rs` describes them.
//!
//! Owns writing and reading of single values. Each form ends by itself: its width is fixed or it has a terminator below all
//! that may continue it. Read next: `mod.rs`.

use std::sync::Arc;

use crate::datetime::{
    Date, Interval, Time, Timestamp, Timestamptz, Timetz, US_PER_DAY, US_PER_SECOND, is_time_of_day,
};
use crate::datum::{ARRAY_DIMENSIONS_MAX, Array, Datum, Dimension, EnumValue, trim_bpchar};
use crate::numeric::{Groups, Numeric, NumericSign};
use crate::types::TypeId;

use super::json;

/// Ends the elements of an array: below the mark of a further one.
const ARRAY_END: u8 = 1;
const ARRAY_VALUE: u8 = 2;
const ARRAY_NULL: u8 = 3;

/// The forms that types share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Char,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    Text,
    Bytea,
    Jsonb,
    Date,
    Time,
    Timetz,
    Timestamp,
    Timestamptz,
    Interval,
    Uuid,
    Enum,
    Array,
}

impl Kind {
    pub(super) fn of(id: TypeId) -> Option<Kind> {
        Some(match id {
            TypeId::BOOL => Kind::Bool,
            TypeId::CHAR => Kind::Char,
            TypeId::INT2 => Kind::Int2,
            TypeId::INT4 => Kind::Int4,
            // Block and offset in one number.
            TypeId::INT8 | TypeId::TID => Kind::Int8,
            TypeId::FLOAT4 => Kind::Float4,
            TypeId::FLOAT8 => Kind::Float8,
            TypeId::NUMERIC => Kind::Numeric,
            TypeId::TEXT | TypeId::VARCHAR | TypeId::BPCHAR | TypeId::NAME => Kind::Text,
            TypeId::BYTEA => Kind::Bytea,
            TypeId::JSONB => Kind::Jsonb,
            TypeId::DATE => Kind::Date,
            TypeId::TIME => Kind::Time,
            TypeId::TIMETZ => Kind::Timetz,
            TypeId::TIMESTAMP => Kind::Timestamp,
            TypeId::TIMESTAMPTZ => Kind::Timestamptz,
            TypeId::INTERVAL => Kind::Interval,
            TypeId::UUID => Kind::Uuid,
            _ if id.is_oid_like() => Kind::Oid,
            _ if id.is_enum() => Kind::Enum,
            _ if id.array_element().is_some() => Kind::Array,
            _ => return None,
        })
    }
}

/// Appends a value that is not NULL, of a supported type.
pub(super) fn write(id: TypeId, value: &Datum, out: &mut Vec<u8>) {
    match value {
        Datum::Bool(value) => out.push(u8::from(*value)),
        Datum::Char(value) => out.push(*value),
        Datum::Int2(value) => out.extend_from_slice(&(value.cast_unsigned() ^ 1 << 15).to_be_bytes()),
        Datum::Int4(value) | Datum::Date(Date(value)) => {
            out.extend_from_slice(&(value.cast_unsigned() ^ 1 << 31).to_be_bytes());
        }
        Datum::Int8(value)
        | Datum::Time(Time(value))
        | Datum::Timestamp(Timestamp(value))
        | Datum::Timestamptz(Timestamptz(value)) => {
            out.extend_from_slice(&(value.cast_unsigned() ^ 1 << 63).to_be_bytes());
        }
        Datum::Timetz(value) => {
            out.extend_from_slice(&(value.utc_us().cast_unsigned() ^ 1 << 63).to_be_bytes());
            out.extend_from_slice(&(value.west.cast_unsigned() ^ 1 << 31).to_be_bytes());
        }
        Datum::Oid(value) => out.extend_from_slice(&value.to_be_bytes()),
        Datum::Float4(value) => out.extend_from_slice(&ordered_f32(*value).to_be_bytes()),
        Datum::Float8(value) => out.extend_from_slice(&ordered_f64(*value).to_be_bytes()),
        Datum::Numeric(value) => write_numeric(value, out),
        Datum::Text(text) => {
            let text = if id == TypeId::BPCHAR { trim_bpchar(text) } else { text };
            assert!(!text.as_bytes().contains(&0), "input functions refuse NUL in text");
            out.extend_from_slice(text.as_bytes());
            out.push(0);
        }
        Datum::Bytea(bytes) => write_bytes(bytes, out),
        Datum::Jsonb(value) => json::write(value, out),
        Datum::Interval(value) => {
            out.extend_from_slice(&(value.span().cast_unsigned() ^ 1 << 127).to_be_bytes())
        }
        Datum::Uuid(value) => out.extend_from_slice(value),
        Datum::Enum(value) => out.extend_from_slice(&(value.key.cast_unsigned() ^ 1 << 63).to_be_bytes()),
        Datum::Array(array) => write_array(id, array, out),
        other => panic!("a key column of type {} was given {other:?}", id.display_name()),
    }
}

fn ordered_f32(value: f32) -> u32 {
    let bits = if value.is_nan() { f32::NAN.to_bits() & !(1 << 31) } else { (value + 0.0).to_bits() };
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn ordered_f64(value: f64) -> u64 {
    // Adding 0 makes -0 positive.
    let bits = if value.is_nan() { f64::NAN.to_bits() & !(1 << 63) } else { (value + 0.0).to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

pub(super) fn write_numeric(value: &Numeric, out: &mut Vec<u8>) {
    let groups = Groups::of(value);
    let class = match groups.sign {
        NumericSign::NegativeInfinity => 0,
        NumericSign::Negative => 1,
        NumericSign::Positive if groups.digits.is_empty() => 2,
        NumericSign::Positive => 3,
        NumericSign::Infinity => 4,
        NumericSign::NaN => 5,
    };
    out.push(class);
    if class != 1 && class != 3 {
        return;
    }
    let start = out.len();
    let weight = i16::try_from(groups.weight).expect("131,072 integer digits are 32,768 groups");
    out.extend_from_slice(&(weight.cast_unsigned() ^ 1 << 15).to_be_bytes());
    groups.digits.iter().for_each(|group| out.extend_from_slice(&(group + 1).to_be_bytes()));
    out.extend_from_slice(&[0, 0]);
    if class == 1 {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        out.push(byte);
        if byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

fn write_array(id: TypeId, array: &Array, out: &mut Vec<u8>) {
    if id == TypeId::OIDVECTOR {
        let count = u32::try_from(array.values.len()).expect("bounded by memory");
        out.extend_from_slice(&count.to_be_bytes());
    }
    for value in &array.values {
        if value.is_null() {
            out.push(ARRAY_NULL);
        } else {
            out.push(ARRAY_VALUE);
            write(array.element, value, out);
        }
    }
    out.push(ARRAY_END);
    out.push(u8::try_from(array.dimensions.len()).expect("at most 6 dimensions"));
    array.dimensions.iter().for_each(|d| out.extend_from_slice(&d.length.to_be_bytes()));
    array
        .dimensions
        .iter()
        .for_each(|d| out.extend_from_slice(&(d.lower.cast_unsigned() ^ 1 << 31).to_be_bytes()));
}

/// Reads bytes that may be inverted.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    inverted: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], inverted: bool) -> Reader<'a> {
        Reader { bytes, at: 0, inverted }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(if self.inverted { !byte } else { byte })
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut result = [0; N];
        for byte in &mut result {
            *byte = self.byte()?;
        }
        Some(result)
    }

    fn signed_i32(&mut self) -> Option<i32> {
        Some((u32::from_be_bytes(self.array()?) ^ 1 << 31).cast_signed())
    }

    fn signed_i64(&mut self) -> Option<i64> {
        Some((u64::from_be_bytes(self.array()?) ^ 1 << 63).cast_signed())
    }
}

/// Reads a value of a type; `None` for bytes that are none.
pub(super) fn read(id: TypeId, reader: &mut Reader<'_>) -> Option<Datum> {
    Some(match Kind::of(id)? {
        Kind::Bool => Datum::Bool(match reader.byte()? {
            0 => false,
            1 => true,
            _ => return None,
        }),
        Kind::Char => Datum::Char(reader.byte()?),
        Kind::Int2 => Datum::Int2((u16::from_be_bytes(reader.array()?) ^ 1 << 15).cast_signed()),
        Kind::Int4 => Datum::Int4(reader.signed_i32()?),
        Kind::Int8 => Datum::Int8(reader.signed_i64()?),
        Kind::Oid => Datum::Oid(u32::from_be_bytes(reader.array()?)),
        Kind::Float4 => {
            let bits = u32::from_be_bytes(reader.array()?);
            Datum::Float4(f32::from_bits(if bits >> 31 == 1 { bits ^ 1 << 31 } else { !bits }))
        }
        Kind::Float8 => {
            let bits = u64::from_be_bytes(reader.array()?);
            Datum::Float8(f64::from_bits(if bits >> 63 == 1 { bits ^ 1 << 63 } else { !bits }))
        }
        Kind::Numeric => Datum::Numeric(read_numeric(reader)?),
        Kind::Text => {
            let mut bytes = Vec::new();
            loop {
                match reader.byte()? {
                    0 => break,
                    byte => bytes.push(byte),
                }
            }
            Datum::text(String::from_utf8(bytes).ok()?)
        }
        Kind::Bytea => Datum::Bytea(read_bytes(reader)?.into()),
        Kind::Jsonb => Datum::Jsonb(Arc::new(json::read(reader)?)),
        Kind::Date => Datum::Date(Date(reader.signed_i32()?)),
        Kind::Time => Datum::Time(Time(reader.signed_i64().filter(|&us| is_time_of_day(us))?)),
        Kind::Timetz => {
            let (utc_us, west) = (reader.signed_i64()?, reader.signed_i32()?);
            let us = utc_us.checked_sub(i64::from(west) * US_PER_SECOND)?;
            Datum::Timetz(Timetz { us: Some(us).filter(|&us| is_time_of_day(us))?, west })
        }
        Kind::Timestamp => Datum::Timestamp(Timestamp(reader.signed_i64()?)),
        Kind::Timestamptz => Datum::Timestamptz(Timestamptz(reader.signed_i64()?)),
        Kind::Interval => Datum::Interval(read_interval(reader)?),
        Kind::Uuid => Datum::Uuid(reader.array()?),
        Kind::Enum => Datum::Enum(EnumValue { id, key: reader.signed_i64()? }),
        Kind::Array => Datum::Array(Arc::new(read_array(id, reader)?)),
    })
}

/// The span as days and microseconds: one of the intervals that are equal to the one written.
fn read_interval(reader: &mut Reader<'_>) -> Option<Interval> {
    let span = (u128::from_be_bytes(reader.array()?) ^ 1 << 127).cast_signed();
    let day = i128::from(US_PER_DAY);
    // Most of it comes as months of 30 days; each field takes what the one before has no room for.
    let within = |value: i128| value.clamp(i128::from(i32::MIN), i128::from(i32::MAX));
    let months = within(span / day / 30);
    let rest = span - months * 30 * day;
    let days = within(rest / day);
    let us = i64::try_from(rest - days * day).ok()?;
    Some(Interval { us, days: i32::try_from(days).ok()?, months: i32::try_from(months).ok()? })
}

pub(super) fn read_numeric(reader: &mut Reader<'_>) -> Option<Numeric> {
    let sign = match reader.byte()? {
        0 => return Some(Numeric::NEGATIVE_INFINITY),
        1 => NumericSign::Negative,
        2 => return Some(Numeric::ZERO),
        3 => NumericSign::Positive,
        4 => return Some(Numeric::INFINITY),
        5 => return Some(Numeric::NAN),
        _ => return None,
    };
    let flip = if sign == NumericSign::Negative { 0xffff } else { 0 };
    let mut word = || reader.array().map(|bytes| u16::from_be_bytes(bytes) ^ flip);
    let weight = i32::from((word()? ^ 1 << 15).cast_signed());
    let mut digits = Vec::new();
    loop {
        match word()? {
            0 => break,
            group @ 1..=10_000 => digits.push(group - 1),
            _ => return None,
        }
    }
    // As many decimals as the last group needs.
    let count = i32::try_from(digits.len()).ok()?;
    let scale = u16::try_from(((count - 1 - weight) * 4).max(0)).ok()?;
    if scale > crate::numeric::SCALE_MAX + 4 {
        return None;
    }
    Some(Groups { sign, weight, digits }.to_numeric(scale.min(crate::numeric::SCALE_MAX)).trim_scale())
}

fn read_bytes(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        match reader.byte()? {
            0 => match reader.byte()? {
                0 => return Some(bytes),
                0xff => bytes.push(0),
                _ => return None,
            },
            byte => bytes.push(byte),
        }
    }
}

fn read_array(id: TypeId, reader: &mut Reader<'_>) -> Option<Array> {
    let element = id.array_element()?;
    if id == TypeId::OIDVECTOR {
        reader.array::<4>()?;
    }
    let mut values = Vec::new();
    loop {
        match reader.byte()? {
            ARRAY_END => break,
            ARRAY_VALUE => values.push(read(element, reader)?),
            ARRAY_NULL => values.push(Datum::Null),
            _ => return None,
        }
    }
    let count = usize::from(reader.byte()?);
    if count > ARRAY_DIMENSIONS_MAX {
        return None;
    }
    let lengths = (0..count).map(|_| reader.array().map(i32::from_be_bytes)).collect::<Option<Vec<_>>>()?;
    let lowers = (0..count).map(|_| reader.signed_i32()).collect::<Option<Vec<_>>>()?;
    let mut total = usize::from(count > 0);
    for &length in &lengths {
        total = total.checked_mul(usize::try_from(length).ok()?)?;
    }
    if total != values.len() || (id.is_vector() && values.iter().any(Datum::is_null)) {
        return None;
    }
    let dimensions =
        lengths.iter().zip(&lowers).map(|(&length, &lower)| Dimension { length, lower }).collect();
    Some(Array { element, dimensions, values })
}
