//! The code of the casts: one function per target, told apart by the variant it is given.
//!
//! Owns the conversions with their range errors. Never sees NULL and never applies a type modifier (`typmod.rs`).
//! Read next: `table.rs`, which says who may ask for what.

use crate::datetime::{Interval, Time, Timetz};
use crate::datum::{Datum, trim_bpchar};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::numeric::Numeric;
use crate::text;
use crate::types::TypeId;

/// A bug in the caller: the binder has planned a cast for another type.
fn mismatch(value: &Datum) -> ! {
    panic!("a cast was given a value of another type: {value:?}")
}

/// Same representation.
pub(super) fn keep(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    Ok(value.clone())
}

pub(super) fn retype_text(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    assert!(matches!(value, Datum::Text(_)), "planned for a text-like type");
    Ok(value.clone())
}

/// Rounds a float to an integer, ties to even, within [low, high).
fn float_to_i64(value: f64, low: f64, high: f64, type_name: &str) -> Result<i64> {
    let rounded = value.round_ties_even();
    if rounded.is_nan() || rounded < low || rounded >= high {
        return Err(SqlError::out_of_range(type_name));
    }
    #[expect(clippy::cast_possible_truncation, reason = "an integer, just checked to fit")]
    Ok(rounded as i64)
}

/// An integer from any numeric type; `bits` bounds it.
fn integer(value: &Datum, bits: i32, type_name: &str) -> Result<i64> {
    let bound = 2f64.powi(bits - 1);
    let wide = match value {
        Datum::Int2(value) => i64::from(*value),
        Datum::Int4(value) => i64::from(*value),
        Datum::Int8(value) => *value,
        Datum::Oid(value) if bits == 32 => i64::from(value.cast_signed()),
        Datum::Oid(value) => i64::from(*value),
        Datum::Float4(value) => float_to_i64(f64::from(*value), -bound, bound, type_name)?,
        Datum::Float8(value) => float_to_i64(*value, -bound, bound, type_name)?,
        Datum::Numeric(value) => value.to_i64(type_name)?,
        other => mismatch(other),
    };
    let limit = if bits == 64 { i64::MAX } else { (1 << (bits - 1)) - 1 };
    if wide > limit || wide < -limit - 1 { Err(SqlError::out_of_range(type_name)) } else { Ok(wide) }
}

pub(super) fn to_int2(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    integer(value, 16, "smallint").map(|value| Datum::Int2(i16::try_from(value).expect("bounded")))
}

pub(super) fn to_int4(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    integer(value, 32, "integer").map(|value| Datum::Int4(i32::try_from(value).expect("bounded")))
}

pub(super) fn to_int8(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    integer(value, 64, "bigint").map(Datum::Int8)
}

/// Narrow integers keep their bits as they always did for oids; `bigint` is checked.
pub(super) fn to_oid(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    Ok(Datum::Oid(match value {
        Datum::Int2(value) => i32::from(*value).cast_unsigned(),
        Datum::Int4(value) => value.cast_unsigned(),
        Datum::Int8(value) => u32::try_from(*value).map_err(|_| SqlError::out_of_range("OID"))?,
        Datum::Oid(value) => *value,
        other => mismatch(other),
    }))
}

pub(super) fn to_float8(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    Ok(Datum::Float8(match value {
        Datum::Int2(value) => f64::from(*value),
        Datum::Int4(value) => f64::from(*value),
        Datum::Int8(value) => *value as f64,
        Datum::Float4(value) => f64::from(*value),
        Datum::Float8(value) => *value,
        Datum::Numeric(value) => value.to_f64()?,
        other => mismatch(other),
    }))
}

pub(super) fn to_float4(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    Ok(Datum::Float4(match value {
        Datum::Int2(value) => f32::from(*value),
        Datum::Int4(value) => *value as f32,
        Datum::Int8(value) => *value as f32,
        Datum::Float4(value) => *value,
        Datum::Float8(value) => narrow_float(*value)?,
        Datum::Numeric(value) => value.to_f32()?,
        other => mismatch(other),
    }))
}

/// A `real` from a `double precision`; 22003 where it becomes infinite or zero.
fn narrow_float(value: f64) -> Result<f32> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding is meant; over- and underflow are checked below"
    )]
    let narrow = value as f32;
    if narrow.is_infinite() && value.is_finite() {
        return Err(float_overflow());
    }
    if narrow == 0.0 && value != 0.0 {
        return Err(float_underflow());
    }
    Ok(narrow)
}

/// 22003 `value out of range: overflow`.
pub(crate) fn float_overflow() -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

/// 22003 `value out of range: underflow`.
pub(crate) fn float_underflow() -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

pub(super) fn to_numeric(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    Ok(Datum::Numeric(match value {
        Datum::Int2(value) => Numeric::from(*value),
        Datum::Int4(value) => Numeric::from(*value),
        Datum::Int8(value) => Numeric::from(*value),
        Datum::Float4(value) => Numeric::from_f32(*value),
        Datum::Float8(value) => Numeric::from_f64(*value),
        Datum::Numeric(value) => value.clone(),
        other => mismatch(other),
    }))
}

pub(super) fn bool_to_int4(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Bool(value) = value else { mismatch(value) };
    Ok(Datum::Int4(i32::from(*value)))
}

pub(super) fn int4_to_bool(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Int4(value) = value else { mismatch(value) };
    Ok(Datum::Bool(*value != 0))
}

pub(super) fn bool_to_text(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Bool(value) = value else { mismatch(value) };
    Ok(Datum::text(if *value { "true" } else { "false" }))
}

/// Bytes of `"char"` are signed here, as in PostgreSQL.
pub(super) fn char_to_int4(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Char(value) = value else { mismatch(value) };
    Ok(Datum::Int4(i32::from(value.cast_signed())))
}

pub(super) fn int4_to_char(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Int4(value) = value else { mismatch(value) };
    let byte = i8::try_from(*value).map_err(|_| SqlError::out_of_range("\"char\""))?;
    Ok(Datum::Char(byte.cast_unsigned()))
}

pub(super) fn char_to_text(env: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    Ok(Datum::text(text::output_string(env, TypeId::CHAR, value)))
}

pub(super) fn text_to_char(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Text(value) = value else { mismatch(value) };
    Ok(Datum::Char(value.bytes().next().unwrap_or(0)))
}

pub(super) fn text_to_name(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Text(value) = value else { mismatch(value) };
    Ok(Datum::text(text::truncate_name(value)))
}

pub(super) fn bpchar_to_name(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Text(value) = value else { mismatch(value) };
    Ok(Datum::text(trim_bpchar(text::truncate_name(value))))
}

pub(super) fn trim_blanks(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Text(text) = value else { mismatch(value) };
    Ok(if text.ends_with(' ') { Datum::text(trim_bpchar(text)) } else { value.clone() })
}

pub(super) fn text_to_regclass(env: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Text(value) = value else { mismatch(value) };
    env.host.registry_oid(TypeId::REGCLASS, value).map(Datum::Oid)
}

fn timestamp_out_of_range() -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

pub(super) fn date_to_timestamp(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Date(value) = value else { mismatch(value) };
    value.to_timestamp().map(Datum::Timestamp)
}

pub(super) fn date_to_timestamptz(env: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Date(value) = value else { mismatch(value) };
    let local = value.to_timestamp()?;
    env.time_zone
        .to_utc(local)
        .map(Datum::Timestamptz)
        .ok_or_else(|| SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range for timestamp"))
}

pub(super) fn timestamp_to_date(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Timestamp(value) = value else { mismatch(value) };
    value.to_date().map(Datum::Date)
}

pub(super) fn timestamp_to_timestamptz(env: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Timestamp(value) = value else { mismatch(value) };
    env.time_zone.to_utc(*value).map(Datum::Timestamptz).ok_or_else(timestamp_out_of_range)
}

pub(super) fn timestamptz_to_timestamp(env: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Timestamptz(value) = value else { mismatch(value) };
    env.time_zone.to_local(*value).map(Datum::Timestamp).ok_or_else(timestamp_out_of_range)
}

pub(super) fn timestamptz_to_date(env: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Timestamptz(value) = value else { mismatch(value) };
    let local = env.time_zone.to_local(*value).ok_or_else(timestamp_out_of_range)?;
    local.to_date().map(Datum::Date)
}

pub(super) fn time_to_interval(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Time(value) = value else { mismatch(value) };
    Ok(Datum::Interval(Interval { us: value.0, days: 0, months: 0 }))
}

pub(super) fn interval_to_time(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Interval(value) = value else { mismatch(value) };
    Ok(Datum::Time(Time::of_interval(value)))
}

pub(super) fn time_to_timetz(env: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Time(value) = value else { mismatch(value) };
    Ok(Datum::Timetz(value.with_zone(env.time_zone, env.transaction_timestamp)))
}

pub(super) fn timetz_to_time(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Timetz(value) = value else { mismatch(value) };
    Ok(Datum::Time(Time(value.us)))
}

/// Infinities have no time of day: NULL, as in PostgreSQL.
pub(super) fn timestamp_to_time(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Timestamp(value) = value else { mismatch(value) };
    Ok(Time::of_timestamp(*value).map_or(Datum::Null, Datum::Time))
}

pub(super) fn timestamptz_to_time(env: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Timestamptz(value) = value else { mismatch(value) };
    let local = env.time_zone.to_local(*value).ok_or_else(timestamp_out_of_range)?;
    Ok(Time::of_timestamp(local).map_or(Datum::Null, Datum::Time))
}

pub(super) fn timestamptz_to_timetz(env: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Timestamptz(value) = value else { mismatch(value) };
    Ok(Timetz::of_instant(*value, env.time_zone).map_or(Datum::Null, Datum::Timetz))
}
