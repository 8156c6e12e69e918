//! Arrays made and cut by their shape: `array_fill`, `trim_array`.
//!
//! Owns the checks of dimensions. Read next: `array.rs`, `array_assign.rs`.

use super::i32_at;
use crate::datum::{ARRAY_DIMENSIONS_MAX, Array, Datum, Dimension};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::operator::array::element_type;

/// Most elements of an array, as PostgreSQL has it.
const ELEMENTS_MAX: i64 = 134_217_727;

fn subscript_error(detail: &str) -> SqlError {
    SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts").with_detail(detail)
}

pub(super) fn too_large() -> SqlError {
    let message = format!("array size exceeds the maximum allowed ({ELEMENTS_MAX})");
    SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
}

/// The integers of a one-dimensional array without NULL; none for an empty one.
fn numbers(value: &Datum, word: &str) -> Result<Vec<i32>> {
    let Some(array) = value.as_array() else {
        let message = "dimension array or low bound array cannot be null";
        return Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
    };
    if array.dimensions.len() > 1 {
        return Err(subscript_error("Dimension array must be one dimensional."));
    }
    let number = |value: &Datum| match value {
        Datum::Int4(number) => Ok(*number),
        _ => {
            let message = format!("{word} values cannot be null");
            Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message))
        }
    };
    array.values.iter().map(number).collect()
}

/// How many elements there are in dimensions that are asked for; 54000 for more than an array holds, and where subscripts
/// would go beyond their type.
pub(super) fn checked_size(dimensions: &[Dimension]) -> Result<usize> {
    let mut count = i64::from(!dimensions.is_empty());
    for dimension in dimensions {
        if dimension.length < 0 {
            return Err(too_large());
        }
        count = count.saturating_mul(i64::from(dimension.length));
    }
    if count > ELEMENTS_MAX {
        return Err(too_large());
    }
    if count > 0 {
        Dimension::check_bounds(dimensions)?;
    }
    Ok(usize::try_from(count).expect("bounded above"))
}

/// `array_fill(value, lengths [, lower bounds])`.
pub(super) fn fill(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let lengths = numbers(&args[1], "dimension")?;
    if lengths.len() > ARRAY_DIMENSIONS_MAX {
        let message = format!(
            "number of array dimensions ({}) exceeds the maximum allowed ({ARRAY_DIMENSIONS_MAX})",
            lengths.len()
        );
        return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    let lowers = match args.get(2) {
        None => vec![1; lengths.len()],
        Some(lowers) => numbers(lowers, "dimension")?,
    };
    if lowers.len() != lengths.len() {
        return Err(subscript_error("Low bound array has different size than dimensions array."));
    }
    let dimensions: Vec<Dimension> =
        lengths.iter().zip(lowers).map(|(&length, lower)| Dimension { length, lower }).collect();
    let count = checked_size(&dimensions)?;
    let element = element_type(&args[0]);
    if count == 0 {
        return Ok(Array::from_values(element, Vec::new()).into());
    }
    let values = vec![args[0].clone(); count];
    Ok(Array { element, dimensions, values }.into())
}

/// `trim_array(array, n)`: without its last n slices.
pub(super) fn trim(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let array = args[0].as_array().unwrap_or_else(|| panic!("an array was expected: {args:?}"));
    let count = i32_at(args, 1);
    let length = array.dimensions.first().map_or(0, |dimension| dimension.length);
    if !(0..=length).contains(&count) {
        let message = format!("number of elements to trim must be between 0 and {length}");
        return Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
    }
    if length == 0 || count == length {
        return Ok(Array::from_values(array.element, Vec::new()).into());
    }
    let mut dimensions = array.dimensions.clone();
    dimensions[0].length -= count;
    // A slice counts from 1.
    dimensions.iter_mut().for_each(|dimension| dimension.lower = 1);
    let slice = array.values.len() / usize::try_from(length).expect("not negative");
    let kept = slice * usize::try_from(length - count).expect("checked above");
    Ok(Array { element: array.element, dimensions, values: array.values[..kept].to_vec() }.into())
}
/// One dimension of a slice: from which element on, and how many.
type Range = (usize, usize);

/// See [`super::ARRAY_SLICE`]. A bound beyond the array is its end; a slice with no element is the empty array, and so is one
/// of more dimensions than there are. Subscripts count from 1 again.
pub(super) fn slice(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (Some(array), Datum::Int4(given)) = (args[0].as_array(), &args[1]) else { return Ok(Datum::Null) };
    let bounds = &args[2..];
    let is_given = |at: usize| given >> at & 1 == 1;
    if bounds.iter().enumerate().any(|(at, bound)| is_given(at) && bound.is_null()) {
        return Ok(Datum::Null);
    }
    let empty = || Ok(Array::from_values(array.element, Vec::new()).into());
    if bounds.len() / 2 > array.dimensions.len() {
        return empty();
    }
    let mut ranges: Vec<Range> = Vec::with_capacity(array.dimensions.len());
    for (number, dimension) in array.dimensions.iter().enumerate() {
        let bound = |at: usize| match bounds.get(at) {
            Some(Datum::Int4(bound)) if is_given(at) => Some(i64::from(*bound)),
            _ => None,
        };
        let first = i64::from(dimension.lower);
        let last = first + i64::from(dimension.length) - 1;
        let lower = bound(2 * number).map_or(first, |lower| lower.max(first));
        let upper = bound(2 * number + 1).map_or(last, |upper| upper.min(last));
        if lower > upper {
            return empty();
        }
        let place = |number: i64| usize::try_from(number).expect("inside of the array");
        ranges.push((place(lower - first), place(upper - lower + 1)));
    }
    let mut values = Vec::new();
    take_slice(&array.dimensions, &ranges, &array.values, &mut values);
    let length = |&(_, count): &Range| i32::try_from(count).expect("no longer than it was");
    let dimensions = ranges.iter().map(|range| Dimension { length: length(range), lower: 1 }).collect();
    Ok(Array { element: array.element, dimensions, values }.into())
}

fn take_slice(dimensions: &[Dimension], ranges: &[Range], values: &[Datum], out: &mut Vec<Datum>) {
    let (Some((first, inner)), Some((&(start, count), rest))) =
        (dimensions.split_first(), ranges.split_first())
    else {
        return out.extend_from_slice(values);
    };
    let length = usize::try_from(first.length).expect("lengths are not negative");
    let size = values.len() / length.max(1);
    for part in values.chunks(size.max(1)).skip(start).take(count) {
        take_slice(inner, rest, part, out);
    }
}
