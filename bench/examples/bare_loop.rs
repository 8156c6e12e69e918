//! The floor that a storage daemon stands beside: a server that takes the same frames over the same protocol from the same
//! load generator, writes them to a pre-written file, flushes, acknowledges, and does nothing else.
//!
//! ```text
//! bare_loop LISTEN FILE SIZE [fsync|dsync]
//! hexalog-bench --target=node --address=LISTEN --numjobs=8 --iodepth=16
//! ```
//! It checks no epoch and no order, keeps no segment, reads nothing back: its acknowledgements are durable, and there is no
//! database behind them. One thread: epoll for the sockets, the daemon's driver for the file, one write in flight, and
//! everything that arrived meanwhile in the next.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use hexalog_protocol::frame::{PROTOCOL_VERSION, frame_length, read_frame};
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::message::{
    Bumped, Done, LsnMarks, Message, Room, SegmentState, Status, Welcome, WriteAck,
};
use hexalog_protocol::{
    DeviceId, GroupId, Lsn, MembershipEpoch, NodeId, SegmentId, ShardIndex, VolumeEpoch, VolumeId,
};
use hexalog_storage_driver::areas::open_area;
use hexalog_storage_driver::device_queue::{DeviceQueue, Ended};
use hexalog_storage_driver::durability::{DurabilityPath, probe};
use hexalog_storage_driver::scheduling::ask_for_short_slices;
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use rustix::event::{EventfdFlags, epoll, eventfd};
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Most bytes of one write.
const BATCH_BYTES: usize = 1 << 20;
const LISTENER: u64 = u64::MAX;
const DEVICE: u64 = u64::MAX - 1;

/// An acknowledgement that waits for the write.
struct Pending {
    connection: usize,
    request_id: u64,
    volume: VolumeId,
    epoch: VolumeEpoch,
}

struct Batch {
    buffer: AlignedBuffer,
    bytes: usize,
    pending: Vec<Pending>,
}

#[derive(Default)]
struct Connection {
    socket: Option<TcpStream>,
    received: Vec<u8>,
    out: Vec<u8>,
}

struct Loop {
    epoll: OwnedFd,
    signal: OwnedFd,
    listener: TcpListener,
    queue: DeviceQueue,
    file_bytes: u64,
    at: u64,
    connections: Vec<Connection>,
    filling: Batch,
    spare: Option<Batch>,
    writing: Option<Vec<Pending>>,
    appends: u64,
    append_bytes: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, file, size, asked @ ..] = arguments.as_slice() else {
        return Err("usage: bare_loop ADDRESS:PORT FILE BYTES [fsync|dsync]".into());
    };
    // As the daemon's shard threads.
    ask_for_short_slices()?;
    let file_bytes = hexalog_bench::options::value::bytes(size)?.max(4 * BATCH_BYTES as u64);
    let path = Path::new(file);
    std::fs::write(path, vec![0; file_bytes as usize])?;
    let opened = open_area(path, true)?;
    opened.sync_all()?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let durability = match asked.first().map(String::as_str) {
        Some("fsync") => DurabilityPath::LinkedFlush,
        Some("dsync") => DurabilityPath::DsyncWrite,
        Some(other) => return Err(format!("{other} is none of fsync and dsync").into()),
        // The same choice as the daemon's.
        None => path_of(probe(directory, true)?.path),
    };
    let mut bare = Loop::new(TcpListener::bind(listen)?, DeviceQueue::new(&opened, durability)?, file_bytes)?;
    println!("ready at {listen}: {durability:?}");
    bare.run()
}

/// A thread that writes could not be waited for among sockets.
fn path_of(chosen: DurabilityPath) -> DurabilityPath {
    if chosen == DurabilityPath::DsyncThread {
        eprintln!("the daemon would choose a writer thread here; this loop uses the linked flush");
        return DurabilityPath::LinkedFlush;
    }
    chosen
}

impl Loop {
    fn new(listener: TcpListener, queue: DeviceQueue, file_bytes: u64) -> Result<Loop, Box<dyn Error>> {
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        let signal = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        queue.signal(signal.as_fd())?;
        epoll::add(&epoll, &signal, epoll::EventData::new_u64(DEVICE), epoll::EventFlags::IN)?;
        let batch = || Batch { buffer: AlignedBuffer::zeroed(BATCH_BYTES), bytes: 0, pending: Vec::new() };
        Ok(Loop {
            epoll,
            signal,
            listener,
            queue,
            file_bytes,
            at: 0,
            connections: Vec::new(),
            filling: batch(),
            spare: Some(batch()),
            writing: None,
            appends: 0,
            append_bytes: 0,
        })
    }

    fn run(&mut self) -> Result<(), Box<dyn Error>> {
        let mut events = Vec::with_capacity(256);
        let mut piece = vec![0; 256 << 10];
        loop {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    // Only a reason to look; what it counted says nothing.
                    DEVICE => drop(rustix::io::read(&self.signal, &mut [0; 8])),
                    index => self.receive(index as usize, &mut piece),
                }
            }
            self.reap()?;
            for index in 0..self.connections.len() {
                self.take_frames(index)?;
            }
            self.write();
            // Submits.
            self.reap()?;
            self.connections.iter_mut().for_each(Connection::send);
        }
    }

    fn accept(&mut self) -> Result<(), Box<dyn Error>> {
        while let Ok((socket, _)) = self.listener.accept() {
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let data = epoll::EventData::new_u64(self.connections.len() as u64);
            epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN)?;
            self.connections.push(Connection { socket: Some(socket), ..Connection::default() });
        }
        Ok(())
    }

    fn receive(&mut self, index: usize, piece: &mut [u8]) {
        let connection = &mut self.connections[index];
        let Some(socket) = &mut connection.socket else { return };
        match socket.read(piece) {
            Ok(0) => connection.socket = None,
            Ok(count) => connection.received.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => connection.socket = None,
        }
    }

    /// Takes whole frames, as long as the batch has room.
    fn take_frames(&mut self, index: usize) -> Result<(), Box<dyn Error>> {
        let mut received = std::mem::take(&mut self.connections[index].received);
        let mut at = 0;
        while let Some(length) = frame_length(&received[at..]).map_err(|malformed| malformed.to_string())? {
            if received.len() - at < length || self.filling.bytes + length > BATCH_BYTES {
                break;
            }
            let bytes = &received[at..at + length];
            let frame =
                read_frame(bytes).map_err(|malformed| malformed.to_string())?.ok_or("a whole frame")?;
            let message = Message::decode(&frame).map_err(|malformed| malformed.to_string())?;
            self.take(index, frame.request_id, &message, bytes);
            at += length;
        }
        received.drain(..at);
        self.connections[index].received = received;
        Ok(())
    }

    fn take(&mut self, index: usize, request_id: u64, message: &Message<'_>, bytes: &[u8]) {
        let answer = match message {
            Message::Write(write) => {
                let end = self.filling.bytes + bytes.len();
                self.filling.buffer.bytes_mut()[self.filling.bytes..end].copy_from_slice(bytes);
                self.filling.bytes = end;
                let (volume, epoch) = (write.head.volume, write.head.writer.epoch);
                self.filling.pending.push(Pending { connection: index, request_id, volume, epoch });
                return;
            }
            Message::Hello(_) => Message::Welcome(Welcome {
                version: PROTOCOL_VERSION,
                node: NodeId(1),
                device: DeviceId(1),
                shard: ShardIndex(0),
                shard_ports: Vec::new(),
            }),
            Message::EpochBump(bump) => Message::Bumped(Bumped {
                volume: bump.volume,
                group: GroupId(0),
                segment: SegmentId(1),
                writer: bump.writer,
                membership_epoch: MembershipEpoch(1),
                state: SegmentState::Opening,
                scl: Lsn::ZERO,
                vdl_heard: Lsn::ZERO,
                tail_heard: Lsn::ZERO,
                gc_floor: Lsn::ZERO,
                history: EpochHistory::new(),
                marks: LsnMarks(Vec::new()),
            }),
            Message::StatusQuery(_) => Message::Status(Status {
                node: NodeId(1),
                shard: ShardIndex(0),
                failure: String::new(),
                segments: Vec::new(),
                counters: vec![
                    ("appends".to_owned(), self.appends),
                    ("append_bytes".to_owned(), self.append_bytes),
                ],
            }),
            _ => Message::Done(Done {}),
        };
        answer.encode(request_id, &mut self.connections[index].out);
    }

    /// Starts a write of what gathered, if none is in flight.
    fn write(&mut self) {
        if self.writing.is_some() || self.filling.pending.is_empty() {
            return;
        }
        let spare = self.spare.take().expect("nothing is being written");
        let mut batch = std::mem::replace(&mut self.filling, spare);
        let bytes = batch.bytes.next_multiple_of(BLOCK_BYTES);
        batch.buffer.bytes_mut()[batch.bytes..bytes].fill(0);
        batch.buffer.set_len(bytes);
        if self.at + bytes as u64 > self.file_bytes {
            self.at = 0;
        }
        self.queue.write(0, self.at, batch.buffer, true);
        self.at += bytes as u64;
        self.appends += 1;
        self.append_bytes += bytes as u64;
        self.writing = Some(batch.pending);
    }

    /// Submits, and acknowledges what is durable.
    fn reap(&mut self) -> Result<(), Box<dyn Error>> {
        let mut ended: Vec<Ended> = Vec::new();
        self.queue.wait(None, &mut ended)?;
        for Ended { mut buffer, result, .. } in ended {
            result.map_err(std::io::Error::from_raw_os_error)?;
            for pending in self.writing.take().expect("it was in flight") {
                let ack = WriteAck {
                    volume: pending.volume,
                    epoch: pending.epoch,
                    vdl_heard: Lsn::ZERO,
                    room: Room::Ample,
                    // The benchmark's frames carry their last LSN as request id.
                    scls: vec![(GroupId(0), Lsn(pending.request_id))],
                };
                Message::WriteAck(ack)
                    .encode(pending.request_id, &mut self.connections[pending.connection].out);
            }
            buffer.set_len(BATCH_BYTES);
            self.spare = Some(Batch { buffer, bytes: 0, pending: Vec::new() });
        }
        Ok(())
    }
}

impl Connection {
    /// Acknowledgements are small: a client that does not read them is cut off.
    fn send(&mut self) {
        let Some(socket) = self.socket.as_mut().filter(|_| !self.out.is_empty()) else { return };
        if socket.write_all(&self.out).is_err() {
            self.socket = None;
        }
        self.out.clear();
    }
}
