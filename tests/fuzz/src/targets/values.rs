//! Values: a driver's binary parameters, text, and what stands in rows and index keys.
//!
//! The first byte of an input chooses the type; the rest is the value.

use super::nothing;
use crate::target::{TAKEN, Target};
use hexalog_sql_types::key::{self, KeyColumn};
use hexalog_sql_types::row::{RowLayout, read_row, write_row};
use hexalog_sql_types::types::type_from_name;
use hexalog_sql_types::{Datum, EvalEnv, Record, SqlError, TypeId, Typmod, binary, text};
use std::sync::Arc;

/// A value in binary, as Bind brings it.
pub const BINARY: Target =
    Target { name: "binary", seeds: binary_seeds, mend: nothing, check: check_binary, allocated_bytes_max };

/// A value in text, as Bind, COPY and literals bring it.
pub const TEXT: Target =
    Target { name: "text", seeds: text_seeds, mend: nothing, check: check_text, allocated_bytes_max };

/// The body of a stored row of four columns: the chosen type, text, the chosen type again, bigint. The second byte is
/// the number of columns that it stores.
pub const ROW: Target =
    Target { name: "row", seeds: row_seeds, mend: nothing, check: check_row, allocated_bytes_max };

/// Rows as temporary files have them, of any types.
pub const PASSING: Target = Target {
    name: "passing",
    seeds: passing_seeds,
    mend: nothing,
    check: check_passing,
    allocated_bytes_max,
};

/// An index key of two columns of the chosen type, the second one descending.
pub const KEY: Target =
    Target { name: "key", seeds: key_seeds, mend: nothing, check: check_key, allocated_bytes_max };

/// A `numeric` of five bytes may have 131,072 digits, and a check converts them between bases some ten times; this is
/// all of that, not its peak. Elements of arrays are such values again.
fn allocated_bytes_max(bytes: usize) -> usize {
    (bytes / 5 + 1) * 256 * 1024 * 1024
}

/// A value in text for each type; its place is the number that chooses it.
const VALUES: &[(&str, &str, &str)] = &[
    ("boolean", "boolean", "t"),
    ("char", "\"char\"", "x"),
    ("smallint", "smallint", "-2"),
    ("integer", "integer", "100000"),
    ("bigint", "bigint", "-1"),
    ("real", "real", "1.5"),
    ("double", "double precision", "-2.5"),
    ("numeric", "numeric", "12345.6700"),
    ("text", "text", "h\u{e9}llo"),
    ("name", "name", "abc"),
    ("bytea", "bytea", "\\x00ff"),
    ("date", "date", "2020-01-01"),
    ("timestamp", "timestamp", "2020-01-01 00:00:00.000001"),
    ("timestamptz", "timestamptz", "2020-01-01 00:00:00+02"),
    ("interval", "interval", "1 mon 2 days 00:00:03"),
    ("oid", "oid", "16384"),
    ("uuid", "uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("integers", "int4[]", "{1,NULL}"),
    ("int2vector", "int2vector", "1 2"),
    ("texts", "text[]", "{{a,\"b c\"},{d,NULL}}"),
    ("numerics", "numeric[]", "{1.5,-2}"),
    ("timestamps", "timestamp[]", "{\"2020-01-01 00:00:00\"}"),
    ("intervals", "interval[]", "{\"1 day\"}"),
    ("bpchar", "character(5)", "ab   "),
    ("regtype", "regtype", "integer"),
    ("time", "time", "10:11:12.5"),
    ("timetz", "timetz", "10:11:12.5-03:30"),
    ("json", "json", "{\"a\" : [1, \"\\u00e9\"]}"),
    ("jsonb", "jsonb", "{\"a\": [1.50, \"x\", null, {\"b\": true}], \"cc\": {}}"),
    ("jsonpath", "jsonpath", "$.a[*] ? (@ > 1 && exists (@.b)).size() + -1"),
];

/// The type that an input chooses, and the rest of it.
fn chosen(input: &[u8]) -> Option<(TypeId, &[u8])> {
    let (&number, rest) = input.split_first()?;
    let (_, name, _) = VALUES[usize::from(number) % VALUES.len()];
    let name = name.split('(').next().expect("a name");
    Some((type_from_name(name).expect("a type of the table"), rest))
}

fn values() -> impl Iterator<Item = (&'static str, u8, TypeId, Datum)> {
    let env = EvalEnv::without_session();
    VALUES.iter().enumerate().map(move |(number, (label, _, value))| {
        let (id, _) = chosen(&[number as u8]).expect("a number");
        let value = text::input(&env, id, Typmod::NONE, value).expect("a value of the table");
        (*label, number as u8, id, value)
    })
}

fn binary_seeds() -> Vec<(&'static str, Vec<u8>)> {
    values()
        .map(|(label, number, id, value)| {
            let mut bytes = vec![number];
            binary::send(&EvalEnv::without_session(), id, &value, &mut bytes)
                .expect("a type with a binary form");
            (label, bytes)
        })
        .collect()
}

fn passing_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let row = |row: &[Datum]| {
        let mut bytes = Vec::new();
        write_row(row, &mut bytes);
        bytes
    };
    let each = values().map(|(label, _, _, value)| (label, row(&[value, Datum::Null])));
    let all: Vec<Datum> = values().map(|(_, _, _, value)| value).collect();
    let types: Vec<TypeId> = values().map(|(_, _, id, _)| id).collect();
    let record = Record::new(types, all, None).expect("one level");
    each.chain([("record", row(&[Datum::Record(Arc::new(record))]))]).collect()
}

fn check_passing(mut input: &[u8]) -> &'static str {
    let Some(row) = read_row(&mut input) else { return "damaged" };
    let mut bytes = Vec::new();
    write_row(&row, &mut bytes);
    let again = read_row(&mut bytes.as_slice()).expect("what was written is read");
    let mut once_more = Vec::new();
    write_row(&again, &mut once_more);
    assert!(once_more == bytes, "a row comes back as it was written");
    match (row.is_empty(), input.is_empty()) {
        (true, _) => "no values",
        (_, false) => "more behind it",
        _ => TAKEN,
    }
}

fn answer(error: &SqlError) -> &'static str {
    // By class: the words have numbers in them.
    match &error.sqlstate().as_str()[..2] {
        "08" => "protocol violation",
        "0A" => "unsupported",
        "22" => "data exception",
        "42" => "no such thing",
        "54" => "limit exceeded",
        "XX" => "damaged",
        _ => "other error",
    }
}

fn binary_of(id: TypeId, value: &Datum) -> Vec<u8> {
    let mut out = Vec::new();
    binary::send(&EvalEnv::without_session(), id, value, &mut out).expect("what was received can be sent");
    out
}

fn check_binary(input: &[u8]) -> &'static str {
    let Some((id, bytes)) = chosen(input) else { return "empty" };
    let value = match binary::receive(&EvalEnv::without_session(), id, Typmod::NONE, bytes) {
        Ok(value) => value,
        Err(error) => return answer(&error),
    };
    let sent = binary_of(id, &value);
    let again = binary::receive(&EvalEnv::without_session(), id, Typmod::NONE, &sent)
        .expect("what was sent is received");
    assert!(binary_of(id, &again) == sent, "a value comes back as it was sent");
    check_stored(id, &value);
    TAKEN
}

/// A value that was accepted can be printed, stored, and put into a key where its type can.
fn check_stored(id: TypeId, value: &Datum) {
    let env = EvalEnv::without_session();
    drop(text::output_string(&env, id, value));
    let layout = RowLayout::new(vec![id]);
    let mut body = Vec::new();
    // Refused if too large.
    if layout.encode(std::slice::from_ref(value), &[], &mut body).is_ok() {
        let back = layout.get(&body, 1, 0).expect("a stored value reads").expect("is there");
        let mut again = Vec::new();
        layout.encode(&[back], &[], &mut again).expect("encoded before");
        assert!(again == body, "a value is stored in one way");
    }
    if key::is_supported(id) {
        let columns = [KeyColumn::ascending(id), KeyColumn::descending(id)];
        let mut bytes = Vec::new();
        let both = [value.clone(), value.clone()];
        key::encode(&columns, &both, &mut bytes).expect("a supported type");
        assert_eq!(key::encoded_len(&columns, &bytes).expect("its own key"), bytes.len());
        let back = key::decode(&columns, &bytes).expect("its own key");
        let mut again = Vec::new();
        key::encode(&columns, &back, &mut again).expect("a supported type");
        assert!(again == bytes, "equal values give equal keys");
    }
}

fn text_seeds() -> Vec<(&'static str, Vec<u8>)> {
    VALUES
        .iter()
        .enumerate()
        .map(|(number, (label, _, value))| (*label, [&[number as u8], value.as_bytes()].concat()))
        .collect()
}

fn check_text(input: &[u8]) -> &'static str {
    let Some((id, bytes)) = chosen(input) else { return "empty" };
    let Ok(given) = std::str::from_utf8(bytes) else { return "not UTF-8" };
    let env = EvalEnv::without_session();
    let value = match text::input(&env, id, Typmod::NONE, given) {
        Ok(value) => value,
        Err(error) => return answer(&error),
    };
    if id == TypeId::CHAR {
        // PostgreSQL 15 does not read `"char"` as it prints it either; 16 does.
        return TAKEN;
    }
    let printed = text::output_string(&env, id, &value);
    match text::input(&env, id, Typmod::NONE, &printed) {
        Ok(back) => assert_eq!(text::output_string(&env, id, &back), printed, "what is printed reads back"),
        Err(error) => {
            panic!("{} {given:?} prints as {printed:?}, which is refused: {error}", id.display_name())
        }
    }
    check_stored(id, &value);
    TAKEN
}

fn row_layout(id: TypeId) -> RowLayout {
    RowLayout::new(vec![id, TypeId::TEXT, id, TypeId::INT8])
}

fn row_seeds() -> Vec<(&'static str, Vec<u8>)> {
    values()
        .map(|(label, number, id, value)| {
            let mut bytes = vec![number, 4];
            let row = [value.clone(), Datum::text("between"), Datum::Null, Datum::Int8(-3)];
            row_layout(id).encode(&row, &[], &mut bytes).expect("a small row");
            (label, bytes)
        })
        .collect()
}

fn check_row(input: &[u8]) -> &'static str {
    let Some((id, rest)) = chosen(input) else { return "empty" };
    let Some((&stored, body)) = rest.split_first() else { return "empty" };
    let layout = row_layout(id);
    let env = EvalEnv::without_session();
    let mut answered = TAKEN;
    for column in 0..layout.types().len() {
        match layout.get(body, u16::from(stored), column) {
            Ok(None | Some(Datum::Null)) => {}
            Ok(Some(value)) => drop(text::output_string(&env, layout.types()[column], &value)),
            Err(error) => answered = answer(&error),
        }
    }
    answered
}

fn key_columns(id: TypeId) -> [KeyColumn; 2] {
    [KeyColumn::ascending(id), KeyColumn::descending(id)]
}

fn key_seeds() -> Vec<(&'static str, Vec<u8>)> {
    values()
        .filter(|(_, _, id, _)| key::is_supported(*id))
        .map(|(label, number, id, value)| {
            let mut bytes = vec![number];
            let row = [value.clone(), value];
            key::encode(&key_columns(id), &row, &mut bytes).expect("a supported type");
            (label, bytes)
        })
        .collect()
}

fn check_key(input: &[u8]) -> &'static str {
    let Some((id, bytes)) = chosen(input) else { return "empty" };
    if !key::is_supported(id) {
        return "no key";
    }
    let columns = key_columns(id);
    let values = match key::decode(&columns, bytes) {
        Ok(values) => values,
        Err(error) => return answer(&error),
    };
    let length = key::encoded_len(&columns, bytes).expect("what decodes has a length");
    assert!(length <= bytes.len());
    let env = EvalEnv::without_session();
    values
        .iter()
        .filter(|value| !value.is_null())
        .for_each(|value| drop(text::output_string(&env, id, value)));
    let mut again = Vec::new();
    key::encode(&columns, &values, &mut again).expect("a supported type");
    let back = key::decode(&columns, &again).expect("its own key");
    let mut once_more = Vec::new();
    key::encode(&columns, &back, &mut once_more).expect("a supported type");
    assert!(once_more == again, "equal values give equal keys");
    TAKEN
}
