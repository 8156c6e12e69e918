//! Function calls: scalar functions, aggregates, set-returning functions, and the forms that only look like calls.
//!
//! Owns the choice among everything that bears a name. The tables are those of `sql-types` (pure functions,
//! aggregates) and of [`crate::function`].

use super::collation::{check_explicit_of, check_sort_key};
use super::field::RowColumn;
use super::hypothetical::hypothetical;
use super::{Binder, known_function, type_of};
use crate::catalog::object::{INFORMATION_SCHEMA_OID, PG_CATALOG_OID};
use crate::expression::{Collation, Expr, Kind, for_each, same};
use crate::function::{
    HostFunction, TableFunction, WindowRoutine, host_by_name, table_by_name, window_by_name,
};
use crate::parse::at;
use crate::parse::tree::{self, CURRENT_OF, FunctionCall, Name};
use crate::plan::{AggregateCall, Exprs, RecordColumns, SetInList, SortKey};
use hexalog_sql_types::aggregate::Aggregate;
use hexalog_sql_types::cast::{Cast, CastContext, casts};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::{Function, Volatility};
use hexalog_sql_types::resolve::{self, ResolvedCall, Signature};
use hexalog_sql_types::types::TypeCategory;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId, Typmod, aggregate, function};

/// A call of a set-returning function in a select list.
#[derive(Clone, Debug)]
pub(super) struct SetCall {
    pub function: &'static TableFunction,
    pub arguments: Vec<Expr>,
    pub result: TypeId,
    /// The columns that a definition list gives a function of unknown rows.
    pub defined: Vec<(String, TypeId, Typmod)>,
    pub position: u32,
}

impl SetCall {
    /// Names and types of the rows' columns, if there may be several.
    pub(super) fn columns(&self) -> Vec<RowColumn> {
        let arguments = self.function.arguments.iter().zip(&self.arguments);
        let mut arrays = arguments.filter(|(declared, _)| **declared == TypeId::ANYARRAY);
        let element = arrays.next().and_then(|(_, array)| array.type_id.array_element());
        let column = |&(name, declared): &(&str, TypeId)| {
            let (type_id, collation) = match element {
                Some(element) if declared == TypeId::ANYELEMENT => (element, self.collation(element)),
                _ => (declared, Collation::Own),
            };
            RowColumn { name: name.into(), type_id, typmod: Typmod::NONE, collation: collation.outside() }
        };
        self.function.columns.iter().map(column).collect()
    }

    /// What its values of this type have.
    pub(super) fn collation(&self, type_id: TypeId) -> Collation {
        Collation::of_call(&self.arguments, type_id)
    }

    /// As a node has it.
    pub(super) fn in_list(self) -> SetInList {
        let columns = self.columns();
        let record = (!columns.is_empty()).then(|| RecordColumns {
            types: columns.iter().map(|column| column.type_id).collect(),
            names: columns.into_iter().map(|column| column.name).collect(),
        });
        SetInList { function: self.function, arguments: Exprs::new(self.arguments), record }
    }
}

const INFORMATION_SCHEMA: &str = "information_schema";

pub(super) const MOVE_SETS: &str =
    "You might be able to move the set-returning function into a LATERAL FROM item.";

/// Anything that can be called.
#[derive(Clone, Copy, Debug)]
pub(super) enum Callable {
    Pure(&'static Function),
    Host(&'static HostFunction),
    Aggregate(&'static Aggregate),
    Table(&'static TableFunction),
    Window(&'static WindowRoutine),
}

impl Signature for Callable {
    fn arguments(&self) -> &[TypeId] {
        match self {
            Callable::Pure(function) => function.arguments,
            Callable::Host(function) => function.arguments,
            Callable::Aggregate(function) => function.arguments,
            Callable::Table(function) => function.arguments,
            Callable::Window(function) => function.arguments,
        }
    }

    fn result(&self) -> TypeId {
        match self {
            Callable::Pure(function) => function.result,
            Callable::Host(function) => function.result,
            Callable::Aggregate(function) => function.result,
            Callable::Table(function) => function.result,
            Callable::Window(function) => function.result,
        }
    }

    fn variadic(&self) -> Option<TypeId> {
        match self {
            Callable::Pure(function) => function.variadic,
            Callable::Host(function) => function.variadic,
            Callable::Aggregate(_) | Callable::Window(_) => None,
            Callable::Table(function) => function.variadic,
        }
    }

    fn defaults(&self) -> usize {
        match self {
            Callable::Pure(function) => function.defaults,
            Callable::Host(function) => function.defaults,
            Callable::Aggregate(_) | Callable::Window(_) => 0,
            Callable::Table(function) => function.defaults,
        }
    }

    fn prints_arguments(&self) -> bool {
        matches!(self, Callable::Pure(function) if function.prints_arguments())
    }
}

impl Binder<'_> {
    /// Everything of one name.
    pub(super) fn callables(&self, written: &Name) -> Vec<Callable> {
        let name = written.last();
        let tables = self.tables_named(written);
        if written.qualifier() == Some(INFORMATION_SCHEMA) {
            return tables;
        }
        let mut all: Vec<Callable> = function::by_name(name).iter().map(Callable::Pure).collect();
        all.extend(host_by_name(name).into_iter().map(Callable::Host));
        all.extend(aggregate::by_name(name).iter().map(Callable::Aggregate));
        all.extend(tables);
        all
    }

    /// The set-returning functions of a name.
    fn tables_named(&self, written: &Name) -> Vec<Callable> {
        let is_meant = |function: &&TableFunction| match written.qualifier() {
            None => {
                function.schema == PG_CATALOG_OID
                    || self.context.view.search_path().contains(&function.schema)
            }
            Some(INFORMATION_SCHEMA) => function.schema == INFORMATION_SCHEMA_OID,
            Some(_) => function.schema == PG_CATALOG_OID,
        };
        table_by_name(written.last()).into_iter().filter(is_meant).map(Callable::Table).collect()
    }

    /// A call as written.
    pub(super) fn call(&mut self, call: &FunctionCall) -> Result<Expr> {
        let call = &*self.by_position(call)?;
        let name = call.name.last();
        if name == CURRENT_OF {
            // UPDATE and DELETE have looked for it where it may stand, alone behind WHERE.
            let error = SqlError::syntax("syntax error at or near \"OF\"");
            return Err(at(error, call.name.position));
        }
        if call.name.parts.len() == 1
            && let Some(special) = self.special_form(name, call)?
        {
            return Ok(special);
        }
        if let Some(over) = &call.over {
            return self.window_call(call, over);
        }
        self.check_schema(call)?;
        let candidates = self.callables(&call.name);
        let may_be_hypothetical =
            hypothetical(&candidates).is_some() && (call.within_group || !call.arguments.is_empty());
        if let Some(function) = window_by_name(name).first().filter(|_| !may_be_hypothetical) {
            let message = format!("window function {} requires an OVER clause", function.name);
            let error = SqlError::new(SqlState::WRONG_OBJECT_TYPE, message);
            return Err(at(error, call.name.position));
        }
        let has_aggregate = candidates.iter().any(|candidate| matches!(candidate, Callable::Aggregate(_)));
        let written = tree::TypeName::single(name);
        if candidates.is_empty()
            && known_function::is_known(name)
            && type_of(self.context.view, &written).is_err()
        {
            return Err(at(SqlError::unsupported(format!("function {name}")), call.name.position));
        }
        if call.star && !has_aggregate {
            resolve::function(&call.name.to_string(), &candidates, &[], false)
                .map_err(|error| at(error, call.name.position))?;
            let message = format!("{name}(*) specified, but {name} is not an aggregate function");
            return Err(at(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message), call.name.position));
        }
        if has_aggregate {
            return self.aggregate_call(call, &candidates);
        }
        if let Some(what) = aggregate_clause(call) {
            let message = format!("{what} specified, but {name} is not an aggregate function");
            return Err(at(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message), call.name.position));
        }
        let arguments = self.exprs(&call.arguments)?;
        self.resolve_call(&call.name, &candidates, arguments, call.variadic)
    }

    /// A call that the grammar itself makes.
    pub(super) fn call_by_name(&mut self, name: &str, arguments: Vec<Expr>) -> Result<Expr> {
        let written = Name { parts: vec!["pg_catalog".to_owned(), name.to_owned()], position: 0 };
        self.resolve_call(&written, &self.callables(&written), arguments, false)
    }

    pub(super) fn check_schema(&mut self, call: &FunctionCall) -> Result<()> {
        match call.name.qualifier() {
            None | Some("pg_catalog") => Ok(()),
            Some(INFORMATION_SCHEMA) if !self.tables_named(&call.name).is_empty() => Ok(()),
            Some(schema) => {
                let exists = self.context.view.catalog().schema_by_name(schema).is_some();
                let error = if exists {
                    let arguments = self.exprs(&call.arguments)?;
                    let types: Vec<String> =
                        arguments.iter().map(|argument| argument.type_id.display_name()).collect();
                    let message = format!("function {}({}) does not exist", call.name, types.join(", "));
                    SqlError::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(
                        "No function matches the given name and argument types. You might need to add explicit type casts.",
                    )
                } else {
                    let message = format!("schema \"{schema}\" does not exist");
                    SqlError::new(SqlState::INVALID_SCHEMA_NAME, message)
                };
                Err(at(error, call.name.position))
            }
        }
    }

    pub(super) fn resolve_call(
        &mut self,
        written: &Name,
        candidates: &[Callable],
        arguments: Vec<Expr>,
        variadic: bool,
    ) -> Result<Expr> {
        let (name, position) = (written.last(), written.position);
        let types: Vec<TypeId> = arguments.iter().map(|argument| argument.type_id).collect();
        let resolved = match resolve::function(&written.to_string(), candidates, &types, variadic) {
            Ok(resolved) => resolved,
            Err(error) if error.sqlstate() == SqlState::UNDEFINED_FUNCTION && arguments.len() == 1 => {
                // `column(row)` is another way to write `(row).column`.
                let field =
                    written.qualifier().is_none().then(|| self.field_of(&arguments[0], name)).flatten();
                if let Some(field) = field {
                    return Ok(field);
                }
                return match self.cast_call(name, position, &arguments[0])? {
                    Some(cast) => Ok(cast),
                    None => Err(at(error, position)),
                };
            }
            Err(error) => return Err(at(error, position)),
        };
        let takes_any =
            |function: &HostFunction| function.is_typed || function.arguments.contains(&TypeId::ANY);
        let arguments = match candidates[resolved.candidate] {
            Callable::Host(function) if function.is_typed && !variadic => {
                let arguments = self.call_arguments(&resolved, arguments, None)?;
                vec![Expr::new(Kind::Row(arguments.into(), None), TypeId::RECORD)]
            }
            // Its code needs to know the types: it gets all arguments as one row, as they were written.
            Callable::Host(function) if takes_any(function) && !variadic => {
                vec![Expr::new(Kind::Row(arguments.into(), None), TypeId::RECORD)]
            }
            Callable::Host(function) if takes_any(function) => {
                return Err(at(SqlError::unsupported(format!("function {name} with VARIADIC")), position));
            }
            callable => {
                let any = callable.variadic() == Some(TypeId::ANY);
                let prints_from = any.then(|| callable.arguments().len() - 1);
                self.call_arguments(&resolved, arguments, prints_from)?
            }
        };
        let kind = match candidates[resolved.candidate] {
            Callable::Pure(function) => {
                if function.is_unsupported() {
                    return Err(at(SqlError::unsupported(format!("function {name}")), position));
                }
                Kind::Function { function, arguments: arguments.into() }
            }
            Callable::Host(function) => {
                let memo = function.is_once.then(|| {
                    self.memos += 1;
                    self.memos - 1
                });
                Kind::Host { function, arguments: arguments.into(), memo }
            }
            Callable::Table(function) => {
                let call =
                    SetCall { function, arguments, result: resolved.result, defined: Vec::new(), position };
                return self.set_call(call);
            }
            Callable::Aggregate(_) | Callable::Window(_) => {
                unreachable!("these are called by aggregate_call and window_call")
            }
        };
        Ok(self.called(Expr::new(kind, resolved.result)))
    }

    /// `t(x)` or `(x).t`, where t is a type by the name in the catalog: a cast. As in PostgreSQL a row is not made a text in this
    /// way.
    pub(super) fn cast_call(&mut self, name: &str, position: u32, argument: &Expr) -> Result<Option<Expr>> {
        // As a type's name, and not quoted, it means another type.
        let target = match name {
            "char" => Ok(TypeId::CHAR),
            _ => type_of(self.context.view, &tree::TypeName::single(name)).map(|(target, _)| target),
        };
        match target {
            Ok(target) if target.is_pseudo() || target.info().is_some_and(|info| info.name != name) => {
                Ok(None)
            }
            Ok(target) if argument.type_id == TypeId::RECORD && target.category() == TypeCategory::String => {
                Ok(None)
            }
            Ok(target) => {
                self.note_type(position, target)?;
                let cast =
                    self.coerce_as(argument.clone(), target, Typmod::NONE, CastContext::Explicit, true)?;
                match cast {
                    None => self.cast_function(target, argument),
                    cast => Ok(cast),
                }
            }
            Err(_) => Ok(None),
        }
    }

    /// PostgreSQL has functions of these names behind its casts, and one takes what becomes its argument implicitly: `bool(int2)`
    /// is that of integer. Of several the one that takes the preferred type of a category: `time(date)` is that of timestamptz.
    fn cast_function(&mut self, target: TypeId, argument: &Expr) -> Result<Option<Expr>> {
        let takes = |cast: &&Cast| {
            cast.target == target
                && cast.source != target
                && cast.function != 0
                && resolve::can_coerce(argument.type_id, cast.source, CastContext::Implicit)
        };
        let functions: Vec<&Cast> = casts().iter().filter(takes).collect();
        let mut preferred = functions.iter().filter(|cast| cast.source.is_preferred());
        let cast = match (functions.as_slice(), preferred.next(), preferred.next()) {
            ([cast], ..) => cast,
            (_, Some(cast), None) => cast,
            _ => return Ok(None),
        };
        let argument = self.coerce_implicit(argument.clone(), cast.source)?;
        self.coerce_as(argument, target, Typmod::NONE, CastContext::Explicit, true)
    }

    /// Brings arguments to the types that resolution chose. From `prints_from` on they are `VARIADIC "any"`: values in the
    /// form in which they are shown.
    pub(super) fn call_arguments(
        &mut self,
        resolved: &ResolvedCall,
        arguments: Vec<Expr>,
        prints_from: Option<usize>,
    ) -> Result<Vec<Expr>> {
        let mut coerced = Vec::with_capacity(arguments.len());
        for (at, (mut argument, &target)) in arguments.into_iter().zip(&resolved.arguments).enumerate() {
            // Printed, not converted: the blanks of a char(n) stay, and true is `t`.
            match argument.type_id {
                _ if prints_from.is_none_or(|first| at < first) => {}
                TypeId::BPCHAR => argument.type_id = TypeId::TEXT,
                TypeId::BOOL => argument = printed_bool(argument),
                _ => {}
            }
            coerced.push(self.coerce_implicit(argument, target)?);
        }
        check_explicit_of(&coerced)?;
        let Some(from) = resolved.gather_from else { return Ok(coerced) };
        let gathered = coerced.split_off(from);
        let element = resolved.arguments[from];
        coerced.push(self.array_from(gathered, element)?);
        Ok(coerced)
    }

    fn set_call(&mut self, call: SetCall) -> Result<Expr> {
        let position = call.position;
        let place = self.place();
        let frame = self.select_frame();
        if frame.is_in_aggregate {
            let message = "aggregate function calls cannot contain set-returning function calls";
            let error = SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_hint(MOVE_SETS);
            return Err(at(error, position));
        }
        if !place.takes_sets() {
            let message = format!("set-returning functions are not allowed in {}", place.words());
            return Err(at(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message), position));
        }
        if call.function.needs_definition {
            let name = call.function.name;
            let message = format!("could not determine row type for result of {name}");
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_hint(
                "Provide a non-null record argument, or call the function in the FROM clause using a column definition list.",
            ));
        }
        let (result, columns) = (call.result, call.columns());
        let collation = call.collation(result);
        let mut is_nested = false;
        for argument in &call.arguments {
            for_each(argument, &mut |expr| {
                is_nested |= matches!(expr.kind, Kind::SetReturning(_));
                true
            });
        }
        if is_nested {
            return Err(at(SqlError::unsupported("nesting of set-returning functions"), position));
        }
        frame.sets.push(call);
        let set = Expr::new(Kind::SetReturning(frame.sets.len() - 1), result).with_collation(collation);
        Ok(if columns.is_empty() { set } else { set.with_typmod(self.shape(columns)) })
    }

    /// Refuses set-returning functions that were bound since there were `count`: a branch that is not taken would still
    /// have to give their rows.
    pub(super) fn refuse_sets(&mut self, count: usize, words: &str) -> Result<()> {
        let Some(set) = self.select_frame().sets.get(count) else { return Ok(()) };
        let message = format!("set-returning functions are not allowed in {words}");
        let error = SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_hint(MOVE_SETS);
        Err(at(error, set.position))
    }

    /// A set-returning function in FROM, if the name is one; otherwise the scalar expression.
    pub(super) fn call_in_from(&mut self, call: &FunctionCall) -> Result<FromCall> {
        let call = &*self.by_position(call)?;
        self.check_schema(call)?;
        if call.over.is_some() {
            let message = "window functions are not allowed in functions in FROM";
            return Err(at(SqlError::new(SqlState::WINDOWING_ERROR, message), call.name.position));
        }
        let tables = self.tables_named(&call.name);
        if tables.is_empty() {
            return self.call(call).map(FromCall::Scalar);
        }
        let arguments = self.exprs(&call.arguments)?;
        let types: Vec<TypeId> = arguments.iter().map(|argument| argument.type_id).collect();
        let resolved = resolve::function(&call.name.to_string(), &tables, &types, call.variadic)
            .map_err(|error| at(error, call.name.position))?;
        let arguments = self.call_arguments(&resolved, arguments, None)?;
        let Callable::Table(function) = tables[resolved.candidate] else {
            unreachable!("only such were offered")
        };
        let (result, position) = (resolved.result, call.name.position);
        Ok(FromCall::Set(SetCall { function, arguments, result, defined: Vec::new(), position }))
    }

    fn aggregate_call(&mut self, call: &FunctionCall, candidates: &[Callable]) -> Result<Expr> {
        let position = call.name.position;
        let place = self.place();
        let mark = self.mark_crossings();
        let frame = self.select_frame();
        if frame.is_in_aggregate {
            let message = "aggregate function calls cannot be nested";
            return Err(at(SqlError::new(SqlState::GROUPING_ERROR, message), position));
        }
        frame.is_in_aggregate = true;
        let bound = self.aggregate_parts(call, candidates);
        self.select_frame().is_in_aggregate = false;
        let (parts, result) = bound?;
        if let Some(frame) = self.outer_home(&parts) {
            self.restore_crossings(&mark);
            return self.outer_aggregate(frame, call, candidates);
        }
        if !place.takes_aggregates() {
            let message = format!("aggregate functions are not allowed in {}", place.words());
            return Err(at(SqlError::new(SqlState::GROUPING_ERROR, message), position));
        }
        let call = parts;
        let collation = Collation::of_call(&call.arguments, result);
        let frame = self.select_frame();
        if frame.aggregate_position == 0 {
            frame.aggregate_position = position;
        }
        let known = frame.aggregates.iter().position(|known| is_same(known, &call));
        let number = known.unwrap_or_else(|| {
            frame.aggregates.push(call);
            frame.aggregates.len() - 1
        });
        Ok(Expr::new(Kind::Aggregate(number), result).with_collation(collation))
    }

    /// The query that an aggregate belongs to, if it is not the innermost: the nearest whose columns it reads.
    fn outer_home(&self, parts: &AggregateCall) -> Option<usize> {
        let (mut own, mut slots) = (false, Vec::new());
        for part in self::parts(parts) {
            crate::expression::for_each(part, &mut |expr| {
                own |= matches!(expr.kind, Kind::Column(_));
                if let Kind::Slot(slot) = expr.kind {
                    slots.push(slot);
                }
                true
            });
        }
        if own {
            return None;
        }
        slots.into_iter().filter_map(|slot| self.home_of_slot(slot)).max()
    }

    /// Binds an aggregate in the query that it belongs to, and makes its value available here.
    fn outer_aggregate(
        &mut self,
        frame: usize,
        call: &FunctionCall,
        candidates: &[Callable],
    ) -> Result<Expr> {
        let inner = self.frames.split_off(frame + 1);
        let bound = self.aggregate_call(call, candidates);
        self.frames.extend(inner);
        self.bring_in(frame, bound?, &call.name)
    }

    fn aggregate_parts(
        &mut self,
        call: &FunctionCall,
        candidates: &[Callable],
    ) -> Result<(AggregateCall, TypeId)> {
        let (name, position) = (call.name.last(), call.name.position);
        let mut arguments = self.exprs(&call.arguments)?;
        if call.within_group {
            for item in &call.order_by {
                arguments.push(self.expr(&item.expr)?);
            }
        }
        if arguments.is_empty() && !call.star {
            let message = format!("{name}(*) must be used to call a parameterless aggregate function");
            let is_count = candidates.iter().any(|candidate| candidate.arguments().is_empty());
            if is_count {
                return Err(at(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message), position));
            }
        }
        if let Some(function) = hypothetical(candidates) {
            check_within_group(call, Some(call.arguments.len())).map_err(|error| at(error, position))?;
            return self.hypothetical_parts(call, function, arguments);
        }
        let types: Vec<TypeId> = arguments.iter().map(|argument| argument.type_id).collect();
        let resolved = resolve::function(&call.name.to_string(), candidates, &types, call.variadic)
            .map_err(|error| at(error, position))?;
        let Callable::Aggregate(function) = candidates[resolved.candidate] else {
            return Err(SqlError::internal("a function shares its name with an aggregate"));
        };
        let direct = function.kind.direct_arguments(arguments.len());
        check_within_group(call, direct).map_err(|error| at(error, position))?;
        let written = if call.order_by.is_empty() { Vec::new() } else { arguments.clone() };
        let arguments = self.call_arguments(&resolved, arguments, None)?;
        let filter = match &call.filter {
            Some(filter) => Some(self.condition_of(filter, "FILTER")?),
            None => None,
        };
        let (mut order_by, mut order_exprs) = (Vec::new(), Vec::new());
        if let Some(direct) = direct {
            for (item, argument) in call.order_by.iter().zip(&arguments[direct..]) {
                let (column, type_id) = (direct + order_by.len(), argument.type_id);
                self.check_sortable(type_id, argument.typmod)
                    .map_err(|error| at(error, item.expr.start()))?;
                let nulls_first = item.nulls_first.unwrap_or(item.descending);
                order_by.push(SortKey { column, type_id, descending: item.descending, nulls_first });
            }
        }
        if direct.is_none() {
            (order_by, order_exprs) = self.aggregate_order(call, &written, &arguments)?;
        }
        if call.distinct {
            self.check_distinct_arguments(&arguments)?;
        }
        let call =
            AggregateCall { function, arguments, order_by, order_exprs, distinct: call.distinct, filter };
        Ok((call, resolved.result))
    }

    /// ORDER BY of an aggregate, whose arguments were written like that: keys, and what they order by besides arguments.
    fn aggregate_order(
        &mut self,
        call: &FunctionCall,
        written: &[Expr],
        arguments: &[Expr],
    ) -> Result<(Vec<SortKey>, Vec<Expr>)> {
        let (mut order_by, mut order_exprs) = (Vec::new(), Vec::new());
        for item in &call.order_by {
            let expr = self.expr(&item.expr)?;
            let expr = self.known(expr)?;
            // An argument as it was before it was implicitly cast: `string_agg(DISTINCT v, ',' ORDER BY v)` of a varchar.
            let mut given = written.iter().take(arguments.len());
            let known = given.position(|known| same(known, &expr)).or_else(|| {
                let known = order_exprs.iter().position(|known| same(known, &expr));
                known.map(|at| arguments.len() + at)
            });
            let argument = known.and_then(|at| arguments.get(at)).unwrap_or(&expr);
            if let Err(error) = check_sort_key(&expr) {
                // It is said of the argument, if it is one.
                return Err(check_sort_key(argument).err().unwrap_or(error));
            }
            let type_id = argument.type_id;
            if call.distinct && known.is_none_or(|at| at >= arguments.len()) {
                let message =
                    "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list";
                let error = SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message);
                return Err(at(error, item.expr.start()));
            }
            let column = known.unwrap_or_else(|| {
                order_exprs.push(expr);
                arguments.len() + order_exprs.len() - 1
            });
            let nulls_first = item.nulls_first.unwrap_or(item.descending);
            order_by.push(SortKey { column, type_id, descending: item.descending, nulls_first });
        }
        Ok((order_by, order_exprs))
    }

    /// COALESCE and its kin, which are syntax.
    fn special_form(&mut self, name: &str, call: &FunctionCall) -> Result<Option<Expr>> {
        let words = match name {
            "coalesce" => "COALESCE",
            "greatest" => "GREATEST",
            "least" => "LEAST",
            "nullif" => "NULLIF",
            "grouping" => return Err(SqlError::unsupported("GROUPING")),
            _ => return Ok(None),
        };
        let plain = aggregate_clause(call).is_none()
            && call.over.is_none()
            && !call.star
            && !call.variadic
            && !call.arguments.is_empty();
        if !plain {
            return Err(at(
                SqlError::syntax(format!("syntax error at or near \"{name}\"")),
                call.name.position,
            ));
        }
        let sets = self.select_frame().sets.len();
        let items = self.exprs(&call.arguments)?;
        if words == "COALESCE" {
            self.refuse_sets(sets, words)?;
        }
        if words == "NULLIF" {
            return self.null_if(items, call.name.position).map(Some);
        }
        let (items, type_id) = self.unify(words, items)?;
        let typmod = self.common_typmod(&items);
        let items: Box<[Expr]> = items.into();
        let kind = match words {
            "COALESCE" => Kind::Coalesce(items),
            _ => {
                // Rows are looked at when two of them meet.
                if type_id != TypeId::RECORD {
                    self.check_sortable(type_id, typmod)?;
                }
                Kind::Extreme { items, greatest: words == "GREATEST" }
            }
        };
        Ok(Some(self.called(Expr::new(kind, type_id).with_typmod(typmod))))
    }

    fn null_if(&mut self, mut items: Vec<Expr>, position: u32) -> Result<Expr> {
        let (Some(right), Some(left), true) = (items.pop(), items.pop(), items.is_empty()) else {
            return Err(at(SqlError::syntax("syntax error at or near \"nullif\""), position));
        };
        let (operator, resolved) = self.comparison("=", left.type_id, right.type_id)?;
        // The result has the type that the comparison sees.
        let (first, right) = self.operands(&resolved, Some(left), right)?;
        let first = first.expect("two operands");
        let comparison = [first.clone(), right];
        check_explicit_of(&comparison)?;
        let comparison = Box::new(comparison);
        let (type_id, typmod) = (first.type_id, first.typmod);
        let kind = Kind::NullIf { operator, first: Box::new(first), comparison };
        Ok(self.called(Expr::new(kind, type_id).with_typmod(typmod)))
    }
}

/// 42601 for a function of unknown rows.
pub(super) fn undefined_columns() -> SqlError {
    SqlError::syntax("a column definition list is required for functions returning \"record\"")
}

/// What a function in FROM is.
pub(super) enum FromCall {
    Set(SetCall),
    Scalar(Expr),
}

/// WITHIN GROUP stands where the aggregate wants it.
pub(super) fn check_within_group(call: &FunctionCall, direct: Option<usize>) -> Result<()> {
    let name = call.name.last();
    let message = match (call.within_group, direct) {
        (true, None) => format!("{name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP"),
        (false, Some(_)) => format!("WITHIN GROUP is required for ordered-set aggregate {name}"),
        _ => return Ok(()),
    };
    Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
}

/// The clause that only aggregates take, if the call has one.
fn aggregate_clause(call: &FunctionCall) -> Option<&'static str> {
    if call.within_group {
        Some("WITHIN GROUP")
    } else if call.distinct {
        Some("DISTINCT")
    } else if !call.order_by.is_empty() {
        Some("ORDER BY")
    } else if call.filter.is_some() {
        Some("FILTER")
    } else {
        None
    }
}

fn parts(call: &AggregateCall) -> impl Iterator<Item = &Expr> {
    call.arguments.iter().chain(&call.order_exprs).chain(&call.filter)
}

fn is_same(a: &AggregateCall, b: &AggregateCall) -> bool {
    let volatile = parts(a).any(has_volatile);
    a.function.oid == b.function.oid
        && a.distinct == b.distinct
        && a.order_by == b.order_by
        && a.filter.is_some() == b.filter.is_some()
        && parts(a).count() == parts(b).count()
        && !volatile
        && parts(a).zip(parts(b)).all(|(a, b)| same(a, b))
}

fn has_volatile(expr: &Expr) -> bool {
    let mut found = false;
    crate::expression::for_each(expr, &mut |expr| {
        found |= match &expr.kind {
            Kind::Function { function, .. } => function.volatility == Volatility::Volatile,
            Kind::Host { memo, .. } => memo.is_some(),
            _ => false,
        };
        !found
    });
    found
}

/// A boolean as it is shown, which is not what a cast to text makes of it.
fn printed_bool(value: Expr) -> Expr {
    let text = |shown: &str| Expr::constant(Datum::from(shown), TypeId::TEXT);
    let is_true = || Expr::new(Kind::CaseValue, TypeId::BOOL);
    let is_false = Expr::new(Kind::Not(Box::new(is_true())), TypeId::BOOL);
    let branches = Box::new([(is_true(), text("t")), (is_false, text("f"))]);
    let otherwise = Box::new(Expr::constant(Datum::Null, TypeId::TEXT));
    Expr::new(Kind::Case { operand: Some(Box::new(value)), branches, otherwise }, TypeId::TEXT)
}
