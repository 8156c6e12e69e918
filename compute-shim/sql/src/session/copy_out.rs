//! COPY TO STDOUT: the rows of a table or query as lines of text.
//!
//! Owns [`CopyOut`]. A table is read by the query that selects its columns.

use super::copy_text::escape;
use super::plan_run::{PlanRun, Ran, RowTarget};
use super::statement::Prepared;
use super::transaction::Scope;
use crate::answer::{ColumnDescription, CommandTag, Flow, Sink};
use crate::catalog::Relation;
use crate::catalog::object::Table;
use crate::parse::tree::{
    Copy, CopyOptions, CopySource, Distinct, Expr, FromItem, Name, Query, QueryBody, Select, SelectItem,
    Statement,
};
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, EvalEnv, SqlError, SqlState, text};
use std::sync::Arc;

/// COPY TO STDOUT under way.
pub(super) struct CopyOut {
    copy: Copy,
    run: Option<PlanRun>,
    line: Vec<u8>,
    value: Vec<u8>,
}

struct LineTarget<'a> {
    sink: &'a mut dyn Sink,
    options: &'a CopyOptions,
    line: &'a mut Vec<u8>,
    value: &'a mut Vec<u8>,
}

impl RowTarget for LineTarget<'_> {
    fn begin(&mut self, columns: &Arc<[ColumnDescription]>) {
        self.sink.copy_out_start(u16::try_from(columns.len()).expect("a row has at most 1,664 columns"));
        if self.options.header {
            self.line.clear();
            for (at, column) in columns.iter().enumerate() {
                if at > 0 {
                    self.line.push(self.options.delimiter);
                }
                escape(column.name.as_bytes(), self.options.delimiter, self.line);
            }
            self.line.push(b'\n');
            self.sink.copy_out_line(self.line);
        }
    }

    fn row(
        &mut self,
        env: &EvalEnv<'_>,
        row: &[Datum],
        columns: &Arc<[ColumnDescription]>,
    ) -> Result<Flow, SqlError> {
        self.line.clear();
        for (at, (value, column)) in row.iter().zip(columns.iter()).enumerate() {
            if at > 0 {
                self.line.push(self.options.delimiter);
            }
            if value.is_null() {
                self.line.extend_from_slice(self.options.null.as_bytes());
                continue;
            }
            self.value.clear();
            text::output(env, column.type_id, value, self.value);
            escape(self.value, self.options.delimiter, self.line);
        }
        self.line.push(b'\n');
        Ok(self.sink.copy_out_line(self.line))
    }
}

impl CopyOut {
    pub(super) fn new(copy: Copy) -> CopyOut {
        CopyOut { copy, run: None, line: Vec::new(), value: Vec::new() }
    }

    /// Goes on; `None` is a pause.
    pub(super) fn step(&mut self, scope: &mut Scope, sink: &mut dyn Sink) -> Step<Option<CommandTag>> {
        let run = match &mut self.run {
            Some(run) => run,
            None => {
                scope.refresh_durable()?;
                let query = match &self.copy.source {
                    CopySource::Query(query) => query.clone(),
                    CopySource::Table { name, columns } => table_query(scope, name, columns)?,
                };
                let prepared = Arc::new(Prepared::new(Some(Statement::Query(query)), &"".into(), &[]));
                let plan = prepared.plan(scope, true)?;
                self.run.insert(PlanRun::new(prepared, plan, Vec::new(), true))
            }
        };
        let (line, value) = (&mut self.line, &mut self.value);
        let mut target = LineTarget { sink: &mut *sink, options: &self.copy.options, line, value };
        match run.step(scope, &mut target, 0, false)? {
            Ran::Done(rows) => {
                sink.copy_out_end();
                Ok(Some(CommandTag::counted("COPY", rows)))
            }
            Ran::Paused => Ok(None),
            Ran::Suspended => unreachable!("COPY has no row limit"),
        }
    }
}

/// The table that COPY names, with PostgreSQL's words for what is none.
pub(super) fn copy_table(scope: &Scope, name: &Name, direction: &str) -> Result<Arc<Table>> {
    let wrong = |what: &str| {
        let message = format!("cannot copy {direction} {what} \"{}\"", name.last());
        SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
    };
    match scope.view.find_relation(name)? {
        Relation::Table(table) => Ok(table),
        Relation::Sequence(_) => Err(wrong("sequence")),
        Relation::Index(..) => Err(wrong("non-table relation")),
        Relation::View(_) => Err(wrong("view").with_hint(match direction {
            "from" => "Try the COPY (SELECT ...) TO variant.",
            _ => "To enable copying to a view, provide an INSTEAD OF INSERT trigger.",
        })),
        Relation::System(table) if table.is_view => Err(wrong("view")),
        Relation::System(_) => {
            Err(SqlError::unsupported(format!("COPY of the system table \"{}\"", name.last())))
        }
    }
}

/// The places of the columns named, or of all.
pub(super) fn copy_columns(table: &Table, names: &[String]) -> Result<Vec<usize>> {
    if names.is_empty() {
        return Ok((0..table.columns.len()).filter(|&at| !table.columns[at].dropped).collect());
    }
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let at = table.column_index(name).ok_or_else(|| {
            let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
            SqlError::new(SqlState::UNDEFINED_COLUMN, message)
        })?;
        if columns.contains(&at) {
            let message = format!("column \"{name}\" specified more than once");
            return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
        }
        columns.push(at);
    }
    Ok(columns)
}

fn table_query(scope: &Scope, name: &Name, columns: &[String]) -> Result<Query> {
    let table = copy_table(scope, name, "from")?;
    let item = |at: usize| SelectItem::Expr {
        expr: Expr::Column(Name::single(&table.columns[at].name)),
        alias: None,
    };
    let items = copy_columns(&table, columns)?.into_iter().map(item).collect();
    let select = Select {
        distinct: Distinct::No,
        items,
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
        offset: None,
        locks: Vec::new(),
    })
}
