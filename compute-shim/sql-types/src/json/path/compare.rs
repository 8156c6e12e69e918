//! Predicates of path expressions.
//!
//! Owns three-valued logic: an error of SQL/JSON inside of a predicate makes it unknown. Read next: `evaluate.rs`.

use std::cmp::Ordering;

use super::evaluate::{Fault, Found, Place, Truth, Value, Walk, Walker};
use super::{Binary, Item, Kind};
use crate::env::Watch;
use crate::json::Json;
use crate::operator::regex::searched::Searched;

impl Walker<'_> {
    /// Whether a predicate holds.
    pub(super) fn truth(&mut self, item: &Item, value: Value<'_>, place: Place<'_>) -> Walk<Truth> {
        match &item.kind {
            Kind::Binary { op: Binary::And, left, right } => {
                let left = self.truth(left, value, place)?;
                if left == Some(false) {
                    return Ok(left);
                }
                let right = self.truth(right, value, place)?;
                Ok(if right == Some(true) { left } else { right })
            }
            Kind::Binary { op: Binary::Or, left, right } => {
                let left = self.truth(left, value, place)?;
                if left == Some(true) {
                    return Ok(left);
                }
                let right = self.truth(right, value, place)?;
                Ok(if right == Some(false) { left } else { right })
            }
            Kind::Not(inner) => Ok(self.truth(inner, value, place)?.map(|truth| !truth)),
            Kind::IsUnknown(inner) => Ok(Some(self.truth(inner, value, place)?.is_none())),
            Kind::Exists(inner) => self.exists(inner, value, place),
            Kind::Binary { op: Binary::StartsWith, left, right } => {
                let check = |_: &Self, left: Value<'_>, right: Option<Value<'_>>| {
                    let (whole, initial) = (left.as_string(), right.and_then(Value::as_string));
                    Ok(whole.zip(initial).map(|(whole, initial)| whole.starts_with(initial)))
                };
                self.predicate((left, Some(right)), value, place, false, check)
            }
            Kind::LikeRegex { operand, regex, .. } => {
                let check = |walker: &Self, left: Value<'_>, _: Option<Value<'_>>| {
                    let mut watch = Watch::new(walker.call.env);
                    let is_match = |text| regex.is_match(&mut watch, &Searched::new(text));
                    left.as_string().map(is_match).transpose().map_err(Fault::Fatal)
                };
                self.predicate((operand, None), value, place, false, check)
            }
            Kind::Binary { op, left, right } => {
                let op = *op;
                let check = |walker: &Self, left: Value<'_>, right: Option<Value<'_>>| {
                    walker.compare(op, left, right.expect("comparisons have two operands"))
                };
                self.predicate((left, Some(right)), value, place, true, check)
            }
            other => unreachable!("{other:?} is no predicate"),
        }
    }

    fn exists(&mut self, inner: &Item, value: Value<'_>, place: Place<'_>) -> Walk<Truth> {
        self.unraised(|walker| {
            if walker.is_lax() {
                return walker.item(inner, value, place, None);
            }
            // Strictness needs the whole list, for the errors in it.
            let mut all = Vec::new();
            walker.item(inner, value, place, Some(&mut all))?;
            Ok(!all.is_empty())
        })
    }

    /// A walk whose errors of SQL/JSON are unknown.
    fn unraised<T>(&mut self, walk: impl FnOnce(&mut Self) -> Walk<T>) -> Walk<Option<T>> {
        let raises = std::mem::replace(&mut self.raises, false);
        let result = walk(self);
        self.raises = raises;
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Fault::Path(_)) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Tries a check on every pair of operands: in lax mode until one holds.
    fn predicate(
        &mut self,
        (left, right): (&Item, Option<&Item>),
        value: Value<'_>,
        place: Place<'_>,
        unwraps_right: bool,
        check: impl Fn(&Self, Value<'_>, Option<Value<'_>>) -> Walk<Truth>,
    ) -> Walk<Truth> {
        let Some(lefts) = self.unraised(|walker| walker.operand(left, value, place, true))? else {
            return Ok(None);
        };
        let rights: Vec<Option<Found>> = match right {
            None => vec![None],
            Some(right) => {
                match self.unraised(|walker| walker.operand(right, value, place, unwraps_right))? {
                    Some(rights) => rights.into_iter().map(Some).collect(),
                    None => return Ok(None),
                }
            }
        };
        let (mut any_true, mut any_unknown) = (false, false);
        for left in &lefts {
            for right in &rights {
                let right = right.as_ref().map(Found::as_value);
                match check(self, left.as_value(), right)? {
                    None if !self.is_lax() => return Ok(None),
                    None => any_unknown = true,
                    Some(true) if self.is_lax() => return Ok(Some(true)),
                    Some(true) => any_true = true,
                    Some(false) => {}
                }
            }
        }
        Ok(match (any_true, any_unknown) {
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(false),
        })
    }

    fn compare(&self, op: Binary, left: Value<'_>, right: Value<'_>) -> Walk<Truth> {
        let order = match (left, right) {
            (Value::Json(Json::Null), Value::Json(Json::Null)) => Ordering::Equal,
            (Value::Json(Json::Null), _) | (_, Value::Json(Json::Null)) => {
                return Ok(Some(op == Binary::NotEqual));
            }
            (Value::Json(Json::Bool(a)), Value::Json(Json::Bool(b))) => a.cmp(b),
            (Value::Json(Json::Number(a)), Value::Json(Json::Number(b))) => a.cmp(b),
            (Value::Json(Json::String(a)), Value::Json(Json::String(b))) => a.as_bytes().cmp(b.as_bytes()),
            (Value::Moment(a), Value::Moment(b)) => {
                match a.compare(b, self.call.env, self.call.with_zone).map_err(Fault::Fatal)? {
                    Some(order) => order,
                    None => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(match op {
            Binary::Equal => order.is_eq(),
            Binary::NotEqual => order.is_ne(),
            Binary::Less => order.is_lt(),
            Binary::Greater => order.is_gt(),
            Binary::LessOrEqual => order.is_le(),
            _ => order.is_ge(),
        }))
    }
}
