//! Settings (`SET`, `SHOW`, `RESET`): their names, defaults, checks, and values of one session.

use hexalog_sql_types::datetime::TimeZone;

/// The current values of a session's settings.
#[derive(Debug)]
pub(crate) struct Settings {
    time_zone: &'static TimeZone,
}

impl Settings {
    /// The session's `TimeZone`.
    pub(crate) fn time_zone(&self) -> &TimeZone {
        self.time_zone
    }
}
