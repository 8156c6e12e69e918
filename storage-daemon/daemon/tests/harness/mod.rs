//! A daemon as a child process, and a small blocking client of the storage protocol.

#![allow(dead_code)] // each test binary uses a part of it

use hexalog_protocol::batch::BatchBuilder;
use hexalog_protocol::frame::{PROTOCOL_VERSION, read_frame};
use hexalog_protocol::history::{EpochEntry, EpochHistory};
use hexalog_protocol::ids::{Incarnation, WriterId};
use hexalog_protocol::message::{
    CreateSegment, EpochBump, Hello, InstallHistory, Member, Membership, Message, ReadPage, RefusalReason,
    Role, Room, SegmentStatus, StatusQuery, Write as WriteMessage, WriterHead,
};
use hexalog_protocol::record::{Operation, Record};
use hexalog_protocol::{
    GeometryEpoch, GroupId, Lsn, MembershipEpoch, NodeId, Page, PageId, SegmentId, VolumeEpoch, VolumeId,
};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Long enough for the slowest machine; only a hang reaches it.
pub const HANG: Duration = Duration::from_secs(60);
/// The binary under test.
pub const HEXALOGD: &str = env!("CARGO_BIN_EXE_hexalogd");

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
    lines: Receiver<String>,
    pub said: Vec<String>,
}

impl Daemon {
    /// Starts a command, its standard error read line by line.
    pub fn spawn(command: &mut Command) -> std::io::Result<Daemon> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take().expect("piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                eprintln!("{line}");
                let _ = sender.send(line);
            }
        });
        Ok(Daemon { child, lines, said: Vec::new() })
    }

    /// Node 1 in `directory`, with a small device, on a port of its own.
    pub fn start(directory: &Path) -> Daemon {
        Daemon::start_with(directory, &[])
    }

    /// As `start`, with more options. Formats what is not there.
    pub fn start_with(place: &Path, options: &[&str]) -> Daemon {
        if !place.join("hexalogd.json").exists() {
            let (status, said) = format(place, options);
            let is_there = status.success() || said.contains("is the device of node");
            assert!(is_there, "{said}");
        }
        Daemon::start_as_it_is(place, options)
    }

    /// Starts on what is there.
    pub fn start_as_it_is(place: &Path, options: &[&str]) -> Daemon {
        Daemon::spawn(&mut command(place, options)).expect("the binary runs")
    }

    /// The next line that contains `text`; panics if the daemon ends or hangs before.
    pub fn wait_for(&mut self, text: &str) -> String {
        let end = Instant::now() + HANG;
        loop {
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("never said {text:?}, but: {:#?}", self.said));
            self.said.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// As `wait_for`, if it has not said so already: lines of different threads come in any order.
    pub fn says(&mut self, text: &str) -> String {
        match self.said.iter().find(|line| line.contains(text)) {
            Some(line) => line.clone(),
            None => self.wait_for(text),
        }
    }

    /// Waits until it is ready; the addresses of its shards.
    pub fn ready(&mut self) -> Vec<SocketAddr> {
        let line = self.wait_for(" ready on ");
        let addresses = line.split(" ready on ").nth(1).expect("found").split(' ');
        addresses.map(|address| address.parse().expect("an address")).collect()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for its end: exit status and everything it said.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let end = Instant::now() + HANG;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("waits") {
                break status;
            }
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        while let Ok(line) = self.lines.recv_timeout(HANG) {
            self.said.push(line);
        }
        (status, self.said.join("\n"))
    }

    /// Waits until nobody holds its standard error open any more.
    pub fn wait_until_silent(&mut self) {
        let end = Instant::now() + HANG;
        while Instant::now() < end {
            match self.lines.recv_timeout(Duration::from_millis(100)) {
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
                _ => continue,
            }
        }
        panic!("it still runs");
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().expect("runs");
        self.child.wait().expect("ends");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command line of a daemon with a small device.
pub fn command(place: &Path, options: &[&str]) -> Command {
    let mut command = on_device(place, &[], options);
    if !options.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command.args(options);
    command
}

/// `hexalogd format`: how it ended and what it said. Takes those of the options that it has.
pub fn format(place: &Path, options: &[&str]) -> (ExitStatus, String) {
    let mut command = on_device(place, &["format"], options);
    let mut words = options.iter();
    while let Some(word) = words.next() {
        match *word {
            "--buffered" | "--force" => drop(command.arg(word)),
            "--node" | "--shards" | "--log-bytes" | "--device-bytes" => {
                command.arg(word).args(words.next());
            }
            _ => {}
        }
    }
    Daemon::spawn(&mut command).expect("the binary runs").wait()
}

/// What says which device it is, but for what `options` say.
fn on_device(place: &Path, words: &[&str], options: &[&str]) -> Command {
    let mut command = Command::new(HEXALOGD);
    let option = if place.starts_with("/dev") { "--device" } else { "--data-dir" };
    command.args(words).arg(option).arg(place);
    for (name, value) in [("--node", "1"), ("--log-bytes", "4MiB"), ("--device-bytes", "64MiB")] {
        if !options.contains(&name) {
            command.args([name, value]);
        }
    }
    command
}

/// A volume with one group, one member, and what has been written to it.
pub struct Writer {
    stream: TcpStream,
    received: Vec<u8>,
    volume: VolumeId,
    writer: WriterId,
    pub last: Lsn,
    pub acknowledged: Lsn,
    /// Last LSN of each page.
    pages: BTreeMap<PageId, Lsn>,
    /// What the last acknowledgement told.
    pub room: Room,
}

const GROUP: GroupId = GroupId(0);
const MEMBERSHIP: MembershipEpoch = MembershipEpoch(1);

impl Writer {
    /// Connects and says hello.
    pub fn connect(address: SocketAddr, volume: u8) -> Writer {
        let stream = TcpStream::connect(address).expect("connects");
        stream.set_read_timeout(Some(HANG)).expect("sets");
        stream.set_nodelay(true).expect("sets");
        let writer = WriterId { epoch: VolumeEpoch(1), incarnation: Incarnation(77) };
        let volume = VolumeId([volume; 16]);
        let mut client = Writer {
            stream,
            received: Vec::new(),
            volume,
            writer,
            last: Lsn::ZERO,
            acknowledged: Lsn::ZERO,
            pages: BTreeMap::new(),
            room: Room::Ample,
        };
        let hello = Hello {
            version_low: PROTOCOL_VERSION,
            version_high: PROTOCOL_VERSION,
            role: Role::Compute,
            identity: &[],
        };
        client.send(&Message::Hello(hello));
        client.expect(|message| matches!(message, Message::Welcome(_)));
        client
    }

    /// The same writer on a new connection, with what it knows.
    pub fn reconnect(&self, address: SocketAddr) -> Writer {
        let mut writer = Writer::connect(address, self.volume.0[0]);
        writer.last = self.last;
        writer.acknowledged = self.acknowledged;
        writer.pages.clone_from(&self.pages);
        writer
    }

    /// Makes the segment and opens the volume for writing.
    pub fn create(&mut self) {
        let (volume, writer) = (self.volume, self.writer);
        let address = self.stream.peer_addr().expect("connected");
        let member = Member { segment: SegmentId(1), node: NodeId(1), az: 0, address };
        self.send(&Message::CreateSegment(CreateSegment {
            volume,
            group: GROUP,
            segment: SegmentId(1),
            pages_per_group: 1024,
            geometry_epoch: GeometryEpoch(1),
            base_lsn: Lsn::ZERO,
            membership: Membership::of(MEMBERSHIP, vec![member]),
        }));
        self.expect(|message| matches!(message, Message::Done(_)));
        self.send(&Message::EpochBump(EpochBump { volume, writer, groups: vec![GROUP] }));
        self.expect(|message| matches!(message, Message::Bumped(_)));
        let mut history = EpochHistory::new();
        history.push(EpochEntry { writer, vdl: Lsn::ZERO, upper: Lsn::ZERO });
        self.send(&Message::InstallHistory(InstallHistory { volume, groups: vec![GROUP], history }));
        self.expect(|message| matches!(message, Message::Done(_)));
    }

    /// Sends one batch of one record; does not wait.
    pub fn append(&mut self) {
        self.append_to(PageId(0));
    }

    /// As `append`, for any page of the group.
    pub fn append_to(&mut self, page: PageId) {
        let mut operations = Vec::new();
        let lsn = self.last.plus(1);
        let page_backlink = self.pages.insert(page, lsn).unwrap_or(Lsn::ZERO);
        if page_backlink == Lsn::ZERO {
            Operation::Format.encode(&mut operations);
        }
        let bytes = [lsn.0 as u8; 200];
        Operation::Write { offset: 96 + (lsn.0 % 30) as u16 * 200, bytes: &bytes }.encode(&mut operations);
        let mut batch = BatchBuilder::new(GROUP);
        batch.push(&Record {
            lsn,
            page,
            page_backlink,
            group_backlink: self.last,
            is_cpl: true,
            operations: &operations,
        });
        let mut entries = Vec::new();
        WriteMessage::put_entry(&mut entries, MEMBERSHIP, &batch.seal());
        self.last = lsn;
        let head = WriterHead {
            volume: self.volume,
            writer: self.writer,
            vdl: self.acknowledged,
            pgmrpl: self.acknowledged,
            wall_time_us: 1,
            tails: vec![(GROUP, lsn)],
        };
        self.send(&Message::Write(WriteMessage { head, entries: &entries }));
    }

    /// Waits for the next acknowledgement; `false` when the connection is gone.
    pub fn await_ack(&mut self) -> bool {
        let mut acknowledged = self.acknowledged;
        let mut room = self.room;
        let there = self.receive(|message| match message {
            Message::WriteAck(ack) => {
                room = ack.room;
                acknowledged = ack.scls.iter().map(|(_, scl)| *scl).max().unwrap_or(Lsn::ZERO);
                true
            }
            other => panic!("not an acknowledgement: {other:?}"),
        });
        self.acknowledged = self.acknowledged.max(acknowledged);
        self.room = room;
        there
    }

    /// LSN of a page as it is at what was acknowledged last.
    pub fn read(&mut self, page: PageId) -> Option<Lsn> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            self.send(&Message::ReadPage(ReadPage {
                volume: self.volume,
                group: GROUP,
                page,
                read_point: self.acknowledged,
                group_tail: self.acknowledged,
                writer: self.writer,
                membership_epoch: MEMBERSHIP,
                geometry_epoch: GeometryEpoch(1),
            }));
            let (mut found, mut is_busy) = (None, false);
            assert!(self.receive(|message| match message {
                Message::PageImage(image) => {
                    found = Page::from_bytes(image.image).map(|page| page.lsn());
                    true
                }
                // It has just been started, and has no index yet.
                Message::Refusal(refusal)
                    if refusal.reason == RefusalReason::Busy && Instant::now() < deadline =>
                {
                    is_busy = true;
                    true
                }
                Message::Refusal(refusal) => panic!("{refusal:?}"),
                _ => false,
            }));
            if !is_busy {
                return found;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The state of the volume's segment.
    pub fn status(&mut self) -> Option<SegmentStatus> {
        self.send(&Message::StatusQuery(StatusQuery { volume: self.volume }));
        let mut found = None;
        assert!(self.receive(|message| match message {
            Message::Status(status) => {
                found = status.segments.first().cloned();
                true
            }
            _ => false,
        }));
        found
    }

    fn send(&mut self, message: &Message<'_>) {
        let mut bytes = Vec::new();
        message.encode(1, &mut bytes);
        // A daemon that was killed: the next receive tells.
        let _ = self.stream.write_all(&bytes);
    }

    fn expect(&mut self, is_it: impl Fn(&Message<'_>) -> bool) {
        assert!(self.receive(|message| {
            assert!(is_it(message), "unexpected: {message:?}");
            true
        }));
    }

    /// Receives messages until `take` has taken one; `false` when the connection is gone.
    fn receive(&mut self, mut take: impl FnMut(&Message<'_>) -> bool) -> bool {
        loop {
            while let Some(frame) = read_frame(&self.received).expect("well-formed") {
                let frame_bytes = frame.frame_bytes;
                let taken = take(&Message::decode(&frame).expect("decodes"));
                self.received.drain(..frame_bytes);
                if taken {
                    return true;
                }
            }
            let mut piece = [0; 65536];
            match self.stream.read(&mut piece) {
                Ok(0) => return false,
                Ok(count) => self.received.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return false,
                // The kernel does not resume a wait with a time limit after the process was stopped.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => panic!("nothing comes: {error}"),
            }
        }
    }
}
