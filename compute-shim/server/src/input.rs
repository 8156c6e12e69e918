//! What a client has sent and the session has not handled yet.
//!
//! Owns the receive buffer; messages are handed out as ranges of it and decoded in place. An idle connection
//! holds no buffer: it waits for readiness and takes one from the worker's pool then.

use crate::buffers;
use crate::control::SessionControl;
use crate::wire::{ProtocolViolation, frontend, startup};
use hexalog_sql::CancelReason;
use std::future::{Future, poll_fn};
use std::ops::Range;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Why no message came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadEnd {
    /// The client closed the connection, or it broke.
    Closed,
    /// The client's bytes make no sense; nothing after them can be trusted.
    Violation(ProtocolViolation),
    /// Stop reading for this reason.
    Interrupted(CancelReason),
    /// The client has been silent for too long.
    TooLate,
}

/// What may interrupt a read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interrupt {
    /// Only the process's end, and a deadline: the session is between statements.
    Stop {
        /// When the wait is over.
        deadline: Option<Instant>,
    },
    /// Cancel and timeout too: a statement is waiting for data.
    Statement,
}

/// The receive buffer of one connection.
#[derive(Default)]
pub struct Input {
    bytes: Vec<u8>,
    /// Where the message that is being handled begins.
    start: usize,
    /// Where it ends, and the next one begins.
    end: usize,
}

/// A message: its type and where its body stands.
pub type Message = (u8, Range<usize>);

impl Input {
    /// The body of a message that was handed out by the last read.
    pub fn body(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Type of the message after the one that is being handled, if its header has arrived.
    pub fn next_kind(&self) -> Option<u8> {
        self.bytes.get(self.end).copied()
    }

    /// The next message; the one before is forgotten.
    pub async fn message(
        &mut self,
        stream: &mut TcpStream,
        control: &SessionControl,
        interrupt: Interrupt,
    ) -> Result<Message, ReadEnd> {
        self.forget_handled();
        loop {
            let buffered = &self.bytes[self.start..];
            if let Some((kind, body_bytes)) = frontend::header(buffered).map_err(ReadEnd::Violation)? {
                let body_start = self.start + frontend::HEADER_BYTES;
                self.end = body_start + body_bytes;
                if self.bytes.len() >= self.end {
                    return Ok((kind, body_start..self.end));
                }
            }
            self.end = self.start;
            self.fill(stream, control, interrupt).await?;
        }
    }

    /// Waits for bytes. A timer is only made where one can strike: most waits of most sessions have none.
    async fn fill(
        &mut self,
        stream: &mut TcpStream,
        control: &SessionControl,
        interrupt: Interrupt,
    ) -> Result<(), ReadEnd> {
        let deadline = match interrupt {
            Interrupt::Stop { deadline } => deadline,
            Interrupt::Statement => control.deadline(),
        };
        let filled = poll_fn(|cx| {
            control.watch(cx.waker());
            if let Some(reason) = interrupted(control, interrupt) {
                return Poll::Ready(Err(ReadEnd::Interrupted(reason)));
            }
            self.poll_fill(stream, cx)
        });
        let Some(deadline) = deadline else { return filled.await };
        // Boxed, since every idle session would carry the room for it.
        match Box::pin(tokio::time::timeout_at(deadline.into(), filled)).await {
            Ok(filled) => filled,
            Err(_) if interrupt == Interrupt::Statement => {
                Err(ReadEnd::Interrupted(CancelReason::StatementTimeout))
            }
            Err(_) => Err(ReadEnd::TooLate),
        }
    }

    /// The next packet of the start-up phase, its length field included.
    pub async fn startup_packet(&mut self, stream: &mut TcpStream) -> Result<Range<usize>, ReadEnd> {
        self.forget_handled();
        loop {
            let length = startup::packet_length(&self.bytes[self.start..]).map_err(ReadEnd::Violation)?;
            if let Some(length) = length
                && self.bytes.len() >= self.start + length
            {
                self.end = self.start + length;
                return Ok(self.start..self.end);
            }
            poll_fn(|cx| self.poll_fill(stream, cx)).await?;
        }
    }

    /// Drops the message that was handled; an empty buffer goes back to the pool.
    fn forget_handled(&mut self) {
        self.start = self.end;
        if self.start == self.bytes.len() {
            buffers::give_back(std::mem::take(&mut self.bytes));
            (self.start, self.end) = (0, 0);
        }
    }

    /// Appends what the socket has.
    fn poll_fill(&mut self, stream: &mut TcpStream, cx: &mut Context<'_>) -> Poll<Result<(), ReadEnd>> {
        if self.bytes.capacity() == 0 {
            // Wait without a buffer. A read that found less than it asked for has cleared the readiness.
            ready!(stream.poll_read_ready(cx)).map_err(|_| ReadEnd::Closed)?;
            self.bytes = buffers::take();
        }
        if self.start > 0 && self.bytes.len() == self.bytes.capacity() {
            self.bytes.drain(..self.start);
            (self.start, self.end) = (0, 0);
        }
        // Doubles when full, so a long message costs few copies; never by what a header promises.
        self.bytes.reserve(1);
        let read = pin!(stream.read_buf(&mut self.bytes)).poll(cx);
        match ready!(read) {
            Ok(bytes) if bytes > 0 => Poll::Ready(Ok(())),
            _ => Poll::Ready(Err(ReadEnd::Closed)),
        }
    }
}

fn interrupted(control: &SessionControl, interrupt: Interrupt) -> Option<CancelReason> {
    match interrupt {
        Interrupt::Statement => control.cancelled(),
        Interrupt::Stop { .. } => control.is_ending().then_some(CancelReason::Shutdown),
    }
}
