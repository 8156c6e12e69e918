//! One shard of one storage daemon: connections that append records and read pages, driven by one thread.
//!
//! One thread with epoll, since the load generator shares the machine's cores with what it measures. What a
//! connection sends and what it makes of the answers stands in [`writer`]; how a volume is made for it in [`setup`].

pub mod setup;
pub mod writer;

use super::Prepared;
use crate::cpu::{CpuTime, Usage};
use crate::load::{Clock, Direction, Engine, Observer, Operation, Snapshot};
use crate::options::Job;
use crate::shard::Probe;
use rustix::event::{Timespec, epoll};
use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use writer::Writer;

/// Batches of 64 KiB under way while pages are laid out: enough to fill a write, little to send again.
const LAY_OUT_DEPTH: usize = 16;
/// Room for what is received at once: thirty pages.
const RECEIVE_BYTES: usize = 256 << 10;
/// The last notices are on their way for this long; a connection that is closed with answers unread may lose them.
const FAREWELL_MAX: Duration = Duration::from_millis(100);
/// Without any acknowledgement for this long the lay-out has failed.
const LAY_OUT_STALL_MAX: Duration = Duration::from_secs(30);

/// A shard that the job knows the address of.
pub struct Node<'a> {
    job: &'a Job,
    /// Frames that the shard had no room for.
    refused: AtomicU64,
}

/// Nothing to set up before the connections.
pub fn prepare(job: &Job) -> Node<'_> {
    Node { job, refused: AtomicU64::new(0) }
}

impl Prepared for Node<'_> {
    fn workers(&self) -> usize {
        1
    }

    fn units(&self) -> u64 {
        self.job.units()
    }

    fn description(&self) -> String {
        format!("{}, pages={}", self.job.address, self.job.units())
    }

    fn unit_name(&self) -> &'static str {
        "record"
    }

    fn engine(&self, clones: Range<usize>) -> Result<Box<dyn Engine + '_>, String> {
        let connections = clones.map(|_| Connection::open(self.job)).collect::<Result<Vec<_>, _>>()?;
        let mut connections =
            Connections::new(self, connections).map_err(|error| format!("cannot watch sockets: {error}"))?;
        if self.job.load().reads() {
            connections.lay_out()?;
        }
        Ok(Box::new(connections))
    }

    fn observer(&self) -> Result<Box<dyn Observer + '_>, String> {
        let probe = Probe::connect(self.job.address)?;
        Ok(Box::new(NodeObserver { job: self.job, refused: &self.refused, probe }))
    }

    fn lines(&self, _: u64, before: &Snapshot, after: &Snapshot) -> Vec<String> {
        let refused = |snapshot: &Snapshot| snapshot.traffic.first().map_or(0, |(_, count)| *count);
        match refused(after) - refused(before) {
            0 => Vec::new(),
            refused => vec![format!("frames refused for want of room and sent again: {refused}")],
        }
    }
}

struct NodeObserver<'a> {
    job: &'a Job,
    refused: &'a AtomicU64,
    probe: Probe,
}

impl Observer for NodeObserver<'_> {
    fn snapshot(&mut self) -> Result<Snapshot, String> {
        Ok(Snapshot {
            counters: self.probe.counters()?,
            server_cpu: CpuTime::of_all(&self.job.server_pid),
            own: Usage::own(),
            traffic: vec![("refused", self.refused.load(Ordering::Relaxed))],
        })
    }
}

/// A writer and its socket.
struct Connection {
    socket: TcpStream,
    writer: Writer,
    received: Vec<u8>,
    /// Encoded frames; sent up to `sent`.
    out: Vec<u8>,
    sent: usize,
    watches_writable: bool,
}

impl Connection {
    fn open(job: &Job) -> Result<Connection, String> {
        let (socket, volume) = setup::open_volume(job)?;
        socket.set_nonblocking(true).map_err(|error| format!("cannot set a socket up: {error}"))?;
        let writer = Writer::new(job, volume);
        Ok(Connection {
            socket,
            writer,
            received: Vec::new(),
            out: Vec::new(),
            sent: 0,
            watches_writable: false,
        })
    }

    /// Sends as much as the socket takes.
    fn send(&mut self) -> io::Result<()> {
        while self.sent < self.out.len() {
            match self.socket.write(&self.out[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }

    /// Receives what is there, once, behind what is there already.
    fn receive(&mut self) -> io::Result<()> {
        self.received.reserve(RECEIVE_BYTES);
        match rustix::io::read(&self.socket, rustix::buffer::spare_capacity(&mut self.received)) {
            Ok(0) => Err(io::Error::from(ErrorKind::UnexpectedEof)),
            Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// All connections of a job. Slots of connection `i` begin at `i * iodepth`.
struct Connections<'a> {
    node: &'a Node<'a>,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    events: Vec<epoll::Event>,
    clock: Clock,
}

impl<'a> Connections<'a> {
    fn new(node: &'a Node<'a>, connections: Vec<Connection>) -> io::Result<Connections<'a>> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (index, connection) in connections.iter().enumerate() {
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&epoll, &connection.socket, data, epoll::EventFlags::IN)?;
        }
        let events = Vec::with_capacity(connections.len());
        Ok(Connections { node, epoll, connections, events, clock: Clock::start() })
    }

    /// Gives every page of every volume a record, and waits until all are durable.
    fn lay_out(&mut self) -> Result<(), String> {
        let mut last = Instant::now();
        let mut done = Vec::new();
        loop {
            let mut is_through = true;
            for connection in &mut self.connections {
                connection.writer.lay_out(LAY_OUT_DEPTH);
                is_through &= connection.writer.is_laid_out();
            }
            if is_through {
                return Ok(());
            }
            self.submit()?;
            let before: u64 =
                self.connections.iter().map(|connection| connection.writer.acknowledged().0).sum();
            self.wait(Duration::from_millis(5), &mut done)?;
            assert!(done.is_empty(), "the lay-out has no slots");
            let after: u64 =
                self.connections.iter().map(|connection| connection.writer.acknowledged().0).sum();
            if after > before {
                last = Instant::now();
            } else if last.elapsed() > LAY_OUT_STALL_MAX {
                return Err("the pages could not be laid out: no acknowledgement comes".to_owned());
            }
        }
    }

    /// Receives answers.
    fn serve(&mut self, index: usize, done: &mut Vec<usize>) -> Result<(), String> {
        let connection = &mut self.connections[index];
        connection.receive().map_err(lost)?;
        let first_slot = index * self.node.job.iodepth as usize;
        let mut on_done = |slot: u32| done.push(first_slot + slot as usize);
        let refused = connection.writer.take_answers(&mut connection.received, &mut on_done)?;
        self.node.refused.fetch_add(refused, Ordering::Relaxed);
        Ok(())
    }

    fn watch(&mut self, index: usize) -> Result<(), String> {
        let connection = &mut self.connections[index];
        let wants_writable = !connection.out.is_empty();
        if wants_writable == connection.watches_writable {
            return Ok(());
        }
        connection.watches_writable = wants_writable;
        let writable = if wants_writable { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
        let data = epoll::EventData::new_u64(index as u64);
        epoll::modify(&self.epoll, &connection.socket, data, epoll::EventFlags::IN | writable)
            .map_err(|errno| format!("cannot watch a socket: {errno}"))
    }
}

impl Engine for Connections<'_> {
    fn start(&mut self, slot: usize, operation: Operation) -> Result<(), String> {
        let depth = self.node.job.iodepth as usize;
        let writer = &mut self.connections[slot / depth].writer;
        let slot = (slot % depth) as u32;
        match operation.direction {
            Direction::Write => writer.append(slot),
            Direction::Read => writer.read(slot, operation.unit as usize),
        }
        Ok(())
    }

    fn submit(&mut self) -> Result<(), String> {
        let now_ns = self.clock.now_ns();
        for index in 0..self.connections.len() {
            let connection = &mut self.connections[index];
            connection.writer.flush(now_ns, &mut connection.out);
            connection.send().map_err(lost)?;
            self.watch(index)?;
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Duration, done: &mut Vec<usize>) -> Result<(), String> {
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        let timeout = Timespec { tv_sec: 0, tv_nsec: timeout.subsec_nanos().into() };
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(format!("cannot wait for sockets: {errno}")),
        }
        for event in &events {
            self.serve(event.data.u64() as usize, done)?;
        }
        self.events = events;
        Ok(())
    }

    fn has_submission(&self) -> bool {
        true
    }

    fn finish(&mut self) -> Result<Vec<String>, String> {
        for connection in &mut self.connections {
            connection.writer.tell_durable(&mut connection.out);
        }
        let end = Instant::now() + FAREWELL_MAX;
        while Instant::now() < end {
            self.submit()?;
            self.wait(Duration::from_millis(5), &mut Vec::new())?;
        }
        Ok(Vec::new())
    }
}

fn lost(error: io::Error) -> String {
    format!("the connection to the shard was lost: {error}")
}
