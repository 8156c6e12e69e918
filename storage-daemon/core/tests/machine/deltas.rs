//! Records gather in deltas, which share blocks: every read point is served from them, whatever dies between two steps.

use crate::reclaim::write_until_log_wrapped;
use crate::rng::seeds;
use crate::world::{NODES, World, options};
use crate::writer::{Writer, create_volume};
use hexalog_protocol::message::RefusalReason;
use hexalog_protocol::{Lsn, PageId};
use hexalog_storage_core::effects::Area;
use hexalog_storage_core::options::ShardOptions;

const PAGES: usize = 32;

/// Deltas that stay: nothing but their bytes ends them.
fn lasting(node: usize) -> ShardOptions {
    let mut options = options(node);
    options.delta_records_max = 1_000;
    options
}

/// Blocks of deltas in a node's extents, whether they live or not.
fn delta_blocks(world: &mut World, node: usize) -> Vec<&mut [u8]> {
    let blocks = world.disk(node).bytes_mut(Area::Extents).chunks_mut(4096);
    blocks.filter(|block| block[..4] == *b"HXD\x02").collect()
}

/// The floor stays far below: what is above it goes into deltas alone, and log is freed all the same.
#[test]
fn read_points_above_the_floor_are_rebuilt_from_deltas() {
    for seed in seeds(800, 4) {
        let mut world = World::with_options(seed, lasting);
        create_volume(&mut world, 2);
        let mut writer = Writer::open(&mut world, 1, 2, None);
        writer.write_many(&mut world, 20);
        writer.settle(&mut world);
        let floor = writer.pgmrpl;
        for _ in 0..60 {
            writer.write(&mut world);
            writer.settle(&mut world);
        }
        // A pause: all that is durable in the volume is coalesced, and a checkpoint names it.
        writer.converge(&mut world);
        world.run_us(2_000_000);
        assert_eq!(writer.pgmrpl, floor);
        assert!(writer.vdl.since(floor) > 60);
        for node in 0..NODES {
            assert!(world.counter(node, "delta_records") > 60, "node {node}");
            assert!(world.counter(node, "pending_batches") < 6, "node {node}: it waits for no floor");
            assert!(world.counter(node, "log_bytes_freed") > 0, "node {node}");
        }
        let vdl = writer.vdl;
        for read_point in floor.0..=vdl.0 {
            for page in 0..PAGES as u64 {
                let node = world.rng.below(NODES as u64) as usize;
                assert_eq!(writer.check_page(&mut world, node, PageId(page), Lsn(read_point)), Some(()));
            }
        }
        world.power_cycle_all();
        // What is above every VDL that was told durably is in no batch any more: the opening must not miss it.
        let mut next = Writer::open(&mut world, 2, 2, Some(&writer));
        assert!(next.vdl >= vdl);
        next.converge(&mut world);
        next.check_all_served(&mut world);
    }
}

/// What has just happened on a node when its power fails.
const STEPS: [&str; 5] = [
    // The extent write is submitted; it has ended; a part of the checkpoint is submitted; the superblock is durable; the
    // next thing, whatever it is.
    "delta_bytes",
    "delta_pages",
    "checkpoint_bytes",
    "checkpoints",
    "appends",
];

#[test]
fn power_fails_between_any_two_steps() {
    for seed in seeds(820, 6) {
        let mut world = World::with_options(seed, if seed % 2 == 0 { options } else { lasting });
        create_volume(&mut world, 2);
        let mut writer = Writer::open(&mut world, 1, 2, None);
        writer.write_many(&mut world, 10);
        for round in 0..20 {
            for step in STEPS {
                writer.write_many(&mut world, 3);
                let node = world.rng.below(NODES as u64) as usize;
                let before = world.counter(node, step);
                let limit = world.now_us + 400_000;
                while world.counter(node, step) == before && world.now_us < limit {
                    world.step();
                }
                // Between a part and the next, the last part and the superblock.
                for _ in 0..world.rng.below(1 + round) {
                    world.step();
                }
                world.power_cycle(node, 1_000);
            }
            if round % 3 == 0 {
                writer.raise_pgmrpl_to_vdl();
            }
        }
        writer.converge(&mut world);
        let deltas: u64 = (0..NODES).map(|node| world.counter(node, "delta_pages")).sum();
        assert!(deltas > 0, "seed {seed}");
        writer.check_all_served(&mut world);
    }
}

/// A device so small that extents of deltas are collected; a few pages' deltas in each live on.
fn collected(seed: u64, with_power_losses: bool) -> (World, Writer) {
    let mut world = World::with_options(seed, |node| {
        let mut options = lasting(node);
        options.extents_bytes = 20 * (64 << 10);
        options.checkpoint_part_bytes = 4 << 10;
        // Records do not gather for long: blocks are many.
        options.checkpoint_log_bytes = 8 << 10;
        options
    });
    create_volume(&mut world, 2);
    let mut writer = Writer::open(&mut world, 1, 2, None);
    for round in 0..120 {
        // Cold pages are written now and then; three hot ones have their deltas rewritten all the time.
        writer.write_pages(&mut world, &[PageId(3 + round % 29)]);
        for _ in 0..8 {
            writer.write_pages(&mut world, &[0, 1, 2].map(PageId));
            writer.settle(&mut world);
            writer.raise_pgmrpl_to_vdl();
            // Often within a collection: what it copies is superseded meanwhile.
            let pause_us = world.rng.below(if round % 2 == 0 { 3_000 } else { 30_000 });
            world.run_us(pause_us);
        }
        if with_power_losses && round % 6 == 5 {
            let node = world.rng.below(NODES as u64) as usize;
            world.power_cycle(node, 3_000);
        }
    }
    writer.converge(&mut world);
    (world, writer)
}

#[test]
fn what_lives_in_shared_blocks_is_collected() {
    for (seed, with_power_losses) in [(840, false), (841, true), (842, true)] {
        let (mut world, mut writer) = collected(seed, with_power_losses);
        let moved: u64 = (0..NODES).map(|node| world.counter(node, "collected_deltas")).sum();
        assert!(moved > 0, "seed {seed}: deltas are moved");
        writer.check_all_served(&mut world);
        world.power_cycle_all();
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
    }
}

/// A page whose delta is damaged is not served and not coalesced; pages of other blocks are.
#[test]
fn a_damaged_block_costs_its_own_pages_alone() {
    let mut world = World::with_options(850, lasting);
    create_volume(&mut world, 2);
    let mut writer = Writer::open(&mut world, 1, 2, None);
    writer.write_many(&mut world, 60);
    writer.settle(&mut world);
    writer.raise_pgmrpl_to_vdl();
    for _ in 0..20 {
        writer.write_pages(&mut world, &[PageId(0)]);
        writer.settle(&mut world);
        writer.raise_pgmrpl_to_vdl();
        world.run_us(60_000);
    }
    // Every other block of one node: a bit in the first delta.
    let mut damaged_blocks = 0;
    for block in delta_blocks(&mut world, 0).into_iter().step_by(2) {
        block[100] ^= 1;
        damaged_blocks += 1;
    }
    assert!(damaged_blocks > 0);
    let vdl = writer.vdl;
    let mut damaged = Vec::new();
    for page in (0..PAGES as u64).map(PageId) {
        if writer.check_page(&mut world, 0, page, vdl).is_none() {
            assert_eq!(writer.refusals.last().map(|refusal| refusal.reason), Some(RefusalReason::Damaged));
            damaged.push(page);
        }
        assert_eq!(writer.check_page(&mut world, 1, page, vdl), Some(()));
    }
    assert!(!damaged.is_empty() && damaged.len() < PAGES, "{damaged:?}");
    assert_eq!(world.counter(0, "crc_errors"), damaged.len() as u64);
    // A new record of such a page has no version to go to, until it has been mended: its peers' blocks are sound.
    writer.write_pages(&mut world, &damaged);
    writer.tell_floor(&mut world);
    world.run_until("all are mended", |world| world.counter(0, "pages_to_repair") == 0);
    world.run_us(1_000_000);
    let vdl = writer.vdl;
    for page in (0..PAGES as u64).map(PageId) {
        assert_eq!(writer.check_page(&mut world, 0, page, vdl), Some(()));
    }
    // One that was formatted anew since needs the block no more, but is mended with the others.
    assert_eq!(world.counter(0, "pages_repaired"), damaged.len() as u64);
    assert_eq!(world.counter(0, "pages_quarantined"), 0);
    world.check_all();
}

/// What is above the floor is in deltas alone. A peer's page as it was at the floor would take the place of one whose delta is
/// damaged, and with it what that held.
#[test]
fn a_damaged_delta_above_the_floor_waits_for_a_page_that_holds_all() {
    let mut world = World::with_options(851, lasting);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    (0..4).for_each(|page| writer.write_pages(&mut world, &[PageId(page)]));
    writer.converge(&mut world);
    writer.tell_floor(&mut world);
    let above = [PageId(0), PageId(1)];
    for _ in 0..20 {
        writer.write_pages(&mut world, &above);
        writer.settle(&mut world);
        world.run_us(60_000);
    }
    // A pause: nothing waits in memory, to be seen not to go on from an older page.
    writer.converge(&mut world);
    world.run_us(2_000_000);
    assert!(world.counter(0, "delta_pages") > 0);
    for block in delta_blocks(&mut world, 0) {
        block[100] ^= 1;
    }
    let vdl = writer.vdl;
    for _ in 0..20 {
        for page in above {
            assert_eq!(writer.check_page(&mut world, 0, page, vdl), None);
            assert_eq!(writer.refusals.last().map(|refusal| refusal.reason), Some(RefusalReason::Damaged));
        }
        world.run_us(100_000);
    }
    writer.tell_floor(&mut world);
    world.run_until("all are mended", |world| world.counter(0, "pages_to_repair") == 0);
    for page in above {
        assert_eq!(writer.check_page(&mut world, 0, page, vdl), Some(()));
    }
    assert_eq!(world.counter(0, "pages_quarantined"), 0);
    world.check_all();
}

#[test]
fn a_page_that_is_read_again_and_again_gets_an_image() {
    let mut world = World::with_options(860, lasting);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    for _ in 0..6 {
        writer.write_pages(&mut world, &[1, 2].map(PageId));
        writer.settle(&mut world);
        writer.raise_pgmrpl_to_vdl();
    }
    // The second page's last record tells the floor of the first's.
    writer.write_pages(&mut world, &[PageId(2)]);
    writer.settle(&mut world);
    world.run_us(1_000_000);
    assert!(world.counter(0, "delta_pages") > 0);
    assert_eq!(world.counter(0, "coalesced_pages"), 0, "nothing asked for an image");
    let vdl = writer.vdl;
    for _ in 0..20 {
        assert_eq!(writer.check_page(&mut world, 0, PageId(1), vdl), Some(()));
    }
    world.run_us(1_000_000);
    assert_eq!(world.counter(0, "coalesced_pages"), 1);
    assert_eq!(writer.check_page(&mut world, 0, PageId(1), vdl), Some(()));
    world.check_all();
}

/// The member that is hydrated holds deltas, which images replace one by one while others of their blocks live on; its
/// source has deltas too.
#[test]
fn a_member_with_deltas_is_hydrated_from_one_with_deltas() {
    const AWAY: usize = 3;
    for seed in seeds(870, 3) {
        let mut world = World::with_options(seed, lasting);
        create_volume(&mut world, 2);
        let mut writer = Writer::open(&mut world, 1, 2, None);
        writer.write_many(&mut world, 60);
        writer.converge(&mut world);
        writer.raise_pgmrpl_to_vdl();
        writer.write_many(&mut world, 5);
        writer.converge(&mut world);
        world.run_us(1_000_000);
        assert!(world.counter(AWAY, "delta_pages") > 0);
        world.kill(AWAY);
        write_until_log_wrapped(&mut world, &mut writer, 0, 3);
        writer.converge(&mut world);
        assert!(world.counter(0, "delta_pages") > 0);
        world.start(AWAY);
        world.run_until("it gives up", |world| {
            world.is_ready(AWAY) && world.counter(AWAY, "hydrations_decided") > 0
        });
        // Pages change while they are copied, and their deltas are made anew.
        for _ in 0..30 {
            writer.write_many(&mut world, 2);
            world.check_all();
        }
        writer.converge(&mut world);
        assert_eq!(world.counter(AWAY, "segments_hydrated"), 2);
        writer.raise_pgmrpl_to_vdl();
        writer.write_many(&mut world, 20);
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
        world.power_cycle_all();
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
    }
}

/// The bound once waited for a moment without an append in flight: a bulk load leaves none, and its bitmap page gathered
/// 15,000 records for a read or a start to apply.
#[test]
fn a_chain_is_bounded_while_the_log_is_always_in_flight() {
    const CHAIN_RECORDS_MAX: usize = 16;
    let mut world = World::with_options(83, |node| {
        let mut options = options(node);
        (options.log_bytes, options.log_prepared_bytes) = (4 << 20, 4 << 20);
        options.checkpoint_log_bytes = 1 << 20;
        options.pending_bytes_max = 8 << 20;
        options.chain_records_max = CHAIN_RECORDS_MAX;
        options
    });
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    for _ in 0..1_000 {
        writer.write_pages(&mut world, &[PageId(3)]);
        writer.pump(&mut world);
        writer.raise_pgmrpl_to_vdl();
        while writer.last.since(writer.vdl) > 3 {
            world.run_us(50);
            writer.pump(&mut world);
        }
    }
    writer.converge(&mut world);
    for node in 0..NODES {
        let longest = world.counter(node, "chain_records_max");
        assert!(longest > 0, "node {node}");
        assert!(longest < 5 * CHAIN_RECORDS_MAX as u64, "node {node}: {longest} records");
    }
    writer.check_all_served(&mut world);
}

/// An idle cluster used a core's hundredth for each daemon: what could not be coalesced was looked through fifty times a second.
#[test]
fn what_a_read_point_holds_back_is_looked_through_ever_less_often() {
    let mut world = World::new(31);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    // More than the block of a page's delta takes, and the read point stays below all of it.
    for _ in 0..200 {
        writer.write_pages(&mut world, &[PageId(1)]);
    }
    writer.settle(&mut world);
    writer.pump(&mut world);
    world.run_us(2_000_000);
    let before = world.counter(0, "coalescing_looks");
    world.run_us(10_000_000);
    let looks = world.counter(0, "coalescing_looks") - before;
    assert!(looks > 0, "nothing is held back");
    assert_eq!(world.counter(0, "coalesced_records"), 0);
    assert!(looks <= 200 * 10_000_000 / 320_000, "{looks} looks at 200 records in ten seconds");
    // Where more may be coalesced it comes with the pause after the frame that said so.
    writer.tell_floor(&mut world);
    world.run_us(250_000);
    assert!(world.counter(0, "coalesced_records") > 0, "all of it may be coalesced");
}
