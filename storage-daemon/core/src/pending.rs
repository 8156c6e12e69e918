//! What is not yet in page versions, over all segments of the shard: how much memory it takes and how far back
//! in the log it reaches.

use crate::segment::SegmentKey;
use crate::shares::ByVolume;
use alloc::collections::BTreeSet;
use hexalog_protocol::{Lsn, VolumeId};

/// The ledger of batches that are held in memory since a record of theirs is in no page version.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    bytes: usize,
    bytes_by_volume: ByVolume,
    /// By log position, so that the oldest is found first: it holds the log back.
    batches: BTreeSet<(u64, SegmentKey, Lsn)>,
}

impl Pending {
    pub fn add(&mut self, position: u64, segment: SegmentKey, first: Lsn, bytes: usize) {
        let is_new = self.batches.insert((position, segment, first));
        assert!(is_new, "a batch is held once");
        self.bytes += bytes;
        self.bytes_by_volume.add(segment.0, bytes as u64);
    }

    pub fn remove(&mut self, position: u64, segment: SegmentKey, first: Lsn, bytes: usize) {
        let was_there = self.batches.remove(&(position, segment, first));
        assert!(was_there, "a batch is let go once");
        assert!(self.bytes >= bytes);
        self.bytes -= bytes;
        self.bytes_by_volume.remove(segment.0, bytes as u64);
    }

    /// Bytes of memory that all held batches take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Those of one volume.
    pub fn bytes_of(&self, volume: VolumeId) -> usize {
        self.bytes_by_volume.get(volume) as usize
    }

    /// Batches held.
    pub fn count(&self) -> usize {
        self.batches.len()
    }

    /// Position of the oldest append with a record in no page version.
    pub fn oldest_position(&self) -> Option<u64> {
        self.batches.first().map(|(position, ..)| *position)
    }

    /// Held batches, oldest append first.
    pub fn oldest_first(&self) -> impl Iterator<Item = (SegmentKey, Lsn)> + '_ {
        self.batches.iter().map(|(_, segment, first)| (*segment, *first))
    }

    /// Those in appends before `position`.
    pub fn oldest_before(&self, position: u64) -> impl Iterator<Item = (SegmentKey, Lsn)> + '_ {
        let is_before = move |(at, ..): &&(u64, SegmentKey, Lsn)| *at < position;
        self.batches.iter().take_while(is_before).map(|(_, segment, first)| (*segment, *first))
    }

    pub fn invariants_full(&self) {
        assert_eq!(self.bytes_by_volume.sum(), self.bytes as u64, "all of it is somebody's");
    }
}
