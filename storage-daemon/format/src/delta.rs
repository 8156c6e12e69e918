//! A delta block: records of one page, packed, that an image does not hold yet or that lie between images.
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | format "HXD", version 1 |
//! | 4..6 | flags (0) |
//! | 6..8 | key id (0 = clear) |
//! | 8..16 | device id |
//! | 16..24 | own address |
//! | 24..40 | volume id |
//! | 40..48 | page id |
//! | 48..56 | LSN of the last record |
//! | 56..68 | nonce |
//! | 68..84 | authentication tag |
//! | 84..88 | CRC32C of the block without these four bytes |
//! | 88..96 | LSN that the first record links to: where the delta begins |
//! | 96..100 | bytes of records |
//! | 100..104 | number of records |
//! | 104.. | records: varint LSN distance to the one before (the first: to the beginning), varint page backlink as distance below the LSN (0 = none), varint operations length, operations |
//!
//! The first 88 bytes are those of a page image, so that a scrubber reads either alike. A page read costs one
//! device round trip: the image and at most one delta, submitted together.

use crate::address::{AREA_EXTENTS, BlockAddress};
use crate::aligned::BLOCK_BYTES;
use alloc::vec::Vec;
use hexalog_protocol::codec::{Malformed, Put, Reader};
use hexalog_protocol::{DeviceId, Lsn, PageId, VolumeId};

/// First four bytes of a delta block.
pub const DELTA_FORMAT: u32 = u32::from_le_bytes(*b"HXD\x01");
/// Bytes before the records.
pub const DELTA_HEADER_BYTES: usize = 104;
const CRC_AT: usize = 84;
const RECORD_BYTES_MIN: usize = 3;

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

/// Whose delta it is and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeltaIdentity {
    /// The device.
    pub device: DeviceId,
    /// Byte offset in the extents area.
    pub offset: u64,
    /// The volume.
    pub volume: VolumeId,
    /// The page.
    pub page: PageId,
    /// The page version that the first record applies to.
    pub from: Lsn,
}

/// Packs records, oldest first, into whole blocks.
pub fn encode(identity: &DeltaIdentity, records: &[DeltaRecord<'_>]) -> Vec<u8> {
    let last = records.last().expect("a delta holds records").lsn;
    let mut body = Vec::new();
    let mut before = identity.from;
    for record in records {
        assert!(record.lsn > before, "records rise");
        let below = match record.page_backlink {
            Lsn::ZERO => 0,
            backlink => record.lsn.since(backlink),
        };
        body.put_varint(record.lsn.since(before));
        body.put_varint(below);
        body.put_varint(record.operations.len() as u64);
        body.put_bytes(record.operations);
        before = record.lsn;
    }
    let mut out = Vec::new();
    out.put_u32(DELTA_FORMAT);
    out.put_u32(0);
    out.put_u64(identity.device.0);
    out.put_u64(BlockAddress::new(AREA_EXTENTS, identity.offset).0);
    out.put_bytes(&identity.volume.0);
    out.put_u64(identity.page.0);
    out.put_u64(last.0);
    out.put_bytes(&[0; 32]); // nonce, tag, and the CRC to come
    out.put_u64(identity.from.0);
    out.put_u32(body.len() as u32);
    out.put_u32(records.len() as u32);
    assert_eq!(out.len(), DELTA_HEADER_BYTES);
    out.put_bytes(&body);
    out.resize(out.len().next_multiple_of(BLOCK_BYTES), 0);
    let crc = checksum(&out);
    out[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    out
}

/// The checksum that a delta block carries and its index entry repeats.
pub fn checksum(block: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&block[..CRC_AT]), &block[CRC_AT + 4..])
}

/// Checks a block that was read for `identity` and unpacks its records.
pub fn decode<'a>(
    block: &'a [u8],
    identity: &DeltaIdentity,
    crc: u32,
) -> Result<Vec<DeltaRecord<'a>>, Malformed> {
    let malformed = |what| Malformed { what };
    if block.len() < BLOCK_BYTES || checksum(block) != crc {
        return Err(malformed("delta CRC"));
    }
    let mut reader = Reader::new(block);
    if reader.u32("delta format")? != DELTA_FORMAT || reader.u32("delta flags")? != 0 {
        return Err(malformed("delta format"));
    }
    let device = DeviceId(reader.u64("delta device")?);
    let own = BlockAddress(reader.u64("delta address")?);
    let volume = VolumeId(reader.array("delta volume")?);
    let page = PageId(reader.u64("delta page")?);
    let last = Lsn(reader.u64("delta LSN")?);
    reader.bytes(28, "delta key")?;
    let carried = reader.u32("delta CRC")?;
    let from = Lsn(reader.u64("delta start")?);
    let found = DeltaIdentity { device, offset: own.offset(), volume, page, from };
    if found != *identity || own.area() != AREA_EXTENTS || carried != crc {
        return Err(malformed("delta identity"));
    }
    let bytes = reader.u32("delta records length")? as usize;
    let count = reader.u32("delta record count")? as usize;
    let mut body = Reader::new(reader.bytes(bytes, "delta records")?);
    if count.checked_mul(RECORD_BYTES_MIN).is_none_or(|least| least > bytes) {
        return Err(malformed("delta record count"));
    }
    let mut records = Vec::with_capacity(count);
    let mut before = from;
    for _ in 0..count {
        let record = decode_record(&mut body, before)?;
        before = record.lsn;
        records.push(record);
    }
    body.finish("delta trailing bytes")?;
    if before != last || records.is_empty() {
        return Err(malformed("delta LSN"));
    }
    Ok(records)
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

    const IDENTITY: DeltaIdentity = DeltaIdentity {
        device: DeviceId(3),
        offset: 8192,
        volume: VolumeId([1; 16]),
        page: PageId(44),
        from: Lsn(10),
    };

    #[test]
    fn golden_bytes_round_trip_and_damage() {
        let records = vec![
            DeltaRecord { lsn: Lsn(12), page_backlink: Lsn(10), operations: &[1] },
            DeltaRecord { lsn: Lsn(500), page_backlink: Lsn(12), operations: &[4, 96, 2, 9] },
        ];
        let block = encode(&IDENTITY, &records);
        assert_eq!(block.len(), BLOCK_BYTES);
        let crc = checksum(&block);
        assert_eq!(block[..4], *b"HXD\x01");
        assert_eq!(block[88..104], [10, 0, 0, 0, 0, 0, 0, 0, 13, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(block[104..117], [2, 2, 1, 1, 0xe8, 3, 0xe8, 3, 4, 4, 96, 2, 9]);
        assert_eq!(decode(&block, &IDENTITY, crc), Ok(records));
        for bit in (0..block.len() * 8).step_by(37) {
            let mut bad = block.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bad, &IDENTITY, crc).is_err(), "bit {bit}");
        }
        let elsewhere = DeltaIdentity { offset: 4096, ..IDENTITY };
        assert!(decode(&block, &elsewhere, crc).is_err(), "a misdirected block");
    }
}
