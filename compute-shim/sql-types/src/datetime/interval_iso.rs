//! Intervals as ISO 8601 writes them: `P1Y2M3DT4H5M6S`, and with places for units, `P0001-02-03T04:05:06` and
//! `P00010203T040506`.
//!
//! Owns the walk over such a text. Every number may have a sign of its own, and PostgreSQL takes what a floating-point number
//! takes: a fraction, an exponent. Units may come again and in any order. Read next: `interval.rs`, whose sums it fills.

use super::Interval;
use super::interval::{Builder, Fault, Unit};

/// Numbers beyond this are not looked at.
const NUMBERS_MAX: f64 = 1e15;

/// Reads a text that begins with `P`.
pub(super) fn parse(text: &str) -> Result<Interval, Fault> {
    let mut walk = Walk { rest: text.strip_prefix('P').ok_or(Fault::Syntax)?, sum: Builder::default() };
    if walk.rest.is_empty() {
        return Err(Fault::Syntax);
    }
    walk.run()?;
    walk.sum.finish()
}

/// A number as it is written.
struct Number<'a> {
    text: &'a str,
    whole: i64,
    fraction: f64,
}

impl Number<'_> {
    /// Of the basic form: its digits before the point are so many that they are all fields at once.
    fn has_digits(&self, count: usize) -> bool {
        let text = self.text.strip_prefix('-').unwrap_or(self.text);
        text.bytes().take_while(u8::is_ascii_digit).count() == count
    }
}

struct Walk<'a> {
    rest: &'a str,
    sum: Builder,
}

impl<'a> Walk<'a> {
    fn run(&mut self) -> Result<(), Fault> {
        let mut is_time = false;
        // What is written by places stands first in its part.
        let mut is_first = true;
        while !self.rest.is_empty() {
            if self.take('T') {
                (is_time, is_first) = (true, true);
                continue;
            }
            let number = self.number()?;
            let unit = self.rest.chars().next();
            let unit_of_letter = match (unit, is_time) {
                (Some('Y'), false) => Some(Unit::Year),
                (Some('M'), false) => Some(Unit::Month),
                (Some('W'), false) => Some(Unit::Week),
                (Some('D'), false) => Some(Unit::Day),
                (Some('H'), true) => Some(Unit::Hour),
                (Some('M'), true) => Some(Unit::Minute),
                (Some('S'), true) => Some(Unit::Second),
                _ => None,
            };
            if let Some(unit) = unit_of_letter {
                self.rest = &self.rest[1..];
                self.add(&number, unit)?;
                is_first = false;
                continue;
            }
            if !is_first {
                return Err(Fault::Syntax);
            }
            match is_time {
                false => self.date_by_places(&number)?,
                true => self.time_by_places(&number)?,
            }
            if is_time && !self.rest.is_empty() || !self.rest.is_empty() && !self.rest.starts_with('T') {
                return Err(Fault::Syntax);
            }
        }
        Ok(())
    }

    /// `00010203` or `0001-02-03`, of which the end may be missing.
    fn date_by_places(&mut self, first: &Number<'a>) -> Result<(), Fault> {
        if first.has_digits(8) && !self.rest.starts_with('-') {
            let (whole, none) = (first.whole, 0.0);
            self.sum.add_signed(whole / 10_000, none, Unit::Year)?;
            self.sum.add_signed(whole / 100 % 100, none, Unit::Month)?;
            return self.sum.add_signed(whole % 100, first.fraction, Unit::Day);
        }
        self.add(first, Unit::Year)?;
        self.further('-', [Unit::Month, Unit::Day])
    }

    /// `040506` or `04:05:06`, likewise. A fraction of the former counts as one of a
    /// microsecond, as in PostgreSQL.
    fn time_by_places(&mut self, first: &Number<'a>) -> Result<(), Fault> {
        if first.has_digits(6) && !self.rest.starts_with(':') {
            let (whole, none) = (first.whole, 0.0);
            self.sum.add_signed(whole / 10_000, none, Unit::Hour)?;
            self.sum.add_signed(whole / 100 % 100, none, Unit::Minute)?;
            self.sum.add_signed(whole % 100, none, Unit::Second)?;
            return self.sum.add_us_fraction(first.fraction, 1);
        }
        self.add(first, Unit::Hour)?;
        self.further(':', [Unit::Minute, Unit::Second])
    }

    fn further(&mut self, separator: char, units: [Unit; 2]) -> Result<(), Fault> {
        for unit in units {
            if !self.take(separator) {
                break;
            }
            let number = self.number()?;
            self.add(&number, unit)?;
        }
        Ok(())
    }

    fn add(&mut self, number: &Number<'_>, unit: Unit) -> Result<(), Fault> {
        self.sum.add_signed(number.whole, number.fraction, unit)
    }

    fn take(&mut self, character: char) -> bool {
        match self.rest.strip_prefix(character) {
            Some(behind) => {
                self.rest = behind;
                true
            }
            None => false,
        }
    }

    /// Digits with a minus, a point and an exponent; a plus begins none.
    fn number(&mut self) -> Result<Number<'a>, Fault> {
        let bytes = self.rest.as_bytes();
        let digits_from =
            |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let start = usize::from(bytes.first() == Some(&b'-'));
        let mut end = digits_from(start);
        if bytes.get(end) == Some(&b'.') {
            end = digits_from(end + 1);
        }
        if !bytes[start..end].iter().any(u8::is_ascii_digit) {
            return Err(Fault::Syntax);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = end + 1 + sign;
            end = if digits_from(exponent.min(bytes.len())) > exponent { digits_from(exponent) } else { end };
        }
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        let value: f64 = text.parse().map_err(|_| Fault::Syntax)?;
        if value.abs() > NUMBERS_MAX {
            return Err(Fault::Range);
        }
        #[expect(clippy::cast_possible_truncation, reason = "within NUMBERS_MAX")]
        let whole = value.trunc() as i64;
        Ok(Number { text, whole, fraction: value - value.trunc() })
    }
}
