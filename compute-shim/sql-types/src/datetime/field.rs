//! Fields of dates, timestamps and intervals: `extract`, `date_part`, `date_trunc`.
//!
//! Owns [`Field`] and what each means for each type. Read next: `crate::function`, whose table points here.

use super::calendar::{Civil, civil_from_days, day_of_week, days_from_civil, iso_week};
use super::{
    EPOCH_JULIAN, Interval, TimeZone, Timestamp, Timestamptz, UNIX_EPOCH_DAYS, US_PER_DAY, US_PER_HOUR,
    US_PER_SECOND,
};
use crate::error::{Result, SqlError};
use crate::numeric::Numeric;

/// A field that can be extracted or truncated to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Dow,
    IsoDow,
    Doy,
    IsoYear,
    Julian,
    Epoch,
    Timezone,
    TimezoneHour,
    TimezoneMinute,
}

impl Field {
    /// Finds a field by its name or one of its abbreviations.
    pub(crate) fn from_name(name: &str) -> Option<Field> {
        Some(match name.to_ascii_lowercase().as_str() {
            "us" | "usec" | "usecs" | "microsecond" | "microseconds" | "useconds" => Field::Microseconds,
            "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" | "mseconds" => Field::Milliseconds,
            "s" | "sec" | "secs" | "second" | "seconds" => Field::Second,
            "m" | "min" | "mins" | "minute" | "minutes" => Field::Minute,
            "h" | "hr" | "hrs" | "hour" | "hours" => Field::Hour,
            "d" | "day" | "days" => Field::Day,
            "w" | "week" | "weeks" => Field::Week,
            "mon" | "mons" | "month" | "months" => Field::Month,
            "qtr" | "quarter" => Field::Quarter,
            "y" | "yr" | "yrs" | "year" | "years" => Field::Year,
            "dec" | "decs" | "decade" | "decades" => Field::Decade,
            "c" | "cent" | "century" | "centuries" => Field::Century,
            "mil" | "mils" | "millennium" | "millennia" => Field::Millennium,
            "dow" => Field::Dow,
            "isodow" => Field::IsoDow,
            "doy" => Field::Doy,
            "isoyear" => Field::IsoYear,
            "j" | "jd" | "julian" => Field::Julian,
            "epoch" => Field::Epoch,
            "timezone" => Field::Timezone,
            "timezone_h" | "timezone_hour" => Field::TimezoneHour,
            "timezone_m" | "timezone_minute" => Field::TimezoneMinute,
            _ => return None,
        })
    }

    /// A field by name or 22023 `unit "x" not recognized for type t`.
    pub(crate) fn parse(name: &str, type_name: &str) -> Result<Field> {
        Field::from_name(name).ok_or_else(|| unrecognized_unit(name, type_name))
    }
}

/// 22023 `unit "x" not recognized for type t`.
pub(crate) fn unrecognized_unit(name: &str, type_name: &str) -> SqlError {
    SqlError::invalid_parameter(format!("unit \"{name}\" not recognized for type {type_name}"))
}

/// 0A000 `unit "x" not supported for type t`.
pub(crate) fn unsupported_unit(name: &str, type_name: &str) -> SqlError {
    let message = format!("unit \"{name}\" not supported for type {type_name}");
    SqlError::new(crate::error::SqlState::FEATURE_NOT_SUPPORTED, message)
}

/// A value with six decimals from microseconds.
fn seconds(us: impl Into<num_bigint::BigInt>) -> Numeric {
    Numeric::from_digits(us, 6)
}

/// Seconds since 1970; beyond the range of timestamps near its upper end.
fn epoch(us: i64) -> Numeric {
    seconds(i128::from(us) + i128::from(UNIX_EPOCH_DAYS) * i128::from(US_PER_DAY))
}

/// Years count 1 BC, 1 AD without a 0 in SQL's extract.
fn sql_year(year: i32) -> i64 {
    i64::from(if year > 0 { year } else { year - 1 })
}

/// Century or millennium of a year, of `size` years beginning with year 1.
fn age_of_year(year: i32, size: i32) -> i64 {
    i64::from(if year > 0 { (year + size - 1) / size } else { -((size - 1 - (year - 1)) / size) })
}

/// Fields of the calendar and the clock, from local time. `None` for those that need a zone.
fn local_field(field: Field, local: Timestamp) -> Option<Numeric> {
    let civil = local.civil();
    let (days, us_of_day) = local.split();
    let us_of_minute = i64::from(civil.second) * US_PER_SECOND + i64::from(civil.us);
    let value = match field {
        Field::Microseconds => us_of_minute,
        Field::Milliseconds => return Some(Numeric::from_digits(us_of_minute, 3)),
        Field::Second => return Some(seconds(us_of_minute)),
        Field::Minute => i64::from(civil.minute),
        Field::Hour => i64::from(civil.hour),
        Field::Day => i64::from(civil.day),
        Field::Week => i64::from(iso_week(days).1),
        Field::Month => i64::from(civil.month),
        Field::Quarter => i64::from((civil.month - 1) / 3 + 1),
        Field::Year => sql_year(civil.year),
        Field::Decade => i64::from(civil.year.div_euclid(10)),
        Field::Century => age_of_year(civil.year, 100),
        Field::Millennium => age_of_year(civil.year, 1000),
        Field::Dow => i64::from(day_of_week(days)),
        Field::IsoDow => i64::from((day_of_week(days) + 6) % 7 + 1),
        Field::Doy => days - days_from_civil(civil.year, 1, 1) + 1,
        Field::IsoYear => sql_year(iso_week(days).0),
        Field::Julian => return julian(days, us_of_day),
        Field::Epoch | Field::Timezone | Field::TimezoneHour | Field::TimezoneMinute => return None,
    };
    Some(Numeric::from(value))
}

/// The Julian day with the time as its fraction.
fn julian(days: i64, us_of_day: i64) -> Option<Numeric> {
    let day = Numeric::from(days + i64::from(EPOCH_JULIAN));
    let fraction = Numeric::from(us_of_day).divide(&Numeric::from(US_PER_DAY)).ok()?;
    day.add(&fraction).ok()
}

impl Timestamp {
    /// `extract(field FROM timestamp)`; `None` where the field has no meaning here (SQL NULL for infinities is the
    /// caller's).
    pub(crate) fn extract(self, field: Field) -> Option<Numeric> {
        match field {
            Field::Epoch => Some(epoch(self.0)),
            _ => local_field(field, self),
        }
    }

    /// `date_trunc(field, timestamp)`; `None` for a field that cannot be truncated to.
    pub(crate) fn truncate(self, field: Field) -> Option<Timestamp> {
        if !self.is_finite() {
            return Some(self);
        }
        let unit = |us: i64| Some(Timestamp(self.0.div_euclid(us) * us));
        let civil = self.civil();
        let day = |year, month, day| Some(Timestamp(days_from_civil(year, month, day) * US_PER_DAY));
        match field {
            Field::Microseconds => Some(self),
            Field::Milliseconds => unit(1_000),
            Field::Second => unit(US_PER_SECOND),
            Field::Minute => unit(60 * US_PER_SECOND),
            Field::Hour => unit(US_PER_HOUR),
            Field::Day => unit(US_PER_DAY),
            Field::Week => {
                let days = self.split().0;
                Some(Timestamp((days - i64::from((day_of_week(days) + 6) % 7)) * US_PER_DAY))
            }
            Field::Month => day(civil.year, civil.month, 1),
            Field::Quarter => day(civil.year, (civil.month - 1) / 3 * 3 + 1, 1),
            Field::Year => day(civil.year, 1, 1),
            Field::Decade => day(civil.year.div_euclid(10) * 10, 1, 1),
            Field::Century => day((civil.year - 1).div_euclid(100) * 100 + 1, 1, 1),
            Field::Millennium => day((civil.year - 1).div_euclid(1000) * 1000 + 1, 1, 1),
            _ => None,
        }
    }
}

impl Timestamptz {
    /// `extract(field FROM timestamptz)` in a zone; `None` where the field has no meaning or the time no local form.
    pub(crate) fn extract(self, field: Field, zone: &TimeZone) -> Option<Numeric> {
        let offset = i64::from(zone.offset_at(self));
        match field {
            Field::Epoch => Some(epoch(self.0)),
            Field::Timezone => Some(Numeric::from(offset)),
            Field::TimezoneHour => Some(Numeric::from(offset / 3600)),
            Field::TimezoneMinute => Some(Numeric::from(offset / 60 % 60)),
            _ => local_field(field, zone.to_local(self)?),
        }
    }

    /// `date_trunc(field, timestamptz)` in a zone. Units of a day and above keep local midnight, smaller ones the offset.
    pub(crate) fn truncate(self, field: Field, zone: &TimeZone) -> Option<Timestamptz> {
        if !self.is_finite() {
            return Some(self);
        }
        let local = zone.to_local(self)?;
        let truncated = local.truncate(field)?;
        if field < Field::Day {
            return Some(Timestamptz(self.0 - (local.0 - truncated.0)));
        }
        zone.to_utc(truncated)
    }
}

impl Interval {
    /// `extract(field FROM interval)`; `None` for fields that intervals have not.
    pub(crate) fn extract(&self, field: Field) -> Option<Numeric> {
        let us_of_minute = self.us % (60 * US_PER_SECOND);
        let years = self.months / 12;
        let value = match field {
            Field::Microseconds => us_of_minute,
            Field::Milliseconds => return Some(Numeric::from_digits(us_of_minute, 3)),
            Field::Second => return Some(seconds(us_of_minute)),
            Field::Minute => self.us / (60 * US_PER_SECOND) % 60,
            Field::Hour => self.us / US_PER_HOUR,
            Field::Day => i64::from(self.days),
            Field::Month => i64::from(self.months % 12),
            Field::Quarter => i64::from(self.months % 12 / 3 + 1),
            Field::Year => i64::from(years),
            Field::Decade => i64::from(years / 10),
            Field::Century => i64::from(years / 100),
            Field::Millennium => i64::from(years / 1000),
            Field::Epoch => {
                // A year is 365.25 days here, a month of the rest 30.
                let days =
                    i128::from(years) * 1461 + i128::from(self.months % 12) * 120 + i128::from(self.days) * 4;
                let us = days * i128::from(US_PER_DAY / 4) + i128::from(self.us);
                return Some(Numeric::from_digits(us, 6));
            }
            _ => return None,
        };
        Some(Numeric::from(value))
    }

    /// `date_trunc(field, interval)`; `None` for a field that cannot be truncated to.
    pub(crate) fn truncate(&self, field: Field) -> Option<Interval> {
        let time = |unit: i64| Some(Interval { us: self.us / unit * unit, ..*self });
        let months = |unit: i32| Some(Interval { us: 0, days: 0, months: self.months / unit * unit });
        match field {
            Field::Microseconds => Some(*self),
            Field::Milliseconds => time(1_000),
            Field::Second => time(US_PER_SECOND),
            Field::Minute => time(60 * US_PER_SECOND),
            Field::Hour => time(US_PER_HOUR),
            Field::Day => Some(Interval { us: 0, ..*self }),
            Field::Month => months(1),
            Field::Quarter => months(3),
            Field::Year => months(12),
            Field::Decade => months(120),
            Field::Century => months(1_200),
            Field::Millennium => months(12_000),
            _ => None,
        }
    }
}

/// `extract(field FROM date)`: fields of a day; `None` for those of a clock.
pub(crate) fn extract_date(field: Field, days: i32) -> Option<Numeric> {
    let days = i64::from(days);
    match field {
        Field::Epoch => Some(Numeric::from((days + i64::from(UNIX_EPOCH_DAYS)) * 86_400)),
        Field::Julian => Some(Numeric::from(days + i64::from(EPOCH_JULIAN))),
        Field::Day | Field::Week | Field::Dow | Field::IsoDow | Field::Doy | Field::IsoYear => {
            calendar_field(field, days)
        }
        _ if field >= Field::Month && field <= Field::Millennium => calendar_field(field, days),
        _ => None,
    }
}

/// A field of a day beyond the range of timestamps too.
fn calendar_field(field: Field, days: i64) -> Option<Numeric> {
    let (year, month, day) = civil_from_days(days);
    // The same day of an equivalent year within the range of timestamps, for all but the fields of years.
    let civil = Civil { year, month, day, hour: 0, minute: 0, second: 0, us: 0 };
    if let Some(local) = civil.timestamp() {
        return local_field(field, local);
    }
    let value = match field {
        Field::Year => sql_year(year),
        Field::IsoYear => sql_year(iso_week(days).0),
        Field::Decade => i64::from(year.div_euclid(10)),
        Field::Century => age_of_year(year, 100),
        Field::Millennium => age_of_year(year, 1000),
        _ => {
            let civil = Civil { year: 2000 + year.rem_euclid(400), ..civil };
            return local_field(field, civil.timestamp().expect("a year of this millennium is in range"));
        }
    };
    Some(Numeric::from(value))
}
