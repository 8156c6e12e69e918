//! A start: superblock → checkpoint → log scan → flush → new log incarnation → ready.
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
use crate::checkpoint::Part;
use crate::effects::{Area, Effect, Effects, IoResult, Now};
use crate::log::{Durable, ReplayPoint};
use crate::pages::extents::Fill;
use crate::salvage::Salvage;
use crate::segment::Segment;
use crate::shard::{Io, Phase, Shard};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use hexalog_protocol::PAGE_SIZE;
use hexalog_protocol::codec::{Malformed, Reader};
use hexalog_storage_format::address::{AREA_EXTENTS, BlockAddress};
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use hexalog_storage_format::append::AppendHeader;
use hexalog_storage_format::checkpoint::{
    Item, PART_BEGINS_CHAIN, PART_ENDS_CHECKPOINT, PartHeader, part_crc,
};
use hexalog_storage_format::entry::Entries;
use hexalog_storage_format::superblock::{LOG_SPANS_MAX, LogSpan, Superblock};

/// Bytes of one read of the scan.
const SCAN_BYTES: u64 = 1 << 20;

/// How far a start has come.
#[derive(Debug)]
pub(crate) enum Recovery {
    Superblock,
    /// Parts taken so far, newest first, and the one that comes next, which what is being read ends with. It begins at `from`, since
    /// those before stand there too, as a rule: one after the other they would be thousands of reads.
    Chain {
        parts: Vec<(PartHeader, Part, Vec<u8>)>,
        next: Part,
        from: u64,
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
    /// Blocks beyond the end are searched, up to `until`.
    Beyond {
        end: ReplayPoint,
        at: u64,
        until: u64,
    },
    /// Flushes that have not ended.
    Flush {
        end: ReplayPoint,
        left: u8,
    },
    Mark {
        end: ReplayPoint,
        superblock: Superblock,
    },
}

/// What stands at a place where an append may be.
enum Found {
    Append(AppendHeader, u32),
    /// Its length goes beyond what has been read.
    Partly(u64),
    /// The one that follows, of a run that the superblock does not know: a later superblock is lost.
    Stranger,
    Nothing,
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
    fn give_up(&mut self, reason: String, effects: &mut Effects) {
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
            return match recovery {
                // Something else there may be what cannot be read.
                Recovery::Chain { parts, next, from } if from < next.address.offset() => {
                    let text = format!(
                        "reading the extent at extents offset {from} failed with errno {errno}: the checkpoint's parts in it are read one by one"
                    );
                    effects.list.push(Effect::Log(text));
                    self.read_chain(parts, next, next.address.offset(), effects);
                }
                _ => {
                    let text = format!("reading the device at start failed with errno {errno}");
                    self.give_up(text, effects);
                }
            };
        }
        match recovery {
            Recovery::Superblock => self.take_superblock(buffer.bytes(), effects),
            Recovery::Chain { parts, next, from } => {
                self.take_parts(parts, next, (from, buffer.bytes()), effects)
            }
            Recovery::Salvage { salvage } => self.salvage_extent(salvage, buffer.bytes(), effects),
            Recovery::Scan { end, at } => self.scan(end, at, buffer.bytes(), effects),
            Recovery::Beyond { end, at, until } => {
                self.search_beyond(end, at, until, buffer.bytes(), effects)
            }
            Recovery::Flush { .. } | Recovery::Mark { .. } => unreachable!("nothing is read in these"),
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
        let last = Part {
            address: self.superblock.checkpoint,
            bytes: self.superblock.checkpoint_bytes,
            crc: self.superblock.checkpoint_crc,
        };
        self.read_parts(Vec::new(), last, effects);
    }

    /// Reads the extent up to the end of a part.
    fn read_parts(&mut self, parts: Vec<(PartHeader, Part, Vec<u8>)>, next: Part, effects: &mut Effects) {
        if !self.may_be_part(next) {
            return self.begin_salvage("it names a part outside the device", effects);
        }
        let offset = next.address.offset();
        self.read_chain(parts, next, offset - offset % self.options.extent_bytes, effects);
    }

    /// Whether a part can stand there: whole blocks, within one extent.
    fn may_be_part(&self, part: Part) -> bool {
        let (offset, bytes) = (part.address.offset(), u64::from(part.bytes));
        let extent_bytes = self.options.extent_bytes;
        BlockAddress::checked(part.address.0, AREA_EXTENTS).is_some()
            && bytes > 0
            && bytes.is_multiple_of(BLOCK_BYTES as u64)
            && offset % extent_bytes + bytes <= extent_bytes
            && offset + bytes <= self.options.extents_bytes
    }

    fn read_chain(
        &mut self,
        parts: Vec<(PartHeader, Part, Vec<u8>)>,
        next: Part,
        from: u64,
        effects: &mut Effects,
    ) {
        let bytes = next.address.offset() + u64::from(next.bytes) - from;
        self.go_on(Recovery::Chain { parts, next, from });
        self.read(Io::Recovery, Area::Extents, from, AlignedBuffer::zeroed(bytes as usize), effects);
    }

    /// Takes the next part and those before it, as far as they are in what was read.
    fn take_parts(
        &mut self,
        mut parts: Vec<(PartHeader, Part, Vec<u8>)>,
        mut next: Part,
        (from, bytes): (u64, &[u8]),
        effects: &mut Effects,
    ) {
        loop {
            let at = (next.address.offset() - from) as usize;
            let (header, items) = match self.take_part(&parts, next, &bytes[at..at + next.bytes as usize]) {
                Ok(taken) => taken,
                Err(why) => {
                    let at = next.address.offset();
                    return self.begin_salvage(&format!("the part at extents offset {at}: {why}"), effects);
                }
            };
            // A chain of the version before told no checksum: what goes on from it tells this one.
            let part = Part { crc: part_crc(&bytes[at..]), ..next };
            parts.push((header, part, items.to_vec()));
            if header.flags & PART_BEGINS_CHAIN != 0 {
                return match self.restore_checkpoint(&parts) {
                    Ok(()) => self.begin_scan(effects),
                    Err(malformed) => self.begin_salvage(&format!("{malformed}"), effects),
                };
            }
            next = Part { address: header.previous, bytes: header.previous_bytes, crc: header.previous_crc };
            let offset = next.address.offset();
            let end = offset + u64::from(next.bytes);
            if !self.may_be_part(next) || offset < from || end > from + bytes.len() as u64 {
                // One that was read alone stands where not all can be read.
                let was_alone = at == 0 && !from.is_multiple_of(self.options.extent_bytes);
                let is_near = offset / self.options.extent_bytes == from / self.options.extent_bytes;
                return if was_alone && is_near && self.may_be_part(next) {
                    self.read_chain(parts, next, offset, effects)
                } else {
                    self.read_parts(parts, next, effects)
                };
            }
        }
    }

    /// The header and items of the part that comes before `later`.
    fn take_part<'a>(
        &self,
        later: &[(PartHeader, Part, Vec<u8>)],
        part: Part,
        bytes: &'a [u8],
    ) -> Result<(PartHeader, &'a [u8]), &'static str> {
        let (header, items) = part.read(bytes, self.superblock.device)?;
        let follows = match later.last() {
            None => header.generation == self.superblock.checkpoint_generation,
            Some((later, ..)) => {
                later.index.checked_sub(1) == Some(header.index) && header.generation <= later.generation
            }
        };
        if follows { Ok((header, items)) } else { Err("it is of another chain") }
    }

    /// Takes the items of all parts, oldest first.
    fn restore_checkpoint(&mut self, parts: &[(PartHeader, Part, Vec<u8>)]) -> Result<(), Malformed> {
        let mut checkpoints = 0;
        for (header, part, items) in parts.iter().rev() {
            checkpoints += u32::from(header.flags & PART_ENDS_CHECKPOINT != 0);
            if !self.extents.restore(part.address, u64::from(part.bytes), Fill::Parts) {
                return Err(Malformed { what: "part address" });
            }
            let mut reader = Reader::new(items);
            while reader.remaining() > 0 {
                self.restore_item(Item::decode(&mut reader)?)?;
            }
        }
        for segment in self.segments.values_mut() {
            segment.runs.forget_annulled(&segment.history);
            segment.runs.forget_through(segment.base);
            if !segment.health.follows_log() {
                // It may have some of the pages that it is being hydrated with; they say nothing of the others.
                continue;
            }
            // A version in a later part may hold records above the SCL of the segment's own item, which was written
            // first. They were complete when it was made, and the scan, which passes over them, would find a gap there.
            // The VDL that they rest on the scan finds: it was told durably before they went into a version.
            segment.scl = segment.scl.max(segment.pages.merged_to());
        }
        let versions = self.segments.values().flat_map(|segment| segment.pages.iter());
        for (_, entry) in versions {
            if entry.is_imageless() {
                self.extents.page_without_image();
            }
            let image = entry.image().map(|image| (image.address, PAGE_SIZE as u64, Fill::Fresh));
            let delta = entry.delta().map(|delta| (delta.address, u64::from(delta.bytes), Fill::Deltas));
            for (address, bytes, fill) in image.into_iter().chain(delta) {
                if !self.extents.restore(address, bytes, fill) {
                    return Err(Malformed { what: "version address" });
                }
            }
        }
        let generation = self.superblock.checkpoint_generation;
        let chain = parts.iter().rev().map(|(_, part, _)| *part).collect();
        self.checkpointer.restore(chain, checkpoints, generation);
        self.extents.checkpoint_begins(generation);
        Ok(())
    }

    fn restore_item(&mut self, item: Item) -> Result<(), Malformed> {
        let unknown = Malformed { what: "item of an unknown segment" };
        match item {
            Item::Segment(image) => {
                let key = (image.volume, image.group);
                let mut segment = Segment::from_image(image);
                if let Some(before) = self.segments.remove(&key) {
                    segment.runs = before.runs;
                    segment.pages = before.pages;
                }
                self.segments.insert(key, segment);
            }
            Item::Pages(volume, group, pages) => {
                let segment = self.segments.get_mut(&(volume, group)).ok_or(unknown)?;
                for (page, versions) in pages {
                    segment.pages.restore(page, versions);
                }
            }
            Item::Runs(volume, group, runs) => {
                let (head, replay) = (self.superblock.log_head, self.superblock.replay_from);
                let segment = self.segments.get_mut(&(volume, group)).ok_or(unknown)?;
                // What was freed since is gone; what the scan will meet it finds itself.
                for run in runs.into_iter().filter(|run| run.position >= head && run.position < replay) {
                    segment.runs.restore(run);
                }
            }
        }
        Ok(())
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
    fn read_log(&mut self, end: ReplayPoint, at: u64, bytes_min: u64, effects: &mut Effects) {
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
            if taken == bytes.len() {
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
                Found::Stranger => {
                    return self.log_is_damaged(end, "it is of a run that no superblock knows", effects);
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
                self.log_is_damaged(end, &found, effects);
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
        self.go_on_beyond(end, end.position, end.position + window, effects);
    }

    /// The log goes on where it is whole, above all that may stand beyond.
    fn log_is_damaged(&mut self, end: ReplayPoint, found: &str, effects: &mut Effects) {
        let offset = end.position % self.options.log_bytes;
        let why = format!("log append {} at offset {offset} is damaged: {found}", end.sequence);
        self.lose_logs(&why, effects);
        let superblock = &mut self.superblock;
        let known = superblock.spans.last().map_or(0, |span| span.sequence);
        let highest = known.max(superblock.replay_sequence).max(end.sequence);
        // A ring holds no more appends than blocks; a superblock that was lost may have known of one lap more.
        let sequence = highest + 2 * self.options.log_bytes / BLOCK_BYTES as u64 + 1;
        superblock.spans.retain(|span| span.sequence <= end.sequence);
        self.flush_scanned(ReplayPoint { sequence, ..end }, effects);
    }

    fn flush_scanned(&mut self, end: ReplayPoint, effects: &mut Effects) {
        self.go_on(Recovery::Flush { end, left: 3 });
        for area in [Area::Log, Area::Superblock, Area::Extents] {
            let token = self.token(Io::Recovery);
            effects.list.push(Effect::Flush { token, area });
        }
    }

    fn go_on_beyond(&mut self, end: ReplayPoint, at: u64, until: u64, effects: &mut Effects) {
        if at >= until {
            return match self.salvaged.take() {
                Some(why) => self.log_is_damaged(end, &why, effects),
                None if self.segments.values().any(Segment::is_ahead_of_log) => {
                    let found = "page versions rest on what the log does not tell";
                    self.log_is_damaged(end, found, effects);
                }
                None => self.flush_scanned(end, effects),
            };
        }
        let ring = self.options.log_bytes;
        let bytes = SCAN_BYTES.min(until - at).min(ring - at % ring);
        self.go_on(Recovery::Beyond { end, at, until });
        self.read(Io::Recovery, Area::Log, at % ring, AlignedBuffer::zeroed(bytes as usize), effects);
    }

    fn search_beyond(&mut self, end: ReplayPoint, at: u64, until: u64, bytes: &[u8], effects: &mut Effects) {
        let ring = self.options.log_bytes;
        for (index, block) in bytes.chunks(BLOCK_BYTES).enumerate() {
            let position = at + (index * BLOCK_BYTES) as u64;
            let Ok((header, _)) = AppendHeader::decode(block) else { continue };
            // Of whatever run, and of a later lap too: a superblock that knew of it may be lost.
            let is_later = header.device == self.superblock.device
                && header.position >= position
                && header.position % ring == position % ring
                && header.sequence > end.sequence;
            if is_later {
                let found = format!("append {} after it is intact", header.sequence);
                return self.log_is_damaged(end, &found, effects);
            }
        }
        self.go_on_beyond(end, at + bytes.len() as u64, until, effects);
    }

    /// What was read is on the device once all flushes have ended; then this run gets its place in the superblock.
    pub(crate) fn on_recovery_flushed(&mut self, result: IoResult, effects: &mut Effects) {
        let Phase::Starting(Recovery::Flush { end, left }) = core::mem::replace(&mut self.phase, Phase::Dead)
        else {
            return;
        };
        if let Some(errno) = result.errno() {
            return self.give_up(format!("flushing the device at start failed with errno {errno}"), effects);
        }
        if left > 1 {
            return self.go_on(Recovery::Flush { end, left: left - 1 });
        }
        let mut superblock = self.superblock.clone();
        superblock.generation += 1;
        // A run that appended nothing leaves no trace.
        while superblock.spans.last().is_some_and(|span| span.sequence >= end.sequence) {
            superblock.spans.pop();
        }
        if superblock.spans.len() >= LOG_SPANS_MAX {
            let text =
                "too many starts without a checkpoint in between: look at why the daemon stops so early";
            return self.give_up(String::from(text), effects);
        }
        let incarnation = self.options.incarnation;
        superblock.spans.push(LogSpan { incarnation, position: end.position, sequence: end.sequence });
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
            "{} segments, {} appends scanned from position {}, log goes on at {}",
            self.segments.len(),
            scanned,
            self.superblock.replay_from,
            self.log.durable().position
        );
        effects.list.push(Effect::Log(text));
        self.invariants_full();
    }
}
