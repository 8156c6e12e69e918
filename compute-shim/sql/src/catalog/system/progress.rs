//! `pg_stat_progress_create_index` and `pg_stat_progress_copy`.
//!
//! Blocks are 0, since a tree is read by its rows, and so are partitions.

use super::value::{oid, text};
use crate::execute::Row;
use crate::progress::{Shown, Task};
use crate::session::SessionView;
use hexalog_sql_types::Datum;

fn int8(value: u64) -> Datum {
    Datum::Int8(i64::try_from(value).unwrap_or(i64::MAX))
}

fn begun(view: &SessionView, shown: &Shown) -> Row {
    let here = view.catalog().database_by_name(&view.database).map_or(0, |database| database.oid);
    vec![Datum::Int4(shown.process_id), oid(here), text(&view.database), oid(shown.table)]
}

pub(super) fn create_index(view: &SessionView, shown: &[Shown]) -> Vec<Row> {
    let row = |shown: &Shown| {
        let Task::MakeIndex(command) = shown.task else { return None };
        let numbers = &shown.numbers;
        let mut row = begun(view, shown);
        row.extend([oid(numbers.index), text(command), text(numbers.phase)]);
        row.extend([numbers.lockers, numbers.lockers_done].map(int8));
        row.push(Datum::Int8(i64::from(numbers.locker)));
        row.extend([0, 0, numbers.rows, numbers.rows_done, 0, 0].map(int8));
        Some(row)
    };
    shown.iter().filter_map(row).collect()
}

pub(super) fn copy(view: &SessionView, shown: &[Shown]) -> Vec<Row> {
    let row = |shown: &Shown| {
        let Task::Copy { from } = shown.task else { return None };
        let numbers = &shown.numbers;
        let mut row = begun(view, shown);
        // Of files there are none.
        row.extend([text(if from { "COPY FROM" } else { "COPY TO" }), text("PIPE")]);
        row.extend([numbers.bytes, 0, numbers.rows_done, numbers.excluded].map(int8));
        Some(row)
    };
    shown.iter().filter_map(row).collect()
}
