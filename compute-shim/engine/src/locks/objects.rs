//! Locks of objects: relations and the numbers that applications lock. PostgreSQL's eight modes and conflict table.
//!
//! Owns who holds which modes of an object, and the FIFO queue of those who wait. One who already holds a
//! mode of the object passes the queue (as in PostgreSQL, or every upgrade behind a waiter would deadlock).
//! Relation locks are held by a transaction, to its end; advisory locks by a session, whose transaction waits.

use super::{Handle, Locks, Table, Wait, WaitFor};
use crate::error::{EngineError, Need, Step, Stop, WaitTicket};
use crate::types::{AdvisoryKey, LockEntry, LockedObject, RelationLockMode};
use std::collections::VecDeque;

/// Who holds or waits for something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Owner {
    /// Of the transaction, or of the session for an advisory lock that it holds.
    pub handle: Handle,
    /// As `pg_locks` shows it.
    pub process_id: i32,
}

#[derive(Default)]
pub(super) struct ObjectLock {
    /// Holders, with a bit for each mode.
    pub granted: Vec<(Owner, u8)>,
    pub waiters: VecDeque<u64>,
}

/// For each mode, weakest first, the modes it conflicts with (PostgreSQL documentation, table 13.2).
const CONFLICTS: [u8; 8] =
    [0b1000_0000, 0b1100_0000, 0b1111_0000, 0b1111_1000, 0b1110_1100, 0b1111_1100, 0b1111_1110, 0b1111_1111];

/// Modes that conflict with `mode`, one bit each.
pub(crate) fn conflicts(mode: u8) -> u8 {
    CONFLICTS[usize::from(mode)]
}

impl ObjectLock {
    fn conflicts_with_granted(&self, handle: Handle, mode: u8) -> bool {
        self.granted.iter().any(|(holder, modes)| holder.handle != handle && modes & conflicts(mode) != 0)
    }

    fn holds_any(&self, handle: Handle) -> bool {
        self.granted.iter().any(|(holder, _)| holder.handle == handle)
    }

    fn add(&mut self, owner: Owner, mode: u8) {
        match self.granted.iter_mut().find(|(holder, _)| holder.handle == owner.handle) {
            Some((_, modes)) => *modes |= 1 << mode,
            None => self.granted.push((owner, 1 << mode)),
        }
    }

    /// These modes, one bit each, fall.
    fn take_back(&mut self, handle: Handle, modes: u8) {
        if let Some(holder) = self.granted.iter_mut().find(|(holder, _)| holder.handle == handle) {
            holder.1 &= !modes;
        }
        self.granted.retain(|(_, modes)| *modes != 0);
    }
}

/// What a wait for an object waits for.
pub(super) fn object_of(wait: &Wait) -> (Owner, u8) {
    match wait.wait_for {
        WaitFor::Object { owner, mode, .. } => (owner, mode),
        _ => unreachable!("an object's queue holds waits for objects"),
    }
}

impl Table {
    /// Whether a waiter before position `end` conflicts with `mode`.
    fn waiter_conflicts(&self, lock: &ObjectLock, end: usize, mode: u8) -> bool {
        let waiting = |ticket: &u64| object_of(&self.waits[ticket]).1;
        lock.waiters.iter().take(end).any(|ticket| conflicts(mode) & (1 << waiting(ticket)) != 0)
    }

    fn may_lock(&self, lock: &ObjectLock, handle: Handle, mode: u8, queue_end: usize) -> bool {
        !lock.conflicts_with_granted(handle, mode)
            && (lock.holds_any(handle) || !self.waiter_conflicts(lock, queue_end, mode))
    }

    /// Modes of an object, one bit each, fall.
    pub(super) fn release_object(&mut self, object: LockedObject, handle: Handle, modes: u8) {
        let Some(lock) = self.objects.get_mut(&object) else {
            return;
        };
        lock.take_back(handle, modes);
        self.grant_object_waiters(object);
    }

    /// Grants every waiter that nothing before it forbids.
    fn grant_object_waiters(&mut self, object: LockedObject) {
        let Some(mut lock) = self.objects.remove(&object) else {
            return;
        };
        let mut position = 0;
        while position < lock.waiters.len() {
            let ticket = lock.waiters[position];
            let (owner, mode) = object_of(&self.waits[&ticket]);
            if self.may_lock(&lock, owner.handle, mode, position) {
                lock.waiters.remove(position);
                lock.add(owner, mode);
                self.grant(ticket);
            } else {
                position += 1;
            }
        }
        if !lock.granted.is_empty() || !lock.waiters.is_empty() {
            self.objects.insert(object, lock);
        }
    }

    pub(super) fn leave_object_queue(&mut self, object: LockedObject, ticket: u64) {
        let wait = self.remove_wait(ticket);
        if let Some(lock) = self.objects.get_mut(&object) {
            lock.waiters.retain(|waiter| *waiter != ticket);
            if wait.granted {
                // Granted but never noticed by its transaction, which gave up: take the mode back.
                let (owner, mode) = object_of(&wait);
                lock.take_back(owner.handle, 1 << mode);
            }
        }
        self.grant_object_waiters(object);
    }

    /// Those whom a waiter for an object waits for.
    pub(super) fn object_blockers(&self, object: LockedObject, ticket: u64, blockers: &mut Vec<Handle>) {
        let (owner, mode) = object_of(&self.waits[&ticket]);
        let Some(lock) = self.objects.get(&object) else {
            return;
        };
        let holders = lock
            .granted
            .iter()
            .filter(|(holder, modes)| holder.handle != owner.handle && modes & conflicts(mode) != 0);
        blockers.extend(holders.map(|(holder, _)| holder.handle));
        if !lock.holds_any(owner.handle) {
            for earlier in lock.waiters.iter().take_while(|earlier| **earlier != ticket) {
                if conflicts(mode) & (1 << object_of(&self.waits[earlier]).1) != 0 {
                    blockers.push(self.handle_of(*earlier));
                }
            }
        }
    }
}

impl Locks {
    /// Takes a relation lock, or waits for it.
    pub fn lock_relation(&self, relation: u32, owner: Owner, mode: RelationLockMode) -> Step<()> {
        self.lock_object(LockedObject::Relation(relation), owner, owner.handle, mode)
    }

    /// Takes an advisory lock for a session whose transaction is `handle`, or has that wait for it.
    pub fn lock_advisory(
        &self,
        key: AdvisoryKey,
        owner: Owner,
        handle: Handle,
        mode: RelationLockMode,
    ) -> Step<()> {
        self.lock_object(LockedObject::Advisory(key), owner, handle, mode)
    }

    fn lock_object(
        &self,
        object: LockedObject,
        owner: Owner,
        handle: Handle,
        mode: RelationLockMode,
    ) -> Step<()> {
        let mode = mode as u8;
        let wait_for = WaitFor::Object { object, owner, mode };
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
        let mut lock = table.objects.remove(&object).unwrap_or_default();
        if table.may_lock(&lock, owner.handle, mode, lock.waiters.len()) {
            lock.add(owner, mode);
            table.objects.insert(object, lock);
            return Ok(());
        }
        let ticket = table.add_wait(Owner { handle, process_id: owner.process_id }, wait_for);
        lock.waiters.push_back(ticket);
        table.objects.insert(object, lock);
        if table.is_deadlocked(handle) {
            table.deadlocks += 1;
            table.leave_object_queue(object, ticket);
            return Err(Stop::Fail(EngineError::Deadlock));
        }
        Err(Need::Lock(WaitTicket(ticket)).into())
    }

    /// Takes an advisory lock if nobody is in its way.
    pub fn try_lock_advisory(&self, key: AdvisoryKey, owner: Owner, mode: RelationLockMode) -> bool {
        self.try_lock_object(LockedObject::Advisory(key), owner, mode)
    }

    /// Takes a lock of an object if nobody is in its way.
    pub fn try_lock_object(&self, object: LockedObject, owner: Owner, mode: RelationLockMode) -> bool {
        let mut table = self.table.lock();
        let mut lock = table.objects.remove(&object).unwrap_or_default();
        let may = table.may_lock(&lock, owner.handle, mode as u8, lock.waiters.len());
        if may {
            lock.add(owner, mode as u8);
        }
        if !lock.granted.is_empty() || !lock.waiters.is_empty() {
            table.objects.insert(object, lock);
        }
        may
    }

    /// All that one holds of an object is another's from now on, which holds nothing of it or is the same.
    pub fn hand_object_over(&self, object: LockedObject, from: Handle, to: Owner) {
        let mut table = self.table.lock();
        let lock = table.objects.get_mut(&object).expect("a lock that is held is known");
        let (owner, _) = lock.granted.iter_mut().find(|(owner, _)| owner.handle == from).expect("it is held");
        *owner = to;
        debug_assert_eq!(lock.granted.iter().filter(|(owner, _)| owner.handle == to.handle).count(), 1);
    }

    /// An advisory lock falls.
    pub fn release_advisory(&self, key: AdvisoryKey, owner: Handle, mode: RelationLockMode) {
        self.table.lock().release_object(LockedObject::Advisory(key), owner, 1 << mode as u8);
    }

    /// A session that holds advisory locks runs this transaction: whoever waits for the session waits for what that waits
    /// for. `None`: it holds none any more.
    pub fn set_session_transaction(&self, session: Handle, transaction: Option<Handle>) {
        let mut table = self.table.lock();
        match transaction {
            Some(transaction) => table.transactions.insert(session, transaction),
            None => table.transactions.remove(&session),
        };
    }

    /// Whether someone waits for a lock of this relation.
    pub fn is_relation_waited_for(&self, relation: u32) -> bool {
        let table = self.table.lock();
        table.objects.get(&LockedObject::Relation(relation)).is_some_and(|lock| !lock.waiters.is_empty())
    }

    /// Every lock of an object that is held or waited for, in the order of objects.
    pub fn entries(&self) -> Vec<LockEntry> {
        const MODES: [RelationLockMode; 8] = RelationLockMode::ALL;
        let table = self.table.lock();
        let mut entries = Vec::new();
        for (object, lock) in &table.objects {
            let mut add = |owner: Owner, mode: RelationLockMode, granted| {
                let Owner { handle, process_id } = owner;
                entries.push(LockEntry { object: *object, owner: handle, process_id, mode, granted });
            };
            for (owner, modes) in &lock.granted {
                MODES
                    .into_iter()
                    .filter(|mode| modes & (1 << *mode as u8) != 0)
                    .for_each(|mode| add(*owner, mode, true));
            }
            for ticket in &lock.waiters {
                let (owner, mode) = object_of(&table.waits[ticket]);
                add(owner, MODES[usize::from(mode)], false);
            }
        }
        entries.sort();
        entries
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
