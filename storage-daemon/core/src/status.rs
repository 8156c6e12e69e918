//! Status of the shard: its segments, counters and gauges.

use crate::effects::{ConnectionId, Effects};
use crate::segment::Segment;
use crate::shard::Shard;
use alloc::string::ToString;
use alloc::vec::Vec;
use hexalog_protocol::VolumeId;
use hexalog_protocol::message::{Message, SegmentStatus, Status, StatusQuery};

impl Shard {
    pub(crate) fn on_status_query(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        query: &StatusQuery,
        effects: &mut Effects,
    ) {
        let is_any = query.volume == VolumeId::default();
        let segments = self.segments.values().filter(|segment| is_any || segment.volume == query.volume);
        let counters = self.counters_and_gauges();
        let status = Status {
            node: self.options.node,
            shard: self.options.shard,
            failure: self.failure.clone(),
            segments: segments.map(|segment| self.segment_status(segment)).collect(),
            counters: counters.into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
        };
        Message::Status(status).encode(request_id, effects.send(connection));
    }

    pub(crate) fn counters_and_gauges(&self) -> Vec<(&'static str, u64)> {
        let mut list = self.counters.list();
        for (name, value) in &mut list {
            if *name == "extents_reused" {
                *value = self.extents.reused;
            }
        }
        let replay_bytes = self.log.durable().position.saturating_sub(self.superblock.replay_from);
        list.extend([
            ("log_bytes_free", self.log.free_bytes()),
            ("log_bytes_used", self.log.used_bytes()),
            ("log_replay_bytes", replay_bytes),
            ("pending_bytes", self.pending.bytes() as u64),
            ("pending_batches", self.pending.count() as u64),
            ("extents_free", self.extents.free_count() as u64),
            ("extents_dead", self.extents.dead_count() as u64),
            ("extents_live_bytes", self.extents.live_bytes()),
            ("extents_dead_bytes", self.extents.dead_bytes()),
            ("extents_backed_bytes", self.extents.backed_bytes()),
            ("extents_possible_bytes", self.extents.possible_bytes()),
            ("write_amplification_percent", self.write_amplification_percent()),
            ("pages_to_repair", self.repairs.count() as u64),
            ("room", self.room_told.room as u64),
            ("connections", self.connections.count() as u64),
            ("reads_in_flight", self.builds.count() as u64),
            ("reads_waiting", self.reads.waiting() as u64),
            ("segments", self.segments.len() as u64),
            ("index_is_loading", u64::from(!self.has_index())),
        ]);
        list
    }

    /// Bytes written to the device since the start in percent of the redo that came; 0 as long as none has.
    fn write_amplification_percent(&self) -> u64 {
        let counters = &self.counters;
        let written = counters.append_bytes
            + counters.coalesced_bytes
            + counters.delta_bytes
            + counters.collected_bytes
            + counters.checkpoint_bytes;
        written.saturating_mul(100).checked_div(counters.redo_bytes).unwrap_or(0)
    }
}

impl Shard {
    fn segment_status(&self, segment: &Segment) -> SegmentStatus {
        let (done, total) = self.fetches.progress(segment.key());
        SegmentStatus {
            volume: segment.volume,
            group: segment.group,
            segment: segment.id,
            state: segment.state(),
            writer: segment.bumped,
            membership_epoch: segment.members_promised,
            scl: segment.scl,
            vdl_heard: segment.vdl_heard,
            complete_through: segment.complete_through(),
            gc_floor: segment.gc_floor,
            pages: segment.pages.count() as u64,
            records_pending: segment.batches.unmerged_count(),
            hydration_pages_done: done,
            hydration_pages_total: total,
        }
    }
}
