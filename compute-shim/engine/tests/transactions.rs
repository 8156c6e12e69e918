//! Snapshots, re-checks, rollback, waits, crash: one test a rule.

mod harness;

use harness::{Node, SMALL, Woken, lock_of, need_of, seeded, version_of};
use hexalog_engine::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

#[test]
fn a_snapshot_sees_what_had_committed_when_it_was_taken() {
    let (node, tree) = seeded(3);
    let mut old = node.begin(Isolation::RepeatableRead);
    let mut rc = node.begin_rc();
    let mut writer = node.begin_rc();
    assert_eq!(node.update(&mut writer, tree, &[1], b"changed"), Ok(true));
    assert_eq!(node.delete(&mut writer, tree, &[2]), Ok(true));
    node.insert(&mut writer, tree, &[9], b"new").expect("inserts");
    // Own changes show from the next statement on.
    assert_eq!(node.get(&mut writer, tree, &[1]), Some(vec![1; 8]));
    node.statement(&mut writer);
    assert_eq!(node.get(&mut writer, tree, &[1]), Some(b"changed".to_vec()));
    assert_eq!(node.get(&mut writer, tree, &[2]), None);
    assert_eq!(node.get(&mut rc, tree, &[1]), Some(vec![1; 8]));
    node.commit(writer);
    for txn in [&mut old, &mut rc] {
        assert_eq!(node.get(txn, tree, &[1]), Some(vec![1; 8]));
        assert_eq!(node.get(txn, tree, &[2]), Some(vec![2; 8]));
        assert_eq!(node.get(txn, tree, &[9]), None);
    }
    node.statement(&mut rc);
    node.statement(&mut old);
    assert_eq!(node.get(&mut rc, tree, &[1]), Some(b"changed".to_vec()));
    assert_eq!(node.get(&mut rc, tree, &[2]), None);
    assert_eq!(node.scan(&mut old, tree, Direction::Forward).len(), 3);
    assert_eq!(node.scan(&mut rc, tree, Direction::Backward).len(), 3);
    node.commit(old);
    node.commit(rc);
}

#[test]
fn a_commit_beyond_vdl_is_not_in_a_new_snapshot_and_gates_what_rests_on_it() {
    let (node, tree) = seeded(2);
    node.volume.hold_vdl(true);
    let mut writer = node.begin_rc();
    assert_eq!(node.update(&mut writer, tree, &[0], b"later"), Ok(true));
    let lsn = node.run(|| node.engine.commit(&mut writer)).expect("appends");
    assert!(!node.volume.satisfy(&node.engine, &Need::Durable(lsn)));
    let mut reader = node.begin_rc();
    assert_eq!(node.get(&mut reader, tree, &[0]), Some(vec![0; 8]));
    assert_eq!(reader.dep_lsn().0, 0, "a snapshot read rests on nothing beyond VDL");
    // The row lock fell at the append: the next writer goes on, and depends on the first.
    assert_eq!(node.update(&mut reader, tree, &[0], b"latest"), Ok(true));
    assert_eq!(reader.dep_lsn(), lsn);
    let mut inserter = node.begin_rc();
    let need = lock_of(&node, || node.engine.insert(&mut inserter, tree, &[0], RowRef::new(1, b"x")));
    node.engine.cancel_need(&need);
    let last = node.run(|| node.engine.commit(&mut reader)).expect("appends");
    assert_eq!(node.insert(&mut inserter, tree, &[0], b"x"), Err(EngineError::DuplicateKey));
    assert_eq!(inserter.dep_lsn(), last, "a duplicate-key error rests on the commit it met");
    node.abort(inserter);
    node.volume.hold_vdl(false);
    assert!(node.volume.satisfy(&node.engine, &Need::Durable(last)));
    let mut after = node.begin_rc();
    assert_eq!(node.get(&mut after, tree, &[0]), Some(b"latest".to_vec()));
    node.commit(after);
}

#[test]
fn read_committed_rechecks_and_repeatable_read_fails() {
    let (node, tree) = seeded(4);
    let mut rc = node.begin_rc();
    let mut rr = node.begin(Isolation::RepeatableRead);
    let seen: Vec<RowVersion> = (0..4).map(|k| version_of(&node, &mut rc, tree, &[k])).collect();
    let mut other = node.begin_rc();
    assert_eq!(node.update(&mut other, tree, &[0], b"changed"), Ok(true));
    assert_eq!(node.delete(&mut other, tree, &[1]), Ok(true));
    let moved = node.run(|| node.engine.delete(&mut other, tree, &[2], seen[2], Some(b"there")));
    assert_eq!(moved, Ok(WriteOutcome::Done));
    node.commit(other);
    let row = RowRef::new(1, b"mine");
    for (k, expected) in [(3, WriteOutcome::Done), (1, WriteOutcome::Gone), (0, WriteOutcome::Changed)] {
        let version = seen[usize::from(k)];
        let outcome = node.run(|| node.engine.update(&mut rc, tree, &[k], version, row));
        assert_eq!(outcome, Ok(expected), "row {k}");
    }
    let outcome = node.run(|| node.engine.update(&mut rc, tree, &[2], seen[2], row));
    let Ok(WriteOutcome::MovedTo(moved)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(*moved.key, *b"there");
    for k in 0..3u8 {
        let version = seen[usize::from(k)];
        let outcome = node.run(|| node.engine.update(&mut rr, tree, &[k], version, row));
        let expected = if k == 1 { EngineError::DeletedSince } else { EngineError::SerializationFailure };
        assert_eq!(outcome, Err(expected), "row {k}");
    }
    let mut buffer = RowBuffer::new();
    let newest = node.run(|| node.engine.get_newest(&mut rc, tree, &[0], None, &mut buffer));
    assert_eq!((newest, buffer.body.as_slice()), (Ok(NewestRow::Found), &b"changed"[..]));
    let known = Some(seen[2].into());
    let newest = node.run(|| node.engine.get_newest(&mut rc, tree, &[2], known, &mut buffer));
    assert_eq!(newest, Ok(NewestRow::MovedTo(moved)));
    let outcome = node.run(|| node.engine.update(&mut rc, tree, &[3], seen[3], row));
    assert_eq!(outcome, Ok(WriteOutcome::AlreadyWritten), "twice in one statement");
    node.abort(rr);
    node.abort(rc);
}

/// Changes a row's key, as an UPDATE does.
fn change_key(node: &Node, txn: &mut Transaction, tree: TreeId, from: u8, to: u8) {
    node.statement(txn);
    let mut row = RowBuffer::new();
    assert_eq!(node.run(|| node.engine.get(txn, tree, &[from], &mut row)), Ok(true));
    let outcome = node.run(|| node.engine.delete(txn, tree, &[from], row.version, Some(&[to])));
    assert_eq!(outcome, Ok(WriteOutcome::Done));
    node.insert(txn, tree, &[to], &row.body).expect("the new key is free");
}

/// A waiter once took whichever row had the key by then for the successor of the one that it had seen: an UPDATE changed a
/// row that it had never matched, and a foreign key's check overlooked one that had moved away. PostgreSQL follows the row.
#[test]
fn a_row_is_followed_and_not_its_key() {
    let (node, tree) = seeded(6);
    let mut reader = node.begin_rc();
    let seen: Vec<RowVersion> = (0..6).map(|k| version_of(&node, &mut reader, tree, &[k])).collect();
    let mut other = node.begin_rc();
    assert_eq!(node.delete(&mut other, tree, &[0]), Ok(true));
    node.insert(&mut other, tree, &[0], b"another").expect("the key is free");
    change_key(&node, &mut other, tree, 1, 9);
    node.insert(&mut other, tree, &[1], b"another").expect("the key is free");
    for (from, to) in [(2, 8), (3, 2), (8, 3), (4, 7), (7, 4)] {
        change_key(&node, &mut other, tree, from, to);
    }
    node.commit(other);
    let mut third = node.begin_rc();
    assert_eq!(node.delete(&mut third, tree, &[9]), Ok(true));
    node.insert(&mut third, tree, &[9], b"another").expect("the key is free");
    assert_eq!(node.update(&mut third, tree, &[4], b"changed"), Ok(true));
    node.commit(third);
    // (row, keys that it is followed to, what it is at the last)
    for (row, path, last) in [
        (0u8, &[][..], None),
        (1, &[9], None),
        (2, &[8, 3], Some(&[2; 8][..])),
        (3, &[2], Some(&[3; 8])),
        (4, &[7, 4], Some(b"changed")),
        (5, &[], Some(&[5; 8])),
    ] {
        let (mut key, mut known) = (vec![row], Known::Seen(seen[usize::from(row)]));
        let (mut followed, mut buffer) = (Vec::new(), RowBuffer::new());
        let found = loop {
            let step = node.run(|| node.engine.get_newest(&mut reader, tree, &key, Some(known), &mut buffer));
            match step.expect("reads") {
                NewestRow::Found => break Some(buffer.body.clone()),
                NewestRow::Gone => break None,
                NewestRow::MovedTo(moved) => {
                    assert!(followed.len() < 3, "row {row} goes round");
                    followed.push(moved.key[0]);
                    (key, known) = (moved.key.into_vec(), Known::Moved(moved.mark));
                }
            }
        };
        assert_eq!((followed.as_slice(), found.as_deref()), (path, last), "row {row}");
        let version = seen[usize::from(row)];
        let outcome =
            node.run(|| node.engine.update(&mut reader, tree, &[row], version, RowRef::new(1, b"mine")));
        match (outcome.expect("no error"), path.first()) {
            (WriteOutcome::Gone, None) => assert_eq!(row, 0),
            (WriteOutcome::Done, None) => assert_eq!(row, 5),
            (WriteOutcome::MovedTo(moved), Some(key)) => assert_eq!(*moved.key, [*key]),
            (other, _) => panic!("row {row}: {other:?}"),
        }
    }
    let mut newest = RowBuffer::new();
    let any = node.run(|| node.engine.get_newest(&mut reader, tree, &[0], None, &mut newest));
    assert_eq!((any, newest.body.as_slice()), (Ok(NewestRow::Found), &b"another"[..]), "whoever has the key");
    node.abort(reader);
}

#[test]
fn waiters_of_a_row_get_it_in_the_order_they_came() {
    let (node, tree) = seeded(1);
    let mut owner = node.begin_rc();
    assert_eq!(node.update(&mut owner, tree, &[0], b"00000001"), Ok(true));
    let mut waiters: Vec<Transaction> = (0..3).map(|_| node.begin_rc()).collect();
    let seen: Vec<RowVersion> = waiters.iter_mut().map(|w| version_of(&node, w, tree, &[0])).collect();
    let woken: Vec<Arc<Woken>> = (0..3).map(|_| Arc::new(Woken::default())).collect();
    let row = RowRef::new(1, b"00000002");
    let mut needs = Vec::new();
    for (at, waiter) in waiters.iter_mut().enumerate() {
        let need = lock_of(&node, || node.engine.update(waiter, tree, &[0], seen[at], row));
        assert!(!node.engine.poll_need(&need, &Waker::from(woken[at].clone())));
        needs.push(need);
    }
    node.commit(owner);
    let wakes = || -> Vec<u32> { woken.iter().map(|w| w.0.load(Ordering::SeqCst)).collect() };
    assert_eq!(wakes(), [1, 0, 0], "the turn is handed to the first alone");
    // A newcomer may not pass those who wait, though the row is free.
    let mut late = node.begin_rc();
    let version = version_of(&node, &mut late, tree, &[0]);
    let late_need = lock_of(&node, || node.engine.update(&mut late, tree, &[0], version, row));
    node.engine.cancel_need(&late_need);
    node.abort(late);
    // The first sees another version, re-reads, and writes: its turn lasts until then.
    let first = &mut waiters[0];
    let outcome = node.run(|| node.engine.update(first, tree, &[0], seen[0], row));
    assert_eq!(outcome, Ok(WriteOutcome::Changed));
    assert_eq!(wakes(), [1, 0, 0]);
    let mut buffer = RowBuffer::new();
    assert_eq!(
        node.run(|| node.engine.get_newest(first, tree, &[0], None, &mut buffer)),
        Ok(NewestRow::Found)
    );
    assert_eq!(buffer.body, b"00000001");
    let outcome = node.run(|| node.engine.update(first, tree, &[0], buffer.version, row));
    assert_eq!(outcome, Ok(WriteOutcome::Done));
    // The second gives up; the third is next when the first ends.
    node.engine.cancel_need(&needs[1]);
    let third = waiters.pop().expect("three");
    node.abort(waiters.pop().expect("two"));
    node.abort(waiters.pop().expect("one"));
    assert_eq!(wakes(), [1, 0, 1]);
    let mut third = third;
    let outcome = node.run(|| node.engine.update(&mut third, tree, &[0], seen[2], row));
    assert_eq!(outcome, Ok(WriteOutcome::Changed));
    node.abort(third);
    assert_eq!(node.engine.stats().lock_waits, 4);
}

#[test]
fn the_wait_that_closes_a_cycle_fails() {
    let (node, tree) = seeded(3);
    let mut txns: Vec<Transaction> = (0..3).map(|_| node.begin_rc()).collect();
    for k in 0..3u8 {
        assert_eq!(node.update(&mut txns[usize::from(k)], tree, &[k], &[9; 8]), Ok(true));
    }
    let mut wait_on = |who: usize, key: u8| {
        let txn = &mut txns[who];
        let mut buffer = RowBuffer::new();
        loop {
            match node.engine.get_newest(txn, tree, &[key], None, &mut buffer) {
                Err(Stop::Need(need @ Need::Page { .. })) => {
                    assert!(node.volume.satisfy(&node.engine, &need))
                }
                other => return other,
            }
        }
    };
    assert!(matches!(wait_on(0, 1), Err(Stop::Need(Need::Lock(_)))));
    assert!(matches!(wait_on(1, 2), Err(Stop::Need(Need::Lock(_)))));
    assert_eq!(wait_on(2, 0), Err(Stop::Fail(EngineError::Deadlock)));
    // The victim aborts; the others go on.
    let victim = txns.pop().expect("three");
    node.abort(victim);
    let mut second = txns.pop().expect("two");
    let mut buffer = RowBuffer::new();
    let newest = node.run(|| node.engine.get_newest(&mut second, tree, &[2], None, &mut buffer));
    assert_eq!((newest, buffer.body.as_slice()), (Ok(NewestRow::Found), &[2; 8][..]));
    node.commit(second);
    let mut first = txns.pop().expect("one");
    let newest = node.run(|| node.engine.get_newest(&mut first, tree, &[1], None, &mut buffer));
    assert_eq!((newest, buffer.body.as_slice()), (Ok(NewestRow::Found), &[9; 8][..]));
    node.commit(first);
    assert_eq!(node.engine.stats().deadlocks, 1);
}

#[test]
fn relation_locks_follow_the_conflict_table_and_deadlock_over_rows_too() {
    let (node, tree) = seeded(1);
    let mut reader = node.begin_rc();
    let mut writer = node.begin_rc();
    let mut ddl = node.begin_rc();
    let lock = |txn: &mut Transaction, mode| node.engine.lock_relation(txn, 77, mode);
    lock(&mut reader, RelationLockMode::AccessShare).expect("shared");
    lock(&mut writer, RelationLockMode::RowExclusive).expect("shared");
    let need = need_of(lock(&mut ddl, RelationLockMode::AccessExclusive));
    // A newcomer queues behind the exclusive request; a holder may add a mode.
    let mut late = node.begin_rc();
    let late_need = need_of(lock(&mut late, RelationLockMode::AccessShare));
    lock(&mut reader, RelationLockMode::RowShare).expect("a holder passes the queue");
    assert_eq!(node.update(&mut writer, tree, &[0], b"xxxxxxxx"), Ok(true));
    // ddl waits for writer; writer waiting for ddl's row would close the cycle.
    let mut other = node.begin_rc();
    lock(&mut other, RelationLockMode::RowExclusive).expect_err("behind ddl");
    node.abort(other);
    assert!(!node.engine.poll_need(&need, Waker::noop()));
    node.commit(reader);
    assert!(!node.engine.poll_need(&need, Waker::noop()));
    node.commit(writer);
    assert!(node.engine.poll_need(&need, Waker::noop()));
    lock(&mut ddl, RelationLockMode::AccessExclusive).expect("granted");
    assert!(!node.engine.poll_need(&late_need, Waker::noop()));
    node.abort(ddl);
    assert!(node.engine.poll_need(&late_need, Waker::noop()));
    lock(&mut late, RelationLockMode::AccessShare).expect("granted");
    node.commit(late);
    let (mut a, mut b) = (node.begin_rc(), node.begin_rc());
    lock(&mut a, RelationLockMode::Share).expect("free");
    assert_eq!(node.update(&mut b, tree, &[0], b"yyyyyyyy"), Ok(true));
    let mut buffer = RowBuffer::new();
    lock_of(&node, || node.engine.get_newest(&mut a, tree, &[0], None, &mut buffer));
    assert_eq!(lock(&mut b, RelationLockMode::Exclusive), Err(Stop::Fail(EngineError::Deadlock)));
    node.abort(b);
    node.abort(a);
}

#[test]
fn a_transaction_without_a_free_stream_waits_for_one() {
    let options = Options { undo_streams: 2, ..SMALL };
    let node = Node::create(options);
    let tree = node.create_tree();
    let (mut a, mut b, mut c) = (node.begin_rc(), node.begin_rc(), node.begin_rc());
    node.insert(&mut a, tree, b"a", b"").expect("inserts");
    node.insert(&mut b, tree, b"b", b"").expect("inserts");
    let row = RowRef::new(0, b"");
    let need = lock_of(&node, || node.engine.insert(&mut c, tree, b"c", row));
    assert!(matches!(need, Need::Stream(_)));
    // Both owners waiting for the third would leave nobody to end: the second of those waits fails.
    node.engine.lock_relation(&mut c, 5, RelationLockMode::Exclusive).expect("free");
    let need = lock_of(&node, || node.engine.insert(&mut c, tree, b"c", row));
    need_of(node.engine.lock_relation(&mut a, 5, RelationLockMode::Exclusive));
    let second = node.engine.lock_relation(&mut b, 5, RelationLockMode::Exclusive);
    assert_eq!(second, Err(Stop::Fail(EngineError::Deadlock)));
    node.abort(b);
    assert!(node.engine.poll_need(&need, Waker::noop()), "a stream came free");
    node.insert(&mut c, tree, b"c", b"").expect("inserts");
    node.commit(c);
    node.run(|| node.engine.lock_relation(&mut a, 5, RelationLockMode::Exclusive)).expect("granted");
    node.commit(a);
    let mut txn = node.begin_rc();
    assert_eq!(node.scan(&mut txn, tree, Direction::Forward).len(), 2);
    node.commit(txn);
}

#[test]
fn an_abort_restores_every_row_small_or_large() {
    for rows in [10u16, 900] {
        let node = Node::create(SMALL);
        let tree = node.create_tree();
        let mut txn = node.begin_rc();
        for k in 0..rows {
            node.insert(&mut txn, tree, &k.to_be_bytes(), &[1; 40]).expect("inserts");
        }
        node.commit(txn);
        let mut txn = node.begin_rc();
        let before = node.scan(&mut txn, tree, Direction::Forward);
        for k in 0..rows {
            node.statement(&mut txn);
            let key = k.to_be_bytes();
            match k % 3 {
                0 => assert_eq!(node.update(&mut txn, tree, &key, &[2; 90]), Ok(true)),
                1 => assert_eq!(node.delete(&mut txn, tree, &key), Ok(true)),
                _ => {
                    assert_eq!(node.update(&mut txn, tree, &key, b"x"), Ok(true));
                    node.insert(&mut txn, tree, &[&key[..], b"new"].concat(), &[3; 300]).expect("inserts");
                }
            }
        }
        node.abort(txn);
        // Before the background has done anything: readers see the old rows, a writer meets and undoes.
        let mut txn = node.begin_rc();
        assert_eq!(node.scan(&mut txn, tree, Direction::Forward), before);
        assert_eq!(node.update(&mut txn, tree, &0u16.to_be_bytes(), b"mine"), Ok(true));
        node.commit(txn);
        node.settle();
        assert_eq!(node.engine.stats().transactions_to_undo, 0);
        assert_eq!(node.engine.stats().undo_streams_open, 0);
        let mut txn = node.begin_rc();
        let after = node.scan(&mut txn, tree, Direction::Forward);
        assert_eq!(after[1..], before[1..]);
        assert_eq!(after[0].1, b"mine");
        node.commit(txn);
        node.check(tree);
        node.volume.assert_cache_equals_log(&node.engine);
    }
}

#[test]
fn a_crash_keeps_the_acknowledged_and_losers_rows_can_be_used_at_once() {
    let (node, tree) = seeded(4);
    let mut loser = node.begin_rc();
    assert_eq!(node.update(&mut loser, tree, &[0], b"lost----"), Ok(true));
    assert_eq!(node.delete(&mut loser, tree, &[1]), Ok(true));
    node.insert(&mut loser, tree, &[8], b"lost").expect("inserts");
    node.make_durable();
    node.volume.hold_vdl(true);
    let mut late = node.begin_rc();
    assert_eq!(node.update(&mut late, tree, &[3], b"unacknowledged"), Ok(true));
    node.run(|| node.engine.commit(&mut late)).expect("appends");
    let node = node.crash();
    assert_eq!(node.engine.stats().transactions_to_undo, 1);
    let mut reader = node.begin_rc();
    for k in 0..4u8 {
        assert_eq!(node.get(&mut reader, tree, &[k]), Some(vec![k; 8]), "row {k}");
    }
    assert_eq!(node.get(&mut reader, tree, &[8]), None);
    let mut writer = node.begin_rc();
    assert_eq!(node.update(&mut writer, tree, &[0], b"anew"), Ok(true));
    assert_eq!(node.update(&mut writer, tree, &[1], b"anew"), Ok(true));
    node.insert(&mut writer, tree, &[8], b"anew").expect("inserts");
    node.commit(writer);
    assert_eq!(node.engine.stats().rows_undone, 3);
    node.settle();
    assert_eq!(node.engine.stats().rows_undone, 3, "nothing is undone twice");
    assert_eq!(node.engine.stats().transactions_to_undo, 0);
    node.statement(&mut reader);
    assert_eq!(node.get(&mut reader, tree, &[8]), Some(b"anew".to_vec()));
    node.commit(reader);
    node.check(tree);
    node.make_durable();
    let node = node.crash();
    assert_eq!(node.engine.stats().transactions_to_undo, 0);
    let mut reader = node.begin_rc();
    assert_eq!(node.get(&mut reader, tree, &[0]), Some(b"anew".to_vec()));
    node.commit(reader);
}

#[test]
fn a_single_statement_commits_in_its_own_mini_transaction() {
    let (node, tree) = seeded(1);
    node.volume.take_redo_counts();
    let before = node.engine.stats().mini_transactions;
    let mut txn = node.begin_rc();
    txn.set_commit_with_next_write(true);
    assert_eq!(node.update(&mut txn, tree, &[0], b"fused-it"), Ok(true));
    assert_eq!(node.engine.stats().mini_transactions, before + 1);
    node.commit(txn);
    assert_eq!(node.engine.stats().mini_transactions, before + 1);
    assert_eq!(node.volume.take_redo_counts().records, 2);
    let node = node.crash();
    let mut txn = node.begin_rc();
    assert_eq!(node.get(&mut txn, tree, &[0]), Some(b"fused-it".to_vec()));
    node.commit(txn);
}

#[test]
fn a_deleted_key_comes_back_linked_to_its_old_version() {
    let (node, tree) = seeded(1);
    let mut old = node.begin(Isolation::RepeatableRead);
    let mut txn = node.begin_rc();
    assert_eq!(node.delete(&mut txn, tree, &[0]), Ok(true));
    node.insert(&mut txn, tree, &[0], b"again").expect("over the mark");
    assert_eq!(node.insert(&mut txn, tree, &[0], b"twice"), Err(EngineError::DuplicateKey));
    node.commit(txn);
    assert_eq!(node.get(&mut old, tree, &[0]), Some(vec![0; 8]));
    node.commit(old);
    let mut new = node.begin_rc();
    assert_eq!(node.get(&mut new, tree, &[0]), Some(b"again".to_vec()));
    node.commit(new);
    assert_eq!(node.check(tree).cells, 1);
}

#[test]
fn a_read_only_transaction_refuses_to_write_and_a_fenced_engine_everything() {
    let (node, tree) = seeded(1);
    let mut txn = node.engine.begin(Isolation::ReadCommitted, true);
    node.statement(&mut txn);
    assert_eq!(node.insert(&mut txn, tree, b"k", b""), Err(EngineError::ReadOnly));
    node.commit(txn);
    let mut txn = node.begin_rc();
    node.insert(&mut txn, tree, b"k", b"").expect("inserts");
    node.engine.fenced();
    assert_eq!(node.engine.commit(&mut txn), Err(Stop::Fail(EngineError::Fenced)));
    node.abort(txn);
}

/// An insert that found a rival afterwards is taken back: nobody sees it, the key is free, and neither commit nor abort
/// stumble over its undo record.
#[test]
fn a_statement_takes_its_insert_back() {
    for commits in [true, false] {
        let (node, tree) = seeded(2);
        let mut txn = node.begin_rc();
        assert_eq!(node.delete(&mut txn, tree, &[1]), Ok(true));
        node.run(|| node.engine.begin_statement(&mut txn)).expect("a new command");
        node.insert(&mut txn, tree, &[7], b"fresh").expect("inserts");
        node.insert(&mut txn, tree, &[1], b"over a mark").expect("inserts");
        for key in [[7], [1], [7]] {
            node.run(|| node.engine.retract(&mut txn, tree, &key)).expect("takes back, or has");
        }
        // A row of somebody else, and one of an earlier command, stay.
        node.run(|| node.engine.retract(&mut txn, tree, &[0])).expect("does nothing");
        node.run(|| node.engine.begin_statement(&mut txn)).expect("a new command");
        let mut row = RowBuffer::new();
        for (key, there) in [([0], true), ([1], false), ([7], false)] {
            let found = node.run(|| node.engine.get(&mut txn, tree, &key, &mut row)).expect("reads");
            assert_eq!(found, there, "{key:?}");
        }
        node.insert(&mut txn, tree, &[7], b"again").expect("the key is free");
        if commits {
            node.commit(txn);
        } else {
            node.run(|| node.engine.abort(&mut txn)).expect("aborts");
        }
        let mut reader = node.begin_rc();
        for (key, there) in [([0], true), ([1], !commits), ([7], commits)] {
            let found = node.run(|| node.engine.get(&mut reader, tree, &key, &mut row)).expect("reads");
            assert_eq!(found, there, "{key:?}, commits: {commits}");
        }
        node.commit(reader);
    }
}

/// A transaction took a unique key that another had given up and committed, not yet durable. Its next statement read at
/// VDL, below that commit, and saw the key twice.
#[test]
fn a_statement_sees_what_its_transaction_has_written_over() {
    let node = Node::create(SMALL);
    let tree = node.create_tree();
    let mut first = node.begin_rc();
    for key in [b"a", b"b"] {
        node.insert(&mut first, tree, key, b"old").expect("inserts");
    }
    node.commit(first);
    node.make_durable();
    node.volume.hold_vdl(true);
    let mut second = node.begin_rc();
    for key in [b"a", b"b"] {
        assert_eq!(node.update(&mut second, tree, key, b"new"), Ok(true));
    }
    let committed = node.run(|| node.engine.commit(&mut second)).expect("commits");
    let mut third = node.begin_rc();
    assert_eq!(node.get(&mut third, tree, b"b"), Some(b"old".to_vec()), "nothing beyond VDL is read");
    assert_eq!(node.update(&mut third, tree, b"a", b"newer"), Ok(true));
    assert_eq!(third.dep_lsn(), committed);
    node.statement(&mut third);
    assert_eq!(node.get(&mut third, tree, b"b"), Some(b"new".to_vec()), "the same commit, as a whole");
    assert_eq!(third.dep_lsn(), committed, "it is told when that is durable");
    node.volume.hold_vdl(false);
    node.make_durable();
    node.abort(third);
}

/// An opening after a crash reads the head page of each undo stream: one after the other, that is a trip to storage for each.
/// A volume of a benchmark could not be opened any more: "no header of the transaction that its stream ends with". A transaction of
/// many undo pages was the last of its stream; purge had passed it and given back the page of its header, which another used.
#[test]
fn a_volume_opens_though_the_header_of_a_streams_last_transaction_is_gone() {
    let node = Node::create(SMALL);
    let tree = node.create_tree();
    let mut txn = node.begin_rc();
    for key in 0..64u8 {
        node.insert(&mut txn, tree, &[key], &[1; 100]).expect("inserts");
    }
    node.commit(txn);
    // Some sixty undo pages of one transaction, in a stream that nobody takes next: the other one's is given back after it.
    let (mut large, mut other) = (node.begin_rc(), node.begin_rc());
    for round in 0..12u8 {
        node.statement(&mut large);
        for key in 0..64u8 {
            assert_eq!(node.update(&mut large, tree, &[key], &[round; 700]), Ok(true));
        }
    }
    node.insert(&mut other, tree, &[200], &[1]).expect("inserts");
    node.commit(large);
    node.commit(other);
    let undo_pages = node.engine.stats().undo_pages;
    while node.run(|| node.engine.background(Budget::default())).expect("purges") {}
    let given_back = undo_pages - node.engine.stats().undo_pages;
    assert!(given_back > 20, "{given_back} of {undo_pages} undo pages were given back");
    for _ in 0..given_back {
        node.create_tree();
    }
    let node = node.crash();
    let mut txn = node.begin_rc();
    assert_eq!(node.get(&mut txn, tree, &[63]).as_deref(), Some(&[11; 700][..]));
    node.commit(txn);
}

#[test]
fn an_opening_asks_for_the_streams_heads_together() {
    const STREAMS: u16 = 32;
    let options = Options { frames: 512, undo_streams: STREAMS, snapshots: 64 };
    let node = Node::create(options);
    let tree = node.create_tree();
    let mut running: Vec<Transaction> = (0..STREAMS).map(|_| node.begin_rc()).collect();
    for (number, txn) in running.iter_mut().enumerate() {
        node.insert(txn, tree, &(number as u16).to_be_bytes(), b"row").expect("inserts");
    }
    running.into_iter().for_each(|txn| node.commit(txn));
    let volume = node.volume.crash_and_reopen();
    let engine = Engine::new(volume.clone(), options);
    let mut trips = 0;
    loop {
        match engine.open() {
            Ok(()) => break,
            Err(Stop::Need(need)) => {
                while !engine.poll_need(&need, Waker::noop()) {
                    trips += u32::from(volume.pump(&engine));
                }
            }
            Err(Stop::Fail(error)) => panic!("{error}"),
        }
    }
    assert!(trips < 12, "{trips} trips for {STREAMS} streams");
}

#[test]
fn what_nobody_waits_for_is_durable_once_it_is_sealed() {
    let (node, tree) = harness::seeded(1);
    let mut txn = node.begin_rc();
    node.insert(&mut txn, tree, b"unsealed", b"row").expect("inserts");
    let appended = node.engine.appended();
    node.volume.pump(&node.engine);
    assert!(node.volume.vdl() < appended, "nobody waits for it");
    node.engine.seal_appended();
    node.volume.pump(&node.engine);
    assert_eq!(node.volume.vdl(), appended);
    node.abort(txn);
}
