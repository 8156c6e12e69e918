//! Numbers of up to 18 digits while they are computed with: what most columns of money hold.
//!
//! Owns [`Short`], whose sums, differences and products are those of [`Numeric`] as long as the digits fit an `i64`; beyond that
//! it has no answer, and whoever asked computes with numbers of any length; and [`Shorts`], which are many of one scale, computed
//! together. Read next: `arithmetic.rs`.

use super::{Numeric, Repr, SCALE_MAX};
use crate::datum::Datum;
use crate::operator::Operator;
use std::borrow::Cow;

/// A finite number whose digits are held in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    digits: i64,
    scale: u16,
}

/// `oprcode` of the operators on `numeric` that are computed.
const NUMERIC_ADD: u32 = 1724;
const NUMERIC_SUB: u32 = 1725;
const NUMERIC_MUL: u32 = 1726;

impl Short {
    /// So many digits, of which `scale` stand behind the point.
    pub fn new(digits: i64, scale: u16) -> Short {
        assert!(scale <= SCALE_MAX, "a number of the type");
        Short { digits, scale }
    }

    /// The digits, as one number.
    pub fn digits(self) -> i64 {
        self.digits
    }

    /// How many of them stand behind the point.
    pub fn scale(self) -> u16 {
        self.scale
    }

    /// The number of a value, if it is a short one.
    #[inline]
    pub fn of(value: &Datum) -> Option<Short> {
        match value {
            Datum::Numeric(Numeric(Repr::Small { scale, digits })) => {
                Some(Short { digits: *digits, scale: *scale })
            }
            _ => None,
        }
    }

    /// Whether an operator is one that [`Short::apply`] knows.
    #[inline]
    pub fn knows(operator: &Operator) -> bool {
        matches!(operator.function, NUMERIC_ADD | NUMERIC_SUB | NUMERIC_MUL)
    }

    /// What an operator gives, if that is a short number too.
    #[inline]
    pub fn apply(operator: &Operator, left: Short, right: Short) -> Option<Short> {
        match operator.function {
            NUMERIC_ADD => {
                let (left, right, scale) = left.aligned(right)?;
                Some(Short { digits: left.checked_add(right)?, scale })
            }
            NUMERIC_SUB => {
                let (left, right, scale) = left.aligned(right)?;
                Some(Short { digits: left.checked_sub(right)?, scale })
            }
            NUMERIC_MUL => {
                let scale = left.scale + right.scale;
                let digits = left.digits.checked_mul(right.digits)?;
                (scale <= SCALE_MAX).then_some(Short { digits, scale })
            }
            _ => None,
        }
    }

    /// The digits of both at the larger scale.
    fn aligned(self, other: Short) -> Option<(i64, i64, u16)> {
        if self.scale == other.scale {
            return Some((self.digits, other.digits, self.scale));
        }
        let scale = self.scale.max(other.scale);
        let at = |number: Short| {
            let power = *POWERS.get(usize::from(scale - number.scale))?;
            number.digits.checked_mul(power)
        };
        Some((at(self)?, at(other)?, scale))
    }
}

/// Powers of ten that an `i64` holds.
const POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

const _: () = assert!(SCALE_MAX <= u16::MAX / 2, "the sum of two scales fits");

/// Short numbers of one scale for many rows, or one for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shorts<'a> {
    /// The same number in each row.
    One(Short),
    /// Digits for each row, and their scale.
    Many(Cow<'a, [i64]>, u16),
}

impl Shorts<'_> {
    fn scale(&self) -> u16 {
        match self {
            Shorts::One(number) => number.scale,
            Shorts::Many(_, scale) => *scale,
        }
    }

    /// What [`Short::apply`] gives in each row, if it gives something in all of them.
    pub fn apply(operator: &Operator, left: &Shorts<'_>, right: &Shorts<'_>) -> Option<Shorts<'static>> {
        if operator.function == NUMERIC_MUL {
            let scale = left.scale() + right.scale();
            return (scale <= SCALE_MAX).then(|| each(left, right, scale, i64::checked_mul))?;
        }
        let scale = left.scale().max(right.scale());
        let power = |numbers: &Shorts<'_>| POWERS.get(usize::from(scale - numbers.scale())).copied();
        let (a, b) = (power(left)?, power(right)?);
        match operator.function {
            NUMERIC_ADD => each(left, right, scale, |x, y| x.checked_mul(a)?.checked_add(y.checked_mul(b)?)),
            NUMERIC_SUB => each(left, right, scale, |x, y| x.checked_mul(a)?.checked_sub(y.checked_mul(b)?)),
            _ => None,
        }
    }
}

fn each(
    left: &Shorts<'_>,
    right: &Shorts<'_>,
    scale: u16,
    compute: impl Fn(i64, i64) -> Option<i64>,
) -> Option<Shorts<'static>> {
    let digits: Option<Vec<i64>> = match (left, right) {
        (Shorts::One(x), Shorts::One(y)) => {
            return Some(Shorts::One(Short { digits: compute(x.digits, y.digits)?, scale }));
        }
        (Shorts::One(x), Shorts::Many(right, _)) => right.iter().map(|y| compute(x.digits, *y)).collect(),
        (Shorts::Many(left, _), Shorts::One(y)) => left.iter().map(|x| compute(*x, y.digits)).collect(),
        (Shorts::Many(left, _), Shorts::Many(right, _)) => {
            assert_eq!(left.len(), right.len(), "columns of the same rows");
            left.iter().zip(&**right).map(|(x, y)| compute(*x, *y)).collect()
        }
    };
    Some(Shorts::Many(digits?.into(), scale))
}

impl From<Short> for Numeric {
    #[inline]
    fn from(number: Short) -> Numeric {
        Numeric(Repr::Small { scale: number.scale, digits: number.digits })
    }
}

impl From<Short> for Datum {
    #[inline]
    fn from(number: Short) -> Datum {
        Datum::Numeric(number.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::EvalEnv;
    use crate::operator::by_oid;
    use crate::text::output;
    use crate::types::TypeId;

    /// Many are computed as each of them is.
    fn check_shorts(operator: &Operator, a: Short, b: Short, wanted: Option<Short>) {
        let many = |number: Short| Shorts::Many(vec![number.digits; 3].into(), number.scale);
        let wanted_many = wanted.map(many);
        assert_eq!(Shorts::apply(operator, &many(a), &many(b)), wanted_many);
        assert_eq!(Shorts::apply(operator, &Shorts::One(a), &many(b)), wanted_many);
        assert_eq!(Shorts::apply(operator, &many(a), &Shorts::One(b)), wanted_many);
        assert_eq!(Shorts::apply(operator, &Shorts::One(a), &Shorts::One(b)), wanted.map(Shorts::One));
    }

    /// Where there is an answer it is the operator's own, digit by digit, and there is one wherever digits are few.
    #[test]
    fn short_numbers_compute_as_their_operators_do() {
        let digits =
            [0, 1, -1, 25, -999, 123_456_789, 3_037_000_500, -9_223_372_036_854_775_807, i64::MAX, i64::MIN];
        let numbers: Vec<Datum> = digits
            .iter()
            .flat_map(|&digits| {
                [0u16, 1, 2, 6, 18, 19, SCALE_MAX].map(|scale| Datum::from(Short { digits, scale }))
            })
            .collect();
        let env = EvalEnv::without_session();
        let shown = |value: &Datum| {
            let mut out = Vec::new();
            output(&env, TypeId::NUMERIC, value, &mut out);
            String::from_utf8(out).unwrap()
        };
        let mut answers = 0;
        for operator in [1758, 1759, 1760].map(|oid| by_oid(oid).expect("the operators of numeric")) {
            assert!(Short::knows(operator), "{}", operator.name);
            for left in &numbers {
                for right in &numbers {
                    let (a, b) = (Short::of(left).unwrap(), Short::of(right).unwrap());
                    let found = Short::apply(operator, a, b);
                    check_shorts(operator, a, b, found);
                    let Some(found) = found else { continue };
                    answers += 1;
                    let wanted = operator.apply(&env, &[left.clone(), right.clone()]).unwrap();
                    let what = format!("{} {} {}", shown(left), operator.name, shown(right));
                    assert_eq!(shown(&found.into()), shown(&wanted), "{what}");
                }
            }
        }
        assert!(answers > 3_000, "{answers}");
        assert!(!Short::knows(by_oid(1761).expect("division")));
        assert!(Short::of(&Datum::Null).is_none() && Short::of(&Datum::Numeric(Numeric::NAN)).is_none());
    }
}
