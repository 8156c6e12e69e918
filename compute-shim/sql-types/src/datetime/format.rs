//! Printing dates, timestamps and intervals in PostgreSQL's `ISO` and `postgres` styles.
//!
//! Owns the output text only; fractions lose their trailing zeros, years before 1 get `BC`. Read next: `parse.rs`.

use std::io::Write;

use super::calendar::{Civil, civil_from_days};
use super::{Date, Interval, TimeZone, Timestamp, Timestamptz, US_PER_HOUR, US_PER_SECOND};

/// Writing into memory does not fail.
const MEMORY: &str = "writing into memory cannot fail";

fn write_infinity(positive: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if positive { b"infinity" } else { b"-infinity" });
}

fn write_two(value: i32, out: &mut Vec<u8>) {
    let value = u8::try_from(value).expect("fields of a date are below 100");
    assert!(value < 100, "two digits");
    out.extend_from_slice(&[b'0' + value / 10, b'0' + value % 10]);
}

/// `YYYY-MM-DD` and whether the year is before 1.
fn write_date(year: i32, month: i32, day: i32, out: &mut Vec<u8>) -> bool {
    let shown = if year > 0 { year } else { 1 - year };
    write!(out, "{shown:04}").expect(MEMORY);
    out.push(b'-');
    write_two(month, out);
    out.push(b'-');
    write_two(day, out);
    year <= 0
}

/// `.ffffff` without trailing zeros, nothing for zero.
fn write_fraction(us: u32, out: &mut Vec<u8>) {
    assert!(us < 1_000_000, "a fraction of a second");
    if us == 0 {
        return;
    }
    write!(out, ".{us:06}").expect(MEMORY);
    while out.last() == Some(&b'0') {
        out.pop();
    }
}

fn write_civil(civil: &Civil, out: &mut Vec<u8>) -> bool {
    let before_christ = write_date(civil.year, civil.month, civil.day, out);
    out.push(b' ');
    write_two(civil.hour, out);
    out.push(b':');
    write_two(civil.minute, out);
    out.push(b':');
    write_two(civil.second, out);
    write_fraction(civil.us.unsigned_abs(), out);
    before_christ
}

/// `HH:MM:SS[.ffffff]` of microseconds since midnight.
pub(super) fn write_clock(us: i64, out: &mut Vec<u8>) {
    let small = |value: i64| i32::try_from(value).expect("fields of a day are small");
    write_two(small(us / US_PER_HOUR), out);
    out.push(b':');
    write_two(small(us / (60 * US_PER_SECOND) % 60), out);
    out.push(b':');
    write_two(small(us / US_PER_SECOND % 60), out);
    write_fraction(small(us % US_PER_SECOND).unsigned_abs(), out);
}

impl Date {
    /// Appends the text form.
    pub fn write(self, out: &mut Vec<u8>) {
        if !self.is_finite() {
            return write_infinity(self == Date::INFINITY, out);
        }
        let (year, month, day) = civil_from_days(i64::from(self.0));
        if write_date(year, month, day, out) {
            out.extend_from_slice(b" BC");
        }
    }
}

impl Timestamp {
    /// Appends the text form.
    pub fn write(self, out: &mut Vec<u8>) {
        if !self.is_finite() {
            return write_infinity(self == Timestamp::INFINITY, out);
        }
        if write_civil(&self.civil(), out) {
            out.extend_from_slice(b" BC");
        }
    }
}

impl Timestamptz {
    /// Appends the text form in a time zone.
    pub fn write(self, zone: &TimeZone, out: &mut Vec<u8>) {
        if !self.is_finite() {
            return write_infinity(self == Timestamptz::INFINITY, out);
        }
        let offset = zone.offset_at(self);
        let before_christ = write_civil(&Timestamp(self.0 + i64::from(offset) * US_PER_SECOND).civil(), out);
        write_offset(offset, out);
        if before_christ {
            out.extend_from_slice(b" BC");
        }
    }
}

/// `+HH` or `+HHH`, with minutes and seconds where they are not zero.
pub(super) fn write_offset(offset: i32, out: &mut Vec<u8>) {
    out.push(if offset < 0 { b'-' } else { b'+' });
    let offset = i64::from(offset).abs();
    let small = |part: i64| i32::try_from(part).expect("below sixty");
    // Zones go as far as a week.
    write!(out, "{:02}", offset / 3600).expect(MEMORY);
    if offset % 3600 != 0 {
        out.push(b':');
        write_two(small(offset / 60 % 60), out);
    }
    if offset % 60 != 0 {
        out.push(b':');
        write_two(small(offset % 60), out);
    }
}

impl Interval {
    /// Appends the text form (`IntervalStyle postgres`).
    pub fn write(self, out: &mut Vec<u8>) {
        let mut parts = IntervalWriter { out, empty: true, negative: false };
        parts.unit(self.months / 12, "year");
        parts.unit(self.months % 12, "mon");
        parts.unit(self.days, "day");
        let IntervalWriter { out, empty, negative } = parts;
        if self.us == 0 && !empty {
            return;
        }
        if !empty {
            out.push(b' ');
        }
        if self.us < 0 {
            out.push(b'-');
        } else if negative {
            out.push(b'+');
        }
        let us = self.us.unsigned_abs();
        let second = US_PER_SECOND.unsigned_abs();
        let hours = us / US_PER_HOUR.unsigned_abs();
        write!(out, "{hours:02}:{:02}:{:02}", us / (60 * second) % 60, us / second % 60).expect(MEMORY);
        write_fraction(u32::try_from(us % second).expect("below a million"), out);
    }
}

/// Writes the counted units; after a negative one a positive one shows its sign.
struct IntervalWriter<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
    negative: bool,
}

impl IntervalWriter<'_> {
    fn unit(&mut self, value: i32, name: &str) {
        if value == 0 {
            return;
        }
        let space = if self.empty { "" } else { " " };
        let plus = if self.negative && value > 0 { "+" } else { "" };
        let plural = if value == 1 { "" } else { "s" };
        write!(self.out, "{space}{plus}{value} {name}{plural}").expect(MEMORY);
        self.negative = value < 0;
        self.empty = false;
    }
}
