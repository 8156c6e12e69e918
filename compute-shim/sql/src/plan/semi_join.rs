//! Conditions that ask a query, as semi joins and anti joins.
//!
//! Owns [`pull`]: a conjunct that is EXISTS, NOT EXISTS or IN becomes a [`Node::SemiJoin`] over the rows that it was asked of, where the
//! query does nothing but to read, and equalities say which of its rows are meant (PostgreSQL's `pull_up_sublinks`). What the
//! statement's groups, row locks and changes are checked against was bound before, and stays as it was written: a row that has changed
//! meanwhile is asked the condition itself again. NOT IN is no anti join, since it is NULL where a key is. `join.rs` chooses how, and
//! may come back to the condition ([`as_written`]).

use super::cardinality::{known, rows, rows_of_semi_join};
use super::pushdown::{filtered, has_subplan, is_volatile};
use super::{
    Exprs, JoinType, Node, PlanOptions, Predicate, Scan, SubplanNode, access, join, join_order, pushdown,
};
use crate::expression::{Expr, Kind, Quantifier, Subplan, SubplanForm, for_each, rewrite};
use hexalog_sql_types::{Datum, TypeId};
use std::borrow::Cow;
use std::sync::Arc;

fn owned(node: Arc<Node>) -> Node {
    Arc::unwrap_or_clone(node)
}

/// Makes joins of conditions that ask queries, in a tree whose conditions have been pushed down.
#[recursive::recursive]
pub(super) fn pull(node: Node, subplans: &[SubplanNode], slots: &mut usize, options: PlanOptions) -> Node {
    if subplans.is_empty() {
        return node;
    }
    let mut puller = Puller { subplans, slots, options };
    match node {
        Node::Scan(mut scan) if scan.cursor.is_none() => {
            let Some(filter) = scan.filter.take() else { return Node::Scan(scan) };
            puller.over(Node::Scan(scan), filter.expr.conjuncts())
        }
        Node::System { table, name, filter: Some(filter) } => {
            puller.over(Node::System { table, name, filter: None }, filter.expr.conjuncts())
        }
        Node::Filter { input, predicate } => {
            let input = pull(owned(input), subplans, puller.slots, options);
            puller.over(input, predicate.expr.conjuncts())
        }
        Node::Join { join: JoinType::Inner, left, right, correlation, conditions } => {
            let left = Arc::new(pull(owned(left), subplans, puller.slots, options));
            let right = Arc::new(pull(owned(right), subplans, puller.slots, options));
            let join = JoinType::Inner;
            puller.over(Node::Join { join, left, right, correlation, conditions: Vec::new() }, conditions)
        }
        other => other.map_inputs(|input| pull(input, subplans, slots, options)),
    }
}

/// A scan under the conditions that have been made joins of it, and what these cost for a row; `None` for anything else.
pub(super) fn as_written(node: &Node) -> Option<(Cow<'_, Scan>, f64)> {
    match node {
        Node::Scan(scan) => Some((Cow::Borrowed(scan), 0.0)),
        Node::SemiJoin { left, written, cost, .. } => {
            let (scan, below) = as_written(left)?;
            let mut scan = scan.into_owned();
            scan.filter = Predicate::all(with(scan.filter.take(), vec![written.clone()]));
            Some((Cow::Owned(scan), below + cost.unwrap_or(0.0)))
        }
        _ => None,
    }
}

fn with(filter: Option<Predicate>, conditions: Vec<Expr>) -> Vec<Expr> {
    let mut all = filter.map_or_else(Vec::new, |filter| filter.expr.conjuncts());
    all.extend(conditions);
    all
}

/// A node under conditions, which it takes in if it can.
pub(super) fn under(node: Node, conditions: Vec<Expr>) -> Node {
    match node {
        Node::Scan(mut scan) => {
            scan.filter = Predicate::all(with(scan.filter.take(), conditions));
            Node::Scan(scan)
        }
        Node::System { table, name, filter } => {
            Node::System { table, name, filter: Predicate::all(with(filter, conditions)) }
        }
        Node::Join { join: JoinType::Inner, left, right, correlation, conditions: mut all } => {
            all.extend(conditions);
            Node::Join { join: JoinType::Inner, left, right, correlation, conditions: all }
        }
        other => filtered(other, conditions),
    }
}

/// A query as the right side of a join.
struct Asked {
    right: Node,
    /// Over both sides.
    conditions: Vec<Expr>,
}

struct Puller<'a> {
    subplans: &'a [SubplanNode],
    slots: &'a mut usize,
    options: PlanOptions,
}

impl Puller<'_> {
    /// A node under conditions, of which those that can be are joins above it.
    fn over(&mut self, node: Node, conditions: Vec<Expr>) -> Node {
        let (mut kept, mut joins) = (Vec::new(), Vec::new());
        for condition in conditions {
            match self.joined(&condition, &node) {
                Some(join) => joins.push((join, condition)),
                None => kept.push(condition),
            }
        }
        let node = if kept.is_empty() { node } else { under(node, kept) };
        joins.into_iter().fold(node, |left, ((join, asked, cost), written)| {
            let right = pushdown::push(asked.right, Vec::new());
            let right = pull(right, self.subplans, self.slots, self.options);
            let rows = rows_of_semi_join(join, &left, &right, &asked.conditions);
            let (left, right, conditions) = (Arc::new(left), Arc::new(right), asked.conditions);
            Node::SemiJoin { join, left, right, conditions, written, cost, rows }
        })
    }

    fn joined(&mut self, condition: &Expr, left: &Node) -> Option<(JoinType, Asked, Option<f64>)> {
        let (join, subplan) = match &condition.kind {
            Kind::Subplan(subplan) => (JoinType::Semi, &**subplan),
            Kind::Not(negated) => match &negated.kind {
                Kind::Subplan(subplan) if matches!(subplan.form, SubplanForm::Exists) => {
                    (JoinType::Anti, &**subplan)
                }
                _ => return None,
            },
            _ => return None,
        };
        let query = &self.subplans[subplan.id];
        // What the condition itself reads of the row is read once for it.
        let reads_simply = !is_volatile(condition) && !asks_inside(condition);
        if !reads_simply || !query.inner_common.is_empty() || !self.only_reads(&query.node) {
            return None;
        }
        let asked = self.asked(subplan, query, left.width())?;
        let is_hashable = |condition: &Expr| join::hash_key(condition, left, &asked.right).is_some();
        if !asked.conditions.iter().any(is_hashable) {
            return None;
        }
        let cost = (!subplan.correlation.is_empty()).then(|| self.cost_of_run(subplan, query));
        Some((join, asked, cost))
    }

    fn asked(&self, subplan: &Subplan, query: &SubplanNode, boundary: usize) -> Option<Asked> {
        match &subplan.form {
            SubplanForm::Exists => {
                let (input, _) = self.rows_asked(&query.node)?;
                self.split(input, &subplan.correlation, boundary)
            }
            SubplanForm::AnyAll { operator, left, right, all: false } => {
                let (input, values) = self.rows_compared(&query.node, &subplan.correlation)?;
                let mut asked = self.split(input, &subplan.correlation, boundary)?;
                if !may_compute_of_all(values, &asked) {
                    return None;
                }
                let right = over_right(right, values, boundary);
                let operands = Box::new([left.clone(), right]);
                let operator = *operator;
                asked.conditions.push(Expr::new(Kind::Operator { operator, operands }, TypeId::BOOL));
                Some(asked)
            }
            SubplanForm::Rows { left, comparison, quantifier: Quantifier::Any | Quantifier::Exists } => {
                let Node::Project { input, exprs } = &*query.node else { return None };
                let [Expr { kind: Kind::Row(columns, _), .. }] = exprs.items.as_slice() else { return None };
                let (input, values) = self.rows_compared(input, &subplan.correlation)?;
                let mut asked = self.split(input, &subplan.correlation, boundary)?;
                if !may_compute_of_all(values, &asked) {
                    return None;
                }
                let mut comparison = comparison.clone();
                rewrite(&mut comparison, &mut |expr| match expr.kind {
                    Kind::Column(at) => Some(match at.checked_sub(columns.len()) {
                        Some(at) => left[at].clone(),
                        None => over_right(&columns[at], values, boundary),
                    }),
                    _ => None,
                });
                asked.conditions.extend(comparison.conjuncts());
                Some(asked)
            }
            _ => None,
        }
    }

    /// What makes the rows of a query whose values nobody asks for.
    fn rows_asked<'n>(&self, node: &'n Node) -> Option<(&'n Node, &'n Exprs)> {
        match node {
            Node::Limit { input, limit: Some(limit), offset: None, ties } if ties.is_empty() => {
                let gives = match limit.as_constant()? {
                    Datum::Null => true,
                    count => count.as_i64()? > 0,
                };
                gives.then(|| self.rows_asked(input)).flatten()
            }
            Node::Project { input, exprs } => Some((input, exprs)),
            _ => None,
        }
    }

    /// What makes the rows of a query, and the values that are compared; all of the query's columns if there are none.
    fn rows_compared<'n>(
        &self,
        node: &'n Node,
        correlation: &[(usize, Expr)],
    ) -> Option<(&'n Node, Option<&'n Exprs>)> {
        match node {
            Node::Project { input, exprs } if !exprs.items.iter().any(has_subplan) => {
                let is_free = |expr: &Expr| !self.reads(expr, correlation);
                exprs.items.iter().all(is_free).then_some((&**input, Some(exprs)))
            }
            node => Some((node, None)),
        }
    }

    /// Rows under conditions, of which those that read the row outside become the join's.
    fn split(&self, node: &Node, correlation: &[(usize, Expr)], boundary: usize) -> Option<Asked> {
        let (input, filter) = match node {
            Node::Filter { input, predicate } => (&**input, Some(&predicate.expr)),
            node => (node, None),
        };
        if self.node_reads(input, correlation) {
            return None;
        }
        let (mut conditions, mut own) = (Vec::new(), Vec::new());
        for condition in filter.cloned().map_or_else(Vec::new, Expr::conjuncts) {
            if !self.reads(&condition, correlation) {
                own.push(condition);
            } else if has_subplan(&condition) {
                return None;
            } else {
                conditions.push(over_both(&condition, correlation, boundary));
            }
        }
        Some(Asked { right: filtered(input.clone(), own), conditions })
    }

    /// Whether a query reads, joins, groups and orders rows, by expressions that may be evaluated as often as one likes.
    fn only_reads(&self, node: &Node) -> bool {
        let reads = match node {
            Node::Scan(scan) => scan.cursor.is_none(),
            Node::LockRows { .. }
            | Node::Insert { .. }
            | Node::Update { .. }
            | Node::Delete { .. }
            | Node::Recursive { .. } => false,
            _ => true,
        };
        let is_plain = |expr: &&Expr| {
            let mut is_plain = !is_volatile(expr);
            for_each(expr, &mut |part| {
                if let Kind::Subplan(subplan) = &part.kind {
                    is_plain &= self.only_reads(&self.subplans[subplan.id].node);
                }
                is_plain
            });
            is_plain
        };
        reads
            && node.exprs().iter().all(is_plain)
            && node.inputs().into_iter().all(|input| self.only_reads(input))
    }

    /// Whether an expression, or a query in it, reads what these set.
    fn reads(&self, expr: &Expr, correlation: &[(usize, Expr)]) -> bool {
        let mut reads = false;
        for_each(expr, &mut |expr| {
            reads |= match &expr.kind {
                Kind::Slot(slot) => correlation.iter().any(|(set, _)| set == slot),
                Kind::Subplan(subplan) => self.node_reads(&self.subplans[subplan.id].node, correlation),
                _ => false,
            };
            !reads
        });
        reads
    }

    fn node_reads(&self, node: &Node, correlation: &[(usize, Expr)]) -> bool {
        !correlation.is_empty()
            && (node.exprs().into_iter().any(|expr| self.reads(expr, correlation))
                || node.inputs().into_iter().any(|input| self.node_reads(input, correlation)))
    }

    /// What running the query for one row costs, in reads of a row. Queries inside are taken as they are written, or planning would
    /// take twice as long with each level of them.
    fn cost_of_run(&mut self, subplan: &Subplan, query: &SubplanNode) -> f64 {
        let node = pushdown::push(Node::clone(&query.node), Vec::new());
        let node = join_order::order(node, self.options);
        let whole = cost(&join::choose(node, &mut self.slots.clone(), self.options));
        // It ends at the first row that there is, which is somewhere in the middle.
        RUN + if matches!(subplan.form, SubplanForm::Exists) { whole / 2.0 } else { whole }
    }
}

/// Cost of starting a query, in reads of a row; a guess.
const RUN: f64 = 3.0;

/// Whether a query stands in what a condition reads besides its own query.
fn asks_inside(condition: &Expr) -> bool {
    let mut count = 0;
    for_each(condition, &mut |expr| {
        count += usize::from(matches!(expr.kind, Kind::Subplan(_)));
        true
    });
    count > 1
}

/// Whether a query's values may be computed of rows that no row outside asks for. What is more than to read them could be an error, which
/// it is not while the query's conditions keep it from such rows: those that read the row outside come after the key of a join.
fn may_compute_of_all(values: Option<&Exprs>, asked: &Asked) -> bool {
    asked.conditions.is_empty()
        || values.is_none_or(|values| values.items.iter().all(|value| is_read(value, &asked.right)))
}

/// Whether an expression over a node's rows is no more than a value that is there below all that a condition is pushed through.
fn is_read(expr: &Expr, node: &Node) -> bool {
    let column = match expr.kind {
        Kind::Constant(_) | Kind::Parameter(_) | Kind::Slot(_) => return true,
        Kind::Column(column) => column,
        _ => return false,
    };
    match node {
        Node::Project { input, exprs } => is_read(&exprs.items[column], input),
        Node::Filter { input, .. } | Node::Sort { input, .. } => is_read(expr, input),
        Node::Join { left, right, .. } => match column.checked_sub(left.width()) {
            Some(column) => is_read(&Expr { kind: Kind::Column(column), ..expr.clone() }, right),
            None => is_read(expr, left),
        },
        _ => true,
    }
}

/// An expression over the query's row and the row outside as one over both.
fn over_both(expr: &Expr, correlation: &[(usize, Expr)], boundary: usize) -> Expr {
    let mut expr = expr.clone();
    rewrite(&mut expr, &mut |expr| match expr.kind {
        Kind::Column(at) => Some(Expr { kind: Kind::Column(boundary + at), ..expr.clone() }),
        Kind::Slot(slot) => {
            let (_, source) = correlation.iter().find(|(set, _)| *set == slot)?;
            Some(source.clone())
        }
        _ => None,
    });
    expr
}

/// An expression over the query's values as one over both rows.
fn over_right(expr: &Expr, values: Option<&Exprs>, boundary: usize) -> Expr {
    let mut expr = expr.clone();
    if let Some(values) = values {
        rewrite(&mut expr, &mut |expr| match expr.kind {
            Kind::Column(at) => Some(Expr { type_id: expr.type_id, ..values.items[at].clone() }),
            _ => None,
        });
    }
    over_both(&expr, &[], boundary)
}

/// The plan of a node of which the first so many rows are wanted: with its queries run for each row that is read until then, unless
/// joins cost less, or the rows have to be sorted first.
pub(super) fn choose_first(node: Node, wanted: f64, slots: &mut usize, options: PlanOptions) -> Node {
    let written = written_above(&node);
    let joined = join::choose(node, slots, options);
    let Some((written, cost_of_row, part)) = written else { return joined };
    if wanted / part * (1.0 + cost_of_row) >= cost(&joined) {
        return joined;
    }
    let asked = join::choose(written, slots, options);
    if sorts(&asked) { joined } else { asked }
}

/// A node with the conditions as they were written that are joins at its top, what they cost for a row, and which part of the rows they
/// leave; `None` if there are none, or planning it twice could be too much.
fn written_above(node: &Node) -> Option<(Node, f64, f64)> {
    let above = |input: &Node, over: &dyn Fn(Arc<Node>) -> Node| {
        let (input, cost, part) = written_above(input)?;
        Some((over(Arc::new(input)), cost, part))
    };
    match node {
        Node::Project { input, exprs } => {
            above(input, &|input| Node::Project { input, exprs: exprs.clone() })
        }
        Node::Filter { input, predicate } => {
            above(input, &|input| Node::Filter { input, predicate: predicate.clone() })
        }
        Node::Sort { input, keys } => above(input, &|input| Node::Sort { input, keys: keys.clone() }),
        Node::SemiJoin { left, written, cost: Some(cost), .. } => {
            let mut has_limit = false;
            left.for_each(&mut |node| has_limit |= matches!(node, Node::Limit { .. }));
            let own = (rows(node) / rows(left)).min(1.0);
            let (left, below, part) = match written_above(left) {
                Some(found) => found,
                None if matches!(**left, Node::SemiJoin { .. }) => return None,
                None => (Node::clone(left), 0.0, 1.0),
            };
            (!has_limit).then(|| (under(left, vec![written.clone()]), below + cost, part * own))
        }
        _ => None,
    }
}

/// Whether a plan's rows are sorted at its top.
fn sorts(node: &Node) -> bool {
    match node {
        Node::Sort { .. } => true,
        Node::Project { input, .. } | Node::Filter { input, .. } => sorts(input),
        _ => false,
    }
}

/// What running a plan costs, in reads of a row.
pub(super) fn cost(node: &Node) -> f64 {
    match node {
        Node::Scan(scan) => match (&scan.access, known(scan)) {
            (Some(index), _) => access::cost_of_range(scan, index, rows(node)),
            (None, Some(statistics)) => statistics.rows.unwrap_or(0) as f64,
            (None, None) => rows(&Node::Scan(Scan { filter: None, ..scan.clone() })),
        },
        Node::NestedLoop { left, right, .. } => match &**right {
            Node::Materialize { input } => cost(left) + cost(input) + rows(left) * rows(input),
            right => cost(left) + rows(left) * cost(right),
        },
        Node::SemiJoin { left, right, .. } | Node::HashJoin { left, right, .. } => {
            cost(left) + hashed(left, right)
        }
        other => rows(other) + other.inputs().into_iter().map(|input| cost(input)).sum::<f64>(),
    }
}

/// What reading and hashing the right side, and looking each left row up, costs.
pub(super) fn hashed(left: &Node, right: &Node) -> f64 {
    cost(right) + rows(right) * join_order::HASHED_ROW + rows(left) * join_order::PROBED_ROW
}
