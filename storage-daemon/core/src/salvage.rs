//! A start whose index does not read back: which segments the shard has is taken from whatever parts of checkpoints still do.
//!
//! Every checkpoint names all segments, and its parts stay on the device until their extent is used again, so a damaged
//! block leaves others that name them. What these say of completeness and epochs is old: every segment found is damaged, gets
//! all its pages anew and learns its epoch from its peers ([`crate::damage`]). Its identity is all that is taken from here.
//! Falling back to the checkpoint of the other superblock would not be sound: decisions may stand in the newest one alone.

use crate::chain::Part;
use crate::effects::{Area, Effects};
use crate::index::Index;
use crate::pages::extents::{Extents, Fill};
use crate::pending::Pending;
use crate::recovery::Recovery;
use crate::segment::{Segment, SegmentKey};
use crate::shard::{Io, Shard};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use hexalog_protocol::codec::Reader;
use hexalog_storage_format::address::{AREA_EXTENTS, BlockAddress};
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use hexalog_storage_format::checkpoint::{Item, PartHeader, SegmentImage, part_bytes, part_crc};

/// What a search has found so far.
#[derive(Debug, Default)]
pub(crate) struct Salvage {
    extent: u64,
    /// The newest word on each segment, and the part that it stands in.
    found: BTreeMap<SegmentKey, (u64, SegmentImage, Part)>,
    /// Highest generation of any part.
    generation: u64,
}

impl Shard {
    /// The index is of no use.
    pub(crate) fn begin_salvage(&mut self, why: &str, effects: &mut Effects) {
        self.salvaged = Some(format!("the index checkpoint is damaged: {why}"));
        self.segments.clear();
        self.index = Index::Loaded;
        // What was scanned is scanned again.
        self.appends.clear();
        self.pending = Pending::default();
        let (backed_bytes, possible_bytes) = (self.extents.backed_bytes(), self.extents.possible_bytes());
        self.extents = Extents::new(self.options.extents_bytes, self.options.extent_bytes, backed_bytes);
        self.extents.set_backed(backed_bytes, possible_bytes);
        self.read_extent(
            Salvage { generation: self.superblock.checkpoint_generation, ..Salvage::default() },
            effects,
        );
    }

    fn read_extent(&mut self, salvage: Salvage, effects: &mut Effects) {
        let bytes = self.options.extent_bytes;
        let offset = salvage.extent * bytes;
        if offset == self.options.extents_bytes {
            return self.end_salvage(salvage, effects);
        }
        self.go_on(Recovery::Salvage { salvage });
        self.read(Io::Recovery, Area::Extents, offset, AlignedBuffer::zeroed(bytes as usize), effects);
    }

    pub(crate) fn salvage_extent(&mut self, mut salvage: Salvage, extent: &[u8], effects: &mut Effects) {
        let from = salvage.extent * self.options.extent_bytes;
        for at in (0..extent.len()).step_by(BLOCK_BYTES) {
            let Ok((header, items)) = PartHeader::decode(&extent[at..]) else { continue };
            let offset = from + at as u64;
            if header.device != self.superblock.device || header.offset != offset {
                continue;
            }
            salvage.generation = salvage.generation.max(header.generation);
            let bytes = part_bytes(items.len()) as u32;
            let crc = part_crc(&extent[at..]);
            let part = Part { address: BlockAddress::new(AREA_EXTENTS, offset), bytes, crc };
            let mut reader = Reader::new(items);
            while reader.remaining() > 0 {
                let Ok(item) = Item::decode(&mut reader) else { break };
                let Item::Segment(image) = item else { continue };
                let key = (image.volume, image.group);
                let is_newer = salvage.found.get(&key).is_none_or(|(known, ..)| *known < header.generation);
                if is_newer {
                    salvage.found.insert(key, (header.generation, image, part));
                }
            }
        }
        salvage.extent += 1;
        self.read_extent(salvage, effects);
    }

    /// The parts that the segments were found in stay until a new base is durable: a start before that needs them again.
    fn end_salvage(&mut self, salvage: Salvage, effects: &mut Effects) {
        let mut kept: Vec<Part> = Vec::new();
        for (key, (_, image, part)) in salvage.found {
            if !kept.contains(&part) {
                kept.push(part);
                let is_inside = self.extents.restore(part.address, u64::from(part.bytes), Fill::Parts);
                assert!(is_inside, "it was read there");
            }
            self.segments.insert(key, Segment::from_image(image));
        }
        let generation = salvage.generation;
        self.checkpointer.restore(kept, 1, generation, BTreeMap::new());
        self.checkpointer.begin_anew();
        self.extents.checkpoint_begins(generation);
        self.begin_scan(effects);
    }
}
