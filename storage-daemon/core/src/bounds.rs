//! What of a shard grows with what is asked of it, and how far.
//!
//! Owns no rule: each bound is kept where it belongs, by a refusal (`write`, `pages::serve`, `gossip::serve`) or by taking
//! on less (`pages::coalesce`). This is the list that the simulator holds them to. Connections and what is sent on them are
//! the driver's.

use crate::gossip::LOG_READS_MAX;
use crate::pages::coalesce::ROUND_PAGES_MAX;
use crate::shard::Shard;
use alloc::vec::Vec;

/// Memory that a staged byte takes once its batch is held, at most: a record takes seven bytes or more of a batch, and its
/// entries beside it eighty.
const HELD_PER_STAGED_MAX: usize = 16;

/// Something that grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound {
    /// What.
    pub name: &'static str,
    /// How much of it there is now.
    pub used: u64,
    /// How much there may be.
    pub most: u64,
}

impl Shard {
    /// All that is bounded, with its use.
    pub fn bounds(&self) -> Vec<Bound> {
        let options = &self.options;
        let bound = |name, used: usize, most: usize| Bound { name, used: used as u64, most: most as u64 };
        // A batch is admitted while memory is below its bound, for what fills a gap below twice that; what two appends
        // hold, one staged and one in flight, comes on top.
        let staged = 2 * options.append_bytes_max * HELD_PER_STAGED_MAX;
        Vec::from([
            Bound { name: "log bytes", used: self.log.used_bytes(), most: self.log.ring_bytes() },
            bound("bytes of an append", self.log.filling_bytes(), options.append_bytes_max),
            bound("bytes of records", self.pending.bytes(), 2 * options.pending_bytes_max + staged),
            bound("builds", self.builds.count(), options.reads_in_flight_max + ROUND_PAGES_MAX),
            bound("page reads", self.reads.count(), options.reads_in_flight_max),
            bound("log reads for peers", self.links.log_reads(), LOG_READS_MAX),
        ])
    }
}
