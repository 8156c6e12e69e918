//! The tables that a change reaches through foreign keys, noted to be locked with those that the statement names.
//!
//! `execute/referential.rs` says what is done with them.

use super::Binder;
use crate::catalog::object::{Oid, Table};
use crate::parse::tree::ReferentialAction;
use hexalog_engine::RelationLockMode;
use std::collections::BTreeSet;

/// What happens to a table's rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    Insert,
    /// Of these columns.
    Update(Vec<usize>),
    Delete,
}

impl Binder<'_> {
    /// Notes what a change of a table may have to look at, or to change in turn.
    pub(super) fn lock_referential(&mut self, table: &Table, change: Change) {
        let (mut rest, mut seen) = (vec![(table.oid, change)], BTreeSet::new());
        while let Some((oid, change)) = rest.pop() {
            let catalog = self.context.view.catalog();
            let Some(table) = catalog.table(oid).cloned() else { continue };
            let change = match change {
                Change::Update(mut columns) => {
                    let generated: Vec<usize> = table.generated_from(&columns).map(|(at, _)| at).collect();
                    columns.extend(generated);
                    Change::Update(columns)
                }
                other => other,
            };
            if !seen.insert((oid, change.clone())) {
                continue;
            }
            let mut locks: Vec<(Oid, RelationLockMode)> = Vec::new();
            for key in &table.foreign_keys {
                let own = key.columns.iter().map(|pair| pair.0);
                if changes(&change, own, false) {
                    locks.push((key.target, RelationLockMode::RowShare));
                }
            }
            for &(referring, at) in catalog.referring(oid) {
                let Some(key) = catalog.table(referring).and_then(|other| other.foreign_keys.get(at)) else {
                    continue;
                };
                if change == Change::Insert || !changes(&change, key.columns.iter().map(|pair| pair.1), true)
                {
                    continue;
                }
                let is_delete = change == Change::Delete;
                let action = if is_delete { key.on_delete } else { key.on_update };
                let next = match action {
                    ReferentialAction::NoAction | ReferentialAction::Restrict => None,
                    ReferentialAction::Cascade if is_delete => Some(Change::Delete),
                    ReferentialAction::Cascade
                    | ReferentialAction::SetNull
                    | ReferentialAction::SetDefault => {
                        Some(Change::Update(key.columns.iter().map(|pair| pair.0).collect()))
                    }
                };
                let mode = match next {
                    None => RelationLockMode::RowShare,
                    Some(_) => RelationLockMode::RowExclusive,
                };
                locks.push((referring, mode));
                rest.extend(next.map(|next| (referring, next)));
            }
            locks.into_iter().for_each(|(oid, mode)| self.lock(oid, mode));
        }
    }
}

/// Whether a change touches columns; a delete touches those that are `referred` to.
fn changes(change: &Change, mut columns: impl Iterator<Item = usize>, referred: bool) -> bool {
    match change {
        Change::Insert => !referred,
        Change::Delete => referred,
        Change::Update(changed) => columns.any(|column| changed.contains(&column)),
    }
}
