//! `to_char` of timestamps and intervals: a template's patterns filled in.
//!
//! Owns the patterns of PostgreSQL 15, section 9.8, as far as they print times. Read next: `from_char.rs`, which reads by them, and
//! `number_format.rs` for those of numbers.

use super::str_at;
use crate::datetime::{EPOCH_JULIAN, Timestamp, day_of_week, days_from_civil, iso_week};
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use std::fmt::Write;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// Patterns as they may be written; where one begins with another the longer comes first. Those in both cases mean the same
/// in both, but for the names that are told apart by case.
const PATTERNS: &[&str] = &[
    "A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "CC", "DAY", "DDD", "DD", "DY", "Day", "Dy", "D", "FF1", "FF2",
    "FF3", "FF4", "FF5", "FF6", "FX", "HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I",
    "J", "MI", "MM", "MONTH", "MON", "MS", "Month", "Mon", "OF", "P.M.", "PM", "Q", "RM", "SSSSS", "SSSS",
    "SS", "TZH", "TZM", "TZ", "US", "WW", "W", "Y,YYY", "YYYY", "YYY", "YY", "Y", "a.d.", "a.m.", "ad", "am",
    "b.c.", "bc", "cc", "day", "ddd", "dd", "dy", "d", "ff1", "ff2", "ff3", "ff4", "ff5", "ff6", "fx",
    "hh24", "hh12", "hh", "iddd", "id", "iw", "iyyy", "iyy", "iy", "i", "j", "mi", "mm", "month", "mon",
    "ms", "of", "p.m.", "pm", "q", "rm", "sssss", "ssss", "ss", "tzh", "tzm", "tz", "us", "ww", "w", "y,yyy",
    "yyyy", "yyy", "yy", "y",
];

/// The fields that patterns print.
#[derive(Clone, Debug, Default)]
struct Fields {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    us: i64,
    /// Days since 2000-01-01; of an interval as if its fields were those of a date.
    days: i64,
    day_of_year: i64,
    is_interval: bool,
    /// Seconds east of UTC and the zone's short name, of a `timestamptz`.
    offset: i64,
    zone: Option<String>,
}

impl Fields {
    fn of_timestamp(value: Timestamp) -> Fields {
        let civil = value.civil();
        let days = days_from_civil(civil.year, civil.month, civil.day);
        Fields {
            year: civil.year.into(),
            month: civil.month.into(),
            day: civil.day.into(),
            hour: civil.hour.into(),
            minute: civil.minute.into(),
            second: civil.second.into(),
            us: civil.us.into(),
            days,
            day_of_year: days - days_from_civil(civil.year, 1, 1) + 1,
            ..Fields::default()
        }
    }

    /// The year without a year 0, as it is counted.
    fn counted(&self, year: i64) -> i64 {
        if self.is_interval || year > 0 { year } else { 1 - year }
    }
}

/// `to_char(timestamp or interval, template)`. An empty template and an infinity give NULL.
pub(super) fn to_char(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let template = str_at(args, 1);
    let fields = match &args[0] {
        Datum::Timestamp(value) if value.is_finite() => Fields::of_timestamp(*value),
        Datum::Timestamptz(value) if value.is_finite() => {
            let local = env
                .time_zone
                .to_local(*value)
                .ok_or_else(|| SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range"))?;
            let zone = Some(env.time_zone.abbreviation_at(*value));
            let offset = env.time_zone.offset_at(*value).into();
            Fields { offset, zone, ..Fields::of_timestamp(local) }
        }
        Datum::Timestamp(_) | Datum::Timestamptz(_) => return Ok(Datum::Null),
        Datum::Interval(value) => {
            let (year, month) = (i64::from(value.months / 12), i64::from(value.months % 12));
            let (seconds, us) = (value.us / 1_000_000, value.us % 1_000_000);
            Fields {
                days: days_of_fields(year, month, value.days.into()),
                year,
                month,
                day: value.days.into(),
                hour: seconds / 3600,
                minute: seconds / 60 % 60,
                second: seconds % 60,
                us,
                day_of_year: wrapped((year * 12 + month) * 30 + i64::from(value.days)),
                is_interval: true,
                ..Fields::default()
            }
        }
        other => panic!("to_char was given {other:?}"),
    };
    if template.is_empty() {
        return Ok(Datum::Null);
    }
    let mut out = String::new();
    for part in parts(template) {
        match part {
            Part::Text(character) => out.push(character),
            Part::Pattern { name, fill, ordinal } => {
                let start = out.len();
                print(&mut out, &fields, name, fill)?;
                // Offsets from UTC are numbers that nobody counts.
                if !["OF", "TZH", "TZM"].contains(&name.to_ascii_uppercase().as_str()) {
                    append_ordinal(&mut out, start, ordinal);
                }
            }
        }
    }
    Ok(out.into())
}

/// A piece of a template.
enum Part {
    Text(char),
    /// `fill`: without FM or TM in front. `ordinal`: `TH` or `th` behind.
    Pattern {
        name: &'static str,
        fill: bool,
        ordinal: Option<&'static str>,
    },
}

fn parts(template: &str) -> impl Iterator<Item = Part> {
    let (mut rest, mut is_quoted) = (template, false);
    std::iter::from_fn(move || {
        loop {
            let first = rest.chars().next()?;
            if first == '"' {
                is_quoted = !is_quoted;
                rest = &rest[1..];
                continue;
            }
            if let Some(behind) = rest.strip_prefix("\\\"") {
                rest = behind;
                return Some(Part::Text('"'));
            }
            if is_quoted {
                // Inside quotes a backslash takes what follows as it is.
                let taken = if first == '\\' { rest[1..].chars().next() } else { Some(first) };
                let skipped = usize::from(first == '\\') + taken.map_or(0, char::len_utf8);
                rest = &rest[skipped..];
                return taken.map(Part::Text);
            }
            let prefixed = ["FM", "fm", "TM", "tm"].iter().find_map(|prefix| rest.strip_prefix(prefix));
            let (fill, begun) = prefixed.map_or((true, rest), |behind| (false, behind));
            let Some(name) = PATTERNS.iter().find(|pattern| begun.starts_with(**pattern)) else {
                // A prefix of no pattern is gone, and what it stood in front of is plain, another prefix too.
                rest = begun;
                match rest.chars().next() {
                    Some(plain) if prefixed.is_none() || !matches!(plain, '"' | '\\') => {
                        rest = &rest[plain.len_utf8()..];
                        return Some(Part::Text(plain));
                    }
                    _ => continue,
                }
            };
            rest = &begun[name.len()..];
            let mut ordinal = None;
            for suffix in ["TH", "th", "SP"] {
                if let Some(behind) = rest.strip_prefix(suffix) {
                    // SP says nothing, as in PostgreSQL.
                    (rest, ordinal) = (behind, (suffix != "SP").then_some(suffix));
                    break;
                }
            }
            if name.eq_ignore_ascii_case("fx") {
                continue;
            }
            return Some(Part::Pattern { name, fill, ordinal });
        }
    })
}

/// `st`, `nd`, `rd` or `th` behind a number.
fn append_ordinal(out: &mut String, start: usize, ordinal: Option<&str>) {
    let Some(case) = ordinal else { return };
    let digits = &out.as_bytes()[start..];
    let Some(last) = digits.last().filter(|last| last.is_ascii_digit()) else { return };
    let is_teen = digits.len() > 1 && digits[digits.len() - 2] == b'1';
    let ending = match last {
        _ if is_teen => "th",
        b'1' => "st",
        b'2' => "nd",
        b'3' => "rd",
        _ => "th",
    };
    match case {
        "TH" => out.push_str(&ending.to_uppercase()),
        _ => out.push_str(ending),
    }
}

/// A number of at least so many digits; a sign does not count.
fn number(out: &mut String, value: i64, digits: usize, fill: bool) {
    let digits = if fill { digits } else { 1 };
    if value < 0 {
        out.push('-');
    }
    let _ = write!(out, "{:0digits$}", value.unsigned_abs());
}

/// A name in the case of its pattern, filled up to nine characters.
fn named(out: &mut String, name: &str, pattern: &str, width: usize) {
    let name = match pattern {
        pattern if pattern.chars().all(|c| c.is_ascii_uppercase()) => name.to_uppercase(),
        pattern if pattern.chars().all(|c| c.is_ascii_lowercase()) => name.to_lowercase(),
        _ => name.to_owned(),
    };
    let _ = write!(out, "{name:width$}");
}

fn print(out: &mut String, fields: &Fields, pattern: &str, fill: bool) -> Result<()> {
    let upper = pattern.to_uppercase();
    let of_dates =
        ["A.D.", "AD", "B.C.", "BC", "MONTH", "MON", "DAY", "DY", "D", "ID", "TZ", "TZH", "TZM", "OF"];
    if fields.is_interval && of_dates.contains(&upper.as_str()) {
        let message = "invalid format specification for an interval value";
        return Err(SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message)
            .with_hint("Intervals are not tied to specific calendar dates."));
    }
    let is_lower = pattern.starts_with(|c: char| c.is_ascii_lowercase());
    let cased = |text: &str| if is_lower { text.to_lowercase() } else { text.to_owned() };
    let width = |value: usize| if fill { value } else { 0 };
    match upper.as_str() {
        "A.M." | "P.M." => out.push_str(&cased(if fields.hour % 24 >= 12 { "P.M." } else { "A.M." })),
        "AM" | "PM" => out.push_str(&cased(if fields.hour % 24 >= 12 { "PM" } else { "AM" })),
        "A.D." | "B.C." => out.push_str(&cased(if fields.year <= 0 { "B.C." } else { "A.D." })),
        "AD" | "BC" => out.push_str(&cased(if fields.year <= 0 { "BC" } else { "AD" })),
        "MONTH" if fields.month > 0 => named(out, MONTHS[month_index(fields)], pattern, width(9)),
        "MON" if fields.month > 0 => named(out, &MONTHS[month_index(fields)][..3], pattern, 0),
        "DAY" => named(out, DAYS[weekday(fields)], pattern, width(9)),
        "DY" => named(out, &DAYS[weekday(fields)][..3], pattern, 0),
        "RM" if fields.month != 0 || fields.year != 0 => {
            let month = match (fields.month, fields.year) {
                (0, year) if year >= 0 => 12,
                (0, _) => 1,
                (month, _) => month.rem_euclid(12) + if month < 0 { 1 } else { 0 },
            };
            let month = usize::try_from(if month == 0 { 12 } else { month }).expect("a month");
            named(out, ROMAN[month - 1], pattern, width(4));
        }
        "TZ" => out.push_str(&cased(fields.zone.as_deref().unwrap_or_default())),
        "TZH" => {
            out.push(if fields.offset < 0 { '-' } else { '+' });
            number(out, fields.offset.abs() / 3600, 2, true);
        }
        "TZM" => number(out, fields.offset.abs() % 3600 / 60, 2, true),
        "OF" => {
            out.push(if fields.offset < 0 { '-' } else { '+' });
            number(out, fields.offset.abs() / 3600, 2, fill);
            if fields.offset.abs() % 3600 != 0 {
                out.push(':');
                number(out, fields.offset.abs() % 3600 / 60, 2, true);
            }
        }
        "MONTH" | "MON" | "RM" => {}
        other => print_number(out, fields, other, fill),
    }
    Ok(())
}

fn month_index(fields: &Fields) -> usize {
    usize::try_from(fields.month - 1).expect("a month of a date")
}

fn weekday(fields: &Fields) -> usize {
    usize::try_from(day_of_week(fields.days)).expect("a day of the week")
}

/// The year of an ISO week and the day in it, from 1.
fn iso_of_date(days: i64) -> (i64, i64) {
    let (year, week) = iso_week(days);
    (year.into(), i64::from((week - 1) * 7 + (day_of_week(days) + 6) % 7 + 1))
}

/// The Monday of the first week of a year.
fn iso_year_begin(year: i64) -> i64 {
    let fourth = days_of_fields(year, 1, 4);
    fourth - i64::from((day_of_week(fourth) + 6) % 7)
}

/// Likewise of an interval's fields, whose days may lie far outside of the year: PostgreSQL looks at the years beside it alone.
fn iso_of_fields(year: i64, days: i64) -> (i64, i64) {
    let begin = iso_year_begin(year);
    if days < begin {
        return (year - 1, days - iso_year_begin(year - 1) + 1);
    }
    let next = iso_year_begin(year + 1);
    if days >= next { (year + 1, days - next + 1) } else { (year, days - begin + 1) }
}

/// Days since 2000-01-01 by PostgreSQL's formula, which takes any number for a month: those of a year begin in March, and
/// have 30.6 days.
fn days_of_fields(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year + 4800, month + 1) } else { (year + 4799, month + 13) };
    let century = year / 100;
    let leap_days = year / 4 - century + century / 4;
    let julian = year * 365 - 32_167 + leap_days + 7834 * month / 256 + day;
    wrapped(julian) - i64::from(EPOCH_JULIAN)
}

#[expect(clippy::cast_possible_truncation, reason = "PostgreSQL's is an int and wraps")]
fn wrapped(number: i64) -> i64 {
    i64::from(number as i32)
}

fn print_number(out: &mut String, fields: &Fields, pattern: &str, fill: bool) {
    let Fields { year, month, day, hour, minute, second, us, days, .. } = *fields;
    let (iso_year, iso_day) = if fields.is_interval { iso_of_fields(year, days) } else { iso_of_date(days) };
    let week = (iso_day - 1) / 7 + 1;
    let iso_year = fields.counted(iso_year);
    let counted = fields.counted(year);
    let (value, digits, fill) = match pattern {
        // An interval's hours below zero have room for the sign, which a 12 in the place of a 0 has not.
        "HH" | "HH12" if hour % 12 == 0 => (12, if hour < 0 { 3 } else { 2 }, fill),
        "HH" | "HH12" => (hour % 12, 2, fill),
        "HH24" => (hour, 2, fill),
        "MI" => (minute, 2, fill),
        "SS" => (second, 2, fill),
        "FF1" => (us / 100_000, 1, true),
        "FF2" => (us / 10_000, 2, true),
        "FF3" | "MS" => (us / 1000, 3, true),
        "FF4" => (us / 100, 4, true),
        "FF5" => (us / 10, 5, true),
        "FF6" | "US" => (us, 6, true),
        "SSSS" | "SSSSS" => (hour * 3600 + minute * 60 + second, 1, false),
        "MM" => (month, 2, fill),
        "DDD" => (fields.day_of_year, 3, fill),
        "IDDD" => (iso_day, 3, fill),
        "DD" => (day, 2, fill),
        "D" => (i64::from(day_of_week(days)) + 1, 1, false),
        "ID" => ((iso_day - 1) % 7 + 1, 1, false),
        "WW" => ((fields.day_of_year - 1) / 7 + 1, 2, fill),
        "IW" => (week, 2, fill),
        "W" => ((day - 1) / 7 + 1, 1, false),
        "Q" if month == 0 => return,
        "Q" => ((month - 1) / 3 + 1, 1, false),
        "CC" if fields.is_interval => (year / 100, 2, fill),
        "CC" if year > 0 => ((year - 1) / 100 + 1, 2, fill),
        "CC" => (year / 100 - 1, 2, fill),
        "J" => (days + i64::from(EPOCH_JULIAN), 1, false),
        "Y,YYY" => {
            let _ = write!(out, "{},{:03}", counted / 1000, counted % 1000);
            return;
        }
        "YYYY" => (counted, 4, fill),
        "YYY" => (counted % 1000, 3, fill),
        "YY" => (counted % 100, 2, fill),
        "Y" => (counted % 10, 1, false),
        "IYYY" => (iso_year, 4, fill),
        "IYY" => (iso_year % 1000, 3, fill),
        "IY" => (iso_year % 100, 2, fill),
        "I" => (iso_year % 10, 1, false),
        other => unreachable!("{other} is no pattern of a number"),
    };
    match pattern {
        // Here a sign counts as one of the digits.
        "IYYY" | "IYY" | "IY" if fields.is_interval && year >= 0 => {
            let digits = if fill { digits } else { 1 };
            let _ = write!(out, "{value:0digits$}");
        }
        "DD" | "DDD" | "IDDD" | "WW" | "MS" | "US" | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6"
            if value < 0 =>
        {
            let digits = if fill { digits } else { 1 };
            let _ = write!(out, "{value:0digits$}");
        }
        _ => number(out, value, digits, fill),
    }
}
