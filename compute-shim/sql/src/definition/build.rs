//! Filling an index from the rows that are there.
//!
//! Owns [`RowScan`], which reads a table under a definition's locks, and [`IndexBuild`]. Entries are sorted (`sorter.rs`)
//! and given to the engine's builder in order, which writes each page once; equal keys are noticed side by side.

use super::sorter::EntrySorter;
use super::{DefinitionContext, Pace};
use crate::catalog::object::{Index, Table};
use crate::execute::{Row, check_key_bytes, decode_row, has_entry, index_key, shown_key};
use crate::progress::{Report, Task};
use crate::stop::Step;
use hexalog_engine::{Built, Cursor, Direction, RowBuffer, TreeBuilder, TreeId, TreeKind};
use hexalog_sql_types::key;
use hexalog_sql_types::{SqlError, SqlState};
use std::ops::Bound;

/// All rows of a table in order of their keys.
pub(super) struct RowScan {
    tree: TreeId,
    cursor: Cursor,
    stored: RowBuffer,
    /// The row at hand has not been handed out yet: its values are being read.
    has_row: bool,
    pace: Pace,
}

impl RowScan {
    pub(super) fn new(tree: TreeId) -> RowScan {
        let cursor = Cursor::new(tree, Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        RowScan { tree, cursor, stored: RowBuffer::new(), has_row: false, pace: Pace::default() }
    }

    /// Decodes columns of the next row; false at the end. `table` may have columns more than the rows were stored with.
    pub(super) fn next(
        &mut self,
        context: &mut DefinitionContext<'_>,
        table: &Table,
        columns: &[usize],
        row: &mut Row,
    ) -> Step<bool> {
        if !self.has_row {
            self.pace.row(context)?;
            let (engine, transaction) = context.stores.of(self.tree);
            if !engine.cursor_next(transaction, &mut self.cursor, &mut self.stored)? {
                return Ok(false);
            }
            self.has_row = true;
        }
        let (engine, transaction) = context.stores.of(self.tree);
        decode_row(engine, transaction, table, &mut self.stored, columns, row)?;
        self.has_row = false;
        Ok(true)
    }

    /// The key of the row that came last.
    pub(super) fn key(&self) -> &[u8] {
        &self.stored.key
    }
}

/// 23505 for rows that are there already.
pub(super) fn not_unique(
    context: &DefinitionContext<'_>,
    table: &Table,
    index: &Index,
    index_key: &[u8],
) -> SqlError {
    let schema = context.view.catalog().schema_name(table.schema);
    let message = format!("could not create unique index \"{}\"", index.name);
    let error = SqlError::new(SqlState::UNIQUE_VIOLATION, message)
        .with_table(schema, &table.name)
        .with_constraint(&index.name);
    let Ok(values) = key::decode(&index.key, index_key) else { return error };
    error.with_detail(format!("Key {} is duplicated.", shown_key(table, index, &values, &context.env)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Rows are read into the sorter.
    Read,
    /// The n-th entry of the pass is next.
    Write(usize),
    Finish,
}

/// Builds one index of a table. The statement reads every row (`see_every_row`), and nobody else writes.
pub(super) struct IndexBuild {
    scan: RowScan,
    row: Row,
    columns: Vec<usize>,
    sorter: EntrySorter,
    builder: TreeBuilder,
    phase: Phase,
    /// The last key written, to notice the next equal one.
    written: Option<Vec<u8>>,
    key: Vec<u8>,
    pace: Pace,
    report: Report,
    rows: u64,
}

/// Rows between two changes of what others are shown.
const ROWS_PER_REPORT: u64 = 1_000;

impl IndexBuild {
    pub(super) fn new(
        context: &mut DefinitionContext<'_>,
        table: &Table,
        index: &Index,
        command: &'static str,
    ) -> IndexBuild {
        let tree = index.tree.expect("secondary indexes have trees");
        let (engine, transaction) = context.stores.of(tree);
        let builder = engine.begin_build(transaction, tree, TreeKind::Index);
        IndexBuild {
            scan: RowScan::new(table.tree),
            row: Row::new(),
            columns: index.reads.to_vec(),
            sorter: EntrySorter::new(context.database.options().sort_bytes_max),
            builder,
            phase: Phase::Read,
            written: None,
            key: Vec::new(),
            pace: Pace::default(),
            report: Self::report(context, table, index, command),
            rows: 0,
        }
    }

    fn report(
        context: &DefinitionContext<'_>,
        table: &Table,
        index: &Index,
        command: &'static str,
    ) -> Report {
        let task = Task::MakeIndex(command);
        let report = context.database.progress.begin(context.view.process_id, table.oid, task);
        report.set(|numbers| {
            (numbers.index, numbers.phase) = (index.oid, "building index: scanning table");
        });
        report
    }

    /// Goes on; done when it answers.
    pub(super) fn run(
        &mut self,
        context: &mut DefinitionContext<'_>,
        table: &Table,
        index: &Index,
    ) -> Step<()> {
        loop {
            match self.phase {
                Phase::Read => {
                    self.read(context, table, index)?;
                    self.phase = Phase::Write(0);
                }
                Phase::Write(at) => {
                    if self.write(context, table, index, at)? {
                        self.phase = Phase::Write(at + 1);
                    } else if self.sorter.begin_pass() {
                        self.scan = RowScan::new(table.tree);
                        self.phase = Phase::Read;
                    } else {
                        self.phase = Phase::Finish;
                    }
                }
                Phase::Finish => {
                    let (engine, transaction) = context.stores.of(table.tree);
                    return Ok(engine.finish_build(transaction, &mut self.builder)?);
                }
            }
        }
    }

    /// One pass over the rows.
    fn read(&mut self, context: &mut DefinitionContext<'_>, table: &Table, index: &Index) -> Step<()> {
        while self.scan.next(context, table, &self.columns, &mut self.row)? {
            if !has_entry(index, &self.row)? {
                continue;
            }
            self.key.clear();
            let has_null = index_key(index, &self.row, &mut self.key)?;
            check_key_bytes(index, self.key.len() + self.scan.key().len())?;
            self.sorter.push(&self.key, self.scan.key(), has_null);
            self.rows += 1;
            if self.rows.is_multiple_of(ROWS_PER_REPORT) {
                self.report.set(|numbers| numbers.rows = self.rows);
            }
        }
        self.sorter.end_pass();
        self.report.set(|numbers| {
            numbers.phase = "building index: loading tuples in tree";
            numbers.rows = self.rows;
        });
        Ok(())
    }

    /// Writes an entry; false if the pass has no more.
    fn write(
        &mut self,
        context: &mut DefinitionContext<'_>,
        table: &Table,
        index: &Index,
        at: usize,
    ) -> Step<bool> {
        let Some(entry) = self.sorter.entry(at) else { return Ok(false) };
        self.pace.row(context)?;
        // The first column that differs may be the row's: equal keys stand side by side.
        if index.unique && !entry.has_null && self.written.as_deref() == Some(entry.key) {
            return Err(not_unique(context, table, index, entry.key).into());
        }
        let (engine, transaction) = context.stores.of(table.tree);
        let built = engine.build_entry(transaction, &mut self.builder, entry.key, entry.row_key)?;
        assert_eq!(built, Built::Added, "entries were sorted");
        if (at as u64 + 1).is_multiple_of(ROWS_PER_REPORT) {
            self.report.set(|numbers| numbers.rows_done += ROWS_PER_REPORT);
        }
        if index.unique {
            let written = self.written.get_or_insert_default();
            written.clear();
            written.extend_from_slice(entry.key);
        }
        Ok(true)
    }
}
