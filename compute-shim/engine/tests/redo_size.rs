//! How much redo a pgbench TPC-B transaction writes, through the public calls alone.

mod harness;

use harness::Node;
use hexalog_engine::*;

/// A row as wide as pgbench's: an id, another id, a balance, filler.
fn account(id: u32, balance: i32, filler: usize) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&id.to_le_bytes());
    body.extend_from_slice(&1u32.to_le_bytes());
    body.extend_from_slice(&balance.to_le_bytes());
    body.extend(std::iter::repeat_n(b' ', filler));
    body
}

fn key(id: u32) -> [u8; 4] {
    (id | 1 << 31).to_be_bytes()
}

struct Bank {
    node: Node,
    accounts: TreeId,
    tellers: TreeId,
    branches: TreeId,
    history: TreeId,
}

impl Bank {
    fn new() -> Bank {
        let node = Node::create(Options { frames: 1024, undo_streams: 64, snapshots: 64 });
        let trees: Vec<TreeId> = (0..4).map(|_| node.create_tree()).collect();
        let bank =
            Bank { node, accounts: trees[0], tellers: trees[1], branches: trees[2], history: trees[3] };
        for (tree, count, filler) in
            [(bank.accounts, 5000, 84), (bank.tellers, 10, 84), (bank.branches, 1, 88)]
        {
            let mut txn = bank.node.begin_rc();
            for id in 1..=count {
                bank.node.insert(&mut txn, tree, &key(id), &account(id, 0, filler)).expect("loads");
            }
            bank.node.commit(txn);
        }
        bank.node.settle();
        bank
    }

    fn add(&self, txn: &mut Transaction, tree: TreeId, id: u32, delta: i32) {
        self.node.statement(txn);
        let mut row = RowBuffer::new();
        let engine = &self.node.engine;
        assert!(self.node.run(|| engine.get(txn, tree, &key(id), &mut row)).expect("reads"));
        let balance = i32::from_le_bytes(row.body[8..12].try_into().expect("four bytes"));
        row.body[8..12].copy_from_slice(&(balance + delta).to_le_bytes());
        let outcome = self.node.run(|| engine.update(txn, tree, &key(id), row.version, row.row()));
        assert_eq!(outcome, Ok(WriteOutcome::Done));
    }

    /// BEGIN; three UPDATEs, a SELECT, an INSERT; END as statements of their own.
    fn transaction(&self, account_id: u32, teller: u32, delta: i32) {
        let node = &self.node;
        let mut txn = node.engine.begin(Isolation::ReadCommitted, false);
        self.add(&mut txn, self.accounts, account_id, delta);
        node.statement(&mut txn);
        assert!(node.get(&mut txn, self.accounts, &key(account_id)).is_some());
        self.add(&mut txn, self.tellers, teller, delta);
        self.add(&mut txn, self.branches, 1, delta);
        node.statement(&mut txn);
        let id = node.run(|| node.engine.allocate_row_id(self.history)).expect("a row id");
        // tid, bid, aid, delta, mtime; filler is NULL.
        let mut body = vec![0x20];
        for value in [teller, 1, account_id, delta as u32] {
            body.extend_from_slice(&value.to_le_bytes());
        }
        body.extend_from_slice(&123_456_789_012u64.to_le_bytes());
        node.insert(&mut txn, self.history, &id.to_be_bytes(), &body).expect("inserts");
        node.commit(txn);
    }
}

#[test]
fn a_tpcb_transaction_stays_within_its_redo_budget() {
    let bank = Bank::new();
    let mut random = harness::Random::new(3);
    let mut run = |count: u32| {
        for _ in 0..count {
            bank.transaction(
                1 + random.below(5000) as u32,
                1 + random.below(10) as u32,
                random.below(9999) as i32 - 5000,
            );
        }
    };
    run(300);
    bank.node.volume.take_redo_counts();
    run(1);
    let single = bank.node.volume.take_redo_counts();
    run(1000);
    let many = bank.node.volume.take_redo_counts();
    println!(
        "one TPC-B transaction: {} records, {} bytes ({} of operations), {} pages; average of 1,000: {} records, {} bytes",
        single.records,
        single.bytes,
        single.operation_bytes,
        single.pages.len(),
        many.records as f64 / 1000.0,
        many.bytes as f64 / 1000.0,
    );
    assert!(single.records <= 9, "{} records", single.records);
    assert!(single.pages.len() <= 5, "{} pages", single.pages.len());
    assert!(single.bytes <= 400, "{} bytes", single.bytes);
    assert!(many.bytes <= 420 * 1000, "{} bytes a transaction with splits and undo pages", many.bytes / 1000);
    bank.node.volume.assert_cache_equals_log(&bank.node.engine);
}

#[test]
fn steady_updates_reuse_their_undo_pages() {
    let bank = Bank::new();
    for id in 0..400 {
        bank.transaction(1 + id % 100, 1 + id % 10, 1);
        if id % 20 == 0 {
            bank.node.settle();
        }
    }
    bank.node.settle();
    let pages = bank.node.volume.take_redo_counts().pages;
    bank.node.volume.take_redo_counts();
    for id in 0..400 {
        bank.transaction(1 + id % 100, 1 + id % 10, 1);
        if id % 20 == 0 {
            bank.node.settle();
        }
    }
    let later = bank.node.volume.take_redo_counts().pages;
    let fresh = later.difference(&pages).count();
    // History grows by 400 rows of about 53 bytes: three or four leaves. Undo takes no page that it had not
    // before.
    assert!(fresh <= 5, "{fresh} fresh pages");
}
