//! `generate_series`, `generate_subscripts`, `unnest`.
//!
//! All rows are made at once, so that a long series costs memory.

use super::{TableFunction, bool_at, integer_at, set_of};
use crate::execute::{Context, Row};
use crate::stop::Step;
use hexalog_sql_types::datetime::{Interval, Timestamp, Timestamptz};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, Numeric, SqlError, TypeId};
use std::cmp::Ordering;

const INT4: TypeId = TypeId::INT4;
const INT8: TypeId = TypeId::INT8;
const NUMERIC: TypeId = TypeId::NUMERIC;
const TIMESTAMP: TypeId = TypeId::TIMESTAMP;
const TIMESTAMPTZ: TypeId = TypeId::TIMESTAMPTZ;
const INTERVAL: TypeId = TypeId::INTERVAL;

pub(super) static FUNCTIONS: &[TableFunction] = &[
    set_of(1066, "generate_series", &[INT4, INT4, INT4], INT4, integers),
    set_of(1067, "generate_series", &[INT4, INT4], INT4, integers),
    set_of(1068, "generate_series", &[INT8, INT8, INT8], INT8, integers),
    set_of(1069, "generate_series", &[INT8, INT8], INT8, integers),
    set_of(3259, "generate_series", &[NUMERIC, NUMERIC, NUMERIC], NUMERIC, numerics),
    set_of(3260, "generate_series", &[NUMERIC, NUMERIC], NUMERIC, numerics),
    set_of(938, "generate_series", &[TIMESTAMP, TIMESTAMP, INTERVAL], TIMESTAMP, timestamps),
    set_of(939, "generate_series", &[TIMESTAMPTZ, TIMESTAMPTZ, INTERVAL], TIMESTAMPTZ, timestamptzs).stable(),
    set_of(1191, "generate_subscripts", &[TypeId::ANYARRAY, INT4, TypeId::BOOL], INT4, subscripts),
    set_of(1192, "generate_subscripts", &[TypeId::ANYARRAY, INT4], INT4, subscripts),
    set_of(2331, "unnest", &[TypeId::ANYARRAY], TypeId::ANYELEMENT, unnest),
];

fn zero_step() -> SqlError {
    SqlError::invalid_parameter("step size cannot equal zero")
}

/// Whether a value is still within the series.
fn is_within(value_to_stop: Ordering, is_ascending: bool) -> bool {
    match is_ascending {
        true => value_to_stop != Ordering::Greater,
        false => value_to_stop != Ordering::Less,
    }
}

/// `integer` and `bigint`: the series ends where the next value would not fit its type.
fn integers(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    let (start, stop) = (integer_at(arguments, 0), integer_at(arguments, 1));
    let step = if arguments.len() > 2 { integer_at(arguments, 2) } else { 1 };
    if step == 0 {
        return Err(zero_step().into());
    }
    let is_int4 = matches!(arguments[0], Datum::Int4(_));
    let mut rows = Vec::new();
    let mut next = Some(start);
    while let Some(value) = next.filter(|value| is_within(value.cmp(&stop), step > 0)) {
        let datum = match is_int4 {
            true => match i32::try_from(value) {
                Ok(value) => Datum::Int4(value),
                Err(_) => break,
            },
            false => Datum::Int8(value),
        };
        rows.push(vec![datum]);
        next = value.checked_add(step);
    }
    Ok(rows)
}

/// NaN and the infinities have no place in a series.
fn finite<'a>(arguments: &'a [Datum], at: usize, what: &str) -> Result<&'a Numeric> {
    let Datum::Numeric(value) = &arguments[at] else {
        return Err(SqlError::internal("generate_series over numeric was given something else"));
    };
    if value.is_nan() {
        return Err(SqlError::invalid_parameter(format!("{what} cannot be NaN")));
    }
    if value.is_infinite() {
        return Err(SqlError::invalid_parameter(format!("{what} cannot be infinity")));
    }
    Ok(value)
}

fn numerics(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    let start = finite(arguments, 0, "start value")?;
    let stop = finite(arguments, 1, "stop value")?;
    let step = if arguments.len() > 2 { finite(arguments, 2, "step size")? } else { &Numeric::ONE };
    if step.is_zero() {
        return Err(zero_step().into());
    }
    let is_ascending = step.signum() > 0;
    let mut rows = Vec::new();
    let mut value = start.clone();
    while is_within(value.cmp(stop), is_ascending) {
        let next = value.add(step)?;
        rows.push(vec![Datum::Numeric(value)]);
        value = next;
    }
    Ok(rows)
}

/// A step forward or backward; of months and days, what they come to in days of 24 hours decides.
fn direction(step: &Interval) -> Result<bool> {
    match step.span().cmp(&0) {
        Ordering::Equal => Err(zero_step()),
        order => Ok(order == Ordering::Greater),
    }
}

fn interval(arguments: &[Datum]) -> Result<&Interval> {
    match &arguments[2] {
        Datum::Interval(step) => Ok(step),
        _ => Err(SqlError::internal("generate_series over timestamps was given no interval")),
    }
}

fn timestamps(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    let (&Datum::Timestamp(start), &Datum::Timestamp(stop)) = (&arguments[0], &arguments[1]) else {
        return Err(SqlError::internal("generate_series over timestamps was given something else").into());
    };
    let step = interval(arguments)?;
    let is_ascending = direction(step)?;
    let mut rows = Vec::new();
    let mut value: Timestamp = start;
    while is_within(value.cmp(&stop), is_ascending) {
        rows.push(vec![Datum::Timestamp(value)]);
        let next = value.add_interval(step)?;
        if next == value {
            // An infinity, which no step leaves: PostgreSQL would give it without end.
            return Err(SqlError::unsupported("generate_series from an infinite timestamp").into());
        }
        value = next;
    }
    Ok(rows)
}

fn timestamptzs(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    let (&Datum::Timestamptz(start), &Datum::Timestamptz(stop)) = (&arguments[0], &arguments[1]) else {
        return Err(SqlError::internal("generate_series over timestamps was given something else").into());
    };
    let step = interval(arguments)?;
    let is_ascending = direction(step)?;
    let mut rows = Vec::new();
    let mut value: Timestamptz = start;
    while is_within(value.cmp(&stop), is_ascending) {
        rows.push(vec![Datum::Timestamptz(value)]);
        let next = value.add_interval(step, context.env.time_zone)?;
        if next == value {
            return Err(SqlError::unsupported("generate_series from an infinite timestamp").into());
        }
        value = next;
    }
    Ok(rows)
}

/// No rows for a dimension that the array does not have.
fn subscripts(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    let dimension = usize::try_from(integer_at(arguments, 1) - 1).ok();
    let array = arguments[0].as_array();
    let Some(dimension) = array.and_then(|array| array.dimensions.get(dimension?)) else {
        return Ok(Vec::new());
    };
    let mut rows: Vec<Row> =
        (0..dimension.length).map(|at| vec![Datum::Int4(dimension.lower + at)]).collect();
    if arguments.len() > 2 && bool_at(arguments, 2) {
        rows.reverse();
    }
    Ok(rows)
}

fn unnest(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    let elements = arguments[0].as_array().map_or(&[][..], |array| array.elements());
    Ok(elements.iter().map(|element| vec![element.clone()]).collect())
}
