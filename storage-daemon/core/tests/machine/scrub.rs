//! What rots unread is found by reading it, and mended, before anyone or any restart needs it.

use crate::world::{World, options};
use crate::writer::{Writer, create_volume};
use hexalog_protocol::PageId;
use hexalog_storage_core::effects::Area;
use hexalog_storage_format::superblock::Superblock;

const PERIOD_US: u64 = 1_000_000;

/// Node 0 has pages on its device; no one reads them.
fn written(seed: u64) -> (World, Writer) {
    let mut world = World::with_options(seed, |node| {
        let mut options = options(node);
        options.scrub_period_us = PERIOD_US;
        options.log_bytes = 1 << 20;
        options.log_prepared_bytes = options.log_bytes;
        options
    });
    create_volume(&mut world, 2);
    let mut writer = Writer::open(&mut world, 1, 2, None);
    writer.write_many(&mut world, 60);
    writer.tell_floor(&mut world);
    writer.converge(&mut world);
    world.run_us(1_000_000);
    (world, writer)
}

fn run_rounds(world: &mut World, rounds: u64) {
    let goal = world.counter(0, "scrub_rounds") + rounds;
    world.run_until("it has read everything", |world| world.counter(0, "scrub_rounds") >= goal);
}

fn check_restart(world: &mut World, writer: &mut Writer) {
    world.power_cycle(0, 0);
    assert_eq!(world.counter(0, "logs_damaged"), 0);
    writer.converge(world);
    let vdl = writer.vdl;
    for page in (0..32).map(PageId) {
        assert_eq!(writer.check_page(world, 0, page, vdl), Some(()));
    }
    assert_eq!(world.counter(0, "crc_errors"), 0);
    assert!(world.halts.is_empty(), "{:?}", world.halts);
}

#[test]
fn a_round_reads_everything_and_finds_nothing_wrong() {
    let (mut world, mut writer) = written(900);
    run_rounds(&mut world, 2);
    assert!(world.counter(0, "pages_scrubbed") >= 32);
    for name in ["crc_errors", "blocks_damaged", "pages_quarantined", "pages_repaired"] {
        assert_eq!(world.counter(0, name), 0, "{name}");
    }
    check_restart(&mut world, &mut writer);
}

/// Neither faster than it must be, which takes the device from others, nor slower than the period that operators are promised.
#[test]
fn a_round_over_many_pages_is_spread_over_its_period() {
    const GROUPS: u32 = 8;
    let mut world = World::with_options(905, |node| {
        let mut options = options(node);
        options.scrub_period_us = PERIOD_US;
        options.log_bytes = 1 << 20;
        options.log_prepared_bytes = options.log_bytes;
        options
    });
    create_volume(&mut world, GROUPS);
    let mut writer = Writer::open(&mut world, 1, GROUPS, None);
    (0..u64::from(GROUPS) * 16).for_each(|page| {
        writer.write_pages(&mut world, &[PageId(page)]);
        writer.settle(&mut world);
    });
    writer.tell_floor(&mut world);
    writer.converge(&mut world);
    world.run_us(1_000_000);
    run_rounds(&mut world, 1);
    let (begun_us, before) = (world.now_us, world.counter(0, "pages_scrubbed"));
    run_rounds(&mut world, 1);
    let took_us = world.now_us - begun_us;
    assert_eq!(world.counter(0, "pages_scrubbed") - before, 128);
    // A read may wait for the foreground, and each takes its time on the device.
    assert!((PERIOD_US * 9 / 10..PERIOD_US * 3 / 2).contains(&took_us), "a round took {took_us} us");
}

#[test]
fn pages_that_no_one_reads_are_mended() {
    let (mut world, mut writer) = written(901);
    for block in world.disk(0).bytes_mut(Area::Extents).chunks_mut(4096) {
        if block[..8] != *b"HXCHKPT3" {
            block[2_000] ^= 1;
        }
    }
    run_rounds(&mut world, 2);
    world.run_until("all are mended", |world| world.counter(0, "pages_to_repair") == 0);
    assert!(world.counter(0, "pages_repaired") >= 16);
    world.run_us(500_000);
    check_restart(&mut world, &mut writer);
}

#[test]
fn a_damaged_part_of_the_index_is_written_anew() {
    let (mut world, mut writer) = written(902);
    for block in world.disk(0).bytes_mut(Area::Extents).chunks_mut(4096) {
        if block[..8] == *b"HXCHKPT3" {
            block[130] ^= 1;
        }
    }
    run_rounds(&mut world, 2);
    assert!(world.counter(0, "blocks_damaged") > 0);
    world.run_us(500_000);
    check_restart(&mut world, &mut writer);
}

#[test]
fn a_damaged_newest_superblock_is_replaced() {
    let (mut world, mut writer) = written(903);
    let area = world.disk(0).bytes_mut(Area::Superblock);
    let generation = |slot: usize| u64::from_le_bytes(area[slot + 32..slot + 40].try_into().expect("eight"));
    let newest = if generation(0) > generation(4096) { 0 } else { 4096 };
    area[newest + 50] ^= 1;
    // The other slot is the only one that is valid until then: a torn write there would leave none.
    let other = 4096 - newest;
    let kept = area[other..other + 4096].to_vec();
    let is_mended =
        |world: &mut World| Superblock::valid(world.disk(0).bytes_mut(Area::Superblock)).len() == 2;
    let mut waited_ms = 0;
    while !is_mended(&mut world) {
        waited_ms += 1;
        assert!(waited_ms < 10_000, "it is not found");
        assert_eq!(world.disk(0).bytes_mut(Area::Superblock)[other..other + 4096], kept);
        world.run_us(1_000);
    }
    assert_eq!(world.counter(0, "blocks_damaged"), 1);
    world.run_us(500_000);
    check_restart(&mut world, &mut writer);
}

#[test]
fn a_damaged_append_is_left_behind_before_a_restart_needs_it() {
    let (mut world, mut writer) = written(904);
    // Records that gather in memory: the log is where a restart would find them.
    writer.write_many(&mut world, 10);
    writer.settle(&mut world);
    let log = world.disk(0).bytes_mut(Area::Log);
    let position =
        |log: &[u8], at: usize| u64::from_le_bytes(log[at + 40..at + 48].try_into().expect("eight"));
    let mut places: Vec<usize> =
        (0..log.len()).step_by(4096).filter(|at| log[*at..*at + 8] == *b"HXAPPND1").collect();
    places.sort_by_key(|at| position(log, *at));
    let bad = places[places.len() - 4];
    log[bad + 130] ^= 1;
    for _ in 0..20 {
        writer.tell_floor(&mut world);
        writer.write_pages(&mut world, &[PageId(3)]);
        writer.settle(&mut world);
        world.run_us(100_000);
    }
    run_rounds(&mut world, 1);
    check_restart(&mut world, &mut writer);
}
