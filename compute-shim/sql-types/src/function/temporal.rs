//! Functions of dates, timestamps and intervals, and those that tell the time.
//!
//! Owns `extract`, `date_part`, `date_trunc`, `age`, `now` and their kin. Read next: `crate::datetime`.

use super::{f64_at, i32_at, str_at};
use crate::datetime::{
    Date, Field, Interval, Time, Timestamp, Timestamptz, UNIX_EPOCH_DAYS, US_PER_DAY, US_PER_SECOND, ZoneRef,
    age_between, day_of_week, extract_date, in_range, numeric_offset, unrecognized_unit, unsupported_unit,
};
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::numeric::Numeric;
use crate::types::TypeId;

pub(super) fn now(env: &EvalEnv<'_>, _: &[Datum]) -> Result<Datum> {
    Ok(Datum::Timestamptz(env.transaction_timestamp))
}

pub(super) fn statement_timestamp(env: &EvalEnv<'_>, _: &[Datum]) -> Result<Datum> {
    Ok(Datum::Timestamptz(env.statement_timestamp))
}

pub(super) fn clock_timestamp(env: &EvalEnv<'_>, _: &[Datum]) -> Result<Datum> {
    Ok(Datum::Timestamptz(env.host.clock()))
}

/// `timestamptz(date, time)`: local time of the session.
pub(super) fn date_and_time_in_zone(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (Datum::Date(date), Datum::Time(time)) = (&args[0], &args[1]) else {
        panic!("timestamptz was given {args:?}")
    };
    let local = date.at_time(*time)?;
    env.time_zone.to_utc(local).map(Datum::Timestamptz).ok_or_else(timestamp_out_of_range)
}

/// The clock as text, `Thu Jan 01 00:00:00.000000 1970 UTC`.
pub(super) fn timeofday(env: &EvalEnv<'_>, _: &[Datum]) -> Result<Datum> {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let now = env.host.clock();
    let local = env.time_zone.to_local(now).ok_or_else(timestamp_out_of_range)?;
    let civil = local.civil();
    let index = |value: i32| usize::try_from(value).expect("not negative");
    Ok(Datum::text(format!(
        "{} {} {:02} {:02}:{:02}:{:02}.{:06} {} {}",
        DAYS[index(day_of_week(local.split().0))],
        MONTHS[index(civil.month - 1)],
        civil.day,
        civil.hour,
        civil.minute,
        civil.second,
        civil.us,
        civil.year,
        env.time_zone.abbreviation_at(now),
    )))
}

fn type_name(value: &Datum) -> String {
    crate::operator::array::element_type(value).display_name()
}

/// A field of an infinity: infinite for those that grow without bound, NULL for those that come round.
fn infinite_field(field: Field, positive: bool) -> Datum {
    let grows = matches!(
        field,
        Field::Year
            | Field::Decade
            | Field::Century
            | Field::Millennium
            | Field::IsoYear
            | Field::Julian
            | Field::Epoch
    );
    if !grows {
        return Datum::Null;
    }
    Datum::Numeric(if positive { Numeric::INFINITY } else { Numeric::NEGATIVE_INFINITY })
}

/// `extract(field FROM source)`.
pub(super) fn extract(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let name = str_at(args, 0);
    let source = &args[1];
    let type_name = type_name(source);
    let field = Field::parse(name, &type_name)?;
    let infinite = match source {
        Datum::Date(date) if !date.is_finite() => Some(date.0 > 0),
        Datum::Timestamp(value) if !value.is_finite() => Some(value.0 > 0),
        Datum::Timestamptz(value) if !value.is_finite() => Some(value.0 > 0),
        _ => None,
    };
    // Whether the type has the field shows on any value of it.
    let probe = match source {
        Datum::Date(date) => extract_date(field, if infinite.is_some() { 0 } else { date.0 }),
        // An infinity is asked as if it had a zone, whether it has one or not.
        Datum::Timestamp(_) | Datum::Timestamptz(_) if infinite.is_some() => {
            Timestamptz(0).extract(field, env.time_zone)
        }
        Datum::Time(value) => value.extract(field),
        Datum::Timetz(value) => value.extract(field),
        Datum::Timestamp(value) => value.extract(field),
        Datum::Timestamptz(value) => value.extract(field, env.time_zone),
        Datum::Interval(value) => value.extract(field),
        other => panic!("extract was given {other:?}"),
    };
    let number = probe.ok_or_else(|| unsupported_unit(name, &type_name))?;
    Ok(infinite.map_or(Datum::Numeric(number), |positive| infinite_field(field, positive)))
}

/// `date_part(field, source)`: as `extract`, in `double precision`; a date counts as its midnight.
pub(super) fn date_part(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let source = match &args[1] {
        Datum::Date(date) => Datum::Timestamp(date.to_timestamp()?),
        other => other.clone(),
    };
    if let Datum::Interval(interval) = &source
        && Field::from_name(str_at(args, 0)) == Some(Field::Epoch)
    {
        return Ok(Datum::Float8(interval_seconds(interval)));
    }
    match extract(env, &[args[0].clone(), source])? {
        Datum::Numeric(number) => number.to_f64().map(Datum::Float8),
        other => Ok(other),
    }
}

/// Seconds of an interval, summed up in floats in PostgreSQL's order: the last digit hangs on it.
fn interval_seconds(interval: &Interval) -> f64 {
    const DAY: f64 = 86_400.0;
    let mut seconds = interval.us as f64 / 1e6;
    seconds += 365.25 * DAY * f64::from(interval.months / 12);
    seconds += 30.0 * DAY * f64::from(interval.months % 12);
    seconds + DAY * f64::from(interval.days)
}

/// `date_trunc(field, source [, zone])`.
pub(super) fn date_trunc(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let name = str_at(args, 0);
    let type_name = type_name(&args[1]);
    let infinite = match &args[1] {
        Datum::Timestamp(value) => !value.is_finite(),
        Datum::Timestamptz(value) => !value.is_finite(),
        _ => false,
    };
    if infinite {
        return Ok(args[1].clone());
    }
    let zone = args.get(2).map(|_| ZoneRef::from_name(str_at(args, 2))).transpose()?;
    let field = Field::parse(name, &type_name)?;
    let truncated = match &args[1] {
        Datum::Timestamp(value) => value.truncate(field).map(Datum::Timestamp),
        Datum::Timestamptz(value) => match &zone {
            None => value.truncate(field, env.time_zone).map(Datum::Timestamptz),
            Some(ZoneRef::Named(zone)) => value.truncate(field, zone).map(Datum::Timestamptz),
            Some(fixed @ ZoneRef::Fixed(_)) => {
                let local = fixed.to_local(*value).and_then(|local| local.truncate(field));
                local.and_then(|local| fixed.to_utc(local)).map(Datum::Timestamptz)
            }
        },
        Datum::Interval(value) => value.truncate(field).map(Datum::Interval),
        other => panic!("date_trunc was given {other:?}"),
    };
    // The beginning of a millennium may lie before all timestamps.
    let is_beyond = match (&args[1], &truncated) {
        (Datum::Timestamp(_), Some(Datum::Timestamp(begin))) => !in_range::timestamp(begin.0),
        (Datum::Timestamptz(_), None) => Timestamp(0).truncate(field).is_some(),
        _ => false,
    };
    if is_beyond {
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range"));
    }
    truncated.ok_or_else(|| {
        // Fields that are no units of time are not recognized at all.
        if matches!(
            field,
            Field::Epoch | Field::Dow | Field::IsoDow | Field::Doy | Field::IsoYear | Field::Julian
        ) {
            return unrecognized_unit(name, &type_name);
        }
        let error = unsupported_unit(name, &type_name);
        let week_of_interval = field == Field::Week && matches!(args[1], Datum::Interval(_));
        if week_of_interval { error.with_detail("Months usually have fractional weeks.") } else { error }
    })
}

/// `age(later, earlier)`, or `age(earlier)` up to midnight of the current day.
pub(super) fn age(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let local = |value: &Datum| match value {
        Datum::Timestamp(value) => Ok(i128::from(value.0)),
        Datum::Timestamptz(value) if *value == Timestamptz::INFINITY => {
            let east = i64::from(env.time_zone.offset_at(*value)) * US_PER_SECOND;
            Ok(i128::from(value.0) + i128::from(east))
        }
        Datum::Timestamptz(value) => {
            let local = env.time_zone.to_local(*value).ok_or_else(timestamp_out_of_range)?;
            Ok(i128::from(local.0))
        }
        other => panic!("age was given {other:?}"),
    };
    if let [later, earlier] = args {
        return age_between(local(later)?, local(earlier)?).map(Datum::Interval);
    }
    let today = local(&Datum::Timestamptz(env.transaction_timestamp))?;
    let day = i128::from(US_PER_DAY);
    age_between(today.div_euclid(day) * day, local(&args[0])?).map(Datum::Interval)
}

fn timestamp_out_of_range() -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

/// `source AT TIME ZONE zone`, its arguments the other way round; the zone is a name or an interval.
pub(super) fn timezone(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    match &args[1] {
        Datum::Timestamp(local) if !local.is_finite() => return Ok(Datum::Timestamptz(Timestamptz(local.0))),
        Datum::Timestamptz(utc) if !utc.is_finite() => return Ok(Datum::Timestamp(Timestamp(utc.0))),
        _ => {}
    }
    let zone = match &args[0] {
        Datum::Text(name) => ZoneRef::from_name(name)?,
        Datum::Interval(interval) if interval.months != 0 || interval.days != 0 => {
            let text = crate::text::output_string(&EvalEnv::without_session(), TypeId::INTERVAL, &args[0]);
            let message = format!("interval time zone \"{text}\" must not include months or days");
            return Err(SqlError::invalid_parameter(message));
        }
        Datum::Interval(interval) => {
            let seconds = interval.us / US_PER_SECOND;
            #[expect(clippy::cast_possible_truncation, reason = "PostgreSQL's are ints and wrap")]
            let (east, west) = (seconds as i32, seconds.wrapping_neg() as i32);
            if let Datum::Timestamptz(utc) = &args[1] {
                return utc.at_west(west).map(Datum::Timestamp).ok_or_else(timestamp_out_of_range);
            }
            ZoneRef::Fixed(east)
        }
        other => panic!("timezone was given {other:?}"),
    };
    match &args[1] {
        Datum::Timetz(time) => {
            // A zone with rules is taken as it is now.
            let east = match &zone {
                ZoneRef::Fixed(east) => *east,
                ZoneRef::Named(zone) => zone.offset_at(env.transaction_timestamp),
            };
            Ok(Datum::Timetz(time.at_west(east.wrapping_neg())))
        }
        Datum::Timestamp(local) => {
            zone.to_utc(*local).map(Datum::Timestamptz).ok_or_else(timestamp_out_of_range)
        }
        Datum::Timestamptz(utc) => {
            zone.to_local(*utc).map(Datum::Timestamp).ok_or_else(timestamp_out_of_range)
        }
        other => panic!("timezone was given {other:?}"),
    }
}

pub(super) fn isfinite(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(match &args[0] {
        Datum::Date(value) => value.is_finite(),
        Datum::Timestamp(value) => value.is_finite(),
        Datum::Timestamptz(value) => value.is_finite(),
        Datum::Interval(_) => true,
        other => panic!("isfinite was given {other:?}"),
    }))
}

pub(super) fn make_date(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Date::from_civil(i32_at(args, 0), i32_at(args, 1), i32_at(args, 2)).map(Datum::Date)
}

/// Microseconds since midnight; seconds of 60 are the next minute's 0.
fn clock_of(hour: i32, minute: i32, seconds: f64) -> Result<i64> {
    let us = (seconds * 1e6).round_ties_even();
    let is_time = (0..=24).contains(&hour)
        && (0..60).contains(&minute)
        && (0.0..=6e7).contains(&us)
        && (hour < 24 || (minute == 0 && us == 0.0));
    if !is_time {
        let message = format!("time field value out of range: {hour}:{minute:02}:{}", six_digits(seconds));
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most a minute, checked above")]
    Ok(us as i64 + (i64::from(hour) * 60 + i64::from(minute)) * 60 * US_PER_SECOND)
}

/// `%02g` of C: six significant digits, at least two characters.
fn six_digits(value: f64) -> String {
    let rounded = format!("{value:.5e}").parse::<f64>().unwrap_or(value);
    let mut digits = Vec::new();
    crate::text::write_f64(rounded, &mut digits);
    format!("{:0>2}", String::from_utf8_lossy(&digits))
}

pub(super) fn make_time(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    clock_of(i32_at(args, 0), i32_at(args, 1), f64_at(args, 2)).map(|us| Datum::Time(Time(us)))
}

/// `make_timestamp(year, month, day, hour, minute, seconds)`.
fn timestamp_of(args: &[Datum]) -> Result<Timestamp> {
    let date = Date::from_civil(i32_at(args, 0), i32_at(args, 1), i32_at(args, 2))?;
    let us = clock_of(i32_at(args, 3), i32_at(args, 4), f64_at(args, 5))?;
    let midnight = date.to_timestamp()?;
    let sum = midnight.0.checked_add(us).filter(|&sum| in_range::timestamp(sum));
    sum.map(Timestamp).ok_or_else(timestamp_out_of_range)
}

pub(super) fn make_timestamp(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    timestamp_of(args).map(Datum::Timestamp)
}

/// `make_timestamptz(year, …, seconds [, zone])`.
pub(super) fn make_timestamptz(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let local = timestamp_of(args)?;
    let utc = match args.get(6) {
        None => env.time_zone.to_utc(local),
        Some(_) if str_at(args, 6).starts_with(['+', '-']) => numeric_zone(str_at(args, 6))?.to_utc(local),
        Some(_) if str_at(args, 6).starts_with(|c: char| c.is_ascii_digit()) => {
            let message = format!("invalid input syntax for type numeric time zone: \"{}\"", str_at(args, 6));
            return Err(SqlError::invalid_parameter(message)
                .with_hint("Numeric time zones must have \"-\" or \"+\" as first character."));
        }
        Some(_) => ZoneRef::from_name(str_at(args, 6))?.to_utc(local),
    };
    utc.map(Datum::Timestamptz).ok_or_else(timestamp_out_of_range)
}

fn numeric_zone(name: &str) -> Result<ZoneRef> {
    match numeric_offset(name) {
        Ok(Some(east)) => Ok(ZoneRef::Fixed(east)),
        Ok(None) => Err(SqlError::invalid_parameter(format!("time zone \"{name}\" not recognized"))),
        Err(()) => Err(SqlError::invalid_parameter(format!("numeric time zone \"{name}\" out of range"))),
    }
}

/// `make_interval(years, months, weeks, days, hours, minutes, seconds)`, all of which may be left out.
pub(super) fn make_interval(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let integer = |at: usize| if at < args.len() { i32_at(args, at) } else { 0 };
    let seconds = if args.len() > 6 { f64_at(args, 6) } else { 0.0 };
    if !seconds.is_finite() {
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"));
    }
    // PostgreSQL 15 looks at nothing more: what does not fit wraps, and a float beyond the range is the least number.
    let us = (seconds * 1e6).round_ties_even();
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within the range")]
    let us = if us.abs() < i64::MAX as f64 { us as i64 } else { i64::MIN };
    let clock = (i64::from(integer(4)) * 3600 + i64::from(integer(5)) * 60) * US_PER_SECOND;
    Ok(Datum::Interval(Interval {
        months: integer(0).wrapping_mul(12).wrapping_add(integer(1)),
        days: integer(2).wrapping_mul(7).wrapping_add(integer(3)),
        us: us.wrapping_add(clock),
    }))
}

/// `date_bin(stride, source, origin)`: the beginning of the bin of this width that the source falls in.
pub(super) fn date_bin(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Datum::Interval(stride) = &args[0] else { panic!("date_bin was given {args:?}") };
    let of = |value: &Datum| match value {
        Datum::Timestamp(value) => value.0,
        Datum::Timestamptz(value) => value.0,
        other => panic!("date_bin was given {other:?}"),
    };
    let (source, origin) = (of(&args[1]), of(&args[2]));
    if !Timestamp(source).is_finite() {
        return Ok(args[1].clone());
    }
    if !Timestamp(origin).is_finite() {
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "origin out of range"));
    }
    if stride.months != 0 {
        let message = "timestamps cannot be binned into intervals containing months or years";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    let days_us = i64::from(stride.days).checked_mul(US_PER_DAY);
    let width = days_us.and_then(|days_us| days_us.checked_add(stride.us)).map(i128::from);
    let width =
        width.ok_or_else(|| SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"))?;
    if width <= 0 {
        let message = "stride must be greater than zero";
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
    }
    let bins = (i128::from(source) - i128::from(origin)).div_euclid(width);
    let begin = i64::try_from(i128::from(origin) + bins * width);
    let begin = begin.ok().filter(|&us| in_range::timestamp(us)).ok_or_else(timestamp_out_of_range)?;
    Ok(match args[1] {
        Datum::Timestamp(_) => Datum::Timestamp(Timestamp(begin)),
        _ => Datum::Timestamptz(Timestamptz(begin)),
    })
}

/// Seconds since 1970 as an instant.
pub(super) fn to_timestamp(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let seconds = f64_at(args, 0);
    let out_of_range = || {
        let mut shown = Vec::new();
        crate::text::write_f64(seconds, &mut shown);
        let message = format!("timestamp out of range: \"{}\"", String::from_utf8_lossy(&shown));
        SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
    };
    if seconds.is_nan() {
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp cannot be NaN"));
    }
    if seconds.is_infinite() {
        let infinity = if seconds > 0.0 { Timestamptz::INFINITY } else { Timestamptz::NEGATIVE_INFINITY };
        return Ok(Datum::Timestamptz(infinity));
    }
    let since_2000 = seconds - f64::from(UNIX_EPOCH_DAYS) * 86_400.0;
    let us = (since_2000 * 1e6).round_ties_even();
    if us.abs() >= i64::MAX as f64 {
        return Err(out_of_range());
    }
    #[expect(clippy::cast_possible_truncation, reason = "just checked to fit")]
    let us = us as i64;
    if in_range::timestamp(us) { Ok(Datum::Timestamptz(Timestamptz(us))) } else { Err(out_of_range()) }
}

fn interval_at(args: &[Datum]) -> Interval {
    match args {
        [Datum::Interval(interval)] => *interval,
        _ => panic!("an interval was expected: {args:?}"),
    }
}

pub(super) fn justify_hours(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    interval_at(args).justify_hours().map(Datum::Interval)
}

pub(super) fn justify_days(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    interval_at(args).justify_days().map(Datum::Interval)
}

pub(super) fn justify_interval(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    interval_at(args).justify_interval().map(Datum::Interval)
}
