//! The clock behind [`Now`]: read once a loop turn, passed into every call of that turn.

use hexalog_storage_core::effects::Now;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Turns the system's clocks into [`Now`].
#[derive(Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Monotonic time counts from here.
    pub fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// The time. Monotonic microseconds start at 1, so that 0 can mean "never" to a machine.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Now { monotonic_us: self.start.elapsed().as_micros() as u64 + 1, wall_us: wall.as_micros() as u64 }
    }
}
