//! Arithmetic and bit operators of integers, floats and `numeric`.
//!
//! Owns + - * / % ^ & | # ~ << >> @ |/ ||/ with PostgreSQL's overflow errors. Two integers of different widths give the
//! wider type; two floats likewise. Read next: `crate::numeric` for `numeric` itself.

use crate::cast::{float_overflow, float_underflow};
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::numeric::Numeric;

/// A bug in the caller: the table pairs this code with other types.
fn mismatch(operands: &[Datum]) -> ! {
    panic!("an operator was given values of other types: {operands:?}")
}

/// Two integers of any width, and the wider of their widths.
enum Integers {
    Two(i16, i16),
    Four(i32, i32),
    Eight(i64, i64),
}

fn integers(operands: &[Datum]) -> Integers {
    match *operands {
        [Datum::Int4(a), Datum::Int4(b)] => Integers::Four(a, b),
        [Datum::Int8(a), Datum::Int8(b)] => Integers::Eight(a, b),
        [Datum::Int2(a), Datum::Int2(b)] => Integers::Two(a, b),
        [Datum::Int2(a), Datum::Int4(b)] => Integers::Four(i32::from(a), b),
        [Datum::Int4(a), Datum::Int2(b)] => Integers::Four(a, i32::from(b)),
        [Datum::Int8(a), ref b] => Integers::Eight(a, b.as_i64().unwrap_or_else(|| mismatch(operands))),
        [ref a, Datum::Int8(b)] => Integers::Eight(a.as_i64().unwrap_or_else(|| mismatch(operands)), b),
        _ => mismatch(operands),
    }
}

fn int2(value: Option<i16>) -> Result<Datum> {
    value.map(Datum::Int2).ok_or_else(|| SqlError::out_of_range("smallint"))
}

fn int4(value: Option<i32>) -> Result<Datum> {
    value.map(Datum::Int4).ok_or_else(|| SqlError::out_of_range("integer"))
}

fn int8(value: Option<i64>) -> Result<Datum> {
    value.map(Datum::Int8).ok_or_else(|| SqlError::out_of_range("bigint"))
}

macro_rules! integer_operators {
    ($($name:ident $method:ident;)*) => {
        $(pub(super) fn $name(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
            match integers(operands) {
                Integers::Two(a, b) => int2(a.$method(b)),
                Integers::Four(a, b) => int4(a.$method(b)),
                Integers::Eight(a, b) => int8(a.$method(b)),
            }
        })*
    };
}

integer_operators! {
    int_add checked_add;
    int_sub checked_sub;
    int_mul checked_mul;
}

pub(super) fn int_div(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    match integers(operands) {
        Integers::Two(_, 0) | Integers::Four(_, 0) | Integers::Eight(_, 0) => {
            Err(SqlError::division_by_zero())
        }
        Integers::Two(a, b) => int2(a.checked_div(b)),
        Integers::Four(a, b) => int4(a.checked_div(b)),
        Integers::Eight(a, b) => int8(a.checked_div(b)),
    }
}

/// The remainder of the smallest number by -1 is 0, although their quotient overflows.
pub(crate) fn int_mod(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    match integers(operands) {
        Integers::Two(_, 0) | Integers::Four(_, 0) | Integers::Eight(_, 0) => {
            Err(SqlError::division_by_zero())
        }
        Integers::Two(a, b) => Ok(Datum::Int2(a.wrapping_rem(b))),
        Integers::Four(a, b) => Ok(Datum::Int4(a.wrapping_rem(b))),
        Integers::Eight(a, b) => Ok(Datum::Int8(a.wrapping_rem(b))),
    }
}

pub(super) fn int_neg(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    match *operands {
        [Datum::Int2(a)] => int2(a.checked_neg()),
        [Datum::Int4(a)] => int4(a.checked_neg()),
        [Datum::Int8(a)] => int8(a.checked_neg()),
        _ => mismatch(operands),
    }
}

/// Absolute value of any number.
pub(crate) fn abs(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    match operands {
        [Datum::Int2(a)] => int2(a.checked_abs()),
        [Datum::Int4(a)] => int4(a.checked_abs()),
        [Datum::Int8(a)] => int8(a.checked_abs()),
        [Datum::Float4(a)] => Ok(Datum::Float4(a.abs())),
        [Datum::Float8(a)] => Ok(Datum::Float8(a.abs())),
        [Datum::Numeric(a)] => Ok(Datum::Numeric(a.abs())),
        _ => mismatch(operands),
    }
}

/// Unary plus.
pub(super) fn plus(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    Ok(operands[0].clone())
}

macro_rules! bit_operators {
    ($($name:ident $operator:tt;)*) => {
        $(pub(super) fn $name(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
            match *operands {
                [Datum::Int2(a), Datum::Int2(b)] => Ok(Datum::Int2(a $operator b)),
                [Datum::Int4(a), Datum::Int4(b)] => Ok(Datum::Int4(a $operator b)),
                [Datum::Int8(a), Datum::Int8(b)] => Ok(Datum::Int8(a $operator b)),
                _ => mismatch(operands),
            }
        })*
    };
}

bit_operators! {
    bit_and &;
    bit_or |;
    bit_xor ^;
}

pub(super) fn bit_not(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    match *operands {
        [Datum::Int2(a)] => Ok(Datum::Int2(!a)),
        [Datum::Int4(a)] => Ok(Datum::Int4(!a)),
        [Datum::Int8(a)] => Ok(Datum::Int8(!a)),
        _ => mismatch(operands),
    }
}

/// Shifts take the distance modulo the width, as the processors do that PostgreSQL runs on. A `smallint` is shifted as an
/// `integer` and cut.
pub(super) fn shift_left(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    match *operands {
        #[expect(clippy::cast_possible_truncation, reason = "the cut is what the operator does")]
        [Datum::Int2(a), Datum::Int4(b)] => {
            Ok(Datum::Int2(i32::from(a).wrapping_shl(b.cast_unsigned()) as i16))
        }
        [Datum::Int4(a), Datum::Int4(b)] => Ok(Datum::Int4(a.wrapping_shl(b.cast_unsigned()))),
        [Datum::Int8(a), Datum::Int4(b)] => Ok(Datum::Int8(a.wrapping_shl(b.cast_unsigned()))),
        _ => mismatch(operands),
    }
}

pub(super) fn shift_right(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    match *operands {
        #[expect(clippy::cast_possible_truncation, reason = "a right shift stays within the width")]
        [Datum::Int2(a), Datum::Int4(b)] => {
            Ok(Datum::Int2(i32::from(a).wrapping_shr(b.cast_unsigned()) as i16))
        }
        [Datum::Int4(a), Datum::Int4(b)] => Ok(Datum::Int4(a.wrapping_shr(b.cast_unsigned()))),
        [Datum::Int8(a), Datum::Int4(b)] => Ok(Datum::Int8(a.wrapping_shr(b.cast_unsigned()))),
        _ => mismatch(operands),
    }
}

/// A float result: overflow when infinite without an infinite operand, underflow when zero without cause.
fn checked(result: f64, infinite_allowed: bool, zero_allowed: bool) -> Result<f64> {
    if result.is_infinite() && !infinite_allowed {
        return Err(float_overflow());
    }
    if result == 0.0 && !zero_allowed {
        return Err(float_underflow());
    }
    Ok(result)
}

/// Computes on two floats; two `real`s compute as `real`.
fn floats(
    operands: &[Datum],
    single: impl Fn(f32, f32) -> f32,
    double: impl Fn(f64, f64) -> f64,
    zero_allowed: impl Fn(f64, f64) -> bool,
) -> Result<Datum> {
    if let [Datum::Float4(a), Datum::Float4(b)] = *operands {
        let result = single(a, b);
        let (a, b) = (f64::from(a), f64::from(b));
        checked(f64::from(result), a.is_infinite() || b.is_infinite(), zero_allowed(a, b))?;
        return Ok(Datum::Float4(result));
    }
    let (a, b) = match *operands {
        [Datum::Float8(a), Datum::Float8(b)] => (a, b),
        [Datum::Float4(a), Datum::Float8(b)] => (f64::from(a), b),
        [Datum::Float8(a), Datum::Float4(b)] => (a, f64::from(b)),
        _ => mismatch(operands),
    };
    checked(double(a, b), a.is_infinite() || b.is_infinite(), zero_allowed(a, b)).map(Datum::Float8)
}

pub(super) fn float_add(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    floats(operands, |a, b| a + b, |a, b| a + b, |_, _| true)
}

pub(super) fn float_sub(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    floats(operands, |a, b| a - b, |a, b| a - b, |_, _| true)
}

pub(super) fn float_mul(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    floats(operands, |a, b| a * b, |a, b| a * b, |a, b| a == 0.0 || b == 0.0)
}

pub(super) fn float_div(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let zero = match operands {
        [a, Datum::Float4(b)] => *b == 0.0 && !is_nan(a),
        [a, Datum::Float8(b)] => *b == 0.0 && !is_nan(a),
        _ => mismatch(operands),
    };
    if zero {
        return Err(SqlError::division_by_zero());
    }
    floats(operands, |a, b| a / b, |a, b| a / b, |a, b| a == 0.0 || b.is_infinite())
}

fn is_nan(value: &Datum) -> bool {
    match value {
        Datum::Float4(value) => value.is_nan(),
        Datum::Float8(value) => value.is_nan(),
        _ => false,
    }
}

pub(super) fn float_neg(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    match *operands {
        [Datum::Float4(a)] => Ok(Datum::Float4(-a)),
        [Datum::Float8(a)] => Ok(Datum::Float8(-a)),
        _ => mismatch(operands),
    }
}

/// `double precision` to a power.
pub(crate) fn float_power(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let [Datum::Float8(base), Datum::Float8(exponent)] = *operands else {
        mismatch(operands);
    };
    let undefined = |message| Err(SqlError::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message));
    if base == 0.0 && exponent < 0.0 {
        return undefined("zero raised to a negative power is undefined");
    }
    if base < 0.0 && exponent.is_finite() && exponent.floor() != exponent {
        return undefined("a negative number raised to a non-integer power yields a complex result");
    }
    let result = base.powf(exponent);
    let infinite_allowed = base.is_infinite() || exponent.is_infinite();
    checked(result, infinite_allowed, base == 0.0 || infinite_allowed).map(Datum::Float8)
}

/// Square root of a `double precision`.
pub(crate) fn float_sqrt(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let [Datum::Float8(value)] = *operands else {
        mismatch(operands);
    };
    if value < 0.0 {
        let message = "cannot take square root of a negative number";
        return Err(SqlError::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message));
    }
    Ok(Datum::Float8(value.sqrt()))
}

/// Cube root of a `double precision`.
pub(crate) fn float_cbrt(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let [Datum::Float8(value)] = *operands else {
        mismatch(operands);
    };
    Ok(Datum::Float8(value.cbrt()))
}

fn numerics(operands: &[Datum], compute: impl Fn(&Numeric, &Numeric) -> Result<Numeric>) -> Result<Datum> {
    let [Datum::Numeric(a), Datum::Numeric(b)] = operands else {
        mismatch(operands);
    };
    compute(a, b).map(Datum::Numeric)
}

pub(super) fn numeric_add(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    numerics(operands, Numeric::add)
}

pub(super) fn numeric_sub(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    numerics(operands, Numeric::subtract)
}

pub(super) fn numeric_mul(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    numerics(operands, Numeric::multiply)
}

pub(super) fn numeric_div(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    numerics(operands, Numeric::divide)
}

/// `numeric % numeric`.
pub(crate) fn numeric_mod(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    numerics(operands, Numeric::modulo)
}

/// `numeric ^ numeric`.
pub(crate) fn numeric_power(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    numerics(operands, Numeric::power)
}

pub(super) fn numeric_neg(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    let [Datum::Numeric(a)] = operands else {
        mismatch(operands);
    };
    Ok(Datum::Numeric(a.negate()))
}
