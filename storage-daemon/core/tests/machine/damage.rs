//! Bits that flipped, blocks that are not what they should be, devices that fail.

use crate::world::{NODES, World, membership, options};
use crate::writer::{
    Answer, PAGES_PER_GROUP, VOLUME, Writer, bump, call, create_volume, take_answer, writer_id,
};
use core::ops::Range;
use hexalog_protocol::batch::BatchBuilder;
use hexalog_protocol::message::{
    CreateSegment, EpochBump, GossipPull, Message, RefusalReason, SegmentState, StatusQuery, Write,
    WriterHead,
};
use hexalog_protocol::record::{Operation, Record};
use hexalog_protocol::{GeometryEpoch, GroupId, Lsn, MembershipEpoch, PageId};
use hexalog_storage_core::effects::Area;
use hexalog_storage_format::checkpoint::{PART_BEGINS_CHAIN, PartHeader, part_bytes};
use hexalog_storage_format::superblock::Superblock;

fn coalesced(seed: u64) -> (World, Writer) {
    coalesced_with(seed, 16)
}

/// Without deltas, every version is an image.
fn coalesced_with(seed: u64, delta_records_max: usize) -> (World, Writer) {
    let mut world = World::with_options(seed, |node| {
        let mut options = options(node);
        options.delta_records_max = delta_records_max;
        options
    });
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 60);
    writer.settle(&mut world);
    writer.raise_pgmrpl_to_vdl();
    for _ in 0..40 {
        // VDL moved with the last acknowledgement: a notice tells it, and the floor with it.
        writer.write_pages(&mut world, &[PageId(15)]);
        writer.settle(&mut world);
        world.run_us(50_000);
    }
    (world, writer)
}

#[test]
fn a_flipped_bit_in_a_page_version_is_counted_and_never_served() {
    for delta_records_max in [0, 16] {
        a_flipped_bit_is_never_served(delta_records_max);
    }
}

fn a_flipped_bit_is_never_served(delta_records_max: usize) {
    let (mut world, mut writer) = coalesced_with(50, delta_records_max);
    let made = if delta_records_max > 0 { "delta_pages" } else { "coalesced_pages" };
    assert!(world.counter(0, made) > 0);
    // Every block of the extents area of one node loses a bit.
    world.disk(0).bytes_mut(Area::Extents).chunks_mut(4096).for_each(|block| block[2_000] ^= 4);
    let vdl = writer.vdl;
    let mut damaged = 0;
    for page in (0..16).map(PageId) {
        if writer.check_page(&mut world, 0, page, vdl).is_none() {
            assert_eq!(writer.refusals.last().map(|refusal| refusal.reason), Some(RefusalReason::Damaged));
            damaged += 1;
        }
        assert_eq!(writer.check_page(&mut world, 1, page, vdl), Some(()));
    }
    assert!(damaged > 0);
    assert_eq!(world.counter(0, "crc_errors"), damaged);
    assert_eq!(world.counter(0, "blocks_damaged"), damaged);
    // Peers have it as it should be: it is written anew once no read point holds it back, and is the same after a restart.
    writer.tell_floor(&mut world);
    writer.converge(&mut world);
    world.run_until("all are mended", |world| world.counter(0, "pages_to_repair") == 0);
    assert_eq!(world.counter(0, "pages_repaired"), damaged);
    for restarts in 0..2 {
        let vdl = writer.vdl;
        for page in (0..16).map(PageId) {
            assert_eq!(writer.check_page(&mut world, 0, page, vdl), Some(()), "{restarts} restarts");
        }
        world.run_us(1_000_000);
        world.power_cycle(0, 0);
        writer.converge(&mut world);
    }
}

/// It was never mended: one damaged block made of a page that went on to be written kept its records, and with them the log.
#[test]
fn a_page_that_is_written_all_the_time_is_mended_all_the_same() {
    for delta_records_max in [0, 16] {
        let (mut world, mut writer) = coalesced_with(62, delta_records_max);
        world.disk(0).bytes_mut(Area::Extents).chunks_mut(4096).for_each(|block| block[2_000] ^= 4);
        for _ in 0..120 {
            writer.write_many(&mut world, 3);
            let vdl = writer.vdl;
            let page = PageId(world.rng.below(16));
            writer.check_page(&mut world, 0, page, vdl);
            writer.raise_pgmrpl(&mut world);
        }
        writer.tell_floor(&mut world);
        writer.converge(&mut world);
        world.run_until("all are mended", |world| world.counter(0, "pages_to_repair") == 0);
        assert!(world.counter(0, "pages_repaired") > 0);
        assert_eq!(world.counter(0, "pages_quarantined"), 0);
        writer.check_all_served(&mut world);
    }
}

/// A sector that cannot be read is damage of that block, as one that reads wrong is: the reader asks another member, writes go on.
#[test]
fn a_block_that_cannot_be_read_is_as_one_that_is_damaged() {
    for delta_records_max in [0, 16] {
        let (mut world, mut writer) = coalesced_with(56, delta_records_max);
        world.set_unreadable(0, Some(Area::Extents));
        let vdl = writer.vdl;
        let mut unread = 0;
        for page in (0..16).map(PageId) {
            if writer.check_page(&mut world, 0, page, vdl).is_none() {
                assert_eq!(
                    writer.refusals.last().map(|refusal| refusal.reason),
                    Some(RefusalReason::Damaged)
                );
                unread += 1;
            }
            assert_eq!(writer.check_page(&mut world, 1, page, vdl), Some(()));
        }
        assert!(unread > 0);
        assert_eq!(world.counter(0, "crc_errors"), unread);
        writer.write_many(&mut world, 10);
        writer.converge(&mut world);
        assert!(world.halts.is_empty(), "{:?}", world.halts);
        world.set_unreadable(0, None);
        let vdl = writer.vdl;
        assert!((0..16).any(|page| writer.check_page(&mut world, 0, PageId(page), vdl).is_some()));
    }
}

#[test]
fn a_misdirected_version_is_found() {
    let (mut world, mut writer) = coalesced_with(51, 0);
    // Intact blocks in the wrong places: two pages' images change places.
    let area = world.disk(0).bytes_mut(Area::Extents);
    let images: Vec<usize> =
        (0..area.len()).step_by(8192).filter(|at| area[*at..*at + 4] == *b"HXP\x01").collect();
    assert!(images.len() > 1);
    for pair in images.chunks_exact(2) {
        let first = area[pair[0]..pair[0] + 8192].to_vec();
        area.copy_within(pair[1]..pair[1] + 8192, pair[0]);
        area[pair[1]..pair[1] + 8192].copy_from_slice(&first);
    }
    let vdl = writer.vdl;
    let served =
        (0..16).filter(|page| writer.check_page(&mut world, 0, PageId(*page), vdl).is_some()).count();
    assert!(served < 16, "what was served is right, what was not is refused");
}

/// Places of the appends in a log, in the order of their positions.
pub fn appends(world: &mut World, node: usize) -> Vec<usize> {
    let log = world.disk(node).bytes_mut(Area::Log);
    let mut places: Vec<usize> =
        (0..log.len()).step_by(4096).filter(|at| log[*at..*at + 8] == *b"HXAPPND1").collect();
    let position = |at: usize| u64::from_le_bytes(log[at + 40..at + 48].try_into().expect("eight bytes"));
    places.sort_by_key(|at| position(*at));
    places
}

fn states(world: &mut World, node: usize) -> Vec<SegmentState> {
    let wire = world.connect(node).expect("it is ready");
    let query = Message::StatusQuery(StatusQuery { volume: VOLUME });
    let Some(Answer::Status(status)) = call(world, wire, 701, &query) else { panic!("no status") };
    world.disconnect(wire);
    status.segments.iter().map(|segment| segment.state).collect()
}

/// Nothing of the volume is read from the member, and no writer or opener counts it.
fn assert_counts_for_nothing(world: &mut World, writer: &mut Writer, node: usize) {
    assert!(states(world, node).iter().all(|state| *state == SegmentState::Damaged));
    let vdl = writer.vdl;
    assert_eq!(writer.check_page(world, node, PageId(1), vdl), None);
    assert_eq!(writer.refusals.last().map(|refusal| refusal.reason), Some(RefusalReason::Damaged));
}

/// A shard with rot in its log stopped for good, and with it a sixth of all copies.
#[test]
fn rot_in_the_middle_of_the_log_damages_the_segments_and_peers_make_them_whole() {
    for (seed, share) in [(52, 2), (57, 3), (58, 5)] {
        let mut world = World::new(seed);
        create_volume(&mut world, 2);
        let mut writer = Writer::open(&mut world, 1, 2, None);
        writer.write_many(&mut world, 30);
        writer.settle(&mut world);
        world.kill(2);
        let places = appends(&mut world, 2);
        assert!(places.len() > 6);
        // Nothing is coalesced yet: the read point has not moved. The scan begins early enough to meet it.
        world.disk(2).bytes_mut(Area::Log)[places[places.len() / share] + 130] ^= 1;
        world.start(2);
        world.run_until("ready", |world| world.is_ready(2));
        assert_eq!(world.counter(2, "logs_damaged"), 1);
        assert_counts_for_nothing(&mut world, &mut writer, 2);
        // It stays damaged over restarts, until its peers have made it whole.
        world.power_cycle(2, 0);
        assert_counts_for_nothing(&mut world, &mut writer, 2);
        writer.write_many(&mut world, 20);
        writer.converge(&mut world);
        assert_eq!(states(&mut world, 2), [SegmentState::Open; 2]);
        assert_eq!(world.counter(2, "segments_repaired"), 2);
        // What lies below the base that it was hydrated with it does not have.
        writer.raise_pgmrpl_to_vdl();
        writer.write_many(&mut world, 10);
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
        world.power_cycle_all();
        assert_eq!(states(&mut world, 2), [SegmentState::Open; 2]);
        assert_eq!(world.counter(2, "logs_damaged"), 0, "a checkpoint has passed it");
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
        assert!(world.halts.is_empty(), "{:?}", world.halts);
    }
}

/// Bumped and then robbed of it: the member must not take an older writer for the last one.
#[test]
fn a_promise_in_the_lost_stretch_is_learnt_again_before_anything_is_answered() {
    let mut world = World::new(59);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 30);
    writer.settle(&mut world);
    let bumps = bump(&mut world, writer_id(7), 1);
    assert_eq!(bumps.answers.len(), NODES);
    // Something after it, so that it is not the torn end.
    let again = bump(&mut world, writer_id(8), 1);
    assert_eq!(again.answers.len(), NODES);
    world.kill(3);
    let places = appends(&mut world, 3);
    for place in &places[places.len() - 3..places.len() - 1] {
        world.disk(3).bytes_mut(Area::Log)[place + 130] ^= 1;
    }
    // Alone it knows nothing, and says nothing.
    (0..NODES).filter(|node| *node != 3).for_each(|node| world.kill(node));
    world.start(3);
    world.run_until("ready", |world| world.is_ready(3));
    assert_eq!(world.counter(3, "logs_damaged"), 1);
    assert_eq!(bump(&mut world, writer_id(5), 1).answers.len(), 0);
    (0..2).for_each(|node| world.start(node));
    world.run_us(500_000);
    assert_eq!(bump(&mut world, writer_id(9), 1).answers.len(), 2, "two witnesses are no proof");
    world.start_all();
    world.run_us(500_000);
    assert_eq!(bump(&mut world, writer_id(7), 1).refused, NODES, "8 was promised, and it has learnt that");
    let mut next = Writer::open(&mut world, 10, 1, Some(&writer));
    next.write_many(&mut world, 10);
    next.converge(&mut world);
    assert_eq!(states(&mut world, 3), [SegmentState::Open]);
    next.raise_pgmrpl_to_vdl();
    next.check_all_served(&mut world);
}

/// A record whose page backlink is not the page's last record: a bug or a damaged memory. The page is never served from it, the
/// operator is told once, and a peer's page takes its place.
#[test]
fn a_page_whose_records_do_not_fit_is_quarantined_and_mended() {
    let mut world = World::new(64);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    let page = PageId(5);
    (0..3).for_each(|_| writer.write_pages(&mut world, &[page]));
    writer.converge(&mut world);
    let tail = writer.last;
    // All others get the record as it is.
    writer.passed_over = Some(0);
    writer.write_pages(&mut world, &[page]);
    let mut operations = Vec::new();
    Operation::Write { offset: 96, bytes: &[1] }.encode(&mut operations);
    let mut builder = BatchBuilder::new(GroupId(0));
    builder.push(&Record {
        lsn: tail.plus(1),
        page,
        page_backlink: Lsn(tail.0 - 1),
        group_backlink: tail,
        is_cpl: true,
        operations: &operations,
    });
    let mut entries = Vec::new();
    Write::put_entry(&mut entries, MembershipEpoch(1), &builder.seal());
    let wire = writer.wire(0).expect("connected");
    world.send(wire, 900, &Message::Write(Write { head: writer.head(), entries: &entries }));
    world.run_us(2_000);
    writer.settle(&mut world);
    assert_eq!(writer.scl(0, GroupId(0)), tail.plus(1));
    let vdl = writer.vdl;
    for _ in 0..3 {
        assert_eq!(writer.check_page(&mut world, 0, page, vdl), None);
        assert_eq!(writer.refusals.last().map(|it| it.reason), Some(RefusalReason::Quarantined));
    }
    assert_eq!(world.counter(0, "pages_quarantined"), 1);
    let alarms = world.logs.iter().filter(|line| line.contains("ALARM") && line.contains("quarantined"));
    assert_eq!(alarms.count(), 1);
    writer.tell_floor(&mut world);
    world.run_until("it is mended", |world| world.counter(0, "pages_repaired") == 1);
    for restarts in 0..2 {
        world.run_until("the index is loaded", |world| world.has_index(0));
        assert_eq!(writer.check_page(&mut world, 0, page, vdl), Some(()), "{restarts} restarts");
        world.run_us(1_000_000);
        world.power_cycle(0, 0);
    }
}

/// A member may lose its state between a writer's question for it and the writer's first frame: an idle writer would go on to count
/// it. So it is told with that frame, once on each connection.
#[test]
fn a_writer_is_told_of_what_is_lost_with_its_first_frame() {
    let mut world = World::new(63);
    create_volume(&mut world, 2);
    let mut writer = Writer::open(&mut world, 1, 2, None);
    writer.write_many(&mut world, 30);
    writer.settle(&mut world);
    world.kill(2);
    let places = appends(&mut world, 2);
    world.disk(2).bytes_mut(Area::Log)[places[places.len() / 2] + 130] ^= 1;
    world.start(2);
    world.run_until("it has its pages", |world| {
        world.is_ready(2) && world.counter(2, "segments_hydrated") == 2
    });
    let mut request = 800;
    for connection in 0..2 {
        let wire = world.connect(2).expect("it is ready");
        for frame in 0..3 {
            request += 1;
            let head = WriterHead { tails: Vec::new(), ..writer.head() };
            let notice = Message::Write(Write { head, entries: &[] });
            assert!(matches!(call(&mut world, wire, request, &notice), Some(Answer::Ack(_))));
            let told = std::iter::from_fn(|| take_answer(&mut world, wire, 0));
            let damaged =
                |it: &Answer| matches!(it, Answer::Refused(it) if it.reason == RefusalReason::Damaged);
            let count = told.filter(damaged).count();
            assert_eq!(count, if frame == 0 { 2 } else { 0 }, "connection {connection}, frame {frame}");
        }
    }
}

/// Without a writer that tells the group's tail, three peers that have been bumped by the same opener are proof of it. What they
/// told before they were says nothing of that: they are asked again.
#[test]
fn while_a_volume_is_opened_its_witnesses_end_the_damage() {
    for seed in 66..69 {
        let mut world = World::new(seed);
        create_volume(&mut world, 1);
        let mut writer = Writer::open(&mut world, 1, 1, None);
        writer.write_many(&mut world, 30);
        writer.settle(&mut world);
        world.kill(2);
        let places = appends(&mut world, 2);
        world.disk(2).bytes_mut(Area::Log)[places[places.len() / 2] + 130] ^= 1;
        world.start(2);
        // The writer is silent.
        world.run_until("it has its pages", |world| {
            world.is_ready(2) && world.counter(2, "segments_hydrated") > 0
        });
        world.run_us(1_000_000);
        assert_counts_for_nothing(&mut world, &mut writer, 2);
        let bumps = bump(&mut world, writer_id(2), 1);
        assert_eq!(bumps.answers.len(), NODES);
        // All of them at once, which takes a gossip interval or two: an opening may wait for it.
        assert_eq!(world.counter(2, "segments_repaired"), 1, "seed {seed}");
        assert_eq!(states(&mut world, 2), [SegmentState::Opening], "seed {seed}");
        let mut next = Writer::open(&mut world, 3, 1, Some(&writer));
        next.write_many(&mut world, 10);
        next.converge(&mut world);
        next.raise_pgmrpl_to_vdl();
        next.check_all_served(&mut world);
    }
}

/// A writer names these segments to the node, which knows nothing of them.
fn restore(world: &mut World, node: usize, groups: u32) {
    let wire = world.connect(node).expect("it is ready");
    for group in 0..groups {
        let lost = CreateSegment {
            volume: VOLUME,
            group: GroupId(group),
            segment: membership(group).members[node].segment,
            pages_per_group: PAGES_PER_GROUP,
            geometry_epoch: GeometryEpoch(1),
            base_lsn: Lsn::ZERO,
            membership: membership(group),
        };
        let answer = call(world, wire, 710 + u64::from(group), &Message::RestoreSegment(lost));
        assert!(matches!(answer, Some(Answer::Done)), "{answer:?}");
    }
    world.disconnect(wire);
}

/// Simulator, seed 18: what named a segment on its device was lost, and the shard did not know of it for good. A device that was
/// replaced knows of none. They are made anew, as damaged as can be.
#[test]
fn segments_that_a_device_does_not_name_are_made_anew_and_become_whole() {
    let mut world = World::new(62);
    create_volume(&mut world, 2);
    let mut writer = Writer::open(&mut world, 1, 2, None);
    writer.write_many(&mut world, 30);
    writer.settle(&mut world);
    let promised = bump(&mut world, writer_id(7), 2);
    assert_eq!(promised.answers.len(), 2 * NODES);
    world.kill(3);
    world.replace_device(3);
    // Alone it knows nothing, and says nothing.
    (0..NODES).filter(|node| *node != 3).for_each(|node| world.kill(node));
    world.start(3);
    world.run_until("ready", |world| world.is_ready(3));
    restore(&mut world, 3, 2);
    // A second time changes nothing.
    restore(&mut world, 3, 2);
    assert_eq!(world.counter(3, "segments_restored"), 2);
    assert_eq!(bump(&mut world, writer_id(8), 2).answers.len(), 0);
    world.power_cycle(3, 0);
    assert_eq!(states(&mut world, 3), [SegmentState::Damaged; 2]);
    world.start_all();
    world.run_us(500_000);
    assert_eq!(
        bump(&mut world, writer_id(6), 2).refused,
        2 * NODES,
        "7 was promised, and it has learnt that"
    );
    let mut next = Writer::open(&mut world, 10, 2, Some(&writer));
    next.write_many(&mut world, 20);
    next.converge(&mut world);
    assert_eq!(states(&mut world, 3), [SegmentState::Open; 2]);
    // One that is there stays what it is.
    restore(&mut world, 3, 2);
    assert_eq!(states(&mut world, 3), [SegmentState::Open; 2]);
    next.raise_pgmrpl_to_vdl();
    next.write_many(&mut world, 10);
    next.converge(&mut world);
    next.check_all_served(&mut world);
    world.power_cycle_all();
    assert_eq!(states(&mut world, 3), [SegmentState::Open; 2]);
    next.converge(&mut world);
    next.check_all_served(&mut world);
}

/// What a member says of itself while a bump is on its way to its device is not what an older writer will find there: batches that
/// stand before the bump may still be acknowledged. A damaged peer that asked then took it for a proof.
#[test]
fn a_peer_is_told_no_scl_while_a_bump_is_not_durable() {
    let mut world = World::new(63);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 5);
    writer.settle(&mut world);
    let wire = world.connect(2).expect("it is ready");
    let (volume, group, opener) = (VOLUME, GroupId(0), writer_id(7));
    let bump = EpochBump { volume, writer: opener, groups: vec![group] };
    let pull = Message::GossipPull(GossipPull {
        volume,
        group,
        writer: opener,
        membership_epoch: membership(0).epoch,
        after: Lsn::ZERO,
        through: Lsn::ZERO,
        bytes_max: 4096,
    });
    world.send(wire, 720, &Message::EpochBump(bump));
    let Some(Answer::Refused(refusal)) = call(&mut world, wire, 721, &pull) else { panic!("it waits") };
    assert_eq!(refusal.reason, RefusalReason::Busy);
    world.run_us(50_000);
    assert!(take_answer(&mut world, wire, 720).is_some(), "the bump is durable");
    let answer = call(&mut world, wire, 722, &pull);
    assert!(matches!(answer, Some(Answer::Push { .. })), "{answer:?}");
}

/// A flipped bit in any block of the index, and a shard that knows nothing of its pages any more.
#[test]
fn a_damaged_index_costs_the_shard_its_pages_and_not_its_life() {
    for seed in 70..74 {
        let (mut world, mut writer) = coalesced(seed);
        world.stop(4);
        for part in world.disk(4).bytes_mut(Area::Extents).chunks_mut(4096) {
            let generation = u64::from_le_bytes(part[24..32].try_into().expect("eight bytes"));
            // One of the newest checkpoint, or one that it goes back to.
            if part[..8] == *b"HXCHKPT3" && generation % 4 == seed % 4 {
                part[140] ^= 1;
            }
        }
        world.start(4);
        world.run_until("ready", |world| world.is_ready(4));
        writer.write_many(&mut world, 10);
        writer.converge(&mut world);
        assert!(states(&mut world, 4).iter().all(|state| *state == SegmentState::Open));
        writer.raise_pgmrpl_to_vdl();
        writer.check_all_served(&mut world);
        world.power_cycle_all();
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
    }
}

/// Simulator, seed 4100011: a checkpoint's part never landed. What stood in its place was an older part, sound in itself and
/// with the same index in its chain: it was taken, the records that only the lost one named were gone, and the segment called
/// itself sound. Parts are named with their checksums now.
#[test]
fn an_older_part_in_the_place_of_one_that_never_landed_is_not_taken() {
    let (mut world, mut writer) = coalesced(61);
    world.kill(1);
    let device = world.disk(1);
    let newest = Superblock::newest(device.bytes_mut(Area::Superblock)).expect("it was formatted");
    let extents = device.bytes_mut(Area::Extents);
    let last = newest.checkpoint.offset() as usize;
    let (last, _) = PartHeader::decode(&extents[last..]).expect("the last part");
    assert!(last.index > 0, "a chain of more than one part");
    let at = last.previous.offset() as usize;
    let (lost, _) = PartHeader::decode(&extents[at..]).expect("the part before");
    // Of the checkpoint before, with nothing in it.
    let older = PartHeader { generation: lost.generation - 1, ..lost };
    let bytes = part_bytes(0);
    older.encode(&[], &mut extents[at..at + bytes]);
    world.start(1);
    world.run_until("the start has ended", |world| world.is_ready(1));
    assert!(world.logs.iter().any(|line| line.contains("it is another part")), "{:?}", world.logs.last());
    assert_counts_for_nothing(&mut world, &mut writer, 1);
    writer.write_many(&mut world, 10);
    writer.converge(&mut world);
    assert!(states(&mut world, 1).iter().all(|state| *state == SegmentState::Open));
    writer.raise_pgmrpl_to_vdl();
    writer.check_all_served(&mut world);
}

/// A start reads the checkpoint by extents: what is bad in one beside the parts costs it nothing.
#[test]
fn a_bad_block_beside_the_checkpoints_parts_is_got_around() {
    let (mut world, mut writer) = coalesced(66);
    world.kill(1);
    let device = world.disk(1);
    let newest = Superblock::newest(device.bytes_mut(Area::Superblock)).expect("it was formatted");
    let extents = device.bytes_mut(Area::Extents);
    let (mut at, mut bytes) = (newest.checkpoint.offset(), u64::from(newest.checkpoint_bytes));
    let mut parts = Vec::new();
    loop {
        parts.push(at..at + bytes);
        let (header, _) = PartHeader::decode(&extents[at as usize..]).expect("a part of the chain");
        if header.flags & PART_BEGINS_CHAIN != 0 {
            break;
        }
        (at, bytes) = (header.previous.offset(), u64::from(header.previous_bytes));
    }
    // In front of a part, in its extent, and in none.
    let extent_bytes = options(1).extent_bytes;
    let before = |part: &Range<u64>| (part.start - part.start % extent_bytes..part.start).step_by(4096);
    let bad = parts.iter().flat_map(before).find(|block| !parts.iter().any(|part| part.contains(block)));
    world.set_bad_block(1, Some((Area::Extents, bad.expect("parts of checkpoints before"))));
    world.start(1);
    world.run_until("the start has ended", |world| world.is_ready(1));
    world.run_until("the index is loaded", |world| world.has_index(1));
    assert!(
        world.logs.iter().any(|line| line.contains("reading the index at extents offset")),
        "{:?}",
        world.logs
    );
    assert_eq!(world.counter(1, "indexes_lost"), 0);
    assert!(states(&mut world, 1).iter().all(|state| *state == SegmentState::Open), "nothing is lost");
    writer.write_many(&mut world, 10);
    writer.converge(&mut world);
    writer.raise_pgmrpl_to_vdl();
    writer.check_all_served(&mut world);
}

#[test]
fn a_torn_last_append_is_dropped_and_a_stale_one_behind_it_never_taken() {
    let mut world = World::new(53);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 20);
    writer.settle(&mut world);
    world.kill(2);
    let log = world.disk(2).bytes_mut(Area::Log);
    let last =
        (0..log.len()).step_by(4096).filter(|at| log[*at..*at + 8] == *b"HXAPPND1").max().expect("appends");
    log[last + 140] ^= 0x80;
    // The acknowledged tail is gone from this device: the harness would call that a loss, so it reads the SCL itself.
    world.start(2);
    world.run_until("ready", |world| world.is_ready(2));
    assert!(world.halts.is_empty(), "{:?}", world.halts);
}

#[test]
fn one_damaged_superblock_slot_is_no_loss_two_are_a_clear_stop() {
    let (mut world, mut writer) = coalesced(54);
    world.stop(1);
    world.disk(1).bytes_mut(Area::Superblock)[4096 + 70] ^= 1;
    world.start(1);
    world.run_us(100_000);
    // If the older slot was the damaged one, nothing happened; if the newer, the start may meet freed log. Either it
    // starts or it stops with a text; it never serves something wrong.
    if world.is_ready(1) {
        let vdl = writer.vdl;
        for page in (0..16).map(PageId) {
            writer.check_page(&mut world, 1, page, vdl);
        }
        world.stop(1);
    } else {
        world.kill(1);
    }
    world.disk(1).bytes_mut(Area::Superblock).fill(0x5a);
    world.start(1);
    world.run_us(100_000);
    assert!(!world.is_ready(1));
    assert!(world.halts.iter().any(|(node, text)| *node == 1 && text.contains("superblock")));
}

/// A start begins with the older one.
fn lose_newest_superblock(world: &mut World, node: usize) {
    let area = world.disk(node).bytes_mut(Area::Superblock);
    let newest = Superblock::newest(area).expect("it was formatted").offset() as usize;
    area[newest + 70] ^= 1;
}

/// Simulator seed 5326: the newest superblock had let go of some log, which was written over, and was lost then. The older one
/// kept all of it, more than a ring holds, and the daemon died at every start.
#[test]
fn a_log_that_went_round_beyond_what_the_older_superblock_keeps_is_scanned() {
    let mut world = World::with_options(63, |node| {
        let mut options = options(node);
        options.checkpoint_log_bytes = 192 << 10;
        options
    });
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    // Before the first checkpoint an older superblock knows no segment.
    while world.counter(1, "checkpoints") == 0 {
        writer.write_many(&mut world, 10);
        writer.raise_pgmrpl_to_vdl();
    }
    for turn in 0..60 {
        for _ in 0..world.rng.below(25) + 5 {
            writer.write_many(&mut world, 10);
            writer.raise_pgmrpl_to_vdl();
        }
        world.kill(1);
        lose_newest_superblock(&mut world, 1);
        world.start(1);
        world.run_us(100_000);
        assert!(world.is_ready(1), "turn {turn}: {:?}", world.halts);
    }
    writer.converge(&mut world);
    // One that was hydrated serves nothing below.
    writer.raise_pgmrpl_to_vdl();
    writer.tell_floor(&mut world);
    writer.check_all_served(&mut world);
}

/// Found by review: a full log leaves a bump to the next checkpoint. When the superblock that named this was lost, the start
/// began with the one before, and a member that was sound for all it knew had forgotten what it had promised.
#[test]
fn a_promise_that_a_checkpoint_holds_outlives_the_newest_superblock() {
    let mut world = World::new(64);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    let mut written = 0;
    // PGMRPL stays, and nothing can be coalesced.
    while world.counter(1, "no_space_refusals") == 0 {
        written += 1;
        assert!(written < 10_000, "the log is never full");
        writer.write(&mut world);
        writer.pump(&mut world);
        world.run_us(1_000);
    }
    let mut promised = 0;
    for epoch in 2..20 {
        let bumps = bump(&mut world, writer_id(epoch), 1);
        if !bumps.answers.contains_key(&(1, GroupId(0))) {
            continue;
        }
        promised += 1;
        world.kill(1);
        lose_newest_superblock(&mut world, 1);
        world.start(1);
        world.run_us(100_000);
        assert!(world.is_ready(1), "{:?}", world.halts);
        let wire = world.connect(1).expect("up");
        let older = EpochBump { volume: VOLUME, writer: writer_id(epoch - 1), groups: vec![GroupId(0)] };
        match call(&mut world, wire, 1, &Message::EpochBump(older)) {
            Some(Answer::Refused(_)) => {}
            other => panic!("epoch {epoch} was promised: {other:?}"),
        }
    }
    assert!(promised > 0);
}

#[test]
fn a_failed_write_is_never_acknowledged() {
    let mut world = World::new(55);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 10);
    writer.converge(&mut world);
    let group = GroupId(0);
    let before = writer.scl(0, group);
    world.set_failing(0, Some(Area::Log));
    writer.write_many(&mut world, 10);
    world.run_us(20_000);
    writer.pump(&mut world);
    assert_eq!(writer.scl(0, group), before);
    assert!(
        world.halts.iter().any(|(node, text)| *node == 0 && text.contains("errno 5")),
        "{:?}",
        world.halts
    );
    assert!(writer.refusals.iter().any(|refusal| refusal.reason == RefusalReason::DeviceFailed));
    // Reading goes on, and a restart on a healthy device brings the member back.
    let vdl = writer.pgmrpl.max(Lsn(1));
    assert_eq!(writer.check_page(&mut world, 0, PageId(1), vdl), Some(()));
    world.kill(0);
    world.set_failing(0, None);
    world.start(0);
    writer.converge(&mut world);
    assert!(NODES > 0 && writer.scl(0, group) > before);
}
