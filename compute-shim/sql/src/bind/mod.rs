//! Binding: names and types resolved, a statement's tree turned into a plan.
use crate::catalog::object::Table;
use crate::expression::Expr;
use crate::parse::tree;
use crate::plan::{Plan, PlanOptions};
use crate::session::SessionView;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{EvalEnv, SqlError, TypeId, Typmod};

/// What binding is given.
#[derive(Clone, Copy)]
pub(crate) struct BindContext<'a> {
    pub view: &'a SessionView,
    pub env: &'a EvalEnv<'a>,
    pub options: PlanOptions,
}

/// The plan of SELECT, VALUES, INSERT, UPDATE or DELETE. `parameters`: declared types of `$1`, …, UNKNOWN or missing
/// where the statement decides; the plan's `parameters` say what each came to.
pub(crate) fn plan(context: BindContext<'_>, statement: &tree::Statement, parameters: &[TypeId]) -> Result<Plan> {
    let _ = (context, statement, parameters);
    Err(SqlError::unsupported("everything"))
}

/// An expression over one table's columns (DEFAULT without columns, CHECK with them), brought to a type by assignment
/// if one is given. Subqueries, aggregates and parameters are refused.
pub(crate) fn table_expression(
    context: BindContext<'_>,
    table: Option<&Table>,
    expr: &tree::Expr,
    target: Option<(TypeId, Typmod)>,
) -> Result<Expr> {
    let _ = (context, table, expr, target);
    Err(SqlError::unsupported("everything"))
}

/// An expression without columns, evaluated for EXECUTE's arguments and COPY: over parameters only.
pub(crate) fn scalar_plan(context: BindContext<'_>, expr: &tree::Expr, target: TypeId) -> Result<Plan> {
    let _ = (context, expr, target);
    Err(SqlError::unsupported("everything"))
}

/// The type that a written type name means.
pub(crate) fn type_of(name: &tree::TypeName) -> Result<(TypeId, Typmod)> {
    let _ = name;
    Err(SqlError::unsupported("everything"))
}
