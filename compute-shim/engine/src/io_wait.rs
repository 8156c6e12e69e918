//! Waits for input and output that is none of the engine's, such as that of a statement's temporary files.
//!
//! Owns [`IoWait`]. Whoever carries the work out ends the wait; whoever needs it polls through [`crate::Engine::poll_need`], as for
//! everything else that a transaction waits for.

use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

#[derive(Default)]
struct State {
    is_over: bool,
    wakers: Vec<Waker>,
}

/// Something that is under way and ends once. Clones are the same wait; several may wait for it.
#[derive(Clone, Default)]
pub struct IoWait(Arc<Mutex<State>>);

impl IoWait {
    /// Over from the start.
    pub fn ended() -> IoWait {
        let wait = IoWait::default();
        wait.end();
        wait
    }

    /// What was waited for has come.
    pub fn end(&self) {
        let woken = {
            let mut state = self.0.lock();
            state.is_over = true;
            std::mem::take(&mut state.wakers)
        };
        woken.iter().for_each(Waker::wake_by_ref);
    }

    /// True if it is over; otherwise the waker is kept until it is.
    pub fn poll(&self, waker: &Waker) -> bool {
        let mut state = self.0.lock();
        if !state.is_over && !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        state.is_over
    }
}

impl PartialEq for IoWait {
    fn eq(&self, other: &IoWait) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for IoWait {}

impl fmt::Debug for IoWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoWait").field("is_over", &self.0.lock().is_over).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Count>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn all_who_wait_are_woken_once() {
        let (wait, counts) = (IoWait::default(), [Arc::<Count>::default(), Arc::<Count>::default()]);
        let wakers = counts.clone().map(Waker::from);
        for waker in wakers.iter().chain(&wakers) {
            assert!(!wait.poll(waker));
        }
        wait.clone().end();
        assert_eq!(counts.map(|count| count.0.load(Ordering::Relaxed)), [1, 1]);
        assert!(wait.poll(&wakers[0]));
        assert!(IoWait::ended().poll(Waker::noop()));
    }
}
