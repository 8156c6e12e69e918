//! Batches of a segment that are held in memory: all with a record that is in no page version yet.
//!
//! From them the chain of group backlinks is followed (SCL), pages are built, gossip is answered. A batch comes
//! in when it is durable, in whatever order, and goes when its last record is in a page version or annulled.

use super::SegmentKey;
use crate::pages::{PageTable, PendingRecord};
use crate::pending::{LedgerPlace, Pending};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;
use hexalog_protocol::batch::Batch;
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::record::Record;
use hexalog_protocol::{Lsn, PageId};

/// A record of a held batch; its operations stay where they are in the batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StoredRecord {
    pub lsn: Lsn,
    pub page: PageId,
    pub page_backlink: Lsn,
    pub group_backlink: Lsn,
    pub is_cpl: bool,
    start: u32,
    length: u32,
}

/// Records of one batch. A session that commits a little at a time seals batches of one: those stand in place.
#[derive(Debug)]
pub(crate) enum StoredRecords {
    One([StoredRecord; 1]),
    Many(Box<[StoredRecord]>),
}

impl Deref for StoredRecords {
    type Target = [StoredRecord];

    fn deref(&self) -> &[StoredRecord] {
        match self {
            StoredRecords::One(record) => record,
            StoredRecords::Many(records) => records,
        }
    }
}

impl From<&[StoredRecord]> for StoredRecords {
    fn from(records: &[StoredRecord]) -> StoredRecords {
        match records {
            [record] => StoredRecords::One([*record]),
            _ => StoredRecords::Many(records.into()),
        }
    }
}

/// A batch as sealed, with its records that count. Annulment always takes the end of a batch: all of it was
/// written by one writer, and a truncation range covers everything of that writer above the VDL found.
#[derive(Debug)]
pub(crate) struct StoredBatch {
    pub bytes: Box<[u8]>,
    pub backlink: Lsn,
    pub records: StoredRecords,
}

impl StoredBatch {
    /// Of the batch's records those through `last`, the last one that counts.
    fn new(batch: &Batch<'_>, last: Lsn) -> StoredBatch {
        let origin = batch.bytes.as_ptr() as usize;
        let stored = |record: Record<'_>| StoredRecord {
            lsn: record.lsn,
            page: record.page,
            page_backlink: record.page_backlink,
            group_backlink: record.group_backlink,
            is_cpl: record.is_cpl,
            start: (record.operations.as_ptr() as usize - origin) as u32,
            length: record.operations.len() as u32,
        };
        let mut counting = batch.records().take_while(|record| record.lsn <= last).map(stored);
        let records = match counting.next() {
            Some(record) if record.lsn == last => StoredRecords::One([record]),
            first => {
                let mut records = Vec::with_capacity(batch.count as usize);
                records.extend(first.into_iter().chain(counting));
                StoredRecords::Many(records.into())
            }
        };
        let stored = StoredBatch { bytes: batch.bytes.into(), backlink: batch.backlink, records };
        assert_eq!(stored.last(), last, "the last that counts is a record of the batch");
        stored
    }

    pub fn first(&self) -> Lsn {
        self.records.first().expect("a stored batch has records that count").lsn
    }

    /// The last record that counts.
    pub fn last(&self) -> Lsn {
        self.records.last().expect("a stored batch has records that count").lsn
    }

    pub fn operations(&self, index: usize) -> &[u8] {
        let record = &self.records[index];
        &self.bytes[record.start as usize..(record.start + record.length) as usize]
    }

    fn memory_bytes(&self) -> usize {
        // Map entries and page entries beside the vectors; an estimate on the high side.
        self.bytes.len() + self.records.len() * (size_of::<StoredRecord>() + 32) + 160
    }
}

struct Held {
    batch: Arc<StoredBatch>,
    /// With the append in the log that holds it for a restart.
    place: LedgerPlace,
    /// It is staged once more: that append will hold it ([`crate::carry`]).
    is_carried: bool,
    unmerged: u32,
}

/// Held batches by first LSN. Their LSN ranges do not overlap: each is a stretch of the group's one chain.
pub(crate) struct Batches {
    held: BTreeMap<Lsn, Held>,
}

/// A batch that is held became durable once more, further on in the log: a restart finds it there, and the log before is
/// held back by it no longer.
fn came_again(held: &mut Held, last: Lsn, position: u64, segment: SegmentKey, pending: &mut Pending) {
    // The longer form of one that was truncated meanwhile stands where it stood.
    if held.batch.last() == last && position > held.place.position {
        let (first, bytes) = (held.batch.first(), held.batch.memory_bytes());
        pending.remove(held.place, segment, first, bytes);
        held.place = pending.add(position, segment, first, bytes);
        held.is_carried = false;
    }
}

/// The last LSN of a batch that counts under a history; `None` if all of it is annulled.
pub(crate) fn last_counting(batch: &Batch<'_>, history: &EpochHistory) -> Option<Lsn> {
    if !history.is_annulled(batch.last) {
        return Some(batch.last);
    }
    batch.records().take_while(|record| !history.is_annulled(record.lsn)).last().map(|record| record.lsn)
}

impl Batches {
    pub fn new() -> Batches {
        Batches { held: BTreeMap::new() }
    }

    pub fn get(&self, first: Lsn) -> Option<&Arc<StoredBatch>> {
        self.held.get(&first).map(|held| &held.batch)
    }

    /// First LSN of the lowest batch held.
    pub fn first(&self) -> Option<Lsn> {
        self.held.first_key_value().map(|(first, _)| *first)
    }

    /// Whether the batch with this first LSN is held with records up to `last`.
    pub fn holds(&self, first: Lsn, last: Lsn) -> bool {
        self.held.get(&first).is_some_and(|held| held.batch.last() >= last)
    }

    /// Takes in a durable batch of which the records through `last` count, and puts its new ones into the page table, those that
    /// are in no version yet. `on_new` is told each of them, with the number of records that wait for its page now.
    pub fn insert(
        &mut self,
        (batch, last): (&Batch<'_>, Lsn),
        position: u64,
        segment: SegmentKey,
        (pages, pending): (&mut PageTable, &mut Pending),
        mut on_new: impl FnMut(&StoredRecord, usize),
    ) {
        let entry = self.held.entry(batch.first);
        let known_to = match &entry {
            Entry::Occupied(held) => held.get().batch.last(),
            Entry::Vacant(_) => Lsn::ZERO,
        };
        if let Entry::Occupied(held) = entry
            && known_to >= last
        {
            return came_again(held.into_mut(), last, position, segment, pending);
        }
        let stored = Arc::new(StoredBatch::new(batch, last));
        let mut unmerged = 0;
        for (index, record) in stored.records.iter().enumerate() {
            if record.lsn <= known_to {
                unmerged += u32::from(!pages.is_merged(record.page, record.lsn));
                continue;
            }
            let waiting = PendingRecord { lsn: record.lsn, batch: Arc::clone(&stored), index: index as u32 };
            if let Some(count) = pages.add_unless_merged(record.page, waiting) {
                unmerged += 1;
                on_new(record, count);
            }
        }
        if unmerged == 0 {
            return;
        }
        let place = pending.add(position, segment, batch.first, stored.memory_bytes());
        let held = Held { batch: stored, place, is_carried: false, unmerged };
        if let Some(shorter) = self.held.insert(batch.first, held) {
            // Truncated by a history that has since been replaced: the longer form takes its place.
            pending.remove(shorter.place, segment, batch.first, shorter.batch.memory_bytes());
        }
    }

    /// The batch with this first LSN is to be staged once more; `None` if it is already.
    pub fn carry(&mut self, first: Lsn) -> Option<&StoredBatch> {
        let held = self.held.get_mut(&first).expect("the ledger names held batches");
        (!core::mem::replace(&mut held.is_carried, true)).then_some(&*held.batch)
    }

    /// A record went into a page version.
    pub fn merged(&mut self, first: Lsn, segment: SegmentKey, pending: &mut Pending) {
        let Entry::Occupied(mut entry) = self.held.entry(first) else {
            panic!("a pending record's batch is held");
        };
        entry.get_mut().unmerged -= 1;
        if entry.get().unmerged == 0 {
            let held = entry.remove();
            pending.remove(held.place, segment, first, held.batch.memory_bytes());
        }
    }

    /// The end of the unbroken chain that begins at `scl`. From the segment's base the first record may link to
    /// anything not above it: what the group held before is not this segment's.
    pub fn reach(&self, scl: Lsn, base: Lsn) -> Lsn {
        let mut scl = scl;
        // The SCL may stand inside a batch whose end came back when a history was replaced.
        if let Some((_, held)) = self.held.range(..=scl).next_back()
            && held.batch.last() > scl
            && held.batch.records.iter().any(|record| record.lsn == scl)
        {
            scl = held.batch.last();
        }
        while let Some((_, held)) = self.held.range(scl.plus(1)..).next() {
            let links = held.batch.backlink == scl || (scl == base && held.batch.backlink <= base);
            if !links {
                break;
            }
            scl = held.batch.last();
        }
        scl
    }

    /// Whether a batch is held that the SCL has not reached: there is a gap below it.
    pub fn has_above(&self, scl: Lsn) -> bool {
        self.held.last_key_value().is_some_and(|(_, held)| held.batch.last() > scl)
    }

    /// LSN and CPL mark of records in (after, through].
    pub fn records_in(&self, after: Lsn, through: Lsn) -> impl Iterator<Item = (Lsn, bool)> + '_ {
        self.stored_in(after, through).map(|record| (record.lsn, record.is_cpl))
    }

    /// The first record in (after, through].
    pub fn first_record_in(&self, after: Lsn, through: Lsn) -> Option<&StoredRecord> {
        self.stored_in(after, through).next()
    }

    fn stored_in(&self, after: Lsn, through: Lsn) -> impl Iterator<Item = &StoredRecord> + '_ {
        let start = self.held.range(..=after).next_back().map_or(after, |(first, _)| *first);
        let batches = self.held.range(start..).take_while(move |(first, _)| **first <= through);
        batches
            .flat_map(|(_, held)| held.batch.records.iter())
            .filter(move |record| record.lsn > after && record.lsn <= through)
    }

    /// Batches with a record above `after`, in LSN order.
    pub fn above(&self, after: Lsn) -> impl Iterator<Item = &Arc<StoredBatch>> + '_ {
        let start = self.held.range(..=after).next_back().map_or(after, |(first, _)| *first);
        self.held.range(start..).map(|(_, held)| &held.batch).filter(move |batch| batch.last() > after)
    }

    /// Lets go of every record that `history` annuls; returns them.
    pub fn annul(
        &mut self,
        history: &EpochHistory,
        segment: SegmentKey,
        (pages, pending): (&PageTable, &mut Pending),
    ) -> Vec<StoredRecord> {
        let mut annulled = Vec::new();
        let concerned: Vec<Lsn> = self
            .held
            .iter()
            .filter(|(_, held)| history.is_annulled(held.batch.last()))
            .map(|(first, _)| *first)
            .collect();
        for first in concerned {
            let held = self.held.remove(&first).expect("just seen");
            pending.remove(held.place, segment, first, held.batch.memory_bytes());
            let counts = held.batch.records.partition_point(|record| !history.is_annulled(record.lsn));
            annulled.extend_from_slice(&held.batch.records[counts..]);
            // Annulled records lie above every VDL heard, so none of them is in a page version. A replay may meet them when
            // their page has one of a later writer's records already, and has not counted them as waiting then.
            let waits = |record: &&StoredRecord| !pages.is_merged(record.page, record.lsn);
            let annulled_count = held.batch.records[counts..].iter().filter(waits).count() as u32;
            assert!(held.unmerged >= annulled_count, "what is coalesced is never annulled");
            let unmerged = held.unmerged - annulled_count;
            if unmerged > 0 {
                let batch = StoredBatch {
                    bytes: held.batch.bytes.clone(),
                    backlink: held.batch.backlink,
                    records: held.batch.records[..counts].into(),
                };
                let place = pending.add(held.place.position, segment, first, batch.memory_bytes());
                self.held.insert(first, Held { batch: Arc::new(batch), unmerged, place, ..held });
            }
        }
        annulled
    }

    /// What the SCL falls to under a history: all up to it is an unbroken chain, so what stood before its first annulled
    /// record is its end then.
    pub fn scl_under(&self, history: &EpochHistory, scl: Lsn, base: Lsn) -> Lsn {
        let records = self.held.values().flat_map(|held| held.batch.records.iter());
        let mut annulled = records.filter(|record| record.lsn <= scl && history.is_annulled(record.lsn));
        annulled.next().map_or(scl, |first| first.group_backlink.max(base))
    }

    /// Lets go of all batches above `scl`; returns their records.
    pub fn drop_above(&mut self, scl: Lsn, segment: SegmentKey, pending: &mut Pending) -> Vec<StoredRecord> {
        let mut dropped = Vec::new();
        for (first, held) in self.held.split_off(&scl.plus(1)) {
            pending.remove(held.place, segment, first, held.batch.memory_bytes());
            assert_eq!(
                held.unmerged as usize,
                held.batch.records.len(),
                "nothing above the SCL is in a version"
            );
            dropped.extend_from_slice(&held.batch.records);
        }
        dropped
    }

    /// Lets go of everything.
    pub fn clear(&mut self, segment: SegmentKey, pending: &mut Pending) {
        for (first, held) in core::mem::take(&mut self.held) {
            pending.remove(held.place, segment, first, held.batch.memory_bytes());
        }
    }

    /// Records held that are in no page version.
    pub fn unmerged_count(&self) -> u64 {
        self.held.values().map(|held| u64::from(held.unmerged)).sum()
    }

    pub fn invariants_full(&self, history: &EpochHistory) {
        let mut last = Lsn::ZERO;
        for (first, held) in &self.held {
            assert!(*first > last, "batches do not overlap");
            assert!(held.unmerged > 0);
            last = held.batch.last();
            assert!(!history.is_annulled(last), "annulled records are let go");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_protocol::GroupId;
    use hexalog_protocol::batch::BatchBuilder;
    use hexalog_protocol::codec::Reader;

    /// A batch of one record for each (page, bytes of operations); their LSNs are 1, 2, ….
    fn stored(records: &[(u64, usize)]) -> Arc<StoredBatch> {
        let mut builder = BatchBuilder::new(GroupId(0));
        for ((page, bytes), lsn) in records.iter().zip(1..) {
            builder.push(&Record {
                lsn: Lsn(lsn),
                page: PageId(*page),
                page_backlink: Lsn::ZERO,
                group_backlink: Lsn(lsn - 1),
                is_cpl: true,
                operations: &alloc::vec![lsn as u8; *bytes],
            });
        }
        let sealed = builder.seal();
        let batch = Batch::read(&mut Reader::new(&sealed)).expect("just sealed");
        Arc::new(StoredBatch::new(&batch, batch.last))
    }

    #[test]
    fn records_of_a_batch_are_found_in_it_be_it_one_or_many() {
        for count in [1, 2, 17] {
            let records: Vec<_> = (0..count).map(|at| (at as u64 * 3, at + 1)).collect();
            let batch = stored(&records);
            assert_eq!((batch.first(), batch.last()), (Lsn(1), Lsn(count as u64)));
            assert_eq!(matches!(batch.records, StoredRecords::One(_)), count == 1);
            for (index, (page, bytes)) in records.iter().enumerate() {
                assert_eq!(batch.records[index].page, PageId(*page));
                assert_eq!(batch.operations(index), alloc::vec![index as u8 + 1; *bytes]);
            }
        }
    }
}
