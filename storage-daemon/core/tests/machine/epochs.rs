//! Fencing: bumps, histories, truncation, and who is refused.

use crate::rng::seeds;
use crate::world::{NODES, World, options};
use crate::writer::{Answer, VOLUME, Writer, bump, call, create_volume, take_answer, writer_id};
use hexalog_protocol::history::{EpochEntry, EpochHistory};
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::*;
use hexalog_protocol::{GroupId, Incarnation, Lsn, MembershipEpoch, PageId};

fn reason(answer: Option<Answer>) -> RefusalReason {
    match answer {
        Some(Answer::Refused(refusal)) => refusal.reason,
        other => panic!("not refused: {other:?}"),
    }
}

/// A frame with one batch of one record.
fn frame(writer: WriterId, lsn: u64, backlink: u64) -> (WriterHead, Vec<u8>) {
    let mut builder = hexalog_protocol::batch::BatchBuilder::new(GroupId(0));
    builder.push(&hexalog_protocol::record::Record {
        lsn: Lsn(lsn),
        page: PageId(lsn % 16),
        page_backlink: Lsn::ZERO,
        group_backlink: Lsn(backlink),
        is_cpl: true,
        operations: &[1],
    });
    let mut entries = Vec::new();
    Write::put_entry(&mut entries, MembershipEpoch(1), &builder.seal());
    let head = WriterHead {
        volume: VOLUME,
        writer,
        vdl: Lsn(0),
        pgmrpl: Lsn(0),
        wall_time_us: 0,
        tails: Vec::new(),
    };
    (head, entries)
}

#[test]
fn a_fresh_segment_takes_nothing_before_bump_and_history() {
    let mut world = World::new(30);
    create_volume(&mut world, 1);
    let wire = world.connect(0).expect("up");
    let (head, entries) = frame(writer_id(1), 1, 0);
    let write = || Message::Write(Write { head: head.clone(), entries: &entries });
    assert_eq!(reason(call(&mut world, wire, 1, &write())), RefusalReason::EpochBehind);
    bump(&mut world, writer_id(1), 1);
    assert_eq!(reason(call(&mut world, wire, 2, &write())), RefusalReason::EpochBehind);
    let mut history = EpochHistory::new();
    history.push(EpochEntry { writer: writer_id(1), vdl: Lsn(0), upper: Lsn(0) });
    let install = InstallHistory { volume: VOLUME, groups: vec![GroupId(0)], history };
    assert!(matches!(call(&mut world, wire, 3, &Message::InstallHistory(install)), Some(Answer::Done)));
    assert!(matches!(call(&mut world, wire, 4, &write()), Some(Answer::Ack(_))));
}

/// What operators see of refusals, and what becomes of a connection that sends what is none of the format.
#[test]
fn refusals_are_counted_by_their_reason() {
    let mut world = World::new(38);
    create_volume(&mut world, 1);
    let writer = Writer::open(&mut world, 2, 1, None);
    let wire = writer.wire(0).expect("connected");
    let counters = ["refusals", "stale_epoch_refusals", "malformed_frames", "busy_refusals"];
    let counted = |world: &World| counters.map(|name| world.counter(0, name));
    assert_eq!(counted(&world), [0; 4]);
    let stale = EpochBump { volume: VOLUME, writer: writer_id(1), groups: vec![GroupId(0)] };
    let answer = call(&mut world, wire, 1, &Message::EpochBump(stale));
    assert_eq!(reason(answer), RefusalReason::StaleEpoch);
    assert_eq!(counted(&world), [1, 1, 0, 0]);
    let (head, mut entries) = frame(writer.id, 1, 0);
    *entries.last_mut().expect("a batch") ^= 1;
    // In this world a connection takes with it what was sent last.
    let answer = call(&mut world, wire, 2, &Message::Write(Write { head, entries: &entries }));
    assert!(answer.is_none() && !world.is_connected(wire), "nothing more is believed that comes on it");
    assert_eq!(counted(&world), [2, 1, 1, 0]);
}

#[test]
fn an_equal_epoch_with_another_incarnation_is_refused() {
    let mut world = World::new(31);
    create_volume(&mut world, 1);
    let first = writer_id(3);
    assert_eq!(bump(&mut world, first, 1).answers.len(), NODES);
    let other = WriterId { incarnation: Incarnation(1), ..first };
    let bumps = bump(&mut world, other, 1);
    assert_eq!((bumps.answers.len(), bumps.refused), (0, NODES));
    assert_eq!(bump(&mut world, writer_id(2), 1).refused, NODES);
    // The same opener may ask again; after a restart too.
    assert_eq!(bump(&mut world, first, 1).answers.len(), NODES);
    world.power_cycle(2, 0);
    assert_eq!(bump(&mut world, other, 1).refused, NODES);
    assert_eq!(bump(&mut world, first, 1).answers.len(), NODES);
}

#[test]
fn what_stood_before_the_bump_in_the_log_is_told_what_comes_after_is_refused() {
    // An opener that did not count a record which is acknowledged a moment later would annul an acknowledged commit.
    for seed in seeds(300, 40) {
        let mut world = World::new(seed);
        create_volume(&mut world, 1);
        let writer = Writer::open(&mut world, 1, 1, None);
        let wire = writer.wire(0).expect("connected");
        let opener = world.connect(0).expect("up");
        let count = 6;
        let bump_after = world.rng.below(count);
        for index in 0..count {
            let (head, entries) = frame(writer.id, index + 1, index);
            world.send(wire, 10 + index, &Message::Write(Write { head, entries: &entries }));
            let pause = world.rng.below(200);
            world.run_us(pause);
            if index == bump_after {
                let bump = EpochBump { volume: VOLUME, writer: writer_id(2), groups: vec![GroupId(0)] };
                world.send(opener, 500, &Message::EpochBump(bump));
            }
        }
        world.run_us(20_000);
        let Some(Answer::Bumped(bumped)) = take_answer(&mut world, opener, 500) else { panic!("bumped") };
        assert_eq!(bumped.marks.0.len() as u64, bumped.scl.0, "all that it holds is above the VDL heard");
        for index in 0..count {
            let lsn = Lsn(index + 1);
            match take_answer(&mut world, wire, 10 + index).expect("each is answered") {
                Answer::Ack(ack) => {
                    let is_counted = ack.scls.iter().any(|(_, scl)| *scl >= lsn);
                    assert!(!is_counted || bumped.scl >= lsn, "seed {seed}: {lsn} acknowledged, not told");
                }
                Answer::Refused(refusal) => {
                    assert_eq!(refusal.reason, RefusalReason::StaleEpoch);
                    assert_eq!(refusal.writer, writer_id(2));
                    assert!(bumped.scl < lsn, "seed {seed}: {lsn} refused, told");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_fenced_writer_is_refused_and_reads_above_what_is_heard_need_the_epoch() {
    let mut world = World::new(33);
    create_volume(&mut world, 1);
    let mut old = Writer::open(&mut world, 1, 1, None);
    old.write_many(&mut world, 10);
    old.settle(&mut world);
    let new = Writer::open(&mut world, 2, 1, Some(&old));
    old.write(&mut world);
    old.pump(&mut world);
    world.run_us(10_000);
    old.pump(&mut world);
    assert!(old.refusals.iter().any(|refusal| refusal.reason == RefusalReason::StaleEpoch));
    assert!(old.refusals.iter().all(|refusal| refusal.writer == new.id));
    // At or below the VDL heard every epoch may read; above it only the current one.
    let vdl = old.vdl;
    assert_eq!(old.check_page(&mut world, 1, PageId(1), vdl), Some(()));
    let mut read = old.read_request(PageId(1), Lsn(vdl.0 + 1_000));
    read.group_tail = vdl;
    let wire = new.wire(1).expect("connected");
    let request = Message::ReadPage(read.clone());
    assert_eq!(reason(call(&mut world, wire, 900, &request)), RefusalReason::StaleEpoch);
    read.writer = new.id;
    let answer = call(&mut world, wire, 901, &Message::ReadPage(read));
    assert!(matches!(answer, Some(Answer::Image(_))), "{answer:?}");
}

#[test]
fn only_the_opener_itself_may_install_an_older_history_while_opening() {
    let mut world = World::new(34);
    create_volume(&mut world, 1);
    let mut writer = Writer::open(&mut world, 1, 1, None);
    writer.write_many(&mut world, 5);
    writer.settle(&mut world);
    let opener = world.connect(0).expect("up");
    let stranger = world.connect(0).expect("up");
    let bump = EpochBump { volume: VOLUME, writer: writer_id(5), groups: vec![GroupId(0)] };
    assert!(matches!(call(&mut world, opener, 1, &Message::EpochBump(bump)), Some(Answer::Bumped(_))));
    let mut history = writer.history.clone();
    history.push(EpochEntry { writer: writer_id(3), vdl: writer.vdl, upper: Lsn(writer.vdl.0 + 64) });
    let install = InstallHistory { volume: VOLUME, groups: vec![GroupId(0)], history };
    let install = Message::InstallHistory(install);
    assert_eq!(reason(call(&mut world, stranger, 2, &install)), RefusalReason::StaleEpoch);
    assert!(matches!(call(&mut world, opener, 3, &install), Some(Answer::Done)));
    let query = Message::StatusQuery(StatusQuery { volume: VOLUME });
    let Some(Answer::Status(status)) = call(&mut world, opener, 4, &query) else { panic!() };
    assert_eq!(status.segments[0].state, SegmentState::Opening);
    assert_eq!(status.segments[0].writer, writer_id(5));
}

/// Simulator, seed 3200068: an opening that never ended. It needed a member that had missed more than its memory for records
/// holds. The member took what the opener pushed until that was full, might coalesce nothing above the VDL that it had heard
/// long ago, and heard no newer one before the volume was open. The opener's push tells one now.
#[test]
fn a_member_that_missed_more_than_its_memory_is_brought_up_by_an_opener() {
    let mut world = World::with_options(4, |node| {
        let mut options = options(node);
        options.pending_bytes_max = 8 << 10;
        (options.log_bytes, options.log_prepared_bytes) = (4 << 20, 4 << 20);
        options
    });
    create_volume(&mut world, 2);
    let mut writer = Writer::open(&mut world, 1, 2, None);
    writer.write_many(&mut world, 10);
    writer.converge(&mut world);
    world.kill(4);
    let every_page: Vec<PageId> = (0..32).map(PageId).collect();
    for _ in 0..60 {
        writer.write_pages(&mut world, &every_page);
        writer.settle(&mut world);
        writer.raise_pgmrpl_to_vdl();
        writer.pump(&mut world);
        world.run_us(5_000);
    }
    let vdl = writer.vdl;
    // The writer is gone, and with it two members that had everything: three are whole, and the fourth is needed.
    (3..6).filter(|node| *node != 4).for_each(|node| world.kill(node));
    world.start(4);
    world.run_until("it has started", |world| world.is_ready(4));
    let mut next = Writer::open(&mut world, 2, 2, Some(&writer));
    assert!(world.counter(4, "redo_bytes") > 4 * (8 << 10), "more than four times what it may hold");
    for page in 0..32 {
        assert_eq!(next.check_page(&mut world, 4, PageId(page), vdl), Some(()));
    }
    next.write_many(&mut world, 10);
    next.settle(&mut world);
}

#[test]
fn opening_after_opening_with_members_missing_and_coming_back_with_ghosts() {
    for seed in seeds(400, 20) {
        let mut world = World::with_long_log(seed);
        create_volume(&mut world, 2);
        let mut writer = Writer::open(&mut world, 1, 2, None);
        for epoch in 2..9 {
            writer.loss_percent = 30;
            let count = 5 + world.rng.below(20) as usize;
            writer.write_many(&mut world, count);
            // Ghosts: the last records reach few members or none.
            writer.loss_percent = 70;
            for _ in 0..4 {
                writer.write(&mut world);
            }
            writer.pump(&mut world);
            let pause = world.rng.below(2_000);
            world.run_us(pause);
            world.start_all();
            for _ in 0..2 {
                let node = world.rng.below(NODES as u64) as usize;
                if world.is_up(node) {
                    if world.rng.percent(50) { world.kill(node) } else { world.power_loss(node) }
                }
            }
            writer = Writer::open(&mut world, epoch, 2, Some(&writer));
        }
        world.start_all();
        writer.write_many(&mut world, 10);
        writer.loss_percent = 0;
        writer.converge(&mut world);
        writer.check_all_served(&mut world);
    }
}
