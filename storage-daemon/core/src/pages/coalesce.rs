//! Makes new page versions from records, oldest log first, long chains before that; many pages in one large write.
//!
//! Only records <= `Segment::coalesce_limit` are taken: complete, durable in the volume, and not above the durable
//! floor, so that no read point in use lies between the new version and the records that it replaces. A record is
//! let go in memory when its version is written; the log keeps it until a checkpoint names the version.

use super::build::{Build, BuildError, Purpose};
use super::extents::Fill;
use crate::effects::{Area, Effect, Effects, IoResult, Now};
use crate::segment::{Health, SegmentKey};
use crate::shard::{Io, Shard};
use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::vec::Vec;
use hexalog_protocol::{DeviceId, Lsn, PAGE_SIZE, Page, PageId};
use hexalog_storage_format::address::{AREA_EXTENTS, BlockAddress};
use hexalog_storage_format::aligned::AlignedBuffer;
use hexalog_storage_format::checkpoint::ImageRef;

/// Pages of one round: half a MiB of images, a few hundred microseconds of work spread over their reads.
const ROUND_PAGES_MAX: usize = 64;
/// Held batches whose records are looked at for candidates in one slice.
const BATCHES_LOOKED_AT_MAX: usize = 256;
/// Held batches passed over in one slice since nothing of them may be coalesced yet.
const BATCHES_PASSED_MAX: usize = 4096;
/// After a round that found nothing to do, wait this long, unless more may be coalesced before.
const REST_US: u64 = 20_000;
/// No write frame for this long is a pause: everything pending is coalesced then.
const PAUSE_US: u64 = 200_000;

/// The state of coalescing: at most one round at a time.
#[derive(Debug, Default)]
pub(crate) struct Coalescer {
    long_chains: BTreeSet<(SegmentKey, PageId)>,
    /// Pages of the round that wait for the device.
    building: usize,
    built: VecDeque<(SegmentKey, Page)>,
    writing: Vec<Placed>,
    rest_until_us: u64,
}

/// A version that is being written, and where.
#[derive(Debug)]
pub(crate) struct Placed {
    pub key: SegmentKey,
    pub page: PageId,
    pub image: ImageRef,
}

impl Placed {
    /// Seals an image for its place and copies it there: block `index` of a write that begins at `offset`.
    pub fn new(
        key: SegmentKey,
        mut page: Page,
        device: DeviceId,
        offset: u64,
        (index, block): (usize, &mut [u8]),
    ) -> Placed {
        assert_eq!(block.len(), PAGE_SIZE);
        let address = BlockAddress::new(AREA_EXTENTS, offset + (index * PAGE_SIZE) as u64);
        page.seal_for_device(device, address.0);
        block.copy_from_slice(page.bytes());
        let image = ImageRef { lsn: page.lsn(), address, crc: page.crc() };
        Placed { key, page: page.id(), image }
    }
}

impl Coalescer {
    /// A page has many records.
    pub fn note_long_chain(&mut self, key: SegmentKey, page: PageId) {
        self.long_chains.insert((key, page));
    }

    /// More records may be coalesced than when a round last found none.
    pub fn limit_moved(&mut self) {
        self.rest_until_us = 0;
    }

    /// Versions that are being written: live, and named by nothing yet.
    pub fn writing(&self) -> impl Iterator<Item = &Placed> + '_ {
        self.writing.iter()
    }

    pub fn is_idle(&self) -> bool {
        self.building == 0 && self.built.is_empty() && self.writing.is_empty()
    }
}

impl Shard {
    /// Begins a round if one is due; true if it did.
    pub(crate) fn coalesce_slice(&mut self, now: Now, effects: &mut Effects) -> bool {
        let rests = now.monotonic_us < self.coalescer.rest_until_us;
        if !self.coalescer.is_idle() || rests || !self.coalescing_is_due(now) {
            return false;
        }
        let takes_oldest = self.oldest_are_due(now);
        let chosen = self.choose_pages(takes_oldest);
        if chosen.is_empty() {
            self.coalescer.rest_until_us = now.monotonic_us + REST_US;
            return false;
        }
        self.coalescer.building = chosen.len();
        for (key, page) in chosen {
            let segment = self.segments.get_mut(&key).expect("just chosen");
            let limit = segment.coalesce_limit();
            let recipe = segment.pages.recipe(page, limit).expect("it has records");
            segment.pages.get_mut(page).expect("it has records").is_coalescing = true;
            self.begin_build(Purpose::Coalesce, key, page, limit, recipe, effects);
        }
        true
    }

    fn is_coalescing_urgent(&self) -> bool {
        let reaches_back = self.log.durable().position - self.replay_point().position;
        self.pending.bytes() > self.options.pending_bytes_max / 2 || reaches_back > self.log.ring_bytes() / 4
    }

    fn coalescing_is_due(&self, now: Now) -> bool {
        if self.pending.count() == 0 {
            return false;
        }
        let is_paused = now.monotonic_us >= self.last_write_us + PAUSE_US;
        let is_worthwhile = self.oldest_are_due(now) || !self.coalescer.long_chains.is_empty();
        is_paused || self.is_coalescing_urgent() || (is_worthwhile && !self.log.is_in_flight())
    }

    /// Whether the oldest records are to become versions, whatever their pages' chains. Until then they gather: an image
    /// costs the same for one record as for thirty.
    fn oldest_are_due(&self, now: Now) -> bool {
        let reaches_back = self.log.durable().position - self.replay_point().position;
        now.monotonic_us >= self.last_write_us + PAUSE_US
            || self.is_coalescing_urgent()
            || self.pending.bytes() > self.options.pending_bytes_max / 4
            || reaches_back > self.options.checkpoint_log_bytes
    }

    /// Pages with long chains, and the oldest records' pages if those are due: a round for a few hot pages takes no cold
    /// ones along.
    fn choose_pages(&mut self, takes_oldest: bool) -> Vec<(SegmentKey, PageId)> {
        let mut chosen = BTreeSet::new();
        while chosen.len() < ROUND_PAGES_MAX {
            let Some((key, page)) = self.coalescer.long_chains.pop_first() else { break };
            if self.is_candidate(key, page) {
                chosen.insert((key, page));
            }
        }
        if takes_oldest {
            self.choose_oldest(&mut chosen);
        }
        chosen.into_iter().collect()
    }

    /// What lies above a segment's limit is passed over without a look at its records: a member with a gap holds half of its
    /// memory above it, all of it older in the log than what fills the gap.
    fn choose_oldest(&mut self, chosen: &mut BTreeSet<(SegmentKey, PageId)>) {
        let mut looks = 0;
        let mut looked_at = 0;
        let mut last = None;
        for (key, first) in self.pending.oldest_first().take(BATCHES_PASSED_MAX) {
            let limit = match last {
                Some((last_key, limit)) if last_key == key => limit,
                _ => self.segments[&key].coalesce_limit(),
            };
            last = Some((key, limit));
            if first > limit {
                continue;
            }
            if looked_at == BATCHES_LOOKED_AT_MAX || chosen.len() >= ROUND_PAGES_MAX {
                break;
            }
            looked_at += 1;
            looks += self.choose_from_batch(key, first, chosen);
        }
        if chosen.is_empty() {
            // More than was passed over lies above gaps: each segment's lowest LSNs stand below its own.
            for (key, segment) in &self.segments {
                if let Some(first) =
                    segment.batches.first().filter(|first| *first <= segment.coalesce_limit())
                {
                    looks += self.choose_from_batch(*key, first, chosen);
                }
            }
        }
        self.counters.coalescing_looks += looks;
    }

    /// Returns how many records it looked at.
    fn choose_from_batch(
        &self,
        key: SegmentKey,
        first: Lsn,
        chosen: &mut BTreeSet<(SegmentKey, PageId)>,
    ) -> u64 {
        let mut looks = 0;
        let segment = &self.segments[&key];
        let limit = segment.coalesce_limit();
        let batch = segment.batches.get(first).expect("the ledger names held batches");
        for record in batch.records.iter().take_while(|record| record.lsn <= limit) {
            if chosen.len() >= ROUND_PAGES_MAX {
                break;
            }
            looks += 1;
            if self.is_candidate(key, record.page) {
                chosen.insert((key, record.page));
            }
        }
        looks
    }

    fn is_candidate(&self, key: SegmentKey, page: PageId) -> bool {
        let Some(segment) = self.segments.get(&key) else { return false };
        let Some(entry) = segment.pages.get(page) else { return false };
        let has_records = entry.pending.first().is_some_and(|record| record.lsn <= segment.coalesce_limit());
        has_records && !entry.is_quarantined && !entry.is_coalescing
    }

    pub(crate) fn finish_coalescing(
        &mut self,
        build: &Build,
        built: Result<Page, BuildError>,
        effects: &mut Effects,
    ) {
        match built {
            Ok(page) => self.coalescer.built.push_back((build.key, page)),
            // Its image was copied to another place while the read was on its way, and the extent was used again: the page
            // comes up in a later round.
            Err(BuildError::Damaged) if self.was_superseded(build) => {
                self.coalescing_ended(build.key, build.page);
            }
            Err(BuildError::Damaged) => {
                self.note_damaged_block(build, effects);
                self.quarantine(build.key, build.page, effects, "its image on the device is damaged");
                self.coalescing_ended(build.key, build.page);
            }
            Err(BuildError::Unfit(error)) => {
                self.quarantine(build.key, build.page, effects, &format!("{error:?}"));
                self.coalescing_ended(build.key, build.page);
            }
        }
        self.coalescer.building -= 1;
        if self.coalescer.building == 0 {
            self.write_built_pages(effects);
        }
    }

    fn coalescing_ended(&mut self, key: SegmentKey, page: PageId) {
        let segment = self.segments.get_mut(&key).expect("segments stay");
        if let Some(entry) = segment.pages.get_mut(page) {
            entry.is_coalescing = false;
        }
    }

    /// Writes as many built pages as the open extent takes in one piece. Not flushed here: the checkpoint that will
    /// name them flushes first.
    fn write_built_pages(&mut self, effects: &mut Effects) {
        let count = self.coalescer.built.len() as u64;
        if count == 0 || !matches!(self.phase, crate::shard::Phase::Running) {
            return self.give_up_round();
        }
        let Some((offset, fitting)) = self.extents.allocate(Fill::Fresh, count, PAGE_SIZE as u64) else {
            return self.give_up_round();
        };
        let mut buffer = AlignedBuffer::zeroed(fitting as usize * PAGE_SIZE);
        assert!(self.coalescer.writing.is_empty());
        for block in buffer.bytes_mut().chunks_exact_mut(PAGE_SIZE).enumerate() {
            let (key, page) = self.coalescer.built.pop_front().expect("counted");
            let placed = Placed::new(key, page, self.superblock.device, offset, block);
            self.coalescer.writing.push(placed);
        }
        let token = self.token(Io::CoalescedPages);
        effects.list.push(Effect::Write { token, area: Area::Extents, offset, buffer, flush: false });
    }

    /// Without space the records stay where they are; a checkpoint may make some.
    fn give_up_round(&mut self) {
        for (key, page) in core::mem::take(&mut self.coalescer.built) {
            self.coalescing_ended(key, page.id());
        }
    }

    pub(crate) fn on_pages_written(&mut self, result: IoResult, effects: &mut Effects) {
        let writing = core::mem::take(&mut self.coalescer.writing);
        if let IoResult::Failed(errno) = result {
            return self.fail("writing page versions", errno, effects);
        }
        self.counters.coalesced_bytes += (writing.len() * PAGE_SIZE) as u64;
        for Placed { key, page, image } in writing {
            self.coalescing_ended(key, page);
            if self.segments[&key].health == Health::Sound {
                self.take_in_version(key, page, image);
            } else {
                self.extents.release(image.address, PAGE_SIZE as u64);
            }
        }
        self.write_built_pages(effects);
    }

    /// A new version stands on the device: the records in it are let go, and so are versions that no read point
    /// needs any more: all below the newest one not above the floor.
    fn take_in_version(&mut self, key: SegmentKey, page: PageId, image: ImageRef) {
        let segment = self.segments.get_mut(&key).expect("segments stay");
        let floor = segment.gc_floor;
        let entry = segment.pages.get_mut(page).expect("a page with records stays");
        assert!(image.lsn > entry.merged_to(), "a version is newer than the last");
        assert!(image.lsn <= floor.min(segment.scl), "only what is complete and below the floor");
        entry.versions.images.push(image);
        let merged = entry.pending.partition_point(|record| record.lsn <= image.lsn);
        for record in entry.pending.drain(..merged) {
            segment.batches.merged(record.batch.first(), key, &mut self.pending);
        }
        let kept_from = entry.versions.images.partition_point(|image| image.lsn <= floor).saturating_sub(1);
        for dead in entry.versions.images.drain(..kept_from) {
            self.extents.release(dead.address, PAGE_SIZE as u64);
        }
        let oldest = entry.versions.images[0].lsn;
        if let Some(delta) = entry.versions.delta.take_if(|delta| delta.to <= oldest) {
            self.extents.release(delta.address, u64::from(delta.bytes));
        }
        self.checkpointer.note_changed(key, page);
        self.counters.coalesced_pages += 1;
        self.counters.coalesced_records += merged as u64;
    }
}
