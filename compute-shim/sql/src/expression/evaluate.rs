//! The evaluator.
//!
//! An evaluation may stop for a need, in a subquery or a sequence; the operator then calls again with the same row.
//! What has an effect or has run already (subqueries, `nextval`) keeps its result in the statement's state until
//! the operator goes on to another row ([`super::Evaluation`]), so nothing with effects runs twice. Everything else
//! is free of effects and may be computed anew.

use super::collation::is_reached;
use super::{Expr, Kind, Quantifier, Subplan, SubplanForm, for_each, no_collation_for};
use crate::execute::Context;
use crate::function::HostFunction;
use crate::stop::{Step, Stop};
use hexalog_sql_types::cast::{self, CastContext, Coercion};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::Volatility;
use hexalog_sql_types::numeric::Short;
use hexalog_sql_types::operator::{Operator, order_checked};
use hexalog_sql_types::{Array, Datum, Dimension, EvalEnv, Record, SqlError, SqlState, TypeId, Typmod};
use std::cmp::Ordering;
use std::sync::Arc;

/// What an expression may ask for besides its row.
pub(crate) trait Surroundings {
    fn env(&self) -> &EvalEnv<'_>;
    fn parameter(&self, number: usize) -> Datum;
    fn slot(&self, slot: usize) -> Datum;
    /// The operands of the CASEs around the place, innermost last.
    fn case_values(&mut self) -> &mut Vec<Datum>;
    /// What a host function gave for this row already.
    fn memo(&self, memo: usize) -> Option<Datum>;
    fn call(&mut self, function: &HostFunction, arguments: &[Datum], memo: Option<usize>) -> Step<Datum>;
    fn subplan(&mut self, subplan: &Subplan, row: &[Datum]) -> Step<Datum>;
}

impl Surroundings for Context<'_> {
    #[inline]
    fn env(&self) -> &EvalEnv<'_> {
        &self.env
    }

    #[inline]
    fn parameter(&self, number: usize) -> Datum {
        self.parameters[number].clone()
    }

    #[inline]
    fn slot(&self, slot: usize) -> Datum {
        self.state.slots[slot].clone()
    }

    #[inline]
    fn case_values(&mut self) -> &mut Vec<Datum> {
        &mut self.state.case_values
    }

    fn memo(&self, memo: usize) -> Option<Datum> {
        self.state.memos[memo].clone()
    }

    fn call(&mut self, function: &HostFunction, arguments: &[Datum], memo: Option<usize>) -> Step<Datum> {
        let value = match function.strict && arguments.iter().any(Datum::is_null) {
            true => Datum::Null,
            false => (function.call)(self, arguments)?,
        };
        if let Some(memo) = memo {
            self.state.memos[memo] = Some(value.clone());
        }
        Ok(value)
    }

    fn subplan(&mut self, subplan: &Subplan, row: &[Datum]) -> Step<Datum> {
        evaluate_subplan(subplan, row, self)
    }
}

/// No session and no statement: what an immutable expression has.
struct RowAlone {
    env: EvalEnv<'static>,
    case_values: Vec<Datum>,
}

impl Surroundings for RowAlone {
    fn env(&self) -> &EvalEnv<'_> {
        &self.env
    }

    fn parameter(&self, _: usize) -> Datum {
        unreachable!("{IMMUTABLE}")
    }

    fn slot(&self, _: usize) -> Datum {
        unreachable!("{IMMUTABLE}")
    }

    fn case_values(&mut self) -> &mut Vec<Datum> {
        &mut self.case_values
    }

    fn memo(&self, _: usize) -> Option<Datum> {
        unreachable!("{IMMUTABLE}")
    }

    fn call(&mut self, _: &HostFunction, _: &[Datum], _: Option<usize>) -> Step<Datum> {
        unreachable!("{IMMUTABLE}")
    }

    fn subplan(&mut self, _: &Subplan, _: &[Datum]) -> Step<Datum> {
        unreachable!("{IMMUTABLE}")
    }
}

/// Why an expression of [`evaluate_row`] does not come to certain places.
const IMMUTABLE: &str = "is_immutable was asked before the expression was kept";

/// Whether an expression's value depends on its row alone, whoever computes it and when.
pub(crate) fn is_immutable(expr: &Expr) -> bool {
    let mut immutable = true;
    for_each(expr, &mut |expr| {
        immutable &= match &expr.kind {
            Kind::Operator { operator, operands } => {
                !operator.stable || is_immutable_concatenation(operator, operands)
            }
            Kind::AnyAll { operator, .. } => !operator.stable,
            Kind::NullIf { operator, .. } | Kind::IsDistinct { operator: Some(operator), .. } => {
                !operator.stable
            }
            Kind::Function { function, .. } => function.volatility == Volatility::Immutable,
            Kind::Coerce { coercion, operand, .. } => {
                operand.as_constant().is_some() || is_immutable_coercion(coercion)
            }
            Kind::Host { .. } | Kind::Parameter(_) | Kind::Slot(_) | Kind::Subplan(_) => false,
            _ => true,
        };
        immutable
    });
    immutable
}

/// `text || anything` rests on nothing but its operands if what is no text becomes one in one way only.
fn is_immutable_concatenation(operator: &Operator, operands: &[Expr]) -> bool {
    operator.name == "||"
        && operands.iter().all(|operand| {
            let coercion = cast::coercion(operand.type_id, TypeId::TEXT, Typmod::NONE, CastContext::Explicit);
            coercion.is_some_and(|coercion| is_immutable_coercion(&coercion))
        })
}

/// As PostgreSQL has it: how dates and times are written and read is a session's choice, if not of this product's.
fn is_immutable_coercion(coercion: &Coercion) -> bool {
    let is_text = |id| matches!(id, TypeId::TEXT | TypeId::VARCHAR | TypeId::BPCHAR | TypeId::NAME);
    let is_written_in_one_way = !matches!(
        coercion.source().array_element().unwrap_or(coercion.source()),
        TypeId::DATE | TypeId::TIMESTAMP | TypeId::TIMESTAMPTZ
    );
    let is_read_in_one_way = !matches!(
        coercion.target().array_element().unwrap_or(coercion.target()),
        TypeId::DATE | TypeId::TIME | TypeId::TIMESTAMP | TypeId::TIMESTAMPTZ | TypeId::INTERVAL
    );
    coercion.is_immutable()
        && (is_written_in_one_way || !is_text(coercion.target()))
        && (is_read_in_one_way || !is_text(coercion.source()))
}

/// The value of an immutable expression over a row.
pub(crate) fn evaluate_row(expr: &Expr, row: &[Datum]) -> Result<Datum> {
    let mut surroundings = RowAlone { env: EvalEnv::without_session(), case_values: Vec::new() };
    evaluate(expr, row, &mut surroundings).map_err(|stop| match stop {
        Stop::Error(error) => error,
        Stop::Need(_) => unreachable!("{IMMUTABLE}"),
    })
}

/// The value of an expression over a row.
pub(crate) fn evaluate<S: Surroundings>(expr: &Expr, row: &[Datum], context: &mut S) -> Step<Datum> {
    match &expr.kind {
        Kind::Constant(value) => Ok(value.clone()),
        Kind::Column(index) => Ok(row[*index].clone()),
        Kind::Parameter(index) => Ok(context.parameter(*index)),
        Kind::Slot(slot) => Ok(context.slot(*slot)),
        Kind::Operator { operator, operands } => match &**operands {
            [operand] => {
                let operand = evaluate(operand, row, context)?;
                Ok(operator.apply(context.env(), &[operand])?)
            }
            [left, right] => {
                if Short::knows(operator)
                    && let Some(found) = short(expr, row, SHORT_LEVELS_MAX)
                {
                    return Ok(found.into());
                }
                let left = evaluate(left, row, context)?;
                let right = evaluate(right, row, context)?;
                Ok(operator.apply(context.env(), &[left, right])?)
            }
            _ => unreachable!("operators have one or two operands"),
        },
        Kind::Function { function, arguments } => {
            let arguments = evaluate_all(arguments, row, context)?;
            Ok(function.apply(context.env(), &arguments)?)
        }
        Kind::Host { function, arguments, memo } => {
            if let Some(value) = memo.and_then(|memo| context.memo(memo)) {
                return Ok(value);
            }
            let arguments = evaluate_all(arguments, row, context)?;
            context.call(function, &arguments, *memo)
        }
        Kind::Coerce { coercion, operand, .. } => {
            let value = evaluate(operand, row, context)?;
            Ok(coercion.apply(context.env(), value)?)
        }
        Kind::And(items) => logical(items, row, context, false),
        Kind::Or(items) => logical(items, row, context, true),
        Kind::Not(operand) => Ok(match evaluate(operand, row, context)?.as_bool() {
            Some(value) => Datum::Bool(!value),
            None => Datum::Null,
        }),
        Kind::IsNull { operand, negated } => {
            let value = evaluate(operand, row, context)?;
            Ok(Datum::Bool(is_null(&value, *negated)))
        }
        Kind::IsBool { operand, value, negated } => {
            let is = evaluate(operand, row, context)?.as_bool() == *value;
            Ok(Datum::Bool(is != *negated))
        }
        Kind::IsDistinct { operator, sides, negated } => {
            let left = evaluate(&sides[0], row, context)?;
            let right = evaluate(&sides[1], row, context)?;
            let distinct = are_distinct(context.env(), *operator, &[left, right])?;
            Ok(Datum::Bool(distinct != *negated))
        }
        Kind::Subplan(subplan) => context.subplan(subplan, row),
        _ => evaluate_compound(expr, row, context),
    }
}

/// Levels of an expression that are tried as short numbers: a failed try is repeated on the level below.
const SHORT_LEVELS_MAX: u32 = 6;

/// Sums and products of columns and constants, all of them short numbers: without a value made for each step. `None`: it is to be
/// evaluated as everything else is, NULL included. It has no effects, so that it may be.
fn short(expr: &Expr, row: &[Datum], levels: u32) -> Option<Short> {
    match &expr.kind {
        Kind::Column(index) => Short::of(&row[*index]),
        Kind::Constant(value) => Short::of(value),
        Kind::Operator { operator, operands } if levels > 0 && Short::knows(operator) => {
            let [left, right] = &**operands else { return None };
            let left = short(left, row, levels - 1)?;
            let right = short(right, row, levels - 1)?;
            Short::apply(operator, left, right)
        }
        _ => None,
    }
}

/// The kinds that are rare on hot paths; CASE has the largest frames.
#[recursive::recursive]
fn evaluate_compound<S: Surroundings>(expr: &Expr, row: &[Datum], context: &mut S) -> Step<Datum> {
    match &expr.kind {
        Kind::Case { operand, branches, otherwise } => {
            evaluate_case(operand.as_deref(), branches, otherwise, row, context)
        }
        Kind::CaseValue => Ok(context.case_values().last().expect("inside CASE").clone()),
        Kind::Coalesce(items) => {
            for item in items {
                let value = evaluate(item, row, context)?;
                if !value.is_null() {
                    return Ok(value);
                }
            }
            Ok(Datum::Null)
        }
        Kind::Extreme { items, greatest } => {
            // The best one's beside the next.
            let wanted = if *greatest { Ordering::Less } else { Ordering::Greater };
            extreme(expr.type_id, items, wanted, row, context)
        }
        Kind::NullIf { operator, first, comparison } => {
            let value = evaluate(first, row, context)?;
            let left = evaluate(&comparison[0], row, context)?;
            let right = evaluate(&comparison[1], row, context)?;
            let same = operator.apply(context.env(), &[left, right])?.as_bool() == Some(true);
            Ok(if same { Datum::Null } else { value })
        }
        Kind::AnyAll { operator, left, array, all } => {
            let left = evaluate(left, row, context)?;
            let array = evaluate(array, row, context)?;
            let Datum::Array(array) = array else { return Ok(Datum::Null) };
            Ok(any_all(context.env(), operator, &left, array.elements(), *all)?)
        }
        Kind::Array { element, items, nested } => {
            let values = evaluate_all(items, row, context)?;
            Ok(if *nested { nest(*element, values)? } else { Array::from_values(*element, values).into() })
        }
        Kind::Subscript { operand, subscripts } => {
            let value = evaluate(operand, row, context)?;
            let subscripts = evaluate_all(subscripts, row, context)?;
            Ok(element(&value, &subscripts))
        }
        Kind::Field { operand, column, .. } => match evaluate(operand, row, context)? {
            Datum::Record(record) => Ok(record.values[*column].clone()),
            _ => Ok(Datum::Null),
        },
        // In definitions alone: queries see the operand.
        Kind::Collate { operand, .. } => evaluate(operand, row, context),
        Kind::WithoutCollation { call, what } => {
            let values = evaluate_all(call.children(), row, context)?;
            match is_reached(&call.kind, &values) {
                true => Err(no_collation_for(what).into()),
                false => Ok(apply_call(&call.kind, values, context.env())?),
            }
        }
        Kind::Row(items, names) => {
            let values = evaluate_all(items, row, context)?;
            let types = items.iter().map(|item| item.type_id).collect();
            Ok(Datum::Record(Arc::new(Record::new(types, values, names.clone())?)))
        }
        other => unreachable!("{other:?} is replaced before execution"),
    }
}

/// Whether a condition holds: NULL does not.
pub(crate) fn is_true<S: Surroundings>(condition: &Expr, row: &[Datum], context: &mut S) -> Step<bool> {
    Ok(evaluate(condition, row, context)?.as_bool() == Some(true))
}

fn evaluate_all<'e, S: Surroundings>(
    exprs: impl IntoIterator<Item = &'e Expr>,
    row: &[Datum],
    context: &mut S,
) -> Step<Vec<Datum>> {
    let exprs = exprs.into_iter();
    let mut values = Vec::with_capacity(exprs.size_hint().0);
    for expr in exprs {
        values.push(evaluate(expr, row, context)?);
    }
    Ok(values)
}

/// AND (`decisive` false) and OR (`decisive` true) in three-valued logic.
fn logical<S: Surroundings>(items: &[Expr], row: &[Datum], context: &mut S, decisive: bool) -> Step<Datum> {
    let mut unknown = false;
    for item in items {
        match evaluate(item, row, context)?.as_bool() {
            Some(value) if value == decisive => return Ok(Datum::Bool(decisive)),
            Some(_) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown { Datum::Null } else { Datum::Bool(!decisive) })
}

/// A row value IS NULL if all its fields are, and IS NOT NULL if none is.
fn is_null(value: &Datum, negated: bool) -> bool {
    match value {
        Datum::Record(record) if negated => record.values.iter().all(|field| !field.is_null()),
        Datum::Record(record) => record.values.iter().all(Datum::is_null),
        value => value.is_null() != negated,
    }
}

/// CASE; the value of its operand, if it has one, is there for the conditions as long as they are looked at.
fn evaluate_case<S: Surroundings>(
    operand: Option<&Expr>,
    branches: &[(Expr, Expr)],
    otherwise: &Expr,
    row: &[Datum],
    context: &mut S,
) -> Step<Datum> {
    let depth = context.case_values().len();
    if let Some(operand) = operand {
        let value = evaluate(operand, row, context)?;
        context.case_values().push(value);
    }
    let result = evaluate_branches(branches, otherwise, row, context);
    context.case_values().truncate(depth);
    result
}

/// GREATEST and LEAST: the value that compares as `wanted` to all others; NULLs do not count.
fn extreme<S: Surroundings>(
    type_id: TypeId,
    items: &[Expr],
    wanted: Ordering,
    row: &[Datum],
    context: &mut S,
) -> Step<Datum> {
    let mut best = Datum::Null;
    for item in items {
        let value = evaluate(item, row, context)?;
        if !value.is_null() && (best.is_null() || order_checked(type_id, &best, &value)? == wanted) {
            best = value;
        }
    }
    Ok(best)
}

/// IS DISTINCT FROM: NULL is so from all but NULL.
fn are_distinct(env: &EvalEnv<'_>, operator: Option<&'static Operator>, sides: &[Datum]) -> Result<bool> {
    let [left, right] = sides else { panic!("IS DISTINCT FROM has two sides") };
    match operator {
        Some(operator) if !left.is_null() && !right.is_null() => {
            Ok(operator.apply(env, sides)?.as_bool() != Some(true))
        }
        _ => Ok(left.is_null() != right.is_null()),
    }
}

/// A call of those that need a collation, over values that do not bring it to that.
fn apply_call(call: &Kind, mut values: Vec<Datum>, env: &EvalEnv<'_>) -> Result<Datum> {
    match call {
        Kind::Operator { operator, .. } => operator.apply(env, &values),
        Kind::Function { function, .. } => function.apply(env, &values),
        Kind::IsDistinct { operator, negated, .. } => {
            Ok(Datum::Bool(are_distinct(env, *operator, &values)? != *negated))
        }
        Kind::Extreme { .. } => Ok(values.into_iter().find(|value| !value.is_null()).unwrap_or_default()),
        Kind::NullIf { .. } => Ok(values.swap_remove(0)),
        Kind::AnyAll { operator, all, .. } => match &*values {
            [left, Datum::Array(array)] => any_all(env, operator, left, array.elements(), *all),
            _ => Ok(Datum::Null),
        },
        other => unreachable!("{other:?} needs no collation"),
    }
}

/// An element of an array, or a byte of a `name`; NULL if it is not there.
fn element(value: &Datum, subscripts: &[Datum]) -> Datum {
    let number = |subscript: &Datum| match subscript {
        Datum::Int4(number) => Some(*number),
        _ => None,
    };
    let Some(numbers) = subscripts.iter().map(number).collect::<Option<Vec<i32>>>() else {
        return Datum::Null;
    };
    if let (Datum::Text(name), [number]) = (value, &*numbers) {
        let byte = usize::try_from(*number).ok().and_then(|at| name.as_bytes().get(at));
        return byte.map_or(Datum::Null, |byte| Datum::Char(*byte));
    }
    value.as_array().and_then(|array| array.get(&numbers)).cloned().unwrap_or_default()
}

fn evaluate_branches<S: Surroundings>(
    branches: &[(Expr, Expr)],
    otherwise: &Expr,
    row: &[Datum],
    context: &mut S,
) -> Step<Datum> {
    for (condition, result) in branches {
        if is_true(condition, row, context)? {
            return evaluate(result, row, context);
        }
    }
    evaluate(otherwise, row, context)
}

/// `left operator ANY|ALL (values)`, with NULL where an unknown comparison could have decided.
fn any_all(
    env: &EvalEnv<'_>,
    operator: &Operator,
    left: &Datum,
    values: &[Datum],
    all: bool,
) -> Result<Datum> {
    let mut unknown = false;
    for value in values {
        match operator.apply(env, &[left.clone(), value.clone()])?.as_bool() {
            Some(holds) if holds != all => return Ok(Datum::Bool(!all)),
            Some(_) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown { Datum::Null } else { Datum::Bool(all) })
}

/// An array of arrays as one array of a further dimension.
fn nest(element: TypeId, values: Vec<Datum>) -> Result<Datum> {
    let mut dimensions: Option<Vec<Dimension>> = None;
    let mut elements = Vec::new();
    let count = i32::try_from(values.len()).map_err(|_| too_many_elements())?;
    let mut has_empty = false;
    for value in values {
        // NULL is an array of nothing here.
        let inner = match value {
            Datum::Array(inner) if !inner.values.is_empty() => inner,
            _ => {
                has_empty = true;
                continue;
            }
        };
        if dimensions.get_or_insert_with(|| inner.dimensions.clone()) != &inner.dimensions {
            return Err(unequal_dimensions());
        }
        elements.extend(inner.values.iter().cloned());
    }
    let Some(inner) = dimensions else { return Ok(Array::from_values(element, Vec::new()).into()) };
    if has_empty {
        return Err(unequal_dimensions());
    }
    let mut all = vec![Dimension { length: count, lower: 1 }];
    all.extend(inner);
    Ok(Array { element, dimensions: all, values: elements }.into())
}

fn unequal_dimensions() -> SqlError {
    let message = "multidimensional arrays must have array expressions with matching dimensions";
    SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message)
}

fn too_many_elements() -> SqlError {
    SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed")
}

/// Runs a subquery for the current row, or answers with what it gave already.
fn evaluate_subplan(subplan: &Subplan, row: &[Datum], context: &mut Context<'_>) -> Step<Datum> {
    if !context.state.subplans[subplan.id].is_done() {
        let limit = match subplan.form {
            SubplanForm::Exists => 1,
            SubplanForm::Scalar
            | SubplanForm::Field(_)
            | SubplanForm::Rows { quantifier: Quantifier::One, .. } => 2,
            SubplanForm::Array(_) | SubplanForm::AnyAll { .. } | SubplanForm::Rows { .. } => usize::MAX,
        };
        if !context.state.subplans[subplan.id].is_running() {
            for (slot, source) in &subplan.correlation {
                let value = evaluate(source, row, context)?;
                context.state.slots[*slot] = value;
            }
            context.start_subplan(subplan.id, limit);
        }
        context.run_subplan(subplan.id, limit)?;
    }
    match &subplan.form {
        SubplanForm::Scalar => match context.state.subplans[subplan.id].values() {
            [] => Ok(Datum::Null),
            [value] => Ok(value.clone()),
            _ => Err(several_rows().into()),
        },
        SubplanForm::Field(field) => match context.state.subplans[subplan.id].values() {
            [] => Ok(Datum::Null),
            [Datum::Record(record)] => Ok(record.values[*field].clone()),
            [_] => unreachable!("the query's rows are made records"),
            _ => Err(several_rows().into()),
        },
        SubplanForm::Exists => Ok(Datum::Bool(!context.state.subplans[subplan.id].values().is_empty())),
        SubplanForm::Array(element) => {
            Ok(Array::from_values(*element, context.state.subplans[subplan.id].values().to_vec()).into())
        }
        // As PostgreSQL does, without a look at what would be compared: it may fail.
        SubplanForm::AnyAll { all, .. } if context.state.subplans[subplan.id].gave_nothing() => {
            Ok(Datum::Bool(*all))
        }
        SubplanForm::Rows { quantifier, .. }
            if *quantifier != Quantifier::One && context.state.subplans[subplan.id].gave_nothing() =>
        {
            Ok(Datum::Bool(*quantifier == Quantifier::All))
        }
        SubplanForm::AnyAll { operator, left, right, all } => {
            let left = evaluate(left, row, context)?;
            let probed = context.probe_subplan(subplan.id, &subplan.form, std::slice::from_ref(&left))?;
            if let Some(answer) = probed {
                return Ok(answer);
            }
            let values = context.state.subplans[subplan.id].values().to_vec();
            context.note_rows_compared(subplan.id, values.len());
            let mut compared = Vec::with_capacity(values.len());
            for value in values {
                compared.push(evaluate(right, &[value], context)?);
            }
            Ok(any_all(&context.env, operator, &left, &compared, *all)?)
        }
        SubplanForm::Rows { left, comparison, quantifier } => {
            let left = evaluate_all(left, row, context)?;
            if let Some(answer) = context.probe_subplan(subplan.id, &subplan.form, &left)? {
                return Ok(answer);
            }
            let rows = context.state.subplans[subplan.id].values().to_vec();
            context.note_rows_compared(subplan.id, rows.len());
            compare_rows(&left, comparison, *quantifier, &rows, context)
        }
    }
}

fn several_rows() -> SqlError {
    let message = "more than one row returned by a subquery used as an expression";
    SqlError::new(SqlState::CARDINALITY_VIOLATION, message)
}

/// Compares a row with the rows of a query, in three-valued logic.
fn compare_rows(
    left: &[Datum],
    comparison: &Expr,
    quantifier: Quantifier,
    rows: &[Datum],
    context: &mut Context<'_>,
) -> Step<Datum> {
    if quantifier == Quantifier::One && rows.len() > 1 {
        return Err(several_rows().into());
    }
    let decisive = matches!(quantifier, Quantifier::Any | Quantifier::Exists);
    let mut unknown = quantifier == Quantifier::One && rows.is_empty();
    for row in rows {
        let Datum::Record(record) = row else { unreachable!("the query's rows are made records") };
        let mut both = record.values.clone();
        both.extend_from_slice(left);
        match evaluate(comparison, &both, context)?.as_bool() {
            Some(holds) if holds == decisive => return Ok(Datum::Bool(decisive)),
            Some(_) => {}
            None => unknown = quantifier != Quantifier::Exists,
        }
    }
    Ok(if unknown { Datum::Null } else { Datum::Bool(!decisive) })
}

/// The value of an expression without columns, parameters or anything of the session, as folding wants it: `None` if
/// it is not such an expression.
pub(crate) fn evaluate_constant(expr: &Expr, env: &EvalEnv<'_>) -> Option<Result<Datum>> {
    let constants = |exprs: &[Expr]| -> Option<Vec<Datum>> {
        exprs.iter().map(|expr| expr.as_constant().cloned()).collect()
    };
    match &expr.kind {
        Kind::Constant(value) => Some(Ok(value.clone())),
        Kind::Operator { operator, operands } if !operator.stable => {
            Some(operator.apply(env, &constants(operands)?))
        }
        Kind::Function { function, arguments } if function.volatility == Volatility::Immutable => {
            Some(function.apply(env, &constants(arguments)?))
        }
        Kind::Coerce { coercion, operand, .. } if coercion.is_immutable() => {
            Some(coercion.apply(env, operand.as_constant()?.clone()))
        }
        Kind::Array { element, items, nested: false } => {
            Some(Ok(Array::from_values(*element, constants(items)?).into()))
        }
        _ => None,
    }
}
