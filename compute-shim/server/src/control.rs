//! What reaches a session from outside: cancel, timeout, disconnect, the process's end.
//!
//! Owns the flags and the register of sessions. Nothing here stops a statement by force: the flags are read at
//! yield points and while waiting, so a statement is never left half done.

use crate::status::StatusSource;
use hexalog_sql::CancelReason;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

/// How far the process is on its way out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum StopState {
    /// Serving.
    Running = 0,
    /// Statements are cancelled, idle sessions closed; commits that were appended are still waited for.
    Stopping = 1,
    /// Nothing is waited for any more.
    Aborting = 2,
    /// Another writer has the volume: nothing that is not durable may be told to anyone.
    Fenced = 3,
}

impl StopState {
    fn from_u8(value: u8) -> StopState {
        match value {
            0 => StopState::Running,
            1 => StopState::Stopping,
            2 => StopState::Aborting,
            _ => StopState::Fenced,
        }
    }
}

/// Sessions by process id.
#[derive(Default)]
struct Register {
    by_id: HashMap<i32, Arc<SessionControl>>,
    /// How many of them are of clients: counting them anew for each that comes would be quadratic.
    clients: usize,
}

/// The register of sessions and the process's state; shared by all workers.
pub struct ServerControl {
    stop: AtomicU8,
    started: Instant,
    process_id_next: AtomicU64,
    sessions: Mutex<Register>,
    watchers: Mutex<Vec<Waker>>,
    status: OnceLock<StatusSource>,
}

impl ServerControl {
    /// Running, without sessions.
    pub fn new() -> Arc<ServerControl> {
        Arc::new(ServerControl {
            stop: AtomicU8::new(StopState::Running as u8),
            started: Instant::now(),
            process_id_next: AtomicU64::new(1),
            sessions: Mutex::default(),
            watchers: Mutex::default(),
            status: OnceLock::new(),
        })
    }

    /// The process's state.
    pub fn stop_state(&self) -> StopState {
        StopState::from_u8(self.stop.load(Ordering::Acquire))
    }

    /// Moves the state on (never back) and wakes every session to see it.
    pub fn stop(&self, state: StopState) {
        self.stop.fetch_max(state as u8, Ordering::AcqRel);
        for session in self.sessions().by_id.values() {
            session.wake();
        }
        lock(&self.watchers).drain(..).for_each(Waker::wake);
    }

    /// Resolves once the state is at least `state`.
    pub async fn stopped(&self, state: StopState) {
        std::future::poll_fn(|cx| {
            let mut watchers = lock(&self.watchers);
            if self.stop_state() >= state {
                return std::task::Poll::Ready(());
            }
            if !watchers.iter().any(|waker| waker.will_wake(cx.waker())) {
                watchers.push(cx.waker().clone());
            }
            std::task::Poll::Pending
        })
        .await;
    }

    /// What `hexalog status` is answered with from now on.
    pub(crate) fn set_status(&self, source: StatusSource) {
        let was_unset = self.status.set(source).is_ok();
        assert!(was_unset, "a process opens one volume");
    }

    /// The answer to `hexalog status`, once the volume is open.
    pub(crate) fn status(&self) -> Option<String> {
        self.status.get().map(|source| source.report().to_string())
    }

    /// Sessions at this moment.
    pub fn session_count(&self) -> usize {
        self.sessions().by_id.len()
    }

    /// Registers a session of the process's own, which takes no client's place; nobody has a secret to cancel it.
    pub(crate) fn register_own(self: &Arc<Self>) -> Arc<SessionControl> {
        self.add(&mut self.sessions(), 0, false)
    }

    /// Registers a client's session. `None`: there are `count_max` already.
    pub fn register(self: &Arc<Self>, secret: i32, count_max: usize) -> Option<Arc<SessionControl>> {
        let mut sessions = self.sessions();
        (sessions.clients < count_max).then(|| self.add(&mut sessions, secret, true))
    }

    fn add(self: &Arc<Self>, sessions: &mut Register, secret: i32, is_client: bool) -> Arc<SessionControl> {
        // 31 bits, never 0, and free: sessions are far fewer than ids.
        let process_id = loop {
            let id = (self.process_id_next.fetch_add(1, Ordering::Relaxed) % (i32::MAX as u64)) as i32;
            if id > 0 && !sessions.by_id.contains_key(&id) {
                break id;
            }
        };
        let session = Arc::new(SessionControl {
            process_id,
            secret,
            is_client,
            cancel: AtomicBool::new(false),
            disconnected: AtomicBool::new(false),
            terminated: AtomicBool::new(false),
            is_snapshot_too_old: AtomicBool::new(false),
            pause_us: AtomicU64::new(0),
            deadline_us: AtomicU64::new(0),
            waker: Mutex::new(None),
            server: Arc::clone(self),
        });
        sessions.by_id.insert(process_id, Arc::clone(&session));
        sessions.clients += usize::from(is_client);
        session
    }

    /// Forgets a session that has ended.
    pub fn unregister(&self, process_id: i32) {
        let mut sessions = self.sessions();
        if sessions.by_id.remove(&process_id).is_some_and(|session| session.is_client) {
            sessions.clients -= 1;
        }
        drop(sessions);
        if self.stop_state() > StopState::Running {
            lock(&self.watchers).drain(..).for_each(Waker::wake);
        }
    }

    /// Resolves once no session is left.
    pub async fn drained(&self) {
        std::future::poll_fn(|cx| {
            let mut watchers = lock(&self.watchers);
            if self.session_count() == 0 {
                return std::task::Poll::Ready(());
            }
            watchers.push(cx.waker().clone());
            std::task::Poll::Pending
        })
        .await;
    }

    /// A CancelRequest. A wrong secret changes nothing and is not answered either.
    pub fn cancel(&self, process_id: i32, secret: i32) {
        let session = self.sessions().by_id.get(&process_id).cloned();
        if let Some(session) = session.filter(|session| session.is_client && session.secret == secret) {
            session.cancel.store(true, Ordering::Release);
            session.wake();
        }
    }

    /// The same from within, where nobody needs a secret.
    pub fn cancel_from_within(&self, process_id: i32) {
        let session = self.sessions().by_id.get(&process_id).cloned();
        if let Some(session) = session {
            session.cancel.store(true, Ordering::Release);
            session.wake();
        }
    }

    /// Ends a session from within, if it is still there: another one wants its database gone, or says so.
    pub fn terminate(&self, process_id: i32) {
        let session = self.sessions().by_id.get(&process_id).cloned();
        if let Some(session) = session {
            session.terminated.store(true, Ordering::Release);
            session.wake();
        }
    }

    /// Ends a session whose snapshot is too old.
    pub(crate) fn terminate_for_old_snapshot(&self, process_id: i32) {
        let session = self.sessions().by_id.get(&process_id).cloned();
        if let Some(session) = session {
            session.is_snapshot_too_old.store(true, Ordering::Release);
        }
        self.terminate(process_id);
    }

    fn sessions(&self) -> MutexGuard<'_, Register> {
        lock(&self.sessions)
    }
}

/// A panic of another holder leaves these maps whole: every change is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One session's flags, set from anywhere and read by the session.
pub struct SessionControl {
    /// As told in BackendKeyData; `pg_backend_pid()`.
    pub process_id: i32,
    /// As told in BackendKeyData.
    pub secret: i32,
    is_client: bool,
    cancel: AtomicBool,
    disconnected: AtomicBool,
    terminated: AtomicBool,
    /// That is why.
    is_snapshot_too_old: AtomicBool,
    /// Microseconds; 0: none.
    pause_us: AtomicU64,
    /// Microseconds after the server's start; 0: none.
    deadline_us: AtomicU64,
    waker: Mutex<Option<Waker>>,
    server: Arc<ServerControl>,
}

impl SessionControl {
    /// The server's state.
    pub fn stop_state(&self) -> StopState {
        self.server.stop_state()
    }

    /// The session has nothing to do for so long the next time that it lets others run.
    pub fn pause(&self, us: u64) {
        self.pause_us.store(us, Ordering::Relaxed);
    }

    /// For how long, if it said so since it was asked last.
    pub fn take_pause(&self) -> Option<Duration> {
        let us = self.pause_us.swap(0, Ordering::Relaxed);
        (us > 0).then_some(Duration::from_micros(us))
    }

    /// Whether the session is to end, be it between statements.
    pub fn is_ending(&self) -> bool {
        self.stop_state() > StopState::Running || self.is_terminated()
    }

    /// Whether somebody has ended it.
    pub fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::Acquire)
    }

    /// Stops what another session runs.
    pub fn cancel_other(&self, process_id: i32) {
        self.server.cancel_from_within(process_id);
    }

    /// Whether the session is ended because its snapshot is too old.
    pub fn is_snapshot_too_old(&self) -> bool {
        self.is_snapshot_too_old.load(Ordering::Acquire)
    }

    /// Ends another session.
    pub fn terminate_other(&self, process_id: i32) {
        self.server.terminate(process_id);
    }

    /// Why the running statement shall stop, if it shall.
    pub fn cancelled(&self) -> Option<CancelReason> {
        if self.is_ending() || self.disconnected.load(Ordering::Acquire) {
            return Some(CancelReason::Shutdown);
        }
        if self.cancel.load(Ordering::Acquire) {
            return Some(CancelReason::Request);
        }
        let deadline_us = self.deadline_us.load(Ordering::Relaxed);
        if deadline_us != 0 && self.elapsed_us() >= deadline_us {
            return Some(CancelReason::StatementTimeout);
        }
        None
    }

    /// The client has gone.
    pub fn set_disconnected(&self) {
        self.disconnected.store(true, Ordering::Release);
    }

    /// Whether the client has gone.
    pub fn is_disconnected(&self) -> bool {
        self.disconnected.load(Ordering::Acquire)
    }

    /// Starts `statement_timeout`, unless it runs already. Zero: none.
    pub fn start_timeout(&self, timeout_ms: u64) {
        if timeout_ms > 0 && self.deadline_us.load(Ordering::Relaxed) == 0 {
            let deadline_us = self.elapsed_us().saturating_add(timeout_ms.saturating_mul(1000));
            self.deadline_us.store(deadline_us.max(1), Ordering::Relaxed);
        }
    }

    /// Ends `statement_timeout`.
    pub fn end_timeout(&self) {
        self.deadline_us.store(0, Ordering::Relaxed);
    }

    /// A cancel request that came too late counts for nothing.
    pub fn forget_cancel(&self) {
        self.cancel.store(false, Ordering::Release);
    }

    /// When `statement_timeout` strikes.
    pub fn deadline(&self) -> Option<Instant> {
        let deadline_us = self.deadline_us.load(Ordering::Relaxed);
        (deadline_us != 0).then(|| self.server.started + Duration::from_micros(deadline_us))
    }

    /// `waker` is woken when a flag changes; one task waits for a session.
    pub fn watch(&self, waker: &Waker) {
        let mut slot = lock(&self.waker);
        match slot.as_mut() {
            Some(known) => known.clone_from(waker),
            None => *slot = Some(waker.clone()),
        }
    }

    fn wake(&self) {
        if let Some(waker) = lock(&self.waker).take() {
            waker.wake();
        }
    }

    fn elapsed_us(&self) -> u64 {
        u64::try_from(self.server.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancel_needs_the_secret_and_the_order_of_reasons() {
        let server = ServerControl::new();
        let session = server.register(77, 10).expect("room");
        server.cancel(session.process_id, 78);
        assert_eq!(session.cancelled(), None);
        server.cancel(session.process_id, 77);
        assert_eq!(session.cancelled(), Some(CancelReason::Request));
        session.forget_cancel();
        assert_eq!(session.cancelled(), None);
        session.start_timeout(1);
        std::thread::sleep(Duration::from_millis(3));
        assert_eq!(session.cancelled(), Some(CancelReason::StatementTimeout));
        session.end_timeout();
        server.stop(StopState::Stopping);
        assert_eq!(session.cancelled(), Some(CancelReason::Shutdown));
        server.stop(StopState::Running);
        assert_eq!(server.stop_state(), StopState::Stopping, "never back");
    }

    #[test]
    fn no_more_sessions_than_allowed() {
        let server = ServerControl::new();
        let own = server.register_own();
        let first = server.register(1, 1).expect("the process's own session takes no client's place");
        assert!(server.register(1, 1).is_none());
        server.unregister(own.process_id);
        assert!(server.register(1, 1).is_none());
        server.unregister(first.process_id);
        server.unregister(first.process_id);
        assert!(server.register(1, 1).is_some());
    }
}
