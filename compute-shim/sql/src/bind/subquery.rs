//! Queries inside expressions: scalar, EXISTS, IN and ANY, ARRAY.
//!
//! A subquery becomes a subplan of the statement; what it reads of the rows around it goes through slots, which its
//! expression sets before it runs.

use super::collation::lacks_collation;
use super::query::Wanted;
use super::scope::Boundary;
use super::{Binder, Bound};
use crate::expression::{Expr, Kind, Quantifier, Subplan, SubplanForm};
use crate::parse::at;
use crate::parse::tree::{self, ANOTHER_NUMBER_OF_VALUES, Query, QueryBody};
use crate::plan::{self, Exprs, Node, SubplanNode};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId, Typmod};
use std::sync::Arc;

/// A bound subquery before it is known what becomes of its rows.
struct Sub {
    id: usize,
    text: Option<Arc<str>>,
    correlation: Vec<(usize, Expr)>,
    columns: Vec<super::OutputColumn>,
}

impl Binder<'_> {
    fn subplan(&mut self, query: &Query) -> Result<Sub> {
        if let Some(message) = self.place().refuses_subquery() {
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        let id = self.subplans.len();
        self.subplans.push(None);
        let first_common = self.common.len();
        let bound = self.across(Boundary::Subplan, |binder| binder.query(query, &Wanted::default()));
        self.is_placed |= bound.is_err();
        let (bound, crossing) = bound?;
        let Bound { node, columns } = bound;
        let inside = self.subplans[id + 1..].iter().map(|inner| inner.as_ref().expect("bound before"));
        let reads_common = reads_common(&node) || inside.clone().any(|inner| inner.reads_common);
        // What is the same for all rows outside is kept when this query runs for the next.
        let numbered = (id + 1..).zip(inside);
        let inner_subplans = numbered.filter(|(_, inner)| !stands_alone(inner)).map(|(at, _)| at).collect();
        self.subplans[id] = Some(SubplanNode {
            node: Arc::new(node),
            is_correlated: crossing.is_correlated,
            reads_common,
            inner_subplans,
            inner_common: (first_common..self.common.len()).collect(),
        });
        let text = self.select_frame().has_keys.then(|| without_places(query).into());
        Ok(Sub { id, text, correlation: crossing.correlation, columns })
    }

    fn subplan_expr(&self, sub: Sub, form: SubplanForm, type_id: TypeId) -> Expr {
        let Sub { id, text, correlation, .. } = sub;
        let subplan = Subplan { id, form, text, correlation };
        Expr::new(Kind::Subplan(Box::new(subplan)), type_id)
    }

    pub(super) fn exists(&mut self, query: &Query) -> Result<Expr> {
        let sub = self.subplan(query)?;
        let subplan = self.subplans[sub.id].as_mut().expect("bound before");
        subplan.node = without_values(&subplan.node);
        Ok(self.subplan_expr(sub, SubplanForm::Exists, TypeId::BOOL))
    }

    pub(super) fn scalar_subquery(&mut self, query: &Query) -> Result<Expr> {
        let sub = self.subplan(query)?;
        let column = one_column(&sub, "subquery must return only one column")?;
        let expr = self.subplan_expr(sub, SubplanForm::Scalar, column.type_id);
        Ok(expr.with_typmod(column.typmod).with_collation(column.collation.outside()))
    }

    pub(super) fn array_subquery(&mut self, query: &Query) -> Result<Expr> {
        let sub = self.subplan(query)?;
        let column = one_column(&sub, "subquery must return only one column")?;
        let (element, collation) = (column.type_id, column.collation.outside());
        if element.array_element().is_some() {
            return Err(SqlError::unsupported("ARRAY over a subquery of arrays"));
        }
        let array = element.array_of().ok_or_else(|| {
            let message = format!("could not find array type for data type {}", element.display_name());
            SqlError::new(SqlState::UNDEFINED_OBJECT, message)
        })?;
        Ok(self.subplan_expr(sub, SubplanForm::Array(element), array).with_collation(collation))
    }

    pub(super) fn in_query(&mut self, operand: &tree::Expr, query: &Query, negated: bool) -> Result<Expr> {
        // NOT IN is NOT (… = ANY …), which can look values up by hash.
        let is_in = self.any_all_query(operand, "=", query, false)?;
        Ok(if negated { Expr::new(Kind::Not(Box::new(is_in)), TypeId::BOOL) } else { is_in })
    }

    pub(super) fn any_all_query(
        &mut self,
        left: &tree::Expr,
        op: &str,
        query: &Query,
        all: bool,
    ) -> Result<Expr> {
        if let tree::Expr::Row { items, .. } = left
            && !matches!(&**items, [item] if !matches!(item, tree::Expr::Fields(_)))
        {
            let quantifier = if all { Quantifier::All } else { Quantifier::Any };
            return self.row_subquery(items, op, query, quantifier);
        }
        let left = match left {
            tree::Expr::Row { items, .. } => self.expr(&items[0])?,
            left => self.expr(left)?,
        };
        let sub = self.subplan(query)?;
        let column = match sub.columns.as_slice() {
            [column] => column.clone(),
            [] => return Err(SqlError::syntax("subquery has too few columns")),
            _ => return Err(SqlError::syntax("subquery has too many columns")),
        };
        let (operator, resolved) = self.comparison(op, left.type_id, column.type_id)?;
        let (left, right) = self.operands(&resolved, Some(left), value_of(0, &column))?;
        let left = self.with_shape_of(left.expect("two operands"), &right, &sub);
        // Others than comparisons need none, or (patterns) are given one here though PostgreSQL answers 42P22 where they are reached.
        let is_comparison = ["=", "<>", "<", "<=", ">", ">="].contains(&op);
        if is_comparison && lacks_collation([&left, &right]) {
            let quantifier = if all { Quantifier::All } else { Quantifier::Any };
            return self.compared_rows(vec![left], op, sub, quantifier);
        }
        Ok(self.subplan_expr(sub, SubplanForm::AnyAll { operator, left, right, all }, TypeId::BOOL))
    }
}

impl Binder<'_> {
    /// A row compared with a query's rows.
    pub(super) fn row_subquery(
        &mut self,
        left: &[tree::Expr],
        op: &str,
        query: &Query,
        quantifier: Quantifier,
    ) -> Result<Expr> {
        let left = self.row_items(left)?;
        let sub = self.subplan(query)?;
        self.compared_rows(left, op, sub, quantifier)
    }

    fn compared_rows(&mut self, left: Vec<Expr>, op: &str, sub: Sub, quantifier: Quantifier) -> Result<Expr> {
        if sub.columns.len() != left.len() {
            let word = if sub.columns.len() > left.len() { "many" } else { "few" };
            return Err(SqlError::syntax(format!("subquery has too {word} columns")));
        }
        let columns: Vec<Expr> =
            sub.columns.iter().enumerate().map(|(at, column)| value_of(at, column)).collect();
        // The left values are brought to the types that they are compared as, and then stand behind the query's.
        let (mut values, mut names) = (Vec::with_capacity(left.len()), Vec::with_capacity(left.len()));
        for (at, (value, column)) in left.into_iter().zip(&columns).enumerate() {
            let (_, resolved) = self.comparison(op, value.type_id, column.type_id)?;
            let (value, _) = self.operands(&resolved, Some(value), column.clone())?;
            let value = value.expect("two operands");
            let name = Expr::column(columns.len() + at, value.type_id, value.typmod);
            names.push(name.with_collation(value.collation));
            values.push(value);
        }
        let comparison = self.compare_rows(op, names, columns.clone())?;
        self.make_records(&sub, columns);
        let left = values.into();
        let form = SubplanForm::Rows { left, comparison, quantifier };
        Ok(self.subplan_expr(sub, form, TypeId::BOOL))
    }

    /// A row with the modifier of a subquery's rows, if it is known to be alike.
    fn with_shape_of(&self, left: Expr, right: &Expr, sub: &Sub) -> Expr {
        let node = &self.subplans[sub.id].as_ref().expect("bound before").node;
        let are_rows = left.type_id == TypeId::RECORD && right.typmod != Typmod::NONE;
        match are_rows && plan::are_alike((&left, &Node::Nothing), (right, node)) {
            true => left.with_typmod(right.typmod),
            false => left,
        }
    }

    /// The values of the one row that a query gives, to be assigned to so many columns.
    pub(super) fn row_of_query(&mut self, query: &Query, columns: usize, position: u32) -> Result<Vec<Expr>> {
        let sub = self.subplan(query)?;
        if sub.columns.len() != columns {
            return Err(at(SqlError::syntax(ANOTHER_NUMBER_OF_VALUES), position));
        }
        let output = sub.columns.clone();
        let names = output.iter().enumerate();
        self.make_records(&sub, names.map(|(at, it)| Expr::column(at, it.type_id, it.typmod)).collect());
        let Sub { id, text, correlation, .. } = sub;
        // As in PostgreSQL no error points at a value of VALUES.
        let has_places = !matches!(query.body, QueryBody::Values(_));
        // One run gives all of them: what it has given is kept until the next row.
        let field = |(at, column): (usize, super::OutputColumn)| {
            let (form, text, correlation) = (SubplanForm::Field(at), text.clone(), correlation.clone());
            let subplan = Box::new(Subplan { id, form, text, correlation });
            let expr = Expr::new(Kind::Subplan(subplan), column.type_id);
            expr.with_typmod(column.typmod).at(if has_places { column.position } else { 0 })
        };
        Ok(output.into_iter().enumerate().map(field).collect())
    }

    /// Makes a record of each row: of a subquery's rows only the first column is kept.
    fn make_records(&mut self, sub: &Sub, columns: Vec<Expr>) {
        let subplan = self.subplans[sub.id].as_mut().expect("bound before");
        let record = Expr::new(Kind::Row(columns.into(), None), TypeId::RECORD);
        subplan.node =
            Arc::new(Node::Project { input: subplan.node.clone(), exprs: Exprs::new(vec![record]) });
    }
}

/// A query as it was written, but for where.
fn without_places(query: &Query) -> String {
    const PLACE: &str = "position: ";
    let text = format!("{query:?}");
    let mut parts = text.split(PLACE);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.trim_start_matches(|character: char| character.is_ascii_digit()));
    }
    out
}

/// Whether a query reads nothing that is set outside of it, nor a common table that may.
fn stands_alone(subplan: &SubplanNode) -> bool {
    !subplan.is_correlated && !subplan.reads_common && subplan.inner_common.is_empty()
}

/// Whether a query's own nodes read a common table, or the round before of a recursive one.
fn reads_common(node: &Node) -> bool {
    let mut reads = false;
    node.for_each(&mut |node| reads |= matches!(node, Node::Common { .. } | Node::Working { .. }));
    reads
}

/// The node with as many rows, whose values nobody asks for and nothing computes. As in PostgreSQL, what groups rows is
/// left alone.
fn without_values(node: &Arc<Node>) -> Arc<Node> {
    match &**node {
        Node::Project { input, .. }
            if !matches!(**input, Node::Aggregate { .. } | Node::ProjectSet { .. }) =>
        {
            let nothing = Expr::constant(Datum::Bool(true), TypeId::BOOL);
            Arc::new(Node::Project { input: input.clone(), exprs: Exprs::new(vec![nothing]) })
        }
        Node::Sort { input, .. } | Node::Distinct { input, .. } => without_values(input),
        Node::Limit { input, limit, offset: None, ties } if ties.is_empty() => {
            let (limit, offset, ties) = (limit.clone(), None, Vec::new());
            Arc::new(Node::Limit { input: without_values(input), limit, offset, ties })
        }
        _ => node.clone(),
    }
}

/// A column of a subquery's row.
fn value_of(at: usize, column: &super::OutputColumn) -> Expr {
    Expr::column(at, column.type_id, column.typmod).with_collation(column.collation.outside())
}

fn one_column(sub: &Sub, message: &str) -> Result<super::OutputColumn> {
    match sub.columns.as_slice() {
        [column] => Ok(column.clone()),
        _ => Err(SqlError::syntax(message)),
    }
}
