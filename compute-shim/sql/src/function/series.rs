//! `generate_series`, `generate_subscripts`, `unnest`.
//!
//! Owns [`Series`], whose values are made as they are asked for: a long series costs no memory.

use super::{TableFunction, bool_at, integer_at, series_of, set_of};
use crate::execute::{Context, Row};
use crate::stop::Step;
use hexalog_sql_types::datetime::{Interval, Timestamp, Timestamptz};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, EvalEnv, Numeric, SqlError, TypeId};
use std::cmp::Ordering;

const INT4: TypeId = TypeId::INT4;
const INT8: TypeId = TypeId::INT8;
const NUMERIC: TypeId = TypeId::NUMERIC;
const TIMESTAMP: TypeId = TypeId::TIMESTAMP;
const TIMESTAMPTZ: TypeId = TypeId::TIMESTAMPTZ;
const INTERVAL: TypeId = TypeId::INTERVAL;

pub(super) static FUNCTIONS: &[TableFunction] = &[
    series_of(1066, "generate_series", &[INT4, INT4, INT4], INT4, integers),
    series_of(1067, "generate_series", &[INT4, INT4], INT4, integers),
    series_of(1068, "generate_series", &[INT8, INT8, INT8], INT8, integers),
    series_of(1069, "generate_series", &[INT8, INT8], INT8, integers),
    series_of(3259, "generate_series", &[NUMERIC, NUMERIC, NUMERIC], NUMERIC, numerics),
    series_of(3260, "generate_series", &[NUMERIC, NUMERIC], NUMERIC, numerics),
    series_of(938, "generate_series", &[TIMESTAMP, TIMESTAMP, INTERVAL], TIMESTAMP, timestamps),
    series_of(939, "generate_series", &[TIMESTAMPTZ, TIMESTAMPTZ, INTERVAL], TIMESTAMPTZ, timestamptzs)
        .stable(),
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

/// What is left of a series.
pub(crate) enum Series {
    /// `integer` and `bigint`: it ends where the next value would not fit its type.
    Integers {
        next: Option<i64>,
        stop: i64,
        step: i64,
        is_int4: bool,
    },
    Numerics {
        next: Numeric,
        stop: Numeric,
        step: Numeric,
        is_ascending: bool,
        is_first: bool,
    },
    Timestamps {
        next: Timestamp,
        stop: Timestamp,
        step: Interval,
        is_ascending: bool,
        is_first: bool,
    },
    Timestamptzs {
        next: Timestamptz,
        stop: Timestamptz,
        step: Interval,
        is_ascending: bool,
        is_first: bool,
    },
}

/// The first value is the start, the others are a step on.
fn step_on<T>(next: &mut T, is_first: &mut bool, step: impl FnOnce(&T) -> Result<T>) -> Result<()> {
    if !std::mem::take(is_first) {
        *next = step(next)?;
    }
    Ok(())
}

impl Series {
    /// The next value; none once there was none.
    pub(super) fn next(&mut self, env: &EvalEnv<'_>) -> Result<Option<Datum>> {
        Ok(match self {
            Series::Integers { next, stop, step, is_int4 } => {
                let value = next.filter(|value| is_within(value.cmp(stop), *step > 0));
                *next = value.and_then(|value| value.checked_add(*step));
                match value {
                    Some(value) if *is_int4 => i32::try_from(value).ok().map(Datum::Int4),
                    value => value.map(Datum::Int8),
                }
            }
            Series::Numerics { next, stop, step, is_ascending, is_first } => {
                if *is_first || is_within(next.cmp(&stop), *is_ascending) {
                    step_on(next, is_first, |value| value.add(step))?;
                }
                is_within(next.cmp(&stop), *is_ascending).then(|| Datum::Numeric(next.clone()))
            }
            Series::Timestamps { next, stop, step, is_ascending, is_first } => {
                if *is_first || is_within(next.cmp(&stop), *is_ascending) {
                    step_on(next, is_first, |value| moved(*value, value.add_interval(step)?))?;
                }
                is_within(next.cmp(&stop), *is_ascending).then_some(Datum::Timestamp(*next))
            }
            Series::Timestamptzs { next, stop, step, is_ascending, is_first } => {
                if *is_first || is_within(next.cmp(&stop), *is_ascending) {
                    let zone = env.time_zone;
                    step_on(next, is_first, |value| moved(*value, value.add_interval(step, zone)?))?;
                }
                is_within(next.cmp(&stop), *is_ascending).then_some(Datum::Timestamptz(*next))
            }
        })
    }
}

/// An infinity is left by no step: PostgreSQL would give it without end.
fn moved<T: PartialEq>(from: T, to: T) -> Result<T> {
    if from == to {
        return Err(SqlError::unsupported("generate_series from an infinite timestamp"));
    }
    Ok(to)
}

fn integers(arguments: &[Datum]) -> Result<Series> {
    let step = if arguments.len() > 2 { integer_at(arguments, 2) } else { 1 };
    if step == 0 {
        return Err(zero_step());
    }
    let (start, stop) = (integer_at(arguments, 0), integer_at(arguments, 1));
    let is_int4 = matches!(arguments[0], Datum::Int4(_));
    Ok(Series::Integers { next: Some(start), stop, step, is_int4 })
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

fn numerics(arguments: &[Datum]) -> Result<Series> {
    let start = finite(arguments, 0, "start value")?;
    let stop = finite(arguments, 1, "stop value")?;
    let step = if arguments.len() > 2 { finite(arguments, 2, "step size")? } else { &Numeric::ONE };
    if step.is_zero() {
        return Err(zero_step());
    }
    let (next, stop, step) = (start.clone(), stop.clone(), step.clone());
    let is_ascending = step.signum() > 0;
    Ok(Series::Numerics { next, stop, step, is_ascending, is_first: true })
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

fn timestamps(arguments: &[Datum]) -> Result<Series> {
    let (&Datum::Timestamp(next), &Datum::Timestamp(stop)) = (&arguments[0], &arguments[1]) else {
        return Err(SqlError::internal("generate_series over timestamps was given something else"));
    };
    let step = *interval(arguments)?;
    Ok(Series::Timestamps { next, stop, step, is_ascending: direction(&step)?, is_first: true })
}

fn timestamptzs(arguments: &[Datum]) -> Result<Series> {
    let (&Datum::Timestamptz(next), &Datum::Timestamptz(stop)) = (&arguments[0], &arguments[1]) else {
        return Err(SqlError::internal("generate_series over timestamps was given something else"));
    };
    let step = *interval(arguments)?;
    Ok(Series::Timestamptzs { next, stop, step, is_ascending: direction(&step)?, is_first: true })
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
