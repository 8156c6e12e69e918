//! Makes a volume with one group on the shard and opens it for writing; reads the shard's counters.

use crate::options::Options;
use hexalog_protocol::frame::{PROTOCOL_VERSION, read_frame};
use hexalog_protocol::history::{EpochEntry, EpochHistory};
use hexalog_protocol::ids::{Incarnation, WriterId};
use hexalog_protocol::message::{
    CreateSegment, EpochBump, Hello, InstallHistory, Member, Membership, Message, Role, StatusQuery, Welcome,
};
use hexalog_protocol::{GeometryEpoch, GroupId, Lsn, MembershipEpoch, SegmentId, VolumeEpoch, VolumeId};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The one group of a job's volume.
pub const GROUP: GroupId = GroupId(0);
/// Its member list never changes.
pub const MEMBERSHIP: MembershipEpoch = MembershipEpoch(1);
/// An answer to a request of the set-up that takes longer will not come.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A volume that a job may write to from LSN 1 on.
#[derive(Clone, Copy, Debug)]
pub struct OpenVolume {
    /// Its id, random.
    pub volume: VolumeId,
    /// Who writes.
    pub writer: WriterId,
}

/// A connection that asks one thing at a time.
struct Caller {
    socket: TcpStream,
    received: Vec<u8>,
    welcome: Welcome,
}

impl Caller {
    fn connect(address: SocketAddr, role: Role) -> Result<Caller, String> {
        let cannot = |error: std::io::Error| format!("cannot connect to {address}: {error}");
        let socket = TcpStream::connect_timeout(&address, ANSWER_MAX).map_err(cannot)?;
        socket.set_nodelay(true).map_err(cannot)?;
        socket.set_read_timeout(Some(ANSWER_MAX)).map_err(cannot)?;
        socket.set_write_timeout(Some(ANSWER_MAX)).map_err(cannot)?;
        let hello =
            Hello { version_low: PROTOCOL_VERSION, version_high: PROTOCOL_VERSION, role, identity: &[] };
        let mut caller = Caller { socket, received: Vec::new(), welcome: no_welcome() };
        caller.welcome = caller.call(&Message::Hello(hello), |answer| match answer {
            Message::Welcome(welcome) => Some(welcome.clone()),
            _ => None,
        })?;
        Ok(caller)
    }

    /// Sends a request and awaits its answer; `take` returns `None` for what is not the one.
    fn call<T>(
        &mut self,
        request: &Message<'_>,
        take: impl Fn(&Message<'_>) -> Option<T>,
    ) -> Result<T, String> {
        let mut bytes = Vec::new();
        request.encode(1, &mut bytes);
        let lost = |error: std::io::Error| format!("the shard does not answer: {error}");
        self.socket.write_all(&bytes).map_err(lost)?;
        loop {
            let frame = read_frame(&self.received).map_err(|malformed| malformed.to_string())?;
            if let Some(frame) = frame {
                let answer = Message::decode(&frame).map_err(|malformed| malformed.to_string())?;
                let frame_bytes = frame.frame_bytes;
                let taken = take(&answer);
                let unexpected = format!("the shard answers {answer:?}");
                self.received.drain(..frame_bytes);
                return taken.ok_or(unexpected);
            }
            let mut piece = [0; 16384];
            match self.socket.read(&mut piece).map_err(lost)? {
                0 => return Err("the shard closed the connection".to_owned()),
                count => self.received.extend_from_slice(&piece[..count]),
            }
        }
    }

    fn expect_done(&mut self, request: &Message<'_>) -> Result<(), String> {
        self.call(request, |answer| matches!(answer, Message::Done(_)).then_some(()))
    }
}

fn no_welcome() -> Welcome {
    Welcome {
        version: 0,
        node: hexalog_protocol::NodeId(0),
        device: hexalog_protocol::DeviceId(0),
        shard: hexalog_protocol::ShardIndex(0),
        shard_ports: Vec::new(),
    }
}

fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random numbers: {error}"))?;
    Ok(bytes)
}

/// Makes a volume, bumps its epoch and installs its first history; the connection is the writer's.
pub fn open_volume(options: &Options) -> Result<(TcpStream, OpenVolume), String> {
    let address = options.address;
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
        pages_per_group: options.pages.into(),
        geometry_epoch: GeometryEpoch(1),
        base_lsn: Lsn::ZERO,
        membership: Membership { epoch: MEMBERSHIP, members: vec![member] },
    }))?;
    let bump = Message::EpochBump(EpochBump { volume, writer, groups: groups.clone() });
    caller.call(&bump, |answer| matches!(answer, Message::Bumped(_)).then_some(()))?;
    let mut history = EpochHistory::new();
    history.push(EpochEntry { writer, vdl: Lsn::ZERO, upper: Lsn::ZERO });
    caller.expect_done(&Message::InstallHistory(InstallHistory { volume, groups, history }))?;
    Ok((caller.socket, OpenVolume { volume, writer }))
}

/// Reads the shard's counters.
pub struct Probe(Caller);

impl Probe {
    /// Connects as a tool.
    pub fn connect(address: SocketAddr) -> Result<Probe, String> {
        Caller::connect(address, Role::Tool).map(Probe)
    }

    /// Counters and gauges by name.
    pub fn counters(&mut self) -> Result<Vec<(String, u64)>, String> {
        // A volume that is not there: only the counters are wanted.
        let query = StatusQuery { volume: VolumeId(random()?) };
        self.0.call(&Message::StatusQuery(query), |answer| match answer {
            Message::Status(status) => Some(status.counters.clone()),
            _ => None,
        })
    }
}

/// What has risen, by how much. Gauges that fell are left out.
pub fn difference(before: &[(String, u64)], after: &[(String, u64)]) -> Vec<(String, u64)> {
    let value_before =
        |name: &str| before.iter().find(|(known, _)| known == name).map_or(0, |(_, value)| *value);
    let risen = after.iter().map(|(name, value)| (name.clone(), value.saturating_sub(value_before(name))));
    risen.filter(|(_, value)| *value > 0).collect()
}
