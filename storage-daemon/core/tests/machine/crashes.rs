//! Kills and power losses: what was acknowledged is there afterwards. [`Writer::pump`] compares the SCLs that a
//! member tells when it comes back with those that it acknowledged.

use crate::rng::seeds;
use crate::world::{NODES, World};
use crate::writer::{Writer, create_volume};
use hexalog_storage_core::effects::Area;

/// At most two of six are away at a time.
fn disturb(world: &mut World) {
    let down: Vec<usize> = (0..NODES).filter(|node| !world.is_up(*node)).collect();
    if !down.is_empty() && world.rng.percent(60) {
        let node = down[world.rng.below(down.len() as u64) as usize];
        return world.start(node);
    }
    if down.len() < 2 {
        let node = world.rng.below(NODES as u64) as usize;
        if world.is_up(node) {
            if world.rng.percent(50) { world.kill(node) } else { world.power_loss(node) }
        }
    }
}

#[test]
fn acknowledged_records_survive_kills_and_power_losses_of_members() {
    for seed in seeds(100, 12) {
        let mut world = World::with_long_log(seed);
        create_volume(&mut world, 2);
        let mut writer = Writer::open(&mut world, 1, 2, None);
        writer.loss_percent = 5;
        for _ in 0..25 {
            writer.write_many(&mut world, 15);
            disturb(&mut world);
        }
        world.start_all();
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
    }
}

#[test]
fn a_power_loss_of_everything_loses_nothing_that_was_durable_in_the_volume() {
    for seed in seeds(200, 12) {
        let mut world = World::new(seed);
        create_volume(&mut world, 2);
        let mut writer = Writer::open(&mut world, 1, 2, None);
        for epoch in 2..6 {
            writer.loss_percent = 10;
            writer.write_many(&mut world, 40);
            // Some more that no one waits for.
            for _ in 0..5 {
                writer.write(&mut world);
            }
            writer.pump(&mut world);
            world.run_us(200);
            world.power_cycle_all();
            // The opening asserts that the VDL which it finds is not below the one that was known.
            writer = Writer::open(&mut world, epoch, 2, Some(&writer));
        }
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
    }
}

/// Simulator seed 240000622: a process died with a superblock on its way. The device had taken it and not kept it; the next start
/// went on from it and wrote the other slot, and a power cut in between tore both.
#[test]
fn a_start_goes_on_from_no_superblock_that_a_power_cut_could_take() {
    let mut world = World::with_long_log(400);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    let mut found_unflushed = 0;
    for _ in 0..40 {
        while !world.is_writing(1, Area::Superblock) {
            writer.write(&mut world);
            writer.raise_pgmrpl_to_vdl();
            writer.pump(&mut world);
            world.run_us(200);
        }
        world.kill(1);
        found_unflushed += u32::from(!world.disk(1).is_durable(Area::Superblock));
        world.start(1);
        while !world.is_writing(1, Area::Superblock) {
            assert!(!world.is_ready(1), "a start marks its place in the log");
            world.step();
        }
        assert!(world.disk(1).is_durable(Area::Superblock), "both slots could be torn now");
        world.run_until("ready", |world| world.is_ready(1));
    }
    assert!(found_unflushed > 5, "the device keeps what it has not flushed in its cache: {found_unflushed}");
    writer.converge(&mut world);
    writer.check_all_served(&mut world);
}
