//! Several threads over one engine: sums stay what they were, nothing hangs.

mod harness;

use harness::{Node, Random, drive};
use hexalog_engine::*;
use hexalog_protocol::geometry::Geometry;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const ACCOUNTS: u32 = 200;
const THREADS: u64 = 4;
const TRANSFERS: u64 = 400;

fn balance(row: &RowBuffer) -> i64 {
    i64::from_le_bytes(row.body[..8].try_into().expect("eight bytes"))
}

fn add(
    node: &Node,
    txn: &mut Transaction,
    tree: TreeId,
    key: [u8; 4],
    delta: i64,
) -> Result<(), EngineError> {
    drive(node, |engine| engine.begin_statement(txn))?;
    let mut row = RowBuffer::new();
    assert!(drive(node, |engine| engine.get(txn, tree, &key, &mut row))?);
    loop {
        let mut body = row.body.clone();
        body[..8].copy_from_slice(&(balance(&row) + delta).to_le_bytes());
        // Now and then the row changes its length too.
        body.resize(8 + (balance(&row).unsigned_abs() as usize * 7) % 90, 3);
        let version = row.version;
        let new = RowRef::new(2, &body);
        match drive(node, |engine| engine.update(txn, tree, &key, version, new))? {
            WriteOutcome::Done => return Ok(()),
            WriteOutcome::Changed => {
                let newest = drive(node, |engine| engine.get_newest(txn, tree, &key, None, &mut row))?;
                assert_eq!(newest, NewestRow::Found);
            }
            other => panic!("unexpected {other:?}"),
        }
    }
}

fn transfer(node: &Node, tree: TreeId, history: TreeId, random: &mut Random) -> Result<bool, EngineError> {
    let mut txn = node.engine.begin(Isolation::ReadCommitted, false);
    let (from, to) = (random.below(ACCOUNTS as usize) as u32, random.below(20) as u32);
    let amount = random.below(100) as i64;
    let result = (|| {
        add(node, &mut txn, tree, from.to_be_bytes(), -amount)?;
        add(node, &mut txn, tree, to.to_be_bytes(), amount)?;
        let id = drive(node, |engine| engine.allocate_row_id(history))?;
        drive(node, |engine| engine.begin_statement(&mut txn))?;
        let body = amount.to_le_bytes();
        let row = RowRef::new(1, &body);
        drive(node, |engine| engine.insert(&mut txn, history, &id.to_be_bytes(), row))
    })();
    match result {
        Ok(()) if random.below(10) > 0 => {
            let lsn = drive(node, |engine| engine.commit(&mut txn))?;
            if random.below(4) == 0 {
                drive(node, |engine| {
                    if engine.volume().vdl() >= lsn { Ok(()) } else { Err(Need::Durable(lsn).into()) }
                })?;
            }
            Ok(true)
        }
        Ok(()) | Err(EngineError::Deadlock) => {
            drive(node, |engine| engine.abort(&mut txn))?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn check_sum(node: &Node, tree: TreeId) {
    let mut txn = node.engine.begin(Isolation::RepeatableRead, true);
    drive(node, |engine| engine.begin_statement(&mut txn)).expect("begins");
    let unbounded = std::ops::Bound::Unbounded;
    let mut cursor = Cursor::new(tree, unbounded, unbounded, Direction::Backward);
    let (mut row, mut sum, mut rows) = (RowBuffer::new(), 0, 0);
    while drive(node, |engine| engine.cursor_next(&mut txn, &mut cursor, &mut row)).expect("scans") {
        sum += balance(&row);
        rows += 1;
    }
    drive(node, |engine| engine.commit(&mut txn)).expect("ends");
    assert_eq!((rows, sum), (ACCOUNTS, 0), "one snapshot, one sum");
}

fn run(frames: u32, undo_streams: u16) {
    let options = Options { frames, undo_streams, snapshots: 64 };
    let node = Node::create_of(options, Geometry { pages_per_group: 64, groups: 32 });
    let (tree, history) = (node.create_tree(), node.create_tree());
    let mut txn = node.begin_rc();
    for k in 0..ACCOUNTS {
        node.insert(&mut txn, tree, &k.to_be_bytes(), &[0; 8]).expect("inserts");
    }
    node.commit(txn);
    let committed = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let background = scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                drive(&node, |engine| engine.background(Budget { mini_transactions: 16 })).expect("works");
                node.volume.pump(&node.engine);
                check_sum(&node, tree);
            }
        });
        let workers: Vec<_> = (0..THREADS)
            .map(|seed| {
                let (node, committed) = (&node, &committed);
                scope.spawn(move || {
                    let mut random = Random::new(seed + 1);
                    for _ in 0..TRANSFERS {
                        let done = transfer(node, tree, history, &mut random).expect("transfers");
                        committed.fetch_add(u64::from(done), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        workers.into_iter().for_each(|worker| worker.join().expect("no worker fails"));
        over.store(true, Ordering::Release);
        background.join().expect("no check fails");
    });
    node.settle();
    check_sum(&node, tree);
    let mut txn = node.begin_rc();
    let rows = node.scan(&mut txn, history, Direction::Forward).len() as u64;
    node.commit(txn);
    assert_eq!(rows, committed.load(Ordering::Relaxed));
    node.check(tree);
    node.check(history);
    node.volume.assert_cache_equals_log(&node.engine);
    assert_eq!(node.engine.stats().undo_streams_open, 0);
}

#[test]
fn four_threads_on_a_roomy_cache() {
    run(1024, 64);
}

#[test]
fn four_threads_on_few_frames_and_fewer_streams_than_threads() {
    run(48, 3);
}
