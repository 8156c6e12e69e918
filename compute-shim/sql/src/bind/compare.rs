//! Comparisons beyond a plain operator: rows, IN, BETWEEN, LIKE, ANY and ALL, IS DISTINCT FROM.

use super::Binder;
use super::collation::{check_explicit, check_explicit_of};
use crate::expression::{Expr, Kind, Quantifier, columns_used, for_each};
use crate::parse::tree::{self, AnyAllSource, LikeKind};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::resolve;
use hexalog_sql_types::{SqlError, SqlState, TypeId};

fn boolean(kind: Kind) -> Expr {
    Expr::new(kind, TypeId::BOOL)
}

impl Binder<'_> {
    pub(super) fn binary(&mut self, op: &str, left: &tree::Expr, right: &tree::Expr) -> Result<Expr> {
        if let (tree::Expr::Row { items: left, .. }, tree::Expr::Row { items: right, .. }) = (left, right) {
            let (left, right) = (self.row_items(left)?, self.row_items(right)?);
            return self.compare_rows(op, left, right);
        }
        if let (tree::Expr::Row { items, .. }, tree::Expr::Subquery { query, .. }) = (left, right) {
            return self.row_subquery(items, op, query, Quantifier::One);
        }
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        self.operator(op, Some(left), right)
    }

    /// Comparison of two rows, column by column.
    pub(super) fn compare_rows(&mut self, op: &str, left: Vec<Expr>, right: Vec<Expr>) -> Result<Expr> {
        if left.len() != right.len() {
            return Err(SqlError::syntax("unequal number of entries in row expressions"));
        }
        if left.is_empty() {
            return Err(SqlError::unsupported("comparison of rows of zero length"));
        }
        match op {
            "=" | "<>" => {
                let mut parts = Vec::with_capacity(left.len());
                for (left, right) in left.into_iter().zip(right) {
                    parts.push(self.operator(op, Some(left), right)?);
                }
                if parts.len() == 1 {
                    return Ok(parts.remove(0));
                }
                Ok(boolean(if op == "=" { Kind::And(parts.into()) } else { Kind::Or(parts.into()) }))
            }
            "<" | "<=" | ">" | ">=" => self.order_rows(op, left, right),
            other => {
                let message =
                    format!("could not determine interpretation of row comparison operator {other}");
                Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                    .with_hint("Row comparison operators must be associated with btree operator families."))
            }
        }
    }

    /// `(a, b) < (c, d)` is `a < c OR (a = c AND b < d)`.
    fn order_rows(&mut self, op: &str, left: Vec<Expr>, right: Vec<Expr>) -> Result<Expr> {
        let strict = &op[..1];
        let mut result: Option<Expr> = None;
        for (left, right) in left.into_iter().zip(right).rev() {
            result = Some(match result {
                None => self.operator(op, Some(left), right)?,
                Some(rest) => {
                    let before = self.operator(strict, Some(left.clone()), right.clone())?;
                    let equal = self.operator("=", Some(left), right)?;
                    let tie = boolean(Kind::And(Box::new([equal, rest])));
                    boolean(Kind::Or(Box::new([before, tie])))
                }
            });
        }
        Ok(result.expect("rows are not empty"))
    }

    /// IS DISTINCT FROM: of two rows as they are written column by column.
    pub(super) fn are_distinct(
        &mut self,
        left: &tree::Expr,
        right: &tree::Expr,
        negated: bool,
    ) -> Result<Expr> {
        let (tree::Expr::Row { items: left, .. }, tree::Expr::Row { items: right, .. }) = (left, right)
        else {
            let (left, right) = (self.expr(left)?, self.expr(right)?);
            return self.is_distinct(left, right, negated);
        };
        let (left, right) = (self.row_items(left)?, self.row_items(right)?);
        if left.len() != right.len() {
            return Err(SqlError::syntax("unequal number of entries in row expressions"));
        }
        let sides = left.into_iter().zip(right);
        let columns: Result<Vec<Expr>> =
            sides.map(|(left, right)| self.distinct_values(left, right, false)).collect();
        let mut columns = columns?;
        let distinct = match columns.len() {
            0 => Expr::bool(false),
            1 => columns.remove(0),
            _ => boolean(Kind::Or(columns.into())),
        };
        Ok(if negated { boolean(Kind::Not(Box::new(distinct))) } else { distinct })
    }

    fn is_distinct(&mut self, left: Expr, right: Expr, negated: bool) -> Result<Expr> {
        // From NULL as it is written, whatever has no equality is distinct too.
        let is_null = |side: &Expr| {
            side.type_id == TypeId::UNKNOWN && matches!(&side.kind, Kind::Constant(value) if value.is_null())
        };
        if is_null(&left) || is_null(&right) {
            let operand = if is_null(&right) { left } else { right };
            // A row that is made here is one, if of NULLs alone; IS NULL would look into it.
            if matches!(operand.kind, Kind::Row(_, None)) {
                let sides = Box::new([operand, Expr::null(TypeId::RECORD)]);
                return Ok(boolean(Kind::IsDistinct { operator: None, sides, negated }));
            }
            if operand.type_id != TypeId::RECORD {
                let operand = Box::new(self.tested(operand)?);
                return Ok(boolean(Kind::IsNull { operand, negated: !negated }));
            }
            // A relation's row that an outer join has not found is one of NULLs here, and NULL there.
            return Err(SqlError::unsupported("IS DISTINCT FROM over rows"));
        }
        self.distinct_values(left, right, negated)
    }

    fn distinct_values(&mut self, left: Expr, right: Expr, negated: bool) -> Result<Expr> {
        if left.type_id == TypeId::RECORD || right.type_id == TypeId::RECORD {
            return Err(SqlError::unsupported("IS DISTINCT FROM over rows"));
        }
        // The operator is that of the two types as they are: they may have a common one that compares otherwise.
        let (left, right) = (self.decided(left), self.decided(right));
        let (operator, resolved) = self.comparison("=", left.type_id, right.type_id)?;
        let (left, right) = self.operands(&resolved, Some(left), right)?;
        let sides = Box::new([left.expect("both operands"), right]);
        check_explicit_of(&*sides)?;
        Ok(self.called(boolean(Kind::IsDistinct { operator: Some(operator), sides, negated })))
    }

    pub(super) fn between(
        &mut self,
        operand: &tree::Expr,
        low: &tree::Expr,
        high: &tree::Expr,
        negated: bool,
    ) -> Result<Expr> {
        // The operand stands in both comparisons, as in PostgreSQL.
        let (from_low, from_high) = if negated { ("<", ">") } else { (">=", "<=") };
        let sides = Box::new([self.binary(from_low, operand, low)?, self.binary(from_high, operand, high)?]);
        Ok(boolean(if negated { Kind::Or(sides) } else { Kind::And(sides) }))
    }

    /// BETWEEN SYMMETRIC: with the bounds in one order or in the other.
    pub(super) fn between_symmetric(
        &mut self,
        operand: &tree::Expr,
        low: &tree::Expr,
        high: &tree::Expr,
        negated: bool,
    ) -> Result<Expr> {
        let orders = Box::new([
            self.between(operand, low, high, negated)?,
            self.between(operand, high, low, negated)?,
        ]);
        Ok(boolean(if negated { Kind::And(orders) } else { Kind::Or(orders) }))
    }

    pub(super) fn like(
        &mut self,
        operand: &tree::Expr,
        pattern: &tree::Expr,
        escape: Option<&tree::Expr>,
        kind: LikeKind,
        negated: bool,
    ) -> Result<Expr> {
        let operand = self.expr(operand)?;
        let mut pattern = self.expr(pattern)?;
        if kind == LikeKind::Similar {
            let mut arguments = vec![pattern];
            if let Some(escape) = escape {
                arguments.push(self.expr(escape)?);
            }
            let pattern = self.call_by_name("similar_to_escape", arguments)?;
            return self.operator(if negated { "!~" } else { "~" }, Some(operand), pattern);
        }
        if let Some(escape) = escape {
            let escape = self.expr(escape)?;
            pattern = self.call_by_name("like_escape", vec![pattern, escape])?;
        }
        let op = match (kind, negated) {
            (LikeKind::Like, false) => "~~",
            (LikeKind::Like, true) => "!~~",
            (LikeKind::ILike, false) => "~~*",
            (LikeKind::ILike, true) => "!~~*",
            (LikeKind::Similar, _) => unreachable!("dealt with above"),
        };
        self.operator(op, Some(operand), pattern)
    }

    pub(super) fn in_list(
        &mut self,
        operand: &tree::Expr,
        list: &[tree::Expr],
        negated: bool,
    ) -> Result<Expr> {
        let op = if negated { "<>" } else { "=" };
        let is_row = matches!(operand, tree::Expr::Row { .. });
        let has_rows = list.iter().any(|item| matches!(item, tree::Expr::Row { .. }));
        if list.len() > 1 && !is_row && !has_rows {
            let left = self.expr(operand)?;
            let items = self.exprs(list)?;
            let is_plain = items.iter().all(|item| columns_used(item).is_empty() && !has_subplan(item));
            let mut types: Vec<TypeId> = items.iter().map(|item| item.type_id).collect();
            types.insert(0, left.type_id);
            if is_plain && left.type_id != TypeId::RECORD {
                // Untyped items take the operand's type; a common type of both sides keeps numbers exact.
                if let Ok(common) = resolve::common_type("IN", &types)
                    && common.array_of().is_some()
                {
                    return self.in_array(left, items, common, op);
                }
            }
        }
        let mut parts = Vec::with_capacity(list.len());
        for item in list {
            parts.push(self.binary(op, operand, item)?);
        }
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        Ok(boolean(if negated { Kind::And(parts.into()) } else { Kind::Or(parts.into()) }))
    }

    /// `left = ANY (ARRAY[…])`, or `<> ALL`.
    fn in_array(&mut self, left: Expr, items: Vec<Expr>, common: TypeId, op: &str) -> Result<Expr> {
        let left = self.known_as(left, common)?;
        // Texts are read before an operator is looked for, as PostgreSQL has it.
        let items: Result<Vec<Expr>> =
            items.into_iter().map(|item| self.coerce_implicit(item, common)).collect();
        let items = items?;
        let (operator, resolved) = self.comparison(op, left.type_id, common)?;
        let left = self.coerce_implicit(left, resolved.left.expect("a comparison has two operands"))?;
        let elements: Result<Vec<Expr>> =
            items.into_iter().map(|item| self.coerce_implicit(item, resolved.right)).collect();
        let elements = elements?;
        let array = Box::new(self.array_from(elements, resolved.right)?);
        check_explicit([left.collation, array.collation])?;
        Ok(self.called(boolean(Kind::AnyAll { operator, left: Box::new(left), array, all: op == "<>" })))
    }

    /// An untyped operand takes the type that the others have.
    fn known_as(&mut self, expr: Expr, common: TypeId) -> Result<Expr> {
        if expr.type_id == TypeId::UNKNOWN { self.coerce_implicit(expr, common) } else { Ok(expr) }
    }

    /// `left op ANY (…)` or ALL.
    pub(super) fn any_all(
        &mut self,
        left: &tree::Expr,
        op: &str,
        right: &AnyAllSource,
        all: bool,
    ) -> Result<Expr> {
        let array = match right {
            AnyAllSource::Query(query) => return self.any_all_query(left, op, query, all),
            AnyAllSource::Array(array) => array,
        };
        let left = self.expr(left)?;
        let mut array = self.expr(array)?;
        if array.type_id == TypeId::UNKNOWN {
            // The array is of what the operator takes when its right side is untyped.
            let (_, resolved) = self.comparison(op, left.type_id, TypeId::UNKNOWN)?;
            let target = resolved.right.array_of().ok_or_else(|| no_array_of(resolved.right))?;
            array = self.coerce_implicit(array, target)?;
        }
        let Some(element) = array.type_id.array_element() else {
            let message = "op ANY/ALL (array) requires array on right side";
            return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
        };
        let (operator, resolved) = self.comparison(op, left.type_id, element)?;
        if resolved.result != TypeId::BOOL {
            let message = "op ANY/ALL (array) requires operator to yield boolean";
            return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
        let left = self.coerce_implicit(left, resolved.left.expect("an infix operator has two operands"))?;
        if resolved.right != element {
            let target = resolved.right.array_of().ok_or_else(|| no_array_of(resolved.right))?;
            array = self.coerce_implicit(array, target)?;
        }
        check_explicit([left.collation, array.collation])?;
        let (left, array) = (Box::new(left), Box::new(array));
        Ok(self.called(boolean(Kind::AnyAll { operator, left, array, all })))
    }
}

fn has_subplan(expr: &Expr) -> bool {
    let mut found = false;
    for_each(expr, &mut |expr| {
        found |= matches!(expr.kind, Kind::Subplan(_));
        !found
    });
    found
}

/// 42704, for the right side of ANY or ALL.
fn no_array_of(element: TypeId) -> SqlError {
    let message = format!("could not find array type for data type {}", element.display_name());
    SqlError::new(SqlState::UNDEFINED_OBJECT, message)
}
