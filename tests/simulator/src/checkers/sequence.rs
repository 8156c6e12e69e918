//! Checker: a sequence gives no number twice, and no call of it takes two.
//!
//! Numbers may be left out: by a statement whose end nobody was told, and by a compute process that ends with some that
//! it had set aside. Within one process the numbers told and the calls without an answer must fill the range.

use super::{Violation, violation};
use crate::history::{History, Op};
use std::collections::BTreeMap;

#[derive(Default)]
struct Numbers {
    low: Option<i64>,
    high: i64,
    told: u64,
    untold: u64,
}

pub(super) fn check(history: &History) -> Result<(), Violation> {
    let mut owners = BTreeMap::new();
    let mut runs: BTreeMap<u64, Numbers> = BTreeMap::new();
    for (id, txn) in history.txns.iter().enumerate() {
        for op in &txn.ops {
            let Op::NextValue { value } = op else { continue };
            let numbers = runs.entry(txn.run).or_default();
            let Some(value) = *value else {
                numbers.untold += 1;
                continue;
            };
            if let Some(other) = owners.insert(value, id) {
                return violation(
                    "sequence",
                    format!("transactions {other} and {id} were both told {value}"),
                );
            }
            numbers.told += 1;
            numbers.low = Some(numbers.low.map_or(value, |low| low.min(value)));
            numbers.high = numbers.high.max(value);
        }
    }
    for (run, Numbers { low, high, told, untold }) in runs {
        let Some(low) = low else { continue };
        let taken = (high - low + 1) as u64;
        if taken > told + untold {
            let what = format!(
                "process {run} took {taken} numbers for {told} answers and {untold} calls without one"
            );
            return violation("sequence", what);
        }
    }
    Ok(())
}
