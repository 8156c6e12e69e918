//! Types and collations, as `pg_type`, `pg_range`, `pg_enum` and `pg_collation` show them.
//!
//! Tables have no row types here (`pg_class.reltype` is 0), so that all types are built in.

use super::facts::{COLLATIONS, type_facts};
use super::value::{FALSE, NULL, TRUE, int4, oid, text};
use crate::catalog::object::{Oid, PG_CATALOG_OID, ROLE_OID};
use crate::execute::Row;
use crate::session::SessionView;
use hexalog_sql_types::types::{TYPES, TypeInfo};
use hexalog_sql_types::{Datum, TypeId};

pub(super) fn pg_type(_: &SessionView) -> Vec<Row> {
    TYPES.iter().map(pg_type_row).collect()
}

fn pg_type_row(info: &TypeInfo) -> Row {
    let facts = type_facts(info.id).expect("a test compares both tables");
    let [subscript, input, output, receive, send, typmod_in, typmod_out, analyze] = facts.routines.map(oid);
    vec![
        oid(info.id.0),
        text(info.name),
        oid(PG_CATALOG_OID),
        oid(ROLE_OID),
        Datum::Int2(info.len),
        Datum::Bool(info.by_value),
        Datum::Char(info.kind),
        Datum::Char(info.category.letter()),
        Datum::Bool(info.preferred),
        TRUE,
        Datum::Char(b','),
        oid(0),
        subscript,
        oid(info.element.0),
        oid(info.array.0),
        input,
        output,
        receive,
        send,
        typmod_in,
        typmod_out,
        analyze,
        Datum::Char(info.align),
        Datum::Char(facts.storage),
        FALSE,
        oid(0),
        Datum::Int4(-1),
        int4(0),
        oid(facts.collation),
        NULL,
        NULL,
        NULL,
    ]
}

/// `typstorage` of a column's type; `p` for the type of dropped columns.
pub(super) fn storage_of(id: TypeId) -> Datum {
    Datum::Char(type_facts(id).map_or(b'p', |facts| facts.storage))
}

/// All text is compared by code point; the database's collation is the one that says so.
pub(super) fn pg_collation(_: &SessionView) -> Vec<Row> {
    let row = |&(number, name, locale, encoding): &(Oid, &str, Option<&str>, i32)| {
        let locale = locale.map_or(NULL, text);
        vec![
            oid(number),
            text(name),
            oid(PG_CATALOG_OID),
            oid(ROLE_OID),
            Datum::Char(if number == 100 { b'd' } else { b'c' }),
            TRUE,
            Datum::Int4(encoding),
            locale.clone(),
            locale,
            NULL,
            NULL,
        ]
    };
    COLLATIONS.iter().map(row).collect()
}
