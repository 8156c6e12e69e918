//! A cache that is full of what may not leave it: who finds no frame waits, and goes on when there is a reason.

mod harness;

use harness::{Node, SMALL};
use hexalog_engine::*;
use std::task::Waker;

/// Inserts until no frame is left; gives back the key that found none.
fn fill(node: &Node, txn: &mut Transaction, tree: TreeId) -> u32 {
    for key in 0u32.. {
        loop {
            let row = RowRef::new(2, &[7; 2000]);
            match node.engine.insert(txn, tree, &key.to_be_bytes(), row) {
                Ok(()) => break,
                Err(Stop::Need(Need::Frame { .. })) => return key,
                Err(Stop::Need(need)) => assert!(node.volume.satisfy(&node.engine, &need), "{need:?}"),
                Err(Stop::Fail(error)) => panic!("{error}"),
            }
        }
    }
    unreachable!("the cache is full at last")
}

/// Found by the simulator: two who wait took each other's pins, or their own, for a reason to look again, without end.
#[test]
fn who_finds_no_frame_sleeps_until_there_is_a_reason_to_look() {
    let node = Node::create(SMALL);
    let tree = node.create_tree();
    let (mut one, mut other) = (node.begin_rc(), node.begin_rc());
    let key = fill(&node, &mut one, tree);
    let row = RowRef::new(2, &[7; 2000]);
    let (next, far) = (key.to_be_bytes(), (key + 1).to_be_bytes());
    for _ in 0..3 {
        for (txn, key) in [(&mut one, &next), (&mut other, &far)] {
            let Err(Stop::Need(need @ Need::Frame { .. })) = node.engine.insert(txn, tree, key, row) else {
                panic!("nothing has changed since there was no frame");
            };
            assert!(!node.engine.poll_need(&need, Waker::noop()), "nothing has happened but other tries");
        }
    }
    let Err(Stop::Need(need)) = node.engine.insert(&mut one, tree, &next, row) else { panic!("no frame") };
    node.make_durable();
    assert!(node.engine.poll_need(&need, Waker::noop()), "what is durable may leave");
    node.insert(&mut one, tree, &next, &[7; 2000]).expect("there are frames");
    node.insert(&mut other, tree, &far, &[7; 2000]).expect("there are frames");
    node.commit(one);
    node.commit(other);
}
