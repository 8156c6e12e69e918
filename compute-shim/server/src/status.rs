//! What a compute process tells of itself to `hexalog status`: a JSON text, asked for by a start-up packet.
//!
//! Numbers only, no SQL and no data; whoever can connect can ask.

use crate::control::ServerControl;
use hexalog_engine::Engine;
use hexalog_volume::{Client, SharedClient};
use hexalog_volume_driver::{Handle, State};
use serde_json::{Value, json};
use std::sync::Arc;

/// Where the numbers come from.
pub struct StatusSource {
    handle: Handle,
    engine: Arc<Engine>,
    control: Arc<ServerControl>,
}

impl StatusSource {
    pub(crate) fn new(handle: Handle, engine: Arc<Engine>, control: Arc<ServerControl>) -> StatusSource {
        StatusSource { handle, engine, control }
    }

    /// The session that holds purge back, if one does.
    fn oldest_snapshot(&self) -> Option<Value> {
        let mut held = Vec::new();
        self.engine.held_snapshots(&mut held);
        let vdl = self.handle.vdl();
        let oldest = held.iter().filter(|snapshot| snapshot.lsn < vdl).min_by_key(|snapshot| snapshot.lsn)?;
        Some(json!({ "session": oldest.process_id, "lsn": oldest.lsn.0 }))
    }

    /// The state of things now.
    pub(crate) fn report(&self) -> Value {
        let state = match self.handle.state() {
            State::Opening => "opening",
            State::Open => "open",
            State::Fenced => "fenced",
            State::Closed => "closed",
        };
        let client = self.handle.client();
        let writer = client.history().writer();
        let groups: Vec<Value> = client
            .status()
            .iter()
            .map(|group| {
                json!({
                    "group": group.group.0,
                    "members_up": group.members_up,
                    "scl": group.scls.iter().map(|scl| scl.map(|lsn| lsn.0)).collect::<Vec<_>>(),
                    "pgcl": group.pgcl.0,
                    "tail": group.tail.0,
                })
            })
            .collect();
        json!({
            "state": state,
            "volume": client.config().volume.to_string(),
            "epoch": writer.epoch.0,
            "incarnation": format!("{:016x}", writer.incarnation.0),
            "vdl": client.vdl().0,
            "vcl": client.vcl().0,
            "allocated": client.allocated().0,
            "quorum_lost": client.quorum_lost(),
            "sessions": self.control.session_count(),
            "oldest_snapshot": self.oldest_snapshot(),
            "groups": groups,
            "counters": self.counters(&client),
        })
    }

    fn counters(&self, client: &Client) -> Value {
        let (counters, stats, traffic) = (client.counters(), self.engine.stats(), self.handle.traffic());
        json!({
            "mtrs": counters.mtrs,
            "records": counters.records,
            "operation_bytes": counters.operation_bytes,
            "frames_sent": counters.frames_sent,
            "sends": traffic.sends,
            "bytes_sent": traffic.bytes_sent,
            "receives": traffic.receives,
            "bytes_received": traffic.bytes_received,
            "reads": counters.reads,
            "read_requests": counters.read_requests,
            "hedges": counters.hedges,
            "disconnects": counters.disconnects,
            "cache_frames": stats.frames,
            "cache_frames_used": stats.frames_used,
            "page_hits": stats.page_hits,
            "page_fetches": stats.page_fetches,
            "evictions": stats.evictions,
            "commits": stats.commits,
            "aborts": stats.aborts,
            "splits": stats.splits,
            "merges": stats.merges,
            "delete_marks_removed": stats.delete_marks_removed,
            "rows_undone": stats.rows_undone,
            "lock_waits": stats.lock_waits,
            "deadlocks": stats.deadlocks,
            "serializable_transactions": stats.serializable_transactions,
            "serializable_reads": stats.serializable_reads,
            "serializable_dooms": stats.serializable_dooms,
            "transactions_to_undo": stats.transactions_to_undo,
            "purge_horizon": stats.purge_horizon,
            "undo_pages": stats.undo_pages,
            "prepared_transactions": stats.prepared_transactions,
        })
    }
}
