//! Whether a partial index has every row that a query wants.
//!
//! Owns PostgreSQL's test (`predicate_implied_by`): each part of the predicate must follow from one of the conditions,
//! which hold together. A part follows from a condition that is the same, from a strict one if the part says that
//! something is not NULL, or from a comparison with a constant that leaves less. What the test does not see only costs
//! the index.

use crate::expression::{Expr, Kind, for_each, same};
use hexalog_sql_types::datum::compare;
use hexalog_sql_types::operator::Operator;
use hexalog_sql_types::{Datum, TypeId, resolve};
use std::cmp::Ordering;

/// Elements of a list that are looked at one by one, as in PostgreSQL.
const ELEMENTS_MAX: usize = 100;

/// Whether a predicate holds wherever all conditions do.
pub(crate) fn implies(conditions: &[Expr], predicate: &Expr) -> bool {
    match &predicate.kind {
        Kind::And(parts) => parts.iter().all(|part| implies(conditions, part)),
        Kind::Constant(value) => value.as_bool() == Some(true),
        _ => conditions.iter().any(|condition| follows(condition, predicate)),
    }
}

/// Whether a predicate holds wherever a condition does.
fn follows(condition: &Expr, predicate: &Expr) -> bool {
    if same(condition, predicate) {
        return true;
    }
    match (&condition.kind, &predicate.kind) {
        (Kind::And(parts), _) => parts.iter().any(|part| follows(part, predicate)),
        (_, Kind::And(parts)) => parts.iter().all(|part| follows(condition, part)),
        (Kind::Or(parts), _) => parts.iter().all(|part| follows(part, predicate)),
        (_, Kind::Or(parts)) => parts.iter().any(|part| follows(condition, part)),
        _ => match (list(condition), list(predicate)) {
            (Some(parts), _) => !parts.is_empty() && parts.iter().all(|part| follows(part, predicate)),
            (None, Some(parts)) => parts.iter().any(|part| follows(condition, part)),
            (None, None) => is_not_null(condition, predicate) || leaves_less(condition, predicate),
        },
    }
}

/// The comparisons that `left operator ANY (constants)` is made of.
fn list(expr: &Expr) -> Option<Vec<Expr>> {
    let Kind::AnyAll { operator, left, array, all: false } = &expr.kind else { return None };
    let element = array.type_id.array_element()?;
    let values: Vec<Datum> = match &array.kind {
        Kind::Constant(Datum::Array(array)) => array.elements().to_vec(),
        Kind::Array { items, nested: false, .. } => {
            items.iter().map(|item| item.as_constant().cloned()).collect::<Option<_>>()?
        }
        _ => return None,
    };
    if values.len() > ELEMENTS_MAX {
        return None;
    }
    let comparison = |value: Datum| {
        let operands = [(**left).clone(), Expr::constant(value, element)];
        Expr::new(Kind::Operator { operator, operands: operands.into() }, TypeId::BOOL)
    };
    Some(values.into_iter().map(comparison).collect())
}

/// `x IS NOT NULL` follows from whatever is NULL where `x` is.
fn is_not_null(condition: &Expr, predicate: &Expr) -> bool {
    let Kind::IsNull { operand, negated: true } = &predicate.kind else { return false };
    is_strict_in(condition, operand)
}

/// Whether an expression is NULL (or an error) where `part` is.
fn is_strict_in(expr: &Expr, part: &Expr) -> bool {
    // Constants of other types do not compare, and say nothing of rows.
    if matches!(part.kind, Kind::Constant(_)) {
        return false;
    }
    // Relabelled as another type it is still the same value.
    let relabelled = Expr { type_id: part.type_id, typmod: part.typmod, ..expr.clone() };
    if same(&relabelled, part) {
        return true;
    }
    match &expr.kind {
        Kind::Operator { operator, operands } if operator.is_strict() => {
            operands.iter().any(|operand| is_strict_in(operand, part))
        }
        Kind::Function { function, arguments } if function.strict => {
            arguments.iter().any(|argument| is_strict_in(argument, part))
        }
        Kind::Coerce { operand, .. } | Kind::Not(operand) => is_strict_in(operand, part),
        _ => false,
    }
}

/// A comparison of something with a constant.
struct Bound<'a> {
    of: &'a Expr,
    name: &'static str,
    value: &'a Datum,
    type_id: TypeId,
}

fn bound(expr: &Expr) -> Option<Bound<'_>> {
    let Kind::Operator { operator, operands } = &expr.kind else { return None };
    let [left, right] = &**operands else { return None };
    let constant = |expr: &Expr| {
        let mut constant = true;
        for_each(expr, &mut |expr| {
            constant &= matches!(expr.kind, Kind::Constant(_));
            constant
        });
        constant
    };
    match (constant(left), constant(right)) {
        (false, true) => {
            Some(Bound { of: left, name: operator.name, value: right.as_constant()?, type_id: right.type_id })
        }
        (true, false) => Some(Bound {
            of: right,
            name: reversed(operator)?,
            value: left.as_constant()?,
            type_id: left.type_id,
        }),
        _ => None,
    }
}

fn reversed(operator: &Operator) -> Option<&'static str> {
    Some(match operator.name {
        "=" => "=",
        "<>" => "<>",
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        _ => return None,
    })
}

/// Whether a comparison leaves no more than another: both are of the same thing, with constants of one type.
fn leaves_less(condition: &Expr, predicate: &Expr) -> bool {
    let (Some(condition), Some(predicate)) = (bound(condition), bound(predicate)) else { return false };
    if !same(condition.of, predicate.of) || condition.value.is_null() || predicate.value.is_null() {
        return false;
    }
    let Some(order) = order(&condition, &predicate) else { return false };
    use Ordering::{Equal, Greater, Less};
    // `x = 5` says that x is where 5 is; `x < 5` that it is below, and so on.
    match (condition.name, predicate.name) {
        ("=", "=") => order == Equal,
        ("=", "<>") => order != Equal,
        ("=", "<") => order == Less,
        ("=", "<=") => order != Greater,
        ("=", ">") => order == Greater,
        ("=", ">=") => order != Less,
        ("<", "<" | "<=" | "<>") | ("<=", "<=") => order != Greater,
        ("<=", "<" | "<>") => order == Less,
        (">", ">" | ">=" | "<>") | (">=", ">=") => order != Less,
        (">=", ">" | "<>") => order == Greater,
        _ => false,
    }
}

/// How the constants compare; `None` if the types have no order in common.
fn order(left: &Bound<'_>, right: &Bound<'_>) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (left.value.as_i64(), right.value.as_i64()) {
        return Some(left.cmp(&right));
    }
    // The operators must be those that order the type.
    let is_ordered = resolve::operator("<", Some(left.type_id), left.type_id).is_ok();
    (left.type_id == right.type_id && is_ordered).then(|| compare(left.type_id, left.value, right.value))
}
