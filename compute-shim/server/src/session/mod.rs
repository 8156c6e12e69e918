//! One connection: start-up, the loop over its messages, and its end.
//!
//! Owns the order of things on a connection. [`simple`], [`extended`] and [`copy`] handle the messages,
//! [`transmit`] sends and fails statements, [`start`] does the start-up phase. A statement's work happens inside
//! the SQL session's steps; this module only waits in between.

mod copy;
mod extended;
mod simple;
mod start;
mod transmit;

use crate::control::{SessionControl, StopState};
use crate::input::{Input, Interrupt, ReadEnd};
use crate::isolation::isolated;
use crate::listener::Worker;
use crate::output::Output;
use crate::wire::backend;
use hexalog_sql::{Session, SessionActivity, SessionEnd, Stop};
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// PostgreSQL's `idle_in_transaction_session_timeout`.
const IDLE_IN_TRANSACTION_SESSION_TIMEOUT: SqlState = SqlState::new(b"25P03");

/// The sending side of a connection and what it waits with; apart from [`Input`] and [`Session`], so that a
/// handler can hold a message's body and step the session at the same time.
pub(crate) struct Wire {
    stream: TcpStream,
    output: Output,
    control: Arc<SessionControl>,
    worker: Arc<Worker>,
    /// What others see of the session.
    activity: Arc<SessionActivity>,
    /// The session has panicked: it is good for nothing but its end.
    is_broken: bool,
}

/// A connection after its start-up.
pub(crate) struct Connection {
    wire: Wire,
    input: Input,
    session: Session,
    /// After an error in the extended protocol everything up to Sync is skipped.
    is_skipping: bool,
    /// The client was told ReadyForQuery and has sent nothing since.
    is_idle: bool,
    /// The client has ended the session.
    has_said_good_bye: bool,
}

/// How a connection ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The client said good-bye or has gone.
    Closed,
    /// The client is told why, and the connection is closed.
    Fatal(SqlError),
}

/// Why a message could not be handled: an error of the statement, or the connection's end.
#[derive(Debug)]
pub(crate) enum Failed {
    Sql(SqlError),
    End(End),
}

impl From<SqlError> for Failed {
    fn from(error: SqlError) -> Failed {
        Failed::Sql(error)
    }
}

impl From<End> for Failed {
    fn from(end: End) -> Failed {
        Failed::End(end)
    }
}

/// Serves a connection from its first byte to its end.
pub(crate) async fn run(stream: TcpStream, worker: Arc<Worker>) {
    // Small answers must not wait for the client's acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    // A client whose machine has vanished is noticed in the end, as PostgreSQL's default has it: its locks fall.
    let _ = rustix::net::sockopt::set_socket_keepalive(&stream, true);
    if let Some(connection) = Box::pin(start::start(stream, &worker)).await {
        let process_id = connection.wire.control.process_id;
        Box::pin(connection.serve()).await;
        worker.control.unregister(process_id);
    }
    forget(&worker);
}

/// Takes a connection off its worker's count.
pub(crate) fn forget(worker: &Worker) {
    worker.sessions.fetch_sub(1, Ordering::Relaxed);
}

/// 64 random bits from the operating system.
pub(crate) fn random_u64() -> u64 {
    getrandom::u64().expect("the kernel's random source works once the system has booted")
}

impl Connection {
    async fn serve(mut self: Box<Self>) {
        let end = loop {
            if let Err(end) = self.handle_next().await {
                break end;
            }
        };
        self.wire.activity.set_end(self.kind_of(&end));
        if let End::Fatal(error) = &end {
            self.wire.say_good_bye(error).await;
        }
        let _ = self.wire.stream.shutdown().await;
        self.close_session().await;
    }

    /// How an end is counted.
    fn kind_of(&self, end: &End) -> SessionEnd {
        match end {
            End::Closed if self.has_said_good_bye => SessionEnd::Normal,
            End::Closed => SessionEnd::Abandoned,
            End::Fatal(error) if error.sqlstate() == SqlState::ADMIN_SHUTDOWN => SessionEnd::Killed,
            End::Fatal(_) => SessionEnd::Fatal,
        }
    }

    /// Rolls back what is open. Nobody is told any more, so nothing interrupts it but the process's end.
    async fn close_session(&mut self) {
        let mut is_broken = false;
        loop {
            // A panic in dropping what is temporary ends no more than the session has ended already. What is left then is
            // the transaction; a panic in rolling that back ends the process.
            let closed = match is_broken {
                true => Ok(self.session.abandon()),
                false => isolated(|| self.session.close()),
            };
            match closed {
                Err(_) => is_broken = true,
                Ok(Err(Stop::Need(need))) if self.wire.waiting().need_uncancelled(&need).await => {}
                Ok(_) => return,
            }
        }
    }

    async fn handle_next(&mut self) -> Result<(), End> {
        let interrupt = Interrupt::Stop { deadline: self.idle_deadline() };
        let message = self.input.message(&mut self.wire.stream, &self.wire.control, interrupt).await;
        let (kind, body) = message.map_err(|end| read_end(end, &self.wire.control))?;
        if std::mem::take(&mut self.is_idle) {
            // One that came while nothing ran was for a statement that had ended.
            self.wire.control.forget_cancel();
        }
        if self.is_skipping && !matches!(kind, b'S' | b'X') {
            return Ok(());
        }
        match kind {
            b'Q' => self.simple_query(body).await,
            b'P' | b'B' | b'D' | b'E' | b'C' => self.extended(kind, body).await,
            b'H' => self.wire.send(self.session.answer_lsn()).await,
            b'S' => self.sync().await,
            b'X' => {
                self.has_said_good_bye = true;
                Err(End::Closed)
            }
            // Left over from a COPY that failed on the server's side.
            b'd' | b'c' | b'f' => Ok(()),
            b'F' => self.refuse_function_call().await,
            _ => Err(End::Fatal(SqlError::new(
                SqlState::PROTOCOL_VIOLATION,
                format!("invalid frontend message type {kind}"),
            ))),
        }
    }

    /// When the connection of an idle client with an open transaction is ended, by
    /// `idle_in_transaction_session_timeout`.
    fn idle_deadline(&self) -> Option<Instant> {
        let timeout_ms = self.session.idle_in_transaction_timeout_ms();
        let is_bounded = self.is_idle && timeout_ms > 0 && self.session.transaction_status() != b'I';
        is_bounded.then(|| Instant::now() + Duration::from_millis(timeout_ms))
    }

    /// Runs what a message asks of the session without a wait.
    fn isolated<T>(
        &mut self,
        step: impl FnOnce(&mut Connection) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        isolated(|| step(self)).unwrap_or_else(|error| {
            self.wire.is_broken = true;
            Err(error)
        })
    }

    async fn refuse_function_call(&mut self) -> Result<(), End> {
        let error = SqlError::unsupported("the FunctionCall message");
        self.wire.fail(&mut self.session, &error).await?;
        self.ready_for_query().await
    }

    /// Ends a cycle: changed settings, ReadyForQuery, one send. The next message is taken only after that, and
    /// so only once VDL covers the session's own commit.
    async fn ready_for_query(&mut self) -> Result<(), End> {
        for (name, value) in self.session.take_changed_parameters() {
            // A value may come from a row, by set_config.
            backend::parameter_status(self.wire.output.gated(), &name, &value);
        }
        self.wire.output.ready_for_query(self.session.transaction_status());
        self.wire.pass_gate(self.session.answer_lsn()).await?;
        self.wire.gather_replies().await;
        // Before the client knows: whom it asks then must not say that it is still at work.
        self.session.ready();
        self.wire.write_out().await?;
        self.wire.control.end_timeout();
        self.wire.control.forget_cancel();
        self.is_idle = true;
        Ok(())
    }
}

/// What a failed read means between statements.
fn read_end(end: ReadEnd, control: &SessionControl) -> End {
    match end {
        ReadEnd::Closed => End::Closed,
        ReadEnd::Violation(violation) => End::Fatal(SqlError::new(SqlState::PROTOCOL_VIOLATION, violation.0)),
        ReadEnd::Interrupted(_)
            if control.stop_state() == StopState::Running && control.is_snapshot_too_old() =>
        {
            End::Fatal(transmit::snapshot_too_old())
        }
        ReadEnd::Interrupted(_) => End::Fatal(transmit::stopped(control.stop_state())),
        ReadEnd::TooLate => End::Fatal(SqlError::new(
            IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            "terminating connection due to idle-in-transaction timeout",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future_bytes<F, T>(_: impl FnOnce(T) -> F) -> usize {
        size_of::<F>()
    }

    /// An idle connection is one task and one boxed future; its buffers are in the worker's pool. The budget for
    /// it is 4 KiB of user memory.
    #[test]
    fn an_idle_connection_is_small() {
        let serve = future_bytes(Connection::serve);
        let task = future_bytes(|(stream, worker)| run(stream, worker));
        let connection = size_of::<Connection>();
        assert!(serve + task + connection <= 4096, "{serve} + {task} + {connection} bytes");
    }
}
