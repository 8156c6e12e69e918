//! The order in which inner joins are made, where ANALYZE has been at all tables of them.
//!
//! Owns the search: of all orders that add one side after the other, the one of the least cost (Selinger and others, 1979).
//! The row that comes out is what it was: a projection puts the columns back. Joins of other kinds, and sides that read the
//! one before (LATERAL), stay where they were written, and what is inside of them is ordered by itself.

use super::cardinality::{UNKNOWN, distinct_in, equality, is_known, rows};
use super::equivalence::{Class, Member, classes};
use super::{Exprs, JoinType, Node, PlanOptions, access, pushdown, semi_join};
use crate::expression::{Expr, Kind, columns_used, rewrite, shift_columns};
use hexalog_sql_types::{TypeId, Typmod};
use std::sync::Arc;

/// Sides of joins that are ordered; with more, the written order stands. Eight make 1,024 steps of the search.
const SIDES_MAX: usize = 8;

/// How much better than the written order another must be: a guess, since guesses err.
const GAIN_MIN: f64 = 0.8;

/// Cost of a row that is put into a hash table, in reads of a row.
pub(super) const HASHED_ROW: f64 = 1.5;
/// Cost of a row that is looked up in one, or compared.
pub(super) const PROBED_ROW: f64 = 1.0;
/// Cost of a row that comes out.
const JOINED_ROW: f64 = 0.2;

/// One side of the joins.
struct Side {
    node: Node,
    /// Where its columns begin in the row as it was written.
    start: usize,
    width: usize,
    rows: f64,
    /// Of reading it as it stands.
    cost: f64,
}

/// A condition over the row as it was written, with the sides that it reads, a bit each.
struct Condition {
    expr: Expr,
    sides: usize,
    /// The part of pairs that it leaves.
    part: f64,
}

/// Inner joins that follow each other.
struct Joins {
    sides: Vec<Side>,
    /// Those that no class says.
    conditions: Vec<Condition>,
    classes: Vec<Class>,
}

/// The best way found to join a set of sides.
#[derive(Clone, Copy)]
struct Best {
    cost: f64,
    rows: f64,
    last: usize,
}

/// Orders all joins of a tree.
pub(super) fn order(node: Node, options: PlanOptions) -> Node {
    let Some(joins) = collect(&node, options) else {
        return node.map_inputs(|input| order(input, options));
    };
    let written: Vec<usize> = (0..joins.sides.len()).collect();
    let (order, cost) = joins.cheapest(options);
    if order == written || cost > joins.cost_of(&written, options) * GAIN_MIN {
        // What was not written, but follows, may be all that joins two sides.
        return match joins.is_written(&written) {
            true => node.map_inputs(|input| self::order(input, options)),
            false => joins.build(&written),
        };
    }
    joins.build(&order)
}

fn collect(node: &Node, options: PlanOptions) -> Option<Joins> {
    if !options.direct_routes || !is_ordered_freely(node) || !is_known(node) {
        return None;
    }
    let (mut sides, mut conditions) = (Vec::new(), Vec::new());
    flatten(node, 0, &mut sides, &mut conditions, options);
    if sides.len() > SIDES_MAX || conditions.iter().any(pushdown::is_fixed) {
        return None;
    }
    let classes = classes(&mut conditions, |column| side_of(&sides, column));
    let of = |expr: &Expr| {
        columns_used(expr).into_iter().fold(0, |sides_read, column| sides_read | 1 << side_of(&sides, column))
    };
    let conditions = conditions.into_iter().map(|expr| {
        let (sides_read, part) = (of(&expr), part(&sides, &expr));
        Condition { expr, sides: sides_read, part }
    });
    let conditions = conditions.collect();
    let has_types = sides.iter().all(|side| (0..side.width).all(|at| column_type(&side.node, at).is_some()));
    has_types.then_some(Joins { sides, conditions, classes })
}

fn is_ordered_freely(node: &Node) -> bool {
    matches!(node, Node::Join { join: JoinType::Inner, correlation, .. } if correlation.is_empty())
}

fn flatten(
    node: &Node,
    start: usize,
    sides: &mut Vec<Side>,
    conditions: &mut Vec<Expr>,
    options: PlanOptions,
) {
    if let Node::Join { left, right, conditions: own, .. } = node
        && is_ordered_freely(node)
    {
        flatten(left, start, sides, conditions, options);
        flatten(right, start + left.width(), sides, conditions, options);
        conditions.extend(own.iter().cloned().map(|mut condition| {
            shift_columns(&mut condition, isize::try_from(start).expect("rows are narrow"));
            condition
        }));
        return;
    }
    let node = node.clone().map_inputs(|input| order(input, options));
    let (rows, cost) = (rows(&node), access::node_cost(&node, options));
    sides.push(Side { start, width: node.width(), rows, cost, node });
}

fn side_of(sides: &[Side], column: usize) -> usize {
    sides.iter().rposition(|side| side.start <= column).expect("a column of the row")
}

/// The part of pairs of rows that a condition leaves.
fn part(sides: &[Side], condition: &Expr) -> f64 {
    let Kind::Operator { operator, operands } = &condition.kind else { return UNKNOWN };
    let [a, b] = &**operands else { return UNKNOWN };
    if operator.name != "=" {
        return UNKNOWN;
    }
    let distinct = |expr: &Expr| match expr.kind {
        Kind::Column(column) => {
            let side = &sides[side_of(sides, column)];
            distinct_in(&side.node, column - side.start)
        }
        _ => None,
    };
    equality(distinct(a), distinct(b))
}

/// The type of a node's column; `None` where it is not known.
fn column_type(node: &Node, column: usize) -> Option<(TypeId, Typmod)> {
    match node {
        Node::Scan(scan) => Some(match scan.table.columns.get(column) {
            Some(column) => (column.type_id, column.typmod),
            // The row's identity is no value.
            None => (TypeId::NONE, Typmod::NONE),
        }),
        Node::Filter { input, .. } => column_type(input, column),
        Node::SemiJoin { left, .. } => column_type(left, column),
        Node::Project { exprs, .. } => exprs.items.get(column).map(|expr| (expr.type_id, expr.typmod)),
        Node::Join { left, right, .. } => match column.checked_sub(left.width()) {
            Some(column) => column_type(right, column),
            None => column_type(left, column),
        },
        _ => None,
    }
}

impl Joins {
    /// Joins one more side to a set.
    fn extended(&self, set: usize, best: Best, side: usize, options: PlanOptions) -> Best {
        let with = set | 1 << side;
        let is_new =
            |condition: &&Condition| condition.sides & !with == 0 && condition.sides & 1 << side != 0;
        let new: Vec<&Condition> = self.conditions.iter().filter(is_new).collect();
        let mut part: f64 = new.iter().map(|condition| condition.part).product();
        let added = &self.sides[side];
        let mut equal: Vec<&Expr> =
            new.iter().filter_map(|condition| self.other_than(side, condition)).collect();
        for class in &self.classes {
            let Some(own) = class.of(side) else { continue };
            if class.within(set).next().is_none() {
                continue;
            }
            // What is equal in all sides of the set has no more values than the one with the fewest.
            let there = class.within(set).filter_map(|member| self.distinct_of(member));
            part *= equality(there.reduce(f64::min), self.distinct_of(own));
            equal.push(&own.expr);
        }
        let rows = (best.rows * added.rows * part).max(1.0);
        let apart = match equal.is_empty() {
            true => added.cost + best.rows * added.rows * PROBED_ROW,
            false => added.cost + added.rows * HASHED_ROW + best.rows * PROBED_ROW,
        };
        let looked_up = semi_join::as_written(&added.node).and_then(|(scan, asks)| {
            let cost = access::lookup_cost(&scan, &equal, added.start, options)?;
            Some(cost + (added.rows * part).max(1.0) * asks)
        });
        let looked_up = looked_up.map_or(f64::INFINITY, |cost| best.rows * cost);
        Best { cost: best.cost + apart.min(looked_up) + rows * JOINED_ROW, rows, last: side }
    }

    fn distinct_of(&self, member: &Member) -> Option<f64> {
        let Kind::Column(column) = member.expr.kind else { return None };
        let side = &self.sides[member.side];
        distinct_in(&side.node, column - side.start)
    }

    /// Whether joining in this order needs no equality but those that were written.
    fn is_written(&self, order: &[usize]) -> bool {
        let mut set = 0;
        order.iter().all(|&side| {
            let is_written =
                |class: &Class| class.between(set, side).is_none_or(|(_, is_written)| is_written);
            let all = self.classes.iter().all(is_written);
            set |= 1 << side;
            all
        })
    }

    /// Of an equality between a side and others: the side's column.
    fn other_than<'c>(&self, side: usize, condition: &'c Condition) -> Option<&'c Expr> {
        let Kind::Operator { operator, operands } = &condition.expr.kind else { return None };
        let [a, b] = &**operands else { return None };
        let is_of =
            |expr: &Expr| matches!(expr.kind, Kind::Column(column) if side_of(&self.sides, column) == side);
        let is_outside = |expr: &Expr| {
            let used = columns_used(expr);
            !used.is_empty() && used.into_iter().all(|column| side_of(&self.sides, column) != side)
        };
        match operator.name {
            "=" if is_of(a) && is_outside(b) => Some(a),
            "=" if is_of(b) && is_outside(a) => Some(b),
            _ => None,
        }
    }

    fn alone(&self, side: usize) -> Best {
        Best { cost: self.sides[side].cost, rows: self.sides[side].rows, last: side }
    }

    fn cost_of(&self, order: &[usize], options: PlanOptions) -> f64 {
        let (first, rest) = order.split_first().expect("joins have sides");
        let (mut set, mut best) = (1 << first, self.alone(*first));
        for &side in rest {
            best = self.extended(set, best, side, options);
            set |= 1 << side;
        }
        best.cost
    }

    /// The order of the least cost, and that.
    fn cheapest(&self, options: PlanOptions) -> (Vec<usize>, f64) {
        let count = self.sides.len();
        let mut found: Vec<Option<Best>> = vec![None; 1 << count];
        for side in 0..count {
            found[1 << side] = Some(self.alone(side));
        }
        for set in 1..1 << count {
            let Some(best) = found[set] else { continue };
            for side in (0..count).filter(|side| set & 1 << side == 0) {
                let extended = self.extended(set, best, side, options);
                let place = &mut found[set | 1 << side];
                if place.is_none_or(|known| extended.cost < known.cost) {
                    *place = Some(extended);
                }
            }
        }
        let (mut set, mut order) = ((1 << count) - 1, Vec::with_capacity(count));
        let cost = found[set].expect("every set is reached").cost;
        while set != 0 {
            let last = found[set].expect("every set is reached").last;
            order.push(last);
            set &= !(1 << last);
        }
        order.reverse();
        (order, cost)
    }

    /// The joins in another order, with a row of the old one.
    fn build(self, order: &[usize]) -> Node {
        let width: usize = self.sides.iter().map(|side| side.width).sum();
        let mut places = vec![0; width];
        let mut filled = 0;
        for &side in order {
            let Side { start, width, .. } = self.sides[side];
            (0..width).for_each(|at| places[start + at] = filled + at);
            filled += width;
        }
        let types: Vec<(TypeId, Typmod)> = self
            .sides
            .iter()
            .flat_map(|side| (0..side.width).map(|at| column_type(&side.node, at).expect("looked at before")))
            .collect();
        let mut sides: Vec<Option<Node>> = self.sides.into_iter().map(|side| Some(side.node)).collect();
        let mut take = |side: usize| sides[side].take().expect("each side is joined once");
        let mut rest = self.conditions;
        let (mut node, mut set) = (take(order[0]), 1 << order[0]);
        for &side in &order[1..] {
            let of_classes = self.classes.iter().filter_map(|class| class.between(set, side));
            let mut conditions: Vec<Expr> =
                of_classes.map(|(equality, _)| moved(equality, &places)).collect();
            set |= 1 << side;
            let (now, later): (Vec<Condition>, Vec<Condition>) =
                rest.into_iter().partition(|condition| condition.sides & !set == 0);
            rest = later;
            conditions.extend(now.into_iter().map(|condition| moved(condition.expr, &places)));
            node = Node::Join {
                join: JoinType::Inner,
                left: Arc::new(node),
                right: Arc::new(take(side)),
                correlation: Vec::new(),
                conditions,
            };
        }
        let items = places.iter().zip(types).map(|(&place, (id, typmod))| Expr::column(place, id, typmod));
        Node::Project { input: Arc::new(node), exprs: Exprs::new(items.collect()) }
    }
}

fn moved(mut expr: Expr, places: &[usize]) -> Expr {
    rewrite(&mut expr, &mut |expr| match expr.kind {
        Kind::Column(column) => Some(Expr::column(places[column], expr.type_id, expr.typmod)),
        _ => None,
    });
    expr
}
