//! Opening a volume, frame by frame: what the client does with answers that come late or in another order.

use super::opener::{OPENER, Opener, VOLUME, history_of};
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{
    Done, InstallHistory, Message, Refusal, RefusalReason, Room, SegmentState, Status, WriteAck,
};
use hexalog_protocol::{
    GeometryEpoch, GroupId, Incarnation, Lsn, MembershipEpoch, NodeId, ShardIndex, VolumeEpoch,
};
use hexalog_volume::config::LinkIndex;
use hexalog_volume::effects::{Effects, Event};

/// Each member is told where its peers are; one that has no room to note it is no reason to begin anew with it.
#[test]
fn members_are_told_who_they_are_with_every_connection() {
    let (mut opener, bumps) = Opener::asking(4);
    let before = history_of(1);
    for (link, bump) in bumps.iter().enumerate() {
        opener.bumped(link, *bump, &[], &before);
    }
    opener.wait_for_no_more_answers();
    for link in 0..4 {
        opener.joined(link, 10);
        let members = opener.request(link, 17);
        if link == 0 {
            opener.refused(link, members, RefusalReason::NoSpace);
        } else {
            opener.answer(link, members, &Message::Done(Done {}));
        }
    }
    assert!(opener.client.is_writing());
    assert_eq!(opener.client.status()[0].members_up, 4);
}

/// Simulator seed 55: the last repair ended when the volume was open already. Its acknowledgement was taken for the
/// repair's alone, nothing told that SCL again, and an idle writer never knew that the member had caught up (B9).
#[test]
fn a_repair_that_ends_after_the_opening_counts_as_an_acknowledgement() {
    let (mut opener, bumps) = Opener::asking(6);
    let before = history_of(1);
    for (link, bump) in bumps.iter().enumerate().take(5) {
        opener.bumped(link, *bump, if link < 2 { &[11] } else { &[] }, &before);
    }
    opener.wait_for_no_more_answers();
    // Pulls go to member 0 or 1 in turn: both are answered the same way here.
    let pulls = opener.pulls();
    assert_eq!(pulls.len(), 3);
    let pushes: Vec<(usize, u64)> = pulls.into_iter().map(|pull| opener.pull_answered(pull)).collect();
    opener.pushed(pushes[0].0, pushes[0].1);
    opener.pushed(pushes[1].0, pushes[1].1);
    opener.flush();
    for link in 0..5 {
        opener.joined(link, if link == pushes[2].0 { 10 } else { 11 });
    }
    assert!(opener.client.is_writing());
    opener.pushed(pushes[2].0, pushes[2].1);
    assert_eq!(opener.client.status()[0].scls[..5], [Some(Lsn(11)); 5]);
}

/// The highest SCL that a member ever told was kept for it. One that came back with less (its log was damaged, and its peers
/// have repaired it so far) counted for records that it no longer had, and was sent none of them.
#[test]
fn what_a_member_tells_when_it_comes_back_is_all_that_it_counts_for() {
    let mut opener = Opener::opened();
    opener.pushed(5, 0);
    assert_eq!(opener.client.status()[0].scls[5], Some(Lsn(11)));
    opener.disconnect(5);
    assert_eq!(opener.client.status()[0].scls[5], Some(Lsn(11)), "it is durable there, as far as is known");
    opener.now_us += 10_000_000;
    opener.flush();
    opener.welcome(5);
    opener.joined(5, 10);
    assert_eq!(opener.client.status()[0].scls[5], Some(Lsn(10)));
}

/// A paused process found acknowledgements of an hour ago in its sockets, took them for fresh contact, and answered reads
/// from its cache for another second although another writer had taken over: a contact is as old as its question.
#[test]
fn a_contact_is_as_old_as_its_question() {
    let mut opener = Opener::opened();
    opener.now_us += 60_000;
    let asked_us = opener.now_us;
    opener.client.want_contact();
    opener.flush();
    opener.now_us += 3_600_000_000;
    for link in 0..3 {
        assert!(opener.client.quorum_contact_us() < asked_us, "three make a recovery read quorum");
        let query = opener.request(link, 18);
        let status = Status {
            node: NodeId(link as u32),
            shard: ShardIndex(0),
            failure: String::new(),
            segments: Vec::new(),
            counters: Vec::new(),
        };
        opener.answer(link, query, &Message::Status(status));
    }
    assert_eq!(opener.client.quorum_contact_us(), asked_us);
}

/// Three of six that are full, or full and away, are more than a write quorum can do without.
#[test]
fn three_members_without_room_stop_new_rows_until_one_has_some() {
    let mut opener = Opener::opened();
    let tell = |opener: &mut Opener, link: usize, room: Room| {
        let ack =
            WriteAck { volume: VOLUME, epoch: OPENER.epoch, vdl_heard: Lsn(10), room, scls: Vec::new() };
        opener.answer(link, 0, &Message::WriteAck(ack));
        opener.client.room()
    };
    for (link, room, expected) in [
        (0, Room::Full, Room::Ample),
        (1, Room::Full, Room::Ample),
        (2, Room::Short, Room::Short),
        (2, Room::Full, Room::Full),
        (1, Room::Ample, Room::Ample),
        (5, Room::Full, Room::Full),
    ] {
        assert_eq!(tell(&mut opener, link, room), expected, "member {link} has {room:?} room");
    }
    // Short of room, the writer is held to a quarter of its LAL.
    let quarter = opener.client.config().lal.records as u32 / 4;
    assert!(opener.client.reserve(quarter, 100).is_ok());
    assert!(opener.client.reserve(1, 100).is_err());
    // One that is away has none either; what it said before counts no more.
    tell(&mut opener, 5, Room::Ample);
    let mut effects = Effects::default();
    opener.client.handle(opener.now(), Event::Closed(LinkIndex(4)), &mut effects);
    assert_eq!(opener.client.room(), Room::Full);
    opener.client.handle(opener.now(), Event::Closed(LinkIndex(0)), &mut effects);
    opener.client.handle(opener.now(), Event::Closed(LinkIndex(2)), &mut effects);
    assert_eq!(opener.client.room(), Room::Ample, "a quorum that is lost is another matter");
}

/// Found by tests/torture with four workers. A worker took the VDL for a read point; before its read was registered,
/// the driver's turn told members a PGMRPL above it. All of them refused the read for good; as the oldest one under way
/// it held PGMRPL, nothing was coalesced any more, all six logs filled, and every write waited until compute was killed.
#[test]
fn a_read_below_what_members_were_told_is_read_at_pgmrpl() {
    let mut opener = Opener::opened();
    let vdl = opener.client.vdl();
    opener.now_us += 60_000;
    opener.flush();
    assert_eq!(opener.pgmrpl_told, vdl, "members may collect what is below");
    opener.client.read(hexalog_protocol::PageId(1), Lsn(vdl.0 - 1));
    opener.flush();
    assert_eq!(opener.read_points, [vdl]);
}

/// Found by the simulator. A replaced writer had one read under way and nothing to write; the new one's members had raised
/// their floor past the read. They refused it for that and not for its epoch, and it was asked for again for ever: neither
/// the read nor the sessions of that process heard of the other writer.
#[test]
fn a_read_below_the_floor_of_a_later_writer_tells_of_that_writer() {
    let later = WriterId { epoch: VolumeEpoch(10), incarnation: Incarnation(7) };
    for (writer, is_fenced) in [(OPENER, false), (later, true)] {
        let mut opener = Opener::opened();
        let vdl = opener.client.vdl();
        opener.client.read(hexalog_protocol::PageId(1), vdl);
        opener.flush();
        let link = opener.sent.iter().position(|sent| sent.iter().any(|(kind, _)| *kind == 8));
        let link = link.expect("one member is asked");
        let request_id = opener.request(link, 8);
        let refusal = Refusal {
            reason: RefusalReason::BelowFloor,
            volume: VOLUME,
            group: GroupId(0),
            writer,
            membership_epoch: MembershipEpoch(1),
            geometry_epoch: GeometryEpoch(1),
            detail: String::new(),
        };
        opener.answer(link, request_id, &Message::Refusal(refusal));
        assert_eq!(!opener.client.is_writing(), is_fenced, "{writer:?}");
    }
}

/// Found by the simulator. A member answers a bump once its promise is durable, which takes long when its log is full; a later
/// opener had its promise by then, and died. The answers named that one and counted for nothing, nobody refused anything, and
/// the earlier opener waited for ever.
#[test]
fn an_answer_that_names_a_later_opener_tells_of_it() {
    let later = WriterId { epoch: VolumeEpoch(10), incarnation: Incarnation(7) };
    for (writer, is_fenced) in [(OPENER, false), (later, true)] {
        let mut opener = Opener::new();
        let request = opener.connect(0);
        opener.promised_to(writer, 0, request);
        assert_eq!(opener.client.opening_waits_for().is_none(), is_fenced, "{writer:?}");
    }
}

/// Found by review: a member whose answer came when the repairs were planned already had no repair, and so counted as
/// complete. The history that truncates went out while a record <= VDL stood at two members.
#[test]
fn a_member_that_answers_after_the_repairs_were_planned_counts_for_nothing_in_them() {
    let (mut opener, bumps) = Opener::asking(6);
    let before = history_of(1);
    // Record 11 stands at member 0 alone.
    opener.bumped(0, bumps[0], &[11], &before);
    for (link, bump) in bumps.iter().enumerate().take(4).skip(1) {
        opener.bumped(link, *bump, &[], &before);
    }
    opener.wait_for_no_more_answers();
    assert!(opener.client.opening_waits_for().expect("it opens").contains("repairs"));
    // Two more answer now; they lack the record too. Then one repair ends well.
    opener.bumped(4, bumps[4], &[], &before);
    opener.bumped(5, bumps[5], &[], &before);
    let pulls = opener.pulls();
    assert_eq!(pulls.len(), 3, "members 1 to 3 are repaired from member 0");
    for (done, pull) in pulls.into_iter().enumerate() {
        opener.flush();
        assert!(
            opener.histories.is_empty(),
            "{done} repairs done: the record stands at {} members",
            done + 1
        );
        let (target, pushed) = opener.pull_answered(pull);
        opener.pushed(target, pushed);
    }
    opener.flush();
    assert_eq!(opener.histories.last().map(EpochHistory::writer), Some(OPENER), "four have it: truncate");
}

/// The other side of the same: with one of four answers from a member to be hydrated, a late one is what is missing.
#[test]
fn a_member_that_answers_late_and_has_all_counts() {
    let (mut opener, bumps) = Opener::asking(6);
    let before = history_of(1);
    for (link, bump) in bumps.iter().enumerate().take(3) {
        opener.bumped(link, *bump, &[11], &before);
    }
    opener.bumped_as(SegmentState::NeedsHydration, 3, bumps[3], &[], &before);
    opener.wait_for_no_more_answers();
    // Its own history was never adopted: what it says of its records is under that one.
    opener.bumped(4, bumps[4], &[11], &history_of(2));
    opener.wait_for_no_more_answers();
    assert!(opener.histories.is_empty(), "three have the record");
    opener.bumped(5, bumps[5], &[11], &before);
    opener.wait_for_no_more_answers();
    opener.wait_for_no_more_answers();
    assert_eq!(opener.histories.last().map(EpochHistory::writer), Some(OPENER));
}

/// Simulator seed 2053: three members and one to be hydrated answered, the fifth took its repair only to lose its state,
/// and said `Damaged` to every further step; the last had the history of an opener that died, and was passed over since
/// that was not the one adopted. The opening stayed at "1 repairs" for ever.
#[test]
fn a_late_member_with_a_newer_history_has_it_adopted() {
    let (mut opener, bumps) = Opener::asking(6);
    let before = history_of(1);
    for (link, bump) in bumps.iter().enumerate().take(3) {
        opener.bumped(link, *bump, &[11], &before);
    }
    opener.bumped(3, bumps[3], &[], &before);
    opener.wait_for_no_more_answers();
    let pulls = opener.pulls();
    let (target, push) = opener.pull_answered(pulls[0]);
    assert_eq!(target, 3);
    opener.refused(target, push, RefusalReason::Damaged);
    opener.flush();
    let waits = opener.client.opening_waits_for().expect("it opens");
    assert!(waits.contains("group 0, 4/6") || waits.contains("3 of 6 members are sound"), "{waits}");
    assert!(opener.histories.is_empty(), "the record stands at three members");
    // Another opener found VDL 11 and died when member 5 alone had its history.
    let mut newer = before.clone();
    let other = WriterId { epoch: VolumeEpoch(8), incarnation: Incarnation(8) };
    newer.push(hexalog_protocol::history::EpochEntry { writer: other, vdl: Lsn(11), upper: Lsn(27) });
    opener.bumped(5, bumps[5], &[11], &newer);
    opener.wait_for_no_more_answers();
    opener.wait_for_no_more_answers();
    let history = opener.histories.last().expect("four have the record: truncate");
    let epochs: Vec<u64> = history.entries().iter().map(|entry| entry.writer.epoch.0).collect();
    assert_eq!(epochs, [1, 8, OPENER.epoch.0]);
}

/// With fewer than a write quorum that can be brought up the opening waits, says why, and asks those that were lost again:
/// a member that has been hydrated meanwhile counts.
#[test]
fn an_opening_waits_for_a_lost_member_until_it_is_hydrated() {
    let (mut opener, bumps) = Opener::asking(4);
    let before = history_of(1);
    for (link, bump) in bumps.iter().enumerate().take(3) {
        opener.bumped(link, *bump, &[11], &before);
    }
    opener.bumped_as(SegmentState::NeedsHydration, 3, bumps[3], &[], &before);
    opener.wait_for_no_more_answers();
    let waits = opener.client.opening_waits_for().expect("it opens");
    assert!(waits.contains("3 of 6 members are sound, 4 are needed; 1 must be hydrated, 2 did"), "{waits}");
    opener.now_us += 500_000;
    opener.flush();
    let again = opener.request(3, 10);
    opener.bumped_as(SegmentState::NeedsHydration, 3, again, &[], &before);
    opener.now_us += 100_000;
    opener.flush();
    assert!(!opener.sent[3].iter().any(|(kind, _)| *kind == 10), "not more often than twice a second");
    opener.now_us += 500_000;
    opener.flush();
    let again = opener.request(3, 10);
    assert!(opener.histories.is_empty());
    opener.bumped(3, again, &[11], &before);
    opener.flush();
    assert_eq!(opener.histories.last().map(EpochHistory::writer), Some(OPENER));
}

/// Simulator, seed 3200068: a member whose state was lost when it was asked mended itself a moment later and had everything.
/// Enough others were sound, so that it was not asked again; but they lacked records, and could not be given them.
#[test]
fn a_lost_member_that_is_whole_again_spares_a_repair_that_does_not_end() {
    let (mut opener, bumps) = Opener::asking(5);
    let before = history_of(1);
    for (link, bump) in bumps.iter().enumerate().take(3) {
        opener.bumped(link, *bump, &[11], &before);
    }
    opener.bumped_as(SegmentState::Damaged, 3, bumps[3], &[], &before);
    opener.bumped(4, bumps[4], &[], &before);
    opener.wait_for_no_more_answers();
    assert!(opener.histories.is_empty(), "member 4 lacks a record");
    opener.now_us += 500_000;
    opener.flush();
    let again = opener.request(3, 10);
    opener.bumped(3, again, &[11], &before);
    opener.flush();
    assert_eq!(opener.histories.last().map(EpochHistory::writer), Some(OPENER));
}

/// A member that alone had the last record answered once more, as damaged: it could be no one's source any more, and what was
/// recovered rested on it. The opening went on asking for it for ever.
#[test]
fn a_sound_member_that_answers_as_damaged_takes_the_opening_back() {
    let (mut opener, bumps) = Opener::asking(5);
    let before = history_of(1);
    for (link, bump) in bumps.iter().enumerate() {
        opener.bumped(link, *bump, if link == 0 { &[11] } else { &[] }, &before);
    }
    opener.wait_for_no_more_answers();
    assert!(!opener.pulls().is_empty(), "the others are to get it from member 0");
    opener.bumped_as(SegmentState::Damaged, 0, bumps[0], &[], &before);
    opener.wait_for_no_more_answers();
    assert_eq!(
        opener.histories.last().map(EpochHistory::writer),
        Some(OPENER),
        "record 11 was at no write quorum"
    );
}

/// Members whose state was lost are asked again twice a second. The answer of one that takes longer was dropped each time.
#[test]
fn a_slow_answer_to_a_repeated_bump_counts() {
    let (mut opener, bumps) = Opener::asking(4);
    let before = history_of(1);
    for (link, bump) in bumps.iter().enumerate().take(3) {
        opener.bumped(link, *bump, &[11], &before);
    }
    opener.bumped_as(SegmentState::NeedsHydration, 3, bumps[3], &[], &before);
    opener.wait_for_no_more_answers();
    opener.now_us += 500_000;
    opener.flush();
    let first = opener.request(3, 10);
    opener.now_us += 500_000;
    opener.flush();
    opener.request(3, 10);
    opener.bumped(3, first, &[11], &before);
    opener.flush();
    assert_eq!(opener.histories.last().map(EpochHistory::writer), Some(OPENER));
}

/// A step that failed is not tried again at once: what is pushed is up to half a megabyte, and a member that has no room for
/// it refuses as fast as it is sent.
#[test]
fn a_repair_that_is_refused_pauses() {
    let (mut opener, bumps) = Opener::asking(4);
    let before = history_of(1);
    for (link, bump) in bumps.iter().enumerate() {
        opener.bumped(link, *bump, if link < 3 { &[11] } else { &[] }, &before);
    }
    opener.wait_for_no_more_answers();
    let pull = opener.pulls().pop().expect("it is asked of a member that has it");
    let (target, push) = opener.pull_answered(pull);
    assert_eq!(target, 3);
    // What members heard of the VDL, under the history that the target has now, and the floor to begin with.
    assert_eq!(opener.pushed, [(before.writer(), Lsn(10), Lsn(0))]);
    opener.refused(3, push, RefusalReason::NoSpace);
    let pulls = |opener: &Opener| opener.sent.iter().flatten().filter(|(kind, _)| *kind == 15).count();
    let before = pulls(&opener);
    opener.flush();
    assert_eq!(pulls(&opener), before);
    opener.now_us += 11_000;
    opener.flush();
    assert_eq!(pulls(&opener), before + 1);
}

/// A member that took something is sent the next piece at once; one that took nothing has another source asked, after a pause.
#[test]
fn a_repair_goes_on_at_once_after_a_step_that_leads_on_and_else_pauses() {
    let (mut opener, bumps) = Opener::asking(4);
    for (link, bump) in bumps.iter().enumerate() {
        opener.bumped(link, *bump, if link < 3 { &[11, 12] } else { &[] }, &history_of(1));
    }
    opener.wait_for_no_more_answers();
    let sources = |opener: &Opener| {
        let pulls = |link: &usize| opener.sent[*link].iter().filter(|(kind, _)| *kind == 15).count();
        (0..3).map(|link| pulls(&link)).collect::<Vec<_>>()
    };
    assert_eq!(sources(&opener), [1, 0, 0]);
    let (_, push) = opener.pull_answered(opener.pulls()[0]);
    // It has record 11 now, and lacks 12.
    opener.pushed(3, push);
    opener.flush();
    assert_eq!(sources(&opener), [2, 0, 0], "at once, of the same source");
    let (_, push) = opener.pull_answered(opener.pulls()[1]);
    opener.pushed(3, push);
    opener.flush();
    assert_eq!(sources(&opener), [2, 0, 0], "still 11: it took nothing");
    opener.now_us += 11_000;
    opener.flush();
    assert_eq!(sources(&opener), [2, 1, 0]);
}

/// Simulator, seed 79 of the plans with hidden shards: a slow member had learnt the opener's own history from its peers
/// before the bump reached it; its answer stopped the process.
#[test]
fn a_member_that_has_the_openers_history_from_a_peer_may_still_answer_the_bump() {
    let (mut opener, bumps) = Opener::asking(6);
    let before = history_of(1);
    for (link, bump) in bumps.iter().enumerate().take(4) {
        opener.bumped(link, *bump, &[], &before);
    }
    opener.wait_for_no_more_answers();
    let history = opener.histories.last().expect("nothing to repair: the history goes out").clone();
    opener.bumped(5, bumps[5], &[], &history);
    for link in 0..4 {
        let join = opener.request(link, 12);
        opener.answer(link, join, &Message::Done(Done {}));
    }
    opener.flush();
    assert_eq!(opener.client.opening_waits_for().as_deref(), Some("the epoch history to be durable"));
}

/// A writer's last batch had reached one member, which answered the bump and died before the others had got it from there. It
/// was the only source, and the opening waited for it for ever, though five of six were up.
#[test]
fn an_opening_goes_on_without_a_source_that_is_gone() {
    let (mut opener, bumps) = Opener::asking(5);
    for (link, bump) in bumps.iter().enumerate() {
        opener.bumped(link, *bump, if link == 0 { &[11] } else { &[] }, &history_of(1));
    }
    opener.wait_for_no_more_answers();
    assert_eq!(opener.pulls().len(), 4);
    opener.disconnect(0);
    opener.flush();
    opener.wait_for_no_more_answers();
    let history = opener.histories.last().expect("four have all that any of them has");
    let own = history.last().expect("its own entry");
    assert_eq!((own.writer, own.vdl), (OPENER, Lsn(10)));
}

/// Members were told a history that one of them alone had, and before they answered that one died. What they had answered to the
/// bump was taken for what they held, and the record that the history annuls for theirs: it was asked for where it was no more.
#[test]
fn a_member_that_was_told_a_history_is_asked_again_when_the_repair_is_given_up() {
    let (mut opener, bumps) = Opener::asking(5);
    let before = history_of(1);
    let mut newer = before.clone();
    let other = WriterId { epoch: VolumeEpoch(8), incarnation: Incarnation(8) };
    newer.push(hexalog_protocol::history::EpochEntry { writer: other, vdl: Lsn(10), upper: Lsn(26) });
    opener.bumped(0, bumps[0], &[27], &newer);
    for (link, bump) in bumps.iter().enumerate().skip(1) {
        opener.bumped(link, *bump, &[11], &before);
    }
    opener.wait_for_no_more_answers();
    assert_eq!(opener.histories.last(), Some(&newer), "they are to have 27, and are told its history first");
    let told = opener.histories.len();
    opener.disconnect(0);
    opener.flush();
    opener.wait_for_no_more_answers();
    assert_eq!(opener.histories.len(), told, "nothing is concluded from what may not be so any more");
    for link in 1..5 {
        let again = opener.request(link, 10);
        opener.bumped(link, again, &[], &newer);
    }
    opener.wait_for_no_more_answers();
    let history = opener.histories.last().expect("all four have the same");
    let epochs: Vec<u64> = history.entries().iter().map(|entry| entry.writer.epoch.0).collect();
    assert_eq!(epochs, [1, 8, OPENER.epoch.0]);
    assert_eq!(history.last().map(|own| own.vdl), Some(Lsn(26)));
}

/// A member that starts again may have lost what it answered with, its promise too: until it says so it counts for nothing.
#[test]
fn an_answer_counts_while_its_link_is_up() {
    let (mut opener, bumps) = Opener::asking(4);
    for (link, bump) in bumps.iter().enumerate() {
        opener.bumped(link, *bump, &[], &history_of(1));
    }
    opener.disconnect(3);
    opener.wait_for_no_more_answers();
    assert!(opener.histories.is_empty(), "three members are no quorum");
    opener.now_us += 10_000_000;
    opener.flush();
    let again = opener.connect(3);
    opener.bumped(3, again, &[], &history_of(1));
    opener.wait_for_no_more_answers();
    assert_eq!(opener.histories.last().map(EpochHistory::writer), Some(OPENER));
}

/// Decision 0126: two members may forget what they promised before the others have promised, and find no peer that knows. On a
/// link that is cut without a word nothing tells of that: what was answered counts when its member says that it is still there.
#[test]
fn an_answer_counts_when_its_member_is_still_there_with_all_the_others() {
    let before = history_of(1);
    let (mut opener, bumps) = Opener::asking(4);
    for (link, bump) in bumps.iter().enumerate().take(3) {
        opener.bumped(link, *bump, &[], &before);
    }
    opener.flush();
    assert!(!opener.sent[0].iter().any(|(kind, _)| *kind == 18), "three are no quorum");
    opener.bumped(3, bumps[3], &[], &before);
    opener.flush();
    opener.now_us += 60_000;
    let queries: Vec<u64> = (0..4).map(|link| opener.request(link, 18)).collect();
    for (link, query) in queries.iter().enumerate().take(3) {
        opener.is_there(link, *query);
        opener.flush();
    }
    assert!(opener.histories.is_empty(), "three are no quorum");
    let waits = opener.client.opening_waits_for().expect("it opens");
    assert!(waits.contains("still there"), "{waits}");
    // The last one takes long; meanwhile a fifth answers, and one that is down is tried again: neither matters.
    let late = opener.connect(4);
    opener.bumped(4, late, &[], &before);
    opener.flush();
    opener.disconnect(5);
    opener.flush();
    opener.is_there(3, queries[3]);
    opener.flush();
    assert!(opener.histories.is_empty(), "the fifth is waited for a moment");
    opener.now_us += 10_000;
    opener.flush();
    assert_eq!(opener.histories.last().map(EpochHistory::writer), Some(OPENER));
}

/// A link that closes takes with it what its member promised, and what it said of being there.
#[test]
fn a_member_that_answers_anew_must_say_anew_that_it_is_there() {
    let before = history_of(1);
    let (mut opener, bumps) = Opener::asking(4);
    for (link, bump) in bumps.iter().enumerate() {
        opener.bumped(link, *bump, &[], &before);
    }
    opener.flush();
    let queries: Vec<u64> = (0..4).map(|link| opener.request(link, 18)).collect();
    opener.is_there(3, queries[3]);
    opener.disconnect(3);
    opener.now_us += 10_000_000;
    opener.flush();
    for (link, query) in queries.iter().enumerate().take(3) {
        opener.is_there(link, *query);
    }
    let again = opener.connect(3);
    opener.bumped(3, again, &[], &before);
    opener.flush();
    opener.now_us += 60_000;
    opener.flush();
    assert!(opener.histories.is_empty(), "the fourth promised after the others had been asked");
    let again: Vec<u64> = (0..4).map(|link| opener.request(link, 18)).collect();
    for (link, query) in again.iter().enumerate().take(3) {
        opener.is_there(link, *query);
    }
    opener.flush();
    assert!(opener.histories.is_empty());
    opener.is_there(3, again[3]);
    opener.flush();
    assert_eq!(opener.histories.last().map(EpochHistory::writer), Some(OPENER));
}

/// One that answered and says nothing more may have forgotten both its promise and its records: it is no copy of these.
#[test]
fn a_member_that_may_not_be_there_counts_for_no_repair() {
    let before = history_of(1);
    let (mut opener, bumps) = Opener::asking(5);
    for (link, bump) in bumps.iter().enumerate() {
        opener.bumped(link, *bump, if [0, 1, 4].contains(&link) { &[11] } else { &[] }, &before);
    }
    opener.flush();
    opener.now_us += 60_000;
    let queries: Vec<u64> = (0..5).map(|link| opener.request(link, 18)).collect();
    for (link, query) in queries.iter().enumerate().take(4) {
        opener.is_there(link, *query);
    }
    opener.flush();
    opener.now_us += 10_000;
    opener.flush();
    let pull = opener.pulls()[0];
    let (target, push) = opener.pull_answered(pull);
    opener.pushed(target, push);
    opener.flush();
    assert!(opener.histories.is_empty(), "the record stands at three that are there");
    opener.is_there(4, queries[4]);
    opener.flush();
    assert_eq!(opener.histories.last().map(EpochHistory::writer), Some(OPENER));
}

/// A member that follows an older writer again says so itself.
#[test]
fn a_member_that_has_forgotten_is_asked_from_the_beginning() {
    let before = history_of(1);
    let (mut opener, bumps) = Opener::asking(5);
    for (link, bump) in bumps.iter().enumerate() {
        opener.bumped(link, *bump, &[], &before);
    }
    opener.flush();
    let query = opener.request(2, 18);
    opener.tells(2, query, SegmentState::Open, before.writer(), 10);
    assert_eq!(opener.client.status()[0].members_up, 4);
    opener.wait_for_no_more_answers();
    assert_eq!(opener.histories.last().map(EpochHistory::writer), Some(OPENER), "four others are there");
}

/// Simulator, seed 18: a part of a shard's index was lost, and with it what named a segment. The shard refused it as unknown, and
/// its other segments with it, for ever.
#[test]
fn a_member_that_does_not_know_its_segment_is_asked_to_make_it_anew() {
    let mut opener = Opener::opened();
    opener.disconnect(5);
    opener.now_us += 10_000_000;
    opener.flush();
    opener.welcome(5);
    let join = opener.request(5, 12);
    opener.refused(5, join, RefusalReason::UnknownSegment);
    let restore = opener.request(5, 22);
    opener.answer(5, restore, &Message::Done(Done {}));
    opener.now_us += 600_000;
    opener.flush();
    // It knows it now, and not what it had promised: its peers will tell.
    opener.welcome(5);
    let join = opener.request(5, 12);
    opener.refused(5, join, RefusalReason::Damaged);
    assert!(!opener.sent[5].iter().any(|(kind, _)| *kind == 22), "named once");
    opener.now_us += 600_000;
    opener.flush();
    opener.welcome(5);
    opener.joined(5, 10);
    assert_eq!(opener.client.status()[0].members_up, 6);
    // While a volume is being opened it is the bump that is refused.
    let (mut opener, bumps) = Opener::asking(1);
    opener.refused(0, bumps[0], RefusalReason::UnknownSegment);
    let restore = opener.request(0, 22);
    opener.answer(0, restore, &Message::Done(Done {}));
    opener.now_us += 10_000_000;
    opener.flush();
    opener.connect(0);
}

/// A shard lost a stretch of its log and with it where its peers had moved to: it asked old addresses for what it had promised,
/// and was refused by none but those that sent nobody. Whoever is refused as damaged tells where they are.
#[test]
fn a_member_that_has_forgotten_its_promises_is_told_where_its_peers_are() {
    let (mut opener, bumps) = Opener::asking(1);
    opener.refused(0, bumps[0], RefusalReason::Damaged);
    let named = opener.request(0, 22);
    assert_eq!(opener.client.status()[0].members_up, 1, "the link waits for that");
    opener.answer(0, named, &Message::Done(Done {}));
    assert_eq!(opener.client.status()[0].members_up, 0, "and starts over");
}

/// The message kinds that the tests name by number.
#[test]
fn kinds_are_as_the_tests_say() {
    let install = InstallHistory { volume: VOLUME, groups: Vec::new(), history: EpochHistory::new() };
    assert_eq!(Message::InstallHistory(install).kind(), 12);
}
