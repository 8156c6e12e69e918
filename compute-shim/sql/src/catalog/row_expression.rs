//! An expression over a table's row that is kept with the table.
//!
//! Owns [`RowExpression`]: the text that is stored and what it was bound to. The text is bound once, when the catalog is
//! loaded or the object defined; from then on it is computed from the row alone, wherever the row is at hand, without a
//! session: only what is immutable is taken, so a session could make no difference. Binding: `bind/stored.rs`.

use crate::expression::{Expr, columns_used, evaluate_row};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, TypeId, Typmod};
use std::sync::OnceLock;

/// An expression over a table's row.
#[derive(Debug)]
pub(crate) struct RowExpression {
    /// SQL text, all names qualified.
    pub text: String,
    pub type_id: TypeId,
    pub typmod: Typmod,
    /// The columns that it reads, ascending.
    pub reads: Vec<usize>,
    /// Set before anyone but the loader has sight of the table.
    bound: OnceLock<Bound>,
}

#[derive(Debug)]
struct Bound {
    /// As it was written, to be shown.
    written: Expr,
    /// As queries are bound.
    expr: Expr,
}

impl RowExpression {
    /// Of an expression as written, and in its executable form.
    pub(crate) fn new(text: String, written: Expr, expr: Expr) -> RowExpression {
        RowExpression {
            text,
            type_id: expr.type_id,
            typmod: expr.typmod,
            reads: columns_used(&written),
            bound: OnceLock::from(Bound { written, expr }),
        }
    }

    /// As it was stored; [`RowExpression::bind`] comes next.
    pub(crate) fn stored(text: String, type_id: TypeId, typmod: Typmod, reads: Vec<usize>) -> RowExpression {
        RowExpression { text, type_id, typmod, reads, bound: OnceLock::new() }
    }

    /// Says what the text means. The first one counts: all are the same.
    pub(crate) fn bind(&self, written: Expr, expr: Expr) {
        let _ = self.bound.set(Bound { written, expr });
    }

    fn bound(&self) -> &Bound {
        self.bound.get().expect("bound before the table is in sight")
    }

    /// The expression over the table's columns.
    pub(crate) fn expr(&self) -> &Expr {
        &self.bound().expr
    }

    /// The same as it was written.
    pub(crate) fn written(&self) -> &Expr {
        &self.bound().written
    }

    /// Its value for a row of which the columns that it reads are there.
    pub(crate) fn value(&self, row: &[Datum]) -> Result<Datum> {
        evaluate_row(self.expr(), row)
    }
}

/// By their texts, which are written out in full.
impl PartialEq for RowExpression {
    fn eq(&self, other: &RowExpression) -> bool {
        self.text == other.text
    }
}

impl Eq for RowExpression {}
