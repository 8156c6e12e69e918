//! Prepared transactions of a volume that is being opened.
//!
//! Owns the way from a header that says PREPARED to a transaction that holds its locks again: its records are read from the
//! stream's head page downwards, a page at a time, as far as its locks reach. The locks are taken before anyone else can want
//! them. Changes nothing on a page.

use super::{NO_PROCESS, Preparation};
use crate::access::Access;
use crate::engine::Engine;
use crate::error::{EngineError, Step};
use crate::layout::prepared_record::{HeldLock, PreparedRecord};
use crate::layout::undo_page::{RECORDS_START, UndoHeader, logical_of, offset_of, records_from};
use crate::layout::undo_record::UndoRecord;
use crate::locks::Handle;
use crate::locks::objects::Owner;
use crate::rollback::INLINE_RECORDS_MAX;
use crate::transaction::Transaction;
use crate::types::{Isolation, LockedObject, RelationLockMode, TxId};
use hexalog_protocol::{Lsn, PageId};

/// A prepared transaction whose records are being read.
pub(crate) struct PreparedReader {
    pub tx_id: TxId,
    pub header_page: PageId,
    /// The next page to be read; `None`: all are.
    next: Option<(u64, PageId)>,
    found: Option<Found>,
    locks: Vec<HeldLock>,
}

/// What its last record says.
struct Found {
    preparation: Preparation,
    is_serializable: bool,
    /// Where its records of locks begin.
    locks_from: Option<u64>,
}

impl Found {
    /// Of the record at an offset. `None`: its locks would begin behind it.
    fn new(tx_id: TxId, at: u64, record: &PreparedRecord<'_>) -> Option<Found> {
        let locks_from = tx_id.offset().checked_add(record.locks_distance).filter(|from| *from <= at)?;
        let locks_from = (record.locks_distance > 0).then_some(locks_from);
        Some(Found {
            preparation: Preparation {
                identifier: record.identifier.to_owned(),
                owner: record.owner,
                database: record.database,
                prepared_us: record.prepared_us,
            },
            is_serializable: record.is_serializable,
            locks_from,
        })
    }
}

impl PreparedReader {
    /// Of a stream that ends at `head`, on this page.
    pub fn new(tx_id: TxId, header_page: PageId, head: u64, head_page: PageId) -> PreparedReader {
        let next = Some((logical_of(head - 1), head_page));
        PreparedReader { tx_id, header_page, next, found: None, locks: Vec::new() }
    }

    /// Reads the next page. True: there is no more to be read.
    pub fn step(&mut self, access: &mut Access<'_>) -> Step<bool> {
        let Some((logical, id)) = self.next else { return Ok(true) };
        let corrupt = |what| EngineError::Corrupt { page: id, what };
        let page = access.shared(id)?;
        let header = UndoHeader::decode(page.bytes())
            .filter(|header| header.stream == self.tx_id.stream() && header.logical == logical)
            .ok_or(corrupt("not the undo page of a prepared transaction"))?;
        let decode = |record| UndoRecord::decode(record).map_err(|_| corrupt("an undo record"));
        if self.found.is_none() {
            let last = records_from(page.bytes(), RECORDS_START).last();
            let last = last.map(|(byte, record)| decode(record).map(|record| (byte, record))).transpose()?;
            let Some((byte, UndoRecord::Prepared(record))) = last else {
                return Err(corrupt("a prepared transaction without its identifier").into());
            };
            let found = Found::new(self.tx_id, offset_of(logical, byte), &record);
            self.found = Some(found.ok_or(corrupt("locks of a prepared transaction behind its identifier"))?);
        }
        let locks_from = self.found.as_ref().and_then(|found| found.locks_from);
        let Some(locks_from) = locks_from else {
            self.next = None;
            return Ok(true);
        };
        let is_first = logical <= logical_of(locks_from);
        let records = records_from(page.bytes(), RECORDS_START);
        for (_, record) in records.filter(|(byte, _)| offset_of(logical, *byte) >= locks_from) {
            match decode(record)? {
                UndoRecord::Locks(locks) => self.locks.extend(locks.iter()),
                UndoRecord::Prepared(_) => {}
                _ => return Err(corrupt("another record among a prepared transaction's locks").into()),
            }
        }
        self.next = (!is_first).then(|| (logical - 1, header.previous));
        Ok(is_first)
    }
}

impl Engine {
    /// Makes a prepared transaction that was read be as it was. Answers the handle by which others know it.
    pub(crate) fn restore_prepared(&self, reader: PreparedReader) -> Result<Handle, EngineError> {
        let found = reader.found.expect("read to its end");
        if self.prepared.is_known(&found.preparation.identifier) {
            let what = "two prepared transactions of one identifier";
            return Err(EngineError::Corrupt { page: reader.header_page, what });
        }
        let isolation = match found.is_serializable {
            true => Isolation::Serializable,
            false => Isolation::ReadCommitted,
        };
        let mut txn = self.begin(isolation, false);
        txn.set_process_id(NO_PROCESS);
        txn.tx_id = Some(reader.tx_id);
        txn.header_page = reader.header_page;
        txn.stream = Some(reader.tx_id.stream());
        // Not counted: purge visits its records, and they are undone in the background.
        txn.needs_purge = true;
        txn.undo_records = INLINE_RECORDS_MAX + 1;
        for lock in reader.locks {
            self.restore_lock(&mut txn, lock)?;
        }
        if found.is_serializable {
            txn.is_watched = true;
            self.serializable.restore(txn.handle, reader.tx_id, self.volume.vdl());
        }
        let handle = txn.handle;
        self.locks.stream_is_prepared(reader.tx_id.stream());
        self.prepared.add(found.preparation, txn, Lsn::ZERO);
        Ok(handle)
    }

    fn restore_lock(&self, txn: &mut Transaction, lock: HeldLock) -> Result<(), EngineError> {
        let exclude = "locks of prepared transactions exclude each other";
        let corrupt = EngineError::Corrupt { page: txn.header_page, what: exclude };
        let owner = Owner { handle: txn.handle, process_id: NO_PROCESS };
        match lock {
            HeldLock::Relation(relation, modes) => {
                let is_held = |mode: &RelationLockMode| modes & (1 << *mode as u8) != 0;
                for mode in RelationLockMode::ALL.into_iter().filter(is_held) {
                    if !self.locks.try_lock_object(LockedObject::Relation(relation), owner, mode) {
                        return Err(corrupt);
                    }
                    txn.relations.push((relation, 1 << mode as u8));
                }
            }
            HeldLock::Row(hash, mode) => {
                if !self.locks.row_is_free(hash, txn.handle, mode) {
                    return Err(corrupt);
                }
                self.locks.hold_row(hash, txn.handle, mode)?;
                txn.row_locks.push((hash, None));
            }
            HeldLock::Advisory(key, mode) => {
                if !self.locks.try_lock_advisory(key, owner, mode) {
                    return Err(corrupt);
                }
                txn.advisory.push((key, mode));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_volume::MemoryVolume;
    use crate::types::{Options, RowLockMode};
    use hexalog_protocol::geometry::Geometry;

    #[test]
    fn locks_begin_before_the_identifier_that_names_them() {
        let tx_id = TxId::new(3, 500);
        for (distance, expected) in [(0, Some(None)), (60, Some(Some(560))), (101, None), (u64::MAX, None)] {
            let record = PreparedRecord {
                identifier: "x",
                owner: 10,
                database: 5,
                prepared_us: 0,
                is_serializable: false,
                locks_distance: distance,
            };
            let found = Found::new(tx_id, 600, &record);
            assert_eq!(found.map(|found| found.locks_from), expected, "{distance}");
        }
    }

    #[test]
    fn locks_that_exclude_each_other_are_damage_and_no_panic() {
        let volume = MemoryVolume::new(Geometry { pages_per_group: 64, groups: 4 });
        let engine = Engine::new(volume, Options { frames: 64, undo_streams: 8, snapshots: 8 });
        let (mut first, mut second) =
            (engine.begin(Isolation::ReadCommitted, false), engine.begin(Isolation::ReadCommitted, false));
        for lock in [
            HeldLock::Row(77, RowLockMode::Update),
            HeldLock::Relation(5, 1 << RelationLockMode::Exclusive as u8),
        ] {
            assert_eq!(engine.restore_lock(&mut first, lock), Ok(()));
            let refused = engine.restore_lock(&mut second, lock);
            assert!(matches!(refused, Err(EngineError::Corrupt { .. })), "{refused:?}");
        }
        engine.abort(&mut first).expect("ends");
        engine.abort(&mut second).expect("ends");
    }
}
