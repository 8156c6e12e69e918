//! Arithmetic of dates, timestamps and intervals.
//!
//! Owns their + - * /. Read next: `crate::datetime`, which does the work.

use crate::datetime::Interval;
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError};

/// A bug in the caller: the table pairs this code with other types.
fn mismatch(operands: &[Datum]) -> ! {
    panic!("an operator was given values of other types: {operands:?}")
}

fn add_interval(env: &EvalEnv<'_>, value: &Datum, interval: &Interval) -> Result<Datum> {
    match value {
        Datum::Date(date) => date.to_timestamp()?.add_interval(interval).map(Datum::Timestamp),
        Datum::Timestamp(value) => value.add_interval(interval).map(Datum::Timestamp),
        Datum::Timestamptz(value) => value.add_interval(interval, env.time_zone).map(Datum::Timestamptz),
        Datum::Time(value) => Ok(Datum::Time(value.add_us(interval.us))),
        Datum::Timetz(value) => Ok(Datum::Timetz(value.add_us(interval.us))),
        Datum::Interval(value) => value.add(interval).map(Datum::Interval),
        other => panic!("no interval can be added to {other:?}"),
    }
}

pub(crate) fn add(env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    match operands {
        [Datum::Date(date), Datum::Int4(days)] | [Datum::Int4(days), Datum::Date(date)] => {
            date.add_days(i64::from(*days)).map(Datum::Date)
        }
        [Datum::Date(date), Datum::Time(time)] | [Datum::Time(time), Datum::Date(date)] => {
            date.at_time(*time).map(Datum::Timestamp)
        }
        [Datum::Date(date), Datum::Timetz(time)] | [Datum::Timetz(time), Datum::Date(date)] => {
            date.at_timetz(*time).map(Datum::Timestamptz)
        }
        [value, Datum::Interval(interval)] | [Datum::Interval(interval), value] => {
            add_interval(env, value, interval)
        }
        _ => mismatch(operands),
    }
}

pub(super) fn sub(env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    match operands {
        [Datum::Date(date), Datum::Int4(days)] => date.add_days(-i64::from(*days)).map(Datum::Date),
        [Datum::Date(a), Datum::Date(b)] => a.days_since(*b).map(Datum::Int4),
        [Datum::Timestamp(a), Datum::Timestamp(b)] => a.since(*b).map(Datum::Interval),
        [Datum::Timestamptz(a), Datum::Timestamptz(b)] => {
            use crate::datetime::Timestamp;
            Timestamp(a.0).since(Timestamp(b.0)).map(Datum::Interval)
        }
        [Datum::Time(a), Datum::Time(b)] => Ok(Datum::Interval(a.since(*b))),
        // Months and days do not matter to a time of day, so that theirs may be any.
        [Datum::Time(time), Datum::Interval(interval)] => {
            Ok(Datum::Time(time.add_us(interval.us.wrapping_neg())))
        }
        [Datum::Timetz(time), Datum::Interval(interval)] => {
            Ok(Datum::Timetz(time.add_us(interval.us.wrapping_neg())))
        }
        [value, Datum::Interval(interval)] => add_interval(env, value, &interval.negate()?),
        _ => mismatch(operands),
    }
}

pub(super) fn neg(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let [Datum::Interval(interval)] = operands else {
        mismatch(operands);
    };
    interval.negate().map(Datum::Interval)
}

pub(super) fn mul(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    match operands {
        [Datum::Interval(interval), Datum::Float8(factor)]
        | [Datum::Float8(factor), Datum::Interval(interval)] => {
            interval.multiply(*factor).map(Datum::Interval)
        }
        _ => mismatch(operands),
    }
}

pub(super) fn div(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let [Datum::Interval(interval), Datum::Float8(divisor)] = operands else {
        mismatch(operands);
    };
    if *divisor == 0.0 {
        return Err(SqlError::division_by_zero());
    }
    interval.divide(*divisor).map(Datum::Interval)
}
