//! What has been read of tables and through indexes, and how rows have changed: `pg_stat_user_tables`, `pg_stat_user_indexes`.
//!
//! Owns [`StatementCounts`], in which a statement counts what it reads, [`TableChanged`], in which a transaction counts what it
//! changes, and [`RelationStatistics`], the sums of a process, to which these are added once, when the statement or the transaction
//! ends or is given up. Rows that are read and changed count whatever becomes of the transaction, but for those that are gone with
//! a TRUNCATE, as in PostgreSQL; live rows and changes since the last ANALYZE count once it has committed. Lives as long as the
//! process, has an entry for each table that was touched and is still there, and never reads a clock.

use crate::catalog::object::{Oid, Table};
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

/// What has been read of one table.
#[derive(Clone, Default, Debug)]
pub(crate) struct TableCounts {
    pub sequential: ReadCounts,
    pub by_index: Vec<(Oid, ReadCounts)>,
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
    }
}

/// Where a scan counts: a table, and which of its indexes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    table: usize,
    index: Option<usize>,
}

/// What one statement has read. It has few tables: they are found by looking at each.
#[derive(Default)]
pub(crate) struct StatementCounts {
    sums: Option<Arc<RelationStatistics>>,
    tables: Vec<(Oid, TableCounts)>,
}

impl StatementCounts {
    /// Of a statement that is added to these sums. (Others are read by nobody.)
    pub(crate) fn of(sums: &Arc<RelationStatistics>) -> StatementCounts {
        StatementCounts { sums: Some(sums.clone()), tables: Vec::new() }
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
        if let Some(sums) = self.sums.as_ref().filter(|_| !tables.is_empty()) {
            sums.add(&tables);
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
    /// `rows` were found, of which its own transaction has won so many that it adds when it commits.
    Analyze {
        rows: u64,
        own: i64,
        is_automatic: bool,
    },
    Vacuum,
}

/// The sums of a table.
#[derive(Clone, Default, Debug)]
pub(crate) struct TableStatistics {
    pub counts: TableCounts,
    pub changed: RowsChanged,
    /// How many live rows it had when this process last knew, in an ANALYZE or when it was emptied.
    pub found: Option<i64>,
    /// How many it has won since.
    pub live: i64,
    /// Rows changed since then.
    pub modified: u64,
    /// Rows inserted since VACUUM or TRUNCATE, also those of transactions that were rolled back.
    pub inserted: u64,
    pub analysed: Runs,
    pub auto_analysed: Runs,
    pub vacuumed: Runs,
    /// No catalog knew it at the last look.
    is_unknown: bool,
}

impl TableStatistics {
    fn count_changed(&mut self, rows: &RowsChanged) {
        self.changed.add(rows);
        self.inserted += rows.inserted;
    }
}

/// What a transaction has made of a table.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct TableChanged {
    /// What stands. Once the table is emptied, what has been changed since.
    pub rows: RowsChanged,
    /// It was emptied by TRUNCATE, and these had been changed before.
    pub emptied: Option<RowsChanged>,
    /// What was undone by going back to a savepoint.
    pub undone: RowsChanged,
}

impl TableChanged {
    /// The table is emptied at once.
    pub(crate) fn empty(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        self.emptied.get_or_insert(rows);
    }

    /// All is undone that was not there before.
    pub(crate) fn roll_back_to(&mut self, before: &TableChanged) {
        let mut undone = match (self.emptied, before.emptied) {
            (Some(rows), None) => rows,
            _ => self.rows,
        };
        undone.subtract(&before.rows);
        undone.add(&self.undone);
        *self = TableChanged { undone, ..*before };
    }

    /// How many rows the table wins when the transaction commits.
    pub(crate) fn won(&self) -> i64 {
        let signed = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
        signed(self.rows.inserted) - signed(self.rows.deleted)
    }
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

    /// A transaction has committed.
    pub(crate) fn committed(&self, changed: &[(Oid, TableChanged)]) {
        for (table, changed) in changed {
            self.change(*table, |sums| {
                if changed.emptied.is_some() {
                    (sums.found, sums.live, sums.inserted) = (Some(0), 0, 0);
                }
                sums.live = sums.live.saturating_add(changed.won());
                sums.modified += changed.rows.count();
                sums.count_changed(&changed.rows);
                sums.count_changed(&changed.undone);
            });
        }
    }

    /// A transaction was rolled back: all that it has changed has been changed.
    pub(crate) fn rolled_back(&self, changed: &[(Oid, TableChanged)]) {
        for (table, changed) in changed {
            self.change(*table, |sums| {
                sums.count_changed(&changed.emptied.unwrap_or(changed.rows));
                sums.count_changed(&changed.undone);
            });
        }
    }

    /// A table has been looked after, whatever becomes of the transaction that did. What ANALYZE has found holds the rows that were
    /// counted before.
    pub(crate) fn kept_up(&self, table: Oid, upkeep: Upkeep, now_us: i64) {
        self.change(table, |sums| match upkeep {
            Upkeep::Vacuum => {
                sums.vacuumed.add(now_us);
                sums.inserted = 0;
            }
            Upkeep::Analyze { rows, own, is_automatic } => {
                let runs = if is_automatic { &mut sums.auto_analysed } else { &mut sums.analysed };
                runs.add(now_us);
                let found = i64::try_from(rows).unwrap_or(i64::MAX).saturating_sub(own).max(0);
                (sums.found, sums.live, sums.modified) = (Some(found), 0, 0);
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
        TableChanged { rows: RowsChanged { inserted, updated: 0, deleted }, ..TableChanged::default() }
    }

    #[test]
    fn live_rows_are_those_since_the_last_analysis() {
        let sums = RelationStatistics::default();
        sums.committed(&[(7, changed(10, 3)), (8, changed(1, 0))]);
        assert_eq!((sums.of(7).live, sums.of(7).modified, sums.of(8).live), (7, 13, 1));
        sums.kept_up(7, Upkeep::Analyze { rows: 12, own: 5, is_automatic: true }, 5);
        let of = sums.of(7);
        assert_eq!((of.found, of.live, of.modified, of.auto_analysed.last_us), (Some(7), 0, 0, Some(5)));
        assert_eq!((of.analysed.count, of.auto_analysed.count), (0, 1));
        sums.committed(&[(7, changed(0, 4))]);
        assert_eq!((sums.of(7).found, sums.of(7).live), (Some(7), -4));
        let emptied = TableChanged { emptied: Some(changed(5, 5).rows), ..changed(2, 1) };
        sums.rolled_back(&[(7, emptied)]);
        assert_eq!((sums.of(7).found, sums.of(7).live, sums.of(7).inserted), (Some(7), -4, 15));
        sums.committed(&[(7, emptied)]);
        assert_eq!((sums.of(7).found, sums.of(7).live, sums.of(7).inserted), (Some(0), 1, 2));
        assert_eq!(sums.of(7).changed, changed(17, 13).rows);
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
