//! Makes new page versions from records, oldest log first, long chains before that; many pages in one large write.
//!
//! A page gets a delta ([`super::deltas`]) as long as that is short, then an image. Into an image go only records <=
//! `Segment::coalesce_limit`: complete, durable in the volume, and not above the durable floor, so that no read point in use
//! lies between the new version and the records that it replaces. A record is let go in memory when its version is written;
//! the log keeps it until a checkpoint names the version.

use super::build::{Build, BuildError, Purpose};
use super::deltas::{Chain, DELTA_HEAD_BYTES_MAX, Packer, PlacedDelta, RECORD_HEAD_BYTES_MAX};
use super::extents::Fill;
use super::{PageEntry, PendingRecord, Recipe};
use crate::effects::{Area, Effect, Effects, IoResult, Now};
use crate::segment::SegmentKey;
use crate::shard::{Io, Phase, Shard};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::vec::Vec;
use hexalog_protocol::{DeviceId, Lsn, PAGE_SIZE, Page, PageId};
use hexalog_storage_format::address::{AREA_EXTENTS, BlockAddress};
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use hexalog_storage_format::checkpoint::{ImageRef, PageVersions};
use hexalog_storage_format::delta::DELTA_BYTES_MAX;

/// Pages of one round: at most half a MiB of images, a few hundred microseconds of work spread over their reads. With fewer
/// the last block of deltas, which is written as it is, would weigh more.
pub(crate) const ROUND_PAGES_MAX: usize = 128;
/// Images among them.
const ROUND_IMAGES_MAX: usize = 64;
/// Pages of a round that are read for at once: with eight a device gives most of what it can, and a log write that comes behind
/// them waits for no more than these. All of a round at once would hold it up for a millisecond.
const BUILDS_MAX: usize = 8;
/// If memory or log are about to be full, a foreground that waits for the round waits longer than behind its reads.
const URGENT_BUILDS_MAX: usize = 32;
/// Images in one write, for the same reason: 128 KiB, as a piece of collection.
const PIECE_IMAGES_MAX: u64 = 16;
/// Reads from the device that need a page's delta after which it gets an image: each costs a block more than it would then,
/// so an image is paid for when the page is read as often again.
pub(crate) const DELTA_READS_MAX: u8 = 16;
/// Held batches whose records are looked at for candidates in one slice.
const BATCHES_LOOKED_AT_MAX: usize = 256;
/// Held batches passed over in one slice since nothing of them may be coalesced yet.
const BATCHES_PASSED_MAX: usize = 4096;
/// After a round that found nothing to do, wait this long, unless more may be coalesced before. Each time in a row it is
/// twice as long, so that what a read point holds back is not looked through fifty times a second for as long as that takes.
const REST_MIN_US: u64 = 20_000;
const REST_MAX_US: u64 = 320_000;
/// No write frame for this long is a pause: everything pending is coalesced then.
const PAUSE_US: u64 = 200_000;

/// The state of coalescing: at most one round at a time.
#[derive(Debug, Default)]
pub(crate) struct Coalescer {
    long_chains: BTreeSet<(SegmentKey, PageId)>,
    /// One of them has twice the records that it should.
    has_overlong: bool,
    /// Pages of the round whose turn has not come.
    waiting: VecDeque<(SegmentKey, PageId)>,
    /// Pages of the round that wait for the device.
    building: usize,
    /// Builds are being begun; those that need no device end at once.
    is_beginning: bool,
    built: VecDeque<(SegmentKey, Page)>,
    writing: Vec<Placed>,
    /// Deltas whose records have been read.
    pub(super) gathered: Vec<Build>,
    pub(super) packed: Packer,
    pub(super) writing_deltas: Vec<PlacedDelta>,
    rest_until_us: u64,
    /// How long the next rest is.
    rest_us: u64,
}

/// What a page gets next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Choice {
    Image,
    /// With the records through this LSN.
    Delta(Lsn),
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

/// What a round makes. A version whose kind has no room is not chosen: a round that could write nothing would begin again at
/// once.
#[derive(Debug)]
struct Chosen {
    pages: BTreeMap<(SegmentKey, PageId), Choice>,
    images: usize,
    has_image_room: bool,
    has_delta_room: bool,
}

impl Chosen {
    fn is_full(&self) -> bool {
        self.pages.len() >= ROUND_PAGES_MAX || self.images >= ROUND_IMAGES_MAX
    }

    fn has_room_for(&self, choice: Choice) -> bool {
        match choice {
            Choice::Image => self.has_image_room,
            Choice::Delta(_) => self.has_delta_room,
        }
    }
}

impl Coalescer {
    /// A page has many records.
    pub fn note_long_chain(&mut self, key: SegmentKey, page: PageId) {
        self.long_chains.insert((key, page));
    }

    /// A page has twice the records that make a long chain: it waits no longer for a moment without an append in flight, which
    /// a bulk load does not leave.
    pub fn note_overlong_chain(&mut self) {
        self.has_overlong = true;
    }

    /// More records may be coalesced than when a round last found none.
    pub fn limit_moved(&mut self) {
        (self.rest_until_us, self.rest_us) = (0, 0);
    }

    /// Nothing could be chosen: each time in a row, twice as long as before until it is tried again.
    fn rest(&mut self, now: Now) {
        self.rest_us = (self.rest_us * 2).clamp(REST_MIN_US, REST_MAX_US);
        self.rest_until_us = now.monotonic_us + self.rest_us;
    }

    /// Where versions are being written: live, and named by nothing yet.
    pub fn writing(&self) -> impl Iterator<Item = BlockAddress> + '_ {
        let images = self.writing.iter().map(|placed| placed.image.address);
        images.chain(self.writing_deltas.iter().map(|placed| placed.delta.address))
    }

    pub fn is_idle(&self) -> bool {
        let has_images = !self.built.is_empty() || !self.writing.is_empty();
        let has_deltas =
            !self.gathered.is_empty() || !self.packed.is_empty() || !self.writing_deltas.is_empty();
        self.waiting.is_empty() && self.building == 0 && !has_images && !has_deltas
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
            self.coalescer.rest(now);
            return false;
        }
        self.coalescer.rest_us = 0;
        self.coalescer.waiting = chosen.into_keys().collect();
        self.begin_coalescing(effects);
        true
    }

    /// Begins to build the round's next pages, as many as may be read for at once. What a page gets is decided anew: other
    /// things went on since it was chosen.
    fn begin_coalescing(&mut self, effects: &mut Effects) {
        let most = if self.is_coalescing_urgent() { URGENT_BUILDS_MAX } else { BUILDS_MAX };
        self.coalescer.is_beginning = true;
        while self.coalescer.building < most {
            let Some((key, page)) = self.coalescer.waiting.pop_front() else { break };
            if let Some(choice) = self.choose_version(key, page) {
                self.coalescer.building += 1;
                self.begin_version(key, page, choice, effects);
            }
        }
        self.coalescer.is_beginning = false;
        if self.coalescer.building == 0 {
            assert!(self.coalescer.waiting.is_empty(), "a page's turn comes when one ends");
            self.pack_gathered();
            self.write_round(effects);
        }
    }

    fn begin_version(&mut self, key: SegmentKey, page: PageId, choice: Choice, effects: &mut Effects) {
        let segment = self.segments.get_mut(&key).expect("just chosen");
        let entry = segment.pages.get_mut(page).expect("just chosen");
        entry.is_coalescing = true;
        let records = usize::from(entry.chain.records).saturating_add(entry.pending.len()) as u64;
        self.counters.chain_records_max = self.counters.chain_records_max.max(records);
        let (limit, floor) = (segment.coalesce_limit(), segment.gc_floor);
        let (purpose, limit, recipe) = match choice {
            Choice::Image => (Purpose::Coalesce, limit, segment.pages.recipe(page, limit)),
            Choice::Delta(through) => {
                (Purpose::Gather, through, segment.pages.delta_recipe(page, through, floor))
            }
        };
        let recipe: Recipe = recipe.expect("it has records");
        self.begin_build(purpose, key, page, limit, recipe, effects);
    }

    pub(crate) fn is_coalescing_urgent(&self) -> bool {
        let reaches_back = self.log.durable().position - self.replay_point().position;
        self.pending.bytes() > self.options.pending_bytes_max / 2 || reaches_back > self.log.ring_bytes() / 4
    }

    fn coalescing_is_due(&self, now: Now) -> bool {
        // A page that is read often may have no records in memory.
        if self.pending.count() == 0 && self.coalescer.long_chains.is_empty() {
            return false;
        }
        let is_paused = now.monotonic_us >= self.last_write_us + PAUSE_US;
        let is_worthwhile = self.oldest_are_due(now) || !self.coalescer.long_chains.is_empty();
        let is_urgent = self.is_coalescing_urgent() || self.coalescer.has_overlong;
        is_paused || is_urgent || (is_worthwhile && !self.log.is_in_flight())
    }

    /// Whether the oldest records are to become versions, whatever their pages' chains. Until then they gather: an image
    /// costs the same for one record as for thirty.
    fn oldest_are_due(&self, now: Now) -> bool {
        let reaches_back = self.log.durable().position - self.replay_point().position;
        now.monotonic_us >= self.last_write_us + PAUSE_US
            || self.is_coalescing_urgent()
            || self.has_bad_log()
            || self.pending.bytes() > self.options.pending_bytes_max / 4
            || reaches_back > self.options.checkpoint_log_bytes
    }

    /// Pages with long chains, and the oldest records' pages if those are due: a round for a few hot pages takes no cold
    /// ones along.
    fn choose_pages(&mut self, takes_oldest: bool) -> BTreeMap<(SegmentKey, PageId), Choice> {
        let mut chosen = Chosen {
            pages: BTreeMap::new(),
            images: 0,
            has_image_room: self.extents.has_room(Fill::Fresh, PAGE_SIZE as u64),
            has_delta_room: self.extents.has_room(Fill::Deltas, BLOCK_BYTES as u64),
        };
        if !chosen.has_image_room && !chosen.has_delta_room {
            // Without space the records stay where they are; a checkpoint may make some.
            return chosen.pages;
        }
        while !chosen.is_full() {
            let Some((key, page)) = self.coalescer.long_chains.pop_first() else { break };
            self.choose_page(key, page, &mut chosen);
        }
        self.coalescer.has_overlong &= !self.coalescer.long_chains.is_empty();
        if takes_oldest {
            self.choose_oldest(&mut chosen);
        }
        chosen.pages
    }

    /// What lies above a segment's limit is passed over without a look at its records: a member with a gap holds half of its
    /// memory above it, all of it older in the log than what fills the gap.
    fn choose_oldest(&mut self, chosen: &mut Chosen) {
        let mut looks = 0;
        let mut looked_at = 0;
        let mut last = None;
        for (key, first) in self.pending.oldest_first().take(BATCHES_PASSED_MAX) {
            let limit = match last {
                Some((last_key, limit)) if last_key == key => limit,
                _ => self.segments[&key].delta_limit(),
            };
            last = Some((key, limit));
            if first > limit {
                continue;
            }
            if looked_at == BATCHES_LOOKED_AT_MAX || chosen.is_full() {
                break;
            }
            // A page that waits to be mended must not hold up the others, however many batches it stands in.
            looked_at += usize::from(!self.waits_for_repair(key, first));
            looks += self.choose_from_batch(key, first, chosen);
        }
        if chosen.pages.is_empty() {
            // More than was passed over lies above gaps: each segment's lowest LSNs stand below its own.
            for (key, segment) in &self.segments {
                if let Some(first) = segment.batches.first().filter(|first| *first <= segment.delta_limit()) {
                    looks += self.choose_from_batch(*key, first, chosen);
                }
            }
        }
        self.counters.coalescing_looks += looks;
    }

    /// Whether a batch is held for pages alone that get no version until they have been mended.
    fn waits_for_repair(&self, key: SegmentKey, first: Lsn) -> bool {
        if self.repairs.count() == 0 {
            return false;
        }
        let segment = &self.segments[&key];
        let batch = segment.batches.get(first).expect("the ledger names held batches");
        let is_ailing = |page| segment.pages.get(page).is_some_and(PageEntry::is_ailing);
        batch.records.iter().all(|record| is_ailing(record.page))
    }

    /// Returns how many records it looked at.
    fn choose_from_batch(&self, key: SegmentKey, first: Lsn, chosen: &mut Chosen) -> u64 {
        let mut looks = 0;
        let segment = &self.segments[&key];
        let limit = segment.delta_limit();
        let batch = segment.batches.get(first).expect("the ledger names held batches");
        for record in batch.records.iter().take_while(|record| record.lsn <= limit) {
            if chosen.is_full() {
                break;
            }
            looks += 1;
            self.choose_page(key, record.page, chosen);
        }
        looks
    }

    fn choose_page(&self, key: SegmentKey, page: PageId, chosen: &mut Chosen) {
        if chosen.pages.contains_key(&(key, page)) {
            return;
        }
        if let Some(choice) = self.choose_version(key, page).filter(|choice| chosen.has_room_for(*choice)) {
            chosen.images += usize::from(choice == Choice::Image);
            chosen.pages.insert((key, page), choice);
        }
    }

    /// Whether a page gets a delta or an image, if it can get either now.
    fn choose_version(&self, key: SegmentKey, page: PageId) -> Option<Choice> {
        let segment = self.segments.get(&key)?;
        let entry = segment.pages.get(page)?;
        // One that is to be hydrated, or is, gets its versions from a peer.
        if entry.is_ailing() || entry.is_coalescing || !segment.health.follows_log() {
            return None;
        }
        let limit = segment.delta_limit();
        let waiting = &entry.pending[..entry.pending.partition_point(|record| record.lsn <= limit)];
        let is_read_often = entry.reads >= DELTA_READS_MAX;
        if !waiting.is_empty() && !is_read_often && self.is_worth_a_delta(entry, waiting) {
            return Some(Choice::Delta(waiting[waiting.len() - 1].lsn));
        }
        let collectable = segment.coalesce_limit();
        // Either way the image is newer than the last.
        let takes_records = waiting.first().is_some_and(|record| record.lsn <= collectable);
        let is_due = !waiting.is_empty() || is_read_often;
        let takes_delta = is_due && entry.delta().is_some_and(|delta| delta.to <= collectable);
        if takes_records || takes_delta {
            return Some(Choice::Image);
        }
        // A read point holds the image back: the delta takes what it can.
        let (fitting, _) = fitting_records(entry, waiting, DELTA_BYTES_MAX);
        (fitting > 0).then(|| Choice::Delta(waiting[fitting - 1].lsn))
    }

    /// Whether all that waits for a page had better go into its delta, written anew with what it has already, than into an
    /// image.
    ///
    /// With b bytes more each time, n deltas and then an image cost b + 2 b + … + n b + 8,192: per time the least when the
    /// last delta has n b = sqrt(2 * 8,192 * b) bytes. So one that is longer is not written any more. The first one of a page
    /// is always worth it, if it fits.
    fn is_worth_a_delta(&self, entry: &PageEntry, waiting: &[PendingRecord]) -> bool {
        let records = usize::from(entry.chain.records) + waiting.len();
        if records > self.options.delta_records_max {
            return false;
        }
        let (fitting, new_bytes) = fitting_records(entry, waiting, self.options.delta_bytes_max);
        let all_bytes = usize::from(entry.chain.bytes) + new_bytes;
        fitting == waiting.len() && all_bytes * all_bytes <= 2 * PAGE_SIZE * new_bytes
    }

    pub(crate) fn finish_coalescing(
        &mut self,
        build: &Build,
        built: Result<Page, BuildError>,
        effects: &mut Effects,
    ) {
        match built {
            Ok(page) => self.coalescer.built.push_back((build.key, page)),
            Err(error) => self.build_failed(build, error, effects),
        }
        self.coalescing_built(effects);
    }

    /// A page of the round gets no new version.
    pub(super) fn build_failed(&mut self, build: &Build, error: BuildError, effects: &mut Effects) {
        match error {
            // Its image or delta was copied to another place while the read was on its way, and the extent was used again:
            // the page comes up in a later round.
            BuildError::Damaged if self.was_superseded(build) => {}
            BuildError::Damaged => self.note_damaged_block(build, effects),
            BuildError::Unfit(error) => {
                self.quarantine(build.key, build.page, effects, &format!("{error:?}"));
            }
        }
        self.coalescing_ended(build.key, build.page);
    }

    /// One page less to wait for: the next one's turn, and after the last the round is written.
    pub(super) fn coalescing_built(&mut self, effects: &mut Effects) {
        self.coalescer.building -= 1;
        if !self.coalescer.is_beginning {
            self.begin_coalescing(effects);
        }
    }

    pub(super) fn coalescing_ended(&mut self, key: SegmentKey, page: PageId) {
        let segment = self.segments.get_mut(&key).expect("segments stay");
        if let Some(entry) = segment.pages.get_mut(page) {
            entry.is_coalescing = false;
        }
    }

    /// Writes the next piece of a round: images, then deltas. What has become without space meanwhile stays where it is.
    fn write_round(&mut self, effects: &mut Effects) {
        let is_running = matches!(self.phase, Phase::Running);
        if !self.coalescer.built.is_empty() {
            if is_running && self.write_built_pages(effects) {
                return;
            }
            for (key, page) in core::mem::take(&mut self.coalescer.built) {
                self.coalescing_ended(key, page.id());
            }
        }
        if !self.coalescer.packed.is_empty() {
            if is_running && self.write_packed(effects) {
                return;
            }
            for (key, page) in self.coalescer.packed.give_up() {
                self.coalescing_ended(key, page);
            }
        }
    }

    /// Writes as many built pages as the open extent takes in one piece; false without room. Not flushed here: the
    /// checkpoint that will name them flushes first.
    fn write_built_pages(&mut self, effects: &mut Effects) -> bool {
        let most = if self.is_coalescing_urgent() { u64::MAX } else { PIECE_IMAGES_MAX };
        let count = most.min(self.coalescer.built.len() as u64);
        let Some((offset, fitting)) = self.extents.allocate(Fill::Fresh, count, PAGE_SIZE as u64) else {
            return false;
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
        true
    }

    pub(crate) fn on_pages_written(&mut self, now: Now, result: IoResult, effects: &mut Effects) {
        let writing = core::mem::take(&mut self.coalescer.writing);
        match result {
            IoResult::Done => {}
            IoResult::Failed(errno) => return self.fail("writing page versions", errno, effects),
            IoResult::NoSpace => return self.pages_found_no_space(now, &writing, effects),
        }
        self.counters.coalesced_bytes += (writing.len() * PAGE_SIZE) as u64;
        for Placed { key, page, image } in writing {
            self.coalescing_ended(key, page);
            if self.segments[&key].health.follows_log() {
                self.take_in_version(key, page, image);
            } else {
                self.extents.release(image.address, PAGE_SIZE as u64);
            }
        }
        self.take_in_deltas();
        self.write_round(effects);
    }

    /// None of the round's pages gets a version now: their records stay where they are.
    fn pages_found_no_space(&mut self, now: Now, images: &[Placed], effects: &mut Effects) {
        if let Some(first) = images.first() {
            let bytes = (images.len() * PAGE_SIZE) as u64;
            self.extents.give_back(Fill::Fresh, first.image.address.offset(), bytes);
        }
        let deltas = core::mem::take(&mut self.coalescer.writing_deltas);
        if let Some(first) = deltas.first() {
            let bytes = deltas.iter().map(|placed| u64::from(placed.delta.bytes)).sum();
            self.extents.give_back(Fill::Deltas, first.delta.address.offset(), bytes);
        }
        images.iter().for_each(|placed| self.coalescing_ended(placed.key, placed.page));
        deltas.iter().for_each(|placed| self.coalescing_ended(placed.key, placed.page));
        self.note_no_space(now, "page versions", effects);
        self.write_round(effects);
    }

    /// A new image stands on the device: the records in it are let go, and so are the image before, which no read point needs
    /// now that the floor is not below this one, and the delta if all of it is in.
    fn take_in_version(&mut self, key: SegmentKey, page: PageId, image: ImageRef) {
        let segment = self.segments.get_mut(&key).expect("segments stay");
        assert!(segment.health.follows_log(), "a version is made of the log, and not of what was given up");
        let floor = segment.gc_floor;
        let entry = segment.pages.get_mut(page).expect("a page with records stays");
        assert!(image.lsn > entry.image_lsn(), "a version is newer than the last");
        assert!(image.lsn <= floor.min(segment.scl), "only what is complete and below the floor");
        if entry.is_imageless() {
            self.extents.page_has_image();
        }
        let old = entry.set_image(image);
        let merged = entry.take_merged();
        for record in &merged {
            segment.batches.merged(record.batch.first(), key, &mut self.pending);
        }
        let dead = PageVersions { image: old, delta: entry.take_delta(image.lsn) };
        self.extents.release_versions(&dead);
        (entry.chain, entry.reads) = (Chain::default(), 0);
        self.note_versions_changed(key, page);
        self.counters.coalesced_pages += 1;
        self.counters.coalesced_records += merged.len() as u64;
    }
}

/// How many of a page's oldest waiting records fit into a delta of this many bytes with what its delta holds already, and the
/// bytes that they take at most.
fn fitting_records(entry: &PageEntry, waiting: &[PendingRecord], bytes_max: usize) -> (usize, usize) {
    let room = bytes_max.saturating_sub(DELTA_HEAD_BYTES_MAX + usize::from(entry.chain.bytes));
    let (mut count, mut bytes) = (0, 0);
    for record in waiting {
        let all = bytes + RECORD_HEAD_BYTES_MAX + record.operations().len();
        if all > room {
            break;
        }
        (count, bytes) = (count + 1, all);
    }
    (count, bytes)
}
