//! A device hardly larger than what lives on it: extents are emptied by copying, and never used again too early.

use crate::rng::seeds;
use crate::world::{NODES, World, options};
use crate::writer::{Writer, create_volume};
use hexalog_protocol::PageId;
use hexalog_protocol::message::RefusalReason;
use hexalog_storage_core::effects::Area;

const EXTENT_BYTES: u64 = 64 << 10;

/// Two groups of 16 pages are four extents, checkpoints take two or three and keep three more, collection two.
fn tight(seed: u64) -> World {
    with_extents(seed, 20)
}

fn with_extents(seed: u64, extents: u64) -> World {
    World::with_options(seed, |node| {
        let mut options = options(node);
        options.extents_bytes = extents * EXTENT_BYTES;
        options.checkpoint_part_bytes = 4 << 10;
        options
    })
}

/// Cold pages first, then changes to a few: every extent keeps some that live.
fn write_hot_and_cold(world: &mut World, writer: &mut Writer, rounds: usize) {
    for round in 0..rounds {
        writer.write_many(world, 20);
        let cold = PageId(round as u64 % 32);
        writer.write_pages(world, &[cold]);
        writer.settle(world);
        writer.raise_pgmrpl_to_vdl();
    }
}

#[test]
fn a_tight_device_is_collected_and_never_full() {
    let mut world = tight(60);
    create_volume(&mut world, 2);
    let mut writer = Writer::open(&mut world, 1, 2, None);
    write_hot_and_cold(&mut world, &mut writer, 150);
    writer.converge(&mut world);
    for node in 0..NODES {
        assert!(world.counter(node, "extents_collected") > 20, "node {node}");
        assert!(world.counter(node, "collected_bytes") > 0, "node {node}");
        assert!(world.counter(node, "extents_live_bytes") >= 32 * 8192, "node {node}");
        assert_eq!(world.counter(node, "no_space_refusals"), 0, "node {node}");
    }
    writer.check_all_served(&mut world);
    world.power_cycle_all();
    writer.converge(&mut world);
    writer.check_all_served(&mut world);
}

#[test]
fn power_losses_at_every_step_of_collections() {
    for seed in seeds(600, 6) {
        let mut world = tight(seed);
        create_volume(&mut world, 2);
        let mut writer = Writer::open(&mut world, 1, 2, None);
        for _ in 0..15 {
            write_hot_and_cold(&mut world, &mut writer, 12);
            writer.write_many(&mut world, 10);
            let node = world.rng.below(NODES as u64) as usize;
            world.power_cycle(node, 3_000);
        }
        writer.converge(&mut world);
        assert!(world.halts.is_empty(), "{:?}", world.halts);
        let collected: u64 = (0..NODES).map(|node| world.counter(node, "extents_collected")).sum();
        assert!(collected > 0, "seed {seed}");
        writer.check_all_served(&mut world);
    }
}

/// A damaged block stays where it is, is never copied as if it were whole, and costs its extent alone.
#[test]
fn a_damaged_version_is_not_copied() {
    let mut world = with_extents(61, 20);
    create_volume(&mut world, 2);
    let mut writer = Writer::open(&mut world, 1, 2, None);
    write_hot_and_cold(&mut world, &mut writer, 60);
    // A pause, so that no records wait for the pages that rot.
    for _ in 0..20 {
        writer.write_pages(&mut world, &[PageId(1)]);
        writer.settle(&mut world);
        writer.raise_pgmrpl_to_vdl();
        world.run_us(50_000);
    }
    // Pages that are not written again, on one node; their bytes rot, their headers do not.
    for block in world.disk(0).bytes_mut(Area::Extents).chunks_mut(8192) {
        if block[..4] == *b"HXP\x01" && block[40] >= 28 {
            block[4_000] ^= 1;
        }
    }
    let before = world.counter(0, "extents_collected");
    for round in 0..300 {
        writer.write_pages(&mut world, &[1, 2, 3, 4 + round * 7 % 24].map(PageId));
        writer.settle(&mut world);
        writer.raise_pgmrpl_to_vdl();
    }
    writer.converge(&mut world);
    assert!(world.counter(0, "extents_collected") > before);
    assert!(world.counter(0, "crc_errors") > 0);
    // A collection that met them has had them mended; the others wait for a reader.
    assert!(world.counter(0, "pages_repaired") > 0);
    let vdl = writer.vdl;
    for page in (28..32).map(PageId) {
        if writer.check_page(&mut world, 0, page, vdl).is_none() {
            assert_eq!(writer.refusals.last().map(|refusal| refusal.reason), Some(RefusalReason::Damaged));
        }
        assert_eq!(writer.check_page(&mut world, 1, page, vdl), Some(()));
        world.run_us(1_000_000);
        assert_eq!(writer.check_page(&mut world, 0, page, vdl), Some(()));
    }
}
