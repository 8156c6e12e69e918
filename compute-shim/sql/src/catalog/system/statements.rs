//! `pg_stat_statements`, its `_info`, and the extension that PostgreSQL has them in.

use super::value::{FALSE, NULL, TRUE, oid, text};
use crate::catalog::object::{PG_CATALOG_OID, ROLE_OID};
use crate::execute::Row;
use crate::session::SessionView;
use crate::statement_statistics::{Entry, StatementKey, StatementStatistics, Times};
use hexalog_sql_types::Datum;
use hexalog_sql_types::datetime::Timestamptz;
use hexalog_sql_types::numeric::Numeric;

/// The extension, and its version.
pub(crate) const EXTENSION: &str = "pg_stat_statements";
pub(crate) const EXTENSION_VERSION: &str = "1.10";

/// Below those of users' objects, as that of an extension that has come with the database.
const EXTENSION_OID: u32 = 13_900;
const EXTENSION_COMMENT: &str = "track planning and execution statistics of all SQL statements executed";

/// Bytes of a block, in which PostgreSQL counts what goes to temporary files.
const BLOCK_BYTES: u64 = 8 << 10;

fn int8(value: u64) -> Datum {
    Datum::Int8(i64::try_from(value).unwrap_or(i64::MAX))
}

fn times(times: &Times) -> [Datum; 6] {
    let Times { total, min, max, mean, .. } = *times;
    let [total, min, max, mean, deviation] = [total, min, max, mean, times.deviation()].map(Datum::Float8);
    [int8(times.count), total, min, max, mean, deviation]
}

fn row((key, entry): &(StatementKey, Entry), shows_text: bool) -> Row {
    let used = &entry.used;
    let mut row = vec![oid(key.user), oid(key.database), TRUE, Datum::Int8(key.query_id)];
    row.push(if shows_text { text(&*entry.text) } else { NULL });
    row.extend(times(&entry.planned));
    row.extend(times(&entry.executed));
    row.push(int8(entry.rows));
    // Pages are dirtied, and written, by storage alone.
    row.extend([used.hit, used.read, 0, 0].map(int8));
    // What leaves memory for a file is not counted by statement.
    row.extend([used.local.hit, used.local.read, 0, 0].map(int8));
    row.extend([used.temporary_read, used.temporary_written].map(|bytes| int8(bytes.div_ceil(BLOCK_BYTES))));
    // `track_io_timing` is off.
    row.extend([0.0; 4].map(Datum::Float8));
    // A transaction's redo is not counted by statement.
    row.extend([int8(0), int8(0), Datum::from(Numeric::from(0))]);
    // There is no compilation.
    row.extend([int8(0), Datum::Float8(0.0), int8(0), Datum::Float8(0.0)]);
    row.extend([int8(0), Datum::Float8(0.0), int8(0), Datum::Float8(0.0)]);
    row
}

/// Statements that were planned and have not run yet are not shown, as in PostgreSQL.
pub(crate) fn pg_stat_statements(statistics: &StatementStatistics, shows_text: bool) -> Vec<Row> {
    let shown = statistics.shown();
    let has_run = |(_, entry): &&(StatementKey, Entry)| entry.executed.count + entry.planned.count > 0;
    shown.iter().filter(has_run).map(|entry| row(entry, shows_text)).collect()
}

pub(crate) fn pg_stat_statements_info(statistics: &StatementStatistics) -> Vec<Row> {
    let (made_room, reset_us) = statistics.info();
    vec![vec![int8(made_room), reset_us.map_or(NULL, |us| Datum::Timestamptz(Timestamptz(us)))]]
}

pub(super) fn pg_extension(_: &SessionView) -> Vec<Row> {
    vec![vec![
        oid(EXTENSION_OID),
        text(EXTENSION),
        oid(ROLE_OID),
        oid(PG_CATALOG_OID),
        FALSE,
        text(EXTENSION_VERSION),
        NULL,
        NULL,
    ]]
}

pub(super) fn pg_available_extensions(_: &SessionView) -> Vec<Row> {
    let version = text(EXTENSION_VERSION);
    vec![vec![text(EXTENSION), version.clone(), version, text(EXTENSION_COMMENT)]]
}

pub(super) fn pg_available_extension_versions(_: &SessionView) -> Vec<Row> {
    let version = text(EXTENSION_VERSION);
    let mut row = vec![text(EXTENSION), version, TRUE, TRUE, FALSE, FALSE];
    row.extend([text("pg_catalog"), NULL, text(EXTENSION_COMMENT)]);
    vec![row]
}
