//! SERIALIZABLE: snapshot isolation, and a look-out for what it lets through.
//!
//! Owns the one lock over all serializable transactions, and where the rest of the engine meets them: snapshot, reads, skipped
//! versions, writes, splits and commit. Others pay a branch. A read is noted while its leaf is latched, a write looks for
//! readers while it holds the leaf, so of the two whichever comes second sees the first: the writer finds the read, or the
//! reader comes by the version. The check of a commit and its place in the log are one critical section, so that the order of commits is
//! that of their checks. Latches are taken before this lock, the log's after it. Read [`conflicts`] for the rule.

mod conflicts;
mod reads;
#[cfg(test)]
mod tests;

use crate::access::Access;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{EngineError, Need, Step};
use crate::hash::key_hash;
use crate::locks::Handle;
use crate::transaction::Transaction;
use crate::types::{Isolation, ReadEntry, ReadTarget, TreeId, TxId};
use crate::volume::Volume;
use crate::write::Occupant;
pub use conflicts::Cycle;
use conflicts::{Members, Safety};
use hexalog_protocol::{Lsn, PageId};
use parking_lot::{Mutex, MutexGuard};
pub(crate) use reads::Target;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;

#[derive(Default)]
struct Table {
    members: Members,
    /// Deferrable transactions that wait for a safe snapshot.
    deferred: Vec<Waker>,
    /// Transactions that have ended, ever.
    ends: u64,
}

/// The serializable transactions of one engine.
#[derive(Default)]
pub(crate) struct Serializable {
    table: Mutex<Table>,
    /// Members, for those who need no lock to know that there is none.
    count: AtomicUsize,
    is_refused: AtomicBool,
}

/// What [`crate::EngineStats`] tells of them.
pub(crate) struct Usage {
    pub members: usize,
    pub reads: usize,
    pub dooms: u64,
}

impl Serializable {
    pub fn usage(&self) -> Usage {
        let table = self.table.lock();
        let members = &table.members;
        Usage { members: members.len(), reads: members.targets(), dooms: members.dooms }
    }

    /// Rows of leaf `from` are about to move to `to`, all are latched: what was read of it was read of those too.
    pub fn rows_move(&self, tree: TreeId, from: PageId, to: &[PageId]) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut table = self.table.lock();
        to.iter()
            .for_each(|to| table.members.rows_move(tree, Target::Leaf(tree, from), Target::Leaf(tree, *to)));
    }

    fn note(
        &self,
        txn: &Transaction,
        note: impl FnOnce(&mut Members, Handle) -> Result<(), Cycle>,
    ) -> Step<()> {
        if txn.is_watched {
            let mut table = self.table.lock();
            note(&mut table.members, txn.handle).map_err(EngineError::NotSerializable)?;
        }
        Ok(())
    }

    /// A writer has its id, and its first version is about to be seen.
    pub fn name(&self, txn: &Transaction, tx_id: TxId) {
        if txn.is_watched {
            self.table.lock().members.name(txn.handle, tx_id);
        }
    }

    /// Checks that a transaction may commit, or be prepared. Nothing comes between that and the commit while the answer is held.
    pub fn begin_commit(&self, txn: &Transaction) -> Step<Option<Committing<'_>>> {
        if !txn.is_watched {
            return Ok(None);
        }
        let table = self.table.lock();
        table.members.check_commit(txn.handle).map_err(EngineError::NotSerializable)?;
        Ok(Some(Committing { serializable: self, table, handle: txn.handle }))
    }

    fn end(&self, table: &mut Table, vdl: Lsn) {
        table.members.forget_seen(vdl);
        table.ends += 1;
        table.deferred.drain(..).for_each(Waker::wake);
        self.count.store(table.members.len(), Ordering::Release);
    }

    /// A prepared transaction was found as the volume was opened.
    pub fn restore(&self, handle: Handle, tx_id: TxId, vdl: Lsn) {
        let mut table = self.table.lock();
        table.members.restore(handle, tx_id, vdl);
        self.count.store(table.members.len(), Ordering::Release);
    }

    /// The transaction is aborted.
    pub fn abort(&self, txn: &mut Transaction, volume: &dyn Volume) {
        if std::mem::take(&mut txn.is_watched) {
            let mut table = self.table.lock();
            table.members.abort(txn.handle);
            self.end(&mut table, volume.vdl());
        }
    }

    /// True once a transaction has ended since there were so many.
    pub fn poll(&self, ends: u64, waker: &Waker) -> bool {
        let mut table = self.table.lock();
        let is_over = table.ends != ends;
        if !is_over && !table.deferred.iter().any(|known| known.will_wake(waker)) {
            table.deferred.push(waker.clone());
        }
        is_over
    }

    pub fn wake_all(&self) {
        self.table.lock().deferred.drain(..).for_each(Waker::wake);
    }
}

/// A transaction that may commit or be prepared, and is before this is dropped, or not now.
pub(crate) struct Committing<'s> {
    serializable: &'s Serializable,
    table: MutexGuard<'s, Table>,
    handle: Handle,
}

impl Committing<'_> {
    /// It is prepared there.
    pub fn prepare(mut self, at: Lsn) {
        self.table.members.prepare(self.handle, at);
    }

    /// It has committed there.
    pub fn commit(mut self, at: Lsn, vdl: Lsn) {
        self.table.members.commit(self.handle, at);
        self.serializable.end(&mut self.table, vdl);
    }
}

impl Engine {
    /// `from` is an index of the rows of `to`, and is not kept any more: what serializable transactions have read of it, and read from
    /// now on, counts as read of all of `to`.
    pub fn share_reads(&self, from: TreeId, to: TreeId) {
        let _call = Call::enter();
        self.serializable.table.lock().members.share(from, to);
    }

    /// The same of a tree that is to fall: its rows are to be in `to`, or it is an index of those. Nobody reads it any more.
    pub fn hand_reads_on(&self, from: TreeId, to: TreeId) {
        let _call = Call::enter();
        self.serializable.table.lock().members.hand_on(from, to);
    }

    /// What serializable transactions have read that run, or that have committed and are concurrent with one that does.
    pub fn read_entries(&self) -> Vec<ReadEntry> {
        let _call = Call::enter();
        let table = self.serializable.table.lock();
        let entry = |(target, owner, process_id)| {
            let target = match target {
                Target::Key(tree, _) => ReadTarget::Key(tree),
                Target::Leaf(tree, page) => ReadTarget::Leaf(tree, page),
                Target::Tree(tree) => ReadTarget::Tree(tree),
            };
            ReadEntry { target, owner, process_id }
        };
        table.members.reads().map(entry).collect()
    }

    /// This engine reads at what others have written: it cannot know their conflicts, and refuses SERIALIZABLE.
    pub fn refuse_serializable(&self) {
        self.serializable.is_refused.store(true, Ordering::Release);
    }

    /// A tree is about to be dropped.
    pub(crate) fn note_tree_dropped(&self, txn: &Transaction, tree: TreeId) -> Step<()> {
        self.serializable.note(txn, |members, me| members.write_tree(me, tree))
    }

    /// The snapshot of a serializable transaction. One that is deferrable waits for a safe one.
    pub(crate) fn serializable_snapshot(&self, txn: &mut Transaction, slot: u32) -> Step<Lsn> {
        if self.serializable.is_refused.load(Ordering::Acquire) {
            return Err(EngineError::Unsupported("SERIALIZABLE while there is no writer").into());
        }
        let is_read_only = txn.is_read_only_to_its_end();
        let is_deferrable = txn.is_deferrable && is_read_only;
        loop {
            let mut table = self.serializable.table.lock();
            if let Some(snapshot) = txn.deferred_snapshot {
                match table.members.safety(txn.handle) {
                    Safety::Safe => {
                        txn.is_watched = false;
                        txn.deferred_snapshot = None;
                        return Ok(snapshot);
                    }
                    Safety::Unknown => return Err(Need::SafeSnapshot { ends: table.ends }.into()),
                    Safety::Unsafe => {
                        table.members.abort(txn.handle);
                        txn.is_watched = false;
                        txn.deferred_snapshot = None;
                    }
                }
            }
            // Under the lock: what it will not see is not forgotten before it is a member.
            let vdl = self.snapshots.take(slot, &*self.volume);
            let snapshot = vdl.max(txn.dep_lsn());
            table.members.forget_seen(vdl);
            if is_deferrable && let Some(commit) = table.members.unsafe_before(snapshot) {
                // The next snapshot would be as unsafe until it sees that.
                return Err(Need::Durable(commit).into());
            }
            let safety = table.members.begin(txn.handle, snapshot, is_read_only);
            table.members.belongs_to(txn.handle, txn.process_id());
            self.serializable.count.store(table.members.len(), Ordering::Release);
            txn.is_watched = safety != Safety::Safe;
            if safety == Safety::Safe || !is_deferrable {
                return Ok(snapshot);
            }
            txn.deferred_snapshot = Some(snapshot);
        }
    }
}

impl Access<'_> {
    /// The transaction reads a key, there or not. Its leaf is latched.
    pub fn note_key_read(&self, txn: &Transaction, tree: TreeId, key: &[u8]) -> Step<()> {
        if !txn.is_watched {
            return Ok(());
        }
        let target = Target::Key(tree, key_hash(tree, key));
        self.engine.serializable.note(txn, |members, me| members.read(me, tree, target))
    }

    /// The transaction reads a leaf, which is latched, and the gaps between its keys.
    pub fn note_leaf_read(&self, txn: &Transaction, tree: TreeId, leaf: PageId) -> Step<()> {
        self.engine.serializable.note(txn, |members, me| members.read(me, tree, Target::Leaf(tree, leaf)))
    }

    /// The transaction does not see a version of this author.
    pub fn note_skipped(&self, txn: &Transaction, author: TxId) -> Step<()> {
        self.engine.serializable.note(txn, |members, me| members.skip(me, author))
    }

    /// An insert has met a row of its key that is there (`is_duplicate`) or no more. Under SERIALIZABLE it has read it; and where it has
    /// come or gone since the snapshot, the two do not go together.
    pub fn note_rival(
        &self,
        txn: &Transaction,
        tree: TreeId,
        key: &[u8],
        occupant: Occupant,
        is_duplicate: bool,
    ) -> Step<()> {
        if txn.isolation() != Isolation::Serializable {
            return Ok(());
        }
        match occupant {
            Occupant::Committed(lsn) if lsn <= txn.read_point() => self.note_key_read(txn, tree, key),
            // A duplicate key is what PostgreSQL says. Who goes back to a savepoint, and on, has been told of what it does not see.
            Occupant::Committed(_) if is_duplicate => self.engine.serializable.note(txn, |members, me| {
                members.doom(me);
                Ok(())
            }),
            Occupant::Committed(_) => Err(EngineError::SerializationFailure.into()),
            Occupant::Nobody | Occupant::Own => Ok(()),
        }
    }

    /// The transaction is about to write a key of a leaf that is latched for it.
    pub fn note_write(&self, txn: &Transaction, tree: TreeId, leaf: PageId, key: &[u8]) -> Step<()> {
        if !txn.is_watched {
            return Ok(());
        }
        let key = Target::Key(tree, key_hash(tree, key));
        let targets = [key, Target::Leaf(tree, leaf), Target::Tree(tree)];
        self.engine.serializable.note(txn, |members, me| members.write(me, &targets))
    }
}
