//! One shard: a log region, its machine and its segments.

/// A shard machine.
#[derive(Debug)]
pub struct Shard;

impl Shard {
    /// Monotonic time at which the shard wants [`crate::effects::Event::Tick`].
    pub fn next_deadline_us(&self) -> Option<u64> {
        None
    }
}
