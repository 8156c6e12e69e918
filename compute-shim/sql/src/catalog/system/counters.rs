//! `pg_stat_user_tables`, `pg_stat_user_indexes` and their kin: what has been read and changed.
//!
//! Owns the shape of the rows; `relation_statistics.rs` owns the counters. The system's own tables are made anew for each
//! statement: nothing is counted of them, which NULL says.

use super::value::{NULL, oid, text};
use super::{SystemTable, tables};
use crate::catalog::object::{PG_CATALOG_OID, Table};
use crate::database::Database;
use crate::execute::Row;
use crate::relation_statistics::{Runs, TableStatistics};
use crate::session::SessionView;
use hexalog_sql_types::Datum;
use hexalog_sql_types::datetime::Timestamptz;
use std::sync::Arc;

const COUNTERS: usize = 20;

fn int8(value: u64) -> Datum {
    Datum::Int8(i64::try_from(value).unwrap_or(i64::MAX))
}

fn last(runs: &Runs) -> Datum {
    runs.last_us.map_or(NULL, |us| Datum::Timestamptz(Timestamptz(us)))
}

/// `analysed_rows`: how many the last ANALYZE has found, if it was another process's.
fn counters(table: &Table, sums: &TableStatistics, analysed_rows: Option<u64>) -> [Datum; COUNTERS] {
    let TableStatistics { counts, changed, analysed, auto_analysed, vacuumed, .. } = sums;
    let by_index: Vec<_> = table.indexes.iter().map(|index| counts.of_index(index.oid)).collect();
    // As in PostgreSQL, where there is no index there is no sum of indexes.
    let of_indexes = |sum: u64| if by_index.is_empty() { NULL } else { int8(sum) };
    let found = sums.found.unwrap_or_else(|| i64::try_from(analysed_rows.unwrap_or(0)).unwrap_or(i64::MAX));
    let rows = found.saturating_add(sums.live);
    [
        int8(counts.sequential.scans),
        int8(counts.sequential.entries),
        of_indexes(by_index.iter().map(|index| index.scans).sum()),
        of_indexes(by_index.iter().map(|index| index.rows).sum()),
        int8(changed.inserted),
        int8(changed.updated),
        int8(changed.deleted),
        // Rows are changed where they lie, and old versions are in the undo log: there are neither HOT updates nor dead rows.
        int8(0),
        Datum::Int8(rows.max(0)),
        int8(0),
        int8(sums.modified),
        int8(sums.inserted),
        last(vacuumed),
        NULL,
        last(analysed),
        last(auto_analysed),
        int8(vacuumed.count),
        int8(0),
        int8(analysed.count),
        int8(auto_analysed.count),
    ]
}

pub(super) fn pg_stat_user_tables(view: &SessionView, database: &Database) -> Vec<Row> {
    let catalog = view.catalog();
    let row = |table: &Arc<Table>| {
        let analysed_rows = catalog.statistics(table.oid).and_then(|statistics| statistics.rows);
        let mut row = vec![oid(table.oid), text(catalog.schema_name(table.schema)), text(&table.name)];
        row.extend(counters(table, &database.relations.of(table.oid), analysed_rows));
        row
    };
    catalog.tables().map(row).collect()
}

pub(super) fn pg_stat_all_tables(view: &SessionView, database: &Database) -> Vec<Row> {
    let schema = view.catalog().schema_name(PG_CATALOG_OID);
    let row = |table: &SystemTable| {
        let mut row = vec![oid(table.oid), text(schema), text(table.name)];
        row.extend([NULL; COUNTERS]);
        row
    };
    let mut rows: Vec<Row> = tables().iter().filter(|table| !table.is_view).map(row).collect();
    rows.extend(pg_stat_user_tables(view, database));
    rows
}

/// The system's own tables have no indexes.
pub(super) fn pg_stat_indexes(view: &SessionView, database: &Database) -> Vec<Row> {
    let catalog = view.catalog();
    let mut rows = Vec::new();
    for table in catalog.tables() {
        let sums = database.relations.of(table.oid);
        for index in &table.indexes {
            let counts = sums.counts.of_index(index.oid);
            rows.push(vec![
                oid(table.oid),
                oid(index.oid),
                text(catalog.schema_name(table.schema)),
                text(&table.name),
                text(&index.name),
                int8(counts.scans),
                int8(counts.entries),
                int8(counts.rows),
            ]);
        }
    }
    rows
}
