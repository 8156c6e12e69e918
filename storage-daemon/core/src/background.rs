//! Background work in slices, most urgent first; how much of it depends on what the foreground leaves.

use crate::effects::{Effects, Now};
use crate::shard::{Phase, Shard};

/// The shard looks around at least this often while it has work that waits for time to pass.
const LOOK_US: u64 = 20_000;

impl Shard {
    /// One slice of background work: gossip, log, hydration, checkpoint, coalescing. True: there is more to do now.
    pub fn background(&mut self, now: Now, effects: &mut Effects) -> bool {
        let serves_reads_alone = matches!(self.phase, Phase::Failed) && !self.has_index();
        if !matches!(self.phase, Phase::Running) && !serves_reads_alone {
            return false;
        }
        self.background_us = now.monotonic_us;
        if serves_reads_alone {
            return self.index_slice(now, effects);
        }
        // A frame that found the append buffer submitted with nothing in flight cannot be, but room may have come.
        self.submit_append(effects);
        self.no_space_slice(now, effects);
        if !self.has_index() {
            // Everything else rests on it.
            let more = self.index_slice(now, effects);
            self.room_slice(now, effects);
            self.invariants();
            return more;
        }
        self.retention_slice(now, effects);
        self.gossip_slice(now, effects);
        self.damage_slice(effects);
        let more = self.carry_slice(effects)
            | self.hydrate_slice(now, effects)
            | self.checkpoint_slice(now, effects)
            | self.coalesce_slice(now, effects);
        self.collect_slice(now, effects);
        self.repair_slice(now, effects);
        self.scrub_slice(now, effects);
        self.room_slice(now, effects);
        self.invariants();
        more
    }

    /// Monotonic time at which the shard wants [`crate::effects::Event::Tick`] and a [`Shard::background`] slice.
    pub fn next_deadline_us(&self) -> Option<u64> {
        if !matches!(self.phase, Phase::Running) {
            return None;
        }
        if !self.has_index() {
            return Some(self.background_us + LOOK_US);
        }
        let gossip = self.links.next_due_us();
        let has_work = self.pending.count() > 0
            || self.replay_point().position > self.superblock.replay_from
            || self.log.used_bytes() > self.log.ring_bytes() / 4
            || self.collector.is_running();
        let look = has_work.then_some(self.background_us + LOOK_US);
        [gossip, look, self.hydrate_due_us(), self.repairs.due_us(), self.scrub_due_us()]
            .into_iter()
            .flatten()
            .min()
    }
}
