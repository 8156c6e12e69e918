//! A device with a volatile cache.
//!
//! Faults: power loss keeps any subset of the blocks written since the last flush, in any order; a kill keeps what
//! was written, in the cache, and any subset of blocks of a write in flight. Bits can be flipped on purpose.

use crate::rng::Rng;
use hexalog_storage_core::effects::Area;

const BLOCK: usize = 4096;

#[derive(Default)]
struct Medium {
    /// What survives power loss.
    durable: Vec<u8>,
    /// What reads see.
    cached: Vec<u8>,
    /// Blocks in which the two may differ.
    dirty: std::collections::BTreeSet<usize>,
}

pub struct Disk {
    areas: [Medium; 3],
}

fn index(area: Area) -> usize {
    match area {
        Area::Superblock => 0,
        Area::Log => 1,
        Area::Extents => 2,
    }
}

impl Disk {
    pub fn new(superblocks: &[u8], log_bytes: u64, extents_bytes: u64) -> Disk {
        let medium =
            |bytes: Vec<u8>| Medium { durable: bytes.clone(), cached: bytes, dirty: Default::default() };
        Disk {
            areas: [
                medium(superblocks.to_vec()),
                medium(vec![0; log_bytes as usize]),
                medium(vec![0; extents_bytes as usize]),
            ],
        }
    }

    pub fn write(&mut self, area: Area, offset: u64, bytes: &[u8]) {
        let medium = &mut self.areas[index(area)];
        let start = offset as usize;
        assert!(start.is_multiple_of(BLOCK) && bytes.len().is_multiple_of(BLOCK));
        medium.cached[start..start + bytes.len()].copy_from_slice(bytes);
        medium.dirty.extend((start / BLOCK)..(start + bytes.len()) / BLOCK);
    }

    /// Part of a write that was in flight when the process died.
    pub fn write_some_blocks(&mut self, area: Area, offset: u64, bytes: &[u8], rng: &mut Rng) {
        for (index, block) in bytes.chunks(BLOCK).enumerate() {
            if rng.percent(50) {
                self.write(area, offset + (index * BLOCK) as u64, block);
            }
        }
    }

    pub fn flush(&mut self, area: Area) {
        let medium = &mut self.areas[index(area)];
        for block in std::mem::take(&mut medium.dirty) {
            let range = block * BLOCK..(block + 1) * BLOCK;
            medium.durable[range.clone()].copy_from_slice(&medium.cached[range]);
        }
    }

    /// Whether a power loss would take nothing of what reads see.
    pub fn is_durable(&self, area: Area) -> bool {
        self.areas[index(area)].dirty.is_empty()
    }

    pub fn read(&self, area: Area, offset: u64, bytes: &mut [u8]) {
        let start = offset as usize;
        bytes.copy_from_slice(&self.areas[index(area)].cached[start..start + bytes.len()]);
    }

    pub fn power_loss(&mut self, rng: &mut Rng) {
        for medium in &mut self.areas {
            for block in std::mem::take(&mut medium.dirty) {
                let range = block * BLOCK..(block + 1) * BLOCK;
                if rng.percent(50) {
                    medium.durable[range.clone()].copy_from_slice(&medium.cached[range]);
                } else {
                    medium.cached[range.clone()].copy_from_slice(&medium.durable[range]);
                }
            }
        }
    }

    /// The bytes that reads see, to be damaged or looked at.
    pub fn bytes_mut(&mut self, area: Area) -> &mut Vec<u8> {
        &mut self.areas[index(area)].cached
    }
}
