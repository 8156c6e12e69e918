//! A member that was away for longer than its peers keep log gets every page from one of them.

use crate::damage::appends;
use crate::reclaim::write_until_log_wrapped;
use crate::rng::seeds;
use crate::world::{NODES, World, membership, options};
use crate::writer::{Answer, VOLUME, Writer, bump, call, create_volume, writer_id};
use hexalog_protocol::message::{
    HydratePull, Membership, Message, RefusalReason, Role, SegmentState, SegmentStatus, SetMembership,
    StatusQuery,
};
use hexalog_protocol::{GroupId, Lsn, Page, PageId};
use hexalog_storage_core::effects::Area;
use std::collections::BTreeSet;

const AWAY: usize = 3;

/// Node 3 is down, and its peers have freed the log that it lacks.
fn left_behind(seed: u64, groups: u32) -> (World, Writer) {
    left_behind_in(World::new(seed), groups)
}

fn left_behind_in(mut world: World, groups: u32) -> (World, Writer) {
    create_volume(&mut world, groups);
    let mut writer = Writer::open(&mut world, 1, groups, None);
    writer.write_many(&mut world, 10);
    writer.converge(&mut world);
    world.kill(AWAY);
    write_until_log_wrapped(&mut world, &mut writer, 0, 3);
    for node in (0..NODES).filter(|node| *node != AWAY) {
        assert!(world.counter(node, "members_beyond_retention") > 0, "node {node}: {:#?}", world.logs);
    }
    (world, writer)
}

fn segment(world: &mut World, node: usize) -> Option<SegmentStatus> {
    let wire = world.connect(node)?;
    let query = Message::StatusQuery(StatusQuery { volume: VOLUME });
    let answer = call(world, wire, 700, &query)?;
    world.disconnect(wire);
    let Answer::Status(status) = answer else { panic!("{answer:?}") };
    status.segments.into_iter().next()
}

fn run_until_lost(world: &mut World) {
    world.start(AWAY);
    world.run_until("it gives up", |world| {
        world.is_ready(AWAY) && world.counter(AWAY, "hydrations_decided") > 0
    });
}

#[test]
fn a_member_beyond_retention_is_hydrated_from_a_peer() {
    for seed in seeds(42, 2) {
        let (mut world, mut writer) = left_behind(seed, 2);
        // Its peers go on and keep no log for it.
        writer.converge(&mut world);
        run_until_lost(&mut world);
        writer.converge(&mut world);
        assert_eq!(world.counter(AWAY, "segments_hydrated"), 2);
        assert!(world.counter(AWAY, "hydration_pages") >= 32);
        writer.raise_pgmrpl_to_vdl();
        writer.write_many(&mut world, 20);
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
        // What it is it stays: the log has the record that says that it was lost.
        for _ in 0..3 {
            world.power_cycle(AWAY, 0);
            assert_eq!(segment(&mut world, AWAY).map(|segment| segment.state), Some(SegmentState::Open));
            writer.write_many(&mut world, 5);
        }
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
    }
}

/// As long as clients wrote, a member that was beyond its peers' logs never gave up: each answer began with the oldest batch
/// that the peer still had, a newer one each time, and one that brought something new did not count as beyond.
#[test]
fn a_load_that_goes_on_does_not_keep_a_member_from_giving_up_its_log() {
    for seed in seeds(45, 2) {
        let (mut world, mut writer) = left_behind(seed, 1);
        world.start(AWAY);
        let limit = world.now_us + 3_000_000;
        while world.counter(AWAY, "hydrations_decided") == 0 {
            assert!(world.now_us < limit, "{} batches of gossip", world.counter(AWAY, "gossip_batches"));
            writer.write_many(&mut world, 1);
            writer.raise_pgmrpl_to_vdl();
        }
        writer.converge(&mut world);
        writer.raise_pgmrpl_to_vdl();
        writer.write_many(&mut world, 5);
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
    }
}

/// The source goes on writing, so that pages change while they are copied; every process dies now and then.
#[test]
fn an_interrupted_hydration_begins_anew_and_never_counts_by_half() {
    let mut interrupted = 0;
    for seed in seeds(600, 5) {
        let (mut world, mut writer) = left_behind(seed, 1);
        run_until_lost(&mut world);
        let hydrated = |world: &World| world.is_ready(AWAY) && world.counter(AWAY, "segments_hydrated") > 0;
        let mut steps = 0;
        while !hydrated(&world) && steps < 60 {
            steps += 1;
            for _ in 0..4 {
                writer.write(&mut world);
                writer.pump(&mut world);
                let pause_us = world.rng.below(700);
                world.run_us(pause_us);
            }
            // Its peers go on to collect: nothing is kept at the read point of an earlier answer.
            writer.raise_pgmrpl(&mut world);
            if world.rng.percent(40) && steps < 40 && !hydrated(&world) {
                let victim =
                    if world.rng.percent(50) { AWAY } else { world.rng.below(NODES as u64) as usize };
                interrupted += usize::from(victim == AWAY);
                world.power_cycle(victim, 0);
            }
            let state = segment(&mut world, AWAY).map(|segment| segment.state);
            let vdl = writer.vdl;
            if state == Some(SegmentState::NeedsHydration) {
                assert_eq!(writer.check_page(&mut world, AWAY, PageId(1), vdl), None);
                assert_eq!(writer.refusals.last().map(|it| it.reason), Some(RefusalReason::Damaged));
            }
        }
        writer.converge(&mut world);
        writer.raise_pgmrpl_to_vdl();
        writer.write_many(&mut world, 5);
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
    }
    assert!(interrupted > 5, "the test interrupts: {interrupted}");
}

/// What is above the VDL may be annulled by the next opening; in a page it could not be taken back.
#[test]
fn no_page_above_the_vdl_is_taken() {
    let (mut world, mut writer) = left_behind(44, 1);
    writer.converge(&mut world);
    let told = writer.vdl;
    // All others have these records; that they are durable nobody is told.
    for _ in 0..8 {
        writer.write(&mut world);
    }
    writer.pump(&mut world);
    world.run_us(100_000);
    run_until_lost(&mut world);
    world.run_until("hydrated", |world| world.counter(AWAY, "segments_hydrated") == 1);
    world.run_us(20);
    let hydrated = segment(&mut world, AWAY).expect("it is up");
    let other = segment(&mut world, 0).expect("it is up");
    assert!(other.scl > told, "there was something above: {} and {told}", other.scl);
    assert!(hydrated.gc_floor <= told, "pages at {}, the VDL told is {told}", hydrated.gc_floor);
    assert!(hydrated.gc_floor > Lsn::ZERO);
    // The last writer's records were at a write quorum, so the next one finds them at the hydrated member too.
    let mut next = Writer::open(&mut world, 2, 1, Some(&writer));
    next.converge(&mut world);
    assert!(next.scl(AWAY, GroupId(0)) > told);
    next.raise_pgmrpl_to_vdl();
    next.pump(&mut world);
    next.converge(&mut world);
    next.check_all_served(&mut world);
}

/// A member got its pages, and a VDL, of a peer that had been through an opening which it had missed; its own history stayed the
/// old one. What that opening annulled, other members that had missed it too could go on to send it: it lay below the VDL.
#[test]
fn the_sources_history_comes_with_the_pages() {
    let (mut world, mut writer) = left_behind(46, 1);
    writer.converge(&mut world);
    let mut second = Writer::open(&mut world, 2, 1, Some(&writer));
    second.write_many(&mut world, 10);
    second.converge(&mut world);
    // A third opener fences all, and dies before it tells its history.
    world.start(AWAY);
    world.run_until("it has started", |world| world.is_ready(AWAY));
    let bumps = bump(&mut world, writer_id(3), 1);
    assert_eq!(bumps.answers.len(), NODES);
    world.run_until("it has its pages", |world| world.counter(AWAY, "segments_hydrated") > 0);
    let again = bump(&mut world, writer_id(4), 1);
    let answer = &again.answers[&(AWAY, GroupId(0))];
    assert!(answer.vdl_heard >= second.vdl, "{} of {}", answer.vdl_heard, second.vdl);
    assert_eq!(answer.history.writer(), writer_id(2));
}

/// Asks a node for the first turn of a hydration of some other node's segment; `Ok`: pages came.
fn ask_pages(world: &mut World, node: usize, asker: usize, base_min: Lsn) -> Result<(), RefusalReason> {
    let pull = HydratePull {
        volume: VOLUME,
        group: GroupId(0),
        writer: writer_id(1),
        membership_epoch: membership(0).epoch,
        asker: membership(0).members[asker].segment,
        session: 0,
        turn: 0,
        pages_max: 1,
        base_min,
    };
    let wire = world.connect_as(node, Role::Peer).expect("up");
    let answer = call(world, wire, 800, &Message::HydratePull(pull));
    world.disconnect(wire);
    match answer {
        Some(Answer::Other) => Ok(()),
        Some(Answer::Refused(refusal)) => Err(refusal.reason),
        answer => panic!("{answer:?}"),
    }
}

/// Simulator seed 350000259: a source has one session of a group. An asker that it can no longer bring on held it until it expired,
/// began it anew at once, and so kept out one that it could have helped.
#[test]
fn who_cannot_be_brought_on_holds_no_session() {
    let [hopeless, other] = [AWAY, 4];
    let (mut world, mut writer) = left_behind(47, 1);
    writer.converge(&mut world);
    assert_eq!(ask_pages(&mut world, 0, hopeless, Lsn::ZERO), Ok(()));
    assert_eq!(ask_pages(&mut world, 0, other, Lsn::ZERO), Err(RefusalReason::Busy), "it has one session");
    let above = Lsn(writer.vdl.0 + 1_000_000);
    // One who is refused takes no session with it but its own.
    assert_eq!(ask_pages(&mut world, 0, other, above), Err(RefusalReason::NotComplete));
    assert_eq!(ask_pages(&mut world, 0, other, Lsn::ZERO), Err(RefusalReason::Busy));
    assert_eq!(ask_pages(&mut world, 0, hopeless, above), Err(RefusalReason::NotComplete));
    assert_eq!(ask_pages(&mut world, 0, other, Lsn::ZERO), Ok(()));
}

/// Nodes that have less than the others and do not find those who have it.
const LAGGARDS: [usize; 2] = [4, 5];

/// Members that are nowhere.
fn nowhere() -> Membership {
    let mut nowhere = membership(0);
    nowhere.members.iter_mut().for_each(|member| member.address.set_port(member.address.port() + 1000));
    nowhere
}

fn tell_members(world: &mut World, node: usize, membership: Membership) {
    let wire = world.connect(node).expect("up");
    let set = SetMembership { volume: VOLUME, group: GroupId(0), membership };
    assert!(matches!(call(world, wire, 1, &Message::SetMembership(set)), Some(Answer::Done)));
}

/// Simulator seed 6000052: a member that had lost its log was hydrated by a peer that stood lower. Pages which that peer had not
/// got kept their newer versions, and a restart took these for proof that every record below was there.
#[test]
fn pages_that_a_lower_source_has_not_got_go() {
    for seed in seeds(640, 3) {
        let mut world = World::new(seed);
        create_volume(&mut world, 1);
        let mut writer = Writer::open(&mut world, 1, 1, None);
        (0..8).for_each(|page| writer.write_pages(&mut world, &[PageId(page)]));
        writer.tell_floor(&mut world);
        writer.converge(&mut world);
        let lower = writer.vdl;
        LAGGARDS.into_iter().for_each(|node| {
            tell_members(&mut world, node, nowhere());
            world.kill(node);
        });
        // Records of the old pages too: a version of a new one is no proof of them.
        (0..16).for_each(|page| writer.write_pages(&mut world, &[PageId(page)]));
        writer.tell_floor(&mut world);
        world.run_us(1_000_000);
        writer.write_many(&mut world, 6);
        writer.settle(&mut world);
        (0..LAGGARDS[0]).for_each(|node| world.kill(node));
        let places = appends(&mut world, AWAY);
        world.disk(AWAY).bytes_mut(Area::Log)[places[places.len() - 3] + 130] ^= 1;
        let others = [0, LAGGARDS[0], LAGGARDS[1]];
        others.into_iter().for_each(|node| world.start(node));
        world.run_until("they have started", |world| others.into_iter().all(|node| world.has_index(node)));
        // The third witness of its promises is no source: its pages do not read back.
        world.set_unreadable(0, Some(Area::Extents));
        world.start(AWAY);
        world.run_until("it has its pages", |world| {
            world.is_ready(AWAY) && world.counter(AWAY, "segments_hydrated") > 0
        });
        assert_eq!(world.counter(AWAY, "logs_damaged"), 1);
        // Alone, so that nothing comes by gossip.
        others.into_iter().for_each(|node| world.kill(node));
        for restarts in 0..2 {
            world.run_until("its pages are known", |world| world.has_index(AWAY));
            let hydrated = segment(&mut world, AWAY).expect("it is up");
            assert_eq!((hydrated.scl, hydrated.pages), (lower, 8), "seed {seed}, {restarts} restarts");
            world.power_cycle(AWAY, 0);
        }
        world.set_unreadable(0, None);
        world.start_all();
        LAGGARDS.into_iter().for_each(|node| tell_members(&mut world, node, membership(0)));
        writer.converge(&mut world);
        writer.raise_pgmrpl_to_vdl();
        writer.write_many(&mut world, 10);
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
    }
}

/// Pages of which a damaged block was told of at a node, from some line of the logs on.
fn told_damaged(world: &World, node: usize, from: usize) -> BTreeSet<PageId> {
    let of_node = |line: &&String| line.contains(&format!("node {node}: a block of page"));
    let lines = world.logs[from..].iter().filter(of_node);
    let numbers = lines.map(|line| line.split("a block of page").nth(1).expect("just seen"));
    let digits = |text: &str| text.split(' ').next().expect("a word").parse().map(PageId);
    numbers.map(|text| digits(text).expect("a number")).collect()
}

/// Simulator seed 3500084: a page that was found damaged after it had come, and before the checkpoint that ends the hydration,
/// was taken off the list of those to be mended, since all were to come. Nobody put it there again.
#[test]
fn a_page_found_damaged_while_the_others_come_is_mended_afterwards() {
    let mut repaired = 0;
    // One hydration in six ends soon enough after one was found.
    let enough = seeds(0, 3).count() as u64;
    for seed in seeds(660, 60) {
        let world = World::with_options(seed, |node| {
            let mut options = options(node);
            if node == AWAY {
                // There is hardly any room: what is half dead is read and copied all the time.
                options.extents_bytes = 12 * options.extent_bytes;
                options.extents_backed_bytes = options.extents_bytes;
                options.hydration_pages_max = 1;
            }
            options
        });
        let (mut world, mut writer) = left_behind_in(world, 1);
        run_until_lost(&mut world);
        let from = world.logs.len();
        let is_hydrated = |world: &World| world.counter(AWAY, "segments_hydrated") > 0;
        let mut has_rotten = false;
        let limit = world.now_us + 10_000_000;
        while !is_hydrated(&world) {
            assert!(world.now_us < limit, "seed {seed}: the writer rests after a while");
            if world.now_us < limit - 9_000_000 {
                // These come again and again: their copies die beside others that live on.
                let page = PageId(world.rng.below(3));
                writer.write_pages(&mut world, &[page]);
            }
            writer.pump(&mut world);
            writer.raise_pgmrpl_to_vdl();
            world.run_us(2_000);
            if !has_rotten && world.counter(AWAY, "hydration_pages") >= 12 {
                has_rotten = true;
                let extents = world.disk(AWAY).bytes_mut(Area::Extents);
                let is_old = |image: &[u8]| Page::identity_in(image).is_some_and(|(_, page)| page.0 >= 3);
                extents.chunks_mut(8192).filter(|image| is_old(image)).for_each(|image| image[2_000] ^= 4);
            }
        }
        let found = told_damaged(&world, AWAY, from);
        writer.tell_floor(&mut world);
        writer.converge(&mut world);
        world.run_us(2_000_000);
        if !found.is_empty() {
            repaired += world.counter(AWAY, "pages_repaired");
        }
        let vdl = writer.vdl;
        for page in found {
            assert_eq!(writer.check_page(&mut world, AWAY, page, vdl), Some(()), "seed {seed} {page:?}");
        }
        if repaired >= enough {
            return;
        }
    }
    assert!(repaired > 0, "some were found in time");
}

/// A member whose device is hardly larger than the images of three groups. It is down, and the images of the last group, which
/// stand in every extent, have rotted.
fn rotted(seed: u64) -> (World, Writer) {
    let mut world = World::with_options(seed, |node| {
        let mut options = options(node);
        if node == AWAY {
            options.extents_bytes = 17 * options.extent_bytes;
            options.extents_backed_bytes = options.extents_bytes;
            options.checkpoint_part_bytes = 4 << 10;
            options.delta_records_max = 0;
        }
        options
    });
    create_volume(&mut world, 3);
    let mut writer = Writer::open(&mut world, 1, 3, None);
    for page in (0..48).map(|turn| PageId(turn % 3 * 16 + turn / 3)).cycle().take(200) {
        writer.write_pages(&mut world, &[page]);
        writer.settle(&mut world);
        writer.raise_pgmrpl_to_vdl();
    }
    writer.tell_floor(&mut world);
    writer.converge(&mut world);
    writer.write_many(&mut world, 30);
    writer.settle(&mut world);
    world.kill(AWAY);
    let is_of_last = |image: &[u8]| Page::identity_in(image).is_some_and(|(_, page)| page.0 >= 32);
    let extents = world.disk(AWAY).bytes_mut(Area::Extents);
    extents.chunks_mut(8192).filter(|image| is_of_last(image)).for_each(|image| image[2_000] ^= 4);
    (world, writer)
}

fn assert_serves_all(world: &mut World, writer: &mut Writer, seed: u64) {
    writer.tell_floor(world);
    writer.converge(world);
    let vdl = writer.vdl;
    for page in (0..48).map(PageId) {
        assert_eq!(writer.check_page(world, AWAY, page, vdl), Some(()), "seed {seed} {page:?}");
    }
}

/// Simulator seed 20001215: blocks that do not read back cannot be copied, so each held its extent; on a small device the
/// pages that would have taken their place found none to be written to.
#[test]
fn what_does_not_read_back_makes_room_for_what_comes() {
    for seed in seeds(670, 3) {
        let (mut world, mut writer) = rotted(seed);
        let places = appends(&mut world, AWAY);
        world.disk(AWAY).bytes_mut(Area::Log)[places[places.len() - 4] + 130] ^= 1;
        world.start(AWAY);
        let mut turns = 0;
        while world.counter(AWAY, "segments_hydrated") < 3 {
            turns += 1;
            assert!(turns < 500, "seed {seed}: no room is found");
            world.run_us(20_000);
            writer.pump(&mut world);
        }
        assert_serves_all(&mut world, &mut writer, seed);
    }
}

/// The same on a member that lost nothing else: what mends a page frees what it takes.
#[test]
fn pages_are_mended_where_nothing_new_has_room() {
    for seed in seeds(680, 3) {
        let (mut world, mut writer) = rotted(seed);
        world.start(AWAY);
        world.run_until("ready", |world| world.is_ready(AWAY));
        writer.converge(&mut world);
        let vdl = writer.vdl;
        for page in (32..48).map(PageId) {
            writer.check_page(&mut world, AWAY, page, vdl);
        }
        writer.tell_floor(&mut world);
        let mut turns = 0;
        while world.counter(AWAY, "pages_to_repair") > 0 {
            turns += 1;
            assert!(turns < 500, "seed {seed}: no room is found");
            world.run_us(20_000);
            writer.pump(&mut world);
        }
        assert!(world.counter(AWAY, "pages_repaired") > 0, "seed {seed}");
        assert_serves_all(&mut world, &mut writer, seed);
    }
}
