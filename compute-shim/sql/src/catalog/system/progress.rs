//! `pg_stat_progress_create_index` and `pg_stat_progress_copy`.
//!
//! Blocks are 0, since a tree is read by its rows, and so are partitions.

use super::value::{NULL, oid, text};
use crate::catalog::object::Oid;
use crate::execute::Row;
use crate::progress::{Shown, Task};
use crate::session::SessionView;
use hexalog_sql_types::Datum;
use std::collections::BTreeMap;

fn int8(value: u64) -> Datum {
    Datum::Int8(i64::try_from(value).unwrap_or(i64::MAX))
}

/// The database of each session.
type Databases = BTreeMap<i32, Oid>;

fn begun(view: &SessionView, shown: &Shown, databases: &Databases) -> Row {
    let catalog = view.catalog();
    let database = databases.get(&shown.process_id).copied().unwrap_or(catalog.database);
    let name = catalog.database(database).map_or(NULL, |database| text(&database.name));
    vec![Datum::Int4(shown.process_id), oid(database), name, oid(shown.table)]
}

pub(super) fn create_index(view: &SessionView, shown: &[Shown], databases: &Databases) -> Vec<Row> {
    let row = |shown: &Shown| {
        let Task::MakeIndex(command) = shown.task else { return None };
        let numbers = &shown.numbers;
        let mut row = begun(view, shown, databases);
        row.extend([oid(numbers.index), text(command), text(numbers.phase)]);
        row.extend([numbers.lockers, numbers.lockers_done].map(int8));
        row.push(Datum::Int8(i64::from(numbers.locker)));
        row.extend([0, 0, numbers.rows, numbers.rows_done, 0, 0].map(int8));
        Some(row)
    };
    shown.iter().filter_map(row).collect()
}

pub(super) fn copy(view: &SessionView, shown: &[Shown], databases: &Databases) -> Vec<Row> {
    let row = |shown: &Shown| {
        let Task::Copy { from } = shown.task else { return None };
        let numbers = &shown.numbers;
        let mut row = begun(view, shown, databases);
        // Of files there are none.
        row.extend([text(if from { "COPY FROM" } else { "COPY TO" }), text("PIPE")]);
        row.extend([numbers.bytes, 0, numbers.rows_done, numbers.excluded].map(int8));
        Some(row)
    };
    shown.iter().filter_map(row).collect()
}
