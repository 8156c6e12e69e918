//! Aggregates over small inputs; every expectation is what PostgreSQL 15 prints.

use super::*;
use crate::env::EvalEnv;
use crate::types::Typmod;

fn run(name: &str, type_name: &str, values: &[&str]) -> String {
    let env = EvalEnv::without_session();
    let id = crate::types::type_from_name(type_name).expect(type_name);
    let candidates = by_name(name);
    let resolved = crate::resolve::function(name, candidates, &[id], false).expect(name);
    let aggregate = &candidates[resolved.candidate];
    let argument = resolved.arguments[0];
    let mut state = Accumulator::new(aggregate, &[argument]);
    for value in values {
        let value = match *value {
            "NULL" => Datum::Null,
            text => crate::text::input(&env, argument, Typmod::NONE, text).expect(text),
        };
        if let Err(error) = state.add(&EvalEnv::without_session(), &[value]) {
            return error.to_string();
        }
    }
    match state.finish() {
        Ok(Datum::Null) => "NULL".to_owned(),
        Ok(value) => crate::text::output_string(&env, resolved.result, &value),
        Err(error) => error.to_string(),
    }
}

#[test]
fn as_postgresql() {
    for (name, id, values, expected) in [
        ("count", "integer", &["1", "NULL", "3"][..], "2"),
        ("sum", "integer", &["1", "NULL", "3"], "4"),
        ("sum", "integer", &["NULL"], "NULL"),
        ("sum", "bigint", &["9223372036854775807", "1"], "9223372036854775808"),
        ("sum", "numeric", &["1.5", "2.25"], "3.75"),
        ("sum", "real", &["1.5", "2.25"], "3.75"),
        ("sum", "double precision", &["1e308", "1e308"], "ERROR 22003: value out of range: overflow"),
        ("avg", "integer", &["1", "2"], "1.5000000000000000"),
        ("avg", "smallint", &["1", "2", "2"], "1.6666666666666667"),
        ("avg", "bigint", &["100000", "200001"], "150000.500000000000"),
        ("avg", "numeric", &["1.50", "2"], "1.7500000000000000"),
        ("avg", "real", &["1", "2"], "1.5"),
        ("avg", "interval", &["1 day", "2 days"], "1 day 12:00:00"),
        ("min", "text", &["b", "a", "NULL"], "a"),
        ("max", "numeric", &["1", "NaN", "Infinity"], "NaN"),
        ("max", "date", &["2020-01-01", "2021-01-01"], "2021-01-01"),
        ("bool_and", "boolean", &["t", "NULL", "f"], "f"),
        ("every", "boolean", &["t", "NULL"], "t"),
        ("bool_or", "boolean", &["f", "t"], "t"),
        ("bit_or", "integer", &["1", "-8"], "-7"),
        ("bit_and", "smallint", &["7", "-2"], "6"),
        ("array_agg", "integer", &["1", "NULL"], "{1,NULL}"),
        ("array_agg", "int4[]", &["{1,2}", "{3,4}"], "{{1,2},{3,4}}"),
        ("variance", "integer", &["1", "2", "4"], "2.3333333333333333"),
        ("stddev", "integer", &["1", "2", "4"], "1.5275252316519467"),
        ("stddev_pop", "numeric", &["1.5", "2.5"], "0.50000000000000000000"),
        ("var_pop", "double precision", &["1", "2", "4"], "1.5555555555555556"),
        ("stddev_samp", "double precision", &["1"], "NULL"),
        ("var_samp", "double precision", &["1", "Infinity"], "NaN"),
    ] {
        assert_eq!(run(name, id, values), expected, "{name}({id}) of {values:?}");
    }
}

#[test]
fn counts_and_strings() {
    let star = by_name("count").iter().find(|aggregate| aggregate.arguments.is_empty()).expect("count(*)");
    let mut state = Accumulator::new(star, &[]);
    (0..3).for_each(|_| state.add(&EvalEnv::without_session(), &[]).expect("counts"));
    assert!(matches!(state.finish(), Ok(Datum::Int8(3))));
    let text = [TypeId::TEXT, TypeId::TEXT];
    let aggregate =
        by_name("string_agg").iter().find(|aggregate| aggregate.arguments == text).expect("of text");
    let mut state = Accumulator::new(aggregate, &text);
    for (value, separator) in [(Datum::from("a"), ";"), (Datum::Null, "!"), (Datum::from("b"), ",")] {
        state.add(&EvalEnv::without_session(), &[value, separator.into()]).expect("appends");
    }
    assert_eq!(state.finish().expect("text").as_str(), Some("a,b"));
}
