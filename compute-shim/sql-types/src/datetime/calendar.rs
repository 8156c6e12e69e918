//! The proleptic Gregorian calendar on Julian days, and timestamps taken apart into fields.
//!
//! Owns the day arithmetic and [`Civil`]. Knows no time zone. Read next: `zone.rs`.

use super::{Date, EPOCH_JULIAN, Timestamp, US_PER_DAY, US_PER_HOUR, US_PER_SECOND};

/// A timestamp in fields. Years count as astronomers do: 0 is 1 BC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub year: i32,
    /// 1 to 12.
    pub month: i32,
    /// 1 to 31.
    pub day: i32,
    /// 0 to 23.
    pub hour: i32,
    /// 0 to 59.
    pub minute: i32,
    /// 0 to 59.
    pub second: i32,
    /// 0 to 999,999.
    pub us: i32,
}

/// Days of a 400-year cycle.
const CYCLE_DAYS: i64 = 146_097;

/// Whether February has 29 days.
pub(crate) fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month (1 to 12).
pub(crate) fn days_in_month(year: i32, month: i32) -> i32 {
    assert!((1..=12).contains(&month), "callers normalise months");
    match month {
        2 => 28 + i32::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 2000-01-01 of a calendar day; the month may be any, days run on into other months.
pub(crate) fn days_from_civil(year: i32, month: i32, day: i32) -> i64 {
    // Count in years that begin with March, so that the leap day is a year's last day.
    let months = i64::from(year) * 12 + i64::from(month) - 3;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
    let (cycle, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    let day_of_cycle = year * 365 + year / 4 - year / 100 + day_of_year;
    // 2000-03-01 begins a cycle and is day 60.
    (cycle - 5) * CYCLE_DAYS + day_of_cycle + 60
}

/// Year, month and day of a day counted from 2000-01-01.
pub(crate) fn civil_from_days(days: i64) -> (i32, i32, i32) {
    let shifted = days - 60;
    let (cycle, day_of_cycle) = (shifted.div_euclid(CYCLE_DAYS), shifted.rem_euclid(CYCLE_DAYS));
    let year = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let year = year + (cycle + 5) * 400;
    let small = |value: i64| i32::try_from(value).expect("days are within the range of dates");
    (small(year), small(month), small(day))
}

/// 0 for Sunday to 6 for Saturday. 2000-01-01 was a Saturday.
pub(crate) fn day_of_week(days: i64) -> i32 {
    i32::try_from((days + 6).rem_euclid(7)).expect("below 7")
}

/// ISO 8601 week-numbering year and week.
pub(crate) fn iso_week(days: i64) -> (i32, i32) {
    // The week belongs to the year of its Thursday.
    let monday = days - i64::from((day_of_week(days) + 6) % 7);
    let (year, _, _) = civil_from_days(monday + 3);
    let week = (monday + 3 - days_from_civil(year, 1, 1)) / 7 + 1;
    (year, i32::try_from(week).expect("at most 53"))
}

impl Date {
    /// `infinity`.
    pub const INFINITY: Date = Date(i32::MAX);
    /// `-infinity`.
    pub const NEGATIVE_INFINITY: Date = Date(i32::MIN);

    /// Whether it is neither infinity.
    pub fn is_finite(self) -> bool {
        self != Date::INFINITY && self != Date::NEGATIVE_INFINITY
    }

    /// A calendar day if it lies within the range of `date`: 4714-11-24 BC to 5874897-12-31.
    pub(crate) fn from_days(days: i64) -> Option<Date> {
        let low = -i64::from(EPOCH_JULIAN);
        // 5874898-01-01, the first day beyond.
        let high = 2_147_483_494 - i64::from(EPOCH_JULIAN);
        (low..high).contains(&days).then(|| Date(i32::try_from(days).expect("bounds are within i32")))
    }
}

/// First microsecond of the range of timestamps: 4714-11-24 BC.
pub(crate) const TIMESTAMP_MIN: i64 = -211_813_488_000_000_000;
/// First microsecond beyond: 294277-01-01.
pub(crate) const TIMESTAMP_END: i64 = 9_223_371_331_200_000_000;

/// A value if it lies within the range of timestamps.
pub(crate) fn timestamp_in_range(us: i128) -> Option<i64> {
    let us = i64::try_from(us).ok()?;
    (TIMESTAMP_MIN..TIMESTAMP_END).contains(&us).then_some(us)
}

/// Whether values from outside lie within the range of their type.
pub(crate) mod in_range {
    use super::{Date, timestamp_in_range};

    /// A date that is not an infinity.
    pub(crate) fn date(date: Date) -> bool {
        Date::from_days(i64::from(date.0)).is_some()
    }

    /// A timestamp that is not an infinity.
    pub(crate) fn timestamp(us: i64) -> bool {
        timestamp_in_range(i128::from(us)).is_some()
    }
}

impl Timestamp {
    /// `infinity`.
    pub const INFINITY: Timestamp = Timestamp(i64::MAX);
    /// `-infinity`.
    pub const NEGATIVE_INFINITY: Timestamp = Timestamp(i64::MIN);

    /// Whether it is neither infinity.
    pub fn is_finite(self) -> bool {
        self.0 != i64::MAX && self.0 != i64::MIN
    }

    /// Day since 2000-01-01 and microsecond of that day.
    pub(crate) fn split(self) -> (i64, i64) {
        (self.0.div_euclid(US_PER_DAY), self.0.rem_euclid(US_PER_DAY))
    }

    /// The fields of a finite timestamp.
    pub(crate) fn civil(self) -> Civil {
        assert!(self.is_finite(), "callers answer infinities themselves");
        let (days, us) = self.split();
        Civil::at(days, us)
    }
}

impl Civil {
    /// The fields of a day since 2000-01-01 and a time of it.
    pub(super) fn at(days: i64, us: i64) -> Civil {
        let (year, month, day) = civil_from_days(days);
        let small = |value: i64| i32::try_from(value).expect("fields of a day are small");
        Civil {
            year,
            month,
            day,
            hour: small(us / US_PER_HOUR),
            minute: small(us / (60 * US_PER_SECOND) % 60),
            second: small(us / US_PER_SECOND % 60),
            us: small(us % US_PER_SECOND),
        }
    }

    /// Microseconds since 2000-01-01, unless out of range.
    pub(crate) fn timestamp(&self) -> Option<Timestamp> {
        timestamp_in_range(self.us()).map(Timestamp)
    }

    /// Microseconds since 2000-01-01, wherever that is.
    pub(crate) fn us(&self) -> i128 {
        let days = i128::from(days_from_civil(self.year, self.month, self.day));
        let seconds = i128::from(self.hour) * 3600 + i128::from(self.minute) * 60 + i128::from(self.second);
        days * i128::from(US_PER_DAY) + seconds * i128::from(US_PER_SECOND) + i128::from(self.us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        for (civil, days) in [
            ((2000, 1, 1), 0),
            ((2000, 2, 29), 59),
            ((2000, 3, 1), 60),
            ((1970, 1, 1), -10_957),
            ((1999, 12, 31), -1),
            ((-4713, 11, 24), -2_451_545),
            ((5_874_898, 1, 1), 2_147_483_494 - 2_451_545),
        ] {
            assert_eq!(days_from_civil(civil.0, civil.1, civil.2), days, "{civil:?}");
            assert_eq!(civil_from_days(days), civil, "{days}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_round_trips() {
        let mut previous = civil_from_days(-150_001);
        for days in -150_000..150_000 {
            let civil = civil_from_days(days);
            assert!(civil > previous);
            assert_eq!(days_from_civil(civil.0, civil.1, civil.2), days);
            previous = civil;
        }
    }
}
