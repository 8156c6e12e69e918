//! Connections to peer shards: one an address, shared by all segments, made again with growing pauses.

use crate::effects::{ConnectionId, Effect, Effects, Now};
use crate::segment::SegmentKey;
use crate::shard::Shard;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use hexalog_protocol::Lsn;
use hexalog_protocol::SegmentId;
use hexalog_protocol::frame::PROTOCOL_VERSION;
use hexalog_protocol::message::{Hello, Message, Role};

/// First connection number of the core's own.
const OWN_CONNECTIONS: u64 = 1 << 63;
/// Pause before a second try, in halves of the gossip interval: 50 ms by default. Doubles with every failure.
const RETRY_INTERVALS_DIVISOR: u64 = 2;

/// Up to 1.6 s by default: a peer that comes back is found within that.
const RETRY_DOUBLINGS_MAX: u32 = 5;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LinkState {
    Down { retry_at_us: u64 },
    Connecting,
    Up,
}

#[derive(Debug)]
struct Link {
    state: LinkState,
    connection: ConnectionId,
    failures: u32,
    /// When it last came up, went down, or was wanted first.
    changed_us: u64,
}

/// What was asked on a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PeerRequest {
    pub key: SegmentKey,
    pub segment: SegmentId,
    pub address: SocketAddr,
    pub asked_us: u64,
    /// Where the own log ended then.
    pub asked_position: u64,
    /// Own SCL, above which it was asked for.
    pub after: Lsn,
    /// Only the peer's SCL was asked for.
    pub is_for_scl: bool,
}

/// All links of the shard.
#[derive(Debug, Default)]
pub(crate) struct Links {
    by_address: BTreeMap<SocketAddr, Link>,
    by_connection: BTreeMap<ConnectionId, SocketAddr>,
    pub(super) requests: BTreeMap<u64, PeerRequest>,
    pub(super) requests_numbered: u64,
    connections_numbered: u64,
    /// When this run began.
    pub started_us: u64,
    /// When the segments were last looked at, and how often they were.
    pub looked_us: u64,
    pub(super) looks: usize,
    pub retention_looked_us: u64,
    pub(super) due_us: Option<u64>,
    pub(super) answers: BTreeMap<u64, super::serve::LogAnswer>,
    pub(super) answers_numbered: u64,
}

impl Links {
    /// Whether a connection is one that the core asked for.
    pub fn owns(&self, connection: ConnectionId) -> bool {
        connection.0 >= OWN_CONNECTIONS
    }

    pub fn started(&mut self, now: Now) {
        self.started_us = now.monotonic_us;
        self.due_us = Some(now.monotonic_us);
    }

    /// Something has come that makes a question worthwhile.
    pub fn look_now(&mut self) {
        self.due_us = Some(0);
    }

    pub fn next_due_us(&self) -> Option<u64> {
        self.due_us
    }

    /// Reads of the log for peers in flight.
    pub fn log_reads(&self) -> usize {
        self.answers.len()
    }

    /// Whether a request is unanswered, and its link stands.
    pub fn is_asked(&self, request_id: u64) -> bool {
        self.requests.contains_key(&request_id)
    }

    /// Whether the link has been up, or has not been up, for at least `age_us`.
    pub fn is_unchanged_for(&self, address: SocketAddr, now: Now, age_us: u64) -> bool {
        self.by_address.get(&address).is_some_and(|link| now.monotonic_us >= link.changed_us + age_us)
    }

    pub fn connection(&self, address: SocketAddr) -> Option<ConnectionId> {
        let link = self.by_address.get(&address)?;
        matches!(link.state, LinkState::Up).then_some(link.connection)
    }

    pub(super) fn address_of(&self, connection: ConnectionId) -> Option<SocketAddr> {
        self.by_connection.get(&connection).copied()
    }

    /// Asks for a connection that is wanted and not there, unless it is too early.
    pub fn want(&mut self, address: SocketAddr, now: Now, effects: &mut Effects) {
        let link = self.by_address.entry(address).or_insert(Link {
            state: LinkState::Down { retry_at_us: 0 },
            connection: ConnectionId(0),
            failures: 0,
            changed_us: now.monotonic_us,
        });
        if let LinkState::Down { retry_at_us } = link.state
            && now.monotonic_us >= retry_at_us
        {
            let connection = ConnectionId(OWN_CONNECTIONS + self.connections_numbered);
            self.connections_numbered += 1;
            (link.state, link.connection) = (LinkState::Connecting, connection);
            self.by_connection.insert(connection, address);
            effects.list.push(Effect::Connect(connection, address));
        }
    }

    fn down(&mut self, connection: ConnectionId, now: Now, interval_us: u64) {
        let Some(address) = self.by_connection.remove(&connection) else { return };
        let link = self.by_address.get_mut(&address).expect("a connection has its link");
        if link.state == LinkState::Up {
            link.changed_us = now.monotonic_us;
        }
        let pause_us = (interval_us / RETRY_INTERVALS_DIVISOR) << link.failures.min(RETRY_DOUBLINGS_MAX);
        link.state = LinkState::Down { retry_at_us: now.monotonic_us + pause_us };
        link.failures += 1;
        self.requests.retain(|_, request| request.address != address);
    }
}

impl Shard {
    pub(crate) fn on_link_up(&mut self, now: Now, connection: ConnectionId, effects: &mut Effects) {
        let Some(address) = self.links.address_of(connection) else { return };
        let link = self.links.by_address.get_mut(&address).expect("a connection has its link");
        (link.state, link.changed_us) = (LinkState::Up, now.monotonic_us);
        link.failures = 0;
        let hello = Hello {
            version_low: PROTOCOL_VERSION,
            version_high: PROTOCOL_VERSION,
            role: Role::Peer,
            identity: &[],
        };
        Message::Hello(hello).encode(0, effects.send(connection));
        self.links.due_us = Some(now.monotonic_us);
    }

    pub(crate) fn on_link_down(&mut self, now: Now, connection: ConnectionId) {
        if self.links.owns(connection) {
            self.links.down(connection, now, self.options.gossip_interval_us);
        }
    }

    /// A peer that does not keep to the protocol is left alone for a while.
    pub(super) fn drop_link(&mut self, now: Now, connection: ConnectionId, effects: &mut Effects) {
        self.links.down(connection, now, self.options.gossip_interval_us);
        effects.list.push(Effect::Close(connection));
    }

    /// Addresses that no segment names any more are closed.
    pub(super) fn drop_unneeded_links(&mut self, effects: &mut Effects) {
        let needed: Vec<SocketAddr> = self
            .segments
            .values()
            .flat_map(|segment| segment.gossip.peers().map(|peer| peer.address))
            .collect();
        let stale: Vec<SocketAddr> =
            self.links.by_address.keys().filter(|address| !needed.contains(address)).copied().collect();
        for address in stale {
            let link = self.links.by_address.remove(&address).expect("just listed");
            if self.links.by_connection.remove(&link.connection).is_some() {
                effects.list.push(Effect::Close(link.connection));
            }
        }
    }
}
