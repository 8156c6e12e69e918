//! Dates and times read by a template: `to_timestamp`, `to_date`, and `datetime()` of SQL/JSON paths.
//!
//! Owns reading (`DCH_from_char` and `do_to_timestamp` of PostgreSQL 15's `formatting.c`). Two strictnesses: SQL's functions
//! forgive much, paths nothing. Read next: `to_char.rs`, which prints by the same patterns.

use super::from_char_template::{Mode, Node, invalid, is_separator, is_space, parse};
use super::str_at;
use super::to_char::{DAYS, MONTHS};
use crate::datetime::{
    Date, EPOCH_JULIAN, Timestamp, Timestamptz, US_PER_DAY, US_PER_HOUR, US_PER_SECOND, civil_from_days,
    day_of_week, days_from_civil, days_in_month, in_range,
};
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};

/// Fields as they were read; 0 is not set, as in PostgreSQL.
#[derive(Default)]
struct Fields {
    mode: Option<Mode>,
    hour: i32,
    afternoon: i32,
    minute: i32,
    second: i32,
    second_of_day: i32,
    day_of_week: i32,
    day: i32,
    day_of_year: i32,
    month: i32,
    ms: i32,
    us: i32,
    year: i32,
    before_christ: i32,
    week: i32,
    week_of_month: i32,
    century: i32,
    julian: i32,
    precision: u32,
    year_digits: usize,
    is_12_hour: bool,
    zone_sign: i32,
    zone_hour: i32,
    zone_minute: i32,
}

/// What a text came to.
pub(crate) struct Reading {
    pub year: i32,
    pub month: i32,
    pub day: i32,
    /// Microseconds since midnight.
    pub us: i64,
    /// Digits of the fraction, if the template says.
    pub precision: Option<u32>,
    /// Seconds east of UTC, if the template has a zone.
    pub zone: Option<i32>,
    pub is_dated: bool,
    pub is_timed: bool,
    pub is_zoned: bool,
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    fixed: bool,
    strict: bool,
    /// Characters skipped beyond those that the template has.
    extra: i32,
    fields: Fields,
}

/// Reads a text by a template. `strict` is the way of SQL/JSON paths.
pub(crate) fn read(text: &str, template: &str, strict: bool) -> Result<Reading> {
    let nodes = parse(template, strict)?;
    let mut scanner =
        Scanner { text: text.as_bytes(), at: 0, fixed: strict, strict, extra: 0, fields: Fields::default() };
    scanner.run(&nodes)?;
    let mut reading = finish(scanner.fields, text)?;
    for node in &nodes {
        let Node::Field { pattern, .. } = node else { continue };
        match pattern.name {
            "FX" => {}
            "TZ" | "TZH" | "TZM" | "OF" => reading.is_zoned = true,
            "A.M." | "AM" | "P.M." | "PM" | "HH" | "HH12" | "HH24" | "MI" | "SS" | "MS" | "US" | "SSSS"
            | "SSSSS" => reading.is_timed = true,
            name if name.starts_with("FF") => reading.is_timed = true,
            _ => reading.is_dated = true,
        }
    }
    Ok(reading)
}

impl Scanner<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn ended(&self) -> bool {
        self.at >= self.text.len()
    }

    fn skip_spaces(&mut self) -> i32 {
        let start = self.at;
        while is_space(self.peek()) {
            self.at += 1;
        }
        i32::try_from(self.at - start).unwrap_or(i32::MAX)
    }

    fn skip_character(&mut self) {
        self.at += 1;
        while self.text.get(self.at).is_some_and(|byte| byte & 0xc0 == 0x80) {
            self.at += 1;
        }
    }

    fn run(&mut self, nodes: &[Node]) -> Result<()> {
        let mut done = 0;
        for (number, node) in nodes.iter().enumerate() {
            if self.ended() {
                break;
            }
            let is_field = matches!(node, Node::Field { .. });
            let is_fixer = matches!(node, Node::Field { pattern, .. } if pattern.name == "FX");
            if !self.fixed && !is_fixer && (is_field || number == 0) {
                self.extra += self.skip_spaces();
            }
            match node {
                Node::Field { .. } => {
                    let reads_all = reads_all(nodes, number);
                    self.field(node, reads_all)?;
                    if !self.fixed {
                        self.extra = self.skip_spaces();
                    }
                }
                Node::Separator(c) | Node::Space(c) => self.separator(*c)?,
                Node::Text(c) => self.character(*c)?,
            }
            done = number + 1;
        }
        if !self.strict {
            return Ok(());
        }
        if done < nodes.len() {
            return Err(invalid("input string is too short for datetime format"));
        }
        self.skip_spaces();
        match self.ended() {
            true => Ok(()),
            false => Err(invalid("trailing characters remain in input string after datetime format")),
        }
    }

    fn separator(&mut self, c: char) -> Result<()> {
        if self.strict {
            if char::from(self.peek()) != c {
                return Err(invalid(format!("unmatched format separator \"{c}\"")));
            }
            self.at += 1;
        } else if self.fixed {
            self.skip_character();
        } else {
            self.extra -= 1;
            if is_space(self.peek()) || is_separator(char::from(self.peek())) {
                self.at += 1;
                self.extra += 1;
            }
        }
        Ok(())
    }

    fn character(&mut self, c: char) -> Result<()> {
        if !self.fixed {
            if self.extra > 0 {
                self.extra -= 1;
            } else {
                self.skip_character();
            }
            return Ok(());
        }
        let mut bytes = [0; 4];
        let wanted = c.encode_utf8(&mut bytes).as_bytes();
        if self.strict && !self.text[self.at..].starts_with(wanted) {
            return Err(invalid(format!("unmatched format character \"{c}\"")));
        }
        self.skip_character();
        Ok(())
    }

    fn set_mode(&mut self, mode: Mode) -> Result<()> {
        if mode == Mode::Any {
            return Ok(());
        }
        match *self.fields.mode.get_or_insert(mode) {
            known if known == mode => Ok(()),
            _ => Err(invalid("invalid combination of date conventions")
                .with_hint("Do not mix Gregorian and ISO week date conventions in a formatting template.")),
        }
    }

    fn field(&mut self, node: &Node, reads_all: bool) -> Result<()> {
        let Node::Field { pattern, written, ordinal, .. } = node else { unreachable!("called for fields") };
        self.set_mode(pattern.mode)?;
        let name = pattern.name;
        let field = Field { name: written, reads_all };
        match name {
            "FX" => self.fixed = true,
            "A.M." | "P.M." => self.half_day(&["a.m.", "p.m."], &field)?,
            "AM" | "PM" => self.half_day(&["am", "pm"], &field)?,
            "A.D." | "B.C." => self.era(&["a.d.", "b.c."], &field)?,
            "AD" | "BC" => self.era(&["ad", "bc"], &field)?,
            "TZ" | "OF" => {
                let message = format!("formatting field \"{written}\" is only supported in to_char");
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            "TZH" => self.zone_hour(&field)?,
            "TZM" => {
                if self.fields.zone_sign == 0 {
                    self.fields.zone_sign = 1;
                }
                let value = self.integer(2, &field)?.0;
                set(&mut self.fields.zone_minute, value, &field)?;
            }
            "MONTH" | "MON" => {
                let at = match name {
                    "MONTH" => self.word(&MONTHS, &field)?,
                    _ => self.word(&MONTHS.map(|name| &name[..3]), &field)?,
                };
                set(&mut self.fields.month, at + 1, &field)?;
            }
            "DAY" | "DY" => {
                let at = match name {
                    "DAY" => self.word(&DAYS, &field)?,
                    _ => self.word(&DAYS.map(|name| &name[..3]), &field)?,
                };
                set(&mut self.fields.day_of_week, at, &field)?;
                self.fields.day_of_week += 1;
            }
            "RM" => {
                let at = self.word(
                    &["xii", "xi", "x", "ix", "viii", "vii", "vi", "v", "iv", "iii", "ii", "i"],
                    &field,
                )?;
                set(&mut self.fields.month, 12 - at, &field)?;
            }
            "Y,YYY" => self.year_with_comma(&field)?,
            _ => self.number(name, &field)?,
        }
        if *ordinal && pattern.is_digits {
            for _ in 0..2 {
                if !self.ended() {
                    self.skip_character();
                }
            }
        }
        Ok(())
    }

    fn number(&mut self, name: &str, field: &Field<'_>) -> Result<()> {
        let width = match name {
            "HH" | "HH12" | "HH24" => 2,
            "MS" | "IDDD" => 3,
            "US" => 6,
            "ID" => 1,
            name if name.starts_with("FF") => usize::from(name.as_bytes()[2] - b'0'),
            name => name.len(),
        };
        let (value, length) = self.integer(width, field)?;
        let fields = &mut self.fields;
        let power = |full: usize| 10i32.pow(u32::try_from(full.saturating_sub(length)).unwrap_or(0));
        match name {
            "HH" | "HH12" => {
                set(&mut fields.hour, value, field)?;
                fields.is_12_hour = true;
            }
            "HH24" => set(&mut fields.hour, value, field)?,
            "MI" => set(&mut fields.minute, value, field)?,
            "SS" => set(&mut fields.second, value, field)?,
            "SSSS" | "SSSSS" => set(&mut fields.second_of_day, value, field)?,
            "MS" => {
                set(&mut fields.ms, value, field)?;
                fields.ms = fields.ms.wrapping_mul(power(3));
            }
            "MM" => set(&mut fields.month, value, field)?,
            "DDD" | "IDDD" => set(&mut fields.day_of_year, value, field)?,
            "DD" => set(&mut fields.day, value, field)?,
            "D" => set(&mut fields.day_of_week, value, field)?,
            "ID" => {
                set(&mut fields.day_of_week, value, field)?;
                fields.day_of_week += 1;
                if fields.day_of_week > 7 {
                    fields.day_of_week = 1;
                }
            }
            "WW" | "IW" => set(&mut fields.week, value, field)?,
            "W" => set(&mut fields.week_of_month, value, field)?,
            "Q" => {}
            "CC" => set(&mut fields.century, value, field)?,
            "J" => set(&mut fields.julian, value, field)?,
            "US" => {
                set(&mut fields.us, value, field)?;
                fields.us = fields.us.wrapping_mul(power(6));
            }
            name if name.starts_with("FF") => {
                fields.precision = u32::from(name.as_bytes()[2] - b'0');
                set(&mut fields.us, value, field)?;
                fields.us = fields.us.wrapping_mul(power(6));
            }
            _ => {
                set(&mut fields.year, value, field)?;
                let digits = name.len();
                if digits < 4 && length < 4 {
                    fields.year = near_2020(fields.year);
                }
                fields.year_digits = digits;
            }
        }
        Ok(())
    }

    fn half_day(&mut self, words: &[&str], field: &Field<'_>) -> Result<()> {
        let at = self.word(words, field)?;
        set(&mut self.fields.afternoon, at, field)?;
        self.fields.is_12_hour = true;
        Ok(())
    }

    fn era(&mut self, words: &[&str], field: &Field<'_>) -> Result<()> {
        let at = self.word(words, field)?;
        set(&mut self.fields.before_christ, at, field)
    }

    /// The minus may have been taken for a separator.
    fn zone_hour(&mut self, field: &Field<'_>) -> Result<()> {
        let sign = match self.peek() {
            b'+' | b' ' => Some(1),
            b'-' => Some(-1),
            _ => None,
        };
        self.fields.zone_sign = match sign {
            Some(sign) => {
                self.at += 1;
                sign
            }
            None if self.extra > 0 && self.at > 0 && self.text[self.at - 1] == b'-' => -1,
            None => 1,
        };
        let value = self.integer(2, field)?.0;
        set(&mut self.fields.zone_hour, value, field)
    }

    /// `2,024`.
    fn year_with_comma(&mut self, field: &Field<'_>) -> Result<()> {
        let text = String::from_utf8_lossy(&self.text[self.at..]).into_owned();
        let failed = || invalid("invalid input string for \"Y,YYY\"");
        let trimmed = text.trim_start_matches(|c: char| c.is_ascii() && is_space(c as u8));
        let skipped = text.len() - trimmed.len();
        let (thousands, rest) = trimmed.split_once(',').ok_or_else(failed)?;
        let blanks = rest.bytes().take_while(|&byte| is_space(byte)).count();
        let rest = &rest[blanks..];
        let digits = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
        let thousands_value: i32 = thousands.parse().map_err(|_| failed())?;
        let years: i32 = rest[..digits].parse().map_err(|_| failed())?;
        set(&mut self.fields.year, years + thousands_value * 1000, field)?;
        self.fields.year_digits = 4;
        self.at += skipped + thousands.len() + 1 + blanks + digits;
        Ok(())
    }

    /// The place of a word in a list, in any case.
    fn word(&mut self, words: &[&str], field: &Field<'_>) -> Result<i32> {
        let rest = &self.text[self.at..];
        let found = words.iter().position(|word| {
            rest.len() >= word.len() && rest[..word.len()].eq_ignore_ascii_case(word.as_bytes())
        });
        let Some(at) = found else {
            let end = rest.iter().position(|&byte| is_space(byte)).unwrap_or(rest.len());
            let shown = String::from_utf8_lossy(&rest[..end]);
            return Err(invalid(format!("invalid value \"{shown}\" for \"{}\"", field.name))
                .with_detail("The given value did not match any of the allowed values for this field."));
        };
        self.at += words[at].len();
        Ok(i32::try_from(at).expect("short lists"))
    }

    /// A number and the characters that it took: all digits if nothing else can follow, as many as the pattern has otherwise.
    fn integer(&mut self, width: usize, field: &Field<'_>) -> Result<(i32, usize)> {
        let init = self.at;
        self.skip_spaces();
        let rest = &self.text[self.at..];
        let copy = characters(rest, width);
        let (value, end) = if field.reads_all {
            let (value, used) = long(&self.text[init..]);
            (value, init + used)
        } else {
            let hint = "If your source string is not fixed-width, try using the \"FM\" modifier.";
            if rest.len() < width {
                let message = format!("source string too short for \"{}\" formatting field", field.name);
                let detail = format!("Field requires {width} characters, but only {} remain.", rest.len());
                return Err(invalid(message).with_detail(detail).with_hint(hint));
            }
            let (value, used) = long(copy.as_bytes());
            if used > 0 && used < width {
                let detail = format!("Field requires {width} characters, but only {used} could be parsed.");
                return Err(invalid(format!("invalid value \"{copy}\" for \"{}\"", field.name))
                    .with_detail(detail)
                    .with_hint(hint));
            }
            (value, self.at + used)
        };
        if end == init {
            return Err(invalid(format!("invalid value \"{copy}\" for \"{}\"", field.name))
                .with_detail("Value must be an integer."));
        }
        self.at = end;
        let value = value.and_then(|value| i32::try_from(value).ok()).ok_or_else(|| {
            let message = format!("value for \"{}\" in source string is out of range", field.name);
            SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message).with_detail(format!(
                "Value must be in the range {} to {}.",
                i32::MIN,
                i32::MAX
            ))
        })?;
        Ok((value, end - init))
    }
}

/// A field that is being read.
struct Field<'a> {
    /// As the template has it.
    name: &'a str,
    /// Takes all digits that there are.
    reads_all: bool,
}

/// The first bytes of a text, as text.
fn characters(bytes: &[u8], count: usize) -> String {
    String::from_utf8_lossy(&bytes[..count.min(bytes.len())]).into_owned()
}

/// C's `strtol`: the number, `None` beyond its range, and the bytes that it takes.
fn long(bytes: &[u8]) -> (Option<i64>, usize) {
    let spaces = bytes.iter().take_while(|&&byte| is_space(byte)).count();
    let sign = usize::from(matches!(bytes.get(spaces), Some(b'+' | b'-')));
    let digits = bytes[spaces + sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return (Some(0), 0);
    }
    let text = std::str::from_utf8(&bytes[spaces..spaces + sign + digits]).expect("digits");
    (text.trim_start_matches('+').parse().ok(), spaces + sign + digits)
}

/// Whether a field may take all digits: it says so, or no digits follow in the template.
fn reads_all(nodes: &[Node], number: usize) -> bool {
    match &nodes[number] {
        Node::Field { fill: true, .. } | Node::Field { ordinal: true, .. } => return true,
        _ => {}
    }
    match nodes.get(number + 1) {
        None => true,
        Some(Node::Field { pattern, .. }) => !pattern.is_digits,
        Some(Node::Separator(c) | Node::Space(c) | Node::Text(c)) => !c.is_ascii_digit(),
    }
}

fn set(field: &mut i32, value: i32, named: &Field<'_>) -> Result<()> {
    if *field != 0 && *field != value {
        let message = format!("conflicting values for \"{}\" field in formatting string", named.name);
        return Err(invalid(message)
            .with_detail("This value contradicts a previous setting for the same field type."));
    }
    *field = value;
    Ok(())
}

/// The year nearest to 2020 with these last digits.
fn near_2020(year: i32) -> i32 {
    match year {
        i32::MIN..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}

fn overflow(text: &str) -> SqlError {
    let message = format!("date/time field value out of range: \"{text}\"");
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
}

/// Which fields of a date are set.
#[derive(Clone, Copy, Default)]
struct Known {
    year: bool,
    month: bool,
    day: bool,
}

impl Known {
    const ALL: Known = Known { year: true, month: true, day: true };
}

/// Puts the fields together and checks their ranges.
fn finish(mut fields: Fields, text: &str) -> Result<Reading> {
    let (hour, minute, second) = clock(&fields)?;
    let mut known = Known::default();
    let mut date = Day { year: 0, month: 1, day: 1 };
    if fields.year != 0 || fields.century != 0 {
        date.year = year_of(&mut fields);
        known.year = true;
    }
    if fields.julian != 0 {
        date = Day::from_days(i64::from(fields.julian) - i64::from(EPOCH_JULIAN));
        known = Known::ALL;
    }
    if fields.week != 0 {
        if fields.mode == Some(Mode::IsoWeek) {
            let monday = iso_week_begin(date.year, fields.week);
            let offset = match fields.day_of_week {
                0 => 0,
                1 => 6,
                day => i64::from(day) - 2,
            };
            date = Day::from_days(monday + offset);
            known = Known::ALL;
        } else {
            fields.day_of_year = (fields.week - 1).wrapping_mul(7).wrapping_add(1);
        }
    }
    if fields.week_of_month != 0 {
        fields.day = (fields.week_of_month - 1).wrapping_mul(7).wrapping_add(1);
    }
    if fields.day != 0 {
        (date.day, known.day) = (fields.day, true);
    }
    if fields.month != 0 {
        (date.month, known.month) = (fields.month, true);
    }
    if fields.day_of_year != 0 && (date.month <= 1 || date.day <= 1) {
        known = day_of_year(&fields, &mut date, known)?;
    }
    check_date(date, known, text)?;
    let us = i64::from(fields.ms) * 1000 + i64::from(fields.us);
    let is_time = (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second)
        && (0..US_PER_SECOND).contains(&us);
    if !is_time {
        return Err(overflow(text));
    }
    let us = i64::from(hour) * US_PER_HOUR + i64::from(minute * 60 + second) * US_PER_SECOND + us;
    Ok(Reading {
        year: date.year,
        month: date.month,
        day: date.day,
        us,
        precision: (fields.precision > 0).then_some(fields.precision),
        zone: zone(&fields, text)?,
        is_dated: false,
        is_timed: false,
        is_zoned: false,
    })
}

fn clock(fields: &Fields) -> Result<(i32, i32, i32)> {
    let (mut hour, mut minute, mut second) = (0, 0, 0);
    if fields.second_of_day != 0 {
        let rest = fields.second_of_day % 3600;
        (hour, minute, second) = (fields.second_of_day / 3600, rest / 60, rest % 60);
    }
    let or = |field: i32, before: i32| if field != 0 { field } else { before };
    (hour, minute, second) = (or(fields.hour, hour), or(fields.minute, minute), or(fields.second, second));
    if !fields.is_12_hour {
        return Ok((hour, minute, second));
    }
    if !(1..=12).contains(&hour) {
        return Err(invalid(format!("hour \"{hour}\" is invalid for the 12-hour clock"))
            .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
    }
    Ok((hour % 12 + if fields.afternoon != 0 { 12 } else { 0 }, minute, second))
}

/// The year, from its digits and the century.
fn year_of(fields: &mut Fields) -> i32 {
    if fields.before_christ != 0 && (fields.year == 0 || (fields.century != 0 && fields.year_digits <= 2)) {
        fields.century = fields.century.wrapping_neg();
    }
    let century = fields.century;
    if fields.year == 0 {
        return if century >= 0 {
            (century - 1).wrapping_mul(100) + 1
        } else {
            century.wrapping_mul(100) + 1
        };
    }
    if century != 0 && fields.year_digits <= 2 {
        let year = fields.year % 100;
        return match (year, century >= 0) {
            (0, true) => century.wrapping_mul(100),
            (0, false) => century.wrapping_mul(100) + 1,
            (year, true) => year + (century - 1).wrapping_mul(100),
            (year, false) => (century + 1).wrapping_mul(100) - year + 1,
        };
    }
    let year = if fields.before_christ != 0 { fields.year.wrapping_neg() } else { fields.year };
    if year < 0 { year + 1 } else { year }
}

fn day_of_year(fields: &Fields, date: &mut Day, known: Known) -> Result<Known> {
    if date.year == 0 && fields.before_christ == 0 {
        return Err(invalid("cannot calculate day of year without year information"));
    }
    let number = i64::from(fields.day_of_year);
    if fields.mode == Some(Mode::IsoWeek) {
        *date = Day::from_days(iso_week_begin(date.year, 1) - 1 + number);
        return Ok(Known::ALL);
    }
    let mut month = 1;
    let mut before = 0;
    while month <= 12 && number > before + i64::from(days_in_month(date.year, month)) {
        before += i64::from(days_in_month(date.year, month));
        month += 1;
    }
    if date.month <= 1 {
        date.month = month;
    }
    if date.day <= 1 {
        date.day = i32::try_from(number - before).unwrap_or(i32::MAX);
    }
    Ok(Known { month: true, day: true, ..known })
}

fn check_date(date: Day, known: Known, text: &str) -> Result<()> {
    let is_month = (1..=12).contains(&date.month);
    let is_day = (1..=31).contains(&date.day);
    if (known.month && !is_month) || (known.day && !is_day) {
        return Err(overflow(text));
    }
    if known.year && known.month && known.day && date.day > days_in_month(date.year, date.month) {
        return Err(overflow(text));
    }
    Ok(())
}

fn zone(fields: &Fields, text: &str) -> Result<Option<i32>> {
    if fields.zone_sign == 0 {
        return Ok(None);
    }
    if !(0..=15).contains(&fields.zone_hour) || !(0..60).contains(&fields.zone_minute) {
        let message = format!("time zone displacement out of range: \"{text}\"");
        return Err(SqlError::new(SqlState::INVALID_TIME_ZONE_DISPLACEMENT, message));
    }
    Ok(Some(fields.zone_sign * (fields.zone_hour * 3600 + fields.zone_minute * 60)))
}

/// A day of the calendar, its parts perhaps beyond their ranges.
#[derive(Clone, Copy)]
struct Day {
    year: i32,
    month: i32,
    day: i32,
}

impl Day {
    fn from_days(days: i64) -> Day {
        let (year, month, day) = civil_from_days(days);
        Day { year, month, day }
    }
}

/// Monday of an ISO week, in days since 2000-01-01.
fn iso_week_begin(year: i32, week: i32) -> i64 {
    let fourth = days_from_civil(year, 1, 4);
    let monday = fourth - i64::from((day_of_week(fourth) + 6) % 7);
    monday + (i64::from(week) - 1) * 7
}

impl Reading {
    /// Days since 2000-01-01.
    pub(crate) fn days(&self) -> i64 {
        days_from_civil(self.year, self.month, self.day)
    }

    /// Local time; 22008 beyond the range of timestamps.
    pub(crate) fn local(&self) -> Result<Timestamp> {
        let us = self.days().checked_mul(US_PER_DAY).and_then(|us| us.checked_add(self.us));
        us.filter(|&us| in_range::timestamp(us)).map(Timestamp).ok_or_else(timestamp_out_of_range)
    }
}

fn timestamp_out_of_range() -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

/// `to_timestamp(text, template)`.
pub(super) fn to_timestamp(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let reading = read(str_at(args, 0), str_at(args, 1), false)?;
    let local = reading.local()?;
    let utc = match reading.zone {
        Some(east) => {
            let us = local.0 - i64::from(east) * US_PER_SECOND;
            Some(us).filter(|&us| in_range::timestamp(us)).map(Timestamptz)
        }
        None => env.time_zone.to_utc(local),
    };
    let utc = utc.ok_or_else(timestamp_out_of_range)?;
    let rounded = match reading.precision {
        Some(precision) => Timestamp(utc.0).round(precision)?,
        None => Timestamp(utc.0),
    };
    Ok(Datum::Timestamptz(Timestamptz(rounded.0)))
}

/// `to_date(text, template)`.
pub(super) fn to_date(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 0);
    let reading = read(text, str_at(args, 1), false)?;
    let date = i32::try_from(reading.days()).ok().map(Date).filter(|&date| in_range::date(date));
    date.map(Datum::Date).ok_or_else(|| {
        SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date out of range: \"{text}\""))
    })
}
