//! Reading intervals: `1 year 2 mons -3 days 04:05:06.789`, `1-2`, `P1Y2M3DT4H5M6S`, `3 weeks ago`.
//!
//! Owns the input of type `interval` with `IntervalStyle postgres`. A fraction of a unit spills into the smaller ones.
//! Read next: `format.rs` for the way back.

use super::parse::{fraction_us, syntax_error};
use super::token::{Token, tokens};
use super::{Interval, US_PER_DAY, US_PER_HOUR, US_PER_SECOND};
use crate::error::{Result, SqlError, SqlState};
use crate::types::{Typmod, interval_fields as fields};

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

fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecond" | "microseconds" | "microsecon" => {
            Unit::Microsecond
        }
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecond" | "milliseconds" | "millisecon" => {
            Unit::Millisecond
        }
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

/// A sign, whole digits and a fraction.
#[derive(Clone)]
struct Amount {
    negative: bool,
    whole: i64,
    fraction: f64,
}

impl Amount {
    fn parse(text: &str) -> Result<Amount, Fault> {
        let negative = text.starts_with('-');
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let digits_only = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !digits_only(whole) || !digits_only(fraction) {
            return Err(Fault::Syntax);
        }
        let whole = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| Fault::Range)? };
        let fraction = format!("0.{fraction}").parse().map_err(|_| Fault::Syntax)?;
        Ok(Amount { negative, whole, fraction })
    }

    fn signed(&self) -> (i64, f64) {
        if self.negative { (-self.whole, -self.fraction) } else { (self.whole, self.fraction) }
    }
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

    fn add(&mut self, amount: &Amount, unit: Unit) -> Result<(), Fault> {
        if self.seen.contains(&unit) {
            return Err(Fault::Syntax);
        }
        self.seen.push(unit);
        let (whole, fraction) = amount.signed();
        if unit == Unit::Second && fraction != 0.0 {
            // A fraction of a second takes the place of the smaller units.
            if self.seen.iter().any(|unit| matches!(unit, Unit::Millisecond | Unit::Microsecond)) {
                return Err(Fault::Syntax);
            }
            self.seen.extend([Unit::Millisecond, Unit::Microsecond]);
        }
        self.add_signed(whole, fraction, unit)
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

    /// `H:MM[:SS[.f]]`, or `M:SS.f` where the second field has a fraction.
    fn clock(&mut self, text: &str, negative: bool) -> Result<(), Fault> {
        let parts: Vec<&str> = text.split(':').collect();
        let (hours, minutes, seconds) = match *parts.as_slice() {
            [minutes, seconds] if seconds.contains('.') || self.is_minutes => ("0", minutes, seconds),
            [hours, minutes] => (hours, minutes, "0"),
            [hours, minutes, seconds] => (hours, minutes, seconds),
            _ => return Err(Fault::Syntax),
        };
        let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
        let number = |text: &str| -> Result<i64, Fault> {
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Fault::Syntax);
            }
            text.parse().map_err(|_| Fault::Range)
        };
        let (hours, minutes, seconds) = (number(hours)?, number(minutes)?, number(seconds)?);
        let us = i64::from(fraction_us(fraction).ok_or(Fault::Syntax)?);
        if minutes > 59
            || seconds > 60
            || [Unit::Hour, Unit::Minute, Unit::Second].iter().any(|u| self.seen.contains(u))
        {
            return Err(if minutes > 59 || seconds > 60 { Fault::Range } else { Fault::Syntax });
        }
        self.seen.extend([Unit::Hour, Unit::Minute, Unit::Second]);
        let sign = if negative { -1 } else { 1 };
        self.add_us(sign * hours, US_PER_HOUR)?;
        self.add_us(sign * minutes, 60 * US_PER_SECOND)?;
        self.add_us(sign * seconds, US_PER_SECOND)?;
        self.add_us(sign * us, 1)
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

fn parse_words(text: &str, of: i32) -> Result<Interval, Fault> {
    let mut tokens = tokens(text).ok_or(Fault::Syntax)?;
    let ago = tokens.last() == Some(&Token::Word("ago".to_owned()));
    if ago {
        tokens.pop();
    }
    // A name is met before what is in front of it.
    let is_name = |token: &Token| matches!(token, Token::Date(text) if text.starts_with(|first: char| first.is_ascii_lowercase()));
    if tokens.is_empty() || tokens.iter().any(is_name) {
        return Err(Fault::Syntax);
    }
    let mut builder = Builder { is_minutes: of == fields::MINUTE | fields::SECOND, ..Builder::default() };
    let last = unit_of(of);
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            Token::Time(text) => builder.clock(&text, false)?,
            Token::Signed(text) if text.contains(':') => builder.clock(&text[1..], text.starts_with('-'))?,
            Token::Date(text) => years_and_months(&mut builder, &text, false)?,
            Token::Signed(text) if text[1..].contains('-') => {
                years_and_months(&mut builder, &text[1..], text.starts_with('-'))?;
            }
            Token::Number(text) | Token::Signed(text) => {
                let amount = Amount::parse(&text)?;
                let unit = match tokens.peek() {
                    Some(Token::Word(word)) => {
                        let unit = unit(word).ok_or(Fault::Syntax)?;
                        tokens.next();
                        unit
                    }
                    // A bare number before a time counts days, otherwise seconds.
                    Some(Token::Time(_)) => Unit::Day,
                    Some(Token::Signed(text)) if text.contains(':') => Unit::Day,
                    // Or before a number of hours.
                    Some(Token::Number(_) | Token::Signed(_)) if last == Unit::Hour => Unit::Day,
                    _ => last,
                };
                builder.add(&amount, unit)?;
            }
            Token::Word(_) => return Err(Fault::Syntax),
        }
    }
    let interval = builder.finish()?;
    if !ago {
        return Ok(interval);
    }
    Ok(Interval {
        us: interval.us.checked_neg().ok_or(Fault::Range)?,
        days: interval.days.checked_neg().ok_or(Fault::Range)?,
        months: interval.months.checked_neg().ok_or(Fault::Range)?,
    })
}

/// SQL's `1-2`: a year and two months.
fn years_and_months(builder: &mut Builder, text: &str, negative: bool) -> Result<(), Fault> {
    let (years, months) = text.split_once('-').ok_or(Fault::Syntax)?;
    let years = Amount { negative, ..Amount::parse(years)? };
    // What is no month is that before what stands behind it is looked at.
    let end = months.find(|c: char| !c.is_ascii_digit()).unwrap_or(months.len());
    let (months, behind) = months.split_at(end);
    let months = Amount { negative, ..Amount::parse(months)? };
    if months.whole > 11 {
        return Err(Fault::Range);
    }
    if !behind.is_empty() {
        return Err(Fault::Syntax);
    }
    builder.add(&years, Unit::Year)?;
    builder.add(&months, Unit::Month)
}
