//! A start: superblock → segments of the checkpoint → log scan → flush → new log incarnation → ready. The rest of the checkpoint is
//! loaded afterwards ([`crate::index`]).
//!
//! The scan takes an append only if run, sequence, position and the checksum of the append before it fit. The very
//! last append may be torn and is dropped. If a later one lies beyond a bad one, the log is damaged: with one append in
//! flight at a time, what comes after was written when the bad one was whole. Then nothing from the bad one on is taken,
//! all segments lose their log ([`crate::damage`]), and the log goes on in its place with a sequence above all that may
//! still stand there. That jump, in the superblock's spans, is what later starts know the lost stretch by, until a
//! checkpoint names the segments' state. An index that does not read back ([`crate::salvage`]) counts as such a stretch.
//! After the scan all areas are flushed, before any SCL is told and before the new incarnation goes over the older superblock:
//! after a process was killed, a start may read what the device has not kept. The new incarnation is durable before the first
//! append.

use crate::apply::{LogPlace, Moved};
use crate::chain::{After, Part, Taken, Walk};
use crate::effects::{Area, Effect, Effects, IoResult, Now};
use crate::index::{Index, Loading};
use crate::log::{Durable, ReplayPoint};
use crate::salvage::Salvage;
use crate::segment::{Segment, SegmentKey};
use crate::shard::{Io, Phase, Shard};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use hexalog_protocol::codec::{Malformed, Reader};
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use hexalog_storage_format::append::AppendHeader;
use hexalog_storage_format::checkpoint::{
    Item, PART_BEGINS_SEGMENTS, PART_ENDS_CHECKPOINT, SegmentImage, VersionsThrough,
};
use hexalog_storage_format::entry::Entries;
use hexalog_storage_format::superblock::{LOG_SPANS_MAX, LogSpan, Superblock};

/// Bytes of one read of the scan.
const SCAN_BYTES: u64 = 1 << 20;

/// How far a start has come.
#[derive(Debug)]
pub(crate) enum Recovery {
    Superblock,
    /// The end of the newest checkpoint is read, for the segments that it names.
    Segments {
        walk: Walk,
        found: FoundSegments,
    },
    /// Extents are searched, from this one on, for parts of checkpoints that name segments.
    Salvage {
        salvage: Salvage,
    },
    /// The append at `at` is looked for next; `end` is where the log ends if it is not there.
    Scan {
        end: ReplayPoint,
        at: u64,
    },
    /// The index is loaded before the scan goes on at `at`.
    Index {
        end: ReplayPoint,
        at: u64,
        bytes_min: u64,
    },
    Beyond(Search),
    /// Flushes that have not ended.
    Flush {
        end: ReplayPoint,
        left: u8,
        remains: Remains,
    },
    Mark {
        end: ReplayPoint,
        superblock: Superblock,
    },
}

/// Runs of which the header of an append stands where the next one will, torn when it was first found.
///
/// What this run writes there may be torn in its turn, of the same records, and a power cut leave the one's head and the other's
/// end: an append that is whole, of a run to which the log does not belong there. The superblock names these runs at the sequence
/// of that append, so that each start takes it for what it is, for as long as it may meet it: until a checkpoint has passed it.
type Remains = Vec<u64>;

/// Blocks beyond the end are searched, from `at` up to `until`.
#[derive(Debug)]
pub(crate) struct Search {
    end: ReplayPoint,
    at: u64,
    until: u64,
    remains: Remains,
}

/// What the end of a checkpoint tells.
#[derive(Debug, Default)]
pub(crate) struct FoundSegments {
    images: Vec<SegmentImage>,
    through: Vec<(SegmentKey, VersionsThrough)>,
    /// Parts that they stand in, newest first.
    parts: Vec<Part>,
}

/// What stands at a place where an append may be.
enum Found {
    Append(AppendHeader, u32),
    /// Its length goes beyond what has been read.
    Partly(u64),
    /// The one that follows, of a run that the superblock does not name there: a later superblock is lost.
    Stranger,
    Nothing,
}

impl FoundSegments {
    fn take(&mut self, taken: &Taken<'_>) -> Result<(), Malformed> {
        self.parts.push(taken.part);
        let mut reader = Reader::new(taken.items);
        while reader.remaining() > 0 {
            match Item::decode(&mut reader)? {
                Item::Segment(image) => self.images.push(image),
                Item::Versions(volume, group, through) => self.through.push(((volume, group), through)),
                Item::Pages(..) | Item::Runs(..) => {}
            }
        }
        Ok(())
    }
}

impl Recovery {
    pub fn begin() -> Recovery {
        Recovery::Superblock
    }
}

impl Shard {
    pub(crate) fn go_on(&mut self, recovery: Recovery) {
        self.phase = Phase::Starting(recovery);
    }

    /// The start cannot go on; nothing has been written.
    pub(crate) fn give_up(&mut self, reason: String, effects: &mut Effects) {
        self.phase = Phase::Dead;
        effects.list.push(Effect::Halt { reason, reads_go_on: false });
    }

    pub(crate) fn on_recovery_read(
        &mut self,
        result: IoResult,
        buffer: AlignedBuffer,
        effects: &mut Effects,
    ) {
        let Phase::Starting(recovery) = core::mem::replace(&mut self.phase, Phase::Dead) else { return };
        if let Some(errno) = result.errno() {
            if let Recovery::Segments { mut walk, found } = recovery
                && walk.read_alone()
            {
                let (offset, _) = walk.piece();
                let text = format!(
                    "reading up to the checkpoint's part at extents offset {offset} failed with errno {errno}: it is read alone"
                );
                effects.list.push(Effect::Log(text));
                return self.read_segments(walk, found, effects);
            }
            return self.give_up(format!("reading the device at start failed with errno {errno}"), effects);
        }
        match recovery {
            Recovery::Superblock => self.take_superblock(buffer.bytes(), effects),
            Recovery::Segments { walk, found } => self.take_segments(walk, found, buffer.bytes(), effects),
            Recovery::Salvage { salvage } => self.salvage_extent(salvage, buffer.bytes(), effects),
            Recovery::Scan { end, at } => self.scan(end, at, buffer.bytes(), effects),
            Recovery::Beyond(search) => self.search_beyond(search, buffer.bytes(), effects),
            Recovery::Index { .. } | Recovery::Flush { .. } | Recovery::Mark { .. } => {
                unreachable!("nothing is read for these here")
            }
        }
    }

    fn take_superblock(&mut self, area: &[u8], effects: &mut Effects) {
        let Some(superblock) = Superblock::newest(area) else {
            let text = "no valid superblock: this is not a formatted device, or both slots are damaged";
            return self.give_up(String::from(text), effects);
        };
        let ours = (self.options.log_bytes, self.options.extents_bytes, self.options.extent_bytes);
        let its = (superblock.log_bytes, superblock.extents_bytes, superblock.extent_bytes);
        if ours != its {
            let text = format!(
                "the device was formatted with log, extents and extent of {its:?} bytes, not {ours:?}"
            );
            return self.give_up(text, effects);
        }
        self.superblock = superblock;
        if self.superblock.checkpoint_bytes == 0 {
            return self.begin_scan(effects);
        }
        match Walk::begin(&self.superblock) {
            Ok(walk) => self.read_segments(walk, FoundSegments::default(), effects),
            Err(why) => self.begin_salvage(why, effects),
        }
    }

    fn read_segments(&mut self, walk: Walk, found: FoundSegments, effects: &mut Effects) {
        let (offset, bytes) = walk.piece();
        self.go_on(Recovery::Segments { walk, found });
        self.read(Io::Recovery, Area::Extents, offset, AlignedBuffer::zeroed(bytes), effects);
    }

    /// Takes segments out of the newest checkpoint's parts, as far as they are in what was read.
    fn take_segments(
        &mut self,
        mut walk: Walk,
        mut found: FoundSegments,
        piece: &[u8],
        effects: &mut Effects,
    ) {
        loop {
            let taken = match walk.take(piece) {
                Ok(taken) => taken,
                Err(why) => return self.begin_salvage(&why, effects),
            };
            // A checkpoint of before superblock version 5 has its segments in front: they end where the one before it begins.
            let is_older = taken.header.flags & PART_ENDS_CHECKPOINT != 0 && !found.parts.is_empty();
            if !is_older && let Err(malformed) = found.take(&taken) {
                return self.begin_salvage(&format!("{malformed}"), effects);
            }
            let is_all = taken.header.flags & PART_BEGINS_SEGMENTS != 0;
            match taken.after {
                _ if is_all || is_older => return self.restore_segments(found, !is_all, effects),
                After::Here => {}
                After::Elsewhere => return self.read_segments(walk, found, effects),
                After::Nowhere => return self.restore_segments(found, !is_all, effects),
            }
        }
    }

    /// The segments are known. `comes_first`: how far their versions go is not.
    fn restore_segments(&mut self, found: FoundSegments, comes_first: bool, effects: &mut Effects) {
        for image in found.images {
            self.segments.insert((image.volume, image.group), Segment::from_image(image));
        }
        for (key, through) in found.through {
            let Some(segment) = self.segments.get_mut(&key) else {
                return self.begin_salvage("it tells versions of a segment that it does not name", effects);
            };
            segment.pages.expect_versions(through);
            if segment.health.follows_log() {
                // A version may hold records above the SCL of the segment's item, which is as it was when the checkpoint
                // began. They were complete when it was made. The VDL that they rest on the scan finds: it was told durably
                // before they went into a version. (One that is being hydrated may have some pages: they say nothing of the
                // others.)
                segment.scl = segment.scl.max(segment.pages.merged_to());
            }
        }
        for part in &found.parts {
            if let Err(malformed) = self.restore_block(*part) {
                return self.begin_salvage(&format!("{malformed}"), effects);
            }
        }
        let named = self.segments.keys().copied().collect();
        let walk = Walk::begin(&self.superblock).expect("it was walked");
        self.index = Index::Loading(Box::new(Loading::new(walk, found.parts, named, comes_first)));
        self.begin_scan(effects);
    }

    pub(crate) fn begin_scan(&mut self, effects: &mut Effects) {
        let end = ReplayPoint {
            position: self.superblock.replay_from,
            sequence: self.superblock.replay_sequence,
            previous_crc: self.superblock.replay_previous_crc,
        };
        self.read_log(end, end.position, 0, effects);
    }

    /// Reads at least `bytes_min` of the log from `at`, as far as the ring goes in one piece.
    pub(crate) fn read_log(&mut self, end: ReplayPoint, at: u64, bytes_min: u64, effects: &mut Effects) {
        if self.index_comes_first() {
            self.go_on(Recovery::Index { end, at, bytes_min });
            return self.load_all(effects);
        }
        let ring = self.options.log_bytes;
        let offset = at % ring;
        let bytes = SCAN_BYTES.max(bytes_min).min(ring - offset);
        self.go_on(Recovery::Scan { end, at });
        self.read(Io::Recovery, Area::Log, offset, AlignedBuffer::zeroed(bytes as usize), effects);
    }

    /// Takes appends from a piece of the log that begins at `at`.
    fn scan(&mut self, mut end: ReplayPoint, at: u64, bytes: &[u8], effects: &mut Effects) {
        let ring = self.options.log_bytes;
        let mut taken = 0;
        // An append may stand at the ring's start instead of where the one before ended.
        let mut at = at;
        loop {
            if taken == bytes.len() || self.index_comes_first() {
                return self.read_log(end, at, 0, effects);
            }
            match self.append_at(&end, at, &bytes[taken..]) {
                Found::Append(header, crc) => {
                    if let Err(malformed) = self.replay_append(&header, at, &bytes[taken..]) {
                        // Its checksum holds: written by a later version, or by a bug.
                        let text = format!("log append {} does not decode: {malformed}", header.sequence);
                        return self.give_up(text, effects);
                    }
                    taken += header.append_bytes as usize;
                    at += u64::from(header.append_bytes);
                    end = ReplayPoint { position: at, sequence: end.sequence + 1, previous_crc: crc };
                }
                Found::Partly(needed) if needed > bytes.len() as u64 && at % ring + needed <= ring => {
                    return self.read_log(end, at, needed, effects);
                }
                Found::Partly(_) => return self.read_log(end, at, 0, effects),
                Found::Nothing if at == end.position && self.may_wrap_at(at) => {
                    let start_of_ring = at - at % ring + ring;
                    return self.read_log(end, start_of_ring, 0, effects);
                }
                // What was found lost before is so for whatever reason.
                Found::Stranger if self.is_lost_from(&end) => return self.end_scan(end, effects),
                Found::Stranger => {
                    let found = "it is of a run that no superblock knows";
                    return self.log_is_damaged(end, end.sequence, found, effects);
                }
                Found::Nothing => return self.end_scan(end, effects),
            }
        }
    }

    /// Whether an append that did not fit before the ring's end may have been put at its start.
    fn may_wrap_at(&self, at: u64) -> bool {
        let offset = at % self.options.log_bytes;
        offset != 0 && offset + self.options.append_bytes_max as u64 > self.options.log_bytes
    }

    fn append_at(&self, end: &ReplayPoint, at: u64, bytes: &[u8]) -> Found {
        let Ok((header, crc)) = AppendHeader::decode(bytes) else { return Found::Nothing };
        let is_next = header.device == self.superblock.device
            && header.position == at
            && header.offset == at % self.options.log_bytes
            && header.sequence == end.sequence
            && header.previous_crc == end.previous_crc;
        if !is_next || header.offset + u64::from(header.append_bytes) > self.options.log_bytes {
            return Found::Nothing;
        }
        if header.append_bytes as usize > bytes.len() {
            return Found::Partly(u64::from(header.append_bytes));
        }
        match header.entries(bytes) {
            Ok(_) if Some(header.incarnation) == self.incarnation_of(end.sequence) => {
                Found::Append(header, crc)
            }
            Ok(_) if self.is_abandoned(header.incarnation, end.sequence) => Found::Nothing,
            Ok(_) => Found::Stranger,
            Err(_) => Found::Nothing,
        }
    }

    /// The run that wrote this sequence, if any did.
    fn incarnation_of(&self, sequence: u64) -> Option<u64> {
        let spans = &self.superblock.spans;
        let after = spans.partition_point(|span| span.sequence <= sequence);
        spans[..after].last().map(|span| span.incarnation)
    }

    /// Whether a start has found the log from here on lost, and gone on in its place.
    fn is_lost_from(&self, end: &ReplayPoint) -> bool {
        let later = self.superblock.spans.iter().find(|span| span.sequence > end.sequence);
        later.is_some_and(|span| span.position == end.position)
    }

    /// Whether a start has met the torn append of this sequence that the run left.
    fn is_abandoned(&self, incarnation: u64, sequence: u64) -> bool {
        let mut spans = self.superblock.spans.iter();
        spans.any(|span| span.incarnation == incarnation && span.sequence == sequence)
    }

    fn replay_append(&mut self, header: &AppendHeader, at: u64, bytes: &[u8]) -> Result<(), Malformed> {
        let start =
            ReplayPoint { position: at, sequence: header.sequence, previous_crc: header.previous_crc };
        self.appends.push_back(start);
        let place = LogPlace { position: at, end: at + u64::from(header.append_bytes) };
        if place.end - self.superblock.log_head > self.options.log_bytes {
            self.forget_log_before_scan();
        }
        let mut moved = Moved::default();
        for entry in Entries::new(header.entries(bytes)?) {
            self.apply_entry(&entry?, place, &mut moved);
        }
        Ok(())
    }

    /// The log has gone round beyond what this superblock keeps: one that was written after it gave that up, and is lost. What
    /// is scanned stands, so it cannot be of the stretch that was written over. The scan may have begun in the stretch that is
    /// passed over at the ring's end: the log is counted from the first append that it found.
    fn forget_log_before_scan(&mut self) {
        let first = self.appends.front().expect("the caller has just found one").position;
        (self.superblock.replay_from, self.superblock.log_head) = (first, first);
        for segment in self.segments.values_mut() {
            segment.runs.free_to(self.superblock.log_head);
        }
    }

    /// No append follows here. If a later run is known, what it came after is lost: either an earlier start has found that,
    /// and went on in the same place, or it is this one that finds it.
    fn end_scan(&mut self, end: ReplayPoint, effects: &mut Effects) {
        let later = self.superblock.spans.iter().find(|span| span.sequence > end.sequence).copied();
        match later {
            None => self.begin_search_beyond(end, effects),
            Some(span) if span.position == end.position => {
                let why = format!("the log from append {} on was found lost before", end.sequence);
                self.lose_logs(&why, effects);
                let end = ReplayPoint { sequence: span.sequence, ..end };
                self.read_log(end, end.position, 0, effects);
            }
            Some(span) => {
                let found = format!("a later run began at append {}", span.sequence);
                self.log_is_damaged(end, end.sequence, &found, effects);
            }
        }
    }

    /// The log seems to end here: is there a later append beyond?
    fn begin_search_beyond(&mut self, end: ReplayPoint, effects: &mut Effects) {
        let ring = self.options.log_bytes;
        // What was scanned has not been written over; what the superblock keeps before that may have been, if a newer one is lost.
        let begin = self.appends.front().map_or(end.position, |append| append.position);
        let room = begin + ring - end.position;
        // One bad append hides at most its own length, and the stretch skipped at the ring's end.
        let window = (4 * self.options.append_bytes_max as u64).min(room);
        // In its own place too: the run that gave up what stood from here on may have begun there, and its superblock be lost.
        let (at, until) = (end.position, end.position + window);
        self.go_on_beyond(Search { end, at, until, remains: Remains::new() }, effects);
    }

    /// The log goes on where it is whole, above all that may stand beyond; `seen` is the highest sequence that was met.
    fn log_is_damaged(&mut self, end: ReplayPoint, seen: u64, found: &str, effects: &mut Effects) {
        let offset = end.position % self.options.log_bytes;
        let why = format!("log append {} at offset {offset} is damaged: {found}", end.sequence);
        self.lose_logs(&why, effects);
        let superblock = &mut self.superblock;
        let known = superblock.spans.last().map_or(0, |span| span.sequence);
        let highest = known.max(superblock.replay_sequence).max(seen);
        // A ring holds no more appends than blocks; a superblock that was lost may have known of one lap more.
        let sequence = highest + 2 * self.options.log_bytes / BLOCK_BYTES as u64 + 1;
        superblock.spans.retain(|span| span.sequence <= end.sequence);
        self.flush_scanned(ReplayPoint { sequence, ..end }, Remains::new(), effects);
    }

    fn flush_scanned(&mut self, end: ReplayPoint, remains: Remains, effects: &mut Effects) {
        self.go_on(Recovery::Flush { end, left: 3, remains });
        for area in [Area::Log, Area::Superblock, Area::Extents] {
            let token = self.token(Io::Recovery);
            effects.list.push(Effect::Flush { token, area });
        }
    }

    fn go_on_beyond(&mut self, search: Search, effects: &mut Effects) {
        let Search { end, at, until, .. } = search;
        if at >= until {
            return match self.salvaged.take() {
                Some(why) => self.log_is_damaged(end, end.sequence, &why, effects),
                None if self.segments.values().any(Segment::is_ahead_of_log) => {
                    let found = "page versions rest on what the log does not tell";
                    self.log_is_damaged(end, end.sequence, found, effects);
                }
                None => self.flush_scanned(end, search.remains, effects),
            };
        }
        let ring = self.options.log_bytes;
        let bytes = SCAN_BYTES.min(until - at).min(ring - at % ring);
        self.go_on(Recovery::Beyond(search));
        self.read(Io::Recovery, Area::Log, at % ring, AlignedBuffer::zeroed(bytes as usize), effects);
    }

    fn search_beyond(&mut self, mut search: Search, bytes: &[u8], effects: &mut Effects) {
        let (ring, end) = (self.options.log_bytes, search.end);
        for (index, block) in bytes.chunks(BLOCK_BYTES).enumerate() {
            let position = search.at + (index * BLOCK_BYTES) as u64;
            let Ok((header, _)) = AppendHeader::decode(block) else { continue };
            if header.device != self.superblock.device || header.position % ring != position % ring {
                continue;
            }
            // Where the next one is looked for: here, or at the ring's start.
            let is_next = header.position == position
                && (position == end.position || position.is_multiple_of(ring))
                && header.sequence == end.sequence
                && header.previous_crc == end.previous_crc;
            if is_next {
                search.remains.push(header.incarnation);
            }
            // Of whatever run, and of a later lap too: a superblock that knew of it may be lost.
            if header.position >= position && header.sequence > end.sequence {
                let found = format!("append {} after it is intact", header.sequence);
                return self.log_is_damaged(end, header.sequence, &found, effects);
            }
        }
        search.at += bytes.len() as u64;
        self.go_on_beyond(search, effects);
    }

    /// What was read is on the device once all flushes have ended; then this run gets its place in the superblock.
    pub(crate) fn on_recovery_flushed(&mut self, result: IoResult, effects: &mut Effects) {
        let Phase::Starting(Recovery::Flush { end, left, remains }) =
            core::mem::replace(&mut self.phase, Phase::Dead)
        else {
            return;
        };
        if let Some(errno) = result.errno() {
            return self.give_up(format!("flushing the device at start failed with errno {errno}"), effects);
        }
        if left > 1 {
            return self.go_on(Recovery::Flush { end, left: left - 1, remains });
        }
        let mut superblock = self.superblock.clone();
        superblock.generation += 1;
        // A run that appended nothing leaves no trace.
        while superblock.spans.last().is_some_and(|span| span.sequence >= end.sequence) {
            superblock.spans.pop();
        }
        if superblock.spans.len() + remains.len() >= LOG_SPANS_MAX {
            // Rather false alarms than no start.
            keep_owners(&mut superblock.spans);
        }
        if superblock.spans.len() + remains.len() >= LOG_SPANS_MAX {
            let text =
                "too many starts without a checkpoint in between: look at why the daemon stops so early";
            return self.give_up(String::from(text), effects);
        }
        let runs = remains.into_iter().chain([self.options.incarnation]);
        let (position, sequence) = (end.position, end.sequence);
        superblock.spans.extend(runs.map(|incarnation| LogSpan { incarnation, position, sequence }));
        let mut buffer = AlignedBuffer::zeroed(BLOCK_BYTES);
        superblock.encode(buffer.bytes_mut());
        let offset = superblock.offset();
        self.go_on(Recovery::Mark { end, superblock });
        let token = self.token(Io::Recovery);
        effects.list.push(Effect::Write { token, area: Area::Superblock, offset, buffer, flush: true });
    }

    pub(crate) fn on_recovery_superblock_written(
        &mut self,
        now: Now,
        result: IoResult,
        effects: &mut Effects,
    ) {
        let Phase::Starting(Recovery::Mark { end, superblock }) =
            core::mem::replace(&mut self.phase, Phase::Dead)
        else {
            return;
        };
        if let Some(errno) = result.errno() {
            return self
                .give_up(format!("writing the superblock at start failed with errno {errno}"), effects);
        }
        self.superblock = superblock;
        self.log.resume(self.superblock.device, self.superblock.log_head, end);
        let proof = Durable::scanned_and_flushed();
        self.become_ready(&proof, now, effects);
    }

    fn become_ready(&mut self, _: &Durable, now: Now, effects: &mut Effects) {
        self.phase = Phase::Running;
        self.links.started(now);
        let scanned = self.appends.len();
        let text = format!(
            "{} segments, {} appends scanned from position {}, {} bytes of records held, log goes on at {}",
            self.segments.len(),
            scanned,
            self.superblock.replay_from,
            self.pending.bytes(),
            self.log.durable().position
        );
        effects.list.push(Effect::Log(text));
        self.invariants_full();
    }
}

/// The last run of each sequence is the one that the log belongs to.
fn keep_owners(spans: &mut Vec<LogSpan>) {
    spans.dedup_by(|next, kept| {
        let is_one = next.sequence == kept.sequence;
        if is_one {
            *kept = *next;
        }
        is_one
    });
}
