//! Types and collations, as `pg_type`, `pg_range`, `pg_enum` and `pg_collation` show them.
//!
//! All types are built in, or enums. That tables and views of users have row types is shown and no more: tools tell by
//! `pg_class.reltype` what has columns, and no value is of such a type.

use super::facts::{COLLATIONS, type_facts};
use super::value::{FALSE, NULL, TRUE, int4, oid, text};
use crate::catalog::object::{EnumType, Oid, PG_CATALOG_OID, ROLE_OID};
use crate::execute::Row;
use crate::session::SessionView;
use hexalog_sql_types::types::{TYPES, TypeInfo};
use hexalog_sql_types::{Datum, TypeId};

pub(super) fn pg_type(view: &SessionView) -> Vec<Row> {
    let own = view.catalog().enums().flat_map(|object| {
        [enum_row(view, object, object.id()), enum_row(view, object, TypeId(object.oid + 1))]
    });
    let catalog = view.catalog();
    let tables = catalog.tables().map(|table| row_type(table.oid, &table.name, table.schema, table.owner));
    let views = catalog.views().map(|view| row_type(view.oid, &view.name, view.schema, view.owner));
    TYPES.iter().map(pg_type_row).chain(own).chain(tables).chain(views).collect()
}

/// Behind all numbers that objects and enums have.
const ROW_TYPE_OID_FIRST: Oid = 1 << 31;

/// The number of a relation's row type.
pub(super) fn row_type_of(relation: Oid) -> Oid {
    assert!(relation < ROW_TYPE_OID_FIRST, "objects have smaller numbers");
    ROW_TYPE_OID_FIRST + relation
}

fn row_type(relation: Oid, name: &str, schema: Oid, owner: Oid) -> Row {
    const RECORD_ROUTINES: [Oid; 8] = [0, 2290, 2291, 2402, 2403, 0, 0, 0];
    let [subscript, input, output, receive, send, typmod_in, typmod_out, analyze] = RECORD_ROUTINES.map(oid);
    vec![
        oid(row_type_of(relation)),
        text(name),
        oid(schema),
        oid(owner),
        Datum::Int2(-1),
        FALSE,
        Datum::Char(b'c'),
        Datum::Char(b'C'),
        FALSE,
        TRUE,
        Datum::Char(b','),
        oid(relation),
        subscript,
        oid(0),
        oid(0),
        input,
        output,
        receive,
        send,
        typmod_in,
        typmod_out,
        analyze,
        Datum::Char(b'd'),
        Datum::Char(b'x'),
        FALSE,
        oid(0),
        Datum::Int4(-1),
        int4(0),
        oid(0),
        NULL,
        NULL,
        NULL,
    ]
}

/// Input, output and the like of enums, as [`super::facts::TypeFacts::routines`] has them for others.
const ENUM_ROUTINES: [Oid; 8] = [0, 3506, 3507, 3532, 3533, 0, 0, 0];

/// The row of an enum type, or of the type of its arrays.
fn enum_row(view: &SessionView, object: &EnumType, id: TypeId) -> Row {
    let is_array = id.is_enum_array();
    let like = type_facts(TypeId::TEXT_ARRAY).expect("a test compares both tables");
    let routines = if is_array { like.routines } else { ENUM_ROUTINES };
    let [subscript, input, output, receive, send, typmod_in, typmod_out, analyze] = routines.map(oid);
    let (kind, storage) = if is_array { (b'b', like.storage) } else { (b'e', b'p') };
    vec![
        oid(id.0),
        text(view.catalog().type_name(id).unwrap_or_default()),
        oid(object.schema),
        oid(object.owner),
        Datum::Int2(id.typlen()),
        Datum::Bool(!is_array),
        Datum::Char(kind),
        Datum::Char(id.category().letter()),
        FALSE,
        TRUE,
        Datum::Char(b','),
        oid(0),
        subscript,
        oid(id.array_element().map_or(0, |element| element.0)),
        oid(id.array_of().map_or(0, |array| array.0)),
        input,
        output,
        receive,
        send,
        typmod_in,
        typmod_out,
        analyze,
        Datum::Char(b'i'),
        Datum::Char(storage),
        FALSE,
        oid(0),
        Datum::Int4(-1),
        int4(0),
        oid(0),
        NULL,
        NULL,
        NULL,
    ]
}

/// The order of values shows as numbers from 1 on.
pub(super) fn pg_enum(view: &SessionView) -> Vec<Row> {
    let mut rows = Vec::new();
    for object in view.catalog().enums() {
        for (at, label) in object.labels.iter().enumerate() {
            let order = u16::try_from(at + 1).map_or(f32::INFINITY, f32::from);
            rows.push(vec![oid(label.oid), oid(object.oid), Datum::Float4(order), text(&*label.label)]);
        }
    }
    rows
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
    let other = if id.is_enum_array() { b'x' } else { b'p' };
    Datum::Char(type_facts(id).map_or(other, |facts| facts.storage))
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
