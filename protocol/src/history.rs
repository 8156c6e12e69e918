//! The epoch history of a volume: every opening, and the truncation range that it made.
//!
//! Opening a volume annuls what was never at quorum: all LSNs in `(VDL, upper]`. Those LSNs are never given
//! out again, so an LSN lies in a truncation range or it does not, whoever asks; and the volume chain counts
//! a range as an empty, complete stretch. [`EpochHistory::next_lsn`] is the one function that steps over
//! ranges, for VCL, SCL, gossip, backup and readers alike.
//!
//! A history is replaced by that of a higher epoch, never merged with it: an opener that died half way left
//! a range that its successor may not have adopted.

use crate::codec::{Malformed, Put, Reader};
use crate::ids::{Incarnation, Lsn, VolumeEpoch, WriterId};
use alloc::vec::Vec;

/// One opening of a volume for writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEntry {
    /// The epoch and the incarnation that opened it.
    pub writer: WriterId,
    /// VDL found by the opening: everything up to it survives.
    pub vdl: Lsn,
    /// Last LSN of the truncation range; the new writer starts at `upper + 1`. Equal to `vdl` for a volume's
    /// very first opening, which has nothing to annul.
    pub upper: Lsn,
}

/// All openings, oldest first.
///
/// Invariant: epochs rise strictly; ranges do not overlap and rise; the last entry's writer is the one
/// that the segment takes data from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EpochHistory {
    entries: Vec<EpochEntry>,
}

/// Bytes of one encoded entry: epoch 8, incarnation 8, VDL 8, upper 8.
pub const EPOCH_ENTRY_BYTES: usize = 32;

impl EpochHistory {
    /// No opening yet.
    pub const fn new() -> EpochHistory {
        EpochHistory { entries: Vec::new() }
    }

    /// Entries, oldest first.
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// The latest opening.
    pub fn last(&self) -> Option<&EpochEntry> {
        self.entries.last()
    }

    /// Epoch and incarnation of the latest opening; the default (epoch 0) before any.
    pub fn writer(&self) -> WriterId {
        self.last().map(|entry| entry.writer).unwrap_or_default()
    }

    /// End of the last truncation range: no LSN up to here will be allocated again.
    pub fn upper(&self) -> Lsn {
        self.last().map(|entry| entry.upper).unwrap_or(Lsn::ZERO)
    }

    /// Adds an opening.
    ///
    /// # Panics
    /// If it does not come after the last one: the opener computed it wrongly.
    pub fn push(&mut self, entry: EpochEntry) {
        assert!(entry_follows(self.last(), &entry), "{entry:?} does not follow {:?}", self.last());
        self.entries.push(entry);
    }

    /// Whether `lsn` was annulled by an opening: it is nobody's, and never will be.
    pub fn is_annulled(&self, lsn: Lsn) -> bool {
        self.range_of(lsn).is_some()
    }

    /// The LSN that follows `lsn` in the volume's chain: the next number, or the first after the truncation
    /// range that begins there.
    pub fn next_lsn(&self, lsn: Lsn) -> Lsn {
        let mut next = lsn.plus(1);
        // Ranges may touch each other (an opening right after an opening), so step until none matches.
        while let Some(range) = self.range_of(next) {
            next = range.upper.plus(1);
        }
        next
    }

    /// The highest LSN <= `lsn` that is not annulled.
    pub fn floor(&self, lsn: Lsn) -> Lsn {
        let mut floor = lsn;
        while let Some(range) = self.range_of(floor) {
            floor = range.vdl;
        }
        floor
    }

    fn range_of(&self, lsn: Lsn) -> Option<&EpochEntry> {
        // Few entries matter and the newest is asked for most; histories stay short (one entry an opening).
        let index = self.entries.partition_point(|entry| entry.upper < lsn);
        self.entries.get(index).filter(|entry| entry.vdl < lsn && lsn <= entry.upper)
    }

    /// Appends count and entries.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(self.entries.len() as u64);
        for entry in &self.entries {
            out.put_u64(entry.writer.epoch.0);
            out.put_u64(entry.writer.incarnation.0);
            out.put_u64(entry.vdl.0);
            out.put_u64(entry.upper.0);
        }
    }

    /// Reads what [`Self::encode`] wrote; refuses a history that breaks the type's invariant.
    pub fn decode(reader: &mut Reader<'_>) -> Result<EpochHistory, Malformed> {
        let count = reader.count(EPOCH_ENTRY_BYTES, "epoch history length")?;
        let mut history = EpochHistory { entries: Vec::with_capacity(count) };
        for _ in 0..count {
            let epoch = VolumeEpoch(reader.u64("epoch")?);
            let incarnation = Incarnation(reader.u64("incarnation")?);
            let vdl = Lsn(reader.u64("range start")?);
            let upper = Lsn(reader.u64("range end")?);
            let entry = EpochEntry { writer: WriterId { epoch, incarnation }, vdl, upper };
            if !entry_follows(history.last(), &entry) {
                return Err(Malformed { what: "epoch history order" });
            }
            history.entries.push(entry);
        }
        Ok(history)
    }
}

fn entry_follows(last: Option<&EpochEntry>, entry: &EpochEntry) -> bool {
    if entry.vdl > entry.upper || entry.upper == Lsn::MAX {
        return false;
    }
    match last {
        None => entry.writer.epoch.0 > 0,
        // VDL may equal the previous range's end (nothing was written in between); it is never below it,
        // since after an opening VDL = upper.
        Some(last) => entry.writer.epoch > last.writer.epoch && entry.vdl >= last.upper,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn entry(epoch: u64, vdl: u64, upper: u64) -> EpochEntry {
        let writer = WriterId { epoch: VolumeEpoch(epoch), incarnation: Incarnation(epoch * 7) };
        EpochEntry { writer, vdl: Lsn(vdl), upper: Lsn(upper) }
    }

    fn history() -> EpochHistory {
        let mut history = EpochHistory::new();
        // Written to 10 by epoch 1; epoch 2 annulled 11..=20; epoch 3 wrote nothing, annulled 21..=30.
        for e in [entry(1, 0, 0), entry(2, 10, 20), entry(3, 20, 30), entry(5, 35, 40)] {
            history.push(e);
        }
        history
    }

    #[test]
    fn next_and_floor_step_over_ranges() {
        let history = history();
        // (lsn, next, floor)
        for (lsn, next, floor) in [
            (0, 1, 0),
            (9, 10, 9),
            (10, 31, 10),
            (15, 31, 10),
            (30, 31, 10),
            (33, 34, 33),
            (35, 41, 35),
            (40, 41, 35),
        ] {
            assert_eq!(history.next_lsn(Lsn(lsn)), Lsn(next), "next of {lsn}");
            assert_eq!(history.floor(Lsn(lsn)), Lsn(floor), "floor of {lsn}");
        }
    }

    #[test]
    fn round_trip_and_disorder_refused() {
        let mut bytes = vec![];
        history().encode(&mut bytes);
        assert_eq!(EpochHistory::decode(&mut Reader::new(&bytes)), Ok(history()));
        let mut bytes = vec![];
        EpochHistory { entries: vec![entry(2, 10, 20), entry(3, 15, 30)] }.encode(&mut bytes);
        assert!(EpochHistory::decode(&mut Reader::new(&bytes)).is_err());
    }

    #[test]
    fn entries_stand_in_the_order_of_their_epochs() {
        let entries = [entry(1, 0, 0), entry(2, 10, 20), entry(3, 20, 30), entry(5, 35, 40)];
        assert_eq!(history().entries(), entries);
        assert_eq!((history().last(), history().upper()), (entries.last(), Lsn(40)));
        assert_eq!(EpochHistory::new().entries(), []);
    }
}
