//! The world as a SQL session sees it: the clock, randomness and its own flags.

use crate::control::SessionControl;
use hexalog_sql::{CancelReason, Environment};
use std::sync::Arc;
use std::time::SystemTime;

/// Microseconds from 1970 to 2000, where PostgreSQL's timestamps begin.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

pub(crate) struct ServerEnvironment(pub Arc<SessionControl>);

impl Environment for ServerEnvironment {
    fn wall_clock_us(&self) -> i64 {
        let since_1970_us = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
        };
        since_1970_us.saturating_sub(POSTGRES_EPOCH_US)
    }

    fn random_u64(&self) -> u64 {
        crate::session::random_u64()
    }

    fn pause(&self, us: u64) {
        self.0.pause(us);
    }

    fn terminate(&self, process_id: i32) {
        self.0.terminate_other(process_id);
    }

    fn cancel(&self, process_id: i32) {
        self.0.cancel_other(process_id);
    }

    fn cancelled(&self) -> Option<CancelReason> {
        self.0.cancelled()
    }
}
