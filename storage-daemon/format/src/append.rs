//! A log append: header and entries, padded to whole blocks; written by one device write.
//!
//! | bytes | field |
//! |---|---|
//! | 0..8 | magic "HXAPPND1" |
//! | 8..16 | device id |
//! | 16..24 | own address |
//! | 24..32 | log incarnation |
//! | 32..40 | sequence |
//! | 40..48 | position: bytes from the beginning of all time; `position % log size` is the place |
//! | 48..52 | header checksum of the append before |
//! | 52..56 | length with padding |
//! | 56..60 | bytes of entries |
//! | 60..64 | number of entries |
//! | 64..68 | key id 2, zero 2 |
//! | 68..80 | nonce |
//! | 80..96 | authentication tag |
//! | 96..100 | CRC32C of the entries |
//! | 100..124 | spare (0) |
//! | 124..128 | header checksum: CRC32C of bytes 0..124 |
//! | 128.. | entries ([`crate::entry`]) |
//!
//! A scan takes an append only if incarnation, sequence, position and the checksum of the append before all
//! fit: a stale append that lies after a torn one is never taken.

use crate::address::{AREA_LOG, BlockAddress};
use crate::aligned::BLOCK_BYTES;
use hexalog_protocol::DeviceId;
use hexalog_protocol::codec::{Malformed, Reader};

/// Bytes before the entries.
pub const APPEND_HEADER_BYTES: usize = 128;
const MAGIC: [u8; 8] = *b"HXAPPND1";
const HEADER_CRC_AT: usize = 124;

/// Header of an append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AppendHeader {
    /// The device.
    pub device: DeviceId,
    /// Place in the log region: `position % log_bytes`.
    pub offset: u64,
    /// The run that wrote it.
    pub incarnation: u64,
    /// Counts appends, over all runs.
    pub sequence: u64,
    /// Logical position; never falls, never wraps.
    pub position: u64,
    /// Header checksum of the append before.
    pub previous_crc: u32,
    /// Length with padding.
    pub append_bytes: u32,
    /// Bytes of entries.
    pub entries_bytes: u32,
    /// Number of entries.
    pub entries_count: u32,
    /// CRC32C of the entries.
    pub entries_crc: u32,
}

/// Length with padding of an append with this many bytes of entries.
pub fn append_bytes(entries_bytes: usize) -> usize {
    (APPEND_HEADER_BYTES + entries_bytes).next_multiple_of(BLOCK_BYTES)
}

impl AppendHeader {
    /// Writes the header to the front of `append`; returns the header checksum.
    pub fn encode(&self, append: &mut [u8]) -> u32 {
        assert_eq!(append.len(), self.append_bytes as usize);
        assert!(self.entries_bytes as usize + APPEND_HEADER_BYTES <= append.len());
        let header = &mut append[..APPEND_HEADER_BYTES];
        header.fill(0);
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            header[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&MAGIC);
        put(&self.device.0.to_le_bytes());
        put(&BlockAddress::new(AREA_LOG, self.offset).0.to_le_bytes());
        put(&self.incarnation.to_le_bytes());
        put(&self.sequence.to_le_bytes());
        put(&self.position.to_le_bytes());
        put(&self.previous_crc.to_le_bytes());
        put(&self.append_bytes.to_le_bytes());
        put(&self.entries_bytes.to_le_bytes());
        put(&self.entries_count.to_le_bytes());
        put(&[0; 32]); // key id, nonce and tag: clear text
        put(&self.entries_crc.to_le_bytes());
        let crc = crc32c::crc32c(&header[..HEADER_CRC_AT]);
        header[HEADER_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        crc
    }

    /// Reads and checks a header by itself; whether it fits its place in the chain is the scan's question.
    /// Returns the header and its checksum.
    pub fn decode(bytes: &[u8]) -> Result<(AppendHeader, u32), Malformed> {
        let malformed = |what| Malformed { what };
        let header = bytes.first_chunk::<APPEND_HEADER_BYTES>().ok_or(malformed("append header"))?;
        let mut reader = Reader::new(header);
        if reader.array::<8>("append magic")? != MAGIC {
            return Err(malformed("append magic"));
        }
        let crc = u32::from_le_bytes(*header[HEADER_CRC_AT..].first_chunk().expect("four bytes"));
        if crc32c::crc32c(&header[..HEADER_CRC_AT]) != crc {
            return Err(malformed("append header CRC"));
        }
        let device = DeviceId(reader.u64("device")?);
        let own =
            BlockAddress::checked(reader.u64("own address")?, AREA_LOG).ok_or(malformed("append place"))?;
        let incarnation = reader.u64("incarnation")?;
        let sequence = reader.u64("sequence")?;
        let position = reader.u64("position")?;
        let previous_crc = reader.u32("previous checksum")?;
        let append_bytes = reader.u32("append length")?;
        let entries_bytes = reader.u32("entries length")?;
        let entries_count = reader.u32("entry count")?;
        reader.bytes(32, "append key")?;
        let entries_crc = reader.u32("entries CRC")?;
        let fits = (entries_bytes as usize).checked_add(APPEND_HEADER_BYTES);
        if !(append_bytes as usize).is_multiple_of(BLOCK_BYTES) {
            return Err(malformed("append place"));
        }
        if fits.is_none_or(|needed| needed > append_bytes as usize) {
            return Err(malformed("entries length"));
        }
        let header = AppendHeader {
            device,
            offset: own.offset(),
            incarnation,
            sequence,
            position,
            previous_crc,
            append_bytes,
            entries_bytes,
            entries_count,
            entries_crc,
        };
        Ok((header, crc))
    }

    /// The entries of the append at the front of `bytes`, if they are all there and intact.
    pub fn entries<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let end = APPEND_HEADER_BYTES + self.entries_bytes as usize;
        let entries = bytes.get(APPEND_HEADER_BYTES..end).ok_or(Malformed { what: "entries" })?;
        if crc32c::crc32c(entries) != self.entries_crc {
            return Err(Malformed { what: "entries CRC" });
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn sample(append: &mut Vec<u8>) -> (AppendHeader, u32) {
        append_of(b"entries of an append", append)
    }

    fn append_of(entries: &[u8], append: &mut Vec<u8>) -> (AppendHeader, u32) {
        append.clear();
        append.resize(append_bytes(entries.len()), 0);
        append[APPEND_HEADER_BYTES..APPEND_HEADER_BYTES + entries.len()].copy_from_slice(entries);
        let header = AppendHeader {
            device: DeviceId(9),
            offset: 4096,
            incarnation: 0x1111,
            sequence: 12,
            position: 3 * 65536 + 4096,
            previous_crc: 77,
            append_bytes: append.len() as u32,
            entries_bytes: entries.len() as u32,
            entries_count: 1,
            entries_crc: crc32c::crc32c(entries),
        };
        let crc = header.encode(append);
        (header, crc)
    }

    #[test]
    fn round_trip_and_damage_found() {
        let mut append = vec![];
        let (header, crc) = sample(&mut append);
        assert_eq!(AppendHeader::decode(&append), Ok((header, crc)));
        assert_eq!(header.entries(&append), Ok(&b"entries of an append"[..]));
        for bit in 0..(APPEND_HEADER_BYTES + 20) * 8 {
            let mut bad = append.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let intact = AppendHeader::decode(&bad).is_ok_and(|(header, _)| header.entries(&bad).is_ok());
            assert!(!intact, "bit {bit}");
        }
        for cut in 0..APPEND_HEADER_BYTES {
            assert!(AppendHeader::decode(&append[..cut]).is_err());
        }
    }

    #[test]
    fn golden_bytes_version_1() {
        let mut append = vec![];
        let (_, crc) = sample(&mut append);
        let expected: &[u8] = &[
            b'H', b'X', b'A', b'P', b'P', b'N', b'D', b'1', 9, 0, 0, 0, 0, 0, 0, 0, // magic, device
            0, 0x10, 0, 0, 0, 0, 0, 2, 0x11, 0x11, 0, 0, 0, 0, 0, 0, // own address, incarnation
            12, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 3, 0, 0, 0, 0, 0, // sequence, position
            77, 0, 0, 0, 0, 0x10, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, // previous, lengths, count
        ];
        assert_eq!(&append[..expected.len()], expected);
        assert_eq!(append[124..128], crc.to_le_bytes());
    }

    /// The last block may be full to its last byte.
    #[test]
    fn an_append_without_padding_is_read() {
        for (entries_bytes, blocks) in
            [(1, 1), (BLOCK_BYTES - APPEND_HEADER_BYTES, 1), (BLOCK_BYTES - APPEND_HEADER_BYTES + 1, 2)]
        {
            let entries = vec![5; entries_bytes];
            let mut append = vec![];
            let (header, crc) = append_of(&entries, &mut append);
            assert_eq!(append.len(), blocks * BLOCK_BYTES, "{entries_bytes} bytes of entries");
            assert_eq!(AppendHeader::decode(&append), Ok((header, crc)));
            assert_eq!(header.entries(&append), Ok(&entries[..]));
        }
    }

    #[test]
    fn lengths_that_do_not_fit_each_other_are_refused() {
        let mut append = vec![];
        sample(&mut append);
        let full = (BLOCK_BYTES - APPEND_HEADER_BYTES) as u32;
        for (append_bytes, entries_bytes, what) in [
            (BLOCK_BYTES as u32, full + 1, "entries length"),
            (BLOCK_BYTES as u32, u32::MAX, "entries length"),
            (BLOCK_BYTES as u32 + 1, 20, "append place"),
        ] {
            append[52..56].copy_from_slice(&append_bytes.to_le_bytes());
            append[56..60].copy_from_slice(&entries_bytes.to_le_bytes());
            let crc = crc32c::crc32c(&append[..HEADER_CRC_AT]);
            append[HEADER_CRC_AT..APPEND_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
            assert_eq!(AppendHeader::decode(&append), Err(Malformed { what }));
        }
    }
}
