//! Copying a table's rows into a new tree: under another key, or with computed columns.
//!
//! Owns [`Rewrite`]. Rows are given to the engine's builder in the order of their new keys, so that each page is written
//! once. Rows that stand in that order already are read as they stand, which a first look at a new primary key finds out;
//! else the keys are sorted (`sorter.rs`) and the rows fetched by them. Where keys are computed with the row, a key out
//! of order ends the building, and the rest is inserted row by row. Everything is part of the
//! caller's transaction: the old tree is dropped with its commit, the new one with its rollback. As in PostgreSQL,
//! transactions with an older snapshot see no rows in the new tree.

use super::build::{RowScan, not_unique};
use super::expression::Evaluator;
use super::sorter::EntrySorter;
use super::validate::Rules;
use super::{DefinitionContext, Pace};
use crate::catalog::object::Table;
use crate::catalog::row_expression::RowExpression;
use crate::execute::{Row, RowEncoder, check_key_bytes, decode_row, primary_key};
use crate::stop::{Step, Stop};
use hexalog_engine::{Built, EngineError, RowBuffer, SequenceId, TreeBuilder, TreeId, TreeKind};
use hexalog_sql_types::{Datum, TypeId};
use std::sync::Arc;

/// Where the values of a new column come from.
pub(super) enum Source {
    Default(Box<Evaluator>),
    /// The column has another type: its values are computed from the row as it was.
    Cast(Box<Evaluator>),
    /// Computed from the new row.
    Generated(Arc<RowExpression>),
    /// SERIAL and identity, whose sequence is as new as the column.
    Sequence(SequenceId),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A first look at keys and rules.
    Survey,
    Read,
    /// The n-th computed column is next.
    Compute(usize),
    Judge,
    Key,
    Encode,
    Write,
    Finish,
}

/// A copy under way.
pub(super) struct Rewrite {
    old: TreeId,
    /// The table as the old tree's rows are stored.
    stored_as: Table,
    scan: RowScan,
    /// New keys with old ones, and the entry that is next; `None`: rows are read as they stand.
    sorter: Option<EntrySorter>,
    entry: usize,
    /// Keys came in ascending order in the survey so far.
    is_ascending: bool,
    survey_columns: Vec<usize>,
    /// A row fetched by an entry.
    stored: RowBuffer,
    /// `None`: rows are inserted one by one.
    builder: Option<TreeBuilder>,
    /// All columns of the new table.
    columns: Vec<usize>,
    computed: Vec<(usize, Source)>,
    rules: Rules,
    keeps_keys: bool,
    phase: Phase,
    /// The survey's row has not been judged yet.
    has_row: bool,
    pace: Pace,
    row: Row,
    /// The row as it was, while another is computed from it.
    before: Row,
    key: Vec<u8>,
    encoder: RowEncoder,
}

impl Rewrite {
    /// `old` with the table as its rows are stored. `keeps_keys`: the new tree has the old one's keys.
    pub(super) fn new(
        context: &mut DefinitionContext<'_>,
        (old, stored_as): (TreeId, Table),
        new: &Table,
        computed: Vec<(usize, Source)>,
        rules: Rules,
        keeps_keys: bool,
    ) -> Rewrite {
        let mut survey_columns = rules.columns().to_vec();
        let clustered_key = new.clustered_key();
        survey_columns.extend(clustered_key.iter().flat_map(|index| index.reads.iter().copied()));
        let is_surveyed = clustered_key.is_some() && !keeps_keys && computed.is_empty();
        let (engine, transaction) = context.stores.of(new.tree);
        let builder = engine.begin_build(transaction, new.tree, TreeKind::Clustered);
        Rewrite {
            old,
            stored_as,
            scan: RowScan::new(old),
            sorter: is_surveyed.then(|| EntrySorter::new(context.database.options().sort_bytes_max)),
            entry: 0,
            is_ascending: true,
            survey_columns,
            stored: RowBuffer::new(),
            builder: Some(builder),
            columns: (0..new.columns.len()).filter(|&at| !new.columns[at].dropped).collect(),
            computed,
            rules,
            keeps_keys,
            phase: if is_surveyed { Phase::Survey } else { Phase::Read },
            has_row: false,
            pace: Pace::default(),
            row: Row::new(),
            before: Row::new(),
            key: Vec::new(),
            encoder: RowEncoder::new(),
        }
    }

    pub(super) fn run(&mut self, context: &mut DefinitionContext<'_>, table: &Table) -> Step<()> {
        loop {
            match self.phase {
                Phase::Survey => {
                    self.survey(context, table)?;
                    self.phase = Phase::Read;
                }
                Phase::Read => {
                    self.phase = match self.next_row(context)? {
                        Next::Row => {
                            self.before.clone_from(&self.row);
                            Phase::Compute(0)
                        }
                        Next::Pass => Phase::Survey,
                        Next::End => Phase::Finish,
                    };
                }
                Phase::Finish => {
                    if let Some(builder) = &mut self.builder {
                        let (engine, transaction) = context.stores.of(table.tree);
                        engine.finish_build(transaction, builder)?;
                    }
                    return Ok(());
                }
                Phase::Compute(at) => match self.computed.get_mut(at) {
                    None => self.phase = Phase::Judge,
                    Some((column, source)) => {
                        self.row[*column] = match source {
                            Source::Default(evaluator) => evaluator.value(&[], context)?,
                            Source::Generated(generated) => generated.value(&self.row)?,
                            Source::Cast(evaluator) => evaluator.value(&self.before, context)?,
                            Source::Sequence(id) => {
                                let (engine, transaction) = context.stores.of_sequence(*id);
                                let value = engine.sequence_next(transaction, *id)?;
                                integer(table.columns[*column].type_id, value)
                            }
                        };
                        self.phase = Phase::Compute(at + 1);
                    }
                },
                Phase::Judge => {
                    self.rules.judge(context, table, &self.row)?;
                    self.phase = Phase::Key;
                }
                Phase::Key => {
                    self.key.clear();
                    if self.keeps_keys {
                        self.key.extend_from_slice(self.scan.key());
                    } else if !primary_key(table, &self.row, &mut self.key)? {
                        let (engine, _) = context.stores.of(table.tree);
                        let id = engine.allocate_row_id(table.tree)?;
                        self.key.extend_from_slice(&id.to_be_bytes());
                    }
                    if let Some(index) = table.clustered_key() {
                        check_key_bytes(index, self.key.len())?;
                    }
                    self.phase = Phase::Encode;
                }
                Phase::Encode => {
                    let (engine, transaction) = context.stores.of(table.tree);
                    let key_bytes = self.key.len();
                    self.encoder.encode(engine, transaction, table, &self.row, key_bytes, &[])?;
                    self.phase = Phase::Write;
                }
                Phase::Write => {
                    self.write(context, table)?;
                    self.encoder.taken();
                    self.entry += 1;
                    self.phase = Phase::Read;
                }
            }
        }
    }

    /// Looks at all rows: are they what they should be, and in which order are they to be written?
    fn survey(&mut self, context: &mut DefinitionContext<'_>, table: &Table) -> Step<()> {
        let sorter = self.sorter.as_mut().expect("made for the survey");
        let index = table.clustered_key().expect("surveyed for it");
        loop {
            if !self.has_row {
                if !self.scan.next(context, table, &self.survey_columns, &mut self.row)? {
                    break;
                }
                self.has_row = true;
            }
            self.rules.judge(context, table, &self.row)?;
            let mut key = Vec::new();
            primary_key(table, &self.row, &mut key)?;
            check_key_bytes(index, key.len())?;
            self.is_ascending &= self.key <= key;
            sorter.push(&key, self.scan.key(), false);
            self.key = key;
            self.has_row = false;
        }
        self.scan = RowScan::new(self.old);
        self.entry = 0;
        if self.is_ascending {
            self.sorter = None;
        } else {
            sorter.end_pass();
        }
        Ok(())
    }

    fn next_row(&mut self, context: &mut DefinitionContext<'_>) -> Step<Next> {
        let table = &self.stored_as;
        let Some(sorter) = &mut self.sorter else {
            let found = self.scan.next(context, table, &self.columns, &mut self.row)?;
            return Ok(if found { Next::Row } else { Next::End });
        };
        let Some(entry) = sorter.entry(self.entry) else {
            self.key.clear();
            return Ok(if sorter.begin_pass() { Next::Pass } else { Next::End });
        };
        self.pace.row(context)?;
        let stored = &mut self.stored;
        let (engine, transaction) = context.stores.of(self.old);
        let found = engine.get(transaction, self.old, entry.row_key, stored)?;
        assert!(found, "the survey saw it, and nobody else writes");
        decode_row(engine, transaction, table, stored, &self.columns, &mut self.row)?;
        Ok(Next::Row)
    }

    fn write(&mut self, context: &mut DefinitionContext<'_>, table: &Table) -> Step<()> {
        let row = self.encoder.row(table);
        let (engine, transaction) = context.stores.of(table.tree);
        if let Some(builder) = &mut self.builder {
            match engine.build_row(transaction, builder, &self.key, row) {
                Ok(Built::Added) => return Ok(()),
                Ok(Built::OutOfOrder) => {
                    engine.finish_build(transaction, builder)?;
                    self.builder = None;
                }
                Err(stop) => return Err(self.refused(context, table, stop)),
            }
        }
        let inserted = engine.insert(transaction, table.tree, &self.key, row);
        inserted.map_err(|stop| self.refused(context, table, stop))
    }

    fn refused(&self, context: &DefinitionContext<'_>, table: &Table, stop: hexalog_engine::Stop) -> Stop {
        match stop {
            hexalog_engine::Stop::Fail(EngineError::DuplicateKey) => {
                let index = table.clustered_key().expect("row ids are never given twice");
                not_unique(context, table, index, &self.key).into()
            }
            stop => stop.into(),
        }
    }
}

/// What comes next.
enum Next {
    Row,
    /// Nothing of this pass; the keys are to be looked at again.
    Pass,
    End,
}

/// A sequence's value as its column holds it; the sequence's bounds are those of the type.
fn integer(type_id: TypeId, value: i64) -> Datum {
    match type_id {
        TypeId::INT2 => Datum::Int2(i16::try_from(value).expect("bounded by the sequence")),
        TypeId::INT4 => Datum::Int4(i32::try_from(value).expect("bounded by the sequence")),
        _ => Datum::Int8(value),
    }
}
