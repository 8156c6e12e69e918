//! `.keyvalue()`: the members of an object as objects of `key`, `value` and `id`.
//!
//! Owns the ids, which clients see: an object's id is its offset in the binary form that PostgreSQL keeps the value in, so
//! that form is measured here. Read next: `method.rs`.

use super::Item;
use super::evaluate::{Place, Sink, Value, Walk, Walker, fault};
use crate::error::SqlState;
use crate::json::Json;
use crate::numeric::{Groups, Numeric};

/// Distance between the ids of two base objects.
const BASE_DISTANCE: i64 = 10_000_000_000;

impl Walker<'_> {
    pub(super) fn key_value(
        &mut self,
        item: &Item,
        value: Value<'_>,
        place: Place<'_>,
        mut sink: Sink<'_>,
    ) -> Walk<bool> {
        let Value::Json(object @ Json::Object(members)) = value else {
            let message = "jsonpath item method .keyvalue() can only be applied to an object";
            return fault(SqlState::SQL_JSON_OBJECT_NOT_FOUND, message);
        };
        let next = item.next.as_deref();
        let (base, number) = place.base;
        let offset = offset_of(base, object).unwrap_or(0);
        let id = Json::Number(Numeric::from(offset + number * BASE_DISTANCE));
        let mut any = false;
        for (key, member) in members {
            if next.is_none() && sink.is_none() {
                return Ok(true);
            }
            let made = Json::object(vec![
                ("key".into(), Json::String(key.clone())),
                ("value".into(), member.clone()),
                ("id".into(), id.clone()),
            ]);
            let place = Place { base: (&made, self.next_id), ..place };
            self.next_id += 1;
            any = self.next(next, Value::Json(&made), place, sink.as_deref_mut())?;
            if any && sink.is_none() {
                return Ok(true);
            }
        }
        Ok(any)
    }
}

fn aligned(offset: i64) -> i64 {
    (offset + 3) / 4 * 4
}

/// Offset of a container inside of another one.
fn offset_of(base: &Json, wanted: &Json) -> Option<i64> {
    measure(base, 0, wanted).err()
}

/// Where the bytes of a container at `start` end; `Err`: where the wanted one begins.
fn measure(value: &Json, start: i64, wanted: &Json) -> Result<i64, i64> {
    if std::ptr::eq(value, wanted) {
        return Err(start);
    }
    let length = |count: usize| i64::try_from(count).expect("bounded by memory");
    match value {
        Json::Array(elements) => {
            let first = start + 4 + 4 * length(elements.len());
            elements.iter().try_fold(first, |at, element| measure_member(element, at, wanted))
        }
        Json::Object(members) => {
            let first = start + 4 + 8 * length(members.len());
            let behind_keys = members.iter().fold(first, |at, (key, _)| at + length(key.len()));
            members.iter().try_fold(behind_keys, |at, (_, member)| measure_member(member, at, wanted))
        }
        _ => Ok(start),
    }
}

fn measure_member(member: &Json, at: i64, wanted: &Json) -> Result<i64, i64> {
    match member {
        Json::Null | Json::Bool(_) => Ok(at),
        Json::String(text) => Ok(at + i64::try_from(text.len()).expect("bounded by memory")),
        Json::Number(number) => Ok(aligned(at) + numeric_bytes(number)),
        container => measure(container, aligned(at), wanted),
    }
}

/// Bytes of a number with its length word: the short form has a header of two bytes, the long one of four.
fn numeric_bytes(number: &Numeric) -> i64 {
    let groups = Groups::of(number);
    let is_short = number.scale() <= 63 && (-64..=63).contains(&groups.weight);
    4 + if is_short { 2 } else { 4 } + 2 * i64::try_from(groups.digits.len()).expect("at most 40,000")
}
