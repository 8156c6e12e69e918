//! Undo records of a prepared transaction: what it is called, and the locks that it keeps over an opening.
//!
//! Fields behind length and kind:
//!
//! | kind | what | fields |
//! |---|---|---|
//! | 7 | prepared | flags 1 (bit 0: SERIALIZABLE and not READ ONLY), microseconds since 2000-01-01 UTC 8, owner varint, database varint, first record of kind 8 as a distance from the transaction's header varint (0: none), identifier (the rest, UTF-8) |
//! | 8 | locks | for each: tag 1, fields |
//!
//! Tags: 1 relation (oid varint, modes 1), 2 row (hash 8, mode 1: 0 KEY SHARE to 3 UPDATE), 3 advisory (database varint,
//! number 8, bits 1: bit 0 two integers, bit 1 exclusive).
//!
//! The record of kind 7 is the transaction's last, so that opening finds it on the stream's head page; those of kind 8 follow
//! each other before it. They say something only if the header is PREPARED.

use crate::types::{AdvisoryKey, RelationLockMode, RowLockMode};
use hexalog_protocol::codec::{Malformed, Put, Reader};

const FLAG_SERIALIZABLE: u8 = 1;

const TAG_RELATION: u8 = 1;
const TAG_ROW: u8 = 2;
const TAG_ADVISORY: u8 = 3;

const BIT_PAIR: u8 = 1;
const BIT_EXCLUSIVE: u8 = 2;

/// Longest lock: tag, database, number, bits.
pub(crate) const LOCK_BYTES_MAX: usize = 1 + 10 + 8 + 1;

const ROW_MODES: [RowLockMode; 4] =
    [RowLockMode::KeyShare, RowLockMode::Share, RowLockMode::NoKeyUpdate, RowLockMode::Update];

/// The fields of a record of kind 7.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PreparedRecord<'a> {
    /// SERIALIZABLE, and others may come by what it has written.
    pub is_serializable: bool,
    pub prepared_us: i64,
    pub owner: u32,
    pub database: u32,
    /// Where its first record of locks stands, from its header.
    pub locks_distance: u64,
    pub identifier: &'a str,
}

impl<'a> PreparedRecord<'a> {
    pub fn encode_fields(&self, out: &mut Vec<u8>) {
        out.put_u8(if self.is_serializable { FLAG_SERIALIZABLE } else { 0 });
        out.put_bytes(&self.prepared_us.to_le_bytes());
        out.put_varint(u64::from(self.owner));
        out.put_varint(u64::from(self.database));
        out.put_varint(self.locks_distance);
        out.put_bytes(self.identifier.as_bytes());
    }

    pub fn decode_fields(reader: &mut Reader<'a>) -> Result<PreparedRecord<'a>, Malformed> {
        let flags = reader.u8("prepared flags")?;
        let prepared_us = reader.u64("prepared time")?.cast_signed();
        let owner = oid(reader, "prepared owner")?;
        let database = oid(reader, "prepared database")?;
        let locks_distance = reader.varint("prepared locks")?;
        let identifier = std::str::from_utf8(reader.rest());
        Ok(PreparedRecord {
            is_serializable: flags & FLAG_SERIALIZABLE != 0,
            prepared_us,
            owner,
            database,
            locks_distance,
            identifier: identifier.map_err(|_| Malformed { what: "prepared identifier" })?,
        })
    }
}

fn oid(reader: &mut Reader<'_>, what: &'static str) -> Result<u32, Malformed> {
    u32::try_from(reader.varint(what)?).map_err(|_| Malformed { what })
}

/// A lock that a prepared transaction keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HeldLock {
    /// Oid, and a bit for each mode.
    Relation(u32, u8),
    Row(u64, RowLockMode),
    Advisory(AdvisoryKey, RelationLockMode),
}

impl HeldLock {
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            HeldLock::Relation(relation, modes) => {
                out.put_u8(TAG_RELATION);
                out.put_varint(u64::from(relation));
                out.put_u8(modes);
            }
            HeldLock::Row(hash, mode) => {
                out.put_u8(TAG_ROW);
                out.put_bytes(&hash.to_le_bytes());
                out.put_u8(mode as u8);
            }
            HeldLock::Advisory(key, mode) => {
                out.put_u8(TAG_ADVISORY);
                out.put_varint(u64::from(key.database));
                out.put_bytes(&key.number.to_le_bytes());
                let exclusive = if mode == RelationLockMode::Exclusive { BIT_EXCLUSIVE } else { 0 };
                out.put_u8(exclusive | if key.is_pair { BIT_PAIR } else { 0 });
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<HeldLock, Malformed> {
        Ok(match reader.u8("lock tag")? {
            TAG_RELATION => HeldLock::Relation(oid(reader, "locked relation")?, reader.u8("lock modes")?),
            TAG_ROW => {
                let hash = reader.u64("locked row")?;
                let mode = ROW_MODES.get(usize::from(reader.u8("row lock mode")?));
                HeldLock::Row(hash, *mode.ok_or(Malformed { what: "row lock mode" })?)
            }
            TAG_ADVISORY => {
                let (database, number) = (oid(reader, "advisory database")?, reader.u64("advisory number")?);
                let bits = reader.u8("advisory bits")?;
                let mode = match bits & BIT_EXCLUSIVE {
                    0 => RelationLockMode::Share,
                    _ => RelationLockMode::Exclusive,
                };
                HeldLock::Advisory(AdvisoryKey { database, number, is_pair: bits & BIT_PAIR != 0 }, mode)
            }
            _ => return Err(Malformed { what: "lock tag" }),
        })
    }
}

/// The locks of one record of kind 8, which decode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HeldLocks<'a>(&'a [u8]);

impl<'a> HeldLocks<'a> {
    pub fn decode_fields(reader: &mut Reader<'a>) -> Result<HeldLocks<'a>, Malformed> {
        let bytes = reader.rest();
        let mut locks = Reader::new(bytes);
        while locks.remaining() > 0 {
            HeldLock::decode(&mut locks)?;
        }
        Ok(HeldLocks(bytes))
    }

    pub fn iter(&self) -> impl Iterator<Item = HeldLock> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || {
            (reader.remaining() > 0)
                .then(|| HeldLock::decode(&mut reader).expect("looked at when it was decoded"))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::layout::prepared_record::*;
    use crate::layout::undo_record::{UndoRecord, encode_locks, encode_prepared};

    #[test]
    fn golden_bytes() {
        let prepared = PreparedRecord {
            is_serializable: true,
            prepared_us: -2,
            owner: 10,
            database: 300,
            locks_distance: 7,
            identifier: "a\u{e9}",
        };
        let mut record = Vec::new();
        encode_prepared(&mut record, &prepared);
        let expected =
            [19, 0, 7, 1, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 10, 0xac, 2, 7, b'a', 0xc3, 0xa9];
        assert_eq!(record, expected);
        assert_eq!(UndoRecord::decode(&record), Ok(UndoRecord::Prepared(prepared)));
        record[17] = 0xff;
        assert_eq!(UndoRecord::decode(&record), Err(Malformed { what: "prepared identifier" }));

        let key = AdvisoryKey { database: 1, number: 2, is_pair: true };
        let locks = [
            HeldLock::Relation(300, 0b101),
            HeldLock::Row(u64::MAX - 1, RowLockMode::NoKeyUpdate),
            HeldLock::Advisory(key, RelationLockMode::Exclusive),
        ];
        let mut record = Vec::new();
        encode_locks(&mut record, &locks);
        #[rustfmt::skip]
        let expected = [
            28, 0, 8, 1, 0xac, 2, 5, 2, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,
            3, 1, 2, 0, 0, 0, 0, 0, 0, 0, 3,
        ];
        assert_eq!(record, expected);
        let Ok(UndoRecord::Locks(decoded)) = UndoRecord::decode(&record) else { panic!("{record:?}") };
        assert!(decoded.iter().eq(locks));
        for (at, value, what) in [(3, 4, "lock tag"), (16, 4, "row lock mode")] {
            let mut damaged = record.clone();
            damaged[at] = value;
            assert_eq!(UndoRecord::decode(&damaged), Err(Malformed { what }));
        }
        assert!(UndoRecord::decode(&record[..27]).is_err(), "cut short");
    }
}
