//! Checker: lists only grow, so what was told once is there for ever, in the same order.
//!
//! Finds out the order in which each list came to be: the longest of all that was read, of which every other must be a
//! beginning. What follows from it, `versions.rs` says.

use super::versions::{Read, Versions};
use super::{Violation, violation};
use crate::history::{Element, History, ListKey, Op, Place, TxnId};
use std::collections::BTreeMap;

/// Adds the orders of all lists and the reads of them.
pub(super) fn add_reads(versions: &mut Versions, history: &History) -> Result<(), Violation> {
    for (id, txn) in history.txns.iter().enumerate() {
        for (at, op) in txn.ops.iter().enumerate() {
            let Op::ReadLists { from, to, lists } = op else { continue };
            let mut own: BTreeMap<ListKey, Vec<Element>> = BTreeMap::new();
            for (place, element) in txn.writes_before(at, false) {
                if let Place::List(key) = place {
                    own.entry(key).or_default().push(element);
                }
            }
            add_read(versions, (id, at), *from..*to, lists, &own)?;
        }
    }
    Ok(())
}

/// Takes the own appends off, which must stand at the end; keeps the longest of what is left as the order.
fn add_read(
    versions: &mut Versions,
    (reader, at): (TxnId, usize),
    keys: std::ops::Range<ListKey>,
    read: &BTreeMap<ListKey, Vec<Element>>,
    own: &BTreeMap<ListKey, Vec<Element>>,
) -> Result<(), Violation> {
    if let Some(key) = read.keys().find(|key| !keys.contains(key)) {
        return violation("lists", format!("transaction {reader} asked for {keys:?} and got list {key}"));
    }
    let places = Place::List(keys.start)..Place::List(keys.end);
    let known: Vec<Place> = versions.orders.range(places).map(|(place, _)| *place).collect();
    if let Some(key) = read.keys().find(|key| !known.contains(&Place::List(**key))) {
        return violation("lists", format!("transaction {reader} read list {key}, which nobody made"));
    }
    for place in known {
        let Place::List(key) = place else { unreachable!("all between two lists are lists") };
        let told = read.get(&key).map_or(&[][..], Vec::as_slice);
        let own = own.get(&key).map_or(&[][..], Vec::as_slice);
        let Some(others) = told.strip_suffix(own) else {
            let what = format!("transaction {reader} appended {own:?} to list {key} and then read {told:?}");
            return violation("lists", what);
        };
        versions.reads.push(Read { reader, at, place, length: others.len() });
        let order = versions.orders.get_mut(&place).expect("it is known");
        let (short, long) =
            if others.len() < order.len() { (others, &order[..]) } else { (&order[..], others) };
        if !long.starts_with(short) {
            let what =
                format!("transaction {reader} read {others:?} of list {key}, which others saw as {order:?}");
            return violation("lists", what);
        }
        *order = long.to_vec();
    }
    Ok(())
}
