//! Indexes, sequences, hidden keys, trees made and dropped, pages freed and a full volume.

mod harness;

use harness::{Node, SMALL};
use hexalog_engine::*;
use hexalog_protocol::geometry::Geometry;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// The tests' index key: the body up to its first `|`.
fn index_key(body: &[u8]) -> &[u8] {
    body.split(|byte| *byte == b'|').next().expect("split yields one piece")
}

struct Table {
    node: Node,
    rows: TreeId,
    index: TreeId,
}

impl Table {
    fn new() -> Table {
        let node = Node::create(SMALL);
        let (rows, index) = (node.create_tree(), node.create_tree_of(TreeKind::Index));
        Table { node, rows, index }
    }

    fn index_insert(&self, txn: &mut Transaction, pk: &[u8], key: &[u8]) -> Step<()> {
        let mut compute = |row: &RowBuffer, out: &mut Vec<u8>| {
            out.extend_from_slice(index_key(&row.body));
            Ok(())
        };
        let unique = UniqueCheck { clustered: self.rows, index_key: &mut compute };
        self.node.engine.index_insert(txn, self.index, key, pk, Some(unique))
    }

    fn insert(&self, txn: &mut Transaction, pk: &[u8], body: &[u8]) -> Result<(), EngineError> {
        self.node.insert(txn, self.rows, pk, body)?;
        self.node.run(|| self.index_insert(txn, pk, index_key(body)))
    }

    fn update(&self, txn: &mut Transaction, pk: &[u8], body: &[u8]) -> Result<(), EngineError> {
        let old = self.node.get(txn, self.rows, pk).expect("the row is there");
        assert_eq!(self.node.update(txn, self.rows, pk, body), Ok(true));
        if index_key(&old) != index_key(body) {
            let engine = &self.node.engine;
            self.node.run(|| engine.index_delete(txn, self.index, index_key(&old), pk))?;
            self.node.run(|| self.index_insert(txn, pk, index_key(body)))?;
        }
        Ok(())
    }

    fn delete(&self, txn: &mut Transaction, pk: &[u8]) {
        let old = self.node.get(txn, self.rows, pk).expect("the row is there");
        assert_eq!(self.node.delete(txn, self.rows, pk), Ok(true));
        let engine = &self.node.engine;
        self.node.run(|| engine.index_delete(txn, self.index, index_key(&old), pk)).expect("marks");
    }

    /// Rows found through the index as SQL does it: candidates, then the visible row, then the key again.
    fn lookup(&self, txn: &mut Transaction, key: &[u8]) -> Vec<Vec<u8>> {
        let upper = [key, &[0xff]].concat();
        let mut cursor =
            Cursor::new(self.index, Bound::Included(key), Bound::Excluded(&upper), Direction::Forward);
        let (mut entry, mut found) = (IndexEntry::default(), Vec::new());
        while self.node.run(|| self.node.engine.index_next(txn, &mut cursor, &mut entry)).expect("scans") {
            let row = self.node.get(txn, self.rows, &entry.primary_key);
            if entry.key == key && row.is_some_and(|row| index_key(&row) == key) {
                found.push(entry.primary_key.clone());
            }
        }
        found
    }
}

#[test]
fn an_index_hit_is_what_its_row_recomputes_to() {
    let table = Table::new();
    let mut txn = table.node.begin_rc();
    table.insert(&mut txn, b"1", b"a|x").expect("inserts");
    table.insert(&mut txn, b"2", b"b|x").expect("inserts");
    table.node.commit(txn);
    let mut old = table.node.begin(Isolation::RepeatableRead);
    // a → b' → a: the mark goes and comes back with the key.
    for body in [&b"c|y"[..], b"a|z"] {
        let mut txn = table.node.begin_rc();
        table.update(&mut txn, b"1", body).expect("updates");
        table.node.commit(txn);
        let mut new = table.node.begin_rc();
        assert_eq!(table.lookup(&mut new, index_key(body)), [b"1"]);
        table.node.commit(new);
    }
    let mut new = table.node.begin_rc();
    assert!(table.lookup(&mut new, b"c").is_empty());
    assert_eq!(table.lookup(&mut old, b"a"), [b"1"]);
    table.delete(&mut new, b"1");
    table.node.commit(new);
    assert_eq!(table.lookup(&mut old, b"a"), [b"1"]);
    table.node.commit(old);
    let mut new = table.node.begin_rc();
    assert!(table.lookup(&mut new, b"a").is_empty());
    // Refused, as PostgreSQL does, while a live row has the key; not when it is gone.
    assert_eq!(table.insert(&mut new, b"3", b"b|"), Err(EngineError::DuplicateKey));
    table.node.abort(new);
    let mut new = table.node.begin_rc();
    table.insert(&mut new, b"3", b"a|").expect("the key is free");
    table.node.statement(&mut new);
    assert_eq!(table.insert(&mut new, b"4", b"a|"), Err(EngineError::DuplicateKey));
    table.node.abort(new);
    table.node.check(table.index);
}

#[test]
fn a_unique_check_waits_for_a_writer_in_progress() {
    for commits in [true, false] {
        let table = Table::new();
        let (mut first, mut second) = (table.node.begin_rc(), table.node.begin_rc());
        table.insert(&mut first, b"1", b"k|").expect("inserts");
        table.node.insert(&mut second, table.rows, b"2", b"k|").expect("another row");
        let need = loop {
            match table.index_insert(&mut second, b"2", b"k") {
                Err(Stop::Need(need @ Need::Lock(_))) => break need,
                Err(Stop::Need(need)) => assert!(table.node.volume.satisfy(&table.node.engine, &need)),
                other => panic!("expected a wait, got {other:?}"),
            }
        };
        assert!(!table.node.volume.satisfy(&table.node.engine, &need));
        let expected = if commits { Err(EngineError::DuplicateKey) } else { Ok(()) };
        if commits {
            table.node.commit(first);
        } else {
            table.node.abort(first);
        }
        assert_eq!(table.node.run(|| table.index_insert(&mut second, b"2", b"k")), expected);
        table.node.abort(second);
    }
}

#[test]
fn two_inserting_the_same_key_into_each_others_way_deadlock() {
    let table = Table::new();
    let (mut a, mut b) = (table.node.begin_rc(), table.node.begin_rc());
    table.insert(&mut a, b"1", b"p|").expect("inserts");
    table.insert(&mut b, b"2", b"q|").expect("inserts");
    table.node.insert(&mut a, table.rows, b"3", b"q|").expect("inserts");
    table.node.insert(&mut b, table.rows, b"4", b"p|").expect("inserts");
    let mut waits = 0;
    let mut failed = false;
    while !failed {
        for (txn, pk, key) in [(&mut a, b"3", b"q"), (&mut b, b"4", b"p")] {
            match table.index_insert(txn, pk, key) {
                Err(Stop::Need(Need::Lock(_))) => waits += 1,
                Err(Stop::Need(need)) => assert!(table.node.volume.satisfy(&table.node.engine, &need)),
                other => {
                    assert_eq!(other, Err(Stop::Fail(EngineError::Deadlock)));
                    failed = true;
                    break;
                }
            }
        }
        assert!(waits < 20);
    }
    table.node.abort(b);
    table.node.run(|| table.index_insert(&mut a, b"3", b"q")).expect("the key is free");
    table.node.commit(a);
}

#[test]
fn aborted_and_lost_index_changes_leave_no_marks() {
    let table = Table::new();
    let mut txn = table.node.begin_rc();
    for k in 0..20u8 {
        table.insert(&mut txn, &[k], &[k, b'|']).expect("inserts");
    }
    table.node.commit(txn);
    table.node.make_durable();
    let change = |table: &Table| {
        let mut txn = table.node.begin_rc();
        for k in 0..10u8 {
            table.node.statement(&mut txn);
            table.update(&mut txn, &[k], &[k + 130, b'|']).expect("updates");
        }
        table.delete(&mut txn, &[15]);
        txn
    };
    let txn = change(&table);
    table.node.abort(txn);
    table.node.settle();
    let report = table.node.check(table.index);
    assert_eq!((report.cells, report.cells_marked), (20, 0), "aborted: as if it had never been");
    let txn = change(&table);
    table.node.make_durable();
    std::mem::forget(txn);
    let Table { node, rows, index } = table;
    let table = Table { node: node.crash(), rows, index };
    // Somebody uses a loser's row and entries before the background does: both must come out right.
    let mut txn = table.node.begin_rc();
    table.update(&mut txn, &[3], &[133, b'|']).expect("updates");
    table.node.commit(txn);
    table.node.settle();
    let report = table.node.check(table.index);
    assert_eq!((report.cells, report.cells_marked), (20, 0), "the entry that was given up is gone too");
    let mut txn = table.node.begin_rc();
    assert_eq!(table.lookup(&mut txn, &[133]), [[3]]);
    assert_eq!(table.lookup(&mut txn, &[4]), [[4]]);
    assert_eq!(table.lookup(&mut txn, &[15]), [[15]]);
    table.node.commit(txn);
}

#[test]
fn sequences_never_repeat_a_value_over_a_crash_and_follow_their_transaction() {
    let node = Node::create(SMALL);
    let mut txn = node.begin_rc();
    let id = node.run(|| node.engine.create_sequence(&mut txn, SequenceParams::default())).expect("creates");
    node.commit(txn);
    let next = |node: &Node| {
        let mut txn = node.begin_rc();
        let value = node.run(|| node.engine.sequence_next(&mut txn, id)).expect("a value");
        node.abort(txn);
        value
    };
    let set = |node: &Node, value, is_called| {
        let mut txn = node.begin_rc();
        let set = node.run(|| node.engine.sequence_set(&mut txn, id, value, is_called));
        node.abort(txn);
        set
    };
    let records = node.engine.stats().redo_records;
    assert_eq!((1..=40).map(|_| next(&node)).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
    assert_eq!(node.engine.stats().redo_records - records, 2, "logged every 32 values");
    node.make_durable();
    let node = node.crash();
    assert_eq!(next(&node), 65, "what the log covers may have been handed out");
    set(&node, 7, true).expect("sets");
    assert_eq!(next(&node), 8);
    set(&node, 7, false).expect("sets");
    assert_eq!(node.run(|| node.engine.sequence_current(id)).expect("state").last_value, 7);
    assert_eq!(next(&node), 7);
    assert_eq!(set(&node, -1, true), Err(EngineError::SequenceOutOfBounds));
    let mut txn = node.begin_rc();
    node.run(|| node.engine.drop_sequence(&mut txn, id)).expect("drops");
    node.abort(txn);
    node.settle();
    assert_eq!(next(&node), 8, "an aborted drop drops nothing");
}

/// A client was told a number whose record was not durable; the writer that came after a crash gave it out again.
#[test]
fn what_is_told_of_a_sequence_rests_on_the_record_that_covers_it() {
    let node = Node::create(SMALL);
    let mut txn = node.begin_rc();
    let id = node.run(|| node.engine.create_sequence(&mut txn, SequenceParams::default())).expect("creates");
    node.commit(txn);
    node.make_durable();
    node.volume.hold_vdl(true);
    let (mut first, mut second) = (node.begin_rc(), node.begin_rc());
    for txn in [&mut first, &mut second] {
        node.run(|| node.engine.sequence_next(txn, id)).expect("a value");
        assert_eq!(txn.dep_lsn(), node.engine.appended(), "the second value rests on the same record");
    }
    node.volume.hold_vdl(false);
    node.make_durable();
    let mut third = node.begin_rc();
    node.run(|| node.engine.sequence_set(&mut third, id, 90, true)).expect("sets");
    assert_eq!(third.dep_lsn(), node.engine.appended());
    [first, second, third].into_iter().for_each(|txn| node.abort(txn));
}

#[test]
fn hidden_keys_go_on_above_every_row_after_a_crash() {
    let node = Node::create(SMALL);
    let tree = node.create_tree();
    let mut txn = node.begin_rc();
    for expected in 1..=500u64 {
        let id = node.run(|| node.engine.allocate_row_id(tree)).expect("an id");
        assert_eq!(id, expected);
        node.insert(&mut txn, tree, &id.to_be_bytes(), b"row").expect("inserts");
    }
    node.commit(txn);
    let node = node.crash();
    assert_eq!(node.run(|| node.engine.allocate_row_id(tree)), Ok(501));
    // Rolled-back rows leave empty leaves at the right end: the search goes on to the left.
    let mut txn = node.begin_rc();
    for id in 502..=900u64 {
        node.insert(&mut txn, tree, &id.to_be_bytes(), &[0; 100]).expect("inserts");
    }
    node.abort(txn);
    node.settle();
    node.make_durable();
    let node = node.crash();
    assert_eq!(node.run(|| node.engine.allocate_row_id(tree)), Ok(501));
}

#[test]
fn dropped_and_never_committed_trees_give_all_their_pages_back() {
    // 256 pages hold such a tree once, not twice: ten rounds show that nothing leaks.
    for commits in [true, false] {
        let node = Node::create_of(SMALL, Geometry { pages_per_group: 16, groups: 16 });
        for _ in 0..10 {
            let mut txn = node.begin_rc();
            let tree = node.run(|| node.engine.create_tree(&mut txn, TreeKind::Clustered)).expect("creates");
            for k in 0..1200u32 {
                let key = k.wrapping_mul(0x9e37_79b1).to_be_bytes();
                node.insert(&mut txn, tree, &key, &[7; 700]).expect("inserts");
            }
            if commits {
                node.commit(txn);
                let mut txn = node.begin_rc();
                node.run(|| node.engine.drop_tree(&mut txn, tree)).expect("drops");
                node.commit(txn);
            } else {
                node.abort(txn);
            }
            node.settle();
        }
        node.volume.assert_cache_equals_log(&node.engine);
        let tree = node.create_tree();
        node.drop_last_tree(tree);
    }
}

#[test]
fn a_dropped_trees_pages_stay_while_a_snapshot_may_need_them() {
    let node = Node::create(SMALL);
    let tree = node.create_tree();
    let mut txn = node.begin_rc();
    for k in 0..300u16 {
        node.insert(&mut txn, tree, &k.to_be_bytes(), &[1; 100]).expect("inserts");
    }
    node.commit(txn);
    let mut old = node.begin(Isolation::RepeatableRead);
    let mut txn = node.begin_rc();
    node.run(|| node.engine.drop_tree(&mut txn, tree)).expect("drops");
    node.commit(txn);
    node.settle();
    let other = node.create_tree();
    let mut txn = node.begin_rc();
    for k in 0..300u16 {
        node.insert(&mut txn, other, &k.to_be_bytes(), &[2; 100]).expect("inserts");
    }
    node.commit(txn);
    assert_eq!(node.scan(&mut old, tree, Direction::Forward).len(), 300);
    node.commit(old);
    node.settle();
    let mut txn = node.begin_rc();
    let mut row = RowBuffer::new();
    let gone = node.run(|| node.engine.get(&mut txn, tree, b"xx", &mut row));
    assert!(matches!(gone, Ok(false) | Err(EngineError::Corrupt { .. })), "{gone:?}");
    node.commit(txn);
}

#[test]
fn dropping_survives_a_crash_at_any_point_of_freeing() {
    let node = Node::create_of(SMALL, Geometry { pages_per_group: 16, groups: 16 });
    let mut node = node;
    for round in 0..6 {
        let tree = node.create_tree();
        let mut txn = node.begin_rc();
        for k in 0..1000u16 {
            node.insert(&mut txn, tree, &k.to_be_bytes(), &[1; 700]).expect("inserts");
        }
        node.commit(txn);
        let mut txn = node.begin_rc();
        node.run(|| node.engine.drop_tree(&mut txn, tree)).expect("drops");
        node.commit(txn);
        for crash in 0..4 {
            for _ in 0..=round * 7 + crash {
                node.run(|| node.engine.background(Budget { mini_transactions: 3 })).expect("works");
            }
            node.make_durable();
            node = node.crash();
        }
        node.settle();
    }
    node.volume.assert_cache_equals_log(&node.engine);
    let tree = node.create_tree();
    node.drop_last_tree(tree);
}

#[test]
fn a_crash_between_a_split_and_its_separator_loses_no_key_and_no_page() {
    // Every place where VDL can stop while a tree grows: the split is there, its separator perhaps not.
    let mut crashes = 0;
    for stop in (0..400).step_by(7) {
        let node = Node::create(SMALL);
        let tree = node.create_tree();
        node.volume.hold_vdl(true);
        let mut txn = node.begin_rc();
        for k in 0..150u16 {
            let key = [k.wrapping_mul(40_503).to_be_bytes().to_vec(), vec![5; 400]].concat();
            txn.set_commit_with_next_write(true);
            let row = RowRef::new(1, &[1; 200]);
            node.run(|| node.engine.insert(&mut txn, tree, &key, row)).expect("inserts");
            node.run(|| node.engine.commit(&mut txn)).expect("appends");
            txn = node.begin_rc();
        }
        crashes += usize::from(node.volume.beyond_vdl() > stop);
        node.volume.advance_vdl(&node.engine, stop);
        let node = node.crash();
        let kept = node.check(tree).cells;
        let mut txn = node.begin_rc();
        assert_eq!(node.scan(&mut txn, tree, Direction::Backward).len() as u64, kept);
        for k in 0..150u16 {
            let key = [k.wrapping_mul(40_503).to_be_bytes().to_vec(), vec![5; 400]].concat();
            if node.get(&mut txn, tree, &key).is_none() {
                node.insert(&mut txn, tree, &key, &[2; 200]).expect("inserts");
            }
        }
        node.commit(txn);
        assert_eq!(node.check(tree).cells, 150);
        node.drop_last_tree(tree);
    }
    assert!(crashes > 20, "{crashes}");
}

#[test]
fn a_tree_with_unfinished_splits_is_freed_whole() {
    for stop in 0..60 {
        let node = Node::create(SMALL);
        let tree = node.create_tree();
        node.volume.hold_vdl(true);
        let mut txn = node.begin_rc();
        for k in 0..60u16 {
            let key = k.wrapping_mul(40_503).to_be_bytes();
            let row = RowRef::new(1, &[1; 700]);
            node.run(|| node.engine.insert(&mut txn, tree, &key, row)).expect("inserts");
        }
        node.volume.advance_vdl(&node.engine, stop);
        let node = node.crash();
        node.drop_last_tree(tree);
    }
}

/// Storage that is full still takes what undoes, deletes and drops.
#[test]
fn full_storage_refuses_rows_and_takes_what_frees() {
    let node = Node::create_of(SMALL, Geometry { pages_per_group: 16, groups: 4 });
    let tree = node.create_tree();
    let mut kept = node.begin_rc();
    for k in 0..4u8 {
        node.insert(&mut kept, tree, &[k], &[1; 200]).expect("inserts");
    }
    node.commit(kept);
    let mut under_way = node.begin_rc();
    node.insert(&mut under_way, tree, &[9], b"to be undone").expect("inserts");
    node.volume.set_full(true);
    for write in [
        |node: &Node, txn: &mut Transaction, tree| node.insert(txn, tree, &[8], b"new"),
        |node: &Node, txn: &mut Transaction, tree| node.update(txn, tree, &[1], b"changed").map(|_| ()),
    ] {
        node.statement(&mut under_way);
        let error = write(&node, &mut under_way, tree).expect_err("storage is full");
        assert_eq!((error.clone(), error.sqlstate()), (EngineError::StorageFull, "53100"));
    }
    node.abort(under_way);
    node.settle();
    assert_eq!(node.engine.stats().transactions_to_undo, 0);
    let mut txn = node.begin_rc();
    node.statement(&mut txn);
    assert_eq!(node.delete(&mut txn, tree, &[0]), Ok(true));
    node.statement(&mut txn);
    assert_eq!(node.scan(&mut txn, tree, Direction::Forward).len(), 3);
    node.commit(txn);
    // A statement that frees may write rows too: TRUNCATE puts an empty tree in a full one's place.
    let mut txn = node.begin_rc();
    node.statement(&mut txn);
    txn.set_frees_space();
    node.insert(&mut txn, tree, &[7], b"catalog").expect("it frees more");
    node.run(|| node.engine.drop_tree(&mut txn, tree)).expect("drops");
    node.commit(txn);
    node.volume.set_full(false);
    let tree = node.create_tree();
    let mut txn = node.begin_rc();
    node.insert(&mut txn, tree, &[1], b"room again").expect("inserts");
    node.commit(txn);
}

#[test]
fn a_full_volume_refuses_inserts_and_still_rolls_back_and_frees() {
    let node = Node::create_of(SMALL, Geometry { pages_per_group: 16, groups: 4 });
    let tree = node.create_tree();
    let mut kept = node.begin_rc();
    for k in 0..20u8 {
        node.insert(&mut kept, tree, &[k], &[1; 200]).expect("inserts");
    }
    node.commit(kept);
    let mut txn = node.begin_rc();
    let error = (0..60_000u32)
        .find_map(|k| {
            node.statement(&mut txn);
            // Shrinks rows while others take their room: undoing it needs pages of its own.
            if k < 20 {
                assert_eq!(node.update(&mut txn, tree, &[k as u8], b"small"), Ok(true));
            }
            node.insert(&mut txn, tree, &(k | 1 << 24).to_be_bytes(), &[2; 500]).err()
        })
        .expect("the volume is finite");
    assert_eq!(error, EngineError::VolumeFull);
    assert_eq!(error.sqlstate(), "53100");
    node.abort(txn);
    node.settle();
    assert_eq!(node.engine.stats().transactions_to_undo, 0);
    let mut txn = node.begin_rc();
    assert_eq!(node.scan(&mut txn, tree, Direction::Forward).len(), 20);
    node.run(|| node.engine.drop_tree(&mut txn, tree)).expect("drops");
    node.commit(txn);
    node.settle();
    let tree = node.create_tree();
    let mut txn = node.begin_rc();
    for k in 0..300u16 {
        node.insert(&mut txn, tree, &k.to_be_bytes(), &[3; 500]).expect("there is room again");
    }
    node.commit(txn);
}

/// A tree of a few pages.
fn try_create_filled(node: &Node) -> Result<TreeId, EngineError> {
    let mut txn = node.begin_rc();
    let filled = node.run(|| node.engine.create_tree(&mut txn, TreeKind::Clustered)).and_then(|tree| {
        (0..60u8).try_for_each(|k| node.insert(&mut txn, tree, &[k], &[3; 500]))?;
        Ok(tree)
    });
    match filled {
        Ok(_) => node.commit(txn),
        Err(_) => node.abort(txn),
    }
    filled
}

fn drop_tree(node: &Node, tree: TreeId) {
    let mut txn = node.begin_rc();
    node.run(|| node.engine.drop_tree(&mut txn, tree)).expect("drops");
    node.commit(txn);
}

#[test]
fn who_finds_no_page_waits_for_purge_and_fails_only_where_it_has_none_to_give() {
    let node = Node::create_of(SMALL, Geometry { pages_per_group: 16, groups: 4 });
    // Nothing else purges here: what comes free is what these waited for.
    for _ in 0..100 {
        let tree = try_create_filled(&node).expect("waits for pages of those before");
        drop_tree(&node, tree);
    }
    let keeper = {
        let mut txn = node.begin(Isolation::RepeatableRead);
        node.statement(&mut txn);
        txn
    };
    let mut refused = None;
    for _ in 0..100 {
        match try_create_filled(&node) {
            Ok(tree) => drop_tree(&node, tree),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    assert_eq!(refused, Some(EngineError::VolumeFull), "a snapshot keeps what was dropped since");
    node.commit(keeper);
    for _ in 0..100 {
        let tree = try_create_filled(&node).expect("nothing keeps it now");
        drop_tree(&node, tree);
    }
    node.settle();
    assert_eq!(node.engine.pages_used(), Ok(4 + node.engine.stats().undo_pages));
}

#[test]
fn a_rollback_under_way_is_not_waited_for() {
    let node = Node::create_of(SMALL, Geometry { pages_per_group: 16, groups: 4 });
    let tree = node.create_tree();
    let mut hog = node.begin_rc();
    let is_full = (0..60_000u32).any(|k| node.insert(&mut hog, tree, &k.to_be_bytes(), &[2; 500]).is_err());
    assert!(is_full, "the volume is finite");
    node.abort(hog);
    assert_eq!(node.engine.stats().transactions_to_undo, 1);
    // Its pages come free once it has ended, and then for those who look later: this snapshot keeps them.
    let mut txn = node.begin_rc();
    node.statement(&mut txn);
    let refused = loop {
        match node.engine.create_tree(&mut txn, TreeKind::Clustered) {
            Ok(_) | Err(Stop::Need(Need::Yield)) => {}
            Err(Stop::Need(need @ (Need::Page { .. } | Need::LogSpace { .. } | Need::Frame { .. }))) => {
                assert!(node.volume.satisfy(&node.engine, &need));
            }
            Err(stop) => break stop,
        }
    };
    assert_eq!(refused, Stop::Fail(EngineError::VolumeFull));
    node.abort(txn);
    node.settle();
    drop_tree(&node, tree);
    try_create_filled(&node).expect("there is room again");
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn who_waits_for_a_page_is_woken_when_purge_frees_one() {
    let node = Node::create_of(SMALL, Geometry { pages_per_group: 16, groups: 4 });
    // Trees come and go, and nothing purges, until no page is found.
    let need = loop {
        let mut txn = node.begin_rc();
        let created = loop {
            match node.engine.create_tree(&mut txn, TreeKind::Clustered) {
                Err(Stop::Need(need @ Need::Grow { .. })) => break Err(need),
                Err(Stop::Need(need)) => assert!(node.volume.satisfy(&node.engine, &need)),
                created => break Ok(created.expect("purge has pages to give")),
            }
        };
        match created {
            Ok(tree) => {
                node.commit(txn);
                drop_tree(&node, tree);
            }
            Err(need) => {
                node.abort(txn);
                break need;
            }
        }
    };
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut slices = 0;
    while !node.engine.poll_need(&need, &waker) {
        let woken_before = woken.0.load(Ordering::Relaxed);
        match node.engine.background(Budget { mini_transactions: 1 }) {
            Ok(_) => {
                let may_go_on = node.engine.poll_need(&need, Waker::noop());
                assert!(!may_go_on || woken.0.load(Ordering::Relaxed) > woken_before, "not told of its page");
            }
            Err(Stop::Need(need)) => assert!(node.volume.satisfy(&node.engine, &need)),
            Err(Stop::Fail(error)) => panic!("{error}"),
        }
        slices += 1;
        assert!(slices < 10_000, "purge frees nothing");
    }
    assert!(slices > 0, "it had nothing to wait for");
    try_create_filled(&node).expect("pages come free");
}
