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
    waits: VecDeque<(Lsn, Waker)>,
    runner: Option<Waker>,
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

    /// Ready once VDL has reached `lsn`. The first call (`queued` false) seals the boxcars up to it and takes
    /// a place in the queue.
    pub fn poll_durable(&self, cx: &Context<'_>, lsn: Lsn, queued: &mut bool) -> Poll<()> {
        if self.is_durable(lsn) {
            return Poll::Ready(());
        }
        if !*queued {
            *queued = true;
            self.engine.volume().seal_through(lsn);
            let mut state = self.state();
            let at = state.waits.iter().rposition(|(other, _)| *other <= lsn).map_or(0, |index| index + 1);
            state.waits.insert(at, (lsn, cx.waker().clone()));
            // The runner waits for the lowest only.
            if at == 0
                && let Some(runner) = state.runner.take()
            {
                runner.wake();
            }
        }
        Poll::Pending
    }

    /// Wakes whoever VDL has reached; runs on the worker for as long as it lives.
    pub async fn run(&self) {
        std::future::poll_fn(|cx| self.poll_run(cx)).await
    }

    fn poll_run(&self, cx: &Context<'_>) -> Poll<()> {
        loop {
            let vdl = self.engine.volume().vdl();
            let mut state = self.state();
            while state.waits.front().is_some_and(|(lsn, _)| *lsn <= vdl) {
                let (_, waker) = state.waits.pop_front().expect("looked at");
                waker.wake();
            }
            state.runner = Some(cx.waker().clone());
            let Some((lowest, _)) = state.waits.front() else { return Poll::Pending };
            let need = Need::Durable(*lowest);
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
