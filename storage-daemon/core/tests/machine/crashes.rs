//! Kills and power losses: what was acknowledged is there afterwards. [`Writer::pump`] compares the SCLs that a
//! member tells when it comes back with those that it acknowledged.

use crate::rng::seeds;
use crate::world::{NODES, World};
use crate::writer::{Writer, create_volume};

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
