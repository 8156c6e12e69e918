//! The group whose segments the seeds of frames and of stored bytes tell of.

use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{CreateSegment, Member, Membership};
use hexalog_protocol::{
    GeometryEpoch, GroupId, Incarnation, Lsn, MembershipEpoch, NodeId, SegmentId, VolumeEpoch, VolumeId,
};

pub(super) const VOLUME: VolumeId = VolumeId([7; 16]);
pub(super) const GROUP: GroupId = GroupId(3);
pub(super) const WRITER: WriterId = WriterId { epoch: VolumeEpoch(2), incarnation: Incarnation(0x99) };

/// Two members, one of each kind of address.
pub(super) fn membership() -> Membership {
    let member = |segment, address: &str| Member {
        segment: SegmentId(segment),
        node: NodeId(1),
        az: 2,
        address: address.parse().expect("an address"),
    };
    let members = vec![member(5, "127.0.0.1:7001"), member(6, "[::1]:7002")];
    Membership::of(MembershipEpoch(4), members)
}

pub(super) fn create_segment() -> CreateSegment {
    CreateSegment {
        volume: VOLUME,
        group: GROUP,
        segment: SegmentId(5),
        pages_per_group: 16,
        geometry_epoch: GeometryEpoch(1),
        base_lsn: Lsn(0),
        membership: membership(),
    }
}
