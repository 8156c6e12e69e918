//! Interval output in the styles of `IntervalStyle`.
//!
//! Owns [`IntervalStyle`] and three of its forms (`EncodeInterval` of PostgreSQL 15); `format.rs` has the usual one. Read next: `interval.rs`,
//! which reads them all.

use std::fmt::Write;

use super::{Interval, US_PER_HOUR, US_PER_SECOND};

/// The session's `IntervalStyle`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IntervalStyle {
    /// `1 year 2 mons -3 days 04:05:06`.
    #[default]
    Postgres,
    /// `@ 1 year 2 mons -3 days 4 hours 5 mins 6 secs`.
    PostgresVerbose,
    /// `+1-2 -3 +4:05:06`.
    SqlStandard,
    /// `P1Y2M-3DT4H5M6S`.
    Iso8601,
}

impl IntervalStyle {
    /// A style by its name as a setting has it; the usual one for any other.
    pub fn from_name(name: &str) -> IntervalStyle {
        match name {
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            "iso_8601" => IntervalStyle::Iso8601,
            _ => IntervalStyle::Postgres,
        }
    }
}

/// The parts that are printed apart.
#[derive(Clone, Copy)]
struct Parts {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    /// Microseconds of the minute.
    us: i64,
}

impl Parts {
    fn of(interval: &Interval) -> Parts {
        Parts {
            years: (interval.months / 12).into(),
            months: (interval.months % 12).into(),
            days: interval.days.into(),
            hours: interval.us / US_PER_HOUR,
            minutes: interval.us / (60 * US_PER_SECOND) % 60,
            us: interval.us % (60 * US_PER_SECOND),
        }
    }

    fn all(&self) -> [i64; 6] {
        [self.years, self.months, self.days, self.hours, self.minutes, self.us]
    }

    fn absolute(&self) -> Parts {
        Parts {
            years: self.years.abs(),
            months: self.months.abs(),
            days: self.days.abs(),
            hours: self.hours.abs(),
            minutes: self.minutes.abs(),
            us: self.us.abs(),
        }
    }
}

/// Seconds with their fraction, without trailing zeros; `fill` up to two digits.
fn seconds(us: i64, fill: bool) -> String {
    let (whole, fraction) = (us.abs() / US_PER_SECOND, us.abs() % US_PER_SECOND);
    let whole = if fill { format!("{whole:02}") } else { whole.to_string() };
    match fraction {
        0 => whole,
        fraction => format!("{whole}.{}", format!("{fraction:06}").trim_end_matches('0')),
    }
}

impl Interval {
    /// Appends the text form in a style.
    pub fn write_styled(self, style: IntervalStyle, out: &mut Vec<u8>) {
        let text = match style {
            IntervalStyle::Postgres => return self.write(out),
            IntervalStyle::PostgresVerbose => verbose(&Parts::of(&self)),
            IntervalStyle::SqlStandard => standard(&Parts::of(&self)),
            IntervalStyle::Iso8601 => iso(&Parts::of(&self)),
        };
        out.extend_from_slice(text.as_bytes());
    }
}

fn standard(parts: &Parts) -> String {
    let has_negative = parts.all().iter().any(|&part| part < 0);
    let has_positive = parts.all().iter().any(|&part| part > 0);
    let has_months = parts.years != 0 || parts.months != 0;
    let has_time = parts.days != 0 || parts.hours != 0 || parts.minutes != 0 || parts.us != 0;
    if !has_negative && !has_positive {
        return "0".to_owned();
    }
    let Parts { years, months, days, hours, minutes, us } = parts.absolute();
    let clock = format!("{hours}:{minutes:02}:{}", seconds(us, true));
    if (has_negative && has_positive) || (has_months && has_time) {
        let sign = |is_negative: bool| if is_negative { '-' } else { '+' };
        return format!(
            "{}{years}-{months} {}{days} {}{clock}",
            sign(parts.years < 0 || parts.months < 0),
            sign(parts.days < 0),
            sign(parts.hours < 0 || parts.minutes < 0 || parts.us < 0),
        );
    }
    let sign = if has_negative { "-" } else { "" };
    match (has_months, days) {
        (true, _) => format!("{sign}{years}-{months}"),
        (false, 0) => format!("{sign}{clock}"),
        (false, days) => format!("{sign}{days} {clock}"),
    }
}

fn iso(parts: &Parts) -> String {
    if parts.all() == [0; 6] {
        return "PT0S".to_owned();
    }
    let mut out = String::from("P");
    let add = |out: &mut String, value: i64, letter: char| {
        if value != 0 {
            write!(out, "{value}{letter}").expect("into memory");
        }
    };
    add(&mut out, parts.years, 'Y');
    add(&mut out, parts.months, 'M');
    add(&mut out, parts.days, 'D');
    if parts.hours != 0 || parts.minutes != 0 || parts.us != 0 {
        out.push('T');
    }
    add(&mut out, parts.hours, 'H');
    add(&mut out, parts.minutes, 'M');
    if parts.us != 0 {
        let sign = if parts.us < 0 { "-" } else { "" };
        write!(out, "{sign}{}S", seconds(parts.us, false)).expect("into memory");
    }
    out
}

/// The first part says whether all is ago; the others show their signs against that.
fn verbose(parts: &Parts) -> String {
    let mut out = String::from("@");
    let (mut is_zero, mut is_before) = (true, false);
    let units = [
        (parts.years, "year"),
        (parts.months, "mon"),
        (parts.days, "day"),
        (parts.hours, "hour"),
        (parts.minutes, "min"),
    ];
    for (value, unit) in units.into_iter().filter(|(value, _)| *value != 0) {
        let shown = if is_zero {
            is_before = value < 0;
            value.abs()
        } else if is_before {
            -value
        } else {
            value
        };
        let plural = if shown == 1 { "" } else { "s" };
        write!(out, " {shown} {unit}{plural}").expect("into memory");
        is_zero = false;
    }
    if parts.us != 0 {
        let mut sign = "";
        if parts.us < 0 {
            if is_zero {
                is_before = true;
            } else if !is_before {
                sign = "-";
            }
        } else if is_before {
            sign = "-";
        }
        let plural = if parts.us.abs() == US_PER_SECOND { "" } else { "s" };
        write!(out, " {sign}{} sec{plural}", seconds(parts.us, false)).expect("into memory");
        is_zero = false;
    }
    out.push_str(if is_zero { " 0" } else { "" });
    out.push_str(if is_before { " ago" } else { "" });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles() {
        let interval = Interval { us: 4 * US_PER_HOUR + 6_500_000, days: -3, months: 14 };
        for (style, expected) in [
            (IntervalStyle::Postgres, "1 year 2 mons -3 days +04:00:06.5"),
            (IntervalStyle::PostgresVerbose, "@ 1 year 2 mons -3 days 4 hours 6.5 secs"),
            (IntervalStyle::SqlStandard, "+1-2 -3 +4:00:06.5"),
            (IntervalStyle::Iso8601, "P1Y2M-3DT4H6.5S"),
        ] {
            let mut out = Vec::new();
            interval.write_styled(style, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
