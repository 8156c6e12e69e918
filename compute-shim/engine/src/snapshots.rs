//! Snapshots in use, and the purge horizon below which none is.
//!
//! Owns one slot per transaction that holds a snapshot. Taking one: load VDL, publish it in the slot, then
//! look whether the purge horizon has passed it meanwhile; if so, again. No global lock, no list of
//! transactions in progress. The horizon never falls.

use crate::error::EngineError;
use crate::types::HeldSnapshot;
use crate::volume::Volume;
use hexalog_protocol::Lsn;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering, fence};

/// In a slot: taken, but no snapshot published. Snapshots themselves are stored plus two.
const RESERVED: u64 = 1;
const FREE: u64 = 0;

pub(crate) struct Snapshots {
    slots: Box<[AtomicU64]>,
    /// Process ids of the sessions that hold them.
    owners: Box<[AtomicI32]>,
    /// Slots from here on have never been taken: most of them, where many sessions may come and few run at a time.
    untouched: AtomicU32,
    hint: AtomicU32,
    /// A snapshot that comes to be published below it is taken anew. One that was published before may lie below.
    horizon: AtomicU64,
    /// No snapshot lies below it, or will.
    purged: AtomicU64,
}

impl Snapshots {
    pub fn new(count: u32) -> Snapshots {
        Snapshots {
            slots: (0..count.max(2)).map(|_| AtomicU64::new(FREE)).collect(),
            owners: (0..count.max(2)).map(|_| AtomicI32::new(0)).collect(),
            untouched: AtomicU32::new(0),
            hint: AtomicU32::new(0),
            horizon: AtomicU64::new(0),
            purged: AtomicU64::new(0),
        }
    }

    /// Slots there are: as many transactions at once.
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// Takes a slot for a session.
    pub fn acquire(&self, process_id: i32) -> Result<u32, EngineError> {
        let count = self.slots.len() as u32;
        let hint = self.hint.load(Ordering::Relaxed);
        for step in 0..count {
            let slot = (hint + step) % count;
            // Before anything is published in it: whoever raises the horizon without having seen the slot has raised it
            // before that, and `take` sees it.
            if slot >= self.untouched.load(Ordering::SeqCst) {
                self.untouched.fetch_max(slot + 1, Ordering::SeqCst);
            }
            let taken = self.slots[slot as usize].compare_exchange(
                FREE,
                RESERVED,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            if taken.is_ok() {
                self.owners[slot as usize].store(process_id, Ordering::Relaxed);
                self.hint.store((slot + 1) % count, Ordering::Relaxed);
                return Ok(slot);
            }
        }
        Err(EngineError::TooManySnapshots)
    }

    /// Publishes the current VDL in the slot and returns it.
    pub fn take(&self, slot: u32, volume: &dyn Volume) -> Lsn {
        loop {
            let snapshot = volume.vdl();
            let before = self.slots[slot as usize].swap(snapshot.0 + 2, Ordering::SeqCst);
            assert_ne!(before, FREE, "the slot belongs to the transaction");
            fence(Ordering::SeqCst);
            if self.horizon.load(Ordering::SeqCst) <= snapshot.0 {
                return snapshot;
            }
        }
    }

    /// The snapshot is over; the slot stays the transaction's.
    pub fn clear(&self, slot: u32) {
        self.slots[slot as usize].store(RESERVED, Ordering::Release);
    }

    /// Gives the slot back.
    pub fn release(&self, slot: u32) {
        let before = self.slots[slot as usize].swap(FREE, Ordering::AcqRel);
        assert_ne!(before, FREE, "a slot is released once");
        self.hint.store(slot, Ordering::Relaxed);
    }

    /// The horizon as last computed. A snapshot that was being taken meanwhile may lie below: what rests on none being older asks
    /// [`Self::purged`].
    pub fn horizon(&self) -> Lsn {
        Lsn(self.horizon.load(Ordering::Acquire))
    }

    /// Raises the horizon to the lowest snapshot in use, or VDL. A snapshot being taken meanwhile sees the
    /// new horizon and starts again if it lies below.
    pub fn raise_horizon(&self, volume: &dyn Volume) -> Lsn {
        let target = self.lowest(volume.vdl());
        self.horizon.fetch_max(target.0, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        // One who published before the store above is seen now; purge goes no further than it.
        let purged = self.horizon().0.min(self.lowest(target).0);
        self.purged.fetch_max(purged, Ordering::AcqRel);
        Lsn(purged)
    }

    /// As a rise does that has looked at the slots before a snapshot was published.
    #[cfg(test)]
    pub fn overtake(&self, horizon: Lsn) {
        self.horizon.fetch_max(horizon.0, Ordering::SeqCst);
    }

    /// How far purge may have gone: no snapshot in use, or to come, is older.
    pub fn purged(&self) -> Lsn {
        Lsn(self.purged.load(Ordering::Acquire))
    }

    /// Every snapshot in use.
    pub fn held(&self, out: &mut Vec<HeldSnapshot>) {
        let touched = &self.slots[..self.untouched.load(Ordering::SeqCst) as usize];
        for (slot, owner) in touched.iter().zip(&self.owners) {
            let value = slot.load(Ordering::SeqCst);
            if value > RESERVED {
                let process_id = owner.load(Ordering::Relaxed);
                out.push(HeldSnapshot { process_id, lsn: Lsn(value - 2) });
            }
        }
    }

    /// The lowest snapshot in use, `from` at most.
    pub fn lowest(&self, from: Lsn) -> Lsn {
        let touched = &self.slots[..self.untouched.load(Ordering::SeqCst) as usize];
        let published = touched.iter().map(|slot| slot.load(Ordering::SeqCst));
        Lsn(published.filter(|value| *value > RESERVED).map(|value| value - 2).fold(from.0, u64::min))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_volume::MemoryVolume;
    use hexalog_protocol::geometry::Geometry;

    #[test]
    fn the_horizon_stops_at_the_oldest_snapshot_and_never_falls() {
        let volume = MemoryVolume::new(Geometry { pages_per_group: 64, groups: 1 });
        let snapshots = Snapshots::new(2);
        let slot = snapshots.acquire(7).expect("a slot");
        assert_eq!(snapshots.take(slot, &*volume), Lsn::ZERO);
        assert_eq!(snapshots.raise_horizon(&*volume), Lsn::ZERO);
        let mut held = Vec::new();
        snapshots.held(&mut held);
        assert_eq!(held, [HeldSnapshot { process_id: 7, lsn: Lsn::ZERO }]);
        let other = snapshots.acquire(0).expect("a slot");
        assert_eq!(snapshots.acquire(0), Err(EngineError::TooManySnapshots));
        snapshots.release(other);
        snapshots.release(slot);
        assert!(snapshots.acquire(0).is_ok());
    }

    /// Found by review. A rollback took the horizon for what purge had gone by, and removed a row that a snapshot saw which had been
    /// published between the look at the slots and the new horizon.
    #[test]
    fn a_snapshot_published_beside_a_rising_horizon_is_above_what_is_purged() {
        let volume = MemoryVolume::new(Geometry { pages_per_group: 64, groups: 1 });
        let snapshots = Snapshots::new(2);
        let slot = snapshots.acquire(0).expect("a slot");
        snapshots.slots[slot as usize].store(9 + 2, Ordering::SeqCst);
        snapshots.overtake(Lsn(12));
        assert_eq!(snapshots.raise_horizon(&*volume), snapshots.lowest(volume.vdl()));
        assert!(snapshots.purged() <= Lsn(9) && snapshots.horizon() == Lsn(12));
    }
}
