//! Connections between processes.
//!
//! Faults it makes: any delay of any message; connections that break with messages under way; hosts that cannot be
//! reached for a while. Within one connection order is kept, as TCP keeps it; nothing is altered (the frame checksum
//! is tested by itself).

use hexalog_storage_core::effects::ConnectionId;
use hexalog_volume::config::LinkIndex;

/// One end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
}

/// All connections there ever were; the index is the connection's name in the world.
#[derive(Default)]
pub struct Network {
    /// Connections.
    pub connections: Vec<Connection>,
}

impl Network {
    /// Adds a connection; returns its index.
    pub fn connect(&mut self, from: End, to: End) -> usize {
        self.connections.push(Connection { ends: [from, to], is_open: true, busy_until_us: [0; 2] });
        self.connections.len() - 1
    }

    /// The open connection that has this end, and which end it is.
    pub fn find(&self, end: End) -> Option<(usize, usize)> {
        let open = self.connections.iter().enumerate().rev().filter(|(_, connection)| connection.is_open);
        open.filter_map(|(index, connection)| {
            connection.ends.iter().position(|other| *other == end).map(|side| (index, side))
        })
        .next()
    }
}
