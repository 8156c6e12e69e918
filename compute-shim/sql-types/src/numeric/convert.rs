//! Numbers to and from integers and floats.
//!
//! Owns the conversions with their range checks. Read next: `crate::cast`, whose table points here.

use super::{Numeric, Repr};
use crate::error::{Result, SqlError, SqlState};

impl From<i64> for Numeric {
    fn from(value: i64) -> Numeric {
        Numeric(Repr::Small { scale: 0, digits: value })
    }
}

impl From<i32> for Numeric {
    fn from(value: i32) -> Numeric {
        Numeric::from(i64::from(value))
    }
}

impl From<i16> for Numeric {
    fn from(value: i16) -> Numeric {
        Numeric::from(i64::from(value))
    }
}

impl From<i128> for Numeric {
    fn from(value: i128) -> Numeric {
        Numeric::from_digits(value, 0)
    }
}

impl Numeric {
    /// Rounds to an integer that fits an `i64`. 0A000 for NaN and infinities, 22003 `<type> out of range` beyond;
    /// `type_name` is the target as messages name it.
    pub fn to_i64(&self, type_name: &str) -> Result<i64> {
        if !self.is_finite() {
            let what = if self.is_nan() { "NaN" } else { "infinity" };
            let message = format!("cannot convert {what} to {type_name}");
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        match self.round(0)?.0 {
            Repr::Small { digits, .. } => Ok(digits),
            _ => Err(SqlError::out_of_range(type_name)),
        }
    }

    /// The exact integer, if it is one that fits an `i64`.
    pub(super) fn exact_i64(&self) -> Option<i64> {
        match self.trim_scale().0 {
            Repr::Small { scale: 0, digits } => Some(digits),
            _ => None,
        }
    }

    /// The nearest float; 22003 for a number beyond its range on either end.
    pub fn to_f64(&self) -> Result<f64> {
        let text = match self.0 {
            Repr::NaN => return Ok(f64::NAN),
            Repr::Infinity => return Ok(f64::INFINITY),
            Repr::NegativeInfinity => return Ok(f64::NEG_INFINITY),
            _ => self.to_string(),
        };
        let value: f64 = text.parse().expect("digits with a point parse");
        if value.is_infinite() || (value == 0.0 && !self.is_zero()) {
            return Err(float_out_of_range(&text, "double precision"));
        }
        Ok(value)
    }

    /// The nearest `f32`; 22003 for a number beyond its range on either end.
    pub fn to_f32(&self) -> Result<f32> {
        let text = match self.0 {
            Repr::NaN => return Ok(f32::NAN),
            Repr::Infinity => return Ok(f32::INFINITY),
            Repr::NegativeInfinity => return Ok(f32::NEG_INFINITY),
            _ => self.to_string(),
        };
        let value: f32 = text.parse().expect("digits with a point parse");
        if value.is_infinite() || (value == 0.0 && !self.is_zero()) {
            return Err(float_out_of_range(&text, "real"));
        }
        Ok(value)
    }

    /// The nearest float for estimates, infinite where it does not fit.
    pub(super) fn estimate(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// A float as a number of 15 significant digits, as the cast does.
    pub fn from_f64(value: f64) -> Numeric {
        Self::from_float(value, 15)
    }

    /// A `real` as a number of 6 significant digits, as the cast does.
    pub fn from_f32(value: f32) -> Numeric {
        Self::from_float(f64::from(value), 6)
    }

    fn from_float(value: f64, significant: usize) -> Numeric {
        if value.is_nan() {
            return Numeric::NAN;
        }
        if value.is_infinite() {
            return if value > 0.0 { Numeric::INFINITY } else { Numeric::NEGATIVE_INFINITY };
        }
        let text = format!("{value:.*e}", significant - 1);
        let (mantissa, exponent) = text.split_once('e').expect("the format has an exponent");
        let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0') } else { mantissa };
        let text = format!("{}e{exponent}", mantissa.trim_end_matches('.'));
        Numeric::parse(&text).expect("a float is within the range of numeric")
    }
}

fn float_out_of_range(text: &str, type_name: &str) -> SqlError {
    let message = format!("\"{text}\" is out of range for type {type_name}");
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}
