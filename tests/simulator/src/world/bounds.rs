//! Checker: nothing grows without a bound. Whatever befalls them, shards and volume clients hold no more than they say that
//! they may: memory, log, frames and reads in flight.
//!
//! Each core lists its own bounds (`Shard::bounds`, `Client::bounds`). A shard is asked after every event that it is told, a
//! client after every turn.

use super::World;

impl World {
    /// After an event of a shard.
    pub(super) fn check_bounds_of_shard(&self, shard: usize) {
        let Some(machine) = &self.processes[shard].shard else { return };
        for bound in machine.bounds() {
            let (name, used, most) = (bound.name, bound.used, bound.most);
            assert!(used <= most, "shard {shard} holds {used} {name}, and may hold {most}");
        }
    }

    /// After a turn of a writer.
    pub(super) fn check_bounds_of_writer(&self, index: usize) {
        let writer = &self.writers[index];
        for (name, used, most) in writer.client().bounds() {
            assert!(used <= most, "writer {} holds {used} {name}, and may hold {most}", writer.run);
        }
    }
}
