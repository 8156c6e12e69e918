//! The text form of numbers.
use super::*;
impl std::fmt::Display for Numeric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Repr::NaN => f.write_str("NaN"),
            Repr::Infinity => f.write_str("Infinity"),
            Repr::NegativeInfinity => f.write_str("-Infinity"),
            Repr::Small { scale, digits } => {
                write_digits(f, *digits < 0, &digits.unsigned_abs().to_string(), usize::from(*scale))
            }
            Repr::Big(big) => {
                let negative = big.digits.sign() == Sign::Minus;
                write_digits(f, negative, &big.digits.magnitude().to_string(), usize::from(big.scale))
            }
        }
    }
}

fn write_digits(
    f: &mut std::fmt::Formatter<'_>,
    negative: bool,
    digits: &str,
    scale: usize,
) -> std::fmt::Result {
    if negative {
        f.write_str("-")?;
    }
    if scale == 0 {
        return f.write_str(digits);
    }
    match digits.len().checked_sub(scale) {
        Some(at) if at > 0 => write!(f, "{}.{}", &digits[..at], &digits[at..]),
        _ => write!(f, "0.{digits:0>scale$}"),
    }
}
