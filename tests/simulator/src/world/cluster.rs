//! How daemons, their shards, zones and groups lie to each other.
//!
//! Owns [`Cluster`]. Every group has two members in each of three zones, on six daemons. With more daemons than six neighbouring
//! groups share some of their daemons and not all; with more shards than one a daemon gives the groups out among them.

use hexalog_protocol::message::{Member, Membership};
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{GroupId, MembershipEpoch, NodeId, SegmentId, ShardIndex};
use std::net::SocketAddr;
use std::ops::Range;

/// Shards of a cluster at most.
pub const SHARDS_MAX: usize = 12;
/// Availability zones.
pub const ZONES: usize = 3;
/// Members of a group.
pub const MEMBERS: usize = QuorumModel::FOUR_OF_SIX.members as usize;
/// Of these in one zone.
const MEMBERS_PER_ZONE: usize = MEMBERS / ZONES;
/// Port of the first shard of each daemon.
const PORT_FIRST: u16 = 7000;

/// The size of a cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cluster {
    daemons: usize,
    shards_per_daemon: usize,
}

impl Cluster {
    /// What there was before clusters had sizes.
    pub const SIX: Cluster = Cluster { daemons: MEMBERS, shards_per_daemon: 1 };

    /// So many daemons, as many in each zone.
    ///
    /// # Panics
    /// If that is no cluster.
    pub fn new(daemons: usize, shards_per_daemon: usize) -> Cluster {
        let cluster = Cluster { daemons, shards_per_daemon };
        let is_even = daemons.is_multiple_of(ZONES) && daemons >= MEMBERS;
        assert!(is_even && (1..=SHARDS_MAX).contains(&cluster.shards()), "{daemons},{shards_per_daemon}");
        cluster
    }

    /// Daemons, and shards of each.
    pub fn sizes(&self) -> (usize, usize) {
        (self.daemons, self.shards_per_daemon)
    }

    /// Shards of all daemons.
    pub fn shards(&self) -> usize {
        self.daemons * self.shards_per_daemon
    }

    /// The daemon that has this shard.
    pub fn daemon_of(&self, shard: usize) -> usize {
        shard / self.shards_per_daemon
    }

    /// Which of its daemon's shards it is.
    pub fn index_of(&self, shard: usize) -> ShardIndex {
        ShardIndex((shard % self.shards_per_daemon) as u16)
    }

    /// Whether each zone has more daemons than a group has members there.
    pub fn has_spares(&self) -> bool {
        self.daemons > MEMBERS
    }

    /// The shards of a daemon.
    pub fn shards_of(&self, daemon: usize) -> Range<usize> {
        daemon * self.shards_per_daemon..(daemon + 1) * self.shards_per_daemon
    }

    /// The zone that this shard lies in.
    pub fn zone_of(&self, shard: usize) -> usize {
        self.daemon_of(shard) / (self.daemons / ZONES)
    }

    /// The shard of a group's member.
    pub fn shard_at(&self, group: GroupId, slot: usize) -> usize {
        let (group, per_zone) = (group.0 as usize, self.daemons / ZONES);
        let (zone, nth) = (slot / MEMBERS_PER_ZONE, slot % MEMBERS_PER_ZONE);
        // With no daemon to spare every group has its members in the same order.
        let first = if per_zone == MEMBERS_PER_ZONE { 0 } else { group };
        let daemon = zone * per_zone + (first + nth) % per_zone;
        daemon * self.shards_per_daemon + group % self.shards_per_daemon
    }

    /// The shards of a group's members, by slot.
    pub fn members(&self, group: GroupId) -> [usize; MEMBERS] {
        std::array::from_fn(|slot| self.shard_at(group, slot))
    }

    /// Which member of a group a shard has, if any.
    pub fn slot_of(&self, group: GroupId, shard: usize) -> Option<usize> {
        self.members(group).iter().position(|member| *member == shard)
    }

    /// Where a shard listens.
    pub fn address(&self, shard: usize) -> SocketAddr {
        let port = PORT_FIRST + self.index_of(shard).0;
        SocketAddr::from(([10, 0, 0, self.daemon_of(shard) as u8 + 1], port))
    }

    /// The ports of a daemon's shards.
    pub fn ports(&self) -> Vec<u16> {
        (0..self.shards_per_daemon).map(|index| PORT_FIRST + index as u16).collect()
    }

    /// The name of a group's member.
    pub fn segment(&self, group: GroupId, slot: usize) -> SegmentId {
        SegmentId(u64::from(group.0) * MEMBERS as u64 + slot as u64 + 1)
    }

    /// The members of a group.
    pub fn membership(&self, group: GroupId) -> Membership {
        let member = |(slot, shard): (usize, &usize)| Member {
            segment: self.segment(group, slot),
            node: NodeId(self.daemon_of(*shard) as u32),
            az: self.zone_of(*shard) as u8,
            address: self.address(*shard),
        };
        let members = self.members(group).iter().enumerate().map(member).collect();
        Membership::of(MembershipEpoch(1), members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_group_has_two_daemons_in_each_zone() {
        for cluster in [Cluster::SIX, Cluster::new(6, 2), Cluster::new(9, 1), Cluster::new(12, 1)] {
            let mut used = BTreeSet::new();
            for group in (0..12).map(GroupId) {
                let members = cluster.members(group);
                used.extend(members);
                let daemons: BTreeSet<usize> =
                    members.iter().map(|shard| cluster.daemon_of(*shard)).collect();
                assert_eq!(daemons.len(), 6, "{cluster:?} {group:?}");
                for zone in 0..ZONES {
                    let count = members.iter().filter(|shard| cluster.zone_of(**shard) == zone).count();
                    assert_eq!(count, 2, "{cluster:?} {group:?}");
                }
                for (slot, shard) in members.iter().enumerate() {
                    assert_eq!(cluster.slot_of(group, *shard), Some(slot));
                }
            }
            assert_eq!(used.len(), cluster.shards(), "{cluster:?} uses all that it has");
        }
    }
}
