//! The start-up phase: encryption refused, cancel requests carried out, the session made and announced.
//!
//! Trust authentication: whoever reaches the port is who he says. The process refuses to listen beyond the
//! loopback interface unless its operator insists.

use super::{Connection, Wire, random_u64, transmit};
use crate::control::{SessionControl, StopState};
use crate::environment::ServerEnvironment;
use crate::input::{Input, ReadEnd};
use crate::isolation::isolated;
use crate::listener::Worker;
use crate::output::Output;
use crate::wait::{GateBroken, Waiting};
use crate::wire::startup::{self, StartupPacket};
use crate::wire::{ProtocolViolation, backend};
use hexalog_protocol::Lsn;
use hexalog_sql::{Session, Startup};
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Encryption requests that a client may send before it must begin: one of each kind.
const ENCRYPTION_REQUESTS_MAX: usize = 2;

/// What a start-up packet asks for.
struct Request {
    startup: Startup,
    /// Protocol options that this server does not know.
    unknown_options: Vec<String>,
    is_newer_minor: bool,
}

/// Brings a connection up. `None`: it has ended already.
pub(super) async fn start(mut stream: TcpStream, worker: &Arc<Worker>) -> Option<Box<Connection>> {
    let mut input = Input::default();
    let reading = read_request(&mut stream, &mut input, worker);
    let request = match tokio::time::timeout(worker.options.startup_timeout, reading).await {
        // Too slow: closed without a word, as PostgreSQL does before authentication.
        Err(_) | Ok(Ok(None)) => return None,
        Ok(Ok(Some(request))) => request,
        Ok(Err(error)) => return refuse(stream, &error).await,
    };
    if worker.control.stop_state() > StopState::Running {
        let error = SqlError::new(SqlState::CANNOT_CONNECT_NOW, "the database system is shutting down");
        return refuse(stream, &error).await;
    }
    let secret = (random_u64() >> 32) as i32;
    let Some(control) = worker.control.register(secret, worker.options.connections_max) else {
        let error = SqlError::new(SqlState::TOO_MANY_CONNECTIONS, "sorry, too many clients already");
        return refuse(stream, &error).await;
    };
    let process_id = control.process_id;
    match isolated(|| open_session(request, &control, worker)).and_then(|opened| opened) {
        Ok((session, output)) => {
            let activity = Arc::clone(session.activity());
            if let Ok(address) = stream.peer_addr() {
                activity.set_client_port(address.port());
            }
            let wire =
                Wire { stream, output, control, worker: Arc::clone(worker), activity, is_broken: false };
            let mut connection = Box::new(Connection {
                wire,
                input,
                session,
                is_skipping: false,
                is_idle: true,
                has_said_good_bye: false,
            });
            let lsn = connection.session.answer_lsn();
            let stands = wait_for(lsn, worker, &connection.wire.control, &connection.wire.stream).await;
            if stands.is_ok() && connection.wire.write_out().await.is_ok() {
                return Some(connection);
            }
            connection.close_session().await;
        }
        Err(error) => {
            // If it never becomes so, the client has gone or the process ends: either hears what it can.
            let _ = wait_for(worker.database.engine().appended(), worker, &control, &stream).await;
            refuse(stream, &error).await;
        }
    }
    worker.control.unregister(process_id);
    None
}

/// That a database or a role is there, or is not, may rest on a commit that is not durable yet.
async fn wait_for(
    lsn: Lsn,
    worker: &Worker,
    control: &SessionControl,
    stream: &TcpStream,
) -> Result<(), GateBroken> {
    let waiting = Waiting {
        engine: worker.database.engine(),
        durability: &worker.durability,
        control,
        stream: Some(stream),
        is_read_only: worker.options.is_read_only,
    };
    waiting.answer_gate(lsn).await
}

async fn refuse(mut stream: TcpStream, error: &SqlError) -> Option<Box<Connection>> {
    let mut bytes = Vec::new();
    backend::error_response(&mut bytes, "FATAL", error);
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
    None
}

/// Reads up to the start-up packet. `None`: there is nothing to start.
async fn read_request(
    stream: &mut TcpStream,
    input: &mut Input,
    worker: &Worker,
) -> Result<Option<Request>, SqlError> {
    for _ in 0..=ENCRYPTION_REQUESTS_MAX {
        let packet = match input.startup_packet(stream).await {
            Ok(packet) => startup::decode(input.body(packet)),
            Err(ReadEnd::Violation(violation)) => Err(violation),
            Err(ReadEnd::Closed | ReadEnd::Interrupted(_) | ReadEnd::TooLate) => return Ok(None),
        };
        match packet.map_err(|ProtocolViolation(what)| SqlError::new(SqlState::PROTOCOL_VIOLATION, what))? {
            StartupPacket::EncryptionRequest => {
                if stream.write_all(b"N").await.is_err() {
                    return Ok(None);
                }
            }
            StartupPacket::Cancel { process_id, secret } => {
                worker.control.cancel(process_id, secret);
                return Ok(None);
            }
            StartupPacket::Status => {
                let report = worker.control.status().unwrap_or_else(|| "{\"state\":\"opening\"}".to_owned());
                let _ = stream.write_all(report.as_bytes()).await;
                return Ok(None);
            }
            StartupPacket::Startup { minor_version, parameters } => {
                return request(minor_version, parameters).map(Some);
            }
        }
    }
    Err(SqlError::new(SqlState::PROTOCOL_VIOLATION, "too many encryption requests"))
}

/// Sorts the start-up packet's parameters.
fn request(minor_version: u16, sent: Vec<(String, String)>) -> Result<Request, SqlError> {
    let (mut user, mut database) = (String::new(), String::new());
    let (mut parameters, mut unknown_options) = (Vec::new(), Vec::new());
    for (name, value) in sent {
        match name.as_str() {
            "user" => user = value,
            "database" => database = value,
            "options" => parse_options(&value, &mut parameters)?,
            "replication" if is_off(&value) => {}
            "replication" => return Err(SqlError::unsupported("the replication protocol")),
            _ if name.starts_with("_pq_.") => unknown_options.push(name),
            _ => parameters.push((name, value)),
        }
    }
    if user.is_empty() {
        let message = "no PostgreSQL user name specified in startup packet";
        return Err(SqlError::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message));
    }
    if database.is_empty() {
        database.clone_from(&user);
    }
    let startup = Startup { user, database, parameters, process_id: 0 };
    Ok(Request { startup, unknown_options, is_newer_minor: minor_version > 0 })
}

fn is_off(value: &str) -> bool {
    matches!(value, "false" | "off" | "no" | "0")
}

/// `options`: command-line arguments for a server process, of which `-c name=value` and `--name=value` set
/// parameters. A backslash takes the next character as it is.
fn parse_options(options: &str, parameters: &mut Vec<(String, String)>) -> Result<(), SqlError> {
    let mut words = split_words(options).into_iter();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("--") {
            Some(setting) => setting.to_owned(),
            None => match word.strip_prefix("-c") {
                Some("") => words.next().unwrap_or_default(),
                Some(setting) => setting.to_owned(),
                None => return Err(SqlError::unsupported(format!("the server argument \"{word}\""))),
            },
        };
        let Some((name, value)) = setting.split_once('=') else {
            return Err(SqlError::syntax(format!("-c {setting} requires a value")));
        };
        parameters.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(())
}

fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.extend(characters.next()),
            _ if character.is_ascii_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(character),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Makes the session and what the client is told first.
fn open_session(
    request: Request,
    control: &Arc<SessionControl>,
    worker: &Worker,
) -> Result<(Session, Output), SqlError> {
    let mut output = Output::default();
    let out = output.plain();
    if request.is_newer_minor || !request.unknown_options.is_empty() {
        let unknown: Vec<&str> = request.unknown_options.iter().map(String::as_str).collect();
        backend::negotiate_protocol_version(out, &unknown);
    }
    backend::authentication_ok(out);
    let startup = Startup { process_id: control.process_id, ..request.startup };
    let environment = (worker.options.environment)(Box::new(ServerEnvironment(Arc::clone(control))));
    let mut session = Session::new(Arc::clone(&worker.database), startup, environment)?;
    for (name, value) in session.parameter_status() {
        backend::parameter_status(out, &name, &value);
    }
    backend::backend_key_data(out, control.process_id, control.secret);
    backend::ready_for_query(out, session.transaction_status());
    if worker.control.stop_state() == StopState::Fenced {
        return Err(transmit::stopped(StopState::Fenced));
    }
    Ok((session, output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_set_parameters() {
        let check = |options: &str, expected: &[(&str, &str)]| {
            let mut parameters = Vec::new();
            parse_options(options, &mut parameters).expect("valid");
            let expected: Vec<_> = expected.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
            assert_eq!(parameters, expected, "{options}");
        };
        check("", &[]);
        check("-c geqo=off", &[("geqo", "off")]);
        check("-cgeqo=off  --statement-timeout=5min", &[("geqo", "off"), ("statement_timeout", "5min")]);
        check(r"-c search_path=a,\ b", &[("search_path", "a, b")]);
        for wrong in ["-c", "-c x", "-x 1", "word"] {
            assert!(parse_options(wrong, &mut Vec::new()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_database_is_named_like_the_user_unless_told() {
        let sent =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        let made = request(0, sent(&[("user", "u"), ("application_name", "x")])).expect("valid");
        assert_eq!((made.startup.user.as_str(), made.startup.database.as_str()), ("u", "u"));
        assert_eq!(made.startup.parameters, [("application_name".to_owned(), "x".to_owned())]);
        assert!(request(0, sent(&[("database", "d")])).is_err());
        assert!(request(0, sent(&[("user", "u"), ("replication", "database")])).is_err());
        assert_eq!(
            request(2, sent(&[("user", "u"), ("_pq_.x", "1")])).expect("valid").unknown_options,
            ["_pq_.x"]
        );
    }
}
