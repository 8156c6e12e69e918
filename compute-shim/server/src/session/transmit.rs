//! Stepping the SQL session, sending what it produced, and failing statements.

use super::{End, Failed, Wire};
use crate::control::StopState;
use crate::isolation::isolated;
use crate::output::Output;
use crate::wait::{GateBroken, Waiting};
use crate::wire::backend;
use hexalog_engine::Need;
use hexalog_protocol::Lsn;
use hexalog_sql::{Session, SessionWait, Step, Stop};
use hexalog_sql_types::{SqlError, SqlState};

impl Wire {
    /// What this connection waits with.
    pub(super) fn waiting(&self) -> Waiting<'_> {
        Waiting {
            engine: self.worker.database.engine(),
            durability: &self.worker.durability,
            control: &self.control,
            stream: Some(&self.stream),
            is_read_only: self.worker.options.is_read_only,
        }
    }

    /// Calls `step` until it is through, waiting for its needs.
    pub(super) async fn drive<T>(
        &mut self,
        session: &mut Session,
        mut step: impl FnMut(&mut Session, &mut Output) -> Step<T>,
    ) -> Result<T, SqlError> {
        let mut long_statement = None;
        loop {
            let stepped = isolated(|| step(session, &mut self.output));
            match stepped.inspect_err(|_| self.is_broken = true)? {
                Ok(done) => return Ok(done),
                Err(Stop::Error(error)) => return Err(error),
                Err(Stop::Need(need)) => {
                    if need == Need::Yield && long_statement.is_none() {
                        long_statement = Some(self.worker.long_statement());
                    }
                    let lock_timeout_ms = session.lock_timeout_ms();
                    // Boxed, here and below: what waits now and then must not weigh on every idle connection.
                    Box::pin(self.waiting().need(&need, lock_timeout_ms)).await?;
                }
            }
        }
    }

    /// Sends what has gathered, once VDL covers `answer_lsn` if any of it rests on that.
    pub(super) async fn send(&mut self, answer_lsn: Lsn) -> Result<(), End> {
        if self.output.is_empty() {
            return Ok(());
        }
        self.pass_gate(answer_lsn).await?;
        self.write_out().await
    }

    /// Waits until what has gathered may be sent.
    pub(super) async fn pass_gate(&mut self, answer_lsn: Lsn) -> Result<(), End> {
        if self.output.is_gated() {
            if !self.worker.durability.is_durable(answer_lsn) {
                self.activity.wait(SessionWait::Durable);
                Box::pin(self.waiting().answer_gate(answer_lsn)).await.map_err(gate_broken)?;
                self.activity.wait(SessionWait::Nothing);
            }
            self.confirm_writer().await?;
        }
        Ok(())
    }

    /// A process that was paused may have been replaced: what it has read may be stale then. While storage
    /// answers, this costs two loads.
    async fn confirm_writer(&self) -> Result<(), End> {
        let Some(volume) = &self.worker.volume else { return Ok(()) };
        let stale_read_max = self.worker.options.stale_read_max;
        if !volume.is_fresh(stale_read_max) {
            let confirming = volume.confirm_fresh(stale_read_max);
            Box::pin(self.waiting().confirmation(confirming)).await.map_err(gate_broken)?;
        }
        match self.control.stop_state() {
            StopState::Fenced => Err(End::Fatal(stopped(StopState::Fenced))),
            _ => Ok(()),
        }
    }

    /// Lets the worker's other sessions have their turn before a reply is written, so that the replies of one turn go out together:
    /// their clients then wake together, and ask together. One client per turn would have each woken alone, and the
    /// scheduler would go between them and the worker for every message.
    pub(super) async fn gather_replies(&self) {
        if self.worker.has_short_turns() {
            tokio::task::yield_now().await;
        }
    }

    /// Writes the buffer to the socket; nearly always one system call.
    pub(super) async fn write_out(&mut self) -> Result<(), End> {
        let mut sent = 0;
        while sent < self.output.bytes().len() {
            match self.stream.try_write(&self.output.bytes()[sent..]) {
                Ok(bytes) => sent += bytes,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.wait_writable().await?;
                }
                Err(_) => return Err(End::Closed),
            }
        }
        self.output.clear();
        Ok(())
    }

    /// A client that does not read holds up its own session only; neither the process's end nor who ends the session waits for it.
    async fn wait_writable(&self) -> Result<(), End> {
        std::future::poll_fn(|cx| {
            self.control.watch(cx.waker());
            if self.control.stop_state() >= StopState::Aborting || self.control.is_terminated() {
                return std::task::Poll::Ready(Err(End::Closed));
            }
            self.stream.poll_write_ready(cx).map(|ready| ready.map_err(|_| End::Closed))
        })
        .await
    }

    /// A statement has failed: undoes it and tells the client. An error that ends the connection comes back as
    /// its end.
    pub(super) async fn fail(&mut self, session: &mut Session, error: &SqlError) -> Result<(), End> {
        if error.sqlstate() == SqlState::ADMIN_SHUTDOWN {
            return Err(match self.control.stop_state() {
                _ if self.control.is_disconnected() => End::Closed,
                StopState::Running if self.control.is_snapshot_too_old() => End::Fatal(snapshot_too_old()),
                StopState::Running => End::Fatal(error.clone()),
                state => End::Fatal(stopped(state)),
            });
        }
        self.control.end_timeout();
        if self.is_broken {
            // What it was saying may break off in the midst of a message.
            self.output.clear();
            return Err(End::Fatal(error.clone()));
        }
        while let Err(stop) = isolated(|| session.fail(error)).map_err(End::Fatal)? {
            match stop {
                Stop::Need(need) => {
                    if !self.waiting().need_uncancelled(&need).await {
                        return Err(End::Fatal(stopped(self.control.stop_state())));
                    }
                }
                // Undoing failed (the volume was fenced, a page is damaged): no transaction state is left that
                // could be described to the client.
                Stop::Error(worse) => return Err(End::Fatal(worse)),
            }
        }
        backend::error_response(self.output.gated(), "ERROR", error);
        self.control.forget_cancel();
        Ok(())
    }

    /// As [`Self::fail`], for whatever a handler returned.
    pub(super) async fn settle(
        &mut self,
        session: &mut Session,
        outcome: Result<(), Failed>,
    ) -> Result<bool, End> {
        match outcome {
            Ok(()) => Ok(true),
            Err(Failed::Sql(error)) => self.fail(session, &error).await.map(|()| false),
            Err(Failed::End(end)) => Err(end),
        }
    }

    /// The last words on a connection. What waits for durability is dropped unsent: after a FATAL the client
    /// knows that the outcome of its last transaction is open.
    pub(super) async fn say_good_bye(&mut self, error: &SqlError) {
        if self.output.is_gated() {
            self.output.clear();
        }
        backend::error_response(self.output.plain(), "FATAL", error);
        let bytes = self.output.bytes();
        // One try: a client that has left its socket full is not waited for.
        let _ = self.stream.try_write(bytes);
        self.output.clear();
    }
}

fn gate_broken(broken: GateBroken) -> End {
    match broken {
        GateBroken::Disconnected => End::Closed,
        GateBroken::Stopped(state) => End::Fatal(stopped(state)),
        GateBroken::Cancelled(reason) => End::Fatal(
            reason
                .error()
                .with_detail("Storage does not confirm that this server still is the writer: what was read cannot be told.")
                .with_hint("What committed before is not undone. See whether three storage daemons of a group are up."),
        ),
    }
}

/// What a client is told whose session was ended since it held purge back.
pub(super) fn snapshot_too_old() -> SqlError {
    SqlError::new(SqlState::SNAPSHOT_TOO_OLD, "terminating connection: snapshot too old")
        .with_detail("Its snapshot kept everything that has been changed since.")
        .with_hint("Keep transactions short. The server's option --old-snapshot-threshold says how old one may become.")
}

/// What clients are told when the process ends under them.
pub(super) fn stopped(state: StopState) -> SqlError {
    match state {
        StopState::Fenced => SqlError::new(
            SqlState::ADMIN_SHUTDOWN,
            "terminating connection because another writer has opened the volume",
        )
        .with_detail("This compute process has been fenced by storage and can never write again.")
        .with_hint("Connect to the new writer; whether the last transaction committed can be seen there."),
        _ => SqlError::new(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command"),
    }
}
