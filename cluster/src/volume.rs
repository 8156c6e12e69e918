//! A volume as metadata knows it: the one value that is fenced, and the immutable pages of its member lists.

use crate::encoding;
use crate::node::NodeRecord;
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::{
    GeometryEpoch, GroupId, Incarnation, MembershipEpoch, NodeId, SegmentId, ShardIndex, VolumeEpoch,
    VolumeId, ids::WriterId,
};
use serde::{Deserialize, Serialize};

/// Groups in one member-list page. 256 groups of six members are about 60 KiB of JSON, under every backend's
/// bound for one value.
pub const GROUPS_PER_MEMBER_PAGE: usize = 256;

/// Everything of a volume that is fenced, in one value: it changes by compare-and-swap of its one key only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeRecord {
    /// The volume.
    #[serde(with = "encoding::volume")]
    pub volume: VolumeId,
    /// Epoch of the last opening for writing; 0 before the first.
    #[serde(with = "encoding::volume_epoch")]
    pub epoch: VolumeEpoch,
    /// Drawn by that opening; 0 before the first.
    #[serde(with = "encoding::incarnation")]
    pub incarnation: Incarnation,
    /// Counts changes of the layout of groups.
    #[serde(with = "encoding::geometry_epoch")]
    pub geometry_epoch: GeometryEpoch,
    /// Size of a group in pages; fixed for the volume's life.
    pub pages_per_group: u64,
    /// Number of groups.
    pub groups: u32,
    /// The writer's LSN allocation limit beyond VDL, in records. Changed only by an opening.
    pub lal_records: u64,
    /// The same in bytes.
    pub lal_bytes: u64,
    /// Keys of the member-list pages, in the order of their groups. The pages are written before the value
    /// that names them and never change.
    pub member_pages: Vec<String>,
}

impl VolumeRecord {
    /// The layout.
    pub fn geometry(&self) -> Geometry {
        Geometry { pages_per_group: self.pages_per_group, groups: self.groups }
    }

    /// Who opened it last.
    pub fn writer(&self) -> WriterId {
        WriterId { epoch: self.epoch, incarnation: self.incarnation }
    }
}

/// One member of a group: which daemon and shard hold the segment. Addresses are the daemon's
/// ([`crate::NodeRecord`]), so that a daemon can move without touching a member list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRecord {
    /// The segment.
    #[serde(with = "encoding::segment")]
    pub segment: SegmentId,
    /// Its daemon.
    #[serde(with = "encoding::node")]
    pub node: NodeId,
    /// The daemon's shard that owns it.
    #[serde(with = "encoding::shard")]
    pub shard: ShardIndex,
}

/// The members of one group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupMembers {
    /// The group.
    #[serde(with = "encoding::group")]
    pub group: GroupId,
    /// Counts changes of this group's members.
    #[serde(with = "encoding::membership_epoch")]
    pub membership_epoch: MembershipEpoch,
    /// In slot order.
    pub members: Vec<MemberRecord>,
}

impl GroupMembers {
    /// A new group with one member on each of `nodes`; groups go round the shards. `segment_id` draws a random id.
    pub fn on_nodes(
        group: GroupId,
        nodes: &[NodeRecord],
        mut segment_id: impl FnMut() -> u64,
    ) -> GroupMembers {
        let member = |node: &NodeRecord| MemberRecord {
            segment: SegmentId(segment_id() | 1),
            node: node.node,
            shard: ShardIndex((group.0 % u32::from(node.shards)) as u16),
        };
        let members = nodes.iter().map(member).collect();
        GroupMembers { group, membership_epoch: MembershipEpoch(1), members }
    }
}
