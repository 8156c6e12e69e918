//! Dates and times inside of path expressions: what `.datetime()` gives.
//!
//! Owns the formats that are tried without a template, and comparison across types. Read next: `compare.rs`.

use std::cmp::Ordering;

use super::evaluate::{Fault, Walk};
use crate::datetime::{Date, Time, Timestamp, Timestamptz, Timetz};
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::json::Json;
use crate::text;
use crate::types::TypeId;

/// A date or time.
#[derive(Clone, Debug)]
pub(super) enum Moment {
    Date(Date),
    Time(Time),
    Timetz(Timetz),
    Timestamp(Timestamp),
    /// With the seconds east of UTC that it was written with.
    Timestamptz(Timestamptz, i32),
}

/// Tried in this order: the first that fits the whole text decides the type.
const FORMATS: [Format; 5] = [
    Format { date: true, time: false, zone: false },
    Format { date: false, time: true, zone: true },
    Format { date: false, time: true, zone: false },
    Format { date: true, time: true, zone: true },
    Format { date: true, time: true, zone: false },
];

#[derive(Clone, Copy)]
struct Format {
    date: bool,
    time: bool,
    zone: bool,
}

impl Moment {
    /// Reads a text, by a template if there is one.
    pub(super) fn read(text: &str, template: Option<&str>, env: &EvalEnv<'_>) -> Walk<Moment> {
        if template.is_some() {
            return Err(Fault::Fatal(SqlError::unsupported("datetime() with a template")));
        }
        for format in FORMATS {
            if let Some(moment) = format.read(text, env) {
                return Ok(moment);
            }
        }
        let error = SqlError::new(
            SqlState::INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION,
            format!("datetime format is not recognized: \"{text}\""),
        );
        Err(Fault::Path(
            error.with_hint("Use a datetime template argument to specify the input data format."),
        ))
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Moment::Date(_) => "date",
            Moment::Time(_) => "time without time zone",
            Moment::Timetz(_) => "time with time zone",
            Moment::Timestamp(_) => "timestamp without time zone",
            Moment::Timestamptz(..) => "timestamp with time zone",
        }
    }

    /// As a string of ISO 8601.
    pub(super) fn to_json(&self) -> Json {
        let env = EvalEnv::without_session();
        let form = |id, value: Datum| text::output_string(&env, id, &value);
        let iso = |form: String| form.replacen(' ', "T", 1);
        Json::string(&match self {
            Moment::Date(value) => form(TypeId::DATE, Datum::Date(*value)),
            Moment::Time(value) => form(TypeId::TIME, Datum::Time(*value)),
            Moment::Timetz(value) => with_minutes(&form(TypeId::TIMETZ, Datum::Timetz(*value))),
            Moment::Timestamp(value) => iso(form(TypeId::TIMESTAMP, Datum::Timestamp(*value))),
            Moment::Timestamptz(value, east) => {
                let local = Timestamp(value.0 + i64::from(*east) * crate::datetime::US_PER_SECOND);
                let zone = form(TypeId::TIMETZ, Datum::Timetz(Timetz { us: 0, west: -east }));
                let zone = with_minutes(&zone["00:00:00".len()..]);
                iso(form(TypeId::TIMESTAMP, Datum::Timestamp(local))) + &zone
            }
        })
    }

    /// Order of two moments; `None` for those that do not compare. 0A000 where only a session's zone could tell.
    pub(super) fn compare(
        &self,
        other: &Moment,
        env: &EvalEnv<'_>,
        with_zone: bool,
    ) -> Result<Option<Ordering>> {
        use Moment as M;
        let zoned = |from: &str, to: &str| match with_zone {
            true => Ok(()),
            false => {
                let message = format!("cannot convert value from {from} to {to} without time zone usage");
                Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                    .with_hint("Use *_tz() function for time zone support."))
            }
        };
        let instant = |local: Timestamp| {
            env.time_zone
                .to_utc(local)
                .ok_or_else(|| SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range"))
        };
        Ok(Some(match (self, other) {
            (M::Date(a), M::Date(b)) => a.cmp(b),
            (M::Date(a), M::Timestamp(b)) => a.to_timestamp()?.cmp(b),
            (M::Date(a), M::Timestamptz(b, _)) => {
                zoned("date", "timestamptz")?;
                instant(a.to_timestamp()?)?.cmp(b)
            }
            (M::Time(a), M::Time(b)) => a.cmp(b),
            (M::Time(a), M::Timetz(b)) => {
                zoned("time", "timetz")?;
                a.with_zone(env.time_zone, env.transaction_timestamp).cmp(b)
            }
            (M::Timetz(a), M::Timetz(b)) => a.cmp(b),
            (M::Timestamp(a), M::Timestamp(b)) => a.cmp(b),
            (M::Timestamp(a), M::Timestamptz(b, _)) => {
                zoned("timestamp", "timestamptz")?;
                instant(*a)?.cmp(b)
            }
            (M::Timestamptz(a, _), M::Timestamptz(b, _)) => a.cmp(b),
            (M::Timetz(_), M::Time(_))
            | (M::Timestamp(_) | M::Timestamptz(..), M::Date(_))
            | (M::Timestamptz(..), M::Timestamp(_)) => {
                return Ok(other.compare(self, env, with_zone)?.map(Ordering::reverse));
            }
            _ => return Ok(None),
        }))
    }
}

/// `+02` as `+02:00`.
fn with_minutes(text: &str) -> String {
    let zone = text.rfind(['+', '-']).map_or("", |at| &text[at..]);
    let minutes = if zone.contains(':') { "" } else { ":00" };
    format!("{text}{minutes}")
}

impl Format {
    /// `YYYY-MM-DD`, `HH:MM:SS[.ffffff]`, `±HH[:MM]`, with a blank or a T between date and time.
    fn read(self, text: &str, env: &EvalEnv<'_>) -> Option<Moment> {
        let (date, time) = match (self.date, self.time) {
            (true, true) => text.split_at_checked("YYYY-MM-DD".len())?,
            (true, false) => (text, ""),
            _ => ("", text),
        };
        let time = if self.date && self.time { time.strip_prefix([' ', 'T'])? } else { time };
        let digits =
            |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        if self.date {
            let parts: Vec<&str> = date.split('-').collect();
            let [year, month, day] = parts.as_slice() else { return None };
            if !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
                return None;
            }
        }
        let zone_at = time.find(['+', '-']);
        if zone_at.is_some() != (self.time && self.zone) {
            return None;
        }
        if self.time {
            let clock = &time[..zone_at.unwrap_or(time.len())];
            let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(a, b)| (a, Some(b)));
            let parts: Vec<&str> = clock.split(':').collect();
            let is_fraction = |text: &str| (1..=6).contains(&text.len()) && digits(text, text.len());
            if parts.len() != 3
                || !parts.iter().all(|part| digits(part, 2))
                || !fraction.is_none_or(is_fraction)
                || parts[0] > "23"
                || parts[2] > "59"
            {
                return None;
            }
        }
        self.typed(text, &text.replacen('T', " ", 1), env)
    }

    fn typed(self, text: &str, plain: &str, env: &EvalEnv<'_>) -> Option<Moment> {
        Some(match (self.date, self.time, self.zone) {
            (true, false, _) => Moment::Date(Date::parse(env, text).ok()?),
            (false, _, false) => Moment::Time(Time::parse(env, text).ok()?),
            (false, _, true) => Moment::Timetz(Timetz::parse(env, text).ok()?),
            (true, true, false) => Moment::Timestamp(Timestamp::parse(env, plain).ok()?),
            (true, true, true) => {
                let local = Timestamp::parse(env, plain).ok()?;
                let instant = Timestamptz::parse(env, plain).ok()?;
                let east = i32::try_from((local.0 - instant.0) / crate::datetime::US_PER_SECOND).ok()?;
                Moment::Timestamptz(instant, east)
            }
        })
    }
}
