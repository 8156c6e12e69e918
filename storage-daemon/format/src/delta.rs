//! A delta block: records of many pages of one volume that their images do not hold yet, packed into one block.
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | format "HXD", version 2 |
//! | 4..6 | flags (0) |
//! | 6..8 | key id (0 = clear) |
//! | 8..16 | device id |
//! | 16..24 | own address |
//! | 24..40 | volume id |
//! | 40..48 | all ones: not of one page |
//! | 48..56 | LSN of the newest record |
//! | 56..68 | nonce |
//! | 68..84 | authentication tag |
//! | 84..88 | CRC32C of the block without these four bytes |
//! | 88..90 | bytes of deltas |
//! | 90..92 | number of deltas |
//! | 92..96 | spare (0) |
//! | 96.. | deltas, pages rising; then zeros |
//!
//! A delta, of one page: varint page distance to the delta before (the first: to page 0), varint LSN where it begins, varint
//! number of records, records. A record: varint LSN distance to the one before (the first: to the beginning), varint page
//! backlink as distance below the LSN (0 = none), varint operations length, operations.
//!
//! The first 88 bytes are those of a page image, so that a scrubber reads either alike. One page's delta of a record or two
//! is a hundred bytes: a block for each would cost as much as half an image. A page has at most one delta, which never
//! crosses a block, so a read costs one device round trip: the image and one block, submitted together.
//!
//! A block lives as long as one of its deltas does, but is worth copying only for those that live. So each delta answers for
//! a share of its block, the bytes that it takes and its part of what is not deltas ([`BlockBuilder::share`]): the shares of
//! a block add up to the block, and what lives in an extent is the sum of the shares that the index names.

use crate::address::{AREA_EXTENTS, BlockAddress};
use crate::aligned::BLOCK_BYTES;
use alloc::vec::Vec;
use hexalog_protocol::codec::{Malformed, Put, Reader};
use hexalog_protocol::{DeviceId, Lsn, PageId, VolumeId};

/// First four bytes of a delta block.
pub const DELTA_FORMAT: u32 = u32::from_le_bytes(*b"HXD\x02");
/// Bytes before the deltas.
pub const DELTA_HEADER_BYTES: usize = 96;
/// Most bytes of deltas in one block.
pub const DELTA_BYTES_MAX: usize = BLOCK_BYTES - DELTA_HEADER_BYTES;
const CRC_AT: usize = 84;
const NO_PAGE: u64 = u64::MAX;
const DELTA_BYTES_MIN: usize = 6;
const RECORD_BYTES_MIN: usize = 3;
const _: () = assert!(DELTA_BYTES_MAX <= u16::MAX as usize);

/// One record of a delta.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeltaRecord<'a> {
    /// The record's LSN.
    pub lsn: Lsn,
    /// LSN of the page's record before.
    pub page_backlink: Lsn,
    /// Encoded operations.
    pub operations: &'a [u8],
}

/// The records of one page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageDelta<'a> {
    /// The page.
    pub page: PageId,
    /// The page version that the first record applies to.
    pub from: Lsn,
    /// Oldest first; at least one.
    pub records: Vec<DeltaRecord<'a>>,
}

/// Whose block it is and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockIdentity {
    /// The device.
    pub device: DeviceId,
    /// Byte offset in the extents area.
    pub offset: u64,
    /// The volume.
    pub volume: VolumeId,
}

/// A block that is being filled with deltas of pages in rising order.
#[derive(Debug)]
pub struct BlockBuilder {
    volume: VolumeId,
    deltas: Vec<u8>,
    count: u16,
    page_last: Option<PageId>,
    newest: Lsn,
}

impl BlockBuilder {
    /// An empty block of a volume.
    pub fn new(volume: VolumeId) -> BlockBuilder {
        BlockBuilder { volume, deltas: Vec::new(), count: 0, page_last: None, newest: Lsn::ZERO }
    }

    /// Adds a page's delta; returns its bytes, or `None` if the block has no room for it.
    ///
    /// # Panics
    /// If it has no records, they do not rise, or its page is not above the last.
    pub fn push(&mut self, page: PageId, from: Lsn, records: &[DeltaRecord<'_>]) -> Option<u32> {
        assert!(self.page_last.is_none_or(|last| last < page), "pages rise");
        let newest = records.last().expect("a delta holds records").lsn;
        let start = self.deltas.len();
        self.deltas.put_varint(page.0 - self.page_last.map_or(0, |last| last.0));
        self.deltas.put_varint(from.0);
        self.deltas.put_varint(records.len() as u64);
        let mut before = from;
        for record in records {
            assert!(record.lsn > before, "records rise");
            let below = match record.page_backlink {
                Lsn::ZERO => 0,
                backlink => record.lsn.since(backlink),
            };
            self.deltas.put_varint(record.lsn.since(before));
            self.deltas.put_varint(below);
            self.deltas.put_varint(record.operations.len() as u64);
            self.deltas.put_bytes(record.operations);
            before = record.lsn;
        }
        if self.deltas.len() > DELTA_BYTES_MAX {
            self.deltas.truncate(start);
            return None;
        }
        self.count += 1;
        self.page_last = Some(page);
        self.newest = self.newest.max(newest);
        Some((self.deltas.len() - start) as u32)
    }

    /// The share of the block that delta `index` of those that it holds answers for, with its own bytes as
    /// [`BlockBuilder::push`] told them. The shares of all deltas add up to a block.
    pub fn share(&self, index: usize, own_bytes: u32) -> u32 {
        let count = u32::from(self.count);
        assert!(index < usize::from(self.count), "a delta of the block");
        let rest = (BLOCK_BYTES - self.deltas.len()) as u32;
        own_bytes + rest / count + u32::from((index as u32) < rest % count)
    }

    /// Whether it holds nothing yet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Writes the block for its place; returns its checksum.
    ///
    /// # Panics
    /// If it holds no delta, or `block` is not one block.
    pub fn seal(&self, device: DeviceId, offset: u64, block: &mut [u8]) -> u32 {
        assert!(!self.is_empty(), "an empty block is not written");
        assert_eq!(block.len(), BLOCK_BYTES);
        let mut out = Vec::with_capacity(BLOCK_BYTES);
        out.put_u32(DELTA_FORMAT);
        out.put_u32(0); // flags, key id
        out.put_u64(device.0);
        out.put_u64(BlockAddress::new(AREA_EXTENTS, offset).0);
        out.put_bytes(&self.volume.0);
        out.put_u64(NO_PAGE);
        out.put_u64(self.newest.0);
        out.put_bytes(&[0; 32]); // nonce, tag, and the CRC to come
        out.put_u16(self.deltas.len() as u16);
        out.put_u16(self.count);
        out.put_u32(0);
        assert_eq!(out.len(), DELTA_HEADER_BYTES);
        out.put_bytes(&self.deltas);
        out.resize(BLOCK_BYTES, 0);
        let crc = checksum(&out);
        out[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        block.copy_from_slice(&out);
        crc
    }
}

/// The checksum that a delta block carries and the index entries of its deltas repeat.
///
/// # Panics
/// If `block` is shorter than a block.
pub fn checksum(block: &[u8]) -> u32 {
    assert!(block.len() >= BLOCK_BYTES);
    crc32c::crc32c_append(crc32c::crc32c(&block[..CRC_AT]), &block[CRC_AT + 4..])
}

/// Checks a block that was read for `identity` and unpacks its deltas.
pub fn decode<'a>(
    block: &'a [u8],
    identity: &BlockIdentity,
    crc: u32,
) -> Result<Vec<PageDelta<'a>>, Malformed> {
    let (mut body, count, newest_told) = open(block, identity, crc)?;
    let mut deltas = Vec::with_capacity(count);
    let (mut page_last, mut newest) = (None, Lsn::ZERO);
    for _ in 0..count {
        let delta = decode_delta(&mut body, page_last)?;
        page_last = Some(delta.page);
        newest = newest.max(delta.records.last().map_or(Lsn::ZERO, |record| record.lsn));
        deltas.push(delta);
    }
    body.finish("delta trailing bytes")?;
    if newest != newest_told || deltas.is_empty() {
        return Err(Malformed { what: "delta LSN" });
    }
    Ok(deltas)
}

/// The delta of one page in a block that was read for `identity`, as the index names it. Steps over the others.
pub fn find<'a>(
    block: &'a [u8],
    identity: &BlockIdentity,
    crc: u32,
    page: PageId,
    from: Lsn,
) -> Result<PageDelta<'a>, Malformed> {
    let (mut body, count, _) = open(block, identity, crc)?;
    let mut page_last = None;
    for _ in 0..count {
        let head = decode_head(&mut body, page_last)?;
        page_last = Some(head.page);
        if head.page == page && head.from == from {
            let mut records = Vec::with_capacity(head.count);
            decode_records(&mut body, &head, |record| records.push(record))?;
            return Ok(PageDelta { page, from, records });
        }
        decode_records(&mut body, &head, |_| ())?;
    }
    Err(Malformed { what: "delta of the page" })
}

/// The volume that a block tells, if it looks like a delta block: what it says is to be checked with [`decode`].
pub fn volume_in(block: &[u8]) -> Option<VolumeId> {
    let mut reader = Reader::new(block);
    if block.len() != BLOCK_BYTES || reader.u32("delta format").ok()? != DELTA_FORMAT {
        return None;
    }
    reader.bytes(20, "delta place").ok()?;
    Some(VolumeId(reader.array("delta volume").ok()?))
}

/// Checks all but the deltas; returns them with their number and the newest LSN that the header tells.
fn open<'a>(
    block: &'a [u8],
    identity: &BlockIdentity,
    crc: u32,
) -> Result<(Reader<'a>, usize, Lsn), Malformed> {
    let malformed = |what| Malformed { what };
    if block.len() != BLOCK_BYTES || checksum(block) != crc {
        return Err(malformed("delta CRC"));
    }
    let mut reader = Reader::new(block);
    if reader.u32("delta format")? != DELTA_FORMAT || reader.u32("delta flags")? != 0 {
        return Err(malformed("delta format"));
    }
    let device = DeviceId(reader.u64("delta device")?);
    let own = BlockAddress(reader.u64("delta address")?);
    let volume = VolumeId(reader.array("delta volume")?);
    let page = reader.u64("delta page")?;
    let newest = Lsn(reader.u64("delta LSN")?);
    reader.bytes(28, "delta key")?;
    let carried = reader.u32("delta CRC")?;
    let found = BlockIdentity { device, offset: own.offset(), volume };
    if found != *identity || own.area() != AREA_EXTENTS || carried != crc || page != NO_PAGE {
        return Err(malformed("delta identity"));
    }
    let bytes = usize::from(reader.u16("delta length")?);
    let count = usize::from(reader.u16("delta count")?);
    reader.u32("delta spare")?;
    let body = Reader::new(reader.bytes(bytes, "deltas")?);
    if count * DELTA_BYTES_MIN > bytes {
        return Err(malformed("delta count"));
    }
    Ok((body, count, newest))
}

/// What stands before a delta's records.
struct DeltaHead {
    page: PageId,
    from: Lsn,
    count: usize,
}

fn decode_head(body: &mut Reader<'_>, page_last: Option<PageId>) -> Result<DeltaHead, Malformed> {
    let malformed = |what| Malformed { what };
    let distance = body.varint("delta page")?;
    let page = match page_last {
        None => distance,
        Some(last) if distance > 0 => last.0.checked_add(distance).ok_or(malformed("delta page"))?,
        Some(_) => return Err(malformed("delta page")),
    };
    let from = Lsn(body.varint("delta start")?);
    let count = body.varint("delta record count")?;
    let fits =
        count.checked_mul(RECORD_BYTES_MIN as u64).is_some_and(|least| least <= body.remaining() as u64);
    if count == 0 || !fits {
        return Err(malformed("delta record count"));
    }
    Ok(DeltaHead { page: PageId(page), from, count: count as usize })
}

fn decode_records<'a>(
    body: &mut Reader<'a>,
    head: &DeltaHead,
    mut take: impl FnMut(DeltaRecord<'a>),
) -> Result<(), Malformed> {
    let mut before = head.from;
    for _ in 0..head.count {
        let record = decode_record(body, before)?;
        before = record.lsn;
        take(record);
    }
    Ok(())
}

fn decode_delta<'a>(body: &mut Reader<'a>, page_last: Option<PageId>) -> Result<PageDelta<'a>, Malformed> {
    let head = decode_head(body, page_last)?;
    let mut records = Vec::with_capacity(head.count);
    decode_records(body, &head, |record| records.push(record))?;
    Ok(PageDelta { page: head.page, from: head.from, records })
}

fn decode_record<'a>(body: &mut Reader<'a>, before: Lsn) -> Result<DeltaRecord<'a>, Malformed> {
    let distance = body.varint("delta record LSN")?;
    let lsn = before.0.checked_add(distance).filter(|lsn| *lsn > before.0);
    let lsn = Lsn(lsn.ok_or(Malformed { what: "delta record LSN" })?);
    let below = body.varint("delta backlink")?;
    if below >= lsn.0 {
        return Err(Malformed { what: "delta backlink" });
    }
    let page_backlink = if below == 0 { Lsn::ZERO } else { Lsn(lsn.0 - below) };
    let length = usize::try_from(body.varint("operations length")?)
        .map_err(|_| Malformed { what: "operations length" })?;
    Ok(DeltaRecord { lsn, page_backlink, operations: body.bytes(length, "operations")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    const IDENTITY: BlockIdentity =
        BlockIdentity { device: DeviceId(3), offset: 8192, volume: VolumeId([1; 16]) };

    fn deltas() -> Vec<PageDelta<'static>> {
        vec![
            PageDelta {
                page: PageId(44),
                from: Lsn(10),
                records: vec![
                    DeltaRecord { lsn: Lsn(12), page_backlink: Lsn(10), operations: &[1] },
                    DeltaRecord { lsn: Lsn(500), page_backlink: Lsn(12), operations: &[4, 96, 2, 9] },
                ],
            },
            PageDelta {
                page: PageId(47),
                from: Lsn::ZERO,
                records: vec![DeltaRecord { lsn: Lsn(40), page_backlink: Lsn::ZERO, operations: &[1] }],
            },
        ]
    }

    fn block() -> (Vec<u8>, u32) {
        let mut builder = BlockBuilder::new(IDENTITY.volume);
        let sizes: Vec<u32> = deltas()
            .iter()
            .map(|delta| builder.push(delta.page, delta.from, &delta.records).expect("room"))
            .collect();
        assert_eq!(sizes, [16, 7]);
        let mut block = vec![0xff; BLOCK_BYTES];
        let crc = builder.seal(IDENTITY.device, IDENTITY.offset, &mut block);
        (block, crc)
    }

    #[test]
    fn golden_bytes_round_trip_and_damage() {
        let (block, crc) = block();
        assert_eq!(block[..4], *b"HXD\x02");
        assert_eq!(block[40..56], [255, 255, 255, 255, 255, 255, 255, 255, 0xf4, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(block[88..96], [23, 0, 2, 0, 0, 0, 0, 0]);
        assert_eq!(block[96..112], [44, 10, 2, 2, 2, 1, 1, 0xe8, 3, 0xe8, 3, 4, 4, 96, 2, 9]);
        assert_eq!(block[112..120], [3, 0, 1, 40, 0, 1, 1, 0]);
        assert_eq!(decode(&block, &IDENTITY, crc), Ok(deltas()));
        for bit in (0..block.len() * 8).step_by(37) {
            let mut bad = block.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bad, &IDENTITY, crc).is_err(), "bit {bit}");
        }
        let elsewhere = BlockIdentity { offset: 4096, ..IDENTITY };
        assert!(decode(&block, &elsewhere, crc).is_err(), "a misdirected block");
        assert_eq!(volume_in(&block), Some(IDENTITY.volume));
        assert_eq!(volume_in(&[0; BLOCK_BYTES]), None);
    }

    #[test]
    fn one_page_is_found_by_its_number_and_beginning() {
        let (block, crc) = block();
        let all = deltas();
        assert_eq!(find(&block, &IDENTITY, crc, PageId(47), Lsn::ZERO).as_ref(), Ok(&all[1]));
        assert!(find(&block, &IDENTITY, crc, PageId(45), Lsn::ZERO).is_err());
        assert!(find(&block, &IDENTITY, crc, PageId(44), Lsn(11)).is_err(), "another delta of the page");
    }

    #[test]
    fn shares_add_up_to_the_block() {
        for count in 1..40 {
            let mut builder = BlockBuilder::new(IDENTITY.volume);
            let operations = vec![7; count % 7 * 10 + 1];
            let mut own = vec![];
            for page in 0..count as u64 {
                let record = DeltaRecord { lsn: Lsn(9), page_backlink: Lsn::ZERO, operations: &operations };
                own.push(builder.push(PageId(page), Lsn(1), &[record]).expect("room"));
            }
            let shares: u32 = own.iter().enumerate().map(|(index, own)| builder.share(index, *own)).sum();
            assert_eq!(shares as usize, BLOCK_BYTES, "{count} deltas");
        }
    }

    #[test]
    fn what_does_not_fit_leaves_the_block_as_it_was() {
        let mut builder = BlockBuilder::new(IDENTITY.volume);
        let operations = [7; 2000];
        let record = |lsn| DeltaRecord { lsn: Lsn(lsn), page_backlink: Lsn::ZERO, operations: &operations };
        assert_eq!(builder.push(PageId(1), Lsn(1), &[record(2)]), Some(2007));
        assert_eq!(builder.push(PageId(2), Lsn(1), &[record(3)]), None);
        let small = DeltaRecord { operations: &[1], ..record(4) };
        assert_eq!(builder.push(PageId(3), Lsn(1), &[small]), Some(7));
        let mut block = vec![0; BLOCK_BYTES];
        let crc = builder.seal(IDENTITY.device, IDENTITY.offset, &mut block);
        let pages: Vec<u64> =
            decode(&block, &IDENTITY, crc).expect("decodes").iter().map(|delta| delta.page.0).collect();
        assert_eq!(pages, [1, 3]);
    }

    /// A block as it would be with these bytes of deltas: intact, whatever they say.
    fn block_of(deltas: &[u8], count: u16) -> (Vec<u8>, u32) {
        let (mut block, _) = block();
        block[48..56].copy_from_slice(&12u64.to_le_bytes());
        block[88..90].copy_from_slice(&(deltas.len() as u16).to_le_bytes());
        block[90..92].copy_from_slice(&count.to_le_bytes());
        block[DELTA_HEADER_BYTES..].fill(0);
        block[DELTA_HEADER_BYTES..DELTA_HEADER_BYTES + deltas.len()].copy_from_slice(deltas);
        let crc = checksum(&block);
        block[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        (block, crc)
    }

    #[test]
    fn an_intact_block_that_says_what_cannot_be_is_refused() {
        // Page 44 from LSN 10: one record at 12 with its backlink at 10 and one byte of operations.
        let rows: [(&[u8], u16, Result<usize, &str>); 9] = [
            (&[44, 10, 1, 2, 2, 1, 1], 1, Ok(1)),
            (&[44, 10, 1, 0, 2, 1, 1], 1, Err("delta record LSN")),
            (&[44, 10, 2, 2, 2, 1, 1, 0, 2, 1, 1], 1, Err("delta record LSN")),
            (&[44, 10, 1, 2, 12, 1, 1], 1, Err("delta backlink")),
            (&[44, 10, 0, 2, 2, 1, 1], 1, Err("delta record count")),
            (&[44, 10, 1, 2, 2, 1, 1, 0, 10, 1, 2, 2, 1, 1], 2, Err("delta page")),
            (&[44, 10, 1, 2, 2, 1, 1], 2, Err("delta count")),
            (&[44, 10, 1, 2, 2, 1, 1], 0, Err("delta trailing bytes")),
            (&[], 0, Err("delta LSN")),
        ];
        for (deltas, count, expected) in rows {
            let (block, crc) = block_of(deltas, count);
            let decoded = decode(&block, &IDENTITY, crc).map(|deltas| deltas.len()).map_err(|bad| bad.what);
            assert_eq!(decoded, expected, "{deltas:?}");
        }
    }

    #[test]
    fn a_block_is_filled_to_its_last_byte() {
        // Page, beginning, count, LSN and backlink take a byte each, the length of so many operations two.
        const HEAD_BYTES: usize = 7;
        for (over, is_room) in [(0, true), (1, false)] {
            let operations = vec![7; DELTA_BYTES_MAX - HEAD_BYTES + over];
            let record = DeltaRecord { lsn: Lsn(2), page_backlink: Lsn(1), operations: &operations };
            let mut builder = BlockBuilder::new(IDENTITY.volume);
            let bytes = builder.push(PageId(1), Lsn(1), &[record]);
            assert_eq!(bytes, is_room.then_some(DELTA_BYTES_MAX as u32));
            if is_room {
                let mut block = vec![0; BLOCK_BYTES];
                let crc = builder.seal(IDENTITY.device, IDENTITY.offset, &mut block);
                let decoded = decode(&block, &IDENTITY, crc).expect("decodes");
                assert_eq!(decoded[0].records, [record]);
            }
        }
    }
}
