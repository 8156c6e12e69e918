//! Free undo streams, and who waits for one.
//!
//! Owns the last-in first-out list of free streams (so that the pages being written are as many as the
//! writers) and the FIFO of waiters. A stream belongs to its transaction until that has committed or is
//! wholly undone.

use super::objects::Owner;
use super::{Handle, Locks, NO_HANDLE, Table, WaitFor};
use crate::error::{EngineError, Need, Step, Stop, WaitTicket};
use crate::hash::FixedMap;
use std::collections::{BTreeSet, VecDeque};

#[derive(Default)]
pub(super) struct StreamPool {
    free: Vec<u16>,
    pub holders: FixedMap<u16, Handle>,
    /// Streams whose holders are prepared: when they end nobody here knows.
    pub prepared: BTreeSet<u16>,
    waiters: VecDeque<u64>,
}

impl Table {
    pub(super) fn leave_stream_queue(&mut self, ticket: u64) {
        let wait = self.remove_wait(ticket);
        self.pool.waiters.retain(|waiter| *waiter != ticket);
        if let Some(stream) = wait.stream {
            self.stream_is_free(stream);
        }
    }

    fn stream_is_free(&mut self, stream: u16) {
        self.pool.prepared.remove(&stream);
        match self.pool.waiters.pop_front() {
            Some(ticket) => {
                let wait = self.waits.get_mut(&ticket).expect("a queued wait exists");
                wait.stream = Some(stream);
                let handle = wait.handle;
                self.pool.holders.insert(stream, handle);
                self.grant(ticket);
            }
            None => {
                self.pool.holders.remove(&stream);
                self.pool.free.push(stream);
            }
        }
    }
}

impl Locks {
    /// Takes a free stream, or waits for one.
    pub fn acquire_stream(&self, waiter: Owner) -> Step<u16> {
        let handle = waiter.handle;
        let mut guard = self.table.lock();
        let table = &mut *guard;
        if let Some(ticket) = table.wait_of.get(&handle).copied()
            && table.waits[&ticket].wait_for == WaitFor::Stream
        {
            let Some(stream) = table.waits[&ticket].stream else {
                return Err(Need::Stream(WaitTicket(ticket)).into());
            };
            table.remove_wait(ticket);
            return Ok(stream);
        }
        if let Some(stream) = table.pool.free.pop() {
            table.pool.holders.insert(stream, handle);
            return Ok(stream);
        }
        if let Some(ticket) = table.wait_of.get(&handle).copied() {
            self.leave(table, ticket);
        }
        let ticket = table.add_wait(waiter, WaitFor::Stream);
        table.pool.waiters.push_back(ticket);
        if table.is_deadlocked(handle) {
            table.deadlocks += 1;
            table.leave_stream_queue(ticket);
            return Err(Stop::Fail(EngineError::Deadlock));
        }
        Err(Need::Stream(WaitTicket(ticket)).into())
    }

    /// The stream's transaction is over and undone or committed.
    pub fn release_stream(&self, stream: u16) {
        self.table.lock().stream_is_free(stream);
    }

    /// The transaction that holds the stream is prepared.
    pub fn stream_is_prepared(&self, stream: u16) {
        self.table.lock().pool.prepared.insert(stream);
    }

    /// The transaction that held the stream has let go of it and it is being rolled back: nobody waits for
    /// that transaction any more.
    pub fn orphan_stream(&self, stream: u16) {
        let mut table = self.table.lock();
        table.pool.prepared.remove(&stream);
        table.pool.holders.insert(stream, NO_HANDLE);
    }

    /// The streams of a volume that has just been opened: the free ones, and who has the others ([`NO_HANDLE`]: a loser).
    pub fn set_streams(&self, free: Vec<u16>, held: &[(u16, Handle)]) {
        let mut table = self.table.lock();
        assert!(table.pool.free.is_empty() && table.pool.holders.is_empty(), "set once, at opening");
        table.pool.free = free;
        table.pool.holders.extend(held.iter().copied());
    }
}
