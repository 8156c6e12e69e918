//! Key ranges of a scan, from the values that its conditions compare with.
//!
//! Owns the one place that knows how bounds look in key bytes: a value's tag byte is 2, NULLs have 1 or 3, so that
//! NULL is left out of every range; nothing follows a full key but the primary key, whose first byte is below 0xff.

use super::Context;
use crate::catalog::object::Table;
use crate::expression::evaluate;
use crate::plan::{IndexAccess, KeyValue};
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::key::{KeyColumn, encode, prefix_end};
use hexalog_sql_types::{Datum, TypeId};
use std::ops::Bound;

/// First byte of a column's key that holds a value.
const TAG_VALUE: u8 = 2;
/// First byte above those of values.
const TAG_ABOVE_VALUES: u8 = 3;

/// A piece of a tree.
#[derive(Clone, Debug)]
pub(super) enum KeyRange {
    /// One key of a clustered tree.
    Point(Vec<u8>),
    Between(Bound<Vec<u8>>, Bound<Vec<u8>>),
}

/// A value as a key column takes it.
enum Fit {
    Value(Datum),
    Null,
    /// Below or above everything that the column can hold.
    TooLow,
    TooHigh,
}

fn fit(value: Datum, target: TypeId) -> Fit {
    if let (Datum::Float4(value), TypeId::FLOAT8) = (&value, target) {
        return Fit::Value(Datum::Float8(f64::from(*value)));
    }
    let Some(number) = value.as_i64() else {
        return if value.is_null() { Fit::Null } else { Fit::Value(value) };
    };
    let converted = match target {
        TypeId::INT2 => i16::try_from(number).map(Datum::Int2).ok(),
        TypeId::INT4 => i32::try_from(number).map(Datum::Int4).ok(),
        _ => Some(Datum::Int8(number)),
    };
    match converted {
        Some(value) => Fit::Value(value),
        None if number < 0 => Fit::TooLow,
        None => Fit::TooHigh,
    }
}

fn append(column: KeyColumn, value: &Datum, out: &mut Vec<u8>) -> Result<()> {
    encode(&[column], std::slice::from_ref(value), out)
}

/// The ranges of an access in key order; none if no row can match.
pub(super) fn ranges(table: &Table, access: &IndexAccess, context: &mut Context<'_>) -> Step<Vec<KeyRange>> {
    let index = &table.indexes[access.index];
    let mut prefix = Vec::with_capacity(16);
    for (value, column) in access.equal.iter().zip(index.key.iter()) {
        match fit(evaluate(&value.expr, &[], context)?, column.id) {
            Fit::Value(value) => append(*column, &value, &mut prefix)?,
            Fit::Null | Fit::TooLow | Fit::TooHigh => return Ok(Vec::new()),
        }
    }
    let whole = |key: Vec<u8>, columns: usize| {
        if index.is_clustered() && columns == index.columns.len() {
            return KeyRange::Point(key);
        }
        let end = prefix_end(&key);
        KeyRange::Between(Bound::Included(key), Bound::Excluded(end))
    };
    let Some(&column) = index.key.get(access.equal.len()) else {
        return Ok(vec![whole(prefix, access.equal.len())]);
    };
    if let Some(array) = &access.any {
        let mut keys = Vec::new();
        let Datum::Array(array) = evaluate(array, &[], context)? else { return Ok(Vec::new()) };
        for element in array.elements() {
            if let Fit::Value(value) = fit(element.clone(), column.id) {
                let mut key = prefix.clone();
                append(column, &value, &mut key)?;
                keys.push(key);
            }
        }
        keys.sort_unstable();
        keys.dedup();
        return Ok(keys.into_iter().map(|key| whole(key, access.equal.len() + 1)).collect());
    }
    if access.lower.is_none() && access.upper.is_none() {
        return Ok(vec![whole(prefix, access.equal.len())]);
    }
    // In a descending column the larger values come first, so the bounds change places.
    let (first, last) = match column.descending {
        false => (&access.lower, &access.upper),
        true => (&access.upper, &access.lower),
    };
    let Some(lower) = first_key(first.as_ref(), column, &prefix, context)? else { return Ok(Vec::new()) };
    let Some(upper) = last_key(last.as_ref(), column, &prefix, context)? else { return Ok(Vec::new()) };
    if is_empty(&lower, &upper) {
        return Ok(Vec::new());
    }
    Ok(vec![KeyRange::Between(lower, upper)])
}

fn is_empty(lower: &Bound<Vec<u8>>, upper: &Bound<Vec<u8>>) -> bool {
    match (lower, upper) {
        (Bound::Included(lower), Bound::Excluded(upper)) => lower >= upper,
        _ => false,
    }
}

type Edge = Option<Bound<Vec<u8>>>;

fn first_key(
    bound: Option<&(KeyValue, bool)>,
    column: KeyColumn,
    prefix: &[u8],
    context: &mut Context<'_>,
) -> Step<Edge> {
    let mut key = prefix.to_vec();
    let Some((value, inclusive)) = bound else {
        key.push(TAG_VALUE);
        return Ok(Some(Bound::Included(key)));
    };
    let nothing_before = if column.descending { Fit::TooHigh } else { Fit::TooLow };
    match (fit(evaluate(&value.expr, &[], context)?, column.id), nothing_before) {
        (Fit::Value(value), _) => {
            append(column, &value, &mut key)?;
            Ok(Some(Bound::Included(if *inclusive { key } else { prefix_end(&key) })))
        }
        (Fit::TooLow, Fit::TooLow) | (Fit::TooHigh, Fit::TooHigh) => {
            key.push(TAG_VALUE);
            Ok(Some(Bound::Included(key)))
        }
        _ => Ok(None),
    }
}

fn last_key(
    bound: Option<&(KeyValue, bool)>,
    column: KeyColumn,
    prefix: &[u8],
    context: &mut Context<'_>,
) -> Step<Edge> {
    let mut key = prefix.to_vec();
    let Some((value, inclusive)) = bound else {
        key.push(TAG_ABOVE_VALUES);
        return Ok(Some(Bound::Excluded(key)));
    };
    let nothing_behind = if column.descending { Fit::TooLow } else { Fit::TooHigh };
    match (fit(evaluate(&value.expr, &[], context)?, column.id), nothing_behind) {
        (Fit::Value(value), _) => {
            append(column, &value, &mut key)?;
            Ok(Some(Bound::Excluded(if *inclusive { prefix_end(&key) } else { key })))
        }
        (Fit::TooLow, Fit::TooLow) | (Fit::TooHigh, Fit::TooHigh) => {
            key.push(TAG_ABOVE_VALUES);
            Ok(Some(Bound::Excluded(key)))
        }
        _ => Ok(None),
    }
}
