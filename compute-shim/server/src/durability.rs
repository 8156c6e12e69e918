//! Waiting for VDL: one queue per worker, one wake per worker and VDL advance.
//!
//! Sessions of a worker stand here by LSN; one task of the worker ([`DurabilityQueue::run`]) waits on the
//! engine for the lowest of them and wakes all that a VDL advance covers in one turn. So an advance costs one
//! wake across threads per worker, however many commits it releases.

use hexalog_engine::{Engine, Need};
use hexalog_protocol::Lsn;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The queue of one worker.
pub struct DurabilityQueue {
    engine: Arc<Engine>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By LSN, lowest first; nearly always appended at the back, since later commits have higher LSNs.
    waits: VecDeque<Wait>,
    number_next: u64,
    runner: Option<Waker>,
}

struct Wait {
    lsn: Lsn,
    /// Tells places apart.
    number: u64,
    waker: Waker,
}

/// One session's place in the queue. Dropped before its LSN is reached it is given up: while nothing becomes durable,
/// clients that come, wait and go leave nothing behind.
pub struct Place<'a> {
    queue: &'a DurabilityQueue,
    taken: Option<(Lsn, u64)>,
}

impl Place<'_> {
    /// Ready once VDL has reached `lsn`. The first call seals the boxcars up to it and takes the place.
    pub fn poll_durable(&mut self, cx: &Context<'_>, lsn: Lsn) -> Poll<()> {
        if self.queue.is_durable(lsn) {
            return Poll::Ready(());
        }
        if self.taken.is_none() {
            self.taken = Some((lsn, self.queue.take_place(cx, lsn)));
        }
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // One that VDL has reached is taken out by the runner, which costs no search.
        if let Some((lsn, number)) = self.taken
            && !self.queue.is_durable(lsn)
        {
            self.queue.leave_place(number);
        }
    }
}

impl DurabilityQueue {
    /// Empty; its worker must run [`DurabilityQueue::run`].
    pub fn new(engine: Arc<Engine>) -> Arc<DurabilityQueue> {
        Arc::new(DurabilityQueue { engine, state: Mutex::default() })
    }

    /// Whether VDL has reached `lsn`.
    pub fn is_durable(&self, lsn: Lsn) -> bool {
        self.engine.volume().vdl() >= lsn
    }

    /// A place in the queue, not taken yet.
    pub fn place(&self) -> Place<'_> {
        Place { queue: self, taken: None }
    }

    fn take_place(&self, cx: &Context<'_>, lsn: Lsn) -> u64 {
        self.engine.volume().seal_through(lsn);
        let mut state = self.state();
        state.number_next += 1;
        let number = state.number_next;
        let at = state.waits.iter().rposition(|wait| wait.lsn <= lsn).map_or(0, |index| index + 1);
        state.waits.insert(at, Wait { lsn, number, waker: cx.waker().clone() });
        // The runner waits for the lowest only.
        if at == 0
            && let Some(runner) = state.runner.take()
        {
            runner.wake();
        }
        number
    }

    fn leave_place(&self, number: u64) {
        self.state().waits.retain(|wait| wait.number != number);
    }

    /// Wakes whoever VDL has reached; runs on the worker for as long as it lives.
    pub async fn run(&self) {
        std::future::poll_fn(|cx| self.poll_run(cx)).await
    }

    fn poll_run(&self, cx: &Context<'_>) -> Poll<()> {
        loop {
            let vdl = self.engine.volume().vdl();
            let mut state = self.state();
            while state.waits.front().is_some_and(|wait| wait.lsn <= vdl) {
                state.waits.pop_front().expect("looked at").waker.wake();
            }
            state.runner = Some(cx.waker().clone());
            let Some(lowest) = state.waits.front() else { return Poll::Pending };
            let need = Need::Durable(lowest.lsn);
            drop(state);
            if !self.engine.poll_need(&need, cx.waker()) || self.engine.volume().vdl() < lowest_of(&need) {
                return Poll::Pending;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fenced engine calls every need met so that its callers see the failure; VDL does not move then, and the
/// sessions learn of it from [`crate::control`].
fn lowest_of(need: &Need) -> Lsn {
    match need {
        Need::Durable(lsn) => *lsn,
        _ => Lsn::ZERO,
    }
}
