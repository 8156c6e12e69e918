//! Group batches, their records, and the one function that applies records to pages.

use super::{put_u32, u32_at};
use crate::target::{TAKEN, Target};
use hexalog_protocol::batch::{BATCH_HEADER_BYTES, Batch, BatchBuilder};
use hexalog_protocol::codec::Reader;
use hexalog_protocol::record::{ApplyError, Operation, Operations, Record, apply};
use hexalog_protocol::{GroupId, Lsn, Page, PageId};
use std::collections::BTreeMap;

/// One group batch.
pub const BATCH: Target = Target {
    name: "batch",
    seeds,
    mend: |input| {
        mend_batch(input, 0);
    },
    check,
    // The check builds the batch a second time.
    allocated_bytes_max: |bytes| 8 * bytes + 4096,
};

/// The records of a batch, applied to their pages.
pub const APPLY: Target = Target {
    name: "apply",
    seeds,
    mend: |input| {
        mend_batch(input, 0);
    },
    check: check_apply,
    // A page and its copy for each record, which takes at least four bytes.
    allocated_bytes_max: |bytes| (bytes / 4 + 4) * 40_000,
};

/// Makes the checksum of the batch at `at` right; returns where it ends.
pub(super) fn mend_batch(input: &mut [u8], at: usize) -> Option<usize> {
    let body = u32_at(input, at + 24)? as usize;
    let end = at.checked_add(BATCH_HEADER_BYTES)?.checked_add(body)?;
    let bytes = input.get(at..end)?;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..28]), &bytes[BATCH_HEADER_BYTES..]);
    put_u32(input, at + 28, crc);
    Some(end)
}

/// A batch with every operation in it, as a writer seals one.
pub(super) fn sealed() -> Vec<u8> {
    let mut builder = BatchBuilder::new(GroupId(4));
    let operations = |list: &[Operation<'_>]| {
        let mut out = Vec::new();
        list.iter().for_each(|operation| operation.encode(&mut out));
        out
    };
    let all = operations(&[
        Operation::Format,
        Operation::Write { offset: 100, bytes: b"abcdefgh" },
        Operation::Move { source: 100, destination: 102, length: 6 },
        Operation::Fill { offset: 8000, length: 192, byte: 7 },
    ]);
    let write = operations(&[Operation::Write { offset: 96, bytes: b"x" }]);
    for (lsn, page, page_backlink, group_backlink, is_cpl, operations) in [
        (100, 7, 0, 90, false, &all),
        (101, 3, 0, 100, true, &all),
        (140, 7, 100, 101, true, &write),
        (141, 9_000_000, 0, 140, true, &all),
    ] {
        builder.push(&Record {
            lsn: Lsn(lsn),
            page: PageId(page),
            page_backlink: Lsn(page_backlink),
            group_backlink: Lsn(group_backlink),
            is_cpl,
            operations,
        });
    }
    builder.seal()
}

/// The shortest batch there is.
pub(super) fn sealed_short() -> Vec<u8> {
    let mut builder = BatchBuilder::new(GroupId(0));
    builder.push(&Record {
        lsn: Lsn(1),
        page: PageId(0),
        page_backlink: Lsn(0),
        group_backlink: Lsn(0),
        is_cpl: true,
        operations: &[1],
    });
    builder.seal()
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    vec![("batch", sealed()), ("short", sealed_short())]
}

fn check(input: &[u8]) -> &'static str {
    let batch = match Batch::read(&mut Reader::new(input)) {
        Ok(batch) => batch,
        Err(malformed) => return malformed.what,
    };
    check_batch(&batch);
    TAKEN
}

/// What holds of every batch that was accepted.
pub(super) fn check_batch(batch: &Batch<'_>) {
    let mut builder = BatchBuilder::new(batch.group);
    let (mut count, mut last) = (0, batch.backlink);
    for record in batch.records() {
        assert_eq!(record.group_backlink, last, "records are a stretch of their group's chain");
        count += 1;
        last = record.lsn;
        builder.push(&record);
    }
    assert_eq!((count, last), (batch.count, batch.last));
    assert_eq!(builder.first(), batch.first, "the header names the first record");
    assert!(builder.seal() == batch.bytes, "one batch has one encoding");
}

fn check_apply(input: &[u8]) -> &'static str {
    let batch = match Batch::read(&mut Reader::new(input)) {
        Ok(batch) => batch,
        Err(malformed) => return malformed.what,
    };
    let mut pages: BTreeMap<PageId, Page> = BTreeMap::new();
    let mut answer = TAKEN;
    for record in batch.records() {
        let page = pages.entry(record.page).or_insert_with(Page::zeroed);
        let before = page.clone();
        match apply(page, record.lsn, record.page_backlink, record.operations) {
            Ok(()) => {
                check_operations(record.operations);
                assert_eq!(page.lsn(), record.lsn);
                assert!(page.bytes()[..48] == before.bytes()[..48], "the header is storage's");
                assert!(page.bytes()[56..96] == before.bytes()[56..96], "the header is storage's");
            }
            Err(error) => {
                assert!(page.bytes() == before.bytes(), "a refused record changes nothing");
                answer = match error {
                    ApplyError::BrokenChain { .. } => "broken chain",
                    ApplyError::Malformed(malformed) => malformed.what,
                };
            }
        }
    }
    answer
}

fn check_operations(encoded: &[u8]) {
    let mut again = Vec::with_capacity(encoded.len());
    for operation in Operations::new(encoded) {
        operation.expect("applied operations decode").encode(&mut again);
    }
    assert!(again == encoded, "operations have one encoding");
}
