//! How much of each table has changed since it was analysed, and which tables that makes due.
//!
//! Owns [`Activity`], counts of committed changes in memory. Never analyses: the server runs ANALYZE as any client would, and
//! says when that is over. A table whose statistics have not changed by then is due again later, each time twice as much later.

use crate::catalog::Catalog;
use crate::catalog::object::{Oid, Table};
use crate::definition::parse_bool;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// PostgreSQL's `autovacuum_analyze_threshold` and `autovacuum_analyze_scale_factor`: as many changes, and as large a part of
/// the rows, make a table due.
const THRESHOLD: f64 = 50.0;
const SCALE_FACTOR: f64 = 0.1;

/// How long a table rests after an analysis that came to nothing, at first and at most.
const REST_US: u64 = 10_000_000;
const REST_US_MAX: u64 = 3_600_000_000;

#[derive(Default)]
struct Changes {
    rows: u64,
    /// Those for which it is being analysed.
    taken: Option<u64>,
    /// Analyses in a row that came to nothing.
    failures: u32,
    rests_until_us: u64,
    /// The last look at the catalog did not find it: it may just have been made, or be gone.
    is_unknown: bool,
}

/// Changes of rows by table.
#[derive(Default)]
pub(crate) struct Activity {
    tables: Mutex<BTreeMap<Oid, Changes>>,
}

impl Activity {
    /// A transaction has committed.
    pub(crate) fn add(&self, changed: impl ExactSizeIterator<Item = (Oid, u64)>) {
        if changed.len() == 0 {
            return;
        }
        let mut tables = self.tables.lock();
        for (table, rows) in changed {
            tables.entry(table).or_default().rows += rows;
        }
    }

    /// A table is gone.
    pub(crate) fn forget(&self, table: Oid) {
        self.tables.lock().remove(&table);
    }

    /// A table has been analysed. What was changed since that was begun because of its changes still counts.
    pub(crate) fn analysed(&self, table: Oid) {
        let mut tables = self.tables.lock();
        if let Some(changes) = tables.get_mut(&table) {
            let rows = if changes.taken.is_some() { changes.rows } else { 0 };
            *changes = Changes { rows, ..Changes::default() };
            if rows == 0 {
                tables.remove(&table);
            }
        }
    }

    /// The tables that are due, each with the catalog that it is in. Each must be said to be over.
    pub(crate) fn take_due(&self, catalogs: &[Arc<Catalog>], now_us: u64) -> Vec<(Arc<Catalog>, Arc<Table>)> {
        let find = |oid| catalogs.iter().find_map(|catalog| Some((catalog, catalog.table(oid)?)));
        let mut due = Vec::new();
        self.tables.lock().retain(|&oid, changes| {
            let Some((catalog, table)) = find(oid) else {
                return !std::mem::replace(&mut changes.is_unknown, true);
            };
            changes.is_unknown = false;
            let rows = catalog.statistics(oid).and_then(|statistics| statistics.rows);
            let may_be_due = changes.taken.is_none() && changes.rests_until_us <= now_us;
            if may_be_due
                && !catalog.is_temporary(table.schema)
                && is_due(table, rows.unwrap_or(0), changes.rows)
            {
                changes.taken = Some(std::mem::take(&mut changes.rows));
                due.push((catalog.clone(), table.clone()));
            }
            true
        });
        due
    }

    /// The analysis of a table that was due is over, whatever came of it.
    pub(crate) fn is_over(&self, table: Oid, now_us: u64) {
        // Else it has been analysed, or is gone.
        if let Some(changes) = self.tables.lock().get_mut(&table)
            && let Some(taken) = changes.taken.take()
        {
            changes.rows += taken;
            let rest_us = REST_US.saturating_mul(1 << changes.failures.min(16)).min(REST_US_MAX);
            changes.rests_until_us = now_us.saturating_add(rest_us);
            changes.failures += 1;
        }
    }
}

/// Whether so many changes of a table that had so many rows are enough.
#[expect(clippy::cast_precision_loss, reason = "a guess at a tenth")]
fn is_due(table: &Table, rows: u64, changed: u64) -> bool {
    let parameter = |name: &str| {
        let found = table.parameters.iter().find(|parameter| parameter.name == name);
        found.and_then(|parameter| parameter.value.as_deref())
    };
    if parameter("autovacuum_enabled").and_then(parse_bool) == Some(false) {
        return false;
    }
    let number =
        |name: &str, default: f64| parameter(name).and_then(|value| value.parse().ok()).unwrap_or(default);
    let threshold = number("autovacuum_analyze_threshold", THRESHOLD)
        + number("autovacuum_analyze_scale_factor", SCALE_FACTOR) * rows as f64;
    changed as f64 > threshold
}
