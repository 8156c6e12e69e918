//! Takes records that hold back the log further on in it, so that one volume does not hold it for all.
//!
//! The log is freed in its order, and a record that is in no version must stay in it. One above its segment's delta limit gets into
//! none, for as long as its writer is away (what it wrote last was never told to be durable in the volume) or its segment has a
//! gap: behind it the ring filled with what others wrote, whose records were in versions long since, until they were refused as
//! well. So the batches at the log's old end are staged once more, as they are, and the append that holds them then is where a
//! restart finds them. What members still lack holds the log as before: where runs of LSNs lie is not changed here.

use crate::effects::Effects;
use crate::log::Space;
use crate::shard::{Phase, Shard};
use hexalog_storage_format::entry::BATCH_OVERHEAD_BYTES;

/// In one slice: copied and summed in less than 100 us.
const CARRIED_BYTES_MAX: usize = 256 << 10;
/// Batches looked at in one slice; those that are on their way already are passed over.
const CARRIED_LOOKS_MAX: usize = 4096;

impl Shard {
    /// Stages what reaches back over more than half of the ring, which is twice as far as makes coalescing urgent. True if it did.
    pub(crate) fn carry_slice(&mut self, effects: &mut Effects) -> bool {
        let end = self.log.durable().position;
        let reaches_back = end - self.replay_point().position;
        let most = self.log.ring_bytes() / 2;
        // Where most of it is held, it would only go round.
        let is_worthwhile = self.pending.bytes() as u64 <= reaches_back / 2;
        if reaches_back <= most || !is_worthwhile || !matches!(self.phase, Phase::Running) {
            return false;
        }
        let mut carried = 0;
        for (key, first) in self.pending.oldest_before(end - most).take(CARRIED_LOOKS_MAX) {
            let segment = self.segments.get_mut(&key).expect("the ledger names segments");
            let limit = segment.delta_limit();
            let batch = segment.batches.get(first).expect("the ledger names held batches");
            let bytes = BATCH_OVERHEAD_BYTES + batch.bytes.len();
            // Coalescing sees to what it can: to pass over it would free nothing.
            let is_stuck = batch.last() > limit;
            if !is_stuck || carried >= CARRIED_BYTES_MAX || self.log.room_for(bytes, Space::Gossip).is_err() {
                break;
            }
            if let Some(batch) = segment.batches.carry(first) {
                self.log.push_batch(key.0, &batch.bytes);
                carried += bytes;
            }
        }
        self.counters.carried_bytes += carried as u64;
        self.submit_append(effects);
        carried > 0
    }
}
