//! Log and extents are freed and used again; bounds hold.

use crate::rng::seeds;
use crate::world::{NODES, World};
use crate::writer::{Writer, bump, bump_within, create_volume, writer_id};
use hexalog_protocol::PageId;
use hexalog_protocol::message::RefusalReason;

const LOG_BYTES: u64 = 512 << 10;

pub fn write_until_log_wrapped(world: &mut World, writer: &mut Writer, node: usize, laps: u64) {
    while world.counter(node, "append_bytes") < laps * LOG_BYTES {
        writer.write_many(world, 20);
        writer.raise_pgmrpl_to_vdl();
    }
}

#[test]
fn the_log_wraps_ten_times_and_extents_are_used_again() {
    let mut world = World::new(40);
    create_volume(&mut world, 2);
    let mut writer = Writer::open(&mut world, 1, 2, None);
    writer.loss_percent = 2;
    write_until_log_wrapped(&mut world, &mut writer, 0, 10);
    writer.converge(&mut world);
    for node in 0..NODES {
        assert!(world.counter(node, "log_bytes_freed") > 8 * LOG_BYTES, "node {node}");
        assert!(world.counter(node, "extents_reused") > 0, "node {node}");
        assert_eq!(world.counter(node, "members_beyond_retention"), 0, "node {node}");
    }
    writer.check_all_served(&mut world);
    world.power_cycle_all();
    writer.converge(&mut world);
    writer.check_all_served(&mut world);
}

#[test]
fn power_losses_while_log_and_extents_are_being_reused() {
    for seed in seeds(500, 6) {
        let mut world = World::new(seed);
        create_volume(&mut world, 2);
        let mut writer = Writer::open(&mut world, 1, 2, None);
        for _ in 0..12 {
            writer.write_many(&mut world, 60);
            writer.raise_pgmrpl_to_vdl();
            let node = world.rng.below(NODES as u64) as usize;
            world.power_cycle(node, 3_000);
        }
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
    }
}

#[test]
fn without_room_writes_are_refused_and_reading_goes_on() {
    let mut world = World::new(43);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    // A read point that stays: nothing may be coalesced above it, so the log fills.
    writer.write_many(&mut world, 5);
    let mut writes = 0;
    let limit = world.now_us + 60_000_000;
    while !writer.refusals.iter().any(|refusal| refusal.reason == RefusalReason::NoSpace) {
        writer.write(&mut world);
        writer.pump(&mut world);
        world.run_us(500);
        writes += 1;
        assert!(world.now_us < limit, "never full after {writes}");
    }
    let vdl = writer.vdl;
    // One that refused records below VDL is not complete.
    let served = (0..NODES).filter(|node| writer.check_page(&mut world, *node, PageId(1), vdl).is_some());
    assert!(served.count() >= 4, "VDL is at a write quorum");
    // The read point moves on: space comes back, and so does everything that waited.
    for _ in 0..400 {
        writer.pgmrpl = writer.vdl;
        writer.pump(&mut world);
        world.run_us(5_000);
    }
    writer.converge(&mut world);
    writer.model.forget_below(writer.pgmrpl);
    writer.check_all_served(&mut world);
}

/// Simulator seed 110: with the log full of what only a new writer lets go of, the bumps and histories of writers that
/// died while they opened used up what was kept free for them, and no opening could ever succeed.
#[test]
fn openings_never_wait_for_room_in_the_log() {
    let mut world = World::new(45);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 5);
    while !writer.refusals.iter().any(|refusal| refusal.reason == RefusalReason::NoSpace) {
        writer.write(&mut world);
        writer.pump(&mut world);
        world.run_us(500);
    }
    writer.settle(&mut world);
    // Each bump is an append of its own: more of them than there is room kept free.
    for epoch in 2..30 {
        // A checkpoint answers, perhaps the one after that which is under way: several writes and flushes, one behind the
        // other. In half of this time a write quorum was there for three seeds of four.
        let bumps = bump_within(&mut world, writer_id(epoch), 1, 60_000);
        assert_eq!(bumps.refused, 0, "epoch {epoch}");
        assert!(bumps.answers.len() >= 4, "epoch {epoch}: {} answers", bumps.answers.len());
        bumps.answers.values().for_each(|bumped| assert_eq!(bumped.writer, writer_id(epoch)));
    }
    // What was promised with a checkpoint is kept, and nothing that was acknowledged is lost.
    world.power_cycle_all();
    let late = bump(&mut world, writer_id(28), 1);
    assert!(late.refused >= 4, "epoch 29 was promised by a write quorum: {} refuse", late.refused);
    let bumps = bump_within(&mut world, writer_id(30), 1, 60_000);
    let mut writer = Writer::open_after_bump(&mut world, writer_id(30), 1, Some(&writer), bumps);
    for _ in 0..100 {
        writer.pgmrpl = writer.vdl;
        writer.pump(&mut world);
        world.run_us(5_000);
    }
    writer.model.forget_below(writer.pgmrpl);
    writer.write_many(&mut world, 20);
    writer.converge(&mut world);
    writer.check_all_served(&mut world);
}
