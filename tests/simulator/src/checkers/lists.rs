//! Checker: lists only grow, so what was told once is there for ever, in the same order.
//!
//! Owns the order in which each list came to be (the longest of all that was read, of which every other must be a
//! beginning), and what follows from it alone: nothing of a failed transaction and nothing unfinished is read (Adya's
//! G1a, G1b), commits are whole or absent, and no read misses what was acknowledged before it began.

use super::{Violation, violation};
use crate::history::{Element, History, ListKey, Op, Outcome, TxnId};
use std::collections::{BTreeMap, BTreeSet};

/// A read of one list, without what the reader had appended itself.
pub(super) struct ListRead {
    pub reader: TxnId,
    pub key: ListKey,
    /// Elements of others: the first so many of the order.
    pub length: usize,
}

/// All lists and all reads of them.
pub(super) struct Lists {
    pub orders: BTreeMap<ListKey, Vec<Element>>,
    pub writers: BTreeMap<Element, TxnId>,
    /// Elements whose transactions went back to a savepoint before them.
    taken_back: BTreeMap<Element, TxnId>,
    pub reads: Vec<ListRead>,
}

impl Lists {
    /// Orders and reads of a history, if they fit together.
    pub fn new(history: &History) -> Result<Lists, Violation> {
        let mut lists = Lists {
            orders: BTreeMap::new(),
            writers: BTreeMap::new(),
            taken_back: BTreeMap::new(),
            reads: Vec::new(),
        };
        for (id, txn) in history.txns.iter().enumerate() {
            for (key, element) in txn.appends() {
                assert!(
                    lists.writers.insert(element, id).is_none(),
                    "an element is appended once: {element}"
                );
                lists.orders.entry(key).or_default();
            }
            for (key, element) in txn.appends_taken_back() {
                lists.taken_back.insert(element, id);
                lists.orders.entry(key).or_default();
            }
        }
        for (id, txn) in history.txns.iter().enumerate() {
            for (at, op) in txn.ops.iter().enumerate() {
                let Op::ReadLists { from, to, lists: read } = op else { continue };
                let mut own: BTreeMap<ListKey, Vec<Element>> = BTreeMap::new();
                for (key, element) in txn.appends_before(at, false) {
                    own.entry(key).or_default().push(element);
                }
                lists.add_read(id, *from..*to, read, &own)?;
            }
        }
        lists.check_reads(history)?;
        Ok(lists)
    }

    /// Takes the own appends off, which must stand at the end; keeps the longest of what is left as the order.
    fn add_read(
        &mut self,
        reader: TxnId,
        keys: std::ops::Range<ListKey>,
        read: &BTreeMap<ListKey, Vec<Element>>,
        own: &BTreeMap<ListKey, Vec<Element>>,
    ) -> Result<(), Violation> {
        if let Some(key) = read.keys().find(|key| !keys.contains(key)) {
            return violation("lists", format!("transaction {reader} asked for {keys:?} and got list {key}"));
        }
        let known: Vec<ListKey> = self.orders.range(keys).map(|(key, _)| *key).collect();
        if let Some(key) = read.keys().find(|key| !known.contains(key)) {
            return violation("lists", format!("transaction {reader} read list {key}, which nobody made"));
        }
        for key in known {
            let told = read.get(&key).map_or(&[][..], Vec::as_slice);
            let own = own.get(&key).map_or(&[][..], Vec::as_slice);
            let Some(others) = told.strip_suffix(own) else {
                let what =
                    format!("transaction {reader} appended {own:?} to list {key} and then read {told:?}");
                return violation("lists", what);
            };
            self.reads.push(ListRead { reader, key, length: others.len() });
            let order = self.orders.get_mut(&key).expect("it is known");
            let (short, long) =
                if others.len() < order.len() { (others, &order[..]) } else { (&order[..], others) };
            if !long.starts_with(short) {
                let what = format!(
                    "transaction {reader} read {others:?} of list {key}, which others saw as {order:?}"
                );
                return violation("lists", what);
            }
            *order = long.to_vec();
        }
        Ok(())
    }

    fn check_reads(&self, history: &History) -> Result<(), Violation> {
        for (key, order) in &self.orders {
            let distinct: BTreeSet<&Element> = order.iter().collect();
            if distinct.len() < order.len() {
                return violation("lists", format!("list {key} has an element twice: {order:?}"));
            }
            for element in order {
                if let Some(writer) = self.taken_back.get(element) {
                    let what = format!(
                        "{element} of list {key} was read after transaction {writer} had taken it back"
                    );
                    return violation("savepoint", what);
                }
                let Some(writer) = self.writers.get(element) else {
                    return violation("lists", format!("list {key} has {element}, which nobody appended"));
                };
                if history.txns[*writer].outcome == Outcome::Fail {
                    let what = format!(
                        "{element} of list {key} was read, and transaction {writer} had failed (G1a)"
                    );
                    return violation("isolation", what);
                }
            }
        }
        for ListRead { reader, key, length } in &self.reads {
            let order = &self.orders[key];
            let (Some(last), Some(next)) = (length.checked_sub(1).map(|at| order[at]), order.get(*length))
            else {
                continue;
            };
            if self.writers[&last] == self.writers[next] {
                let what = format!(
                    "transaction {reader} read list {key} up to {last}, in the midst of transaction {} (G1b)",
                    self.writers[next]
                );
                return violation("isolation", what);
            }
        }
        Ok(())
    }

    /// All appends of a transaction are there, or none; all of one whose client was told of the commit, as far as the
    /// lists were read afterwards.
    pub fn check_atomicity(&self, history: &History) -> Result<(), Violation> {
        let present: BTreeSet<Element> = self.orders.values().flatten().copied().collect();
        // What was read last of all: a list that nobody read since says nothing of what is missing in it.
        let Some(last) = history.txns.iter().rev().find(|txn| txn.outcome == Outcome::Ok) else {
            return Ok(());
        };
        let last_reads = last.ops.iter().filter_map(|op| match op {
            Op::ReadLists { from, to, .. } => Some(*from..*to),
            _ => None,
        });
        let ranges: Vec<_> = last_reads.collect();
        for (id, txn) in history.txns.iter().enumerate() {
            let was_read = |key: &ListKey| ranges.iter().any(|range| range.contains(key));
            let is_before = txn.ended_us <= last.began_us;
            let appends: Vec<(ListKey, Element)> =
                txn.appends().filter(|(key, _)| is_before && was_read(key)).collect();
            let found = appends.iter().filter(|(_, element)| present.contains(element)).count();
            if txn.outcome == Outcome::Ok && found < appends.len() {
                let what = format!(
                    "transaction {id} was acknowledged and {found} of its appends are there: {txn:?}"
                );
                return violation("durability", what);
            }
            if found > 0 && found < appends.len() {
                let what = format!("half of transaction {id} is there: {found} of {appends:?}");
                return violation("atomicity", what);
            }
        }
        Ok(())
    }

    /// A read that began after a commit was acknowledged has it; one in another process may be a little behind.
    pub fn check_freshness(&self, history: &History, stale_read_max_us: u64) -> Result<(), Violation> {
        for ListRead { reader, key, length } in &self.reads {
            let txn = &history.txns[*reader];
            for element in &self.orders[key][*length..] {
                let writer = self.writers[element];
                let commit = &history.txns[writer];
                let slack_us = if commit.run == txn.run { 0 } else { stale_read_max_us };
                let is_before =
                    commit.outcome == Outcome::Ok && commit.ended_us.saturating_add(slack_us) < txn.began_us;
                if writer != *reader && is_before {
                    let what = format!(
                        "transaction {reader} began at {} us and did not see {element} of list {key}, which \
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
