//! Which columns rows have that an expression gives, as far as the plan tells.
//!
//! Owns [`are_alike`]: rows of other columns are an error where they meet (42804), which a hash join would miss, so that it
//! joins those only which are known to be alike. What may be NULL is of no shape and of all; what a common table or a recursion
//! gives is not looked into.

use super::Node;
use crate::expression::{Expr, Kind};
use hexalog_sql_types::{Datum, TypeId, Typmod};

#[derive(Clone, PartialEq)]
enum Shape {
    /// Of NULL alone.
    Null,
    /// Types of the columns; of rows in them their shapes.
    Columns(Vec<(TypeId, Option<Shape>)>),
    /// The binder's number.
    Number(Typmod),
}

/// Whether rows of two inputs are known to have columns of the same types.
pub(crate) fn are_alike((a, left): (&Expr, &Node), (b, right): (&Expr, &Node)) -> bool {
    let has_number = a.type_id == b.type_id && a.typmod == b.typmod && a.typmod != Typmod::NONE;
    has_number
        || match (shape(a, left), shape(b, right)) {
            (Some(a), Some(b)) => common([a, b]).is_some(),
            _ => false,
        }
}

/// The shape that all have which are not NULL.
fn common(shapes: impl IntoIterator<Item = Shape>) -> Option<Shape> {
    shapes.into_iter().try_fold(Shape::Null, |known, shape| match (known, shape) {
        (Shape::Null, other) | (other, Shape::Null) => Some(other),
        (known, shape) => (known == shape).then_some(known),
    })
}

fn common_of<'e>(exprs: impl IntoIterator<Item = &'e Expr>, input: &Node) -> Option<Shape> {
    common(exprs.into_iter().map(|expr| shape(expr, input)).collect::<Option<Vec<Shape>>>()?)
}

fn shape(expr: &Expr, input: &Node) -> Option<Shape> {
    let shape = match &expr.kind {
        Kind::Constant(value) => shape_of_value(value),
        Kind::Row(items, _) => {
            let column = |item: &Expr| match item.type_id {
                TypeId::RECORD => Some((TypeId::RECORD, Some(shape(item, input)?))),
                type_id => Some((type_id, None)),
            };
            items.iter().map(column).collect::<Option<Vec<_>>>().map(Shape::Columns)
        }
        Kind::Column(at) => shape_of_column(input, *at),
        Kind::Case { branches, otherwise, .. } => {
            common_of(branches.iter().map(|(_, result)| result).chain([&**otherwise]), input)
        }
        Kind::Coalesce(items) | Kind::Extreme { items, .. } => common_of(items, input),
        Kind::NullIf { first, .. } => shape(first, input),
        _ => None,
    };
    shape.or((expr.typmod != Typmod::NONE).then_some(Shape::Number(expr.typmod)))
}

fn shape_of_value(value: &Datum) -> Option<Shape> {
    match value {
        Datum::Null => Some(Shape::Null),
        Datum::Record(record) if !record.types.contains(&TypeId::RECORD) => {
            Some(Shape::Columns(record.types.iter().map(|&type_id| (type_id, None)).collect()))
        }
        _ => None,
    }
}

/// Of a column of a node's rows.
#[recursive::recursive]
fn shape_of_column(node: &Node, at: usize) -> Option<Shape> {
    match node {
        Node::Project { input, exprs } => shape(&exprs.items[at], input),
        Node::Values { rows, .. } => common_of(rows.iter().map(|row| &row.items[at]), &Node::Nothing),
        Node::Aggregate { input, keys, .. } => shape(keys.items.get(at)?, input),
        Node::Window { input, .. } if at < input.width() => shape_of_column(input, at),
        Node::Window { input, calls, .. } => {
            // What gives a row gives one of its arguments.
            let arguments = &calls[at - input.width()].arguments;
            let rows = || arguments.iter().filter(|argument| argument.type_id == TypeId::RECORD);
            rows().next().and_then(|_| common_of(rows(), input))
        }
        Node::ProjectSet { input, .. } if at < input.width() => shape_of_column(input, at),
        Node::SemiJoin { left, .. } => shape_of_column(left, at),
        Node::Join { left, right, .. }
        | Node::NestedLoop { left, right, .. }
        | Node::HashJoin { left, right, .. } => match at.checked_sub(left.width()) {
            Some(at) => shape_of_column(right, at),
            None => shape_of_column(left, at),
        },
        Node::Append { inputs } => {
            let shapes = inputs.iter().map(|input| shape_of_column(input, at));
            common(shapes.collect::<Option<Vec<Shape>>>()?)
        }
        Node::SetOperation { left, right, .. } => {
            common([shape_of_column(left, at)?, shape_of_column(right, at)?])
        }
        Node::Filter { input, .. }
        | Node::Sort { input, .. }
        | Node::Limit { input, .. }
        | Node::Distinct { input, .. }
        | Node::Materialize { input }
        | Node::Measured { input, .. }
        | Node::LockRows { input, .. } => shape_of_column(input, at),
        _ => None,
    }
}
