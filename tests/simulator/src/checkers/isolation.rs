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
//!   The same at SERIALIZABLE, which is more:
//! - G2: any cycle whose transactions have all committed at SERIALIZABLE.
//!
//! Aborted transactions take part with what they read: it was told to a client too. But for G2: what they read is what they are
//! aborted for.

use super::graph::Graph;
use super::lists::{ListRead, Lists};
use super::{Violation, violation};
use crate::history::{History, Level, Outcome, Txn, TxnId};
use std::collections::BTreeSet;
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
    let (mut graph, mut serial) = (Graph::new(2 * history.txns.len()), Graph::new(2 * history.txns.len()));
    let stored: BTreeSet<TxnId> =
        lists.orders.values().flatten().map(|element| lists.writers[element]).collect();
    let is_serial = |txn: TxnId| {
        let Txn { level, outcome, .. } = &history.txns[txn];
        let is_committed = match outcome {
            Outcome::Ok => true,
            Outcome::Unknown => stored.contains(&txn),
            Outcome::Open | Outcome::Fail => false,
        };
        *level == Level::Serializable && is_committed
    };
    each_dependency(lists, |from, to, dependency| {
        if from == to {
            return;
        }
        if is_serial(from) && is_serial(to) {
            serial.add(node(from, false), node(to, false), dependency);
        }
        if dependency == Dependency::Rw {
            if history.txns[from].level.has_one_snapshot() {
                graph.add(node(from, false), node(to, true), dependency);
            }
            return;
        }
        graph.add(node(from, false), node(to, false), dependency);
        graph.add(node(from, true), node(to, false), dependency);
    });
    if let Some(cycle) = graph.find_cycle() {
        return violation("isolation", describe(history, &cycle));
    }
    match serial.find_cycle() {
        None => Ok(()),
        Some(cycle) => violation("isolation", format!("G2, of {}", describe(history, &cycle))),
    }
}

fn each_dependency(lists: &Lists, mut add: impl FnMut(TxnId, TxnId, Dependency)) {
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
