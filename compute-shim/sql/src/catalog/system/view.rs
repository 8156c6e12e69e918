//! Views of `pg_catalog` that say in names what its tables say in numbers.

use super::value::{FALSE, NULL, oid, text};
use super::{SystemTable, tables};
use crate::catalog::object::{Oid, ROLE_OID};
use crate::execute::Row;
use crate::session::SessionView;
use hexalog_sql_types::Datum;

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
