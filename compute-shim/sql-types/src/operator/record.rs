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

    /// 42883 for a type whose values cannot be compared so.
    pub(super) fn check(self, type_id: TypeId) -> Result<()> {
        let (operator, what) = self.needs();
        match is_plain(type_id) || has_operator(operator, type_id) {
            true => Ok(()),
            false => Err(not_identified(what, type_id)),
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
fn order_arrays(left: &Array, right: &Array, purpose: Purpose) -> Result<Ordering> {
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
        _ => {
            purpose.check(type_id)?;
            Ok(compare(type_id, left, right))
        }
    }
}

fn not_identified(what: &str, type_id: TypeId) -> SqlError {
    let message = format!("could not identify {what} for type {}", type_id.display_name());
    SqlError::new(SqlState::UNDEFINED_FUNCTION, message)
}

/// Whether values of a type, or of an array's elements, can be compared. Of rows it is seen when two of them meet.
fn has_operator(name: &str, type_id: TypeId) -> bool {
    match type_id.array_element() {
        Some(element) => has_operator(name, element),
        None => is_of_rows(type_id) || crate::resolve::operator(name, Some(type_id), type_id).is_ok(),
    }
}

fn is_of_rows(type_id: TypeId) -> bool {
    matches!(type_id, TypeId::RECORD | TypeId::RECORD_ARRAY)
}

/// 42883 for a row with a column that has no hash. As in PostgreSQL rows within rows have none, whatever their columns.
pub fn check_hashable(value: &Datum) -> Result<()> {
    let Datum::Record(record) = value else { return Ok(()) };
    for &type_id in record.types.iter().filter(|&&type_id| !is_plain(type_id)) {
        if is_of_rows(type_id) || !has_operator("=", type_id) {
            return Err(not_identified("a hash function", type_id));
        }
    }
    Ok(())
}

/// The types that most columns have, which are known to have an order.
fn is_plain(type_id: TypeId) -> bool {
    matches!(
        type_id,
        TypeId::BOOL
            | TypeId::INT2
            | TypeId::INT4
            | TypeId::INT8
            | TypeId::FLOAT4
            | TypeId::FLOAT8
            | TypeId::NUMERIC
            | TypeId::TEXT
            | TypeId::VARCHAR
            | TypeId::UNKNOWN
            | TypeId::DATE
            | TypeId::TIMESTAMP
            | TypeId::TIMESTAMPTZ
            | TypeId::UUID
    )
}

/// The order of two values of a type of rows, or of any other, by which `greatest` and `least` choose.
pub fn order_checked(type_id: TypeId, left: &Datum, right: &Datum) -> Result<Ordering> {
    match type_id {
        TypeId::RECORD => order_values(type_id, left, right, Purpose::Order),
        _ => Ok(compare(type_id, left, right)),
    }
}
