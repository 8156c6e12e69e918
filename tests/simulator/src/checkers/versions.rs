//! Checker: versions whose order is known, of lists and of registers alike.
//!
//! Owns the order in which the versions of each place came to be, as its own checker has found it out, and what follows from
//! it alone: nothing of a failed transaction and nothing unfinished is read (Adya's G1a, G1b), commits are whole or absent,
//! and no read misses what was acknowledged before it began.

use super::{Violation, violation};
use crate::history::{Element, History, Op, Outcome, Place, TxnId};
use std::collections::{BTreeMap, BTreeSet};

/// A read of one place, without what the reader had written itself.
pub(super) struct Read {
    pub reader: TxnId,
    /// Index of the operation in its transaction.
    pub at: usize,
    pub place: Place,
    /// Versions of others: the first so many of the order.
    pub length: usize,
}

/// All versions and all reads of them.
pub(super) struct Versions {
    pub orders: BTreeMap<Place, Vec<Element>>,
    pub writers: BTreeMap<Element, TxnId>,
    /// Versions whose transactions went back to a savepoint before them.
    taken_back: BTreeMap<Element, TxnId>,
    pub reads: Vec<Read>,
}

impl Versions {
    /// Orders and reads of a history, if they fit together.
    pub fn new(history: &History) -> Result<Versions, Violation> {
        let mut versions = Versions {
            orders: BTreeMap::new(),
            writers: BTreeMap::new(),
            taken_back: BTreeMap::new(),
            reads: Vec::new(),
        };
        for (id, txn) in history.txns.iter().enumerate() {
            for (place, element) in txn.writes() {
                assert!(
                    versions.writers.insert(element, id).is_none(),
                    "nothing is written twice: {element}"
                );
                versions.orders.entry(place).or_default();
            }
            for (place, element) in txn.writes_taken_back() {
                versions.taken_back.insert(element, id);
                versions.orders.entry(place).or_default();
            }
        }
        super::lists::add_reads(&mut versions, history)?;
        super::registers::add_reads(&mut versions, history)?;
        versions.check_reads(history)?;
        Ok(versions)
    }

    fn check_reads(&self, history: &History) -> Result<(), Violation> {
        for (place, order) in &self.orders {
            let distinct: BTreeSet<&Element> = order.iter().collect();
            if distinct.len() < order.len() {
                return violation("versions", format!("{place} has an element twice: {order:?}"));
            }
            for element in order {
                self.check_writer(history, *place, *element)?;
            }
        }
        for Read { reader, place, length, .. } in &self.reads {
            let order = &self.orders[place];
            let (Some(last), Some(next)) = (length.checked_sub(1).map(|at| order[at]), order.get(*length))
            else {
                continue;
            };
            if self.writers[&last] == self.writers[next] {
                let what = format!(
                    "transaction {reader} read {place} up to {last}, in the midst of transaction {} (G1b)",
                    self.writers[next]
                );
                return violation("isolation", what);
            }
        }
        Ok(())
    }

    fn check_writer(&self, history: &History, place: Place, element: Element) -> Result<(), Violation> {
        if let Some(writer) = self.taken_back.get(&element) {
            let what = format!("{element} of {place} was read after transaction {writer} had taken it back");
            return violation("savepoint", what);
        }
        let is_there =
            |writer: &&TxnId| history.txns[**writer].writes().any(|write| write == (place, element));
        let Some(writer) = self.writers.get(&element).filter(is_there) else {
            return violation("versions", format!("{place} has {element}, which nobody wrote there"));
        };
        if history.txns[*writer].outcome == Outcome::Fail {
            let what = format!("{element} of {place} was read, and transaction {writer} had failed (G1a)");
            return violation("isolation", what);
        }
        Ok(())
    }

    /// All writes of a transaction are there, or none; all of one whose client was told of the commit, as far as their
    /// places were read afterwards.
    pub fn check_atomicity(&self, history: &History) -> Result<(), Violation> {
        let present: BTreeSet<Element> = self.orders.values().flatten().copied().collect();
        // What was read last of all: a place that nobody read since says nothing of what is missing in it.
        let Some(last) = history.txns.iter().rev().find(|txn| txn.outcome == Outcome::Ok) else {
            return Ok(());
        };
        let last_reads: Vec<&Op> = last
            .ops
            .iter()
            .filter(|op| matches!(op, Op::ReadLists { .. } | Op::ReadRegisters { .. }))
            .collect();
        for (id, txn) in history.txns.iter().enumerate() {
            let was_read = |place: Place| last_reads.iter().any(|op| op.reads(place));
            let is_before = txn.ended_us <= last.began_us;
            let writes: Vec<(Place, Element)> =
                txn.writes().filter(|(place, _)| is_before && was_read(*place)).collect();
            let found = writes.iter().filter(|(_, element)| present.contains(element)).count();
            if txn.outcome == Outcome::Ok && found < writes.len() {
                let what =
                    format!("transaction {id} was acknowledged and {found} of its writes are there: {txn:?}");
                return violation("durability", what);
            }
            if found > 0 && found < writes.len() {
                let what = format!("half of transaction {id} is there: {found} of {writes:?}");
                return violation("atomicity", what);
            }
        }
        Ok(())
    }

    /// A read that began after a commit was acknowledged has it; one in another process may be a little behind.
    pub fn check_freshness(&self, history: &History, stale_read_max_us: u64) -> Result<(), Violation> {
        for Read { reader, place, length, .. } in &self.reads {
            let txn = &history.txns[*reader];
            for element in &self.orders[place][*length..] {
                let writer = self.writers[element];
                let commit = &history.txns[writer];
                let slack_us = if commit.run == txn.run { 0 } else { stale_read_max_us };
                let is_before =
                    commit.outcome == Outcome::Ok && commit.ended_us.saturating_add(slack_us) < txn.began_us;
                if writer != *reader && is_before {
                    let what = format!(
                        "transaction {reader} began at {} us and did not see {element} of {place}, which \
                         transaction {writer} was told committed at {} us",
                        txn.began_us, commit.ended_us
                    );
                    return violation("freshness", what);
                }
            }
        }
        Ok(())
    }
}
