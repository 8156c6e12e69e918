//! A machine that does what clients tell it, a driver thread that runs it, and a blocking client.
//!
//! Each request frame names one effect; the answer frame tells how it ended. So a test sees the driver alone,
//! without the rules of a shard between.

use hexalog_protocol::ShardIndex;
use hexalog_protocol::codec::{Put, Reader};
use hexalog_protocol::frame::{read_frame, write_frame};
use hexalog_storage_core::effects::{Area, ConnectionId, Effect, Effects, Event, IoResult, IoToken, Now};
use hexalog_storage_driver::areas::{AREA_FILES, AreaFiles};
use hexalog_storage_driver::durability::DurabilityPath;
use hexalog_storage_driver::machine::Machine;
use hexalog_storage_driver::ring::Features;
use hexalog_storage_driver::shard_loop::ShardPlan;
use hexalog_storage_driver::space::Space;
use hexalog_storage_driver::thread::{Control, Notice, StopHandle, run_shards_with, wake_descriptor};
use hexalog_storage_format::aligned::AlignedBuffer;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Long enough for the slowest machine; only a hang reaches it.
pub const HANG: Duration = Duration::from_secs(30);

pub const WRITE: u16 = 1;
pub const READ: u16 = 2;
pub const FLUSH: u16 = 3;
pub const ECHO: u16 = 4;
pub const CONNECT: u16 = 5;
pub const CLOSE: u16 = 6;
pub const HALT: u16 = 7;
pub const GREETING: u16 = 8;
pub const BURST: u16 = 9;
/// From now on the machine's deadline lies in the past.
pub const IMPATIENT: u16 = 10;
/// Answered with the number of ticks since then.
pub const TICKS: u16 = 11;

/// The machine takes so many milliseconds, and the driver's thread with it.
pub const SLEEP: u16 = 12;

/// What the driver is to use of the kernel: all it has, or nothing in the target that says so.
fn features() -> Features {
    if env!("CARGO_CRATE_NAME") == "conformance_plain" { Features::NONE } else { Features::ALL }
}

/// What the machine always wants its extents to have.
pub const WANTED_BYTES: u64 = 512 << 10;

/// In place of an errno: the machine was told that there is no space.
pub const NO_SPACE: u8 = 255;

/// Answers by request id: to whom.
type Waiting = (ConnectionId, u64);

#[derive(Default)]
pub struct StandIn {
    waiting: BTreeMap<u64, Waiting>,
    connects: BTreeMap<u64, Waiting>,
    tokens: u64,
    is_ready: bool,
    stopping: bool,
    impatient: bool,
    owes_settling: bool,
    ticks: u64,
    pub seen: Arc<Mutex<Vec<String>>>,
}

impl StandIn {
    /// Reads one block at start, as a shard reads its superblock, before it is ready.
    fn start(seen: Arc<Mutex<Vec<String>>>, effects: &mut Effects) -> StandIn {
        let buffer = AlignedBuffer::zeroed(4096);
        effects.list.push(Effect::Read { token: IoToken(0), area: Area::Superblock, offset: 0, buffer });
        StandIn { seen, ..StandIn::default() }
    }

    fn note(&self, text: String) {
        self.seen.lock().unwrap().push(text);
    }

    fn answer(&self, effects: &mut Effects, (to, request): Waiting, kind: u16, payload: &[u8]) {
        write_frame(effects.send(to), kind, request, |out| out.put_bytes(payload));
    }

    fn token(&mut self, waiting: Waiting) -> IoToken {
        self.tokens += 1;
        self.waiting.insert(self.tokens, waiting);
        IoToken(self.tokens)
    }

    fn ended(&mut self, effects: &mut Effects, token: IoToken, kind: u16, result: IoResult, bytes: &[u8]) {
        let waiting = self.waiting.remove(&token.0).expect("each token ends once");
        let mut payload = match result {
            IoResult::Done => vec![0],
            IoResult::Failed(errno) => vec![errno as u8],
            IoResult::NoSpace => vec![NO_SPACE],
        };
        payload.extend_from_slice(bytes);
        self.answer(effects, waiting, kind, &payload);
    }

    fn request(&mut self, effects: &mut Effects, waiting: Waiting, kind: u16, payload: &[u8]) {
        let mut reader = Reader::new(payload);
        let area = |code: u8| [Area::Superblock, Area::Log, Area::Extents][usize::from(code)];
        match kind {
            WRITE => {
                let area = area(reader.u8("area").unwrap());
                let flush = reader.u8("flush").unwrap() == 1;
                let offset = reader.u64("offset").unwrap();
                let mut buffer = AlignedBuffer::zeroed(reader.u32("length").unwrap() as usize);
                buffer.bytes_mut().fill(reader.u8("byte").unwrap());
                let token = self.token(waiting);
                effects.list.push(Effect::Write { token, area, offset, buffer, flush });
            }
            READ => {
                let area = area(reader.u8("area").unwrap());
                let offset = reader.u64("offset").unwrap();
                let mut buffer = AlignedBuffer::zeroed(reader.u32("length").unwrap() as usize);
                buffer.bytes_mut().fill(0xee);
                let token = self.token(waiting);
                effects.list.push(Effect::Read { token, area, offset, buffer });
            }
            FLUSH => {
                let area = area(reader.u8("area").unwrap());
                let token = self.token(waiting);
                effects.list.push(Effect::Flush { token, area });
            }
            ECHO => self.answer(effects, waiting, ECHO, payload),
            BURST => {
                let size = reader.u32("size").unwrap() as usize;
                self.answer(effects, waiting, BURST, &vec![7; size]);
            }
            CONNECT => {
                let address: SocketAddr = std::str::from_utf8(payload).unwrap().parse().unwrap();
                self.tokens += 1;
                let id = (1 << 63) + self.tokens;
                self.connects.insert(id, waiting);
                effects.list.push(Effect::Connect(ConnectionId(id), address));
            }
            CLOSE => {
                self.answer(effects, waiting, CLOSE, payload);
                effects.list.push(Effect::Close(waiting.0));
            }
            HALT => {
                effects.list.push(Effect::Halt { reason: "told to".into(), reads_go_on: payload == [1] });
            }
            IMPATIENT => {
                (self.impatient, self.ticks) = (true, 0);
                self.answer(effects, waiting, IMPATIENT, &[]);
            }
            TICKS => {
                self.impatient = false;
                self.answer(effects, waiting, TICKS, &self.ticks.to_le_bytes());
            }
            SLEEP => {
                std::thread::sleep(Duration::from_millis(reader.u32("milliseconds").unwrap().into()));
                self.answer(effects, waiting, SLEEP, &[]);
            }
            GREETING => self.note(format!("greeting of {} bytes", payload.len())),
            _ => unreachable!("kind {kind}"),
        }
    }
}

impl Machine for StandIn {
    fn settle(&mut self, _: &mut Effects) {
        self.owes_settling = false;
    }

    fn take_in(&mut self, _now: Now, event: Event<'_>, effects: &mut Effects) {
        assert!(!self.owes_settling, "what was written is settled before the next event");
        self.owes_settling = matches!(event, Event::Written(..));
        match event {
            Event::Read(IoToken(0), result, _) => {
                assert_eq!(result, IoResult::Done);
                self.is_ready = true;
            }
            Event::Frame(id, frame) => {
                assert!(self.is_ready && !self.stopping);
                self.request(effects, (id, frame.request_id), frame.kind, frame.payload);
            }
            Event::Written(token, result, buffer) => {
                self.ended(effects, token, WRITE, result, &buffer.bytes()[..1]);
            }
            Event::Flushed(token, result) => self.ended(effects, token, FLUSH, result, &[]),
            Event::Read(token, result, buffer) => self.ended(effects, token, READ, result, buffer.bytes()),
            Event::Accepted(_) => self.note("accepted".into()),
            Event::Connected(id) => {
                let waiting = self.connects.remove(&id.0).expect("asked for");
                self.answer(effects, waiting, CONNECT, b"connected");
                write_frame(effects.send(id), GREETING, 0, |out| out.put_bytes(b"hello"));
            }
            Event::Closed(id) => match self.connects.remove(&id.0) {
                Some(waiting) => self.answer(effects, waiting, CONNECT, b"closed"),
                None => self.note(format!("closed {}", id.0)),
            },
            Event::Tick => self.ticks += 1,
        }
    }

    fn background(&mut self, _now: Now, _effects: &mut Effects) -> bool {
        false
    }

    fn next_deadline_us(&self) -> Option<u64> {
        self.impatient.then_some(0)
    }

    fn is_ready(&self) -> bool {
        self.is_ready
    }

    fn set_log_prepared(&mut self, bytes: u64, is_cut_short: bool) {
        self.note(format!("prepared {bytes}{}", if is_cut_short { ", cut short" } else { "" }));
    }

    fn set_extents_backed(&mut self, backed_bytes: u64, possible_bytes: u64) {
        self.note(format!("backed {backed_bytes} of {possible_bytes}"));
    }

    fn extents_wanted_bytes(&self) -> u64 {
        WANTED_BYTES
    }

    fn shutdown(&mut self, _now: Now, _effects: &mut Effects) {
        self.stopping = true;
    }

    fn is_quiet(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// A running driver thread over one stand-in.
pub struct Fixture {
    pub directory: tempfile::TempDir,
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<String>>>,
    pub space: Arc<Space>,
    /// A message for each time that more was wanted.
    pub wanted: Receiver<()>,
    pub notices: Receiver<Notice>,
    stop: StopHandle,
    thread: Option<JoinHandle<()>>,
}

impl Fixture {
    /// Starts it, with areas of 1 MiB, and waits until it is ready.
    pub fn start(durability: DurabilityPath) -> Fixture {
        Fixture::start_with(durability, true)
    }

    /// As `start`, with or without O_DIRECT.
    pub fn start_with(durability: DurabilityPath, direct: bool) -> Fixture {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (_, name) in AREA_FILES {
            std::fs::write(directory.path().join(name), vec![0; 1 << 20]).expect("writes");
        }
        Fixture::start_in(directory, durability, direct)
    }

    /// As `start`, over the areas in `directory`.
    pub fn start_in(directory: tempfile::TempDir, durability: DurabilityPath, direct: bool) -> Fixture {
        // On a file system without O_DIRECT the driver's rules are the same.
        let files = AreaFiles::open(directory.path(), direct)
            .or_else(|_| AreaFiles::open(directory.path(), false))
            .expect("opens");
        let listener =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("socket");
        listener.bind(&"127.0.0.1:0".parse::<SocketAddr>().expect("address").into()).expect("binds");
        let listener = TcpListener::from(listener);
        let address = listener.local_addr().expect("bound");
        let (sender, notices) = channel();
        let log = Arc::new(|line: &str| eprintln!("driver: {line}"));
        let control = Control::new(log, sender, wake_descriptor().expect("eventfd"));
        let stop = StopHandle::new().expect("eventfd");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let space = Arc::new(Space::new(0, 0, 1 << 20));
        let (want, wanted) = channel();
        let plan = ShardPlan {
            index: ShardIndex(0),
            files,
            durability,
            listener,
            space: space.clone(),
            want_space: Box::new(move || want.send(()).expect("the fixture listens")),
            start: Box::new({
                let seen = seen.clone();
                move |_, effects| StandIn::start(seen, effects)
            }),
        };
        let handle = stop.clone();
        let thread = std::thread::spawn(move || run_shards_with(vec![plan], features(), control, handle));
        let thread = Some(thread);
        let fixture = Fixture { directory, address, seen, space, wanted, notices, stop, thread };
        assert!(matches!(fixture.notice(), Notice::Ready { shard: ShardIndex(0) }));
        fixture
    }

    /// The next notice.
    pub fn notice(&self) -> Notice {
        self.notices.recv_timeout(HANG).expect("a notice comes")
    }

    /// A new connection.
    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Waits until the machine has noted something.
    pub fn wait_for(&self, text: &str) {
        let end = std::time::Instant::now() + HANG;
        while !self.seen.lock().unwrap().iter().any(|line| line == text) {
            assert!(std::time::Instant::now() < end, "never saw {text}: {:?}", self.seen.lock().unwrap());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops it; true if it came to rest.
    pub fn stop(mut self) -> bool {
        self.stop.stop();
        self.thread.take().expect("running").join().expect("no panic");
        loop {
            match self.notice() {
                Notice::Stopped { clean } => return clean,
                other => eprintln!("{other:?}"),
            }
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the driver thread panicked");
        }
    }
}

/// A blocking client.
pub struct Client {
    pub stream: TcpStream,
    received: Vec<u8>,
    next_request: u64,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        Client::over(TcpStream::connect(address).expect("connects"))
    }

    pub fn over(stream: TcpStream) -> Client {
        stream.set_read_timeout(Some(HANG)).expect("sets");
        stream.set_write_timeout(Some(HANG)).expect("sets");
        Client { stream, received: Vec::new(), next_request: 1 }
    }

    /// Sends a frame; returns its request id.
    pub fn send(&mut self, kind: u16, payload: &[u8]) -> u64 {
        let id = self.next_request;
        self.next_request += 1;
        let mut bytes = Vec::new();
        write_frame(&mut bytes, kind, id, |out| out.put_bytes(payload));
        self.stream.write_all(&bytes).expect("sends");
        id
    }

    /// The next frame: kind, request id, payload. `None` at the end of the stream.
    pub fn receive(&mut self) -> Option<(u16, u64, Vec<u8>)> {
        loop {
            if let Some(frame) = read_frame(&self.received).expect("well-formed") {
                let taken = (frame.kind, frame.request_id, frame.payload.to_vec());
                self.received.drain(..frame.frame_bytes);
                return Some(taken);
            }
            let mut piece = [0; 65536];
            match self.stream.read(&mut piece) {
                Ok(0) => return None,
                Ok(count) => self.received.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                // The kernel does not resume a wait with a time limit after the process was stopped.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => panic!("nothing comes: {error}"),
            }
        }
    }

    /// Sends and awaits the answer.
    pub fn call(&mut self, kind: u16, payload: &[u8]) -> Vec<u8> {
        let id = self.send(kind, payload);
        let (answer_kind, answer_id, answer) = self.receive().expect("an answer comes");
        assert_eq!((answer_kind, answer_id), (kind, id));
        answer
    }
}

/// Payload of a WRITE request.
pub fn write_request(area: u8, flush: bool, offset: u64, length: u32, byte: u8) -> Vec<u8> {
    let mut out = vec![area, u8::from(flush)];
    out.put_u64(offset);
    out.put_u32(length);
    out.put_u8(byte);
    out
}

/// Payload of a READ request.
pub fn read_request(area: u8, offset: u64, length: u32) -> Vec<u8> {
    let mut out = vec![area];
    out.put_u64(offset);
    out.put_u32(length);
    out
}
