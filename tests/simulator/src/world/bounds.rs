//! Checker: nothing grows without a bound. Whatever befalls them, shards and volume clients hold no more than they say that
//! they may: memory, log, frames and reads in flight.
//!
//! Each core lists its own bounds (`Shard::bounds`, `Client::bounds`). A shard is asked after every event that it is told, a
//! client after every turn.

use super::World;

/// One slice may find what the one after it goes on with.
const SLICES_RESTLESS_MAX: u32 = 8;
/// What a driver of a daemon lets gather for one receiver before it takes no more from it; sizes here are smaller than its, so
/// that who sends must have stopped by itself long before.
const BYTES_UNDER_WAY_MAX: u64 = 4 << 20;
/// Sends to one receiver: each group may be asked about, or answer, by itself a few times over.
const SENDS_PER_GROUP_MAX: u64 = 8;
/// As [`SENDS_PER_GROUP_MAX`], for what is of no group: frames and notices, over the longest silence. Reads come on top, as many
/// as their writer waits for: who asks bounds them.
const SENDS_MAX: u64 = 256;

impl World {
    /// After an event of a shard.
    pub(super) fn check_bounds_of_shard(&self, shard: usize) {
        let Some(machine) = &self.processes[shard].shard else { return };
        for bound in machine.bounds() {
            let (name, used, most) = (bound.name, bound.used, bound.most);
            assert!(used <= most, "shard {shard} holds {used} {name}, and may hold {most}");
        }
    }

    /// After a slice of a shard's background work. What it waits for then is an event or a time to come: a deadline that stays
    /// in the past makes its thread turn round without end, at its neighbours' cost.
    pub(super) fn check_shard_rests(&mut self, shard: usize, has_more: bool) {
        let process = &mut self.processes[shard];
        let Some(machine) = &process.shard else { return };
        let due_us = machine.next_deadline_us().unwrap_or(u64::MAX);
        let is_restless = !has_more && due_us <= self.now_us;
        process.slices_restless = if is_restless { process.slices_restless + 1 } else { 0 };
        assert!(
            process.slices_restless <= SLICES_RESTLESS_MAX,
            "shard {shard} has had {SLICES_RESTLESS_MAX} slices in a row, and wants the next one at once: it is {}, and wants it \
             at {due_us}",
            self.now_us
        );
    }

    /// After a send: what one end has sent and the other has not got, be it that its process or the network stands still.
    pub(super) fn check_what_is_under_way(&self, connection: usize, to: usize) {
        let connection = &self.network.connections[connection];
        let (from, to, under_way) = (connection.ends[1 - to], connection.ends[to], connection.under_way[to]);
        let reads = self.writers.iter().map(|writer| writer.reads.len()).max().unwrap_or(0) as u64;
        let sends_max = SENDS_MAX + SENDS_PER_GROUP_MAX * u64::from(self.plan.groups) + reads;
        assert!(
            under_way.sends <= sends_max && under_way.bytes <= BYTES_UNDER_WAY_MAX,
            "{from:?} has sent {to:?} {} bytes in {} sends that have not arrived",
            under_way.bytes,
            under_way.sends
        );
    }

    /// After a turn of a writer.
    pub(super) fn check_bounds_of_writer(&self, index: usize) {
        let writer = &self.writers[index];
        for (name, used, most) in writer.client().bounds() {
            assert!(used <= most, "writer {} holds {used} {name}, and may hold {most}", writer.run);
        }
    }
}
