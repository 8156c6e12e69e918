//! What the engine's tests share: an engine over a volume in memory, driven to the end of every need.
//!
//! Owns no rule of the engine; each test file says what it checks.
#![allow(dead_code, reason = "no test file uses all of it")]

use hexalog_engine::memory_volume::MemoryVolume;
use hexalog_engine::*;
use hexalog_protocol::geometry::Geometry;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

/// An engine and its volume.
#[derive(Clone)]
pub struct Node {
    pub volume: Arc<MemoryVolume>,
    pub engine: Arc<Engine>,
    options: Options,
}

pub const SMALL: Options = Options { frames: 32, undo_streams: 8, snapshots: 64 };

impl Node {
    /// A fresh volume of 4,096 pages in groups of 64.
    pub fn create(options: Options) -> Node {
        Node::create_of(options, Geometry { pages_per_group: 64, groups: 64 })
    }

    pub fn create_of(options: Options, geometry: Geometry) -> Node {
        let volume = MemoryVolume::new(geometry);
        let engine = Arc::new(Engine::new(volume.clone(), options));
        volume.run(&engine, || engine.create()).expect("creates");
        let node = Node { volume, engine, options };
        node.make_durable();
        node
    }

    /// Loses what is beyond VDL and opens anew.
    pub fn crash(self) -> Node {
        let volume = self.volume.crash_and_reopen();
        let engine = Arc::new(Engine::new(volume.clone(), self.options));
        volume.run(&engine, || engine.open()).expect("opens");
        Node { volume, engine, options: self.options }
    }

    pub fn make_durable(&self) {
        let beyond = self.volume.beyond_vdl();
        self.volume.advance_vdl(&self.engine, beyond);
        assert_eq!(self.volume.beyond_vdl(), 0);
    }

    pub fn run<T>(&self, step: impl FnMut() -> Step<T>) -> Result<T, EngineError> {
        self.volume.run(&self.engine, step)
    }

    pub fn begin(&self, isolation: Isolation) -> Transaction {
        let mut txn = self.engine.begin(isolation, false);
        self.statement(&mut txn);
        txn
    }

    pub fn begin_rc(&self) -> Transaction {
        self.begin(Isolation::ReadCommitted)
    }

    pub fn statement(&self, txn: &mut Transaction) {
        self.run(|| self.engine.begin_statement(txn)).expect("begins a statement");
    }

    /// Commits and waits until it is durable.
    pub fn commit(&self, mut txn: Transaction) {
        let lsn = self.run(|| self.engine.commit(&mut txn)).expect("commits");
        assert!(self.volume.satisfy(&self.engine, &Need::Durable(lsn)), "becomes durable");
    }

    pub fn abort(&self, mut txn: Transaction) {
        self.run(|| self.engine.abort(&mut txn)).expect("aborts");
    }

    pub fn create_tree(&self) -> TreeId {
        self.create_tree_of(TreeKind::Clustered)
    }

    pub fn create_tree_of(&self, kind: TreeKind) -> TreeId {
        let mut txn = self.begin_rc();
        let tree = self.run(|| self.engine.create_tree(&mut txn, kind)).expect("creates a tree");
        self.commit(txn);
        tree
    }

    pub fn insert(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        body: &[u8],
    ) -> Result<(), EngineError> {
        self.run(|| self.engine.insert(txn, tree, key, RowRef::new(2, body)))
    }

    pub fn get(&self, txn: &mut Transaction, tree: TreeId, key: &[u8]) -> Option<Vec<u8>> {
        let mut row = RowBuffer::new();
        let found = self.run(|| self.engine.get(txn, tree, key, &mut row)).expect("reads");
        found.then_some(row.body)
    }

    /// Reads and replaces a row, re-reading as READ COMMITTED does. False: there is no such row.
    pub fn update(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        body: &[u8],
    ) -> Result<bool, EngineError> {
        let mut row = RowBuffer::new();
        if !self.run(|| self.engine.get(txn, tree, key, &mut row))? {
            return Ok(false);
        }
        loop {
            let version = row.version;
            let new = RowRef::new(2, body);
            match self.run(|| self.engine.update(txn, tree, key, version, new))? {
                WriteOutcome::Done => return Ok(true),
                WriteOutcome::Changed => {
                    let newest = self.run(|| self.engine.get_newest(txn, tree, key, None, &mut row))?;
                    if newest != NewestRow::Found {
                        return Ok(false);
                    }
                }
                WriteOutcome::Gone => return Ok(false),
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    pub fn delete(&self, txn: &mut Transaction, tree: TreeId, key: &[u8]) -> Result<bool, EngineError> {
        let mut row = RowBuffer::new();
        if !self.run(|| self.engine.get(txn, tree, key, &mut row))? {
            return Ok(false);
        }
        let outcome = self.run(|| self.engine.delete(txn, tree, key, row.version, None))?;
        Ok(outcome == WriteOutcome::Done)
    }

    pub fn scan(&self, txn: &mut Transaction, tree: TreeId, direction: Direction) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.scan_between(txn, tree, Bound::Unbounded, Bound::Unbounded, direction)
    }

    pub fn scan_between(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        direction: Direction,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut cursor = Cursor::new(tree, lower, upper, direction);
        let mut row = RowBuffer::new();
        let mut rows = Vec::new();
        while self.run(|| self.engine.cursor_next(txn, &mut cursor, &mut row)).expect("scans") {
            rows.push((row.key.clone(), row.body.clone()));
        }
        rows
    }

    pub fn check(&self, tree: TreeId) -> TreeReport {
        let mut check = TreeCheck::new(tree);
        self.run(|| self.engine.check_tree(&mut check)).expect("a sound tree")
    }

    /// Counts every page of the volume; purge must be through.
    pub fn check_pages(&self, trees: &[TreeId]) -> PageReport {
        let mut check = PageCheck::new(trees, &[]);
        self.run(|| self.engine.check_pages(&mut check)).expect("every page is reachable once or free")
    }

    /// Drops a tree and checks that every page but the fixed ones and the undo streams' is free again. No
    /// other tree may be left.
    pub fn drop_last_tree(&self, tree: TreeId) {
        self.volume.hold_vdl(false);
        let mut txn = self.begin_rc();
        self.run(|| self.engine.drop_tree(&mut txn, tree)).expect("drops");
        self.commit(txn);
        self.settle();
        // Super page, bitmap, directory page, catalog root.
        let used = self.run(|| self.engine.pages_used()).expect("counts");
        assert_eq!(used, 4 + self.engine.stats().undo_pages, "pages leaked or freed twice");
    }

    /// Runs background work to its end, making all durable: purge waits for that.
    pub fn settle(&self) {
        loop {
            self.make_durable();
            if !self.run(|| self.engine.background(Budget::default())).expect("background work") {
                return;
            }
        }
    }
}

/// Drives a call from one of several threads: whoever waits pumps the volume.
pub fn drive<T>(node: &Node, mut step: impl FnMut(&Engine) -> Step<T>) -> Result<T, EngineError> {
    loop {
        match step(&node.engine) {
            Ok(answer) => return Ok(answer),
            Err(Stop::Fail(error)) => return Err(error),
            Err(Stop::Need(need)) => {
                while !node.engine.poll_need(&need, Waker::noop()) {
                    node.volume.pump(&node.engine);
                    std::thread::yield_now();
                }
            }
        }
    }
}

/// A small generator for seeded tests (xorshift64*).
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// A volume with one tree, whose rows have the keys below `rows` and eight bytes of the key.
pub fn seeded(rows: u8) -> (Node, TreeId) {
    let node = Node::create(SMALL);
    let tree = node.create_tree();
    let mut txn = node.begin_rc();
    for k in 0..rows {
        node.insert(&mut txn, tree, &[k], &[k; 8]).expect("inserts");
    }
    node.commit(txn);
    (node, tree)
}

pub fn version_of(node: &Node, txn: &mut Transaction, tree: TreeId, key: &[u8]) -> RowVersion {
    let mut row = RowBuffer::new();
    assert!(node.run(|| node.engine.get(txn, tree, key, &mut row)).expect("reads"));
    row.version
}

/// Counts its wakes.
#[derive(Default)]
pub struct Woken(pub AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// What a step that cannot go on needs.
pub fn need_of<T: std::fmt::Debug>(step: Step<T>) -> Need {
    match step {
        Err(Stop::Need(need)) => need,
        other => panic!("expected a need, got {other:?}"),
    }
}

/// Waits for all but a lock or an undo stream, as a session does; what is waited for then.
pub fn lock_of<T: std::fmt::Debug>(node: &Node, mut step: impl FnMut() -> Step<T>) -> Need {
    loop {
        let need = need_of(step());
        if matches!(need, Need::Lock(_) | Need::Stream(_)) {
            return need;
        }
        assert!(node.volume.satisfy(&node.engine, &need));
    }
}
