//! A number as groups of four decimal digits: the form that the wire, the row and the key format share, and in
//! which PostgreSQL's rules for result scales are written.
//!
//! Owns [`Groups`] and its two conversions. Read next: `arithmetic.rs`.

use num_bigint::{BigInt, Sign};

use super::{Numeric, Repr, power_of_ten};

/// Sign word of the groups, also for the values that are no numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumericSign {
    /// Zero and above.
    Positive,
    /// Below zero.
    Negative,
    /// NaN.
    NaN,
    /// Positive infinity.
    Infinity,
    /// Negative infinity.
    NegativeInfinity,
}

/// The absolute value as base-10000 digits: `sum(digits[i] * 10000^(weight - i))`, without leading or trailing
/// zero groups (zero has no groups and weight 0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// The sign.
    pub sign: NumericSign,
    /// Exponent of the first group.
    pub weight: i32,
    /// Groups of four digits, most significant first, each below 10000.
    pub digits: Vec<u16>,
}

/// Groups of which an `i64` may take all digits.
const SMALL_GROUPS_MAX: usize = 5;

impl Groups {
    /// Takes a number apart.
    pub fn of(number: &Numeric) -> Groups {
        if let Repr::Small { scale, digits } = &number.0
            && let Some(groups) = Groups::of_small(*digits, *scale)
        {
            return groups;
        }
        let empty = |sign| Groups { sign, weight: 0, digits: Vec::new() };
        let (negative, digits, scale) = match &number.0 {
            Repr::NaN => return empty(NumericSign::NaN),
            Repr::Infinity => return empty(NumericSign::Infinity),
            Repr::NegativeInfinity => return empty(NumericSign::NegativeInfinity),
            Repr::Small { digits: 0, .. } => return empty(NumericSign::Positive),
            Repr::Small { scale, digits } => (*digits < 0, digits.unsigned_abs().to_string(), *scale),
            Repr::Big(big) => {
                (big.digits.sign() == Sign::Minus, big.digits.magnitude().to_string(), big.scale)
            }
        };
        // Pad so that the decimal point falls between groups: zeros behind to a multiple of four decimals,
        // zeros in front to whole groups.
        let scale = usize::from(scale);
        let behind = scale.next_multiple_of(4) - scale;
        let groups_behind = (scale + behind) / 4;
        let length = digits.len() + behind;
        let front = length.next_multiple_of(4) - length;
        let mut text = Vec::with_capacity(front + length);
        text.resize(front, b'0');
        text.extend_from_slice(digits.as_bytes());
        text.resize(front + length, b'0');
        let mut groups: Vec<u16> = text
            .chunks_exact(4)
            .map(|chunk| chunk.iter().fold(0, |sum, &digit| sum * 10 + u16::from(digit - b'0')))
            .collect();
        let mut weight = to_i32(groups.len()) - to_i32(groups_behind) - 1;
        let leading = groups.iter().take_while(|&&group| group == 0).count();
        groups.drain(..leading);
        weight -= to_i32(leading);
        while groups.last() == Some(&0) {
            groups.pop();
        }
        assert!(!groups.is_empty(), "zero was answered above");
        let sign = if negative { NumericSign::Negative } else { NumericSign::Positive };
        Groups { sign, weight, digits: groups }
    }

    /// The same of digits in place; `None` if they do not fit once padded to whole groups behind the point.
    fn of_small(digits: i64, scale: u16) -> Option<Groups> {
        let behind = scale.next_multiple_of(4) - scale;
        let mut rest = digits.unsigned_abs().checked_mul(10u64.pow(u32::from(behind)))?;
        let sign = if digits < 0 { NumericSign::Negative } else { NumericSign::Positive };
        if rest == 0 {
            return Some(Groups { sign, weight: 0, digits: Vec::new() });
        }
        // Exponent of the last group.
        let mut last = -i32::from(scale.div_ceil(4));
        while rest % 10_000 == 0 {
            rest /= 10_000;
            last += 1;
        }
        let count = (rest.ilog10() / 4 + 1) as usize;
        let mut groups = vec![0; count];
        for group in groups.iter_mut().rev() {
            *group = u16::try_from(rest % 10_000).expect("below 10,000");
            rest /= 10_000;
        }
        assert_eq!(rest, 0, "so many groups were counted");
        Some(Groups { sign, weight: last + to_i32(count) - 1, digits: groups })
    }

    /// The number whose groups, at most five, are given without being kept; `None` if its digits do not fit in place. What
    /// [`Groups::to_numeric`] gives.
    #[inline]
    pub(crate) fn small(
        negative: bool,
        weight: i32,
        groups: impl ExactSizeIterator<Item = u16>,
        scale: u16,
    ) -> Option<Numeric> {
        let count = groups.len();
        if count > SMALL_GROUPS_MAX {
            return None;
        }
        let mut value = 0i64;
        for group in groups {
            value = value.checked_mul(10_000)?.checked_add(i64::from(group))?;
        }
        let shift = match value {
            0 => 0,
            _ => 4 * (weight - to_i32(count) + 1) + i32::from(scale),
        };
        let power = 10i64.checked_pow(shift.unsigned_abs())?;
        let value = if shift >= 0 { value.checked_mul(power)? } else { value / power };
        Some(Numeric(Repr::Small { scale, digits: if negative { -value } else { value } }))
    }

    /// Puts a number together again, with `scale` digits after the point; digits beyond are cut off.
    pub fn to_numeric(&self, scale: u16) -> Numeric {
        match self.sign {
            NumericSign::NaN => return Numeric::NAN,
            NumericSign::Infinity => return Numeric::INFINITY,
            NumericSign::NegativeInfinity => return Numeric::NEGATIVE_INFINITY,
            NumericSign::Positive | NumericSign::Negative => {}
        }
        let negative = self.sign == NumericSign::Negative;
        if let Some(number) = Groups::small(negative, self.weight, self.digits.iter().copied(), scale) {
            return number;
        }
        let mut text = Vec::with_capacity(self.digits.len() * 4);
        for &group in &self.digits {
            assert!(group < 10_000, "decoders check every group");
            let group = u8_digits(group);
            text.extend_from_slice(&group);
        }
        let value = BigInt::parse_bytes(&text, 10).expect("only digits");
        // The value's last digit stands at 10^(4 * (weight - count + 1)); bring it to 10^-scale.
        let exponent = 4 * (i64::from(self.weight) - i64::from(to_i32(self.digits.len())) + 1);
        let shift = exponent + i64::from(scale);
        let power = u32::try_from(shift.unsigned_abs()).expect("weights are bounded by their 16-bit formats");
        let value = if shift >= 0 { value * power_of_ten(power) } else { value / power_of_ten(power) };
        Numeric::from_digits(if negative { -value } else { value }, scale)
    }
}

fn u8_digits(group: u16) -> [u8; 4] {
    let digit = |divisor: u16| b'0' + u8::try_from(group / divisor % 10).expect("one digit");
    [digit(1000), digit(100), digit(10), digit(1)]
}

fn to_i32(length: usize) -> i32 {
    i32::try_from(length).expect("numbers have fewer than 2^17 digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for (digits, scale, weight, groups) in [
            (12_345i64, 0u16, 1, vec![1u16, 2345]),
            (12_345, 2, 0, vec![123, 4500]),
            (1, 4, -1, vec![1]),
            (1, 5, -2, vec![1000]),
            (10_000, 0, 1, vec![1]),
            (100, 2, 0, vec![1]),
            (0, 3, 0, vec![]),
            (-7, 0, 0, vec![7]),
            (i64::MAX, 0, 4, vec![922, 3372, 368, 5477, 5807]),
            (i64::MIN, 0, 4, vec![922, 3372, 368, 5477, 5808]),
            (i64::MIN, 3, 3, vec![9223, 3720, 3685, 4775, 8080]),
            (5_000_000_000_000_000_000, 0, 4, vec![500]),
            (10_001, 40, -9, vec![1, 1]),
        ] {
            let number = Numeric::from_digits(digits, scale);
            let parts = Groups::of(&number);
            assert_eq!((parts.weight, &parts.digits), (weight, &groups), "{digits} scale {scale}");
            let back = parts.to_numeric(scale);
            assert_eq!(back, number);
            assert_eq!(back.scale(), scale);
        }
    }
}
