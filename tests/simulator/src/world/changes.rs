//! Groups that change their members while everything else happens to them.
//!
//! Owns what metadata says of the members ([`Metadata`]). Every step of a change is made there first, for the newest claimant of the
//! volume alone, and told to its client a moment later, or never: the writer may die or be fenced in between, and the next opener
//! finds what metadata says. A slot's member is given up for a candidate on a shard of the same zone that never had a segment of the
//! group; that takes its place once the client says that it is complete, or is sent away again.

use super::cluster::{Cluster, MEMBERS};
use super::{Happening, World};
use hexalog_protocol::message::{Member, Membership};
use hexalog_protocol::{GroupId, NodeId, SegmentId};
use hexalog_volume::SharedClient;
use hexalog_volume::client::members::CandidateStatus;
use std::collections::{BTreeMap, BTreeSet};

/// One candidate out of so many that are not complete is sent away when it is looked at.
const ABANDONED: u64 = 12;
/// A step reaches the client that it was made for within so long.
const TOLD_US: u64 = 5_000;

/// What metadata says of members.
pub(super) struct Metadata {
    groups: Vec<Membership>,
    /// Shards that have, or had, a segment of the group.
    used: BTreeSet<(GroupId, usize)>,
    /// The run of the writer that claimed the volume last.
    claimed_by: u64,
    /// Steps that the claimant's client has not been told yet.
    untold: BTreeMap<GroupId, u64>,
    segments: u64,
}

impl Metadata {
    /// As the control plane made the volume.
    pub fn new(cluster: Cluster, groups: u32) -> Metadata {
        let ids = || (0..groups).map(GroupId);
        let used = ids().flat_map(|group| cluster.members(group).map(|shard| (group, shard)));
        Metadata {
            groups: ids().map(|group| cluster.membership(group)).collect(),
            used: used.collect(),
            claimed_by: 0,
            untold: BTreeMap::new(),
            segments: u64::from(groups) * MEMBERS as u64,
        }
    }

    /// A writer claims the volume: what it finds it works on.
    pub fn claim(&mut self, run: u64) -> Vec<Membership> {
        self.claimed_by = run;
        self.untold.clear();
        self.groups.clone()
    }

    /// Members and candidates of a group.
    pub fn membership(&self, group: GroupId) -> &Membership {
        &self.groups[group.0 as usize]
    }
}

impl World {
    /// The shards of a group's members, by slot.
    pub(super) fn members_of(&self, group: GroupId) -> [usize; MEMBERS] {
        let members = &self.metadata.membership(group).members;
        std::array::from_fn(|slot| self.shard_of_member(&members[slot]))
    }

    /// The shards of a group's members, then of its candidates.
    pub(super) fn everyone_of(&self, membership: &Membership) -> Vec<usize> {
        membership.everyone().map(|member| self.shard_of_member(member)).collect()
    }

    /// Whether a shard has a member or candidate of a group.
    pub(super) fn has_segment_of(&self, group: GroupId, shard: usize) -> bool {
        self.metadata.membership(group).everyone().any(|member| self.shard_of_member(member) == shard)
    }

    fn shard_of_member(&self, member: &Member) -> usize {
        let is_there = |shard: &usize| self.plan.cluster.address(*shard) == member.address;
        (0..self.shards()).find(is_there).expect("addresses are shards'")
    }

    /// The next step of some change, if there is a writer to make it for.
    pub(super) fn change_members(&mut self) {
        let in_us = self.changes.range(1, 2 * self.plan.change_every_us);
        self.at(in_us, Happening::MembersChange);
        let claimed_by = self.metadata.claimed_by;
        let Some(index) =
            self.writer_index(claimed_by).filter(|index| self.writers[*index].client().is_writing())
        else {
            return;
        };
        let candidates = self.writers[index].client().candidates();
        let is_told = |candidate: &&CandidateStatus| !self.metadata.untold.contains_key(&candidate.group);
        let candidates: Vec<CandidateStatus> = candidates.iter().filter(is_told).copied().collect();
        if let Some(candidate) = candidates.iter().find(|candidate| candidate.is_complete()) {
            let next = self.metadata.membership(candidate.group).finish(candidate.segment);
            self.outcome.members_replaced += 1;
            return self.set_members(candidate.group, next.expect("the client knows it from here"));
        }
        let is_working = self.now_us < self.faults_stop_us;
        let settled = candidates.iter().find(|candidate| candidate.is_settled);
        if let Some(candidate) = settled.filter(|_| is_working && self.changes.one_in(ABANDONED)) {
            let next = self.metadata.membership(candidate.group).abandon(candidate.segment);
            return self.set_members(candidate.group, next.expect("the client knows it from here"));
        }
        if is_working {
            self.begin_change();
        }
    }

    fn begin_change(&mut self) {
        let groups =
            u64::from(if self.changes.one_in(4) { self.plan.groups } else { self.plan.active_groups });
        let group = GroupId(self.changes.range(0, groups) as u32);
        let slot = self.changes.range(0, MEMBERS as u64) as usize;
        let cluster = self.plan.cluster;
        let zone = cluster.zone_of(self.members_of(group)[slot]);
        let is_spare =
            |shard: &usize| cluster.zone_of(*shard) == zone && !self.metadata.used.contains(&(group, *shard));
        let Some(shard) = (0..self.shards()).find(is_spare) else { return };
        let is_settled = |index: usize| self.writers[index].client().are_members_settled(group);
        if self.metadata.untold.contains_key(&group)
            || !self.writer_index(self.metadata.claimed_by).is_some_and(is_settled)
        {
            return;
        }
        let member = Member {
            segment: SegmentId(self.metadata.segments + 1),
            node: NodeId(cluster.daemon_of(shard) as u32),
            az: zone as u8,
            address: cluster.address(shard),
        };
        if let Ok(next) = self.metadata.membership(group).begin(slot as u8, member) {
            self.metadata.segments += 1;
            self.metadata.used.insert((group, shard));
            self.set_members(group, next);
        }
    }

    /// Metadata has it; the client will be told.
    fn set_members(&mut self, group: GroupId, next: Membership) {
        let (run, epoch) = (self.metadata.claimed_by, next.epoch);
        self.note(&format!("metadata: {group:?} has {epoch:?}: {:?}", self.everyone_of(&next)));
        self.metadata.groups[group.0 as usize] = next;
        self.metadata.untold.insert(group, epoch.0);
        let in_us = self.changes.range(1, TOLD_US);
        self.at(in_us, Happening::MembersAreTold { run, group });
    }

    /// The writer's process, if it is still there, has seen that the step is made.
    pub(super) fn tell_members(&mut self, run: u64, group: GroupId) {
        if run != self.metadata.claimed_by {
            return;
        }
        let Some(index) = self.writer_index(run) else {
            // It is paused, or gone; a gone one is replaced, and the next one knows.
            if self.writers.iter().any(|writer| writer.run == run) {
                self.at(TOLD_US, Happening::MembersAreTold { run, group });
            }
            return;
        };
        self.metadata.untold.remove(&group);
        let membership = self.metadata.membership(group).clone();
        if self.writers[index].client().is_writing() {
            self.writers[index].shared.set_members(group, membership);
            self.schedule_turn(run, 1);
        }
    }
}
