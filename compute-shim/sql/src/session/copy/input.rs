//! COPY FROM STDIN: lines or tuples become rows.
//!
//! Owns [`CopyIn`]. Defaults, checks and locks come from the plan of `INSERT … DEFAULT VALUES` into the same table, so
//! that both statements hold rows to the same rules; rows are written by `execute`'s row writer. A line is parsed
//! once; when its row has to wait, the same piece of data is given again and the work goes on at the row.

use super::csv;
use super::fields::Fields;
use super::lines::{Line, Lines};
use super::options::{Encoding, Format, Header, Options};
use super::output::{copy_columns, copy_table, forced_columns};
use super::text as text_format;
use super::tuples::{Refused, Tuples};
use crate::answer::{CommandTag, CopyInFormat};
use crate::catalog::object::{Object, ObjectClass, Table};
use crate::execute::{
    FirstTaken, Inserted, Row, RowWriter, State, check_not_null, check_violation, compute_generated,
    duplicate_key, settle_references,
};
use crate::expression::evaluate;
use crate::parse::tree::{Copy, CopySource, Insert, Name, Statement};
use crate::plan::{Exprs, Node, Plan, Predicate, RowCheck};
use crate::progress::{Report, Task};
use crate::relation_statistics::StatementCounts;
use crate::session::statement::Prepared;
use crate::session::transaction::Scope;
use crate::stop::{Step, Stop};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, EvalEnv, SqlError, SqlState, binary, text};
use std::borrow::Cow;
use std::sync::Arc;

/// Bytes of a line or value that an error shows.
const SHOWN_BYTES_MAX: usize = 100;

/// What a row is made of and held to.
struct Target {
    plan: Arc<Plan>,
    table: Arc<Table>,
    options: Options,
    /// The table's columns in the order of the fields.
    columns: Vec<usize>,
    /// Of each field, whether csv takes it for text although it reads as NULL, or for NULL although it is quoted.
    not_null: Vec<bool>,
    null: Vec<bool>,
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

    fn filter(&self) -> Option<&Predicate> {
        match &*self.plan.root {
            Node::Insert { filter, .. } => filter.as_ref(),
            _ => unreachable!("the plan of an INSERT"),
        }
    }
}

/// What the data is cut into.
enum Source {
    Lines(Lines),
    Tuples(Tuples),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A line or tuple is to be read.
    Read,
    /// The current row is completed, tried, checked and written.
    Defaults(usize),
    Filter,
    Checks,
    Write,
}

/// What became of a row.
enum Written {
    Kept,
    /// WHERE does not want it.
    Skipped,
    /// Its key is taken.
    Duplicate(SqlError),
}

/// COPY FROM STDIN under way.
pub(in crate::session) struct CopyIn {
    copy: Box<Copy>,
    target: Option<Target>,
    has_begun: bool,
    source: Source,
    /// How far into the current piece.
    at: usize,
    line: Option<Line>,
    /// The first line has been taken for what it is.
    has_header: bool,
    phase: Phase,
    /// The last line has been taken.
    has_ended: bool,
    fields: Fields,
    row: Row,
    writer: RowWriter,
    taken: FirstTaken,
    state: State,
    rows: u64,
    /// Rows that WHERE has kept out.
    excluded: u64,
    report: Option<Report>,
}

impl CopyIn {
    pub(in crate::session) fn new(copy: Box<Copy>) -> CopyIn {
        CopyIn {
            copy,
            target: None,
            has_begun: false,
            source: Source::Lines(Lines::new(None)),
            at: 0,
            line: None,
            has_header: false,
            phase: Phase::Read,
            has_ended: false,
            fields: Fields::default(),
            row: Row::new(),
            writer: RowWriter::new(),
            taken: FirstTaken::default(),
            state: State::default(),
            rows: 0,
            excluded: 0,
            report: None,
        }
    }

    /// Locks, plan and snapshot; then data may come.
    pub(in crate::session) fn begin(&mut self, scope: &mut Scope) -> Step<CopyInFormat> {
        let CopySource::Table { name, columns } = &self.copy.source else {
            unreachable!("the grammar has no COPY of a query FROM anywhere")
        };
        while !self.has_begun {
            if self.target.is_none() {
                scope.refresh_durable()?;
                let target = target(scope, &self.copy, name, columns)?;
                scope.check_plan_may_write(&target.plan, "COPY FROM")?;
                for &(relation, mode) in &target.plan.relations {
                    scope.lock_relation(relation, mode)?;
                }
                if !scope.is_current() {
                    continue;
                }
                if target.options.freeze {
                    check_freeze(scope, &target.table)?;
                }
                self.state = State::new(&target.plan);
                self.state.counts = StatementCounts::of(&scope.database.relations);
                self.source = match target.options.format {
                    Format::Text => Source::Lines(Lines::new(None)),
                    Format::Csv => Source::Lines(Lines::new(Some(target.options.quoting))),
                    Format::Binary => Source::Tuples(Tuples::new(target.columns.len())),
                };
                let task = Task::Copy { from: true };
                let progress = &scope.database.progress;
                self.report = Some(progress.begin(scope.view.process_id, target.table.oid, task));
                self.target = Some(target);
            }
            scope.begin_statement()?;
            self.has_begun = true;
        }
        let count = self.target().columns.len();
        let columns = u16::try_from(count).expect("a table has at most 1,600 columns");
        Ok(CopyInFormat { columns, is_binary: matches!(self.source, Source::Tuples(_)) })
    }

    fn target(&self) -> &Target {
        self.target.as_ref().expect("begun")
    }

    /// Takes a piece of data in. After a need the same piece is to be given again.
    pub(in crate::session) fn data(&mut self, scope: &mut Scope, piece: &[u8]) -> Step<usize> {
        loop {
            if self.phase == Phase::Read && !self.next(scope, piece)? {
                self.at = 0;
                if let Some(report) = &self.report {
                    report.set(|numbers| {
                        numbers.bytes += piece.len() as u64;
                        (numbers.rows_done, numbers.excluded) = (self.rows, self.excluded);
                    });
                }
                return Ok(piece.len());
            }
            self.write(scope, piece)?;
        }
    }

    /// Reads the next line or tuple; false: the piece is used up.
    fn next(&mut self, scope: &Scope, piece: &[u8]) -> Step<bool> {
        match &mut self.source {
            Source::Lines(lines) => {
                self.line = match lines.next(piece, &mut self.at) {
                    Ok(line) => line,
                    Err(error) => return Err(self.place().line(error).into()),
                };
                if self.line.is_none() {
                    return Ok(false);
                }
                self.read_line(scope, piece)?;
            }
            Source::Tuples(tuples) => {
                match tuples.next(piece, &mut self.at) {
                    Ok(true) => {}
                    Ok(false) => return Ok(false),
                    Err(refused) => return Err(self.in_tuple(refused).into()),
                }
                self.read_tuple(scope)?;
            }
        }
        Ok(true)
    }

    /// No more data comes.
    pub(in crate::session) fn done(&mut self, scope: &mut Scope) -> Step<CommandTag> {
        if self.phase == Phase::Read && !self.has_ended {
            match &mut self.source {
                Source::Lines(lines) => {
                    self.line = match lines.last() {
                        Ok(line) => line,
                        Err(error) => return Err(self.place().line(error).into()),
                    };
                    if self.line.is_some() {
                        self.read_line(scope, &[])?;
                    } else {
                        self.check_header_seen()?;
                    }
                }
                Source::Tuples(tuples) => {
                    if let Err(refused) = tuples.end() {
                        return Err(self.in_tuple(refused).into());
                    }
                }
            }
            self.has_ended = true;
        }
        self.write(scope, &[])?;
        self.line = None;
        if let Some(target) = &self.target {
            scope.with_execution(&target.plan, &[], &mut self.state, false, settle_references)?;
        }
        scope.end_statement()?;
        Ok(CommandTag::counted("COPY", self.rows))
    }

    /// The client has given up; the error with its context.
    pub(in crate::session) fn given_up(&self, error: SqlError) -> SqlError {
        let place = self.place();
        Place { number: place.number + 1, ..place }.line(error)
    }

    /// An input without a line is one with an empty header.
    fn check_header_seen(&mut self) -> Result<()> {
        let target = self.target.as_ref().expect("begun");
        if target.options.header != Header::Match || self.has_header {
            return Ok(());
        }
        self.fields.begin(true);
        self.fields.push(Some(0..0));
        match_header(target, &self.fields, "").map_err(|error| self.place().shown_line(error, ""))
    }

    fn number(&self) -> u64 {
        match &self.source {
            Source::Lines(lines) => lines.number(),
            Source::Tuples(tuples) => tuples.number(),
        }
    }

    fn place(&self) -> Place<'_> {
        Place { table: &self.target().table, number: self.number() }
    }

    fn in_tuple(&self, refused: Refused) -> SqlError {
        let Refused { error, number, field } = refused;
        match (number, field) {
            (None, _) => error,
            (Some(_), None) => self.place().line(error),
            (Some(_), Some(field)) => self.place().column(error, self.target().columns[field], ""),
        }
    }

    /// The error with the line that a row came from, as far as one can be shown.
    fn in_row(&self, error: SqlError, piece: &[u8]) -> SqlError {
        let (Some(line), Source::Lines(lines)) = (&self.line, &self.source) else {
            return self.place().line(error);
        };
        match decoded(lines.bytes(line, piece), self.target().options.encoding) {
            Ok(line) => self.place().shown_line(error, &line),
            Err(_) => self.place().line(error),
        }
    }

    /// Parses the current line into a row.
    fn read_line(&mut self, scope: &Scope, piece: &[u8]) -> Step<()> {
        let target = self.target.as_ref().expect("begun");
        let Source::Lines(lines) = &self.source else { unreachable!("there is a line") };
        let line = self.line.as_ref().expect("set by the caller");
        let place = Place { table: &target.table, number: lines.number() };
        let Options { format, header, delimiter, quoting, encoding, ref null, .. } = target.options;
        let content = decoded(lines.bytes(line, piece), encoding).map_err(|error| place.line(error))?;
        let is_header = header != Header::No && !std::mem::replace(&mut self.has_header, true);
        if is_header && header == Header::Yes {
            return Ok(());
        }
        if format == Format::Csv {
            csv::split(content.as_bytes(), delimiter, quoting, null.as_bytes(), &mut self.fields)
                .map_err(|error| place.shown_line(error, &content))?;
        } else {
            let has_escape = line.has_escape;
            text_format::split(content.as_bytes(), delimiter, has_escape, null.as_bytes(), &mut self.fields);
        }
        if is_header {
            return Ok(match_header(target, &self.fields, &content)
                .map_err(|error| place.shown_line(error, &content))?);
        }
        let host = scope.host();
        let env = scope.env(&host);
        fill_row(&env, target, &self.fields, &content, &mut self.row).map_err(|refused| match refused {
            FieldError::Line(error) => place.shown_line(error, &content),
            FieldError::Column { column, error, shown } => place.column(error, column, &shown),
        })?;
        target.default_exprs.evaluation.begin_row(&mut self.state);
        self.phase = Phase::Defaults(0);
        Ok(())
    }

    /// Parses the current tuple into a row.
    fn read_tuple(&mut self, scope: &Scope) -> Step<()> {
        let target = self.target.as_ref().expect("begun");
        let Source::Tuples(tuples) = &self.source else { unreachable!("there is a tuple") };
        let place = Place { table: &target.table, number: tuples.number() };
        let host = scope.host();
        let env = scope.env(&host);
        self.row.clear();
        self.row.resize(target.table.columns.len(), Datum::Null);
        for (at, &column) in target.columns.iter().enumerate() {
            let Some(bytes) = tuples.value(at) else { continue };
            let definition = &target.table.columns[column];
            self.row[column] = binary::receive(&env, definition.type_id, definition.typmod, bytes)
                .map_err(|error| place.column(error, column, ""))?;
        }
        target.default_exprs.evaluation.begin_row(&mut self.state);
        self.phase = Phase::Defaults(0);
        Ok(())
    }

    /// Completes, tries, checks and writes the current row, if there is one.
    fn write(&mut self, scope: &mut Scope, piece: &[u8]) -> Step<()> {
        if self.phase == Phase::Read {
            return Ok(());
        }
        match self.write_row(scope) {
            Ok(Written::Duplicate(error)) => Err(self.place().line(error).into()),
            Ok(written) => {
                self.phase = Phase::Read;
                let is_kept = matches!(written, Written::Kept);
                self.rows += u64::from(is_kept);
                self.excluded += u64::from(!is_kept);
                Ok(())
            }
            Err(Stop::Error(error)) if error.fields().context.is_none() => {
                Err(self.in_row(error, piece).into())
            }
            Err(stop) => Err(stop),
        }
    }

    fn write_row(&mut self, scope: &mut Scope) -> Step<Written> {
        let target = self.target.as_ref().expect("begun");
        scope.with_execution(&target.plan, &[], &mut self.state, false, |context| {
            loop {
                match self.phase {
                    Phase::Read => unreachable!("there is a row"),
                    Phase::Defaults(at) if at == target.defaults.len() => {
                        if let Some(filter) = target.filter() {
                            filter.evaluation.begin_row(context.state);
                        }
                        self.phase = Phase::Filter;
                    }
                    Phase::Defaults(at) => {
                        let value = evaluate(&target.default_exprs.items[at], &[], context)?;
                        self.row[target.defaults[at]] = value;
                        self.phase = Phase::Defaults(at + 1);
                    }
                    Phase::Filter => {
                        if let Some(filter) = target.filter()
                            && evaluate(&filter.expr, &self.row, context)?.as_bool() != Some(true)
                        {
                            return Ok(Written::Skipped);
                        }
                        compute_generated(&target.table, &mut self.row)?;
                        check_not_null(&target.table, &self.row, context)?;
                        let checks = target.checks().iter();
                        checks.for_each(|check| check.predicate.evaluation.begin_row(context.state));
                        self.phase = Phase::Checks;
                    }
                    Phase::Checks => {
                        for check in target.checks() {
                            if check.refuses(evaluate(&check.predicate.expr, &self.row, context)?.as_bool()) {
                                return Err(check_violation(&target.table, check, &self.row, context).into());
                            }
                        }
                        context.count_row()?;
                        self.phase = Phase::Write;
                    }
                    Phase::Write => {
                        let (engine, transaction) = context.stores.of(target.table.tree);
                        let written =
                            self.writer.insert(engine, transaction, &target.table, &self.row, false)?;
                        let Inserted::Conflict(index) = written else {
                            self.taken.forget();
                            context.note_insert(&target.table, &self.row, self.writer.shared())?;
                            return Ok(Written::Kept);
                        };
                        let index = self.taken.find(context, &target.table, &self.row, None, index)?;
                        let schema = context.view.catalog().schema_name(target.table.schema);
                        let index = &target.table.indexes[index];
                        return Ok(Written::Duplicate(duplicate_key(
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

/// Where in the input an error belongs.
struct Place<'a> {
    table: &'a Table,
    number: u64,
}

impl Place<'_> {
    fn line(&self, error: SqlError) -> SqlError {
        error.with_context(format!("COPY {}, line {}", self.table.name, self.number))
    }

    fn shown_line(&self, error: SqlError, line: &str) -> SqlError {
        let shown = shown(line);
        error.with_context(format!("COPY {}, line {}: \"{shown}\"", self.table.name, self.number))
    }

    /// `shown` says what was there.
    fn column(&self, error: SqlError, column: usize, shown: &str) -> SqlError {
        let (table, column) = (&self.table.name, &self.table.columns[column].name);
        error.with_context(format!("COPY {table}, line {}, column {column}{shown}", self.number))
    }
}

/// Why a line makes no row.
enum FieldError {
    Line(SqlError),
    Column { column: usize, error: SqlError, shown: String },
}

fn bad_format(message: String) -> SqlError {
    SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

/// Holds the first line to the names of the columns.
fn match_header(target: &Target, fields: &Fields, line: &str) -> Result<()> {
    let expected = target.columns.len();
    if fields.count() != expected {
        let found = fields.count();
        return Err(bad_format(format!(
            "wrong number of fields in header line: got {found}, expected {expected}"
        )));
    }
    for (at, &column) in target.columns.iter().enumerate() {
        let name = &target.table.columns[column].name;
        let found = fields.value(at, line.as_bytes());
        if found == Some(name.as_bytes()) {
            continue;
        }
        let found = match found {
            None => format!("null value (\"{}\")", target.options.null),
            Some(found) => format!("\"{}\"", String::from_utf8_lossy(found)),
        };
        let number = at + 1;
        return Err(bad_format(format!(
            "column name mismatch in header line field {number}: got {found}, expected \"{name}\""
        )));
    }
    Ok(())
}

/// Makes the fields of a line the values of a row; what no field gives is NULL.
fn fill_row(
    env: &EvalEnv<'_>,
    target: &Target,
    fields: &Fields,
    line: &str,
    row: &mut Row,
) -> Result<(), FieldError> {
    // A table without columns is given empty lines, which have one field elsewhere.
    let is_empty = target.columns.is_empty() && line.is_empty();
    if fields.count() > target.columns.len() && !is_empty {
        let message = "extra data after last expected column".to_owned();
        return Err(FieldError::Line(bad_format(message)));
    }
    row.clear();
    row.resize(target.table.columns.len(), Datum::Null);
    for (at, &column) in target.columns.iter().enumerate() {
        let definition = &target.table.columns[column];
        if at >= fields.count() {
            let message = format!("missing data for column \"{}\"", definition.name);
            return Err(FieldError::Line(bad_format(message)));
        }
        let null = target.options.null.as_bytes();
        let value = match fields.value(at, line.as_bytes()) {
            None if target.not_null[at] => null,
            Some(value) if target.null[at] && value == null => continue,
            Some(value) => value,
            None => continue,
        };
        // Escapes may have made bytes that are no text.
        let value = text::decode_utf8(value).map_err(FieldError::Line)?;
        row[column] = text::input(env, definition.type_id, definition.typmod, value).map_err(|error| {
            FieldError::Column { column, error, shown: format!(": \"{}\"", shown(value)) }
        })?;
    }
    Ok(())
}

/// A line as UTF-8.
fn decoded(bytes: &[u8], encoding: Encoding) -> Result<Cow<'_, str>> {
    match encoding {
        Encoding::Utf8 => text::decode_utf8(bytes).map(Cow::Borrowed),
        // Its 256 characters are the first of Unicode.
        Encoding::Latin1 => Ok(Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect())),
    }
}

/// Text as an error shows it: cut when it is long.
fn shown(text: &str) -> String {
    if text.len() <= SHOWN_BYTES_MAX {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(SHOWN_BYTES_MAX)])
}

fn target(scope: &Scope, copy: &Copy, name: &Name, names: &[String]) -> Result<Target> {
    let table = copy_table(scope, name, "to")?;
    let insert = Insert {
        with: Vec::new(),
        table: name.clone(),
        alias: None,
        columns: Vec::new(),
        overriding: None,
        source: None,
        on_conflict: None,
        returning: Vec::new(),
        copy_filter: copy.filter.clone(),
    };
    let plan = Prepared::new(Some(Statement::Insert(insert)), &"".into(), None).plan(scope, false)?;
    let options = Options::new(&copy.options, true)?;
    let columns = copy_columns(&table, names)?;
    let not_null = forced_columns("FORCE_NOT_NULL", &options.force_not_null, &table, &columns)?;
    let null = forced_columns("FORCE_NULL", &options.force_null, &table, &columns)?;
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
    Ok(Target { plan: plan.clone(), table, options, columns, not_null, null, defaults, default_exprs })
}

/// FREEZE may skip nothing here, but PostgreSQL refuses it where rows could be seen too early.
fn check_freeze(scope: &Scope, table: &Table) -> Result<()> {
    let changed = scope.own_changes().and_then(|changes| changes.get(&(ObjectClass::Table, table.oid)));
    let published = scope.view.published.newest().catalog;
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
