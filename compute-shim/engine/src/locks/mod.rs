//! Locks and who waits for them: rows, unique keys, relations, advisory locks and undo streams.
//!
//! Owns every wait that another transaction must end, in one table, because the deadlock search looks over
//! all of them. A row's write lock itself is implicit (the TxId in the row): only its waiters stand here, beside the
//! explicit locks of SELECT FOR UPDATE or SHARE, so an uncontended update finds an empty filter bucket and takes no
//! lock of this table. Transactions are named
//! by their in-memory handle, since one may wait before it has a TxId. Read [`queues`], [`holders`], [`objects`] and
//! [`deadlock`] next.

mod deadlock;
mod holders;
pub(crate) mod objects;
pub(crate) mod queues;
mod stream_pool;

use crate::error::WaitTicket;
use crate::hash::FixedMap;
use crate::types::{LockedObject, RowLockMode};
pub(crate) use holders::ROW_LOCKS_MAX;
use objects::{ObjectLock, Owner};
use parking_lot::Mutex;
use queues::{Queue, QueueName};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Waker;
use stream_pool::StreamPool;

/// A transaction's name within this process. Zero: a transaction of an earlier epoch.
pub(crate) type Handle = u64;

/// Nobody: transactions of an earlier epoch have no handle, and nobody waits for them.
pub(crate) const NO_HANDLE: Handle = 0;

/// Buckets of the filter that spares uncontended writes the lock table.
const FILTER_BUCKETS: usize = 1024;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum WaitFor {
    Queue(QueueName),
    Object { object: LockedObject, owner: Owner, mode: u8 },
    Stream,
}

struct Wait {
    handle: Handle,
    /// Of its session.
    process_id: i32,
    wait_for: WaitFor,
    /// Of a row: which explicit locks it must wait for (`None`: no one's).
    mode: Option<RowLockMode>,
    granted: bool,
    /// Who stood before it has left, and what remains may be a deadlock: it looks again.
    looks_again: bool,
    /// The undo stream that a granted stream wait got.
    stream: Option<u16>,
    waker: Option<Waker>,
}

#[derive(Default)]
struct Table {
    ticket_last: u64,
    waits: BTreeMap<u64, Wait>,
    wait_of: FixedMap<Handle, u64>,
    queues: FixedMap<QueueName, Queue>,
    queues_of: FixedMap<Handle, Vec<QueueName>>,
    objects: FixedMap<LockedObject, ObjectLock>,
    /// The transactions of sessions that hold advisory locks.
    transactions: FixedMap<Handle, Handle>,
    pool: StreamPool,
    /// Explicit row locks.
    row_locks: usize,
    lock_waits: u64,
    deadlocks: u64,
}

/// What the lock table holds.
pub(crate) struct LocksUsage {
    pub waits: usize,
    /// Explicit row locks.
    pub row_locks: usize,
}

/// The lock table.
pub(crate) struct Locks {
    table: Mutex<Table>,
    /// How many row queues fall into each bucket.
    filter: Box<[AtomicU32]>,
}

impl Default for Locks {
    fn default() -> Locks {
        Locks { table: Mutex::default(), filter: (0..FILTER_BUCKETS).map(|_| AtomicU32::new(0)).collect() }
    }
}

impl Table {
    /// Enters a wait for a transaction, which waits for nothing else.
    fn add_wait(&mut self, waiter: Owner, wait_for: WaitFor) -> u64 {
        let Owner { handle, process_id } = waiter;
        assert!(!self.wait_of.contains_key(&handle), "a transaction waits for one thing at a time");
        self.ticket_last += 1;
        self.lock_waits += 1;
        let wait = Wait {
            handle,
            process_id,
            wait_for,
            mode: None,
            granted: false,
            looks_again: false,
            stream: None,
            waker: None,
        };
        self.waits.insert(self.ticket_last, wait);
        self.wait_of.insert(handle, self.ticket_last);
        self.ticket_last
    }

    fn remove_wait(&mut self, ticket: u64) -> Wait {
        let wait = self.waits.remove(&ticket).expect("a wait is removed once");
        let removed = self.wait_of.remove(&wait.handle);
        assert_eq!(removed, Some(ticket), "a transaction's wait is the one it is known for");
        wait
    }

    /// The wait's turn has come. The waker runs under the table's lock: wakers only schedule.
    fn grant(&mut self, ticket: u64) {
        let wait = self.waits.get_mut(&ticket).expect("granted while waiting");
        assert!(!wait.granted, "granted once");
        wait.granted = true;
        if let Some(waker) = wait.waker.take() {
            waker.wake();
        }
    }

    fn handle_of(&self, ticket: u64) -> Handle {
        self.waits[&ticket].handle
    }
}

impl Locks {
    fn bucket(&self, hash: u64) -> &AtomicU32 {
        &self.filter[(hash >> 20) as usize % FILTER_BUCKETS]
    }

    /// True if the wait has been granted or given up; otherwise keeps the waker.
    pub fn poll(&self, ticket: WaitTicket, waker: &Waker) -> bool {
        let mut table = self.table.lock();
        match table.waits.get_mut(&ticket.0) {
            Some(wait) if !wait.granted && !wait.looks_again => {
                wait.waker = Some(waker.clone());
                false
            }
            _ => true,
        }
    }

    /// The transaction gave up waiting.
    pub fn cancel(&self, ticket: WaitTicket) {
        let mut table = self.table.lock();
        if table.waits.contains_key(&ticket.0) {
            self.leave(&mut table, ticket.0);
        }
    }

    /// Takes a wait out of its queue, granted or not.
    fn leave(&self, table: &mut Table, ticket: u64) {
        match table.waits[&ticket].wait_for {
            WaitFor::Queue(name) => self.leave_queue(table, name, ticket),
            WaitFor::Object { object, .. } => table.leave_object_queue(object, ticket),
            WaitFor::Stream => table.leave_stream_queue(ticket),
        }
    }

    /// The transaction has ended (its fate is published): its relation locks fall, its waiters get their
    /// turn, and a wait of its own, or the place in a queue that it got by one, is given up.
    pub fn finish(&self, handle: Handle, relations: &[(u32, u8)], row_locks: &[(u64, Option<RowLockMode>)]) {
        let mut table = self.table.lock();
        if let Some(ticket) = table.wait_of.get(&handle).copied() {
            self.leave(&mut table, ticket);
        }
        for name in table.queues_of.remove(&handle).unwrap_or_default() {
            self.owner_finished(&mut table, name, handle);
        }
        for (hash, _) in row_locks {
            self.restore_row_lock(&mut table, *hash, handle, None);
        }
        for (relation, _) in relations {
            table.release_object(LockedObject::Relation(*relation), handle, u8::MAX);
        }
        debug_assert!(table.invariants());
    }

    /// The transaction has gone back to a savepoint (rows and count are published): the locks that it took since fall,
    /// and the first waiter of each of its rows looks whether the row is free.
    pub fn release_since_savepoint(
        &self,
        handle: Handle,
        relations: &[(u32, u8)],
        row_locks: &[(u64, Option<RowLockMode>)],
    ) {
        let mut table = self.table.lock();
        assert!(!table.wait_of.contains_key(&handle), "one who goes back waits for nothing");
        for name in table.queues_of.remove(&handle).unwrap_or_default() {
            self.owner_finished(&mut table, name, handle);
        }
        for (hash, before) in row_locks.iter().rev() {
            self.restore_row_lock(&mut table, *hash, handle, *before);
        }
        for (relation, mode) in relations {
            table.release_object(LockedObject::Relation(*relation), handle, *mode);
        }
        debug_assert!(table.invariants());
    }

    /// Everyone who waits polls again (the engine has been fenced).
    pub fn wake_all(&self) {
        let mut table = self.table.lock();
        table.waits.values_mut().filter_map(|wait| wait.waker.take()).for_each(Waker::wake);
    }

    /// What the table holds.
    pub fn usage(&self) -> LocksUsage {
        let table = self.table.lock();
        LocksUsage { waits: table.waits.len(), row_locks: table.row_locks }
    }

    /// Waits ever, deadlocks ever.
    pub fn counts(&self) -> (u64, u64) {
        let table = self.table.lock();
        (table.lock_waits, table.deadlocks)
    }

    fn filter_add(&self, name: QueueName) {
        if let QueueName::Row(hash) = name {
            self.bucket(hash).fetch_add(1, Ordering::AcqRel);
        }
    }

    fn filter_remove(&self, name: QueueName) {
        if let QueueName::Row(hash) = name {
            let before = self.bucket(hash).fetch_sub(1, Ordering::AcqRel);
            assert!(before > 0, "a queue leaves the filter as often as it came");
        }
    }
}

impl Table {
    fn invariants(&self) -> bool {
        assert_eq!(self.waits.len(), self.wait_of.len(), "one wait a transaction");
        for (name, queue) in &self.queues {
            let is_key = matches!(name, QueueName::Key(_));
            let is_used = !queue.waiters.is_empty() || !queue.holders.is_empty();
            assert!(is_key || is_used, "a row queue exists for its waiters and holders");
            let granted = queue.waiters.iter().filter(|ticket| self.waits[ticket].granted).count();
            assert!(granted <= 1, "one waiter has the turn");
        }
        true
    }
}
