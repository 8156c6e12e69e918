//! A start: writes are taken before the index is loaded.

use crate::damage::appends;
use crate::rng::seeds;
use crate::world::{NODES, World, options};
use crate::writer::{Writer, create_volume};
use hexalog_protocol::message::RefusalReason;
use hexalog_protocol::{GroupId, PageId};
use hexalog_storage_core::effects::Area;
use hexalog_storage_format::append::APPEND_HEADER_BYTES;
use hexalog_storage_format::superblock::LOG_SPANS_MAX;

const STARTED: usize = 4;

/// All members have page versions, in a chain of several parts.
fn with_versions(mut world: World) -> (World, Writer) {
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    for _ in 0..4 {
        writer.write_many(&mut world, 30);
        writer.tell_floor(&mut world);
        writer.converge(&mut world);
        world.run_us(500_000);
    }
    assert!(world.counter(STARTED, "coalesced_pages") > 0);
    (world, writer)
}

/// It is up again, and the device does not give it its index.
fn started_without_index(world: &mut World) {
    world.start(STARTED);
    world.run_until("it is ready", |world| world.is_ready(STARTED));
    world.set_holding(STARTED, Some(Area::Extents));
    assert!(!world.has_index(STARTED));
}

fn refuses_reads(world: &mut World, writer: &mut Writer) {
    let vdl = writer.vdl;
    assert_eq!(writer.check_page(world, STARTED, PageId(3), vdl), None);
    assert_eq!(writer.refusals.last().map(|refusal| refusal.reason), Some(RefusalReason::Busy));
}

/// Writes records and waits until the member has acknowledged them.
fn acknowledges(world: &mut World, writer: &mut Writer, count: usize) {
    writer.write_many(world, count);
    let tail = writer.last;
    let mut turns = 0;
    while writer.scl(STARTED, GroupId(0)) < tail {
        turns += 1;
        assert!(turns < 1_000, "seed {}: it does not acknowledge", world.seed);
        world.run_us(1_000);
        writer.pump(world);
    }
}

#[test]
fn writes_are_acknowledged_before_the_index_is_loaded() {
    for seed in 900..904 {
        let (mut world, mut writer) = with_versions(World::new(seed));
        world.kill(STARTED);
        started_without_index(&mut world);
        acknowledges(&mut world, &mut writer, 20);
        assert!(!world.has_index(STARTED));
        refuses_reads(&mut world, &mut writer);
        // What it acknowledged it has after a power cut too.
        world.power_loss(STARTED);
        world.set_holding(STARTED, None);
        started_without_index(&mut world);
        acknowledges(&mut world, &mut writer, 5);
        world.set_holding(STARTED, None);
        writer.converge(&mut world);
        writer.raise_pgmrpl_to_vdl();
        writer.check_all_served(&mut world);
        assert_eq!(world.counter(STARTED, "indexes_lost"), 0);
    }
}

/// The members that are up go on without it; what it lost it gets from them, and it counts for nothing meanwhile.
#[test]
fn an_index_that_does_not_read_back_after_the_start_is_fetched_page_by_page() {
    for (seed, crashes, is_idle) in [(910, 0, false), (911, 1, false), (912, 2, false), (913, 0, true)] {
        let (mut world, mut writer) = with_versions(World::new(seed));
        world.kill(STARTED);
        started_without_index(&mut world);
        acknowledges(&mut world, &mut writer, 20);
        world.set_unreadable(STARTED, Some(Area::Extents));
        world.set_holding(STARTED, None);
        world.run_until("it is lost", |world| world.counter(STARTED, "indexes_lost") == 1);
        for _ in 0..crashes {
            world.run_us(700);
            world.power_loss(STARTED);
            world.set_unreadable(STARTED, None);
            world.start(STARTED);
            world.run_until("it is ready", |world| world.is_ready(STARTED));
        }
        world.set_unreadable(STARTED, None);
        if is_idle {
            // Its peers have no more than it had.
            world.run_until("it has all pages", |world| world.counter(STARTED, "segments_hydrated") > 0);
        } else {
            writer.write_many(&mut world, 10);
            writer.tell_floor(&mut world);
        }
        writer.converge(&mut world);
        writer.raise_pgmrpl_to_vdl();
        writer.check_all_served(&mut world);
        world.power_cycle_all();
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
    }
}

/// The log reaches back over far more than may wait in memory: the scan lets go of what is in versions.
#[test]
fn a_scan_that_would_hold_too_much_loads_the_index_first() {
    const BOUND: usize = 16 << 10;
    let world = World::with_options(920, |node| {
        let mut options = options(node);
        options.pending_bytes_max = BOUND;
        options.log_bytes = 4 << 20;
        options.log_prepared_bytes = options.log_bytes;
        options.checkpoint_log_bytes = options.log_bytes;
        options.checkpoint_interval_us = 60_000_000;
        options
    });
    let (mut world, mut writer) = with_versions(world);
    world.power_cycle(STARTED, 0);
    assert!(world.has_index(STARTED), "{:?}", world.logs.last());
    writer.converge(&mut world);
    writer.raise_pgmrpl_to_vdl();
    writer.check_all_served(&mut world);
}

/// Simulator seed 400002604: two runs of a daemon tried to write the same append in the same place, of the same records, and a power
/// cut left the head of the first and the end of the second. That is whole, of a run that the log does not belong to there.
#[test]
fn what_two_torn_appends_make_together_is_no_damage() {
    for seed in seeds(720, 4) {
        let mut world = World::new(seed);
        create_volume(&mut world, 1);
        let mut writer = Writer::open(&mut world, 1, 1, None);
        writer.write_many(&mut world, 10);
        tear_and_make_whole(&mut world, &mut writer);
        world.power_cycle(0, 0);
        writer.write_many(&mut world, 5);
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
        assert_eq!(world.counter(0, "logs_damaged"), 0);
    }
}

/// The same at every place of a ring, at its end and behind checkpoints too.
#[test]
fn torn_appends_are_noted_all_round_the_log() {
    const LOG_BYTES: u64 = 256 << 10;
    let mut world = World::with_options(730, |node| {
        let mut options = options(node);
        options.log_bytes = LOG_BYTES;
        options.log_prepared_bytes = LOG_BYTES;
        options.checkpoint_log_bytes = LOG_BYTES / 8;
        options
    });
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    // The first append of the first lap is no append that goes on at the ring's start.
    let (mut laps, mut last, mut is_torn_at_start) = (0, 0, false);
    for _ in 0..400 {
        writer.write_many(&mut world, 4);
        writer.tell_floor(&mut world);
        let at = tear_and_make_whole(&mut world, &mut writer);
        laps += u32::from(at < last);
        last = at;
        is_torn_at_start |= laps > 0 && at == 0;
        if laps >= 3 && is_torn_at_start {
            break;
        }
    }
    assert!(laps >= 3 && is_torn_at_start, "{laps} laps");
    writer.check_all_served(&mut world);
}

/// Kills all members, tears the end of the last append of one, starts that twice, for nothing, and mends the append. Returns
/// where it stands.
fn tear_and_make_whole(world: &mut World, writer: &mut Writer) -> usize {
    writer.converge(world);
    (0..NODES).for_each(|node| world.kill(node));
    let last = *appends(world, 0).last().expect("it has written");
    tear_last_append(world);
    // Two starts that append nothing: the first finds the end there, the second must not forget what was found.
    for _ in 0..2 {
        world.start(0);
        world.run_until("it has started", |world| world.is_ready(0));
        assert_eq!(world.counter(0, "logs_damaged"), 0);
        world.kill(0);
    }
    tear_last_append(world);
    world.start_all();
    world.run_until("it has started", |world| world.is_ready(0));
    assert_eq!(world.counter(0, "logs_damaged"), 0, "seed {}: {:#?}", world.seed, world.logs);
    writer.write_many(world, 5);
    writer.converge(world);
    last
}

/// Changes a bit at its end, or changes it back.
fn tear_last_append(world: &mut World) {
    let last = *appends(world, 0).last().expect("it has written");
    world.disk(0).bytes_mut(Area::Log)[last + APPEND_HEADER_BYTES + 20] ^= 1;
}

/// Each start leaves its name and that of the run before, whose append is torn: the latter give way when the superblock is full.
#[test]
fn as_many_starts_as_a_superblock_names_leave_torn_appends() {
    let mut world = World::with_options(740, |node| {
        let mut options = options(node);
        // No checkpoint comes in between.
        options.log_bytes = 8 << 20;
        options.log_prepared_bytes = options.log_bytes;
        options.checkpoint_log_bytes = options.log_bytes;
        options.checkpoint_interval_us = 60_000_000_000;
        options
    });
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    for _ in 0..LOG_SPANS_MAX - 20 {
        writer.write_many(&mut world, 1);
        writer.converge(&mut world);
        world.kill(0);
        tear_last_append(&mut world);
        world.start(0);
        world.run_until("it has started", |world| world.is_ready(0));
    }
    writer.write_many(&mut world, 5);
    writer.converge(&mut world);
    writer.check_all_served(&mut world);
    assert_eq!(world.counter(0, "logs_damaged"), 0);
}
