//! Reading dates and timestamps with `DateStyle ISO, MDY`.
//!
//! Owns the meaning of the fields that `token.rs` finds (PostgreSQL 15, appendix B). Special words (`now`, `today`, …)
//! take the transaction's time from the environment. Read next: `interval.rs` for spans.

use super::calendar::{Civil, TIMESTAMP_END, days_from_civil, days_in_month, timestamp_in_range};
use super::token::{Token, tokens};
use super::zone::abbreviation_offset;
use super::{Date, Timestamp, Timestamptz, US_PER_DAY, US_PER_SECOND, ZoneRef};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};

/// Why a text is no date or time; the messages need the type and the whole text.
pub(super) enum Fault {
    /// 22007.
    Syntax,
    /// 22008, a field beyond its range.
    Field,
    /// 22008, month or day beyond any range: the order of day and month may be another.
    MonthDay,
    /// 22009.
    Zone,
    /// Complete already.
    Error(SqlError),
}

impl Fault {
    pub(super) fn into_error(self, type_name: &str, text: &str) -> SqlError {
        let out_of_range = || {
            let message = format!("date/time field value out of range: \"{text}\"");
            SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
        };
        match self {
            Fault::Syntax => syntax_error(type_name, text),
            Fault::Field => out_of_range(),
            Fault::MonthDay => {
                out_of_range().with_hint("Perhaps you need a different \"datestyle\" setting.")
            }
            Fault::Zone => SqlError::new(
                SqlState::INVALID_TIME_ZONE_DISPLACEMENT,
                format!("time zone displacement out of range: \"{text}\""),
            ),
            Fault::Error(error) => error,
        }
    }
}

/// 22007 `invalid input syntax for type <type>: "<text>"`.
pub(super) fn syntax_error(type_name: &str, text: &str) -> SqlError {
    let message = format!("invalid input syntax for type {type_name}: \"{text}\"");
    SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message)
}

fn range_error(what: &str, text: &str) -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range: \"{text}\""))
}

/// What a text says, before a type is made of it.
enum Reading {
    /// An infinity.
    Infinite(bool),
    /// Fields and perhaps a zone.
    Fields(Civil, Option<ZoneRef>),
}

impl Date {
    /// Reads the input of type `date`.
    pub fn parse(env: &EvalEnv<'_>, text: &str) -> Result<Date> {
        let reading = read(env, text).map_err(|fault| fault.into_error("date", text))?;
        let days = match reading {
            Reading::Infinite(true) => return Ok(Date::INFINITY),
            Reading::Infinite(false) => return Ok(Date::NEGATIVE_INFINITY),
            Reading::Fields(civil, _) => days_from_civil(civil.year, civil.month, civil.day),
        };
        Date::from_days(days).ok_or_else(|| range_error("date", text))
    }
}

impl Timestamp {
    /// Reads the input of type `timestamp`; a zone in it is read and has no effect.
    pub fn parse(env: &EvalEnv<'_>, text: &str) -> Result<Timestamp> {
        let reading = read(env, text).map_err(|fault| fault.into_error("timestamp", text))?;
        match reading {
            Reading::Infinite(true) => Ok(Timestamp::INFINITY),
            Reading::Infinite(false) => Ok(Timestamp::NEGATIVE_INFINITY),
            Reading::Fields(civil, _) => civil.timestamp().ok_or_else(|| range_error("timestamp", text)),
        }
    }
}

impl Timestamptz {
    /// Reads the input of type `timestamptz`; without a zone in it, it is local time of the session.
    pub fn parse(env: &EvalEnv<'_>, text: &str) -> Result<Timestamptz> {
        let reading = read(env, text).map_err(|fault| fault.into_error("timestamp with time zone", text))?;
        let instant = match reading {
            Reading::Infinite(true) => return Ok(Timestamptz::INFINITY),
            Reading::Infinite(false) => return Ok(Timestamptz::NEGATIVE_INFINITY),
            // The range is that of the instant: a local time may lie a little beyond it.
            Reading::Fields(civil, zone) => {
                let local = civil.timestamp().unwrap_or(Timestamp(TIMESTAMP_END - 1));
                let east = match zone {
                    Some(ZoneRef::Fixed(east)) => east,
                    Some(ZoneRef::Named(zone)) => zone.offset_at_local(local),
                    None => env.time_zone.offset_at_local(local),
                };
                timestamp_in_range(civil.us() - i128::from(east) * i128::from(US_PER_SECOND)).map(Timestamptz)
            }
        };
        instant.ok_or_else(|| range_error("timestamp", text))
    }
}

/// The number of a month's name or its abbreviation.
pub(super) fn month(word: &str) -> Option<i32> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    if word == "sept" {
        return Some(9);
    }
    let at = NAMES.iter().position(|name| *name == word || &name[..3] == word)?;
    i32::try_from(at + 1).ok()
}

/// Whether it is a word of dates and times, so that a digit or `+` behind it begins something else.
pub(super) fn is_keyword(word: &str) -> bool {
    const WORDS: [&str; 28] = [
        "ad",
        "allballs",
        "am",
        "at",
        "bc",
        "d",
        "dow",
        "doy",
        "dst",
        "epoch",
        "h",
        "infinity",
        "isodow",
        "isoyear",
        "j",
        "jd",
        "julian",
        "m",
        "mm",
        "now",
        "on",
        "pm",
        "s",
        "t",
        "today",
        "tomorrow",
        "y",
        "yesterday",
    ];
    WORDS.contains(&word) || month(word).is_some() || is_day_name(word)
}

pub(super) fn is_day_name(word: &str) -> bool {
    matches!(
        word,
        "sun"
            | "sunday"
            | "mon"
            | "monday"
            | "tue"
            | "tues"
            | "tuesday"
            | "wed"
            | "weds"
            | "wednesday"
            | "thu"
            | "thur"
            | "thurs"
            | "thursday"
            | "fri"
            | "friday"
            | "sat"
            | "saturday"
    )
}

/// The fields found so far.
#[derive(Default)]
pub(super) struct Builder {
    /// With its number of digits.
    pub(super) year: Option<(i32, usize)>,
    month: Option<i32>,
    is_month_named: bool,
    day: Option<i32>,
    /// Hour, minute, second, microsecond.
    pub(super) time: Option<(i32, i32, i32, i32)>,
    pub(super) zone: Option<ZoneRef>,
    before_christ: bool,
    era: bool,
    afternoon: Option<bool>,
    weekday: bool,
    /// The zone's name says that it is of summer time.
    summer_zone: bool,
    /// The word `dst` was read.
    dst: bool,
    /// Words were read that no date with separators may follow.
    is_worded: bool,
    iso_time: bool,
    /// A whole day is known.
    julian: bool,
    /// It was given by its number, which knows no era.
    is_counted: bool,
    day_of_year: Option<i32>,
}

fn read(env: &EvalEnv<'_>, text: &str) -> Result<Reading, Fault> {
    let tokens = tokens(text).ok_or(Fault::Syntax)?;
    let mut builder = Builder::default();
    // An infinity or the epoch, and whether there was one.
    let (mut instant, mut is_special) = (None, false);
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            Token::Date(text) => builder.date(&text)?,
            Token::Time(text) => builder.clock(&text)?,
            Token::Signed(text) => builder.offset(&text)?,
            Token::Number(text) => builder.number(&text)?,
            Token::Word(word) if let Some(reading) = special(&word) => {
                if std::mem::replace(&mut is_special, true) {
                    return Err(Fault::Syntax);
                }
                builder.is_worded = true;
                instant = Some(reading);
            }
            // The last of the words that stand for instants or days counts, the others are read and have no effect.
            Token::Word(word) if word == "now" => {
                builder.now(env)?;
                instant = None;
            }
            Token::Word(word) if let Some(offset) = day_offset(&word) => {
                let now = env.time_zone.to_local(env.transaction_timestamp).ok_or(Fault::Field)?;
                builder.calendar(now.split().0 + offset)?;
                instant = None;
            }
            Token::Word(word) if word == "allballs" => {
                builder.midnight()?;
                instant = None;
            }
            Token::Word(word) if word == "j" => match tokens.next() {
                Some(Token::Number(text)) => {
                    builder.julian_day(&text)?;
                    instant = None;
                }
                _ => return Err(Fault::Syntax),
            },
            Token::Word(word) => builder.word(&word)?,
        }
    }
    match instant {
        Some(reading) => builder.check_beside().map(|()| reading),
        None => builder.finish(),
    }
}

/// Words for days beside today.
fn day_offset(word: &str) -> Option<i64> {
    match word {
        "today" => Some(0),
        "tomorrow" => Some(1),
        "yesterday" => Some(-1),
        _ => None,
    }
}

/// Words that stand for an instant by themselves.
fn special(word: &str) -> Option<Reading> {
    match word {
        "infinity" => Some(Reading::Infinite(true)),
        "-infinity" => Some(Reading::Infinite(false)),
        // 1970-01-01 00:00 UTC for timestamptz and the same digits for the other types, which do not heed the zone.
        "epoch" => {
            let civil = Civil { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, us: 0 };
            Some(Reading::Fields(civil, Some(ZoneRef::Fixed(0))))
        }
        _ => None,
    }
}

/// Seconds east of UTC of a numeric zone with its sign: `None` if it is none, an error's place taken by `Err` if it is beyond
/// the range of zones.
pub(crate) fn numeric_offset(text: &str) -> Result<Option<i32>, ()> {
    let mut builder = Builder::default();
    match builder.offset(text) {
        Ok(()) => match builder.zone {
            Some(ZoneRef::Fixed(east)) => Ok(Some(east)),
            _ => Ok(None),
        },
        Err(Fault::Zone) => Err(()),
        Err(_) => Ok(None),
    }
}

/// Digits as a number, `None` beyond `i32`.
pub(super) fn integer(text: &str) -> Option<i32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// `.123` as microseconds, rounded; may be a whole second.
pub(super) fn fraction_us(text: &str) -> Option<i32> {
    if text.is_empty() {
        return Some(0);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: f64 = format!("0.{text}").parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and a million")]
    Some((value * 1e6).round_ties_even() as i32)
}

impl Builder {
    fn has_date(&self) -> bool {
        self.year.is_some() || self.julian || self.month.is_some()
    }

    /// Year, month and day are known.
    fn is_date_complete(&self) -> bool {
        self.julian || self.day_of_year.is_some() || (self.month.is_some() && self.day.is_some())
    }

    /// A day of the calendar, whole.
    fn calendar(&mut self, days: i64) -> Result<(), Fault> {
        if self.has_date() || self.day.is_some() {
            return Err(Fault::Syntax);
        }
        let (year, month, day) = super::calendar::civil_from_days(days);
        (self.year, self.month, self.day, self.julian) = (Some((year, 4)), Some(month), Some(day), true);
        Ok(())
    }

    /// The transaction's time, beside which neither date nor time nor zone may stand.
    fn now(&mut self, env: &EvalEnv<'_>) -> Result<(), Fault> {
        if self.time.is_some() || self.zone.is_some() {
            return Err(Fault::Syntax);
        }
        let local = env.time_zone.to_local(env.transaction_timestamp).ok_or(Fault::Field)?;
        self.calendar(local.split().0)?;
        let civil = local.civil();
        self.time = Some((civil.hour, civil.minute, civil.second, civil.us));
        self.zone = Some(ZoneRef::Fixed(env.time_zone.offset_at(env.transaction_timestamp)));
        Ok(())
    }

    /// A zone by its name. Whether there is one of that name is asked before whether there may be another zone.
    pub(super) fn zone_name(&mut self, name: &str) -> Result<(), Fault> {
        let zone = ZoneRef::from_name(name).map_err(Fault::Error)?;
        match self.zone.replace(zone) {
            None => Ok(()),
            Some(_) => Err(Fault::Syntax),
        }
    }

    /// The midnight of UTC that `allballs` is.
    fn midnight(&mut self) -> Result<(), Fault> {
        if self.time.is_some() || self.zone.is_some() {
            return Err(Fault::Syntax);
        }
        (self.time, self.zone) = (Some((0, 0, 0, 0)), Some(ZoneRef::Fixed(0)));
        Ok(())
    }

    /// A date with separators: three parts, or a year and its day. Behind a date, a zone's name, or a time with its zone.
    pub(super) fn date(&mut self, text: &str) -> Result<(), Fault> {
        if self.is_date_complete() {
            if text.starts_with(|first: char| first.is_ascii_digit()) {
                let dash = text.find('-').filter(|_| self.time.is_none()).ok_or(Fault::Syntax)?;
                self.offset(&text[dash..])?;
                return self.number(&text[..dash]);
            }
            return self.zone_name(text);
        }
        // PostgreSQL takes no date with separators behind a time or such a word.
        if self.has_date() || self.time.is_some() || self.is_worded {
            return Err(Fault::Syntax);
        }
        let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
        let &[first, second, third] = parts.as_slice() else {
            return Err(Fault::Syntax);
        };
        if parts.iter().any(|part| part.is_empty()) {
            return Err(Fault::Syntax);
        }
        let numbers = [integer(first), integer(second), integer(third)];
        if let Some(at) = parts.iter().position(|part| month(part).is_some()) {
            self.month = month(parts[at]);
            let others: Vec<&str> = (0..3).filter(|&part| part != at).map(|part| parts[part]).collect();
            let (year, day) =
                if others[0].len() > 2 { (others[0], others[1]) } else { (others[1], others[0]) };
            self.set_year(year)?;
            self.day = Some(integer(day).ok_or(Fault::Syntax)?);
            return Ok(());
        }
        let [Some(a), Some(b), Some(c)] = numbers else {
            return Err(if parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_digit())) {
                Fault::Field
            } else {
                Fault::Syntax
            });
        };
        if first.len() > 2 {
            self.set_year(first)?;
            (self.month, self.day) = (Some(b), Some(c));
        } else {
            self.set_year(third)?;
            (self.month, self.day) = (Some(a), Some(b));
        }
        Ok(())
    }

    fn set_year(&mut self, text: &str) -> Result<(), Fault> {
        let year = integer(text).ok_or(Fault::Syntax)?;
        self.year = Some((year, text.len()));
        Ok(())
    }

    /// `HH:MM[:SS[.ffffff]]`.
    pub(super) fn clock(&mut self, text: &str) -> Result<(), Fault> {
        if self.time.is_some() {
            return Err(Fault::Syntax);
        }
        let parts: Vec<&str> = text.split(':').collect();
        let (hour, minute, second) = match *parts.as_slice() {
            [hour, minute] => (hour, minute, "0"),
            [hour, minute, second] => (hour, minute, second),
            _ => return Err(Fault::Syntax),
        };
        let (second, fraction) = second.split_once('.').unwrap_or((second, ""));
        let field = |text: &str| if text.is_empty() { None } else { integer(text) };
        let (Some(hour), Some(minute), Some(second), Some(us)) =
            (field(hour), field(minute), field(second), fraction_us(fraction))
        else {
            return Err(Fault::Syntax);
        };
        check_clock(hour, minute, second, us)?;
        self.time = Some((hour, minute, second, us));
        Ok(())
    }

    /// `+HH`, `+HHMM`, `+HH:MM[:SS]`. What is beyond the range of zones is that before what stands behind it is looked at.
    pub(super) fn offset(&mut self, text: &str) -> Result<(), Fault> {
        let negative = text.starts_with('-');
        let mut rest = &text[1..];
        let mut digits = [""; 3];
        for (at, field) in digits.iter_mut().enumerate() {
            if at > 0 {
                let Some(behind) = rest.strip_prefix(':') else { break };
                rest = behind;
            }
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            (*field, rest) = rest.split_at(end);
        }
        let [mut hours, mut minutes, seconds] = digits;
        if rest.is_empty() && minutes.is_empty() && hours.len() > 2 {
            (hours, minutes) = hours.split_at(hours.len() - 2);
        }
        let number = |digits: &str| if digits.is_empty() { Some(0) } else { integer(digits) };
        let (Some(hours), Some(minutes), Some(seconds)) = (number(hours), number(minutes), number(seconds))
        else {
            return Err(Fault::Zone);
        };
        if hours > 15 || minutes > 59 || seconds > 59 {
            return Err(Fault::Zone);
        }
        if !rest.is_empty() || self.zone.is_some() {
            return Err(Fault::Syntax);
        }
        let total = hours * 3600 + minutes * 60 + seconds;
        self.zone = Some(ZoneRef::Fixed(if negative { -total } else { total }));
        Ok(())
    }

    /// Digits without separators: their meaning hangs on what is known and on their length.
    fn number(&mut self, text: &str) -> Result<(), Fault> {
        let (digits, fraction) = match text.split_once('.') {
            Some((digits, fraction)) => (digits, Some(fraction)),
            None => (text, None),
        };
        let value = |range: std::ops::Range<usize>| integer(&digits[range]).ok_or(Fault::Syntax);
        let date_complete =
            self.year.is_some() && (self.day.is_some() || self.day_of_year.is_some()) || self.julian;
        // Parts of a date, each of which has to be an integer before it has to be a part.
        if !self.has_date()
            && fraction.is_some_and(|fraction| {
                [digits, fraction].iter().any(|part| !part.is_empty() && integer(part).is_none())
            })
        {
            return Err(Fault::Field);
        }
        if date_complete && self.time.is_none() && (self.iso_time || matches!(digits.len(), 4 | 6)) {
            let (second, minute) = match digits.len() {
                6 => (value(4..6)?, value(2..4)?),
                4 if fraction.is_none() => (0, value(2..4)?),
                _ => return Err(Fault::Syntax),
            };
            let us = fraction_us(fraction.unwrap_or("")).ok_or(Fault::Syntax)?;
            self.time = Some((value(0..2)?, minute, second, us));
            return Ok(());
        }
        if date_complete {
            return Err(Fault::Syntax);
        }
        if let Some(day) = fraction {
            // A year and its day: 1999.008
            if digits.len() != 4 || day.len() != 3 || self.month.is_some() {
                return Err(Fault::Syntax);
            }
            self.set_year(digits)?;
            self.day_of_year = Some(integer(day).ok_or(Fault::Syntax)?);
            return Ok(());
        }
        if digits.len() > 5 {
            return self.concatenated_date(digits);
        }
        self.date_part(integer(digits).ok_or(Fault::Syntax)?, digits.len())
    }

    /// `YYYYMMDD`, `YYMMDD`, of any number of digits for the year.
    fn concatenated_date(&mut self, digits: &str) -> Result<(), Fault> {
        if self.has_date() || self.day.is_some() {
            return Err(Fault::Syntax);
        }
        let length = digits.len();
        self.set_year(&digits[..length - 4])?;
        self.month = Some(integer(&digits[length - 4..length - 2]).ok_or(Fault::Syntax)?);
        self.day = Some(integer(&digits[length - 2..]).ok_or(Fault::Syntax)?);
        Ok(())
    }

    /// A part of a date by itself (`DecodeNumber`): one of three digits or more is the year where one may stand, what else
    /// comes first is the month.
    fn date_part(&mut self, number: i32, length: usize) -> Result<(), Fault> {
        let is_long = length > 2;
        match (self.year, self.month, self.day) {
            (Some(_), None, None) if length == 3 && (1..=366).contains(&number) => {
                self.day_of_year = Some(number);
            }
            (None, None, None) if is_long => self.year = Some((number, length)),
            (_, None, _) => self.month = Some(number),
            (None, Some(_), None) if self.is_month_named && is_long => self.year = Some((number, length)),
            (_, Some(_), None) => self.day = Some(number),
            (None, Some(_), Some(_)) => self.year = Some((number, length)),
            (Some(_), Some(_), Some(_)) => return Err(Fault::Syntax),
        }
        Ok(())
    }

    fn julian_day(&mut self, digits: &str) -> Result<(), Fault> {
        let julian = integer(digits).ok_or(Fault::Syntax)?;
        self.is_counted = true;
        self.calendar(i64::from(julian) - i64::from(super::EPOCH_JULIAN))
    }

    pub(super) fn word(&mut self, word: &str) -> Result<(), Fault> {
        if let Some(number) = month(word) {
            match self.month {
                // A number in front of it was no month.
                Some(day @ 1..=31) if !self.is_month_named && self.day.is_none() => self.day = Some(day),
                Some(_) => return Err(Fault::Syntax),
                None => {}
            }
            (self.month, self.is_month_named) = (Some(number), true);
            return Ok(());
        }
        match word {
            "am" | "pm" if self.afternoon.is_none() => self.afternoon = Some(word == "pm"),
            "ad" | "bc" if !self.era => (self.era, self.before_christ) = (true, word == "bc"),
            "dst" if !self.dst && !self.summer_zone => self.summer_time()?,
            "t" if self.has_date() && self.time.is_none() => self.iso_time = true,
            "at" | "on" => return Ok(()),
            _ if is_day_name(word) => {
                if std::mem::replace(&mut self.weekday, true) {
                    return Err(Fault::Syntax);
                }
            }
            _ if self.zone.is_none() => {
                self.summer_zone = super::zone::is_summer(word);
                if self.summer_zone && self.dst {
                    return Err(Fault::Syntax);
                }
                self.zone = Some(zone(word)?);
                self.is_worded |= self.summer_zone;
                return Ok(());
            }
            _ => return Err(Fault::Syntax),
        }
        self.is_worded = true;
        Ok(())
    }

    /// The word `dst`: the zone before it is an hour further ahead, and has to be one of one offset. One behind it is not.
    fn summer_time(&mut self) -> Result<(), Fault> {
        self.dst = true;
        match &mut self.zone {
            None => Ok(()),
            Some(ZoneRef::Fixed(east)) => {
                *east += 3600;
                Ok(())
            }
            Some(ZoneRef::Named(_)) => Err(Fault::Syntax),
        }
    }

    /// The zone; the word for summer time wants one, of one offset by its kind.
    pub(super) fn zone_offset(&self) -> Result<Option<ZoneRef>, Fault> {
        match (&self.zone, self.dst) {
            (None | Some(ZoneRef::Named(_)), true) => Err(Fault::Syntax),
            (zone, _) => Ok(zone.clone()),
        }
    }

    /// The parts of a date that lacks others; a whole one is checked with its year.
    fn check_parts(&self) -> Result<(), Fault> {
        let is_whole = self.year.is_some() && self.is_date_complete();
        let is_month = self.month.is_none_or(|month| (1..=12).contains(&month));
        let is_day = self.day.is_none_or(|day| (1..=31).contains(&day));
        if is_whole || (is_month && is_day) { Ok(()) } else { Err(Fault::MonthDay) }
    }

    /// Beside an infinity or the epoch fields may be missing, but those that are there have to be right.
    fn check_beside(&self) -> Result<(), Fault> {
        self.check_parts()?;
        if self.iso_time && self.time.is_none() {
            return Err(Fault::Syntax);
        }
        if self.year.is_some() && self.is_date_complete() {
            self.calendar_day()?;
        }
        if self.time.is_some() {
            self.time_of_day()?;
        }
        Ok(())
    }

    /// Checks and completes the fields.
    fn finish(mut self) -> Result<Reading, Fault> {
        self.check_parts()?;
        if self.year.is_none() || (self.iso_time && self.time.is_none()) {
            return Err(Fault::Syntax);
        }
        let (year, month, day) = self.calendar_day()?;
        self.time.get_or_insert((0, 0, 0, 0));
        let (hour, minute, second, us) = self.time_of_day()?;
        Ok(Reading::Fields(Civil { year, month, day, hour, minute, second, us }, self.zone_offset()?))
    }

    /// Year, month and day, checked.
    pub(super) fn calendar_day(&self) -> Result<(i32, i32, i32), Fault> {
        let (year, digits) = self.year.ok_or(Fault::Syntax)?;
        let year = if self.is_counted { year } else { full_year(year, digits, self.before_christ)? };
        let (month, day) = match (self.day_of_year, self.month, self.day) {
            (Some(day_of_year), _, _) => {
                let first = days_from_civil(year, 1, 1);
                let (found, month, day) =
                    super::calendar::civil_from_days(first + i64::from(day_of_year) - 1);
                if found != year {
                    return Err(Fault::Field);
                }
                (month, day)
            }
            (None, Some(month), Some(day)) => (month, day),
            _ => return Err(Fault::Syntax),
        };
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(Fault::MonthDay);
        }
        if day > days_in_month(year, month) {
            return Err(Fault::Field);
        }
        Ok((year, month, day))
    }

    /// Hour, minute, second and microsecond, checked, AM and PM done.
    pub(super) fn time_of_day(&self) -> Result<(i32, i32, i32, i32), Fault> {
        let (mut hour, minute, second, us) = self.time.ok_or(Fault::Syntax)?;
        if let Some(afternoon) = self.afternoon {
            if hour > 12 {
                return Err(Fault::Field);
            }
            hour = hour % 12 + if afternoon { 12 } else { 0 };
        }
        check_clock(hour, minute, second, us)?;
        Ok((hour, minute, second, us))
    }
}

/// 24:00:00 is the next midnight and a second of 60 the next minute, but nothing lies beyond the day's end.
pub(super) fn check_clock(hour: i32, minute: i32, second: i32, us: i32) -> Result<(), Fault> {
    if hour > 24 || minute > 59 || second > 60 {
        return Err(Fault::Field);
    }
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    if seconds * US_PER_SECOND + i64::from(us) > US_PER_DAY { Err(Fault::Field) } else { Ok(()) }
}

/// A two-digit year is of 1970 to 2069; a year before Christ counts down from 0.
fn full_year(year: i32, digits: usize, before_christ: bool) -> Result<i32, Fault> {
    if before_christ {
        return if year > 0 { Ok(1 - year) } else { Err(Fault::Field) };
    }
    match (digits, year) {
        (0..=2, 0..70) => Ok(year + 2000),
        (0..=2, 70..100) => Ok(year + 1900),
        (_, 0) => Err(Fault::Field),
        _ => Ok(year),
    }
}

/// A zone's abbreviation or name; an unknown word is bad syntax.
fn zone(word: &str) -> Result<ZoneRef, Fault> {
    if let Some(offset) = abbreviation_offset(word) {
        return Ok(ZoneRef::Fixed(offset));
    }
    ZoneRef::from_name(word).map_err(|_| Fault::Syntax)
}
