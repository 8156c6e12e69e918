//! Per-worker pool of byte buffers, so that an idle connection holds none.

use std::cell::RefCell;

/// Capacity of a fresh buffer: a message of a point select and its answer fit many times.
const BUFFER_BYTES: usize = 8 << 10;
/// A buffer that grew beyond this is freed instead of kept.
const KEPT_BYTES_MAX: usize = 128 << 10;
/// Buffers kept per worker: as many as have work at once, in practice.
const KEPT_COUNT_MAX: usize = 128;

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with some capacity.
pub(crate) fn take() -> Vec<u8> {
    let pooled = POOL.with_borrow_mut(Vec::pop);
    pooled.unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
}

/// Gives a buffer back.
pub(crate) fn give_back(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > KEPT_BYTES_MAX {
        return;
    }
    buffer.clear();
    POOL.with_borrow_mut(|pool| {
        if pool.len() < KEPT_COUNT_MAX {
            pool.push(buffer);
        }
    });
}
