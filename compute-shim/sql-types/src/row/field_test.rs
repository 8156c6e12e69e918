//! A column of stored rows compared with a constant, by the bytes that it is stored in.
//!
//! Owns [`FieldTest`]: what [`compare`] would say of the value that the bytes hold, without a value being made for text or whole
//! numbers. Never tests NULL: no comparison is true of it.

use super::value;
use crate::datum::{Datum, compare, trim_bpchar};
use crate::types::TypeId;
use std::cmp::Ordering;

/// A comparison of stored values with a constant.
#[derive(Clone, Debug)]
pub struct FieldTest {
    type_id: TypeId,
    /// Bits of the orders of value beside constant that pass: 1 less, 2 equal, 4 greater.
    passing: u8,
    constant: Constant,
}

#[derive(Clone, Debug)]
enum Constant {
    /// Of a type that stores a whole number and is ordered by it.
    Whole(i64),
    /// Text without what does not take part in a comparison.
    Text(Box<str>),
    Value(Datum),
}

impl FieldTest {
    /// A test of values of a type against a constant of that type, which is not NULL: passed where `passes` is true of the order of
    /// the two.
    pub fn new(type_id: TypeId, constant: &Datum, passes: impl Fn(Ordering) -> bool) -> FieldTest {
        assert!(!constant.is_null(), "no comparison with NULL is true");
        let orders = [Ordering::Less, Ordering::Equal, Ordering::Greater];
        let passing = orders.into_iter().filter(|&order| passes(order)).map(bit).sum();
        let constant = match constant {
            Datum::Text(text) if type_id == TypeId::BPCHAR => Constant::Text(trim_bpchar(text).into()),
            Datum::Text(text) => Constant::Text((**text).into()),
            Datum::Date(date) => Constant::Whole(date.0.into()),
            Datum::Timestamp(timestamp) => Constant::Whole(timestamp.0),
            Datum::Timestamptz(timestamp) => Constant::Whole(timestamp.0),
            other => match other.as_i64() {
                Some(whole) if is_whole(type_id) => Constant::Whole(whole),
                _ => Constant::Value(other.clone()),
            },
        };
        FieldTest { type_id, passing, constant }
    }

    /// Whether the value passes that these bytes of a field hold. `None`: they hold none of the type.
    #[inline]
    pub fn passes(&self, bytes: &[u8]) -> Option<bool> {
        let order = match &self.constant {
            Constant::Whole(constant) => whole(self.type_id, bytes)?.cmp(constant),
            Constant::Text(constant) => {
                let text = std::str::from_utf8(bytes).ok()?;
                let text = if self.type_id == TypeId::BPCHAR { trim_bpchar(text) } else { text };
                text.as_bytes().cmp(constant.as_bytes())
            }
            Constant::Value(constant) => compare(self.type_id, &value::read(self.type_id, bytes)?, constant),
        };
        Some(self.passing & bit(order) != 0)
    }
}

fn bit(order: Ordering) -> u8 {
    match order {
        Ordering::Less => 1,
        Ordering::Equal => 2,
        Ordering::Greater => 4,
    }
}

/// Types whose stored bytes are a whole number in two's complement, by which they are ordered.
pub fn is_whole(type_id: TypeId) -> bool {
    matches!(
        type_id,
        TypeId::INT2 | TypeId::INT4 | TypeId::INT8 | TypeId::DATE | TypeId::TIMESTAMP | TypeId::TIMESTAMPTZ
    )
}

/// The number that the bytes of a value of such a type hold; `None`: they are not as many as it has.
#[inline]
pub fn whole(type_id: TypeId, bytes: &[u8]) -> Option<i64> {
    debug_assert!(is_whole(type_id));
    // As many bytes as the type has: the layout has cut them.
    Some(match *bytes {
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        [a, b] => i16::from_le_bytes([a, b]).into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datetime::{Date, Timestamp};
    use crate::numeric::Numeric;

    /// Bytes and values are ordered alike, for every order that an operator may want.
    #[test]
    fn a_test_of_bytes_says_what_a_comparison_of_values_does() {
        let text = |texts: &[&str]| texts.iter().map(|text| Datum::text(*text)).collect::<Vec<_>>();
        let numbers = ["0", "0.00", "-1.5", "24", "24.00", "12345678901234567890123", "NaN", "Infinity"];
        let numbers = numbers.map(|number| Datum::Numeric(Numeric::parse(number).unwrap()));
        let floats = [0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(Datum::Float8);
        let values: &[(TypeId, Vec<Datum>)] = &[
            (TypeId::INT2, [i16::MIN, -1, 0, 7, i16::MAX].map(Datum::Int2).to_vec()),
            (TypeId::INT4, [i32::MIN, -1, 0, 7, i32::MAX].map(Datum::Int4).to_vec()),
            (TypeId::INT8, [i64::MIN, -1, 0, 7, i64::MAX].map(Datum::Int8).to_vec()),
            (TypeId::DATE, [i32::MIN, -1, 0, 7, i32::MAX].map(|days| Datum::Date(Date(days))).to_vec()),
            (TypeId::TIMESTAMP, [i64::MIN, 0, 9].map(|us| Datum::Timestamp(Timestamp(us))).to_vec()),
            (TypeId::FLOAT8, floats.to_vec()),
            (TypeId::NUMERIC, numbers.to_vec()),
            (TypeId::TEXT, text(&["", "a", "a ", "b", "\u{e4}", "ab"])),
            (TypeId::BPCHAR, text(&["", "a", "a  ", "b", "\u{e4} ", "a b"])),
        ];
        let operators: [fn(Ordering) -> bool; 6] = [
            Ordering::is_eq,
            Ordering::is_ne,
            Ordering::is_lt,
            Ordering::is_le,
            Ordering::is_gt,
            Ordering::is_ge,
        ];
        for (type_id, values) in values {
            for constant in values {
                for operator in operators {
                    let test = FieldTest::new(*type_id, constant, operator);
                    for value in values {
                        let mut bytes = Vec::new();
                        crate::row::RowLayout::new(vec![*type_id]).encode_value(0, value, &mut bytes);
                        let wanted = operator(compare(*type_id, value, constant));
                        assert_eq!(test.passes(&bytes), Some(wanted), "{value:?} beside {constant:?}");
                    }
                }
            }
            let test = FieldTest::new(*type_id, &values[0], Ordering::is_eq);
            assert_eq!(test.passes(&[0xff; 3]), None, "damaged bytes of {type_id:?}");
        }
    }
}
