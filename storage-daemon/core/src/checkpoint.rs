//! Writes the index checkpoint and the superblock: what a restart begins with, and what frees log and extents.
//!
//! The crash-safe order: page versions are written; then the checkpoint's parts, the last with a flush, which makes
//! the versions durable too; then the superblock that names the last part, the new replay point and log head, in the
//! other slot, flushed; only then is log overwritten and are extents reused. Until the superblock is durable a
//! crash finds the old checkpoint, whose parts, versions and log are all still there.
//!
//! A superblock that is lost leaves the one before, whose checkpoint lacks what was decided since; what stands in the log the
//! scan finds again. What stands in a checkpoint alone, and would not be missed, is told only when both slots name it: a promise
//! to a writer for which the log had no room, and pages that were hydrated, without which what was acknowledged on top of them
//! is passed over.
//!
//! A checkpoint is fuzzy: pages go on changing while its parts are written, in slices. What a part says of a page may
//! be newer than the replay point: the scan meets records that are in a version already. The SCL that a start begins with is
//! not below the newest version that the chain names.

use crate::chain::Part;
use crate::effects::{Area, Effect, Effects, IoResult, Now};
use crate::log::{Answer, ReplayPoint, Space};
use crate::pages::PageEntry;
use crate::pages::extents::{Fill, Room};
use crate::segment::{Decided, Segment, SegmentKey};
use crate::shard::{Io, Phase, Shard};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use hexalog_protocol::{Lsn, PageId};
use hexalog_storage_format::address::{AREA_EXTENTS, BlockAddress};
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use hexalog_storage_format::checkpoint::{
    Item, PAGE_ITEM_BYTES_MAX, PART_BEGINS_CHAIN, PART_BEGINS_SEGMENTS, PART_ENDS_CHECKPOINT,
    PART_HEADER_BYTES, PageVersions, PartHeader, SegmentImage, VersionsThrough, part_bytes, part_crc,
};
use hexalog_storage_format::superblock::Superblock;

/// Runs in one item.
const RUNS_IN_ITEM: usize = 256;
/// After a checkpoint that found no room.
const RETRY_US: u64 = 1_000_000;
/// Least time between two checkpoints that are not due by the amount of log.
const INTERVAL_US_MIN: u64 = 10_000;

#[derive(Debug)]
enum Step {
    Fill,
    PartInFlight {
        is_last: bool,
    },
    /// `is_repeated`: once it is durable it goes to the other slot too.
    SuperblockInFlight {
        superblock: Superblock,
        is_repeated: bool,
    },
}

#[derive(Debug)]
struct Running {
    generation: u64,
    is_base: bool,
    replay: ReplayPoint,
    step: Step,
    /// Runs, as they were when the checkpoint began, and what did not fit into the part before.
    items: VecDeque<Item>,
    /// Pages still to be written: for a delta the changed ones.
    pages: BTreeSet<(SegmentKey, PageId)>,
    /// For a base: the page from which on all follow.
    cursor: Option<(SegmentKey, PageId)>,
    /// Segments, as they were when the checkpoint began: they come last, where a start finds them at once.
    segments: VecDeque<SegmentImage>,
    has_begun_segments: bool,
    /// How far the versions go that the chain will name.
    through: BTreeMap<SegmentKey, VersionsThrough>,
    /// Pages and runs taken from the changed sets, to be put back if the checkpoint fails for want of room.
    taken_pages: Vec<(SegmentKey, PageId)>,
    taken_runs: Vec<(SegmentKey, Lsn)>,
    /// Floors and decisions that become durable with it: needs no room in the log.
    floors: BTreeMap<SegmentKey, (Lsn, Decided)>,
    /// What is told then.
    answers: Vec<Answer>,
    parts: Vec<Part>,
}

/// The state of checkpointing: at most one at a time.
#[derive(Debug, Default)]
pub(crate) struct Checkpointer {
    changed: BTreeSet<(SegmentKey, PageId)>,
    running: Option<Running>,
    /// The durable chain, oldest part first.
    chain: Vec<Part>,
    /// How far the versions go that it names. What is in memory may be newer, and rest on log that a start does not find: the SCL
    /// that it begins with must not.
    through: BTreeMap<SegmentKey, VersionsThrough>,
    /// Bytes of the chain's base; 0 after a start, which does not count them.
    base_bytes: u64,
    deltas: u32,
    /// The next one is a base, and is due: something of the chain does not read back.
    begins_anew: bool,
    generation: u64,
    last_us: u64,
    retry_at_us: u64,
    /// What the next checkpoint that begins makes true.
    answers: Vec<Answer>,
}

impl Checkpointer {
    /// Versions of a page changed: use [`Shard::note_versions_changed`].
    fn note_changed(&mut self, key: SegmentKey, page: PageId) {
        self.changed.insert((key, page));
    }

    /// `answer` waits for a decision that the next checkpoint to begin makes durable. At most one for each request that
    /// found no room, and a link asks one at a time.
    pub fn answer_when_durable(&mut self, answer: Answer) {
        self.answers.push(answer);
    }

    /// The next checkpoint rests on nothing that is on the device now.
    pub fn begin_anew(&mut self) {
        self.begins_anew = true;
    }

    /// Parts of the durable chain.
    pub fn parts(&self) -> usize {
        self.chain.len()
    }

    /// One of them.
    pub fn part(&self, index: usize) -> Option<Part> {
        self.chain.get(index).copied()
    }

    pub fn is_in_use(&self, part: Part) -> bool {
        self.chain.contains(&part)
    }

    /// A segment has other versions than the chain names, none of them newer than its SCL in the next checkpoint.
    pub fn versions_replaced(&mut self, key: SegmentKey, through: VersionsThrough) {
        self.through.insert(key, through);
        if let Some(running) = &mut self.running {
            running.through.insert(key, through);
        }
    }

    /// Goes on from the chain that a start has read, with versions as far as it names them.
    pub fn restore(
        &mut self,
        chain: Vec<Part>,
        checkpoints: u32,
        generation: u64,
        through: BTreeMap<SegmentKey, VersionsThrough>,
    ) {
        self.through = through;
        self.chain = chain;
        self.deltas = checkpoints.saturating_sub(1);
        self.generation = generation;
    }

    /// Whether the chain's deltas take as much as its base, so that a new base frees the most of it.
    fn chain_has_doubled(&self) -> bool {
        let bytes: u64 = self.chain.iter().map(|part| u64::from(part.bytes)).sum();
        bytes >= 2 * self.base_bytes
    }

    /// Parts that must not be overwritten, with their sizes.
    pub fn live_parts(&self) -> Vec<(BlockAddress, u64)> {
        let running = self.running.iter().flat_map(|running| running.parts.iter());
        self.chain.iter().chain(running).map(|part| (part.address, u64::from(part.bytes))).collect()
    }
}

impl Shard {
    /// Versions of a page changed.
    pub(crate) fn note_versions_changed(&mut self, key: SegmentKey, page: PageId) {
        self.segments.get_mut(&key).expect("segments stay").pages.note_versions(page);
        self.checkpointer.note_changed(key, page);
    }

    /// Does one piece of a checkpoint, or begins one that is due; true if there is more to do now.
    pub(crate) fn checkpoint_slice(&mut self, now: Now, effects: &mut Effects) -> bool {
        match &self.checkpointer.running {
            None if self.checkpoint_is_due(now) => self.begin_checkpoint(now),
            None => return false,
            Some(running) if !matches!(running.step, Step::Fill) => return false,
            Some(_) => {}
        }
        self.write_part(now, effects);
        false
    }

    fn checkpoint_is_due(&self, now: Now) -> bool {
        let now_us = now.monotonic_us;
        if now_us < self.checkpointer.retry_at_us {
            return false;
        }
        let replay = self.replay_point().position;
        let progress = replay - self.superblock.replay_from;
        if progress >= self.options.checkpoint_log_bytes {
            return true;
        }
        if now_us < self.checkpointer.last_us + INTERVAL_US_MIN {
            return false;
        }
        let is_short = self.log.used_bytes() > self.log.ring_bytes() / 4;
        let allowed =
            |shard: &Shard| shard.log_head_allowed(replay, |key| Some(&shard.segments[key].decided));
        if is_short && allowed(self) > self.log.head() + self.log.ring_bytes() / 16 {
            return true;
        }
        // An answer that came while the last one ran may wait for what that one has made durable: nothing is decided any more then.
        let is_waited_for = !self.checkpointer.answers.is_empty();
        let has_decisions = || self.segments.values().any(|it| !it.decided.is_empty());
        if self.checkpointer.begins_anew || is_waited_for || has_decisions() {
            return true;
        }
        if self.has_bad_log() && progress > 0 {
            return true;
        }
        let is_floor_late = |segment: &Segment| segment.pgmrpl_heard > segment.gc_floor;
        if self.log.room_for(0, Space::Data).is_err() && self.segments.values().any(is_floor_late) {
            return true;
        }
        let frees_extents = match self.extents.room() {
            Room::Exhausted => self.extents.dead_count() > 0,
            Room::Short => self.extents.room_soon() < Room::Short,
            Room::Low | Room::Ample => false,
        };
        if frees_extents {
            return true;
        }
        let has_changed = progress > 0 || !self.checkpointer.changed.is_empty();
        has_changed && now_us >= self.checkpointer.last_us + self.options.checkpoint_interval_us
    }

    fn begin_checkpoint(&mut self, now: Now) {
        let replay = self.replay_point();
        let is_short = self.extents.room() >= Room::Short;
        let checkpointer = &mut self.checkpointer;
        checkpointer.last_us = now.monotonic_us;
        checkpointer.generation += 1;
        let is_base = core::mem::take(&mut checkpointer.begins_anew)
            || checkpointer.deltas >= self.options.checkpoint_deltas_max
            || checkpointer.chain.is_empty()
            || (is_short && checkpointer.chain_has_doubled());
        let changed = core::mem::take(&mut checkpointer.changed);
        let mut running = Running {
            generation: checkpointer.generation,
            is_base,
            replay,
            step: Step::Fill,
            items: VecDeque::new(),
            taken_pages: changed.iter().copied().collect(),
            taken_runs: Vec::new(),
            floors: BTreeMap::new(),
            answers: core::mem::take(&mut checkpointer.answers),
            pages: if is_base { BTreeSet::new() } else { changed },
            cursor: self.segments.first_key_value().filter(|_| is_base).map(|(key, _)| (*key, PageId(0))),
            segments: VecDeque::new(),
            has_begun_segments: false,
            through: if is_base { BTreeMap::new() } else { checkpointer.through.clone() },
            parts: Vec::new(),
        };
        for (key, segment) in &mut self.segments {
            let image = segment.to_image();
            running.floors.insert(*key, (image.gc_floor, segment.decided.clone()));
            running.segments.push_back(image);
            // What lies at or above the replay point is found by the scan.
            let runs = segment.runs.take_for_checkpoint(is_base);
            running.taken_runs.extend(runs.iter().map(|run| (*key, run.first)));
            for some in runs.chunks(RUNS_IN_ITEM) {
                running.items.push_back(Item::Runs(key.0, key.1, some.to_vec()));
            }
        }
        self.extents.checkpoint_begins(running.generation);
        self.checkpointer.running = Some(running);
    }

    /// Fills and writes the next part.
    fn write_part(&mut self, now: Now, effects: &mut Effects) {
        let mut running = self.checkpointer.running.take().expect("the caller found it");
        let (items, flags) = self.fill_part(&mut running);
        let is_last = flags & PART_ENDS_CHECKPOINT != 0;
        let bytes = part_bytes(items.len());
        let Some((offset, _)) = self.extents.allocate(Fill::Parts, 1, bytes as u64) else {
            return self.abandon_checkpoint(running, now, effects);
        };
        let previous =
            running.parts.last().or(if running.is_base { None } else { self.checkpointer.chain.last() });
        let chain_before = if running.is_base { 0 } else { self.checkpointer.chain.len() };
        let begins = running.is_base && running.parts.is_empty();
        let header = PartHeader {
            device: self.superblock.device,
            offset,
            generation: running.generation,
            index: (chain_before + running.parts.len()) as u32,
            flags: flags | if begins { PART_BEGINS_CHAIN } else { 0 },
            previous: previous.map_or(BlockAddress::NONE, |part| part.address),
            previous_bytes: previous.map_or(0, |part| part.bytes),
            previous_crc: previous.map_or(0, |part| part.crc),
        };
        let mut buffer = AlignedBuffer::zeroed(bytes);
        header.encode(&items, buffer.bytes_mut());
        let (address, crc) = (BlockAddress::new(AREA_EXTENTS, offset), part_crc(buffer.bytes()));
        running.parts.push(Part { address, bytes: bytes as u32, crc });
        running.step = Step::PartInFlight { is_last };
        self.checkpointer.running = Some(running);
        self.counters.checkpoint_bytes += bytes as u64;
        let token = self.token(Io::CheckpointPart);
        effects.list.push(Effect::Write { token, area: Area::Extents, offset, buffer, flush: is_last });
    }

    /// Items of the next part, and its flags.
    fn fill_part(&self, running: &mut Running) -> (Vec<u8>, u32) {
        let limit =
            self.options.checkpoint_part_bytes.min(self.options.extent_bytes as usize - PART_HEADER_BYTES);
        let mut items = Vec::new();
        let mut flags = 0;
        while items.len() < limit / 2 {
            let item = running.items.pop_front().or_else(|| self.next_pages(running, limit / 2));
            let mut bytes = Vec::new();
            let Some(item) = item else {
                if !core::mem::replace(&mut running.has_begun_segments, true) {
                    flags |= PART_BEGINS_SEGMENTS;
                }
                let Some(image) = running.segments.pop_front() else {
                    return (items, flags | PART_ENDS_CHECKPOINT);
                };
                // Every version that the checkpoint names is in a part by now.
                let through = running.through.get(&(image.volume, image.group)).copied().unwrap_or_default();
                Item::Segment(image.clone()).encode(&mut bytes);
                Item::Versions(image.volume, image.group, through).encode(&mut bytes);
                if !items.is_empty() && items.len() + bytes.len() > limit {
                    running.segments.push_front(image);
                    break;
                }
                items.extend_from_slice(&bytes);
                continue;
            };
            item.encode(&mut bytes);
            if !items.is_empty() && items.len() + bytes.len() > limit {
                running.items.push_front(item);
                break;
            }
            items.extend_from_slice(&bytes);
        }
        (items, flags)
    }

    /// The next pages of one segment, up to about `bytes_max` of them.
    fn next_pages(&self, running: &mut Running, bytes_max: usize) -> Option<Item> {
        if running.is_base {
            return self.next_pages_of_base(running, bytes_max);
        }
        let (key, _) = *running.pages.first()?;
        let mut pages: Vec<(PageId, PageVersions)> = Vec::new();
        let mut bytes = 0;
        while bytes < bytes_max && running.pages.first().is_some_and(|(next, _)| *next == key) {
            let (_, page) = running.pages.pop_first().expect("just seen");
            let entry = self.segments[&key].pages.get(page);
            let versions = entry.map(PageEntry::versions).unwrap_or_default();
            bytes += PAGE_ITEM_BYTES_MAX;
            running.through.entry(key).or_default().include(&versions);
            pages.push((page, versions));
        }
        Some(Item::Pages(key.0, key.1, pages))
    }

    fn next_pages_of_base(&self, running: &mut Running, bytes_max: usize) -> Option<Item> {
        loop {
            let (key, from) = running.cursor?;
            let mut pages = Vec::new();
            let mut bytes = 0;
            let mut next = None;
            for (page, entry) in self.segments[&key].pages.range_from(from) {
                if bytes >= bytes_max {
                    next = Some((key, page));
                    break;
                }
                if entry.has_versions() {
                    bytes += PAGE_ITEM_BYTES_MAX;
                    running.through.entry(key).or_default().include(&entry.versions());
                    pages.push((page, entry.versions()));
                }
            }
            let after = (core::ops::Bound::Excluded(key), core::ops::Bound::Unbounded);
            // One that was made since the checkpoint began is none of its segments.
            let mut later = self.segments.range(after).filter(|(key, _)| running.floors.contains_key(*key));
            running.cursor = next.or_else(|| later.next().map(|(key, _)| (*key, PageId(0))));
            if !pages.is_empty() {
                return Some(Item::Pages(key.0, key.1, pages));
            }
        }
    }

    /// No room for a part: nothing has changed durably; tried again later.
    fn abandon_checkpoint(&mut self, running: Running, now: Now, effects: &mut Effects) {
        for part in &running.parts {
            self.extents.release(part.address, u64::from(part.bytes));
        }
        self.checkpointer.changed.extend(running.taken_pages);
        self.checkpointer.answers.splice(..0, running.answers);
        self.checkpointer.begins_anew |= running.is_base;
        for (key, first) in running.taken_runs {
            if let Some(segment) = self.segments.get_mut(&key) {
                segment.runs.put_back(core::iter::once(first));
            }
        }
        self.checkpointer.retry_at_us = now.monotonic_us + RETRY_US;
        effects.list.push(Effect::Log(String::from("extents are full: no room for an index checkpoint")));
    }

    pub(crate) fn on_part_written(&mut self, now: Now, result: IoResult, effects: &mut Effects) {
        match result {
            IoResult::Done => {}
            IoResult::Failed(errno) => return self.fail("writing an index checkpoint", errno, effects),
            IoResult::NoSpace => {
                let mut running = self.checkpointer.running.take().expect("a part has its checkpoint");
                let part = running.parts.pop().expect("it was written");
                self.extents.give_back(Fill::Parts, part.address.offset(), u64::from(part.bytes));
                self.note_no_space(now, "an index checkpoint", effects);
                return self.abandon_checkpoint(running, now, effects);
            }
        }
        let running = self.checkpointer.running.as_mut().expect("a part has its checkpoint");
        let Step::PartInFlight { is_last } = running.step else { unreachable!("one part is in flight") };
        running.step = Step::Fill;
        if is_last && matches!(self.phase, Phase::Running) {
            self.write_checkpoint_superblock(effects);
        }
    }

    fn write_checkpoint_superblock(&mut self, effects: &mut Effects) {
        let running = self.checkpointer.running.as_ref().expect("the caller found it");
        let replay = running.replay;
        let last = running.parts.last().copied().expect("a checkpoint has a part");
        let mut spans = self.superblock.spans.clone();
        // The run that wrote there, and with it those that it found there.
        let after = spans.partition_point(|span| span.sequence <= replay.sequence);
        let first = spans[..after].last().map_or(0, |span| span.sequence);
        spans.retain(|span| span.sequence >= first);
        let superblock = Superblock {
            generation: self.next_generation(),
            log_head: self
                .log_head_allowed(replay.position, |key| running.floors.get(key).map(|(_, decided)| decided)),
            replay_from: replay.position,
            replay_sequence: replay.sequence,
            replay_previous_crc: replay.previous_crc,
            checkpoint_bytes: last.bytes,
            checkpoint_crc: last.crc,
            checkpoint: last.address,
            checkpoint_generation: running.generation,
            spans,
            ..self.superblock.clone()
        };
        let is_repeated = running.floors.values().any(|(_, decided)| decided.must_not_be_forgotten());
        self.put_superblock(superblock, is_repeated, effects);
    }

    fn put_superblock(&mut self, superblock: Superblock, is_repeated: bool, effects: &mut Effects) {
        let offset = superblock.offset();
        let mut buffer = AlignedBuffer::zeroed(BLOCK_BYTES);
        superblock.encode(buffer.bytes_mut());
        let running = self.checkpointer.running.as_mut().expect("a superblock has its checkpoint");
        running.step = Step::SuperblockInFlight { superblock, is_repeated };
        let token = self.token(Io::CheckpointSuperblock);
        effects.list.push(Effect::Write { token, area: Area::Superblock, offset, buffer, flush: true });
    }

    /// The checkpoint is durable: what only the one before named is free now, unless its superblock goes to the other slot first.
    pub(crate) fn on_checkpoint_superblock_written(
        &mut self,
        now: Now,
        result: IoResult,
        effects: &mut Effects,
    ) {
        if let Some(errno) = result.errno() {
            return self.fail("writing the superblock", errno, effects);
        }
        let mut running = self.checkpointer.running.take().expect("a superblock has its checkpoint");
        let Step::SuperblockInFlight { superblock, is_repeated } =
            core::mem::replace(&mut running.step, Step::Fill)
        else {
            unreachable!("the superblock is the last step")
        };
        if is_repeated {
            self.checkpointer.running = Some(running);
            let again = Superblock { generation: superblock.generation + 1, ..superblock };
            return self.put_superblock(again, false, effects);
        }
        self.counters.checkpoints += 1;
        self.checkpointer.through = core::mem::take(&mut running.through);
        self.counters.log_bytes_freed += superblock.log_head - self.superblock.log_head;
        self.superblock = superblock;
        self.log.free_to(self.superblock.log_head);
        for segment in self.segments.values_mut() {
            segment.runs.free_to(self.superblock.log_head);
            segment.given_up_at.take_if(|given_up| given_up.position < running.replay.position);
        }
        while self.appends.front().is_some_and(|append| append.position < running.replay.position) {
            self.appends.pop_front();
        }
        if running.is_base {
            self.checkpointer.base_bytes = running.parts.iter().map(|part| u64::from(part.bytes)).sum();
            let old = core::mem::replace(&mut self.checkpointer.chain, running.parts);
            self.checkpointer.deltas = 0;
            old.iter().for_each(|part| self.extents.release(part.address, u64::from(part.bytes)));
        } else {
            self.checkpointer.chain.extend(running.parts);
            self.checkpointer.deltas += 1;
        }
        self.extents.checkpoint_is_durable(running.generation);
        self.checkpointer.last_us = now.monotonic_us;
        self.take_decisions(running.floors, effects);
        for answer in running.answers {
            // What was staged before the decision must be durable too: an opener is told of it.
            self.answer_when_durable(answer, effects);
        }
        self.submit_append(effects);
    }

    /// Floors and decisions that a checkpoint holds are in force.
    fn take_decisions(&mut self, floors: BTreeMap<SegmentKey, (Lsn, Decided)>, effects: &mut Effects) {
        let (mut lost, mut hydrated, mut whole) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        for (key, (floor, decided)) in floors {
            let segment = self.segments.get_mut(&key).expect("segments stay");
            segment.gc_floor = segment.gc_floor.max(floor);
            segment.vdl_durable = segment.vdl_durable.max(floor);
            segment.decided.forget(&decided);
            segment.beyond_retention.extend(decided.beyond_retention);
            if let Some(writer) = decided.bump {
                segment.bump(writer);
            }
            if let Some(history) = decided.history {
                segment.install_history(history, &mut self.pending);
                // What was told before was not for it, and counts as news again.
                self.volumes.entry(key.0).or_default().heard_staged = None;
            }
            let members = decided.members.filter(|members| members.epoch >= segment.membership.epoch);
            if let Some(members) = members {
                segment.set_membership(members);
            }
            if decided.gives_up_log {
                segment.give_up_log(&mut self.pending);
                lost.insert(key);
            }
            if let Some(end) = decided.hydrated {
                segment.complete_hydration(end);
                hydrated.push(key);
            }
            if decided.ends_damage && segment.end_damage() {
                whole.insert(key);
            }
        }
        self.note_lost(&lost, effects);
        self.note_whole(&whole, effects);
        if !hydrated.is_empty() {
            self.counters.segments_hydrated += hydrated.len() as u64;
            self.links.look_now();
            hydrated.iter().for_each(|key| self.want_repairs_of(*key));
            // Its writer counts it again from here on.
            self.push_scls(hydrated.into_iter(), &BTreeSet::new(), effects);
        }
    }
}
