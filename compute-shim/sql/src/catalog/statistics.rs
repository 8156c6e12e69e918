//! What ANALYZE has found: of a table, and of each of its columns.
//!
//! Owns the shapes, which follow PostgreSQL's `pg_statistic`; `definition/analyze.rs` gathers them, `plan/selectivity.rs`
//! guesses by them, `system/statistics.rs` shows them. They are an object of the catalog of their own, under the table's
//! number, so that gathering them changes no table.

use super::object::{Object, ObjectClass, Oid};
use super::{Catalog, Changes};
use hexalog_sql_types::{Datum, TypeId};
use std::sync::Arc;

/// The statistics of a table.
#[derive(Clone, Debug)]
pub(crate) struct Statistics {
    pub table: Oid,
    /// Rows when it was last analysed; `None` once it has been truncated.
    pub rows: Option<u64>,
    /// Bytes of these rows, keys included.
    pub bytes: u64,
    /// By place, from 0, ascending; those that were analysed.
    pub columns: Vec<ColumnStatistics>,
}

/// The statistics of a column.
#[derive(Clone, Debug)]
pub(crate) struct ColumnStatistics {
    pub column: usize,
    /// What its values were when they were looked at.
    pub type_id: TypeId,
    pub null_fraction: f32,
    /// Mean bytes of a value.
    pub width: u32,
    /// As in `pg_stats.n_distinct`: a count of different values, or below zero the negated part of all rows; 0 is not known.
    pub distinct: f32,
    /// The most common values with the part of all rows that each has, the most common first.
    pub common: Vec<(Datum, f32)>,
    /// Values that cut the others into parts of equally many rows, ascending; none, or two at least.
    pub bounds: Vec<Datum>,
    /// Of the order of the values and that of the rows' keys.
    pub correlation: Option<f32>,
}

impl Statistics {
    pub(crate) fn column(&self, column: usize) -> Option<&ColumnStatistics> {
        self.columns.iter().find(|statistics| statistics.column == column)
    }
}

/// The changes of a statement with those that they make to statistics: these fall with their table, and a column's with the
/// column or its type.
pub(crate) fn forget_fallen(before: &Catalog, mut changes: Changes) -> Changes {
    let mut fallen = Changes::new();
    for (&(class, oid), change) in &changes {
        let Some(kept) = before.statistics(oid).filter(|_| class == ObjectClass::Table) else { continue };
        let own = (ObjectClass::Statistics, oid);
        let Some(Object::Table(table)) = change else {
            fallen.insert(own, None);
            continue;
        };
        if changes.contains_key(&own) {
            continue;
        }
        let stays = |statistics: &&ColumnStatistics| {
            let column = &table.columns[statistics.column];
            !column.dropped && column.type_id == statistics.type_id
        };
        let columns: Vec<_> = kept.columns.iter().filter(stays).cloned().collect();
        if columns.len() < kept.columns.len() {
            let statistics = Statistics { columns, ..Statistics::clone(kept) };
            fallen.insert(own, Some(Object::Statistics(Arc::new(statistics))));
        }
    }
    changes.extend(fallen);
    changes
}
