//! Delete marks and the pages that they leave sparse: both go, and nobody who may still see a row notices.

mod harness;

use harness::{Node, Random, SMALL, drive};
use hexalog_engine::*;
use hexalog_protocol::geometry::Geometry;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};

const BODY: [u8; 100] = [7; 100];

fn key_of(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

fn number_of(key: &[u8]) -> u32 {
    u32::from_be_bytes(key.try_into().expect("four bytes"))
}

fn insert_all(node: &Node, tree: TreeId, keys: impl IntoIterator<Item = u32>) {
    let mut txn = node.begin_rc();
    for key in keys {
        node.insert(&mut txn, tree, &key_of(key), &BODY).expect("inserts");
    }
    node.commit(txn);
}

fn delete_all(node: &Node, tree: TreeId, keys: impl IntoIterator<Item = u32>) {
    let mut txn = node.begin_rc();
    for key in keys {
        assert_eq!(node.delete(&mut txn, tree, &key_of(key)), Ok(true));
    }
    node.commit(txn);
}

fn filled(rows: u32) -> (Node, TreeId) {
    let node = Node::create(SMALL);
    let tree = node.create_tree();
    insert_all(&node, tree, 0..rows);
    (node, tree)
}

fn numbers(rows: &[(Vec<u8>, Vec<u8>)]) -> Vec<u32> {
    rows.iter().map(|(key, _)| number_of(key)).collect()
}

#[test]
fn a_tree_whose_rows_are_all_deleted_is_one_page_again() {
    let (node, tree) = filled(5_000);
    node.settle();
    let full = node.check(tree);
    assert!(full.height >= 3 || full.pages > 60, "{full:?}");
    let mut random = Random::new(3);
    let mut keys: Vec<u32> = (0..5_000).collect();
    while !keys.is_empty() {
        let some =
            (0..keys.len().min(500)).map(|_| keys.swap_remove(random.below(keys.len()))).collect::<Vec<_>>();
        delete_all(&node, tree, some);
    }
    node.settle();
    let empty = node.check(tree);
    assert_eq!((empty.pages, empty.height, empty.cells), (1, 1, 0));
    assert_eq!(node.engine.stats().delete_marks_removed, 5_000);
    node.check_pages(&[tree]);
    node.volume.assert_cache_equals_log(&node.engine);
    let node = node.crash();
    insert_all(&node, tree, 0..500);
    node.check(tree);
    node.drop_last_tree(tree);
}

#[test]
fn a_queue_takes_no_more_room_than_what_waits_in_it() {
    let node = Node::create(SMALL);
    let tree = node.create_tree();
    let mut most = 0;
    for round in 0..60u32 {
        insert_all(&node, tree, round * 100..(round + 1) * 100);
        if round >= 2 {
            delete_all(&node, tree, (round - 2) * 100..(round - 1) * 100);
        }
        node.settle();
        most = most.max(node.check(tree).pages);
    }
    assert!(most <= 14, "{most} pages for 200 rows of 130 bytes");
    node.check_pages(&[tree]);
}

#[test]
fn what_an_old_snapshot_sees_stays_until_it_is_over() {
    let (node, tree) = filled(800);
    let mut reader = node.begin(Isolation::RepeatableRead);
    delete_all(&node, tree, 0..800);
    node.settle();
    assert_eq!(node.check(tree).cells_marked, 800);
    for direction in [Direction::Forward, Direction::Backward] {
        assert_eq!(node.scan(&mut reader, tree, direction).len(), 800);
    }
    assert_eq!(node.get(&mut reader, tree, &key_of(5)).as_deref(), Some(&BODY[..]));
    node.commit(reader);
    node.settle();
    assert_eq!(node.check(tree).pages, 1);
}

/// The scan remembers a page that is merged under it and would be used again for what others insert.
#[test]
fn a_scan_under_way_survives_merges() {
    for direction in [Direction::Forward, Direction::Backward] {
        let (node, tree) = filled(2_000);
        let other = node.create_tree();
        let left = |key: &u32| key.is_multiple_of(20);
        delete_all(&node, tree, (0..2_000).filter(|key| !left(key)));
        let mut reader = node.begin(Isolation::RepeatableRead);
        let mut cursor = Cursor::new(tree, Bound::Unbounded, Bound::Unbounded, direction);
        let (mut row, mut seen) = (RowBuffer::new(), Vec::new());
        let mut next = 0;
        while node.run(|| node.engine.cursor_next(&mut reader, &mut cursor, &mut row)).expect("scans") {
            seen.push(number_of(&row.key));
            for _ in 0..4 {
                node.make_durable();
                node.run(|| node.engine.background(Budget { mini_transactions: 1 })).expect("purges");
            }
            // Pages are wanted all the time: in this tree, between its rows, and in another.
            insert_all(&node, other, (next..).take(20));
            next += 20;
        }
        assert!(node.engine.stats().merges > 20, "{:?}", node.engine.stats());
        let mut expected: Vec<u32> = (0..2_000).filter(left).collect();
        if direction == Direction::Backward {
            expected.reverse();
        }
        assert_eq!(seen, expected);
        node.commit(reader);
        node.settle();
        node.check_pages(&[tree, other]);
        let mut txn = node.begin_rc();
        assert_eq!(node.scan(&mut txn, other, Direction::Forward).len() as u32, next);
        node.commit(txn);
    }
}

/// Each remembers a page; most of these are merged away, and all that come free are wanted for another tree.
#[test]
fn a_page_that_a_scan_remembers_is_not_used_for_another_tree() {
    let (node, tree) = filled(2_000);
    let other = node.create_tree();
    let left: Vec<u32> = (0..2_000).filter(|key| key % 20 == 0).collect();
    delete_all(&node, tree, (0..2_000).filter(|key| key % 20 != 0));
    let mut reader = node.begin(Isolation::RepeatableRead);
    let mut row = RowBuffer::new();
    let mut cursors = Vec::new();
    for rows in 1..left.len() {
        let mut cursor = Cursor::new(tree, Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        for _ in 0..rows {
            node.run(|| node.engine.cursor_next(&mut reader, &mut cursor, &mut row)).expect("scans");
        }
        cursors.push(cursor);
    }
    node.settle();
    assert!(node.engine.stats().merges > 20, "{:?}", node.engine.stats());
    insert_all(&node, other, 0..4_000);
    for (rows, cursor) in (1..).zip(&mut cursors) {
        let mut seen = Vec::new();
        while node.run(|| node.engine.cursor_next(&mut reader, cursor, &mut row)).expect("scans") {
            seen.push(number_of(&row.key));
        }
        assert_eq!(seen, left[rows..]);
    }
    node.commit(reader);
    node.settle();
    let highest = |node: &Node| node.volume.images().iter().map(|page| page.id().0).max();
    let before = highest(&node);
    insert_all(&node, other, 4_000..4_600);
    assert_eq!(highest(&node), before, "once the scans are over they are used again");
}

/// A mark that purge has come by in vain, for somebody had put a row over it, must not come back with his rollback.
#[test]
fn a_mark_that_a_rollback_uncovers_goes_with_it() {
    for is_lost in [false, true] {
        let (mut node, tree) = filled(10);
        delete_all(&node, tree, [3, 4]);
        let mut txn = node.begin_rc();
        node.insert(&mut txn, tree, &key_of(3), b"over the mark").expect("the key is free");
        node.settle();
        assert_eq!(node.check(tree).cells_marked, 0, "one is gone, the other covered");
        if is_lost {
            node.make_durable();
            std::mem::forget(txn);
            node = node.crash();
        } else {
            node.abort(txn);
        }
        node.settle();
        let report = node.check(tree);
        assert_eq!((report.cells, report.cells_marked), (8, 0));
    }
}

#[test]
fn marks_of_who_went_back_to_a_savepoint_are_rows() {
    let (node, tree) = filled(10);
    let mut txn = node.begin_rc();
    let mut savepoint = node.engine.savepoint(&txn);
    assert_eq!(node.delete(&mut txn, tree, &key_of(3)), Ok(true));
    node.run(|| node.engine.rollback_to(&mut txn, &mut savepoint)).expect("goes back");
    node.statement(&mut txn);
    assert_eq!(node.delete(&mut txn, tree, &key_of(4)), Ok(true));
    node.commit(txn);
    node.settle();
    let mut txn = node.begin_rc();
    assert_eq!(numbers(&node.scan(&mut txn, tree, Direction::Forward)), [0, 1, 2, 3, 5, 6, 7, 8, 9]);
    node.commit(txn);
    assert_eq!(node.check(tree).cells, 9);
}

/// The tree is gone, and its pages are another's, when purge comes to who has deleted in it.
#[test]
fn marks_in_a_tree_that_is_gone_are_nobodys() {
    let (node, tree) = filled(600);
    let kept = node.create_tree();
    // Streams are taken last in, first out: the one who drops the tree must have a lower one than the deleter.
    let mut lower = node.begin_rc();
    node.insert(&mut lower, kept, b"lower", &BODY).expect("takes a stream");
    delete_all(&node, tree, 0..300);
    let mut deleter = node.begin_rc();
    for key in 300..600 {
        assert_eq!(node.delete(&mut deleter, tree, &key_of(key)), Ok(true));
    }
    node.commit(deleter);
    node.run(|| node.engine.drop_tree(&mut lower, tree)).expect("drops");
    node.commit(lower);
    let reader = node.begin(Isolation::RepeatableRead);
    node.settle();
    node.commit(reader);
    for _ in 0..400 {
        node.make_durable();
        node.run(|| node.engine.background(Budget { mini_transactions: 1 })).expect("purges");
        node.create_tree();
    }
    node.settle();
}

/// What one has read of a leaf, its gaps too, is read of the page that the leaf was merged into.
#[test]
fn what_was_read_of_a_merged_leaf_is_remembered() {
    let (node, tree) = filled(400);
    delete_all(&node, tree, (0..400).filter(|key| key % 40 != 0));
    let (mut a, mut b) = (node.begin(Isolation::Serializable), node.begin(Isolation::Serializable));
    let gap = |node: &Node, txn: &mut Transaction, from: u32| {
        let (from, to) = (key_of(from), key_of(from + 30));
        node.scan_between(txn, tree, Bound::Excluded(&from), Bound::Excluded(&to), Direction::Forward)
    };
    assert!(gap(&node, &mut a, 40).is_empty() && gap(&node, &mut b, 320).is_empty());
    let pages = node.check(tree).pages;
    node.settle();
    assert!(node.check(tree).pages < pages, "merged meanwhile");
    node.insert(&mut a, tree, &key_of(330), &BODY).expect("inserts where b has read");
    let answer = node.insert(&mut b, tree, &key_of(50), &BODY);
    node.commit(a);
    let answer = answer.and_then(|()| node.run(|| node.engine.commit(&mut b)).map(|_| ()));
    assert!(matches!(answer, Err(EngineError::NotSerializable(_))), "{answer:?}");
    node.abort(b);
}

/// Found by review. A snapshot between a bulk delete and its purge lets no page that comes free be used, and so many may not wait
/// for that: merges that were left out for it were never made up.
#[test]
fn what_cannot_be_merged_for_a_snapshots_sake_is_merged_after_it() {
    let options = Options { frames: 2048, undo_streams: 8, snapshots: 64 };
    let node = Node::create_of(options, Geometry { pages_per_group: 1024, groups: 16 });
    let tree = node.create_tree();
    let rows = 16_000;
    for from in (0..rows).step_by(1_000) {
        let mut txn = node.begin_rc();
        for key in from..from + 1_000 {
            node.insert(&mut txn, tree, &key_of(key), &[7; 2_500]).expect("inserts");
        }
        node.commit(txn);
    }
    node.settle();
    delete_all(&node, tree, 0..rows);
    let reader = node.begin(Isolation::RepeatableRead);
    node.settle();
    assert!(node.check(tree).pages > 1_000, "more are empty than may rest");
    node.commit(reader);
    node.settle();
    assert_eq!(node.check(tree).pages, 1);
    node.check_pages(&[tree]);
}

/// Found by review. Leaves whose rows an open transaction had made small were joined, others took the pages that came free, and the
/// rollback found none on the full volume.
#[test]
fn a_rollback_on_a_full_volume_finds_the_room_that_its_rows_had() {
    let node = Node::create_of(SMALL, Geometry { pages_per_group: 64, groups: 4 });
    let (tree, other) = (node.create_tree(), node.create_tree());
    let mut txn = node.begin_rc();
    for key in 0..180 {
        node.insert(&mut txn, tree, &key_of(key), &[7; 2_000]).expect("inserts");
    }
    node.commit(txn);
    delete_all(&node, tree, (0..180).filter(|key| key % 3 != 0));
    let mut shrinker = node.begin_rc();
    for key in (0..180).filter(|key| key % 3 == 0) {
        assert_eq!(node.update(&mut shrinker, tree, &key_of(key), b"small"), Ok(true));
    }
    node.engine.end_statement(&mut shrinker);
    node.settle();
    assert_eq!(node.check(tree).cells_marked, 0);
    for key in 0.. {
        let mut txn = node.begin_rc();
        let answer = node.insert(&mut txn, other, &key_of(key), &[1; 3_000]);
        if answer.is_err() {
            assert_eq!(answer, Err(EngineError::VolumeFull));
            node.abort(txn);
            break;
        }
        node.commit(txn);
        node.settle();
    }
    node.abort(shrinker);
    node.settle();
    assert_eq!(node.engine.stats().transactions_to_undo, 0);
    let mut txn = node.begin_rc();
    assert!(node.scan(&mut txn, tree, Direction::Forward).iter().all(|(_, body)| body.len() == 2_000));
    node.commit(txn);
}

/// One deletes thousands of rows, the other one: whose stream comes first says nothing.
#[test]
fn who_deletes_much_keeps_purge_from_nobody() {
    let node = Node::create(Options { frames: 512, ..SMALL });
    let (large, small) = (node.create_tree(), node.create_tree());
    insert_all(&node, large, 0..6_000);
    insert_all(&node, small, 0..10);
    node.settle();
    for is_large_first in [true, false] {
        let (mut first, mut second) = (node.begin_rc(), node.begin_rc());
        let (many, one) = if is_large_first { (&mut first, &mut second) } else { (&mut second, &mut first) };
        let from = if is_large_first { 0 } else { 3_000 };
        for key in from..from + 3_000 {
            assert_eq!(node.delete(many, large, &key_of(key)), Ok(true));
        }
        assert_eq!(node.delete(one, small, &key_of(from / 3_000)), Ok(true));
        node.commit(first);
        node.commit(second);
        for _ in 0..100 {
            node.make_durable();
            node.run(|| node.engine.background(Budget { mini_transactions: 1 })).expect("purges");
        }
        assert_eq!(node.check(small).cells_marked, 0);
        assert!(node.check(large).cells_marked > 1_000, "the other one is not through");
        node.settle();
        assert_eq!(node.check(large).cells_marked, 0);
    }
}

/// Inserts that were rolled back leave leaves without a row, which nobody merges.
#[test]
fn a_scan_of_empty_leaves_gives_way_to_others() {
    let options = Options { frames: 2048, undo_streams: 8, snapshots: 64 };
    let node = Node::create_of(options, Geometry { pages_per_group: 1024, groups: 8 });
    let tree = node.create_tree();
    let mut txn = node.begin_rc();
    for key in 0..4_000 {
        node.insert(&mut txn, tree, &key_of(key), &[7; 2_500]).expect("inserts");
    }
    node.abort(txn);
    node.settle();
    assert!(node.check(tree).pages > 1_200);
    for direction in [Direction::Forward, Direction::Backward] {
        let mut txn = node.begin_rc();
        let mut cursor = Cursor::new(tree, Bound::Unbounded, Bound::Unbounded, direction);
        let (mut row, mut yields) = (RowBuffer::new(), 0);
        let end = loop {
            match node.engine.cursor_next(&mut txn, &mut cursor, &mut row) {
                Err(Stop::Need(Need::Yield)) => yields += 1,
                Err(Stop::Need(need)) => assert!(node.volume.satisfy(&node.engine, &need)),
                end => break end,
            }
        };
        assert_eq!((end, yields), (Ok(false), 1));
        node.commit(txn);
    }
}

struct World {
    node: Option<Node>,
    tree: TreeId,
    rows: BTreeMap<u32, u8>,
    random: Random,
}

impl World {
    /// A transaction of some changes: more deletions than insertions if the tree is to shrink.
    fn change(&mut self, shrinks: bool) {
        let node = self.node.as_ref().expect("between crashes");
        let mut rows = self.rows.clone();
        let mut txn = node.begin_rc();
        for _ in 0..1 + self.random.below(300) {
            let key = self.random.below(1_500) as u32;
            node.statement(&mut txn);
            if rows.contains_key(&key) && (shrinks || self.random.below(4) == 0) {
                assert_eq!(node.delete(&mut txn, self.tree, &key_of(key)), Ok(true));
                rows.remove(&key);
            } else if !rows.contains_key(&key) && (!shrinks || self.random.below(8) == 0) {
                let body = self.random.below(250) as u8;
                node.insert(&mut txn, self.tree, &key_of(key), &vec![body; usize::from(body)])
                    .expect("inserts");
                rows.insert(key, body);
            }
        }
        if self.random.below(5) == 0 {
            node.abort(txn);
        } else {
            node.commit(txn);
            self.rows = rows;
        }
    }

    /// Background work that a crash ends after any of its mini-transactions. Answers how many pages it has merged.
    fn purge(&mut self) -> u64 {
        let node = self.node.take().expect("between crashes");
        node.make_durable();
        node.volume.hold_vdl(true);
        let merges = node.engine.stats().merges;
        let steps = self.random.below(200) as u32;
        let _ = (0..4).try_for_each(|_| {
            let budget = Budget { mini_transactions: steps.max(1) };
            node.run(|| node.engine.background(budget)).map(|_| ())
        });
        let merges = node.engine.stats().merges - merges;
        let beyond = node.volume.beyond_vdl();
        node.volume.advance_vdl(&node.engine, self.random.below(beyond + 1));
        let node = if self.random.below(3) == 0 { node.crash() } else { node };
        node.volume.hold_vdl(false);
        self.node = Some(node);
        merges
    }

    fn check(&self) {
        let node = self.node.as_ref().expect("between crashes");
        node.check(self.tree);
        let mut txn = node.begin_rc();
        let rows = node.scan(&mut txn, self.tree, Direction::Forward);
        node.commit(txn);
        let rows: Vec<_> = rows.iter().map(|(key, body)| (number_of(key), body.len() as u8)).collect();
        assert_eq!(rows, self.rows.iter().map(|(key, body)| (*key, *body)).collect::<Vec<_>>());
    }
}

#[test]
fn trees_that_grow_and_shrink_stay_sound_over_crashes() {
    let mut merges = 0;
    for seed in 0..6 {
        // VDL is held, so all that is written stays in the cache.
        let options = Options { frames: 512, undo_streams: 64, snapshots: 64 };
        let node = Node::create_of(options, Geometry { pages_per_group: 64, groups: 16 });
        let tree = node.create_tree();
        let rows = BTreeMap::new();
        let mut world = World { node: Some(node), tree, rows, random: Random::new(seed) };
        for step in 0..120 {
            world.change(step / 20 % 2 == 1);
            if world.random.below(3) == 0 {
                merges += world.purge();
                world.check();
            }
        }
        let node = world.node.as_ref().expect("between crashes");
        node.settle();
        world.check();
        let report = node.check(tree);
        assert_eq!((report.cells, report.cells_marked), (world.rows.len() as u64, 0));
        node.check_pages(&[tree]);
        node.volume.assert_cache_equals_log(&node.engine);
    }
    assert!(merges > 60, "{merges} merges");
}

/// Keys `key * 4 + thread` are a thread's own; it fills them, looks at all, and deletes them, again and again.
fn fill_and_empty(node: &Node, tree: TreeId, thread: u32, rounds: u32) {
    let keys = || (0..400u32).map(|key| key_of(key * 4 + thread));
    for round in 0..rounds {
        let mut txn = node.engine.begin(Isolation::ReadCommitted, false);
        drive(node, |engine| engine.begin_statement(&mut txn)).expect("begins");
        for key in keys() {
            let body = vec![round as u8; 20 + (key[3] as usize * 5) % 90];
            drive(node, |engine| engine.insert(&mut txn, tree, &key, RowRef::new(1, &body)))
                .expect("inserts");
        }
        drive(node, |engine| engine.commit(&mut txn)).expect("commits");
        let mut txn = node.engine.begin(Isolation::ReadCommitted, false);
        txn_of_own_commit(node, &mut txn);
        let (mut row, mut seen) = (RowBuffer::new(), 0);
        let mut cursor = Cursor::new(tree, Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        while drive(node, |engine| engine.cursor_next(&mut txn, &mut cursor, &mut row)).expect("scans") {
            seen += u32::from(number_of(&row.key) % 4 == thread);
        }
        assert_eq!(seen, 400, "every own row is seen once");
        for key in keys() {
            assert!(drive(node, |engine| engine.get(&mut txn, tree, &key, &mut row)).expect("reads"));
            let version = row.version;
            let done = drive(node, |engine| engine.delete(&mut txn, tree, &key, version, None));
            assert_eq!(done, Ok(WriteOutcome::Done));
        }
        drive(node, |engine| engine.commit(&mut txn)).expect("commits");
    }
}

/// Begins a statement that sees all that is appended.
fn txn_of_own_commit(node: &Node, txn: &mut Transaction) {
    drive(node, |engine| engine.begin_statement_at_appended(txn)).expect("begins");
}

#[test]
fn threads_that_fill_and_empty_a_tree_meet_no_dead_page() {
    for frames in [48, 400] {
        let options = Options { frames, undo_streams: 8, snapshots: 64 };
        let node = Node::create_of(options, Geometry { pages_per_group: 64, groups: 32 });
        let tree = node.create_tree();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let background = scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    drive(&node, |engine| engine.background(Budget { mini_transactions: 16 }))
                        .expect("works");
                    node.volume.pump(&node.engine);
                }
            });
            let workers: Vec<_> = (0..4)
                .map(|thread| {
                    scope.spawn({
                        let node = &node;
                        move || fill_and_empty(node, tree, thread, 5)
                    })
                })
                .collect();
            workers.into_iter().for_each(|worker| worker.join().expect("no worker fails"));
            over.store(true, Ordering::Release);
            background.join().expect("purge does not fail");
        });
        node.settle();
        let stats = node.engine.stats();
        assert!(stats.merges > 5, "{stats:?}");
        assert_eq!(node.check(tree).pages, 1);
        node.check_pages(&[tree]);
    }
}
