//! Conversions, untyped literals, parameters, and operations on constants.
//!
//! Owns the way of an expression to a wanted type. An untyped literal is read by its type's input function at once; an
//! undecided parameter takes the type that its first use asks for.

use super::Binder;
use super::collation::check_explicit_of;
use super::expression::collated;
use crate::expression::{Collation, Expr, Kind, evaluate_constant, is_collatable};
use crate::parse::{at, tree};
use hexalog_sql_types::cast::{CastContext, coercion};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::operator::Operator;
use hexalog_sql_types::resolve::{self, ResolvedOperator};
use hexalog_sql_types::types::TypeCategory;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId, Typmod};

impl Binder<'_> {
    /// Brings an expression to a type; `None` if there is no way in this context.
    pub(super) fn coerce(
        &mut self,
        expr: Expr,
        target: TypeId,
        typmod: Typmod,
        context: CastContext,
    ) -> Result<Option<Expr>> {
        self.coerce_as(expr, target, typmod, context, false)
    }

    pub(super) fn coerce_as(
        &mut self,
        expr: Expr,
        target: TypeId,
        typmod: Typmod,
        context: CastContext,
        is_written: bool,
    ) -> Result<Option<Expr>> {
        let expr = self.decided(expr);
        if expr.type_id == target && (typmod == Typmod::NONE || typmod == expr.typmod) {
            return Ok(Some(expr));
        }
        if let (Kind::Parameter(number), TypeId::UNKNOWN) = (&expr.kind, expr.type_id) {
            let decided = self.decide_parameter(*number, target)?.at(expr.position);
            let decided = decided.with_collation(expr.collation);
            return self.coerce_as(decided, target, typmod, context, is_written);
        }
        if let (TypeId::RECORD, Kind::Row(..)) = (expr.type_id, &expr.kind)
            && target.category() != TypeCategory::String
        {
            return Ok(None);
        }
        if let Kind::Collate { oid, .. } = expr.kind {
            // It goes beneath COLLATE, which is gone if the type has no collations.
            let (collation, operand) = (expr.collation, expr.without_collate());
            let coerced = self.coerce_as(operand, target, typmod, context, is_written)?;
            let shown = |coerced| match is_collatable(target) {
                true => collated(coerced, oid).with_collation(collation),
                false => coerced,
            };
            return Ok(coerced.map(shown));
        }
        // A literal is read as of any length, and then brought to the wanted one as a value is.
        let is_literal = expr.type_id == TypeId::UNKNOWN && matches!(expr.kind, Kind::Constant(_));
        let is_read_plain = is_literal && target != TypeId::INTERVAL;
        let first = if is_read_plain { Typmod::NONE } else { typmod };
        let Some(coercion) = coercion(expr.type_id, target, first, context) else { return Ok(None) };
        if let (true, Kind::Constant(value)) = (is_literal, &expr.kind) {
            let read = coercion.apply(self.context.env, value.clone());
            let position = self.literal_position(value);
            let value = read.map_err(|error| at(error, position))?;
            self.note_literal(position, target, &value)?;
            let read = Expr::constant(value, target).with_typmod(first).at(expr.position);
            return self.coerce_as(read.with_collation(expr.collation), target, typmod, context, is_written);
        }
        if coercion.is_identity() && (self.folds || !is_written) {
            // Only the type's name changes.
            let collation = Collation::together([&expr]).unwrap_or(expr.collation);
            return Ok(Some(Expr { type_id: target, typmod, collation, ..expr }));
        }
        let position = expr.position;
        let kind = Kind::Coerce { coercion: Box::new(coercion), operand: Box::new(expr), is_written };
        Ok(Some(self.fold(Expr::new(kind, target).with_typmod(typmod).at(position))))
    }

    /// A conversion that resolution has promised.
    pub(super) fn coerce_implicit(&mut self, expr: Expr, target: TypeId) -> Result<Expr> {
        let (source, position) = (expr.type_id, expr.position);
        if let Some(expr) = self.coerce(expr.clone(), target, Typmod::NONE, CastContext::Implicit)? {
            return Ok(expr);
        }
        let expr = self.coerce(expr, target, Typmod::NONE, CastContext::Explicit)?;
        expr.ok_or_else(|| at(resolve::cannot_cast(source, target), position))
    }

    /// An expression whose parameter has been decided since it was bound.
    pub(super) fn decided(&self, mut expr: Expr) -> Expr {
        if let (Kind::Parameter(number), TypeId::UNKNOWN) = (&expr.kind, expr.type_id) {
            expr.type_id = self.parameters[*number];
        }
        expr
    }

    fn decide_parameter(&mut self, number: usize, target: TypeId) -> Result<Expr> {
        // A parameter compared with an array's element and the like: pseudo-types decide nothing.
        let target = if target.is_pseudo() { TypeId::TEXT } else { target };
        let current = self.parameters[number];
        if current == TypeId::UNKNOWN {
            self.parameters[number] = target;
        } else if current != target {
            let message = format!("inconsistent types deduced for parameter ${}", number + 1);
            let detail = format!("{} versus {}", current.display_name(), target.display_name());
            return Err(SqlError::new(SqlState::AMBIGUOUS_PARAMETER, message).with_detail(detail));
        }
        Ok(Expr::new(Kind::Parameter(number), target))
    }

    /// `$n`.
    pub(super) fn parameter(&mut self, number: usize) -> Result<Expr> {
        /// As many as Bind's 16-bit count can carry.
        const PARAMETERS_MAX: usize = 65_535;
        let refused = !self.takes_parameters || self.place().is_kept();
        if number > PARAMETERS_MAX || refused {
            let message = format!("there is no parameter ${number}");
            return Err(SqlError::new(SqlState::UNDEFINED_PARAMETER, message));
        }
        if self.parameters.len() < number {
            self.parameters.resize(number, TypeId::UNKNOWN);
        }
        Ok(Expr::new(Kind::Parameter(number - 1), self.parameters[number - 1]))
    }

    /// A quoted literal, of no type yet.
    pub(super) fn literal(&mut self, text: &str, position: u32) -> Expr {
        let value = Datum::text(text);
        if let (Datum::Text(shared), true) = (&value, position > 0) {
            self.literals.insert(shared.as_ptr().addr(), position);
        }
        Expr::constant(value, TypeId::UNKNOWN)
    }

    /// Where an untyped literal stands; 0 if that is not known.
    fn literal_position(&self, value: &Datum) -> u32 {
        let Datum::Text(shared) = value else { return 0 };
        self.literals.get(&shared.as_ptr().addr()).copied().unwrap_or(0)
    }

    /// Untyped literals and parameters that nothing has decided are text.
    pub(super) fn known(&mut self, expr: Expr) -> Result<Expr> {
        let expr = self.decided(expr);
        match expr.type_id {
            TypeId::UNKNOWN => self.coerce_implicit(expr, TypeId::TEXT),
            _ => Ok(expr),
        }
    }

    pub(super) fn condition_of(&mut self, expr: &tree::Expr, what: &str) -> Result<Expr> {
        let expr = self.expr(expr)?;
        self.condition(expr, what)
    }

    /// A condition: boolean, in PostgreSQL's words if it is not.
    pub(super) fn condition(&mut self, expr: Expr, what: &str) -> Result<Expr> {
        let (source, position) = (expr.type_id, expr.position);
        let coerced = self.coerce(expr, TypeId::BOOL, Typmod::NONE, CastContext::Implicit)?;
        coerced.ok_or_else(|| {
            let message =
                format!("argument of {what} must be type boolean, not type {}", source.display_name());
            at(SqlError::new(SqlState::DATATYPE_MISMATCH, message), position)
        })
    }

    /// Several expressions brought to their common type.
    pub(super) fn unify(&mut self, what: &str, exprs: Vec<Expr>) -> Result<(Vec<Expr>, TypeId)> {
        let exprs: Vec<Expr> = exprs.into_iter().map(|expr| self.decided(expr)).collect();
        let types: Vec<TypeId> = exprs.iter().map(|expr| expr.type_id).collect();
        let common = resolve::common_type(what, &types).map_err(|error| {
            // It is said of the first one that does not fit those before it.
            let fits = |count: &usize| resolve::common_type(what, &types[..*count]).is_ok();
            let stuck = (1..types.len()).take_while(fits).last().unwrap_or(0);
            at(error, exprs.get(stuck).map_or(0, |expr| expr.position))
        })?;
        let exprs: Result<Vec<Expr>> =
            exprs.into_iter().map(|expr| self.coerce_implicit(expr, common)).collect();
        let exprs = exprs?;
        check_explicit_of(&exprs)?;
        Ok((exprs, common))
    }

    /// The modifier that all expressions share, if they do.
    pub(super) fn common_typmod(&mut self, exprs: &[Expr]) -> Typmod {
        let first = exprs.first().map_or(Typmod::NONE, |expr| expr.typmod);
        if exprs.iter().all(|expr| expr.typmod == first) { first } else { self.common_shape(exprs) }
    }

    /// An operator's call, resolved by the operands' types.
    pub(super) fn operator(&mut self, name: &str, left: Option<Expr>, right: Expr) -> Result<Expr> {
        let left = left.map(|left| self.decided(left));
        let right = self.decided(right);
        let resolved = resolve::operator(name, left.as_ref().map(|left| left.type_id), right.type_id)?;
        self.apply_operator(&resolved, left, right)
    }

    /// Coerces the operands of a resolved operator.
    pub(super) fn operands(
        &mut self,
        resolved: &ResolvedOperator,
        left: Option<Expr>,
        right: Expr,
    ) -> Result<(Option<Expr>, Expr)> {
        let left = match (left, resolved.left) {
            (Some(left), Some(target)) => Some(self.coerce_implicit(left, target)?),
            _ => None,
        };
        Ok((left, self.coerce_implicit(right, resolved.right)?))
    }

    pub(super) fn apply_operator(
        &mut self,
        resolved: &ResolvedOperator,
        left: Option<Expr>,
        right: Expr,
    ) -> Result<Expr> {
        let (left, right) = self.operands(resolved, left, right)?;
        let operands: Box<[Expr]> = left.into_iter().chain([right]).collect();
        check_explicit_of(&operands)?;
        let kind = Kind::Operator { operator: resolved.operator, operands };
        Ok(self.called(Expr::new(kind, resolved.result)))
    }

    /// The boolean operator of this name over two types.
    pub(super) fn comparison(
        &self,
        name: &str,
        left: TypeId,
        right: TypeId,
    ) -> Result<(&'static Operator, ResolvedOperator)> {
        let resolved = resolve::operator(name, Some(left), right)?;
        Ok((resolved.operator, resolved))
    }

    /// Computes an operation on constants. One that fails is left to fail when it is reached.
    pub(super) fn fold(&self, expr: Expr) -> Expr {
        if !self.folds {
            return expr;
        }
        match evaluate_constant(&expr, self.context.env) {
            Some(Ok(value)) => Expr { kind: Kind::Constant(value), ..expr },
            Some(Err(_)) | None => expr,
        }
    }
}
