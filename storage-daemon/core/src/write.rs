//! The foreground: a writer's frame is checked and copied into the append that is being filled.
//!
//! Nothing becomes true here and nothing is answered but refusals: that is for [`crate::apply`], when the append is
//! durable. An opener's repair takes the same way under the rules of gossip.

use crate::effects::{ConnectionId, Effects, Now};
use crate::index::HELD_FACTOR;
use crate::log::{Answer, Full, Heard, Space};
use crate::segment::batches::last_counting;
use crate::segment::{Health, Segment, SegmentKey};
use crate::shard::{Phase, Shard};
use crate::shares::{SHARE, is_fair};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use hexalog_protocol::batch::Batch;
use hexalog_protocol::message::{GossipPush, RefusalReason, Write, WriterHead};
use hexalog_protocol::{GroupId, VolumeId};
use hexalog_storage_format::entry::BATCH_OVERHEAD_BYTES;

impl Shard {
    /// A writer's frame: what it tells about its volume, then its batches. Acknowledged once all of it is durable.
    pub(crate) fn on_write(
        &mut self,
        now: Now,
        connection: ConnectionId,
        request_id: u64,
        write: &Write<'_>,
        effects: &mut Effects,
    ) {
        self.last_write_us = now.monotonic_us;
        let head = &write.head;
        let volume = head.volume;
        if !matches!(self.phase, Phase::Running) {
            let reason = RefusalReason::DeviceFailed;
            return self.refuse(connection, request_id, reason, (volume, GroupId(0)), "", effects);
        }
        let hears = self.hear(connection, head, now, effects);
        let mut groups: Vec<GroupId> = head.tails.iter().map(|(group, _)| *group).collect();
        for entry in write.batches() {
            let Ok((membership, batch)) = entry else {
                let key = (volume, GroupId(0));
                self.refuse(connection, request_id, RefusalReason::Malformed, key, "batch", effects);
                return self.close(connection, effects);
            };
            let key = (volume, batch.group);
            let admitted = match self.segments.get(&key) {
                None => Err(RefusalReason::UnknownSegment),
                Some(segment) => segment.check_write(head.writer, membership),
            };
            if self.log.filling_bytes() + batch.bytes.len() > self.options.append_bytes_max / 2 {
                // It goes at the end of the turn, but must not be full before.
                self.submit_append(effects);
            }
            match admitted.and_then(|()| self.stage_batch(key, &batch, Space::Data)) {
                Ok(()) => {
                    self.segments.get_mut(&key).expect("admitted").note_fed(batch.last, now);
                    if !groups.contains(&batch.group) {
                        groups.push(batch.group);
                    }
                }
                Err(reason) => self.refuse(connection, request_id, reason, key, "", effects),
            }
        }
        if !hears && groups.is_empty() {
            // Every segment of the volume here is bound to another writer, or there is none.
            let key = self.segments_of(volume).next().map_or((volume, GroupId(0)), Segment::key);
            let reason = match self.segments.get(&key) {
                None => RefusalReason::UnknownSegment,
                Some(segment) => {
                    segment.check_writer(head.writer).err().unwrap_or(RefusalReason::EpochBehind)
                }
            };
            return self.refuse(connection, request_id, reason, key, "", effects);
        }
        let answer = Answer::WriteAck { connection, request_id, volume, writer: head.writer, groups };
        self.answer_when_durable(answer, effects);
    }

    /// Takes in what a writer tells: VDL and tails in this run at once, VDL and floor durably with the append.
    /// False if no segment of the volume is bound to this writer.
    fn hear(&mut self, connection: ConnectionId, head: &WriterHead, now: Now, effects: &mut Effects) -> bool {
        let mut hears = false;
        // A frame of an earlier connection may come late: what it tells is old, and it is no beginning.
        let told_on = self.volumes.get(&head.volume).map(|view| view.told_on).unwrap_or_default();
        let (is_new, is_late) =
            ((head.writer.epoch, connection) > told_on, (head.writer.epoch, connection) < told_on);
        let keys = (head.volume, GroupId(0))..=(head.volume, GroupId(u32::MAX));
        for (key, segment) in self.segments.range_mut(keys) {
            if head.writer.epoch > segment.promised.epoch {
                // A later writer comes here and has not bumped it: what it was told says no more how far the group is.
                segment.tail = None;
            }
            if head.writer != segment.promised || !segment.is_open() || segment.is_replaced {
                continue;
            }
            hears = true;
            if is_new {
                // All tails are told anew. One that is not is that of a segment which has been replaced, and was not told.
                segment.tail = None;
            }
            segment.hear(head.vdl);
            segment.tail_vdl = segment.tail_vdl.max(head.vdl);
            segment.pgmrpl_heard = segment.pgmrpl_heard.max(head.pgmrpl.min(head.vdl));
            if let Some((_, tail)) = head.tails.iter().find(|(group, _)| *group == key.1) {
                segment.tail = Some(segment.tail.map_or(*tail, |known| known.max(*tail)));
                if let Some(damage) = &mut segment.damage {
                    damage.tail.get_or_insert(*tail);
                }
            }
        }
        if !hears {
            return false;
        }
        let view = self.volumes.entry(head.volume).or_default();
        if !is_late {
            view.told_on = (head.writer.epoch, connection);
        }
        if !is_late && view.writer_connection.replace(connection) != Some(connection) {
            // What was lost between the state that it asked for and now, it has not been told.
            let lost = self.segments_of(head.volume).filter(|segment| segment.health != Health::Sound);
            let lost: BTreeSet<SegmentKey> = lost.map(Segment::key).collect();
            self.push_lost(&lost, effects);
        }
        let wall_time_us = if head.wall_time_us > 0 { head.wall_time_us } else { now.wall_us };
        let pgmrpl = head.pgmrpl.min(head.vdl);
        let heard = Heard { writer: head.writer, vdl: head.vdl, pgmrpl, wall_time_us };
        self.stage_heard(head.volume, heard, Space::Data);
        true
    }

    /// What was told of a volume becomes durable with the append, if it is news since some segment of it got a history: what
    /// was staged before does not count for that one. Without room it waits for some: a writer that has no more to say tells it
    /// once.
    fn stage_heard(&mut self, volume: VolumeId, heard: Heard, space: Space) {
        let known = self.volumes.entry(volume).or_default().heard_staged;
        let staged = known.filter(|staged| staged.writer == heard.writer);
        let is_new = staged.is_none_or(|staged| heard.vdl > staged.vdl || heard.pgmrpl > staged.pgmrpl);
        if !is_new {
            return;
        }
        if self.log.room_for(0, space).is_err() {
            let unstaged = &mut self.volumes.entry(volume).or_default().heard_unstaged;
            // Frames of a writer that has been replaced, or of an earlier connection, may come late.
            *unstaged = Some(unstaged.map_or(heard, |before| before.with(heard)));
            self.has_unstaged = true;
        } else {
            let heard = staged.map_or(heard, |staged| staged.with(heard));
            self.volumes.entry(volume).or_default().heard_staged = Some(heard);
            self.log.filling().push_heard(volume, heard);
        }
    }

    /// What found no room before may find some now.
    pub(crate) fn stage_what_was_heard(&mut self) {
        if !core::mem::take(&mut self.has_unstaged) || !matches!(self.phase, Phase::Running) {
            return;
        }
        let unstaged =
            self.volumes.iter_mut().filter_map(|(volume, view)| Some((*volume, view.heard_unstaged.take()?)));
        let unstaged: Vec<(VolumeId, Heard)> = unstaged.collect();
        for (volume, heard) in unstaged {
            self.stage_heard(volume, heard, Space::Data);
        }
    }

    /// An opener told a VDL that some writer told before, and a floor. They hold here if this segment has the history that the
    /// opener adopted: then nothing up to that VDL will be annulled.
    ///
    /// They are taken when records are to be let go, which only a higher VDL allows, and a higher floor where a page has many:
    /// a delta holds a block of them. A member that missed more than its memory holds would else take that much, no more, and
    /// wait: an opener needs it whole before there is a writer that tells it.
    fn hear_from_opener(&mut self, now: Now, key: SegmentKey, push: &GossipPush<'_>) {
        let is_urgent = self.is_coalescing_urgent() && matches!(self.phase, Phase::Running);
        let Some(segment) = self.segments.get_mut(&key) else { return };
        let history = segment.history.writer();
        let is_taken = segment.check_taking(push.writer, push.membership_epoch).is_ok();
        let is_news = push.vdl > segment.vdl_durable || push.gc_floor > segment.gc_floor;
        if !is_urgent || !is_taken || !is_news || push.history != history {
            return;
        }
        segment.hear(push.vdl);
        let pgmrpl = push.gc_floor.min(push.vdl);
        let heard = Heard { writer: history, vdl: push.vdl, pgmrpl, wall_time_us: now.wall_us };
        self.stage_heard(key.0, heard, Space::Freeing);
    }

    /// Copies a batch that its segment may take into the append. One that is durable or staged already is not staged
    /// again: an answer is tied to all that is staged in any case.
    pub(crate) fn stage_batch(
        &mut self,
        key: SegmentKey,
        batch: &Batch<'_>,
        space: Space,
    ) -> Result<(), RefusalReason> {
        let segment = &self.segments[&key];
        if segment.lacks_index {
            // What it would acknowledge now it is about to give up.
            return Err(RefusalReason::Damaged);
        }
        let Some(last) = last_counting(batch, &segment.history) else { return Ok(()) };
        if last <= segment.reached() || segment.batches.holds(batch.first, last) {
            self.counters.batches_repeated += 1;
            return Ok(());
        }
        if !batch.records().all(|record| segment.holds_page(record.page)) {
            return Err(RefusalReason::Malformed);
        }
        // What fills a gap may go beyond its volume's share as well: nothing above it is let go of before.
        let fills_gap = batch.backlink <= segment.scl && segment.batches.has_above(segment.scl);
        let is_shared = space == Space::Data && !fills_gap;
        if !self.has_memory_for(segment, batch, space) || (is_shared && !self.has_fair_memory_for(key.0)) {
            return Err(RefusalReason::NoSpace);
        }
        let bytes = BATCH_OVERHEAD_BYTES + batch.bytes.len();
        let room = self.log.room_for(bytes, space);
        match room.and_then(|()| if is_shared { self.log.fair_room_for(key.0, bytes) } else { Ok(()) }) {
            Ok(()) => {}
            Err(Full::Buffer) => return Err(RefusalReason::Busy),
            Err(Full::Ring) => return Err(RefusalReason::NoSpace),
        }
        self.log.push_batch(key.0, batch.bytes);
        self.segments.get_mut(&key).expect("just seen").note_staged(batch.backlink, last);
        self.counters.batches += 1;
        self.counters.redo_bytes += batch.bytes.len() as u64;
        Ok(())
    }

    /// Bounds what is held above a gap: it can be neither coalesced nor freed until the gap is filled, so it may
    /// take half of the log and of the memory, and what fills the gap may go beyond the bound.
    fn has_memory_for(&self, segment: &Segment, batch: &Batch<'_>, space: Space) -> bool {
        let bound = self.held_bytes_max();
        if space == Space::Gossip {
            // A peer sends what follows the SCL, in the chain's order.
            return self.pending.bytes() <= self.options.pending_bytes_max * 2;
        }
        if batch.backlink > segment.scl && segment.batches.has_above(segment.scl) {
            let half_of_log = self.log.ring_bytes() / 2;
            return self.pending.bytes() <= bound / 2 && self.log.used_bytes() <= half_of_log;
        }
        self.pending.bytes() <= bound
    }

    /// Bytes of records that may be held. Without an index, what is in versions already counts too.
    fn held_bytes_max(&self) -> usize {
        self.options.pending_bytes_max * if self.has_index() { 1 } else { HELD_FACTOR }
    }

    /// Whether a volume leaves the others their share of memory.
    fn has_fair_memory_for(&self, volume: VolumeId) -> bool {
        let left = self.held_bytes_max().saturating_sub(self.pending.bytes()) as u64;
        let held = self.pending.bytes_of(volume) as u64;
        is_fair(held, held, left, SHARE)
    }

    /// Ties an answer to everything staged so far; if all of that is durable already, it goes out now.
    pub(crate) fn answer_when_durable(&mut self, answer: Answer, effects: &mut Effects) {
        if let Some(durable) = self.log.tie(answer) {
            let (proof, answer) = durable;
            self.release(&proof, answer, effects);
        }
    }

    /// An opener brings a segment up to what it recovered.
    pub(crate) fn on_repair_push(
        &mut self,
        now: Now,
        connection: ConnectionId,
        request_id: u64,
        push: &GossipPush<'_>,
        effects: &mut Effects,
    ) {
        let key = (push.volume, push.group);
        let is_damaged = self.segments.get(&key).is_some_and(|segment| segment.damage.is_some());
        let staged = match is_damaged {
            true => Err(RefusalReason::Damaged),
            false => {
                self.hear_from_opener(now, key, push);
                self.stage_push(key, push)
            }
        };
        if let Err(reason) = staged {
            // What it told of the VDL may be under way, and make room.
            self.submit_append(effects);
            return self.refuse(connection, request_id, reason, key, "", effects);
        }
        let groups = Vec::from([push.group]);
        let (volume, writer) = (push.volume, push.writer);
        let answer = Answer::WriteAck { connection, request_id, volume, writer, groups };
        self.answer_when_durable(answer, effects);
    }

    /// Stages the batches of a peer or an opener.
    pub(crate) fn stage_push(&mut self, key: SegmentKey, push: &GossipPush<'_>) -> Result<(), RefusalReason> {
        if !matches!(self.phase, Phase::Running) {
            return Err(RefusalReason::DeviceFailed);
        }
        let segment = self.segments.get(&key).ok_or(RefusalReason::UnknownSegment)?;
        segment.check_taking(push.writer, push.membership_epoch)?;
        for batch in push.iter() {
            let batch = batch.map_err(|_| RefusalReason::Malformed)?;
            if batch.group != push.group {
                return Err(RefusalReason::Malformed);
            }
            self.stage_batch(key, &batch, Space::Gossip)?;
        }
        Ok(())
    }

    pub(crate) fn segments_of(&self, volume: VolumeId) -> impl Iterator<Item = &Segment> + '_ {
        self.segments.range((volume, GroupId(0))..=(volume, GroupId(u32::MAX))).map(|(_, segment)| segment)
    }
}
