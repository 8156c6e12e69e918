//! A storage daemon as metadata knows it: what it is, and that it lives.

use crate::encoding;
use hexalog_protocol::{NodeId, ShardIndex};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// A storage daemon: where it stands and where it listens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeRecord {
    /// The daemon.
    #[serde(with = "encoding::node")]
    pub node: NodeId,
    /// Name of its availability zone.
    pub az: String,
    /// Address that it listens on.
    pub host: IpAddr,
    /// Port of its shard 0; shard `i` listens on `port + i`.
    pub port: u16,
    /// How many shards it has; fixed when its device is formatted.
    pub shards: u16,
    /// Size of its device; 0: not told.
    #[serde(default)]
    pub capacity_bytes: u64,
}

/// A daemon's sign of life, in a value of its own: whoever watches what daemons there are is not woken by it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatRecord {
    /// The daemon.
    #[serde(with = "encoding::node")]
    pub node: NodeId,
    /// Counts signs. Whoever judges a daemon measures by his own clock how long this has not moved.
    pub count: u64,
    /// The daemon's clock, for people: it decides nothing.
    pub unix_ms: u64,
    /// How much of the device is in use.
    pub used_bytes: u64,
}

impl NodeRecord {
    /// Where a shard listens; `None` if there is no such shard.
    pub fn address(&self, shard: ShardIndex) -> Option<SocketAddr> {
        if shard.0 >= self.shards {
            return None;
        }
        Some(SocketAddr::new(self.host, self.port.checked_add(shard.0)?))
    }
}
