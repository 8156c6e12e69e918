//! An engine over a volume without a log: random transactions against a model, with a page file that makes its callers wait.
//!
//! The cache has 32 frames, so that pages leave and come back all the time. In the end every page is counted.

mod harness;

use harness::Random;
use hexalog_engine::page_file::{FileError, NotPut, PageFile, Taken};
use hexalog_engine::*;
use hexalog_protocol::{Page, PageId};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};
use std::task::Waker;

/// Bodies from this length on are kept outside of their rows.
const LONG: usize = 2_500;
const KEYS: usize = 300;

/// Every third call is waited for. What has left is counted.
#[derive(Default)]
struct Pages {
    images: BTreeMap<PageId, Page>,
    calls: u64,
    put: u64,
    is_full: bool,
}

#[derive(Clone, Default)]
struct SlowFile(Arc<Mutex<Pages>>);

impl PageFile for SlowFile {
    fn put(&self, image: Page) -> Result<(), NotPut> {
        let mut pages = self.0.lock().expect("no panic");
        pages.calls += 1;
        if pages.is_full {
            return Err(NotPut { image, why: Err(FileError::Full) });
        }
        if pages.calls.is_multiple_of(3) {
            return Err(NotPut { image, why: Ok(IoWait::ended()) });
        }
        pages.put += 1;
        pages.images.insert(image.id(), image);
        Ok(())
    }

    fn take(&self, page: PageId) -> Taken {
        let mut pages = self.0.lock().expect("no panic");
        pages.calls += 1;
        if pages.calls.is_multiple_of(3) {
            return Taken::Wait(IoWait::ended());
        }
        pages.images.remove(&page).map_or(Taken::NeverPut, Taken::Image)
    }
}

struct Store {
    engine: Engine,
    file: SlowFile,
}

impl Store {
    fn new() -> Store {
        let file = SlowFile::default();
        let volume = TemporaryVolume::new(7, Box::new(file.clone()));
        let engine = Engine::new(volume, Options { frames: 32, undo_streams: 4, snapshots: 8 });
        assert_eq!(engine.create(), Ok(()), "the first pages fit");
        Store { engine, file }
    }

    /// Nothing but the file is waited for.
    fn run<T>(&self, mut step: impl FnMut() -> Step<T>) -> Result<T, EngineError> {
        for _ in 0..100_000 {
            match step() {
                Ok(answer) => return Ok(answer),
                Err(Stop::Fail(error)) => return Err(error),
                Err(Stop::Need(need @ (Need::Spill(_) | Need::Yield))) => {
                    assert!(self.engine.poll_need(&need, Waker::noop()));
                }
                Err(Stop::Need(need)) => panic!("waits for {need:?}"),
            }
        }
        panic!("goes on without end");
    }

    fn begin(&self) -> Transaction {
        let mut txn = self.engine.begin(Isolation::ReadCommitted, false);
        self.statement(&mut txn);
        txn
    }

    fn statement(&self, txn: &mut Transaction) {
        self.run(|| self.engine.begin_statement(txn)).expect("begins");
    }

    fn commit(&self, mut txn: Transaction) {
        self.run(|| self.engine.bring_header(&mut txn)).expect("is there");
        assert!(self.engine.commit(&mut txn).is_ok(), "what it needs is at hand");
        self.finish_rest();
    }

    fn abort(&self, mut txn: Transaction) {
        assert_eq!(self.engine.abort(&mut txn), Ok(()), "an abort waits for nothing");
        self.finish_rest();
    }

    fn finish_rest(&self) {
        while self.run(|| self.engine.background(Budget::default())).expect("undoes and purges") {}
    }

    fn rows(&self, txn: &mut Transaction, tree: TreeId) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut cursor = Cursor::new(tree, Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        let (mut row, mut rows) = (RowBuffer::new(), BTreeMap::new());
        while self.run(|| self.engine.cursor_next(txn, &mut cursor, &mut row)).expect("reads") {
            let body = match row.chains.len() {
                0 => row.body.clone(),
                _ => {
                    self.run(|| self.engine.read_chain(txn, row.value_reader(0)).map(drop)).expect("reads");
                    row.value(0).expect("read whole").to_vec()
                }
            };
            rows.insert(row.key.clone(), body);
        }
        rows
    }

    fn write(&self, txn: &mut Transaction, tree: TreeId, key: &[u8], body: Option<&[u8]>) {
        let mut row = RowBuffer::new();
        let newest = self.run(|| self.engine.get_newest(txn, tree, key, None, &mut row)).expect("looks");
        let known = (newest == NewestRow::Found).then_some(row.version);
        let chain = body.filter(|body| body.len() >= LONG).map(|body| {
            let mut writer = ChainWriter::default();
            self.run(|| self.engine.write_chain(txn, &mut writer, body)).expect("writes")
        });
        let chains: Vec<Chain> = chain.into_iter().collect();
        let outcome = match (known, body) {
            (None, None) => return,
            (Some(version), None) => self.run(|| self.engine.delete(txn, tree, key, version, None)),
            (known, Some(body)) => {
                let body = if chains.is_empty() { body } else { b"" };
                let row = RowRef { columns: 1, body, chains: &chains };
                match known {
                    None => self.run(|| self.engine.insert(txn, tree, key, row)).map(|()| WriteOutcome::Done),
                    Some(version) => self.run(|| self.engine.update(txn, tree, key, version, row)),
                }
            }
        };
        assert_eq!(outcome, Ok(WriteOutcome::Done), "nobody is in the way");
    }
}

#[test]
fn a_store_without_a_log_keeps_what_was_committed() {
    for seed in 0..8 {
        let (store, mut random) = (Store::new(), Random::new(seed));
        let mut txn = store.begin();
        let tree = store.run(|| store.engine.create_tree(&mut txn, TreeKind::Clustered)).expect("makes");
        assert_eq!(tree.temporary_number(), Some(7));
        store.commit(txn);
        let mut committed = BTreeMap::new();
        for _ in 0..60 {
            let (mut txn, mut rows) = (store.begin(), committed.clone());
            let mut mark = (store.engine.savepoint(&txn), rows.clone());
            for _ in 0..random.below(60) {
                store.statement(&mut txn);
                let key = random.below(KEYS).to_be_bytes().to_vec();
                let length = [20, 700, LONG + 9_000][random.below(3)];
                let body = vec![random.below(256) as u8; length];
                match random.below(20) {
                    0 => mark = (store.engine.savepoint(&txn), rows.clone()),
                    1 => {
                        store.run(|| store.engine.rollback_to(&mut txn, &mut mark.0)).expect("goes back");
                        rows = mark.1.clone();
                    }
                    2..=6 => {
                        store.write(&mut txn, tree, &key, None);
                        rows.remove(&key);
                    }
                    _ => {
                        store.write(&mut txn, tree, &key, Some(&body));
                        rows.insert(key, body);
                    }
                }
            }
            store.statement(&mut txn);
            assert_eq!(store.rows(&mut txn, tree), rows, "seed {seed}");
            if random.below(3) == 0 {
                store.abort(txn);
            } else {
                store.commit(txn);
                committed = rows;
            }
        }
        assert!(store.file.0.lock().expect("no panic").put > 1_000, "pages leave the cache");
        let mut check = PageCheck::new(&[tree], &[]);
        let report = store.run(|| store.engine.check_pages(&mut check)).expect("every page has one use");
        assert!(report.chains > 0 && report.tree > 8, "{report:?}");
    }
}

/// While the file takes nothing, what needs room fails, and what has failed can be undone when there is room again.
#[test]
fn a_full_disk_fails_statements_and_loses_nothing() {
    let store = Store::new();
    let mut txn = store.begin();
    let tree = store.run(|| store.engine.create_tree(&mut txn, TreeKind::Clustered)).expect("makes");
    store.write(&mut txn, tree, b"kept", Some(b"row"));
    store.commit(txn);
    store.file.0.lock().expect("no panic").is_full = true;
    let mut txn = store.begin();
    let refused = (0u32..1_000).find_map(|key| {
        let row = RowRef::new(1, &[7; 2_000]);
        store.run(|| store.engine.insert(&mut txn, tree, &key.to_be_bytes(), row)).err()
    });
    assert_eq!(refused, Some(EngineError::TemporaryFile(FileError::Full)));
    assert_eq!(store.engine.abort(&mut txn), Ok(()));
    store.file.0.lock().expect("no panic").is_full = false;
    store.finish_rest();
    let mut txn = store.begin();
    assert_eq!(store.rows(&mut txn, tree), BTreeMap::from([(b"kept".to_vec(), b"row".to_vec())]));
    store.abort(txn);
    let mut check = PageCheck::new(&[tree], &[]);
    store.run(|| store.engine.check_pages(&mut check)).expect("every page has one use");
}
