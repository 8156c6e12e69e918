//! Binary form of `numeric`, arrays, vectors and records.
//!
//! Owns the formats made of parts. Read next: `mod.rs`.

use std::sync::Arc;

use super::{Reader, malformed, read, send};
use crate::datum::{ARRAY_DIMENSIONS_MAX, Array, Datum, Dimension, Record};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::numeric::{Groups, Numeric, NumericSign, SCALE_MAX};
use crate::types::TypeId;

/// Sign words of `numeric`.
const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;

/// Number of groups, weight, sign, scale, groups.
pub(super) fn send_numeric(number: &Numeric, out: &mut Vec<u8>) {
    let groups = Groups::of(number);
    let sign = match groups.sign {
        NumericSign::Positive => POSITIVE,
        NumericSign::Negative => NEGATIVE,
        NumericSign::NaN => NAN,
        NumericSign::Infinity => INFINITY,
        NumericSign::NegativeInfinity => NEGATIVE_INFINITY,
    };
    let count = u16::try_from(groups.digits.len()).expect("147,455 digits at most are 36,864 groups");
    let weight = i16::try_from(groups.weight).expect("131,072 integer digits are 32,768 groups");
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    // PostgreSQL sends 32 as the scale of an infinity; nobody reads it, but the bytes are the same.
    let scale = if number.is_infinite() { 32 } else { number.scale() };
    out.extend_from_slice(&scale.to_be_bytes());
    groups.digits.iter().for_each(|group| out.extend_from_slice(&group.to_be_bytes()));
}

pub(super) fn read_numeric(reader: &mut Reader<'_>) -> Result<Numeric> {
    let invalid = |what: &str| malformed(format!("invalid {what} in external \"numeric\" value"));
    let count = reader.u16()?;
    let weight = i32::from(reader.i16()?);
    let sign = match reader.u16()? {
        POSITIVE => NumericSign::Positive,
        NEGATIVE => NumericSign::Negative,
        NAN => NumericSign::NaN,
        INFINITY => NumericSign::Infinity,
        NEGATIVE_INFINITY => NumericSign::NegativeInfinity,
        _ => return Err(invalid("sign")),
    };
    let scale = reader.u16()?;
    if scale > SCALE_MAX {
        return Err(invalid("scale"));
    }
    let digits = (0..count).map(|_| reader.u16()).collect::<Result<Vec<_>>>()?;
    if digits.iter().any(|&group| group >= 10_000) {
        return Err(invalid("digit"));
    }
    // A long run of leading zero groups must not make a huge power of ten: the value counts from the first other one.
    let leading = digits.iter().take_while(|&&group| group == 0).count();
    let weight = weight - i32::try_from(leading).expect("at most 65,535 groups");
    Ok(Groups { sign, weight, digits: digits[leading..].to_vec() }.to_numeric(scale))
}

fn send_element(env: &EvalEnv<'_>, id: TypeId, value: &Datum, out: &mut Vec<u8>) -> Result<()> {
    if value.is_null() {
        out.extend_from_slice(&(-1i32).to_be_bytes());
        return Ok(());
    }
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    send(env, id, value, out)?;
    let length = i32::try_from(out.len() - start - 4).expect("values are far below 2 GiB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// Number of dimensions, whether there are NULLs, element type, lengths and lower bounds, elements.
pub(super) fn send_array(env: &EvalEnv<'_>, array: &Array, out: &mut Vec<u8>) -> Result<()> {
    let count = i32::try_from(array.dimensions.len()).expect("at most 6 dimensions");
    let nulls = array.values.iter().any(Datum::is_null);
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&i32::from(nulls).to_be_bytes());
    out.extend_from_slice(&array.element.0.to_be_bytes());
    for dimension in &array.dimensions {
        out.extend_from_slice(&dimension.length.to_be_bytes());
        out.extend_from_slice(&dimension.lower.to_be_bytes());
    }
    array.values.iter().try_for_each(|value| send_element(env, array.element, value, out))
}

/// Number of columns, then type, length and bytes of each.
pub(super) fn send_record(env: &EvalEnv<'_>, record: &Record, out: &mut Vec<u8>) -> Result<()> {
    let count = i32::try_from(record.values.len()).expect("at most 1,600 columns");
    out.extend_from_slice(&count.to_be_bytes());
    record.types.iter().zip(&record.values).try_for_each(|(&id, value)| {
        out.extend_from_slice(&id.0.to_be_bytes());
        send_element(env, id, value, out)
    })
}

pub(super) fn read_array(
    env: &EvalEnv<'_>,
    id: TypeId,
    element: TypeId,
    reader: &mut Reader<'_>,
) -> Result<Datum> {
    let count = reader.i32()?;
    let count =
        usize::try_from(count).map_err(|_| malformed(format!("invalid number of dimensions: {count}")))?;
    if count > ARRAY_DIMENSIONS_MAX {
        let message = format!(
            "number of array dimensions ({count}) exceeds the maximum allowed ({ARRAY_DIMENSIONS_MAX})"
        );
        return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    if !matches!(reader.i32()?, 0 | 1) {
        return Err(malformed("invalid array flags"));
    }
    let sent = TypeId(reader.u32()?);
    if sent != element {
        let message = format!(
            "binary data has array element type {} ({}) instead of expected {} ({})",
            sent.0,
            sent.display_name(),
            element.0,
            element.display_name()
        );
        return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message));
    }
    let mut dimensions = Vec::with_capacity(count);
    let mut total = usize::from(count > 0);
    let too_large =
        || SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed");
    for _ in 0..count {
        let (length, lower) = (reader.i32()?, reader.i32()?);
        let elements = usize::try_from(length).map_err(|_| malformed("invalid array dimension"))?;
        total = total.checked_mul(elements).ok_or_else(too_large)?;
        dimensions.push(Dimension { length, lower });
    }
    // Every element has a length word: a count beyond that is damage, and must not reserve memory.
    if total > reader.bytes.len() / 4 {
        return Err(super::insufficient());
    }
    Dimension::check_bounds(&dimensions)?;
    let values = (0..total).map(|_| read_element(env, element, reader)).collect::<Result<Vec<_>>>()?;
    if id.is_vector() {
        let is_plain = matches!(dimensions[..], [Dimension { lower: 0, .. }]);
        if !is_plain || values.iter().any(Datum::is_null) {
            return Err(malformed(format!("invalid {} data", id.display_name())));
        }
    } else if values.is_empty() {
        dimensions.clear();
    }
    Ok(Datum::Array(Arc::new(Array { element, dimensions, values })))
}

fn read_element(env: &EvalEnv<'_>, id: TypeId, reader: &mut Reader<'_>) -> Result<Datum> {
    let length = reader.i32()?;
    if length == -1 {
        return Ok(Datum::Null);
    }
    let length = usize::try_from(length).map_err(|_| super::insufficient())?;
    let mut inner = Reader { bytes: reader.take(length)? };
    let value = read(env, id, &mut inner)?;
    if !inner.bytes.is_empty() {
        return Err(malformed("improper binary format in array element"));
    }
    Ok(value)
}
