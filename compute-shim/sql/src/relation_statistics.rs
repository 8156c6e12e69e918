//! What has been read of tables and through indexes, and how rows have changed: `pg_stat_user_tables`, `pg_stat_user_indexes`.
//!
//! Owns [`StatementCounts`], in which a statement counts for itself, and [`RelationStatistics`], the sums of a process, to which
//! that is added once, when the statement ends or is given up. Rows that are read and changed count whatever becomes of the
//! transaction; live rows and changes since the last ANALYZE count once it has committed. Lives as long as the process, has
//! an entry for each table that was touched and is still there, and never reads a clock.

use crate::catalog::object::{Oid, Table};
use crate::database::Database;
use crate::execute::RowsChanged;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reading, of a table as it lies or through one index.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct ReadCounts {
    pub scans: u64,
    /// Entries of the index; of a table as it lies, rows.
    pub entries: u64,
    /// Of an index, rows that entries have led to.
    pub rows: u64,
}

impl ReadCounts {
    fn add(&mut self, other: &ReadCounts) {
        self.scans += other.scans;
        self.entries += other.entries;
        self.rows += other.rows;
    }
}

/// What has been done with one table.
#[derive(Clone, Default, Debug)]
pub(crate) struct TableCounts {
    pub sequential: ReadCounts,
    pub by_index: Vec<(Oid, ReadCounts)>,
    pub changed: RowsChanged,
}

impl TableCounts {
    pub(crate) fn of_index(&self, index: Oid) -> ReadCounts {
        self.by_index.iter().find(|(oid, _)| *oid == index).map_or_else(ReadCounts::default, |(_, of)| *of)
    }

    fn place_of_index(&mut self, index: Oid) -> usize {
        let known = self.by_index.iter().position(|(oid, _)| *oid == index);
        known.unwrap_or_else(|| {
            self.by_index.push((index, ReadCounts::default()));
            self.by_index.len() - 1
        })
    }

    fn add(&mut self, other: &TableCounts) {
        self.sequential.add(&other.sequential);
        for (index, counts) in &other.by_index {
            let place = self.place_of_index(*index);
            self.by_index[place].1.add(counts);
        }
        self.changed.add(&other.changed);
    }
}

/// Where a scan counts: a table, and which of its indexes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    table: usize,
    index: Option<usize>,
}

/// What one statement has done. It has few tables: they are found by looking at each.
#[derive(Default)]
pub(crate) struct StatementCounts {
    database: Option<Arc<Database>>,
    tables: Vec<(Oid, TableCounts)>,
}

impl StatementCounts {
    /// Of a statement of this database's sessions. (Others are read by nobody.)
    pub(crate) fn of(database: &Arc<Database>) -> StatementCounts {
        StatementCounts { database: Some(database.clone()), tables: Vec::new() }
    }

    fn place(&mut self, table: Oid) -> usize {
        let known = self.tables.iter().position(|(oid, _)| *oid == table);
        known.unwrap_or_else(|| {
            self.tables.push((table, TableCounts::default()));
            self.tables.len() - 1
        })
    }

    /// Where a scan counts from here on.
    pub(crate) fn scan(&mut self, table: Oid, index: Option<Oid>) -> Counted {
        let place = self.place(table);
        let index = index.map(|index| self.tables[place].1.place_of_index(index));
        Counted { table: place, index }
    }

    pub(crate) fn reads(&mut self, counted: Counted) -> &mut ReadCounts {
        let table = &mut self.tables[counted.table].1;
        match counted.index {
            Some(index) => &mut table.by_index[index].1,
            None => &mut table.sequential,
        }
    }

    /// Rows of a table have changed.
    pub(crate) fn changed(&mut self, table: Oid, rows: &RowsChanged) {
        let place = self.place(table);
        self.tables[place].1.changed.add(rows);
    }

    /// A small statement within this one is through.
    pub(crate) fn take_from(&mut self, inner: &mut StatementCounts) {
        for (table, counts) in inner.tables.drain(..) {
            let place = self.place(table);
            self.tables[place].1.add(&counts);
        }
    }

    /// The statement is through: its counts are added to all others.
    pub(crate) fn end(&mut self) {
        let tables = std::mem::take(&mut self.tables);
        if let Some(database) = self.database.as_ref().filter(|_| !tables.is_empty()) {
            database.relations.add(&tables);
        }
    }
}

/// A statement that was given up has read what it has read.
impl Drop for StatementCounts {
    fn drop(&mut self) {
        self.end();
    }
}

/// How often something was done, and when last.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Runs {
    pub count: u64,
    pub last_us: Option<i64>,
}

impl Runs {
    fn add(&mut self, now_us: i64) {
        self.count += 1;
        self.last_us = Some(now_us);
    }
}

/// Maintenance of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Upkeep {
    Analyze,
    AutoAnalyze,
    Vacuum,
}

/// The sums of a table.
#[derive(Clone, Default, Debug)]
pub(crate) struct TableStatistics {
    pub counts: TableCounts,
    /// How many rows it has won since it was analysed.
    pub live: i64,
    /// Rows changed since then.
    pub modified: u64,
    /// Rows inserted since VACUUM.
    pub inserted: u64,
    pub analysed: Runs,
    pub auto_analysed: Runs,
    pub vacuumed: Runs,
    /// No catalog knew it at the last look.
    is_unknown: bool,
}

/// What a transaction has made of a table.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct TableChanged {
    pub rows: RowsChanged,
    /// Since it was emptied by TRUNCATE.
    pub is_emptied: bool,
}

/// More tables than a catalog in memory holds: a bound for tables that come and go between two looks ([`RelationStatistics::sweep`]).
const TABLES_MAX: usize = 1 << 20;

/// The sums of all tables of a process. Tables have numbers of their own over all databases.
#[derive(Default)]
pub(crate) struct RelationStatistics {
    tables: Mutex<BTreeMap<Oid, TableStatistics>>,
}

impl RelationStatistics {
    fn change(&self, table: Oid, change: impl FnOnce(&mut TableStatistics)) {
        let mut tables = self.tables.lock();
        if tables.len() < TABLES_MAX || tables.contains_key(&table) {
            change(tables.entry(table).or_default());
        }
    }

    fn add(&self, counts: &[(Oid, TableCounts)]) {
        for (table, counts) in counts {
            self.change(*table, |sums| sums.counts.add(counts));
        }
    }

    /// Rows that were changed by no statement that counts.
    pub(crate) fn changed(&self, table: Oid, rows: &RowsChanged) {
        self.change(table, |sums| sums.counts.changed.add(rows));
    }

    /// A transaction has committed.
    pub(crate) fn committed(&self, changed: &[(Oid, TableChanged)]) {
        let signed = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
        for (table, TableChanged { rows, is_emptied }) in changed {
            self.change(*table, |sums| {
                let before = if *is_emptied { 0 } else { sums.live };
                sums.live = before.saturating_add(signed(rows.inserted) - signed(rows.deleted));
                sums.modified += rows.count();
                sums.inserted += rows.inserted;
            });
        }
    }

    /// A table has been looked after. What ANALYZE has found holds the rows that were counted before.
    pub(crate) fn kept_up(&self, table: Oid, upkeep: Upkeep, now_us: i64) {
        self.change(table, |sums| match upkeep {
            Upkeep::Vacuum => {
                sums.vacuumed.add(now_us);
                sums.inserted = 0;
            }
            Upkeep::Analyze | Upkeep::AutoAnalyze => {
                let runs =
                    if upkeep == Upkeep::Analyze { &mut sums.analysed } else { &mut sums.auto_analysed };
                runs.add(now_us);
                (sums.live, sums.modified) = (0, 0);
            }
        });
    }

    /// A table has another shape: indexes may have gone.
    pub(crate) fn redefined(&self, table: &Table) {
        if let Some(sums) = self.tables.lock().get_mut(&table.oid) {
            let is_there = |index: Oid| table.indexes.iter().any(|there| there.oid == index);
            sums.counts.by_index.retain(|(index, _)| is_there(*index));
        }
    }

    /// Forgets tables that no catalog knows, now and at the look before: those of transactions that were rolled back, or dropped
    /// what they had made. One that is just being made may count from anew.
    pub(crate) fn sweep(&self, is_known: impl Fn(Oid) -> bool) {
        self.tables.lock().retain(|&oid, sums| {
            let was_unknown = std::mem::replace(&mut sums.is_unknown, !is_known(oid));
            !(was_unknown && sums.is_unknown)
        });
    }

    /// A table is gone, or its counters begin anew.
    pub(crate) fn forget(&self, table: Oid) {
        self.tables.lock().remove(&table);
    }

    /// An index's counters begin anew.
    pub(crate) fn forget_index(&self, table: Oid, index: Oid) {
        if let Some(sums) = self.tables.lock().get_mut(&table) {
            sums.counts.by_index.retain(|(other, _)| *other != index);
        }
    }

    /// The sums of a table.
    pub(crate) fn of(&self, table: Oid) -> TableStatistics {
        self.tables.lock().get(&table).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(inserted: u64, deleted: u64) -> TableChanged {
        TableChanged { rows: RowsChanged { inserted, updated: 0, deleted }, is_emptied: false }
    }

    #[test]
    fn live_rows_are_those_since_the_last_analysis() {
        let sums = RelationStatistics::default();
        sums.committed(&[(7, changed(10, 3)), (8, changed(1, 0))]);
        assert_eq!((sums.of(7).live, sums.of(7).modified, sums.of(8).live), (7, 13, 1));
        sums.kept_up(7, Upkeep::AutoAnalyze, 5);
        let of = sums.of(7);
        assert_eq!((of.live, of.modified, of.inserted, of.auto_analysed.last_us), (0, 0, 10, Some(5)));
        assert_eq!((of.analysed.count, of.auto_analysed.count), (0, 1));
        sums.committed(&[(7, changed(0, 4))]);
        sums.committed(&[(7, TableChanged { is_emptied: true, ..changed(2, 1) })]);
        assert_eq!(sums.of(7).live, 1);
    }

    #[test]
    fn tables_that_nobody_knows_are_swept_at_the_second_look() {
        let statistics = RelationStatistics::default();
        for table in [7, 8] {
            statistics.committed(&[(table, changed(3, 1))]);
        }
        statistics.sweep(|oid| oid == 7);
        assert_eq!(statistics.of(8).live, 2);
        statistics.sweep(|oid| oid == 7);
        assert_eq!((statistics.of(7).live, statistics.of(8).live), (2, 0));
        statistics.committed(&[(8, changed(1, 0))]);
        statistics.sweep(|_| true);
        statistics.sweep(|oid| oid == 7);
        assert_eq!(statistics.of(8).live, 1);
    }

    #[test]
    fn indexes_that_are_gone_are_forgotten_with_their_table_and_before() {
        let sums = RelationStatistics::default();
        let mut counts = TableCounts::default();
        let place = counts.place_of_index(70);
        counts.by_index[place].1.scans = 3;
        sums.add(&[(7, counts.clone()), (7, counts)]);
        assert_eq!(sums.of(7).counts.of_index(70).scans, 6);
        sums.forget_index(7, 70);
        assert_eq!(sums.of(7).counts.of_index(70), ReadCounts::default());
        sums.forget(7);
        assert!(sums.tables.lock().is_empty());
    }
}
