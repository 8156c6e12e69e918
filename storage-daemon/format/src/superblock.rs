//! The superblock: where a start begins. Two slots of one block each, written in turn, so that a torn write
//! leaves the other one.
//!
//! | bytes | field |
//! |---|---|
//! | 0..8 | magic "HXSUPER1" |
//! | 8..12 | format version (5; 2 to 4 are read) |
//! | 12..16 | flags (0) |
//! | 16..24 | device id |
//! | 24..32 | own address |
//! | 32..40 | generation: the higher of two valid slots counts |
//! | 40..48 | log region in bytes |
//! | 48..56 | extents area in bytes |
//! | 56..64 | extent in bytes |
//! | 64..72 | log head: position of the oldest append that is kept |
//! | 72..80 | replay from: position at which a restart begins to scan |
//! | 80..88 | sequence of the append there |
//! | 88..92 | header checksum of the append before it |
//! | 92..96 | length of the checkpoint's last part; 0 = no checkpoint |
//! | 96..104 | address of the checkpoint's last part |
//! | 104..112 | generation of the checkpoint |
//! | 112..116 | key id 2, zero 2 |
//! | 116..128 | nonce |
//! | 128..144 | authentication tag |
//! | 144..148 | number of log spans |
//! | 148..152 | checksum of the checkpoint's last part; 0 = not told, as before version 4 |
//! | 152.. | log spans: incarnation 8, position 8, first sequence 8 |
//! | 4092..4096 | CRC32C of bytes 0..4092 |
//!
//! Identity stands first, then what recovery follows: log, checkpoint, spans. The sizes are in it since a
//! device formatted with one layout must not be started with another.

use crate::address::{AREA_SUPERBLOCK, BlockAddress};
use crate::aligned::BLOCK_BYTES;
use alloc::vec::Vec;
use hexalog_protocol::DeviceId;
use hexalog_protocol::codec::{Malformed, Put, Reader};

/// Number of slots.
pub const SUPERBLOCK_SLOTS: usize = 2;
/// Bytes of the whole area.
pub const SUPERBLOCK_AREA_BYTES: usize = SUPERBLOCK_SLOTS * BLOCK_BYTES;
/// Most log spans that a superblock holds. A span is added by each start that appends anything, one or two more by what
/// it finds torn at the log's end, and they go when a checkpoint has passed them, so only a daemon that never lives to its
/// first checkpoint could collect them.
pub const LOG_SPANS_MAX: usize = 128;

const MAGIC: [u8; 8] = *b"HXSUPER1";
const VERSION: u32 = 6;
/// Version 5 had no candidates in member lists. Version 4 is as 5, of a chain with the segments in front of each checkpoint (`crate::checkpoint`), which that code would not take
/// otherwise. Version 3 did not name the checkpoint's checksum; the one before had no stretch of the log given up between two spans.
const VERSION_MIN: u32 = 2;
const SPANS_AT: usize = 152;
const SPAN_BYTES: usize = 24;
const CRC_AT: usize = BLOCK_BYTES - 4;
const _: () = assert!(SPANS_AT + LOG_SPANS_MAX * SPAN_BYTES <= CRC_AT);

/// A stretch of the log written by one run of the daemon, or the place of one torn append that it left and another run found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogSpan {
    /// Random number of the run; in every append header of it.
    pub incarnation: u64,
    /// Position at which the run's first append was looked for; one for all of one sequence.
    pub position: u64,
    /// Sequence of the run's first append.
    pub sequence: u64,
}

/// What one slot holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Superblock {
    /// The device.
    pub device: DeviceId,
    /// Counts the superblock writes.
    pub generation: u64,
    /// Size of the log region.
    pub log_bytes: u64,
    /// Size of the extents area.
    pub extents_bytes: u64,
    /// Size of an extent.
    pub extent_bytes: u64,
    /// Position of the oldest append kept.
    pub log_head: u64,
    /// Position at which a restart begins to scan; not below `log_head`.
    pub replay_from: u64,
    /// Sequence of the append at `replay_from`.
    pub replay_sequence: u64,
    /// Header checksum of the append before `replay_from`.
    pub replay_previous_crc: u32,
    /// Length of the checkpoint's last part in bytes; 0 without a checkpoint.
    pub checkpoint_bytes: u32,
    /// Address of the checkpoint's last part.
    pub checkpoint: BlockAddress,
    /// Generation of the checkpoint.
    pub checkpoint_generation: u64,
    /// Checksum of the checkpoint's last part; 0: not told.
    pub checkpoint_crc: u32,
    /// Runs whose appends a scan can meet, oldest first; sequences never fall. Of one sequence the last run is the log's, and the
    /// others left a torn append there.
    pub spans: Vec<LogSpan>,
}

impl Superblock {
    /// The slot that this generation belongs in.
    pub fn slot(&self) -> usize {
        (self.generation % SUPERBLOCK_SLOTS as u64) as usize
    }

    /// Byte offset of this generation's slot in the superblock area.
    pub fn offset(&self) -> u64 {
        (self.slot() * BLOCK_BYTES) as u64
    }

    /// Writes the slot's block.
    ///
    /// # Panics
    /// If there are more than [`LOG_SPANS_MAX`] spans, or `block` is not one block.
    pub fn encode(&self, block: &mut [u8]) {
        assert_eq!(block.len(), BLOCK_BYTES);
        assert!(self.spans.len() <= LOG_SPANS_MAX, "spans are pruned by every checkpoint");
        assert!(self.log_head <= self.replay_from);
        let mut out = Vec::with_capacity(BLOCK_BYTES);
        out.put_bytes(&MAGIC);
        out.put_u32(VERSION);
        out.put_u32(0);
        out.put_u64(self.device.0);
        out.put_u64(BlockAddress::new(AREA_SUPERBLOCK, self.offset()).0);
        for field in [
            self.generation,
            self.log_bytes,
            self.extents_bytes,
            self.extent_bytes,
            self.log_head,
            self.replay_from,
            self.replay_sequence,
        ] {
            out.put_u64(field);
        }
        out.put_u32(self.replay_previous_crc);
        out.put_u32(self.checkpoint_bytes);
        out.put_u64(self.checkpoint.0);
        out.put_u64(self.checkpoint_generation);
        out.put_bytes(&[0; 32]); // key id, nonce and tag: clear text
        out.put_u32(self.spans.len() as u32);
        out.put_u32(self.checkpoint_crc);
        assert_eq!(out.len(), SPANS_AT);
        for span in &self.spans {
            out.put_u64(span.incarnation);
            out.put_u64(span.position);
            out.put_u64(span.sequence);
        }
        out.resize(CRC_AT, 0);
        let crc = crc32c::crc32c(&out);
        out.put_u32(crc);
        block.copy_from_slice(&out);
    }

    /// Reads the block of slot `slot`.
    pub fn decode(block: &[u8], slot: usize) -> Result<Superblock, Malformed> {
        let malformed = |what| Malformed { what };
        if block.len() != BLOCK_BYTES || slot >= SUPERBLOCK_SLOTS {
            return Err(malformed("superblock size"));
        }
        let crc = u32::from_le_bytes(*block[CRC_AT..].first_chunk().expect("four bytes"));
        if crc32c::crc32c(&block[..CRC_AT]) != crc {
            return Err(malformed("superblock CRC"));
        }
        let mut reader = Reader::new(&block[..CRC_AT]);
        if reader.array::<8>("superblock magic")? != MAGIC {
            return Err(malformed("superblock magic"));
        }
        let version = reader.u32("superblock version")?;
        if !(VERSION_MIN..=VERSION).contains(&version) || reader.u32("superblock flags")? != 0 {
            return Err(malformed("superblock version"));
        }
        let device = DeviceId(reader.u64("device")?);
        let own = BlockAddress(reader.u64("own address")?);
        let mut superblock = Superblock {
            device,
            generation: reader.u64("generation")?,
            log_bytes: reader.u64("log bytes")?,
            extents_bytes: reader.u64("extents bytes")?,
            extent_bytes: reader.u64("extent bytes")?,
            log_head: reader.u64("log head")?,
            replay_from: reader.u64("replay from")?,
            replay_sequence: reader.u64("replay sequence")?,
            replay_previous_crc: reader.u32("replay checksum")?,
            checkpoint_bytes: reader.u32("checkpoint length")?,
            checkpoint: BlockAddress(reader.u64("checkpoint address")?),
            checkpoint_generation: reader.u64("checkpoint generation")?,
            checkpoint_crc: 0,
            spans: Vec::new(),
        };
        reader.bytes(32, "superblock key")?;
        let spans = reader.u32("span count")? as usize;
        superblock.checkpoint_crc = reader.u32("checkpoint checksum")?;
        if spans > LOG_SPANS_MAX {
            return Err(malformed("span count"));
        }
        for _ in 0..spans {
            superblock.spans.push(LogSpan {
                incarnation: reader.u64("span incarnation")?,
                position: reader.u64("span position")?,
                sequence: reader.u64("span sequence")?,
            });
        }
        superblock.check(own, slot)?;
        Ok(superblock)
    }

    fn check(&self, own: BlockAddress, slot: usize) -> Result<(), Malformed> {
        let block = BLOCK_BYTES as u64;
        let aligned = |bytes: u64| bytes > 0 && bytes.is_multiple_of(block);
        let sizes = aligned(self.log_bytes) && aligned(self.extents_bytes) && aligned(self.extent_bytes);
        if self.slot() != slot || own.offset() != self.offset() || own.area() != AREA_SUPERBLOCK {
            return Err(Malformed { what: "superblock place" });
        }
        if !sizes || self.log_head > self.replay_from || !self.replay_from.is_multiple_of(block) {
            return Err(Malformed { what: "superblock sizes" });
        }
        if !self.spans.is_sorted_by_key(|span| span.sequence) {
            return Err(Malformed { what: "span order" });
        }
        Ok(())
    }

    /// The newest valid superblock of the whole area.
    pub fn newest(area: &[u8]) -> Option<Superblock> {
        Superblock::valid(area).pop()
    }

    /// The valid superblocks of the whole area, the newest last.
    pub fn valid(area: &[u8]) -> Vec<Superblock> {
        let slots = area.chunks(BLOCK_BYTES).take(SUPERBLOCK_SLOTS).enumerate();
        let mut valid: Vec<_> =
            slots.filter_map(|(slot, block)| Superblock::decode(block, slot).ok()).collect();
        valid.sort_by_key(|superblock| superblock.generation);
        valid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn sample() -> Superblock {
        Superblock {
            device: DeviceId(0xabcd),
            generation: 7,
            log_bytes: 1 << 20,
            extents_bytes: 1 << 24,
            extent_bytes: 1 << 16,
            log_head: 8192,
            replay_from: 1 << 20 | 4096,
            replay_sequence: 99,
            replay_previous_crc: 0x1234_5678,
            checkpoint_bytes: 4096,
            checkpoint: BlockAddress::new(crate::address::AREA_EXTENTS, 65536),
            checkpoint_generation: 3,
            checkpoint_crc: 0x0a0b_0c0d,
            spans: vec![LogSpan { incarnation: 5, position: 0, sequence: 1 }],
        }
    }

    #[test]
    fn round_trip_and_damage_found() {
        let superblock = sample();
        let mut block = vec![0; BLOCK_BYTES];
        superblock.encode(&mut block);
        assert_eq!(Superblock::decode(&block, 1), Ok(superblock));
        assert!(Superblock::decode(&block, 0).is_err(), "the other slot");
        for bit in (0..block.len() * 8).step_by(61) {
            let mut bad = block.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Superblock::decode(&bad, 1).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn golden_bytes_version_6() {
        let mut block = vec![0; BLOCK_BYTES];
        sample().encode(&mut block);
        let expected: &[u8] = &[
            b'H', b'X', b'S', b'U', b'P', b'E', b'R', b'1', 6, 0, 0, 0, 0, 0, 0,
            0, // magic, version, flags
            0xcd, 0xab, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 1, // device, own address
            7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, // generation, log bytes
            0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, // extents bytes, extent bytes
            0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x10, 0, 0, 0, 0, 0, // log head, replay from
            99, 0, 0, 0, 0, 0, 0, 0, 0x78, 0x56, 0x34, 0x12, 0, 0x10, 0,
            0, // sequence, checksum, length
            0, 0, 1, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, // checkpoint address, generation
        ];
        assert_eq!(&block[..expected.len()], expected);
        assert_eq!(&block[144..SPANS_AT], &[1, 0, 0, 0, 0x0d, 0x0c, 0x0b, 0x0a]);
        assert_eq!(&block[SPANS_AT..SPANS_AT + 17], &[5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    }

    /// As the code of version 3 wrote [`sample`], which then told no checksum of the checkpoint.
    const VERSION_3: [&[u8]; 10] = [
        b"HXSUPER1\x03\0\0\0\0\0\0\0",                           // magic, version, flags
        b"\xcd\xab\0\0\0\0\0\0\0\x10\0\0\0\0\0\x01",             // device, own address
        b"\x07\0\0\0\0\0\0\0\0\0\x10\0\0\0\0\0",                 // generation, log bytes
        b"\0\0\0\x01\0\0\0\0\0\0\x01\0\0\0\0\0",                 // extents bytes, extent bytes
        b"\0\x20\0\0\0\0\0\0\0\x10\x10\0\0\0\0\0",               // log head, replay from
        b"\x63\0\0\0\0\0\0\0\x78\x56\x34\x12\0\x10\0\0",         // sequence, checksum, length
        b"\0\0\x01\0\0\0\0\x03\x03\0\0\0\0\0\0\0",               // checkpoint address, generation
        &[0; 32],                                                // key, nonce, tag
        b"\x01\0\0\0\0\0\0\0",                                   // spans; spare
        b"\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0", // a span
    ];

    #[test]
    fn golden_bytes_version_3_are_read() {
        let mut block = VERSION_3.concat();
        block.resize(CRC_AT, 0);
        block.extend([0xc3, 0x92, 0xff, 0xcd]);
        assert_eq!(Superblock::decode(&block, 1), Ok(Superblock { checkpoint_crc: 0, ..sample() }));
    }

    #[test]
    fn the_versions_before_are_read_and_others_are_not() {
        for (version, is_read) in
            [(1, false), (2, true), (3, true), (4, true), (5, true), (6, true), (7, false)]
        {
            let mut block = vec![0; BLOCK_BYTES];
            sample().encode(&mut block);
            block[8..12].copy_from_slice(&u32::to_le_bytes(version));
            let crc = crc32c::crc32c(&block[..CRC_AT]);
            block[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
            assert_eq!(Superblock::decode(&block, 1).is_ok(), is_read, "version {version}");
        }
    }

    #[test]
    fn the_newer_valid_slot_counts() {
        let mut area = vec![0; SUPERBLOCK_AREA_BYTES];
        assert_eq!(Superblock::newest(&area), None);
        let mut superblock = sample();
        superblock.encode(&mut area[BLOCK_BYTES..]);
        superblock.generation = 8;
        superblock.encode(&mut area[..BLOCK_BYTES]);
        assert_eq!(Superblock::newest(&area).map(|s| s.generation), Some(8));
        area[50] ^= 1;
        assert_eq!(Superblock::newest(&area).map(|s| s.generation), Some(7));
    }

    #[test]
    fn a_full_list_of_spans_is_read_and_a_longer_one_is_not() {
        let span = |sequence| LogSpan { incarnation: 5, position: 0, sequence };
        let full = Superblock { spans: (0..LOG_SPANS_MAX as u64).map(span).collect(), ..sample() };
        let mut block = vec![0; BLOCK_BYTES];
        full.encode(&mut block);
        assert_eq!(Superblock::decode(&block, 1), Ok(full));
        block[144..148].copy_from_slice(&(LOG_SPANS_MAX as u32 + 1).to_le_bytes());
        let crc = crc32c::crc32c(&block[..CRC_AT]);
        block[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Superblock::decode(&block, 1), Err(Malformed { what: "span count" }));
    }

    #[test]
    fn sizes_and_places_that_cannot_be_are_refused() {
        type Change = fn(&mut Superblock);
        let rows: [(Change, &str); 7] = [
            (|it| it.log_bytes += 1, "superblock sizes"),
            (|it| it.log_bytes = 0, "superblock sizes"),
            (|it| it.extents_bytes += 512, "superblock sizes"),
            (|it| it.extent_bytes = 0, "superblock sizes"),
            (|it| it.replay_from += 1, "superblock sizes"),
            (|it| it.generation += 1, "superblock place"),
            (|it| it.spans.push(LogSpan { incarnation: 6, position: 0, sequence: 0 }), "span order"),
        ];
        for (change, what) in rows {
            let mut superblock = sample();
            change(&mut superblock);
            let mut block = vec![0; BLOCK_BYTES];
            superblock.encode(&mut block);
            assert_eq!(Superblock::decode(&block, 1), Err(Malformed { what }), "{superblock:?}");
        }
    }
}
