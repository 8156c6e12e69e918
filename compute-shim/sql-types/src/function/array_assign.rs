//! Assignment to an element or a slice of an array: `UPDATE … SET a[2] = 5, a[1:2] = '{1,2}'`.
//!
//! Owns how an array grows (PostgreSQL's `array_set_element` and `array_set_slice`): one of one dimension at both ends, with NULL
//! in what lies between; an empty one into any shape; one of more dimensions not at all.

use super::array_shape::{checked_size, too_large};
use crate::datum::{ARRAY_DIMENSIONS_MAX, Array, Datum, Dimension};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};

fn wrong(message: &str) -> SqlError {
    SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message)
}

fn integer(value: &Datum) -> Result<i32> {
    match value {
        Datum::Int4(number) => Ok(*number),
        Datum::Null => {
            let message = "array subscript in assignment must not be null";
            Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message))
        }
        other => panic!("a subscript should be an integer: {other:?}"),
    }
}

/// The array to change; a NULL is the empty one that stands beside it.
fn base(args: &[Datum]) -> Array {
    let array = args[0].as_array().or(args[1].as_array());
    array.unwrap_or_else(|| panic!("an array was expected: {args:?}")).clone()
}

fn place(number: i32) -> usize {
    usize::try_from(number).expect("lengths are not negative")
}

/// Makes room in an array of one dimension for these subscripts.
fn extend(array: &mut Array, first: i32, last: i32) -> Result<()> {
    let Dimension { length, lower } = array.dimensions[0];
    let end = i64::from(lower) + i64::from(length);
    let before = (i64::from(lower) - i64::from(first)).max(0);
    let behind = (i64::from(last) + 1 - end).max(0);
    let longer = i32::try_from(i64::from(length) + before + behind).map_err(|_| too_large())?;
    let dimension = Dimension { length: longer, lower: lower.min(first) };
    checked_size(&[dimension])?;
    array.dimensions[0] = dimension;
    let before = usize::try_from(before).expect("no more than the length");
    array.values.splice(0..0, std::iter::repeat_n(Datum::Null, before));
    array.values.resize(place(dimension.length), Datum::Null);
    Ok(())
}

/// See [`super::ARRAY_ELEMENT_ASSIGNMENT`].
pub(super) fn element(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (mut array, value) = (base(args), &args[2]);
    let subscripts: Vec<i32> = args[3..].iter().map(integer).collect::<Result<_>>()?;
    if array.dimensions.is_empty() {
        let dimensions: Vec<Dimension> =
            subscripts.iter().map(|&lower| Dimension { length: 1, lower }).collect();
        checked_size(&dimensions)?;
        return Ok(Array { element: array.element, dimensions, values: vec![value.clone()] }.into());
    }
    if array.dimensions.len() != subscripts.len() {
        return Err(wrong("wrong number of array subscripts"));
    }
    if let [subscript] = subscripts[..] {
        extend(&mut array, subscript, subscript)?;
    }
    let mut at = 0;
    for (&subscript, dimension) in subscripts.iter().zip(&array.dimensions) {
        let offset = i64::from(subscript) - i64::from(dimension.lower);
        if !(0..i64::from(dimension.length)).contains(&offset) {
            return Err(wrong("array subscript out of range"));
        }
        at = at * place(dimension.length) + usize::try_from(offset).expect("inside of the array");
    }
    array.values[at] = value.clone();
    Ok(array.into())
}

/// See [`super::ARRAY_SLICE_ASSIGNMENT`]. A NULL changes nothing. The shape of what is assigned says nothing: its elements are
/// taken in order, and those too many are left.
pub(super) fn slice(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let mut array = base(args);
    let Datum::Int4(given) = args[3] else { panic!("which bounds are given should be known: {args:?}") };
    let mut bounds: Vec<(Option<i32>, Option<i32>)> = Vec::with_capacity(ARRAY_DIMENSIONS_MAX);
    for (number, pair) in args[4..].chunks_exact(2).enumerate() {
        let bound = |at: usize| match given >> (2 * number + at) & 1 {
            1 => integer(&pair[at]).map(Some),
            _ => Ok(None),
        };
        bounds.push((bound(0)?, bound(1)?));
    }
    let Some(source) = args[2].as_array() else { return Ok(array.into()) };
    if array.dimensions.is_empty() {
        return of_slice(array, source, &bounds);
    }
    if array.dimensions.len() < bounds.len() {
        return Err(wrong("wrong number of array subscripts"));
    }
    let is_flat = array.dimensions.len() == 1;
    let mut ranges = Vec::with_capacity(array.dimensions.len());
    for (number, &Dimension { length, lower }) in array.dimensions.iter().enumerate() {
        let (first, last) = bounds.get(number).copied().unwrap_or((None, None));
        let (first, last) = (first.unwrap_or(lower), last.unwrap_or(lower + (length - 1)));
        if first > last {
            return Err(wrong("upper bound cannot be less than lower bound"));
        }
        if !is_flat && (first < lower || last > lower + (length - 1)) {
            return Err(wrong("array subscript out of range"));
        }
        ranges.push((first, last));
    }
    let mut wanted = 1_i64;
    for (first, last) in &ranges {
        wanted = wanted.saturating_mul(i64::from(*last) - i64::from(*first) + 1);
    }
    if is_flat {
        extend(&mut array, ranges[0].0, ranges[0].1)?;
    }
    if i64::try_from(source.values.len()).expect("arrays are bounded") < wanted {
        return Err(wrong("source array too small"));
    }
    let mut values = source.values.iter();
    let Array { dimensions, values: old, .. } = &mut array;
    put(dimensions, &ranges, old, &mut values);
    Ok(array.into())
}

/// An empty array takes the shape of the slice.
fn of_slice(array: Array, source: &Array, bounds: &[(Option<i32>, Option<i32>)]) -> Result<Datum> {
    let mut dimensions = Vec::with_capacity(bounds.len());
    for bound in bounds {
        let (Some(lower), Some(upper)) = *bound else {
            let error = wrong("array slice subscript must provide both boundaries");
            let detail = "When assigning to a slice of an empty array value, slice boundaries must be fully specified.";
            return Err(error.with_detail(detail));
        };
        let length = upper.checked_sub(lower).and_then(|length| length.checked_add(1));
        dimensions.push(Dimension { length: length.ok_or_else(too_large)?, lower });
    }
    let count = checked_size(&dimensions)?;
    if source.values.len() < count {
        return Err(wrong("source array too small"));
    }
    if count == 0 {
        return Ok(array.into());
    }
    let values = source.values[..count].to_vec();
    Ok(Array { element: array.element, dimensions, values }.into())
}

/// Puts values into the ranges of an array, the last dimension fastest.
fn put<'v>(
    dimensions: &[Dimension],
    ranges: &[(i32, i32)],
    old: &mut [Datum],
    values: &mut impl Iterator<Item = &'v Datum>,
) {
    let (Some((dimension, inner)), Some((&(first, last), rest))) =
        (dimensions.split_first(), ranges.split_first())
    else {
        old[0] = values.next().expect("counted before").clone();
        return;
    };
    let size = old.len() / place(dimension.length).max(1);
    let (skipped, count) = (place(first - dimension.lower), place(last - first) + 1);
    for part in old.chunks_mut(size.max(1)).skip(skipped).take(count) {
        put(inner, rest, part, values);
    }
}
