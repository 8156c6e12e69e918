//! A shard's listener and connections: accepts, connects, receives, coalesced sends, closing.
//!
//! It moves bytes and bounds them; frames and their meaning are [`crate::shard_loop`]'s and the machine's.
//! Whatever goes wrong on a connection costs that connection only. The machine hears of each lost connection
//! once, as a `Closed` event, and of none that it has closed itself.

use crate::connection::{AT_ONCE_BYTES_MAX, Connection, Phase, Receiving, prepare_socket};
use crate::log_sink::LogSink;
use crate::operation::{Operation, ShardSlot};
use crate::receive_buffer::ReceiveBuffer;
use crate::ring::{OperationKey, Ring, SHARED_BUFFER_BYTES, accepted_socket};
use hexalog_protocol::frame::frame_length;
use hexalog_storage_core::effects::ConnectionId;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use std::collections::BTreeMap;
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;

/// With more than this unsent, nothing more is received from a connection: a receiver that is slow stops its
/// own requests.
pub const UNSENT_BYTES_MAX: usize = 4 << 20;
/// Receiving goes on below this; half, so that it does not flip with every send.
const UNSENT_BYTES_RESUME: usize = UNSENT_BYTES_MAX / 2;
/// Answers to requests already taken can still come when receiving has stopped; a connection that gathers more
/// than this has stopped receiving altogether and is cut.
pub const UNSENT_BYTES_CUT: usize = 32 << 20;
/// With fewer connections to send to in a turn, a call for each is as cheap as a request.
const QUIET_SENDS_MIN: usize = 3;
/// Buffers of past sends that are kept: one for each connection that is answered in one turn, on a machine of common size.
const SPARE_COUNT_MAX: usize = 64;
/// Larger ones are given back.
const SPARE_BYTES_MAX: usize = 256 << 10;
/// After so many bytes came at once, so many receives are into the connection's own buffer, which is larger: a shared one that is
/// filled to its end cuts a frame in two, and what is cut is copied. A guess: a session that now and then commits a lot does not change
/// each time, and it is soon forgotten.
const OWN_RECEIVES: u32 = 32;
/// More connections than compute processes, readers, peers and tools of one shard ever need; bounds memory.
pub const CONNECTIONS_MAX: usize = 1024;
/// Without descriptors or memory an accept would fail again at once.
const ACCEPT_PAUSE_US: u64 = 100_000;
/// How long a connection that the machine has closed may take to drain.
const CLOSING_US_MAX: u64 = 5_000_000;
/// Connections waiting to be accepted.
pub(crate) const BACKLOG: i32 = 1024;

/// What may be done with received bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Intake {
    /// Take frames.
    Open,
    /// Too much is unsent: keep the bytes until it has gone out.
    Full,
    /// Nobody wants them any more.
    Closed,
}

/// Sockets of one shard.
pub(crate) struct Network {
    shard: ShardSlot,
    /// Kept until its accept has ended.
    listener: Option<TcpListener>,
    listening: bool,
    accept: Option<OperationKey>,
    accept_again_us: Option<u64>,
    connections: BTreeMap<ConnectionId, Connection>,
    last_accepted: u64,
    dirty: Vec<ConnectionId>,
    lost: Vec<ConnectionId>,
    /// Memory of past sends.
    spare: Vec<Vec<u8>>,
}

impl Network {
    pub(crate) fn new(shard: ShardSlot) -> Network {
        Network {
            shard,
            listener: None,
            listening: false,
            accept: None,
            accept_again_us: None,
            connections: BTreeMap::new(),
            last_accepted: 0,
            dirty: Vec::new(),
            lost: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Starts to accept connections.
    pub(crate) fn listen(&mut self, ring: &mut Ring, listener: TcpListener) {
        assert!(self.listener.is_none(), "one listener a shard");
        self.listener = Some(listener);
        self.listening = true;
        self.accept(ring);
    }

    /// Asks for connections, if that is not asked for already.
    fn accept(&mut self, ring: &mut Ring) {
        let Some(listener) = self.listener.as_ref().filter(|_| self.listening) else { return };
        self.accept_again_us = None;
        if self.accept.is_some() {
            return;
        }
        let repeats = ring.features().repeated_accept;
        let operation = Operation::Accept { shard: self.shard, listener: listener.as_raw_fd(), repeats };
        self.accept = Some(ring.start(operation));
    }

    /// An accept has a result; it `goes_on`, or has ended. Tells the new connection, which receives already.
    pub(crate) fn on_accepted(
        &mut self,
        ring: &mut Ring,
        now_us: u64,
        log: &mut LogSink,
        result: i32,
        goes_on: bool,
    ) -> Option<ConnectionId> {
        if !goes_on {
            self.accept = None;
        }
        if !self.listening {
            if !goes_on {
                self.listener = None;
            }
            if result >= 0 {
                drop(accepted_socket(result));
            }
            return None;
        }
        if result < 0 {
            match -result {
                // The client was gone before it was accepted.
                libc::ECONNABORTED | libc::EINTR | libc::EAGAIN | libc::EPROTO => self.accept(ring),
                libc::EINVAL if ring.features().repeated_accept => {
                    log.log(now_us, "the kernel refuses one request for all accepts: a request for each");
                    ring.forgo_repeated_accept();
                    self.accept(ring);
                }
                errno => {
                    let error = std::io::Error::from_raw_os_error(errno);
                    log.log(now_us, &format!("a connection cannot be accepted: {error}"));
                    self.accept_again_us = Some(now_us + ACCEPT_PAUSE_US);
                }
            }
            return None;
        }
        let socket = accepted_socket(result);
        self.accept(ring);
        if self.connections.len() >= CONNECTIONS_MAX {
            log.log(now_us, &format!("a connection was refused: {CONNECTIONS_MAX} are open"));
            return None;
        }
        // Fails only if the client is gone again.
        prepare_socket(&socket).ok()?;
        self.last_accepted += 1;
        let id = ConnectionId(self.last_accepted);
        self.connections.insert(id, Connection::new(socket, Phase::Open));
        self.receive(ring, id);
        Some(id)
    }

    /// Connects to a peer. A failure shows as a lost connection.
    pub(crate) fn connect(&mut self, ring: &mut Ring, id: ConnectionId, address: SocketAddr) {
        assert!(!self.connections.contains_key(&id), "connection ids are never reused");
        let made = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP));
        let socket = match made {
            Ok(socket) => std::net::TcpStream::from(socket),
            Err(_) => return self.lost.push(id),
        };
        if prepare_socket(&socket).is_err() {
            return self.lost.push(id);
        }
        let descriptor = socket.as_raw_fd();
        self.connections.insert(id, Connection::new(socket, Phase::Connecting));
        let address = Box::new(SockAddr::from(address));
        ring.start(Operation::Connect { shard: self.shard, connection: id, socket: descriptor, address });
    }

    /// A connect ended. True: it stands.
    pub(crate) fn on_connected(&mut self, ring: &mut Ring, id: ConnectionId, result: i32) -> bool {
        let connection = self.connections.get_mut(&id).expect("kept while its connect is in flight");
        connection.connecting = false;
        if connection.phase != Phase::Connecting {
            self.remove_if_idle(id);
            return false;
        }
        connection.phase = Phase::Open;
        if result < 0 {
            self.lose(id);
            return false;
        }
        self.mark_dirty(id);
        self.receive(ring, id);
        true
    }

    /// Starts a receive, if none is in flight and there may be one.
    fn receive(&mut self, ring: &mut Ring, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.is_parked || connection.receiving != Receiving::Not {
            return;
        }
        let (shard, socket) = (self.shard, connection.socket.as_raw_fd());
        if ring.features().shared_receive && connection.own_receives == 0 {
            let key = ring.start(Operation::ReceiveShared { shard, connection: id, socket });
            connection.receiving = Receiving::Shared(key);
            return;
        }
        connection.own_receives = connection.own_receives.saturating_sub(1);
        connection.receiving = Receiving::Own;
        let mut buffer = mem::take(&mut connection.kept);
        buffer.make_room().expect("lengths are checked where frames are taken");
        ring.start(Operation::Receive { shard, connection: id, socket, buffer });
    }

    /// A receive into a connection's own buffer ended. True: there are bytes to look at.
    pub(crate) fn on_received(
        &mut self,
        ring: &mut Ring,
        id: ConnectionId,
        mut buffer: ReceiveBuffer,
        result: i32,
    ) -> bool {
        let connection = self.connections.get_mut(&id).expect("kept while its receive is in flight");
        assert!(connection.receiving == Receiving::Own, "it was started as one");
        connection.receiving = Receiving::Not;
        if connection.phase != Phase::Open {
            self.on_receive_ended(ring, id, result);
            return false;
        }
        let has_bytes = result > 0;
        if has_bytes {
            buffer.filled(result as usize);
        }
        connection.kept = buffer;
        if !has_bytes {
            self.on_receive_ended(ring, id, result);
        }
        has_bytes
    }

    /// A receive into shared buffers ended; bytes that came with its end have been looked at.
    pub(crate) fn on_shared_ended(
        &mut self,
        ring: &mut Ring,
        now_us: u64,
        log: &mut LogSink,
        id: ConnectionId,
        result: i32,
    ) {
        let connection = self.connections.get_mut(&id).expect("kept while its receive is in flight");
        connection.receiving = Receiving::Not;
        if result == -libc::ENOBUFS && !ring.make_more_buffers() {
            // More connections are busy in one turn than there may be buffers.
            connection.own_receives = OWN_RECEIVES;
        }
        if result == -libc::EINVAL {
            // Not the connection's fault: it would be lost, and each one after it.
            if ring.features().shared_receive {
                log.log(now_us, "the kernel refuses receives into shared buffers: a receive at a time");
                ring.forgo_shared_receive();
            }
            return self.on_receive_ended(ring, id, -libc::EAGAIN);
        }
        self.on_receive_ended(ring, id, result);
    }

    fn on_receive_ended(&mut self, ring: &mut Ring, id: ConnectionId, result: i32) {
        let connection = self.connections.get_mut(&id).expect("the caller holds it");
        let again =
            result > 0 || matches!(-result, libc::EINTR | libc::EAGAIN | libc::ECANCELED | libc::ENOBUFS);
        match connection.phase {
            // What came to an end meanwhile tells it again when it is received from.
            Phase::Open if again || connection.is_parked => self.receive(ring, id),
            Phase::Open => self.lose(id),
            // Bytes that come while closing are nobody's; they are taken so that the end can be seen.
            Phase::Closing { .. } if again => self.receive(ring, id),
            Phase::Closing { .. } => self.bury(id),
            Phase::Connecting | Phase::Dead => self.remove_if_idle(id),
        }
    }

    /// Whether bytes that came on a connection are somebody's.
    pub(crate) fn is_open(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(|connection| connection.phase == Phase::Open)
    }

    /// Whether frames can be taken out of new bytes alone: nothing is kept that comes before.
    pub(crate) fn keeps_nothing(&self, id: ConnectionId) -> bool {
        self.connections
            .get(&id)
            .is_some_and(|connection| connection.kept.is_empty() && !connection.is_parked)
    }

    /// Keeps bytes in which there is no complete frame, or that are to be looked at later.
    pub(crate) fn keep(&mut self, id: ConnectionId, bytes: &[u8]) {
        if let Some(connection) = self.connections.get_mut(&id).filter(|it| it.phase == Phase::Open)
            && !bytes.is_empty()
        {
            connection.kept.append(bytes);
        }
    }

    /// Takes out what is kept, to be looked at and put back; `None` while nothing is to be taken.
    pub(crate) fn take_kept(&mut self, id: ConnectionId) -> Option<ReceiveBuffer> {
        let connection = self.connections.get_mut(&id)?;
        let is_wanted = connection.phase == Phase::Open && !connection.is_parked;
        is_wanted.then(|| mem::take(&mut connection.kept))
    }

    /// Puts back what is left of it.
    pub(crate) fn put_back_kept(&mut self, id: ConnectionId, buffer: ReceiveBuffer) {
        if let Some(connection) = self.connections.get_mut(&id).filter(|it| it.phase == Phase::Open) {
            connection.kept = buffer;
        }
    }

    /// All complete frames were taken of what came, `bytes_at_once` of it with the last receive: receives on, in the way that suits so
    /// much.
    pub(crate) fn receive_on(&mut self, ring: &mut Ring, id: ConnectionId, bytes_at_once: usize) {
        let Some(connection) = self.connections.get_mut(&id).filter(|it| it.phase == Phase::Open) else {
            return;
        };
        let begun = frame_length(connection.kept.bytes()).ok().flatten().unwrap_or(0);
        if bytes_at_once.max(begun) >= SHARED_BUFFER_BYTES {
            connection.own_receives = OWN_RECEIVES;
            if let Receiving::Shared(key) = connection.receiving {
                connection.receiving = Receiving::SharedEnding;
                ring.cancel(key);
            }
        }
        self.receive(ring, id);
    }

    /// What may be done with bytes received on a connection, for which `more_bytes` wait beside those that are queued here.
    pub(crate) fn intake(&self, id: ConnectionId, more_bytes: usize) -> Intake {
        match self.connections.get(&id) {
            Some(connection) if connection.phase == Phase::Open => {
                if connection.unsent() + more_bytes > UNSENT_BYTES_MAX { Intake::Full } else { Intake::Open }
            }
            _ => Intake::Closed,
        }
    }

    /// Takes no more frames until enough has been sent.
    pub(crate) fn park(&mut self, ring: &mut Ring, id: ConnectionId) {
        let connection = self.connections.get_mut(&id).expect("intake said that it is full");
        assert!(connection.unsent() > UNSENT_BYTES_RESUME, "else nobody would take it up again");
        connection.is_parked = true;
        if let Receiving::Shared(key) = connection.receiving {
            connection.receiving = Receiving::SharedEnding;
            ring.cancel(key);
        }
    }

    /// Queues bytes; they leave at the end of the turn, or with the next send.
    pub(crate) fn send(&mut self, now_us: u64, log: &mut LogSink, id: ConnectionId, mut bytes: Vec<u8>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !matches!(connection.phase, Phase::Open | Phase::Connecting) {
            return;
        }
        if connection.out.is_empty() {
            mem::swap(&mut connection.out, &mut bytes);
        } else {
            connection.out.extend_from_slice(&bytes);
        }
        if connection.unsent() > UNSENT_BYTES_CUT {
            let peer = connection.peer_name(id);
            log.log(now_us, &format!("{peer} does not receive: cut with {UNSENT_BYTES_CUT} bytes unsent"));
            return self.lose(id);
        }
        self.keep_spare(bytes);
        self.mark_dirty(id);
    }

    fn keep_spare(&mut self, mut bytes: Vec<u8>) {
        if bytes.capacity() > 0 && bytes.capacity() <= SPARE_BYTES_MAX && self.spare.len() < SPARE_COUNT_MAX {
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    /// Hands empty buffers on to who fills the next.
    pub(crate) fn give_spare(&mut self, to: &mut Vec<Vec<u8>>) {
        let room = SPARE_COUNT_MAX.saturating_sub(to.len());
        let kept = self.spare.len().saturating_sub(room);
        to.extend(self.spare.drain(kept..));
    }

    fn mark_dirty(&mut self, id: ConnectionId) {
        let connection = self.connections.get_mut(&id).expect("the caller holds it");
        if !mem::replace(&mut connection.dirty, true) {
            self.dirty.push(id);
        }
    }

    /// Sends for each connection that has something to say and no send in flight: what its socket takes at once, which is mostly
    /// all, by a request that goes with the loop's next system call and tells nothing if all was sent, or by a call of its own
    /// where the kernel has no such requests; the rest, and what is large, by a request that waits for the socket.
    pub(crate) fn start_sends(&mut self, ring: &mut Ring) {
        let mut dirty = mem::take(&mut self.dirty);
        let may_be_quiet = ring.features().quiet_sends && dirty.len() >= QUIET_SENDS_MIN;
        for id in dirty.drain(..) {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            connection.dirty = false;
            if connection.phase == Phase::Connecting {
                continue;
            }
            if connection.sending_bytes > 0 {
                // Its end marks the connection as dirty again; that of a quiet one is to come before the loop waits for others.
                if connection.is_sending_quietly {
                    ring.await_quiet_sends();
                }
                continue;
            }
            if connection.out.is_empty() {
                self.end_if_closing(ring, id);
                continue;
            }
            let bytes = mem::take(&mut connection.out);
            // Its end is not told, and what is closing waits for it.
            let is_quiet =
                may_be_quiet && connection.phase == Phase::Open && bytes.len() <= AT_ONCE_BYTES_MAX;
            let sent = match is_quiet {
                true => 0,
                false => match connection.send_at_once(&bytes) {
                    Ok(sent) => sent,
                    Err(_) => {
                        self.lose(id);
                        continue;
                    }
                },
            };
            if sent == bytes.len() {
                self.keep_spare(bytes);
                self.end_if_closing(ring, id);
                continue;
            }
            self.start_send(ring, id, bytes, sent, is_quiet);
        }
        // Its memory stays.
        dirty.append(&mut self.dirty);
        self.dirty = dirty;
    }

    fn start_send(&mut self, ring: &mut Ring, id: ConnectionId, bytes: Vec<u8>, sent: usize, is_quiet: bool) {
        let connection = self.connections.get_mut(&id).expect("the caller holds it");
        connection.sending_bytes = bytes.len() - sent;
        connection.is_sending_quietly = is_quiet;
        let (shard, socket) = (self.shard, connection.socket.as_raw_fd());
        ring.start(Operation::Send { shard, connection: id, socket, bytes, sent, is_quiet });
    }

    /// A send ended. True: it is not parked any more, and what is kept is to be looked at.
    pub(crate) fn on_sent(
        &mut self,
        ring: &mut Ring,
        id: ConnectionId,
        bytes: Vec<u8>,
        mut sent: usize,
        result: i32,
    ) -> bool {
        let connection = self.connections.get_mut(&id).expect("kept while its send is in flight");
        let again = matches!(-result, libc::EINTR | libc::EAGAIN);
        sent += result.max(0) as usize;
        assert!(sent <= bytes.len(), "the kernel took no more than it was given");
        if connection.phase != Phase::Dead && sent < bytes.len() && (result > 0 || again) {
            self.start_send(ring, id, bytes, sent, false);
            return false;
        }
        let all_sent = sent == bytes.len();
        connection.sending_bytes = 0;
        let (phase, has_more) = (connection.phase, !connection.out.is_empty());
        self.keep_spare(bytes);
        match phase {
            Phase::Dead => self.remove_if_idle(id),
            _ if !all_sent => self.lose(id),
            _ => {
                // With nothing more to send, `start_sends` ends a connection that is closing; others are not to count as answered.
                if has_more || matches!(phase, Phase::Closing { .. }) {
                    self.mark_dirty(id);
                }
                let connection = self.connections.get_mut(&id).expect("looked up above");
                let is_drained = connection.unsent() <= UNSENT_BYTES_RESUME;
                return is_drained && mem::take(&mut connection.is_parked);
            }
        }
        false
    }

    /// The machine closes a connection: what was sent goes out first.
    pub(crate) fn close(&mut self, now_us: u64, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match connection.phase {
            Phase::Connecting => {
                connection.phase = Phase::Dead;
                // Its connect ends by itself, in time.
            }
            Phase::Open => {
                connection.is_parked = false;
                connection.kept = ReceiveBuffer::new();
                connection.phase = Phase::Closing { deadline_us: now_us + CLOSING_US_MAX, end_sent: false };
                self.mark_dirty(id);
            }
            Phase::Closing { .. } | Phase::Dead => {}
        }
    }

    /// Everything of a closing connection has been sent: tells the peer, and waits for its end, so that the
    /// last frame is not lost to a reset.
    fn end_if_closing(&mut self, ring: &mut Ring, id: ConnectionId) {
        let connection = self.connections.get_mut(&id).expect("the caller holds it");
        let Phase::Closing { deadline_us, end_sent: false } = connection.phase else { return };
        connection.phase = Phase::Closing { deadline_us, end_sent: true };
        if connection.socket.shutdown(Shutdown::Write).is_err() {
            self.bury(id);
        } else {
            self.receive(ring, id);
        }
    }

    /// A connection broke, or breaks the protocol: the machine is told.
    pub(crate) fn lose(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if matches!(connection.phase, Phase::Open | Phase::Connecting) {
            self.lost.push(id);
        }
        self.bury(id);
    }

    /// Ends a connection's operations; it goes when they have.
    fn bury(&mut self, id: ConnectionId) {
        let connection = self.connections.get_mut(&id).expect("the caller holds it");
        connection.phase = Phase::Dead;
        connection.out = Vec::new();
        connection.kept = ReceiveBuffer::new();
        connection.is_parked = false;
        // An error means that it has ended already.
        let _ = connection.socket.shutdown(Shutdown::Both);
        self.remove_if_idle(id);
    }

    fn remove_if_idle(&mut self, id: ConnectionId) {
        if self.connections.get(&id).is_some_and(|connection| connection.is_idle()) {
            self.connections.remove(&id);
        }
    }

    /// Connections that the machine must be told to have ended.
    pub(crate) fn take_lost(&mut self) -> Vec<ConnectionId> {
        mem::take(&mut self.lost)
    }

    /// Whether there are such.
    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whose bytes were malformed, for a log line.
    pub(crate) fn peer_name(&self, id: ConnectionId) -> String {
        self.connections.get(&id).map(|connection| connection.peer_name(id)).unwrap_or_default()
    }

    /// Looks at deadlines: closing connections that do not end, an accept that was put off.
    pub(crate) fn tick(&mut self, ring: &mut Ring, now_us: u64) {
        if self.accept_again_us.is_some_and(|at| at <= now_us) {
            self.accept(ring);
        }
        let overdue = |connection: &Connection| match connection.phase {
            Phase::Closing { deadline_us, .. } => deadline_us <= now_us,
            _ => false,
        };
        let late: Vec<_> = self.connections.iter().filter(|(_, c)| overdue(c)).map(|(id, _)| *id).collect();
        late.into_iter().for_each(|id| self.bury(id));
    }

    /// Takes no more connections.
    pub(crate) fn stop_listening(&mut self, ring: &mut Ring) {
        self.listening = false;
        self.accept_again_us = None;
        if let Some(listener) = &self.listener {
            // At once, not when the accept has been cancelled: who connects now must be refused.
            let _ = SockRef::from(listener).shutdown(Shutdown::Both);
        }
        match self.accept {
            Some(accept) => ring.cancel(accept),
            None => self.listener = None,
        }
    }

    /// Whether everything queued has been sent.
    pub(crate) fn is_drained(&self) -> bool {
        self.connections.values().all(|connection| connection.unsent() == 0)
    }

    /// Cuts every connection; the machine is told nothing.
    pub(crate) fn abort(&mut self) {
        let ids: Vec<_> = self.connections.keys().copied().collect();
        ids.into_iter().for_each(|id| self.bury(id));
        self.lost.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{Completion, Features};
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    /// Nothing that a test awaits takes so long.
    const HANG: Duration = Duration::from_secs(20);

    /// Connections of a network that has nothing else, and their peers.
    struct Fixture {
        ring: Ring,
        network: Network,
        log: LogSink,
        peers: Vec<TcpStream>,
    }

    fn peer_id(index: usize) -> ConnectionId {
        ConnectionId(index as u64)
    }

    impl Fixture {
        fn new(connections: usize) -> Fixture {
            let ring = Ring::with(Features::ALL).expect("io_uring is there");
            let mut network = Network::new(0);
            let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
            let peers = (0..connections).map(|index| {
                let peer = TcpStream::connect(listener.local_addr().expect("bound")).expect("connects");
                peer.set_read_timeout(Some(HANG)).expect("sets");
                let (socket, _) = listener.accept().expect("accepts");
                network.connections.insert(peer_id(index), Connection::new(socket, Phase::Open));
                peer
            });
            let peers = peers.collect();
            Fixture { ring, network, log: LogSink::new(Arc::new(|_| {})), peers }
        }

        fn send(&mut self, index: usize, bytes: &[u8]) {
            self.network.send(0, &mut self.log, peer_id(index), bytes.to_vec());
        }

        /// What is sent to all in one turn goes out quietly.
        fn send_to_all(&mut self, bytes: &[u8]) {
            (0..self.peers.len()).for_each(|index| self.send(index, bytes));
            self.network.start_sends(&mut self.ring);
            assert_eq!(self.ring.in_flight(), self.peers.len(), "they are requests");
        }

        /// One turn, which is over at once. How many completions the kernel has told.
        fn turn(&mut self) -> usize {
            let (begin, mut completions) = (Instant::now(), Vec::new());
            let told = self.ring.wait(Some(HANG), &mut completions).expect("waits");
            assert!(begin.elapsed() < HANG / 2, "it waited for something else to happen");
            for completion in completions {
                let Completion::Ended { key, result, .. } = completion else { panic!("{completion:?}") };
                let Operation::Send { connection, bytes, sent, .. } = self.ring.take(key) else {
                    panic!("nothing else was started")
                };
                self.network.on_sent(&mut self.ring, connection, bytes, sent, result);
            }
            self.network.start_sends(&mut self.ring);
            told
        }

        fn read(&mut self, index: usize, expected: &[u8]) {
            let mut bytes = vec![0; expected.len()];
            self.peers[index].read_exact(&mut bytes).expect("they come");
            assert_eq!(bytes, expected);
        }
    }

    /// Such an answer waited until something else happened, for a whole tick if nothing did: its connection was passed over for the
    /// send in flight, of whose end nobody told.
    #[test]
    fn an_answer_behind_a_quiet_send_of_the_same_turn_leaves_with_the_next() {
        let mut fixture = Fixture::new(4);
        if !fixture.ring.features().quiet_sends {
            return;
        }
        for is_submitted in [false, true] {
            fixture.send_to_all(b"first ");
            if is_submitted {
                fixture.ring.submit_sends();
            }
            fixture.send(1, b"second");
            fixture.network.start_sends(&mut fixture.ring);
            assert_eq!(fixture.turn(), 0, "sends that went as asked are no load");
            assert_eq!(fixture.ring.in_flight(), 0, "one alone has more to say: by a call");
            fixture.read(1, b"first second");
        }
        // And the end of a connection.
        fixture.send_to_all(b"last");
        fixture.network.close(0, peer_id(2));
        fixture.network.start_sends(&mut fixture.ring);
        fixture.turn();
        let mut rest = Vec::new();
        fixture.peers[2].read_to_end(&mut rest).expect("ends");
        assert_eq!(rest, b"first first last");
    }

    /// A kernel may have what tells of a feature and refuse the request all the same: no connection would ever be accepted, or each
    /// lost with its first receive.
    #[test]
    fn requests_that_go_on_and_are_refused_are_made_one_at_a_time() {
        let mut fixture = Fixture::new(1);
        let Fixture { ring, network, log, peers } = &mut fixture;
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("bound");
        (network.listener, network.listening) = (Some(listener), true);
        assert_eq!(network.on_accepted(ring, 0, log, -libc::EINVAL, false), None);
        assert!(!ring.features().repeated_accept);
        network.connections.get_mut(&peer_id(0)).expect("is there").receiving = Receiving::SharedEnding;
        network.on_shared_ended(ring, 0, log, peer_id(0), -libc::EINVAL);
        assert!(!ring.features().shared_receive);
        let _client = TcpStream::connect(address).expect("connects");
        peers[0].write_all(b"hello").expect("sends");
        let (mut completions, mut accepted, mut received) = (Vec::new(), false, false);
        while !(accepted && received) {
            ring.wait(Some(HANG), &mut completions).expect("waits");
            assert!(!completions.is_empty(), "both come");
            for completion in completions.drain(..) {
                let Completion::Ended { key, result, .. } = completion else { panic!("{completion:?}") };
                match ring.take(key) {
                    Operation::Accept { .. } => {
                        drop(accepted_socket(result));
                        accepted = true;
                    }
                    Operation::Receive { connection, buffer, .. } => {
                        received = network.on_received(ring, connection, buffer, result);
                    }
                    _ => panic!("nothing else was started"),
                }
            }
        }
    }
}
