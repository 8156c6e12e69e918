//! Changes of a group's members, as the writer carries them out; the rules are in `docs/decisions/0171`.
//!
//! Metadata decides: whoever drives the client makes each step there, conditional on the writer, and only then tells it here. From
//! that moment on the client counts under the new members, and tells every connection of them before the next frame, so that no
//! frame is refused for them: what a shard takes stands in its log behind what it was told.

use super::{Client, Request};
use crate::config::{LinkIndex, Slot};
use crate::effects::Effects;
use crate::link::Link;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use hexalog_protocol::message::{Candidate, CreateSegment, Membership, Message};
use hexalog_protocol::{GroupId, Lsn, MembershipEpoch, SegmentId};

/// What a change of a group's members has to be told.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Who is or was among them.
    told: BTreeSet<LinkIndex>,
    /// Whose segment is to be made.
    newcomers: BTreeMap<LinkIndex, SegmentId>,
}

/// How far a candidate is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CandidateStatus {
    /// The group.
    pub group: GroupId,
    /// The candidate.
    pub segment: SegmentId,
    /// Up to where it has all; `None` until it has told since it came, or came back.
    pub scl: Option<Lsn>,
    /// The group's last record <= VDL.
    pub tail: Lsn,
    /// Whether enough members know of it: [`Client::are_members_settled`].
    pub is_settled: bool,
}

impl CandidateStatus {
    /// Whether it may take the member's place: it has every record that is durable, and what becomes so from now on is at a write
    /// quorum of the set with it too.
    pub fn is_complete(&self) -> bool {
        self.is_settled && self.scl.is_some_and(|scl| scl >= self.tail)
    }
}

impl Client {
    /// How far each candidate of the volume is.
    pub fn candidates(&self) -> Vec<CandidateStatus> {
        let groups = self.config.groups.iter().enumerate();
        let of_group = |(index, membership): (usize, &Membership)| {
            let (group, members) = (GroupId(index as u32), membership.members.len());
            let candidates = membership.candidates.iter().enumerate();
            let status = move |(at, candidate): (usize, &Candidate)| {
                let scl = self.durability.scl(group, Slot(members + at));
                CandidateStatus {
                    group,
                    segment: candidate.member.segment,
                    scl,
                    tail: self.durability.tail(group),
                    is_settled: self.are_members_settled(group),
                }
            };
            candidates.map(status).collect::<Vec<_>>()
        };
        groups.flat_map(of_group).collect()
    }

    /// The group has these members now, as metadata says on behalf of this writer: counted at once, and told with the next
    /// [`Client::flush`], ahead of any frame. Nothing happens if it is known, or
    /// another writer has the volume.
    ///
    /// # Panics
    /// If the client has not opened the volume for writing, or the members are not valid ones.
    pub fn set_members(&mut self, group: GroupId, membership: Membership) {
        if self.is_fenced() {
            // Another writer has the volume since the step was made: it knows.
            return;
        }
        assert!(self.is_writing(), "an opening works on the members that it found");
        assert!(membership.is_valid());
        let before = &self.config.groups[group.0 as usize];
        if membership.epoch <= before.epoch {
            return;
        }
        assert_eq!(membership.epoch.0, before.epoch.0 + 1, "every set is in force for a while");
        let known = |segment: SegmentId| {
            let slot = before.everyone().position(|member| member.segment == segment)?;
            self.durability.scl(group, Slot(slot))
        };
        let scls = membership.everyone().map(|member| known(member.segment)).collect();
        self.durability.set_members(group, &membership, scls);
        self.routes.set_members(group, &membership);
        while self.links.len() < self.routes.addresses.len() {
            self.links.push(Link::new(self.routes.addresses[self.links.len()], core::iter::empty()));
            self.contact_us.push(0);
        }
        let change = self.changed.entry(group).or_default();
        for link in self.routes.links() {
            if self.links[link.0].serves(group) {
                change.told.insert(link);
            }
            let slot = self.routes.slot(link, group);
            let segment =
                slot.and_then(|slot| membership.everyone().nth(slot.0)).map(|member| member.segment);
            let newcomer = segment.filter(|segment| !before.has(*segment));
            self.links[link.0].set_served(group, slot, membership.epoch, newcomer.is_some());
            if let Some(newcomer) = newcomer {
                change.told.remove(&link);
                change.newcomers.insert(link, newcomer);
            }
        }
        self.config.groups[group.0 as usize] = membership;
        self.knowing[group.0 as usize].clear();
    }

    /// A link has made a group's members durable.
    pub(super) fn members_known(&mut self, link: LinkIndex, group: GroupId, epoch: MembershipEpoch) {
        if self.config.groups[group.0 as usize].epoch == epoch {
            self.knowing[group.0 as usize].insert(link);
        }
    }

    /// Whether a group's members as they are now are durable at a write quorum of every set: the next step of a change may be made
    /// then, and not before. Whoever rests on three of older members meets one of these.
    pub fn are_members_settled(&self, group: GroupId) -> bool {
        let (links, knowing) =
            (&self.routes.links_of_group[group.0 as usize], &self.knowing[group.0 as usize]);
        let membership = &self.config.groups[group.0 as usize];
        let count = membership.count_in_every_set(|slot| knowing.contains(&links[slot]));
        count >= usize::from(self.config.quorum.write)
    }

    /// Tells who is connected of members that have changed, those that are none any more too; others learn of them when they come.
    pub(super) fn tell_changes(&mut self, effects: &mut Effects) {
        if self.changed.is_empty() {
            return;
        }
        for (group, Change { told, newcomers }) in core::mem::take(&mut self.changed) {
            let is_up = |link: &LinkIndex| self.links[link.0].is_up();
            let told: Vec<LinkIndex> = told.into_iter().filter(is_up).collect();
            let newcomers: Vec<_> = newcomers.into_iter().filter(|(link, _)| is_up(link)).collect();
            // Who refuses is greeted anew, and knows nothing of how far the group is until it has been told all.
            for link in told {
                self.tell_members(link, group, Request::ChangedMembers, effects);
            }
            for (link, segment) in newcomers {
                self.name_candidate(link, group, segment, effects);
            }
        }
        self.publish_vdl(effects);
    }

    /// The segment is made, empty and trusted with nothing; it gets its pages and the group's log from its peers.
    fn name_candidate(&mut self, link: LinkIndex, group: GroupId, segment: SegmentId, effects: &mut Effects) {
        let candidate = CreateSegment {
            volume: self.config.volume,
            group,
            segment,
            pages_per_group: self.config.geometry.pages_per_group,
            geometry_epoch: self.config.geometry_epoch,
            base_lsn: Lsn::ZERO,
            membership: self.config.groups[group.0 as usize].clone(),
        };
        let request = Request::Candidate(group, self.config.groups[group.0 as usize].epoch);
        self.send(link, request, &Message::RestoreSegment(candidate), effects);
    }
}
