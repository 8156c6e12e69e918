//! Mathematical functions of `double precision`, `numeric` and integers.
//!
//! Owns their code and the range errors of floats. Read next: `crate::numeric` for `numeric` itself.

use super::{f64_at, i32_at, numeric_at};
use crate::cast::{float_overflow, float_underflow};
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::numeric::Numeric;

macro_rules! float_functions {
    ($($(#[$doc:meta])* $name:ident |$value:ident| $body:expr;)*) => {
        $($(#[$doc])* pub(super) fn $name(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
            let $value = f64_at(args, 0);
            Ok(Datum::Float8($body))
        })*
    };
}

float_functions! {
    float_ceil |value| value.ceil();
    float_floor |value| value.floor();
    float_round |value| value.round_ties_even();
    float_trunc |value| value.trunc();
    float_sign |value| if value > 0.0 { 1.0 } else if value < 0.0 { -1.0 } else { 0.0 };
    atan |value| value.atan();
}

/// A float result: infinite or zero only where the argument allows it.
fn checked(result: f64, infinite_allowed: bool, zero_allowed: bool) -> Result<Datum> {
    if result.is_infinite() && !infinite_allowed {
        return Err(float_overflow());
    }
    if result == 0.0 && !zero_allowed {
        return Err(float_underflow());
    }
    Ok(Datum::Float8(result))
}

/// Radians of one degree.
const RADIANS_PER_DEGREE: f64 = std::f64::consts::PI / 180.0;

pub(super) fn degrees(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let value = f64_at(args, 0);
    checked(value / RADIANS_PER_DEGREE, value.is_infinite(), value == 0.0)
}

pub(super) fn radians(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let value = f64_at(args, 0);
    checked(value * RADIANS_PER_DEGREE, value.is_infinite(), value == 0.0)
}

pub(super) fn float_exp(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let value = f64_at(args, 0);
    checked(value.exp(), value.is_infinite(), value.is_infinite())
}

fn check_logarithm(value: f64) -> Result<()> {
    let what = if value == 0.0 {
        "zero"
    } else if value < 0.0 {
        "a negative number"
    } else {
        return Ok(());
    };
    let message = format!("cannot take logarithm of {what}");
    Err(SqlError::new(SqlState::INVALID_ARGUMENT_FOR_LOGARITHM, message))
}

pub(super) fn float_ln(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let value = f64_at(args, 0);
    check_logarithm(value)?;
    Ok(Datum::Float8(value.ln()))
}

pub(super) fn float_log10(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let value = f64_at(args, 0);
    check_logarithm(value)?;
    Ok(Datum::Float8(value.log10()))
}

fn input_out_of_range() -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range")
}

/// sin, cos and tan have no value at infinity.
fn periodic(args: &[Datum], function: fn(f64) -> f64) -> Result<Datum> {
    let value = f64_at(args, 0);
    if value.is_infinite() { Err(input_out_of_range()) } else { Ok(Datum::Float8(function(value))) }
}

pub(super) fn sin(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    periodic(args, f64::sin)
}

pub(super) fn cos(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    periodic(args, f64::cos)
}

pub(super) fn tan(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    periodic(args, f64::tan)
}

/// asin and acos are defined from -1 to 1.
fn inverse(args: &[Datum], function: fn(f64) -> f64) -> Result<Datum> {
    let value = f64_at(args, 0);
    if value.abs() > 1.0 { Err(input_out_of_range()) } else { Ok(Datum::Float8(function(value))) }
}

pub(super) fn asin(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    inverse(args, f64::asin)
}

pub(super) fn acos(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    inverse(args, f64::acos)
}

pub(super) fn atan2(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Float8(f64_at(args, 0).atan2(f64_at(args, 1))))
}

pub(super) fn pi(_: &EvalEnv<'_>, _: &[Datum]) -> Result<Datum> {
    Ok(Datum::Float8(std::f64::consts::PI))
}

/// Uniform in [0, 1): the upper 53 bits of a random word.
pub(super) fn random(env: &EvalEnv<'_>, _: &[Datum]) -> Result<Datum> {
    let bits = env.host.random_u64() >> 11;
    Ok(Datum::Float8(bits as f64 / (1u64 << 53) as f64))
}

macro_rules! numeric_functions {
    ($($name:ident |$value:ident| $body:expr;)*) => {
        $(pub(super) fn $name(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
            let $value = numeric_at(args, 0);
            $body.map(Datum::Numeric)
        })*
    };
}

numeric_functions! {
    numeric_ceil |value| value.ceil();
    numeric_floor |value| value.floor();
    numeric_sqrt |value| value.sqrt();
    numeric_exp |value| value.exp();
    numeric_ln |value| value.ln();
    numeric_log10 |value| value.log(&Numeric::from(10i64));
}

pub(super) fn numeric_round(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let places = if args.len() > 1 { i32_at(args, 1) } else { 0 };
    numeric_at(args, 0).round(places).map(Datum::Numeric)
}

pub(super) fn numeric_trunc(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let places = if args.len() > 1 { i32_at(args, 1) } else { 0 };
    numeric_at(args, 0).truncate(places).map(Datum::Numeric)
}

pub(super) fn numeric_sign(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let value = numeric_at(args, 0);
    Ok(Datum::Numeric(if value.is_nan() { Numeric::NAN } else { Numeric::from(value.signum()) }))
}

/// `log(base, number)`.
pub(super) fn numeric_log(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    numeric_at(args, 1).log(numeric_at(args, 0)).map(Datum::Numeric)
}

pub(super) fn numeric_div(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    numeric_at(args, 0).divide_truncated(numeric_at(args, 1)).map(Datum::Numeric)
}

pub(super) fn numeric_gcd(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    numeric_at(args, 0).gcd(numeric_at(args, 1)).map(Datum::Numeric)
}

pub(super) fn numeric_trim_scale(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Numeric(numeric_at(args, 0).trim_scale()))
}

/// Digits behind the point; NULL for what is no number.
pub(super) fn numeric_scale(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let value = numeric_at(args, 0);
    Ok(if value.is_finite() { Datum::Int4(i32::from(value.scale())) } else { Datum::Null })
}

pub(super) fn numeric_min_scale(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let value = numeric_at(args, 0);
    Ok(if value.is_finite() { Datum::Int4(i32::from(value.trim_scale().scale())) } else { Datum::Null })
}

pub(super) fn factorial(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Datum::Int8(n) = args[0] else {
        panic!("factorial was given {:?}", args[0]);
    };
    if n < 0 {
        let message = "factorial of a negative number is undefined";
        return Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
    }
    // The factorial of 32178 has more digits than a numeric.
    if n > 32_177 {
        return Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format"));
    }
    let product = (2..=n).fold(num_bigint::BigInt::from(1u32), |product, factor| product * factor);
    Ok(Datum::Numeric(Numeric::from_digits(product, 0)))
}

fn gcd_u64(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Both arguments' magnitudes, and how to make a result of their type.
fn integer_pair(args: &[Datum]) -> (u64, u64, fn(u64) -> Result<Datum>) {
    match args {
        [Datum::Int4(a), Datum::Int4(b)] => {
            (u64::from(a.unsigned_abs()), u64::from(b.unsigned_abs()), |value| {
                i32::try_from(value).map(Datum::Int4).map_err(|_| SqlError::out_of_range("integer"))
            })
        }
        [Datum::Int8(a), Datum::Int8(b)] => (a.unsigned_abs(), b.unsigned_abs(), |value| {
            i64::try_from(value).map(Datum::Int8).map_err(|_| SqlError::out_of_range("bigint"))
        }),
        _ => panic!("gcd and lcm take two integers of one type: {args:?}"),
    }
}

pub(super) fn int_gcd(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (a, b, datum) = integer_pair(args);
    datum(gcd_u64(a, b))
}

pub(super) fn int_lcm(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (a, b, datum) = integer_pair(args);
    if a == 0 || b == 0 {
        return datum(0);
    }
    datum((a / gcd_u64(a, b)).saturating_mul(b))
}

/// Two's complement in hexadecimal.
pub(super) fn to_hex(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(match args[0] {
        Datum::Int4(value) => format!("{value:x}"),
        Datum::Int8(value) => format!("{value:x}"),
        ref other => panic!("to_hex was given {other:?}"),
    }
    .into())
}

/// Least common multiple; 22003 beyond `numeric`'s range.
pub(super) fn numeric_lcm(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (a, b) = (numeric_at(args, 0), numeric_at(args, 1));
    if !a.is_finite() || !b.is_finite() {
        return Ok(Datum::Numeric(Numeric::NAN));
    }
    let scale = i32::from(a.scale().max(b.scale()));
    if a.is_zero() || b.is_zero() {
        return Numeric::ZERO.round(scale).map(Datum::Numeric);
    }
    let multiple = a.divide_truncated(&a.gcd(b)?)?.multiply(b)?.abs();
    multiple.round(scale).map(Datum::Numeric)
}
