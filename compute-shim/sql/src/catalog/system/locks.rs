//! `pg_locks`: relation and advisory locks, held and waited for.
//!
//! Rows and unique keys that are waited for are not shown: whom their waiters wait for is a transaction that the lock
//! table knows by its row alone.

use super::value::{FALSE, NULL, oid, text};
use crate::catalog::object::Oid;
use crate::execute::Row;
use crate::session::SessionView;
use hexalog_engine::{LockEntry, LockedObject};
use hexalog_sql_types::Datum;
use std::collections::BTreeMap;

/// `databases`: that of each session.
pub(super) fn pg_locks(
    view: &SessionView,
    entries: &[LockEntry],
    databases: &BTreeMap<i32, Oid>,
) -> Vec<Row> {
    let here = view.catalog().database;
    let of = |entry: &LockEntry| databases.get(&entry.process_id).copied().unwrap_or(here);
    entries.iter().map(|entry| row(entry, of(entry))).collect()
}

fn row(entry: &LockEntry, here: Oid) -> Row {
    let (kind, database, relation, key) = match entry.object {
        LockedObject::Relation(relation) => ("relation", here, oid(relation), [NULL, NULL, NULL]),
        LockedObject::Advisory(key) => {
            let [upper, lower] = [key.number >> 32, key.number & 0xFFFF_FFFF]
                .map(|half| oid(u32::try_from(half).expect("half of 64 bits")));
            ("advisory", key.database, NULL, [upper, lower, Datum::Int2(if key.is_pair { 2 } else { 1 })])
        }
    };
    let [class, object, kind_of_key] = key;
    vec![
        text(kind),
        oid(database),
        relation,
        NULL,
        NULL,
        NULL,
        NULL,
        class,
        object,
        kind_of_key,
        text(format!("{}/{}", entry.process_id, entry.owner)),
        Datum::Int4(entry.process_id),
        text(format!("{:?}Lock", entry.mode)),
        Datum::Bool(entry.granted),
        FALSE,
        NULL,
    ]
}
