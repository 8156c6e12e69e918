//! Writing one row with all its index entries.
//!
//! Owns [`RowWriter`], the resumable steps behind INSERT, COPY, and index builds, and the keys of rows. The clustered
//! row goes first; each secondary entry follows as an operation of its own. A duplicate is reported with the
//! constraint's name and the key's values.

use super::stored_row::column_in_memory;
use super::unique::{SharedIn, may_be_shared};
use super::{Context, RowEncoder, version_column};
use crate::catalog::object::{Index, IndexColumn, IndexState, KeyPart, Table};
use crate::catalog::row_expression::RowExpression;
use crate::expression::{Kind, deparse, deparse_pretty};
use crate::plan::{Plan, RowCheck, RowRule};
use crate::stop::{Step, Stop};
use hexalog_engine::{Engine, EngineError, KEY_BYTES_MAX, RowBuffer, Transaction, UniqueCheck, ValueWanted};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::{ARRAY_SLICE, quote_identifier};
use hexalog_sql_types::key::encode;
use hexalog_sql_types::{Datum, EvalEnv, SqlError, SqlState, text};

/// Whether a row has an entry in an index: a partial one has none for rows outside of its predicate, one that goes has none
/// for any.
pub(crate) fn has_entry(index: &Index, row: &[Datum]) -> Result<bool> {
    if index.state == IndexState::Dead {
        return Ok(false);
    }
    match &index.predicate {
        None => Ok(true),
        Some(predicate) => Ok(predicate.value(row)?.as_bool() == Some(true)),
    }
}

/// Appends an index's key of a row; answers whether one of its columns is NULL. Of the row no more need be there than
/// the columns that the index reads.
pub(crate) fn index_key(index: &Index, row: &[Datum], out: &mut Vec<u8>) -> Result<bool> {
    let mut has_null = false;
    for (column, key) in index.columns.iter().zip(index.key.iter()) {
        let computed;
        let value = match &column.part {
            KeyPart::Column(column) => &row[*column],
            KeyPart::Expression(expression) => {
                computed = expression.value(row)?;
                &computed
            }
        };
        has_null |= value.is_null();
        encode(std::slice::from_ref(key), std::slice::from_ref(value), out)?;
    }
    Ok(has_null)
}

/// Computes the generated columns of a row that is to be written.
pub(crate) fn compute_generated(table: &Table, row: &mut [Datum]) -> Result<()> {
    for (column, generated) in table.generated() {
        row[column] = generated.value(row)?;
    }
    Ok(())
}

/// An index's columns and their values in a row, as errors show them.
pub(crate) fn shown_key(table: &Table, index: &Index, values: &[Datum], env: &EvalEnv<'_>) -> String {
    let (mut names, mut shown) = (Vec::new(), Vec::new());
    for (column, value) in index.columns.iter().zip(values) {
        names.push(key_part(table, column, env, true));
        shown.push(match value {
            Datum::Null => "null".to_owned(),
            value => text::output_string(env, column.value_type(&table.columns).0, value),
        });
    }
    format!("({})=({})", names.join(", "), shown.join(", "))
}

/// A column of an index as SQL has it, without its order.
pub(crate) fn key_part(table: &Table, column: &IndexColumn, env: &EvalEnv<'_>, pretty: bool) -> String {
    match &column.part {
        KeyPart::Column(column) => quote_identifier(&table.columns[*column].name),
        KeyPart::Expression(expression) => key_expression(table, expression, env, pretty),
    }
}

/// Appends a row's key in the clustered tree, if the table has a primary key.
pub(crate) fn primary_key(table: &Table, row: &[Datum], out: &mut Vec<u8>) -> Result<bool> {
    match table.clustered_key() {
        Some(index) => index_key(index, row, out).map(|_| true),
        None => Ok(false),
    }
}

/// An expression in an index: a call stands alone, everything else in parentheses.
fn key_expression(table: &Table, expression: &RowExpression, env: &EvalEnv<'_>, pretty: bool) -> String {
    let columns: Vec<&str> = table.columns.iter().map(|column| &*column.name).collect();
    let expr = expression.written();
    let text = match pretty {
        true => deparse_pretty(expr, &columns, env),
        false => deparse(expr, &columns, env),
    };
    match &expr.unmarked().kind {
        Kind::Function { function, .. } if std::ptr::eq(*function, &ARRAY_SLICE) => format!("({text})"),
        Kind::Function { .. } | Kind::Coalesce(_) | Kind::Extreme { .. } | Kind::NullIf { .. } => text,
        _ => format!("({text})"),
    }
}

/// 23505 as PostgreSQL words it.
pub(crate) fn duplicate_key(
    table: &Table,
    schema: &str,
    index: &Index,
    row: &[Datum],
    env: &EvalEnv<'_>,
) -> SqlError {
    let value = |column: &IndexColumn| match &column.part {
        KeyPart::Column(column) => row[*column].clone(),
        KeyPart::Expression(expression) => expression.value(row).unwrap_or_default(),
    };
    let values: Vec<Datum> = index.columns.iter().map(value).collect();
    let message = format!("duplicate key value violates unique constraint \"{}\"", index.name);
    SqlError::new(SqlState::UNIQUE_VIOLATION, message)
        .with_detail(format!("Key {} already exists.", shown_key(table, index, &values, env)))
        .with_table(schema, &table.name)
        .with_constraint(&index.name)
}

/// What became of an index entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    Done,
    /// It is there; another row may have the key, which is to be looked at later.
    Shared,
    /// It is not there: a live row has the key.
    Duplicate,
}

/// Inserts an index entry for a row, checking uniqueness where the index asks for it. May be repeated after a need.
pub(crate) fn insert_entry(
    engine: &Engine,
    transaction: &mut Transaction,
    table: &Table,
    index: &Index,
    key: &[u8],
    has_null: bool,
    row_key: &[u8],
) -> Step<Entered> {
    let tree = index.tree.expect("secondary indexes have trees");
    let mut values: Vec<Datum> = Vec::new();
    check_key_bytes(index, key.len() + row_key.len())?;
    let mut recompute = |stored: &RowBuffer, out: &mut Vec<u8>| {
        values.clear();
        values.resize(table.columns.len(), Datum::Null);
        for &column in index.reads.iter() {
            let value = column_in_memory(table, stored, column);
            values[column] = value.expect("a stored row of this table").map_err(ValueWanted)?;
        }
        const MADE: &str = "its key was made when it was stored";
        let has_null = index_key(index, &values, out).expect(MADE);
        if has_null || !has_entry(index, &values).expect(MADE) {
            out.clear();
        }
        Ok(())
    };
    let unique = (index.is_unique_at_once() && !has_null)
        .then_some(UniqueCheck { clustered: table.tree, index_key: &mut recompute });
    match engine.index_insert(transaction, tree, key, row_key, unique) {
        Ok(()) => {}
        Err(hexalog_engine::Stop::Fail(EngineError::DuplicateKey)) => return Ok(Entered::Duplicate),
        Err(stop) => return Err(stop.into()),
    }
    // Looked for once the own entry stands: of two writers at once one at least sees the other's.
    let is_checked_later = index.unique && !index.is_unique_at_once() && !has_null;
    let is_shared = is_checked_later && may_be_shared(engine, transaction, index, key, row_key)?;
    Ok(if is_shared { Entered::Shared } else { Entered::Done })
}

/// Above it PostgreSQL has other words: no index of any kind holds it.
const INDEX_TUPLE_BYTES_MAX: usize = 8_191;

/// 54000 as PostgreSQL words it, for a key (with the row's own, as an entry stores both) that no page could order.
pub(crate) fn check_key_bytes(index: &Index, bytes: usize) -> Result<()> {
    if bytes <= KEY_BYTES_MAX {
        return Ok(());
    }
    let name = &index.name;
    if bytes > INDEX_TUPLE_BYTES_MAX {
        let message = format!("index row requires {bytes} bytes, maximum size is {INDEX_TUPLE_BYTES_MAX}");
        return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    let message = format!("index row size {bytes} exceeds maximum {KEY_BYTES_MAX} for index \"{name}\"");
    Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message).with_hint(
        "Values larger than 1/3 of a buffer page cannot be indexed.\nConsider a function index of an MD5 hash of the value, \
         or use full text indexing.",
    ))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Key,
    Encode,
    Clustered,
    /// The n-th index of the table.
    Entry(usize),
}

/// Inserts rows one at a time; survives needs in the middle of a row.
pub(crate) struct RowWriter {
    phase: Phase,
    key: Vec<u8>,
    encoder: RowEncoder,
    entry: Vec<u8>,
    /// The indexes in which another row may have the key of the one at hand.
    shared: Vec<usize>,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    Done,
    /// A live row has the key of this index of the table.
    Conflict(usize),
}

impl RowWriter {
    pub(crate) fn new() -> RowWriter {
        RowWriter {
            phase: Phase::Key,
            key: Vec::new(),
            encoder: RowEncoder::new(),
            entry: Vec::new(),
            shared: Vec::new(),
        }
    }

    /// `ctid` of the row that was inserted last; NULL if nobody asks for it.
    pub(crate) fn ctid(&self, table: &Table, row: &[Datum], plan: &Plan) -> Result<Datum> {
        version_column::ctid_written(table, &self.key, row, self.encoder.last(table), plan)
    }

    /// Where other rows may have keys of the row that was inserted last.
    pub(crate) fn shared(&self) -> SharedIn<'_> {
        SharedIn { row: &self.key, indexes: &self.shared }
    }

    /// Inserts a row; after a need call again with the same row. `fuse`: the transaction commits with the clustered
    /// write, which is its last.
    pub(crate) fn insert(
        &mut self,
        engine: &Engine,
        transaction: &mut Transaction,
        table: &Table,
        row: &[Datum],
        fuse: bool,
    ) -> Step<Inserted> {
        loop {
            match self.phase {
                Phase::Key => self.make_key(engine, transaction, table, row)?,
                Phase::Encode => {
                    self.encoder.encode(engine, transaction, table, row, self.key.len(), &[])?;
                    self.phase = Phase::Clustered;
                }
                Phase::Clustered => {
                    if !self.put_row(engine, transaction, table, fuse)? {
                        return Ok(Inserted::Conflict(0));
                    }
                }
                Phase::Entry(at) if at == table.indexes.len() => {
                    self.encoder.taken();
                    self.phase = Phase::Key;
                    return Ok(Inserted::Done);
                }
                Phase::Entry(at) => {
                    if !self.put_entry(engine, transaction, table, row, at)? {
                        return Ok(Inserted::Conflict(at));
                    }
                }
            }
        }
    }

    /// The row's key: that of its primary key, or a number that no row had.
    fn make_key(
        &mut self,
        engine: &Engine,
        transaction: &mut Transaction,
        table: &Table,
        row: &[Datum],
    ) -> Step<()> {
        self.discard(engine, transaction)?;
        self.key.clear();
        self.shared.clear();
        if !primary_key(table, row, &mut self.key)? {
            let id = engine.allocate_row_id(table.tree)?;
            self.key.extend_from_slice(&id.to_be_bytes());
        }
        if let Some(index) = table.clustered_key() {
            check_key_bytes(index, self.key.len())?;
        }
        self.phase = Phase::Encode;
        Ok(())
    }

    /// Puts the row in its place; false if a live row stands there.
    fn put_row(
        &mut self,
        engine: &Engine,
        transaction: &mut Transaction,
        table: &Table,
        fuse: bool,
    ) -> Step<bool> {
        if fuse {
            transaction.set_commit_with_next_write(true);
        }
        match engine.insert(transaction, table.tree, &self.key, self.encoder.row(table)) {
            Ok(()) => {
                self.phase = Phase::Entry(0);
                Ok(true)
            }
            Err(hexalog_engine::Stop::Fail(EngineError::DuplicateKey)) => {
                transaction.set_commit_with_next_write(false);
                self.phase = Phase::Key;
                Ok(false)
            }
            Err(stop) => Err(stop.into()),
        }
    }

    /// Gives the row its entry in index `at`, if it has one; false if a live row has the key.
    fn put_entry(
        &mut self,
        engine: &Engine,
        transaction: &mut Transaction,
        table: &Table,
        row: &[Datum],
        at: usize,
    ) -> Step<bool> {
        let index = &table.indexes[at];
        if !index.is_clustered() && has_entry(index, row)? {
            self.entry.clear();
            let has_null = index_key(index, row, &mut self.entry)?;
            match insert_entry(engine, transaction, table, index, &self.entry, has_null, &self.key)? {
                Entered::Done => {}
                Entered::Shared => self.shared.push(at),
                Entered::Duplicate => {
                    self.phase = Phase::Key;
                    return Ok(false);
                }
            }
        }
        self.phase = Phase::Entry(at + 1);
        Ok(true)
    }
}

impl RowWriter {
    /// Gives back what a row that was refused has left in overflow. May be called at any time between rows.
    pub(crate) fn discard(&mut self, engine: &Engine, transaction: &mut Transaction) -> Step<()> {
        self.encoder.discard(engine, transaction)
    }

    /// Takes back the row that [`RowWriter::insert`] has written before index `at` refused it. May be repeated.
    pub(crate) fn retract(
        &mut self,
        engine: &Engine,
        transaction: &mut Transaction,
        table: &Table,
        row: &[Datum],
        at: usize,
    ) -> Step<()> {
        for index in &table.indexes[..at] {
            let Some(tree) = index.tree else { continue };
            if !has_entry(index, row)? {
                continue;
            }
            self.entry.clear();
            index_key(index, row, &mut self.entry)?;
            engine.index_delete(transaction, tree, &self.entry, &self.key)?;
        }
        Ok(engine.retract(transaction, table.tree, &self.key)?)
    }
}

/// Whether a row may be stored at all: NOT NULL, with PostgreSQL's words.
pub(crate) fn check_not_null(table: &Table, row: &[Datum], context: &Context<'_>) -> Result<(), Stop> {
    for (column, value) in table.columns.iter().zip(row) {
        if column.not_null && !column.dropped && value.is_null() {
            let message = format!(
                "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                column.name, table.name
            );
            let error = SqlError::new(SqlState::NOT_NULL_VIOLATION, message)
                .with_detail(format!("Failing row contains ({}).", row_text(table, row, &context.env)))
                .with_table(context.view.catalog().schema_name(table.schema), &table.name)
                .with_column(&column.name);
            return Err(error.into());
        }
    }
    Ok(())
}

/// 23514 or 44000 as PostgreSQL words it.
pub(crate) fn check_violation(
    table: &Table,
    check: &RowCheck,
    row: &[Datum],
    context: &Context<'_>,
) -> SqlError {
    let name = &check.name;
    if check.rule == RowRule::View {
        let message = format!("new row violates check option for view \"{name}\"");
        return SqlError::new(SqlState::WITH_CHECK_OPTION_VIOLATION, message)
            .with_detail(format!("Failing row contains ({}).", row_text(table, row, &context.env)));
    }
    let message = format!("new row for relation \"{}\" violates check constraint \"{name}\"", table.name);
    SqlError::new(SqlState::CHECK_VIOLATION, message)
        .with_detail(format!("Failing row contains ({}).", row_text(table, row, &context.env)))
        .with_table(context.view.catalog().schema_name(table.schema), &table.name)
        .with_constraint(name)
}

/// Characters of a value that an error shows.
const SHOWN_CHARS_MAX: usize = 64;

fn row_text(table: &Table, row: &[Datum], env: &EvalEnv<'_>) -> String {
    let mut values = Vec::new();
    for (column, value) in table.columns.iter().zip(row).filter(|(column, _)| !column.dropped) {
        let mut form = match value {
            Datum::Null => "null".to_owned(),
            value => text::output_string(env, column.type_id, value),
        };
        if let Some((end, _)) = form.char_indices().nth(SHOWN_CHARS_MAX) {
            form.truncate(end);
            form.push_str("...");
        }
        values.push(form);
    }
    values.join(", ")
}
