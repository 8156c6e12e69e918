//! Whether this thread is inside of a call of the engine, for whoever must decide what a panic means.
//!
//! Owns two numbers a thread. Between two calls the engine is whole: no latch is held, and each call has happened or not.
//! Within one it need not be: a page is changed and its redo is not appended, a commit is appended and its locks still
//! stand. A panic there must end the process; one elsewhere needs to end no more than its session, as long as that
//! still has its transaction and can end it. See `docs/decisions/0140-a-panic-ends-its-session.md`.

use std::cell::Cell;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static LOST: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside of a call of an engine.
pub fn is_inside() -> bool {
    DEPTH.get() > 0
}

/// Whether a panic of this thread has, since the last question, dropped a transaction that had not ended: its locks and its
/// snapshot are held for ever.
pub fn take_lost_transaction() -> bool {
    LOST.replace(false)
}

/// A transaction that has not ended is dropped.
pub(crate) fn note_dropped() {
    if std::thread::panicking() {
        LOST.set(true);
    }
}

/// Stands for one call, which begins where it is made. Every call that changes anything has one.
pub(crate) struct Call(());

impl Call {
    pub(crate) fn enter() -> Call {
        DEPTH.set(DEPTH.get() + 1);
        Call(())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}
