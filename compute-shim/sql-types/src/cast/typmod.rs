//! Type modifiers applied to values: `varchar(n)`, `char(n)`, `numeric(p, s)`, `timestamp(p)`.
//!
//! Owns cutting, padding and rounding. Read next: `mod.rs`.

use std::sync::Arc;

use crate::datetime::{Timestamp, Timestamptz};
use crate::datum::{Array, Datum};
use crate::error::{Result, SqlError, SqlState};
use crate::types::{TypeId, Typmod, format_type};

pub(super) fn apply(id: TypeId, typmod: Typmod, explicit: bool, value: Datum) -> Result<Datum> {
    match (value, id) {
        (Datum::Text(text), TypeId::VARCHAR) => varchar(text, typmod, explicit),
        (Datum::Text(text), TypeId::BPCHAR) => bpchar(text, typmod, explicit),
        (Datum::Numeric(number), TypeId::NUMERIC) => number.apply_typmod(typmod).map(Datum::Numeric),
        (Datum::Timestamp(value), TypeId::TIMESTAMP) => match typmod.timestamp_precision() {
            Some(precision) => value.round(precision).map(Datum::Timestamp),
            None => Ok(Datum::Timestamp(value)),
        },
        (Datum::Timestamptz(value), TypeId::TIMESTAMPTZ) => match typmod.timestamp_precision() {
            Some(precision) => {
                Timestamp(value.0).round(precision).map(|rounded| Datum::Timestamptz(Timestamptz(rounded.0)))
            }
            None => Ok(Datum::Timestamptz(value)),
        },
        (Datum::Time(value), TypeId::TIME) => {
            Ok(Datum::Time(typmod.timestamp_precision().map_or(value, |precision| value.round(precision))))
        }
        (Datum::Timetz(value), TypeId::TIMETZ) => {
            Ok(Datum::Timetz(typmod.timestamp_precision().map_or(value, |precision| value.round(precision))))
        }
        (Datum::Interval(value), TypeId::INTERVAL) => value.as_of(typmod).map(Datum::Interval),
        (Datum::Array(array), _) => apply_to_elements(typmod, explicit, &array),
        (value, _) => Ok(value),
    }
}

fn apply_to_elements(typmod: Typmod, explicit: bool, array: &Array) -> Result<Datum> {
    let one = |value: &Datum| match value {
        Datum::Null => Ok(Datum::Null),
        value => apply(array.element, typmod, explicit, value.clone()),
    };
    let values = array.values.iter().map(one).collect::<Result<Vec<Datum>>>()?;
    Ok(Datum::Array(Arc::new(Array { element: array.element, dimensions: array.dimensions.clone(), values })))
}

/// Byte length of the first `characters` characters, `None` if there are no more than that.
fn cut_position(text: &str, characters: usize) -> Option<usize> {
    if text.len() <= characters {
        return None;
    }
    text.char_indices().nth(characters).map(|(at, _)| at)
}

/// 22001 unless the cut is explicit or takes blanks alone.
fn check_cut(id: TypeId, typmod: Typmod, explicit: bool, lost: &str) -> Result<()> {
    if explicit || lost.bytes().all(|byte| byte == b' ') {
        return Ok(());
    }
    let message = format!("value too long for type {}", format_type(id, Some(typmod)));
    Err(SqlError::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, message))
}

fn varchar(text: Arc<str>, typmod: Typmod, explicit: bool) -> Result<Datum> {
    let cut = typmod.char_length_max().and_then(|length| cut_position(&text, length));
    let Some(cut) = cut else {
        return Ok(Datum::Text(text));
    };
    check_cut(TypeId::VARCHAR, typmod, explicit, &text[cut..])?;
    Ok(Datum::text(&text[..cut]))
}

fn bpchar(text: Arc<str>, typmod: Typmod, explicit: bool) -> Result<Datum> {
    let Some(length) = typmod.char_length_max() else {
        return Ok(Datum::Text(text));
    };
    if let Some(cut) = cut_position(&text, length) {
        check_cut(TypeId::BPCHAR, typmod, explicit, &text[cut..])?;
        return Ok(Datum::text(&text[..cut]));
    }
    let count = text.chars().count();
    if count == length {
        return Ok(Datum::Text(text));
    }
    let mut padded = String::with_capacity(text.len() + length - count);
    padded.push_str(&text);
    padded.extend(std::iter::repeat_n(' ', length - count));
    Ok(Datum::text(padded))
}
