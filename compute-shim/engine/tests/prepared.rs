//! Prepared transactions: one outcome whatever the crash, and locks that stay.

mod harness;

use harness::{Node, lock_of, need_of, seeded, version_of};
use hexalog_engine::*;
use std::collections::BTreeSet;
use std::task::Waker;

const MAX: usize = 100;

fn called(identifier: &str) -> Preparation {
    Preparation { identifier: identifier.to_owned(), owner: 10, database: 5, prepared_us: -3_000_000_000 }
}

fn try_prepare(
    node: &Node,
    mut txn: Transaction,
    identifier: &str,
) -> Result<hexalog_protocol::Lsn, EngineError> {
    let mut advisory = AdvisoryLocks::default();
    let result = node.run(|| node.engine.prepare(&mut txn, &mut advisory, &called(identifier), MAX));
    let result = result.map(|(_, lsn)| lsn);
    if result.is_err() {
        node.abort(txn);
    }
    result
}

fn prepare(node: &Node, txn: Transaction, identifier: &str) {
    try_prepare(node, txn, identifier).expect("is prepared");
}

/// The one of this identifier, if there is one.
fn found(node: &Node, identifier: &str) -> Option<PreparedTransaction> {
    node.engine.prepared_transactions().into_iter().find(|it| it.preparation.identifier == identifier)
}

/// Ends one, which may not be durable yet.
fn end(node: &Node, identifier: &str, commits: bool) {
    let which = found(node, identifier).expect("it is prepared");
    let end = || match commits {
        true => node.engine.commit_prepared(&which),
        false => node.engine.rollback_prepared(&which),
    };
    node.run(end).expect("a prepared transaction can be ended");
}

fn end_durably(node: &Node, identifier: &str, commits: bool) {
    end(node, identifier, commits);
    node.make_durable();
}

fn commit(node: &Node, identifier: &str) {
    end_durably(node, identifier, true);
}

fn roll_back(node: &Node, identifier: &str) {
    end_durably(node, identifier, false);
}

fn rows(node: &Node, tree: TreeId) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut txn = node.begin_rc();
    let rows = node.scan(&mut txn, tree, Direction::Forward);
    node.commit(txn);
    rows
}

/// Rows 0..4 as they were, and as the transaction below leaves them.
fn before() -> Vec<(Vec<u8>, Vec<u8>)> {
    (0..4u8).map(|key| (vec![key], vec![key; 8])).collect()
}

fn after() -> Vec<(Vec<u8>, Vec<u8>)> {
    vec![
        (vec![0], b"changed".to_vec()),
        (vec![1], vec![1; 8]),
        (vec![3], vec![3; 8]),
        (vec![9], b"new".to_vec()),
    ]
}

/// A transaction that changes, deletes and inserts rows and locks one, over more than one undo page if it is `long`.
fn written(node: &Node, tree: TreeId, is_long: bool) -> Transaction {
    let mut txn = node.begin_rc();
    if is_long {
        for round in 0..40u8 {
            node.statement(&mut txn);
            assert_eq!(node.update(&mut txn, tree, &[0], &[round; 300 + 7]), Ok(true));
            node.statement(&mut txn);
            assert_eq!(node.update(&mut txn, tree, &[0], &[round; 200]), Ok(true));
        }
    }
    node.statement(&mut txn);
    assert_eq!(node.update(&mut txn, tree, &[0], b"changed"), Ok(true));
    assert_eq!(node.delete(&mut txn, tree, &[2]), Ok(true));
    node.insert(&mut txn, tree, &[9], b"new").expect("inserts");
    lock_row(node, &mut txn, tree, 3, RowLockMode::Share).expect("nobody has it");
    node.run(|| node.engine.lock_relation(&mut txn, 77, RelationLockMode::RowExclusive))
        .expect("nobody has it");
    txn
}

fn lock_row(
    node: &Node,
    txn: &mut Transaction,
    tree: TreeId,
    key: u8,
    mode: RowLockMode,
) -> Result<RowLockOutcome, EngineError> {
    let version = version_of(node, txn, tree, &[key]);
    let mut row = RowBuffer::new();
    node.run(|| node.engine.lock_row(txn, tree, &[key], version, mode, LockWait::Fail, &mut row))
}

/// All that a prepared transaction holds is held, whoever asks.
fn assert_held(node: &Node, tree: TreeId) {
    assert_eq!(rows(node, tree), before(), "nobody sees what is not committed");
    let mut txn = node.begin_rc();
    for key in [0, 2] {
        let refused = lock_row(node, &mut txn, tree, key, RowLockMode::Share);
        assert_eq!(refused, Err(EngineError::LockNotAvailable), "row {key} is being changed");
    }
    assert_eq!(lock_row(node, &mut txn, tree, 3, RowLockMode::Update), Err(EngineError::LockNotAvailable));
    assert_eq!(lock_row(node, &mut txn, tree, 3, RowLockMode::Share), Ok(RowLockOutcome::Locked));
    assert_eq!(lock_row(node, &mut txn, tree, 1, RowLockMode::Update), Ok(RowLockOutcome::Locked));
    let need = lock_of(node, || node.engine.insert(&mut txn, tree, &[9], RowRef::new(1, b"x")));
    node.engine.cancel_need(&need);
    let need = lock_of(node, || node.engine.lock_relation(&mut txn, 77, RelationLockMode::Share));
    node.engine.cancel_need(&need);
    assert_eq!(node.run(|| node.engine.lock_relation(&mut txn, 77, RelationLockMode::RowShare)), Ok(()));
    node.abort(txn);
}

/// Nothing is held any more.
fn assert_free(node: &Node, tree: TreeId) {
    let mut txn = node.begin_rc();
    for (key, _) in node.scan(&mut txn, tree, Direction::Forward) {
        assert_eq!(lock_row(node, &mut txn, tree, key[0], RowLockMode::Update), Ok(RowLockOutcome::Locked));
    }
    node.run(|| node.engine.lock_relation(&mut txn, 77, RelationLockMode::AccessExclusive)).expect("is free");
    node.abort(txn);
    assert!(node.engine.lock_entries().is_empty());
    node.settle();
    assert_eq!(node.engine.stats().undo_streams_open, 0);
    node.check(tree);
    node.check_pages(&[tree]);
}

#[test]
fn a_crash_within_a_prepare_leaves_it_done_or_undone() {
    for is_long in [false, true] {
        let mut boundary = 0;
        loop {
            let (node, tree) = seeded(4);
            node.volume.hold_vdl(true);
            let txn = written(&node, tree, is_long);
            let written = node.volume.beyond_vdl();
            prepare(&node, txn, "a");
            let of_prepare = node.volume.beyond_vdl() - written;
            assert_eq!(of_prepare, 3, "locks, identifier, and the byte that counts");
            node.volume.advance_vdl(&node.engine, written + boundary);
            let node = node.crash();
            assert_eq!(found(&node, "a").is_some(), boundary == of_prepare, "{boundary} of {of_prepare}");
            if boundary == of_prepare {
                assert_held(&node, tree);
                node.settle();
                assert_held(&node, tree);
                commit(&node, "a");
                assert_eq!(rows(&node, tree), after());
            } else {
                assert_eq!(rows(&node, tree), before());
            }
            assert_free(&node, tree);
            if boundary == of_prepare {
                break;
            }
            boundary += 1;
        }
    }
}

#[test]
fn a_crash_around_a_commit_or_rollback_leaves_one_outcome() {
    for commits in [true, false] {
        for boundary in 0.. {
            let (node, tree) = seeded(4);
            prepare(&node, written(&node, tree, false), "a");
            node.make_durable();
            // Sessions that come and go meanwhile, and a start in between.
            let node = if boundary % 2 == 0 { node } else { node.crash() };
            node.volume.hold_vdl(true);
            end(&node, "a", commits);
            // What was found at an opening is undone in the background.
            while node.engine.stats().transactions_to_undo > 0 {
                node.run(|| node.engine.background(Budget::default())).expect("undoes");
            }
            let steps = node.volume.beyond_vdl();
            node.volume.advance_vdl(&node.engine, boundary);
            let node = node.crash();
            assert_eq!(found(&node, "a").is_some(), boundary == 0, "{boundary} of {steps}");
            if boundary == 0 {
                assert_held(&node, tree);
                end_durably(&node, "a", commits);
            }
            assert_eq!(rows(&node, tree), if commits { after() } else { before() }, "{boundary} of {steps}");
            assert_free(&node, tree);
            if boundary >= steps {
                assert!(steps >= if commits { 1 } else { 5 }, "{steps}");
                break;
            }
        }
    }
}

#[test]
fn it_stays_through_any_number_of_openings_and_holds_no_snapshot() {
    let (node, tree) = seeded(4);
    prepare(&node, written(&node, tree, true), "a");
    node.make_durable();
    let tx_id = found(&node, "a").expect("prepared").tx_id;
    let mut node = node;
    for round in 0..3u8 {
        // Others come by its stream, and purge by what they leave.
        for _ in 0..20 {
            let mut txn = node.begin_rc();
            assert_eq!(node.update(&mut txn, tree, &[1], &[round; 900]), Ok(true));
            node.abort(txn);
            let mut txn = node.begin_rc();
            assert_eq!(node.update(&mut txn, tree, &[1], &[1; 8]), Ok(true));
            node.commit(txn);
        }
        node.settle();
        let stats = node.engine.stats();
        assert_eq!((stats.prepared_transactions, stats.undo_streams_open), (1, 1));
        assert_eq!(
            stats.purge_horizon,
            node.volume.images().iter().map(|page| page.lsn().0).max().unwrap_or(0)
        );
        assert_held(&node, tree);
        node = node.crash();
        let again = found(&node, "a").expect("it is there still");
        assert_eq!((again.tx_id, &again.preparation), (tx_id, &called("a")));
    }
    roll_back(&node, "a");
    assert_eq!(rows(&node, tree), before());
    assert_free(&node, tree);
}

#[test]
fn more_locks_than_pages_in_the_cache() {
    let (node, tree) = seeded(1);
    let mut txn = node.begin_rc();
    for relation in 0..30_000 {
        let mode = RelationLockMode::ALL[relation % 8];
        node.run(|| node.engine.lock_relation(&mut txn, 100 + relation as u32, mode)).expect("nobody has it");
    }
    prepare(&node, txn, "a");
    let entries = node.engine.lock_entries();
    assert!(entries.iter().all(|entry| entry.process_id == 0 && entry.granted));
    node.make_durable();
    let node = node.crash();
    let shown: BTreeSet<_> = node.engine.lock_entries().iter().map(|it| (it.object, it.mode)).collect();
    assert_eq!(shown, entries.iter().map(|it| (it.object, it.mode)).collect());
    let owner = found(&node, "a").expect("prepared").lock_owner;
    assert!(node.engine.lock_entries().iter().all(|it| (it.owner, it.process_id) == (owner, 0)));
    commit(&node, "a");
    assert_free(&node, tree);
}

#[test]
fn one_that_wrote_nothing_is_prepared_too() {
    for read_only in [false, true] {
        let (node, tree) = seeded(1);
        let mut txn = node.engine.begin(Isolation::RepeatableRead, read_only);
        node.statement(&mut txn);
        node.get(&mut txn, tree, &[0]);
        prepare(&node, txn, "");
        node.make_durable();
        let node = node.crash();
        commit(&node, "");
        assert_free(&node, tree);
    }
}

#[test]
fn identifiers_and_numbers() {
    let (node, tree) = seeded(2);
    prepare(&node, node.begin_rc(), "a");
    assert_eq!(try_prepare(&node, node.begin_rc(), "a"), Err(EngineError::IdentifierInUse));
    // Half of the eight streams stay free.
    for identifier in ["b", "c", "d"] {
        prepare(&node, node.begin_rc(), identifier);
    }
    assert_eq!(try_prepare(&node, node.begin_rc(), "e"), Err(EngineError::TooManyPrepared));
    let a = found(&node, "a").expect("prepared");
    commit(&node, "a");
    prepare(&node, node.begin_rc(), "a");
    // Another one of the same name.
    assert_eq!(node.run(|| node.engine.commit_prepared(&a)), Err(EngineError::NoSuchPrepared));
    assert_eq!(node.run(|| node.engine.rollback_prepared(&a)), Err(EngineError::NoSuchPrepared));
    let names = node.engine.prepared_transactions().into_iter().map(|it| it.preparation.identifier);
    assert_eq!(names.collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    for identifier in ["a", "b", "c", "d"] {
        roll_back(&node, identifier);
    }
    let mut advisory = AdvisoryLocks::default();
    let mut txn = node.begin_rc();
    let full = node.run(|| node.engine.prepare(&mut txn, &mut advisory, &called("a"), 0));
    assert_eq!(full, Err(EngineError::TooManyPrepared));
    node.volume.set_full(true);
    let full = node.run(|| node.engine.prepare(&mut txn, &mut advisory, &called("a"), 1));
    assert_eq!(full, Err(EngineError::StorageFull));
    node.volume.set_full(false);
    node.abort(txn);
    assert_free(&node, tree);
}

/// An identifier is free again when its transaction was given up on the way.
#[test]
fn a_prepare_that_waits_for_a_stream_can_be_given_up() {
    let (node, tree) = seeded(2);
    let mut writers = Vec::new();
    for key in 10..18u8 {
        let mut txn = node.begin_rc();
        node.insert(&mut txn, tree, &[key], b"x").expect("inserts");
        writers.push(txn);
    }
    let mut advisory = AdvisoryLocks::default();
    for is_given_up in [true, false] {
        let mut txn = node.begin_rc();
        let need = need_of(node.engine.prepare(&mut txn, &mut advisory, &called("a"), MAX));
        assert!(matches!(need, Need::Stream(_)), "{need:?}");
        if is_given_up {
            node.engine.cancel_need(&need);
            node.abort(txn);
            continue;
        }
        assert_eq!(try_prepare(&node, node.begin_rc(), "a"), Err(EngineError::IdentifierInUse));
        node.abort(writers.pop().expect("eight"));
        assert!(node.engine.poll_need(&need, Waker::noop()));
        node.run(|| node.engine.prepare(&mut txn, &mut advisory, &called("a"), MAX)).expect("has its stream");
    }
    writers.into_iter().for_each(|txn| node.abort(txn));
    roll_back(&node, "a");
    assert_free(&node, tree);
}

/// Found by review. Whoever waits for a stream needs one of those that have theirs to go on, and one that is prepared was taken for
/// such: all others stood in a circle for as long as nobody ended it.
#[test]
fn a_circle_over_streams_is_found_beside_a_prepared_transaction() {
    for is_reopened in [false, true] {
        let (node, tree) = seeded(4);
        prepare(&node, written(&node, tree, false), "a");
        node.make_durable();
        let node = if is_reopened { node.crash() } else { node };
        let mut wanted = node.begin_rc();
        node.run(|| node.engine.lock_relation(&mut wanted, 7, RelationLockMode::Exclusive)).expect("is free");
        let mut writers = Vec::new();
        for key in 10..17u8 {
            let mut txn = node.begin_rc();
            node.insert(&mut txn, tree, &[key], b"x").expect("inserts");
            writers.push(txn);
        }
        let (last, others) = writers.split_last_mut().expect("seven");
        for txn in others {
            lock_of(&node, || node.engine.lock_relation(txn, 7, RelationLockMode::Exclusive));
        }
        let mut write = || node.engine.insert(&mut wanted, tree, &[20], RowRef::new(1, b"x"));
        let need = lock_of(&node, &mut write);
        assert!(matches!(need, Need::Stream(_)), "one of them runs: {need:?}");
        node.engine.cancel_need(&need);
        lock_of(&node, || node.engine.lock_relation(last, 7, RelationLockMode::Exclusive));
        assert_eq!(node.run(write), Err(EngineError::Deadlock));
        node.abort(wanted);
        writers.into_iter().for_each(|txn| node.abort(txn));
        roll_back(&node, "a");
        assert_free(&node, tree);
    }
}

#[test]
fn waiters_get_its_rows_when_it_ends_and_it_is_in_no_deadlock() {
    for (is_reopened, commits) in [(false, true), (false, false), (true, true), (true, false)] {
        let (node, tree) = seeded(4);
        prepare(&node, written(&node, tree, false), "a");
        node.make_durable();
        let node = if is_reopened { node.crash() } else { node };
        let mut waiter = node.begin_rc();
        waiter.set_process_id(42);
        node.run(|| node.engine.lock_relation(&mut waiter, 5, RelationLockMode::Exclusive)).expect("is free");
        let version = version_of(&node, &mut waiter, tree, &[0]);
        let update =
            |txn: &mut Transaction| node.engine.update(txn, tree, &[0], version, RowRef::new(2, b"mine"));
        let need = lock_of(&node, || update(&mut waiter));
        assert_eq!(node.engine.blocking_processes(42), [0], "as PostgreSQL shows a prepared transaction");
        // Another one behind it, which holds what nobody prepared can want.
        let mut behind = node.begin_rc();
        let other = lock_of(&node, || node.engine.lock_relation(&mut behind, 5, RelationLockMode::Share));
        assert!(!node.engine.poll_need(&need, Waker::noop()));
        end_durably(&node, "a", commits);
        assert!(node.engine.poll_need(&need, Waker::noop()));
        let expected = if commits { WriteOutcome::Changed } else { WriteOutcome::Done };
        assert_eq!(node.run(|| update(&mut waiter)), Ok(expected));
        node.abort(waiter);
        assert!(node.engine.poll_need(&other, Waker::noop()));
        node.run(|| node.engine.lock_relation(&mut behind, 5, RelationLockMode::Share)).expect("its turn");
        node.abort(behind);
        assert_free(&node, tree);
    }
}

#[test]
fn locks_of_numbers_leave_the_session_with_it() {
    let (node, tree) = seeded(1);
    let key = |number| AdvisoryKey { database: 5, number, is_pair: number == 2 };
    let mut advisory = AdvisoryLocks::default();
    let mut txn = node.begin_rc();
    txn.set_process_id(42);
    for (number, mode, extent) in [
        (1, RelationLockMode::Exclusive, AdvisoryExtent::Transaction),
        (2, RelationLockMode::Share, AdvisoryExtent::Transaction),
        (2, RelationLockMode::Exclusive, AdvisoryExtent::Transaction),
        (3, RelationLockMode::Exclusive, AdvisoryExtent::Session),
    ] {
        let lock = || node.engine.lock_advisory(&mut txn, &mut advisory, key(number), mode, extent);
        node.run(lock).expect("is free");
    }
    let prepared = node.run(|| node.engine.prepare(&mut txn, &mut advisory, &called("a"), MAX));
    let (_, lsn) = prepared.expect("is prepared");
    assert!(node.volume.satisfy(&node.engine, &Need::Durable(lsn)));
    let holder_of = |node: &Node, number| {
        let entries = node.engine.lock_entries();
        let own = entries.iter().filter(|it| it.object == LockedObject::Advisory(key(number)));
        own.map(|it| (it.process_id, it.mode)).collect::<Vec<_>>()
    };
    let both = vec![(0, RelationLockMode::Share), (0, RelationLockMode::Exclusive)];
    let sessions = vec![(42, RelationLockMode::Exclusive)];
    assert_eq!(
        [1, 2, 3].map(|number| holder_of(&node, number)),
        [both[1..].to_vec(), both.clone(), sessions]
    );
    node.engine.unlock_all_advisory(&mut advisory);
    let node = node.crash();
    assert_eq!([1, 2, 3].map(|number| holder_of(&node, number)), [both[1..].to_vec(), both, vec![]]);
    let mut other = AdvisoryLocks::default();
    let mut txn = node.begin_rc();
    let mode = RelationLockMode::Exclusive;
    let is_taken = node
        .run(|| node.engine.try_lock_advisory(&mut txn, &mut other, key(1), mode, AdvisoryExtent::Session));
    assert_eq!(is_taken, Ok(false));
    commit(&node, "a");
    assert_free(&node, tree);
    node.abort(txn);
}

#[test]
fn trees_and_chains_that_it_made_or_dropped_live_or_fall_with_it() {
    for commits in [true, false] {
        for is_reopened in [true, false] {
            let (node, tree) = seeded(1);
            let mut txn = node.begin_rc();
            let old = node.run(|| node.engine.create_tree(&mut txn, TreeKind::Clustered)).expect("a tree");
            node.insert(&mut txn, old, &[1], b"row").expect("inserts");
            node.commit(txn);
            let mut txn = node.begin_rc();
            let new = node.run(|| node.engine.create_tree(&mut txn, TreeKind::Clustered)).expect("a tree");
            node.insert(&mut txn, new, &[1], b"row").expect("inserts");
            node.run(|| node.engine.drop_tree(&mut txn, old)).expect("drops");
            prepare(&node, txn, "a");
            node.settle();
            let node = if is_reopened { node.crash() } else { node };
            node.settle();
            end_durably(&node, "a", commits);
            node.settle();
            let kept = if commits { new } else { old };
            node.check(kept);
            node.check_pages(&[tree, kept]);
        }
    }
}
