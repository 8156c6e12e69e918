//! A shard's device.
//!
//! Faults it makes: at a power cut every block that was written and not flushed lands or is lost on its own, in any
//! subset, and an operation in flight may land in part; at a kill of the process what was written stays readable,
//! not flushed, and a later power cut may still take it. It never loses what a flush covered: within that budget
//! nothing that was acknowledged may be lost.

use crate::random::Random;
use hexalog_storage_core::effects::Area;
use std::collections::BTreeMap;

/// Unit in which an unflushed write lands or is lost: less than the 4 KiB that the format aligns to.
pub const SECTOR_BYTES: usize = 512;

#[derive(Clone, Default)]
struct AreaBytes {
    /// What reads see.
    written: Vec<u8>,
    /// What a power cut leaves of each sector that was not flushed since it was written.
    unflushed: BTreeMap<usize, [u8; SECTOR_BYTES]>,
}

/// One device with its three areas.
#[derive(Clone, Default)]
pub struct Disk {
    superblock: AreaBytes,
    log: AreaBytes,
    extents: AreaBytes,
}

impl Disk {
    /// A device of zeros.
    pub fn new(superblock_bytes: usize, log_bytes: usize, extents_bytes: usize) -> Disk {
        let area = |bytes| AreaBytes { written: vec![0; bytes], unflushed: BTreeMap::new() };
        Disk { superblock: area(superblock_bytes), log: area(log_bytes), extents: area(extents_bytes) }
    }

    fn area(&mut self, area: Area) -> &mut AreaBytes {
        match area {
            Area::Superblock => &mut self.superblock,
            Area::Log => &mut self.log,
            Area::Extents => &mut self.extents,
        }
    }

    /// What reads see of an area, to be altered as no device should: see `world::rot`.
    pub fn bytes_mut(&mut self, area: Area) -> &mut [u8] {
        &mut self.area(area).written
    }

    /// Fills `buffer` from `offset`.
    pub fn read(&mut self, area: Area, offset: u64, buffer: &mut [u8]) {
        let offset = offset as usize;
        buffer.copy_from_slice(&self.area(area).written[offset..offset + buffer.len()]);
    }

    /// Fills `buffer` with what a power cut at this moment would certainly leave: what was not flushed is gone.
    pub fn read_durable(&self, area: Area, offset: u64, buffer: &mut [u8]) {
        let area = match area {
            Area::Superblock => &self.superblock,
            Area::Log => &self.log,
            Area::Extents => &self.extents,
        };
        let from = offset as usize;
        buffer.copy_from_slice(&area.written[from..from + buffer.len()]);
        for (at, old) in area.unflushed.range(from..from + buffer.len()) {
            buffer[at - from..at - from + SECTOR_BYTES].copy_from_slice(old);
        }
    }

    /// Writes; not durable before [`Disk::flush`].
    pub fn write(&mut self, area: Area, offset: u64, bytes: &[u8]) {
        let area = self.area(area);
        for (index, sector) in bytes.chunks_exact(SECTOR_BYTES).enumerate() {
            let at = offset as usize + index * SECTOR_BYTES;
            let old: [u8; SECTOR_BYTES] = area.written[at..at + SECTOR_BYTES].try_into().expect("a sector");
            area.unflushed.entry(at).or_insert(old);
            area.written[at..at + SECTOR_BYTES].copy_from_slice(sector);
        }
    }

    /// Makes every completed write of the area durable.
    pub fn flush(&mut self, area: Area) {
        self.area(area).unflushed.clear();
    }

    /// Power is cut: each unflushed sector keeps its new content or falls back, on its own.
    pub fn power_cut(&mut self, random: &mut Random) {
        // All lost, all kept, and half-half are each worth having often.
        let odds = random.range(0, 3);
        for area in [&mut self.superblock, &mut self.log, &mut self.extents] {
            for (at, old) in std::mem::take(&mut area.unflushed) {
                let is_lost = odds == 0 || (odds == 1 && random.one_in(2));
                if is_lost {
                    area.written[at..at + SECTOR_BYTES].copy_from_slice(&old);
                }
            }
        }
    }

    /// A write was in flight when the process died: all, none or some of its sectors land, not flushed.
    pub fn tear(&mut self, area: Area, offset: u64, bytes: &[u8], random: &mut Random) {
        let odds = random.range(0, 3);
        for (index, sector) in bytes.chunks_exact(SECTOR_BYTES).enumerate() {
            if odds == 0 || (odds == 1 && random.one_in(2)) {
                self.write(area, offset + (index * SECTOR_BYTES) as u64, sector);
            }
        }
    }
}
