//! Copying a table's rows into a new tree: under another key, or with computed columns.
//!
//! Owns [`Rewrite`]. Rows are read in the old tree's order and inserted one by one, so memory does not grow with the
//! table, and a table that was loaded in the order of its new key is written page by page. Everything is part of the
//! caller's transaction: the old tree is dropped with its commit, the new one with its rollback. As in PostgreSQL,
//! transactions with an older snapshot see no rows in the new tree.

use super::DefinitionContext;
use super::build::{RowScan, not_unique};
use super::expression::Evaluator;
use super::validate::Rules;
use crate::catalog::object::Table;
use crate::execute::{Row, RowEncoder, check_key_bytes, primary_key};
use crate::stop::Step;
use hexalog_engine::{EngineError, SequenceId, TreeId};
use hexalog_sql_types::{Datum, TypeId};

/// Where the values of a new column come from.
pub(super) enum Source {
    Default(Box<Evaluator>),
    /// SERIAL and identity, whose sequence is as new as the column.
    Sequence(SequenceId),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Read,
    /// The n-th computed column is next.
    Compute(usize),
    Judge,
    Key,
    Encode,
    Write,
}

/// A copy under way.
pub(super) struct Rewrite {
    scan: RowScan,
    /// All columns of the new table.
    columns: Vec<usize>,
    computed: Vec<(usize, Source)>,
    rules: Rules,
    keeps_keys: bool,
    phase: Phase,
    row: Row,
    key: Vec<u8>,
    encoder: RowEncoder,
}

impl Rewrite {
    /// `keeps_keys`: the new tree has the old one's keys.
    pub(super) fn new(
        old: TreeId,
        new: &Table,
        computed: Vec<(usize, Source)>,
        rules: Rules,
        keeps_keys: bool,
    ) -> Rewrite {
        Rewrite {
            scan: RowScan::new(old),
            columns: (0..new.columns.len()).filter(|&at| !new.columns[at].dropped).collect(),
            computed,
            rules,
            keeps_keys,
            phase: Phase::Read,
            row: Row::new(),
            key: Vec::new(),
            encoder: RowEncoder::new(),
        }
    }

    pub(super) fn run(&mut self, context: &mut DefinitionContext<'_>, table: &Table) -> Step<()> {
        loop {
            match self.phase {
                Phase::Read => {
                    if !self.scan.next(context, table, &self.columns, &mut self.row)? {
                        return Ok(());
                    }
                    self.phase = Phase::Compute(0);
                }
                Phase::Compute(at) => match self.computed.get_mut(at) {
                    None => self.phase = Phase::Judge,
                    Some((column, source)) => {
                        self.row[*column] = match source {
                            Source::Default(evaluator) => evaluator.value(&[], context)?,
                            Source::Sequence(id) => {
                                let value = context.engine.sequence_next(*id)?;
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
                        let id = context.engine.allocate_row_id(table.tree)?;
                        self.key.extend_from_slice(&id.to_be_bytes());
                    }
                    if let Some(index) = table.primary_key() {
                        check_key_bytes(index, self.key.len())?;
                    }
                    self.phase = Phase::Encode;
                }
                Phase::Encode => {
                    let (engine, key_bytes) = (context.engine, self.key.len());
                    self.encoder.encode(engine, context.transaction, table, &self.row, key_bytes, &[])?;
                    self.phase = Phase::Write;
                }
                Phase::Write => {
                    let stored = self.encoder.row(table);
                    match context.engine.insert(context.transaction, table.tree, &self.key, stored) {
                        Ok(()) => {
                            self.encoder.taken();
                            self.phase = Phase::Read;
                        }
                        Err(hexalog_engine::Stop::Fail(EngineError::DuplicateKey)) => {
                            let index = table.primary_key().expect("row ids are never given twice");
                            return Err(not_unique(context, table, index, &self.key).into());
                        }
                        Err(stop) => return Err(stop.into()),
                    }
                }
            }
        }
    }
}

/// A sequence's value as its column holds it; the sequence's bounds are those of the type.
fn integer(type_id: TypeId, value: i64) -> Datum {
    match type_id {
        TypeId::INT2 => Datum::Int2(i16::try_from(value).expect("bounded by the sequence")),
        TypeId::INT4 => Datum::Int4(i32::try_from(value).expect("bounded by the sequence")),
        _ => Datum::Int8(value),
    }
}
