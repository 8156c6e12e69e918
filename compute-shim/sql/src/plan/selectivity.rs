//! Which part of a table's rows passes a condition, guessed by what ANALYZE has found.
//!
//! Owns the guess for one table; `cardinality.rs` puts several together. The ways are PostgreSQL's (`selfuncs.c`,
//! `clausesel.c`): common values are known, others are alike, ranges are read off the histogram, and what conditions say is
//! taken to be independent. A guess decides speed, never results.

use super::access::{Bound, Comparison, bound};
use crate::catalog::statistics::{ColumnStatistics, Statistics};
use crate::expression::{Expr, Kind};
use hexalog_sql_types::datum::compare;
use hexalog_sql_types::{Datum, TypeId};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// PostgreSQL's guesses where nothing is known (`selfuncs.h`): of an equality, a one-sided range, a range of two sides.
const EQUALITY: f64 = 0.005;
const INEQUALITY: f64 = 1.0 / 3.0;
const RANGE: f64 = 0.005;
/// Of what is no comparison; between PostgreSQL's for patterns and for Booleans.
const OTHER: f64 = 0.25;
/// Different values of a column of which nothing is known.
const DISTINCT: f64 = 200.0;
/// Elements of an array that is not known.
const ELEMENTS: usize = 10;

/// The part that passes all conditions.
pub(super) fn of_all(statistics: &Statistics, conditions: &[Expr]) -> f64 {
    let mut part = 1.0;
    // Bounds of one column are one range: their parts overlap.
    let mut ranges: BTreeMap<usize, (Option<f64>, Option<f64>)> = BTreeMap::new();
    for condition in conditions {
        match one_sided(statistics, condition) {
            Some((column, is_upper, found)) => {
                let range = ranges.entry(column).or_default();
                let side = if is_upper { &mut range.1 } else { &mut range.0 };
                *side = Some(side.unwrap_or(1.0).min(found));
            }
            None => part *= of(statistics, condition),
        }
    }
    for (column, range) in ranges {
        let nulls = statistics.column(column).map_or(0.0, |of| f64::from(of.null_fraction));
        part *= match range {
            (Some(lower), Some(upper)) => match lower + upper + nulls - 1.0 {
                both if both > 0.0 => both,
                _ => RANGE.min(lower).min(upper),
            },
            (lower, upper) => lower.or(upper).unwrap_or(1.0),
        };
    }
    part.clamp(0.0, 1.0)
}

/// A bound of a column: whether from above, and what part it lets through.
fn one_sided(statistics: &Statistics, condition: &Expr) -> Option<(usize, bool, f64)> {
    let Bound { operand, comparison, value } = bound(condition)?;
    let column = operand.read_column()?;
    let is_upper = match comparison {
        Comparison::Equal => return None,
        Comparison::Less | Comparison::LessEqual => true,
        Comparison::Greater | Comparison::GreaterEqual => false,
    };
    let found = match statistics.column(column) {
        Some(of) => compared(statistics, of, comparison, value),
        None => INEQUALITY,
    };
    Some((column, is_upper, found))
}

/// The part that passes one condition.
fn of(statistics: &Statistics, condition: &Expr) -> f64 {
    let column = |expr: &Expr| statistics.column(expr.read_column()?);
    let part = match &condition.kind {
        Kind::Constant(value) => f64::from(u8::from(value.as_bool() == Some(true))),
        Kind::Column(at) => match statistics.column(*at) {
            Some(found) => equal(statistics, found, &Datum::Bool(true)),
            None => 0.5,
        },
        Kind::And(parts) => of_all(statistics, parts),
        Kind::Or(parts) => 1.0 - parts.iter().map(|part| 1.0 - of(statistics, part)).product::<f64>(),
        Kind::Not(inner) => 1.0 - of(statistics, inner),
        Kind::IsNull { operand, negated } => {
            let nulls = column(operand).map_or(EQUALITY, |of| f64::from(of.null_fraction));
            if *negated { 1.0 - nulls } else { nulls }
        }
        Kind::AnyAll { operator, left, array, all: false } if operator.name == "=" => match column(left) {
            Some(found) => any_of(statistics, found, array),
            None => EQUALITY * ELEMENTS as f64,
        },
        Kind::Operator { operator, operands } => match bound(condition) {
            Some(Bound { operand, comparison, value }) => match column(operand) {
                Some(found) => compared(statistics, found, comparison, value),
                None if comparison == Comparison::Equal => EQUALITY,
                None => INEQUALITY,
            },
            None if operator.name == "=" => EQUALITY,
            None if operator.name == "<>" => match operands.iter().find_map(column) {
                Some(found) => 1.0 - f64::from(found.null_fraction) - 1.0 / distinct(statistics, found),
                None => 1.0 - EQUALITY,
            },
            None => OTHER,
        },
        _ => OTHER,
    };
    part.clamp(0.0, 1.0)
}

/// Different values of a column, one at least.
pub(super) fn distinct(statistics: &Statistics, of: &ColumnStatistics) -> f64 {
    let rows = statistics.rows.unwrap_or(0) as f64;
    let distinct = match f64::from(of.distinct) {
        0.0 => DISTINCT.min(rows),
        distinct if distinct < 0.0 => -distinct * rows,
        distinct => distinct,
    };
    distinct.max(1.0)
}

/// A constant as a value of the column's type; `None` if it is no constant, or is of a type that is compared otherwise.
fn constant(of: &ColumnStatistics, value: &Expr) -> Option<Datum> {
    let found = value.as_constant()?;
    let is_string = |id| matches!(id, TypeId::TEXT | TypeId::VARCHAR | TypeId::NAME);
    if found.is_null() || value.type_id == of.type_id {
        return Some(found.clone());
    }
    if is_string(value.type_id) && is_string(of.type_id) {
        return Some(found.clone());
    }
    let number = found.as_i64()?;
    Some(match of.type_id {
        // Beyond the type it is beyond all values: its end stands for it.
        TypeId::INT2 => Datum::Int2(number.clamp(i16::MIN.into(), i16::MAX.into()) as i16),
        TypeId::INT4 => Datum::Int4(number.clamp(i32::MIN.into(), i32::MAX.into()) as i32),
        TypeId::INT8 => Datum::Int8(number),
        _ => return None,
    })
}

/// The part of the rows whose values compare like this.
fn compared(statistics: &Statistics, of: &ColumnStatistics, comparison: Comparison, value: &Expr) -> f64 {
    let filled = 1.0 - f64::from(of.null_fraction);
    let found = match constant(of, value) {
        None if comparison == Comparison::Equal => return filled / distinct(statistics, of),
        None => return filled * INEQUALITY,
        Some(Datum::Null) => return 0.0,
        Some(found) => found,
    };
    match comparison {
        Comparison::Equal => equal(statistics, of, &found),
        Comparison::Less => below(of, &found, false),
        Comparison::LessEqual => below(of, &found, true),
        Comparison::Greater => filled - below(of, &found, true),
        Comparison::GreaterEqual => filled - below(of, &found, false),
    }
}

/// Part of the rows that the common values have.
fn common(of: &ColumnStatistics) -> f64 {
    of.common.iter().map(|(_, fraction)| f64::from(*fraction)).sum()
}

fn equal(statistics: &Statistics, of: &ColumnStatistics, value: &Datum) -> f64 {
    let same = |(common, _): &&(Datum, f32)| compare(of.type_id, common, value) == Ordering::Equal;
    if let Some((_, fraction)) = of.common.iter().find(same) {
        return f64::from(*fraction);
    }
    let rest = (1.0 - f64::from(of.null_fraction) - common(of)).max(0.0);
    let others = (distinct(statistics, of) - of.common.len() as f64).max(1.0);
    // What is not among the common values is not more common than the last of these.
    let last = of.common.last().map_or(1.0, |(_, fraction)| f64::from(*fraction));
    (rest / others).min(last)
}

fn any_of(statistics: &Statistics, of: &ColumnStatistics, array: &Expr) -> f64 {
    let each = (1.0 - f64::from(of.null_fraction)) / distinct(statistics, of);
    match array.as_constant() {
        Some(Datum::Array(values)) if array.type_id.array_element() == Some(of.type_id) => values
            .values
            .iter()
            .filter(|value| !value.is_null())
            .map(|value| equal(statistics, of, value))
            .sum(),
        Some(Datum::Array(values)) => each * values.values.len() as f64,
        _ => each * ELEMENTS as f64,
    }
}

/// The part of the rows with values below one, or equal to it as well.
fn below(of: &ColumnStatistics, value: &Datum, with_equal: bool) -> f64 {
    let passes = |other: &Datum| match compare(of.type_id, other, value) {
        Ordering::Less => true,
        Ordering::Equal => with_equal,
        Ordering::Greater => false,
    };
    let of_common = of.common.iter().filter(|(common, _)| passes(common));
    let of_common: f64 = of_common.map(|(_, fraction)| f64::from(*fraction)).sum();
    let rest = (1.0 - f64::from(of.null_fraction) - common(of)).max(0.0);
    of_common + rest * below_in_histogram(of, value)
}

fn below_in_histogram(of: &ColumnStatistics, value: &Datum) -> f64 {
    let [first, .., last] = of.bounds.as_slice() else { return INEQUALITY };
    if compare(of.type_id, value, first) != Ordering::Greater {
        return 0.0;
    }
    if compare(of.type_id, value, last) != Ordering::Less {
        return 1.0;
    }
    let above = of.bounds.partition_point(|bound| compare(of.type_id, bound, value) != Ordering::Greater);
    let (low, high) = (&of.bounds[above - 1], &of.bounds[above]);
    let within = match (number(low), number(value), number(high)) {
        (Some(low), Some(value), Some(high)) if high > low => ((value - low) / (high - low)).clamp(0.0, 1.0),
        _ => 0.5,
    };
    ((above - 1) as f64 + within) / (of.bounds.len() - 1) as f64
}

/// A value on a line, if its type lies on one.
fn number(value: &Datum) -> Option<f64> {
    Some(match value {
        Datum::Int2(value) => f64::from(*value),
        Datum::Int4(value) => f64::from(*value),
        Datum::Int8(value) => *value as f64,
        Datum::Float4(value) => f64::from(*value),
        Datum::Float8(value) => *value,
        Datum::Oid(value) => f64::from(*value),
        Datum::Date(value) => f64::from(value.0),
        Datum::Timestamp(value) => value.0 as f64,
        Datum::Timestamptz(value) => value.0 as f64,
        _ => return None,
    })
}
