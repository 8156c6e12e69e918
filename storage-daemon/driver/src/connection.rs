//! One connection: its socket, where it stands in its life, what waits to be sent.
//!
//! At most one receive and one send are in flight. Bytes to send gather in `out` until the end of the turn, or while a send is in
//! flight, and go out together. A connection leaves the table only when nothing of it is in flight.

use crate::receive_buffer::ReceiveBuffer;
use hexalog_storage_core::effects::ConnectionId;
use socket2::{SockRef, TcpKeepalive};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

/// Most that is sent without the ring: copied in some 20 us.
const AT_ONCE_BYTES_MAX: usize = 256 << 10;

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

/// A connection.
pub(crate) struct Connection {
    pub socket: TcpStream,
    pub phase: Phase,
    /// A connect is in flight.
    pub connecting: bool,
    pub receiving: bool,
    /// The receive buffer while no receive is in flight because too much is unsent.
    pub parked: Option<ReceiveBuffer>,
    /// Bytes of the send in flight, zero if there is none.
    pub sending_bytes: usize,
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
            receiving: false,
            parked: None,
            sending_bytes: 0,
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
        !self.connecting && !self.receiving && self.sending_bytes == 0
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
