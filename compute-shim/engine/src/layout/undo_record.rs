//! Undo records: what rollback and older snapshots need of one change.
//!
//! Every record: length 2 (itself included), kind 1 (low four bits; flags above), then
//!
//! | kind | what | fields |
//! |---|---|---|
//! | 1 | transaction header | state 1, commit LSN 8, volume epoch varint |
//! | 2 | row or index entry inserted where none was | tree varint, key (the rest) |
//! | 3 | row or index entry changed | tree varint, key length varint, key, previous flags 1, previous columns varint, unless flag 0x10: previous TxId 7 and (previous undo offset - previous TxId's offset) varint, if flag 0x20: length varint and the key the row moved to, then the previous body |
//! | 4 | tree, sequence or overflow chain created | page varint |
//! | 5 | tree, sequence or overflow chain dropped | page varint |
//! | 6 | what a record of kind 4 or 5 becomes once purge has freed the pages | as before |
//! | 7, 8 | the end of a prepared transaction's records, and its locks | [`super::prepared_record`] |
//!
//! Flag 0x10 says that the previous version is visible to all. Previous body: flag 0x40 = same length, byte
//! ranges (gap varint, length varint, bytes) that differ; flag 0x80 = the whole body (the rest); neither =
//! the body did not change.
//!
//! Flag 0x10 of kinds 4 and 5: the record was undone by ROLLBACK TO SAVEPOINT, so the page is dead (kind 4) or lives
//! (kind 5) whatever becomes of the transaction.
//!
//! A header's state is 1 ACTIVE, 2 PREPARED, 3 ABORTING, 4 ABORTED. A commit LSN other than zero
//! under ACTIVE or PREPARED is COMMITTED: so a commit writes eight bytes and nothing else. Under ABORTED it
//! is the LSN at which the rollback was complete. PREPARED becomes ABORTING as ROLLBACK PREPARED is decided.

use super::prepared_record::{HeldLock, HeldLocks, PreparedRecord};
use super::tree_page::RowHeader;
use super::{get_low, get_u64, low_bytes};
use crate::types::{RowVersion, TxId};
use hexalog_protocol::codec::{Malformed, Put, Reader};
use hexalog_protocol::{Lsn, PageId, VolumeEpoch};

const KIND_TRANSACTION: u8 = 1;
const KIND_INSERT: u8 = 2;
const KIND_CHANGE: u8 = 3;
const KIND_CREATED: u8 = 4;
const KIND_DROPPED: u8 = 5;
/// Written by purge over the kind of a record whose pages are free again, so that no crash frees them twice.
pub(crate) const KIND_FREED: u8 = 6;
const KIND_PREPARED: u8 = 7;
const KIND_LOCKS: u8 = 8;
/// As `KIND_CHANGE`; the version that it belongs to is a delete mark, which purge removes.
const KIND_DELETION: u8 = 10;
/// Offset of the kind byte in a record.
pub(crate) const RECORD_KIND: usize = 2;
const KIND_MASK: u8 = 0x0f;
/// Of kinds 4 and 5.
const FLAG_TAKEN_BACK: u8 = 0x10;
const FLAG_PREVIOUS_FROZEN: u8 = 0x10;
const FLAG_MOVED: u8 = 0x20;
const FLAG_BODY_RANGES: u8 = 0x40;
const FLAG_BODY_WHOLE: u8 = 0x80;

/// Offset of the state byte in a header record.
pub(crate) const HEADER_STATE: usize = 3;
/// Offset of the commit LSN in a header record.
pub(crate) const HEADER_COMMIT_LSN: usize = 4;

pub(crate) const STATE_ACTIVE: u8 = 1;
pub(crate) const STATE_PREPARED: u8 = 2;
pub(crate) const STATE_ABORTING: u8 = 3;
pub(crate) const STATE_ABORTED: u8 = 4;

/// Longest gap of equal bytes that two differing ranges are joined over: a range costs two bytes itself.
const RANGE_GAP_JOINED: usize = 2;

/// A decoded undo record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UndoRecord<'a> {
    Transaction { state: u8, commit_lsn: Lsn, epoch: VolumeEpoch },
    Insert { tree: PageId, key: &'a [u8] },
    Change(Change<'a>),
    Created { page: PageId, taken_back: bool },
    Dropped { page: PageId, taken_back: bool },
    Freed,
    Prepared(PreparedRecord<'a>),
    Locks(HeldLocks<'a>),
}

/// A change of a row or an index entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Change<'a> {
    pub tree: PageId,
    pub key: &'a [u8],
    pub previous: RowHeader,
    pub moved_to: Option<&'a [u8]>,
    pub body: PreviousBody<'a>,
    /// What it became is a delete mark.
    pub is_deletion: bool,
}

/// A change to be encoded: `old_body` becomes `new_body` (`None`: it stays).
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewChange<'a> {
    pub tree: PageId,
    pub key: &'a [u8],
    pub previous: &'a RowHeader,
    pub moved_to: Option<&'a [u8]>,
    pub old_body: &'a [u8],
    pub new_body: Option<&'a [u8]>,
    pub is_deletion: bool,
}

/// How the body was before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PreviousBody<'a> {
    Same,
    Ranges(&'a [u8]),
    Whole(&'a [u8]),
}

impl PreviousBody<'_> {
    /// Turns the newer body into the one before.
    pub fn restore(&self, body: &mut Vec<u8>) -> Result<(), Malformed> {
        match *self {
            PreviousBody::Same => {}
            PreviousBody::Whole(bytes) => {
                body.clear();
                body.extend_from_slice(bytes);
            }
            PreviousBody::Ranges(encoded) => {
                let mut reader = Reader::new(encoded);
                let mut at = 0usize;
                while reader.remaining() > 0 {
                    let gap = reader.varint("undo range gap")? as usize;
                    let length = reader.varint("undo range length")? as usize;
                    let old = reader.bytes(length, "undo range bytes")?;
                    let start = at.checked_add(gap).filter(|start| *start <= body.len());
                    let start = start.ok_or(Malformed { what: "undo range" })?;
                    let place = body[start..].get_mut(..length).ok_or(Malformed { what: "undo range" })?;
                    place.copy_from_slice(old);
                    at = start + length;
                }
            }
        }
        Ok(())
    }
}

/// Calls `range(start, end)` for each run of differing bytes of two slices of one length, runs closer than
/// `gap_joined + 1` bytes joined.
pub(crate) fn for_each_difference(
    old: &[u8],
    new: &[u8],
    gap_joined: usize,
    mut range: impl FnMut(usize, usize),
) {
    assert_eq!(old.len(), new.len(), "differences are of equal lengths");
    let mut at = 0;
    while let Some(start) = (at..old.len()).find(|i| old[*i] != new[*i]) {
        let mut end = start + 1;
        let mut probe = end;
        while probe < old.len() && probe - end <= gap_joined {
            if old[probe] != new[probe] {
                end = probe + 1;
            }
            probe += 1;
        }
        range(start, end);
        at = end;
    }
}

/// Appends a record whose fields `fields` writes.
fn encode(out: &mut Vec<u8>, kind: u8, fields: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.put_bytes(&[0, 0, kind]);
    fields(out);
    let length = u16::try_from(out.len() - start).expect("an undo record fits a page");
    out[start..start + 2].copy_from_slice(&length.to_le_bytes());
}

/// A transaction's header, in state ACTIVE.
pub(crate) fn encode_header(out: &mut Vec<u8>, epoch: VolumeEpoch) {
    encode(out, KIND_TRANSACTION, |out| {
        out.put_u8(STATE_ACTIVE);
        out.put_bytes(&[0; 8]);
        out.put_varint(epoch.0);
    });
}

pub(crate) fn encode_insert(out: &mut Vec<u8>, tree: PageId, key: &[u8]) {
    encode(out, KIND_INSERT, |out| {
        out.put_varint(tree.0);
        out.put_bytes(key);
    });
}

pub(crate) fn encode_created(out: &mut Vec<u8>, page: PageId) {
    encode(out, KIND_CREATED, |out| out.put_varint(page.0));
}

pub(crate) fn encode_dropped(out: &mut Vec<u8>, page: PageId) {
    encode(out, KIND_DROPPED, |out| out.put_varint(page.0));
}

pub(crate) fn encode_prepared(out: &mut Vec<u8>, prepared: &PreparedRecord<'_>) {
    encode(out, KIND_PREPARED, |out| prepared.encode_fields(out));
}

pub(crate) fn encode_locks(out: &mut Vec<u8>, locks: &[HeldLock]) {
    encode(out, KIND_LOCKS, |out| locks.iter().for_each(|lock| lock.encode(out)));
}

/// The change of a row.
pub(crate) fn encode_change(out: &mut Vec<u8>, change: &NewChange<'_>) {
    let NewChange { tree, key, previous, moved_to, old_body, new_body, is_deletion } = *change;
    let body_flag = match new_body {
        None => 0,
        Some(new) if new.len() == old_body.len() => FLAG_BODY_RANGES,
        Some(_) => FLAG_BODY_WHOLE,
    };
    let frozen = previous.version.tx_id == TxId::FROZEN;
    let kind = if is_deletion { KIND_DELETION } else { KIND_CHANGE }
        | body_flag
        | if frozen { FLAG_PREVIOUS_FROZEN } else { 0 }
        | if moved_to.is_some() { FLAG_MOVED } else { 0 };
    encode(out, kind, |out| {
        out.put_varint(tree.0);
        out.put_varint(key.len() as u64);
        out.put_bytes(key);
        out.put_u8(previous.flags);
        out.put_varint(u64::from(previous.columns));
        if !frozen {
            let RowVersion { tx_id, undo } = previous.version;
            assert!(undo >= tx_id.offset(), "a change stands behind its transaction's header");
            out.put_bytes(&low_bytes::<7>(tx_id.bits()));
            out.put_varint(undo - tx_id.offset());
        }
        if let Some(moved_to) = moved_to {
            out.put_varint(moved_to.len() as u64);
            out.put_bytes(moved_to);
        }
        match new_body {
            Some(new) if body_flag == FLAG_BODY_RANGES => encode_ranges(out, old_body, new),
            Some(_) => out.put_bytes(old_body),
            None => {}
        }
    });
}

fn encode_ranges(out: &mut Vec<u8>, old: &[u8], new: &[u8]) {
    let mut at = 0;
    for_each_difference(old, new, RANGE_GAP_JOINED, |start, end| {
        out.put_varint((start - at) as u64);
        out.put_varint((end - start) as u64);
        out.put_bytes(&old[start..end]);
        at = end;
    });
}

impl<'a> UndoRecord<'a> {
    /// Decodes a record, its length field included.
    pub fn decode(record: &'a [u8]) -> Result<UndoRecord<'a>, Malformed> {
        let mut reader = Reader::new(record);
        reader.u16("undo length")?;
        let kind = reader.u8("undo kind")?;
        match kind & KIND_MASK {
            KIND_TRANSACTION => Ok(UndoRecord::Transaction {
                state: reader.u8("transaction state")?,
                commit_lsn: Lsn(reader.u64("commit LSN")?),
                epoch: VolumeEpoch(reader.varint("transaction epoch")?),
            }),
            KIND_INSERT => {
                let tree = PageId(reader.varint("undo tree")?);
                Ok(UndoRecord::Insert { tree, key: reader.rest() })
            }
            KIND_CHANGE | KIND_DELETION => Change::decode(&mut reader, kind).map(UndoRecord::Change),
            KIND_CREATED => {
                let taken_back = kind & FLAG_TAKEN_BACK != 0;
                Ok(UndoRecord::Created { page: PageId(reader.varint("created page")?), taken_back })
            }
            KIND_DROPPED => {
                let taken_back = kind & FLAG_TAKEN_BACK != 0;
                Ok(UndoRecord::Dropped { page: PageId(reader.varint("dropped page")?), taken_back })
            }
            KIND_FREED => Ok(UndoRecord::Freed),
            KIND_PREPARED => PreparedRecord::decode_fields(&mut reader).map(UndoRecord::Prepared),
            KIND_LOCKS => HeldLocks::decode_fields(&mut reader).map(UndoRecord::Locks),
            _ => Err(Malformed { what: "undo kind" }),
        }
    }
}

impl<'a> Change<'a> {
    fn decode(reader: &mut Reader<'a>, kind: u8) -> Result<Change<'a>, Malformed> {
        let tree = PageId(reader.varint("undo tree")?);
        let key_bytes = reader.varint("undo key length")? as usize;
        let key = reader.bytes(key_bytes, "undo key")?;
        let flags = reader.u8("undo row flags")?;
        let columns =
            u16::try_from(reader.varint("undo columns")?).map_err(|_| Malformed { what: "undo columns" })?;
        let version = if kind & FLAG_PREVIOUS_FROZEN != 0 {
            RowVersion::default()
        } else {
            let tx_id = TxId::from_bits(get_low::<7>(reader.bytes(7, "undo TxId")?, 0));
            let undo = tx_id.offset().checked_add(reader.varint("undo offset")?);
            // A row header has six bytes for it.
            let undo = undo.filter(|undo| *undo < 1 << 48).ok_or(Malformed { what: "undo offset" })?;
            RowVersion { tx_id, undo }
        };
        let moved_to = if kind & FLAG_MOVED != 0 {
            let length = reader.varint("undo moved-to length")? as usize;
            Some(reader.bytes(length, "undo moved-to key")?)
        } else {
            None
        };
        let rest = reader.rest();
        let body = match kind & (FLAG_BODY_RANGES | FLAG_BODY_WHOLE) {
            FLAG_BODY_RANGES => PreviousBody::Ranges(rest),
            FLAG_BODY_WHOLE => PreviousBody::Whole(rest),
            _ => PreviousBody::Same,
        };
        let previous = RowHeader { flags, columns, version };
        let is_deletion = kind & KIND_MASK == KIND_DELETION;
        Ok(Change { tree, key, previous, moved_to, body, is_deletion })
    }
}

/// The kind byte of a record that ROLLBACK TO must mark as taken back; `None`: it needs no mark, or has it.
pub(crate) fn taken_back(record: &[u8]) -> Option<u8> {
    let kind = record[RECORD_KIND];
    let marks = matches!(kind & KIND_MASK, KIND_CREATED | KIND_DROPPED) && kind & FLAG_TAKEN_BACK == 0;
    marks.then_some(kind | FLAG_TAKEN_BACK)
}

/// Commit LSN and state of a header record, without decoding the rest.
pub(crate) fn header_outcome(record: &[u8]) -> (u8, Lsn) {
    debug_assert_eq!(record[2] & KIND_MASK, KIND_TRANSACTION);
    (record[HEADER_STATE], Lsn(get_u64(record, HEADER_COMMIT_LSN)))
}

/// Whether the record is a transaction's header.
pub(crate) fn is_header(record: &[u8]) -> bool {
    record[2] & KIND_MASK == KIND_TRANSACTION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_body_comes_back_whatever_its_length() {
        let previous =
            RowHeader { flags: 0, columns: 3, version: RowVersion { tx_id: TxId::new(5, 700), undo: 760 } };
        for (old, new) in [
            (&b"abcdefghij"[..], Some(&b"abXdeYYhiZ"[..])),
            (b"abc", Some(b"abcd")),
            (b"same", Some(b"same")),
            (b"kept", None),
            (b"", Some(b"x")),
        ] {
            let mut record = Vec::new();
            let is_deletion = new.is_none();
            let (tree, key, moved_to) = (PageId(9), &b"key"[..], Some(&b"to"[..]));
            let change = NewChange {
                tree,
                key,
                previous: &previous,
                moved_to,
                old_body: old,
                new_body: new,
                is_deletion,
            };
            encode_change(&mut record, &change);
            let Ok(UndoRecord::Change(change)) = UndoRecord::decode(&record) else {
                panic!("decodes as a change")
            };
            assert_eq!((change.previous, change.is_deletion), (previous, is_deletion));
            assert_eq!((change.key, change.moved_to), (&b"key"[..], Some(&b"to"[..])));
            let mut body = new.unwrap_or(old).to_vec();
            change.body.restore(&mut body).expect("restores");
            assert_eq!(body, old);
        }
    }

    #[test]
    fn golden_bytes_of_a_deletion() {
        let previous =
            RowHeader { flags: 0, columns: 3, version: RowVersion { tx_id: TxId::new(5, 700), undo: 760 } };
        let change = NewChange {
            tree: PageId(9),
            key: b"key",
            previous: &previous,
            moved_to: Some(b"to"),
            old_body: b"body",
            new_body: None,
            is_deletion: true,
        };
        let mut record = Vec::new();
        encode_change(&mut record, &change);
        let expected = [
            &[21, 0, 0x20 | 10, 9, 3][..],
            b"key",
            &[0, 3],
            // 700 in 44 bits, stream 5 above it; 60 further.
            &[0xbc, 0x02, 0, 0, 0, 0x50, 0, 60],
            &[2],
            b"to",
        ];
        assert_eq!(record, expected.concat());
    }

    #[test]
    fn a_small_update_takes_few_undo_bytes() {
        let previous = RowHeader {
            flags: 0,
            columns: 4,
            version: RowVersion { tx_id: TxId::new(9, 70_000), undo: 70_020 },
        };
        let mut record = Vec::new();
        let (old, new) = ([0u8; 100], [[0u8; 50], [1u8; 50]].concat());
        let change = NewChange {
            tree: PageId(300),
            key: &[0x80, 0, 0, 7],
            previous: &previous,
            moved_to: None,
            old_body: &old,
            new_body: Some(&new[..]),
            is_deletion: false,
        };
        encode_change(&mut record, &change);
        assert_eq!(record.len(), 3 + 2 + 1 + 4 + 1 + 1 + 7 + 1 + 2 + 50);
        let mut header = Vec::new();
        encode_header(&mut header, VolumeEpoch(1));
        assert_eq!(header.len(), 13);
        assert_eq!(header_outcome(&header), (STATE_ACTIVE, Lsn::ZERO));
    }
}
