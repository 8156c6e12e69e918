//! How much of each table has changed since it was analysed, and which tables that makes due.
//!
//! Owns [`Activity`], counts of committed changes in memory. Never analyses: the server runs ANALYZE as any client would.

use crate::catalog::Catalog;
use crate::catalog::object::{Oid, Table};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// PostgreSQL's `autovacuum_analyze_threshold` and `autovacuum_analyze_scale_factor`: as many changes, and as large a part of
/// the rows, make a table due.
const THRESHOLD: f64 = 50.0;
const SCALE_FACTOR: f64 = 0.1;

/// Changes of rows by table.
#[derive(Default)]
pub(crate) struct Activity {
    changed: Mutex<BTreeMap<Oid, u64>>,
}

impl Activity {
    /// A transaction has committed.
    pub(crate) fn add(&self, changed: Vec<(Oid, u64)>) {
        if changed.is_empty() {
            return;
        }
        let mut all = self.changed.lock();
        for (table, rows) in changed {
            *all.entry(table).or_default() += rows;
        }
    }

    /// A table is analysed, or gone.
    pub(crate) fn forget(&self, table: Oid) {
        self.changed.lock().remove(&table);
    }

    /// The tables that are due. Their counts begin anew, whatever comes of it.
    pub(crate) fn take_due(&self, catalog: &Catalog) -> Vec<Oid> {
        let mut due = Vec::new();
        self.changed.lock().retain(|&oid, &mut changed| {
            let Some(table) = catalog.table(oid) else { return false };
            let rows = catalog.statistics(oid).and_then(|statistics| statistics.rows);
            let is_due = !catalog.is_temporary(table.schema) && is_due(table, rows.unwrap_or(0), changed);
            due.extend(is_due.then_some(oid));
            !is_due
        });
        due
    }
}

/// Whether so many changes of a table that had so many rows are enough.
#[expect(clippy::cast_precision_loss, reason = "a guess at a tenth")]
fn is_due(table: &Table, rows: u64, changed: u64) -> bool {
    let parameter = |name: &str| {
        let found = table.parameters.iter().find(|parameter| parameter.name == name);
        found.and_then(|parameter| parameter.value.as_deref())
    };
    if parameter("autovacuum_enabled").is_some_and(|value| ["false", "off", "0", "no"].contains(&value)) {
        return false;
    }
    let number =
        |name: &str, default: f64| parameter(name).and_then(|value| value.parse().ok()).unwrap_or(default);
    let threshold = number("autovacuum_analyze_threshold", THRESHOLD)
        + number("autovacuum_analyze_scale_factor", SCALE_FACTOR) * rows as f64;
    changed as f64 > threshold
}
