//! Typed expressions: what the binder makes and the executor evaluates.
//!
//! Owns the tree. `evaluate.rs` is the one evaluator (folding, filters, CHECK, DEFAULT, RETURNING), `walk.rs` visits
//! and rewrites, `deparse.rs` prints SQL. A `Column` is an index into the row of the operator that the expression
//! belongs to; values of outer queries come through numbered slots of the statement. Never resolves names (see
//! `bind`).

mod collation;
mod deparse;
mod evaluate;
mod walk;

pub(crate) use collation::{Collation, indeterminate_collation, is_collatable, need, no_collation_for};
pub(crate) use deparse::{deparse, deparse_pretty};
pub(crate) use evaluate::{evaluate, evaluate_constant, evaluate_row, is_immutable, is_true};
pub(crate) use walk::{
    Evaluation, columns_used, for_each, rewrite, same, same_with_collations, shift_columns,
};

use crate::catalog::object::Oid;
use crate::function::HostFunction;
use hexalog_sql_types::cast::Coercion;
use hexalog_sql_types::function::Function;
use hexalog_sql_types::operator::Operator;
use hexalog_sql_types::{Datum, TypeId, Typmod};
use std::sync::Arc;

/// A typed expression.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub kind: Kind,
    pub type_id: TypeId,
    pub typmod: Typmod,
    /// Where it begins in the statement, for errors; 0 if it does not stand there.
    pub position: u32,
    /// All collations order alike, so it matters for what is refused alone.
    pub collation: Collation,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Constant(Datum),
    /// A column of the operator's row.
    Column(usize),
    /// `$n`, from 0.
    Parameter(usize),
    /// A value that an operator further out has set.
    Slot(usize),
    Operator {
        operator: &'static Operator,
        operands: Box<[Expr]>,
    },
    Function {
        function: &'static Function,
        arguments: Box<[Expr]>,
    },
    /// A function that asks the catalog or the session. One with effects keeps its result in a memo, so that an
    /// evaluation that is repeated after a wait does not repeat the effect.
    Host {
        function: &'static HostFunction,
        arguments: Box<[Expr]>,
        memo: Option<usize>,
    },
    /// `is_written`: the cast stood in the statement, so it is shown again.
    Coerce {
        coercion: Box<Coercion>,
        operand: Box<Expr>,
        is_written: bool,
    },
    And(Box<[Expr]>),
    Or(Box<[Expr]>),
    Not(Box<Expr>),
    IsNull {
        operand: Box<Expr>,
        negated: bool,
    },
    /// IS TRUE, IS FALSE, IS UNKNOWN (`None`).
    IsBool {
        operand: Box<Expr>,
        value: Option<bool>,
        negated: bool,
    },
    /// Without an operator: of a row from NULL as it is written.
    IsDistinct {
        operator: Option<&'static Operator>,
        sides: Box<[Expr; 2]>,
        negated: bool,
    },
    /// With an operand, conditions refer to its value as `CaseValue`.
    Case {
        operand: Option<Box<Expr>>,
        branches: Box<[(Expr, Expr)]>,
        otherwise: Box<Expr>,
    },
    CaseValue,
    Coalesce(Box<[Expr]>),
    /// GREATEST or LEAST.
    Extreme {
        items: Box<[Expr]>,
        greatest: bool,
    },
    /// NULLIF: the first operand unless the operator says that both are equal.
    NullIf {
        operator: &'static Operator,
        first: Box<Expr>,
        comparison: Box<[Expr; 2]>,
    },
    /// `left operator ANY (array)` or ALL.
    AnyAll {
        operator: &'static Operator,
        left: Box<Expr>,
        array: Box<Expr>,
        all: bool,
    },
    /// ARRAY[…]; `nested` elements are arrays of one dimension less.
    Array {
        element: TypeId,
        items: Box<[Expr]>,
        nested: bool,
    },
    Subscript {
        operand: Box<Expr>,
        subscripts: Box<[Expr]>,
    },
    /// A column of a row.
    Field {
        operand: Box<Expr>,
        column: usize,
        name: Box<str>,
    },
    /// A call whose operands have no one collation, where it needs one: it fails if it comes to that.
    WithoutCollation {
        call: Box<Expr>,
        /// What needs the collation.
        what: &'static str,
    },
    /// COLLATE, where an expression is kept as it was written; elsewhere its operand has the collation, and nothing else.
    Collate {
        operand: Box<Expr>,
        oid: Oid,
    },
    /// A row, and the names of its columns where it is a relation's.
    Row(Box<[Expr]>, Option<Arc<[Box<str>]>>),
    Subplan(Box<Subplan>),
    /// While a query is bound: the n-th aggregate of its level.
    Aggregate(usize),
    /// While a query is bound: the n-th call of a window function of its level.
    Window(usize),
    /// While a query is bound: the n-th set-returning function of its select list.
    SetReturning(usize),
}

/// A subquery inside an expression.
#[derive(Clone, Debug)]
pub(crate) struct Subplan {
    /// Its number in the statement.
    pub id: usize,
    pub form: SubplanForm,
    /// What was written, without its places: two that read alike and see the same rows are the same. Known where a query is
    /// grouped, which is where it matters.
    pub text: Option<Arc<str>>,
    /// Slots to set from the current row before it runs.
    pub correlation: Vec<(usize, Expr)>,
}

/// What is made of a subquery's rows.
#[derive(Clone, Debug)]
pub(crate) enum SubplanForm {
    /// The one value, NULL if there is no row.
    Scalar,
    /// A value of the one row, of which a record is kept; NULL if there is no row.
    Field(usize),
    Exists,
    /// ARRAY(SELECT …) of this element type.
    Array(TypeId),
    /// `left operator ANY (SELECT …)` or ALL; the row's value is compared after `right`, which sees it as column 0.
    AnyAll {
        operator: &'static Operator,
        left: Expr,
        right: Expr,
        all: bool,
    },
    /// A row compared with the query's rows. `comparison` sees the query's columns and then the values of `left`.
    Rows {
        left: Box<[Expr]>,
        comparison: Expr,
        quantifier: Quantifier,
    },
}

/// How many of a query's rows a comparison must hold for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantifier {
    Any,
    /// The same where only a row that is known to be equal counts: never NULL.
    Exists,
    All,
    /// The query gives one row; none makes it NULL.
    One,
}

impl Expr {
    pub(crate) fn new(kind: Kind, type_id: TypeId) -> Expr {
        let collation = Collation::of_parts(&kind, type_id);
        Expr { kind, type_id, typmod: Typmod::NONE, position: 0, collation }
    }

    pub(crate) fn with_collation(self, collation: Collation) -> Expr {
        Expr { collation, ..self }
    }

    pub(crate) fn with_typmod(self, typmod: Typmod) -> Expr {
        Expr { typmod, ..self }
    }

    pub(crate) fn at(self, position: u32) -> Expr {
        Expr { position, ..self }
    }

    pub(crate) fn constant(value: Datum, type_id: TypeId) -> Expr {
        Expr::new(Kind::Constant(value), type_id)
    }

    pub(crate) fn null(type_id: TypeId) -> Expr {
        Expr::constant(Datum::Null, type_id)
    }

    pub(crate) fn bool(value: bool) -> Expr {
        Expr::constant(Datum::Bool(value), TypeId::BOOL)
    }

    pub(crate) fn column(index: usize, type_id: TypeId, typmod: Typmod) -> Expr {
        Expr::new(Kind::Column(index), type_id).with_typmod(typmod)
    }

    /// The conjunction of several conditions; none is true.
    pub(crate) fn and(mut conditions: Vec<Expr>) -> Option<Expr> {
        match conditions.len() {
            0 => None,
            1 => conditions.pop(),
            _ => Some(Expr::new(Kind::And(conditions.into()), TypeId::BOOL)),
        }
    }

    /// The parts of a conjunction.
    pub(crate) fn conjuncts(self) -> Vec<Expr> {
        match self.kind {
            Kind::And(items) => items.into_vec().into_iter().flat_map(Expr::conjuncts).collect(),
            _ => vec![self],
        }
    }

    /// The call that is marked, where this is one.
    pub(crate) fn unmarked(&self) -> &Expr {
        match &self.kind {
            Kind::WithoutCollation { call, .. } => call,
            _ => self,
        }
    }

    /// What COLLATE stands behind, however often it does.
    pub(crate) fn without_collate(self) -> Expr {
        match self.kind {
            Kind::Collate { operand, .. } => operand.without_collate(),
            _ => self,
        }
    }

    /// The column of the row that it is, be it called another type of strings.
    pub(crate) fn read_column(&self) -> Option<usize> {
        match &self.kind {
            Kind::Column(column) => Some(*column),
            Kind::Coerce { coercion, operand, .. } if coercion.is_relabelling() => operand.read_column(),
            _ => None,
        }
    }

    pub(crate) fn as_constant(&self) -> Option<&Datum> {
        match &self.kind {
            Kind::Constant(value) => Some(value),
            _ => None,
        }
    }
}
