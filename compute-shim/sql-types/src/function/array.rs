//! Functions of arrays.
//!
//! Owns their code but for what operators share (`crate::operator::array`). Read next: `crate::datum::Array`.

use super::{i32_at, str_at};
use crate::datum::{Array, Datum, Dimension, equal};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::text;
use crate::types::TypeId;

fn array_at(args: &[Datum], at: usize) -> &Array {
    args[at].as_array().unwrap_or_else(|| panic!("an array was expected: {args:?}"))
}

/// The dimension that the second argument names, counted from 1.
fn dimension(args: &[Datum]) -> Option<Dimension> {
    let number = usize::try_from(i32_at(args, 1)).ok()?.checked_sub(1)?;
    array_at(args, 0).dimensions.get(number).copied()
}

fn int4(value: Option<i32>) -> Result<Datum> {
    Ok(value.map_or(Datum::Null, Datum::Int4))
}

pub(super) fn length(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    int4(dimension(args).map(|dimension| dimension.length))
}

pub(super) fn lower(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    int4(dimension(args).map(|dimension| dimension.lower))
}

pub(super) fn upper(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    int4(dimension(args).map(|dimension| dimension.lower + dimension.length - 1))
}

pub(super) fn ndims(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let count = array_at(args, 0).dimensions.len();
    int4((count > 0).then(|| i32::try_from(count).expect("at most 6")))
}

pub(super) fn dims(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let dimensions = &array_at(args, 0).dimensions;
    if dimensions.is_empty() {
        return Ok(Datum::Null);
    }
    let one = |d: &Dimension| format!("[{}:{}]", d.lower, d.lower + d.length - 1);
    Ok(dimensions.iter().map(one).collect::<String>().into())
}

pub(super) fn cardinality(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(super::string::length_datum(array_at(args, 0).values.len()))
}

/// Equality as IS NOT DISTINCT FROM has it.
fn same(id: TypeId, left: &Datum, right: &Datum) -> bool {
    if left.is_null() || right.is_null() {
        return left.is_null() && right.is_null();
    }
    equal(id, left, right)
}

fn one_dimensional(array: &Array, what: &str) -> Result<()> {
    if array.dimensions.len() > 1 {
        let message = format!("{what} multidimensional arrays is not supported");
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    Ok(())
}

/// Subscript of the first equal element, from an optional subscript on; NULL if there is none.
pub(super) fn position(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some(array) = args[0].as_array() else {
        return Ok(Datum::Null);
    };
    one_dimensional(array, "searching for elements in")?;
    let lower = array.dimensions.first().map_or(1, |dimension| dimension.lower);
    let is_in_vain = args[1].is_null() && !array.values.iter().any(Datum::is_null);
    if array.values.is_empty() || is_in_vain {
        return Ok(Datum::Null);
    }
    let first = match args.get(2) {
        None => lower,
        Some(Datum::Int4(first)) => *first,
        Some(_) => {
            return Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "initial position must not be null"));
        }
    };
    let found = (lower..)
        .zip(&array.values)
        .find(|(subscript, value)| *subscript >= first && same(array.element, value, &args[1]));
    int4(found.map(|(subscript, _)| subscript))
}

pub(super) fn positions(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some(array) = args[0].as_array() else {
        return Ok(Datum::Null);
    };
    one_dimensional(array, "searching for elements in")?;
    let lower = array.dimensions.first().map_or(1, |dimension| dimension.lower);
    let found = (lower..).zip(&array.values).filter(|(_, value)| same(array.element, value, &args[1]));
    Ok(Array::from_values(TypeId::INT4, found.map(|(subscript, _)| Datum::Int4(subscript)).collect()).into())
}

pub(super) fn remove(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some(array) = args[0].as_array() else {
        return Ok(Datum::Null);
    };
    one_dimensional(array, "removing elements from")?;
    let lower = array.dimensions.first().map_or(1, |dimension| dimension.lower);
    let kept = array.values.iter().filter(|value| !same(array.element, value, &args[1])).cloned().collect();
    Ok(Array::with_lower(array.element, kept, lower).into())
}

pub(super) fn replace(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some(array) = args[0].as_array() else {
        return Ok(Datum::Null);
    };
    let exchange =
        |value: &Datum| if same(array.element, value, &args[1]) { args[2].clone() } else { value.clone() };
    let values = array.values.iter().map(exchange).collect();
    Ok(Array { element: array.element, dimensions: array.dimensions.clone(), values }.into())
}

/// `array_to_string(array, delimiter [, null string])`: NULL elements are left out unless there is a word for them.
pub(super) fn to_string(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    if args[0].is_null() || args[1].is_null() {
        return Ok(Datum::Null);
    }
    let array = array_at(args, 0);
    let null = args.get(2).and_then(Datum::as_str);
    let parts: Vec<String> = array
        .values
        .iter()
        .filter_map(|value| match value {
            Datum::Null => null.map(str::to_owned),
            value => Some(text::output_string(env, array.element, value)),
        })
        .collect();
    Ok(parts.join(str_at(args, 1)).into())
}

/// `num_nulls`, `num_nonnulls`.
pub(super) fn num_nulls(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(super::string::length_datum(args.iter().filter(|value| value.is_null()).count()))
}

pub(super) fn num_nonnulls(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(super::string::length_datum(args.iter().filter(|value| !value.is_null()).count()))
}
