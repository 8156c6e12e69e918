//! The plain types of the engine's interface: ids, rows, outcomes, options.
//!
//! Owns no behaviour beyond packing a [`TxId`]. Read [`crate::Engine`] for the calls that use them.

use crate::layout::chain_list;
use crate::layout::tree_page::{LeafCell, ROW_OVERFLOW, RowHeader};
use crate::overflow::ChainReader;
use hexalog_protocol::{Lsn, NodeId, PageId};
use std::fmt;

/// Longest stored key: index key and primary key together. Leaves room for two keys and a high key on any
/// page, so that every split finds a place.
pub const KEY_BYTES_MAX: usize = 2_700;

/// Longest stored row: header, key and body. Such a row and a longest high key fit one page together, and
/// its undo record fits one undo page.
pub const CELL_BYTES_MAX: usize = 5_200;

/// Chains that one row may list: with that many, an update's undo record and the records of the chains that it drops
/// still fit one undo page.
pub const CHAINS_MAX: usize = 255;

/// Longest value of a chain. No message of a client is longer, so nothing but a function's result could be.
pub const VALUE_BYTES_MAX: usize = 256 << 20;

/// A transaction's identity, which is also its undo address: stream (12 bits) and the offset of its header
/// record in that stream (44 bits). Zero stands for "committed, visible to every snapshot".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TxId(u64);

impl TxId {
    /// Written by no transaction still of interest: visible to all.
    pub const FROZEN: TxId = TxId(0);
    /// Bits of a stream offset.
    pub const OFFSET_BITS: u32 = 44;

    /// The transaction whose header record stands at `offset` of `stream`.
    pub fn new(stream: u16, offset: u64) -> TxId {
        assert!(stream < 1 << 12, "a stream number has 12 bits");
        assert!(offset > 0 && offset < 1 << Self::OFFSET_BITS, "a stream offset has 44 bits");
        TxId(u64::from(stream) << Self::OFFSET_BITS | offset)
    }

    /// From the seven bytes of a row header.
    pub fn from_bits(bits: u64) -> TxId {
        debug_assert!(bits < 1 << 56);
        TxId(bits)
    }

    /// As the seven bytes of a row header.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The undo stream.
    pub fn stream(self) -> u16 {
        (self.0 >> Self::OFFSET_BITS) as u16
    }

    /// Where its header record stands in the stream.
    pub fn offset(self) -> u64 {
        self.0 & ((1 << Self::OFFSET_BITS) - 1)
    }
}

impl fmt::Debug for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tx{}:{}", self.stream(), self.offset())
    }
}

/// A tree, named by its root page, which is fixed for the tree's life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TreeId(pub PageId);

/// A sequence, named by its page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SequenceId(pub PageId);

/// What a tree holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TreeKind {
    /// The rows of a table, by primary key.
    Clustered,
    /// (key, primary key) entries of a secondary index.
    Index,
}

/// A value kept outside of its row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Chain {
    /// The chain's first page.
    pub(crate) root: PageId,
    /// Bytes of the value.
    pub bytes: u32,
}

/// A row to be written. The body is opaque to the engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowRef<'a> {
    /// How many columns the body holds: lets ADD COLUMN leave old rows alone.
    pub columns: u16,
    /// The encoded columns. An update of the same length is logged as a byte difference.
    pub body: &'a [u8],
    /// The chains that the row owns, at most [`CHAINS_MAX`]: each one is fresh from [`crate::Engine::write_chain`], or
    /// listed by the version that is replaced. The body may name them by their place in this list.
    pub chains: &'a [Chain],
}

impl<'a> RowRef<'a> {
    /// A row without chains.
    pub fn new(columns: u16, body: &'a [u8]) -> RowRef<'a> {
        RowRef { columns, body, chains: &[] }
    }
}

/// Identity of one version of a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct RowVersion {
    pub(crate) tx_id: TxId,
    pub(crate) undo: u64,
}

impl RowVersion {
    /// The transaction that wrote it.
    pub fn tx_id(self) -> TxId {
        self.tx_id
    }
}

/// A row that was read. Reused from row to row, so that a scan allocates nothing in its steady state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RowBuffer {
    /// The row's key.
    pub key: Vec<u8>,
    /// How many columns the body holds.
    pub columns: u16,
    /// The encoded columns.
    pub body: Vec<u8>,
    /// The chains that the row owns.
    pub chains: Vec<Chain>,
    /// Values of chains that were asked for, whole or in part. Those of chains that the next row has too are kept.
    values: Vec<ChainReader>,
    /// Which version this is; handed back to `update` and `delete`.
    pub version: RowVersion,
    /// Commit LSN of the version that `get_newest` found; zero: the transaction's own, or visible to all.
    pub committed_at: Lsn,
}

impl RowBuffer {
    /// An empty one.
    pub fn new() -> RowBuffer {
        RowBuffer::default()
    }

    /// The row as it would be written.
    pub fn row(&self) -> RowRef<'_> {
        RowRef { columns: self.columns, body: &self.body, chains: &self.chains }
    }

    /// The reader of one of the row's chains, to be driven by [`crate::Engine::read_chain`].
    pub fn value_reader(&mut self, chain: usize) -> &mut ChainReader {
        let chain = self.chains[chain];
        let at = match self.values.iter().position(|reader| reader.chain() == chain) {
            Some(at) => at,
            None => {
                self.values.push(ChainReader::new(chain));
                self.values.len() - 1
            }
        };
        &mut self.values[at]
    }

    /// The value of one of the row's chains, if it has been read whole.
    pub fn value(&self, chain: usize) -> Option<&[u8]> {
        let chain = *self.chains.get(chain)?;
        self.values.iter().find(|reader| reader.chain() == chain)?.value()
    }

    /// Lets go of the values that were read.
    pub fn forget_values(&mut self) {
        self.values.clear();
    }

    /// Becomes the row of a cell, which has no chains.
    pub(crate) fn set(&mut self, cell: &LeafCell<'_>) {
        self.key.clear();
        self.key.extend_from_slice(cell.key);
        self.body.clear();
        self.body.extend_from_slice(cell.body);
        self.take_stored(&cell.header).expect("a cell without a list of chains");
    }

    /// `body` holds a version's stored body: cuts its list of chains off. `None`: it has a damaged one.
    #[must_use]
    pub(crate) fn take_stored(&mut self, header: &RowHeader) -> Option<()> {
        self.chains.clear();
        if header.flags & ROW_OVERFLOW != 0 {
            self.chains.extend(chain_list::decode(&self.body)?);
            self.body.truncate(chain_list::start(&self.body)?);
        }
        if !self.values.is_empty() {
            let chains = &self.chains;
            self.values.retain(|reader| chains.contains(&reader.chain()));
        }
        self.columns = header.columns;
        self.version = header.version;
        Some(())
    }
}

/// What one page of rows holds, drawn from all of its tree's.
#[derive(Clone, PartialEq, Debug)]
pub struct DrawnLeaf {
    /// Lower bound of its keys; empty: none.
    pub low: Vec<u8>,
    /// Its keys are below this; `None`: there is no bound.
    pub high: Option<Vec<u8>>,
    /// How many leaves there would be if all inner pages on the way had as many children as the one that was gone through:
    /// the reciprocal of the chance that this one had.
    pub leaves: f64,
}

/// A candidate that an index scan found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IndexEntry {
    /// The index key, as it was given to `index_insert`.
    pub key: Vec<u8>,
    /// The primary key, as it was given to `index_insert`.
    pub primary_key: Vec<u8>,
}

/// What the caller knows a row by, at a key that another row may have taken since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// The version that it saw.
    Seen(RowVersion),
    /// The row came to the key by the update whose delete mark, at its old key, is this version.
    Moved(RowVersion),
}

impl From<RowVersion> for Known {
    fn from(seen: RowVersion) -> Known {
        Known::Seen(seen)
    }
}

/// Where a row went whose key was changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moved {
    /// Its new key.
    pub key: Box<[u8]>,
    /// The delete mark that it left: it is [`Known::Moved`] by this.
    pub mark: RowVersion,
}

/// What became of an update or delete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WriteOutcome {
    /// Written.
    Done,
    /// READ COMMITTED: the newest version is another one than the caller saw: re-read it with `get_newest`
    /// and re-check. The row's place in the wait queue is kept until the statement writes the row or ends.
    Changed,
    /// The row has been deleted. Another may have its key.
    Gone,
    /// The row has another key. Another may have its old one.
    MovedTo(Moved),
    /// This very statement has written the row already: PostgreSQL skips it.
    AlreadyWritten,
}

/// What `get_newest` found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NewestRow {
    /// The newest version, committed or the transaction's own, is in the buffer.
    Found,
    /// Deleted, or never there.
    Gone,
    /// The row has another key.
    MovedTo(Moved),
}

/// A transaction's isolation level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Isolation {
    /// A snapshot per statement.
    ReadCommitted,
    /// One snapshot per transaction; a conflict fails with 40001.
    RepeatableRead,
    /// The same, and what could not have come of one transaction after the other fails with 40001 too.
    Serializable,
}

impl Isolation {
    /// Whether all statements of a transaction read at one snapshot.
    pub fn has_one_snapshot(self) -> bool {
        self != Isolation::ReadCommitted
    }
}

/// Which way a cursor goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Ascending keys.
    Forward,
    /// Descending keys.
    Backward,
}

/// Asks `index_insert` to refuse a key that a live row has.
pub struct UniqueCheck<'a> {
    /// The table that the index belongs to.
    pub clustered: TreeId,
    /// Computes the index key of a row into the cleared buffer; leaves it empty if the row
    /// has no entry in the index (a NULL key column).
    pub index_key: &'a mut IndexKeyOf<'a>,
}

/// The place of a chain whose value is wanted in its row's list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ValueWanted(pub usize);

/// Computes the index key of a row, or names a chain whose value must be read before.
pub type IndexKeyOf<'a> = dyn FnMut(&RowBuffer, &mut Vec<u8>) -> Result<(), ValueWanted> + 'a;

/// A sequence's fixed properties.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SequenceParams {
    /// First value.
    pub start: i64,
    /// Step; not zero.
    pub increment: i64,
    /// Lowest value.
    pub min: i64,
    /// Highest value.
    pub max: i64,
    /// Begin again at the other bound instead of failing.
    pub cycle: bool,
}

impl Default for SequenceParams {
    fn default() -> SequenceParams {
        SequenceParams { start: 1, increment: 1, min: 1, max: i64::MAX, cycle: false }
    }
}

/// Where a sequence stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SequenceState {
    /// The value last handed out, or the start value if none was.
    pub last_value: i64,
    /// Whether `last_value` was handed out.
    pub is_called: bool,
    /// The fixed properties.
    pub params: SequenceParams,
}

/// PostgreSQL's eight table-level lock modes, weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
#[expect(missing_docs, reason = "named as in PostgreSQL's documentation, chapter Explicit Locking")]
pub enum RelationLockMode {
    AccessShare = 0,
    RowShare = 1,
    RowExclusive = 2,
    ShareUpdateExclusive = 3,
    Share = 4,
    ShareRowExclusive = 5,
    Exclusive = 6,
    AccessExclusive = 7,
}

impl RelationLockMode {
    /// All modes, weakest first.
    pub const ALL: [RelationLockMode; 8] = [
        RelationLockMode::AccessShare,
        RelationLockMode::RowShare,
        RelationLockMode::RowExclusive,
        RelationLockMode::ShareUpdateExclusive,
        RelationLockMode::Share,
        RelationLockMode::ShareRowExclusive,
        RelationLockMode::Exclusive,
        RelationLockMode::AccessExclusive,
    ];
}

/// A number that an application locks, with a meaning of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AdvisoryKey {
    /// The database whose number it is.
    pub database: u32,
    /// One `bigint`, or two `integer`s, the first one in the upper half.
    pub number: u64,
    /// It is two: both kinds have numbers of their own.
    pub is_pair: bool,
}

/// What a lock that is no row's is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LockedObject {
    /// A table, sequence, schema, … by its oid.
    Relation(u32),
    /// A number.
    Advisory(AdvisoryKey),
}

/// A lock of an object as `pg_locks` shows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LockEntry {
    /// What it is for.
    pub object: LockedObject,
    /// Names the transaction, or the session of an advisory lock.
    pub owner: u64,
    /// The session's process number.
    pub process_id: i32,
    /// In which mode.
    pub mode: RelationLockMode,
    /// It is held, and not waited for.
    pub granted: bool,
}

/// What a serializable transaction has read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadTarget {
    /// One key of a tree, there or not. Which one is not kept.
    Key(TreeId),
    /// A leaf, and all keys that belong in it.
    Leaf(TreeId, PageId),
    /// All of a tree.
    Tree(TreeId),
}

/// A read that writers look for, as `pg_locks` shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadEntry {
    /// What was read.
    pub target: ReadTarget,
    /// Names the transaction, as in [`LockEntry`]. It may have committed, and be concurrent with one that runs.
    pub owner: u64,
    /// The process number of its session; zero of one that is prepared.
    pub process_id: i32,
}

/// PostgreSQL's four row lock modes, weakest first. An UPDATE that keeps the keys locks as `NoKeyUpdate` does, a DELETE
/// or an UPDATE of a key as `Update`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "named as in PostgreSQL's documentation, chapter Explicit Locking")]
pub enum RowLockMode {
    KeyShare,
    Share,
    NoKeyUpdate,
    Update,
}

impl RowLockMode {
    /// Whether two transactions may hold these modes of one row (PostgreSQL documentation, table 13.3).
    pub fn conflicts_with(self, other: RowLockMode) -> bool {
        let (weaker, stronger) = (self.min(other), self.max(other));
        match weaker {
            RowLockMode::KeyShare => stronger == RowLockMode::Update,
            RowLockMode::Share => stronger >= RowLockMode::NoKeyUpdate,
            RowLockMode::NoKeyUpdate | RowLockMode::Update => true,
        }
    }
}

/// What `lock_row` does when another transaction is in the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockWait {
    /// Waits for it.
    Wait,
    /// Fails with `LockNotAvailable`.
    Fail,
    /// Answers `Skipped`.
    Skip,
}

/// What became of a row that was to be locked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RowLockOutcome {
    /// Locked, and still what the caller saw.
    Locked,
    /// READ COMMITTED: locked in a newer version, which is in the buffer.
    LockedNewest,
    /// REPEATABLE READ, KEY SHARE: the same row under the same key, in a newer version, which is in the buffer. The caller
    /// keeps what it saw, if keys that the engine does not know of are the same too.
    LockedKey,
    /// The row has been deleted, or this very statement has written it; nothing is locked.
    Gone,
    /// The row has another key; nothing is locked.
    MovedTo(Moved),
    /// Another transaction is in the way, and `Skip` was asked for.
    Skipped,
}

/// How much one call of `background` may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Mini-transactions at most.
    pub mini_transactions: u32,
}

impl Default for Budget {
    /// About 200 us of work.
    fn default() -> Budget {
        Budget { mini_transactions: 64 }
    }
}

/// The engine's fixed sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Page frames of the cache; at least [`Options::FRAMES_MIN`].
    pub frames: u32,
    /// Undo streams of a volume that `create` formats (an existing volume keeps its own): 2 to 4,096.
    pub undo_streams: u16,
    /// Snapshots at once: bounds the transactions in progress.
    pub snapshots: u32,
}

impl Options {
    /// An operation pins up to 16 pages, and half of the cache is left to those that wait for nothing.
    pub const FRAMES_MIN: u32 = 32;
    /// Snapshots that one transaction holds at most: its own, and an older one for the check of what it has read.
    pub const SNAPSHOTS_OF_TRANSACTION: usize = 2;
}

impl Default for Options {
    fn default() -> Options {
        Options { frames: 8_192, undo_streams: 256, snapshots: 4_096 }
    }
}

/// Counters for the status page and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "each name says what it counts")]
pub struct EngineStats {
    pub frames: u64,
    pub frames_used: u64,
    pub page_hits: u64,
    pub page_fetches: u64,
    pub evictions: u64,
    pub commits: u64,
    pub aborts: u64,
    pub mini_transactions: u64,
    pub redo_records: u64,
    pub redo_bytes: u64,
    pub splits: u64,
    pub merges: u64,
    pub delete_marks_removed: u64,
    pub rows_undone: u64,
    pub lock_waits: u64,
    pub deadlocks: u64,
    /// Serializable transactions that run, or are concurrent with one that does.
    pub serializable_transactions: u64,
    /// Keys, leaves and trees that they have read.
    pub serializable_reads: u64,
    /// Transactions that had to be aborted for another's sake, ever.
    pub serializable_dooms: u64,
    /// Those that wait for COMMIT PREPARED or ROLLBACK PREPARED.
    pub prepared_transactions: u64,
    pub undo_streams_open: u64,
    pub undo_pages: u64,
    pub transactions_to_undo: u64,
    pub purge_horizon: u64,
}

/// A snapshot in use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HeldSnapshot {
    /// Of the session that holds it.
    pub process_id: i32,
    /// What it sees, or more.
    pub lsn: Lsn,
}

/// Pages that a transaction's operations have used: each as often as an operation came to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PagesUsed {
    /// Found in the cache.
    pub hit: u64,
    /// Waited for.
    pub read: u64,
    /// Of these, who served how many, in the order in which they came up. More nodes than this are not told apart.
    read_from: [(NodeId, u64); PagesUsed::NODES_MAX],
}

impl PagesUsed {
    const NODES_MAX: usize = 12;

    /// One more was served by a node.
    pub(crate) fn note_read_from(&mut self, node: NodeId) {
        self.add_read_from(node, 1);
    }

    fn add_read_from(&mut self, node: NodeId, pages: u64) {
        let place = self.read_from.iter_mut().find(|(of, count)| *of == node || *count == 0);
        if let Some((of, count)) = place {
            (*of, *count) = (node, *count + pages);
        }
    }

    /// What has been used since it stood at `before`.
    pub fn since(&self, before: &PagesUsed) -> PagesUsed {
        let mut used = *self;
        used.hit -= before.hit;
        used.read -= before.read;
        used.read_from.iter_mut().zip(before.read_from).for_each(|((_, count), (_, then))| *count -= then);
        used
    }

    /// Adds what has been used elsewhere.
    pub fn add(&mut self, other: &PagesUsed) {
        self.hit += other.hit;
        self.read += other.read;
        for (node, count) in other.read_from() {
            self.add_read_from(node, count);
        }
    }

    /// Nodes that served some of what was read, and how much.
    pub fn read_from(&self) -> impl Iterator<Item = (NodeId, u64)> + '_ {
        self.read_from.iter().copied().filter(|(_, count)| *count > 0)
    }
}

/// What `check_tree` counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TreeReport {
    /// Pages of all levels.
    pub pages: u64,
    /// Levels.
    pub height: u32,
    /// Cells on leaves, delete marks included.
    pub cells: u64,
    /// Cells with a delete mark.
    pub cells_marked: u64,
}

/// What `check_pages` counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PageReport {
    /// Pages in use.
    pub used: u64,
    /// Of trees.
    pub tree: u64,
    /// Of overflow chains.
    pub overflow: u64,
    /// Of undo streams.
    pub undo: u64,
    /// Overflow chains.
    pub chains: u64,
}
