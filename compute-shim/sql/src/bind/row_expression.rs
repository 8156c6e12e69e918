//! Expressions over one row that are kept with its table.
//!
//! Owns [`RowPlace`], and the binding of stored texts when the catalog is loaded. What is kept is bound twice when it is
//! defined: as it was written, for its text, and as queries are, so that a query's expression is known to be the same.

use super::scope::{self, Frame, Place, SelectFrame};
use super::{BindContext, Binder};
use crate::catalog::object::{KeyPart, Table};
use crate::catalog::published::PublishedCatalog;
use crate::catalog::row_expression::RowExpression;
use crate::expression::Expr;
use crate::parse::{self, tree};
use crate::plan::PlanOptions;
use crate::session::{SessionView, Settings};
use hexalog_protocol::Lsn;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{EvalEnv, TypeId, Typmod};
use std::sync::Arc;

/// What an expression is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowPlace {
    IndexKey,
    IndexPredicate,
    /// What ON CONFLICT says of an index's predicate.
    Arbiter,
    /// The value of a generated column of this type.
    Generation(TypeId, Typmod),
}

impl RowPlace {
    fn place(self) -> Place {
        match self {
            RowPlace::IndexKey => Place::IndexKey,
            RowPlace::Generation(..) => Place::Generation,
            RowPlace::IndexPredicate | RowPlace::Arbiter => Place::IndexPredicate,
        }
    }
}

/// An expression over a table's columns. `folds`: in its executable form, else as it was written.
pub(crate) fn row_expression(
    context: BindContext<'_>,
    table: &Table,
    place: RowPlace,
    expr: &tree::Expr,
    folds: bool,
) -> Result<Expr> {
    let mut binder = Binder::new(context, None);
    binder.folds = folds;
    binder.row_expression(table, scope::Names::of_table(table, &table.name, 0), place, expr)
}

impl Binder<'_> {
    /// An expression over a table's columns as they are named, at a place of its own.
    pub(super) fn row_expression(
        &mut self,
        table: &Table,
        names: scope::Names,
        place: RowPlace,
        expr: &tree::Expr,
    ) -> Result<Expr> {
        let mut frame = SelectFrame::new(place.place());
        frame.visible.push(names);
        if matches!(place, RowPlace::Generation(..)) {
            let generated = table.columns.iter().filter(|column| column.is_generated());
            frame.generated = generated.map(|column| column.name.clone()).collect();
        }
        self.frames.push(Frame::Select(Box::new(frame)));
        let bound = self.expr(expr)?;
        let bound = match place {
            RowPlace::IndexPredicate => self.condition(bound, "WHERE")?,
            RowPlace::IndexKey | RowPlace::Arbiter => self.decided(bound),
            RowPlace::Generation(type_id, typmod) => self.default_for(bound, (type_id, typmod))?,
        };
        self.frames.pop();
        Ok(bound)
    }
}

/// Binds what the tables of a catalog that was just loaded keep.
pub(crate) fn bind_kept(published: &Arc<PublishedCatalog>) -> Result<()> {
    let catalog = published.newest().catalog;
    let settings = Settings::new("postgres", false);
    let view = SessionView::new("postgres", catalog.database_name(), 0, settings, published.clone());
    let env = EvalEnv::without_session();
    let options = PlanOptions { direct_routes: false, snapshot: Lsn::ZERO, is_for_cursor: false };
    let context = BindContext { view: &view, env: &env, options };
    let bind = |table: &Table, place, stored: &RowExpression| -> Result<()> {
        let parsed = parse::expression(&stored.text)?;
        let written = row_expression(context, table, place, &parsed, false)?;
        stored.bind(written, row_expression(context, table, place, &parsed, true)?);
        Ok(())
    };
    for table in catalog.tables() {
        for column in &table.columns {
            if let Some(stored) = &column.generated {
                bind(table, RowPlace::Generation(column.type_id, column.typmod), stored)?;
            }
        }
        for index in &table.indexes {
            for column in &index.columns {
                if let KeyPart::Expression(stored) = &column.part {
                    bind(table, RowPlace::IndexKey, stored)?;
                }
            }
            if let Some(stored) = &index.predicate {
                bind(table, RowPlace::IndexPredicate, stored)?;
            }
        }
    }
    Ok(())
}
