//! sqrt, exp, ln, log and power of numbers, correct to the last digit shown.
//!
//! Owns the inexact functions and PostgreSQL's choice of their result scales. Works in fixed point: an integer stands for
//! itself divided by 10^places, with [`GUARD`] more places than the result shows. Never sees a float but to estimate
//! sizes. Read next: `arithmetic.rs`.

use num_bigint::{BigInt, Sign};

use super::arithmetic::{
    DISPLAY_SCALE_MAX, RESULT_SCALE_MAX, SIGNIFICANT_DIGITS_MIN, checked, overflow, rescale,
};
use super::{Groups, Numeric, power_of_ten};
use crate::error::{Result, SqlError, SqlState};

/// Places computed beyond those shown; each step loses far less than one of them.
const GUARD: i32 = 12;
/// log10(e).
const LOG10_E: f64 = std::f64::consts::LOG10_E;

fn display_scale(wanted: i32, least: i32) -> i32 {
    wanted.max(least).clamp(0, DISPLAY_SCALE_MAX)
}

/// The digits as a fixed-point integer with `places` decimals.
fn fixed(number: &Numeric, places: i32) -> BigInt {
    rescale(number.digits(), i32::from(number.scale()), places)
}

fn ten_to(places: i32) -> BigInt {
    power_of_ten(u32::try_from(places).expect("places are not negative"))
}

/// Rounds towards zero after the conversion that C makes of a double to an int.
#[expect(clippy::cast_possible_truncation, reason = "estimates are clamped far within i32 by the callers")]
fn to_int(value: f64) -> i32 {
    value as i32
}

/// About how many decimal digits stand before the point of ln(number), as PostgreSQL estimates it.
fn ln_weight(number: &Numeric) -> i32 {
    if number.signum() <= 0 {
        return 0;
    }
    let near_one = Numeric::from_digits(9, 1) <= *number && *number <= Numeric::from_digits(11, 1);
    if near_one {
        let distance = number.subtract(&Numeric::ONE).expect("small operands");
        let groups = Groups::of(&distance);
        let Some(&first) = groups.digits.first() else {
            return 0;
        };
        return groups.weight * 4 + to_int(f64::from(first).log10());
    }
    let groups = Groups::of(number);
    let (mut digits, mut weight) = (f64::from(groups.digits[0]), groups.weight * 4);
    if let Some(&second) = groups.digits.get(1) {
        digits = digits * 10_000.0 + f64::from(second);
        weight -= 4;
    }
    let ln = digits.ln() + f64::from(weight) * std::f64::consts::LN_10;
    to_int(ln.abs().log10())
}

/// ln of a positive fixed-point number: halves the distance to 1 by square roots, then the series of artanh.
fn fixed_ln(value: &BigInt, places: i32) -> BigInt {
    assert!(value.sign() == Sign::Plus, "callers exclude zero and below");
    let one = ten_to(places);
    let (low, high) = (&one * 9u32 / 10u32, &one * 11u32 / 10u32);
    let mut reduced = value.clone();
    let mut doublings = 0u32;
    while reduced < low || reduced > high {
        reduced = (reduced * &one).sqrt();
        doublings += 1;
    }
    let ratio = (&reduced - &one) * &one / (&reduced + &one);
    let square = &ratio * &ratio / &one;
    let (mut term, mut sum) = (ratio.clone(), ratio);
    let mut divisor = 3u32;
    loop {
        term = term * &square / &one;
        let part = &term / divisor;
        if part.sign() == Sign::NoSign {
            return (sum * 2u32) << doublings;
        }
        sum += part;
        divisor += 2;
    }
}

/// ln of a positive number with `places` decimals: the mantissa's logarithm plus that of the power of ten.
fn ln_places(number: &Numeric, places: i32) -> BigInt {
    let exponent = decimal_exponent(number);
    // Square roots lose a bit each and are doubled back, the exponent multiplies ln(10): both cost guard places.
    let working = places + GUARD;
    let shift = i32::from(number.scale()) + exponent;
    let mantissa = if shift <= working {
        number.digits() * ten_to(working - shift)
    } else {
        number.digits() / ten_to(shift - working)
    };
    let mut result = fixed_ln(&mantissa, working);
    if exponent != 0 {
        result += fixed_ln(&(ten_to(working) * 10u32), working) * exponent;
    }
    rescale(result, working, places)
}

/// n such that a positive number lies in [10^n, 10^(n+1)).
fn decimal_exponent(number: &Numeric) -> i32 {
    let digits = number.digits().magnitude().to_string().len();
    i32::try_from(digits).expect("numbers have fewer than 2^18 digits") - 1 - i32::from(number.scale())
}

/// e to the power of a fixed-point number with `places` decimals, as a number rounded to `scale`.
fn exp_fixed(exponent: &BigInt, places: i32, scale: i32) -> Result<Numeric> {
    let ten = ten_to(places) * 10u32;
    let ln_ten = fixed_ln(&ten, places);
    // exp(x) = 10^n * exp(r) with |r| < ln(10)
    let n = exponent / &ln_ten;
    let remainder = exponent - &n * &ln_ten;
    let n = i32::try_from(&n).map_err(|_| overflow())?;
    let one = ten_to(places);
    let halvings = 8u32;
    let reduced = &remainder >> halvings;
    let (mut term, mut sum) = (one.clone(), one.clone());
    let mut divisor = 1u32;
    loop {
        term = term * &reduced / &one / divisor;
        if term.magnitude().bits() <= 1 {
            break;
        }
        sum += &term;
        divisor += 1;
    }
    for _ in 0..halvings {
        sum = &sum * &sum / &one;
    }
    // The value is sum * 10^(n - places); its digits at `scale` decimals:
    checked(rescale(sum, places - n, scale), scale)
}

impl Numeric {
    /// Square root. 2201F below zero.
    pub fn sqrt(&self) -> Result<Numeric> {
        if self.signum() < 0 {
            let message = "cannot take square root of a negative number";
            return Err(SqlError::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message));
        }
        if !self.is_finite() {
            return Ok(self.clone());
        }
        let weight = (Groups::of(self).weight + 1) * 2 - 1;
        let scale = display_scale(SIGNIFICANT_DIGITS_MIN - weight, i32::from(self.scale()));
        self.sqrt_at(scale)
    }

    /// Square root of a finite number that is not negative, rounded to a given scale.
    pub(super) fn sqrt_at(&self, scale: i32) -> Result<Numeric> {
        assert!(self.is_finite() && self.signum() >= 0, "callers exclude others");
        // One place more than shown, so that rounding sees the next digit.
        let places = (scale + 1).max(i32::from(self.scale()));
        let root = fixed(self, 2 * places).sqrt();
        checked(rescale(root, places, scale), scale)
    }

    /// e to this power.
    pub fn exp(&self) -> Result<Numeric> {
        if !self.is_finite() {
            return Ok(if self.signum() < 0 { Numeric::ZERO } else { self.clone() });
        }
        let estimate = self.estimate();
        let bound = f64::from(RESULT_SCALE_MAX);
        let weight = to_int((estimate * LOG10_E).clamp(-bound, bound));
        let scale = display_scale(SIGNIFICANT_DIGITS_MIN - weight, i32::from(self.scale()));
        if estimate.abs() >= bound * 3.0 {
            return if estimate > 0.0 { Err(overflow()) } else { checked(0, scale) };
        }
        let places =
            (scale + (estimate * LOG10_E).max(0.0).ceil() as i32).max(i32::from(self.scale())) + GUARD;
        exp_fixed(&fixed(self, places), places, scale)
    }

    /// Natural logarithm. 2201E at zero and below.
    pub fn ln(&self) -> Result<Numeric> {
        self.check_logarithm()?;
        if !self.is_finite() {
            return Ok(self.clone());
        }
        let scale = display_scale(SIGNIFICANT_DIGITS_MIN - ln_weight(self), i32::from(self.scale()));
        checked(rescale(ln_places(self, scale + GUARD), scale + GUARD, scale), scale)
    }

    fn check_logarithm(&self) -> Result<()> {
        let what = match self.signum() {
            0 => "zero",
            -1 => "a negative number",
            _ => return Ok(()),
        };
        let message = format!("cannot take logarithm of {what}");
        Err(SqlError::new(SqlState::INVALID_ARGUMENT_FOR_LOGARITHM, message))
    }

    /// Logarithm of `self` to `base`. 2201E at zero and below, 22012 for base 1.
    pub fn log(&self, base: &Numeric) -> Result<Numeric> {
        if self.is_nan() || base.is_nan() {
            return Ok(Numeric::NAN);
        }
        base.check_logarithm()?;
        self.check_logarithm()?;
        match (self.is_finite(), base.is_finite()) {
            (true, true) => {}
            (false, false) => return Ok(Numeric::NAN),
            (true, false) => return Ok(Numeric::ZERO),
            (false, true) => return Ok(Numeric::INFINITY),
        }
        let least = i32::from(self.scale().max(base.scale()));
        let weight = ln_weight(self) - ln_weight(base);
        let scale = display_scale(SIGNIFICANT_DIGITS_MIN - weight, least);
        let places = scale + GUARD - ln_weight(base).min(0) * 2 + ln_weight(self).max(0);
        let divisor = ln_places(base, places);
        if divisor.sign() == Sign::NoSign {
            return Err(SqlError::division_by_zero());
        }
        let quotient = ln_places(self, places) * ten_to(scale + 1) / divisor;
        checked(rescale(quotient, scale + 1, scale), scale)
    }

    /// `self` to the power of `exponent`. 2201F for results that are complex or undefined.
    pub fn power(&self, exponent: &Numeric) -> Result<Numeric> {
        if !self.is_finite() || !exponent.is_finite() {
            return self.power_special(exponent);
        }
        let undefined = |message| Err(SqlError::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message));
        if self.is_zero() && exponent.signum() < 0 {
            return undefined("zero raised to a negative power is undefined");
        }
        let integral = exponent.truncate(0)? == *exponent;
        if self.signum() < 0 && !integral {
            return undefined("a negative number raised to a non-integer power yields a complex result");
        }
        if let Some(integer) = exponent.exact_i64().and_then(|integer| i32::try_from(integer).ok()) {
            return self.power_integer(integer);
        }
        if self.is_zero() {
            return checked(0, SIGNIFICANT_DIGITS_MIN);
        }
        let odd = integral && exponent.modulo(&Numeric::from(2i64))?.signum() != 0;
        let result = self.abs().power_fraction(exponent)?;
        Ok(if self.signum() < 0 && odd { result.negate() } else { result })
    }

    /// exp(exponent * ln(self)) for a positive base.
    fn power_fraction(&self, exponent: &Numeric) -> Result<Numeric> {
        let rough = ln_places(self, 24) * exponent.digits();
        let places = 24 + i32::from(exponent.scale());
        let estimate = Numeric::from_digits(rough, u16::try_from(places).map_err(|_| overflow())?).estimate();
        if estimate.abs() > f64::from(RESULT_SCALE_MAX) * 3.01 {
            return if estimate > 0.0 { Err(overflow()) } else { checked(0, DISPLAY_SCALE_MAX) };
        }
        let weight = estimate * LOG10_E;
        let least = i32::from(self.scale().max(exponent.scale()));
        let scale = display_scale(SIGNIFICANT_DIGITS_MIN - to_int(weight), least);
        // The product must be right to as many places as the result has digits; the exponent's size adds to that.
        let exponent_digits = decimal_exponent(&exponent.abs().max_with_one()).max(0) + 1;
        let working = scale + to_int(weight.max(0.0)) + exponent_digits + GUARD;
        let product = ln_places(self, working) * exponent.digits();
        let product = rescale(product, working + i32::from(exponent.scale()), working);
        exp_fixed(&product, working, scale)
    }

    fn max_with_one(&self) -> Numeric {
        if *self < Numeric::ONE { Numeric::ONE } else { self.clone() }
    }

    /// Power by repeated squaring on as many digits as the result can show.
    fn power_integer(&self, exponent: i32) -> Result<Numeric> {
        let scale = display_scale(SIGNIFICANT_DIGITS_MIN, i32::from(self.scale()));
        match exponent {
            0 => return Numeric::ONE.round(scale),
            1 => return self.round(scale),
            _ if self.is_zero() => return checked(0, scale),
            _ => {}
        }
        let digits = self.digits().magnitude().to_string();
        let leading = &digits[..digits.len().min(16)];
        let lead: f64 = leading.parse().expect("only digits");
        let position = (digits.len() - leading.len()) as f64 - f64::from(self.scale());
        let size = f64::from(exponent) * (lead.log10() + position);
        if size > 3.0 * f64::from(i16::MAX) * 4.0 {
            return Err(overflow());
        }
        if size + 1.0 < f64::from(-scale) {
            return checked(0, scale);
        }
        let significant =
            (1 + scale + to_int(size)).max(1) + to_int(f64::from(exponent.unsigned_abs()).ln()) + 20;
        let keep = u64::from(significant.unsigned_abs());
        let negative = self.signum() < 0 && exponent % 2 != 0;
        let (mantissa, places) = power_kept(&self.abs(), exponent.unsigned_abs(), keep);
        let (mantissa, places) = if exponent < 0 {
            let extra = i64::from(significant) + places.max(0);
            let inverse =
                power_of_ten(u32::try_from(extra + places.min(0).abs()).map_err(|_| overflow())?) / mantissa;
            (inverse, extra + places.min(0).abs() - places)
        } else {
            (mantissa, places)
        };
        let mantissa = if negative { -mantissa } else { mantissa };
        let places = i32::try_from(places).map_err(|_| overflow())?;
        checked(rescale(mantissa, places, scale), scale)
    }

    /// Powers with NaN or an infinity on either side, by the rules of POSIX pow().
    fn power_special(&self, exponent: &Numeric) -> Result<Numeric> {
        let one = Numeric::ONE;
        if *self == one || exponent.is_zero() {
            return Ok(one);
        }
        if self.is_nan() || exponent.is_nan() {
            return Ok(Numeric::NAN);
        }
        if self.is_zero() && exponent.signum() < 0 {
            let message = "zero raised to a negative power is undefined";
            return Err(SqlError::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message));
        }
        if exponent.is_infinite() {
            let magnitude = self.abs();
            if magnitude == one {
                return Ok(one);
            }
            let grows = (magnitude > one) == (exponent.signum() > 0);
            return Ok(if grows { Numeric::INFINITY } else { Numeric::ZERO });
        }
        let integral = exponent.truncate(0)? == *exponent;
        if self.signum() < 0 && !integral {
            let message = "a negative number raised to a non-integer power yields a complex result";
            return Err(SqlError::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message));
        }
        if exponent.signum() < 0 {
            return Ok(Numeric::ZERO);
        }
        let odd = integral && exponent.modulo(&Numeric::from(2i64))?.signum() != 0;
        Ok(if self.signum() < 0 && odd { Numeric::NEGATIVE_INFINITY } else { Numeric::INFINITY })
    }
}

/// `base` to the power of `exponent` as (digits, places), cut to about `keep` digits after each step.
fn power_kept(base: &Numeric, exponent: u32, keep: u64) -> (BigInt, i64) {
    let cut = |digits: BigInt, places: i64| {
        // 10 bits are a little more than three digits: cutting by bits / 3.33 keeps at least `keep`.
        let excess = (digits.bits() * 3 / 10).saturating_sub(keep);
        let excess = u32::try_from(excess).expect("digits fit memory");
        (digits / power_of_ten(excess), places - i64::from(excess))
    };
    let (mut result, mut result_places) = (BigInt::from(1u32), 0i64);
    for bit in (0..u32::BITS - exponent.leading_zeros()).rev() {
        (result, result_places) = cut(&result * &result, result_places * 2);
        if exponent >> bit & 1 == 1 {
            (result, result_places) = cut(result * base.digits(), result_places + i64::from(base.scale()));
        }
    }
    (result, result_places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Numeric {
        Numeric::parse(text).expect(text)
    }

    /// Every expectation is what PostgreSQL 15 prints.
    #[test]
    fn as_postgresql() {
        for (input, expected) in [
            ("2", "1.414213562373095"),
            ("12345.678", "111.1111065555555"),
            ("1e20", "10000000000.00000"),
            ("1e-10", "0.000010000000000000000"),
            ("123456789012345678901234567890.0", "351364182882014.4"),
            ("0", "0.000000000000000"),
        ] {
            assert_eq!(number(input).sqrt().expect(input).to_string(), expected, "sqrt({input})");
        }
        for (input, expected) in [
            ("1", "2.7182818284590452"),
            ("0", "1.0000000000000000"),
            ("-10.5", "0.00002753644934974716"),
            ("100", "26881171418161354484126255515800135873611119"),
            ("0.00001", "1.0000100000500002"),
        ] {
            assert_eq!(number(input).exp().expect(input).to_string(), expected, "exp({input})");
        }
        for (input, expected) in [
            ("2", "0.6931471805599453"),
            ("1", "0.0000000000000000"),
            ("1.05", "0.048790164169432003"),
            ("1e10", "23.025850929940457"),
            ("0.0001", "-9.2103403719761827"),
            ("1.00000001", "0.000000009999999950000000"),
        ] {
            assert_eq!(number(input).ln().expect(input).to_string(), expected, "ln({input})");
        }
        for (base, input, expected) in [
            ("10", "100", "2.0000000000000000"),
            ("2", "8", "3.0000000000000000"),
            ("1.1", "5.0", "16.886317030755086"),
            ("10", "0.5", "-0.3010299956639812"),
        ] {
            assert_eq!(
                number(input).log(&number(base)).expect(input).to_string(),
                expected,
                "log({base}, {input})"
            );
        }
        for (base, exponent, expected) in [
            ("2", "0.5", "1.4142135623730950"),
            ("2", "-3", "0.1250000000000000"),
            ("10", "20", "100000000000000000000.0000000000000000"),
            ("0.1", "10", "0.0000000001000000"),
            ("2", "100", "1267650600228229401496703205376.0000000000000000"),
            ("3", "-50", "0.0000000000000000"),
            ("0", "0", "1.0000000000000000"),
            ("2.55", "-1", "0.3921568627450980"),
            ("1.0000001", "100000", "1.0100501665791430"),
            ("100", "0.5", "10.000000000000000"),
            ("-2", "3", "-8.0000000000000000"),
            ("Infinity", "2", "Infinity"),
            ("0.5", "Infinity", "0"),
            ("-Infinity", "3", "-Infinity"),
            ("NaN", "0", "1"),
        ] {
            let result = number(base).power(&number(exponent)).expect(base);
            assert_eq!(result.to_string(), expected, "{base} ^ {exponent}");
        }
    }
}
