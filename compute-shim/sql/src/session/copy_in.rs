//! COPY FROM STDIN: lines of text become rows.
//!
//! Owns [`CopyIn`]. Defaults, checks and locks come from the plan of `INSERT … DEFAULT VALUES` into the same table, so
//! that both statements hold rows to the same rules; rows are written by `execute`'s row writer. A line is parsed
//! once; when its row has to wait, the same piece of data is given again and the work goes on at the row.

use super::copy_out::{copy_columns, copy_table};
use super::copy_text::{Line, Lines, split_fields, unescape};
use super::statement::Prepared;
use super::transaction::Scope;
use crate::answer::{CommandTag, CopyInFormat};
use crate::catalog::object::{Object, ObjectClass, Table};
use crate::execute::{
    Context, Inserted, Row, RowWriter, State, check_not_null, check_violation, duplicate_key,
    settle_references,
};
use crate::expression::evaluate;
use crate::parse::tree::{Copy, CopyOptions, CopySource, Insert, Name, Statement};
use crate::plan::{Exprs, Node, Plan, RowCheck};
use crate::stop::{Step, Stop};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, EvalEnv, SqlError, SqlState, text};
use std::ops::Range;
use std::sync::Arc;

/// Characters of a line or value that an error shows.
const SHOWN_CHARS_MAX: usize = 100;

/// What a row is made of and held to.
struct Target {
    plan: Arc<Plan>,
    table: Arc<Table>,
    /// The table's columns in the order of the fields.
    columns: Vec<usize>,
    /// Columns that no field gives, with their defaults.
    defaults: Vec<usize>,
    default_exprs: Exprs,
}

impl Target {
    fn checks(&self) -> &[RowCheck] {
        match &*self.plan.root {
            Node::Insert { checks, .. } => checks,
            _ => unreachable!("the plan of an INSERT"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A line is to be read.
    Read,
    /// The current line's row is completed, checked and written.
    Defaults(usize),
    Checks,
    Write,
}

/// COPY FROM STDIN under way.
pub(super) struct CopyIn {
    copy: Copy,
    target: Option<Target>,
    has_begun: bool,
    lines: Lines,
    /// How far into the current piece.
    at: usize,
    line: Option<Line>,
    line_number: u64,
    phase: Phase,
    /// The last line has been taken.
    has_ended: bool,
    fields: Vec<Range<usize>>,
    value: Vec<u8>,
    row: Row,
    writer: RowWriter,
    state: State,
    rows: u64,
}

impl CopyIn {
    pub(super) fn new(copy: Copy) -> CopyIn {
        CopyIn {
            copy,
            target: None,
            has_begun: false,
            lines: Lines::new(),
            at: 0,
            line: None,
            line_number: 0,
            phase: Phase::Read,
            has_ended: false,
            fields: Vec::new(),
            value: Vec::new(),
            row: Row::new(),
            writer: RowWriter::new(),
            state: State::default(),
            rows: 0,
        }
    }

    /// Locks, plan and snapshot; then data may come.
    pub(super) fn begin(&mut self, scope: &mut Scope) -> Step<CopyInFormat> {
        let CopySource::Table { name, columns } = &self.copy.source else {
            return Err(SqlError::syntax("syntax error at or near \"FROM\"").into());
        };
        while !self.has_begun {
            if self.target.is_none() {
                scope.refresh_durable()?;
                let target = target(scope, name, columns)?;
                scope.check_may_write("COPY FROM")?;
                for &(relation, mode) in &target.plan.relations {
                    scope.lock_relation(relation, mode)?;
                }
                if !scope.is_current() {
                    continue;
                }
                if self.copy.options.freeze {
                    check_freeze(scope, &target.table)?;
                }
                self.state = State::new(&target.plan);
                self.target = Some(target);
            }
            scope.begin_statement()?;
            self.has_begun = true;
        }
        let count = self.target.as_ref().map_or(0, |target| target.columns.len());
        Ok(CopyInFormat { columns: u16::try_from(count).expect("a table has at most 1,600 columns") })
    }

    /// Takes a piece of data in. After a need the same piece is to be given again.
    pub(super) fn data(&mut self, scope: &mut Scope, piece: &[u8]) -> Step<usize> {
        loop {
            if self.phase == Phase::Read {
                self.line = match self.lines.next(piece, &mut self.at) {
                    Ok(line) => line,
                    Err(error) => {
                        self.line_number += 1;
                        return Err(self.at_line(error).into());
                    }
                };
                if self.line.is_none() {
                    self.at = 0;
                    return Ok(piece.len());
                }
                self.read(scope, piece)?;
            }
            self.write(scope, piece)?;
        }
    }

    /// No more data comes.
    pub(super) fn done(&mut self, scope: &mut Scope) -> Step<CommandTag> {
        if self.phase == Phase::Read && !self.has_ended {
            self.line = match self.lines.last() {
                Ok(line) => line,
                Err(error) => {
                    self.line_number += 1;
                    return Err(self.at_line(error).into());
                }
            };
            if self.line.is_some() {
                self.read(scope, &[])?;
            }
        }
        if self.line.is_some() {
            self.write(scope, &[])?;
            self.line = None;
        }
        self.has_ended = true;
        if let Some(target) = &self.target {
            scope.with_execution(&target.plan, &[], &mut self.state, false, settle_references)?;
        }
        scope.end_statement()?;
        Ok(CommandTag::counted("COPY", self.rows))
    }

    /// The error with the line's number as its context.
    pub(super) fn at_line(&self, error: SqlError) -> SqlError {
        error.with_context(format!("COPY {}, line {}", self.table_name(), self.line_number.max(1)))
    }

    fn table_name(&self) -> &str {
        match (&self.target, &self.copy.source) {
            (Some(target), _) => &target.table.name,
            (None, CopySource::Table { name, .. }) => name.last(),
            (None, CopySource::Query(_)) => "",
        }
    }

    fn in_line(&self, error: SqlError, piece: &[u8]) -> SqlError {
        let Some(line) = &self.line else { return self.at_line(error) };
        let shown = shown(self.lines.bytes(line, piece));
        error.with_context(format!("COPY {}, line {}: \"{shown}\"", self.table_name(), self.line_number))
    }

    /// Parses the current line into a row.
    fn read(&mut self, scope: &Scope, piece: &[u8]) -> Step<()> {
        self.line_number += 1;
        if self.copy.options.header && self.line_number == 1 {
            return Ok(());
        }
        let host = scope.host();
        let env = scope.env(&host);
        let line = self.line.as_ref().expect("set by the caller");
        let bytes = self.lines.bytes(line, piece);
        let line_text = match text::decode_utf8(bytes) {
            Ok(line_text) => line_text,
            Err(error) => return Err(self.at_line(error).into()),
        };
        split_fields(bytes, self.copy.options.delimiter, line.has_escape, &mut self.fields);
        let target = self.target.as_ref().expect("begun");
        if self.fields.len() > target.columns.len() {
            let error =
                SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, "extra data after last expected column");
            return Err(self.in_line(error, piece).into());
        }
        self.row.clear();
        self.row.resize(target.table.columns.len(), Datum::Null);
        for (at, &column) in target.columns.iter().enumerate() {
            let Some(field) = self.fields.get(at) else {
                let message = format!("missing data for column \"{}\"", target.table.columns[column].name);
                let error = SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, message);
                return Err(self.in_line(error, piece).into());
            };
            // Delimiters are ASCII, so fields begin and end between characters.
            let field = &line_text[field.clone()];
            let options = &self.copy.options;
            match field_value(&env, &target.table, column, field, line.has_escape, options, &mut self.value) {
                Ok(value) => self.row[column] = value,
                Err(FieldError::Encoding(error)) => return Err(self.in_line(error, piece).into()),
                Err(FieldError::Value(error)) => {
                    let (name, number) = (&target.table.columns[column].name, self.line_number);
                    let place = format!("COPY {}, line {number}, column {name}", target.table.name);
                    return Err(error.with_context(format!("{place}: \"{}\"", shown(&self.value))).into());
                }
            }
        }
        target.default_exprs.evaluation.begin_row(&mut self.state);
        self.phase = Phase::Defaults(0);
        Ok(())
    }

    /// Completes, checks and writes the current row, if there is one.
    fn write(&mut self, scope: &mut Scope, piece: &[u8]) -> Step<()> {
        if self.phase == Phase::Read {
            return Ok(());
        }
        match self.write_row(scope) {
            Ok(None) => {
                self.phase = Phase::Read;
                self.rows += 1;
                Ok(())
            }
            Ok(Some(duplicate)) => Err(self.at_line(duplicate).into()),
            Err(Stop::Error(error)) if error.fields().context.is_none() => {
                Err(self.in_line(error, piece).into())
            }
            Err(stop) => Err(stop),
        }
    }

    /// Answers with the error for a row whose key is taken.
    fn write_row(&mut self, scope: &mut Scope) -> Step<Option<SqlError>> {
        let target = self.target.as_ref().expect("begun");
        scope.with_execution(&target.plan, &[], &mut self.state, false, |context| {
            loop {
                match self.phase {
                    Phase::Read => return Ok(None),
                    Phase::Defaults(at) if at == target.defaults.len() => {
                        check_not_null(&target.table, &self.row, context)?;
                        let checks = target.checks().iter();
                        checks.for_each(|check| check.predicate.evaluation.begin_row(context.state));
                        self.phase = Phase::Checks;
                    }
                    Phase::Defaults(at) => {
                        let value = evaluate(&target.default_exprs.items[at], &[], context)?;
                        self.row[target.defaults[at]] = value;
                        self.phase = Phase::Defaults(at + 1);
                    }
                    Phase::Checks => {
                        for check in target.checks() {
                            if evaluate(&check.predicate.expr, &self.row, context)?.as_bool() == Some(false) {
                                return Err(
                                    check_violation(&target.table, &check.name, &self.row, context).into()
                                );
                            }
                        }
                        context.count_row()?;
                        self.phase = Phase::Write;
                    }
                    Phase::Write => {
                        let Context { engine, transaction, .. } = context;
                        let written =
                            self.writer.insert(engine, transaction, &target.table, &self.row, false)?;
                        let Inserted::Conflict(index) = written else {
                            context.note_insert(&target.table, &self.row)?;
                            return Ok(None);
                        };
                        let schema = context.view.catalog().schema_name(target.table.schema);
                        let index = &target.table.indexes[index];
                        return Ok(Some(duplicate_key(
                            &target.table,
                            schema,
                            index,
                            &self.row,
                            &context.env,
                        )));
                    }
                }
            }
        })
    }
}

/// Why a field has no value.
enum FieldError {
    /// Escapes made bytes that are no text.
    Encoding(SqlError),
    Value(SqlError),
}

/// The value of a field. Its text without escapes is left in `scratch` for an error to show.
fn field_value(
    env: &EvalEnv<'_>,
    table: &Table,
    column: usize,
    field: &str,
    has_escape: bool,
    options: &CopyOptions,
    scratch: &mut Vec<u8>,
) -> Result<Datum, FieldError> {
    if field == options.null {
        return Ok(Datum::Null);
    }
    let definition = &table.columns[column];
    if has_escape {
        unescape(field.as_bytes(), scratch);
        let value = text::decode_utf8(scratch).map_err(FieldError::Encoding)?;
        return text::input(env, definition.type_id, definition.typmod, value).map_err(FieldError::Value);
    }
    text::input(env, definition.type_id, definition.typmod, field).map_err(|error| {
        scratch.clear();
        scratch.extend_from_slice(field.as_bytes());
        FieldError::Value(error)
    })
}

/// Text as an error shows it: cut when it is long.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into_owned(),
    }
}

fn target(scope: &Scope, name: &Name, names: &[String]) -> Result<Target> {
    let table = copy_table(scope, name, "to")?;
    let columns = copy_columns(&table, names)?;
    let insert = Insert {
        with: Vec::new(),
        table: name.clone(),
        alias: None,
        columns: Vec::new(),
        overriding: None,
        source: None,
        on_conflict: None,
        returning: Vec::new(),
    };
    let plan = Prepared::new(Some(Statement::Insert(insert)), &"".into(), &[]).plan(scope, false)?;
    let Node::Insert { source, .. } = &*plan.root else { unreachable!("the plan of an INSERT") };
    let exprs = match &**source {
        Node::Values { rows, .. } => &rows[0].items,
        Node::Project { exprs, .. } => &exprs.items,
        other => unreachable!("a row of defaults, not {other:?}"),
    };
    assert_eq!(exprs.len(), table.columns.len(), "a value for each column");
    let defaults: Vec<usize> = (0..exprs.len())
        .filter(|at| !columns.contains(at) && exprs[*at].as_constant().is_none_or(|value| !value.is_null()))
        .collect();
    let default_exprs = Exprs::new(defaults.iter().map(|&at| exprs[at].clone()).collect());
    Ok(Target { plan: plan.clone(), table, columns, defaults, default_exprs })
}

/// FREEZE may skip nothing here, but PostgreSQL refuses it where rows could be seen too early.
fn check_freeze(scope: &Scope, table: &Table) -> Result<()> {
    let changed = scope.own_changes().and_then(|changes| changes.get(&(ObjectClass::Table, table.oid)));
    let published = scope.database.published().catalog;
    let is_new = match changed {
        Some(Some(Object::Table(own))) => {
            published.table(table.oid).is_none_or(|before| before.tree != own.tree)
        }
        _ => false,
    };
    if is_new {
        return Ok(());
    }
    let message = "cannot perform COPY FREEZE because the table was not created or truncated in the current \
                   subtransaction";
    Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message))
}
