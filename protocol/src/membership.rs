//! How the members of a group change: one slot at a time, with both sets in force until the new one is complete.
//!
//! ```text
//! {A B C D E F}  ──begin──►  {A B C D E F} and {A B C D E G}  ──finish──►  {A B C D E G}
//!                                                            └──abandon──►  {A B C D E F}
//! ```
//! Each step raises the membership epoch by one and is made in metadata first, where a compare-and-swap orders them. Several
//! changes of a group may be under way, of different slots: then every set that can come of them is in force.

use crate::message::{Candidate, Member, Membership};
use crate::{MembershipEpoch, SegmentId};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// Changes of one group that may be under way at once. With more, so many members of a group might have to have a record that one
/// which is gone stops writes.
pub const CHANGES_MAX: usize = 2;

/// Why a change of members was not made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChangeRefused {
    /// The group has no such slot.
    NoSuchSlot,
    /// The slot's member is being replaced already.
    ChangesAlready,
    /// [`CHANGES_MAX`] changes are under way.
    TooMany,
    /// The node has a member of the group already, or is to have one; or one that is gone was at its address.
    IsMember,
    /// No such candidate.
    NoSuchCandidate,
}

impl Membership {
    /// The members of a group of which none changes.
    pub fn of(epoch: MembershipEpoch, members: Vec<Member>) -> Membership {
        Membership { epoch, members, candidates: Vec::new() }
    }

    /// Whether no slot changes twice, every candidate is for a slot that there is, and nobody is named twice.
    pub fn is_valid(&self) -> bool {
        let mut slots: Vec<u8> = self.candidates.iter().map(|candidate| candidate.slot).collect();
        slots.sort_unstable();
        let mut segments: Vec<SegmentId> = self.everyone().map(|member| member.segment).collect();
        segments.sort_unstable();
        let mut addresses: Vec<SocketAddr> = self.everyone().map(|member| member.address).collect();
        addresses.sort_unstable();
        slots.windows(2).all(|pair| pair[0] != pair[1])
            && addresses.windows(2).all(|pair| pair[0] != pair[1])
            && slots.iter().all(|slot| usize::from(*slot) < self.members.len())
            && segments.windows(2).all(|pair| pair[0] != pair[1])
    }

    /// The members in slot order, then the candidates.
    pub fn everyone(&self) -> impl Iterator<Item = &Member> + Clone {
        self.members.iter().chain(self.candidates.iter().map(|candidate| &candidate.member))
    }

    /// Whether a segment belongs to the group, be it as a candidate.
    pub fn has(&self, segment: SegmentId) -> bool {
        self.everyone().any(|member| member.segment == segment)
    }

    /// Whether a segment's word counts for what was durable before.
    pub fn has_member(&self, segment: SegmentId) -> bool {
        self.members.iter().any(|member| member.segment == segment)
    }

    /// Slots whose member is one of those that `has` tells, and whose candidate is too if it has one: as many as there are in each
    /// of the sets in force at least. Numbers are places in [`Membership::everyone`].
    pub fn count_in_every_set(&self, has: impl Fn(usize) -> bool) -> usize {
        let of_slot = |slot: usize| self.candidates.iter().position(|other| usize::from(other.slot) == slot);
        let counts = |slot: &usize| {
            has(*slot) && of_slot(*slot).is_none_or(|candidate| has(self.members.len() + candidate))
        };
        (0..self.members.len()).filter(counts).count()
    }

    /// Begins to replace the member at `slot`.
    pub fn begin(&self, slot: u8, member: Member) -> Result<Membership, ChangeRefused> {
        if usize::from(slot) >= self.members.len() {
            return Err(ChangeRefused::NoSuchSlot);
        }
        if self.candidates.iter().any(|candidate| candidate.slot == slot) {
            return Err(ChangeRefused::ChangesAlready);
        }
        if self.candidates.len() >= CHANGES_MAX {
            return Err(ChangeRefused::TooMany);
        }
        let is_taken = |other: &Member| {
            other.node == member.node || other.segment == member.segment || other.address == member.address
        };
        if self.everyone().any(is_taken) {
            return Err(ChangeRefused::IsMember);
        }
        let mut next = self.next();
        next.candidates.push(Candidate { slot, member });
        Ok(next)
    }

    /// The candidate takes its member's place. Only once it is complete (`docs/decisions/0171`).
    pub fn finish(&self, segment: SegmentId) -> Result<Membership, ChangeRefused> {
        let mut next = self.next();
        let candidate = next.take_candidate(segment)?;
        next.members[usize::from(candidate.slot)] = candidate.member;
        Ok(next)
    }

    /// The member stays, the candidate goes.
    pub fn abandon(&self, segment: SegmentId) -> Result<Membership, ChangeRefused> {
        let mut next = self.next();
        next.take_candidate(segment)?;
        Ok(next)
    }

    fn next(&self) -> Membership {
        Membership { epoch: MembershipEpoch(self.epoch.0 + 1), ..self.clone() }
    }

    fn take_candidate(&mut self, segment: SegmentId) -> Result<Candidate, ChangeRefused> {
        let at = self.candidates.iter().position(|candidate| candidate.member.segment == segment);
        Ok(self.candidates.remove(at.ok_or(ChangeRefused::NoSuchCandidate)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeId;

    fn member(number: u32) -> Member {
        let address = SocketAddr::from(([127, 0, 0, 1], 7000 + number as u16));
        Member { segment: SegmentId(u64::from(number)), node: NodeId(number), az: 0, address }
    }

    fn six() -> Membership {
        Membership::of(MembershipEpoch(1), (0..6).map(member).collect())
    }

    #[test]
    fn a_change_goes_through_both_sets_to_the_new_one_or_back() {
        let dual = six().begin(5, member(6)).unwrap();
        assert!(dual.is_valid() && dual.has(SegmentId(5)) && dual.has(SegmentId(6)));
        assert!(dual.has_member(SegmentId(5)) && !dual.has_member(SegmentId(6)));
        let done = dual.finish(SegmentId(6)).unwrap();
        assert_eq!((done.epoch, done.members[5].node), (MembershipEpoch(3), NodeId(6)));
        assert!(done.candidates.is_empty() && !done.has(SegmentId(5)));
        let back = dual.abandon(SegmentId(6)).unwrap();
        assert_eq!((back.epoch, &back.members), (MembershipEpoch(3), &six().members));
    }

    #[test]
    fn a_slot_counts_if_all_that_may_come_to_hold_it_do() {
        let dual = six().begin(5, member(6)).unwrap().begin(0, member(7)).unwrap();
        assert_eq!(dual.count_in_every_set(|_| true), 6);
        // Sets: 12345 with 0 or 7, and 1234 with 6 and 0 or 7.
        assert_eq!(dual.count_in_every_set(|place| place != 6), 5);
        assert_eq!(dual.count_in_every_set(|place| place != 5 && place != 7), 4);
        assert_eq!(six().count_in_every_set(|place| place < 4), 4);
    }

    #[test]
    fn what_would_leave_a_group_without_a_clear_set_is_refused() {
        let dual = six().begin(5, member(6)).unwrap();
        assert_eq!(dual.begin(5, member(7)), Err(ChangeRefused::ChangesAlready));
        assert_eq!(dual.begin(4, member(6)), Err(ChangeRefused::IsMember));
        assert_eq!(dual.begin(4, member(0)), Err(ChangeRefused::IsMember));
        assert_eq!(dual.begin(6, member(7)), Err(ChangeRefused::NoSuchSlot));
        let two = dual.begin(4, member(7)).unwrap();
        assert_eq!(two.begin(3, member(8)), Err(ChangeRefused::TooMany));
        assert_eq!(two.finish(SegmentId(5)), Err(ChangeRefused::NoSuchCandidate));
        let twice =
            Membership { candidates: two.candidates.iter().cycle().take(3).cloned().collect(), ..two };
        assert!(!twice.is_valid());
    }
}
