//! What a storage daemon reads from its device: after a power cut, after rot, after a misdirected write.

use super::redo::{check_batch, mend_batch, sealed};
use super::segment::{GROUP, VOLUME, WRITER, create_segment, membership};
use super::{put_crc, put_u32, u32_at};
use crate::target::{TAKEN, Target};
use hexalog_protocol::codec::Reader;
use hexalog_protocol::history::{EpochEntry, EpochHistory};
use hexalog_protocol::message::SegmentState;
use hexalog_protocol::{DeviceId, GeometryEpoch, Lsn, Page, PageId, SegmentId};
use hexalog_storage_format::address::{AREA_EXTENTS, BlockAddress};
use hexalog_storage_format::aligned::BLOCK_BYTES;
use hexalog_storage_format::append::{APPEND_HEADER_BYTES, AppendHeader, append_bytes};
use hexalog_storage_format::checkpoint::{
    DeltaRef, ImageRef, Item, LogRun, PART_BEGINS_CHAIN, PART_BEGINS_SEGMENTS, PART_ENDS_CHECKPOINT,
    PART_HEADER_BYTES, PageVersions, PartHeader, SegmentImage, VersionsThrough, part_bytes,
};
use hexalog_storage_format::delta::{self, BlockBuilder, BlockIdentity, DeltaRecord};
use hexalog_storage_format::entry::{Entries, Entry};
use hexalog_storage_format::label;
use hexalog_storage_format::superblock::{LogSpan, Superblock};

/// The label of a block device.
pub const LABEL: Target = Target {
    name: "label",
    seeds: || vec![("label", label::encode("{\"format_version\": 1, \"node\": 3}").expect("it is short"))],
    mend: mend_label,
    check: check_label,
    allocated_bytes_max: |_| label::LABEL_BYTES,
};
/// One slot of the superblock, in slot 1.
pub const SUPERBLOCK: Target = Target {
    name: "superblock",
    seeds: superblock_seeds,
    mend: mend_superblock,
    check: check_superblock,
    allocated_bytes_max: |_| 8 * BLOCK_BYTES,
};

/// A log append with its entries.
pub const APPEND: Target = Target {
    name: "append",
    seeds: append_seeds,
    mend: mend_append,
    check: check_append,
    // Members grow from 20 bytes to twice that; the check encodes entries and batches again.
    allocated_bytes_max: |bytes| 24 * bytes + 8 * BLOCK_BYTES,
};

/// A part of an index checkpoint with its items.
pub const CHECKPOINT: Target = Target {
    name: "checkpoint",
    seeds: checkpoint_seeds,
    mend: mend_checkpoint,
    check: check_checkpoint,
    // A page without versions takes three bytes here and about a hundred in memory.
    allocated_bytes_max: |bytes| 64 * bytes + 8 * BLOCK_BYTES,
};

/// A delta block.
pub const DELTA: Target = Target {
    name: "delta",
    seeds: delta_seeds,
    mend: mend_delta,
    check: check_delta,
    // A record takes at least three bytes here and forty in memory; the check packs them again.
    allocated_bytes_max: |bytes| 24 * bytes + 8 * BLOCK_BYTES,
};

/// A page image.
pub const PAGE: Target = Target {
    name: "page",
    seeds: page_seeds,
    mend: mend_page,
    check: check_page,
    allocated_bytes_max: |_| 64 * 1024,
};

const DEVICE: DeviceId = DeviceId(9);
const PAGE_ID: PageId = PageId(44);
const SUPERBLOCK_SLOT: usize = 1;

fn superblock() -> Superblock {
    Superblock {
        device: DEVICE,
        generation: 7,
        log_bytes: 1 << 20,
        extents_bytes: 1 << 24,
        extent_bytes: 1 << 16,
        log_head: 8192,
        replay_from: 1 << 20 | 4096,
        replay_sequence: 99,
        replay_previous_crc: 0x1234_5678,
        checkpoint_bytes: 4096,
        checkpoint: BlockAddress::new(AREA_EXTENTS, 65536),
        checkpoint_generation: 3,
        checkpoint_crc: 0x5566_7788,
        spans: vec![
            LogSpan { incarnation: 5, position: 0, sequence: 1 },
            LogSpan { incarnation: 6, position: 4096, sequence: 50 },
        ],
    }
}

fn mend_label(input: &mut [u8]) {
    let Some(length) = input.get(12..16) else { return };
    let length = u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
    let Some(text) = length.checked_add(16).and_then(|end| input.get(16..end)) else { return };
    let crc = crc32c::crc32c(text);
    input[8..12].copy_from_slice(&crc.to_le_bytes());
}

fn check_label(input: &[u8]) -> &'static str {
    let text = match label::decode(input) {
        Ok(text) => text,
        Err(malformed) => return malformed.what,
    };
    if let Some(again) = label::encode(text) {
        assert_eq!(label::decode(&again), Ok(text));
    }
    TAKEN
}

fn superblock_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut block = vec![0; BLOCK_BYTES];
    superblock().encode(&mut block);
    vec![("superblock", block)]
}

fn mend_superblock(input: &mut [u8]) {
    put_crc(input, 0..BLOCK_BYTES - 4, BLOCK_BYTES - 4);
}

fn check_superblock(input: &[u8]) -> &'static str {
    // A slot has one length: what a mutant lacks or has too much says nothing of the device.
    let mut block = input.to_vec();
    block.resize(BLOCK_BYTES, 0);
    let superblock = match Superblock::decode(&block, SUPERBLOCK_SLOT) {
        Ok(superblock) => superblock,
        Err(malformed) => return malformed.what,
    };
    let mut again = vec![0; BLOCK_BYTES];
    superblock.encode(&mut again);
    assert_eq!(Superblock::decode(&again, SUPERBLOCK_SLOT), Ok(superblock));
    TAKEN
}

fn history() -> EpochHistory {
    let mut history = EpochHistory::new();
    history.push(EpochEntry { writer: WRITER, vdl: Lsn(5), upper: Lsn(20) });
    history
}

fn append_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let (volume, group) = (VOLUME, GROUP);
    let sealed = sealed();
    let batch = hexalog_protocol::batch::Batch::read(&mut Reader::new(&sealed)).expect("a batch");
    let heard = Entry::Heard { volume, writer: WRITER, vdl: Lsn(4), pgmrpl: Lsn(3), wall_time_us: 77 };
    let control = [
        Entry::CreateSegment(create_segment()),
        Entry::RestoreSegment(create_segment()),
        Entry::EpochBump { volume, group, writer: WRITER },
        Entry::InstallHistory { volume, group, history: history() },
        Entry::Membership { volume, group, membership: membership() },
        heard.clone(),
        Entry::MemberBeyondRetention { volume, group, segment: SegmentId(8) },
        Entry::NeedsHydration { volume, group, scl: Lsn(9) },
    ];
    vec![("control", append(&control)), ("batches", append(&[Entry::Batch { volume, batch }, heard]))]
}

fn append(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    entries.iter().for_each(|entry| entry.encode(&mut bytes));
    let mut append = vec![0; append_bytes(bytes.len())];
    append[APPEND_HEADER_BYTES..APPEND_HEADER_BYTES + bytes.len()].copy_from_slice(&bytes);
    let header = AppendHeader {
        device: DEVICE,
        offset: 4096,
        incarnation: 0x1111,
        sequence: 12,
        position: 3 * 65536 + 4096,
        previous_crc: 77,
        append_bytes: append.len() as u32,
        entries_bytes: bytes.len() as u32,
        entries_count: entries.len() as u32,
        entries_crc: crc32c::crc32c(&bytes),
    };
    header.encode(&mut append);
    append
}

fn mend_append(input: &mut [u8]) {
    let Some(entries_bytes) = u32_at(input, 56) else { return };
    let end = APPEND_HEADER_BYTES.saturating_add(entries_bytes as usize);
    // Entry by entry: a batch carries a checksum of its own.
    let mut at = APPEND_HEADER_BYTES;
    while let Some(length) = u32_at(input, at + 4) {
        if input[at] == 1 {
            mend_batch(input, at + 24);
        }
        at = at.saturating_add(8).saturating_add(length as usize);
        if at >= end {
            break;
        }
    }
    put_crc(input, APPEND_HEADER_BYTES..end, 96);
    put_crc(input, 0..124, 124);
}

fn check_append(input: &[u8]) -> &'static str {
    let (header, crc) = match AppendHeader::decode(input) {
        Ok(header) => header,
        Err(malformed) => return malformed.what,
    };
    let entries = match header.entries(input) {
        Ok(entries) => entries,
        Err(malformed) => return malformed.what,
    };
    if header.append_bytes as usize <= input.len() {
        let mut again = vec![0; header.append_bytes as usize];
        let crc_again = header.encode(&mut again);
        assert_eq!(AppendHeader::decode(&again), Ok((header, crc_again)));
        assert!(crc == crc_again || input[60..124] != again[60..124], "one header has one checksum");
    }
    let mut answer = TAKEN;
    let mut again = Vec::with_capacity(entries.len());
    for entry in Entries::new(entries) {
        match entry {
            Ok(entry) => {
                if let Entry::Batch { batch, .. } = &entry {
                    check_batch(batch);
                }
                entry.encode(&mut again);
                assert!(entries.starts_with(&again), "one entry has one encoding");
            }
            Err(malformed) => answer = malformed.what,
        }
    }
    answer
}

fn checkpoint_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let (volume, group) = (VOLUME, GROUP);
    let address = BlockAddress::new(AREA_EXTENTS, 8192);
    let image = ImageRef { lsn: Lsn(10), address, crc: 77 };
    let delta = DeltaRef { from: Lsn(10), to: Lsn(30), address, bytes: 300, crc: 5 };
    let segment = SegmentImage {
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
        bumped: WRITER,
        history: history(),
        membership: membership(),
        beyond_retention: vec![SegmentId(3)],
    };
    let pages = vec![
        (PageId(70), PageVersions { image: Some(image), delta: None }),
        (PageId(64), PageVersions { image: Some(image), delta: Some(delta) }),
        (PageId(99), PageVersions::default()),
    ];
    let run = LogRun { first: Lsn(1), last: Lsn(9), position: 0, end: 4096 };
    let through = VersionsThrough { image: Lsn(10), delta: Lsn(30) };
    let items = [
        Item::Runs(volume, group, vec![run]),
        Item::Pages(volume, group, pages),
        Item::Segment(segment),
        Item::Versions(volume, group, through),
    ];
    let mut bytes = Vec::new();
    items.iter().for_each(|item| item.encode(&mut bytes));
    let header = PartHeader {
        device: DEVICE,
        offset: 65536,
        generation: 3,
        index: 1,
        flags: PART_BEGINS_CHAIN | PART_BEGINS_SEGMENTS | PART_ENDS_CHECKPOINT,
        previous: BlockAddress::new(AREA_EXTENTS, 4096),
        previous_bytes: 4096,
        previous_crc: 0x99aa_bbcc,
    };
    let mut part = vec![0; part_bytes(bytes.len())];
    header.encode(&bytes, &mut part);
    vec![("part", part)]
}

fn mend_checkpoint(input: &mut [u8]) {
    let Some(items_bytes) = u32_at(input, 52) else { return };
    let end = PART_HEADER_BYTES.saturating_add(items_bytes as usize);
    put_crc(input, PART_HEADER_BYTES..end, 56);
    put_crc(input, 0..124, 124);
}

fn check_checkpoint(input: &[u8]) -> &'static str {
    let (header, items) = match PartHeader::decode(input) {
        Ok(part) => part,
        Err(malformed) => return malformed.what,
    };
    let mut part = vec![0; part_bytes(items.len())];
    header.encode(items, &mut part);
    assert_eq!(PartHeader::decode(&part), Ok((header, items)));
    let mut reader = Reader::new(items);
    let mut again = Vec::with_capacity(items.len());
    while reader.remaining() > 0 {
        match Item::decode(&mut reader) {
            Ok(item) => item.encode(&mut again),
            Err(malformed) => return malformed.what,
        }
    }
    assert!(again == items, "one item has one encoding");
    TAKEN
}

const DELTA_BLOCK: BlockIdentity = BlockIdentity { device: DEVICE, offset: 8192, volume: VOLUME };

fn delta_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let records = [
        DeltaRecord { lsn: Lsn(12), page_backlink: Lsn(10), operations: &[1] },
        DeltaRecord { lsn: Lsn(500), page_backlink: Lsn(12), operations: &[4, 96, 2, 9] },
    ];
    let mut builder = BlockBuilder::new(VOLUME);
    builder.push(PAGE_ID, Lsn(10), &records).expect("room for one");
    builder.push(PageId(PAGE_ID.0 + 3), Lsn(11), &records[..1]).expect("room for two");
    let mut block = vec![0; BLOCK_BYTES];
    builder.seal(DEVICE, DELTA_BLOCK.offset, &mut block);
    vec![("delta", block)]
}

fn mend_delta(input: &mut [u8]) {
    if input.len() >= BLOCK_BYTES {
        let crc = delta::checksum(input);
        put_u32(input, 84, crc);
    }
}

fn check_delta(input: &[u8]) -> &'static str {
    // The index entry says the same as the block: what is past that check is to be reached.
    let Some(crc) = u32_at(input, 84) else { return "short" };
    let deltas = match delta::decode(input, &DELTA_BLOCK, crc) {
        Ok(deltas) => deltas,
        Err(malformed) => return malformed.what,
    };
    let mut builder = BlockBuilder::new(VOLUME);
    for delta in &deltas {
        let found = delta::find(input, &DELTA_BLOCK, crc, delta.page, delta.from);
        assert_eq!(found.as_ref(), Ok(delta));
        builder.push(delta.page, delta.from, &delta.records).expect("it had room");
    }
    let mut block = vec![0; BLOCK_BYTES];
    let sealed_crc = builder.seal(DEVICE, DELTA_BLOCK.offset, &mut block);
    assert_eq!(delta::decode(&block, &DELTA_BLOCK, sealed_crc), Ok(deltas));
    let end = delta::DELTA_HEADER_BYTES + usize::from(u16::from_le_bytes([input[88], input[89]]));
    assert!(block[88..92] == input[88..92], "as many bytes and deltas");
    assert!(block[96..end] == input[96..end], "one delta has one encoding");
    TAKEN
}

fn page_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut page = Page::new(VOLUME, PAGE_ID);
    page.seal_for_device(DEVICE, BlockAddress::new(AREA_EXTENTS, 8192).0);
    vec![("image", page.bytes().to_vec())]
}

fn mend_page(input: &mut [u8]) {
    if input.len() == hexalog_protocol::PAGE_SIZE {
        let crc = crc32c::crc32c_append(crc32c::crc32c(&input[..84]), &input[88..]);
        put_u32(input, 84, crc);
    }
}

fn check_page(input: &[u8]) -> &'static str {
    let Some(mut page) = Page::from_bytes(input) else { return "size" };
    if !page.verify(VOLUME, PAGE_ID) {
        return "refused";
    }
    assert_eq!((page.volume(), page.id()), (VOLUME, PAGE_ID));
    let hash = page.content_hash();
    page.seal_for_wire();
    assert!(page.verify(VOLUME, PAGE_ID), "a page that is sent on is taken");
    assert_eq!(page.content_hash(), hash, "where a page stands is not part of what it says");
    TAKEN
}
