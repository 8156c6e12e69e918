//! `pg_stat_activity` and `pg_stat_database`: what sessions do, and what they have come to.

use super::locks::{Transactions, transaction_number};
use super::value::{NULL, oid, text};
use crate::catalog::object::Oid;
use crate::database::Database;
use crate::execute::Row;
use crate::session::SessionView;
use crate::sessions::{DatabaseCounters, SessionActivity, SessionState, SessionWait};
use hexalog_engine::{LockEntry, LockedObject};
use hexalog_sql_types::Datum;
use hexalog_sql_types::datetime::Timestamptz;

fn int8(value: u64) -> Datum {
    Datum::Int8(i64::try_from(value).unwrap_or(i64::MAX))
}

fn time(us: Option<i64>) -> Datum {
    us.map_or(NULL, |us| Datum::Timestamptz(Timestamptz(us)))
}

#[expect(clippy::cast_precision_loss, reason = "times are of the precision of a double")]
fn milliseconds(us: u64) -> Datum {
    Datum::Float8(us as f64 / 1_000.0)
}

/// `wait_event_type` and `wait_event`.
fn wait_of(session: &SessionActivity, state: SessionState, locks: &[LockEntry]) -> [Datum; 2] {
    let waits = session.waits();
    let words = match state {
        SessionState::Active | SessionState::Disabled => waits.words(),
        // An idle session waits for its client.
        _ => Some(("Client", "ClientRead")),
    };
    let Some((kind, event)) = words else { return [NULL, NULL] };
    let locked = locks.iter().find(|entry| entry.process_id == session.process_id && !entry.granted);
    let event = match locked.filter(|_| waits == SessionWait::Lock).map(|entry| entry.object) {
        Some(LockedObject::Relation(_)) => "relation",
        Some(LockedObject::Advisory(_)) => "advisory",
        None => event,
    };
    [text(kind), text(event)]
}

pub(super) fn pg_stat_activity(view: &SessionView, database: &Database) -> Vec<Row> {
    let locks = database.engine().lock_entries();
    let transactions = Transactions::of(&locks);
    let catalog = view.catalog();
    let row = |session: &SessionActivity| {
        let said = session.said();
        let name_of = |database: Oid| catalog.database(database).map_or(NULL, |it| text(&it.name));
        let mut row = vec![oid(session.database), name_of(session.database), Datum::Int4(session.process_id)];
        row.extend([NULL, oid(session.user)]);
        row.push(catalog.role(session.user).map_or(NULL, |role| text(&role.name)));
        row.push(text(&*said.application_name));
        // There is no type for addresses.
        row.extend([NULL, NULL, session.client_port().map_or(NULL, Datum::Int4)]);
        row.extend([Some(session.begun_us), said.transaction_us, said.query_us].map(time));
        row.push(time((said.state != SessionState::Disabled).then_some(said.changed_us)));
        row.extend(wait_of(session, said.state, &locks));
        row.push(text(said.state.word()));
        let owner = transactions.writing(session.process_id);
        row.extend([owner.map_or(NULL, |owner| Datum::Oid(transaction_number(owner))), NULL]);
        row.push(Some(session.query_id()).filter(|id| *id != 0).map_or(NULL, Datum::Int8));
        row.push(text(said.query.as_deref().unwrap_or("")));
        row.push(text(if session.is_background() { "autovacuum worker" } else { "client backend" }));
        row
    };
    database.sessions.shown().iter().map(|session| row(session)).collect()
}

/// A row for each database, and PostgreSQL's for what belongs to none.
pub(super) fn pg_stat_database(view: &SessionView, database: &Database, now_us: i64) -> Vec<Row> {
    let sums = database.sessions.by_database(now_us);
    let row = |number: Oid, name: Datum| {
        let (count, sum) = sums.get(&number).copied().unwrap_or_default();
        let mut row = vec![oid(number), name, Datum::Int4(i32::try_from(count).unwrap_or(i32::MAX))];
        row.extend(counters(&sum));
        row
    };
    let databases = view.catalog().databases().map(|it| row(it.oid, text(&it.name)));
    std::iter::once(row(0, NULL)).chain(databases).collect()
}

fn counters(sum: &DatabaseCounters) -> Row {
    let mut row: Row = [sum.commits, sum.rollbacks, sum.used.read, sum.used.hit].map(int8).to_vec();
    // Rows that are read are not counted.
    row.extend([NULL, NULL]);
    row.extend([sum.inserted, sum.updated, sum.deleted].map(int8));
    row.extend([0, sum.temporary_files, sum.used.temporary_written, sum.deadlocks].map(int8));
    // Checksums are storage's, which mends what fails them.
    row.extend([NULL, NULL]);
    row.extend([Datum::Float8(0.0), Datum::Float8(0.0)]);
    row.extend([sum.session_us, sum.active_us, sum.idle_in_transaction_us].map(milliseconds));
    row.extend([sum.sessions, sum.abandoned, sum.fatal, sum.killed].map(int8));
    // Counted since the process has begun; nothing resets it.
    row.push(NULL);
    row
}
