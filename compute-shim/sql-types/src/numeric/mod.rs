//! `numeric`: decimal numbers of arbitrary precision, with PostgreSQL's rules for scale, rounding and limits.
//!
//! Owns the value [`Numeric`] and its order; `arithmetic.rs` holds + - * / %, rounding and typmods,
//! `transcendental.rs` sqrt, exp, ln, log and power, `format.rs` the text form, `base10000.rs` the digit groups
//! that the wire, the row and the key share, `short.rs` sums and products of few digits, `convert.rs` integers and floats. Never touches a `Datum`.

mod arithmetic;
mod base10000;
mod convert;
mod format;
mod short;
mod transcendental;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use num_bigint::{BigInt, Sign};

pub use base10000::{Groups, NumericSign};
pub use short::{Short, Shorts};

/// A decimal number: an integer times a power of ten, or NaN, or an infinity.
///
/// The display scale (digits after the point) belongs to the value: `1.0` and `1.00` are equal but print
/// differently. 16 bytes; numbers whose digits fit an `i64` are held in place, others behind a reference count.
#[derive(Clone)]
pub struct Numeric(Repr);

/// Canonical: digits that fit an `i64` are always `Small`.
#[derive(Clone)]
enum Repr {
    Small { scale: u16, digits: i64 },
    Big(Arc<Big>),
    NaN,
    Infinity,
    NegativeInfinity,
}

struct Big {
    scale: u16,
    digits: BigInt,
}

const _: () = assert!(size_of::<Numeric>() <= 16);

/// Most digits before the decimal point.
pub const INTEGER_DIGITS_MAX: u32 = 131_072;
/// Most digits after the decimal point.
pub const SCALE_MAX: u16 = 16_383;

impl Numeric {
    /// Not a number; above everything in the order.
    pub const NAN: Numeric = Numeric(Repr::NaN);
    /// Positive infinity.
    pub const INFINITY: Numeric = Numeric(Repr::Infinity);
    /// Negative infinity.
    pub const NEGATIVE_INFINITY: Numeric = Numeric(Repr::NegativeInfinity);
    /// 0 with scale 0.
    pub const ZERO: Numeric = Numeric(Repr::Small { scale: 0, digits: 0 });
    /// 1 with scale 0.
    pub const ONE: Numeric = Numeric(Repr::Small { scale: 0, digits: 1 });

    /// Bytes of the digits that are not held in place, if there are any.
    pub fn heap_bytes(&self) -> Option<usize> {
        match &self.0 {
            Repr::Big(big) => {
                Some(size_of::<Big>() + usize::try_from(big.digits.bits() / 8).unwrap_or(usize::MAX))
            }
            _ => None,
        }
    }

    /// `digits` times 10 to the power of `-scale`.
    pub fn from_digits(digits: impl Into<BigInt>, scale: u16) -> Numeric {
        assert!(scale <= SCALE_MAX, "callers bound the scale");
        let digits: BigInt = digits.into();
        match i64::try_from(&digits) {
            Ok(digits) => Numeric(Repr::Small { scale, digits }),
            Err(_) => Numeric(Repr::Big(Arc::new(Big { scale, digits }))),
        }
    }

    /// Digits after the decimal point; 0 for NaN and infinities.
    pub fn scale(&self) -> u16 {
        match &self.0 {
            Repr::Small { scale, .. } => *scale,
            Repr::Big(big) => big.scale,
            _ => 0,
        }
    }

    /// Whether it is NaN.
    pub fn is_nan(&self) -> bool {
        matches!(self.0, Repr::NaN)
    }

    /// Whether it is one of the infinities.
    pub fn is_infinite(&self) -> bool {
        matches!(self.0, Repr::Infinity | Repr::NegativeInfinity)
    }

    /// Whether it is neither NaN nor an infinity.
    pub fn is_finite(&self) -> bool {
        matches!(self.0, Repr::Small { .. } | Repr::Big(_))
    }

    /// Whether it is zero, of whatever scale.
    pub fn is_zero(&self) -> bool {
        matches!(self.0, Repr::Small { digits: 0, .. })
    }

    /// -1, 0 or 1; NaN counts as positive.
    pub fn signum(&self) -> i32 {
        match &self.0 {
            Repr::Small { digits, .. } => i32::try_from(digits.signum()).expect("-1, 0 or 1"),
            Repr::Big(big) => match big.digits.sign() {
                Sign::Minus => -1,
                Sign::NoSign => 0,
                Sign::Plus => 1,
            },
            Repr::NaN | Repr::Infinity => 1,
            Repr::NegativeInfinity => -1,
        }
    }

    /// The unscaled digits of a finite number.
    fn digits(&self) -> BigInt {
        match &self.0 {
            Repr::Small { digits, .. } => BigInt::from(*digits),
            Repr::Big(big) => big.digits.clone(),
            _ => panic!("only finite numbers have digits"),
        }
    }

    /// The digits of both at the larger scale, which is the third, if both are held in place and their scales are not far apart.
    /// The sum and the difference of what is given do not overflow.
    fn aligned_small(&self, other: &Numeric) -> Option<(i128, i128, u16)> {
        let (Repr::Small { scale: s1, digits: d1 }, Repr::Small { scale: s2, digits: d2 }) =
            (&self.0, &other.0)
        else {
            return None;
        };
        let scale = *s1.max(s2);
        let aligned = |digits: i64, from: u16| {
            let distance = u32::from(scale - from);
            // 10^18 times 2^63 is below 2^123.
            (distance <= 18).then(|| i128::from(digits) * 10i128.pow(distance))
        };
        Some((aligned(*d1, *s1)?, aligned(*d2, *s2)?, scale))
    }

    /// Rank of the special values around the finite ones.
    fn class(&self) -> i8 {
        match self.0 {
            Repr::NegativeInfinity => -1,
            Repr::Small { .. } | Repr::Big(_) => 0,
            Repr::Infinity => 1,
            Repr::NaN => 2,
        }
    }
}

/// 10 to the power of `exponent`.
fn power_of_ten(exponent: u32) -> BigInt {
    BigInt::from(10u32).pow(exponent)
}

impl Ord for Numeric {
    fn cmp(&self, other: &Numeric) -> Ordering {
        if self.class() != 0 || other.class() != 0 {
            return self.class().cmp(&other.class());
        }
        if let (Repr::Small { scale: s1, digits: d1 }, Repr::Small { scale: s2, digits: d2 }) =
            (&self.0, &other.0)
            && s1 == s2
        {
            return d1.cmp(d2);
        }
        if let Some((left, right, _)) = self.aligned_small(other) {
            return left.cmp(&right);
        }
        let (scale1, scale2) = (self.scale(), other.scale());
        let scale = scale1.max(scale2);
        let left = self.digits() * power_of_ten(u32::from(scale - scale1));
        let right = other.digits() * power_of_ten(u32::from(scale - scale2));
        left.cmp(&right)
    }
}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Numeric) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Numeric) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric {}

impl Hash for Numeric {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_i8(self.class());
        if self.is_finite() {
            let groups = Groups::of(self);
            state.write_i32(groups.weight);
            groups.sign.hash(state);
            groups.digits.hash(state);
        }
    }
}

impl std::fmt::Debug for Numeric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
