//! Time zones: names, offsets and local time, on the bundled IANA database of the crate `jiff`.

use std::sync::OnceLock;

use crate::error::{Result, SqlError};

/// A session's time zone with the name under which it was set (`SHOW TimeZone`).
#[derive(Clone, Debug)]
pub struct TimeZone {
    name: String,
    zone: jiff::tz::TimeZone,
}

impl TimeZone {
    /// Coordinated universal time.
    pub fn utc() -> &'static TimeZone {
        static UTC: OnceLock<TimeZone> = OnceLock::new();
        UTC.get_or_init(|| TimeZone { name: "UTC".to_owned(), zone: jiff::tz::TimeZone::UTC })
    }

    /// Finds a zone as `SET TimeZone` takes it: an IANA name in any case, or a POSIX specification.
    /// 22023 `invalid value for parameter "TimeZone": "..."` otherwise.
    pub fn from_name(name: &str) -> Result<TimeZone> {
        let zone = jiff::tz::TimeZone::get(name).map_err(|_| {
            SqlError::invalid_parameter(format!("invalid value for parameter \"TimeZone\": \"{name}\""))
        })?;
        let name = zone.iana_name().unwrap_or(name).to_owned();
        Ok(TimeZone { name, zone })
    }

    /// The name as `SHOW TimeZone` prints it.
    pub fn name(&self) -> &str {
        &self.name
    }
}
