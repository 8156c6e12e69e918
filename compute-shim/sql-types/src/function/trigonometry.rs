//! Trigonometry in degrees, and the hyperbolic functions.
//!
//! Owns the ways by which PostgreSQL 15 gets exact results at multiples of 30 and 45 degrees: its order of operations is kept,
//! since the last digit hangs on it. Read next: `math.rs`.

use super::f64_at;
use crate::cast::{float_overflow, float_underflow};
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};

/// Radians of one degree, in as many digits as PostgreSQL writes.
#[expect(clippy::excessive_precision, reason = "as PostgreSQL writes it")]
const RADIANS_PER_DEGREE: f64 = 0.017_453_292_519_943_295_769_2;

fn out_of_range() -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range")
}

fn sine_to_30(x: f64) -> f64 {
    (x * RADIANS_PER_DEGREE).sin() / (30.0 * RADIANS_PER_DEGREE).sin() / 2.0
}

fn cosine_to_60(x: f64) -> f64 {
    let one_minus_cos_60 = 1.0 - (60.0 * RADIANS_PER_DEGREE).cos();
    1.0 - (1.0 - (x * RADIANS_PER_DEGREE).cos()) / one_minus_cos_60 / 2.0
}

/// Of 0 to 90 degrees.
fn sine(x: f64) -> f64 {
    if x <= 30.0 { sine_to_30(x) } else { cosine_to_60(90.0 - x) }
}

/// Of 0 to 90 degrees.
fn cosine(x: f64) -> f64 {
    if x <= 60.0 { cosine_to_60(x) } else { sine_to_30(90.0 - x) }
}

/// Of 0 to 1.
fn arc_sine(x: f64) -> f64 {
    match x <= 0.5 {
        true => x.asin() / 0.5f64.asin() * 30.0,
        false => 90.0 - x.acos() / 0.5f64.acos() * 60.0,
    }
}

/// Of 0 to 1.
fn arc_cosine(x: f64) -> f64 {
    match x <= 0.5 {
        true => 90.0 - x.asin() / 0.5f64.asin() * 30.0,
        false => x.acos() / 0.5f64.acos() * 60.0,
    }
}

fn float(value: f64) -> Result<Datum> {
    Ok(Datum::Float8(value))
}

/// An argument of an arc function; `None` is NaN.
fn within_one(args: &[Datum]) -> Result<Option<f64>> {
    let x = f64_at(args, 0);
    match x {
        x if x.is_nan() => Ok(None),
        x if (-1.0..=1.0).contains(&x) => Ok(Some(x)),
        _ => Err(out_of_range()),
    }
}

pub(super) fn acosd(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some(x) = within_one(args)? else { return float(f64::NAN) };
    float(if x >= 0.0 { arc_cosine(x) } else { 90.0 + arc_sine(-x) })
}

pub(super) fn asind(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some(x) = within_one(args)? else { return float(f64::NAN) };
    float(if x >= 0.0 { arc_sine(x) } else { -arc_sine(-x) })
}

pub(super) fn atand(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    float(f64_at(args, 0).atan() / 1f64.atan() * 45.0)
}

pub(super) fn atan2d(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    float(f64_at(args, 0).atan2(f64_at(args, 1)) / 1f64.atan() * 45.0)
}

/// An angle brought to 0 to 90 degrees, and the signs of its sine and cosine; `None` is NaN.
fn reduced(args: &[Datum]) -> Result<Option<(f64, f64, f64)>> {
    let x = f64_at(args, 0);
    if x.is_nan() {
        return Ok(None);
    }
    if x.is_infinite() {
        return Err(out_of_range());
    }
    let mut x = x % 360.0;
    let (mut of_sine, mut of_cosine) = (1.0, 1.0);
    if x < 0.0 {
        x = -x;
        of_sine = -of_sine;
    }
    if x > 180.0 {
        x = 360.0 - x;
        of_sine = -of_sine;
    }
    if x > 90.0 {
        x = 180.0 - x;
        of_cosine = -of_cosine;
    }
    Ok(Some((x, of_sine, of_cosine)))
}

pub(super) fn sind(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    float(reduced(args)?.map_or(f64::NAN, |(x, sign, _)| sign * sine(x)))
}

pub(super) fn cosd(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    float(reduced(args)?.map_or(f64::NAN, |(x, _, sign)| sign * cosine(x)))
}

/// Minus zero is zero.
fn plain_zero(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value }
}

pub(super) fn tand(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some((x, of_sine, of_cosine)) = reduced(args)? else { return float(f64::NAN) };
    let of_45 = sine(45.0) / cosine(45.0);
    float(plain_zero(of_sine * of_cosine * (sine(x) / cosine(x) / of_45)))
}

pub(super) fn cotd(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some((x, of_sine, of_cosine)) = reduced(args)? else { return float(f64::NAN) };
    let of_45 = cosine(45.0) / sine(45.0);
    float(plain_zero(of_sine * of_cosine * (cosine(x) / sine(x) / of_45)))
}

pub(super) fn cot(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let x = f64_at(args, 0);
    if x.is_infinite() { Err(out_of_range()) } else { float(1.0 / x.tan()) }
}

pub(super) fn sinh(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    float(f64_at(args, 0).sinh())
}

pub(super) fn cosh(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let result = f64_at(args, 0).cosh();
    if result == 0.0 { Err(float_underflow()) } else { float(result) }
}

pub(super) fn tanh(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let result = f64_at(args, 0).tanh();
    if result.is_infinite() { Err(float_overflow()) } else { float(result) }
}

pub(super) fn asinh(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    float(f64_at(args, 0).asinh())
}

pub(super) fn acosh(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let x = f64_at(args, 0);
    if x < 1.0 { Err(out_of_range()) } else { float(x.acosh()) }
}

pub(super) fn atanh(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let x = f64_at(args, 0);
    match x {
        x if !(-1.0..=1.0).contains(&x) && !x.is_nan() => Err(out_of_range()),
        -1.0 => float(f64::NEG_INFINITY),
        1.0 => float(f64::INFINITY),
        x => float(x.atanh()),
    }
}
