//! What is durable becomes true: the entries of an append, in their order, and then the answers that waited.
//!
//! The same function takes the appends of this run when their write has ended, and those that a start scans: what a
//! segment is after a restart is by construction what it was before.

use crate::effects::{ConnectionId, Effect, Effects, IoResult, IoToken, Now};
use crate::log::{Answer, Durable, ReplayPoint, WrittenAppend};
use crate::segment::batches::last_counting;
use crate::segment::{GivenUp, Health, Segment, SegmentKey};
use crate::shard::{Phase, Shard};
use alloc::collections::{BTreeMap, BTreeSet, btree_map};
use alloc::format;
use alloc::vec::Vec;
use hexalog_protocol::batch::Batch;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{Bumped, Done, Message, RefusalReason, WriteAck};
use hexalog_protocol::{GroupId, Lsn, VolumeEpoch, VolumeId};
use hexalog_storage_format::aligned::AlignedBuffer;
use hexalog_storage_format::append::APPEND_HEADER_BYTES;
use hexalog_storage_format::entry::{Entries, Entry};

/// Where an entry lies in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogPlace {
    pub position: u64,
    pub end: u64,
}

/// SCLs that moved in one append, and on which connection that has been told.
#[derive(Default)]
pub(crate) struct Moved {
    segments: BTreeSet<SegmentKey>,
    told: BTreeSet<(ConnectionId, SegmentKey)>,
    /// Segments that gave up their log in it.
    lost: BTreeSet<SegmentKey>,
    /// Segments whose damage ended in it.
    whole: BTreeSet<SegmentKey>,
    /// Segments that were made anew in it.
    restored: BTreeSet<SegmentKey>,
}

impl Shard {
    /// The append in flight is on the device and flushed. The next one goes first; this one takes effect with
    /// [`Shard::settle`], while the device writes.
    pub(crate) fn on_append_written(
        &mut self,
        now: Now,
        token: IoToken,
        result: IoResult,
        buffer: AlignedBuffer,
        effects: &mut Effects,
    ) {
        if result == IoResult::NoSpace && matches!(self.phase, Phase::Running) {
            self.log.hold(token, buffer);
            return self.note_no_space(now, "the log", effects);
        }
        let (durable, start, written) = match self.log.finish(token, result, buffer) {
            Ok(finished) => finished,
            Err((errno, unanswered)) => {
                self.fail("writing the log", errno, effects);
                return self.refuse_all(unanswered, effects);
            }
        };
        self.submit_append(effects);
        self.appends.push_back(start);
        self.counters.appends += 1;
        self.counters.append_bytes += written.end - written.position;
        self.durable_append = Some((durable, written));
    }

    /// What stands in an append that is durable becomes true, then those who waited for it are answered.
    pub(crate) fn apply_append(&mut self, durable: &Durable, written: WrittenAppend, effects: &mut Effects) {
        let place = LogPlace { position: written.position, end: written.end };
        let entries =
            &written.buffer.bytes()[APPEND_HEADER_BYTES..APPEND_HEADER_BYTES + written.entries_bytes];
        let mut moved = Moved::default();
        let mut answers = written.answers.into_iter().peekable();
        let mut at_the_end = Vec::new();
        for (index, entry) in Entries::of_verified(entries).enumerate() {
            let entry = entry.expect("what was staged decodes");
            self.apply_entry(&entry, place, &mut moved);
            // A bump's answer tells the state at exactly this place; the others are told the state at the end.
            while let Some((_, answer)) = answers.next_if(|(at, _)| *at == index as u32) {
                match answer {
                    Answer::Bumped { .. } => self.release(durable, answer, effects),
                    _ => at_the_end.push(answer),
                }
            }
        }
        at_the_end.extend(answers.map(|(_, answer)| answer));
        for answer in at_the_end {
            if let Answer::WriteAck { connection, volume, groups, .. } = &answer {
                moved.told.extend(groups.iter().map(|group| (*connection, (*volume, *group))));
            }
            self.release(durable, answer, effects);
        }
        self.push_moved_scls(durable, &moved, effects);
        self.note_lost(&moved.lost, effects);
        self.note_whole(&moved.whole, effects);
        self.note_restored(&moved.restored, effects);
        self.log.recycle(written.buffer);
    }

    /// What waited for an append that will never be durable is refused: no one waits for ever.
    fn refuse_all(&mut self, unanswered: Vec<(u32, Answer)>, effects: &mut Effects) {
        for (_, answer) in unanswered {
            let (connection, request_id, key) = answer.asker();
            if self.connections.is_there(connection) {
                let key = key.unwrap_or(crate::connections::NO_SEGMENT);
                self.refuse(connection, request_id, RefusalReason::DeviceFailed, key, "", effects);
            }
        }
    }

    /// One entry takes effect.
    pub(crate) fn apply_entry(&mut self, entry: &Entry<'_>, place: LogPlace, moved: &mut Moved) {
        match entry {
            Entry::Batch { volume, batch } => self.apply_batch((*volume, batch.group), batch, place, moved),
            Entry::CreateSegment(create) => {
                let key = (create.volume, create.group);
                self.segments.entry(key).or_insert_with(|| Segment::create(create));
            }
            Entry::RestoreSegment(lost) => {
                let key = (lost.volume, lost.group);
                if let btree_map::Entry::Vacant(place) = self.segments.entry(key) {
                    place.insert(Segment::restore(lost));
                    self.counters.segments_restored += 1;
                    moved.restored.insert(key);
                }
            }
            Entry::EpochBump { volume, group, writer } => {
                if let Some(segment) = self.segments.get_mut(&(*volume, *group)) {
                    segment.bump(*writer);
                }
            }
            Entry::InstallHistory { volume, group, history } => {
                let key = (*volume, *group);
                if let Some(segment) = self.segments.get_mut(&key) {
                    segment.install_history(history.clone(), &mut self.pending);
                    moved.segments.insert(key);
                    self.hear_anew(*volume);
                }
            }
            Entry::Membership { volume, group, membership } => {
                if let Some(segment) = self.segments.get_mut(&(*volume, *group))
                    && membership.epoch >= segment.membership.epoch
                {
                    segment.set_membership(membership.clone());
                }
            }
            Entry::Heard { volume, writer, vdl, pgmrpl, .. } => {
                self.apply_heard(*volume, *writer, *vdl, *pgmrpl);
            }
            Entry::MemberBeyondRetention { volume, group, segment: member } => {
                if let Some(segment) = self.segments.get_mut(&(*volume, *group)) {
                    segment.beyond_retention.insert(*member);
                }
            }
            Entry::NeedsHydration { volume, group, scl } => {
                // A replay may meet one that has been hydrated since.
                if let Some(segment) = self.segments.get_mut(&(*volume, *group))
                    && segment.base <= *scl
                {
                    segment.give_up_log(&mut self.pending);
                    segment.given_up_at = Some(GivenUp { scl: *scl, position: place.position });
                    moved.lost.insert((*volume, *group));
                }
            }
            Entry::Proven { volume, group } => {
                if let Some(segment) = self.segments.get_mut(&(*volume, *group))
                    && segment.end_damage()
                {
                    moved.whole.insert((*volume, *group));
                }
            }
        }
    }

    /// A segment has got a history: what was told before was not for it, and counts as news again.
    pub(crate) fn hear_anew(&mut self, volume: VolumeId) {
        if let Some(view) = self.volumes.get_mut(&volume) {
            view.heard_staged = None;
        }
    }

    fn apply_heard(&mut self, volume: VolumeId, writer: WriterId, vdl: Lsn, pgmrpl: Lsn) {
        let keys = (volume, GroupId(0))..=(volume, GroupId(u32::MAX));
        for segment in self.segments.range_mut(keys).map(|(_, segment)| segment) {
            // It counts where the history is the writer's: a segment that is bound to it and has not got its history yet may
            // hold, below its VDL, what that annuls. One that will have a later history by a checkpoint under way has it for
            // whoever starts from there, who passes over this.
            if segment.history.writer() == writer && segment.decided.history.is_none() {
                let limits = (segment.coalesce_limit(), segment.delta_limit());
                segment.hear(vdl);
                segment.vdl_durable = segment.vdl_durable.max(vdl);
                // From here on nothing below may be asked for: the floor is durable before anything is collected.
                segment.gc_floor = segment.gc_floor.max(pgmrpl.min(vdl));
                if (segment.coalesce_limit(), segment.delta_limit()) != limits {
                    self.coalescer.limit_moved();
                }
            }
        }
    }

    fn apply_batch(&mut self, key: SegmentKey, batch: &Batch<'_>, place: LogPlace, moved: &mut Moved) {
        let Some(segment) = self.segments.get_mut(&key) else { return };
        let Some(last) = last_counting(batch, &segment.history) else { return };
        if last >= segment.staged_through {
            // All that was staged in the chain's order is durable: from here on the SCL alone tells.
            segment.staged_through = Lsn::ZERO;
        }
        // A replay meets what a segment had before it was hydrated.
        if !segment.health.follows_log() || last <= segment.base {
            return;
        }
        let ring = self.log.ring_bytes();
        segment.runs.add(batch.first, last, batch.backlink, place.position, place.end, ring);
        let (counters, coalescer) = (&mut self.counters, &mut self.coalescer);
        let records_max = self.options.chain_records_max;
        let session = &mut segment.session;
        let tables = (&mut segment.pages, &mut self.pending);
        segment.batches.insert((batch, last), place.position, key, tables, |record, count| {
            counters.records += 1;
            if let Some(session) = session {
                session.note_record(record.page, record.lsn);
            }
            if count.is_multiple_of(records_max) {
                coalescer.note_long_chain(key, record.page);
                if count > records_max {
                    coalescer.note_overlong_chain();
                }
            }
        });
        let limit = segment.coalesce_limit();
        if segment.advance_scl() {
            moved.segments.insert(key);
            if segment.coalesce_limit() > limit {
                self.coalescer.limit_moved();
            }
            if segment.gossip.scl_moved() {
                segment.gossip.next_us = 0;
                self.links.look_now();
            }
        }
    }

    /// An answer goes out: the proof says that what it waited for is durable.
    pub(crate) fn release(&mut self, _: &Durable, answer: Answer, effects: &mut Effects) {
        match answer {
            Answer::WriteAck { connection, request_id, volume, writer, groups } => {
                if self.connections.is_there(connection) {
                    let ack = self.write_ack(volume, writer, groups.into_iter());
                    Message::WriteAck(ack).encode(request_id, effects.send(connection));
                }
            }
            Answer::Done { connection, request_id } => {
                if self.connections.is_there(connection) {
                    Message::Done(Done {}).encode(request_id, effects.send(connection));
                }
            }
            Answer::Bumped { connection, request_id, volume, group } => {
                let Some(segment) = self.segments.get(&(volume, group)) else { return };
                if self.connections.is_there(connection) {
                    let answer = bumped_answer(segment);
                    Message::Bumped(answer).encode(request_id, effects.send(connection));
                }
            }
        }
    }

    /// SCLs of those of `groups` that are bound to `writer` and sound: others are counted under another epoch, or for
    /// nothing.
    pub(crate) fn write_ack(
        &self,
        volume: VolumeId,
        writer: WriterId,
        groups: impl Iterator<Item = GroupId>,
    ) -> WriteAck {
        let segments = groups.filter_map(|group| self.segments.get(&(volume, group)));
        let counts = |segment: &&Segment| {
            let may_count = segment.health == Health::Sound && !segment.lacks_index && !segment.is_replaced;
            segment.bumped == writer && may_count
        };
        let bound: Vec<_> = segments.filter(counts).collect();
        WriteAck {
            volume,
            epoch: writer.epoch,
            vdl_heard: bound.iter().map(|segment| segment.vdl_heard).max().unwrap_or(Lsn::ZERO),
            room: self.room_told.room,
            scls: bound.iter().map(|segment| (segment.group, segment.scl)).collect(),
        }
    }

    /// SCLs that moved without the writer's doing (gossip filled a gap) are pushed to it: it may be idle and wait
    /// for exactly this one.
    fn push_moved_scls(&mut self, _: &Durable, moved: &Moved, effects: &mut Effects) {
        self.push_scls(moved.segments.iter().copied(), &moved.told, effects);
    }

    pub(crate) fn push_scls(
        &mut self,
        segments: impl Iterator<Item = SegmentKey>,
        told: &BTreeSet<(ConnectionId, SegmentKey)>,
        effects: &mut Effects,
    ) {
        let mut pushes: BTreeMap<(ConnectionId, VolumeId, VolumeEpoch), Vec<SegmentKey>> = BTreeMap::new();
        for key in segments {
            let view = self.volumes.get(&key.0).copied().unwrap_or_default();
            let Some(segment) = self.segments.get(&key) else { continue };
            if let Some(connection) = view.writer_connection
                && !told.contains(&(connection, key))
            {
                pushes.entry((connection, key.0, segment.bumped.epoch)).or_default().push(key);
            }
        }
        for ((connection, volume, _), keys) in pushes {
            let writer = self.segments[&keys[0]].bumped;
            let ack = self.write_ack(volume, writer, keys.iter().map(|key| key.1));
            Message::WriteAck(ack).encode(0, effects.send(connection));
        }
    }

    /// Segments have given up their log: the operator is told once, and their writers.
    pub(crate) fn note_lost(&mut self, lost: &BTreeSet<SegmentKey>, effects: &mut Effects) {
        self.counters.segments_given_up += lost.len() as u64;
        for (volume, group) in lost {
            let segment = &self.segments[&(*volume, *group)];
            let (id, scl) = (segment.id, segment.scl);
            let text = if segment.is_replaced {
                format!("{volume} {group:?}: {id:?} has been replaced: its log is let go")
            } else {
                format!(
                    "{volume} {group:?} needs hydration: no peer has the log after LSN {scl}; its pages are fetched from one"
                )
            };
            effects.list.push(Effect::Log(text));
        }
        self.drop_damaged_pages(lost.iter());
        self.push_lost(lost, effects);
    }

    /// An idle writer must know too that a member counts for nothing now.
    pub(crate) fn push_lost(&mut self, lost: &BTreeSet<SegmentKey>, effects: &mut Effects) {
        for key in lost {
            let view = self.volumes.get(&key.0).copied().unwrap_or_default();
            if let Some(connection) = view.writer_connection {
                let detail = "to be hydrated by pages";
                self.refuse(connection, 0, RefusalReason::Damaged, *key, detail, effects);
            }
        }
    }

    /// Where a scan would have to begin now: the oldest append with a record in no version, or the log's end.
    pub(crate) fn replay_point(&self) -> ReplayPoint {
        let Some(position) = self.pending.oldest_position() else { return self.log.durable() };
        let at = self.appends.binary_search_by_key(&position, |append| append.position);
        self.appends[at.expect("appends from the oldest pending record on are listed")]
    }
}

fn bumped_answer(segment: &Segment) -> Bumped {
    Bumped {
        volume: segment.volume,
        group: segment.group,
        segment: segment.id,
        writer: segment.bumped,
        membership_epoch: segment.membership.epoch,
        state: segment.state(),
        scl: segment.scl,
        vdl_heard: segment.vdl_heard,
        tail_heard: segment.tail_heard(),
        gc_floor: segment.gc_floor,
        history: segment.history.clone(),
        marks: segment.marks(),
    }
}
