//! Adding, subtracting and scaling dates, timestamps and intervals.
//!
//! Owns the arithmetic with its range errors (22008). Months are added first, with the day held within the month, then
//! days, then microseconds; for `timestamptz` months and days count in the session's zone. Read next: `field.rs`.

use super::calendar::{Civil, civil_from_days, days_from_civil, days_in_month, timestamp_in_range};
use super::{Date, Interval, TimeZone, Timestamp, Timestamptz, US_PER_DAY};
use crate::error::{Result, SqlError, SqlState};

/// 22008 `<what> out of range`.
pub(crate) fn out_of_range(what: &str) -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range"))
}

impl Date {
    /// `date + integer`.
    pub fn add_days(self, days: i64) -> Result<Date> {
        if !self.is_finite() {
            return Ok(self);
        }
        Date::from_days(i64::from(self.0) + days).ok_or_else(|| out_of_range("date"))
    }

    /// `date - date`, in days.
    pub fn days_since(self, other: Date) -> Result<i32> {
        if !self.is_finite() || !other.is_finite() {
            let message = "cannot subtract infinite dates";
            return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
        }
        self.0.checked_sub(other.0).ok_or_else(|| out_of_range("date"))
    }

    /// Midnight of the day.
    pub fn to_timestamp(self) -> Result<Timestamp> {
        match self {
            Date::INFINITY => Ok(Timestamp::INFINITY),
            Date::NEGATIVE_INFINITY => Ok(Timestamp::NEGATIVE_INFINITY),
            Date(days) => {
                timestamp_in_range(i128::from(days) * i128::from(US_PER_DAY)).map(Timestamp).ok_or_else(
                    || SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range for timestamp"),
                )
            }
        }
    }

    /// A calendar day; 22008 `date field value out of range: Y-MM-DD` (`make_date`).
    pub fn from_civil(year: i32, month: i32, day: i32) -> Result<Date> {
        // Years before 1 are reported as they count here: 0 for 1 BC.
        let astronomical = if year < 0 && year != i32::MIN { year + 1 } else { year };
        let invalid = || {
            let message = format!("date field value out of range: {astronomical}-{month:02}-{day:02}");
            SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
        };
        if year == 0
            || year == i32::MIN
            || !(1..=12).contains(&month)
            || day < 1
            || day > days_in_month(astronomical, month)
        {
            return Err(invalid());
        }
        let out_of_range = || {
            let message = format!("date out of range: {year}-{month:02}-{day:02}");
            SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
        };
        Date::from_days(days_from_civil(astronomical, month, day)).ok_or_else(out_of_range)
    }
}

impl Timestamp {
    /// The day.
    pub fn to_date(self) -> Result<Date> {
        match self {
            Timestamp::INFINITY => Ok(Date::INFINITY),
            Timestamp::NEGATIVE_INFINITY => Ok(Date::NEGATIVE_INFINITY),
            _ => Date::from_days(self.split().0).ok_or_else(|| out_of_range("timestamp")),
        }
    }

    /// `timestamp + interval`.
    pub fn add_interval(self, interval: &Interval) -> Result<Timestamp> {
        if !self.is_finite() {
            return Ok(self);
        }
        let overflow = || out_of_range("timestamp");
        let moved = self.add_months_and_days(interval).ok_or_else(overflow)?;
        let us = i128::from(moved.0) + i128::from(interval.us);
        timestamp_in_range(us).map(Timestamp).ok_or_else(overflow)
    }

    /// Months with the day held within the month, then days; the time of day stays.
    fn add_months_and_days(self, interval: &Interval) -> Option<Timestamp> {
        let (mut days, us) = self.split();
        if interval.months != 0 {
            let (year, month, day) = civil_from_days(days);
            let months = i64::from(year) * 12 + i64::from(month - 1) + i64::from(interval.months);
            let year = i32::try_from(months.div_euclid(12)).ok()?;
            let month = i32::try_from(months.rem_euclid(12)).expect("below 12") + 1;
            days = days_from_civil(year, month, day.min(days_in_month(year, month)));
        }
        days += i64::from(interval.days);
        timestamp_in_range(i128::from(days) * i128::from(US_PER_DAY) + i128::from(us)).map(Timestamp)
    }

    /// `timestamp - timestamp`: days and time, no months.
    pub fn since(self, other: Timestamp) -> Result<Interval> {
        if !self.is_finite() || !other.is_finite() {
            let message = "cannot subtract infinite timestamps";
            return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
        }
        let us = self.0.checked_sub(other.0).ok_or_else(|| out_of_range("interval"))?;
        Interval { us, days: 0, months: 0 }.justify_hours()
    }

    /// Rounds to a number of fractional digits, as `timestamp(p)` does.
    pub fn round(self, precision: u32) -> Result<Timestamp> {
        if !self.is_finite() || precision >= 6 {
            return Ok(self);
        }
        let unit = 10i128.pow(6 - precision);
        let half = unit / 2;
        let us = i128::from(self.0);
        let us = if us >= 0 { (us + half) / unit * unit } else { -((-us + half) / unit * unit) };
        timestamp_in_range(us).map(Timestamp).ok_or_else(|| out_of_range("timestamp"))
    }
}

/// `age(timestamp, timestamp)`, of microseconds since 2000-01-01: years, months, days and time as one would count them on a calendar.
/// `infinity` is the instant that it is kept as, which has a place in PostgreSQL's calendar, and in a zone east of UTC one behind all
/// timestamps; `-infinity` has none.
pub(crate) fn age_between(us: i128, other: i128) -> Result<Interval> {
    let begin = i128::from(Timestamp::NEGATIVE_INFINITY.0);
    if us == begin || other == begin {
        return Err(out_of_range("timestamp"));
    }
    // Counted back from the later date: borrowed days are those of the earlier date's month.
    match us < other {
        true => age_fields(&fields_at(other), &fields_at(us)).negate(),
        false => Ok(age_fields(&fields_at(us), &fields_at(other))),
    }
}

/// A day's fields, and the time of that day.
fn fields_at(us: i128) -> (Civil, i64) {
    let day = i128::from(US_PER_DAY);
    let small = |value: i128| i64::try_from(value).expect("a timestamp and some hours");
    let (days, us) = (small(us.div_euclid(day)), small(us.rem_euclid(day)));
    (Civil::at(days, us), us)
}

fn age_fields((later, later_us): &(Civil, i64), (earlier, earlier_us): &(Civil, i64)) -> Interval {
    let mut us = later_us - earlier_us;
    let mut days = later.day - earlier.day;
    let mut months = (later.year - earlier.year) * 12 + later.month - earlier.month;
    if us < 0 {
        us += US_PER_DAY;
        days -= 1;
    }
    if days < 0 {
        days += days_in_month(earlier.year, earlier.month);
        months -= 1;
    }
    Interval { us, days, months }
}

impl Timestamptz {
    /// `timestamptz + interval` in the session's zone.
    pub fn add_interval(self, interval: &Interval, zone: &TimeZone) -> Result<Timestamptz> {
        if !self.is_finite() {
            return Ok(self);
        }
        let overflow = || out_of_range("timestamp");
        let moved = if interval.months == 0 && interval.days == 0 {
            self
        } else {
            let local = zone.to_local(self).ok_or_else(overflow)?;
            let local = local.add_months_and_days(interval).ok_or_else(overflow)?;
            zone.to_utc(local).ok_or_else(overflow)?
        };
        let us = i128::from(moved.0) + i128::from(interval.us);
        timestamp_in_range(us).map(Timestamptz).ok_or_else(overflow)
    }
}

impl Interval {
    /// The interval with all its parts' signs turned.
    pub fn negate(&self) -> Result<Interval> {
        let overflow = || out_of_range("interval");
        Ok(Interval {
            us: self.us.checked_neg().ok_or_else(overflow)?,
            days: self.days.checked_neg().ok_or_else(overflow)?,
            months: self.months.checked_neg().ok_or_else(overflow)?,
        })
    }

    /// Sum part by part.
    pub fn add(&self, other: &Interval) -> Result<Interval> {
        let overflow = || out_of_range("interval");
        Ok(Interval {
            us: self.us.checked_add(other.us).ok_or_else(overflow)?,
            days: self.days.checked_add(other.days).ok_or_else(overflow)?,
            months: self.months.checked_add(other.months).ok_or_else(overflow)?,
        })
    }

    /// Full days out of the microseconds (`justify_hours`).
    pub fn justify_hours(&self) -> Result<Interval> {
        let whole = i32::try_from(self.us / US_PER_DAY).map_err(|_| out_of_range("interval"))?;
        let mut days = self.days.checked_add(whole).ok_or_else(|| out_of_range("interval"))?;
        let mut us = self.us % US_PER_DAY;
        if days > 0 && us < 0 {
            us += US_PER_DAY;
            days -= 1;
        } else if days < 0 && us > 0 {
            us -= US_PER_DAY;
            days += 1;
        }
        Ok(Interval { us, days, months: self.months })
    }

    /// Full months out of the days (`justify_days`).
    pub fn justify_days(&self) -> Result<Interval> {
        let overflow = || out_of_range("interval");
        let mut months = self.months.checked_add(self.days / 30).ok_or_else(overflow)?;
        let mut days = self.days % 30;
        if months > 0 && days < 0 {
            days += 30;
            months -= 1;
        } else if months < 0 && days > 0 {
            days -= 30;
            months += 1;
        }
        Ok(Interval { us: self.us, days, months })
    }

    /// Full days and months, all parts of one sign (`justify_interval`).
    pub fn justify_interval(&self) -> Result<Interval> {
        let overflow = || out_of_range("interval");
        let span = self.span();
        let (day, month) = (i128::from(US_PER_DAY), i128::from(US_PER_DAY) * 30);
        Ok(Interval {
            us: i64::try_from(span % day).expect("less than a day"),
            days: i32::try_from(span % month / day).expect("less than a month"),
            months: i32::try_from(span / month).map_err(|_| overflow())?,
        })
    }

    /// `interval * factor`.
    pub fn multiply(&self, factor: f64) -> Result<Interval> {
        self.scaled(|value| value * factor)
    }

    /// `interval / divisor`. 22012 for zero.
    pub fn divide(&self, divisor: f64) -> Result<Interval> {
        if divisor == 0.0 {
            return Err(SqlError::division_by_zero());
        }
        self.scaled(|value| value / divisor)
    }

    /// Scales each part; what is left of months becomes days of a 30-day month, what is left of days becomes time.
    fn scaled(&self, scale: impl Fn(f64) -> f64) -> Result<Interval> {
        let overflow = || out_of_range("interval");
        // Floats drift: leftovers are rounded to the sixth digit before they are cut.
        let rounded = |value: f64| (value * 1e6).round_ties_even() / 1e6;
        let (scaled_months, scaled_days) = (scale(f64::from(self.months)), scale(f64::from(self.days)));
        let (months, days) = (whole(scaled_months)?, whole(scaled_days)?);
        let month_days = rounded((scaled_months - f64::from(months)) * 30.0);
        let part_days = scaled_days - f64::from(days) + month_days - month_days.trunc();
        let mut seconds = rounded(part_days * 86_400.0);
        let mut extra_days = whole(month_days)?;
        if seconds.abs() >= 86_400.0 {
            extra_days = extra_days.checked_add(whole(seconds / 86_400.0)?).ok_or_else(overflow)?;
            seconds %= 86_400.0;
        }
        let us = (scale(self.us as f64) + seconds * 1e6).round_ties_even();
        if us.is_nan() || us < i64::MIN as f64 || us >= i64::MAX as f64 {
            return Err(overflow());
        }
        let days = days.checked_add(extra_days).ok_or_else(overflow)?;
        #[expect(clippy::cast_possible_truncation, reason = "just checked to fit")]
        Ok(Interval { us: us as i64, days, months })
    }
}

/// The whole part of a float as an `i32`.
fn whole(value: f64) -> Result<i32> {
    let value = value.trunc();
    if value.is_nan() || value < f64::from(i32::MIN) || value > f64::from(i32::MAX) {
        return Err(out_of_range("interval"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "just checked to fit")]
    Ok(value as i32)
}
