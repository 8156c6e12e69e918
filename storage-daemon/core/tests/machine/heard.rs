//! What a writer tells of its volume, at a member whose groups have different histories: it counts for those that have the
//! writer's, and for no other (`docs/decisions/0087`). Under an older history a record may lie below that VDL which was annulled.

use crate::rng::seeds;
use crate::world::{NODES, World, membership, options};
use crate::writer::{
    Answer, LAL, PAGES_PER_GROUP, VOLUME, Writer, bump, call, create_volume, take_answer, writer_id,
};
use hexalog_protocol::history::{EpochEntry, EpochHistory};
use hexalog_protocol::message::*;
use hexalog_protocol::{GroupId, Lsn, MembershipEpoch, Page, PageId};

const FIRST: GroupId = GroupId(0);
const SECOND: GroupId = GroupId(1);
/// A page of the second group.
const GHOST: PageId = PageId(PAGES_PER_GROUP + 3);

/// Node 0 alone, bumped by a second writer whose history only the first group has got. In the second group stands a record which
/// that history annuls.
struct Split {
    world: World,
    wire: usize,
    first: Writer,
    history: EpochHistory,
    /// The last records of the groups that were not annulled.
    tails: Vec<(GroupId, Lsn)>,
}

fn split(seed: u64) -> Split {
    split_in(World::new(seed), 1)
}

/// With so many records that will be annulled.
fn split_in(mut world: World, ghosts: usize) -> Split {
    create_volume(&mut world, 2);
    let mut first = Writer::open(&mut world, 1, 2, None);
    first.write_many(&mut world, 20);
    (0..2 * PAGES_PER_GROUP).for_each(|page| first.write_pages(&mut world, &[PageId(page)]));
    first.tell_floor(&mut world);
    first.converge(&mut world);
    let tails = first.tails.iter().map(|(group, tail)| (*group, *tail)).collect();
    (1..NODES).for_each(|node| world.kill(node));
    (0..ghosts).for_each(|_| first.write_pages(&mut world, &[GHOST]));
    first.pump(&mut world);
    world.run_us(2_000);
    let wire = world.connect(0).expect("up");
    let mut history = first.history.clone();
    history.push(EpochEntry { writer: writer_id(2), vdl: first.vdl, upper: first.vdl.plus(LAL) });
    let mut split = Split { world, wire, first, history, tails };
    assert!(split.status(SECOND).scl > split.status(FIRST).scl.max(split.first.vdl), "the ghost is there");
    let groups = vec![FIRST, SECOND];
    let bump = EpochBump { volume: VOLUME, writer: writer_id(2), groups };
    split.world.send(wire, 1, &Message::EpochBump(bump));
    let install = split.install(FIRST);
    assert!(matches!(call(&mut split.world, wire, 2, &install), Some(Answer::Done)));
    split
}

/// Of the volume's segments at a node, by group.
fn status(world: &mut World, node: usize) -> Vec<SegmentStatus> {
    let wire = world.connect(node).expect("up");
    let query = Message::StatusQuery(StatusQuery { volume: VOLUME });
    let Some(Answer::Status(status)) = call(world, wire, 700, &query) else { panic!("no status") };
    world.disconnect(wire);
    status.segments
}

/// The same members under another epoch: something that costs an append.
fn later() -> Membership {
    Membership { epoch: MembershipEpoch(2), ..membership(FIRST.0) }
}

impl Split {
    fn install(&self, group: GroupId) -> Message<'static> {
        let groups = vec![group];
        Message::InstallHistory(InstallHistory { volume: VOLUME, groups, history: self.history.clone() })
    }

    /// What the second writer tells: it has written since, in groups that are not here.
    fn told(&self) -> Lsn {
        self.history.upper().plus(40)
    }

    fn floor(&self) -> Lsn {
        self.history.upper().plus(10)
    }

    fn notice(&self) -> Message<'static> {
        let head = WriterHead {
            volume: VOLUME,
            writer: writer_id(2),
            vdl: self.told(),
            pgmrpl: self.floor(),
            wall_time_us: 5,
            tails: self.tails.clone(),
        };
        Message::Write(Write { head, entries: &[] })
    }

    /// A bump that was told before: its record is on its way to the device while what comes with it gathers for one append.
    fn bump_again(&self) -> Message<'static> {
        let groups = vec![FIRST, SECOND];
        Message::EpochBump(EpochBump { volume: VOLUME, writer: writer_id(2), groups })
    }

    /// Sends both with one append, in this order.
    fn send_in_one_append(&mut self, one: &Message<'_>, other: &Message<'_>) {
        let before = self.world.counter(0, "appends");
        let again = self.bump_again();
        self.world.send_together(self.wire, &[(10, &again), (11, one), (12, other)]);
        self.world.run_us(5_000);
        for request in [11, 12] {
            let answer = take_answer(&mut self.world, self.wire, request);
            assert!(matches!(answer, Some(Answer::Done | Answer::Ack(_))), "{answer:?}");
        }
        assert_eq!(self.world.counter(0, "appends"), before + 2, "the bump's and one more");
    }

    fn status(&mut self, group: GroupId) -> SegmentStatus {
        let mut segments = status(&mut self.world, 0).into_iter();
        segments.find(|segment| segment.group == group).expect("both are here")
    }

    /// The log is read again: each entry counts as it did when it was written.
    fn restart(&mut self) {
        self.world.kill(0);
        self.world.start(0);
        self.world.run_until("it has started", |world| world.is_ready(0));
        self.wire = self.world.connect(0).expect("up");
    }

    /// The second writer reads the page that has a record too many.
    fn read_ghost(&mut self) -> Result<Page, RefusalReason> {
        let mut read = self.first.read_request(GHOST, self.told());
        (read.writer, read.group_tail) = (writer_id(2), self.tails[1].1);
        match call(&mut self.world, self.wire, 701, &Message::ReadPage(read)) {
            Some(Answer::Image(bytes)) => Ok(Page::from_bytes(&bytes).expect("a page")),
            Some(Answer::Refused(refusal)) => Err(refusal.reason),
            other => panic!("{other:?}"),
        }
    }

    /// The page is served as it is without the record.
    fn assert_ghost_is_gone(&mut self) {
        let expected = self.first.model.at(GHOST, self.first.vdl).expect("it was written").clone();
        let page = self.read_ghost().expect("it is served");
        assert_eq!((page.lsn(), page.content_hash()), (expected.lsn(), expected.content_hash()));
    }
}

/// Before, the VDL counted for all segments that were bound to the writer: one without its history served a page with a record
/// that was annulled, since it lay below the VDL.
#[test]
fn a_vdl_counts_only_where_the_history_is_its_writers() {
    let mut split = split(800);
    let heard_before = split.status(SECOND).vdl_heard;
    let notice = split.notice();
    assert!(matches!(call(&mut split.world, split.wire, 3, &notice), Some(Answer::Ack(_))));
    for restarts in 0..3 {
        let (first, second) = (split.status(FIRST), split.status(SECOND));
        assert_eq!((first.vdl_heard, first.gc_floor), (split.told(), split.floor()), "{restarts} restarts");
        assert_eq!(second.vdl_heard, heard_before, "{restarts} restarts");
        assert!(second.gc_floor <= heard_before);
        assert_eq!((first.state, second.state), (SegmentState::Open, SegmentState::Opening));
        assert_eq!(split.read_ghost().err(), Some(RefusalReason::EpochBehind), "{restarts} restarts");
        split.restart();
    }
    // The third opener is told of the ghost as of any record above the VDL heard.
    let bumps = bump(&mut split.world, writer_id(3), 2);
    let bumped = &bumps.answers[&(0, SECOND)];
    assert_eq!(bumped.vdl_heard, heard_before);
    assert_eq!(bumped.marks.0.last().map(|(lsn, _)| *lsn), Some(split.first.last));
}

/// What was told is written behind all that came for the same append, so that it counts for a segment whose history came with it,
/// be it before or after the frame. A replay takes the two as they were.
#[test]
fn a_vdl_counts_for_a_history_that_is_in_its_append() {
    for (seed, is_history_first) in [(810, true), (811, false), (812, true), (813, false)] {
        let mut split = split(seed);
        let (install, notice) = (split.install(SECOND), split.notice());
        if is_history_first {
            split.send_in_one_append(&install, &notice);
        } else {
            split.send_in_one_append(&notice, &install);
        }
        for restarts in 0..2 {
            for group in [FIRST, SECOND] {
                let status = split.status(group);
                let context = format!("seed {seed}, {group:?}, {restarts} restarts");
                assert_eq!((status.vdl_heard, status.gc_floor), (split.told(), split.floor()), "{context}");
                assert_eq!(status.state, SegmentState::Open, "{context}");
                assert_eq!(status.scl, split.tails[group.0 as usize].1, "{context}");
            }
            split.assert_ghost_is_gone();
            split.restart();
        }
    }
}

/// What the writer before told is overtaken by the history of the next in the same append: it counts for a segment that has not
/// got that history, and for the other no more.
#[test]
fn a_vdl_and_the_next_writers_history_in_one_append() {
    let mut world = World::new(815);
    create_volume(&mut world, 2);
    let mut first = Writer::open(&mut world, 1, 2, None);
    first.write_many(&mut world, 20);
    first.tell_floor(&mut world);
    first.converge(&mut world);
    (1..NODES).for_each(|node| world.kill(node));
    let before = status(&mut world, 0);
    let wire = first.wire(0).expect("connected");
    // Durable elsewhere by now; of this node's groups none has a record of it.
    let told = first.vdl.plus(5);
    let head = WriterHead { vdl: told, ..first.head() };
    let mut history = first.history.clone();
    history.push(EpochEntry { writer: writer_id(2), vdl: told, upper: told.plus(LAL) });
    let groups = vec![FIRST, SECOND];
    let filler = Message::SetMembership(SetMembership { volume: VOLUME, group: FIRST, membership: later() });
    let notice = Message::Write(Write { head, entries: &[] });
    let bump = Message::EpochBump(EpochBump { volume: VOLUME, writer: writer_id(2), groups });
    let install = InstallHistory { volume: VOLUME, groups: vec![FIRST], history };
    let install = Message::InstallHistory(install);
    let appends = world.counter(0, "appends");
    world.send_together(wire, &[(20, &filler), (21, &notice), (22, &bump), (23, &install)]);
    world.run_us(5_000);
    assert_eq!(world.counter(0, "appends"), appends + 2, "the members' and one more");
    assert!(matches!(take_answer(&mut world, wire, 23), Some(Answer::Done)));
    world.kill(0);
    world.start(0);
    world.run_until("it has started", |world| world.is_ready(0));
    let after = status(&mut world, 0);
    assert_eq!(
        after.iter().map(|it| it.state).collect::<Vec<_>>(),
        [SegmentState::Open, SegmentState::Opening]
    );
    assert_eq!(after[0].vdl_heard, before[0].vdl_heard, "under its history nothing was told");
    assert_eq!(after[1].vdl_heard, told);
}

/// A writer tells a VDL until it is acknowledged, and then no more. One that was staged before a segment had the writer's history
/// counts as news again once it has: else an idle writer's VDL would never be durable there.
#[test]
fn a_vdl_told_before_the_history_is_staged_again_behind_it() {
    let mut split = split(820);
    let notice = split.notice();
    assert!(matches!(call(&mut split.world, split.wire, 3, &notice), Some(Answer::Ack(_))));
    let install = split.install(SECOND);
    assert!(matches!(call(&mut split.world, split.wire, 4, &install), Some(Answer::Done)));
    assert!(split.status(SECOND).vdl_heard < split.told());
    assert!(matches!(call(&mut split.world, split.wire, 5, &notice), Some(Answer::Ack(_))));
    split.restart();
    for group in [FIRST, SECOND] {
        let status = split.status(group);
        assert_eq!((status.vdl_heard, status.gc_floor), (split.told(), split.floor()), "{group:?}");
    }
    split.assert_ghost_is_gone();
    // Once more in this run; then it is no news, and costs no append.
    assert!(matches!(call(&mut split.world, split.wire, 4, &notice), Some(Answer::Ack(_))));
    let before = split.world.counter(0, "appends");
    assert!(matches!(call(&mut split.world, split.wire, 5, &notice), Some(Answer::Ack(_))));
    assert_eq!(split.world.counter(0, "appends"), before);
}

/// Simulator seed 3200068: an opening that needed a member which had missed more than its memory holds never ended. The opener's push
/// tells a VDL and a floor. They count in the group that has got the adopted history; the other group of that shard needs nothing,
/// keeps an older history, and holds a record below that VDL which the adopted one annuls.
#[test]
fn an_openers_vdl_counts_in_the_group_that_it_mends_and_not_in_the_other() {
    const BEHIND: usize = 3;
    for seed in seeds(840, 3) {
        let mut world = World::with_options(seed, |node| {
            let mut options = options(node);
            options.log_bytes = 4 << 20;
            options.log_prepared_bytes = options.log_bytes;
            if node == BEHIND {
                options.pending_bytes_max = 12 << 10;
                // It asks nobody.
                options.gossip_interval_us = 600_000_000;
            }
            options
        });
        create_volume(&mut world, 2);
        let mut first = Writer::open(&mut world, 1, 2, None);
        (0..2 * PAGES_PER_GROUP).for_each(|page| first.write_pages(&mut world, &[PageId(page)]));
        first.tell_floor(&mut world);
        first.converge(&mut world);
        world.run_us(200_000);
        let others: Vec<usize> = (0..NODES).filter(|node| *node != BEHIND).collect();
        others.iter().for_each(|node| world.kill(*node));
        first.write_pages(&mut world, &[GHOST]);
        first.pump(&mut world);
        world.run_us(5_000);
        assert_eq!(status(&mut world, BEHIND)[1].scl, first.last, "the ghost is there");
        world.kill(BEHIND);
        others.iter().for_each(|node| world.start(*node));
        world.run_until("ready", |world| others.iter().all(|node| world.is_ready(*node)));
        let mut second = Writer::open(&mut world, 2, 2, Some(&first));
        for round in 0..150 {
            second.write_pages(&mut world, &[PageId(round % PAGES_PER_GROUP)]);
            second.settle(&mut world);
        }
        second.tell_floor(&mut world);
        // Three of the others are left: the opener needs the fourth whole.
        others[3..].iter().for_each(|node| world.kill(*node));
        world.start(BEHIND);
        world.run_until("it has started", |world| world.is_ready(BEHIND));
        let mut third = Writer::open(&mut world, 3, 2, Some(&second));
        let merged = |name: &str| world.counter(BEHIND, name);
        assert!(merged("delta_records") + merged("coalesced_records") > 50, "seed {seed}: it made room");
        assert!(third.scl(BEHIND, FIRST) >= second.tails[&FIRST]);
        others[3..].iter().for_each(|node| world.start(*node));
        third.write_many(&mut world, 10);
        third.converge(&mut world);
        third.raise_pgmrpl_to_vdl();
        third.check_all_served(&mut world);
    }
}

/// What an opener tells counts where its history stands; a member that is short of memory takes it there, and nowhere else.
#[test]
fn what_an_opener_tells_under_another_history_is_not_heard() {
    let world = World::with_options(860, |node| {
        let mut options = options(node);
        options.pending_bytes_max = 8 << 10;
        options
    });
    let mut split = split_in(world, 40);
    let opener = split.history.writer();
    let older = split.first.history.writer();
    assert_ne!(opener, older);
    let before = split.status(SECOND);
    let told = before.scl;
    assert!(told > before.vdl_heard, "there is something to hear");
    for (request, history, heard) in [(10, opener, before.vdl_heard), (11, older, told)] {
        let push = GossipPush {
            volume: VOLUME,
            group: SECOND,
            writer: opener,
            membership_epoch: MembershipEpoch(1),
            scl: before.scl,
            log_from: Lsn(1),
            history,
            vdl: told,
            gc_floor: Lsn::ZERO,
            batches: &[],
        };
        call(&mut split.world, split.wire, request, &Message::GossipPush(push));
        split.world.run_us(20_000);
        assert_eq!(split.status(SECOND).vdl_heard, heard, "told under {history:?}");
    }
}

/// A frame of an earlier connection of the same writer may come late: tails that were told since stand.
#[test]
fn a_late_frame_of_an_earlier_connection_begins_nothing() {
    let mut world = World::new(816);
    create_volume(&mut world, 2);
    let mut first = Writer::open(&mut world, 1, 2, None);
    first.write_many(&mut world, 20);
    first.tell_floor(&mut world);
    first.converge(&mut world);
    let before = status(&mut world, 0);
    let old = first.wire(0).expect("connected");
    let new = world.connect(0).expect("up");
    let tails: Vec<(GroupId, Lsn)> = before.iter().map(|it| (it.group, it.scl)).collect();
    let all = WriterHead { vdl: first.vdl, tails, ..first.head() };
    let news = WriterHead { vdl: first.vdl, tails: Vec::new(), ..first.head() };
    let tells_all = Message::Write(Write { head: all, entries: &[] });
    let tells_none = Message::Write(Write { head: news, entries: &[] });
    assert!(matches!(call(&mut world, new, 30, &tells_all), Some(Answer::Ack(_))));
    let told = status(&mut world, 0);
    assert!(matches!(call(&mut world, old, 31, &tells_none), Some(Answer::Ack(_))));
    assert!(matches!(call(&mut world, new, 32, &tells_none), Some(Answer::Ack(_))));
    let after = status(&mut world, 0);
    let through = |of: &[SegmentStatus]| of.iter().map(|it| it.complete_through).collect::<Vec<_>>();
    assert_eq!(through(&told), through(&after));
}

/// Who has been replaced takes nothing that is written, under whatever members.
#[test]
fn who_has_been_replaced_takes_no_writes() {
    let mut world = World::new(817);
    create_volume(&mut world, 1);
    let mut first = Writer::open(&mut world, 1, 1, None);
    first.write_many(&mut world, 20);
    first.converge(&mut world);
    let wire = first.wire(0).expect("connected");
    let mut members = membership(0);
    members.epoch = MembershipEpoch(2);
    members.members[0].segment = hexalog_protocol::SegmentId(4711);
    let set = SetMembership { volume: VOLUME, group: FIRST, membership: members };
    assert!(matches!(call(&mut world, wire, 40, &Message::SetMembership(set)), Some(Answer::Done)));
    let scl = status(&mut world, 0)[0].scl;
    let mut builder = hexalog_protocol::batch::BatchBuilder::new(FIRST);
    builder.push(&hexalog_protocol::record::Record {
        lsn: first.vdl.plus(1),
        page: hexalog_protocol::PageId(1),
        page_backlink: Lsn(0),
        group_backlink: scl,
        is_cpl: true,
        operations: &[],
    });
    let mut entries = Vec::new();
    Write::put_entry(&mut entries, MembershipEpoch(2), &builder.seal());
    let frame =
        Message::Write(Write { head: WriterHead { tails: Vec::new(), ..first.head() }, entries: &entries });
    call(&mut world, wire, 41, &frame);
    assert_eq!(status(&mut world, 0)[0].scl, scl, "it is none of these members");
}
