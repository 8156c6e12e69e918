//! Checker: a unique index holds no key twice, and says what its table says.
//!
//! One exception, as in PostgreSQL: a REPEATABLE READ transaction that has itself taken a key which another gave up
//! after its snapshot sees both rows. At SERIALIZABLE it fails.

use super::{Violation, violation};
use crate::history::{History, Level, Op, TaggedRow};
use std::collections::BTreeSet;

pub(super) fn check(history: &History) -> Result<(), Violation> {
    for (id, txn) in history.txns.iter().enumerate() {
        // Read in the same snapshot, nothing of its own written in between.
        let mut before: Option<(&str, &str, BTreeSet<&TaggedRow>)> = None;
        let mut has_written = false;
        for op in &txn.ops {
            let Op::ReadTags { from, to, through_index, rows } = op else {
                before = None;
                has_written |= matches!(op, Op::ChangesTags);
                continue;
            };
            let tags: BTreeSet<&str> = rows.iter().map(|row| row.tag.as_str()).collect();
            let ids: BTreeSet<u32> = rows.iter().map(|row| row.id).collect();
            let may_see_old = has_written && txn.level == Level::RepeatableRead;
            if tags.len() < rows.len() && !may_see_old || ids.len() < rows.len() {
                return violation("unique", format!("transaction {id} saw a key twice: {rows:?}"));
            }
            if let Some(row) = rows.iter().find(|row| row.tag < *from || row.tag >= *to) {
                let what = format!(
                    "transaction {id} asked for {from}..{to} (index {through_index}) and got {row:?}"
                );
                return violation("unique", what);
            }
            let rows: BTreeSet<&TaggedRow> = rows.iter().collect();
            if let Some((from_before, to_before, rows_before)) = &before
                && (*from_before, *to_before) == (from.as_str(), to.as_str())
                && *rows_before != rows
            {
                let what = format!(
                    "transaction {id} read {from}..{to} twice in one snapshot, index and table differ: \
                     {rows_before:?} and {rows:?}"
                );
                return violation("unique", what);
            }
            before = txn.level.has_one_snapshot().then_some((from, to, rows));
        }
    }
    Ok(())
}
