//! Which answers to the epoch bump an opening may rest on: those of members that had promised at one moment, a write quorum of
//! every group, and had not forgotten.
//!
//! A member forgets at a start, and nowhere else: then it asks three peers what it had promised. While only some of a quorum
//! have promised, two that forget at once could find none among these that knows, follow the older writer again, and still be
//! counted here by a link that was cut without a word (decision 0126). So members that have answered are asked for their status,
//! each on the connection that its answer came by, which proves that its process is still the one that promised. Of four that
//! have all promised at one moment, at least one is among any three peers that a member asks which forgets later: from that
//! moment on, the fence, nobody follows an older writer.
//!
//! Moments are counted in answers: what was asked at moment `t` was asked after the first `t` answers had come.

use crate::config::{LinkIndex, Slot, VolumeConfig};
use crate::opening::{Answers, is_undamaged};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use hexalog_protocol::GroupId;

/// A moment, counted in answers to the bump.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Moment(u64);

/// When members promised, and until when they were known to be the same processes.
#[derive(Debug)]
pub struct Promises {
    now: Moment,
    /// When each member's answer came on the connection that it has now, by group and slot.
    promised: Vec<Vec<Option<Moment>>>,
    /// The last moment at which a question was sent that has been answered since, by link.
    there: BTreeMap<LinkIndex, Moment>,
    /// The moment of each group's fence.
    fences: Vec<Option<Moment>>,
}

impl Promises {
    /// None yet.
    pub fn new(config: &VolumeConfig) -> Promises {
        Promises {
            now: Moment::default(),
            promised: config.groups.iter().map(|group| vec![None; group.everyone().count()]).collect(),
            there: BTreeMap::new(),
            fences: vec![None; config.groups.len()],
        }
    }

    /// The moment after the last answer that came.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Whether every group has its fence.
    pub fn are_fenced(&self) -> bool {
        self.fences.iter().all(Option::is_some)
    }

    /// A member answered. The first answer on a connection counts: what it promised then it has promised since.
    pub fn promised(&mut self, group: GroupId, slot: Slot) {
        let promised = &mut self.promised[group.0 as usize][slot.0];
        if promised.is_none() {
            self.now = Moment(self.now.0 + 1);
            *promised = Some(self.now);
        }
    }

    /// Whether a member has, on the connection that it has now.
    pub fn has_promised(&self, group: GroupId, slot: Slot) -> bool {
        self.promised[group.0 as usize][slot.0].is_some()
    }

    /// A question that was sent at this moment was answered.
    pub fn was_there(&mut self, link: LinkIndex, asked: Moment) {
        let there = self.there.entry(link).or_default();
        *there = (*there).max(asked);
    }

    /// A connection is gone, and with it what was known of who was behind it.
    pub fn closed(&mut self, link: LinkIndex, members: impl Iterator<Item = (GroupId, Slot)>) {
        self.there.remove(&link);
        members.for_each(|(group, slot)| self.promised[group.0 as usize][slot.0] = None);
    }

    /// Whether a link must be asked, or asked again, for what it serves to count.
    pub fn wants_word(&self, link: LinkIndex, mut members: impl Iterator<Item = (GroupId, Slot)>) -> bool {
        members.any(|(group, slot)| {
            let wanted = self.fences[group.0 as usize].unwrap_or(self.now);
            self.promised[group.0 as usize][slot.0].is_some() && self.there.get(&link) < Some(&wanted)
        })
    }

    /// Whether a member's answer may be rested on: it was still there at its group's fence.
    pub fn is_trusted(&self, link: LinkIndex, group: GroupId) -> bool {
        let fence = self.fences[group.0 as usize];
        fence.is_some_and(|fence| self.there.get(&link) >= Some(&fence))
    }

    /// Looks for the fence of each group that has none yet: a moment at which a quorum of its members, a read quorum of them
    /// undamaged, had promised and was there. True once all have one; none is ever lost.
    pub fn find_fences(
        &mut self,
        config: &VolumeConfig,
        answers: &Answers,
        links_of_group: &[Vec<LinkIndex>],
    ) -> bool {
        for (index, links) in links_of_group.iter().enumerate() {
            if self.fences[index].is_none() {
                self.fences[index] = self.fence_of(config, answers, GroupId(index as u32), links);
            }
        }
        self.are_fenced()
    }

    fn fence_of(
        &self,
        config: &VolumeConfig,
        answers: &Answers,
        group: GroupId,
        links: &[LinkIndex],
    ) -> Option<Moment> {
        let promised = &self.promised[group.0 as usize];
        let holds = |moment: &Moment| {
            let answer = |slot: usize| {
                let has_promised = promised[slot].is_some_and(|promised| promised <= *moment);
                let is_there = self.there.get(&links[slot]) >= Some(moment);
                answers.get(group, Slot(slot)).filter(|_| has_promised && is_there)
            };
            let bumped = config.groups[group.0 as usize].count_in_every_set(|slot| answer(slot).is_some());
            let members = (0..usize::from(config.quorum.members)).filter_map(answer);
            let undamaged = members.filter(|answer| is_undamaged(answer)).count();
            bumped >= usize::from(config.quorum.write) && undamaged >= usize::from(config.quorum.read)
        };
        promised.iter().flatten().copied().filter(holds).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Lal, Routes};
    use hexalog_protocol::geometry::Geometry;
    use hexalog_protocol::history::EpochHistory;
    use hexalog_protocol::ids::WriterId;
    use hexalog_protocol::message::{Bumped, LsnMarks, Member, Membership, SegmentState};
    use hexalog_protocol::quorum::QuorumModel;
    use hexalog_protocol::{
        GeometryEpoch, Incarnation, Lsn, MembershipEpoch, NodeId, SegmentId, VolumeEpoch, VolumeId,
    };

    const OPENER: WriterId = WriterId { epoch: VolumeEpoch(9), incarnation: Incarnation(99) };

    struct Opening {
        config: VolumeConfig,
        routes: Routes,
        answers: Answers,
        promises: Promises,
    }

    impl Opening {
        /// Two groups whose members lie on the same six shards.
        fn new() -> Opening {
            let member = |slot: u64| Member {
                segment: SegmentId(slot),
                node: NodeId(slot as u32),
                az: (slot / 2) as u8,
                address: core::net::SocketAddr::from(([127, 0, 0, 1], 7000 + slot as u16)),
            };
            let membership = || Membership::of(MembershipEpoch(1), (0..6).map(member).collect());
            let config = VolumeConfig {
                volume: VolumeId([1; 16]),
                geometry: Geometry { pages_per_group: 16, groups: 2 },
                geometry_epoch: GeometryEpoch(1),
                quorum: QuorumModel::FOUR_OF_SIX,
                groups: (0..2).map(|_| membership()).collect(),
                lal: Lal { records: 16, bytes: 1 << 20 },
            };
            let routes = Routes::new(&config);
            Opening { answers: Answers::new(&config), promises: Promises::new(&config), routes, config }
        }

        fn answers(&mut self, group: u32, slot: usize, state: SegmentState) {
            let answer = Bumped {
                volume: self.config.volume,
                group: GroupId(group),
                segment: SegmentId(slot as u64),
                writer: OPENER,
                membership_epoch: MembershipEpoch(1),
                state,
                scl: Lsn::ZERO,
                vdl_heard: Lsn::ZERO,
                tail_heard: Lsn::ZERO,
                gc_floor: Lsn::ZERO,
                history: EpochHistory::new(),
                marks: LsnMarks(Vec::new()),
            };
            self.answers.put(Slot(slot), answer);
            self.promises.promised(GroupId(group), Slot(slot));
        }

        /// Those that are asked now say that they are there.
        fn are_there(&mut self, links: &[usize]) -> bool {
            let asked = self.promises.now();
            links.iter().for_each(|link| self.promises.was_there(LinkIndex(*link), asked));
            self.promises.find_fences(&self.config, &self.answers, &self.routes.links_of_group)
        }
    }

    #[test]
    fn a_promise_that_came_after_the_question_does_not_count() {
        let mut opening = Opening::new();
        (0..4).for_each(|slot| opening.answers(0, slot, SegmentState::Opening));
        (0..3).for_each(|slot| opening.answers(1, slot, SegmentState::Opening));
        assert!(!opening.are_there(&[0, 1, 2, 3]), "group 1 has three");
        opening.answers(1, 3, SegmentState::Opening);
        let find = |opening: &mut Opening| opening.are_there(&[]);
        assert!(!find(&mut opening), "nobody was asked since the last of group 1 has promised");
        assert!(!opening.are_there(&[0, 1, 2]));
        let served = |slot| [(GroupId(0), Slot(slot)), (GroupId(1), Slot(slot))].into_iter();
        assert!(!opening.promises.wants_word(LinkIndex(0), served(0)));
        assert!(opening.promises.wants_word(LinkIndex(3), served(3)));
        assert!(!opening.promises.wants_word(LinkIndex(4), served(4)), "it has promised nothing");
        assert!(opening.are_there(&[3]));
        // Who comes later is asked once.
        opening.answers(0, 4, SegmentState::Opening);
        assert!(!opening.promises.is_trusted(LinkIndex(4), GroupId(0)));
        assert!(opening.promises.wants_word(LinkIndex(4), served(4)));
        assert!(opening.are_there(&[4]) && opening.promises.is_trusted(LinkIndex(4), GroupId(0)));
    }

    #[test]
    fn three_of_those_that_are_there_are_undamaged() {
        let mut opening = Opening::new();
        for group in 0..2 {
            (0..4).for_each(|slot| opening.answers(group, slot, SegmentState::Opening));
            opening.answers(group, 4, SegmentState::Damaged);
            opening.answers(group, 5, SegmentState::NeedsHydration);
        }
        assert!(!opening.are_there(&[0, 1, 4, 5]));
        opening.promises.closed(LinkIndex(2), [(GroupId(0), Slot(2)), (GroupId(1), Slot(2))].into_iter());
        assert!(!opening.are_there(&[2]), "it has promised nothing on this connection");
        assert!(opening.are_there(&[3]));
    }
}
