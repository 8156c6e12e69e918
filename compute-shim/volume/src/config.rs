//! What the client must know of a volume before it can open it; comes from metadata.

use alloc::vec::Vec;
use core::net::SocketAddr;
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::message::Membership;
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{GeometryEpoch, GroupId, NodeId, VolumeId};

/// LSN allocation limit: how far the writer may run ahead of VDL. Durable in the volume; changed only by an
/// opening, since the truncation range must cover everything that any earlier writer may have sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lal {
    /// In records. 65,536 by default: more than a second of work at 5,000 transactions of nine records.
    pub records: u64,
    /// In encoded bytes. 32 MiB by default: what the ring may hold in memory of batches that are not durable, and
    /// again of batches that became durable last, for members that are a little behind.
    pub bytes: u64,
}

impl Lal {
    /// The default of a local cluster.
    pub const DEFAULT: Lal = Lal { records: 65_536, bytes: 32 << 20 };

    /// No mini-transaction may be larger: four of the largest fit below the limit, so none waits for itself.
    pub fn mtr_records_max(&self) -> u64 {
        self.records / 4
    }
}

/// A volume as metadata describes it.
#[derive(Clone, Debug)]
pub struct VolumeConfig {
    /// The volume.
    pub volume: VolumeId,
    /// Its layout.
    pub geometry: Geometry,
    /// Version of the layout.
    pub geometry_epoch: GeometryEpoch,
    /// Quorum sizes.
    pub quorum: QuorumModel,
    /// Members by group id.
    pub groups: Vec<Membership>,
    /// LSN allocation limit.
    pub lal: Lal,
}

/// Index of one shard's connection in the client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct LinkIndex(pub usize);

/// Which member of a group: its place in the member list, or behind that in the list of candidates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Slot(pub usize);

/// Who is reached where: derived from a [`VolumeConfig`] once.
#[derive(Clone, Debug)]
pub struct Routes {
    /// Address of each link; the shards that own a segment of the volume.
    pub addresses: Vec<SocketAddr>,
    /// Node of each link.
    pub nodes: Vec<NodeId>,
    /// Per link: the groups that have a member there, and which one.
    pub groups_of_link: Vec<Vec<(GroupId, Slot)>>,
    /// Per group, per slot: the link. Candidates come behind the members.
    pub links_of_group: Vec<Vec<LinkIndex>>,
    /// How many of a group's slots are members'.
    members: usize,
}

impl Routes {
    /// Derives the routes.
    ///
    /// # Panics
    /// If a group's member count is not the quorum model's, or two members of a group share a shard:
    /// metadata never writes such a volume.
    pub fn new(config: &VolumeConfig) -> Routes {
        assert_eq!(config.groups.len(), config.geometry.groups as usize, "every group has members");
        let mut routes = Routes {
            addresses: Vec::new(),
            nodes: Vec::new(),
            groups_of_link: Vec::new(),
            links_of_group: Vec::new(),
            members: usize::from(config.quorum.members),
        };
        for (group, membership) in config.groups.iter().enumerate() {
            routes.links_of_group.push(Vec::new());
            routes.set_members(GroupId(group as u32), membership);
        }
        routes
    }

    /// A group has these members and candidates now. Links keep their numbers; one may be left that serves nothing.
    ///
    /// # Panics
    /// As [`Routes::new`].
    pub fn set_members(&mut self, group: GroupId, membership: &Membership) {
        assert_eq!(membership.members.len(), self.members);
        for groups in &mut self.groups_of_link {
            groups.retain(|(other, _)| *other != group);
        }
        let mut links = Vec::with_capacity(membership.members.len());
        for (slot, member) in membership.everyone().enumerate() {
            let link = self.link_at(member.address, member.node);
            assert!(!links.contains(&link), "{group:?} has two members on {}", member.address);
            self.groups_of_link[link.0].push((group, Slot(slot)));
            links.push(link);
        }
        self.links_of_group[group.0 as usize] = links;
    }

    /// The links of a group's members, candidates left out, in slot order.
    pub fn members_of_group(&self, group: GroupId) -> &[LinkIndex] {
        &self.links_of_group[group.0 as usize][..self.members]
    }

    fn link_at(&mut self, address: SocketAddr, node: NodeId) -> LinkIndex {
        let known = self.addresses.iter().position(|other| *other == address);
        LinkIndex(known.unwrap_or_else(|| {
            self.addresses.push(address);
            self.nodes.push(node);
            self.groups_of_link.push(Vec::new());
            self.addresses.len() - 1
        }))
    }

    /// All links.
    pub fn links(&self) -> impl Iterator<Item = LinkIndex> + use<> {
        (0..self.addresses.len()).map(LinkIndex)
    }

    /// Which slot of `group` is on `link`.
    pub fn slot(&self, link: LinkIndex, group: GroupId) -> Option<Slot> {
        let groups = &self.groups_of_link[link.0];
        groups.iter().find(|(other, _)| *other == group).map(|(_, slot)| *slot)
    }
}
