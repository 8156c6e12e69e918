//! Dates and times inside of path expressions: what `.datetime()` gives.
//!
//! Owns the formats that are tried without a template, and comparison across types. Read next: `compare.rs`.

use std::cmp::Ordering;

use super::evaluate::{Fault, Walk};
use crate::datetime::{Date, Time, Timestamp, Timestamptz, Timetz};
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::function::from_char::read;
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
const FORMATS: [&str; 19] = [
    "yyyy-mm-dd",
    "HH24:MI:SS.USTZH:TZM",
    "HH24:MI:SS.USTZH",
    "HH24:MI:SSTZH:TZM",
    "HH24:MI:SSTZH",
    "HH24:MI:SS.US",
    "HH24:MI:SS",
    "yyyy-mm-dd HH24:MI:SS.USTZH:TZM",
    "yyyy-mm-dd HH24:MI:SS.USTZH",
    "yyyy-mm-dd HH24:MI:SSTZH:TZM",
    "yyyy-mm-dd HH24:MI:SSTZH",
    "yyyy-mm-dd\"T\"HH24:MI:SS.USTZH:TZM",
    "yyyy-mm-dd\"T\"HH24:MI:SS.USTZH",
    "yyyy-mm-dd\"T\"HH24:MI:SSTZH:TZM",
    "yyyy-mm-dd\"T\"HH24:MI:SSTZH",
    "yyyy-mm-dd HH24:MI:SS.US",
    "yyyy-mm-dd HH24:MI:SS",
    "yyyy-mm-dd\"T\"HH24:MI:SS.US",
    "yyyy-mm-dd\"T\"HH24:MI:SS",
];

impl Moment {
    /// Reads a text, by a template if there is one.
    pub(super) fn read(text: &str, template: Option<&str>) -> Walk<Moment> {
        if let Some(template) = template {
            return by_template(text, template).map_err(Fault::Path);
        }
        if let Some(moment) = FORMATS.iter().find_map(|template| by_template(text, template).ok()) {
            return Ok(moment);
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

/// A text read by a template, whose patterns decide the type.
fn by_template(text: &str, template: &str) -> Result<Moment> {
    let reading = read(text, template, true)?;
    let invalid = |message: &str| SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message);
    let east = |name: &str| {
        reading.zone.ok_or_else(|| invalid(&format!("missing time zone in input string for type {name}")))
    };
    match (reading.is_dated, reading.is_timed, reading.is_zoned) {
        (true, true, true) => {
            let east = east("timestamptz")?;
            let local = rounded(reading.local()?, reading.precision)?;
            let utc = Timestamptz(local.0 - i64::from(east) * crate::datetime::US_PER_SECOND);
            Ok(Moment::Timestamptz(utc, east))
        }
        (true, true, false) => Ok(Moment::Timestamp(rounded(reading.local()?, reading.precision)?)),
        (true, false, true) => Err(invalid("datetime format is zoned but not timed")),
        (true, false, false) => Ok(Moment::Date(reading.local()?.to_date()?)),
        (false, true, zoned) => {
            let time = Time(reading.us).round(reading.precision.unwrap_or(6));
            match zoned {
                true => Ok(Moment::Timetz(Timetz { us: time.0, west: -east("timetz")? })),
                false => Ok(Moment::Time(time)),
            }
        }
        (false, false, _) => Err(invalid("datetime format is not dated and not timed")),
    }
}

fn rounded(value: Timestamp, precision: Option<u32>) -> Result<Timestamp> {
    precision.map_or(Ok(value), |precision| value.round(precision))
}
