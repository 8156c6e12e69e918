//! A minimal client of the PostgreSQL protocol: start-up, simple queries, prepared statements, COPY in both directions.
//!
//! Blocking, one statement at a time, text formats only. It knows no passwords and no TLS: the operator's CLI and the
//! benchmark speak to servers that let them in.

// A client owns its socket; the bans are for the cores.
#![allow(clippy::disallowed_methods)]

use std::fmt;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest message that is taken from a server.
const MESSAGE_BYTES_MAX: usize = 1 << 30;

/// An error or notice as the server worded it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServerMessage {
    /// ERROR, FATAL, WARNING, NOTICE, …
    pub severity: String,
    /// SQLSTATE.
    pub code: String,
    /// What happened.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl fmt::Display for ServerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:  {}", self.severity, self.message)?;
        if let Some(detail) = &self.detail {
            write!(f, "\nDETAIL:  {detail}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nHINT:  {hint}")?;
        }
        Ok(())
    }
}

/// Why the connection is of no use any more.
#[derive(Debug)]
pub enum ClientError {
    /// It broke, or could not be made.
    Io(std::io::Error),
    /// The server refused or ended the session, and said why.
    Fatal(ServerMessage),
    /// The server's bytes make no sense.
    Protocol(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Io(error) => write!(f, "connection failed: {error}"),
            ClientError::Fatal(message) => message.fmt(f),
            ClientError::Protocol(what) => write!(f, "protocol error: {what}"),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<std::io::Error> for ClientError {
    fn from(error: std::io::Error) -> ClientError {
        ClientError::Io(error)
    }
}

/// One row in text form.
pub type Row = Vec<Option<String>>;

/// A column of a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub type_oid: u32,
}

/// What a query brings, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A result begins.
    Columns(Vec<Column>),
    /// One row in text form.
    Row(Row),
    /// A statement is through, with its tag.
    Complete(String),
    /// The statement was empty.
    Empty,
    /// A statement failed; the rest of the query is skipped by the server.
    Error(ServerMessage),
    /// A notice or warning.
    Notice(ServerMessage),
    /// The server awaits COPY data: [`Connection::copy_data`], then [`Connection::copy_done`].
    CopyIn,
    /// A line of COPY TO STDOUT.
    CopyOut(Vec<u8>),
    /// The query is through.
    Ready,
}

/// A session on a server.
pub struct Connection {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    transaction_status: u8,
}

impl Connection {
    /// Connects and starts a session of this `application`. `timeout` bounds each wait of the start-up; later waits have
    /// no bound.
    pub fn connect(
        address: SocketAddr,
        user: &str,
        database: &str,
        application: &str,
        timeout: Option<Duration>,
    ) -> Result<Connection, ClientError> {
        let stream = match timeout {
            Some(timeout) => TcpStream::connect_timeout(&address, timeout)?,
            None => TcpStream::connect(address)?,
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(timeout)?;
        let mut connection = Connection {
            reader: BufReader::new(stream.try_clone()?),
            writer: stream,
            transaction_status: b'I',
        };
        connection.start(user, database, application)?;
        connection.writer.set_read_timeout(None)?;
        Ok(connection)
    }

    fn start(&mut self, user: &str, database: &str, application: &str) -> Result<(), ClientError> {
        let mut body = 196_608_i32.to_be_bytes().to_vec();
        let parameters = [
            ("user", user),
            ("database", database),
            ("application_name", application),
            ("client_encoding", "UTF8"),
        ];
        for (name, value) in parameters {
            for text in [name, value] {
                body.extend_from_slice(text.as_bytes());
                body.push(0);
            }
        }
        body.push(0);
        let length =
            i32::try_from(body.len() + 4).map_err(|_| ClientError::Protocol("name too long".to_owned()))?;
        let mut packet = length.to_be_bytes().to_vec();
        packet.extend_from_slice(&body);
        self.writer.write_all(&packet)?;
        loop {
            let (kind, body) = self.read_message()?;
            match kind {
                b'R' if body.get(..4) == Some(&[0; 4]) => {}
                b'R' => return Err(ClientError::Protocol("the server asks for a password".to_owned())),
                b'E' => return Err(ClientError::Fatal(server_message(&body))),
                b'Z' => {
                    self.transaction_status = body.first().copied().unwrap_or(b'I');
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    /// `I` idle, `T` in a transaction block, `E` in a failed one.
    pub fn transaction_status(&self) -> u8 {
        self.transaction_status
    }

    /// Sends a query; its events follow.
    pub fn send_query(&mut self, text: &str) -> Result<(), ClientError> {
        let mut body = text.as_bytes().to_vec();
        body.push(0);
        self.send(b'Q', &body)
    }

    /// The next event of the query that runs.
    pub fn next_event(&mut self) -> Result<Event, ClientError> {
        loop {
            let (kind, body) = self.read_message()?;
            return Ok(match kind {
                b'T' => Event::Columns(columns(&body)?),
                b'D' => Event::Row(row(&body)?),
                b'C' => Event::Complete(text(&body)),
                b'I' => Event::Empty,
                b'N' => Event::Notice(server_message(&body)),
                b'G' => Event::CopyIn,
                b'd' => Event::CopyOut(body),
                b'E' => {
                    let message = server_message(&body);
                    if message.severity == "FATAL" || message.severity == "PANIC" {
                        return Err(ClientError::Fatal(message));
                    }
                    Event::Error(message)
                }
                b'Z' => {
                    self.transaction_status = body.first().copied().unwrap_or(b'I');
                    Event::Ready
                }
                // ParameterStatus, CopyOutResponse, CopyDone and whatever else needs no answer.
                _ => continue,
            });
        }
    }

    /// Runs a query to its end and returns all rows of all its results, or the first error.
    pub fn query(&mut self, text: &str) -> Result<Result<Vec<Row>, ServerMessage>, ClientError> {
        self.send_query(text)?;
        self.rows()
    }

    /// Prepares a statement under a name.
    pub fn prepare(&mut self, name: &str, text: &str) -> Result<Result<(), ServerMessage>, ClientError> {
        // Parse with no parameter types, then Sync.
        let body = [name.as_bytes(), &[0], text.as_bytes(), &[0, 0, 0]].concat();
        let mut messages = message(b'P', &body)?;
        messages.extend(message(b'S', b"")?);
        self.writer.write_all(&messages)?;
        Ok(self.rows()?.map(drop))
    }

    /// Runs a prepared statement to its end; parameters are text.
    pub fn execute(
        &mut self,
        name: &str,
        parameters: &[&str],
    ) -> Result<Result<Vec<Row>, ServerMessage>, ClientError> {
        // Bind of the unnamed portal, every format text; then Execute without a row limit, and Sync.
        let too_long = |_| ClientError::Protocol("message too long".to_owned());
        let mut bind = [&[0], name.as_bytes(), &[0, 0, 0]].concat();
        bind.extend_from_slice(&i16::try_from(parameters.len()).map_err(too_long)?.to_be_bytes());
        for parameter in parameters {
            bind.extend_from_slice(&i32::try_from(parameter.len()).map_err(too_long)?.to_be_bytes());
            bind.extend_from_slice(parameter.as_bytes());
        }
        bind.extend_from_slice(&[0, 0]);
        let mut messages = message(b'B', &bind)?;
        messages.extend(message(b'E', &[0; 5])?);
        messages.extend(message(b'S', b"")?);
        self.writer.write_all(&messages)?;
        self.rows()
    }

    /// All rows up to the server's readiness, or the first error.
    fn rows(&mut self) -> Result<Result<Vec<Row>, ServerMessage>, ClientError> {
        let mut rows = Vec::new();
        let mut failed = None;
        loop {
            match self.next_event()? {
                Event::Row(row) => rows.push(row),
                Event::Error(message) => failed = failed.or(Some(message)),
                Event::CopyIn => self.send(b'f', b"no data is at hand\0")?,
                Event::Ready => return Ok(failed.map_or(Ok(rows), Err)),
                _ => {}
            }
        }
    }

    /// Sends COPY data.
    pub fn copy_data(&mut self, data: &[u8]) -> Result<(), ClientError> {
        self.send(b'd', data)
    }

    /// Ends COPY data.
    pub fn copy_done(&mut self) -> Result<(), ClientError> {
        self.send(b'c', b"")
    }

    fn send(&mut self, kind: u8, body: &[u8]) -> Result<(), ClientError> {
        Ok(self.writer.write_all(&message(kind, body)?)?)
    }

    fn read_message(&mut self) -> Result<(u8, Vec<u8>), ClientError> {
        let mut header = [0; 5];
        self.reader.read_exact(&mut header)?;
        let length = i32::from_be_bytes([header[1], header[2], header[3], header[4]]);
        let length = usize::try_from(length).ok().filter(|length| (4..=MESSAGE_BYTES_MAX).contains(length));
        let length = length.ok_or_else(|| ClientError::Protocol("message length".to_owned()))?;
        let mut body = vec![0; length - 4];
        self.reader.read_exact(&mut body)?;
        Ok((header[0], body))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The server notices a closed socket as well; saying good-bye keeps its log quiet.
        let _ = self.send(b'X', b"");
    }
}

fn message(kind: u8, body: &[u8]) -> Result<Vec<u8>, ClientError> {
    let length =
        i32::try_from(body.len() + 4).map_err(|_| ClientError::Protocol("message too long".to_owned()))?;
    let mut message = vec![kind];
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    Ok(message)
}

fn text(body: &[u8]) -> String {
    let end = body.iter().position(|byte| *byte == 0).unwrap_or(body.len());
    String::from_utf8_lossy(&body[..end]).into_owned()
}

fn server_message(body: &[u8]) -> ServerMessage {
    let mut message = ServerMessage::default();
    for field in body.split(|byte| *byte == 0) {
        let Some((kind, value)) = field.split_first() else { continue };
        let value = String::from_utf8_lossy(value).into_owned();
        match kind {
            b'V' => message.severity = value,
            b'S' if message.severity.is_empty() => message.severity = value,
            b'C' => message.code = value,
            b'M' => message.message = value,
            b'D' => message.detail = Some(value),
            b'H' => message.hint = Some(value),
            _ => {}
        }
    }
    message
}

/// Takes bytes from the front of a body.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], ClientError> {
        let split = self.0.split_at_checked(count);
        let (taken, rest) = split.ok_or_else(|| ClientError::Protocol("message too short".to_owned()))?;
        self.0 = rest;
        Ok(taken)
    }

    fn int(&mut self, bytes: usize) -> Result<i32, ClientError> {
        let taken = self.take(bytes)?;
        let start = if taken[0] & 0x80 != 0 { -1_i32 } else { 0 };
        Ok(taken.iter().fold(start, |value, byte| value << 8 | i32::from(*byte)))
    }
}

fn columns(body: &[u8]) -> Result<Vec<Column>, ClientError> {
    let mut body = Body(body);
    let count = body.int(2)?;
    (0..count)
        .map(|_| {
            let name = text(body.0);
            let end = body.0.iter().position(|byte| *byte == 0).unwrap_or(body.0.len());
            body.take(end + 1)?;
            body.take(6)?;
            let type_oid = body.int(4)? as u32;
            body.take(8)?;
            Ok(Column { name, type_oid })
        })
        .collect()
}

fn row(body: &[u8]) -> Result<Row, ClientError> {
    let mut body = Body(body);
    let count = body.int(2)?;
    (0..count)
        .map(|_| match usize::try_from(body.int(4)?) {
            Err(_) => Ok(None),
            Ok(length) => Ok(Some(String::from_utf8_lossy(body.take(length)?).into_owned())),
        })
        .collect()
}
