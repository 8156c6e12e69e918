//! Takes records that hold back the log further on in it, so that one volume does not hold it for all.
//!
//! The log is freed in its order, and a record that is in no version must stay in it. One above its segment's delta limit gets into
//! none, for as long as its writer is away (what it wrote last was never told to be durable in the volume) or its segment has a
//! gap: behind it the ring filled with what others wrote, whose records were in versions long since, until they were refused as
//! well. So the batches at the log's old end are staged once more, as they are, and the append that holds them then is where a
//! restart finds them. What members still lack holds the log as before: where runs of LSNs lie is not changed here.

use crate::effects::Effects;
use crate::log::Space;
use crate::shard::Shard;
use hexalog_storage_format::entry::BATCH_OVERHEAD_BYTES;

/// Batches taken in one slice: looked up, copied and summed in less than 100 us, as a rule.
const CARRIED_MAX: usize = 256;
/// Batches looked at in one slice; those that are on their way already are passed over.
const CARRIED_LOOKS_MAX: usize = 1024;

impl Shard {
    /// Stages what reaches back over more than half of the ring, which is twice as far as makes coalescing urgent. What writers
    /// send shares the append with it. It takes half of that: at most a quarter of the ring is to be carried, and then no more than that
    /// comes meanwhile. True if there may be more.
    pub(crate) fn carry_slice(&mut self, effects: &mut Effects) -> bool {
        let end = self.log.durable().position;
        let reaches_back = end - self.replay_point().position;
        let most = self.log.ring_bytes() / 2;
        // Where most of it is held, it would only go round.
        let is_worthwhile = self.pending.log_bytes() as u64 <= reaches_back / 2;
        if reaches_back <= most || !is_worthwhile {
            return false;
        }
        let share = self.options.append_bytes_max / 2;
        let (mut carried, mut carried_bytes, mut has_share) = (0, 0, true);
        for (key, first) in self.pending.oldest_before(end - most).take(CARRIED_LOOKS_MAX) {
            let segment = self.segments.get_mut(&key).expect("the ledger names segments");
            let limit = segment.delta_limit();
            let batch = segment.batches.get(first).expect("the ledger names held batches");
            let bytes = BATCH_OVERHEAD_BYTES + batch.bytes.len();
            has_share = self.log.filling_bytes() + bytes <= share || self.log.has_nothing_filled();
            // Coalescing sees to what it can: to pass over it would free nothing.
            let is_stuck = batch.last() > limit;
            let has_room = || self.log.room_for(bytes, Space::Gossip).is_ok();
            if !is_stuck || carried == CARRIED_MAX || !has_share || !has_room() {
                break;
            }
            if let Some(batch) = segment.batches.carry(first) {
                self.log.push_batch(key.0, &batch.bytes);
                carried += 1;
                carried_bytes += bytes;
            }
        }
        self.counters.carried_bytes += carried_bytes as u64;
        self.submit_append(effects);
        carried > 0 && has_share
    }
}
