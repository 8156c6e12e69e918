//! SERIALIZABLE on real trees: random transactions that read, scan and write the same rows, in turn, while pages split and VDL lags.
//! What has committed must have come of one transaction after the other: its dependencies have no cycle.

mod harness;

use harness::{Node, SMALL};
use hexalog_engine::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

const KEYS: u64 = 24;
/// Long enough that a leaf holds a few rows only.
const BODY_BYTES: usize = 1_500;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Who wrote a row: the transaction, and 0 for "no row".
type Author = u64;

fn key_of(key: u64) -> [u8; 2] {
    (key as u16).to_be_bytes()
}

fn body_of(author: Author) -> Vec<u8> {
    let mut body = vec![b'.'; BODY_BYTES];
    body[..8].copy_from_slice(&author.to_le_bytes());
    body
}

fn author_of(body: &[u8]) -> Author {
    u64::from_le_bytes(*body.first_chunk().expect("bodies are long"))
}

struct Running {
    txn: Transaction,
    /// What it saw of a key that it had not written itself.
    read: BTreeMap<u64, Author>,
    /// Its last write of a key: whether the row is there.
    written: BTreeMap<u64, bool>,
}

/// One that is prepared.
struct Prepared {
    which: PreparedTransaction,
    read: BTreeMap<u64, Author>,
    written: BTreeMap<u64, bool>,
}

struct World {
    node: Node,
    tree: TreeId,
    isolation: Isolation,
    random: Random,
    running: BTreeMap<Author, Running>,
    prepared: BTreeMap<Author, Prepared>,
    read: BTreeMap<Author, BTreeMap<u64, Author>>,
    /// Versions of each key, in the order of their commits; a deletion is a version too.
    versions: BTreeMap<u64, Vec<(Author, bool)>>,
    next: Author,
    failures: u64,
    /// Splits before the last crash.
    splits: u64,
}

impl World {
    fn new(seed: u64, isolation: Isolation) -> World {
        let node = Node::create(Options { undo_streams: 16, ..SMALL });
        let tree = node.create_tree();
        let mut world = World {
            node,
            tree,
            isolation,
            random: Random(seed),
            running: BTreeMap::new(),
            prepared: BTreeMap::new(),
            read: BTreeMap::new(),
            versions: BTreeMap::new(),
            next: 1,
            failures: 0,
            splits: 0,
        };
        // Every other key is there, on one leaf's worth of rows: the rest comes by inserts, and so do splits.
        let mut txn = world.node.begin_rc();
        for key in (0..4).map(|key| key * 6) {
            world.node.insert(&mut txn, tree, &key_of(key), &body_of(1)).expect("inserts");
            world.versions.insert(key, vec![(1, true)]);
        }
        world.node.commit(txn);
        world.read.insert(1, BTreeMap::new());
        world.next = 2;
        world.node.volume.hold_vdl(true);
        world
    }

    fn begin(&mut self) {
        let read_only = self.random.below(5) == 0;
        let mut txn = self.node.engine.begin(self.isolation, read_only);
        self.node.statement(&mut txn);
        self.running.insert(self.next, Running { txn, read: BTreeMap::new(), written: BTreeMap::new() });
        self.next += 1;
    }

    fn step(&mut self) {
        if self.random.below(4) == 0 {
            let behind = self.random.below(self.node.volume.beyond_vdl() as u64 + 1);
            self.node.volume.advance_vdl(&self.node.engine, behind as usize);
        }
        if self.running.len() < 4 && self.random.below(3) == 0 {
            return self.begin();
        }
        match self.random.below(120) {
            0 => return self.crash(),
            1..8 => return self.end_prepared(),
            _ => {}
        }
        let Some(me) = self.running.keys().nth(self.random.below(4) as usize).copied() else { return };
        let key = self.random.below(KEYS);
        let done = match self.random.below(12) {
            0..3 => self.get(me, key),
            3..5 => self.scan(me, key),
            5..8 => self.write(me, key),
            8 => self.delete(me, key),
            9 => return self.commit(me),
            10 if self.prepared.len() < 3 => return self.prepare(me),
            _ => return,
        };
        if let Err(error) = done {
            let is_expected = matches!(
                error,
                EngineError::NotSerializable(_)
                    | EngineError::SerializationFailure
                    | EngineError::DeletedSince
                    | EngineError::ReadOnly
            );
            assert!(is_expected, "{error:?}");
            self.failures += 1;
            self.end(me);
        }
    }

    fn end(&mut self, me: Author) {
        let running = self.running.remove(&me).expect("it runs");
        self.node.abort(running.txn);
    }

    /// A new statement sees what the transaction itself has written.
    fn begin_statement(&mut self, me: Author) -> (&Node, &mut Running) {
        let running = self.running.get_mut(&me).expect("it runs");
        self.node.statement(&mut running.txn);
        (&self.node, running)
    }

    fn get(&mut self, me: Author, key: u64) -> Result<(), EngineError> {
        let tree = self.tree;
        let (node, running) = self.begin_statement(me);
        let mut row = RowBuffer::new();
        let found = node.run(|| node.engine.get(&mut running.txn, tree, &key_of(key), &mut row))?;
        running.note(me, key, found.then(|| author_of(&row.body)));
        Ok(())
    }

    fn scan(&mut self, me: Author, from: u64) -> Result<(), EngineError> {
        let (tree, to) = (self.tree, from + self.random.below(KEYS / 2));
        let (backward, by_leaf) = (self.random.below(2) == 0, self.random.below(2) == 0);
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        let (node, running) = self.begin_statement(me);
        let (lower, upper) = (key_of(from), key_of(to));
        let mut cursor = Cursor::new(tree, Bound::Included(&lower), Bound::Included(&upper), direction);
        let mut seen = BTreeMap::new();
        let (mut row, mut rows) = (RowBuffer::new(), LeafRows::default());
        let number = |key: &[u8]| u64::from(u16::from_be_bytes(*key.first_chunk().expect("two bytes")));
        loop {
            let txn = &mut running.txn;
            let found = match by_leaf {
                true => node.run(|| node.engine.cursor_rows(txn, &mut cursor, &mut rows, &mut row))?,
                false => match node.run(|| node.engine.cursor_next(txn, &mut cursor, &mut row))? {
                    true => Found::Row,
                    false => Found::End,
                },
            };
            match found {
                Found::End => break,
                Found::Row => {
                    seen.insert(number(&row.key), author_of(&row.body));
                }
                Found::Rows => seen.extend((0..rows.len()).map(|at| {
                    let row = rows.row(at);
                    (number(row.key), author_of(row.body))
                })),
            }
        }
        (from..=to).for_each(|key| running.note(me, key, seen.get(&key).copied()));
        Ok(())
    }

    /// Whether a write could be made without waiting for another transaction: tests of the locks are elsewhere.
    fn is_free(&self, me: Author, key: u64) -> bool {
        self.running.iter().all(|(other, running)| *other == me || !running.written.contains_key(&key))
            && self.prepared.values().all(|prepared| !prepared.written.contains_key(&key))
    }

    fn write(&mut self, me: Author, key: u64) -> Result<(), EngineError> {
        if !self.is_free(me, key) {
            return Ok(());
        }
        let tree = self.tree;
        let (node, running) = self.begin_statement(me);
        let mut row = RowBuffer::new();
        let name = key_of(key);
        let found = node.run(|| node.engine.get(&mut running.txn, tree, &name, &mut row))?;
        running.note(me, key, found.then(|| author_of(&row.body)));
        let body = body_of(me);
        if found {
            let outcome = node.run(|| {
                node.engine.update(&mut running.txn, tree, &name, row.version, RowRef::new(2, &body))
            })?;
            assert_eq!(outcome, WriteOutcome::Done, "another outcome is 40001");
        } else {
            match node.insert(&mut running.txn, tree, &name, &body) {
                // It came after the snapshot.
                Err(EngineError::DuplicateKey) => return Err(EngineError::SerializationFailure),
                other => other?,
            }
        }
        running.written.insert(key, true);
        Ok(())
    }

    fn delete(&mut self, me: Author, key: u64) -> Result<(), EngineError> {
        if !self.is_free(me, key) {
            return Ok(());
        }
        let tree = self.tree;
        let (node, running) = self.begin_statement(me);
        let mut row = RowBuffer::new();
        let name = key_of(key);
        let found = node.run(|| node.engine.get(&mut running.txn, tree, &name, &mut row))?;
        running.note(me, key, found.then(|| author_of(&row.body)));
        if found {
            let outcome =
                node.run(|| node.engine.delete(&mut running.txn, tree, &name, row.version, None))?;
            assert_eq!(outcome, WriteOutcome::Done, "another outcome is 40001");
            running.written.insert(key, false);
        }
        Ok(())
    }

    fn commit(&mut self, me: Author) {
        let mut running = self.running.remove(&me).expect("it runs");
        let node = &self.node;
        match node.run(|| node.engine.commit(&mut running.txn)) {
            Ok(_) => {
                for (key, is_there) in running.written {
                    self.versions.entry(key).or_default().push((me, is_there));
                }
                self.read.insert(me, running.read);
            }
            Err(EngineError::NotSerializable(_)) => {
                self.failures += 1;
                node.abort(running.txn);
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    fn prepare(&mut self, me: Author) {
        let mut running = self.running.remove(&me).expect("it runs");
        let (node, identifier) = (&self.node, me.to_string());
        let preparation =
            Preparation { identifier: identifier.clone(), owner: 1, database: 1, prepared_us: 0 };
        let mut advisory = AdvisoryLocks::default();
        match node.run(|| node.engine.prepare(&mut running.txn, &mut advisory, &preparation, 3)) {
            Ok(_) => {
                let mut all = node.engine.prepared_transactions().into_iter();
                let which = all.find(|it| it.preparation.identifier == identifier).expect("is listed");
                let Running { read, written, .. } = running;
                self.prepared.insert(me, Prepared { which, read, written });
            }
            Err(EngineError::NotSerializable(_)) => {
                self.failures += 1;
                node.abort(running.txn);
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    /// A prepared transaction can always commit.
    fn end_prepared(&mut self) {
        let Some(me) = self.prepared.keys().nth(self.random.below(3) as usize).copied() else { return };
        let Prepared { which, read, written } = self.prepared.remove(&me).expect("it is prepared");
        let node = &self.node;
        if self.random.below(4) == 0 {
            node.run(|| node.engine.rollback_prepared(&which)).expect("rolls back");
            return;
        }
        node.run(|| node.engine.commit_prepared(&which)).expect("may commit");
        for (key, is_there) in written {
            self.versions.entry(key).or_default().push((me, is_there));
        }
        self.read.insert(me, read);
    }

    /// Those that run are gone, without a trace for others; what is prepared stays, and so does what it has read.
    fn crash(&mut self) {
        for (_, running) in std::mem::take(&mut self.running) {
            self.node.abort(running.txn);
        }
        self.node.settle();
        self.splits += self.node.engine.stats().splits;
        self.node = self.node.clone().crash();
        self.node.volume.hold_vdl(true);
    }

    fn has_cycle(&self) -> bool {
        let mut edges: BTreeMap<Author, BTreeSet<Author>> = BTreeMap::new();
        let mut edge = |from: Author, to: Author| {
            if from != to {
                edges.entry(from).or_default().insert(to);
            }
        };
        for versions in self.versions.values() {
            versions.windows(2).for_each(|pair| edge(pair[0].0, pair[1].0));
        }
        for (reader, read) in &self.read {
            for (key, author) in read {
                let versions = self.versions.get(key).map_or(&[][..], Vec::as_slice);
                // "No row" is before the first version, or, whichever it was, one of those that deleted it: the reader comes after one of
                // them and before the one behind it. Which one is open, so only the first counts.
                let at = match author {
                    0 if versions.iter().any(|(_, is_there)| !is_there) => continue,
                    0 => None,
                    author => {
                        Some(versions.iter().position(|(it, _)| it == author).expect("it was committed"))
                    }
                };
                if let Some(at) = at {
                    edge(versions[at].0, *reader);
                }
                if let Some((next, _)) = versions.get(at.map_or(0, |at| at + 1)) {
                    edge(*reader, *next);
                }
            }
        }
        let mut left: BTreeSet<Author> = self.read.keys().copied().collect();
        loop {
            let leads_on =
                |it: &Author| edges.get(it).is_some_and(|to| to.iter().any(|to| left.contains(to)));
            let ends: Vec<Author> = left.iter().copied().filter(|it| !leads_on(it)).collect();
            if ends.is_empty() {
                return !left.is_empty();
            }
            ends.iter().for_each(|end| {
                left.remove(end);
            });
        }
    }
}

impl Running {
    fn note(&mut self, me: Author, key: u64, author: Option<Author>) {
        if self.written.contains_key(&key) {
            let own = self.written[&key].then_some(me);
            assert_eq!(author, own, "a transaction sees what it has written");
        } else {
            let before = self.read.insert(key, author.unwrap_or(0));
            assert!(before.is_none_or(|before| before == author.unwrap_or(0)), "one snapshot");
        }
    }
}

fn run(seed: u64, isolation: Isolation) -> World {
    let mut world = World::new(seed, isolation);
    (0..250).for_each(|_| world.step());
    let left: Vec<Author> = world.running.keys().copied().collect();
    left.into_iter().for_each(|me| world.commit(me));
    while !world.prepared.is_empty() {
        world.end_prepared();
    }
    world
}

#[test]
fn what_commits_could_have_come_one_after_the_other() {
    let (mut cycles, mut committed, mut failures, mut splits) = (0, 0, 0, 0);
    for seed in 0..150 {
        let world = run(seed, Isolation::Serializable);
        assert!(!world.has_cycle(), "seed {seed}");
        world.node.make_durable();
        let last = world.node.begin(Isolation::Serializable);
        world.node.commit(last);
        let stats = world.node.engine.stats();
        assert_eq!((stats.serializable_transactions, stats.serializable_reads), (0, 0), "seed {seed}");
        (committed, failures) = (committed + world.read.len() as u64, failures + world.failures);
        splits += world.splits + stats.splits;
        cycles += usize::from(run(seed, Isolation::RepeatableRead).has_cycle());
    }
    assert!(splits > 300, "{splits} splits");
    assert!(cycles > 75, "under REPEATABLE READ {cycles} of the histories have a cycle");
    assert!(committed > failures, "{committed} have committed, {failures} failed");
}

const SERIALIZABLE: Isolation = Isolation::Serializable;

/// A tree of rows with even keys, two or three on a leaf.
fn seeded() -> (Node, TreeId) {
    let node = Node::create(SMALL);
    let tree = node.create_tree();
    let mut txn = node.begin_rc();
    for key in 0..40 {
        node.insert(&mut txn, tree, &key_of(key * 2), &body_of(1)).expect("inserts");
    }
    node.commit(txn);
    (node, tree)
}

/// Commits; false if that may not be.
fn ends_well(node: &Node, mut txn: Transaction) -> bool {
    let result = node.run(|| node.engine.commit(&mut txn));
    if result.is_err() {
        node.abort(txn);
    }
    result.is_ok()
}

/// Of two that have read what the other writes one fails: `first` has learnt of key 10, and has yet to write 61.
fn refuses_skew(node: &Node, tree: TreeId, mut first: Transaction) {
    let mut second = node.begin(SERIALIZABLE);
    assert_eq!(node.get(&mut second, tree, &key_of(61)), None);
    node.insert(&mut first, tree, &key_of(61), &body_of(2)).expect("nobody has it");
    let deleted = node.delete(&mut second, tree, &key_of(10));
    let (first, second) = (ends_well(node, first), ends_well(node, second));
    assert!(deleted.is_err() || !first || !second, "write skew has committed");
}

/// ON CONFLICT looks at a row's newest version, and a duplicate key is told of it: both are reads.
#[test]
fn a_row_that_an_insert_has_met_is_read() {
    let (node, tree) = seeded();
    let mut first = node.begin(SERIALIZABLE);
    let mut row = RowBuffer::new();
    let found = node.run(|| node.engine.get_newest(&mut first, tree, &key_of(10), None, &mut row));
    assert_eq!(found, Ok(NewestRow::Found));
    refuses_skew(&node, tree, first);
    let (node, tree) = seeded();
    let mut first = node.begin(SERIALIZABLE);
    let mut savepoint = node.engine.savepoint(&first);
    assert_eq!(node.insert(&mut first, tree, &key_of(10), &body_of(2)), Err(EngineError::DuplicateKey));
    node.run(|| node.engine.rollback_to(&mut first, &mut savepoint)).expect("goes back");
    node.statement(&mut first);
    refuses_skew(&node, tree, first);
}

#[test]
fn who_was_told_of_a_key_that_it_does_not_see_goes_on_no_more() {
    let (node, tree) = seeded();
    let (mut txn, mut other) = (node.begin(SERIALIZABLE), node.begin(SERIALIZABLE));
    assert_eq!(node.get(&mut txn, tree, &key_of(61)), None);
    node.insert(&mut other, tree, &key_of(61), &body_of(2)).expect("nobody has it");
    node.insert(&mut other, tree, &key_of(11), &body_of(2)).expect("nobody has it");
    node.commit(other);
    let mut savepoint = node.engine.savepoint(&txn);
    let told = node.insert(&mut txn, tree, &key_of(11), &body_of(3));
    assert_eq!(told, Err(EngineError::DuplicateKey));
    node.run(|| node.engine.rollback_to(&mut txn, &mut savepoint)).expect("goes back");
    node.statement(&mut txn);
    let told = node.insert(&mut txn, tree, &key_of(31), &body_of(3));
    assert!(matches!(told, Err(EngineError::NotSerializable(_))), "{told:?}");
    node.abort(txn);
}

/// It reads as one that is READ ONLY, goes back to where it was not, and writes.
#[test]
fn who_may_write_again_is_watched() {
    let (node, tree) = seeded();
    let mut first = node.engine.begin(SERIALIZABLE, false);
    first.set_read_only(true);
    first.set_returns_to_writing(true);
    node.statement(&mut first);
    first.set_read_only(false);
    node.get(&mut first, tree, &key_of(10));
    refuses_skew(&node, tree, first);
}

/// A page of a tree that was dropped becomes a leaf of another, of which the same transaction has read.
#[test]
fn a_page_that_was_another_trees_is_read_of_each_apart() {
    let (node, tree) = seeded();
    let dropped: Vec<TreeId> = (0..6).map(|_| node.create_tree()).collect();
    let mut reader = node.begin(SERIALIZABLE);
    for other in dropped.iter().chain([&tree]) {
        node.scan(&mut reader, *other, Direction::Forward);
    }
    node.insert(&mut reader, tree, &key_of(91), &body_of(2)).expect("nobody has it");
    node.commit(reader);
    let mut txn = node.begin_rc();
    for other in &dropped {
        node.run(|| node.engine.drop_tree(&mut txn, *other)).expect("drops");
    }
    node.commit(txn);
    let used = node.run(|| node.engine.pages_used()).expect("counts");
    node.settle();
    assert_eq!(
        node.run(|| node.engine.pages_used()).expect("counts") + 6,
        used,
        "purge gives the pages back"
    );
    let mut txn = node.begin_rc();
    for key in 0..20 {
        node.insert(&mut txn, tree, &key_of(key * 2 + 1), &body_of(1))
            .expect("splits the leaves that were read");
    }
    node.commit(txn);
    node.commit(node.begin(SERIALIZABLE));
    assert_eq!(node.engine.stats().serializable_reads, 0);
}

/// One that has not seen a commit, and writes nothing, shows it to nobody.
#[test]
fn a_reader_makes_no_snapshot_unsafe() {
    let (node, tree) = seeded();
    let mut reader = node.begin(SERIALIZABLE);
    node.get(&mut reader, tree, &key_of(10));
    let mut writer = node.begin(SERIALIZABLE);
    assert_eq!(node.update(&mut writer, tree, &key_of(10), &body_of(3)), Ok(true));
    node.commit(writer);
    let mut report = node.engine.begin(SERIALIZABLE, true);
    report.set_deferrable(true);
    let waits = node.engine.begin_statement(&mut report);
    assert!(matches!(waits, Err(Stop::Need(Need::SafeSnapshot { .. }))), "{waits:?}");
    let later = node.begin(SERIALIZABLE);
    node.commit(reader);
    assert_eq!(node.engine.begin_statement(&mut report), Ok(()), "it need not start anew");
    node.abort(report);
    node.abort(later);
}

#[test]
fn an_index_that_is_not_kept_is_read_as_its_rows_are() {
    for is_read_before in [true, false] {
        let (node, tree) = seeded();
        let index = node.create_tree_of(TreeKind::Index);
        let mut reader = node.begin(SERIALIZABLE);
        if !is_read_before {
            node.engine.share_reads(index, tree);
        }
        let mut cursor = Cursor::new(index, Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        let mut entry = IndexEntry::default();
        let found = node.run(|| node.engine.index_next(&mut reader, &mut cursor, &mut entry));
        assert_eq!(found, Ok(false));
        if is_read_before {
            node.engine.share_reads(index, tree);
        }
        refuses_skew(&node, tree, reader);
    }
}

/// A commit that is not durable yet makes each snapshot before it unsafe: a deferrable transaction waits for it.
#[test]
fn a_snapshot_that_is_unsafe_at_once_waits_for_what_makes_it_so() {
    let (node, tree) = seeded();
    let mut pivot = node.begin(SERIALIZABLE);
    node.get(&mut pivot, tree, &key_of(10));
    let mut out = node.begin(SERIALIZABLE);
    assert_eq!(node.update(&mut out, tree, &key_of(10), &body_of(3)), Ok(true));
    node.commit(out);
    node.volume.hold_vdl(true);
    node.insert(&mut pivot, tree, &key_of(61), &body_of(2)).expect("nobody has it");
    let commit = node.run(|| node.engine.commit(&mut pivot)).expect("commits");
    let mut report = node.engine.begin(SERIALIZABLE, true);
    report.set_deferrable(true);
    assert_eq!(node.engine.begin_statement(&mut report), Err(Stop::Need(Need::Durable(commit))));
    node.make_durable();
    assert_eq!(node.engine.begin_statement(&mut report), Ok(()));
    assert!(node.get(&mut report, tree, &key_of(61)).is_some());
    node.commit(report);
}
