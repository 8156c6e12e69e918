//! A blocking connection to one shard: what the set-up of every target asks, and the shard's counters.

use hexalog_protocol::VolumeId;
use hexalog_protocol::frame::{PROTOCOL_VERSION, read_frame};
use hexalog_protocol::message::{Hello, Message, Role, StatusQuery, Welcome};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer to a request of the set-up that takes longer will not come.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A connection that asks one thing at a time.
pub struct Caller {
    /// The connection, for who goes on with it by himself.
    pub socket: TcpStream,
    received: Vec<u8>,
    /// Who answered the greeting.
    pub welcome: Welcome,
}

impl Caller {
    /// Connects and greets.
    pub fn connect(address: SocketAddr, role: Role) -> Result<Caller, String> {
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
    pub fn call<T>(
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
            match self.socket.read(&mut piece) {
                Ok(0) => return Err("the shard closed the connection".to_owned()),
                Ok(count) => self.received.extend_from_slice(&piece[..count]),
                // The kernel does not resume a wait with a time limit after the process was stopped.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(lost(error)),
            }
        }
    }

    /// Sends a request that is answered with Done.
    pub fn expect_done(&mut self, request: &Message<'_>) -> Result<(), String> {
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

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random numbers: {error}"))?;
    Ok(bytes)
}

/// Reads the shard's counters.
pub struct Probe {
    caller: Caller,
    last: Vec<(String, u64)>,
}

impl Probe {
    /// Connects as a tool.
    pub fn connect(address: SocketAddr) -> Result<Probe, String> {
        Ok(Probe { caller: Caller::connect(address, Role::Tool)?, last: Vec::new() })
    }

    /// Counters and gauges by name.
    pub fn counters(&mut self) -> Result<Vec<(String, u64)>, String> {
        // A volume that is not there: only the counters are wanted.
        let query = StatusQuery { volume: VolumeId(random()?) };
        self.last = self.caller.call(&Message::StatusQuery(query), |answer| match answer {
            Message::Status(status) => Some(status.counters.clone()),
            _ => None,
        })?;
        Ok(self.last.clone())
    }

    /// As they were told last: of a daemon that came to harm.
    pub fn last(&self) -> &[(String, u64)] {
        &self.last
    }
}

/// What has risen, by how much. Gauges that fell are left out.
pub fn difference(before: &[(String, u64)], after: &[(String, u64)]) -> Vec<(String, u64)> {
    let value_before =
        |name: &str| before.iter().find(|(known, _)| known == name).map_or(0, |(_, value)| *value);
    let risen = after.iter().map(|(name, value)| (name.clone(), value.saturating_sub(value_before(name))));
    risen.filter(|(_, value)| *value > 0).collect()
}
