//! A transaction as its session holds it, and its begin, statements, commit and abort.
//!
//! Owns snapshot, command id, dependency LSN and how a commit is made: one write into the transaction's
//! header, whose LSN is published before the record can reach a boxcar. Locks fall at the append; what a
//! client is told waits for VDL above the engine. A transaction must be ended by `commit` or `abort`: it
//! holds a snapshot slot, locks and an undo stream. Read [`crate::undo`] and [`crate::rollback`] next.

use crate::access::Access;
use crate::advisory::Lock;
use crate::call::{self, Call};
use crate::engine::Engine;
use crate::error::{EngineError, Step};
use crate::layout::undo_page::byte_of;
use crate::layout::undo_record::HEADER_COMMIT_LSN;
use crate::locks::Handle;
use crate::locks::objects::Owner;
use crate::mini_transaction::MiniTransaction;
use crate::prepared::Preparing;
use crate::types::{
    Isolation, PagesUsed, RelationLockMode, RowBuffer, RowLockMode, RowVersion, TreeId, TxId,
};
use crate::undo::Finished;
use crate::undo::append::UndoPlace;
use hexalog_protocol::{Lsn, PageId};
use std::sync::atomic::Ordering;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Active,
    /// Committed by a fused write; `commit` has not been called yet.
    Committed(Lsn),
    /// `commit` or `abort` has been called.
    Ended,
}

/// One transaction of one session. End it by [`Engine::commit`] or [`Engine::abort`].
#[derive(Debug)]
pub struct Transaction {
    pub(crate) handle: Handle,
    /// Of its session, for `pg_locks`.
    process_id: i32,
    isolation: Isolation,
    read_only: bool,
    /// It was read-write when its first savepoint was set, and may be so again.
    returns_to_writing: bool,
    pub(crate) is_deferrable: bool,
    /// SERIALIZABLE, and its conflicts are looked for.
    pub(crate) is_watched: bool,
    /// The snapshot that a deferrable transaction will have if it turns out to be safe.
    pub(crate) deferred_snapshot: Option<Lsn>,
    pub(crate) state: State,
    pub(crate) snapshot: Option<Lsn>,
    /// Not READ COMMITTED: its own snapshot, while one statement reads at a newer one.
    snapshot_kept: Option<Lsn>,
    snapshot_slot: Option<u32>,
    /// Publishes the snapshot of the first of its statements whose rows it may come back to, and with it all later ones.
    kept_slot: Option<u32>,
    /// Undo offset at the statement's start: own versions at or above it are this statement's own.
    pub(crate) command_id: u64,
    pub(crate) stream: Option<u16>,
    pub(crate) tx_id: Option<TxId>,
    /// Page of the header record.
    pub(crate) header_page: PageId,
    dep_lsn: Lsn,
    pub(crate) commit_with_next_write: bool,
    /// Ticket of the pins that its pending operation keeps.
    pub(crate) parked_pins: u64,
    /// A lock was waited for, so there may be a turn to use or give back.
    pub(crate) has_waited: bool,
    /// A unique key held for the operation that is pending.
    pub(crate) key_lock: Option<u64>,
    /// Relation locks in the order they were taken: relation, the bit of one mode.
    pub(crate) relations: Vec<(u32, u8)>,
    /// Row locks in the order they were taken: the row's hash, and the mode that was held before.
    pub(crate) row_locks: Vec<(u64, Option<RowLockMode>)>,
    /// Advisory locks that are the transaction's own and no session's, once it is prepared.
    pub(crate) advisory: Vec<Lock>,
    /// PREPARE TRANSACTION, under way.
    pub(crate) preparing: Option<Box<Preparing>>,
    pub(crate) needs_purge: bool,
    /// The statement frees more than it takes: it may write although storage is full.
    frees_space: bool,
    /// Trees that it has made, with the offset of the undo record that says so.
    pub(crate) trees_created: Vec<(TreeId, u64)>,
    /// Records written, the header apart.
    pub(crate) undo_records: u64,
    /// How far down [`Engine::rollback_to`] has come, while it is under way.
    pub(crate) rollback_position: Option<u64>,
    pub(crate) pages_used: PagesUsed,
    /// The page that the last operation stopped for.
    pub(crate) waited_for: Option<PageId>,
    /// Kept from row to row.
    pub(crate) undo_buffer: Vec<u8>,
    /// Stored body of a row that lists chains, while it is written.
    pub(crate) body_buffer: Vec<u8>,
    /// A row that a unique check looks at, kept over the needs for its values.
    pub(crate) rival: RowBuffer,
}

impl Transaction {
    /// Pages that its operations have used so far.
    pub fn pages_used(&self) -> PagesUsed {
        self.pages_used
    }

    /// Highest commit, not yet durable, that what this transaction was told rests on: rows and data-dependent
    /// errors may go to a client only when VDL has reached it. Zero: none.
    pub fn dep_lsn(&self) -> Lsn {
        self.dep_lsn
    }

    /// Set before a single-statement transaction's last write is applied: row change, undo and commit are
    /// then one mini-transaction. `commit` must still be called, and returns the commit's LSN.
    pub fn set_commit_with_next_write(&mut self, on: bool) {
        self.commit_with_next_write = on;
    }

    /// The statement that has begun frees space (DROP, TRUNCATE): it may write although storage is full.
    pub fn set_frees_space(&mut self) {
        self.frees_space = true;
    }

    /// Names the session that it belongs to.
    pub fn set_process_id(&mut self, process_id: i32) {
        self.process_id = process_id;
    }

    /// Before its first statement: it sees the commit at `lsn`, durable or not, for its session has made it. All that it is told
    /// rests on that.
    pub fn follow(&mut self, lsn: Lsn) {
        assert!(self.snapshot.is_none(), "before the first snapshot");
        self.dep_lsn = self.dep_lsn.max(lsn);
    }

    /// As the lock table knows it.
    pub(crate) fn owner(&self) -> Owner {
        Owner { handle: self.handle, process_id: self.process_id }
    }

    pub(crate) fn process_id(&self) -> i32 {
        self.process_id
    }

    /// PREPARE TRANSACTION has begun, and waits for something.
    pub fn is_preparing(&self) -> bool {
        self.preparing.is_some()
    }

    /// The relations that it has locked.
    pub fn locked_relations(&self) -> impl Iterator<Item = u32> + '_ {
        self.relations.iter().map(|(relation, _)| *relation)
    }

    /// Whether anything has been written.
    pub fn has_written(&self) -> bool {
        self.tx_id.is_some()
    }

    /// The transaction's isolation level.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Whether writes fail with 25006.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// SET TRANSACTION ISOLATION LEVEL, before the first statement.
    pub fn set_isolation(&mut self, isolation: Isolation) {
        assert!(self.snapshot.is_none() || isolation == self.isolation, "set before the first snapshot");
        self.isolation = isolation;
    }

    /// Before the first statement: whether going back to a savepoint would make a READ ONLY transaction READ WRITE.
    pub fn set_returns_to_writing(&mut self, returns: bool) {
        self.returns_to_writing = returns;
    }

    pub(crate) fn is_read_only_to_its_end(&self) -> bool {
        self.read_only && !self.returns_to_writing
    }

    /// SET TRANSACTION DEFERRABLE: a serializable READ ONLY transaction waits for a safe snapshot.
    pub fn set_deferrable(&mut self, is_deferrable: bool) {
        self.is_deferrable = is_deferrable;
    }

    /// SET TRANSACTION READ ONLY or READ WRITE in the midst of it.
    pub fn set_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    /// The transaction's id, once it has written.
    pub fn tx_id(&self) -> Option<TxId> {
        self.tx_id
    }

    /// The LSN that the current statement reads at.
    pub fn snapshot(&self) -> Option<Lsn> {
        self.snapshot
    }

    pub(crate) fn read_point(&self) -> Lsn {
        self.snapshot.expect("begin_statement comes before any row")
    }

    /// What it is told now rests on the commit at `lsn`.
    pub(crate) fn depends_on(&mut self, lsn: Lsn, vdl: Lsn) {
        if lsn > vdl {
            self.dep_lsn = self.dep_lsn.max(lsn);
        }
    }

    /// Whether the running statement wrote this version.
    pub fn has_just_written(&self, version: RowVersion) -> bool {
        self.is_own(version.tx_id) && version.undo >= self.command_id
    }

    pub(crate) fn is_own(&self, tx_id: TxId) -> bool {
        self.tx_id == Some(tx_id)
    }

    pub(crate) fn assert_active(&self) {
        assert_eq!(self.state, State::Active, "the transaction has ended");
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.state != State::Ended {
            call::note_dropped();
        }
    }
}

impl Engine {
    /// Begins a transaction; it takes its snapshot at the first statement and an undo stream at its first
    /// write.
    pub fn begin(&self, isolation: Isolation, read_only: bool) -> Transaction {
        let _call = Call::enter();
        Transaction {
            handle: self.new_handle(),
            process_id: 0,
            isolation,
            read_only,
            returns_to_writing: false,
            is_deferrable: false,
            is_watched: false,
            deferred_snapshot: None,
            state: State::Active,
            snapshot: None,
            snapshot_kept: None,
            snapshot_slot: None,
            kept_slot: None,
            command_id: 0,
            stream: None,
            tx_id: None,
            header_page: PageId(0),
            dep_lsn: Lsn::ZERO,
            commit_with_next_write: false,
            parked_pins: 0,
            has_waited: false,
            key_lock: None,
            relations: Vec::new(),
            row_locks: Vec::new(),
            advisory: Vec::new(),
            preparing: None,
            needs_purge: false,
            frees_space: false,
            trees_created: Vec::new(),
            undo_records: 0,
            rollback_position: None,
            pages_used: PagesUsed::default(),
            waited_for: None,
            undo_buffer: Vec::new(),
            body_buffer: Vec::new(),
            rival: RowBuffer::new(),
        }
    }

    /// Takes the statement's snapshot (READ COMMITTED: a new one; otherwise: at the first statement
    /// only) and its command id.
    pub fn begin_statement(&self, txn: &mut Transaction) -> Step<()> {
        let _call = Call::enter();
        txn.assert_active();
        assert!(txn.rollback_position.is_none(), "a rollback to a savepoint comes to its end first");
        self.check_fenced()?;
        self.give_back_turn(txn);
        // One that was cancelled while it waited for a page does not come back to it.
        txn.waited_for = None;
        let slot = match txn.snapshot_slot {
            Some(slot) => slot,
            None => *txn.snapshot_slot.insert(self.snapshots.acquire(txn.process_id)?),
        };
        if let Some(kept) = txn.snapshot_kept.take() {
            txn.snapshot = Some(kept);
        }
        if txn.snapshot.is_none() || txn.isolation == Isolation::ReadCommitted {
            // What the transaction's writes rest on is seen by its next statement, though it may not be durable yet: no
            // row and no unique key may seem to be there twice. Nothing above `dep_lsn` is seen, so the gate of the
            // answers covers it; the slot publishes VDL, which only keeps more.
            txn.snapshot = Some(match txn.isolation {
                Isolation::Serializable => self.serializable_snapshot(txn, slot)?,
                _ => self.snapshots.take(slot, &*self.volume).max(txn.dep_lsn),
            });
        }
        txn.command_id = self.undo_head(txn);
        txn.frees_space = false;
        Ok(())
    }

    /// As [`Engine::begin_statement`], but a transaction with one snapshot too reads at the newest snapshot until
    /// its next statement: what builds an index or checks a constraint must see every row. Its slot keeps the
    /// older snapshot, so purge leaves what both need.
    pub fn begin_statement_at_newest(&self, txn: &mut Transaction) -> Step<()> {
        let _call = Call::enter();
        self.begin_statement(txn)?;
        if txn.isolation.has_one_snapshot() {
            txn.snapshot_kept = txn.snapshot;
            txn.snapshot = txn.snapshot.max(Some(self.volume.vdl()));
        }
        Ok(())
    }

    /// As [`Engine::begin_statement_at_newest`], but at all that is appended, durable or not: a transaction that was given a
    /// row lock sees what the one that has let go of it has committed. All that is told from here on rests on it.
    pub fn begin_statement_at_appended(&self, txn: &mut Transaction) -> Step<()> {
        let _call = Call::enter();
        txn.dep_lsn = txn.dep_lsn.max(self.appended());
        let appended = txn.dep_lsn;
        self.begin_statement(txn)?;
        if txn.isolation.has_one_snapshot() {
            txn.snapshot_kept = txn.snapshot;
            txn.snapshot = txn.snapshot.max(Some(appended));
        }
        Ok(())
    }

    /// Optional: the statement is over, so a READ COMMITTED transaction that now idles holds back no purge.
    pub fn end_statement(&self, txn: &mut Transaction) {
        let _call = Call::enter();
        self.give_back_turn(txn);
        if txn.isolation == Isolation::ReadCommitted
            && let Some(slot) = txn.snapshot_slot
        {
            txn.snapshot = None;
            self.snapshots.clear(slot);
        }
    }

    /// The current statement's snapshot is kept from purge to the transaction's end, for [`Engine::is_row_seen`]. Answers
    /// with the snapshot.
    pub fn keep_snapshot(&self, txn: &mut Transaction) -> Lsn {
        let _call = Call::enter();
        let snapshot = txn.read_point();
        // The slot publishes this snapshot; the next statement takes another. The other levels have one for all of them.
        if txn.kept_slot.is_none() && txn.isolation == Isolation::ReadCommitted {
            txn.kept_slot = txn.snapshot_slot.take();
        }
        snapshot
    }

    pub(crate) fn give_back_turn(&self, txn: &mut Transaction) {
        if std::mem::take(&mut txn.has_waited) {
            self.locks.give_up_wait(txn.handle);
        }
        if let Some(hash) = txn.key_lock.take() {
            self.locks.unlock_key(hash, txn.handle);
        }
    }

    /// Brings the page that a commit writes to into the cache: if nothing else comes between, the commit waits for no page.
    pub fn bring_header(&self, txn: &mut Transaction) -> Step<()> {
        let _call = Call::enter();
        match (txn.state, txn.tx_id) {
            (State::Active, Some(_)) => {
                self.operate(txn, |access, txn| access.exclusive(txn.header_page).map(drop))
            }
            _ => Ok(()),
        }
    }

    /// Appends the commit. Returns the LSN that VDL must reach before the client is told: the commit's own,
    /// or `dep_lsn` if nothing was written.
    pub fn commit(&self, txn: &mut Transaction) -> Step<Lsn> {
        self.commit_then(txn, |_| {})
    }

    /// As [`Engine::commit`]; `then` runs with the commit's LSN after the append and before the locks fall, so
    /// that whoever gets one of them finds what it did. It is not run when the answer is a need.
    pub fn commit_then(&self, txn: &mut Transaction, then: impl FnOnce(Lsn)) -> Step<Lsn> {
        let _call = Call::enter();
        let lsn = match (txn.state, txn.tx_id) {
            (State::Committed(lsn), _) => lsn,
            (State::Active, None) => {
                if let Some(committing) = self.serializable.begin_commit(txn)? {
                    committing.commit(self.appended(), self.volume.vdl());
                    txn.is_watched = false;
                }
                txn.dep_lsn
            }
            (State::Active, Some(_)) => self.operate(txn, |access, txn| access.append_commit(txn))?,
            (State::Ended, _) => panic!("a transaction ends once"),
        };
        then(lsn);
        self.release(txn);
        Ok(lsn.max(txn.dep_lsn))
    }

    /// The transaction's fate is published, or it wrote nothing: locks, snapshot and an unused stream fall.
    pub(crate) fn release(&self, txn: &mut Transaction) {
        // Before its stream falls: the next one's id may be what this one's would have been.
        self.serializable.abort(txn, &*self.volume);
        self.drop_parked(std::mem::take(&mut txn.parked_pins));
        self.give_back_turn(txn);
        self.release_handed_over(txn);
        if let Some(preparing) = txn.preparing.take() {
            self.prepared.give_up(preparing.identifier());
        }
        let wrote = txn.tx_id.is_some();
        if wrote || !txn.relations.is_empty() || !txn.row_locks.is_empty() {
            self.locks.finish(txn.handle, &txn.relations, &txn.row_locks);
            txn.relations.clear();
            txn.row_locks.clear();
        }
        if let Some(stream) = txn.stream.take() {
            let undoing = self.streams().stream(stream).lock().open.is_some();
            if undoing {
                self.locks.orphan_stream(stream);
            } else if !self.streams().stream(stream).lock().is_retired() {
                self.locks.release_stream(stream);
            }
        }
        self.release_snapshot(txn);
        txn.state = State::Ended;
    }

    /// It reads no more.
    pub(crate) fn release_snapshot(&self, txn: &mut Transaction) {
        for slot in [txn.snapshot_slot.take(), txn.kept_slot.take()].into_iter().flatten() {
            self.snapshots.release(slot);
        }
        txn.snapshot = None;
        txn.snapshot_kept = None;
    }

    /// The commit at `lsn` is being appended: publishes it. Runs inside the append's critical section.
    pub(crate) fn publish_commit(&self, tx_id: TxId, lsn: Lsn, needs_purge: bool) {
        let mut state = self.streams().stream(tx_id.stream()).lock();
        let end = state.head;
        state.finish(Finished { offset: tx_id.offset(), end, lsn, aborted: false, needs_purge });
    }

    pub(crate) fn note_committed(&self, txn: &mut Transaction, lsn: Lsn) {
        txn.is_watched = false;
        txn.state = State::Committed(lsn);
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
    }

    /// Locks a relation to the transaction's end.
    pub fn lock_relation(&self, txn: &mut Transaction, relation: u32, mode: RelationLockMode) -> Step<()> {
        let _call = Call::enter();
        txn.assert_active();
        self.check_fenced()?;
        let lock = (relation, 1 << mode as u8);
        if !txn.relations.contains(&lock) {
            self.locks.lock_relation(relation, txn.owner(), mode).inspect_err(|_| txn.has_waited = true)?;
            txn.relations.push(lock);
        }
        Ok(())
    }

    /// As [`Engine::prepare_to_write`], for what takes space: refused while storage is full. Deletes are not, nor what ends
    /// or undoes a transaction: storage keeps room for them.
    pub(crate) fn prepare_to_grow(&self, txn: &mut Transaction) -> Step<()> {
        if self.volume.is_full() && !txn.frees_space {
            return Err(EngineError::StorageFull.into());
        }
        self.prepare_to_write(txn)
    }

    /// The first checks of every write, and its stream.
    pub(crate) fn prepare_to_write(&self, txn: &mut Transaction) -> Step<()> {
        txn.assert_active();
        if txn.read_only {
            return Err(EngineError::ReadOnly.into());
        }
        self.take_stream(txn)
    }

    pub(crate) fn take_stream(&self, txn: &mut Transaction) -> Step<()> {
        if txn.stream.is_none() {
            let stream = self.locks.acquire_stream(txn.owner()).inspect_err(|_| txn.has_waited = true)?;
            txn.stream = Some(stream);
        }
        Ok(())
    }
}

impl<'e> Access<'e> {
    /// The commit of a transaction that has written: one write into its header.
    pub(crate) fn append_commit(&mut self, txn: &mut Transaction) -> Step<Lsn> {
        let tx_id = txn.tx_id.expect("a transaction that has written");
        let engine = self.engine;
        let page = self.exclusive(txn.header_page)?;
        let mut mini = MiniTransaction::begin(engine)?;
        let slot = mini.add(page);
        mini.write_commit_lsn(slot, byte_of(tx_id.offset()) + HEADER_COMMIT_LSN);
        let needs_purge = txn.needs_purge;
        let committing = engine.serializable.begin_commit(txn)?;
        let lsn = mini.commit(&mut |_, last| engine.publish_commit(tx_id, last, needs_purge));
        if let Some(committing) = committing {
            committing.commit(lsn, engine.volume.vdl());
        }
        engine.note_committed(txn, lsn);
        Ok(lsn)
    }

    /// Takes the commit into the mini-transaction of a write, if that was asked for.
    pub fn fuse_commit(&self, mini: &mut MiniTransaction<'e>, txn: &Transaction, place: &UndoPlace) -> bool {
        let header_page = if place.opens() { place.page() } else { txn.header_page };
        // A header on another undo page is left to `commit`: latching it now would break the latch order.
        let fused = txn.commit_with_next_write && header_page == place.page();
        if fused {
            mini.write_commit_lsn(place.slot(), place.commit_lsn_offset());
        }
        fused
    }

    /// Commits the mini-transaction of a write whose undo stands at `place`. Fails only if it is the transaction's commit too,
    /// and that may not be.
    pub fn commit_write(
        &mut self,
        mini: MiniTransaction<'e>,
        txn: &mut Transaction,
        place: &UndoPlace,
        fused: bool,
    ) -> Step<Lsn> {
        let engine = self.engine;
        let (handle, needs_purge) = (txn.handle, txn.needs_purge);
        if place.opens() {
            engine.serializable.name(txn, place.tx_id);
        }
        let committing = match fused {
            true => engine.serializable.begin_commit(txn)?,
            false => None,
        };
        let last = mini.commit(&mut |_, last| {
            engine.publish_undo(place, handle);
            if fused {
                engine.publish_commit(place.tx_id, last, needs_purge);
            }
        });
        if place.opens() {
            txn.tx_id = Some(place.tx_id);
            txn.header_page = place.page();
        }
        txn.undo_records += 1;
        if let Some(committing) = committing {
            committing.commit(last, engine.volume.vdl());
        }
        if fused {
            engine.note_committed(txn, last);
        }
        Ok(last)
    }
}
