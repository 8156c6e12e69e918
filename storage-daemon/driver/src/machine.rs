//! What a driver asks of the machine that it drives.
//!
//! Production has exactly one implementation, [`Shard`]; tests put a small stand-in in its place to see what
//! the driver does with effects that a real shard would emit rarely.

use hexalog_storage_core::effects::{Effects, Event, Now};
use hexalog_storage_core::shard::Shard;

/// A sans-I/O machine: input through `handle`, effects out.
pub trait Machine {
    /// Takes in one event.
    fn handle(&mut self, now: Now, event: Event<'_>, effects: &mut Effects);

    /// One slice of background work, at most about 200 us. True: there is more to do now.
    fn background(&mut self, now: Now, effects: &mut Effects) -> bool;

    /// Monotonic time at which the machine wants a tick.
    fn next_deadline_us(&self) -> Option<u64>;

    /// Whether connections may be accepted.
    fn is_ready(&self) -> bool;

    /// More of the log region has been pre-written: everything below `bytes`.
    fn set_log_prepared_bytes(&mut self, bytes: u64);

    /// Begins a clean stop.
    fn shutdown(&mut self, now: Now, effects: &mut Effects);

    /// Whether nothing is in flight any more after `shutdown`.
    fn is_quiet(&self) -> bool;
}

impl Machine for Shard {
    fn handle(&mut self, now: Now, event: Event<'_>, effects: &mut Effects) {
        Shard::handle(self, now, event, effects);
    }

    fn background(&mut self, now: Now, effects: &mut Effects) -> bool {
        Shard::background(self, now, effects)
    }

    fn next_deadline_us(&self) -> Option<u64> {
        Shard::next_deadline_us(self)
    }

    fn is_ready(&self) -> bool {
        Shard::is_ready(self)
    }

    fn set_log_prepared_bytes(&mut self, bytes: u64) {
        Shard::set_log_prepared_bytes(self, bytes);
    }

    fn shutdown(&mut self, now: Now, effects: &mut Effects) {
        Shard::shutdown(self, now, effects);
    }

    fn is_quiet(&self) -> bool {
        Shard::is_quiet(self)
    }
}
