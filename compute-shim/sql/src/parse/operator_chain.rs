//! Operators of expressions: how they bind where the parser crate differs, and their symbols.

use super::refuse;
use hexalog_sql_types::error::Result;
use sqlparser::ast::{self, BinaryOperator, UnaryOperator, Value};

/// PostgreSQL reads `~ a + b` as `~ (a + b)`, the parser crate as `(~ a) + b`: what is added behind an operand that ends with a
/// prefix operator's belongs to that. The chain's first operator is its last.
pub(super) fn give_sums_to_prefix_operators(
    first: &mut ast::Expr,
    chain: &mut Vec<(BinaryOperator, ast::Expr)>,
) {
    // How many operators of the chain are still behind the operand that is looked at.
    let mut behind = chain.len();
    while behind > 0 {
        let is_sum = matches!(chain[behind - 1].0, BinaryOperator::Plus | BinaryOperator::Minus);
        let last = if behind == chain.len() { &mut *first } else { &mut chain[behind].1 };
        if !is_sum || open_operand(last).is_none() {
            behind -= 1;
            continue;
        }
        let (op, right) = chain.remove(behind - 1);
        let last = if behind > chain.len() { &mut *first } else { &mut chain[behind - 1].1 };
        let operand = open_operand(last).expect("seen above");
        let left = std::mem::replace(operand, ast::Expr::value(Value::Null));
        *operand = ast::Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) };
        behind -= 1;
    }
}

/// The operand of the last prefix operator, if the expression ends with it; a sign is none, it binds tighter than a sum.
fn open_operand(expr: &mut ast::Expr) -> Option<&mut ast::Expr> {
    let mut end = expr;
    let mut levels = 0usize;
    let mut found = None;
    {
        let mut seen: &ast::Expr = end;
        loop {
            seen = match seen {
                ast::Expr::BinaryOp { right, .. } => right,
                ast::Expr::UnaryOp { op, expr } => {
                    if !matches!(op, UnaryOperator::Minus | UnaryOperator::Plus | UnaryOperator::Not) {
                        found = Some(levels + 1);
                    }
                    expr
                }
                _ => break,
            };
            levels += 1;
        }
    }
    for _ in 0..found? {
        end = match end {
            ast::Expr::BinaryOp { right: inner, .. } | ast::Expr::UnaryOp { expr: inner, .. } => inner,
            _ => unreachable!("the levels were counted"),
        };
    }
    Some(end)
}

/// The symbol of an infix operator as `pg_operator` has it.
pub(super) fn operator_symbol(op: BinaryOperator) -> Result<String> {
    Ok(match op {
        BinaryOperator::NotEq => "<>".to_owned(),
        BinaryOperator::PGLikeMatch => "~~".to_owned(),
        BinaryOperator::PGILikeMatch => "~~*".to_owned(),
        BinaryOperator::PGNotLikeMatch => "!~~".to_owned(),
        BinaryOperator::PGNotILikeMatch => "!~~*".to_owned(),
        BinaryOperator::BitwiseXor | BinaryOperator::PGBitwiseXor => "#".to_owned(),
        BinaryOperator::PGCustomBinaryOperator(mut parts) => {
            let symbol = parts.pop().unwrap_or_default();
            if parts.iter().any(|schema| schema != "pg_catalog") {
                return Err(refuse(format!("the operator {}.{symbol}", parts.join("."))));
            }
            if symbol == "!=" { "<>".to_owned() } else { symbol }
        }
        BinaryOperator::Xor
        | BinaryOperator::DuckIntegerDivide
        | BinaryOperator::MyIntegerDivide
        | BinaryOperator::Match
        | BinaryOperator::Regexp
        | BinaryOperator::Glob
        | BinaryOperator::Overlaps
        | BinaryOperator::Spaceship
        | BinaryOperator::Assignment => return Err(refuse(format!("the operator {op}"))),
        other => other.to_string(),
    })
}
