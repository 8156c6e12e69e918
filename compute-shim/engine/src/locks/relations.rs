//! Relation locks: PostgreSQL's eight modes and conflict table, held to transaction end.
//!
//! Owns who holds which modes of a relation, and the FIFO queue of those who wait. One who already holds a
//! mode of the relation passes the queue (as in PostgreSQL, or every upgrade behind a waiter would deadlock).

use super::{Handle, Locks, Table, WaitFor};
use crate::error::{EngineError, Need, Step, Stop, WaitTicket};
use crate::types::RelationLockMode;
use std::collections::VecDeque;

#[derive(Default)]
pub(super) struct RelationLock {
    /// Holders, with a bit for each mode.
    pub granted: Vec<(Handle, u8)>,
    pub waiters: VecDeque<u64>,
}

/// For each mode, weakest first, the modes it conflicts with (PostgreSQL documentation, table 13.2).
const CONFLICTS: [u8; 8] =
    [0b1000_0000, 0b1100_0000, 0b1111_0000, 0b1111_1000, 0b1110_1100, 0b1111_1100, 0b1111_1110, 0b1111_1111];

/// Modes that conflict with `mode`, one bit each.
pub(crate) fn conflicts(mode: u8) -> u8 {
    CONFLICTS[usize::from(mode)]
}

impl RelationLock {
    fn conflicts_with_granted(&self, handle: Handle, mode: u8) -> bool {
        self.granted.iter().any(|(holder, modes)| *holder != handle && modes & conflicts(mode) != 0)
    }

    fn holds_any(&self, handle: Handle) -> bool {
        self.granted.iter().any(|(holder, _)| *holder == handle)
    }

    fn add(&mut self, handle: Handle, mode: u8) {
        match self.granted.iter_mut().find(|(holder, _)| *holder == handle) {
            Some((_, modes)) => *modes |= 1 << mode,
            None => self.granted.push((handle, 1 << mode)),
        }
    }
}

impl Table {
    /// Whether a waiter before position `end` conflicts with `mode`.
    fn waiter_conflicts(&self, lock: &RelationLock, end: usize, mode: u8) -> bool {
        lock.waiters.iter().take(end).any(|ticket| match self.waits[ticket].wait_for {
            WaitFor::Relation { mode: waiting, .. } => conflicts(mode) & (1 << waiting) != 0,
            _ => false,
        })
    }

    fn may_lock(&self, lock: &RelationLock, handle: Handle, mode: u8, queue_end: usize) -> bool {
        !lock.conflicts_with_granted(handle, mode)
            && (lock.holds_any(handle) || !self.waiter_conflicts(lock, queue_end, mode))
    }

    pub(super) fn release_relation(&mut self, relation: u32, handle: Handle) {
        let Some(lock) = self.relations.get_mut(&relation) else {
            return;
        };
        lock.granted.retain(|(holder, _)| *holder != handle);
        self.grant_relation_waiters(relation);
    }

    /// One mode falls, `mode` being its bit.
    pub(super) fn release_relation_mode(&mut self, relation: u32, handle: Handle, mode: u8) {
        let Some(lock) = self.relations.get_mut(&relation) else {
            return;
        };
        if let Some(holder) = lock.granted.iter_mut().find(|(holder, _)| *holder == handle) {
            holder.1 &= !mode;
        }
        lock.granted.retain(|(_, modes)| *modes != 0);
        self.grant_relation_waiters(relation);
    }

    /// Grants every waiter that nothing before it forbids.
    fn grant_relation_waiters(&mut self, relation: u32) {
        let Some(mut lock) = self.relations.remove(&relation) else {
            return;
        };
        let mut position = 0;
        while position < lock.waiters.len() {
            let ticket = lock.waiters[position];
            let (handle, mode) = match &self.waits[&ticket] {
                wait if let WaitFor::Relation { mode, .. } = wait.wait_for => (wait.handle, mode),
                _ => unreachable!("a relation's queue holds relation waits"),
            };
            if self.may_lock(&lock, handle, mode, position) {
                lock.waiters.remove(position);
                lock.add(handle, mode);
                self.grant(ticket);
            } else {
                position += 1;
            }
        }
        if !lock.granted.is_empty() || !lock.waiters.is_empty() {
            self.relations.insert(relation, lock);
        }
    }

    pub(super) fn leave_relation_queue(&mut self, relation: u32, ticket: u64) {
        let wait = self.remove_wait(ticket);
        if let Some(lock) = self.relations.get_mut(&relation) {
            lock.waiters.retain(|waiter| *waiter != ticket);
            if wait.granted {
                // Granted but never noticed by its transaction, which gave up: take the mode back.
                let WaitFor::Relation { mode, .. } = wait.wait_for else { unreachable!("a relation wait") };
                if let Some(holder) = lock.granted.iter_mut().find(|(holder, _)| *holder == wait.handle) {
                    holder.1 &= !(1 << mode);
                }
                lock.granted.retain(|(_, modes)| *modes != 0);
            }
        }
        self.grant_relation_waiters(relation);
    }

    /// Those whom a waiter for a relation waits for.
    pub(super) fn relation_blockers(&self, relation: u32, ticket: u64, blockers: &mut Vec<Handle>) {
        let wait = &self.waits[&ticket];
        let WaitFor::Relation { mode, .. } = wait.wait_for else { unreachable!("a relation wait") };
        let Some(lock) = self.relations.get(&relation) else {
            return;
        };
        let holders = lock
            .granted
            .iter()
            .filter(|(holder, modes)| *holder != wait.handle && modes & conflicts(mode) != 0);
        blockers.extend(holders.map(|(holder, _)| *holder));
        if !lock.holds_any(wait.handle) {
            for earlier in lock.waiters.iter().take_while(|earlier| **earlier != ticket) {
                if let WaitFor::Relation { mode: waiting, .. } = self.waits[earlier].wait_for
                    && conflicts(mode) & (1 << waiting) != 0
                {
                    blockers.push(self.handle_of(*earlier));
                }
            }
        }
    }
}

impl Locks {
    /// Takes a relation lock, or waits for it.
    pub fn lock_relation(&self, relation: u32, handle: Handle, mode: RelationLockMode) -> Step<()> {
        let mode = mode as u8;
        let wait_for = WaitFor::Relation { relation, mode };
        let mut guard = self.table.lock();
        let table = &mut *guard;
        if let Some(ticket) = table.wait_of.get(&handle).copied() {
            let wait = &table.waits[&ticket];
            if wait.wait_for == wait_for {
                if !wait.granted {
                    return Err(Need::Lock(WaitTicket(ticket)).into());
                }
                table.remove_wait(ticket);
                return Ok(());
            }
            self.leave(table, ticket);
        }
        let mut lock = table.relations.remove(&relation).unwrap_or_default();
        if table.may_lock(&lock, handle, mode, lock.waiters.len()) {
            lock.add(handle, mode);
            table.relations.insert(relation, lock);
            return Ok(());
        }
        let ticket = table.add_wait(handle, wait_for);
        lock.waiters.push_back(ticket);
        table.relations.insert(relation, lock);
        if table.is_deadlocked(handle) {
            table.deadlocks += 1;
            table.leave_relation_queue(relation, ticket);
            return Err(Stop::Fail(EngineError::Deadlock));
        }
        Err(Need::Lock(WaitTicket(ticket)).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conflict_table_is_symmetric() {
        for a in 0..8u8 {
            for b in 0..8u8 {
                assert_eq!(conflicts(a) & (1 << b) != 0, conflicts(b) & (1 << a) != 0, "{a} {b}");
            }
        }
        let count: u32 = CONFLICTS.iter().map(|mask| mask.count_ones()).sum();
        assert_eq!(count, 1 + 2 + 4 + 5 + 5 + 6 + 7 + 8);
    }
}
