//! + - * / %, rounding and type modifiers of numbers, with the result scales that PostgreSQL chooses.
//!
//! Owns the exact operations. The digits are integers, so each result is exact until it is rounded, half away from
//! zero, to its scale. Read next: `transcendental.rs` for the inexact ones.

use num_bigint::{BigInt, Sign};

use super::{Groups, INTEGER_DIGITS_MAX, Numeric, Repr, SCALE_MAX, power_of_ten};
use crate::error::{Result, SqlError, SqlState};
use crate::types::Typmod;

/// A quotient shows at least this many significant digits.
pub(super) const SIGNIFICANT_DIGITS_MIN: i32 = 16;
/// Largest scale that a division or a transcendental function chooses by itself.
pub(super) const DISPLAY_SCALE_MAX: i32 = 1_000;
/// Bound of the decimal weight that `exp` and `power` expect of their results.
pub(super) const RESULT_SCALE_MAX: i32 = 2_000;

/// `round` and `trunc` hold the number of places between what leaves no digit and what a numeric can show.
fn clamp_places(places: i32) -> i32 {
    let least = -i32::try_from(INTEGER_DIGITS_MAX).expect("a small constant") - 1;
    places.clamp(least, i32::from(SCALE_MAX))
}

/// 22003 for a number that no numeric can hold.
pub(super) fn overflow() -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

/// Brings digits from one scale to another, rounding half away from zero.
pub(super) fn rescale(digits: BigInt, from: i32, to: i32) -> BigInt {
    let distance = to.abs_diff(from);
    if to >= from {
        return digits * power_of_ten(distance);
    }
    divide_rounded(&digits, &power_of_ten(distance))
}

/// Integer division rounding half away from zero.
fn divide_rounded(dividend: &BigInt, divisor: &BigInt) -> BigInt {
    assert!(divisor.sign() != Sign::NoSign, "callers exclude zero");
    let quotient = dividend / divisor;
    let remainder = dividend - &quotient * divisor;
    if remainder.magnitude() * 2u32 < *divisor.magnitude() {
        return quotient;
    }
    let negative = (dividend.sign() == Sign::Minus) != (divisor.sign() == Sign::Minus);
    if negative { quotient - 1 } else { quotient + 1 }
}

/// The number, or an overflow if it has too many digits on either side of the point.
pub(super) fn checked(digits: impl Into<BigInt>, scale: i32) -> Result<Numeric> {
    let digits: BigInt = digits.into();
    let scale = u16::try_from(scale).ok().filter(|&scale| scale <= SCALE_MAX).ok_or_else(overflow)?;
    // 10^n has more than 3.32 n bits: a cheap bound that spares almost every number the exact count.
    let bits_max = (u64::from(INTEGER_DIGITS_MAX) + u64::from(scale)) * 3321 / 1000;
    if digits.bits() > bits_max {
        let count = digits.magnitude().to_string().len();
        if count > INTEGER_DIGITS_MAX as usize + usize::from(scale) {
            return Err(overflow());
        }
    }
    Ok(Numeric::from_digits(digits, scale))
}

/// The sign of a special value as an `Ordering`-like factor.
fn infinity(sign: i32) -> Numeric {
    if sign < 0 { Numeric::NEGATIVE_INFINITY } else { Numeric::INFINITY }
}

impl Numeric {
    /// Sum.
    pub fn add(&self, other: &Numeric) -> Result<Numeric> {
        if let (Repr::Small { scale: s1, digits: d1 }, Repr::Small { scale: s2, digits: d2 }) =
            (&self.0, &other.0)
            && s1 == s2
            && let Some(digits) = d1.checked_add(*d2)
        {
            return Ok(Numeric(Repr::Small { scale: *s1, digits }));
        }
        if let Some((left, right, scale)) = self.aligned_small(other)
            && let Ok(digits) = i64::try_from(left + right)
        {
            return Ok(Numeric(Repr::Small { scale, digits }));
        }
        if !self.is_finite() || !other.is_finite() {
            return Ok(match (&self.0, &other.0) {
                (Repr::NaN, _) | (_, Repr::NaN) => Numeric::NAN,
                (Repr::Infinity, Repr::NegativeInfinity) | (Repr::NegativeInfinity, Repr::Infinity) => {
                    Numeric::NAN
                }
                (Repr::Infinity | Repr::NegativeInfinity, _) => self.clone(),
                _ => other.clone(),
            });
        }
        let scale = self.scale().max(other.scale());
        let aligned =
            |number: &Numeric| rescale(number.digits(), i32::from(number.scale()), i32::from(scale));
        checked(aligned(self) + aligned(other), i32::from(scale))
    }

    /// Difference.
    pub fn subtract(&self, other: &Numeric) -> Result<Numeric> {
        self.add(&other.negate())
    }

    /// The number with its sign turned.
    pub fn negate(&self) -> Numeric {
        match &self.0 {
            Repr::Small { scale, digits } if *digits != i64::MIN => {
                Numeric(Repr::Small { scale: *scale, digits: -digits })
            }
            Repr::Small { .. } | Repr::Big(_) => Numeric::from_digits(-self.digits(), self.scale()),
            Repr::NaN => Numeric::NAN,
            Repr::Infinity => Numeric::NEGATIVE_INFINITY,
            Repr::NegativeInfinity => Numeric::INFINITY,
        }
    }

    /// Absolute value.
    pub fn abs(&self) -> Numeric {
        if self.signum() < 0 { self.negate() } else { self.clone() }
    }

    /// Product; exact, so its scale is the sum of both.
    pub fn multiply(&self, other: &Numeric) -> Result<Numeric> {
        if !self.is_finite() || !other.is_finite() {
            if self.is_nan() || other.is_nan() {
                return Ok(Numeric::NAN);
            }
            return Ok(match self.signum() * other.signum() {
                0 => Numeric::NAN,
                sign => infinity(sign),
            });
        }
        let scale = i32::from(self.scale()) + i32::from(other.scale());
        if let (Repr::Small { digits: d1, .. }, Repr::Small { digits: d2, .. }) = (&self.0, &other.0)
            && scale <= i32::from(SCALE_MAX)
            && let Some(digits) = d1.checked_mul(*d2)
        {
            let scale = u16::try_from(scale).expect("bounded above");
            return Ok(Numeric(Repr::Small { scale, digits }));
        }
        let product = self.digits() * other.digits();
        let shown = scale.min(i32::from(SCALE_MAX));
        checked(rescale(product, scale, shown), shown)
    }

    /// Quotient, with 16 significant digits and no fewer decimals than either operand.
    pub fn divide(&self, other: &Numeric) -> Result<Numeric> {
        if self.is_nan() || other.is_nan() {
            return Ok(Numeric::NAN);
        }
        if other.is_zero() {
            return Err(SqlError::division_by_zero());
        }
        match (self.is_infinite(), other.is_infinite()) {
            (true, true) => return Ok(Numeric::NAN),
            (true, false) => return Ok(infinity(self.signum() * other.signum())),
            (false, true) => return Ok(Numeric::ZERO),
            (false, false) => {}
        }
        let scale = self.division_scale(other);
        self.divide_at(other, scale)
    }

    /// Quotient of finite numbers rounded to a given scale; the divisor is not zero.
    pub(super) fn divide_at(&self, other: &Numeric, scale: i32) -> Result<Numeric> {
        assert!(!other.is_zero(), "callers exclude zero");
        // self / other = (d1 / d2) * 10^(s2 - s1); wanted with `scale` decimals.
        let shift = scale + i32::from(other.scale()) - i32::from(self.scale());
        let (mut dividend, mut divisor) = (self.digits(), other.digits());
        if shift >= 0 {
            dividend *= power_of_ten(shift.unsigned_abs());
        } else {
            divisor *= power_of_ten(shift.unsigned_abs());
        }
        checked(divide_rounded(&dividend, &divisor), scale)
    }

    /// The scale that `/` gives its result: enough for 16 significant digits, and no less than either operand's.
    pub(super) fn division_scale(&self, other: &Numeric) -> i32 {
        let (left, right) = (Groups::of(self), Groups::of(other));
        let first = |groups: &Groups| groups.digits.first().copied().unwrap_or(0);
        let mut weight = left.weight - right.weight;
        if first(&left) <= first(&right) {
            weight -= 1;
        }
        let scale = SIGNIFICANT_DIGITS_MIN - weight * 4;
        scale.max(i32::from(self.scale())).max(i32::from(other.scale())).clamp(0, DISPLAY_SCALE_MAX)
    }

    /// Variance (or its root) of `count` numbers with this sum and sum of squares; of a sample or the whole population.
    pub(crate) fn spread(
        count: i64,
        sum: &Numeric,
        squares: &Numeric,
        sample: bool,
        root: bool,
    ) -> Result<Numeric> {
        assert!(count > i64::from(sample), "callers answer NULL for too few values");
        if !sum.is_finite() || !squares.is_finite() {
            return Ok(Numeric::NAN);
        }
        let count = Numeric::from(count);
        let numerator = count.multiply(squares)?.subtract(&sum.multiply(sum)?)?;
        if numerator.signum() <= 0 {
            return Ok(Numeric::ZERO);
        }
        let other = if sample { count.subtract(&Numeric::ONE)? } else { count.clone() };
        let denominator = count.multiply(&other)?;
        let scale = numerator.division_scale(&denominator);
        let variance = numerator.divide_at(&denominator, scale)?;
        if root { variance.sqrt_at(scale) } else { Ok(variance) }
    }

    /// Remainder with the sign of the dividend.
    pub fn modulo(&self, other: &Numeric) -> Result<Numeric> {
        if self.is_nan() || other.is_nan() {
            return Ok(Numeric::NAN);
        }
        if other.is_zero() {
            return Err(SqlError::division_by_zero());
        }
        if self.is_infinite() {
            return Ok(Numeric::NAN);
        }
        if other.is_infinite() {
            return Ok(self.clone());
        }
        let scale = i32::from(self.scale().max(other.scale()));
        let aligned = |number: &Numeric| rescale(number.digits(), i32::from(number.scale()), scale);
        checked(aligned(self) % aligned(other), scale)
    }

    /// Quotient cut to an integer (`div`).
    pub fn divide_truncated(&self, other: &Numeric) -> Result<Numeric> {
        if !self.is_finite() || !other.is_finite() || other.is_zero() {
            return self.divide(other);
        }
        let scale = i32::from(self.scale().max(other.scale()));
        let aligned = |number: &Numeric| rescale(number.digits(), i32::from(number.scale()), scale);
        checked(aligned(self) / aligned(other), 0)
    }

    /// Rounds to `places` decimals, half away from zero; negative places round before the point.
    pub fn round(&self, places: i32) -> Result<Numeric> {
        if !self.is_finite() {
            return Ok(self.clone());
        }
        let places = clamp_places(places);
        let rounded = rescale(self.digits(), i32::from(self.scale()), places);
        if places >= 0 { checked(rounded, places) } else { checked(rescale(rounded, places, 0), 0) }
    }

    /// Cuts to `places` decimals.
    pub fn truncate(&self, places: i32) -> Result<Numeric> {
        if !self.is_finite() {
            return Ok(self.clone());
        }
        let places = clamp_places(places);
        let scale = i32::from(self.scale());
        if places >= scale {
            return checked(rescale(self.digits(), scale, places), places);
        }
        let cut = self.digits() / power_of_ten(scale.abs_diff(places));
        if places >= 0 { checked(cut, places) } else { checked(rescale(cut, places, 0), 0) }
    }

    /// Smallest integer not below.
    pub fn ceil(&self) -> Result<Numeric> {
        let cut = self.truncate(0)?;
        if cut < *self { cut.add(&Numeric::ONE) } else { Ok(cut) }
    }

    /// Largest integer not above.
    pub fn floor(&self) -> Result<Numeric> {
        let cut = self.truncate(0)?;
        if cut > *self { cut.subtract(&Numeric::ONE) } else { Ok(cut) }
    }

    /// Applies `numeric(p, s)`: rounds to the scale and refuses (22003) what has too many digits before the point.
    pub fn apply_typmod(&self, typmod: Typmod) -> Result<Numeric> {
        let Some((precision, scale)) = typmod.numeric_precision_scale() else {
            return Ok(self.clone());
        };
        if let Repr::Small { scale: own, digits } = self.0
            && i32::from(own) == scale
            && u32::try_from(precision)
                .ok()
                .and_then(|count| 10u64.checked_pow(count))
                .is_some_and(|limit| digits.unsigned_abs() < limit)
        {
            return Ok(self.clone());
        }
        let overflow = |detail: String| {
            let error = SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow");
            Err(error.with_detail(format!("A field with precision {precision}, scale {scale} {detail}")))
        };
        if self.is_nan() {
            return Ok(Numeric::NAN);
        }
        if self.is_infinite() {
            return overflow("cannot hold an infinite value.".to_owned());
        }
        let rounded = self.round(scale)?;
        let integer_digits = precision - scale;
        let limit = if integer_digits >= 0 {
            Numeric::from_digits(power_of_ten(integer_digits.unsigned_abs()), 0)
        } else {
            let scale = u16::try_from(-integer_digits).expect("scales are at most 1000");
            Numeric::from_digits(1, scale)
        };
        if rounded.abs() >= limit {
            let bound = if integer_digits == 0 { "1".to_owned() } else { format!("10^{integer_digits}") };
            return overflow(format!("must round to an absolute value less than {bound}."));
        }
        Ok(rounded)
    }

    /// The number without trailing zeros behind the point (`trim_scale`).
    pub fn trim_scale(&self) -> Numeric {
        if !self.is_finite() {
            return self.clone();
        }
        let text = self.digits().magnitude().to_string();
        let zeros = text.bytes().rev().take_while(|&digit| digit == b'0').count();
        let removable =
            if self.is_zero() { usize::from(self.scale()) } else { zeros.min(usize::from(self.scale())) };
        let scale = self.scale() - u16::try_from(removable).expect("at most the scale");
        let digits = self.digits() / power_of_ten(u32::from(self.scale() - scale));
        Numeric::from_digits(digits, scale)
    }

    /// Greatest common divisor, at the larger scale of both.
    pub fn gcd(&self, other: &Numeric) -> Result<Numeric> {
        if self.is_nan() || other.is_nan() || self.is_infinite() || other.is_infinite() {
            return Ok(Numeric::NAN);
        }
        let scale = i32::from(self.scale().max(other.scale()));
        let aligned = |number: &Numeric| rescale(number.abs().digits(), i32::from(number.scale()), scale);
        let (mut a, mut b) = (aligned(self), aligned(other));
        while b.sign() != Sign::NoSign {
            let remainder = &a % &b;
            a = std::mem::replace(&mut b, remainder);
        }
        checked(a, scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::TypeId;

    const DIGITS: [i64; 9] = [0, 1, -1, 9_999, -10_000, 123_456_789_012, i64::MAX, i64::MIN, i64::MIN + 1];
    const SCALES: [u16; 8] = [0, 1, 2, 4, 17, 18, 19, 40];

    /// What is computed in place is what the digits of any length give.
    #[test]
    fn short_numbers_are_as_long_ones() {
        let numbers = DIGITS.iter().flat_map(|&digits| SCALES.map(|scale| (digits, scale)));
        for (d1, s1) in numbers.clone() {
            for (d2, s2) in numbers.clone() {
                let (a, b) = (Numeric::from_digits(d1, s1), Numeric::from_digits(d2, s2));
                let scale = i32::from(s1.max(s2));
                let (x, y) = (rescale(d1.into(), s1.into(), scale), rescale(d2.into(), s2.into(), scale));
                assert_eq!(a.cmp(&b), x.cmp(&y), "{d1} scale {s1} beside {d2} scale {s2}");
                for (found, wanted) in
                    [(a.add(&b), checked(&x + &y, scale)), (a.subtract(&b), checked(&x - &y, scale))]
                {
                    let (found, wanted) = (found.unwrap().to_string(), wanted.unwrap().to_string());
                    assert_eq!(found, wanted, "{d1} scale {s1} and {d2} scale {s2}");
                }
            }
        }
    }

    #[test]
    fn a_typmod_is_kept_to() {
        for (digits, scale, precision, places, shown) in [
            (12_345i64, 2u16, 5, 2, Some("123.45")),
            (-12_345, 2, 5, 2, Some("-123.45")),
            (12_345, 2, 4, 2, None),
            (-12_345, 2, 4, 2, None),
            (99_995, 3, 4, 2, None),
            (12_345, 2, 4, 1, Some("123.5")),
            (12_345, 2, 30, 2, Some("123.45")),
        ] {
            let typmod = Typmod::from_arguments(TypeId::NUMERIC, &[precision, places]).unwrap();
            let found = Numeric::from_digits(digits, scale).apply_typmod(typmod);
            assert_eq!(
                found.ok().map(|number| number.to_string()).as_deref(),
                shown,
                "{digits} scale {scale}"
            );
        }
    }
}
