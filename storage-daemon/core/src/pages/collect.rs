//! Empties extents that are mostly dead: what lives in them is copied together, so that they can be used again.
//!
//! One extent at a time, one piece of it at a time: the piece is read, each block in it says which page it is a version
//! of, and the index says whether it still is. What is current is checked, written to an extent of copies, and named by
//! the index in its new place; what was superseded meanwhile is let go. The old extent is used again only when a durable
//! checkpoint no longer names it, as any other ([`super::extents`]). So a crash at any step finds either place intact.
//!
//! It runs behind the foreground and rests between pieces, unless coalescing has little room left: then the two go on
//! side by side, and each piece of work here makes more room than it takes.

use super::coalesce::Placed;
use super::extents::{Fill, Room};
use crate::effects::{Area, Effect, Effects, IoResult, Now};
use crate::segment::SegmentKey;
use crate::shard::{Io, Phase, Shard};
use alloc::collections::VecDeque;
use alloc::format;
use hexalog_protocol::{GroupId, PAGE_SIZE, Page};
use hexalog_storage_format::address::{AREA_EXTENTS, BlockAddress};
use hexalog_storage_format::aligned::AlignedBuffer;
use hexalog_storage_format::checkpoint::ImageRef;

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
}

impl Collector {
    pub fn is_running(&self) -> bool {
        self.running.is_some()
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
        if collecting.live.is_empty() {
            self.read_piece(effects);
        } else {
            // There was no room for it.
            self.write_piece(effects);
        }
    }

    /// Chooses an extent. What will be free with the next checkpoint counts as room: that is already on its way.
    fn begin_collection(&mut self, now: Now) -> bool {
        if now.monotonic_us < self.collector.look_at_us || self.extents.room_soon() == Room::Ample {
            return false;
        }
        // A version that is being written is live and not yet named by the index.
        let is_written_to = |extent| {
            let mut placed = self.coalescer.writing().chain(self.fetches.writing());
            placed.any(|placed| self.extents.extent_of(placed.image.address) == extent)
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
        assert!(collecting.live.is_empty(), "one piece at a time");
        if let IoResult::Failed(errno) = result {
            // It says nothing of what stands there; whoever asks for one of its pages finds out.
            self.extents.leave(collecting.extent);
            let text = format!(
                "reading the extent at extents offset {} failed with errno {errno}: it is not collected in this run",
                self.extents.offset_of(collecting.extent)
            );
            effects.list.push(Effect::Log(text));
            return;
        }
        let from = self.extents.offset_of(collecting.extent) + collecting.looked_at_bytes;
        collecting.looked_at_bytes += buffer.len() as u64;
        for (index, block) in buffer.bytes().chunks_exact(PAGE_SIZE).enumerate() {
            let address = BlockAddress::new(AREA_EXTENTS, from + (index * PAGE_SIZE) as u64);
            collecting.live.extend(self.live_image(block, address));
        }
        self.collector.running = Some(collecting);
        self.write_piece(effects);
    }

    /// The version that stands in a block, if the index names it there and it is what the index says. What is not stays
    /// where it is, and its extent with it.
    fn live_image(&self, block: &[u8], address: BlockAddress) -> Option<(SegmentKey, Page, ImageRef)> {
        let (volume, id) = Page::identity_in(block)?;
        let of_volume = self.segments_of(volume).next()?;
        let group = GroupId(u32::try_from(id.0.checked_div(of_volume.pages_per_group)?).ok()?);
        let entry = self.segments.get(&(volume, group))?.pages.get(id)?;
        let named = entry.versions.images.iter().find(|image| image.address == address)?;
        let page = Page::from_bytes(block)?;
        let is_it = page.crc() == named.crc
            && page.verify(volume, id)
            && page.is_at(self.superblock.device, address.0)
            && page.lsn() == named.lsn;
        is_it.then_some(((volume, group), page, *named))
    }

    /// Writes what lives in the piece. Without room it waits: a checkpoint frees what was emptied before.
    fn write_piece(&mut self, effects: &mut Effects) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let collecting = self.collector.running.as_mut().expect("the caller has one");
        assert!(!collecting.has_io_in_flight && collecting.writing.is_empty());
        let count = collecting.live.len() as u64;
        if count == 0 {
            return;
        }
        let Some((offset, fitting)) = self.extents.allocate(Fill::Moved, count, PAGE_SIZE as u64) else {
            return;
        };
        let mut buffer = AlignedBuffer::zeroed(fitting as usize * PAGE_SIZE);
        for block in buffer.bytes_mut().chunks_exact_mut(PAGE_SIZE).enumerate() {
            let (key, page, old) = collecting.live.pop_front().expect("counted");
            let placed = Placed::new(key, page, self.superblock.device, offset, block);
            assert_eq!(placed.image.lsn, old.lsn, "a copy is the same version");
            collecting.writing.push_back((placed, old));
        }
        collecting.has_io_in_flight = true;
        let token = self.token(Io::CollectedCopies);
        effects.list.push(Effect::Write { token, area: Area::Extents, offset, buffer, flush: false });
    }

    /// The copies stand on the device; the checkpoint that will name them flushes them first.
    pub(crate) fn on_copies_written(&mut self, result: IoResult, effects: &mut Effects) {
        let collecting = self.collector.running.as_mut().expect("a write has its collection");
        collecting.has_io_in_flight = false;
        let writing = core::mem::take(&mut collecting.writing);
        if let IoResult::Failed(errno) = result {
            return self.fail("copying page versions", errno, effects);
        }
        self.counters.collected_bytes += (writing.len() * PAGE_SIZE) as u64;
        for (placed, old) in writing {
            let entry = self
                .segments
                .get_mut(&placed.key)
                .and_then(|segment| segment.pages.get_mut(placed.page))
                .and_then(|entry| entry.versions.images.iter_mut().find(|image| **image == old));
            // Superseded while it was copied: nothing names either place any more.
            let Some(named) = entry else {
                self.extents.release(placed.image.address, PAGE_SIZE as u64);
                continue;
            };
            *named = placed.image;
            self.extents.release(old.address, PAGE_SIZE as u64);
            self.checkpointer.note_changed(placed.key, placed.page);
        }
        self.write_piece(effects);
    }

    fn end_collection(&mut self, effects: &mut Effects) {
        let collecting = self.collector.running.take().expect("the caller has one");
        assert!(collecting.live.is_empty() && collecting.writing.is_empty());
        self.counters.extents_collected += 1;
        if self.extents.opened_at(collecting.extent) != collecting.opened_at {
            return;
        }
        let left_bytes = self.extents.live_bytes_in(collecting.extent);
        if left_bytes > 0 {
            self.extents.leave(collecting.extent);
            self.counters.crc_errors += left_bytes / PAGE_SIZE as u64;
            let text = format!(
                "{left_bytes} bytes of the extent at extents offset {} are not what the index says: they stay where they are",
                self.extents.offset_of(collecting.extent)
            );
            effects.list.push(Effect::Log(text));
        }
    }
}
