//! What goes into the volume client and what comes out.

use crate::config::LinkIndex;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use hexalog_protocol::frame::Frame;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::Room;
use hexalog_protocol::{Lsn, NodeId, Page, PageId};

/// Time as the driver sees it, passed into every call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Now {
    /// Monotonic microseconds.
    pub monotonic_us: u64,
    /// Wall clock, microseconds since 1970; goes into the log for restores, decides nothing.
    pub wall_us: u64,
}

/// What happens to the client.
#[derive(Debug)]
pub enum Event<'a> {
    /// A connection asked for by [`Effect::Connect`] stands.
    Connected(LinkIndex),
    /// A connection ended or could not be made.
    Closed(LinkIndex),
    /// A whole frame with a valid checksum arrived.
    Frame(LinkIndex, Frame<'a>),
    /// Time has passed.
    Tick,
}

/// Why a page cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadFailure {
    /// The page has no record at or below the read point.
    NeverWritten,
    /// The client was fenced or closed; no read will be answered any more.
    Fenced,
}

/// What the client wants done.
#[derive(Debug)]
pub enum Effect {
    /// Open a connection; answered by `Connected` or `Closed`.
    Connect(LinkIndex, SocketAddr),
    /// Close a connection at once. `Closed` does not follow.
    Disconnect(LinkIndex),
    /// A read's answer.
    Page {
        /// The page asked for.
        page: PageId,
        /// The read point asked for.
        read_point: Lsn,
        /// Its image, if it has one.
        image: Result<Page, ReadFailure>,
        /// The node that answered.
        from: Option<NodeId>,
    },
    /// The volume is open: reads are served, and a writer may append.
    Opened,
    /// Everything up to here is durable.
    VdlAdvanced(Lsn),
    /// A recovery read quorum of some group has answered under the own epoch since
    /// [`crate::client::Client::quorum_contact_us`] last stood.
    QuorumContact,
    /// A `reserve` that was refused may succeed now.
    LogSpaceFreed,
    /// Storage has more or less room than before; [`crate::client::Client::room`].
    RoomChanged(Room),
    /// Another writer has the volume. Nothing will become durable any more; the process must stop writing.
    Fenced(WriterId),
    /// Something for the process's log.
    Log(String),
}

/// Where the client puts its effects; owned, drained and reused by the driver.
#[derive(Debug, Default)]
pub struct Effects {
    /// In order.
    pub list: Vec<Effect>,
    /// Encoded frames to send, by link, each link at most once.
    pub sends: Vec<(LinkIndex, Vec<u8>)>,
}

impl Effects {
    /// The buffer that frames for `link` are appended to.
    pub fn send(&mut self, link: LinkIndex) -> &mut Vec<u8> {
        let at = self.sends.iter().position(|(id, _)| *id == link).unwrap_or_else(|| {
            self.sends.push((link, Vec::new()));
            self.sends.len() - 1
        });
        &mut self.sends[at].1
    }
}
