//! `pg_locks`: relation and advisory locks, transactions that are waited for, and what serializable ones have read.
//!
//! As in PostgreSQL, who waits for a row or a unique key waits for the transaction that has it. Transactions are
//! known to the lock table by numbers of their own, of which an `xid` is made. A prepared one has no process, and -1 in front of its `xid`
//! for its virtual number.

use super::value::{FALSE, NULL, oid, text};
use crate::catalog::object::Oid;
use crate::database::Database;
use crate::execute::Row;
use crate::session::SessionView;
use hexalog_engine::{
    LockEntry, LockedObject, Preparation, PreparedTransaction, ReadEntry, ReadTarget, RelationLockMode,
};
use hexalog_sql_types::Datum;
use hexalog_sql_types::datetime::Timestamptz;
use std::collections::BTreeMap;

pub(super) fn pg_locks(view: &SessionView, database: &Database) -> Vec<Row> {
    let entries = database.engine().lock_entries();
    let databases = database.connections.by_session();
    let here = view.catalog().database;
    let prepared = database.engine().prepared_transactions();
    let of = |entry: &LockEntry| {
        let prepared = || prepared.iter().find(|it| it.lock_owner == entry.owner);
        let of_session = databases.get(&entry.process_id).copied();
        of_session.or_else(|| prepared().map(|it| it.preparation.database)).unwrap_or(here)
    };
    let mut rows: Vec<Row> = entries.iter().map(|entry| row(entry, of(entry))).collect();
    let transactions = Transactions::of(&entries);
    for (&process_id, &owner) in &transactions.writing {
        rows.push(transaction_row(process_id, owner, owner, true));
    }
    for prepared in &prepared {
        rows.push(transaction_row(NO_PROCESS, prepared.lock_owner, prepared.lock_owner, true));
    }
    for &process_id in databases.keys() {
        // Whoever waits for an object has a row already.
        if entries.iter().any(|entry| entry.process_id == process_id && !entry.granted) {
            continue;
        }
        let Some(owner) = transactions.of_session(process_id) else { continue };
        let blocking = database.engine().blocking_processes(process_id).into_iter();
        let others = blocking.filter_map(|blocking| transactions.of_session(blocking));
        let prepared = database.engine().blocking_prepared(process_id);
        rows.extend(others.chain(prepared).map(|other| transaction_row(process_id, owner, other, false)));
    }
    rows.extend(read_rows(view, database));
    rows
}

/// What serializable transactions have read of this database: trees of others have no names here.
fn read_rows(view: &SessionView, database: &Database) -> Vec<Row> {
    let entries = database.engine().read_entries();
    if entries.is_empty() {
        return Vec::new();
    }
    let catalog = view.catalog();
    let mut relations = BTreeMap::new();
    for table in catalog.tables() {
        let indexes = table.indexes.iter().filter_map(|index| Some((index.tree?, index.oid)));
        relations.extend(indexes.chain([(table.tree, table.oid)]));
    }
    let row = |entry: &ReadEntry| {
        let (kind, tree, page) = match entry.target {
            ReadTarget::Key(tree) => ("tuple", tree, NULL),
            ReadTarget::Leaf(tree, page) => ("page", tree, i32::try_from(page.0).map_or(NULL, Datum::Int4)),
            ReadTarget::Tree(tree) => ("relation", tree, NULL),
        };
        let mut row = vec![text(kind), oid(catalog.database), oid(*relations.get(&tree)?), page];
        row.extend([NULL, NULL, NULL, NULL, NULL, NULL]);
        row.extend(holder(entry.process_id, entry.owner));
        row.extend([text("SIReadLock"), Datum::Bool(true), FALSE, NULL]);
        Some(row)
    };
    entries.iter().filter_map(row).collect()
}

/// Of prepared transactions.
const NO_PROCESS: i32 = 0;

/// The virtual number of a transaction, or of a session, and its process.
fn holder(process_id: i32, owner: u64) -> [Datum; 2] {
    match process_id {
        NO_PROCESS => [text(format!("-1/{}", transaction_number(owner))), NULL],
        process_id => [text(format!("{process_id}/{owner}")), Datum::Int4(process_id)],
    }
}

/// The transactions that hold locks of relations, by their sessions.
pub(super) struct Transactions {
    all: BTreeMap<i32, u64>,
    writing: BTreeMap<i32, u64>,
}

impl Transactions {
    pub(super) fn of(entries: &[LockEntry]) -> Transactions {
        let is_of_session = |entry: &&LockEntry| {
            entry.process_id != NO_PROCESS && matches!(entry.object, LockedObject::Relation(_))
        };
        let relations = entries.iter().filter(is_of_session);
        let (mut all, mut writing) = (BTreeMap::new(), BTreeMap::new());
        for entry in relations {
            all.insert(entry.process_id, entry.owner);
            if entry.granted && entry.mode != RelationLockMode::AccessShare {
                writing.insert(entry.process_id, entry.owner);
            }
        }
        Transactions { all, writing }
    }

    fn of_session(&self, process_id: i32) -> Option<u64> {
        self.all.get(&process_id).copied()
    }

    /// The transaction of a session, if it changes or locks rows.
    pub(super) fn writing(&self, process_id: i32) -> Option<u64> {
        self.writing.get(&process_id).copied()
    }
}

/// Numbers up to here have meanings of their own in PostgreSQL.
const SPECIAL_XID_MAX: u32 = 2;

/// The `xid` of a transaction, made of the lock table's number for it.
pub(super) fn transaction_number(owner: u64) -> u32 {
    ((owner >> 32) as u32 ^ owner as u32).max(SPECIAL_XID_MAX + 1)
}

/// `pg_prepared_xacts`, for all databases as in PostgreSQL.
pub(super) fn pg_prepared_xacts(view: &SessionView, database: &Database) -> Vec<Row> {
    let catalog = view.catalog();
    let row = |prepared: PreparedTransaction| {
        let Preparation { identifier, owner, database, prepared_us } = prepared.preparation;
        let name = |name: Option<&str>| name.map_or(NULL, text);
        vec![
            Datum::Oid(transaction_number(prepared.lock_owner)),
            text(identifier),
            Datum::Timestamptz(Timestamptz(prepared_us)),
            name(catalog.role(owner).map(|role| role.name.as_str())),
            name(catalog.database(database).map(|database| database.name.as_str())),
        ]
    };
    database.engine().prepared_transactions().into_iter().map(row).collect()
}

/// A transaction has itself, or waits for another one.
fn transaction_row(process_id: i32, owner: u64, locked: u64, granted: bool) -> Row {
    let mut row = vec![text("transactionid"), NULL, NULL, NULL, NULL, NULL];
    row.push(Datum::Oid(transaction_number(locked)));
    row.extend([NULL, NULL, NULL]);
    row.extend(holder(process_id, owner));
    row.push(text(if granted { "ExclusiveLock" } else { "ShareLock" }));
    row.extend([Datum::Bool(granted), FALSE, NULL]);
    row
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
    let [transaction, process] = holder(entry.process_id, entry.owner);
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
        transaction,
        process,
        text(format!("{:?}Lock", entry.mode)),
        Datum::Bool(entry.granted),
        FALSE,
        NULL,
    ]
}
