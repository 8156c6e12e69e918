//! A file system below that has less space than a device was formatted with.

use crate::rng::seeds;
use crate::world::{Below, NODES, World, options};
use crate::writer::{Writer, create_volume};
use hexalog_protocol::PageId;
use hexalog_storage_core::options::extents_backed_bytes_min;

const ROOM_FULL: u64 = 2;
/// 128 pages are 16 extents of 64 KiB; a device of the least space has room for half of them.
const GROUPS: u32 = 8;

/// Devices that have been given no more than a new one needs.
fn new_devices(seed: u64) -> World {
    World::with_options(seed, |node| {
        let mut options = options(node);
        options.extents_backed_bytes = extents_backed_bytes_min(options.extents_bytes, options.extent_bytes);
        options.checkpoint_part_bytes = 4 << 10;
        options
    })
}

fn write_rounds(world: &mut World, writer: &mut Writer, rounds: usize) {
    for _ in 0..rounds {
        writer.write_many(world, 10);
        writer.settle(world);
        writer.raise_pgmrpl_to_vdl();
    }
}

/// As `write_rounds`, with members that may not answer for long.
fn write_rounds_at_quorum(world: &mut World, writer: &mut Writer, rounds: usize) {
    for _ in 0..rounds {
        writer.write_many(world, 10);
        let mut turns = 0;
        while writer.vdl < writer.last {
            turns += 1;
            assert!(turns < 10_000, "four of six are well");
            world.run_us(500);
            writer.pump(world);
        }
        writer.raise_pgmrpl_to_vdl();
    }
}

/// Writes for a while without waiting for what may never come, then lets time pass.
fn write_into_the_wall(world: &mut World, writer: &mut Writer, count: usize) {
    for _ in 0..count {
        writer.write(world);
        writer.pump(world);
        // The floor goes on rising, or old read points would hold the log.
        writer.raise_pgmrpl_to_vdl();
        world.run_us(2_000);
    }
}

/// A member whose log is full may lack the newest; others have it.
fn check_served_by_some(world: &mut World, writer: &mut Writer) {
    let vdl = writer.vdl;
    for page in (0..u64::from(GROUPS) * 16).map(PageId) {
        let is_served = (0..NODES).any(|node| writer.check_page(world, node, page, vdl).is_some());
        assert!(is_served, "{page:?}");
    }
}

/// Space comes as it is wanted, ahead of what is written.
#[test]
fn a_device_gets_space_as_it_fills() {
    let mut world = new_devices(700);
    let first = world.counter(0, "extents_backed_bytes");
    create_volume(&mut world, GROUPS);
    let mut writer = Writer::open(&mut world, 1, GROUPS, None);
    write_rounds(&mut world, &mut writer, 60);
    writer.converge(&mut world);
    for node in 0..NODES {
        assert!(world.counter(node, "extents_backed_bytes") > first, "node {node}");
        assert_eq!(world.counter(node, "room"), 0, "node {node}");
        assert_eq!(world.counter(node, "no_space_refusals"), 0, "node {node}");
    }
    world.power_cycle_all();
    writer.converge(&mut world);
    writer.check_all_served(&mut world);
}

/// To writers a full file system is a full device: told in time, nothing halts, every page is read, and when there is space
/// again everything goes on.
#[test]
fn a_full_file_system_is_a_full_device() {
    for seed in seeds(710, 1) {
        let mut world = new_devices(seed);
        (0..NODES).for_each(|node| world.set_below(node, Below::Full));
        create_volume(&mut world, GROUPS);
        let mut writer = Writer::open(&mut world, 1, GROUPS, None);
        let is_full = |world: &World| (0..NODES).all(|node| world.counter(node, "room") == ROOM_FULL);
        let mut rounds = 0;
        while !is_full(&world) {
            rounds += 1;
            assert!(rounds < 400, "seed {seed}: never told");
            write_rounds(&mut world, &mut writer, 1);
        }
        // This writer does not listen: it goes on until logs are full.
        let is_refused = |world: &World| (0..NODES).any(|node| world.counter(node, "no_space_refusals") > 0);
        let mut tries = 0;
        while !is_refused(&world) && tries < 40 {
            tries += 1;
            write_into_the_wall(&mut world, &mut writer, 50);
        }
        assert!(is_refused(&world), "seed {seed}");
        assert!(world.halts.is_empty(), "{:?}", world.halts);
        check_served_by_some(&mut world, &mut writer);
        // Power fails in it: all is there, and still full.
        world.power_cycle(0, 3_000);
        write_into_the_wall(&mut world, &mut writer, 50);
        assert!(world.counter(0, "extents_backed_bytes") < options(0).extents_bytes);
        (0..NODES).for_each(|node| world.set_below(node, Below::Ample));
        writer.converge(&mut world);
        world.run_us(3_000_000);
        assert!((0..NODES).all(|node| world.counter(node, "room") == 0), "seed {seed}");
        writer.check_all_served(&mut world);
        world.power_cycle_all();
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
    }
}

/// A write that finds no space where there was to be some costs nothing but time: records stay in log and memory, the member
/// acknowledges as long as its log has room, and what was in flight is written again.
#[test]
fn writes_that_find_no_space_are_tried_again() {
    for (seed, below) in seeds(720, 4).zip([Below::Refuses, Below::RefusesAll].into_iter().cycle()) {
        let mut world = new_devices(seed);
        create_volume(&mut world, GROUPS);
        let mut writer = Writer::open(&mut world, 1, GROUPS, None);
        write_rounds(&mut world, &mut writer, 20);
        world.set_below(0, below);
        world.set_below(1, below);
        // Less than a log holds.
        write_rounds_at_quorum(&mut world, &mut writer, 3);
        world.run_us(400_000);
        write_rounds_at_quorum(&mut world, &mut writer, 3);
        for node in 0..2 {
            assert!(world.counter(node, "no_space_writes") > 0, "seed {seed} node {node}");
            assert_eq!(world.counter(node, "room"), ROOM_FULL, "seed {seed} node {node}");
        }
        assert!(world.halts.is_empty(), "{:?}", world.halts);
        if below == Below::Refuses {
            writer.check_all_served(&mut world);
        }
        if seed.is_multiple_of(2) {
            world.power_cycle(1, 3_000);
        }
        world.set_below(0, Below::Ample);
        world.set_below(1, Below::Ample);
        world.run_us(1_500_000);
        writer.converge(&mut world);
        assert!((0..2).all(|node| world.counter(node, "room") == 0), "seed {seed}");
        world.power_cycle_all();
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
    }
}

/// All six at once: what was appended waits, and is durable when there is space.
#[test]
fn a_log_without_space_below_halts_nothing() {
    let mut world = new_devices(730);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    write_rounds(&mut world, &mut writer, 5);
    (0..NODES).for_each(|node| world.set_below(node, Below::RefusesAll));
    let vdl = writer.vdl;
    write_into_the_wall(&mut world, &mut writer, 20);
    assert_eq!(writer.vdl, vdl, "nothing is acknowledged that is not durable");
    assert!(world.halts.is_empty(), "{:?}", world.halts);
    (0..NODES).for_each(|node| world.set_below(node, Below::Ample));
    writer.converge(&mut world);
    assert!(writer.vdl > vdl);
    writer.check_all_served(&mut world);
}
