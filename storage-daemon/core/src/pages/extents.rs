//! Space for page versions and checkpoint parts: extents that are filled from front to back and reused when all
//! in them is dead.
//!
//! An extent whose last block died is not free yet: the durable checkpoint may still name that block. It becomes
//! free when a checkpoint that began after the death is durable. Partly dead extents are not copied together.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use hexalog_storage_format::address::{AREA_EXTENTS, BlockAddress};

/// Extents that only checkpoints may take: without a checkpoint nothing ever becomes free again.
fn reserve(count: u32) -> usize {
    (count as usize / 16).max(3)
}

/// The open extent of one kind of block.
#[derive(Clone, Copy, Debug)]
struct Open {
    extent: u32,
    used_bytes: u64,
}

/// All extents of the shard.
#[derive(Debug)]
pub(crate) struct Extents {
    extent_bytes: u64,
    /// Live blocks by extent.
    live: Vec<u32>,
    free: BTreeSet<u32>,
    /// Extents in which nothing is live, with the generation of the checkpoint that frees them.
    dead: Vec<(u32, u64)>,
    pages: Option<Open>,
    parts: Option<Open>,
    /// The next checkpoint that begins: one that is under way may name what dies now.
    next_generation: u64,
    pub reused: u64,
}

impl Extents {
    /// All free.
    pub fn new(area_bytes: u64, extent_bytes: u64) -> Extents {
        let count = u32::try_from(area_bytes / extent_bytes).expect("extents are counted in u32");
        Extents {
            extent_bytes,
            live: alloc::vec![0; count as usize],
            free: (0..count).collect(),
            dead: Vec::new(),
            pages: None,
            parts: None,
            next_generation: 1,
            reused: 0,
        }
    }

    /// A block that the durable checkpoint names, or is part of. Refused if it lies outside.
    #[must_use]
    pub fn restore(&mut self, address: BlockAddress) -> bool {
        let extent = self.extent_of(address);
        let Some(live) = self.live.get_mut(extent as usize) else { return false };
        *live += 1;
        self.free.remove(&extent);
        true
    }

    fn extent_of(&self, address: BlockAddress) -> u32 {
        u32::try_from(address.offset() / self.extent_bytes).unwrap_or(u32::MAX)
    }

    /// Room for up to `count` pages of `bytes` in one piece: offset, and how many fit.
    pub fn allocate_pages(&mut self, count: u64, bytes: u64) -> Option<(u64, u64)> {
        assert!(count > 0);
        let open = match self.pages.take() {
            Some(open) => open,
            None if self.free.len() > reserve(self.live.len() as u32) => self.open_extent()?,
            None => return None,
        };
        let fitting = ((self.extent_bytes - open.used_bytes) / bytes).min(count);
        assert!(fitting > 0, "a full extent is closed at once");
        self.live[open.extent as usize] += fitting as u32;
        let offset = u64::from(open.extent) * self.extent_bytes + open.used_bytes;
        let used_bytes = open.used_bytes + fitting * bytes;
        let is_full = used_bytes + bytes > self.extent_bytes;
        self.pages = (!is_full).then_some(Open { extent: open.extent, used_bytes });
        Some((offset, fitting))
    }

    /// Room for one checkpoint part.
    pub fn allocate_part(&mut self, bytes: u64) -> Option<u64> {
        assert!(bytes <= self.extent_bytes, "a part fits into an extent");
        if let Some(open) = self.parts
            && open.used_bytes + bytes > self.extent_bytes
        {
            self.parts = None;
            self.bury_if_dead(open.extent);
        }
        let open = match self.parts.take() {
            Some(open) => open,
            None => self.open_extent()?,
        };
        self.live[open.extent as usize] += 1;
        self.parts = Some(Open { extent: open.extent, used_bytes: open.used_bytes + bytes });
        Some(u64::from(open.extent) * self.extent_bytes + open.used_bytes)
    }

    fn open_extent(&mut self) -> Option<Open> {
        let extent = self.free.pop_first()?;
        assert_eq!(self.live[extent as usize], 0, "a free extent holds nothing");
        Some(Open { extent, used_bytes: 0 })
    }

    /// A block is dead.
    pub fn release(&mut self, address: BlockAddress) {
        let extent = self.extent_of(address);
        let live = &mut self.live[extent as usize];
        assert!(*live > 0, "a block dies once");
        *live -= 1;
        self.bury_if_dead(extent);
    }

    fn bury_if_dead(&mut self, extent: u32) {
        let is_open = [self.pages, self.parts].iter().flatten().any(|open| open.extent == extent);
        if self.live[extent as usize] == 0 && !is_open {
            self.dead.push((extent, self.next_generation));
        }
    }

    /// A checkpoint of this generation begins: what dies from now on may still be named by it.
    pub fn checkpoint_begins(&mut self, generation: u64) {
        assert!(generation >= self.next_generation);
        self.next_generation = generation + 1;
    }

    /// A checkpoint is durable: what was dead when it began is free.
    pub fn checkpoint_is_durable(&mut self, generation: u64) {
        let (free, dead) = core::mem::take(&mut self.dead).into_iter().partition(|(_, by)| *by <= generation);
        self.dead = dead;
        let free: Vec<(u32, u64)> = free;
        self.reused += free.len() as u64;
        for (extent, _) in free {
            assert_eq!(self.live[extent as usize], 0);
            self.free.insert(extent);
        }
    }

    pub fn free_count(&self) -> usize {
        self.free.len()
    }

    /// Extents that become free with the next checkpoint.
    pub fn dead_count(&self) -> usize {
        self.dead.len()
    }

    /// Whether coalescing will soon have no room.
    pub fn is_short(&self) -> bool {
        self.free.len() <= reserve(self.live.len() as u32) + 1
    }

    pub fn invariants_full(&self, named: &[BlockAddress]) {
        let mut counted = alloc::vec![0u32; self.live.len()];
        for address in named {
            assert_eq!(address.area(), AREA_EXTENTS);
            counted[self.extent_of(*address) as usize] += 1;
        }
        for (extent, live) in self.live.iter().enumerate() {
            // Blocks that are being written are live before anything names them.
            assert!(counted[extent] <= *live, "extent {extent}: a named block counts as dead");
        }
        for extent in &self.free {
            assert_eq!(self.live[*extent as usize], 0);
        }
    }
}
