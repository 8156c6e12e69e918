//! Explicit row locks: who holds which mode of a row.
//!
//! Owns the holders of a row's queue. SELECT FOR UPDATE, NO KEY UPDATE, SHARE and KEY SHARE put their transaction here;
//! a writer whose row is in a filter bucket in use looks whether its own mode conflicts. Locks fall with the
//! transaction, or with the savepoint that they were taken after. They are in memory alone: a crash ends their
//! transactions as well, but for prepared ones, whose undo names them.

use super::queues::{Queue, QueueName};
use super::{Handle, Locks, NO_HANDLE, Table, WaitFor};
use crate::error::EngineError;
use crate::types::RowLockMode;
use std::collections::VecDeque;

/// Explicit row locks at once, of all transactions: some 150 MB. PostgreSQL keeps them in the rows and has no limit.
pub(crate) const ROW_LOCKS_MAX: usize = 1 << 20;

impl Queue {
    pub(super) fn mode_of(&self, handle: Handle) -> Option<RowLockMode> {
        self.holders.iter().find(|(holder, _)| *holder == handle).map(|(_, mode)| *mode)
    }

    /// Others whose locks conflict with `mode`.
    pub(super) fn conflicting(
        &self,
        handle: Handle,
        mode: Option<RowLockMode>,
    ) -> impl Iterator<Item = Handle> {
        self.holders
            .iter()
            .filter(move |(holder, held)| {
                *holder != handle && mode.is_some_and(|mode| mode.conflicts_with(*held))
            })
            .map(|(holder, _)| *holder)
    }
}

impl Locks {
    /// Whether nobody else holds a row in a mode that excludes this one.
    pub fn row_is_free(&self, hash: u64, handle: Handle, mode: RowLockMode) -> bool {
        let table = self.table.lock();
        let queue = table.queues.get(&QueueName::Row(hash));
        queue.is_none_or(|queue| queue.conflicting(handle, Some(mode)).next().is_none())
    }

    /// Locks the row for `handle`, which has looked that it may while the row's leaf is latched. Answers the mode that
    /// was held before, and whether it has changed.
    pub fn hold_row(
        &self,
        hash: u64,
        handle: Handle,
        mode: RowLockMode,
    ) -> Result<(Option<RowLockMode>, bool), EngineError> {
        let name = QueueName::Row(hash);
        let mut guard = self.table.lock();
        let table = &mut *guard;
        let before = table.queues.get(&name).and_then(|queue| queue.mode_of(handle));
        if before.is_none() && table.row_locks >= ROW_LOCKS_MAX {
            return Err(EngineError::TooManyRowLocks);
        }
        if before < Some(mode) {
            self.add_queue(table, name, NO_HANDLE);
            let queue = table.queues.get_mut(&name).expect("added above");
            assert!(queue.conflicting(handle, Some(mode)).next().is_none(), "conflicts were looked for");
            match queue.holders.iter_mut().find(|(holder, _)| *holder == handle) {
                Some(holder) => holder.1 = mode,
                None => queue.holders.push((handle, mode)),
            }
            table.row_locks += usize::from(before.is_none());
        }
        // A turn that led here is used; the next one may have a mode that this one lets pass. Another wait is not over: a
        // write that locks its row first and then waits for a stream comes by here again when it has got one.
        if let Some(ticket) = table.wait_of.get(&handle).copied()
            && table.waits[&ticket].wait_for == WaitFor::Queue(name)
        {
            self.leave(table, ticket);
        }
        table.try_grant_front(name);
        debug_assert!(table.invariants());
        Ok((before, before < Some(mode)))
    }

    /// The modes in which a transaction has locked these rows.
    pub fn row_modes(&self, handle: Handle, hashes: &[u64]) -> Vec<(u64, RowLockMode)> {
        let table = self.table.lock();
        let mode = |hash: &u64| table.queues.get(&QueueName::Row(*hash))?.mode_of(handle);
        hashes.iter().filter_map(|hash| mode(hash).map(|mode| (*hash, mode))).collect()
    }

    /// The row's lock falls, or is `before` again.
    pub(super) fn restore_row_lock(
        &self,
        table: &mut Table,
        hash: u64,
        handle: Handle,
        before: Option<RowLockMode>,
    ) {
        let name = QueueName::Row(hash);
        let Some(queue) = table.queues.get_mut(&name) else {
            return;
        };
        let Some(at) = queue.holders.iter().position(|(holder, _)| *holder == handle) else {
            return;
        };
        match before {
            Some(mode) => queue.holders[at].1 = mode,
            None => {
                queue.holders.swap_remove(at);
                table.row_locks -= 1;
            }
        }
        table.try_grant_front(name);
        self.remove_if_idle(table, name);
    }

    /// Makes the queue if there is none.
    pub(super) fn add_queue(&self, table: &mut Table, name: QueueName, owner: Handle) {
        if let std::collections::hash_map::Entry::Vacant(entry) = table.queues.entry(name) {
            entry.insert(Queue { owner, holders: Vec::new(), waiters: VecDeque::new() });
            self.filter_add(name);
        }
    }

    /// A queue that nobody waits in and nobody holds is gone.
    pub(super) fn remove_if_idle(&self, table: &mut Table, name: QueueName) {
        let Some(queue) = table.queues.get(&name) else {
            return;
        };
        let is_held = matches!(name, QueueName::Key(_)) && queue.owner != NO_HANDLE;
        if queue.waiters.is_empty() && queue.holders.is_empty() && !is_held {
            table.queues.remove(&name);
            self.filter_remove(name);
        }
    }
}
