//! DEFAULT and CHECK: bound, turned into the text that is stored, and evaluated over rows.
//!
//! Owns the rule that stored text means the same whatever the search path: relations in it are always qualified, and types
//! of users are called by number.

use super::DefinitionContext;
use crate::bind::{self, BindContext};
use crate::catalog::Catalog;
use crate::catalog::object::Table;
use crate::execute::{Context, State};
use crate::expression::{Evaluation, Expr, Kind, deparse, evaluate, for_each};
use crate::parse::{self, tree};
use crate::plan::{Command, Node, Plan, PlanOptions};
use crate::stop::Step;
use hexalog_protocol::Lsn;
use hexalog_sql_types::datetime::Timestamptz;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::{Volatility, quote_identifier};
use hexalog_sql_types::types::value_mark;
use hexalog_sql_types::{Datum, EnumValue, EvalEnv, Host, SqlError, SqlState, TypeId, Typmod};
use std::sync::Arc;

/// A host that prints relations with their schema, and marks for types of users and their values, which no new name of
/// theirs changes.
struct QualifyingHost<'a> {
    inner: &'a dyn Host,
    catalog: &'a Catalog,
}

impl Host for QualifyingHost<'_> {
    fn clock(&self) -> Timestamptz {
        self.inner.clock()
    }

    fn random_u64(&self) -> u64 {
        self.inner.random_u64()
    }

    fn cancelled(&self) -> Option<SqlError> {
        self.inner.cancelled()
    }

    fn registry_name(&self, id: TypeId, oid: u32) -> Option<String> {
        if id == TypeId::REGTYPE && (TypeId(oid).is_enum() || TypeId(oid).is_enum_array()) {
            return Some(quote_identifier(&TypeId(oid).display_name()));
        }
        if id != TypeId::REGCLASS {
            return self.inner.registry_name(id, oid);
        }
        let relation = self.catalog.relation(oid)?;
        let schema = quote_identifier(self.catalog.schema_name(relation.schema()));
        Some(format!("{schema}.{}", quote_identifier(relation.name())))
    }

    fn registry_oid(&self, id: TypeId, name: &str) -> Result<u32> {
        self.inner.registry_oid(id, name)
    }

    fn enum_label(&self, value: EnumValue) -> Option<Arc<str>> {
        Some(value_mark(value).into())
    }

    fn enum_key(&self, id: TypeId, label: &str) -> Result<i64> {
        self.inner.enum_key(id, label)
    }
}

pub(super) fn bind_context<'a>(context: &'a DefinitionContext<'_>) -> BindContext<'a> {
    let options = PlanOptions { direct_routes: false, snapshot: Lsn::ZERO, is_for_cursor: false };
    BindContext { view: context.view, env: &context.env, options }
}

/// The text of an expression over a table's columns.
pub(super) fn stored_text(context: &DefinitionContext<'_>, expr: &Expr, columns: &[&str]) -> String {
    with_marks(context, |env| match &expr.kind {
        // A literal takes the column's length on when it is read; that was not written and is not shown.
        Kind::Constant(_) if expr.type_id != TypeId::INTERVAL => {
            deparse(&expr.clone().with_typmod(Typmod::NONE), columns, env)
        }
        _ => deparse(expr, columns, env),
    })
}

/// What is printed so that it means the same to everybody, for ever.
pub(super) fn with_marks<T>(context: &DefinitionContext<'_>, print: impl FnOnce(&EvalEnv<'_>) -> T) -> T {
    let host = QualifyingHost { inner: context.env.host, catalog: context.view.catalog() };
    print(&EvalEnv { host: &host, ..context.env })
}

/// A DEFAULT clause for a column; `None` for a plain NULL, which says nothing.
pub(super) fn default_value(
    context: &DefinitionContext<'_>,
    column: &str,
    target: (TypeId, Typmod),
    expr: &tree::Expr,
) -> Result<Option<Expr>> {
    let bound = bind::table_expression(bind_context(context), None, expr, Some(target));
    let bound = bound.map_err(|error| name_default(error, column))?;
    Ok(Some(bound).filter(|bound| bound.as_constant().is_none_or(|value| !value.is_null())))
}

/// The binder knows no column name; PostgreSQL names it.
pub(super) fn name_default(mut error: SqlError, column: &str) -> SqlError {
    let fields = error.fields_mut();
    if let Some(rest) = fields.message.strip_prefix("column is of type ") {
        fields.message = format!("column \"{column}\" is of type {rest}");
    }
    error
}

/// A CHECK clause over a table's columns.
pub(super) fn check(context: &DefinitionContext<'_>, table: &Table, expr: &tree::Expr) -> Result<Expr> {
    let bound = bind::table_expression(bind_context(context), Some(table), expr, None)?;
    if bound.type_id == TypeId::BOOL {
        return Ok(bound);
    }
    let found = bound.type_id.display_name();
    let message = format!("argument of CHECK must be type boolean, not type {found}");
    Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message))
}

/// A stored CHECK, bound again.
pub(super) fn stored_check(context: &DefinitionContext<'_>, table: &Table, text: &str) -> Result<Expr> {
    check(context, table, &parse::expression(text)?)
}

/// Whether an expression may give another value for each row.
pub(super) fn is_volatile(expr: &Expr) -> bool {
    let mut volatile = false;
    for_each(expr, &mut |expr| {
        volatile |= match &expr.kind {
            Kind::Function { function, .. } => function.volatility == Volatility::Volatile,
            Kind::Host { function, memo, .. } => {
                memo.is_some() || function.volatility == Volatility::Volatile
            }
            _ => false,
        };
        !volatile
    });
    volatile
}

/// A plan of nothing, which expressions outside of any plan are evaluated under.
fn empty_plan(memos: usize) -> Plan {
    Plan {
        root: Arc::new(Node::Nothing),
        subplans: Vec::new(),
        common: Vec::new(),
        changes: Vec::new(),
        slots: 0,
        memos,
        columns: None,
        command: Command::Select,
        parameters: Arc::from([]),
        relations: Vec::new(),
        row_lock: None,
        places: Vec::new(),
        snapshot_min: Lsn::ZERO,
        measures: 0,
        levels: 1,
        query_id: 0,
    }
}

/// One expression with the state of its evaluation.
pub(super) struct Evaluator {
    expr: Expr,
    plan: Plan,
    state: State,
    evaluation: Evaluation,
    is_begun: bool,
}

impl Evaluator {
    pub(super) fn new(expr: Expr) -> Evaluator {
        let mut memos = 0;
        for_each(&expr, &mut |expr| {
            if let Kind::Host { memo: Some(memo), .. } = expr.kind {
                memos = memos.max(memo + 1);
            }
            true
        });
        let plan = empty_plan(memos);
        let state = State::new(&plan);
        Evaluator { evaluation: Evaluation::of([&expr]), expr, plan, state, is_begun: false }
    }

    /// The value for a row; after a need call again with the same row.
    pub(super) fn value(&mut self, row: &[Datum], context: &mut DefinitionContext<'_>) -> Step<Datum> {
        if !self.is_begun {
            self.evaluation.begin_row(&mut self.state);
            self.is_begun = true;
        }
        let mut executor = executor(context, &self.plan, &mut self.state);
        let value = evaluate(&self.expr, row, &mut executor)?;
        self.is_begun = false;
        Ok(value)
    }
}

/// The executor's surroundings within a definition's.
pub(super) fn executor<'a>(
    context: &'a mut DefinitionContext<'_>,
    plan: &'a Plan,
    state: &'a mut State,
) -> Context<'a> {
    Context {
        stores: context.stores.lend(),
        database: context.database,
        env: context.env,
        view: context.view,
        environment: context.environment,
        effects: context.effects,
        parameters: &[],
        plan,
        state,
        may_fuse: false,
    }
}
