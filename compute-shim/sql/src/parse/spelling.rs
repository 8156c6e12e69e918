//! Forms of expressions that the parser crate has in another shape than our tree: subscripts, fields, arguments by name, and
//! BETWEEN SYMMETRIC, which `respell.rs` has put into one that it can read.

use super::respell::SYMMETRIC;
use super::tree::{ALL_FIELDS, Expr, FunctionCall, Name, SliceRange};
use super::{Lower, NESTING_MAX, at, refuse, refuse_if, too_deep};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;
use sqlparser::ast;
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::tokenizer::Token;

impl Lower<'_> {
    /// A column or another operand, subscripts and fields.
    pub(super) fn access(&mut self, root: ast::Expr, chain: Vec<ast::AccessExpr>) -> Result<Expr> {
        let mut chain = chain.into_iter().peekable();
        // The parser sees `t.a[1]` as t, then .a, then [1]; without parentheses around it, `t.a` is a column.
        let root = match root {
            ast::Expr::Identifier(first) => {
                let mut parts = vec![first];
                let is_part = |access: &ast::AccessExpr| {
                    matches!(access, ast::AccessExpr::Dot(ast::Expr::Identifier(_)))
                };
                while let Some(ast::AccessExpr::Dot(ast::Expr::Identifier(part))) = chain.next_if(is_part) {
                    parts.push(part);
                }
                ast::Expr::CompoundIdentifier(parts)
            }
            root => root,
        };
        if chain.len() + self.depth > NESTING_MAX {
            return Err(too_deep());
        }
        let takes_fields = takes_fields(&root);
        let mut operand = self.expr(root)?;
        let mut subscripts = Vec::new();
        for access in chain {
            match access {
                ast::AccessExpr::Subscript(ast::Subscript::Index { index }) => {
                    subscripts.push((None, Some(self.expr(index)?)));
                }
                ast::AccessExpr::Subscript(ast::Subscript::Slice { lower_bound, upper_bound, stride }) => {
                    refuse_if(stride.is_some(), "a stride")?;
                    let lower = lower_bound.map(|bound| self.expr(bound)).transpose()?;
                    let upper = upper_bound.map(|bound| self.expr(bound)).transpose()?;
                    subscripts.push((Some(lower), upper));
                }
                ast::AccessExpr::Dot(ast::Expr::Identifier(name)) => {
                    if !takes_fields {
                        let position = self.lines.position(name.span.start);
                        let position = self.take_before(position, |token| *token == Token::Period);
                        return Err(at(SqlError::syntax("syntax error at or near \".\""), position));
                    }
                    operand = subscripted(operand, std::mem::take(&mut subscripts));
                    let row = Box::new(operand);
                    operand = match name.value == ALL_FIELDS {
                        true => Expr::Fields(row),
                        false => Expr::Field { operand: row, name: self.ident(name) },
                    };
                }
                ast::AccessExpr::Dot(_) => return Err(refuse("this form of field selection")),
            }
        }
        Ok(subscripted(operand, subscripts))
    }
}

/// Whether PostgreSQL's grammar lets a field be selected of an operand as it is written.
fn takes_fields(operand: &ast::Expr) -> bool {
    use ast::Expr as E;
    match operand {
        E::Nested(_) | E::Subquery(_) | E::Identifier(_) | E::CompoundIdentifier(_) => true,
        E::CompoundFieldAccess { root, .. } => takes_fields(root),
        E::Value(value) => matches!(value.value, ast::Value::Placeholder(_)),
        _ => false,
    }
}

/// A subscript: the lower bound of a range, if it is one, and the upper bound or the index.
type Subscript = (Option<Option<Expr>>, Option<Expr>);

fn subscripted(operand: Expr, subscripts: Vec<Subscript>) -> Expr {
    if subscripts.is_empty() {
        return operand;
    }
    let operand = Box::new(operand);
    if subscripts.iter().all(|(lower, _)| lower.is_none()) {
        let subscripts = subscripts.into_iter().filter_map(|(_, index)| index).collect();
        return Expr::Subscript { operand, subscripts };
    }
    // Beside a range a single number is the upper end of one from 1 on.
    let first = |upper: &Option<Expr>| Expr::Number {
        digits: "1".to_owned(),
        position: upper.as_ref().map_or(0, Expr::start),
    };
    let range =
        |(lower, upper): Subscript| SliceRange { lower: lower.unwrap_or_else(|| Some(first(&upper))), upper };
    Expr::Slice { operand, ranges: subscripts.into_iter().map(range).collect() }
}

impl Lower<'_> {
    /// The arguments of a call, those by name behind the others. Whether one of them is `*`.
    pub(super) fn arguments(&mut self, args: Vec<ast::FunctionArg>, call: &mut FunctionCall) -> Result<bool> {
        let mut has_star = false;
        for argument in args {
            let (name, argument) = named_argument(argument)?;
            let argument = self.function_argument(argument)?;
            match name {
                Some(name) => {
                    let position = self.lines.position(name.span.start);
                    call.names.push(Name { parts: vec![self.ident(name)], position });
                }
                None if !call.names.is_empty() => {
                    let error = SqlError::syntax("positional argument cannot follow named argument");
                    return Err(at(error, argument.map_or(0, |argument| argument.start())));
                }
                None => {}
            }
            match argument {
                Some(argument) => call.arguments.push(argument),
                None => has_star = true,
            }
        }
        Ok(has_star)
    }
}

/// An argument and its name, if it is given by one.
fn named_argument(argument: ast::FunctionArg) -> Result<(Option<ast::Ident>, ast::FunctionArg)> {
    use ast::FunctionArgOperator::{Assignment, RightArrow};
    Ok(match argument {
        ast::FunctionArg::Named { name, arg, operator: RightArrow | Assignment }
        | ast::FunctionArg::ExprNamed {
            name: ast::Expr::Identifier(name),
            arg,
            operator: RightArrow | Assignment,
        } => (Some(name), ast::FunctionArg::Unnamed(arg)),
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(ast::Expr::BinaryOp {
            left,
            op: ast::BinaryOperator::Assignment,
            right,
        })) if matches!(&*left, ast::Expr::Identifier(_)) => {
            let ast::Expr::Identifier(name) = *left else { unreachable!("asked before") };
            (Some(name), ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(*right)))
        }
        other => (None, other),
    })
}

/// The lower bound of BETWEEN without the mark of SYMMETRIC, which stands at its very beginning, and whether it was there.
pub(super) fn without_symmetric(mut low: ast::Expr) -> (ast::Expr, bool) {
    let found = take_symmetric(&mut low);
    (low, found)
}

fn take_symmetric(expr: &mut ast::Expr) -> bool {
    let is_mark = |expr: &ast::Expr| matches!(expr, ast::Expr::Identifier(ident) if ident.value == SYMMETRIC);
    match expr {
        ast::Expr::BinaryOp { left, right, .. } if is_mark(left) => {
            let rest = std::mem::replace(&mut **right, ast::Expr::Wildcard(AttachedToken::empty()));
            *expr = rest;
            true
        }
        ast::Expr::BinaryOp { left: inner, .. }
        | ast::Expr::Cast { expr: inner, .. }
        | ast::Expr::AtTimeZone { timestamp: inner, .. }
        | ast::Expr::Collate { expr: inner, .. } => take_symmetric(inner),
        _ => false,
    }
}
