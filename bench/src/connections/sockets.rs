//! Thousands of connections on one thread: epoll, and what has come in part.
//!
//! Owns the sockets and carries bytes; knows of messages only where an answer ends. What is asked next is the caller's.

use crate::wire::{self, Refusal};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Events of one wait.
const EVENTS_MAX: usize = 1024;
/// One read; answers here are far smaller.
const READ_BYTES: usize = 64 << 10;

/// What came from the connection of this number.
#[derive(Debug)]
pub struct Arrival {
    /// As [`Sockets::connect`] gave it.
    pub socket: usize,
    /// What it was.
    pub what: What,
}

/// What a connection has to say.
#[derive(Debug)]
pub enum What {
    /// ReadyForQuery: all that was asked is answered.
    Ready {
        /// `I` idle, `T` in a transaction block, `E` in a failed one.
        status: u8,
        /// Rows since the last time.
        rows: u64,
        /// The first error since the last time.
        refusal: Option<Refusal>,
    },
    /// The connection is over, and what the server said last, if it said anything.
    Gone(String),
}

/// Sockets by number; a number is not given again.
pub struct Sockets {
    epoll: OwnedFd,
    sockets: Vec<Option<Socket>>,
    events: Vec<epoll::Event>,
    chunk: Vec<u8>,
}

struct Socket {
    stream: TcpStream,
    /// The beginning of a message whose end has not come yet.
    partial: Vec<u8>,
    /// What the kernel did not take at once.
    unsent: Vec<u8>,
    rows: u64,
    refusal: Option<Refusal>,
}

impl Sockets {
    /// None yet.
    pub fn new() -> Result<Sockets, String> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC);
        Ok(Sockets {
            epoll: epoll.map_err(|error| format!("cannot wait for many connections: {error}"))?,
            sockets: Vec::new(),
            events: Vec::with_capacity(EVENTS_MAX),
            chunk: vec![0; READ_BYTES],
        })
    }

    /// Connects and sends `first`. Waits for the connection only, which on one machine the kernel makes at once.
    pub fn connect(&mut self, address: SocketAddr, first: &[u8]) -> Result<usize, String> {
        let cannot = |error: std::io::Error| format!("cannot connect to {address}: {error}");
        let stream = TcpStream::connect(address).map_err(cannot)?;
        stream.set_nodelay(true).map_err(cannot)?;
        stream.set_nonblocking(true).map_err(cannot)?;
        let number = self.sockets.len();
        let data = EventData::new_u64(number as u64);
        epoll::add(&self.epoll, &stream, data, EventFlags::IN).map_err(|error| cannot(error.into()))?;
        let (partial, unsent) = (Vec::new(), Vec::new());
        self.sockets.push(Some(Socket { stream, partial, unsent, rows: 0, refusal: None }));
        self.send(number, first);
        Ok(number)
    }

    /// Sends; what the kernel does not take now goes once it does. To one that is gone nothing is sent: that it is gone is
    /// or was told.
    pub fn send(&mut self, number: usize, bytes: &[u8]) {
        let Some(socket) = &mut self.sockets[number] else { return };
        if !socket.unsent.is_empty() {
            socket.unsent.extend_from_slice(bytes);
            return;
        }
        // An error is seen again by the read that it wakes.
        let sent = socket.stream.write(bytes).unwrap_or(0);
        if sent < bytes.len() {
            socket.unsent.extend_from_slice(&bytes[sent..]);
            self.wait_for(number, EventFlags::IN | EventFlags::OUT);
        }
    }

    /// Says good-bye and forgets the connection.
    pub fn close(&mut self, number: usize) {
        let mut bytes = Vec::new();
        wire::terminate(&mut bytes);
        self.send(number, &bytes);
        self.sockets[number] = None;
    }

    /// Waits until something has come, for `timeout` at most, and says what.
    pub fn wait(&mut self, timeout: Duration, arrivals: &mut Vec<Arrival>) -> Result<(), String> {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(format!("cannot wait for connections: {error}")),
        }
        for index in 0..self.events.len() {
            // Copied: the kernel's structure is packed.
            let epoll::Event { flags, data, .. } = self.events[index];
            let number = data.u64() as usize;
            if flags.contains(EventFlags::OUT) {
                self.send_rest(number);
            }
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                self.receive(number, arrivals);
            }
        }
        Ok(())
    }

    fn send_rest(&mut self, number: usize) {
        let Some(socket) = &mut self.sockets[number] else { return };
        let sent = socket.stream.write(&socket.unsent).unwrap_or(0);
        socket.unsent.drain(..sent);
        if socket.unsent.is_empty() {
            self.wait_for(number, EventFlags::IN);
        }
    }

    fn wait_for(&self, number: usize, flags: EventFlags) {
        let Some(socket) = &self.sockets[number] else { return };
        let data = EventData::new_u64(number as u64);
        epoll::modify(&self.epoll, &socket.stream, data, flags)
            .expect("a socket that is open was added to this set");
    }

    fn receive(&mut self, number: usize, arrivals: &mut Vec<Arrival>) {
        let Some(socket) = &mut self.sockets[number] else { return };
        let ended = match socket.stream.read(&mut self.chunk) {
            Ok(0) => Err("the server has closed the connection".to_owned()),
            Ok(bytes) => socket.take(number, &self.chunk[..bytes], arrivals),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
            Err(error) => Err(format!("the connection broke: {error}")),
        };
        if let Err(why) = ended {
            let said = socket.refusal.take().map_or(why, |refusal| refusal.to_string());
            self.sockets[number] = None;
            arrivals.push(Arrival { socket: number, what: What::Gone(said) });
        }
    }
}

impl Socket {
    /// Goes through what has come; the beginning of a message stays.
    fn take(&mut self, number: usize, bytes: &[u8], arrivals: &mut Vec<Arrival>) -> Result<(), String> {
        let mut partial = std::mem::take(&mut self.partial);
        let whole = if partial.is_empty() {
            bytes
        } else {
            partial.extend_from_slice(bytes);
            &partial
        };
        let mut at = 0;
        while let Some((message, length)) = wire::message(&whole[at..])? {
            at += length;
            match message.kind {
                b'D' => self.rows += 1,
                b'E' if self.refusal.is_none() => self.refusal = Some(Refusal::of(message.body)),
                b'R' if message.body != [0; 4] => return Err("the server asks for a password".to_owned()),
                b'Z' => {
                    let status = message.body.first().copied().unwrap_or(b'I');
                    let (rows, refusal) = (std::mem::take(&mut self.rows), self.refusal.take());
                    let what = What::Ready { status, rows, refusal };
                    arrivals.push(Arrival { socket: number, what });
                }
                _ => {}
            }
        }
        self.partial = whole[at..].to_vec();
        Ok(())
    }
}
