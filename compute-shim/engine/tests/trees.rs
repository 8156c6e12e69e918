//! Trees: order, splits, scans in both directions, on a cache far smaller than the tree.

mod harness;

use harness::{Node, Random, SMALL};
use hexalog_engine::*;
use std::collections::BTreeMap;
use std::ops::Bound;

fn fill(node: &Node, tree: TreeId, keys: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) {
    let mut txn = node.begin_rc();
    for (key, body) in keys {
        node.insert(&mut txn, tree, &key, &body).expect("inserts");
    }
    node.commit(txn);
}

#[test]
fn ascending_inserts_fill_pages() {
    let node = Node::create(SMALL);
    let tree = node.create_tree();
    fill(&node, tree, (0u64..5000).map(|k| (k.to_be_bytes().to_vec(), vec![1; 60])));
    let report = node.check(tree);
    assert_eq!(report.cells, 5000);
    // 90 bytes a row: 89 rows a page when pages are left full.
    assert!(report.pages <= 5000 / 85 + 3, "{report:?}");
    assert!(report.height >= 2);
    node.volume.assert_cache_equals_log(&node.engine);
}

#[test]
fn random_keys_of_random_sizes_stay_in_order_and_scan_both_ways() {
    for seed in 1..4 {
        let mut random = Random::new(seed);
        let node = Node::create(SMALL);
        let tree = node.create_tree();
        let mut model = BTreeMap::new();
        let mut txn = node.begin_rc();
        for _ in 0..1500 {
            let long = random.below(20) == 0;
            let length = 1 + random.below(if long { KEY_BYTES_MAX } else { 12 });
            let key: Vec<u8> = (0..length).map(|_| random.below(4) as u8 * 70).collect();
            let body_max = if random.below(10) == 0 { CELL_BYTES_MAX - 20 - key.len() } else { 200 };
            let body = vec![random.next() as u8; random.below(body_max.max(1))];
            let outcome = node.insert(&mut txn, tree, &key, &body);
            let expected = if model.contains_key(&key) { Err(EngineError::DuplicateKey) } else { Ok(()) };
            assert_eq!(outcome, expected);
            model.entry(key).or_insert(body);
        }
        node.commit(txn);
        let report = node.check(tree);
        assert_eq!(report.cells, model.len() as u64);
        let mut txn = node.begin_rc();
        let forward: Vec<_> = model.clone().into_iter().collect();
        assert!(node.scan(&mut txn, tree, Direction::Forward) == forward);
        let backward: Vec<_> = model.clone().into_iter().rev().collect();
        assert!(node.scan(&mut txn, tree, Direction::Backward) == backward);
        check_ranges(&node, &mut txn, tree, &model, &mut random);
        node.commit(txn);
        node.volume.assert_cache_equals_log(&node.engine);
    }
}

fn check_ranges(
    node: &Node,
    txn: &mut Transaction,
    tree: TreeId,
    model: &BTreeMap<Vec<u8>, Vec<u8>>,
    random: &mut Random,
) {
    let keys: Vec<&Vec<u8>> = model.keys().collect();
    for _ in 0..40 {
        let a = keys[random.below(keys.len())].as_slice();
        let b = keys[random.below(keys.len())].as_slice();
        let (low, high) = (a.min(b), a.max(b));
        let lower = if random.below(2) == 0 { Bound::Included(low) } else { Bound::Excluded(low) };
        let upper = match (lower, random.below(2)) {
            (Bound::Excluded(_), _) if low == high => Bound::Included(high),
            (_, 0) => Bound::Included(high),
            _ => Bound::Excluded(high),
        };
        let expected: Vec<_> =
            model.range::<[u8], _>((lower, upper)).map(|(k, v)| (k.clone(), v.clone())).collect();
        assert!(node.scan_between(txn, tree, lower, upper, Direction::Forward) == expected);
        let backward: Vec<_> = expected.into_iter().rev().collect();
        assert!(node.scan_between(txn, tree, lower, upper, Direction::Backward) == backward);
    }
}

#[test]
fn a_scan_under_way_survives_splits_before_and_behind_it() {
    // Thirty rows stand on one page: the root, which is pushed down under the scan. That once read an inner
    // page as a leaf.
    for (direction, rows) in
        [Direction::Forward, Direction::Backward].into_iter().flat_map(|d| [(d, 30), (d, 600)])
    {
        let node = Node::create(SMALL);
        let tree = node.create_tree();
        fill(&node, tree, (0u32..rows).map(|k| ((k * 10).to_be_bytes().to_vec(), vec![1; 100])));
        let mut reader = node.begin(Isolation::RepeatableRead);
        let mut writer = node.begin_rc();
        let mut cursor = Cursor::new(tree, Bound::Unbounded, Bound::Unbounded, direction);
        let (mut row, mut seen) = (RowBuffer::new(), Vec::new());
        let mut random = Random::new(9);
        while node.run(|| node.engine.cursor_next(&mut reader, &mut cursor, &mut row)).expect("scans") {
            seen.push(u32::from_be_bytes(row.key[..].try_into().expect("four bytes")));
            for _ in 0..4 {
                let key =
                    (random.below(rows as usize) as u32 * 10 + 1 + random.below(9) as u32).to_be_bytes();
                let _ = node.insert(&mut writer, tree, &key, &[2; 100]);
            }
        }
        node.commit(writer);
        node.commit(reader);
        let mut expected: Vec<u32> = (0..rows).map(|k| k * 10).collect();
        if direction == Direction::Backward {
            expected.reverse();
        }
        assert_eq!(seen, expected);
        node.check(tree);
    }
}

#[test]
fn updates_that_grow_and_shrink_rows_keep_pages_sound() {
    let node = Node::create(SMALL);
    let tree = node.create_tree();
    let mut model = BTreeMap::new();
    let mut random = Random::new(5);
    fill(&node, tree, (0u16..200).map(|k| (k.to_be_bytes().to_vec(), vec![0; 50])));
    for _ in 0..60 {
        let mut txn = node.begin_rc();
        for _ in 0..20 {
            let key = (random.below(200) as u16).to_be_bytes();
            let body = vec![random.next() as u8; random.below(1500)];
            node.statement(&mut txn);
            assert_eq!(node.update(&mut txn, tree, &key, &body), Ok(true));
            model.insert(key.to_vec(), body);
        }
        node.commit(txn);
        node.settle();
    }
    node.check(tree);
    let mut txn = node.begin_rc();
    for (key, body) in &model {
        assert!(node.get(&mut txn, tree, key).as_ref() == Some(body));
    }
    node.commit(txn);
    node.volume.assert_cache_equals_log(&node.engine);
}

#[test]
fn what_no_page_could_hold_is_refused() {
    let node = Node::create(SMALL);
    let tree = node.create_tree();
    let mut txn = node.begin_rc();
    let key = vec![1; KEY_BYTES_MAX + 1];
    assert_eq!(node.insert(&mut txn, tree, &key, b""), Err(EngineError::KeyTooLong { bytes: 2701 }));
    let body = vec![1; CELL_BYTES_MAX];
    let error = node.insert(&mut txn, tree, b"k", &body).expect_err("too large");
    assert_eq!(error, EngineError::RowTooLarge { bytes: CELL_BYTES_MAX + 21 });
    assert_eq!(error.sqlstate(), "54000");
    node.abort(txn);
}

#[test]
fn a_tree_built_bottom_up_is_like_any_other() {
    // Cells of 86 bytes with their slots: 93 and a high key fit a page. Rows, bytes of each, pages at most.
    for (rows, body, pages) in [
        (0u32, 0, 1),
        (1, 60, 1),
        (93, 60, 1),
        (94, 60, 3),
        (186, 60, 3),
        (187, 60, 4),
        (3_000, 60, 34),
        (300, 1_900, 76),
        (40, 5_100, 41),
    ] {
        let node = Node::create(SMALL);
        let mut txn = node.begin_rc();
        let tree =
            node.run(|| node.engine.create_tree(&mut txn, TreeKind::Clustered)).expect("creates a tree");
        let mut builder = node.engine.begin_build(&txn, tree, TreeKind::Clustered);
        let before = node.engine.stats().mini_transactions;
        for key in (0..rows).map(|key| (key * 2).to_be_bytes()) {
            let row = vec![key[3]; body];
            let built =
                node.run(|| node.engine.build_row(&mut txn, &mut builder, &key, RowRef::new(2, &row)));
            assert_eq!(built, Ok(Built::Added));
        }
        node.run(|| node.engine.finish_build(&mut txn, &mut builder)).expect("finishes");
        let report = node.check(tree);
        assert_eq!(report.cells, u64::from(rows));
        // A leaf, its separator: two mini-transactions a page.
        assert!(node.engine.stats().mini_transactions - before <= 2 * report.pages);
        assert_eq!(report.pages, pages, "{rows} rows of {body} bytes");
        // Ordinary writes go on in it, and see what is there.
        node.statement(&mut txn);
        let mut model: BTreeMap<Vec<u8>, Vec<u8>> =
            (0..rows).map(|key| ((key * 2).to_be_bytes().to_vec(), vec![(key * 2) as u8; body])).collect();
        for key in (0..rows.min(100)).map(|key| (key * 3).to_be_bytes()) {
            let outcome = node.insert(&mut txn, tree, &key, &[9; 30]);
            let expected = if model.contains_key(&key[..]) { Err(EngineError::DuplicateKey) } else { Ok(()) };
            assert_eq!(outcome, expected);
            model.entry(key.to_vec()).or_insert(vec![9; 30]);
        }
        // One who began before sees nothing of it, one who begins after sees it all.
        let mut earlier = node.begin(Isolation::RepeatableRead);
        node.commit(txn);
        assert!(node.scan(&mut earlier, tree, Direction::Forward).is_empty());
        node.commit(earlier);
        let mut later = node.begin_rc();
        let expected: Vec<_> = model.clone().into_iter().collect();
        assert!(node.scan(&mut later, tree, Direction::Forward) == expected);
        if rows > 0 {
            assert_eq!(node.update(&mut later, tree, &0u32.to_be_bytes(), b"new"), Ok(true));
        }
        node.abort(later);
        let node = node.crash();
        let mut later = node.begin_rc();
        let backward: Vec<_> = model.into_iter().rev().collect();
        assert!(node.scan(&mut later, tree, Direction::Backward) == backward);
        node.commit(later);
        node.volume.assert_cache_equals_log(&node.engine);
        node.drop_last_tree(tree);
    }
}

#[test]
fn a_build_that_comes_to_nothing_leaves_no_page() {
    // The log ends after each record in turn: the leaves written so far are found and freed.
    for durable in (0..400).step_by(7) {
        // Nothing may leave the cache.
        let node = Node::create(Options { frames: 512, ..SMALL });
        node.volume.hold_vdl(true);
        let mut txn = node.begin_rc();
        let engine = &node.engine;
        let tree = node.run(|| engine.create_tree(&mut txn, TreeKind::Index)).expect("creates a tree");
        let mut builder = engine.begin_build(&txn, tree, TreeKind::Index);
        for key in 0..9_000u32 {
            let step = || engine.build_entry(&mut txn, &mut builder, &key.to_be_bytes(), b"row");
            if node.run(step).is_err() {
                panic!("entries are in order");
            }
        }
        node.volume.advance_vdl(engine, durable);
        let node = node.crash();
        node.volume.hold_vdl(false);
        node.settle();
        node.check_pages(&[]);
    }
}

#[test]
fn what_is_out_of_order_is_told_and_can_be_inserted() {
    let node = Node::create(SMALL);
    let mut txn = node.begin_rc();
    let engine = &node.engine;
    let tree = node.run(|| engine.create_tree(&mut txn, TreeKind::Clustered)).expect("creates a tree");
    let mut builder = engine.begin_build(&txn, tree, TreeKind::Clustered);
    let row = RowRef::new(2, b"row");
    for key in 10..200u8 {
        assert_eq!(node.run(|| engine.build_row(&mut txn, &mut builder, &[key], row)), Ok(Built::Added));
    }
    let again = node.run(|| engine.build_row(&mut txn, &mut builder, &[199], row));
    assert_eq!(again, Err(EngineError::DuplicateKey));
    let late = node.run(|| engine.build_row(&mut txn, &mut builder, &[5], row));
    assert_eq!(late, Ok(Built::OutOfOrder));
    node.run(|| engine.finish_build(&mut txn, &mut builder)).expect("finishes");
    assert_eq!(node.insert(&mut txn, tree, &[5], b"late"), Ok(()));
    assert_eq!(node.insert(&mut txn, tree, &[50], b"late"), Err(EngineError::DuplicateKey));
    assert_eq!(node.check(tree).cells, 191);
    node.commit(txn);
    node.drop_last_tree(tree);
}

/// Leaves below pages with few children come more often; with their weights all rows count alike.
#[test]
fn drawn_leaves_tell_how_much_there_is() {
    let node = Node::create(SMALL);
    let tree = node.create_tree();
    let draw = |seed: u64| {
        let chances = |depth: u8| Random::new(seed << 8 | u64::from(depth)).next();
        node.run(|| node.engine.draw_leaf(tree, chances)).expect("draws")
    };
    let lone = draw(1);
    assert_eq!((lone.low.as_slice(), lone.high, lone.leaves), (&b""[..], None, 1.0));
    // Keys are long where they begin with 1: there inner pages have few children.
    let key = |number: u64| match number {
        0..8000 => number.to_be_bytes().to_vec(),
        _ => [vec![1; 300], number.to_be_bytes().to_vec()].concat(),
    };
    fill(&node, tree, (0..10_000).map(|number| (key(number), vec![7; 100])));
    let report = node.check(tree);
    assert!(report.height >= 3, "{report:?}");
    let mut txn = node.begin_rc();
    let (mut rows, mut long, mut leaves) = (0.0, 0.0, 0.0);
    const DRAWS: u64 = 600;
    for seed in 0..DRAWS {
        let drawn = draw(seed);
        let upper = drawn.high.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut cursor = Cursor::new(tree, Bound::Included(&drawn.low), upper, Direction::Forward);
        let mut row = RowBuffer::new();
        leaves += drawn.leaves;
        while node.run(|| node.engine.cursor_next(&mut txn, &mut cursor, &mut row)).expect("reads") {
            rows += drawn.leaves;
            long += if row.key.len() > 300 { drawn.leaves } else { 0.0 };
        }
    }
    let near = |sum: f64, expected: f64| (sum / DRAWS as f64 / expected - 1.0).abs() < 0.15;
    assert!(near(rows, 10_000.0) && near(long, 2_000.0), "{rows} {long}");
    assert!(near(leaves, report.pages as f64), "{leaves} {report:?}");
    node.commit(txn);
}
