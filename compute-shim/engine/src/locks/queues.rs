//! FIFO queues for rows and unique keys.
//!
//! Owns the order in which waiters of one key get their turn. A queue has an owner, whom the first waiter waits for:
//! the transaction in progress that wrote the row, or the holder of a unique key. The first waiter of a row waits for
//! holders of explicit locks that conflict with its mode as well ([`super::holders`]). When none of these is left, the
//! turn is handed to the first waiter and nobody else may pass: newcomers queue behind it even though the row is free.
//! The turn is kept until the waiter writes or locks the row, or gives it back. One who holds a lock of the row
//! already passes the waiters, or every stronger lock would end in a deadlock with them; so does one who shares.

use super::objects::Owner;
use super::{Handle, Locks, NO_HANDLE, Table, WaitFor};
use crate::error::{EngineError, Need, Step, Stop, WaitTicket};
use crate::types::RowLockMode;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// What a queue is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum QueueName {
    /// Waiters for the row with this key hash, and holders of explicit locks.
    Row(u64),
    /// An exclusively held unique key, by the hash of (index, key).
    Key(u64),
}

pub(super) struct Queue {
    /// [`NO_HANDLE`]: nobody, as far as this table knows.
    pub owner: Handle,
    pub holders: Vec<(Handle, RowLockMode)>,
    pub waiters: VecDeque<u64>,
}

fn conflict(turn: RowLockMode, mode: Option<RowLockMode>) -> bool {
    mode.is_some_and(|mode| turn.conflicts_with(mode))
}

/// Whether a write or lock may go on with its row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gate {
    Open,
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

    /// Hands the turn to the first waiter, if nothing is in its way any more.
    pub(super) fn try_grant_front(&mut self, name: QueueName) {
        let Some(front) = self.front(name) else {
            return;
        };
        let (wait, queue) = (&self.waits[&front], &self.queues[&name]);
        let is_owner_gone = queue.owner == NO_HANDLE || queue.owner == wait.handle;
        let is_free = is_owner_gone && queue.conflicting(wait.handle, wait.mode).next().is_none();
        if is_free && !wait.granted {
            self.grant(front);
        }
    }

    /// Whether `handle` may go on with the row. `is_own`: the row's newest version is its own.
    fn gate(&self, name: QueueName, handle: Handle, mode: Option<RowLockMode>, is_own: bool) -> Gate {
        let Some(queue) = self.queues.get(&name) else {
            return Gate::Open;
        };
        if queue.conflicting(handle, mode).next().is_some() {
            return Gate::Closed;
        }
        // One who only looks passes: it changes nothing for those who wait.
        if mode.is_none() || is_own || queue.owner == handle || queue.mode_of(handle).is_some() {
            return Gate::Open;
        }
        match queue.waiters.front().map(|ticket| &self.waits[ticket]) {
            None => Gate::Open,
            Some(wait) if wait.granted && wait.handle == handle => Gate::Open,
            // As in PostgreSQL one who shares does not stand behind those who wait for others that share, but a turn
            // that was given is not taken away.
            Some(wait) if mode <= Some(RowLockMode::Share) => {
                let is_in_the_way = wait.granted && wait.mode.is_none_or(|turn| conflict(turn, mode));
                if is_in_the_way { Gate::Closed } else { Gate::Open }
            }
            Some(_) => Gate::Closed,
        }
    }

    /// Enters a transaction in the queue and looks for a deadlock.
    fn enqueue(&mut self, name: QueueName, waiter: Owner, mode: Option<RowLockMode>) -> Step<WaitTicket> {
        let handle = waiter.handle;
        let ticket = self.add_wait(waiter, WaitFor::Queue(name));
        self.waits.get_mut(&ticket).expect("added above").mode = mode;
        let has_turn = self.front(name).is_some_and(|front| self.waits[&front].granted);
        let queue = self.queues.get_mut(&name).expect("the queue exists");
        match queue.mode_of(handle) {
            Some(_) => queue.waiters.insert(usize::from(has_turn), ticket),
            None => queue.waiters.push_back(ticket),
        }
        self.refuse_deadlock(handle, ticket)
    }

    /// The one before it was refused for a deadlock with the row's new owner, who has come by the row without a wait. The
    /// one who is first now waits for that owner too, and nobody has looked at it since.
    fn let_front_look_again(&mut self, name: QueueName) {
        let Some(ticket) = self.front(name).filter(|front| !self.waits[front].granted) else { return };
        if self.is_deadlocked(self.handle_of(ticket)) {
            let wait = self.waits.get_mut(&ticket).expect("it stands in the queue");
            wait.looks_again = true;
            if let Some(waker) = wait.waker.take() {
                waker.wake();
            }
        }
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
    /// Whether `handle` may go on with the row. One load if nobody waits for, or holds, a row of the bucket.
    pub fn row_gate(&self, hash: u64, handle: Handle, mode: Option<RowLockMode>, is_own: bool) -> Gate {
        if self.bucket(hash).load(Ordering::Acquire) == 0 {
            return Gate::Open;
        }
        self.table.lock().gate(QueueName::Row(hash), handle, mode, is_own)
    }

    /// Waits for the row's turn: behind `owner`, whose version is on the row (`None`: behind those who wait or hold).
    /// `still_blocked` is asked under the table's lock, after which the owner's end cannot be missed;
    /// `Ok(None)` says that the row is free by now.
    pub fn wait_for_row(
        &self,
        hash: u64,
        waiter: Owner,
        mode: Option<RowLockMode>,
        owner: Option<Handle>,
        still_blocked: impl FnOnce() -> bool,
    ) -> Step<Option<Need>> {
        let (name, handle) = (QueueName::Row(hash), waiter.handle);
        let mut guard = self.table.lock();
        let table = &mut *guard;
        let is_blocked = match owner {
            Some(_) => still_blocked(),
            None => table.gate(name, handle, mode, false) == Gate::Closed,
        };
        if !is_blocked {
            return Ok(None);
        }
        if let Some(ticket) = table.wait_of.get(&handle).copied() {
            return self.wait_again(table, name, handle, owner, ticket);
        }
        if let Some(owner) = owner {
            self.add_queue(table, name, owner);
            if table.queues[&name].waiters.is_empty() {
                table.make_owner(name, owner);
            }
        }
        self.enqueue_or_leave(table, name, waiter, mode)
    }

    fn enqueue_or_leave(
        &self,
        table: &mut Table,
        name: QueueName,
        waiter: Owner,
        mode: Option<RowLockMode>,
    ) -> Step<Option<Need>> {
        match table.enqueue(name, waiter, mode) {
            Ok(ticket) => Ok(Some(Need::Lock(ticket))),
            Err(stop) => {
                let ticket = table.wait_of[&waiter.handle];
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
        let was_granted = std::mem::take(&mut wait.granted);
        if was_granted && let Some(owner) = owner {
            table.make_owner(name, owner);
        }
        let wait = table.waits.get_mut(&ticket).expect("a known wait");
        if !was_granted && !std::mem::take(&mut wait.looks_again) {
            return Ok(Some(Need::Lock(WaitTicket(ticket))));
        }
        if let Err(stop) = table.refuse_deadlock(handle, ticket) {
            self.leave(table, ticket);
            table.let_front_look_again(name);
            return Err(stop);
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
        if !queue.waiters.is_empty() {
            table.make_owner(name, handle);
        }
        self.remove_if_idle(&mut table, name);
    }

    /// Gives back a turn that was not used, or a wait that is over.
    pub fn give_up_wait(&self, handle: Handle) {
        let mut table = self.table.lock();
        if let Some(ticket) = table.wait_of.get(&handle).copied() {
            self.leave(&mut table, ticket);
        }
    }

    /// Takes a unique key exclusively, or waits for it.
    pub fn lock_key(&self, hash: u64, waiter: Owner) -> Step<()> {
        let (name, handle) = (QueueName::Key(hash), waiter.handle);
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
                self.add_queue(table, name, handle);
                table.make_owner(name, handle);
                Ok(())
            }
            Some(owner) if owner == handle => Ok(()),
            Some(_) => {
                if let Some(ticket) = table.wait_of.get(&handle).copied() {
                    self.leave(table, ticket);
                }
                match self.enqueue_or_leave(table, name, waiter, None)? {
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
        let Some(queue) = table.queues.get_mut(&name).filter(|queue| queue.owner == handle) else {
            return;
        };
        queue.owner = NO_HANDLE;
        table.try_grant_front(name);
        self.remove_if_idle(table, name);
    }

    /// Takes a waiter out of the queue, passing its turn on.
    pub(super) fn leave_queue(&self, table: &mut Table, name: QueueName, ticket: u64) {
        table.remove_wait(ticket);
        let queue = table.queues.get_mut(&name).expect("a waiter's queue exists");
        queue.waiters.retain(|waiter| *waiter != ticket);
        table.try_grant_front(name);
        self.remove_if_idle(table, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};

    const ROW: u64 = 1 << 30;
    const OTHER_ROW: u64 = 2 << 30;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn waiter(handle: Handle) -> Owner {
        Owner { handle, process_id: 0 }
    }

    fn wait(locks: &Locks, row: u64, handle: Handle, mode: Option<RowLockMode>, owner: Handle) -> WaitTicket {
        match locks.wait_for_row(row, waiter(handle), mode, Some(owner), || true) {
            Ok(Some(Need::Lock(ticket))) => ticket,
            other => panic!("{handle} waits: {other:?}"),
        }
    }

    /// Simulator, seed 34: two sessions waited for each other for ever. A row's first waiter was refused for a deadlock with one
    /// who had come by the row through its explicit lock, without a wait; the next waiter was in that deadlock too, and nobody
    /// looked again.
    #[test]
    fn a_deadlock_that_outlives_its_first_victim_finds_another() {
        let locks = Locks::default();
        let (writer, holder, first, second) = (1, 2, 3, 4);
        wait(&locks, ROW, holder, Some(RowLockMode::Update), writer);
        wait(&locks, ROW, first, None, writer);
        let ticket = wait(&locks, ROW, second, None, writer);
        locks.finish(writer, &[], &[]);
        // The first in the queue locks the row, and writes it: the turn is the next one's already.
        locks.hold_row(ROW, holder, RowLockMode::Update).expect("it has the turn");
        locks.row_taken(ROW, holder);
        // What it needs next the last in the queue has.
        wait(&locks, OTHER_ROW, holder, None, second);
        let wakes = Arc::new(Wakes::default());
        assert!(!locks.poll(ticket, &Waker::from(Arc::clone(&wakes))));
        let refused = locks.wait_for_row(ROW, waiter(first), None, Some(holder), || true);
        assert!(matches!(refused, Err(Stop::Fail(EngineError::Deadlock))), "{refused:?}");
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1, "the next one looks again");
        let refused = locks.wait_for_row(ROW, waiter(second), None, Some(holder), || true);
        assert!(matches!(refused, Err(Stop::Fail(EngineError::Deadlock))), "{refused:?}");
        locks.finish(second, &[], &[]);
        let goes_on = locks.wait_for_row(OTHER_ROW, waiter(holder), None, None, || true);
        assert!(matches!(goes_on, Ok(None)), "{goes_on:?}");
    }
}
