//! Connections that others made to this shard: who they are and what they may ask.

use crate::effects::{ConnectionId, Effect, Effects};
use crate::segment::SegmentKey;
use crate::shard::Shard;
use alloc::collections::BTreeMap;
use alloc::string::String;
use hexalog_protocol::frame::PROTOCOL_VERSION;
use hexalog_protocol::message::{Hello, Message, Refusal, RefusalReason, Role, Welcome};
use hexalog_protocol::{GroupId, MembershipEpoch, VolumeId};

/// Accepted connections; `None` until the hello.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    roles: BTreeMap<ConnectionId, Option<Role>>,
}

impl Connections {
    pub fn accepted(&mut self, connection: ConnectionId) {
        self.roles.insert(connection, None);
    }

    pub fn closed(&mut self, connection: ConnectionId) {
        self.roles.remove(&connection);
    }

    pub fn is_there(&self, connection: ConnectionId) -> bool {
        self.roles.contains_key(&connection)
    }

    pub fn count(&self) -> usize {
        self.roles.len()
    }

    /// Whether a connection of this role may send this kind of request.
    pub fn may_ask(&self, connection: ConnectionId, message: &Message<'_>) -> bool {
        let Some(Some(role)) = self.roles.get(&connection) else { return false };
        match message {
            Message::StatusQuery(_) | Message::GossipPull(_) => true,
            Message::FetchHistory(_) | Message::FetchMembership(_) => true,
            // A peer's own page is damaged.
            Message::ReadPage(_) => true,
            Message::CreateSegment(_) | Message::SetMembership(_) => *role != Role::Peer,
            Message::Write(_) | Message::EpochBump(_) | Message::InstallHistory(_) => *role == Role::Compute,
            Message::GossipPush(_) | Message::RestoreSegment(_) => *role == Role::Compute,
            Message::HydratePull(_) => *role == Role::Peer,
            _ => false,
        }
    }
}

impl Shard {
    pub(crate) fn on_hello(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        hello: &Hello<'_>,
        effects: &mut Effects,
    ) {
        if !(hello.version_low..=hello.version_high).contains(&PROTOCOL_VERSION) {
            self.refuse(
                connection,
                request_id,
                RefusalReason::Version,
                NO_SEGMENT,
                "no common version",
                effects,
            );
            return self.close(connection, effects);
        }
        self.connections.roles.insert(connection, Some(hello.role));
        let welcome = Welcome {
            version: PROTOCOL_VERSION,
            node: self.options.node,
            device: self.superblock.device,
            shard: self.options.shard,
            shard_ports: self.options.shard_ports.clone(),
        };
        Message::Welcome(welcome).encode(request_id, effects.send(connection));
    }

    /// Refuses a request. Epochs are told so that the sender knows what to do next.
    pub(crate) fn refuse(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        reason: RefusalReason,
        key: SegmentKey,
        detail: &str,
        effects: &mut Effects,
    ) {
        self.counters.refusals += 1;
        match reason {
            RefusalReason::StaleEpoch => self.counters.stale_epoch_refusals += 1,
            RefusalReason::NoSpace => self.counters.no_space_refusals += 1,
            RefusalReason::Busy => self.counters.busy_refusals += 1,
            RefusalReason::Malformed => self.counters.malformed_frames += 1,
            _ => {}
        }
        let segment = self.segments.get(&key);
        let refusal = Refusal {
            reason,
            volume: key.0,
            group: key.1,
            writer: segment.map(|segment| segment.promised).unwrap_or_default(),
            membership_epoch: segment.map_or(MembershipEpoch(0), |segment| segment.membership.epoch),
            geometry_epoch: segment.map(|segment| segment.geometry_epoch).unwrap_or_default(),
            detail: String::from(detail),
        };
        Message::Refusal(refusal).encode(request_id, effects.send(connection));
    }

    /// Closes a connection from our side, after what was sent on it.
    pub(crate) fn close(&mut self, connection: ConnectionId, effects: &mut Effects) {
        self.forget_connection(connection);
        effects.list.push(Effect::Close(connection));
    }

    /// Whatever waits for an answer on it will find no one.
    pub(crate) fn forget_connection(&mut self, connection: ConnectionId) {
        self.connections.closed(connection);
        for view in self.volumes.values_mut() {
            if view.writer_connection == Some(connection) {
                view.writer_connection = None;
            }
        }
        for segment in self.segments.values_mut() {
            if segment.opener == Some(connection) {
                segment.opener = None;
            }
        }
    }
}

/// For refusals that concern no segment.
pub(crate) const NO_SEGMENT: SegmentKey = (VolumeId([0; 16]), GroupId(0));
