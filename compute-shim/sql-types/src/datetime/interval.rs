//! Reading intervals: `1 year 2 mons -3 days 04:05:06.789`, `1-2`, `P1Y2M3DT4H5M6S`, `3 weeks ago`.
//!
//! Owns the input of type `interval` with `IntervalStyle postgres`. A fraction of a unit spills into the smaller ones.
//! Read next: `format.rs` for the way back.

use super::parse::{fraction_us, syntax_error};
use super::token::{Token, tokens};
use super::{Interval, US_PER_DAY, US_PER_HOUR, US_PER_SECOND};
use crate::error::{Result, SqlError, SqlState};
use crate::types::{Typmod, interval_fields as fields};

/// What a time gives, and what a fraction of a second takes.
const SECONDS: [Unit; 3] = [Unit::Second, Unit::Millisecond, Unit::Microsecond];

/// What went wrong; the message needs the whole text.
pub(super) enum Fault {
    Syntax,
    /// A field is beyond its range.
    Range,
    /// All of them together are.
    Total,
}

/// The units, each once in a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Decade,
    Century,
    Millennium,
}

/// PostgreSQL looks at the first ten letters of a word.
fn unit(word: &str) -> Option<Unit> {
    Some(match &word[..word.len().min(10)] {
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecon" => Unit::Microsecond,
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecon" => Unit::Millisecond,
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Second,
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Minute,
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Hour,
        "d" | "day" | "days" => Unit::Day,
        "w" | "week" | "weeks" => Unit::Week,
        "mon" | "mons" | "month" | "months" => Unit::Month,
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Year,
        "dec" | "decs" | "decade" | "decades" => Unit::Decade,
        "c" | "cent" | "century" | "centuries" => Unit::Century,
        "mil" | "mils" | "millennium" | "millennia" => Unit::Millennium,
        _ => return None,
    })
}

/// C's `strtol`: a number in front and what is behind it. Without a number it is 0, and all of the text is behind it.
fn leading(text: &str) -> Result<(i64, &str), Fault> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 {
        return Ok((0, text));
    }
    let (number, behind) = text.split_at(text.len() - digits.len() + count);
    Ok((number.parse().map_err(|_| Fault::Range)?, behind))
}

/// The same of what PostgreSQL keeps in an `int`.
fn leading_int(text: &str) -> Result<(i64, &str), Fault> {
    let (number, behind) = leading(text)?;
    if i32::try_from(number).is_err() { Err(Fault::Range) } else { Ok((number, behind)) }
}

/// The sum so far.
#[derive(Default)]
pub(super) struct Builder {
    years: i32,
    months: i32,
    days: i32,
    us: i64,
    seen: Vec<Unit>,
    /// A time of two fields is one of minutes and seconds.
    is_minutes: bool,
}

impl Builder {
    fn add_us(&mut self, count: i64, unit: i64) -> Result<(), Fault> {
        let us = count.checked_mul(unit).and_then(|us| self.us.checked_add(us));
        self.us = us.ok_or(Fault::Range)?;
        Ok(())
    }

    /// A part of `unit` microseconds, rounded to one; halves are rounded towards zero.
    pub(super) fn add_us_fraction(&mut self, fraction: f64, unit: i64) -> Result<(), Fault> {
        #[expect(clippy::cast_possible_truncation, reason = "a fraction of a unit of at most a day")]
        let us = {
            let exact = fraction * unit as f64;
            let rest = exact - exact.trunc();
            exact.trunc() as i64 + i64::from(rest > 0.5) - i64::from(rest < -0.5)
        };
        self.add_us(us, 1)
    }

    fn add_days(&mut self, count: i64, fraction: f64) -> Result<(), Fault> {
        add_to(&mut self.days, count)?;
        self.add_us_fraction(fraction, US_PER_DAY)
    }

    /// A part of a unit of `days` days: whole days and then microseconds.
    fn add_days_fraction(&mut self, fraction: f64, days: f64) -> Result<(), Fault> {
        let total = fraction * days;
        #[expect(clippy::cast_possible_truncation, reason = "at most a month of days")]
        let whole = total.trunc() as i64;
        self.add_days(whole, total - total.trunc())
    }

    fn add_years(&mut self, count: i64, fraction: f64, years: i32) -> Result<(), Fault> {
        add_to(&mut self.years, count.checked_mul(i64::from(years)).ok_or(Fault::Range)?)?;
        #[expect(clippy::cast_possible_truncation, reason = "a fraction of at most 12,000 months")]
        let part = (fraction * f64::from(years) * 12.0).round_ties_even() as i64;
        add_to(&mut self.months, part)
    }

    fn add(&mut self, whole: i64, fraction: f64, unit: Unit) -> Result<(), Fault> {
        self.add_signed(whole, fraction, unit)?;
        match unit {
            // A fraction of a second takes the place of the smaller units.
            Unit::Second if fraction != 0.0 => self.see(&SECONDS),
            _ => self.see(&[unit]),
        }
    }

    /// Every unit comes once.
    fn see(&mut self, units: &[Unit]) -> Result<(), Fault> {
        if units.iter().any(|unit| self.seen.contains(unit)) {
            return Err(Fault::Syntax);
        }
        self.seen.extend(units);
        Ok(())
    }

    /// So many of a unit, whether or not there were some of it.
    pub(super) fn add_signed(&mut self, whole: i64, fraction: f64, unit: Unit) -> Result<(), Fault> {
        let time = |builder: &mut Builder, us: i64| {
            builder.add_us(whole, us)?;
            builder.add_us_fraction(fraction, us)
        };
        match unit {
            Unit::Microsecond => time(self, 1),
            Unit::Millisecond => time(self, 1_000),
            Unit::Second => time(self, US_PER_SECOND),
            Unit::Minute => time(self, 60 * US_PER_SECOND),
            Unit::Hour => time(self, US_PER_HOUR),
            Unit::Day => self.add_days(whole, fraction),
            Unit::Week => {
                self.add_days(whole.checked_mul(7).ok_or(Fault::Range)?, 0.0)?;
                self.add_days_fraction(fraction, 7.0)
            }
            Unit::Month => {
                add_to(&mut self.months, whole)?;
                self.add_days_fraction(fraction, 30.0)
            }
            Unit::Year => self.add_years(whole, fraction, 1),
            Unit::Decade => self.add_years(whole, fraction, 10),
            Unit::Century => self.add_years(whole, fraction, 100),
            Unit::Millennium => self.add_years(whole, fraction, 1000),
        }
    }

    /// `H:MM[:SS[.f]]`, or `M:SS.f` where the second field has a fraction; what is missing between colons is 0. It takes the
    /// place of what fractions of days and months came to, as in PostgreSQL.
    fn clock(&mut self, text: &str, negative: bool) -> Result<(), Fault> {
        let (first, behind) = leading(text)?;
        let (second, behind) = leading_int(behind.strip_prefix(':').ok_or(Fault::Syntax)?)?;
        let is_minutes = behind.starts_with('.') || (behind.is_empty() && self.is_minutes);
        let (third, behind) = match behind.strip_prefix(':') {
            Some(seconds) => leading_int(seconds)?,
            None => (0, behind),
        };
        let us = match behind.strip_prefix('.') {
            Some(fraction) => i64::from(fraction_us(fraction).ok_or(Fault::Syntax)?),
            None if behind.is_empty() => 0,
            None => return Err(Fault::Syntax),
        };
        let (hours, minutes, seconds) = if is_minutes { (0, first, second) } else { (first, second, third) };
        if hours < 0 || !(0..=59).contains(&minutes) || !(0..=60).contains(&seconds) {
            return Err(Fault::Range);
        }
        self.us = us;
        self.add_us(hours, US_PER_HOUR)?;
        self.add_us(minutes, 60 * US_PER_SECOND)?;
        self.add_us(seconds, US_PER_SECOND)?;
        self.us = if negative { -self.us } else { self.us };
        self.see(&[Unit::Hour, Unit::Minute])?;
        self.see(&SECONDS)
    }

    /// A number of a unit, or SQL's `1-2`, a year and two months. It answers what a number in front of it counts.
    fn number(&mut self, text: &str, unit: Option<Unit>) -> Result<Option<Unit>, Fault> {
        let (whole, behind) = leading(text)?;
        let negative = text.starts_with('-');
        if let Some(months) = behind.strip_prefix('-') {
            let (months, behind) = leading_int(months)?;
            if !(0..12).contains(&months) {
                return Err(Fault::Range);
            }
            if !behind.is_empty() {
                return Err(Fault::Syntax);
            }
            let months = if negative { -months } else { months };
            let months = whole.checked_mul(12).and_then(|years| years.checked_add(months));
            self.add(months.ok_or(Fault::Range)?, 0.0, Unit::Month)?;
            return Ok(Some(Unit::Month));
        }
        let fraction: f64 = match behind.strip_prefix('.') {
            None if behind.is_empty() => 0.0,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                format!("0.{digits}").parse().map_err(|_| Fault::Syntax)?
            }
            _ => return Err(Fault::Syntax),
        };
        let unit = unit.ok_or(Fault::Syntax)?;
        self.add(whole, if negative { -fraction } else { fraction }, unit)?;
        Ok(Some(if unit == Unit::Hour { Unit::Day } else { unit }))
    }

    /// All of it with the other sign.
    fn negate(&mut self) -> Result<(), Fault> {
        self.us = self.us.checked_neg().ok_or(Fault::Range)?;
        for field in [&mut self.days, &mut self.months, &mut self.years] {
            *field = field.checked_neg().ok_or(Fault::Range)?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Interval, Fault> {
        let months = i64::from(self.years) * 12 + i64::from(self.months);
        let months = i32::try_from(months).map_err(|_| Fault::Total)?;
        Ok(Interval { us: self.us, days: self.days, months })
    }
}

fn add_to(field: &mut i32, count: i64) -> Result<(), Fault> {
    let sum = i64::from(*field).checked_add(count).and_then(|sum| i32::try_from(sum).ok());
    *field = sum.ok_or(Fault::Range)?;
    Ok(())
}

impl Interval {
    /// Reads the input of type `interval`.
    pub fn parse(text: &str) -> Result<Interval> {
        Interval::parse_as(text, Typmod::NONE)
    }

    /// Reads the input of an `interval` of some fields: a last number without a unit counts the last of them.
    pub fn parse_as(text: &str, typmod: Typmod) -> Result<Interval> {
        let fields = typmod.interval_fields().unwrap_or(fields::FULL_RANGE);
        let result = match text.starts_with('P') {
            true => super::interval_iso::parse(text),
            false => parse_words(text, fields),
        };
        result.map_err(|fault| match fault {
            Fault::Syntax => syntax_error("interval", text),
            Fault::Range => {
                let message = format!("interval field value out of range: \"{text}\"");
                SqlError::new(SqlState::INTERVAL_FIELD_OVERFLOW, message)
            }
            Fault::Total => SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"),
        })
    }
}

impl Interval {
    /// Without what is below the fields of a modifier, and rounded to its precision. 22008.
    pub fn as_of(self, typmod: Typmod) -> Result<Interval> {
        let cut = |us: i64, unit: i64| us - us % unit;
        let mut kept = self;
        match typmod.interval_fields() {
            None => {}
            Some(of) if of == fields::YEAR => {
                kept = Interval { us: 0, days: 0, months: self.months - self.months % 12 };
            }
            Some(of) if of & !(fields::YEAR | fields::MONTH) == 0 => {
                kept = Interval { us: 0, days: 0, ..self };
            }
            Some(of) if of == fields::DAY => kept.us = 0,
            Some(of) if of & fields::SECOND != 0 => {}
            Some(of) if of & fields::MINUTE != 0 => kept.us = cut(self.us, 60 * US_PER_SECOND),
            Some(_) => kept.us = cut(self.us, US_PER_HOUR),
        }
        let Some(precision) = typmod.interval_precision().filter(|precision| *precision < 6) else {
            return Ok(kept);
        };
        let scale = 10i64.pow(6 - precision);
        let half = if kept.us < 0 { -(scale / 2) } else { scale / 2 };
        let raised = kept
            .us
            .checked_add(half)
            .ok_or_else(|| SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"))?;
        kept.us = cut(raised, scale);
        Ok(kept)
    }
}

/// What a number without a unit counts in an interval of these fields.
fn unit_of(of: i32) -> Unit {
    match of {
        fields::YEAR => Unit::Year,
        _ if of == fields::MONTH || of == fields::YEAR | fields::MONTH => Unit::Month,
        fields::DAY => Unit::Day,
        _ if of == fields::FULL_RANGE || of & fields::SECOND != 0 => Unit::Second,
        _ if of & fields::MINUTE != 0 => Unit::Minute,
        _ => Unit::Hour,
    }
}

/// Reads the fields from the last one to the first, as PostgreSQL does: a unit counts for the numbers in front of it until
/// another one comes, and in front of hours and of a time there are days.
fn parse_words(text: &str, of: i32) -> Result<Interval, Fault> {
    let mut builder = Builder { is_minutes: of == fields::MINUTE | fields::SECOND, ..Builder::default() };
    let (mut next, mut ago) = (Some(unit_of(of)), false);
    for token in tokens(text).ok_or(Fault::Syntax)?.iter().rev() {
        next = match token {
            Token::Time(text) => {
                builder.clock(text, false)?;
                Some(Unit::Day)
            }
            // What is no time is read as a number, and its colon is a fault.
            Token::Signed(text)
                if text.contains(':') && builder.clock(&text[1..], text.starts_with('-')).is_ok() =>
            {
                Some(Unit::Day)
            }
            Token::Number(text) | Token::Signed(text) | Token::Date(text) => builder.number(text, next)?,
            Token::Word(word) if word == "ago" => {
                ago = true;
                None
            }
            Token::Word(word) => Some(unit(word).ok_or(Fault::Syntax)?),
        };
    }
    // Units alone are nothing.
    if builder.seen.is_empty() {
        return Err(Fault::Syntax);
    }
    if ago {
        builder.negate()?;
    }
    builder.finish()
}
