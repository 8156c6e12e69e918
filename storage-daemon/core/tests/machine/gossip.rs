//! Peers fill gaps, catch up members that were away, and fall silent.

use crate::reclaim::write_until_log_wrapped;
use crate::rng::seeds;
use crate::world::{NODES, World, membership, options};
use crate::writer::{Answer, VOLUME, Writer, call, create_volume, create_volume_on};
use hexalog_protocol::frame::write_frame;
use hexalog_protocol::message::{Membership, Message, SetMembership};
use hexalog_protocol::{GroupId, PageId};

#[test]
fn scls_converge_to_the_tails_although_batches_never_came() {
    for seed in seeds(10, 6) {
        let mut world = World::new(seed);
        create_volume(&mut world, 2);
        let mut writer = Writer::open(&mut world, 1, 2, None);
        writer.loss_percent = 25;
        writer.write_many(&mut world, 80);
        writer.converge(&mut world);
        let filled: u64 = (0..NODES).map(|node| world.counter(node, "gossip_batches")).sum();
        assert!(filled > 0, "seed {seed}");
        writer.check_all_served(&mut world);
    }
}

#[test]
fn a_member_that_was_away_catches_up_from_peers_and_their_log() {
    let mut world = World::new(20);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 10);
    writer.converge(&mut world);
    world.kill(4);
    writer.write_many(&mut world, 45);
    writer.pgmrpl = writer.vdl;
    writer.settle(&mut world);
    // Everything is in versions by now: what the member lacks has to come out of the log.
    world.run_us(3_000_000);
    writer.pump(&mut world);
    world.run_us(3_000_000);
    world.start(4);
    writer.converge(&mut world);
    assert!(world.counter(4, "gossip_batches") > 30);
    let (floor, vdl) = (writer.pgmrpl, writer.vdl);
    assert!(floor <= vdl);
    for page in 0..16 {
        assert_eq!(writer.check_page(&mut world, 4, hexalog_protocol::PageId(page), vdl), Some(()));
    }
}

/// Members that were killed and came back made `crc_errors` of their peers rise, although every block was sound: a
/// stretch of the log that is read for a pull may end in the midst of an append, which was counted as damaged.
#[test]
fn an_append_cut_by_the_end_of_an_answer_is_not_damaged() {
    let mut world = World::new(23);
    create_volume(&mut world, 2);
    let mut writer = Writer::open(&mut world, 1, 2, None);
    writer.write_many(&mut world, 10);
    writer.converge(&mut world);
    world.kill(4);
    // All pages of both groups, twice: appends of three blocks, of which no whole number fits an answer's 16 KiB.
    let pages: Vec<_> = (0..32).map(hexalog_protocol::PageId).collect();
    for _ in 0..16 {
        writer.write_pages(&mut world, &pages);
        writer.write_pages(&mut world, &pages);
        writer.settle(&mut world);
        writer.pgmrpl = writer.vdl;
        writer.pump(&mut world);
        world.run_us(500_000);
    }
    writer.settle(&mut world);
    world.run_us(3_000_000);
    writer.pump(&mut world);
    world.run_us(3_000_000);
    world.start(4);
    writer.converge(&mut world);
    assert!(world.counter(4, "gossip_batches") > 30);
    let damaged: u64 = (0..NODES).map(|node| world.counter(node, "crc_errors")).sum();
    assert_eq!(damaged, 0);
}

/// After a bulk load two members stayed behind for good: each of their slices looked at every record of the 256 oldest
/// batches for something to coalesce, all of them above a gap, which took tens of milliseconds of a core for nothing, and
/// never came to what filled the gap, since that was younger in the log.
#[test]
fn what_stands_above_a_gap_is_not_looked_at_and_what_fills_it_is_coalesced() {
    let mut world = World::with_options(24, |node| {
        let mut options = options(node);
        options.log_bytes = 4 << 20;
        options.log_prepared_bytes = options.log_bytes;
        if node == 4 {
            // It does not ask before it holds more above the gap than a slice looks at.
            options.gossip_interval_us = 2_000_000;
        }
        options
    });
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.passed_over = Some(4);
    writer.write_many(&mut world, 20);
    writer.passed_over = None;
    writer.write_many(&mut world, 400);
    writer.settle(&mut world);
    writer.pgmrpl = writer.vdl;
    for _ in 0..5 {
        writer.pump(&mut world);
        world.run_us(20_000);
    }
    assert_eq!(world.counter(4, "coalescing_looks"), 0, "nothing of it may be coalesced");
    assert_eq!(world.counter(4, "gossip_batches"), 0);
    writer.converge(&mut world);
    world.run_us(1_000_000);
    assert!(world.counter(4, "gossip_batches") >= 20);
    assert!(world.counter(4, "coalesced_records") >= 400);
    let looks = world.counter(4, "coalescing_looks");
    assert!(looks <= 4 * world.counter(4, "records"), "{looks} looks");
}

/// Found by a bulk load on real daemons. A member that was a little slow asked its peers for what the writer was about to
/// send, got it twice, wrote it twice, and was slower for that; with the log an eighth full, asking how far the others
/// were brought batches too. One that the writer feeds asks for none.
#[test]
fn what_the_writer_sends_is_not_asked_of_peers() {
    for seed in seeds(700, 3) {
        let mut world = World::new(seed);
        create_volume(&mut world, 2);
        let mut writer = Writer::open(&mut world, 1, 2, None);
        write_until_log_wrapped(&mut world, &mut writer, 0, 3);
        writer.converge(&mut world);
        let sum = |name: &str| (0..NODES).map(|node| world.counter(node, name)).sum::<u64>();
        for name in ["gossip_batches", "batches_repeated"] {
            let (came, all) = (sum(name), sum("batches"));
            assert!(came * 100 <= all, "seed {seed}: {name} {came} of {all}");
        }
    }
}

/// Found by reading. A member preferred peers that were not known to have no more; once it had what the others had told, one
/// that always refuses was the only one left, and the healthy ones were asked no more. Node 5 has no segment of the volume.
#[test]
fn a_peer_that_refuses_keeps_no_one_from_asking_the_others() {
    for seed in seeds(710, 3) {
        let mut world = World::new(seed);
        create_volume_on(&mut world, 1, 0..NODES - 1);
        let mut writer = Writer::open(&mut world, 1, 1, None);
        writer.passed_over = Some(4);
        for _ in 0..4 {
            writer.write_many(&mut world, 40);
            writer.settle(&mut world);
            world.run_us(500_000);
            writer.pump(&mut world);
            let (scl, tail) = (writer.scl(4, GroupId(0)), writer.tails[&GroupId(0)]);
            assert_eq!(scl, tail, "seed {seed}: all that node 4 has comes from its peers");
        }
    }
}

/// A frame whose checksum holds and that means nothing: the peer is of another version, or something is wrong with it.
#[test]
fn a_peer_that_sends_what_is_no_message_is_counted_and_connected_anew() {
    let mut world = World::new(26);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.loss_percent = 25;
    writer.write_many(&mut world, 20);
    for count in 1..4 {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, 60_000, 1, |body| body.push(7));
        assert!(world.send_to_asker(0, bytes), "node 0 has asked its peers");
        world.run_us(1_000);
        assert_eq!(world.counter(0, "malformed_frames"), count);
        writer.write_many(&mut world, 20);
    }
    writer.converge(&mut world);
    writer.check_all_served(&mut world);
}

#[test]
fn when_all_is_quiet_no_one_asks() {
    let mut world = World::new(21);
    create_volume(&mut world, 2);
    let mut writer = Writer::open(&mut world, 1, 2, None);
    writer.loss_percent = 20;
    writer.write_many(&mut world, 50);
    writer.converge(&mut world);
    for _ in 0..5 {
        writer.pump(&mut world);
        world.run_us(100_000);
    }
    let pulls = |world: &World| (0..NODES).map(|node| world.counter(node, "gossip_pulls")).sum::<u64>();
    let before = pulls(&world);
    world.run_us(10_000_000);
    assert_eq!(pulls(&world), before);
}

#[test]
fn a_member_that_missed_an_opening_fetches_the_history_from_a_peer() {
    let mut world = World::new(22);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 20);
    writer.settle(&mut world);
    world.kill(5);
    let mut writer = Writer::open(&mut world, 2, 1, Some(&writer));
    writer.write_many(&mut world, 20);
    writer.settle(&mut world);
    // No writer tells it: the connections of the writer are cut before it comes back.
    (0..NODES).filter_map(|node| writer.wire(node)).for_each(|wire| world.disconnect(wire));
    world.start(5);
    world.run_until("fetched", |world| world.is_ready(5) && world.counter(5, "histories_fetched") > 0);
    world.run_us(1_000_000);
    assert!(world.counter(5, "gossip_batches") > 0);
    world.check_all();
}

/// Six daemons moved to other addresses; metadata and the writer knew, but nobody told the members, who kept asking the old ones
/// for ever: none that lacked a batch got it again.
#[test]
fn members_find_peers_that_moved_once_they_are_told() {
    let mut world = World::new(24);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 5);
    writer.converge(&mut world);
    let mut nowhere = membership(0);
    nowhere.members.iter_mut().for_each(|member| member.address.set_port(member.address.port() + 1000));
    tell_members(&mut world, &nowhere, true);
    world.kill(4);
    writer.write_many(&mut world, 20);
    writer.settle(&mut world);
    world.start(4);
    world.run_us(5_000_000);
    assert_eq!(world.counter(4, "gossip_batches"), 0, "there is nobody at the old addresses");
    tell_members(&mut world, &membership(0), true);
    writer.converge(&mut world);
    assert!(world.counter(4, "gossip_batches") > 0);
    // Told again with every connection; what is known is not logged again.
    tell_members(&mut world, &membership(0), false);
}

fn tell_members(world: &mut World, membership: &Membership, is_new: bool) {
    let group = GroupId((membership.members[0].segment.0 / 100) as u32);
    for node in 0..NODES {
        let wire = world.connect(node).expect("up");
        let appends = world.counter(node, "appends");
        let set = SetMembership { volume: VOLUME, group, membership: membership.clone() };
        assert!(matches!(call(world, wire, 1, &Message::SetMembership(set)), Some(Answer::Done)));
        assert_eq!(world.counter(node, "appends") > appends, is_new, "node {node}");
        world.disconnect(wire);
    }
}

/// Two members that had stood still for two seconds during a bulk load took nine more to catch up: of what had come above
/// their gap since, the oldest 256 batches were all that coalescing looked at, so that nothing of what filled the gap
/// became a page version until the gap was closed.
#[test]
fn what_stands_above_a_gap_keeps_nothing_else_from_its_page_version() {
    let mut world = World::with_options(25, |node| {
        let mut options = options(node);
        options.log_bytes = 8 << 20;
        options.log_prepared_bytes = options.log_bytes;
        options.pending_bytes_max = 4 << 20;
        options
    });
    create_volume(&mut world, 2);
    let mut writer = Writer::open(&mut world, 1, 2, None);
    writer.write_many(&mut world, 5);
    writer.converge(&mut world);
    for group in 0..2 {
        let mut nowhere = membership(group);
        nowhere.members.iter_mut().for_each(|member| member.address.set_port(member.address.port() + 1000));
        tell_members(&mut world, &nowhere, true);
    }
    world.kill(4);
    writer.write_pages(&mut world, &[PageId(0)]);
    writer.settle(&mut world);
    world.start(4);
    for _ in 0..400 {
        writer.write_pages(&mut world, &[PageId(1)]);
        writer.settle(&mut world);
        writer.raise_pgmrpl_to_vdl();
    }
    let gap = writer.scl(4, GroupId(0));
    assert!(world.counter(4, "pending_batches") > 300, "they stand above the gap");
    let in_versions =
        |world: &World| world.counter(4, "coalesced_records") + world.counter(4, "delta_records");
    let before = in_versions(&world);
    for page in 16..32 {
        writer.write_pages(&mut world, &[PageId(page)]);
    }
    writer.settle(&mut world);
    writer.raise_pgmrpl_to_vdl();
    // Tells the floor.
    writer.write_pages(&mut world, &[PageId(16)]);
    writer.settle(&mut world);
    world.run_us(2_000_000);
    assert_eq!(writer.scl(4, GroupId(0)), gap, "nobody fills it");
    assert!(in_versions(&world) >= before + 16);
}
