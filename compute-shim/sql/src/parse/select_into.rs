//! SELECT INTO: CREATE TABLE AS in other words.

use super::tree::{Name, Statement};
use super::{Lower, at, refuse_if};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;
use sqlparser::ast;

/// INTO of a query's first SELECT, the only one that may have it.
fn take(body: &mut ast::SetExpr) -> Option<ast::SelectInto> {
    match body {
        ast::SetExpr::Select(select) => select.into.take(),
        ast::SetExpr::SetOperation { left, .. } => take(left),
        _ => None,
    }
}

impl Lower<'_> {
    /// A query that is a statement.
    pub(super) fn query_or_into(&mut self, mut query: ast::Query) -> Result<Statement> {
        let Some(into) = take(&mut query.body) else { return self.query(query).map(Statement::Query) };
        let temporary = into.temporary;
        let name = self.name_of_target(into)?;
        let query = self.query(query)?;
        Ok(Statement::CreateTableAs {
            name,
            temporary,
            on_commit: None,
            if_not_exists: false,
            columns: Vec::new(),
            query,
            with_data: true,
            is_select_into: true,
        })
    }

    fn name_of_target(&mut self, into: ast::SelectInto) -> Result<Name> {
        let ast::SelectInto { temporary: _, unlogged, table: _, targets } = into;
        refuse_if(unlogged, "an unlogged table")?;
        let parts = match targets.as_slice() {
            [ast::Expr::Identifier(name)] => vec![name.clone()],
            [ast::Expr::CompoundIdentifier(parts)] => parts.clone(),
            _ => return Err(SqlError::syntax("SELECT INTO specifies more than one table")),
        };
        // PostgreSQL's errors about it point nowhere.
        Ok(Name { parts: parts.into_iter().map(|part| self.ident(part)).collect(), position: 0 })
    }

    fn position_of_target(&self, into: &ast::SelectInto) -> u32 {
        let first = match into.targets.first() {
            Some(ast::Expr::Identifier(name)) => Some(name),
            Some(ast::Expr::CompoundIdentifier(parts)) => parts.first(),
            _ => None,
        };
        first.map_or(0, |part| self.lines.position(part.span.start))
    }

    /// INTO anywhere but in the statement's first SELECT.
    pub(super) fn refuse_into(&self, into: Option<&ast::SelectInto>) -> Result<()> {
        let Some(into) = into else { return Ok(()) };
        Err(at(SqlError::syntax("SELECT ... INTO is not allowed here"), self.position_of_target(into)))
    }

    /// The same, of the right side of a set operation.
    pub(super) fn refuse_into_of_right(&self, right: &ast::SetExpr) -> Result<()> {
        let ast::SetExpr::Select(select) = right else { return Ok(()) };
        let Some(into) = &select.into else { return Ok(()) };
        let message = "INTO is only allowed on first SELECT of UNION/INTERSECT/EXCEPT";
        Err(at(SqlError::syntax(message), self.position_of_target(into)))
    }
}
