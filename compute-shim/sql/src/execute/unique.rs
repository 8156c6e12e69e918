//! Looking for rows that have a key of an index.
//!
//! Owns [`KeyProbe`], which finds a live row with a key, newest version and all, waiting for its writer if that is in
//! progress: ON CONFLICT looks so for what is in its way. Owns [`KeyCheck`] too, the second look at a key of a deferrable
//! constraint. Its entries go in unchecked; when another row may have the key, dead or alive, that leaves a debt (`referential.rs`),
//! which is settled here at the end of the statement or of the transaction. Whoever writes an entry first sees none
//! beside it and owes nothing, so of two transactions only the second waits for the other, as in PostgreSQL.

use super::row_writer::duplicate_key;
use super::{Context, Row, decode_row, has_entry, index_key};
use crate::catalog::Catalog;
use crate::catalog::object::{Index, Oid, Table};
use crate::stop::Step;
use hexalog_engine::{Cursor, Direction, Engine, IndexEntry, NewestRow, RowBuffer, Transaction};
use hexalog_sql_types::Datum;
use hexalog_sql_types::key::prefix_end;
use std::ops::Bound;
use std::sync::Arc;

/// A key that more than one row may have.
#[derive(Clone, Debug)]
pub(super) struct SharedKey {
    pub table: Oid,
    /// The number of the constraint.
    pub constraint: Oid,
    /// The row that took it, by its place in the rows' own tree.
    pub row: Arc<[u8]>,
    pub key: Arc<[u8]>,
}

/// The indexes, by their places in a table, in which other rows may have the keys of a row that was written.
#[derive(Clone, Copy)]
pub(crate) struct SharedIn<'a> {
    /// That row's place in the rows' own tree.
    pub row: &'a [u8],
    pub indexes: &'a [usize],
}

/// The index of a constraint of a table.
pub(super) fn index_of(catalog: &Catalog, table: Oid, constraint: Oid) -> Option<(&Arc<Table>, &Index)> {
    let table = catalog.table(table)?;
    Some((table, table.indexes.iter().find(|index| index.constraint == constraint)?))
}

/// Whether an index has an entry of this key beside a row's own, whatever has become of its row.
pub(super) fn may_be_shared(
    engine: &Engine,
    transaction: &mut Transaction,
    index: &Index,
    key: &[u8],
    row: &[u8],
) -> Step<bool> {
    let tree = index.tree.expect("only an index with a tree of its own is checked later");
    let upper = prefix_end(key);
    let mut cursor = Cursor::new(tree, Bound::Included(key), Bound::Excluded(&upper), Direction::Forward);
    let mut entry = IndexEntry::default();
    while engine.index_next(transaction, &mut cursor, &mut entry)? {
        if entry.key == key && entry.primary_key != row {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The look for a live row with a key; survives needs.
#[derive(Default)]
pub(super) struct KeyProbe {
    pub key: Vec<u8>,
    cursor: Option<Cursor>,
    entry: IndexEntry,
    has_entry: bool,
    /// The row that was found.
    pub stored: RowBuffer,
}

impl KeyProbe {
    /// The next look begins anew.
    pub(super) fn end(&mut self) {
        self.cursor = None;
    }

    /// Whether a live row, other than the one to be passed over, has the key of a row in an index.
    pub(super) fn find_of(
        &mut self,
        context: &mut Context<'_>,
        table: &Table,
        index: &Index,
        row: &[Datum],
        passed_over: Option<&[u8]>,
    ) -> Step<bool> {
        // While a look is under way the key is that of its beginning.
        if self.cursor.is_none() {
            self.key.clear();
            // What has no entry is in nobody's way.
            if !has_entry(index, row)? || index_key(index, row, &mut self.key)? {
                return Ok(false);
            }
        }
        self.find(context, table, index, passed_over)
    }

    /// Whether a live row, other than the one to be passed over, has the key.
    fn find(
        &mut self,
        context: &mut Context<'_>,
        table: &Table,
        index: &Index,
        passed_over: Option<&[u8]>,
    ) -> Step<bool> {
        let (engine, transaction) = context.stores.of(table.tree);
        let Some(tree) = index.tree else {
            let stored = &mut self.stored;
            let found = engine.get_newest(transaction, table.tree, &self.key, None, stored)?;
            stored.key.clone_from(&self.key);
            return Ok(found == NewestRow::Found);
        };
        let upper = prefix_end(&self.key);
        let cursor = self.cursor.get_or_insert_with(|| {
            Cursor::new(tree, Bound::Included(&self.key), Bound::Excluded(&upper), Direction::Forward)
        });
        loop {
            if !self.has_entry {
                if !engine.index_next(transaction, cursor, &mut self.entry)? {
                    return Ok(false);
                }
                if passed_over == Some(&self.entry.primary_key) {
                    continue;
                }
                self.has_entry = true;
            }
            let key = &self.entry.primary_key;
            let found = engine.get_newest(transaction, table.tree, key, None, &mut self.stored)?;
            if found != NewestRow::Found {
                self.has_entry = false;
                continue;
            }
            self.stored.key.clone_from(key);
            let (mut row, mut current) = (Row::new(), Vec::new());
            decode_row(engine, transaction, table, &mut self.stored, &index.reads, &mut row)?;
            self.has_entry = false;
            index_key(index, &row, &mut current)?;
            if current == self.key && has_entry(index, &row)? {
                return Ok(true);
            }
        }
    }
}

/// The look for the key that an error names where several are taken. PostgreSQL enters a row in its indexes in the order in
/// which they were made; here the row comes first, and with it the primary key.
#[derive(Default)]
pub(crate) struct FirstTaken {
    is_under_way: bool,
    at: usize,
    probe: KeyProbe,
}

impl FirstTaken {
    /// What refused the row has gone while a look for another was under way; the next look is for another row.
    pub(crate) fn forget(&mut self) {
        if self.is_under_way {
            *self = FirstTaken::default();
        }
    }

    /// The first index in which another row has the key of a row that index `refused` has refused; call again after a need.
    pub(crate) fn find(
        &mut self,
        context: &mut Context<'_>,
        table: &Table,
        row: &[Datum],
        passed_over: Option<&[u8]>,
        refused: usize,
    ) -> Step<usize> {
        self.is_under_way = true;
        let last = &table.indexes[refused];
        let is_older =
            |index: &Index| last.is_clustered() && index.oid < last.oid && index.is_unique_at_once();
        while let Some(index) = table.indexes.get(self.at) {
            if is_older(index) && self.probe.find_of(context, table, index, row, passed_over)? {
                return Ok(std::mem::take(self).at);
            }
            self.probe.end();
            self.at += 1;
        }
        *self = FirstTaken::default();
        Ok(refused)
    }
}

/// The second look at a key.
pub(super) struct KeyCheck {
    debt: SharedKey,
    /// The row that took the key, once it is known to have it still.
    own: Option<Row>,
    stored: RowBuffer,
    probe: KeyProbe,
    has_begun: bool,
}

impl KeyCheck {
    pub(super) fn new(debt: SharedKey) -> KeyCheck {
        let probe = KeyProbe { key: debt.key.to_vec(), ..KeyProbe::default() };
        KeyCheck { debt, own: None, stored: RowBuffer::new(), probe, has_begun: false }
    }

    /// 23505 if another row has the key; call again after a need.
    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Step<()> {
        let view = context.view;
        let SharedKey { table, constraint, row, key } = &self.debt;
        let Some((table, index)) = index_of(view.catalog(), *table, *constraint) else { return Ok(()) };
        if !self.has_begun {
            // Places in queues for rows, which a look before this one may have taken, are given back.
            context.stores.begin_statement_at_appended()?;
            self.has_begun = true;
        }
        if self.own.is_none() {
            let (engine, transaction) = context.stores.of(table.tree);
            let found = engine.get_newest(transaction, table.tree, row, None, &mut self.stored)?;
            if found != NewestRow::Found {
                return Ok(());
            }
            let (mut own, mut current) = (Row::new(), Vec::new());
            decode_row(engine, transaction, table, &mut self.stored, &index.reads, &mut own)?;
            index_key(index, &own, &mut current)?;
            // A row that has been given another key since has left a debt for that one, if need be.
            if current != **key || !has_entry(index, &own)? {
                return Ok(());
            }
            self.own = Some(own);
        }
        if !self.probe.find(context, table, index, Some(row))? {
            return Ok(());
        }
        let own = self.own.as_ref().expect("read above");
        let schema = view.catalog().schema_name(table.schema);
        Err(duplicate_key(table, schema, index, own, &context.env).into())
    }
}
