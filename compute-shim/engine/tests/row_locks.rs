//! Explicit row locks: which modes meet, who waits, what ends a wait, and what is locked.

mod harness;

use harness::{Node, SMALL, seeded, version_of};
use hexalog_engine::RowLockMode::{KeyShare, NoKeyUpdate, Share, Update};
use hexalog_engine::*;
use std::task::Waker;

/// Locks a row as it is seen; `None`: it waits.
fn lock(
    node: &Node,
    txn: &mut Transaction,
    tree: TreeId,
    key: u8,
    mode: RowLockMode,
    wait: LockWait,
) -> Option<Result<RowLockOutcome, EngineError>> {
    let version = version_of(node, txn, tree, &[key]);
    let mut row = RowBuffer::new();
    loop {
        match node.engine.lock_row(txn, tree, &[key], version, mode, wait, &mut row) {
            Ok(outcome) => return Some(Ok(outcome)),
            Err(Stop::Fail(error)) => return Some(Err(error)),
            Err(Stop::Need(need @ Need::Lock(_))) => {
                if !node.engine.poll_need(&need, Waker::noop()) {
                    return None;
                }
            }
            Err(Stop::Need(need)) => assert!(node.volume.satisfy(&node.engine, &need)),
        }
    }
}

const LOCKED: Option<Result<RowLockOutcome, EngineError>> = Some(Ok(RowLockOutcome::Locked));

#[test]
fn modes_meet_as_postgresql_says() {
    // PostgreSQL documentation, table 13.3.
    let conflicts = |a: RowLockMode, b: RowLockMode| match (a, b) {
        (Update, _) | (_, Update) => true,
        (KeyShare, _) | (_, KeyShare) => false,
        (Share, Share) => false,
        _ => true,
    };
    for held in [KeyShare, Share, NoKeyUpdate, Update] {
        for wanted in [KeyShare, Share, NoKeyUpdate, Update] {
            let (node, tree) = seeded(1);
            let (mut a, mut b) = (node.begin_rc(), node.begin_rc());
            assert_eq!(lock(&node, &mut a, tree, 0, held, LockWait::Wait), LOCKED);
            let expected = conflicts(held, wanted);
            assert_eq!(held.conflicts_with(wanted), expected);
            let outcome = lock(&node, &mut b, tree, 0, wanted, LockWait::Fail);
            match expected {
                true => assert_eq!(outcome, Some(Err(EngineError::LockNotAvailable)), "{held:?} {wanted:?}"),
                false => assert_eq!(outcome, LOCKED, "{held:?} {wanted:?}"),
            }
            node.abort(a);
            assert_eq!(lock(&node, &mut b, tree, 0, Update, LockWait::Fail), LOCKED);
            node.abort(b);
        }
    }
}

#[test]
fn writers_wait_for_locks_and_locks_for_writers() {
    for (held, update_waits, delete_waits) in
        [(KeyShare, false, true), (Share, true, true), (NoKeyUpdate, true, true), (Update, true, true)]
    {
        let (node, tree) = seeded(2);
        let (mut locker, mut updater, mut deleter) = (node.begin_rc(), node.begin_rc(), node.begin_rc());
        assert_eq!(lock(&node, &mut locker, tree, 0, held, LockWait::Wait), LOCKED);
        assert_eq!(lock(&node, &mut locker, tree, 1, held, LockWait::Wait), LOCKED);
        let version = version_of(&node, &mut updater, tree, &[0]);
        let new = RowRef { columns: 2, body: b"changed", chains: &[] };
        let outcome = node.engine.update(&mut updater, tree, &[0], version, new);
        assert_eq!(matches!(outcome, Err(Stop::Need(Need::Lock(_)))), update_waits, "{held:?}");
        let version = version_of(&node, &mut deleter, tree, &[1]);
        let outcome = node.engine.delete(&mut deleter, tree, &[1], version, None);
        assert_eq!(matches!(outcome, Err(Stop::Need(Need::Lock(_)))), delete_waits, "{held:?}");
        node.abort(locker);
        let version = version_of(&node, &mut updater, tree, &[0]);
        let outcome = node.run(|| node.engine.update(&mut updater, tree, &[0], version, new));
        assert!(matches!(outcome, Ok(WriteOutcome::Done | WriteOutcome::AlreadyWritten)), "{outcome:?}");
        let outcome = node.run(|| node.engine.delete(&mut deleter, tree, &[1], version, None));
        assert_eq!(outcome, Ok(WriteOutcome::Done));
        // The other way round: a row that is being changed, or deleted.
        let mut late = node.begin_rc();
        for mode in [KeyShare, Share, NoKeyUpdate, Update] {
            let passes = mode == KeyShare;
            let outcome = lock(&node, &mut late, tree, 0, mode, LockWait::Skip);
            let expected = if passes { RowLockOutcome::Locked } else { RowLockOutcome::Skipped };
            assert_eq!(outcome, Some(Ok(expected)), "{mode:?}");
            let outcome = lock(&node, &mut late, tree, 1, mode, LockWait::Skip);
            assert_eq!(outcome, Some(Ok(RowLockOutcome::Skipped)), "{mode:?}");
        }
        // Its key is shared now, so it cannot be deleted by the one who has changed it.
        node.statement(&mut updater);
        let version = version_of(&node, &mut updater, tree, &[0]);
        let outcome = node.engine.delete(&mut updater, tree, &[0], version, None);
        assert!(matches!(outcome, Err(Stop::Need(Need::Lock(_)))), "{outcome:?}");
        node.abort(late);
        let outcome = node.run(|| node.engine.delete(&mut updater, tree, &[0], version, None));
        assert_eq!(outcome, Ok(WriteOutcome::Done));
        node.commit(updater);
        node.commit(deleter);
    }
}

/// Simulator seed 34 (profile sql, no fault at all): an UPDATE that changes a unique key locks its row before it writes, and
/// does both again after each wait. With all undo streams taken, locking the row the second time gave the stream back that
/// had just been granted: it went round among those who waited for one, and none of them ever wrote.
#[test]
fn locking_a_row_again_keeps_the_stream_that_was_waited_for() {
    let node = Node::create(Options { undo_streams: 2, ..SMALL });
    let tree = node.create_tree();
    let mut txn = node.begin_rc();
    for k in 0..4 {
        node.insert(&mut txn, tree, &[k], &[k; 8]).expect("inserts");
    }
    node.commit(txn);
    let (mut writer, mut other) = (node.begin_rc(), node.begin_rc());
    assert_eq!(node.update(&mut writer, tree, &[0], b"written"), Ok(true));
    assert_eq!(node.update(&mut other, tree, &[3], b"written"), Ok(true));
    let new = RowRef::new(1, b"changed");
    let mut waiting: Vec<_> = (1..3u8)
        .map(|key| {
            let mut txn = node.begin_rc();
            let version = version_of(&node, &mut txn, tree, &[key]);
            assert_eq!(lock(&node, &mut txn, tree, key, Update, LockWait::Wait), LOCKED);
            let outcome = node.engine.update(&mut txn, tree, &[key], version, new);
            assert!(matches!(outcome, Err(Stop::Need(Need::Stream(_)))), "{outcome:?}");
            (txn, key, version)
        })
        .collect();
    node.commit(writer);
    let (mut first, key, version) = waiting.remove(0);
    assert_eq!(lock(&node, &mut first, tree, key, Update, LockWait::Wait), LOCKED);
    let outcome = node.engine.update(&mut first, tree, &[key], version, new);
    assert_eq!(outcome, Ok(WriteOutcome::Done));
    node.commit(first);
    let (mut second, key, version) = waiting.remove(0);
    assert_eq!(lock(&node, &mut second, tree, key, Update, LockWait::Wait), LOCKED);
    assert_eq!(node.engine.update(&mut second, tree, &[key], version, new), Ok(WriteOutcome::Done));
    node.commit(second);
    node.commit(other);
}

#[test]
fn the_newest_version_is_locked_or_repeatable_read_fails() {
    let (node, tree) = seeded(3);
    let (mut rc, mut rr) = (node.begin_rc(), node.begin(Isolation::RepeatableRead));
    let versions: Vec<RowVersion> = (0..3).map(|key| version_of(&node, &mut rc, tree, &[key])).collect();
    version_of(&node, &mut rr, tree, &[0]);
    let mut writer = node.begin_rc();
    assert_eq!(node.update(&mut writer, tree, &[0], b"newest"), Ok(true));
    assert_eq!(node.delete(&mut writer, tree, &[1]), Ok(true));
    let version = version_of(&node, &mut writer, tree, &[2]);
    let moved = node.run(|| node.engine.delete(&mut writer, tree, &[2], version, Some(&[7])));
    assert_eq!(moved, Ok(WriteOutcome::Done));
    node.commit(writer);
    let mut row = RowBuffer::new();
    let mut outcome = |txn: &mut Transaction, key: u8| {
        let version = versions[usize::from(key)];
        let wait = LockWait::Wait;
        let done = node.run(|| node.engine.lock_row(txn, tree, &[key], version, Update, wait, &mut row));
        (done, row.body.clone())
    };
    assert_eq!(outcome(&mut rr, 0).0, Err(EngineError::SerializationFailure));
    assert_eq!(outcome(&mut rc, 0), (Ok(RowLockOutcome::LockedNewest), b"newest".to_vec()));
    assert_eq!(outcome(&mut rc, 1).0, Ok(RowLockOutcome::Gone));
    let Ok(RowLockOutcome::MovedTo(moved)) = outcome(&mut rc, 2).0 else { panic!("it was moved") };
    assert_eq!(*moved.key, [7]);
    node.abort(rc);
    node.abort(rr);
}

#[test]
fn a_stronger_lock_passes_waiters_and_two_of_them_deadlock() {
    let (node, tree) = seeded(1);
    let (mut a, mut b, mut c) = (node.begin_rc(), node.begin_rc(), node.begin_rc());
    assert_eq!(lock(&node, &mut a, tree, 0, Share, LockWait::Wait), LOCKED);
    assert_eq!(lock(&node, &mut c, tree, 0, Update, LockWait::Wait), None, "waits for the share");
    assert_eq!(lock(&node, &mut a, tree, 0, Update, LockWait::Wait), LOCKED, "passes who waits for it");
    node.abort(a);
    assert_eq!(lock(&node, &mut c, tree, 0, Update, LockWait::Wait), LOCKED);
    node.abort(c);
    let (mut a, mut c) = (node.begin_rc(), node.begin_rc());
    assert_eq!(lock(&node, &mut a, tree, 0, Share, LockWait::Wait), LOCKED);
    assert_eq!(lock(&node, &mut b, tree, 0, Share, LockWait::Wait), LOCKED);
    assert_eq!(lock(&node, &mut c, tree, 0, NoKeyUpdate, LockWait::Wait), None);
    assert_eq!(lock(&node, &mut a, tree, 0, Update, LockWait::Wait), None, "waits for the other share");
    let outcome = lock(&node, &mut b, tree, 0, Update, LockWait::Wait);
    assert_eq!(outcome, Some(Err(EngineError::Deadlock)));
    node.abort(b);
    assert_eq!(lock(&node, &mut a, tree, 0, Update, LockWait::Wait), LOCKED);
    assert_eq!(lock(&node, &mut c, tree, 0, NoKeyUpdate, LockWait::Wait), None);
    node.abort(a);
    assert_eq!(lock(&node, &mut c, tree, 0, NoKeyUpdate, LockWait::Wait), LOCKED);
    node.abort(c);
}

#[test]
fn several_shares_get_their_turn_together() {
    let (node, tree) = seeded(1);
    let (mut a, mut b, mut c) = (node.begin_rc(), node.begin_rc(), node.begin_rc());
    assert_eq!(node.update(&mut a, tree, &[0], b"a"), Ok(true));
    assert_eq!(lock(&node, &mut b, tree, 0, Share, LockWait::Wait), None);
    assert_eq!(lock(&node, &mut c, tree, 0, Share, LockWait::Wait), None);
    node.abort(a);
    assert_eq!(lock(&node, &mut b, tree, 0, Share, LockWait::Wait), LOCKED);
    assert_eq!(lock(&node, &mut c, tree, 0, Share, LockWait::Wait), LOCKED);
    node.abort(b);
    node.abort(c);
}

#[test]
fn locks_taken_since_a_savepoint_fall_or_are_what_they_were() {
    let (node, tree) = seeded(2);
    let (mut a, mut b) = (node.begin_rc(), node.begin_rc());
    assert_eq!(lock(&node, &mut a, tree, 0, Share, LockWait::Wait), LOCKED);
    let mut savepoint = node.engine.savepoint(&a);
    assert_eq!(lock(&node, &mut a, tree, 0, Update, LockWait::Wait), LOCKED);
    assert_eq!(lock(&node, &mut a, tree, 1, Update, LockWait::Wait), LOCKED);
    let skipped = Some(Ok(RowLockOutcome::Skipped));
    assert_eq!(lock(&node, &mut b, tree, 0, Share, LockWait::Skip), skipped);
    node.run(|| node.engine.rollback_to(&mut a, &mut savepoint)).expect("rolls back");
    assert_eq!(lock(&node, &mut b, tree, 0, Share, LockWait::Skip), LOCKED);
    assert_eq!(lock(&node, &mut b, tree, 0, Update, LockWait::Skip), skipped);
    assert_eq!(lock(&node, &mut b, tree, 1, Update, LockWait::Skip), LOCKED);
    node.statement(&mut a);
    node.abort(a);
    assert_eq!(lock(&node, &mut b, tree, 0, Update, LockWait::Skip), LOCKED);
    node.abort(b);
}

#[test]
fn a_unique_check_does_not_wait_for_locks() {
    let (node, tree) = seeded(1);
    let (mut a, mut b) = (node.begin_rc(), node.begin_rc());
    assert_eq!(lock(&node, &mut a, tree, 0, Update, LockWait::Wait), LOCKED);
    let mut row = RowBuffer::new();
    let newest = node.run(|| node.engine.get_newest(&mut b, tree, &[0], None, &mut row));
    assert_eq!(newest, Ok(NewestRow::Found));
    node.abort(a);
    node.abort(b);
}

/// Found by random load beside PostgreSQL: sessions hung until a timeout. The deleter waits behind one who shares, and not yet
/// for the holder of KEY SHARE, which only it conflicts with; the holder then waits for the deleter, and no search ran when the
/// deleter came to the front.
#[test]
fn a_waiter_further_back_is_blocked_by_holders_too() {
    let (node, tree) = seeded(2);
    let (mut holder, mut owner) = (node.begin_rc(), node.begin_rc());
    let (mut sharer, mut deleter) = (node.begin_rc(), node.begin_rc());
    assert_eq!(lock(&node, &mut holder, tree, 0, KeyShare, LockWait::Wait), LOCKED);
    assert_eq!(node.update(&mut owner, tree, &[0], b"owner"), Ok(true));
    assert_eq!(lock(&node, &mut sharer, tree, 0, Share, LockWait::Wait), None);
    assert_eq!(node.update(&mut deleter, tree, &[1], b"deleter"), Ok(true));
    let version = version_of(&node, &mut deleter, tree, &[0]);
    let outcome = node.engine.delete(&mut deleter, tree, &[0], version, None);
    assert!(matches!(outcome, Err(Stop::Need(Need::Lock(_)))), "{outcome:?}");
    let version = version_of(&node, &mut holder, tree, &[1]);
    let outcome = node.engine.update(&mut holder, tree, &[1], version, RowRef::new(1, b"holder"));
    assert_eq!(outcome, Err(Stop::Fail(EngineError::Deadlock)));
    [holder, owner, sharer, deleter].into_iter().for_each(|txn| node.abort(txn));
}
