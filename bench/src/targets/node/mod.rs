//! One shard of one storage daemon: jobs that append, driven by one thread.
//!
//! One thread with epoll, since the load generator shares the machine's cores with what it measures. What a job
//! sends and what it makes of the answers stands in [`job`]; how a volume is made for it in [`setup`].

pub mod job;
pub mod setup;

use crate::cpu::CpuTime;
use crate::options::Options;
use crate::report::Run;
use crate::shard::{Probe, difference};
use hdrhistogram::Histogram;
use job::Job;
use rustix::event::{Timespec, epoll};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Without any acknowledgement for this long the run has failed.
const STALL_MAX: Duration = Duration::from_secs(10);
/// Looked at this often although nothing happens: for the end of the run and for frames to be sent again.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

/// Runs the load. Errors are for people.
pub fn run(options: &Options) -> Result<Run, String> {
    let mut connections = Vec::new();
    for _ in 0..options.numjobs {
        connections.push(Connection::open(options)?);
    }
    let mut probe = Probe::connect(options.address)?;
    let mut load = Load::new(connections).map_err(|error| format!("cannot watch sockets: {error}"))?;
    load.run_for(Duration::from_secs(options.ramp_time.into()))?;
    load.latencies_ns.reset();
    load.frames_refused = 0;
    let before = Snapshot::take(options, &mut probe)?;
    let begin = Instant::now();
    load.run_for(Duration::from_secs(options.runtime.into()))?;
    let elapsed = begin.elapsed();
    let after = Snapshot::take(options, &mut probe)?;
    if load.latencies_ns.is_empty() {
        return Err("nothing was acknowledged".to_owned());
    }
    let counters = difference(&before.counters, &after.counters);
    let server_cpu = after.server_cpu.zip(before.server_cpu).map(|(after, before)| after.since(before));
    let lines = match load.frames_refused {
        0 => Vec::new(),
        refused => vec![format!("frames refused for want of room and sent again: {refused}")],
    };
    Ok(Run {
        title: title(options),
        load: "append",
        unit: "record",
        bytes_each: options.bs.into(),
        elapsed,
        latencies_ns: load.latencies_ns,
        server_cpu,
        own_cpu: after.own_cpu.since(before.own_cpu),
        lines,
        counters,
    })
}

fn title(options: &Options) -> String {
    let Options { bs, numjobs, iodepth, address, .. } = options;
    format!("append: target=node {address}, bs={bs}B, numjobs={numjobs}, iodepth={iodepth}, durable")
}

/// What counts up in the background of a run.
struct Snapshot {
    counters: Vec<(String, u64)>,
    server_cpu: Option<CpuTime>,
    own_cpu: CpuTime,
}

impl Snapshot {
    fn take(options: &Options, probe: &mut Probe) -> Result<Snapshot, String> {
        Ok(Snapshot {
            counters: probe.counters()?,
            server_cpu: CpuTime::of_all(&options.server_pid),
            own_cpu: CpuTime::of(std::process::id()).unwrap_or_default(),
        })
    }
}

/// A job and its socket.
struct Connection {
    socket: TcpStream,
    job: Job,
    received: Vec<u8>,
    /// Encoded frames; sent up to `sent`.
    out: Vec<u8>,
    sent: usize,
    watches_writable: bool,
}

impl Connection {
    fn open(options: &Options) -> Result<Connection, String> {
        let (socket, volume) = setup::open_volume(options)?;
        socket.set_nonblocking(true).map_err(|error| format!("cannot set a socket up: {error}"))?;
        let job = Job::new(options, volume);
        Ok(Connection {
            socket,
            job,
            received: Vec::new(),
            out: Vec::new(),
            sent: 0,
            watches_writable: false,
        })
    }

    /// Sends as much as the socket takes.
    fn flush(&mut self) -> io::Result<()> {
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

    /// Receives what is there, once.
    fn receive(&mut self, piece: &mut [u8]) -> io::Result<()> {
        match self.socket.read(piece) {
            Ok(0) => Err(io::Error::from(ErrorKind::UnexpectedEof)),
            Ok(count) => {
                self.received.extend_from_slice(&piece[..count]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// All connections under load.
struct Load {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    latencies_ns: Histogram<u64>,
    frames_refused: u64,
    clock: Instant,
    last_ack: Instant,
}

impl Load {
    fn new(connections: Vec<Connection>) -> io::Result<Load> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (index, connection) in connections.iter().enumerate() {
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&epoll, &connection.socket, data, epoll::EventFlags::IN)?;
        }
        let latencies_ns = Histogram::new(3).expect("three digits are possible");
        let clock = Instant::now();
        Ok(Load { epoll, connections, latencies_ns, frames_refused: 0, clock, last_ack: clock })
    }

    fn run_for(&mut self, duration: Duration) -> Result<(), String> {
        let end = Instant::now() + duration;
        for index in 0..self.connections.len() {
            self.fill(index)?;
        }
        let mut events = Vec::with_capacity(self.connections.len());
        let mut piece = vec![0; 256 << 10];
        while Instant::now() < end {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&TICK)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(format!("cannot wait for sockets: {errno}")),
            }
            if events.is_empty() {
                // Frames that were refused for want of room go out again even if no answer comes.
                for index in 0..self.connections.len() {
                    self.fill(index)?;
                }
            }
            for event in &events {
                self.serve(event.data.u64() as usize, &mut piece)?;
            }
            if self.last_ack.elapsed() > STALL_MAX {
                return Err(format!("no acknowledgement for {} s", STALL_MAX.as_secs()));
            }
        }
        Ok(())
    }

    /// Receives answers and sends what they make room for.
    fn serve(&mut self, index: usize, piece: &mut [u8]) -> Result<(), String> {
        let lost = |error: io::Error| format!("the connection to the shard was lost: {error}");
        let connection = &mut self.connections[index];
        connection.receive(piece).map_err(lost)?;
        let now_ns = self.clock.elapsed().as_nanos() as u64;
        let latencies = &mut self.latencies_ns;
        let taken = connection.job.take_answers(&mut connection.received, |sent_ns| {
            let latency_ns = now_ns.saturating_sub(sent_ns);
            latencies.record(latency_ns).expect("the histogram grows by itself");
        })?;
        if taken.acknowledged > 0 {
            self.last_ack = Instant::now();
        }
        self.frames_refused += taken.refused;
        self.fill(index)
    }

    fn fill(&mut self, index: usize) -> Result<(), String> {
        let now_ns = self.clock.elapsed().as_nanos() as u64;
        let connection = &mut self.connections[index];
        connection.job.fill(now_ns, &mut connection.out);
        connection.flush().map_err(|error| format!("the connection to the shard was lost: {error}"))?;
        let wants_writable = !connection.out.is_empty();
        if wants_writable != connection.watches_writable {
            connection.watches_writable = wants_writable;
            let writable = if wants_writable { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
            let data = epoll::EventData::new_u64(index as u64);
            epoll::modify(&self.epoll, &connection.socket, data, epoll::EventFlags::IN | writable)
                .map_err(|errno| format!("cannot watch a socket: {errno}"))?;
        }
        Ok(())
    }
}
