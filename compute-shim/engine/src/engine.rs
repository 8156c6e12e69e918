//! The engine: one per opened volume, shared by all workers through `Arc`.

use crate::cursor::Cursor;
use crate::error::{Need, Step};
use crate::transaction::Transaction;
use crate::types::*;
use crate::volume::{FetchFailure, Volume};
use hexalog_protocol::{Lsn, Page, PageId};
use std::sync::Arc;
use std::task::Waker;

/// The compute engine of one volume.
pub struct Engine {
    volume: Arc<dyn Volume>,
}

#[expect(unused_variables, reason = "bodies follow")]
impl Engine {
    /// An engine over a volume that has been opened for writing. Call `create` or `open` next.
    pub fn new(volume: Arc<dyn Volume>, options: Options) -> Engine {
        Engine { volume }
    }

    /// The volume below.
    pub fn volume(&self) -> &Arc<dyn Volume> {
        &self.volume
    }

    /// Formats an empty volume. Resumable: call again after the need.
    pub fn create(&self) -> Step<()> {
        unimplemented!()
    }

    /// Reads the super page and the stream headers and finds losers; no redo is replayed. Resumable.
    pub fn open(&self) -> Step<()> {
        unimplemented!()
    }

    /// True if the need is met; otherwise the waker is kept, and woken when it may be.
    pub fn poll_need(&self, need: &Need, waker: &Waker) -> bool {
        unimplemented!()
    }

    /// A statement gave up waiting (cancel, timeout, disconnect): leaves queues, drops pins.
    pub fn cancel_need(&self, need: &Need) {
        unimplemented!()
    }

    /// The answer to a `fetch`.
    pub fn page_loaded(&self, page: PageId, image: Result<Page, FetchFailure>) {
        unimplemented!()
    }

    /// VDL has risen.
    pub fn vdl_advanced(&self, vdl: Lsn) {
        unimplemented!()
    }

    /// `Volume::reserve` may succeed again.
    pub fn log_space_freed(&self) {
        unimplemented!()
    }

    /// Another writer has the volume: everything fails with `Fenced` from now on.
    pub fn fenced(&self) {
        unimplemented!()
    }

    /// One slice of loser and abort rollback and of purge. False: nothing is left to do.
    pub fn background(&self, budget: Budget) -> Step<bool> {
        unimplemented!()
    }

    /// Counters.
    pub fn stats(&self) -> EngineStats {
        unimplemented!()
    }

    /// The one clustered tree that `create` makes, for the catalog.
    pub fn catalog_tree(&self) -> TreeId {
        unimplemented!()
    }

    /// Begins a transaction; it takes its snapshot at the first statement and an undo stream at its first
    /// write.
    pub fn begin(&self, isolation: Isolation, read_only: bool) -> Transaction {
        unimplemented!()
    }

    /// Takes the statement's snapshot (READ COMMITTED: a new one; REPEATABLE READ: at the first statement
    /// only) and its command id.
    pub fn begin_statement(&self, txn: &mut Transaction) -> Step<()> {
        unimplemented!()
    }

    /// Optional: the statement is over, so a READ COMMITTED transaction that now idles holds back no purge.
    pub fn end_statement(&self, txn: &mut Transaction) {
        unimplemented!()
    }

    /// Appends the commit. Returns the LSN that VDL must reach before the client is told: the commit's own,
    /// or `dep_lsn` if nothing was written.
    pub fn commit(&self, txn: &mut Transaction) -> Step<Lsn> {
        unimplemented!()
    }

    /// Aborts: drops locks at once; small ones are undone at once, others in the background.
    pub fn abort(&self, txn: &mut Transaction) -> Step<()> {
        unimplemented!()
    }

    /// Makes an empty tree, which lives if the transaction commits.
    pub fn create_tree(&self, txn: &mut Transaction, kind: TreeKind) -> Step<TreeId> {
        unimplemented!()
    }

    /// Drops a tree if the transaction commits; its pages are freed when no snapshot can need them.
    pub fn drop_tree(&self, txn: &mut Transaction, tree: TreeId) -> Step<()> {
        unimplemented!()
    }

    /// The row with this key that the statement's snapshot sees.
    pub fn get(&self, txn: &mut Transaction, tree: TreeId, key: &[u8], out: &mut RowBuffer) -> Step<bool> {
        unimplemented!()
    }

    /// Inserts a row. Fails with `DuplicateKey` if a live row has the key; waits if its writer is in progress.
    pub fn insert(&self, txn: &mut Transaction, tree: TreeId, key: &[u8], row: RowRef<'_>) -> Step<()> {
        unimplemented!()
    }

    /// Replaces the version that the caller saw.
    pub fn update(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        seen: RowVersion,
        row: RowRef<'_>,
    ) -> Step<WriteOutcome> {
        unimplemented!()
    }

    /// Marks the version that the caller saw as deleted. `moved_to` is the row's new key if an update changed
    /// it (the caller inserts the new row itself).
    pub fn delete(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        seen: RowVersion,
        moved_to: Option<&[u8]>,
    ) -> Step<WriteOutcome> {
        unimplemented!()
    }

    /// The newest committed (or own) version; waits for an in-progress writer.
    pub fn get_newest(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        out: &mut RowBuffer,
    ) -> Step<NewestRow> {
        unimplemented!()
    }

    /// The next visible row in key order (or against it). False: the range is exhausted.
    pub fn cursor_next(&self, txn: &mut Transaction, cursor: &mut Cursor, out: &mut RowBuffer) -> Step<bool> {
        unimplemented!()
    }

    /// A fresh hidden key for a table without a primary key. The row's key is the eight big-endian bytes of
    /// it, nothing else.
    pub fn allocate_row_id(&self, tree: TreeId) -> Step<u64> {
        unimplemented!()
    }

    /// Inserts an index entry, or revives a marked one.
    pub fn index_insert(
        &self,
        txn: &mut Transaction,
        index: TreeId,
        key: &[u8],
        primary_key: &[u8],
        unique: Option<UniqueCheck<'_>>,
    ) -> Step<()> {
        unimplemented!()
    }

    /// Marks an index entry as deleted.
    pub fn index_delete(
        &self,
        txn: &mut Transaction,
        index: TreeId,
        key: &[u8],
        primary_key: &[u8],
    ) -> Step<()> {
        unimplemented!()
    }

    /// The next candidate of an index scan, marked ones included: the caller fetches the clustered row
    /// visible to it and recomputes the key; a differing key is no hit.
    pub fn index_next(&self, txn: &mut Transaction, cursor: &mut Cursor, out: &mut IndexEntry) -> Step<bool> {
        unimplemented!()
    }

    /// Makes a sequence, which lives if the transaction commits.
    pub fn create_sequence(&self, txn: &mut Transaction, params: SequenceParams) -> Step<SequenceId> {
        unimplemented!()
    }

    /// The next value. Not transactional; logged every 32 values.
    pub fn sequence_next(&self, id: SequenceId) -> Step<i64> {
        unimplemented!()
    }

    /// Sets the last value; `is_called` false makes the next call return the value itself.
    pub fn sequence_set(&self, id: SequenceId, value: i64, is_called: bool) -> Step<()> {
        unimplemented!()
    }

    /// Where the sequence stands.
    pub fn sequence_current(&self, id: SequenceId) -> Step<SequenceState> {
        unimplemented!()
    }

    /// Drops a sequence if the transaction commits.
    pub fn drop_sequence(&self, txn: &mut Transaction, id: SequenceId) -> Step<()> {
        unimplemented!()
    }

    /// Locks a relation to the transaction's end.
    pub fn lock_relation(&self, txn: &mut Transaction, relation: u32, mode: RelationLockMode) -> Step<()> {
        unimplemented!()
    }

    /// Walks a whole tree and checks order, fences, links and reachability. For tests and `hexalog verify`.
    pub fn check_tree(&self, tree: TreeId) -> Step<TreeReport> {
        unimplemented!()
    }
}
