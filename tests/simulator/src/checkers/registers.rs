//! Checker: each version of a register replaced one other, and no two the same one.
//!
//! Finds out the order of versions from what each has replaced, as its writer and its readers were told; the first replaced 0.
//! Two that replaced the same are a lost update, whatever the level: an update looks again at what it waited for, or fails. What
//! follows from the order, `versions.rs` says.

use super::versions::{Read, Versions};
use super::{Violation, violation};
use crate::history::{Element, History, Op, Outcome, Place, RegisterKey, TxnId};
use std::collections::{BTreeMap, BTreeSet};

/// What stands in a register without a row.
const NOTHING: Element = 0;

/// What is known of one register before its order is.
#[derive(Default)]
struct Register {
    /// Of each version what it replaced, as anyone was told.
    replaced: BTreeMap<Element, Element>,
    /// Versions that are known to have been committed, by what anyone was told.
    present: BTreeSet<Element>,
}

/// Adds the orders of all registers and the reads of them.
pub(super) fn add_reads(versions: &mut Versions, history: &History) -> Result<(), Violation> {
    let mut registers: BTreeMap<RegisterKey, Register> = BTreeMap::new();
    for place in versions.orders.keys() {
        if let Place::Register(key) = place {
            registers.insert(*key, Register::default());
        }
    }
    for (id, txn) in history.txns.iter().enumerate() {
        note_writes(&mut registers, history, id)?;
        for (at, op) in txn.ops.iter().enumerate() {
            note_reads(&mut registers, history, (id, at), op)?;
        }
    }
    for (key, register) in registers {
        let order = register.order(key)?;
        versions.orders.insert(Place::Register(key), order);
    }
    for (id, txn) in history.txns.iter().enumerate() {
        for (at, op) in txn.ops.iter().enumerate() {
            if let Op::ReadRegisters { found, .. } = op {
                add_read(versions, history, (id, at), op, found);
            }
        }
    }
    Ok(())
}

fn note_writes(
    registers: &mut BTreeMap<RegisterKey, Register>,
    history: &History,
    writer: TxnId,
) -> Result<(), Violation> {
    let txn = &history.txns[writer];
    for (op, is_taken_back) in txn.ops_before(txn.ops.len()) {
        let Op::WriteRegister { key, value, replaced } = op else { continue };
        let register = registers.get_mut(key).expect("all that was written to is known");
        if let Some(replaced) = replaced {
            register.note_replaced(*key, *value, *replaced)?;
        }
        if txn.outcome == Outcome::Ok && !is_taken_back {
            register.present.insert(*value);
        }
    }
    Ok(())
}

fn note_reads(
    registers: &mut BTreeMap<RegisterKey, Register>,
    history: &History,
    (reader, at): (TxnId, usize),
    op: &Op,
) -> Result<(), Violation> {
    let Op::ReadRegisters { found, .. } = op else { return Ok(()) };
    let txn = &history.txns[reader];
    if let Some(key) = found.keys().find(|key| !op.reads(Place::Register(**key))) {
        return violation("registers", format!("transaction {reader} got register {key} for {op:?}"));
    }
    let own: BTreeMap<RegisterKey, Element> = own_writes(history, (reader, at));
    for (key, value) in &own {
        if op.reads(Place::Register(*key)) && found.get(key).map(|(told, _)| told) != Some(value) {
            let what = format!(
                "transaction {reader} wrote {value} to register {key} and read {:?}: {txn:?}",
                found.get(key)
            );
            return violation("registers", what);
        }
    }
    for (key, (value, replaced)) in found {
        let Some(register) = registers.get_mut(key) else {
            return violation(
                "registers",
                format!("transaction {reader} read register {key}, which nobody made"),
            );
        };
        register.note_replaced(*key, *value, *replaced)?;
        if own.get(key) != Some(value) {
            register.present.insert(*value);
        }
    }
    Ok(())
}

/// What a transaction had last written to each before an operation.
fn own_writes(history: &History, (writer, at): (TxnId, usize)) -> BTreeMap<RegisterKey, Element> {
    let writes = history.txns[writer].writes_before(at, false);
    let own = writes.filter_map(|(place, value)| match place {
        Place::Register(key) => Some((key, value)),
        Place::List(_) => None,
    });
    own.collect()
}

fn add_read(
    versions: &mut Versions,
    history: &History,
    (reader, at): (TxnId, usize),
    op: &Op,
    found: &BTreeMap<RegisterKey, (Element, Element)>,
) {
    let own = own_writes(history, (reader, at));
    for (place, order) in &versions.orders {
        let Place::Register(key) = place else { continue };
        // What lies below an own write it was not told.
        if !op.reads(*place) || own.contains_key(key) {
            continue;
        }
        let length = found.get(key).map_or(0, |(value, _)| {
            1 + order.iter().position(|version| version == value).expect("what was read is in the order")
        });
        versions.reads.push(Read { reader, at, place: *place, length });
    }
}

impl Register {
    fn note_replaced(
        &mut self,
        key: RegisterKey,
        value: Element,
        replaced: Element,
    ) -> Result<(), Violation> {
        match self.replaced.insert(value, replaced) {
            Some(before) if before != replaced => {
                let what = format!("{value} of register {key} replaced {before} and {replaced}");
                violation("registers", what)
            }
            _ => Ok(()),
        }
    }

    /// All versions that are known to have been there, from the first to the last.
    fn order(mut self, key: RegisterKey) -> Result<Vec<Element>, Violation> {
        // What was replaced was there.
        let mut unseen: Vec<Element> = self.present.iter().copied().collect();
        let mut next: BTreeMap<Element, Element> = BTreeMap::new();
        while let Some(value) = unseen.pop() {
            let Some(&replaced) = self.replaced.get(&value) else {
                let what = format!("register {key} held {value}, and nobody was told what that replaced");
                return violation("registers", what);
            };
            if let Some(other) = next.insert(replaced, value) {
                let what = format!(
                    "{other} and {value} of register {key} both replaced {replaced}: an update is lost"
                );
                return violation("registers", what);
            }
            if replaced != NOTHING && self.present.insert(replaced) {
                unseen.push(replaced);
            }
        }
        let mut order = Vec::new();
        let mut at = NOTHING;
        while let Some(value) = next.get(&at) {
            order.push(*value);
            at = *value;
        }
        if order.len() < self.present.len() {
            let what = format!("versions of register {key} do not lead back to the first: {next:?}");
            return violation("registers", what);
        }
        Ok(order)
    }
}
