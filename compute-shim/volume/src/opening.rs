//! What an opener concludes from the answers of fenced members: steps 2 to 5 of opening a volume, as pure
//! functions over the answers. Who is asked what, and when, is in [`crate::client`].
//!
//! 1. (Before this code.) Metadata took the new epoch and incarnation by compare-and-swap.
//! 2. Every group: at least 4 members bumped, of which at least 3 undamaged, under one membership epoch.
//!    Only what stood in a member's log before the bump is in its answer; nothing of an older writer comes after.
//!    Which answers count, given that a member may forget what it promised, says [`crate::promises`].
//! 3. The history of the highest epoch seen is adopted, replacing every other. The volume's chain is walked from
//!    the highest VDL heard: VCL is where it breaks, VDL the last consistency point before.
//! 4. Every record <= VDL is brought to 4 members of its group, before
//! 5. the history with the new truncation range `(VDL, upper]` is made durable at 4 members of every group.
//!    Truncating first would annul on some members what others are still to receive.
//! 6. Only then LSNs are allocated, from `upper + 1`.

use crate::config::{Slot, VolumeConfig};
use alloc::vec;
use alloc::vec::Vec;
use hexalog_protocol::history::{EpochEntry, EpochHistory};
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{Bumped, SegmentState};
use hexalog_protocol::{GroupId, Lsn};

/// What was durable when the older writers were fenced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovered {
    /// The adopted history: that of the highest epoch seen, without the opener's own entry.
    pub adopted: EpochHistory,
    /// Volume durable LSN.
    pub vdl: Lsn,
    /// The highest VDL that a member heard of a writer: whoever dies, no opening will annul anything up to it. The end of the
    /// adopted range may be higher, and is not for ever: an opener may have died with its history at a member or two, and the
    /// next one hear of neither.
    pub heard: Lsn,
    /// Each group's last record <= VDL.
    pub tails: Vec<Lsn>,
    /// Highest floor that any member keeps: the new writer's PGMRPL starts there.
    pub gc_floor: Lsn,
}

impl Recovered {
    /// The history with the opener's own entry. `upper` lies beyond everything that an older writer, bounded by
    /// the LAL, can have numbered.
    pub fn new_history(&self, writer: WriterId, lal_records: u64) -> EpochHistory {
        let mut history = self.adopted.clone();
        let upper = self.vdl.max(history.upper()).plus(lal_records);
        history.push(EpochEntry { writer, vdl: self.vdl, upper });
        history
    }
}

/// Answers to the epoch bump, by group and slot.
#[derive(Debug)]
pub struct Answers {
    answers: Vec<Vec<Option<Bumped>>>,
}

impl Answers {
    /// None yet.
    pub fn new(config: &VolumeConfig) -> Answers {
        Answers { answers: config.groups.iter().map(|group| vec![None; group.everyone().count()]).collect() }
    }

    /// Whether an answer is one to this opener's bump. One under another membership epoch is not: answers counted
    /// together carry one pair of volume and membership epoch.
    pub fn counts(config: &VolumeConfig, writer: WriterId, answer: &Bumped) -> bool {
        let is_current = answer.membership_epoch == config.groups[answer.group.0 as usize].epoch;
        answer.writer == writer && is_current
    }

    /// Takes an answer that counts.
    pub fn put(&mut self, slot: Slot, answer: Bumped) {
        assert!(answer.history.writer().epoch < answer.writer.epoch, "a bump goes to a higher epoch");
        let group = answer.group.0 as usize;
        self.answers[group][slot.0] = Some(answer);
    }

    /// Takes an answer out.
    pub fn take(&mut self, group: GroupId, slot: Slot) -> Option<Bumped> {
        self.answers[group.0 as usize][slot.0].take()
    }

    /// Whether every group has its quorum of answers: in every set of members that is in force, and enough of those members that
    /// count for what was durable before may be believed.
    pub fn suffice(&self, config: &VolumeConfig) -> bool {
        (0..self.answers.len()).all(|group| {
            let group = GroupId(group as u32);
            let undamaged = self.members(config, group).filter(|answer| is_undamaged(answer)).count();
            self.count(config, group) >= usize::from(config.quorum.write)
                && undamaged >= usize::from(config.quorum.read)
        })
    }

    /// Whether every member of every group has answered: nothing is left to wait for.
    pub fn are_all_there(&self) -> bool {
        self.answers.iter().flatten().all(Option::is_some)
    }

    /// The first group that has no quorum of answers, and how many it has.
    pub fn lacking(&self, config: &VolumeConfig) -> Option<(GroupId, usize)> {
        let write = usize::from(config.quorum.write);
        let groups = (0..self.answers.len()).map(|group| GroupId(group as u32));
        let counts = groups.map(|group| (group, self.count(config, group)));
        counts.into_iter().find(|(_, count)| *count < write)
    }

    /// One member's answer.
    pub fn get(&self, group: GroupId, slot: Slot) -> Option<&Bumped> {
        self.answers[group.0 as usize][slot.0].as_ref()
    }

    /// A member told that its state is lost: its answer counts as that of a damaged one from now on. False if it did
    /// already, or never answered.
    pub fn lose(&mut self, group: GroupId, slot: Slot) -> bool {
        let answer = self.answers[group.0 as usize][slot.0].as_mut().filter(|answer| is_undamaged(answer));
        answer.map(|answer| answer.state = SegmentState::Damaged).is_some()
    }

    /// These answers count no more: their members will be asked again.
    pub fn take_back(&mut self, members: impl Iterator<Item = (GroupId, Slot)>) {
        for (group, slot) in members {
            self.answers[group.0 as usize][slot.0] = None;
        }
    }

    /// A member was told this history, and has it.
    pub fn has_history(&mut self, group: GroupId, slot: Slot, history: &EpochHistory) {
        if let Some(answer) = self.answers[group.0 as usize][slot.0].as_mut() {
            answer.history = history.clone();
        }
    }

    /// Slots of a group that have answered, with the candidates for them.
    pub fn count(&self, config: &VolumeConfig, group: GroupId) -> usize {
        let answers = &self.answers[group.0 as usize];
        config.groups[group.0 as usize].count_in_every_set(|place| answers[place].is_some())
    }

    /// Those of them that may be believed.
    pub fn sound_count(&self, config: &VolumeConfig, group: GroupId) -> usize {
        let answers = &self.answers[group.0 as usize];
        let is_sound = |place: usize| answers[place].as_ref().is_some_and(is_undamaged);
        config.groups[group.0 as usize].count_in_every_set(is_sound)
    }

    /// What the members of a group have answered: a candidate's word says nothing of what was durable.
    fn members(&self, config: &VolumeConfig, group: GroupId) -> impl Iterator<Item = &Bumped> {
        self.answers[group.0 as usize].iter().take(usize::from(config.quorum.members)).flatten()
    }

    fn undamaged(&self, config: &VolumeConfig) -> impl Iterator<Item = &Bumped> {
        let members = usize::from(config.quorum.members);
        let answers = self.answers.iter().flat_map(move |group| group.iter().take(members).flatten());
        answers.filter(|answer| is_undamaged(answer))
    }

    /// Steps 3: which history stands, how far the volume's chain goes, where each group's chain ends.
    pub fn recover(&self, config: &VolumeConfig) -> Recovered {
        let adopted = self
            .undamaged(config)
            .map(|answer| &answer.history)
            .max_by_key(|history| history.writer().epoch)
            .expect("every group has undamaged answers")
            .clone();
        let heard = self.undamaged(config).map(|answer| answer.vdl_heard).max().unwrap_or(Lsn::ZERO);
        // An opening whose history stands had finished its repair: its range's end is its VDL.
        let start = heard.max(adopted.upper());
        let (_, vdl) = walk(start, &self.marks_above(config, start, &adopted), &adopted);
        let tails = (0..self.answers.len())
            .map(|group| {
                let answers = self.members(config, GroupId(group as u32));
                let answers = answers.filter(|answer| is_undamaged(answer));
                answers.map(|answer| reach(answer, &adopted, vdl)).max().unwrap_or(Lsn::ZERO)
            })
            .collect();
        let gc_floor = self.undamaged(config).map(|answer| answer.gc_floor).max().unwrap_or(Lsn::ZERO);
        Recovered { adopted, vdl, heard, tails, gc_floor }
    }

    /// Every record above `start` that some undamaged member has in its complete stretch, in LSN order.
    fn marks_above(&self, config: &VolumeConfig, start: Lsn, adopted: &EpochHistory) -> Vec<(Lsn, bool)> {
        let all = self.undamaged(config).flat_map(|answer| answer.marks.0.iter());
        let mut marks: Vec<(Lsn, bool)> =
            all.filter(|(lsn, _)| *lsn > start && !adopted.is_annulled(*lsn)).copied().collect();
        marks.sort_unstable();
        marks.dedup();
        marks
    }
}

/// Walks the volume's chain from `start` over records that exist: VCL and VDL.
fn walk(start: Lsn, marks: &[(Lsn, bool)], history: &EpochHistory) -> (Lsn, Lsn) {
    let (mut vcl, mut vdl) = (start, start);
    for (lsn, is_cpl) in marks {
        if *lsn != history.next_lsn(vcl) {
            break;
        }
        vcl = *lsn;
        if *is_cpl {
            vdl = *lsn;
        }
    }
    assert!(vdl <= vcl);
    (vcl, vdl)
}

/// Whether a member may be believed about what it holds.
pub fn is_undamaged(answer: &Bumped) -> bool {
    matches!(answer.state, SegmentState::Opening | SegmentState::Open)
}

/// The last record <= `vdl` up to which a member has its group's chain, under the adopted history. A member that
/// missed openings may hold ghosts above: they are annulled, and what they annulled may be all it listed.
pub fn reach(answer: &Bumped, adopted: &EpochHistory, vdl: Lsn) -> Lsn {
    let survivors = answer.marks.0.iter().map(|(lsn, _)| *lsn);
    let last = survivors.filter(|lsn| *lsn <= vdl && !adopted.is_annulled(*lsn)).max();
    last.unwrap_or(Lsn::ZERO).max(answer.tail_heard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Lal;
    use hexalog_protocol::geometry::Geometry;
    use hexalog_protocol::message::{LsnMarks, Member, Membership};
    use hexalog_protocol::quorum::QuorumModel;
    use hexalog_protocol::{
        GeometryEpoch, Incarnation, MembershipEpoch, NodeId, SegmentId, VolumeEpoch, VolumeId,
    };

    const OPENER: WriterId = WriterId { epoch: VolumeEpoch(9), incarnation: Incarnation(99) };

    fn config(groups: u32) -> VolumeConfig {
        let membership = || {
            let members = (0..6)
                .map(|slot| Member {
                    segment: SegmentId(slot),
                    node: NodeId(slot as u32),
                    az: (slot / 2) as u8,
                    address: core::net::SocketAddr::from(([127, 0, 0, 1], 7000 + slot as u16)),
                })
                .collect();
            Membership::of(MembershipEpoch(1), members)
        };
        VolumeConfig {
            volume: VolumeId([1; 16]),
            geometry: Geometry { pages_per_group: 16, groups },
            geometry_epoch: GeometryEpoch(1),
            quorum: QuorumModel::FOUR_OF_SIX,
            groups: (0..groups).map(|_| membership()).collect(),
            lal: Lal { records: 16, bytes: 1 << 20 },
        }
    }

    fn history(entries: &[(u64, u64, u64)]) -> EpochHistory {
        let mut history = EpochHistory::new();
        for (epoch, vdl, upper) in entries {
            let writer = WriterId { epoch: VolumeEpoch(*epoch), incarnation: Incarnation(*epoch) };
            history.push(EpochEntry { writer, vdl: Lsn(*vdl), upper: Lsn(*upper) });
        }
        history
    }

    /// `marks`: LSNs, a CPL if negative.
    fn answer(group: u32, heard: u64, tail_heard: u64, marks: &[i64], history: EpochHistory) -> Bumped {
        let marks: Vec<_> = marks.iter().map(|mark| (Lsn(mark.unsigned_abs()), *mark < 0)).collect();
        Bumped {
            volume: VolumeId([1; 16]),
            group: GroupId(group),
            segment: SegmentId(0),
            writer: OPENER,
            membership_epoch: MembershipEpoch(1),
            state: SegmentState::Opening,
            scl: marks.last().map_or(Lsn(tail_heard), |mark| mark.0),
            vdl_heard: Lsn(heard),
            tail_heard: Lsn(tail_heard),
            gc_floor: Lsn(3),
            history,
            marks: LsnMarks(marks),
        }
    }

    fn recover(groups: u32, answers: Vec<(usize, Bumped)>) -> Recovered {
        let config = config(groups);
        let mut all = Answers::new(&config);
        for (slot, answer) in answers {
            all.put(Slot(slot), answer);
        }
        all.recover(&config)
    }

    #[test]
    fn vcl_is_found_on_the_volume_chain_across_groups() {
        let h = || history(&[(1, 0, 10)]);
        // 11, 13 in group 0; 12, 14 in group 1; 15 (group 0) is there although 16 is missing; 14 is the last CPL.
        let recovered = recover(
            2,
            vec![
                (0, answer(0, 11, 11, &[13, 15], h())),
                (1, answer(0, 10, 0, &[11, 13], h())),
                (2, answer(0, 10, 0, &[], h())),
                (0, answer(1, 10, 0, &[12, -14, -17], h())),
                (1, answer(1, 10, 0, &[12], h())),
            ],
        );
        assert_eq!(recovered.vdl, Lsn(14));
        assert_eq!(recovered.tails, [Lsn(13), Lsn(14)]);
        assert_eq!(recovered.new_history(OPENER, 16).upper(), Lsn(30));
    }

    #[test]
    fn ghosts_of_a_member_that_missed_an_opening_are_annulled_not_merged() {
        // Epoch 2 found VDL 12 and annulled 13..=28; one member missed that and still lists 13 and 14.
        let old = || history(&[(1, 0, 10)]);
        let new = || history(&[(1, 0, 10), (2, 12, 28)]);
        let recovered = recover(
            1,
            vec![
                (0, answer(0, 12, 12, &[13, -14], old())),
                (1, answer(0, 28, 12, &[-29], new())),
                (2, answer(0, 28, 12, &[-29, -30], new())),
            ],
        );
        assert_eq!(recovered.vdl, Lsn(30));
        assert_eq!(recovered.tails, [Lsn(30)]);
        assert_eq!(recovered.adopted, new());
        let ghost = answer(0, 12, 12, &[13, -14], old());
        assert_eq!(reach(&ghost, &new(), Lsn(30)), Lsn(12));
    }

    #[test]
    fn an_opener_that_died_after_its_history_stood_at_one_member_has_decided() {
        let old = || history(&[(1, 0, 10)]);
        let new = history(&[(1, 0, 10), (2, 11, 26)]);
        let recovered = recover(
            1,
            vec![
                (0, answer(0, 11, 11, &[-12], old())),
                (1, answer(0, 11, 11, &[-12], old())),
                (2, answer(0, 11, 11, &[], new)),
            ],
        );
        assert_eq!(recovered.vdl, Lsn(26), "12 was annulled; the range counts as empty and complete");
        assert_eq!(
            recovered.heard,
            Lsn(11),
            "26 falls with the one member that has the history, if this opener dies too"
        );
        assert_eq!(recovered.tails, [Lsn(11)]);
    }

    #[test]
    fn damaged_members_and_other_memberships_count_for_nothing() {
        let config = config(1);
        let mut answers = Answers::new(&config);
        let good = || answer(0, 0, 0, &[], EpochHistory::new());
        for slot in 0..3 {
            answers.put(Slot(slot), good());
        }
        assert!(!answers.suffice(&config), "three are no write quorum");
        let other = Bumped { membership_epoch: MembershipEpoch(2), ..good() };
        assert!(Answers::counts(&config, OPENER, &good()) && !Answers::counts(&config, OPENER, &other));
        answers.put(Slot(3), Bumped { state: SegmentState::Damaged, ..good() });
        assert!(answers.suffice(&config), "four bumped, three undamaged");
        answers.put(Slot(2), Bumped { state: SegmentState::NeedsHydration, ..good() });
        assert!(!answers.suffice(&config), "two undamaged");
    }
    /// For whoever looks why an opening takes so long.
    #[test]
    fn the_first_group_without_a_write_quorum_is_named() {
        let config = config(2);
        let mut answers = Answers::new(&config);
        assert_eq!(answers.lacking(&config), Some((GroupId(0), 0)));
        for (group, slots) in [(0, 0..4), (1, 0..3)] {
            for slot in slots {
                answers.put(Slot(slot), answer(group, 0, 0, &[], EpochHistory::new()));
            }
        }
        assert_eq!(answers.lacking(&config), Some((GroupId(1), 3)));
        answers.put(Slot(5), answer(1, 0, 0, &[], EpochHistory::new()));
        assert_eq!(answers.lacking(&config), None);
        assert!(answers.suffice(&config) && !answers.are_all_there());
    }
}
