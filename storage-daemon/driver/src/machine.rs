//! What a driver asks of the machine that it drives.
//!
//! Production has exactly one implementation, [`Shard`]; tests put a small stand-in in its place to see what
//! the driver does with effects that a real shard would emit rarely.

use hexalog_storage_core::effects::{Effects, Event, Now};
use hexalog_storage_core::shard::Shard;

/// A sans-I/O machine: input through `take_in` and `settle`, effects out.
pub trait Machine {
    /// Takes in one event, by half: what is to be written next stands in the effects.
    fn take_in(&mut self, now: Now, event: Event<'_>, effects: &mut Effects);

    /// The other half: comes after a `Written` before any other event, and else at the end of a turn of the loop.
    fn settle(&mut self, effects: &mut Effects);

    /// One slice of background work, at most about 200 us. True: there is more to do now.
    fn background(&mut self, now: Now, effects: &mut Effects) -> bool;

    /// Monotonic time at which the machine wants a tick.
    fn next_deadline_us(&self) -> Option<u64>;

    /// Whether connections may be accepted.
    fn is_ready(&self) -> bool;

    /// Everything of the log region below `bytes` has been pre-written; for the rest there is no room now if it `is_cut_short`.
    fn set_log_prepared(&mut self, bytes: u64, is_cut_short: bool);

    /// The extents area has space of its own up to `backed_bytes`, and can get some up to `possible_bytes`.
    fn set_extents_backed(&mut self, backed_bytes: u64, possible_bytes: u64);

    /// How far the extents area should have space of its own by now.
    fn extents_wanted_bytes(&self) -> u64;

    /// Begins a clean stop.
    fn shutdown(&mut self, now: Now, effects: &mut Effects);

    /// Whether nothing is in flight any more after `shutdown`.
    fn is_quiet(&self) -> bool;
}

impl Machine for Shard {
    fn take_in(&mut self, now: Now, event: Event<'_>, effects: &mut Effects) {
        Shard::take_in(self, now, event, effects);
    }

    fn settle(&mut self, effects: &mut Effects) {
        Shard::settle(self, effects);
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

    fn set_log_prepared(&mut self, bytes: u64, is_cut_short: bool) {
        Shard::set_log_prepared(self, bytes, is_cut_short);
    }

    fn set_extents_backed(&mut self, backed_bytes: u64, possible_bytes: u64) {
        Shard::set_extents_backed(self, backed_bytes, possible_bytes);
    }

    fn extents_wanted_bytes(&self) -> u64 {
        Shard::extents_wanted_bytes(self)
    }

    fn shutdown(&mut self, now: Now, effects: &mut Effects) {
        Shard::shutdown(self, now, effects);
    }

    fn is_quiet(&self) -> bool {
        Shard::is_quiet(self)
    }
}
