//! The index checkpoint: a chain of parts, each in one piece in the extents area; a base, then deltas.
//!
//! | bytes | field |
//! |---|---|
//! | 0..8 | magic "HXCHKPT3"; "HXCHKPT2" is read |
//! | 8..16 | device id |
//! | 16..24 | own address |
//! | 24..32 | checkpoint generation |
//! | 32..36 | index of the part in its chain |
//! | 36..40 | flags: 1 = the chain begins here (first part of a base), 2 = last part of its checkpoint, 4 = its segments begin in this part |
//! | 40..48 | address of the part before; 0 = none |
//! | 48..52 | length of the part before |
//! | 52..56 | bytes of items |
//! | 56..60 | CRC32C of the items |
//! | 60..64 | key id 2, zero 2 |
//! | 64..76 | nonce |
//! | 76..92 | authentication tag |
//! | 92..96 | checksum of the part before (its bytes 124..128); 0 = not told, in a chain of the version before |
//! | 96..124 | spare (0) |
//! | 124..128 | CRC32C of bytes 0..124 |
//! | 128.. | items, padded to whole blocks |
//!
//! The superblock names the last part, and a restart follows the chain back to its beginning; of two items for the same
//! segment, page or run the one in the later part counts. Each part names the checksum of the one before, as the superblock does
//! of the last: a write that never landed leaves an older part in its place, sound in itself and with the same index perhaps.
//!
//! Every checkpoint names all segments, at its end, so that a restart knows them after few reads whatever the chain holds: the
//! part with flag 4 and those after it hold all items of kinds 1 and 4. A chain of before that flag has its segments in front of
//! each checkpoint, and no items of kind 4.
//!
//! An item is: kind 1, then
//!
//! | kind | item | fields |
//! |---|---|---|
//! | 1 | segment | volume 16, group 4, segment 8, state 1, pages per group 8, geometry epoch 8, base LSN 8, SCL 8, VDL heard 8, floor 8, bumped writer 16, history, membership, varint count and segment ids of members beyond retention |
//! | 2 | pages | volume 16, group 4, varint count, for each: zigzag page distance, image flag 1, image (LSN 8, address 8, CRC 4), delta flag 1, delta (from 8, to 8, address of its block 8, its share of the block in bytes 4, CRC of the block 4) |
//! | 3 | runs | volume 16, group 4, varint count, for each: first LSN 8, last LSN 8, log position 8, end position 8 |
//! | 4 | versions | volume 16, group 4, LSN 8 of the newest image of any page of the segment, LSN 8 of its newest delta; not below what the chain holds |

use crate::address::{AREA_EXTENTS, BlockAddress};
use crate::aligned::BLOCK_BYTES;
use crate::entry::{get_name, get_writer, put_name, put_writer};
use crate::membership;
use alloc::vec::Vec;
use hexalog_protocol::codec::{Malformed, Put, Reader};
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{Membership, SegmentState};
use hexalog_protocol::{DeviceId, GeometryEpoch, GroupId, Lsn, PageId, SegmentId, VolumeId};

/// Bytes before the items.
pub const PART_HEADER_BYTES: usize = 128;
/// The chain begins at this part.
pub const PART_BEGINS_CHAIN: u32 = 1;
/// The checkpoint is whole with this part.
pub const PART_ENDS_CHECKPOINT: u32 = 2;
/// The checkpoint's segments begin in this part.
pub const PART_BEGINS_SEGMENTS: u32 = 4;

const MAGIC: [u8; 8] = *b"HXCHKPT3";
/// The version before did not name checksums.
const MAGIC_BEFORE: [u8; 8] = *b"HXCHKPT2";
const PREVIOUS_CRC_AT: usize = 92;
const HEADER_CRC_AT: usize = 124;
const SEGMENT: u8 = 1;
const PAGES: u8 = 2;
const RUNS: u8 = 3;
const VERSIONS: u8 = 4;
/// State of a segment that is damaged and needs all its pages; the others are as on the wire.
const DAMAGED_NEEDS_PAGES: u8 = 5;
/// Most bytes that the fixed part of one page takes, with one image and no delta.
const PAGE_BYTES_MIN: usize = 3;
const IMAGE_BYTES: usize = 20;
const DELTA_BYTES: usize = 32;
const RUN_BYTES: usize = 32;

/// Header of a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartHeader {
    /// The device.
    pub device: DeviceId,
    /// Byte offset in the extents area.
    pub offset: u64,
    /// Which checkpoint it belongs to.
    pub generation: u64,
    /// Place in the chain, from 0.
    pub index: u32,
    /// [`PART_BEGINS_CHAIN`], [`PART_ENDS_CHECKPOINT`] and [`PART_BEGINS_SEGMENTS`].
    pub flags: u32,
    /// The part before.
    pub previous: BlockAddress,
    /// Length of the part before.
    pub previous_bytes: u32,
    /// Checksum of the part before, as [`part_crc`] tells it; 0: not told.
    pub previous_crc: u32,
}

/// What names a part's bytes: the checksum of its header, which holds that of the items.
///
/// # Panics
/// If `part` is shorter than a header.
pub fn part_crc(part: &[u8]) -> u32 {
    u32::from_le_bytes(*part[HEADER_CRC_AT..].first_chunk().expect("a part has a header"))
}

/// Length in whole blocks of a part with this many bytes of items.
pub fn part_bytes(items_bytes: usize) -> usize {
    (PART_HEADER_BYTES + items_bytes).next_multiple_of(BLOCK_BYTES)
}

impl PartHeader {
    /// Writes header and items over the whole of `part`, which is as long as [`part_bytes`] says.
    pub fn encode(&self, items: &[u8], part: &mut [u8]) {
        assert_eq!(part.len(), part_bytes(items.len()));
        let mut out = Vec::with_capacity(PART_HEADER_BYTES);
        out.put_bytes(&MAGIC);
        out.put_u64(self.device.0);
        out.put_u64(BlockAddress::new(AREA_EXTENTS, self.offset).0);
        out.put_u64(self.generation);
        out.put_u32(self.index);
        out.put_u32(self.flags);
        out.put_u64(self.previous.0);
        out.put_u32(self.previous_bytes);
        out.put_u32(items.len() as u32);
        out.put_u32(crc32c::crc32c(items));
        out.resize(PREVIOUS_CRC_AT, 0); // key id, nonce and tag: clear text
        out.put_u32(self.previous_crc);
        out.resize(HEADER_CRC_AT, 0); // spare
        let crc = crc32c::crc32c(&out);
        out.put_u32(crc);
        part[..PART_HEADER_BYTES].copy_from_slice(&out);
        let end = PART_HEADER_BYTES + items.len();
        part[PART_HEADER_BYTES..end].copy_from_slice(items);
        part[end..].fill(0);
    }

    /// Reads and checks a part; returns its items.
    pub fn decode(part: &[u8]) -> Result<(PartHeader, &[u8]), Malformed> {
        let malformed = |what| Malformed { what };
        let header = part.first_chunk::<PART_HEADER_BYTES>().ok_or(malformed("part header"))?;
        let mut reader = Reader::new(header);
        let magic = reader.array::<8>("part magic")?;
        if magic != MAGIC && magic != MAGIC_BEFORE {
            return Err(malformed("part magic"));
        }
        if crc32c::crc32c(&header[..HEADER_CRC_AT]) != part_crc(header) {
            return Err(malformed("part header CRC"));
        }
        let device = DeviceId(reader.u64("device")?);
        let own =
            BlockAddress::checked(reader.u64("own address")?, AREA_EXTENTS).ok_or(malformed("part place"))?;
        let generation = reader.u64("generation")?;
        let index = reader.u32("part index")?;
        let flags = reader.u32("part flags")?;
        let previous = BlockAddress(reader.u64("previous part")?);
        let previous_bytes = reader.u32("previous part length")?;
        let items_bytes = reader.u32("items length")? as usize;
        let items_crc = reader.u32("items CRC")?;
        let items = part[PART_HEADER_BYTES..].get(..items_bytes).ok_or(malformed("items length"))?;
        if crc32c::crc32c(items) != items_crc {
            return Err(malformed("items CRC"));
        }
        reader.bytes(PREVIOUS_CRC_AT - 60, "part key")?;
        let previous_crc = reader.u32("previous part checksum")?;
        let offset = own.offset();
        let header =
            PartHeader { device, offset, generation, index, flags, previous, previous_bytes, previous_crc };
        Ok((header, items))
    }
}

/// A page image on the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ImageRef {
    /// LSN of the last record in it.
    pub lsn: Lsn,
    /// Where it stands.
    pub address: BlockAddress,
    /// Its checksum: finds lost writes, which leave an older block that is intact in itself.
    pub crc: u32,
}

/// A page's delta on the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeltaRef {
    /// Version that its first record applies to.
    pub from: Lsn,
    /// LSN of its last record.
    pub to: Lsn,
    /// The block that it stands in, with those of other pages.
    pub address: BlockAddress,
    /// Its share of the block: the bytes that it takes and its part of what no delta takes. The shares of a block's deltas
    /// add up to the block.
    pub bytes: u32,
    /// Checksum of the block.
    pub crc: u32,
}

/// All that is on the device of one page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PageVersions {
    /// At most one image: a new one is made below the floor only, where no read point needs the one before.
    pub image: Option<ImageRef>,
    /// At most one delta.
    pub delta: Option<DeltaRef>,
}

/// A stretch of the log that holds an unbroken part of one group's chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogRun {
    /// First LSN of the group in it.
    pub first: Lsn,
    /// Last LSN of the group in it.
    pub last: Lsn,
    /// Position of the first append.
    pub position: u64,
    /// Position after the last append.
    pub end: u64,
}

/// All of a segment but its pages and runs.
#[derive(Clone, PartialEq, Debug)]
pub struct SegmentImage {
    /// The volume.
    pub volume: VolumeId,
    /// The group.
    pub group: GroupId,
    /// The segment.
    pub segment: SegmentId,
    /// `Damaged` and `NeedsHydration` survive a restart; the others follow from writer and history.
    pub state: SegmentState,
    /// It is damaged, and none of its pages counts until all have been fetched.
    pub needs_pages: bool,
    /// Size of a group in pages.
    pub pages_per_group: u64,
    /// Geometry that the group is part of.
    pub geometry_epoch: GeometryEpoch,
    /// Where the segment's log begins.
    pub base: Lsn,
    /// Complete LSN when the checkpoint began.
    pub scl: Lsn,
    /// Highest VDL heard.
    pub vdl_heard: Lsn,
    /// Collection floor.
    pub gc_floor: Lsn,
    /// The writer that the segment was bumped to last.
    pub bumped: WriterId,
    /// Epoch history.
    pub history: EpochHistory,
    /// Members.
    pub membership: Membership,
    /// Members whose missing log was freed.
    pub beyond_retention: Vec<SegmentId>,
}

/// How far the versions of a segment's pages go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VersionsThrough {
    /// LSN of the newest image of any page.
    pub image: Lsn,
    /// LSN of the newest delta.
    pub delta: Lsn,
}

impl VersionsThrough {
    /// They go as far as these at least.
    pub fn include(&mut self, versions: &PageVersions) {
        self.image = self.image.max(versions.image.map_or(Lsn::ZERO, |image| image.lsn));
        self.delta = self.delta.max(versions.delta.map_or(Lsn::ZERO, |delta| delta.to));
    }
}

/// One item of a part.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// A segment.
    Segment(SegmentImage),
    /// Pages of a segment: their versions replace earlier ones; no versions at all means that the page went.
    Pages(VolumeId, GroupId, Vec<(PageId, PageVersions)>),
    /// Log runs of a segment: one with the same first LSN replaces the earlier one.
    Runs(VolumeId, GroupId, Vec<LogRun>),
    /// How far the versions of a segment's pages go: what a restart knows of them before it has them.
    Versions(VolumeId, GroupId, VersionsThrough),
}

/// Most bytes that one page takes in a pages item.
pub const PAGE_ITEM_BYTES_MAX: usize = 10 + 1 + IMAGE_BYTES + 1 + DELTA_BYTES;

impl Item {
    /// Appends the item.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Item::Segment(image) => {
                out.put_u8(SEGMENT);
                encode_segment(image, out);
            }
            Item::Pages(volume, group, pages) => {
                out.put_u8(PAGES);
                put_name(out, *volume, *group);
                out.put_varint(pages.len() as u64);
                let mut last = PageId(0);
                for (page, versions) in pages {
                    out.put_zigzag(page.0.wrapping_sub(last.0) as i64);
                    encode_versions(versions, out);
                    last = *page;
                }
            }
            Item::Runs(volume, group, runs) => {
                out.put_u8(RUNS);
                put_name(out, *volume, *group);
                out.put_varint(runs.len() as u64);
                for run in runs {
                    [run.first.0, run.last.0, run.position, run.end]
                        .into_iter()
                        .for_each(|field| out.put_u64(field));
                }
            }
            Item::Versions(volume, group, through) => {
                out.put_u8(VERSIONS);
                put_name(out, *volume, *group);
                out.put_u64(through.image.0);
                out.put_u64(through.delta.0);
            }
        }
    }

    /// Reads one item from the front.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Item, Malformed> {
        match reader.u8("item kind")? {
            SEGMENT => Ok(Item::Segment(decode_segment(reader)?)),
            PAGES => {
                let (volume, group) = get_name(reader)?;
                let count = reader.count(PAGE_BYTES_MIN, "page count")?;
                let mut pages = Vec::with_capacity(count);
                let mut last = PageId(0);
                for _ in 0..count {
                    last = PageId(last.0.wrapping_add(reader.zigzag("page")? as u64));
                    pages.push((last, decode_versions(reader)?));
                }
                Ok(Item::Pages(volume, group, pages))
            }
            RUNS => {
                let (volume, group) = get_name(reader)?;
                let count = reader.count(RUN_BYTES, "run count")?;
                let mut runs = Vec::with_capacity(count);
                for _ in 0..count {
                    runs.push(decode_run(reader)?);
                }
                Ok(Item::Runs(volume, group, runs))
            }
            VERSIONS => {
                let (volume, group) = get_name(reader)?;
                let image = Lsn(reader.u64("newest image")?);
                let delta = Lsn(reader.u64("newest delta")?);
                Ok(Item::Versions(volume, group, VersionsThrough { image, delta }))
            }
            _ => Err(Malformed { what: "item kind" }),
        }
    }
}

fn encode_segment(image: &SegmentImage, out: &mut Vec<u8>) {
    put_name(out, image.volume, image.group);
    out.put_u64(image.segment.0);
    assert!(!image.needs_pages || image.state == SegmentState::Damaged);
    out.put_u8(match image.state {
        SegmentState::Opening => 1,
        SegmentState::Open => 2,
        SegmentState::Damaged if image.needs_pages => DAMAGED_NEEDS_PAGES,
        SegmentState::Damaged => 3,
        SegmentState::NeedsHydration => 4,
    });
    out.put_u64(image.pages_per_group);
    out.put_u64(image.geometry_epoch.0);
    [image.base, image.scl, image.vdl_heard, image.gc_floor].into_iter().for_each(|lsn| out.put_u64(lsn.0));
    put_writer(out, image.bumped);
    image.history.encode(out);
    membership::encode(&image.membership, out);
    out.put_varint(image.beyond_retention.len() as u64);
    image.beyond_retention.iter().for_each(|segment| out.put_u64(segment.0));
}

fn decode_segment(reader: &mut Reader<'_>) -> Result<SegmentImage, Malformed> {
    let (volume, group) = get_name(reader)?;
    let segment = SegmentId(reader.u64("segment")?);
    let code = reader.u8("segment state")?;
    let state = match code {
        1 => SegmentState::Opening,
        2 => SegmentState::Open,
        3 | DAMAGED_NEEDS_PAGES => SegmentState::Damaged,
        4 => SegmentState::NeedsHydration,
        _ => return Err(Malformed { what: "segment state" }),
    };
    Ok(SegmentImage {
        volume,
        group,
        segment,
        state,
        needs_pages: code == DAMAGED_NEEDS_PAGES,
        pages_per_group: reader.u64("pages per group")?,
        geometry_epoch: GeometryEpoch(reader.u64("geometry epoch")?),
        base: Lsn(reader.u64("base LSN")?),
        scl: Lsn(reader.u64("SCL")?),
        vdl_heard: Lsn(reader.u64("VDL heard")?),
        gc_floor: Lsn(reader.u64("floor")?),
        bumped: get_writer(reader)?,
        history: EpochHistory::decode(reader)?,
        membership: membership::decode(reader)?,
        beyond_retention: {
            let count = reader.count(8, "members beyond retention")?;
            let mut segments = Vec::with_capacity(count);
            for _ in 0..count {
                segments.push(SegmentId(reader.u64("member beyond retention")?));
            }
            segments
        },
    })
}

fn encode_versions(versions: &PageVersions, out: &mut Vec<u8>) {
    out.put_u8(u8::from(versions.image.is_some()));
    if let Some(image) = &versions.image {
        out.put_u64(image.lsn.0);
        out.put_u64(image.address.0);
        out.put_u32(image.crc);
    }
    out.put_u8(u8::from(versions.delta.is_some()));
    if let Some(delta) = &versions.delta {
        [delta.from.0, delta.to.0, delta.address.0].into_iter().for_each(|field| out.put_u64(field));
        out.put_u32(delta.bytes);
        out.put_u32(delta.crc);
    }
}

fn decode_versions(reader: &mut Reader<'_>) -> Result<PageVersions, Malformed> {
    let image = match reader.u8("image flag")? {
        0 => None,
        1 => Some(ImageRef {
            lsn: Lsn(reader.u64("image LSN")?),
            address: extents_address(reader, "image address")?,
            crc: reader.u32("image CRC")?,
        }),
        _ => return Err(Malformed { what: "image flag" }),
    };
    let delta = match reader.u8("delta flag")? {
        0 => None,
        1 => Some(DeltaRef {
            from: Lsn(reader.u64("delta start")?),
            to: Lsn(reader.u64("delta end")?),
            address: extents_address(reader, "delta address")?,
            bytes: reader.u32("delta length")?,
            crc: reader.u32("delta CRC")?,
        }),
        _ => return Err(Malformed { what: "delta flag" }),
    };
    let lengths = delta
        .is_none_or(|delta| delta.bytes > 0 && delta.bytes as usize <= BLOCK_BYTES && delta.from < delta.to);
    if !lengths {
        return Err(Malformed { what: "delta length" });
    }
    Ok(PageVersions { image, delta })
}

fn extents_address(reader: &mut Reader<'_>, what: &'static str) -> Result<BlockAddress, Malformed> {
    BlockAddress::checked(reader.u64(what)?, AREA_EXTENTS).ok_or(Malformed { what })
}

fn decode_run(reader: &mut Reader<'_>) -> Result<LogRun, Malformed> {
    let run = LogRun {
        first: Lsn(reader.u64("run first LSN")?),
        last: Lsn(reader.u64("run last LSN")?),
        position: reader.u64("run position")?,
        end: reader.u64("run end")?,
    };
    if run.first > run.last || run.position >= run.end {
        return Err(Malformed { what: "run" });
    }
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_protocol::MembershipEpoch;
    use hexalog_protocol::{Incarnation, VolumeEpoch};
    use std::vec;

    fn items() -> Vec<Item> {
        let volume = VolumeId([2; 16]);
        let group = GroupId(1);
        let address = BlockAddress::new(AREA_EXTENTS, 8192);
        let image = ImageRef { lsn: Lsn(10), address, crc: 77 };
        let delta = DeltaRef { from: Lsn(10), to: Lsn(30), address, bytes: 300, crc: 5 };
        vec![
            Item::Segment(SegmentImage {
                volume,
                group,
                segment: SegmentId(9),
                state: SegmentState::Open,
                needs_pages: false,
                pages_per_group: 64,
                geometry_epoch: GeometryEpoch(1),
                base: Lsn(0),
                scl: Lsn(44),
                vdl_heard: Lsn(40),
                gc_floor: Lsn(39),
                bumped: WriterId { epoch: VolumeEpoch(1), incarnation: Incarnation(5) },
                history: EpochHistory::new(),
                membership: Membership::of(MembershipEpoch(1), vec![]),
                beyond_retention: vec![SegmentId(3)],
            }),
            Item::Pages(
                volume,
                group,
                vec![
                    (PageId(70), PageVersions { image: Some(image), delta: None }),
                    (PageId(64), PageVersions { image: Some(image), delta: Some(delta) }),
                    (PageId(99), PageVersions::default()),
                ],
            ),
            Item::Runs(volume, group, vec![LogRun { first: Lsn(1), last: Lsn(9), position: 0, end: 4096 }]),
            Item::Versions(volume, group, VersionsThrough { image: Lsn(10), delta: Lsn(30) }),
        ]
    }

    #[test]
    fn items_round_trip_and_cuts_are_refused() {
        for item in items() {
            let mut bytes = vec![];
            item.encode(&mut bytes);
            let mut reader = Reader::new(&bytes);
            assert_eq!(Item::decode(&mut reader), Ok(item));
            assert_eq!(reader.remaining(), 0);
            for cut in 0..bytes.len() {
                assert!(Item::decode(&mut Reader::new(&bytes[..cut])).is_err(), "cut {cut}");
            }
        }
    }

    #[test]
    fn a_part_round_trips_and_damage_is_found() {
        let mut bytes = vec![];
        items().iter().for_each(|item| item.encode(&mut bytes));
        let header = PartHeader {
            device: DeviceId(4),
            offset: 65536,
            generation: 3,
            index: 1,
            flags: PART_ENDS_CHECKPOINT,
            previous: BlockAddress::new(AREA_EXTENTS, 4096),
            previous_bytes: 4096,
            previous_crc: 0x0102_0304,
        };
        let mut part = vec![0xff; part_bytes(bytes.len())];
        header.encode(&bytes, &mut part);
        assert_eq!(PartHeader::decode(&part), Ok((header, &bytes[..])));
        assert_eq!((&part[..8], &part[92..96]), (&b"HXCHKPT3"[..], &[4, 3, 2, 1][..]));
        for bit in (0..(PART_HEADER_BYTES + bytes.len()) * 8).step_by(7) {
            let mut bad = part.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(PartHeader::decode(&bad).is_err(), "bit {bit}");
        }
    }

    /// As the code of the version before wrote it.
    const PART_BEFORE: [&[u8]; 9] = [
        b"HXCHKPT2\x04\0\0\0\0\0\0\0",             // magic, device
        b"\0\0\x01\0\0\0\0\x03\x03\0\0\0\0\0\0\0", // own address, generation
        b"\x01\0\0\0\x02\0\0\0",                   // index, flags
        b"\0\x10\0\0\0\0\0\x03\0\x10\0\0",         // the part before, its length
        b"\x36\0\0\0\xed\xf5\x20\xd5",             // bytes of items, their CRC
        &[0; 64],                                  // key, nonce, tag, spare: no checksum of the part before
        b"\xf6\x92\xe7\x1c",                       // CRC
        b"\x03\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x01\0\0\0\x01", // runs, volume, group, count
        b"\x01\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0", // LSNs, positions
    ];

    #[test]
    fn a_part_of_the_version_before_is_read_and_an_older_one_is_not() {
        let mut part = PART_BEFORE.concat();
        let (header, its_items) = PartHeader::decode(&part).expect("it is read");
        let expected = PartHeader {
            device: DeviceId(4),
            offset: 65536,
            generation: 3,
            index: 1,
            flags: PART_ENDS_CHECKPOINT,
            previous: BlockAddress::new(AREA_EXTENTS, 4096),
            previous_bytes: 4096,
            previous_crc: 0,
        };
        assert_eq!(header, expected);
        assert_eq!(Item::decode(&mut Reader::new(its_items)), Ok(items().remove(2)));
        assert_eq!(part_crc(&part), 0x1ce7_92f6, "what goes on from it names it so");
        for version in [b'1', b'4'] {
            part[7] = version;
            let crc = crc32c::crc32c(&part[..HEADER_CRC_AT]);
            part[HEADER_CRC_AT..PART_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
            assert_eq!(PartHeader::decode(&part), Err(Malformed { what: "part magic" }));
        }
    }

    #[test]
    fn golden_bytes_version_2() {
        let mut bytes = vec![];
        items()[1].encode(&mut bytes);
        let mut expected = vec![2];
        expected.extend([2; 16]);
        expected.extend([1, 0, 0, 0, 3, 0x8c, 1, 1]);
        let image = [10, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 3, 77, 0, 0, 0];
        expected.extend(image);
        expected.extend([0, 11, 1]);
        expected.extend(image);
        expected.extend([1, 10, 0, 0, 0, 0, 0, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([0, 0x20, 0, 0, 0, 0, 0, 3, 44, 1, 0, 0, 5, 0, 0, 0]);
        expected.extend([70, 0, 0]);
        assert_eq!(bytes, expected);
    }

    /// What a part has room for is reckoned with it before a page is encoded.
    #[test]
    fn no_page_takes_more_than_is_reckoned() {
        let far = |lsn| ImageRef {
            lsn: Lsn(lsn),
            address: BlockAddress::new(AREA_EXTENTS, u64::from(u32::MAX) * 4096),
            crc: u32::MAX,
        };
        let last = u64::MAX - 1;
        let image = far(last);
        let delta = DeltaRef { from: Lsn(1), to: Lsn(last), address: image.address, bytes: 4096, crc: 5 };
        let versions = PageVersions { image: Some(image), delta: Some(delta) };
        let (volume, group) = (VolumeId([2; 16]), GroupId(1));
        let encoded = |pages: Vec<(PageId, PageVersions)>| {
            let mut bytes = vec![];
            Item::Pages(volume, group, pages).encode(&mut bytes);
            bytes.len()
        };
        let head = encoded(vec![]);
        // The second page is as far from the first as one can be.
        let bytes = encoded(vec![(PageId(0), versions), (PageId(1 << 63), versions)]) - head;
        assert!(bytes <= 2 * PAGE_ITEM_BYTES_MAX && PAGE_ITEM_BYTES_MAX < bytes, "{bytes} bytes");
    }

    #[test]
    fn versions_that_cannot_be_are_refused() {
        let address = BlockAddress::new(AREA_EXTENTS, 8192);
        let image = ImageRef { lsn: Lsn(10), address, crc: 77 };
        let delta = DeltaRef { from: Lsn(10), to: Lsn(30), address, bytes: 300, crc: 5 };
        let rows = [
            (delta, None),
            (DeltaRef { bytes: 4096, ..delta }, None),
            (DeltaRef { bytes: 0, ..delta }, Some("delta length")),
            (DeltaRef { bytes: 4097, ..delta }, Some("delta length")),
            (DeltaRef { from: Lsn(30), ..delta }, Some("delta length")),
        ];
        for (delta, expected) in rows {
            let versions = PageVersions { image: Some(image), delta: Some(delta) };
            let mut bytes = vec![];
            encode_versions(&versions, &mut bytes);
            let refused = decode_versions(&mut Reader::new(&bytes)).err();
            assert_eq!(refused.map(|bad| bad.what), expected, "{versions:?}");
        }
        let refused = decode_versions(&mut Reader::new(&[2; 64])).err();
        assert_eq!(refused.map(|bad| bad.what), Some("image flag"), "a page has one image at most");
    }
}
