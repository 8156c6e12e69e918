//! Fills gaps from peers: who the peers of a segment are, what is known of them, when to ask.
//!
//! A segment that is sure to be complete asks nothing. One that is behind, or that no writer has told its group's tail,
//! compares SCLs with its peers in turn (a missing tail shows no gap) and pulls what it lacks. [`links`] keeps the
//! connections, [`pull`] asks and takes answers, [`serve`] answers.

mod links;
mod pull;
mod serve;

pub(crate) use links::{Links, PeerRequest};
pub(crate) use serve::LOG_READS_MAX;

use crate::effects::Now;
use crate::segment::Segment;
use alloc::vec::Vec;
use core::net::SocketAddr;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::Membership;
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{Lsn, SegmentId};

/// A peer of one segment, as far as it is known.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub segment: SegmentId,
    pub address: SocketAddr,
    /// Its SCL in its last answer.
    pub scl: Option<Lsn>,
    pub answered_us: Option<u64>,
    /// Where the own log ended when that answer was asked for: the peer was given the time to have all before it.
    pub asked_position: u64,
    /// It refused as damaged or to be hydrated: it will be given pages, never log, and has none to give.
    pub is_lost: bool,
    /// It told that its log no longer reaches down to what this segment lacks.
    pub is_beyond: bool,
    /// It has members of the group that are not older than the own ones, durably.
    pub knows_members: bool,
    /// What it told of its epoch in this run.
    pub told: Option<Told>,
    /// When this segment sent it its last pages. Until they are durable there, it goes on to refuse as lost.
    hydrated_us: Option<u64>,
}

/// A peer's own word on its epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Told {
    /// The writer that it has promised itself to.
    pub writer: WriterId,
    /// Its SCL, if it was asked under that writer.
    pub scl: Option<Lsn>,
}

/// What a segment knows of its peers, and when it asks next.
#[derive(Debug)]
pub(crate) struct SegmentGossip {
    peers: Vec<Peer>,
    next_peer: usize,
    /// Nothing before this time.
    pub next_us: u64,
    /// Answers in a row that brought nothing: the pause grows with them.
    quiet_answers: u32,
    /// SCL when the segment was last looked at: while it moves by itself, there is no need to ask.
    seen_scl: Lsn,
    seen_us: u64,
    /// When the writer last sent what comes next: it goes on from there, and what a peer sent would come twice.
    fed_us: Option<u64>,
    /// Batches of a peer wait for their append: when they have moved the SCL, the next question goes at once.
    is_filling: bool,
}

impl Segment {
    /// The writer sent a batch up to `last`, which is staged.
    pub(crate) fn note_fed(&mut self, last: Lsn, now: Now) {
        if last <= self.reached() {
            self.gossip.fed_us = Some(now.monotonic_us);
        }
    }

    /// Whether the writer brings all that is missing: it sent the next batch within `patience_us`, and there is no gap.
    fn is_fed(&self, now: Now, patience_us: u64) -> bool {
        let is_recent = self.gossip.fed_us.is_some_and(|fed| now.monotonic_us < fed + patience_us);
        is_recent && !self.batches.has_above(self.scl)
    }
}

impl Segment {
    /// Whether the members that the segment is none of are durable at a write quorum of them: no opening can rest on older ones
    /// any more, and what the segment holds is of no use to anyone.
    fn may_leave(&self) -> bool {
        let write = usize::from(QuorumModel::FOUR_OF_SIX.write);
        !self.membership.has(self.id) && self.slots_with(|peer| peer.knows_members) >= write
    }

    /// Slots of the group whose member is such a peer, and the candidate too if there is one.
    pub(crate) fn slots_with(&self, is_such: impl Fn(&Peer) -> bool) -> usize {
        let everyone: Vec<SegmentId> = self.membership.everyone().map(|member| member.segment).collect();
        let has =
            |place: usize| self.gossip.peers().any(|peer| peer.segment == everyone[place] && is_such(peer));
        self.membership.count_in_every_set(has)
    }
}

/// The pause between questions grows up to this many times the interval.
const PAUSE_FACTOR_MAX: u32 = 50;

impl SegmentGossip {
    pub fn new(own: SegmentId, membership: &Membership) -> SegmentGossip {
        let others = membership.everyone().filter(|member| member.segment != own);
        let peers = others
            .map(|member| Peer {
                segment: member.segment,
                address: member.address,
                scl: None,
                answered_us: None,
                asked_position: 0,
                is_lost: false,
                is_beyond: false,
                knows_members: false,
                told: None,
                hydrated_us: None,
            })
            .collect();
        SegmentGossip {
            peers,
            next_peer: 0,
            next_us: 0,
            quiet_answers: 0,
            seen_scl: Lsn::ZERO,
            seen_us: 0,
            fed_us: None,
            is_filling: false,
        }
    }

    /// The same once members have changed: how far those are that stay is known, and what they told of epochs is asked again.
    pub fn after(before: &SegmentGossip, own: SegmentId, membership: &Membership) -> SegmentGossip {
        let mut gossip = SegmentGossip::new(own, membership);
        for peer in &mut gossip.peers {
            if let Some(known) = before.peers.iter().find(|known| known.segment == peer.segment) {
                let address = peer.address;
                *peer = Peer { address, knows_members: false, told: None, ..known.clone() };
            }
        }
        gossip
    }

    pub fn peers(&self) -> impl Iterator<Item = &Peer> + '_ {
        self.peers.iter()
    }

    /// Epochs or members changed: what was learnt of beyond and quiet no longer holds.
    pub fn restart(&mut self) {
        self.quiet_answers = 0;
        self.next_us = 0;
        for peer in &mut self.peers {
            (peer.is_beyond, peer.is_lost) = (false, false);
        }
    }

    /// A peer was sent every page as it is at `base`: log is kept for it from there on.
    pub fn member_hydrated(&mut self, segment: SegmentId, base: Lsn, log_position: u64, now_us: u64) {
        let peer = self.peer_mut(segment).expect("pages are sent to members");
        (peer.scl, peer.asked_position) = (Some(base), log_position);
        (peer.is_lost, peer.is_beyond) = (false, false);
        (peer.hydrated_us, peer.answered_us) = (Some(now_us), Some(now_us));
    }

    /// A peer refused since its state is lost.
    fn note_lost(&mut self, segment: SegmentId, now_us: u64, patience_us: u64) {
        let Some(peer) = self.peer_mut(segment) else { return };
        peer.is_lost = peer.hydrated_us.is_none_or(|at| now_us >= at + patience_us);
    }

    /// The SCL moved. True if that was a peer's doing: there may be more to get.
    pub fn scl_moved(&mut self) -> bool {
        core::mem::take(&mut self.is_filling)
    }

    /// A peer told under which writer it is.
    #[cfg(test)]
    pub fn note_told(&mut self, segment: SegmentId, writer: WriterId) {
        self.peer_mut(segment).expect("a peer").told = Some(Told { writer, scl: None });
    }

    fn peer_mut(&mut self, segment: SegmentId) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|peer| peer.segment == segment)
    }

    fn pause_us(&self, interval_us: u64) -> u64 {
        interval_us * u64::from((1 << self.quiet_answers.min(8)).min(PAUSE_FACTOR_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::tests::created;
    use hexalog_protocol::message::Member;
    use hexalog_protocol::{MembershipEpoch, NodeId};

    fn members(epoch: u64, numbers: core::ops::Range<u64>) -> Membership {
        let member = |number: u64| Member {
            segment: SegmentId(number),
            node: NodeId(number as u32),
            az: 0,
            address: SocketAddr::from(([127, 0, 0, 1], 7000 + number as u16)),
        };
        Membership::of(MembershipEpoch(epoch), numbers.map(member).collect())
    }

    /// Members that are slow to answer would be taken for silent ones, and given up, whenever another one is replaced.
    #[test]
    fn what_is_known_of_who_stays_outlives_a_change() {
        let mut segment = created();
        segment.set_membership(members(2, 1..7));
        for peer in &mut segment.gossip.peers {
            (peer.scl, peer.answered_us, peer.knows_members) = (Some(Lsn(9)), Some(5), true);
        }
        segment.set_membership(members(3, 1..8));
        let known = |number: u64| segment.gossip.peers().find(|peer| peer.segment == SegmentId(number));
        let stays = known(4).expect("a member");
        assert_eq!((stays.scl, stays.answered_us, stays.knows_members), (Some(Lsn(9)), Some(5), false));
        assert_eq!(known(7).expect("a new member").scl, None);
    }

    #[test]
    fn who_is_replaced_leaves_when_four_know_it() {
        let mut segment = created();
        segment.set_membership(members(2, 2..8));
        for (index, may_leave) in [(0, false), (1, false), (2, false), (3, true)] {
            segment.gossip.peers[index].knows_members = true;
            assert_eq!(segment.may_leave(), may_leave);
        }
        let mut member = created();
        member.set_membership(members(2, 1..7));
        member.gossip.peers.iter_mut().for_each(|peer| peer.knows_members = true);
        assert!(!member.may_leave(), "it is one of them");
    }
}
