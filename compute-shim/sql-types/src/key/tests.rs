//! Golden bytes of the key format; order, equality and round trips for any values.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::*;
use crate::datetime::{Date, Interval, Time, Timestamp, Timetz};
use crate::datum::{Array, compare};
use crate::numeric::Numeric;

fn key(column: KeyColumn, value: &Datum) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&[column], std::slice::from_ref(value), &mut out).expect("supported");
    out
}

fn number(text: &str) -> Datum {
    Datum::Numeric(Numeric::parse(text).expect(text))
}

fn json(text: &str) -> Datum {
    Datum::Jsonb(std::sync::Arc::new(crate::json::Json::parse(text).expect(text)))
}

#[test]
fn jsonb_sorts_as_its_bytes() {
    let texts = [
        "[]",
        "null",
        "\"\"",
        "\"a\"",
        "\"ab\"",
        "-1e20",
        "0",
        "1.5",
        "12",
        "false",
        "true",
        "[null]",
        "[\"a\"]",
        "[[]]",
        "[{}]",
        "[1, 2]",
        "{}",
        "{\"a\": 1}",
        "{\"a\": 2}",
        "{\"aa\": 0}",
        "{\"b\": 0}",
        "{\"a\": 1, \"b\": []}",
    ];
    let values: Vec<Datum> = texts.iter().map(|text| json(text)).collect();
    for (a, b) in values.iter().flat_map(|a| values.iter().map(move |b| (a, b))) {
        let column = KeyColumn::ascending(TypeId::JSONB);
        assert_eq!(key(column, a).cmp(&key(column, b)), compare(TypeId::JSONB, a, b), "{a:?} {b:?}");
        let back = decode(&[column], &key(column, a)).expect("written just now");
        assert!(compare(TypeId::JSONB, &back[0], a).is_eq());
    }
}

fn enum_value(key: i64) -> Datum {
    Datum::Enum(crate::EnumValue { id: TypeId(1 << 30), key })
}

#[test]
fn golden_bytes() {
    for (id, value, expected) in [
        (TypeId::BOOL, Datum::Bool(true), vec![2, 1]),
        (TypeId::INT2, Datum::Int2(-1), vec![2, 0x7f, 0xff]),
        (TypeId::INT4, Datum::Int4(1), vec![2, 0x80, 0, 0, 1]),
        (TypeId::INT8, Datum::Int8(-2), vec![2, 0x7f, 255, 255, 255, 255, 255, 255, 254]),
        (TypeId::OID, Datum::Oid(16_384), vec![2, 0, 0, 0x40, 0]),
        (TypeId::FLOAT8, Datum::Float8(1.0), vec![2, 0xbf, 0xf0, 0, 0, 0, 0, 0, 0]),
        (TypeId::FLOAT8, Datum::Float8(-0.0), vec![2, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        (TypeId::FLOAT4, Datum::Float4(f32::NAN), vec![2, 0xff, 0xc0, 0, 0]),
        (TypeId::TEXT, "ab".into(), vec![2, b'a', b'b', 0]),
        (TypeId::BPCHAR, "ab  ".into(), vec![2, b'a', b'b', 0]),
        (TypeId::BYTEA, Datum::Bytea(vec![0, 1].into()), vec![2, 0, 0xff, 1, 0, 0]),
        (TypeId::NUMERIC, number("12345.67"), vec![2, 3, 0x80, 1, 0, 2, 0x09, 0x2a, 0x1a, 0x2d, 0, 0]),
        (TypeId::NUMERIC, number("-1"), vec![2, 1, 0x7f, 0xff, 0xff, 0xfd, 0xff, 0xff]),
        (TypeId::NUMERIC, number("0.000"), vec![2, 2]),
        (TypeId::DATE, Datum::Date(Date(0)), vec![2, 0x80, 0, 0, 0]),
        (TypeId::JSONB, json("[]"), vec![2, 1]),
        (
            TypeId::JSONB,
            json("{\"a\": [true, 2.0]}"),
            vec![2, 8, 0, 0, 0, 1, b'a', 0, 7, 0, 0, 0, 2, 6, 4, 3, 0x80, 0, 0, 3, 0, 0],
        ),
        (TypeId::TIME, Datum::Time(Time(1)), vec![2, 0x80, 0, 0, 0, 0, 0, 0, 1]),
        (
            TypeId::TIMETZ,
            Datum::Timetz(Timetz { us: 1, west: -2 }),
            vec![2, 0x7f, 255, 255, 255, 255, 0xe1, 0x7b, 0x81, 0x7f, 255, 255, 254],
        ),
        (TypeId(1 << 30), enum_value(3), vec![2, 0x80, 0, 0, 0, 0, 0, 0, 3]),
        (TypeId(1 << 30), enum_value(-2), vec![2, 0x7f, 255, 255, 255, 255, 255, 255, 254]),
        (TypeId::TEXT, Datum::Null, vec![3]),
        (
            TypeId::INT2VECTOR,
            Array::vector(TypeId::INT2, vec![Datum::Int2(1)]).into(),
            vec![2, 2, 0x80, 1, 1, 1, 0, 0, 0, 1, 0x80, 0, 0, 0],
        ),
    ] {
        assert_eq!(key(KeyColumn::ascending(id), &value), expected, "{value:?}");
    }
    assert_eq!(key(KeyColumn::descending(TypeId::TEXT), &"a".into()), vec![2, !b'a', 0xff]);
    assert_eq!(key(KeyColumn::descending(TypeId::TEXT), &Datum::Null), vec![1]);
}

#[test]
fn unsupported_types_are_named() {
    let column = KeyColumn::ascending(TypeId::RECORD);
    let error = encode(&[column], &[Datum::Bool(true)], &mut Vec::new()).expect_err("no key form");
    assert_eq!(error.to_string(), "ERROR 0A000: an index on type record is not supported");
}

/// Two values of one type, often equal or close.
fn pair() -> impl Strategy<Value = (TypeId, Datum, Datum)> {
    fn both<T: std::fmt::Debug + Clone + 'static>(
        id: TypeId,
        one: impl Strategy<Value = T> + Clone + 'static,
        datum: fn(T) -> Datum,
    ) -> BoxedStrategy<(TypeId, Datum, Datum)> {
        let nullable = prop_oneof![1 => Just(Datum::Null), 15 => one.prop_map(datum)].boxed();
        (nullable.clone(), nullable).prop_map(move |(a, b)| (id, a, b)).boxed()
    }
    let number = "-?[0-9]{0,30}(0{0,9})[0-9](\\.[0-9]{0,20}0{0,5})?(e-?[0-9]{1,2})?";
    let number = prop_oneof![
        8 => number.prop_map(|text| text),
        1 => Just("NaN".to_owned()),
        1 => Just("-Infinity".to_owned()),
        1 => Just("Infinity".to_owned()),
        2 => "-?[0-9]{1,2}(\\.0{1,3})?".prop_map(|text| text),
    ]
    .boxed();
    let floats = prop_oneof![any::<f64>(), Just(0.0), Just(-0.0), Just(f64::NAN), Just(-f64::NAN)].boxed();
    let element = prop_oneof![Just(Datum::Null), (-2i32..3).prop_map(Datum::Int4)];
    let arrays = (proptest::collection::vec(element, 0..4), 0i32..3).boxed();
    prop_oneof![
        both(TypeId::INT2, any::<i16>(), Datum::Int2),
        both(TypeId::INT4, any::<i32>(), Datum::Int4),
        both(TypeId::INT8, any::<i64>(), Datum::Int8),
        both(TypeId::OID, any::<u32>(), Datum::Oid),
        both(TypeId::FLOAT8, floats, Datum::Float8),
        both(TypeId::FLOAT4, any::<f32>(), Datum::Float4),
        both(TypeId::NUMERIC, number, |text| Datum::Numeric(Numeric::parse(&text).expect("a number"))),
        both(TypeId::TEXT, "[a-b \u{e4}\u{1}]{0,4}", Datum::from),
        both(TypeId::BPCHAR, "[a-b ]{0,4}", Datum::from),
        both(
            TypeId::BYTEA,
            proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255)], 0..5),
            |bytes| { Datum::Bytea(bytes.into()) }
        ),
        both(
            TypeId::TIMETZ,
            (0i64..=86_400_000_000, prop_oneof![any::<i32>(), Just(i32::MIN)]),
            |(us, west)| { Datum::Timetz(Timetz { us, west }) }
        ),
        both(TypeId::TIMESTAMP, any::<i64>(), |us| Datum::Timestamp(Timestamp(us))),
        both(TypeId::INTERVAL, (any::<i64>(), any::<i32>(), -3i32..3), |(us, days, months)| {
            Datum::Interval(Interval { us, days, months })
        }),
        both(TypeId::UUID, any::<[u8; 16]>(), Datum::Uuid),
        both(TypeId::INT4_ARRAY, arrays, |(values, lower)| {
            Array::with_lower(TypeId::INT4, values, lower).into()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn order_is_the_order_of_values((id, a, b) in pair(), descending: bool, nulls_first: bool) {
        let column = KeyColumn { id, descending, nulls_first };
        let (left, right) = (key(column, &a), key(column, &b));
        let expected = match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => if nulls_first { Ordering::Less } else { Ordering::Greater },
            (false, true) => if nulls_first { Ordering::Greater } else { Ordering::Less },
            (false, false) if descending => compare(id, &b, &a),
            (false, false) => compare(id, &a, &b),
        };
        prop_assert_eq!(left.cmp(&right), expected);
        // A further column must not change the order, nor its absence.
        let columns = [column, KeyColumn::ascending(TypeId::INT4)];
        let mut longer = Vec::new();
        encode(&columns, &[a.clone(), Datum::Int4(0)], &mut longer).expect("supported");
        prop_assert!(longer.starts_with(&left));
        prop_assert!(longer < prefix_end(&left));
        prop_assert_eq!(encoded_len(&[column], &longer).expect("whole"), left.len());
        if expected == Ordering::Less {
            prop_assert!(prefix_end(&left) <= prefix_end(&right) && longer < right);
        }
    }

    #[test]
    fn decoded_values_are_equal((id, a, _) in pair(), descending: bool) {
        let column = KeyColumn { id, descending, nulls_first: descending };
        let bytes = key(column, &a);
        let back = decode(&[column], &bytes).expect("whole");
        prop_assert_eq!(compare(id, &back[0], &a), Ordering::Equal);
        prop_assert_eq!(key(column, &back[0]), bytes);
    }

    #[test]
    fn damaged_keys_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40), (id, _, _) in pair()) {
        let _ = decode(&[KeyColumn::ascending(id)], &bytes);
        let _ = encoded_len(&[KeyColumn::descending(id)], &bytes);
    }
}

/// Fuzzing found a key whose array had fewer values than its dimensions say; printing it panicked.
#[test]
fn an_array_with_other_dimensions_than_values_is_damaged() {
    let columns = [KeyColumn::ascending(TypeId::INT4_ARRAY)];
    let array = crate::datum::Array::from_values(TypeId::INT4, vec![Datum::Int4(1), Datum::Int4(2)]);
    let mut bytes = Vec::new();
    encode(&columns, &[array.into()], &mut bytes).expect("supported");
    assert!(decode(&columns, &bytes).is_ok());
    // The length of its one dimension stands before the lower bound.
    let at = bytes.len() - 8;
    assert_eq!(bytes[at..at + 4], [0, 0, 0, 2]);
    bytes[at + 3] = 3;
    let error = decode(&columns, &bytes).expect_err("damaged");
    assert_eq!(error.sqlstate(), crate::SqlState::DATA_CORRUPTED);
}

/// Fuzzing found that the key of an interval whose days and months together exceed what months can hold was written and
/// then called damaged.
#[test]
fn the_longest_intervals_come_back() {
    let columns = [KeyColumn::ascending(TypeId::INTERVAL)];
    for sign in [1, -1] {
        for (us, days, months) in [
            (0, 0x5400_0000, 0x7f00_0000),
            (i64::MAX, i32::MAX, i32::MAX),
            (0, i32::MAX, 0),
            (i64::MAX, 0, i32::MAX),
        ] {
            let interval = Interval { us: us * i64::from(sign), days: days * sign, months: months * sign };
            let mut bytes = Vec::new();
            encode(&columns, &[Datum::Interval(interval)], &mut bytes).expect("supported");
            let values = decode(&columns, &bytes).expect("its own key");
            let [Datum::Interval(back)] = values[..] else { panic!("{values:?}") };
            assert_eq!(back.span(), interval.span(), "{interval:?}");
        }
    }
}
