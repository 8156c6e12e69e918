//! Expressions: one method per kind of syntax.
//!
//! Owns the dispatch and the kinds that are no calls and no comparisons. Every method hands back an expression whose
//! types are final, but for untyped literals and parameters, which their surroundings decide.

use super::slice::check_dimensions;
use super::{Binder, type_of};
use crate::catalog::object::Oid;
use crate::expression::{Collation, Expr, Kind, is_collatable};
use crate::parse::at;
use crate::parse::tree;
use hexalog_sql_types::cast::CastContext;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::resolve;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId, Typmod, function, text};

impl Binder<'_> {
    /// Grows the stack as needed: the parser allows more levels than a worker's stack holds frames of this.
    #[recursive::recursive]
    pub(super) fn expr(&mut self, expr: &tree::Expr) -> Result<Expr> {
        match self.expr_variant(expr) {
            Ok(bound) => Ok(if bound.position == 0 { bound.at(expr.start()) } else { bound }),
            // What is closest to the fault says where it is.
            Err(error) if error.fields().position.is_none() && !self.is_placed => {
                Err(at(error, expr.anchor()))
            }
            Err(error) => Err(error),
        }
    }

    fn expr_variant(&mut self, expr: &tree::Expr) -> Result<Expr> {
        use tree::Expr as E;
        match expr {
            E::Null { .. } => Ok(Expr::null(TypeId::UNKNOWN)),
            E::Bool { value, .. } => Ok(Expr::bool(*value)),
            E::Number { digits, .. } => self.number(digits),
            E::Text { value, position } => Ok(self.literal(value, *position)),
            E::Parameter { number, position } => {
                self.parameter(*number).map_err(|error| at(error, *position))
            }
            E::Column(name) => self.column(name),
            E::Default { .. } => Err(SqlError::syntax("DEFAULT is not allowed in this context")),
            E::Function(call) => self.call(call),
            E::Keyword { name, .. } => self.keyword(name),
            E::Unary { op, operand } => {
                let operand = self.expr(operand)?;
                self.operator(&op.symbol, None, operand)
            }
            E::Binary { op, left, right } => self.binary(&op.symbol, left, right),
            E::And(items) => self.logical(items, "AND"),
            E::Or(items) => self.logical(items, "OR"),
            E::Not(operand) => {
                let operand = self.condition_of(operand, "NOT")?;
                Ok(Expr::new(Kind::Not(Box::new(operand)), TypeId::BOOL))
            }
            E::IsNull { .. } | E::IsBool { .. } | E::IsDistinct { .. } => self.test(expr),
            E::InList { operand, list, negated, .. } => self.in_list(operand, list, *negated),
            E::InQuery { operand, query, negated, .. } => self.in_query(operand, query, *negated),
            E::Between { operand, low, high, symmetric, negated, .. } => match symmetric {
                false => self.between(operand, low, high, *negated),
                true => self.between_symmetric(operand, low, high, *negated),
            },
            E::Like { operand, pattern, escape, kind, negated, .. } => {
                self.like(operand, pattern, escape.as_deref(), *kind, *negated)
            }
            E::AnyAll { left, op, right, all } => self.any_all(left, &op.symbol, right, *all),
            E::Exists(query) => self.exists(query),
            E::Subquery { query, .. } => self.scalar_subquery(query),
            E::ArrayQuery { query, .. } => self.array_subquery(query),
            _ => self.compound(expr),
        }
    }

    pub(super) fn exprs(&mut self, exprs: &[tree::Expr]) -> Result<Vec<Expr>> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn compound(&mut self, expr: &tree::Expr) -> Result<Expr> {
        use tree::Expr as E;
        match expr {
            E::Cast { operand, target, .. } => self.cast(operand, target),
            E::AtTimeZone { operand, zone, .. } => {
                let (value, zone) = (self.expr(operand)?, self.expr(zone)?);
                self.call_by_name("timezone", vec![zone, value])
            }
            E::Case { operand, branches, otherwise, .. } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref())
            }
            E::Array { items, .. } => self.array(items),
            E::Row { items, .. } => {
                let items = self.row_items(items)?;
                let items: Result<Vec<Expr>> = items.into_iter().map(|item| self.known(item)).collect();
                Ok(self.shaped(Expr::new(Kind::Row(items?.into(), None), TypeId::RECORD)))
            }
            E::Subscript { operand, subscripts } => self.subscript(operand, subscripts),
            E::Field { operand, name } => self.field(operand, name),
            E::Fields(_) => {
                let message = "row expansion via \"*\" is not supported here";
                Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message))
            }
            E::Slice { operand, ranges } => self.slice(operand, ranges),
            E::Collate { operand, collation, position } => {
                let operand = self.expr(operand)?;
                self.collate(operand, collation, *position)
            }
            other => unreachable!("{other:?} is dispatched before"),
        }
    }

    fn number(&self, digits: &str) -> Result<Expr> {
        if let Ok(value) = digits.parse::<i32>() {
            return Ok(Expr::constant(Datum::Int4(value), TypeId::INT4));
        }
        if let Ok(value) = digits.parse::<i64>() {
            return Ok(Expr::constant(Datum::Int8(value), TypeId::INT8));
        }
        let value = text::input(self.context.env, TypeId::NUMERIC, Typmod::NONE, digits)?;
        Ok(Expr::constant(value, TypeId::NUMERIC))
    }

    /// Functions without parentheses.
    fn keyword(&mut self, name: &str) -> Result<Expr> {
        let now = |binder: &mut Self, target: TypeId| {
            let now = binder.call_by_name("now", Vec::new())?;
            binder.coerce_implicit(now, target)
        };
        match name {
            "current_timestamp" => now(self, TypeId::TIMESTAMPTZ),
            "localtimestamp" => now(self, TypeId::TIMESTAMP),
            "current_date" => now(self, TypeId::DATE),
            "current_time" => now(self, TypeId::TIMETZ),
            "localtime" => now(self, TypeId::TIME),
            "user" | "current_role" => self.call_by_name("current_user", Vec::new()),
            "current_catalog" => self.call_by_name("current_database", Vec::new()),
            other => self.call_by_name(other, Vec::new()),
        }
    }

    fn logical(&mut self, items: &[tree::Expr], word: &str) -> Result<Expr> {
        let mut bound = Vec::with_capacity(items.len());
        for item in items {
            bound.push(self.condition_of(item, word)?);
        }
        let kind = if word == "AND" { Kind::And(bound.into()) } else { Kind::Or(bound.into()) };
        Ok(Expr::new(kind, TypeId::BOOL))
    }

    /// What IS NULL looks at. It says nothing of a parameter's type, and a literal needs none.
    pub(super) fn tested(&mut self, operand: Expr) -> Result<Expr> {
        match operand.kind {
            Kind::Parameter(_) => Ok(operand),
            _ => self.known(operand),
        }
    }

    /// IS NULL, IS TRUE and their kin.
    fn test(&mut self, expr: &tree::Expr) -> Result<Expr> {
        use tree::Expr as E;
        let kind = match expr {
            E::IsNull { operand, negated } => {
                let operand = self.expr(operand)?;
                Kind::IsNull { operand: Box::new(self.tested(operand)?), negated: *negated }
            }
            E::IsBool { operand, value, negated } => {
                let word = match (value, negated) {
                    (Some(true), false) => "IS TRUE",
                    (Some(true), true) => "IS NOT TRUE",
                    (Some(false), false) => "IS FALSE",
                    (Some(false), true) => "IS NOT FALSE",
                    (None, false) => "IS UNKNOWN",
                    (None, true) => "IS NOT UNKNOWN",
                };
                let operand = self.condition_of(operand, word)?;
                Kind::IsBool { operand: Box::new(operand), value: *value, negated: *negated }
            }
            E::IsDistinct { left, right, negated, .. } => {
                return self.are_distinct(left, right, *negated);
            }
            other => unreachable!("{other:?} is dispatched before"),
        };
        Ok(Expr::new(kind, TypeId::BOOL))
    }

    fn cast(&mut self, operand: &tree::Expr, target: &tree::TypeName) -> Result<Expr> {
        let (type_id, typmod) = self.type_in_sight(target)?;
        if type_id.is_pseudo() && !matches!(type_id, TypeId::RECORD | TypeId::CSTRING) {
            let operand = self.expr(operand)?;
            return Err(resolve::cannot_cast(operand.type_id, type_id));
        }
        // ARRAY[] and ARRAY['a', …] take their element type from the cast around them.
        if let (tree::Expr::Array { items, .. }, Some(element)) = (operand, type_id.array_element())
            && !type_id.is_vector()
        {
            return self.array_of(items, element, type_id);
        }
        let operand = self.expr(operand)?;
        let source = operand.type_id;
        let cast = self.coerce_as(operand, type_id, typmod, CastContext::Explicit, true)?;
        cast.ok_or_else(|| resolve::cannot_cast(source, type_id))
    }

    /// The type that is written, or what there is none of.
    pub(super) fn type_in_sight(&mut self, target: &tree::TypeName) -> Result<(TypeId, Typmod)> {
        let catalog = self.context.view.catalog();
        let missing = target.schema.as_deref().filter(|schema| catalog.schema_by_name(schema).is_none());
        let found = match missing {
            Some(schema) if schema != "pg_catalog" => {
                let message = format!("schema \"{schema}\" does not exist");
                Err(SqlError::new(SqlState::INVALID_SCHEMA_NAME, message))
            }
            _ => type_of(self.context.view, target),
        };
        let found = found.map_err(|error| at(error, target.position))?;
        self.note_type(target.position, found.0)?;
        Ok(found)
    }

    fn case(
        &mut self,
        operand: Option<&tree::Expr>,
        branches: &[tree::CaseBranch],
        otherwise: Option<&tree::Expr>,
    ) -> Result<Expr> {
        let sets = self.select_frame().sets.len();
        let operand = match operand {
            Some(operand) => {
                let operand = self.expr(operand)?;
                Some(self.known(operand)?)
            }
            None => None,
        };
        let (mut conditions, mut results) = (Vec::new(), Vec::new());
        // PostgreSQL lets ELSE speak first when the result's type is chosen.
        results.push(match otherwise {
            Some(otherwise) => self.expr(otherwise)?,
            None => Expr::null(TypeId::UNKNOWN),
        });
        for tree::CaseBranch { condition, result, position } in branches {
            let condition = self.expr(condition)?;
            conditions.push(match &operand {
                Some(operand) => {
                    let value = Expr::new(Kind::CaseValue, operand.type_id).with_typmod(operand.typmod);
                    let value = value.with_collation(operand.collation.outside());
                    self.operator("=", Some(value), condition).map_err(|error| at(error, *position))?
                }
                None => self.condition(condition, "CASE/WHEN")?,
            });
            results.push(self.expr(result)?);
        }
        self.refuse_sets(sets, "CASE")?;
        let (mut results, type_id) = self.unify("CASE", results)?;
        let typmod = self.common_typmod(&results);
        let otherwise = Box::new(results.remove(0));
        let branches = conditions.into_iter().zip(results).collect();
        let kind = Kind::Case { operand: operand.map(Box::new), branches, otherwise };
        Ok(Expr::new(kind, type_id).with_typmod(typmod))
    }

    /// ARRAY[…].
    fn array(&mut self, items: &[tree::Expr]) -> Result<Expr> {
        if items.is_empty() {
            let message = "cannot determine type of empty array";
            return Err(SqlError::new(SqlState::INDETERMINATE_DATATYPE, message)
                .with_hint("Explicitly cast to the desired type, for example ARRAY[]::integer[]."));
        }
        let items = self.exprs(items)?;
        let (items, common) = self.unify("ARRAY", items)?;
        if let Some(element) = common.array_element() {
            let kind = Kind::Array { element, items: items.into(), nested: true };
            return Ok(self.fold(Expr::new(kind, common)));
        }
        self.array_from(items, common)
    }

    /// An array of values of one type.
    pub(super) fn array_from(&mut self, items: Vec<Expr>, element: TypeId) -> Result<Expr> {
        let array = element.array_of().ok_or_else(|| {
            let message = format!("could not find array type for data type {}", element.display_name());
            SqlError::new(SqlState::UNDEFINED_OBJECT, message)
        })?;
        let kind = Kind::Array { element, items: items.into(), nested: false };
        Ok(self.fold(Expr::new(kind, array)))
    }

    fn array_of(&mut self, items: &[tree::Expr], element: TypeId, array: TypeId) -> Result<Expr> {
        let nested = items.iter().any(|item| matches!(item, tree::Expr::Array { .. }));
        let mut bound = Vec::with_capacity(items.len());
        for item in items {
            bound.push(match item {
                tree::Expr::Array { items: inner, .. } => self.array_of(inner, element, array)?,
                item => {
                    let item = self.expr(item)?;
                    let source = item.type_id;
                    let target = if nested || source == array { array } else { element };
                    let item = self.coerce(item, target, Typmod::NONE, CastContext::Explicit)?;
                    item.ok_or_else(|| resolve::cannot_cast(source, target))?
                }
            });
        }
        let nested = bound.iter().any(|item| item.type_id == array);
        Ok(self.fold(Expr::new(Kind::Array { element, items: bound.into(), nested }, array)))
    }

    fn subscript(&mut self, operand: &tree::Expr, subscripts: &[tree::Expr]) -> Result<Expr> {
        let operand = self.expr(operand)?;
        if operand.type_id == TypeId::JSONB {
            return self.json_subscript(operand, subscripts);
        }
        // A name is a row of bytes.
        let bytes = (operand.type_id == TypeId::NAME).then_some(TypeId::CHAR);
        let Some(element) = operand.type_id.array_element().or(bytes) else {
            let type_name = operand.type_id.display_name();
            let message =
                format!("cannot subscript type {type_name} because it does not support subscripting");
            return Err(at(SqlError::new(SqlState::DATATYPE_MISMATCH, message), operand.position));
        };
        let bound: Result<Vec<Expr>> =
            subscripts.iter().map(|subscript| self.array_subscript(subscript)).collect();
        let bound = bound?;
        check_dimensions(bound.len())?;
        let typmod = operand.typmod;
        let kind = Kind::Subscript { operand: Box::new(operand), subscripts: bound.into() };
        Ok(Expr::new(kind, element).with_typmod(typmod))
    }

    /// `value['key'][0]`: the value at the end of that path.
    fn json_subscript(&mut self, operand: Expr, subscripts: &[tree::Expr]) -> Result<Expr> {
        const EXTRACT_PATH: u32 = 3217;
        let (path, _) = self.json_path(subscripts)?;
        let function = function::by_oid(EXTRACT_PATH).expect("in the table of functions");
        let kind = Kind::Function { function, arguments: Box::new([operand, path]) };
        Ok(self.fold(Expr::new(kind, TypeId::JSONB)))
    }

    /// Subscripts of jsonb as an array of texts, and whether the first is an integer.
    pub(super) fn json_path(&mut self, subscripts: &[tree::Expr]) -> Result<(Expr, bool)> {
        let mut first_is_integer = None;
        let mut path = Vec::with_capacity(subscripts.len());
        for subscript in subscripts {
            let position = subscript.start();
            let step = self.expr(subscript)?;
            let given = step.type_id;
            let is_integer = matches!(given, TypeId::INT4 | TypeId::INT2);
            let is_text = given.is_text_like() && given != TypeId::JSON;
            first_is_integer.get_or_insert(is_integer);
            if !is_integer && !is_text {
                let message = format!("subscript type {} is not supported", given.display_name());
                let error = SqlError::new(SqlState::DATATYPE_MISMATCH, message)
                    .with_hint("jsonb subscript must be coercible to either integer or text.");
                return Err(at(error, position));
            }
            let coerced = self.coerce(step, TypeId::TEXT, Typmod::NONE, CastContext::Explicit)?;
            path.push(coerced.ok_or_else(|| SqlError::internal("integers and texts become text"))?);
        }
        Ok((self.array_from(path, TypeId::TEXT)?, first_is_integer.unwrap_or(false)))
    }

    /// COLLATE: every collation that exists here orders by code points, so nothing changes but what is refused; it is kept where
    /// it will be shown.
    fn collate(&mut self, operand: Expr, collation: &tree::Name, position: u32) -> Result<Expr> {
        let operand = self.decided(operand);
        let oid = self.collation_asked(collation)?;
        if operand.type_id != TypeId::UNKNOWN && !is_collatable(operand.type_id) {
            let message = format!("collations are not supported by type {}", operand.type_id.display_name());
            return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message));
        }
        let collated = if self.folds { operand } else { collated(operand, oid) };
        Ok(collated.with_collation(Collation::Explicit { oid, position }))
    }
}

/// An expression with COLLATE behind it, which is to be shown.
pub(super) fn collated(operand: Expr, oid: Oid) -> Expr {
    let (type_id, typmod, position) = (operand.type_id, operand.typmod, operand.position);
    Expr::new(Kind::Collate { operand: Box::new(operand), oid }, type_id).with_typmod(typmod).at(position)
}
