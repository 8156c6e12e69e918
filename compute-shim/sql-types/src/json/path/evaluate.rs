//! Running a path expression.
//!
//! Owns the walk (`jsonpath_exec.c` of PostgreSQL 15): every item of a chain passes what it gives to the next one, so that
//! results come in the order of the walk and a check for existence ends with the first. Read next: `method.rs`,
//! `compare.rs`.

use super::moment::Moment;
use super::{Binary, Item, JsonPath, Kind, LAST_LEVEL, Sign};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::json::Json;
use crate::numeric::Numeric;

/// A call of a path on a value.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The surroundings; the session's zone counts for `…_tz` functions alone.
    pub env: &'a EvalEnv<'a>,
    /// The expression.
    pub path: &'a JsonPath,
    /// The value that `$` stands for.
    pub root: &'a Json,
    /// An object of named values; without one, as in operators, all of them are null.
    pub variables: Option<&'a Json>,
    /// Errors of the path are no errors.
    pub silent: bool,
    /// Times with and without a zone may be compared.
    pub with_zone: bool,
}

/// Why the walk ended early.
#[derive(Debug)]
pub(super) enum Fault {
    /// An error of SQL/JSON, which a predicate takes for unknown and `silent` for nothing.
    Path(SqlError),
    /// Any other.
    Fatal(SqlError),
}

pub(super) type Walk<T> = Result<T, Fault>;

/// 22… with a message.
pub(super) fn fault<T>(state: SqlState, message: impl Into<String>) -> Walk<T> {
    Err(Fault::Path(SqlError::new(state, message)))
}

/// A value on the way.
#[derive(Clone, Copy)]
pub(super) enum Value<'v> {
    Json(&'v Json),
    Moment(&'v Moment),
}

/// A value that was found.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Json(Json),
    Moment(Moment),
}

impl Found {
    pub(super) fn as_value(&self) -> Value<'_> {
        match self {
            Found::Json(value) => Value::Json(value),
            Found::Moment(moment) => Value::Moment(moment),
        }
    }

    fn into_json(self) -> Json {
        match self {
            Found::Json(value) => value,
            Found::Moment(moment) => moment.to_json(),
        }
    }
}

impl<'v> Value<'v> {
    fn to_found(self) -> Found {
        match self {
            Value::Json(value) => Found::Json(value.clone()),
            Value::Moment(moment) => Found::Moment(moment.clone()),
        }
    }

    pub(super) fn as_number(self) -> Option<&'v Numeric> {
        match self {
            Value::Json(Json::Number(number)) => Some(number),
            _ => None,
        }
    }

    pub(super) fn as_string(self) -> Option<&'v str> {
        match self {
            Value::Json(Json::String(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_array(self) -> Option<&'v [Json]> {
        match self {
            Value::Json(Json::Array(elements)) => Some(elements),
            _ => None,
        }
    }
}

/// Where the walk is: what `@` and `last` stand for, and what keyvalue() counts ids from.
#[derive(Clone, Copy)]
pub(super) struct Place<'v> {
    pub current: Value<'v>,
    /// Elements of the innermost array with subscripts.
    pub array_size: Option<usize>,
    /// The value that ids are offsets in, and its own number.
    pub base: (&'v Json, i64),
    /// Structural errors are overlooked.
    pub lenient: bool,
}

/// Results of the walk, or nothing if one is enough.
pub(super) type Sink<'s> = Option<&'s mut Vec<Found>>;

pub(super) struct Walker<'a> {
    pub call: Call<'a>,
    /// Number of the next object that keyvalue() makes.
    pub next_id: i64,
    /// An error of SQL/JSON is the call's: neither is it silent, nor is this within a predicate.
    pub raises: bool,
}

/// A truth value; `None` is unknown.
pub(super) type Truth = Option<bool>;

fn variables_error() -> SqlError {
    SqlError::invalid_parameter("\"vars\" argument is not an object")
        .with_detail("Jsonpath parameters should be encoded as key-value pairs of \"vars\" object.")
}

/// Whether anything is found, and what. After an error that is passed over in silence the first is not known, and the second
/// is what was found before it.
fn run(call: Call<'_>, first_is_enough: bool) -> Result<(Option<bool>, Vec<Found>)> {
    if call.variables.is_some_and(|variables| !matches!(variables, Json::Object(_))) {
        return Err(variables_error());
    }
    let next_id = if call.variables.is_some() { 2 } else { 1 };
    let mut walker = Walker { call, next_id, raises: !call.silent };
    let place = Place {
        current: Value::Json(call.root),
        array_size: None,
        base: (call.root, 0),
        lenient: call.path.lax,
    };
    let mut found = Vec::new();
    // Strictness needs the whole list, for the errors in it.
    let sink = if first_is_enough && call.path.lax { None } else { Some(&mut found) };
    let is_check = sink.is_none();
    match walker.item(&call.path.root, Value::Json(call.root), place, sink) {
        Ok(is_ok) => Ok((Some(if is_check { is_ok } else { !found.is_empty() }), found)),
        Err(Fault::Path(_)) if call.silent => Ok((None, found)),
        Err(Fault::Path(error) | Fault::Fatal(error)) => Err(error),
    }
}

/// `jsonb_path_exists`; `None` is NULL.
pub fn exists(call: Call<'_>) -> Result<Option<bool>> {
    Ok(run(call, true)?.0)
}

/// `jsonb_path_match`; `None` is NULL.
pub fn matches(call: Call<'_>) -> Result<Option<bool>> {
    let (_, found) = run(call, false)?;
    match found.as_slice() {
        [Found::Json(Json::Bool(value))] => Ok(Some(*value)),
        [Found::Json(Json::Null)] => Ok(None),
        _ if call.silent => Ok(None),
        _ => {
            let message = "single boolean result is expected";
            Err(SqlError::new(SqlState::SINGLETON_SQL_JSON_ITEM_REQUIRED, message))
        }
    }
}

/// `jsonb_path_query`: all results in order.
pub fn query(call: Call<'_>) -> Result<Vec<Json>> {
    let (_, found) = run(call, false)?;
    Ok(found.into_iter().map(Found::into_json).collect())
}

impl Walker<'_> {
    pub(super) fn is_lax(&self) -> bool {
        self.call.path.lax
    }

    /// Passes a value to what follows an item, or puts it among the results.
    pub(super) fn next(
        &mut self,
        next: Option<&Item>,
        value: Value<'_>,
        place: Place<'_>,
        sink: Sink<'_>,
    ) -> Walk<bool> {
        match (next, sink) {
            (Some(next), sink) => self.item(next, value, place, sink),
            (None, Some(found)) => {
                found.push(value.to_found());
                Ok(true)
            }
            (None, None) => Ok(true),
        }
    }

    /// Applies an item; arrays unwrap if the mode is lax. Whether anything came of it.
    pub(super) fn item(
        &mut self,
        item: &Item,
        value: Value<'_>,
        place: Place<'_>,
        sink: Sink<'_>,
    ) -> Walk<bool> {
        self.item_unwrapping(item, value, place, sink, self.is_lax())
    }

    pub(super) fn item_unwrapping(
        &mut self,
        item: &Item,
        value: Value<'_>,
        place: Place<'_>,
        sink: Sink<'_>,
        unwrap: bool,
    ) -> Walk<bool> {
        let next = item.next.as_deref();
        match &item.kind {
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) | Kind::Variable(_) => {
                self.literal(item, place, sink)
            }
            Kind::Binary { op, left, right } if op.is_arithmetic() => {
                self.arithmetic(item, *op, (left, right), (value, place), sink)
            }
            Kind::Binary { .. }
            | Kind::Not(_)
            | Kind::IsUnknown(_)
            | Kind::Exists(_)
            | Kind::LikeRegex { .. } => {
                let truth = self.truth(item, value, place)?;
                let result = truth.map_or(Json::Null, Json::Bool);
                self.next(next, Value::Json(&result), place, sink)
            }
            Kind::Unary { op, operand } => self.signed(item, *op, operand, (value, place), sink),
            Kind::Root => {
                let root = self.call.root;
                let place = Place { base: (root, 0), ..place };
                self.next(next, Value::Json(root), place, sink)
            }
            Kind::Current => self.next(next, place.current, place, sink),
            Kind::Last => self.last(item, place, sink),
            Kind::Key(key) => self.key(item, key, value, place, sink, unwrap),
            Kind::AnyKey => match value {
                Value::Json(Json::Object(_)) => {
                    self.any(next, value, place, (1, 1, 1), false, sink, self.is_lax())
                }
                _ if unwrap && value.as_array().is_some() => {
                    self.elements(Some(item), value, place, sink, false)
                }
                _ if place.lenient => Ok(false),
                _ => fault(
                    SqlState::SQL_JSON_OBJECT_NOT_FOUND,
                    "jsonpath wildcard member accessor can only be applied to an object",
                ),
            },
            Kind::AnyArray => match value.as_array() {
                Some(_) => self.any(next, value, place, (1, 1, 1), false, sink, self.is_lax()),
                None if self.is_lax() => self.next(next, value, place, sink),
                None if place.lenient => Ok(false),
                None => fault(
                    SqlState::SQL_JSON_ARRAY_NOT_FOUND,
                    "jsonpath wildcard array accessor can only be applied to an array",
                ),
            },
            Kind::Index(subscripts) => self.index(item, subscripts, value, place, sink),
            Kind::Any { first, last } => self.any_level(item, (*first, *last), value, place, sink),
            Kind::Filter(condition) => {
                if unwrap && value.as_array().is_some() {
                    return self.elements(Some(item), value, place, sink, false);
                }
                match self.truth(condition, value, Place { current: value, ..place })? {
                    Some(true) => self.next(next, value, place, sink),
                    _ => Ok(false),
                }
            }
            Kind::Method(_) | Kind::Datetime(_) => self.method(item, value, place, sink, unwrap),
        }
    }

    fn literal(&mut self, item: &Item, place: Place<'_>, sink: Sink<'_>) -> Walk<bool> {
        // A variable is looked up all the same: it may be missing.
        let is_variable = matches!(item.kind, Kind::Variable(_));
        if item.next.is_none() && sink.is_none() && !is_variable {
            return Ok(true);
        }
        let next = item.next.as_deref();
        let literal = match &item.kind {
            Kind::Null => Json::Null,
            Kind::Bool(value) => Json::Bool(*value),
            Kind::Number(number) => Json::Number(number.clone()),
            Kind::String(text) => Json::String(text.clone()),
            Kind::Variable(name) => {
                let Some(variables) = self.call.variables else {
                    return self.next(next, Value::Json(&Json::Null), place, sink);
                };
                let Some(value) = variables.member(name) else {
                    let message = format!("could not find jsonpath variable \"{name}\"");
                    return Err(Fault::Fatal(SqlError::new(SqlState::UNDEFINED_OBJECT, message)));
                };
                let place = Place { base: (variables, 1), ..place };
                return self.next(next, Value::Json(value), place, sink);
            }
            other => unreachable!("{other:?} is no literal"),
        };
        self.next(next, Value::Json(&literal), place, sink)
    }

    fn last(&mut self, item: &Item, place: Place<'_>, sink: Sink<'_>) -> Walk<bool> {
        let Some(size) = place.array_size else {
            let message = "evaluating jsonpath LAST outside of array subscript";
            return Err(Fault::Fatal(SqlError::internal(message)));
        };
        let size = i64::try_from(size).expect("bounded by memory");
        let last = Json::Number(Numeric::from(size - 1));
        self.next(item.next.as_deref(), Value::Json(&last), place, sink)
    }

    fn key(
        &mut self,
        item: &Item,
        key: &str,
        value: Value<'_>,
        place: Place<'_>,
        sink: Sink<'_>,
        unwrap: bool,
    ) -> Walk<bool> {
        if let Value::Json(object @ Json::Object(_)) = value {
            return match object.member(key) {
                Some(member) => self.next(item.next.as_deref(), Value::Json(member), place, sink),
                None if place.lenient => Ok(false),
                None => fault(
                    SqlState::SQL_JSON_MEMBER_NOT_FOUND,
                    format!("JSON object does not contain key \"{key}\""),
                ),
            };
        }
        if unwrap && value.as_array().is_some() {
            return self.elements(Some(item), value, place, sink, false);
        }
        if place.lenient {
            return Ok(false);
        }
        fault(
            SqlState::SQL_JSON_MEMBER_NOT_FOUND,
            "jsonpath member accessor can only be applied to an object",
        )
    }

    /// Each element of an array through an item, or among the results.
    pub(super) fn elements(
        &mut self,
        item: Option<&Item>,
        value: Value<'_>,
        place: Place<'_>,
        sink: Sink<'_>,
        unwrap: bool,
    ) -> Walk<bool> {
        self.any(item, value, place, (1, 1, 1), false, sink, unwrap)
    }

    /// Members and elements, and theirs, of levels `first` to `last`; the value's own are of level `level`.
    #[expect(clippy::too_many_arguments, reason = "those of PostgreSQL's executeAnyItem")]
    fn any(
        &mut self,
        item: Option<&Item>,
        value: Value<'_>,
        place: Place<'_>,
        (level, first, last): (u32, u32, u32),
        lenient: bool,
        mut sink: Sink<'_>,
        unwrap: bool,
    ) -> Walk<bool> {
        if level > last {
            return Ok(false);
        }
        let children: Box<dyn Iterator<Item = &Json>> = match value {
            Value::Json(Json::Array(elements)) => Box::new(elements.iter()),
            Value::Json(Json::Object(members)) => Box::new(members.iter().map(|(_, value)| value)),
            _ => return Ok(false),
        };
        let mut any = false;
        for child in children {
            let is_leaf_wanted = first == LAST_LEVEL && last == LAST_LEVEL && child.is_scalar();
            if level >= first || is_leaf_wanted {
                match (item, sink.as_deref_mut()) {
                    (Some(item), inner) => {
                        let is_check = inner.is_none();
                        let place = Place { lenient: place.lenient || lenient, ..place };
                        any = self.item_unwrapping(item, Value::Json(child), place, inner, unwrap)?;
                        if any && is_check {
                            return Ok(true);
                        }
                    }
                    (None, Some(found)) => found.push(Found::Json(child.clone())),
                    (None, None) => return Ok(true),
                }
            }
            if level < last && !child.is_scalar() {
                let levels = (level + 1, first, last);
                let is_check = sink.is_none();
                any =
                    self.any(item, Value::Json(child), place, levels, lenient, sink.as_deref_mut(), unwrap)?;
                if any && is_check {
                    return Ok(true);
                }
            }
        }
        Ok(any)
    }

    fn any_level(
        &mut self,
        item: &Item,
        (first, last): (u32, u32),
        value: Value<'_>,
        place: Place<'_>,
        mut sink: Sink<'_>,
    ) -> Walk<bool> {
        let next = item.next.as_deref();
        let is_container = matches!(value, Value::Json(Json::Array(_) | Json::Object(_)));
        let mut any = false;
        if first == 0 {
            let lenient = Place { lenient: true, ..place };
            match self.next(next, value, lenient, sink.as_deref_mut()) {
                Ok(true) if sink.is_none() => return Ok(true),
                Ok(found) => any = found,
                // PostgreSQL forgets an error of the value itself, unless it raises it, and goes on with what is in it.
                Err(Fault::Path(_)) if is_container && !self.raises => {}
                Err(fault) => return Err(fault),
            }
        }
        if !is_container {
            return Ok(any);
        }
        self.any(next, value, place, (1, first, last), true, sink, self.is_lax())
    }

    fn index(
        &mut self,
        item: &Item,
        subscripts: &[(Item, Option<Item>)],
        value: Value<'_>,
        place: Place<'_>,
        mut sink: Sink<'_>,
    ) -> Walk<bool> {
        let elements = value.as_array();
        if elements.is_none() && !self.is_lax() {
            if place.lenient {
                return Ok(false);
            }
            let message = "jsonpath array accessor can only be applied to an array";
            return fault(SqlState::SQL_JSON_ARRAY_NOT_FOUND, message);
        }
        let next = item.next.as_deref();
        let size = elements.map_or(1, <[Json]>::len);
        let inner = Place { array_size: Some(size), ..place };
        let size = i64::try_from(size).expect("bounded by memory");
        let mut any = false;
        for (from, to) in subscripts {
            let from = i64::from(self.subscript(from, value, inner)?);
            let to = match to {
                Some(to) => i64::from(self.subscript(to, value, inner)?),
                None => from,
            };
            if !place.lenient && (from < 0 || from > to || to >= size) {
                let message = "jsonpath array subscript is out of bounds";
                return fault(SqlState::INVALID_SQL_JSON_SUBSCRIPT, message);
            }
            any = false;
            for at in from.max(0)..=to.min(size - 1) {
                let at = usize::try_from(at).expect("not below 0");
                let element = elements.map_or(value, |elements| Value::Json(&elements[at]));
                if next.is_none() && sink.is_none() {
                    return Ok(true);
                }
                any = self.next(next, element, inner, sink.as_deref_mut())?;
                if any && sink.is_none() {
                    return Ok(true);
                }
            }
        }
        Ok(any)
    }

    /// A subscript's one number, its fraction cut.
    fn subscript(&mut self, item: &Item, value: Value<'_>, place: Place<'_>) -> Walk<i32> {
        let mut found = Vec::new();
        self.item(item, value, place, Some(&mut found))?;
        let [single] = found.as_slice() else { return not_numeric_subscript() };
        let Some(number) = single.as_value().as_number() else { return not_numeric_subscript() };
        let whole = number.truncate(0).and_then(|whole| whole.to_i64("integer"));
        match whole.ok().and_then(|whole| i32::try_from(whole).ok()) {
            Some(index) => Ok(index),
            None => fault(
                SqlState::INVALID_SQL_JSON_SUBSCRIPT,
                "jsonpath array subscript is out of integer range",
            ),
        }
    }

    /// The values of an operand; in lax mode the elements of those that are arrays.
    pub(super) fn operand(
        &mut self,
        item: &Item,
        value: Value<'_>,
        place: Place<'_>,
        unwrap: bool,
    ) -> Walk<Vec<Found>> {
        let mut found = Vec::new();
        self.item(item, value, place, Some(&mut found))?;
        if !unwrap || !self.is_lax() {
            return Ok(found);
        }
        let mut flat = Vec::with_capacity(found.len());
        for one in found {
            match one {
                Found::Json(Json::Array(elements)) => flat.extend(elements.into_iter().map(Found::Json)),
                other => flat.push(other),
            }
        }
        Ok(flat)
    }

    fn arithmetic(
        &mut self,
        item: &Item,
        op: Binary,
        (left, right): (&Item, &Item),
        (value, place): (Value<'_>, Place<'_>),
        sink: Sink<'_>,
    ) -> Walk<bool> {
        let lefts = self.operand(left, value, place, true)?;
        let rights = self.operand(right, value, place, true)?;
        let single = |found: &[Found], side: &str| match found {
            [one] if one.as_value().as_number().is_some() => Ok(one.as_value().as_number().cloned()),
            _ => fault(
                SqlState::SINGLETON_SQL_JSON_ITEM_REQUIRED,
                format!("{side} operand of jsonpath operator {} is not a single numeric value", op.symbol()),
            ),
        };
        let left = single(&lefts, "left")?.expect("just seen");
        let right = single(&rights, "right")?.expect("just seen");
        let result = match op {
            Binary::Add => left.add(&right),
            Binary::Subtract => left.subtract(&right),
            Binary::Multiply => left.multiply(&right),
            Binary::Divide => left.divide(&right),
            _ => left.modulo(&right),
        };
        let result = Json::Number(result.map_err(Fault::Path)?);
        self.next(item.next.as_deref(), Value::Json(&result), place, sink)
    }

    fn signed(
        &mut self,
        item: &Item,
        op: Sign,
        operand: &Item,
        (value, place): (Value<'_>, Place<'_>),
        mut sink: Sink<'_>,
    ) -> Walk<bool> {
        let found = self.operand(operand, value, place, true)?;
        let next = item.next.as_deref();
        let is_check = next.is_none() && sink.is_none();
        let mut any = false;
        for one in &found {
            let Some(number) = one.as_value().as_number() else {
                if is_check {
                    continue;
                }
                let symbol = if op == Sign::Plus { "+" } else { "-" };
                return fault(
                    SqlState::SQL_JSON_NUMBER_NOT_FOUND,
                    format!("operand of unary jsonpath operator {symbol} is not a numeric value"),
                );
            };
            if is_check {
                return Ok(true);
            }
            let number = if op == Sign::Minus { number.negate() } else { number.clone() };
            if self.next(next, Value::Json(&Json::Number(number)), place, sink.as_deref_mut())? {
                any = true;
                if sink.is_none() {
                    return Ok(true);
                }
            }
        }
        Ok(any)
    }
}

fn not_numeric_subscript<T>() -> Walk<T> {
    fault(SqlState::INVALID_SQL_JSON_SUBSCRIPT, "jsonpath array subscript is not a single numeric value")
}
