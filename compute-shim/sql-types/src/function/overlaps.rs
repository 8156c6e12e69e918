//! `(a, b) OVERLAPS (c, d)`: whether two spans of time share a moment.
//!
//! Owns the rule (`overlaps_timestamp` of PostgreSQL 15) for times, timestamps, and spans given by their length. Read next:
//! `temporal.rs`.

use std::cmp::Ordering;

use crate::datum::{Datum, compare};
use crate::env::EvalEnv;
use crate::error::Result;
use crate::operator::add_temporal;
use crate::types::TypeId;

/// One span: its start, and its end if both are known.
struct Span {
    start: Datum,
    end: Option<Datum>,
}

fn order(a: &Datum, b: &Datum) -> Ordering {
    compare(TypeId::NONE, a, b)
}

/// The lesser end first; a single known end is the start. `None` if neither is known.
fn span(env: &EvalEnv<'_>, first: &Datum, second: &Datum) -> Result<Option<Span>> {
    let second = match second {
        Datum::Interval(_) if first.is_null() => Datum::Null,
        Datum::Interval(_) => add_temporal(env, &[first.clone(), second.clone()])?,
        other => other.clone(),
    };
    Ok(match (first, second) {
        (Datum::Null, Datum::Null) => None,
        (Datum::Null, end) => Some(Span { start: end, end: None }),
        (start, Datum::Null) => Some(Span { start: start.clone(), end: None }),
        (start, end) if order(start, &end).is_gt() => Some(Span { start: end, end: Some(start.clone()) }),
        (start, end) => Some(Span { start: start.clone(), end: Some(end) }),
    })
}

/// The span that begins later begins before the other one's end; unknown ends leave it open.
fn meets(later: &Span, earlier: &Span) -> Datum {
    match &earlier.end {
        None => Datum::Null,
        Some(end) if order(&later.start, end).is_lt() => Datum::Bool(true),
        Some(_) if later.end.is_none() => Datum::Null,
        Some(_) => Datum::Bool(false),
    }
}

pub(super) fn overlaps(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (Some(a), Some(b)) = (span(env, &args[0], &args[1])?, span(env, &args[2], &args[3])?) else {
        return Ok(Datum::Null);
    };
    Ok(match order(&a.start, &b.start) {
        Ordering::Greater => meets(&a, &b),
        Ordering::Less => meets(&b, &a),
        Ordering::Equal if a.end.is_none() || b.end.is_none() => Datum::Null,
        Ordering::Equal => Datum::Bool(true),
    })
}
