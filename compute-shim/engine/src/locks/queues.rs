//! FIFO queues for rows and unique keys.
//!
//! Owns the order in which waiters of one key get their turn. A queue has an owner, whom the first waiter
//! waits for: the transaction in progress that wrote the row, or the holder of a unique key. When the owner
//! ends, the turn is handed to the first waiter and nobody else may pass: newcomers queue behind it even
//! though the row is free. The turn is kept until the waiter writes the row (it becomes the owner), or gives
//! it back.

use super::{Handle, Locks, Table, WaitFor};
use crate::error::{EngineError, Need, Step, Stop, WaitTicket};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// What a queue is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum QueueName {
    /// Waiters for the row with this key hash.
    Row(u64),
    /// An exclusively held unique key, by the hash of (index, key).
    Key(u64),
}

pub(super) struct Queue {
    pub owner: Handle,
    pub waiters: VecDeque<u64>,
}

/// Whether a write may go on to look at its row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gate {
    /// Nobody waits for the row, or the caller owns the queue.
    Open,
    /// The caller has its turn.
    Turn,
    /// Others are first.
    Closed,
}

impl Table {
    fn front(&self, name: QueueName) -> Option<u64> {
        self.queues.get(&name)?.waiters.front().copied()
    }

    fn make_owner(&mut self, name: QueueName, owner: Handle) {
        self.queues.get_mut(&name).expect("the queue exists").owner = owner;
        let owned = self.queues_of.entry(owner).or_default();
        if !owned.contains(&name) {
            owned.push(name);
        }
    }

    /// Hands the turn to the first waiter.
    fn hand_over(&mut self, name: QueueName) {
        if let Some(front) = self.front(name)
            && !self.waits[&front].granted
        {
            let handle = self.handle_of(front);
            self.queues.get_mut(&name).expect("the queue exists").owner = handle;
            self.grant(front);
        }
    }

    /// Enters `handle` in the queue and looks for a deadlock.
    fn enqueue(&mut self, name: QueueName, handle: Handle) -> Step<WaitTicket> {
        let ticket = self.add_wait(handle, WaitFor::Queue(name));
        self.queues.get_mut(&name).expect("the queue exists").waiters.push_back(ticket);
        self.refuse_deadlock(handle, ticket)
    }

    fn refuse_deadlock(&mut self, handle: Handle, ticket: u64) -> Step<WaitTicket> {
        if self.is_deadlocked(handle) {
            self.deadlocks += 1;
            return Err(Stop::Fail(EngineError::Deadlock));
        }
        Ok(WaitTicket(ticket))
    }
}

impl Locks {
    /// Whether `handle` may go on to write the row. One relaxed load if nobody waits for a row of the bucket.
    pub fn row_gate(&self, hash: u64, handle: Handle) -> Gate {
        if self.bucket(hash).load(Ordering::Acquire) == 0 {
            return Gate::Open;
        }
        let table = self.table.lock();
        let Some(queue) = table.queues.get(&QueueName::Row(hash)) else {
            return Gate::Open;
        };
        let front = queue.waiters.front().map(|ticket| &table.waits[ticket]);
        match front {
            Some(wait) if wait.granted && wait.handle == handle => Gate::Turn,
            Some(wait) if wait.granted => Gate::Closed,
            _ if queue.owner == handle => Gate::Open,
            _ => Gate::Closed,
        }
    }

    /// Waits for the row's turn: behind `owner`, whose version is on the row (`None`: behind those who wait).
    /// `still_blocked` is asked under the table's lock, after which the owner's end cannot be missed;
    /// `Ok(None)` says that the row is free by now.
    pub fn wait_for_row(
        &self,
        hash: u64,
        handle: Handle,
        owner: Option<Handle>,
        still_blocked: impl FnOnce() -> bool,
    ) -> Step<Option<Need>> {
        let name = QueueName::Row(hash);
        let mut guard = self.table.lock();
        let table = &mut *guard;
        if owner.is_some() && !still_blocked() {
            return Ok(None);
        }
        if let Some(ticket) = table.wait_of.get(&handle).copied() {
            return self.wait_again(table, name, handle, owner, ticket);
        }
        let is_unowned = table.queues.get(&name).map(|queue| queue.waiters.is_empty());
        match (is_unowned, owner) {
            (None, None) => return Ok(None),
            (None, Some(owner)) => {
                table.queues.insert(name, Queue { owner, waiters: VecDeque::new() });
                table.make_owner(name, owner);
                self.filter_add(name);
            }
            (Some(true), Some(owner)) => table.make_owner(name, owner),
            (Some(_), _) => {}
        }
        self.enqueue_or_leave(table, name, handle)
    }

    fn enqueue_or_leave(&self, table: &mut Table, name: QueueName, handle: Handle) -> Step<Option<Need>> {
        match table.enqueue(name, handle) {
            Ok(ticket) => Ok(Some(Need::Lock(ticket))),
            Err(stop) => {
                let ticket = table.wait_of[&handle];
                self.leave(table, ticket);
                Err(stop)
            }
        }
    }

    /// The transaction has a wait already: it polls too early, or had its turn and found the row taken again,
    /// or turned to another row.
    fn wait_again(
        &self,
        table: &mut Table,
        name: QueueName,
        handle: Handle,
        owner: Option<Handle>,
        ticket: u64,
    ) -> Step<Option<Need>> {
        let wait = table.waits.get_mut(&ticket).expect("a known wait");
        if wait.wait_for != WaitFor::Queue(name) {
            self.leave(table, ticket);
            return Ok(None);
        }
        if wait.granted
            && let Some(owner) = owner
        {
            wait.granted = false;
            table.make_owner(name, owner);
            if let Err(stop) = table.refuse_deadlock(handle, ticket) {
                self.leave(table, ticket);
                return Err(stop);
            }
        }
        Ok(Some(Need::Lock(WaitTicket(ticket))))
    }

    /// `handle` has written the row that it had its turn for: it is the owner now.
    pub fn row_taken(&self, hash: u64, handle: Handle) {
        let name = QueueName::Row(hash);
        let mut table = self.table.lock();
        let Some(ticket) = table.wait_of.get(&handle).copied() else {
            return;
        };
        if table.waits[&ticket].wait_for != WaitFor::Queue(name) || !table.waits[&ticket].granted {
            return;
        }
        table.remove_wait(ticket);
        let queue = table.queues.get_mut(&name).expect("a turn is of a queue");
        let front = queue.waiters.pop_front();
        assert_eq!(front, Some(ticket), "the one with the turn stands first");
        if queue.waiters.is_empty() {
            table.queues.remove(&name);
            self.filter_remove(name);
        } else {
            table.make_owner(name, handle);
        }
    }

    /// Gives back a turn that was not used, or a wait that is over.
    pub fn give_up_wait(&self, handle: Handle) {
        let mut table = self.table.lock();
        if let Some(ticket) = table.wait_of.get(&handle).copied() {
            self.leave(&mut table, ticket);
        }
    }

    /// Takes a unique key exclusively, or waits for it.
    pub fn lock_key(&self, hash: u64, handle: Handle) -> Step<()> {
        let name = QueueName::Key(hash);
        let mut guard = self.table.lock();
        let table = &mut *guard;
        if let Some(ticket) = table.wait_of.get(&handle).copied() {
            let wait = &table.waits[&ticket];
            let ours = wait.wait_for == WaitFor::Queue(name);
            if ours && !wait.granted {
                return Err(Need::Lock(WaitTicket(ticket)).into());
            }
            if ours {
                table.remove_wait(ticket);
                table.queues.get_mut(&name).expect("a turn is of a queue").waiters.pop_front();
                table.make_owner(name, handle);
                return Ok(());
            }
        }
        match table.queues.get(&name).map(|queue| queue.owner) {
            None => {
                table.queues.insert(name, Queue { owner: handle, waiters: VecDeque::new() });
                table.make_owner(name, handle);
                Ok(())
            }
            Some(owner) if owner == handle => Ok(()),
            Some(_) => {
                if let Some(ticket) = table.wait_of.get(&handle).copied() {
                    self.leave(table, ticket);
                }
                match self.enqueue_or_leave(table, name, handle)? {
                    Some(need) => Err(need.into()),
                    None => Ok(()),
                }
            }
        }
    }

    /// Gives a unique key back, if `handle` holds it.
    pub fn unlock_key(&self, hash: u64, handle: Handle) {
        let name = QueueName::Key(hash);
        let mut table = self.table.lock();
        if table.queues.get(&name).is_some_and(|queue| queue.owner == handle) {
            if let Some(owned) = table.queues_of.get_mut(&handle) {
                owned.retain(|owned| *owned != name);
            }
            self.owner_finished(&mut table, name, handle);
        }
    }

    /// The queue's owner has ended or let go.
    pub(super) fn owner_finished(&self, table: &mut Table, name: QueueName, handle: Handle) {
        let Some(queue) = table.queues.get(&name) else {
            return;
        };
        if queue.owner != handle {
            return;
        }
        if queue.waiters.is_empty() {
            table.queues.remove(&name);
            self.filter_remove(name);
        } else {
            table.hand_over(name);
        }
    }

    /// Takes a waiter out of the queue, passing its turn on.
    pub(super) fn leave_queue(&self, table: &mut Table, name: QueueName, ticket: u64) {
        let wait = table.remove_wait(ticket);
        let queue = table.queues.get_mut(&name).expect("a waiter's queue exists");
        queue.waiters.retain(|waiter| *waiter != ticket);
        let empty = queue.waiters.is_empty();
        let is_key = matches!(name, QueueName::Key(_));
        if wait.granted {
            if empty {
                table.queues.remove(&name);
                self.filter_remove(name);
            } else {
                table.hand_over(name);
            }
        } else if empty && !is_key {
            table.queues.remove(&name);
            self.filter_remove(name);
        }
    }
}
