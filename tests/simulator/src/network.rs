//! Connections between processes.
//!
//! Faults it makes: any delay of any message; connections that break with messages under way; hosts that cannot be
//! reached for a while, or in one direction. Within one connection order is kept, as TCP keeps it, and what a connection
//! holds back arrives later or breaks it; nothing is altered (the frame checksum is tested by itself).

use hexalog_storage_core::effects::ConnectionId;
use hexalog_volume::config::LinkIndex;
use std::collections::BTreeMap;

/// One end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum End {
    /// A shard, by index and by how often it had been started.
    Shard {
        /// Which shard.
        shard: usize,
        /// Its run.
        run: u64,
        /// The connection as the shard names it.
        id: ConnectionId,
    },
    /// A writer, by how many there were before it.
    Writer {
        /// Which writer.
        run: u64,
        /// The link as the client names it.
        link: LinkIndex,
    },
}

/// A connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Who connected, and who was connected to.
    pub ends: [End; 2],
    /// Whether it stands.
    pub is_open: bool,
    /// When the last message of each direction arrives: later ones arrive after it.
    pub busy_until_us: [u64; 2],
    /// What is sent and has not arrived, for each direction.
    pub under_way: [UnderWay; 2],
}

/// What one end has sent and the other has not got: in a driver it fills buffers.
#[derive(Clone, Copy, Default, Debug)]
pub struct UnderWay {
    /// Sends of a driver.
    pub sends: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// All connections there ever were; the index is the connection's name in the world.
#[derive(Default)]
pub struct Network {
    /// Connections.
    pub connections: Vec<Connection>,
    /// The newest open connection of each end.
    by_end: BTreeMap<End, usize>,
}

impl Network {
    /// Adds a connection; returns its index.
    pub fn connect(&mut self, from: End, to: End) -> usize {
        let index = self.connections.len();
        self.connections.push(Connection {
            ends: [from, to],
            is_open: true,
            busy_until_us: [0; 2],
            under_way: [UnderWay::default(); 2],
        });
        self.by_end.insert(from, index);
        self.by_end.insert(to, index);
        index
    }

    /// Ends a connection; returns its ends if it stood.
    pub fn close(&mut self, index: usize) -> Option<[End; 2]> {
        let connection = &mut self.connections[index];
        if !std::mem::take(&mut connection.is_open) {
            return None;
        }
        for end in connection.ends {
            if self.by_end.get(&end) == Some(&index) {
                self.by_end.remove(&end);
            }
        }
        Some(connection.ends)
    }

    /// The open connection that has this end, and which end it is.
    pub fn find(&self, end: End) -> Option<(usize, usize)> {
        let index = *self.by_end.get(&end)?;
        let side = self.connections[index].ends.iter().position(|other| *other == end);
        Some((index, side.expect("an end belongs to its connection")))
    }

    /// All that stand, oldest first.
    pub fn open(&self) -> Vec<usize> {
        let mut open: Vec<usize> = self.by_end.values().copied().collect();
        open.sort_unstable();
        open.dedup();
        open
    }
}
