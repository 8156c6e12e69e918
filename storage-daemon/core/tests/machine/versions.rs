//! Devices that an older version of the code has written.

use crate::world::{World, options};
use crate::writer::{Writer, create_volume};
use hexalog_protocol::PageId;
use hexalog_storage_core::effects::Area;
use hexalog_storage_format::checkpoint::{PART_BEGINS_CHAIN, PartHeader, part_bytes, part_crc};
use hexalog_storage_format::superblock::{SUPERBLOCK_SLOTS, Superblock};

const BLOCK: usize = 4096;
const OLD: usize = 1;
const OLD_PART: &[u8; 8] = b"HXCHKPT2";

/// Node 1 has a chain of several parts and page versions, and is down.
fn written(seed: u64) -> (World, Writer) {
    let mut world = World::with_options(seed, |node| {
        let mut options = options(node);
        options.checkpoint_deltas_max = 64;
        options
    });
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    for _ in 0..6 {
        writer.write_many(&mut world, 10);
        writer.tell_floor(&mut world);
        world.run_us(300_000);
    }
    writer.converge(&mut world);
    world.stop(OLD);
    assert!(chain(&mut world).len() > 2, "a base and deltas");
    (world, writer)
}

fn seal(block: &mut [u8], crc_at: usize) {
    let crc = crc32c::crc32c(&block[..crc_at]);
    block[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
}

/// What superblock version 3 and parts "HXCHKPT2" had at those places: zeros instead of checksums. The rest is as it was; the golden
/// bytes of both stand in `storage-daemon/format`.
fn make_older(world: &mut World) {
    let device = world.disk(OLD);
    for slot in device.bytes_mut(Area::Superblock).chunks_mut(BLOCK).take(SUPERBLOCK_SLOTS) {
        slot[8] = 3;
        slot[148..152].fill(0);
        seal(slot, BLOCK - 4);
    }
    for block in device.bytes_mut(Area::Extents).chunks_mut(BLOCK) {
        if block[..8] == *b"HXCHKPT3" {
            block[..8].copy_from_slice(OLD_PART);
            block[92..96].fill(0);
            seal(block, 124);
        }
    }
}

/// The chain that a start would follow, newest part first: where each stands, its header, whether it is of the version before.
fn chain(world: &mut World) -> Vec<(usize, PartHeader, bool)> {
    let device = world.disk(OLD);
    let newest = Superblock::newest(device.bytes_mut(Area::Superblock)).expect("it was formatted");
    let extents = device.bytes_mut(Area::Extents);
    let mut chain = Vec::new();
    let mut at = newest.checkpoint.offset() as usize;
    loop {
        let (header, _) = PartHeader::decode(&extents[at..]).expect("a part");
        chain.push((at, header, extents[at..at + 8] == *OLD_PART));
        if header.flags & PART_BEGINS_CHAIN != 0 {
            return chain;
        }
        at = header.previous.offset() as usize;
    }
}

fn start(world: &mut World) {
    world.start(OLD);
    world.run_until("it has started", |world| world.is_ready(OLD));
}

fn assert_all_served(world: &mut World, writer: &mut Writer) {
    let vdl = writer.vdl;
    for page in (0..16).map(PageId) {
        assert_eq!(writer.check_page(world, OLD, page, vdl), Some(()), "{:?}", writer.refusals.last());
    }
}

/// The first checkpoint after an upgrade goes on from the old parts: it tells the checksums that these did not.
fn upgraded(seed: u64) -> (World, Writer) {
    let (mut world, mut writer) = written(seed);
    make_older(&mut world);
    assert!(chain(&mut world).iter().all(|(.., is_old)| *is_old));
    start(&mut world);
    assert_eq!(world.counter(OLD, "logs_damaged"), 0, "{:?}", world.logs.last());
    writer.converge(&mut world);
    assert_all_served(&mut world, &mut writer);
    writer.write_many(&mut world, 10);
    writer.tell_floor(&mut world);
    writer.converge(&mut world);
    world.run_us(1_000_000);
    (world, writer)
}

#[test]
fn a_device_of_the_version_before_is_read_and_gone_on_with() {
    for seed in 830..833 {
        let (mut world, mut writer) = upgraded(seed);
        world.stop(OLD);
        let parts = chain(&mut world);
        assert!(!parts[0].2 && parts.last().is_some_and(|(.., is_old)| *is_old), "{parts:?}");
        let newest = Superblock::newest(world.disk(OLD).bytes_mut(Area::Superblock)).expect("valid");
        assert_ne!(newest.checkpoint_crc, 0);
        start(&mut world);
        assert_eq!(world.counter(OLD, "logs_damaged"), 0, "{:?}", world.logs.last());
        writer.converge(&mut world);
        assert_all_served(&mut world, &mut writer);
        writer.raise_pgmrpl_to_vdl();
        writer.check_all_served(&mut world);
    }
}

/// As far as the new parts name old ones, one that stands in another's place is found among them too.
#[test]
fn the_newest_old_part_is_named_with_its_checksum() {
    let (mut world, mut writer) = upgraded(835);
    world.stop(OLD);
    let parts = chain(&mut world);
    let first_old = parts.iter().position(|(.., is_old)| *is_old).expect("it goes on from old parts");
    let ((_, naming, _), (at, old, _)) = (parts[first_old - 1], parts[first_old]);
    let extents = world.disk(OLD).bytes_mut(Area::Extents);
    assert_eq!(naming.previous_crc, part_crc(&extents[at..]));
    let older = PartHeader { generation: old.generation - 1, ..old };
    older.encode(&[], &mut extents[at..at + part_bytes(0)]);
    start(&mut world);
    world.run_until("it is found", |world| world.counter(OLD, "indexes_lost") == 1);
    assert!(world.logs.iter().any(|line| line.contains("it is another part")), "{:?}", world.logs.last());
    writer.write_many(&mut world, 10);
    writer.converge(&mut world);
    writer.raise_pgmrpl_to_vdl();
    writer.check_all_served(&mut world);
}
