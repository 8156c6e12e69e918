//! Values outside of their rows: whole, once, and gone when nobody can need them.
//!
//! `Node::check_pages` counts every page of the volume: leaked pages, and pages freed twice or too early, fail there.

mod harness;

use harness::{Node, Random, SMALL};
use hexalog_engine::*;
use std::collections::BTreeMap;

/// Bytes that compress a little: about half of each value.
fn value(random: &mut Random, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| if at % 128 < 64 { random.next() as u8 } else { b'-' }).collect()
}

fn noise(random: &mut Random, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| random.next() as u8).collect()
}

struct Table {
    node: Node,
    tree: TreeId,
}

impl Table {
    fn new() -> Table {
        let node = Node::create(SMALL);
        let tree = node.create_tree();
        Table { node, tree }
    }

    fn chain(&self, txn: &mut Transaction, value: &[u8]) -> Result<Chain, EngineError> {
        let mut writer = ChainWriter::new();
        self.node.run(|| self.node.engine.write_chain(txn, &mut writer, value))
    }

    fn try_insert(&self, txn: &mut Transaction, key: &[u8], values: &[&[u8]]) -> Result<(), EngineError> {
        let chains: Vec<Chain> =
            values.iter().map(|value| self.chain(txn, value)).collect::<Result<_, _>>()?;
        let row = RowRef { columns: 1, body: key, chains: &chains };
        self.node.run(|| self.node.engine.insert(txn, self.tree, key, row))
    }

    fn insert(&self, txn: &mut Transaction, key: &[u8], values: &[&[u8]]) {
        self.try_insert(txn, key, values).expect("inserts");
    }

    fn read(&self, txn: &mut Transaction, key: &[u8]) -> Option<RowBuffer> {
        let mut row = RowBuffer::new();
        let engine = &self.node.engine;
        self.node.run(|| engine.get(txn, self.tree, key, &mut row)).expect("reads").then_some(row)
    }

    fn values(&self, txn: &mut Transaction, key: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut row = self.read(txn, key)?;
        assert_eq!(row.body, key, "the list of chains is cut off");
        let engine = &self.node.engine;
        let values = (0..row.chains.len()).map(|chain| {
            let reader = row.value_reader(chain);
            self.node.run(|| engine.read_chain(txn, reader).map(<[u8]>::to_vec)).expect("reads")
        });
        Some(values.collect())
    }

    /// Replaces the chains of a row: `Ok(n)` keeps its n-th, `Err` is a new value.
    fn update(&self, txn: &mut Transaction, key: &[u8], new: &[Result<usize, &[u8]>]) {
        self.node.statement(txn);
        let row = self.read(txn, key).expect("a row");
        let chains: Vec<Chain> = new
            .iter()
            .map(|chain| match chain {
                Ok(kept) => row.chains[*kept],
                Err(value) => self.chain(txn, value).expect("writes"),
            })
            .collect();
        let new = RowRef { columns: 1, body: key, chains: &chains };
        let engine = &self.node.engine;
        let outcome = self.node.run(|| engine.update(txn, self.tree, key, row.version, new));
        assert_eq!(outcome, Ok(WriteOutcome::Done));
    }

    fn check(&self) -> PageReport {
        self.check_all(&[self.tree])
    }

    /// Purges all, then counts every page. There are these trees and no other.
    fn check_all(&self, trees: &[TreeId]) -> PageReport {
        self.node.settle();
        for tree in trees {
            self.node.check(*tree);
        }
        self.node.volume.assert_cache_equals_log(&self.node.engine);
        self.node.check_pages(trees)
    }

    fn crash(self) -> Table {
        Table { node: self.node.crash(), tree: self.tree }
    }
}

#[test]
fn values_of_every_length_come_back() {
    let mut random = Random::new(1);
    let table = Table::new();
    let mut txn = table.node.begin_rc();
    let mut model = BTreeMap::new();
    // One page, its end; more pages than the cache has frames; blocks and their ends; pages of a directory.
    let lengths = [1, 2, 8_059, 8_060, 8_061, 9_000, 65_535, 65_536, 65_537, 131_072, 700_000];
    for (key, bytes) in lengths.into_iter().enumerate() {
        for (kind, value) in
            [noise(&mut random, bytes), value(&mut random, bytes), vec![b'x'; bytes]].into_iter().enumerate()
        {
            let key = vec![key as u8, kind as u8];
            table.insert(&mut txn, &key, &[&value]);
            model.insert(key, value);
        }
    }
    table.node.statement(&mut txn);
    for (key, value) in &model {
        assert!(table.values(&mut txn, key).expect("a row") == [value.as_slice()], "{key:?}");
    }
    table.node.commit(txn);
    let report = table.check();
    assert_eq!(report.chains, model.len() as u64);
    let table = table.crash();
    table.node.engine.evict_pages();
    let mut txn = table.node.begin_rc();
    for (key, value) in &model {
        assert!(table.values(&mut txn, key).expect("a row") == [value.as_slice()], "{key:?}");
    }
    table.node.commit(txn);
    assert_eq!(table.check().overflow, report.overflow);
}

#[test]
fn a_value_that_fits_a_page_takes_one() {
    let mut random = Random::new(2);
    let table = Table::new();
    let mut txn = table.node.begin_rc();
    table.insert(&mut txn, b"a", &[&noise(&mut random, 8_060)]);
    table.insert(&mut txn, b"b", &[&vec![1; 60_000]]);
    // A directory and two pages.
    table.insert(&mut txn, b"c", &[&noise(&mut random, 8_061)]);
    table.node.commit(txn);
    assert_eq!(table.check().overflow, 1 + 1 + 3);
}

#[test]
fn a_directory_goes_on_in_another_page() {
    let geometry = hexalog_protocol::geometry::Geometry { pages_per_group: 64, groups: 64 };
    let node = Node::create_of(SMALL, geometry);
    let tree = node.create_tree();
    let table = Table { node, tree };
    let long = noise(&mut Random::new(3), 1_400 * 8_064);
    let mut txn = table.node.begin_rc();
    table.insert(&mut txn, b"k", &[&long]);
    table.node.statement(&mut txn);
    assert!(table.values(&mut txn, b"k").expect("a row") == [long.as_slice()]);
    table.node.commit(txn);
    assert_eq!(table.check().overflow, 1_401 + 2);
    let mut txn = table.node.begin_rc();
    assert_eq!(table.node.delete(&mut txn, tree, b"k"), Ok(true));
    table.node.commit(txn);
    assert_eq!(table.check().overflow, 0);
}

#[test]
fn a_chain_lives_as_long_as_someone_can_read_it() {
    let mut random = Random::new(4);
    let (old, kept, new) =
        (noise(&mut random, 30_000), noise(&mut random, 9_000), noise(&mut random, 20_000));
    let table = Table::new();
    let mut txn = table.node.begin_rc();
    table.insert(&mut txn, b"k", &[&old, &kept]);
    table.node.commit(txn);
    let before = table.check();
    let mut reader = table.node.begin(Isolation::RepeatableRead);
    let mut txn = table.node.begin_rc();
    table.update(&mut txn, b"k", &[Ok(1), Err(&new)]);
    table.node.commit(txn);
    table.node.settle();
    table.node.engine.evict_pages();
    assert!(table.values(&mut reader, b"k").expect("a row") == [old.as_slice(), &kept]);
    let mut txn = table.node.begin_rc();
    assert_eq!(table.node.delete(&mut txn, table.tree, b"k"), Ok(true));
    table.node.commit(txn);
    table.node.settle();
    assert!(table.values(&mut reader, b"k").expect("a row") == [old.as_slice(), &kept]);
    table.node.commit(reader);
    assert_eq!(before.chains, 2);
    assert_eq!(table.check().overflow, 0);
}

#[test]
fn an_update_that_keeps_a_chain_writes_nothing_of_it() {
    let table = Table::new();
    let mut txn = table.node.begin_rc();
    table.insert(&mut txn, b"k", &[&noise(&mut Random::new(5), 100_000)]);
    table.node.commit(txn);
    let before = table.check();
    table.node.engine.evict_pages();
    table.node.volume.take_redo_counts();
    let fetched = table.node.engine.stats().page_fetches;
    let mut txn = table.node.begin_rc();
    table.update(&mut txn, b"k", &[Ok(0)]);
    table.node.commit(txn);
    assert!(table.node.volume.take_redo_counts().bytes < 200);
    assert!(table.node.engine.stats().page_fetches - fetched < 5, "no overflow page was read");
    assert_eq!(table.check().overflow, before.overflow);
}

#[test]
fn abort_and_crash_free_what_was_written() {
    let mut random = Random::new(6);
    let (first, second) = (noise(&mut random, 50_000), noise(&mut random, 70_000));
    for crashes in [false, true] {
        let mut table = Table::new();
        let mut txn = table.node.begin_rc();
        table.insert(&mut txn, b"kept", &[&first]);
        table.insert(&mut txn, b"gone", &[&second]);
        table.node.commit(txn);
        let before = table.check();
        let mut txn = table.node.begin_rc();
        table.update(&mut txn, b"kept", &[Err(&second)]);
        table.update(&mut txn, b"kept", &[Err(&first), Ok(0)]);
        table.insert(&mut txn, b"new", &[&first, &second]);
        assert_eq!(table.node.delete(&mut txn, table.tree, b"gone"), Ok(true));
        if crashes {
            table.node.make_durable();
            table = table.crash();
        } else {
            table.node.abort(txn);
        }
        let after = table.check();
        assert_eq!((after.chains, after.overflow), (2, before.overflow));
        let mut txn = table.node.begin_rc();
        assert!(table.values(&mut txn, b"kept").expect("a row") == [first.as_slice()]);
        assert!(table.values(&mut txn, b"gone").expect("a row") == [second.as_slice()]);
        assert!(table.values(&mut txn, b"new").is_none());
        table.node.commit(txn);
    }
}

#[test]
fn a_crash_after_any_mini_transaction_leaves_no_page_behind() {
    let mut random = Random::new(7);
    let (first, second) = (noise(&mut random, 20_000), noise(&mut random, 12_000));
    // Cuts the log after each record: in the midst of a chain, between chain and row, in the midst of freeing.
    for durable in 0..60 {
        let table = Table::new();
        let mut txn = table.node.begin_rc();
        table.insert(&mut txn, b"k", &[&first]);
        table.node.commit(txn);
        table.node.settle();
        table.node.volume.hold_vdl(true);
        let engine = &table.node.engine;
        let mut txn = table.node.begin_rc();
        table.update(&mut txn, b"k", &[Err(&second)]);
        let committed = table.node.run(|| engine.commit(&mut txn)).expect("commits");
        table.node.volume.advance_vdl(engine, durable);
        while table.node.run(|| engine.background(Budget { mini_transactions: 1 })).expect("purges") {}
        table.node.volume.advance_vdl(engine, durable / 4);
        let is_durable = table.node.volume.vdl() >= committed;
        let table = table.crash();
        let report = table.check();
        assert_eq!(report.chains, 1);
        let mut txn = table.node.begin_rc();
        let expected = if is_durable { &second } else { &first };
        assert!(table.values(&mut txn, b"k").expect("a row") == [expected.as_slice()], "{durable}");
        table.node.commit(txn);
    }
}

#[test]
fn a_dropped_tree_takes_its_chains_along() {
    let mut random = Random::new(8);
    let table = Table::new();
    for commits in [false, true] {
        for rows in [1u8, 120] {
            let tree = table.node.create_tree();
            let other = Table { node: table.node.clone(), tree };
            let mut txn = table.node.begin_rc();
            for key in 0..rows {
                let filler = [&[key][..], &[0; 400]].concat();
                other.insert(&mut txn, &filler, &[&noise(&mut random, 9_000), &[key; 100]]);
            }
            other.node.commit(txn);
            let report = other.check_all(&[table.tree, tree]);
            assert_eq!(report.chains, 2 * u64::from(rows));
            // In the transaction that drops the tree a row changes its chains, one goes, and one comes.
            let mut txn = table.node.begin_rc();
            let key = |key: u8| [&[key][..], &[0; 400]].concat();
            other.update(&mut txn, &key(0), &[Ok(1), Err(&noise(&mut random, 10_000))]);
            other.insert(&mut txn, &key(200), &[&noise(&mut random, 10_000)]);
            if rows > 1 {
                assert_eq!(table.node.delete(&mut txn, tree, &key(7)), Ok(true));
            }
            table.node.run(|| table.node.engine.drop_tree(&mut txn, tree)).expect("drops");
            if commits {
                table.node.commit(txn);
                assert_eq!(table.check().overflow, 0);
            } else {
                table.node.abort(txn);
                assert_eq!(table.check_all(&[table.tree, tree]).chains, 2 * u64::from(rows));
                let mut txn = table.node.begin_rc();
                table.node.run(|| table.node.engine.drop_tree(&mut txn, tree)).expect("drops");
                table.node.commit(txn);
                assert_eq!(table.check().overflow, 0);
            }
        }
    }
}

#[test]
fn a_tree_created_in_vain_takes_its_rows_chains_along() {
    let table = Table::new();
    let value = noise(&mut Random::new(9), 20_000);
    for drops in [false, true] {
        let mut txn = table.node.begin_rc();
        let engine = &table.node.engine;
        let tree = table.node.run(|| engine.create_tree(&mut txn, TreeKind::Clustered)).expect("creates");
        let other = Table { node: table.node.clone(), tree };
        other.insert(&mut txn, b"k", &[&value]);
        if drops {
            table.node.run(|| engine.drop_tree(&mut txn, tree)).expect("drops");
            table.node.commit(txn);
        } else {
            table.node.abort(txn);
        }
        assert_eq!(table.check().overflow, 0);
    }
}

#[test]
fn a_dropped_tree_waits_for_a_rollback_in_it() {
    // The rows of an aborted transaction were once looked for in pages that purge had given to others.
    let table = Table::new();
    let tree = table.node.create_tree();
    let other = Table { node: table.node.clone(), tree };
    let mut txn = table.node.begin_rc();
    for key in 0..200u8 {
        other.insert(&mut txn, &[key], &[&[key; 3_000]]);
    }
    // More records than an abort undoes at once: the rest is left to the background, and the locks have fallen.
    table.node.abort(txn);
    assert_eq!(table.node.engine.stats().transactions_to_undo, 1);
    let mut txn = table.node.begin_rc();
    table.node.run(|| table.node.engine.drop_tree(&mut txn, tree)).expect("drops");
    table.node.commit(txn);
    for _ in 0..30 {
        table.node.run(|| table.node.engine.background(Budget { mini_transactions: 3 })).expect("works");
        table.node.make_durable();
    }
    assert_eq!(table.check().overflow, 0);
}

#[test]
fn a_chain_that_no_row_took_is_given_back() {
    let table = Table::new();
    let value = noise(&mut Random::new(10), 20_000);
    for commits in [false, true] {
        let mut txn = table.node.begin_rc();
        let chain = table.chain(&mut txn, &value).expect("writes");
        table.node.run(|| table.node.engine.drop_chain(&mut txn, chain)).expect("gives back");
        if commits {
            table.node.commit(txn);
        } else {
            table.node.abort(txn);
        }
        assert_eq!(table.check().overflow, 0);
    }
}

#[test]
fn a_full_volume_refuses_a_value_and_gets_its_pages_back() {
    let geometry = hexalog_protocol::geometry::Geometry { pages_per_group: 16, groups: 8 };
    let node = Node::create_of(SMALL, geometry);
    let tree = node.create_tree();
    let table = Table { node, tree };
    let mut random = Random::new(11);
    let mut txn = table.node.begin_rc();
    table.insert(&mut txn, b"kept", &[&noise(&mut random, 40_000)]);
    table.node.commit(txn);
    let before = table.check();
    for _ in 0..3 {
        let mut txn = table.node.begin_rc();
        let refused = table.try_insert(&mut txn, b"k", &[&noise(&mut random, 2_000_000)]);
        assert_eq!(refused, Err(EngineError::VolumeFull));
        table.node.abort(txn);
        assert_eq!(table.check().overflow, before.overflow);
    }
}

#[test]
fn a_row_lists_no_more_chains_than_its_undo_has_room_for() {
    let table = Table::new();
    let mut txn = table.node.begin_rc();
    let values: Vec<[u8; 2]> = (0..=CHAINS_MAX as u16).map(u16::to_le_bytes).collect();
    let values: Vec<&[u8]> = values.iter().map(<[u8; 2]>::as_slice).collect();
    let error = table.try_insert(&mut txn, b"k", &values).expect_err("one too many");
    assert!(matches!(error, EngineError::RowTooLarge { .. }));
    table.node.abort(txn);
    let mut txn = table.node.begin_rc();
    let key = [7; 2_300];
    table.insert(&mut txn, &key, &values[..CHAINS_MAX / 5]);
    table.insert(&mut txn, b"k", &values[..CHAINS_MAX]);
    table.node.commit(txn);
    let mut txn = table.node.begin_rc();
    assert_eq!(table.node.delete(&mut txn, table.tree, b"k"), Ok(true));
    let row = table.read(&mut txn, &key).expect("a row");
    let moved_to = [8; KEY_BYTES_MAX];
    let engine = &table.node.engine;
    let outcome = table.node.run(|| engine.delete(&mut txn, table.tree, &key, row.version, Some(&moved_to)));
    assert_eq!(outcome, Ok(WriteOutcome::Done));
    table.node.commit(txn);
    assert_eq!(table.check().overflow, 0);
}

#[test]
fn going_back_to_a_savepoint_frees_what_came_after_it_and_nothing_else() {
    let mut random = Random::new(12);
    let (first, second) = (noise(&mut random, 20_000), noise(&mut random, 30_000));
    for commits in [false, true] {
        let table = Table::new();
        let engine = &table.node.engine;
        let mut txn = table.node.begin_rc();
        table.insert(&mut txn, b"k", &[&first, &second]);
        table.insert(&mut txn, b"gone", &[&first]);
        table.node.commit(txn);
        let before = table.check();
        let mut txn = table.node.begin_rc();
        let mut savepoint = engine.savepoint(&txn);
        table.update(&mut txn, b"k", &[Ok(1), Err(&first)]);
        table.insert(&mut txn, b"new", &[&first, &second]);
        assert_eq!(table.node.delete(&mut txn, table.tree, b"gone"), Ok(true));
        let chain = table.chain(&mut txn, &second).expect("writes");
        table.node.run(|| engine.drop_chain(&mut txn, chain)).expect("gives back");
        table.node.run(|| engine.rollback_to(&mut txn, &mut savepoint)).expect("goes back");
        // What is dropped after all, after it was taken back.
        table.node.statement(&mut txn);
        assert_eq!(table.node.delete(&mut txn, table.tree, b"gone"), Ok(true));
        assert!(table.values(&mut txn, b"k").expect("a row") == [first.as_slice(), &second]);
        if commits {
            table.node.commit(txn);
        } else {
            table.node.abort(txn);
        }
        let after = table.check();
        assert_eq!(after.chains, if commits { 2 } else { 3 });
        assert_eq!(after.overflow, before.overflow - if commits { 4 } else { 0 });
        let mut txn = table.node.begin_rc();
        assert!(table.values(&mut txn, b"k").expect("a row") == [first.as_slice(), &second]);
        table.node.commit(txn);
    }
}
