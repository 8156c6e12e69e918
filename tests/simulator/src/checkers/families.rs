//! Checker: no row refers to a row that is not there, whatever the action of the reference.
//!
//! Of a transaction that changed such rows itself nothing is asked: its own check may have looked past its snapshot.

use super::{Violation, violation};
use crate::history::{History, Op};

pub(super) fn check(history: &History) -> Result<(), Violation> {
    for (id, txn) in history.txns.iter().enumerate() {
        for op in &txn.ops {
            match op {
                Op::ChangesFamilies => break,
                Op::Orphans { count } if *count != 0 => {
                    return violation(
                        "families",
                        format!("transaction {id} saw {count} rows without a parent: {txn:?}"),
                    );
                }
                _ => {}
            }
        }
    }
    Ok(())
}
