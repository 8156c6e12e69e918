//! Reading times of day.
//!
//! Owns the meaning of fields without a date (`DecodeTimeOnly` of PostgreSQL 15). A date in front is read, and chooses the
//! offset of a zone with rules. Read next: `clock.rs`.

use super::calendar::Civil;
use super::parse::{Builder, Fault, check_clock, fraction_us, integer};
use super::token::{Token, tokens};
use super::{Time, Timestamp, Timetz, US_PER_HOUR, US_PER_SECOND, ZoneRef};
use crate::env::EvalEnv;
use crate::error::Result;

/// A time of day, the zone written with it, and the local time of the date written with it.
struct Clock {
    us: i64,
    zone: Option<ZoneRef>,
    dated: Option<Timestamp>,
}

impl Time {
    /// Reads the input of type `time`; a zone in it is read and has no effect.
    pub fn parse(env: &EvalEnv<'_>, text: &str) -> Result<Time> {
        let clock = read(env, text).and_then(|clock| offset(env, &clock).map(|_| clock));
        clock.map(|clock| Time(clock.us)).map_err(|fault| fault.into_error("time", text))
    }
}

impl Timetz {
    /// Reads the input of type `time with time zone`; without a zone in it, it is of the session's zone today.
    pub fn parse(env: &EvalEnv<'_>, text: &str) -> Result<Timetz> {
        let read = read(env, text).and_then(|clock| {
            let east = offset(env, &clock)?;
            Ok(Timetz { us: clock.us, west: -east })
        });
        read.map_err(|fault| fault.into_error("time with time zone", text))
    }
}

/// Seconds east of UTC. A zone with rules needs a date.
fn offset(env: &EvalEnv<'_>, clock: &Clock) -> Result<i32, Fault> {
    match (&clock.zone, clock.dated) {
        (Some(ZoneRef::Fixed(east)), _) => Ok(*east),
        (Some(ZoneRef::Named(zone)), Some(local)) => Ok(zone.offset_at_local(local)),
        (Some(ZoneRef::Named(zone)), None) => zone.fixed_offset().ok_or(Fault::Syntax),
        (None, Some(local)) => Ok(env.time_zone.offset_at_local(local)),
        (None, None) => Ok(-Time(clock.us).with_zone(env.time_zone, env.transaction_timestamp).west),
    }
}

fn read(env: &EvalEnv<'_>, text: &str) -> Result<Clock, Fault> {
    let tokens = tokens(text).ok_or(Fault::Syntax)?;
    if let [Token::Word(word)] = tokens.as_slice() {
        match word.as_str() {
            "now" => {
                let local = env.time_zone.to_local(env.transaction_timestamp).ok_or(Fault::Field)?;
                return Ok(Clock { us: local.split().1, zone: None, dated: Some(local) });
            }
            "allballs" => return Ok(Clock { us: 0, zone: Some(ZoneRef::Fixed(0)), dated: None }),
            _ => {}
        }
    }
    let mut builder = Builder::default();
    let mut after_t = false;
    // A date is only taken in front of a time or of a time with its zone.
    let is_dated = matches!(tokens.as_slice(), [_, Token::Time(_), ..] | [_, .., Token::Date(_)]);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Date(text) if at == 0 && is_dated => builder.date(text)?,
            Token::Date(text) if text.starts_with(|first: char| first.is_ascii_lowercase()) => {
                builder.zone_name(text)?;
            }
            Token::Date(text) if builder.time.is_none() => {
                // `040506-08` only looks like a date.
                let dash = text.find('-').ok_or(Fault::Syntax)?;
                builder.offset(&text[dash..])?;
                builder.clock_digits(&text[..dash])?;
            }
            Token::Time(text) => builder.clock(text)?,
            Token::Signed(text) => builder.offset(text)?,
            Token::Number(text) if builder.time.is_none() => builder.clock_digits(text)?,
            Token::Word(word) if word == "t" && builder.time.is_none() && !after_t => after_t = true,
            Token::Word(word) if super::parse::month(word).is_some() => return Err(Fault::Syntax),
            Token::Word(word) if word == "t" || word == "j" => return Err(Fault::Syntax),
            Token::Word(word) if super::parse::is_day_name(word) => return Err(Fault::Syntax),
            Token::Word(word) => builder.word(word)?,
            _ => return Err(Fault::Syntax),
        }
    }
    finish(builder)
}

fn finish(builder: Builder) -> Result<Clock, Fault> {
    let (hour, minute, second, us) = builder.time_of_day()?;
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    let zone = builder.zone_offset()?;
    let dated = match builder.year {
        None => None,
        Some(_) => {
            let (year, month, day) = builder.calendar_day()?;
            // The end of the day is of the same day to a zone.
            let civil = Civil { year, month, day, hour: 0, minute: 0, second: 0, us: 0 };
            let midnight = civil.timestamp().ok_or(Fault::Field)?;
            Some(Timestamp(midnight.0 + (seconds * US_PER_SECOND).min(24 * US_PER_HOUR - 1)))
        }
    };
    Ok(Clock { us: seconds * US_PER_SECOND + i64::from(us), zone, dated })
}

impl Builder {
    /// `HHMMSS[.ffffff]`, `HHMM`.
    fn clock_digits(&mut self, text: &str) -> Result<(), Fault> {
        let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
        let value = |range: std::ops::Range<usize>| integer(&digits[range]).ok_or(Fault::Syntax);
        let (minute, second) = match digits.len() {
            6 => (value(2..4)?, value(4..6)?),
            4 => (value(2..4)?, 0),
            _ => return Err(Fault::Syntax),
        };
        let us = fraction_us(fraction).ok_or(Fault::Syntax)?;
        let hour = value(0..2)?;
        check_clock(hour, minute, second, us)?;
        self.time = Some((hour, minute, second, us));
        Ok(())
    }
}
