//! A scan that is given the rows of a leaf together sees what one sees that is given row by row, whatever becomes of the pages
//! between two calls: no row is lost, none comes twice.

mod harness;

use harness::{Node, Random, SMALL};
use hexalog_engine::*;
use std::ops::Bound;

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

fn key(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

/// A tree with a row for every tenth number.
fn tree_of(node: &Node, rows: u32) -> TreeId {
    let tree = node.create_tree();
    let mut txn = node.begin_rc();
    (0..rows).for_each(|number| node.insert(&mut txn, tree, &key(number * 10), &[1; 100]).expect("inserts"));
    node.commit(txn);
    node.settle();
    tree
}

/// A scan by leaves; `between` runs between its calls. Gives the rows and the number of calls.
fn scan(
    node: &Node,
    txn: &mut Transaction,
    cursor: &mut Cursor,
    mut between: impl FnMut(&mut Transaction),
) -> (Rows, usize) {
    let (mut leaf, mut row, mut seen) = (LeafRows::default(), RowBuffer::new(), Rows::new());
    for calls in 1.. {
        let found = node.run(|| node.engine.cursor_rows(txn, cursor, &mut leaf, &mut row)).expect("scans");
        // What was given stays what it is while pages change.
        between(txn);
        match found {
            Found::End => return (seen, calls),
            Found::Row => {
                assert!(leaf.is_empty());
                seen.push((row.key.clone(), row.body.clone()));
            }
            Found::Rows => {
                assert!(leaf.len() > 1);
                for at in 0..leaf.len() {
                    let given = leaf.row(at);
                    assert_eq!((given.columns, given.body), leaf.columns_and_body(at));
                    seen.push((given.key.to_vec(), given.body.to_vec()));
                }
            }
        }
    }
    unreachable!("a range has an end")
}

fn whole(tree: TreeId, direction: Direction) -> Cursor {
    Cursor::new(tree, Bound::Unbounded, Bound::Unbounded, direction)
}

const BOTH: [Direction; 2] = [Direction::Forward, Direction::Backward];

#[test]
fn a_leaf_takes_one_call() {
    let node = Node::create(SMALL);
    let tree = tree_of(&node, 600);
    let report = node.check(tree);
    assert_eq!(report.height, 2);
    let leaves = report.pages as usize - 1;
    for direction in BOTH {
        let mut txn = node.begin_rc();
        let (seen, calls) = scan(&node, &mut txn, &mut whole(tree, direction), |_| {});
        assert_eq!(seen, node.scan(&mut txn, tree, direction));
        assert_eq!((seen.len(), calls), (600, leaves + 1));
        node.commit(txn);
    }
}

#[test]
fn ranges_end_where_they_should() {
    let node = Node::create(SMALL);
    let tree = tree_of(&node, 300);
    let mut random = Random::new(5);
    let mut txn = node.begin_rc();
    for _ in 0..200 {
        let (a, b) = (random.below(3_100) as u32, random.below(3_100) as u32);
        let (low, high) = (key(a.min(b)), key(a.max(b)));
        let mut bound = |key| match random.below(3) {
            0 => Bound::Included(key),
            1 => Bound::Excluded(key),
            _ => Bound::Unbounded,
        };
        let (lower, upper) = (bound(&low[..]), bound(&high[..]));
        for direction in BOTH {
            let (seen, _) = scan(&node, &mut txn, &mut Cursor::new(tree, lower, upper, direction), |_| {});
            assert!(seen == node.scan_between(&mut txn, tree, lower, upper, direction));
        }
    }
    node.commit(txn);
}

/// Splits, updates that grow rows, and deletions, before, behind and in the leaf that was given last; committed ones, so that the
/// scan's snapshot needs undo for what it has not come to yet.
#[test]
fn a_scan_sees_its_snapshot_while_pages_change_between_its_calls() {
    for (direction, rows) in BOTH.into_iter().flat_map(|direction| [(direction, 30), (direction, 3_000)]) {
        let node = Node::create(SMALL);
        let tree = tree_of(&node, rows);
        let mut reader = node.begin(Isolation::RepeatableRead);
        let mut random = Random::new(u64::from(rows));
        let (seen, _) = scan(&node, &mut reader, &mut whole(tree, direction), |_| {
            let mut writer = node.begin_rc();
            for _ in 0..6 {
                let number = random.below(rows as usize) as u32 * 10;
                match random.below(3) {
                    0 => drop(node.insert(&mut writer, tree, &key(number + 1), &[2; 100])),
                    1 => drop(node.update(&mut writer, tree, &key(number), &[3; 150])),
                    _ => drop(node.delete(&mut writer, tree, &key(number))),
                }
                node.statement(&mut writer);
            }
            node.commit(writer);
            node.make_durable();
        });
        let mut expected: Rows = (0..rows).map(|number| (key(number * 10).to_vec(), vec![1; 100])).collect();
        if direction == Direction::Backward {
            expected.reverse();
        }
        assert!(seen == expected, "{} rows of {rows}", seen.len());
        node.commit(reader);
        node.check(tree);
    }
}

/// An UPDATE must not meet the rows that it has written, wherever it has put them, and its transaction sees all that it wrote before.
#[test]
fn a_statement_sees_what_its_transaction_wrote_before_it_and_nothing_that_it_writes_itself() {
    for direction in BOTH {
        let node = Node::create(SMALL);
        let tree = tree_of(&node, 1_000);
        let mut txn = node.begin_rc();
        for number in (0..10_000).step_by(70) {
            assert_eq!(node.update(&mut txn, tree, &key(number), &[5; 120]), Ok(true));
            node.insert(&mut txn, tree, &key(number + 5), &[6; 40]).expect("a new key");
        }
        node.statement(&mut txn);
        let before = node.scan(&mut txn, tree, direction);
        let mut next = 0u32;
        let (seen, _) = scan(&node, &mut txn, &mut whole(tree, direction), |txn| {
            for number in next..next + 9 {
                let place = number * 7 % 1_000 * 10;
                // None of these begins a statement: all are the scan's own.
                drop(node.insert(txn, tree, &key(place + 2), &[7; 90]));
                drop(node.delete(txn, tree, &key(place)));
            }
            next += 9;
        });
        assert!(seen == before, "{} rows of {}", seen.len(), before.len());
        node.statement(&mut txn);
        let (seen, _) = scan(&node, &mut txn, &mut whole(tree, direction), |_| {});
        assert!(seen == node.scan(&mut txn, tree, direction) && seen != before);
        node.abort(txn);
    }
}

/// A transaction in progress, one that is aborted and one that commits while the scan is under way: none is seen.
#[test]
fn what_others_have_in_hand_is_not_seen_whatever_becomes_of_it() {
    for (direction, commits) in BOTH.into_iter().flat_map(|direction| [(direction, false), (direction, true)])
    {
        let node = Node::create(SMALL);
        let tree = tree_of(&node, 1_000);
        let mut writer = Some(node.begin_rc());
        for number in (0..1_000).filter(|number| number % 13 < 2) {
            let writer = writer.as_mut().expect("under way");
            assert_eq!(node.update(writer, tree, &key(number * 10), &[4; 100]), Ok(true));
        }
        let mut reader = node.begin_rc();
        let mut calls = 0;
        let (seen, _) = scan(&node, &mut reader, &mut whole(tree, direction), |_| {
            calls += 1;
            if calls == 20 {
                let writer = writer.take().expect("ends once");
                if commits {
                    node.commit(writer)
                } else {
                    node.abort(writer)
                }
                node.make_durable();
            }
        });
        assert!(calls > 40, "{calls}");
        assert!(seen.len() == 1_000 && seen.iter().all(|(_, body)| *body == [1; 100]));
        node.commit(reader);
    }
}

/// Dead rows of a whole tree are stepped over, and other work has its turn meanwhile.
#[test]
fn rows_that_are_gone_make_no_end() {
    let node = Node::create(Options { frames: 512, ..SMALL });
    let tree = tree_of(&node, 3_000);
    let mut old = node.begin(Isolation::RepeatableRead);
    let mut txn = node.begin_rc();
    (1..2_999).for_each(|number| drop(node.delete(&mut txn, tree, &key(number * 10))));
    node.commit(txn);
    node.make_durable();
    let mut txn = node.begin_rc();
    let (mut cursor, mut leaf, mut row) =
        (whole(tree, Direction::Forward), LeafRows::default(), RowBuffer::new());
    let (mut seen, mut yields) = (0, 0);
    loop {
        match node.engine.cursor_rows(&mut txn, &mut cursor, &mut leaf, &mut row) {
            Ok(Found::End) => break,
            Ok(Found::Row) => seen += 1,
            Ok(Found::Rows) => seen += leaf.len(),
            Err(Stop::Need(need)) => {
                yields += u32::from(need == Need::Yield);
                assert!(node.volume.satisfy(&node.engine, &need));
            }
            Err(Stop::Fail(error)) => panic!("{error}"),
        }
    }
    assert_eq!(seen, 2);
    assert!((1..=3).contains(&yields), "{yields}");
    assert_eq!(node.scan(&mut old, tree, Direction::Forward).len(), 3_000);
    node.commit(txn);
    node.commit(old);
}

/// Found by reading. A leaf without a row to see was copied, and the rows of the next one were read from that copy.
#[test]
fn rows_are_read_from_their_own_leaf() {
    for direction in BOTH {
        let node = Node::create(Options { frames: 512, ..SMALL });
        let tree = tree_of(&node, 1_000);
        let mut old = node.begin(Isolation::RepeatableRead);
        let mut txn = node.begin_rc();
        (100..900).for_each(|number| drop(node.delete(&mut txn, tree, &key(number * 10))));
        node.commit(txn);
        node.make_durable();
        let mut reader = node.begin_rc();
        assert_eq!(node.scan(&mut reader, tree, direction).len(), 200);
        // Both leaves beside the gap are known in part only, and of that part several rows are to be seen.
        let mut writer = node.begin_rc();
        for number in [50, 90, 910, 950] {
            node.insert(&mut writer, tree, &key(number * 10 + 5), &[8; 10]).expect("a new key");
        }
        let (seen, _) = scan(&node, &mut reader, &mut whole(tree, direction), |_| {});
        assert!(seen == node.scan(&mut reader, tree, direction), "{} rows", seen.len());
        assert_eq!(node.scan(&mut old, tree, direction).len(), 1_000);
        node.abort(writer);
        node.commit(reader);
        node.commit(old);
    }
}
