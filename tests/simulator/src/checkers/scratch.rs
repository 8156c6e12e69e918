//! Checker: a table that one client alone writes holds what it wrote, whatever was dropped or emptied and taken back.

use super::{Violation, violation};
use crate::history::{History, Op};

pub(super) fn check(history: &History) -> Result<(), Violation> {
    for (id, txn) in history.txns.iter().enumerate() {
        for op in &txn.ops {
            if let Op::Scratch { expected, read } = op
                && expected != read
            {
                let what = format!("transaction {id} read {read:?} rows and sum, and wrote {expected:?}");
                return violation("scratch", what);
            }
        }
    }
    Ok(())
}
