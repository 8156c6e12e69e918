//! Window functions: OVER, the WINDOW clause, frames.
//!
//! A call is bound where it stands and leaves a placeholder; `select.rs` puts a node for each window over the grouped rows.
//! Calls over windows of the same partitioning and order share one.

use super::Binder;
use super::call::{Callable, check_within_group};
use super::collation::{check_one, check_sort_key};
use super::hypothetical::hypothetical;
use super::scope::{Place, SelectFrame};
use crate::expression::{Collation, Expr, Kind, for_each, rewrite, same};
use crate::function::{WindowRoutine, window_by_name};
use crate::parse::at;
use crate::parse::tree::{self, FrameBound, FrameUnit, FunctionCall, NamedWindow, Over, WindowSpec};
use crate::plan::{Node, WindowBound, WindowCall, WindowFrame, WindowFunction, WindowKey};
use hexalog_sql_types::cast::CastContext;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::resolve;
use hexalog_sql_types::{SqlError, SqlState, TypeId, Typmod, aggregate};
use std::sync::Arc;

/// A window of a query with the calls over it.
pub(super) struct Window {
    partition: Vec<Expr>,
    order: Vec<WindowKey>,
    /// Each with its number in the query.
    calls: Vec<(usize, WindowCall)>,
}

impl Window {
    /// Everything that is evaluated over the rows below.
    pub(super) fn exprs_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        let calls = self.calls.iter_mut().map(|(_, call)| call);
        let calls = calls.flat_map(|call| call.arguments.iter_mut().chain(&mut call.filter));
        self.partition.iter_mut().chain(self.order.iter_mut().map(|key| &mut key.expr)).chain(calls)
    }
}

/// A window's definition with those that it builds on put in.
struct Definition<'t> {
    partition_by: &'t [tree::Expr],
    order_by: &'t [tree::OrderItem],
    frame: Option<&'t tree::Frame>,
    position: u32,
}

fn windowing(message: impl Into<String>, position: u32) -> SqlError {
    at(SqlError::new(SqlState::WINDOWING_ERROR, message), position)
}

fn unsupported(message: &str, position: u32) -> SqlError {
    at(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message), position)
}

impl Binder<'_> {
    /// A call with OVER.
    pub(super) fn window_call(&mut self, call: &FunctionCall, over: &Over) -> Result<Expr> {
        let position = call.name.position;
        let frame = self.select_frame();
        if frame.is_in_aggregate {
            let message = "aggregate function calls cannot contain window function calls";
            return Err(at(SqlError::new(SqlState::GROUPING_ERROR, message), position));
        }
        if frame.is_in_window {
            return Err(windowing("window function calls cannot be nested", position));
        }
        let place = self.place();
        if !place.takes_windows() {
            let message = format!("window functions are not allowed in {}", place.words());
            return Err(windowing(message, position));
        }
        let (bound, result) = self.window_parts(call)?;
        let named = self.select_frame().named_windows.clone();
        let definition = definition(over, &named)?;
        let (partition, order) = self.window_keys(&definition)?;
        let frame = self.window_frame(&definition, &order)?;
        let collation = Collation::of_call(&bound.arguments, result);
        let call = WindowCall { frame, ..bound };
        let query = self.select_frame();
        let shared = query.windows.iter_mut().find(|window| {
            let same_order = window.order.len() == order.len()
                && window.order.iter().zip(&order).all(|(a, b)| {
                    same(&a.expr, &b.expr) && a.descending == b.descending && a.nulls_first == b.nulls_first
                });
            same_order
                && window.partition.len() == partition.len()
                && window.partition.iter().zip(&partition).all(|(a, b)| same(a, b))
        });
        let known =
            shared.as_ref().and_then(|window| window.calls.iter().find(|(_, known)| known.is_same(&call)));
        if let Some((number, _)) = known {
            return Ok(Expr::new(Kind::Window(*number), result).with_collation(collation));
        }
        let number = query.window_count;
        query.window_count += 1;
        match shared {
            Some(window) => window.calls.push((number, call)),
            None => query.windows.push(Window { partition, order, calls: vec![(number, call)] }),
        }
        Ok(Expr::new(Kind::Window(number), result).with_collation(collation))
    }

    /// The call itself, still without its frame.
    fn window_parts(&mut self, call: &FunctionCall) -> Result<(WindowCall, TypeId)> {
        let (name, position) = (call.name.last(), call.name.position);
        self.check_schema(call)?;
        let windows = window_by_name(name);
        let mut candidates: Vec<Callable> = windows.into_iter().map(Callable::Window).collect();
        // Without arguments it is the window function that a hypothetical-set aggregate shares its name with.
        let may_aggregate = candidates.is_empty() || call.within_group || !call.arguments.is_empty();
        if may_aggregate {
            candidates.extend(aggregate::by_name(name).iter().map(Callable::Aggregate));
        }
        if hypothetical(&candidates).is_some() && !call.within_group {
            check_within_group(call, Some(call.arguments.len())).map_err(|error| at(error, position))?;
        }
        if candidates.is_empty() {
            let error = match self.is_callable(call)? {
                true => {
                    let message = format!(
                        "OVER specified, but {} is not a window function nor an aggregate function",
                        call.name
                    );
                    SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
                }
                false => SqlError::unsupported(format!("function {name}")),
            };
            return Err(at(error, position));
        }
        let is_ordered_set = |candidate: &Callable| matches!(candidate, Callable::Aggregate(function) if function.kind.direct_arguments(1).is_some());
        if candidates.iter().any(is_ordered_set) {
            let message = format!("OVER is not supported for ordered-set aggregate {name}");
            return Err(unsupported(&message, position));
        }
        if call.distinct {
            return Err(unsupported("DISTINCT is not implemented for window functions", position));
        }
        if !call.order_by.is_empty() {
            return Err(unsupported("aggregate ORDER BY is not implemented for window functions", position));
        }
        let sets = self.select_frame().sets.len();
        self.select_frame().is_in_window = true;
        let parts = self.window_arguments(call, &candidates);
        self.select_frame().is_in_window = false;
        let parts = parts?;
        if let Some(set) = self.select_frame().sets.get(sets) {
            let message = "window function calls cannot contain set-returning function calls";
            let error =
                SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_hint(super::call::MOVE_SETS);
            return Err(at(error, set.position));
        }
        Ok(parts)
    }

    /// Whether there is a function of this name; 42883 if its arguments fit none.
    fn is_callable(&mut self, call: &FunctionCall) -> Result<bool> {
        let candidates = self.callables(&call.name);
        if candidates.is_empty() && super::known_function::is_known(call.name.last()) {
            return Ok(false);
        }
        let arguments = self.exprs(&call.arguments)?;
        let types: Vec<TypeId> = arguments.iter().map(|argument| argument.type_id).collect();
        let found = resolve::function(&call.name.to_string(), &candidates, &types, call.variadic);
        found.map(|_| true).map_err(|error| at(error, call.name.position))
    }

    fn window_arguments(
        &mut self,
        call: &FunctionCall,
        candidates: &[Callable],
    ) -> Result<(WindowCall, TypeId)> {
        let (name, position) = (call.name.last(), call.name.position);
        let arguments = self.exprs(&call.arguments)?;
        let types: Vec<TypeId> = arguments.iter().map(|argument| argument.type_id).collect();
        let resolved = resolve::function(&call.name.to_string(), candidates, &types, call.variadic)
            .map_err(|error| at(error, position))?;
        let function = match candidates[resolved.candidate] {
            Callable::Window(WindowRoutine { kind, .. }) => WindowFunction::Ranking(*kind),
            Callable::Aggregate(function) => WindowFunction::Aggregate(function),
            _ => unreachable!("only such were offered"),
        };
        if matches!(function, WindowFunction::Aggregate(_)) && arguments.is_empty() && !call.star {
            let message = format!("{name}(*) must be used to call a parameterless aggregate function");
            return Err(at(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message), position));
        }
        let arguments = self.call_arguments(&resolved, arguments, None)?;
        let filter = match (&call.filter, function) {
            (None, _) => None,
            (Some(filter), WindowFunction::Aggregate(_)) => Some(self.condition_of(filter, "FILTER")?),
            (Some(_), WindowFunction::Ranking(_)) => {
                let message = "FILTER is not implemented for non-aggregate window functions";
                return Err(unsupported(message, position));
            }
        };
        // The frame is put in by the caller.
        Ok((WindowCall { function, arguments, filter, frame: whole_frame() }, resolved.result))
    }

    /// Binds what stands in a window's definition.
    fn in_window<T>(&mut self, place: Place, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let outer = std::mem::replace(&mut self.select_frame().place, place);
        let bound = inner(self);
        self.set_place(outer);
        bound
    }

    fn window_keys(&mut self, definition: &Definition<'_>) -> Result<(Vec<Expr>, Vec<WindowKey>)> {
        let mut partition = Vec::with_capacity(definition.partition_by.len());
        for expr in definition.partition_by {
            let expr = self.in_window(Place::Window, |binder| binder.expr(expr))?;
            let expr = self.known(expr)?;
            self.check_groupable(expr.type_id, expr.typmod).map_err(|error| at(error, expr.position))?;
            check_one(expr.collation)?;
            self.check_sortable(expr.type_id, expr.typmod).map_err(|_| {
                self.is_placed = true;
                let message = "could not implement window PARTITION BY";
                SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                    .with_detail("Window partitioning columns must be of sortable datatypes.")
            })?;
            partition.push(expr);
        }
        let mut order = Vec::with_capacity(definition.order_by.len());
        for tree::OrderItem { expr, descending, nulls_first } in definition.order_by {
            let expr = self.in_window(Place::Window, |binder| binder.expr(expr))?;
            let expr = self.known(expr)?;
            self.check_sortable(expr.type_id, expr.typmod).map_err(|error| at(error, expr.position))?;
            check_sort_key(&expr)?;
            let nulls_first = nulls_first.unwrap_or(*descending);
            order.push(WindowKey { expr, descending: *descending, nulls_first });
        }
        Ok((partition, order))
    }

    fn window_frame(&mut self, definition: &Definition<'_>, order: &[WindowKey]) -> Result<WindowFrame> {
        let Some(tree::Frame { unit, start, end, exclusion }) = definition.frame else {
            return Ok(whole_frame());
        };
        let has_offset = [start, end]
            .into_iter()
            .any(|bound| matches!(bound, FrameBound::Preceding(_) | FrameBound::Following(_)));
        if *unit == FrameUnit::Range && has_offset && order.len() != 1 {
            let message = "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column";
            return Err(windowing(message, definition.position));
        }
        if *unit == FrameUnit::Groups && order.is_empty() {
            return Err(windowing("GROUPS mode requires an ORDER BY clause", definition.position));
        }
        Ok(WindowFrame {
            unit: *unit,
            start: self.window_bound(*unit, start, order)?,
            end: self.window_bound(*unit, end, order)?,
            exclusion: *exclusion,
        })
    }

    fn window_bound(
        &mut self,
        unit: FrameUnit,
        bound: &FrameBound,
        order: &[WindowKey],
    ) -> Result<WindowBound> {
        Ok(match bound {
            FrameBound::UnboundedPreceding => WindowBound::UnboundedPreceding,
            FrameBound::CurrentRow => WindowBound::CurrentRow,
            FrameBound::UnboundedFollowing => WindowBound::UnboundedFollowing,
            FrameBound::Preceding(offset) => WindowBound::Preceding(self.frame_offset(unit, offset, order)?),
            FrameBound::Following(offset) => WindowBound::Following(self.frame_offset(unit, offset, order)?),
        })
    }

    fn frame_offset(&mut self, unit: FrameUnit, offset: &tree::Expr, order: &[WindowKey]) -> Result<Expr> {
        let bound = self.in_window(Place::WindowFrame, |binder| binder.expr(offset))?;
        let (source, position) = (bound.type_id, bound.position);
        let (word, wanted) = match unit {
            FrameUnit::Rows => ("ROWS", TypeId::INT8),
            FrameUnit::Groups => ("GROUPS", TypeId::INT8),
            FrameUnit::Range => ("RANGE", range_offset(order[0].expr.type_id, source, position)?),
        };
        let context = if unit == FrameUnit::Range { CastContext::Implicit } else { CastContext::Assignment };
        let coerced = self.coerce(bound, wanted, Typmod::NONE, context)?;
        let offset = coerced.ok_or_else(|| {
            let message =
                format!("argument of {word} must be type bigint, not type {}", source.display_name());
            at(SqlError::new(SqlState::DATATYPE_MISMATCH, message), position)
        })?;
        let mut variable = None;
        for_each(&offset, &mut |expr| {
            if matches!(expr.kind, Kind::Column(_)) {
                variable = variable.or(Some(expr.position));
            }
            true
        });
        match variable {
            None => Ok(offset),
            Some(position) => {
                let message = format!("argument of {word} must not contain variables");
                Err(at(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message), position))
            }
        }
    }

    /// The windows of the WINDOW clause, for their faults: calls bind them anew.
    pub(super) fn check_named_windows(&mut self) -> Result<()> {
        let named = self.select_frame().named_windows.clone();
        for (number, window) in named.iter().enumerate() {
            if named[..number].iter().any(|other| other.name == window.name) {
                let message = format!("window \"{}\" is already defined", window.name);
                return Err(windowing(message, window.spec.position));
            }
            let definition = composed(&window.spec, &named[..number], false)?;
            let (_, order) = self.window_keys(&definition)?;
            self.window_frame(&definition, &order)?;
        }
        Ok(())
    }
}

/// The frame of a window that says none.
fn whole_frame() -> WindowFrame {
    WindowFrame {
        unit: FrameUnit::Range,
        start: WindowBound::UnboundedPreceding,
        end: WindowBound::CurrentRow,
        exclusion: tree::FrameExclusion::NoOthers,
    }
}

/// The type that RANGE wants its offset as, over a sort key of a type (PostgreSQL's `in_range` functions).
fn range_offset(key: TypeId, offset: TypeId, position: u32) -> Result<TypeId> {
    let is_integer = |id: TypeId| matches!(id, TypeId::INT2 | TypeId::INT4 | TypeId::INT8 | TypeId::UNKNOWN);
    let wanted = match key {
        TypeId::INT2 | TypeId::INT4 | TypeId::INT8 => TypeId::INT8,
        TypeId::NUMERIC => TypeId::NUMERIC,
        TypeId::FLOAT4 | TypeId::FLOAT8 => TypeId::FLOAT8,
        TypeId::DATE
        | TypeId::TIME
        | TypeId::TIMETZ
        | TypeId::TIMESTAMP
        | TypeId::TIMESTAMPTZ
        | TypeId::INTERVAL => TypeId::INTERVAL,
        other => {
            let message = format!(
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {}",
                other.display_name()
            );
            return Err(unsupported(&message, position));
        }
    };
    let fits = match wanted {
        TypeId::INT8 => is_integer(offset),
        wanted => offset == TypeId::UNKNOWN || resolve::can_coerce(offset, wanted, CastContext::Implicit),
    };
    if fits {
        return Ok(wanted);
    }
    let message = format!(
        "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {} and offset type {}",
        key.display_name(),
        offset.display_name()
    );
    let error = SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
        .with_hint("Cast the offset value to an appropriate type.");
    Err(at(error, position))
}

/// The definition that OVER means.
fn definition<'t>(over: &'t Over, named: &'t [NamedWindow]) -> Result<Definition<'t>> {
    match over {
        Over::Spec(spec) => composed(spec, named, spec.order_by.is_empty() && spec.frame.is_none()),
        Over::Name { name, position } => {
            let at_name = find(named, name, *position)?;
            let before = &named[..at_name];
            composed(&named[at_name].spec, before, false)
        }
    }
}

fn find(named: &[NamedWindow], name: &str, position: u32) -> Result<usize> {
    named.iter().position(|window| window.name == name).ok_or_else(|| {
        let message = format!("window \"{name}\" does not exist");
        at(SqlError::new(SqlState::UNDEFINED_OBJECT, message), position)
    })
}

/// A definition on top of the one that it names. `is_bare`: it says nothing of its own.
fn composed<'t>(spec: &'t WindowSpec, named: &'t [NamedWindow], is_bare: bool) -> Result<Definition<'t>> {
    let own = Definition {
        partition_by: &spec.partition_by,
        order_by: &spec.order_by,
        frame: spec.frame.as_ref(),
        position: spec.position,
    };
    let Some(name) = &spec.base else { return Ok(own) };
    let number = find(named, name, spec.position)?;
    let base = composed(&named[number].spec, &named[..number], false)?;
    if !spec.partition_by.is_empty() {
        let message = format!("cannot override PARTITION BY clause of window \"{name}\"");
        return Err(windowing(message, spec.position));
    }
    if !spec.order_by.is_empty() && !base.order_by.is_empty() {
        let message = format!("cannot override ORDER BY clause of window \"{name}\"");
        return Err(windowing(message, spec.position));
    }
    if base.frame.is_some() {
        let message = format!("cannot copy window \"{name}\" because it has a frame clause");
        let error = windowing(message, spec.position);
        return Err(match is_bare {
            true => error.with_hint("Omit the parentheses in this OVER clause."),
            false => error,
        });
    }
    let order_by = if own.order_by.is_empty() { base.order_by } else { own.order_by };
    Ok(Definition { partition_by: base.partition_by, order_by, ..own })
}

/// Puts a node for each window over `node`, and columns of it in place of the calls in `exprs`.
pub(super) fn stack_windows<'e>(
    mut node: Node,
    frame: &mut SelectFrame,
    exprs: impl IntoIterator<Item = &'e mut Expr>,
) -> Node {
    let mut columns = vec![0; frame.window_count];
    for Window { partition, order, calls } in std::mem::take(&mut frame.windows) {
        let width = node.width();
        for (at, (number, _)) in calls.iter().enumerate() {
            columns[*number] = width + at;
        }
        let calls = calls.into_iter().map(|(_, call)| call).collect();
        node = Node::Window { input: Arc::new(node), partition, order, calls };
    }
    for expr in exprs {
        rewrite(expr, &mut |expr| match expr.kind {
            Kind::Window(number) => Some(Expr::column(columns[number], expr.type_id, expr.typmod)),
            _ => None,
        });
    }
    node
}
