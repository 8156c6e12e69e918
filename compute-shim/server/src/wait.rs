//! Waiting for a need of the SQL layer, watching for cancel, timeout and disconnect meanwhile.

use crate::control::{SessionControl, StopState};
use crate::durability::{DurabilityQueue, Place};
use hexalog_engine::{Engine, Need};
use hexalog_protocol::Lsn;
use hexalog_sql::CancelReason;
use hexalog_sql_types::{SqlError, SqlState};
use hexalog_volume_driver::State;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a statement waits for room in the log while storage is full: what frees space has had time to do it.
const FULL_WAIT: Duration = Duration::from_secs(5);

/// Longest pause in one piece: timers have an end.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// Why a wait for durability ended without it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GateBroken {
    /// The client has gone; nobody is left to tell.
    Disconnected,
    /// The process gives up waiting.
    Stopped(StopState),
    /// The client or a timeout gave up waiting for storage to confirm this writer.
    Cancelled(CancelReason),
}

/// What a session waits with.
pub struct Waiting<'a> {
    /// Answers needs.
    pub engine: &'a Engine,
    /// The worker's queue for durability.
    pub durability: &'a DurabilityQueue,
    /// The session's flags.
    pub control: &'a SessionControl,
    /// Watched for the client's going, if there is one.
    pub stream: Option<&'a TcpStream>,
    /// There is no writer: room in the log will never come.
    pub is_read_only: bool,
}

impl Waiting<'_> {
    /// Waits until `need` is met. An error: the statement shall be failed with it; the engine has been told that
    /// nobody waits any more.
    pub async fn need(&self, need: &Need, lock_timeout_ms: u64) -> Result<(), SqlError> {
        let outcome = match need {
            Need::Yield => match self.control.take_pause() {
                Some(pause) => self.pause(pause).await.map_err(CancelReason::error),
                None => {
                    tokio::task::yield_now().await;
                    Ok(())
                }
            },
            Need::LogSpace { .. } if self.is_read_only => Err(no_writer()),
            Need::LogSpace { .. } | Need::Grow { .. } => self.room(need).await,
            _ => self.need_or_reason(need, lock_timeout_ms).await.map_err(CancelReason::error),
        };
        // Also when both came at once: a statement does not go on after its cancel, nor while the process ends. A need
        // is asked for before anything is appended, so nothing is undone by this that could stand.
        let outcome = outcome.and_then(|()| match self.control.cancelled() {
            Some(reason) => Err(reason.error()),
            None => Ok(()),
        });
        if outcome.is_err() {
            self.engine.cancel_need(need);
        }
        outcome
    }

    /// Does nothing for so long, unless there is a reason to stop.
    async fn pause(&self, pause: Duration) -> Result<(), CancelReason> {
        let end = Instant::now() + pause.min(PAUSE_MAX);
        let deadline = self.control.deadline().map(Instant::from_std).filter(|deadline| *deadline < end);
        let mut timer = pin!(sleep_until(deadline.unwrap_or(end)));
        let mut watch = DisconnectWatch::new();
        poll_fn(|cx| {
            self.control.watch(cx.waker());
            if watch.poll_gone(self.stream, cx) {
                self.control.set_disconnected();
            }
            if let Some(reason) = self.control.cancelled() {
                return Poll::Ready(Err(reason));
            }
            timer.as_mut().poll(cx).map(|()| match deadline {
                Some(_) => Err(CancelReason::StatementTimeout),
                None => Ok(()),
            })
        })
        .await
    }

    /// While storage is full, room in the log may never come, nor pages that purge needs such room to free: the statement is
    /// told so rather than kept waiting.
    async fn room(&self, need: &Need) -> Result<(), SqlError> {
        loop {
            match tokio::time::timeout(FULL_WAIT, self.need_or_reason(need, 0)).await {
                Ok(met) => return met.map_err(CancelReason::error),
                Err(_elapsed) if self.engine.volume().is_full() => return Err(storage_full()),
                Err(_elapsed) => {}
            }
        }
    }

    async fn need_or_reason(&self, need: &Need, lock_timeout_ms: u64) -> Result<(), CancelReason> {
        let (deadline, reason) = self.deadline(need, lock_timeout_ms);
        let mut timer = pin!(deadline.map(sleep_until));
        let mut watch = DisconnectWatch::new();
        let mut place = self.durability.place();
        poll_fn(|cx| {
            self.control.watch(cx.waker());
            if self.poll_met(cx, need, &mut place).is_ready() {
                return Poll::Ready(Ok(()));
            }
            if let Some(reason) = self.control.cancelled() {
                return Poll::Ready(Err(reason));
            }
            if poll_timer(timer.as_mut(), cx).is_ready() {
                return Poll::Ready(Err(reason));
            }
            if watch.poll_gone(self.stream, cx) {
                self.control.set_disconnected();
                return Poll::Ready(Err(CancelReason::Shutdown));
            }
            Poll::Pending
        })
        .await
    }

    /// Waits for a need of work that must be finished (undoing a failed statement): no cancel, no timeout.
    /// False: the process gives up.
    pub async fn need_uncancelled(&self, need: &Need) -> bool {
        if *need == Need::Yield {
            tokio::task::yield_now().await;
            return self.control.stop_state() < StopState::Aborting;
        }
        let mut place = self.durability.place();
        poll_fn(|cx| {
            self.control.watch(cx.waker());
            if self.poll_met(cx, need, &mut place).is_ready() {
                return Poll::Ready(true);
            }
            if self.control.stop_state() >= StopState::Aborting {
                return Poll::Ready(false);
            }
            Poll::Pending
        })
        .await
    }

    /// Waits until what was produced may be told: VDL has reached `lsn`. Neither cancel nor timeout end this
    /// wait: the commit stands in the log and nobody can take it back.
    pub async fn answer_gate(&self, lsn: Lsn) -> Result<(), GateBroken> {
        if self.durability.is_durable(lsn) {
            return Ok(());
        }
        let mut place = self.durability.place();
        self.answer_or_broken(|cx| place.poll_durable(cx, lsn).map(Ok)).await
    }

    /// Waits until storage has confirmed this writer, or another has taken its place. Cancel and timeout end this wait: nothing in the log hangs on it.
    pub async fn confirmation(&self, confirming: impl Future<Output = State>) -> Result<(), GateBroken> {
        let mut confirming = pin!(confirming);
        let mut timer = pin!(self.control.deadline().map(Instant::from_std).map(sleep_until));
        self.answer_or_broken(|cx| {
            if let Poll::Ready(state) = confirming.as_mut().poll(cx) {
                // Sessions are stopped by another task, which need not have run yet.
                return Poll::Ready(match state {
                    State::Open => Ok(()),
                    State::Fenced => Err(GateBroken::Stopped(StopState::Fenced)),
                    State::Opening | State::Closed => Err(GateBroken::Stopped(self.control.stop_state())),
                });
            }
            // Polled for its wake; what it means is asked of the flags.
            let _ = poll_timer(timer.as_mut(), cx);
            match self.control.cancelled() {
                // The process's own end gives it the time that it gives to commits.
                None | Some(CancelReason::Shutdown) => Poll::Pending,
                Some(reason) => Poll::Ready(Err(GateBroken::Cancelled(reason))),
            }
        })
        .await
    }

    /// Waits for `ready` unless the client goes or the process gives up.
    async fn answer_or_broken(
        &self,
        mut ready: impl FnMut(&mut Context<'_>) -> Poll<Result<(), GateBroken>>,
    ) -> Result<(), GateBroken> {
        let mut watch = DisconnectWatch::new();
        poll_fn(|cx| {
            self.control.watch(cx.waker());
            if let Poll::Ready(outcome) = ready(cx) {
                return Poll::Ready(outcome);
            }
            let state = self.control.stop_state();
            if state >= StopState::Aborting {
                return Poll::Ready(Err(GateBroken::Stopped(state)));
            }
            if watch.poll_gone(self.stream, cx) {
                self.control.set_disconnected();
                return Poll::Ready(Err(GateBroken::Disconnected));
            }
            Poll::Pending
        })
        .await
    }

    fn poll_met(&self, cx: &Context<'_>, need: &Need, place: &mut Place<'_>) -> Poll<()> {
        if let Need::Durable(lsn) = need {
            return place.poll_durable(cx, *lsn);
        }
        if self.engine.poll_need(need, cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The nearer of `statement_timeout` and, for a lock, `lock_timeout`.
    fn deadline(&self, need: &Need, lock_timeout_ms: u64) -> (Option<Instant>, CancelReason) {
        let statement = self.control.deadline().map(Instant::from_std);
        if lock_timeout_ms == 0 || !matches!(need, Need::Lock(_)) {
            return (statement, CancelReason::StatementTimeout);
        }
        let lock = Instant::now() + Duration::from_millis(lock_timeout_ms);
        match statement {
            Some(statement) if statement <= lock => (Some(statement), CancelReason::StatementTimeout),
            _ => (Some(lock), CancelReason::LockTimeout),
        }
    }
}

/// 53100, for a write that found no room in the log of full storage.
fn storage_full() -> SqlError {
    SqlError::new(SqlState::DISK_FULL, "could not write to storage: No space left on device")
        .with_hint("Reads and ROLLBACK still work. Give the storage daemons larger devices.")
}

/// 25006, for a write while compute has no write quorum.
fn no_writer() -> SqlError {
    SqlError::new(
        SqlState::READ_ONLY_SQL_TRANSACTION,
        "cannot write: storage has no write quorum at the moment",
    )
    .with_hint(
        "This server becomes the writer by itself once four of six storage daemons of every group are up.",
    )
}

fn poll_timer(timer: Pin<&mut Option<Sleep>>, cx: &mut Context<'_>) -> Poll<()> {
    timer.as_pin_mut().map_or(Poll::Pending, |timer| timer.poll(cx))
}

/// Looks for the end of the client's stream without taking bytes from it. A client that has sent more
/// meanwhile is not gone; its end is then seen when those bytes are read.
struct DisconnectWatch {
    is_watching: bool,
}

impl DisconnectWatch {
    fn new() -> DisconnectWatch {
        DisconnectWatch { is_watching: true }
    }

    fn poll_gone(&mut self, stream: Option<&TcpStream>, cx: &mut Context<'_>) -> bool {
        let Some(stream) = stream.filter(|_| self.is_watching) else { return false };
        let mut byte = [0];
        match stream.poll_peek(cx, &mut ReadBuf::new(&mut byte)) {
            Poll::Pending => false,
            Poll::Ready(Ok(0) | Err(_)) => true,
            Poll::Ready(Ok(_)) => {
                self.is_watching = false;
                false
            }
        }
    }
}
