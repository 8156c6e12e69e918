//! Golden bytes of the row format, and round trips.

use super::*;
use crate::datetime::{Time, Timetz};
use crate::datum::{Array, equal};
use crate::numeric::Numeric;

fn layout() -> RowLayout {
    RowLayout::new(vec![TypeId::INT4, TypeId::TEXT, TypeId::BOOL, TypeId::NUMERIC, TypeId::INT8])
}

fn encode(layout: &RowLayout, values: &[Datum]) -> Vec<u8> {
    let mut body = Vec::new();
    layout.encode(values, &[], &mut body).expect("fits");
    body
}

fn number(text: &str) -> Datum {
    Datum::Numeric(Numeric::parse(text).expect(text))
}

#[test]
fn golden_bytes() {
    let values = [Datum::Int4(-2), "héé".into(), Datum::Bool(true), number("-12345.67"), Datum::Int8(1)];
    let expected: &[u8] = &[
        0b0000_0000, // no NULL
        0xfe,
        0xff,
        0xff,
        0xff, // int4
        1,    // bool
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        0, // int8
        5,
        0, // end of text
        16,
        0, // end of numeric
        b'h',
        0xc3,
        0xa9,
        0xc3,
        0xa9, // text
        1,
        2,
        0,
        1,
        0,
        1,
        0,
        0x29,
        0x09,
        0x2c,
        0x1a, // numeric: negative, scale 2, weight 1, 1 2345 6700
    ];
    assert_eq!(encode(&layout(), &values), expected);
    let clocks = RowLayout::new(vec![TypeId::TIME, TypeId::TIMETZ]);
    let values = [Datum::Time(Time(1)), Datum::Timetz(Timetz { us: 2, west: -3 })];
    let expected = [0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0xff, 0xff, 0xff];
    assert_eq!(encode(&clocks, &values), expected);
    let layout_of_json = RowLayout::new(vec![TypeId::JSONB]);
    let value = crate::json::Json::parse("{\"b\": [null, 1], \"a\": \"x\"}").expect("valid");
    let expected = [0, 21, 0, 6, 2, 1, b'a', 4, 1, b'x', 1, b'b', 5, 2, 0, 3, 7, 0, 0, 0, 0, 0, 1, 0];
    let found = encode(&layout_of_json, &[Datum::Jsonb(std::sync::Arc::new(value))]);
    assert_eq!(found, expected);
    let nulls = vec![Datum::Null; 5];
    let mut expected = vec![0b0001_1111];
    expected.resize(1 + 13 + 4, 0);
    assert_eq!(encode(&layout(), &nulls), expected);
}

#[test]
fn fixed_width_update_changes_its_own_bytes_only() {
    let layout = layout();
    let mut values = [Datum::Int4(7), "text".into(), Datum::Bool(true), number("1.5"), Datum::Int8(100)];
    let before = encode(&layout, &values);
    values[4] = Datum::Int8(-100);
    let after = encode(&layout, &values);
    let range = layout.fixed_range(layout.column_count(), 4).expect("int8 has a fixed width");
    assert_eq!(before.len(), after.len());
    assert_ne!(before[range.clone()], after[range.clone()]);
    assert_eq!(before[..range.start], after[..range.start]);
    assert_eq!(before[range.end..], after[range.end..]);
    values[4] = Datum::Null;
    assert_eq!(encode(&layout, &values).len(), after.len());
}

#[test]
fn rows_stored_before_a_column_was_added() {
    let narrow = RowLayout::new(layout().types()[..3].to_vec());
    let body = encode(&narrow, &[Datum::Int4(9), "old".into(), Datum::Bool(false)]);
    let wide = layout();
    assert!(matches!(wide.get(&body, 3, 0).expect("there"), Some(Datum::Int4(9))));
    assert_eq!(wide.get(&body, 3, 1).expect("there").expect("stored").as_str(), Some("old"));
    assert!(wide.get(&body, 3, 3).expect("fine").is_none());
    assert_eq!(wide.raw(&body, 3, 4).expect("fine"), RawField::Missing);
}

#[test]
fn overflow_reference() {
    let layout = layout();
    let values = [Datum::Int4(1), "long".into(), Datum::Bool(true), number("2"), Datum::Int8(3)];
    let reference = [0xaau8; 12];
    let mut body = Vec::new();
    layout.encode(&values, &[None, Some(&reference)], &mut body).expect("fits");
    assert_eq!(layout.raw(&body, 5, 1).expect("fine"), RawField::Overflow(&reference));
    assert!(equal(TypeId::NUMERIC, &layout.get(&body, 5, 3).expect("fine").expect("stored"), &values[3]));
    let long = Datum::text("x".repeat(VARIABLE_BYTES_MAX + 1));
    let values = [Datum::Int4(1), long, Datum::Bool(true), number("2"), Datum::Int8(3)];
    let error = layout.encode(&values, &[], &mut Vec::new()).expect_err("too big");
    assert_eq!(error.sqlstate(), SqlState::PROGRAM_LIMIT_EXCEEDED);
}

#[test]
fn every_type_round_trips() {
    use crate::env::EvalEnv;
    let env = EvalEnv::without_session();
    for (name, text) in [
        ("boolean", "t"),
        ("\"char\"", "x"),
        ("smallint", "-32768"),
        ("integer", "2147483647"),
        ("bigint", "-9223372036854775808"),
        ("real", "1.5e-10"),
        ("double precision", "NaN"),
        ("numeric", "0.00"),
        ("numeric", "NaN"),
        ("numeric", "-Infinity"),
        ("numeric", "123456789012345678901234567890.123456789"),
        ("text", ""),
        ("bpchar", "a  "),
        ("bytea", "\\x00ff"),
        ("date", "infinity"),
        ("timestamp", "2020-01-01 10:11:12.123456"),
        ("timestamptz", "2020-01-01 10:11:12+00"),
        ("interval", "1 year 2 mons -3 days +04:05:06.7"),
        ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("oid", "4294967295"),
        ("int2vector", "1 2 3"),
        ("text[]", "{a,NULL,\"b c\"}"),
        ("int4[]", "[0:1][2:3]={{1,2},{3,4}}"),
        ("int4[]", "{}"),
    ] {
        let id = crate::types::type_from_name(name).expect(name);
        let layout = RowLayout::new(vec![id]);
        let value = crate::text::input(&env, id, crate::types::Typmod::NONE, text).expect(text);
        let body = encode(&layout, std::slice::from_ref(&value));
        let back = layout.get(&body, 1, 0).expect(text).expect("stored");
        assert_eq!(crate::text::output_string(&env, id, &back), text, "{name}");
        let RawField::Inline(bytes) = layout.raw(&body, 1, 0).expect(text) else {
            panic!("{name} is stored inline");
        };
        let mut out = Vec::new();
        layout.output_text(&env, 0, bytes, &mut out).expect(text);
        assert_eq!(out, text.as_bytes());
    }
}

/// A zone further away than a client may send was written, by `INSERT … '12:00 xxx-100'`, and its row could not be read again.
#[test]
fn times_of_far_zones_round_trip() {
    let layout = RowLayout::new(vec![TypeId::TIMETZ]);
    for west in [i32::MIN, -604_799, -57_600, 57_600, 604_800, i32::MAX] {
        for us in [0, 86_400_000_000] {
            let values = [Datum::Timetz(Timetz { us, west })];
            let body = encode(&layout, &values);
            let back = layout.get(&body, 1, 0).expect("a row that was written").expect("stored");
            assert!(equal(TypeId::TIMETZ, &back, &values[0]), "{back:?}");
        }
    }
}

#[test]
fn damaged_bodies_are_errors() {
    let layout = layout();
    let values = [Datum::Int4(7), "text".into(), Datum::Bool(true), number("1.5"), Datum::Int8(100)];
    let body = encode(&layout, &values);
    for length in 0..body.len() {
        for column in 0..5 {
            // Must not panic; short bodies lose at least the last field.
            let _ = layout.get(&body[..length], 5, column);
        }
        assert!((0..5).any(|column| layout.get(&body[..length], 5, column).is_err()), "{length}");
    }
    let arrays = RowLayout::new(vec![TypeId::INT4_ARRAY]);
    let array = Array::from_values(TypeId::INT4, vec![Datum::Int4(1), Datum::Null]);
    let mut bytes = Vec::new();
    arrays.encode_value(0, &array.into(), &mut bytes);
    bytes[5] = 0xff;
    assert!(arrays.decode_value(0, &bytes).is_err());
    // Fuzzing found these, which panicked when they were printed: a vector with NULL in it, an array of another type.
    let others = [
        (TypeId::INT2_ARRAY, Datum::Null, TypeId::INT2VECTOR),
        (TypeId::TEXT_ARRAY, Datum::text("1"), TypeId::INT4_ARRAY),
    ];
    for (stored, value, read) in others {
        let element = stored.array_element().expect("an array");
        let array = Array::from_values(element, vec![value]);
        let mut bytes = Vec::new();
        RowLayout::new(vec![stored]).encode_value(0, &array.into(), &mut bytes);
        assert!(RowLayout::new(vec![read]).decode_value(0, &bytes).is_err(), "{stored:?} as {read:?}");
    }
}
