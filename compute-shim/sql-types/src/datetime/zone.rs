//! Time zones: names, offsets and local time, on the bundled IANA database of the crate `jiff`.
//!
//! Owns [`TimeZone`] and the conversions between local time and UTC with PostgreSQL's choices: a local time that was skipped
//! counts as if before the change, one that came twice as its second coming. Read next: `calendar.rs`.

use std::sync::OnceLock;

use super::calendar::timestamp_in_range;
use super::{Timestamp, Timestamptz, UNIX_EPOCH_DAYS, US_PER_DAY, US_PER_SECOND};
use crate::error::{Result, SqlError};

/// A session's time zone with the name under which it was set (`SHOW TimeZone`).
#[derive(Clone, Debug)]
pub struct TimeZone {
    name: String,
    zone: jiff::tz::TimeZone,
    /// Seconds east of `zone`, for offsets of more than a day, which the crate has not.
    beyond: i32,
}

/// Years whose local time the database knows; beyond them the rules repeat every 400 years, as the calendar does.
const CYCLE_US: i64 = 146_097 * US_PER_DAY;
/// Within a day of the database's last instant, 9999-12-30, in microseconds since 2000.
const KNOWN_MAX_US: i64 = 7999 * 365 * US_PER_DAY;
/// Likewise on the other side: about year -7999.
const KNOWN_MIN_US: i64 = -9998 * 365 * US_PER_DAY;

/// Fixed offsets by abbreviation, in seconds east of UTC: those of PostgreSQL's default set that are in daily use.
const ABBREVIATIONS: &[(&str, i32)] = &[
    ("acst", 34_200),
    ("aedt", 39_600),
    ("aest", 36_000),
    ("akdt", -28_800),
    ("akst", -32_400),
    ("awst", 28_800),
    ("bst", 3_600),
    ("cdt", -18_000),
    ("cest", 7_200),
    ("cet", 3_600),
    ("cst", -21_600),
    ("edt", -14_400),
    ("eest", 10_800),
    ("eet", 7_200),
    ("est", -18_000),
    ("gmt", 0),
    ("hst", -36_000),
    ("ist", 7_200),
    ("jst", 32_400),
    ("kst", 32_400),
    ("mdt", -21_600),
    ("msk", 10_800),
    ("mst", -25_200),
    ("nzdt", 46_800),
    ("nzst", 43_200),
    ("pdt", -25_200),
    ("pst", -28_800),
    ("ut", 0),
    ("utc", 0),
    ("wet", 0),
    ("z", 0),
    ("zulu", 0),
];

/// Seconds east of UTC of a time zone abbreviation, in any case.
pub(crate) fn abbreviation_offset(name: &str) -> Option<i32> {
    let lower = name.to_ascii_lowercase();
    let at = ABBREVIATIONS.binary_search_by_key(&lower.as_str(), |&(name, _)| name).ok()?;
    Some(ABBREVIATIONS[at].1)
}

/// Those of the abbreviations that stand for summer time.
const SUMMER: [&str; 10] = ["aedt", "akdt", "bst", "cdt", "cest", "edt", "eest", "mdt", "nzdt", "pdt"];

/// Whether an abbreviation, in lower case, stands for summer time.
pub(super) fn is_summer(name: &str) -> bool {
    SUMMER.contains(&name)
}

/// What may stand behind AT TIME ZONE or in a timestamp: a fixed offset or a zone with rules.
#[derive(Clone, Debug)]
pub(crate) enum ZoneRef {
    /// Seconds east of UTC.
    Fixed(i32),
    /// A zone of the database.
    Named(TimeZone),
}

impl ZoneRef {
    /// An abbreviation or a zone name; 22023 `time zone "..." not recognized`.
    pub(crate) fn from_name(name: &str) -> Result<ZoneRef> {
        if let Some(offset) = abbreviation_offset(name) {
            return Ok(ZoneRef::Fixed(offset));
        }
        TimeZone::find(name)
            .map(ZoneRef::Named)
            .ok_or_else(|| SqlError::invalid_parameter(format!("time zone \"{name}\" not recognized")))
    }

    /// UTC of a local time.
    pub(crate) fn to_utc(&self, local: Timestamp) -> Option<Timestamptz> {
        match self {
            ZoneRef::Fixed(offset) => shift(local.0, -i64::from(*offset)).map(Timestamptz),
            ZoneRef::Named(zone) => zone.to_utc(local),
        }
    }

    /// Local time of a UTC time.
    pub(crate) fn to_local(&self, utc: Timestamptz) -> Option<Timestamp> {
        match self {
            ZoneRef::Fixed(offset) => shift(utc.0, i64::from(*offset)).map(Timestamp),
            ZoneRef::Named(zone) => zone.to_local(utc),
        }
    }
}

fn shift(us: i64, seconds: i64) -> Option<i64> {
    timestamp_in_range(i128::from(us) + i128::from(seconds * US_PER_SECOND))
}

impl TimeZone {
    /// Coordinated universal time.
    pub fn utc() -> &'static TimeZone {
        static UTC: OnceLock<TimeZone> = OnceLock::new();
        UTC.get_or_init(|| TimeZone { name: "UTC".to_owned(), zone: jiff::tz::TimeZone::UTC, beyond: 0 })
    }

    /// Every zone of the database.
    pub fn all() -> Vec<TimeZone> {
        jiff::tz::db().available().filter_map(|name| TimeZone::find(name.as_str())).collect()
    }

    /// The abbreviations that are known, in capitals, with seconds east of UTC and whether they stand for summer time.
    pub fn abbreviations() -> impl Iterator<Item = (String, i32, bool)> {
        ABBREVIATIONS
            .iter()
            .map(|(name, seconds)| (name.to_ascii_uppercase(), *seconds, SUMMER.contains(name)))
    }

    /// The abbreviation in use at an instant, seconds east of UTC, and whether that is summer time.
    pub fn state_at(&self, utc: Timestamptz) -> (String, i32, bool) {
        let us = into_known(utc.0) + i64::from(UNIX_EPOCH_DAYS) * US_PER_DAY;
        let instant = jiff::Timestamp::from_microsecond(us).expect("brought into the known range");
        let info = self.zone.to_offset_info(instant);
        (info.abbreviation().to_owned(), info.offset().seconds() + self.beyond, info.dst().is_dst())
    }

    /// Finds a zone as `SET TimeZone` takes it: an IANA name in any case, a POSIX specification, or a number of hours
    /// east of UTC. 22023 `invalid value for parameter "TimeZone": "..."` otherwise.
    pub fn from_name(name: &str) -> Result<TimeZone> {
        if let Ok(hours) = name.parse::<f64>() {
            return Self::from_hours(hours, name);
        }
        // The word begins a setting of another form.
        let is_interval = name.get(..8).is_some_and(|head| head.eq_ignore_ascii_case("interval"));
        let zone = Self::find(name).filter(|_| !is_interval).ok_or_else(|| {
            SqlError::invalid_parameter(format!("invalid value for parameter \"TimeZone\": \"{name}\""))
        })?;
        // PostgreSQL looks at the midnight that the year 2000 began with.
        if zone.offset_at(Timestamptz(0)) % 60 != 0 {
            let message = format!("time zone \"{name}\" appears to use leap seconds");
            return Err(
                SqlError::invalid_parameter(message).with_detail("PostgreSQL does not support leap seconds.")
            );
        }
        Ok(zone)
    }

    /// The zone of this [name](TimeZone::name). More than `from_name` takes: `SET TimeZone = '5.999'` makes one whose name would be
    /// refused.
    pub fn from_shown(name: &str) -> Option<TimeZone> {
        Self::find(name)
    }

    fn find(name: &str) -> Option<TimeZone> {
        if let Ok(zone) = jiff::tz::TimeZone::get(name) {
            let name = zone.iana_name().unwrap_or(name).to_owned();
            return Some(TimeZone { name, zone, beyond: 0 });
        }
        if let Some(west) = posix_offset(name) {
            return Some(Self::fixed(name.to_ascii_uppercase(), -west));
        }
        let zone = jiff::tz::TimeZone::posix(name).ok().or_else(|| posix_summer(name))?;
        Some(TimeZone { name: name.to_ascii_uppercase(), zone, beyond: 0 })
    }

    /// A fixed number of hours, named as PostgreSQL names it: `<+05:30>-05:30`.
    fn from_hours(hours: f64, text: &str) -> Result<TimeZone> {
        // Of infinities and what is no number neither.
        let is_within = hours.abs() < f64::from(POSIX_HOURS_MAX + 1);
        if !is_within {
            let message = format!("invalid value for parameter \"TimeZone\": \"{text}\"");
            return Err(
                SqlError::invalid_parameter(message).with_detail("UTC timezone offset is out of range.")
            );
        }
        #[expect(clippy::cast_possible_truncation, reason = "less than a week of seconds, checked above")]
        let seconds = (hours * 3600.0) as i32;
        let digits = |sign: char| {
            let (hours, minutes, rest) = (seconds.abs() / 3600, seconds.abs() / 60 % 60, seconds.abs() % 60);
            match (minutes, rest) {
                (0, 0) => format!("{sign}{hours:02}"),
                (_, 0) => format!("{sign}{hours:02}:{minutes:02}"),
                _ => format!("{sign}{hours:02}:{minutes:02}:{rest:02}"),
            }
        };
        let (east, west) = if seconds < 0 { ('-', '+') } else { ('+', '-') };
        Ok(Self::fixed(format!("<{}>{}", digits(east), digits(west)), seconds))
    }

    /// A zone so many seconds east of UTC at all times.
    fn fixed(name: String, east: i32) -> TimeZone {
        match jiff::tz::Offset::from_seconds(east) {
            Ok(offset) => TimeZone { name, zone: jiff::tz::TimeZone::fixed(offset), beyond: 0 },
            Err(_) => TimeZone { name, zone: jiff::tz::TimeZone::UTC, beyond: east },
        }
    }

    /// The name as `SHOW TimeZone` prints it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Seconds east of UTC if that is the same at all times.
    pub(crate) fn fixed_offset(&self) -> Option<i32> {
        if let Ok(offset) = self.zone.to_fixed_offset() {
            return Some(offset.seconds() + self.beyond);
        }
        let is_constant = self.zone.following(jiff::Timestamp::MIN).next().is_none();
        is_constant.then(|| self.zone.to_offset(jiff::Timestamp::UNIX_EPOCH).seconds())
    }

    /// Seconds east of UTC at an instant.
    pub fn offset_at(&self, utc: Timestamptz) -> i32 {
        let us = into_known(utc.0) + i64::from(UNIX_EPOCH_DAYS) * US_PER_DAY;
        let instant = jiff::Timestamp::from_microsecond(us).expect("brought into the known range");
        self.zone.to_offset(instant).seconds() + self.beyond
    }

    /// The abbreviation in use at an instant, `CEST`.
    pub(crate) fn abbreviation_at(&self, utc: Timestamptz) -> String {
        let us = into_known(utc.0) + i64::from(UNIX_EPOCH_DAYS) * US_PER_DAY;
        let instant = jiff::Timestamp::from_microsecond(us).expect("brought into the known range");
        self.zone.to_offset_info(instant).abbreviation().to_owned()
    }

    /// Seconds east of UTC for a local time.
    pub fn offset_at_local(&self, local: Timestamp) -> i32 {
        use jiff::tz::AmbiguousOffset;
        let civil = Timestamp(into_known(local.0)).civil();
        let small = |value: i32| i8::try_from(value).expect("fields of a date are small");
        let year = i16::try_from(civil.year).expect("brought into the known range");
        let datetime = jiff::civil::DateTime::new(
            year,
            small(civil.month),
            small(civil.day),
            small(civil.hour),
            small(civil.minute),
            small(civil.second),
            civil.us * 1000,
        )
        .expect("fields come from a timestamp");
        let offset = match self.zone.to_ambiguous_timestamp(datetime).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, .. } => before,
            AmbiguousOffset::Fold { after, .. } => after,
        };
        offset.seconds() + self.beyond
    }

    /// UTC of a local time; infinities stay. `None` outside the range of timestamps.
    pub fn to_utc(&self, local: Timestamp) -> Option<Timestamptz> {
        if !local.is_finite() {
            return Some(Timestamptz(local.0));
        }
        shift(local.0, -i64::from(self.offset_at_local(local))).map(Timestamptz)
    }

    /// Local time of a UTC time; infinities stay. `None` outside the range of timestamps.
    pub fn to_local(&self, utc: Timestamptz) -> Option<Timestamp> {
        if !utc.is_finite() {
            return Some(Timestamp(utc.0));
        }
        shift(utc.0, i64::from(self.offset_at(utc))).map(Timestamp)
    }
}

/// Hours of a POSIX specification's offset: less than a week.
const POSIX_HOURS_MAX: i32 = 167;

/// Seconds west of UTC by a POSIX specification without summer time: a name, which may be missing or stand in angle brackets,
/// and `[+-]hh[:mm[:ss]]`.
fn posix_offset(name: &str) -> Option<i32> {
    let offset = match name.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>')?.1,
        None => name.trim_start_matches(|c: char| !c.is_ascii_digit() && !matches!(c, '+' | '-' | ',')),
    };
    let digits = offset.strip_prefix(['+', '-']).unwrap_or(offset);
    let mut fields = digits.split(':').map(super::parse::integer);
    let mut next = |max: i32| fields.next().map(|field| field.filter(|field| *field <= max));
    let (hours, minutes, seconds) = (next(POSIX_HOURS_MAX)??, next(59), next(60));
    let seconds = hours * 3600 + minutes.unwrap_or(Some(0))? * 60 + seconds.unwrap_or(Some(0))?;
    (fields.next().is_none()).then_some(if offset.starts_with('-') { -seconds } else { seconds })
}

/// Rule of summer time where none is written: that of the United States.
const SUMMER_RULE: &str = ",M3.2.0,M11.1.0";

/// A POSIX specification with summer time whose names are not those that the standard allows: PostgreSQL takes whatever stands
/// before a number, `2.5` for a zone two hours west, and five in the summer, which is called `.`.
fn posix_summer(name: &str) -> Option<jiff::tz::TimeZone> {
    let (standard, rest) = posix_name(name)?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '+' | '-' | ':'))?;
    let (offset, rest) = rest.split_at(end);
    posix_offset(offset)?;
    let (summer, rest) = posix_name(rest)?;
    if summer.is_empty() {
        return None;
    }
    let rest = if rest.contains(',') { rest.to_owned() } else { format!("{rest}{SUMMER_RULE}") };
    // The crate knows names of three letters and more.
    let known = |name: &str, other: &'static str| {
        let is_known = name.len() >= 3 && name.chars().all(|c| c.is_ascii_alphanumeric());
        format!("<{}>", if is_known { name } else { other })
    };
    let spelled = format!("{}{offset}{}{rest}", known(standard, "std"), known(summer, "dst"));
    jiff::tz::TimeZone::posix(&spelled).ok()
}

/// The name that a POSIX specification begins with, maybe in angle brackets, and the rest.
fn posix_name(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>'),
        None => {
            let end = text.find(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | ','));
            Some(text.split_at(end.unwrap_or(text.len())))
        }
    }
}

/// Moves an instant by whole cycles of 400 years into the years that the database knows.
fn into_known(us: i64) -> i64 {
    if us > KNOWN_MAX_US {
        us - cycles(us - KNOWN_MAX_US) * CYCLE_US
    } else if us < KNOWN_MIN_US {
        us + cycles(KNOWN_MIN_US - us) * CYCLE_US
    } else {
        us
    }
}

/// Whole cycles that cover a distance.
fn cycles(distance: i64) -> i64 {
    assert!(distance > 0, "only distances beyond the known years are covered");
    (distance - 1) / CYCLE_US + 1
}

impl Timestamptz {
    /// `infinity`.
    pub const INFINITY: Timestamptz = Timestamptz(i64::MAX);
    /// `-infinity`.
    pub const NEGATIVE_INFINITY: Timestamptz = Timestamptz(i64::MIN);

    /// Whether it is neither infinity.
    pub fn is_finite(self) -> bool {
        self.0 != i64::MAX && self.0 != i64::MIN
    }

    /// Local time so many seconds west of UTC. `None` outside the range of timestamps.
    pub(crate) fn at_west(self, west: i32) -> Option<Timestamp> {
        shift(self.0, -i64::from(west)).map(Timestamp)
    }

    /// From microseconds since 1970-01-01 UTC, as clocks count; held within the range of timestamps.
    pub fn from_unix_us(us: i64) -> Timestamptz {
        let shifted = i128::from(us) - i128::from(UNIX_EPOCH_DAYS) * i128::from(US_PER_DAY);
        Timestamptz(timestamp_in_range(shifted).unwrap_or(super::calendar::TIMESTAMP_END - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviations_are_sorted() {
        assert!(ABBREVIATIONS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(abbreviation_offset("EST"), Some(-18_000));
        assert_eq!(abbreviation_offset("nowhere"), None);
    }

    /// What a session keeps of its zone is the name that it shows.
    #[test]
    fn every_name_that_is_taken_is_read_again() {
        let parts = [
            "<", ">", "+", "-", "0", "1", "12", "30", "59", "167", ":", ",", "M3.2.0", "J60", "/", ".",
            "est", "EDT", "a", "Z", "utc", "berlin", "America", "New_York", " ", "posix/", "4", "002",
        ];
        let (mut seed, mut taken) = (7_u64, 0);
        for _ in 0..200_000 {
            let mut name = String::new();
            let mut next = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 33) as usize
            };
            for _ in 0..=next() % 7 {
                name.push_str(parts[next() % parts.len()]);
            }
            if let Ok(zone) = TimeZone::from_name(&name) {
                taken += 1;
                let again = TimeZone::from_shown(zone.name())
                    .unwrap_or_else(|| panic!("{name:?} is shown as {:?}", zone.name()));
                assert_eq!(again.name(), zone.name(), "{name:?}");
            }
        }
        assert!(taken > 1_000, "{taken} names were taken");
    }

    #[test]
    fn names() {
        for (name, expected) in [
            ("europe/berlin", "Europe/Berlin"),
            ("utc", "UTC"),
            ("-5", "<-05>+05"),
            ("5.5", "<+05:30>-05:30"),
        ] {
            assert_eq!(TimeZone::from_name(name).expect(name).name(), expected);
        }
        for name in
            ["Europe/Berlin", "-5", "5.999", "-167.9999", "xxx-100", "<a>3", "foo3bar", "0", "-0.0001"]
        {
            let zone = TimeZone::from_name(name).expect(name);
            let again = TimeZone::from_shown(zone.name()).expect(name);
            assert_eq!((again.name(), again.fixed_offset()), (zone.name(), zone.fixed_offset()), "{name}");
        }
        let error = TimeZone::from_name("Nowhere/City").expect_err("no such zone");
        assert_eq!(
            error.to_string(),
            "ERROR 22023: invalid value for parameter \"TimeZone\": \"Nowhere/City\""
        );
    }
}
