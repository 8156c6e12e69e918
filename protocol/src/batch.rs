//! A group batch: the records of one group that a boxcar held when it was sealed.
//!
//! Encoded and checksummed once, sent to all six members, stored by each with the CRC that it verified, and
//! handed on by gossip as it is: batch boundaries are the same everywhere.
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | group |
//! | 4..8 | record count |
//! | 8..16 | LSN of the first record |
//! | 16..24 | group backlink of the first record |
//! | 24..28 | length of the records in bytes |
//! | 28..32 | CRC32C of bytes 0..28 and of the records |
//! | 32.. | records |
//!
//! A record is: varint LSN distance to the previous record (0 for the first); zigzag page-id distance to the
//! previous record's page (for the first: to page 0); varint page backlink as distance below the record's
//! LSN (0 = none); varint `operations length * 2 + is_cpl`; operations ([`crate::record`]).

use crate::codec::{Malformed, Put, Reader};
use crate::record::Record;
use crate::{GroupId, Lsn, PageId};
use alloc::vec::Vec;

/// Bytes before the records.
pub const BATCH_HEADER_BYTES: usize = 32;
/// No batch is larger: a boxcar is sealed at 64 KiB, and one mini-transaction more may follow it in.
pub const BATCH_BYTES_MAX: usize = 512 * 1024;
/// Least bytes of an encoded record: four one-byte varints.
const RECORD_BYTES_MIN: usize = 4;

/// A batch under construction: the open boxcar of one group.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    group: GroupId,
    first: Lsn,
    last: Lsn,
    backlink: Lsn,
    last_page: PageId,
    count: u32,
    bytes: Vec<u8>,
}

impl BatchBuilder {
    /// An empty batch of `group`.
    pub fn new(group: GroupId) -> BatchBuilder {
        BatchBuilder {
            group,
            first: Lsn::ZERO,
            last: Lsn::ZERO,
            backlink: Lsn::ZERO,
            last_page: PageId(0),
            count: 0,
            bytes: Vec::new(),
        }
    }

    /// Adds a record. Its group backlink must be the record before it.
    pub fn push(&mut self, record: &Record<'_>) {
        assert!(record.lsn > self.last, "LSNs rise");
        assert!(record.page_backlink < record.lsn);
        if self.count == 0 {
            self.first = record.lsn;
            self.last = record.lsn;
            self.backlink = record.group_backlink;
            self.bytes.resize(BATCH_HEADER_BYTES, 0);
        } else {
            assert!(record.group_backlink == self.last, "a batch is a stretch of its group's chain");
        }
        self.bytes.put_varint(record.lsn.since(self.last));
        self.bytes.put_zigzag(record.page.0.wrapping_sub(self.last_page.0) as i64);
        let backlink =
            if record.page_backlink == Lsn::ZERO { 0 } else { record.lsn.since(record.page_backlink) };
        self.bytes.put_varint(backlink);
        self.bytes.put_varint((record.operations.len() as u64) << 1 | u64::from(record.is_cpl));
        self.bytes.put_bytes(record.operations);
        self.last = record.lsn;
        self.last_page = record.page;
        self.count += 1;
    }

    /// Bytes so far.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether no record is in it.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// LSN of the first record; zero while empty.
    pub fn first(&self) -> Lsn {
        self.first
    }

    /// LSN of the last record; zero while empty.
    pub fn last(&self) -> Lsn {
        self.last
    }

    /// Fixes the batch: writes the header, leaves the builder empty.
    pub fn seal(&mut self) -> Vec<u8> {
        assert!(self.count > 0, "an empty boxcar is not sealed");
        let mut bytes = core::mem::take(&mut self.bytes);
        let body = u32::try_from(bytes.len() - BATCH_HEADER_BYTES).expect("a batch is below 4 GiB");
        assert!(bytes.len() <= BATCH_BYTES_MAX, "a batch is bounded");
        bytes[0..4].copy_from_slice(&self.group.0.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.count.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.backlink.0.to_le_bytes());
        bytes[24..28].copy_from_slice(&body.to_le_bytes());
        let crc = checksum(&bytes);
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
        *self = BatchBuilder::new(self.group);
        bytes
    }
}

fn checksum(batch: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&batch[..28]), &batch[BATCH_HEADER_BYTES..])
}

/// A sealed batch, checked: its CRC holds and every record decodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Batch<'a> {
    /// The group.
    pub group: GroupId,
    /// LSN of the first record.
    pub first: Lsn,
    /// LSN of the last record.
    pub last: Lsn,
    /// Group backlink of the first record.
    pub backlink: Lsn,
    /// Records in it; at least one.
    pub count: u32,
    /// The whole batch as sealed, header included.
    pub bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Takes one batch from the front of `reader` and checks all of it.
    pub fn read(reader: &mut Reader<'a>) -> Result<Batch<'a>, Malformed> {
        let batch = Batch::read_verified(&mut reader.clone())?;
        let crc = batch.bytes[28..].first_chunk().expect("it has a header");
        if checksum(batch.bytes) != u32::from_le_bytes(*crc) {
            return Err(Malformed { what: "batch CRC" });
        }
        reader.bytes(batch.bytes.len(), "batch records")?;
        Ok(batch)
    }

    /// The same of bytes whose checksum was verified when they came into this process: all but that is checked.
    pub fn read_verified(reader: &mut Reader<'a>) -> Result<Batch<'a>, Malformed> {
        let mut peek = reader.clone();
        let header = peek.bytes(BATCH_HEADER_BYTES, "batch header")?;
        let mut fields = Reader::new(header);
        let group = GroupId(fields.u32("batch group")?);
        let count = fields.u32("batch record count")?;
        let first = Lsn(fields.u64("batch first LSN")?);
        let backlink = Lsn(fields.u64("batch backlink")?);
        let body = fields.u32("batch length")? as usize;
        let malformed = |what| Malformed { what };
        if body > BATCH_BYTES_MAX - BATCH_HEADER_BYTES || count == 0 {
            return Err(malformed("batch size"));
        }
        if (count as usize).checked_mul(RECORD_BYTES_MIN).is_none_or(|least| least > body) {
            return Err(malformed("batch record count"));
        }
        if backlink >= first || first == Lsn::MAX {
            return Err(malformed("batch backlink"));
        }
        let bytes = reader.bytes(BATCH_HEADER_BYTES + body, "batch records")?;
        let mut batch = Batch { group, first, last: first, backlink, count, bytes };
        // A first record elsewhere would be one that the header, by which batches are found, does not name.
        if bytes[BATCH_HEADER_BYTES] != 0 {
            return Err(malformed("batch first LSN"));
        }
        let mut records = batch.records();
        for _ in 0..count {
            batch.last = records.decode_next()?.lsn;
        }
        records.reader.finish("batch trailing bytes")?;
        Ok(batch)
    }

    /// The records, in LSN order.
    pub fn records(&self) -> Records<'a> {
        Records {
            reader: Reader::new(&self.bytes[BATCH_HEADER_BYTES..]),
            left: self.count,
            last: self.first,
            last_page: PageId(0),
            backlink: self.backlink,
        }
    }
}

/// Iterates over the records of a batch.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    reader: Reader<'a>,
    left: u32,
    last: Lsn,
    last_page: PageId,
    backlink: Lsn,
}

impl<'a> Records<'a> {
    fn decode_next(&mut self) -> Result<Record<'a>, Malformed> {
        let delta = self.reader.varint("record LSN")?;
        let lsn = Lsn(self.last.0.checked_add(delta).ok_or(Malformed { what: "record LSN" })?);
        if lsn <= self.backlink || lsn == Lsn::MAX {
            return Err(Malformed { what: "record LSN" });
        }
        let page = PageId(self.last_page.0.wrapping_add(self.reader.zigzag("record page")? as u64));
        let below = self.reader.varint("page backlink")?;
        if below >= lsn.0 {
            return Err(Malformed { what: "page backlink" });
        }
        let page_backlink = if below == 0 { Lsn::ZERO } else { Lsn(lsn.0 - below) };
        let length = self.reader.varint("operations length")?;
        let is_cpl = length & 1 == 1;
        let length = usize::try_from(length >> 1).map_err(|_| Malformed { what: "operations length" })?;
        let operations = self.reader.bytes(length, "operations")?;
        let record = Record { lsn, page, page_backlink, group_backlink: self.backlink, is_cpl, operations };
        (self.last, self.last_page, self.backlink) = (lsn, page, lsn);
        self.left -= 1;
        Ok(record)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        if self.left == 0 {
            return None;
        }
        // `Batch::read` has decoded every record once.
        Some(self.decode_next().expect("a checked batch decodes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(lsn: u64, page: u64, page_backlink: u64, group_backlink: u64, is_cpl: bool) -> Record<'static> {
        Record {
            lsn: Lsn(lsn),
            page: PageId(page),
            page_backlink: Lsn(page_backlink),
            group_backlink: Lsn(group_backlink),
            is_cpl,
            operations: &[1],
        }
    }

    fn sample() -> (Vec<Record<'static>>, Vec<u8>) {
        let records = std::vec![
            record(100, 7, 0, 90, false),
            record(101, 3, 55, 100, true),
            record(140, 9_000_000, 101, 101, true),
        ];
        let mut builder = BatchBuilder::new(GroupId(4));
        records.iter().for_each(|record| builder.push(record));
        (records, builder.seal())
    }

    #[test]
    fn round_trip() {
        let (records, bytes) = sample();
        let mut reader = Reader::new(&bytes);
        let batch = Batch::read(&mut reader).expect("reads");
        assert_eq!(reader.remaining(), 0);
        assert_eq!((batch.first, batch.last, batch.backlink), (Lsn(100), Lsn(140), Lsn(90)));
        assert_eq!(batch.records().collect::<Vec<_>>(), records);
    }

    #[test]
    fn golden_bytes_version_1() {
        let (_, bytes) = sample();
        let expected: &[u8] = &[
            4, 0, 0, 0, 3, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 90, 0, 0, 0, 0, 0, 0, 0, // header
            18, 0, 0, 0, 127, 126, 119, 72, // length, CRC
            0, 14, 0, 2, 1, // LSN +0, page +7, no backlink, one byte
            1, 7, 46, 3, 1, // LSN +1, page -4, backlink 46 below, one byte, CPL
            39, 0xfa, 0xd0, 0xca, 0x08, 39, 3, 1,
        ];
        assert_eq!(bytes, expected);
    }

    /// Fuzzing found that a batch whose first record lies above the LSN in its header was taken: gossip and the index of
    /// runs go by the header, and would have looked for the record where it is not.
    #[test]
    fn a_header_that_does_not_name_its_first_record_is_refused() {
        let (_, mut bytes) = sample();
        assert_eq!(bytes[BATCH_HEADER_BYTES], 0);
        bytes[BATCH_HEADER_BYTES] = 1;
        let crc = checksum(&bytes);
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
        let refused = Batch::read(&mut Reader::new(&bytes));
        assert_eq!(refused, Err(Malformed { what: "batch first LSN" }));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let (_, bytes) = sample();
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Batch::read(&mut Reader::new(&bad)).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(Batch::read(&mut Reader::new(&bytes[..cut])).is_err(), "cut {cut}");
        }
    }

    /// A batch of one record with so many bytes of operations.
    fn batch_of(operations_bytes: usize) -> Vec<u8> {
        let operations = std::vec![1; operations_bytes];
        let mut builder = BatchBuilder::new(GroupId(4));
        builder.push(&Record { operations: &operations, ..record(100, 7, 0, 90, true) });
        builder.seal()
    }

    #[test]
    fn a_batch_of_half_a_mebibyte_is_read_and_a_larger_one_is_not() {
        const RECORD_HEAD_BYTES: usize = 6;
        let most = 524_288 - BATCH_HEADER_BYTES - RECORD_HEAD_BYTES;
        let mut bytes = batch_of(most);
        assert_eq!(bytes.len(), BATCH_BYTES_MAX);
        assert!(Batch::read(&mut Reader::new(&bytes)).is_ok());
        let body = (BATCH_BYTES_MAX - BATCH_HEADER_BYTES + 1) as u32;
        bytes.push(0);
        bytes[24..28].copy_from_slice(&body.to_le_bytes());
        let refused = Batch::read(&mut Reader::new(&bytes));
        assert_eq!(refused, Err(Malformed { what: "batch size" }));
    }

    #[test]
    #[should_panic(expected = "a batch is bounded")]
    fn a_larger_batch_is_not_sealed() {
        batch_of(BATCH_BYTES_MAX);
    }

    /// Four bytes are the least that a record takes; the header is not believed further than that.
    #[test]
    fn more_records_than_the_bytes_can_hold_are_refused() {
        let mut builder = BatchBuilder::new(GroupId(4));
        for lsn in 100..103 {
            builder.push(&Record { operations: &[], ..record(lsn, 7, 0, lsn - 1, true) });
        }
        let mut bytes = builder.seal();
        assert_eq!(bytes.len(), BATCH_HEADER_BYTES + 3 * RECORD_BYTES_MIN);
        assert_eq!(Batch::read(&mut Reader::new(&bytes)).map(|batch| batch.count), Ok(3));
        for count in [4, 100, u32::MAX] {
            bytes[4..8].copy_from_slice(&count.to_le_bytes());
            let refused = Batch::read(&mut Reader::new(&bytes));
            assert_eq!(refused, Err(Malformed { what: "batch record count" }), "{count}");
        }
    }
}
