//! Reading a table: by key, by ranges of its clustered tree, or through a secondary index.
//!
//! An index entry is only a candidate: the row version visible to the statement must have the entry's key, else it is no
//! hit. Rows of a clustered tree come a leaf at a time, where they need no more than a look, and those that fail the filter's tests of
//! fields are left behind there. Read next: `key_range.rs` for the ranges, `columns.rs` for rows that are given as columns.

use super::columns::Columns;
use super::identities::Identity;
use super::key_range::{KeyRange, ranges};
use super::scan_filter::ScanFilter;
use super::stored_row::{column_in_memory, column_of_body, decode_long, decode_row, long_columns};
use super::{Context, Operator, Row, RowPlace, has_entry, index_key, version_column};
use crate::catalog::object::Table;
use crate::plan::{Node, Scan};
use crate::relation_statistics::Counted;
use crate::stop::Step;
use hexalog_engine::{Cursor, Direction, Found, IndexEntry, LeafRows, RowBuffer};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, SqlError, SqlState};
use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;

/// What is done for the current row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Ranges are not computed yet.
    Start,
    /// The next row is wanted.
    Advance,
    /// The next row of the leaf is wanted.
    Leaf,
    /// An index entry waits for its row.
    Fetch,
    /// The row is there.
    Begin,
    /// The filter is being evaluated.
    Filter,
    /// What is wanted of a row that passes is decoded.
    Finish,
    /// There is no further row. Who asks for columns and then for a row is told so twice, and the end is no row to count.
    End,
}

/// Of a scan that is to give no more than so many rows, each comes by itself: the rest of its leaf would be copied for nothing.
const FEW_ROWS: usize = 8;

/// The scan operator.
pub(super) struct TableScan {
    plan: Arc<Node>,
    filter: ScanFilter,
    /// Columns that are read of a row that has passed.
    rest: Vec<usize>,
    /// Whether a row of a leaf is given from there: nothing is wanted of it but values of columns, and the filter evaluates nothing.
    is_direct: bool,
    phase: Phase,
    is_for_few: bool,
    /// Where it counts what it reads, if it does.
    counted: Option<Counted>,
    ranges: VecDeque<KeyRange>,
    cursor: Option<Cursor>,
    entry: IndexEntry,
    stored: RowBuffer,
    /// Rows that come together, and the one of them that is next.
    leaf: LeafRows,
    at: usize,
    /// Those of a leaf that are given as columns; kept for its memory.
    selected: Vec<usize>,
    row: Row,
    key_scratch: Vec<u8>,
}

/// 40001 for a REPEATABLE READ transaction whose snapshot is older than a rewrite of the table: its rows are no longer
/// where that snapshot would see them, and an empty table would be a wrong answer.
fn check_rows(table: &Table, context: &Context<'_>) -> Result<()> {
    let snapshot = context.stores.transaction.snapshot().expect("a statement has a snapshot");
    // The rewriting transaction itself sees its own rows.
    if table.rows_from == hexalog_protocol::Lsn::MAX || table.rows_from <= snapshot {
        return Ok(());
    }
    let message = "could not serialize access due to a concurrent rewrite of the table";
    Err(SqlError::new(SqlState::SERIALIZATION_FAILURE, message)
        .with_table(context.view.catalog().schema_name(table.schema), &table.name))
}

fn scan_of(plan: &Node) -> &Scan {
    match plan {
        Node::Scan(scan) => scan,
        _ => unreachable!("built for scans"),
    }
}

impl TableScan {
    pub(super) fn new(plan: Arc<Node>) -> TableScan {
        let scan = scan_of(&plan);
        let filter = ScanFilter::new(scan);
        let decoded: Vec<usize> = filter.decoded().collect();
        let rest = scan.columns.iter().copied().filter(|column| !decoded.contains(column)).collect();
        TableScan {
            is_direct: scan.output.is_some()
                && !scan.with_identity
                && !scan.with_versions
                && filter.is_of_fields(),
            filter,
            rest,
            plan,
            phase: Phase::Start,
            is_for_few: false,
            counted: None,
            ranges: VecDeque::new(),
            cursor: None,
            entry: IndexEntry::default(),
            stored: RowBuffer::new(),
            leaf: LeafRows::default(),
            at: 0,
            selected: Vec::new(),
            row: Row::new(),
            key_scratch: Vec::new(),
        }
    }

    fn start(&mut self, context: &mut Context<'_>) -> Step<()> {
        let scan = scan_of(&self.plan);
        check_rows(&scan.table, context)?;
        let found = match &scan.access {
            None if let Some(cursor) = &scan.cursor => {
                let place = context.view.row_at_cursor(cursor, &scan.table)?;
                place.map(|(place, _)| KeyRange::Point(place.key.to_vec())).into_iter().collect()
            }
            Some(access) => ranges(&scan.table, access, context)?,
            None => vec![KeyRange::Between(Bound::Unbounded, Bound::Unbounded)],
        };
        let index = scan.access.as_ref().map(|access| scan.table.indexes[access.index].oid);
        // PostgreSQL counts no look at the row of a cursor.
        self.counted = scan.cursor.is_none().then(|| context.state.counts.scan(scan.table.oid, index));
        let backward = scan.backward;
        self.ranges = found.into();
        if backward {
            self.ranges.make_contiguous().reverse();
        }
        self.cursor = None;
        self.leaf.clear();
        self.at = 0;
        self.phase = Phase::Advance;
        Ok(())
    }

    /// Moves to the next stored row (or index entry), or to the next ones of a leaf; false at the end.
    fn advance(&mut self, context: &mut Context<'_>) -> Step<bool> {
        context.count_row()?;
        let scan = scan_of(&self.plan);
        let index = scan.access.as_ref().and_then(|access| scan.table.indexes[access.index].tree);
        loop {
            if let Some(cursor) = &mut self.cursor {
                let (engine, transaction) = context.stores.of(scan.table.tree);
                let (leaf, stored) = (&mut self.leaf, &mut self.stored);
                let next = match index {
                    Some(_) => {
                        engine.index_next(transaction, cursor, &mut self.entry)?.then_some(Phase::Fetch)
                    }
                    None if self.is_for_few => {
                        engine.cursor_next(transaction, cursor, stored)?.then_some(Phase::Begin)
                    }
                    None => match engine.cursor_rows(transaction, cursor, leaf, stored)? {
                        Found::End => None,
                        Found::Row => Some(Phase::Begin),
                        Found::Rows => Some(Phase::Leaf),
                    },
                };
                if let Some(next) = next {
                    // Rows of a leaf are counted as they are looked at. An entry of another tree leads to a row yet.
                    let (entries, rows) = match next {
                        Phase::Leaf => (0, 0),
                        Phase::Fetch => (1, 0),
                        _ => (1, 1),
                    };
                    self.count_reads(context, entries, rows);
                    (self.phase, self.at) = (next, 0);
                    // One is counted above.
                    context.count_rows_done(self.leaf.len().saturating_sub(1))?;
                    return Ok(true);
                }
                self.cursor = None;
            }
            match self.ranges.front() {
                None => {
                    self.phase = Phase::End;
                    return Ok(false);
                }
                Some(KeyRange::Point(key)) => {
                    let (engine, transaction) = context.stores.of(scan.table.tree);
                    let found = engine.get(transaction, scan.table.tree, key, &mut self.stored)?;
                    let found = found && is_at_cursor(scan, key, context)?;
                    let Some(KeyRange::Point(key)) = self.ranges.pop_front() else {
                        unreachable!("seen above")
                    };
                    if let Some(counted) = self.counted {
                        let reads = context.state.counts.reads(counted);
                        reads.scans += 1;
                        reads.entries += u64::from(found);
                        reads.rows += u64::from(found);
                    }
                    if found {
                        self.stored.key = key;
                        self.phase = Phase::Begin;
                        return Ok(true);
                    }
                }
                Some(KeyRange::Between(lower, upper)) => {
                    let tree = index.unwrap_or(scan.table.tree);
                    let direction = if scan.backward { Direction::Backward } else { Direction::Forward };
                    let (lower, upper) =
                        (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
                    if let Some(counted) = self.counted {
                        context.state.counts.reads(counted).scans += 1;
                    }
                    self.cursor = Some(Cursor::new(tree, lower, upper, direction));
                    self.ranges.pop_front();
                }
            }
        }
    }

    /// Fetches an index entry's row; false if the entry is no hit.
    fn fetch(&mut self, context: &mut Context<'_>) -> Step<bool> {
        let scan = scan_of(&self.plan);
        let table = &scan.table;
        let access = scan.access.as_ref().expect("entries come from an index");
        let index = &table.indexes[access.index];
        let key = &self.entry.primary_key;
        let (engine, transaction) = context.stores.of(table.tree);
        if !engine.get(transaction, table.tree, key, &mut self.stored)? {
            return Ok(false);
        }
        self.stored.key.clone_from(key);
        decode_row(engine, transaction, table, &mut self.stored, &index.reads, &mut self.row)?;
        self.key_scratch.clear();
        index_key(index, &self.row, &mut self.key_scratch)?;
        let is_hit = self.key_scratch == self.entry.key && has_entry(index, &self.row)?;
        if let (true, Some(counted)) = (is_hit, self.counted) {
            context.state.counts.reads(counted).rows += 1;
        }
        Ok(is_hit)
    }
}

impl Operator for TableScan {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        loop {
            match self.phase {
                Phase::Start => self.start(context)?,
                Phase::Advance => {
                    if !self.advance(context)? {
                        return Ok(false);
                    }
                }
                Phase::End => return Ok(false),
                Phase::Leaf => match self.next_of_leaf(context)? {
                    None => self.phase = Phase::Advance,
                    Some(at) if self.is_direct => {
                        self.give_of_leaf(at, row)?;
                        return Ok(true);
                    }
                    Some(at) => {
                        self.leaf.load(at, &mut self.stored);
                        self.begin_row(context, true)?;
                        self.phase = Phase::Filter;
                    }
                },
                Phase::Fetch => {
                    let hit = self.fetch(context)?;
                    self.phase = if hit { Phase::Begin } else { Phase::Advance };
                }
                Phase::Begin => {
                    self.begin_row(context, false)?;
                    self.phase = Phase::Filter;
                }
                Phase::Filter => {
                    let scan = scan_of(&self.plan);
                    if self.filter.passes(scan, &mut self.stored, &mut self.row, context)? {
                        self.phase = Phase::Finish;
                    } else {
                        context.state.measures.filtered += 1;
                        self.phase = Phase::Leaf;
                    }
                }
                Phase::Finish => {
                    let scan = scan_of(&self.plan);
                    match &scan.output {
                        Some(output) if self.stored.chains.is_empty() => {
                            give(scan, output, &self.rest, &self.stored, &mut self.row, row)?;
                        }
                        _ => {
                            self.finish_row(context)?;
                            match &scan_of(&self.plan).output {
                                None => std::mem::swap(row, &mut self.row),
                                Some(output) => {
                                    row.clear();
                                    row.extend(output.iter().map(|&at| std::mem::take(&mut self.row[at])));
                                }
                            }
                        }
                    }
                    self.phase = Phase::Leaf;
                    return Ok(true);
                }
            }
        }
    }

    fn next_columns(&mut self, context: &mut Context<'_>, columns: &mut Columns) -> Step<bool> {
        // Neither index entries nor few rows come by leaves.
        let by_entries = scan_of(&self.plan).access.as_ref();
        let by_entries =
            by_entries.is_some_and(|access| scan_of(&self.plan).table.indexes[access.index].tree.is_some());
        if !self.is_direct || by_entries || self.is_for_few {
            return Ok(false);
        }
        loop {
            match self.phase {
                Phase::Start => self.start(context)?,
                Phase::Advance => {
                    if !self.advance(context)? {
                        return Ok(false);
                    }
                }
                Phase::Leaf => {
                    let looked_at = (self.leaf.len() - self.at) as u64;
                    self.count_reads(context, looked_at, looked_at);
                    let scan = scan_of(&self.plan);
                    self.filter.select(scan, &self.leaf, self.at, &mut self.selected)?;
                    context.state.measures.filtered +=
                        (self.leaf.len() - self.at - self.selected.len()) as u64;
                    let output = scan.output.as_deref().expect("what is direct is narrowed");
                    columns.fill(&scan.table, output, &self.leaf, &self.selected)?;
                    self.at = self.leaf.len();
                    self.phase = Phase::Advance;
                    if !self.selected.is_empty() {
                        return Ok(true);
                    }
                }
                // One row has come alone, or none.
                Phase::Fetch | Phase::Begin | Phase::Filter | Phase::Finish | Phase::End => return Ok(false),
            }
        }
    }

    fn bound(&mut self, rows: usize) {
        self.is_for_few = rows <= FEW_ROWS;
    }

    fn rewind(&mut self, _: &mut Context<'_>) {
        self.phase = Phase::Start;
        self.cursor = None;
        self.is_for_few = false;
    }
}

impl TableScan {
    fn count_reads(&self, context: &mut Context<'_>, entries: u64, rows: u64) {
        if let Some(counted) = self.counted {
            let reads = context.state.counts.reads(counted);
            (reads.entries, reads.rows) = (reads.entries + entries, reads.rows + rows);
        }
    }

    /// The next row of the leaf that passes the tests of fields, behind which the scan then stands. None: there is no further one.
    fn next_of_leaf(&mut self, context: &mut Context<'_>) -> Result<Option<usize>> {
        let from = self.at;
        let found = self.look_through_leaf(context);
        let looked_at = (self.at - from) as u64;
        self.count_reads(context, looked_at, looked_at);
        found
    }

    fn look_through_leaf(&mut self, context: &mut Context<'_>) -> Result<Option<usize>> {
        let scan = scan_of(&self.plan);
        while self.at < self.leaf.len() {
            let at = self.at;
            self.at += 1;
            if self.filter.passes_leading(scan, &self.leaf, at)? {
                return Ok(Some(at));
            }
            context.state.measures.filtered += 1;
        }
        Ok(None)
    }

    /// Gives the wanted columns of a row of the leaf.
    fn give_of_leaf(&self, at: usize, row: &mut Row) -> Result<()> {
        let scan = scan_of(&self.plan);
        let output = scan.output.as_deref().expect("what is direct is narrowed");
        let (columns, body) = self.leaf.columns_and_body(at);
        row.clear();
        // Kept rows are counted by what they hold.
        row.reserve_exact(output.len());
        for &column in output {
            row.push(column_of_body(&scan.table, columns, body, column)?);
        }
        Ok(())
    }

    /// Makes room for the row's values. `has_passed`: the tests of fields at the front.
    fn begin_row(&mut self, context: &mut Context<'_>, has_passed: bool) -> Result<()> {
        let scan = scan_of(&self.plan);
        let row = &mut self.row;
        let width = scan.table.columns.len();
        // A row that is given in part stays here: of the last one nothing is left but what the filter reads anew.
        if scan.output.is_none() || row.len() != width {
            row.clear();
            row.resize(width, Datum::Null);
        }
        if scan.with_versions {
            // The identity takes its place once the row has passed.
            row.extend(scan.with_identity.then_some(Datum::Null));
            row.extend(version_column::of_stored(&scan.table, &self.stored, context.plan)?);
        }
        self.filter.begin_row(scan, context, has_passed);
        Ok(())
    }

    /// The row has passed: reads what is wanted beside the filter's columns, and notes the row if it is to be changed.
    fn finish_row(&mut self, context: &mut Context<'_>) -> Step<()> {
        let scan = scan_of(&self.plan);
        let stored = &mut self.stored;
        for &column in &self.rest {
            // What is in overflow follows.
            if let Ok(value) = column_in_memory(&scan.table, stored, column)? {
                self.row[column] = value;
            }
        }
        if !stored.chains.is_empty() {
            let (engine, transaction) = context.stores.of(scan.table.tree);
            decode_long(engine, transaction, &scan.table, stored, &scan.long_columns, &mut self.row)?;
        }
        if let Some(keys) = context.state.keys_of(&self.plan) {
            keys.clear();
            let (table, version) = (scan.table.oid, stored.version);
            keys.push(RowPlace { table, key: stored.key.as_slice().into(), version });
        }
        if scan.with_identity {
            let number = i64::try_from(context.state.identities.count()).expect("rows fit memory");
            let (key, version) = (stored.key.as_slice().into(), stored.version);
            let long = long_columns(&scan.table, stored)?;
            context.state.identities.push(Identity { key, version, long })?;
            match scan.with_versions {
                true => self.row[scan.table.columns.len()] = Datum::Int8(number),
                false => self.row.push(Datum::Int8(number)),
            }
        }
        Ok(())
    }
}

/// Gives what is wanted of a row that has passed, and of which nothing is in overflow. `own` has what is not of the `rest`.
fn give(
    scan: &Scan,
    output: &[usize],
    rest: &[usize],
    stored: &RowBuffer,
    own: &mut Row,
    row: &mut Row,
) -> Result<()> {
    row.clear();
    // Kept rows are counted by what they hold.
    row.reserve_exact(output.len());
    for column in output {
        row.push(match rest.contains(column) {
            true => column_of_body(&scan.table, stored.columns, &stored.body, *column)?,
            false => std::mem::take(&mut own[*column]),
        });
    }
    Ok(())
}

/// Whether the row under a key is the one that the cursor of WHERE CURRENT OF stands on, and none that has come since.
fn is_at_cursor(scan: &Scan, key: &[u8], context: &mut Context<'_>) -> Step<bool> {
    let Some(cursor) = &scan.cursor else { return Ok(true) };
    let Some((place, snapshot)) = context.view.row_at_cursor(cursor, &scan.table)? else { return Ok(false) };
    let tree = scan.table.tree;
    let (engine, transaction) = context.stores.of(tree);
    Ok(engine.is_row_seen(transaction, tree, key, place.version, snapshot)?)
}
