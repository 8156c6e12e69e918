//! Makes a volume with one group on the shard and opens it for writing.

use crate::options::Job;
use crate::shard::{Caller, random};
use hexalog_protocol::history::{EpochEntry, EpochHistory};
use hexalog_protocol::ids::{Incarnation, WriterId};
use hexalog_protocol::message::{
    CreateSegment, EpochBump, InstallHistory, Member, Membership, Message, Role,
};
use hexalog_protocol::{GeometryEpoch, GroupId, Lsn, MembershipEpoch, SegmentId, VolumeEpoch, VolumeId};
use std::net::TcpStream;

/// The one group of a connection's volume.
pub const GROUP: GroupId = GroupId(0);
/// Its member list never changes.
pub const MEMBERSHIP: MembershipEpoch = MembershipEpoch(1);

/// A volume that a connection may write to from LSN 1 on.
#[derive(Clone, Copy, Debug)]
pub struct OpenVolume {
    /// Its id, random.
    pub volume: VolumeId,
    /// Who writes.
    pub writer: WriterId,
}

/// Makes a volume, bumps its epoch and installs its first history; the connection is the writer's.
pub fn open_volume(job: &Job) -> Result<(TcpStream, OpenVolume), String> {
    let address = job.address;
    let mut caller = Caller::connect(address, Role::Compute)?;
    let volume = VolumeId(random()?);
    let writer = WriterId { epoch: VolumeEpoch(1), incarnation: Incarnation(u64::from_le_bytes(random()?)) };
    let segment = SegmentId(u64::from_le_bytes(random()?));
    let member = Member { segment, node: caller.welcome.node, az: 0, address };
    let groups = vec![GROUP];
    caller.expect_done(&Message::CreateSegment(CreateSegment {
        volume,
        group: GROUP,
        segment,
        pages_per_group: job.units(),
        geometry_epoch: GeometryEpoch(1),
        base_lsn: Lsn::ZERO,
        membership: Membership::of(MEMBERSHIP, vec![member]),
    }))?;
    let bump = Message::EpochBump(EpochBump { volume, writer, groups: groups.clone() });
    caller.call(&bump, |answer| matches!(answer, Message::Bumped(_)).then_some(()))?;
    let mut history = EpochHistory::new();
    history.push(EpochEntry { writer, vdl: Lsn::ZERO, upper: Lsn::ZERO });
    caller.expect_done(&Message::InstallHistory(InstallHistory { volume, groups, history }))?;
    Ok((caller.socket, OpenVolume { volume, writer }))
}
