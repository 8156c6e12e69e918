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
