//! References and keys that are checked when their transaction commits, or when SET CONSTRAINTS asks for it.
//!
//! Owns [`Deferred`], a transaction's queue of them and what SET CONSTRAINTS has said. A debt stays in the queue once it has been
//! looked at, since a rollback to an earlier savepoint takes that back. How a debt is settled stands in `referential.rs` and `unique.rs`.

use super::kept_bytes::KeptBytes;
use super::referential::Debt;
use crate::catalog::Catalog;
use crate::catalog::object::{ForeignKey, Oid};
use crate::parse::tree::{Deferral, ReferentialAction};
use hexalog_sql_types::error::Result;
use std::collections::BTreeMap;

/// What SET CONSTRAINTS has said in this transaction.
#[derive(Clone, Debug, Default)]
struct Modes {
    all: Option<bool>,
    each: BTreeMap<Oid, bool>,
}

struct Waiting {
    debt: Debt,
    /// The table whose rows were changed.
    on: Oid,
    /// It was looked at while this was the newest savepoint.
    settled: Option<u64>,
}

/// What a transaction owes.
pub(crate) struct Deferred {
    debts: Vec<Waiting>,
    modes: Modes,
    kept: KeptBytes,
}

/// The state at a savepoint.
#[derive(Clone, Debug)]
pub(crate) struct DeferredMark {
    debts: usize,
    modes: Modes,
}

impl Default for Deferred {
    fn default() -> Deferred {
        let kept = KeptBytes::new("A transaction whose constraints wait to be checked");
        Deferred { debts: Vec::new(), modes: Modes::default(), kept }
    }
}

impl Deferred {
    /// Whether a debt of this foreign key waits now.
    pub(super) fn takes(&self, key: &ForeignKey, debt: &Debt) -> bool {
        let may_wait = match debt {
            Debt::Present { .. } => true,
            // Only the check can wait, no action.
            Debt::Changed { new: Some(_), .. } => key.on_update == ReferentialAction::NoAction,
            Debt::Changed { new: None, .. } => key.on_delete == ReferentialAction::NoAction,
            Debt::Unique(_) => false,
        };
        may_wait && self.is_deferred(key.oid, key.deferral)
    }

    /// Whether a constraint waits now.
    pub(super) fn is_deferred(&self, constraint: Oid, deferral: Deferral) -> bool {
        if deferral == Deferral::Never {
            return false;
        }
        let said = self.modes.each.get(&constraint).copied().or(self.modes.all);
        said.unwrap_or(deferral == Deferral::Deferred)
    }

    /// Keeps a debt that changes of this table have brought.
    pub(super) fn push(&mut self, debt: Debt, on: Oid) -> Result<()> {
        debt.count(&mut self.kept)?;
        self.debts.push(Waiting { debt, on, settled: None });
        Ok(())
    }

    /// SET CONSTRAINTS; all of them without keys.
    pub(crate) fn set(&mut self, keys: Option<&[Oid]>, deferred: bool) {
        match keys {
            None => self.modes = Modes { all: Some(deferred), each: BTreeMap::new() },
            Some(keys) => self.modes.each.extend(keys.iter().map(|&key| (key, deferred))),
        }
    }

    /// Whether anything waits, of these keys or at all.
    pub(crate) fn is_due(&self, keys: Option<&[Oid]>) -> bool {
        self.debts.iter().any(|waiting| waiting.settled.is_none() && is_of(&waiting.debt, keys))
    }

    /// Whether something waits that changes of this table have brought.
    pub(crate) fn concerns(&self, table: Oid) -> bool {
        self.debts.iter().any(|waiting| waiting.settled.is_none() && waiting.on == table)
    }

    /// What is to be settled now; `serial` is the newest savepoint's.
    pub(super) fn take_due(&mut self, keys: Option<&[Oid]>, serial: u64) -> Vec<Debt> {
        let due =
            self.debts.iter_mut().filter(|waiting| waiting.settled.is_none() && is_of(&waiting.debt, keys));
        due.map(|waiting| {
            waiting.settled = Some(serial);
            waiting.debt.clone()
        })
        .collect()
    }

    pub(crate) fn mark(&self) -> DeferredMark {
        DeferredMark { debts: self.debts.len(), modes: self.modes.clone() }
    }

    /// Goes back to a savepoint of this serial.
    pub(crate) fn roll_back_to(&mut self, mark: &DeferredMark, serial: u64) {
        self.debts.truncate(mark.debts);
        self.modes.clone_from(&mark.modes);
        for waiting in &mut self.debts {
            waiting.settled.take_if(|settled| *settled >= serial);
        }
    }

    /// The transaction is over.
    pub(crate) fn clear(&mut self) {
        if !self.debts.is_empty() || self.modes.all.is_some() || !self.modes.each.is_empty() {
            *self = Deferred::default();
        }
    }
}

fn is_of(debt: &Debt, keys: Option<&[Oid]>) -> bool {
    keys.is_none_or(|keys| keys.contains(&debt.constraint()))
}

/// The constraints that SET CONSTRAINTS names in one schema: whether there is a constraint of the name, and those that can be
/// deferred.
pub(crate) fn constraints_named(catalog: &Catalog, schema: Oid, name: &str) -> (bool, Vec<Oid>) {
    let (mut is_there, mut keys) = (false, Vec::new());
    for table in catalog.tables().filter(|table| table.schema == schema) {
        is_there |= table.checks.iter().any(|check| check.name == name);
        let backed = table.indexes.iter().filter(|index| index.constraint != 0 && index.name == name);
        let foreign = table.foreign_keys.iter().filter(|key| key.name == name);
        let found = backed.map(|index| (index.constraint, index.deferral));
        for (constraint, deferral) in found.chain(foreign.map(|key| (key.oid, key.deferral))) {
            is_there = true;
            if deferral != Deferral::Never {
                keys.push(constraint);
            }
        }
    }
    (is_there, keys)
}
