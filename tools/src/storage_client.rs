//! A blocking connection to one storage shard, for tools: one request at a time, with a time limit.

use hexalog_protocol::frame::{PROTOCOL_VERSION, frame_length, read_frame};
use hexalog_protocol::message::{CreateSegment, Hello, Message, Refusal, Role, Status, StatusQuery, Welcome};
use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Why a shard did not answer as wanted.
#[derive(Debug)]
pub enum StorageError {
    /// No connection, or it broke, or the answer took too long.
    Io(std::io::Error),
    /// The shard refused.
    Refused(Box<Refusal>),
    /// The answer makes no sense.
    Protocol(&'static str),
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorageError::Io(error) => error.fmt(f),
            StorageError::Refused(refusal) => write!(f, "refused ({:?}): {}", refusal.reason, refusal.detail),
            StorageError::Protocol(what) => write!(f, "unexpected answer: {what}"),
        }
    }
}

impl std::error::Error for StorageError {}

impl From<std::io::Error> for StorageError {
    fn from(error: std::io::Error) -> StorageError {
        StorageError::Io(error)
    }
}

/// A connection that has been greeted.
pub struct ShardConnection {
    stream: TcpStream,
    received: Vec<u8>,
    request_id: u64,
    /// Who was reached.
    pub welcome: Welcome,
}

impl ShardConnection {
    /// Connects and greets; `timeout` bounds each wait from here on.
    pub fn connect(address: SocketAddr, timeout: Duration) -> Result<ShardConnection, StorageError> {
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        stream.set_nodelay(true)?;
        let unknown = Welcome {
            version: 0,
            node: Default::default(),
            device: Default::default(),
            shard: Default::default(),
            shard_ports: Vec::new(),
        };
        let mut connection =
            ShardConnection { stream, received: Vec::new(), request_id: 0, welcome: unknown };
        let hello = Hello {
            version_low: PROTOCOL_VERSION,
            version_high: PROTOCOL_VERSION,
            role: Role::Tool,
            identity: b"",
        };
        connection.welcome = connection.request(&Message::Hello(hello), |answer| match answer {
            Message::Welcome(welcome) => Ok(welcome),
            _ => Err("a greeting was expected"),
        })?;
        Ok(connection)
    }

    /// Makes a segment; returns once it is durable.
    pub fn create_segment(&mut self, segment: CreateSegment) -> Result<(), StorageError> {
        self.request(&Message::CreateSegment(segment), |answer| match answer {
            Message::Done(_) => Ok(()),
            _ => Err("Done was expected"),
        })
    }

    /// The state of all segments on the shard, of any volume.
    pub fn status(&mut self) -> Result<Status, StorageError> {
        let query = StatusQuery { volume: Default::default() };
        self.request(&Message::StatusQuery(query), |answer| match answer {
            Message::Status(status) => Ok(status),
            _ => Err("a status was expected"),
        })
    }

    fn request<T>(
        &mut self,
        message: &Message<'_>,
        read: impl FnOnce(Message<'_>) -> Result<T, &'static str>,
    ) -> Result<T, StorageError> {
        self.request_id += 1;
        let mut bytes = Vec::new();
        message.encode(self.request_id, &mut bytes);
        self.stream.write_all(&bytes)?;
        loop {
            let length = self.receive_frame()?;
            let frame = read_frame(&self.received)
                .map_err(|malformed| StorageError::Protocol(malformed.what))?
                .ok_or(StorageError::Protocol("incomplete frame"))?;
            if frame.request_id != self.request_id {
                // Something sent unasked.
                self.received.drain(..length);
                continue;
            }
            let answer =
                Message::decode(&frame).map_err(|malformed| StorageError::Protocol(malformed.what))?;
            let outcome = match answer {
                Message::Refusal(refusal) => Err(StorageError::Refused(Box::new(refusal))),
                answer => read(answer).map_err(StorageError::Protocol),
            };
            self.received.drain(..length);
            return outcome;
        }
    }

    /// Reads until a whole frame stands at the front; returns its length.
    fn receive_frame(&mut self) -> Result<usize, StorageError> {
        loop {
            let length =
                frame_length(&self.received).map_err(|malformed| StorageError::Protocol(malformed.what))?;
            if let Some(length) = length
                && self.received.len() >= length
            {
                return Ok(length);
            }
            let filled = self.received.len();
            self.received.resize(filled + (16 << 10), 0);
            let read = self.stream.read(&mut self.received[filled..]);
            self.received.truncate(filled + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Err(StorageError::Io(std::io::ErrorKind::UnexpectedEof.into())),
                // The kernel does not resume a wait with a time limit after the process was stopped.
                Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return Err(error.into()),
                _ => {}
            }
        }
    }
}
