//! Visiting, comparing and rewriting expressions.
//!
//! Owns the one list of an expression's children, so that a new kind is added in one place.

use super::{Expr, Kind, SubplanForm};
use crate::execute::State;
use hexalog_sql_types::Datum;
use hexalog_sql_types::datum::equal;
use hexalog_sql_types::row::write_row;

impl Expr {
    pub(super) fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            Kind::Constant(_)
            | Kind::Column(_)
            | Kind::Parameter(_)
            | Kind::Slot(_)
            | Kind::CaseValue
            | Kind::Aggregate(_)
            | Kind::Window(_)
            | Kind::SetReturning(_) => Vec::new(),
            Kind::Operator { operands: items, .. }
            | Kind::Function { arguments: items, .. }
            | Kind::Host { arguments: items, .. }
            | Kind::And(items)
            | Kind::Or(items)
            | Kind::Coalesce(items)
            | Kind::Extreme { items, .. }
            | Kind::Array { items, .. }
            | Kind::Row(items, _) => items.iter().collect(),
            Kind::Coerce { operand, .. }
            | Kind::Field { operand, .. }
            | Kind::Not(operand)
            | Kind::WithoutCollation { call: operand, .. }
            | Kind::Collate { operand, .. }
            | Kind::IsNull { operand, .. }
            | Kind::IsBool { operand, .. } => vec![operand],
            Kind::IsDistinct { sides, .. } => sides.iter().collect(),
            Kind::Case { operand, branches, otherwise } => {
                let mut children: Vec<&Expr> = operand.iter().map(|operand| &**operand).collect();
                children.extend(branches.iter().flat_map(|(condition, result)| [condition, result]));
                children.push(otherwise);
                children
            }
            Kind::NullIf { first, comparison, .. } => vec![first, &comparison[0], &comparison[1]],
            Kind::AnyAll { left, array, .. } => vec![left, array],
            Kind::Subscript { operand, subscripts } => {
                std::iter::once(&**operand).chain(subscripts.iter()).collect()
            }
            Kind::Subplan(subplan) => {
                let mut children: Vec<&Expr> = subplan.correlation.iter().map(|(_, source)| source).collect();
                match &subplan.form {
                    SubplanForm::AnyAll { left, .. } => children.push(left),
                    SubplanForm::Rows { left, .. } => children.extend(left),
                    SubplanForm::Scalar
                    | SubplanForm::Field(_)
                    | SubplanForm::Exists
                    | SubplanForm::Array(_) => {}
                }
                children
            }
        }
    }

    fn children_mut(&mut self) -> Vec<&mut Expr> {
        match &mut self.kind {
            Kind::Constant(_)
            | Kind::Column(_)
            | Kind::Parameter(_)
            | Kind::Slot(_)
            | Kind::CaseValue
            | Kind::Aggregate(_)
            | Kind::Window(_)
            | Kind::SetReturning(_) => Vec::new(),
            Kind::Operator { operands: items, .. }
            | Kind::Function { arguments: items, .. }
            | Kind::Host { arguments: items, .. }
            | Kind::And(items)
            | Kind::Or(items)
            | Kind::Coalesce(items)
            | Kind::Extreme { items, .. }
            | Kind::Array { items, .. }
            | Kind::Row(items, _) => items.iter_mut().collect(),
            Kind::Coerce { operand, .. }
            | Kind::Field { operand, .. }
            | Kind::Not(operand)
            | Kind::WithoutCollation { call: operand, .. }
            | Kind::Collate { operand, .. }
            | Kind::IsNull { operand, .. }
            | Kind::IsBool { operand, .. } => vec![operand],
            Kind::IsDistinct { sides, .. } => sides.iter_mut().collect(),
            Kind::Case { operand, branches, otherwise } => {
                let mut children: Vec<&mut Expr> = operand.iter_mut().map(|operand| &mut **operand).collect();
                children.extend(branches.iter_mut().flat_map(|(condition, result)| [condition, result]));
                children.push(otherwise);
                children
            }
            Kind::NullIf { first, comparison, .. } => {
                let [left, right] = &mut **comparison;
                vec![first, left, right]
            }
            Kind::AnyAll { left, array, .. } => vec![left, array],
            Kind::Subscript { operand, subscripts } => {
                std::iter::once(&mut **operand).chain(subscripts.iter_mut()).collect()
            }
            Kind::Subplan(subplan) => {
                let mut children: Vec<&mut Expr> =
                    subplan.correlation.iter_mut().map(|(_, source)| source).collect();
                match &mut subplan.form {
                    SubplanForm::AnyAll { left, .. } => children.push(left),
                    SubplanForm::Rows { left, .. } => children.extend(left),
                    SubplanForm::Scalar
                    | SubplanForm::Field(_)
                    | SubplanForm::Exists
                    | SubplanForm::Array(_) => {}
                }
                children
            }
        }
    }
}

/// Calls `visit` on an expression and everything below it, the outermost first; `visit` says whether to go down.
pub(crate) fn for_each<'a>(expr: &'a Expr, visit: &mut impl FnMut(&'a Expr) -> bool) {
    if visit(expr) {
        for child in expr.children() {
            for_each(child, visit);
        }
    }
}

/// Replaces what `replace` wants replaced, the outermost first; a replaced part is not visited again.
pub(crate) fn rewrite(expr: &mut Expr, replace: &mut impl FnMut(&Expr) -> Option<Expr>) {
    if let Some(replacement) = replace(expr) {
        *expr = replacement;
        return;
    }
    for child in expr.children_mut() {
        rewrite(child, replace);
    }
}

/// The columns of the row that an expression reads, in ascending order.
pub(crate) fn columns_used(expr: &Expr) -> Vec<usize> {
    let mut columns = std::collections::BTreeSet::new();
    for_each(expr, &mut |expr| {
        if let Kind::Column(index) = expr.kind {
            columns.insert(index);
        }
        true
    });
    columns.into_iter().collect()
}

/// Moves every column reference by an offset: the row has gained or lost columns at its front.
pub(crate) fn shift_columns(expr: &mut Expr, offset: isize) {
    if offset == 0 {
        return;
    }
    rewrite(expr, &mut |expr| match expr.kind {
        Kind::Column(index) => {
            let moved = index.checked_add_signed(offset).expect("a column of the narrower row");
            Some(Expr::column(moved, expr.type_id, expr.typmod))
        }
        _ => None,
    });
}

/// Whether the same is made of the rows of two subqueries, expressions on the left apart.
fn is_same_form(left: &SubplanForm, right: &SubplanForm) -> bool {
    match (left, right) {
        (SubplanForm::Scalar, SubplanForm::Scalar) | (SubplanForm::Exists, SubplanForm::Exists) => true,
        (SubplanForm::Array(a), SubplanForm::Array(b)) => a == b,
        (SubplanForm::Field(a), SubplanForm::Field(b)) => a == b,
        (
            SubplanForm::AnyAll { operator: a, all: x, right: c, .. },
            SubplanForm::AnyAll { operator: b, all: y, right: d, .. },
        ) => a.oid == b.oid && x == y && same(c, d),
        (
            SubplanForm::Rows { comparison: a, quantifier: x, .. },
            SubplanForm::Rows { comparison: b, quantifier: y, .. },
        ) => x == y && same(a, b),
        _ => false,
    }
}

/// Whether two equal values are shown alike too, which 0 and 0.00 are not.
fn is_alike(a: &Datum, b: &Datum) -> bool {
    let written = |value: &Datum| {
        let mut bytes = Vec::new();
        write_row(std::slice::from_ref(value), &mut bytes);
        bytes
    };
    written(a) == written(b)
}

/// Whether two expressions are the same by structure, so that equal rows give equal values.
pub(crate) fn same(left: &Expr, right: &Expr) -> bool {
    if left.type_id != right.type_id || left.typmod != right.typmod {
        return false;
    }
    let heads = match (&left.kind, &right.kind) {
        (Kind::Constant(a), Kind::Constant(b)) => equal(left.type_id, a, b) && is_alike(a, b),
        (Kind::Column(a), Kind::Column(b)) => a == b,
        (Kind::Parameter(a), Kind::Parameter(b)) => a == b,
        (Kind::Slot(a), Kind::Slot(b)) => a == b,
        (Kind::Aggregate(a), Kind::Aggregate(b)) | (Kind::Window(a), Kind::Window(b)) => a == b,
        (Kind::Operator { operator: a, .. }, Kind::Operator { operator: b, .. }) => a.oid == b.oid,
        (Kind::Function { function: a, .. }, Kind::Function { function: b, .. }) => {
            a.oid == b.oid && a.volatility != hexalog_sql_types::function::Volatility::Volatile
        }
        (Kind::Host { function: a, memo: None, .. }, Kind::Host { function: b, memo: None, .. }) => {
            a.oid == b.oid && a.name == b.name
        }
        (Kind::Coerce { coercion: a, .. }, Kind::Coerce { coercion: b, .. }) => {
            a.source() == b.source() && a.target() == b.target() && a.typmod() == b.typmod()
        }
        (Kind::IsNull { negated: a, .. }, Kind::IsNull { negated: b, .. }) => a == b,
        (
            Kind::IsDistinct { operator: a, negated: x, .. },
            Kind::IsDistinct { operator: b, negated: y, .. },
        ) => a.map(|operator| operator.oid) == b.map(|operator| operator.oid) && x == y,
        (Kind::IsBool { value: a, negated: x, .. }, Kind::IsBool { value: b, negated: y, .. }) => {
            a == b && x == y
        }
        (Kind::Case { operand: a, .. }, Kind::Case { operand: b, .. }) => a.is_some() == b.is_some(),
        (Kind::Extreme { greatest: a, .. }, Kind::Extreme { greatest: b, .. }) => a == b,
        (Kind::NullIf { operator: a, .. }, Kind::NullIf { operator: b, .. }) => a.oid == b.oid,
        (Kind::AnyAll { operator: a, all: x, .. }, Kind::AnyAll { operator: b, all: y, .. }) => {
            a.oid == b.oid && x == y
        }
        (Kind::Array { nested: a, .. }, Kind::Array { nested: b, .. }) => a == b,
        (Kind::Row(_, a), Kind::Row(_, b)) => a == b,
        (Kind::Collate { oid: a, .. }, Kind::Collate { oid: b, .. }) => a == b,
        (Kind::Field { column: a, .. }, Kind::Field { column: b, .. }) => a == b,
        (Kind::Subplan(a), Kind::Subplan(b)) => {
            a.text.is_some() && a.text == b.text && is_same_form(&a.form, &b.form)
        }
        (Kind::And(_), Kind::And(_))
        | (Kind::Or(_), Kind::Or(_))
        | (Kind::Not(_), Kind::Not(_))
        | (Kind::CaseValue, Kind::CaseValue)
        | (Kind::WithoutCollation { .. }, Kind::WithoutCollation { .. })
        | (Kind::Coalesce(_), Kind::Coalesce(_))
        | (Kind::Subscript { .. }, Kind::Subscript { .. }) => true,
        _ => false,
    };
    let (left, right) = (left.children(), right.children());
    heads && left.len() == right.len() && left.iter().zip(right).all(|(a, b)| same(a, b))
}

/// The same, and with the same collations wherever there are some.
pub(crate) fn same_with_collations(left: &Expr, right: &Expr) -> bool {
    let collations = |expr: &Expr| {
        let mut found = Vec::new();
        for_each(expr, &mut |part| {
            found.push(part.collation.oid(part.type_id));
            true
        });
        found
    };
    same(left, right) && collations(left) == collations(right)
}

/// What has to be forgotten before an expression is evaluated for another row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evaluation {
    memos: Box<[usize]>,
    subplans: Box<[usize]>,
}

impl Evaluation {
    /// For a group of expressions that are evaluated over the same row.
    pub(crate) fn of<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Evaluation {
        let (mut memos, mut subplans) = (Vec::new(), Vec::new());
        for expr in exprs {
            for_each(expr, &mut |expr| {
                match &expr.kind {
                    Kind::Host { memo: Some(memo), .. } => memos.push(*memo),
                    Kind::Subplan(subplan) => subplans.push(subplan.id),
                    _ => {}
                }
                true
            });
        }
        Evaluation { memos: memos.into(), subplans: subplans.into() }
    }

    /// Called when the operator has a new row, and not when it repeats an evaluation after a need. Subqueries that
    /// depend on nothing outside keep their result for the whole statement.
    pub(crate) fn begin_row(&self, state: &mut State) {
        for &memo in &self.memos {
            state.memos[memo] = None;
        }
        for &subplan in &self.subplans {
            state.subplans[subplan].forget();
        }
    }
}
