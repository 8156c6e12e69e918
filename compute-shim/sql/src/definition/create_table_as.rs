//! CREATE TABLE AS: a table of a query's columns, filled with its rows.

use super::constraint::TREE_TO_BE_MADE;
use super::create_table::make_trees;
use super::replay::Replay;
use super::{Defined, DefinitionContext, Parameters, column, expression, lookup, store, temporary};
use crate::answer::CommandTag;
use crate::bind::{self, BindContext};
use crate::catalog::Catalog;
use crate::catalog::object::{Column, Object, Table};
use crate::catalog::overlay::ChangeSet;
use crate::catalog::system::collation_of;
use crate::execute::{Operator, Row, RowWriter, RowsChanged, State, build};
use crate::expression::{indeterminate_collation, is_collatable};
use crate::parse::tree::{Name, OnCommit, Query, Statement};
use crate::plan::{Plan, PlanOptions};
use crate::relation_statistics::StatementCounts;
use crate::stop::Step;
use hexalog_engine::Need;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId};
use std::sync::Arc;

/// The statement's parts.
pub(super) struct CreateTableAs<'a> {
    pub name: &'a Name,
    pub temporary: bool,
    pub on_commit: Option<OnCommit>,
    pub if_not_exists: bool,
    pub columns: &'a [String],
    pub query: &'a Query,
    pub parameters: Option<&'a Parameters>,
    pub with_data: bool,
}

impl<'a> CreateTableAs<'a> {
    pub(super) fn of(statement: &'a Statement, parameters: Option<&'a Parameters>) -> CreateTableAs<'a> {
        let Statement::CreateTableAs {
            name,
            temporary,
            on_commit,
            if_not_exists,
            columns,
            query,
            with_data,
            is_select_into: _,
        } = statement
        else {
            unreachable!("the caller has looked")
        };
        CreateTableAs {
            name,
            temporary: *temporary,
            on_commit: *on_commit,
            if_not_exists: *if_not_exists,
            columns,
            query,
            parameters,
            with_data: *with_data,
        }
    }
}

fn plan(
    context: &DefinitionContext<'_>,
    query: &Query,
    parameters: Option<&Parameters>,
) -> Result<Arc<Plan>> {
    let direct_routes = context.database.options().direct_routes;
    let snapshot = context.stores.transaction.snapshot().unwrap_or_default();
    let options = PlanOptions { direct_routes, snapshot, is_for_cursor: false };
    let bind = BindContext { view: context.view, env: &context.env, options };
    let statement = Statement::Query(query.clone());
    let plan = bind::plan(bind, &statement, parameters.map(|parameters| &*parameters.types))?;
    if !plan.changes.is_empty() {
        return Err(SqlError::unsupported("a data-modifying statement in CREATE TABLE AS"));
    }
    Ok(Arc::new(plan))
}

fn columns(plan: &Plan, names: &[String]) -> Result<Vec<Column>> {
    let described = plan.columns.as_deref().unwrap_or_default();
    if names.len() > described.len() {
        return Err(SqlError::syntax("too many column names were specified"));
    }
    column::check_count(described.len())?;
    let mut columns = Vec::with_capacity(described.len());
    for (at, described) in described.iter().enumerate() {
        let name = names.get(at).map_or(&*described.name, String::as_str);
        let type_id = if described.type_id == TypeId::UNKNOWN { TypeId::TEXT } else { described.type_id };
        column::check_column(name, type_id)?;
        let mut column = column::plain(name, type_id, described.typmod);
        column.collation = match described.collation {
            Some(collation) if collation != collation_of(type_id) => collation,
            None if is_collatable(type_id) && described.type_id == type_id => {
                let type_name = type_id.display_name();
                let message = format!(
                    "no collation was derived for column \"{name}\" with collatable type {type_name}"
                );
                return Err(indeterminate_collation(message));
            }
            _ => 0,
        };
        columns.push(column);
    }
    column::check_distinct(columns.iter().map(|column| column.name.as_str()))?;
    Ok(columns)
}

/// Runs the query and writes what it gives.
struct Fill {
    plan: Arc<Plan>,
    parameters: Arc<[Datum]>,
    state: State,
    operator: Box<dyn Operator>,
    row: Row,
    has_row: bool,
    writer: RowWriter,
    rows: u64,
}

impl Fill {
    fn new(context: &DefinitionContext<'_>, plan: Arc<Plan>, parameters: Option<&Parameters>) -> Fill {
        let (mut state, operator) = (State::new(&plan), build(&plan.root, plan.levels));
        state.counts = StatementCounts::of(&context.database.relations);
        let parameters = parameters.map_or_else(|| [].into(), |parameters| parameters.values.clone());
        let (row, writer) = (Row::new(), RowWriter::new());
        Fill { plan, parameters, state, operator, row, has_row: false, writer, rows: 0 }
    }

    fn run(&mut self, context: &mut DefinitionContext<'_>, table: &Table) -> Step<u64> {
        loop {
            if !self.has_row {
                let mut executor = expression::executor(context, &self.plan, &mut self.state);
                executor.parameters = &self.parameters;
                if !self.operator.next(&mut executor, &mut self.row)? {
                    return Ok(self.rows);
                }
                self.has_row = true;
            }
            let (engine, transaction) = context.stores.of(table.tree);
            self.writer.insert(engine, transaction, table, &self.row, false)?;
            self.has_row = false;
            self.rows += 1;
        }
    }
}

/// Locks what a query reads. The plan must still mean the same then; if not, the statement fails with 40001 rather
/// than read what is gone.
pub(super) fn lock_sources(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    plan: &Plan,
) -> Step<()> {
    for &(oid, mode) in &plan.relations {
        lookup::lock(replay, context, oid, mode)?;
    }
    replay.once(context, |context| {
        let newest = context.newest();
        let planned = context.view.catalog();
        for (oid, _) in &plan.relations {
            let same = match (planned.table(*oid), newest.table(*oid)) {
                (Some(planned), Some(newest)) => {
                    Arc::ptr_eq(planned, newest) || context.changes.keys().any(|key| key.1 == *oid)
                }
                (planned_table, newest_table) => {
                    planned_table.is_none()
                        && newest_table.is_none()
                        && planned.view(*oid) == newest.view(*oid)
                        && planned.sequence(*oid).is_some() == newest.sequence(*oid).is_some()
                }
            };
            if !same {
                let message = "could not serialize access due to concurrent definition";
                return Err(SqlError::new(SqlState::SERIALIZATION_FAILURE, message).into());
            }
        }
        Ok(())
    })
}

#[derive(Clone)]
struct Draft {
    before: Arc<Catalog>,
    table: Table,
    plan: Arc<Plan>,
}

/// CREATE TABLE [IF NOT EXISTS] … AS … [WITH NO DATA].
pub(super) fn run(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    create: &CreateTableAs<'_>,
) -> Step<Defined> {
    let schema = lookup::creation_schema(replay, context, create.name, create.temporary)?;
    temporary::check_on_commit(replay, context, schema, create.on_commit)?;
    let name = create.name.last();
    let drafted = replay.once(context, |context| {
        let before = context.newest();
        if !lookup::is_free(context, &before, schema, name, create.if_not_exists)? {
            return Ok(None);
        }
        let plan = plan(context, create.query, create.parameters)?;
        let columns = columns(&plan, create.columns)?;
        let table = Table {
            oid: context.database.allocate_oid()?,
            name: name.to_owned(),
            schema,
            owner: context.view.user_oid,
            rows_from: hexalog_protocol::Lsn::ZERO,
            layout: Table::layout_of(&columns),
            columns,
            tree: TREE_TO_BE_MADE,
            checks: Vec::new(),
            foreign_keys: Vec::new(),
            indexes: Vec::new(),
            parameters: Vec::new(),
        };
        Ok(Some(Draft { before, table, plan }))
    })?;
    let Some(Draft { before, mut table, plan }) = drafted else {
        return Ok(Defined::nothing("CREATE TABLE AS"));
    };
    lock_sources(replay, context, &plan)?;
    make_trees(replay, context, &mut table)?;
    let mut tag = CommandTag::plain("CREATE TABLE AS");
    if create.with_data {
        see_definitions(replay, context, &plan)?;
        let fill = |fill: &mut Fill, context: &mut DefinitionContext<'_>| fill.run(context, &table);
        let rows = replay.drive(context, |context| Ok(Fill::new(context, plan, create.parameters)), fill)?;
        let oid = table.oid;
        replay.once(context, |context| {
            let inserted = RowsChanged { inserted: rows, ..RowsChanged::default() };
            context.effects.count_changed(oid, &inserted);
            Ok(())
        })?;
        tag = CommandTag::counted("SELECT", rows);
    }
    let oid = table.oid;
    let mut changes = ChangeSet::default();
    changes.put(Object::Table(Arc::new(table)));
    let changes = store(replay, context, &before, changes)?;
    temporary::note_on_commit(context, oid, create.on_commit);
    Ok(Defined { tag, changes })
}

/// The query reads at a snapshot taken after its locks, at or above what its plan needs.
fn see_definitions(replay: &mut Replay, context: &mut DefinitionContext<'_>, plan: &Plan) -> Step<()> {
    let lsn = plan.snapshot_min.max(context.view.published.newest().commit_lsn);
    let lsn = replay.once(context, |_| Ok(lsn))?;
    replay.once(context, |context| match context.stores.engine.volume().vdl() < lsn {
        true => Err(Need::Durable(lsn).into()),
        false => context.stores.begin_statement(),
    })
}
