//! Views of `pg_catalog` that say in names what its tables say in numbers.

use super::value::{FALSE, NULL, oid, text};
use super::{SystemTable, tables};
use crate::catalog::object::{Oid, PG_CATALOG_OID, ROLE_OID, Table};
use crate::execute::Row;
use crate::session::SessionView;
use hexalog_sql_types::Datum;
use std::sync::Arc;

/// The name of a role, as `pg_get_userbyid` gives it.
fn role(view: &SessionView, number: Oid) -> Datum {
    view.catalog().role(number).map_or(NULL, |role| text(&role.name))
}

/// Tables of the system's own that are no views.
fn system_tables() -> impl Iterator<Item = &'static SystemTable> {
    tables().iter().filter(|table| !table.is_view)
}

pub(super) fn pg_tables(view: &SessionView) -> Vec<Row> {
    let catalog = view.catalog();
    let row = |schema: Oid, name: &str, owner: Oid, has_indexes: bool| {
        vec![
            text(catalog.schema_name(schema)),
            text(name),
            role(view, owner),
            NULL,
            Datum::Bool(has_indexes),
            FALSE,
            FALSE,
            FALSE,
        ]
    };
    let system = system_tables().map(|table| row(table.schema, table.name, ROLE_OID, false));
    let own =
        catalog.tables().map(|table| row(table.schema, &table.name, table.owner, !table.indexes.is_empty()));
    system.chain(own).collect()
}

/// `last_value` is NULL: it stands in storage, which a view does not visit.
pub(super) fn pg_sequences(view: &SessionView) -> Vec<Row> {
    let catalog = view.catalog();
    let mut rows = Vec::new();
    for sequence in catalog.sequences() {
        let params = &sequence.params;
        rows.push(vec![
            text(catalog.schema_name(sequence.schema)),
            text(&sequence.name),
            role(view, sequence.owner),
            oid(sequence.type_id.0),
            Datum::Int8(params.start),
            Datum::Int8(params.min),
            Datum::Int8(params.max),
            Datum::Int8(params.increment),
            Datum::Bool(params.cycle),
            Datum::Int8(sequence.cache),
            NULL,
        ]);
    }
    rows
}

/// Counters are NULL, which says that they are not kept. How many rows there are is what ANALYZE has found.
fn table_statistics(number: Oid, schema: &str, name: &str, rows: Option<u64>) -> Row {
    const COUNTERS: usize = 20;
    const N_LIVE_TUP: usize = 8;
    let rows = rows.map_or(NULL, |rows| Datum::Int8(i64::try_from(rows).unwrap_or(i64::MAX)));
    let mut row = vec![oid(number), text(schema), text(name)];
    row.extend((0..COUNTERS).map(|counter| if counter == N_LIVE_TUP { rows.clone() } else { NULL }));
    row
}

pub(super) fn pg_stat_user_tables(view: &SessionView) -> Vec<Row> {
    let catalog = view.catalog();
    let row = |table: &Arc<Table>| {
        let rows = catalog.statistics(table.oid).and_then(|statistics| statistics.rows);
        table_statistics(table.oid, catalog.schema_name(table.schema), &table.name, rows)
    };
    catalog.tables().map(row).collect()
}

pub(super) fn pg_stat_all_tables(view: &SessionView) -> Vec<Row> {
    let schema = view.catalog().schema_name(PG_CATALOG_OID);
    let mut rows: Vec<Row> =
        system_tables().map(|table| table_statistics(table.oid, schema, table.name, None)).collect();
    rows.extend(pg_stat_user_tables(view));
    rows
}

pub(super) fn pg_stat_user_indexes(view: &SessionView) -> Vec<Row> {
    let catalog = view.catalog();
    let mut rows = Vec::new();
    for table in catalog.tables() {
        for index in &table.indexes {
            rows.push(vec![
                oid(table.oid),
                oid(index.oid),
                text(catalog.schema_name(table.schema)),
                text(&table.name),
                text(&index.name),
                NULL,
                NULL,
                NULL,
            ]);
        }
    }
    rows
}

/// The system's own tables have no indexes.
pub(super) fn pg_stat_all_indexes(view: &SessionView) -> Vec<Row> {
    pg_stat_user_indexes(view)
}
