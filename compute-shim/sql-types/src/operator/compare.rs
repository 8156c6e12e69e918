//! Comparison operators, within a type and across the types that compare without a cast.
//!
//! Owns = <> < <= > >= and the pattern operators of text. Values of different widths compare exactly: integers as
//! integers, floats as `double precision`, dates and timestamps as instants. Read next: `crate::datum::compare`.

use std::cmp::Ordering;

use crate::datum::{Datum, compare, compare_f64};
use crate::env::EvalEnv;
use crate::error::Result;
use crate::types::TypeId;

use super::record::{Purpose, order_records};

/// Any integer, as the widest.
fn integer(value: &Datum) -> Option<i64> {
    match value {
        Datum::Int4(value) => Some(i64::from(*value)),
        other => other.as_i64(),
    }
}

fn float(value: &Datum) -> Option<f64> {
    match value {
        Datum::Float4(value) => Some(f64::from(*value)),
        Datum::Float8(value) => Some(*value),
        _ => None,
    }
}

/// Order of two values whose types an operator of the table pairs.
fn order(env: &EvalEnv<'_>, operands: &[Datum]) -> Ordering {
    let [left, right] = operands else {
        panic!("comparisons take two operands");
    };
    match (left, right) {
        (Datum::Int4(a), Datum::Int4(b)) => a.cmp(b),
        (Datum::Int8(a), Datum::Int8(b)) => a.cmp(b),
        (Datum::Date(a), Datum::Date(b)) => a.cmp(b),
        (Datum::Numeric(a), Datum::Numeric(b)) => a.cmp(b),
        (Datum::Text(a), Datum::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        // xid = integer: the same bits.
        (Datum::Oid(a), Datum::Int4(b)) => a.cmp(&b.cast_unsigned()),
        _ => {
            if let (Some(a), Some(b)) = (integer(left), integer(right)) {
                return a.cmp(&b);
            }
            if let (Some(a), Some(b)) = (float(left), float(right)) {
                return compare_f64(a, b);
            }
            instant_order(env, left, right).unwrap_or_else(|| compare(TypeId::NONE, left, right))
        }
    }
}

/// Order of a date or timestamp beside one of another such type. A date or local time is an instant of the session's zone
/// beside a `timestamptz`; beyond the range of timestamps it stays on its side of them.
fn instant_order(env: &EvalEnv<'_>, left: &Datum, right: &Datum) -> Option<Ordering> {
    if std::mem::discriminant(left) == std::mem::discriminant(right) {
        return None;
    }
    let local = |value: &Datum| match value {
        Datum::Date(date) => Some(date.to_timestamp().unwrap_or(if date.0 < 0 {
            crate::datetime::Timestamp(i64::MIN + 1)
        } else {
            crate::datetime::Timestamp(i64::MAX - 1)
        })),
        Datum::Timestamp(value) => Some(*value),
        _ => None,
    };
    if let (Some(a), Some(b)) = (local(left), local(right)) {
        return Some(a.cmp(&b));
    }
    let instant = |value: &Datum| match value {
        Datum::Timestamptz(value) => Some(value.0),
        // A local time at the very edge has no instant; it sorts beside the infinity of its side.
        other => local(other).map(|local| {
            let past_edge = local.0 == i64::MIN + 1 || local.0 == i64::MAX - 1;
            if past_edge { local.0 } else { env.time_zone.to_utc(local).map_or(local.0, |instant| instant.0) }
        }),
    };
    Some(instant(left)?.cmp(&instant(right)?))
}

macro_rules! comparisons {
    ($order:expr; $($name:ident $test:ident;)*) => {
        $(pub(super) fn $name(env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
            let order: Ordering = $order(env, operands);
            Ok(Datum::Bool(order.$test()))
        })*
    };
}

comparisons! {
    order;
    eq is_eq;
    ne is_ne;
    lt is_lt;
    le is_le;
    gt is_gt;
    ge is_ge;
}

macro_rules! row_comparisons {
    ($($name:ident $purpose:ident $test:ident;)*) => {
        $(pub(super) fn $name(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
            let order = match operands {
                [Datum::Record(left), Datum::Record(right)] => order_records(left, right, Purpose::$purpose)?,
                other => panic!("rows were to be compared, not {other:?}"),
            };
            Ok(Datum::Bool(order.$test()))
        })*
    };
}

row_comparisons! {
    row_eq Equality is_eq;
    row_ne Equality is_ne;
    row_lt Order is_lt;
    row_le Order is_le;
    row_gt Order is_gt;
    row_ge Order is_ge;
}

macro_rules! array_comparisons {
    ($($name:ident $purpose:ident $test:ident;)*) => {
        $(pub(super) fn $name(env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
            let order = match operands {
                [Datum::Array(left), Datum::Array(_)] => {
                    Purpose::$purpose.check(left.element)?;
                    order(env, operands)
                }
                other => panic!("arrays were to be compared, not {other:?}"),
            };
            Ok(Datum::Bool(order.$test()))
        })*
    };
}

array_comparisons! {
    array_eq Equality is_eq;
    array_ne Equality is_ne;
    array_lt Order is_lt;
    array_le Order is_le;
    array_gt Order is_gt;
    array_ge Order is_ge;
}

comparisons! {
    |_: &EvalEnv<'_>, operands: &[Datum]| compare(TypeId::BPCHAR, &operands[0], &operands[1]);
    bpchar_eq is_eq;
    bpchar_ne is_ne;
    bpchar_lt is_lt;
    bpchar_le is_le;
    bpchar_gt is_gt;
    bpchar_ge is_ge;
}

comparisons! {
    |_: &EvalEnv<'_>, operands: &[Datum]| compare(TypeId::OIDVECTOR, &operands[0], &operands[1]);
    oidvector_eq is_eq;
    oidvector_ne is_ne;
    oidvector_lt is_lt;
    oidvector_le is_le;
    oidvector_gt is_gt;
    oidvector_ge is_ge;
}
