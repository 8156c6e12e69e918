//! What a session is told of the world: time, randomness, and whether to stop.
//!
//! Owns the [`Environment`] trait, which the server implements (and tests fake). This crate reads no clock itself.

use hexalog_sql_types::{SqlError, SqlState};

/// How long a statement pauses that looks from time to time.
pub(crate) const LOOK_US: u64 = 10_000;

/// The world as one session sees it.
pub trait Environment: Send {
    /// Microseconds since 2000-01-01 00:00 UTC.
    fn wall_clock_us(&self) -> i64;

    /// 64 random bits.
    fn random_u64(&self) -> u64;

    /// The next time that the statement lets others run, it has nothing to do for so long: it sleeps, or looks from time to
    /// time whether something has come to pass that nobody tells it of ([`LOOK_US`]).
    fn pause(&self, _us: u64) {}

    /// Ends a session, as far as there is one of this number: DROP DATABASE WITH (FORCE), `pg_terminate_backend`.
    fn terminate(&self, _process_id: i32) {}

    /// Stops what a session runs, as its client could.
    fn cancel(&self, _process_id: i32) {}

    /// Whether the running statement shall stop. Polled at yield points.
    fn cancelled(&self) -> Option<CancelReason>;
}

/// Why a statement is stopped from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CancelReason {
    /// A CancelRequest, 57014.
    Request,
    /// `statement_timeout` has passed, 57014.
    StatementTimeout,
    /// `lock_timeout` has passed, 55P03.
    LockTimeout,
    /// The server stops, 57P01.
    Shutdown,
}

impl CancelReason {
    /// The error that the client is told.
    pub fn error(self) -> SqlError {
        let (state, message) = match self {
            CancelReason::Request => (SqlState::QUERY_CANCELED, "canceling statement due to user request"),
            CancelReason::StatementTimeout => {
                (SqlState::QUERY_CANCELED, "canceling statement due to statement timeout")
            }
            CancelReason::LockTimeout => {
                (SqlState::LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout")
            }
            CancelReason::Shutdown => {
                (SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
            }
        };
        SqlError::new(state, message)
    }
}
