//! Deltas: records of a page that wait in a shared block until an image is worth its bytes.
//!
//! A record of a hundred bytes is not worth an image of eight thousand. So coalescing puts it, with what the page's delta
//! holds already, into a new delta, many pages to a block; the old one dies. An image takes in all of it when the records
//! have become many, or the page is read again and again ([`super::coalesce`] decides). The block format is
//! `docs/on-disk-format.md`'s, why it is shared `docs/decisions/0040`, why the bounds are what they are `0041`.
//!
//! A delta keeps every record as it came, so it may take what is above the collection floor: each read point is still
//! rebuilt. It takes nothing that could be annulled or has a gap before it.

use super::build::{Build, BuildError};
use crate::effects::{Area, Effect, Effects};
use crate::pages::extents::Fill;
use crate::segment::SegmentKey;
use crate::shard::{Io, Shard};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hexalog_protocol::record::starts_with_format;
use hexalog_protocol::{DeviceId, Lsn, PageId};
use hexalog_storage_format::address::{AREA_EXTENTS, BlockAddress};
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use hexalog_storage_format::checkpoint::DeltaRef;
use hexalog_storage_format::delta::{BlockBuilder, DeltaRecord};

/// Most bytes that a delta takes beside its records' operations, and that a record takes beside its own: three varints
/// each, of which one may be a whole LSN.
pub(crate) const DELTA_HEAD_BYTES_MAX: usize = 10 + 10 + 3;
/// See [`DELTA_HEAD_BYTES_MAX`].
pub(crate) const RECORD_HEAD_BYTES_MAX: usize = 10 + 10 + 3;

/// How long a page's delta is. Kept in memory alone: after a start, or when part of it has died, it is not known until the
/// delta is read.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Chain {
    /// Records; 0 if not known.
    pub records: u16,
    /// Bytes of its own in the block; 0 if not known.
    pub bytes: u16,
}

impl Chain {
    /// Of one that no block has room for, so that only an image takes it in.
    pub const TOO_LONG: Chain = Chain { records: 0, bytes: u16::MAX };
}

/// A delta that is being written, and where.
#[derive(Debug)]
pub(crate) struct PlacedDelta {
    pub key: SegmentKey,
    pub page: PageId,
    pub delta: DeltaRef,
    pub chain: Chain,
}

/// A delta in a block that has no place yet.
#[derive(Debug)]
struct Packed {
    key: SegmentKey,
    page: PageId,
    from: Lsn,
    to: Lsn,
    chain: Chain,
}

#[derive(Debug)]
struct PackedBlock {
    builder: BlockBuilder,
    deltas: Vec<Packed>,
}

/// Fills blocks with deltas of pages in rising order.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    blocks: VecDeque<PackedBlock>,
}

impl Packer {
    /// Takes in the delta of a page; false if it is too long for any block.
    pub fn push(&mut self, key: SegmentKey, page: PageId, from: Lsn, records: &[DeltaRecord<'_>]) -> bool {
        let to = records.last().expect("a delta holds records").lsn;
        let fits = self.blocks.back().is_some_and(|block| {
            let last = block.deltas.last().expect("a block holds deltas");
            last.key.0 == key.0 && last.page < page
        });
        let packed = |bytes: u32| {
            let chain = Chain { records: records.len() as u16, bytes: bytes as u16 };
            Packed { key, page, from, to, chain }
        };
        if fits
            && let Some(block) = self.blocks.back_mut()
            && let Some(bytes) = block.builder.push(page, from, records)
        {
            block.deltas.push(packed(bytes));
            return true;
        }
        let mut builder = BlockBuilder::new(key.0);
        let Some(bytes) = builder.push(page, from, records) else { return false };
        self.blocks.push_back(PackedBlock { builder, deltas: Vec::from([packed(bytes)]) });
        true
    }

    /// Blocks that wait for a place.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The pages whose deltas wait for a place, which they will not get.
    pub fn give_up(&mut self) -> impl Iterator<Item = (SegmentKey, PageId)> + use<> {
        let blocks = core::mem::take(&mut self.blocks);
        blocks.into_iter().flat_map(|block| block.deltas).map(|packed| (packed.key, packed.page))
    }

    /// Writes as many blocks as `buffer` holds for a place that begins at `offset`.
    pub fn place(&mut self, device: DeviceId, offset: u64, buffer: &mut [u8]) -> Vec<PlacedDelta> {
        let mut placed = Vec::new();
        for (index, bytes) in buffer.chunks_exact_mut(BLOCK_BYTES).enumerate() {
            let block = self.blocks.pop_front().expect("no more room than blocks");
            let offset = offset + (index * BLOCK_BYTES) as u64;
            let address = BlockAddress::new(AREA_EXTENTS, offset);
            let crc = block.builder.seal(device, offset, bytes);
            let mut shares = 0;
            for (index, Packed { key, page, from, to, chain }) in block.deltas.into_iter().enumerate() {
                let share = block.builder.share(index, u32::from(chain.bytes));
                shares += share as usize;
                let delta = DeltaRef { from, to, address, bytes: share, crc };
                placed.push(PlacedDelta { key, page, delta, chain });
            }
            assert_eq!(shares, BLOCK_BYTES, "all of a block is answered for");
        }
        placed
    }
}

impl Shard {
    /// What a page's new delta is made of has been read. It waits for the others of its round.
    pub(crate) fn finish_gathering(&mut self, build: Build, effects: &mut Effects) {
        match build.old_delta(self.superblock.device).map(|_| ()) {
            Ok(()) => self.coalescer.gathered.push(build),
            Err(error) => self.build_failed(&build, error, effects),
        }
        self.coalescing_built(effects);
    }

    /// Packs what was gathered, by page, so that a block holds pages of one volume in their order.
    pub(crate) fn pack_gathered(&mut self) {
        let mut gathered = core::mem::take(&mut self.coalescer.gathered);
        gathered.sort_unstable_by_key(|build| (build.key, build.page));
        for build in &gathered {
            if self.pack(build) {
                continue;
            }
            // Its records will be taken in by an image, or found not to fit together.
            let segment = self.segments.get_mut(&build.key).expect("segments stay");
            if let Some(entry) = segment.pages.get_mut(build.page) {
                entry.chain = Chain::TOO_LONG;
            }
            self.coalescer.note_long_chain(build.key, build.page);
            self.coalescing_ended(build.key, build.page);
        }
    }

    /// Packs one page's delta: what the old one holds above the image, then the records from memory. False if they are too
    /// many for a block, or do not follow each other.
    fn pack(&mut self, build: &Build) -> bool {
        let Some(entry) = self.segments[&build.key].pages.get(build.page) else { return false };
        let from = entry.image_lsn();
        let old = build.old_delta(self.superblock.device).expect("it was checked when it came");
        let mut records: Vec<DeltaRecord<'_>> = old.into_iter().filter(|record| record.lsn > from).collect();
        let new = build.recipe.records.iter();
        records.extend(new.map(|record| DeltaRecord {
            lsn: record.lsn,
            page_backlink: record.page_backlink(),
            operations: record.operations(),
        }));
        let mut before = from;
        for record in &records {
            if !starts_with_format(record.operations) && record.page_backlink != before {
                return false;
            }
            before = record.lsn;
        }
        self.coalescer.packed.push(build.key, build.page, from, &records)
    }

    /// Writes as many packed blocks as the open extent takes in one piece; false without room. Not flushed here, as images
    /// are not.
    pub(crate) fn write_packed(&mut self, effects: &mut Effects) -> bool {
        let count = self.coalescer.packed.blocks() as u64;
        let Some((offset, fitting)) = self.extents.allocate(Fill::Deltas, count, BLOCK_BYTES as u64) else {
            return false;
        };
        let mut buffer = AlignedBuffer::zeroed(fitting as usize * BLOCK_BYTES);
        assert!(self.coalescer.writing_deltas.is_empty());
        let device = self.superblock.device;
        self.coalescer.writing_deltas = self.coalescer.packed.place(device, offset, buffer.bytes_mut());
        self.counters.delta_bytes += buffer.len() as u64;
        let token = self.token(Io::CoalescedPages);
        effects.list.push(Effect::Write { token, area: Area::Extents, offset, buffer, flush: false });
        true
    }

    /// Deltas stand on the device: the records in them are let go, and so are the deltas that they take the place of.
    pub(crate) fn take_in_deltas(&mut self) {
        for placed in core::mem::take(&mut self.coalescer.writing_deltas) {
            self.coalescing_ended(placed.key, placed.page);
            if self.segments[&placed.key].health.follows_log() {
                self.take_in_delta(placed);
            } else {
                self.extents.release(placed.delta.address, u64::from(placed.delta.bytes));
            }
        }
    }

    fn take_in_delta(&mut self, PlacedDelta { key, page, delta, chain }: PlacedDelta) {
        let segment = self.segments.get_mut(&key).expect("segments stay");
        assert!(segment.health.follows_log(), "a version is made of the log, and not of what was given up");
        let limit = segment.delta_limit();
        let entry = segment.pages.get_mut(page).expect("a page with records stays");
        assert!(delta.to > entry.merged_to(), "a delta is newer than the last");
        assert!(delta.to <= limit, "only what is complete and durable in the volume");
        let was_imageless = entry.is_imageless();
        if let Some(old) = entry.set_delta(delta) {
            self.extents.release(old.address, u64::from(old.bytes));
        }
        if entry.is_imageless() && !was_imageless {
            self.extents.page_without_image();
        }
        entry.chain = chain;
        let merged = entry.take_merged();
        for record in &merged {
            segment.batches.merged(record.batch.first(), key, &mut self.pending);
        }
        self.note_versions_changed(key, page);
        self.counters.delta_pages += 1;
        self.counters.delta_records += merged.len() as u64;
    }
}

impl Build {
    /// The records of the delta that the index named when the page was chosen; none if there was none.
    pub(crate) fn old_delta(&self, device: DeviceId) -> Result<Vec<DeltaRecord<'_>>, BuildError> {
        if self.has_failed() {
            return Err(BuildError::Damaged);
        }
        self.delta_records(device)
    }
}
