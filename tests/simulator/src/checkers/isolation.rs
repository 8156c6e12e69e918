//! Checker: the history of list appends could have been made by snapshots.
//!
//! After Adya ("Weak Consistency", 1999) and Elle (Kingsbury and Alvaro, VLDB 2020). Lists show the order of versions, so
//! the dependencies are known, not guessed: `ww` from the writer of an element to the writer of the next, `wr` from the
//! writer of the last element that was read to the reader, `rw` from the reader to the writer of the next. A list without
//! a row is the version before the first element, so ranges are predicate reads. What may not be:
//!
//! - G0: a cycle of `ww`; G1c: of `ww` and `wr`. At both levels.
//! - G-single (lost update, read skew) and its like: a cycle in which every `rw` leaves a transaction at REPEATABLE READ
//!   and no two `rw` follow each other. (Of T1 -rw-> T2: T2 committed after T1's snapshot. Of T1 -ww/wr-> T2: T1
//!   committed before T2 did, and before T2's snapshot if it has one. Going round leads to a commit before itself. Two
//!   `rw` in a row say nothing: that is write skew, which snapshots allow.)
//!
//! Aborted transactions take part with what they read: it was told to a client too.

use super::graph::Graph;
use super::lists::{ListRead, Lists};
use super::{Violation, violation};
use crate::history::{History, Level};
use std::fmt::Write;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Dependency {
    Ww,
    Wr,
    Rw,
}

/// Each transaction twice: reached by an `rw` or not. From the first no `rw` leads on.
fn node(txn: usize, is_after_rw: bool) -> usize {
    2 * txn + usize::from(is_after_rw)
}

pub(super) fn check(history: &History, lists: &Lists) -> Result<(), Violation> {
    let mut graph = Graph::new(2 * history.txns.len());
    let mut add = |from: usize, to: usize, dependency: Dependency| {
        if from == to {
            return;
        }
        if dependency == Dependency::Rw {
            if history.txns[from].level == Level::RepeatableRead {
                graph.add(node(from, false), node(to, true), dependency);
            }
            return;
        }
        graph.add(node(from, false), node(to, false), dependency);
        graph.add(node(from, true), node(to, false), dependency);
    };
    for order in lists.orders.values() {
        for pair in order.windows(2) {
            add(lists.writers[&pair[0]], lists.writers[&pair[1]], Dependency::Ww);
        }
    }
    for ListRead { reader, key, length } in &lists.reads {
        let order = &lists.orders[key];
        if let Some(last) = length.checked_sub(1) {
            add(lists.writers[&order[last]], *reader, Dependency::Wr);
        }
        if let Some(next) = order.get(*length) {
            add(*reader, lists.writers[next], Dependency::Rw);
        }
    }
    match graph.find_cycle() {
        None => Ok(()),
        Some(cycle) => violation("isolation", describe(history, &cycle)),
    }
}

fn describe(history: &History, cycle: &[(usize, Dependency)]) -> String {
    let count = |wanted| cycle.iter().filter(|(_, dependency)| *dependency == wanted).count();
    let name = match (count(Dependency::Rw), count(Dependency::Wr)) {
        (0, 0) => "G0",
        (0, _) => "G1c",
        (1, _) => "G-single",
        _ => "G-nonadjacent",
    };
    let mut text = name.to_owned();
    for (node, dependency) in cycle {
        let txn = node / 2;
        let _ = write!(text, "\n  {txn} -{dependency:?}-> after {:?}", history.txns[txn]);
    }
    text
}
