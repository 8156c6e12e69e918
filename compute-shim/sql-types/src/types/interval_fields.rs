//! The modifier of `interval`: which fields it has, and how many digits of a second.
//!
//! Packed as PostgreSQL does it (`atttypmod`): a bit for each field in the upper half, the precision in the lower one.

use super::Typmod;
use crate::error::{Result, SqlError};

/// The bit of the field `year`.
pub const YEAR: i32 = 1 << 2;
/// The bit of the field `month`.
pub const MONTH: i32 = 1 << 1;
/// The bit of the field `day`.
pub const DAY: i32 = 1 << 3;
/// The bit of the field `hour`.
pub const HOUR: i32 = 1 << 10;
/// The bit of the field `minute`.
pub const MINUTE: i32 = 1 << 11;
/// The bit of the field `second`.
pub const SECOND: i32 = 1 << 12;
/// All fields: `interval(3)`.
pub const FULL_RANGE: i32 = 0x7fff;
/// No precision is given.
const FULL_PRECISION: i32 = 0xffff;

/// The fields that may be named together, and how they are written.
const NAMES: [(i32, &str); 13] = [
    (YEAR, "year"),
    (MONTH, "month"),
    (YEAR | MONTH, "year to month"),
    (DAY, "day"),
    (HOUR, "hour"),
    (MINUTE, "minute"),
    (SECOND, "second"),
    (DAY | HOUR, "day to hour"),
    (DAY | HOUR | MINUTE, "day to minute"),
    (DAY | HOUR | MINUTE | SECOND, "day to second"),
    (HOUR | MINUTE, "hour to minute"),
    (HOUR | MINUTE | SECOND, "hour to second"),
    (MINUTE | SECOND, "minute to second"),
];

/// The fields that a text names: `day to second`.
pub fn interval_fields(name: &str) -> Option<i32> {
    NAMES.iter().find(|(_, known)| *known == name).map(|(fields, _)| *fields)
}

impl Typmod {
    /// From fields, and a precision if one is given. 22023.
    pub(super) fn interval(arguments: &[i64]) -> Result<Typmod> {
        let invalid = || SqlError::invalid_parameter("invalid INTERVAL type modifier");
        let fields = arguments.first().and_then(|fields| i32::try_from(*fields).ok()).ok_or_else(invalid)?;
        if fields != FULL_RANGE && !NAMES.iter().any(|(known, _)| *known == fields) {
            return Err(invalid());
        }
        let precision = match *arguments {
            [_] if fields == FULL_RANGE => return Ok(Typmod::NONE),
            [_] => FULL_PRECISION,
            [_, precision] if precision < 0 => {
                let message = format!("INTERVAL({precision}) precision must not be negative");
                return Err(SqlError::invalid_parameter(message));
            }
            [_, precision] => i32::try_from(precision.min(6)).expect("bounded above"),
            _ => return Err(invalid()),
        };
        Ok(Typmod(fields << 16 | precision))
    }

    /// The fields of an `interval`; `None`: all.
    pub fn interval_fields(self) -> Option<i32> {
        let fields = self.0 >> 16 & FULL_RANGE;
        (self.0 >= 0 && fields != FULL_RANGE).then_some(fields)
    }

    /// How these are written.
    pub fn interval_fields_name(self) -> Option<&'static str> {
        let fields = self.interval_fields()?;
        NAMES.iter().find(|(known, _)| *known == fields).map(|(_, name)| *name)
    }

    /// Digits of a second of an `interval`, if there is a bound.
    pub fn interval_precision(self) -> Option<u32> {
        let precision = self.0 & FULL_PRECISION;
        (self.0 >= 0 && precision != FULL_PRECISION).then_some(precision.cast_unsigned())
    }
}

/// `interval day to second(3)`.
pub(super) fn formatted(typmod: Option<Typmod>) -> String {
    let mut text = "interval".to_owned();
    let Some(typmod) = typmod else { return text };
    if let Some(fields) = typmod.interval_fields_name() {
        text.push(' ');
        text.push_str(fields);
    }
    if let Some(precision) = typmod.interval_precision() {
        text.push_str(&format!("({precision})"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{TypeId, format_type};

    #[test]
    fn modifiers_are_those_of_postgres() {
        for (arguments, typmod, text) in [
            (vec![i64::from(YEAR)], 4 << 16 | 0xffff, "interval year"),
            (vec![i64::from(YEAR | MONTH)], 6 << 16 | 0xffff, "interval year to month"),
            (vec![i64::from(DAY | HOUR)], 1032 << 16 | 0xffff, "interval day to hour"),
            (vec![i64::from(FULL_RANGE), 3], 0x7fff << 16 | 3, "interval(3)"),
            (vec![i64::from(SECOND), 9], 4096 << 16 | 6, "interval second(6)"),
            (vec![7176, 2], 7176 << 16 | 2, "interval day to second(2)"),
            (vec![i64::from(FULL_RANGE)], -1, "interval"),
        ] {
            let found = Typmod::from_arguments(TypeId::INTERVAL, &arguments).expect(text);
            assert_eq!((found.0, format_type(TypeId::INTERVAL, Some(found)).as_str()), (typmod, text));
        }
        assert!(Typmod::from_arguments(TypeId::INTERVAL, &[1]).is_err());
        assert!(Typmod::from_arguments(TypeId::INTERVAL, &[0x7fff, -1]).is_err());
    }
}
