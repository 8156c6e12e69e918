//! Redo records: a change to one page as a list of physical operations.
//!
//! Storage never knows what a B+tree is: an operation moves or fills bytes of one page, and
//! [`apply`] is the only function, on either side, that carries one out.
//!
//! Operations are kept encoded. One is a tag byte, then varints:
//!
//! | tag | operation | fields |
//! |---|---|---|
//! | 1 | `Format` | none: the body becomes zeros, the page's chain starts here |
//! | 2 | `Write` | offset, length, then `length` bytes |
//! | 3 | `Move` | source, destination, length (ranges may overlap) |
//! | 4 | `Fill` | offset, length, then one byte |
//!
//! Offsets count from the start of the page and lie in `96..8192`: the header belongs to storage.

use crate::codec::{Malformed, Put, Reader};
use crate::page::{PAGE_BODY_START, PAGE_SIZE, Page};
use crate::{Lsn, PageId};
use alloc::vec::Vec;

const TAG_FORMAT: u8 = 1;
const TAG_WRITE: u8 = 2;
const TAG_MOVE: u8 = 3;
const TAG_FILL: u8 = 4;

/// One physical change to a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation<'a> {
    /// The body becomes zeros. First operation of a page's first record after allocation; needs no older
    /// version to apply to.
    Format,
    /// `bytes` are put at `offset`.
    Write {
        /// Byte offset in the page.
        offset: u16,
        /// What is put there.
        bytes: &'a [u8],
    },
    /// `length` bytes move from `source` to `destination`.
    Move {
        /// Byte offset in the page.
        source: u16,
        /// Byte offset in the page.
        destination: u16,
        /// Bytes.
        length: u16,
    },
    /// `length` bytes at `offset` become `byte`.
    Fill {
        /// Byte offset in the page.
        offset: u16,
        /// Bytes.
        length: u16,
        /// The value.
        byte: u8,
    },
}

impl<'a> Operation<'a> {
    /// Appends the encoded operation.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Operation::Format => out.put_u8(TAG_FORMAT),
            Operation::Write { offset, bytes } => {
                assert_range(offset, bytes.len());
                out.put_u8(TAG_WRITE);
                out.put_varint(u64::from(offset));
                out.put_varint(bytes.len() as u64);
                out.put_bytes(bytes);
            }
            Operation::Move { source, destination, length } => {
                assert_range(source, usize::from(length));
                assert_range(destination, usize::from(length));
                out.put_u8(TAG_MOVE);
                out.put_varint(u64::from(source));
                out.put_varint(u64::from(destination));
                out.put_varint(u64::from(length));
            }
            Operation::Fill { offset, length, byte } => {
                assert_range(offset, usize::from(length));
                out.put_u8(TAG_FILL);
                out.put_varint(u64::from(offset));
                out.put_varint(u64::from(length));
                out.put_u8(byte);
            }
        }
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Operation<'a>, Malformed> {
        match reader.u8("operation tag")? {
            TAG_FORMAT => Ok(Operation::Format),
            TAG_WRITE => {
                let (offset, length) = range(reader)?;
                let bytes = reader.bytes(usize::from(length), "write bytes")?;
                Ok(Operation::Write { offset, bytes })
            }
            TAG_MOVE => {
                let source = reader.varint("move source")?;
                let destination = reader.varint("move destination")?;
                let length = reader.varint("move length")?;
                let (source, _) = checked_range(source, length)?;
                let (destination, length) = checked_range(destination, length)?;
                Ok(Operation::Move { source, destination, length })
            }
            TAG_FILL => {
                let (offset, length) = range(reader)?;
                Ok(Operation::Fill { offset, length, byte: reader.u8("fill byte")? })
            }
            _ => Err(Malformed { what: "operation tag" }),
        }
    }

    /// Carries the operation out on a page body. The page's LSN is set by [`apply`] alone.
    fn run(&self, bytes: &mut [u8; PAGE_SIZE]) {
        match *self {
            Operation::Format => bytes[PAGE_BODY_START..].fill(0),
            Operation::Write { offset, bytes: new } => {
                let start = usize::from(offset);
                bytes[start..start + new.len()].copy_from_slice(new);
            }
            Operation::Move { source, destination, length } => {
                let source = usize::from(source);
                bytes.copy_within(source..source + usize::from(length), usize::from(destination));
            }
            Operation::Fill { offset, length, byte } => {
                let start = usize::from(offset);
                bytes[start..start + usize::from(length)].fill(byte);
            }
        }
    }
}

fn assert_range(offset: u16, length: usize) {
    assert!(usize::from(offset) >= PAGE_BODY_START, "redo addresses the page body only");
    assert!(usize::from(offset) + length <= PAGE_SIZE, "redo ends within the page");
}

fn range(reader: &mut Reader<'_>) -> Result<(u16, u16), Malformed> {
    let offset = reader.varint("operation offset")?;
    let length = reader.varint("operation length")?;
    checked_range(offset, length)
}

fn checked_range(offset: u64, length: u64) -> Result<(u16, u16), Malformed> {
    let malformed = Malformed { what: "operation range" };
    if offset < PAGE_BODY_START as u64 || offset > PAGE_SIZE as u64 {
        return Err(malformed);
    }
    // Not `offset + length`: both come from outside, and the sum of two that are too large can look small.
    if length > PAGE_SIZE as u64 - offset {
        return Err(malformed);
    }
    Ok((offset as u16, length as u16))
}

/// Iterates over encoded operations.
pub struct Operations<'a>(Reader<'a>);

impl<'a> Operations<'a> {
    /// `encoded` holds operations one after the other.
    pub fn new(encoded: &'a [u8]) -> Operations<'a> {
        Operations(Reader::new(encoded))
    }
}

impl<'a> Iterator for Operations<'a> {
    type Item = Result<Operation<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.remaining() == 0 {
            return None;
        }
        let item = Operation::decode(&mut self.0);
        if item.is_err() {
            self.0.rest();
        }
        Some(item)
    }
}

/// Whether the first operation is [`Operation::Format`]: such a record needs no older page version.
pub fn starts_with_format(encoded: &[u8]) -> bool {
    encoded.first() == Some(&TAG_FORMAT)
}

/// A redo record as it stands in a decoded batch: the operations still encoded, borrowed from the batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// The record's own LSN.
    pub lsn: Lsn,
    /// The page it changes.
    pub page: PageId,
    /// LSN of the previous record of the same page, or zero.
    pub page_backlink: Lsn,
    /// LSN of the previous record of the same group, or zero. On the wire only the first record of a batch
    /// carries it; for the others it is the record before.
    pub group_backlink: Lsn,
    /// The last record of its mini-transaction: a consistency point.
    pub is_cpl: bool,
    /// Encoded operations.
    pub operations: &'a [u8],
}

/// Why a record does not apply to a page. Either way the page is quarantined, never served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ApplyError {
    /// The page's LSN is not the record's page backlink: a record is missing or comes twice.
    BrokenChain {
        /// LSN of the page version at hand.
        page_lsn: Lsn,
        /// The version that the record was made for.
        expected: Lsn,
    },
    /// The operations do not decode.
    Malformed(Malformed),
}

/// Applies a record to a page: checks the page chain, runs the operations, sets the page's LSN.
///
/// The one place where redo becomes page bytes, for the writer, its readers and storage alike.
pub fn apply(page: &mut Page, lsn: Lsn, page_backlink: Lsn, operations: &[u8]) -> Result<(), ApplyError> {
    let formats = starts_with_format(operations);
    if !formats && page.lsn() != page_backlink {
        return Err(ApplyError::BrokenChain { page_lsn: page.lsn(), expected: page_backlink });
    }
    assert!(lsn > page_backlink, "a record follows the one it links to");
    // Decode everything before the first byte changes: a malformed record leaves the page as it was.
    for operation in Operations::new(operations) {
        operation.map_err(ApplyError::Malformed)?;
    }
    for operation in Operations::new(operations).flatten() {
        operation.run(page.bytes_mut());
    }
    page.set_lsn(lsn);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(operations: &[Operation<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        operations.iter().for_each(|operation| operation.encode(&mut out));
        out
    }

    #[test]
    fn operations_change_exactly_their_range() {
        let mut page = Page::zeroed();
        let ops = encoded(&[
            Operation::Format,
            Operation::Write { offset: 100, bytes: b"abcdef" },
            Operation::Move { source: 100, destination: 102, length: 4 },
            Operation::Fill { offset: 8190, length: 2, byte: 7 },
        ]);
        apply(&mut page, Lsn(5), Lsn::ZERO, &ops).expect("applies");
        assert_eq!(&page.bytes()[99..108], b"\0ababcd\0\0");
        assert_eq!(&page.bytes()[8188..], &[0, 0, 7, 7]);
        assert_eq!(page.lsn(), Lsn(5));
    }

    #[test]
    fn a_gap_in_the_page_chain_is_found_and_format_cuts_it() {
        let mut page = Page::zeroed();
        page.set_lsn(Lsn(9));
        let write = encoded(&[Operation::Write { offset: 96, bytes: b"x" }]);
        assert_eq!(
            apply(&mut page, Lsn(12), Lsn(10), &write),
            Err(ApplyError::BrokenChain { page_lsn: Lsn(9), expected: Lsn(10) })
        );
        let format = encoded(&[Operation::Format]);
        assert_eq!(apply(&mut page, Lsn(12), Lsn(10), &format), Ok(()));
    }

    /// Fuzzing found that an offset near 2^64 passed: the sum with the length wrapped around, the offset was cut to 16
    /// bits, and the daemon that applied the record panicked.
    #[test]
    fn an_offset_near_the_end_of_all_numbers_is_refused() {
        for length in [11u64, 200] {
            let mut bytes = Vec::from([TAG_FILL]);
            bytes.put_varint(u64::MAX - 10);
            bytes.put_varint(length);
            bytes.put_u8(0);
            let refused = apply(&mut Page::zeroed(), Lsn(1), Lsn::ZERO, &bytes);
            assert_eq!(refused, Err(ApplyError::Malformed(Malformed { what: "operation range" })));
        }
    }

    #[test]
    fn malformed_operations_leave_the_page_untouched() {
        let mut bytes = encoded(&[Operation::Write { offset: 96, bytes: b"x" }]);
        for tail in [&[9u8][..], &[2, 95, 1, 0], &[2, 96, 0xff, 0xff, 3], &[4, 0xff, 0x3f, 2, 0]] {
            let length = bytes.len();
            bytes.extend_from_slice(tail);
            let mut page = Page::zeroed();
            let before = page.bytes().to_vec();
            assert!(matches!(apply(&mut page, Lsn(1), Lsn::ZERO, &bytes), Err(ApplyError::Malformed(_))));
            assert_eq!(page.bytes()[..], before[..]);
            bytes.truncate(length);
        }
    }
}
