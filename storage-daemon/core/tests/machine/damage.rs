//! Bits that flipped, blocks that are not what they should be, devices that fail.

use crate::world::{NODES, World, options};
use crate::writer::{Writer, create_volume};
use hexalog_protocol::PageId;
use hexalog_protocol::message::RefusalReason;
use hexalog_storage_core::effects::Area;

fn coalesced(seed: u64) -> (World, Writer) {
    coalesced_with(seed, 16)
}

/// Without deltas, every version is an image.
fn coalesced_with(seed: u64, delta_records_max: usize) -> (World, Writer) {
    let mut world = World::with_options(seed, |node| {
        let mut options = options(node);
        options.delta_records_max = delta_records_max;
        options
    });
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 60);
    writer.settle(&mut world);
    writer.raise_pgmrpl_to_vdl();
    for _ in 0..40 {
        // VDL moved with the last acknowledgement: a notice tells it, and the floor with it.
        writer.write_pages(&mut world, &[PageId(15)]);
        writer.settle(&mut world);
        world.run_us(50_000);
    }
    (world, writer)
}

#[test]
fn a_flipped_bit_in_a_page_version_is_counted_and_never_served() {
    for delta_records_max in [0, 16] {
        a_flipped_bit_is_never_served(delta_records_max);
    }
}

fn a_flipped_bit_is_never_served(delta_records_max: usize) {
    let (mut world, mut writer) = coalesced_with(50, delta_records_max);
    let made = if delta_records_max > 0 { "delta_pages" } else { "coalesced_pages" };
    assert!(world.counter(0, made) > 0);
    // Every block of the extents area of one node loses a bit.
    world.disk(0).bytes_mut(Area::Extents).chunks_mut(4096).for_each(|block| block[2_000] ^= 4);
    let vdl = writer.vdl;
    let mut damaged = 0;
    for page in (0..16).map(PageId) {
        if writer.check_page(&mut world, 0, page, vdl).is_none() {
            assert_eq!(writer.refusals.last().map(|refusal| refusal.reason), Some(RefusalReason::Damaged));
            damaged += 1;
        }
        assert_eq!(writer.check_page(&mut world, 1, page, vdl), Some(()));
    }
    assert!(damaged > 0);
    assert_eq!(world.counter(0, "crc_errors"), damaged);
}

#[test]
fn a_misdirected_version_is_found() {
    let (mut world, mut writer) = coalesced_with(51, 0);
    // Intact blocks in the wrong places: two pages' images change places.
    let area = world.disk(0).bytes_mut(Area::Extents);
    let images: Vec<usize> =
        (0..area.len()).step_by(8192).filter(|at| area[*at..*at + 4] == *b"HXP\x01").collect();
    assert!(images.len() > 1);
    for pair in images.chunks_exact(2) {
        let first = area[pair[0]..pair[0] + 8192].to_vec();
        area.copy_within(pair[1]..pair[1] + 8192, pair[0]);
        area[pair[1]..pair[1] + 8192].copy_from_slice(&first);
    }
    let vdl = writer.vdl;
    let served =
        (0..16).filter(|page| writer.check_page(&mut world, 0, PageId(*page), vdl).is_some()).count();
    assert!(served < 16, "what was served is right, what was not is refused");
}

#[test]
fn rot_in_the_middle_of_the_log_stops_the_shard_with_a_clear_text() {
    let mut world = World::new(52);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 30);
    writer.settle(&mut world);
    world.kill(2);
    let log = world.disk(2).bytes_mut(Area::Log);
    let appends: Vec<usize> =
        (0..log.len()).step_by(4096).filter(|at| log[*at..*at + 8] == *b"HXAPPND1").collect();
    assert!(appends.len() > 6);
    // Nothing is coalesced yet: the read point has not moved. The scan begins early enough to meet it.
    log[appends[appends.len() / 2] + 130] ^= 1;
    world.start(2);
    world.run_us(200_000);
    assert!(!world.is_ready(2));
    let (node, text) = world.halts.first().expect("it stops").clone();
    assert_eq!(node, 2);
    assert!(text.contains("is damaged") && text.contains("intact"), "{text}");
}

#[test]
fn a_torn_last_append_is_dropped_and_a_stale_one_behind_it_never_taken() {
    let mut world = World::new(53);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 20);
    writer.settle(&mut world);
    world.kill(2);
    let log = world.disk(2).bytes_mut(Area::Log);
    let last =
        (0..log.len()).step_by(4096).filter(|at| log[*at..*at + 8] == *b"HXAPPND1").max().expect("appends");
    log[last + 140] ^= 0x80;
    // The acknowledged tail is gone from this device: the harness would call that a loss, so it reads the SCL itself.
    world.start(2);
    world.run_until("ready", |world| world.is_ready(2));
    assert!(world.halts.is_empty(), "{:?}", world.halts);
}

#[test]
fn one_damaged_superblock_slot_is_no_loss_two_are_a_clear_stop() {
    let (mut world, mut writer) = coalesced(54);
    world.stop(1);
    world.disk(1).bytes_mut(Area::Superblock)[4096 + 70] ^= 1;
    world.start(1);
    world.run_us(100_000);
    // If the older slot was the damaged one, nothing happened; if the newer, the start may meet freed log. Either it
    // starts or it stops with a text; it never serves something wrong.
    if world.is_ready(1) {
        let vdl = writer.vdl;
        for page in (0..16).map(PageId) {
            writer.check_page(&mut world, 1, page, vdl);
        }
        world.stop(1);
    } else {
        world.kill(1);
    }
    world.disk(1).bytes_mut(Area::Superblock).fill(0x5a);
    world.start(1);
    world.run_us(100_000);
    assert!(!world.is_ready(1));
    assert!(world.halts.iter().any(|(node, text)| *node == 1 && text.contains("superblock")));
}

#[test]
fn a_failed_write_is_never_acknowledged() {
    let mut world = World::new(55);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 10);
    writer.converge(&mut world);
    let group = hexalog_protocol::GroupId(0);
    let before = writer.scl(0, group);
    world.set_failing(0, Some(Area::Log));
    writer.write_many(&mut world, 10);
    world.run_us(20_000);
    writer.pump(&mut world);
    assert_eq!(writer.scl(0, group), before);
    assert!(
        world.halts.iter().any(|(node, text)| *node == 0 && text.contains("errno 5")),
        "{:?}",
        world.halts
    );
    assert!(writer.refusals.iter().any(|refusal| refusal.reason == RefusalReason::DeviceFailed));
    // Reading goes on, and a restart on a healthy device brings the member back.
    let vdl = writer.pgmrpl.max(hexalog_protocol::Lsn(1));
    assert_eq!(writer.check_page(&mut world, 0, PageId(1), vdl), Some(()));
    world.kill(0);
    world.set_failing(0, None);
    world.start(0);
    writer.converge(&mut world);
    assert!(NODES > 0 && writer.scl(0, group) > before);
}
