//! Dates, timestamps and intervals: their values, limits and calendar.
//!
//! Owns [`Date`], [`Time`], [`Timetz`], [`Timestamp`], [`Timestamptz`] and [`Interval`]. `calendar.rs` knows days and months,
//! `clock.rs` times of day, `zone.rs` time zones; `token.rs`, `parse.rs`, `parse_clock.rs` and `interval.rs` read text, `format.rs` prints it; `arithmetic.rs` adds and subtracts, `field.rs`
//! extracts and truncates. Never asks what time it is.

mod arithmetic;
mod calendar;
mod clock;
mod field;
mod format;
mod interval;
mod interval_iso;
mod interval_style;
mod parse;
mod parse_clock;
mod token;
mod zone;

pub(crate) use arithmetic::age_between;
pub(crate) use calendar::{civil_from_days, day_of_week, days_from_civil, days_in_month, in_range, iso_week};
pub(crate) use clock::{is_time_of_day, is_west_received};
pub(crate) use field::{Field, extract_date, unrecognized_unit, unsupported_unit};
pub(crate) use parse::numeric_offset;
pub(crate) use zone::ZoneRef;

pub use clock::{Time, Timetz};
pub use interval_style::IntervalStyle;
pub use zone::TimeZone;

/// Microseconds of one second.
pub const US_PER_SECOND: i64 = 1_000_000;
/// Microseconds of one hour.
pub const US_PER_HOUR: i64 = 3_600 * US_PER_SECOND;
/// Microseconds of one day.
pub const US_PER_DAY: i64 = 24 * US_PER_HOUR;
/// Julian day of 2000-01-01, the epoch of all values here.
pub const EPOCH_JULIAN: i32 = 2_451_545;
/// Days from 1970-01-01 to 2000-01-01.
pub const UNIX_EPOCH_DAYS: i32 = 10_957;

/// Days since 2000-01-01; `i32::MIN` and `i32::MAX` are `-infinity` and `infinity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date(pub i32);

/// Microseconds since 2000-01-01 00:00 of no time zone; `i64::MIN` and `i64::MAX` are the infinities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// Microseconds since 2000-01-01 00:00 UTC; `i64::MIN` and `i64::MAX` are the infinities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamptz(pub i64);

/// A span of time in three parts that do not convert into each other by themselves. Equality here is of the parts;
/// SQL's order and equality go by [`Interval::span`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Interval {
    /// Microseconds.
    pub us: i64,
    /// Days.
    pub days: i32,
    /// Months.
    pub months: i32,
}

impl Interval {
    /// Microseconds with months of 30 days and days of 24 hours: what intervals compare by.
    pub fn span(&self) -> i128 {
        let days = i128::from(self.months) * 30 + i128::from(self.days);
        days * i128::from(US_PER_DAY) + i128::from(self.us)
    }
}
