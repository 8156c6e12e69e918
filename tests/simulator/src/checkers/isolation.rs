//! Checker: the history of lists and registers could have been made by snapshots.
//!
//! After Adya ("Weak Consistency", 1999) and Elle (Kingsbury and Alvaro, VLDB 2020). The order of versions is known, so
//! the dependencies are known, not guessed: `ww` from the writer of a version to the writer of the next, `wr` from the
//! writer of the version that was read to the reader, `rw` from the reader to the writer of the next. A place without
//! a row is the version before the first, so ranges are predicate reads.
//!
//! A database with snapshots has an order of all its commits and all its snapshots: a transaction's one snapshot at
//! REPEATABLE READ and SERIALIZABLE, one of each statement, in their order, at READ COMMITTED. Each dependency says of two of
//! them which was first: of a `ww` two commits, and if the later writer has one snapshot, that as well; of a `wr` a commit and a
//! snapshot; of an `rw` a snapshot and a commit. A cycle is a history that no such order explains:
//!
//! - G0: of `ww` alone; G1c: of `ww` and `wr`. At all levels.
//! - G-single (lost update, read skew; at READ COMMITTED within a statement, or OTV: what was seen once vanishes) and what
//!   has more `rw`, with a snapshot between any two of them (long fork). Two `rw` in a row say nothing: that is write
//!   skew, which snapshots allow.
//!
//! The same at SERIALIZABLE, which is more:
//!
//! - G2: any cycle whose transactions have all committed at SERIALIZABLE.
//!
//! Aborted transactions take part with what they read: it was told to a client too. But for G2: what they read is what they are
//! aborted for.

use super::graph::Graph;
use super::versions::{Read, Versions};
use super::{Violation, violation};
use crate::history::{History, Level, Op, Outcome, Txn, TxnId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Dependency {
    Ww,
    Wr,
    Rw,
    /// Within a transaction: its snapshots in their order, and then its commit.
    Within,
}

/// Commits and snapshots of a history as nodes of a graph.
struct Moments {
    /// Of each transaction its first snapshot; its commit stands behind its last.
    firsts: Vec<usize>,
    /// Which transaction a node is of.
    owners: Vec<TxnId>,
    /// At READ COMMITTED, the snapshot of an operation.
    statements: BTreeMap<(TxnId, usize), usize>,
}

impl Moments {
    fn new(history: &History) -> Moments {
        let mut moments = Moments { firsts: Vec::new(), owners: Vec::new(), statements: BTreeMap::new() };
        for (id, txn) in history.txns.iter().enumerate() {
            moments.firsts.push(moments.owners.len());
            if txn.level.has_one_snapshot() {
                moments.owners.push(id);
            } else {
                for (at, op) in txn.ops.iter().enumerate() {
                    if matches!(op, Op::ReadLists { .. } | Op::ReadRegisters { .. }) {
                        moments.statements.insert((id, at), moments.owners.len());
                        moments.owners.push(id);
                    }
                }
            }
            moments.owners.push(id);
        }
        moments.firsts.push(moments.owners.len());
        moments
    }

    fn commit(&self, txn: TxnId) -> usize {
        self.firsts[txn + 1] - 1
    }

    /// Of the transaction if it has one, else of the statement.
    fn snapshot(&self, txn: TxnId, at: usize) -> usize {
        self.statements.get(&(txn, at)).copied().unwrap_or(self.firsts[txn])
    }
}

pub(super) fn check(history: &History, versions: &Versions) -> Result<(), Violation> {
    check_snapshots(history, versions)?;
    check_serial(history, versions)
}

fn check_snapshots(history: &History, versions: &Versions) -> Result<(), Violation> {
    let moments = Moments::new(history);
    let mut graph = Graph::new(moments.owners.len());
    for node in 1..moments.owners.len() {
        if moments.owners[node - 1] == moments.owners[node] {
            graph.add(node - 1, node, Dependency::Within);
        }
    }
    each_dependency(versions, |from, (to, at), dependency| {
        if from == to {
            return;
        }
        match dependency {
            Dependency::Ww => {
                let is_one = history.txns[to].level.has_one_snapshot();
                let later = if is_one { moments.firsts[to] } else { moments.commit(to) };
                graph.add(moments.commit(from), later, dependency);
            }
            Dependency::Wr => graph.add(moments.commit(from), moments.snapshot(to, at), dependency),
            Dependency::Rw => graph.add(moments.snapshot(from, at), moments.commit(to), dependency),
            Dependency::Within => unreachable!("it is not between two"),
        }
    });
    match graph.find_cycle() {
        None => Ok(()),
        Some(cycle) => {
            let cycle = cycle.iter().map(|(node, dependency)| (moments.owners[*node], *dependency));
            violation("isolation", describe(history, cycle.collect()))
        }
    }
}

fn check_serial(history: &History, versions: &Versions) -> Result<(), Violation> {
    let stored: BTreeSet<TxnId> =
        versions.orders.values().flatten().map(|element| versions.writers[element]).collect();
    let is_serial = |txn: TxnId| {
        let Txn { level, outcome, .. } = &history.txns[txn];
        let is_committed = match outcome {
            Outcome::Ok => true,
            Outcome::Unknown => stored.contains(&txn),
            Outcome::Open | Outcome::Fail => false,
        };
        *level == Level::Serializable && is_committed
    };
    let mut graph = Graph::new(history.txns.len());
    each_dependency(versions, |from, (to, _), dependency| {
        if from != to && is_serial(from) && is_serial(to) {
            graph.add(from, to, dependency);
        }
    });
    match graph.find_cycle() {
        None => Ok(()),
        Some(cycle) => violation("isolation", format!("G2, of {}", describe(history, cycle))),
    }
}

/// Calls back with who was first, who came later, which operation of the two read, and why.
fn each_dependency(versions: &Versions, mut add: impl FnMut(TxnId, (TxnId, usize), Dependency)) {
    for order in versions.orders.values() {
        for pair in order.windows(2) {
            add(versions.writers[&pair[0]], (versions.writers[&pair[1]], 0), Dependency::Ww);
        }
    }
    for Read { reader, at, place, length } in &versions.reads {
        let order = &versions.orders[place];
        if let Some(last) = length.checked_sub(1) {
            add(versions.writers[&order[last]], (*reader, *at), Dependency::Wr);
        }
        if let Some(next) = order.get(*length) {
            add(*reader, (versions.writers[next], *at), Dependency::Rw);
        }
    }
}

fn describe(history: &History, cycle: Vec<(TxnId, Dependency)>) -> String {
    let count = |wanted| cycle.iter().filter(|(_, dependency)| *dependency == wanted).count();
    let name = match (count(Dependency::Rw), count(Dependency::Wr)) {
        (0, 0) => "G0",
        (0, _) => "G1c",
        (1, _) => "G-single",
        _ => "G-nonadjacent",
    };
    let mut text = name.to_owned();
    for (txn, dependency) in cycle.iter().filter(|(_, dependency)| *dependency != Dependency::Within) {
        let _ = write!(text, "\n  {txn} -{dependency:?}-> after {:?}", history.txns[*txn]);
    }
    text
}
