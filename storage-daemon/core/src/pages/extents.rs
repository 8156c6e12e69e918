//! Space for page versions and checkpoint parts: extents that are filled from front to back and reused when all
//! in them is dead.
//!
//! An extent whose last block died is not free yet: the durable checkpoint may still name that block. It becomes
//! free when a checkpoint that began after the death is durable. Extents that are partly dead are emptied by
//! [`super::collect`], which copies what lives in them together; this file says which one pays best.
//!
//! What was just coalesced and what has survived a collection is written to different extents: the first dies soon and
//! all at once, the second hardly ever, and side by side they would be copied again and again. Images and blocks of deltas
//! stand apart too, so that either are found at their multiples.
//!
//! A file system may have less space than the area was formatted with. So extents are filled only as far as the driver has got
//! them space of their own (*backed*, a prefix of the area), and it is asked for more before the backed ones run out. What is
//! kept free is kept of backed ones: what frees space never depends on the file system. What room there is in all counts
//! what can still be backed, and a file system that is full is to everyone a device that is full.
//!
//! What lives is counted in bytes: an image's own, a delta's share of its block. The shares of a block add up to it, so a
//! block that was just written lives whole, and one in which a single delta lives counts for little.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use hexalog_protocol::PAGE_SIZE;
use hexalog_storage_format::address::{AREA_EXTENTS, BlockAddress};
use hexalog_storage_format::checkpoint::PageVersions;

/// What an extent is filled with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fill {
    /// Parts of checkpoints: die together when a new base is durable, never copied.
    Parts,
    /// Images that coalescing made, or a peer sent.
    Fresh,
    /// Images that collection copied, or that take the place of damaged ones.
    Moved,
    /// Blocks of deltas that coalescing made.
    Deltas,
    /// Blocks of deltas that collection copied.
    MovedDeltas,
}

impl Fill {
    /// Whether blocks of deltas stand in it, not images.
    pub fn is_deltas(self) -> bool {
        matches!(self, Fill::Deltas | Fill::MovedDeltas)
    }
}

const FILLS: usize = 5;
/// Backed extents ahead of those being filled at which more are asked for: with a MiB each, some 50 ms of writing, many times
/// what a file system takes to give them.
const AHEAD_MIN: usize = 8;
/// What a new device must have of backed extents: those that are kept free, one being filled for each kind, and what is asked
/// for ahead of need.
pub(crate) const BACKED_MIN: u64 = 3 + 2 + FILLS as u64 + AHEAD_MIN as u64;

/// The open extent of one kind.
#[derive(Clone, Copy, Debug)]
struct Open {
    extent: u32,
    used_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Extent {
    live_bytes: u64,
    /// What is in it; what a free one held last.
    fill: Fill,
    /// Value of [`Extents::clock`] when it was opened; 0 for one from before the start.
    opened_at: u64,
    /// A collection could not empty it: something in it is damaged. Not tried again before something in it has died.
    is_left: bool,
}

/// How much room is left.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Room {
    /// Nothing is to be done.
    Ample,
    /// Collection is worth its while.
    Low,
    /// Coalescing will soon have no room: collection and checkpoints come first.
    Short,
    /// Coalescing has none.
    Exhausted,
}

/// All extents of the shard.
#[derive(Debug)]
pub(crate) struct Extents {
    extent_bytes: u64,
    extents: Vec<Extent>,
    /// Sum over all extents.
    live_bytes: u64,
    /// Backed extents that can be filled.
    free: BTreeSet<u32>,
    /// The others that nothing is in.
    unbacked: BTreeSet<u32>,
    /// Extents from the first that have space of their own below. Only rises.
    backed: u32,
    /// How many can have, by what the file system has left.
    possible: u32,
    /// A write found no space below all the same: nothing is filled until that is tried again.
    is_refused: bool,
    /// Extents in which nothing is live, with the generation of the checkpoint that frees them.
    dead: Vec<(u32, u64)>,
    open: [Option<Open>; FILLS],
    /// Counts the extents opened: the age of an extent is measured in what was written since.
    clock: u64,
    /// The next checkpoint that begins: one that is under way may name what dies now.
    next_generation: u64,
    /// Pages that have a delta and no image yet.
    imageless: u64,
    pub reused: u64,
}

impl Extents {
    /// All free, those in the first `backed_bytes` backed.
    pub fn new(area_bytes: u64, extent_bytes: u64, backed_bytes: u64) -> Extents {
        let count = u32::try_from(area_bytes / extent_bytes).expect("extents are counted in u32");
        let backed = (backed_bytes.min(area_bytes) / extent_bytes) as u32;
        let empty = Extent { live_bytes: 0, fill: Fill::Fresh, opened_at: 0, is_left: false };
        Extents {
            extent_bytes,
            extents: alloc::vec![empty; count as usize],
            live_bytes: 0,
            free: (0..backed).collect(),
            unbacked: (backed..count).collect(),
            backed,
            possible: count,
            is_refused: false,
            dead: Vec::new(),
            open: [None; FILLS],
            clock: 0,
            next_generation: 1,
            imageless: 0,
            reused: 0,
        }
    }

    /// Whether a block can stand there.
    pub fn is_inside(&self, address: BlockAddress, bytes: u64) -> bool {
        let ends_in_it = address.offset() % self.extent_bytes + bytes <= self.extent_bytes;
        ends_in_it && (self.extent_of(address) as usize) < self.extents.len()
    }

    /// A block that the durable checkpoint names, or is part of. Refused if it lies outside.
    #[must_use]
    pub fn restore(&mut self, address: BlockAddress, bytes: u64, fill: Fill) -> bool {
        if !self.is_inside(address, bytes) {
            return false;
        }
        let number = self.extent_of(address);
        let extent = &mut self.extents[number as usize];
        extent.live_bytes += bytes;
        extent.fill = fill;
        self.live_bytes += bytes;
        self.free.remove(&number);
        self.unbacked.remove(&number);
        true
    }

    /// The area has space of its own below up to `backed_bytes`, and can get it up to `possible_bytes`.
    pub fn set_backed(&mut self, backed_bytes: u64, possible_bytes: u64) {
        let count = self.extents.len() as u64;
        let whole = |bytes: u64| (bytes / self.extent_bytes).min(count) as u32;
        let backed = whole(backed_bytes);
        assert!(backed >= self.backed, "what has space keeps it");
        self.backed = backed;
        self.possible = whole(possible_bytes).max(backed);
        let still_unbacked = self.unbacked.split_off(&backed);
        self.free.append(&mut self.unbacked);
        self.unbacked = still_unbacked;
    }

    /// How far the area should have space of its own: always some extents further than what is being filled. A step grows
    /// with the device, so that steps stay few.
    pub fn wanted_bytes(&self) -> u64 {
        let backed = self.backed as usize;
        let margin = (backed / 32).max(AHEAD_MIN);
        let is_near = self.free.len() < self.kept_free(Fill::Fresh) + margin;
        let step = if is_near { (backed / 8).max(4 * AHEAD_MIN) } else { 0 };
        (backed + step).min(self.extents.len()) as u64 * self.extent_bytes
    }

    /// How far the area can have space of its own.
    pub fn possible_bytes(&self) -> u64 {
        u64::from(self.possible) * self.extent_bytes
    }

    /// How far it has.
    pub fn backed_bytes(&self) -> u64 {
        u64::from(self.backed) * self.extent_bytes
    }

    /// Whether the file system has less space than the area was formatted with.
    pub fn is_cut_short(&self) -> bool {
        (self.possible as usize) < self.extents.len()
    }

    /// Whether nothing is filled.
    pub fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// Nothing is filled, or again.
    pub fn set_refused(&mut self, is_refused: bool) {
        self.is_refused = is_refused;
    }

    /// What was allocated last of its kind was not written: the next takes its place. If more was allocated since, its place
    /// stays dead until its extent is.
    pub fn give_back(&mut self, fill: Fill, offset: u64, bytes: u64) {
        let address = BlockAddress::new(AREA_EXTENTS, offset);
        let number = self.extent_of(address);
        let end_bytes = offset - self.offset_of(number) + bytes;
        if let Some(open) = &mut self.open[fill as usize]
            && open.extent == number
            && open.used_bytes == end_bytes
        {
            open.used_bytes -= bytes;
        }
        self.release(address, bytes);
    }

    /// Number of the extent that an address lies in; beyond all if it lies outside.
    pub fn extent_of(&self, address: BlockAddress) -> u32 {
        u32::try_from(address.offset() / self.extent_bytes).unwrap_or(u32::MAX)
    }

    /// Where an extent begins.
    pub fn offset_of(&self, extent: u32) -> u64 {
        u64::from(extent) * self.extent_bytes
    }

    /// Free extents that one of this kind must leave.
    fn kept_free(&self, fill: Fill) -> usize {
        kept_free_of(self.backed as usize, fill)
    }

    /// Room for up to `count` blocks of `bytes` in one piece: offset, and how many fit.
    pub fn allocate(&mut self, fill: Fill, count: u64, bytes: u64) -> Option<(u64, u64)> {
        assert!(count > 0);
        assert!(bytes > 0 && bytes <= self.extent_bytes, "a block fits into an extent");
        if self.is_refused {
            return None;
        }
        let place = fill as usize;
        if let Some(open) = self.open[place]
            && open.used_bytes + bytes > self.extent_bytes
        {
            self.open[place] = None;
            self.bury_if_dead(open.extent);
        }
        let open = match self.open[place].take() {
            Some(open) => open,
            None => self.open_extent(fill)?,
        };
        let fitting = ((self.extent_bytes - open.used_bytes) / bytes).min(count);
        assert!(fitting > 0, "a full extent was closed");
        self.extents[open.extent as usize].live_bytes += fitting * bytes;
        self.live_bytes += fitting * bytes;
        self.open[place] = Some(Open { extent: open.extent, used_bytes: open.used_bytes + fitting * bytes });
        Some((self.offset_of(open.extent) + open.used_bytes, fitting))
    }

    /// Whether [`Extents::allocate`] finds room for a block.
    pub fn has_room(&self, fill: Fill, bytes: u64) -> bool {
        !self.is_refused && (self.is_open_for(fill, bytes) || self.free.len() > self.kept_free(fill))
    }

    /// Whether the open extent of this kind takes a block more.
    fn is_open_for(&self, fill: Fill, bytes: u64) -> bool {
        self.open[fill as usize].is_some_and(|open| open.used_bytes + bytes <= self.extent_bytes)
    }

    /// Where an image goes that takes the place of a damaged one. Damaged blocks cannot be copied, and hold their extents: as long
    /// as nothing else has room, what takes their place goes where copies go. Collection keeps an extent of its own: a repair
    /// may leave no more than a hole.
    /// `is_collecting`: one is under way.
    pub fn fill_for_repair(&self, is_collecting: bool) -> Option<Fill> {
        if self.has_room(Fill::Fresh, PAGE_SIZE as u64) {
            return Some(Fill::Fresh);
        }
        let opens_one = !self.is_open_for(Fill::Moved, PAGE_SIZE as u64);
        let leaves_one = self.free.len() > self.kept_free(Fill::Moved) + usize::from(opens_one);
        // With nothing to collect it takes nothing from anyone, and what it mends may be what can be collected then.
        let is_idle = || !opens_one && !is_collecting && self.victim(|_| false).is_none();
        (!self.is_refused && (leaves_one || is_idle())).then_some(Fill::Moved)
    }

    fn open_extent(&mut self, fill: Fill) -> Option<Open> {
        if self.free.len() <= self.kept_free(fill) {
            return None;
        }
        let number = self.free.pop_first()?;
        self.clock += 1;
        let extent = &mut self.extents[number as usize];
        assert_eq!(extent.live_bytes, 0, "a free extent holds nothing");
        *extent = Extent { live_bytes: 0, fill, opened_at: self.clock, is_left: false };
        Some(Open { extent: number, used_bytes: 0 })
    }

    /// A block, or a delta's share of one, is dead.
    pub fn release(&mut self, address: BlockAddress, bytes: u64) {
        let number = self.extent_of(address);
        let live_bytes = &mut self.extents[number as usize].live_bytes;
        assert!(*live_bytes >= bytes, "a block dies once");
        *live_bytes -= bytes;
        self.live_bytes -= bytes;
        // What held a collection up may be what has just gone.
        self.extents[number as usize].is_left = false;
        self.bury_if_dead(number);
    }

    /// Nothing names a page's versions any more. The other deltas of its delta's block live on: its share alone dies.
    pub fn release_versions(&mut self, dead: &PageVersions) {
        dead.image.iter().for_each(|image| self.release(image.address, PAGE_SIZE as u64));
        dead.delta.iter().for_each(|delta| self.release(delta.address, u64::from(delta.bytes)));
    }

    fn bury_if_dead(&mut self, number: u32) {
        if self.extents[number as usize].live_bytes == 0 && !self.is_open(number) {
            self.dead.push((number, self.next_generation));
        }
    }

    fn is_open(&self, number: u32) -> bool {
        self.open.iter().flatten().any(|open| open.extent == number)
    }

    /// The extent whose collection pays best: what it frees, weighed by how long it has stayed as it is, over what must
    /// be read and written for it (the cost-benefit rule of Rosenblum and Ousterhout, "The Design and Implementation of a
    /// Log-Structured File System", 1991, section 3.5). `None` if none frees enough to be worth it.
    pub fn victim(&self, is_excluded: impl Fn(u32) -> bool) -> Option<u32> {
        // When there is time, only what is dead by a quarter, old ones first; when room is short, whatever frees most now.
        let is_short = self.room() >= Room::Short;
        let dead_bytes_min = self.extent_bytes / if is_short { 32 } else { 4 };
        let mut best: Option<(u128, u32)> = None;
        for (number, extent) in self.extents.iter().enumerate() {
            let number = number as u32;
            let dead_bytes = self.extent_bytes - extent.live_bytes;
            let may_be = extent.live_bytes > 0
                && extent.fill != Fill::Parts
                && !extent.is_left
                && dead_bytes >= dead_bytes_min.max(1)
                && !self.is_open(number)
                && !is_excluded(number);
            if !may_be {
                continue;
            }
            let age = if is_short { 1 } else { self.clock - extent.opened_at + 1 };
            // Scaled, since extents of one age must still differ by what they free.
            let benefit = u128::from(dead_bytes) * u128::from(age) * 1024;
            let score = benefit / u128::from(self.extent_bytes + extent.live_bytes);
            if best.is_none_or(|(highest, _)| score > highest) {
                best = Some((score, number));
            }
        }
        best.map(|(_, number)| number)
    }

    /// Bytes that live in an extent.
    pub fn live_bytes_in(&self, number: u32) -> u64 {
        self.extents[number as usize].live_bytes
    }

    /// What an extent is filled with.
    pub fn fill_of(&self, number: u32) -> Fill {
        self.extents[number as usize].fill
    }

    /// When it was last begun to be filled: another value, and it was free in between.
    pub fn opened_at(&self, number: u32) -> u64 {
        self.extents[number as usize].opened_at
    }

    /// A collection could not empty it.
    pub fn leave(&mut self, number: u32) {
        self.extents[number as usize].is_left = true;
    }

    /// A damaged block that held a collection up is whole again.
    pub fn mended(&mut self, address: BlockAddress) {
        let number = self.extent_of(address);
        self.extents[number as usize].is_left = false;
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
        for (number, _) in free {
            assert_eq!(self.extents[number as usize].live_bytes, 0);
            if number < self.backed {
                self.free.insert(number)
            } else {
                self.unbacked.insert(number)
            };
        }
    }

    /// Extents that can be filled, with those that can be backed.
    pub fn free_count(&self) -> usize {
        self.free.len() + (self.possible - self.backed) as usize
    }

    /// Extents that become free with the next checkpoint.
    pub fn dead_count(&self) -> usize {
        self.dead.len()
    }

    /// Bytes of blocks that something names.
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// A page has a delta and no image: it will need room for one, all such pages at once when they are hydrated elsewhere.
    pub fn page_without_image(&mut self) {
        self.imageless += 1;
    }

    /// Such a page has got an image.
    pub fn page_has_image(&mut self) {
        assert!(self.imageless > 0, "a page gets its first image once");
        self.imageless -= 1;
    }

    /// Bytes of blocks that something names, with an image for each page that has none yet: what is told of room must not
    /// rest on deltas staying deltas.
    pub fn promised_bytes(&self) -> u64 {
        self.live_bytes + self.imageless * PAGE_SIZE as u64
    }

    /// Bytes that can live at most: of all extents that are or can be backed but those that are kept free and those that are
    /// being filled.
    pub fn usable_bytes(&self) -> u64 {
        let count = self.possible as usize;
        count.saturating_sub(kept_free_of(count, Fill::Fresh) + FILLS) as u64 * self.extent_bytes
    }

    /// Bytes in extents that are neither free nor live: dead blocks, and what is not yet filled.
    pub fn dead_bytes(&self) -> u64 {
        let in_use = self.extents.len() - self.free.len() - self.unbacked.len();
        in_use as u64 * self.extent_bytes - self.live_bytes
    }

    /// How much room coalescing has now.
    pub fn room(&self) -> Room {
        self.room_with(self.free_count())
    }

    /// How much it has once the next checkpoint is durable.
    pub fn room_soon(&self) -> Room {
        self.room_with(self.free_count() + self.dead.len())
    }

    fn room_with(&self, free: usize) -> Room {
        let count = self.possible as usize;
        let left = free.saturating_sub(kept_free_of(count, Fill::Fresh));
        if left == 0 {
            Room::Exhausted
        } else if left <= (count / 32).max(1) {
            Room::Short
        } else if left <= (count / 8).max(3) {
            Room::Low
        } else {
            Room::Ample
        }
    }

    /// Checks against all blocks that are named, with their sizes, and the pages that have a delta and no image.
    pub fn invariants_full(&self, named: impl Iterator<Item = (BlockAddress, u64)>, imageless: usize) {
        assert_eq!(self.imageless, imageless as u64);
        let mut counted = alloc::vec![0u64; self.extents.len()];
        for (address, bytes) in named {
            assert_eq!(address.area(), AREA_EXTENTS);
            counted[self.extent_of(address) as usize] += bytes;
        }
        for (number, extent) in self.extents.iter().enumerate() {
            // Blocks that are being written are live before anything names them.
            assert!(counted[number] <= extent.live_bytes, "extent {number}: a named block counts as dead");
        }
        assert_eq!(self.live_bytes, self.extents.iter().map(|extent| extent.live_bytes).sum::<u64>());
        for number in self.free.iter().chain(&self.unbacked) {
            assert_eq!(self.extents[*number as usize].live_bytes, 0);
        }
        assert!(self.free.iter().all(|number| *number < self.backed), "what is filled has space of its own");
        assert!(self.unbacked.iter().all(|number| *number >= self.backed));
        for (number, _) in &self.dead {
            assert!(!self.free.contains(number), "what waits for a checkpoint is not free");
            assert!(!self.unbacked.contains(number));
            assert!(!self.is_open(*number));
        }
    }
}

/// Extents of `count` that only checkpoints may take: without a checkpoint nothing ever becomes free again.
fn kept_for_parts(count: usize) -> usize {
    (count / 16).max(3)
}

/// Free extents of `count` that one of this kind must leave. Collection has some of its own: with none it could not copy
/// what lives in an extent away, and a full device would stay full.
fn kept_free_of(count: usize, fill: Fill) -> usize {
    match fill {
        Fill::Parts => 0,
        Fill::Moved | Fill::MovedDeltas => kept_for_parts(count),
        Fill::Fresh | Fill::Deltas => kept_for_parts(count) + (count / 64).max(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENT: u64 = 64 << 10;
    const BLOCK: u64 = 8 << 10;

    fn fill_one(extents: &mut Extents, fill: Fill) -> u32 {
        let (offset, fitting) = extents.allocate(fill, EXTENT / BLOCK, BLOCK).expect("room");
        assert_eq!(fitting, EXTENT / BLOCK);
        extents.extent_of(BlockAddress::new(AREA_EXTENTS, offset))
    }

    fn release(extents: &mut Extents, extent: u32, blocks: u64) {
        let offset = extents.offset_of(extent);
        for block in 0..blocks {
            extents.release(BlockAddress::new(AREA_EXTENTS, offset + block * BLOCK), BLOCK);
        }
    }

    #[test]
    fn each_kind_leaves_what_frees_space_its_room() {
        let mut extents = Extents::new(32 * EXTENT, EXTENT, 32 * EXTENT);
        let mut taken = [0; 3];
        for (place, fill) in [Fill::Fresh, Fill::Moved, Fill::Parts].into_iter().enumerate() {
            while extents.allocate(fill, EXTENT / BLOCK, BLOCK).is_some() {
                taken[place] += 1;
            }
        }
        assert_eq!(taken, [27, 2, 3], "of 32: collection has two of its own, checkpoints three");
        assert_eq!(extents.room(), Room::Exhausted);
    }

    /// A repair may leave no more than a hole, so it must not take what collection goes on with.
    #[test]
    fn repairs_leave_collection_an_extent() {
        let mut extents = Extents::new(32 * EXTENT, EXTENT, 32 * EXTENT);
        let mut mended = 0;
        while let Some(fill) = extents.fill_for_repair(true) {
            assert!(extents.allocate(fill, 1, BLOCK).is_some());
            mended += 1;
        }
        assert_eq!(mended, (27 + 1) * EXTENT / BLOCK, "one of the two that copies have");
        assert!(extents.allocate(Fill::Fresh, 1, BLOCK).is_none());
        let taken = fill_one(&mut extents, Fill::Moved);
        assert_eq!(extents.fill_of(taken), Fill::Moved);
    }

    /// A collection is tried again when what held it up may have gone.
    #[test]
    fn an_extent_is_left_until_something_in_it_dies() {
        let mut extents = Extents::new(32 * EXTENT, EXTENT, 32 * EXTENT);
        let made = fill_one(&mut extents, Fill::Fresh);
        fill_one(&mut extents, Fill::Fresh);
        release(&mut extents, made, 4);
        extents.leave(made);
        assert_eq!(extents.victim(|_| false), None);
        let last = extents.offset_of(made) + EXTENT - BLOCK;
        extents.release(BlockAddress::new(AREA_EXTENTS, last), BLOCK);
        assert_eq!(extents.victim(|_| false), Some(made));
    }

    #[test]
    fn a_dead_extent_is_free_only_when_a_later_checkpoint_is_durable() {
        let mut extents = Extents::new(32 * EXTENT, EXTENT, 32 * EXTENT);
        let (first, second) = (fill_one(&mut extents, Fill::Fresh), fill_one(&mut extents, Fill::Fresh));
        fill_one(&mut extents, Fill::Fresh);
        release(&mut extents, first, EXTENT / BLOCK);
        extents.checkpoint_begins(1);
        // The checkpoint that is under way may name it.
        release(&mut extents, second, EXTENT / BLOCK);
        assert_eq!((extents.free_count(), extents.dead_count()), (29, 2));
        extents.checkpoint_is_durable(1);
        assert_eq!((extents.free_count(), extents.dead_count()), (30, 1));
        extents.checkpoint_begins(2);
        extents.checkpoint_is_durable(2);
        assert_eq!((extents.free_count(), extents.dead_count()), (31, 0));
    }

    #[test]
    fn the_victim_is_what_frees_most_for_its_cost_and_old_ones_first() {
        let mut extents = Extents::new(64 * EXTENT, EXTENT, 64 * EXTENT);
        let made: Vec<u32> = (0..6).map(|_| fill_one(&mut extents, Fill::Fresh)).collect();
        assert_eq!(extents.victim(|_| false), None, "nothing is dead");
        release(&mut extents, made[1], 1);
        assert_eq!(extents.victim(|_| false), None, "too little is dead while there is room");
        release(&mut extents, made[3], 4);
        release(&mut extents, made[2], 4);
        assert_eq!(extents.victim(|_| false), Some(made[2]), "as dead, but older");
        release(&mut extents, made[4], 7);
        assert_eq!(extents.victim(|_| false), Some(made[4]), "younger, but all but empty");
        assert_eq!(extents.victim(|extent| extent == made[4]), Some(made[2]));
        extents.leave(made[2]);
        assert_eq!(extents.victim(|extent| extent == made[4]), Some(made[3]));
        // Parts of checkpoints are never copied, nor is what is still being filled.
        let part = fill_one(&mut extents, Fill::Parts);
        let open = fill_one(&mut extents, Fill::Moved);
        release(&mut extents, part, 7);
        release(&mut extents, open, 7);
        assert_eq!(extents.victim(|extent| made.contains(&extent)), None);
    }
}
