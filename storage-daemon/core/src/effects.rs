//! What goes into a shard machine and what comes out: the whole interface between the core and its driver
//! (io_uring in production, a virtual device and network in tests and the simulator).
//!
//! A device is three areas; in a directory each is a file, on a raw block device a byte range. Buffers move:
//! an effect hands one to the driver, the completion hands it back, so steady state allocates nothing.

use alloc::vec::Vec;
use core::net::SocketAddr;
use hexalog_protocol::frame::Frame;
use hexalog_storage_format::aligned::AlignedBuffer;

/// Time as the driver sees it, passed into every call. The core has no clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Now {
    /// Monotonic microseconds: for intervals. Never goes back within a run.
    pub monotonic_us: u64,
    /// Wall clock, microseconds since 1970: for people and restores only. May jump either way.
    pub wall_us: u64,
}

/// A connection as the core knows it. The driver numbers accepted ones upwards from 1; the core numbers the
/// ones it asks for ([`Effect::Connect`]) from `1 << 63` upwards. Never reused within a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct ConnectionId(pub u64);

/// Part of a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Area {
    /// Two slots of one superblock each.
    Superblock,
    /// The shard's log region.
    Log,
    /// Page versions and index checkpoints.
    Extents,
}

/// Names an I/O operation in its completion. Chosen by the core, never reused within a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IoToken(pub u64);

/// How an I/O operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoResult {
    /// All of it was done; if a flush was asked for, it has completed too.
    Done,
    /// It failed with this errno. What the device holds there now is unknown.
    Failed(i32),
    /// A write found no space below, in the file system or a thin device: part of it may stand there, nothing of it counts.
    /// No flush ends so: what a flush was to make durable is unknown, whatever the reason.
    NoSpace,
}

/// The errno of [`IoResult::NoSpace`], which every Unix has under this number.
const ENOSPC: i32 = 28;

impl IoResult {
    /// Why it did not end well, for whom no space is a failure like any other.
    pub fn errno(self) -> Option<i32> {
        match self {
            IoResult::Done => None,
            IoResult::Failed(errno) => Some(errno),
            IoResult::NoSpace => Some(ENOSPC),
        }
    }
}

/// What happens to a shard.
#[derive(Debug)]
pub enum Event<'a> {
    /// Someone connected.
    Accepted(ConnectionId),
    /// A connection that the core asked for stands.
    Connected(ConnectionId),
    /// A connection ended, or could not be made. No more events of it follow.
    Closed(ConnectionId),
    /// A whole frame with a valid checksum arrived.
    Frame(ConnectionId, Frame<'a>),
    /// An [`Effect::Write`] ended.
    Written(IoToken, IoResult, AlignedBuffer),
    /// An [`Effect::Flush`] ended.
    Flushed(IoToken, IoResult),
    /// An [`Effect::Read`] ended.
    Read(IoToken, IoResult, AlignedBuffer),
    /// The deadline that [`crate::shard::Shard::next_deadline_us`] named has come, or simply some time has passed.
    Tick,
}

/// What a shard wants done.
#[derive(Debug)]
pub enum Effect {
    /// Open a connection to a peer; answered by `Connected` or `Closed`.
    Connect(ConnectionId, SocketAddr),
    /// Close a connection after what was sent on it. `Closed` does not follow.
    Close(ConnectionId),
    /// Write the whole buffer. With `flush`, the completion comes only after a flush that was started after
    /// the write had ended. A short write is carried on by the driver, then flushed.
    Write {
        /// Names the operation.
        token: IoToken,
        /// Where.
        area: Area,
        /// Byte offset in the area, block aligned.
        offset: u64,
        /// What. Comes back with the completion.
        buffer: AlignedBuffer,
        /// Durable before completion.
        flush: bool,
    },
    /// Make every completed write of the area durable.
    Flush {
        /// Names the operation.
        token: IoToken,
        /// Which area.
        area: Area,
    },
    /// Fill the whole buffer.
    Read {
        /// Names the operation.
        token: IoToken,
        /// Where.
        area: Area,
        /// Byte offset in the area, block aligned.
        offset: u64,
        /// Filled and handed back.
        buffer: AlignedBuffer,
    },
    /// The shard cannot go on (device failed, log unreadable): the driver logs the text and stops this
    /// shard; reads may go on if `reads_go_on`.
    Halt {
        /// For the operator: what failed and what to do.
        reason: alloc::string::String,
        /// Whether the shard still answers reads.
        reads_go_on: bool,
    },
    /// Something an operator should see in the log of the daemon.
    Log(alloc::string::String),
}

/// Where the core puts its effects. Owned and reused by the driver, which carries out and drains both lists
/// after every call.
#[derive(Debug, Default)]
pub struct Effects {
    /// In order; operations of one area are started in this order.
    pub list: Vec<Effect>,
    /// Encoded frames to send, by connection, each connection at most once. May stay over several calls, but goes out before a
    /// [`Effect::Close`] that came after it.
    pub sends: Vec<(ConnectionId, Vec<u8>)>,
    /// Empty buffers for the next sends: a driver puts back what it took, so that steady state allocates nothing.
    pub spare: Vec<Vec<u8>>,
}

impl Effects {
    /// The buffer that frames for `connection` are appended to.
    pub fn send(&mut self, connection: ConnectionId) -> &mut Vec<u8> {
        let at = self.sends.iter().position(|(id, _)| *id == connection).unwrap_or_else(|| {
            self.sends.push((connection, self.spare.pop().unwrap_or_default()));
            self.sends.len() - 1
        });
        &mut self.sends[at].1
    }

    /// Bytes that wait here for `connection`.
    pub fn unsent_bytes(&self, connection: ConnectionId) -> usize {
        self.sends.iter().find(|(id, _)| *id == connection).map_or(0, |(_, bytes)| bytes.len())
    }
}
