//! Times of day: `time` and `time with time zone`, their arithmetic, order and text.
//!
//! Owns [`Time`] and [`Timetz`]. Never knows a date, but for the session's zone, whose offset is that of the current one.
//! Read next: `parse_clock.rs`, which reads them.

use std::cmp::Ordering;

use super::format::{write_clock, write_offset};
use super::{
    Date, Field, Interval, TimeZone, Timestamp, Timestamptz, US_PER_DAY, US_PER_HOUR, US_PER_SECOND,
};
use crate::error::{Result, SqlError, SqlState};
use crate::numeric::Numeric;

/// Microseconds since midnight, 24:00 included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(pub i64);

/// A time of day with the offset of its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timetz {
    /// Local time: microseconds since midnight, 24:00 included.
    pub us: i64,
    /// Seconds **west** of UTC, as PostgreSQL stores and sends them. Any number: zones by name go as far as a week,
    /// `timezone(interval, timetz)` as far as the type does.
    pub west: i32,
}

/// Largest distance of a zone from UTC, in seconds, in what clients send: below 16 hours, as `timetz_recv` checks.
const WEST_MAX: i32 = 16 * 3600 - 1;

/// Whether seconds west of UTC may be sent by a client. Values that are stored may be further away.
pub(crate) fn is_west_received(west: i32) -> bool {
    (-WEST_MAX..=WEST_MAX).contains(&west)
}

/// Whether microseconds are a time of day.
pub(crate) fn is_time_of_day(us: i64) -> bool {
    (0..=US_PER_DAY).contains(&us)
}

/// Rounds to a number of fractional digits, as `time(p)` does.
fn rounded(us: i64, precision: u32) -> i64 {
    if precision >= 6 {
        return us;
    }
    let unit = 10i64.pow(6 - precision);
    (us + unit / 2) / unit * unit
}

/// A field of the clock; `None` for those of the calendar.
fn clock_field(us: i64, field: Field) -> Option<Numeric> {
    let us_of_minute = us % (60 * US_PER_SECOND);
    Some(match field {
        Field::Microseconds => Numeric::from(us_of_minute),
        Field::Milliseconds => Numeric::from_digits(us_of_minute, 3),
        Field::Second => Numeric::from_digits(us_of_minute, 6),
        Field::Minute => Numeric::from(us / (60 * US_PER_SECOND) % 60),
        Field::Hour => Numeric::from(us / US_PER_HOUR),
        _ => return None,
    })
}

impl Time {
    /// Rounds to a number of fractional digits.
    pub fn round(self, precision: u32) -> Time {
        Time(rounded(self.0, precision))
    }

    /// The time `us` later on the clock; days fall away.
    pub fn add_us(self, us: i64) -> Time {
        let sum = i128::from(self.0) + i128::from(us);
        Time(i64::try_from(sum.rem_euclid(i128::from(US_PER_DAY))).expect("below a day"))
    }

    /// `time - time`.
    pub fn since(self, other: Time) -> Interval {
        Interval { us: self.0 - other.0, days: 0, months: 0 }
    }

    /// The time of an interval on the clock, its days and months aside.
    pub fn of_interval(interval: &Interval) -> Time {
        Time(interval.us.rem_euclid(US_PER_DAY))
    }

    /// The time of day of a timestamp; `None` for the infinities.
    pub fn of_timestamp(value: Timestamp) -> Option<Time> {
        value.is_finite().then(|| Time(value.split().1))
    }

    /// With the offset that the session's zone has at this time of the current day.
    pub fn with_zone(self, zone: &TimeZone, now: Timestamptz) -> Timetz {
        let today = zone.to_local(now).map_or(0, |local| local.split().0);
        let local = Timestamp(today * US_PER_DAY + self.0);
        Timetz { us: self.0, west: -zone.offset_at_local(local) }
    }

    /// `extract(field FROM time)`; `None` for fields that it has not.
    pub(crate) fn extract(self, field: Field) -> Option<Numeric> {
        match field {
            Field::Epoch => Some(Numeric::from_digits(self.0, 6)),
            _ => clock_field(self.0, field),
        }
    }

    /// Appends the text form.
    pub fn write(self, out: &mut Vec<u8>) {
        write_clock(self.0, out);
    }
}

impl Timetz {
    /// The time of day that an instant has in a zone; `None` for the infinities and beyond the range of timestamps.
    pub fn of_instant(value: Timestamptz, zone: &TimeZone) -> Option<Timetz> {
        if !value.is_finite() {
            return None;
        }
        let local = zone.to_local(value)?;
        Some(Timetz { us: local.split().1, west: -zone.offset_at(value) })
    }

    /// Rounds to a number of fractional digits.
    pub fn round(self, precision: u32) -> Timetz {
        Timetz { us: rounded(self.us, precision), ..self }
    }

    /// The time `us` later in the same zone.
    pub fn add_us(self, us: i64) -> Timetz {
        Timetz { us: Time(self.us).add_us(us).0, ..self }
    }

    /// The same moment of a day at another offset.
    pub fn at_west(self, west: i32) -> Timetz {
        let shifted = self.us + (i64::from(self.west) - i64::from(west)) * US_PER_SECOND;
        Timetz { us: shifted.rem_euclid(US_PER_DAY), west }
    }

    /// Microseconds since midnight in UTC, which may be of the day before or after.
    pub fn utc_us(self) -> i64 {
        self.us + i64::from(self.west) * US_PER_SECOND
    }

    /// `extract(field FROM timetz)`; `None` for fields that it has not.
    pub(crate) fn extract(self, field: Field) -> Option<Numeric> {
        let east = -i64::from(self.west);
        match field {
            Field::Epoch => Some(Numeric::from_digits(self.utc_us(), 6)),
            Field::Timezone => Some(Numeric::from(east)),
            Field::TimezoneHour => Some(Numeric::from(east / 3600)),
            Field::TimezoneMinute => Some(Numeric::from(east / 60 % 60)),
            _ => clock_field(self.us, field),
        }
    }

    /// Appends the text form.
    pub fn write(self, out: &mut Vec<u8>) {
        write_clock(self.us, out);
        write_offset(self.west.wrapping_neg(), out);
    }
}

/// By the moment, then by the zone: equal moments of different zones are not equal.
impl Ord for Timetz {
    fn cmp(&self, other: &Timetz) -> Ordering {
        self.utc_us().cmp(&other.utc_us()).then(self.west.cmp(&other.west))
    }
}

impl PartialOrd for Timetz {
    fn partial_cmp(&self, other: &Timetz) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Date {
    /// `date + time`.
    pub fn at_time(self, time: Time) -> Result<Timestamp> {
        let midnight = self.to_timestamp()?;
        if !midnight.is_finite() {
            return Ok(midnight);
        }
        let us = midnight.0.checked_add(time.0).filter(|&us| super::in_range::timestamp(us));
        us.map(Timestamp).ok_or_else(|| super::arithmetic::out_of_range("timestamp"))
    }

    /// `date + time with time zone`.
    pub fn at_timetz(self, time: Timetz) -> Result<Timestamptz> {
        match self {
            Date::INFINITY => return Ok(Timestamptz::INFINITY),
            Date::NEGATIVE_INFINITY => return Ok(Timestamptz::NEGATIVE_INFINITY),
            _ => {}
        }
        let us = i128::from(self.0) * i128::from(US_PER_DAY) + i128::from(time.utc_us());
        let us = i64::try_from(us).ok().filter(|&us| super::in_range::timestamp(us));
        us.map(Timestamptz).ok_or_else(|| {
            SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range for timestamp")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_by_moment_then_by_zone() {
        let at = |us: i64, west: i32| Timetz { us: us * US_PER_HOUR, west: west * 3600 };
        assert!(at(12, 0) < at(12, 1));
        assert!(at(12, 0) < at(11, 1), "the same moment further west is greater");
        assert_eq!(at(23, -2).at_west(0), at(21, 0));
        assert_eq!(at(1, -2).at_west(0), at(23, 0));
    }

    #[test]
    fn rounding_may_reach_the_end_of_the_day() {
        assert_eq!(Time(US_PER_DAY - 1).round(2), Time(US_PER_DAY));
        assert_eq!(Time(US_PER_DAY).add_us(1), Time(1));
    }
}
