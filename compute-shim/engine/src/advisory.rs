//! Advisory locks: numbers that applications lock, with PostgreSQL's meaning.
//!
//! Owns [`AdvisoryLocks`], what one session holds, and the engine's calls on it. A lock is taken for the session, as often
//! as it is asked for and until it is given back as often, or for the transaction, until its end. Both are one holder in
//! the lock table, the session: its own locks are never in its way, and whoever waits for it waits for what its transaction
//! waits for. Locks fall at the append of a commit, before it is durable: one who gets a lock after that sees
//! what its earlier holders have committed, and its answers rest on it.

use crate::call::Call;
use crate::engine::Engine;
use crate::error::Step;
use crate::locks::objects::Owner;
use crate::transaction::Transaction;
use crate::types::{AdvisoryKey, LockEntry, LockedObject, RelationLockMode};
use hexalog_protocol::Lsn;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

/// How long an advisory lock is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AdvisoryExtent {
    /// Until it is given back, or the session ends.
    Session,
    /// Until the transaction ends.
    Transaction,
}

/// A lock: [`RelationLockMode::Share`] or [`RelationLockMode::Exclusive`].
pub(crate) type Lock = (AdvisoryKey, RelationLockMode);

/// The advisory locks of one session. Give all of them back by [`Engine::unlock_all_advisory`] before it is dropped.
#[derive(Debug, Default)]
pub struct AdvisoryLocks {
    owner: Option<Owner>,
    /// How often each is held for the session.
    of_session: BTreeMap<Lock, u32>,
    /// Those of the transaction, each once, in the order in which they were taken.
    of_transaction: Vec<Lock>,
}

impl AdvisoryLocks {
    /// How many the transaction holds, for [`Engine::release_advisory_since`].
    pub fn mark(&self) -> usize {
        self.of_transaction.len()
    }

    pub(crate) fn of_transaction(&self) -> &[Lock] {
        &self.of_transaction
    }

    /// Whether a number is locked both for the session and for its transaction.
    pub fn holds_one_twice(&self) -> bool {
        let is_of_session = |key: &AdvisoryKey| self.of_session.keys().any(|(other, _)| other == key);
        self.of_transaction.iter().any(|(key, _)| is_of_session(key))
    }

    fn is_held(&self, lock: &Lock) -> bool {
        self.of_session.contains_key(lock) || self.of_transaction.contains(lock)
    }

    fn note(&mut self, lock: Lock, extent: AdvisoryExtent) {
        match extent {
            AdvisoryExtent::Session => *self.of_session.entry(lock).or_default() += 1,
            AdvisoryExtent::Transaction if self.of_transaction.contains(&lock) => {}
            AdvisoryExtent::Transaction => self.of_transaction.push(lock),
        }
    }
}

impl Engine {
    /// Takes a lock, or waits for it.
    pub fn lock_advisory(
        &self,
        txn: &mut Transaction,
        locks: &mut AdvisoryLocks,
        key: AdvisoryKey,
        mode: RelationLockMode,
        extent: AdvisoryExtent,
    ) -> Step<()> {
        let _call = Call::enter();
        self.check_fenced()?;
        let owner = self.advisory_owner(txn, locks);
        if !locks.is_held(&(key, mode)) {
            let handle = txn.handle;
            self.locks.lock_advisory(key, owner, handle, mode).inspect_err(|_| txn.has_waited = true)?;
        }
        locks.note((key, mode), extent);
        self.see_released(txn);
        Ok(())
    }

    /// Takes a lock if that can be done at once; whether it was.
    pub fn try_lock_advisory(
        &self,
        txn: &mut Transaction,
        locks: &mut AdvisoryLocks,
        key: AdvisoryKey,
        mode: RelationLockMode,
        extent: AdvisoryExtent,
    ) -> Step<bool> {
        let _call = Call::enter();
        self.check_fenced()?;
        let owner = self.advisory_owner(txn, locks);
        let is_taken = locks.is_held(&(key, mode)) || self.locks.try_lock_advisory(key, owner, mode);
        if is_taken {
            locks.note((key, mode), extent);
            self.see_released(txn);
        }
        Ok(is_taken)
    }

    /// Gives a lock of the session back that it has taken once more than it has given it back; false if it has none.
    pub fn unlock_advisory(
        &self,
        locks: &mut AdvisoryLocks,
        key: AdvisoryKey,
        mode: RelationLockMode,
    ) -> bool {
        let _call = Call::enter();
        let lock = (key, mode);
        let Some(count) = locks.of_session.get_mut(&lock) else { return false };
        *count -= 1;
        if *count == 0 {
            locks.of_session.remove(&lock);
            self.release_unless_held(locks, &[lock]);
        }
        true
    }

    /// Gives all locks of the session back; those of its transaction stay.
    pub fn unlock_all_advisory(&self, locks: &mut AdvisoryLocks) {
        let _call = Call::enter();
        let released: Vec<Lock> = std::mem::take(&mut locks.of_session).into_keys().collect();
        self.release_unless_held(locks, &released);
    }

    /// The transaction has ended, or has gone back to where [`AdvisoryLocks::mark`] was this.
    pub fn release_advisory_since(&self, locks: &mut AdvisoryLocks, mark: usize) {
        let _call = Call::enter();
        if mark < locks.of_transaction.len() {
            let released = locks.of_transaction.split_off(mark);
            self.release_unless_held(locks, &released);
        }
    }

    /// A session that may hold locks has begun a transaction.
    pub fn begin_advisory(&self, txn: &Transaction, locks: &AdvisoryLocks) {
        let _call = Call::enter();
        if let Some(owner) = locks.owner
            && !locks.of_session.is_empty()
        {
            self.locks.set_session_transaction(owner.handle, Some(txn.handle));
        }
    }

    /// Whether a transaction waits for a lock of this relation.
    pub fn is_relation_waited_for(&self, relation: u32) -> bool {
        let _call = Call::enter();
        self.locks.is_relation_waited_for(relation)
    }

    /// All locks of relations and numbers, held or waited for.
    pub fn lock_entries(&self) -> Vec<LockEntry> {
        let _call = Call::enter();
        self.locks.entries()
    }

    /// The transaction has looked at [`Engine::lock_entries`], [`Engine::read_entries`] or [`Engine::blocking_processes`]. Locks fall as a
    /// commit is appended, so that one which is not there is told of once all is durable that was appended before.
    pub fn note_locks_seen(&self, txn: &mut Transaction) {
        txn.depends_on(self.appended(), self.volume.vdl());
    }

    /// The sessions that the session of a process number waits for, by theirs: those that hold what it wants, and those
    /// that stand before it.
    pub fn blocking_processes(&self, process_id: i32) -> Vec<i32> {
        let _call = Call::enter();
        self.locks.blocking(process_id)
    }

    /// The transaction's locks are its own from now on, apart from its session. None is of a number that the session has
    /// locked for itself.
    pub(crate) fn hand_advisory_over(&self, txn: &mut Transaction, locks: &mut AdvisoryLocks) {
        assert!(!locks.holds_one_twice(), "looked at before");
        let Some(owner) = locks.owner else { return };
        let of_transaction = std::mem::take(&mut locks.of_transaction);
        let keys: BTreeSet<AdvisoryKey> = of_transaction.iter().map(|(key, _)| *key).collect();
        for key in keys {
            self.locks.hand_object_over(LockedObject::Advisory(key), owner.handle, txn.owner());
        }
        txn.advisory = of_transaction;
        self.release_unless_held(locks, &[]);
    }

    /// The locks that a prepared transaction has had to itself fall with it.
    pub(crate) fn release_handed_over(&self, txn: &mut Transaction) {
        if !txn.advisory.is_empty() {
            self.advisory_released.fetch_max(self.appended().0, Ordering::AcqRel);
        }
        for (key, mode) in txn.advisory.drain(..) {
            self.locks.release_advisory(key, txn.handle, mode);
        }
    }

    /// The prepared transactions that the session of a process number waits for, by what names them in the lock table.
    pub fn blocking_prepared(&self, process_id: i32) -> Vec<u64> {
        let _call = Call::enter();
        self.locks.blocking_prepared(process_id)
    }

    fn advisory_owner(&self, txn: &Transaction, locks: &mut AdvisoryLocks) -> Owner {
        let owner = *locks
            .owner
            .get_or_insert_with(|| Owner { handle: self.new_handle(), process_id: txn.process_id() });
        self.locks.set_session_transaction(owner.handle, Some(txn.handle));
        owner
    }

    /// Some of the locks have fallen for the session or for the transaction, and perhaps not for the other.
    fn release_unless_held(&self, locks: &AdvisoryLocks, released: &[Lock]) {
        let Some(owner) = locks.owner else { return };
        self.advisory_released.fetch_max(self.appended().0, Ordering::AcqRel);
        for lock in released.iter().filter(|lock| !locks.is_held(lock)) {
            self.locks.release_advisory(lock.0, owner.handle, lock.1);
        }
        if locks.of_session.is_empty() && locks.of_transaction.is_empty() {
            self.locks.set_session_transaction(owner.handle, None);
        }
    }

    /// What was appended before a lock last fell is seen by the transaction's next statement.
    fn see_released(&self, txn: &mut Transaction) {
        let released = Lsn(self.advisory_released.load(Ordering::Acquire));
        txn.depends_on(released, self.volume.vdl());
    }
}
