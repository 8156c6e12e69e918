//! Reads everything in use again within a stated period, so that rot is found while peers still have what it took.
//!
//! A round goes over all pages (image and delta, put together as for a reader, so that records which do not fit are found
//! too), then the parts of the index checkpoint, then the log that a restart would scan, then the superblocks. One read at a
//! time, spread evenly over the period, and none while a write of the log is under way. What is found is mended: a page from
//! a peer; parts and superblocks by a new checkpoint, which does not rest on the old ones; the log by page versions of what it
//! holds, all of which is in memory still, so that a restart begins beyond.

use super::Recipe;
use super::build::{Build, BuildError, Purpose};
use crate::chain::Part;
use crate::effects::{Area, Effect, Effects, IoResult, Now};
use crate::segment::SegmentKey;
use crate::shard::{Io, Shard};
use alloc::format;
use core::ops::Bound;
use hexalog_protocol::{Page, PageId};
use hexalog_storage_format::aligned::AlignedBuffer;
use hexalog_storage_format::append::AppendHeader;
use hexalog_storage_format::superblock::{SUPERBLOCK_AREA_BYTES, SUPERBLOCK_SLOTS, Superblock};

/// Least time between two reads: a round over few pages is not hurried, one over many may take longer than its period.
const PAUSE_US_MIN: u64 = 500;
/// Longest: what few pages there are is not left to the end of the period.
const PAUSES_IN_PERIOD_MIN: u64 = 64;

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// The first page after this one.
    Page(Option<(SegmentKey, PageId)>),
    Part(usize),
    /// The first append at or above this position.
    Append(u64),
    Superblocks,
}

/// What is being read.
#[derive(Clone, Copy, Debug)]
enum Reading {
    Part(Part),
    Append { position: u64 },
    Superblocks { generation: u64 },
}

/// How far the round is.
#[derive(Debug)]
pub(crate) struct Scrubber {
    next: Next,
    reading: Option<Reading>,
    is_building: bool,
    due_us: u64,
    pause_us: u64,
    /// A restart must begin beyond this log position: it does not read back.
    pub bad_log: Option<u64>,
    /// The superblock of this generation does not read back.
    bad_superblock: Option<u64>,
}

impl Default for Scrubber {
    fn default() -> Scrubber {
        Scrubber {
            next: Next::Page(None),
            reading: None,
            is_building: false,
            due_us: u64::MAX,
            pause_us: PAUSE_US_MIN,
            bad_log: None,
            bad_superblock: None,
        }
    }
}

impl Scrubber {
    fn is_busy(&self) -> bool {
        self.is_building || self.reading.is_some()
    }
}

impl Shard {
    /// When [`Shard::scrub_slice`] has something to do by itself; what it waits for otherwise ends with an event.
    pub(crate) fn scrub_due_us(&self) -> Option<u64> {
        let is_held = self.scrubber.is_busy() || self.is_foreground_busy();
        (!is_held && self.scrubber.due_us < u64::MAX).then_some(self.scrubber.due_us)
    }

    /// A pause of the foreground comes between any two writes.
    fn is_foreground_busy(&self) -> bool {
        self.log.is_in_flight() || self.has_many_reads()
    }

    /// Begins the next read, if it is time for it and nothing more urgent goes on.
    pub(crate) fn scrub_slice(&mut self, now: Now, effects: &mut Effects) {
        if self.scrubber.is_busy() {
            return;
        }
        if self.scrubber.due_us == u64::MAX {
            self.begin_scrub_round(now);
        }
        let is_late = now.monotonic_us >= self.scrubber.due_us;
        if !is_late || self.is_foreground_busy() {
            return;
        }
        self.scrubber.due_us = now.monotonic_us + self.scrubber.pause_us;
        match self.scrubber.next {
            Next::Page(after) => self.scrub_page(after, effects),
            Next::Part(index) => self.scrub_part(index, effects),
            Next::Append(from) => self.scrub_append(from, effects),
            Next::Superblocks => self.scrub_superblocks(now, effects),
        }
    }

    /// All reads of a round are spread over the period, as many as there are when it begins.
    fn begin_scrub_round(&mut self, now: Now) {
        let pages: usize = self.segments.values().map(|segment| segment.pages.count()).sum();
        let reads = (pages + self.checkpointer.parts() + self.appends.len()) as u64 + 1;
        let period_us = self.options.scrub_period_us;
        self.scrubber.pause_us = (period_us / reads.max(PAUSES_IN_PERIOD_MIN)).max(PAUSE_US_MIN);
        self.scrubber.due_us = now.monotonic_us + self.scrubber.pause_us;
        self.scrubber.next = Next::Page(None);
    }

    fn scrub_page(&mut self, after: Option<(SegmentKey, PageId)>, effects: &mut Effects) {
        let Some((key, page)) = self.page_to_scrub(after) else {
            self.scrubber.next = Next::Part(0);
            return;
        };
        self.scrubber.next = Next::Page(Some((key, page)));
        let entry = self.segments[&key].pages.get(page).expect("just found");
        let recipe = Recipe { image: entry.image(), delta: entry.delta(), records: [].into() };
        let read_point = entry.merged_to();
        self.scrubber.is_building = true;
        self.begin_build(Purpose::Scrub, key, page, read_point, recipe, effects);
    }

    /// The next page that stands on the device and counts.
    fn page_to_scrub(&self, after: Option<(SegmentKey, PageId)>) -> Option<(SegmentKey, PageId)> {
        let from = after.map_or(Bound::Unbounded, |(key, _)| Bound::Included(key));
        for (key, segment) in self.segments.range((from, Bound::Unbounded)) {
            let first = match after {
                Some((of, page)) if of == *key => PageId(page.0.saturating_add(1)),
                _ => PageId(0),
            };
            let mut pages = segment.pages.range_from(first);
            let found = pages.find(|(_, entry)| entry.has_versions() && !entry.is_ailing());
            if segment.health.follows_log()
                && let Some((page, _)) = found
            {
                return Some((*key, page));
            }
        }
        None
    }

    pub(crate) fn finish_scrubbing(
        &mut self,
        build: &Build,
        built: Result<Page, BuildError>,
        effects: &mut Effects,
    ) {
        self.scrubber.is_building = false;
        self.counters.pages_scrubbed += 1;
        match built {
            Ok(_) => {}
            Err(_) if self.was_superseded(build) => {}
            Err(BuildError::Damaged) => self.note_damaged_block(build, effects),
            Err(BuildError::Unfit(error)) => {
                self.quarantine(build.key, build.page, effects, &format!("{error:?}"));
            }
        }
    }

    fn scrub_part(&mut self, index: usize, effects: &mut Effects) {
        let Some(part) = self.checkpointer.part(index) else {
            self.scrubber.next = Next::Append(0);
            return;
        };
        self.scrubber.next = Next::Part(index + 1);
        let buffer = AlignedBuffer::zeroed(part.bytes as usize);
        self.begin_scrub(Reading::Part(part), Area::Extents, part.address.offset(), buffer, effects);
    }

    fn scrub_append(&mut self, from: u64, effects: &mut Effects) {
        let at = self.appends.partition_point(|append| append.position < from);
        let Some(append) = self.appends.get(at).copied() else {
            self.scrubber.next = Next::Superblocks;
            return;
        };
        let end = self.appends.get(at + 1).map_or(self.log.durable().position, |next| next.position);
        self.scrubber.next = Next::Append(append.position + 1);
        let ring = self.log.ring_bytes();
        let offset = append.position % ring;
        // An append that did not fit before the ring's end leaves a stretch there that belongs to none.
        let bytes = (end - append.position).min(ring - offset).min(self.options.append_bytes_max as u64);
        let reading = Reading::Append { position: append.position };
        self.begin_scrub(reading, Area::Log, offset, AlignedBuffer::zeroed(bytes as usize), effects);
    }

    fn scrub_superblocks(&mut self, now: Now, effects: &mut Effects) {
        self.begin_scrub_round(now);
        self.counters.scrub_rounds += 1;
        let reading = Reading::Superblocks { generation: self.superblock.generation };
        let buffer = AlignedBuffer::zeroed(SUPERBLOCK_AREA_BYTES);
        self.begin_scrub(reading, Area::Superblock, 0, buffer, effects);
    }

    fn begin_scrub(
        &mut self,
        reading: Reading,
        area: Area,
        offset: u64,
        buffer: AlignedBuffer,
        effects: &mut Effects,
    ) {
        self.scrubber.reading = Some(reading);
        self.read(Io::Scrub, area, offset, buffer, effects);
    }

    /// What was read counts if it is in use still.
    pub(crate) fn on_scrub_read(&mut self, result: IoResult, buffer: &AlignedBuffer, effects: &mut Effects) {
        let reading = self.scrubber.reading.take().expect("a read has its reason");
        let bytes = if result == IoResult::Done { buffer.bytes() } else { &[] };
        let device = self.superblock.device;
        match reading {
            Reading::Part(part) => {
                if part.read(bytes, device).is_err() && self.checkpointer.is_in_use(part) {
                    self.checkpointer.begin_anew();
                    self.note_scrubbed_damage(
                        "a part of the index checkpoint",
                        part.address.offset(),
                        effects,
                    );
                }
            }
            Reading::Append { position } => {
                let is_whole = AppendHeader::decode(bytes).is_ok_and(|(header, _)| {
                    let is_it = header.device == device && header.position == position;
                    is_it && header.entries(bytes).is_ok()
                });
                if !is_whole && position >= self.superblock.replay_from {
                    self.scrubber.bad_log = self.scrubber.bad_log.max(Some(position));
                    let offset = position % self.log.ring_bytes();
                    self.note_scrubbed_damage("an append of the log", offset, effects);
                }
            }
            Reading::Superblocks { generation } => {
                let valid = Superblock::valid(bytes);
                let newest = valid.last().map(|superblock| superblock.generation);
                // One that is being written while it is read may be either.
                if generation == self.superblock.generation && newest < Some(generation) {
                    self.checkpointer.begin_anew();
                    self.scrubber.bad_superblock = Some(generation);
                    self.note_scrubbed_damage("the newest superblock", self.superblock.offset(), effects);
                }
            }
        }
    }

    fn note_scrubbed_damage(&mut self, what: &str, offset: u64, effects: &mut Effects) {
        self.counters.crc_errors += 1;
        self.counters.blocks_damaged += 1;
        let text = format!("{what} at offset {offset} does not read back: it is replaced");
        effects.list.push(Effect::Log(text));
    }

    /// The generation that the next superblock gets, and with it the slot: the other one, unless the newest does not read back
    /// and the other is all that a torn write would leave.
    pub(crate) fn next_generation(&self) -> u64 {
        let newest = self.superblock.generation;
        if self.scrubber.bad_superblock == Some(newest) {
            newest + SUPERBLOCK_SLOTS as u64
        } else {
            newest + 1
        }
    }

    /// Whether a restart would meet an append that does not read back.
    pub(crate) fn has_bad_log(&self) -> bool {
        self.scrubber.bad_log.is_some_and(|bad| self.superblock.replay_from <= bad)
    }
}
