//! A group whose members change while the client writes.

use super::opener::Opener;
use hexalog_protocol::membership::ChangeRefused;
use hexalog_protocol::message::{Done, Member, Membership, Message, RefusalReason};
use hexalog_protocol::{GroupId, Lsn, NodeId, SegmentId};
use std::net::SocketAddr;

const GROUP: GroupId = GroupId(0);
const CANDIDATE: SegmentId = SegmentId(6);
/// Slot of the member that is to be replaced, and its link.
const OLD: usize = 5;
/// Link of the candidate.
const NEW: usize = 6;
const SET_MEMBERSHIP: u16 = 17;
const RESTORE_SEGMENT: u16 = 22;

impl Opener {
    fn membership(&self) -> Membership {
        self.client.config().groups[0].clone()
    }

    /// Metadata has begun to replace the last member, and the client knows.
    fn begin_change(&mut self) {
        let address = SocketAddr::from(([127, 0, 0, 1], 7006));
        let member = Member { segment: CANDIDATE, node: NodeId(6), az: 2, address };
        let next = self.membership().begin(OLD as u8, member).expect("a change");
        self.sent.iter_mut().for_each(Vec::clear);
        self.client.set_members(GROUP, next);
        self.flush();
    }

    /// These have made the members durable.
    fn members_known_by(&mut self, links: impl Iterator<Item = usize>) {
        for link in links {
            let told = self.request(link, SET_MEMBERSHIP);
            self.answer(link, told, &Message::Done(Done {}));
        }
    }

    /// One record is appended and sent; returns it and the request to each link that it was sent on.
    fn write(&mut self) -> (Lsn, Vec<Option<u64>>) {
        let lsn = self.append(&[1]);
        self.client.want(lsn);
        self.flush();
        (lsn, (0..7).map(|link| self.batches(link).0.first().copied()).collect())
    }

    fn was_sent(&mut self, link: usize, kind: u16) -> bool {
        let count = self.sent[link].len();
        self.sent[link].retain(|(sent, _)| *sent != kind);
        self.sent[link].len() < count
    }

    /// The candidate's shard is there and has made the segment; it is sound and has all up to `scl`.
    fn candidate_comes(&mut self, scl: Lsn) {
        self.welcome(NEW);
        let join = self.request(NEW, 12);
        self.refused(NEW, join, RefusalReason::UnknownSegment);
        let named = self.request(NEW, RESTORE_SEGMENT);
        self.answer(NEW, named, &Message::Done(Done {}));
        // Its link starts over.
        self.now_us += 1_000_000;
        self.flush();
        self.welcome(NEW);
        self.joined(NEW, scl.0);
    }
}

/// From the begin of a change on a record is durable when four of both sets have it: the slot that changes counts for what both
/// have.
#[test]
fn a_slot_that_changes_counts_once_both_have_the_record() {
    let mut opener = Opener::opened();
    opener.begin_change();
    let told = (0..6).filter(|link| opener.was_sent(*link, SET_MEMBERSHIP)).count();
    assert_eq!(told, 6, "all members are told before the first frame under the new members");
    let before = opener.client.vdl();
    let (lsn, requests) = opener.write();
    for link in [0, 1, 2, OLD] {
        opener.acknowledge(link, requests[link].expect("it was sent there"), lsn);
    }
    assert_eq!(opener.client.vdl(), before, "the candidate has not got it");
    assert_eq!(opener.client.status()[0].members_up, 5);
    opener.acknowledge(3, requests[3].expect("it was sent there"), lsn);
    assert_eq!(opener.client.vdl(), lsn, "four of both sets");
    // With the candidate in place of one that does not answer.
    opener.candidate_comes(lsn);
    let (next, requests) = opener.write();
    for link in [0, 1, OLD] {
        opener.acknowledge(link, requests[link].expect("it was sent there"), next);
    }
    opener.acknowledge(NEW, requests[NEW].expect("a sound candidate is sent all"), next);
    assert_eq!(opener.client.vdl(), lsn, "three slots");
    opener.acknowledge(2, requests[2].expect("it was sent there"), next);
    assert_eq!(opener.client.vdl(), next);
}

#[test]
fn a_candidate_takes_the_place_when_it_has_all_and_then_counts_alone() {
    let mut opener = Opener::opened();
    let (lsn, requests) = opener.write();
    (0..6).for_each(|link| opener.acknowledge(link, requests[link].expect("sent"), lsn));
    opener.begin_change();
    assert!(!opener.client.candidates()[0].is_complete(), "nothing is known of it");
    opener.candidate_comes(Lsn(10));
    let candidate = opener.client.candidates()[0];
    assert_eq!((candidate.segment, candidate.scl, candidate.tail), (CANDIDATE, Some(Lsn(10)), lsn));
    assert!(!candidate.is_complete(), "it lacks what was written before it came");
    opener.acknowledge(NEW, 0, lsn);
    opener.members_known_by(0..3);
    assert!(!opener.client.candidates()[0].is_complete(), "too few know that there is a candidate");
    opener.members_known_by(3..4);
    assert!(opener.client.candidates()[0].is_complete() && opener.client.are_members_settled(GROUP));
    let next = opener.membership().finish(CANDIDATE).expect("a candidate");
    opener.sent.iter_mut().for_each(Vec::clear);
    opener.client.set_members(GROUP, next);
    assert!(!opener.client.are_members_settled(GROUP), "nobody knows yet");
    opener.flush();
    assert!(opener.was_sent(OLD, SET_MEMBERSHIP), "who is replaced is told so");
    let (lsn, requests) = opener.write();
    assert_eq!(requests[OLD], None, "and nothing else");
    for link in [0, 1, 2, NEW] {
        opener.acknowledge(link, requests[link].expect("sent"), lsn);
    }
    assert_eq!(opener.client.vdl(), lsn, "the old member counts no more");
}

#[test]
fn a_change_that_is_given_up_leaves_the_members_that_there_were() {
    let mut opener = Opener::opened();
    opener.begin_change();
    let (lsn, requests) = opener.write();
    for link in [0, 1, 2, OLD] {
        opener.acknowledge(link, requests[link].expect("sent"), lsn);
    }
    assert!(opener.client.vdl() < lsn);
    let back = opener.membership().abandon(CANDIDATE).expect("a candidate");
    opener.client.set_members(GROUP, back);
    opener.flush();
    assert_eq!(opener.client.vdl(), lsn, "what four members had all the time");
    assert_eq!(opener.client.candidates(), []);
    opener.now_us += 1_000_000;
    opener.flush();
    assert!(!opener.was_sent(NEW, 1), "nobody connects to it any more");
}

/// A member that does not take the news is greeted anew: until it has been told all tails it claims nothing.
#[test]
fn who_refuses_the_new_members_starts_over() {
    let mut opener = Opener::opened();
    opener.begin_change();
    let told = opener.request(2, SET_MEMBERSHIP);
    opener.refused(2, told, RefusalReason::Busy);
    opener.now_us += 1_000_000;
    opener.flush();
    opener.welcome(2);
    let join = opener.request(2, 12);
    opener.answer(2, join, &Message::Done(Done {}));
    assert!(opener.was_sent(2, SET_MEMBERSHIP));
}

/// What is read is asked of members alone, however complete the candidate.
#[test]
fn a_candidate_is_asked_for_no_page() {
    let mut opener = Opener::opened();
    opener.begin_change();
    opener.candidate_comes(Lsn(10));
    let tail = opener.client.status()[0].tail;
    opener.acknowledge(NEW, 0, tail);
    for page in 0..300 {
        opener.client.read(hexalog_protocol::PageId(page % 16), opener.client.vdl());
        opener.flush();
    }
    assert!((0..6).any(|link| opener.was_sent(link, 8)) && !opener.was_sent(NEW, 8));
}

#[test]
#[should_panic(expected = "every set is in force for a while")]
fn no_set_is_left_out() {
    let mut opener = Opener::opened();
    let mut next = opener.membership();
    next.epoch.0 += 2;
    opener.client.set_members(GROUP, next);
}

/// Three of the old set need not meet a fence of four of the new one, which an opener makes that finds the change done.
#[test]
fn contact_is_with_three_slots_of_every_set() {
    let mut opener = Opener::opened();
    opener.begin_change();
    opener.candidate_comes(Lsn(10));
    let before = opener.client.quorum_contact_us();
    opener.now_us += 5_000_000;
    opener.sent.iter_mut().for_each(Vec::clear);
    opener.client.want_contact();
    opener.flush();
    for link in [3, 4, OLD] {
        let query = opener.request(link, 18);
        opener.tells(link, query, hexalog_protocol::message::SegmentState::Open, super::opener::OPENER, 10);
    }
    assert_eq!(
        opener.client.quorum_contact_us(),
        before,
        "A, B, C and the candidate may have promised another"
    );
}

/// A shard may still have a segment of the group that was replaced long ago.
#[test]
fn another_segment_is_not_the_candidate() {
    let mut opener = Opener::opened();
    let (lsn, requests) = opener.write();
    (0..6).for_each(|link| opener.acknowledge(link, requests[link].expect("sent"), lsn));
    let address = SocketAddr::from(([127, 0, 0, 1], 7006));
    let member = Member { segment: SegmentId(77), node: NodeId(6), az: 2, address };
    let next = opener.membership().begin(OLD as u8, member).expect("a change");
    opener.sent.iter_mut().for_each(Vec::clear);
    opener.client.set_members(GROUP, next);
    opener.flush();
    opener.welcome(NEW);
    // Segment 6 is there, not 77 (`joined` tells SegmentId(link)).
    opener.joined(NEW, lsn.0);
    assert!(!opener.client.candidates()[0].is_complete(), "that is not the candidate");
}

/// The host of a dead member is set up anew, as another node, at the same address: two members on one connection.
#[test]
fn a_new_node_at_the_old_address_is_no_candidate() {
    let opener = Opener::opened();
    let address = SocketAddr::from(([127, 0, 0, 1], 7005));
    let member = Member { segment: CANDIDATE, node: NodeId(6), az: 2, address };
    assert_eq!(opener.membership().begin(OLD as u8, member), Err(ChangeRefused::IsMember));
}

/// A read under the new members that went ahead of the news would be refused.
#[test]
fn reads_go_behind_the_news() {
    let mut opener = Opener::opened();
    let address = SocketAddr::from(([127, 0, 0, 1], 7006));
    let member = Member { segment: CANDIDATE, node: NodeId(6), az: 2, address };
    let next = opener.membership().begin(OLD as u8, member).expect("a change");
    opener.sent.iter_mut().for_each(Vec::clear);
    opener.client.set_members(GROUP, next);
    opener.client.read(hexalog_protocol::PageId(1), opener.client.vdl());
    opener.flush();
    for link in 0..6 {
        let kinds: Vec<u16> = opener.sent[link].iter().map(|sent| sent.0).collect();
        let read = kinds.iter().position(|kind| *kind == 8);
        let told = kinds.iter().position(|kind| *kind == SET_MEMBERSHIP).unwrap();
        assert!(read.is_none_or(|read| told < read), "link {link}: {kinds:?}");
    }
}

/// Between the step in metadata and the word to the client another writer may have opened the volume.
#[test]
fn a_fenced_client_is_told_in_vain() {
    use super::opener::OPENER;
    let mut opener = Opener::opened();
    let address = SocketAddr::from(([127, 0, 0, 1], 7006));
    let member = Member { segment: CANDIDATE, node: NodeId(6), az: 2, address };
    let next = opener.membership().begin(OLD as u8, member).expect("a change");
    opener.client.want_contact();
    opener.flush();
    let query = opener.request(0, 18);
    let later = hexalog_protocol::ids::WriterId { epoch: hexalog_protocol::VolumeEpoch(10), ..OPENER };
    opener.tells(0, query, hexalog_protocol::message::SegmentState::Open, later, 10);
    opener.client.set_members(GROUP, next);
    assert!(opener.client.is_fenced() && opener.client.candidates().is_empty());
}
