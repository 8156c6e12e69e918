//! One connection: its socket, where it stands in its life, what waits to be sent.
//!
//! At most one receive and one send are in flight. A receive goes on, into buffers that all connections share, as long as the
//! frames that come fit into one of those; larger ones are received where the connection keeps them, one receive at a time, so that
//! nothing has to be copied. Bytes to send gather in `out` until the end of the turn, or while a send is in
//! flight, and go out together. A connection leaves the table only when nothing of it is in flight.

use crate::receive_buffer::ReceiveBuffer;
use crate::ring::OperationKey;
use hexalog_storage_core::effects::ConnectionId;
use socket2::{SockRef, TcpKeepalive};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

/// Most that is sent without waiting for the socket: copied in some 20 us.
pub(crate) const AT_ONCE_BYTES_MAX: usize = 256 << 10;

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Being made; what is to be sent waits.
    Connecting,
    /// Both ways open.
    Open,
    /// The machine has closed it: what is left is sent, then the peer's end is awaited, until the deadline.
    Closing { deadline_us: u64, end_sent: bool },
    /// Lost or done: waits only for its operations to end.
    Dead,
}

/// How bytes come in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Receiving {
    /// Nothing is in flight.
    Not,
    /// One receive is, and has taken `kept` along.
    Own,
    /// A receive that goes on is, into shared buffers.
    Shared(OperationKey),
    /// The same, asked to end; until then bytes may come.
    SharedEnding,
}

/// A connection.
pub(crate) struct Connection {
    pub socket: TcpStream,
    pub phase: Phase,
    /// A connect is in flight.
    pub connecting: bool,
    pub receiving: Receiving,
    /// Received and not taken: the beginning of a frame, or whatever has come while `is_parked`.
    pub kept: ReceiveBuffer,
    /// Too much is unsent: no frames are taken, nothing more is received.
    pub is_parked: bool,
    /// Receives to come that are not into shared buffers, since a large frame came lately.
    pub own_receives: u32,
    /// Bytes of the send in flight, zero if there is none.
    pub sending_bytes: usize,
    /// Nobody wakes the loop when that send has ended: it tells only of what it did not send.
    pub is_sending_quietly: bool,
    /// What goes out next.
    pub out: Vec<u8>,
    /// It is in the list of connections to look at at the end of the turn.
    pub dirty: bool,
}

impl Connection {
    pub(crate) fn new(socket: TcpStream, phase: Phase) -> Connection {
        Connection {
            socket,
            phase,
            connecting: phase == Phase::Connecting,
            receiving: Receiving::Not,
            kept: ReceiveBuffer::new(),
            is_parked: false,
            own_receives: 0,
            sending_bytes: 0,
            is_sending_quietly: false,
            out: Vec::new(),
            dirty: false,
        }
    }

    /// Bytes that the machine has sent and the kernel has not taken yet.
    pub(crate) fn unsent(&self) -> usize {
        self.out.len() + self.sending_bytes
    }

    /// Sends as much as the socket takes now; nothing of what is large: that would take it long, with the loop waiting.
    pub(crate) fn send_at_once(&self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > AT_ONCE_BYTES_MAX {
            return Ok(0);
        }
        loop {
            let sent =
                SockRef::from(&self.socket).send_with_flags(bytes, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
            match sent {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Nothing is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        !self.connecting && self.receiving == Receiving::Not && self.sending_bytes == 0
    }

    /// Who is at the other end, for a log line.
    pub(crate) fn peer_name(&self, id: ConnectionId) -> String {
        match self.socket.peer_addr() {
            Ok(address) => format!("connection {} from {address}", id.0),
            Err(_) => format!("connection {}", id.0),
        }
    }
}

/// A host that has lost power sends nothing more: after this long without an answer to what was sent, or to
/// a keep-alive, its connection is given up.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Sets a socket's options: small frames leave at once, a dead peer is noticed.
pub(crate) fn prepare_socket(socket: &TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new().with_time(SILENCE_MAX).with_interval(Duration::from_secs(3));
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(SILENCE_MAX))
}
