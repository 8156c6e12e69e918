//! One TCP connection to a shard: bytes in and out without waiting.

use crate::traffic::Counters;
use hexalog_protocol::codec::Malformed;
use hexalog_protocol::frame::{Frame, frame_length, read_frame};
use socket2::{SockRef, TcpKeepalive};
use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

/// Room asked for in each receive: several acknowledgements, or most of a page image with its neighbours.
const RECEIVE_BYTES: usize = 64 * 1024;

/// A host that has lost power sends nothing more: after this long without an answer to what was sent, or to a keep-alive, its
/// connection is given up, as daemons do. Only write frames have a deadline of their own; an opening that waits for a member
/// must learn that it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Sets a socket's options: small frames leave at once, a dead peer is noticed.
fn prepare_socket(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(SILENCE_MAX).with_interval(Duration::from_secs(3));
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(SILENCE_MAX))
}

/// A connection that stands.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Received bytes stand in `taken..filled`; what lies behind is room. Never made shorter, so that a receive clears
    /// no memory: 64 KiB of zeros cost more than the acknowledgement that comes.
    received: Vec<u8>,
    taken: usize,
    filled: usize,
    unsent: Vec<u8>,
    sent: usize,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> std::io::Result<Connection> {
        prepare_socket(&stream)?;
        Ok(Connection { stream, received: Vec::new(), taken: 0, filled: 0, unsent: Vec::new(), sent: 0 })
    }

    /// Receives what is there. Ready with how many bytes came; an error when the connection has ended.
    pub(crate) fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        self.received.copy_within(self.taken..self.filled, 0);
        self.filled -= self.taken;
        self.taken = 0;
        // A frame's length is bounded by `frame_length`, so the buffer is too.
        if self.received.len() < self.filled + RECEIVE_BYTES {
            self.received.resize(self.filled + RECEIVE_BYTES, 0);
        }
        // Not `try_read`: that would ask the kernel once more, to be told that nothing is left.
        let mut room = ReadBuf::new(&mut self.received[self.filled..]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut room))?;
        let count = room.filled().len();
        if count == 0 {
            return Poll::Ready(Err(Error::from(ErrorKind::UnexpectedEof)));
        }
        self.filled += count;
        Poll::Ready(Ok(count))
    }

    /// Takes the next whole frame; `None` until more has come.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Malformed> {
        let rest = &self.received[self.taken..self.filled];
        let Some(length) = frame_length(rest)?.filter(|length| *length <= rest.len()) else {
            return Ok(None);
        };
        let start = self.taken;
        self.taken += length;
        read_frame(&self.received[start..self.taken])
    }

    /// Adds bytes to what is to be sent.
    pub(crate) fn queue(&mut self, bytes: Vec<u8>) {
        if self.unsent.is_empty() {
            self.unsent = bytes;
        } else {
            self.unsent.extend_from_slice(&bytes);
        }
    }

    /// Sends what it can. Pending while there is more and the socket is full.
    pub(crate) fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        traffic: &Counters,
    ) -> Poll<std::io::Result<()>> {
        while self.sent < self.unsent.len() {
            match self.stream.try_write(&self.unsent[self.sent..]) {
                Ok(count) => {
                    traffic.sent(count);
                    self.sent += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_write_ready(context))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.unsent.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}
