//! One TCP connection to a shard: bytes in and out without waiting.

use crate::traffic::Counters;
use hexalog_protocol::codec::Malformed;
use hexalog_protocol::frame::{Frame, frame_length, read_frame};
use std::io::{Error, ErrorKind};
use std::task::{Context, Poll, ready};
use tokio::net::TcpStream;

/// Room asked for in each receive: several acknowledgements, or most of a page image with its neighbours.
const RECEIVE_BYTES: usize = 64 * 1024;

/// A connection that stands.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    /// How much of `received` has been taken.
    taken: usize,
    unsent: Vec<u8>,
    sent: usize,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> std::io::Result<Connection> {
        stream.set_nodelay(true)?;
        Ok(Connection { stream, received: Vec::new(), taken: 0, unsent: Vec::new(), sent: 0 })
    }

    /// Receives what is there. Ready with how many bytes came; an error when the connection has ended.
    pub(crate) fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            self.received.drain(..self.taken);
            self.taken = 0;
            let start = self.received.len();
            // A frame's length is bounded by `frame_length`, so the buffer is too.
            self.received.resize(start + RECEIVE_BYTES, 0);
            let result = self.stream.try_read(&mut self.received[start..]);
            self.received.truncate(start + *result.as_ref().unwrap_or(&0));
            match result {
                Ok(0) => return Poll::Ready(Err(Error::from(ErrorKind::UnexpectedEof))),
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Takes the next whole frame; `None` until more has come.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Malformed> {
        let rest = &self.received[self.taken..];
        let Some(length) = frame_length(rest)?.filter(|length| *length <= rest.len()) else {
            return Ok(None);
        };
        let start = self.taken;
        self.taken += length;
        read_frame(&self.received[start..])
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
