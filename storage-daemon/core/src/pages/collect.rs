//! Empties extents that are mostly dead: what lives in them is copied together, so that they can be used again.
//!
//! One extent at a time, one piece of it at a time: the piece is read, each block in it says which page it is a version
//! of, or of which pages it holds deltas, and the index says whether that still is so. What is current is checked, written to
//! an extent of copies, and named by the index in its new place; what was superseded meanwhile is let go. The old extent is
//! used again only when a durable checkpoint no longer names it, as any other ([`super::extents`]). So a crash at any step
//! finds either place intact. Images are copied as they are; deltas are packed anew, those of a piece together.
//!
//! It runs behind the foreground and rests between pieces, unless coalescing has little room left: then the two go on
//! side by side, and each piece of work here makes more room than it takes.

use super::PageEntry;
use super::coalesce::Placed;
use super::deltas::{Packer, PlacedDelta};
use super::extents::{Fill, Room};
use crate::effects::{Area, Effect, Effects, IoResult, Now};
use crate::segment::SegmentKey;
use crate::shard::{Io, Phase, Shard};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::vec::Vec;
use hexalog_protocol::{GroupId, PAGE_SIZE, Page, PageId, VolumeId};
use hexalog_storage_format::address::{AREA_EXTENTS, BlockAddress};
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use hexalog_storage_format::checkpoint::{DeltaRef, ImageRef};
use hexalog_storage_format::delta::{self, BlockIdentity, PageDelta};

/// Bytes of one piece: read, and at most written, in one operation. Small enough that a log write which comes behind it on
/// the device is not held up for long (a guess; 128 KiB take 100 us at 1.2 GB/s).
const PIECE_BYTES: u64 = 128 << 10;
/// Rest between two pieces while there is room: at most 64 MB/s of reading.
const REST_US: u64 = 2_000;
/// After a look that found nothing to collect. A look goes over all extents: 20 us for 16 GiB.
const LOOK_US: u64 = 20_000;

/// The state of collection: at most one extent at a time.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    running: Option<Collecting>,
    rest_until_us: u64,
    /// Until then no extent is looked for: there was none to collect.
    look_at_us: u64,
}

#[derive(Debug)]
struct Collecting {
    extent: u32,
    /// Which filling of the extent is emptied: it may die by itself, be freed and filled anew while a piece waits for room.
    opened_at: u64,
    /// Up to here its blocks have been looked at.
    looked_at_bytes: u64,
    has_io_in_flight: bool,
    /// Checked versions of the piece that wait to be written, with their old places.
    live: VecDeque<(SegmentKey, Page, ImageRef)>,
    /// What is being written: the new version and the place of the old one.
    writing: VecDeque<(Placed, ImageRef)>,
    /// Deltas of the piece that wait to be written, and those that are being written.
    packed: Packer,
    writing_deltas: Vec<PlacedDelta>,
    /// The old places of either.
    old_deltas: BTreeMap<(SegmentKey, PageId), DeltaRef>,
}

impl Collecting {
    /// Whether a piece waits for room.
    fn has_piece(&self) -> bool {
        !self.live.is_empty() || !self.packed.is_empty()
    }
}

impl Collector {
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The extent that is being emptied.
    pub fn extent(&self) -> Option<u32> {
        self.running.as_ref().map(|collecting| collecting.extent)
    }
}

impl Shard {
    /// Does the next piece of a collection, or begins one that is due. Never asks to be called again at once: its I/O ends
    /// with an event.
    pub(crate) fn collect_slice(&mut self, now: Now, effects: &mut Effects) {
        let is_pressed = self.extents.room() >= Room::Short;
        if now.monotonic_us < self.collector.rest_until_us && !is_pressed {
            return;
        }
        if self.collector.running.is_none() && !self.begin_collection(now) {
            return;
        }
        let collecting = self.collector.running.as_ref().expect("begun above at the latest");
        if collecting.has_io_in_flight {
            return;
        }
        self.collector.rest_until_us = now.monotonic_us + REST_US;
        if collecting.has_piece() {
            // There was no room for it.
            self.write_piece(effects);
        } else {
            self.read_piece(effects);
        }
    }

    /// Chooses an extent. What will be free with the next checkpoint counts as room: that is already on its way.
    fn begin_collection(&mut self, now: Now) -> bool {
        if now.monotonic_us < self.collector.look_at_us || self.extents.room_soon() == Room::Ample {
            return false;
        }
        // A version that is being written is live and not yet named by the index.
        let is_written_to = |extent| {
            let fetched = self.fetches.writing().map(|placed| placed.image.address);
            let mended = self.repairs.writing().map(|placed| placed.image.address);
            let mut written = self.coalescer.writing().chain(fetched).chain(mended);
            written.any(|address| self.extents.extent_of(address) == extent)
        };
        let Some(extent) = self.extents.victim(is_written_to) else {
            self.collector.look_at_us = now.monotonic_us + LOOK_US;
            return false;
        };
        self.collector.running = Some(Collecting {
            extent,
            opened_at: self.extents.opened_at(extent),
            looked_at_bytes: 0,
            has_io_in_flight: false,
            live: VecDeque::new(),
            writing: VecDeque::new(),
            packed: Packer::default(),
            writing_deltas: Vec::new(),
            old_deltas: BTreeMap::new(),
        });
        true
    }

    fn read_piece(&mut self, effects: &mut Effects) {
        let extent_bytes = self.options.extent_bytes;
        let collecting = self.collector.running.as_mut().expect("the caller has one");
        // What is left may have died since.
        let is_over = self.extents.live_bytes_in(collecting.extent) == 0
            || self.extents.opened_at(collecting.extent) != collecting.opened_at;
        if is_over || collecting.looked_at_bytes == extent_bytes {
            return self.end_collection(effects);
        }
        collecting.has_io_in_flight = true;
        let offset = self.extents.offset_of(collecting.extent) + collecting.looked_at_bytes;
        let bytes = PIECE_BYTES.min(extent_bytes - collecting.looked_at_bytes);
        let buffer = AlignedBuffer::zeroed(bytes as usize);
        self.read(Io::CollectedPiece, Area::Extents, offset, buffer, effects);
    }

    pub(crate) fn on_piece_read(&mut self, result: IoResult, buffer: AlignedBuffer, effects: &mut Effects) {
        let mut collecting = self.collector.running.take().expect("a piece has its collection");
        collecting.has_io_in_flight = false;
        assert!(!collecting.has_piece(), "one piece at a time");
        if let Some(errno) = result.errno() {
            // It says nothing of what stands there: whoever asks for one of its pages finds out. Those that come from a peer
            // nobody asks for.
            self.extents.leave(collecting.extent);
            let mut pages = self.pages_in(collecting.extent);
            pages.retain(|(key, page)| self.comes_anew(*key, *page) && !self.repairs.writes(*key, *page));
            pages.into_iter().for_each(|(key, page)| self.drop_versions(key, page));
            let text = format!(
                "reading the extent at extents offset {} failed with errno {errno}: it is not collected before something in it has died",
                self.extents.offset_of(collecting.extent)
            );
            effects.list.push(Effect::Log(text));
            return;
        }
        let from = self.extents.offset_of(collecting.extent) + collecting.looked_at_bytes;
        collecting.looked_at_bytes += buffer.len() as u64;
        if self.extents.fill_of(collecting.extent).is_deltas() {
            self.pack_live_deltas(&mut collecting, from, buffer.bytes());
        } else {
            for (index, block) in buffer.bytes().chunks_exact(PAGE_SIZE).enumerate() {
                let address = BlockAddress::new(AREA_EXTENTS, from + (index * PAGE_SIZE) as u64);
                collecting.live.extend(self.live_image(block, address));
            }
        }
        self.collector.running = Some(collecting);
        self.write_piece(effects);
    }

    /// The version that stands in a block, if the index names it there and it is what the index says. What is not stays
    /// where it is, and its extent with it.
    fn live_image(&self, block: &[u8], address: BlockAddress) -> Option<(SegmentKey, Page, ImageRef)> {
        let (volume, id) = Page::identity_in(block)?;
        let key = self.key_of(volume, id)?;
        let entry = self.segments.get(&key)?.pages.get(id)?;
        let named = entry.image().filter(|image| image.address == address)?;
        let page = Page::from_bytes(block)?;
        let is_it = page.crc() == named.crc
            && page.verify(volume, id)
            && page.is_at(self.superblock.device, address.0)
            && page.lsn() == named.lsn;
        is_it.then_some((key, page, named))
    }

    /// The segment of a page.
    fn key_of(&self, volume: VolumeId, page: PageId) -> Option<SegmentKey> {
        let of_volume = self.segments_of(volume).next()?;
        let group = page.0.checked_div(of_volume.pages_per_group)?;
        Some((volume, GroupId(u32::try_from(group).ok()?)))
    }

    /// Packs the deltas that live in a piece that begins at `from`, by page.
    fn pack_live_deltas(&self, collecting: &mut Collecting, from: u64, bytes: &[u8]) {
        let mut live: Vec<(SegmentKey, PageDelta<'_>, DeltaRef)> = Vec::new();
        for (index, block) in bytes.chunks_exact(BLOCK_BYTES).enumerate() {
            self.find_live_deltas(block, from + (index * BLOCK_BYTES) as u64, &mut live);
        }
        live.sort_unstable_by_key(|(key, delta, _)| (*key, delta.page));
        for (key, delta, named) in live {
            let has_room = collecting.packed.push(key, delta.page, delta.from, &delta.records);
            assert!(has_room, "it came from a block");
            let before = collecting.old_deltas.insert((key, delta.page), named);
            assert!(before.is_none(), "a page has one delta");
        }
    }

    /// The deltas of a block that the index names there, if the block is what the index says.
    fn find_live_deltas<'a>(
        &self,
        block: &'a [u8],
        offset: u64,
        live: &mut Vec<(SegmentKey, PageDelta<'a>, DeltaRef)>,
    ) {
        let Some(volume) = delta::volume_in(block) else { return };
        let identity = BlockIdentity { device: self.superblock.device, offset, volume };
        let crc = delta::checksum(block);
        let Ok(deltas) = delta::decode(block, &identity, crc) else { return };
        for delta in deltas {
            let Some(key) = self.key_of(volume, delta.page) else { continue };
            let entry = self.segments.get(&key).and_then(|segment| segment.pages.get(delta.page));
            let Some(named) = entry.and_then(PageEntry::delta) else { continue };
            let is_it = named.address.offset() == offset && named.crc == crc && named.from == delta.from;
            if is_it {
                live.push((key, delta, named));
            }
        }
    }

    /// Writes what lives in the piece. Without room it waits: a checkpoint frees what was emptied before.
    fn write_piece(&mut self, effects: &mut Effects) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let device = self.superblock.device;
        let collecting = self.collector.running.as_mut().expect("the caller has one");
        assert!(!collecting.has_io_in_flight, "one write at a time");
        assert!(collecting.writing.is_empty() && collecting.writing_deltas.is_empty());
        let (fill, count, bytes) = match (collecting.live.len(), collecting.packed.blocks()) {
            (0, 0) => return,
            (0, blocks) => (Fill::MovedDeltas, blocks as u64, BLOCK_BYTES),
            (images, _) => (Fill::Moved, images as u64, PAGE_SIZE),
        };
        let Some((offset, fitting)) = self.extents.allocate(fill, count, bytes as u64) else { return };
        let mut buffer = AlignedBuffer::zeroed(fitting as usize * bytes);
        if fill.is_deltas() {
            collecting.writing_deltas = collecting.packed.place(device, offset, buffer.bytes_mut());
        } else {
            for block in buffer.bytes_mut().chunks_exact_mut(PAGE_SIZE).enumerate() {
                let (key, page, old) = collecting.live.pop_front().expect("counted");
                let placed = Placed::new(key, page, device, offset, block);
                assert_eq!(placed.image.lsn, old.lsn, "a copy is the same version");
                collecting.writing.push_back((placed, old));
            }
        }
        collecting.has_io_in_flight = true;
        self.counters.collected_bytes += buffer.len() as u64;
        let token = self.token(Io::CollectedCopies);
        effects.list.push(Effect::Write { token, area: Area::Extents, offset, buffer, flush: false });
    }

    /// The copies stand on the device; the checkpoint that will name them flushes them first.
    pub(crate) fn on_copies_written(&mut self, now: Now, result: IoResult, effects: &mut Effects) {
        let collecting = self.collector.running.as_mut().expect("a write has its collection");
        collecting.has_io_in_flight = false;
        let writing = core::mem::take(&mut collecting.writing);
        let writing_deltas = core::mem::take(&mut collecting.writing_deltas);
        match result {
            IoResult::Done => {}
            IoResult::Failed(errno) => return self.fail("copying page versions", errno, effects),
            IoResult::NoSpace => {
                // The extent stays as it is, and is begun again later.
                self.collector.running = None;
                if let Some((first, _)) = writing.front() {
                    let bytes = (writing.len() * PAGE_SIZE) as u64;
                    self.extents.give_back(Fill::Moved, first.image.address.offset(), bytes);
                }
                if let Some(first) = writing_deltas.first() {
                    let bytes = writing_deltas.iter().map(|placed| u64::from(placed.delta.bytes)).sum();
                    self.extents.give_back(Fill::MovedDeltas, first.delta.address.offset(), bytes);
                }
                return self.note_no_space(now, "copies of page versions", effects);
            }
        }
        writing.into_iter().for_each(|(placed, old)| self.image_moved(&placed, &old));
        writing_deltas.into_iter().for_each(|placed| self.delta_moved(&placed));
        self.write_piece(effects);
    }

    fn image_moved(&mut self, placed: &Placed, old: &ImageRef) {
        let entry = self
            .segments
            .get_mut(&placed.key)
            .and_then(|segment| segment.pages.get_mut(placed.page))
            .filter(|entry| entry.image() == Some(*old));
        // Superseded while it was copied: nothing names either place any more.
        let Some(entry) = entry else {
            return self.extents.release(placed.image.address, PAGE_SIZE as u64);
        };
        entry.set_image(placed.image);
        self.extents.release(old.address, PAGE_SIZE as u64);
        self.note_versions_changed(placed.key, placed.page);
    }

    fn delta_moved(&mut self, placed: &PlacedDelta) {
        let collecting = self.collector.running.as_mut().expect("the caller has one");
        let old = collecting.old_deltas.remove(&(placed.key, placed.page)).expect("it was found at a place");
        let entry = self.segments.get_mut(&placed.key).and_then(|segment| segment.pages.get_mut(placed.page));
        let Some(entry) = entry.filter(|entry| entry.delta() == Some(old)) else {
            return self.extents.release(placed.delta.address, u64::from(placed.delta.bytes));
        };
        assert_eq!((placed.delta.from, placed.delta.to), (old.from, old.to), "a copy is the same delta");
        entry.set_delta(placed.delta);
        self.counters.collected_deltas += 1;
        entry.chain = placed.chain;
        self.extents.release(old.address, u64::from(old.bytes));
        self.note_versions_changed(placed.key, placed.page);
    }

    fn end_collection(&mut self, effects: &mut Effects) {
        let collecting = self.collector.running.take().expect("the caller has one");
        assert!(!collecting.has_piece() && collecting.old_deltas.is_empty());
        self.counters.extents_collected += 1;
        if self.extents.opened_at(collecting.extent) != collecting.opened_at {
            return;
        }
        let left_bytes = self.extents.live_bytes_in(collecting.extent);
        if left_bytes > 0 {
            self.extents.leave(collecting.extent);
            self.counters.crc_errors += left_bytes.div_ceil(PAGE_SIZE as u64);
            let text = format!(
                "{left_bytes} bytes of the extent at extents offset {} are not what the index says: they stay where they are",
                self.extents.offset_of(collecting.extent)
            );
            effects.list.push(Effect::Log(text));
            self.mend_extent(collecting.extent, effects);
        }
    }

    /// What a collection could not move is damaged: its pages are mended, and then nothing in the extent lives any more.
    fn mend_extent(&mut self, extent: u32, effects: &mut Effects) {
        for (key, page) in self.pages_in(extent) {
            self.note_damaged_page(key, page, "found when its extent was collected", effects);
        }
    }

    /// Pages that have a version in an extent.
    fn pages_in(&self, extent: u32) -> Vec<(SegmentKey, PageId)> {
        let is_there = |address: BlockAddress| self.extents.extent_of(address) == extent;
        let mut found: Vec<(SegmentKey, PageId)> = Vec::new();
        for (key, segment) in &self.segments {
            for (page, entry) in segment.pages.iter() {
                let image = entry.image().map(|image| image.address);
                let delta = entry.delta().map(|delta| delta.address);
                if image.is_some_and(is_there) || delta.is_some_and(is_there) {
                    found.push((*key, page));
                }
            }
        }
        found
    }
}
