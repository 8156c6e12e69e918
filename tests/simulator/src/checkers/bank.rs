//! Checker: transfers make and lose no money, so every sum that anyone is told is the same.

use super::{Violation, violation};
use crate::history::{History, Op};
use crate::workload::{ACCOUNTS, BALANCE};

pub(super) fn check(history: &History) -> Result<(), Violation> {
    for (id, txn) in history.txns.iter().enumerate() {
        for op in &txn.ops {
            if let Op::Sum { total } = op
                && *total != ACCOUNTS * BALANCE
            {
                return violation("bank", format!("transaction {id} saw {total} in all accounts: {txn:?}"));
            }
        }
    }
    Ok(())
}
