//! One shard: a log region, its machine and its segments.

use crate::effects::{Effects, Event, Now};
use crate::options::ShardOptions;
use hexalog_protocol::DeviceId;
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};

/// A shard machine.
///
/// Call order: [`Shard::start`], then [`Shard::handle`] for every completion until [`Shard::is_ready`]; from
/// then on connections and frames too, and [`Shard::background`] whenever nothing else is to do. At the end
/// [`Shard::shutdown`], then completions until [`Shard::is_quiet`].
#[derive(Debug)]
pub struct Shard {
    options: ShardOptions,
}

impl Shard {
    /// The bytes that make a new device: both superblock slots, to be written and flushed at offset 0 of the
    /// superblock area. The log area must be readable over `log_bytes` (any content).
    pub fn format(_device: DeviceId, _options: &ShardOptions) -> AlignedBuffer {
        AlignedBuffer::zeroed(2 * BLOCK_BYTES)
    }

    /// Starts from the device: reads superblocks, checkpoint and log, flushes, makes the new log incarnation
    /// durable. The driver feeds completions as usual; then [`Shard::is_ready`].
    pub fn start(options: ShardOptions, _now: Now, _effects: &mut Effects) -> Shard {
        Shard { options }
    }

    /// Whether connections may be accepted.
    pub fn is_ready(&self) -> bool {
        false
    }

    /// Takes in one event.
    pub fn handle(&mut self, _now: Now, _event: Event<'_>, _effects: &mut Effects) {}

    /// One slice of background work: coalescing, gossip, checkpoint, collection. True: there is more to do now.
    pub fn background(&mut self, _now: Now, _effects: &mut Effects) -> bool {
        false
    }

    /// Monotonic time at which the shard wants [`Event::Tick`] (and a [`Shard::background`] slice).
    pub fn next_deadline_us(&self) -> Option<u64> {
        None
    }

    /// More of the log region has been written with zeros: everything below `bytes`.
    pub fn set_log_prepared_bytes(&mut self, bytes: u64) {
        assert!(bytes <= self.options.log_bytes, "the log region has an end");
        self.options.log_prepared_bytes = self.options.log_prepared_bytes.max(bytes);
    }

    /// Begins a clean stop: takes no more requests, finishes the append in flight and what waits for it.
    pub fn shutdown(&mut self, _now: Now, _effects: &mut Effects) {}

    /// Whether nothing is in flight any more after [`Shard::shutdown`].
    pub fn is_quiet(&self) -> bool {
        true
    }

    /// Counters and gauges by name, as in the `Status` answer.
    pub fn counters(&self) -> alloc::vec::Vec<(&'static str, u64)> {
        alloc::vec::Vec::new()
    }
}
