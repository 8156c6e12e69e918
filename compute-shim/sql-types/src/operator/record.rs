//! Order of rows whose columns are known only when two of them meet.
//!
//! Owns `record_cmp` and `record_eq` of PostgreSQL: columns are compared one by one, and the first two of different types are an
//! error, unless the columns before them have decided. `crate::datum::compare` is for rows that are known to have the same columns.

use std::cmp::Ordering;

use crate::datum::{Array, Datum, Record, compare};
use crate::error::{Result, SqlError, SqlState};
use crate::types::TypeId;

/// What the comparison is for: whether values are equal, or which is first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Equality,
    Order,
}

impl Purpose {
    /// The operator that a column's type has to have, and what it is called.
    fn needs(self) -> (&'static str, &'static str) {
        match self {
            Purpose::Equality => ("=", "an equality operator"),
            Purpose::Order => ("<", "a comparison function"),
        }
    }
}

/// 42804 for rows that differ in kind before they differ in value; 42883 for a column without a comparison.
pub(super) fn order_records(left: &Record, right: &Record, purpose: Purpose) -> Result<Ordering> {
    for (at, (a, b)) in left.values.iter().zip(&right.values).enumerate() {
        let (type_id, other) = (left.types[at], right.types[at]);
        if type_id != other {
            let (one, other) = (type_id.display_name(), other.display_name());
            let column = at + 1;
            let message =
                format!("cannot compare dissimilar column types {one} and {other} at record column {column}");
            return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message));
        }
        let order = order_values(type_id, a, b, purpose)?;
        if order.is_ne() {
            return Ok(order);
        }
    }
    if left.values.len() != right.values.len() {
        let message = "cannot compare record types with different numbers of columns";
        return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message));
    }
    Ok(Ordering::Equal)
}

/// Arrays of rows, element by element; then by their shapes.
pub(super) fn order_arrays(left: &Array, right: &Array, purpose: Purpose) -> Result<Ordering> {
    for (a, b) in left.values.iter().zip(&right.values) {
        let order = order_values(left.element, a, b, purpose)?;
        if order.is_ne() {
            return Ok(order);
        }
    }
    Ok(compare(TypeId::NONE, &left.clone().into(), &right.clone().into()))
}

fn order_values(type_id: TypeId, left: &Datum, right: &Datum, purpose: Purpose) -> Result<Ordering> {
    match (left, right) {
        (Datum::Record(left), Datum::Record(right)) => order_records(left, right, purpose),
        (Datum::Array(left), Datum::Array(right)) if left.element == TypeId::RECORD => {
            order_arrays(left, right, purpose)
        }
        (Datum::Null, _) | (_, Datum::Null) => Ok(compare(type_id, left, right)),
        _ => {
            let (operator, what) = purpose.needs();
            if !is_plain(type_id) && crate::resolve::operator(operator, Some(type_id), type_id).is_err() {
                let name = type_id.display_name();
                let message = format!("could not identify {what} for type {name}");
                return Err(SqlError::new(SqlState::UNDEFINED_FUNCTION, message));
            }
            Ok(compare(type_id, left, right))
        }
    }
}

/// The types that most columns have, which are known to have an order.
fn is_plain(type_id: TypeId) -> bool {
    matches!(type_id, TypeId::INT4 | TypeId::INT8 | TypeId::TEXT | TypeId::NUMERIC | TypeId::UNKNOWN)
}

/// The order of two values of a type of rows, or of any other, by which `greatest` and `least` choose.
pub fn order_checked(type_id: TypeId, left: &Datum, right: &Datum) -> Result<Ordering> {
    match type_id {
        TypeId::RECORD => order_values(type_id, left, right, Purpose::Order),
        _ => Ok(compare(type_id, left, right)),
    }
}
