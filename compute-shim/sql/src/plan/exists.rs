//! EXISTS over rows that equal the row outside: looked up by hash, the query being run once.
//!
//! Owns the choice. `EXISTS (SELECT … FROM b WHERE b.x = a.x AND …)` with nothing else of `a` inside asks whether `a.x` is among
//! the `b.x`, as PostgreSQL's hashed subplan does. Where an index leads to the row's matches, or the query does more than to filter
//! and join, it runs for each row as it is written.

use super::cardinality::rows;
use super::join::is_hashable;
use super::pushdown::is_fixed;
use super::{Exprs, IndexAccess, Node, PlanOptions, Predicate, optimise};
use crate::expression::{Expr, Kind, columns_used, for_each, rewrite};
use hexalog_sql_types::{Datum, TypeId};
use std::sync::Arc;

/// Rows up to which keys are kept in memory; a guess, of some hundred megabytes.
const KEPT_ROWS_MAX: f64 = 2_000_000.0;

/// EXISTS as a row that is looked for among others.
pub(crate) struct Lookup {
    /// Gives records of the values that are compared.
    pub node: Node,
    /// Over the row outside.
    pub left: Vec<Expr>,
    /// Over the query's values and then those of `left`.
    pub comparison: Expr,
}

/// An equality between the query's row and the one outside, which the slots come from.
struct Equality {
    inner: Expr,
    outer: Expr,
    /// As it was written, over the inner value and the outer one.
    compare: Box<dyn Fn(Expr, Expr) -> Expr>,
}

/// The look-up that a query's EXISTS comes to. `correlation` is all that it may read of the outside.
pub(crate) fn lookup(
    node: &Node,
    correlation: &[(usize, Expr)],
    slots: usize,
    options: PlanOptions,
) -> Option<Lookup> {
    let (predicate, input) = filtered(node)?;
    if !only_reads(input) {
        return None;
    }
    let (mut equalities, mut rest) = (Vec::new(), Vec::new());
    for condition in predicate.expr.clone().conjuncts() {
        match equality(&condition, input, correlation) {
            Some(equality) => equalities.push(equality),
            None if is_inner(&condition) => rest.push(condition),
            None => return None,
        }
    }
    let mut slots = slots;
    let written = optimise(node.clone(), &mut slots, options);
    if equalities.is_empty() || leads_there(&written, correlation) {
        return None;
    }
    let input = match Predicate::all(rest) {
        Some(predicate) => Arc::new(Node::Filter { input: input.clone(), predicate }),
        None => input.clone(),
    };
    if rows(&optimise((*input).clone(), &mut slots, options)) > KEPT_ROWS_MAX {
        return None;
    }
    Some(looked_up(input, equalities))
}

fn looked_up(input: Arc<Node>, equalities: Vec<Equality>) -> Lookup {
    let columns = equalities.len();
    let (mut keys, mut left, mut comparisons) = (Vec::new(), Vec::new(), Vec::new());
    for (at, Equality { inner, outer, compare }) in equalities.into_iter().enumerate() {
        let name =
            |at: usize, of: &Expr| Expr::column(at, of.type_id, of.typmod).with_collation(of.collation);
        // Rows are known to be alike here, which one modifier says.
        let typmod = if outer.type_id == TypeId::RECORD { inner.typmod } else { outer.typmod };
        comparisons.push(compare(name(at, &inner), name(columns + at, &outer).with_typmod(typmod)));
        keys.push(inner);
        left.push(outer);
    }
    let record = Expr::new(Kind::Row(keys.into(), None), TypeId::RECORD);
    let node = Node::Project { input, exprs: Exprs::new(vec![record]) };
    Lookup { node, left, comparison: Expr::and(comparisons).expect("there is an equality") }
}

/// The condition and what it filters, of a query whose values nobody asks for.
fn filtered(node: &Node) -> Option<(&Predicate, &Arc<Node>)> {
    let node = match node {
        Node::Limit { input, limit: Some(limit), offset: None, ties } if ties.is_empty() => {
            let gives = limit.as_constant().and_then(Datum::as_i64).is_some_and(|limit| limit > 0);
            gives.then_some(&**input)?
        }
        node => node,
    };
    let Node::Project { input, .. } = node else { return None };
    let Node::Filter { input, predicate } = &**input else { return None };
    Some((predicate, input))
}

/// Whether a node reads, joins and filters, by conditions that may be asked once for all rows outside.
fn only_reads(node: &Node) -> bool {
    let may_move = match node {
        Node::Scan(scan) => scan.filter.is_none() && scan.cursor.is_none(),
        Node::System { filter, .. } => filter.is_none(),
        Node::Join { correlation, conditions, .. } => {
            correlation.is_empty() && conditions.iter().all(is_inner)
        }
        Node::Filter { predicate, .. } => is_inner(&predicate.expr),
        Node::Project { exprs, .. } => exprs.items.iter().all(is_inner),
        _ => false,
    };
    may_move && node.inputs().into_iter().all(|input| only_reads(input))
}

/// Whether an expression reads nothing of the outside, and has the same value whenever it is asked.
fn is_inner(expr: &Expr) -> bool {
    let mut has_slot = false;
    for_each(expr, &mut |expr| {
        has_slot |= matches!(expr.kind, Kind::Slot(_));
        !has_slot
    });
    !has_slot && !is_fixed(expr)
}

/// An equality of values that hash alike, one of the query's row and one of the row outside.
fn equality(condition: &Expr, input: &Node, correlation: &[(usize, Expr)]) -> Option<Equality> {
    let Kind::Operator { operator, operands } = &condition.kind else { return None };
    let [a, b] = &**operands else { return None };
    if operator.name != "=" || is_fixed(condition) {
        return None;
    }
    let inner = |expr: &Expr| is_inner(expr) && !columns_used(expr).is_empty();
    let operator = *operator;
    let of = |left: Expr, right: Expr| {
        Expr::new(Kind::Operator { operator, operands: Box::new([left, right]) }, TypeId::BOOL)
    };
    let equality = match (outside(a, correlation), outside(b, correlation)) {
        (Some(outer), None) if inner(b) => {
            let compare = Box::new(move |inner, outer| of(outer, inner));
            Equality { inner: b.clone(), outer, compare }
        }
        (None, Some(outer)) if inner(a) => Equality { inner: a.clone(), outer, compare: Box::new(of) },
        _ => return None,
    };
    is_hashable((&equality.inner, input), (&equality.outer, &Node::Nothing)).then_some(equality)
}

/// A value of the row outside as an expression over it; `None` if it is something else.
fn outside(expr: &Expr, correlation: &[(usize, Expr)]) -> Option<Expr> {
    let source = |slot: usize| correlation.iter().find(|(of, _)| *of == slot).map(|(_, source)| source);
    let (mut slots, mut is_other) = (0, !columns_used(expr).is_empty());
    for_each(expr, &mut |expr| {
        if let Kind::Slot(slot) = expr.kind {
            slots += 1;
            is_other |= source(slot).is_none();
        }
        true
    });
    if slots == 0 || is_other {
        return None;
    }
    let mut outer = expr.clone();
    rewrite(&mut outer, &mut |expr| match expr.kind {
        Kind::Slot(slot) => source(slot).cloned(),
        _ => None,
    });
    Some(outer)
}

/// Whether the values of the row outside choose what a scan reads.
fn leads_there(node: &Node, correlation: &[(usize, Expr)]) -> bool {
    let mut leads = false;
    node.for_each(&mut |node| {
        let Node::Scan(scan) = node else { return };
        leads |= scan
            .access
            .as_ref()
            .is_some_and(|access| key_values(access).any(|value| outside(value, correlation).is_some()));
    });
    leads
}

fn key_values(access: &IndexAccess) -> impl Iterator<Item = &Expr> {
    let bounds = access.lower.iter().chain(&access.upper).map(|(value, _)| &value.expr);
    access.equal.iter().map(|value| &value.expr).chain(&access.any).chain(bounds)
}
