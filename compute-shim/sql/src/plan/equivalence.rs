//! Columns of joined tables that are equal to each other, whichever of them the statement compares.
//!
//! Owns [`Class`]: of `a.x = b.x AND b.x = c.x` all three columns, so that `a` and `c` can be joined before `b` is. Where joins are
//! ordered, one equality between the side that is added and the sides before it says all that the class says of it; that is also
//! all that is counted for its part of the rows (PostgreSQL's equivalence classes). Never spans joins other than inner ones.

use crate::expression::{Expr, Kind};
use hexalog_sql_types::TypeId;
use hexalog_sql_types::operator::Operator;

/// A column of a side.
#[derive(Clone)]
pub(super) struct Member {
    pub side: usize,
    /// The column, of the row as it was written.
    pub expr: Expr,
}

/// Columns of one type that are equal, at most one of each side.
pub(super) struct Class {
    pub members: Vec<Member>,
    operator: &'static Operator,
    /// The equalities as they were written.
    written: Vec<Expr>,
}

impl Class {
    /// The member of a side.
    pub(super) fn of(&self, side: usize) -> Option<&Member> {
        self.members.iter().find(|member| member.side == side)
    }

    /// Members on the sides of a set.
    pub(super) fn within(&self, set: usize) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| set & 1 << member.side != 0)
    }

    /// The equality that joins a side to a set, and whether it was written; `None` if the class says nothing of the two.
    pub(super) fn between(&self, set: usize, side: usize) -> Option<(Expr, bool)> {
        let own = self.of(side)?;
        let first = self.within(set).next()?;
        let joins = |expr: &&Expr| {
            let columns = columns(expr).expect("a class is made of such equalities");
            let is_own = |column: &usize| *column == column_of(&own.expr);
            columns.iter().any(is_own)
                && columns.iter().any(|at| self.within(set).any(|member| column_of(&member.expr) == *at))
        };
        if let Some(written) = self.written.iter().find(joins) {
            return Some((written.clone(), true));
        }
        let operands = [first.expr.clone(), own.expr.clone()];
        let kind = Kind::Operator { operator: self.operator, operands: operands.into() };
        Some((Expr::new(kind, TypeId::BOOL), false))
    }
}

fn column_of(expr: &Expr) -> usize {
    match expr.kind {
        Kind::Column(column) => column,
        _ => unreachable!("members are columns"),
    }
}

/// The two columns that an equality compares, if it is of a type whose equality is one of values.
fn columns(expr: &Expr) -> Option<[usize; 2]> {
    let Kind::Operator { operator, operands } = &expr.kind else { return None };
    let [a, b] = &**operands else { return None };
    let (Kind::Column(x), Kind::Column(y)) = (&a.kind, &b.kind) else { return None };
    let is_equality = operator.name == "="
        && operator.left == Some(operator.right)
        && a.type_id == operator.right
        && b.type_id == operator.right;
    let is_of_values = matches!(
        operator.right,
        TypeId::INT2
            | TypeId::INT4
            | TypeId::INT8
            | TypeId::NUMERIC
            | TypeId::TEXT
            | TypeId::BPCHAR
            | TypeId::DATE
            | TypeId::TIMESTAMP
            | TypeId::TIMESTAMPTZ
            | TypeId::UUID
    );
    (is_equality && is_of_values).then_some([*x, *y])
}

/// Takes the conditions that make classes of three columns and more out of a list.
pub(super) fn classes(conditions: &mut Vec<Expr>, side_of: impl Fn(usize) -> usize) -> Vec<Class> {
    let mut found: Vec<Class> = Vec::new();
    for condition in &*conditions {
        let Some(pair) = columns(condition) else { continue };
        let Kind::Operator { operator, operands } = &condition.kind else { continue };
        let holds = |class: &Class| {
            class.operator.oid == operator.oid
                && class.members.iter().any(|member| pair.contains(&column_of(&member.expr)))
        };
        let mut merged = Class { members: Vec::new(), operator, written: vec![condition.clone()] };
        for operand in &**operands {
            merged.members.push(Member { side: side_of(column_of(operand)), expr: operand.clone() });
        }
        let (with, without): (Vec<Class>, Vec<Class>) = found.into_iter().partition(holds);
        for class in with {
            merged.written.splice(0..0, class.written);
            merged.members.splice(0..0, class.members);
        }
        let mut seen = Vec::new();
        merged.members.retain(|member| {
            let column = column_of(&member.expr);
            let is_new = !seen.contains(&column);
            seen.push(column);
            is_new
        });
        found = without;
        found.push(merged);
    }
    found.retain(|class| {
        let mut sides: Vec<usize> = class.members.iter().map(|member| member.side).collect();
        sides.sort_unstable();
        sides.dedup();
        // With two columns of one side each of its equalities is wanted.
        sides.len() == class.members.len() && sides.len() > 2
    });
    conditions.retain(|condition| {
        let (Some(pair), Kind::Operator { operator, .. }) = (columns(condition), &condition.kind) else {
            return true;
        };
        // The same columns may be equal by another operator as well: that one is still to be looked at.
        let is_in = |class: &Class| {
            let has = |column: usize| class.members.iter().any(|member| column_of(&member.expr) == column);
            class.operator.oid == operator.oid && pair.into_iter().all(has)
        };
        !found.iter().any(is_in)
    });
    found
}
