//! Array operators: concatenation, containment and overlap.
//!
//! Owns || @> <@ && on arrays, which the functions of the same meaning share. Read next: `crate::datum::Array`.

use std::sync::Arc;

use crate::datum::{Array, Datum, Dimension, equal};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};

/// A bug in the caller: the table pairs this code with other types.
fn mismatch(operands: &[Datum]) -> ! {
    panic!("an array operator was given values of other types: {operands:?}")
}

/// 2202E for arrays whose dimensions do not fit each other.
fn incompatible(detail: &str) -> SqlError {
    let message = "cannot concatenate incompatible arrays";
    SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message).with_detail(detail)
}

/// `array || array` (`array_cat`); NULL is as good as empty.
pub(crate) fn concat(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let (left, right) = match operands {
        [Datum::Null, other] | [other, Datum::Null] => return Ok(other.clone()),
        [Datum::Array(left), Datum::Array(right)] => (left, right),
        _ => mismatch(operands),
    };
    if left.dimensions.is_empty() {
        return Ok(Datum::Array(right.clone()));
    }
    if right.dimensions.is_empty() {
        return Ok(Datum::Array(left.clone()));
    }
    let dimensions = concat_dimensions(left, right)?;
    let values = left.values.iter().chain(&right.values).cloned().collect();
    Ok(Datum::Array(Arc::new(Array { element: left.element, dimensions, values })))
}

/// Both of one depth, or one of them a slice of the other's outermost dimension.
fn concat_dimensions(left: &Array, right: &Array) -> Result<Vec<Dimension>> {
    let (l, r) = (&left.dimensions, &right.dimensions);
    let grown = |dimension: Dimension, by: i32| -> Result<Dimension> {
        let length = dimension.length.checked_add(by).ok_or_else(|| {
            SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed")
        })?;
        Ok(Dimension { length, ..dimension })
    };
    let differ = "Arrays with differing element dimensions are not compatible for concatenation.";
    let (mut dimensions, by, same) = match (l.len(), r.len()) {
        (a, b) if a == b => (l.clone(), r[0].length, l[1..] == r[1..]),
        (a, b) if a == b + 1 => (l.clone(), 1, l[1..] == r[..]),
        (a, b) if a + 1 == b => (r.clone(), 1, r[1..] == l[..]),
        (a, b) => {
            let detail = format!("Arrays of {a} and {b} dimensions are not compatible for concatenation.");
            return Err(incompatible(&detail));
        }
    };
    if !same {
        return Err(incompatible(differ));
    }
    dimensions[0] = grown(dimensions[0], by)?;
    Ok(dimensions)
}

/// `array || element` and `element || array` put one value at an end.
fn push(array: &Datum, element: &Datum, front: bool) -> Result<Datum> {
    let Datum::Array(array) = array else {
        // A NULL array takes its element type from the value.
        let id = element_type(element);
        return Ok(Array::from_values(id, vec![element.clone()]).into());
    };
    if array.dimensions.len() > 1 {
        let message = "argument must be empty or one-dimensional array";
        return Err(SqlError::new(SqlState::DATA_EXCEPTION, message));
    }
    let lower = array.dimensions.first().map_or(1, |dimension| dimension.lower);
    let mut values = array.values.clone();
    values.insert(if front { 0 } else { values.len() }, element.clone());
    Ok(Array::with_lower(array.element, values, lower).into())
}

/// The plainest type that a value can be of.
pub(crate) fn element_type(value: &Datum) -> crate::types::TypeId {
    use crate::types::TypeId;
    match value {
        Datum::Null | Datum::Text(_) => TypeId::TEXT,
        Datum::Bool(_) => TypeId::BOOL,
        Datum::Char(_) => TypeId::CHAR,
        Datum::Int2(_) => TypeId::INT2,
        Datum::Int4(_) => TypeId::INT4,
        Datum::Int8(_) => TypeId::INT8,
        Datum::Oid(_) => TypeId::OID,
        Datum::Float4(_) => TypeId::FLOAT4,
        Datum::Float8(_) => TypeId::FLOAT8,
        Datum::Numeric(_) => TypeId::NUMERIC,
        Datum::Jsonb(_) => TypeId::JSONB,
        Datum::JsonPath(_) => TypeId::JSONPATH,
        Datum::Bytea(_) => TypeId::BYTEA,
        Datum::Date(_) => TypeId::DATE,
        Datum::Time(_) => TypeId::TIME,
        Datum::Timetz(_) => TypeId::TIMETZ,
        Datum::Timestamp(_) => TypeId::TIMESTAMP,
        Datum::Timestamptz(_) => TypeId::TIMESTAMPTZ,
        Datum::Interval(_) => TypeId::INTERVAL,
        Datum::Uuid(_) => TypeId::UUID,
        Datum::Enum(value) => value.id,
        Datum::Array(array) => array.element.array_of().unwrap_or(TypeId::TEXT_ARRAY),
        Datum::Record(_) => TypeId::RECORD,
    }
}

/// `array_append`, `array || element`.
pub(crate) fn append(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    push(&operands[0], &operands[1], false)
}

/// `array_prepend`, `element || array`.
pub(crate) fn prepend(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    push(&operands[1], &operands[0], true)
}

fn two(operands: &[Datum]) -> (&Array, &Array) {
    match operands {
        [Datum::Array(left), Datum::Array(right)] => (left, right),
        _ => mismatch(operands),
    }
}

/// Whether every element of `inner` equals one of `outer`; NULL equals nothing.
fn contains_all(outer: &Array, inner: &Array) -> bool {
    inner.values.iter().all(|value| !value.is_null() && contains(outer, value))
}

fn contains(array: &Array, wanted: &Datum) -> bool {
    array.values.iter().any(|value| !value.is_null() && equal(array.element, value, wanted))
}

/// `@>`.
pub(super) fn contains_array(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let (left, right) = two(operands);
    Ok(Datum::Bool(contains_all(left, right)))
}

/// `<@`.
pub(super) fn contained_array(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let (left, right) = two(operands);
    Ok(Datum::Bool(contains_all(right, left)))
}

/// `&&`.
pub(super) fn overlap(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let (left, right) = two(operands);
    let shared = right.values.iter().any(|value| !value.is_null() && contains(left, value));
    Ok(Datum::Bool(shared))
}
