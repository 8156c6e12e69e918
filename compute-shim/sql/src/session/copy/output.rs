//! COPY TO STDOUT: the rows of a table or query as lines or tuples.
//!
//! Owns [`CopyOut`]. A table is read by the query that selects its columns.

use super::csv;
use super::options::{Encoding, Format, Header, Named, Options};
use super::text::escape;
use super::tuples;
use crate::answer::{ColumnDescription, CommandTag, Flow, Sink};
use crate::catalog::Relation;
use crate::catalog::object::Table;
use crate::parse::tree::{
    Copy, CopySource, Distinct, Expr, FromItem, Name, Query, QueryBody, Select, SelectItem, Statement,
};
use crate::plan::{Command, Plan};
use crate::progress::{Report, Task};
use crate::session::plan_run::{PlanRun, Ran, RowTarget};
use crate::session::statement::Prepared;
use crate::session::transaction::Scope;
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, EvalEnv, SqlError, SqlState, binary, text};
use std::sync::Arc;

/// COPY TO STDOUT under way.
pub(in crate::session) struct CopyOut {
    copy: Box<Copy>,
    run: Option<PlanRun>,
    writer: Option<Writer>,
    report: Option<Report>,
}

/// Writes rows in the form that was asked for.
struct Writer {
    options: Options,
    /// Of each column, whether csv quotes its values whatever they are.
    force_quote: Vec<bool>,
    /// What is sent next. In binary form the header goes with the first tuple: drivers expect it there.
    data: Vec<u8>,
    value: Vec<u8>,
    /// Rows that have been given, and their bytes.
    rows: u64,
    bytes: u64,
}

/// Rows between two changes of what others are shown.
const ROWS_PER_REPORT: u64 = 100;

impl Writer {
    fn header(&mut self, columns: &[ColumnDescription]) -> Result<()> {
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                self.data.push(self.options.delimiter);
            }
            self.value.clear();
            self.value.extend_from_slice(column.name.as_bytes());
            self.write_value(columns.len() == 1, false)?;
        }
        self.data.push(b'\n');
        Ok(())
    }

    fn row(&mut self, env: &EvalEnv<'_>, row: &[Datum], columns: &[ColumnDescription]) -> Result<()> {
        if self.options.format == Format::Binary {
            tuples::write_count(row.len(), &mut self.data);
            for (value, column) in row.iter().zip(columns) {
                match value.is_null() {
                    true => tuples::write_null(&mut self.data),
                    false => tuples::write_field(&mut self.data, |out| {
                        binary::send(env, column.type_id, value, out)
                    })?,
                }
            }
            return Ok(());
        }
        for (at, (value, column)) in row.iter().zip(columns).enumerate() {
            if at > 0 {
                self.data.push(self.options.delimiter);
            }
            if value.is_null() {
                self.data.extend_from_slice(self.options.null.as_bytes());
                continue;
            }
            self.value.clear();
            text::output(env, column.type_id, value, &mut self.value);
            self.write_value(columns.len() == 1, self.force_quote[at])?;
        }
        self.data.push(b'\n');
        Ok(())
    }

    /// Appends what `value` holds.
    fn write_value(&mut self, is_alone: bool, force_quote: bool) -> Result<()> {
        let Options { format, delimiter, quoting, encoding, ref null, .. } = self.options;
        if encoding == Encoding::Latin1 {
            self.value = to_latin1(&self.value)?;
        }
        match format {
            Format::Csv => {
                let style = csv::Style { delimiter, quoting, null: null.as_bytes(), is_alone };
                csv::write(&self.value, style, force_quote, &mut self.data);
            }
            _ => escape(&self.value, delimiter, &mut self.data),
        }
        Ok(())
    }
}

struct CopyTarget<'a> {
    sink: &'a mut dyn Sink,
    writer: &'a mut Writer,
    report: Option<&'a Report>,
}

impl RowTarget for CopyTarget<'_> {
    fn begin(&mut self, columns: &Arc<[ColumnDescription]>) -> Result<()> {
        let is_binary = self.writer.options.format == Format::Binary;
        let count = u16::try_from(columns.len()).expect("a row has at most 1,664 columns");
        self.sink.copy_out_start(count, is_binary);
        if is_binary {
            columns.iter().try_for_each(|column| binary::check_output(column.type_id))?;
            tuples::write_header(&mut self.writer.data);
        } else if self.writer.options.header != Header::No {
            self.writer.header(columns)?;
            self.sink.copy_out_data(&self.writer.data);
            self.writer.data.clear();
        }
        Ok(())
    }

    fn row(
        &mut self,
        env: &EvalEnv<'_>,
        row: &[Datum],
        columns: &Arc<[ColumnDescription]>,
    ) -> Result<Flow, SqlError> {
        self.writer.row(env, row, columns)?;
        let flow = self.sink.copy_out_data(&self.writer.data);
        let writer = &mut *self.writer;
        writer.rows += 1;
        writer.bytes += writer.data.len() as u64;
        writer.data.clear();
        if let Some(report) =
            self.report.filter(|_| writer.rows.is_multiple_of(ROWS_PER_REPORT) || flow == Flow::Pause)
        {
            report.set(|numbers| (numbers.rows_done, numbers.bytes) = (writer.rows, writer.bytes));
        }
        Ok(flow)
    }
}

impl CopyOut {
    pub(in crate::session) fn new(copy: Box<Copy>) -> CopyOut {
        CopyOut { copy, run: None, writer: None, report: None }
    }

    /// Goes on; `None` is a pause.
    pub(in crate::session) fn step(
        &mut self,
        scope: &mut Scope,
        sink: &mut dyn Sink,
    ) -> Step<Option<CommandTag>> {
        let run = match &mut self.run {
            Some(run) => run,
            None => {
                scope.refresh_durable()?;
                let (run, writer) = begin(scope, &self.copy)?;
                let table = match &self.copy.source {
                    CopySource::Table { name, .. } => scope.view.find_relation(name).map_or(0, |it| it.oid()),
                    CopySource::Query(_) => 0,
                };
                let task = Task::Copy { from: false };
                self.report = Some(scope.database.progress.begin(scope.view.process_id, table, task));
                self.writer = Some(writer);
                self.run.insert(run)
            }
        };
        let writer = self.writer.as_mut().expect("made with the run");
        let mut target = CopyTarget { sink: &mut *sink, writer: &mut *writer, report: self.report.as_ref() };
        match run.step(scope, &mut target, 0, false)? {
            Ran::Done(rows) => {
                if writer.options.format == Format::Binary {
                    tuples::write_trailer(&mut writer.data);
                    sink.copy_out_data(&writer.data);
                }
                sink.copy_out_end();
                Ok(Some(CommandTag::counted("COPY", rows)))
            }
            Ran::Paused => Ok(None),
            Ran::Suspended => unreachable!("COPY has no row limit"),
        }
    }
}

fn begin(scope: &Scope, copy: &Copy) -> Result<(PlanRun, Writer)> {
    let (statement, options, table) = match &copy.source {
        CopySource::Query(statement) => (statement.clone(), Options::new(&copy.options, false)?, None),
        CopySource::Table { name, columns } => {
            let table = readable(scope, name)?;
            let options = Options::new(&copy.options, false)?;
            let query = table_query(&table, name, columns)?;
            (Statement::Query(query), options, Some(table))
        }
    };
    let prepared = Arc::new(Prepared::new(Some(statement), &"".into(), None));
    let plan = prepared.plan(scope, true)?;
    if plan.command != Command::Select && plan.columns.is_none() {
        let message = "COPY query must have a RETURNING clause";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    let force_quote = force_quote(&options.force_quote, table.as_ref(), &plan)?;
    let run = PlanRun::new(prepared, plan, Vec::new(), true);
    Ok((run, Writer { options, force_quote, data: Vec::new(), value: Vec::new(), rows: 0, bytes: 0 }))
}

fn undefined_column(column: &str, table: Option<&str>) -> SqlError {
    let message = match table {
        Some(table) => format!("column \"{column}\" of relation \"{table}\" does not exist"),
        None => format!("column \"{column}\" does not exist"),
    };
    SqlError::new(SqlState::UNDEFINED_COLUMN, message)
}

fn not_referenced(option: &str, column: &str) -> SqlError {
    let message = format!("{option} column \"{column}\" not referenced by COPY");
    SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message)
}

fn twice(column: &str) -> SqlError {
    SqlError::new(SqlState::DUPLICATE_COLUMN, format!("column \"{column}\" specified more than once"))
}

/// Of each column that is written, whether FORCE_QUOTE names it.
fn force_quote(named: &Named, table: Option<&Readable>, plan: &Plan) -> Result<Vec<bool>> {
    let columns = plan.columns.as_deref().unwrap_or_default();
    let Named::Columns(names) = named else { return Ok(vec![true; columns.len()]) };
    let mut forced = vec![false; columns.len()];
    for (at, name) in names.iter().enumerate() {
        let is_there = table.is_some_and(|table| table.columns.iter().any(|column| column == name));
        let found = columns.iter().position(|column| *column.name == **name);
        match found {
            _ if names[..at].contains(name) => return Err(twice(name)),
            Some(found) => forced[found] = true,
            None if is_there => return Err(not_referenced("FORCE_QUOTE", name)),
            None => return Err(undefined_column(name, table.map(|table| table.name.as_str()))),
        }
    }
    Ok(forced)
}

/// Of each column that is read, whether an option names it.
pub(super) fn forced_columns(
    option: &str,
    names: &[String],
    table: &Table,
    columns: &[usize],
) -> Result<Vec<bool>> {
    let mut forced = vec![false; columns.len()];
    if names.is_empty() {
        return Ok(forced);
    }
    for column in copy_columns(table, names)? {
        match columns.iter().position(|&at| at == column) {
            Some(at) => forced[at] = true,
            None => return Err(not_referenced(option, &table.columns[column].name)),
        }
    }
    Ok(forced)
}

/// Text in LATIN1; 22P05 for a character that it has not.
fn to_latin1(text: &[u8]) -> Result<Vec<u8>> {
    let text = text::decode_utf8(text)?;
    let byte = |character: char| {
        u8::try_from(u32::from(character)).map_err(|_| {
            let mut bytes = [0; 4];
            let bytes: Vec<String> =
                character.encode_utf8(&mut bytes).bytes().map(|byte| format!("0x{byte:02x}")).collect();
            let message = format!(
                "character with byte sequence {} in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
                bytes.join(" ")
            );
            SqlError::new(SqlState::UNTRANSLATABLE_CHARACTER, message)
        })
    };
    text.chars().map(byte).collect()
}

/// The table that COPY names, with PostgreSQL's words for what is none.
pub(super) fn copy_table(scope: &Scope, name: &Name, direction: &str) -> Result<Arc<Table>> {
    let wrong = |what: &str| {
        let message = format!("cannot copy {direction} {what} \"{}\"", name.last());
        SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
    };
    match scope.view.find_relation(name)? {
        Relation::Table(table) => {
            scope.view.check_own(scope.view.catalog(), table.schema)?;
            Ok(table)
        }
        Relation::Sequence(_) => Err(wrong("sequence")),
        Relation::Index(..) => Err(wrong("non-table relation")),
        Relation::System(table) if !table.is_view => {
            Err(SqlError::unsupported(format!("COPY into the system table \"{}\"", name.last())))
        }
        Relation::View(_) | Relation::System(_) => Err(wrong("view").with_hint(match direction {
            "from" => "Try the COPY (SELECT ...) TO variant.",
            _ => "To enable copying to a view, provide an INSTEAD OF INSERT trigger.",
        })),
    }
}

/// What COPY TO reads: a name and columns.
struct Readable {
    name: String,
    columns: Vec<String>,
    /// Those that cannot be copied.
    generated: Vec<String>,
}

fn readable(scope: &Scope, name: &Name) -> Result<Readable> {
    if let Relation::System(table) = scope.view.find_relation(name)?
        && !table.is_view
    {
        let columns = table.columns.iter().map(|column| column.name.to_owned()).collect();
        return Ok(Readable { name: table.name.to_owned(), columns, generated: Vec::new() });
    }
    let table = copy_table(scope, name, "from")?;
    let columns = table.columns.iter().filter(|column| !column.dropped);
    let (generated, columns) = columns
        .map(|column| (column.is_generated(), column.name.clone()))
        .partition(|(generated, _)| *generated);
    let names = |columns: Vec<(bool, String)>| columns.into_iter().map(|(_, name)| name).collect();
    Ok(Readable { name: table.name.clone(), columns: names(columns), generated: names(generated) })
}

/// 42P10.
fn generated(name: &str) -> SqlError {
    let message = format!("column \"{name}\" is a generated column");
    SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message)
        .with_detail("Generated columns cannot be used in COPY.")
}

/// The places of the columns named, or of all but the generated ones.
pub(super) fn copy_columns(table: &Table, names: &[String]) -> Result<Vec<usize>> {
    if names.is_empty() {
        let is_copied = |at: &usize| !table.columns[*at].dropped && !table.columns[*at].is_generated();
        return Ok((0..table.columns.len()).filter(is_copied).collect());
    }
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let at = table.column_index(name).ok_or_else(|| undefined_column(name, Some(&table.name)))?;
        if table.columns[at].is_generated() {
            return Err(generated(name));
        }
        if columns.contains(&at) {
            return Err(twice(name));
        }
        columns.push(at);
    }
    Ok(columns)
}

fn table_query(table: &Readable, name: &Name, columns: &[String]) -> Result<Query> {
    for (at, column) in columns.iter().enumerate() {
        if table.generated.contains(column) {
            return Err(generated(column));
        }
        if !table.columns.contains(column) {
            return Err(undefined_column(column, Some(&table.name)));
        }
        if columns[..at].contains(column) {
            return Err(twice(column));
        }
    }
    let columns = if columns.is_empty() { &table.columns } else { columns };
    let item = |column: &String| SelectItem::Expr { expr: Expr::Column(Name::single(column)), alias: None };
    let select = Select {
        distinct: Distinct::No,
        items: columns.iter().map(item).collect(),
        from: vec![FromItem::Table { name: name.clone(), alias: None }],
        filter: None,
        group_by: Vec::new(),
        having: None,
        windows: Vec::new(),
    };
    Ok(Query {
        with: Vec::new(),
        body: QueryBody::Select(Box::new(select)),
        order_by: Vec::new(),
        limit: None,
        with_ties: false,
        offset: None,
        locks: Vec::new(),
    })
}
