//! `width_bucket`: which bucket of a histogram a value falls in.
//!
//! Owns its three forms. Read next: `math.rs`.

use super::{f64_at, i32_at, numeric_at};
use crate::datum::{Datum, compare, compare_f64};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::numeric::Numeric;
use std::cmp::Ordering;

fn invalid<T>(message: &str) -> Result<T> {
    Err(SqlError::new(SqlState::INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, message))
}

fn count_at(args: &[Datum]) -> Result<i32> {
    let count = i32_at(args, 3);
    if count > 0 { Ok(count) } else { invalid("count must be greater than zero") }
}

fn beyond(count: i32) -> Result<i32> {
    count.checked_add(1).ok_or_else(|| SqlError::out_of_range("integer"))
}

pub(super) fn of_float(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (value, low, high) = (f64_at(args, 0), f64_at(args, 1), f64_at(args, 2));
    let count = count_at(args)?;
    if value.is_nan() || low.is_nan() || high.is_nan() {
        return invalid("operand, lower bound, and upper bound cannot be NaN");
    }
    if low.is_infinite() || high.is_infinite() {
        return invalid("lower and upper bounds must be finite");
    }
    let (value, low, high) = match compare_f64(low, high) {
        Ordering::Equal => return invalid("lower bound cannot equal upper bound"),
        Ordering::Less => (value, low, high),
        // Buckets that count down are those of the negated axis.
        Ordering::Greater => (-value, -low, -high),
    };
    if value < low {
        return Ok(Datum::Int4(0));
    }
    if value >= high {
        return beyond(count).map(Datum::Int4);
    }
    let part = match (high - low).is_infinite() {
        false => (value - low) / (high - low),
        true => (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0),
    };
    #[expect(clippy::cast_possible_truncation, reason = "a part of an i32")]
    let bucket = (f64::from(count) * part) as i32;
    Ok(Datum::Int4(bucket + 1))
}

pub(super) fn of_numeric(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (value, low, high) = (numeric_at(args, 0), numeric_at(args, 1), numeric_at(args, 2));
    let count = count_at(args)?;
    if value.is_nan() || low.is_nan() || high.is_nan() {
        return invalid("operand, lower bound, and upper bound cannot be NaN");
    }
    if low.is_infinite() || high.is_infinite() {
        return invalid("lower and upper bounds must be finite");
    }
    let (value, low, high) = match low.cmp(high) {
        Ordering::Equal => return invalid("lower bound cannot equal upper bound"),
        Ordering::Less => (value.clone(), low.clone(), high.clone()),
        Ordering::Greater => (value.negate(), low.negate(), high.negate()),
    };
    if value < low {
        return Ok(Datum::Int4(0));
    }
    if value >= high {
        return beyond(count).map(Datum::Int4);
    }
    let scaled = value.subtract(&low)?.multiply(&Numeric::from(count))?;
    // Rounded as PostgreSQL rounds a quotient, which may reach the count.
    let bucket = scaled.divide(&high.subtract(&low)?)?.floor()?.to_i64("integer")?;
    let bucket = i32::try_from(bucket + 1).map_err(|_| SqlError::out_of_range("integer"))?;
    Ok(Datum::Int4(bucket))
}

/// `width_bucket(value, thresholds)`: how many of the thresholds, which are sorted, are not above the value.
pub(super) fn of_thresholds(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let array = args[1].as_array().unwrap_or_else(|| panic!("an array was expected: {args:?}"));
    if array.dimensions.len() > 1 {
        let message = "thresholds must be one-dimensional array";
        return Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
    }
    if array.values.iter().any(Datum::is_null) {
        let message = "thresholds array must not contain NULLs";
        return Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
    }
    let found = array.values.partition_point(|bound| compare(array.element, bound, &args[0]).is_le());
    Ok(super::string::length_datum(found))
}
