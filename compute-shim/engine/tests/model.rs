//! Random transactions against a model of snapshot visibility, with crashes.
//!
//! The model keeps every committed version with its commit LSN; a transaction's reads must equal what its
//! snapshot selects, its own writes laid over. After a crash every commit at or below VDL is there whole, no
//! other in part. Transactions go back to savepoints, and what they wrote since must be gone. The cache has 32 frames, VDL is held back and let go at random, background work runs at
//! random. Some bodies are so long that they are kept in chains; in the end every page is counted. Some transactions are
//! prepared, and end after any number of crashes: a crash that loses the end brings them back.

mod harness;

use harness::{Node, Random};
use hexalog_engine::*;
use hexalog_protocol::Lsn;
use hexalog_protocol::geometry::Geometry;
use std::collections::BTreeMap;
use std::ops::Bound;

type Key = Vec<u8>;

/// Bodies from this length on are kept outside of their rows.
const LONG: usize = 2_500;

/// What a transaction has made of a key.
#[derive(Clone)]
struct Written {
    /// `None` is a deletion.
    body: Option<Vec<u8>>,
    /// It has deleted the row that had the key before; another may have it now.
    has_ended: bool,
}

/// Versions of a key by commit LSN.
type Versions = Vec<(Lsn, Written)>;

/// A transaction's own writes.
type Writes = BTreeMap<Key, Written>;

/// Committed versions of every key: (commit LSN, body or deleted).
#[derive(Default)]
struct Model {
    versions: BTreeMap<Key, Versions>,
}

impl Model {
    fn at(&self, key: &[u8], snapshot: Lsn) -> Option<&Vec<u8>> {
        let versions = self.versions.get(key)?;
        versions.iter().rev().find(|(lsn, _)| *lsn <= snapshot)?.1.body.as_ref()
    }

    /// Whether the row that had the key then is there no more, be it that another has the key.
    fn has_ended_since(&self, key: &[u8], seen_at: Lsn) -> bool {
        let mut versions = self.versions.get(key).into_iter().flatten();
        versions.any(|(lsn, written)| *lsn > seen_at && written.has_ended)
    }

    fn commit(&mut self, lsn: Lsn, writes: &Writes) {
        for (key, written) in writes {
            let versions = self.versions.entry(key.clone()).or_default();
            assert!(versions.last().is_none_or(|(last, _)| *last < lsn), "commits of a row are in LSN order");
            versions.push((lsn, written.clone()));
        }
    }

    /// Drops what a crash at `vdl` loses.
    fn truncate(&mut self, vdl: Lsn) {
        for versions in self.versions.values_mut() {
            versions.retain(|(lsn, _)| *lsn <= vdl);
        }
    }
}

/// A row as it is stored: whole, or its first byte and a chain.
fn stored<'a>(body: &'a [u8], chains: &'a [Chain]) -> RowRef<'a> {
    RowRef { columns: 3, body: if chains.is_empty() { body } else { &body[..1] }, chains }
}

struct Session {
    txn: Transaction,
    /// Own writes, all of earlier statements.
    writes: Writes,
    /// Savepoints, with the writes that each leaves standing.
    savepoints: Vec<(Savepoint, Writes)>,
}

impl Session {
    fn write(&mut self, key: Key, body: Option<Vec<u8>>) {
        let has_ended = body.is_none() || self.writes.get(&key).is_some_and(|before| before.has_ended);
        self.writes.insert(key, Written { body, has_ended });
    }

    fn sees(&self, model: &Model, key: &[u8]) -> Option<Vec<u8>> {
        let snapshot = self.txn.snapshot().expect("in a statement");
        let own = self.writes.get(key).map(|written| written.body.clone());
        own.unwrap_or_else(|| model.at(key, snapshot).cloned())
    }
}

/// One that was prepared.
struct Prepared {
    identifier: String,
    writes: Writes,
    at: Lsn,
    ended: Option<Lsn>,
}

struct World {
    node: Option<Node>,
    tree: TreeId,
    model: Model,
    sessions: Vec<Session>,
    prepared: Vec<Prepared>,
    prepares: u64,
    random: Random,
    keys: usize,
    commits: u64,
}

/// What a step of a session came to.
enum Outcome<T> {
    Done(T),
    Failed(EngineError),
    /// It waits for another session; the wait was given up.
    Blocked,
}

impl World {
    fn node(&self) -> &Node {
        self.node.as_ref().expect("between crashes")
    }

    /// Drives a call; lets VDL rise by a little whenever a need asks for it.
    fn drive<T>(node: &Node, mut step: impl FnMut(&Engine) -> Step<T>) -> Outcome<T> {
        loop {
            match step(&node.engine) {
                Ok(answer) => return Outcome::Done(answer),
                Err(Stop::Fail(error)) => return Outcome::Failed(error),
                Err(Stop::Need(need @ (Need::Lock(_) | Need::Stream(_)))) => {
                    if !node.engine.poll_need(&need, std::task::Waker::noop()) {
                        node.engine.cancel_need(&need);
                        return Outcome::Blocked;
                    }
                }
                Err(Stop::Need(need)) => {
                    while !node.volume.satisfy(&node.engine, &need) {
                        node.volume.advance_vdl(&node.engine, 1);
                    }
                }
            }
        }
    }

    fn key(&mut self) -> Key {
        let number = self.random.below(self.keys);
        let mut key = vec![(number >> 8) as u8, number as u8];
        // Some keys are long, so that inner pages split too.
        key.resize(2 + if number.is_multiple_of(7) { 300 } else { number % 5 }, 9);
        key
    }

    fn body(&mut self) -> Vec<u8> {
        let length = match self.random.below(12) {
            0 => self.random.below(2500),
            // Some take more than a page.
            11 if self.random.below(4) == 0 => {
                let length = LONG + self.random.below(20_000);
                return (0..length).map(|_| self.random.next() as u8).collect();
            }
            1..6 => 24,
            _ => self.random.below(120),
        };
        vec![self.random.next() as u8; length]
    }

    /// A long body goes into a chain, all but its first byte; a row has it in one piece or not at all.
    fn store(node: &Node, txn: &mut Transaction, body: &[u8]) -> Outcome<Vec<Chain>> {
        if body.len() < LONG {
            return Outcome::Done(Vec::new());
        }
        let mut writer = ChainWriter::new();
        match Self::drive(node, |engine| engine.write_chain(txn, &mut writer, &body[1..])) {
            Outcome::Done(chain) => Outcome::Done(vec![chain]),
            Outcome::Failed(error) => Outcome::Failed(error),
            Outcome::Blocked => Outcome::Blocked,
        }
    }

    /// No row took it.
    fn give_back(node: &Node, txn: &mut Transaction, chains: &[Chain]) {
        for chain in chains {
            let given = Self::drive(node, |engine| engine.drop_chain(txn, *chain));
            assert!(matches!(given, Outcome::Done(())), "giving back neither waits nor fails");
        }
    }

    /// The body of a row that was read, put together again.
    fn load(node: &Node, txn: &mut Transaction, row: &mut RowBuffer) -> Vec<u8> {
        let mut body = row.body.clone();
        if !row.chains.is_empty() {
            let value =
                Self::drive(node, |engine| engine.read_chain(txn, row.value_reader(0)).map(<[u8]>::to_vec));
            let Outcome::Done(value) = value else { panic!("a read neither waits nor fails") };
            body.extend_from_slice(&value);
        }
        body
    }

    fn begin(&mut self) {
        let isolation =
            if self.random.below(2) == 0 { Isolation::ReadCommitted } else { Isolation::RepeatableRead };
        let txn = self.node().engine.begin(isolation, false);
        self.sessions.push(Session { txn, writes: Writes::new(), savepoints: Vec::new() });
    }

    fn statement(&mut self, at: usize) {
        let node = self.node.as_ref().expect("between crashes");
        let begun = node.engine.begin_statement(&mut self.sessions[at].txn);
        assert_eq!(begun, Ok(()), "slots are enough");
        match self.random.below(10) {
            0..3 => self.read(at),
            3 => self.scan(at),
            4 if self.random.below(2) == 0 => self.lock(at),
            4..6 => self.insert(at),
            _ => self.change(at),
        }
    }

    fn read(&mut self, at: usize) {
        let key = self.key();
        let node = self.node.as_ref().expect("between crashes");
        let session = &mut self.sessions[at];
        let mut row = RowBuffer::new();
        let found = Self::drive(node, |engine| engine.get(&mut session.txn, self.tree, &key, &mut row));
        let Outcome::Done(found) = found else { panic!("a read neither waits nor fails") };
        let body = found.then(|| Self::load(node, &mut session.txn, &mut row));
        assert_eq!(body, session.sees(&self.model, &key));
    }

    fn scan(&mut self, at: usize) {
        let (a, b) = (self.key(), self.key());
        let (low, high) = (a.clone().min(b.clone()), a.max(b));
        let forward = self.random.below(2) == 0;
        let direction = if forward { Direction::Forward } else { Direction::Backward };
        let node = self.node.as_ref().expect("between crashes");
        let session = &mut self.sessions[at];
        let mut cursor = Cursor::new(self.tree, Bound::Included(&low), Bound::Included(&high), direction);
        let (mut row, mut rows) = (RowBuffer::new(), Vec::new());
        let mut leaf = LeafRows::default();
        // Row by row, leaf by leaf, or both in turn.
        let way = self.random.below(3);
        loop {
            let by_leaf = way == 0 || way == 1 && self.random.below(2) == 0;
            let next = Self::drive(node, |engine| match by_leaf {
                true => engine.cursor_rows(&mut session.txn, &mut cursor, &mut leaf, &mut row),
                false => {
                    let found = engine.cursor_next(&mut session.txn, &mut cursor, &mut row)?;
                    Ok(if found { Found::Row } else { Found::End })
                }
            });
            let Outcome::Done(next) = next else { panic!("a scan neither waits nor fails") };
            match next {
                Found::End => break,
                Found::Row => {
                    let body = Self::load(node, &mut session.txn, &mut row);
                    rows.push((row.key.clone(), body));
                }
                Found::Rows => {
                    let given = (0..leaf.len()).map(|at| leaf.row(at));
                    rows.extend(given.map(|row| (row.key.to_vec(), row.body.to_vec())));
                }
            }
        }
        if !forward {
            rows.reverse();
        }
        let keys: std::collections::BTreeSet<Key> =
            self.model.versions.keys().chain(session.writes.keys()).cloned().collect();
        let expected: Vec<(Key, Vec<u8>)> = keys
            .range(low..=high)
            .filter_map(|key| Some((key.clone(), session.sees(&self.model, key)?)))
            .collect();
        assert!(rows == expected, "a scan sees what its snapshot selects");
    }

    fn insert(&mut self, at: usize) {
        let (key, body) = (self.key(), self.body());
        let node = self.node.as_ref().expect("between crashes");
        let session = &mut self.sessions[at];
        let chains = match Self::store(node, &mut session.txn, &body) {
            Outcome::Done(chains) => chains,
            Outcome::Failed(error) => return self.failed(at, error),
            Outcome::Blocked => return,
        };
        let row = stored(&body, &chains);
        match Self::drive(node, |engine| engine.insert(&mut session.txn, self.tree, &key, row)) {
            Outcome::Done(()) => {
                session.write(key, Some(body));
            }
            Outcome::Failed(EngineError::DuplicateKey) => {
                let newest = self.model.at(&key, Lsn::MAX).cloned();
                let own = session.writes.get(&key).map(|written| written.body.clone());
                let live = own.unwrap_or(newest);
                assert!(live.is_some(), "a duplicate is a live row");
                self.abort(at);
            }
            Outcome::Failed(error) => self.failed(at, error),
            Outcome::Blocked => Self::give_back(node, &mut session.txn, &chains),
        }
    }

    /// SELECT FOR UPDATE and its weaker kin: nobody else may have written what is locked.
    fn lock(&mut self, at: usize) {
        let key = self.key();
        let modes =
            [RowLockMode::KeyShare, RowLockMode::Share, RowLockMode::NoKeyUpdate, RowLockMode::Update];
        let mode = modes[self.random.below(4)];
        let wait = [LockWait::Wait, LockWait::Fail, LockWait::Skip][self.random.below(3)];
        let node = self.node.as_ref().expect("between crashes");
        let session = &mut self.sessions[at];
        let mut row = RowBuffer::new();
        let found = Self::drive(node, |engine| engine.get(&mut session.txn, self.tree, &key, &mut row));
        let Outcome::Done(true) = found else { return };
        let old = Self::load(node, &mut session.txn, &mut row);
        let (version, mut newest) = (row.version, RowBuffer::new());
        let outcome = Self::drive(node, |engine| {
            engine.lock_row(&mut session.txn, self.tree, &key, version, mode, wait, &mut newest)
        });
        let committed = self.model.at(&key, Lsn::MAX);
        let is_own = session.writes.contains_key(&key);
        let snapshot = session.txn.snapshot().expect("in a statement");
        match outcome {
            Outcome::Done(RowLockOutcome::Locked) => assert!(is_own || committed == Some(&old)),
            Outcome::Done(RowLockOutcome::LockedNewest) => {
                assert_eq!(committed, Some(&Self::load(node, &mut session.txn, &mut newest)));
                assert!(self.model.versions[&key].last().expect("a version").0 > snapshot);
                assert!(!self.model.has_ended_since(&key, snapshot), "the row that was seen");
            }
            Outcome::Done(RowLockOutcome::LockedKey) => {
                assert_eq!(
                    (mode, session.txn.isolation()),
                    (RowLockMode::KeyShare, Isolation::RepeatableRead)
                );
                assert_eq!(committed, Some(&Self::load(node, &mut session.txn, &mut newest)));
                assert!(self.model.versions[&key].last().expect("a version").0 > snapshot);
                assert!(!self.model.has_ended_since(&key, snapshot), "the row that was seen");
            }
            Outcome::Done(RowLockOutcome::Gone) => assert!(self.model.has_ended_since(&key, snapshot)),
            Outcome::Done(RowLockOutcome::Skipped) => assert_eq!(wait, LockWait::Skip),
            Outcome::Done(RowLockOutcome::MovedTo(_)) => panic!("no row moves"),
            Outcome::Failed(EngineError::LockNotAvailable) => assert_eq!(wait, LockWait::Fail),
            Outcome::Failed(EngineError::SerializationFailure) => {
                assert!(self.model.versions[&key].last().expect("a version").0 > snapshot);
                self.abort(at);
            }
            Outcome::Failed(error) => self.failed(at, error),
            Outcome::Blocked => {}
        }
    }

    fn change(&mut self, at: usize) {
        let key = self.key();
        let new = if self.random.below(4) == 0 { None } else { Some(self.body()) };
        let node = self.node.as_ref().expect("between crashes");
        let session = &mut self.sessions[at];
        let mut row = RowBuffer::new();
        let found = Self::drive(node, |engine| engine.get(&mut session.txn, self.tree, &key, &mut row));
        let Outcome::Done(true) = found else { return };
        let chains = match Self::store(node, &mut session.txn, new.as_deref().unwrap_or(&[])) {
            Outcome::Done(chains) => chains,
            Outcome::Failed(error) => return self.failed(at, error),
            Outcome::Blocked => return,
        };
        let mut seen_at = session.txn.snapshot().expect("in a statement");
        loop {
            let version = row.version;
            let old = Self::load(node, &mut session.txn, &mut row);
            let outcome = Self::drive(node, |engine| match &new {
                Some(body) => {
                    let row = stored(body, &chains);
                    engine.update(&mut session.txn, self.tree, &key, version, row)
                }
                None => engine.delete(&mut session.txn, self.tree, &key, version, None),
            });
            let newest = self.model.at(&key, Lsn::MAX);
            let snapshot = session.txn.snapshot().expect("in a statement");
            match outcome {
                Outcome::Done(WriteOutcome::Done) => {
                    assert!(session.writes.contains_key(&key) || newest == Some(&old));
                    session.write(key, new);
                    return;
                }
                Outcome::Done(WriteOutcome::Changed) => {
                    assert!(self.model.versions[&key].last().expect("a version").0 > snapshot);
                    let again = Self::drive(node, |engine| {
                        let known = Some(version.into());
                        engine.get_newest(&mut session.txn, self.tree, &key, known, &mut row)
                    });
                    match again {
                        Outcome::Done(NewestRow::Found) => {
                            let body = Self::load(node, &mut session.txn, &mut row);
                            assert_eq!(newest, Some(&body));
                            assert!(!self.model.has_ended_since(&key, seen_at), "the row that was seen");
                            seen_at = seen_at.max(row.committed_at);
                        }
                        Outcome::Done(_) | Outcome::Blocked => {
                            return Self::give_back(node, &mut session.txn, &chains);
                        }
                        Outcome::Failed(error) => return self.failed(at, error),
                    }
                }
                Outcome::Done(WriteOutcome::Gone) => {
                    assert!(self.model.has_ended_since(&key, seen_at));
                    return Self::give_back(node, &mut session.txn, &chains);
                }
                Outcome::Done(other) => panic!("unexpected {other:?}"),
                Outcome::Failed(EngineError::SerializationFailure) => {
                    assert!(self.model.versions[&key].last().expect("a version").0 > snapshot);
                    assert!(!self.model.has_ended_since(&key, snapshot));
                    return self.abort(at);
                }
                Outcome::Failed(EngineError::DeletedSince) => {
                    assert!(self.model.has_ended_since(&key, snapshot));
                    return self.abort(at);
                }
                Outcome::Failed(error) => return self.failed(at, error),
                Outcome::Blocked => return Self::give_back(node, &mut session.txn, &chains),
            }
        }
    }

    fn failed(&mut self, at: usize, error: EngineError) {
        assert!(matches!(error, EngineError::Deadlock), "unexpected {error:?}");
        if self.sessions[at].savepoints.is_empty() { self.abort(at) } else { self.roll_back_to(at) }
    }

    fn savepoint(&mut self, at: usize) {
        let node = self.node.as_ref().expect("between crashes");
        let session = &mut self.sessions[at];
        let savepoint = node.engine.savepoint(&session.txn);
        session.savepoints.push((savepoint, session.writes.clone()));
    }

    /// Back to a random savepoint, which stays, or out of it.
    fn roll_back_to(&mut self, at: usize) {
        let node = self.node.as_ref().expect("between crashes");
        let session = &mut self.sessions[at];
        let keep = self.random.below(session.savepoints.len());
        session.savepoints.truncate(keep + 1);
        let (savepoint, writes) = session.savepoints.last_mut().expect("kept");
        let done = Self::drive(node, |engine| engine.rollback_to(&mut session.txn, savepoint));
        let Outcome::Done(()) = done else { panic!("a rollback neither waits for locks nor fails") };
        session.writes.clone_from(writes);
        if self.random.below(2) == 0 {
            session.savepoints.pop();
        }
    }

    fn abort(&mut self, at: usize) {
        let mut session = self.sessions.swap_remove(at);
        assert_eq!(self.node().engine.abort(&mut session.txn), Ok(()));
    }

    fn commit(&mut self, at: usize) {
        let mut session = self.sessions.swap_remove(at);
        let node = self.node.as_ref().expect("between crashes");
        let Outcome::Done(lsn) = Self::drive(node, |engine| engine.commit(&mut session.txn)) else {
            panic!("a commit neither waits for locks nor fails")
        };
        self.commits += 1;
        self.model.commit(lsn, &session.writes);
        if self.random.below(3) == 0 {
            // Acknowledged: it must be durable, and stay.
            while !node.volume.satisfy(&node.engine, &Need::Durable(lsn)) {
                node.volume.advance_vdl(&node.engine, 1);
            }
        }
    }

    fn prepare(&mut self, at: usize) {
        let mut session = self.sessions.swap_remove(at);
        let node = self.node.as_ref().expect("between crashes");
        self.prepares += 1;
        let identifier = self.prepares.to_string();
        let preparation =
            Preparation { identifier: identifier.clone(), owner: 1, database: 2, prepared_us: 3 };
        let mut advisory = AdvisoryLocks::default();
        match Self::drive(node, |engine| engine.prepare(&mut session.txn, &mut advisory, &preparation, 3)) {
            Outcome::Done((_, lsn)) => {
                self.prepared.push(Prepared { identifier, writes: session.writes, at: lsn, ended: None });
            }
            Outcome::Blocked | Outcome::Failed(EngineError::TooManyPrepared) => {
                assert_eq!(node.engine.abort(&mut session.txn), Ok(()));
            }
            Outcome::Failed(error) => panic!("a prepare does not fail: {error}"),
        }
    }

    fn end_prepared(&mut self) {
        let node = self.node.as_ref().expect("between crashes");
        let mut open = self.prepared.iter_mut().filter(|it| it.ended.is_none());
        let Some(prepared) = open.nth(self.random.below(3)) else { return };
        let mut all = node.engine.prepared_transactions().into_iter();
        let which = all.find(|it| it.preparation.identifier == prepared.identifier).expect("it is prepared");
        let commits = self.random.below(3) > 0;
        let end = |engine: &Engine| match commits {
            true => engine.commit_prepared(&which),
            false => engine.rollback_prepared(&which),
        };
        let Outcome::Done(lsn) = Self::drive(node, end) else { panic!("one can be ended") };
        prepared.ended = Some(lsn);
        if commits {
            self.model.commit(lsn, &prepared.writes);
        }
    }

    fn crash(&mut self) {
        use hexalog_engine::Volume;
        let node = self.node.take().expect("between crashes");
        let vdl = node.volume.vdl();
        self.sessions.clear();
        self.model.truncate(vdl);
        self.prepared.retain(|it| it.at <= vdl && it.ended.is_none_or(|ended| ended > vdl));
        self.prepared.iter_mut().for_each(|it| it.ended = None);
        let node = node.crash();
        let mut expected: Vec<&str> = self.prepared.iter().map(|it| it.identifier.as_str()).collect();
        expected.sort_unstable();
        let found = node.engine.prepared_transactions();
        let found: Vec<&str> = found.iter().map(|it| it.preparation.identifier.as_str()).collect();
        assert_eq!(found, expected, "what was prepared at the crash is so now");
        // Opening begins above a truncation range; what committed before keeps its LSN.
        node.volume.hold_vdl(true);
        self.node = Some(node);
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..8 if self.sessions.len() < 7 => self.begin(),
            0..8 => {}
            8..14 if !self.sessions.is_empty() => {
                let at = self.random.below(self.sessions.len());
                self.commit(at);
            }
            14..17 if !self.sessions.is_empty() => {
                let at = self.random.below(self.sessions.len());
                self.abort(at);
            }
            17..27 => {
                let count = self.random.below(30);
                self.node().volume.advance_vdl(&self.node().engine, count);
            }
            27..33 => {
                let budget = Budget { mini_transactions: 1 + self.random.below(20) as u32 };
                let node = self.node.as_ref().expect("between crashes");
                if let Outcome::Failed(error) = Self::drive(node, |engine| engine.background(budget)) {
                    panic!("background work: {error}");
                }
            }
            33 if self.random.below(8) == 0 => self.crash(),
            34..38 if !self.sessions.is_empty() => {
                let at = self.random.below(self.sessions.len());
                self.savepoint(at);
            }
            41 if !self.sessions.is_empty() => {
                let at = self.random.below(self.sessions.len());
                self.prepare(at);
            }
            42 => self.end_prepared(),
            38..41 if !self.sessions.is_empty() => {
                let at = self.random.below(self.sessions.len());
                if !self.sessions[at].savepoints.is_empty() {
                    self.roll_back_to(at);
                }
            }
            _ if !self.sessions.is_empty() => {
                let at = self.random.below(self.sessions.len());
                self.statement(at);
            }
            _ => {}
        }
    }
}

fn run(seed: u64, steps: usize, streams: u16, keys: usize) {
    let options = Options { frames: 32, undo_streams: streams, snapshots: 64 };
    let node = Node::create_of(options, Geometry { pages_per_group: 16, groups: 40 });
    let tree = node.create_tree();
    node.volume.set_lal(512, 4 << 20);
    node.volume.hold_vdl(true);
    let mut world = World {
        node: Some(node),
        tree,
        model: Model::default(),
        sessions: Vec::new(),
        prepared: Vec::new(),
        prepares: 0,
        random: Random::new(seed),
        keys,
        commits: 0,
    };
    for step in 0..steps {
        world.step();
        if step % 500 == 0 {
            world.node().volume.assert_cache_equals_log(&world.node().engine);
        }
    }
    while !world.sessions.is_empty() {
        world.abort(0);
    }
    while world.prepared.iter().any(|it| it.ended.is_none()) {
        world.end_prepared();
    }
    let node = world.node();
    node.settle();
    assert_eq!(node.engine.stats().transactions_to_undo, 0);
    let report = node.check(tree);
    let mut txn = node.begin_rc();
    let mut cursor = Cursor::new(tree, Bound::Unbounded, Bound::Unbounded, Direction::Forward);
    let (mut row, mut rows) = (RowBuffer::new(), Vec::new());
    while node.run(|| node.engine.cursor_next(&mut txn, &mut cursor, &mut row)).expect("scans") {
        let body = World::load(node, &mut txn, &mut row);
        rows.push((row.key.clone(), body));
    }
    let expected: Vec<_> = world
        .model
        .versions
        .keys()
        .filter_map(|key| Some((key.clone(), world.model.at(key, Lsn::MAX)?.clone())))
        .collect();
    assert!(rows == expected, "seed {seed}: the end is what committed");
    assert_eq!((report.cells, report.cells_marked), (rows.len() as u64, 0), "seed {seed}: no mark stays");
    node.commit(txn);
    node.volume.assert_cache_equals_log(&node.engine);
    node.settle();
    node.check_pages(&[tree]);
    node.drop_last_tree(tree);
    assert!(world.commits > steps as u64 / 100, "seed {seed}: {} commits", world.commits);
}

#[test]
fn random_transactions_see_what_the_model_says() {
    for seed in 0..24 {
        run(seed, 4_000, 8, 300);
    }
}

#[test]
fn few_streams_and_hot_rows() {
    for seed in 100..116 {
        run(seed, 3_000, 2 + (seed % 3) as u16, 12);
    }
}

#[test]
fn many_rows() {
    for seed in 200..204 {
        run(seed, 8_000, 8, 3_000);
    }
}
