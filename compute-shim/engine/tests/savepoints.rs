//! Going back to a savepoint: rows, locks, waiters, trees, and what a crash or an abort finds afterwards.

mod harness;

use harness::{Node, Woken, lock_of, seeded};
use hexalog_engine::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

fn roll_back(node: &Node, txn: &mut Transaction, savepoint: &mut Savepoint) {
    node.run(|| node.engine.rollback_to(txn, savepoint)).expect("rolls back");
    node.statement(txn);
}

fn rows(node: &Node, tree: TreeId) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut txn = node.begin_rc();
    let rows = node.scan(&mut txn, tree, Direction::Forward);
    node.commit(txn);
    rows
}

fn row(key: u8, body: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (vec![key], body.to_vec())
}

#[test]
fn what_was_written_since_is_gone_and_what_was_written_before_stays() {
    let (node, tree) = seeded(3);
    let mut txn = node.begin_rc();
    let mut all = node.engine.savepoint(&txn);
    assert_eq!(node.update(&mut txn, tree, &[0], b"before"), Ok(true));
    node.statement(&mut txn);
    let mut outer = node.engine.savepoint(&txn);
    assert_eq!(node.update(&mut txn, tree, &[0], b"outer, and longer than it was"), Ok(true));
    assert_eq!(node.delete(&mut txn, tree, &[1]), Ok(true));
    node.statement(&mut txn);
    let mut inner = node.engine.savepoint(&txn);
    node.insert(&mut txn, tree, &[1], b"again").expect("inserts over the mark");
    node.insert(&mut txn, tree, &[9], b"new").expect("inserts");
    node.statement(&mut txn);
    roll_back(&node, &mut txn, &mut inner);
    assert_eq!(node.get(&mut txn, tree, &[1]), None);
    assert_eq!(node.get(&mut txn, tree, &[9]), None);
    assert_eq!(node.get(&mut txn, tree, &[0]), Some(b"outer, and longer than it was".to_vec()));
    // Written anew at new offsets: a later undo of the old records must not touch it.
    node.insert(&mut txn, tree, &[9], b"newer").expect("inserts");
    node.statement(&mut txn);
    roll_back(&node, &mut txn, &mut outer);
    assert_eq!(node.get(&mut txn, tree, &[0]), Some(b"before".to_vec()));
    assert_eq!(node.get(&mut txn, tree, &[1]), Some(vec![1; 8]));
    assert_eq!(node.get(&mut txn, tree, &[9]), None);
    roll_back(&node, &mut txn, &mut all);
    assert_eq!(node.get(&mut txn, tree, &[0]), Some(vec![0; 8]));
    assert_eq!(node.update(&mut txn, tree, &[2], b"kept"), Ok(true));
    node.commit(txn);
    assert_eq!(rows(&node, tree), [row(0, &[0; 8]), row(1, &[1; 8]), row(2, b"kept")]);
}

#[test]
fn undo_over_many_pages_lets_others_run_and_can_be_given_up_for_an_abort() {
    let (node, tree) = seeded(0);
    let mut txn = node.begin_rc();
    node.insert(&mut txn, tree, b"first", b"stays").expect("inserts");
    node.statement(&mut txn);
    let mut savepoint = node.engine.savepoint(&txn);
    for k in 0..900u32 {
        node.insert(&mut txn, tree, &k.to_be_bytes(), &[7; 60]).expect("inserts");
    }
    let mut yields = 0;
    loop {
        match node.engine.rollback_to(&mut txn, &mut savepoint) {
            Ok(()) => break,
            Err(Stop::Need(Need::Yield)) => yields += 1,
            Err(Stop::Need(need)) => assert!(node.volume.satisfy(&node.engine, &need)),
            Err(Stop::Fail(error)) => panic!("{error}"),
        }
    }
    assert!(yields >= 8, "{yields} yields");
    node.statement(&mut txn);
    assert_eq!(node.scan(&mut txn, tree, Direction::Forward).len(), 1);
    let undone = node.engine.stats().rows_undone;
    // A second time there is nothing to do, not even to look at.
    assert_eq!(node.engine.rollback_to(&mut txn, &mut savepoint), Ok(()));
    assert_eq!(node.engine.stats().rows_undone, undone);
    node.statement(&mut txn);
    for k in 0..900u32 {
        node.insert(&mut txn, tree, &k.to_be_bytes(), &[8; 60]).expect("inserts");
    }
    assert!(node.engine.rollback_to(&mut txn, &mut savepoint).is_err(), "not through in one call");
    node.abort(txn);
    node.settle();
    assert_eq!(rows(&node, tree), []);
}

#[test]
fn a_crash_after_going_back_undoes_nothing_twice() {
    let (node, tree) = seeded(3);
    let mut txn = node.begin_rc();
    assert_eq!(node.update(&mut txn, tree, &[0], b"first"), Ok(true));
    node.statement(&mut txn);
    let mut savepoint = node.engine.savepoint(&txn);
    assert_eq!(node.update(&mut txn, tree, &[1], b"lost"), Ok(true));
    assert_eq!(node.delete(&mut txn, tree, &[2]), Ok(true));
    roll_back(&node, &mut txn, &mut savepoint);
    // The rows are free: another transaction writes them, commits, and its values must stand.
    let mut other = node.begin_rc();
    assert_eq!(node.update(&mut other, tree, &[1], b"other"), Ok(true));
    assert_eq!(node.update(&mut other, tree, &[2], b"other"), Ok(true));
    node.commit(other);
    let node = node.crash();
    node.settle();
    assert_eq!(rows(&node, tree), [row(0, &[0; 8]), row(1, b"other"), row(2, b"other")]);
    node.check(tree);
}

#[test]
fn waiters_get_the_rows_that_are_free_again_and_no_others() {
    let (node, tree) = seeded(2);
    let mut txn = node.begin_rc();
    assert_eq!(node.update(&mut txn, tree, &[0], b"kept"), Ok(true));
    node.statement(&mut txn);
    let mut savepoint = node.engine.savepoint(&txn);
    assert_eq!(node.update(&mut txn, tree, &[1], b"lost"), Ok(true));
    let mut waiters = Vec::new();
    for key in [0u8, 1] {
        let mut waiter = node.begin_rc();
        let mut seen = RowBuffer::new();
        assert!(node.run(|| node.engine.get(&mut waiter, tree, &[key], &mut seen)).expect("reads"));
        let new = RowRef::new(2, b"waiter");
        let need = lock_of(&node, || node.engine.update(&mut waiter, tree, &[key], seen.version, new));
        let woken = Arc::new(Woken::default());
        assert!(!node.engine.poll_need(&need, &Waker::from(woken.clone())));
        waiters.push((waiter, seen.version, woken));
    }
    node.run(|| node.engine.rollback_to(&mut txn, &mut savepoint)).expect("rolls back");
    let new = RowRef::new(2, b"waiter");
    let (mut second, version, woken) = waiters.pop().expect("two");
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    let outcome = node.run(|| node.engine.update(&mut second, tree, &[1], version, new));
    assert_eq!(outcome, Ok(WriteOutcome::Done), "the row is what the waiter saw");
    node.commit(second);
    // The other one looks and waits on, until the end.
    let (mut first, version, _) = waiters.pop().expect("two");
    let need = lock_of(&node, || node.engine.update(&mut first, tree, &[0], version, new));
    assert!(!node.engine.poll_need(&need, Waker::noop()));
    node.commit(txn);
    let outcome = node.run(|| node.engine.update(&mut first, tree, &[0], version, new));
    assert_eq!(outcome, Ok(WriteOutcome::Changed));
    node.abort(first);
    assert_eq!(rows(&node, tree), [row(0, b"kept"), row(1, b"waiter")]);
}

#[test]
fn relation_locks_taken_since_fall_mode_by_mode() {
    use RelationLockMode::{AccessExclusive, AccessShare, RowExclusive, Share};
    let (node, _) = seeded(0);
    let mut txn = node.begin_rc();
    let lock = |txn: &mut Transaction, relation, mode| node.engine.lock_relation(txn, relation, mode);
    assert_eq!(lock(&mut txn, 1, RowExclusive), Ok(()));
    let mut savepoint = node.engine.savepoint(&txn);
    assert_eq!(lock(&mut txn, 1, AccessExclusive), Ok(()));
    assert_eq!(lock(&mut txn, 2, AccessExclusive), Ok(()));
    let (mut reader, mut other) = (node.begin_rc(), node.begin_rc());
    assert!(lock(&mut reader, 1, AccessShare).is_err());
    assert!(lock(&mut other, 2, AccessShare).is_err());
    assert_eq!(node.engine.rollback_to(&mut txn, &mut savepoint), Ok(()));
    assert_eq!(lock(&mut reader, 1, AccessShare), Ok(()));
    assert_eq!(lock(&mut other, 2, AccessShare), Ok(()));
    assert!(lock(&mut other, 1, Share).is_err(), "the mode from before the savepoint is held");
    assert_eq!(lock(&mut txn, 1, RowExclusive), Ok(()));
    for txn in [txn, reader, other] {
        node.abort(txn);
    }
}

#[test]
fn trees_made_since_are_freed_and_trees_dropped_since_live() {
    for ending in ["commit", "abort", "crash"] {
        let (node, tree) = seeded(5);
        let mut txn = node.begin_rc();
        assert_eq!(node.update(&mut txn, tree, &[0], b"ending"), Ok(true));
        node.statement(&mut txn);
        let mut savepoint = node.engine.savepoint(&txn);
        let made = node.run(|| node.engine.create_tree(&mut txn, TreeKind::Clustered)).expect("makes");
        node.insert(&mut txn, made, b"k", &[0; 3_000]).expect("inserts");
        node.insert(&mut txn, made, b"l", &[0; 3_000]).expect("inserts");
        node.insert(&mut txn, made, b"m", &[0; 3_000]).expect("inserts");
        node.run(|| node.engine.drop_tree(&mut txn, tree)).expect("drops");
        roll_back(&node, &mut txn, &mut savepoint);
        // Once more: the marks are there already.
        savepoint = node.engine.savepoint(&txn);
        roll_back(&node, &mut txn, &mut savepoint);
        let node = match ending {
            "commit" => {
                node.commit(txn);
                node
            }
            "abort" => {
                node.abort(txn);
                node
            }
            _ => node.crash(),
        };
        node.settle();
        let first: &[u8] = if ending == "commit" { b"ending" } else { &[0; 8] };
        assert_eq!(rows(&node, tree)[0], row(0, first), "{ending}");
        assert_eq!(node.check(tree).cells, 5, "{ending}");
        node.drop_last_tree(tree);
    }
}
