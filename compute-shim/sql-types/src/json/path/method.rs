//! Methods of path expressions.
//!
//! Owns `.type()`, `.size()`, `.double()`, `.abs()`, `.floor()`, `.ceiling()` and the way to `.datetime()` and `.keyvalue()`.
//! Read next: `moment.rs`, `keyvalue.rs`.

use super::evaluate::{Fault, Place, Sink, Value, Walk, Walker, fault};
use super::moment::Moment;
use super::{Item, Kind, Method};
use crate::error::SqlState;
use crate::json::Json;
use crate::numeric::Numeric;

impl Walker<'_> {
    pub(super) fn method(
        &mut self,
        item: &Item,
        value: Value<'_>,
        place: Place<'_>,
        sink: Sink<'_>,
        unwrap: bool,
    ) -> Walk<bool> {
        let unwraps = !matches!(item.kind, Kind::Method(Method::Type | Method::Size));
        if unwraps && unwrap && value.as_array().is_some() {
            return self.elements(Some(item), value, place, sink, false);
        }
        let next = item.next.as_deref();
        let result = match &item.kind {
            Kind::Method(Method::Type) => Json::string(match value {
                Value::Json(value) => value.type_name(),
                Value::Moment(moment) => moment.type_name(),
            }),
            Kind::Method(Method::Size) => {
                let size = match value.as_array() {
                    Some(elements) => elements.len(),
                    None if self.is_lax() => 1,
                    None if place.lenient => return Ok(false),
                    None => {
                        let message = "jsonpath item method .size() can only be applied to an array";
                        return fault(SqlState::SQL_JSON_ARRAY_NOT_FOUND, message);
                    }
                };
                Json::Number(Numeric::from(i64::try_from(size).expect("bounded by memory")))
            }
            Kind::Method(method @ (Method::Abs | Method::Floor | Method::Ceiling)) => {
                Json::Number(rounded(*method, value)?)
            }
            Kind::Method(Method::Double) => Json::Number(double(value)?),
            Kind::Method(Method::KeyValue) => return self.key_value(item, value, place, sink),
            Kind::Datetime(template) => {
                let Some(text) = value.as_string() else {
                    let message = "jsonpath item method .datetime() can only be applied to a string";
                    return fault(SqlState::INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION, message);
                };
                let moment = Moment::read(text, template.as_deref())?;
                return self.next(next, Value::Moment(&moment), place, sink);
            }
            other => unreachable!("{other:?} is no method"),
        };
        self.next(next, Value::Json(&result), place, sink)
    }
}

fn rounded(method: Method, value: Value<'_>) -> Walk<Numeric> {
    let Some(number) = value.as_number() else {
        let name = method.name();
        let message = format!("jsonpath item method .{name}() can only be applied to a numeric value");
        return fault(SqlState::NON_NUMERIC_SQL_JSON_ITEM, message);
    };
    match method {
        Method::Abs => Ok(number.abs()),
        Method::Floor => number.floor().map_err(Fault::Path),
        _ => number.ceil().map_err(Fault::Path),
    }
}

/// A number within the range of `double precision`, or a string that is one.
fn double(value: Value<'_>) -> Walk<Numeric> {
    if let Some(number) = value.as_number() {
        let fits = number.to_string().parse::<f64>().is_ok_and(f64::is_finite) && number.to_f64().is_ok();
        if fits {
            return Ok(number.clone());
        }
        let message =
            "numeric argument of jsonpath item method .double() is out of range for type double precision";
        return fault(SqlState::NON_NUMERIC_SQL_JSON_ITEM, message);
    }
    let Some(text) = value.as_string() else {
        let message = "jsonpath item method .double() can only be applied to a string or numeric value";
        return fault(SqlState::NON_NUMERIC_SQL_JSON_ITEM, message);
    };
    match crate::text::parse_f64(text) {
        Ok(value) if value.is_finite() => Ok(Numeric::from_f64(value)),
        _ => {
            let message = "string argument of jsonpath item method .double() is not a valid representation of a double precision number";
            fault(SqlState::NON_NUMERIC_SQL_JSON_ITEM, message)
        }
    }
}
