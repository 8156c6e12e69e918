//! What is not yet in page versions, over all segments of the shard: how much memory it takes and how far back
//! in the log it reaches.

use crate::segment::SegmentKey;
use crate::shares::ByVolume;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hexalog_protocol::{Lsn, VolumeId};

/// The ledger of batches that are held in memory since a record of theirs is in no page version.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    bytes: usize,
    bytes_by_volume: ByVolume,
    count: usize,
    /// By log position, so that the oldest is found first: it holds the log back. Batches come at the end and go from anywhere,
    /// so an append whose batches are all gone stays, empty, until it is the oldest.
    appends: VecDeque<Appended>,
}

/// Batches of one append.
#[derive(Debug)]
struct Appended {
    position: u64,
    /// How many of `batches` are held.
    held: u32,
    /// By number, in the order in which they came.
    batches: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: SegmentKey,
    number: u32,
    /// Zero once it is let go: no record has that LSN.
    first: Lsn,
}

/// Where a batch stands in the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LedgerPlace {
    /// Of the append in the log that holds it for a restart.
    pub position: u64,
    number: u32,
}

/// Of an append that holds no more than one in so many of its batches the others' entries are let go: what a few records
/// that wait for long take here is in proportion to them.
const ENTRIES_EACH_MAX: usize = 4;

impl Pending {
    pub fn add(&mut self, position: u64, segment: SegmentKey, first: Lsn, bytes: usize) -> LedgerPlace {
        assert!(first > Lsn::ZERO, "a record's LSN");
        let is_newest = self.appends.back().is_none_or(|newest| newest.position < position);
        let at = if is_newest { Err(self.appends.len()) } else { self.find(position) };
        let at = at.unwrap_or_else(|at| {
            self.appends.insert(at, Appended { position, held: 0, batches: Vec::new() });
            at
        });
        let append = &mut self.appends[at];
        let number = append.batches.last().map_or(0, |last| last.number + 1);
        append.batches.push(Entry { key: segment, number, first });
        append.held += 1;
        self.count += 1;
        self.bytes += bytes;
        self.bytes_by_volume.add(segment.0, bytes as u64);
        LedgerPlace { position, number }
    }

    pub fn remove(&mut self, place: LedgerPlace, segment: SegmentKey, first: Lsn, bytes: usize) {
        let at = self.find(place.position).expect("the append of a held batch is listed");
        let append = &mut self.appends[at];
        let entry = append.entry(place.number).filter(|entry| (entry.key, entry.first) == (segment, first));
        entry.expect("a batch is let go once").first = Lsn::ZERO;
        append.held -= 1;
        if append.batches.len() > ENTRIES_EACH_MAX * append.held as usize {
            append.batches.retain(|entry| entry.first > Lsn::ZERO);
            append.batches.shrink_to_fit();
        }
        while self.appends.front().is_some_and(|oldest| oldest.held == 0) {
            self.appends.pop_front();
        }
        self.count -= 1;
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
        self.count
    }

    /// Position of the oldest append with a record in no page version.
    pub fn oldest_position(&self) -> Option<u64> {
        self.appends.front().map(|oldest| oldest.position)
    }

    /// Held batches, oldest append first.
    pub fn oldest_first(&self) -> impl Iterator<Item = (SegmentKey, Lsn)> + '_ {
        self.oldest_before(u64::MAX)
    }

    /// Those in appends before `position`.
    pub fn oldest_before(&self, position: u64) -> impl Iterator<Item = (SegmentKey, Lsn)> + '_ {
        let appends = self.appends.iter().take_while(move |append| append.position < position);
        let entries = appends.flat_map(|append| append.batches.iter());
        entries.filter(|entry| entry.first > Lsn::ZERO).map(|entry| (entry.key, entry.first))
    }

    fn find(&self, position: u64) -> Result<usize, usize> {
        self.appends.binary_search_by_key(&position, |append| append.position)
    }

    pub fn invariants_full(&self) {
        assert_eq!(self.bytes_by_volume.sum(), self.bytes as u64, "all of it is somebody's");
        assert!(self.appends.iter().is_sorted_by(|a, b| a.position < b.position));
        assert!(self.appends.front().is_none_or(|oldest| oldest.held > 0), "the oldest holds the log back");
        assert_eq!(self.oldest_first().count(), self.count);
        for append in &self.appends {
            let held = append.batches.iter().filter(|entry| entry.first > Lsn::ZERO).count();
            assert_eq!(held, append.held as usize);
            assert!(append.batches.len() <= ENTRIES_EACH_MAX * held, "what is let go takes little");
            assert!(append.batches.is_sorted_by(|a, b| a.number < b.number));
        }
    }
}

impl Appended {
    fn entry(&mut self, number: u32) -> Option<&mut Entry> {
        // Where it was put, unless others before it were let go of.
        let at = match self.batches.get(number as usize) {
            Some(entry) if entry.number == number => number as usize,
            _ => self.batches.binary_search_by_key(&number, |entry| entry.number).ok()?,
        };
        self.batches.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use hexalog_protocol::GroupId;

    const KEY: SegmentKey = (VolumeId([1; 16]), GroupId(0));

    /// Whatever is added and let go, in whatever order, what is held is told oldest append first.
    #[test]
    fn the_ledger_holds_what_a_tree_of_batches_holds() {
        let mut pending = Pending::default();
        let mut model = BTreeMap::new();
        let mut random = 7u64;
        for step in 1..=4_000u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let is_late = random >> 60 == 0;
            let position = if is_late { (random >> 32) % (step / 16 + 1) } else { step / 16 } * 4096;
            let place = pending.add(position, KEY, Lsn(step), step as usize);
            model.insert((position, step), place);
            while model.len() > 400 || (random >> 58 & 3 == 0 && !model.is_empty()) {
                let at = (random >> 20) as usize % model.len();
                let key = *model.keys().nth(at).expect("counted");
                let place = model.remove(&key).expect("just seen");
                pending.remove(place, KEY, Lsn(key.1), key.1 as usize);
                random = random.rotate_left(7);
            }
            if step.is_multiple_of(50) {
                pending.invariants_full();
                let positions = |all: &BTreeMap<(u64, u64), _>| all.keys().map(|key| key.0).next();
                assert_eq!(pending.oldest_position(), positions(&model));
                let mut held: Vec<_> = pending.oldest_before(2_048 * 16).map(|(_, first)| first.0).collect();
                held.sort_unstable();
                let before = model.keys().filter(|key| key.0 < 2_048 * 16).map(|key| key.1);
                let mut expected: Vec<_> = before.collect();
                expected.sort_unstable();
                assert_eq!(held, expected);
                assert_eq!(pending.bytes() as u64, model.keys().map(|key| key.1).sum::<u64>());
            }
        }
    }
}
